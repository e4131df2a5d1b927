//! Asking for a table of accounts: about the one that is signed in, or about every one whose login is kept, one after
//! another. What each says is kept at once, unless it is a dry run; a login that Codex renewed is kept in any case.

use std::path::{Path, PathBuf};

use super::{
    Given, ask_at_home, ask_codex, check, check_flags, hold_login_for, keep_login, known, login,
};
use super::{observation_of, update};
use crate::cli::{LiveArgs, Source};
use crate::codex::auth::Login;
use crate::codex::home;
use crate::codex::program::Home;
use crate::codex::status::LiveStatus;
use crate::context::Ctx;
use crate::error::{Error, Kind, Outcome, Result};
use crate::evidence::{self, Evidence, Reach};
use crate::fsutil;
use crate::install;
use crate::lock::Lock;
use crate::metadata::Account;
use crate::observation::Observation;
use crate::profiles::private_home::{self, PrivateHome, Purpose, Taken};
use crate::profiles::{self, credentials, names};
use crate::registry::same_login;
use crate::snapshots::Depth;

/// About whom Codex is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Nobody.
    Nobody,
    /// The account that is signed in.
    Active,
    /// Every account whose login is kept, and the one that is signed in.
    All,
}

impl Whom {
    /// As `--live` and `--all` say.
    pub fn of(live: bool, all: bool) -> Self {
        match (live, all) {
            (false, _) => Self::Nobody,
            (true, false) => Self::Active,
            (true, true) => Self::All,
        }
    }
}

/// What a command wants to know.
pub struct Asking<'a> {
    /// About whom.
    pub whom: Whom,
    /// How.
    pub how: &'a LiveArgs,
    /// Which command it is.
    pub command: &'a str,
    /// Where snapshots are kept, by its flag.
    pub backup_dir: Option<&'a Path>,
    /// Whether only what must not be lost is kept.
    pub dry_run: bool,
}

/// What was learned.
pub struct Asked {
    /// Of whom what was seen.
    pub seen: Vec<(Account, Observation)>,
    /// Whether all were asked.
    pub outcome: Outcome,
}

/// Asks, where anybody is to be asked. Where only some can be asked about, the others are told.
pub fn ask(ctx: &Ctx, asking: &Asking) -> Result<Asked> {
    let is_asked = asking.whom != Whom::Nobody;
    check_flags(is_asked, asking.how, "say `--live` too, or leave them out")?;
    let seen = match asking.whom {
        Whom::Nobody => Vec::new(),
        Whom::Active => vec![ask_signed_in(ctx, asking, &ctx.paths.codex_home)?],
        Whom::All => return ask_all(ctx, asking),
    };
    Ok(Asked {
        seen,
        outcome: Outcome::Done,
    })
}

/// Asks about whoever is signed in to `home`.
fn ask_signed_in(ctx: &Ctx, asking: &Asking, home: &Path) -> Result<(Account, Observation)> {
    mend(ctx, asking, home)?;
    let of_home = |error| ctx.of_home(home, error);
    let signed_in = login(home).map_err(of_home)?;
    let given = Given::default();
    // A text that a setting names speaks of the active account.
    let live = if home == ctx.paths.codex_home {
        super::ask(ctx, asking.how, given, home, &signed_in)
    } else {
        ask_at_home(ctx, asking.how, given, home, &signed_in)
    };
    let live = live.map_err(of_home)?;
    // Whoever signed in while Codex was asked is not who it spoke of.
    let login = login(home).map_err(of_home)?;
    let seen_at = ctx.sighting();
    check(ctx, &live, &login)?;
    let lock = (!asking.dry_run)
        .then(|| ctx.lock(asking.command))
        .transpose()?;
    let lock = lock.as_ref().map(|(lock, _)| lock);
    let evidence = evidence(ctx, asking, lock)?;
    let known = known(&evidence, &login.account);
    let observation = observation_of(ctx, &live, &login, known.as_ref())?;
    if let Some(lock) = lock {
        keep_login(ctx, lock, home, &|| evidence.known());
        update(ctx, lock, |registry| {
            registry.saw_live(&fsutil::real(home), &login.account, seen_at);
            if observation.source.is_live() {
                registry.record(&login.account, observation.clone(), Some(ctx.latest()));
            }
        })?;
    }
    Ok((login.account, observation))
}

/// What is known so far. What is wrong with any of it is told when the table is made.
fn evidence(ctx: &Ctx, asking: &Asking, lock: Option<&Lock>) -> Result<Evidence> {
    let places = ctx.places(asking.backup_dir, None)?;
    let reach = Reach::Every(Depth::Whole);
    let mut evidence = Evidence::load(&places, ctx.now, &ctx.zone, reach, false, lock)?;
    evidence.latest = Some(ctx.latest());
    Ok(evidence)
}

/// An account to ask about, and the profile that keeps its login, where one does.
struct Target {
    account: Account,
    profile: Option<String>,
}

fn ask_all(ctx: &Ctx, asking: &Asking) -> Result<Asked> {
    // A signal is looked for wherever anything is waited for: what Codex left is kept first.
    let _in_hand = ctx.in_hand();
    // First of all what a killed run left: it may be the newest login of an account.
    if !asking.dry_run || !private_home::left_in(&ctx.paths.tmp()).is_empty() {
        drop(ctx.lock(asking.command)?);
    }
    let had_tmp = fsutil::exists(&ctx.paths.tmp())?;
    let asked = ask_each(ctx, asking);
    if asking.dry_run && !had_tmp {
        // Made to ask with a copy of a login. One that holds anything stays.
        let _ = std::fs::remove_dir(ctx.paths.tmp());
    }
    asked
}

fn ask_each(ctx: &Ctx, asking: &Asking) -> Result<Asked> {
    mend(ctx, asking, &ctx.paths.codex_home)?;
    let (targets, mut failed) = targets(ctx)?;
    let mut seen = Vec::new();
    for target in &targets {
        ctx.check_stop()?;
        match ask_about(ctx, asking, target) {
            Ok(said) => seen.push(said),
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => {
                failed += 1;
                let who = &target.account;
                let hint = ctx.with_typed(error.hint(), &ctx.paths.codex_home);
                ctx.ui
                    .warn(&format!("{who} was not asked about: {error}; {hint}"));
            }
        }
    }
    if !seen.is_empty() {
        let outcome = if failed == 0 {
            Outcome::Done
        } else {
            Outcome::Partial
        };
        return Ok(Asked { seen, outcome });
    }
    let (message, hint) = if failed == 0 {
        (
            "there is no account to ask about: no ChatGPT login is kept in a profile, and none is signed in",
            "sign in with `codex-manager profile login NAME`",
        )
    } else {
        (
            "no account could be asked about",
            "the warnings say why of each",
        )
    };
    Err(Error::new(Kind::NoStatus, message, hint))
}

/// Whom to ask about, the one that is signed in first; how many logins cannot be used, which is told.
fn targets(ctx: &Ctx) -> Result<(Vec<Target>, u32)> {
    let mut kept = Vec::new();
    let mut failed = 0;
    for found in profiles::look(&ctx.paths.profiles())? {
        let name = found.profile.name;
        match found.login {
            Ok(Some(login)) => kept.push((login, Some(name))),
            Ok(None) => ctx
                .ui
                .detail(&format!("the profile `{name}` keeps no login")),
            Err(problem) => {
                failed += 1;
                ctx.ui.warn(&problem);
            }
        }
    }
    let active = home::read_login(&ctx.paths.codex_home).unwrap_or_else(|error| {
        failed += 1;
        ctx.ui.warn(&error.to_string());
        None
    });
    let active = active.map(|(_, login)| (login, None));
    let mut targets: Vec<Target> = Vec::new();
    for (login, profile) in active.into_iter().chain(kept) {
        let account = login.account.clone();
        let is_this = |target: &&mut Target| target.account.is_same_as(&account);
        if let Some(target) = targets.iter_mut().find(is_this) {
            target.profile = target.profile.take().or(profile);
        } else if login.is_api_key() {
            ctx.ui.detail(&format!(
                "{account} is no ChatGPT account: it has no weekly window"
            ));
        } else {
            targets.push(Target { account, profile });
        }
    }
    Ok((targets, failed))
}

/// Asks about one account, where it is signed in if it is, else with a copy of its login. Nobody else does so meanwhile, nor
/// installs that login.
fn ask_about(ctx: &Ctx, asking: &Asking, target: &Target) -> Result<(Account, Observation)> {
    let account = &target.account;
    let words = format!("asking about {account}");
    if ctx.ui.interactive {
        ctx.ui.note(&words);
    } else {
        ctx.ui.detail(&words);
    }
    let held = hold_login_for(ctx, asking.how, account)?;
    if let Some(home) = home_of(ctx, asking, account)? {
        let (of, observation) = ask_signed_in(ctx, asking, &home)?;
        if !same_login(&of, account) {
            return Err(Error::new(
                Kind::AccountMismatch,
                format!("the login was exchanged while Codex was asked: it is of {of} now"),
                "run the command again",
            ));
        }
        return Ok((of, observation));
    }
    if ctx.status_source(asking.how) == Source::Rollout {
        return of_session_files(ctx, asking, account);
    }
    held.pass_on();
    ask_apart(ctx, asking, account).map_err(|error| match &target.profile {
        // To sign in to the Codex home would not help.
        Some(name) if error.hint().contains("`codex login`") => error.with_hint(format!(
            "sign in again: `codex-manager profile login {}`",
            names::login_word(name, account.email.as_deref())
        )),
        _ => error,
    })
}

/// The Codex home that the account is signed in to, of those that are known: of two Codexes that renew one login, each with
/// a copy, only the first gets a new one.
fn home_of(ctx: &Ctx, asking: &Asking, account: &Account) -> Result<Option<PathBuf>> {
    let places = ctx.places(None, None)?;
    // What is wrong with it is told when the table is made.
    let registry = evidence::load_registry(&places, ctx.now, false, None, &mut Vec::new());
    let own = ctx.paths.codex_home.clone();
    let others = registry.homes_of(account, &fsutil::real(&own));
    let others = ctx.usual_codex_home().into_iter().chain(others);
    for home in std::iter::once(own).chain(others) {
        mend(ctx, asking, &home)?;
        let login = home::read_login(&home).ok().flatten();
        if login.is_some_and(|(_, login)| login.account.is_same_as(account)) {
            return Ok(Some(home));
        }
    }
    Ok(None)
}

/// Finishes or drops a restore that was cut short: until then a login may be missing that is to stand there. A dry run does
/// not, and must not take that account for one that is signed in nowhere.
fn mend(ctx: &Ctx, asking: &Asking, home: &Path) -> Result<()> {
    if !asking.dry_run {
        return ctx.mend_home(home);
    }
    if asking.whom == Whom::All && install::is_cut_short(home)? {
        let home = ctx.paths.short(home);
        return Err(Error::other(
            format!("a restore into `{home}` was cut short: who is signed in there is not known"),
            "run the command without `--dry-run`, which finishes it",
        ));
    }
    Ok(())
}

/// What the session files of the Codex home say.
fn of_session_files(
    ctx: &Ctx,
    asking: &Asking,
    account: &Account,
) -> Result<(Account, Observation)> {
    let (kept, _) = credentials::find(&ctx.paths.profiles(), account, ctx.latest());
    let login = kept.ok_or_else(|| gone(account))?.login;
    let home = Home::of_person(&ctx.paths.codex_home);
    let live = ask_codex(ctx, asking.how, Given::default(), home, &login)?;
    let evidence = evidence(ctx, asking, None)?;
    let known = known(&evidence, account);
    let observation = observation_of(ctx, &live, &login, known.as_ref())?;
    Ok((login.account, observation))
}

/// Asks with a copy of the kept login, in a Codex home of our own.
fn ask_apart(ctx: &Ctx, asking: &Asking, account: &Account) -> Result<(Account, Observation)> {
    let (home, login) = home_for(ctx, asking, account)?;
    home.pass_on();
    let place = Home::private(home.path());
    let told = ask_codex(ctx, asking.how, Given::default(), place, &login);
    let path = ctx.paths.short(home.path());
    // Before anything else: the login is dead as soon as the service gave another one for it.
    let (lock, _held) = ctx.lock_patiently(asking.command).map_err(|error| {
        error.with_hint(format!(
            "its login, which may have been renewed, waits in `{path}`: the next command keeps it"
        ))
    })?;
    let login = match ctx.keeping(&lock, |keeper| home.take_in(keeper)) {
        Taken::Kept {
            login,
            profile,
            is_new,
        } => {
            if is_new {
                ctx.ui.detail(&format!(
                    "the login of {account} was renewed, and is kept in the profile `{profile}`"
                ));
            }
            *login
        }
        Taken::Nothing => login,
        Taken::Stays(why) => {
            ctx.ui.warn(&why);
            login
        }
    };
    let live = told?;
    keep_answer(ctx, asking, &lock, &live, &login)
}

/// A home of our own with the account's login in it.
fn home_for(ctx: &Ctx, asking: &Asking, account: &Account) -> Result<(PrivateHome, Login)> {
    let settings = private_home::settings(&ctx.paths.codex_home)?;
    let (lock, _held) = ctx.lock(asking.command)?;
    // It may have been renewed, kept anew, or removed since it was looked for.
    let (kept, _) = credentials::find(&ctx.paths.profiles(), account, ctx.latest());
    let kept = kept.ok_or_else(|| gone(account))?;
    let home = PrivateHome::make(
        &ctx.paths.tmp(),
        &lock,
        (Purpose::Probe, &kept.profile),
        &settings,
        (&[credentials::sha256(&kept.bytes)], Some(&kept.bytes)),
    )?;
    Ok((home, kept.login))
}

fn keep_answer(
    ctx: &Ctx,
    asking: &Asking,
    lock: &Lock,
    live: &LiveStatus,
    login: &Login,
) -> Result<(Account, Observation)> {
    check(ctx, live, login)?;
    let evidence = evidence(ctx, asking, Some(lock))?;
    let known = known(&evidence, &login.account);
    let observation = observation_of(ctx, live, login, known.as_ref())?;
    if !asking.dry_run {
        update(ctx, lock, |registry| {
            registry.record(&login.account, observation.clone(), Some(ctx.latest()));
        })?;
    }
    Ok((login.account.clone(), observation))
}

fn gone(account: &Account) -> Error {
    Error::new(
        Kind::NoStatus,
        format!("no profile keeps a login of {account} any more"),
        "run the command again",
    )
}

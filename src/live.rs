//! What is left of the account that is signed in: asked as the flags and settings say, checked against its login, and
//! kept in the registry. The same for every command that asks.

pub mod looking;
pub mod table;

use std::path::Path;
use std::time::Duration;

use crate::accounts;
use crate::cli::{LiveArgs, Source};
use crate::codex::auth::Login;
use crate::codex::home;
use crate::codex::program::Home;
use crate::codex::status::{self, Asking, Clock, LiveStatus};
use crate::context::Ctx;
use crate::error::{Error, Kind, Result};
use crate::evidence::{self, Evidence};
use crate::fsutil;
use crate::hint;
use crate::install;
use crate::lock::{HomeLock, Lock};
use crate::metadata::{Account, StatusSource, ValidationStatus, WindowState};
use crate::observation::{Observation, settle_start};
use crate::profiles;
use crate::profiles::credentials::{self, Kept};
use crate::profiles::in_use::LoginLock;
use crate::profiles::last_use::{self, LastUse};
use crate::registry::{Registry, same_login};
use crate::timeutil::Stamp;

/// How long Codex may take to renew a login beyond the time it has to answer.
const TO_RENEW: Duration = Duration::from_secs(25);

/// Where the text of a panel comes from, where not from Codex itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// A file; `-` is standard input.
    pub file: Option<&'a Path>,
    /// A command that prints it.
    pub command: Option<&'a str>,
    /// The year of its dates.
    pub reference_year: Option<i32>,
}

/// Asks what is left of the account whose `login` the Codex home holds. Waits, so nothing may be locked; while Codex is
/// asked nobody may exchange the login.
pub fn ask(
    ctx: &Ctx,
    args: &LiveArgs,
    given: Given,
    home: &Path,
    login: &Login,
) -> Result<LiveStatus> {
    match of_text(ctx, args, given)? {
        Some(live) => Ok(live),
        None => ask_at_home(ctx, args, given, home, login),
    }
}

/// The same where no text is given: of Codex itself.
fn ask_at_home(
    ctx: &Ctx,
    args: &LiveArgs,
    given: Given,
    home: &Path,
    login: &Login,
) -> Result<LiveStatus> {
    // Two of them that renew one login would use its refresh token twice: then one asks after the other.
    let is_due = |login: &Login| {
        login.is_due_for_renewal(ctx.clock) && ctx.status_source(args) != Source::Rollout
    };
    let mut alone = is_due(login);
    let patience = patience(ctx, args);
    loop {
        let lock = ctx.patient(patience, |waiting| {
            if alone {
                HomeLock::acquire(home, waiting)
            } else {
                HomeLock::share(home, waiting)
            }
        })?;
        // Whoever had the lock may have exchanged it, or renewed it.
        let login = self::login(home)?;
        if is_due(&login) && !alone {
            drop(lock);
            alone = true;
            continue;
        }
        return ask_codex(ctx, args, given, Home::of_person(home), &login);
    }
}

/// The same for a caller that holds the lock of the Codex home.
pub fn ask_under_lock(
    ctx: &Ctx,
    args: &LiveArgs,
    given: Given,
    home: &Path,
    login: &Login,
) -> Result<LiveStatus> {
    if let Some(live) = of_text(ctx, args, given)? {
        return Ok(live);
    }
    ask_codex(ctx, args, given, Home::of_person(home), login)
}

fn ask_codex(
    ctx: &Ctx,
    args: &LiveArgs,
    given: Given,
    home: Home,
    login: &Login,
) -> Result<LiveStatus> {
    let _in_hand = ctx.in_hand();
    let clock = clock(ctx, given);
    let stop = || ctx.stopped();
    let is_urgent = || ctx.is_urgent();
    let tell = |words: &str| ctx.ui.note(words);
    let asking = |program| Asking {
        program,
        home,
        timeout: ctx.status_timeout(args),
        may_renew: login.is_due_for_renewal(ctx.clock),
        stop: &stop,
        is_urgent: &is_urgent,
        tell: &tell,
        clock,
    };
    let told = match ctx.status_source(args) {
        Source::Auto => status::of_codex(&asking(&ctx.codex(args)?)),
        Source::AppServer => status::of_app_server(&asking(&ctx.codex(args)?)),
        Source::Panel => status::of_panel(&asking(&ctx.codex(args)?)),
        Source::Rollout => {
            let mut warnings = Vec::new();
            let places = ctx.places(None, None)?;
            let registry = evidence::load_registry(&places, ctx.now, false, None, &mut warnings);
            for warning in &warnings {
                ctx.ui.warn(warning);
            }
            hint(ctx, &registry, home.path, login)
        }
    };
    let now = home::read_login(home.path).ok().flatten();
    let is_renewed = now.is_some_and(|(_, now)| {
        let latest = ctx.latest();
        same_login(&now.account, &login.account) && now.freshness(latest) > login.freshness(latest)
    });
    // One that is asked about with a copy is kept, and what restores install.
    if is_renewed && !home.is_private {
        ctx.ui.warn(
            "the login was renewed: snapshots of it that were made before may no longer sign in, a new one does",
        );
    }
    let told = told.map_err(|error| match error.kind() {
        // Whoever renewed it: what was refused is not what stands there now.
        Kind::NoStatus if is_renewed => Error::new(
            Kind::NoStatus,
            "the login was renewed while Codex was asked, and there is no answer yet",
            "run the command again",
        ),
        _ => error,
    })?;
    let observed_at = if told.source == StatusSource::Rollout {
        told.observed_at
    } else {
        ctx.moment()
    };
    Ok(LiveStatus {
        asked_of: Some(login.account.clone()),
        observed_at,
        ..told
    })
}

/// What is left by a text that was given, or that a command prints; None where neither is.
pub fn of_text(ctx: &Ctx, args: &LiveArgs, given: Given) -> Result<Option<LiveStatus>> {
    let clock = clock(ctx, given);
    if let Some(path) = given.file {
        return status::of_file(path, clock).map(Some);
    }
    let Some(command) = ctx.status_command(given.command, args) else {
        return Ok(None);
    };
    let _in_hand = ctx.in_hand();
    let timeout = ctx.status_timeout(args);
    status::of_command(&command, timeout, &|| ctx.stopped(), clock).map(Some)
}

fn clock<'a>(ctx: &'a Ctx, given: Given) -> Clock<'a> {
    Clock {
        now: ctx.now,
        zone: &ctx.zone,
        reference_year: given.reference_year,
        is_system_time: ctx.is_system_time,
    }
}

/// Fails where the status is of another account than the login; warns where it names none.
pub fn check(ctx: &Ctx, live: &LiveStatus, login: &Login) -> Result<()> {
    if let Some(asked_of) = &live.asked_of
        && !same_login(asked_of, &login.account)
    {
        return Err(Error::new(
            Kind::AccountMismatch,
            format!(
                "the login was exchanged while Codex was asked: it was of {asked_of}, and is of {} now",
                login.account
            ),
            "run the command again",
        ));
    }
    let is_named = status::check_account(&live.reading, &login.account)?;
    // Codex itself was asked about this very login.
    if !is_named && live.source != StatusSource::AppServer && live.source != StatusSource::Rollout {
        ctx.ui.warn(&format!(
            "the status text names no account; it is taken to be of {}, who is signed in",
            login.account
        ));
    }
    Ok(())
}

/// Has the kept login of `account` to itself, to choose and install it: nobody else has Codex ask with it meanwhile, which
/// may renew it. Waits as long as that may take; to be called before the lock of the manager home is taken.
pub fn hold_login(ctx: &Ctx, account: &Account) -> Result<LoginLock> {
    hold_login_for(ctx, &LiveArgs::default(), account)
}

/// The same for somebody who asks so.
fn hold_login_for(ctx: &Ctx, args: &LiveArgs, account: &Account) -> Result<LoginLock> {
    let patience = patience(ctx, args);
    ctx.patient(patience, |waiting| {
        LoginLock::acquire(&ctx.paths.profiles(), account, waiting)
    })
}

/// How long another run may ask about one account.
fn patience(ctx: &Ctx, args: &LiveArgs) -> Duration {
    ctx.status_timeout(args) + TO_RENEW
}

/// What was said as evidence, given what was known of the account before.
///
/// Fails where Codex reports no limits at all while a window is known to run: no news is not an end.
pub fn observation_of(
    ctx: &Ctx,
    live: &LiveStatus,
    login: &Login,
    known: Option<&Observation>,
) -> Result<Observation> {
    let reading = &live.reading;
    let runs = known.filter(|known| known.state_at(ctx.now, &ctx.zone) == WindowState::Running);
    if let (true, Some(known)) = (reading.limits.is_empty(), runs) {
        return Err(Error::new(
            Kind::NoStatus,
            format!(
                "codex reports no limits of {}, whose window of {} still runs",
                login.account,
                known
                    .session_start_at
                    .map_or_else(String::new, |start| start.0.table_form()),
            ),
            "run the command again later",
        ));
    }
    let state = reading.window_state(live.observed_at);
    let session_start_at = match reading.reset_at {
        Some(reset) => Some(settle_start(reset, state, known, &ctx.zone)),
        // Not begun, and no word of a reset: as it was first seen, where it was.
        None if state == WindowState::Unstarted => known
            .filter(|known| known.window_state == WindowState::Unstarted)
            .and_then(|known| known.session_start_at),
        None => None,
    };
    // Asked again, one that is exhausted was not used since.
    let ended_at = known
        .filter(|known| known.quota_percent_left == Some(0) && session_start_at.is_some())
        .filter(|known| known.session_start_at == session_start_at)
        .and_then(|known| known.quota_end_detected_at)
        .map_or(live.observed_at, |first| first.min(live.observed_at));
    let is_exhausted = reading.quota_percent_left == Some(0);
    let plan_type = match live.source {
        // The back end's word; the token's may be old.
        StatusSource::AppServer | StatusSource::Rollout => {
            reading.plan.clone().or_else(|| login.plan_type.clone())
        }
        // A panel shows a label.
        _ => login.plan_type.clone(),
    };
    Ok(Observation {
        source: live.source,
        observed_at: live.observed_at,
        session_start_at,
        reset_at: reading.reset_at,
        window_state: state,
        quota_percent_left: reading.quota_percent_left,
        quota_text: reading.quota_text.clone(),
        limits: reading.limits.clone(),
        quota_end_detected_at: is_exhausted.then_some(ended_at),
        is_guess: false,
        is_refused: reading.is_refused,
        validation_status: ValidationStatus::Ok,
        plan_type,
        rest: serde_json::Map::new(),
    })
}

/// The last known window, without asking anybody: as it was kept, or by a newer hint in Codex's session files.
pub fn offline(ctx: &Ctx, home: &Path, login: &Login, evidence: &Evidence) -> Result<Observation> {
    let accounts = evidence.accounts();
    let account = accounts::find(&accounts, &login.account);
    let known = account
        .and_then(|account| account.observation.clone())
        .filter(|known| known.session_start_at.is_some());
    let hint = hint(ctx, &evidence.registry, home, login);
    let newer = hint.as_ref().ok().filter(|hint| {
        known
            .as_ref()
            .is_none_or(|known| known.observed_at < hint.observed_at)
    });
    if let Some(hint) = newer {
        let reported = account.and_then(|account| account.reported.as_ref());
        return observation_of(ctx, hint, login, reported);
    }
    if let Some(known) = known {
        return Ok(Observation {
            source: StatusSource::Offline,
            ..known
        });
    }
    let why = hint
        .err()
        .map_or(String::new(), |error| format!("; {error}"));
    Err(Error::new(
        Kind::NoStatus,
        format!("no window of {} is known yet{why}", login.account),
        "make a first backup without `--offline`, or run `codex-manager normalize` on legacy files",
    ))
}

/// What Codex's session files say.
fn hint(ctx: &Ctx, registry: &Registry, home: &Path, login: &Login) -> Result<LiveStatus> {
    let mut warnings = Vec::new();
    let account = &login.account;
    // Whoever waited for the lock has a record before it that is newer than its own beginning.
    let now = ctx.moment();
    let hint = hint::of_rollouts(home, account, registry, now, &ctx.zone, &mut warnings);
    for warning in &warnings {
        ctx.ui.warn(warning);
    }
    hint
}

/// What of the account is known from a report, not from a guess: only that keeps a window's start.
pub fn known(evidence: &Evidence, account: &Account) -> Option<Observation> {
    accounts::find(&evidence.accounts(), account)?
        .reported
        .clone()
}

/// Changes the registry. The caller holds the lock.
pub fn update(ctx: &Ctx, lock: &Lock, change: impl FnOnce(&mut Registry)) -> Result<()> {
    let mut warnings = Vec::new();
    let places = ctx.places(None, None)?;
    let mut registry = evidence::load_registry(&places, ctx.now, true, Some(lock), &mut warnings);
    let path = ctx.paths.registry();
    registry.check_writable(&path)?;
    // What of it cannot be read is told where it is shown.
    for warning in warnings.iter().filter(|_| registry.unread() == 0) {
        ctx.ui.warn(warning);
    }
    change(&mut registry);
    registry.save(&path)
}

/// Notes who was seen to be signed in to `home`, and when. What was changed there stands, whatever becomes of this record:
/// a failure is told. The caller holds the lock.
pub fn note_signed_in(
    ctx: &Ctx,
    lock: &Lock,
    home: &Path,
    sightings: impl IntoIterator<Item = (Account, Stamp)>,
) {
    let sightings: Vec<_> = sightings.into_iter().collect();
    for (account, _) in &sightings {
        for name in credentials::names_of(&ctx.paths.profiles(), account) {
            note_use(ctx, lock, &name);
        }
    }
    let noted = update(ctx, lock, |registry| {
        for (account, at) in &sightings {
            registry.saw_live(&fsutil::real(home), account, *at);
        }
    });
    if let Err(error) = noted {
        ctx.ui
            .warn(&format!("who is signed in was not noted: {error}"));
    }
}

/// Keeps the login of a Codex home in the profile of its owner, those that a restore moved aside there too, and tells what
/// stands in the way of that: whoever runs a command wants something else. The caller holds the lock. `known` tells the
/// accounts there are. Returns what it warned of, as far as it is of the login that is signed in.
pub fn keep_login(
    ctx: &Ctx,
    lock: &Lock,
    home: &Path,
    known: &dyn Fn() -> Vec<Account>,
) -> Option<String> {
    let dir = ctx.paths.profiles();
    for place in home::set_aside(home) {
        let Ok(Some((bytes, login))) = home::read_login(&place) else {
            continue;
        };
        let whose = format!("the login of {} that was in a restore's way", login.account);
        match credentials::keep(&dir, lock, (&bytes, &login), known, ctx.latest()) {
            Ok(Kept::Already(_)) => {}
            Ok(Kept::Written(name)) => {
                ctx.ui
                    .note(&format!("{whose} is kept in the profile `{name}`"));
            }
            Ok(Kept::Refused(reason)) => ctx.ui.warn(&reason),
            Err(error) => ctx
                .ui
                .warn(&format!("{whose} is not kept in a profile: {error}")),
        }
    }
    // What is wrong with it is told by whoever needs it.
    let (bytes, login) = home::read_login(home).ok()??;
    let warning = match credentials::keep(&dir, lock, (&bytes, &login), known, ctx.latest()) {
        Ok(Kept::Already(name)) => {
            note_use(ctx, lock, &name);
            return None;
        }
        Ok(Kept::Written(name)) => {
            note_use(ctx, lock, &name);
            ctx.ui.detail(&format!(
                "the login of {} is kept in the profile `{name}`",
                login.account
            ));
            return None;
        }
        Ok(Kept::Refused(reason)) => reason,
        Err(error) => format!(
            "the login of {} is not kept in a profile: {error}",
            login.account
        ),
    };
    ctx.ui.warn(&warning);
    Some(warning)
}

/// Notes in the profile of that name that its account is used on this machine. A failure is told: whoever runs a command
/// wants something else.
fn note_use(ctx: &Ctx, lock: &Lock, name: &str) {
    let dir = ctx.paths.profiles();
    let noted = ctx
        .use_here(lock)
        .and_then(|used| last_use::note(&dir, name, &used, ctx.latest()));
    if let Err(error) = noted {
        ctx.ui.warn(&format!(
            "that the profile `{name}` is used here was not noted: {error}"
        ));
    }
}

/// Warns where `account`, which is about to be signed in here, was used on another machine last: of two that renew one login
/// one is refused.
pub fn warn_of_other_machine(ctx: &Ctx, account: &Account) {
    let (profiles, _) = profiles::load_all(&ctx.paths.profiles());
    let mut theirs = profiles
        .iter()
        .filter(|profile| profile.account().is_same_as(account));
    let used = theirs.find_map(LastUse::of);
    if let Some(used) = used.filter(|used| ctx.machine_id().as_ref() != Some(&used.machine)) {
        ctx.ui.warn(&format!(
            "{account} was used on `{}` last, on {}: as soon as Codex renews the login here, the one there no longer signs in",
            used.place(),
            used.at.in_zone(&ctx.zone).table_form()
        ));
    }
}

/// Refuses flags on how to ask where nothing is asked; `hint` is what to do then.
pub fn check_flags(is_asked: bool, args: &LiveArgs, hint: &str) -> Result<()> {
    if is_asked || !args.is_given() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Usage,
        "`--status-source`, `--status-timeout` and `--codex-command` say how to ask Codex, which is not asked",
        hint,
    ))
}

/// The login of a Codex home, of which there is something left to tell.
pub fn login(home: &Path) -> Result<Login> {
    let refused = |message: String, hint: &str| Error::new(Kind::NoStatus, message, hint);
    let Some((_, login)) = home::read_login(home)? else {
        if install::is_cut_short(home)? {
            return Err(refused(
                format!(
                    "a restore into `{}` was cut short: who is signed in there is not known",
                    home.display()
                ),
                "`codex-manager status` finishes it first, as `backup`, `restore` and `use` do",
            ));
        }
        return Err(refused(
            format!(
                "nobody is signed in: `{}` does not exist",
                home::auth_path(home).display()
            ),
            "sign in with `codex login`; if Codex keeps logins in the system's keyring, set `cli_auth_credentials_store = \"file\"` in its config.toml",
        ));
    };
    if login.is_api_key() {
        let what = if login.auth_mode == "personalAccessToken" {
            "a personal access token"
        } else {
            "an API key"
        };
        return Err(refused(
            format!("the login is {what}, which has no weekly window"),
            "sign in with a ChatGPT account: `codex login`",
        ));
    }
    Ok(login)
}

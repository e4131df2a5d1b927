//! Signing another account in to the Codex home: only `auth.json` changes, and the login that stood there is kept first.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::freshest::{self, Found, Places};
use super::in_use::{self, Asked, Deed};
use super::{safety, target};
use crate::accounts::Known;
use crate::codex::auth::{self, Login, Validity};
use crate::codex::auth_file::{self, AuthFile};
use crate::codex::home;
use crate::codex::parts::Parts;
use crate::context::Ctx;
use crate::error::{Error, Result};
use crate::evidence::{Evidence, Reach};
use crate::fsutil;
use crate::live;
use crate::metadata::Account;
use crate::profiles::{credentials, private_home};
use crate::snapshots::Snapshot;

/// How to do it.
#[derive(Clone, Copy, Debug)]
pub struct How<'a> {
    /// Where snapshots are kept, if that was said.
    pub backup_dir: Option<&'a Path>,
    /// Whether to tell which open Codex keeps the login it has.
    pub restart_hint: bool,
    /// Whether to go on although a Codex is open on the home.
    pub force: bool,
    /// Whether to change nothing.
    pub dry_run: bool,
}

/// What has to be known for it.
pub fn evidence(ctx: &Ctx, how: How) -> Result<Evidence> {
    if !how.dry_run {
        // First of all what a killed run left: it may be the only login of the account that is asked for.
        if private_home::is_any(&ctx.paths.tmp()) {
            drop(ctx.lock("use")?);
        }
        ctx.mend_home(&ctx.paths.codex_home)?;
    }
    let reach = Reach::Newest {
        latest: ctx.latest(),
    };
    ctx.evidence_with(how.backup_dir, None, reach, !how.dry_run, None)
}

/// Signs `account` in to the Codex home.
///
/// Fails as `NotFound` where no login of it is known anywhere.
pub fn switch(
    ctx: &Ctx,
    how: How,
    evidence: &Evidence,
    known: &[Known],
    account: &Account,
) -> Result<Used> {
    let home = &ctx.paths.codex_home;
    check_home(ctx, home)?;
    let account = &target::exact(ctx, account)?;
    let mut told = Vec::new();
    let snapshot = freshest::newest_snapshot(known, &evidence.snapshots, account);
    let live = home::read_login(home).ok().flatten();
    let found = find(ctx, account, live.as_ref(), snapshot, &mut told)?;
    warn_of_variables(ctx);
    if found.login.validity(ctx.clock) == Validity::Expired {
        ctx.ui.warn(&format!(
            "the login of {account} has ended, and nothing is there to renew it with: sign in anew by `{}`",
            ctx.typed("codex-manager profile login NAME")
        ));
    }
    live::warn_of_other_machine(ctx, &found.login.account);
    let elsewhere = elsewhere(ctx, evidence, &found.login.account);
    let is_signed_in = found.chosen.source == "live";
    if !is_signed_in {
        let asked = Asked {
            deed: Deed::Use,
            force: how.force,
            dry_run: how.dry_run,
        };
        in_use::check(ctx, asked, home)?;
    }
    let before = live.map(|(_, login)| login.account);
    if how.dry_run {
        return Ok(Used::of(ctx, how, "dry-run", found, before, None));
    }
    // Nobody has Codex renew what is chosen until it is in place.
    let _login = live::hold_login(ctx, &found.login.account)?;
    let (lock, _in_hand) = ctx.lock("use")?;
    fsutil::create_private_dir(home)?;
    let backup_dir = ctx.backup_dir(how.backup_dir)?;
    let _home = ctx.enter(home, &backup_dir)?;
    if !is_signed_in && !how.force {
        in_use::close(ctx, Deed::Use, home)?;
    }
    ctx.check_stop()?;
    let file = AuthFile::hold(home, &|| ctx.stopped())?;
    // From here on no Codex writes a login: what stands there now is what is left.
    let standing = file.read()?;
    let live = standing.as_deref().and_then(|bytes| {
        let login = auth::parse(bytes).ok()?;
        Some((bytes.to_vec(), login))
    });
    for home in elsewhere.iter().chain([home]) {
        told.extend(live::keep_login(ctx, &lock, home, &|| evidence.known()));
    }
    let found = find(ctx, account, live.as_ref(), snapshot, &mut told)?;
    let mut sightings: Vec<_> = live
        .iter()
        .map(|(_, login)| (login.account.clone(), ctx.sighting()))
        .collect();
    let mut copy = None;
    if found.chosen.source != "live" {
        if is_signed_in && !how.force {
            // Nothing had to change before the login in another home was known.
            in_use::close(ctx, Deed::Use, home)?;
        }
        if !is_kept(
            ctx,
            standing.as_deref(),
            live.as_ref().map(|(_, login)| login),
        ) {
            copy = safety::keep(ctx, home, &backup_dir, (&[], Parts::AUTH), &[])?;
        }
        let bytes = found.chosen.bytes.as_deref().unwrap_or_default();
        if let Err(error) = file.replace(bytes) {
            // Where it stands there all the same, only the last sync failed.
            if file.read().ok().flatten().as_deref() != Some(bytes) {
                copy.as_deref().map(safety::drop);
                return Err(error);
            }
            ctx.ui.warn(&format!(
                "the login is in its place, but may not outlast a power cut: {error}"
            ));
        }
        sightings.push((found.login.account.clone(), ctx.sighting()));
    }
    drop(file);
    live::note_signed_in(ctx, &lock, home, sightings);
    let before = live.map(|(_, login)| login.account);
    Ok(Used::of(ctx, how, "used", found, before, copy.as_deref()))
}

/// The login to install. `told` is what was warned of already.
fn find(
    ctx: &Ctx,
    account: &Account,
    live: Option<&(Vec<u8>, Login)>,
    snapshot: Option<&Snapshot>,
    told: &mut Vec<String>,
) -> Result<Found> {
    let mut problems = Vec::new();
    let found = freshest::find(ctx, account, &Places { live, snapshot }, &mut problems);
    for problem in problems {
        if !told.contains(&problem) {
            ctx.ui.warn(&problem);
            told.push(problem);
        }
    }
    found?.ok_or_else(|| freshest::nowhere(account, &ctx.paths.codex_home))
}

/// Whether another place has the very bytes that are to go.
fn is_kept(ctx: &Ctx, standing: Option<&[u8]>, login: Option<&Login>) -> bool {
    let Some(standing) = standing else {
        return true;
    };
    let Some(login) = login else {
        return false;
    };
    let (kept, _) = credentials::find(&ctx.paths.profiles(), &login.account, ctx.latest());
    kept.is_some_and(|kept| kept.bytes == standing)
}

/// Fails where no login can be put into `home`, or where Codex would not read it there.
fn check_home(ctx: &Ctx, home: &Path) -> Result<()> {
    if !fsutil::exists(home)? {
        return Ok(());
    }
    if !home.is_dir() {
        return Err(Error::other(
            format!("`{}` is no directory; nothing was changed", home.display()),
            "name a Codex home with `--codex-home`",
        ));
    }
    auth_file::place(&home::auth_path(home))?;
    let Some((path, store)) = home::other_store(home) else {
        return Ok(());
    };
    Err(Error::other(
        format!(
            "codex keeps its login elsewhere than in `{}`: {} says `cli_auth_credentials_store = \"{store}\"`; \
             nothing was changed",
            ctx.paths.short(&home::auth_path(home)),
            if path.starts_with(home) {
                "its config.toml".to_owned()
            } else {
                format!("`{}`", path.display())
            }
        ),
        "set it to \"file\" there, and sign in again",
    ))
}

/// The other Codex homes that the account is signed in to, which is warned of: a Codex there may have renewed the login, and
/// of two that renew one login one is refused.
fn elsewhere(ctx: &Ctx, evidence: &Evidence, account: &Account) -> Vec<PathBuf> {
    let this = fsutil::real(&ctx.paths.codex_home);
    let mut homes = evidence.registry.homes_of(account, &this);
    let usual = ctx.usual_codex_home().map(|home| fsutil::real(&home));
    homes.extend(usual.filter(|usual| *usual != this && !homes.contains(usual)));
    homes.retain(|home| {
        let login = home::read_login(home).ok().flatten();
        login.is_some_and(|(_, login)| login.account.is_same_as(account))
    });
    for home in &homes {
        ctx.ui.warn(&format!(
            "{account} is signed in to `{}` too: as soon as Codex renews the login in one of them, the other's no longer signs in",
            ctx.paths.short(home)
        ));
    }
    homes
}

fn warn_of_variables(ctx: &Ctx) {
    for name in Ctx::overriding_variables() {
        ctx.ui.warn(&format!(
            "the environment variable {name} is set here: a Codex that is started with it signs in by that, not by the login"
        ));
    }
}

/// What was done, or would be.
#[derive(Clone, Debug, Serialize)]
pub struct Used {
    /// `used` or `dry-run`.
    pub mode: &'static str,
    /// The archive that the login is from.
    pub archive: Option<String>,
    /// The Codex home.
    pub destination: String,
    /// Who is signed in to it now.
    pub email: Option<String>,
    /// `live`, `profile` or `archive`; `live` where nothing had to change.
    pub auth_source: &'static str,
    /// The snapshot of what stood there, where no profile has it.
    pub safety_backup: Option<String>,
    /// How many files were replaced.
    pub files: u64,
    /// Which open Codex keeps the login it has, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<Vec<String>>,
    /// Who, for a person.
    #[serde(skip)]
    pub who: String,
    /// Who was signed in before.
    #[serde(skip)]
    pub before: Option<String>,
    /// Where the login is from, for a person.
    #[serde(skip)]
    pub login: String,
    /// The Codex home and the safety copy, for a person.
    #[serde(skip)]
    pub places: (String, Option<String>),
    /// The command that puts it back.
    #[serde(skip)]
    pub undo: String,
}

impl Used {
    fn of(
        ctx: &Ctx,
        how: How,
        mode: &'static str,
        found: Found,
        before: Option<Account>,
        copy: Option<&Path>,
    ) -> Self {
        let home = &ctx.paths.codex_home;
        let account = &found.login.account;
        let is_signed_in = found.chosen.source == "live";
        let plan = found.login.plan_type.as_deref();
        let plan = plan.map_or_else(String::new, |plan| format!(" ({plan})"));
        let restart = how.restart_hint.then(|| in_use::open_on(ctx, home));
        Self {
            mode,
            destination: home.display().to_string(),
            email: account.email.clone(),
            auth_source: found.chosen.source,
            archive: found.archive.map(|path| path.display().to_string()),
            safety_backup: copy.map(|path| path.display().to_string()),
            files: u64::from(!is_signed_in),
            restart,
            who: format!("{account}{plan}"),
            before: before
                .filter(|before| !before.is_same_as(account))
                .map(|before| before.to_string()),
            login: found.chosen.words.unwrap_or_default(),
            undo: ctx.typed("codex-manager restore --undo"),
            places: (
                ctx.paths.short(home),
                copy.map(|path| ctx.paths.short(path)),
            ),
        }
    }
}

//! Which snapshot a restore takes: by email, alias, profile, archive or window, chosen from a list, or the one that undoes
//! the last restore. What could mean several accounts is refused with the candidates.

use std::path::{Path, PathBuf};

use super::list;
use crate::accounts::{self, Finder, Known};
use crate::cli::RestoreArgs;
use crate::codex::home;
use crate::codex::parts::{Part, Parts};
use crate::context::Ctx;
use crate::error::{Error, Kind, Result};
use crate::evidence::Evidence;
use crate::exchange::target;
use crate::metadata::{ARCHIVE_SUFFIX, Account};
use crate::profiles::{self, Found};
use crate::snapshots::{self, Lengths, SAFETY, Snapshot};
use crate::timeutil::Stamp;

/// What `-` means: whoever was signed in before.
const BEFORE: &str = "-";

/// The snapshot that was asked for. One that was `picked` from a list is so once.
pub(super) fn choose(
    ctx: &Ctx,
    args: &RestoreArgs,
    evidence: &Evidence,
    (backup_dir, dest): (&Path, &Path),
    picked: &mut Option<PathBuf>,
) -> Result<Snapshot> {
    if args.undo {
        return last_safety(ctx, backup_dir, dest);
    }
    if let Some(archive) = picked {
        return snapshots::open(archive, &ctx.zone);
    }
    // As of a variable that is not set.
    let named = [&args.from_archive, &args.email, &args.target];
    if named.into_iter().flatten().any(String::is_empty) {
        return Err(unsaid());
    }
    let is_named = args.from_archive.is_some() || args.email.is_some() || args.target.is_some();
    if !is_named && args.session_start.is_none() && ctx.ui.can_choose {
        let snapshot = pick(ctx, evidence, backup_dir)?;
        *picked = Some(snapshot.archive.clone());
        return Ok(snapshot);
    }
    if let Some(name) = &args.from_archive {
        return by_name(ctx, name, backup_dir)?.ok_or_else(|| no_archive(name, backup_dir));
    }
    let start = args
        .session_start
        .as_deref()
        .map(|text| Moment::parse(text, ctx))
        .transpose()?;
    let known = evidence.accounts();
    let (who, meant): (&str, Vec<&Known>) = match (&args.email, &args.target) {
        (Some(email), _) => (email, of_email(ctx, &known, email)?),
        (None, Some(target)) if target == BEFORE => {
            let login = home::read_login(dest).ok().flatten();
            let now = login.as_ref().map(|(_, login)| &login.account);
            let account = target::before(evidence, dest, now)?;
            (
                target,
                accounts::find(&known, &account).into_iter().collect(),
            )
        }
        (None, Some(target)) => match by_target(ctx, evidence, &known, target, backup_dir)? {
            Meant::Archive(snapshot) => return Ok(*snapshot),
            Meant::Accounts(accounts) => (target, accounts),
        },
        (None, None) if start.is_some() => ("", known.iter().collect()),
        (None, None) => return Err(unsaid()),
    };
    // Each snapshot with the account it is of.
    let mut found: Vec<(&Snapshot, &Known)> = Vec::new();
    let finder = Finder::new(&known);
    for snapshot in &evidence.snapshots {
        let of = finder.of_snapshot(snapshot).and_then(|of| known.get(of));
        let Some(of) = of.filter(|of| meant.iter().any(|meant| std::ptr::eq(*meant, *of))) else {
            continue;
        };
        if start.as_ref().is_none_or(|start| start.is_of(snapshot)) {
            found.push((snapshot, of));
        }
    }
    let mut owners: Vec<&Known> = found.iter().map(|(_, of)| *of).collect();
    owners.dedup_by(|a, b| std::ptr::eq(*a, *b));
    owners.sort_by(|a, b| a.account.cmp(&b.account));
    owners.dedup_by(|a, b| std::ptr::eq(*a, *b));
    if owners.len() > 1 {
        let who = args
            .session_start
            .as_deref()
            .filter(|_| who.is_empty())
            .unwrap_or(who);
        return Err(ambiguous(who, &owners, &found));
    }
    let snapshots: Vec<&Snapshot> = found.into_iter().map(|(snapshot, _)| snapshot).collect();
    let parts = args.parts();
    let chosen = snapshots::newest(snapshots.iter().copied(), parts == Some(Parts::AUTH));
    let chosen = chosen.cloned().ok_or_else(|| {
        let of = (!who.is_empty()).then(|| format!("`{who}`"));
        let time = args.session_start.as_ref();
        let time = time.map(|time| format!("a window that began `{time}`"));
        let of: Vec<String> = of.into_iter().chain(time).collect();
        no_backup(&of.join(" and "), backup_dir)
    })?;
    let newer_login = snapshots::newest(snapshots.iter().copied(), true)
        .filter(|newest| newest.sidecar.content_time() > chosen.sidecar.content_time())
        .filter(|_| parts.is_none_or(|parts| parts.has(Part::Auth)));
    if let Some(newer) = newer_login {
        ctx.ui.warn(&format!(
            "a newer login of this account is in `{}`; this restores the newest whole home",
            newer.archive_name()
        ));
    }
    Ok(chosen)
}

/// An archive by path, by name in the backup directory, or by its path below it.
fn by_name(ctx: &Ctx, name: &str, backup_dir: &Path) -> Result<Option<Snapshot>> {
    let mut candidates = vec![
        backup_dir.join(name),
        backup_dir.join(format!("{name}{ARCHIVE_SUFFIX}")),
    ];
    // A bare word is a name first: a file that happens to lie in the working directory does not shadow an account.
    if name.contains(std::path::MAIN_SEPARATOR) || name.ends_with(ARCHIVE_SUFFIX) {
        candidates.push(PathBuf::from(name));
    }
    let found = candidates.into_iter().find(|path| path.is_file());
    found
        .map(|path| snapshots::open(&std::path::absolute(&path).unwrap_or(path), &ctx.zone))
        .transpose()
}

/// Has a person choose from all there are, the newest first.
fn pick(ctx: &Ctx, evidence: &Evidence, backup_dir: &Path) -> Result<Snapshot> {
    let nothing = || {
        Error::new(
            Kind::NotFound,
            format!("there is no backup in `{}`", backup_dir.display()),
            "`codex-manager backup` makes one",
        )
    };
    let known = evidence.accounts();
    let rows: Vec<accounts::Row> = known
        .iter()
        .map(|known| accounts::row(known, ctx.now, &ctx.zone))
        .collect();
    let finder = Finder::new(&known);
    let row_of = |snapshot: &Snapshot| rows.get(finder.of_snapshot(snapshot)?);
    let snapshots = list::ordered(&evidence.snapshots);
    if snapshots.is_empty() {
        return Err(nothing());
    }
    let mut lengths = Lengths::default();
    let entries = snapshots.iter().map(|snapshot| list::Entry {
        snapshot,
        row: row_of(snapshot),
        size: lengths.of(snapshot),
    });
    let choices = list::of(entries, ctx.now, &ctx.zone);
    // The terminal is set back before a signal ends the process.
    let _in_hand = ctx.in_hand();
    let chosen = ctx.ui.choose(choices, &|| ctx.stopped())?;
    let chosen = snapshots.get(chosen).map(|snapshot| (*snapshot).clone());
    chosen.ok_or_else(nothing)
}

/// What a target means.
enum Meant<'a> {
    Archive(Box<Snapshot>),
    Accounts(Vec<&'a Known>),
}

/// An archive, an email, an alias, a profile's name; else what begins so, of archives and accounts together.
fn by_target<'a>(
    ctx: &Ctx,
    evidence: &Evidence,
    known: &'a [Known],
    target: &str,
    backup_dir: &Path,
) -> Result<Meant<'a>> {
    if let Some(snapshot) = by_name(ctx, target, backup_dir)? {
        return Ok(Meant::Archive(Box::new(snapshot)));
    }
    for exact in [called(known, target), of_alias(known, target)] {
        if !exact.is_empty() {
            return Ok(Meant::Accounts(exact));
        }
    }
    let found = profiles::look(&ctx.paths.profiles())?;
    let named = found
        .iter()
        .find(|found| profiles::names::is_same(&found.profile.name, target));
    if let Some(account) = named.map(Found::account) {
        let of = known.iter().filter(|known| known.account.may_be(&account));
        return Ok(Meant::Accounts(of.collect()));
    }
    let begun = target::begun(known, &found, target);
    let archives: Vec<&Snapshot> = evidence
        .snapshots
        .iter()
        .filter(|snapshot| profiles::names::begins(&snapshot.archive_name(), target))
        .collect();
    let is_path = target.contains(std::path::MAIN_SEPARATOR);
    match (begun.as_slice(), archives.as_slice()) {
        ([], []) if is_path => Err(no_archive(target, backup_dir)),
        ([only], []) => Ok(Meant::Accounts(of_account(known, only))),
        ([], [only]) => Ok(Meant::Archive(Box::new((*only).clone()))),
        ([], []) => Ok(Meant::Accounts(Vec::new())),
        (accounts, archives) => Err(begins_several(target, accounts, archives)),
    }
}

/// The accounts of that email, or of that alias; else the one of which an email or another name begins so. What is the whole
/// name of one and the beginning of another's email is of both: a home is not replaced by a guess.
fn of_email<'a>(ctx: &Ctx, known: &'a [Known], email: &str) -> Result<Vec<&'a Known>> {
    for exact in [called(known, email), of_alias(known, email)] {
        if !exact.is_empty() {
            return Ok(exact);
        }
    }
    let begun = target::begun(known, &profiles::look(&ctx.paths.profiles())?, email);
    match begun.as_slice() {
        [] => Ok(Vec::new()),
        [only] => Ok(of_account(known, only)),
        several => Err(begins_several(email, several, &[])),
    }
}

fn called<'a>(known: &'a [Known], name: &str) -> Vec<&'a Known> {
    known.iter().filter(|known| known.is_called(name)).collect()
}

fn of_alias<'a>(known: &'a [Known], name: &str) -> Vec<&'a Known> {
    let is_alias = |known: &&Known| {
        let alias = known.alias.as_deref();
        alias.is_some_and(|alias| profiles::names::is_same(alias, name))
    };
    known.iter().filter(is_alias).collect()
}

fn of_account<'a>(known: &'a [Known], account: &Account) -> Vec<&'a Known> {
    let is_it = |known: &&Known| known.account == *account;
    known.iter().filter(is_it).collect()
}

/// All that it may be, the newest archives first; of many only some.
fn begins_several(typed: &str, accounts: &[Account], archives: &[&Snapshot]) -> Error {
    const MOST: usize = 10;
    let mut names: Vec<String> = accounts.iter().map(Account::to_string).collect();
    if archives.is_empty() && target::are_of_one_email(accounts) {
        return target::begins_several(typed, accounts);
    }
    let mut archives: Vec<String> = archives
        .iter()
        .map(|archive| archive.archive_name())
        .collect();
    archives.sort_unstable_by(|a, b| b.cmp(a));
    names.extend(archives);
    let more = names.len().saturating_sub(MOST);
    names.truncate(MOST);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    Error::new(
        Kind::Usage,
        format!("`{typed}` begins more than one name: {}", names.join(", ")),
        "type more of it; `codex-manager list-backups` shows every archive and account there",
    )
}

fn unsaid() -> Error {
    Error::new(
        Kind::Usage,
        "nothing says what to restore",
        "name an email, an alias or an archive; `codex-manager list-backups` shows them",
    )
}

/// What was named is a path, or an archive's name.
fn no_archive(name: &str, backup_dir: &Path) -> Error {
    if Path::new(name).is_dir() {
        return Error::new(
            Kind::NotFound,
            format!("`{name}` is a directory, not an archive"),
            "name the archive in it; `--backup-dir` names a directory of them",
        );
    }
    Error::new(
        Kind::NotFound,
        format!(
            "there is no archive `{name}`, here or in `{}`",
            backup_dir.display()
        ),
        "`codex-manager list-backups` shows every archive and account there",
    )
}

fn no_backup(of: &str, backup_dir: &Path) -> Error {
    Error::new(
        Kind::NotFound,
        format!("no backup of {of} in `{}`", backup_dir.display()),
        "`codex-manager list-backups` shows every archive and account there",
    )
}

/// Each account it may be, with the archive that a restore of it would take.
fn ambiguous(who: &str, owners: &[&Known], found: &[(&Snapshot, &Known)]) -> Error {
    let name = |owner: &&Known| {
        let account = &owner.account;
        let workspace = account.account_id.as_deref().unwrap_or("workspace unknown");
        let theirs = found
            .iter()
            .filter(|(_, of)| std::ptr::eq(*of, *owner))
            .map(|(snapshot, _)| *snapshot);
        let archive = snapshots::newest(theirs, false).map(Snapshot::archive_name);
        format!(
            "{account} ({workspace}): {}",
            archive.unwrap_or_else(|| "no archive".to_owned())
        )
    };
    let names: Vec<String> = owners.iter().map(name).collect();
    Error::new(
        Kind::Usage,
        format!("`{who}` is more than one account: {}", names.join(", ")),
        "name the archive instead: `codex-manager list-backups` shows them all",
    )
}

/// What the last restore into `dest` replaced.
fn last_safety(ctx: &Ctx, backup_dir: &Path, dest: &Path) -> Result<Snapshot> {
    let listing = snapshots::list_kept(backup_dir, SAFETY, &ctx.zone)?;
    for problem in &listing.problems {
        ctx.ui.warn(problem);
    }
    let home = dest.display().to_string();
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let of_home = listing.snapshots.into_iter().filter(|snapshot| {
        snapshot.is_complete
            && snapshot
                .sidecar
                .source_codex_home
                .as_deref()
                .is_some_and(|home| real(Path::new(home)) == real(dest))
    });
    of_home
        .max_by_key(|snapshot| {
            let sidecar = &snapshot.sidecar;
            (
                sidecar.safety_sequence,
                sidecar.created_at,
                snapshot.archive.clone(),
            )
        })
        .ok_or_else(|| {
            Error::new(
                Kind::NotFound,
                format!(
                    "no restore into `{home}` kept what it replaced below `{}`",
                    backup_dir.join(SAFETY).display()
                ),
                "`codex-manager list-backups` shows the snapshots that can be restored",
            )
        })
}

/// When a window opened, as a person names it.
enum Moment {
    /// To the second.
    Instant(Stamp),
    /// A beginning of `2026-04-14-155500`, or of the same with other signs between.
    Digits(String),
}

impl Moment {
    fn parse(text: &str, ctx: &Ctx) -> Result<Self> {
        if let Some(stamp) = Stamp::parse(text) {
            return Ok(Self::Instant(stamp.in_zone(&ctx.zone)));
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let signs = text
            .chars()
            .all(|letter| letter.is_ascii_digit() || "-:T ".contains(letter));
        if signs && (4..=14).contains(&digits.len()) {
            return Ok(Self::Digits(digits));
        }
        Err(Error::new(
            Kind::Usage,
            format!("`{text}` is no time a window could have opened"),
            "write it as in the archive's name, 2026-04-14-155500, or the beginning of it",
        ))
    }

    fn is_of(&self, snapshot: &Snapshot) -> bool {
        let Some(start) = snapshot.sidecar.session_start_at else {
            return false;
        };
        match self {
            Self::Instant(stamp) => start.0 == *stamp,
            Self::Digits(digits) => start
                .0
                .file_name_form()
                .replace('-', "")
                .starts_with(digits.as_str()),
        }
    }
}

//! Which snapshot a restore takes: by email, alias, archive or window, or the one that undoes the last restore. What
//! could mean several accounts is refused with the candidates.

use std::path::{Path, PathBuf};

use crate::accounts::{Finder, Known};
use crate::cli::RestoreArgs;
use crate::codex::parts::{Part, Parts};
use crate::context::Ctx;
use crate::error::{Error, Kind, Result};
use crate::evidence::Evidence;
use crate::metadata::ARCHIVE_SUFFIX;
use crate::profiles;
use crate::snapshots::{self, SAFETY, Snapshot};
use crate::timeutil::Stamp;

/// The snapshot that was asked for.
pub(super) fn choose(
    ctx: &Ctx,
    args: &RestoreArgs,
    evidence: &Evidence,
    backup_dir: &Path,
    dest: &Path,
) -> Result<Snapshot> {
    if args.undo {
        return last_safety(ctx, backup_dir, dest);
    }
    if let Some(name) = &args.from_archive {
        return by_name(ctx, name, backup_dir)?.ok_or_else(|| no_backup(name, backup_dir));
    }
    let start = args
        .session_start
        .as_deref()
        .map(|text| Moment::parse(text, ctx))
        .transpose()?;
    let known = evidence.accounts();
    let (who, meant): (&str, Vec<&Known>) = match (&args.email, &args.target) {
        (Some(email), _) => (email, called(&known, email)),
        (None, Some(target)) => {
            if let Some(snapshot) = by_name(ctx, target, backup_dir)? {
                return Ok(snapshot);
            }
            let of_email = called(&known, target);
            let of_alias = || {
                known
                    .iter()
                    .filter(|known| {
                        let alias = known.alias.as_deref();
                        alias.is_some_and(|alias| profiles::names::is_same(alias, target))
                    })
                    .collect()
            };
            (
                target,
                if of_email.is_empty() {
                    of_alias()
                } else {
                    of_email
                },
            )
        }
        (None, None) if start.is_some() => ("", known.iter().collect()),
        (None, None) => {
            return Err(Error::new(
                Kind::Usage,
                "nothing says what to restore",
                "name an email, an alias or an archive; `codex-manager list-backups` shows them",
            ));
        }
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
    let chosen = chosen
        .cloned()
        .ok_or_else(|| no_backup(if who.is_empty() { "that time" } else { who }, backup_dir))?;
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

fn called<'a>(known: &'a [Known], name: &str) -> Vec<&'a Known> {
    known.iter().filter(|known| known.is_called(name)).collect()
}

fn no_backup(name: &str, backup_dir: &Path) -> Error {
    Error::new(
        Kind::NotFound,
        format!("no backup of `{name}` in `{}`", backup_dir.display()),
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

//! Making a snapshot: archive beside its place, read back, earlier one moved aside, renamed, and the sidecar last. The
//! sidecar is what makes it count: whatever is cut short before is no snapshot.

mod notes;
mod settling;
mod written;

use std::path::{Path, PathBuf};

use self::settling::while_settling;
use self::written::write_verified;
use super::{Snapshot, commit, sidecar_path};
use crate::archive::manifest::Absent;
use crate::archive::read;
use crate::archive::write::{self, Entry, Frame, Placed};
use crate::capture::{self, Plan};
use crate::databases::{self, Begun};
use crate::error::Result;
use crate::fsutil::{self, AtomicFile};
use crate::metadata::{ARCHIVE_FORMAT, Account, BackupName, Limit, Sidecar};
use crate::timeutil::Stamp;
use crate::ui::progress::{Progress, Watched};

/// What came of it.
#[derive(Debug)]
pub struct Made {
    /// The archive.
    pub archive: PathBuf,
    /// Its sidecar's content.
    pub sidecar: Sidecar,
    /// Where the earlier snapshot of the window went.
    pub superseded: Option<PathBuf>,
    /// How many members the archive has.
    pub members: usize,
    /// How many of them were taken over from earlier archives.
    pub taken_over: usize,
    /// Whether nothing was written since the standing snapshot holds the same.
    pub unchanged: bool,
    /// Paths that were gone when their turn came.
    pub vanished: Vec<String>,
    /// What stands in the home and is not in the archive, by path.
    pub absent: Vec<Absent>,
    /// Paths of texts of which there was less than at their moment: captured as they stood.
    pub shorter: Vec<String>,
    /// Paths that did not hold still while they were read: captured as they were read last.
    pub unsteady: Vec<String>,
    /// Databases that were captured as their files lie, each with the reason.
    pub raw: Vec<String>,
}

/// How to make one.
#[derive(Clone, Copy, Debug)]
pub struct Making<'a> {
    /// Whether to write where the standing snapshot holds the same.
    pub force: bool,
    /// How hard to compress: [`LEVEL`] where nobody says.
    pub level: u8,
    /// How many threads work; None for one a core.
    pub threads: Option<usize>,
    /// Archives whose members may be taken over, the likeliest first.
    pub earlier: &'a [PathBuf],
    /// Where it is noted what large files held, and when that is now.
    pub notes: Option<(&'a Path, Stamp)>,
    /// Who is told how far it is.
    pub progress: &'a Progress,
}

/// How hard to compress where nobody says: see `tests/bench/RESULTS.md`.
pub const LEVEL: u8 = 1;

/// Writes `plan` as the snapshot `base` in `dir`. `sidecar` carries all but what only the archive can tell.
///
/// A standing snapshot of that name is moved below `superseded/`; with equal content it stays, unless it is forced.
pub fn make(
    dir: &Path,
    base: &BackupName,
    sidecar: Sidecar,
    plan: &Plan,
    making: &Making,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Made> {
    let archive = dir.join(base.archive());
    fsutil::create_private_dir(dir)?;
    let mut entries = plan.entries.clone();
    making.progress.begin(write::expected_bytes(&entries));
    let begun = databases::begin(&mut entries, dir, stop)?;
    // Texts are to be of the same moment as the databases, and as one another.
    capture::at_this_moment(&mut entries);
    let others = capture::top_level(&entries);
    let expected = begun.as_ref().map_or_else(Vec::new, Begun::expected);
    let mut sidecar = Sidecar {
        archive_name: Some(base.archive()),
        archive_format: Some(ARCHIVE_FORMAT),
        plan_sha256: Some(plan.digest()),
        captured_files: with_names_of(others.clone(), &expected),
        generation: generation(&archive, &sidecar),
        ..sidecar
    };
    // What is expected need not be what it becomes: a database's log is in its copy.
    let embedded = Sidecar {
        file_count: None,
        total_bytes: None,
        // Else equal homes would not give equal bytes.
        generation: None,
        ..sidecar.clone()
    };
    let embedded = serde_json::to_vec_pretty(&embedded).map_err(anyhow::Error::from)?;
    let mut file = AtomicFile::create(&archive)?;
    let frame = Frame {
        name: &base.sidecar(),
        description: &embedded,
        manifest_name: &base.manifest(),
        account: &sidecar.account(),
        absent: &plan.absent,
        late: None,
    };
    let mut known = notes::read(making);
    let (written, settled) = while_settling(begun, &archive, stop, |late, stop| {
        let frame = Frame { late, ..frame };
        write_verified(&mut file, &archive, &frame, entries, making, &known, stop)
    })?;
    let (databases, raw) = settled.map_or_else(Default::default, |settled| {
        // Of those that could not be copied there is more than was expected.
        sidecar.captured_files = with_names_of(others, &settled.entries);
        (settled.databases, settled.raw)
    });
    sidecar.databases = databases;
    notes::keep(making, &mut known, written.what.notes);
    sidecar.archive_size_bytes = Some(written.size_bytes);
    sidecar.archive_sha256 = Some(written.sha256);
    sidecar.content_sha256 = Some(written.what.content_sha256);
    sidecar.total_bytes = Some(written.what.total_bytes);
    sidecar.file_count = Some(written.what.file_count);
    sidecar.not_captured = written.what.absent.iter().map(Absent::line).collect();
    let mut vanished = plan.vanished.clone();
    vanished.extend(written.what.vanished);
    let made = Made {
        archive,
        sidecar,
        superseded: None,
        unchanged: false,
        members: written.what.members.len(),
        taken_over: taken_over(&written.what.members),
        vanished,
        absent: written.what.absent,
        shorter: written.what.shorter,
        unsteady: written.what.unsteady,
        raw,
    };
    if !making.force
        && let Some(standing) = standing_same(&made.archive, &made.sidecar, making, stop)
    {
        return Ok(Made {
            sidecar: standing,
            unchanged: true,
            ..made
        });
    }
    let mut bytes = serde_json::to_vec_pretty(&made.sidecar).map_err(anyhow::Error::from)?;
    bytes.push(b'\n');
    file.sync()?;
    let superseded = commit::current(dir, &made.archive, &bytes, || file.commit())?;
    Ok(Made { superseded, ..made })
}

/// Which of several of one name and second it is, so that other machines too find the later one newer.
fn generation(archive: &Path, sidecar: &Sidecar) -> Option<u64> {
    let standing = super::read_sidecar(&sidecar_path(archive)).ok()?;
    let is_of_one_time = standing.content_time() == sidecar.content_time();
    is_of_one_time.then(|| standing.generation.unwrap_or_default().saturating_add(1))
}

/// Adds the top-level names of `entries`.
fn with_names_of(mut names: Vec<String>, entries: &[Entry]) -> Vec<String> {
    names.extend(capture::top_level(entries));
    names.sort();
    names.dedup();
    names
}

fn taken_over(members: &[Placed]) -> usize {
    members.iter().filter(|member| !member.is_fresh).count()
}

/// What is left of each window; when a short one starts anew is no news while nothing of it is used.
fn shares(limits: &[Limit]) -> impl Iterator<Item = (&str, Option<u8>)> {
    limits
        .iter()
        .map(|limit| (limit.name.as_str(), limit.percent_left))
}

/// The sidecar of the standing snapshot, if it holds the same and its archive is still sound.
fn standing_same(
    archive: &Path,
    new: &Sidecar,
    making: &Making,
    stop: &dyn Fn() -> bool,
) -> Option<Sidecar> {
    let standing = super::read_sidecar(&sidecar_path(archive)).ok()?;
    let is_same = standing.content_sha256.is_some()
        && standing.content_sha256 == new.content_sha256
        && standing.mode() == new.mode()
        && standing.quota_percent_left == new.quota_percent_left
        && standing.session_start_at == new.session_start_at
        && standing.window_state == new.window_state
        && shares(standing.limits.as_slice()).eq(shares(&new.limits))
        && standing.account() == new.account()
        && standing.excluded_patterns == new.excluded_patterns;
    if !is_same {
        return None;
    }
    let length = archive.metadata().map_or(0, |meta| meta.len());
    making.progress.next("checking", length);
    let told = Watched {
        stop,
        progress: making.progress,
    };
    let checked = read::check(archive, read::Maker::Ours, &read::Caps::default(), &told).ok()?;
    (standing.archive_sha256 == checked.sha256).then_some(standing)
}

/// The name of a snapshot of `who` whose window opened at `start`. Where a plain name of any time stands for another
/// account (one email in two workspaces), the workspace follows the email: its first eight letters, or all of it. So the
/// names of one owner are of one account, which `super::newest` builds on.
///
/// A snapshot of that account and that window among `current` keeps its name, be it in the wall clock of another zone.
pub fn name_for(
    dir: &Path,
    start: Stamp,
    who: &str,
    sidecar: &Sidecar,
    current: &[Snapshot],
) -> BackupName {
    let account = sidecar.account();
    let plain = BackupName::new(start, who);
    let is_same_window = |snapshot: &&Snapshot| {
        let theirs = &snapshot.sidecar;
        let is_theirs = theirs.account().is_exact() && theirs.account().may_be(&account);
        is_theirs
            && sidecar.session_start_at.is_some()
            && theirs.session_start_at == sidecar.session_start_at
    };
    let standing = current
        .iter()
        .filter(|snapshot| snapshot.archive.parent() == Some(dir))
        .find(is_same_window);
    if let Some(name) = standing.and_then(|standing| BackupName::of_file(&standing.archive_name()))
    {
        return name;
    }
    let has_anothers = |name: &BackupName| {
        let archive = name.archive();
        let same_owner = |snapshot: &&Snapshot| {
            let theirs = snapshot.archive_name();
            snapshot.archive.parent() == Some(dir)
                && theirs.get(BackupName::CLOCK..) == archive.get(BackupName::CLOCK..)
        };
        let complete = current.iter().filter(|snapshot| snapshot.is_complete);
        complete
            .filter(|snapshot| snapshot.sidecar.account().contradicts(&account))
            .any(|snapshot| same_owner(&snapshot))
    };
    let is_free = |name: &BackupName| {
        let standing = super::read_sidecar(&dir.join(name.sidecar())).ok();
        standing.is_none_or(|standing| standing.account().may_be(&account)) && !has_anothers(name)
    };
    if is_free(&plain) {
        return plain;
    }
    owners_of(who, &account)
        .map(|who| BackupName::new(start, &who))
        .find(is_free)
        .unwrap_or(plain)
}

/// What `who` is called in a name where another account is called that already: with the first eight letters of the
/// workspace, all of it, or the user as well.
pub(super) fn owners_of(who: &str, account: &Account) -> impl Iterator<Item = String> {
    let workspace = account.account_id.clone().unwrap_or_default();
    let user = account.user_id.clone().unwrap_or_default();
    let short: String = workspace.chars().take(8).collect();
    [short, workspace.clone(), format!("{workspace}~{user}")]
        .into_iter()
        .filter(|suffix| !suffix.is_empty())
        .map(move |suffix| format!("{who}~{suffix}"))
}

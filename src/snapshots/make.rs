//! Making a snapshot: archive beside its place, read back, earlier one moved aside, renamed, and the sidecar last. The
//! sidecar is what makes it count: whatever is cut short before is no snapshot.

mod notes;
mod settling;
mod written;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use self::settling::while_settling;
use self::written::write_verified;
use super::{SUPERSEDED, Snapshot, sidecar_path};
use crate::archive::manifest::Absent;
use crate::archive::read;
use crate::archive::write::{Entry, Frame, Placed};
use crate::capture::{self, Plan};
use crate::databases::{self, Begun};
use crate::error::{Error, Result};
use crate::fsutil::{self, AtomicFile};
use crate::lock::{self, HomeLock, Waiting};
use crate::metadata::{ARCHIVE_FORMAT, BackupName, Limit, Sidecar};
use crate::timeutil::Stamp;

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
        ..sidecar
    };
    // What is expected need not be what it becomes: a database's log is in its copy.
    let embedded = Sidecar {
        file_count: None,
        total_bytes: None,
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
        && let Some(standing) = standing_same(&made.archive, &made.sidecar, stop)
    {
        return Ok(Made {
            sidecar: standing,
            unchanged: true,
            ..made
        });
    }
    let mut bytes = serde_json::to_vec_pretty(&made.sidecar).map_err(anyhow::Error::from)?;
    bytes.push(b'\n');
    let superseded = commit(dir, &made.archive, file, &bytes)?;
    Ok(Made { superseded, ..made })
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

/// Puts archive and sidecar in place, both of them whole on the disk before the first is. The standing pair is linked
/// below `superseded/` before, so that readers always find one; a failure puts it back.
fn commit(dir: &Path, archive: &Path, file: AtomicFile, sidecar: &[u8]) -> Result<Option<PathBuf>> {
    let place = sidecar_path(archive);
    let mut description = AtomicFile::create(&place)?;
    description
        .file()
        .write_all(sidecar)
        .map_err(|error| Error::io("write", &place, error))?;
    description.sync()?;
    file.sync()?;
    let aside = Aside::of(dir, archive)?;
    if let Err(error) = file.commit().and_then(|()| description.commit()) {
        aside.put_back();
        return Err(error);
    }
    Ok(aside.archive())
}

/// Where the standing snapshot of a name is as well.
struct Aside {
    /// Directory below `superseded/`; None where nothing stood.
    dir: Option<PathBuf>,
    /// Where each file stands, and where it is too.
    linked: Vec<(PathBuf, PathBuf)>,
    archive: PathBuf,
    /// Held on `superseded/`.
    alone: Option<HomeLock>,
}

impl Aside {
    /// Links the standing archive and its sidecar to `superseded/<created_at>/`, or copies them where the file system
    /// has no links. A failure leaves both as they are.
    fn of(dir: &Path, archive: &Path) -> Result<Self> {
        let mut aside = Self {
            dir: None,
            linked: Vec::new(),
            archive: archive.to_owned(),
            alone: None,
        };
        let mut standing = Vec::new();
        for path in [sidecar_path(archive), archive.to_owned()] {
            if fsutil::exists(&path)? {
                standing.push(path);
            }
        }
        if standing.is_empty() {
            return Ok(aside);
        }
        let made = super::read_sidecar(&sidecar_path(archive))
            .ok()
            .and_then(|sidecar| sidecar.created_at);
        let superseded = dir.join(SUPERSEDED);
        fsutil::create_private_dir(&superseded)?;
        // Else a run of another manager home may take the links for left behind.
        let alone = |waiting: &Waiting| HomeLock::acquire(&superseded, waiting);
        aside.alone = Some(Waiting::within(lock::PATIENCE, alone)?);
        let target = free_dir(&superseded, made)?;
        aside.dir = Some(target.clone());
        for path in standing {
            let place = target.join(path.file_name().unwrap_or_default());
            // Noted before, so that half a copy goes as well.
            aside.linked.push((path.clone(), place.clone()));
            if let Err(error) =
                fsutil::link_or_copy(&path, &place).and_then(|()| fsutil::sync_dir(&target))
            {
                aside.forget();
                return Err(error);
            }
        }
        Ok(aside)
    }

    /// Removes the links: nothing has taken the place of what stands.
    fn forget(&self) {
        for (_, place) in &self.linked {
            let _ = fs::remove_file(place);
        }
        self.remove_dir();
    }

    /// Has the earlier snapshot stand where it stood, after an attempt to take its place. What cannot be put back stays
    /// whole below `superseded/`.
    fn put_back(&self) {
        for path in [self.archive.clone(), sidecar_path(&self.archive)] {
            match self.linked.iter().find(|(standing, _)| *standing == path) {
                // Nothing stood there before: it is half of the new one.
                None => {
                    let _ = fs::remove_file(&path);
                }
                Some((standing, place)) => {
                    // Where both are still one file, renaming it onto itself does nothing, and the link goes.
                    if fsutil::rename(place, standing).is_ok() {
                        let _ = fs::remove_file(place);
                    }
                }
            }
        }
        self.remove_dir();
    }

    /// Only where it is empty, and so is what it is in.
    fn remove_dir(&self) {
        if let Some(dir) = &self.dir {
            let _ = fs::remove_dir(dir);
            let _ = fs::remove_dir(fsutil::parent_of(dir));
        }
    }

    /// Where the earlier archive is now.
    fn archive(&self) -> Option<PathBuf> {
        let archive = self
            .linked
            .iter()
            .find(|(standing, _)| *standing == self.archive);
        archive
            .or(self.linked.first())
            .map(|(_, place)| place.clone())
    }
}

/// What is left of each window; when a short one starts anew is no news while nothing of it is used.
fn shares(limits: &[Limit]) -> impl Iterator<Item = (&str, Option<u8>)> {
    limits
        .iter()
        .map(|limit| (limit.name.as_str(), limit.percent_left))
}

/// The sidecar of the standing snapshot, if it holds the same and its archive is still sound.
fn standing_same(archive: &Path, new: &Sidecar, stop: &dyn Fn() -> bool) -> Option<Sidecar> {
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
    let checked = read::check(archive, read::Maker::Ours, &read::Caps::default(), stop).ok()?;
    (standing.archive_sha256 == checked.sha256).then_some(standing)
}

/// A new directory below `parent`, named by a time. A failure leaves neither, where nothing else is in `parent`.
pub fn free_dir(parent: &Path, time: Option<Stamp>) -> Result<PathBuf> {
    let made = fsutil::create_private_dir(parent).and_then(|()| free_dir_in(parent, time));
    made.inspect_err(|_| {
        let _ = fs::remove_dir(parent);
    })
}

fn free_dir_in(parent: &Path, time: Option<Stamp>) -> Result<PathBuf> {
    let base = time.map_or_else(|| "unknown".to_owned(), Stamp::file_name_form);
    for count in 1.. {
        let name = if count == 1 {
            base.clone()
        } else {
            format!("{base}-{count:03}")
        };
        let dir = parent.join(name);
        #[cfg_attr(not(unix), allow(unused_mut))] // only a mode is set on it
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&dir) {
            Ok(()) => {
                return match fsutil::sync_dir(parent) {
                    Ok(()) => Ok(dir),
                    Err(error) => {
                        let _ = fs::remove_dir(&dir);
                        Err(error)
                    }
                };
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && count < 10_000 => {}
            Err(error) => return Err(Error::io("make the directory", &dir, error)),
        }
    }
    Ok(parent.join(base))
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
    let workspace = account.account_id.clone().unwrap_or_default();
    let user = account.user_id.clone().unwrap_or_default();
    let short: String = workspace.chars().take(8).collect();
    [short, workspace.clone(), format!("{workspace}~{user}")]
        .iter()
        .filter(|suffix| !suffix.is_empty())
        .map(|suffix| BackupName::new(start, &format!("{who}~{suffix}")))
        .find(is_free)
        .unwrap_or(plain)
}

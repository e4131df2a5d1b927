//! Putting a snapshot in its place: both files whole on the disk before, the archive first, the sidecar last. What stands
//! there goes below `superseded/`.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{SUPERSEDED, sidecar_path};
use crate::error::{Error, Result};
use crate::fsutil::{self, AtomicFile};
use crate::lock::{self, HomeLock, Waiting};
use crate::metadata::{BackupName, Sidecar};
use crate::timeutil::Stamp;

/// Puts archive and sidecar in place: `place` has the archive, whole on the disk already, stand at `archive`. The standing
/// pair is linked below `superseded/` before, so that readers always find one; a failure puts it back. Where that pair is
/// now.
pub(super) fn current(
    dir: &Path,
    archive: &Path,
    sidecar: &[u8],
    place: impl FnOnce() -> Result<()>,
) -> Result<Option<PathBuf>> {
    let description = described(archive, sidecar)?;
    let aside = Aside::of(dir, archive)?;
    if let Err(error) = place().and_then(|()| description.commit()) {
        aside.put_back();
        return Err(error);
    }
    Ok(aside.archive())
}

/// Puts archive and sidecar below `superseded/`, where what `told` tells of goes: another snapshot of its name is current.
/// Where it stands then.
pub(super) fn earlier(
    dir: &Path,
    name: &BackupName,
    (told, sidecar): (&Sidecar, &[u8]),
    place: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let superseded = dir.join(SUPERSEDED);
    let _alone = alone_in(&superseded)?;
    let target = dir_for(&superseded, Some(told), &name.archive())?;
    let archive = target.join(name.archive());
    let placed = described(&archive, sidecar).and_then(|description| {
        place(&archive)?;
        description.commit()
    });
    if let Err(error) = placed {
        // Nothing of that name stood there before.
        let _ = fs::remove_file(sidecar_path(&archive));
        let _ = fs::remove_file(&archive);
        let _ = fs::remove_dir(&target);
        let _ = fs::remove_dir(&superseded);
        return Err(error);
    }
    Ok(archive)
}

/// A snapshot that goes where nothing stands.
pub(super) struct New<'a> {
    /// Its archive, on the disk already, which is moved from here.
    pub from: &'a Path,
    /// Where that is to stand.
    pub archive: PathBuf,
    /// Its sidecar.
    pub sidecar: &'a [u8],
}

/// Puts several in place in `dir`, where nothing stands under their names: what is synced of all at once costs what that of
/// one would. All of them, or a failure that puts the archives back.
pub(super) fn together(dir: &Path, all: &[New]) -> Result<()> {
    let failed = |error| Error::io("sync", dir, error);
    // What fails to be written from here on is told.
    let held = File::open(dir).map_err(failed)?;
    let staged = all.iter().map(|new| staged(&new.archive, new.sidecar));
    let staged = staged.collect::<Result<Vec<_>>>()?;
    if !fsutil::sync_file_system(&held).map_err(failed)? {
        staged.iter().try_for_each(AtomicFile::sync)?;
    }
    let moved = all.iter().try_for_each(|new| {
        let moved = fs::rename(new.from, &new.archive);
        moved.map_err(|error| Error::io("move here", &new.archive, error))
    });
    let placed = moved.and_then(|()| fsutil::sync_dir(dir)).and_then(|()| {
        let mut staged = staged.into_iter();
        staged.try_for_each(AtomicFile::commit_synced)
    });
    if let Err(error) = placed.and_then(|()| fsutil::sync_dir(dir)) {
        for new in all {
            // The sidecar first: an archive without one is no snapshot.
            let _ = fs::remove_file(sidecar_path(&new.archive));
            if matches!(fsutil::exists(new.from), Ok(false)) {
                let _ = fs::rename(&new.archive, new.from);
            }
        }
        return Err(error);
    }
    Ok(())
}

/// The sidecar of `archive`, whole on the disk and not yet in its place.
fn described(archive: &Path, sidecar: &[u8]) -> Result<AtomicFile> {
    let description = staged(archive, sidecar)?;
    description.sync()?;
    Ok(description)
}

/// The same, maybe not on the disk yet.
fn staged(archive: &Path, sidecar: &[u8]) -> Result<AtomicFile> {
    let place = sidecar_path(archive);
    let mut description = AtomicFile::create(&place)?;
    description
        .file()
        .write_all(sidecar)
        .map_err(|error| Error::io("write", &place, error))?;
    Ok(description)
}

/// Holds `superseded/`: else a run of another manager home may take for left behind what is on its way there.
fn alone_in(superseded: &Path) -> Result<HomeLock> {
    fsutil::create_private_dir(superseded)?;
    let alone = |waiting: &Waiting| HomeLock::acquire(superseded, waiting);
    Waiting::within(lock::PATIENCE, alone)
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
        let told = super::read_sidecar(&sidecar_path(archive)).ok();
        let superseded = dir.join(SUPERSEDED);
        aside.alone = Some(alone_in(&superseded)?);
        let name = archive.file_name().unwrap_or_default().to_string_lossy();
        let target = dir_for(&superseded, told.as_ref(), &name)?;
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

/// A new directory below `parent`, named by a time. A failure leaves neither, where nothing else is in `parent`.
pub fn free_dir(parent: &Path, time: Option<Stamp>) -> Result<PathBuf> {
    named_dir(parent, time, 1, &|_| false)
}

/// The directory below `superseded/` for the snapshot that `told` tells of and whose archive is called `name`: the first
/// named by when it was made that holds nothing of that name, for the second of that name and second from the second on.
/// So two machines with the same snapshots have the same directories.
fn dir_for(superseded: &Path, told: Option<&Sidecar>, name: &str) -> Result<PathBuf> {
    const MOST: u64 = 1000; // whatever a sidecar from elsewhere tells
    let generation = told.and_then(|told| told.generation).unwrap_or_default();
    let made = told.and_then(|told| told.created_at);
    named_dir(superseded, made, generation.min(MOST) + 1, &|dir| {
        let archive = dir.join(name);
        let is_free = |path: &Path| matches!(fsutil::exists(path), Ok(false));
        dir.is_dir() && is_free(&archive) && is_free(&sidecar_path(&archive))
    })
}

/// A directory below `parent`, named by a time: a new one, or one that stands and that `serves` takes.
fn named_dir(
    parent: &Path,
    time: Option<Stamp>,
    first: u64,
    serves: &dyn Fn(&Path) -> bool,
) -> Result<PathBuf> {
    let named = || named_dir_in(parent, time, first, serves);
    let made = fsutil::create_private_dir(parent).and_then(|()| named());
    made.inspect_err(|_| {
        let _ = fs::remove_dir(parent);
    })
}

fn named_dir_in(
    parent: &Path,
    time: Option<Stamp>,
    first: u64,
    serves: &dyn Fn(&Path) -> bool,
) -> Result<PathBuf> {
    let base = time.map_or_else(|| "unknown".to_owned(), Stamp::file_name_form);
    for count in first.. {
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
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && count < 10_000 => {
                if serves(&dir) {
                    return Ok(dir);
                }
            }
            Err(error) => return Err(Error::io("make the directory", &dir, error)),
        }
    }
    Ok(parent.join(base))
}

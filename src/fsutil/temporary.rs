//! Temporary files and directories. Whoever writes one holds a lock on it, which a killed process loses at once: what is
//! not locked was left behind. Where nothing can be locked, age tells.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::{NamedTempFile, TempDir};

use crate::error::{Error, Result};

/// What every temporary name of ours starts with; [`sweep`] removes those that were left behind.
const PREFIX: &str = ".codex-manager-tmp-";

/// How old one must be, where nothing can be locked, before it is taken for left behind by a killed run.
const STALE: Duration = Duration::from_hours(1);

/// The same for one of [`sweep_dirs`], where others may be at work on its behalf.
const STALE_DIR: Duration = Duration::from_hours(48);

/// How often another one is made where a sweep took it for left behind before it was locked.
const ATTEMPTS: usize = 100;

/// A private file in `dir`.
pub(super) fn file(dir: &Path) -> Result<NamedTempFile> {
    let failed = |error| Error::io("write in", dir, error);
    for _ in 0..ATTEMPTS {
        let made = tempfile::Builder::new().prefix(PREFIX).tempfile_in(dir);
        let file = made.map_err(failed)?;
        if is_ours(file.as_file()) {
            return Ok(file);
        }
    }
    Err(failed(io::ErrorKind::ResourceBusy.into()))
}

/// A private directory for files on their way; it goes with what is in it.
#[derive(Debug)]
pub struct TemporaryDir {
    dir: TempDir,
    /// Locked until the directory is gone.
    _held: Option<File>,
}

impl TemporaryDir {
    /// Makes one in `dir`.
    pub fn make(dir: &Path) -> Result<Self> {
        let made = Self::of(&|| tempfile::Builder::new().prefix(PREFIX).tempdir_in(dir));
        made.map_err(|error| Error::io("make a directory in", dir, error))
    }

    /// Holds one that `make` makes.
    pub fn of(make: &dyn Fn() -> io::Result<TempDir>) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let dir = make()?;
            // Windows opens no directory.
            let held = File::open(dir.path());
            let is_swept = match &held {
                Ok(held) => !is_ours(held),
                Err(error) => error.kind() == io::ErrorKind::NotFound,
            };
            if !is_swept {
                return Ok(Self {
                    dir,
                    _held: held.ok(),
                });
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Locks what was just made. False where a sweep was faster.
fn is_ours(file: &File) -> bool {
    // On Windows a lock would keep others from reading.
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        match file.try_lock() {
            Ok(()) => file.metadata().is_ok_and(|meta| meta.nlink() > 0),
            Err(fs::TryLockError::WouldBlock) => false,
            Err(fs::TryLockError::Error(_)) => true,
        }
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        true
    }
}

/// Whether a file or directory of that name is one of ours on its way.
pub fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Another such name that nobody else takes, for what is written elsewhere than in a directory of this machine.
pub fn temporary_name() -> Result<String> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).map_err(|error| {
        let hint = "the system's own message says why; mend it and run the command again";
        Error::other(format!("the system gives no random bytes: {error}"), hint)
    })?;
    Ok(format!("{PREFIX}{}", super::hex(&bytes)))
}

/// Removes temporary files and directories that killed runs left in `dir`. Best effort.
pub fn sweep(dir: &Path) {
    sweep_but(dir, &|_| false);
}

/// The same where nobody else can be at work on any, whatever can be locked.
pub fn sweep_all(dir: &Path) {
    sweep_by(dir, Duration::ZERO, &|_| false);
}

/// The same as [`sweep`], but for files that `takes` finds a place for.
pub fn sweep_but(dir: &Path, takes: &dyn Fn(&Path) -> bool) {
    sweep_by(dir, STALE, takes);
}

fn sweep_by(dir: &Path, age: Duration, takes: &dyn Fn(&Path) -> bool) {
    each_left(dir, age, |path, kind| {
        let _ = if kind.is_dir() {
            fs::remove_dir_all(path)
        } else if kind.is_file() && takes(path) {
            Ok(())
        } else {
            fs::remove_file(path)
        };
    });
}

/// What [`sweep`] would remove from `dir`, sorted.
pub fn left_in(dir: &Path) -> Vec<PathBuf> {
    let mut left = Vec::new();
    each_left(dir, STALE, |path, _| left.push(path.to_owned()));
    left.sort();
    left
}

/// Does `work` with each temporary file or directory in `dir` that was left behind.
fn each_left(dir: &Path, age: Duration, mut work: impl FnMut(&Path, fs::FileType)) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let (path, kind) = (entry.path(), entry.file_type());
        let Some(kind) = kind.ok().filter(|_| is_temporary(&name.to_string_lossy())) else {
            continue;
        };
        let is_plain = kind.is_dir() || kind.is_file();
        let held = Some(&path).filter(|_| cfg!(unix) && is_plain);
        let held = held.and_then(|path| File::open(path).ok());
        // Locked until it is gone.
        if is_left(held.as_ref()).unwrap_or_else(|| is_stale(&entry, age)) {
            work(&path, kind);
        }
    }
}

/// Removes directories in `place` that killed runs of this user left: of that prefix, and six letters after it, as they are
/// made. Best effort.
pub fn sweep_dirs(place: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(place) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix(prefix));
        let is_of_ours =
            |rest: &str| rest.len() == 6 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        // Of the entry itself, not of what a link leads to.
        let is_mine = |meta: &fs::Metadata| meta.is_dir() && super::is_mine(meta);
        if !rest.is_some_and(is_of_ours) || !entry.metadata().is_ok_and(|meta| is_mine(&meta)) {
            continue;
        }
        let held = Some(entry.path()).filter(|_| cfg!(unix));
        let held = held.and_then(|path| File::open(path).ok());
        if is_left(held.as_ref()).unwrap_or_else(|| is_stale(&entry, STALE_DIR)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether nobody has locked it, which locks it; None where that cannot be told.
fn is_left(file: Option<&File>) -> Option<bool> {
    match file?.try_lock() {
        Ok(()) => Some(true),
        Err(fs::TryLockError::WouldBlock) => Some(false),
        Err(fs::TryLockError::Error(_)) => None,
    }
}

fn is_stale(entry: &fs::DirEntry, age: Duration) -> bool {
    let meta = entry.metadata();
    age.is_zero() || meta.is_ok_and(|meta| super::is_older_than(&meta, age) == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_nobody_writes_is_swept_and_what_somebody_does_stays() {
        let place = tempfile::tempdir().expect("a directory");
        let names = || {
            let listing = fs::read_dir(place.path()).expect("lists").flatten();
            listing.map(|entry| entry.path()).collect::<Vec<_>>()
        };
        for left in ["file", "taken"] {
            fs::write(place.path().join(format!("{PREFIX}{left}")), left).expect("writes");
        }
        fs::create_dir(place.path().join(format!("{PREFIX}dir"))).expect("makes");
        let file = file(place.path()).expect("makes");
        let dir = TemporaryDir::make(place.path()).expect("makes");
        let left =
            ["dir", "file", "taken"].map(|left| place.path().join(format!("{PREFIX}{left}")));
        assert_eq!(left_in(place.path()), left);
        let target = place.path().join("place");
        sweep_but(place.path(), &|path| {
            path.ends_with(format!("{PREFIX}taken")) && fs::rename(path, &target).is_ok()
        });
        let mut left = names();
        left.sort();
        let mut expected = vec![
            file.path().to_owned(),
            dir.path().to_owned(),
            target.clone(),
        ];
        expected.sort();
        assert_eq!(left, expected);
        drop((file, dir));
        assert_eq!(names(), [target]);
    }
}

//! One advisory lock on the manager home, held by whoever writes in it. Readers need none.
//!
//! The lock file is never removed: a removed one could be locked twice under one name.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Error, Kind, Result};
use crate::fsutil;

/// How long a second run waits for the first.
const PATIENCE: Duration = Duration::from_secs(10);

/// Held until dropped; a killed process loses it at once.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of `manager_home`, waiting a little while another process holds it. `command` is what the
    /// other is told.
    pub fn acquire(manager_home: &Path, command: &str) -> Result<Self> {
        Self::acquire_within(manager_home, command, PATIENCE)
    }

    /// Takes the lock only if it is free.
    pub fn try_acquire(manager_home: &Path, command: &str) -> Result<Self> {
        Self::acquire_within(manager_home, command, Duration::ZERO)
    }

    fn acquire_within(manager_home: &Path, command: &str, patience: Duration) -> Result<Self> {
        fsutil::create_private_dir(manager_home)?;
        let path = manager_home.join("lock");
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            let no_links = rustix::fs::OFlags::NOFOLLOW.bits();
            options
                .mode(0o600)
                .custom_flags(i32::try_from(no_links).unwrap_or_default());
        }
        let mut file = options
            .open(&path)
            .map_err(|error| Error::io("open", &path, error))?;
        let end = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(25));
                }
                Err(TryLockError::WouldBlock) => return Err(held_by_another(&mut file, &path)),
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path, error)),
            }
        }
        // Only for the message above: a lock that cannot be signed is held all the same.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{} {command}", std::process::id()));
        Ok(Self { _file: file })
    }
}

/// Held on a Codex home while it is written to or read as a whole, by codex-managers of whatever manager home. It is on
/// the directory itself, so that nothing is left in it.
#[derive(Debug)]
pub struct HomeLock {
    _dir: Option<File>,
}

impl HomeLock {
    /// Takes the lock of `home`, waiting a little. There is nothing to lock where there is no home, or where the system
    /// cannot lock a directory.
    pub fn acquire(home: &Path) -> Result<Self> {
        Self::acquire_within(home, PATIENCE)
    }

    /// The same, waiting as long as said.
    pub fn acquire_within(home: &Path, patience: Duration) -> Result<Self> {
        Self::take(home, patience, File::try_lock)
    }

    /// Shares the lock with others who do, and keeps out whoever takes it alone: while Codex is asked it may renew the
    /// login, and must not find another one in its place.
    pub fn share_within(home: &Path, patience: Duration) -> Result<Self> {
        Self::take(home, patience, File::try_lock_shared)
    }

    fn take(
        home: &Path,
        patience: Duration,
        try_lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Self> {
        let dir = match File::open(home) {
            Ok(dir) => dir,
            // Nobody can work in what is not there or may not be entered; Windows opens no directory.
            Err(error)
                if cfg!(windows)
                    || matches!(
                        error.kind(),
                        std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied
                    ) =>
            {
                return Ok(Self { _dir: None });
            }
            Err(error) => return Err(Error::io("open", home, error)),
        };
        let end = Instant::now() + patience;
        loop {
            match try_lock(&dir) {
                Ok(()) => return Ok(Self { _dir: Some(dir) }),
                Err(TryLockError::WouldBlock) if Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(25));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::new(
                        Kind::Locked,
                        format!(
                            "another codex-manager works in `{}`, or asks Codex about it",
                            home.display()
                        ),
                        "wait until it is done, then run the command again",
                    ));
                }
                Err(TryLockError::Error(_)) => return Ok(Self { _dir: None }),
            }
        }
    }
}

fn held_by_another(file: &mut File, path: &Path) -> Error {
    let mut text = String::new();
    let _ = file
        .rewind()
        .and_then(|()| file.take(200).read_to_string(&mut text));
    let holder = match text.split_once(' ') {
        Some((pid, command)) => format!("process {pid} (`codex-manager {command}`)"),
        None => "another process".to_owned(),
    };
    Error::new(
        Kind::Locked,
        format!("`{}` is held by {holder}", path.display()),
        "wait until it is done, then run the command again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_the_other_is_named() {
        let home = tempfile::tempdir().expect("a directory");
        let first = Lock::acquire(home.path(), "backup").expect("free");
        let error = Lock::try_acquire(home.path(), "restore").expect_err("held");
        assert_eq!(error.kind(), Kind::Locked);
        assert!(error.to_string().ends_with(&format!(
            "is held by process {} (`codex-manager backup`)",
            std::process::id()
        )));
        drop(first);
        Lock::try_acquire(home.path(), "restore").expect("free again");
    }
}

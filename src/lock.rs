//! One advisory lock on the manager home, held by whoever writes in it. Readers need none.
//!
//! The lock file is never removed: a removed one could be locked twice under one name. Who holds it stands in it as long as
//! it is held; after a kill for longer, so that only what is read while somebody holds the lock is told.

use std::cell::Cell;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Error, Kind, Result};
use crate::fsutil;
use crate::timeutil::Stamp;

/// The lock file of a manager home.
const LOCK: &str = "lock";

/// How long a second run waits for the first, unless it is told.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How long it waits without a word.
const SILENCE: Duration = Duration::from_secs(1);

/// How often it looks again.
const PAUSE: Duration = Duration::from_millis(25);

/// How a run waits for others.
pub struct Waiting<'a> {
    /// How long it may still wait; less by what a lock took.
    pub left: &'a Cell<Duration>,
    /// What to do where that is not enough.
    pub hint: &'a str,
    /// Says once who is waited for.
    pub tell: &'a dyn Fn(&str),
    /// Whether it is to end at once.
    pub is_stopped: &'a dyn Fn() -> bool,
}

impl Waiting<'_> {
    /// Has `take` take what is free, without waiting.
    pub fn at_once<T>(take: impl FnOnce(&Waiting) -> Result<T>) -> Result<T> {
        Self::within(Duration::ZERO, take)
    }

    /// The same, waiting as long at most, without a word.
    pub fn within<T>(most: Duration, take: impl FnOnce(&Waiting) -> Result<T>) -> Result<T> {
        take(&Waiting {
            left: &Cell::new(most),
            hint: "wait until it is done, then run the command again",
            tell: &|_| (),
            is_stopped: &|| false,
        })
    }

    /// Tries until `attempt` has the lock; `holder` says who has it meanwhile.
    fn take(
        &self,
        mut attempt: impl FnMut() -> Result<(), TryLockError>,
        mut holder: impl FnMut() -> String,
    ) -> Result<(), Taking> {
        let begun = Instant::now();
        let most = self.left.get();
        let (mut is_first, mut is_told) = (true, false);
        loop {
            let waited = begun.elapsed();
            // Read before the attempt: what a run that was killed left there is told of nobody who let go.
            let who = (waited >= most || (waited >= SILENCE && !is_told)).then(&mut holder);
            match attempt() {
                Ok(()) => {
                    if !is_first {
                        self.left.set(most.saturating_sub(waited));
                    }
                    return Ok(());
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(Taking::Impossible(error)),
            }
            if (self.is_stopped)() {
                return Err(Taking::Given(Error::interrupted()));
            }
            if let Some(who) = who {
                if !is_told && most > SILENCE {
                    let seconds = most.as_millis().div_ceil(1000);
                    (self.tell)(&format!("{who}; waiting, at most {seconds} s"));
                    is_told = true;
                }
                if waited >= most {
                    return Err(Taking::Given(Error::new(Kind::Locked, who, self.hint)));
                }
            }
            is_first = false;
            std::thread::sleep(PAUSE.min(most.saturating_sub(waited)));
        }
    }
}

/// Why a lock was not taken.
enum Taking {
    /// The system cannot lock that file.
    Impossible(std::io::Error),
    /// Waiting came to its end.
    Given(Error),
}

/// Held until dropped; a killed process loses it at once.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of `manager_home`, waiting for whoever holds it.
    pub fn acquire(manager_home: &Path, waiting: &Waiting) -> Result<Self> {
        fsutil::create_private_dir(manager_home)?;
        let path = manager_home.join(LOCK);
        let file = open(&path)?;
        let holder = || {
            let who = signature(&file).map_or_else(nobody_named, |who| who.to_string());
            format!("`{}` is held by {who}", path.display())
        };
        match waiting.take(|| file.try_lock(), holder) {
            Ok(()) => Ok(Self { file }),
            Err(Taking::Given(error)) => Err(error),
            Err(Taking::Impossible(error)) => Err(Error::io("lock", &path, error)),
        }
    }

    /// Takes the lock only if it is free; `command` and `since` are what others are told.
    pub fn try_acquire(manager_home: &Path, command: &str, since: Option<Stamp>) -> Result<Self> {
        let lock = Waiting::at_once(|waiting| Self::acquire(manager_home, waiting))?;
        Ok(lock.signed(command, since))
    }

    /// Says who holds it. Only for the message of others: a lock that cannot be signed is held all the same.
    pub fn signed(self, command: &str, since: Option<Stamp>) -> Self {
        let mut file = &self.file;
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{} {command}", std::process::id()))
            .and_then(|()| since.map_or(Ok(()), |since| write!(file, "\n{since}")));
        self
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

/// Held on a Codex home while it is written to or read as a whole, by codex-managers of whatever manager home. It is on
/// the directory itself, so that nothing is left in it, and so has no place for who holds it.
#[derive(Debug)]
pub struct HomeLock {
    dir: Option<File>,
}

impl HomeLock {
    /// Takes the lock of `home`, waiting for whoever holds it. There is nothing to lock where there is no home, or where the
    /// system cannot lock a directory.
    pub fn acquire(home: &Path, waiting: &Waiting) -> Result<Self> {
        Self::take(home, waiting, File::try_lock)
    }

    /// Takes the lock only if it is free.
    pub fn try_acquire(home: &Path) -> Result<Self> {
        Waiting::at_once(|waiting| Self::acquire(home, waiting))
    }

    /// Shares the lock with others who do, and keeps out whoever takes it alone: while Codex is asked it may renew the
    /// login, and must not find another one in its place.
    pub fn share(home: &Path, waiting: &Waiting) -> Result<Self> {
        Self::take(home, waiting, File::try_lock_shared)
    }

    /// Whether somebody has that of `home` alone, found without waiting.
    pub fn is_held(home: &Path) -> bool {
        let dir = open_dir(home);
        dir.is_ok_and(|dir| matches!(dir.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Has every program that is started from now on hold it too, where the system is Unix: it is free once the last of
    /// them has ended, also where this one is killed before.
    pub fn pass_on(&self) {
        if let Some(dir) = &self.dir {
            pass_on(dir);
        }
    }

    fn take(
        home: &Path,
        waiting: &Waiting,
        try_lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Self> {
        let dir = match open_dir(home) {
            Ok(dir) => dir,
            // Nobody can work in what is not there, is no directory or may not be entered; Windows opens no directory.
            Err(error)
                if cfg!(windows)
                    || matches!(
                        error.kind(),
                        std::io::ErrorKind::NotFound
                            | std::io::ErrorKind::NotADirectory
                            | std::io::ErrorKind::PermissionDenied
                    ) =>
            {
                return Ok(Self { dir: None });
            }
            Err(error) => return Err(Error::io("open", home, error)),
        };
        let holder = || {
            format!(
                "another codex-manager works in `{}`, or asks Codex about it",
                home.display()
            )
        };
        match waiting.take(|| try_lock(&dir), holder) {
            Ok(()) => Ok(Self { dir: Some(dir) }),
            Err(Taking::Impossible(_)) => Ok(Self { dir: None }),
            Err(Taking::Given(error)) => Err(error),
        }
    }
}

/// A lock file in a directory of our own, held by whoever works there. Unlike a [`HomeLock`] it is one on every system, and
/// goes with the directory.
#[derive(Debug)]
pub struct DirLock {
    file: File,
}

impl DirLock {
    /// What the file is called.
    pub const NAME: &str = ".codex-manager-lock";

    /// Takes it where nobody has it; None where somebody has.
    pub fn try_acquire(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(Self::NAME);
        let file = open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", &path, error)),
        }
    }

    /// Whether somebody has it, found without taking it for longer than that.
    pub fn is_held(dir: &Path) -> bool {
        let file = fsutil::open_regular(&dir.join(Self::NAME));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// As [`HomeLock::pass_on`].
    pub fn pass_on(&self) {
        pass_on(&self.file);
    }
}

/// Whoever has the file's descriptor, as a child to whom it is left, holds its lock.
#[cfg(unix)]
fn pass_on(file: &File) {
    let _ = rustix::io::fcntl_setfd(file, rustix::io::FdFlags::empty());
}

#[cfg(not(unix))]
fn pass_on(_: &File) {}

/// Opens a lock file, private and no link; it is made where it is missing.
fn open(path: &Path) -> Result<File> {
    open_lock(path, true).map_err(|error| Error::io("open", path, error))
}

fn open_lock(path: &Path, makes: bool) -> std::io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(makes).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // A pipe would be waited for.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        options.mode(0o600).custom_flags(flags);
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(std::io::Error::new(
        std::io::ErrorKind::InvalidInput,
        "it is no regular file",
    ))
}

/// Opens a directory. Nothing else is, nor waited for, as a pipe would be.
fn open_dir(path: &Path) -> std::io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::NONBLOCK;
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
    }
    options.open(path)
}

/// Who signed a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The process.
    pid: String,
    /// What it does.
    command: String,
    /// Since when.
    pub since: Option<Stamp>,
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} (`codex-manager {}`)", self.pid, self.command)?;
        self.since
            .map_or(Ok(()), |since| write!(f, " since {since}"))
    }
}

fn nobody_named() -> String {
    "another process".to_owned()
}

/// The lock of a manager home as it is found.
#[derive(Debug)]
pub enum Seen {
    /// Nobody holds it.
    Free,
    /// Nobody can take it.
    Unusable(Error),
    /// Nobody holds it, and whoever did last was ended before they could say that they let go.
    Left(Signature),
    /// Somebody does, who may have said who they are.
    Held(Option<Signature>),
}

/// Looks who holds the lock of `manager_home`, without waiting and without taking it for longer than that.
pub fn look(manager_home: &Path) -> Seen {
    let path = manager_home.join(LOCK);
    let file = match open_lock(&path, false) {
        Ok(file) => file,
        Err(error) if fsutil::is_gone(&error) => return Seen::Free,
        Err(error) => return Seen::Unusable(Error::io("open", &path, error)),
    };
    // Read before: see `Waiting::take`.
    let who = signature(&file);
    match (file.try_lock_shared(), who) {
        (Err(TryLockError::WouldBlock), who) => Seen::Held(who),
        (_, Some(who)) => Seen::Left(who),
        (_, None) => Seen::Free,
    }
}

/// Who holds the lock, as they signed it: `PID COMMAND`, and on the next line since when.
fn signature(mut file: &File) -> Option<Signature> {
    let mut text = String::new();
    let _ = file
        .rewind()
        .and_then(|()| file.take(200).read_to_string(&mut text));
    let mut lines = text.lines();
    let (pid, command) = lines.next()?.split_once(' ')?;
    Some(Signature {
        pid: pid.to_owned(),
        command: command.to_owned(),
        since: lines.next().and_then(Stamp::parse),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    const SINCE: &str = "2026-04-19T15:30:00+05:30";

    fn since() -> Option<Stamp> {
        Stamp::parse(SINCE)
    }

    #[test]
    fn one_at_a_time_and_the_other_is_named() {
        let home = tempfile::tempdir().expect("a directory");
        let first = Lock::try_acquire(home.path(), "backup", since()).expect("free");
        let error = Lock::try_acquire(home.path(), "restore", since()).expect_err("held");
        assert_eq!(error.kind(), Kind::Locked);
        assert!(error.to_string().ends_with(&format!(
            "is held by process {} (`codex-manager backup`) since {SINCE}",
            std::process::id()
        )));
        drop(first);
        assert_eq!(fs::read(home.path().join("lock")).expect("reads"), b"");
        Lock::try_acquire(home.path(), "restore", since()).expect("free again");
    }

    #[test]
    fn nobody_is_named_who_signed_before() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("lock");
        // As a run that was killed leaves it.
        fs::write(&path, format!("4242 restore\n{SINCE}")).expect("writes");
        let held = Lock::try_acquire(home.path(), "backup", since()).expect("free");
        let error = Lock::try_acquire(home.path(), "restore", since()).expect_err("held");
        assert!(!error.to_string().contains("4242"), "{error}");
        held.file.set_len(0).expect("empties");
        let error = Lock::try_acquire(home.path(), "restore", since()).expect_err("held");
        assert!(error.to_string().ends_with(" is held by another process"));
    }

    #[test]
    fn who_only_looks_leaves_it_free() {
        let home = tempfile::tempdir().expect("a directory");
        assert!(matches!(look(home.path()), Seen::Free));
        assert!(!home.path().join(LOCK).exists());
        let held = Lock::try_acquire(home.path(), "backup", since()).expect("free");
        let Seen::Held(Some(who)) = look(home.path()) else {
            panic!("it is held");
        };
        assert_eq!(
            who.to_string(),
            format!(
                "process {} (`codex-manager backup`) since {SINCE}",
                std::process::id()
            )
        );
        drop(held);
        assert!(matches!(look(home.path()), Seen::Free));
        fs::write(home.path().join(LOCK), "4242 restore").expect("writes");
        assert!(matches!(look(home.path()), Seen::Left(who) if who.since.is_none()));
        Lock::try_acquire(home.path(), "restore", since()).expect("free");
        let other = HomeLock::try_acquire(home.path()).expect("free");
        assert!(HomeLock::is_held(home.path()));
        drop(other);
        assert!(!HomeLock::is_held(home.path()) && !DirLock::is_held(home.path()));
    }

    #[test]
    fn waiting_ends_when_it_is_told_to() {
        let home = tempfile::tempdir().expect("a directory");
        let _held = Lock::try_acquire(home.path(), "backup", since()).expect("free");
        let told = RefCell::new(Vec::new());
        let waiting = Waiting {
            left: &Cell::new(Duration::from_hours(1)),
            hint: "wait",
            tell: &|who| told.borrow_mut().push(who.to_owned()),
            is_stopped: &|| !told.borrow().is_empty(),
        };
        let error = Lock::acquire(home.path(), &waiting).expect_err("held");
        assert_eq!(error.kind(), Kind::Interrupted);
        assert_eq!(
            told.borrow().as_slice(),
            [format!(
                "`{}` is held by process {} (`codex-manager backup`) since {SINCE}; waiting, at most 3600 s",
                home.path().join("lock").display(),
                std::process::id()
            )]
        );
    }

    #[test]
    fn what_one_lock_took_is_not_there_for_the_next() {
        let home = tempfile::tempdir().expect("a directory");
        let left = Cell::new(Duration::from_mins(1));
        let waiting = Waiting {
            left: &left,
            hint: "wait",
            tell: &|_| (),
            is_stopped: &|| false,
        };
        let mut attempts = 0;
        let attempt = || {
            attempts += 1;
            if attempts < 3 {
                Err(TryLockError::WouldBlock)
            } else {
                Ok(())
            }
        };
        assert!(waiting.take(attempt, String::new).is_ok());
        assert!(left.get() < Duration::from_mins(1));
        drop(HomeLock::acquire(home.path(), &waiting).expect("free"));
    }
}

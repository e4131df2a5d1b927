//! The file that `auth.json` is, and exchanging it as Codex does: under Codex's two locks, in one step, a link followed
//! and kept.
//!
//! Source: Codex 0.169 under strace. It takes `auth.lock` in its home, then beside the file itself the lock of that name
//! and `.lock`, which it tries for about five seconds before it gives a renewed token up: they are held for milliseconds.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::auth;
use super::home;
use crate::error::{Error, Kind, Result};
use crate::fsutil;

/// The lock of the home.
const AUTH_LOCK: &str = "auth.lock";

/// What follows the file's name in that of its own.
const LOCK: &str = ".lock";

/// How long another may hold one of the locks: Codex has the first while it asks for a new token.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many links may follow one another.
const MOST_LINKS: usize = 40;

/// Codex's locks on the login of a home.
#[derive(Debug)]
pub struct Locks {
    _held: [Option<File>; 2],
}

impl Locks {
    /// Takes those that a Codex has made in `home`, for whoever exchanges more than the login; a home that no such Codex has
    /// written a login to has none.
    pub fn take_known(home: &Path, stop: &dyn Fn() -> bool) -> Result<Self> {
        let of_file = home.join(home::AUTH_JSON.to_owned() + LOCK);
        let take_known = |path: &Path| {
            let is_there = fsutil::exists(path)?;
            is_there
                .then(|| take(path, stop))
                .transpose()
                .map(Option::flatten)
        };
        Ok(Self {
            _held: [take_known(&home.join(AUTH_LOCK))?, take_known(&of_file)?],
        })
    }
}

/// The login's file while no Codex writes it.
#[derive(Debug)]
pub struct AuthFile {
    /// Where the file itself stands, or will.
    place: PathBuf,
    _locks: Locks,
}

impl AuthFile {
    /// Takes Codex's locks on the login of `home`, which must exist. Whatever a killed run left beside the file goes: the
    /// caller has the home to itself.
    ///
    /// Fails as `Locked` where a Codex holds them for long, and where a link leads to nowhere.
    pub fn hold(home: &Path, stop: &dyn Fn() -> bool) -> Result<Self> {
        let place = place(&home::auth_path(home))?;
        let mut beside = place.clone().into_os_string();
        beside.push(LOCK);
        let held = [
            take(&home.join(AUTH_LOCK), stop)?,
            take(Path::new(&beside), stop)?,
        ];
        fsutil::sweep_all(fsutil::parent_of(&place));
        Ok(Self {
            place,
            _locks: Locks { _held: held },
        })
    }

    /// What stands there; None for nothing.
    pub fn read(&self) -> Result<Option<Vec<u8>>> {
        fsutil::read_if_present(&self.place, auth::MOST_BYTES)
    }

    /// Puts `bytes` there. Another name of the old file keeps what it had: Codex does not write to a file of two names.
    pub fn replace(&self, bytes: &[u8]) -> Result<()> {
        fsutil::write_atomically(&self.place, bytes)
    }
}

/// Where the file at `path` stands, links followed. It need not be there, but the directory for it.
pub fn place(path: &Path) -> Result<PathBuf> {
    let astray = |why: &str| {
        Error::other(
            format!("`{}` {why}; nothing was changed", path.display()),
            "mend the link, or put the file itself there",
        )
    };
    let mut place = path.to_owned();
    for _ in 0..MOST_LINKS {
        let meta = match std::fs::symlink_metadata(&place) {
            Ok(meta) => meta,
            Err(error) if fsutil::is_gone(&error) => {
                let is_dir = fsutil::parent_of(&place).is_dir();
                return if is_dir {
                    Ok(place)
                } else {
                    Err(astray("is a link to where no directory is"))
                };
            }
            Err(error) => return Err(Error::io("look at", &place, error)),
        };
        if !meta.is_symlink() {
            return if meta.is_file() {
                Ok(place)
            } else {
                Err(astray("is no file"))
            };
        }
        let target = std::fs::read_link(&place)
            .map_err(|error| Error::io("read the link", &place, error))?;
        place = fsutil::parent_of(&place).join(target);
    }
    Err(astray("is a link that leads in a circle"))
}

/// Takes the lock at `path`, waiting a while; None where the file system has no locks.
fn take(path: &Path, stop: &dyn Fn() -> bool) -> Result<Option<File>> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        options.mode(0o600).custom_flags(flags);
    }
    let file = options
        .open(path)
        .map_err(|error| Error::io("open", path, error))?;
    let end = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(_)) => return Ok(None),
            Err(TryLockError::WouldBlock) if stop() => return Err(Error::interrupted()),
            Err(TryLockError::WouldBlock) if Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(
                    Kind::Locked,
                    format!(
                        "`{}` is held by a Codex that writes its login; nothing was changed",
                        path.display()
                    ),
                    "wait until it is done, or quit it, then run the command again",
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn home() -> tempfile::TempDir {
        tempfile::tempdir().expect("a directory")
    }

    #[test]
    fn a_new_login_takes_the_place_of_the_old_and_nothing_is_left() {
        let home = home();
        let path = home.path().join("auth.json");
        let file = AuthFile::hold(home.path(), &|| false).expect("free");
        assert_eq!(file.read().expect("reads"), None);
        file.replace(b"one").expect("writes");
        file.replace(b"two").expect("writes");
        assert_eq!(fs::read(&path).expect("reads"), b"two");
        drop(file);
        let mut names: Vec<_> = fs::read_dir(home.path())
            .expect("lists")
            .map(|entry| entry.expect("reads").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["auth.json", "auth.json.lock", "auth.lock"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_kept_and_a_second_name_keeps_what_it_had() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let home = home();
        let at = |name: &str| home.path().join(name);
        fs::create_dir(at("kept")).expect("makes");
        fs::write(at("kept/login.json"), "old").expect("writes");
        fs::hard_link(at("kept/login.json"), at("twin")).expect("links");
        symlink("kept/link.json", at("auth.json")).expect("links");
        symlink("login.json", at("kept/link.json")).expect("links");
        let file = AuthFile::hold(home.path(), &|| false).expect("free");
        file.replace(b"new").expect("writes");
        assert_eq!(fs::read(at("kept/login.json")).expect("reads"), b"new");
        assert_eq!(fs::read(at("twin")).expect("reads"), b"old");
        for link in ["auth.json", "kept/link.json"] {
            let meta = fs::symlink_metadata(at(link)).expect("looks");
            assert!(meta.is_symlink(), "{link}");
        }
        let mode = |name: &str| fs::metadata(at(name)).expect("looks").permissions().mode() & 0o777;
        assert_eq!(mode("kept/login.json"), 0o600);
        // As Codex names it.
        assert_eq!(mode("kept/login.json.lock"), 0o600);
        assert!(!at("auth.json.lock").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nowhere_is_refused_and_one_to_a_file_to_be_is_not() {
        use std::os::unix::fs::symlink;
        let home = home();
        let auth = home.path().join("auth.json");
        let refused = || {
            let error = AuthFile::hold(home.path(), &|| false).expect_err("refused");
            error.to_string()
        };
        symlink("gone/auth.json", &auth).expect("links");
        assert!(refused().contains("is a link to where no directory is"));
        fs::remove_file(&auth).expect("removes");
        symlink("auth.json", &auth).expect("links");
        assert!(refused().contains("leads in a circle"));
        fs::remove_file(&auth).expect("removes");
        fs::create_dir(&auth).expect("makes");
        assert!(refused().contains("is no file"));
        fs::remove_dir(&auth).expect("removes");
        symlink("login.json", &auth).expect("links");
        let file = AuthFile::hold(home.path(), &|| false).expect("free");
        file.replace(b"new").expect("writes");
        assert_eq!(
            fs::read(home.path().join("login.json")).expect("reads"),
            b"new"
        );
    }

    #[test]
    fn a_stop_ends_the_wait_for_a_lock() {
        let home = home();
        let _held = AuthFile::hold(home.path(), &|| false).expect("free");
        let error = AuthFile::hold(home.path(), &|| true).expect_err("held");
        assert_eq!(error.kind(), Kind::Interrupted);
    }
}

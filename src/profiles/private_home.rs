//! A Codex home of our own below the manager home's `tmp/`, where Codex works with one login and nobody else does: it asks
//! with a copy of a kept one, or signs somebody in.
//!
//! What stands in it may be the only login there is: Codex may have renewed it, and then the kept one is dead. So it is kept
//! in its profile before the home is removed, by whoever made it, or after that was killed by whoever holds the manager
//! home's lock next. Its name says what it is; as long as anybody works in it, its lock is held.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::credentials::{self, Incoming, Kept};
use crate::codex::auth::Login;
use crate::codex::home::{self, AUTH_JSON, CONFIG_TOML};
use crate::codex::{private, running};
use crate::error::{Error, Result};
use crate::fsutil;
use crate::lock::{DirLock, Lock};
use crate::metadata::Account;
use crate::timeutil::Stamp;

/// What the file is called that tells which logins the one that comes to stand in a home replaces, by their SHA-256.
const GIVEN: &str = ".codex-manager-given";

/// The largest settings file that is read, and the largest list of logins.
const MOST_SETTINGS: u64 = 4 << 20;

/// How many letters stand at the end of a home's name, so that it is no other's.
const RANDOM: usize = 6;

/// How long somebody may take to sign in: meanwhile an empty home is not removed, whoever seems to have left it.
const TO_SIGN_IN: Duration = Duration::from_hours(1);

/// What a home is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To ask with the kept login of a profile.
    Probe,
    /// To sign somebody in for a profile.
    Login,
}

impl Purpose {
    fn prefix(self) -> &'static str {
        match self {
            Self::Probe => "probe-",
            Self::Login => "login-",
        }
    }
}

/// One home, held. Dropped it stays, until it is taken in.
#[derive(Debug)]
pub struct PrivateHome {
    path: PathBuf,
    lock: DirLock,
    purpose: Purpose,
    profile: String,
}

/// What became of a login that stood in a home.
#[derive(Debug)]
pub enum Taken {
    /// There was none; the home is gone.
    Nothing,
    /// It is kept, and the home is gone.
    Kept {
        /// What it says.
        login: Box<Login>,
        /// The name of its profile.
        profile: String,
        /// Whether it was not there already, or a newer one.
        is_new: bool,
    },
    /// It cannot be kept, for the reason given, and stays where it is.
    Stays(String),
}

/// What logins are kept by.
pub struct Keeper<'a> {
    /// The profiles.
    pub profiles: &'a Path,
    /// The manager home's lock.
    pub lock: &'a Lock,
    /// The accounts there are.
    pub known: &'a dyn Fn() -> Vec<Account>,
    /// The latest instant that can be by now.
    pub latest: Stamp,
}

impl PrivateHome {
    /// Makes one below `tmp` for the profile of that name, with these settings and a copy of this login. What comes to stand
    /// in it replaces those of `replaced`, which are told by their SHA-256. The caller holds the manager home's lock, so that
    /// nobody takes it for one that was left.
    pub fn make(
        tmp: &Path,
        _lock: &Lock,
        (purpose, profile): (Purpose, &str),
        settings: &str,
        (replaced, auth_json): (&[String], Option<&[u8]>),
    ) -> Result<Self> {
        fsutil::create_private_dir(tmp)?;
        let prefix = format!("{}{profile}-", purpose.prefix());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).rand_bytes(RANDOM);
        let made = builder.tempdir_in(tmp);
        let made = made.map_err(|error| Error::io("make a directory in", tmp, error))?;
        let lock = DirLock::try_acquire(made.path())?.ok_or_else(|| {
            Error::other(
                format!("`{}` is held by another process", made.path().display()),
                "run the command again",
            )
        })?;
        fsutil::write_atomically(&made.path().join(CONFIG_TOML), settings.as_bytes())?;
        fsutil::write_atomically(&made.path().join(GIVEN), replaced.join("\n").as_bytes())?;
        if let Some(bytes) = auth_json {
            fsutil::write_atomically(&made.path().join(AUTH_JSON), bytes)?;
        }
        fsutil::sync_dir(tmp)?;
        Ok(Self {
            path: made.keep(),
            lock,
            purpose,
            profile: profile.to_owned(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Has every program that is started from now on hold it too, so that it is not taken for one that was left as long
    /// as any of them runs.
    pub fn pass_on(&self) {
        self.lock.pass_on();
    }

    /// Keeps the login that stands in it, and removes it.
    pub fn take_in(self, keeper: &Keeper) -> Taken {
        // On Windows an open file would be in the way of removing it; whoever looked for what was left needs the lock that
        // the keeper has.
        drop(self.lock);
        take_in(&self.path, self.purpose, &self.profile, keeper)
    }
}

/// The settings of a home of our own, given the person's Codex home.
pub fn settings(codex_home: &Path) -> Result<String> {
    let path = codex_home.join(CONFIG_TOML);
    let persons = fsutil::read_if_present(&path, MOST_SETTINGS)?;
    private::settings(persons.as_deref()).map_err(|why| {
        Error::other(
            format!("`{}` cannot be read: {why}", path.display()),
            "mend it: it may say how to reach ChatGPT",
        )
    })
}

/// Whether there is any home below `tmp`: a killed run may have left it.
pub fn is_any(tmp: &Path) -> bool {
    let mut listing = fs::read_dir(tmp).into_iter().flatten().flatten();
    listing.any(|entry| entry.file_name().to_str().and_then(parts_of).is_some())
}

/// Every home below `tmp`.
pub fn all_in(tmp: &Path) -> Vec<PathBuf> {
    let homes = homes_in(tmp).into_iter();
    homes.map(|(path, ..)| path).collect()
}

/// The homes below `tmp` that [`take_in_all`] would take in.
pub fn left_in(tmp: &Path) -> Vec<PathBuf> {
    let homes = homes_in(tmp).into_iter();
    let left =
        homes.filter(|(path, purpose, _)| !DirLock::is_held(path) && is_left(path, *purpose));
    left.map(|(path, ..)| path).collect()
}

/// Whether nobody works in a home that nobody holds.
fn is_left(path: &Path, purpose: Purpose) -> bool {
    // One that outlived whoever started it, where it does not hold the lock itself.
    let is_young = || {
        let meta = fs::metadata(path);
        meta.is_ok_and(|meta| fsutil::is_older_than(&meta, TO_SIGN_IN) != Some(true))
    };
    let is_awaited = purpose == Purpose::Login && !has_login(path) && is_young();
    !is_awaited && !running::look(path, None).is_any()
}

/// Whether a login stands in a home.
pub fn has_login(path: &Path) -> bool {
    !matches!(fsutil::exists(&path.join(AUTH_JSON)), Ok(false))
}

/// Whether a directory of such a name is one of ours, and not what somebody else put there: the list of logins was written
/// into it, a login stands in it, or nothing does but what is written before.
fn is_ours(path: &Path) -> bool {
    let has_list = || matches!(fsutil::exists(&path.join(GIVEN)), Ok(true));
    let is_first = |entry: fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name == DirLock::NAME || name == CONFIG_TOML || fsutil::is_temporary(&name)
    };
    let is_bare = || fs::read_dir(path).is_ok_and(|listing| listing.flatten().all(is_first));
    has_login(path) || has_list() || is_bare()
}

/// Every home below `tmp`, what it is for, and of which profile; sorted.
fn homes_in(tmp: &Path) -> Vec<(PathBuf, Purpose, String)> {
    let listing = fs::read_dir(tmp).into_iter().flatten().flatten();
    let mut homes: Vec<_> = listing
        .filter_map(|entry| {
            let name = entry.file_name();
            let (purpose, profile) = parts_of(name.to_str()?)?;
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let is_home = is_dir && is_ours(&entry.path());
            is_home.then(|| (entry.path(), purpose, profile.to_owned()))
        })
        .collect();
    homes.sort_by(|one, two| one.0.cmp(&two.0));
    homes
}

/// Takes in every home below `tmp` that a killed run left; one that is still worked in stays.
pub fn take_in_all(tmp: &Path, keeper: &Keeper) -> Vec<Taken> {
    let mut taken = Vec::new();
    for (path, purpose, profile) in homes_in(tmp) {
        match DirLock::try_acquire(&path) {
            Ok(None) => continue,
            Ok(Some(_)) => {}
            Err(error) => {
                taken.push(Taken::Stays(error.to_string()));
                continue;
            }
        }
        if is_left(&path, purpose) {
            taken.push(take_in(&path, purpose, &profile, keeper));
        }
    }
    taken
}

/// What a home of that name is for, and of which profile; None for anything else.
fn parts_of(name: &str) -> Option<(Purpose, &str)> {
    let (purpose, rest) = [Purpose::Probe, Purpose::Login]
        .into_iter()
        .find_map(|purpose| Some((purpose, name.strip_prefix(purpose.prefix())?)))?;
    let (profile, random) = rest.rsplit_once('-')?;
    (random.len() == RANDOM && !profile.is_empty()).then_some((purpose, profile))
}

fn take_in(path: &Path, purpose: Purpose, profile: &str, keeper: &Keeper) -> Taken {
    let stays = |why: &str| {
        Taken::Stays(format!(
            "the login in `{}` is not kept in a profile: {why}; it stays there until you move it away",
            path.display()
        ))
    };
    let (bytes, login) = match home::read_login(path) {
        Ok(Some(login)) => login,
        Ok(None) => {
            remove(path);
            return Taken::Nothing;
        }
        Err(error) => return stays(&error.to_string()),
    };
    let given = fsutil::read_if_present(&path.join(GIVEN), MOST_SETTINGS);
    let given = given.ok().flatten();
    let given = given.and_then(|bytes| String::from_utf8(bytes).ok());
    let given: Vec<&str> = given.iter().flat_map(|given| given.lines()).collect();
    let incoming = Incoming {
        bytes: &bytes,
        login: &login,
        name: (purpose == Purpose::Login).then_some(profile),
        replaces: &given,
    };
    let tried = credentials::keep_incoming(
        keeper.profiles,
        keeper.lock,
        &incoming,
        keeper.known,
        keeper.latest,
    );
    let kept = |profile, is_new| {
        remove(path);
        Taken::Kept {
            login: Box::new(login.clone()),
            profile,
            is_new,
        }
    };
    match tried {
        Ok(Kept::Written(profile)) => kept(profile, true),
        Ok(Kept::Already(profile)) => kept(profile, false),
        Ok(Kept::Refused(why)) => stays(&why),
        Err(error) => stays(&error.to_string()),
    }
}

/// Removes a home whose login is kept. What cannot be removed now the next run takes in again. One that lacks the list of
/// logins Codex never worked in: what else stands there nobody wrote who is known, and it stays.
fn remove(path: &Path) {
    let _ = fs::remove_file(path.join(AUTH_JSON));
    if matches!(fsutil::exists(&path.join(GIVEN)), Ok(true)) {
        let _ = fs::remove_dir_all(path);
        return;
    }
    fsutil::sweep(path);
    for name in [CONFIG_TOML, DirLock::NAME] {
        let _ = fs::remove_file(path.join(name));
    }
    let _ = fs::remove_dir(path);
}

#[cfg(test)]
mod tests;

//! `profiles/<name>/profile.toml`: what a person says of an account: its alias, whether it is paused. Beside it stands the
//! account's login, see [`credentials`].

pub mod credentials;
pub mod edit;
pub mod in_use;
pub mod last_use;
pub mod names;
pub mod private_home;
pub mod view;

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Deserializer};

use crate::codex::auth::{self, Login};
use crate::codex::home::AUTH_JSON;
use crate::error::{Error, Result};
use crate::fsutil;
use crate::metadata::Account;
use crate::settings::MOST_HOURS;
use crate::timeutil::Stamp;

pub use names::meant;

/// What a profile says stands in this file.
pub const PROFILE_TOML: &str = "profile.toml";

/// The largest profile that is read.
pub const MOST_BYTES: u64 = 1 << 20;

/// What the directory of a profile that is being removed is called first.
const REMOVED_PREFIX: &str = ".codex-manager-tmp-removed-";

/// One account's profile.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// The directory's name.
    #[serde(skip)]
    pub name: String,
    /// The account's email.
    pub email: Option<String>,
    /// Its user.
    pub user_id: Option<String>,
    /// Its workspace.
    pub account_id: Option<String>,
    /// Its plan, as the kept login names it.
    pub plan_type: Option<String>,
    /// A short name to type instead of the email.
    pub alias: Option<String>,
    /// Not to be recommended.
    pub paused: bool,
    /// Anything worth remembering.
    pub note: Option<String>,
    /// Assumed hours of its legacy sessions.
    #[serde(deserialize_with = "hours")]
    pub session_duration_hours: Option<f64>,
    /// What the machine is called that it was used on last.
    pub last_used_on: Option<String>,
    /// That machine's id, as its manager home has it.
    pub last_used_machine: Option<String>,
    /// When that was first seen on that day.
    pub last_used_at: Option<Stamp>,
}

fn hours<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let hours = f64::deserialize(deserializer)?;
    if (0.0..=MOST_HOURS).contains(&hours) {
        return Ok(Some(hours));
    }
    Err(serde::de::Error::custom(
        "`session_duration_hours` takes a number of hours from 0 to 8784",
    ))
}

impl Profile {
    /// Whose profile it is.
    pub fn account(&self) -> Account {
        Account {
            email: self.email.clone(),
            user_id: self.user_id.clone(),
            account_id: self.account_id.clone(),
        }
    }

    /// What its account is called: the email, for an API key its id.
    pub fn called(&self) -> Option<&str> {
        self.email.as_deref().or(self.user_id.as_deref())
    }
}

/// A profile's directory, whatever stands in it.
#[derive(Debug)]
pub struct Found {
    /// What `profile.toml` says. Where that cannot be used: the name, and whom the login names.
    pub profile: Profile,
    /// Whether there is a `profile.toml`.
    pub is_told: bool,
    /// Why the `profile.toml` there is cannot be used.
    pub broken: Option<String>,
    /// The login, None where there is none; the error says why it cannot be used.
    pub login: Result<Option<Login>, String>,
}

impl Found {
    /// Whose it is; where the profile does not say that exactly, as the login in it does.
    pub fn account(&self) -> Account {
        let account = self.profile.account();
        let login = self.login.as_ref().ok().and_then(Option::as_ref);
        match login.filter(|_| !account.is_exact()) {
            Some(login) => login.account.clone(),
            None => account,
        }
    }

    /// What is wrong with it, in words.
    pub fn problems(&self) -> impl Iterator<Item = &String> {
        self.broken.iter().chain(self.login.as_ref().err())
    }
}

/// All profiles under `dir`, by name, and what is wrong with those that cannot be read.
pub fn load_all(dir: &Path) -> (Vec<Profile>, Vec<String>) {
    load_each(dir, false)
}

/// The same for who does not write them: of one that is not all sound, what is.
pub fn load_all_as_far(dir: &Path) -> (Vec<Profile>, Vec<String>) {
    load_each(dir, true)
}

fn load_each(dir: &Path, as_far: bool) -> (Vec<Profile>, Vec<String>) {
    let mut profiles = Vec::new();
    let mut broken = Vec::new();
    let names = list(dir).unwrap_or_else(|error| {
        broken.push(format!("{error}; what the profiles say is left out"));
        Vec::new()
    });
    for name in names {
        let place = dir.join(&name);
        let name = name.to_string_lossy().into_owned();
        let path = place.join(PROFILE_TOML);
        let read = read(&path).and_then(|bytes| {
            let Some(bytes) = bytes else { return Ok(None) };
            match of_bytes(&path, &bytes) {
                Ok(profile) => Ok(Some(profile)),
                Err(reason) => match rest_of(&bytes).filter(|_| as_far) {
                    Some(rest) => {
                        broken.push(format!("{reason}; the rest of it counts"));
                        Ok(Some(rest))
                    }
                    None => Err(reason),
                },
            }
        });
        match read {
            Ok(profile) => profiles.extend(profile.map(|profile| Profile { name, ..profile })),
            Err(reason) => broken.push(reason),
        }
    }
    profiles.sort_by(|a, b| a.name.cmp(&b.name));
    broken.sort();
    (profiles, broken)
}

/// What stands in `dir` beside what is temporary; nothing where it is not there.
fn list(dir: &Path) -> Result<Vec<OsString>> {
    let failed =
        |error| Error::io("list", dir, error).with_hint("mend its permissions, or move it away");
    let listing = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing.map_err(failed)?,
    };
    let mut names = Vec::new();
    for entry in listing {
        let name = entry.map_err(failed)?.file_name();
        if !fsutil::is_temporary(&name.to_string_lossy()) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The `profile.toml` in `place`; None where there is none. The error says what is wrong with it.
fn load(place: &Path, name: String) -> Result<Option<Profile>, String> {
    let path = place.join(PROFILE_TOML);
    let Some(bytes) = read(&path)? else {
        return Ok(None);
    };
    let profile = of_bytes(&path, &bytes)?;
    Ok(Some(Profile { name, ..profile }))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    match fsutil::read_if_present(path, MOST_BYTES) {
        // A file that lies among the profiles is none.
        Err(error) if error.io_kind() == Some(ErrorKind::NotADirectory) => Ok(None),
        bytes => bytes.map_err(|error| error.to_string()),
    }
}

fn of_bytes(path: &Path, bytes: &[u8]) -> Result<Profile, String> {
    toml::from_slice(bytes).map_err(|error| {
        format!(
            "the profile `{}` cannot be read: {}",
            path.display(),
            error.message()
        )
    })
}

/// What a profile that cannot be read says: each key that a profile has, with a value that fits. None where that is nothing.
fn rest_of(bytes: &[u8]) -> Option<Profile> {
    let said = toml::from_slice::<toml::Table>(bytes).ok()?;
    let fits = |(key, value): &(String, toml::Value)| {
        let alone = toml::Table::from_iter([(key.clone(), value.clone())]);
        alone.try_into::<Profile>().is_ok()
    };
    let rest: toml::Table = said.into_iter().filter(fits).collect();
    if rest.is_empty() {
        return None;
    }
    rest.try_into().ok()
}

/// Every directory under `dir` that holds a `profile.toml` or a login, by name, whether or not these can be used.
pub fn look(dir: &Path) -> Result<Vec<Found>> {
    let names = list(dir)?.into_iter();
    let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    names.sort();
    let mut found = Vec::new();
    for name in names {
        let place = dir.join(&name);
        // One that cannot be looked into is told of when it is read.
        let stands = |file| fsutil::exists(&place.join(file)).unwrap_or(true);
        let is_told = stands(PROFILE_TOML);
        if is_told || stands(AUTH_JSON) {
            found.push(look_in(&place, name, is_told));
        }
    }
    Ok(found)
}

fn look_in(place: &Path, name: String, is_told: bool) -> Found {
    let path = place.join(AUTH_JSON);
    let told = |why: &str| format!("the kept login `{}` cannot be used: {why}", path.display());
    let mut login = match fsutil::read_if_present(&path, auth::MOST_BYTES) {
        Ok(Some(bytes)) => auth::parse(&bytes).map(Some).map_err(|why| told(&why)),
        Ok(None) => Ok(None),
        Err(error) => Err(told(&error.to_string())),
    };
    let (loaded, broken) = match load(place, name.clone()) {
        Ok(loaded) => (loaded, None),
        Err(reason) => (None, Some(reason)),
    };
    let profile = loaded.unwrap_or_else(|| {
        let of = login.as_ref().ok().and_then(Option::as_ref);
        let account = of.map(|login| login.account.clone()).unwrap_or_default();
        Profile {
            name,
            email: account.email,
            user_id: account.user_id,
            account_id: account.account_id,
            plan_type: of.and_then(|login| login.plan_type.clone()),
            ..Profile::default()
        }
    });
    let account = profile.account();
    let is_anothers = |login: &Login| login.account.contradicts(&account);
    if login
        .as_ref()
        .is_ok_and(|login| login.as_ref().is_some_and(is_anothers))
    {
        login = Err(told(&format!("it is of another account than {account}")));
    }
    Found {
        profile,
        is_told,
        broken,
        login,
    }
}

/// Assumed hours of the legacy sessions of `email`, as the one profile of that email says.
pub fn hours_of(profiles: &[Profile], email: &str) -> Option<f64> {
    let mut of_email = profiles.iter().filter(|profile| {
        let named = profile.email.as_deref();
        named.is_some_and(|named| named.eq_ignore_ascii_case(email))
    });
    match (of_email.next(), of_email.next()) {
        (Some(only), None) => only.session_duration_hours,
        _ => None,
    }
}

/// Removes the profile `name` under `dir` with all that is in it. From the first step on it is no profile any more; what a
/// killed run leaves of it [`sweep`] removes. The caller holds the manager home's lock.
pub fn remove(dir: &Path, name: &str) -> Result<()> {
    let aside = dir.join(format!("{REMOVED_PREFIX}{name}"));
    fsutil::rename_or_stay(&dir.join(name), &aside)?;
    clear(&aside).map_err(|error| {
        let hint = format!("remove what is left of it: `{}`", aside.display());
        Error::io("remove all of", &aside, error).with_hint(hint)
    })
}

/// Removes what killed runs left of profiles that they removed or wrote: it may hold tokens. The caller holds the manager
/// home's lock. Best effort.
pub fn sweep(dir: &Path) {
    let listing = fs::read_dir(dir).into_iter().flatten().flatten();
    for entry in listing {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(REMOVED_PREFIX) {
            let _ = clear(&entry.path());
        } else {
            fsutil::sweep(&entry.path());
            // One that was made and not filled: only what is empty can be removed like this.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// A link goes alone; what it leads to is another's.
fn clear(path: &Path) -> std::io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_read_by_name_and_broken_ones_told() {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, text) in [
            (
                "work",
                "email = \"alice@example.com\"\nalias = \"work\"\npaused = true\n",
            ),
            ("home", "email = \"bob@example.com\"\n"),
            ("odd", "pausd = true\n"),
        ] {
            fs::create_dir(dir.path().join(name)).expect("makes");
            fs::write(dir.path().join(name).join("profile.toml"), text).expect("writes");
        }
        let (profiles, broken) = load_all(dir.path());
        let names: Vec<_> = profiles
            .iter()
            .map(|profile| (profile.name.as_str(), profile.paused))
            .collect();
        assert_eq!(names, [("home", false), ("work", true)]);
        assert!(
            broken.len() == 1 && broken[0].contains("unknown field `pausd`"),
            "{broken:?}"
        );
    }

    #[test]
    fn of_one_that_is_not_all_sound_the_rest_counts_for_who_only_reads() {
        let dir = tempfile::tempdir().expect("a directory");
        let text = "email = \"alice@example.com\"\npaused = true\ncolour = \"x\"\nnote = 3\n";
        for (name, text) in [("alice", text), ("odd", "colour = 1\n"), ("torn", "paused")] {
            fs::create_dir(dir.path().join(name)).expect("makes");
            fs::write(dir.path().join(name).join("profile.toml"), text).expect("writes");
        }
        let (profiles, broken) = load_all_as_far(dir.path());
        let alice = Profile {
            name: "alice".to_owned(),
            email: Some("alice@example.com".to_owned()),
            paused: true,
            ..Profile::default()
        };
        assert_eq!(profiles, [alice]);
        let counts: Vec<_> = broken
            .iter()
            .map(|why| why.ends_with("; the rest of it counts"))
            .collect();
        assert_eq!(counts, [true, false, false], "{broken:?}");
        assert_eq!(load_all(dir.path()).0, []);
    }

    #[test]
    fn a_directory_that_cannot_be_listed_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("profiles");
        assert_eq!(load_all(&file), (Vec::new(), Vec::new()));
        fs::write(&file, "").expect("writes");
        let (profiles, broken) = load_all(&file);
        assert!(profiles.is_empty());
        assert!(
            broken[0].ends_with("; what the profiles say is left out"),
            "{broken:?}"
        );
        assert!(look(&file).is_err());
    }
}

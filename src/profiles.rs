//! `profiles/<name>/profile.toml`: what a person says of an account: its alias, whether it is paused. Beside it stands the
//! account's login, see [`credentials`].

pub mod credentials;
pub mod edit;
pub mod in_use;
pub mod last_use;
pub mod names;
pub mod private_home;
pub mod view;

use std::fs;
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
    let mut profiles = Vec::new();
    let mut broken = Vec::new();
    let Ok(listing) = fs::read_dir(dir) else {
        return (profiles, broken);
    };
    for entry in listing {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                broken.push(Error::io("list", dir, error).to_string());
                break;
            }
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        if fsutil::is_temporary(&name) {
            continue;
        }
        match load(&entry.path(), name) {
            Ok(profile) => profiles.extend(profile),
            Err(reason) => broken.push(reason),
        }
    }
    profiles.sort_by(|a, b| a.name.cmp(&b.name));
    broken.sort();
    (profiles, broken)
}

/// The `profile.toml` in `place`; None where there is none. The error says what is wrong with it.
fn load(place: &Path, name: String) -> Result<Option<Profile>, String> {
    let path = place.join(PROFILE_TOML);
    let bytes = match fsutil::read_if_present(&path, MOST_BYTES) {
        // A file that lies among the profiles is none.
        Err(error) if error.io_kind() == Some(std::io::ErrorKind::NotADirectory) => None,
        bytes => bytes.map_err(|error| error.to_string())?,
    };
    let Some(bytes) = bytes else {
        return Ok(None);
    };
    let profile = toml::from_slice::<Profile>(&bytes).map_err(|error| {
        format!(
            "the profile `{}` cannot be read: {}",
            path.display(),
            error.message()
        )
    })?;
    Ok(Some(Profile { name, ..profile }))
}

/// Every directory under `dir` that holds a `profile.toml` or a login, by name, whether or not these can be used.
pub fn look(dir: &Path) -> Result<Vec<Found>> {
    if !fsutil::exists(dir)? {
        return Ok(Vec::new());
    }
    let listing = fs::read_dir(dir).map_err(|error| Error::io("list", dir, error))?;
    let mut names = Vec::new();
    for entry in listing {
        let entry = entry.map_err(|error| Error::io("list", dir, error))?;
        names.extend(entry.file_name().into_string().ok());
    }
    names.retain(|name| !fsutil::is_temporary(name));
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
}

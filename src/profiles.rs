//! `profiles/<name>/profile.toml`: what a person says of an account: its alias, whether it is paused. Beside it stands the
//! account's login, see [`credentials`].

pub mod credentials;
pub mod in_use;
pub mod names;

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::fsutil;
use crate::metadata::Account;

#[allow(unused_imports)] // of commands that are to come
pub use names::meant;

/// The largest profile that is read.
const MOST_BYTES: u64 = 1 << 20;

/// One account's profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
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
    /// Its plan when the profile was made.
    pub plan_type: Option<String>,
    /// A short name to type instead of the email.
    pub alias: Option<String>,
    /// Not to be recommended.
    pub paused: bool,
    /// Anything worth remembering.
    pub note: Option<String>,
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

/// All profiles under `dir`, by name, and what is wrong with those that cannot be read.
pub fn load_all(dir: &Path) -> (Vec<Profile>, Vec<String>) {
    let mut profiles = Vec::new();
    let mut broken = Vec::new();
    let Ok(listing) = fs::read_dir(dir) else {
        return (profiles, broken);
    };
    for entry in listing.flatten() {
        let path = entry.path().join("profile.toml");
        let bytes = match fsutil::read_if_present(&path, MOST_BYTES) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => continue,
            Err(error) => {
                broken.push(error.to_string());
                continue;
            }
        };
        match toml::from_slice::<Profile>(&bytes) {
            Ok(profile) => {
                profiles.push(Profile {
                    name: entry.file_name().to_string_lossy().into_owned(),
                    ..profile
                });
            }
            Err(error) => broken.push(format!(
                "the profile `{}` cannot be read: {}",
                path.display(),
                error.message()
            )),
        }
    }
    profiles.sort_by(|a, b| a.name.cmp(&b.name));
    broken.sort();
    (profiles, broken)
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

//! Which machine an account was used on last: Codex's refresh tokens work once, so as soon as one machine renews a login,
//! the copy of it on another no longer signs in.
//!
//! Stands in `profile.toml`, which is written only where the machine or the day is another one.

use std::path::Path;

use serde::{Deserialize, Serialize};
use toml_edit::Value;

use super::{MOST_BYTES, PROFILE_TOML, Profile, edit};
use crate::error::Result;
use crate::fsutil;
use crate::timeutil::Stamp;

/// When and on which machine an account was seen to be signed in last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    /// The machine's id: see [`crate::profiles::Profile::last_used_machine`].
    pub machine: String,
    /// What it is called.
    pub hostname: Option<String>,
    /// When.
    pub at: Stamp,
}

impl LastUse {
    /// What a profile says of it.
    pub fn of(profile: &Profile) -> Option<Self> {
        Some(Self {
            machine: profile.last_used_machine.clone()?,
            hostname: profile.last_used_on.clone(),
            at: profile.last_used_at?,
        })
    }

    /// The machine, for a person.
    pub fn place(&self) -> &str {
        self.hostname.as_deref().unwrap_or(&self.machine)
    }

    /// Whether to note it beside `before`: on another machine or day, and later; what is from after `latest` is of a clock
    /// that was wrong.
    fn is_news(&self, before: &Self, latest: Stamp) -> bool {
        let is_same = (&self.machine, &self.hostname) == (&before.machine, &before.hostname)
            && self.at.date() == before.at.date();
        before.at > latest || (!is_same && self.at > before.at)
    }

    /// Which of the two is the later one, so that every machine says the same.
    pub fn is_after(&self, other: &Self, latest: Stamp) -> bool {
        let rank = |one: &Self| (one.at <= latest, one.at, one.machine.clone());
        rank(self) > rank(other)
    }
}

/// `text`, a `profile.toml`, with this use in place of any other.
pub fn set(mut text: String, used: &LastUse) -> std::result::Result<String, String> {
    let hostname = used.hostname.as_deref().map(Value::from);
    let lines = [
        ("last_used_on", hostname),
        ("last_used_machine", Some(used.machine.as_str().into())),
        ("last_used_at", Some(used.at.to_string().into())),
    ];
    for (key, value) in lines {
        text = edit::with(&text, key, value.as_ref())?;
    }
    Ok(text)
}

/// Notes a use in the profile of that name below `dir`. One whose `profile.toml` is missing or broken is left alone: whoever
/// keeps logins tells of it. The caller holds the manager home's lock.
pub fn note(dir: &Path, name: &str, used: &LastUse, latest: Stamp) -> Result<()> {
    let path = fsutil::real(&dir.join(name).join(PROFILE_TOML));
    let Some(bytes) = fsutil::read_if_present(&path, MOST_BYTES)? else {
        return Ok(());
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return Ok(());
    };
    let Ok(profile) = toml::from_str::<Profile>(&text) else {
        return Ok(());
    };
    if LastUse::of(&profile).is_some_and(|before| !used.is_news(&before, latest)) {
        return Ok(());
    }
    match set(text, used) {
        Ok(text) => fsutil::write_atomically(&path, text.as_bytes()),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn used(machine: &str, at: &str) -> LastUse {
        LastUse {
            machine: machine.to_owned(),
            hostname: Some(format!("host-{machine}")),
            at: Stamp::parse(at).expect("a time"),
        }
    }

    #[test]
    fn it_is_written_once_a_day_and_where_the_machine_is_another_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("alice").join(PROFILE_TOML);
        fs::create_dir(dir.path().join("alice")).expect("makes");
        fs::write(&path, "# mine\nalias = 'al' # short\n").expect("writes");
        let latest = Stamp::parse("2026-04-30T00:00:00Z").expect("a time");
        let noted = |machine: &str, at: &str| {
            let used = used(machine, at);
            note(dir.path(), "alice", &used, latest).expect("notes");
            let text = fs::read_to_string(&path).expect("reads");
            let profile: Profile = toml::from_str(&text).expect("a profile");
            assert!(text.starts_with("# mine\nalias = 'al' # short\n"), "{text}");
            let last = LastUse::of(&profile).expect("noted");
            assert_eq!(last.place(), format!("host-{}", last.machine));
            format!("{} {}", last.machine, last.at)
        };
        for (machine, at, wanted) in [
            ("a", "2026-04-14T10:00:00Z", "a 2026-04-14T10:00:00+00:00"),
            ("a", "2026-04-14T23:00:00Z", "a 2026-04-14T10:00:00+00:00"),
            ("a", "2026-04-15T01:00:00Z", "a 2026-04-15T01:00:00+00:00"),
            ("b", "2026-04-15T02:00:00Z", "b 2026-04-15T02:00:00+00:00"),
            // A clock that went back, and one that was far ahead.
            ("a", "2026-04-15T01:30:00Z", "b 2026-04-15T02:00:00+00:00"),
            ("a", "2027-01-01T00:00:00Z", "a 2027-01-01T00:00:00+00:00"),
            ("b", "2026-04-16T00:00:00Z", "b 2026-04-16T00:00:00+00:00"),
        ] {
            assert_eq!(noted(machine, at), wanted);
        }
        fs::write(&path, "odd").expect("writes");
        note(
            dir.path(),
            "alice",
            &used("a", "2026-04-17T00:00:00Z"),
            latest,
        )
        .expect("leaves it");
        note(
            dir.path(),
            "bob",
            &used("a", "2026-04-17T00:00:00Z"),
            latest,
        )
        .expect("leaves it");
        assert_eq!(fs::read(&path).expect("reads"), b"odd");
        assert!(!dir.path().join("bob").exists());
    }
}

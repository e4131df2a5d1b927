//! `cooldown.json`: the newest observation of every account's window.
//!
//! A broken file is set aside under another name, never emptied. The Python 23.0.0 keeps a file of the same name, a
//! map by email: it is read, and kept beside as `cooldown.python.json` when this program first writes its own.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Result;
use crate::fsutil;
use crate::metadata::{Account, StatusSource, ValidationStatus, WindowState};
use crate::observation::{Observation, is_python_report};
use crate::timeutil::{SessionStart, Stamp};

/// The largest registry that is read.
const MOST_BYTES: u64 = 64 << 20;

/// One account's entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Whose window.
    #[serde(flatten)]
    pub account: Account,
    /// Its newest observation.
    pub observation: Observation,
    /// What this version does not know, kept.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// The file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    /// One for each account.
    pub entries: Vec<Entry>,
    rest: Map<String, Value>,
    of_python: bool,
}

/// A registry that could not be read, and why.
#[derive(Debug)]
pub struct Broken {
    /// What is wrong with it.
    pub reason: String,
}

impl Registry {
    /// Reads the file; a missing one is empty.
    pub fn load(path: &Path) -> Result<Self, Broken> {
        match fsutil::read_if_present(path, MOST_BYTES) {
            Ok(None) => Ok(Self::default()),
            Ok(Some(bytes)) => Self::parse(&bytes).map_err(|reason| Broken { reason }),
            Err(error) => Err(Broken {
                reason: error.to_string(),
            }),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let document: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|error| place(&error))?;
        if document.contains_key("accounts") {
            let mut rest = document;
            let accounts = rest.remove("accounts").unwrap_or_default();
            let entries = serde_json::from_value(accounts)
                .map_err(|_| "an account in it is no account".to_owned())?;
            return Ok(Self {
                entries,
                rest,
                of_python: false,
            });
        }
        let entries = document
            .iter()
            .filter_map(|(email, value)| python_entry(email, value))
            .collect();
        let is_python = |(name, value): (&String, &Value)| {
            name.starts_with('_') || value["updated_at"].is_string()
        };
        if !document.iter().all(is_python) {
            return Err("it is no registry".to_owned());
        }
        Ok(Self {
            entries,
            rest: Map::new(),
            of_python: !document.is_empty(),
        })
    }

    /// The entry of exactly this account, or the only one that may be it.
    fn position(&self, account: &Account) -> Option<usize> {
        if let Some(index) = self
            .entries
            .iter()
            .position(|entry| entry.account == *account)
        {
            return Some(index);
        }
        let mut candidates =
            (0..self.entries.len()).filter(|index| self.entries[*index].account.may_be(account));
        let first = candidates.next()?;
        candidates.next().is_none().then_some(first)
    }

    /// Takes an observation in, unless a newer one is known.
    pub fn record(&mut self, account: &Account, observation: Observation) {
        match self.position(account) {
            Some(index) => {
                let entry = &mut self.entries[index];
                if account.is_exact() {
                    entry.account = account.clone();
                }
                if !entry.observation.outranks(&observation) {
                    entry.observation = observation;
                }
            }
            None => self.entries.push(Entry {
                account: account.clone(),
                observation,
                rest: Map::new(),
            }),
        }
        self.entries.sort_by(|a, b| a.account.cmp(&b.account));
    }

    /// Writes the file; one in the Python tool's form is kept beside it first.
    pub fn save(&self, path: &Path) -> Result<()> {
        if self.of_python {
            let bytes = fsutil::read_limited(path, MOST_BYTES)?;
            let free = (1..).map(|count| match count {
                1 => path.with_file_name("cooldown.python.json"),
                more => path.with_file_name(format!("cooldown.python-{more}.json")),
            });
            for aside in free {
                if !fsutil::exists(&aside)? {
                    fsutil::write_atomically(&aside, &bytes)?;
                    break;
                }
            }
        }
        let mut document = Map::new();
        document.insert("schema_version".into(), 1.into());
        for (key, value) in &self.rest {
            document.entry(key.clone()).or_insert_with(|| value.clone());
        }
        document.insert(
            "accounts".into(),
            serde_json::to_value(&self.entries).map_err(anyhow::Error::from)?,
        );
        let mut bytes = serde_json::to_vec_pretty(&document).map_err(anyhow::Error::from)?;
        bytes.push(b'\n');
        fsutil::write_atomically(path, &bytes)
    }
}

/// Moves a broken registry out of the way, keeping it. Where it stands now.
pub fn set_aside(path: &Path, now: Stamp) -> Result<PathBuf> {
    let base = format!("cooldown.json.broken-{}", now.file_name_form());
    let aside = (0..1000)
        .map(|n| {
            path.with_file_name(if n == 0 {
                base.clone()
            } else {
                format!("{base}-{n}")
            })
        })
        .find(|aside| fs::symlink_metadata(aside).is_err())
        .unwrap_or_else(|| path.with_file_name(base.clone()));
    fsutil::rename(path, &aside)?;
    Ok(aside)
}

/// What is wrong with a document, without quoting it.
fn place(error: &serde_json::Error) -> String {
    format!(
        "it is damaged in line {}, column {}",
        error.line(),
        error.column()
    )
}

/// An entry of the Python 23.0.0: by email, times as text, `updated_at` when it was observed.
fn python_entry(email: &str, value: &Value) -> Option<Entry> {
    if email.starts_with('_') {
        return None;
    }
    let stamp = |key: &str| value[key].as_str().and_then(Stamp::parse);
    let session_start_at = stamp("session_start_at").map(SessionStart);
    // It also wrote windows that it made up when it had failed to ask: those are no evidence.
    let quota_text = value["quota_text"].as_str().filter(|text| !text.is_empty());
    if session_start_at.is_none() || !is_python_report(quota_text) {
        return None;
    }
    let percent = value["quota_percent_left"]
        .as_u64()
        .and_then(|percent| u8::try_from(percent).ok());
    Some(Entry {
        account: Account::of_email(email),
        observation: Observation {
            source: StatusSource::Panel,
            observed_at: stamp("updated_at")?,
            session_start_at,
            reset_at: stamp("reset_at"),
            window_state: WindowState::Running,
            quota_percent_left: percent.filter(|percent| *percent <= 100),
            quota_text: quota_text.map(str::to_owned),
            limits: Vec::new(),
            quota_end_detected_at: None,
            is_guess: false,
            validation_status: ValidationStatus::Ok,
            plan_type: value["plan_type"]
                .as_str()
                .filter(|plan| *plan != "unknown")
                .map(str::to_owned),
        },
        rest: Map::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(at: &str) -> Observation {
        let stamp = Stamp::parse(at).expect("a time");
        Observation {
            source: StatusSource::StatusFile,
            observed_at: stamp,
            session_start_at: Some(SessionStart(stamp)),
            reset_at: None,
            window_state: WindowState::Running,
            quota_percent_left: Some(50),
            quota_text: None,
            limits: Vec::new(),
            quota_end_detected_at: None,
            is_guess: false,
            validation_status: ValidationStatus::Ok,
            plan_type: None,
        }
    }

    fn exact(email: &str, workspace: &str) -> Account {
        Account {
            email: Some(email.to_owned()),
            user_id: Some(format!("user-{email}")),
            account_id: Some(workspace.to_owned()),
        }
    }

    #[test]
    fn the_newest_observation_of_each_account_stays() {
        let mut registry = Registry::default();
        let (personal, team) = (
            exact("a@example.com", "ws-1"),
            exact("a@example.com", "ws-2"),
        );
        registry.record(&personal, observed("2026-04-14T00:00:00Z"));
        registry.record(&team, observed("2026-04-15T00:00:00Z"));
        registry.record(&personal, observed("2026-04-13T00:00:00Z"));
        assert_eq!(registry.entries.len(), 2);
        let entry = &registry.entries[registry.position(&personal).expect("known")];
        assert_eq!(
            entry.observation.observed_at.to_string(),
            "2026-04-14T00:00:00+00:00"
        );
        // The email alone is two accounts: neither is taken.
        assert_eq!(registry.position(&Account::of_email("a@example.com")), None);
    }

    #[test]
    fn it_reads_back_what_it_wrote_and_keeps_what_it_does_not_know() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("cooldown.json");
        let mut registry = Registry::default();
        registry.record(
            &exact("a@example.com", "ws-1"),
            observed("2026-04-14T00:00:00Z"),
        );
        registry.rest.insert("colour".into(), "green".into());
        registry.entries[0]
            .rest
            .insert("mood".into(), "fine".into());
        registry.save(&path).expect("saves");
        let read = Registry::load(&path).expect("whole");
        assert_eq!(read.entries, registry.entries);
        assert_eq!(read.rest["colour"], "green");
    }

    #[test]
    fn the_python_form_is_read_without_its_inventions_and_kept_beside() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("cooldown.json");
        let text = r#"{"_active_account":{"email":"a@example.com"},
            "a@example.com":{"reset_at":"2026-04-21T15:55:00+05:30","session_start_at":"2026-04-14T15:55:00+05:30",
              "quota_text":"66% left (resets 15:55 on 21 Apr)","quota_percent_left":66,"updated_at":"2026-04-15T10:00:00.123456+05:30"},
            "b@example.com":{"reset_at":"2026-04-21T15:55:00+05:30","session_start_at":"2026-04-14T15:55:00+05:30",
              "quota_text":"Status check failed: Timeout","updated_at":"2026-04-15T10:00:00+05:30"}}"#;
        fs::write(&path, text).expect("writes");
        let registry = Registry::load(&path).expect("whole");
        assert_eq!(registry.entries.len(), 1);
        assert_eq!(registry.entries[0].observation.quota_percent_left, Some(66));
        registry.save(&path).expect("saves");
        assert_eq!(
            fs::read_to_string(dir.path().join("cooldown.python.json")).expect("kept"),
            text
        );
    }

    #[test]
    fn a_broken_file_is_told_and_kept_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("cooldown.json");
        for text in ["", "{\"accounts\":[", "{\"accounts\":[{}]}", "[]"] {
            fs::write(&path, text).expect("writes");
            assert!(Registry::load(&path).is_err(), "{text}");
            let aside = set_aside(&path, Stamp::parse("2026-04-14T00:00:00Z").expect("a time"))
                .expect("moves");
            assert_eq!(fs::read_to_string(aside).expect("kept"), text);
            assert!(!path.exists());
        }
        assert_eq!(fs::read_dir(dir.path()).expect("lists").count(), 4);
    }
}

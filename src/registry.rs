//! `cooldown.json`: the newest observation of every account's window, what became of its windows before, who was
//! signed in to which Codex home when, and whose profiles were removed.
//!
//! A damaged file is set aside under another name, never emptied; one that cannot be opened, or that a newer version
//! wrote, is left alone and never written over. What of one that is whole cannot be read is kept as it is. The Python
//! 23.0.0 keeps a file of the same name, a map by email: it is read, and kept beside as `cooldown.python.json` when this
//! program first writes its own.

mod changes;
mod live;
mod merge;
mod removed;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::fsutil;
use crate::metadata::{Account, StatusSource, ValidationStatus, WindowState, is_python_report};
use crate::observation::Observation;
use crate::timeutil::{SessionStart, Stamp};

pub use changes::Change;
pub use live::{Attribution, Live, same_login};
pub use merge::Outcome;
use removed::Removed;

/// The largest registry that is read.
const MOST_BYTES: u64 = 64 << 20;

/// The form that is written, and the newest that is read.
const SCHEMA_VERSION: u64 = 1;

/// One account's entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Whose window.
    #[serde(flatten)]
    pub account: Account,
    /// Its newest observation.
    pub observation: Observation,
    /// Every change of its window that was observed, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// What this version does not know, kept.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// The file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    /// One for each account.
    pub entries: Vec<Entry>,
    /// Who was signed in to which Codex home, oldest first for each home.
    pub live: Vec<Live>,
    removed: Vec<Removed>,
    rest: Map<String, Value>,
    of_python: bool,
    unread: Unread,
    stays: bool,
}

/// Entries that this version cannot read, as they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Unread {
    accounts: Vec<Value>,
    live: Vec<Value>,
    removed: Vec<Value>,
}

/// A registry that could not be read, and why.
#[derive(Debug)]
pub struct Broken {
    /// What is wrong with it.
    pub reason: String,
    /// Whether it will never be read: else it cannot be opened, or a newer version wrote it.
    pub is_damaged: bool,
}

impl Registry {
    /// Reads the file; a missing one is empty.
    pub fn load(path: &Path) -> Result<Self, Broken> {
        match fsutil::read_if_present(path, MOST_BYTES) {
            Ok(None) => Ok(Self::default()),
            Ok(Some(bytes)) => Self::parse(&bytes),
            Err(error) => Err(Broken {
                reason: error.to_string(),
                is_damaged: false,
            }),
        }
    }

    /// An empty one, in the place of one that could not be read and that is never written over.
    pub fn beside_one_that_stays() -> Self {
        Self {
            stays: true,
            ..Self::default()
        }
    }

    /// How many entries of it this version cannot read.
    pub fn unread(&self) -> usize {
        let Unread {
            accounts,
            live,
            removed,
        } = &self.unread;
        accounts.len() + live.len() + removed.len()
    }

    /// Reads the bytes of one, in this program's form or the Python tool's.
    pub fn parse(bytes: &[u8]) -> Result<Self, Broken> {
        let damaged = |reason: String| Broken {
            reason,
            is_damaged: true,
        };
        let document: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|error| damaged(place(&error)))?;
        let form = document.get("schema_version").and_then(Value::as_u64);
        if let Some(form) = form.filter(|form| *form > SCHEMA_VERSION) {
            return Err(Broken {
                reason: format!("it has form {form}, which only a newer codex-manager reads"),
                is_damaged: false,
            });
        }
        if document.contains_key("accounts") {
            let mut rest = document;
            let mut unread = Unread::default();
            let entries = each(rest.remove("accounts"), &mut unread.accounts)
                .ok_or_else(|| damaged("its accounts are no list".to_owned()))?;
            let live = each(rest.remove("live"), &mut unread.live)
                .ok_or_else(|| damaged("its logins are no list".to_owned()))?;
            let removed = each(rest.remove("removed"), &mut unread.removed)
                .ok_or_else(|| damaged("its removed profiles are no list".to_owned()))?;
            return Ok(Self {
                entries,
                live,
                removed,
                rest,
                unread,
                ..Self::default()
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
            return Err(damaged("it is no registry".to_owned()));
        }
        Ok(Self {
            entries,
            of_python: !document.is_empty(),
            ..Self::default()
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

    /// Takes an observation in, unless a newer one is known, and keeps what changed since the one before. What is known
    /// from after `latest` is of a clock that was wrong.
    pub fn record(&mut self, account: &Account, observation: Observation, latest: Option<Stamp>) {
        match self.position(account) {
            Some(index) => {
                let entry = &mut self.entries[index];
                if account.is_exact() {
                    entry.account = account.clone();
                }
                if !entry.observation.outranks(&observation, latest) {
                    entry
                        .changes
                        .extend(Change::between(&entry.observation, &observation));
                    entry.observation = observation;
                }
            }
            None => self.entries.push(Entry {
                account: account.clone(),
                observation,
                changes: Vec::new(),
                rest: Map::new(),
            }),
        }
        self.entries.sort_by(|a, b| a.account.cmp(&b.account));
    }

    /// Notes that `account` is signed in to `home` at `at`. `home` is one spelling of its path, the same every time:
    /// [`fsutil::real`]. A time before the last sighting is none.
    pub fn saw_live(&mut self, home: &Path, account: &Account, at: Stamp) {
        live::note(&mut self.live, home, account, at);
    }

    /// Who was signed in to `home` last before `account_now`, None being nobody.
    pub fn live_before(&self, home: &Path, account_now: Option<&Account>) -> Option<&Account> {
        live::before(&self.live, home, account_now)
    }

    /// The other Codex homes that `account` was signed in to when they were last seen.
    pub fn homes_of(&self, account: &Account, but: &Path) -> Vec<PathBuf> {
        live::homes_of(&self.live, account, but)
    }

    /// Who was signed in to `home` at `at`, by what was seen so far and by who is signed in at `now`.
    pub fn live_at(
        &self,
        home: &Path,
        account_now: Option<&Account>,
        now: Stamp,
        at: Stamp,
    ) -> Attribution {
        live::at(&self.live, home, account_now, now, at)
    }

    /// Fails where the one that stands could not be read: it is never written over.
    pub fn check_writable(&self, path: &Path) -> Result<()> {
        if !self.stays {
            return Ok(());
        }
        Err(Error::other(
            format!(
                "the registry `{}` cannot be read, and is not written over",
                path.display()
            ),
            "`codex-manager doctor` says what is wrong with it",
        ))
    }

    /// Writes the file; one in the Python tool's form is kept beside it first.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.check_writable(path)?;
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
        document.insert("schema_version".into(), SCHEMA_VERSION.into());
        for (key, value) in &self.rest {
            document.entry(key.clone()).or_insert_with(|| value.clone());
        }
        let unread = &self.unread;
        document.insert("accounts".into(), list(&self.entries, &unread.accounts)?);
        if !self.live.is_empty() || !unread.live.is_empty() {
            document.insert("live".into(), list(&self.live, &unread.live)?);
        }
        if !self.removed.is_empty() || !unread.removed.is_empty() {
            document.insert("removed".into(), list(&self.removed, &unread.removed)?);
        }
        let mut bytes = serde_json::to_vec_pretty(&document).map_err(anyhow::Error::from)?;
        bytes.push(b'\n');
        fsutil::write_atomically(path, &bytes)
    }
}

/// What each of a list says; what says nothing goes to `unread`. None where it is no list.
fn each<T: DeserializeOwned>(list: Option<Value>, unread: &mut Vec<Value>) -> Option<Vec<T>> {
    let list = match list {
        None | Some(Value::Null) => return Some(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return None,
    };
    let mut read = Vec::with_capacity(list.len());
    for one in list {
        match T::deserialize(&one) {
            Ok(one) => read.push(one),
            Err(_) => unread.push(one),
        }
    }
    Some(read)
}

/// The list as it is written, what could not be read behind the rest.
fn list<T: Serialize>(read: &[T], unread: &[Value]) -> Result<Value> {
    let read = read.iter().map(serde_json::to_value);
    let mut list = read
        .collect::<Result<Vec<_>, _>>()
        .map_err(anyhow::Error::from)?;
    list.extend_from_slice(unread);
    Ok(Value::Array(list))
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
        .find(|aside| matches!(fsutil::exists(aside), Ok(false)))
        .ok_or_else(|| {
            Error::other(
                format!(
                    "`{}` cannot be set aside: every name for it is taken",
                    path.display()
                ),
                format!("move files named `{base}` away"),
            )
        })?;
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
            rest: Map::new(),
            limits: Vec::new(),
            quota_end_detected_at: None,
            is_guess: false,
            is_refused: false,
            validation_status: ValidationStatus::Ok,
            plan_type: value["plan_type"]
                .as_str()
                .filter(|plan| *plan != "unknown")
                .map(str::to_owned),
        },
        changes: Vec::new(),
        rest: Map::new(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::registry::changes::Cause;
    use crate::timeutil::Zone;

    fn stamp(text: &str) -> Stamp {
        Stamp::parse(text).expect(text)
    }

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
            is_refused: false,
            validation_status: ValidationStatus::Ok,
            plan_type: None,
            rest: Map::new(),
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
        registry.record(&personal, observed("2026-04-14T00:00:00Z"), None);
        registry.record(&team, observed("2026-04-15T00:00:00Z"), None);
        registry.record(&personal, observed("2026-04-13T00:00:00Z"), None);
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
            None,
        );
        registry.rest.insert("colour".into(), "green".into());
        registry.entries[0]
            .rest
            .insert("mood".into(), "fine".into());
        registry.record(
            &exact("a@example.com", "ws-1"),
            observed("2026-04-15T00:00:00Z"),
            None,
        );
        registry.saw_live(
            Path::new("/home/a/.codex"),
            &exact("a@example.com", "ws-1"),
            stamp("2026-04-14T00:00:00Z"),
        );
        registry.save(&path).expect("saves");
        // What a newer version may have added stays where it was.
        let mut document: Value =
            serde_json::from_slice(&fs::read(&path).expect("reads")).expect("json");
        document["live"][0]["by"] = "hand".into();
        document["accounts"][0]["changes"][0]["note"] = "early".into();
        fs::write(&path, document.to_string()).expect("writes");
        let read = Registry::load(&path).expect("whole");
        assert_eq!(read.rest["colour"], "green");
        assert_eq!(read.entries[0].observation, registry.entries[0].observation);
        read.save(&path).expect("saves");
        let again: Value = serde_json::from_slice(&fs::read(&path).expect("reads")).expect("json");
        assert_eq!(again, document);
    }

    #[test]
    fn a_registry_without_changes_and_logins_is_whole_and_stays_as_it_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("cooldown.json");
        let text = r#"{"schema_version":1,"accounts":[{"email":"a@example.com","user_id":"user-a","account_id":"ws-1",
            "observation":{"source":"status-file","observed_at":"2026-04-14T00:00:00+00:00","session_start_at":null,
              "reset_at":null,"window_state":"unknown","quota_percent_left":null,"quota_text":null,"limits":[],
              "quota_end_detected_at":null,"is_guess":false,"validation_status":"ok","plan_type":null}}]}"#;
        fs::write(&path, text).expect("writes");
        let registry = Registry::load(&path).expect("whole");
        registry.save(&path).expect("saves");
        let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("json");
        assert_eq!(
            read(&fs::read(&path).expect("reads")),
            read(text.as_bytes())
        );
    }

    #[test]
    fn a_change_is_kept_in_words_that_last() {
        let mut registry = Registry::default();
        let account = exact("a@example.com", "ws-1");
        registry.record(&account, observed("2026-04-14T00:00:00Z"), None);
        assert!(registry.entries[0].changes.is_empty());
        registry.record(&account, observed("2026-04-15T00:00:00Z"), None);
        let change = serde_json::to_value(&registry.entries[0].changes).expect("json");
        assert_eq!(
            change,
            serde_json::json!([{"at": "2026-04-15T00:00:00+00:00", "source": "status-file", "cause": "moved-early",
                "before": {"session_start_at": "2026-04-14T00:00:00+00:00", "reset_at": null, "window_state": "running"},
                "after": {"session_start_at": "2026-04-15T00:00:00+00:00", "reset_at": null, "window_state": "running"}}])
        );
        // What is outranked changes nothing.
        registry.record(&account, observed("2026-04-10T00:00:00Z"), None);
        assert_eq!(registry.entries[0].changes.len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        /// In whatever order observations come, the newest stands, and a change is kept for each that is of another
        /// window than the one that stood before.
        #[test]
        fn every_change_is_kept_once(seen in prop::collection::vec((0_i64..30_000, 0_i64..20_000, any::<bool>()), 1..20)) {
            let utc = Zone::named("UTC").expect("a zone");
            let minute = |minute: i64| Stamp::from_unix(1_776_000_000 + minute * 60, &utc).expect("in range");
            let account = exact("a@example.com", "ws-1");
            let mut registry = Registry::default();
            let mut stood: Option<(i64, i64, bool)> = None;
            let mut expected = Vec::new();
            for (at, start, is_unstarted) in seen {
                registry.record(&account, Observation {
                    observed_at: minute(at),
                    session_start_at: Some(SessionStart(minute(start))),
                    window_state: if is_unstarted { WindowState::Unstarted } else { WindowState::Running },
                    ..observed("2026-04-14T00:00:00Z")
                }, None);
                if stood.is_some_and(|(newest, _, _)| newest > at) {
                    continue;
                }
                if let Some((_, before, was_unstarted)) = stood {
                    let moved = !is_unstarted && !was_unstarted && (start - before).abs() > 10;
                    if is_unstarted != was_unstarted || moved {
                        let cause = match (was_unstarted, at - before >= 7 * 1440) {
                            (true, _) => Cause::Unstarted,
                            (false, true) => Cause::Expired,
                            (false, false) => Cause::MovedEarly,
                        };
                        expected.push((minute(at), Some(cause)));
                    }
                }
                stood = Some((at, start, is_unstarted));
            }
            let entry = &registry.entries[0];
            prop_assert_eq!(Some(entry.observation.observed_at), stood.map(|(at, _, _)| minute(at)));
            let kept: Vec<_> = entry.changes.iter().map(|change| (change.at, change.cause)).collect();
            prop_assert_eq!(kept, expected);
        }
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
        for text in [
            "",
            "{\"accounts\":[",
            "{\"accounts\":{}}",
            "[]",
            "{\"accounts\":[],\"live\":{}}",
        ] {
            fs::write(&path, text).expect("writes");
            assert!(Registry::load(&path).is_err(), "{text}");
            let aside = set_aside(&path, Stamp::parse("2026-04-14T00:00:00Z").expect("a time"))
                .expect("moves");
            assert_eq!(fs::read_to_string(aside).expect("kept"), text);
            assert!(!path.exists());
        }
        assert_eq!(fs::read_dir(dir.path()).expect("lists").count(), 5);
    }
}

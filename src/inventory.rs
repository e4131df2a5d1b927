//! `inventory.json`: what the legacy login copies said, kept even when the files are gone.
//!
//! A record is one file name with one content. The same name with other bytes is another record; the same file with
//! another mtime updates its record, except that evidence which validated is not replaced by evidence that does not:
//! copying a file loses its mtime, and the inventory is there to outlive that. An inventory that says the same is not
//! rewritten.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::codex::auth;
use crate::error::{Error, Result};
use crate::fsutil;
use crate::legacy::{self, LegacyName, Mtime, Rules};
use crate::metadata::{BackupName, ValidationStatus};
use crate::timeutil::{SessionStart, Stamp, Zone};

/// The largest inventory that is read.
const MOST_BYTES: u64 = 1 << 30;

/// The form that is written, and the newest that is read.
const SCHEMA_VERSION: u64 = 1;

/// Whose legacy files it tells of.
const PRODUCT: &str = "codex";

/// One legacy file, as it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The email in the file's name.
    pub email: String,
    /// The file's name.
    pub legacy_auth_filename: String,
    /// Its day token: `21apr`.
    pub legacy_quota_day_token: String,
    /// The file's mtime.
    pub quota_end_detected_at: Stamp,
    /// The mtime less the assumed duration.
    pub session_start_at: SessionStart,
    /// A week later.
    pub next_available_at: Stamp,
    /// The assumed duration.
    pub inferred_session_duration_seconds: i64,
    /// How the start was inferred.
    #[serde(default = "basis")]
    pub inference_basis: String,
    /// What a snapshot of it is called.
    pub proposed_archive_name: String,
    /// Whether the token's day is the computed one.
    pub validation_status: ValidationStatus,
    /// The same in words.
    pub validation_details: String,
    /// Where the file stood.
    pub source_path: String,
    /// The year the token was read in.
    #[serde(default)]
    pub reference_year: Option<i32>,
    /// The email inside the file.
    #[serde(default)]
    pub auth_email: Option<String>,
    /// The workspace inside the file.
    #[serde(default)]
    pub account_id: Option<String>,
    /// The user inside the file.
    #[serde(default)]
    pub user_id: Option<String>,
    /// Whether the login inside is the one the name says.
    #[serde(default)]
    pub identity_status: IdentityStatus,
    /// SHA-256 of the file, in hex; None when it could not be read.
    #[serde(default)]
    pub source_sha256: Option<String>,
    /// Whether the file still stands.
    #[serde(default)]
    pub source_state: SourceState,
    /// What this version does not know, kept.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

fn basis() -> String {
    legacy::BASIS.to_owned()
}

/// Whether the login inside a legacy file is the one its name says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentityStatus {
    /// The emails are the same.
    Match,
    /// It is another person's.
    Mismatch,
    /// It cannot be told.
    #[default]
    Unreadable,
}

/// Whether a record's file still stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceState {
    /// It does.
    #[default]
    Present,
    /// It is gone, or holds something else now.
    Gone,
}

/// A file whose name is of the legacy form but that gives no record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its name.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// The file's content.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// By file name, then content.
    #[serde(default)]
    pub records: Vec<Record>,
    /// What this version does not know, kept.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// What a scan of a directory found.
#[derive(Debug, Default)]
pub struct Scan {
    /// The directory, absolute.
    dir: PathBuf,
    /// Its records, by file name.
    pub records: Vec<Record>,
    /// What gave none.
    pub skipped: Vec<Skipped>,
}

impl Inventory {
    /// Reads the file; a missing one is empty.
    pub fn load(path: &Path) -> Result<Self> {
        let Some(bytes) = fsutil::read_if_present(path, MOST_BYTES)? else {
            return Ok(Self::default());
        };
        Self::parse(&bytes).map_err(|why| {
            Error::other(
                format!("the inventory `{}` cannot be read: it {why}", path.display()),
                "move it away and run `codex-manager normalize`, which makes it anew from the legacy files",
            )
        })
    }

    /// Reads the bytes of one; the error says why not, to follow its name.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let inventory: Self = serde_json::from_slice(bytes).map_err(|error| {
            format!(
                "is damaged in line {}, column {}",
                error.line(),
                error.column()
            )
        })?;
        let form = inventory.rest.get("schema_version").and_then(Value::as_u64);
        if let Some(form) = form.filter(|form| *form > SCHEMA_VERSION) {
            return Err(format!(
                "has form {form}, which only a newer codex-manager reads"
            ));
        }
        let product = inventory.rest.get("product");
        if product.is_some_and(|product| product != PRODUCT) {
            return Err("is of another product".to_owned());
        }
        Ok(inventory)
    }

    /// Takes a scan in; see the head of this file for the rule.
    pub fn merge(&mut self, scan: &Scan) {
        let mut matched = BTreeSet::new();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, old) in self.records.iter().enumerate() {
            by_name
                .entry(old.legacy_auth_filename.clone())
                .or_default()
                .push(index);
        }
        for new in &scan.records {
            let of_name = by_name
                .get(&new.legacy_auth_filename)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let same = of_name
                .iter()
                .copied()
                .find(|index| is_same_evidence(&self.records[*index], new));
            if let Some(index) = same {
                let old = &mut self.records[index];
                let kept = std::mem::take(&mut old.rest);
                *old = better_evidence(old, new);
                old.rest = kept;
                matched.insert(key_of(old));
            } else {
                matched.insert(key_of(new));
                self.records.push(new.clone());
            }
        }
        for record in &mut self.records {
            if !matched.contains(&key_of(record)) {
                let path = Path::new(&record.source_path);
                let scanned = path.parent() == Some(scan.dir.as_path());
                record.source_state = if scanned {
                    SourceState::Gone
                } else {
                    state_of(&record.source_path)
                };
            }
        }
        self.records.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    }

    /// Takes in the records of another machine; how many were not known, or agree with their names where those here do not.
    pub fn take_in(&mut self, records: &[Record]) -> usize {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, old) in self.records.iter().enumerate() {
            let name = old.legacy_auth_filename.clone();
            by_name.entry(name).or_default().push(index);
        }
        let mut taken = 0;
        for new in records {
            let of_name = by_name.entry(new.legacy_auth_filename.clone()).or_default();
            let here = &mut self.records;
            let same = of_name.iter().copied().find(|index| {
                let old = here.get(*index);
                old.is_some_and(|old| is_same_evidence(old, new))
            });
            let Some(old) = same.and_then(|index| here.get_mut(index)) else {
                of_name.push(here.len());
                here.push(Record {
                    source_state: state_of(&new.source_path),
                    ..new.clone()
                });
                taken += 1;
                continue;
            };
            let is_better = old.validation_status == ValidationStatus::Mismatch
                && new.validation_status == ValidationStatus::Ok;
            if is_better {
                *old = Record {
                    source_path: old.source_path.clone(),
                    source_state: old.source_state,
                    rest: std::mem::take(&mut old.rest),
                    ..new.clone()
                };
                taken += 1;
            }
        }
        self.records.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
        taken
    }

    /// The records of what a scan found, as they stand after [`Inventory::merge`].
    pub fn of_scan(&self, scan: &Scan) -> Vec<&Record> {
        // Sorted by name since the merge.
        let of_new = |new: &Record| {
            let name = new.legacy_auth_filename.as_str();
            let start = self
                .records
                .partition_point(|old| old.legacy_auth_filename.as_str() < name);
            let of_name = self
                .records
                .iter()
                .skip(start)
                .take_while(|old| old.legacy_auth_filename == name);
            of_name.into_iter().find(|old| is_same_evidence(old, new))
        };
        scan.records.iter().filter_map(of_new).collect()
    }

    /// Writes the file, unless it already says the same. True if it was written.
    pub fn save(&self, path: &Path, before: &Self, now: Stamp) -> Result<bool> {
        if self == before && path.exists() {
            return Ok(false);
        }
        fsutil::write_atomically(path, &self.bytes(now)?)?;
        Ok(true)
    }

    fn bytes(&self, now: Stamp) -> Result<Vec<u8>> {
        let mut document = Map::new();
        document.insert("schema_version".into(), SCHEMA_VERSION.into());
        document.insert("product".into(), PRODUCT.into());
        document.insert("generated_at".into(), now.to_string().into());
        document.insert("record_count".into(), self.records.len().into());
        for (key, value) in &self.rest {
            document.entry(key.clone()).or_insert_with(|| value.clone());
        }
        let records = serde_json::to_value(&self.records).map_err(anyhow::Error::from)?;
        document.insert("records".into(), records);
        let mut bytes = serde_json::to_vec_pretty(&document).map_err(anyhow::Error::from)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Whether anything stands at the path of a record.
fn state_of(source_path: &str) -> SourceState {
    if Path::new(source_path).exists() {
        SourceState::Present
    } else {
        SourceState::Gone
    }
}

/// What makes two readings one record: the name with the content, or with the mtime where a content is not known.
fn is_same_evidence(old: &Record, new: &Record) -> bool {
    old.legacy_auth_filename == new.legacy_auth_filename
        && match (&old.source_sha256, &new.source_sha256) {
            (Some(old), Some(new)) => old == new,
            _ => old.quota_end_detected_at == new.quota_end_detected_at,
        }
}

fn key_of(record: &Record) -> (String, Option<String>, i64) {
    let mtime = if record.source_sha256.is_some() {
        0
    } else {
        record.quota_end_detected_at.unix()
    };
    (
        record.legacy_auth_filename.clone(),
        record.source_sha256.clone(),
        mtime,
    )
}

fn sort_key(record: &Record) -> (&str, Stamp, Option<&str>) {
    (
        &record.legacy_auth_filename,
        record.quota_end_detected_at,
        record.source_sha256.as_deref(),
    )
}

/// The record of `old` and `new`, two readings of one file.
fn better_evidence(old: &Record, new: &Record) -> Record {
    let (was, is) = (old.validation_status, new.validation_status);
    if old.quota_end_detected_at != new.quota_end_detected_at
        && was == ValidationStatus::Ok
        && is == ValidationStatus::Mismatch
    {
        let details = old
            .validation_details
            .split(MTIME_MOVED)
            .next()
            .unwrap_or_default();
        return Record {
            validation_details: format!(
                "{details}{MTIME_MOVED}{}, which does not: the earlier reading is kept.",
                new.quota_end_detected_at
            ),
            source_path: new.source_path.clone(),
            source_state: SourceState::Present,
            ..old.clone()
        };
    }
    new.clone()
}

const MTIME_MOVED: &str = " The file's mtime is now ";

/// Reads the legacy files of `dir`, those of each email by its own rules. Nothing is written, least of all beside them.
pub fn scan(dir: &Path, rules_of: &dyn Fn(&str) -> Rules, zone: &Zone) -> Result<Scan> {
    let dir = std::path::absolute(dir).map_err(|error| Error::io("find", dir, error))?;
    let listing = fs::read_dir(&dir).map_err(|error| Error::io("list", &dir, error))?;
    let mut found = Scan {
        dir: dir.clone(),
        ..Scan::default()
    };
    for entry in listing {
        let entry = entry.map_err(|error| Error::io("list", &dir, error))?;
        let file_name = entry.file_name();
        let text = file_name.to_string_lossy();
        let Some(name) = legacy::parse_name(&text) else {
            continue;
        };
        let Some(file_name) = file_name.to_str() else {
            found.skipped.push(Skipped {
                file: text.into_owned(),
                reason: "its name is not UTF-8".to_owned(),
            });
            continue;
        };
        let read = |name: LegacyName| {
            let rules = rules_of(&name.email);
            read_record(&entry.path(), file_name, &name, rules, zone)
        };
        match name.and_then(read) {
            Ok(record) => found.records.push(record),
            Err(reason) => found.skipped.push(Skipped {
                file: file_name.to_owned(),
                reason,
            }),
        }
    }
    found
        .records
        .sort_by(|a, b| a.legacy_auth_filename.cmp(&b.legacy_auth_filename));
    found.skipped.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(found)
}

fn read_record(
    path: &Path,
    file_name: &str,
    name: &LegacyName,
    rules: Rules,
    zone: &Zone,
) -> Result<Record, String> {
    let meta = fs::metadata(path).map_err(|error| crate::error::describe(&error))?;
    if !meta.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let bytes = fsutil::read_limited(path, auth::MOST_BYTES).ok();
    let login = bytes.as_deref().and_then(|bytes| auth::parse(bytes).ok());
    let last_refresh = login.as_ref().and_then(|login| login.last_refresh);
    let evidence = legacy::infer(name, mtime_of(&meta)?, last_refresh, rules, zone)?;
    let account = login.map(|login| login.account).unwrap_or_default();
    #[allow(clippy::cast_possible_truncation)] // whole seconds, as the specification stores them
    let duration = rules.session_duration_seconds as i64;
    Ok(Record {
        email: name.email.clone(),
        legacy_auth_filename: file_name.to_owned(),
        legacy_quota_day_token: name.token.clone(),
        quota_end_detected_at: evidence.quota_end_detected_at,
        session_start_at: evidence.session_start_at,
        next_available_at: evidence.next_available_at,
        inferred_session_duration_seconds: duration,
        inference_basis: basis(),
        proposed_archive_name: BackupName::new(evidence.session_start_at.0, &name.email).archive(),
        validation_status: evidence.validation_status,
        validation_details: evidence.validation_details,
        source_path: path.display().to_string(),
        reference_year: Some(evidence.reference_year),
        identity_status: match &account.email {
            Some(email) if email.eq_ignore_ascii_case(&name.email) => IdentityStatus::Match,
            Some(_) => IdentityStatus::Mismatch,
            None => IdentityStatus::Unreadable,
        },
        auth_email: account.email,
        account_id: account.account_id,
        user_id: account.user_id,
        source_sha256: bytes.map(|bytes| fsutil::hex(&Sha256::digest(bytes))),
        source_state: SourceState::Present,
        rest: Map::new(),
    })
}

fn mtime_of(meta: &fs::Metadata) -> Result<Mtime, String> {
    let time = meta
        .modified()
        .map_err(|error| crate::error::describe(&error))?;
    let out_of_range = "its mtime is out of range";
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => {
            let seconds = i64::try_from(after.as_secs()).map_err(|_| out_of_range)?;
            Ok(Mtime {
                seconds,
                nanos: after.subsec_nanos(),
            })
        }
        Err(before) => {
            let before = before.duration();
            let seconds = i64::try_from(before.as_secs()).map_err(|_| out_of_range)?;
            match before.subsec_nanos() {
                0 => Ok(Mtime {
                    seconds: -seconds,
                    nanos: 0,
                }),
                nanos => Ok(Mtime {
                    seconds: -seconds - 1,
                    nanos: 1_000_000_000 - nanos,
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    const RULES: Rules = Rules {
        session_duration_seconds: 7200.0,
        reference_year: None,
    };

    fn zone() -> Zone {
        Zone::named("Asia/Kolkata").expect("a zone")
    }

    fn file(dir: &Path, name: &str, content: &str, mtime: &str) {
        let path = dir.join(name);
        fs::write(&path, content).expect("writes");
        let seconds =
            u64::try_from(Stamp::parse(mtime).expect("a time").unix()).expect("after 1970");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        fs::File::options()
            .write(true)
            .open(&path)
            .expect("opens")
            .set_modified(time)
            .expect("sets");
    }

    fn merged(before: &Inventory, dir: &Path) -> Inventory {
        let mut after = before.clone();
        after.merge(&scan(dir, &|_| RULES, &zone()).expect("scans"));
        after
    }

    const NAME: &str = "21apr_alice@example.com_auth.json";
    const GOOD: &str = "2026-04-14T17:55:00+05:30";

    #[test]
    fn a_second_scan_says_the_same_and_writes_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        file(dir.path(), NAME, "{}", GOOD);
        let now = Stamp::parse("2026-05-01T00:00:00Z").expect("a time");
        let path = dir.path().join("inventory.json");
        let empty = Inventory::default();
        let first = merged(&empty, dir.path());
        assert!(first.save(&path, &empty, now).expect("saves"));
        let read = Inventory::load(&path).expect("loads");
        let second = merged(&read, dir.path());
        assert!(!second.save(&path, &read, now).expect("saves"));
        assert_eq!(second.records, first.records);
    }

    #[test]
    fn a_file_that_is_gone_stays_and_one_that_changed_is_a_second_record() {
        let dir = tempfile::tempdir().expect("a directory");
        file(dir.path(), NAME, "{}", GOOD);
        let first = merged(&Inventory::default(), dir.path());
        file(dir.path(), NAME, "{\"x\":1}", "2027-04-14T17:55:00+05:30");
        let second = merged(&first, dir.path());
        let states: Vec<_> = second
            .records
            .iter()
            .map(|record| record.source_state)
            .collect();
        assert_eq!(states, [SourceState::Gone, SourceState::Present]);
        fs::remove_file(dir.path().join(NAME)).expect("removes");
        let third = merged(&second, dir.path());
        assert_eq!(third.records.len(), 2);
        assert!(
            third
                .records
                .iter()
                .all(|record| record.source_state == SourceState::Gone)
        );
    }

    #[test]
    fn evidence_that_validated_outlives_a_copy_that_lost_its_mtime() {
        let dir = tempfile::tempdir().expect("a directory");
        file(dir.path(), NAME, "{}", GOOD);
        let first = merged(&Inventory::default(), dir.path());
        file(dir.path(), NAME, "{}", "2026-06-01T09:00:00+05:30");
        let second = merged(&first, dir.path());
        assert_eq!(
            second.records[0].session_start_at,
            first.records[0].session_start_at
        );
        assert!(
            second.records[0]
                .validation_details
                .contains("is now 2026-06-01T09:00:00+05:30")
        );
        assert_eq!(merged(&second, dir.path()), second);
        // And the other way: a mended mtime replaces a mismatch.
        file(dir.path(), NAME, "{}", "2026-04-14T16:55:00+05:30");
        let third = merged(&second, dir.path());
        assert_eq!(
            third.records[0].session_start_at.0.to_string(),
            "2026-04-14T14:55:00+05:30"
        );
    }

    #[test]
    fn what_a_newer_version_wrote_is_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        file(dir.path(), NAME, "{}", GOOD);
        let path = dir.path().join("inventory.json");
        let mut first = merged(&Inventory::default(), dir.path());
        first.rest.insert("colour".into(), "green".into());
        first.records[0].rest.insert("mood".into(), "fine".into());
        let now = Stamp::parse("2026-05-01T00:00:00Z").expect("a time");
        first
            .save(&path, &Inventory::default(), now)
            .expect("saves");
        let read = Inventory::load(&path).expect("loads");
        let again = merged(&read, dir.path());
        assert_eq!(again.records[0].rest["mood"], "fine");
        assert_eq!(again.rest["colour"], "green");
    }
}

//! The rate limits that Codex last noted in its session files, 0.40 to 0.169: a hint, since they do not say whose they
//! are.
//!
//! Reads `rollout-*.jsonl` below `sessions` and `archived_sessions`. Lines are ordered by their own times; a file's mtime
//! only tells which files cannot hold a newer line, for a session that goes on is appended to below its first date.
//! Compressed files (`.jsonl.zst`) are left alone: Codex compresses what nobody has written to for a week, so that every
//! weekly window in them is over.
//!
//! A session that was forked begins with a copy of the other's lines under new times: those are no evidence.
//! Source: Codex's `rollout/src/recorder.rs` and `rollout/src/compression.rs`.

mod head;
mod tail;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::rate_limits::RateLimits;
use crate::error::Error;
use crate::fsutil;
use crate::timeutil::{Stamp, Zone};

pub use head::Creator;

/// Where Codex keeps its session files.
const DIRS: [&str; 2] = ["sessions", "archived_sessions"];

/// How much clocks may differ: that of a line from now, that of the file system from that of a line.
const SLACK: TimeDelta = TimeDelta::minutes(5);

/// How long Codex leaves a session file as it is before it compresses it.
const COLD: TimeDelta = TimeDelta::days(7);

/// How deep directories are looked into: Codex makes three levels, of year, month and day.
const MOST_LEVELS: usize = 8;

/// An instant as a line has it, with fractions of a second.
type Moment = DateTime<Utc>;

/// The newest rate limits that a session file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// What Codex noted, with at least one window.
    pub limits: RateLimits,
    /// When.
    pub observed_at: Stamp,
    /// When the session began, or the oldest of those it was made from; None where the file does not tell.
    pub session_started_at: Option<Stamp>,
    /// Who began it.
    pub creator: Creator,
    /// The file.
    pub path: PathBuf,
}

/// What a search found.
#[derive(Debug, Default)]
pub struct Found {
    /// The newest one that was believed.
    pub hint: Option<Hint>,
    /// What could not be read, and so may hold a newer one.
    pub warnings: Vec<String>,
}

/// The newest hint below `home` that `believes` takes; it is asked of at most one of each file, the last, newer files
/// first. Lines of a time after `now` are passed over.
pub fn newest(
    home: &Path,
    now: Stamp,
    zone: &Zone,
    believes: &mut dyn FnMut(&Hint) -> bool,
) -> Found {
    let mut warnings = Vec::new();
    let Some(now) = DateTime::from_timestamp(now.unix(), 0) else {
        return Found::default();
    };
    let mut best: Option<(Moment, Hint)> = None;
    for file in files(home, &mut warnings) {
        let newest_line = file
            .written
            .and_then(|written| written.checked_add_signed(SLACK));
        if let (Some((newest, _)), Some(newest_line)) = (&best, newest_line)
            && newest_line < *newest
        {
            break;
        }
        if file.is_compressed {
            if file.written.is_some_and(|written| now - written < COLD) {
                warnings.push(format!(
                    "`{}` is not looked into: it is compressed",
                    file.path.display()
                ));
            }
            continue;
        }
        let known = best.as_ref().map(|(newest, _)| *newest);
        match hint_of(&file.path, now, zone, known) {
            Ok(Some((moment, hint))) => {
                if believes(&hint) {
                    best = Some((moment, hint));
                }
            }
            Ok(None) => {}
            // Gone between the listing and now: Codex archived it, or somebody removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => warnings.push(Error::io("read", &file.path, error).to_string()),
        }
    }
    Found {
        hint: best.map(|(_, hint)| hint),
        warnings,
    }
}

/// One session file.
struct SessionFile {
    path: PathBuf,
    /// Its mtime; None where the system has none.
    written: Option<Moment>,
    is_compressed: bool,
}

/// The session files, the last written first. Links are not followed.
fn files(home: &Path, warnings: &mut Vec<String>) -> Vec<SessionFile> {
    let mut found = Vec::new();
    let mut open: Vec<(PathBuf, usize)> = Vec::new();
    for dir in DIRS.map(|dir| home.join(dir)) {
        match fs::symlink_metadata(&dir) {
            Ok(meta) if meta.is_dir() => open.push((dir, 0)),
            Ok(_) => warnings.push(format!(
                "`{}` is not looked into: it is no directory of its own",
                dir.display()
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => warnings.push(Error::io("look at", &dir, error).to_string()),
        }
    }
    while let Some((dir, level)) = open.pop() {
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) => {
                warnings.push(Error::io("list", &dir, error).to_string());
                continue;
            }
        };
        for entry in entries {
            let kind = entry.and_then(|entry| Ok((entry.file_type()?, entry.path())));
            let (kind, path) = match kind {
                Ok(known) => known,
                Err(error) => {
                    warnings.push(Error::io("list", &dir, error).to_string());
                    continue;
                }
            };
            if kind.is_dir() {
                if level < MOST_LEVELS {
                    open.push((path, level + 1));
                }
            } else if kind.is_file() {
                found.extend(session_file(path));
            }
        }
    }
    // No mtime sorts as the newest: nothing may be missed.
    found.sort_by(|one, two| {
        let key = |file: &SessionFile| file.written.unwrap_or(DateTime::<Utc>::MAX_UTC);
        (key(two), &two.path).cmp(&(key(one), &one.path))
    });
    found
}

/// None for other files, and for the compressed copy of one that stands there plain.
fn session_file(path: PathBuf) -> Option<SessionFile> {
    let name = path.file_name()?.to_str()?;
    if !name.starts_with("rollout-") {
        return None;
    }
    let plain = name.strip_suffix(".zst");
    plain.unwrap_or(name).strip_suffix(".jsonl")?;
    if plain.is_some_and(|plain| path.with_file_name(plain).exists()) {
        return None;
    }
    let is_compressed = plain.is_some();
    // Not what the listing says: on Windows that lags behind while the file is open.
    let written = fs::symlink_metadata(&path).and_then(|meta| meta.modified());
    Some(SessionFile {
        path,
        written: written.ok().and_then(moment_of),
        is_compressed,
    })
}

fn moment_of(time: SystemTime) -> Option<Moment> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    DateTime::from_timestamp(i64::try_from(since.as_secs()).ok()?, since.subsec_nanos())
}

/// The last rate limits of the file that are not of a time after `now`. None where they are not newer than `known`, and
/// where they are a copy of another session's.
fn hint_of(
    path: &Path,
    now: Moment,
    zone: &Zone,
    known: Option<Moment>,
) -> io::Result<Option<(Moment, Hint)>> {
    let mut file = fsutil::open_regular(path)?;
    let Some((moment, limits, observed_at)) = last_limits(&mut file, now, zone)? else {
        return Ok(None);
    };
    if known.is_some_and(|known| moment <= known) {
        return Ok(None);
    }
    let Some(head) = head::read(file, moment)? else {
        return Ok(None);
    };
    let hint = Hint {
        limits,
        observed_at,
        session_started_at: head
            .started_at
            .and_then(|started| Stamp::from_unix(started.timestamp(), zone)),
        creator: head.creator,
        path: path.to_owned(),
    };
    Ok(Some((moment, hint)))
}

fn last_limits(
    file: &mut File,
    now: Moment,
    zone: &Zone,
) -> io::Result<Option<(Moment, RateLimits, Stamp)>> {
    let length = file.metadata()?.len();
    let mut found = None;
    tail::lines_backwards(file, length, b"\"token_count\"", &mut |line| {
        found = limits_in(line, zone).filter(|(moment, _, _)| *moment <= now + SLACK);
        found.is_some()
    })?;
    Ok(found)
}

/// A line of a session file.
#[derive(Deserialize)]
struct Line {
    timestamp: String,
    #[serde(rename = "type")]
    kind: String,
    payload: Value,
}

fn moment_in(text: &str) -> Option<Moment> {
    let parsed = DateTime::parse_from_rfc3339(text).ok()?;
    Some(parsed.with_timezone(&Utc))
}

/// The account's rate limits, where the line holds them.
fn limits_in(line: &[u8], zone: &Zone) -> Option<(Moment, RateLimits, Stamp)> {
    let line: Line = serde_json::from_slice(line).ok()?;
    if line.kind != "event_msg" || line.payload.get("type")?.as_str()? != "token_count" {
        return None;
    }
    let moment = moment_in(&line.timestamp)?;
    let at = Stamp::from_unix(moment.timestamp(), zone)?;
    let limits = RateLimits::read(line.payload.get("rate_limits")?, at, zone)?;
    (limits.is_of_account() && !limits.windows.is_empty()).then_some((moment, limits, at))
}

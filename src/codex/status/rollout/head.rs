//! How a session file begins: when and by whom its session was begun, and how much of it is another session's.
//!
//! A fork, or an agent that gets its parent's history, begins with its own `session_meta` and a copy of the other
//! session's lines, all written at once and under new times. What Codex itself adds comes after it has asked its
//! service: the copy ends where a second passes between two lines. 0.169 copies nothing; there the rule only costs
//! what is answered within a second. Source: Codex's `rollout/src/recorder.rs`; issues of tools that count tokens
//! measured gaps below 40 ms within copies.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use chrono::TimeDelta;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Line, Moment, moment_in};

/// The longest line that is read; a `session_meta` holds the instructions of the model and its tools.
const MOST_LINE: u64 = 4 << 20;

/// The pause that ends a copy.
const PAUSE: TimeDelta = TimeDelta::seconds(1);

/// Who began a session, as its `session_meta` names them since 0.157.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Creator {
    /// `chatgpt_user_id`.
    pub user_id: Option<String>,
    /// `chatgpt_account_id`.
    pub account_id: Option<String>,
}

impl Creator {
    fn is_named(&self) -> bool {
        self.user_id.is_some() || self.account_id.is_some()
    }
}

/// What the beginning of a file says.
#[derive(Debug, Default)]
pub struct Head {
    /// When the session began; for one that was made from others and names nobody, when the oldest of them did, since
    /// one running Codex may have begun them all. None where that is not told.
    pub started_at: Option<Moment>,
    /// Who began it.
    pub creator: Creator,
}

/// A line without its payload.
#[derive(Deserialize)]
struct Outline {
    timestamp: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "payload")]
    _payload: IgnoredAny,
}

/// Reads the beginning of a file. None where the line of `moment` belongs to what was copied.
pub fn read(mut file: File, moment: Moment) -> io::Result<Option<Head>> {
    file.seek(SeekFrom::Start(0))?;
    of_lines(&mut BufReader::with_capacity(64 << 10, file), moment)
}

fn of_lines(lines: &mut impl BufRead, moment: Moment) -> io::Result<Option<Head>> {
    let mut bytes = Vec::new();
    next_line(lines, &mut bytes)?;
    let Some((mut before, meta)) = meta_in(&bytes) else {
        return Ok(Some(Head::default()));
    };
    let own = Meta::of(&meta, before);
    let mut oldest = None;
    let mut is_first = true;
    // Before the pause stand the lines that may be a copy: of a session that names its parent, or of one whose second
    // line is a `session_meta` again, as forks had it before they named it.
    while next_line(lines, &mut bytes)? {
        let Ok(line) = serde_json::from_slice::<Outline>(&bytes) else {
            continue;
        };
        let Some(at) = moment_in(&line.timestamp) else {
            continue;
        };
        if at - before >= PAUSE {
            break;
        }
        let is_meta = line.kind == "session_meta";
        if is_first && !is_meta && !own.has_parent {
            break;
        }
        is_first = false;
        if at >= moment {
            return Ok(None);
        }
        before = at;
        if is_meta
            && let Some((at, meta)) = meta_in(&bytes)
            && let Meta {
                id,
                started_at: Some(started),
                ..
            } = Meta::of(&meta, at)
            && id != own.id
        {
            oldest = Some(oldest.map_or(started, |oldest: Moment| oldest.min(started)));
        }
    }
    let started_at = if own.creator.is_named() || !(own.has_parent || oldest.is_some()) {
        own.started_at
    } else {
        oldest
            .zip(own.started_at)
            .map(|(oldest, own)| oldest.min(own))
    };
    Ok(Some(Head {
        started_at,
        creator: own.creator,
    }))
}

/// What a `session_meta` says.
struct Meta {
    id: Option<String>,
    started_at: Option<Moment>,
    creator: Creator,
    /// Whether another session was there before it.
    has_parent: bool,
}

impl Meta {
    fn of(meta: &Value, written: Moment) -> Self {
        let text = |name: &str| {
            let text = meta.get(name)?.as_str()?;
            (!text.is_empty()).then(|| text.to_owned())
        };
        let is_agent = meta
            .get("source")
            .is_some_and(|source| source.get("subagent").is_some());
        Self {
            id: text("id"),
            started_at: match text("timestamp") {
                Some(timestamp) => moment_in(&timestamp),
                None => Some(written),
            },
            creator: Creator {
                user_id: text("creator_user_id"),
                account_id: text("creator_account_id"),
            },
            has_parent: is_agent
                || text("forked_from_id").is_some()
                || text("parent_thread_id").is_some(),
        }
    }
}

/// When a `session_meta` was written, and what it holds.
fn meta_in(line: &[u8]) -> Option<(Moment, Value)> {
    let line: Line = serde_json::from_slice(line).ok()?;
    (line.kind == "session_meta").then_some(())?;
    Some((moment_in(&line.timestamp)?, line.payload))
}

/// The next line, cut short where it is longer than [`MOST_LINE`]. False at the end.
fn next_line(lines: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<bool> {
    bytes.clear();
    let read = lines.take(MOST_LINE).read_until(b'\n', bytes)?;
    if read as u64 == MOST_LINE && bytes.last() != Some(&b'\n') {
        lines.skip_until(b'\n')?;
    }
    Ok(read > 0)
}

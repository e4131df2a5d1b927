//! The snapshots to choose from, as a person is shown them. Pure.

use std::cmp::Reverse;

use crate::accounts::Row;
use crate::metadata::BackupMode;
use crate::snapshots::Snapshot;
use crate::timeutil::{Stamp, Zone, ago_words};
use crate::ui::choice::{Choice, Choices};
use crate::ui::table::{column, number, size_words};

/// One of them, and what is known of its account.
pub struct Entry<'a> {
    /// The snapshot.
    pub snapshot: &'a Snapshot,
    /// Its account now.
    pub row: Option<&'a Row>,
    /// The archive's length; None where it is gone.
    pub size: Option<u64>,
}

/// The newest first.
pub fn ordered(snapshots: &[Snapshot]) -> Vec<&Snapshot> {
    let mut ordered: Vec<&Snapshot> = snapshots.iter().collect();
    ordered.sort_by_key(|snapshot| Reverse((snapshot.sidecar.content_time(), &snapshot.archive)));
    ordered
}

/// What is shown of them.
pub fn of<'a>(entries: impl Iterator<Item = Entry<'a>>, now: Stamp, zone: &Zone) -> Choices {
    let line = |entry: Entry| {
        let sidecar = &entry.snapshot.sidecar;
        let dash = || "-".to_owned();
        let alias = entry.row.and_then(|row| row.alias.clone());
        let told = alias.as_ref().map(|alias| format!(" ({alias})"));
        let current_at = sidecar.content_time();
        let start = sidecar.session_start_at;
        let status = entry.row.map(|row| row.status.word().to_owned());
        let mode = match sidecar.mode() {
            BackupMode::Full => "full",
            BackupMode::AuthOnly => "auth-only",
            BackupMode::SessionOnly => "session-only",
        };
        let valid = sidecar.validation_status;
        Choice {
            cells: vec![
                format!("{}{}", sidecar.account(), told.unwrap_or_default()),
                current_at.map_or_else(dash, |at| ago_words(now.since(at).num_seconds())),
                status.unwrap_or_else(dash),
                start.map_or_else(dash, |start| start.0.in_zone(zone).table_form()),
                mode.to_owned(),
                entry.size.map_or_else(dash, size_words),
                valid.map_or_else(dash, |valid| valid.word().to_owned()),
            ],
            words: alias
                .into_iter()
                .chain([entry.snapshot.archive_name()])
                .collect(),
        }
    };
    Choices {
        question: "Which snapshot?",
        columns: vec![
            column("ACCOUNT", 0),
            number("MADE", 1),
            column("STATUS", 2),
            column("WINDOW", 3),
            column("MODE", 4),
            number("SIZE", 5),
            column("VALID", 6),
        ],
        lines: entries.map(line).collect(),
    }
}

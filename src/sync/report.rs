//! What a run tells: what was carried, what was not and why.

use std::fmt;

use serde::Serialize;

use super::keys::{Carried, Placed};
use super::local::Local;
use crate::bundle::Item;
use crate::error::Error;
use crate::metadata::{BackupName, Sidecar};
use crate::timeutil::{Stamp, Zone};
use crate::ui::table::{Table, Tone, ago, column, count, long, number, passing, size_words};
use crate::ui::{Page, Report, Ui};

/// One snapshot as it is told.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The archive's name, as its sidecar has it; None where the sidecar was not read.
    pub archive_name: Option<String>,
    /// The archive's key on the remote.
    pub key: String,
    /// `current` or `superseded`, of this machine; None where it is not here.
    pub kind: Option<&'static str>,
    /// Whose.
    pub email: Option<String>,
    /// Whose workspace.
    pub account_id: Option<String>,
    /// When it was made.
    pub created_at: Option<Stamp>,
    /// The archive's length, here as it lies here, there as it lies there.
    pub size_bytes: u64,
    /// Why it was skipped, or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Entry {
    /// One of this machine.
    pub fn of_local(local: &Local, key: String, zone: &Zone) -> Self {
        let sidecar = &local.snapshot.sidecar;
        let length = local.snapshot.archive.metadata().map(|meta| meta.len());
        Self {
            archive_name: Some(local.snapshot.archive_name()),
            kind: Some(if local.is_superseded {
                "superseded"
            } else {
                "current"
            }),
            ..Self::told(key, sidecar, length.unwrap_or_default(), zone)
        }
    }

    /// One of the remote, of which nothing but its key is known.
    pub fn of_key(carried: &Carried) -> Self {
        Self::of_object(&carried.archive)
    }

    /// The same of any object.
    pub fn of_object(placed: &Placed) -> Self {
        Self {
            archive_name: None,
            key: placed.key.clone(),
            kind: None,
            email: None,
            account_id: None,
            created_at: None,
            size_bytes: placed.size,
            reason: None,
        }
    }

    /// One of the remote with its sidecar.
    pub fn of_carried(carried: &Carried, sidecar: &Sidecar, zone: &Zone) -> Self {
        let (key, size) = (carried.archive.key.clone(), carried.archive.size);
        Self::told(key, sidecar, size, zone)
    }

    fn told(key: String, sidecar: &Sidecar, size_bytes: u64, zone: &Zone) -> Self {
        let name = sidecar.archive_name.as_deref();
        Self {
            // What another machine wrote is shown where it is a name.
            archive_name: name
                .filter(|name| BackupName::of_file(name).is_some())
                .map(str::to_owned),
            key,
            kind: None,
            email: sidecar.email.clone(),
            account_id: sidecar.account_id.clone(),
            created_at: sidecar.created_at.map(|made| made.in_zone(zone)),
            size_bytes,
            reason: None,
        }
    }

    /// The same, and why.
    #[must_use]
    pub fn because(self, reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..self
        }
    }

    /// What it is called: its name, else its key.
    pub fn called(&self) -> String {
        self.archive_name
            .clone()
            .unwrap_or_else(|| self.key.clone())
    }
}

/// Two snapshots of one name, of which the newer is the current one.
#[derive(Clone, Debug, Serialize)]
pub struct Conflict {
    /// The name.
    pub archive_name: String,
    /// Which is current: `here`, the one that was here, or `there`, the one that was fetched.
    pub current: &'static str,
    /// Where the other one is kept.
    pub superseded: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (newer, other) = match self.current {
            "here" => ("here", "fetched"),
            _ => ("fetched", "here"),
        };
        write!(
            f,
            "two snapshots are called `{}`: the one that was {newer} is newer; the one that was {other} is kept as `{}`",
            self.archive_name, self.superseded
        )
    }
}

/// What came of a run.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// `push`, `pull`.
    pub direction: &'static str,
    /// `done`, `dry-run`.
    pub mode: &'static str,
    /// The remote's address.
    pub remote: String,
    /// What was carried, or would be.
    pub transferred: Vec<Entry>,
    /// What was there already, and what is not carried.
    pub skipped: Vec<Entry>,
    /// What went because of `--delete`, or would go.
    pub deleted: Vec<Entry>,
    /// Two of one name.
    pub conflicts: Vec<Conflict>,
    /// What could not be carried, each with the reason.
    pub failed: Vec<Entry>,
    /// What other machines knew of accounts and this one did not.
    pub learned: Vec<Item>,
    /// What ended the run before its end.
    #[serde(skip)]
    pub ended_by: Option<Error>,
}

impl Answer {
    /// Of a run that has not begun.
    pub fn new(direction: &'static str, is_dry: bool, remote: String) -> Self {
        Self {
            direction,
            mode: if is_dry { "dry-run" } else { "done" },
            remote,
            transferred: Vec::new(),
            skipped: Vec::new(),
            deleted: Vec::new(),
            conflicts: Vec::new(),
            failed: Vec::new(),
            learned: Vec::new(),
            ended_by: None,
        }
    }

    /// Warns of what did not go as it was meant.
    pub fn warn(&self, ui: &Ui) {
        for reason in self.failed.iter().filter_map(|entry| entry.reason.as_ref()) {
            ui.warn(reason);
        }
        for conflict in &self.conflicts {
            ui.warn(&conflict.to_string());
        }
    }

    /// Whether what the other side lacks may go: not where some of what it has did not come, which may be what takes its
    /// place. Where any would have gone, that is told.
    pub fn may_remove(&self, ui: &Ui, surplus: usize) -> bool {
        let may = self.failed.is_empty();
        if !may && surplus > 0 {
            ui.warn("nothing was removed, since not everything could be carried");
        }
        may
    }

    fn is_dry(&self) -> bool {
        self.mode == "dry-run"
    }

    fn words(&self) -> (&'static str, &'static str, &'static str) {
        match (self.direction, self.is_dry()) {
            ("push", false) => ("pushed", "sent", "to"),
            ("push", true) => ("push", "would go", "to"),
            (_, false) => ("pulled", "fetched", "from"),
            (_, true) => ("pull", "would come", "from"),
        }
    }
}

impl Report for Answer {
    fn text(&self, page: &Page) -> String {
        let (verb, moved, way) = self.words();
        let removed = if self.is_dry() {
            "would be removed"
        } else {
            "removed"
        };
        let columns = [
            column("ARCHIVE", 1),
            long("ACCOUNT", 0),
            column("MADE", 0),
            passing("AGE", 3),
            number("SIZE", 2),
            column("WHAT", 0),
        ];
        let mut table = Table::new(&columns);
        let mut rows = 0;
        let parts: [(&[Entry], Tone, &str); 3] = [
            (&self.transferred, Tone::Good, moved),
            (&self.deleted, Tone::Dim, removed),
            (&self.failed, Tone::Plain, "failed"),
        ];
        for (entries, tone, what) in parts {
            for entry in entries {
                rows += 1;
                table.row(
                    tone,
                    [
                        entry.called(),
                        entry.email.clone().unwrap_or_else(|| "-".to_owned()),
                        entry.created_at.map_or("-".to_owned(), Stamp::table_form),
                        ago(entry.created_at, page).into_owned(),
                        size_words(entry.size_bytes),
                        what.to_owned(),
                    ],
                );
            }
        }
        let mut text = if rows > 0 {
            table.render(page)
        } else {
            String::new()
        };
        for Item {
            what, name, why, ..
        } in &self.learned
        {
            text.push_str(&format!("learned  {what} {name}: {why}\n"));
        }
        let bytes: u64 = self.transferred.iter().map(|entry| entry.size_bytes).sum();
        text.push_str(&format!(
            "{verb:<8} {}, {}, {way} {}",
            count(self.transferred.len(), "snapshot"),
            size_words(bytes),
            self.remote,
        ));
        let there = self
            .skipped
            .iter()
            .filter(|entry| entry.reason.as_deref() == Some(THERE_ALREADY));
        for (number, words) in [
            (there.count(), "there already"),
            (self.deleted.len(), removed),
            (self.failed.len(), "failed"),
        ] {
            if number > 0 {
                text.push_str(&format!("; {number} {words}"));
            }
        }
        text.push('\n');
        text
    }
}

/// Why most are skipped.
pub const THERE_ALREADY: &str = "there already";

//! What `prune` tells: what went, what stays and why.

use serde::Serialize;

use super::choice::Item;
use crate::context::Ctx;
use crate::timeutil::Stamp;
use crate::ui::table::{Table, Tone, ago, column, count, long, number, passing, size_words};
use crate::ui::{Page, Report};

/// One snapshot as it is told.
#[derive(Serialize)]
pub struct Entry {
    /// The archive's name.
    pub archive_name: String,
    /// Its path, or its key on the remote.
    pub path: String,
    /// Where it is: `current`, `superseded`, `safety`, `remote`.
    pub kind: &'static str,
    /// Whose.
    pub email: Option<String>,
    /// Whose workspace.
    pub account_id: Option<String>,
    /// When it was made.
    pub created_at: Option<Stamp>,
    /// How much it takes, sidecar and all.
    pub size_bytes: u64,
    /// Why it is kept.
    pub reasons: Vec<String>,
    /// What its account is called in a table.
    #[serde(skip)]
    pub called: String,
    /// What it is called in a table.
    #[serde(skip)]
    pub below: String,
}

impl Entry {
    /// One that takes `size_bytes` at `path`.
    pub fn of(ctx: &Ctx, item: &Item, path: String, below: String, size_bytes: u64) -> Self {
        let sidecar = &item.snapshot.sidecar;
        Self {
            archive_name: item.snapshot.archive_name(),
            path,
            kind: item.kind,
            email: sidecar.email.clone(),
            called: {
                let named = sidecar.email.as_ref().or(sidecar.user_id.as_ref());
                named.cloned().unwrap_or_else(|| "-".to_owned())
            },
            account_id: sidecar.account_id.clone(),
            created_at: sidecar.created_at.map(|made| made.in_zone(&ctx.zone)),
            size_bytes,
            reasons: item.reasons.clone(),
            below,
        }
    }
}

/// What came of it.
#[derive(Serialize)]
pub struct Answer {
    mode: &'static str,
    /// What went, or would go.
    pub deleted: Vec<Entry>,
    /// What stays.
    pub kept: Vec<Entry>,
    /// How much the former took.
    pub freed_bytes: u64,
}

impl Answer {
    /// Of a run that has not begun.
    pub fn new(dry_run: bool) -> Self {
        Self {
            mode: if dry_run { "dry-run" } else { "pruned" },
            deleted: Vec::new(),
            kept: Vec::new(),
            freed_bytes: 0,
        }
    }
}

impl Report for Answer {
    fn text(&self, page: &Page) -> String {
        // Whoever runs it by the clock is not told each time that there was nothing to do.
        if page.width.is_none() && self.deleted.is_empty() && self.mode != "dry-run" {
            return String::new();
        }
        let columns = [
            column("ARCHIVE", 1),
            long("ACCOUNT", 0),
            column("MADE", 0),
            passing("AGE", 3),
            number("SIZE", 2),
            column("KEPT", 0),
        ];
        let mut table = Table::new(&columns);
        let goes = if self.mode == "dry-run" {
            "would go"
        } else {
            "gone"
        };
        for entry in self.kept.iter().chain(&self.deleted) {
            let (tone, why) = if entry.reasons.is_empty() {
                (Tone::Dim, goes.to_owned())
            } else {
                (Tone::Plain, entry.reasons.join(", "))
            };
            table.row(
                tone,
                [
                    entry.below.clone(),
                    entry.called.clone(),
                    entry.created_at.map_or("-".to_owned(), Stamp::table_form),
                    ago(entry.created_at, page).into_owned(),
                    size_words(entry.size_bytes),
                    why,
                ],
            );
        }
        let mut text = String::new();
        if !self.kept.is_empty() || !self.deleted.is_empty() {
            text = table.render(page);
        }
        text.push_str(&format!(
            "{:<8} {} of {}, {}\n",
            self.mode,
            self.deleted.len(),
            count(self.deleted.len() + self.kept.len(), "snapshot"),
            size_words(self.freed_bytes),
        ));
        text
    }
}

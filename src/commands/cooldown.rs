//! `cooldown`: when each account is available. Reads; with `--live` it asks Codex first, with `--refresh` it normalizes the legacy
//! files first. Once, once somebody is usable (cooldown/watch.rs: or over and over). As a table, as a timeline, or as a page of
//! HTML.

mod page;
mod svg;
mod timeline;
mod watch;
mod words;

use std::collections::HashMap;

use serde::Serialize;

use crate::accounts::Row;
use crate::cli::CooldownArgs;
use crate::context::Ctx;
use crate::error::{Outcome, Result};
use crate::live::looking::Looking;
use crate::live::table::{Asking, Whom};
use crate::observation::Status;
use crate::timeline::Timeline;
use crate::timeutil::{Stamp, Zone, remaining_words};
use crate::ui::table::{Table, Tone, column, long, number, passing};
use crate::ui::{Page, Report};

/// Runs the command.
pub fn run(ctx: &mut Ctx, args: &CooldownArgs) -> Result<Outcome> {
    let backup_dir = args.backup_dir.as_deref();
    let asking = Asking {
        whom: Whom::of(args.live, args.all),
        how: &args.asking,
        command: "cooldown",
        backup_dir,
        dry_run: args.dry_run,
    };
    let mut looking = Looking::begin(ctx, asking, &args.legacy, args.refresh)?;
    if args.watch {
        return watch::run(ctx, args, &mut looking);
    }
    let rows = if args.wait {
        let mut rows = looking.until_usable(ctx)?;
        rows.retain(|row| row.is_usable() && !row.paused);
        rows
    } else {
        looking.rows_at_last(ctx)?
    };
    let answer = Answer::of(ctx, args, rows);
    match &args.html {
        Some(file) => page::write(ctx, file, args.dry_run, &answer)?,
        None => ctx.ui.data(&answer)?,
    }
    Ok(looking.outcome)
}

/// How the accounts are shown as text.
enum View {
    Table,
    /// Days begin where they do in this zone.
    Timeline(Zone),
}

impl View {
    fn of(args: &CooldownArgs, zone: &Zone) -> Self {
        if args.timeline {
            Self::Timeline(zone.clone())
        } else {
            Self::Table
        }
    }
}

#[derive(Serialize)]
struct Answer {
    now: Stamp,
    accounts: Vec<Row>,
    #[serde(skip)]
    view: View,
}

impl Answer {
    /// As the flags say.
    fn of(ctx: &Ctx, args: &CooldownArgs, mut rows: Vec<Row>) -> Self {
        rows.truncate(args.limit.unwrap_or(usize::MAX));
        Self {
            now: ctx.now,
            accounts: rows,
            view: View::of(args, &ctx.zone),
        }
    }
}

impl Report for Answer {
    fn text(&self, page: &Page) -> String {
        match &self.view {
            View::Table => self.table(page),
            View::Timeline(zone) => {
                let names = names(&self.accounts);
                let weeks = Timeline::of(&self.accounts, self.now, zone);
                timeline::text(&self.accounts, &names, &weeks, zone, page)
            }
        }
    }
}

impl Answer {
    fn table(&self, page: &Page) -> String {
        let columns = [
            long("ACCOUNT", 0),
            column("STATUS", 0),
            number("USABLE", 0),
            number("LEFT", 3),
            column("AVAILABLE AT", 4),
            column("SESSION START", 6),
            column("QUOTA END", 8),
            column("SEEN", 7),
            passing("AGE", 10),
            column("PLAN", 9),
            column("VALID", 5),
        ];
        let mut table = Table::new(&columns);
        let time = |stamp: Option<Stamp>| stamp.map_or("-".to_owned(), Stamp::table_form);
        for (row, name) in self.accounts.iter().zip(names(&self.accounts)) {
            let tone = if row.status == Status::Cooldown {
                Tone::Dim
            } else {
                Tone::Good
            };
            let paused = if row.paused { ", paused" } else { "" };
            table.row(
                tone,
                [
                    name,
                    format!("{}{paused}", row.status.word()),
                    row.usable_in(),
                    row.quota_percent_left
                        .map_or("-".to_owned(), |left| format!("{left}%")),
                    time(row.next_available_at),
                    time(row.session_start_at.map(|start| start.0)),
                    time(row.quota_end_detected_at),
                    time(row.observed_at),
                    row.observed_at.map_or("-".to_owned(), |at| {
                        remaining_words(self.now.since(at).num_seconds())
                    }),
                    row.plan_type.clone().unwrap_or_else(|| "-".to_owned()),
                    row.validation_status.word().to_owned(),
                ],
            );
        }
        table.render(page)
    }
}

/// What each account is called, the one that is signed in marked.
fn names(rows: &[Row]) -> Vec<String> {
    let called = called(rows).into_iter().zip(rows);
    let marked = called.map(|(name, row)| {
        let mark = if row.active { "*" } else { " " };
        format!("{mark} {name}")
    });
    marked.collect()
}

/// What each account is called: where one email is in several workspaces, with what tells them apart.
fn called(rows: &[Row]) -> Vec<String> {
    let mut count_of: HashMap<Option<&str>, usize> = HashMap::new();
    for row in rows {
        *count_of.entry(row.email.as_deref()).or_default() += 1;
    }
    let has_twins = |row: &Row| {
        count_of
            .get(&row.email.as_deref())
            .is_some_and(|count| *count > 1)
    };
    let name = |row: &Row| {
        let workspace = row
            .account_id
            .as_deref()
            .filter(|id| !id.is_empty() && has_twins(row));
        let workspace = workspace.map_or(String::new(), |id| format!(" [{id}]"));
        let alias = row.alias.as_ref();
        let alias = alias.map_or(String::new(), |alias| format!(" ({alias})"));
        format!("{}{workspace}{alias}", row.name())
    };
    rows.iter().map(name).collect()
}

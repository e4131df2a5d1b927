//! `cooldown`: when each account is available. Reads; with `--live` it asks Codex first, with `--refresh` it normalizes the legacy
//! files first. Once, once somebody is usable (cooldown/watch.rs: or over and over).

mod watch;

use std::collections::HashMap;

use serde::Serialize;

use crate::accounts::Row;
use crate::cli::CooldownArgs;
use crate::context::Ctx;
use crate::error::{Outcome, Result};
use crate::live::looking::Looking;
use crate::live::table::{Asking, Whom};
use crate::observation::Status;
use crate::timeutil::{Stamp, remaining_words};
use crate::ui::table::{Table, Tone, column, number};
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
        looking.rows(ctx)?
    };
    ctx.ui.data(&Answer::of(ctx, args, rows))?;
    Ok(looking.outcome)
}

#[derive(Serialize)]
struct Answer {
    now: Stamp,
    accounts: Vec<Row>,
}

impl Answer {
    /// As the flags say.
    fn of(ctx: &Ctx, args: &CooldownArgs, mut rows: Vec<Row>) -> Self {
        rows.truncate(args.limit.unwrap_or(usize::MAX));
        Self {
            now: ctx.now,
            accounts: rows,
        }
    }
}

impl Report for Answer {
    fn text(&self, page: &Page) -> String {
        let columns = [
            column("ACCOUNT", 0),
            column("STATUS", 1),
            number("USABLE", 2),
            number("LEFT", 3),
            column("AVAILABLE AT", 4),
            column("SESSION START", 6),
            column("QUOTA END", 8),
            column("SEEN", 7),
            column("PLAN", 9),
            column("VALID", 5),
        ];
        let mut table = Table::new(&columns);
        let time = |stamp: Option<Stamp>| stamp.map_or("-".to_owned(), Stamp::table_form);
        let mut count_of: HashMap<Option<&str>, usize> = HashMap::new();
        for row in &self.accounts {
            *count_of.entry(row.email.as_deref()).or_default() += 1;
        }
        for row in &self.accounts {
            let tone = if row.status == Status::Cooldown {
                Tone::Dim
            } else {
                Tone::Good
            };
            let mark = if row.active { "*" } else { " " };
            // One email in several workspaces: what tells the rows apart.
            let twins = count_of
                .get(&row.email.as_deref())
                .is_some_and(|count| *count > 1);
            let workspace = row
                .account_id
                .as_deref()
                .filter(|_| twins)
                .unwrap_or_default();
            let workspace = if workspace.is_empty() {
                String::new()
            } else {
                format!(" [{workspace}]")
            };
            let alias = row
                .alias
                .as_ref()
                .map(|alias| format!(" ({alias})"))
                .unwrap_or_default();
            let paused = if row.paused { ", paused" } else { "" };
            table.row(
                tone,
                [
                    format!("{mark} {}{workspace}{alias}", row.name()),
                    format!("{}{paused}", row.status.word()),
                    remaining_words(row.remaining_seconds),
                    row.quota_percent_left
                        .map_or("-".to_owned(), |left| format!("{left}%")),
                    time(row.next_available_at),
                    time(row.session_start_at.map(|start| start.0)),
                    time(row.quota_end_detected_at),
                    time(row.observed_at),
                    row.plan_type.clone().unwrap_or_else(|| "-".to_owned()),
                    row.validation_status.word().to_owned(),
                ],
            );
        }
        table.render(page)
    }
}

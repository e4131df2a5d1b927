//! The accounts to choose from, as a person is shown them. Pure.

use crate::accounts::Row;
use crate::advice;
use crate::cli::Policy;
use crate::timeutil::{Stamp, ago_words};
use crate::ui::choice::{Choice, Choices};
use crate::ui::table::{column, number};

/// In the order of the list: the one to use next, the others as they were, and last the one that is signed in.
pub fn ordered(rows: Vec<Row>, policy: Policy) -> Vec<Row> {
    let (active, mut others): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.active);
    let next = advice::choose(&others, policy).map(Row::account);
    others.sort_by_key(|row| Some(row.account()) != next);
    others.extend(active);
    others
}

/// What is shown of them.
pub fn of(rows: &[Row], now: Stamp) -> Choices {
    let line = |row: &Row| {
        let alias = row.alias.as_ref();
        let alias = alias.map_or_else(String::new, |alias| format!(" ({alias})"));
        let mark = if row.active { "* " } else { "" };
        let paused = if row.paused { ", paused" } else { "" };
        let left = row.quota_percent_left;
        let seen = row.observed_at;
        Choice {
            cells: vec![
                format!("{mark}{}{alias}", row.name_among(rows)),
                format!("{}{paused}", row.status.word()),
                row.usable_in(),
                left.map_or_else(|| "-".to_owned(), |left| format!("{left}%")),
                seen.map_or_else(
                    || "-".to_owned(),
                    |seen| ago_words(now.since(seen).num_seconds()),
                ),
                row.plan_type.clone().unwrap_or_else(|| "-".to_owned()),
            ],
            words: row
                .alias
                .iter()
                .cloned()
                .chain([row.name().to_owned()])
                .collect(),
        }
    };
    Choices {
        question: "Which account?",
        columns: vec![
            column("ACCOUNT", 0),
            column("STATUS", 1),
            number("USABLE", 2),
            number("LEFT", 3),
            number("SEEN", 4),
            column("PLAN", 5),
        ],
        lines: rows.iter().map(line).collect(),
    }
}

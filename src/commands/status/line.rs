//! One line about the account that is signed in, for a prompt or a status bar. Pure.

use super::Answer;
use crate::metadata::Limit;
use crate::observation::Status;
use crate::timeutil::{Stamp, remaining_words};
use crate::ui::table::printable;

/// What `--format` may name.
pub const NAMES: &[&str] = &[
    "name",
    "email",
    "alias",
    "account_id",
    "plan",
    "status",
    "left",
    "resets",
    "resets_in",
    "starts",
    "usable",
    "usable_in",
    "5h_left",
    "5h_resets_in",
    "seen",
    "age",
    "archive",
];

/// What is not known.
const UNKNOWN: &str = "-";
/// Older than this, in seconds, a percentage is marked as what it was once.
const OLD: i64 = 3600;

/// `al open 34% 2d 0h`: who, whether usable, what is left of the week and until when, or when it is usable again.
pub fn short(answer: &Answer) -> String {
    let name = value(answer, "name");
    // In a prompt an address is long.
    let name = name.split('@').next().unwrap_or(&name);
    let status = value(answer, "status");
    match answer.availability.map(|judged| judged.status) {
        Some(Status::Open) => {
            let about = if age(answer) > OLD { "~" } else { "" };
            let (left, resets) = (value(answer, "left"), value(answer, "resets_in"));
            format!("{name} {status} {about}{left} {resets}")
        }
        Some(Status::Cooldown) => format!("{name} {status} {}", value(answer, "usable_in")),
        _ => format!("{name} {status}"),
    }
}

/// The same as [`exact`], for a line of text.
pub fn value(answer: &Answer, name: &str) -> String {
    printable(&exact(answer, name)).into_owned()
}

/// What stands for one of [`NAMES`].
pub fn exact(answer: &Answer, name: &str) -> String {
    let text = |text: Option<&str>| text.unwrap_or(UNKNOWN).to_owned();
    let time = |stamp: Option<Stamp>| stamp.map_or(UNKNOWN.to_owned(), Stamp::table_form);
    let until = |stamp: Option<Stamp>| {
        stamp.map_or(UNKNOWN.to_owned(), |at| {
            remaining_words(at.since(answer.now).num_seconds())
        })
    };
    let percent = |left: Option<u8>| left.map_or(UNKNOWN.to_owned(), |left| format!("{left}%"));
    let of_five_hours = || {
        let is_it = |limit: &&Limit| limit.window_minutes == Some(300) && limit.is_of_account();
        answer.limits.iter().find(is_it)
    };
    let usable_at = answer.availability.and_then(|judged| judged.usable_at);
    match name {
        "name" => text(answer.alias.as_deref().or(answer.email.as_deref())),
        "email" => text(answer.email.as_deref()),
        "alias" => text(answer.alias.as_deref()),
        "account_id" => text(answer.account_id.as_deref()),
        "plan" => text(answer.plan_type.as_deref()),
        "status" => text(answer.availability.map(|judged| judged.status.word())),
        "left" => percent(answer.quota_percent_left),
        "resets" => time(answer.reset_at),
        "resets_in" => until(answer.reset_at),
        "starts" => time(answer.session_start_at.map(|start| start.0)),
        "usable" => time(usable_at),
        "usable_in" => until(usable_at),
        "5h_left" => percent(of_five_hours().and_then(|limit| limit.percent_left)),
        "5h_resets_in" => until(of_five_hours().and_then(|limit| limit.reset_at)),
        "seen" => time(Some(answer.observed_at)),
        "age" => remaining_words(age(answer)),
        "archive" => text(answer.archive_name.as_deref()),
        _ => UNKNOWN.to_owned(),
    }
}

/// Seconds since it was seen.
fn age(answer: &Answer) -> i64 {
    answer.now.since(answer.observed_at).num_seconds()
}

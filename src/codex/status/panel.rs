//! Reads the text of Codex's `/status` panel, 0.42 to 0.169: boxed or not, wrapped or not, raw from a terminal or plain.
//!
//! Pure: the text, `now` and the zone come in; running Codex and finding its text is not done here.
//!
//! The weekly reset is the earliest instant that matches the printed fields, is not before `now - 5 minutes` and lies at
//! most 8 days after `now`. A time without a date is today's, else tomorrow's; a date has no year and takes the one that
//! puts it in that range. Where none does, the text is stale and the answer is an error: no time is ever made up. With a
//! reference year exactly that year is taken, without the range. Other windows may lie 400 days ahead; one that cannot be
//! placed has no reset. Of several panels the last complete one counts, unless a later one contradicts it.

mod account;
mod lines;
mod reset;
mod rows;
#[cfg(test)]
mod tests;

use chrono::TimeDelta;

use self::account::Whose;
use self::reset::{Unplaced, Unprinted};
use self::rows::{Kind, Panel, Row, squeezed, window_minutes};
use crate::codex::status::reading::{Reading, away_of};
use crate::metadata::Limit;
use crate::timeutil::{Stamp, Zone};

/// How far ahead the weekly window's reset may lie: a week, and a day for a clock or a zone that is off.
const WEEKLY_AHEAD: TimeDelta = TimeDelta::days(8);

/// The account's window, as the panel names it.
const WEEKLY: &str = "Weekly limit";

/// Reads the weekly window off the last complete panel in `text`, by the rule at the head of this file.
///
/// The error says in words why there is none, to follow "no live status: ".
pub fn read(
    text: &str,
    now: Stamp,
    zone: &Zone,
    reference_year: Option<i32>,
) -> Result<Reading, String> {
    let lines = lines::of(text);
    if lines.iter().all(|line| line.text.is_empty()) {
        return Err("the text is empty".to_owned());
    }
    let clock = Clock {
        now,
        zone,
        reference_year,
    };
    let mut latest: Option<(Whose, String)> = None;
    for panel in rows::panels(&lines).iter().rev() {
        let shown = shows(panel, &clock);
        if matches!(shown, Shown::Nothing) {
            continue;
        }
        let whose = Whose::of(panel);
        if let Some((later, reason)) = &latest
            && (later.contradicts(&whose) || matches!(shown, Shown::Never(_)))
        {
            return Err(reason.clone());
        }
        match shown {
            Shown::Window(window) => return Ok(window.reading(whose)),
            Shown::Never(reason) => return Err(reason),
            Shown::NotYet(reason) => {
                latest.get_or_insert((whose, reason));
            }
            Shown::Nothing => {}
        }
    }
    Err(latest.map_or_else(
        || "there is no status panel in the text".to_owned(),
        |(_, reason)| reason,
    ))
}

/// What times are read by.
struct Clock<'a> {
    now: Stamp,
    zone: &'a Zone,
    reference_year: Option<i32>,
}

/// What one panel shows of the weekly window.
enum Shown {
    /// It is no status panel.
    Nothing,
    /// The window.
    Window(Window),
    /// No window, and an earlier panel may have it: limits are still being fetched, or the text is cut off.
    NotYet(String),
    /// No window, and an earlier panel would be out of date.
    Never(String),
}

struct Window {
    reset_at: Stamp,
    percent_left: Option<u8>,
    text: String,
    limits: Vec<Limit>,
}

impl Window {
    fn reading(self, whose: Whose) -> Reading {
        Reading {
            email: whose.email,
            plan: whose.plan,
            user_id: None,
            workspace_id: whose.workspace_id,
            reset_at: Some(self.reset_at),
            quota_percent_left: self.percent_left,
            quota_text: Some(self.text),
            is_refused: false,
            limits: self.limits,
        }
    }
}

fn shows(panel: &Panel, clock: &Clock) -> Shown {
    if panel.signed_out {
        return Shown::Never("codex asks to sign in: nobody is logged in".to_owned());
    }
    if panel.rows.is_empty() {
        return Shown::Nothing;
    }
    let Limits { weekly, mut others } = Limits::of(panel, clock);
    let Some(row) = weekly else {
        return without_weekly(panel, &others);
    };
    let text = row.value();
    match weekly_reset(&text, clock) {
        Ok(reset_at) => {
            let percent_left = percent_left(&text);
            let mut limits = vec![Limit {
                name: WEEKLY.to_owned(),
                window_minutes: window_minutes(WEEKLY),
                percent_left,
                reset_at: Some(reset_at),
            }];
            limits.append(&mut others);
            Shown::Window(Window {
                reset_at,
                percent_left,
                text,
                limits,
            })
        }
        Err(shown) => shown,
    }
}

fn weekly_reset(text: &str, clock: &Clock) -> Result<Stamp, Shown> {
    let printed = reset::printed(text).map_err(|unprinted| match unprinted {
        Unprinted::None => Shown::NotYet("the weekly limit shows no reset time".to_owned()),
        Unprinted::CutOff => Shown::NotYet(
            "the weekly limit's reset time is cut off; take the panel at 100 columns or more"
                .to_owned(),
        ),
        Unprinted::Unreadable(words) => {
            Shown::Never(format!("the weekly limit's reset, `{words}`, is no time"))
        }
    })?;
    let Clock {
        now,
        zone,
        reference_year,
    } = *clock;
    printed
        .instant(now, zone, reference_year, WEEKLY_AHEAD)
        .map_err(|unplaced| {
            let words = reset::as_printed(text);
            Shown::Never(match unplaced {
                Unplaced::NoSuchDate => {
                    format!("the weekly limit's reset, `{words}`, is no date of that year")
                }
                Unplaced::OutOfRange => format!(
                    "the weekly limit's reset, `{words}`, is past or more than 8 days after {}: the text is stale or \
                     from another time; run /status anew",
                    now.in_zone(zone).table_form()
                ),
            })
        })
}

fn without_weekly(panel: &Panel, others: &[Limit]) -> Shown {
    if let Some(row) = panel.rows.iter().find(|row| row.kind == Kind::Account)
        && account::is_api_key(&row.value())
    {
        return Shown::Never(
            "the login is an API key; only a ChatGPT account has a weekly limit".to_owned(),
        );
    }
    if let Some(row) = panel.rows.iter().find(|row| row.kind == Kind::NoLimits) {
        return says_no_limits(&row.value());
    }
    let names: Vec<String> = others.iter().map(|limit| in_prose(&limit.name)).collect();
    let Some((last, before)) = names.split_last() else {
        return Shown::NotYet("the status panel shows no limits".to_owned());
    };
    let reason = if before.is_empty() {
        format!("it shows only the {last}")
    } else {
        format!("it shows only the {} and the {last}", before.join(", the "))
    };
    // Shorter windows stand above the weekly one: a panel that ends with them may be cut off there.
    let may_go_on = others
        .iter()
        .all(|limit| matches!(limit.window_minutes, Some(300 | 1440)));
    if may_go_on {
        Shown::NotYet(reason)
    } else {
        Shown::Never(reason)
    }
}

fn says_no_limits(value: &str) -> Shown {
    let squeezed_value = squeezed(value);
    let known = rows::NO_LIMITS
        .into_iter()
        .find(|text| squeezed_value.contains(&squeezed(text)));
    if known == Some("not available for this account") {
        return Shown::Never("codex says \"not available for this account\"".to_owned());
    }
    let words = known.map_or_else(|| value.chars().take(120).collect(), str::to_owned);
    Shown::NotYet(format!("codex says \"{words}\""))
}

/// A limit's name within a sentence: the first letter small, unless it is a bucket's.
fn in_prose(name: &str) -> String {
    let mut chars = name.chars();
    let common = [
        "Daily ",
        "Weekly ",
        "Monthly ",
        "Annual ",
        "Usage ",
        "Secondary ",
    ];
    match chars.next() {
        Some(first) if common.iter().any(|word| name.starts_with(word)) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => name.to_owned(),
    }
}

/// A panel's limits: the row of the account's weekly window, and all others.
struct Limits<'a> {
    weekly: Option<&'a Row>,
    others: Vec<Limit>,
}

impl<'a> Limits<'a> {
    fn of(panel: &'a Panel, clock: &Clock) -> Self {
        let mut limits = Self {
            weekly: None,
            others: Vec::new(),
        };
        let mut bucket: Option<&str> = None;
        for row in &panel.rows {
            let name = match (row.kind, bucket) {
                (Kind::Quota, _) => WEEKLY.to_owned(),
                (Kind::Window, Some(bucket)) => format!("{bucket} {}", row.label),
                (Kind::NamedLimit, _) if row.pieces.is_empty() => {
                    let end = row.label.len().saturating_sub(" limit".len());
                    bucket = row.label.get(..end);
                    continue;
                }
                (Kind::Window | Kind::NamedLimit, _) => row.label.clone(),
                _ => continue,
            };
            if name.eq_ignore_ascii_case(WEEKLY) {
                limits.weekly = limits.weekly.or(Some(row));
            } else {
                limits.others.push(other_limit(name, &row.value(), clock));
            }
        }
        limits
    }
}

fn other_limit(name: String, value: &str, clock: &Clock) -> Limit {
    Limit {
        window_minutes: window_minutes(&name),
        percent_left: percent_left(value),
        reset_at: reset::printed(value).ok().and_then(|printed| {
            printed
                .instant(
                    clock.now,
                    clock.zone,
                    clock.reference_year,
                    away_of(window_minutes(&name)),
                )
                .ok()
        }),
        name,
    }
}

/// The share left that a value prints, as `66% left` or `34% used`. A part of a percent is something: `<1% left` is 1.
fn percent_left(value: &str) -> Option<u8> {
    let squeezed = squeezed(value);
    let (number, used) = match (squeezed.split_once("%left"), squeezed.split_once("%used")) {
        (Some((left, _)), Some((used, _))) if used.len() < left.len() => (used, true),
        (Some((left, _)), _) => (left, false),
        (None, Some((used, _))) => (used, true),
        (None, None) => return None,
    };
    let before = number.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let digits = number.get(before.len()..)?;
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() > 3 || part.contains('.') {
        return None;
    }
    let whole: u8 = whole.parse().ok()?;
    let has_part = part.contains(|c| c != '0');
    if whole > 100 || (whole == 100 && has_part) {
        return None;
    }
    Some(match (used, has_part) {
        (false, true) => whole.max(1),
        (false, false) => whole,
        (true, true) => (99 - whole).max(1),
        (true, false) => 100 - whole,
    })
}

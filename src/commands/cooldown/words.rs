//! What page and picture say in words: of an account, and as text that is nothing but text.

use crate::accounts::Row;
use crate::metadata::{StatusSource, ValidationStatus};
use crate::observation::Status;
use crate::timeutil::{Stamp, remaining_words};
use crate::ui::table::printable;

/// What is said of an account beside its bar.
pub(super) struct Words {
    /// Who it is.
    pub name: String,
    /// `open, 34% left`.
    pub state: String,
    /// `resets in 2d 0h, Tue 21 Apr 15:55`.
    pub when: String,
}

impl Words {
    /// Of an account that is called so.
    pub(super) fn of(row: &Row, name: &str, now: Stamp) -> Self {
        let mut state = vec![row.status.word().to_owned()];
        state.extend(row.quota_percent_left.map(|left| format!("{left}% left")));
        state.extend(row.plan_type.clone());
        let is_guess = row.source == Some(StatusSource::Legacy);
        let doubt = match row.validation_status {
            ValidationStatus::Mismatch => Some("mismatch"),
            ValidationStatus::Ok => is_guess.then_some("guessed"),
        };
        state.extend(doubt.map(str::to_owned));
        state.extend(row.active.then(|| "signed in".to_owned()));
        state.extend(row.paused.then(|| "paused".to_owned()));
        let ahead = |at: Stamp| {
            let away = remaining_words(at.since(now).num_seconds());
            format!("in {away}, {}", day_and_clock(at))
        };
        let when = match (row.status, row.next_available_at) {
            (Status::Cooldown, _) => row
                .usable_at
                .map_or("held back, nobody says until when".to_owned(), |at| {
                    format!("usable {}", ahead(at))
                }),
            (Status::Open, Some(next)) => format!("resets {}", ahead(next)),
            (_, Some(next)) => format!("usable since {}", day_and_clock(next)),
            (_, None) => "usable now".to_owned(),
        };
        Self {
            name: name.to_owned(),
            state: state.join(" · "),
            when,
        }
    }
}

/// `Tue 21 Apr 15:55`.
pub(super) fn day_and_clock(at: Stamp) -> String {
    at.wall_clock().format("%a %-d %b %H:%M").to_string()
}

/// `text` as it may stand in HTML and in SVG, without what steers and what no XML may hold.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in printable(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// How broad a text is at most: as in DejaVu Sans, the broadest of the usual fonts.
pub(super) fn breadth(text: &str, size: u32, is_bold: bool) -> u32 {
    let of = |letter: char| match letter {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' => 34,
        'f' | 't' | 'r' | ' ' | '-' | '(' | ')' | '[' | ']' | '/' => 42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '&' => 102,
        'A'..='Z' => 79,
        ' '..='~' | '·' => 66,
        // What is no ASCII may be as broad as it is high.
        _ => 110,
    };
    let hundredths: u32 = text.chars().map(of).sum();
    let hundredths = if is_bold {
        hundredths / 100 * 113 + 113
    } else {
        hundredths
    };
    (hundredths * size).div_ceil(100)
}

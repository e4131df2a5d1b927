//! Text that fits: how wide it is on a terminal, what is cut of it, and where its lines are wrapped.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Page;

/// `text` in no more than `room` columns: its middle left out, since of an email or a path both ends tell which it is.
pub fn cut(text: &str, room: usize, unicode: bool) -> Cow<'_, str> {
    let mark = if unicode { "…" } else { ".." };
    cut_by(text, room, mark, width)
}

/// The same by another measure than columns of a terminal.
pub fn cut_by<'t>(
    text: &'t str,
    room: usize,
    mark: &str,
    measure: impl Fn(&str) -> usize,
) -> Cow<'t, str> {
    if measure(text) <= room {
        return Cow::Borrowed(text);
    }
    let Some(left) = room.checked_sub(measure(mark)) else {
        return Cow::Borrowed("");
    };
    let (mut head, mut tail) = ("", "");
    for place in seams(text) {
        let before = text.get(..place).unwrap_or_default();
        if measure(before) > left.div_ceil(2) {
            break;
        }
        head = before;
    }
    let left = left - measure(head);
    for place in seams(text).rev() {
        let behind = text.get(place..).unwrap_or_default();
        if measure(behind) > left {
            break;
        }
        tail = behind;
    }
    format!("{head}{mark}{tail}").into()
}

/// Where `text` may be cut: not before what belongs to the letter it stands behind, an accent or a part of an emoji.
fn seams(text: &str) -> impl DoubleEndedIterator<Item = usize> + '_ {
    const JOINER: char = '\u{200d}';
    let is_flag = |letter: char| ('\u{1f1e6}'..='\u{1f1ff}').contains(&letter);
    let is_skin = |letter: char| ('\u{1f3fb}'..='\u{1f3ff}').contains(&letter);
    let within = text.char_indices().map(|(place, _)| place);
    within.chain([text.len()]).filter(move |place| {
        let (before, behind) = text.split_at(*place);
        let (last, next) = (before.chars().next_back(), behind.chars().next());
        // Two letters are one flag.
        let flags = before.chars().rev().take_while(|letter| is_flag(*letter));
        let flags = flags.count();
        let joins = |last: char, next: char| {
            last == JOINER
                || next.width().unwrap_or_default() == 0
                || is_skin(next)
                || (is_flag(next) && flags % 2 == 1)
        };
        !last.zip(next).is_some_and(|(last, next)| joins(last, next))
    })
}

pub(super) fn push_blanks(text: &mut String, count: usize) {
    text.extend(std::iter::repeat_n(' ', count));
}

/// Columns that `text` takes on a terminal.
pub fn width(text: &str) -> usize {
    // What is printable ASCII takes one each.
    if text.is_ascii() {
        text.len()
    } else {
        text.width()
    }
}

/// `text` with lines of a word and what it says wrapped between words where they are wider than the page, below what they
/// say; nothing is taken apart that has no blank in it.
pub fn folded<'t>(text: &'t str, page: &Page) -> Cow<'t, str> {
    let Some(room) = page.width else {
        return Cow::Borrowed(text);
    };
    let is_wide = |line: &str| line.len() > room && width(line) > room;
    if !text.lines().any(is_wide) {
        return Cow::Borrowed(text);
    }
    let mut folded = String::with_capacity(text.len() + 64);
    for line in text.lines() {
        match said_at(line).filter(|_| is_wide(line)) {
            Some(said) => fold(line, said, room, &mut folded),
            None => folded.push_str(line),
        }
        folded.push('\n');
    }
    folded.into()
}

/// Where the words begin behind a key and two blanks or more.
fn said_at(line: &str) -> Option<usize> {
    let key = line.find("  ")?;
    let (key, said) = line.split_at(key);
    let is_key = !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'-' || byte == b' ');
    let blanks = said.len() - said.trim_start().len();
    is_key.then_some(key.len() + blanks)
}

fn fold(line: &str, said: usize, room: usize, folded: &mut String) {
    let (key, said) = line.split_at(said);
    folded.push_str(key);
    // A long key leaves room for what it says.
    let indent = width(key).min(room / 2);
    let mut taken = width(key);
    let mut words = said.split(' ').peekable();
    while let Some(word) = words.next() {
        folded.push_str(word);
        taken += width(word);
        let Some(next) = words.peek() else { break };
        if taken + 1 + width(next) > room {
            folded.push('\n');
            push_blanks(folded, indent);
            taken = indent;
        } else {
            folded.push(' ');
            taken += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_left_out_and_nothing_is_torn_apart() {
        for (text, room, unicode, result) in [
            ("alice@example.com", 17, true, "alice@example.com"),
            ("alice@example.com", 16, true, "alice@ex…ple.com"),
            ("alice@example.com", 10, false, "alic...com"),
            ("alice@example.com", 1, true, "…"),
            ("alice@example.com", 0, true, ""),
            // An accent stays with its letter, a family together, a flag whole.
            (
                "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}",
                3,
                true,
                "e\u{301}…e\u{301}",
            ),
            ("a👩‍👩‍👧b👩‍👩‍👧c", 5, true, "a…👩‍👩‍👧c"),
            ("a👩‍👩‍👧b👩‍👩‍👧c", 6, true, "a👩‍👩‍👧…c"),
            ("🇩🇪🇩🇪🇩🇪", 3, true, "…🇩🇪"),
            ("日本語日本語", 7, true, "日…本語"),
        ] {
            assert_eq!(cut(text, room, unicode), result, "{text} in {room}");
        }
    }

    #[test]
    fn what_a_key_says_is_wrapped_below_it_and_nothing_else_is() {
        let page = |width| Page {
            width,
            color: false,
            unicode: true,
            now: None,
        };
        let text = "account  alice@example.com (plus)\nwindow   2026-04-14T15:55:00+05:30 to 2026-04-21\nno key at all in this line of words\n";
        assert_eq!(folded(text, &page(None)), text);
        assert_eq!(folded(text, &page(Some(60))), text);
        assert_eq!(
            folded(text, &page(Some(30))),
            "account  alice@example.com\n         (plus)\nwindow   2026-04-14T15:55:00+05:30\n         to 2026-04-21\nno key at all in this line of words\n"
        );
    }
}

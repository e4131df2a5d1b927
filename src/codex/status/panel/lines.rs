//! What a terminal showed, as plain lines: no escape sequences, no box, single spaces.
//!
//! No emulation of a terminal: cursor movements are read only as far as they part one row of text from the next.

use std::iter::Peekable;
use std::str::Chars;

/// How much of the text's end is looked at, in bytes. A panel has some 2 KiB; the rest is scrollback.
const LOOKED_AT: usize = 256 * 1024;

/// The widest gap a cursor movement makes; only whether there is one matters.
const WIDEST_GAP: usize = 200;

/// One row of what was shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// Its text: trimmed, without the sides of a box, runs of white space as one space.
    pub text: String,
    /// Whether it is the lower edge of a box.
    pub closes_box: bool,
}

/// The rows of `text`, or of its last 256 KiB.
pub(super) fn of(text: &str) -> Vec<Line> {
    plain(end_of(text)).split('\n').map(line).collect()
}

fn end_of(text: &str) -> &str {
    let mut from = text.len().saturating_sub(LOOKED_AT);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let end = text.get(from..).unwrap_or_default();
    if from == 0 {
        return end;
    }
    // The cut row could read as something it is not.
    end.split_once('\n').map_or(end, |(_, whole)| whole)
}

fn line(shown: &str) -> Line {
    let shown = shown.trim();
    let inside = shown.trim_matches(|c: char| is_box(c) || c == ' ');
    let mut text = String::with_capacity(inside.len());
    for word in inside.split_whitespace() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    Line {
        closes_box: text.is_empty() && shown.starts_with(['╰', '└', '┗', '╚']),
        text,
    }
}

fn is_box(c: char) -> bool {
    c == '|' || ('\u{2500}'..='\u{257f}').contains(&c)
}

/// Whether a character takes no room and means nothing here: byte order mark, zero-width and direction marks.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Text being gathered, with the little that is known of where the cursor is.
#[derive(Default)]
struct Screen {
    text: String,
    /// Columns before the cursor in the row of text being gathered.
    column: usize,
    /// The row the last absolute movement went to.
    row: Option<usize>,
}

impl Screen {
    fn put(&mut self, c: char) {
        self.text.push(c);
        self.column += 1;
    }

    fn end_row(&mut self) {
        self.text.push('\n');
        self.column = 0;
        self.row = self.row.map(|row| row.saturating_add(1));
    }

    /// Ends the row unless nothing stands in it: a movement leaves no empty row behind.
    fn leave_row(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.column = 0;
    }

    fn skip(&mut self, columns: usize) {
        if columns > 0 {
            self.text
                .extend(std::iter::repeat_n(' ', columns.min(WIDEST_GAP)));
            self.column = self.column.saturating_add(columns);
        }
    }

    fn go_to_column(&mut self, column: usize) {
        if column < self.column {
            self.leave_row();
            self.column = column;
        } else {
            self.skip(column - self.column);
        }
    }

    fn go_to(&mut self, row: usize, column: usize) {
        if self.row == Some(row) {
            self.go_to_column(column);
        } else {
            self.leave_row();
            self.row = Some(row);
            self.column = column;
        }
    }
}

fn plain(text: &str) -> String {
    let mut screen = Screen::default();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => escape(&mut chars, &mut screen),
            '\u{9b}' => control(&mut chars, &mut screen),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut chars),
            '\r' => {
                while chars.next_if_eq(&'\r').is_some() {}
                if chars.next_if_eq(&'\n').is_some() {
                    screen.end_row();
                } else {
                    screen.leave_row();
                }
            }
            '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => screen.end_row(),
            c if c.is_whitespace() => screen.put(' '),
            c if c.is_control() || is_invisible(c) => {}
            c => screen.put(c),
        }
    }
    screen.text
}

/// What follows an ESC. Source: ECMA-48, 5.3 and 5.4.
fn escape(chars: &mut Peekable<Chars>, screen: &mut Screen) {
    let Some(kind) = chars.next_if(|c| (' '..='~').contains(c)) else {
        return;
    };
    match kind {
        '[' => control(chars, screen),
        ']' | 'P' | 'X' | '^' | '_' => skip_string(chars),
        'D' | 'E' | 'M' | 'c' => screen.leave_row(),
        ' '..='/' => {
            while chars.next_if(|c| (' '..='/').contains(c)).is_some() {}
            chars.next_if(|c| ('0'..='~').contains(c));
        }
        _ => {}
    }
}

/// A control sequence after its introducer: parameters, intermediate bytes, a final byte.
fn control(chars: &mut Peekable<Chars>, screen: &mut Screen) {
    let mut parameters = String::new();
    while let Some(c) = chars.next_if(|c| ('0'..='?').contains(c)) {
        if parameters.len() < 16 {
            parameters.push(c);
        }
    }
    while chars.next_if(|c| (' '..='/').contains(c)).is_some() {}
    let Some(action) = chars.next_if(|c| ('@'..='~').contains(c)) else {
        return;
    };
    let mut numbers = parameters
        .split(';')
        .map(|number| number.parse::<usize>().ok());
    let first = numbers.next().flatten();
    let second = numbers.next().flatten();
    match action {
        'H' | 'f' => {
            let column = second.unwrap_or(1).saturating_sub(1);
            screen.go_to(first.unwrap_or(1), column);
        }
        'G' | '`' => screen.go_to_column(first.unwrap_or(1).saturating_sub(1)),
        'C' | 'a' => screen.skip(first.unwrap_or(1).max(1)),
        'A' | 'B' | 'E' | 'F' | 'd' | 'e' | 'S' | 'T' | 'r' => {
            screen.leave_row();
            screen.row = None;
        }
        'J' if first.is_some_and(|what| what >= 2) => {
            screen.leave_row();
            screen.row = None;
        }
        _ => {}
    }
}

/// A control string (title, hyperlink…) up to its end; one that is never ended ends with its row.
fn skip_string(chars: &mut Peekable<Chars>) {
    while let Some(c) = chars.next_if(|c| !matches!(c, '\n' | '\r')) {
        match c {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' if chars.next_if_eq(&'\\').is_some() => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        of(text).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn colours_titles_links_and_marks_go() {
        for (shown, text) in [
            ("\u{1b}[1;38;5;12mWeekly\u{1b}[0m limit:", "Weekly limit:"),
            ("\u{1b}]0;codex\u{7}Account:", "Account:"),
            (
                "\u{1b}]8;;https://example.com\u{1b}\\link\u{1b}]8;;\u{1b}\\",
                "link",
            ),
            ("\u{feff}a\u{a0}\u{202f}b\u{200b}c", "a bc"),
            ("\u{1b}(B\u{1b}7x\u{1b}8\u{1b}[?25ly", "xy"),
            ("\u{9b}31mred", "red"),
            ("│  Account:   a   │", "Account: a"),
            ("| Account: a |", "Account: a"),
            ("tail\u{1b}", "tail"),
            ("tail\u{1b}[12", "tail"),
        ] {
            assert_eq!(texts(shown), [text], "{shown:?}");
        }
    }

    #[test]
    fn rows_end_where_the_cursor_leaves_them() {
        for (shown, rows) in [
            ("a\r\nb\rc\nd", vec!["a", "b", "c", "d"]),
            ("a\r\r\nb", vec!["a", "b"]),
            ("\u{1b}[3;1Ha\u{1b}[4;1Hb", vec!["a", "b"]),
            (
                "\u{1b}[3;3HAccount:\u{1b}[3;24Halice",
                vec!["Account: alice"],
            ),
            ("\u{1b}[3;3HAcc\u{1b}[3;6Hount:", vec!["Account:"]),
            ("a\u{1b}[10Cb\u{1b}[40Gc", vec!["a b c"]),
            ("ab\u{1b}[1Gc", vec!["ab", "c"]),
            ("a\u{1b}]0;never ended\nb", vec!["a", "b"]),
        ] {
            assert_eq!(texts(shown), rows, "{shown:?}");
        }
    }

    #[test]
    fn the_lower_edge_of_a_box_is_known() {
        let lines = of("╭──╮\n│a │\n╰──╯\n╰─❯ ls");
        assert_eq!(
            lines.iter().map(|line| line.closes_box).collect::<Vec<_>>(),
            [false, false, true, false]
        );
    }

    #[test]
    fn only_the_end_of_a_long_text_is_read() {
        let rows = texts(&format!("first\n{}\nlast", "é x\n".repeat(100_000)));
        assert!(rows.len() < 70_000);
        assert_eq!(rows.first().map(String::as_str), Some("é x"));
        assert_eq!(rows.last().map(String::as_str), Some("last"));
    }
}

//! Tables that fit: a narrow terminal gets the columns that have room, the most important first; no cell is wrapped. Where
//! those that are shown in any case are too wide together, the widest is cut in its middle. Where there is no terminal
//! nothing is cut.

use std::borrow::Cow;

use super::Page;
use super::fit::{cut, push_blanks, width};
use crate::timeutil::{Stamp, remaining_words};

/// Spaces between columns.
pub(super) const GAP: usize = 2;

/// How wide a column of names stays though others have no place then.
const NAME: usize = 24;

/// How wide a cell that is cut stays while there is another one to cut.
const LEAST: usize = 6;

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// How soon it gets its place on a narrow terminal: 0 always has one, then 1, 2… each if there is still room.
    pub rank: u8,
    /// Numbers stand to the right.
    pub right: bool,
    /// Names and values: they are cut before all others, to half of the line where that gives others a place.
    pub long: bool,
    /// Not where there is no terminal: how long ago something was is old as soon as it is kept.
    pub passing: bool,
}

/// A column that stands to the left.
pub const fn column(title: &'static str, rank: u8) -> Column {
    Column {
        title,
        rank,
        right: false,
        long: false,
        passing: false,
    }
}

/// A column of numbers.
pub const fn number(title: &'static str, rank: u8) -> Column {
    Column {
        title,
        rank,
        right: true,
        long: false,
        passing: false,
    }
}

/// A column of how far away the time is that stands in the column before: only on a terminal, and beside that one.
pub const fn passing(title: &'static str, rank: u8) -> Column {
    Column {
        title,
        rank,
        right: true,
        long: false,
        passing: true,
    }
}

/// A column of names or values, which may be long and are told by both of their ends.
pub const fn long(title: &'static str, rank: u8) -> Column {
    Column {
        title,
        rank,
        right: false,
        long: true,
        passing: false,
    }
}

/// How a row is coloured; the words in it say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it comes.
    Plain,
    /// Good news.
    Good,
    /// Nothing to be done for now.
    Dim,
}

/// Rows under headings.
pub struct Table<'a> {
    columns: &'a [Column],
    tones: Vec<Tone>,
    /// Every cell, row after row; a list may have thousands of them.
    text: String,
    /// Where each cell ends in `text`.
    ends: Vec<usize>,
    /// The widest of each column, its heading among them.
    widths: Vec<usize>,
}

impl<'a> Table<'a> {
    /// An empty table.
    pub fn new(columns: &'a [Column]) -> Self {
        Self {
            columns,
            tones: Vec::new(),
            text: String::new(),
            ends: Vec::new(),
            widths: columns.iter().map(|column| width(column.title)).collect(),
        }
    }

    /// Adds a row, one cell a column; what is beyond the last column is left out.
    pub fn row<C: AsRef<str>, const N: usize>(&mut self, tone: Tone, cells: [C; N]) {
        self.tones.push(tone);
        let mut cells = cells.into_iter();
        for widest in &mut self.widths {
            let cell = cells.next();
            let cell = printable(cell.as_ref().map_or("", C::as_ref));
            *widest = width(&cell).max(*widest);
            self.text.push_str(&cell);
            self.ends.push(self.text.len());
        }
    }

    /// The table as lines, each ended.
    pub fn render(&self, page: &Page) -> String {
        let shown = self.chosen(page.width);
        let mut text = String::with_capacity(self.text.len() * 3 / 2);
        let heading = |column: usize| self.columns.get(column).map_or("", |column| column.title);
        self.line(&mut text, &shown, heading, page, page.color.then_some("1"));
        for (row, tone) in self.tones.iter().enumerate() {
            let code = match (page.color, tone) {
                (false, _) | (true, Tone::Plain) => None,
                (true, Tone::Good) => Some("32"),
                (true, Tone::Dim) => Some("2"),
            };
            self.line(
                &mut text,
                &shown,
                |column| self.cell(row, column),
                page,
                code,
            );
        }
        text
    }

    /// The columns that have a place in `room`, and how wide each is.
    fn chosen(&self, room: Option<usize>) -> Vec<(usize, usize)> {
        let whole = || self.widths.iter().copied().enumerate();
        let Some(room) = room else {
            return whole()
                .filter(|(place, _)| !self.columns[*place].passing)
                .collect();
        };
        let rank = |place: usize| self.columns[place].rank;
        let is_long = |place: usize| self.columns[place].long && rank(place) == 0;
        let names = whole().filter(|(place, _)| is_long(*place)).count().max(1);
        let most = (room / 2 / names).max(NAME);
        let mut shown: Vec<(usize, usize)> = whole()
            .filter(|(place, _)| rank(*place) == 0)
            .map(|(place, width)| {
                (
                    place,
                    if is_long(place) {
                        width.min(most)
                    } else {
                        width
                    },
                )
            })
            .collect();
        let mut taken = GAP * shown.len().saturating_sub(1);
        taken += shown.iter().map(|(_, width)| width).sum::<usize>();
        for (is_long, least) in [(true, LEAST), (false, 1), (true, 1)] {
            while taken > room
                && let Some((_, widest)) = shown
                    .iter_mut()
                    .filter(|(place, width)| self.columns[*place].long == is_long && *width > least)
                    .max_by_key(|(_, width)| *width)
            {
                *widest -= 1;
                taken -= 1;
            }
        }
        let mut others: Vec<(usize, usize)> =
            whole().filter(|(place, _)| rank(*place) > 0).collect();
        others.sort_by_key(|(place, _)| rank(*place));
        for (place, width) in others {
            let gap = if shown.is_empty() { 0 } else { GAP };
            let stands_alone =
                self.columns[place].passing && !shown.iter().any(|(shown, _)| shown + 1 == place);
            if taken + gap + width <= room && !stands_alone {
                taken += gap + width;
                shown.push((place, width));
            }
        }
        for (place, width) in shown.iter_mut().filter(|(place, _)| is_long(*place)) {
            let more = self.widths[*place].min(*width + room.saturating_sub(taken));
            taken += more - *width;
            *width = more;
        }
        shown.sort_unstable();
        shown
    }

    fn cell(&self, row: usize, column: usize) -> &str {
        let place = row * self.columns.len() + column;
        let end_of = |place: usize| self.ends.get(place).copied().unwrap_or_default();
        let start = place.checked_sub(1).map_or(0, end_of);
        self.text.get(start..end_of(place)).unwrap_or_default()
    }

    /// Adds one line to `text`, without the blanks at its end.
    fn line<'c>(
        &'c self,
        text: &mut String,
        shown: &[(usize, usize)],
        cell_of: impl Fn(usize) -> &'c str,
        page: &Page,
        code: Option<&str>,
    ) {
        if let Some(code) = code {
            text.push_str(&format!("\x1b[{code}m"));
        }
        let start = text.len();
        for (column, room) in shown {
            let cell = cell_of(*column);
            let taken = width(cell);
            if taken > *room {
                let cut = cut(cell, *room, page.unicode);
                text.push_str(&cut);
                push_blanks(text, room.saturating_sub(width(&cut)) + GAP);
                continue;
            }
            let free = room - taken;
            let (before, after) = if self.columns[*column].right {
                (free, 0)
            } else {
                (0, free)
            };
            push_blanks(text, before);
            text.push_str(cell);
            push_blanks(text, after + GAP);
        }
        let line = text.get(start..).unwrap_or_default();
        text.truncate(start + line.trim_end().len());
        if code.is_some() {
            text.push_str("\x1b[0m");
        }
        text.push('\n');
    }
}

/// Lines of a word and what it says, these one below the other.
pub fn lines(pairs: &[(&str, String)]) -> String {
    let widest = pairs.iter().map(|(key, _)| key.len()).max();
    let width = widest.unwrap_or_default();
    let mut text = String::new();
    for (key, value) in pairs {
        text.push_str(&format!("{key:<width$}  {}\n", printable(value)));
    }
    text
}

/// `1 file`, `2 files`.
pub fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// How long ago something was, for a column of what is passing: in few words, and none where nobody will see them.
pub fn ago(at: Option<Stamp>, page: &Page) -> Cow<'static, str> {
    let (Some(_), Some(now), Some(at)) = (page.width, page.now, at) else {
        return "-".into();
    };
    remaining_words(now.since(at).num_seconds()).into()
}

/// How long it is until something is; `-` for what has been.
pub fn until(at: Option<Stamp>, page: &Page) -> Cow<'static, str> {
    let (Some(_), Some(now), Some(at)) = (page.width, page.now, at) else {
        return "-".into();
    };
    match at.since(now).num_seconds() {
        seconds @ 1.. => remaining_words(seconds).into(),
        _ => "-".into(),
    }
}

/// `54.0 MB`: decimal units, as disks and networks count.
pub fn size_words(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut unit, mut scaled) = (0, u128::from(bytes));
    while scaled >= 999_950 && unit + 1 < UNITS.len() {
        scaled /= 1000;
        unit += 1;
    }
    let tenths = (scaled + 50) / 100;
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// `text` without what would move the cursor, break the line or turn its direction: names and emails come from outside.
pub fn printable(text: &str) -> Cow<'_, str> {
    without_steering(text, |_, _| false)
}

/// The same for a text of several lines, in which our own colours may stand.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    const COLOURS: [&str; 6] = ["[0m", "[1m", "[2m", "[31m", "[32m", "[33m"];
    if are_all(text, |byte| is_plain(byte) || byte == b'\n') {
        return Cow::Borrowed(text);
    }
    without_steering(text, |letter, behind| {
        letter == '\n'
            || (letter == '\x1b' && COLOURS.iter().any(|colour| behind.starts_with(colour)))
    })
}

/// `text` with what steers replaced, except where `is_ours`, which is given the letter and what stands behind it.
fn without_steering(text: &str, is_ours: impl Fn(char, &str) -> bool) -> Cow<'_, str> {
    if are_all(text, is_plain) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    let mut rest = text;
    // Nearly all is plain, and a long list is long: whole runs at a time.
    while let Some(place) = rest.bytes().position(|byte| !is_plain(byte)) {
        let (run, odd) = rest.split_at(place);
        let mut letters = odd.chars();
        let Some(letter) = letters.next() else { break };
        let is_shown = !steers(letter) || is_ours(letter, letters.as_str());
        if shown.capacity() == 0 {
            shown.reserve(text.len() + text.len() / 8);
        }
        shown.push_str(run);
        shown.push(if is_shown { letter } else { '\u{fffd}' });
        rest = letters.as_str();
    }
    if shown.is_empty() {
        return Cow::Borrowed(text);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Whether all bytes are such, without stopping at the first that is not: so many are looked at in one step.
fn are_all(text: &str, is_such: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |all, byte| all & is_such(byte))
}

/// ASCII that is no control letter, so that nothing in it steers.
fn is_plain(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte)
}

/// Whether it moves the cursor, breaks the line or turns its direction.
pub fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        long("ACCOUNT", 0),
        column("STATUS", 0),
        number("LEFT", 1),
        column("ARCHIVE", 2),
    ];

    fn sample() -> Table<'static> {
        let mut table = Table::new(COLUMNS);
        let cells = |texts: [&str; 4]| texts.map(str::to_owned);
        table.row(
            Tone::Good,
            cells(["アリス@example.com", "ready", "7%", "one.tar.gz"]),
        );
        table.row(
            Tone::Plain,
            cells(["b@example.com", "open", "100%", "two\x1b[2J.tar.gz"]),
        );
        table
    }

    #[test]
    fn columns_align_by_width_and_control_letters_are_shown() {
        let text = sample().render(&Page {
            width: None,
            color: false,
            unicode: true,
            now: None,
        });
        assert_eq!(
            text,
            "ACCOUNT             STATUS  LEFT  ARCHIVE\n\
             アリス@example.com  ready     7%  one.tar.gz\n\
             b@example.com       open    100%  two\u{fffd}[2J.tar.gz\n"
        );
    }

    #[test]
    fn lines_keep_our_colours_and_nothing_else_that_steers() {
        let text =
            "\x1b[32mgood\x1b[0m\n\x1b[33mso\x1b[31mbad\x1b[0m\n\x1b[2Jgone\r\u{202e}back\tend";
        assert_eq!(
            printable_lines(text),
            "\x1b[32mgood\x1b[0m\n\x1b[33mso\x1b[31mbad\x1b[0m\n\u{fffd}[2Jgone\u{fffd}\u{fffd}back\u{fffd}end"
        );
    }

    #[test]
    fn sizes_in_words() {
        for (bytes, words) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (54_000_000, "54.0 MB"),
            (u64::MAX, "18446.7 PB"),
        ] {
            assert_eq!(size_words(bytes), words);
        }
    }

    #[test]
    fn narrow_pages_show_the_columns_that_have_room() {
        let at = |width| {
            let page = Page {
                width: Some(width),
                color: false,
                unicode: true,
                now: None,
            };
            sample().render(&page).lines().next().map(str::to_owned)
        };
        assert_eq!(
            at(48).as_deref(),
            Some("ACCOUNT             STATUS  LEFT  ARCHIVE")
        );
        assert_eq!(at(47).as_deref(), Some("ACCOUNT             STATUS  LEFT"));
        assert_eq!(at(32).as_deref(), Some("ACCOUNT             STATUS  LEFT"));
        assert_eq!(at(31).as_deref(), Some("ACCOUNT             STATUS"));
        // What is shown in any case is cut, the widest first.
        assert_eq!(at(25).as_deref(), Some("ACCOUNT            STATUS"));
        assert_eq!(at(5).as_deref(), Some("A…  …"));
    }

    #[test]
    fn the_widest_is_cut_in_its_middle() {
        let page = Page {
            width: Some(22),
            color: false,
            unicode: true,
            now: None,
        };
        assert_eq!(
            sample().render(&page),
            "ACCOUNT         STATUS\n\
             アリス@…le.com  ready\n\
             b@example.com   open\n"
        );
    }

    #[test]
    fn colour_adds_to_the_words_and_never_replaces_them() {
        let text = sample().render(&Page {
            width: None,
            color: true,
            unicode: true,
            now: None,
        });
        assert!(
            text.contains("\x1b[32mアリス@example.com  ready")
                && text.starts_with("\x1b[1mACCOUNT")
        );
    }
}

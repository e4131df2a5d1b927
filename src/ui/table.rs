//! Tables that fit: a narrow terminal gets the columns that have room, the most important first; no cell is wrapped.

use comfy_table::{CellAlignment, ContentArrangement, Table as Grid, presets};

use unicode_width::UnicodeWidthStr;

use super::Page;

/// Spaces between columns.
const GAP: usize = 2;

/// The same as the table crate counts it.
const GAP_PADDING: u16 = 2;

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// How soon it gets its place on a narrow terminal: 0 always has one, then 1, 2… each if there is still room.
    pub rank: u8,
    /// Numbers stand to the right.
    pub right: bool,
}

/// A column that stands to the left.
pub const fn column(title: &'static str, rank: u8) -> Column {
    Column {
        title,
        rank,
        right: false,
    }
}

/// A column of numbers.
pub const fn number(title: &'static str, rank: u8) -> Column {
    Column {
        title,
        rank,
        right: true,
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
    rows: Vec<(Tone, Vec<String>)>,
}

impl<'a> Table<'a> {
    /// An empty table.
    pub fn new(columns: &'a [Column]) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row, one cell a column.
    pub fn row<const N: usize>(&mut self, tone: Tone, cells: [String; N]) {
        self.rows
            .push((tone, cells.map(|cell| printable(&cell)).to_vec()));
    }

    /// The table as lines, each ended.
    pub fn render(&self, page: &Page) -> String {
        let mut shown = self.chosen(page.width.unwrap_or(usize::MAX));
        shown.sort_unstable();
        self.colour(self.lines(&shown), page)
    }

    /// The columns that have a place in `room`, by rank.
    fn chosen(&self, room: usize) -> Vec<usize> {
        let mut by_rank: Vec<usize> = (0..self.columns.len()).collect();
        by_rank.sort_by_key(|column| self.columns[*column].rank);
        let mut taken = 0;
        by_rank.retain(|column| {
            let wanted = taken + if taken == 0 { 0 } else { GAP } + self.width_of(*column);
            let has_place = self.columns[*column].rank == 0 || wanted <= room;
            if has_place {
                taken = wanted;
            }
            has_place
        });
        by_rank
    }

    fn width_of(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|(_, cells)| cells.get(column));
        let widest = cells.map(|cell| cell.width()).max().unwrap_or_default();
        widest.max(self.columns[column].title.width())
    }

    fn lines(&self, shown: &[usize]) -> Vec<String> {
        let mut grid = Grid::new();
        grid.load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
        grid.set_header(shown.iter().map(|column| self.columns[*column].title));
        for (_, cells) in &self.rows {
            grid.add_row(
                shown
                    .iter()
                    .map(|column| cells.get(*column).map_or("", String::as_str)),
            );
        }
        for (place, column) in shown.iter().enumerate() {
            if let Some(shape) = grid.column_mut(place) {
                shape.set_padding((0, GAP_PADDING));
                if self.columns[*column].right {
                    shape.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        grid.lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }

    fn colour(&self, lines: Vec<String>, page: &Page) -> String {
        let mut text = String::new();
        for (place, line) in lines.into_iter().enumerate() {
            let tone = place
                .checked_sub(1)
                .and_then(|row| self.rows.get(row))
                .map(|(tone, _)| *tone);
            let code = match (page.color, tone) {
                (false, _) | (true, Some(Tone::Plain)) => None,
                (true, None) => Some("1"),
                (true, Some(Tone::Good)) => Some("32"),
                (true, Some(Tone::Dim)) => Some("2"),
            };
            match code {
                Some(code) => text.push_str(&format!("\x1b[{code}m{line}\x1b[0m\n")),
                None => text.push_str(&format!("{line}\n")),
            }
        }
        text
    }
}

/// `1 file`, `2 files`.
pub fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
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
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| if steers(letter) { '\u{fffd}' } else { letter })
        .collect()
}

/// The same for a text of several lines, in which our own colours may stand.
pub fn printable_lines(text: &str) -> String {
    const COLOURS: [&str; 4] = ["[0m", "[1m", "[2m", "[32m"];
    let is_ours = |at: usize, letter: char| {
        let behind = text.get(at + letter.len_utf8()..).unwrap_or_default();
        letter == '\n'
            || (letter == '\x1b' && COLOURS.iter().any(|colour| behind.starts_with(colour)))
    };
    let shown = |(at, letter): (usize, char)| {
        if steers(letter) && !is_ours(at, letter) {
            '\u{fffd}'
        } else {
            letter
        }
    };
    text.char_indices().map(shown).collect()
}

fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        column("ACCOUNT", 0),
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
        let text = "\x1b[32mgood\x1b[0m\n\x1b[2Jgone\r\u{202e}back\tend";
        assert_eq!(
            printable_lines(text),
            "\x1b[32mgood\x1b[0m\n\u{fffd}[2Jgone\u{fffd}\u{fffd}back\u{fffd}end"
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
        assert_eq!(at(5).as_deref(), Some("ACCOUNT             STATUS"));
    }

    #[test]
    fn colour_adds_to_the_words_and_never_replaces_them() {
        let text = sample().render(&Page {
            width: None,
            color: true,
        });
        assert!(
            text.contains("\x1b[32mアリス@example.com  ready")
                && text.starts_with("\x1b[1mACCOUNT")
        );
    }
}

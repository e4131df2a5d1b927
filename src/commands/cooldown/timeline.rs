//! The timeline as text: a table of the accounts, and each one's week as a bar on the axis they share, below its row or,
//! where there is room, beside it.
//!
//! Each kind of time has a letter of its own, so that no colour is needed to tell them apart.

use std::ops::Range;

use chrono::{Datelike, NaiveDate};

use crate::accounts::Row;
use crate::metadata::ValidationStatus;
use crate::observation::Status;
use crate::timeline::{Axis, Kind, Lane, Timeline};
use crate::timeutil::{Stamp, Zone};
use crate::ui::Page;
use crate::ui::fit::width;
use crate::ui::table::{Table, Tone, column, long, number};

/// How wide bars are where no terminal says how much room there is.
const WIDTH: usize = 80;

/// The least room that bars get beside the table.
const BESIDE: usize = 64;

/// Between the table and the bars beside it.
const GAP: usize = 2;

/// The letters of the bars.
struct Letters {
    past: char,
    open: char,
    held: char,
    free: char,
    block: char,
    start: char,
    next: char,
    now: char,
    before: char,
    after: char,
    line: char,
    tick: char,
    /// At the end of the line on which now is written, to its left or to its right.
    corners: [char; 2],
}

const UNICODE: Letters = Letters {
    past: '░',
    open: '▒',
    held: '█',
    free: '·',
    block: '▄',
    start: '├',
    next: '◆',
    now: '│',
    before: '‹',
    after: '›',
    line: '─',
    tick: '┬',
    corners: ['└', '┘'],
};

const ASCII: Letters = Letters {
    past: '-',
    open: '=',
    held: '#',
    free: '.',
    block: '~',
    start: '[',
    next: ']',
    now: '|',
    before: '<',
    after: '>',
    line: '-',
    tick: '+',
    corners: ['^', '^'],
};

/// The accounts' weeks as lines, each ended.
pub fn text(
    rows: &[Row],
    names: &[String],
    timeline: &Timeline,
    zone: &Zone,
    page: &Page,
) -> String {
    let letters = if page.unicode { &UNICODE } else { &ASCII };
    let table = table(rows, names, page);
    let table: Vec<&str> = table.lines().collect();
    let widest = table.iter().map(|line| width(&plain(line))).max();
    let widest = widest.unwrap_or_default();
    let room = page.width.unwrap_or(WIDTH).max(1);
    let beside = page.width.and_then(|room| room.checked_sub(widest + GAP));
    let beside = beside.filter(|room| *room >= BESIDE);
    let chart = Chart {
        timeline,
        letters,
        width: beside.unwrap_or(room),
        color: page.color,
    };
    let [labels, ruler] = chart.head();
    let bars = rows.iter().zip(&timeline.lanes);
    let bars: Vec<String> = bars.map(|(row, lane)| chart.bar(row, lane)).collect();
    let indent = beside.map_or(0, |_| widest + GAP);
    let mut text = String::new();
    let mut line = |parts: [&str; 2]| {
        let [left, right] = parts;
        let blanks = if right.is_empty() { 0 } else { indent };
        let blanks = blanks.saturating_sub(width(&plain(left)));
        text.push_str(&format!("{left}{:blanks$}{right}\n", ""));
    };
    let (heading, table) = table
        .split_first()
        .map_or(("", &[][..]), |(first, rest)| (*first, rest));
    if beside.is_some() {
        line(["", &labels]);
        line([heading, &ruler]);
        for (words, bar) in table.iter().zip(&bars) {
            line([words, bar]);
        }
    } else {
        for head in [heading, &labels, &ruler] {
            line([head, ""]);
        }
        for (words, bar) in table.iter().zip(&bars) {
            line([words, ""]);
            line([bar, ""]);
        }
    }
    line(["", &chart.foot(zone)]);
    for legend in chart.legend(&bars, room) {
        line([&legend, ""]);
    }
    text
}

/// Of whom the bars are: one line each below the headings.
fn table(rows: &[Row], names: &[String], page: &Page) -> String {
    let mut columns = vec![
        long("ACCOUNT", 0),
        column("STATUS", 0),
        number("USABLE", 0),
        number("LEFT", 2),
        column("USABLE AT", 1),
        column("WINDOW ENDS", 3),
    ];
    let is_doubted = |row: &Row| row.validation_status == ValidationStatus::Mismatch;
    if rows.iter().any(is_doubted) {
        columns.push(column("VALID", 4));
    }
    let mut table = Table::new(&columns);
    let time = |stamp: Option<Stamp>| stamp.map_or("-".to_owned(), Stamp::table_form);
    for (row, name) in rows.iter().zip(names) {
        let is_held = row.status == Status::Cooldown;
        let tone = if is_held { Tone::Dim } else { Tone::Good };
        let paused = if row.paused { ", paused" } else { "" };
        table.row(
            tone,
            [
                name.clone(),
                format!("{}{paused}", row.status.word()),
                row.usable_in(),
                row.quota_percent_left
                    .map_or("-".to_owned(), |left| format!("{left}%")),
                time(row.usable_at.filter(|_| is_held)),
                time(row.next_available_at),
                row.validation_status.word().to_owned(),
            ],
        );
    }
    table.render(page)
}

/// `line` without our colours.
fn plain(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, code)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = code.split_once('m').map_or("", |(_, behind)| behind);
    }
    plain.push_str(rest);
    plain
}

/// What all bars have in common.
struct Chart<'a> {
    timeline: &'a Timeline,
    letters: &'a Letters,
    width: usize,
    color: bool,
}

impl Chart<'_> {
    /// The cell an instant falls into.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a place on the page
    fn cell(&self, at: i64) -> Option<usize> {
        let length = u32::try_from(self.width).ok()?;
        let place = self.timeline.axis.place(at, length)?;
        Some((place as usize).min(self.width - 1))
    }

    /// The cells of a stretch; at least the one it begins in.
    fn cells(&self, from: i64, to: i64) -> Range<usize> {
        let last = self.width - 1;
        let from = self.cell(from).unwrap_or(last);
        from..self.cell(to).unwrap_or(last).max(from + 1)
    }

    /// The days above the ruler, and the ruler.
    fn head(&self) -> [String; 2] {
        let Axis { days, .. } = &self.timeline.axis;
        let mut ruler = vec![self.letters.line; self.width];
        let places: Vec<(usize, NaiveDate)> = days
            .iter()
            .filter_map(|(begins, date)| Some((self.cell(begins.unix())?, *date)))
            .collect();
        for (place, _) in &places {
            ruler[*place] = self.letters.tick;
        }
        if let Some(now) = self.cell(self.timeline.now.unix()) {
            ruler[now] = self.letters.now;
        }
        let mut labels = String::new();
        let each = self.width / days.len().max(1);
        for (place, date) in places {
            let label = label(date, each);
            let taken = width(&labels);
            let gap = usize::from(taken > 0);
            // A day too short for its name goes without.
            if place >= taken + gap && place + label.len() <= self.width {
                labels.push_str(&" ".repeat(place - taken));
                labels.push_str(&label);
            }
        }
        [labels, ruler.into_iter().collect()]
    }

    /// One account's week.
    fn bar(&self, row: &Row, lane: &Lane) -> String {
        let mut cells = vec![' '; self.width];
        let mut fill = |range: Range<usize>, letter: char| {
            let range = range.start..range.end.min(self.width);
            for cell in cells.get_mut(range).into_iter().flatten() {
                *cell = letter;
            }
        };
        let letters = self.letters;
        // The last to be drawn is seen: what holds an account back before all else.
        for kind in [Kind::Free, Kind::Past, Kind::Open] {
            for span in lane.spans.iter().filter(|span| span.kind == kind) {
                fill(self.cells(span.from, span.to), self.letter(kind));
            }
        }
        for block in &lane.blocks {
            // With the cell it ends in: now, which is in most of them, hides one.
            let cells = self.cells(block.from, block.to);
            fill(cells.start..cells.end + 1, letters.block);
        }
        let now = self.cell(self.timeline.now.unix()).unwrap_or_default();
        for span in lane.spans.iter().filter(|span| span.kind == Kind::Held) {
            let cells = self.cells(span.from, span.to);
            // Also where it is over within the cell of now.
            fill(cells.start..cells.end.max(now + 2), letters.held);
        }
        for (at, letter) in [(lane.start, letters.start), (lane.next, letters.next)] {
            if let Some(cell) = at.and_then(|at| self.cell(at)) {
                fill(cell..cell + 1, letter);
            }
        }
        if lane.is_cut_before {
            fill(0..1, letters.before);
        }
        if lane.is_cut_after {
            fill(self.width - 1..self.width, letters.after);
        }
        if let Some(words) = lane.without {
            Self::write(&mut cells, words, now);
        }
        if let Some(cell) = cells.get_mut(now) {
            *cell = letters.now;
        }
        self.colored(row, &cells)
    }

    /// Puts words where nothing is drawn: to the left of all that is, else behind now.
    fn write(cells: &mut [char], words: &str, now: usize) {
        let drawn = cells.iter().take(now).position(|cell| *cell != ' ');
        let drawn = drawn.unwrap_or(now);
        let place = drawn.checked_sub(words.len() + 1).unwrap_or(now + 2);
        for (cell, letter) in cells.iter_mut().skip(place).zip(words.chars()) {
            *cell = letter;
        }
    }

    fn letter(&self, kind: Kind) -> char {
        match kind {
            Kind::Past => self.letters.past,
            Kind::Open => self.letters.open,
            Kind::Held => self.letters.held,
            Kind::Free => self.letters.free,
        }
    }

    /// The bar as text, without the blanks at its end.
    fn colored(&self, row: &Row, cells: &[char]) -> String {
        let bar: String = cells.iter().collect();
        let bar = bar.trim_end();
        if !self.color {
            return bar.to_owned();
        }
        let letters = self.letters;
        let code_of = |letter: char| match letter {
            letter if letter == letters.now => "1",
            letter if letter == letters.held => "33",
            letter if letter == letters.open || letter == letters.next => "32",
            letter if letter == letters.block && row.status == Status::Cooldown => "33",
            letter if letter == letters.block => "32",
            _ => "2",
        };
        let mut text = String::new();
        let mut last = "";
        for letter in bar.chars() {
            let code = code_of(letter);
            if code != last {
                let end = if last.is_empty() { "" } else { "\x1b[0m" };
                text.push_str(&format!("{end}\x1b[{code}m"));
                last = code;
            }
            text.push(letter);
        }
        text.push_str("\x1b[0m");
        text
    }

    /// Below the bars: when now is.
    fn foot(&self, zone: &Zone) -> String {
        let now = self.timeline.now;
        let place = self.cell(now.unix()).unwrap_or_default();
        let [left, right] = self.letters.corners;
        let words = format!("now {}, {}", now.table_form(), zone.name());
        let short = format!("now {}", now.table_form());
        for words in [words, short, "now".to_owned()] {
            let taken = width(&words) + 1;
            if taken < self.width - place {
                return format!("{:place$}{left} {words}", "");
            }
            if taken <= place {
                return format!("{:>1$} {right}", words, place - 1);
            }
        }
        String::new()
    }

    /// What the letters mean that stand in `bars`, in lines of `room`.
    fn legend(&self, bars: &[String], room: usize) -> Vec<String> {
        let letters = self.letters;
        let cuts = format!("{} {}", letters.before, letters.after);
        let entries = [
            (letters.start.to_string(), "window start"),
            (letters.past.to_string(), "gone by"),
            (letters.open.to_string(), "open, quota left"),
            (letters.held.to_string(), "held back"),
            (letters.block.to_string(), "5 h window"),
            (letters.next.to_string(), "next availability"),
            (letters.free.to_string(), "free"),
            (letters.now.to_string(), "now"),
            (cuts, "goes on"),
        ];
        let is_used = |meant: &str| {
            let mut letters = meant.chars().filter(|letter| *letter != ' ');
            letters.any(|letter| bars.iter().any(|bar| bar.contains(letter)))
        };
        let mut lines = vec![String::new()];
        for (letter, words) in entries.iter().filter(|(letter, _)| is_used(letter)) {
            let entry = format!("{letter} {words}");
            let Some(line) = lines.last_mut() else { break };
            if line.is_empty() {
                *line = entry;
            } else if width(line) + 2 + width(&entry) <= room {
                line.push_str("  ");
                line.push_str(&entry);
            } else {
                lines.push(entry);
            }
        }
        lines
    }
}

/// A day's name in so much room with the blank behind it.
fn label(date: NaiveDate, room: usize) -> String {
    let day = date.day();
    if room > "Wed 22 Apr".len() {
        date.format("%a %-d %b").to_string()
    } else if room > "Wed 22".len() {
        date.format("%a %-d").to_string()
    } else if room > "We 22".len() {
        format!("{} {day}", short_weekday(date))
    } else {
        day.to_string()
    }
}

/// `Mo`, `Tu`.
pub(super) fn short_weekday(date: NaiveDate) -> String {
    date.format("%a").to_string().chars().take(2).collect()
}

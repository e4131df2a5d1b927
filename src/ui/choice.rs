//! A list to choose from: what is typed, which lines that leaves, which one is marked, and how it looks in so many columns
//! and rows. Pure: `picker` draws it and reads the keys.

use std::ops::Range;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::table::{Column, GAP, printable};

/// As much may be typed, in bytes.
const MOST_TYPED: usize = 256;

/// The most lines of a list that are shown at once.
const MOST_SHOWN: usize = 15;

/// Columns that the mark before each line takes.
const MARK: usize = 2;

/// What the first column is cut to before another one is left out.
const FIRST: usize = 16;

/// What is to be chosen from.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    /// What is asked.
    pub question: &'static str,
    /// The columns; the first is cut where there is no room for it.
    pub columns: Vec<Column>,
    /// The lines.
    pub lines: Vec<Choice>,
}

/// One line of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// What is shown, one a column.
    pub cells: Vec<String>,
    /// By what else it is found.
    pub words: Vec<String>,
}

/// What a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Types a letter.
    Letter(char),
    /// Takes the last letter back.
    Back,
    /// Takes the last word back.
    BackWord,
    /// Takes all of it back.
    BackAll,
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first line.
    First,
    /// To the last line.
    Last,
    /// Takes the marked line.
    Enter,
    /// Leaves without a choice.
    Leave,
}

/// What a key led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It goes on.
    On,
    /// That line is chosen.
    Chosen(usize),
    /// Nothing is.
    Left,
}

/// What is to be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    /// The lines, none wider than there is room.
    pub lines: Vec<String>,
    /// Where in the first of them the next letter goes.
    pub cursor: usize,
}

/// A list while somebody chooses from it.
#[derive(Debug)]
pub struct Choosing {
    choices: Choices,
    /// Each line as it is searched: the cells, then the words.
    searched: Vec<Vec<String>>,
    typed: String,
    /// The lines that what is typed leaves, the likeliest first.
    found: Vec<usize>,
    /// Which of them is marked.
    at: usize,
    /// Which of them is the first that is shown.
    top: usize,
    /// How many were shown last.
    shown: usize,
}

impl Choosing {
    /// Nothing is typed, and the first line is marked.
    pub fn new(choices: Choices) -> Self {
        let searched = |line: &Choice| {
            let both = line.cells.iter().chain(&line.words);
            both.map(|text| text.to_lowercase()).collect()
        };
        Self {
            searched: choices.lines.iter().map(searched).collect(),
            found: (0..choices.lines.len()).collect(),
            choices,
            typed: String::new(),
            at: 0,
            top: 0,
            shown: 1,
        }
    }

    /// Does what a key says.
    pub fn take(&mut self, key: Key) -> Step {
        let last = self.found.len().saturating_sub(1);
        match key {
            // A line that is pasted by mistake is no word to look for, and would be looked for letter by letter.
            Key::Letter(_) if self.typed.len() >= MOST_TYPED => {}
            Key::Letter(letter) => {
                self.typed.push(letter);
                self.search();
            }
            Key::Back => {
                self.typed.pop();
                self.search();
            }
            Key::BackWord => {
                let kept = self.typed.trim_end();
                let kept = kept.rfind(char::is_whitespace).map_or(0, |place| place + 1);
                self.typed.truncate(kept);
                self.search();
            }
            Key::BackAll => {
                self.typed.clear();
                self.search();
            }
            Key::Up => self.at = self.at.saturating_sub(1),
            Key::Down => self.at = (self.at + 1).min(last),
            Key::PageUp => self.at = self.at.saturating_sub(self.shown),
            Key::PageDown => self.at = (self.at + self.shown).min(last),
            Key::First => self.at = 0,
            Key::Last => self.at = last,
            Key::Enter => {
                if let Some(line) = self.found.get(self.at) {
                    return Step::Chosen(*line);
                }
            }
            Key::Leave => return Step::Left,
        }
        Step::On
    }

    /// Finds the lines that hold every word that is typed, those first that begin with it. Where there are none, those that
    /// have its letters in that order.
    fn search(&mut self) {
        let typed = self.typed.to_lowercase();
        let words: Vec<&str> = typed.split_whitespace().collect();
        let cells = self.choices.columns.len();
        let lines = || self.searched.iter().enumerate();
        let score = |texts: &[String]| -> Option<usize> {
            words.iter().map(|word| score(texts, word)).sum()
        };
        let scored = lines().filter_map(|(place, texts)| Some((score(texts)?, place)));
        let mut found: Vec<(usize, usize)> = scored.collect();
        // Of equal ones those that stood first.
        found.sort_unstable();
        self.found = found.into_iter().map(|(_, place)| place).collect();
        if self.found.is_empty() {
            let is_like = |texts: &[String]| words.iter().all(|word| is_like(texts, cells, word));
            let like = lines().filter(|(_, texts)| is_like(texts));
            self.found = like.map(|(place, _)| place).collect();
        }
        (self.at, self.top) = (0, 0);
    }

    /// How it looks on a terminal of that many columns and rows. The last column stays empty: what stands there makes some
    /// terminals begin a new line.
    pub fn screen(&mut self, columns: usize, rows: usize) -> Screen {
        let room = columns.saturating_sub(1);
        // The question, the headings, the line below; and one more, so that nothing scrolls away.
        let has_frame = rows >= 6;
        let free = rows.saturating_sub(if has_frame { 4 } else { 1 });
        self.shown = free.clamp(1, MOST_SHOWN);
        self.top = self
            .top
            .min(self.at)
            .max((self.at + 1).saturating_sub(self.shown));
        let (question, cursor) = self.question(room);
        let mut lines = vec![question];
        if rows >= 2 {
            let layout = self.layout(room.saturating_sub(MARK));
            let headings = self.choices.columns.iter().map(|column| column.title);
            let headings: Vec<&str> = headings.collect();
            if has_frame {
                lines.push(self.line("  ", &headings, &layout, room));
            }
            for place in self.visible() {
                let mark = if place == self.at { "> " } else { "  " };
                let line = self.found.get(place);
                let line = line.and_then(|line| self.choices.lines.get(*line));
                let cells: Vec<&str> = line.map_or_else(Vec::new, |line| {
                    line.cells.iter().map(String::as_str).collect()
                });
                lines.push(self.line(mark, &cells, &layout, room));
            }
            if has_frame {
                let all = self.choices.lines.len();
                let counted = match self.found.len() {
                    0 => format!("none of {all} is like that; Esc leaves"),
                    found => format!("{found} of {all}; Enter chooses, Esc leaves"),
                };
                lines.push(cut(&counted, room));
            }
        }
        Screen { lines, cursor }
    }

    fn visible(&self) -> Range<usize> {
        self.top..(self.top + self.shown).min(self.found.len())
    }

    /// The question and what is typed, of that the end where there is no room for all, and where the cursor is.
    fn question(&self, room: usize) -> (String, usize) {
        let question = format!("{} ", self.choices.question);
        let typed = printable(&self.typed);
        // The cursor needs a column too.
        let most = room.saturating_sub(question.width()).saturating_sub(1);
        let mut shown: &str = &typed;
        while shown.width() > most {
            let mut letters = shown.chars();
            letters.next();
            shown = letters.as_str();
        }
        let text = cut(&format!("{question}{shown}"), room);
        let cursor = text.width();
        (text, cursor)
    }

    /// Which columns are shown, each with its width: by rank, as in a table, but for the first, which is cut.
    fn layout(&self, room: usize) -> Vec<(usize, usize)> {
        let widest = |place: usize, column: &Column| {
            let cells = self.choices.lines.iter();
            let cells = cells.filter_map(|line| Some(printable(line.cells.get(place)?).width()));
            cells.max().unwrap_or_default().max(column.title.width())
        };
        let columns = self.choices.columns.iter().enumerate();
        let mut widths: Vec<(usize, usize)> = columns
            .map(|(place, column)| (place, widest(place, column)))
            .collect();
        let Some(first) = widths.first().map(|(_, width)| *width) else {
            return widths;
        };
        let mut taken = first.min(FIRST);
        let rank = |place: usize| self.choices.columns.get(place).map(|column| column.rank);
        widths.sort_by_key(|(place, _)| (*place > 0, rank(*place)));
        widths.retain(|(place, width)| {
            let wanted = taken + GAP + width;
            let has_place = *place == 0 || wanted <= room;
            if has_place && *place > 0 {
                taken = wanted;
            }
            has_place
        });
        if let Some((_, width)) = widths.first_mut() {
            *width = first.min(room.saturating_sub(taken - first.min(FIRST)));
        }
        widths.sort_unstable();
        widths
    }

    fn line(&self, mark: &str, cells: &[&str], layout: &[(usize, usize)], room: usize) -> String {
        let mut text = mark.to_owned();
        for (place, width) in layout {
            let cell = cut(&printable(cells.get(*place).unwrap_or(&"")), *width);
            let free = " ".repeat(width.saturating_sub(cell.width()));
            let is_number = self.choices.columns.get(*place).is_some_and(|it| it.right);
            let (before, after) = if is_number {
                (free.as_str(), "")
            } else {
                ("", free.as_str())
            };
            text.push_str(&format!("{before}{cell}{after}{:GAP$}", ""));
        }
        cut(text.trim_end(), room)
    }
}

/// How well one of `texts` goes with `word`, less is better; None where none holds it.
fn score(texts: &[String], word: &str) -> Option<usize> {
    if texts.iter().any(|text| text.starts_with(word)) {
        return Some(0);
    }
    texts.iter().any(|text| text.contains(word)).then_some(1)
}

/// Whether one of `texts` holds `word`, or one of the first of them, the `cells`, which are seen, has its letters in that
/// order.
fn is_like(texts: &[String], cells: usize, word: &str) -> bool {
    let has_letters = |text: &String| {
        let mut letters = text.chars();
        let mut word = word.chars();
        word.all(|letter| letters.by_ref().any(|other| other == letter))
    };
    score(texts, word).is_some() || texts.iter().take(cells).any(has_letters)
}

/// `text` in at most `room` columns, with `…` where something is left out.
pub fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let Some(room) = room.checked_sub(1) else {
        return String::new();
    };
    let mut taken = 0;
    let kept = text.chars().take_while(|letter| {
        taken += letter.width().unwrap_or_default();
        taken <= room
    });
    let mut kept: String = kept.collect();
    kept.push('…');
    kept
}

/// Makes keys of the bytes that a terminal sends.
#[derive(Debug, Default)]
pub struct Keys {
    bytes: Vec<u8>,
    /// Whether what comes is pasted: then it is text, and nothing in it does anything.
    is_pasted: bool,
}

/// Has a terminal say where what is pasted begins and ends.
pub const TELL_PASTES: &str = "\x1b[?2004h";

/// Has it say so no more.
pub const TELL_NO_PASTES: &str = "\x1b[?2004l";

/// One thing that a terminal sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Key(Key),
    /// The beginning of what is pasted.
    Paste,
    /// The end of it.
    Pasted,
    /// What does nothing.
    Nothing,
}

impl Keys {
    /// More bytes came.
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next key. `is_quiet` where nothing more came for a moment: then a lone Esc is one, and no beginning.
    pub fn next(&mut self, is_quiet: bool) -> Option<Key> {
        loop {
            let (length, sent) = parse(&self.bytes, is_quiet)?;
            let first = self.bytes.first().copied();
            self.bytes.drain(..length);
            match sent {
                Sent::Paste => self.is_pasted = true,
                Sent::Pasted => self.is_pasted = false,
                Sent::Key(key @ Key::Letter(_)) => return Some(key),
                Sent::Key(key) if !self.is_pasted => return Some(key),
                Sent::Key(_) | Sent::Nothing if self.is_pasted => match first {
                    // The end of a line within a text is a gap between words.
                    Some(b'\r' | b'\n' | b'\t') => return Some(Key::Letter(' ')),
                    // A way out of a text that has no end.
                    Some(0x03) => return Some(Key::Leave),
                    _ => {}
                },
                Sent::Key(_) | Sent::Nothing => {}
            }
        }
    }
}

/// How many bytes the first thing takes, and which it is; None where more is to come.
fn parse(bytes: &[u8], is_quiet: bool) -> Option<(usize, Sent)> {
    let first = *bytes.first()?;
    let key = match first {
        b'\r' | b'\n' => Key::Enter,
        // Ctrl-C and Ctrl-D.
        0x03 | 0x04 => Key::Leave,
        0x7f | 0x08 => Key::Back,
        0x17 => Key::BackWord,
        0x15 => Key::BackAll,
        0x10 => Key::Up,
        0x0e => Key::Down,
        0x01 => Key::First,
        0x05 => Key::Last,
        0x1b => return parse_escaped(bytes, is_quiet),
        0..0x20 => return Some((1, Sent::Nothing)),
        _ => return parse_letter(bytes, is_quiet),
    };
    Some((1, Sent::Key(key)))
}

fn parse_letter(bytes: &[u8], is_quiet: bool) -> Option<(usize, Sent)> {
    let length = match bytes.first()? {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    };
    let Some(letter) = bytes.get(..length) else {
        return is_quiet.then_some((bytes.len(), Sent::Nothing));
    };
    let letter = std::str::from_utf8(letter).ok();
    let letter = letter.and_then(|letter| letter.chars().next());
    let sent = letter.map_or(Sent::Nothing, |letter| Sent::Key(Key::Letter(letter)));
    Some((length, sent))
}

/// What begins with Esc: one key alone, an arrow and its like, or a letter with Alt, which does nothing.
fn parse_escaped(bytes: &[u8], is_quiet: bool) -> Option<(usize, Sent)> {
    match bytes.get(1) {
        None => is_quiet.then_some((1, Sent::Key(Key::Leave))),
        Some(b'[' | b'O') => {
            let rest = bytes.get(2..).unwrap_or_default();
            let end = rest.iter().position(|byte| (0x40..=0x7e).contains(byte));
            let Some(end) = end else {
                return is_quiet.then_some((bytes.len(), Sent::Nothing));
            };
            let sent = match rest.get(..=end).unwrap_or_default() {
                b"A" => Sent::Key(Key::Up),
                b"B" => Sent::Key(Key::Down),
                b"H" | b"1~" | b"7~" => Sent::Key(Key::First),
                b"F" | b"4~" | b"8~" => Sent::Key(Key::Last),
                b"5~" => Sent::Key(Key::PageUp),
                b"6~" => Sent::Key(Key::PageDown),
                b"200~" => Sent::Paste,
                b"201~" => Sent::Pasted,
                _ => Sent::Nothing,
            };
            Some((end + 3, sent))
        }
        // Esc twice leaves as well.
        Some(0x1b) => Some((1, Sent::Key(Key::Leave))),
        Some(_) => Some((2, Sent::Nothing)),
    }
}

#[cfg(test)]
mod tests;

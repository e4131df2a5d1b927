//! The terminal Codex believes to run in, and what its screen shows. Pure: bytes go in, answers and a screen come out.
//!
//! Only what decides about typing is known here: the prompt, the commands it offers, questions to a person. The status
//! panel's own text is read by `panel`.

#[cfg(test)]
mod tests;

use std::num::NonZeroU16;

use vt100::{Callbacks, Parser};

use crate::codex::redact;

/// What Codex marks its prompt and a chosen line with.
const MARK: char = '›';

/// The command that is asked for.
pub const STATUS: &str = "/status";

/// A terminal without a keyboard: it shows what it is sent and answers what a program asks of it.
pub struct Terminal {
    parser: Parser<Asked>,
}

impl Terminal {
    /// An empty one.
    pub fn new(rows: NonZeroU16, columns: NonZeroU16) -> Self {
        Self {
            parser: Parser::new_with_callbacks(rows, columns, 0, Asked::default()),
        }
    }

    /// Shows `bytes`; returns what it answers.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.parser.process(bytes);
        std::mem::take(&mut self.parser.callbacks_mut().answers)
    }

    /// Whether the program is in the midst of drawing.
    pub fn is_drawing(&self) -> bool {
        self.parser.callbacks().is_drawing
    }

    /// Whether the program has said that it waits for input. Codex says so from 0.169.
    pub fn is_idle(&self) -> bool {
        self.parser.callbacks().is_idle
    }

    /// What it shows.
    pub fn screen(&self) -> Screen {
        let shown = self.parser.screen();
        let columns = shown.size().1.get();
        let rows: Vec<String> = shown.rows(0, columns).collect();
        let (row, column) = shown.cursor_position();
        let cursor = (!shown.hide_cursor()).then(|| Cursor {
            row: usize::from(row),
            before: shown
                .contents_between(row, 0, row, column)
                .trim_end()
                .to_owned(),
            after: shown
                .contents_between(row, column, row, columns)
                .trim()
                .to_owned(),
        });
        Screen { rows, cursor }
    }
}

/// What the program asked of its terminal or told it.
#[derive(Default)]
struct Asked {
    answers: Vec<u8>,
    is_drawing: bool,
    is_idle: bool,
}

impl Callbacks for Asked {
    // Source: XTerm Control Sequences, "Functions using CSI". The kitty keyboard's query is left without an answer, as
    // by every terminal that has none; the device attributes that are asked with it end the wait.
    fn unhandled_csi(
        &mut self,
        screen: &mut vt100::Screen,
        first: Option<u8>,
        second: Option<u8>,
        parameters: &[&[u16]],
        last: char,
    ) {
        let parameter = parameters.first().and_then(|part| part.first()).copied();
        let parameter = parameter.unwrap_or(0);
        match (first, second, last, parameter) {
            (None, None, 'c', 0) => self.answers.extend(b"\x1b[?62;22c"),
            (Some(b'>'), None, 'c', 0) => self.answers.extend(b"\x1b[>0;276;0c"),
            (None, None, 'n', 5) => self.answers.extend(b"\x1b[0n"),
            (None, None, 'n', 6) => {
                let (row, column) = screen.cursor_position();
                let answer = format!("\x1b[{};{}R", row + 1, column + 1);
                self.answers.extend(answer.as_bytes());
            }
            (Some(b'?'), Some(b'$'), 'p', mode) => {
                let answer = format!("\x1b[?{mode};0$y");
                self.answers.extend(answer.as_bytes());
            }
            (Some(b'?'), None, 'h', 2026) => self.is_drawing = true,
            (Some(b'?'), None, 'l', 2026) => self.is_drawing = false,
            _ => {}
        }
    }

    fn unhandled_osc(&mut self, _: &mut vt100::Screen, parameters: &[&[u8]]) {
        match parameters {
            [b"10", b"?"] => self.answers.extend(b"\x1b]10;rgb:d8d8/d8d8/d8d8\x1b\\"),
            [b"11", b"?"] => self.answers.extend(b"\x1b]11;rgb:0000/0000/0000\x1b\\"),
            [b"7501", told, ..] => {
                let told = told.split(|byte| *byte == b':');
                for word in told {
                    if let Some(state) = word.strip_prefix(b"state=") {
                        self.is_idle = state == b"idle";
                    }
                }
            }
            _ => {}
        }
    }
}

/// What a terminal shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    rows: Vec<String>,
    cursor: Option<Cursor>,
}

/// A cursor that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cursor {
    row: usize,
    /// The text left of it.
    before: String,
    /// The text from it on.
    after: String,
}

/// What Codex waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waits {
    /// For something else, or it is not to be seen.
    Unknown,
    /// For a prompt or a command; this is what was typed of it.
    Prompt(String),
    /// For a person's decision.
    Decision(Decision),
}

/// What a person is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Whether the directory is trusted.
    Trust,
    /// Whether to update.
    Update,
    /// How to sign in.
    SignIn,
    /// Whether to go on with another model.
    Model,
    /// Something that is not known here.
    Other,
}

/// What a decision is known by: words in small letters.
const DECISIONS: [(Decision, &[&str]); 4] = [
    (
        Decision::SignIn,
        &[
            "sign in with chatgpt",
            "finish signing in",
            "sign in with device code",
        ],
    ),
    (
        Decision::Trust,
        &[
            "do you trust",
            "allow codex to work in this folder",
            "trust this folder",
        ],
    ),
    (
        Decision::Update,
        &["update available", "update now", "skip until next version"],
    ),
    (
        Decision::Model,
        &[
            "try new model",
            "use existing model",
            "choose how you'd like codex to proceed",
            "is no longer available",
        ],
    ),
];

impl Screen {
    /// Its text, a line each row.
    pub fn text(&self) -> String {
        self.rows.join("\n")
    }

    /// What Codex waits for.
    pub fn waits(&self) -> Waits {
        if self.has_choices() {
            return Waits::Decision(self.decision());
        }
        if let Some(typed) = self.typed() {
            return Waits::Prompt(typed);
        }
        if self.rows.iter().any(|row| asks_for_a_key(row)) {
            return Waits::Decision(self.decision());
        }
        Waits::Unknown
    }

    /// Whether it says that the session is still being loaded.
    pub fn is_loading(&self) -> bool {
        self.rows.iter().any(|row| {
            let row = row.trim_matches([' ', '│']);
            row == "loading"
                || row
                    .strip_prefix("model:")
                    .is_some_and(|rest| rest.trim_start().starts_with("loading"))
        })
    }

    /// Whether the prompt holds the status command alone, and it is the one that Enter would run.
    pub fn offers_status(&self) -> bool {
        self.typed().as_deref() == Some(STATUS) && self.offered().first() == Some(&STATUS)
    }

    /// Whether a status panel on it names its session: one without was printed before that was loaded.
    pub fn names_session(&self) -> bool {
        let mut rows = self
            .rows
            .iter()
            .map(|row| row.trim_start_matches([' ', '│']));
        rows.any(|row| row.starts_with("Session:"))
    }

    /// The version in the header, as `0.169.0`.
    pub fn version(&self) -> Option<String> {
        const HEAD: &str = "OpenAI Codex (v";
        let (_, rest) = self.rows.iter().find_map(|row| row.split_once(HEAD))?;
        let (version, _) = rest.split_once(')')?;
        let is_version = version
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
        (is_version && !version.is_empty() && version.len() < 40).then(|| version.to_owned())
    }

    /// Why Codex ended, where it says so, without what may be a login.
    pub fn last_error(&self) -> Option<String> {
        let mut lines = self.rows.iter().rev().map(|row| row.trim());
        let line = lines.find(|line| line.starts_with("Error: ") || line.starts_with("error: "))?;
        let (_, said) = line.split_once(": ")?;
        Some(redact::first_line(said))
    }

    /// Whether Codex ended because it does not know `option`.
    pub fn refuses_option(&self, option: &str) -> bool {
        let said = format!("unexpected argument '{option}'");
        self.rows.iter().any(|row| row.contains(&said))
    }

    /// What stands in the prompt, where there is one. A hint in an empty prompt stands right of the cursor.
    fn typed(&self) -> Option<String> {
        let cursor = self.cursor.as_ref()?;
        let typed = cursor.before.strip_prefix(MARK)?.trim_start();
        if typed.is_empty() || cursor.after.is_empty() {
            return Some(typed.to_owned());
        }
        Some(format!("{typed} {}", cursor.after))
    }

    /// The commands that are offered beside the prompt, from above.
    fn offered(&self) -> Vec<&str> {
        let Some(cursor) = &self.cursor else {
            return Vec::new();
        };
        let (above, from) = self.rows.split_at(cursor.row.min(self.rows.len()));
        let below = from.get(1..).unwrap_or_default();
        let is_near = |row: &&String| row.trim().is_empty();
        let mut offered: Vec<&str> = above
            .iter()
            .rev()
            .skip_while(is_near)
            .map_while(|row| command_of(row))
            .collect();
        offered.reverse();
        if offered.is_empty() {
            offered = below
                .iter()
                .skip_while(is_near)
                .map_while(|row| command_of(row))
                .collect();
        }
        offered
    }

    /// Whether there is a list of numbered choices with one of them marked.
    fn has_choices(&self) -> bool {
        let is_numbered = |row: &str| {
            let digits = row.trim_start_matches(|c: char| c.is_ascii_digit());
            digits.len() < row.len() && digits.starts_with(". ")
        };
        let marked = self.rows.iter().position(|row| {
            let row = row.trim_start();
            row.strip_prefix([MARK, '>', '❯'])
                .is_some_and(|rest| is_numbered(rest.trim_start()))
        });
        marked.is_some_and(|marked| {
            let others = self.rows.iter().enumerate();
            others
                .filter(|(place, _)| *place != marked)
                .any(|(_, row)| is_numbered(row.trim_start()))
        })
    }

    fn decision(&self) -> Decision {
        let text = self.text().to_lowercase();
        let known = DECISIONS
            .iter()
            .find(|(_, words)| words.iter().any(|words| text.contains(words)));
        known.map_or(Decision::Other, |(decision, _)| *decision)
    }
}

/// Whether a row is the last of a page: `Press enter to continue`, `enter/esc continue · ^c quit`.
fn asks_for_a_key(row: &str) -> bool {
    let row = row.trim().to_lowercase();
    row.starts_with("press any key")
        || (["press enter", "enter ", "enter/", "esc "]
            .iter()
            .any(|key| row.starts_with(key))
            && ["continue", "confirm", "select", "skip"]
                .iter()
                .any(|purpose| row.contains(purpose)))
}

/// The command a row of the list offers. Two spaces part it from its description; a greeting has a dash there.
fn command_of(row: &str) -> Option<&str> {
    let row = row.trim().trim_start_matches([MARK, ' ']);
    let (command, _) = row.split_once("  ").unwrap_or((row, ""));
    (command.starts_with('/') && !command.contains(' ')).then_some(command)
}

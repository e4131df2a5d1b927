//! What a person or a script sees: data on stdout, everything else on stderr, decided once.
//!
//! Text and JSON are two printers of one value. Colour never carries meaning alone. A closed pipe is no error.

#[cfg_attr(not(unix), allow(dead_code))] // only asked of a terminal of Unix
pub mod choice;
pub mod fit;
#[cfg(unix)]
mod picker;
pub mod progress;
pub mod screen;
pub mod table;
pub mod wrap;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

use serde::Serialize;

use crate::error::{Error, Kind, Result};
use crate::timeutil::Stamp;

/// A value a command answers with: JSON through serde, or text.
pub trait Report: Serialize {
    /// The answer as text, each line ended; empty for nothing to print.
    fn text(&self, page: &Page) -> String;

    /// Whether no line of it is to be broken: it is laid out for the page already, or there to be copied.
    fn is_laid_out(&self) -> bool {
        false
    }
}

/// What text is laid out on.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Columns of the terminal; None where there is none, so that nothing is cut.
    pub width: Option<usize>,
    /// Whether to colour.
    pub color: bool,
    /// Whether letters beyond ASCII come out right.
    pub unicode: bool,
    /// The instant that what is passing is told for.
    pub now: Option<Stamp>,
}

/// What is said while a screen is drawn.
#[derive(Debug, Default)]
struct Held {
    /// Since it was asked for last.
    new: String,
    /// Each once, to be told when the screen is gone: what was done stays done.
    all: Vec<String>,
}

impl Held {
    fn add(&mut self, text: &str) {
        self.new.push_str(text);
        if !self.all.iter().any(|said| said == text) {
            self.all.push(text.to_owned());
        }
    }
}

/// The two streams and how to use them.
#[allow(clippy::struct_excessive_bools)] // the switches of the command line
pub struct Ui {
    out: RefCell<Box<dyn Write>>,
    err: RefCell<Box<dyn Write>>,
    /// Every warning that was told: what looks several times warns once.
    warned: RefCell<HashSet<String>>,
    /// What is to be said, kept while a screen is drawn.
    held: RefCell<Option<Held>>,
    page: Page,
    /// One JSON document on stdout instead of text.
    pub json: bool,
    /// No notes.
    pub quiet: bool,
    /// More notes.
    pub verbose: bool,
    /// Whether somebody is there to answer a question.
    pub interactive: bool,
    /// Whether somebody is there to choose from a list.
    pub can_choose: bool,
    /// Whether a line on standard error can be drawn over.
    pub can_draw: bool,
    /// When it is told how far long work is; None for never.
    pub pace: Option<progress::Pace>,
    line: Arc<progress::Line>,
}

impl Ui {
    /// Streams and settings as resolved by the caller.
    pub fn new(out: Box<dyn Write>, err: Box<dyn Write>, page: Page) -> Self {
        Self {
            out: RefCell::new(out),
            err: RefCell::new(err),
            warned: RefCell::default(),
            held: RefCell::default(),
            page,
            json: false,
            quiet: false,
            verbose: false,
            interactive: false,
            can_choose: false,
            can_draw: false,
            pace: None,
            line: Arc::default(),
        }
    }

    /// The process's streams before anything is resolved.
    pub fn plain(json: bool) -> Self {
        let page = Page {
            width: None,
            color: false,
            unicode: false,
            now: None,
        };
        let mut ui = Self::new(Box::new(io::stdout()), Box::new(io::stderr()), page);
        ui.json = json;
        ui
    }

    /// Prints the answer of a command.
    pub fn data(&self, report: &impl Report) -> Result<()> {
        let text = if self.json {
            let mut text = serde_json::to_string_pretty(report).map_err(anyhow::Error::from)?;
            text.push('\n');
            text
        } else {
            let text = report.text(&self.page);
            let text = match table::printable_lines(&text) {
                Cow::Borrowed(_) => text,
                Cow::Owned(printable) => printable,
            };
            match fit::folded(&text, &self.page) {
                Cow::Owned(folded) if !report.is_laid_out() => folded,
                _ => text,
            }
        };
        self.verbatim(&text)
    }

    /// Prints what another program reads, as it is.
    pub fn verbatim(&self, text: &str) -> Result<()> {
        self.line.clear();
        let mut out = self.out.borrow_mut();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Error::other(
                format!(
                    "cannot write to standard output: {}",
                    crate::error::describe(&error)
                ),
                "check where the output goes",
            )),
        }
    }

    /// Tells what a command did; not under `--quiet`, where its exit code says enough.
    pub fn done(&self, report: &impl Report) -> Result<()> {
        if self.quiet && !self.json {
            return Ok(());
        }
        self.data(report)
    }

    /// Says what was done; not under `--quiet` or `--json`.
    pub fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            self.say(&format!("{}\n", table::printable(text)));
        }
    }

    /// Says a detail; only under `--verbose`.
    pub fn detail(&self, text: &str) {
        if self.verbose && !self.json {
            self.say(&format!("{}\n", table::printable(text)));
        }
    }

    /// Warns of something a person should know though the command goes on; once, however often it is noticed.
    pub fn warn(&self, text: &str) {
        if self.held.borrow().is_none() && !self.warned.borrow_mut().insert(text.to_owned()) {
            return;
        }
        if self.json {
            self.say(&format!(
                "{}\n",
                serde_json::json!({ "warning": { "message": text } })
            ));
        } else {
            self.say(&format!("warning: {}\n", table::printable(text)));
        }
    }

    /// Tells a failure.
    pub fn error(&self, error: &Error) {
        if self.json {
            let (kind, message, hint) = (error.kind().word(), error.to_string(), error.hint());
            let document =
                serde_json::json!({ "error": { "kind": kind, "message": message, "hint": hint } });
            self.say(&format!("{document}\n"));
        } else {
            let message = error.to_string();
            let (message, hint) = (table::printable(&message), table::printable(error.hint()));
            self.say(&format!("error: {message}\nhint: {hint}\n"));
        }
    }

    /// Asks before something that replaces files. `yes` answers for a script.
    pub fn confirm(&self, question: &str, yes: bool) -> Result<()> {
        self.confirm_what("replaces files", question, yes)
    }

    /// Asks before something that does what `does` says. `yes` answers for a script.
    pub fn confirm_what(&self, does: &str, question: &str, yes: bool) -> Result<()> {
        if yes {
            return Ok(());
        }
        if !self.interactive {
            return Err(Error::new(
                Kind::Usage,
                format!("this {does}, and nobody is there to be asked"),
                "say `--yes` to go on, or `--dry-run` to see what would be done",
            ));
        }
        self.say(&format!("{question} [y/N] "));
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        if read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
            return Ok(());
        }
        if answer.is_empty() {
            self.say("\n");
        }
        Err(Error::other(
            "not confirmed; nothing was changed",
            "answer `y`, or say `--yes`",
        ))
    }

    /// Has a person choose one of the lines, which gives its place. `is_stopped` tells whether a signal came, whose handler
    /// must not end the process meanwhile. Leaving the list is an error of kind `Interrupted`.
    #[cfg(unix)]
    pub fn choose(&self, choices: choice::Choices, is_stopped: &dyn Fn() -> bool) -> Result<usize> {
        picker::pick(self, choices, is_stopped)
    }

    /// There is no list: [`Ui::can_choose`] is never true.
    #[cfg(not(unix))]
    pub fn choose(&self, _: choice::Choices, _: &dyn Fn() -> bool) -> Result<usize> {
        Err(Error::new(
            Kind::Usage,
            "there is no list to choose from on this system",
            "name what is to be taken",
        ))
    }

    /// Writes what moves the cursor of the terminal.
    #[cfg(unix)]
    fn draw(&self, text: &str) {
        let mut err = self.err.borrow_mut();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }

    /// Nobody reads stderr when this fails; there is nobody left to tell.
    fn say(&self, text: &str) {
        let text = table::printable_lines(text);
        if let Some(held) = self.held.borrow_mut().as_mut() {
            held.add(&text);
            return;
        }
        self.line.clear();
        let mut err = self.err.borrow_mut();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }
}

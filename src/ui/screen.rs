//! A screen of its own that is drawn over and over: each time in one go and in place, so that nothing flickers. What was on
//! the terminal before is there again afterwards.

#[cfg(unix)]
use std::io::Read;
use std::io::{self, Write};

use super::{Held, Page, Report, Ui, fit, table, wrap};
use crate::error::{Error, Kind, Result};
use crate::stop::Stop;

/// Another screen, without a cursor, on which a line that is too long is cut.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/// Terminals that know of it show what stands between these at once.
const BEGIN: &str = "\x1b[?2026h\x1b[H";
const END: &str = "\x1b[?2026l";
/// So many lines of what was said last are shown.
const SAID: usize = 5;
/// Where nobody knows how high it is.
const ROWS: usize = 24;

/// The screen; the terminal is as it was once this is dropped.
pub struct Screen {
    shown: String,
    keys: Keys,
}

impl Screen {
    /// Takes the terminal. `q` is as good as a signal to `stop`. Nothing may be said meanwhile; what is, is drawn below.
    ///
    /// Fails where standard output is no terminal.
    pub fn enter(ui: &Ui, stop: &Stop) -> Result<Self> {
        if ui.page.width.is_none() {
            return Err(Error::new(
                Kind::Usage,
                "standard output is no terminal: nothing can be drawn over there",
                "leave out `--watch`, or run it in a terminal",
            ));
        }
        let keys = Keys::taken(stop);
        ui.held.replace(Some(Held::default()));
        let screen = Self {
            shown: String::new(),
            keys,
        };
        send(ENTER)?;
        Ok(screen)
    }

    /// Draws `title`, how to leave, the report and the last lines of what was said, as much of it as there is room for.
    pub fn draw(&mut self, ui: &Ui, title: &str, report: &impl Report, said: &str) -> Result<()> {
        let (width, rows) = size(&ui.page);
        let page = Page {
            width: Some(width),
            ..ui.page
        };
        let mut text = format!("{}\n\n{}", self.head(title, width), report.text(&page));
        let lines = said.lines().map(|line| broken(line, width));
        let lines: Vec<String> = lines.flatten().collect();
        for (place, line) in lines
            .iter()
            .skip(lines.len().saturating_sub(SAID))
            .enumerate()
        {
            text.push_str(if place == 0 { "\n" } else { "" });
            text.push_str(&format!("{line}\n"));
        }
        let text = frame(&table::printable_lines(&text), rows);
        if text != self.shown {
            send(&text)?;
            self.shown = text;
        }
        Ok(())
    }

    /// What it shows and how to leave it, the shorter where there is less room.
    fn head(&self, title: &str, width: usize) -> String {
        let leave = if self.keys.are_read() {
            ["q or Ctrl-C leaves", "q leaves"]
        } else {
            ["Ctrl-C leaves", "Ctrl-C"]
        };
        let time = title.rsplit("   ").next().unwrap_or_default();
        let heads = [
            format!("{title}   {}", leave[0]),
            format!("{time}   {}", leave[1]),
            leave[1].to_owned(),
        ];
        let fits = heads.into_iter().find(|head| fit::width(head) <= width);
        fits.unwrap_or_default()
    }

    /// What was said since this was asked last.
    pub fn said(ui: &Ui) -> String {
        let mut held = ui.held.borrow_mut();
        held.as_mut()
            .map_or_else(String::new, |held| std::mem::take(&mut held.new))
    }

    /// Gives the terminal back. What was said meanwhile is told then, as is what is said from now on.
    pub fn leave(self, ui: &Ui) {
        drop(self);
        let held = ui.held.replace(None).unwrap_or_default();
        for said in held.all {
            ui.say(&said);
        }
    }
}

fn send(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let sent = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    sent.map_err(|error| match error.kind() {
        // Nobody looks any more.
        io::ErrorKind::BrokenPipe => Error::interrupted(),
        _ => Error::other(
            format!(
                "cannot draw on the terminal: {}",
                crate::error::describe(&error)
            ),
            "check the terminal",
        ),
    })
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = send(LEAVE);
    }
}

/// Columns and rows just now.
fn size(page: &Page) -> (usize, usize) {
    let size = terminal_size::terminal_size();
    let or = |known: Option<usize>, other| known.filter(|known| *known > 0).unwrap_or(other);
    (
        or(
            size.map(|(width, _)| width.0.into()),
            page.width.unwrap_or(80),
        ),
        or(size.map(|(_, height)| height.0.into()), ROWS),
    )
}

/// `text` drawn over what is there, its lines cut off where the screen ends, which is told.
fn frame(text: &str, rows: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let hidden = lines.len().saturating_sub(rows);
    // The line that tells takes the place of one.
    let shown = if hidden > 0 {
        rows.saturating_sub(1)
    } else {
        lines.len()
    };
    let told = (hidden > 0).then(|| format!("({} more lines)", hidden + 1));
    let lines: Vec<&str> = lines
        .into_iter()
        .take(shown)
        .chain(told.as_deref())
        .collect();
    let mut drawn = BEGIN.to_owned();
    for (place, line) in lines.iter().enumerate() {
        let gap = if place > 0 { "\r\n" } else { "" };
        // What was there goes first, below the last line too: behind a line as wide as the screen it would take its last letter.
        let wiped = if place + 1 == lines.len() {
            "\x1b[J"
        } else {
            "\x1b[K"
        };
        drawn.push_str(&format!("{gap}{wiped}{line}"));
    }
    drawn.push_str(END);
    drawn
}

/// `line` in lines of that width: between words, and in a word that is longer.
fn broken(line: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in wrap::wrapped(line, 0, 2, Some(width)).lines() {
        let mut part = String::new();
        for letter in line.chars() {
            if fit::width(&part) + fit::width(letter.encode_utf8(&mut [0; 4])) > width {
                lines.push(std::mem::take(&mut part));
            }
            part.push(letter);
        }
        lines.push(part);
    }
    lines
}

/// The keyboard, for as long as nothing that is typed may be shown.
struct Keys {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

impl Keys {
    #[cfg(unix)]
    fn taken(stop: &Stop) -> Self {
        use rustix::termios::{
            LocalModes, OptionalActions, SpecialCodeIndex, isatty, tcgetattr, tcsetattr,
        };
        let stdin = io::stdin();
        let before = tcgetattr(&stdin).ok().filter(|_| isatty(&stdin));
        if let Some(before) = &before {
            let mut modes = before.clone();
            modes.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO);
            // Stopped in the background it would leave this screen there; 0 is no key.
            modes.special_codes[SpecialCodeIndex::VSUSP] = 0;
            // As it would where Ctrl-\\ ends it without a word.
            modes.special_codes[SpecialCodeIndex::VQUIT] = 0;
            if tcsetattr(&stdin, OptionalActions::Now, &modes).is_ok() {
                listen(stop.clone());
            }
        }
        Self { before }
    }

    #[cfg(not(unix))]
    fn taken(_: &Stop) -> Self {
        Self {}
    }

    /// Whether a key can end it.
    fn are_read(&self) -> bool {
        #[cfg(unix)]
        return self.before.is_some();
        #[cfg(not(unix))]
        false
    }
}

#[cfg(unix)]
impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // What was typed meanwhile is not for the shell.
            let _ = rustix::termios::tcsetattr(
                io::stdin(),
                rustix::termios::OptionalActions::Flush,
                before,
            );
        }
    }
}

/// The thread waits for keys until the process ends.
#[cfg(unix)]
fn listen(stop: Stop) {
    std::thread::spawn(move || {
        let mut key = [0];
        while let Ok(1) = io::stdin().lock().read(&mut key) {
            if matches!(key[0], b'q' | b'Q') {
                stop.leave();
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_broken_where_it_is_too_long() {
        assert_eq!(
            broken("warning: one アリスalice-without-a-blank", 12),
            ["warning: one", "  アリスalic", "e-without-a-", "blank"]
        );
        assert_eq!(broken("", 3), [""; 0]);
    }

    #[test]
    fn what_has_no_room_is_told() {
        assert_eq!(
            frame("a\nb\n", 2),
            "\x1b[?2026h\x1b[H\x1b[Ka\r\n\x1b[Jb\x1b[?2026l"
        );
        assert_eq!(
            frame("a\nb\nc\nd\n", 2),
            "\x1b[?2026h\x1b[H\x1b[Ka\r\n\x1b[J(3 more lines)\x1b[?2026l"
        );
    }
}

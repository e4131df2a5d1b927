//! A screen of its own that is drawn over and over: each time in one go and in place, so that nothing flickers. What was on
//! the terminal before is there again afterwards.

use std::io::{self, Read, Write};
use std::thread;

use super::{Page, Report, Ui, table};
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
    _keys: Keys,
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
        ui.held.replace(Some(String::new()));
        let screen = Self {
            shown: String::new(),
            _keys: keys,
        };
        send(ENTER)?;
        Ok(screen)
    }

    /// Draws `title`, the report and what was said, as much of it as there is room for.
    pub fn draw(&mut self, ui: &Ui, title: &str, report: &impl Report) -> Result<()> {
        let (width, rows) = size(&ui.page);
        let page = Page {
            width: Some(width),
            ..ui.page
        };
        let held = ui.held.borrow();
        let said: Vec<&str> = held.iter().flat_map(|said| said.lines()).collect();
        let mut text = format!("{title}\n\n{}", report.text(&page));
        for (place, line) in said
            .iter()
            .skip(said.len().saturating_sub(SAID))
            .enumerate()
        {
            text.push_str(if place == 0 { "\n" } else { "" });
            text.push_str(&format!("{line}\n"));
        }
        drop(held);
        let text = frame(&table::printable_lines(&text), rows);
        if text != self.shown {
            send(&text)?;
            self.shown = text;
        }
        Ok(())
    }

    /// Gives the terminal back; what is said from now on is told as ever.
    pub fn leave(self, ui: &Ui) {
        drop(self);
        // What was shown need not be told again.
        ui.held.replace(None);
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
    thread::spawn(move || {
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

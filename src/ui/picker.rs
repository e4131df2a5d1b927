//! A list on the terminal to choose from, drawn on standard error: standard output is data. However it ends, the terminal
//! is as it was before: in its own mode, and without the lines of the list.

use std::io;

use rustix::termios::{OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use super::Ui;
use super::choice::{Choices, Choosing, Keys, Screen, Step, TELL_NO_PASTES, TELL_PASTES};
use crate::error::{Error, Kind, Result, describe};

/// What a terminal is taken for that does not say how large it is.
const USUAL: (usize, usize) = (80, 24);

/// Has a person choose one of the lines, which gives its place. `is_stopped` tells whether a signal came, whose handler
/// must not end the process meanwhile.
pub fn pick(ui: &Ui, choices: Choices, is_stopped: &dyn Fn() -> bool) -> Result<usize> {
    let raw = Raw::set().map_err(|error| unasked(&error))?;
    ui.draw(TELL_PASTES);
    let mut drawn = Drawn {
        ui,
        size: size(),
        cursor: None,
    };
    let chosen = choose(&mut drawn, choices, is_stopped);
    drawn.clear();
    ui.draw(TELL_NO_PASTES);
    drop(raw);
    chosen.map_err(|error| unasked(&error)).and_then(|step| {
        if is_stopped() {
            return Err(Error::interrupted());
        }
        match step {
            Step::Chosen(place) => Ok(place),
            Step::On | Step::Left => Err(Error::new(
                Kind::Interrupted,
                "nothing was chosen; nothing was changed",
                "run the command again, or name what is to be taken",
            )),
        }
    })
}

fn unasked(error: &io::Error) -> Error {
    Error::other(
        format!("cannot ask at the terminal: {}", describe(error)),
        "name what is to be taken",
    )
}

fn choose(drawn: &mut Drawn, choices: Choices, is_stopped: &dyn Fn() -> bool) -> io::Result<Step> {
    let mut choosing = Choosing::new(choices);
    let mut keys = Keys::default();
    let mut bytes = [0; 256];
    drawn.draw(&choosing.screen(drawn.size.0, drawn.size.1));
    loop {
        let count = match rustix::io::read(io::stdin(), &mut bytes) {
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        if is_stopped() {
            return Ok(Step::Left);
        }
        // A terminal that is gone gives nothing at once, again and again.
        if count == 0 {
            tcgetattr(io::stdin())?;
        }
        keys.add(bytes.get(..count).unwrap_or_default());
        let mut has_changed = drawn.has_resized();
        while let Some(key) = keys.next(count == 0) {
            has_changed = true;
            let step = choosing.take(key);
            if step != Step::On {
                return Ok(step);
            }
        }
        if has_changed {
            drawn.draw(&choosing.screen(drawn.size.0, drawn.size.1));
        }
    }
}

/// Columns and rows of the terminal that is drawn on.
fn size() -> (usize, usize) {
    let size = terminal_size::terminal_size_of(io::stderr());
    size.map_or(USUAL, |(width, height)| {
        (usize::from(width.0), usize::from(height.0))
    })
}

/// What was drawn. The cursor stands in its first line, so that all of it is behind the cursor.
struct Drawn<'a> {
    ui: &'a Ui,
    size: (usize, usize),
    /// In which column; None where nothing is drawn.
    cursor: Option<usize>,
}

impl Drawn<'_> {
    fn draw(&mut self, screen: &Screen) {
        let mut text = String::from("\r");
        for (place, line) in screen.lines.iter().enumerate() {
            text.push_str(if place == 0 { "" } else { "\r\n" });
            text.push_str(line);
            text.push_str("\x1b[K");
        }
        text.push_str("\x1b[J\r");
        if let up @ 1.. = screen.lines.len().saturating_sub(1) {
            text.push_str(&format!("\x1b[{up}A"));
        }
        if screen.cursor > 0 {
            text.push_str(&format!("\x1b[{}C", screen.cursor));
        }
        self.ui.draw(&text);
        self.cursor = Some(screen.cursor);
    }

    fn clear(&mut self) {
        if let Some(cursor) = self.cursor.take() {
            // Where the terminal has become narrower, the line before the cursor was broken.
            let up = cursor.checked_div(self.size.0).unwrap_or_default();
            let up = if up > 0 {
                format!("\x1b[{up}A")
            } else {
                String::new()
            };
            self.ui.draw(&format!("\r{up}\x1b[J"));
        }
    }

    /// Whether the terminal has another size by now; what was drawn is gone then.
    fn has_resized(&mut self) -> bool {
        let now = size();
        let has = now != self.size;
        if has {
            self.size = now;
            self.clear();
        }
        has
    }
}

/// The terminal gives every key at once and shows none, until this is dropped.
struct Raw {
    before: Termios,
}

impl Raw {
    fn set() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        // What others write goes on as it did.
        raw.output_modes = before.output_modes;
        // A read ends after a tenth of a second, so that signals and another size are seen.
        raw.special_codes[SpecialCodeIndex::VMIN] = 0;
        raw.special_codes[SpecialCodeIndex::VTIME] = 1;
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // What was typed ahead answers no question that comes after.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}

//! How far a transfer is: a line on a terminal that is drawn over, nothing anywhere else.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Ui;

/// How often it is drawn a second.
const DRAWN: u8 = 10;

/// How far something is. Shared by the threads that do it; the line goes away with it.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// That many more bytes are done.
    pub fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl Ui {
    /// Shows how far `what`, `total` bytes of it, is.
    pub fn progress(&self, what: &'static str, total: u64) -> Progress {
        let is_shown = self.interactive && !self.quiet && !self.json;
        let target = if is_shown {
            ProgressDrawTarget::stderr_with_hz(DRAWN)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        // A form that does not parse would only look plain.
        if let Ok(style) = ProgressStyle::with_template(
            "{prefix} {wide_bar} {decimal_bytes}/{decimal_total_bytes}, {decimal_bytes_per_sec}, {eta}",
        ) {
            bar.set_style(style);
        }
        bar.set_prefix(what);
        Progress(bar)
    }
}

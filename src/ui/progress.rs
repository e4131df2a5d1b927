//! How far long work is: a line on a terminal that is drawn over, lines now and then elsewhere, all on standard error.
//!
//! The work counts bytes, from as many threads as it has; whichever finds that something is to be shown shows it.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthStr;

use super::Ui;
use super::choice::cut;
use super::table::size_words;
use crate::stop::Watch;

/// When something is told.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// What is done sooner is not told of.
    pub first: Duration,
    /// And then so often.
    pub every: Duration,
}

impl Pace {
    /// Of a line that is drawn over: what is quick does not flicker.
    pub const DRAWN: Self = Self {
        first: Duration::from_millis(300),
        every: Duration::from_millis(100),
    };

    /// Of lines one after another.
    pub const WRITTEN: Self = Self::of(Duration::from_secs(10));

    /// Every so often.
    pub const fn of(every: Duration) -> Self {
        Self {
            first: every,
            every,
        }
    }
}

/// The widest bar, in columns, and the narrowest that says anything.
const BAR: (usize, usize) = (30, 8);

/// How far something is. Shared by the threads that do it; its line goes away with it.
#[derive(Debug)]
pub struct Progress {
    done: AtomicU64,
    /// 0 where that is not known.
    total: AtomicU64,
    shown: Option<Shown>,
}

/// Of work that nobody is told of.
pub static UNTOLD: Progress = Progress::of(None);

impl Progress {
    const fn of(shown: Option<Shown>) -> Self {
        Self {
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            shown,
        }
    }

    /// That many more bytes are done.
    pub fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if let Some(shown) = &self.shown {
            shown.came_to(done, self.total.load(Ordering::Relaxed));
        }
    }

    /// So many bytes are to come, none of which is done.
    pub fn begin(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
        self.again();
    }

    /// What comes next is `what`, so many bytes of it.
    pub fn next(&self, what: &'static str, total: u64) {
        if let Some(shown) = &self.shown {
            *shown.what.lock().unwrap_or_else(PoisonError::into_inner) = what;
        }
        self.begin(total);
    }

    /// What is done does not count: it is done anew.
    pub fn again(&self) {
        self.done.store(0, Ordering::Relaxed);
        if let Some(shown) = &self.shown {
            shown.begin();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(shown) = &self.shown {
            shown.line.clear();
        }
    }
}

/// Work that may be stopped, and tells how far it is.
#[derive(Clone, Copy)]
pub struct Watched<'a> {
    /// Whether a signal came.
    pub stop: &'a dyn Fn() -> bool,
    /// Who is told.
    pub progress: &'a Progress,
}

impl Watch for Watched<'_> {
    fn is_stopped(&self) -> bool {
        (self.stop)()
    }

    fn begin(&self, total: u64) {
        self.progress.begin(total);
    }

    fn did(&self, bytes: u64) {
        self.progress.add(bytes);
    }
}

/// To whom and when it is shown. Times are in microseconds since `since`.
#[derive(Debug)]
struct Shown {
    what: Mutex<&'static str>,
    since: Instant,
    begun: AtomicU64,
    next: AtomicU64,
    pace: Pace,
    /// Whether a line is drawn over.
    is_drawn: bool,
    line: Arc<Line>,
}

impl Shown {
    fn now(&self) -> u64 {
        micros(self.since.elapsed())
    }

    fn begin(&self) {
        self.line.clear();
        let now = self.now();
        self.begun.store(now, Ordering::Relaxed);
        let next = now.saturating_add(micros(self.pace.first));
        self.next.store(next, Ordering::Relaxed);
    }

    fn came_to(&self, done: u64, total: u64) {
        let (now, next) = (self.now(), self.next.load(Ordering::Relaxed));
        if now < next {
            return;
        }
        let then = now.saturating_add(micros(self.pace.every));
        let mine = self
            .next
            .compare_exchange(next, then, Ordering::Relaxed, Ordering::Relaxed);
        if mine.is_err() {
            return;
        }
        let spent = now.saturating_sub(self.begun.load(Ordering::Relaxed));
        let state = State {
            what: *self.what.lock().unwrap_or_else(PoisonError::into_inner),
            done,
            total,
            spent: Duration::from_micros(spent),
        };
        if self.is_drawn {
            self.line.draw(|room| state.line(room));
        } else {
            self.line.write(&format!("{}\n", state.words()));
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// How far something is at one moment.
#[derive(Clone, Copy, Debug)]
struct State {
    what: &'static str,
    done: u64,
    total: u64,
    spent: Duration,
}

impl State {
    /// How much of how much; what is counted may turn out to be somewhat more than was expected.
    fn of(&self) -> String {
        match self.total {
            0 => size_words(self.done),
            total => format!(
                "{} of {}",
                size_words(self.done.min(total)),
                size_words(total)
            ),
        }
    }

    /// A second's bytes, on the average; None where that says nothing yet.
    fn rate(&self) -> Option<u64> {
        let spent = self.spent.as_millis();
        let rate = u128::from(self.done) * 1000 / spent.max(1);
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        (spent > 0 && rate > 0).then_some(rate)
    }

    fn rate_words(&self) -> String {
        self.rate()
            .map_or_else(String::new, |rate| format!(", {}/s", size_words(rate)))
    }

    /// `, 4 s left`; nothing where that is not known.
    fn left_words(&self) -> String {
        let left = self.total.saturating_sub(self.done);
        let Some(rate) = self.rate().filter(|_| self.total > 0) else {
            return String::new();
        };
        match left.div_ceil(rate) {
            seconds @ ..100 => format!(", {seconds} s left"),
            seconds @ ..6000 => format!(", {} min left", seconds.div_ceil(60)),
            seconds => format!(", {} h left", seconds.div_ceil(3600)),
        }
    }

    fn percent(&self) -> String {
        let done = u128::from(self.done.min(self.total)) * 100;
        match u128::from(self.total) {
            0 => size_words(self.done),
            total => format!("{}%", done / total),
        }
    }

    /// `backup: 120.0 MB of 1.2 GB, 310.0 MB/s, 4 s left`.
    fn words(&self) -> String {
        let (what, of) = (self.what, self.of());
        format!("{what}: {of}{}{}", self.rate_words(), self.left_words())
    }

    /// The same with a bar, in so many columns at most: what matters least is left out first.
    fn line(&self, room: usize) -> String {
        let (what, left) = (self.what, self.left_words());
        let forms = [
            self.words(),
            format!("{what}: {}{left}", self.of()),
            format!("{what}: {}{left}", self.percent()),
            format!("{what}: {}", self.percent()),
        ];
        let fits = |form: &&String| form.width() <= room;
        let text = forms.iter().find(fits).unwrap_or(&forms[3]);
        // Two brackets and a blank.
        let bar = room.saturating_sub(text.width() + 3).min(BAR.0);
        if bar < BAR.1 || self.total == 0 {
            return cut(text, room);
        }
        let done = u128::from(self.done.min(self.total)) * bar as u128 / u128::from(self.total);
        let done = usize::try_from(done).unwrap_or(bar);
        format!(
            "[{}{}] {text}",
            "█".repeat(done),
            "░".repeat(bar.saturating_sub(done))
        )
    }
}

/// The last line of the terminal, which is drawn over.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Whether something stands there.
    is_drawn: Mutex<bool>,
}

impl Line {
    /// Draws over what is there. Nobody reads it where that fails.
    fn draw(&self, text: impl FnOnce(usize) -> String) {
        let columns = terminal_size::terminal_size_of(io::stderr());
        let columns = columns.map_or(80, |(width, _)| usize::from(width.0));
        // What stands in the last column makes some terminals begin a new line.
        let text = text(columns.saturating_sub(1));
        let mut is_drawn = self.lock();
        let _ = io::stderr().write_all(format!("\r{text}\x1b[K").as_bytes());
        *is_drawn = true;
    }

    /// Takes it away, so that something else can be written there.
    pub(super) fn clear(&self) {
        if std::mem::take(&mut *self.lock()) {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }

    fn write(&self, text: &str) {
        let _alone = self.lock();
        let _ = io::stderr().write_all(text.as_bytes());
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ui {
    /// Tells how far `what` is, of which so many bytes are to come; 0 where that is not known.
    pub fn progress(&self, what: &'static str, total: u64) -> Progress {
        let Some(pace) = self.pace.filter(|_| !self.quiet && !self.json) else {
            return Progress::of(None);
        };
        let shown = Shown {
            what: Mutex::new(what),
            since: Instant::now(),
            begun: AtomicU64::new(0),
            next: AtomicU64::new(0),
            pace,
            is_drawn: self.can_draw,
            line: Arc::clone(&self.line),
        };
        let progress = Progress::of(Some(shown));
        progress.begin(total);
        progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(done: u64, total: u64, seconds: u64) -> State {
        State {
            what: "backup",
            done,
            total,
            spent: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn words_tell_bytes_rate_and_what_is_left() {
        for (state, words) in [
            (
                state(120_000_000, 1_200_000_000, 2),
                "backup: 120.0 MB of 1.2 GB, 60.0 MB/s, 18 s left",
            ),
            (state(0, 1000, 0), "backup: 0 B of 1.0 kB"),
            (state(0, 1000, 9), "backup: 0 B of 1.0 kB"),
            (state(500, 0, 1), "backup: 500 B, 500 B/s"),
            // What came out as more than was expected is all of it.
            (
                state(1200, 1000, 1),
                "backup: 1.0 kB of 1.0 kB, 1.2 kB/s, 0 s left",
            ),
            (
                state(1000, 1_000_000, 1),
                "backup: 1.0 kB of 1.0 MB, 1.0 kB/s, 17 min left",
            ),
            (
                state(1000, 10_000_000, 1),
                "backup: 1.0 kB of 10.0 MB, 1.0 kB/s, 3 h left",
            ),
        ] {
            assert_eq!(state.words(), words);
        }
    }

    #[test]
    fn a_line_has_what_there_is_room_for() {
        let state = state(120_000_000, 1_200_000_000, 2);
        for (room, line) in [
            (
                200,
                "[███░░░░░░░░░░░░░░░░░░░░░░░░░░░] backup: 120.0 MB of 1.2 GB, 60.0 MB/s, 18 s left",
            ),
            (
                59,
                "[░░░░░░░░] backup: 120.0 MB of 1.2 GB, 60.0 MB/s, 18 s left",
            ),
            (58, "backup: 120.0 MB of 1.2 GB, 60.0 MB/s, 18 s left"),
            (39, "backup: 120.0 MB of 1.2 GB, 18 s left"),
            (36, "[█░░░░░░░░░░] backup: 10%, 18 s left"),
            (25, "backup: 10%, 18 s left"),
            (21, "backup: 10%"),
            (8, "backup:…"),
            (0, ""),
        ] {
            assert_eq!(state.line(room), line, "{room}");
            assert!(state.line(room).width() <= room);
        }
    }

    #[test]
    fn nobody_is_told_and_bytes_count_all_the_same() {
        let progress = Progress::of(None);
        progress.begin(10);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| progress.add(1)));
            }
        });
        assert_eq!(progress.done.load(Ordering::Relaxed), 4000);
        progress.again();
        assert_eq!(progress.done.load(Ordering::Relaxed), 0);
    }
}

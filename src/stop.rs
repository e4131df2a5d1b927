//! Ending on a signal. With files half written or a child running the work in hand is tidied up first; with nothing
//! in hand, as while a question waits for its answer, the process ends at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// What long work looks at now and then: whether it is to end, and whom it tells how far it is. A function that says the
/// first is one.
pub trait Watch {
    /// Whether to end.
    fn is_stopped(&self) -> bool;

    /// So many bytes are to come.
    fn begin(&self, _total: u64) {}

    /// That many more are done.
    fn did(&self, _bytes: u64) {}
}

impl<F: Fn() -> bool> Watch for F {
    fn is_stopped(&self) -> bool {
        self()
    }
}

/// Signals nearer to each other are one: a window that is closed sends two, as does a system that shuts down.
const APART: Duration = Duration::from_secs(1);

/// Shared with the signal handler.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<State>);

#[derive(Debug, Default)]
struct State {
    is_requested: AtomicBool,
    is_urgent: AtomicBool,
    /// When the first came.
    first: OnceLock<Instant>,
    in_hand: AtomicUsize,
    waiting: Mutex<()>,
    wakes: Condvar,
    is_told: AtomicBool,
    is_left: AtomicBool,
}

impl Stop {
    /// Listens for Ctrl-C and termination. `exit` ends the process when nothing is in hand.
    pub fn listen(&self, exit: impl Fn() + Send + 'static) {
        let stop = self.clone();
        // Without a handler a signal still ends the process, only less tidily.
        let _ = ctrlc::set_handler(move || {
            let first = *stop.0.first.get_or_init(Instant::now);
            if first.elapsed() >= APART {
                stop.0.is_urgent.store(true, Ordering::SeqCst);
            }
            stop.request();
            if stop.0.in_hand.load(Ordering::SeqCst) == 0 && stop.is_first_to_tell() {
                exit();
            }
        });
    }

    /// Ends what goes on until it is ended, as it is meant to be.
    #[cfg_attr(not(unix), allow(dead_code))] // by a key, which only a terminal of Unix tells of
    pub fn leave(&self) {
        self.0.is_left.store(true, Ordering::SeqCst);
        self.request();
    }

    /// Whether it was ended so, and not by a signal.
    pub fn has_left(&self) -> bool {
        self.0.is_left.load(Ordering::SeqCst)
    }

    fn request(&self) {
        let _waiting = self.0.waiting.lock();
        self.0.is_requested.store(true, Ordering::SeqCst);
        self.0.wakes.notify_all();
    }

    /// Waits that long, or until a signal comes.
    pub fn wait(&self, time: Duration) {
        let waiting = self
            .0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Which of the two it was, whoever waits asks next.
        let _ = self
            .0
            .wakes
            .wait_timeout_while(waiting, time, |()| !self.is_requested());
    }

    /// Whether a signal came.
    pub fn is_requested(&self) -> bool {
        self.0.is_requested.load(Ordering::SeqCst)
    }

    /// Whether nobody has told of it yet, who then does: the handler, or the command that noticed it by itself.
    pub fn is_first_to_tell(&self) -> bool {
        !self.0.is_told.swap(true, Ordering::SeqCst)
    }

    /// Whether another came some time later: whoever asks twice will not wait for what is better finished.
    pub fn is_urgent(&self) -> bool {
        self.0.is_urgent.load(Ordering::SeqCst)
    }

    /// There is something to tidy up until the guard is dropped.
    pub fn in_hand(&self) -> InHand {
        self.0.in_hand.fetch_add(1, Ordering::SeqCst);
        InHand(self.clone())
    }
}

/// Keeps a signal from ending the process at once.
#[derive(Debug)]
pub struct InHand(Stop);

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.0.in_hand.fetch_sub(1, Ordering::SeqCst);
    }
}

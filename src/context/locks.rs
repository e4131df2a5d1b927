//! The lock of the manager home as commands take it: waiting for it, and what is tidied up once it is had.

use std::cell::Cell;
use std::time::Duration;

use super::Ctx;
use crate::cli::WaitArgs;
use crate::error::Result;
use crate::evidence::{Evidence, Reach};
use crate::fsutil;
use crate::lock::{self, Lock, Waiting};
use crate::profiles;
use crate::profiles::private_home::{self, Keeper, Taken};
use crate::snapshots::Depth;
use crate::stop::InHand;

/// How long other runs may be waited for.
pub(super) struct Patience {
    /// What of it is left.
    pub(super) left: Cell<Duration>,
    /// Whether somebody said how long.
    pub(super) is_said: bool,
    /// What to do where it is not enough.
    pub(super) hint: &'static str,
}

impl Patience {
    /// `args` is None for a command that cannot be told.
    pub(super) fn new(args: Option<&WaitArgs>) -> Self {
        let said = args.and_then(|args| args.wait).map(Duration::from_secs);
        Self {
            left: Cell::new(said.unwrap_or(lock::PATIENCE)),
            is_said: said.is_some(),
            hint: match args {
                Some(_) => {
                    "wait until it is done, then run the command again; or say with `--wait` how many seconds to wait"
                }
                None => "wait until it is done, then run the command again",
            },
        }
    }
}

impl Patience {
    /// For the next of several turns.
    pub(super) fn renew(&self) {
        if !self.is_said {
            self.left.set(lock::PATIENCE);
        }
    }
}

impl Ctx {
    /// Takes the lock of the manager home. Until it is dropped a signal waits for the work in hand.
    pub fn lock(&self, command: &str) -> Result<(Lock, InHand)> {
        self.lock_within(command, &self.waiting.left)
    }

    /// The same for what is not to fail though somebody may hold it for long, as a backup does.
    pub fn lock_patiently(&self, command: &str) -> Result<(Lock, InHand)> {
        const MOST: Duration = Duration::from_mins(10);
        self.lock_within(command, &Cell::new(MOST))
    }

    /// The same, but no longer than was said, where somebody did.
    pub fn lock_patiently_unless_said(&self, command: &str) -> Result<(Lock, InHand)> {
        if self.waiting.is_said {
            self.lock(command)
        } else {
            self.lock_patiently(command)
        }
    }

    fn lock_within(&self, command: &str, left: &Cell<Duration>) -> Result<(Lock, InHand)> {
        let lock = self.waiting(left, |waiting| {
            Lock::acquire(&self.paths.manager_home, waiting)
        })?;
        let held = (
            lock.signed(command, Some(self.clock_now())),
            self.stop.in_hand(),
        );
        fsutil::sweep(&self.paths.manager_home);
        profiles::sweep(&self.paths.profiles());
        self.take_in_all(&held.0);
        Ok(held)
    }

    /// The same where nobody has it, without waiting; for what can be done without.
    pub fn try_lock(&self, command: &str) -> Result<(Lock, InHand)> {
        let held = (
            Lock::try_acquire(&self.paths.manager_home, command, Some(self.clock_now()))?,
            self.stop.in_hand(),
        );
        self.take_in_all(&held.0);
        Ok(held)
    }

    /// Keeps the logins that a killed run left in Codex homes of our own, which is told.
    fn take_in_all(&self, lock: &Lock) {
        let taken = self.keeping(lock, |keeper| {
            private_home::take_in_all(&self.paths.tmp(), keeper)
        });
        for taken in taken {
            match taken {
                Taken::Kept {
                    login,
                    profile,
                    is_new: true,
                } => self.ui.warn(&format!(
                    "a run that was cut short left a login of {}: it is kept in the profile `{profile}` now",
                    login.account
                )),
                Taken::Stays(why) => self.ui.warn(&why),
                Taken::Nothing | Taken::Kept { .. } => {}
            }
        }
    }

    /// Does `work` with what logins are kept by, given the lock.
    pub fn keeping<T>(&self, lock: &Lock, work: impl FnOnce(&Keeper) -> T) -> T {
        let known = || {
            let load = |places| {
                let reach = Reach::Every(Depth::Whole);
                Evidence::load(&places, self.now, &self.zone, reach, false, Some(lock))
            };
            let evidence = self.places(None, None).and_then(load);
            evidence.map_or_else(|_| Vec::new(), |evidence| evidence.known())
        };
        work(&Keeper {
            profiles: &self.paths.profiles(),
            lock,
            known: &known,
            latest: self.latest(),
        })
    }

    /// Has `take` wait for the lock of a Codex home as long as was said, or as long as `default` where nothing was.
    pub fn patient<T>(
        &self,
        default: Duration,
        take: impl FnOnce(&Waiting) -> Result<T>,
    ) -> Result<T> {
        if self.waiting.is_said {
            self.waiting(&self.waiting.left, take)
        } else {
            self.waiting(&Cell::new(default), take)
        }
    }

    pub(super) fn waiting<T>(
        &self,
        left: &Cell<Duration>,
        take: impl FnOnce(&Waiting) -> Result<T>,
    ) -> Result<T> {
        take(&Waiting {
            left,
            hint: self.waiting.hint,
            tell: &|who| self.ui.note(who),
            is_stopped: &|| self.stopped(),
        })
    }
}

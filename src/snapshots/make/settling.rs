//! Databases are copied and checked while the rest of the archive is written.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::archive::write::{self, Entry, Late};
use crate::databases::{Begun, Settled};
use crate::error::{Error, Kind, Result};

/// Runs `write` while the databases are copied and checked in a thread of their own, and gives what both gave. One that
/// fails ends the other.
pub(super) fn while_settling<T>(
    begun: Option<Begun>,
    archive: &Path,
    stop: &(dyn Fn() -> bool + Sync),
    write: impl FnOnce(Option<&Late>, &(dyn Fn() -> bool + Sync)) -> Result<T>,
) -> Result<(T, Option<Settled>)> {
    let Some(begun) = begun else {
        return Ok((write(None, stop)?, None));
    };
    let (late, is_over) = (Late::new(), AtomicBool::new(false));
    let is_ended = || is_over.load(Ordering::Relaxed) || stop();
    let settle = || {
        let unblock = Unblock(&late);
        let settled = begun.finish(&is_ended);
        match &settled {
            Ok(settled) => unblock.with(settled.entries.clone()),
            Err(_) => is_over.store(true, Ordering::Relaxed),
        }
        settled
    };
    let (written, settled) = thread::scope(|scope| {
        let thread = thread::Builder::new()
            .spawn_scoped(scope, settle)
            .map_err(|error| Error::io("start a thread to write", archive, error))?;
        let written = write(Some(&late), &is_ended);
        is_over.fetch_or(written.is_err(), Ordering::Relaxed);
        Ok::<_, Error>((written, thread.join()))
    })?;
    let settled = settled.unwrap_or_else(|_| Err(write::lost(archive)));
    match (written, settled) {
        (Ok(written), Ok(settled)) => Ok((written, Some(settled))),
        // Whichever was interrupted may have been so by the other.
        (Err(error), Err(other)) if error.kind() == Kind::Interrupted => Err(other),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// Lets whoever waits for entries go on, whatever happens.
struct Unblock<'a>(&'a Late);

impl Unblock<'_> {
    fn with(self, entries: Vec<Entry>) {
        // Nobody else sets it.
        let _ = self.0.set(entries);
    }
}

impl Drop for Unblock<'_> {
    fn drop(&mut self) {
        // Without effect where there are some.
        let _ = self.0.set(Vec::new());
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::manifest::Nature;
    use crate::archive::write::Content;
    use crate::databases;

    /// A database of twenty thousand rows that somebody has open, and its copying begun in `dir`.
    fn begun(home: &Path, dir: &Path, stop: &dyn Fn() -> bool) -> (rusqlite::Connection, Begun) {
        let source = home.join("state_5.sqlite");
        let open = rusqlite::Connection::open(&source).expect("opens");
        open.execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; CREATE TABLE t(v TEXT);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
             INSERT INTO t(v) SELECT printf('%0300d', i) FROM n;",
        )
        .expect("fills");
        let mut entries = vec![Entry {
            path: "state_5.sqlite".to_owned(),
            content: Content::File { source, size: 0 },
            nature: Nature::Plain,
            executable: false,
            mtime: 1,
            mtime_nanos: 0,
        }];
        let begun = databases::begin(&mut entries, dir, stop).expect("begins");
        (open, begun.expect("there is one"))
    }

    fn dirs() -> [tempfile::TempDir; 2] {
        [(); 2].map(|()| tempfile::tempdir().expect("a directory"))
    }

    #[test]
    fn who_writes_is_given_the_copies_once_they_are_there() {
        let [home, dir] = dirs();
        let (_open, begun) = begun(home.path(), dir.path(), &|| false);
        let write = |late: Option<&Late>, _: &(dyn Fn() -> bool + Sync)| {
            let entries = late.expect("there are some").wait();
            Ok(entries.iter().map(|entry| entry.nature).collect())
        };
        let (natures, settled): (Vec<Nature>, _) =
            while_settling(Some(begun), dir.path(), &|| false, write).expect("does both");
        assert_eq!(natures, [Nature::SqliteCopy]);
        assert_eq!(settled.expect("settled").databases.len(), 1);
        assert_eq!(dir.path().read_dir().expect("lists").count(), 0);
    }

    #[test]
    fn who_fails_to_write_ends_the_copying_and_is_who_is_told() {
        let [home, dir] = dirs();
        let (_open, begun) = begun(home.path(), dir.path(), &|| false);
        let write = |_: Option<&Late>, _: &(dyn Fn() -> bool + Sync)| {
            Err::<(), _>(Error::other("no room", "make some"))
        };
        let both = while_settling(Some(begun), dir.path(), &|| false, write);
        assert_eq!(both.err().expect("fails").to_string(), "no room");
        assert_eq!(dir.path().read_dir().expect("lists").count(), 0);
    }

    #[test]
    fn a_signal_ends_both() {
        let [home, dir] = dirs();
        let (_open, begun) = begun(home.path(), dir.path(), &|| false);
        let write = |late: Option<&Late>, stop: &(dyn Fn() -> bool + Sync)| {
            assert_eq!(late.expect("there are some").wait().as_slice(), []);
            assert!(stop());
            Err::<(), _>(Error::interrupted())
        };
        let both = while_settling(Some(begun), dir.path(), &|| true, write);
        assert_eq!(both.err().expect("fails").kind(), Kind::Interrupted);
        assert_eq!(dir.path().read_dir().expect("lists").count(), 0);
    }
}

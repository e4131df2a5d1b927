//! Databases of a plan as copies that are whole: made by SQLite itself where Codex may be writing, and checked.
//!
//! A database in WAL mode is two files and an index of one of them; copied one after the other while somebody writes they
//! are damaged, and nobody notices. Nothing is written beside the original, and no writer is kept waiting.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use crate::archive::manifest::Nature;
use crate::archive::write::{Content, Entry};
use crate::capture::Plan;
use crate::error::{Error, Result};
use crate::fsutil;
use crate::metadata::{Database, DatabaseMethod};

/// What a database of Codex's is called; the name before it carries the version of its schema.
const SUFFIX: &str = ".sqlite";

/// What stands beside one: the log, its index, and the journal of the older mode.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// How long SQLite waits for somebody who holds the database for himself alone, and how often it is tried.
const BUSY: Duration = Duration::from_secs(5);
const TRIES: u32 = 2;

/// A plan whose databases are copies.
pub struct Settled {
    /// What is written to the archive.
    pub plan: Plan,
    /// What became of each database.
    pub databases: Vec<Database>,
    /// Those that are captured as they lie, each with the reason.
    pub raw: Vec<String>,
    /// Holds the copies; they go with it.
    #[allow(dead_code)] // its being there is what it is for
    copies: Option<TempDir>,
}

/// Copies the databases of `plan` to a new directory in `dir`, which is removed again.
pub fn settle(plan: &Plan, dir: &Path, stop: &dyn Fn() -> bool) -> Result<Settled> {
    let mut settled = Settled {
        plan: Plan {
            entries: plan.entries.clone(),
            absent: plan.absent.clone(),
            ..Plan::default()
        },
        databases: Vec::new(),
        raw: Vec::new(),
        copies: None,
    };
    let sources: Vec<(String, PathBuf)> = plan.entries.iter().filter_map(source_of).collect();
    if sources.is_empty() {
        return Ok(settled);
    }
    let copies = fsutil::temporary_dir(dir)?;
    for (place, (path, source)) in sources.into_iter().enumerate() {
        if stop() {
            return Err(Error::interrupted());
        }
        let target = copies.path().join(format!("{place}{SUFFIX}"));
        match copy(&source, &target) {
            Ok((method, user_version)) => {
                replace(&mut settled.plan.entries, &path, &target);
                settled.databases.push(Database {
                    path,
                    method,
                    check: Some("quick_check".to_owned()),
                    user_version: Some(user_version),
                });
            }
            Err(why) => {
                mark_raw(&mut settled.plan.entries, &path);
                settled
                    .raw
                    .push(format!("{path}: captured as its files lie: {why}"));
                settled.databases.push(Database {
                    path,
                    method: DatabaseMethod::Raw,
                    check: None,
                    user_version: None,
                });
            }
        }
    }
    settled.copies = Some(copies);
    Ok(settled)
}

/// A database's path and where it stands. An empty file is a database without tables, and whole as it is.
fn source_of(entry: &Entry) -> Option<(String, PathBuf)> {
    match &entry.content {
        Content::File { source, size } if *size > 0 && entry.path.ends_with(SUFFIX) => {
            Some((entry.path.clone(), source.clone()))
        }
        _ => None,
    }
}

/// Has the copy stand for the database and all that stands beside it.
fn replace(entries: &mut Vec<Entry>, path: &str, copy: &Path) {
    let size = fs::metadata(copy)
        .map(|meta| meta.len())
        .unwrap_or_default();
    entries.retain(|entry| {
        let beside = entry.path.strip_prefix(path);
        !beside.is_some_and(|beside| BESIDE.contains(&beside))
    });
    if let Some(entry) = entries.iter_mut().find(|entry| entry.path == path) {
        entry.content = Content::File {
            source: copy.to_owned(),
            size,
        };
        entry.nature = Nature::SqliteCopy;
    }
}

/// Says of the database and of all that stands beside it that they are as they lie.
fn mark_raw(entries: &mut [Entry], path: &str) {
    for entry in entries {
        let beside = entry.path.strip_prefix(path);
        if beside.is_some_and(|beside| beside.is_empty() || BESIDE.contains(&beside)) {
            entry.nature = Nature::Raw;
        }
    }
}

/// Copies one, and checks the copy. The error says in words why it cannot be.
fn copy(source: &Path, target: &Path) -> Result<(DatabaseMethod, i64), String> {
    // SQLite makes the log's index anew beside whatever it is given.
    if !is_database(source) {
        return Err("it is no database that this program knows".to_owned());
    }
    let method = if copy_at_rest(source, target) {
        DatabaseMethod::Copy
    } else {
        copy_live(source, target).map_err(|error| words(&error))?;
        DatabaseMethod::Backup
    };
    let user_version = check(target)?;
    Ok((method, user_version))
}

/// Whether it begins as every database does. One whose first page is still in its log alone begins so too: SQLite writes
/// the head before it turns to a log.
fn is_database(source: &Path) -> bool {
    const HEAD: &[u8; 16] = b"SQLite format 3\0";
    let mut head = [0; 16];
    let read = fsutil::open_regular(source).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head == *HEAD
}

/// What tells whether a file was touched: its length, its time and which file it is.
type Seen = Option<(u64, Option<SystemTime>, u64)>;

fn seen(path: &Path) -> Seen {
    let meta = fs::metadata(path).ok()?;
    Some((meta.len(), meta.modified().ok(), number(&meta)))
}

#[cfg(unix)]
fn number(meta: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

#[cfg(not(unix))]
fn number(_: &fs::Metadata) -> u64 {
    0
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Copies a database that nobody has open: the files, where none of them moves meanwhile. Whoever opens one makes the
/// log's index; asking SQLite would make it too.
fn copy_at_rest(source: &Path, target: &Path) -> bool {
    let [log, index, journal] = BESIDE;
    let is_open = || fs::symlink_metadata(beside(source, index)).is_ok();
    let look = || {
        [
            seen(source),
            seen(&beside(source, log)),
            seen(&beside(source, journal)),
        ]
    };
    let before = look();
    if is_open() {
        return false;
    }
    let take = |suffix: &str, seen: &Seen| {
        let is_there = seen.is_some_and(|(size, _, _)| size > 0);
        !is_there || fs::copy(beside(source, suffix), beside(target, suffix)).is_ok()
    };
    let [_, log_seen, journal_seen] = &before;
    let is_copied =
        fs::copy(source, target).is_ok() && take(log, log_seen) && take(journal, journal_seen);
    let is_still = is_copied && look() == before && !is_open();
    if !is_still {
        for suffix in ["", log, journal] {
            let _ = fs::remove_file(beside(target, suffix));
        }
    }
    is_still
}

/// Copies a database that somebody may be writing to, as of one moment: SQLite's own backup in one step. More than one
/// step would begin anew at every write.
fn copy_live(source: &Path, target: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let from = Connection::open_with_flags(source, flags)?;
    from.busy_timeout(BUSY)?;
    let mut to = Connection::open(target)?;
    // A copy that a crash spoils is made anew.
    to.pragma_update(None, "synchronous", "OFF")?;
    let backup = Backup::new(&from, &mut to)?;
    let mut tries = 0;
    loop {
        match backup.step(-1)? {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            _ => {
                tries += 1;
                if tries >= TRIES {
                    return Err(rusqlite::Error::SqliteFailure(
                        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
                        None,
                    ));
                }
            }
        }
    }
}

/// Has the copy be one file, and looks whether it is whole. Its version of the schema.
fn check(copy: &Path) -> Result<i64, String> {
    let look = || -> rusqlite::Result<(String, i64)> {
        let database = Connection::open(copy)?;
        database.pragma_update(None, "synchronous", "OFF")?;
        database.query_row("PRAGMA journal_mode=DELETE", [], |_| Ok(()))?;
        let verdict = database.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        let version = database.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        database.close().map_err(|(_, error)| error)?;
        Ok((verdict, version))
    };
    let (verdict, version) = look().map_err(|error| words(&error))?;
    if verdict != "ok" {
        return Err("it is damaged".to_owned());
    }
    if BESIDE.iter().any(|suffix| beside(copy, suffix).exists()) {
        return Err("its log cannot be taken in".to_owned());
    }
    Ok(version)
}

/// What SQLite says, without the statement or a path.
fn words(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "somebody holds it for himself alone".to_owned()
        }
        Some(ErrorCode::NotADatabase) => "it is no database that this program knows".to_owned(),
        Some(ErrorCode::DatabaseCorrupt) => "it is damaged".to_owned(),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "it cannot be opened".to_owned()
        }
        Some(ErrorCode::DiskFull) => "there is no room for a copy of it".to_owned(),
        _ => "SQLite cannot copy it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A home with one database of a hundred rows, of which the last are in the log alone.
    struct Home {
        dir: tempfile::TempDir,
    }

    impl Home {
        fn new() -> Self {
            Self {
                dir: tempfile::tempdir().expect("a directory"),
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn open(&self, name: &str) -> Connection {
            let database = Connection::open(self.path(name)).expect("opens");
            database
                .execute_batch(
                    "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; PRAGMA user_version=7;
                     CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX IF NOT EXISTS i ON t(v);",
                )
                .expect("runs");
            for _ in 0..100 {
                database
                    .execute("INSERT INTO t(v) VALUES (hex(randomblob(40)))", [])
                    .expect("inserts");
            }
            database
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<String> = fs::read_dir(self.dir.path())
                .expect("lists")
                .map(|entry| {
                    entry
                        .expect("reads")
                        .file_name()
                        .to_string_lossy()
                        .into_owned()
                })
                .collect();
            names.sort();
            names
        }

        fn plan(&self) -> Plan {
            let wanted = crate::capture::Wanted {
                auth_json: None,
                email: None,
                auth_only: false,
                include_tmp: false,
                exclude: &[],
                own_dirs: &[],
            };
            crate::capture::plan(self.dir.path(), &wanted).expect("plans")
        }
    }

    /// Settles the plan; the settled names, and the rows of the database.
    fn settled(home: &Home, dir: &Path) -> (Settled, Vec<String>) {
        let settled = settle(&home.plan(), dir, &|| false).expect("settles");
        let names = settled.plan.entries.iter();
        let names = names.map(|entry| entry.path.clone()).collect();
        (settled, names)
    }

    fn rows(settled: &Settled, path: &str) -> i64 {
        let entry = settled.plan.entries.iter().find(|entry| entry.path == path);
        let Some(Content::File { source, size }) = entry.map(|entry| &entry.content) else {
            panic!("`{path}` is not planned")
        };
        assert_eq!(fs::metadata(source).expect("there").len(), *size);
        let copy = Connection::open(source).expect("opens");
        copy.query_row("SELECT count(*) FROM t", [], |row| row.get(0))
            .expect("counts")
    }

    #[test]
    fn one_that_is_open_is_copied_with_what_is_in_its_log() {
        let (home, dir) = (Home::new(), tempfile::tempdir().expect("a directory"));
        let open = home.open("state_5.sqlite");
        let before = home.names();
        let (settled, names) = settled(&home, dir.path());
        assert_eq!(names, ["state_5.sqlite"]);
        assert_eq!(rows(&settled, "state_5.sqlite"), 100);
        assert_eq!(settled.databases[0].method, DatabaseMethod::Backup);
        assert_eq!(settled.databases[0].user_version, Some(7));
        assert!(settled.raw.is_empty());
        assert_eq!(home.names(), before);
        // The writer was not disturbed.
        open.execute("INSERT INTO t(v) VALUES ('x')", [])
            .expect("inserts");
        drop(settled);
        assert_eq!(fs::read_dir(dir.path()).expect("lists").count(), 0);
    }

    #[test]
    fn one_at_rest_is_copied_without_a_trace() {
        let (home, dir) = (Home::new(), tempfile::tempdir().expect("a directory"));
        drop(home.open("closed.sqlite"));
        // As a Codex that was killed leaves it: the log is there, its index is not.
        let killed = Home::new();
        let open = killed.open("killed.sqlite");
        for name in ["killed.sqlite", "killed.sqlite-wal"] {
            fs::copy(killed.path(name), home.path(name)).expect("copies");
        }
        drop(open);
        fs::write(home.path("empty.sqlite"), "").expect("writes");
        let before = home.names();
        let (settled, names) = settled(&home, dir.path());
        assert_eq!(names, ["closed.sqlite", "empty.sqlite", "killed.sqlite"]);
        assert_eq!(rows(&settled, "closed.sqlite"), 100);
        assert_eq!(rows(&settled, "killed.sqlite"), 100);
        let methods: Vec<_> = settled.databases.iter().map(|one| one.method).collect();
        assert_eq!(methods, [DatabaseMethod::Copy, DatabaseMethod::Copy]);
        assert_eq!(home.names(), before);
    }

    #[test]
    fn what_sqlite_cannot_copy_is_captured_as_it_lies_and_told() {
        let (home, dir) = (Home::new(), tempfile::tempdir().expect("a directory"));
        fs::write(home.path("text.sqlite"), "no database").expect("writes");
        fs::write(home.path("text.sqlite-wal"), "no log").expect("writes");
        drop(home.open("torn.sqlite"));
        let mut bytes = fs::read(home.path("torn.sqlite")).expect("reads");
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0xA5);
        fs::write(home.path("torn.sqlite"), bytes).expect("writes");
        let (settled, names) = settled(&home, dir.path());
        assert_eq!(names, ["text.sqlite", "text.sqlite-wal", "torn.sqlite"]);
        assert_eq!(
            settled.raw,
            [
                "text.sqlite: captured as its files lie: it is no database that this program knows",
                "torn.sqlite: captured as its files lie: it is damaged",
            ]
        );
        assert!(
            settled
                .databases
                .iter()
                .all(|one| one.method == DatabaseMethod::Raw)
        );
    }

    #[test]
    fn equal_databases_give_equal_copies() {
        let (home, dir) = (Home::new(), tempfile::tempdir().expect("a directory"));
        let open = home.open("state_5.sqlite");
        let bytes = || {
            let (settled, _) = settled(&home, dir.path());
            match &settled.plan.entries[0].content {
                Content::File { source, .. } => fs::read(source).expect("reads"),
                _ => Vec::new(),
            }
        };
        let first = bytes();
        assert_eq!(first, bytes());
        open.execute("INSERT INTO t(v) VALUES ('x')", [])
            .expect("inserts");
        assert_ne!(first, bytes());
    }

    /// Older ones spoil a log that two write to; Codex's own state has been lost so.
    #[test]
    fn sqlite_is_new_enough() {
        assert!(rusqlite::version_number() >= 3_051_003);
    }
}

//! One database to one copy that is whole: from its files where nobody has it open, else by SQLite's own backup; and the
//! check of that copy. Beside the original nothing is written, and a signal is honoured on the way.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, SystemTime};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::codex::running;
use crate::error::{Error, Result};
use crate::fsutil;
use crate::metadata::DatabaseMethod;

/// What stands beside a database: the log, its index, and the journal of the older mode.
pub const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// How much is copied before a signal is looked for: bytes of a file, pages of a database.
const PIECE: u64 = 32 << 20;
const PAGES: i32 = 2048;

/// How often a signal is looked for while SQLite checks.
const LOOK: Duration = Duration::from_millis(10);

/// How often files that move while they are copied as they lie are copied anew.
const TRIES: u32 = 3;

const UNKNOWN: &str = "it is no database that this program knows";
const NEWER: &str = "its format is newer than this program knows";
const NO_WAY_IN: &str = "it cannot be opened";

/// What became of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// The copy is whole; how it was made, and its version of the schema.
    Whole(DatabaseMethod, i64),
    /// It is an empty file, which is a database without tables; so is the copy.
    Empty,
    /// It is not there any more.
    Gone,
    /// Somebody holds it for himself alone just now.
    Held,
    /// It cannot be copied, or the copy is not whole, for that reason.
    Not(&'static str),
}

/// A copy that was begun.
pub enum Begun {
    /// It is copied, in that way.
    Made(DatabaseMethod),
    /// A transaction that reads is open on one with a log: whatever is written meanwhile, what it sees stays.
    Live(Connection),
    /// There is nothing more to do.
    Over(Copied),
}

/// Begins to copy the database at `source` to `target`, where nothing stands, in a directory of our own.
pub fn begin(source: &Path, target: &Path, stop: &dyn Fn() -> bool) -> Result<Begun> {
    // SQLite looks for the log beside the file itself, not beside a link to it.
    let source = &fsutil::real(source);
    let is_with_log = match Head::of(source) {
        Ok(None) => {
            let made = make(target);
            let became = made.map_or(Copied::Not(NO_WAY_IN), |_| Copied::Empty);
            return Ok(Begun::Over(became));
        }
        Ok(Some(head)) if !head.is_known() => return Ok(Begun::Over(Copied::Not(UNKNOWN))),
        Ok(Some(head)) if head.readers() > WAL => return Ok(Begun::Over(Copied::Not(NEWER))),
        Ok(Some(head)) => head.readers() == WAL,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Begun::Over(Copied::Gone)),
        Err(_) => return Ok(Begun::Over(Copied::Not(NO_WAY_IN))),
    };
    let is_copied = copy_at_rest(source, target, stop).inspect_err(|_| discard(target))?;
    Ok(if is_copied {
        Begun::Made(DatabaseMethod::Copy)
    } else {
        match open_live(source) {
            Ok(database) if is_with_log => Begun::Live(database),
            // Without a log, whoever writes waits for whoever reads: it is not kept open.
            Ok(database) => match copy_live(&database, target, stop) {
                Ok(true) => Begun::Made(DatabaseMethod::Backup),
                Ok(false) => {
                    discard(target);
                    return Err(Error::interrupted());
                }
                Err(error) => {
                    discard(target);
                    Begun::Over(refusal(&error))
                }
            },
            Err(error) => Begun::Over(refusal(&error)),
        }
    })
}

impl Begun {
    /// Whether somebody holds the database for himself alone just now.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Over(Copied::Held))
    }

    /// Copies what is not copied yet, and checks the copy. Nothing stands at `target` where it is of no use.
    pub fn finish(self, target: &Path, stop: &dyn Fn() -> bool) -> Result<Copied> {
        let copied = self.attempt(target, stop);
        if !matches!(copied, Ok(Copied::Whole(..) | Copied::Empty)) {
            discard(target);
        }
        copied
    }

    fn attempt(self, target: &Path, stop: &dyn Fn() -> bool) -> Result<Copied> {
        let method = match self {
            Self::Over(copied) => return Ok(copied),
            Self::Made(method) => method,
            Self::Live(database) => match copy_live(&database, target, stop) {
                Ok(true) => DatabaseMethod::Backup,
                Ok(false) => return Err(Error::interrupted()),
                Err(error) => return Ok(refusal(&error)),
            },
        };
        Ok(match check(target, stop)? {
            Ok(version) => Copied::Whole(method, version),
            Err(why) => Copied::Not(why),
        })
    }
}

fn refusal(error: &rusqlite::Error) -> Copied {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Copied::Held,
        _ => Copied::Not(words(error)),
    }
}

/// The first bytes of a database. Source: the SQLite file format, "The Database Header".
#[derive(Clone, Copy, PartialEq, Eq)]
struct Head([u8; 100]);

/// What a version of the file format is in a database with a log; a larger one is newer than SQLite 3.
const WAL: u8 = 2;

/// The newest form of schemas there is.
const SCHEMA: u8 = 4;

impl Head {
    /// None where the file is empty. One that is shorter than a head is as if zeros followed.
    fn of(path: &Path) -> io::Result<Option<Self>> {
        let mut file = fsutil::open_regular(path)?;
        let mut head = [0; 100];
        let mut end = 0;
        while let Some(rest) = head.get_mut(end..).filter(|rest| !rest.is_empty()) {
            match file.read(rest)? {
                0 => break,
                count => end += count,
            }
        }
        Ok((end > 0).then_some(Self(head)))
    }

    /// Whether it is one. One whose first page is still in its log alone begins so too: SQLite writes the head before it
    /// turns to a log.
    fn is_known(&self) -> bool {
        self.0.starts_with(b"SQLite format 3\0")
    }

    /// The version of the format that is needed to write to it.
    fn writers(&self) -> u8 {
        self.0[18]
    }

    /// The same to read it.
    fn readers(&self) -> u8 {
        self.0[19]
    }

    fn is_newer(&self) -> bool {
        let [high @ .., schema] = [self.0[44], self.0[45], self.0[46], self.0[47]];
        self.readers() > WAL || high != [0; 3] || schema > SCHEMA
    }
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

/// The path of what stands beside `path` under that suffix; with an empty one `path` itself.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn discard(target: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(beside(target, suffix));
    }
}

/// Whether somebody works with the database: its log has an index, or SQLite's lock on it is held. Whoever keeps a log
/// for himself alone makes no index.
fn is_open(source: &Path) -> bool {
    fs::symlink_metadata(beside(source, "-shm")).is_ok() || running::holder(source).is_some()
}

/// Copies a database that nobody has open: the files, where none of them moves meanwhile. Asking SQLite would leave the
/// log's index beside it. Whether it did; nothing is left where it did not.
fn copy_at_rest(source: &Path, target: &Path, stop: &dyn Fn() -> bool) -> Result<bool> {
    // The head counts every change, also those within one tick of the file system's clock.
    let look = || {
        let files = ["", "-wal", "-journal"].map(|suffix| seen(&beside(source, suffix)));
        (files, Head::of(source).ok().flatten().map(|head| head.0))
    };
    if is_open(source) {
        return Ok(false);
    }
    let before = look();
    let mut is_copied = true;
    for (suffix, seen) in ["", "-wal", "-journal"].iter().zip(&before.0) {
        if is_copied && seen.is_some_and(|(size, _, _)| size > 0) {
            let (from, to) = (beside(source, suffix), beside(target, suffix));
            is_copied = copy_file(&from, &to, stop)?.is_ok();
        }
    }
    let is_still = is_copied && look() == before && !is_open(source);
    if !is_still {
        discard(target);
    }
    Ok(is_still)
}

/// Makes a file that only its owner may read.
fn make(target: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(target)
}

/// Copies a file's bytes and nothing else of it. Fails only on a signal; the inner answer is the system's.
fn copy_file(from: &Path, to: &Path, stop: &dyn Fn() -> bool) -> Result<io::Result<()>> {
    let open = || Ok((fsutil::open_regular(from)?, make(to)?));
    let (mut from, mut to): (File, File) = match open() {
        Ok(files) => files,
        Err(error) => return Ok(Err(error)),
    };
    loop {
        if stop() {
            return Err(Error::interrupted());
        }
        match io::copy(&mut Read::by_ref(&mut from).take(PIECE), &mut to) {
            Ok(0) => return Ok(Ok(())),
            Ok(_) => {}
            Err(error) => return Ok(Err(error)),
        }
    }
}

/// Copies a database's files as they lie, with what stands beside it; anew where they move meanwhile, as often as makes
/// sense. The suffixes of what was copied; None where it cannot be.
pub fn as_it_lies(
    source: &Path,
    target: &Path,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Vec<&'static str>>> {
    let source = &fsutil::real(source);
    let look = || BESIDE.map(|suffix| seen(&beside(source, suffix)));
    for attempt in 1..=TRIES {
        let before = (seen(source), look());
        let mut taken = vec![""];
        // The database before its log: the other way round more of them are damaged.
        if copy_file(source, target, stop)?.is_err() {
            break;
        }
        for suffix in BESIDE {
            match copy_file(&beside(source, suffix), &beside(target, suffix), stop)? {
                Ok(()) => taken.push(suffix),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(_) => {
                    discard(target);
                    return Ok(None);
                }
            }
        }
        if attempt == TRIES || (seen(source), look()) == before {
            return Ok(Some(taken));
        }
        discard(target);
    }
    discard(target);
    Ok(None)
}

/// Opens a database that somebody may be writing to, in a transaction that reads: without it, each step of a backup would
/// begin anew at every write.
fn open_live(source: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(source, flags)?;
    // All that are held are waited for together.
    database.busy_timeout(Duration::ZERO)?;
    database.execute_batch("BEGIN")?;
    // Begins it, and unlike any other question asks nothing of the schema, which may be of a newer form.
    database.query_row("PRAGMA user_version", [], |_| Ok(()))?;
    Ok(database)
}

/// Copies it by SQLite's own backup. Whether it was done; else a signal came.
fn copy_live(from: &Connection, target: &Path, stop: &dyn Fn() -> bool) -> rusqlite::Result<bool> {
    if make(target).is_err() {
        return Err(rusqlite::Error::InvalidPath(target.to_owned()));
    }
    let mut to = Connection::open(target)?;
    // A copy that a crash spoils is made anew.
    to.pragma_update(None, "synchronous", "OFF")?;
    let backup = Backup::new(from, &mut to)?;
    loop {
        match backup.step(PAGES)? {
            StepResult::Done => return Ok(true),
            StepResult::More if stop() => return Ok(false),
            StepResult::More => {}
            _ => {
                return Err(rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
                    None,
                ));
            }
        }
    }
}

/// Has the copy be one file, and looks whether it is whole. Its version of the schema, or why it is of no use.
fn check(copy: &Path, stop: &dyn Fn() -> bool) -> Result<Result<i64, &'static str>> {
    let head = Head::of(copy).ok().flatten();
    // Else SQLite reads it and writes nothing to it.
    let is_writable = head.is_some_and(|head| head.writers() <= WAL);
    let look = |database: Connection| {
        database.pragma_update(None, "synchronous", "OFF")?;
        if is_writable {
            database.query_row("PRAGMA journal_mode=DELETE", [], |_| Ok(()))?;
        }
        let verdict: String = database.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        let version = database.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        database.close().map_err(|(_, error)| error)?;
        Ok((verdict, version))
    };
    let looked = match Connection::open(copy) {
        Ok(database) => unless_stopped(database, copy, look, stop)?,
        Err(error) => Err(error),
    };
    let is_newer = || Head::of(copy).is_ok_and(|head| head.is_some_and(|head| head.is_newer()));
    Ok(match looked {
        Err(_) if is_newer() => Err(NEWER),
        Err(error) => Err(words(&error)),
        Ok((verdict, _)) if verdict != "ok" => Err("it is damaged"),
        Ok(_) if BESIDE.iter().any(|suffix| beside(copy, suffix).exists()) => {
            Err("its log cannot be taken in")
        }
        Ok((_, version)) => Ok(version),
    })
}

/// Does `work` on the database, which is to be `shown`, in a thread of its own, so that a signal can interrupt SQLite in
/// the midst of it.
pub fn unless_stopped<T: Send>(
    database: Connection,
    shown: &Path,
    work: impl FnOnce(Connection) -> rusqlite::Result<T> + Send,
    stop: &dyn Fn() -> bool,
) -> Result<rusqlite::Result<T>> {
    let handle = database.get_interrupt_handle();
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        let work = move || {
            // Nobody listens any more once a signal came.
            let _ = sender.send(work(database));
        };
        thread::Builder::new()
            .spawn_scoped(scope, work)
            .map_err(|error| Error::io("start a thread to check", shown, error))?;
        let mut is_stopped = false;
        loop {
            is_stopped = is_stopped || stop();
            if is_stopped {
                // Again and again: it ends only what has begun.
                handle.interrupt();
            }
            match receiver.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => {}
                _ if is_stopped => return Err(Error::interrupted()),
                Ok(done) => return Ok(done),
                Err(RecvTimeoutError::Disconnected) => {
                    return Ok(Err(rusqlite::Error::InvalidQuery));
                }
            }
        }
    })
}

/// What SQLite says, without the statement or a path.
fn words(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => UNKNOWN,
        Some(ErrorCode::DatabaseCorrupt) => "it is damaged",
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => NO_WAY_IN,
        Some(ErrorCode::DiskFull) => "there is no room for a copy of it",
        _ => "SQLite cannot copy it",
    }
}

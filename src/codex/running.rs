//! Which Codex is open on a Codex home: whoever holds SQLite's lock on its database of threads, and on Linux every process
//! that is Codex and whose environment names that home. Nothing is ended here but Codex's own daemon, by Codex.

#[cfg(target_os = "linux")]
mod told;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::family::Ending;
use super::home;
use super::process::{self, Ran};
use super::program::{self, Home, Program};
use crate::error::{Error, Result};
use crate::fsutil;

/// How long Codex may take to stop its daemon; it takes about a second.
const TO_STOP: Duration = Duration::from_secs(20);

/// The most that is kept of what it says.
const MOST_SAID: u64 = 64 << 10;

/// What Codex's database of threads is called, but for the version of its schema and the ending: every Codex that has
/// databases has it open as long as it runs.
const THREADS: &str = "state_";

/// The bytes of a database whose locks are SQLite's. Source: the SQLite file format, "The Lock-Byte Page".
#[cfg(unix)]
const SQLITE_LOCK: std::ops::Range<u64> = 0x4000_0000..0x4000_0200;

/// What kind of Codex it is.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))] // nothing tells it there
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The terminal interface.
    Tui,
    /// A server for an editor, a program or another machine.
    AppServer,
    /// The server that Codex leaves behind for later terminals.
    Daemon,
    /// What keeps the daemon up to date: it has no login and no database open.
    Updater,
    /// A run without a terminal.
    Exec,
    /// Nothing tells.
    Other,
}

/// A process that has a home open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id; None where the system does not say, as of a process outside of a container.
    pub pid: Option<i32>,
    /// What kind of Codex it is.
    pub kind: Kind,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}")?,
            None => f.write_str("a process that the system does not name")?,
        }
        f.write_str(match self.kind {
            Kind::Tui => " (tui)",
            Kind::AppServer => " (app-server)",
            Kind::Daemon => " (daemon)",
            Kind::Updater => " (updater of the daemon)",
            Kind::Exec => " (exec)",
            Kind::Other => "",
        })
    }
}

/// Who has a home open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// In the order of their ids.
    pub processes: Vec<Process>,
    /// The daemon that Codex noted in this home, where it runs and is the very process that was noted.
    daemon: Option<i32>,
    /// Whether more processes than these hold the lock on a database of the home.
    has_more: bool,
}

impl Open {
    /// Whether anybody has.
    pub fn is_any(&self) -> bool {
        !self.processes.is_empty()
    }

    /// Whether it is Codex's daemon and nobody whom that may be serving.
    pub fn is_idle_daemon(&self) -> bool {
        let is_daemon = |process: &Process| process.pid.is_some() && process.pid == self.daemon;
        self.is_any() && !self.has_more && self.processes.iter().all(is_daemon)
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.processes.iter().map(ToString::to_string).collect();
        f.write_str(&all.join(", "))
    }
}

/// Somebody who holds SQLite's lock on a database.
#[cfg_attr(not(unix), allow(dead_code))] // nobody is known there
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// One of those who do; None where the system does not say.
    pub pid: Option<i32>,
}

/// Who holds SQLite's lock on the database at `path`, asked without taking it. It never is this process.
#[cfg(unix)]
pub fn holder(path: &Path) -> Option<Holder> {
    use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};
    let lock = Flock {
        start: SQLITE_LOCK.start,
        length: SQLITE_LOCK.end - SQLITE_LOCK.start,
        pid: None,
        typ: FlockType::WriteLock,
        offset_type: FlockOffsetType::Set,
    };
    let file = fsutil::open_regular(path).ok()?;
    let held = fcntl_getlk(&file, &lock).ok()??;
    Some(Holder {
        pid: held.pid.map(|pid| pid.as_raw_nonzero().get()),
    })
}

/// Who holds SQLite's lock: that cannot be asked here.
#[cfg(not(unix))]
pub fn holder(_: &Path) -> Option<Holder> {
    None
}

/// Who has the Codex home at `home` open, whose databases are in `sqlite_home` where that is another directory.
///
/// What cannot be asked is as if nobody had: a home that does not exist, processes of other users.
pub fn look(home: &Path, sqlite_home: Option<&Path>) -> Open {
    let home = fsutil::real(home);
    let elsewhere = sqlite_home.map(fsutil::real).filter(|dir| *dir != home);
    let mut found = scan(&home);
    let mut holders = Vec::new();
    for (dir, is_shared) in [(Some(&home), false), (elsewhere.as_ref(), true)] {
        for database in dir.iter().flat_map(|dir| threads_databases(dir)) {
            let Some(Holder { pid }) = holder(&database) else {
                continue;
            };
            // Several homes may keep their databases in one directory.
            let is_anothers = |pid: i32| is_shared && found.elsewhere.contains(&pid);
            let is_passed_over = |pid: i32| is_anothers(pid) || is_this_program(pid);
            let all = all_holders(&database).into_iter();
            holders.extend(all.filter(|pid| !is_passed_over(*pid)).map(Some));
            if !pid.is_some_and(is_passed_over) {
                found
                    .open
                    .entry(pid)
                    .or_insert_with(|| pid.map_or(Kind::Other, kind_of));
            }
        }
    }
    let has_more = holders.iter().any(|pid| !found.open.contains_key(pid));
    let updater = found.updater;
    let processes = found.open.into_iter();
    let processes = processes.map(|(pid, kind)| Process { pid, kind });
    Open {
        processes: processes
            .filter(|process| process.pid.is_none() || process.pid != updater)
            .collect(),
        daemon: found.daemon,
        has_more,
    }
}

/// The databases of threads in `dir`, whatever their version.
fn threads_databases(dir: &Path) -> Vec<PathBuf> {
    let listing = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let paths = listing.filter_map(|entry| {
        let name = entry.file_name();
        let name = name.to_str()?;
        (name.starts_with(THREADS) && home::is_database(name)).then(|| entry.path())
    });
    paths.collect()
}

/// What a look at all processes finds.
#[derive(Default)]
struct Found {
    open: BTreeMap<Option<i32>, Kind>,
    /// Every Codex whose home is another one.
    elsewhere: Vec<i32>,
    daemon: Option<i32>,
    updater: Option<i32>,
}

/// Looks at every process. One that ends meanwhile, or may not be looked at, is passed over.
#[cfg(target_os = "linux")]
fn scan(home: &Path) -> Found {
    let mut found = Found {
        daemon: noted(&home.join("app-server-daemon/daemon.pid")),
        updater: noted(&home.join("app-server-daemon/daemon-updater.pid")),
        ..Found::default()
    };
    let this = rustix::process::getpid().as_raw_nonzero().get();
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for pid in ids.filter(|pid| *pid != this) {
        let of = |name: &str| PathBuf::from(format!("/proc/{pid}/{name}"));
        // One that has ended and waits for its parent has neither.
        let Ok(line) = std::fs::read(of("cmdline")) else {
            continue;
        };
        let program = std::fs::read_link(of("exe")).ok();
        if line.is_empty() || !told::is_codex(program.as_deref(), &line) {
            continue;
        }
        let is_noted = [found.daemon, found.updater].contains(&Some(pid));
        // Nobody may read it where Codex hides itself, and others' may not be read at all.
        let environment = std::fs::read(of("environ")).unwrap_or_default();
        let named = told::home(&environment).and_then(|named| {
            let start = if named.is_absolute() {
                PathBuf::new()
            } else {
                std::fs::read_link(of("cwd")).ok()?
            };
            Some(fsutil::real(&start.join(named)))
        });
        if is_noted || named.as_deref() == Some(home) {
            found.open.insert(Some(pid), told::kind(&line));
        } else if named.is_some() {
            found.elsewhere.push(pid);
        }
    }
    found
}

/// All who hold the lock, and some who may: see [`told::lock_holders`].
#[cfg(target_os = "linux")]
fn all_holders(database: &Path) -> Vec<i32> {
    use std::os::unix::fs::MetadataExt;
    let Ok(meta) = std::fs::metadata(database) else {
        return Vec::new();
    };
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    told::lock_holders(&locks, meta.ino()).collect()
}

#[cfg(not(target_os = "linux"))]
fn all_holders(_: &Path) -> Vec<i32> {
    Vec::new()
}

/// Processes cannot be looked at here.
#[cfg(not(target_os = "linux"))]
fn scan(_: &Path) -> Found {
    Found::default()
}

/// The process that `path` notes, where it runs and is that very one.
#[cfg(target_os = "linux")]
fn noted(path: &Path) -> Option<i32> {
    let text = fsutil::read_if_present(path, MOST_SAID).ok()??;
    let noted = told::noted(&text)?;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", noted.pid)).ok()?;
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    noted.is(told::stat(&stat)?, &boot_id).then_some(noted.pid)
}

/// What kind of Codex the process is, where it is one.
#[cfg(target_os = "linux")]
fn kind_of(pid: i32) -> Kind {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    if told::is_codex(None, &line) {
        told::kind(&line)
    } else {
        Kind::Other
    }
}

#[cfg(not(target_os = "linux"))]
fn kind_of(_: i32) -> Kind {
    Kind::Other
}

/// Whether it is another run of this very program: that one reads databases too, and takes the locks of this program.
#[cfg(target_os = "linux")]
fn is_this_program(pid: i32) -> bool {
    let program = |pid: &str| std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    let this = program("self");
    this.is_some() && this == program(&pid.to_string())
}

#[cfg(not(target_os = "linux"))]
fn is_this_program(_: i32) -> bool {
    false
}

/// Has Codex stop the daemon of `home`.
pub fn stop_daemon(program: &Program, home: &Path, stop: &dyn Fn() -> bool) -> Result<()> {
    let scratch = program::scratch()?;
    let mut command = Command::new(&program.path);
    command
        .args(&program.args)
        .args(["app-server", "daemon", "stop"])
        .current_dir(home);
    for (name, value) in Program::environment(Home::of_person(home), scratch.path()) {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let hint = "run it by hand to see why: `codex app-server daemon stop`";
    let failed = |why: String| Err(Error::other(why, hint));
    match process::run(&mut command, TO_STOP, MOST_SAID, stop)? {
        Ran::Ended(Ending::Code(0), _) => Ok(()),
        Ran::Ended(ending, _) => failed(format!("codex ended with {ending}")),
        Ran::TookTooLong => failed(format!(
            "codex took longer than {} s and was ended",
            TO_STOP.as_secs()
        )),
        Ran::Unstartable(error) => Err(program::unstartable(&program.path, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, kind: Kind) -> Process {
        Process {
            pid: Some(pid),
            kind,
        }
    }

    #[test]
    fn only_a_daemon_that_was_noted_and_serves_nobody_is_idle() {
        let open = |processes: &[Process], daemon, has_more| Open {
            processes: processes.to_vec(),
            daemon,
            has_more,
        };
        let daemon = process(7, Kind::Daemon);
        let unnamed = Process {
            pid: None,
            kind: Kind::Other,
        };
        assert!(open(&[daemon], Some(7), false).is_idle_daemon());
        assert!(!open(&[], Some(7), false).is_idle_daemon());
        assert!(!open(&[daemon], None, false).is_idle_daemon());
        assert!(!open(&[daemon], Some(8), false).is_idle_daemon());
        assert!(!open(&[daemon], Some(7), true).is_idle_daemon());
        assert!(!open(&[unnamed], None, false).is_idle_daemon());
        assert!(!open(&[daemon, process(9, Kind::Tui)], Some(7), false).is_idle_daemon());
    }

    #[test]
    fn processes_are_named_by_id_and_kind() {
        let open = Open {
            processes: vec![
                Process {
                    pid: None,
                    kind: Kind::Other,
                },
                process(7, Kind::Daemon),
                process(9, Kind::Other),
            ],
            ..Open::default()
        };
        assert_eq!(
            open.to_string(),
            "a process that the system does not name, process 7 (daemon), process 9"
        );
    }

    #[test]
    fn a_home_that_is_not_there_is_open_to_nobody() {
        let dir = tempfile::tempdir().expect("a directory");
        let open = look(&dir.path().join("none"), Some(&dir.path().join("neither")));
        assert!(!open.is_any());
    }
}

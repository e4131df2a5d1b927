//! What of a Codex home goes into a snapshot: a plan, made before anything is written, that `--dry-run` shows as it is.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use std::{fs, io};

use globset::GlobSet;
use sha2::{Digest, Sha256};

use crate::archive::entry_name;
use crate::archive::manifest::{Absent, Cause, Nature, What};
use crate::archive::write::{Content, Entry};
use crate::codex::home;
use crate::codex::parts::Parts;
use crate::error::{Error, Result};
use crate::fsutil;
pub use crate::settings::patterns;

/// Why what can be looked at is not captured.
const IS_A_LINK: &str = "it is a link, which is not followed";
const IS_A_SOCKET: &str = "it is a socket";
const IS_A_FIFO: &str = "it is a named pipe";
const IS_A_DEVICE: &str = "it is a device";
const IS_NO_FILE: &str = "it is no file, directory or link";
const IS_OURS: &str = "snapshots use that name themselves";
const IS_A_TWIN: &str = "another name differs from it only by case";

/// What to capture.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The login's bytes, as they were judged; None where there is no login.
    pub auth_json: Option<&'a [u8]>,
    /// The account's email: its own hand-made login copies are captured, other people's are not.
    pub email: Option<&'a str>,
    /// Which parts of the home.
    pub parts: Parts,
    /// Scratch directories as well.
    pub include_tmp: bool,
    /// Patterns to leave out.
    pub exclude: &'a [String],
    /// Directories of this program, which may lie inside the home: snapshots do not hold snapshots.
    pub own_dirs: &'a [PathBuf],
}

/// What will be captured.
#[derive(Debug, Default)]
pub struct Plan {
    /// In archive order: by path.
    pub entries: Vec<Entry>,
    /// What else stands in the home, by path. What Codex makes anew and what was left out on request is not named.
    pub absent: Vec<Absent>,
    /// Paths that were there and gone a moment later.
    pub vanished: Vec<String>,
    /// What Codex makes anew and what was left out on request, for those who want to know.
    pub left_out: Vec<String>,
    /// Where Codex keeps databases that are captured and stand outside of the home.
    pub sqlite_home: Option<String>,
}

impl Plan {
    /// How many files.
    pub fn file_count(&self) -> u64 {
        self.entries.iter().filter(|entry| entry.is_file()).count() as u64
    }

    /// Their length together, in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.entries.iter().map(Entry::size).sum()
    }

    /// The same, with the beginning of a line at the end of a file as well: for what nobody writes to any more, and what
    /// must come back as it was.
    pub fn with_all_bytes(mut self) -> Self {
        for entry in &mut self.entries {
            if let Content::Lines { source, size, .. } = &mut entry.content {
                let (source, size) = (std::mem::take(source), *size);
                entry.content = Content::File { source, size };
            }
        }
        self
    }

    /// SHA-256 over paths, lengths and times, in hex: another one for every change that the file system shows.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for entry in &self.entries {
            let (size, mtime, nanos) = (entry.size(), entry.mtime, entry.mtime_nanos);
            hash.update(format!(
                "{}\0{size}\0{mtime}\0{nanos}\0{}\0",
                entry.path, entry.executable
            ));
            if let Content::Bytes(bytes) = &entry.content {
                hash.update(bytes);
            }
        }
        fsutil::hex(&hash.finalize())
    }

    /// As [`first_unseen`].
    pub fn unseen(&self) -> Option<&Absent> {
        first_unseen(&self.absent)
    }

    /// What is absent, as a sidecar names it.
    pub fn not_captured(&self) -> Vec<String> {
        self.absent.iter().map(Absent::line).collect()
    }

    /// Top-level names; directories end in `/`.
    pub fn top_level(&self) -> Vec<String> {
        top_level(&self.entries)
    }
}

/// Top-level names of `entries`, sorted; directories end in `/`.
pub fn top_level<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for entry in entries {
        let name = match entry.path.split_once('/') {
            Some((top, _)) => format!("{top}/"),
            None if entry.is_file() => entry.path.clone(),
            None => format!("{}/", entry.path),
        };
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    names.sort();
    names.dedup();
    names
}

/// Looks once more how long the texts are that others append to, one right after the other, so that what is taken of
/// them is of one moment. What has come since is not taken up, and what has gone is told at its turn.
pub fn at_this_moment(entries: &mut [Entry]) {
    for entry in entries {
        let Content::Lines {
            source,
            size,
            inode,
        } = &mut entry.content
        else {
            continue;
        };
        if let Ok(meta) = fs::metadata(source) {
            (*size, *inode) = (meta.len(), fsutil::inode(&meta));
            (entry.mtime, entry.mtime_nanos) = mtime(&meta);
        }
    }
}

/// The first thing that could not be looked at or read, though a restore might replace it.
pub fn first_unseen(absent: &[Absent]) -> Option<&Absent> {
    // A link stays where it is, whatever it leads to.
    let is_unseen = |one: &&Absent| one.cause == Cause::Error && one.kind != What::Symlink;
    absent.iter().find(is_unseen)
}

/// Plans a snapshot of the Codex home `dir`.
pub fn plan(dir: &Path, wanted: &Wanted) -> Result<Plan> {
    plan_with(dir, wanted, None)
}

/// The same with the databases in `sqlite_home`, where Codex keeps them if not in the home.
pub fn plan_with(dir: &Path, wanted: &Wanted, sqlite_home: Option<&Path>) -> Result<Plan> {
    let auth_mtime = fs::metadata(home::auth_path(dir))
        .map(|meta| mtime(&meta))
        .unwrap_or_default();
    let auth_json = wanted
        .auth_json
        .filter(|_| wanted.parts.hold(home::AUTH_JSON));
    let auth = auth_json.map(|bytes| Entry {
        path: home::AUTH_JSON.to_owned(),
        content: Content::Bytes(bytes.to_vec()),
        nature: Nature::Plain,
        executable: false,
        mtime: auth_mtime.0,
        mtime_nanos: auth_mtime.1,
    });
    let mut walk = Walk {
        wanted,
        exclude: patterns(wanted.exclude)?,
        own_dirs: wanted
            .own_dirs
            .iter()
            .filter_map(|dir| dir.canonicalize().ok())
            .collect(),
        plan: Plan {
            entries: auth.into_iter().collect(),
            ..Plan::default()
        },
        taken: HashSet::from([entry_name::collision_key(home::AUTH_JSON)]),
    };
    if wanted.parts != Parts::AUTH {
        walk.dir(dir, "")?;
        if let Some(sqlite_home) = sqlite_home {
            walk.sqlite_home(sqlite_home, dir);
        }
        walk.plan.entries.sort_by(|a, b| a.path.cmp(&b.path));
        walk.plan.absent.sort_by(|a, b| a.path.cmp(&b.path));
    }
    Ok(walk.plan)
}

struct Walk<'a> {
    wanted: &'a Wanted<'a>,
    exclude: GlobSet,
    own_dirs: Vec<PathBuf>,
    plan: Plan,
    taken: HashSet<String>,
}

impl Walk<'_> {
    /// Captures what is in `dir`; where it cannot be listed, nothing of it.
    fn dir(&mut self, dir: &Path, under: &str) -> Result<()> {
        let children = match children_of(dir) {
            Ok(children) => children,
            Err(error) if under.is_empty() => return Err(Error::io("list", dir, error)),
            Err(error) => {
                let found = Found {
                    path: under.into(),
                    place: dir,
                    what: What::Dir,
                };
                self.fail(&found, &error);
                return Ok(());
            }
        };
        if !under.is_empty() {
            self.push(under, fs::metadata(dir).ok().as_ref(), Content::Dir);
        }
        for child in children {
            self.child(&child, under)?;
        }
        Ok(())
    }

    fn child(&mut self, child: &Child, under: &str) -> Result<()> {
        let found = Found::of(child, under);
        if under.is_empty() && !self.wanted.parts.hold(&found.path.to_string_lossy()) {
            return Ok(());
        }
        if found.path.to_str().is_some_and(home::is_sqlite_home) {
            self.miss(&found, Cause::Name, IS_OURS);
            return Ok(());
        }
        if found.path == home::AUTH_JSON || self.is_left_out(&found, under) {
            return Ok(());
        }
        if let Err(error) = &child.kind {
            self.fail(&found, error);
            return Ok(());
        }
        match found.what {
            What::Dir => {
                if let Some(path) = self.take(&found) {
                    self.dir(&child.path, &path)?;
                }
            }
            What::File => {
                if let Some(path) = self.take(&found) {
                    // Where there is none any more, its turn will tell.
                    let meta = fs::metadata(&child.path).ok();
                    let content = content_of(child.path.clone(), meta.as_ref());
                    self.push(&path, meta.as_ref(), content);
                }
            }
            What::Symlink => self.link(&found, under.is_empty()),
            What::Socket => self.miss(&found, Cause::Kind, IS_A_SOCKET),
            What::Fifo => self.miss(&found, Cause::Kind, IS_A_FIFO),
            What::Device => self.miss(&found, Cause::Kind, IS_A_DEVICE),
            What::Unknown => self.miss(&found, Cause::Kind, IS_NO_FILE),
        }
        Ok(())
    }

    /// Whether it is none of what a snapshot is of; then it is noted as such.
    fn is_left_out(&mut self, found: &Found, under: &str) -> bool {
        let is_odd = matches!(found.what, What::Socket | What::Fifo | What::Device);
        let is_passing = |path: &str| {
            // What is no file is named, whatever its name ends with.
            home::is_passing(path, self.wanted.include_tmp) && !is_odd
        };
        let is_anothers = |path: &str| {
            under.is_empty() && home::is_anothers_legacy_login(path, self.wanted.email)
        };
        let text = found.path.to_str();
        let is_left_out = self.is_excluded(Path::new(&found.path))
            || text.is_some_and(|path| is_passing(path) || is_anothers(path))
            || (found.what == What::Dir && self.is_own_dir(found.place));
        if is_left_out {
            self.plan.left_out.push(escaped(&found.path));
        }
        is_left_out
    }

    /// Whether somebody asked for it to be left out. What stands beside a database goes where the database goes, whatever
    /// matches it alone: the log of another moment would spoil it.
    fn is_excluded(&self, path: &Path) -> bool {
        let database = path.to_str().and_then(home::database_beside);
        self.exclude.is_match(database.map_or(path, Path::new))
    }

    /// Captures the databases in `dir`, unless the walk through the home, `home_dir`, meets them.
    fn sqlite_home(&mut self, dir: &Path, home_dir: &Path) {
        let (there, here) = (fsutil::real(dir), fsutil::real(home_dir));
        if let Ok(below) = there.strip_prefix(here) {
            let below = below.to_string_lossy().replace('\\', "/");
            if !home::is_passing(&below, self.wanted.include_tmp) {
                return;
            }
        }
        let children = match children_of(&there) {
            Ok(children) => children,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                let (dir, why) = (there.display(), crate::error::describe(&error));
                let found = Found {
                    path: home::SQLITE_HOME_DIR.into(),
                    place: &there,
                    what: What::Dir,
                };
                let reason = format!("cannot list `{dir}`: {why}");
                self.miss(&found, Cause::Error, &reason);
                return;
            }
        };
        for child in children {
            let name = child.name.to_string_lossy();
            let meta = fs::metadata(&child.path);
            if !home::is_database(&name) || meta.as_ref().is_ok_and(|meta| !meta.is_file()) {
                continue;
            }
            let found = Found::of(&child, home::SQLITE_HOME_DIR);
            // A pattern for databases of a home means these too.
            let is_left_out = self.is_excluded(Path::new(&child.name))
                || self.is_excluded(Path::new(&found.path));
            if is_left_out {
                self.plan.left_out.push(escaped(&found.path));
                continue;
            }
            match meta {
                Ok(meta) => {
                    if let Some(path) = self.take(&found) {
                        self.plan.sqlite_home = Some(dir.display().to_string());
                        let (source, size) = (child.path.clone(), meta.len());
                        self.push(&path, Some(&meta), Content::File { source, size });
                    }
                }
                Err(error) => self.fail(&found, &error),
            }
        }
    }

    fn is_own_dir(&self, dir: &Path) -> bool {
        // The name first: asking the system for every directory's real path would be slow.
        self.own_dirs.iter().any(|own| {
            own.file_name() == dir.file_name() && dir.canonicalize().is_ok_and(|path| path == *own)
        })
    }

    /// A linked file at the top is a setting kept elsewhere: its content is captured. Any other link is named.
    fn link(&mut self, found: &Found, is_at_top: bool) {
        match fs::metadata(found.place) {
            Ok(meta) if meta.is_file() && is_at_top => {
                if let Some(path) = self.take(found) {
                    let content = content_of(found.place.to_owned(), Some(&meta));
                    self.push(&path, Some(&meta), content);
                }
            }
            // It may be a setting, too.
            Err(error) if is_at_top && error.kind() == io::ErrorKind::PermissionDenied => {
                self.fail(found, &error);
            }
            _ => self.miss(found, Cause::Kind, IS_A_LINK),
        }
    }

    /// The path, where an archive can hold it beside those it holds already.
    fn take(&mut self, found: &Found) -> Option<String> {
        let reason = match entry_name::check(found.path.as_encoded_bytes()) {
            Err(reason) => reason,
            Ok(path) if entry_name::is_metadata(&path) => IS_OURS,
            Ok(path) if !self.taken.insert(entry_name::collision_key(&path)) => IS_A_TWIN,
            Ok(path) => return Some(path),
        };
        self.miss(found, Cause::Name, reason);
        None
    }

    fn fail(&mut self, found: &Found, error: &io::Error) {
        if fsutil::is_gone(error) {
            self.plan.vanished.push(escaped(&found.path));
        } else {
            self.miss(found, Cause::Error, &crate::error::describe(error));
        }
    }

    fn miss(&mut self, found: &Found, cause: Cause, reason: &str) {
        let target = (found.what == What::Symlink)
            .then(|| fs::read_link(found.place).ok())
            .flatten();
        self.plan.absent.push(Absent {
            path: escaped(&found.path),
            kind: found.what,
            cause,
            reason: reason.to_owned(),
            target: target.map(|target| escaped(target.as_os_str())),
        });
    }

    fn push(&mut self, path: &str, meta: Option<&fs::Metadata>, content: Content) {
        let (mtime, mtime_nanos) = meta.map(mtime).unwrap_or_default();
        self.plan.entries.push(Entry {
            path: path.to_owned(),
            content,
            nature: Nature::Plain,
            executable: meta.is_some_and(is_executable),
            mtime,
            mtime_nanos,
        });
    }
}

/// Session files and histories only grow, line by line.
fn content_of(source: PathBuf, meta: Option<&fs::Metadata>) -> Content {
    let size = meta.map(fs::Metadata::len).unwrap_or_default();
    if source.extension().is_some_and(|end| end == "jsonl") {
        let inode = meta.map(fsutil::inode).unwrap_or_default();
        Content::Lines {
            source,
            size,
            inode,
        }
    } else {
        Content::File { source, size }
    }
}

fn what_is(kind: fs::FileType) -> What {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_socket() {
            return What::Socket;
        } else if kind.is_fifo() {
            return What::Fifo;
        } else if kind.is_block_device() || kind.is_char_device() {
            return What::Device;
        }
    }
    if kind.is_file() {
        What::File
    } else if kind.is_dir() {
        What::Dir
    } else if kind.is_symlink() {
        What::Symlink
    } else {
        What::Unknown
    }
}

fn escaped(path: &OsStr) -> String {
    entry_name::escaped(path.as_encoded_bytes())
}

/// What stands somewhere below the home.
struct Found<'a> {
    /// Below the home, `/` between its parts; not always text.
    path: OsString,
    place: &'a Path,
    what: What,
}

impl<'a> Found<'a> {
    fn of(child: &'a Child, under: &str) -> Self {
        let mut path = OsString::from(under);
        if !under.is_empty() {
            path.push("/");
        }
        path.push(&child.name);
        Self {
            path,
            place: &child.path,
            what: child
                .kind
                .as_ref()
                .map_or(What::Unknown, |kind| what_is(*kind)),
        }
    }
}

/// One entry of a directory, holding nothing open.
struct Child {
    name: OsString,
    path: PathBuf,
    kind: io::Result<fs::FileType>,
}

fn children_of(dir: &Path) -> io::Result<Vec<Child>> {
    let mut children = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        children.push(Child {
            name: entry.file_name(),
            path: entry.path(),
            kind: entry.file_type(),
        });
    }
    children.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(children)
}

/// Time since 1970, and no later than what a tar header and every reader can hold: seconds and nanoseconds.
fn mtime(meta: &fs::Metadata) -> (u64, u32) {
    const MOST: u64 = 253_402_300_799; // the end of the year 9999
    let since = meta
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or((0, 0), |since| {
        (since.as_secs().min(MOST), since.subsec_nanos())
    })
}

#[cfg(unix)]
fn is_executable(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    meta.is_file() && meta.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests;

//! What of a Codex home goes into a snapshot: a plan, made before anything is written, that `--dry-run` shows as it is.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use globset::{Glob, GlobSet, GlobSetBuilder};
use sha2::{Digest, Sha256};

use crate::archive::entry_name;
use crate::archive::manifest::{Absent, Nature};
use crate::archive::write::{Content, Entry};
use crate::codex::home;
use crate::error::{Error, Kind, Result};
use crate::fsutil;

/// Why a link is not captured. Unlike the other reasons it is by design.
pub const IS_A_LINK: &str = "it is a link, which is not followed";

/// What to capture.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The login's bytes, as they were judged; None where there is no login.
    pub auth_json: Option<&'a [u8]>,
    /// The account's email: its own hand-made login copies are captured, other people's are not.
    pub email: Option<&'a str>,
    /// The login alone.
    pub auth_only: bool,
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
    /// What stands in the home and cannot be captured, each with its reason.
    pub not_captured: Vec<String>,
    /// What could not be looked at, each with the system's reason.
    pub failed: Vec<String>,
    /// What stands in the home and is not among the entries, for the manifest.
    pub absent: Vec<Absent>,
    /// What is not captured by design, for those who want to know.
    pub left_out: Vec<String>,
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
            if let Content::Lines { source, size } = &mut entry.content {
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

    /// Top-level names; directories end in `/`.
    pub fn top_level(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for entry in &self.entries {
            let name = match entry.path.split_once('/') {
                Some((top, _)) => format!("{top}/"),
                None if entry.is_file() => entry.path.clone(),
                None => format!("{}/", entry.path),
            };
            if names.last() != Some(&name) {
                names.push(name);
            }
        }
        names.dedup();
        names
    }
}

/// Patterns as one matcher. A pattern that is none is a usage error.
pub fn patterns(globs: &[String]) -> Result<GlobSet> {
    let unusable = |glob: &str, why: String| {
        Error::new(
            Kind::Usage,
            format!("the pattern `{glob}` cannot be used: {why}"),
            "write it as in `--exclude 'sessions/**'`",
        )
    };
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(Glob::new(glob).map_err(|error| unusable(glob, error.kind().to_string()))?);
    }
    set.build()
        .map_err(|error| unusable(&globs.join(" "), error.to_string()))
}

/// Plans a snapshot of the Codex home `dir`.
pub fn plan(dir: &Path, wanted: &Wanted) -> Result<Plan> {
    let auth_mtime = fs::metadata(home::auth_path(dir))
        .map(|meta| mtime(&meta))
        .unwrap_or_default();
    let auth = wanted.auth_json.map(|bytes| Entry {
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
    if !wanted.auth_only {
        walk.dir(dir, "")?;
        walk.plan.entries.sort_by(|a, b| a.path.cmp(&b.path));
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
                let why = crate::error::describe(&error);
                self.plan.failed.push(format!("{under}: {why}"));
                return Ok(());
            }
        };
        if !under.is_empty() {
            self.push(dir, under, Content::Dir);
        }
        for child in children {
            self.child(&child, under)?;
        }
        Ok(())
    }

    fn child(&mut self, child: &Child, under: &str) -> Result<()> {
        let shown = |name: &str| {
            if under.is_empty() {
                name.to_owned()
            } else {
                format!("{under}/{name}")
            }
        };
        let Some(name) = child.name.to_str() else {
            let name = shown(&child.name.to_string_lossy());
            self.plan
                .not_captured
                .push(format!("{name}: its name is no UTF-8"));
            return Ok(());
        };
        let path = shown(name);
        if path == home::AUTH_JSON {
            return Ok(());
        }
        let is_anothers =
            under.is_empty() && home::is_anothers_legacy_login(name, self.wanted.email);
        if home::is_passing(&path, self.wanted.include_tmp)
            || is_anothers
            || self.is_excluded(&path)
        {
            self.plan.left_out.push(path);
            return Ok(());
        }
        let kind = match &child.kind {
            Ok(kind) => *kind,
            Err(why) => {
                self.plan.failed.push(format!("{path}: {why}"));
                return Ok(());
            }
        };
        if kind.is_dir() {
            if self.is_own_dir(child) {
                self.plan.left_out.push(path);
            } else if self.take(&path) {
                self.dir(&child.path, &path)?;
            }
        } else if kind.is_file() {
            if self.take(&path) {
                let size = fs::metadata(&child.path)
                    .map(|meta| meta.len())
                    .unwrap_or_default();
                self.push(&child.path, &path, content_of(child.path.clone(), size));
            }
        } else if kind.is_symlink() {
            self.link(&child.path, &path, under);
        } else {
            self.plan.left_out.push(path);
        }
        Ok(())
    }

    /// What stands beside a database goes where the database goes: the log of another moment would spoil it.
    fn is_excluded(&self, path: &str) -> bool {
        let database = home::database_beside(path);
        self.exclude.is_match(path) || database.is_some_and(|path| self.exclude.is_match(path))
    }

    fn is_own_dir(&self, child: &Child) -> bool {
        // The name first: asking the system for every directory's real path would be slow.
        self.own_dirs.iter().any(|own| {
            own.file_name() == Some(child.name.as_os_str())
                && child.path.canonicalize().is_ok_and(|path| path == *own)
        })
    }

    /// A linked file at the top is a setting kept elsewhere: its content is captured. Any other link is named.
    fn link(&mut self, source: &Path, path: &str, under: &str) {
        match fs::metadata(source) {
            Ok(meta) if meta.is_file() && under.is_empty() => {
                if self.take(path) {
                    let content = content_of(source.to_owned(), meta.len());
                    self.push(source, path, content);
                }
            }
            _ => self.plan.not_captured.push(format!("{path}: {IS_A_LINK}")),
        }
    }

    /// Whether an archive can hold that name, beside those it holds already.
    fn take(&mut self, path: &str) -> bool {
        let reason = match entry_name::check(path.as_bytes()) {
            Err(reason) => reason,
            Ok(_) if entry_name::is_metadata(path) => "snapshots use that name themselves",
            Ok(_) if !self.taken.insert(entry_name::collision_key(path)) => {
                "another name differs from it only by case"
            }
            Ok(_) => return true,
        };
        self.plan
            .not_captured
            .push(format!("{}: {reason}", path.escape_debug()));
        false
    }

    fn push(&mut self, source: &Path, path: &str, content: Content) {
        let meta = fs::metadata(source);
        let (mtime, mtime_nanos) = meta.as_ref().map(mtime).unwrap_or_default();
        self.plan.entries.push(Entry {
            path: path.to_owned(),
            content,
            nature: Nature::Plain,
            executable: meta.as_ref().is_ok_and(is_executable),
            mtime,
            mtime_nanos,
        });
    }
}

/// Session files and histories only grow, line by line.
fn content_of(source: PathBuf, size: u64) -> Content {
    if source.extension().is_some_and(|end| end == "jsonl") {
        Content::Lines { source, size }
    } else {
        Content::File { source, size }
    }
}

/// One entry of a directory, holding nothing open.
struct Child {
    name: OsString,
    path: PathBuf,
    kind: Result<fs::FileType, String>,
}

fn children_of(dir: &Path) -> std::io::Result<Vec<Child>> {
    let mut children = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        children.push(Child {
            name: entry.file_name(),
            path: entry.path(),
            kind: entry
                .file_type()
                .map_err(|error| crate::error::describe(&error)),
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
mod tests {
    use super::*;

    fn home(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
            fs::write(path, file).expect("writes");
        }
        dir
    }

    fn planned(dir: &Path, exclude: &[String]) -> Plan {
        let wanted = Wanted {
            auth_json: Some(b"{}"),
            email: Some("alice@example.com"),
            auth_only: false,
            include_tmp: false,
            exclude,
            own_dirs: &[dir.join("my-backups")],
        };
        plan(dir, &wanted).expect("plans")
    }

    fn paths(plan: &Plan) -> Vec<&str> {
        plan.entries
            .iter()
            .map(|entry| entry.path.as_str())
            .collect()
    }

    #[test]
    fn what_lasts_is_captured_by_path_and_what_passes_is_not() {
        let dir = home(&[
            "auth.json",
            "config.toml",
            "sessions/2026/a.jsonl",
            "tmp/x",
            "packages/big",
            "auth.lock",
            "21apr_alice@example.com_auth.json",
            "22apr_bob@example.com_auth.json",
            "skills/.system/s",
            "skills/mine/s",
            "my-backups/old.tar.gz",
        ]);
        let plan = planned(dir.path(), &[]);
        assert_eq!(
            paths(&plan),
            [
                "21apr_alice@example.com_auth.json",
                "auth.json",
                "config.toml",
                "sessions",
                "sessions/2026",
                "sessions/2026/a.jsonl",
                "skills",
                "skills/mine",
                "skills/mine/s"
            ]
        );
        assert_eq!(
            plan.top_level(),
            [
                "21apr_alice@example.com_auth.json",
                "auth.json",
                "config.toml",
                "sessions/",
                "skills/"
            ]
        );
        assert_eq!((plan.file_count(), plan.not_captured.len()), (5, 0));
    }

    #[test]
    fn patterns_leave_out_and_bad_ones_are_refused() {
        let dir = home(&["auth.json", "sessions/2026/a.jsonl", "config.toml"]);
        assert_eq!(
            paths(&planned(dir.path(), &["sessions".to_owned()])),
            ["auth.json", "config.toml"]
        );
        let plan = planned(dir.path(), &["**/*.jsonl".to_owned()]);
        assert_eq!(
            paths(&plan),
            ["auth.json", "config.toml", "sessions", "sessions/2026"]
        );
        assert_eq!(
            patterns(&["[".to_owned()]).expect_err("refused").kind(),
            Kind::Usage
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_names_and_sockets_that_cannot_be_captured_are_named() {
        use std::os::unix::ffi::OsStrExt;
        let dir = home(&[
            "auth.json",
            "elsewhere.toml",
            "skills/mine/s",
            "a:b",
            "Case",
            "case",
        ]);
        std::os::unix::fs::symlink("elsewhere.toml", dir.path().join("config.toml"))
            .expect("links");
        std::os::unix::fs::symlink("/etc", dir.path().join("memories")).expect("links");
        fs::write(
            dir.path().join(std::ffi::OsStr::from_bytes(b"bad\xff")),
            "x",
        )
        .expect("writes");
        let _listener =
            std::os::unix::net::UnixListener::bind(dir.path().join("control")).expect("binds");
        let plan = planned(dir.path(), &[]);
        assert_eq!(
            paths(&plan),
            [
                "Case",
                "auth.json",
                "config.toml",
                "elsewhere.toml",
                "skills",
                "skills/mine",
                "skills/mine/s"
            ]
        );
        assert_eq!(plan.not_captured.len(), 4, "{:?}", plan.not_captured);
        assert_eq!(plan.left_out, ["control"]);
    }
}

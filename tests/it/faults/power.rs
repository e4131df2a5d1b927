//! What a power cut takes away once a process is dead: content that was written and not synced, and changes of directories
//! that were not synced.
//!
//! As on file systems with a journal, what becomes of names is in order: where one change has happened, so have all before it,
//! and a synced directory has its last change and all before that one on the disk. To sync a file saves its content, and is not
//! relied on to save its name.

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::libc;

use super::tracer::{Asked, Call, Kind};

/// What is lost of all that may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    pub content: Content,
    pub names: Names,
}

/// What a file holds instead of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// What it held before.
    Old,
    /// Zeros: its new length was saved, the content was not.
    Zeros,
}

/// Which of the changes of names that were not synced are undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    None,
    TheLaterHalf,
    All,
}

impl Loss {
    /// The hardest first.
    pub const EACH: [Self; 4] = [
        Self {
            content: Content::Old,
            names: Names::All,
        },
        Self {
            content: Content::Old,
            names: Names::None,
        },
        Self {
            content: Content::Zeros,
            names: Names::TheLaterHalf,
        },
        Self {
            content: Content::Zeros,
            names: Names::None,
        },
    ];
}

/// Below it is what a restore moved out of the home.
const LEFT: &str = "/.codex-manager-restore/old/";

/// Device and number: what a file is known by, whatever it is named.
type Inode = (u64, u64);

/// A disk of which it is known what would not outlast a power cut.
pub struct Disk {
    /// Links to what lost its name, on the same file system and where nobody looks.
    stash: tempfile::TempDir,
    stashed: usize,
    /// What each file held that was written since it was synced.
    old: HashMap<Inode, Vec<u8>>,
    /// Changes of names that are not synced, in order.
    changes: Vec<Change>,
}

/// A change of names.
pub struct Change {
    /// The directories it is in.
    dirs: Vec<Inode>,
    /// How to undo it, in order.
    undo: Vec<Undo>,
}

impl Change {
    /// Whether it moves what a restore's journal knows by the time it was changed, which a file system takes back with the
    /// move and nobody else can. Without the move all is as a cut before it leaves it.
    fn is_noted(&self) -> bool {
        let is_old = |path: &Path| path.to_string_lossy().contains(LEFT);
        let is_noted = |undo: &Undo| matches!(undo, Undo::Move(path, _) if is_old(path));
        self.undo.iter().any(is_noted)
    }
}

enum Undo {
    RemoveFile(PathBuf),
    RemoveDir(PathBuf),
    MakeDir(PathBuf, Permissions),
    Move(PathBuf, PathBuf),
}

/// What a call does if it succeeds.
pub enum Pending {
    Change(Change),
    /// A new file.
    Create(Change),
    /// One file or directory is synced.
    Sync(Inode),
    SyncAll,
}

impl Disk {
    /// All of what is below `root` is synced.
    pub fn new(root: &Path) -> Self {
        let beside = root.parent().expect("a parent");
        Self {
            stash: tempfile::tempdir_in(beside).expect("a directory"),
            stashed: 0,
            old: HashMap::new(),
            changes: Vec::new(),
        }
    }

    /// A call is about to be made.
    pub fn before(&mut self, asked: &Asked, call: &Call) -> Option<Pending> {
        let path = &call.path;
        let dir = |path: &Path| inode(path.parent()?);
        let standing = fs::symlink_metadata(path).ok();
        let change = |dirs: Vec<Option<Inode>>, undo| {
            let dirs = dirs.into_iter().flatten().collect();
            Some(Pending::Change(Change { dirs, undo }))
        };
        match call.kind {
            Kind::Write | Kind::Copy | Kind::Length | Kind::Sync => {
                let file = asked.descriptor().unwrap_or_else(|| path.clone());
                match call.kind {
                    Kind::Sync if asked.number == libc::SYS_syncfs => Some(Pending::SyncAll),
                    Kind::Sync if asked.number == libc::SYS_sync_file_range => None,
                    Kind::Sync => inode(&file).map(Pending::Sync),
                    _ => {
                        self.keep(&file);
                        None
                    }
                }
            }
            Kind::Create if standing.is_some() => {
                self.keep(path);
                None
            }
            Kind::Create => Some(Pending::Create(Change {
                dirs: dir(path).into_iter().collect(),
                undo: vec![Undo::RemoveFile(path.clone())],
            })),
            Kind::Link | Kind::MakeDir if standing.is_some() => None,
            Kind::Link => change(vec![dir(path)], vec![Undo::RemoveFile(path.clone())]),
            Kind::MakeDir => change(vec![dir(path)], vec![Undo::RemoveDir(path.clone())]),
            Kind::Remove => {
                let undo = self.put_back(path)?;
                change(vec![dir(path)], vec![undo])
            }
            Kind::Rename => {
                let from = asked.renamed()?;
                if inode(&from)? == standing.map_or((0, 0), |meta| (meta.dev(), meta.ino())) {
                    return None;
                }
                let mut undo = vec![Undo::Move(path.clone(), from.clone())];
                undo.extend(self.put_back(path));
                change(vec![dir(&from), dir(path)], undo)
            }
            Kind::Attributes | Kind::Map => None,
        }
    }

    /// The call has succeeded; `made` is the file where it opened one.
    pub fn after(&mut self, pending: Pending, made: &Path) {
        match pending {
            Pending::Change(change) => self.changes.push(change),
            Pending::Create(change) => {
                self.old.extend(inode(made).map(|made| (made, Vec::new())));
                self.changes.push(change);
            }
            Pending::Sync(synced) => {
                self.old.remove(&synced);
                let is_in = |change: &Change| change.dirs.contains(&synced);
                if let Some(last) = self.changes.iter().rposition(is_in) {
                    self.changes.drain(..=last);
                }
            }
            Pending::SyncAll => {
                self.old.clear();
                self.changes.clear();
            }
        }
    }

    /// Remembers what a file holds that is about to be written, unless that was not synced either.
    fn keep(&mut self, file: &Path) {
        // What several processes hold a log's place in is of use to none after a power cut.
        let is_shared =
            fs::canonicalize(file).is_ok_and(|path| path.to_string_lossy().ends_with("-shm"));
        if let Some(inode) = inode(file).filter(|_| !is_shared) {
            self.old
                .entry(inode)
                .or_insert_with(|| fs::read(file).expect("reads"));
        }
    }

    /// How to put back what stands there and is about to go.
    fn put_back(&mut self, path: &Path) -> Option<Undo> {
        let meta = fs::symlink_metadata(path).ok()?;
        if meta.is_dir() {
            return Some(Undo::MakeDir(path.to_owned(), meta.permissions()));
        }
        let stashed = self.stash.path().join(self.stashed.to_string());
        self.stashed += 1;
        fs::hard_link(path, &stashed).expect("links");
        Some(Undo::Move(stashed, path.to_owned()))
    }

    /// The power is cut; `is_over` says whether the process had ended by itself.
    pub fn cut(self, root: &Path, loss: Loss, is_over: bool) {
        let count = match loss.names {
            Names::None => 0,
            Names::TheLaterHalf => self.changes.len().div_ceil(2),
            Names::All => self.changes.len(),
        };
        for change in self.changes.into_iter().rev().take(count) {
            if !is_over && change.is_noted() {
                break;
            }
            for undo in change.undo {
                match undo {
                    Undo::RemoveFile(path) => fs::remove_file(path).expect("removes"),
                    Undo::RemoveDir(path) => fs::remove_dir_all(path).expect("removes"),
                    Undo::MakeDir(path, mode) => {
                        fs::create_dir(&path).expect("makes");
                        fs::set_permissions(path, mode).expect("sets");
                    }
                    Undo::Move(from, to) => fs::rename(from, to).expect("moves"),
                }
            }
        }
        lose_content(root, &self.old, loss.content);
    }
}

/// Takes what was not synced from each file below `dir`.
fn lose_content(dir: &Path, old: &HashMap<Inode, Vec<u8>>, content: Content) {
    for entry in fs::read_dir(dir).expect("lists").flatten() {
        let (path, kind) = (entry.path(), entry.file_type().expect("a type"));
        if kind.is_dir() {
            lose_content(&path, old, content);
        }
        let Some(old) = inode(&path).and_then(|inode| old.get(&inode)) else {
            continue;
        };
        let new = fs::read(&path).expect("reads");
        let left = match content {
            Content::Old => old.clone(),
            Content::Zeros => {
                let is_saved = |(place, byte): (usize, &u8)| old.get(place) == Some(byte);
                let bytes = new.iter().enumerate();
                bytes
                    .map(|(place, byte)| if is_saved((place, byte)) { *byte } else { 0 })
                    .collect()
            }
        };
        if left != new {
            // It stays the file it is.
            let mode = fs::metadata(&path).expect("stands").permissions();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("sets");
            fs::write(&path, left).expect("writes");
            fs::set_permissions(&path, mode).expect("sets");
        }
    }
}

/// Of what stands at `path`, which may be what a descriptor of a process leads to.
fn inode(path: &Path) -> Option<Inode> {
    let is_descriptor = path.starts_with("/proc");
    let meta = if is_descriptor {
        fs::metadata(path)
    } else {
        fs::symlink_metadata(path)
    };
    meta.ok().map(|meta| (meta.dev(), meta.ino()))
}

//! A folder as a store: a stick, a shared drive, what another program carries elsewhere. Files appear in one step, private
//! and on the disk; what a link leads to is none of the folder's.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use super::{Object, Stood};
use crate::error::{Error, Kind, Result};
use crate::fsutil::{self, AtomicFile};

/// How old a file on its way must be before it is taken for one that a killed run left: another machine may be writing it.
const STALE: Duration = Duration::from_hours(24);

/// A store in a folder.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// The directories this run has written to.
    swept: Mutex<HashSet<PathBuf>>,
}

impl Folder {
    /// The folder at `root`, which need not be there yet.
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            swept: Mutex::default(),
        }
    }

    /// The files that stand in `dir` itself.
    pub fn list(&self, dir: &str) -> Result<Vec<Object>> {
        let Some(path) = self.real(dir)? else {
            return Ok(Vec::new());
        };
        let failed = |error| refusal(Error::io("list", &path, error));
        let entries = match fs::read_dir(&path) {
            Err(error) if fsutil::is_gone(&error) => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let meta = match fs::symlink_metadata(entry.path()) {
                Err(error) if fsutil::is_gone(&error) => continue,
                meta => meta.map_err(failed)?,
            };
            if meta.is_file() && !fsutil::is_temporary(&name) {
                found.push(Object {
                    key: super::joined(dir, &name),
                    size: meta.len(),
                    modified: modified(&meta),
                });
            }
        }
        Ok(found)
    }

    /// Opens what stands at `key`, if it is a file.
    pub fn open(&self, key: &str) -> Result<Option<fs::File>> {
        let Some(path) = self.real(key)? else {
            return Ok(None);
        };
        match fsutil::open_regular(&path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if fsutil::is_gone(&error) => Ok(None),
            Err(error) => Err(refusal(Error::io("read", &path, error))),
        }
    }

    /// Begins to write `key`; nothing stands there before it is committed.
    pub fn create(&self, key: &str) -> Result<AtomicFile> {
        let path = self.root.join(key);
        let dir = fsutil::parent_of(&path);
        if self.real(parent_of_key(key))?.is_none() {
            fsutil::create_private_dir(dir).map_err(refusal)?;
        }
        self.sweep(dir);
        AtomicFile::create(&path).map_err(refusal)
    }

    /// Writes `key` in one step, over what stands there only where `over`.
    pub fn put(&self, key: &str, bytes: &[u8], over: bool) -> Result<Stood> {
        let mut file = self.create(key)?;
        io::Write::write_all(file.file(), bytes)
            .map_err(|error| refusal(Error::io("write", &self.root.join(key), error)))?;
        if over {
            file.commit().map_err(refusal)?;
            return Ok(Stood::Written);
        }
        if file.commit_new().map_err(refusal)? {
            Ok(Stood::Written)
        } else {
            Ok(Stood::WasThere)
        }
    }

    /// Removes the file at `key`; false where there is none.
    pub fn remove(&self, key: &str) -> Result<bool> {
        let Some(path) = self.real(key)? else {
            return Ok(false);
        };
        let removed = fs::remove_file(&path)
            .and_then(|()| fsutil::sync_dir(fsutil::parent_of(&path)).map_err(io::Error::other));
        match removed {
            Ok(()) => Ok(true),
            Err(error) if fsutil::is_gone(&error) => Ok(false),
            Err(error) => Err(refusal(Error::io("remove", &path, error))),
        }
    }

    /// Where `key` stands, if all of the way to it is the folder's own; None where nothing does. A link on the way, or in
    /// its place, is refused.
    fn real(&self, key: &str) -> Result<Option<PathBuf>> {
        let mut path = self.root.clone();
        for part in key.split('/').filter(|part| !part.is_empty()) {
            path.push(part);
            match fs::symlink_metadata(&path) {
                Ok(meta) if meta.is_symlink() => {
                    let message = format!(
                        "`{}` is a link, which may lead out of the store",
                        path.display()
                    );
                    let hint = "put what it leads to in its place, or name that folder itself";
                    return Err(Error::new(Kind::Remote, message, hint));
                }
                Ok(_) => {}
                Err(error) if fsutil::is_gone(&error) => return Ok(None),
                Err(error) => return Err(refusal(Error::io("read", &path, error))),
            }
        }
        Ok(Some(path))
    }

    /// Removes what killed runs left in `dir` long ago, once. Best effort.
    fn sweep(&self, dir: &Path) {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if !swept.insert(dir.to_owned()) {
            return;
        }
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let is_left = fsutil::is_temporary(&entry.file_name().to_string_lossy())
                && fs::symlink_metadata(entry.path()).is_ok_and(|meta| {
                    meta.is_file() && fsutil::is_older_than(&meta, STALE) == Some(true)
                });
            if is_left {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// The directory part of a key.
fn parent_of_key(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// The same failure as one of a store.
#[allow(clippy::needless_pass_by_value)] // it stands where failures are mapped
pub(super) fn refusal(error: Error) -> Error {
    Error::new(Kind::Remote, error.to_string(), error.hint())
}

fn modified(meta: &fs::Metadata) -> Option<i64> {
    let since = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

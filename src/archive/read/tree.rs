//! What is written below the staging directory. Everything in it is made new, so that nothing that stood there is followed
//! or replaced.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use super::entries::Entries;
use super::{Entry, EntryKind};
use crate::error::{Error, Result};
use crate::fsutil;

/// How many threads have files put on the disk, one by one. They wait for the disk, which does many at once.
const SYNCERS: usize = 32;

/// From so many files on, the whole file system is synced instead where that is possible. It takes along what others
/// wrote, which for few files would be the greater part.
const MANY: usize = 64;

/// After how many bytes the disk is asked to take them while more are written.
const AHEAD: u64 = 64 << 20;

/// What stands below the staging directory.
pub(super) struct Tree<'a> {
    dest: &'a Path,
    /// The same, open since before anything was written; None where directories cannot be opened.
    opened: Option<File>,
    /// Directories made, parents before children.
    dirs: Vec<String>,
    made: HashSet<String>,
    /// Files that were written, or will be.
    files: Vec<PathBuf>,
}

impl<'a> Tree<'a> {
    /// The one in `dest`, which must be a directory that only its owner, who is us, may enter.
    pub fn in_private(dest: &'a Path) -> Result<Self> {
        check_staging(dest)?;
        Ok(Self {
            dest,
            opened: File::open(dest).ok(),
            dirs: Vec::new(),
            made: HashSet::new(),
            files: Vec::new(),
        })
    }

    /// Makes a directory and those above it.
    pub fn dir(&mut self, path: &str) -> Result<()> {
        if self.made.contains(path) {
            return Ok(());
        }
        self.parent(path)?;
        let place = self.dest.join(path);
        #[cfg_attr(not(unix), allow(unused_mut))] // only a mode is set on it
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&place)
            .map_err(|error| Error::io("make the directory", &place, error))?;
        self.dirs.push(path.to_owned());
        self.made.insert(path.to_owned());
        Ok(())
    }

    /// Makes the directories above `path`.
    pub fn parent(&mut self, path: &str) -> Result<()> {
        path.rsplit_once('/')
            .map_or(Ok(()), |(parent, _)| self.dir(parent))
    }

    /// Where the file of that path is to be; it will be synced with all others.
    pub fn note(&mut self, path: &str) -> PathBuf {
        let place = self.dest.join(path);
        self.files.push(place.clone());
        place
    }

    /// Writes a file from its content as it comes.
    pub fn file(&mut self, entry: &Entry, entries: &mut Entries<'_>) -> Result<()> {
        self.parent(&entry.path)?;
        let place = self.note(&entry.path);
        let failed = |error| Error::io("write", &place, error);
        let mut file = new_file(&place, entry.executable).map_err(failed)?;
        loop {
            let piece = entries.piece()?;
            if piece.is_empty() {
                break;
            }
            file.write_all(piece).map_err(failed)?;
        }
        date(&file, entry.mtime).map_err(failed)
    }

    /// Makes a symbolic link.
    pub fn link(&mut self, path: &str, target: &str) -> Result<()> {
        self.parent(path)?;
        let place = self.dest.join(path);
        #[cfg(unix)]
        return std::os::unix::fs::symlink(target, &place)
            .map_err(|error| Error::io("make the link", &place, error));
        #[cfg(not(unix))]
        Err(Error::other(
            format!(
                "cannot make the link `{}` to `{target}` on this system",
                place.display()
            ),
            "restore this backup on Linux or macOS",
        ))
    }

    /// Has the disk take what `work` writes while it writes more; `work` is to tell how many bytes it wrote, now and then.
    /// What is still on its way afterwards, and whatever could not be written, is for [`Self::settle`] to see to.
    pub fn written_ahead<T>(&self, work: impl FnOnce(&mut dyn FnMut(u64)) -> T) -> T {
        // Not the one that settling looks at: each failure is told once for each time a directory was opened.
        let dest = self
            .opened
            .as_ref()
            .filter(|_| self.files.len() >= MANY)
            .and_then(|_| File::open(self.dest).ok());
        let (ask, asked) = mpsc::sync_channel::<()>(1);
        thread::scope(|scope| {
            if let Some(dest) = dest {
                // Without it the disk begins later.
                let _ = thread::Builder::new().spawn_scoped(scope, move || {
                    while asked.recv().is_ok()
                        && fsutil::sync_file_system(&dest).is_ok_and(|synced| synced)
                    {
                    }
                });
            }
            let mut unasked = 0;
            let done = work(&mut |bytes| {
                unasked += bytes;
                if unasked >= AHEAD {
                    unasked = 0;
                    // One that is still at it takes this along the next time.
                    let _ = ask.try_send(());
                }
            });
            drop(ask);
            done
        })
    }

    /// Gives the directories the times they had, and has all of it on the disk.
    pub fn settle(&self, entries: &[Entry]) -> Result<()> {
        let mtimes: HashMap<&str, i64> = entries
            .iter()
            .filter(|entry| entry.kind == EntryKind::Dir)
            .map(|entry| (entry.path.as_str(), entry.mtime))
            .collect();
        for path in self.dirs.iter().rev() {
            if let Some(mtime) = mtimes.get(path.as_str()) {
                date_dir(&self.dest.join(path), *mtime)?;
            }
        }
        if let Some(dest) = self.opened.as_ref().filter(|_| self.files.len() >= MANY) {
            let synced = fsutil::sync_file_system(dest);
            if synced.map_err(|error| Error::io("sync", self.dest, error))? {
                return Ok(());
            }
        }
        sync(&self.files, &|place| {
            let file = OpenOptions::new().write(true).open(place);
            file.and_then(|file| file.sync_all())
                .map_err(|error| Error::io("write", place, error))
        })?;
        let mut dirs: Vec<PathBuf> = self.dirs.iter().map(|dir| self.dest.join(dir)).collect();
        dirs.push(self.dest.to_owned());
        sync(&dirs, &|place| fsutil::sync_dir(place))
    }
}

/// Syncs all of `places`, many at a time: so they share what the file system has to do for each.
fn sync(places: &[PathBuf], one: &(dyn Fn(&Path) -> Result<()> + Sync)) -> Result<()> {
    let next = AtomicUsize::new(0);
    let some = || -> Result<()> {
        while let Some(place) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
            one(place)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        // Those that cannot be started are not missed: this thread does what is left.
        let others: Vec<_> = (1..SYNCERS.min(places.len()))
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, some).ok())
            .collect();
        let mut all = some();
        for other in others {
            let other = other.join().unwrap_or_else(|_| {
                Err(Error::other(
                    "a thread that syncs files failed",
                    "this should not happen; run again with `--verbose` and report it",
                ))
            });
            all = all.and(other);
        }
        all
    })
}

/// Makes a file that did not stand there, private from its first byte.
pub(super) fn new_file(place: &Path, executable: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if executable { 0o700 } else { 0o600 });
    #[cfg(not(unix))]
    let _ = executable;
    options.open(place)
}

/// Gives a file that was written the time it had.
pub(super) fn date(file: &File, mtime: i64) -> io::Result<()> {
    file.set_times(times(mtime))
}

fn times(mtime: i64) -> FileTimes {
    let since = Duration::from_secs(u64::try_from(mtime).unwrap_or(0));
    match SystemTime::UNIX_EPOCH.checked_add(since) {
        Some(time) => FileTimes::new().set_modified(time),
        None => FileTimes::new(),
    }
}

/// Only where a directory can be opened as a file is.
#[cfg_attr(not(unix), allow(clippy::unnecessary_wraps))] // it fails only where it does something
fn date_dir(place: &Path, mtime: i64) -> Result<()> {
    #[cfg(unix)]
    File::open(place)
        .and_then(|dir| dir.set_times(times(mtime)))
        .map_err(|error| Error::io("set the time of", place, error))?;
    #[cfg(not(unix))]
    let _ = (place, mtime);
    Ok(())
}

/// Refuses a staging directory that others could reach into while it is filled with tokens.
fn check_staging(dest: &Path) -> Result<()> {
    let found = fs::symlink_metadata(dest).map_err(|error| Error::io("write in", dest, error))?;
    let refuse = |reason: &str| {
        Err(Error::other(
            format!("cannot unpack into `{}`: {reason}", dest.display()),
            "name a new directory that only you may enter",
        ))
    };
    if !found.is_dir() {
        return refuse("it is no directory");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if found.uid() != rustix::process::geteuid().as_raw() {
            return refuse("it belongs to somebody else");
        }
        if found.mode() & 0o077 != 0 {
            return refuse("others may enter it");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_ahead_is_whole_and_the_work_is_never_held_up() {
        let dir = tempfile::tempdir().expect("a directory");
        let staging = dir.path().join("staging");
        fsutil::create_private_dir(&staging).expect("makes");
        for count in [1, MANY] {
            let mut tree = Tree::in_private(&staging).expect("is private");
            let place = |number| format!("{count}-{number}");
            let places: Vec<PathBuf> = (0..count).map(|number| tree.note(&place(number))).collect();
            let written = tree.written_ahead(|told| {
                for place in &places {
                    let mut file = new_file(place, false).expect("makes");
                    file.write_all(b"content").expect("writes");
                    told(AHEAD);
                }
                places.len()
            });
            assert_eq!(written, count);
            tree.settle(&[]).expect("syncs");
            let whole = |place: &PathBuf| fs::read(place).expect("reads") == b"content";
            assert!(places.iter().all(whole));
        }
    }
}

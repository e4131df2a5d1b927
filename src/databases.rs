//! Databases of a home as copies that are whole: made by SQLite itself where Codex may be writing, and checked.
//!
//! A database in WAL mode is two files and an index of one of them; copied one after the other while somebody writes they
//! are damaged, and nobody notices. Nothing is written beside the original, and no writer is kept waiting.

mod copy;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::archive::manifest::Nature;
use crate::archive::write::{Content, Entry};
use crate::codex::home;
use crate::error::{Error, Result};
use crate::fsutil::TemporaryDir;
use crate::metadata::{Database, DatabaseMethod};
use copy::{BESIDE, Copied};

/// How long those that somebody holds for himself alone are waited for, all of them together, and how often they are
/// tried meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// Databases that are being copied, all of them as they were when that was begun.
pub struct Begun {
    /// Their entries, and those of what stands beside them, as they were planned. By path.
    entries: Vec<Entry>,
    databases: Vec<One>,
    copies: TemporaryDir,
}

struct One {
    path: String,
    source: PathBuf,
    target: PathBuf,
    begun: copy::Begun,
}

/// Databases that were copied.
pub struct Settled {
    /// What is written to the archive for them. By path.
    pub entries: Vec<Entry>,
    /// What became of each.
    pub databases: Vec<Database>,
    /// Those that are captured as they lie, each with the reason.
    pub raw: Vec<String>,
    /// Holds the copies; they go with it.
    #[allow(dead_code)] // its being there is what it is for
    copies: TemporaryDir,
}

/// Begins to copy the databases among `entries` to a new directory in `dir`, which is removed again. What `entries` holds
/// of them is taken out. None where there is none.
///
/// Where Codex has one open, what is copied later is as it is now; those that nobody has open are copied at once.
pub fn begin(
    entries: &mut Vec<Entry>,
    dir: &Path,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Begun>> {
    let sources: Vec<(String, PathBuf)> = entries.iter().filter_map(source_of).collect();
    if sources.is_empty() {
        return Ok(None);
    }
    let copies = TemporaryDir::make(dir)?;
    let mut databases = Vec::new();
    for (place, (path, source)) in sources.into_iter().enumerate() {
        let target = copies.path().join(format!("{place}.sqlite"));
        let begun = copy::begin(&source, &target, stop)?;
        databases.push(One {
            path,
            source,
            target,
            begun,
        });
    }
    let mut waited = Duration::ZERO;
    while waited < PATIENCE && databases.iter().any(|one| one.begun.is_held()) {
        if stop() {
            return Err(Error::interrupted());
        }
        std::thread::sleep(PAUSE);
        waited += PAUSE;
        for one in &mut databases {
            if one.begun.is_held() {
                one.begun = copy::begin(&one.source, &one.target, stop)?;
            }
        }
    }
    let is_theirs = |entry: &Entry| {
        let is_of = |one: &One| is_of(entry, &one.path);
        databases.iter().any(is_of)
    };
    Ok(Some(Begun {
        entries: entries.extract_if(.., |entry| is_theirs(entry)).collect(),
        databases,
        copies,
    }))
}

impl Begun {
    /// The entries that there will be if each of them can be copied.
    pub fn expected(&self) -> Vec<Entry> {
        let mut entries = self.entries.clone();
        for one in &self.databases {
            drop_beside(&mut entries, &one.path);
        }
        entries
    }

    /// Copies and checks them.
    pub fn finish(self, stop: &dyn Fn() -> bool) -> Result<Settled> {
        let mut settled = Settled {
            entries: self.entries,
            databases: Vec::new(),
            raw: Vec::new(),
            copies: self.copies,
        };
        for one in self.databases {
            let became = one.begun.finish(&one.target, stop)?;
            settled.one(one.path, &one.source, &one.target, became, stop)?;
        }
        Ok(settled)
    }
}

impl Settled {
    /// Has the entries hold what became of the database at `path`.
    fn one(
        &mut self,
        path: String,
        source: &Path,
        target: &Path,
        became: Copied,
        stop: &dyn Fn() -> bool,
    ) -> Result<()> {
        let entries = &mut self.entries;
        let why = match became {
            Copied::Whole(method, user_version) => {
                drop_beside(entries, &path);
                put(entries, &path, target, "");
                mark(entries, &path, Nature::SqliteCopy);
                self.databases.push(Database {
                    path,
                    method,
                    check: Some("quick_check".to_owned()),
                    user_version: Some(user_version),
                });
                return Ok(());
            }
            // It must not get content, without a log, before its turn comes.
            Copied::Empty => {
                put(entries, &path, target, "");
                return Ok(());
            }
            // Whoever writes the archive sees that too, and tells.
            Copied::Gone => return Ok(()),
            Copied::Held => "somebody holds it for himself alone",
            Copied::Not(why) => why,
        };
        // Together and now: what is written to the archive one file after the other fits together even less. Where that
        // cannot be, the files are read where they lie.
        if let Some(taken) = copy::as_it_lies(source, target, stop)? {
            drop_beside(entries, &path);
            for suffix in taken {
                put(entries, &path, target, suffix);
            }
        }
        mark(entries, &path, Nature::Raw);
        self.raw
            .push(format!("{path}: captured as its files lie: {why}"));
        self.databases.push(Database {
            path,
            method: DatabaseMethod::Raw,
            check: None,
            user_version: None,
        });
        Ok(())
    }
}

/// A database's path and where it stands.
fn source_of(entry: &Entry) -> Option<(String, PathBuf)> {
    match &entry.content {
        Content::File { source, .. } if home::is_database(&entry.path) => {
            Some((entry.path.clone(), source.clone()))
        }
        _ => None,
    }
}

/// Drops what stands beside the database at `path`.
fn drop_beside(entries: &mut Vec<Entry>, path: &str) {
    entries.retain(|entry| entry.path == path || !is_of(entry, path));
}

/// Whether it is the database at `path` or stands beside it.
fn is_of(entry: &Entry, path: &str) -> bool {
    let beside = entry.path.strip_prefix(path);
    let is_of = beside.is_some_and(|beside| beside.is_empty() || BESIDE.contains(&beside));
    is_of && entry.is_file()
}

/// Says how the bytes of the database and of all that stands beside it came together.
fn mark(entries: &mut [Entry], path: &str, nature: Nature) {
    for entry in entries.iter_mut().filter(|entry| is_of(entry, path)) {
        entry.nature = nature;
    }
}

/// Has a copy stand for the database at `path`, or for what stands beside it under that suffix.
fn put(entries: &mut Vec<Entry>, path: &str, copy: &Path, suffix: &str) {
    let source = copy::beside(copy, suffix);
    let size = fs::metadata(&source).map(|meta| meta.len());
    let content = Content::Copy {
        source,
        size: size.unwrap_or_default(),
    };
    let Ok(place) = entries.binary_search_by(|entry| entry.path.as_str().cmp(path)) else {
        return;
    };
    match entries.get_mut(place) {
        Some(entry) if suffix.is_empty() => entry.content = content,
        Some(entry) => {
            let path = format!("{path}{suffix}");
            let executable = false;
            let beside = Entry {
                path,
                content,
                executable,
                ..entry.clone()
            };
            let place = entries.partition_point(|entry| entry.path < beside.path);
            entries.insert(place, beside);
        }
        None => {}
    }
}

#[cfg(test)]
mod tests;

//! Databases of a plan as copies that are whole: made by SQLite itself where Codex may be writing, and checked.
//!
//! A database in WAL mode is two files and an index of one of them; copied one after the other while somebody writes they
//! are damaged, and nobody notices. Nothing is written beside the original, and no writer is kept waiting.

mod copy;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::archive::manifest::Nature;
use crate::archive::write::{Content, Entry};
use crate::capture::Plan;
use crate::codex::home;
use crate::error::{Error, Result};
use crate::fsutil;
use crate::metadata::{Database, DatabaseMethod};
use copy::{BESIDE, Copied};

/// How long those that somebody holds for himself alone are waited for, all of them together, and how often they are
/// tried meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

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
    let target = |place: usize| copies.path().join(format!("{place}.sqlite"));
    let mut became: Vec<Copied> = Vec::new();
    for (place, (_, source)) in sources.iter().enumerate() {
        became.push(copy::copy(source, &target(place), stop)?);
    }
    let mut waited = Duration::ZERO;
    while waited < PATIENCE && became.contains(&Copied::Held) {
        if stop() {
            return Err(Error::interrupted());
        }
        std::thread::sleep(PAUSE);
        waited += PAUSE;
        for (place, ((_, source), became)) in sources.iter().zip(&mut became).enumerate() {
            if *became == Copied::Held {
                *became = copy::copy(source, &target(place), stop)?;
            }
        }
    }
    for (place, ((path, source), became)) in sources.into_iter().zip(became).enumerate() {
        settled.one(path, &source, &target(place), became, stop)?;
    }
    settled.copies = Some(copies);
    Ok(settled)
}

impl Settled {
    /// Has the plan hold what became of the database at `path`.
    fn one(
        &mut self,
        path: String,
        source: &Path,
        target: &Path,
        became: Copied,
        stop: &dyn Fn() -> bool,
    ) -> Result<()> {
        let entries = &mut self.plan.entries;
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
    entries.retain(|entry| {
        let suffix = entry.path.strip_prefix(path);
        !suffix.is_some_and(|suffix| BESIDE.contains(&suffix)) || !entry.is_file()
    });
}

/// Says how the bytes of the database and of all that stands beside it came together.
fn mark(entries: &mut [Entry], path: &str, nature: Nature) {
    for entry in entries {
        let beside = entry.path.strip_prefix(path);
        if beside.is_some_and(|beside| beside.is_empty() || BESIDE.contains(&beside)) {
            entry.nature = nature;
        }
    }
}

/// Has a copy stand for the database at `path`, or for what stands beside it under that suffix.
fn put(entries: &mut Vec<Entry>, path: &str, copy: &Path, suffix: &str) {
    let source = copy::beside(copy, suffix);
    let size = fs::metadata(&source).map(|meta| meta.len());
    let content = Content::File {
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

//! What of a Codex home goes and what stays, and why.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::codex::home;
use crate::codex::parts::{Part, Parts};
use crate::codex::running;
use crate::codex::state::{self, Fate, Kind};
use crate::error::{Error, Result};
use crate::fsutil;
use crate::install::mounts;

/// What goes or stays together: something at the top of the home, a database with what stands beside it, something in a
/// directory that is emptied, or all that stays in one.
pub struct Item {
    /// How it is called, below the home.
    pub name: String,
    /// The part of the home that it is of.
    pub part: Part,
    /// All that is of it, below the home; a database comes before its log.
    pub files: Vec<PathBuf>,
    /// How many bytes its files have.
    pub size: u64,
    /// Whether it goes.
    pub goes: bool,
    /// Whether that is for having been asked for.
    pub is_asked_for: bool,
    /// Why it goes or stays.
    pub why: String,
}

/// All of the home at `home`, by name; what belongs to `parts` goes too.
pub fn of(home: &Path, parts: Parts) -> Result<Vec<Item>> {
    let mut plan = Plan::default();
    for (file, kind) in list(home, Path::new(""))? {
        let name = file.to_string_lossy().into_owned();
        if parts.hold(&name) {
            plan.add(&name, file, Fate::Goes("asked for"), true);
            continue;
        }
        let fate = state::fate(&name, kind);
        if fate != Fate::Within {
            plan.add(&name, file, fate, false);
            continue;
        }
        for (file, kind) in list(home, &file)? {
            let below = file.to_string_lossy().replace('\\', "/");
            let fate = state::fate(&below, kind);
            let is_told = matches!(fate, Fate::Goes(_));
            plan.add(if is_told { &below } else { &name }, file, fate, false);
        }
    }
    Ok(plan.weighed(home))
}

/// What stands in `dir` below the home; what is on its way through this program is left out.
fn list(home: &Path, dir: &Path) -> Result<Vec<(PathBuf, Kind)>> {
    let whole = home.join(dir);
    let failed = |error| Error::io("list", &whole, error);
    let mut found = Vec::new();
    for entry in fs::read_dir(&whole).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if fsutil::is_temporary(&name.to_string_lossy()) {
            continue;
        }
        let kind = match entry.file_type() {
            Ok(kind) if kind.is_dir() => Kind::Dir,
            Ok(kind) if kind.is_file() => Kind::File,
            Ok(kind) if kind.is_symlink() => Kind::Link,
            _ => Kind::Other,
        };
        found.push((dir.join(name), kind));
    }
    // A database comes before what stands beside it.
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

#[derive(Default)]
struct Plan(BTreeMap<String, Item>);

impl Plan {
    /// Adds `file` to what is called `name`. Of what belongs together all goes, or all stays.
    fn add(&mut self, name: &str, file: PathBuf, fate: Fate, is_asked_for: bool) {
        let (goes, why) = match fate {
            Fate::Goes(why) => (true, why),
            Fate::Stays(why) => (false, why),
            Fate::Within => (false, "looked into"),
        };
        let name = home::database_beside(name).unwrap_or(name).to_owned();
        let item = self.0.entry(name).or_insert_with_key(|name| Item {
            name: name.clone(),
            part: Part::of(name),
            files: Vec::new(),
            size: 0,
            goes,
            is_asked_for,
            why: why.to_owned(),
        });
        item.files.push(file);
        if !goes {
            item.stay(why);
        }
    }

    /// With their sizes, and without what must not be moved now.
    fn weighed(self, home: &Path) -> Vec<Item> {
        let mounts = mounts::below(home);
        let device = fs::metadata(home).map_or(0, |meta| fsutil::device(&meta));
        let mut items: Vec<Item> = self.0.into_values().collect();
        for item in &mut items {
            let mut is_mounted = false;
            for file in &item.files {
                let size = size(&home.join(file), device);
                let is_near =
                    |mount: &String| Path::new(mount).starts_with(file) || file.starts_with(mount);
                is_mounted |= size.is_none() || mounts.iter().any(is_near);
                item.size += size.unwrap_or_default();
            }
            if !item.goes {
                continue;
            }
            let is_held = || running::holder(&home.join(&item.name)).is_some();
            if is_mounted {
                item.stay("something is mounted there");
            } else if home::is_database(&item.name) && is_held() {
                item.stay("somebody has it open");
            }
        }
        items
    }
}

impl Item {
    /// Has it stay, for this reason.
    pub fn stay(&mut self, why: &str) {
        self.goes = false;
        self.is_asked_for = false;
        why.clone_into(&mut self.why);
    }
}

/// How many bytes the files at `path` and below have, links not followed; None where some of it is in another file system
/// than `device`.
fn size(path: &Path, device: u64) -> Option<u64> {
    let mut total = 0;
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else {
            continue;
        };
        if meta.is_file() {
            total += meta.len();
        } else if meta.is_dir() {
            if fsutil::device(&meta) != device {
                return None;
            }
            let listing = fs::read_dir(&path).into_iter().flatten().flatten();
            open.extend(listing.map(|entry| entry.path()));
        }
    }
    Some(total)
}

//! What a plan comes to file by file, by content: what a person wants to know before they say yes. Reads the home, and of
//! that only files whose length alone does not tell; databases as the files they are.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use serde::Serialize;

use super::{Action, Plan};
use crate::archive::file_hash::{self, Hash, Hasher};
use crate::archive::read::{Checked, EntryKind};
use crate::codex::home;
use crate::error::{Error, Result};
use crate::fsutil;
use crate::threads;

/// How many files are compared by one thread at once.
const AT_ONCE: usize = 16;

/// What happens to one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Relative path, `/` between parts.
    pub path: String,
    /// What happens.
    pub action: Action,
    /// Its length now; None where it is new.
    pub bytes_before: Option<u64>,
    /// Its length then; None where it is removed.
    pub bytes_after: Option<u64>,
}

/// All that happens to files.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// By path.
    pub list: Vec<Change>,
    /// How many files are put in place as they are there already.
    pub unchanged: u64,
}

/// A file as the snapshot has it: its length, and its hash where it is no link.
type New = (u64, Option<Hash>);

/// What installing `plan` changes in `home_dir`, `checked` having been read whole. `auth_json` takes the place of the
/// archive's login.
pub fn changes(
    home_dir: &Path,
    checked: &Checked,
    plan: &Plan,
    auth_json: Option<&[u8]>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Changes> {
    let mut new: BTreeMap<&str, New> = BTreeMap::new();
    for (entry, hash) in checked
        .hashed()
        .filter(|(entry, _)| plan.wants(&entry.path))
    {
        let file = match &entry.kind {
            EntryKind::Dir => continue,
            EntryKind::File if entry.path == home::AUTH_JSON => auth_json
                .map_or((entry.size, hash), |bytes| {
                    (bytes.len() as u64, Some(file_hash::of_block(bytes, None)))
                }),
            EntryKind::File => (entry.size, hash),
            EntryKind::Symlink(target) => (target.len() as u64, None),
        };
        new.insert(&entry.path, file);
    }
    let mut old = BTreeMap::new();
    for unit in plan.units.iter().filter(|unit| unit.action != Action::Add) {
        files(home_dir, &unit.path, &mut old)?;
    }
    let equally_long = old
        .iter()
        .filter_map(|(path, length)| match new.get(path.as_str()) {
            Some((size, Some(hash))) if size == length => Some((path.as_str(), *size, *hash)),
            _ => None,
        });
    let same = threads::share_parts(equally_long, AT_ONCE, |some| {
        let is_same = |(path, size, hash): &(&str, u64, Hash)| {
            hash_of(&home_dir.join(path), *size, stop).is_ok_and(|found| found == *hash)
        };
        some.into_iter()
            .filter(is_same)
            .map(|(path, ..)| path)
            .collect()
    });
    if stop() {
        return Err(Error::interrupted());
    }
    let unchanged = same.len() as u64;
    let same: Vec<String> = same.into_iter().map(str::to_owned).collect();
    for path in &same {
        old.remove(path);
        new.remove(path.as_str());
    }
    let mut changes: BTreeMap<String, Change> = BTreeMap::new();
    for (path, bytes_before) in old {
        let bytes_after = new.remove(path.as_str()).map(|(size, _)| size);
        let action = match bytes_after {
            Some(_) => Action::Replace,
            None => Action::Remove,
        };
        let change = Change {
            path: path.clone(),
            action,
            bytes_before: Some(bytes_before),
            bytes_after,
        };
        changes.insert(path, change);
    }
    for (path, (size, _)) in new {
        let change = Change {
            path: path.to_owned(),
            action: Action::Add,
            bytes_before: None,
            bytes_after: Some(size),
        };
        changes.insert(path.to_owned(), change);
    }
    Ok(Changes {
        list: changes.into_values().collect(),
        unchanged,
    })
}

/// The lengths of all files at `path` and below it.
fn files(home_dir: &Path, path: &str, into: &mut BTreeMap<String, u64>) -> Result<()> {
    let place = home_dir.join(path);
    let failed = |error| Error::io("look at", &place, error);
    let meta = match fs::symlink_metadata(&place) {
        Err(error) if fsutil::is_gone(&error) => return Ok(()),
        meta => meta.map_err(failed)?,
    };
    if !meta.is_dir() {
        into.insert(path.to_owned(), meta.len());
        return Ok(());
    }
    for entry in fs::read_dir(&place).map_err(failed)? {
        // Names that are no text are in no snapshot, and never in what is replaced.
        if let Ok(name) = entry.map_err(failed)?.file_name().into_string() {
            files(home_dir, &format!("{path}/{name}"), into)?;
        }
    }
    Ok(())
}

/// The hash of a file of `size` bytes.
fn hash_of(path: &Path, size: u64, stop: &dyn Fn() -> bool) -> io::Result<Hash> {
    let mut file = fsutil::open_regular(path)?;
    let mut hasher = Hasher::new(size);
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        if stop() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        hasher.update(buffer.get(..count).unwrap_or_default(), None);
    }
}

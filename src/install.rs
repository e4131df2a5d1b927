//! Putting a snapshot into a Codex home as one transaction: staged and synced inside the home, journalled, swapped,
//! and the journal dropped. Whatever stops it, the home is wholly old or wholly new after [`recover`].
//!
//! Staging inside the home makes every move a rename on one file system, also where the home is a link or a mount
//! point. Everything old leaves before anything new arrives, so that a database never meets another one's log.
//!
//! What somebody else puts in the way meanwhile (Codex signing in after a crash) is no part of the old home, and so in
//! no safety copy: it is moved below [`KEPT_DIR`] and told, never written over.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::archive::read::{self, Checked, EntryKind};
use crate::codex::home::{self, KEPT_DIR, STAGE_DIR};
use crate::error::{Error, Result};
use crate::fsutil;
use crate::legacy;

/// What happens to one path of the home, with everything below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Relative path, `/` between parts.
    pub path: String,
    /// What happens.
    pub action: Action,
}

/// What happens to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is new.
    Add,
    /// The snapshot's takes the place of the home's.
    Replace,
    /// The snapshot does not have it.
    Remove,
}

impl Action {
    /// The word in a plan.
    pub fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Replace => "replace",
            Self::Remove => "remove",
        }
    }
}

/// How much of a home is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All that snapshots capture.
    Full,
    /// The login alone.
    AuthOnly,
    /// All but what the Python 23.0.0 counts to the login; nothing is removed.
    SessionOnly,
}

/// What a restore will do, made before anything is touched.
#[derive(Debug, Default)]
pub struct Plan {
    /// By path.
    pub units: Vec<Unit>,
    /// Paths of the snapshot that stay as the home has them, each with its reason.
    pub kept: Vec<String>,
}

impl Plan {
    fn wants(&self, path: &str) -> bool {
        let covers = |unit: &Unit| {
            unit.action != Action::Remove
                && (path == unit.path
                    || path
                        .strip_prefix(unit.path.as_str())
                        .is_some_and(|rest| rest.starts_with('/')))
        };
        // The unit that covers a path sorts at or before it; siblings such as `a-b` may stand between.
        // An older tool archived what Codex makes anew as well.
        if home::is_passing(path, true) {
            return false;
        }
        let end = self
            .units
            .partition_point(|unit| unit.path.as_str() <= path);
        self.units[..end].iter().rev().any(covers)
    }

    /// How many files of `checked` will be put in place.
    pub fn file_count(&self, checked: &Checked) -> u64 {
        let files = checked
            .entries
            .iter()
            .filter(|entry| entry.kind == EntryKind::File && !entry.is_metadata());
        files.filter(|entry| self.wants(&entry.path)).count() as u64
    }
}

/// Plans putting `checked` into `home_dir`, of which a snapshot would capture exactly the paths `captured`: all else
/// stays as it is.
pub fn plan(
    home_dir: &Path,
    checked: &Checked,
    captured: &HashSet<String>,
    scope: Scope,
) -> Result<Plan> {
    let mut tree: BTreeMap<String, BTreeMap<String, bool>> = BTreeMap::new();
    for entry in checked.entries.iter().filter(|entry| !entry.is_metadata()) {
        let is_dir = entry.kind == EntryKind::Dir;
        insert(&mut tree, &entry.path, is_dir);
    }
    let mut planner = Planner {
        home_dir,
        tree,
        captured,
        scope,
        plan: Plan::default(),
    };
    planner.visit("")?;
    planner.plan.units.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(planner.plan)
}

/// Notes `path` and the directories above it.
fn insert(tree: &mut BTreeMap<String, BTreeMap<String, bool>>, path: &str, is_dir: bool) {
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    let known = tree
        .entry(parent.to_owned())
        .or_default()
        .insert(name.to_owned(), is_dir);
    if !parent.is_empty() && known.is_none() {
        insert(tree, parent, true);
    }
}

struct Planner<'a> {
    home_dir: &'a Path,
    /// Children of each directory of the snapshot; true for directories.
    tree: BTreeMap<String, BTreeMap<String, bool>>,
    captured: &'a HashSet<String>,
    scope: Scope,
    plan: Plan,
}

impl Planner<'_> {
    fn visit(&mut self, under: &str) -> Result<()> {
        let new = self.tree.get(under).cloned().unwrap_or_default();
        let dir = self.home_dir.join(under);
        let mut names: BTreeSet<String> = new.keys().cloned().collect();
        match fs::read_dir(&dir) {
            // Names that are no text are in no snapshot: they stay.
            Ok(listing) => names.extend(
                listing
                    .flatten()
                    .filter_map(|entry| entry.file_name().into_string().ok()),
            ),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("list", &dir, error)),
        }
        for name in names {
            let path = if under.is_empty() {
                name.clone()
            } else {
                format!("{under}/{name}")
            };
            if self.is_in_scope(&path) {
                self.one(path, new.get(&name).copied())?;
            }
        }
        Ok(())
    }

    fn is_in_scope(&self, path: &str) -> bool {
        match self.scope {
            Scope::Full => true,
            Scope::AuthOnly => path == home::AUTH_JSON,
            Scope::SessionOnly => !home::is_python_login_entry(path),
        }
    }

    /// `new` says whether the snapshot has it, and as a directory.
    fn one(&mut self, path: String, new: Option<bool>) -> Result<()> {
        let target = self.home_dir.join(&path);
        let standing = match fs::symlink_metadata(&target) {
            Ok(meta) => Some(meta.file_type()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::io("look at", &target, error)),
        };
        if path == home::AUTH_JSON && standing.is_some_and(|kind| kind.is_symlink()) {
            return Err(Error::other(
                format!(
                    "`{}` is a link, which a restore would cut; nothing was changed",
                    target.display()
                ),
                "put the file itself there, or restore into the directory it links to with `--dest-dir`",
            ));
        }
        let Some(standing) = standing else {
            if new.is_some() && !home::is_passing(&path, true) {
                self.push(path, Action::Add);
            }
            return Ok(());
        };
        let is_hand_made = !path.contains('/') && legacy::email_of(&path).is_some();
        // A link leads to a file kept elsewhere, such as settings under version control: it is not cut.
        if standing.is_symlink() || !self.captured.contains(&path) || is_hand_made {
            // A directory no snapshot holds may still be one that this snapshot fills.
            if new.is_some() && !is_hand_made {
                self.plan.kept.push(path);
            }
            return Ok(());
        }
        match new {
            Some(true) if standing.is_dir() => {
                if self.holds_what_stays(&path)? || self.scope == Scope::SessionOnly {
                    self.visit(&path)
                } else {
                    self.push(path, Action::Replace);
                    Ok(())
                }
            }
            Some(_) if standing.is_dir() && self.holds_what_stays(&path)? => {
                self.plan.kept.push(path);
                Ok(())
            }
            Some(_) => {
                self.push(path, Action::Replace);
                Ok(())
            }
            None if self.scope == Scope::SessionOnly => Ok(()),
            None if standing.is_dir() && self.holds_what_stays(&path)? => self.visit(&path),
            None => {
                self.push(path, Action::Remove);
                Ok(())
            }
        }
    }

    fn push(&mut self, path: String, action: Action) {
        self.plan.units.push(Unit { path, action });
    }

    /// Whether anything below the directory is in no snapshot.
    fn holds_what_stays(&self, path: &str) -> Result<bool> {
        let dir = self.home_dir.join(path);
        for entry in fs::read_dir(&dir).map_err(|error| Error::io("list", &dir, error))? {
            let entry = entry.map_err(|error| Error::io("list", &dir, error))?;
            let Ok(name) = entry.file_name().into_string() else {
                return Ok(true);
            };
            let below = format!("{path}/{name}");
            if !self.captured.contains(&below) {
                return Ok(true);
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) && self.holds_what_stays(&below)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Carries `plan` out: from here on either all of it happens or nothing. Returns where what stood in the way was moved.
pub fn install(
    home_dir: &Path,
    archive: &Path,
    checked: &Checked,
    plan: &Plan,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<PathBuf>> {
    fsutil::create_private_dir(home_dir)?;
    let stage = Stage {
        home: home_dir,
        dir: home_dir.join(STAGE_DIR),
    };
    stage.create()?;
    let staged = read::extract(
        archive,
        checked,
        &stage.new_dir(),
        &|path| plan.wants(path),
        stop,
    )
    .and_then(|()| stage.write_journal(&plan.units));
    if let Err(error) = staged {
        stage.remove()?;
        return Err(error);
    }
    let mut kept = Vec::new();
    match stage.swap(&plan.units, &mut kept) {
        Ok(()) => {
            stage.finish()?;
            Ok(kept.into_iter().map(|(_, place)| place).collect())
        }
        Err(error) => {
            stage
                .roll_back(&plan.units, &kept)
                .map_err(|worse| error_of_roll_back(&error, &worse))?;
            stage.finish()?;
            Err(error)
        }
    }
}

fn error_of_roll_back(error: &Error, worse: &Error) -> Error {
    Error::other(
        format!("{error}; and what was moved could not be moved back: {worse}"),
        "nothing is lost: mend the cause, then run `codex-manager backup` or `restore`, which finishes this one first",
    )
}

/// Finishes or drops a restore that was cut short. Where there was one to finish: where what stood in the way was moved.
pub fn recover(home_dir: &Path) -> Result<Option<Vec<PathBuf>>> {
    let stage = Stage {
        home: home_dir,
        dir: home_dir.join(STAGE_DIR),
    };
    if !is_cut_short(home_dir) {
        return Ok(None);
    }
    let Some(units) = stage.read_journal()? else {
        stage.remove()?;
        return Ok(None);
    };
    let mut kept = Vec::new();
    stage.swap(&units, &mut kept)?;
    stage.finish()?;
    Ok(Some(kept.into_iter().map(|(_, place)| place).collect()))
}

/// Whether a restore into `home_dir` was cut short and waits for [`recover`].
pub fn is_cut_short(home_dir: &Path) -> bool {
    exists(&home_dir.join(STAGE_DIR))
}

struct Stage<'a> {
    home: &'a Path,
    dir: PathBuf,
}

impl Stage<'_> {
    fn new_dir(&self) -> PathBuf {
        self.dir.join("new")
    }

    fn old_dir(&self) -> PathBuf {
        self.dir.join("old")
    }

    fn journal(&self) -> PathBuf {
        self.dir.join("journal.json")
    }

    fn create(&self) -> Result<()> {
        fsutil::create_private_dir(&self.new_dir())?;
        fsutil::create_private_dir(&self.old_dir())?;
        fsutil::sync_dir(&self.dir)?;
        fsutil::sync_dir(self.home)
    }

    fn write_journal(&self, units: &[Unit]) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(units).map_err(anyhow::Error::from)?;
        fsutil::write_atomically(&self.journal(), &bytes)
    }

    fn read_journal(&self) -> Result<Option<Vec<Unit>>> {
        let path = self.journal();
        let Some(bytes) = fsutil::read_if_present(&path, 1 << 30)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Error::other(
                format!(
                    "the journal `{}` of a restore that was cut short cannot be read: {error}",
                    path.display()
                ),
                format!(
                    "what was replaced is below `{}`: move it back by hand",
                    self.old_dir().display()
                ),
            )
        })
    }

    /// Moves everything old out, then everything new in. Goes on where an earlier run stopped: what is already
    /// below `old` has left, what is no longer below `new` has arrived. `kept` gets what stood in the way: where, and
    /// where it was moved.
    fn swap(&self, units: &[Unit], kept: &mut Vec<(PathBuf, PathBuf)>) -> Result<()> {
        for unit in units.iter().filter(|unit| unit.action != Action::Add) {
            let (standing, old) = (self.home.join(&unit.path), self.old_dir().join(&unit.path));
            if exists(&standing) && !exists(&old) {
                move_to(&standing, &old)?;
            }
        }
        for unit in units.iter().filter(|unit| unit.action != Action::Remove) {
            let (new, target) = (self.new_dir().join(&unit.path), self.home.join(&unit.path));
            if !exists(&new) {
                continue;
            }
            // The old one has left: what stands here now came since.
            if exists(&target) {
                let place = self.free_place(&unit.path);
                move_to(&target, &place)?;
                kept.push((target.clone(), place));
            }
            move_to(&new, &target)?;
        }
        Ok(())
    }

    /// A path below [`KEPT_DIR`] where nothing stands.
    fn free_place(&self, path: &str) -> PathBuf {
        let dir = self.home.join(KEPT_DIR);
        let mut places = (1_u32..).map(|count| dir.join(count.to_string()).join(path));
        places.find(|place| !exists(place)).unwrap_or(dir)
    }

    /// The way back, in the opposite order.
    fn roll_back(&self, units: &[Unit], kept: &[(PathBuf, PathBuf)]) -> Result<()> {
        for unit in units
            .iter()
            .rev()
            .filter(|unit| unit.action != Action::Remove)
        {
            let (new, target) = (self.new_dir().join(&unit.path), self.home.join(&unit.path));
            let has_left = unit.action == Action::Add || exists(&self.old_dir().join(&unit.path));
            if !exists(&new) && has_left && exists(&target) {
                move_to(&target, &new)?;
            }
        }
        for unit in units.iter().rev().filter(|unit| unit.action != Action::Add) {
            let (old, target) = (self.old_dir().join(&unit.path), self.home.join(&unit.path));
            if exists(&old) {
                move_to(&old, &target)?;
            }
        }
        // Where the old one is back, what came since stays beside it.
        for (target, place) in kept.iter().rev().filter(|(target, _)| !exists(target)) {
            move_to(place, target)?;
        }
        Ok(())
    }

    /// The journal goes first: without it the rest is only rubbish.
    fn finish(&self) -> Result<()> {
        let journal = self.journal();
        fs::remove_file(&journal).map_err(|error| Error::io("remove", &journal, error))?;
        fsutil::sync_dir(&self.dir)?;
        self.remove()
    }

    fn remove(&self) -> Result<()> {
        fs::remove_dir_all(&self.dir).map_err(|error| Error::io("remove", &self.dir, error))?;
        fsutil::sync_dir(self.home)
    }
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn move_to(from: &Path, to: &Path) -> Result<()> {
    fsutil::create_private_dir(fsutil::parent_of(to))?;
    fsutil::rename(from, to)
}

#[cfg(test)]
mod tests;

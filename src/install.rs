//! Putting a snapshot into a Codex home as one transaction: staged and synced inside the home, journalled, swapped,
//! and the journal dropped. Whatever stops it, the home is wholly old or wholly new after [`recover`].
//!
//! Staging inside the home makes every move a rename on one file system, also where the home is a link or a mount
//! point. Everything old leaves before anything new arrives, so that a database never meets another one's log.
//!
//! What somebody else puts in the way meanwhile (Codex signing in after a crash) is no part of the old home, and so in
//! no safety copy: it is moved aside, below `.codex-manager-kept`, and told.

mod changes;
pub mod mounts;
mod stage;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::archive::read::{self, Checked, EntryKind};
use crate::codex::home;
use crate::codex::parts::Parts;
use crate::error::{Error, Result};
use crate::fsutil;
use crate::legacy;
use crate::stop::Watch;
pub use changes::{Change, Changes, changes};
use stage::{Kept, Leaving, Stage};

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
pub struct Scope {
    /// Which parts, of all that snapshots capture.
    pub parts: Parts,
    /// Whether only what the Python 23.0.0 does not count to the login, nothing being removed.
    pub is_session_half: bool,
}

impl Scope {
    /// Whether `path` is to be restored at all.
    pub fn holds(self, path: &str) -> bool {
        self.parts.hold(path) && !(self.is_session_half && home::is_python_login_entry(path))
    }
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
    let is_moved = |path: &String| scope.holds(path) && captured.contains(path);
    if let Some(mount) = mounts::below(home_dir).into_iter().find(is_moved) {
        return Err(Error::other(
            format!(
                "something is mounted on `{}`, which would have to be moved; nothing was changed",
                home_dir.join(mount).display()
            ),
            "unmount it, or say with `--only` which other parts to restore",
        ));
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
            Ok(listing) => {
                for entry in listing {
                    let entry = entry.map_err(|error| Error::io("list", &dir, error))?;
                    names.extend(entry.file_name().into_string().ok());
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("list", &dir, error)),
        }
        for name in names {
            let path = if under.is_empty() {
                name.clone()
            } else {
                format!("{under}/{name}")
            };
            if self.scope.holds(&path) {
                let new = new.get(&name).copied();
                let new = new.filter(|_| home::is_passing(&path, true) || self.brings(&path));
                self.one(path, new)?;
            }
        }
        Ok(())
    }

    /// Whether the snapshot has more at `path`, which it has, than what Codex makes anew and nobody unpacks.
    fn brings(&self, path: &str) -> bool {
        let children = self.tree.get(path).into_iter().flat_map(BTreeMap::keys);
        let mut children = children.peekable();
        children.peek().is_none()
            || children.any(|name| {
                let below = format!("{path}/{name}");
                !home::is_passing(&below, true) && self.brings(&below)
            })
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
        if let Some(database) = home::database_beside(&path)
            && !self.captured.contains(database)
            && fsutil::exists(&self.home_dir.join(database))?
        {
            // The log of another moment would spoil a database that stays.
            self.plan.kept.extend(new.map(|_| path));
            return Ok(());
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
                if self.holds_what_stays(&path)? || self.scope.is_session_half {
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
            None if self.scope.is_session_half => Ok(()),
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

/// A restore that happened.
#[derive(Debug, Default)]
pub struct Installed {
    /// Where what stood in the way was moved.
    pub kept: Vec<PathBuf>,
    /// What could not be tidied up afterwards.
    pub untidy: Option<String>,
}

/// A restore that did not happen.
#[derive(Debug)]
pub enum NotInstalled {
    /// The home is as it was.
    Unchanged(Error),
    /// The home is in between, until [`recover`].
    CutShort(Error),
}

/// What a plan puts in place, unpacked beside it and on the disk. Dropped before it is installed, it leaves the home as it
/// was.
pub struct Staged<'a> {
    stage: Stage<'a>,
    /// The home and the directories above it, as far as they did not stand before.
    missing: Vec<PathBuf>,
    plan: &'a Plan,
    /// Whether what is staged is still ours to remove.
    is_pending: bool,
}

/// Unpacks what `plan` wants of the archive, which is judged to its end by that; the home has nothing of it yet.
pub fn stage<'a>(
    home_dir: &'a Path,
    archive: &Path,
    checked: &Checked,
    plan: &'a Plan,
    watch: &dyn Watch,
) -> Result<Staged<'a>> {
    // A link that leads to no directory yet stays one, and the directory is made.
    let place = fsutil::behind_links(home_dir);
    let staged = Staged {
        stage: Stage::of(home_dir),
        missing: missing(&place),
        plan,
        is_pending: true,
    };
    fsutil::create_private_dir(&place)?;
    staged.stage.create()?;
    let wanted = |path: &str| plan.wants(path);
    read::extract(archive, checked, &staged.stage.new_dir(), &wanted, watch)?;
    Ok(staged)
}

impl Staged<'_> {
    /// Has other content for one of the files at the top of what was unpacked; private, and on the disk.
    pub fn exchange(&self, name: &str, bytes: &[u8]) -> Result<()> {
        fsutil::write_atomically(&self.stage.new_dir().join(name), bytes)
    }

    /// Carries the plan out: either all of it happens or nothing.
    pub fn install(mut self) -> Result<Installed, NotInstalled> {
        let (stage, units) = (&self.stage, &self.plan.units);
        stage
            .write_journal(units)
            .map_err(NotInstalled::Unchanged)?;
        self.is_pending = false;
        let mut kept = Vec::new();
        if let Err(error) = stage.swap(units, Leaving::Copied, &mut kept) {
            return Err(match stage.roll_back(units, &kept) {
                Ok(()) => {
                    let _ = stage.finish();
                    NotInstalled::Unchanged(error)
                }
                Err(worse) => NotInstalled::CutShort(error_of_roll_back(&error, &worse)),
            });
        }
        Ok(Installed::of(kept, stage.finish()))
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if self.is_pending {
            // What cannot be removed now is removed by the next restore.
            let _ = self.stage.remove();
            for dir in &self.missing {
                // What somebody else put something into stays.
                let _ = fs::remove_dir(dir);
            }
        }
    }
}

/// The directories that would have to be made for `dir` to stand, the lowest first.
fn missing(dir: &Path) -> Vec<PathBuf> {
    let is_missing =
        |dir: &&Path| !dir.as_os_str().is_empty() && matches!(fsutil::exists(dir), Ok(false));
    let dirs = dir.ancestors().take_while(is_missing);
    dirs.map(Path::to_owned).collect()
}

impl Installed {
    /// The restore has happened, whatever becomes of what it leaves behind.
    fn of(kept: Kept, finished: Result<()>) -> Self {
        Self {
            kept: kept.into_iter().map(|(_, place)| place).collect(),
            untidy: finished.err().map(|error| error.to_string()),
        }
    }
}

fn error_of_roll_back(error: &Error, worse: &Error) -> Error {
    Error::other(
        format!("{error}; and what was moved could not be moved back: {worse}"),
        "nothing is lost: mend the cause, then run `codex-manager backup` or `restore`, which finishes this one first",
    )
}

/// What became of a restore that was cut short.
#[derive(Debug)]
pub enum Recovered {
    /// It had changed nothing, and was dropped.
    Dropped(Installed),
    /// It had never begun, or was done: what it left behind is removed.
    Cleared(Installed),
    /// It was finished.
    Finished(Installed),
}

/// Whether something of an earlier restore is there that [`recover`] would deal with.
pub fn is_cut_short(home_dir: &Path) -> Result<bool> {
    Stage::of(home_dir).is_there()
}

/// Finishes or drops a restore that was cut short; None where there was none.
///
/// What it has to move out of the home and is not as it was when the journal was written is kept below
/// [`KEPT_DIR`](crate::codex::home::KEPT_DIR): the safety copy is older than the crash.
pub fn recover(home_dir: &Path) -> Result<Option<Recovered>> {
    let stage = Stage::of(home_dir);
    if !stage.is_there()? {
        return Ok(None);
    }
    let mut kept = Vec::new();
    let Some((units, states)) = stage.read_journal()? else {
        stage.clear(&mut kept)?;
        return Ok(Some(Recovered::Cleared(Installed::of(kept, Ok(())))));
    };
    if stage.is_untouched(&units)? {
        let finished = stage.finish();
        return Ok(Some(Recovered::Dropped(Installed::of(kept, finished))));
    }
    if stage.is_done(&units)? {
        let finished = stage.finish();
        return Ok(Some(Recovered::Cleared(Installed::of(kept, finished))));
    }
    stage.swap(&units, Leaving::Noted(&states), &mut kept)?;
    Ok(Some(Recovered::Finished(Installed::of(
        kept,
        stage.finish(),
    ))))
}

#[cfg(test)]
mod tests;

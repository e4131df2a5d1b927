//! The transaction: staged, journalled, swapped, finished or rolled back, and recovered after a crash.
//!
//! An answer of the system that is neither "there" nor "not there" ends the swap: nothing is decided on a guess.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Action, Unit};
use crate::archive::entry_name;
use crate::codex::home::{KEPT_DIR, STAGE_DIR};
use crate::error::{Error, Result};
use crate::fsutil::{self, exists};

/// A restore into one home, as far as it is on the disk.
pub(super) struct Stage<'a> {
    home: &'a Path,
    dir: PathBuf,
}

/// What was moved out of the way: from where, and to where.
pub(super) type Kept = Vec<(PathBuf, PathBuf)>;

/// Whether a move out of the home keeps what it moves.
#[derive(Clone, Copy)]
pub(super) enum Leaving<'a> {
    /// It is in the safety copy: it goes with the stage.
    Copied,
    /// Only what is as it was when the journal was written does. What else may have been done to it since nobody knows: it
    /// is kept.
    Noted(&'a States),
}

/// How what leaves was when the journal was written, by path.
pub(super) type States = HashMap<String, String>;

/// One line of the journal.
#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    unit: Unit,
    /// What [`state`] says of what leaves; None where nothing does, or nothing can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
}

impl<'a> Stage<'a> {
    pub(super) fn of(home: &'a Path) -> Self {
        Self {
            home,
            dir: home.join(STAGE_DIR),
        }
    }

    pub(super) fn is_there(&self) -> Result<bool> {
        exists(&self.dir)
    }

    pub(super) fn new_dir(&self) -> PathBuf {
        self.dir.join("new")
    }

    fn old_dir(&self) -> PathBuf {
        self.dir.join("old")
    }

    fn journal(&self) -> PathBuf {
        self.dir.join("journal.json")
    }

    /// New and old of one unit below the stage, and its place in the home.
    fn places(&self, unit: &Unit) -> (PathBuf, PathBuf, PathBuf) {
        let path = &unit.path;
        (
            self.new_dir().join(path),
            self.old_dir().join(path),
            self.home.join(path),
        )
    }

    pub(super) fn create(&self) -> Result<()> {
        fsutil::create_private_dir(&self.new_dir())?;
        fsutil::create_private_dir(&self.old_dir())?;
        fsutil::sync_dir(&self.dir)?;
        fsutil::sync_dir(self.home)
    }

    pub(super) fn write_journal(&self, units: &[Unit]) -> Result<()> {
        let line = |unit: &Unit| Line {
            state: state(&self.home.join(&unit.path)).filter(|_| unit.action != Action::Add),
            unit: unit.clone(),
        };
        let lines: Vec<Line> = units.iter().map(line).collect();
        let bytes = serde_json::to_vec_pretty(&lines).map_err(anyhow::Error::from)?;
        fsutil::write_atomically(&self.journal(), &bytes)
    }

    /// The journal, every path of which stays inside the home: it may have been planted.
    pub(super) fn read_journal(&self) -> Result<Option<(Vec<Unit>, States)>> {
        let path = self.journal();
        let Some(bytes) = fsutil::read_if_present(&path, 1 << 30)? else {
            return Ok(None);
        };
        let unusable = |why: String| {
            Error::other(
                format!(
                    "the journal `{}` of a restore that was cut short cannot be used: {why}",
                    path.display()
                ),
                format!(
                    "what was replaced is below `{}`: move it back by hand, then remove `{}`",
                    self.old_dir().display(),
                    self.dir.display()
                ),
            )
        };
        let lines: Vec<Line> = serde_json::from_slice(&bytes)
            .map_err(|error| unusable(format!("it is damaged in line {}", error.line())))?;
        let mut states = States::new();
        let mut units = Vec::new();
        for line in lines {
            states.extend(line.state.map(|state| (line.unit.path.clone(), state)));
            units.push(line.unit);
        }
        for unit in &units {
            if entry_name::check(unit.path.as_bytes()).as_deref() != Ok(unit.path.as_str()) {
                return Err(unusable("it names a path outside of the home".to_owned()));
            }
            let mut above = Path::new(&unit.path).ancestors().skip(1);
            let is_link =
                |path: &Path| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
            if above.any(|dir| !dir.as_os_str().is_empty() && is_link(&self.home.join(dir))) {
                return Err(unusable("it names a path behind a link".to_owned()));
            }
        }
        Ok(Some((units, states)))
    }

    /// Whether nothing has moved yet: the home is as it was, with whatever was done in it since.
    pub(super) fn is_untouched(&self, units: &[Unit]) -> Result<bool> {
        for unit in units {
            let (new, old, _) = self.places(unit);
            if exists(&old)? || (unit.action != Action::Remove && !exists(&new)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether everything new has arrived, which nothing does before everything old has left.
    pub(super) fn is_done(&self, units: &[Unit]) -> Result<bool> {
        let mut coming = 0;
        for unit in units.iter().filter(|unit| unit.action != Action::Remove) {
            if exists(&self.places(unit).0)? {
                return Ok(false);
            }
            coming += 1;
        }
        Ok(coming > 0)
    }

    /// Moves everything old out, then everything new in. Goes on where an earlier run stopped: what is already
    /// below `old` has left, what is no longer below `new` has arrived. `kept` gets what was moved below [`KEPT_DIR`]:
    /// what stood in the way, and with [`Leaving::Noted`] also what still had to leave and was worked on since.
    pub(super) fn swap(&self, units: &[Unit], leaving: Leaving, kept: &mut Kept) -> Result<()> {
        for unit in units.iter().filter(|unit| unit.action != Action::Add) {
            let (new, old, standing) = self.places(unit);
            // What is no longer below `new` has arrived: it is what stands there.
            let has_arrived = unit.action == Action::Replace && !exists(&new)?;
            if has_arrived || exists(&old)? || !exists(&standing)? {
                continue;
            }
            match leaving {
                Leaving::Copied => move_to(&standing, &old)?,
                Leaving::Noted(states) => {
                    let noted = states.get(&unit.path);
                    if noted.is_some() && state(&standing).as_ref() == noted {
                        move_to(&standing, &old)?;
                    } else {
                        self.keep(&standing, &unit.path, kept)?;
                    }
                }
            }
        }
        for unit in units.iter().filter(|unit| unit.action != Action::Remove) {
            let (new, _, target) = self.places(unit);
            if !exists(&new)? {
                continue;
            }
            // The old one has left: what stands here now came since.
            if exists(&target)? {
                self.keep(&target, &unit.path, kept)?;
            }
            move_to(&new, &target)?;
        }
        // Of a restore that was cut short, what arrived before may have been removed since.
        let all_just_arrived = matches!(leaving, Leaving::Copied);
        for unit in units
            .iter()
            .filter(|unit| all_just_arrived && unit.action != Action::Remove)
        {
            let (_, _, target) = self.places(unit);
            if !exists(&target)? {
                return Err(Error::other(
                    format!("`{}` is not where it was put", target.display()),
                    "see that nothing else works in the Codex home, then run the command again",
                ));
            }
        }
        Ok(())
    }

    /// Moves `standing` to a path below [`KEPT_DIR`] where nothing is.
    fn keep(&self, standing: &Path, path: &str, kept: &mut Kept) -> Result<()> {
        const MOST: u32 = 10_000;
        let dir = self.home.join(KEPT_DIR);
        if fs::symlink_metadata(&dir).is_ok_and(|meta| !meta.is_dir()) {
            return Err(Error::other(
                format!("`{}` is no directory", dir.display()),
                "move it away, then run the command again",
            ));
        }
        for count in 1..=MOST {
            let place = dir.join(count.to_string()).join(path);
            if exists(&place)? {
                continue;
            }
            match move_to(standing, &place) {
                Ok(()) => {
                    kept.push((standing.to_owned(), place));
                    return Ok(());
                }
                // A file may stand where a directory of that path would have to be.
                Err(error) if !is_blocked(&error) => return Err(error),
                Err(_) => {}
            }
        }
        Err(Error::other(
            format!(
                "`{}` holds too much for `{path}` to be kept there",
                dir.display()
            ),
            "move what it holds away, then run the command again",
        ))
    }

    /// The way back, in the opposite order.
    pub(super) fn roll_back(&self, units: &[Unit], kept: &[(PathBuf, PathBuf)]) -> Result<()> {
        for unit in units
            .iter()
            .rev()
            .filter(|unit| unit.action != Action::Remove)
        {
            let (new, old, target) = self.places(unit);
            let has_left = unit.action == Action::Add || exists(&old)?;
            if has_left && !exists(&new)? && exists(&target)? {
                move_to(&target, &new)?;
            }
        }
        for unit in units.iter().rev().filter(|unit| unit.action != Action::Add) {
            let (_, old, target) = self.places(unit);
            if exists(&old)? {
                move_to(&old, &target)?;
            }
        }
        // Where the old one is back, what came since stays beside it.
        for (target, place) in kept.iter().rev() {
            if !exists(target)? {
                move_to(place, target)?;
            }
        }
        Ok(())
    }

    /// The journal goes first: without it the rest is only rubbish.
    pub(super) fn finish(&self) -> Result<()> {
        let journal = self.journal();
        fs::remove_file(&journal).map_err(|error| Error::io("remove", &journal, error))?;
        fsutil::sync_dir(&self.dir)?;
        self.remove()
    }

    /// Removes the stage, directories that forbid it included.
    pub(super) fn remove(&self) -> Result<()> {
        // Never a journal over half a stage.
        match fs::remove_file(self.journal()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &self.journal(), error));
            }
            _ => {}
        }
        if fs::remove_dir_all(&self.dir).is_err() {
            make_removable(&self.dir);
            fs::remove_dir_all(&self.dir).map_err(|error| Error::io("remove", &self.dir, error))?;
        }
        fsutil::sync_dir(self.home)
    }

    /// Gets a stage without a journal out of the way: removed, or where that is not possible, moved aside.
    pub(super) fn clear(&self, kept: &mut Kept) -> Result<()> {
        match self.remove() {
            Err(_) if exists(&self.dir)? => self.keep(&self.dir, "rubbish", kept),
            _ => Ok(()),
        }
    }
}

/// What tells whether anything at `path` or below it was touched: where each file lies, how long it is, when it was written
/// and when it was changed in any way. None where it cannot be told.
fn state(path: &Path) -> Option<String> {
    let mut hash = blake3::Hasher::new();
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let meta = fs::symlink_metadata(&path).ok()?;
        let (seconds, nanoseconds) = fsutil::changed_at(&meta);
        let written = meta.modified().ok()?;
        let line = format!(
            "{} {} {} {written:?} {seconds} {nanoseconds}\n",
            path.display(),
            fsutil::inode(&meta),
            meta.len(),
        );
        hash.update(line.as_bytes());
        if meta.is_dir() {
            let listing = fs::read_dir(&path).ok()?;
            let start = open.len();
            for entry in listing {
                open.push(entry.ok()?.path());
            }
            open.get_mut(start..)?.sort();
        }
    }
    Some(hash.finalize().to_string())
}

fn is_blocked(error: &Error) -> bool {
    use std::io::ErrorKind::{AlreadyExists, NotADirectory};
    matches!(error.io_kind(), Some(AlreadyExists | NotADirectory))
}

/// Gives their owner's rights back to the directories below `dir`. Best effort; links are not followed.
fn make_removable(dir: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let _ = fs::set_permissions(dir, fs::Permissions::from_mode(0o700));
    }
    let Ok(listing) = fs::read_dir(dir) else {
        return;
    };
    for entry in listing.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_removable(&entry.path());
        }
    }
}

pub(super) fn move_to(from: &Path, to: &Path) -> Result<()> {
    fsutil::create_private_dir(fsutil::parent_of(to))?;
    fsutil::rename(from, to)
}

//! The snapshots of this machine as they are carried: the current ones and earlier ones of a window. What restores
//! replaced is this machine's own and stays.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::keys::{Id, Stem};
use crate::error::{Error, Kind, Result};
use crate::snapshots::{self, Depth, Lengths, SUPERSEDED, Snapshot};
use crate::timeutil::Zone;

/// One snapshot of this machine.
#[derive(Debug)]
pub struct Local {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// What it is called on the remote.
    pub stem: Stem,
    /// Whether it is an earlier one of its window.
    pub is_superseded: bool,
}

/// All of them, and why some are not carried.
#[derive(Debug, Default)]
pub struct Locals {
    /// Those that are carried.
    pub all: Vec<Local>,
    /// Those that are not: the archive and the reason.
    pub left: Vec<(PathBuf, String)>,
    /// What could not be read, so that it is not known what is here.
    pub unreadable: Vec<String>,
}

impl Locals {
    /// Those that are here and are not carried, by their bytes.
    pub fn left_ids(&self) -> Result<BTreeSet<Id>> {
        let archives = self.left.iter().map(|(archive, _)| archive);
        archives.map(|archive| id_of_bytes(archive)).collect()
    }

    /// Reads them. `tell` is told what is wrong with some.
    pub fn load(
        backup_dir: &Path,
        zone: &Zone,
        stop: &dyn Fn() -> bool,
        tell: &dyn Fn(&str),
    ) -> Result<Self> {
        let mut locals = Self::default();
        let current = snapshots::list(backup_dir, zone, Depth::Whole)?;
        let earlier = snapshots::list_kept(backup_dir, SUPERSEDED, zone)?;
        for (listing, is_superseded) in [(current, false), (earlier, true)] {
            for problem in &listing.problems {
                tell(problem);
            }
            if listing.unreadable > 0 {
                locals.unreadable.extend(listing.problems);
            }
            let mut lengths = Lengths::default();
            let is_cut = |snapshot| {
                let told = |snapshot: &Snapshot| snapshot.sidecar.archive_size_bytes;
                told(snapshot).is_some_and(|told| lengths.of(snapshot) != Some(told))
            };
            let cut: Vec<bool> = listing.snapshots.iter().map(is_cut).collect();
            for (snapshot, is_cut) in listing.snapshots.into_iter().zip(cut) {
                if stop() {
                    return Err(Error::interrupted());
                }
                let is_flat = is_superseded || snapshot.archive.parent() == Some(backup_dir);
                let reason = match (snapshot.is_complete, is_flat) {
                    (false, _) => Some("it has no sidecar"),
                    (_, false) => Some("it lies as the Python tool's 23.0.0 keeps its halves"),
                    _ => None,
                };
                if let Some(reason) = reason {
                    locals.left.push((snapshot.archive, reason.to_owned()));
                    continue;
                }
                // So a sound one is fetched for it, where there is one.
                let id = if is_cut {
                    Err(cut_short(&snapshot.archive))
                } else {
                    id_of(&snapshot)
                };
                match id {
                    Ok(id) => locals.all.push(Local {
                        stem: Stem::new(snapshot.sidecar.content_time(), id),
                        snapshot,
                        is_superseded,
                    }),
                    Err(error) => {
                        tell(&error.to_string());
                        locals.unreadable.push(error.to_string());
                        locals.left.push((snapshot.archive, error.to_string()));
                    }
                }
            }
        }
        Ok(locals)
    }
}

fn cut_short(archive: &Path) -> Error {
    Error::new(
        Kind::ArchiveDamaged,
        format!(
            "`{}` is not as long as its sidecar tells",
            archive.display()
        ),
        "`codex-manager sync pull` fetches it anew, where the remote has it",
    )
}

/// As its sidecar says; older ones do not say, then as its bytes are.
fn id_of(snapshot: &Snapshot) -> Result<Id> {
    let told = snapshot.sidecar.archive_sha256.as_deref().and_then(Id::of);
    if let Some(id) = told {
        return Ok(id);
    }
    id_of_bytes(&snapshot.archive)
}

fn id_of_bytes(archive: &Path) -> Result<Id> {
    let hash = snapshots::sha256(archive).map_err(|error| Error::io("read", archive, error))?;
    Id::of(&hash).ok_or_else(|| Error::other("no hash was made", "run the command again"))
}

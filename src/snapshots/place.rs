//! Snapshots that come from elsewhere, from a store or out of an exported file, and where they go.
//!
//! A snapshot is known by its archive's SHA-256: what is here already is left alone. One whose name is free takes it. Of two
//! of one name and account the newer content is current and the other goes below `superseded/`, so that two machines which
//! gave each other all they have hold the same. A name whose owner is another account here is given the workspace, as
//! [`make::name_for`](super::make::name_for) does.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::make::owners_of;
use super::{Depth, Lengths, SUPERSEDED, commit, list, list_kept, tidy};
use crate::error::{Error, Kind, Result};
use crate::fsutil;
use crate::metadata::{Account, BackupName, Sidecar};
use crate::timeutil::{Stamp, Zone};

/// What a backup directory holds, and where what comes would go.
#[derive(Debug)]
pub struct Here<'a> {
    dir: &'a Path,
    /// The archive of every sound one, current and below `superseded/`, by its SHA-256.
    held: BTreeMap<String, PathBuf>,
    /// The current ones, by their names.
    current: HashMap<BackupName, Standing>,
    /// Whose the names of each owner are.
    owners: HashMap<String, Vec<Account>>,
}

/// What stands under a name.
#[derive(Clone, Debug)]
struct Standing {
    account: Account,
    rank: Rank,
}

/// Which of two snapshots of a name is current: the newer content, of one second the later made, else, so that every
/// machine says the same, the greater SHA-256.
type Rank = (Option<Stamp>, u64, String);

/// A snapshot that came: checked, and whose bytes nobody changes any more.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// Its archive, in the file system of the backup directory. It is moved from there, or stays where it is not needed.
    pub archive: &'a Path,
    /// The archive's SHA-256, in hex.
    pub sha256: &'a str,
    /// Its sidecar, as it is to stand beside the archive.
    pub sidecar: &'a [u8],
}

/// What is to become of a snapshot that comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The same archive stands here.
    WasHere(PathBuf),
    /// It takes a name that is free.
    Free(BackupName),
    /// It is newer than the one of its name.
    Newer(BackupName),
    /// It is older than the one of its name.
    Older(BackupName),
}

/// Where a snapshot that came stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    /// The same archive stood there before.
    WasHere(PathBuf),
    /// It is a current one.
    Current(PathBuf),
    /// It is a current one, and the one it took the place of is where `earlier` says.
    Superseding {
        /// The one that came.
        archive: PathBuf,
        /// The one that stood there.
        earlier: PathBuf,
    },
    /// It is below `superseded/`.
    Superseded(PathBuf),
}

impl<'a> Here<'a> {
    /// Looks at all in `dir`, which may be missing. What is below `safety/` does not count: it is no snapshot of an account
    /// and stays on its machine.
    pub fn read(dir: &'a Path, zone: &Zone) -> Result<Self> {
        let mut here = Self {
            dir,
            held: BTreeMap::new(),
            current: HashMap::new(),
            owners: HashMap::new(),
        };
        let current = list(dir, zone, Depth::Whole)?.snapshots;
        let earlier = list_kept(dir, SUPERSEDED, zone)?.snapshots;
        let mut lengths = Lengths::default();
        let mut sound = Vec::new();
        for snapshot in current.iter().chain(&earlier) {
            let name = BackupName::of_file(&snapshot.archive_name());
            let Some(name) = name.filter(|_| snapshot.is_complete) else {
                continue;
            };
            let told = snapshot.sidecar.archive_size_bytes;
            let found = lengths.of(snapshot);
            let is_whole = found.is_some() && told.is_none_or(|told| Some(told) == found);
            let sha256 = match &snapshot.sidecar.archive_sha256 {
                Some(sha256) => sha256.clone(),
                // Other programs tell none. What cannot be read is not known to be here.
                None => tidy::sha256(&snapshot.archive).unwrap_or_default(),
            };
            if snapshot.archive.parent() == Some(dir) {
                here.stands(&name, &snapshot.sidecar, &sha256);
            }
            if is_whole && !sha256.is_empty() {
                sound.push((sha256, snapshot.archive.clone()));
            }
        }
        // A current one is told rather than its double below `superseded/`.
        here.held = sound.into_iter().rev().collect();
        Ok(here)
    }

    /// Where the archive of that SHA-256 stands.
    pub fn holds(&self, sha256: &str) -> Option<&Path> {
        self.held.get(sha256).map(PathBuf::as_path)
    }

    /// What becomes of the snapshot that comes next, which counts as here from now on: for a plan.
    pub fn expect(&mut self, sidecar: &Sidecar, sha256: &str) -> Result<Fate> {
        let fate = self.fate_of(sidecar, sha256)?;
        let place = match &fate {
            Fate::WasHere(_) => return Ok(fate),
            Fate::Free(name) | Fate::Newer(name) => self.dir.join(name.archive()),
            Fate::Older(name) => self.dir.join(SUPERSEDED).join(name.archive()),
        };
        self.take(&fate, place, sidecar, sha256);
        Ok(fate)
    }

    /// Puts a snapshot where it belongs. The caller holds the manager home's lock and has checked it. A kill or a power cut
    /// leaves what stood before, or all of it.
    pub fn place(&mut self, incoming: &Incoming) -> Result<Placed> {
        let sidecar = Sidecar::parse(incoming.sidecar).map_err(|why| damaged(&why))?;
        let fate = self.fate_of(&sidecar, incoming.sha256)?;
        let dir = self.dir;
        let placed = match &fate {
            Fate::WasHere(archive) => return Ok(Placed::WasHere(archive.clone())),
            Fate::Free(name) | Fate::Newer(name) => {
                let archive = dir.join(name.archive());
                if is_bare(&archive, incoming)? {
                    // All but the last step was done already.
                    let place = super::sidecar_path(&archive);
                    fsutil::write_atomically(&place, incoming.sidecar)?;
                    Placed::Current(archive)
                } else {
                    on_disk(incoming.archive)?;
                    let place = || fsutil::rename(incoming.archive, &archive);
                    match commit::current(dir, &archive, incoming.sidecar, place)? {
                        Some(earlier) => Placed::Superseding { archive, earlier },
                        None => Placed::Current(archive),
                    }
                }
            }
            Fate::Older(name) => {
                on_disk(incoming.archive)?;
                let place = |archive: &Path| fsutil::rename(incoming.archive, archive);
                let told = (&sidecar, incoming.sidecar);
                Placed::Superseded(commit::earlier(dir, name, told, place)?)
            }
        };
        let (Placed::WasHere(archive)
        | Placed::Current(archive)
        | Placed::Superseding { archive, .. }
        | Placed::Superseded(archive)) = &placed;
        self.take(&fate, archive.clone(), &sidecar, incoming.sha256);
        Ok(placed)
    }

    /// [`Here::place`] for each, in this order. Their archives are on the disk. Those whose names are free are put there
    /// together, which is far sooner done.
    pub fn place_all(&mut self, all: &[Incoming]) -> Vec<Result<Placed>> {
        let mut placed = Vec::with_capacity(all.len());
        let mut rest = all;
        while !rest.is_empty() {
            let free = self.free(rest);
            let (now, later) = rest.split_at(free.len().max(1));
            rest = later;
            if free.len() > 1 && self.place_free(now, &free).is_ok() {
                let archives = free.iter().map(|(name, _)| self.dir.join(name.archive()));
                placed.extend(archives.map(|archive| Ok(Placed::Current(archive))));
            } else {
                // Where all together failed, each tells by itself what is wrong with it.
                placed.extend(now.iter().map(|incoming| self.place(incoming)));
            }
        }
        placed
    }

    /// The names of the first ones of `all`, as many as have free ones and do not bear on each other's.
    fn free(&self, all: &[Incoming]) -> Vec<(BackupName, Sidecar)> {
        let mut free: Vec<(BackupName, Sidecar)> = Vec::new();
        for (index, incoming) in all.iter().enumerate() {
            let Ok(sidecar) = Sidecar::parse(incoming.sidecar) else {
                break;
            };
            let Ok(Fate::Free(name)) = self.fate_of(&sidecar, incoming.sha256) else {
                break;
            };
            let bears = |(other, told): &(BackupName, Sidecar)| {
                *other == name
                    || other.email() == name.email() && told.account() != sidecar.account()
            };
            let is_double = |other: &Incoming| other.sha256 == incoming.sha256;
            let archive = self.dir.join(name.archive());
            let is_there = |path: &Path| !matches!(fsutil::exists(path), Ok(false));
            if free.iter().any(bears)
                || all[..index].iter().any(is_double)
                || is_there(&archive)
                || is_there(&super::sidecar_path(&archive))
            {
                break;
            }
            free.push((name, sidecar));
        }
        free
    }

    fn place_free(&mut self, all: &[Incoming], free: &[(BackupName, Sidecar)]) -> Result<()> {
        let dir = self.dir;
        let new = all.iter().zip(free);
        let new = new.map(|(incoming, (name, _))| commit::New {
            from: incoming.archive,
            archive: dir.join(name.archive()),
            sidecar: incoming.sidecar,
        });
        let new: Vec<_> = new.collect();
        commit::together(dir, &new)?;
        for ((incoming, new), (name, sidecar)) in all.iter().zip(new).zip(free) {
            self.take(
                &Fate::Free(name.clone()),
                new.archive,
                sidecar,
                incoming.sha256,
            );
        }
        Ok(())
    }

    fn fate_of(&self, sidecar: &Sidecar, sha256: &str) -> Result<Fate> {
        if let Some(archive) = self.holds(sha256) {
            return Ok(Fate::WasHere(archive.to_owned()));
        }
        let name = self.name_for(sidecar)?;
        Ok(match self.current.get(&name) {
            None => Fate::Free(name),
            Some(standing) if standing.rank > rank(sidecar, sha256) => Fate::Older(name),
            Some(_) => Fate::Newer(name),
        })
    }

    fn name_for(&self, sidecar: &Sidecar) -> Result<BackupName> {
        let account = sidecar.account();
        let told = sidecar.archive_name.as_deref();
        let plain = told
            .and_then(BackupName::of_file)
            .filter(BackupName::is_safe);
        let who = account.email.as_deref().or(account.user_id.as_deref());
        let start = sidecar.session_start_at.map(|start| start.0);
        let made = || Some(BackupName::new(start.or(sidecar.created_at)?, who?));
        let plain = plain
            .or_else(made)
            .ok_or_else(|| damaged("it names neither itself nor a time and an account"))?;
        let is_free = |name: &BackupName| {
            let standing = self.current.get(name);
            let owners = self.owners.get(name.email());
            standing.is_none_or(|standing| standing.account.may_be(&account))
                && !owners.is_some_and(|all| all.iter().any(|one| one.contradicts(&account)))
        };
        if is_free(&plain) {
            return Ok(plain);
        }
        let mut others =
            owners_of(who.unwrap_or_default(), &account).map(|who| plain.for_owner(&who));
        let free = others.find(is_free);
        Ok(free.unwrap_or(plain))
    }

    fn take(&mut self, fate: &Fate, archive: PathBuf, sidecar: &Sidecar, sha256: &str) {
        if let Fate::Free(name) | Fate::Newer(name) = fate {
            self.stands(name, sidecar, sha256);
        }
        self.held.insert(sha256.to_owned(), archive);
    }

    fn stands(&mut self, name: &BackupName, sidecar: &Sidecar, sha256: &str) {
        let account = sidecar.account();
        let owners = self.owners.entry(name.email().to_owned()).or_default();
        if !owners.contains(&account) {
            owners.push(account.clone());
        }
        let rank = rank(sidecar, sha256);
        self.current
            .insert(name.clone(), Standing { account, rank });
    }
}

fn rank(sidecar: &Sidecar, sha256: &str) -> Rank {
    let generation = sidecar.generation.unwrap_or_default();
    (sidecar.content_time(), generation, sha256.to_owned())
}

/// Whether the archive stands there and only its sidecar does not, as a kill leaves it.
fn is_bare(archive: &Path, incoming: &Incoming) -> Result<bool> {
    if fsutil::exists(&super::sidecar_path(archive))? || !fsutil::exists(archive)? {
        return Ok(false);
    }
    let length = |path: &Path| fs::metadata(path).map(|meta| meta.len()).ok();
    let is_as_long = length(archive) == length(incoming.archive);
    Ok(is_as_long && tidy::sha256(archive).is_ok_and(|sha256| sha256 == incoming.sha256))
}

fn on_disk(archive: &Path) -> Result<()> {
    // Windows syncs only what is open for writing.
    let opened = File::options().write(true).open(archive);
    let synced = opened.and_then(|file| file.sync_all());
    synced.map_err(|error| Error::io("write", archive, error))
}

fn damaged(why: &str) -> Error {
    Error::new(
        Kind::ArchiveDamaged,
        format!("the sidecar of a snapshot that comes from elsewhere cannot be used: {why}"),
        "see where it comes from; nothing was changed",
    )
}

#[cfg(test)]
mod tests;

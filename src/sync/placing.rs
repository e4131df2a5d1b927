//! Putting what was fetched in its place, several at once, and telling what came of each.

use std::collections::BTreeSet;
use std::mem;
use std::path::{Path, PathBuf};

use super::is_of_all;
use super::keys::Id;
use super::pull::Fetched;
use super::report::{Answer, Conflict, Entry, THERE_ALREADY};
use super::sidecars::Told;
use crate::context::Ctx;
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::snapshots;
use crate::snapshots::place::{Here, Incoming, Placed};
use crate::stop::InHand;

/// How many snapshots are put in their places before other runs get their turn.
const TURN: usize = 64;

/// How many wait for each other, and of how many bytes together: what a kill then has fetched in vain.
const MOST: usize = 32;
const MOST_BYTES: u64 = 16 << 20;

/// Takes what was fetched.
pub struct Placing<'a> {
    ctx: &'a Ctx,
    backup_dir: &'a Path,
    /// What was here before.
    known: &'a BTreeSet<&'a Id>,
    answer: &'a mut Answer,
    waiting: Vec<(&'a Told<'a>, Entry, Fetched)>,
    turn: Option<Turn<'a>>,
    /// Why no more can be placed.
    failed: Option<Error>,
}

/// A while in which nobody else writes, and what is here meanwhile.
struct Turn<'a> {
    _held: (Lock, InHand),
    here: Here<'a>,
    left: usize,
}

impl<'a> Placing<'a> {
    /// Puts them in `backup_dir`.
    pub fn new(
        ctx: &'a Ctx,
        backup_dir: &'a Path,
        known: &'a BTreeSet<&'a Id>,
        answer: &'a mut Answer,
    ) -> Self {
        Self {
            ctx,
            backup_dir,
            known,
            answer,
            waiting: Vec::new(),
            turn: None,
            failed: None,
        }
    }

    /// Takes the next, or why there is none.
    pub fn take(
        &mut self,
        told: &'a Told<'a>,
        entry: Entry,
        fetched: Result<Fetched>,
    ) -> Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        match fetched {
            Ok(fetched) => self.waiting.push((told, entry, fetched)),
            Err(error) => self.failed(entry, error)?,
        }
        let bytes: u64 = self.waiting.iter().map(|one| one.1.size_bytes).sum();
        if self.waiting.len() < MOST && bytes < MOST_BYTES {
            return Ok(());
        }
        self.place()
    }

    /// Nothing comes for a while: nothing waits for it, and others get their turn.
    pub fn pause(&mut self) {
        if self.failed.is_none() {
            self.failed = self.place().err();
        }
        self.turn = None;
    }

    /// Nothing comes any more.
    pub fn finish(mut self, outcome: Result<()>) -> Result<()> {
        let placed = self.place();
        outcome.and(self.failed.map_or(Ok(()), Err)).and(placed)
    }

    /// Places what waits.
    fn place(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let waiting = mem::take(&mut self.waiting);
        let archives: Vec<PathBuf> = waiting.iter().map(|one| one.2.archive()).collect();
        let incoming = waiting.iter().zip(&archives);
        let incoming: Vec<Incoming> = incoming
            .map(|((told, _, fetched), archive)| Incoming {
                archive,
                sha256: &fetched.sha256,
                sidecar: &told.bytes,
            })
            .collect();
        let placed = self.here(incoming.len())?.place_all(&incoming);
        for ((_, entry, _), placed) in waiting.into_iter().zip(placed) {
            match placed {
                Ok(placed) => self.note(&placed, entry),
                Err(error) => self.failed(entry, error)?,
            }
        }
        Ok(())
    }

    /// What is here, with nobody else writing while so many are placed.
    fn here(&mut self, count: usize) -> Result<&mut Here<'a>> {
        self.turn = self.turn.take().filter(|turn| turn.left > 0);
        let mut turn = if let Some(turn) = self.turn.take() {
            turn
        } else {
            let held = self.ctx.lock_patiently_unless_said("sync pull")?;
            // What a killed run fetched in vain, and a sidecar that only lacks its last step.
            snapshots::tidy(self.backup_dir);
            Turn {
                _held: held,
                here: Here::read(self.backup_dir, &self.ctx.zone)?,
                left: TURN,
            }
        };
        turn.left = turn.left.saturating_sub(count);
        Ok(&mut self.turn.insert(turn).here)
    }

    fn failed(&mut self, entry: Entry, error: Error) -> Result<()> {
        if is_of_all(&error) {
            return Err(error);
        }
        self.answer.failed.push(entry.because(error.to_string()));
        Ok(())
    }

    fn note(&mut self, placed: &Placed, entry: Entry) {
        let name = entry.archive_name.clone().unwrap_or_default();
        let kind = match placed {
            Placed::WasHere(_) => {
                self.answer.skipped.push(entry.because(THERE_ALREADY));
                return;
            }
            Placed::Current(_) | Placed::Superseding { .. } => "current",
            Placed::Superseded(_) => "superseded",
        };
        let was_here = |archive: &Path| {
            let sidecar = snapshots::read_sidecar(&snapshots::sidecar_path(archive)).ok();
            let hash = sidecar.and_then(|sidecar| sidecar.archive_sha256);
            hash.as_deref()
                .and_then(Id::of)
                .is_some_and(|id| self.known.contains(&id))
        };
        // Two of one name that both come from there are no conflict: there was none but theirs.
        let conflict = match placed {
            Placed::Superseding { earlier, .. } if was_here(earlier) => Some(("there", earlier)),
            Placed::Superseded(archive) => {
                let dir = archive.ancestors().nth(3).unwrap_or(archive);
                let standing = dir.join(archive.file_name().unwrap_or_default());
                was_here(&standing).then_some(("here", archive))
            }
            _ => None,
        };
        if let Some((current, superseded)) = conflict {
            self.answer.conflicts.push(Conflict {
                archive_name: name,
                current,
                superseded: self.ctx.paths.short(superseded),
            });
        }
        self.answer.transferred.push(Entry {
            kind: Some(kind),
            ..entry
        });
    }
}

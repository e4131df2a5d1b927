//! An archive written and read back, however its files move meanwhile and whatever became of earlier archives.

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use super::Making;
use crate::archive::known::Known;
use crate::archive::manifest::{Absent, Nature};
use crate::archive::ordered;
use crate::archive::reuse::Reuse;
use crate::archive::write::{
    self, Asked, Content, Entry, Frame, How, Outcome, Uncopied, Verdict, Written,
};
use crate::error::{Error, Kind, Result};
use crate::fsutil::{self, AtomicFile, TemporaryDir};

/// An archive that was read back.
pub(super) struct Verified {
    pub what: Written,
    pub sha256: String,
    pub size_bytes: u64,
}

/// How often the archive is written anew for files that change meanwhile, before all that may is copied first.
const MOST_RUNS: u32 = 3;

/// Writes and reads back, as often as files change meanwhile and earlier archives turn out to be damaged: each of them
/// once.
pub(super) fn write_verified(
    file: &mut AtomicFile,
    archive: &Path,
    frame: &Frame,
    mut entries: Vec<Entry>,
    making: &Making,
    known: &Known,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Verified> {
    let threads = ordered::threads(making.threads);
    let mut reuse = Reuse::of(making.earlier);
    let mut absent = frame.absent.to_vec();
    let mut late = frame.late;
    let mut copies = Copies::default();
    let mut runs = 0;
    loop {
        let frame = Frame {
            absent: &absent,
            late,
            ..*frame
        };
        let how = How {
            level: making.level,
            threads,
            reuse: &reuse,
            known,
            told: None,
            progress: making.progress,
        };
        let (outcome, verdict) = write_and_verify(file, archive, &frame, &entries, &how, stop)?;
        if let Some(late) = late.take() {
            entries.extend_from_slice(late.wait());
        }
        let what = match outcome {
            Outcome::Done(what) => Some(what),
            Outcome::Changing(mut places) => {
                runs += 1;
                if runs >= MOST_RUNS {
                    places.extend(Copies::all_large(&entries));
                    places.sort_unstable();
                    places.dedup();
                }
                copies.take(&mut entries, &places, fsutil::parent_of(archive), stop)?;
                absent.append(&mut copies.unreadable);
                None
            }
            Outcome::Rotten => {
                reuse = Reuse::default();
                None
            }
        };
        if let Some(mut what) = what {
            match verdict? {
                Verdict::Sound { sha256, size_bytes } => {
                    what.vanished.append(&mut copies.vanished);
                    what.shorter.append(&mut copies.shorter);
                    what.unsteady.append(&mut copies.unsteady);
                    return Ok(Verified {
                        what,
                        sha256,
                        size_bytes,
                    });
                }
                Verdict::Rotten => reuse = Reuse::default(),
                Verdict::Wrong => return Err(unlike(archive)),
            }
        }
        file.empty()?;
        making.progress.again();
    }
}

/// Writes, and reads back what is written as it comes. The verdict counts once all is written.
fn write_and_verify(
    file: &mut AtomicFile,
    archive: &Path,
    frame: &Frame,
    entries: &[Entry],
    how: &How,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(Outcome, Result<Verdict>)> {
    let failed = |error| Error::io("read back", archive, error);
    let written = file.again()?;
    let (told, members) = mpsc::channel();
    thread::scope(|scope| {
        let verify = || write::verify(&written, archive, members, how.threads, stop);
        let verifying = thread::Builder::new()
            .spawn_scoped(scope, verify)
            .map_err(failed)?;
        let how = How {
            told: Some(&told),
            ..*how
        };
        let outcome = write::write(file.file(), archive, frame, entries, &how, stop);
        drop(told);
        let verdict = verifying.join();
        Ok((
            outcome?,
            verdict.unwrap_or_else(|_| Err(write::lost(archive))),
        ))
    })
}

fn unlike(archive: &Path) -> Error {
    Error::new(
        Kind::ArchiveDamaged,
        format!(
            "what was written for `{}` does not read back the same; it was dropped",
            archive.display()
        ),
        "check the disk, then run the command again",
    )
}

/// Private copies of files that changed while they were read.
#[derive(Default)]
struct Copies {
    dir: Option<TemporaryDir>,
    count: usize,
    /// Those that changed while they were copied as well.
    unsteady: Vec<String>,
    /// Texts of which there was less than at their moment.
    shorter: Vec<String>,
    /// Those that were gone.
    vanished: Vec<String>,
    /// Those that could not be read to their end.
    unreadable: Vec<Absent>,
}

impl Copies {
    /// Has the entries with the numbers `places` be written from copies in a directory in `dir`, or not at all.
    fn take(
        &mut self,
        entries: &mut Vec<Entry>,
        places: &[usize],
        dir: &Path,
        stop: &dyn Fn() -> bool,
    ) -> Result<()> {
        if self.dir.is_none() {
            self.dir = Some(TemporaryDir::make(dir)?);
        }
        let dir = self.dir.as_ref().map_or(dir, TemporaryDir::path).to_owned();
        let mut is_lost = vec![false; entries.len()];
        for place in places {
            let target = dir.join(self.count.to_string());
            self.count += 1;
            if let (Some(entry), Some(is_lost)) = (entries.get_mut(*place), is_lost.get_mut(*place))
            {
                *is_lost = !self.one(entry, &target, stop)?;
            }
        }
        let mut is_lost = is_lost.into_iter();
        entries.retain(|_| !is_lost.next().unwrap_or_default());
        Ok(())
    }

    /// Whether there is something to write.
    fn one(&mut self, entry: &mut Entry, target: &Path, stop: &dyn Fn() -> bool) -> Result<bool> {
        let Some(asked) = Asked::of(entry) else {
            return Ok(true);
        };
        let copied = match write::copy_steady(&asked, target, stop) {
            Ok(copied) => copied,
            Err(Uncopied::Failed(error)) => return Err(error),
            Err(Uncopied::Source(error)) => {
                if fsutil::is_gone(&error) {
                    self.vanished.push(entry.path.clone());
                } else {
                    let reason = crate::error::describe(&error);
                    self.unreadable.push(write::unreadable(entry, reason));
                }
                return Ok(false);
            }
        };
        if copied.is_shorter {
            self.shorter.push(entry.path.clone());
        }
        if !copied.is_steady {
            self.unsteady.push(entry.path.clone());
            entry.nature = Nature::Raw;
        } else if copied.is_cut {
            entry.nature = Nature::JsonlCut;
        }
        entry.content = Content::Copy {
            source: target.to_owned(),
            size: copied.length,
        };
        Ok(true)
    }

    /// Numbers of the entries that are read block by block and may change meanwhile.
    fn all_large(entries: &[Entry]) -> Vec<usize> {
        let may_change = |entry: &Entry| {
            let is_copy = matches!(entry.content, Content::Copy { .. });
            !is_copy && entry.nature != Nature::SqliteCopy
        };
        let is_large = |entry: &Entry| {
            let meta = entry.source().and_then(|source| fs::metadata(source).ok());
            meta.is_some_and(|meta| meta.len() >= write::LARGE)
        };
        let numbered = entries.iter().enumerate();
        let large = numbered.filter(|(_, entry)| may_change(entry) && is_large(entry));
        large.map(|(place, _)| place).collect()
    }
}

#[cfg(test)]
mod tests;

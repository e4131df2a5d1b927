//! Writes entries as a gzipped tar: GNU headers, in the caller's order, in members that stand for themselves.
//!
//! One thread walks the entries, several hash and compress, and this one writes in order. Equal entries give equal bytes,
//! whatever the threads and whatever was taken over from earlier archives.

mod layout;
mod steady;
mod verify;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use self::layout::{Layout, Work};
use self::steady::Open;
use super::file_hash::{self, Hash};
use super::known::{Identity, Known};
use super::manifest::{self, Absent, Listed, Manifest, Nature};
use super::member::{Head, Key, Packer};
use super::ordered::{Feed, Pool, Results, ordered};
use super::reuse::{Reuse, Standing};
use crate::error::{Error, Result};
use crate::fsutil;
use crate::metadata::Account;
use crate::ui::progress::Progress;

pub use self::layout::{LARGE, unreadable};
pub use self::steady::{Asked, Uncopied, copy as copy_steady};
pub use self::verify::{Verdict, verify};

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A directory.
    Dir,
    /// The file at that path, which had `size` bytes when it was planned.
    File {
        /// Where it stands.
        source: PathBuf,
        /// Its length when planned, in bytes.
        size: u64,
    },
    /// The whole lines of the first `size` bytes of the file at that path, to which others append.
    Lines {
        /// Where it stands.
        source: PathBuf,
        /// Its length at the moment of the snapshot, in bytes.
        size: u64,
        /// Which file it was at that moment; 0 where that is not known.
        inode: u64,
    },
    /// A private copy, which nobody else writes to.
    Copy {
        /// Where it stands.
        source: PathBuf,
        /// Its length in bytes.
        size: u64,
    },
    /// Bytes already read: the login, which is read once and judged by what was read.
    Bytes(Vec<u8>),
}

/// One entry to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative path, `/` between parts.
    pub path: String,
    /// What it holds.
    pub content: Content,
    /// What is known of how its bytes came together; what comes of reading them is added.
    pub nature: Nature,
    /// Whether its owner may run it.
    pub executable: bool,
    /// Seconds since the Unix epoch.
    pub mtime: u64,
    /// And nanoseconds on top, which the archive does not hold.
    pub mtime_nanos: u32,
}

impl Entry {
    /// Its length in bytes; 0 for a directory.
    pub fn size(&self) -> u64 {
        match &self.content {
            Content::Dir => 0,
            Content::File { size, .. }
            | Content::Lines { size, .. }
            | Content::Copy { size, .. } => *size,
            Content::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// Whether it is a file.
    pub fn is_file(&self) -> bool {
        self.content != Content::Dir
    }

    /// Where its bytes stand; None where they are in hand.
    pub fn source(&self) -> Option<&Path> {
        match &self.content {
            Content::File { source, .. }
            | Content::Lines { source, .. }
            | Content::Copy { source, .. } => Some(source),
            Content::Dir | Content::Bytes(_) => None,
        }
    }
}

/// How many bytes `entries` are when they are packed, as far as their lengths are known yet: each with a header, and in whole
/// blocks.
pub fn expected_bytes(entries: &[Entry]) -> u64 {
    const BLOCK: u64 = 512;
    let bytes = |entry: &Entry| BLOCK.saturating_add(entry.size().next_multiple_of(BLOCK));
    entries.iter().map(bytes).fold(0, u64::saturating_add)
}

/// What stands around the entries.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Name of the first entry, the description.
    pub name: &'a str,
    /// Its bytes.
    pub description: &'a [u8],
    /// Name of the last entry, the manifest.
    pub manifest_name: &'a str,
    /// Whose snapshot it is.
    pub account: &'a Account,
    /// What stands in the home and is not among the entries.
    pub absent: &'a [Absent],
    /// Entries that follow the others, where they are not known yet.
    pub late: Option<&'a Late>,
}

/// Entries that become known while others are written: whoever writes waits for them.
pub type Late = OnceLock<Vec<Entry>>;

/// How to write.
#[derive(Clone, Copy, Debug)]
pub struct How<'a> {
    /// How hard to compress, in [`super::member::LEVELS`].
    pub level: u8,
    /// How many threads work.
    pub threads: usize,
    /// What may be taken over.
    pub reuse: &'a Reuse,
    /// What is known of large files without reading them.
    pub known: &'a Known,
    /// Who is told of each member once it is written.
    pub told: Option<&'a Sender<Placed>>,
    /// Who is told how far it is.
    pub progress: &'a Progress,
}

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// All is written.
    Done(Written),
    /// Nothing counts: the entries with these numbers changed while they were read. They are to be written from copies.
    Changing(Vec<usize>),
    /// Nothing counts: an earlier archive could not be read where a member was to be taken from it.
    Rotten,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// SHA-256 over paths, kinds, lengths and hashes, in hex: what `content_sha256` of the sidecar means.
    pub content_sha256: String,
    /// Length of all files together.
    pub total_bytes: u64,
    /// How many files.
    pub file_count: u64,
    /// Paths that were gone when their turn came.
    pub vanished: Vec<String>,
    /// What stands in the home and is not in the archive: what was planned to be so, and what could not be read. By path.
    pub absent: Vec<Absent>,
    /// Paths of texts of which there was less than at their moment: captured as they stood.
    pub shorter: Vec<String>,
    /// Paths that did not hold still: captured as they were last read.
    pub unsteady: Vec<String>,
    /// The members, in order, for [`verify()`].
    pub members: Vec<Placed>,
    /// What the large files held whose state can be told from any later one.
    pub notes: Vec<Noted>,
}

/// What a large file held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// In which state of it.
    pub identity: Identity,
    /// How many of its bytes were taken.
    pub taken: u64,
    /// When they were read, where that was not now.
    pub read_at: Option<i64>,
    /// The hashes of its blocks, in order.
    pub blake3: Vec<Hash>,
}

/// One member as it must stand in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// What it says of itself.
    pub head: Head,
    /// Whether it was compressed now, so that nobody has inflated it yet.
    pub is_fresh: bool,
}

/// Writes the description, then `entries`, then the manifest to `out`, which is empty and is to be `shown`. `stop` ends
/// it early.
pub fn write(
    out: &mut File,
    shown: &Path,
    frame: &Frame,
    entries: &[Entry],
    how: &How,
    stop: &dyn Fn() -> bool,
) -> Result<Outcome> {
    let pool = Pool::default();
    let mut sink = Sink {
        out,
        shown,
        reuse: how.reuse,
        stop,
        pool: &pool,
        members: Vec::new(),
        told: how.told,
        progress: how.progress,
        notes: Vec::new(),
        hashes: HashMap::new(),
        parts: Vec::new(),
        changing: Vec::new(),
    };
    let walked = sink.run(how, |feed| {
        layout::entries(feed, &pool, frame, entries, how.known)
    });
    let Layout {
        mut listed,
        vanished,
        unreadable,
        shorter,
        unsteady,
        ..
    } = match walked {
        Ok(layout) => layout,
        Err(early) => return early.outcome(),
    };
    if !sink.changing.is_empty() {
        return Ok(Outcome::Changing(sink.changing));
    }
    let mut absent = frame.absent.to_vec();
    absent.extend(unreadable);
    absent.sort_by(|a, b| a.path.cmp(&b.path));
    for (place, hash) in &sink.hashes {
        if let Some(listed) = listed.get_mut(*place) {
            listed.blake3 = Some(fsutil::hex(hash));
        }
    }
    let written = Written {
        content_sha256: content_sha256(&listed),
        total_bytes: listed.iter().map(|file| file.size).sum(),
        file_count: listed.iter().filter(|file| file.blake3.is_some()).count() as u64,
        vanished,
        absent,
        shorter,
        unsteady,
        members: Vec::new(),
        notes: Vec::new(),
    };
    let manifest = Manifest {
        schema_version: manifest::SCHEMA_VERSION,
        account: frame.account.clone(),
        files: listed,
        not_captured: written.absent.clone(),
    };
    let manifest = manifest.bytes().map_err(anyhow::Error::from)?;
    match sink.run(how, |feed| {
        layout::end(feed, &pool, frame.manifest_name, &manifest);
    }) {
        Ok(()) => Ok(Outcome::Done(Written {
            members: sink.members,
            notes: sink.notes,
            ..written
        })),
        Err(early) => early.outcome(),
    }
}

/// The `content_sha256` that entries of which all bytes are in hand will have.
pub fn content_of(entries: &[Entry]) -> String {
    let listed: Vec<Listed> = entries
        .iter()
        .filter_map(|entry| match &entry.content {
            Content::Bytes(bytes) => Some(layout::listed(entry, bytes.len() as u64, Some(bytes))),
            _ => None,
        })
        .collect();
    content_sha256(&listed)
}

/// Times and how the bytes came together are no content.
fn content_sha256(listed: &[Listed]) -> String {
    let mut content = Sha256::new();
    for file in listed {
        let hash = file.blake3.as_deref().unwrap_or_default();
        content.update(format!(
            "{}\0{}\0{}\0{hash}\0",
            file.path, file.mode, file.size
        ));
    }
    fsutil::hex(&content.finalize())
}

/// Why writing ended before its end.
enum Early {
    Failed(Error),
    Rotten,
}

impl Early {
    fn outcome(self) -> Result<Outcome> {
        match self {
            Self::Failed(error) => Err(error),
            Self::Rotten => Ok(Outcome::Rotten),
        }
    }
}

/// What became of one piece of work.
struct Done {
    made: Made,
    /// The file it is of, and whether it is the last of it.
    of: Option<(Arc<Open>, bool)>,
}

enum Made {
    Fresh(Head, Vec<u8>),
    Standing(Standing),
    /// The file is shorter by now, or cannot be read.
    Unread,
    /// It is no block: a fault of this program.
    Unpacked,
}

/// Hashes a piece, looks whether an earlier archive holds it, else compresses it.
fn worker<'a>(how: &'a How<'a>, pool: &'a Pool) -> impl FnMut(Work) -> Done {
    let mut packer = Packer::new(how.level);
    // Kept from block to block, and overwritten: to clear one costs as much as to hash a third of it.
    let mut room = Vec::new();
    move |work| {
        let (plain, part, of) = match &work {
            Work::Pack(plain) => (plain.as_slice(), None, None),
            Work::Block {
                file,
                offset,
                length,
                part,
                is_last,
                known,
            } => {
                let of = Some((Arc::clone(file), *is_last));
                let found = known.and_then(|hash| {
                    how.reuse.find(&Key {
                        hash,
                        part: *part,
                        plain: u32::try_from(*length).ok()?,
                        level: how.level,
                    })
                });
                if let Some(standing) = found {
                    let made = Made::Standing(standing);
                    return Done { made, of };
                }
                if room.len() < *length {
                    room.resize(*length, 0);
                }
                let plain = room.get_mut(..*length).unwrap_or_default();
                if fsutil::read_exact_at(&file.file, plain, *offset).is_err() {
                    return Done {
                        made: Made::Unread,
                        of,
                    };
                }
                (&*plain, *part, of)
            }
        };
        let key = Key::of(plain, part, how.level);
        let made = if let Some(standing) = how.reuse.find(&key) {
            Made::Standing(standing)
        } else {
            let mut member = pool.take();
            match packer.pack(key, plain, &mut member) {
                Some(head) => Made::Fresh(head, member),
                None => Made::Unpacked,
            }
        };
        if let Work::Pack(plain) = work {
            pool.give(plain);
        }
        Done { made, of }
    }
}

/// Where members go, in order.
struct Sink<'a> {
    out: &'a mut File,
    shown: &'a Path,
    reuse: &'a Reuse,
    stop: &'a dyn Fn() -> bool,
    pool: &'a Pool,
    members: Vec<Placed>,
    told: Option<&'a Sender<Placed>>,
    progress: &'a Progress,
    notes: Vec<Noted>,
    /// Hashes of the large files, by their place in the listing.
    hashes: HashMap<usize, Hash>,
    /// Of the file under way.
    parts: Vec<Hash>,
    /// Numbers of the entries that did not hold still. The rest is gone through all the same: each that does not is found
    /// in one run.
    changing: Vec<usize>,
}

impl Sink<'_> {
    /// Runs `layout` and writes what its work gives.
    fn run<F: Send>(
        &mut self,
        how: &How,
        layout: impl FnOnce(&Feed<Work, Done>) -> F + Send,
    ) -> Result<F, Early> {
        let shown = self.shown.to_owned();
        let pool = self.pool;
        let ran = ordered(
            how.threads,
            || worker(how, pool),
            layout,
            |results| self.take(results),
        );
        let (fed, taken) =
            ran.map_err(|error| Early::Failed(Error::io("start threads to write", &shown, error)))?;
        taken?;
        fed.ok_or_else(|| Early::Failed(lost(&shown)))
    }

    fn take(&mut self, results: &mut Results<Done>) -> Result<(), Early> {
        for done in results {
            if (self.stop)() {
                return Err(Early::Failed(Error::interrupted()));
            }
            let Done { made, of } = done.map_err(|_| Early::Failed(lost(self.shown)))?;
            let placed = match made {
                Made::Fresh(head, member) => {
                    self.out
                        .write_all(&member)
                        .map_err(|error| self.failed(error))?;
                    self.pool.give(member);
                    Placed {
                        head,
                        is_fresh: true,
                    }
                }
                Made::Standing(standing) => self.take_over(&standing)?,
                Made::Unread => {
                    if let Some((file, is_last)) = of {
                        if self.changing.last() != Some(&file.place) {
                            self.changing.push(file.place);
                        }
                        if is_last {
                            self.parts.clear();
                        }
                    }
                    continue;
                }
                Made::Unpacked => return Err(Early::Failed(lost(self.shown))),
            };
            self.progress.add(u64::from(placed.head.key.plain));
            self.members.push(placed);
            if let Some(told) = self.told {
                // Whoever found something wrong listens no more.
                let _ = told.send(placed);
            }
            if let Some((file, is_last)) = of {
                self.parts.push(placed.head.key.hash);
                if is_last {
                    self.finish(&file);
                }
            }
        }
        Ok(())
    }

    /// Copies a member of an earlier archive: within the system, where it can.
    fn take_over(&mut self, standing: &Standing) -> Result<Placed, Early> {
        let mut archive = self.reuse.archive(standing).ok_or(Early::Rotten)?;
        let size = u64::from(standing.head.size);
        archive
            .seek(SeekFrom::Start(standing.offset))
            .map_err(|_| Early::Rotten)?;
        let copied = io::copy(&mut archive.take(size), self.out);
        match copied {
            Ok(count) if count == size => Ok(Placed {
                head: standing.head,
                is_fresh: false,
            }),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(self.failed(error)),
            _ => Err(Early::Rotten),
        }
    }

    /// Notes the hash of a large file, once it is sure that its blocks are of one moment.
    fn finish(&mut self, file: &Open) {
        let parts = std::mem::take(&mut self.parts);
        let hash = file_hash::of_parts(&parts);
        if self.changing.last() == Some(&file.place) {
            return;
        }
        if file.holds_still(&hash, self.stop) {
            self.hashes.insert(file.listing, hash);
            self.notes.extend(file.identity.map(|identity| Noted {
                identity,
                taken: file.length,
                read_at: file.read_at,
                blake3: parts,
            }));
        } else {
            self.changing.push(file.place);
        }
    }

    fn failed(&self, error: io::Error) -> Early {
        Early::Failed(Error::io("write", self.shown, error))
    }
}

/// A thread ended without a result, by a fault of this program.
pub fn lost(shown: &Path) -> Error {
    Error::other(
        format!("a thread that writes `{}` failed", shown.display()),
        "this should not happen; run again with `--verbose` and report it",
    )
}

#[cfg(test)]
mod tests;

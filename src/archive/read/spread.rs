//! The second pass over an archive of our members: several threads unpack them, each writes what they hold to where it
//! belongs.
//!
//! Every header must be the one that passed. Where the first pass looked into every member, each must be, byte for byte,
//! the one that it saw: what it holds need not be judged again, and members of which nothing is wanted are not read.
//! Where it took some at their header's word, every member is read and judged by all that its header says.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use super::holes::{HOLE, solid};
use super::stream::DAMAGED;
use super::{Entry, NOT_THE_HASH, changed, damaged, tree, untrusted};
use crate::archive::member::{HEAD, Head, Unpacker};
use crate::archive::ordered::{Feed, Pool, ordered};
use crate::error::{Error, Result};
use crate::fsutil;
use crate::stop::Watch;

/// A file to be written.
pub(super) struct Wanted<'a> {
    pub entry: &'a Entry,
    /// Where its content begins, in inflated bytes.
    pub offset: u64,
    /// Where it is to be. The directories above it stand.
    pub place: PathBuf,
}

/// What the first pass left to be judged.
#[derive(Clone, Copy)]
pub(super) enum Left<'a> {
    /// Nothing: it read every byte.
    Nothing,
    /// What members hold, and the whole file's SHA-256 in hex, where one is told.
    Content(Option<&'a str>),
}

/// Writes the files that are `wanted`, in the archive's order, from the archive at `path`, which is made of `members`.
/// `told` is how many bytes were written now and then.
pub(super) fn spread(
    path: &Path,
    members: &[Head],
    wanted: &[Wanted],
    left: Left,
    threads: usize,
    watch: &dyn Watch,
    told: &mut dyn FnMut(u64),
) -> Result<()> {
    let archive = match left {
        Left::Nothing => open_same(path, members)?,
        Left::Content(_) => open(path)?,
    };
    let pool = Pool::default();
    let reader = Reader {
        path,
        archive: &archive,
        pool: &pool,
        left,
    };
    let ran = ordered(
        threads,
        || writer(&reader),
        |feed| hand_in(&reader, members, wanted, feed),
        |results| {
            for written in results {
                if watch.is_stopped() {
                    return Err(Error::interrupted());
                }
                let written = written.unwrap_or_else(|_| Err(lost(path)))?;
                watch.did(written);
                told(written);
            }
            Ok(())
        },
    );
    let (handed_in, written) =
        ran.map_err(|error| Error::io("start threads to read", path, error))?;
    written?;
    handed_in.unwrap_or_else(|| Err(lost(path)))
}

fn lost(path: &Path) -> Error {
    Error::other(
        format!("a thread that unpacks `{}` failed", path.display()),
        "this should not happen; run again with `--verbose` and report it",
    )
}

fn open(path: &Path) -> Result<File> {
    fsutil::open_regular(path).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::io("read the archive", path, error)
}

/// Opens the archive, where its length and every header are as they were.
fn open_same(path: &Path, members: &[Head]) -> Result<File> {
    let archive = open(path)?;
    let mut offset = 0;
    for member in members {
        let mut head = [0; HEAD];
        match fsutil::read_exact_at(&archive, &mut head, offset) {
            Ok(()) if Head::parse(&head).as_ref() == Some(member) => {}
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(unreadable(path, error));
            }
            _ => return Err(changed(path)),
        }
        offset += u64::from(member.size);
    }
    ends_at(path, &archive, offset)?;
    Ok(archive)
}

/// Refuses an archive of another length.
fn ends_at(path: &Path, archive: &File, offset: u64) -> Result<()> {
    let meta = archive
        .metadata()
        .map_err(|error| unreadable(path, error))?;
    if meta.len() == offset {
        Ok(())
    } else {
        Err(changed(path))
    }
}

/// The archive, as it is read.
struct Reader<'a> {
    path: &'a Path,
    archive: &'a File,
    pool: &'a Pool,
    left: Left<'a>,
}

impl Reader<'_> {
    /// The member that begins at `offset`.
    fn member(&self, head: &Head, offset: u64) -> Result<Vec<u8>> {
        let mut member = self.pool.take_used();
        member.resize(head.size as usize, 0);
        match fsutil::read_exact_at(self.archive, &mut member, offset) {
            Ok(()) => Ok(member),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(changed(self.path)),
            Err(error) => Err(unreadable(self.path, error)),
        }
    }
}

/// One member, and what of it goes where.
struct Work<'a> {
    head: &'a Head,
    member: Member,
    parts: Vec<Part<'a>>,
}

enum Member {
    /// Where it begins in the archive.
    At(u64),
    /// All of it.
    Read(Vec<u8>),
}

enum Part<'a> {
    /// A whole file, which begins at that place of the member.
    Whole(&'a Wanted<'a>, usize),
    /// The part of a file that begins at that place of the member, and at that one of the file.
    Of(Arc<Shared<'a>>, usize, u64),
}

/// A file that several members have parts of.
struct Shared<'a> {
    wanted: &'a Wanted<'a>,
    file: File,
    /// How much of it was not written yet.
    left: AtomicU64,
}

/// Hands in every member of which something is wanted, and where content is still to be judged, all others too.
fn hand_in<'a>(
    reader: &Reader<'a>,
    members: &'a [Head],
    wanted: &'a [Wanted<'a>],
    feed: &Feed<Work<'a>, Result<u64>>,
) -> Result<()> {
    let mut wanted = wanted.iter().peekable();
    let mut under_way: Option<Arc<Shared>> = None;
    let (mut offset, mut begin) = (0, 0);
    let mut hash = match reader.left {
        Left::Content(Some(_)) => Some(Sha256::new()),
        _ => None,
    };
    for head in members {
        let end = begin + u64::from(head.key.plain);
        let mut parts = Vec::new();
        if let Some(shared) = under_way.take() {
            let file = shared.wanted;
            parts.push(Part::Of(Arc::clone(&shared), 0, begin - file.offset));
            if file.offset + file.entry.size > end {
                under_way = Some(shared);
            }
        }
        while let Some(file) = wanted.next_if(|file| file.offset < end) {
            let place = usize::try_from(file.offset.saturating_sub(begin)).unwrap_or(usize::MAX);
            if file.offset + file.entry.size <= end {
                parts.push(Part::Whole(file, place));
            } else {
                let shared = Arc::new(Shared::new(file)?);
                parts.push(Part::Of(Arc::clone(&shared), place, 0));
                under_way = Some(shared);
            }
        }
        let member = match reader.left {
            Left::Nothing => Member::At(offset),
            Left::Content(_) => {
                let member = reader.member(head, offset)?;
                if let Some(hash) = &mut hash {
                    hash.update(&member);
                }
                Member::Read(member)
            }
        };
        let is_needed = !parts.is_empty() || matches!(member, Member::Read(_));
        let work = Work {
            head,
            member,
            parts,
        };
        if is_needed && !feed.put(work) {
            return Ok(());
        }
        offset += u64::from(head.size);
        begin = end;
    }
    if under_way.is_some() || wanted.next().is_some() {
        return Err(changed(reader.path));
    }
    ends_at(reader.path, reader.archive, offset)?;
    if let (Some(hash), Left::Content(Some(expected))) = (hash, reader.left)
        && fsutil::hex(&hash.finalize()) != expected
    {
        return Err(untrusted(reader.path, NOT_THE_HASH));
    }
    Ok(())
}

/// Unpacks one member after another and writes what is wanted of each; gives how many bytes it held.
fn writer<'a>(reader: &'a Reader<'a>) -> impl FnMut(Work<'a>) -> Result<u64> {
    let mut unpacker = Unpacker::new();
    let mut plain = Vec::new();
    move |work| {
        let was_judged = matches!(work.member, Member::At(_));
        let member = match work.member {
            Member::At(offset) => reader.member(work.head, offset)?,
            Member::Read(member) => member,
        };
        let verdict = if was_judged {
            let tail = unpacker.unpack_again(work.head, &member, &mut plain);
            tail.map(drop)
        } else {
            unpacker.unpack(work.head, &member, &mut plain)
        };
        // What was judged was sound then; what was not may never have been.
        let is_as_told = !was_judged && Head::parse(&member).as_ref() == Some(work.head);
        reader.pool.give(member);
        verdict.map_err(|_| {
            if is_as_told {
                damaged(reader.path, None, DAMAGED)
            } else {
                changed(reader.path)
            }
        })?;
        for part in &work.parts {
            part.write(&plain)?;
        }
        Ok(u64::from(work.head.key.plain))
    }
}

impl Part<'_> {
    fn write(&self, plain: &[u8]) -> Result<()> {
        match self {
            Self::Whole(wanted, place) => {
                let length = usize::try_from(wanted.entry.size).unwrap_or(usize::MAX);
                let bytes = slice(plain, *place, length);
                let failed = |error| Error::io("write", &wanted.place, error);
                let file = tree::new_file(&wanted.place, wanted.entry.executable);
                file.and_then(|file| {
                    let end = write_solid(&file, bytes, 0)?;
                    if end < wanted.entry.size {
                        file.set_len(wanted.entry.size)?;
                    }
                    tree::date(&file, wanted.entry.mtime)
                })
                .map_err(failed)
            }
            Self::Of(shared, place, offset) => {
                let left = shared.wanted.entry.size.saturating_sub(*offset);
                let length = usize::try_from(left).unwrap_or(usize::MAX);
                shared.write(slice(plain, *place, length), *offset)
            }
        }
    }
}

/// At most `length` bytes from `place` on.
fn slice(bytes: &[u8], place: usize, length: usize) -> &[u8] {
    let rest = bytes.get(place..).unwrap_or_default();
    rest.get(..length).unwrap_or(rest)
}

impl<'a> Shared<'a> {
    fn new(wanted: &'a Wanted<'a>) -> Result<Self> {
        let failed = |error| Error::io("write", &wanted.place, error);
        let file = tree::new_file(&wanted.place, wanted.entry.executable).map_err(failed)?;
        // It may end with zeros that nobody writes.
        file.set_len(wanted.entry.size).map_err(failed)?;
        Ok(Self {
            wanted,
            file,
            left: AtomicU64::new(wanted.entry.size),
        })
    }

    fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let length = bytes.len() as u64;
        let written = write_solid(&self.file, bytes, offset).and_then(|_| {
            // Whoever writes last dates it, since each write does so anew.
            if self.left.fetch_sub(length, Ordering::AcqRel) == length {
                tree::date(&self.file, self.wanted.entry.mtime)
            } else {
                Ok(())
            }
        });
        written.map_err(|error| Error::io("write", &self.wanted.place, error))
    }
}

/// Writes all but long runs of zeros; gives where in the file the last byte that was written ends.
fn write_solid(file: &File, bytes: &[u8], offset: u64) -> io::Result<u64> {
    if bytes.len() < HOLE {
        fsutil::write_all_at(file, bytes, offset)?;
        return Ok(offset + bytes.len() as u64);
    }
    let mut end = offset;
    for (place, run) in solid(bytes, offset) {
        let start = offset + place as u64;
        fsutil::write_all_at(file, run, start)?;
        end = start + run.len() as u64;
    }
    Ok(end)
}

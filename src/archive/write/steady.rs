//! Reading files that others may be writing: what is read is of one moment, or it is said that it is not.
//!
//! A file's length, time and number say whether it was touched; where it was, what was read is read again and must be
//! the same. Text that only grows is taken up to its last whole line.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use super::layout::LARGE;
use crate::archive::file_hash::Hash;
use crate::archive::manifest::Nature;
use crate::error::{Error, Result, describe};
use crate::fsutil;

/// How often a file that does not hold still is tried, and how long it is left alone between.
const TRIES: u32 = 5;
const REST: Duration = Duration::from_millis(10);

/// The longest last line that is looked at as a whole, in bytes. Lines of Codex's have a few MiB at most.
const LONGEST_LINE: u64 = 64 << 20;

/// How much is read at a time where all of a file is.
const PIECE: usize = 1 << 20;

/// How a file was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// As it stands.
    Whole,
    /// With the beginning of a line behind its last one, which was left out.
    Cut,
    /// Changing each time it was read.
    Moving,
}

impl Found {
    /// What the manifest says of it, where `known` is what was known before.
    pub(super) fn over(self, known: Nature) -> Nature {
        match self {
            Self::Whole => known,
            Self::Cut => Nature::JsonlCut,
            Self::Moving => Nature::Raw,
        }
    }
}

/// What came of a file.
pub(super) enum Taken {
    Small(Vec<u8>, Found),
    Large(Open, Found),
    Vanished,
    Unreadable(String),
}

/// A large file, open to be read block by block.
pub(super) struct Open {
    pub file: File,
    /// How many of its bytes are taken.
    pub length: u64,
    /// Number of its entry, and of its line in the listing.
    pub place: usize,
    pub listing: usize,
    seen: Seen,
}

/// What tells whether a file was touched.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    length: u64,
    modified: Option<SystemTime>,
}

fn seen(file: &File) -> io::Result<Seen> {
    let meta = file.metadata()?;
    Ok(Seen {
        length: meta.len(),
        modified: meta.modified().ok(),
    })
}

impl Open {
    /// Whether what was read, which has the hash `read`, is of one moment.
    pub(super) fn holds_still(&self, read: &Hash) -> bool {
        if seen(&self.file).is_ok_and(|seen| seen == self.seen) {
            return true;
        }
        hash_of(&self.file, self.length).is_ok_and(|hash| hash == *read)
    }
}

fn hash_of(file: &File, length: u64) -> io::Result<Hash> {
    let mut hasher = blake3::Hasher::new();
    each_piece(file, length, |piece| {
        hasher.update(piece);
        Ok(())
    })?;
    Ok(*hasher.finalize().as_bytes())
}

fn each_piece(
    file: &File,
    length: u64,
    mut work: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let mut offset = 0;
    while offset < length {
        let count = usize::try_from(length - offset).map_or(PIECE, |left| left.min(PIECE));
        let piece = buffer.get_mut(..count).unwrap_or_default();
        fsutil::read_exact_at(file, piece, offset)?;
        work(piece)?;
        offset += count as u64;
    }
    Ok(())
}

/// Takes the file at `source`: all of it, or the whole lines of its first `lines` bytes.
pub(super) fn take(source: &Path, lines: Option<u64>) -> Taken {
    let mut last = None;
    for attempt in 0..TRIES {
        if attempt > 0 {
            thread::sleep(REST);
        }
        match attempt_to_take(source, lines) {
            Ok(Attempt::Taken(taken)) => return taken,
            Ok(Attempt::Moved(bytes)) => last = Some(Ok(bytes)),
            // Whoever replaces a file by another one leaves no gap; once more is for those who do.
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempt > 0 => {
                return Taken::Vanished;
            }
            Err(error) => last = Some(Err(error)),
        }
    }
    match last {
        Some(Ok(bytes)) => Taken::Small(bytes, Found::Moving),
        Some(Err(error)) => Taken::Unreadable(describe(&error)),
        None => Taken::Vanished,
    }
}

enum Attempt {
    Taken(Taken),
    /// It changed while it was read; what was read last.
    Moved(Vec<u8>),
}

fn attempt_to_take(source: &Path, lines: Option<u64>) -> io::Result<Attempt> {
    let file = match fsutil::open_regular(source) {
        Ok(file) => file,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::IsADirectory
            ) =>
        {
            return Ok(Attempt::Taken(Taken::Unreadable(describe(&error))));
        }
        Err(error) => return Err(error),
    };
    let before = seen(&file)?;
    // Who rewrites text makes it shorter at times: then it is taken as it stands.
    let upto = lines.unwrap_or(before.length).min(before.length);
    let length = if lines.is_some() {
        end_of_lines(&file, upto)?
    } else {
        upto
    };
    let found = if length < upto {
        Found::Cut
    } else {
        Found::Whole
    };
    if length >= LARGE {
        let open = Open {
            file,
            length,
            place: 0,
            listing: 0,
            seen: before,
        };
        return Ok(Attempt::Taken(Taken::Large(open, found)));
    }
    let read = |file: &File| {
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        let mut start = file;
        io::Seek::rewind(&mut start)?;
        start.take(length).read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(bytes)
    };
    let bytes = read(&file)?;
    let is_whole = bytes.len() as u64 == length;
    if is_whole && (seen(&file)? == before || read(&file)? == bytes) {
        return Ok(Attempt::Taken(Taken::Small(bytes, found)));
    }
    Ok(Attempt::Moved(bytes))
}

/// Where the whole lines of the first `upto` bytes end: behind the last line's end, or behind all of it where the rest is
/// a whole value that only lacks its line's end.
fn end_of_lines(file: &File, upto: u64) -> io::Result<u64> {
    const STEP: u64 = 64 << 10;
    let mut end = upto;
    let mut buffer = Vec::new();
    while end > 0 {
        // The last byte is the end of a line nearly always.
        let step = if end == upto { 1 } else { STEP };
        let start = end.saturating_sub(step);
        buffer.resize(usize::try_from(end - start).unwrap_or_default(), 0);
        fsutil::read_exact_at(file, &mut buffer, start)?;
        if let Some(place) = memchr::memrchr(b'\n', &buffer) {
            end = start + place as u64 + 1;
            break;
        }
        end = start;
    }
    let rest = upto - end;
    if rest == 0 || rest > LONGEST_LINE {
        return Ok(end);
    }
    buffer.resize(usize::try_from(rest).unwrap_or_default(), 0);
    fsutil::read_exact_at(file, &mut buffer, end)?;
    Ok(if is_whole_value(&buffer) { upto } else { end })
}

/// Whether the bytes are one object, which nothing that begins another one can be.
fn is_whole_value(bytes: &[u8]) -> bool {
    let is_object = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    is_object && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// Copies the file at `source`, of which [`take`] gave a large one that changed, to a private file at `target`. Whether
/// the copy is of one moment; an error is that of the source.
pub fn copy(source: &Path, lines: Option<u64>, target: &Path) -> Result<bool> {
    let unreadable = |error| Error::io("read", source, error);
    let mut is_steady = false;
    for attempt in 0..TRIES {
        if attempt > 0 {
            thread::sleep(REST);
        }
        let file = fsutil::open_regular(source).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let upto = lines.unwrap_or(length).min(length);
        match copied(&file, upto, target).map_err(unreadable)? {
            Some(hash) => {
                is_steady = hash_of(&file, upto).is_ok_and(|again| again == hash);
            }
            None => is_steady = false,
        }
        if is_steady {
            break;
        }
    }
    Ok(is_steady)
}

/// The hash of what was copied; None where the file ended before.
fn copied(file: &File, length: u64, target: &Path) -> io::Result<Option<Hash>> {
    let _ = fs::remove_file(target);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut copy = options.open(target)?;
    let mut hasher = blake3::Hasher::new();
    let done = each_piece(file, length, |piece| {
        hasher.update(piece);
        copy.write_all(piece)
    });
    match done {
        Ok(()) => Ok(Some(*hasher.finalize().as_bytes())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

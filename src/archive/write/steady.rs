//! Reading files that others may be writing: what is read is of one moment, or it is said that it is not.
//!
//! A file's length, its times and which file it is say whether it was touched; where it was, or may have been, what was
//! read is read again and must be the same. Text that only grows is taken up to its last whole line. Whatever happens,
//! there is an end to waiting.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use super::layout::LARGE;
use super::{Content, Entry};
use crate::archive::file_hash::Hash;
use crate::archive::known::Identity;
use crate::archive::manifest::Nature;
use crate::error::{Error, describe};
use crate::fsutil;

/// How often a file that does not hold still is tried, and how long it is left alone between.
const TRIES: u32 = 10;
const REST: Duration = Duration::from_millis(10);

/// Whoever writes a file in pieces writes the next one sooner than that. Who has written it not for so long is done.
const QUIET: Duration = Duration::from_millis(40);

/// One more write within that time may leave a file with the same times: the coarsest clock of a file system ticks every
/// two seconds.
const GRAIN: Duration = Duration::from_secs(3);

/// Whoever has a file mapped into memory may go on writing to what is not on the disk yet, and no time tells. So long after
/// the last change all of it is there: Linux waits for half a minute, on a laptop for ten.
const WRITTEN_BACK: Duration = Duration::from_mins(15);

/// How often an archive's files are left alone altogether: a home that is being removed must not take minutes.
const MOST_RESTS: u32 = 200;

/// How often a large file is copied.
const MOST_COPIES: u32 = 3;

/// The longest last line that is looked at as a whole, in bytes. Lines of Codex's have a few MiB at most.
const LONGEST_LINE: u64 = 64 << 20;

/// How much is read at a time where all of a file is.
const PIECE: usize = 1 << 20;

/// What is to be taken, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    source: &'a Path,
    /// How long it was when it was looked at, in bytes.
    size: u64,
    /// Where only whole lines of so many bytes are wanted: which file it was.
    lines: Option<u64>,
    /// Nobody else writes to it.
    is_ours: bool,
    /// How long it must have stayed as it is for its state to be told; None where nobody asks.
    pub settled: Option<Duration>,
}

impl<'a> Asked<'a> {
    /// None where there is nothing to read.
    pub fn of(entry: &'a Entry) -> Option<Self> {
        let (source, size, lines) = match &entry.content {
            Content::Dir | Content::Bytes(_) => return None,
            Content::File { source, size } | Content::Copy { source, size } => {
                (source, *size, None)
            }
            Content::Lines {
                source,
                size,
                inode,
            } => (source, *size, Some(*inode)),
        };
        Some(Self {
            source,
            size,
            lines,
            is_ours: entry.nature == Nature::SqliteCopy
                || matches!(entry.content, Content::Copy { .. }),
            settled: None,
        })
    }

    /// Whether another file has taken the place of the one that was looked at: it is whole as it stands.
    fn is_replaced(&self, seen: &Seen) -> bool {
        self.lines
            .is_some_and(|inode| inode != 0 && seen.inode != 0 && seen.inode != inode)
    }

    /// How much of the file is wanted.
    fn upto(&self, seen: &Seen) -> u64 {
        if self.lines.is_none() || self.is_replaced(seen) {
            seen.length
        } else {
            self.size.min(seen.length)
        }
    }

    /// Whether somebody may be about to write more of it than there is: who writes it anew in place empties it first.
    /// What is appended to a text does not matter.
    fn is_under_way(&self, seen: &Seen, earlier: Option<Seen>) -> bool {
        if self.is_ours || self.is_replaced(seen) {
            return false;
        }
        let has_stayed = seen.length > 0 && earlier.is_some_and(|earlier| earlier.is_as(seen));
        let is_emptied = seen.length < self.size && !has_stayed;
        is_emptied || self.is_written(seen)
    }

    /// Whether a file that is wanted whole is being written.
    fn is_written(&self, seen: &Seen) -> bool {
        !self.is_ours && self.lines.is_none() && seen.is_hot
    }

    /// Whether there is less of the text than there was at its moment.
    fn is_shorter(&self, seen: &Seen) -> bool {
        self.lines.is_some() && seen.length < self.size
    }
}

/// How often there will still be a rest.
pub(super) struct Rests {
    left: u32,
}

impl Default for Rests {
    fn default() -> Self {
        Self { left: MOST_RESTS }
    }
}

impl Rests {
    fn are_over(&self) -> bool {
        self.left == 0
    }

    fn rest(&mut self) {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            thread::sleep(REST);
        }
    }
}

/// How a file was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// With the beginning of a line behind its last one, which was left out.
    pub is_cut: bool,
    /// Shorter than at its moment.
    pub is_shorter: bool,
    /// Changing each time it was read.
    pub is_moving: bool,
}

impl Found {
    /// What the manifest says of it, where `known` is what was known before.
    pub(super) fn over(self, known: Nature) -> Nature {
        if self.is_moving {
            Nature::Raw
        } else if self.is_cut && known == Nature::Plain {
            Nature::JsonlCut
        } else {
            known
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
    /// Its state, where that can be told from any later one.
    pub identity: Option<Identity>,
    /// When it was read, where a note has what it holds; None where it is read now.
    pub read_at: Option<i64>,
    is_lines: bool,
    is_ours: bool,
    seen: Seen,
}

/// What tells whether a file was touched.
#[derive(Clone, Copy)]
struct Seen {
    length: u64,
    modified: Option<SystemTime>,
    changed: (i64, i64),
    inode: u64,
    device: u64,
    /// Written to so lately that its times say nothing.
    is_fresh: bool,
    /// Written to so lately that more may be to come.
    is_hot: bool,
}

impl Seen {
    /// Whether nothing tells of a change between the two.
    fn is_as(&self, other: &Self) -> bool {
        let of = |seen: &Self| (seen.length, seen.modified, seen.changed, seen.inode);
        of(self) == of(other)
    }
}

fn seen(file: &File) -> io::Result<Seen> {
    let meta = file.metadata()?;
    Ok(Seen {
        length: meta.len(),
        modified: meta.modified().ok(),
        changed: fsutil::changed_at(&meta),
        inode: fsutil::inode(&meta),
        device: fsutil::device(&meta),
        is_fresh: !fsutil::is_older_than(&meta, GRAIN).unwrap_or_default(),
        is_hot: !fsutil::is_older_than(&meta, QUIET).unwrap_or(true),
    })
}

/// Whether a time, in seconds and nanoseconds, was longer ago than `age`.
fn is_past((seconds, nanos): (i64, i64), age: Duration) -> bool {
    let since = |seconds: u64, nanos: u32| {
        SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos.min(999_999_999)))
    };
    let parts = (u64::try_from(seconds), u32::try_from(nanos));
    let (Ok(seconds), Ok(nanos)) = parts else {
        return false;
    };
    let elapsed = since(seconds, nanos).and_then(|time| time.elapsed().ok());
    seconds > 0 && elapsed.is_some_and(|elapsed| elapsed > age)
}

/// The state of a file that was `seen`, where it is that long ago that it was changed, so that no later one looks the same.
fn identity(file: &File, seen: &Seen, settled: Duration) -> Option<Identity> {
    let modified = seen.modified?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let mtime = (
        i64::try_from(modified.as_secs()).ok()?,
        i64::from(modified.subsec_nanos()),
    );
    let is_settled = !seen.is_fresh && is_past(mtime, settled) && is_past(seen.changed, settled);
    if !is_settled || !fsutil::notes_changes(file) {
        return None;
    }
    // Before it is read: from then on a store through a mapping gives a new time.
    if !is_past(seen.changed, WRITTEN_BACK) {
        file.sync_data().ok()?;
    }
    Some(Identity {
        device: seen.device,
        inode: seen.inode,
        size: seen.length,
        mtime,
        ctime: seen.changed,
    })
}

/// Whether nobody can have written to the file since it was `before`.
fn is_untouched(file: &File, before: &Seen) -> bool {
    !before.is_fresh && seen(file).is_ok_and(|now| now.is_as(before))
}

impl Open {
    /// Whether what was read, which has the hash `read`, is of one moment. `stop` ends it early.
    pub(super) fn holds_still(&self, read: &Hash, stop: &dyn Fn() -> bool) -> bool {
        if self.is_ours || is_untouched(&self.file, &self.seen) {
            return true;
        }
        // Where its lines end was looked up before; of another text it may be the middle of one.
        let is_end = |last: Option<u8>| !self.is_lines || last == Some(b'\n');
        hash_of(&self.file, self.length, stop)
            .is_ok_and(|(hash, last)| hash == *read && is_end(last))
    }
}

/// The hash of the first `length` bytes, and the last one of them.
fn hash_of(file: &File, length: u64, stop: &dyn Fn() -> bool) -> io::Result<(Hash, Option<u8>)> {
    let mut hasher = blake3::Hasher::new();
    let mut last = None;
    each_piece(file, length, stop, |piece| {
        hasher.update(piece);
        last = piece.last().copied();
        Ok(())
    })?;
    Ok((*hasher.finalize().as_bytes(), last))
}

fn each_piece(
    file: &File,
    length: u64,
    stop: &dyn Fn() -> bool,
    mut work: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let mut offset = 0;
    while offset < length {
        if stop() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = usize::try_from(length - offset).map_or(PIECE, |left| left.min(PIECE));
        let piece = buffer.get_mut(..count).unwrap_or_default();
        fsutil::read_exact_at(file, piece, offset)?;
        work(piece)?;
        offset += count as u64;
    }
    Ok(())
}

/// Takes a file: all of it, or whole lines.
pub(super) fn take(asked: &Asked, rests: &mut Rests) -> Taken {
    let mut earlier = None;
    let mut last = Err(io::Error::from(io::ErrorKind::NotFound));
    for attempt in 1..=TRIES {
        if attempt > 1 {
            rests.rest();
        }
        let is_last = attempt == TRIES || rests.are_over();
        match attempt_to_take(asked, earlier, is_last) {
            Ok(Attempt::Taken(taken)) => return taken,
            Ok(Attempt::UnderWay(seen)) => earlier = Some(seen),
            Ok(Attempt::Moved(bytes)) => last = Ok(bytes),
            // Whoever replaces a file by another one leaves no gap; once more is for those who do.
            Err(error) if fsutil::is_gone(&error) && attempt > 1 => return Taken::Vanished,
            Err(error) if is_hopeless(&error) => return Taken::Unreadable(describe(&error)),
            Err(error) => last = Err(error),
        }
    }
    match last {
        Ok(mut bytes) => {
            if asked.lines.is_some() {
                bytes.truncate(end_of_lines_in(&bytes));
            }
            let found = Found {
                is_moving: true,
                ..Found::default()
            };
            Taken::Small(bytes, found)
        }
        Err(error) => Taken::Unreadable(words(&error)),
    }
}

/// Whether there is no use in trying again.
fn is_hopeless(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidFilename
            | io::ErrorKind::IsADirectory
    )
}

fn words(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        "it became shorter each time it was read".to_owned()
    } else {
        describe(error)
    }
}

enum Attempt {
    Taken(Taken),
    /// It may be being written.
    UnderWay(Seen),
    /// It changed while it was read; what was read last.
    Moved(Vec<u8>),
}

/// `earlier` is what it was when somebody may have been writing it.
fn attempt_to_take(asked: &Asked, earlier: Option<Seen>, is_last: bool) -> io::Result<Attempt> {
    let file = fsutil::open_regular(asked.source)?;
    let before = seen(&file)?;
    if asked.is_under_way(&before, earlier) && !is_last {
        return Ok(Attempt::UnderWay(before));
    }
    let is_lines = asked.lines.is_some();
    let upto = asked.upto(&before);
    let length = if is_lines && upto >= LARGE {
        end_of_lines(&file, upto)?
    } else {
        upto
    };
    let mut found = Found {
        is_cut: length < upto,
        is_shorter: asked.is_shorter(&before),
        is_moving: false,
    };
    if length >= LARGE {
        let open = Open {
            identity: asked
                .settled
                .filter(|_| !asked.is_ours)
                .and_then(|settled| identity(&file, &before, settled)),
            file,
            length,
            place: 0,
            listing: 0,
            read_at: None,
            is_lines,
            is_ours: asked.is_ours,
            seen: before,
        };
        return Ok(Attempt::Taken(Taken::Large(open, found)));
    }
    let mut bytes = read(&file, length)?;
    let is_of_one_moment = bytes.len() as u64 == length
        && !asked.is_written(&before)
        && (asked.is_ours || is_untouched(&file, &before) || read(&file, length)? == bytes);
    let end = if is_lines {
        end_of_lines_in(&bytes)
    } else {
        bytes.len()
    };
    // The lines of another text may end elsewhere than where those ended that it was cut by.
    if !is_of_one_moment || (found.is_cut && end < bytes.len()) {
        return Ok(Attempt::Moved(bytes));
    }
    found.is_cut |= end < bytes.len();
    bytes.truncate(end);
    Ok(Attempt::Taken(Taken::Small(bytes, found)))
}

/// What there is of the first `length` bytes.
fn read(mut file: &File, length: u64) -> io::Result<Vec<u8>> {
    // One byte more is for seeing the end without growing.
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1);
    io::Seek::rewind(&mut file)?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
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

/// The same of a text in hand.
fn end_of_lines_in(text: &[u8]) -> usize {
    let end = memchr::memrchr(b'\n', text).map_or(0, |place| place + 1);
    let rest = text.get(end..).unwrap_or_default();
    if is_whole_value(rest) {
        text.len()
    } else {
        end
    }
}

/// Whether the bytes are a value that says itself where it ends: an object, a list or a string.
fn is_whole_value(bytes: &[u8]) -> bool {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let ends_itself = matches!(first, Some(b'{' | b'[' | b'"'));
    ends_itself && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// What came of copying a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Whether the copy is of one moment.
    pub is_steady: bool,
    /// Whether there was less of the text than there was at its moment.
    pub is_shorter: bool,
    /// Whether the beginning of a line was left out.
    pub is_cut: bool,
    /// Its length in bytes.
    pub length: u64,
}

/// Why a file was not copied.
#[derive(Debug)]
pub enum Uncopied {
    /// It cannot be read.
    Source(io::Error),
    /// The copy cannot be written, or the run was stopped.
    Failed(Error),
}

/// Copies a file, of which [`take`] gave a large one that changed, to a private file at `target`, as `Interrupted` once
/// `stop` says so.
pub fn copy(
    asked: &Asked,
    target: &Path,
    stop: &dyn Fn() -> bool,
) -> std::result::Result<Copied, Uncopied> {
    let mut rests = Rests::default();
    let mut earlier = None;
    let mut runs = 0;
    let mut copied = Copied {
        is_steady: false,
        is_shorter: false,
        is_cut: false,
        length: 0,
    };
    for attempt in 1..=TRIES {
        if attempt > 1 {
            rests.rest();
        }
        let file = fsutil::open_regular(asked.source).map_err(Uncopied::Source)?;
        let before = seen(&file).map_err(Uncopied::Source)?;
        let is_last = attempt == TRIES;
        if asked.is_under_way(&before, earlier) && !is_last {
            earlier = Some(before);
            continue;
        }
        copied.is_shorter = asked.is_shorter(&before);
        let upto = asked.upto(&before);
        let hash = write_copy(&file, upto, target, stop)?;
        runs += 1;
        let is_written = asked.is_written(&before);
        copied.is_steady = hash.filter(|_| !is_written).is_some_and(|hash| {
            is_untouched(&file, &before)
                || hash_of(&file, upto, stop).is_ok_and(|(again, _)| again == hash)
        });
        if stop() {
            return Err(Uncopied::Failed(Error::interrupted()));
        }
        if copied.is_steady || runs == MOST_COPIES {
            break;
        }
    }
    let is_lines = asked.lines.is_some();
    let cut = cut_copy(target, is_lines);
    (copied.length, copied.is_cut) =
        cut.map_err(|error| Uncopied::Failed(Error::io("write", target, error)))?;
    Ok(copied)
}

/// Has a copy end with its last whole line, where it is of lines. How long it is then, and whether that is shorter.
fn cut_copy(target: &Path, is_lines: bool) -> io::Result<(u64, bool)> {
    let copy = File::options().read(true).write(true).open(target)?;
    let length = copy.metadata()?.len();
    let end = if is_lines {
        end_of_lines(&copy, length)?
    } else {
        length
    };
    copy.set_len(end)?;
    Ok((end, end < length))
}

/// The hash of what was copied; None where the file ended before, or the run was stopped.
fn write_copy(
    file: &File,
    length: u64,
    target: &Path,
    stop: &dyn Fn() -> bool,
) -> std::result::Result<Option<Hash>, Uncopied> {
    let unwritten = |error| Uncopied::Failed(Error::io("write", target, error));
    let _ = fs::remove_file(target);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut copy = options.open(target).map_err(unwritten)?;
    let mut hasher = blake3::Hasher::new();
    let mut written = Ok(());
    let read = each_piece(file, length, stop, |piece| {
        hasher.update(piece);
        written = copy.write_all(piece);
        // What is told is why it was not written.
        written
            .as_ref()
            .map_err(|_| io::ErrorKind::Other.into())
            .copied()
    });
    written.map_err(unwritten)?;
    match read {
        Ok(()) => Ok(Some(*hasher.finalize().as_bytes())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof || stop() => Ok(None),
        Err(error) => Err(Uncopied::Source(error)),
    }
}

#[cfg(test)]
mod tests;

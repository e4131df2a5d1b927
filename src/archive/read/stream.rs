//! The compressed side of an archive: other threads hash and inflate ahead, in a few buffers, while the caller works.
//!
//! Every byte of the file goes through the hash and through a gzip member: a wrong CRC, a wrong length, a cut or
//! anything at all behind the last member is an error. (Zero padding behind it is no exception: neither tool writes
//! it, and the sidecar's hash would not fit.)
//!
//! A file that begins with a member of ours is taken to hold nothing else, and its members are inflated by several
//! threads. Any other is inflated in order by one. Of members of ours those that hold nothing but a large file's content
//! may be passed over: then what their headers say is all that is known of them, and no hash of the file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use flate2::bufread::{GzDecoder, MultiGzDecoder};

use super::packed::Packed;
use super::{Caps, damaged};
use crate::archive::member::{BLOCK, HEAD, Head, Key, Unpacker};
use crate::archive::ordered::{Feed, Pool, Results, ordered};
use crate::archive::write::LARGE;
use crate::error::{Error, Result};
use crate::fsutil;
use crate::stop::Watch;

/// One inflated piece of an archive that is inflated in order.
const PIECE: usize = 256 * 1024;

/// How many of them are on their way at most; this bounds the memory.
const PIECES: usize = 4;

/// How many members there may be for each entry that is allowed: a file in blocks has a shared one, its own, and a short
/// last one.
const MEMBERS_EACH: u64 = 4;

/// A member that packs its content denser than this is always looked into: it may be one of zeros, which files are full
/// of, or made to exhaust the disk.
const DENSE: u64 = 64;

/// What is said of compressed data that is not what it must be.
pub(super) const DAMAGED: &str = "its compressed data is damaged, or bytes follow its end";

/// How much of an archive is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// All of it.
    All,
    /// All but members that hold nothing but a large file's content, which are taken at their header's word.
    Outline,
}

/// What the whole file was, once all of it was read.
pub(super) struct Seal {
    /// SHA-256 of the compressed file, in hex; None where some of it was not read.
    pub sha256: Option<String>,
    /// Bytes of the compressed file.
    pub size: u64,
    /// What its members say of themselves, in order; None where it is not made of ours.
    pub members: Option<Vec<Head>>,
}

/// Why there is no next piece.
pub(super) enum Broken {
    /// The system could not read the file.
    Read(io::Error),
    /// The file ends too early.
    Cut,
    /// The bytes are not what a gzip stream, or a member of ours, must be.
    Damaged,
    /// There are too many members.
    Crowded,
    /// A thread failed.
    Lost,
}

/// Some inflated bytes.
#[derive(Default)]
pub(super) struct Piece {
    bytes: Vec<u8>,
    /// How many of them count.
    filled: usize,
    /// How many bytes of the file they come from.
    packed: u64,
    /// What they are, where they are a member of ours.
    key: Option<Key>,
    /// The member that holds them, where it was not looked into.
    sealed: Option<Sealed>,
}

/// A member, and where it stands in the file.
#[derive(Clone, Copy)]
struct Sealed {
    head: Head,
    offset: u64,
}

type Inflated = std::result::Result<Piece, Broken>;

/// Where pieces come from.
pub(super) trait Source {
    /// The next one, None behind the last. `used` is a buffer that is free again.
    fn next(&mut self, used: Vec<u8>) -> Option<Inflated>;

    /// Whether each piece is a member of ours.
    fn is_of_members(&self) -> bool;

    /// Looks into the piece that was not looked into.
    fn open(&mut self, piece: Piece) -> Inflated {
        Ok(piece)
    }

    /// The last piece, that one, turned out to hold nothing but a file's content.
    fn is_content(&mut self, _: &Key) {}
}

/// Inflates the archive at `path` for `work`, which must read to the end; gives its result and the file's seal.
pub(super) fn with_stream<T>(
    path: &Path,
    caps: &Caps,
    depth: Depth,
    threads: usize,
    watch: &dyn Watch,
    work: impl FnOnce(Stream<'_>) -> Result<T>,
) -> Result<(T, Seal)> {
    let mut packed = Packed::open(path)?;
    let limits = Limits::of(caps, packed.length());
    let is_ours = packed
        .peek(HEAD)
        .map(Head::parse)
        .map_err(|error| unreadable(path, error))?
        .is_some();
    let (result, seal) = if is_ours {
        // And one for each block of a large file.
        let most = caps
            .entries
            .saturating_mul(MEMBERS_EACH)
            .saturating_add(caps.total_bytes / BLOCK as u64);
        let pool = Pool::default();
        let guess = Guess::new(depth);
        let again = fsutil::open_regular(path).map_err(|error| unreadable(path, error))?;
        let ran = ordered(
            threads,
            || unpacking(&pool),
            |feed| members(packed, most, &pool, &guess, feed),
            |results| {
                let mut source = Members {
                    results,
                    pool: &pool,
                    guess: &guess,
                    archive: again,
                };
                work(Stream::new(path, watch, limits, &mut source))
            },
        );
        let (seal, result) = ran.map_err(|error| no_thread(path, error))?;
        (result, seal.ok_or_else(|| lost(path))?)
    } else {
        let (full_sender, full) = sync_channel(PIECES);
        let (empty, empty_receiver) = channel();
        for _ in 0..PIECES {
            // The receiver stands in this function; the send cannot fail.
            let _ = empty.send(vec![0; PIECE]);
        }
        thread::scope(|scope| -> Result<_> {
            let inflater = thread::Builder::new()
                .name("inflate".to_owned())
                .spawn_scoped(scope, move || {
                    inflate(packed, &full_sender, &empty_receiver)
                })
                .map_err(|error| no_thread(path, error))?;
            let mut source = Ahead { full, empty };
            let result = work(Stream::new(path, watch, limits, &mut source));
            // Else the inflater would wait for somebody to take what it has.
            drop(source);
            Ok((result, inflater.join().map_err(|_| lost(path))?))
        })?
    };
    let result = result?;
    let seal = seal.ok_or_else(|| damaged(path, None, "it was not read to its end"))?;
    Ok((result, seal))
}

/// Inflates no more of the archive at `path` than `work` asks for, on this thread.
pub(super) fn with_start<T>(
    path: &Path,
    caps: &Caps,
    work: impl FnOnce(Stream<'_>) -> Result<T>,
) -> Result<T> {
    let mut packed = Packed::open(path)?;
    let limits = Limits::of(caps, packed.length());
    let head = packed
        .peek(HEAD)
        .map(Head::parse)
        .map_err(|error| unreadable(path, error))?;
    let mut source: Box<dyn Source> = match head {
        Some(head) => Box::new(First(Some((packed, head)))),
        None => Box::new(InOrder(MultiGzDecoder::new(packed))),
    };
    work(Stream::new(path, &|| false, limits, source.as_mut()))
}

/// The same without a look at members: `work` may ask for what follows the first.
pub(super) fn with_begin<T>(
    path: &Path,
    caps: &Caps,
    work: impl FnOnce(Stream<'_>) -> Result<T>,
) -> Result<T> {
    let packed = Packed::open(path)?;
    let limits = Limits::of(caps, packed.length());
    let mut source = InOrder(MultiGzDecoder::new(packed));
    work(Stream::new(path, &|| false, limits, &mut source))
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::io("read the archive", path, error)
}

fn no_thread(path: &Path, error: io::Error) -> Error {
    Error::io("start a thread to read", path, error)
}

fn lost(path: &Path) -> Error {
    Error::other(
        format!("a thread that reads `{}` failed", path.display()),
        "this should not happen; run again with `--verbose` and report it",
    )
}

/// Which members hold nothing but a large file's content. Only who knows the headers of the tar can tell; a wrong guess
/// costs time.
///
/// The parts of a file in several blocks say so. The one block of a smaller file looks as one that many small files
/// share: of a home's either most are the one or most are the other.
struct Guess {
    depth: Depth,
    is_of_one_file: AtomicBool,
}

impl Guess {
    fn new(depth: Depth) -> Self {
        Self {
            depth,
            is_of_one_file: AtomicBool::new(true),
        }
    }

    /// Whether that member need not be looked into, which follows one that `was` not, or was.
    fn is_content(&self, head: &Head, was: bool) -> bool {
        let plain = u64::from(head.key.plain);
        if self.depth == Depth::All || u64::from(head.size) * DENSE < plain {
            return false;
        }
        // Behind a file comes the next one's header.
        let may_be = || !was && plain >= LARGE && self.is_of_one_file.load(Ordering::Relaxed);
        head.key.part.is_some() || may_be()
    }

    fn learn(&self, key: &Key, is_content: bool) {
        if key.part.is_none() && u64::from(key.plain) >= LARGE {
            self.is_of_one_file.store(is_content, Ordering::Relaxed);
        }
    }
}

/// A member as it stands in the file.
enum Slice {
    /// All of it.
    Whole(Head, Vec<u8>),
    /// Where it is.
    Place(Sealed),
}

type Sliced = std::result::Result<Slice, Broken>;

/// Hands in every member of the file; None when it is broken or nobody listens any more.
fn members(
    mut packed: Packed,
    most: u64,
    pool: &Pool,
    guess: &Guess,
    feed: &Feed<Sliced, Inflated>,
) -> Option<Seal> {
    let mut heads: Vec<Head> = Vec::new();
    let mut was_content = false;
    loop {
        let sliced = match head_of(&mut packed, heads.first()) {
            Ok(Some(_)) if heads.len() as u64 == most => Err(Broken::Crowded),
            Ok(Some(head)) => {
                heads.push(head);
                was_content = guess.is_content(&head, was_content);
                if was_content {
                    pass_over(&mut packed, head)
                } else {
                    let mut member = pool.take_used();
                    slice(&mut packed, &head, &mut member).map(|()| Slice::Whole(head, member))
                }
            }
            Ok(None) => break,
            Err(broken) => Err(broken),
        };
        let is_broken = sliced.is_err();
        if !feed.put(sliced) || is_broken {
            return None;
        }
    }
    Some(Seal {
        size: packed.size(),
        sha256: packed.sha256(),
        members: Some(heads),
    })
}

/// The header of the next member, which stays; None at the end of the file. All members of an archive are of one level,
/// the one of the `first`.
fn head_of(packed: &mut Packed, first: Option<&Head>) -> std::result::Result<Option<Head>, Broken> {
    let ahead = packed.peek(HEAD).map_err(Broken::Read)?;
    if ahead.is_empty() {
        return Ok(None);
    }
    let Some(head) = Head::parse(ahead) else {
        let is_begun = ahead.len() < HEAD && Head::may_begin(ahead);
        return Err(if is_begun {
            Broken::Cut
        } else {
            Broken::Damaged
        });
    };
    if first.is_some_and(|first| first.key.level != head.key.level) {
        return Err(Broken::Damaged);
    }
    Ok(Some(head))
}

/// Puts the next member in place of what `out` holds.
fn slice(packed: &mut Packed, head: &Head, out: &mut Vec<u8>) -> std::result::Result<(), Broken> {
    let size = head.size as usize;
    let taken = packed.take(size, out).map_err(Broken::Read)?;
    if taken < size {
        return Err(Broken::Cut);
    }
    Ok(())
}

/// Notes where the next member stands.
fn pass_over(packed: &mut Packed, head: Head) -> Sliced {
    let offset = packed.position();
    if packed.skip(u64::from(head.size)).map_err(Broken::Read)? {
        Ok(Slice::Place(Sealed { head, offset }))
    } else {
        Err(Broken::Cut)
    }
}

/// Unpacks members and judges them by all that they say of themselves.
fn unpacking(pool: &Pool) -> impl FnMut(Sliced) -> Inflated {
    let mut unpacker = Unpacker::new();
    move |sliced| {
        let (head, member) = match sliced? {
            Slice::Whole(head, member) => (head, member),
            Slice::Place(sealed) => {
                return Ok(Piece {
                    bytes: Vec::new(),
                    filled: sealed.head.key.plain as usize,
                    packed: u64::from(sealed.head.size),
                    key: Some(sealed.head.key),
                    sealed: Some(sealed),
                });
            }
        };
        let plain = pool.take_used();
        let piece = unpack(&mut unpacker, &head, &member, plain);
        pool.give(member);
        piece
    }
}

fn unpack(unpacker: &mut Unpacker, head: &Head, member: &[u8], mut plain: Vec<u8>) -> Inflated {
    unpacker
        .unpack(head, member, &mut plain)
        .map_err(|_| Broken::Damaged)?;
    Ok(Piece {
        filled: plain.len(),
        packed: u64::from(head.size),
        bytes: plain,
        key: Some(head.key),
        sealed: None,
    })
}

/// The members of a file, as several threads unpack them.
struct Members<'a> {
    results: &'a mut Results<Inflated>,
    pool: &'a Pool,
    guess: &'a Guess,
    /// The file once more, to look into what was passed over.
    archive: File,
}

impl Source for Members<'_> {
    fn next(&mut self, used: Vec<u8>) -> Option<Inflated> {
        if used.capacity() > 0 {
            self.pool.give(used);
        }
        let inflated = self.results.next()?;
        Some(inflated.unwrap_or(Err(Broken::Lost)))
    }

    fn is_of_members(&self) -> bool {
        true
    }

    fn open(&mut self, piece: Piece) -> Inflated {
        let Some(sealed) = piece.sealed else {
            return Ok(piece);
        };
        self.guess.learn(&sealed.head.key, false);
        let mut member = self.pool.take_used();
        member.resize(sealed.head.size as usize, 0);
        match fsutil::read_exact_at(&self.archive, &mut member, sealed.offset) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(Broken::Cut),
            Err(error) => return Err(Broken::Read(error)),
        }
        let plain = self.pool.take_used();
        let unpacked = unpack(&mut Unpacker::new(), &sealed.head, &member, plain);
        self.pool.give(member);
        unpacked
    }

    fn is_content(&mut self, key: &Key) {
        self.guess.learn(key, true);
    }
}

/// The first member alone.
struct First(Option<(Packed, Head)>);

impl Source for First {
    fn next(&mut self, used: Vec<u8>) -> Option<Inflated> {
        let (mut packed, head) = self.0.take()?;
        let mut member = Vec::new();
        let sliced = slice(&mut packed, &head, &mut member);
        Some(sliced.and_then(|()| unpack(&mut Unpacker::new(), &head, &member, used)))
    }

    fn is_of_members(&self) -> bool {
        true
    }
}

/// What one thread inflates ahead.
struct Ahead {
    full: Receiver<Inflated>,
    empty: Sender<Vec<u8>>,
}

impl Source for Ahead {
    fn next(&mut self, used: Vec<u8>) -> Option<Inflated> {
        if !used.is_empty() {
            // The inflater may have ended already.
            let _ = self.empty.send(used);
        }
        self.full.recv().ok()
    }

    fn is_of_members(&self) -> bool {
        false
    }
}

/// What is inflated when it is asked for.
struct InOrder(MultiGzDecoder<Packed>);

impl Source for InOrder {
    fn next(&mut self, mut used: Vec<u8>) -> Option<Inflated> {
        used.resize(PIECE, 0);
        let filled = match self.0.read(&mut used) {
            Ok(0) => return None,
            Ok(filled) => filled,
            Err(error) => return Some(Err(broken(self.0.get_mut(), &error))),
        };
        Some(Ok(Piece {
            bytes: used,
            filled,
            packed: 0,
            key: None,
            sealed: None,
        }))
    }

    fn is_of_members(&self) -> bool {
        false
    }
}

fn broken(packed: &mut Packed, error: &io::Error) -> Broken {
    match packed.take_failure() {
        Some(cause) => Broken::Read(cause),
        None if error.kind() == io::ErrorKind::UnexpectedEof => Broken::Cut,
        None => Broken::Damaged,
    }
}

/// Sends the inflated file piece by piece; None when it is broken or nobody listens any more.
fn inflate(packed: Packed, full: &SyncSender<Inflated>, empty: &Receiver<Vec<u8>>) -> Option<Seal> {
    let mut decoder = GzDecoder::new(packed);
    let mut told = 0;
    loop {
        let mut bytes = empty.recv().ok()?;
        let mut filled = 0;
        let mut end = None;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match decoder.read(rest) {
                Ok(0) => match follows(decoder.get_mut()) {
                    Ok(true) => decoder = GzDecoder::new(decoder.into_inner()),
                    Ok(false) => {
                        end = Some(Ok(()));
                        break;
                    }
                    Err(broken) => {
                        end = Some(Err(broken));
                        break;
                    }
                },
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    end = Some(Err(broken(decoder.get_mut(), &error)));
                    break;
                }
            }
        }
        // What was inflated before a fault goes first: the tar reader may know a better reason.
        let position = decoder.get_ref().position();
        let piece = Piece {
            bytes,
            filled,
            packed: position - std::mem::replace(&mut told, position),
            key: None,
            sealed: None,
        };
        full.send(Ok(piece)).ok()?;
        match end {
            None => {}
            Some(Ok(())) => break,
            Some(Err(broken)) => {
                full.send(Err(broken)).ok()?;
                return None;
            }
        }
    }
    let packed = decoder.into_inner();
    Some(Seal {
        size: packed.size(),
        sha256: packed.sha256(),
        members: None,
    })
}

/// Whether another member follows. One of ours never stands behind another program's: the first one's header, which no
/// CRC of gzip covers, was altered.
fn follows(packed: &mut Packed) -> std::result::Result<bool, Broken> {
    let ahead = packed.peek(HEAD).map_err(Broken::Read)?;
    if Head::parse(ahead).is_some() {
        return Err(Broken::Damaged);
    }
    Ok(!ahead.is_empty())
}

/// The most that may be inflated.
#[derive(Clone, Copy)]
struct Limits {
    total: u64,
    by_ratio: u64,
    ratio: u64,
}

impl Limits {
    fn of(caps: &Caps, compressed: u64) -> Self {
        Self {
            total: caps.total_bytes,
            by_ratio: compressed.saturating_mul(caps.ratio).max(caps.ratio_from),
            ratio: caps.ratio,
        }
    }
}

/// The inflated bytes in order, within the caps.
pub(super) struct Stream<'a> {
    path: &'a Path,
    watch: &'a dyn Watch,
    limits: Limits,
    source: &'a mut dyn Source,
    piece: Piece,
    taken: usize,
    total: u64,
}

impl<'a> Stream<'a> {
    fn new(
        path: &'a Path,
        watch: &'a dyn Watch,
        limits: Limits,
        source: &'a mut dyn Source,
    ) -> Self {
        Self {
            path,
            watch,
            limits,
            source,
            piece: Piece::default(),
            taken: 0,
            total: 0,
        }
    }

    /// The archive it reads.
    pub fn path(&self) -> &'a Path {
        self.path
    }

    /// Whether the archive is made of members of ours.
    pub fn is_of_members(&self) -> bool {
        self.source.is_of_members()
    }

    /// How many bytes were inflated up to now.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many bytes were taken up to now.
    pub fn position(&self) -> u64 {
        self.total - (self.piece.filled - self.taken) as u64
    }

    /// How many bytes more may follow.
    pub fn room(&self) -> u64 {
        let unread = (self.piece.filled - self.taken) as u64;
        let room = self.limits.total.saturating_sub(self.total);
        room.saturating_add(unread)
    }

    /// Passes over the next piece and gives what its header says it is, where nobody looked into it and `is_wanted` says
    /// so of it; None where bytes are to be asked for.
    pub fn believe(&mut self, is_wanted: impl Fn(&Key) -> bool) -> Result<Option<Key>> {
        if self.taken == self.piece.filled && !self.refill()? {
            return Ok(None);
        }
        let Some(key) = self
            .piece
            .key
            .filter(|key| self.taken == 0 && is_wanted(key))
        else {
            return Ok(None);
        };
        self.source.is_content(&key);
        if self.piece.sealed.is_none() {
            return Ok(None);
        }
        self.taken = self.piece.filled;
        Ok(Some(key))
    }

    /// The next bytes, at most `most` and at least one; an empty slice is the end of a sound file. Where they are the
    /// whole of a member of ours, what it says they are stands beside them.
    pub fn next(&mut self, most: u64) -> Result<(&[u8], Option<Key>)> {
        if self.taken == self.piece.filled && !self.refill()? {
            return Ok((&[], None));
        }
        if self.piece.sealed.is_some() {
            let sealed = std::mem::take(&mut self.piece);
            let opened = self.source.open(sealed);
            self.piece = opened.map_err(|broken| self.broken(broken))?;
        }
        let count = usize::try_from(most).unwrap_or(usize::MAX);
        let start = self.taken;
        self.taken = self.piece.filled.min(start.saturating_add(count));
        let is_whole = start == 0 && self.taken == self.piece.filled;
        let bytes = self.piece.bytes.get(start..self.taken).unwrap_or_default();
        Ok((bytes, self.piece.key.filter(|_| is_whole)))
    }

    /// Takes the next piece that is not empty; false at the end.
    fn refill(&mut self) -> Result<bool> {
        loop {
            if self.watch.is_stopped() {
                return Err(Error::interrupted());
            }
            let used = std::mem::take(&mut self.piece).bytes;
            self.taken = 0;
            let Some(inflated) = self.source.next(used) else {
                return Ok(false);
            };
            self.piece = inflated.map_err(|broken| self.broken(broken))?;
            self.total += self.piece.filled as u64;
            self.watch.did(self.piece.packed);
            if self.total > self.limits.total {
                return Err(self.refuse(&format!(
                    "it unpacks to more bytes than `archive.max_bytes` allows, {}",
                    self.limits.total
                )));
            }
            if self.total > self.limits.by_ratio {
                return Err(self.refuse(&format!(
                    "it unpacks to more than {} times its size, which `archive.max_ratio` allows",
                    self.limits.ratio
                )));
            }
            if self.piece.filled > 0 {
                return Ok(true);
            }
        }
    }

    fn refuse(&self, reason: &str) -> Error {
        damaged(self.path, None, reason)
    }

    fn broken(&self, broken: Broken) -> Error {
        match broken {
            Broken::Read(cause) => unreadable(self.path, cause),
            Broken::Cut => self.refuse("its compressed data is cut off"),
            Broken::Damaged if self.total == 0 => {
                self.refuse("it is no gzip file, or its very start is damaged")
            }
            Broken::Damaged => self.refuse(DAMAGED),
            Broken::Crowded => {
                self.refuse("it holds more members than `archive.max_entries` allows")
            }
            Broken::Lost => lost(self.path),
        }
    }
}

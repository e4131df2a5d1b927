//! The compressed side of an archive: one thread hashes and inflates ahead, in a few buffers, while the caller works.
//!
//! Every byte of the file goes through the hash and through a gzip member: a wrong CRC, a wrong length, a cut or
//! anything at all behind the last member is an error. (Zero padding behind it is no exception: neither tool writes
//! it, and the sidecar's hash would not fit.)

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::{Caps, damaged};
use crate::error::{Error, Result};

/// One inflated piece. Also the size of the writes while extracting: 1 MiB ones were measured erratic.
const PIECE: usize = 256 * 1024;

/// How many pieces are on their way at most; this bounds the memory.
const PIECES: usize = 4;

/// How much of the file is read at a time.
const COMPRESSED_PIECE: usize = 128 * 1024;

/// What the whole file was, once all of it was read.
pub(super) struct Seal {
    /// SHA-256 of the compressed file, in hex.
    pub sha256: String,
    /// Bytes of the compressed file.
    pub size: u64,
}

enum Broken {
    /// The system could not read the file.
    Read(io::Error),
    /// The bytes are no whole gzip stream.
    Gzip(io::Error),
}

type Inflated = std::result::Result<(Vec<u8>, usize), Broken>;

/// Inflates the archive at `path` for `work`, which must read to the end; gives its result and the file's seal.
pub(super) fn with_stream<T>(
    path: &Path,
    caps: &Caps,
    stop: &dyn Fn() -> bool,
    work: impl FnOnce(Stream<'_>) -> Result<T>,
) -> Result<(T, Seal)> {
    let unreadable = |error| Error::io("read the archive", path, error);
    // Asked before opening, since opening a named pipe would wait for its other end.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(damaged(path, None, "it is not a regular file"));
    }
    let file = File::open(path).map_err(unreadable)?;
    let compressed = file.metadata().map_err(unreadable)?.len();
    let (full_sender, full) = sync_channel(PIECES);
    let (empty, empty_receiver) = channel();
    for _ in 0..PIECES {
        // The receiver stands in this function; the send cannot fail.
        let _ = empty.send(vec![0; PIECE]);
    }
    thread::scope(|scope| {
        let inflater = thread::Builder::new()
            .name("inflate".to_owned())
            .spawn_scoped(scope, move || inflate(file, &full_sender, &empty_receiver))
            .map_err(|error| Error::io("start a thread to read", path, error))?;
        let result = work(Stream {
            path,
            stop,
            full,
            empty,
            piece: Vec::new(),
            filled: 0,
            taken: 0,
            total: 0,
            most: caps.total_bytes,
            most_by_ratio: compressed.saturating_mul(caps.ratio).max(caps.ratio_from),
            ratio: caps.ratio,
        });
        let seal = inflater.join().map_err(|_| {
            Error::other(
                format!("the thread that reads `{}` failed", path.display()),
                "this should not happen; run again with `--verbose` and report it",
            )
        })?;
        let result = result?;
        let seal = seal.ok_or_else(|| damaged(path, None, "it was not read to its end"))?;
        Ok((result, seal))
    })
}

/// Sends the inflated file piece by piece; None when it is broken or nobody listens any more.
fn inflate(file: File, full: &SyncSender<Inflated>, empty: &Receiver<Vec<u8>>) -> Option<Seal> {
    let mut decoder = MultiGzDecoder::new(Compressed {
        file,
        buffer: vec![0; COMPRESSED_PIECE],
        start: 0,
        end: 0,
        size: 0,
        hasher: Sha256::new(),
        failed: None,
    });
    loop {
        let mut piece = empty.recv().ok()?;
        let mut filled = 0;
        while let Some(rest) = piece.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match decoder.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let broken = match decoder.get_mut().failed.take() {
                        Some(cause) => Broken::Read(cause),
                        None => Broken::Gzip(error),
                    };
                    // What was inflated before goes first: the tar reader may know a better reason.
                    full.send(Ok((piece, filled))).ok()?;
                    full.send(Err(broken)).ok()?;
                    return None;
                }
            }
        }
        if filled == 0 {
            break;
        }
        full.send(Ok((piece, filled))).ok()?;
    }
    let source = decoder.into_inner();
    Some(Seal {
        sha256: hex(&source.hasher.finalize()),
        size: source.size,
    })
}

/// The file, hashed as it is read.
struct Compressed {
    file: File,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    size: u64,
    hasher: Sha256,
    /// Why the system refused, kept because the decoder's error does not tell it from damage.
    failed: Option<io::Error>,
}

impl BufRead for Compressed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.start >= self.end {
            match self.file.read(&mut self.buffer) {
                Ok(0) => return Ok(&[]),
                Ok(count) => {
                    (self.start, self.end) = (0, count.min(self.buffer.len()));
                    self.size += count as u64;
                    self.hasher
                        .update(self.buffer.get(..count).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let kind = error.kind();
                    self.failed = Some(error);
                    return Err(kind.into());
                }
            }
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }
}

impl Read for Compressed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let count = ready.len().min(into.len());
        for (to, from) in into.iter_mut().zip(ready) {
            *to = *from;
        }
        self.consume(count);
        Ok(count)
    }
}

/// The inflated bytes in order, within the caps.
pub(super) struct Stream<'a> {
    path: &'a Path,
    stop: &'a dyn Fn() -> bool,
    full: Receiver<Inflated>,
    empty: Sender<Vec<u8>>,
    piece: Vec<u8>,
    filled: usize,
    taken: usize,
    total: u64,
    most: u64,
    most_by_ratio: u64,
    ratio: u64,
}

impl<'a> Stream<'a> {
    /// The archive it reads.
    pub fn path(&self) -> &'a Path {
        self.path
    }

    /// How many bytes were inflated up to now.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many bytes more may follow.
    pub fn room(&self) -> u64 {
        let unread = (self.filled - self.taken) as u64;
        self.most.saturating_sub(self.total).saturating_add(unread)
    }

    /// The next bytes, at most `most` and at least one; an empty slice is the end of a sound file.
    pub fn next(&mut self, most: u64) -> Result<&[u8]> {
        if self.taken == self.filled && !self.refill()? {
            return Ok(&[]);
        }
        let count = usize::try_from(most).unwrap_or(usize::MAX);
        let start = self.taken;
        self.taken = self.filled.min(start.saturating_add(count));
        Ok(self.piece.get(start..self.taken).unwrap_or_default())
    }

    /// Takes the next piece that is not empty; false at the end.
    fn refill(&mut self) -> Result<bool> {
        loop {
            if (self.stop)() {
                return Err(Error::interrupted());
            }
            let Ok(inflated) = self.full.recv() else {
                return Ok(false);
            };
            let (piece, filled) = inflated.map_err(|broken| self.broken(&broken))?;
            let used = std::mem::replace(&mut self.piece, piece);
            if !used.is_empty() {
                // The inflater may have ended already.
                let _ = self.empty.send(used);
            }
            (self.taken, self.filled) = (0, filled);
            self.total += filled as u64;
            if self.total > self.most {
                return Err(damaged(
                    self.path,
                    None,
                    &format!(
                        "it unpacks to more bytes than `archive.max_bytes` allows, {}",
                        self.most
                    ),
                ));
            }
            if self.total > self.most_by_ratio {
                return Err(damaged(
                    self.path,
                    None,
                    &format!(
                        "it unpacks to more than {} times its size, which `archive.max_ratio` allows",
                        self.ratio
                    ),
                ));
            }
            if filled > 0 {
                return Ok(true);
            }
        }
    }

    fn broken(&self, broken: &Broken) -> Error {
        match broken {
            Broken::Read(cause) => {
                let cause = cause
                    .raw_os_error()
                    .map_or_else(|| cause.kind().into(), io::Error::from_raw_os_error);
                Error::io("read the archive", self.path, cause)
            }
            Broken::Gzip(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => {
                damaged(self.path, None, "its compressed data is cut off")
            }
            Broken::Gzip(_) if self.total == 0 => damaged(
                self.path,
                None,
                "it is no gzip file, or its very start is damaged",
            ),
            Broken::Gzip(_) => damaged(
                self.path,
                None,
                "its compressed data is damaged, or bytes follow its end",
            ),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

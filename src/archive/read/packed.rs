//! The file as it lies, read in order and hashed on the way.

use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::damaged;
use crate::error::{Error, Result};
use crate::fsutil;

/// How much of the file is read at a time.
const PIECE: usize = 128 * 1024;

/// The same where parts of it are passed over: most of what is read beyond a header would be of those.
const PIECE_OF_PARTS: usize = 8 * 1024;

/// The compressed file.
pub(super) struct Packed {
    file: File,
    length: u64,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    size: u64,
    /// None once something was passed over.
    hasher: Option<Sha256>,
    /// Why the system refused, kept because a decoder's error does not tell it from damage.
    failure: Option<io::Error>,
}

impl Packed {
    /// Opens the archive at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        let unreadable = |error| Error::io("read the archive", path, error);
        let file = fsutil::open_regular(path).map_err(|error| match error.kind() {
            io::ErrorKind::IsADirectory | io::ErrorKind::InvalidInput => {
                damaged(path, None, "it is not a regular file")
            }
            _ => unreadable(error),
        })?;
        let length = file.metadata().map_err(unreadable)?.len();
        Ok(Self {
            file,
            length,
            buffer: vec![0; PIECE],
            start: 0,
            end: 0,
            size: 0,
            hasher: Some(Sha256::new()),
            failure: None,
        })
    }

    /// How long the file was when it was opened.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many bytes were read or passed over up to now.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where the next byte that is given stands in the file.
    pub fn position(&self) -> u64 {
        self.size - (self.end - self.start) as u64
    }

    /// SHA-256 of all that was read, in hex; None where something was passed over.
    pub fn sha256(self) -> Option<String> {
        let hasher = self.hasher?;
        Some(fsutil::hex(&hasher.finalize()))
    }

    /// Passes over the next `count` bytes; false where the file ends before.
    pub fn skip(&mut self, count: u64) -> io::Result<bool> {
        let to = self.position().saturating_add(count);
        if to > self.length {
            return Ok(false);
        }
        self.hasher = None;
        let ready = (self.end - self.start) as u64;
        if count <= ready {
            self.start += usize::try_from(count).unwrap_or_default();
        } else {
            self.file.seek(SeekFrom::Start(to))?;
            (self.start, self.end, self.size) = (0, 0, to);
        }
        Ok(true)
    }

    /// Why the system could not read on, where it could not.
    pub fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// The next `count` bytes, which stay, and what else is at hand; fewer at the end of the file.
    pub fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.end - self.start < count {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            let most = if self.hasher.is_some() {
                PIECE
            } else {
                PIECE_OF_PARTS.max(count)
            };
            let room = self.buffer.get_mut(self.end..most).unwrap_or_default();
            match read(&mut self.file, &mut self.hasher, room)? {
                0 => break,
                more => {
                    self.end += more;
                    self.size += more as u64;
                }
            }
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    /// Puts the next `count` bytes in place of what `out` holds; gives how many there were before the file's end.
    pub fn take(&mut self, count: usize, out: &mut Vec<u8>) -> io::Result<usize> {
        out.resize(count, 0);
        let ready = self.peek(1)?;
        let ready = ready.get(..count).unwrap_or(ready);
        let mut filled = ready.len();
        if let Some(to) = out.get_mut(..filled) {
            to.copy_from_slice(ready);
        }
        self.start += filled;
        while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match read(&mut self.file, &mut self.hasher, rest)? {
                0 => break,
                more => {
                    filled += more;
                    self.size += more as u64;
                }
            }
        }
        Ok(filled)
    }
}

fn read(file: &mut File, hasher: &mut Option<Sha256>, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(into) {
            Ok(count) => {
                if let Some(hasher) = hasher {
                    hasher.update(into.get(..count).unwrap_or_default());
                }
                return Ok(count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl BufRead for Packed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end
            && let Err(error) = self.peek(1)
        {
            let kind = error.kind();
            self.failure = Some(error);
            return Err(kind.into());
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }
}

impl Read for Packed {
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

//! Reading an object as it comes, however often the connection is cut on the way.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::engine::Engine;
use super::failures::Cause;
use crate::error::{Error, Result};

/// How often in a row it is begun anew without a byte having come.
const TRIES: u32 = 4;

/// How long to wait before, times the tries so far.
const PAUSE: Duration = Duration::from_millis(300);

/// The bytes of an object as they come.
pub(super) type Pieces = BoxStream<'static, Result<Bytes, Cause>>;

/// What a store reads objects from.
pub(super) trait Ranges: Send + Sync {
    /// What begins at `offset` of the object, which must still be that of `etag` where one is named. None where there is
    /// no object.
    fn open(&self, key: &str, offset: u64, etag: Option<&str>) -> Result<Option<Opened>>;
    /// What drives it.
    fn engine(&self) -> &Arc<Engine>;
    /// The failure to read from it.
    fn told(&self, cause: &Cause) -> Error;
    /// The failure to read on.
    fn lost(&self, why: &str) -> Error;
}

/// An object that a store has begun to send.
pub(super) struct Opened {
    /// How long all of it is.
    pub size: u64,
    /// Which of all that stood there.
    pub etag: Option<String>,
    pub pieces: Pieces,
}

/// An object being read.
pub struct Reader {
    size: u64,
    source: Source,
}

enum Source {
    File(File),
    Object {
        store: Arc<dyn Ranges>,
        key: String,
        etag: Option<String>,
        /// None once it was cut.
        pieces: Option<Pieces>,
        piece: Bytes,
        /// How much was received.
        offset: u64,
    },
}

impl Reader {
    pub(super) fn of_file(file: File) -> Self {
        Self {
            size: file.metadata().map_or(0, |meta| meta.len()),
            source: Source::File(file),
        }
    }

    pub(super) fn of_object(store: Arc<dyn Ranges>, key: &str) -> Result<Option<Self>> {
        let Some(opened) = store.open(key, 0, None)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            size: opened.size,
            source: Source::Object {
                store,
                key: key.to_owned(),
                etag: opened.etag,
                pieces: Some(opened.pieces),
                piece: Bytes::new(),
                offset: 0,
            },
        }))
    }

    /// The next bytes of an object in a bucket; none at its end.
    fn next(&mut self) -> Result<Bytes> {
        let Source::Object {
            store,
            key,
            etag,
            pieces,
            piece,
            offset,
        } = &mut self.source
        else {
            return Ok(Bytes::new());
        };
        let mut tries = 0;
        loop {
            if !piece.is_empty() || *offset >= self.size {
                return Ok(std::mem::take(piece));
            }
            let engine = store.engine();
            let Some(stream) = pieces else {
                let gone = || {
                    let why = format!("`{key}` was removed while it was read");
                    store.lost(&why)
                };
                let opened = store.open(key, *offset, etag.as_deref())?;
                *pieces = Some(opened.ok_or_else(gone)?.pieces);
                continue;
            };
            let cause = match engine.wait(stream.next())? {
                Some(Ok(bytes)) => {
                    *offset += bytes.len() as u64;
                    *piece = bytes;
                    tries = 0;
                    continue;
                }
                Some(Err(cause)) => cause,
                // It ended too soon.
                None => Cause::Broken,
            };
            *pieces = None;
            tries += 1;
            if tries >= TRIES || !cause.may_pass() {
                return Err(store.told(&cause));
            }
            engine.pause(PAUSE * tries)?;
        }
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Source::File(file) = &mut self.source {
            return file.read(buffer);
        }
        if buffer.is_empty() {
            return Ok(0);
        }
        let mut piece = self.next().map_err(wrapped)?;
        let length = piece.len().min(buffer.len());
        piece.copy_to_slice(&mut buffer[..length]);
        if let Source::Object { piece: rest, .. } = &mut self.source {
            *rest = piece;
        }
        Ok(length)
    }
}

/// A failure as readers and writers hand it on.
pub(super) fn wrapped(error: Error) -> io::Error {
    io::Error::other(error)
}

impl fmt::Debug for Reader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Reader of {} bytes", self.size)
    }
}

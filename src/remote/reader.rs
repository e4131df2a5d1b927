//! Reading an object as it comes, however often the connection is cut on the way.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::failures::Cause;
use super::objects::Objects;
use crate::error::{Error, Result};

/// How often in a row it is begun anew without a byte having come.
const TRIES: u32 = 4;

/// How long to wait before, times the tries so far.
const PAUSE: Duration = Duration::from_millis(300);

type Pieces = BoxStream<'static, object_store::Result<Bytes>>;

/// An object being read.
pub struct Reader {
    size: u64,
    source: Source,
}

enum Source {
    File(File),
    Object {
        objects: Arc<Objects>,
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

    pub(super) fn of_object(objects: Arc<Objects>, key: &str) -> Result<Option<Self>> {
        let Some(got) = objects.get(key, 0, None)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            size: got.meta.size,
            source: Source::Object {
                objects,
                key: key.to_owned(),
                etag: got.meta.e_tag.clone(),
                pieces: Some(got.into_stream()),
                piece: Bytes::new(),
                offset: 0,
            },
        }))
    }

    /// How long the object is.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The next bytes of an object in a bucket; none at its end.
    fn next(&mut self) -> Result<Bytes> {
        let Source::Object {
            objects,
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
            let engine = objects.engine();
            let Some(stream) = pieces else {
                let gone = || {
                    let why = format!("`{key}` was removed while it was read");
                    objects.lost(&why)
                };
                let got = objects.get(key, *offset, etag.clone())?.ok_or_else(gone)?;
                *pieces = Some(got.into_stream());
                continue;
            };
            let error = match engine.wait(stream.next())? {
                Some(Ok(bytes)) => {
                    *offset += bytes.len() as u64;
                    *piece = bytes;
                    tries = 0;
                    continue;
                }
                Some(Err(error)) => Some(error),
                // It ended too soon.
                None => None,
            };
            *pieces = None;
            tries += 1;
            let cause = error
                .as_ref()
                .map_or(Cause::Broken, |error| Cause::of(error));
            if tries >= TRIES || !cause.may_pass() {
                return Err(objects.told(&cause, "read from"));
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

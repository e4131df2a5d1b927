//! Writing an object of any length: in one request if it is small, else in parts of which two are on their way at once.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use object_store::{MultipartUpload, PutPayload};
use tokio::task::JoinHandle;

use super::dav::Dav;
use super::failures::Cause;
use super::folder::refusal;
use super::objects::Objects;
use super::reader::wrapped;
use crate::error::{Error, Result};
use crate::fsutil::AtomicFile;

/// How long a part is. Stores take ten thousand of them, all of one length but the last.
pub const PART: usize = 8 * 1024 * 1024;

/// How many parts are on their way at once.
const IN_FLIGHT: usize = 2;

/// An object being written. Dropped without [`Upload::finish`] it leaves nothing that could be seen.
pub struct Upload(Target);

enum Target {
    File(AtomicFile),
    Object(Parts),
    Server(Spool),
}

struct Parts {
    objects: Arc<Objects>,
    key: String,
    /// What is not on its way yet.
    buffer: BytesMut,
    /// Once there is more than one part.
    upload: Option<Box<dyn MultipartUpload>>,
    on_their_way: VecDeque<JoinHandle<object_store::Result<()>>>,
    length: u64,
}

impl Upload {
    pub(super) fn to_file(file: AtomicFile) -> Self {
        Self(Target::File(file))
    }

    pub(super) fn to_object(objects: Arc<Objects>, key: &str) -> Self {
        Self(Target::Object(Parts {
            objects,
            key: key.to_owned(),
            buffer: BytesMut::new(),
            upload: None,
            on_their_way: VecDeque::new(),
            length: 0,
        }))
    }

    pub(super) fn to_server(dav: Arc<Dav>, key: &str) -> Self {
        Self(Target::Server(Spool {
            dav,
            key: key.to_owned(),
            buffer: BytesMut::new(),
            file: None,
            length: 0,
        }))
    }

    /// Makes the object appear.
    pub fn finish(self) -> Result<()> {
        match self.0 {
            Target::File(file) => file.commit().map_err(refusal),
            Target::Object(parts) => parts.finish(),
            Target::Server(spool) => spool.finish(),
        }
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Target::File(file) => match file.file().write(bytes) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    Err(wrapped(refusal(Error::io("write", file.target(), error))))
                }
                written => written,
            },
            Target::Object(parts) => parts.take(bytes).map_err(wrapped),
            Target::Server(spool) => spool.take(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Parts {
    /// Takes the next bytes, of which there is room for some.
    fn take(&mut self, bytes: &[u8]) -> Result<usize> {
        if self.buffer.len() == PART {
            let part = self.buffer.split().freeze();
            self.send(part)?;
        }
        let length = bytes.len().min(PART - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..length]);
        self.length += length as u64;
        Ok(length)
    }

    fn send(&mut self, part: Bytes) -> Result<()> {
        if self.upload.is_none() {
            self.upload = Some(self.objects.begin(&self.key)?);
        }
        while self.on_their_way.len() >= IN_FLIGHT {
            self.settle()?;
        }
        if let Some(upload) = &mut self.upload {
            let sent = upload.put_part(PutPayload::from_bytes(part));
            self.on_their_way
                .push_back(self.objects.engine().begin(sent));
        }
        Ok(())
    }

    /// Waits for the part that was sent first.
    fn settle(&mut self) -> Result<()> {
        let Some(first) = self.on_their_way.front_mut() else {
            return Ok(());
        };
        let done = self.objects.engine().wait(first)?;
        self.on_their_way.pop_front();
        match done {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.failed(&error)),
            Err(_) => Err(Error::interrupted()),
        }
    }

    fn failed(&self, error: &object_store::Error) -> Error {
        self.objects.failed("write to", error)
    }

    fn finish(mut self) -> Result<()> {
        let last = self.buffer.split().freeze();
        if self.upload.is_none() {
            return self.objects.put(&self.key, &last);
        }
        if !last.is_empty() {
            self.send(last)?;
        }
        while !self.on_their_way.is_empty() {
            self.settle()?;
        }
        let Some(mut upload) = self.upload.take() else {
            return Ok(());
        };
        let failed = match self.objects.engine().wait(upload.complete()) {
            Ok(Ok(_)) => return Ok(()),
            // The answer to a first try may have been lost: there is no such upload once it is complete.
            Ok(Err(error)) if matches!(Cause::of(&error), Cause::Refused(404, _)) => {
                match self.objects.size(&self.key) {
                    Ok(Some(size)) if size == self.length => return Ok(()),
                    _ => self.failed(&error),
                }
            }
            Ok(Err(error)) => self.failed(&error),
            Err(stopped) => stopped,
        };
        // Taken back with the rest.
        self.upload = Some(upload);
        Err(failed)
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        for part in &self.on_their_way {
            part.abort();
        }
        if let Some(mut upload) = self.upload.take() {
            self.objects
                .engine()
                .take_back(async move { upload.abort().await });
        }
    }
}

/// What goes to a server in one request: kept here until it is whole, so that it can be sent again. The file that it grows
/// into has no name.
struct Spool {
    dav: Arc<Dav>,
    key: String,
    buffer: BytesMut,
    file: Option<File>,
    length: u64,
}

impl Spool {
    fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.file.is_none() && self.buffer.len() + bytes.len() > PART {
            let mut file = tempfile::tempfile()?;
            file.write_all(&self.buffer.split())?;
            self.file = Some(file);
        }
        let taken = if let Some(file) = &mut self.file {
            file.write(bytes)?
        } else {
            self.buffer.extend_from_slice(bytes);
            bytes.len()
        };
        self.length += taken as u64;
        Ok(taken)
    }

    fn finish(self) -> Result<()> {
        match self.file {
            Some(file) => self.dav.put_file(&self.key, file, self.length),
            None => self
                .dav
                .put(&self.key, &self.buffer.freeze(), true)
                .map(|_| ()),
        }
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Upload")
    }
}

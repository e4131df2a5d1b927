//! Readers and writers that keep their own failures apart from those of what is built on them.

use std::error::Error;
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// A reader whose failures can be told from those of decryption.
pub(super) struct Below<R>(pub(super) R);

/// What such a reader failed with.
#[derive(Debug)]
struct Failure(io::Error);

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Error for Failure {}

impl<R: Read> Read for Below<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                // Only a call that a signal cut short: what carries a message of its own would be tried for ever.
                Err(error)
                    if error.kind() == io::ErrorKind::Interrupted && error.get_ref().is_none() => {}
                read => return read.map_err(|error| io::Error::other(Failure(lasting(error)))),
            }
        }
    }
}

/// Under a kind that nobody takes for a call to be made again.
fn lasting(error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::Interrupted {
        return error;
    }
    error
        .into_inner()
        .map_or_else(|| io::ErrorKind::Interrupted.into(), io::Error::other)
}

/// The failure of the reader below, where it is one; else what failed above it.
pub(super) fn of_reader(error: io::Error) -> Result<io::Error, io::Error> {
    error.downcast::<Failure>().map(|Failure(error)| error)
}

/// A writer that notes what it failed with: its user makes texts of that.
pub(super) struct Noting<W> {
    pub(super) out: W,
    noted: Noted,
}

/// What a [`Noting`] failed with first.
#[derive(Clone, Default)]
pub(super) struct Noted(Arc<Mutex<Option<io::Error>>>);

impl<W> Noting<W> {
    pub(super) fn new(out: W) -> (Self, Noted) {
        let noted = Noted::default();
        let noting = Self {
            out,
            noted: noted.clone(),
        };
        (noting, noted)
    }

    fn note<T>(&self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| {
            let mut noted = self.noted.0.lock().unwrap_or_else(PoisonError::into_inner);
            noted.get_or_insert(lasting(error));
            io::Error::other("the writer failed")
        })
    }
}

impl<W: Write> Write for Noting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // All of it: the header is given up where a writer takes less than it is given.
        let written = self.out.write_all(bytes);
        self.note(written.map(|()| bytes.len()))
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.note(flushed)
    }
}

impl Noted {
    /// `error`, or what the writer failed with.
    pub(super) fn instead_of(&self, error: io::Error) -> io::Error {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.take().unwrap_or(error)
    }
}

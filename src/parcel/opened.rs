//! Which form a file is of, told by how it begins, and its content without encryption and compression.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::archive::limits::MAX_RATIO;
use crate::encryption::Identities;
use crate::error::{Error, Kind, Result};
use crate::fsutil;

/// How a file that was encrypted begins.
const AGE: &[u8] = b"age-encryption.org/";

/// The same where it was made text of.
const ARMORED: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

/// What follows where a passphrase opens it.
const BY_PASSPHRASE: &[u8] = b"age-encryption.org/v1\n-> scrypt ";

/// How a compressed file begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Room for what is read at once.
const BUFFER: usize = 1 << 17;

/// From how many inflated bytes on their ratio counts.
const RATIO_FROM: u64 = 64 << 20;

/// Whose form a file is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// This program's.
    Ours,
    /// The Python codex-manager's.
    Python,
}

/// A file that is to be read.
pub struct Opened<'a> {
    /// Whose form it is of.
    pub form: Form,
    /// Its content.
    pub content: Box<dyn Read + 'a>,
}

/// What opens a file: given whether it is a passphrase that does.
pub type Ask<'a> = dyn Fn(bool) -> Result<Identities> + 'a;

/// Opens the file at `path`, which `what` names in failures. `identities` is called where it is encrypted.
pub fn open(path: &Path, what: &str, identities: &Ask) -> Result<Opened<'static>> {
    let file = fsutil::open_regular(path).map_err(|error| Error::io("read", path, error))?;
    let length = file.metadata().map(|meta| meta.len());
    let length = length.map_err(|error| Error::io("read", path, error))?;
    let mut file = BufReader::with_capacity(BUFFER, file);
    let read = |error| Error::io("read", path, error);
    let begin = file.fill_buf().map_err(read)?;
    if begin.starts_with(GZIP.as_slice()) {
        let inflated = flate2::bufread::MultiGzDecoder::new(file);
        let most = length.saturating_mul(MAX_RATIO).max(RATIO_FROM);
        return Ok(Opened {
            form: Form::Python,
            content: Box::new(Limited {
                inner: inflated,
                left: most,
                what: what.to_owned(),
            }),
        });
    }
    let content: Box<dyn Read> = if begin.starts_with(AGE) {
        let keys = identities(begin.starts_with(BY_PASSPHRASE))?;
        Box::new(keys.opening(what, file)?)
    } else if begin.starts_with(ARMORED) {
        let armored = age::armor::ArmoredReader::new(file);
        let mut armored = BufReader::with_capacity(BUFFER, armored);
        let begin = armored
            .fill_buf()
            .map_err(|_| damaged(what, "its text form is damaged"))?;
        let keys = identities(begin.starts_with(BY_PASSPHRASE))?;
        Box::new(keys.opening(what, armored)?)
    } else if is_tar(begin) {
        Box::new(file)
    } else {
        return Err(damaged(what, "it is no exported file"));
    };
    Ok(Opened {
        form: Form::Ours,
        content,
    })
}

/// Whether it may begin a tar archive: what says so stands behind the first name.
fn is_tar(begin: &[u8]) -> bool {
    begin.get(257..262) == Some(b"ustar")
}

/// Why `what` cannot be taken in.
pub(super) fn damaged(what: &str, why: &str) -> Error {
    Error::new(
        Kind::ArchiveDamaged,
        format!("`{what}` cannot be taken in: {why}; nothing was changed"),
        "export it anew, or take another copy of it",
    )
}

/// What inflates to more than anybody compresses is a trap.
struct Limited<R> {
    inner: R,
    left: u64,
    what: String,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let Some(left) = self.left.checked_sub(read as u64) else {
            let why = format!("it holds more than {MAX_RATIO} times its own length");
            return Err(damaged(&self.what, &why).into());
        };
        self.left = left;
        Ok(read)
    }
}

/// Counts what is read, and keeps why nothing more could be: whoever reads through it tells in other words.
pub(super) struct Counted<'a, R> {
    pub(super) inner: R,
    pub(super) place: &'a std::cell::Cell<u64>,
    pub(super) failure: &'a RefCell<Option<Error>>,
    pub(super) what: &'a str,
    pub(super) stop: &'a dyn Fn() -> bool,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.stop)() {
            return Err(self.fails(Error::interrupted()));
        }
        match self.inner.read(buffer) {
            Ok(read) => {
                self.place.set(self.place.get() + read as u64);
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let is_content = matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput
                        | io::ErrorKind::InvalidData
                        | io::ErrorKind::UnexpectedEof
                );
                Err(self.fails(if is_content {
                    damaged(self.what, "it is damaged, or cut")
                } else {
                    Error::carried("read", Path::new(self.what), error)
                }))
            }
        }
    }
}

impl<R> Counted<'_, R> {
    fn fails(&self, error: Error) -> io::Error {
        *self.failure.borrow_mut() = Some(error);
        io::ErrorKind::Other.into()
    }
}

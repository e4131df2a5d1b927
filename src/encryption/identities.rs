//! What opens, and the opening itself.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::path::Path;

use age::secrecy::SecretString;
use age::stream::StreamReader;
use age::{DecryptError, Decryptor, scrypt};
use zeroize::Zeroizing;

use super::below::{self, Below};
use crate::error::{Error, Kind, Result};

/// The most work a passphrase may cost: 2 to this, 4 GiB. The program `age` takes as much.
const MOST_WORK: u8 = 22;

/// The longest header that is read.
const MOST_HEADER: u64 = 1 << 16;

/// Room for what is read at once.
const BUFFER: usize = 1 << 14;

const OTHER_KEYS: &str = "it was encrypted to other keys: copy the identity file of a machine that can open it, and name it with \
     `codex-manager config set sync.identity PATH`";
const DAMAGED: &str = "what is stored was changed, or is not whole: take another copy of it";

/// What opens.
pub struct Identities {
    keys: Vec<Box<dyn age::Identity + Send + Sync>>,
    is_passphrase: bool,
}

impl Identities {
    /// What was encrypted by this passphrase.
    pub fn passphrase(passphrase: SecretString) -> Self {
        let mut key = scrypt::Identity::new(passphrase);
        key.set_max_work_factor(MOST_WORK);
        Self {
            keys: vec![Box::new(key)],
            is_passphrase: true,
        }
    }

    pub(super) fn of_keys(keys: Vec<Box<dyn age::Identity + Send + Sync>>) -> Self {
        Self {
            keys,
            is_passphrase: false,
        }
    }

    /// A reader of what `input` holds encrypted; `what` names it in failures. Fails as `Undecryptable` where no key fits
    /// or the header is damaged.
    ///
    /// **What it gives counts only once it has said that it is at its end**: a later part may have been changed, and what
    /// is cut gives its beginning before it fails. A failure of `input` itself comes through as it is, and so does one of
    /// ours that it carries: [`Error::carried`] tells them apart.
    pub fn opening<R: Read>(&self, what: &str, input: R) -> Result<Opening<R>> {
        let mut input = BufReader::with_capacity(BUFFER, Below(input));
        let header = header(&mut input).map_err(|why| match why {
            Headless::Unreadable(error) => unread(what, error),
            Headless::Foreign => {
                refusal(what, "it is no age file", "check that it is what was meant")
            }
            Headless::Newer => refusal(
                what,
                "it is in a newer age format",
                "a newer codex-manager may open it",
            ),
            Headless::TooLong => refusal(what, "its header is damaged", DAMAGED),
        })?;
        let refused = |error| self.refused(what, error);
        let decryptor =
            Decryptor::new_buffered(Cursor::new(header).chain(input)).map_err(refused)?;
        let is_scrypt = decryptor.is_scrypt();
        if is_scrypt && !self.is_passphrase {
            let why = "it was encrypted by a passphrase, and not to a key";
            return Err(refusal(what, why, OTHER_KEYS));
        }
        let keys = self.keys.iter().map(|key| &**key as &dyn age::Identity);
        Ok(Opening {
            stream: decryptor.decrypt(keys).map_err(refused)?,
            what: what.to_owned(),
            broken: None,
        })
    }

    /// What `bytes` hold encrypted, which must not be longer than `most`.
    pub fn open(&self, what: &str, bytes: &[u8], most: u64) -> Result<Zeroizing<Vec<u8>>> {
        let room = (bytes.len() as u64).min(most) + 1;
        // Room for all of it: what grows leaves copies behind.
        let mut plain = Zeroizing::new(Vec::with_capacity(
            usize::try_from(room).unwrap_or_default(),
        ));
        let opening = self.opening(what, bytes)?;
        let read = opening.take(most.saturating_add(1)).read_to_end(&mut plain);
        read.map_err(|error| Error::carried("decrypt", Path::new(what), error))?;
        if plain.len() as u64 > most {
            let why = format!("it holds more than {most} bytes, which nothing of its kind does");
            return Err(refusal(what, &why, DAMAGED));
        }
        Ok(plain)
    }

    fn refused(&self, what: &str, error: DecryptError) -> Error {
        let (why, hint) = match error {
            DecryptError::Io(error) => return unread(what, error),
            DecryptError::NoMatchingKeys if self.is_passphrase => (
                "it was encrypted to keys, and not by a passphrase",
                OTHER_KEYS,
            ),
            DecryptError::NoMatchingKeys => ("no key at hand opens it", OTHER_KEYS),
            DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed
                if self.is_passphrase =>
            {
                (
                    "the passphrase does not open it",
                    "check the passphrase, and run the command again",
                )
            }
            DecryptError::ExcessiveWork { required, .. } => {
                let why = format!(
                    "its passphrase asks for 2^{required} rounds of work, more than is ever needed"
                );
                return refusal(what, &why, DAMAGED);
            }
            _ => ("its header was changed", DAMAGED),
        };
        refusal(what, why, hint)
    }
}

/// The header, which was read before, and what follows it.
type Whole<R> = Chain<Cursor<Vec<u8>>, BufReader<Below<R>>>;

/// Decrypts what it reads. See [`Identities::opening`] for what that is worth before its end.
pub struct Opening<R: Read> {
    stream: StreamReader<Whole<R>>,
    what: String,
    /// Why it gives nothing any more.
    broken: Option<&'static str>,
}

impl<R: Read> Read for Opening<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(why) = self.broken {
            return Err(refusal(&self.what, why, DAMAGED).into());
        }
        self.stream.read(buffer).map_err(|error| {
            let error = match below::of_reader(error) {
                Ok(error) => return error,
                Err(error) => error,
            };
            let why = if error.kind() == io::ErrorKind::UnexpectedEof {
                "it is cut: its end is missing"
            } else if error.to_string() == "last chunk has been processed" {
                "something follows its end"
            } else {
                "it was changed, or is cut"
            };
            self.broken = Some(why);
            refusal(&self.what, why, DAMAGED).into()
        })
    }
}

/// Why there is no header.
enum Headless {
    Unreadable(io::Error),
    Foreign,
    Newer,
    TooLong,
}

/// The header, up to its last line.
fn header(input: &mut impl BufRead) -> Result<Vec<u8>, Headless> {
    const FIRST: &[u8] = b"age-encryption.org/v1\n";
    const ANY: usize = "age-encryption.org/".len();
    let mut header = Vec::new();
    let mut input = input.take(MOST_HEADER);
    loop {
        let start = header.len();
        let read = input.read_until(b'\n', &mut header);
        read.map_err(Headless::Unreadable)?;
        let line = header.get(start..).unwrap_or_default();
        let known = line.len().min(ANY);
        if start == 0 && line.get(..known) != FIRST.get(..known) {
            return Err(Headless::Foreign);
        }
        if !line.ends_with(b"\n") {
            return Err(if header.len() as u64 == MOST_HEADER {
                Headless::TooLong
            } else {
                Headless::Unreadable(io::ErrorKind::UnexpectedEof.into())
            });
        }
        if start == 0 && line != FIRST {
            return Err(Headless::Newer);
        }
        if line.starts_with(b"--- ") {
            return Ok(header);
        }
    }
}

/// A failure of the reader below within the header, or that it gave no more.
fn unread(what: &str, error: io::Error) -> Error {
    match below::of_reader(error) {
        Ok(error) => Error::carried("read", Path::new(what), error),
        Err(_) => refusal(what, "it is cut within its header", DAMAGED),
    }
}

/// Why `what` is not opened.
pub(super) fn refusal(what: &str, why: &str, hint: &str) -> Error {
    let message = format!("cannot decrypt `{what}`: {why}");
    Error::new(Kind::Undecryptable, message, hint)
}

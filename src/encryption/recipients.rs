//! To whom is encrypted, and the encrypting itself.

use std::io::{self, Write};
use std::path::Path;

use age::secrecy::SecretString;
use age::ssh::ParseRecipientKeyError;
use age::stream::StreamWriter;
use age::{scrypt, ssh, x25519};
use sha2::{Digest, Sha256};

use super::below::{Noted, Noting};
use crate::error::{Error, Kind, Result};
use crate::fsutil;

/// The work of deriving a key from a passphrase: 2 to this. What age takes by itself depends on the machine, and a slower
/// one may refuse to open it.
const WORK_FACTOR: u8 = 18;

/// The most keys: with more of them the header could be longer than one that is read.
const MOST: usize = 64;

/// To whom is encrypted.
pub struct Recipients {
    keys: Vec<Key>,
}

struct Key {
    /// As it is written down, without a comment; None for a passphrase.
    text: Option<String>,
    key: Box<dyn age::Recipient + Send + Sync>,
}

impl Recipients {
    /// `age1…`, `ssh-ed25519 …` and `ssh-rsa …`, each once. Fails as `Usage`, naming the bad one.
    pub fn parse(texts: &[String]) -> Result<Self> {
        const HINT: &str = "a recipient is `age1…`, or a line `ssh-ed25519 …` or `ssh-rsa …` of an SSH `.pub` file";
        let refused = |message: String| Error::new(Kind::Usage, message, HINT);
        let mut keys: Vec<Key> = Vec::new();
        for (place, text) in texts.iter().enumerate() {
            let text = text.trim();
            let key = Key::parse(text).map_err(|why| {
                // Anything else may be a secret in the wrong place.
                let is_public = text.starts_with("age1") || text.starts_with("ssh-");
                let shown: String = text.chars().take(40).collect();
                let name = match (is_public, shown.len() < text.len()) {
                    (true, true) => format!("the recipient `{shown}…`"),
                    (true, false) => format!("the recipient `{shown}`"),
                    (false, _) => format!("the recipient number {}", place + 1),
                };
                refused(format!("{name} is unusable: {why}"))
            })?;
            if keys.iter().all(|known| known.text != key.text) {
                keys.push(key);
            }
        }
        if keys.is_empty() {
            return Err(refused("there is nobody to encrypt to".to_owned()));
        }
        if keys.len() > MOST {
            return Err(refused(format!("there are more than {MOST} recipients")));
        }
        Ok(Self { keys })
    }

    /// Whoever knows this passphrase.
    pub fn passphrase(passphrase: SecretString) -> Self {
        Self::passphrase_with(passphrase, WORK_FACTOR)
    }

    pub(super) fn passphrase_with(passphrase: SecretString, work_factor: u8) -> Self {
        let mut key = scrypt::Recipient::new(passphrase);
        key.set_work_factor(work_factor);
        let key = Key {
            text: None,
            key: Box::new(key),
        };
        Self { keys: vec![key] }
    }

    /// What tells the keys apart in public: the beginning of the SHA-256 of each one's text. None for a passphrase.
    pub fn key_ids(&self) -> Vec<String> {
        let texts = self.keys.iter().filter_map(|key| key.text.as_deref());
        texts
            .map(|text| {
                let mut id = fsutil::hex(&Sha256::digest(text));
                id.truncate(16);
                id
            })
            .collect()
    }

    /// A writer that encrypts into `out`, whose own failures it hands on as they are. Without [`Encrypting::finish`] what
    /// was written is not whole, and nobody takes it for whole.
    pub fn encrypting<W: Write>(&self, out: W) -> Result<Encrypting<W>> {
        let keys = self.keys.iter().map(|key| &*key.key as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(keys)
            .map_err(|error| anyhow::anyhow!("cannot encrypt: {error}"))?;
        let (out, noted) = Noting::new(out);
        let stream = encryptor.wrap_output(out).map_err(|error| {
            Error::carried(
                "write",
                Path::new("what is encrypted"),
                noted.instead_of(error),
            )
        })?;
        Ok(Encrypting { stream, noted })
    }

    /// `bytes` encrypted.
    pub fn seal(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let seal = |mut sealed: Encrypting<Vec<u8>>| {
            sealed.write_all(bytes)?;
            sealed.finish()
        };
        seal(self.encrypting(Vec::with_capacity(bytes.len()))?)
            .map_err(|error| Error::carried("write", Path::new("what is encrypted"), error))
    }
}

impl Key {
    /// The error says why not.
    fn parse(text: &str) -> Result<Self, &'static str> {
        if text.starts_with("age1") {
            let key: x25519::Recipient = text.parse().map_err(
                |_| "it is mistyped, or of a kind that only newer programs or plugins know",
            )?;
            return Ok(Self {
                text: Some(key.to_string()),
                key: Box::new(key),
            });
        }
        let key: ssh::Recipient = text.parse().map_err(|why| match why {
            ParseRecipientKeyError::RsaModulusTooSmall => "its RSA key has less than 2048 bits",
            ParseRecipientKeyError::RsaModulusTooLarge => "its RSA key has more than 4096 bits",
            ParseRecipientKeyError::Unsupported(_) => {
                "nothing can be encrypted to an SSH key of that kind"
            }
            _ => "it is no public key",
        })?;
        Ok(Self {
            text: Some(key.to_string()),
            key: Box::new(key),
        })
    }
}

/// Encrypts what is written to it.
pub struct Encrypting<W: Write> {
    stream: StreamWriter<Noting<W>>,
    noted: Noted,
}

impl<W: Write> Encrypting<W> {
    /// Writes the end.
    pub fn finish(self) -> io::Result<W> {
        let Self { stream, noted } = self;
        let finished = stream.finish().map_err(|error| noted.instead_of(error))?;
        Ok(finished.out)
    }
}

impl<W: Write> Write for Encrypting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.stream.write(bytes);
        written.map_err(|error| self.noted.instead_of(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.stream.flush();
        flushed.map_err(|error| self.noted.instead_of(error))
    }
}

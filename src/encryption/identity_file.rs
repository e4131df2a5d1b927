//! The identity file of this machine: an ordinary one of age, alone or under a passphrase, or an SSH private key.
//!
//! Under a passphrase it is the armored age file of an ordinary one, which `age -i` takes as it is. The program takes no
//! line before or after that, so the public keys stand beside it, in a file with `.pub` at the end of its name, as those
//! of SSH do: nobody is asked for a passphrase only to encrypt.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::{ExposeSecret, SecretString};
use age::ssh::UnsupportedKey;
use age::{ssh, x25519};
use zeroize::Zeroizing;

use super::identities::{Identities, refusal};
use super::recipients::Recipients;
use super::secret_file;
use crate::error::{Error, Kind, Result};
use crate::fsutil::{self, AtomicFile};
use crate::timeutil::Stamp;

/// The longest one, opened.
const MOST: u64 = 1 << 18;

/// What the file is, in failures.
const WHAT: &str = "the key that opens what is on the remote";

/// The identity file of this machine.
pub struct IdentityFile {
    path: PathBuf,
    content: Content,
    /// Empty where only the passphrase would tell.
    recipients: Vec<String>,
}

enum Content {
    Keys(Vec<x25519::Identity>),
    /// An age file, armored or not.
    Sealed(Vec<u8>),
    Ssh(Box<ssh::Identity>),
}

/// How an identity file is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// By its file mode alone.
    Plain,
    /// By a passphrase.
    Passphrase,
    /// It is an SSH private key.
    Ssh,
    /// It is an SSH private key under a passphrase.
    SshPassphrase,
}

impl IdentityFile {
    /// The one at `path`; None where there is none. Refused where others may read it, or where it is no identity file.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let Some(bytes) = secret_file::read(path, WHAT)? else {
            return Ok(None);
        };
        let is = |start: &[u8]| bytes.starts_with(start);
        let (content, recipients) = if is(b"age-encryption.org/") || is(b"-----BEGIN AGE") {
            (Content::Sealed(bytes.to_vec()), read_public(path)?)
        } else if is(b"-----BEGIN") {
            let (key, recipient) = ssh_key(path, &bytes)?;
            (Content::Ssh(Box::new(key)), vec![recipient])
        } else {
            let keys = parse(path, &bytes)?;
            let recipients = public(&keys);
            (Content::Keys(keys), recipients)
        };
        Ok(Some(Self {
            path: path.to_owned(),
            content,
            recipients,
        }))
    }

    /// Makes a key and keeps it at `path`, where nothing may stand: private from the first byte, there as a whole or not
    /// at all, and never in the place of another one.
    pub fn create(path: &Path, created: Stamp) -> Result<Self> {
        let (key, text) = generate(created);
        place(path, text.as_bytes())?;
        Ok(Self {
            path: path.to_owned(),
            recipients: public(std::slice::from_ref(&key)),
            content: Content::Keys(vec![key]),
        })
    }

    /// The same under a passphrase.
    pub fn create_with_passphrase(
        path: &Path,
        created: Stamp,
        passphrase: SecretString,
    ) -> Result<Self> {
        Self::create_sealed(path, created, &Recipients::passphrase(passphrase))
    }

    pub(super) fn create_sealed(path: &Path, created: Stamp, by: &Recipients) -> Result<Self> {
        let (key, text) = generate(created);
        let armored = || {
            let mut armored = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
            armored.write_all(&by.seal(text.as_bytes())?)?;
            armored.finish()
        };
        let sealed = armored().map_err(|error| Error::carried("write", path, error))?;
        Self::place_sealed(path, sealed, public(std::slice::from_ref(&key)))
    }

    /// Keeps at `path`, where nothing may stand, an identity file under a passphrase that comes from elsewhere. Fails as
    /// `Undecryptable` where the passphrase does not open it; then nothing is written.
    pub fn adopt(path: &Path, sealed: &[u8], passphrase: SecretString) -> Result<Self> {
        let keys = unseal(path, sealed, passphrase)?;
        Self::place_sealed(path, sealed.to_vec(), public(&keys))
    }

    fn place_sealed(path: &Path, sealed: Vec<u8>, recipients: Vec<String>) -> Result<Self> {
        place(path, &sealed)?;
        // After the key itself, which may be another's: a kill between them leaves what the next opening mends.
        write_public(path, &recipients)?;
        Ok(Self {
            path: path.to_owned(),
            content: Content::Sealed(sealed),
            recipients,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How it is protected.
    pub fn protection(&self) -> Protection {
        match &self.content {
            Content::Keys(_) => Protection::Plain,
            Content::Sealed(_) => Protection::Passphrase,
            Content::Ssh(key) if matches!(**key, ssh::Identity::Encrypted(_)) => {
                Protection::SshPassphrase
            }
            Content::Ssh(_) => Protection::Ssh,
        }
    }

    /// The file as it stands, where a passphrase protects it: then it may be kept where others can read it.
    pub fn sealed(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Sealed(bytes) => Some(bytes),
            Content::Keys(_) | Content::Ssh(_) => None,
        }
    }

    /// The public keys that belong to it, as [`Recipients::parse`] takes them. Asks nobody: fails where they stood beside
    /// the file and are gone.
    pub fn recipients(&self) -> Result<&[String]> {
        if self.recipients.is_empty() {
            let beside = beside(&self.path);
            let message = format!(
                "the public key of `{}` is not known: there is no `{}`",
                self.path.display(),
                beside.display()
            );
            let hint = "run `codex-manager sync init`: it asks for the passphrase once, and notes the public key";
            return Err(Error::other(message, hint));
        }
        Ok(&self.recipients)
    }

    /// What it opens with. `ask` is called where a passphrase is needed. Notes the public keys where they were not known.
    pub fn unlock(&self, ask: &dyn Fn() -> Result<SecretString>) -> Result<Identities> {
        let of_age = |keys: &[x25519::Identity]| {
            let keys = keys.iter().cloned();
            Identities::of_keys(keys.map(|key| Box::new(key) as _).collect())
        };
        match &self.content {
            Content::Keys(keys) => Ok(of_age(keys)),
            Content::Sealed(sealed) => {
                let keys = unseal(&self.path, sealed, ask()?)?;
                let public = public(&keys);
                if self.recipients.is_empty() {
                    write_public(&self.path, &public)?;
                } else if self.recipients != public {
                    let (path, beside) = (self.path.display(), beside(&self.path));
                    let beside = beside.display();
                    let message = format!("`{beside}` is not the public key of `{path}`");
                    let hint = format!(
                        "remove `{beside}`: it is made anew; what was encrypted to it since it was changed does not open"
                    );
                    return Err(Error::other(message, hint));
                }
                Ok(of_age(&keys))
            }
            Content::Ssh(key) => {
                let key = match &**key {
                    ssh::Identity::Encrypted(locked) => {
                        let opened = locked.decrypt(ask()?).map_err(|_| wrong(&self.path))?;
                        ssh::Identity::from(opened)
                    }
                    open => open.clone(),
                };
                Ok(Identities::of_keys(vec![Box::new(key)]))
            }
        }
    }
}

fn wrong(path: &Path) -> Error {
    refusal(
        &path.display().to_string(),
        "the passphrase does not open it",
        "check the passphrase, and run the command again",
    )
}

fn generate(created: Stamp) -> (x25519::Identity, Zeroizing<String>) {
    let key = x25519::Identity::generate();
    let (public, secret) = (key.to_public(), key.to_string());
    // As `age-keygen` writes it.
    let secret = secret.expose_secret();
    let text = format!("# created: {created}\n# public key: {public}\n{secret}\n");
    (key, Zeroizing::new(text))
}

fn place(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    let written = file.file().write_all(bytes);
    written.map_err(|error| Error::io("write", path, error))?;
    if file.commit_new()? {
        return Ok(());
    }
    Err(Error::other(
        format!("`{}` is there already, and is not replaced", path.display()),
        "it may be the only key to what is on the remote: use it, or move it away to make a new one",
    ))
}

fn public(keys: &[x25519::Identity]) -> Vec<String> {
    keys.iter().map(|key| key.to_public().to_string()).collect()
}

/// Where the public keys stand.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

fn read_public(path: &Path) -> Result<Vec<String>> {
    let beside = beside(path);
    let bytes = fsutil::read_if_present(&beside, MOST)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(str::trim);
    let recipients: Vec<String> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    if !recipients.is_empty() {
        Recipients::parse(&recipients).map_err(|error| {
            let shown = beside.display();
            Error::other(
                format!("`{shown}` is unusable: {error}"),
                format!("remove `{shown}`: it is made anew once the key it belongs to is opened"),
            )
        })?;
    }
    Ok(recipients)
}

fn write_public(path: &Path, recipients: &[String]) -> Result<()> {
    let text = recipients.join("\n") + "\n";
    fsutil::write_atomically(&beside(path), text.as_bytes())
}

fn unseal(path: &Path, sealed: &[u8], passphrase: SecretString) -> Result<Vec<x25519::Identity>> {
    let what = path.display().to_string();
    let mut bytes = Vec::new();
    let read = ArmoredReader::new(sealed)
        .take(MOST)
        .read_to_end(&mut bytes);
    read.map_err(|_| {
        let hint = "take another copy of it; the remote may hold one";
        refusal(&what, "its armor is damaged", hint)
    })?;
    let text = Identities::passphrase(passphrase).open(&what, &bytes, MOST)?;
    parse(path, &text)
}

/// The keys in an ordinary identity file. Of what is wrong only the number of its line is told: it may be a secret.
fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<x25519::Identity>> {
    let shown = path.display();
    let hint =
        "name a file that `age-keygen` or `codex-manager sync init` made, or an SSH private key";
    let unusable = |why: &str| {
        Error::new(
            Kind::Undecryptable,
            format!("`{shown}` is no identity file: {why}"),
            hint,
        )
    };
    let text = std::str::from_utf8(bytes).map_err(|_| unusable("it is no text"))?;
    let mut keys = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = place + 1;
        let key = line.parse().map_err(|_| {
            unusable(
                &if line.starts_with("AGE-PLUGIN-") || line.starts_with("AGE-SECRET-KEY-PQ-") {
                    format!("line {number} is of a kind that is not supported")
                } else {
                    format!("line {number} is no age key")
                },
            )
        })?;
        keys.push(key);
    }
    if keys.is_empty() {
        return Err(unusable("there is no key in it"));
    }
    Ok(keys)
}

/// An SSH private key and its public one, which stands in it in clear.
fn ssh_key(path: &Path, bytes: &[u8]) -> Result<(ssh::Identity, String)> {
    let shown = path.display();
    let unusable = |why: &str, hint: &str| {
        Error::new(
            Kind::Undecryptable,
            format!("the SSH key `{shown}` is unusable: {why}"),
            hint,
        )
    };
    let hint = "name a key of the kinds ed25519 or rsa, or make one with `codex-manager sync init`";
    let key = ssh::Identity::from_buffer(bytes, None)
        .map_err(|_| unusable("it is damaged, or no SSH private key", hint))?;
    if let ssh::Identity::Unsupported(why) = &key {
        return Err(match why {
            UnsupportedKey::EncryptedPem => unusable(
                "it is in an older form under a passphrase",
                &format!("`ssh-keygen -p -f {shown}` writes it in the newer one"),
            ),
            UnsupportedKey::EncryptedSsh(_) => unusable("its cipher is not supported", hint),
            UnsupportedKey::Hardware(_) => unusable("it stays on a security key", hint),
            UnsupportedKey::Type(_) => unusable("it is of another kind", hint),
        });
    }
    let recipient = ssh::Recipient::try_from(key.clone())
        .map_err(|_| unusable("its public part is damaged, or of another kind", hint))?;
    Ok((key, recipient.to_string()))
}

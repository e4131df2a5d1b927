//! The manifest: what an archive holds, file by file, as its last entry. Pure.
//!
//! The archive's first entry says whose snapshot it is before anything was read; only its last one can tell what came of
//! each file. Both are named so that older tools leave them out of a home.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::metadata::Account;

/// The form of the manifest that this program writes.
pub const SCHEMA_VERSION: u32 = 1;

/// How a file's bytes came into the archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nature {
    /// A directory.
    Dir,
    /// As they stood: they did not change while they were read.
    #[default]
    Plain,
    /// Whole lines only, as of one moment: a last line that was still being written is left out.
    JsonlCut,
    /// A copy that SQLite made, or checked.
    SqliteCopy,
    /// As they lay, which may be of more than one moment.
    Raw,
}

/// One file or directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its path in the archive.
    pub path: String,
    /// How its bytes came there.
    pub kind: Nature,
    /// Bytes; 0 for a directory.
    pub size: u64,
    /// As archived: 0600 or 0700, in octal.
    pub mode: String,
    /// Whole seconds since 1970.
    pub mtime: u64,
    /// BLAKE3 of its bytes, in hex; None for a directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
}

/// What stands in the home and is not in the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// Its path as [`escaped`](super::entry_name::escaped) writes it.
    pub path: String,
    /// What it is.
    pub kind: What,
    /// Whether that is as it should be.
    pub cause: Cause,
    /// Why it is not in the archive, in words.
    pub reason: String,
    /// Where a link leads, written as the path is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// What something in a home is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A regular file.
    File,
    /// A directory, with all that is in it.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A socket.
    Socket,
    /// A named pipe.
    Fifo,
    /// A device.
    Device,
    /// What the system did not tell, and what a later version tells.
    #[serde(other)]
    Unknown,
}

/// Why something is not in an archive, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// By design: snapshots hold nothing of its kind.
    Kind,
    /// No archive can hold its name and be restored everywhere.
    Name,
    /// It could not be looked at or read.
    Error,
    /// What a later version tells.
    #[serde(other)]
    Unknown,
}

impl Absent {
    /// It as one line of a sidecar: `path: reason`. No path in it holds `: `.
    pub fn line(&self) -> String {
        format!("{}: {}", unbroken(&self.path), self.reason)
    }

    /// The path in such a line, as [`path_in_line`] writes it.
    pub fn path_of_line(line: &str) -> &str {
        line.split_once(": ").map_or(line, |(path, _)| path)
    }
}

/// A path of an archive as [`Absent::line`] writes it.
pub fn path_in_line(path: &str) -> String {
    unbroken(&super::entry_name::escaped(path.as_bytes()))
}

/// The path with nothing in it that ends a path in a line.
fn unbroken(path: &str) -> String {
    path.replace(": ", ":\\u{20}")
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Whose snapshot it is: no token.
    pub account: Account,
    /// In the archive's order.
    pub files: Vec<Listed>,
    /// What is not in it.
    #[serde(default)]
    pub not_captured: Vec<Absent>,
}

impl Manifest {
    /// As it stands in the archive: a line a file, so that people can read it.
    pub fn bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(200 * self.files.len() + 1000);
        bytes.extend_from_slice(b"{\"schema_version\":");
        serde_json::to_writer(&mut bytes, &self.schema_version)?;
        bytes.extend_from_slice(b",\n\"account\":");
        serde_json::to_writer(&mut bytes, &self.account)?;
        bytes.extend_from_slice(b",\n\"files\":[");
        lines(&mut bytes, &self.files)?;
        bytes.extend_from_slice(b"],\n\"not_captured\":[");
        lines(&mut bytes, &self.not_captured)?;
        bytes.extend_from_slice(b"]}\n");
        Ok(bytes)
    }

    /// Reads one that a stranger may have made, without what is `not_captured`: it tells of `most` files at
    /// most, so that it takes no more memory than they do.
    pub fn parse_of(bytes: &[u8], most: usize) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Shape {
            files: Passed<IgnoredAny>,
            #[serde(default)]
            not_captured: Passed<Absent>,
        }
        #[derive(Deserialize)]
        struct Head {
            schema_version: u32,
            account: Account,
            files: Vec<Listed>,
        }
        let shape: Shape = serde_json::from_slice(bytes).map_err(|error| unreadable(&error))?;
        // Read so that each is what it must be.
        let _ = shape.not_captured.count;
        if shape.files.count > most {
            return Err(format!("it tells of {} files", shape.files.count));
        }
        let head: Head = serde_json::from_slice(bytes).map_err(|error| unreadable(&error))?;
        Self {
            schema_version: head.schema_version,
            account: head.account,
            files: head.files,
            not_captured: Vec::new(),
        }
        .of_this_form()
    }

    /// Reads one, or says in words why it cannot be.
    #[cfg(test)]
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| unreadable(&error))?;
        manifest.of_this_form()
    }

    fn of_this_form(self) -> Result<Self, String> {
        let manifest = self;
        if manifest.schema_version != SCHEMA_VERSION {
            return Err(format!(
                "it is of form {}, this program knows {SCHEMA_VERSION}",
                manifest.schema_version
            ));
        }
        Ok(manifest)
    }
}

fn unreadable(error: &serde_json::Error) -> String {
    format!("it is no JSON of a manifest in line {}", error.line())
}

/// A list each item of which was read, and dropped.
struct Passed<T> {
    count: usize,
    of: PhantomData<T>,
}

impl<T> Default for Passed<T> {
    fn default() -> Self {
        Self {
            count: 0,
            of: PhantomData,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Passed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self::default())
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Passed<T> {
    type Value = Self;

    fn expecting(&self, form: &mut fmt::Formatter) -> fmt::Result {
        form.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<T>()?.is_some() {
            self.count += 1;
        }
        Ok(self)
    }
}

fn lines<T: Serialize>(bytes: &mut Vec<u8>, items: &[T]) -> serde_json::Result<()> {
    for (place, item) in items.iter().enumerate() {
        bytes.extend_from_slice(if place == 0 { b"\n" } else { b",\n" });
        serde_json::to_writer(&mut *bytes, item)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_no_later_form_is_guessed_at() {
        let file = |path: &str, kind| Listed {
            path: path.to_owned(),
            kind,
            size: 3,
            mode: "0600".to_owned(),
            mtime: 5,
            blake3: Some("00".repeat(32)),
        };
        let manifest = Manifest {
            schema_version: SCHEMA_VERSION,
            account: Account::of_email("alice@example.com"),
            files: vec![
                file("auth.json", Nature::Plain),
                file("a \"b\"\n.jsonl", Nature::JsonlCut),
            ],
            not_captured: vec![Absent {
                path: "control".to_owned(),
                kind: What::Socket,
                cause: Cause::Kind,
                reason: "it is a socket".to_owned(),
                target: None,
            }],
        };
        let bytes = manifest.bytes().expect("writes");
        assert_eq!(Manifest::parse(&bytes), Ok(manifest.clone()));
        let without_absent = Manifest {
            not_captured: Vec::new(),
            ..manifest.clone()
        };
        assert_eq!(Manifest::parse_of(&bytes, 2), Ok(without_absent));
        assert!(Manifest::parse_of(&bytes, 1).is_err());
        // What is dropped must be what it is.
        let text = String::from_utf8_lossy(&bytes).replace("\"it is a socket\"", "5");
        assert!(Manifest::parse_of(text.as_bytes(), 2).is_err());
        assert_eq!(memchr::memchr_iter(b'\n', &bytes).count(), 7);
        let empty = Manifest {
            schema_version: SCHEMA_VERSION,
            ..Manifest::default()
        };
        assert_eq!(Manifest::parse(&empty.bytes().expect("writes")), Ok(empty));
        let later = Manifest {
            schema_version: SCHEMA_VERSION + 1,
            ..manifest
        };
        let later = later.bytes().expect("writes");
        assert!(Manifest::parse(&later).is_err() && Manifest::parse_of(&later, 9).is_err());
        assert!(Manifest::parse(b"{").is_err());
    }
}

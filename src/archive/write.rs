//! Writes entries as a gzipped tar: GNU headers, sorted by the caller, owner and times of the gzip header left out, so
//! that equal entries give equal bytes.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::fsutil;

/// Measured on session text: 2 % larger than level 9 at twice its speed.
const LEVEL: u32 = 6;

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A directory.
    Dir,
    /// The file at that path, which had `size` bytes when it was planned.
    File {
        /// Where it stands.
        source: PathBuf,
        /// Its length when planned, in bytes.
        size: u64,
    },
    /// Bytes already read: the login, which is read once and judged by what was read.
    Bytes(Vec<u8>),
}

/// One entry to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative path, `/` between parts.
    pub path: String,
    /// What it holds.
    pub content: Content,
    /// Whether its owner may run it.
    pub executable: bool,
    /// Seconds since the Unix epoch.
    pub mtime: u64,
    /// And nanoseconds on top, which the archive does not hold.
    pub mtime_nanos: u32,
}

impl Entry {
    /// Its length in bytes; 0 for a directory.
    pub fn size(&self) -> u64 {
        match &self.content {
            Content::Dir => 0,
            Content::File { size, .. } => *size,
            Content::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// Whether it is a file.
    pub fn is_file(&self) -> bool {
        self.content != Content::Dir
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The archive's length in bytes.
    pub size_bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// SHA-256 over paths, kinds and bytes, in hex: what `content_sha256` of the sidecar means.
    pub content_sha256: String,
    /// Length of all files together.
    pub total_bytes: u64,
    /// Paths that were gone when their turn came.
    pub vanished: Vec<String>,
    /// Paths that could not be opened, each with the reason.
    pub unreadable: Vec<String>,
}

/// Writes `metadata` first and then `entries` to `out`, which is to be `shown`. `stop` ends it early.
pub fn write(
    out: &mut File,
    shown: &Path,
    metadata: (&str, &[u8]),
    entries: &[Entry],
    stop: &dyn Fn() -> bool,
) -> Result<Written> {
    let counted = Counted {
        out: BufWriter::with_capacity(1 << 18, out),
        hash: Sha256::new(),
        bytes: 0,
    };
    let mut tar = tar::Builder::new(GzEncoder::new(counted, Compression::new(LEVEL)));
    let (name, bytes) = metadata;
    append(
        &mut tar,
        name,
        header(tar::EntryType::Regular, bytes.len() as u64, false, 0),
        bytes,
    )
    .map_err(|error| Error::io("write", shown, error))?;
    let mut content = Sha256::new();
    let mut written = Written {
        size_bytes: 0,
        sha256: String::new(),
        content_sha256: String::new(),
        total_bytes: 0,
        vanished: Vec::new(),
        unreadable: Vec::new(),
    };
    for entry in entries {
        if stop() {
            return Err(Error::interrupted());
        }
        match write_entry(&mut tar, entry, &mut content, stop)? {
            Turn::Written(bytes) => written.total_bytes += bytes,
            Turn::Vanished => written.vanished.push(entry.path.clone()),
            Turn::Unreadable(why) => written.unreadable.push(format!("{}: {why}", entry.path)),
        }
    }
    let finished = tar
        .into_inner()
        .and_then(GzEncoder::finish)
        .and_then(Counted::finish);
    let (sha256, size_bytes) = finished.map_err(|error| Error::io("write", shown, error))?;
    let content_sha256 = fsutil::hex(&content.finalize());
    Ok(Written {
        size_bytes,
        sha256,
        content_sha256,
        ..written
    })
}

/// The `content_sha256` that entries of which all bytes are in hand will have.
pub fn content_of(entries: &[Entry]) -> String {
    let mut content = Sha256::new();
    for entry in entries {
        if let Content::Bytes(bytes) = &entry.content {
            content.update(heading(entry, bytes.len() as u64));
            content.update(bytes);
        }
    }
    fsutil::hex(&content.finalize())
}

/// What stands before an entry's bytes in the hash of the content.
fn heading(entry: &Entry, size: u64) -> String {
    let kind = match (&entry.content, entry.executable) {
        (Content::Dir, _) => "dir",
        (_, true) => "program",
        (_, false) => "file",
    };
    format!("{}\0{kind}\0{size}\0", entry.path)
}

type Tar<'a> = tar::Builder<GzEncoder<Counted<'a>>>;

/// What became of one entry.
enum Turn {
    /// So many bytes were written.
    Written(u64),
    /// Its file is gone.
    Vanished,
    /// Its file cannot be opened.
    Unreadable(String),
}

/// Writes one entry.
fn write_entry(
    tar: &mut Tar,
    entry: &Entry,
    content: &mut Sha256,
    stop: &dyn Fn() -> bool,
) -> Result<Turn> {
    match &entry.content {
        Content::Dir => {
            content.update(heading(entry, 0));
            append(
                tar,
                &entry.path,
                header(tar::EntryType::Directory, 0, true, entry.mtime),
                io::empty(),
            )
            .map_err(|error| Error::io("archive", &PathBuf::from(&entry.path), error))?;
            Ok(Turn::Written(0))
        }
        Content::Bytes(bytes) => {
            content.update(heading(entry, bytes.len() as u64));
            content.update(bytes);
            let head = header(
                tar::EntryType::Regular,
                bytes.len() as u64,
                entry.executable,
                entry.mtime,
            );
            append(tar, &entry.path, head, bytes.as_slice())
                .map_err(|error| Error::io("archive", &PathBuf::from(&entry.path), error))?;
            Ok(Turn::Written(bytes.len() as u64))
        }
        Content::File { source, .. } => {
            let file = match fsutil::open_regular(source) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Turn::Vanished),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput
                    ) =>
                {
                    return Ok(Turn::Unreadable(crate::error::describe(&error)));
                }
                Err(error) => return Err(Error::io("read", source, error)),
            };
            // The length as of now: what is appended from here on belongs to the next snapshot.
            let size = file
                .metadata()
                .map_err(|error| Error::io("read", source, error))?
                .len();
            content.update(heading(entry, size));
            let mut reader = Watched {
                inner: file.take(size),
                content,
                left: size,
                stop,
            };
            let head = header(tar::EntryType::Regular, size, entry.executable, entry.mtime);
            let done = append(tar, &entry.path, head, &mut reader);
            if stop() {
                return Err(Error::interrupted());
            }
            done.map_err(|error| Error::io("archive", source, error))?;
            Ok(Turn::Written(size))
        }
    }
}

fn header(kind: tar::EntryType, size: u64, executable: bool, mtime: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(if executable { 0o700 } else { 0o600 });
    header.set_mtime(mtime);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn append(tar: &mut Tar, path: &str, mut header: tar::Header, data: impl Read) -> io::Result<()> {
    tar.append_data(&mut header, path, data)
}

/// Reads exactly the promised bytes, hashing them; a file that shrank is an error, never padding.
struct Watched<'a> {
    inner: io::Take<File>,
    content: &'a mut Sha256,
    left: u64,
    stop: &'a dyn Fn() -> bool,
}

impl Read for &mut Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.stop)() {
            return Err(io::Error::other("interrupted"));
        }
        let count = self.inner.read(buffer)?;
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::other("it became shorter while it was read"));
        }
        self.left = self.left.saturating_sub(count as u64);
        self.content.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// Hashes and counts what reaches the file.
struct Counted<'a> {
    out: BufWriter<&'a mut File>,
    hash: Sha256,
    bytes: u64,
}

impl Counted<'_> {
    fn finish(mut self) -> io::Result<(String, u64)> {
        self.out.flush()?;
        Ok((fsutil::hex(&self.hash.finalize()), self.bytes))
    }
}

impl Write for Counted<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.out.write(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Seek;

    fn archived(entries: &[Entry]) -> Result<(Vec<u8>, Written)> {
        let mut file = tempfile::tempfile().expect("a file");
        let written = write(
            &mut file,
            Path::new("x"),
            ("x.metadata.json", b"{}"),
            entries,
            &|| false,
        )?;
        file.rewind().expect("rewinds");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("reads");
        Ok((bytes, written))
    }

    fn bytes(path: &str, content: &str) -> Entry {
        Entry {
            path: path.to_owned(),
            content: Content::Bytes(content.into()),
            executable: false,
            mtime: 5,
            mtime_nanos: 0,
        }
    }

    #[test]
    fn equal_entries_give_equal_bytes_and_times_are_not_content() {
        let entries = [bytes("auth.json", "{}"), bytes("config.toml", "x = 1\n")];
        let (one, first) = archived(&entries).expect("writes");
        let (two, second) = archived(&entries).expect("writes");
        assert_eq!((one, &first), (two, &second));
        let later = entries.clone().map(|entry| Entry { mtime: 9, ..entry });
        let (_, third) = archived(&later).expect("writes");
        assert_eq!(third.content_sha256, first.content_sha256);
        assert_ne!(third.sha256, first.sha256);
        let (_, other) =
            archived(&[bytes("auth.json", "{}"), bytes("config.toml", "x = 2\n")]).expect("writes");
        assert_ne!(other.content_sha256, first.content_sha256);
    }

    #[test]
    fn what_is_gone_is_told_and_long_names_are_kept() {
        let long = format!("sessions/{}/a.jsonl", "x".repeat(200));
        let gone = Entry {
            path: "history.jsonl".to_owned(),
            content: Content::File {
                source: PathBuf::from("/nonexistent/history.jsonl"),
                size: 3,
            },
            executable: false,
            mtime: 0,
            mtime_nanos: 0,
        };
        let (archive, written) = archived(&[gone, bytes(&long, "line\n")]).expect("writes");
        assert_eq!(written.vanished, ["history.jsonl"]);
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive.as_slice()));
        let paths: Vec<String> = tar
            .entries()
            .expect("entries")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .path()
                    .expect("a path")
                    .display()
                    .to_string()
            })
            .collect();
        assert_eq!(paths, ["x.metadata.json".to_owned(), long]);
    }
}

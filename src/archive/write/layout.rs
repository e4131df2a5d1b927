//! What stands where in an archive: headers, small files and padding share members; a large file's blocks have their own.
//!
//! A member that holds a block holds nothing else, so that it is the same wherever the file stands and whatever its time
//! is. Where shared members end depends on the entries alone.

use std::sync::Arc;

use super::steady::{self, Asked, Found, Open, Rests, Taken};
use super::{Content, Done, Entry, Frame, Late};
use crate::archive::entry_name;
use crate::archive::file_hash::{self, Hash};
use crate::archive::known::Known;
use crate::archive::manifest::{Absent, Cause, Listed, Nature, What};
use crate::archive::member::BLOCK;
use crate::archive::ordered::{Feed, Pool};
use crate::fsutil;

/// A file of that many bytes has members of its own.
pub const LARGE: u64 = 256 << 10;

/// From so many bytes on, a directory begins a new member: what is added to one does not move the others'.
const ROUND: usize = 64 << 10;

/// One unit of a tar.
const TAR_BLOCK: usize = 512;

/// What is to be compressed.
pub(super) enum Work {
    /// Bytes in hand, one block at most.
    Pack(Vec<u8>),
    /// One block of a file.
    Block {
        file: Arc<Open>,
        offset: u64,
        length: usize,
        part: Option<u32>,
        is_last: bool,
        /// Its hash, where a note has it: then it is read only if nobody holds that block.
        known: Option<Hash>,
    },
}

/// What was laid out.
#[derive(Default)]
pub(super) struct Layout {
    /// In the archive's order. A large file's hash is not known yet.
    pub listed: Vec<Listed>,
    pub vanished: Vec<String>,
    pub unreadable: Vec<Absent>,
    pub shorter: Vec<String>,
    pub unsteady: Vec<String>,
    rests: Rests,
}

/// The description, alone in its member, and all entries.
pub(super) fn entries(
    feed: &Feed<Work, Done>,
    pool: &Pool,
    frame: &Frame,
    entries: &[Entry],
    known: &Known,
) -> Layout {
    let mut stream = Stream::new(feed, pool);
    stream.known = Some(known);
    let mut layout = Layout::default();
    stream.file(frame.name, frame.description, false, 0);
    stream.flush();
    let late = frame.late.into_iter().flat_map(Late::wait);
    for (place, entry) in entries.iter().chain(late).enumerate() {
        layout.entry(&mut stream, place, entry);
        if stream.is_over {
            break;
        }
    }
    stream.flush();
    layout
}

/// The manifest and the end mark.
pub(super) fn end(feed: &Feed<Work, Done>, pool: &Pool, name: &str, manifest: &[u8]) {
    let mut stream = Stream::new(feed, pool);
    stream.file(name, manifest, false, 0);
    stream.pack.resize(stream.pack.len() + 2 * TAR_BLOCK, 0);
    stream.flush();
}

/// An entry as the manifest has it; `bytes` where they are in hand.
pub(super) fn listed(entry: &Entry, size: u64, bytes: Option<&[u8]>) -> Listed {
    let is_dir = !entry.is_file();
    Listed {
        path: entry.path.clone(),
        kind: if is_dir { Nature::Dir } else { entry.nature },
        size,
        mode: format!("{:04o}", mode(is_dir || entry.executable)),
        mtime: entry.mtime,
        blake3: bytes.map(|bytes| fsutil::hex(&file_hash::of_block(bytes, None))),
    }
}

impl Layout {
    fn entry(&mut self, stream: &mut Stream, place: usize, entry: &Entry) {
        match &entry.content {
            Content::Dir => {
                if stream.pack.len() >= ROUND {
                    stream.flush();
                }
                stream.header(tar::EntryType::Directory, entry, 0);
                self.listed.push(listed(entry, 0, None));
                return;
            }
            Content::Bytes(bytes) => {
                stream.small(entry, bytes);
                self.listed
                    .push(listed(entry, bytes.len() as u64, Some(bytes)));
                return;
            }
            Content::File { .. } | Content::Lines { .. } | Content::Copy { .. } => {}
        }
        let Some(mut asked) = Asked::of(entry) else {
            return;
        };
        asked.settled = stream.known.map(|known| known.settled);
        match steady::take(&asked, &mut self.rests) {
            Taken::Vanished => self.vanished.push(entry.path.clone()),
            Taken::Unreadable(why) => self.unreadable.push(unreadable(entry, why)),
            Taken::Small(bytes, found) => {
                let nature = found.over(entry.nature);
                self.tell(entry, found);
                stream.small(entry, &bytes);
                self.listed.push(Listed {
                    kind: nature,
                    ..listed(entry, bytes.len() as u64, Some(&bytes))
                });
            }
            Taken::Large(mut open, found) => {
                let nature = found.over(entry.nature);
                self.tell(entry, found);
                open.place = place;
                open.listing = self.listed.len();
                self.listed.push(Listed {
                    kind: nature,
                    ..listed(entry, open.length, None)
                });
                stream.large(entry, open);
            }
        }
    }

    fn tell(&mut self, entry: &Entry, found: Found) {
        if found.is_shorter {
            self.shorter.push(entry.path.clone());
        }
        if found.is_moving {
            self.unsteady.push(entry.path.clone());
        }
    }
}

/// A file of the plan that cannot be read.
pub fn unreadable(entry: &Entry, reason: String) -> Absent {
    Absent {
        path: entry_name::escaped(entry.path.as_bytes()),
        kind: What::File,
        cause: Cause::Error,
        reason,
        target: None,
    }
}

/// The tar, cut into work.
struct Stream<'a> {
    feed: &'a Feed<Work, Done>,
    pool: &'a Pool,
    pack: Vec<u8>,
    known: Option<&'a Known>,
    /// Nobody takes what is fed any more.
    is_over: bool,
}

impl<'a> Stream<'a> {
    fn new(feed: &'a Feed<Work, Done>, pool: &'a Pool) -> Self {
        Self {
            feed,
            pool,
            pack: pool.take(),
            known: None,
            is_over: false,
        }
    }

    fn flush(&mut self) {
        let mut pack = std::mem::replace(&mut self.pack, self.pool.take());
        while pack.len() > BLOCK {
            let rest = pack.split_off(BLOCK);
            self.put(Work::Pack(std::mem::replace(&mut pack, rest)));
        }
        if pack.is_empty() {
            self.pool.give(pack);
        } else {
            self.put(Work::Pack(pack));
        }
    }

    fn put(&mut self, work: Work) {
        self.is_over |= !self.feed.put(work);
    }

    /// A whole file whose bytes are in hand.
    fn small(&mut self, entry: &Entry, bytes: &[u8]) {
        if self.pack.len() + bytes.len() + 8 * TAR_BLOCK > BLOCK {
            self.flush();
        }
        self.file(&entry.path, bytes, entry.executable, entry.mtime);
    }

    fn file(&mut self, path: &str, bytes: &[u8], executable: bool, mtime: u64) {
        let size = bytes.len() as u64;
        let regular = tar::EntryType::Regular;
        self.put_header(regular, path, size, executable, mtime);
        self.pack.extend_from_slice(bytes);
        self.pad(size);
    }

    /// A file whose blocks are read where they are compressed.
    fn large(&mut self, entry: &Entry, mut open: Open) {
        self.header(tar::EntryType::Regular, entry, open.length);
        self.flush();
        let length = open.length;
        let block = BLOCK as u64;
        let count = length.div_ceil(block);
        let known = open.identity.zip(self.known);
        let note = known.and_then(|(identity, known)| known.of(&identity, length));
        let note = note.filter(|note| note.blake3.len() as u64 == count);
        open.read_at = note.map(|note| note.read_at);
        let mut hashes = note.map(|note| note.blake3.iter());
        let file = Arc::new(open);
        for number in 0..count {
            let offset = number * block;
            let part = u32::try_from(number).ok().filter(|_| count > 1);
            self.put(Work::Block {
                file: Arc::clone(&file),
                offset,
                length: usize::try_from((length - offset).min(block)).unwrap_or(BLOCK),
                part,
                is_last: number + 1 == count,
                known: hashes.as_mut().and_then(Iterator::next).copied(),
            });
            if self.is_over {
                return;
            }
        }
        self.pad(length);
    }

    fn header(&mut self, kind: tar::EntryType, entry: &Entry, size: u64) {
        let is_dir = kind == tar::EntryType::Directory;
        self.put_header(
            kind,
            &entry.path,
            size,
            is_dir || entry.executable,
            entry.mtime,
        );
    }

    fn put_header(
        &mut self,
        kind: tar::EntryType,
        path: &str,
        size: u64,
        executable: bool,
        mtime: u64,
    ) {
        let own = header(kind, size, executable, mtime);
        put_headers(&mut self.pack, path, own);
    }

    fn pad(&mut self, size: u64) {
        pad(&mut self.pack, size);
    }
}

/// Zeros up to the next unit.
fn pad(pack: &mut Vec<u8>, size: u64) {
    let unit = TAR_BLOCK as u64;
    let missing = usize::try_from((unit - size % unit) % unit).unwrap_or_default();
    pack.resize(pack.len() + missing, 0);
}

/// The header with that path, and before it one that holds a path which is too long for it.
fn put_headers(pack: &mut Vec<u8>, path: &str, mut own: tar::Header) {
    const LONG_LINK: &[u8] = b"././@LongLink";
    const ROOM: usize = 100;
    let name = path.as_bytes();
    if name.len() > ROOM {
        // Its name ends with a NUL, which counts.
        let size = name.len() as u64 + 1;
        let mut long = header(tar::EntryType::GNULongName, size, false, 0);
        set_name(&mut long, LONG_LINK);
        pack.extend_from_slice(long.as_bytes());
        pack.extend_from_slice(name);
        pack.push(0);
        pad(pack, size);
    }
    set_name(&mut own, name.get(..ROOM).unwrap_or(name));
    pack.extend_from_slice(own.as_bytes());
}

fn header(kind: tar::EntryType, size: u64, executable: bool, mtime: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode(executable));
    header.set_mtime(mtime);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn mode(executable: bool) -> u32 {
    if executable { 0o700 } else { 0o600 }
}

/// Puts the name, a hundred bytes at most, and the checksum over all.
fn set_name(header: &mut tar::Header, name: &[u8]) {
    for (to, from) in header.as_old_mut().name.iter_mut().zip(name) {
        *to = *from;
    }
    header.set_cksum();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::read::{Caps, Maker, check};
    use std::io::{Cursor, Write};

    const GIB: u64 = 1 << 30;

    fn headers(path: &str, size: u64) -> Vec<u8> {
        let mut pack = Vec::new();
        let own = header(tar::EntryType::Regular, size, false, 5);
        put_headers(&mut pack, path, own);
        pack
    }

    /// What another reader of tar finds.
    fn found(pack: Vec<u8>) -> (String, u64) {
        let mut archive = tar::Archive::new(Cursor::new(pack));
        let mut entries = archive.entries().expect("entries");
        let entry = entries.next().expect("one").expect("sound");
        let path = entry.path().expect("a path").display().to_string();
        (path, entry.size())
    }

    #[test]
    fn names_and_sizes_of_any_length_are_found_again() {
        let part = "y".repeat(255);
        let deep = [part.as_str(); 16].join("/");
        for path in [
            "x",
            &"x".repeat(99),
            &"x".repeat(100),
            &"x".repeat(101),
            &part,
            &deep,
        ] {
            for size in [0, 1, 8 * GIB - 1, 8 * GIB, 8 * GIB + 1, 9 * GIB, 1 << 40] {
                assert_eq!(found(headers(path, size)), (path.to_owned(), size));
            }
        }
    }

    /// The reader takes the size of a header for what it is: with one byte less of room it refuses the entry.
    #[test]
    fn the_reader_finds_sizes_beyond_eight_gib() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.tar.gz");
        for size in [8 * GIB - 1, 8 * GIB, 9 * GIB + 7] {
            let pack = headers("x", size);
            let file = std::fs::File::create(&path).expect("makes");
            let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            gzip.write_all(&pack)
                .and_then(|()| gzip.try_finish())
                .expect("writes");
            let refused = |room: u64| {
                let caps = Caps {
                    total_bytes: pack.len() as u64 + room,
                    ..Caps::default()
                };
                let checked = check(&path, Maker::Foreign(|_| false), &caps, &|| false);
                checked.expect_err("it ends too early").to_string()
            };
            assert!(refused(size).contains("in the middle"), "{}", refused(size));
            assert!(
                refused(size - 1).contains("claims more bytes"),
                "{}",
                refused(size - 1)
            );
        }
    }
}

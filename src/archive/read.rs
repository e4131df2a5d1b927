//! The gate: every `.tar.gz` passes [`check`] or [`survey`] before anything of it is written, and [`extract`] writes what
//! passed.
//!
//! [`check`] reads every byte and writes nothing. [`survey`] judges everything but the content of large files, which in an
//! archive of ours stands in members of its own: all names, kinds and lengths, all limits, the manifest, small files. The
//! second pass, [`extract`], writes into a private staging directory and fails when the file is no longer the one that
//! passed, or when what was left to it is not what was told: together they refuse what [`check`] refuses. Whose snapshot
//! it is, and whether its tokens are whole, is not asked here.

mod entries;
mod holes;
mod listing;
mod packed;
mod spread;
mod stream;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;

use self::entries::{Entries, quoted};
use self::listing::{Complaint, Listing};
use self::spread::{Left, Wanted, spread};
use self::stream::{Depth, Stream, with_begin, with_start, with_stream};
use self::tree::Tree;
use super::entry_name::{self, collision_key};
use super::file_hash::{self, Hash};
use super::member::Head;
use super::ordered;
use crate::error::{Error, Kind, Result};
use crate::fsutil;
use crate::metadata::Account;
use crate::stop::Watch;

/// The login's own file; the only one that may be named so, in any case.
const AUTH: &str = "auth.json";

/// The most bytes of `auth.json` and of a snapshot's description: real ones have a few thousand.
const MOST_TO_KEEP: u64 = 1024 * 1024;

/// The most bytes of a manifest: a million files have some 200 bytes each.
const MOST_OF_A_MANIFEST: u64 = 256 * 1024 * 1024;

/// Below this many inflated bytes the ratio is not asked: little harm is done, and small files of zeros are real.
pub const RATIO_FROM: u64 = 64 * 1024 * 1024;

/// Limits of one archive, against those made to exhaust memory, disk or patience.
///
/// [`Limits`](super::limits::Limits) makes those of an archive of a person's. Against a full disk [`extract`] asks for the
/// free space before it writes.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// The most headers.
    pub entries: u64,
    /// The most inflated bytes, headers and padding included.
    pub total_bytes: u64,
    /// The most inflated bytes for one of the file. Deflate itself ends at 1032.
    pub ratio: u64,
    /// From how many inflated bytes on the ratio is asked.
    pub ratio_from: u64,
    /// The most bytes of one long name or pax header. Names end at 4096 bytes; the rest is room for attributes.
    pub header_bytes: u64,
    /// The most bytes of all names together, which are held in memory.
    pub name_bytes: u64,
}

impl Default for Caps {
    /// What gzip and memory can bear: refuses none of ours.
    fn default() -> Self {
        Self {
            entries: 1_000_000,
            total_bytes: 1 << 40,
            ratio: 1032,
            ratio_from: RATIO_FROM,
            header_bytes: 64 * 1024,
            name_bytes: 512 * 1024 * 1024,
        }
    }
}

/// Who made an archive.
#[derive(Clone, Copy, Debug)]
pub enum Maker {
    /// This program, which archives no links.
    Ours,
    /// The older tool in Python, which archives symbolic links as they are: those that stay inside are taken.
    ///
    /// It also archives what is never restored, such as Codex's link to a socket elsewhere: the function says which
    /// paths those are, and the caller never asks for them to be extracted.
    Foreign(fn(&str) -> bool),
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Dir,
    /// A symbolic link, with its target as archived: relative to the directory of the link.
    Symlink(String),
}

/// One entry of an archive that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative, `/` between its parts, none at its end.
    pub path: String,
    pub kind: EntryKind,
    /// Bytes; 0 for what is no file.
    pub size: u64,
    /// Whether its owner may run it. All other bits of its mode are dropped.
    pub executable: bool,
    /// Whole seconds since 1970, within the years 1970 to 9999.
    pub mtime: i64,
}

impl Entry {
    /// Whether it is the snapshot's own description rather than a part of the home.
    pub fn is_metadata(&self) -> bool {
        self.kind == EntryKind::File && entry_name::is_metadata(&self.path)
    }
}

/// An archive that passed [`check`] or [`survey`], which alone make one.
pub struct Checked {
    /// All of them, in the archive's order, descriptions too.
    pub entries: Vec<Entry>,
    /// The content of `auth.json`: tokens. None when there is none, which is not judged here.
    pub auth_json: Option<Vec<u8>>,
    /// The content of the first `*.metadata.json` at the top.
    pub metadata_json: Option<Vec<u8>>,
    /// Whose snapshot the manifest says it is; None where there is no manifest. What the manifest says of the files was
    /// found to be so.
    pub manifest_of: Option<Account>,
    /// Of the compressed file, in hex; None where not all of it was read.
    pub sha256: Option<String>,
    /// Of the compressed file.
    pub size_bytes: u64,
    /// Of all files that would be restored.
    pub total_bytes: u64,
    /// How many files would be restored.
    pub file_count: u64,
    /// Where the content of each entry is.
    places: Vec<Place>,
    /// Of each entry the BLAKE3 of its content, where that was read or told.
    hashes: Vec<Option<Hash>>,
    /// What its members say of themselves; None where it is not made of ours.
    members: Option<Vec<Head>>,
    /// What the second pass may inflate at most.
    second: Caps,
    /// The SHA-256 that the compressed file must have, where that is for the second pass to see.
    expected: Option<String>,
}

impl Checked {
    /// Whether the compressed file has this SHA-256, in hex. Where not all of it was read, [`extract`] will fail if it has
    /// another.
    pub fn has_sha256(&mut self, hash: &str) -> bool {
        if let Some(known) = &self.sha256 {
            return known == hash;
        }
        self.expected = Some(hash.to_owned());
        true
    }

    /// Every entry of the home with the BLAKE3 of its content; after a [`check`] every file has one.
    pub fn hashed(&self) -> impl Iterator<Item = (&Entry, Option<Hash>)> {
        let both = self.entries.iter().zip(self.hashes.iter().copied());
        both.filter(|(entry, _)| !entry.is_metadata())
    }

    /// Whether every byte was read and judged.
    fn is_whole(&self) -> bool {
        self.sha256.is_some()
    }
}

/// Where an entry's content is.
#[derive(Clone, Copy)]
struct Place {
    /// Where it begins, in inflated bytes.
    offset: u64,
    /// How many of its bytes are written: all but long runs of zeros, as far as they were looked for.
    solid: u64,
}

impl fmt::Debug for Checked {
    /// Counts only: the contents are tokens.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Checked")
            .field("entries", &self.entries.len())
            .field("sha256", &self.sha256)
            .field("size_bytes", &self.size_bytes)
            .finish_non_exhaustive()
    }
}

/// Reads every byte of the archive at `path` and writes nothing. `watch` is told of each as it stands in the file.
///
/// Fails as `ArchiveDamaged` for whatever is cut, altered, unsafe or over `caps`, as `Interrupted` once `watch` says
/// so, and with the system's own words when the file cannot be read.
pub fn check(path: &Path, maker: Maker, caps: &Caps, watch: &dyn Watch) -> Result<Checked> {
    judge(Depth::All, ordered::threads(None), path, maker, caps, watch)
}

/// [`check`] for an archive that is to be [extracted](extract) next: where it is of ours, the content of large files is taken
/// at its word, and judged when it is written.
pub fn survey(path: &Path, maker: Maker, caps: &Caps, watch: &dyn Watch) -> Result<Checked> {
    let threads = ordered::threads(None);
    judge(Depth::Outline, threads, path, maker, caps, watch)
}

/// Either, with that many threads at work.
fn judge(
    depth: Depth,
    threads: usize,
    path: &Path,
    maker: Maker,
    caps: &Caps,
    watch: &dyn Watch,
) -> Result<Checked> {
    let (found, seal) = with_stream(path, caps, depth, threads, watch, |stream| {
        let mut found = Found::new(path, maker, caps, &stream);
        found.is_hashed = depth == Depth::All;
        let mut entries = Entries::new(stream, maker, caps);
        while let Some(entry) = entries.next()? {
            found.take(entry, &mut entries)?;
        }
        found.end(maker)?;
        Ok((found, entries.total()))
    })?;
    let (found, stream_bytes) = found;
    Ok(Checked {
        entries: found.entries,
        auth_json: found.auth_json,
        metadata_json: found.metadata_json,
        manifest_of: found.manifest_of,
        sha256: seal.sha256,
        size_bytes: seal.size,
        total_bytes: found.total_bytes,
        file_count: found.file_count,
        places: found.places,
        hashes: found.hashes,
        members: seal.members,
        second: Caps {
            total_bytes: stream_bytes,
            ..*caps
        },
        expected: None,
    })
}

/// What was found up to now.
struct Found<'a> {
    path: &'a Path,
    is_of_members: bool,
    names: Names,
    listing: Listing,
    /// Whether contents are hashed that no manifest tells of.
    is_hashed: bool,
    entries: Vec<Entry>,
    places: Vec<Place>,
    hashes: Vec<Option<Hash>>,
    auth_json: Option<Vec<u8>>,
    metadata_json: Option<Vec<u8>>,
    manifest_of: Option<Account>,
    total_bytes: u64,
    file_count: u64,
}

impl<'a> Found<'a> {
    fn new(path: &'a Path, maker: Maker, caps: &Caps, stream: &Stream) -> Self {
        Self {
            path,
            is_of_members: stream.is_of_members(),
            names: Names::new(caps.name_bytes),
            listing: Listing::new(matches!(maker, Maker::Ours) || stream.is_of_members()),
            is_hashed: false,
            entries: Vec::new(),
            places: Vec::new(),
            hashes: Vec::new(),
            auth_json: None,
            metadata_json: None,
            manifest_of: None,
            total_bytes: 0,
            file_count: 0,
        }
    }

    fn take(&mut self, entry: Entry, content: &mut Entries<'_>) -> Result<()> {
        let path = self.path;
        let refuse = |reason: &str| damaged(path, Some(entry.path.as_bytes()), reason);
        if self.listing.is_over() {
            return Err(refuse("it follows the manifest"));
        }
        self.names.add(&entry).map_err(refuse)?;
        let is_file = entry.kind == EntryKind::File;
        let is_manifest = is_file && entry_name::is_manifest(&entry.path) && self.listing.is_on();
        let is_kept = is_manifest || entry.is_metadata() || entry.path == AUTH;
        if is_manifest && entry.size > MOST_OF_A_MANIFEST {
            return Err(refuse("it is larger than 256 MiB"));
        }
        if is_kept && !is_manifest && entry.size > MOST_TO_KEEP {
            return Err(refuse("it is larger than 1 MiB"));
        }
        let offset = content.position();
        let mut solid = entry.size;
        let mut hash = None;
        let is_hashed = self.is_hashed || self.listing.is_on();
        if is_kept {
            let bytes = content.content()?;
            if is_manifest {
                self.listing
                    .manifest(&bytes, &self.entries)
                    .map_err(|complaint| self.complain(&complaint))?;
            } else if entry.is_metadata() {
                if self.entries.is_empty() {
                    self.listing.description(&bytes);
                }
                self.metadata_json.get_or_insert(bytes);
            } else {
                hash = is_hashed.then(|| file_hash::of_block(&bytes, None));
                self.auth_json = Some(bytes);
            }
        } else if is_file && is_hashed {
            let (of_all, written) = content.hash(entry.size)?;
            hash = Some(of_all);
            // Others are written as they come.
            if self.is_of_members {
                solid = written;
            }
        }
        if let Some(hash) = hash.filter(|_| self.listing.is_on()) {
            self.listing.file(hash);
        }
        if is_file && !entry.is_metadata() {
            self.total_bytes += entry.size;
            self.file_count += 1;
        }
        self.hashes.push(hash);
        self.places.push(Place { offset, solid });
        self.entries.push(entry);
        Ok(())
    }

    fn end(&mut self, maker: Maker) -> Result<()> {
        let link = self.names.bad_link(&self.entries, maker);
        if let Some((link, reason)) = link {
            return Err(damaged(self.path, Some(link.as_bytes()), reason));
        }
        if self.entries.is_empty() {
            return Err(damaged(self.path, None, "it is empty"));
        }
        let told = self.listing.end();
        self.manifest_of = told.map_err(|complaint| self.complain(&complaint))?;
        Ok(())
    }

    fn complain(&self, complaint: &Complaint) -> Error {
        let name = complaint.path.as_ref().map(String::as_bytes);
        damaged(self.path, name, &complaint.reason)
    }
}

/// The content of the description that the archive at `path` begins with, read without the rest; None where it begins
/// with something else (archives of the Python tool have theirs at the end), or its begin is damaged.
///
/// Nothing is checked but these bytes: it is good to be shown.
pub fn description(path: &Path) -> Option<Vec<u8>> {
    let caps = Caps::default();
    let read = with_start(path, &caps, |stream| {
        let mut entries = Entries::new(stream, Maker::Foreign(|_| false), &caps);
        let first = entries.next()?;
        let is_one = |entry: &Entry| {
            entry.is_metadata()
                && !entry_name::is_manifest(&entry.path)
                && entry.size <= MOST_TO_KEEP
        };
        first.filter(is_one).map(|_| entries.content()).transpose()
    });
    read.ok().flatten()
}

/// The login in the archive at `path`, read without what follows it; None where it holds none, or is damaged before it.
///
/// Nothing else is checked: it is good to be compared with others.
pub fn login(path: &Path) -> Option<Vec<u8>> {
    let caps = Caps::default();
    let read = with_begin(path, &caps, |stream| {
        let mut entries = Entries::new(stream, Maker::Foreign(|_| false), &caps);
        while let Some(entry) = entries.next()? {
            if entry.path == AUTH && entry.size <= MOST_TO_KEEP {
                return entries.content().map(Some);
            }
        }
        Ok(None)
    });
    read.ok().flatten()
}

/// Writes the entries that are `wanted`, and the directories they stand in, below `dest`.
///
/// `dest` is an existing directory that only its owner, who is us, may enter; nothing of what is written may stand
/// in it yet. Files are private from their first byte; files and directories are synced. The snapshot's own
/// description is left out. After an error `dest` holds a part: the caller removes it.
///
/// After a [`survey`] it fails as `ArchiveDamaged` for what that left to it.
pub fn extract(
    path: &Path,
    checked: &Checked,
    dest: &Path,
    wanted: &dyn Fn(&str) -> bool,
    watch: &dyn Watch,
) -> Result<()> {
    extract_by(ordered::threads(None), path, checked, dest, wanted, watch)
}

/// [`extract`] with that many threads at work.
fn extract_by(
    threads: usize,
    path: &Path,
    checked: &Checked,
    dest: &Path,
    wanted: &dyn Fn(&str) -> bool,
    watch: &dyn Watch,
) -> Result<()> {
    let wanted = |entry: &Entry| !entry.is_metadata() && wanted(&entry.path);
    let mut tree = Tree::in_private(dest)?;
    let both = checked.entries.iter().zip(&checked.places);
    let needed = both
        .filter(|(entry, _)| entry.kind == EntryKind::File && wanted(entry))
        .fold(0, |sum: u64, (_, place)| sum.saturating_add(place.solid));
    check_room(dest, needed, fsutil::free_bytes(dest))?;
    if let Some(members) = &checked.members {
        let mut files = Vec::new();
        for (entry, place) in checked.entries.iter().zip(&checked.places) {
            match &entry.kind {
                _ if !wanted(entry) => {}
                EntryKind::Dir => tree.dir(&entry.path)?,
                EntryKind::File => {
                    tree.parent(&entry.path)?;
                    files.push(Wanted {
                        place: tree.note(&entry.path),
                        entry,
                        offset: place.offset,
                    });
                }
                EntryKind::Symlink(_) => {}
            }
        }
        let left = if checked.is_whole() {
            watch.begin(needed);
            Left::Nothing
        } else {
            watch.begin(checked.second.total_bytes);
            Left::Content(checked.expected.as_deref())
        };
        tree.written_ahead(|told| spread(path, members, &files, left, threads, watch, told))?;
    } else {
        watch.begin(checked.size_bytes);
        extract_in_order(path, checked, &mut tree, &wanted, watch)?;
    }
    // Last, so that no file was ever written through one.
    for entry in checked.entries.iter().filter(|entry| wanted(entry)) {
        if let EntryKind::Symlink(target) = &entry.kind {
            tree.link(&entry.path, target)?;
        }
    }
    tree.settle(&checked.entries)
}

/// Refuses where `needed` bytes are more than are `free`. Less may be too little as well, which is seen when it is written;
/// a file system that compresses may have room for more than it says.
fn check_room(dest: &Path, needed: u64, free: Option<u64>) -> Result<()> {
    const MEBIBYTE: u64 = 1 << 20;
    match free {
        Some(free) if needed > free => Err(Error::other(
            format!(
                "cannot unpack into `{}`: {} MiB are needed, {} MiB are free",
                dest.display(),
                needed.div_ceil(MEBIBYTE),
                free / MEBIBYTE
            ),
            "free some space, or restore into another file system with `--dest-dir`",
        )),
        _ => Ok(()),
    }
}

/// Unpacks an archive that is not made of our members.
fn extract_in_order(
    path: &Path,
    checked: &Checked,
    tree: &mut Tree,
    wanted: &dyn Fn(&Entry) -> bool,
    watch: &dyn Watch,
) -> Result<()> {
    let caps = &checked.second;
    // Links that passed are told by the comparison with the checked entries.
    let ((), seal) = with_stream(path, caps, Depth::All, 1, watch, |stream| {
        let mut entries = Entries::new(stream, Maker::Foreign(|_| false), caps);
        let mut expected = checked.entries.iter();
        while let Some(entry) = entries.next()? {
            // Before it is written: the hash tells only at the end.
            if expected.next() != Some(&entry) {
                return Err(changed(path));
            }
            match &entry.kind {
                _ if !wanted(&entry) => {}
                EntryKind::Dir => tree.dir(&entry.path)?,
                EntryKind::File => tree.file(&entry, &mut entries)?,
                EntryKind::Symlink(_) => {}
            }
        }
        Ok(())
    })?;
    if seal.sha256.is_some() && seal.sha256 == checked.sha256 {
        Ok(())
    } else {
        Err(changed(path))
    }
}

fn changed(path: &Path) -> Error {
    damaged(path, None, "it changed after it was checked")
}

/// The archive at `path` cannot be used; `entry` is the name as archived, shown without what could steer a terminal.
fn damaged(path: &Path, entry: Option<&[u8]>, reason: &str) -> Error {
    let entry = entry.map_or_else(String::new, |name| format!("entry {}: ", quoted(name)));
    Error::new(
        Kind::ArchiveDamaged,
        format!("`{}` is damaged or unsafe: {entry}{reason}", path.display()),
        "use another backup; `codex-manager list-backups --verify` tells which are whole",
    )
}

/// What is said of an archive that is not the one its sidecar was written for.
pub const NOT_THE_HASH: &str = "its content is not the one its sidecar has the hash of";

/// The archive at `path` is not what its sidecar says of it.
pub fn untrusted(path: &Path, why: &str) -> Error {
    Error::new(
        Kind::ArchiveDamaged,
        format!("the archive `{}` cannot be trusted: {why}", path.display()),
        "choose another one: `codex-manager list-backups --verify` tells which are sound",
    )
}

/// All names seen, by what macOS and Windows take for the same, so that each place is taken once.
struct Names {
    seen: HashMap<String, Seen>,
    /// Keys of the links, to see whether another link leads through one.
    links: HashSet<String>,
    room: u64,
}

struct Seen {
    /// Where it differs from its key.
    spelling: Option<Box<str>>,
    place: Taken,
}

#[derive(PartialEq, Eq)]
enum Taken {
    /// A directory that only the names of its entries tell of.
    Implied,
    Dir,
    Leaf,
}

impl Names {
    fn new(room: u64) -> Self {
        Self {
            seen: HashMap::new(),
            links: HashSet::new(),
            room,
        }
    }

    /// Takes the entry's place and those of the directories above it, or says why they cannot be taken.
    fn add(&mut self, entry: &Entry) -> std::result::Result<(), &'static str> {
        let path = entry.path.as_str();
        for (slash, _) in path.match_indices('/') {
            if let Some(parent) = path.get(..slash) {
                self.take(parent, Taken::Implied)?;
            }
        }
        let place = if entry.kind == EntryKind::Dir {
            Taken::Dir
        } else {
            Taken::Leaf
        };
        self.take(path, place)?;
        let key = collision_key(path);
        if key == AUTH {
            if path != AUTH {
                return Err("on macOS and Windows it is the same file as `auth.json`");
            }
            if entry.kind != EntryKind::File {
                return Err("it is no regular file");
            }
        }
        if let EntryKind::Symlink(_) = entry.kind {
            self.links.insert(key);
        }
        Ok(())
    }

    fn take(&mut self, path: &str, place: Taken) -> std::result::Result<(), &'static str> {
        let key = collision_key(path);
        if let Some(seen) = self.seen.get_mut(&key) {
            if seen.spelling.as_deref().unwrap_or(&key) != path {
                return Err("on macOS and Windows it has the name of another entry");
            }
            return match (&seen.place, place) {
                (Taken::Implied | Taken::Dir, Taken::Implied) => Ok(()),
                (Taken::Implied, Taken::Dir) => {
                    seen.place = Taken::Dir;
                    Ok(())
                }
                (Taken::Dir, Taken::Dir) | (Taken::Leaf, Taken::Leaf) => Err("it is there twice"),
                (Taken::Leaf, _) | (_, Taken::Leaf) => {
                    Err("it is a directory for one entry and none for another")
                }
            };
        }
        let spelling = (key != path).then(|| Box::from(path));
        let bytes = key.len() + if spelling.is_some() { path.len() } else { 0 };
        self.room = self
            .room
            .checked_sub(bytes as u64)
            .ok_or("all names together are longer than `archive.max_entries` allows")?;
        self.seen.insert(key, Seen { spelling, place });
        Ok(())
    }

    /// The first link that leads out of the tree, round in a circle or to another link, and why it is refused.
    fn bad_link<'e>(&self, entries: &'e [Entry], maker: Maker) -> Option<(&'e str, &'static str)> {
        let is_never_restored =
            |path: &str| matches!(maker, Maker::Foreign(is_never) if is_never(path));
        entries.iter().find_map(|entry| match &entry.kind {
            EntryKind::Symlink(target) if !is_never_restored(&entry.path) => {
                let reason = self.check_link(&entry.path, target).err()?;
                Some((entry.path.as_str(), reason))
            }
            _ => None,
        })
    }

    fn check_link(&self, path: &str, target: &str) -> std::result::Result<(), &'static str> {
        if target.is_empty() {
            return Err("it is a link without a target");
        }
        if target.starts_with('/') {
            return Err("it is a link to an absolute path");
        }
        if target
            .chars()
            .any(|letter| entry_name::forbidden(letter).is_some())
        {
            return Err("it is a link whose target holds a forbidden character");
        }
        let mut place: Vec<&str> = path.split('/').collect();
        place.pop();
        for part in target.split('/') {
            match part {
                "" | "." => continue,
                ".." => {
                    if place.pop().is_none() {
                        return Err("it is a link that leads out");
                    }
                }
                _ => place.push(part),
            }
            // Also the steps that a later `..` undoes: the system takes each of them.
            if self.links.contains(&collision_key(&place.join("/"))) {
                return Err("it is a link that leads to another link");
            }
        }
        let place = place.join("/");
        let around = path.strip_prefix(place.as_str());
        if place.is_empty() || around.is_some_and(|rest| rest.starts_with('/')) {
            return Err("it is a link to a directory that it stands in");
        }
        Ok(())
    }
}

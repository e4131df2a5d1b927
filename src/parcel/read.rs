//! Reading one, from anywhere: entry by entry, each judged by its name and kind before a byte of it is kept, the archives
//! spread into a directory of their own and every one of them checked.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::name::{Entry, Stem};
use super::opened::{Counted, Form, Opened, damaged};
use super::{Parcel, Spread, python};
use crate::archive::limits::Limits;
use crate::bundle::{self, Bundle};
use crate::error::{Error, Result};
use crate::fsutil;
use crate::metadata::Sidecar;
use crate::snapshots::{self, Depth, Snapshot};
use crate::timeutil::Stamp;
use crate::ui::table::printable;

/// The most entries.
const MOST_ENTRIES: usize = 1_000_000;

/// The longest name.
const MOST_NAME: u64 = 4096;

/// The most that is said of an entry besides.
const MOST_WORDS: u64 = 1 << 16;

/// The most bytes of all sidecars.
const MOST_SIDECARS: u64 = 512 << 20;

/// What ends an archive: two empty blocks.
const END: u64 = 1024;

/// The most that may follow it: programs fill up what they write.
const MOST_TAIL: u64 = 1 << 20;

/// How much is copied at once.
const PART: usize = 1 << 17;

/// How it is read.
pub struct Reading<'a> {
    /// What the file is called.
    pub what: &'a str,
    /// An empty directory of our own, in the file system of the backup directory.
    pub dir: &'a Path,
    /// How much an archive may hold.
    pub limits: &'a Limits,
    /// The instant this run answers for.
    pub now: Stamp,
    /// Whether to end.
    pub stop: &'a dyn Fn() -> bool,
}

/// Reads all of it, and checks all of it.
pub fn read(opened: Opened, reading: &Reading) -> Result<Parcel> {
    let (place, failure) = (Cell::new(0), RefCell::new(None));
    let counted = Counted {
        inner: opened.content,
        place: &place,
        failure: &failure,
        what: reading.what,
        stop: reading.stop,
    };
    let mut found = Found::new(reading, opened.form);
    let outcome = found.take_all(counted, &place);
    // What the reader below says is the cause.
    if let Some(error) = failure.take() {
        return Err(error);
    }
    outcome?;
    found.judged()
}

/// What was found so far.
struct Found<'a> {
    reading: &'a Reading<'a>,
    form: Form,
    names: BTreeSet<String>,
    bundle: Option<Bundle>,
    python: python::Home,
    sidecars: BTreeMap<Stem, Vec<u8>>,
    sidecar_bytes: u64,
    archives: BTreeMap<Stem, (PathBuf, String)>,
    left: Vec<String>,
}

/// What stands before an entry: its name, where that is too long for its header.
#[derive(Default)]
struct Before {
    name: Option<Vec<u8>>,
}

impl<'a> Found<'a> {
    fn new(reading: &'a Reading<'a>, form: Form) -> Self {
        Self {
            reading,
            form,
            names: BTreeSet::new(),
            bundle: None,
            python: python::Home::default(),
            sidecars: BTreeMap::new(),
            sidecar_bytes: 0,
            archives: BTreeMap::new(),
            left: Vec::new(),
        }
    }

    fn damaged(&self, why: &str) -> Error {
        damaged(self.reading.what, why)
    }

    /// What the archive's own form is wrong in.
    fn broken(&self, error: &io::Error) -> Error {
        let why = error.to_string();
        let why = why.lines().next().unwrap_or_default();
        // It may quote anything.
        self.damaged(&format!("it is no sound tar archive ({})", printable(why)))
    }

    fn take_all<R: Read>(&mut self, counted: R, place: &Cell<u64>) -> Result<()> {
        let mut tar = tar::Archive::new(counted);
        let mut end = 0;
        let mut before = Before::default();
        let entries = tar.entries().map_err(|error| self.broken(&error))?;
        // Else the reader takes in of itself whatever stands before an entry, however long.
        for (count, entry) in entries.raw(true).enumerate() {
            let mut entry = entry.map_err(|error| self.broken(&error))?;
            if count >= MOST_ENTRIES {
                return Err(self.damaged("it has too many entries"));
            }
            let size = entry
                .header()
                .entry_size()
                .map_err(|error| self.broken(&error))?;
            let stands = entry.raw_file_position();
            end = stands.saturating_add(size.div_ceil(512).saturating_mul(512));
            self.take(&mut entry, size, &mut before)?;
        }
        let mut rest = tar.into_inner();
        let tail = self.tail(&mut rest)?;
        if place.get() < end.saturating_add(END) || before.name.is_some() {
            return Err(self.damaged("it is cut: its end is missing"));
        }
        if tail {
            return Ok(());
        }
        Err(self.damaged("something follows its end"))
    }

    /// Reads to the end of the file: only there it is known that nothing of it was changed. Whether nothing else follows.
    fn tail(&self, rest: &mut impl Read) -> Result<bool> {
        let mut buffer = vec![0; PART];
        let mut left = MOST_TAIL;
        loop {
            let read = match rest.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(|error| self.broken(&error))?,
            };
            let part = buffer.get(..read).unwrap_or_default();
            if part.is_empty() {
                return Ok(true);
            }
            left = left.saturating_sub(read as u64);
            if left == 0 || part.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
        }
    }

    fn take<R: Read>(
        &mut self,
        entry: &mut tar::Entry<R>,
        size: u64,
        before: &mut Before,
    ) -> Result<()> {
        use tar::EntryType;
        let kind = entry.header().entry_type();
        match kind {
            EntryType::GNULongName => {
                let mut name = self.limited(entry, size, MOST_NAME, "a name in it")?;
                while name.last() == Some(&0) {
                    name.pop();
                }
                before.name = Some(name);
                return Ok(());
            }
            EntryType::XHeader => {
                let words = self.limited(entry, size, MOST_WORDS, "what it says of an entry")?;
                if let Some(name) = self.words(&words)? {
                    before.name = Some(name);
                }
                return Ok(());
            }
            EntryType::XGlobalHeader | EntryType::GNULongLink if self.form == Form::Python => {
                self.limited(entry, size, MOST_WORDS, "what it says of an entry")?;
                return Ok(());
            }
            _ => {}
        }
        let name = before.name.take();
        let name = name.unwrap_or_else(|| entry.path_bytes().into_owned());
        let name = String::from_utf8(name);
        let name = name.map_err(|_| self.damaged("a name in it is no text"))?;
        let shown = printable(&name).into_owned();
        if !self.names.insert(name.trim_end_matches('/').to_owned()) {
            return Err(self.damaged(&format!("`{shown}` is in it twice")));
        }
        let found = match self.form {
            Form::Ours => {
                let is_file = matches!(kind, EntryType::Regular);
                Entry::of(&name).filter(|_| is_file)
            }
            Form::Python => match self.python.judge(&name, kind) {
                python::Verdict::Entry(entry) => Some(entry),
                python::Verdict::Knowledge(of) => {
                    let bytes = self.limited(entry, size, bundle::MOST_BYTES, &shown)?;
                    self.python.note(of, bytes);
                    return Ok(());
                }
                python::Verdict::Nothing => return Ok(()),
                python::Verdict::Left => {
                    self.left.push(format!("`{shown}`"));
                    return Ok(());
                }
                python::Verdict::Hostile => None,
            },
        };
        let Some(found) = found else {
            return Err(self.damaged(&format!("it holds `{shown}`, which no exported file has")));
        };
        if self.form == Form::Ours && (found == Entry::Bundle) != self.bundle.is_none() {
            return Err(self.damaged("it does not begin with what the manager knew"));
        }
        match found {
            Entry::Bundle => {
                let bytes = self.limited(entry, size, bundle::MOST_BYTES, &shown)?;
                let what = format!("`{}`", self.reading.what);
                self.bundle = Some(Bundle::parse(&what, &bytes)?);
            }
            Entry::Sidecar(stem) => {
                let bytes = self.limited(entry, size, snapshots::MOST_BYTES, &shown)?;
                self.sidecar_bytes += bytes.len() as u64;
                if self.sidecar_bytes > MOST_SIDECARS {
                    return Err(self.damaged("its sidecars are too large"));
                }
                self.sidecars.insert(stem, bytes);
            }
            Entry::Archive(stem) => {
                let spread = self.spread(entry, size, &stem)?;
                self.archives.insert(stem, spread);
            }
        }
        Ok(())
    }

    /// The name in what a writer of the newer form says of an entry.
    fn words(&self, words: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut name = None;
        for word in tar::PaxExtensions::new(words) {
            let word = word.map_err(|error| self.broken(&error))?;
            match word.key_bytes() {
                b"path" => name = Some(word.value_bytes().to_owned()),
                // Then its length is another one than its header says.
                b"size" => {
                    return Err(self.damaged("an entry of it is larger than can be taken in"));
                }
                _ => {}
            }
        }
        Ok(name)
    }

    /// All of an entry that is kept in memory.
    fn limited(&self, entry: &mut impl Read, size: u64, most: u64, what: &str) -> Result<Vec<u8>> {
        if size > most {
            return Err(self.damaged(&format!("{what} is longer than {most} bytes")));
        }
        let mut bytes = Vec::new();
        let read = entry.take(size).read_to_end(&mut bytes);
        read.map_err(|error| self.broken(&error))?;
        if bytes.len() as u64 != size {
            return Err(self.damaged("it is cut"));
        }
        Ok(bytes)
    }

    /// Copies an archive into the directory; its SHA-256.
    fn spread(&self, entry: &mut impl Read, size: u64, stem: &Stem) -> Result<(PathBuf, String)> {
        let dir = self.reading.dir.join(self.archives.len().to_string());
        fsutil::create_private_dir(&dir)?;
        let path = dir.join(stem.name.archive());
        let mut file = create(&path)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; PART];
        let mut left = size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PART).min(PART);
            let room = buffer.get_mut(..most).unwrap_or_default();
            let read = match entry.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(|error| self.broken(&error))?,
            };
            let part = room.get(..read).unwrap_or_default();
            if part.is_empty() {
                return Err(self.damaged("it is cut"));
            }
            hash.update(part);
            let written = file.write_all(part);
            written.map_err(|error| Error::io("write", &path, error))?;
            left -= read as u64;
        }
        Ok((path, fsutil::hex(&hash.finalize())))
    }

    /// All of it, checked.
    fn judged(mut self) -> Result<Parcel> {
        let bundle = match (self.form, self.bundle.take()) {
            (Form::Ours, Some(bundle)) => bundle,
            (Form::Ours, None) => {
                return Err(self.damaged("it does not say what the manager knew"));
            }
            (Form::Python, _) => {
                let home = std::mem::take(&mut self.python);
                let known = home.known(self.reading.now, &mut self.left);
                known.map_err(|why| self.damaged(&why))?
            }
        };
        let mut spread = Vec::new();
        for (stem, (archive, sha256)) in std::mem::take(&mut self.archives) {
            let shown = printable(&stem.archive()).into_owned();
            let Some(bytes) = self.sidecars.remove(&stem) else {
                self.half(format!("the archive `{shown}` without a sidecar"))?;
                continue;
            };
            spread.push(self.check(&shown, archive, sha256, bytes)?);
        }
        for stem in std::mem::take(&mut self.sidecars).into_keys() {
            let shown = printable(&stem.sidecar()).into_owned();
            self.half(format!("the sidecar `{shown}` without an archive"))?;
        }
        Ok(Parcel {
            bundle,
            snapshots: spread,
            left: self.left,
        })
    }

    /// Half a snapshot: the Python tool packs whatever lies there.
    fn half(&mut self, what: String) -> Result<()> {
        if self.form == Form::Ours {
            return Err(self.damaged(&format!("it holds {what}")));
        }
        self.left.push(what);
        Ok(())
    }

    fn check(
        &self,
        shown: &str,
        archive: PathBuf,
        sha256: String,
        bytes: Vec<u8>,
    ) -> Result<Spread> {
        let unsound =
            |why: &str| self.damaged(&format!("its snapshot `{shown}` is not sound: {why}"));
        let sidecar = Sidecar::parse(&bytes).map_err(|why| unsound(&why))?;
        let snapshot = Snapshot {
            archive,
            sidecar: Box::new(sidecar),
            depth: Depth::Whole,
            is_complete: true,
        };
        snapshot
            .check(self.reading.limits, &self.reading.stop)
            .map_err(|error| match error.kind() {
                crate::error::Kind::ArchiveDamaged => {
                    let place = format!("`{}`", snapshot.archive.display());
                    unsound(&error.to_string().replace(&place, "it"))
                }
                _ => error,
            })?;
        Ok(Spread {
            archive: snapshot.archive,
            sha256,
            bytes,
            sidecar: *snapshot.sidecar,
        })
    }
}

/// A private file where nothing stands.
fn create(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(path);
    opened.map_err(|error| Error::io("create", path, error))
}

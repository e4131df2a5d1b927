//! Writing one: what the manager knows, then snapshot after snapshot, none of them changed meanwhile.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use super::name::{BUNDLE, Stem};
use crate::error::{Error, Kind, Result};
use crate::fsutil;
use crate::snapshots::{MOST_BYTES, SUPERSEDED, Snapshot, sidecar_path};
use crate::timeutil::Stamp;

/// Writes what the manager knows and the snapshots to `out`, which `path` names in failures. What changes meanwhile is no
/// snapshot any more: then it fails.
pub fn write<W: Write>(
    out: W,
    path: &Path,
    bundle: &[u8],
    snapshots: &[&Snapshot],
    now: i64,
    stop: &dyn Fn() -> bool,
) -> Result<W> {
    let failed = |error| Error::carried("write", path, error);
    let mut tar = tar::Builder::new(out);
    add(&mut tar, BUNDLE, bundle.len() as u64, now, bundle).map_err(failed)?;
    for snapshot in snapshots {
        let Some(stem) = stem_of(snapshot) else {
            continue;
        };
        let archive = &snapshot.archive;
        let sidecar = fsutil::read_limited(&sidecar_path(archive), MOST_BYTES)?;
        let made = snapshot.sidecar.created_at.map_or(now, Stamp::unix);
        let bytes = sidecar.as_slice();
        add(&mut tar, &stem.sidecar(), bytes.len() as u64, made, bytes).map_err(failed)?;
        let file = fsutil::open_regular(archive);
        let file = file.map_err(|error| Error::io("read", archive, error))?;
        let length = file.metadata().map(|meta| meta.len());
        let length = length.map_err(|error| Error::io("read", archive, error))?;
        let whole = Whole {
            file,
            archive,
            left: length,
            stop,
        };
        add(&mut tar, &stem.archive(), length, made, whole).map_err(failed)?;
    }
    tar.into_inner().map_err(failed)
}

/// Whether a snapshot has a name under which it can be read back.
pub fn is_named(snapshot: &Snapshot) -> bool {
    stem_of(snapshot).is_some()
}

/// What a snapshot is called in the file.
fn stem_of(snapshot: &Snapshot) -> Option<Stem> {
    let dir = fsutil::parent_of(&snapshot.archive);
    let is_earlier = fsutil::parent_of(dir)
        .file_name()
        .is_some_and(|name| name == SUPERSEDED);
    let time = dir.file_name().filter(|_| is_earlier);
    let time = time.map(|time| time.to_string_lossy().into_owned());
    Stem::new(time.as_deref(), &snapshot.archive_name())
}

fn add<W: Write>(
    tar: &mut tar::Builder<W>,
    name: &str,
    length: u64,
    mtime: i64,
    content: impl Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o600);
    header.set_mtime(u64::try_from(mtime).unwrap_or_default());
    header.set_size(length);
    tar.append_data(&mut header, name, content)
}

/// An archive that must be as long as it was.
struct Whole<'a> {
    file: File,
    archive: &'a Path,
    left: u64,
    stop: &'a dyn Fn() -> bool,
}

impl Read for Whole<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.stop)() {
            return Err(Error::interrupted().into());
        }
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let Some(room) = buffer.get_mut(..most).filter(|room| !room.is_empty()) else {
            return Ok(0);
        };
        let read = self.file.read(room);
        let read = read.map_err(|error| Error::io("read", self.archive, error))?;
        if read == 0 {
            let message = format!("`{}` was changed meanwhile", self.archive.display());
            return Err(Error::new(Kind::ArchiveDamaged, message, "run the command again").into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

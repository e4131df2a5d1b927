//! Removing a snapshot: its sidecar first, so that what a kill leaves is an archive by itself, which the next run lists and
//! may remove, and never a sidecar that tells of an archive that is not there.

use std::fs;
use std::io;
use std::path::Path;

use super::{Snapshot, sidecar_path};
use crate::error::{Error, Result};
use crate::fsutil;

/// Removes `snapshot`, and the directory it stands in where `is_alone` in it; how many bytes that frees.
pub fn remove(snapshot: &Snapshot, is_alone: bool) -> Result<u64> {
    let dir = fsutil::parent_of(&snapshot.archive);
    let mut freed = remove_file(&sidecar_path(&snapshot.archive))?;
    // On the disk before the archive goes.
    fsutil::sync_dir(dir)?;
    freed += remove_file(&snapshot.archive)?;
    if is_alone && fs::remove_dir(dir).is_ok() {
        let above = fsutil::parent_of(dir);
        // Only where nothing else is in it.
        let _ = fs::remove_dir(above);
        return Ok(freed);
    }
    fsutil::sync_dir(dir)?;
    Ok(freed)
}

/// One that is gone already frees nothing.
fn remove_file(path: &Path) -> Result<u64> {
    let length = fs::symlink_metadata(path).map_or(0, |meta| meta.len());
    match fs::remove_file(path) {
        Ok(()) => Ok(length),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(Error::io("remove", path, error)),
    }
}

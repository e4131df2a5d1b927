//! Removing a snapshot: its sidecar first, so that nothing tells of an archive that is not there. It only leaves its place
//! until the archive is gone: where that fails it stands there again, and after a kill with the next run.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::{Snapshot, sidecar_path};
use crate::error::{Error, Result};
use crate::fsutil;

/// Removes `snapshot`, and the directory it stands in where `is_alone` in it; how many bytes that frees.
pub fn remove(snapshot: &Snapshot, is_alone: bool) -> Result<u64> {
    let dir = fsutil::parent_of(&snapshot.archive);
    let sidecar = sidecar_path(&snapshot.archive);
    let aside = dir.join(fsutil::temporary_name()?);
    // Held, so that whoever tidies up here for another manager home leaves it alone.
    let held = File::open(&sidecar).ok().filter(|_| cfg!(unix));
    let _ = held.as_ref().map(File::try_lock);
    let is_aside = match fs::rename(&sidecar, &aside) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(Error::io("remove", &sidecar, error)),
    };
    // On the disk before the archive goes.
    let removed = fsutil::sync_dir(dir).and_then(|()| remove_file(&snapshot.archive));
    if removed.is_err() && is_aside {
        let _ = fs::rename(&aside, &sidecar);
    }
    let freed = removed? + remove_file(&aside)?;
    if is_alone && fs::remove_dir(dir).is_ok() {
        let above = fsutil::parent_of(dir);
        // Only where nothing else is in it.
        let is_last = fs::remove_dir(above).is_ok();
        fsutil::sync_dir(if is_last {
            fsutil::parent_of(above)
        } else {
            above
        })?;
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

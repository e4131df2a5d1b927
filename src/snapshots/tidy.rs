//! What killed runs left in a backup directory: a snapshot that lacks only its last step gets it, the rest is removed.
//! Nothing that is in one place alone is.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{MOST_BYTES, SAFETY, SUPERSEDED, read_sidecar, sidecar_path, subdirectories};
use crate::fsutil;
use crate::lock::HomeLock;
use crate::metadata::{BackupName, Sidecar};

/// Tidies up. Best effort; the caller holds the manager home's lock.
pub fn tidy(backup_dir: &Path) {
    finish(backup_dir);
    for part in [SAFETY, SUPERSEDED] {
        let part = backup_dir.join(part);
        // Whoever works here for another manager home is not to be disturbed.
        let Ok(_alone) = HomeLock::try_acquire(&part) else {
            continue;
        };
        for dir in subdirectories(&part).unwrap_or_default() {
            finish(&dir);
            remove_doubles(&dir, backup_dir);
            // Only what is empty can be removed like this.
            let _ = fs::remove_dir(&dir);
        }
        let _ = fs::remove_dir(&part);
    }
}

/// Gives archives the sidecars that were written for them, and removes all else that was on its way to `dir`.
fn finish(dir: &Path) {
    fsutil::sweep_but(dir, &|temporary| place(dir, temporary).is_some());
}

/// Has a sidecar that was on its way stand beside its archive, which stands there already: only the last rename is
/// missing.
fn place(dir: &Path, temporary: &Path) -> Option<()> {
    let bytes = fsutil::read_limited(temporary, MOST_BYTES).ok()?;
    let sidecar = Sidecar::parse(&bytes).ok()?;
    let name = BackupName::of_file(sidecar.archive_name.as_deref()?)?;
    let archive = dir.join(name.archive());
    let target = sidecar_path(&archive);
    let told = sidecar.archive_sha256?;
    let standing = read_sidecar(&target).ok();
    if standing.is_some_and(|standing| standing.archive_sha256.as_ref() == Some(&told)) {
        return None;
    }
    if sidecar.archive_size_bytes != Some(fs::metadata(&archive).ok()?.len()) {
        return None;
    }
    if sha256(&archive).ok()? != told {
        return None;
    }
    fsutil::rename(temporary, &target).ok()
}

/// The SHA-256 of a file, in hex.
pub fn sha256(path: &Path) -> io::Result<String> {
    const PART: usize = 1 << 18;
    let mut file = fsutil::open_regular(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; PART];
    loop {
        let length = file.read(&mut buffer)?;
        let Some(part) = buffer.get(..length).filter(|part| !part.is_empty()) else {
            return Ok(fsutil::hex(&hash.finalize()));
        };
        hash.update(part);
    }
}

/// Removes from a directory below `superseded/` the snapshots whose files all stand in `backup_dir` still: nothing took
/// their place.
fn remove_doubles(dir: &Path, backup_dir: &Path) {
    let Ok(listing) = fs::read_dir(dir) else {
        return;
    };
    let mut snapshots: BTreeMap<Option<BackupName>, Vec<fs::DirEntry>> = BTreeMap::new();
    for file in listing.flatten() {
        let name = BackupName::of_file(&file.file_name().to_string_lossy());
        snapshots.entry(name).or_default().push(file);
    }
    let is_double = |file: &fs::DirEntry| {
        let standing = fs::symlink_metadata(backup_dir.join(file.file_name()));
        let (Ok(one), Ok(other)) = (file.metadata(), standing) else {
            return false;
        };
        let id = |meta| (fsutil::device(meta), fsutil::inode(meta));
        fsutil::inode(&one) != 0 && id(&one) == id(&other)
    };
    for files in snapshots.into_values() {
        if files.iter().all(is_double) {
            for file in files {
                let _ = fs::remove_file(file.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "2026-04-14-155500-alice@example.com-codex";

    fn left(dir: &Path) -> Vec<String> {
        let mut left = Vec::new();
        let mut open = vec![dir.to_owned()];
        while let Some(next) = open.pop() {
            for entry in fs::read_dir(next).expect("lists").flatten() {
                let below = entry.path();
                let name = below
                    .strip_prefix(dir)
                    .expect("below")
                    .display()
                    .to_string();
                left.push(name.replace('\\', "/"));
                if below.is_dir() {
                    open.push(below);
                }
            }
        }
        left.sort();
        left
    }

    fn sidecar(of: &[u8]) -> Vec<u8> {
        let sidecar = Sidecar {
            archive_name: Some(format!("{BASE}.tar.gz")),
            archive_size_bytes: Some(of.len() as u64),
            archive_sha256: Some(fsutil::hex(&Sha256::digest(of))),
            ..Sidecar::default()
        };
        serde_json::to_vec(&sidecar).expect("serializes")
    }

    #[cfg(unix)]
    #[test]
    fn a_sidecar_finds_its_own_archive_and_no_other() {
        let dir = tempfile::tempdir().expect("a directory");
        let write =
            |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).expect("writes");
        let archive = format!("{BASE}.tar.gz");
        let standing = format!("{BASE}.metadata.json");
        write(&archive, b"content");
        write(".codex-manager-tmp-a", &sidecar(b"another"));
        write(".codex-manager-tmp-b", b"half an archive");
        tidy(dir.path());
        assert_eq!(left(dir.path()), [archive.as_str()]);
        write(".codex-manager-tmp-a", &sidecar(b"content"));
        // That of the archive whose place it took.
        write(&standing, &sidecar(b"earlier"));
        tidy(dir.path());
        assert_eq!(left(dir.path()), [standing.as_str(), archive.as_str()]);
        assert_eq!(
            fs::read(dir.path().join(&standing)).expect("reads"),
            sidecar(b"content")
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_to_what_still_stands_are_removed_and_what_is_there_alone_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let kept = |time: &str| {
            let kept = dir.path().join(SUPERSEDED).join(time);
            fs::create_dir_all(&kept).expect("makes");
            kept
        };
        let (archive, description) = (format!("{BASE}.tar.gz"), format!("{BASE}.metadata.json"));
        for name in [&archive, &description] {
            let standing = dir.path().join(name);
            fs::write(&standing, name).expect("writes");
            fs::hard_link(&standing, kept("1").join(name)).expect("links");
        }
        // Of another account and the same second, beside them.
        let other = BASE.replace("alice", "bob") + ".tar.gz";
        fs::write(kept("1").join(&other), "bob's").expect("writes");
        fs::hard_link(dir.path().join(&description), kept("2").join(&description)).expect("links");
        fs::write(kept("2").join(&archive), "earlier").expect("writes");
        kept("3");
        fs::create_dir_all(dir.path().join(SAFETY).join("4")).expect("makes");
        tidy(dir.path());
        let bobs = format!("{SUPERSEDED}/1/{other}");
        let place = |name: &str| format!("{SUPERSEDED}/2/{name}");
        assert_eq!(
            left(dir.path()),
            [
                description.clone(),
                archive.clone(),
                SUPERSEDED.to_owned(),
                format!("{SUPERSEDED}/1"),
                bobs,
                format!("{SUPERSEDED}/2"),
                place(&description),
                place(&archive)
            ]
        );
    }
}

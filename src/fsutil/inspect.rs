//! What files and file systems tell of themselves: whom they are open to, where they lie, what killed runs left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A file system that is not a disk of this machine.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))] // nothing tells it there
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// Another machine's: locks and syncs may not hold there.
    Network,
    /// Memory: it is empty after a restart.
    Memory,
}

/// Where the file system of `path` is, where that is known not to be a disk.
///
/// Source: linux/magic.h, and `man 2 statfs`.
pub fn elsewhere(path: &Path) -> Option<Elsewhere> {
    #[cfg(target_os = "linux")]
    {
        // NFS, CIFS, SMB2, AFS, Ceph, 9P.
        const NETWORK: [u32; 6] = [
            0x6969,
            0xFF53_4D42,
            0xFE53_4D42,
            0x5346_414F,
            0x00C3_6400,
            0x0102_1997,
        ];
        // tmpfs, ramfs.
        const MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58F6];
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 32 bits, in any type
        let kind = rustix::fs::statfs(path).ok()?.f_type as u32;
        if NETWORK.contains(&kind) {
            Some(Elsewhere::Network)
        } else if MEMORY.contains(&kind) {
            Some(Elsewhere::Memory)
        } else {
            None
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        None
    }
}

/// Whether it belongs to whoever runs this.
#[cfg(unix)]
pub fn is_mine(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    meta.uid() == rustix::process::geteuid().as_raw()
}

/// Whether it belongs to whoever runs this: that is not asked here.
#[cfg(not(unix))]
pub fn is_mine(_: &fs::Metadata) -> bool {
    true
}

/// The mode of it, where the system has modes.
#[cfg_attr(unix, allow(clippy::unnecessary_wraps))] // every file has one there
pub fn mode(meta: &fs::Metadata) -> Option<u32> {
    #[cfg(unix)]
    return Some(std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777);
    #[cfg(not(unix))]
    {
        let _ = meta;
        None
    }
}

/// How many names a file has; 1 where the system does not tell.
pub fn names_of(meta: &fs::Metadata) -> u64 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::nlink(meta);
    #[cfg(not(unix))]
    {
        let _ = meta;
        1
    }
}

/// Whether this user may write in `dir`, as the system tells.
pub fn is_writable(dir: &Path) -> bool {
    #[cfg(unix)]
    return rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_ok();
    #[cfg(not(unix))]
    fs::metadata(dir).is_ok_and(|meta| !meta.permissions().readonly())
}

/// Takes from everybody else what they may do with the file or directory at `path`, and leaves what stands in it alone. A
/// link is not followed: what it leads to is another's.
pub fn close(path: &Path) -> Result<()> {
    let failed = |error| Error::io("close to others", path, error);
    let meta = fs::symlink_metadata(path).map_err(failed)?;
    if meta.is_symlink() {
        return Err(failed(io::Error::other("it is a link")));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = meta.permissions().mode() & 0o700;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)?;
    }
    Ok(())
}

/// What the walk of [`open_to_others`] passes over.
pub type Skips<'a> = &'a dyn Fn(&Path) -> bool;

/// Everything at `root` and below it that anybody else may read, write or enter, but for links and what `skips` names.
/// What cannot be looked at is passed over.
pub fn open_to_others(root: &Path, skips: Skips) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else {
            continue;
        };
        if meta.is_symlink() || skips(&path) {
            continue;
        }
        if mode(&meta).is_some_and(|mode| mode & 0o077 != 0) {
            found.push(path.clone());
        }
        if meta.is_dir() {
            let listing = fs::read_dir(&path).into_iter().flatten().flatten();
            open.extend(listing.map(|entry| entry.path()));
        }
    }
    found.sort();
    found
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn what_others_may_use_is_found_and_closed() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("below")).expect("makes");
        close(dir.path()).expect("closes");
        for (name, mode) in [("below/a", 0o644), ("below/b", 0o600), ("left", 0o666)] {
            fs::write(at(name), "x").expect("writes");
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).expect("sets");
        }
        fs::set_permissions(at("below"), fs::Permissions::from_mode(0o755)).expect("sets");
        symlink(at("left"), at("below/link")).expect("links");
        let found = |root: &Path| open_to_others(root, &|path| path.ends_with("left"));
        let open = found(dir.path());
        assert_eq!(open, [at("below"), at("below/a")]);
        for path in &open {
            close(path).expect("closes");
        }
        assert_eq!(found(dir.path()), [""; 0].map(PathBuf::from));
        let mode_of = |name: &str| mode(&fs::metadata(at(name)).expect("stands"));
        assert_eq!(
            (mode_of("below"), mode_of("below/a"), mode_of("left")),
            (Some(0o700), Some(0o600), Some(0o666))
        );
        assert!(close(&at("below/link")).is_err());
    }
}

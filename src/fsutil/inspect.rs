//! What files and file systems tell of themselves: whom they are open to, where they lie, what killed runs left.

use std::fs;
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
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let failed = |error| Error::io("close to others", path, error);
        // Opened first, so that nothing else comes to stand there between looking and closing.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let mut options = fs::OpenOptions::new();
        let opened = options.read(true).custom_flags(flags).open(path);
        let opened = opened.map_err(failed)?;
        let mode = opened.metadata().map_err(failed)?.permissions().mode();
        let closed = fs::Permissions::from_mode(mode & 0o7700);
        opened.set_permissions(closed).map_err(failed)?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// What anybody else may do with the file or directory at `path`, as bits of its mode; 0 for a link and for what is neither.
pub fn open_bits(path: &Path) -> u32 {
    let meta = fs::symlink_metadata(path).ok();
    let meta = meta.filter(|meta| meta.is_file() || meta.is_dir());
    meta.and_then(|meta| mode(&meta)).unwrap_or_default() & 0o077
}

/// Every file and directory at `root` and below it that anybody else may read, write or enter. Links are not followed, nor
/// other file systems entered; what cannot be looked at is passed over.
pub fn open_to_others(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    let device = fs::symlink_metadata(root).map_or(0, |meta| super::device(&meta));
    while let Some(path) = left.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else {
            continue;
        };
        if super::device(&meta) != device {
            continue;
        }
        if open_bits(&path) != 0 {
            found.push(path.clone());
        }
        if meta.is_dir() {
            let listing = fs::read_dir(path).into_iter().flatten().flatten();
            left.extend(listing.map(|entry| entry.path()));
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
        for (name, mode) in [("below/a", 0o644), ("below/b", 0o600)] {
            fs::write(at(name), "x").expect("writes");
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).expect("sets");
        }
        fs::set_permissions(at("below"), fs::Permissions::from_mode(0o2755)).expect("sets");
        let elsewhere = tempfile::NamedTempFile::new().expect("a file");
        let open = fs::Permissions::from_mode(0o666);
        fs::set_permissions(elsewhere.path(), open).expect("sets");
        symlink(elsewhere.path(), at("below/link")).expect("links");
        let open = open_to_others(dir.path());
        assert_eq!(open, [at("below"), at("below/a")]);
        for path in &open {
            close(path).expect("closes");
        }
        assert_eq!(open_to_others(dir.path()), [""; 0].map(PathBuf::from));
        let mode_of = |path: &Path| fs::metadata(path).expect("stands").permissions().mode();
        assert!(close(&at("below/link")).is_err());
        let modes =
            [&at("below"), &at("below/a"), elsewhere.path()].map(|path| mode_of(path) & 0o7777);
        // What it hands on to what is made in it is not others' to use.
        assert_eq!(modes, [0o2700, 0o600, 0o666]);
    }
}

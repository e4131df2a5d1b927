//! File systems that are mounted somewhere below a Codex home. Such a place cannot be moved, and what is on it cannot be
//! moved off it in one step; a directory above it can, and would take it along to where everything is removed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::fsutil;

/// Where something is mounted below `dir`, as paths below it. Linux alone tells; elsewhere none is known of.
pub fn below(dir: &Path) -> Vec<String> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    let told = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    let real = fsutil::real(dir);
    let places = told.split(|byte| *byte == b'\n').filter_map(place);
    let below = places.filter_map(|place| {
        let below = place.strip_prefix(&real).ok()?.to_str()?.to_owned();
        Some(below).filter(|below| !below.is_empty())
    });
    below.collect()
}

/// The mount point in a line of `/proc/self/mountinfo`. Source: proc_pid_mountinfo(5).
fn place(line: &[u8]) -> Option<PathBuf> {
    let field = line.split(|byte| *byte == b' ').nth(4)?;
    let mut path = Vec::new();
    let mut rest = field;
    while let Some((first, behind)) = rest.split_first() {
        // Blanks, line ends and backslashes stand in octal.
        let octal = behind.get(..3).filter(|_| *first == b'\\');
        let byte = octal.and_then(|octal| u8::from_str_radix(str::from_utf8(octal).ok()?, 8).ok());
        path.push(byte.unwrap_or(*first));
        rest = match byte {
            Some(_) => behind.get(3..).unwrap_or_default(),
            None => behind,
        };
    }
    #[cfg(unix)]
    let path = <OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&path);
    #[cfg(not(unix))]
    let path = OsStr::new(str::from_utf8(&path).ok()?);
    Some(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_is_read_with_its_blanks() {
        let line =
            |path: &str| format!("36 35 98:0 / {path} rw,noatime master:1 - ext3 /dev/root rw");
        for (told, path) in [
            ("/home", "/home"),
            (r"/home/a\040b\134c\012", "/home/a b\\c\n"),
            (r"/home/\0\999", r"/home/\0\999"),
        ] {
            assert_eq!(place(line(told).as_bytes()), Some(PathBuf::from(path)));
        }
        assert_eq!(place(b""), None);
        assert_eq!(place(b"36 35 98:0 /"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn every_mount_is_below_the_root() {
        assert!(below(Path::new("/")).iter().any(|path| path == "proc"));
        assert_eq!(below(Path::new("/proc/self/nothing")), Vec::<String>::new());
    }
}

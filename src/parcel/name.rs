//! What the entries of a file may be called. Pure: a name that is none of these never becomes a path.

use crate::metadata::{ARCHIVE_SUFFIX, BackupName, SIDECAR_SUFFIX};

/// What the manager knows.
pub(super) const BUNDLE: &str = "bundle.json";

/// Where the snapshots are.
const BACKUPS: &str = "backups";

/// Where earlier ones are, below.
const SUPERSEDED: &str = "superseded";

/// The longest name of a directory of superseded snapshots.
const MOST_TIME: usize = 40;

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// What the manager knows.
    Bundle,
    /// A snapshot's archive.
    Archive(Stem),
    /// A snapshot's sidecar.
    Sidecar(Stem),
}

/// What both entries of a snapshot have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stem {
    /// The directory below `superseded/`; None for a current one.
    time: Option<String>,
    /// Its name.
    pub(super) name: BackupName,
}

impl Stem {
    /// Of a snapshot in a backup directory; None where it has no name that can be one. `time` is the directory below
    /// `superseded/`.
    pub(super) fn new(time: Option<&str>, archive: &str) -> Option<Self> {
        let name = BackupName::of_file(archive).filter(BackupName::is_safe)?;
        let is_time = |time: &&str| {
            (1..=MOST_TIME).contains(&time.len())
                && time
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        match time {
            Some(time) => Some(Self {
                time: Some(Some(time).filter(is_time)?.to_owned()),
                name,
            }),
            None => Some(Self { time: None, name }),
        }
    }

    fn path(&self, file: &str) -> String {
        match &self.time {
            None => format!("{BACKUPS}/{file}"),
            Some(time) => format!("{BACKUPS}/{SUPERSEDED}/{time}/{file}"),
        }
    }

    /// The path of its archive.
    pub(super) fn archive(&self) -> String {
        self.path(&self.name.archive())
    }

    /// The path of its sidecar.
    pub(super) fn sidecar(&self) -> String {
        self.path(&self.name.sidecar())
    }
}

impl Entry {
    /// What the entry at `path` is; None where it is none that this program writes.
    pub(super) fn of(path: &str) -> Option<Self> {
        if path == BUNDLE {
            return Some(Self::Bundle);
        }
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            [BACKUPS, file] => Self::of_file(None, file),
            [BACKUPS, SUPERSEDED, time, file] => Self::of_file(Some(time), file),
            _ => None,
        }
    }

    /// The same of a file in a backup directory.
    pub(super) fn of_file(time: Option<&str>, file: &str) -> Option<Self> {
        let stem = Stem::new(time, file)?;
        if file.ends_with(ARCHIVE_SUFFIX) {
            Some(Self::Archive(stem))
        } else {
            file.ends_with(SIDECAR_SUFFIX)
                .then_some(Self::Sidecar(stem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_written_is_read() {
        let base = "2026-04-14-155500-alice@example.com-codex";
        for (path, is_archive) in [
            (format!("backups/{base}.tar.gz"), true),
            (
                format!("backups/superseded/2026-04-14-155500-002/{base}.tar.gz"),
                true,
            ),
            (
                format!("backups/superseded/unknown/{base}.metadata.json"),
                false,
            ),
        ] {
            let stem = match Entry::of(&path) {
                Some(Entry::Archive(stem)) if is_archive => stem,
                Some(Entry::Sidecar(stem)) if !is_archive => stem,
                other => panic!("{path}: {other:?}"),
            };
            let same = if is_archive {
                stem.archive()
            } else {
                stem.sidecar()
            };
            assert_eq!(same, path);
        }
        assert_eq!(Entry::of("bundle.json"), Some(Entry::Bundle));
        let odd = |owner: &str| format!("backups/2026-04-14-155500-{owner}-codex.tar.gz");
        for path in [
            "",
            "/bundle.json",
            "./bundle.json",
            "bundle.json/",
            "config.toml",
            &format!("{base}.tar.gz"),
            &format!("/backups/{base}.tar.gz"),
            &format!("../backups/{base}.tar.gz"),
            &format!("backups/../{base}.tar.gz"),
            &format!("backups/safety/2026/{base}.tar.gz"),
            &format!("backups/superseded/{base}.tar.gz"),
            &format!("backups/superseded/../{base}.tar.gz"),
            &format!("backups/superseded//{base}.tar.gz"),
            &format!("backups/superseded/{}/{base}.tar.gz", "a".repeat(41)),
            &odd("a/b"),
            &odd("a\\b"),
            &odd("a:b"),
            &odd("a\n"),
            &odd(&"a".repeat(250)),
        ] {
            assert_eq!(Entry::of(path), None, "{path}");
        }
    }
}

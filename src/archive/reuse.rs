//! What earlier archives hold already: their members by content, so that a new archive takes over what has not changed.
//!
//! Nothing is believed on a time or a length: a member is taken only for equal content, level and form, by its hash.
//! That an earlier archive is damaged is seen when the new one is read back: its members carry their own hashes.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;

use super::member::{HEAD, Head, Key};
use crate::fsutil;

/// The members of some earlier archives.
#[derive(Debug, Default)]
pub struct Reuse {
    archives: Vec<File>,
    members: HashMap<Key, Standing>,
}

/// Where a member stands.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Number of its archive.
    archive: usize,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// What it says of itself.
    pub head: Head,
}

impl Reuse {
    /// The members of `archives`, the first of them first, as far as they can be read. An archive that is none of ours, or
    /// damaged, gives what stands before the damage.
    pub fn of(archives: &[PathBuf]) -> Self {
        let mut reuse = Self::default();
        for path in archives {
            if let Ok(file) = fsutil::open_regular(path) {
                reuse.add(file);
            }
        }
        reuse
    }

    fn add(&mut self, file: File) {
        let Ok(length) = file.metadata().map(|meta| meta.len()) else {
            return;
        };
        let archive = self.archives.len();
        let mut offset = 0;
        let mut head = [0; HEAD];
        while fsutil::read_exact_at(&file, &mut head, offset).is_ok() {
            let Some(head) = Head::parse(&head) else {
                break;
            };
            let end = offset + u64::from(head.size);
            if end > length {
                break;
            }
            self.members.entry(head.key).or_insert(Standing {
                archive,
                offset,
                head,
            });
            offset = end;
        }
        self.archives.push(file);
    }

    /// Where a member of that content stands.
    pub fn find(&self, key: &Key) -> Option<Standing> {
        self.members.get(key).copied()
    }

    /// The archive a member stands in.
    pub fn archive(&self, standing: &Standing) -> Option<&File> {
        self.archives.get(standing.archive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::member::Packer;

    #[test]
    fn members_are_found_by_content_up_to_the_first_damage() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut bytes = Vec::new();
        let mut keys = Vec::new();
        for text in ["one", "two", "three"] {
            let key = Key::of(text.as_bytes(), None, 6);
            let mut member = Vec::new();
            Packer::new(6)
                .pack(key, text.as_bytes(), &mut member)
                .expect("packs");
            keys.push((key, bytes.len() as u64));
            bytes.extend(member);
        }
        let put = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).expect("writes");
            path
        };
        let found = |path: PathBuf| -> Vec<Option<u64>> {
            let reuse = Reuse::of(&[path]);
            let place = |(key, _): &(Key, u64)| reuse.find(key).map(|standing| standing.offset);
            keys.iter().map(place).collect()
        };
        let all: Vec<Option<u64>> = keys.iter().map(|(_, offset)| Some(*offset)).collect();
        assert_eq!(found(put("whole", &bytes)), all);
        let cut = put("cut", &bytes[..bytes.len() - 1]);
        assert_eq!(found(cut), [all[0], all[1], None]);
        let mut broken = bytes.clone();
        broken[usize::try_from(keys[1].1).expect("small") + 3] ^= 1;
        assert_eq!(found(put("broken", &broken)), [all[0], None, None]);
        assert_eq!(found(dir.path().join("gone")), [None, None, None]);
        let other_level = Key {
            level: 9,
            ..keys[0].0
        };
        let reuse = Reuse::of(&[put("again", &bytes)]);
        assert!(reuse.find(&other_level).is_none());
    }
}

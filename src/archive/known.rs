//! Large files that need not be read again: what their blocks held when they were read, and what told the files from any
//! other state of them. Pure: bytes in, bytes out.
//!
//! A length and an mtime can be set to anything, so they are not believed. The time of the last change of the inode cannot
//! be set by a program; it, the inode, the device, the length and the mtime together must be what they were. Only what an
//! earlier archive holds is taken by such a note; and a note is forgotten after a week, so that an error heals.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::file_hash::Hash;
use crate::fsutil;

/// How long a note is believed, in seconds.
const MOST_AGE: i64 = 7 * 86400;

/// How long a file must have stayed as it is. By then what was written to it is on the disk, as a rule, so that nothing is
/// waited for where that is made sure of.
const SETTLED: Duration = Duration::from_secs(90);

/// The form of the notes.
const SCHEMA_VERSION: u32 = 1;

/// What tells a state of a file from any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Number of the file system.
    pub device: u64,
    /// Number of the file in it.
    pub inode: u64,
    /// Length in bytes.
    pub size: u64,
    /// When it was written last, in seconds and nanoseconds.
    pub mtime: (i64, i64),
    /// When anything about it was changed last.
    pub ctime: (i64, i64),
}

/// What a file held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// In which state of it.
    #[serde(flatten)]
    pub identity: Identity,
    /// How many of its bytes were taken.
    pub taken: u64,
    /// When they were read, in seconds since the Unix epoch.
    pub read_at: i64,
    /// The hashes of its blocks, in order.
    #[serde(with = "hashes")]
    pub blake3: Vec<Hash>,
}

/// All notes, by file.
#[derive(Debug)]
pub struct Known {
    notes: HashMap<(u64, u64), Note>,
    /// How long a file must have stayed as it is before it is noted.
    pub settled: Duration,
}

impl Default for Known {
    fn default() -> Self {
        Self::after(SETTLED)
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    schema_version: u32,
    files: Vec<Note>,
}

impl Known {
    /// None yet, of files that stay as they are for so long.
    pub fn after(settled: Duration) -> Self {
        Self {
            notes: HashMap::new(),
            settled,
        }
    }

    /// What `bytes` say that is to be believed at `now`, in seconds since the Unix epoch. What cannot be read says nothing.
    pub fn parse(bytes: &[u8], now: i64) -> Self {
        let stored = serde_json::from_slice::<Stored>(bytes).ok();
        let stored = stored.filter(|stored| stored.schema_version == SCHEMA_VERSION);
        let mut known = Self::default();
        for note in stored.into_iter().flat_map(|stored| stored.files) {
            // A clock that was ahead says nothing either.
            if (0..MOST_AGE).contains(&now.saturating_sub(note.read_at)) {
                known.add(note);
            }
        }
        known
    }

    /// As it is stored, by file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut files: Vec<Note> = self.notes.values().cloned().collect();
        files.sort_by_key(|note| (note.identity.device, note.identity.inode));
        let stored = Stored {
            schema_version: SCHEMA_VERSION,
            files,
        };
        // Numbers and text alone: it cannot fail.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Takes a note, in place of an earlier one of the file.
    pub fn add(&mut self, note: Note) {
        self.notes
            .insert((note.identity.device, note.identity.inode), note);
    }

    /// What the first `taken` bytes of a file in that state held.
    pub fn of(&self, identity: &Identity, taken: u64) -> Option<&Note> {
        let note = self.notes.get(&(identity.device, identity.inode))?;
        (note.identity == *identity && note.taken == taken).then_some(note)
    }
}

/// Hashes as one text each.
mod hashes {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Hash, fsutil};

    pub fn serialize<S: Serializer>(hashes: &[Hash], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(hashes.iter().map(|hash| fsutil::hex(hash)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Hash>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        let hash = |text: String| blake3::Hash::from_hex(text).map(|hash| *hash.as_bytes());
        texts
            .into_iter()
            .map(|text| hash(text).map_err(D::Error::custom))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn note(inode: u64) -> Note {
        Note {
            identity: Identity {
                device: 7,
                inode,
                size: 2_000_000,
                mtime: (1_700_000_000, 5),
                ctime: (1_700_000_001, 6),
            },
            taken: 1_999_999,
            read_at: NOW - 60,
            blake3: vec![[1; 32], [0xfe; 32]],
        }
    }

    fn stored(notes: &[Note]) -> Vec<u8> {
        let mut known = Known::default();
        for note in notes {
            known.add(note.clone());
        }
        known.bytes()
    }

    #[test]
    fn a_note_is_of_one_state_of_one_file() {
        let noted = note(1);
        let known = Known::parse(&stored(&[noted.clone(), note(2)]), NOW);
        assert_eq!(known.of(&noted.identity, noted.taken), Some(&noted));
        assert_eq!(known.of(&noted.identity, noted.taken + 1), None);
        let is = noted.identity;
        for other in [
            Identity { device: 8, ..is },
            Identity { inode: 3, ..is },
            Identity {
                size: 2_000_001,
                ..is
            },
            Identity {
                mtime: (1_700_000_000, 4),
                ..is
            },
            Identity {
                mtime: (1_700_000_001, 5),
                ..is
            },
            Identity {
                ctime: (1_700_000_001, 7),
                ..is
            },
            Identity {
                ctime: (1_700_000_002, 6),
                ..is
            },
        ] {
            assert_eq!(known.of(&other, noted.taken), None, "{other:?}");
        }
        // The newest one counts.
        let later = Note {
            taken: 5,
            ..noted.clone()
        };
        let known = Known::parse(&stored(&[noted.clone(), later]), NOW);
        assert_eq!(known.of(&noted.identity, noted.taken), None);
    }

    #[test]
    fn a_note_is_believed_for_a_week() {
        let noted = note(1);
        for (age, is_believed) in [
            (-1, false),
            (0, true),
            (MOST_AGE - 1, true),
            (MOST_AGE, false),
        ] {
            let bytes = stored(&[Note {
                read_at: NOW - age,
                ..noted.clone()
            }]);
            let known = Known::parse(&bytes, NOW);
            assert_eq!(
                known.of(&noted.identity, noted.taken).is_some(),
                is_believed,
                "{age}"
            );
        }
        assert!(
            Known::parse(
                &stored(&[Note {
                    read_at: i64::MIN,
                    ..noted
                }]),
                NOW
            )
            .notes
            .is_empty()
        );
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        let bytes = stored(&[note(1)]);
        let text = String::from_utf8(bytes.clone()).expect("text");
        for spoiled in [
            String::new(),
            text.replace("\"schema_version\":1", "\"schema_version\":2"),
            text.replace("fefe", "xyxy"),
            text[..text.len() - 1].to_owned(),
        ] {
            assert!(
                Known::parse(spoiled.as_bytes(), NOW).notes.is_empty(),
                "{spoiled}"
            );
        }
        assert_eq!(Known::parse(&bytes, NOW).bytes(), bytes);
    }
}

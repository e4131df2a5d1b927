//! Where it is noted what large files held, from one snapshot to the next.

use super::Making;
use crate::archive::known::{Known, Note};
use crate::archive::write::Noted;
use crate::fsutil;

/// The largest file of notes that is read.
const MOST_NOTES: u64 = 64 << 20;

/// What is noted of large files. Nothing where all is to be read.
pub(super) fn read(making: &Making) -> Known {
    let (Some((path, now)), false) = (making.notes, making.force) else {
        return Known::default();
    };
    let bytes = fsutil::read_if_present(path, MOST_NOTES).ok().flatten();
    bytes.map_or_else(Known::default, |bytes| Known::parse(&bytes, now.unix()))
}

/// Keeps what was learned for the next snapshot. Without it that one only takes longer.
pub(super) fn keep(making: &Making, known: &mut Known, learned: Vec<Noted>) {
    let Some((path, now)) = making.notes else {
        return;
    };
    if learned.is_empty() {
        return;
    }
    for noted in learned {
        known.add(Note {
            identity: noted.identity,
            taken: noted.taken,
            read_at: noted.read_at.unwrap_or_else(|| now.unix()),
            blake3: noted.blake3,
        });
    }
    let _ = fsutil::write_unsynced(path, &known.bytes());
}

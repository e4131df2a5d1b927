//! How much an archive may hold: what the settings say, what its sidecar tells, and the defaults. Pure.
//!
//! A limit that was set holds for every archive. Where none was set, a sidecar that tells how much its archive holds is
//! taken at its word up to what no home reaches, since a snapshot of ours must never be refused: a home may hold a
//! database full of zeros or a tree of many files. What nobody vouches for has to be as homes are.

use super::read::{Caps, RATIO_FROM};

/// Entries of an archive that nobody vouches for. A heavy home has some thousand files; each costs an inode, and what
/// was made to exhaust them packs each into a few bytes.
pub const MAX_ENTRIES: u64 = 100_000;

/// Entries of an archive whose sidecar tells how many files there are: each costs some 400 bytes of memory.
const MAX_ENTRIES_TOLD: u64 = 1_000_000;

/// Inflated bytes of any archive.
pub const MAX_BYTES: u64 = 1 << 40;

/// How many times its own length an archive that nobody vouches for may hold. Text of sessions reaches 30; what is
/// denser than this is hardly anything but zeros.
pub const MAX_RATIO: u64 = 200;

/// How many inflated bytes a sidecar can vouch for, whatever their ratio: reading as many zeros takes a minute.
const MAX_BYTES_TOLD: u64 = 256 << 30;

/// From how many inflated bytes on a ratio that was set is asked for.
const RATIO_FROM_SET: u64 = 1 << 20;

/// What an archive's sidecar tells of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// How many files.
    pub files: Option<u64>,
    /// Their length together, in bytes.
    pub bytes: Option<u64>,
}

/// The limits that were set; None where none was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// `archive.max_entries`.
    pub entries: Option<u64>,
    /// `archive.max_bytes`.
    pub bytes: Option<u64>,
    /// `archive.max_ratio`.
    pub ratio: Option<u64>,
}

impl Limits {
    /// The limits of one archive.
    pub fn caps(&self, told: Told) -> Caps {
        let entries = self.entries.unwrap_or(match told.files {
            Some(_) => MAX_ENTRIES_TOLD,
            None => MAX_ENTRIES,
        });
        Caps {
            entries,
            total_bytes: self.bytes.unwrap_or(MAX_BYTES),
            ratio: self.ratio.unwrap_or(MAX_RATIO),
            ratio_from: match self.ratio {
                Some(_) => RATIO_FROM_SET,
                // The headers of as many files, and of the directories they lie in, come on top.
                None => told.bytes.map_or(RATIO_FROM, |bytes| {
                    let headers = told.files.unwrap_or_default().saturating_mul(4096);
                    let told = bytes.saturating_add(headers).saturating_add(RATIO_FROM);
                    told.min(MAX_BYTES_TOLD)
                }),
            },
            name_bytes: most_of_names(entries),
            ..Caps::default()
        }
    }
}

/// Names of homes have some 90 bytes.
fn most_of_names(entries: u64) -> u64 {
    const LEAST: u64 = 16 << 20;
    entries.saturating_mul(256).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sidecar_vouches_for_much_and_a_limit_that_was_set_holds_for_all() {
        let told = Told {
            files: Some(200_000),
            bytes: Some(80 << 30),
        };
        let unset = Limits::default();
        let (stranger, own) = (unset.caps(Told::default()), unset.caps(told));
        assert_eq!(
            (stranger.entries, stranger.ratio, stranger.ratio_from),
            (MAX_ENTRIES, MAX_RATIO, RATIO_FROM)
        );
        assert_eq!(own.entries, MAX_ENTRIES_TOLD);
        assert!(own.ratio_from > 80 << 30 && own.total_bytes == MAX_BYTES);
        let set = Limits {
            entries: Some(7),
            bytes: Some(8),
            ratio: Some(9),
        };
        for told in [Told::default(), told] {
            let caps = set.caps(told);
            assert_eq!((caps.entries, caps.total_bytes, caps.ratio), (7, 8, 9));
            assert_eq!(caps.ratio_from, RATIO_FROM_SET);
        }
        let lies = Told {
            files: Some(u64::MAX),
            bytes: Some(u64::MAX),
        };
        let caps = unset.caps(lies);
        assert_eq!(
            (caps.total_bytes, caps.ratio_from),
            (MAX_BYTES, MAX_BYTES_TOLD)
        );
    }
}

//! Reading back what was written: every byte of the file is what was meant, and what was compressed now inflates to what
//! was read.

use std::fs::File;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::Placed;
use crate::archive::member::{Unpacker, is_untouched};
use crate::archive::ordered::{Pool, ordered};
use crate::error::{Error, Result};
use crate::fsutil;

/// So many bytes are sent to the disk at a time, once they were read back.
const FLUSHED: u64 = 8 << 20;

/// What reading back gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is what was meant.
    Sound {
        /// SHA-256 of the file, in hex.
        sha256: String,
        /// Its length in bytes.
        size_bytes: u64,
    },
    /// A member that was taken over is damaged, as it is in the archive it came from.
    Rotten,
    /// Something else than what was meant stands in the file.
    Wrong,
}

/// Reads `file`, which is to be `shown` and to hold exactly `members`: as they come, where it is still being written.
pub fn verify(
    file: &File,
    shown: &Path,
    members: impl IntoIterator<Item = Placed> + Send,
    threads: usize,
    stop: &dyn Fn() -> bool,
) -> Result<Verdict> {
    let unreadable = |error| Error::io("read back", shown, error);
    let pool = Pool::default();
    let worker = || {
        let (mut unpacker, mut plain) = (Unpacker::new(), Vec::new());
        let pool = &pool;
        move |(placed, member): (Placed, Vec<u8>)| {
            let is_sound = if placed.is_fresh {
                unpacker.unpack(&placed.head, &member, &mut plain).is_ok()
            } else {
                is_untouched(&placed.head, &member)
            };
            pool.give(member);
            (is_sound, placed.is_fresh)
        }
    };
    let ran = ordered(
        threads,
        worker,
        |feed| -> io::Result<(Sha256, u64)> {
            let mut hash = Sha256::new();
            let (mut offset, mut flushed) = (0, 0);
            for placed in members {
                let mut member = pool.take();
                member.resize(placed.head.size as usize, 0);
                fsutil::read_exact_at(file, &mut member, offset)?;
                hash.update(&member);
                offset += u64::from(placed.head.size);
                if offset - flushed >= FLUSHED {
                    fsutil::begin_to_flush(file, flushed, offset - flushed);
                    flushed = offset;
                }
                if !feed.put((placed, member)) {
                    break;
                }
            }
            Ok((hash, offset))
        },
        |results| {
            for verdict in results {
                if stop() {
                    return Err(Error::interrupted());
                }
                match verdict {
                    Ok((true, _)) => {}
                    Ok((false, false)) => return Ok(Some(Verdict::Rotten)),
                    Ok((false, true)) | Err(_) => return Ok(Some(Verdict::Wrong)),
                }
            }
            Ok(None)
        },
    );
    let (fed, taken) = ran.map_err(unreadable)?;
    if let Some(verdict) = taken? {
        return Ok(verdict);
    }
    let Some(fed) = fed else {
        return Ok(Verdict::Wrong);
    };
    let (hash, size_bytes) = match fed {
        Ok(fed) => fed,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Verdict::Wrong),
        Err(error) => return Err(unreadable(error)),
    };
    if file.metadata().map_err(unreadable)?.len() != size_bytes {
        return Ok(Verdict::Wrong);
    }
    Ok(Verdict::Sound {
        sha256: fsutil::hex(&hash.finalize()),
        size_bytes,
    })
}

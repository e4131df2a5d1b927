//! One file with all a person takes along who moves house: what the manager knows, and the snapshots.
//!
//! ```text
//! bundle.json                                  what the manager knows, first
//! backups/<base>.metadata.json                 a snapshot's sidecar
//! backups/<base>.tar.gz                        and its archive
//! backups/superseded/<time>/<base>…            earlier ones of a window
//! ```
//!
//! It is a tar archive, encrypted as a whole: `age -d FILE | tar x` opens it. The Python codex-manager's exported file, its
//! manager home as it stands in a compressed tar archive, is read too.
//!
//! What is read comes from anywhere: all of it is read and judged before anything of it counts.

mod name;
mod opened;
mod python;
mod read;
mod write;

use std::path::PathBuf;

use crate::bundle::Bundle;
use crate::metadata::Sidecar;

pub use opened::{Form, open};
pub use read::{Reading, read};
pub use write::{is_named, write};

/// What a file holds.
#[derive(Debug)]
pub struct Parcel {
    /// What the manager knew.
    pub bundle: Bundle,
    /// The snapshots, spread and checked.
    pub snapshots: Vec<Spread>,
    /// What in it is nothing that is taken in, in words.
    pub left: Vec<String>,
}

/// One snapshot, lying where it was spread to.
#[derive(Debug)]
pub struct Spread {
    /// Its archive.
    pub archive: PathBuf,
    /// The archive's SHA-256, in hex.
    pub sha256: String,
    /// Its sidecar, byte for byte.
    pub bytes: Vec<u8>,
    /// What that says.
    pub sidecar: Sidecar,
}

#[cfg(test)]
mod tests;

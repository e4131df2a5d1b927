//! Carrying snapshots, and what is known of accounts, between this machine and a remote.
//!
//! A snapshot's objects are named by what is in it (see [`keys`]) and never change; its sidecar goes last, so that what a
//! killed run leaves is no snapshot. The list of them is the only index: nothing is shared that two machines could both
//! write, but the marker, which says the same whoever writes it.

mod crew;
pub mod keys;
pub mod local;
pub mod machines;
pub mod marker;
mod placing;
pub mod plan;
pub mod pull;
pub mod push;
pub mod report;
pub mod sidecars;

use std::io;
use std::path::Path;

use keys::{Listing, SNAPSHOTS};
use marker::Marker;

use crate::context::Ctx;
use crate::error::{Error, Kind, Result};
use crate::remote::{Address, Remote};
use crate::ui::table::count;

/// How a run goes about it.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // switches of a command line
pub struct How<'a> {
    /// The remote that was named.
    pub remote: Option<&'a str>,
    /// Where snapshots are kept, as it was named.
    pub backup_dir: Option<&'a Path>,
    /// Whether deletions are carried too.
    pub deletes: bool,
    /// Whether nobody is to be asked before.
    pub yes: bool,
    /// How many transfers go on at once, as it was said.
    pub concurrency: Option<u8>,
    /// Whether it was said to carry things as they are.
    pub no_encrypt: bool,
    /// Whether nothing is to be written.
    pub dry_run: bool,
}

/// A remote with what stands on it.
pub struct Store {
    /// The remote.
    pub remote: Remote,
    /// What its marker says; None before anything was carried there.
    pub marker: Option<Marker>,
    /// The snapshots on it.
    pub listing: Listing,
}

impl Store {
    /// Looks at the remote at that address; `takes_plain` as for [`Listing::of`].
    pub fn open(ctx: &Ctx, address: &Address, takes_plain: bool) -> Result<Self> {
        let remote = ctx.open_remote(address, &ctx.access())?;
        let marker = Marker::read(&remote)?;
        let listing = Listing::of(remote.list(SNAPSHOTS)?, takes_plain);
        tell_foreign(ctx, &remote, &listing.foreign);
        Ok(Self {
            remote,
            marker,
            listing,
        })
    }

    /// Warns of what is not encrypted and not taken: the snapshots, and what so many machines tell.
    pub fn tell_plain(&self, ctx: &Ctx, machines: usize) {
        let snapshots = self.listing.plain.len();
        for (number, what) in [(snapshots, "snapshot"), (machines, "machine")] {
            if number > 0 {
                ctx.ui.warn(&format!(
                    "{} on {} not encrypted: left alone, since anybody who can write there may have put it there",
                    count(number, what),
                    self.remote
                ));
            }
        }
    }
}

/// Warns of keys that are none of ours, of the first ones each.
fn tell_foreign(ctx: &Ctx, remote: &Remote, foreign: &[String]) {
    const MOST: usize = 5;
    for key in foreign.iter().take(MOST) {
        ctx.ui.warn(&format!(
            "`{key}` on {remote} is none of ours: it is left alone"
        ));
    }
    if foreign.len() > MOST {
        let more = count(foreign.len() - MOST, "more object");
        ctx.ui
            .warn(&format!("{more} on {remote}, none of ours: left alone"));
    }
}

/// What is wrong with what is not encrypted where it should be.
fn not_encrypted(key: &str, remote: &Remote) -> String {
    format!(
        "`{key}` on {remote} is not encrypted, so anybody who can write there may have put it there: it is left alone"
    )
}

/// Whether the same would happen to everything else too.
fn is_of_all(error: &Error) -> bool {
    matches!(
        error.kind(),
        Kind::Remote | Kind::Interrupted | Kind::Locked
    ) || matches!(
        error.io_kind(),
        Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    )
}

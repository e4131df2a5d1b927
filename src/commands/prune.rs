//! `prune`: removes what is no longer needed.

mod snapshots;

use crate::cli::PruneArgs;
use crate::context::Ctx;
use crate::error::{Outcome, Result};

/// Runs the command.
pub fn run(ctx: &Ctx, args: &PruneArgs) -> Result<Outcome> {
    snapshots::run(ctx, args)
}

//! `prune`: removes what is no longer needed.

mod answer;
mod choice;
mod codex_state;
mod remote;
mod snapshots;

use crate::cli::PruneArgs;
use crate::context::Ctx;
use crate::error::{Outcome, Result};

/// Runs the command.
pub fn run(ctx: &Ctx, args: &PruneArgs) -> Result<Outcome> {
    match &args.remote {
        _ if args.codex_state => codex_state::run(ctx, args),
        Some(remote) => remote::run(ctx, args, remote),
        None => snapshots::run(ctx, args),
    }
}

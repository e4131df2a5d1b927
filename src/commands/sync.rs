//! `sync`: carries snapshots, and what is known of accounts, between machines.

mod init;
mod status;

use crate::cli::{SyncAction, SyncArgs, SyncPull, SyncPush};
use crate::context::Ctx;
use crate::error::{Outcome, Result};
use crate::sync::report::Answer;
use crate::sync::{How, pull, push};

/// Runs the command.
pub fn run(ctx: &Ctx, args: &SyncArgs) -> Result<Outcome> {
    match &args.action {
        SyncAction::Init(args) => init::run(ctx, args),
        SyncAction::Push(args) => tell(ctx, push::push(ctx, &pushing(args))?),
        SyncAction::Pull(args) => tell(ctx, pull::pull(ctx, &pulling(args))?),
        SyncAction::Status(args) => status::run(ctx, args),
    }
}

fn pushing(args: &SyncPush) -> How<'_> {
    How {
        remote: args.remote.remote.as_deref(),
        backup_dir: args.backup_dir.as_deref(),
        deletes: args.delete,
        yes: args.yes,
        concurrency: args.remote.concurrency,
        no_encrypt: args.no_encrypt,
        dry_run: args.dry_run,
    }
}

fn pulling(args: &SyncPull) -> How<'_> {
    How {
        remote: args.remote.remote.as_deref(),
        backup_dir: args.backup_dir.as_deref(),
        deletes: args.delete,
        yes: args.yes,
        concurrency: args.remote.concurrency,
        no_encrypt: args.no_encrypt,
        dry_run: args.dry_run,
    }
}

/// Prints what came of it, also where it ended before its end.
fn tell(ctx: &Ctx, mut answer: Answer) -> Result<Outcome> {
    let ended_by = answer.ended_by.take();
    answer.warn(&ctx.ui);
    if answer.mode == "dry-run" {
        ctx.ui.data(&answer)?;
    } else {
        ctx.ui.done(&answer)?;
    }
    match ended_by {
        Some(error) => Err(error),
        None if answer.failed.is_empty() => Ok(Outcome::Done),
        None => Ok(Outcome::Partial),
    }
}

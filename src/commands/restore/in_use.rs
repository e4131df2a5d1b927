//! Whether a Codex is open on the home that a restore is about to change: it would go on with the login it has in memory,
//! and write over what is restored.

use std::path::Path;
use std::time::Duration;

use crate::cli::{LiveArgs, RestoreArgs};
use crate::codex::running::{self, Open};
use crate::context::Ctx;
use crate::error::{Error, Kind, Result};

/// How often it is looked whether a daemon that was told to stop is gone, and the pause between.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// Fails where a Codex is open on `dest` that is not to be stopped here; with `--force` and `--dry-run` that is a warning.
/// Stops nothing.
pub fn check(ctx: &Ctx, args: &RestoreArgs, dest: &Path) -> Result<()> {
    let open = look(ctx, dest);
    let home = ctx.paths.short(dest);
    let is_stopped = open.is_idle_daemon() && !args.force;
    if !open.is_any() || (is_stopped && !args.dry_run) {
        return Ok(());
    }
    if !args.force && !args.dry_run {
        return Err(refusal(ctx, dest, &open, None));
    }
    let then = if is_stopped {
        "a restore stops it first"
    } else if args.force {
        "it keeps the login it has, and may write over what is restored"
    } else {
        "a restore is refused as long as it is, or needs `--force`"
    };
    ctx.ui
        .warn(&format!("codex is open on `{home}`: {open}; {then}"));
    Ok(())
}

/// The same for a restore that is about to begin: a daemon that serves nobody is stopped, by Codex.
pub fn close(ctx: &Ctx, dest: &Path) -> Result<()> {
    let mut open = look(ctx, dest);
    let mut why = None;
    if open.is_idle_daemon() {
        let stopped = ctx
            .codex(&LiveArgs::default())
            .and_then(|program| running::stop_daemon(&program, dest, &|| ctx.stopped()));
        ctx.check_stop()?;
        why = stopped.err();
        open = look(ctx, dest);
        for _ in 0..LOOKS {
            if why.is_some() || !open.is_idle_daemon() {
                break;
            }
            std::thread::sleep(PAUSE);
            open = look(ctx, dest);
        }
    }
    if open.is_any() {
        return Err(refusal(ctx, dest, &open, why.as_ref()));
    }
    Ok(())
}

fn look(ctx: &Ctx, dest: &Path) -> Open {
    running::look(dest, ctx.sqlite_home(dest).as_deref())
}

fn refusal(ctx: &Ctx, dest: &Path, open: &Open, why: Option<&Error>) -> Error {
    let why = why.map_or_else(String::new, |why| {
        format!(", which cannot be stopped: {why}")
    });
    Error::new(
        Kind::Locked,
        format!(
            "codex is open on `{}`: {open}{why}; nothing was changed",
            ctx.paths.short(dest)
        ),
        "quit it, a daemon by `codex app-server daemon stop`, then run the command again; or say `--force`: it keeps \
         the login it has, and may write over what is restored",
    )
}

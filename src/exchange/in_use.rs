//! Whether a Codex is open on the home that is about to be changed: it would go on with the login it has in memory,
//! and write over what was changed.

use std::path::Path;
use std::time::Duration;

use crate::cli::LiveArgs;
use crate::codex::running::{self, Open};
use crate::context::Ctx;
use crate::error::{Error, Kind, Result};

/// How often it is looked whether a daemon that was told to stop is gone, and the pause between.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// What is to be done to a home.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    /// A snapshot is put back.
    Restore,
    /// Another login is put in place.
    Use,
}

impl Deed {
    fn command(self) -> &'static str {
        match self {
            Self::Restore => "a restore",
            Self::Use => "`use`",
        }
    }

    /// What a Codex that stays open does to it.
    fn risk(self) -> &'static str {
        match self {
            Self::Restore => "it keeps the login it has, and may write over what is restored",
            Self::Use => "it keeps the login it has until it is started anew",
        }
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// What is to be done.
    pub deed: Deed,
    /// Whether to go on all the same.
    pub force: bool,
    /// Whether nothing is to be changed.
    pub dry_run: bool,
}

/// Fails where a Codex is open on `dest` that is not to be stopped here; with `--force` and `--dry-run` that is a warning.
/// Stops nothing.
pub fn check(ctx: &Ctx, asked: Asked, dest: &Path) -> Result<()> {
    let open = look(ctx, dest);
    let home = ctx.paths.short(dest);
    let is_stopped = open.is_idle_daemon() && !asked.force;
    if !open.is_any() || (is_stopped && !asked.dry_run) {
        return Ok(());
    }
    if !asked.force && !asked.dry_run {
        return Err(refusal(ctx, asked.deed, dest, &open, None));
    }
    let command = asked.deed.command();
    let then = if is_stopped {
        format!("{command} stops it first")
    } else if asked.force {
        asked.deed.risk().to_owned()
    } else {
        format!("{command} is refused as long as it is, or needs `--force`")
    };
    ctx.ui
        .warn(&format!("codex is open on `{home}`: {open}; {then}"));
    Ok(())
}

/// The same for what is about to begin: a daemon that serves nobody is stopped, by Codex.
pub fn close(ctx: &Ctx, deed: Deed, dest: &Path) -> Result<()> {
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
        return Err(refusal(ctx, deed, dest, &open, why.as_ref()));
    }
    Ok(())
}

/// Fails where any Codex is open on `home`, a daemon too, whatever else is said; for a dry run that is a warning. For what
/// `command` does nobody is stopped.
pub fn refuse(ctx: &Ctx, command: &str, home: &Path, dry_run: bool) -> Result<()> {
    let open = look(ctx, home);
    if !open.is_any() {
        return Ok(());
    }
    let home = ctx.paths.short(home);
    if dry_run {
        ctx.ui.warn(&format!(
            "codex is open on `{home}`: {open}; `{command}` is refused as long as it is"
        ));
        return Ok(());
    }
    Err(Error::new(
        Kind::Locked,
        format!("codex is open on `{home}`: {open}; nothing was changed"),
        "quit it, a daemon by `codex app-server daemon stop`, then run the command again",
    ))
}

/// Whoever has `home` open, in words.
pub fn open_on(ctx: &Ctx, home: &Path) -> Vec<String> {
    let open = look(ctx, home);
    open.processes.iter().map(ToString::to_string).collect()
}

fn look(ctx: &Ctx, dest: &Path) -> Open {
    running::look(dest, ctx.sqlite_home(dest).as_deref())
}

fn refusal(ctx: &Ctx, deed: Deed, dest: &Path, open: &Open, why: Option<&Error>) -> Error {
    let why = why.map_or_else(String::new, |why| {
        format!(", which cannot be stopped: {why}")
    });
    Error::new(
        Kind::Locked,
        format!(
            "codex is open on `{}`: {open}{why}; nothing was changed",
            ctx.paths.short(dest)
        ),
        format!(
            "quit it, a daemon by `codex app-server daemon stop`, then run the command again; or say `--force`: {}",
            deed.risk()
        ),
    )
}

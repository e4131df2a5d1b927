//! What `--fix` does: nothing of it loses a byte, changes a login, an archive or anybody's settings.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::context::Ctx;
use crate::error::{Error, Result};
use crate::fsutil;
use crate::lock::Lock;
use crate::profiles::private_home;
use crate::registry::{self, Registry};
use crate::snapshots::{self, commit};
use crate::ui::table::count;

/// Where sidecars that lost their archive go, below the backup directory.
pub const ORPHANED: &str = "orphaned";

/// One thing that can be repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// A directory is missing.
    Make(PathBuf),
    /// Others may read or write these.
    Close(Vec<PathBuf>),
    /// A restore into this Codex home was cut short.
    Mend(PathBuf),
    /// Killed runs left logins, which whoever takes the lock keeps.
    TakeIn,
    /// The lock names somebody who is gone: whoever takes it takes the name out.
    Unlock,
    /// Killed runs left these beside snapshots.
    Tidy(Vec<PathBuf>),
    /// These sidecars have no archive.
    SetAside(Vec<PathBuf>),
    /// The registry cannot be read.
    Registry,
}

impl Repair {
    /// What it does, in words.
    pub fn words(&self, ctx: &Ctx) -> String {
        let short = |path: &Path| ctx.paths.short(path);
        match self {
            Self::Make(dir) => format!("make `{}`", short(dir)),
            Self::Close(paths) => match paths.as_slice() {
                [one] => format!("close `{}` to others", short(one)),
                all => {
                    /// More would be no line that anybody reads.
                    const MOST: usize = 8;
                    let named = all
                        .iter()
                        .take(MOST)
                        .map(|path| format!("`{}`", short(path)));
                    let named = named.collect::<Vec<_>>().join(", ");
                    let more = match all.len().saturating_sub(MOST) {
                        0 => String::new(),
                        more => format!(" and {more} more"),
                    };
                    format!(
                        "close {} files and directories to others: {named}{more}",
                        all.len()
                    )
                }
            },
            Self::Mend(home) => format!("finish or drop the restore into `{}`", short(home)),
            Self::TakeIn => "keep what a killed run left in its profile".to_owned(),
            Self::Unlock => "tidy up after whoever held the lock".to_owned(),
            Self::Tidy(paths) => format!(
                "remove {} of killed runs, or put it in place where only the last step is missing",
                count(paths.len(), "leftover")
            ),
            Self::SetAside(paths) => match paths.as_slice() {
                [one] => format!("move `{}` below `{ORPHANED}/`", short(one)),
                all => format!("move {} sidecars below `{ORPHANED}/`", all.len()),
            },
            Self::Registry => "set the broken registry aside".to_owned(),
        }
    }

    /// Does it; what was done, in words. The caller holds the lock.
    pub fn carry_out(&self, ctx: &Ctx, _lock: &Lock) -> Result<String> {
        let short = |path: &Path| ctx.paths.short(path);
        match self {
            Self::Make(dir) => {
                fsutil::create_private_dir(dir)?;
                Ok(format!("`{}` was made", short(dir)))
            }
            Self::Close(paths) => {
                let mut closed = Vec::new();
                let mut refused = Vec::new();
                for path in paths {
                    match fsutil::close(path) {
                        Ok(()) => closed.push(path),
                        // Gone meanwhile.
                        Err(error) if error.io_kind() == Some(io::ErrorKind::NotFound) => {}
                        Err(error) => refused.push(error),
                    }
                }
                // What can be closed is, whatever cannot.
                let last = closed.is_empty().then(|| refused.pop()).flatten();
                for error in &refused {
                    ctx.ui.warn(&format!("{error}; {}", error.hint()));
                }
                last.map_or(Ok(()), Err)?;
                Ok(match closed.as_slice() {
                    [one] => format!("`{}` was closed to others", short(one)),
                    all => format!("{} files and directories were closed to others", all.len()),
                })
            }
            Self::Mend(home) => {
                drop(ctx.enter_home(home)?);
                Ok(format!("the restore into `{}` was dealt with", short(home)))
            }
            // Done by taking the lock, where it can be.
            Self::TakeIn => match private_home::left_in(&ctx.paths.tmp()).first() {
                None => Ok("what a killed run left is kept".to_owned()),
                Some(left) => Err(Error::other(
                    format!("the login in `{}` is still there", short(left)),
                    "the warning above says why",
                )),
            },
            Self::Unlock => Ok("what it left was tidied up".to_owned()),
            Self::Tidy(paths) => tidy(ctx, paths),
            Self::SetAside(paths) => set_aside(ctx, paths),
            Self::Registry => {
                let path = ctx.paths.registry();
                // Whoever had the lock before may have set it aside.
                if !matches!(Registry::load(&path), Err(broken) if broken.is_damaged) {
                    return Ok("the registry is not damaged any more".to_owned());
                }
                let aside = registry::set_aside(&path, ctx.now)?;
                Ok(format!("the broken registry is `{}` now", short(&aside)))
            }
        }
    }
}

/// By the rules of every command that writes.
fn tidy(ctx: &Ctx, paths: &[PathBuf]) -> Result<String> {
    let home = &ctx.paths.codex_home;
    let backup_dir = ctx.backup_dir(None)?;
    drop(ctx.enter(home, &backup_dir)?);
    let still = paths.iter().filter(|path| path.exists()).count();
    if still > 0 {
        return Err(Error::other(
            format!(
                "{} of killed runs could not be removed",
                count(still, "leftover")
            ),
            "see whose they are, and remove them by hand",
        ));
    }
    Ok(format!(
        "{} of killed runs went",
        count(paths.len(), "leftover")
    ))
}

/// Moves sidecars out of the way. One whose archive has come meanwhile stays.
fn set_aside(ctx: &Ctx, paths: &[PathBuf]) -> Result<String> {
    let orphaned = ctx.backup_dir(None)?.join(ORPHANED);
    let mut moved = Vec::new();
    for path in paths {
        if !snapshots::is_orphan(path)? {
            continue;
        }
        let name = path.file_name().unwrap_or_default();
        let dir = commit::free_dir(&orphaned, Some(ctx.now))?;
        let place = dir.join(name);
        fsutil::rename_or_stay(path, &place).inspect_err(|_| {
            // Only what is empty can be removed like this.
            let _ = fs::remove_dir(&dir);
        })?;
        moved.push(place);
    }
    Ok(match moved.as_slice() {
        [one] => format!("the sidecar is `{}` now", ctx.paths.short(one)),
        all => format!(
            "{} went below `{}`",
            count(all.len(), "sidecar"),
            ctx.paths.short(&orphaned)
        ),
    })
}

//! `profile`: what is kept of each account, shown and changed.

mod export;
mod import;
mod list;
mod login;
mod remove;
mod rename;
mod set;
mod show;

use crate::cli::{ProfileAction, ProfileArgs};
use crate::context::Ctx;
use crate::error::{Outcome, Result};

/// Runs the command.
pub fn run(ctx: &Ctx, args: &ProfileArgs) -> Result<Outcome> {
    match &args.action {
        ProfileAction::List => list::run(ctx)?,
        ProfileAction::Show { name } => show::run(ctx, name)?,
        ProfileAction::Set {
            name,
            changes,
            dry_run,
            ..
        } => set::run(ctx, name, changes, *dry_run)?,
        ProfileAction::Rename {
            name,
            new_name,
            dry_run,
            ..
        } => rename::run(ctx, name, new_name, *dry_run)?,
        ProfileAction::Export(args) => return export::run(ctx, args),
        ProfileAction::Import(args) => import::run(ctx, args)?,
        ProfileAction::Login(args) => login::run(ctx, args)?,
        ProfileAction::Remove {
            name, yes, dry_run, ..
        } => remove::run(ctx, name, *yes, *dry_run)?,
    }
    Ok(Outcome::Done)
}

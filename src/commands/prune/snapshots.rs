//! Snapshots that no rule keeps, removed, and why each other one is kept. Never an account's newest sound one.

use std::path::Path;

use super::answer::{Answer, Entry};
use super::choice::{self, Item};
use crate::accounts::Finder;
use crate::cli::PruneArgs;
use crate::context::Ctx;
use crate::error::{Outcome, Result};
use crate::evidence::Reach;
use crate::snapshots::{self, Depth, SAFETY, SUPERSEDED, Snapshot};
use crate::ui::progress::Watched;

/// Runs the command.
pub fn run(ctx: &Ctx, args: &PruneArgs) -> Result<Outcome> {
    let rules = choice::rules_of(args)?;
    let backup_dir = ctx.backup_dir(args.backup_dir.as_deref())?;
    let held = (!args.dry_run).then(|| ctx.lock("prune")).transpose()?;
    let lock = held.as_ref().map(|(lock, _)| lock);
    if lock.is_some() {
        snapshots::tidy(&backup_dir);
    }
    let reach = Reach::Every(Depth::Whole);
    let evidence = ctx.evidence_with(args.backup_dir.as_deref(), None, reach, false, lock)?;
    let (known, placed) = evidence.accounts_placed();
    let mut items: Vec<Item> = evidence
        .snapshots
        .iter()
        .zip(placed)
        .map(|(snapshot, account)| Item::of(snapshot, "current", account))
        .collect();
    let mut kept = Vec::new();
    for part in [SUPERSEDED, SAFETY] {
        let listing = snapshots::list_kept(&backup_dir, part, &ctx.zone)?;
        for problem in &listing.problems {
            ctx.ui.warn(problem);
        }
        kept.extend(
            listing
                .snapshots
                .into_iter()
                .map(|snapshot| (snapshot, part)),
        );
    }
    let finder = Finder::new(&known);
    for (snapshot, part) in &kept {
        items.push(Item::of(snapshot, part, finder.of_snapshot(snapshot)));
    }
    choice::only_of_account(args, &known, &mut items)?;
    let check = |snapshot: &Snapshot| {
        let length = snapshot.archive.metadata().map_or(0, |meta| meta.len());
        let told = Watched {
            stop: &ctx.stop(),
            progress: &ctx.ui.progress("checking", length),
        };
        snapshot.check(&ctx.limits(), &told).map(|_| ())
    };
    choice::decide(ctx, args, &rules, &mut items, &check)?;
    items.sort_by(|a, b| (b.time(), &a.snapshot.archive).cmp(&(a.time(), &b.snapshot.archive)));
    let mut answer = Answer::new(args.dry_run);
    let mut outcome = Outcome::Done;
    for item in &items {
        let mut entry = entry(ctx, item, &backup_dir);
        if !item.reasons.is_empty() {
            answer.kept.push(entry);
            continue;
        }
        if !args.dry_run {
            ctx.check_stop()?;
            match snapshots::remove(item.snapshot, item.kind != "current") {
                Ok(freed) => entry.size_bytes = freed,
                Err(error) => {
                    ctx.ui.warn(&error.to_string());
                    outcome = Outcome::Partial;
                    entry.reasons.push("it could not be removed".to_owned());
                    answer.kept.push(entry);
                    continue;
                }
            }
        }
        answer.freed_bytes += entry.size_bytes;
        answer.deleted.push(entry);
    }
    if args.dry_run {
        ctx.ui.data(&answer)?;
    } else {
        ctx.ui.done(&answer)?;
    }
    Ok(outcome)
}

fn entry(ctx: &Ctx, item: &Item, backup_dir: &Path) -> Entry {
    let archive = &item.snapshot.archive;
    let length = |path: &Path| path.metadata().map_or(0, |meta| meta.len());
    let below = archive.strip_prefix(backup_dir).unwrap_or(archive);
    let size = length(archive) + length(&snapshots::sidecar_path(archive));
    let (path, below) = (archive.display().to_string(), below.display().to_string());
    Entry::of(ctx, item, path, below, size)
}

//! The same on the remote. What is sound there is found out by fetching it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::answer::{Answer, Entry};
use super::choice::{self, Item};
use crate::cli::PruneArgs;
use crate::context::Ctx;
use crate::error::{Outcome, Result};
use crate::evidence::Reach;
use crate::fsutil;
use crate::metadata::BackupName;
use crate::retention::Rules;
use crate::snapshots::{Depth, Snapshot};
use crate::sync::keys::{Carried, Listing, Placed, SNAPSHOTS, is_encrypted};
use crate::sync::pull::{Fetching, fetch, tidy};
use crate::sync::{Store, push, sidecars};
use crate::ui::table::count;

/// How long what has no sidecar is left alone, seconds: somebody may be about to push it.
const UNFINISHED: i64 = 24 * 60 * 60;

/// Runs the command on the remote of that name, else of the setting.
pub fn run(ctx: &Ctx, args: &PruneArgs, remote: &str) -> Result<Outcome> {
    let rules = choice::rules_of(args);
    let sweeps_alone = rules.is_err() && args.email.is_none() && !args.allow_empty;
    let rules = rules.or_else(|error| sweeps_alone.then(Rules::default).ok_or(error))?;
    let address = ctx.remote(Some(remote).filter(|name| !name.is_empty()))?;
    let store = Store::open(ctx, &address, ctx.takes_plain(false))?;
    store.tell_plain(ctx, 0);
    if sweeps_alone {
        return swept(ctx, args, &store);
    }
    let all: Vec<&Carried> = store.listing.whole.values().collect();
    let is_locked = all.iter().any(|one| is_encrypted(&one.sidecar.key));
    let identities = is_locked.then(|| ctx.identities()).transpose()?;
    let size = ctx.concurrency(None);
    let (told, unusable) = sidecars::read(&store.remote, identities.as_ref(), all, size)?;
    for (_, error) in &unusable {
        // Whose it is cannot be told: so it stays.
        ctx.ui.warn(&error.to_string());
    }
    let mut evidence = ctx.evidence_with(
        args.backup_dir.as_deref(),
        None,
        Reach::Every(Depth::Whole),
        false,
        None,
    )?;
    let of_key: BTreeMap<PathBuf, _> = told
        .iter()
        .map(|one| (PathBuf::from(&one.carried.archive.key), one))
        .collect();
    evidence.snapshots = of_key
        .iter()
        .map(|(key, one)| Snapshot {
            archive: key.clone(),
            sidecar: Box::new(one.sidecar.clone()),
            depth: Depth::Whole,
            is_complete: true,
        })
        .collect();
    let (known, placed) = evidence.accounts_placed();
    let mut items: Vec<Item> = evidence
        .snapshots
        .iter()
        .zip(placed)
        .map(|(snapshot, account)| Item::of(snapshot, "remote", account))
        .collect();
    choice::only_of_account(args, &known, &mut items)?;
    let backup_dir = ctx.backup_dir(args.backup_dir.as_deref())?;
    if !args.dry_run {
        tidy(ctx, &backup_dir, "prune");
    }
    let _scratch = Scratch::make(&backup_dir)?;
    let fetching = Fetching {
        remote: &store.remote,
        identities: identities.as_ref(),
        backup_dir: &backup_dir,
        limits: ctx.limits(),
    };
    let (progress, stop) = (ctx.ui.progress("checking", 0), ctx.stop());
    let check = |snapshot: &Snapshot| match of_key.get(&snapshot.archive) {
        Some(one) => fetch(&fetching, one, &progress, &stop).map(|fetched| {
            if !fetched.discard() {
                ctx.ui
                    .warn("what was fetched to be checked could not be removed: the next run does");
            }
        }),
        None => Ok(()),
    };
    choice::decide(ctx, args, &rules, &mut items, &check)?;
    items.sort_by(|a, b| (b.time(), &a.snapshot.archive).cmp(&(a.time(), &b.snapshot.archive)));
    let _in_hand = ctx.in_hand();
    let mut answer = Answer::new(args.dry_run);
    for item in &items {
        let Some(one) = of_key.get(&item.snapshot.archive) else {
            continue;
        };
        let carried = one.carried;
        let entry = entry(ctx, item, carried);
        if !item.reasons.is_empty() {
            answer.kept.push(entry);
            continue;
        }
        if !args.dry_run {
            ctx.check_stop()?;
            push::remove_one(&store.remote, carried)?;
        }
        answer.freed_bytes += entry.size_bytes;
        answer.deleted.push(entry);
    }
    if args.email.is_none() {
        sweep(ctx, args, &store)?;
    }
    if args.dry_run {
        ctx.ui.data(&answer)?;
    } else {
        ctx.ui.done(&answer)?;
    }
    Ok(if unusable.is_empty() {
        Outcome::Done
    } else {
        Outcome::Partial
    })
}

/// A directory to fetch into. Dropped, it is gone again where it was not there before.
struct Scratch(Vec<PathBuf>);

impl Scratch {
    fn make(dir: &Path) -> Result<Self> {
        let is_missing = |dir: &&Path| matches!(fsutil::exists_behind(dir), Ok(false));
        let missing = dir.ancestors().take_while(is_missing);
        let made = Self(missing.map(Path::to_owned).collect());
        fsutil::create_private_dir(dir)?;
        Ok(made)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for dir in &self.0 {
            // What is in use by now stays.
            let _ = fs::remove_dir(dir);
        }
    }
}

fn entry(ctx: &Ctx, item: &Item, carried: &Carried) -> Entry {
    let key = carried.archive.key.clone();
    let name = item.snapshot.sidecar.archive_name.clone();
    let name = name.filter(|name| BackupName::of_file(name).is_some());
    let size = carried.archive.size + carried.sidecar.size;
    let shown = name.unwrap_or_else(|| key.clone());
    Entry {
        archive_name: shown.clone(),
        ..Entry::of(ctx, item, key, shown, size)
    }
}

/// Without a rule every snapshot stays, and what is none goes.
fn swept(ctx: &Ctx, args: &PruneArgs, store: &Store) -> Result<Outcome> {
    let gone = sweep(ctx, args, store)?;
    let verb = if args.dry_run { "would go" } else { "gone" };
    if gone > 0 || args.dry_run {
        let halves = count(gone, "object");
        ctx.ui.note(&format!(
            "{halves} {verb} of snapshots that are not whole; without a rule every snapshot stays"
        ));
    }
    if ctx.ui.json {
        ctx.ui.data(&Answer::new(args.dry_run))?;
    }
    Ok(Outcome::Done)
}

/// Removes what pushes left that were cut short; how many objects.
fn sweep(ctx: &Ctx, args: &PruneArgs, store: &Store) -> Result<usize> {
    let now = ctx.clock.unix();
    let is_old = |object: &&Placed| {
        object
            .modified
            .is_some_and(|written| now - written > UNFINISHED)
    };
    let old = |listing: &Listing| -> Vec<String> {
        let halves = listing.halves.iter().chain(&listing.empty);
        halves.filter(is_old).map(|half| half.key.clone()).collect()
    };
    let mut gone = old(&store.listing);
    if gone.is_empty() {
        return Ok(0);
    }
    // Where this machine's clock is wrong, one of them may have been completed meanwhile.
    let still = old(&Listing::of(store.remote.list(SNAPSHOTS)?, true));
    gone.retain(|key| still.contains(key));
    let number = gone.len();
    for key in gone {
        ctx.check_stop()?;
        let is_dry = args.dry_run;
        if !is_dry {
            store.remote.remove(&key)?;
        }
        let verb = if is_dry {
            "would be removed"
        } else {
            "removed"
        };
        ctx.ui
            .detail(&format!("{verb}, being half of a snapshot: {key}"));
    }
    Ok(number)
}

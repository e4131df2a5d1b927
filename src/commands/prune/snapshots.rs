//! Snapshots that no rule keeps, removed, and why each other one is kept. Never an account's newest sound one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::accounts::{self, Finder};
use crate::cli::PruneArgs;
use crate::context::Ctx;
use crate::error::{Error, Kind, Outcome, Result};
use crate::evidence::Reach;
use crate::fsutil;
use crate::metadata::BackupMode;
use crate::retention::{self, Rules};
use crate::snapshots::{self, Depth, SAFETY, SUPERSEDED, Snapshot};
use crate::timeutil::Stamp;
use crate::ui::table::{Table, Tone, column, count, number, size_words};
use crate::ui::{Page, Report};

/// Runs the command.
pub fn run(ctx: &Ctx, args: &PruneArgs) -> Result<Outcome> {
    let rules = rules_of(args)?;
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
    if let Some(name) = &args.email {
        let is_meant = |known: &accounts::Known| {
            let is_alias = |alias: &str| alias.eq_ignore_ascii_case(name);
            known.is_called(name) || known.alias.as_deref().is_some_and(is_alias)
        };
        if !known.iter().any(is_meant) {
            return Err(Error::new(
                Kind::NotFound,
                format!("no account is called `{name}`"),
                "`codex-manager list-backups` shows every account that has snapshots",
            ));
        }
        items.retain(|item| {
            let account = item.account.and_then(|account| known.get(account));
            account.is_some_and(is_meant)
        });
    }
    decide(ctx, args, &rules, &mut items)?;
    items.sort_by(|a, b| (b.time(), &a.snapshot.archive).cmp(&(a.time(), &b.snapshot.archive)));
    let mut answer = Answer::new(args.dry_run);
    let mut outcome = Outcome::Done;
    for item in &items {
        let mut entry = Entry::of(ctx, item, &backup_dir);
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

/// What was asked to be kept.
fn rules_of(args: &PruneArgs) -> Result<Rules> {
    let latest = args.keep_latest_per_email.then_some(1);
    let rules = Rules {
        last: args.keep_last.max(latest),
        within: args.keep_within,
        daily: args.keep_daily,
        weekly: args.keep_weekly,
        monthly: args.keep_monthly,
    };
    if rules.is_any() {
        return Ok(rules);
    }
    Err(Error::new(
        Kind::Usage,
        "nothing says what to keep",
        "say it by `--keep-last 3`, `--keep-within 30d`, `--keep-weekly 8` or several of these; `--dry-run` shows what goes",
    ))
}

/// One snapshot, and why it is kept.
struct Item<'a> {
    snapshot: &'a Snapshot,
    kind: &'static str,
    account: Option<usize>,
    reasons: Vec<String>,
}

/// What is counted together: of one account whole homes, logins and session halves apart, so that the many of one kind do
/// not drive out the few of another; what restores replaced by the home it stood in.
type Group = (Option<usize>, u8, Option<PathBuf>);

impl<'a> Item<'a> {
    fn of(snapshot: &'a Snapshot, kind: &'static str, account: Option<usize>) -> Self {
        Self {
            snapshot,
            kind,
            account,
            reasons: Vec::new(),
        }
    }

    fn time(&self) -> Option<Stamp> {
        self.snapshot.sidecar.content_time()
    }

    fn group(&self) -> Group {
        let sidecar = &self.snapshot.sidecar;
        if self.kind == SAFETY {
            let home = sidecar.source_codex_home.as_deref().unwrap_or_default();
            return (None, 3, Some(fsutil::real(home.as_ref())));
        }
        let mode = match sidecar.mode() {
            BackupMode::Full => 0,
            BackupMode::AuthOnly => 1,
            BackupMode::SessionOnly => 2,
        };
        (self.account, mode, None)
    }
}

/// Finds why each is kept. Of the snapshots of an account from which one goes, the newest that is sound stays, unless none
/// need be left.
fn decide(ctx: &Ctx, args: &PruneArgs, rules: &Rules, items: &mut [Item]) -> Result<()> {
    let mut groups: BTreeMap<Group, Vec<usize>> = BTreeMap::new();
    for (place, item) in items.iter().enumerate() {
        groups.entry(item.group()).or_default().push(place);
    }
    for ((_, _, home), mut places) in groups {
        // Of one second the later by name, and what took another's place, is the newer.
        places.sort_by_key(|place| {
            let item = &items[*place];
            let sequence = item.snapshot.sidecar.safety_sequence;
            (
                item.kind == "current",
                sequence,
                item.snapshot.archive.clone(),
            )
        });
        let times: Vec<_> = places.iter().map(|place| items[*place].time()).collect();
        let reasons = retention::decide(&times, rules, &ctx.zone);
        for (place, reasons) in places.iter().zip(reasons) {
            items[*place].reasons = reasons.iter().map(ToString::to_string).collect();
        }
        let is_of_account = home.is_none();
        let goes = places.iter().any(|place| items[*place].reasons.is_empty());
        if !is_of_account || !goes || args.allow_empty {
            continue;
        }
        let mut newest_first: Vec<usize> = places.clone();
        newest_first.reverse();
        newest_first.sort_by_key(|place| std::cmp::Reverse(items[*place].time()));
        for place in newest_first {
            let item = &mut items[place];
            let sound = item.snapshot.check(&ctx.limits(), &|| ctx.stopped());
            ctx.check_stop()?;
            match sound {
                Ok(_) => {
                    if item.reasons.is_empty() {
                        item.reasons.push("newest sound one".to_owned());
                    }
                    break;
                }
                Err(error) => ctx.ui.warn(&error.to_string()),
            }
        }
    }
    Ok(())
}

/// One snapshot as it is told.
#[derive(Serialize)]
struct Entry {
    archive_name: String,
    path: String,
    kind: &'static str,
    email: Option<String>,
    account_id: Option<String>,
    created_at: Option<Stamp>,
    size_bytes: u64,
    reasons: Vec<String>,
    #[serde(skip)]
    below: String,
}

impl Entry {
    fn of(ctx: &Ctx, item: &Item, backup_dir: &std::path::Path) -> Self {
        let (archive, sidecar) = (&item.snapshot.archive, &item.snapshot.sidecar);
        let length = |path: &std::path::Path| path.metadata().map_or(0, |meta| meta.len());
        let below = archive.strip_prefix(backup_dir).unwrap_or(archive);
        Self {
            archive_name: item.snapshot.archive_name(),
            path: archive.display().to_string(),
            kind: item.kind,
            email: sidecar.email.clone(),
            account_id: sidecar.account_id.clone(),
            created_at: sidecar.created_at.map(|made| made.in_zone(&ctx.zone)),
            size_bytes: length(archive) + length(&snapshots::sidecar_path(archive)),
            reasons: item.reasons.clone(),
            below: below.display().to_string(),
        }
    }
}

#[derive(Serialize)]
struct Answer {
    mode: &'static str,
    deleted: Vec<Entry>,
    kept: Vec<Entry>,
    freed_bytes: u64,
}

impl Answer {
    fn new(dry_run: bool) -> Self {
        Self {
            mode: if dry_run { "dry-run" } else { "pruned" },
            deleted: Vec::new(),
            kept: Vec::new(),
            freed_bytes: 0,
        }
    }
}

impl Report for Answer {
    fn text(&self, page: &Page) -> String {
        let columns = [
            column("ARCHIVE", 1),
            column("ACCOUNT", 2),
            column("MADE", 3),
            number("SIZE", 4),
            column("KEPT", 0),
        ];
        let mut table = Table::new(&columns);
        let goes = if self.mode == "dry-run" {
            "would go"
        } else {
            "gone"
        };
        for entry in self.kept.iter().chain(&self.deleted) {
            let (tone, why) = if entry.reasons.is_empty() {
                (Tone::Dim, goes.to_owned())
            } else {
                (Tone::Plain, entry.reasons.join(", "))
            };
            table.row(
                tone,
                [
                    entry.below.clone(),
                    entry.email.clone().unwrap_or_else(|| "-".to_owned()),
                    entry.created_at.map_or("-".to_owned(), Stamp::table_form),
                    size_words(entry.size_bytes),
                    why,
                ],
            );
        }
        let mut text = String::new();
        if !self.kept.is_empty() || !self.deleted.is_empty() {
            text = table.render(page);
        }
        text.push_str(&format!(
            "{:<8} {} of {}, {}\n",
            self.mode,
            self.deleted.len(),
            count(self.deleted.len() + self.kept.len(), "snapshot"),
            size_words(self.freed_bytes),
        ));
        text
    }
}

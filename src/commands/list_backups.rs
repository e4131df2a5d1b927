//! `list-backups`: the snapshots there are, with `--all` also those that were superseded and what restores replaced; with
//! `--verify` every archive is read and checked.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::Serialize;

use crate::accounts::{self, Finder, Known, Row};
use crate::cli::{ListBackupsArgs, SortBy};
use crate::context::Ctx;
use crate::error::{Outcome, Result};
use crate::exchange::target;
use crate::metadata::{Account, BackupMode};
use crate::observation::Status;
use crate::profiles::names;
use crate::snapshots::{self, Depth, Lengths, SAFETY, SUPERSEDED, Snapshot};
use crate::threads;
use crate::timeutil::{SessionStart, Stamp, Zone};
use crate::ui::progress::Watched;
use crate::ui::table::{Table, Tone, ago, column, count, long, number, passing, size_words, until};
use crate::ui::{Page, Report};

/// Runs the command.
pub fn run(ctx: &Ctx, args: &ListBackupsArgs) -> Result<Outcome> {
    let evidence = ctx.evidence(args.backup_dir.as_deref(), None, Depth::Window, true)?;
    let (known, placed) = evidence.accounts_placed();
    let rows: Vec<Row> = known
        .iter()
        .map(|known| accounts::row(known, ctx.now, &ctx.zone))
        .collect();
    let nobody = accounts::row(&Known::default(), ctx.now, &ctx.zone);
    let mut shown: Vec<(&Snapshot, &Row, Option<usize>)> = Vec::new();
    for (snapshot, account) in evidence.snapshots.iter().zip(placed) {
        let row = account.and_then(|account| rows.get(account));
        shown.push((snapshot, row.unwrap_or(&nobody), account));
    }
    let backup_dir = ctx.backup_dir(args.backup_dir.as_deref())?;
    let mut kept = Vec::new();
    let mut unreadable = evidence.unreadable_snapshots;
    if args.all {
        for part in [SUPERSEDED, SAFETY] {
            let listing = snapshots::list_kept(&backup_dir, part, &ctx.zone)?;
            for problem in &listing.problems {
                ctx.ui.warn(problem);
            }
            unreadable += listing.unreadable;
            kept.extend(listing.snapshots);
        }
    }
    let finder = args.all.then(|| Finder::new(&known));
    for snapshot in &kept {
        let account = finder
            .as_ref()
            .and_then(|finder| finder.of_snapshot(snapshot));
        let row = account.and_then(|account| rows.get(account));
        shown.push((snapshot, row.unwrap_or(&nobody), account));
    }
    if let Some(email) = &args.email {
        keep_called(&mut shown, email)?;
        if shown.is_empty() && !known.iter().any(|one| is_of(one, email)) {
            return Err(target::unknown(email));
        }
    }
    if args.latest_per_email {
        keep_latest(&mut shown, &known);
    }
    if args.ready {
        shown.retain(|(_, row, _)| row.status != Status::Cooldown);
    }
    let zone = &ctx.zone;
    let mut entries: Vec<Entry> = threads::share(shown.into_iter(), |part| {
        let mut lengths = Lengths::default();
        let part = part.into_iter();
        part.map(|(snapshot, row, _)| Entry::of(snapshot, row, lengths.of(snapshot), zone))
            .collect()
    });
    for entry in entries.iter_mut().filter(|_| args.all) {
        entry.find_kind(&backup_dir);
    }
    sort(&mut entries, args.sort);
    entries.truncate(args.limit.unwrap_or(usize::MAX));
    let mut outcome = Outcome::Done;
    if args.verify {
        if unreadable > 0 {
            outcome = Outcome::Partial;
        }
        let _in_hand = ctx.in_hand();
        let lengths = entries.iter().filter_map(|entry| entry.size_bytes);
        let progress = &ctx.ui.progress("checking", lengths.sum());
        let stop = &ctx.stop();
        for entry in &mut entries {
            ctx.check_stop()?;
            let all = evidence.snapshots.iter().chain(&kept);
            let snapshot = all
                .into_iter()
                .find(|snapshot| snapshot.archive == entry.archive);
            let checked = snapshot.map_or(Ok(()), |snapshot| {
                let told = Watched { stop, progress };
                snapshot.check(&ctx.limits(), &told).map(|_| ())
            });
            ctx.check_stop()?;
            entry.verified = Some(checked.is_ok());
            if let Err(error) = checked {
                ctx.ui.warn(&error.to_string());
                outcome = Outcome::Partial;
            }
        }
    }
    if entries.is_empty() {
        let dir = ctx.paths.short(&backup_dir);
        ctx.ui.note(&match evidence.snapshots.len() + kept.len() {
            0 => format!(
                "no backups in `{dir}`; `{}` makes one",
                ctx.typed("codex-manager backup")
            ),
            others => format!(
                "none of {} in `{dir}` is asked for",
                count(others, "backup")
            ),
        });
    }
    ctx.ui.data(&Answer { backups: entries })?;
    // The process ends soon: to give thousands of texts back one by one takes as long as to read them.
    std::mem::forget(evidence);
    Ok(outcome)
}

/// Whether an account without snapshots is meant.
fn is_of(known: &Known, name: &str) -> bool {
    let alias = known.alias.as_deref();
    let email = known.account.email.as_deref();
    let begun = [alias, email].into_iter().flatten();
    known.is_called(name) || begun.into_iter().any(|own| names::begins(own, name))
}

/// Those of an email or alias; where there is none, of the one that begins so.
fn keep_called(shown: &mut Vec<(&Snapshot, &Row, Option<usize>)>, name: &str) -> Result<()> {
    fn names_of<'a>(snapshot: &'a Snapshot, row: &'a Row) -> impl Iterator<Item = &'a str> {
        let sidecar = &snapshot.sidecar;
        let names = [
            sidecar.email.as_ref().or(sidecar.user_id.as_ref()),
            row.alias.as_ref(),
        ];
        names.into_iter().flatten().map(String::as_str)
    }
    let is_called =
        |snapshot, row| names_of(snapshot, row).any(|own| own.eq_ignore_ascii_case(name));
    let begins = |snapshot, row| names_of(snapshot, row).any(|own| names::begins(own, name));
    if shown
        .iter()
        .any(|(snapshot, row, _)| is_called(snapshot, row))
    {
        shown.retain(|(snapshot, row, _)| is_called(snapshot, row));
        return Ok(());
    }
    shown.retain(|(snapshot, row, _)| begins(snapshot, row));
    let mut accounts: Vec<Account> = shown.iter().map(|(of, ..)| of.sidecar.account()).collect();
    accounts.sort();
    accounts.dedup_by(|a, b| a.to_string() == b.to_string());
    match accounts.as_slice() {
        [] | [_] => Ok(()),
        several => Err(target::begins_several(name, several)),
    }
}

/// The newest whole or login snapshot of each account.
fn keep_latest(shown: &mut Vec<(&Snapshot, &Row, Option<usize>)>, known: &[Known]) {
    fn key(snapshot: &Snapshot) -> (bool, Reverse<Option<Stamp>>, &Path) {
        let sidecar = &snapshot.sidecar;
        (
            sidecar.mode() == BackupMode::SessionOnly,
            Reverse(sidecar.content_time()),
            &snapshot.archive,
        )
    }
    shown.sort_by(|(a, ..), (b, ..)| key(a).cmp(&key(b)));
    let nobody = Account::default();
    let mut seen: HashSet<&Account> = HashSet::new();
    shown.retain(|(_, _, account)| {
        let known = account.and_then(|account| known.get(account));
        seen.insert(known.map_or(&nobody, |known| &known.account))
    });
}

fn sort(entries: &mut [Entry], by: SortBy) {
    // In one order only, since no two have one path.
    entries.sort_unstable_by(|a, b| {
        let order = match by {
            SortBy::ResetAt => b.reset_at.cmp(&a.reset_at),
            SortBy::SessionStartAt => b.session_start_at.cmp(&a.session_start_at),
            SortBy::CreatedAt => b.created_at.cmp(&a.created_at),
            SortBy::Size => b.size_bytes.cmp(&a.size_bytes),
        };
        order
            .then_with(|| a.archive_name.cmp(&b.archive_name))
            .then_with(|| a.archive.cmp(b.archive))
    });
}

#[derive(Serialize)]
struct Entry<'a> {
    archive_name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    /// What a person types for it, where that is not its name.
    #[serde(skip)]
    below: Option<String>,
    #[serde(rename = "path")]
    archive: &'a Path,
    email: Option<&'a str>,
    /// What names it where there is no email.
    #[serde(skip)]
    user_id: Option<&'a str>,
    account_id: Option<&'a str>,
    alias: Option<&'a str>,
    session_start_at: Option<SessionStart>,
    reset_at: Option<Stamp>,
    next_available_at: Option<Stamp>,
    created_at: Option<Stamp>,
    quota_percent_left: Option<u8>,
    backup_mode: BackupMode,
    /// Of a safety copy of some parts of the home: which.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    parts: &'a [String],
    /// None where the archive is gone since.
    size_bytes: Option<u64>,
    status: Status,
    usable_at: Option<Stamp>,
    verified: Option<bool>,
}

impl<'a> Entry<'a> {
    fn of(snapshot: &'a Snapshot, row: &'a Row, size_bytes: Option<u64>, zone: &Zone) -> Self {
        let sidecar = &snapshot.sidecar;
        let shown = |stamp: Stamp| stamp.in_zone(zone);
        let archive_name = snapshot.archive.file_name().unwrap_or_default();
        Self {
            archive_name: archive_name.to_string_lossy(),
            kind: None,
            below: None,
            archive: &snapshot.archive,
            email: sidecar.email.as_deref(),
            user_id: sidecar.user_id.as_deref(),
            account_id: sidecar.account_id.as_deref(),
            alias: row.alias.as_deref(),
            session_start_at: sidecar
                .session_start_at
                .map(|start| SessionStart(shown(start.0))),
            reset_at: sidecar.reset_at.map(shown),
            next_available_at: sidecar
                .session_start_at
                .map(|start| start.next_available_at(zone))
                .or(sidecar.next_available_at.map(shown)),
            created_at: sidecar.created_at.map(shown),
            quota_percent_left: sidecar.quota_percent_left,
            backup_mode: sidecar.mode(),
            parts: &sidecar.parts,
            size_bytes,
            status: row.status,
            usable_at: row.usable_at,
            verified: None,
        }
    }

    /// What its account is called; one whose email is in `several` workspaces with its own.
    fn called(&self, several: &HashSet<&str>) -> Cow<'a, str> {
        match (self.email, self.account_id) {
            (Some(email), Some(workspace)) if several.contains(email) => {
                format!("{email} [{workspace}]").into()
            }
            _ => self.email.or(self.user_id).unwrap_or("-").into(),
        }
    }

    /// Tells by its place which kind of snapshot it is.
    fn find_kind(&mut self, backup_dir: &Path) {
        let below = self.archive.strip_prefix(backup_dir).ok();
        let top = below.and_then(|below| below.iter().next());
        let kept = [SUPERSEDED, SAFETY]
            .into_iter()
            .find(|part| top.is_some_and(|top| top == *part));
        self.kind = Some(kept.unwrap_or("current"));
        self.below = below
            .filter(|_| kept.is_some())
            .map(|below| below.display().to_string());
    }
}

/// The emails that are in several workspaces.
fn of_several<'a>(entries: &[Entry<'a>]) -> HashSet<&'a str> {
    let mut workspace_of: HashMap<&str, &str> = HashMap::new();
    let known = entries
        .iter()
        .filter_map(|entry| entry.email.zip(entry.account_id));
    let mut known = known.collect::<Vec<_>>();
    known.retain(|(email, workspace)| workspace_of.entry(email).or_insert(workspace) != workspace);
    known.into_iter().map(|(email, _)| email).collect()
}

#[derive(Serialize)]
struct Answer<'a> {
    backups: Vec<Entry<'a>>,
}

impl Report for Answer<'_> {
    fn text(&self, page: &Page) -> String {
        if self.backups.is_empty() {
            return String::new();
        }
        let columns = [
            column("ARCHIVE", 1),
            long("ACCOUNT", 0),
            column("STATUS", 0),
            number("LEFT", 4),
            column("RESETS", 5),
            passing("IN", 10),
            column("MADE", 6),
            passing("AGE", 11),
            column("MODE", 7),
            number("SIZE", 8),
            column("KIND", 9),
            column("VERIFIED", 3),
        ];
        let verified = self.backups.iter().any(|entry| entry.verified.is_some());
        let has_kinds = self.backups.iter().any(|entry| entry.kind.is_some());
        let (mut columns, last) = (columns[..10].to_vec(), &columns[10..]);
        columns.extend(has_kinds.then(|| last[0]));
        columns.extend(verified.then(|| last[1]));
        let several = of_several(&self.backups);
        let mut table = Table::new(&columns);
        let time = |stamp: Option<Stamp>| {
            stamp.map_or(Cow::Borrowed("-"), |stamp| stamp.table_form().into())
        };
        for entry in &self.backups {
            let mode = match entry.backup_mode {
                BackupMode::Full if !entry.parts.is_empty() => entry.parts.join(",").into(),
                BackupMode::Full => Cow::Borrowed("full"),
                BackupMode::AuthOnly => "auth-only".into(),
                BackupMode::SessionOnly => "session-only".into(),
            };
            let tone = if entry.status == Status::Cooldown {
                Tone::Dim
            } else {
                Tone::Plain
            };
            let sound = |sound| if sound { "sound" } else { "damaged" };
            let is_sound = entry.verified.map_or("-", sound);
            // Where kinds are not told, what follows them takes their place.
            let [first, second] = entry.kind.map_or([is_sound, ""], |kind| [kind, is_sound]);
            let name = entry.below.as_deref().unwrap_or(&entry.archive_name);
            let resets = entry.reset_at.or(entry.next_available_at);
            table.row(
                tone,
                [
                    Cow::Borrowed(name),
                    entry.called(&several),
                    entry.status.word().into(),
                    entry
                        .quota_percent_left
                        .map_or("-".into(), |left| format!("{left}%").into()),
                    time(resets),
                    until(resets, page),
                    time(entry.created_at),
                    ago(entry.created_at, page),
                    mode,
                    entry
                        .size_bytes
                        .map_or("-".into(), |bytes| size_words(bytes).into()),
                    first.into(),
                    second.into(),
                ],
            );
        }
        table.render(page)
    }
}

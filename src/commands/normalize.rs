//! `normalize`: legacy login copies into an inventory; with `--write-metadata` also into restorable snapshots. The
//! files themselves are never touched.

use std::path::Path;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::archive::write;
use crate::capture;
use crate::cli::NormalizeArgs;
use crate::codex::auth;
use crate::codex::parts::Parts;
use crate::context::Ctx;
use crate::error::{Error, Outcome, Result};
use crate::fsutil;
use crate::inventory::{IdentityStatus, Inventory, Record, Skipped, SourceState};
use crate::metadata::{
    Account, BackupMode, BackupName, SCHEMA_VERSION, Sidecar, StatusSource, ValidationStatus,
    WindowState,
};
use crate::snapshots::make::{self, Making};
use crate::snapshots::{self, Depth, Snapshot};
use crate::timeutil::Stamp;
use crate::ui::table::{Table, Tone, column, count, long, passing, until};
use crate::ui::{Page, Report, progress};

/// Runs the command.
pub fn run(ctx: &Ctx, args: &NormalizeArgs) -> Result<Outcome> {
    let dir = ctx.legacy_dir(args.legacy.source_dir.as_deref())?;
    let path = ctx.inventory_path(args.legacy.inventory_path.as_deref())?;
    let backup_dir = ctx.backup_dir(args.backup_dir.as_deref())?;
    let (mut scan, broken) = ctx.scan_legacy(&args.legacy)?;
    for problem in &broken {
        ctx.ui.warn(problem);
    }
    ctx.check_stop()?;
    let lock = (!args.dry_run).then(|| ctx.lock("normalize")).transpose()?;
    let before = Inventory::load(&path)?;
    let mut after = before.clone();
    after.merge(&scan);
    let (mut made, mut has_failed) = (0_usize, false);
    if args.write_metadata && lock.is_some() {
        snapshots::tidy(&backup_dir);
    }
    let current = if args.write_metadata {
        snapshots::list(&backup_dir, &ctx.zone, Depth::Whole)?.snapshots
    } else {
        Vec::new()
    };
    if args.write_metadata {
        // As the inventory has them: evidence that outlived a lost mtime names the snapshot too.
        for record in after.of_scan(&scan) {
            ctx.check_stop()?;
            match snapshot(ctx, record, &backup_dir, &current, args.dry_run) {
                Ok(true) => made += 1,
                Ok(false) => {}
                Err(why) => {
                    has_failed |= matches!(why, Unmade::Failed(_));
                    scan.skipped.push(Skipped {
                        file: record.legacy_auth_filename.clone(),
                        reason: why.into_reason(),
                    });
                }
            }
        }
        scan.skipped.sort_by(|a, b| a.file.cmp(&b.file));
    }
    let written = if args.dry_run {
        false
    } else {
        after.save(&path, &before, ctx.now)?
    };
    drop(lock);
    for record in scan
        .records
        .iter()
        .filter(|record| record.identity_status == IdentityStatus::Mismatch)
    {
        ctx.ui.warn(&format!(
            "`{}` holds the login of {}",
            record.legacy_auth_filename,
            record.auth_email.as_deref().unwrap_or("somebody else")
        ));
    }
    for skipped in &scan.skipped {
        ctx.ui
            .warn(&format!("skipped `{}`: {}", skipped.file, skipped.reason));
    }
    let is_partial = has_failed || (args.strict && !scan.skipped.is_empty());
    if !ctx.ui.json {
        ctx.ui
            .note(&note(&scan.records, ctx, &dir, &path, args, written, made));
    }
    let answer = Answer {
        records: after.records,
        skipped: scan.skipped,
        inventory_path: path.display().to_string(),
        written,
    };
    if args.dry_run {
        ctx.ui.data(&answer)?;
    } else {
        ctx.ui.done(&answer)?;
    }
    Ok(if is_partial {
        Outcome::Partial
    } else {
        Outcome::Done
    })
}

fn note(
    found: &[Record],
    ctx: &Ctx,
    dir: &Path,
    path: &Path,
    args: &NormalizeArgs,
    written: bool,
    snapshots: usize,
) -> String {
    let (dir, path) = (ctx.paths.short(dir), ctx.paths.short(path));
    let files = count(found.len(), "legacy file");
    let done = match (args.dry_run, written) {
        (true, _) => "dry run: nothing was written",
        (false, true) => "the inventory was written",
        (false, false) => "the inventory says the same already",
    };
    let made = match (args.write_metadata, args.dry_run) {
        (false, _) => String::new(),
        (true, false) => format!("; {} made", count(snapshots, "snapshot")),
        (true, true) => format!("; {} would be made", count(snapshots, "snapshot")),
    };
    format!("{files} in `{dir}`; {done}: `{path}`{made}")
}

/// Makes the auth-only snapshot of one legacy file. True if one was made (or would be); the error is why it cannot.
fn snapshot(
    ctx: &Ctx,
    record: &Record,
    backup_dir: &Path,
    current: &[Snapshot],
    dry_run: bool,
) -> Result<bool, Unmade> {
    let path = Path::new(&record.source_path);
    let bytes = fsutil::read_limited(path, auth::MOST_BYTES).map_err(|error| error.to_string())?;
    if record.source_sha256.as_deref() != Some(fsutil::hex(&Sha256::digest(&bytes)).as_str()) {
        let reason = "no snapshot of it: it changed while it was read".to_owned();
        return Err(reason.into());
    }
    let login = auth::parse(&bytes).map_err(|reason| format!("no snapshot of it: {reason}"))?;
    if record.identity_status == IdentityStatus::Mismatch {
        let other = record.auth_email.as_deref().unwrap_or("somebody else");
        let reason = format!("no snapshot of it: it holds the login of {other}");
        return Err(reason.into());
    }
    let sidecar = Sidecar {
        schema_version: Some(SCHEMA_VERSION),
        email: login
            .account
            .email
            .clone()
            .or_else(|| Some(record.email.clone())),
        account_id: login.account.account_id.clone(),
        user_id: login.account.user_id.clone(),
        plan_type: login.plan_type.clone(),
        auth_mode: Some(login.auth_mode.clone()),
        login_refreshed_at: login.refreshed_at(&ctx.zone),
        session_start_at: Some(record.session_start_at),
        next_available_at: Some(record.next_available_at),
        reset_at: Some(record.next_available_at),
        window_state: Some(WindowState::Running),
        quota_end_detected_at: Some(record.quota_end_detected_at),
        inferred_session_duration_seconds: Some(record.inferred_session_duration_seconds),
        inference_basis: Some(record.inference_basis.clone()),
        legacy_auth_filename: Some(record.legacy_auth_filename.clone()),
        legacy_quota_day_token: Some(record.legacy_quota_day_token.clone()),
        status_source: Some(StatusSource::Legacy),
        observed_at: Some(record.quota_end_detected_at),
        validation_status: Some(record.validation_status),
        backup_mode: Some(BackupMode::AuthOnly),
        captured_files: vec!["auth.json".to_owned()],
        source_codex_home: path.parent().map(|dir| dir.display().to_string()),
        hostname: ctx.hostname(),
        created_at: Some(ctx.now),
        manager_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        ..Sidecar::default()
    };
    let wanted = capture::Wanted {
        auth_json: Some(&bytes),
        email: None,
        parts: Parts::AUTH,
        include_tmp: false,
        exclude: &[],
        own_dirs: &[],
    };
    let home = path.parent().unwrap_or(Path::new("."));
    let mut plan = capture::plan(home, &wanted).map_err(|error| error.to_string())?;
    for entry in &mut plan.entries {
        // The login's own time, not that of an auth.json that may stand beside it.
        entry.mtime = u64::try_from(record.quota_end_detected_at.unix()).unwrap_or_default();
    }
    let base = make::name_for(
        backup_dir,
        record.session_start_at.0,
        &record.email,
        &sidecar,
        current,
    );
    let content = write::content_of(&plan.entries);
    if let Some(standing) = standing(backup_dir, &base) {
        let account = Account {
            email: Some(record.email.clone()),
            ..login.account.clone()
        };
        if !standing.account().may_be(&account) {
            let name = base.archive();
            let reason = format!("no snapshot of it: `{name}` is another account's");
            return Err(reason.into());
        }
        // What Codex itself reported of that window is not replaced by a guess.
        if standing.status_source != Some(StatusSource::Legacy) {
            return Ok(false);
        }
        let is_of_this =
            standing.legacy_auth_filename.as_deref() == Some(&record.legacy_auth_filename);
        if !is_of_this || standing.content_sha256.as_deref() != Some(content.as_str()) {
            let name = base.archive();
            let reason = format!("no snapshot of it: `{name}` was made of another file");
            return Err(reason.into());
        }
        return Ok(false);
    }
    if dry_run {
        return Ok(true);
    }
    let making = Making {
        force: false,
        level: make::LEVEL,
        threads: None,
        earlier: &[],
        notes: None,
        progress: &progress::UNTOLD,
    };
    let made = make::make(backup_dir, &base, sidecar, &plan, &making, &ctx.stop());
    made.map(|made| !made.unchanged).map_err(Unmade::Failed)
}

/// Why there is no snapshot of a legacy file.
enum Unmade {
    /// There is to be none.
    Reason(String),
    /// It could not be written.
    Failed(Error),
}

impl Unmade {
    fn into_reason(self) -> String {
        match self {
            Self::Reason(reason) => reason,
            Self::Failed(error) => error.to_string(),
        }
    }
}

impl From<String> for Unmade {
    fn from(reason: String) -> Self {
        Self::Reason(reason)
    }
}

fn standing(backup_dir: &Path, base: &BackupName) -> Option<Sidecar> {
    crate::snapshots::read_sidecar(&backup_dir.join(base.sidecar())).ok()
}

#[derive(Serialize)]
struct Answer {
    records: Vec<Record>,
    skipped: Vec<Skipped>,
    inventory_path: String,
    written: bool,
}

impl Report for Answer {
    fn text(&self, page: &Page) -> String {
        if self.records.is_empty() {
            return String::new();
        }
        let columns = [
            long("ACCOUNT", 0),
            column("FILE", 5),
            column("VALID", 0),
            column("SESSION START", 3),
            column("AVAILABLE AT", 2),
            passing("IN", 8),
            column("QUOTA END", 6),
            column("LOGIN", 4),
            column("SOURCE", 7),
        ];
        let mut table = Table::new(&columns);
        for record in &self.records {
            let tone = match record.validation_status {
                ValidationStatus::Ok => Tone::Plain,
                ValidationStatus::Mismatch => Tone::Dim,
            };
            let login = match (record.identity_status, &record.auth_email) {
                (IdentityStatus::Match, _) => "its own".to_owned(),
                (IdentityStatus::Mismatch, Some(email)) => format!("of {email}"),
                _ => "unreadable".to_owned(),
            };
            let source = match record.source_state {
                SourceState::Present => "present",
                SourceState::Gone => "gone",
            };
            table.row(
                tone,
                [
                    record.email.clone(),
                    record.legacy_auth_filename.clone(),
                    record.validation_status.word().to_owned(),
                    Stamp::table_form(record.session_start_at.0),
                    record.next_available_at.table_form(),
                    until(Some(record.next_available_at), page).into_owned(),
                    record.quota_end_detected_at.table_form(),
                    login,
                    source.to_owned(),
                ],
            );
        }
        table.render(page)
    }
}

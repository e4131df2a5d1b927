//! What is to be replaced in a Codex home, kept as a snapshot below `safety/` first: `restore --undo` puts it back.

use std::path::{Path, PathBuf};

use crate::archive::write::Content;
use crate::capture::{self, Wanted};
use crate::codex::auth;
use crate::codex::home;
use crate::codex::parts::Parts;
use crate::context::Ctx;
use crate::error::{Error, Kind, Result};
use crate::fsutil;
use crate::metadata::{BackupMode, BackupName, SCHEMA_VERSION, Sidecar, StatusSource};
use crate::snapshots::commit;
use crate::snapshots::make::{self, Making};
use crate::snapshots::{self, SAFETY};

/// What a snapshot of the home as it stands would hold; nothing where there is no home.
pub fn capture_of(
    ctx: &Ctx,
    dest: &Path,
    backup_dir: &Path,
    exclude: &[String],
    parts: Parts,
) -> Result<capture::Plan> {
    if !fsutil::exists_behind(dest)? {
        return Ok(capture::Plan::default());
    }
    if !dest.is_dir() {
        return Err(Error::other(
            format!("`{}` is no directory; nothing was changed", dest.display()),
            "name a Codex home with `--dest-dir`",
        ));
    }
    let auth_json = fsutil::read_if_present(&home::auth_path(dest), auth::MOST_BYTES)?;
    let email = auth_json
        .as_deref()
        .and_then(|bytes| auth::parse(bytes).ok())
        .and_then(|login| login.account.email);
    let wanted = Wanted {
        auth_json: auth_json.as_deref(),
        email: email.as_deref(),
        parts,
        include_tmp: ctx.include_tmp(false),
        exclude,
        own_dirs: &[ctx.paths.manager_home.clone(), backup_dir.to_owned()],
    };
    capture::patterns(exclude).map_err(|error| {
        let message = format!("the snapshot's sidecar names what cannot be understood: {error}");
        Error::new(
            Kind::ArchiveDamaged,
            message,
            "choose another one: `codex-manager list-backups`",
        )
    })?;
    let plan = capture::plan(dest, &wanted)?;
    // A home that is known in part must not be replaced: the rest would be in no safety copy.
    if let Some(unseen) = plan.unseen() {
        return Err(Error::other(
            format!(
                "`{}` cannot be looked at as a whole: {}; nothing was changed",
                dest.display(),
                unseen.line()
            ),
            "see who may read it, or restore the login alone with `--auth-only`",
        ));
    }
    Ok(plan)
}

/// Keeps what will be replaced as a snapshot below `safety/<time>/`. None where there is nothing to replace yet.
///
/// `exclude` is what is not replaced, all but `parts` neither; `earlier` are archives whose members may be taken over.
pub fn keep(
    ctx: &Ctx,
    dest: &Path,
    backup_dir: &Path,
    (exclude, parts): (&[String], Parts),
    earlier: &[PathBuf],
) -> Result<Option<PathBuf>> {
    let plan = capture_of(ctx, dest, backup_dir, exclude, parts)?;
    let bytes = plan
        .entries
        .iter()
        .find(|entry| entry.path == home::AUTH_JSON);
    let login = bytes.and_then(|entry| match &entry.content {
        Content::Bytes(bytes) => auth::parse(bytes).ok(),
        _ => None,
    });
    let plan = plan.with_all_bytes();
    // Clocks go back; which copy is the newest must not depend on them.
    let kept = snapshots::list_kept(backup_dir, SAFETY, &ctx.zone)?.snapshots;
    let newest = kept
        .iter()
        .filter_map(|snapshot| snapshot.sidecar.safety_sequence)
        .max();
    let sequence = newest.unwrap_or_default().saturating_add(1);
    let account = login
        .as_ref()
        .map(|login| login.account.clone())
        .unwrap_or_default();
    let sidecar = Sidecar {
        schema_version: Some(SCHEMA_VERSION),
        email: account.email.clone(),
        account_id: account.account_id.clone(),
        user_id: account.user_id.clone(),
        plan_type: login.as_ref().and_then(|login| login.plan_type.clone()),
        login_refreshed_at: login
            .as_ref()
            .and_then(|login| login.refreshed_at(&ctx.zone)),
        auth_mode: login.map(|login| login.auth_mode),
        status_source: Some(StatusSource::Offline),
        backup_mode: Some(if parts == Parts::AUTH {
            BackupMode::AuthOnly
        } else {
            BackupMode::Full
        }),
        parts: if parts == Parts::AUTH || parts == Parts::ALL {
            Vec::new()
        } else {
            parts.words().into_iter().map(str::to_owned).collect()
        },
        captured_files: plan.top_level(),
        excluded_patterns: exclude.to_vec(),
        not_captured: plan.not_captured(),
        source_codex_home: Some(dest.display().to_string()),
        hostname: ctx.hostname(),
        created_at: Some(ctx.now),
        safety_sequence: Some(sequence),
        manager_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        ..Sidecar::default()
    };
    let who = account
        .email
        .or(account.user_id)
        .unwrap_or_else(|| "unknown".to_owned());
    let dir = commit::free_dir(&backup_dir.join(SAFETY), Some(ctx.now))?;
    let made = make::make(
        &dir,
        &BackupName::new(ctx.now, &who),
        sidecar,
        &plan,
        &Making {
            force: false,
            level: ctx.level(None),
            threads: None,
            earlier,
            notes: Some((&ctx.paths.known_files(), ctx.clock)),
            progress: &ctx.ui.progress("safety copy", 0),
        },
        &ctx.stop(),
    );
    let made = made.and_then(|made| match capture::first_unseen(&made.absent) {
        None => Ok(made),
        Some(unread) => Err(Error::other(
            format!(
                "what would be replaced cannot all be kept: {}; nothing was changed",
                unread.line()
            ),
            "see who may read it, or say `--no-safety-backup`",
        )),
    });
    for database in made.iter().flat_map(|made| &made.raw) {
        ctx.ui.warn(&format!("in the safety copy {database}"));
    }
    for path in made.iter().flat_map(|made| &made.unsteady) {
        ctx.ui.warn(&format!(
            "in the safety copy `{path}` is as it was read last: it changed each time"
        ));
    }
    if made.is_err() {
        // The directory was made for it: nothing in it counts.
        let _ = std::fs::remove_dir_all(&dir);
        let _ = std::fs::remove_dir(backup_dir.join(SAFETY));
    }
    made.map(|made| Some(made.archive))
}

/// Removes a safety copy: the home is as it was, so what was kept of it is only a copy.
pub fn drop(archive: &Path) {
    if let Some(dir) = archive.parent() {
        let _ = std::fs::remove_dir_all(dir);
        let _ = dir.parent().map(std::fs::remove_dir);
    }
}

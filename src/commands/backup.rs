//! `backup`: a snapshot of the Codex home, named by the window that its account's status tells.
//!
//! Plan, print, perform: `--dry-run` stops before the last. Nothing is captured before the status is known to be of
//! the account that is signed in.

use std::num::NonZeroUsize;
use std::path::Path;

use serde::Serialize;

use crate::archive::manifest::{Absent, Cause, What};
use crate::capture::{self, Plan, Wanted};
use crate::cli::BackupArgs;
use crate::codex::auth::Login;
use crate::codex::home;
use crate::codex::status::LiveStatus;
use crate::context::Ctx;
use crate::error::{Error, Kind, Outcome, Result};
use crate::evidence::{Evidence, Reach};
use crate::fsutil;
use crate::legacy;
use crate::live::{self, Given};
use crate::metadata::{
    ARCHIVE_FORMAT, BackupMode, BackupName, SCHEMA_VERSION, Sidecar, StatusSource,
    ValidationStatus, WindowState,
};
use crate::observation::Observation;
use crate::snapshots::make::{self, Making};
use crate::snapshots::{self, Depth};
use crate::sync::{How, push};
use crate::timeutil::{SessionStart, Stamp};
use crate::ui::table::{count, printable, size_words};
use crate::ui::{Page, Report};

/// Runs the command.
pub fn run(ctx: &Ctx, args: &BackupArgs) -> Result<Outcome> {
    let source = ctx.codex_home(args.source_dir.as_deref())?;
    if args.push {
        // Before anything is done: nobody waits for a snapshot to hear that it goes nowhere.
        ctx.remote_set()?;
    }
    let mut taken = take(ctx, args, &source).map_err(|error| ctx.of_home(&source, error))?;
    let tell = |answer: &Answer| {
        if args.dry_run {
            ctx.ui.data(answer)
        } else {
            ctx.ui.done(answer)
        }
    };
    if !args.push {
        return tell(&taken.answer).map(|()| taken.outcome);
    }
    // The snapshot stands and is told, whatever becomes of pushing it. As JSON both are one document.
    let is_told_first = !ctx.ui.json;
    if is_told_first {
        tell(&taken.answer)?;
    }
    let pushed = push::push(
        ctx,
        &How {
            backup_dir: args.backup_dir.as_deref(),
            dry_run: args.dry_run,
            ..How::default()
        },
    );
    let (pushed, failed) = match pushed {
        Ok(mut pushed) => {
            let ended_by = pushed.ended_by.take();
            pushed.warn(&ctx.ui);
            (Some(pushed), ended_by)
        }
        Err(error) => (None, Some(error)),
    };
    if let (true, Some(pushed)) = (is_told_first, &pushed) {
        ctx.ui.done(pushed)?;
    }
    let is_whole = pushed
        .as_ref()
        .is_some_and(|pushed| pushed.failed.is_empty());
    if !is_told_first {
        let pushed = serde_json::to_value(&pushed).map_err(anyhow::Error::from)?;
        taken.answer.push = Some(pushed);
        tell(&taken.answer)?;
    }
    match failed {
        Some(error) => Err(error),
        None if is_whole => Ok(taken.outcome),
        None => Ok(Outcome::Partial),
    }
}

/// What came of it.
struct Taken {
    answer: Answer,
    outcome: Outcome,
}

/// Takes the snapshot.
fn take(ctx: &Ctx, args: &BackupArgs, source: &Path) -> Result<Taken> {
    let backup_dir = ctx.backup_dir(args.backup_dir.as_deref())?;
    capture::patterns(&args.exclude)?;
    check_flags(args)?;
    // Before the lock: whoever pastes a status, or waits for a command, keeps nobody else from working.
    let live = ask_early(ctx, args, source)?;
    let lock = (!args.dry_run).then(|| ctx.lock("backup")).transpose()?;
    let enter = |_: &_| ctx.enter(source, &backup_dir);
    let _home = lock.as_ref().map(enter).transpose()?;
    let Some((auth_json, login)) = home::read_login(source)? else {
        return Err(no_login(source));
    };
    let seen_at = ctx.sighting();
    let evidence = ctx.evidence_with(
        args.backup_dir.as_deref(),
        None,
        Reach::Every(Depth::Whole),
        !args.dry_run,
        lock.as_ref().map(|(lock, _)| lock),
    )?;
    let observed = observe(ctx, args, source, &login, &evidence, live)?;
    let (observation, codex_version) = observed.unzip();
    let exclude = ctx.exclude(&args.exclude);
    capture::patterns(&exclude)?;
    let wanted = Wanted {
        auth_json: Some(&auth_json),
        email: login.account.email.as_deref(),
        parts: args.parts(),
        include_tmp: ctx.include_tmp(args.include_tmp),
        exclude: &exclude,
        own_dirs: &[ctx.paths.manager_home.clone(), backup_dir.clone()],
    };
    let plan = capture::plan_with(source, &wanted, ctx.sqlite_home(source).as_deref())?;
    for path in &plan.left_out {
        ctx.ui.detail(&format!("left out: {path}"));
    }
    let sidecar = describe(
        ctx,
        args,
        source,
        &login,
        observation.as_ref(),
        &plan,
        exclude.clone(),
    );
    let sidecar = Sidecar {
        codex_version: codex_version.flatten(),
        ..sidecar
    };
    let who = login
        .account
        .email
        .as_deref()
        .or(login.account.user_id.as_deref())
        .unwrap_or("unknown");
    let start = sidecar.session_start_at.map_or(ctx.now, |start| start.0);
    let base = make::name_for(&backup_dir, start, who, &sidecar, &evidence.snapshots);
    ctx.check_stop()?;
    let (mut absent, mut is_raw) = (plan.absent.clone(), false);
    let answer = if lock.is_some() {
        let making = Making {
            force: args.force,
            level: ctx.level(args.level),
            threads: args.threads.map(NonZeroUsize::get),
            earlier: &snapshots::earlier(&evidence.snapshots, &login.account),
            notes: Some((&ctx.paths.known_files(), ctx.clock)),
            progress: &ctx.ui.progress("backup", 0),
        };
        let made = make::make(&backup_dir, &base, sidecar, &plan, &making, &ctx.stop())?;
        is_raw = warn_of_moving(ctx, &made);
        absent.clone_from(&made.absent);
        ctx.ui.detail(&format!(
            "taken over from earlier snapshots: {} of {} members",
            made.taken_over, made.members
        ));
        Answer::made(ctx, made)
    } else {
        Answer::planned(ctx, &backup_dir, &base, sidecar, &plan)
    };
    warn_of_absent(ctx, &absent);
    // The snapshot stands and is told, whatever becomes of the memory of its window.
    let live = observation.filter(|seen| seen.source.is_live());
    let remembered = lock.as_ref().map_or(Ok(()), |(lock, _)| {
        live::keep_login(ctx, lock, source, &|| evidence.known());
        live::update(ctx, lock, |registry| {
            registry.saw_live(&fsutil::real(source), &login.account, seen_at);
            if let Some(observation) = live {
                registry.record(&login.account, observation, Some(ctx.latest()));
            }
        })
    });
    // What is not captured by design is no failure.
    let is_whole =
        is_noted(ctx, &remembered) && !is_raw && absent.iter().all(|one| one.cause == Cause::Kind);
    Ok(Taken {
        answer,
        outcome: if is_whole {
            Outcome::Done
        } else {
            Outcome::Partial
        },
    })
}

/// Whether the window was noted; a failure is told.
fn is_noted(ctx: &Ctx, remembered: &Result<()>) -> bool {
    if let Err(error) = remembered {
        ctx.ui.warn(&format!(
            "the snapshot stands, and its window was not noted: {error}; {}",
            error.hint()
        ));
    }
    remembered.is_ok()
}

/// Tells what did not hold still. Whether something is captured as it lies.
fn warn_of_moving(ctx: &Ctx, made: &make::Made) -> bool {
    warn_of_vanished(ctx, &made.vanished);
    for path in &made.shorter {
        ctx.ui.warn(&format!(
            "`{path}` was made shorter meanwhile: captured as it stood then"
        ));
    }
    for database in &made.raw {
        ctx.ui.warn(database);
    }
    for path in &made.unsteady {
        ctx.ui.warn(&format!(
            "`{path}` changed each time it was read: captured as it was read last"
        ));
    }
    !made.raw.is_empty() || !made.unsteady.is_empty()
}

/// What runs beside a backup removes files at times; a whole directory of them is told in a few lines.
fn warn_of_vanished(ctx: &Ctx, vanished: &[String]) {
    const MOST: usize = 20;
    for path in vanished.iter().take(MOST) {
        ctx.ui
            .warn(&format!("`{path}` was gone when its turn came"));
    }
    if vanished.len() > MOST {
        let more = count(vanished.len() - MOST, "more file");
        ctx.ui.warn(&format!("{more} gone as well"));
    }
}

/// Names what is not in the snapshot. Behind a link there may be what somebody wants kept; a socket or a pipe holds
/// nothing.
fn warn_of_absent(ctx: &Ctx, absent: &[Absent]) {
    for one in absent {
        let text = format!("not captured: {}", one.line());
        if one.cause == Cause::Kind && one.kind != What::Symlink {
            ctx.ui.detail(&text);
        } else {
            ctx.ui.warn(&text);
        }
    }
}

/// Refuses flags on how Codex is asked where it is not.
fn check_flags(args: &BackupArgs) -> Result<()> {
    let is_asked = !args.offline && args.status_file.is_none();
    live::check_flags(
        is_asked,
        &args.live,
        "leave them out, or leave out `--offline` and `--status-file`",
    )
}

fn no_login(source: &Path) -> Error {
    if !source.is_dir() {
        return Error::other(
            format!("there is no Codex home at `{}`", source.display()),
            "start Codex once and sign in, or say where its home is with `--source-dir` or CODEX_HOME",
        );
    }
    Error::other(
        format!(
            "nobody is signed in: `{}` does not exist",
            home::auth_path(source).display()
        ),
        "sign in with `codex login`; if Codex keeps logins in the system's keyring, set `cli_auth_credentials_store = \"file\"` in its config.toml",
    )
}

/// The window of the account, from what was asked for, and the version of the Codex that told it. None for an API key,
/// which has none.
fn observe(
    ctx: &Ctx,
    args: &BackupArgs,
    source: &Path,
    login: &Login,
    evidence: &Evidence,
    live: Option<LiveStatus>,
) -> Result<Option<(Observation, Option<String>)>> {
    if login.is_api_key() {
        ctx.ui
            .detail("an API key has no weekly window: no status is asked for");
        return Ok(None);
    }
    if args.offline {
        return live::offline(ctx, source, login, evidence).map(|seen| Some((seen, None)));
    }
    let late = || live::ask_under_lock(ctx, &args.live, given(args), source, login);
    let live = live.map_or_else(|| late().map_err(or_offline), Ok)?;
    live::check(ctx, &live, login)?;
    let known = live::known(evidence, &login.account);
    let observation =
        live::observation_of(ctx, &live, login, known.as_ref()).map_err(or_offline)?;
    Ok(Some((observation, live.codex_version)))
}

/// The status, where the login as it is now needs one. What is wrong with the login is told later, under the lock.
fn ask_early(ctx: &Ctx, args: &BackupArgs, source: &Path) -> Result<Option<LiveStatus>> {
    match home::read_login(source) {
        Ok(Some((_, login))) if !args.offline && !login.is_api_key() => {
            let given = given(args);
            let live = live::ask(ctx, &args.live, given, source, &login);
            live.map_err(or_offline).map(Some)
        }
        _ => Ok(None),
    }
}

fn given(args: &BackupArgs) -> Given<'_> {
    Given {
        file: args.status_file.as_deref(),
        command: args.status_command.as_deref(),
        reference_year: args.reference_year,
    }
}

/// Where Codex cannot be asked, there may be a memory.
fn or_offline(error: Error) -> Error {
    if error.kind() != Kind::NoStatus {
        return error;
    }
    let hint = format!(
        "{}; or say `--offline` to take the last known window",
        error.hint()
    );
    error.with_hint(hint)
}

/// All of the sidecar that is known before the archive is written.
fn describe(
    ctx: &Ctx,
    args: &BackupArgs,
    source: &Path,
    login: &Login,
    observation: Option<&Observation>,
    plan: &Plan,
    excluded_patterns: Vec<String>,
) -> Sidecar {
    let shown = |stamp: Stamp| stamp.in_zone(&ctx.zone);
    let start = observation
        .and_then(|seen| seen.session_start_at)
        .map(|start| SessionStart(shown(start.0)));
    let next = start.map(|start| start.next_available_at(&ctx.zone));
    Sidecar {
        schema_version: Some(SCHEMA_VERSION),
        email: login.account.email.clone(),
        account_id: login.account.account_id.clone(),
        user_id: login.account.user_id.clone(),
        plan_type: observation
            .and_then(|seen| seen.plan_type.clone())
            .or_else(|| login.plan_type.clone()),
        auth_mode: Some(login.auth_mode.clone()),
        login_refreshed_at: login.refreshed_at(&ctx.zone),
        session_start_at: start,
        next_available_at: next,
        reset_at: observation
            .and_then(|seen| seen.reset_at)
            .map(shown)
            .or(next),
        window_state: Some(observation.map_or(WindowState::Unknown, |seen| {
            seen.state_at(ctx.now, &ctx.zone)
        })),
        quota_end_detected_at: observation
            .and_then(|seen| seen.quota_end_detected_at)
            .map(shown),
        inference_basis: observation
            .filter(|seen| seen.is_guess)
            .map(|_| legacy::BASIS.to_owned()),
        quota_percent_left: observation.and_then(|seen| seen.quota_percent_left),
        quota_text: observation.and_then(|seen| seen.quota_text.clone()),
        limits: observation
            .map(|seen| seen.limits.clone())
            .unwrap_or_default(),
        usage_refused: observation.is_some_and(|seen| seen.is_refused),
        status_source: observation.map(|seen| seen.source),
        observed_at: observation.map(|seen| shown(seen.observed_at)),
        validation_status: Some(
            observation.map_or(ValidationStatus::Ok, |seen| seen.validation_status),
        ),
        backup_mode: Some(if args.auth_only {
            BackupMode::AuthOnly
        } else {
            BackupMode::Full
        }),
        plan_sha256: Some(plan.digest()),
        file_count: Some(plan.file_count()),
        total_bytes: Some(plan.total_bytes()),
        captured_files: plan.top_level(),
        sqlite_home: plan.sqlite_home.clone(),
        excluded_patterns,
        not_captured: plan.not_captured(),
        source_codex_home: Some(source.display().to_string()),
        hostname: ctx.hostname(),
        created_at: Some(ctx.now),
        manager_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        ..Sidecar::default()
    }
}

#[derive(Serialize)]
struct Answer {
    archive: String,
    metadata: String,
    mode: &'static str,
    superseded: Option<String>,
    snapshot: Sidecar,
    /// What came of pushing, where it was asked for; null where that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    push: Option<serde_json::Value>,
    #[serde(skip)]
    place: String,
    #[serde(skip)]
    earlier: Option<String>,
    #[serde(skip)]
    files: Vec<String>,
}

impl Answer {
    fn made(ctx: &Ctx, made: make::Made) -> Self {
        Self {
            metadata: crate::snapshots::sidecar_path(&made.archive)
                .display()
                .to_string(),
            place: ctx.paths.short(&made.archive),
            earlier: made.superseded.as_ref().map(|path| ctx.paths.short(path)),
            archive: made.archive.display().to_string(),
            mode: if made.unchanged {
                "unchanged"
            } else {
                "created"
            },
            superseded: made.superseded.map(|path| path.display().to_string()),
            snapshot: made.sidecar,
            push: None,
            files: Vec::new(),
        }
    }

    fn planned(ctx: &Ctx, dir: &Path, base: &BackupName, sidecar: Sidecar, plan: &Plan) -> Self {
        let archive = dir.join(base.archive());
        Self {
            metadata: dir.join(base.sidecar()).display().to_string(),
            place: ctx.paths.short(&archive),
            earlier: None,
            archive: archive.display().to_string(),
            mode: "dry-run",
            superseded: None,
            snapshot: Sidecar {
                archive_name: Some(base.archive()),
                archive_format: Some(ARCHIVE_FORMAT),
                ..sidecar
            },
            push: None,
            files: plan.top_level(),
        }
    }
}

impl Report for Answer {
    fn text(&self, _: &Page) -> String {
        let snapshot = &self.snapshot;
        let plan = snapshot
            .plan_type
            .as_ref()
            .map(|plan| format!(" ({})", printable(plan)))
            .unwrap_or_default();
        let size = match (snapshot.total_bytes, snapshot.archive_size_bytes) {
            (Some(total), Some(size)) => format!(", {} in {}", size_words(total), size_words(size)),
            (Some(total), None) => format!(", {}", size_words(total)),
            _ => String::new(),
        };
        let mut text = format!(
            "{:<9} {}\naccount   {}{plan}\nwindow    {}\nfiles     {}{size}\n",
            self.mode,
            printable(&self.place),
            printable(&snapshot.account().to_string()),
            window_words(snapshot),
            snapshot.file_count.unwrap_or_default(),
        );
        if let Some(absent) = names(&snapshot.not_captured) {
            text.push_str(&format!("absent    {}\n", printable(&absent)));
        }
        if let Some(earlier) = &self.earlier {
            text.push_str(&format!("earlier   {}\n", printable(earlier)));
        }
        for file in &self.files {
            text.push_str(&format!("          {}\n", printable(file)));
        }
        text
    }
}

/// How many things a snapshot lacks, and what the first of them are called. Warnings and its sidecar tell why.
fn names(not_captured: &[String]) -> Option<String> {
    const MOST: usize = 5;
    let names = not_captured.iter().map(|line| Absent::path_of_line(line));
    let mut shown: Vec<&str> = names.take(MOST).collect();
    if not_captured.len() > MOST {
        shown.push("…");
    }
    (!shown.is_empty()).then(|| format!("{}: {}", not_captured.len(), shown.join(", ")))
}

fn window_words(snapshot: &Sidecar) -> String {
    let left = snapshot
        .quota_percent_left
        .map(|left| format!(", {left}% left"))
        .unwrap_or_default();
    if snapshot.window_state == Some(WindowState::Unstarted) {
        return format!("not started{left}");
    }
    let (Some(start), Some(next)) = (snapshot.session_start_at, snapshot.next_available_at) else {
        let is_key = snapshot.email.is_none() && snapshot.account_id.is_none();
        return if is_key {
            "none: an API key".to_owned()
        } else {
            "no weekly window".to_owned()
        };
    };
    let age = match (snapshot.status_source, snapshot.observed_at) {
        (Some(StatusSource::Offline | StatusSource::Rollout), Some(seen)) => {
            format!(", as last known on {}", seen.table_form())
        }
        _ => String::new(),
    };
    format!("{} to {next}{left}{age}", start.0)
}

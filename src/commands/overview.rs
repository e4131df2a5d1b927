//! The program without a command: who is signed in, and what there is to do next. Reads; asks nobody.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use crate::accounts::{self, Row};
use crate::advice;
use crate::cli::LiveArgs;
use crate::codex::auth::Login;
use crate::codex::home;
use crate::context::Ctx;
use crate::error::{Outcome, Result};
use crate::evidence::{Evidence, Reach};
use crate::fsutil;
use crate::install;
use crate::legacy;
use crate::metadata::{Account, BackupMode};
use crate::observation::Status;
use crate::profiles::names::word;
use crate::snapshots::{self, Snapshot};
use crate::timeutil::Stamp;
use crate::ui::table::printable;
use crate::ui::wrap::wrapped;
use crate::ui::{Page, Report};

/// How many steps are told beside the first.
const ALSO: usize = 3;

/// How far two starts of one window may be apart, in seconds: the service's clock jitters.
const JITTER: i64 = 600;

/// Shows the overview.
pub fn run(ctx: &Ctx) -> Result<Outcome> {
    let state = State::read(ctx)?;
    let mut steps = state.steps(ctx).into_iter();
    let all_is_well = Step::new(
        "codex-manager cooldown",
        "shows when each account is available",
    );
    let next = steps.next().unwrap_or(all_is_well);
    let also = steps.filter(|step| step.command != next.command);
    let also = also.take(ALSO).map(|step| step.typed(ctx)).collect();
    let next = next.typed(ctx);
    let active = state.active();
    ctx.ui.data(&Overview {
        active: active.map(|row| row.name().to_owned()),
        accounts: state.rows.len(),
        usable: state.usable().count(),
        snapshots: state.snapshots,
        next,
        also,
        about_active: active.map(|row| format!("{} ({})", state.called(row), about(row))),
        home: ctx.paths.short(&ctx.paths.codex_home),
    })?;
    Ok(Outcome::Done)
}

/// What can be done, as it is typed, and why.
#[derive(Serialize)]
struct Step {
    command: String,
    reason: String,
}

impl Step {
    fn new(command: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            reason: reason.into(),
        }
    }

    /// As it is to be typed for the homes of this run.
    fn typed(self, ctx: &Ctx) -> Self {
        Self {
            command: ctx.typed(&self.command),
            reason: ctx.with_typed(&self.reason, &ctx.paths.codex_home),
        }
    }
}

/// How things stand.
struct State {
    rows: Vec<Row>,
    /// How many snapshots there are.
    snapshots: usize,
    /// Whose login is in the Codex home; the error says why it cannot be read.
    login: Result<Option<Login>>,
    /// The newest snapshot of that account.
    last: Option<Snapshot>,
    /// When the content of the newest whole snapshot was current.
    captured: Option<Stamp>,
    /// Where legacy files lie that nobody has read.
    legacy: Option<PathBuf>,
    /// When Codex wrote last what a person said, in seconds since 1970.
    worked: Option<i64>,
    is_cut_short: bool,
}

impl State {
    fn read(ctx: &Ctx) -> Result<Self> {
        let home = &ctx.paths.codex_home;
        let backup_dir = ctx.backup_dir(None)?;
        let reach = Reach::Newest {
            latest: ctx.latest(),
        };
        let evidence = ctx.evidence_with(None, None, reach, false, None)?;
        let login = home::read_login(home).map(|read| read.map(|(_, login)| login));
        let account = login.as_ref().ok().and_then(Option::as_ref);
        let last = account.and_then(|login| newest(&evidence, &login.account));
        let whole = evidence.snapshots.iter();
        let whole = whole.filter(|one| one.sidecar.mode() == BackupMode::Full);
        let captured = whole.filter_map(|one| one.sidecar.content_time()).max();
        let mut rows = accounts::rows(&evidence.accounts(), ctx.now, &ctx.zone);
        ctx.note_kept_logins(&mut rows)?;
        Ok(Self {
            rows,
            snapshots: snapshots::archive_names(&backup_dir).len(),
            last,
            captured,
            login,
            legacy: unread(ctx)?,
            worked: worked(home),
            is_cut_short: install::is_cut_short(home)?,
        })
    }

    fn active(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.active)
    }

    fn usable(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.is_usable())
    }

    /// The account to use next that is not signed in, and of which a login is known.
    fn other(&self, ctx: &Ctx) -> Option<&Row> {
        let others: Vec<Row> = self
            .usable()
            .filter(|row| !row.active && row.has_login)
            .cloned()
            .collect();
        let chosen = advice::choose(&others, ctx.policy(None))?.account();
        self.rows.iter().find(|row| row.account() == chosen)
    }

    fn called(&self, row: &Row) -> String {
        row.name_among(&self.rows)
    }

    /// By what `use` takes it: where its email means several, its profile's name.
    fn typed_name(&self, ctx: &Ctx, row: &Row) -> String {
        let account = row.account();
        let is_email_enough = self.called(row) == row.name();
        let all = ctx.all_profiles().ok().filter(|_| !is_email_enough);
        let found = all.and_then(|all| {
            let mut found = all.found.into_iter();
            found.find(|found| found.account().is_same_as(&account))
        });
        found.map_or_else(|| row.name().to_owned(), |found| found.profile.name)
    }

    /// What can be done, the most urgent first.
    fn steps(&self, ctx: &Ctx) -> Vec<Step> {
        let mut steps = Vec::new();
        let home = ctx.paths.short(&ctx.paths.codex_home);
        if self.is_cut_short {
            steps.push(Step::new(
                "codex-manager backup",
                format!("a restore into {home} was cut short: this finishes or drops it first"),
            ));
        }
        let other = self.other(ctx);
        let sign_in = |row: &Row, why: String| {
            let name = self.typed_name(ctx, row);
            Step::new(format!("codex-manager use {}", word(&name)), why)
        };
        let normalize = self.legacy.as_ref().map(|dir| {
            let dir = dir.display().to_string();
            Step::new(
                format!(
                    "codex-manager normalize --source-dir {}",
                    shell_words::quote(&dir)
                ),
                "hand-named login copies lie there that were not read yet",
            )
        });
        match &self.login {
            Ok(Some(_)) => {
                steps.extend(self.backup());
                steps.extend(normalize);
                let active = self.active();
                match (active.filter(|row| !row.is_usable()), other) {
                    (Some(active), Some(other)) => {
                        let why = format!(
                            "{} is in {}; {} is usable",
                            self.called(active),
                            about(active),
                            self.called(other)
                        );
                        steps.push(sign_in(other, why));
                    }
                    (Some(_), None) => steps.extend(self.none_usable()),
                    (None, _) => {}
                }
                if steps.is_empty() {
                    steps.push(Step::new(
                        "codex-manager cooldown",
                        "all is kept; this shows when each account is available",
                    ));
                }
            }
            login => {
                let why = match login {
                    Err(_) => format!("the login in {home} cannot be read"),
                    Ok(_) => format!("nobody is signed in to {home}"),
                };
                steps.extend(other.map(|other| {
                    sign_in(other, format!("{why}; {} is usable", self.called(other)))
                }));
                steps.extend(normalize);
                if ctx.codex(&LiveArgs::default()).is_err() {
                    steps.push(Step::new(
                        "npm install --global @openai/codex",
                        "Codex is not found; where it is installed, `codex-manager config set codex_command PATH` says where",
                    ));
                }
                if login.is_err() {
                    steps.push(Step::new(
                        "codex-manager doctor",
                        "tells what is wrong with it, and with all else",
                    ));
                }
                steps.push(Step::new(ctx.codex_login(&ctx.paths.codex_home), why));
            }
        }
        if self.rows.len() > 1 {
            steps.push(Step::new(
                "codex-manager recommend",
                "says which account to use next",
            ));
        }
        if self.rows.len() < 2 {
            steps.push(Step::new(
                "codex-manager profile login NAME",
                "signs one more account in, beside whoever is signed in",
            ));
        }
        if self.snapshots > 0 {
            steps.push(Step::new(
                "codex-manager list-backups",
                "lists the snapshots",
            ));
        }
        steps
    }

    /// Why a snapshot is due, if one is.
    fn backup(&self) -> Option<Step> {
        let active = self.active();
        let who = active.map_or_else(
            || "the account that is signed in".to_owned(),
            |row| self.called(row),
        );
        let backup = |why: String| Some(Step::new("codex-manager backup", why));
        let Some(last) = &self.last else {
            return backup(format!("there is no snapshot of {who} yet"));
        };
        let window = active
            .and_then(|row| row.session_start_at)
            .map(|start| start.0);
        let start = last.sidecar.session_start_at.map(|start| start.0);
        if let (Some(window), Some(start)) = (window, start)
            && window.since(start).num_seconds() > JITTER
        {
            return backup(format!(
                "the newest snapshot of {who} is of an earlier window"
            ));
        }
        if let Some(worked) = self.worked
            && self
                .captured
                .is_none_or(|captured| worked > captured.unix())
        {
            return backup("Codex was used since the newest snapshot of its home".to_owned());
        }
        None
    }

    /// What to do where no account is usable now.
    fn none_usable(&self) -> Option<Step> {
        let waiting = self.rows.iter().filter(|row| !row.paused);
        let first = waiting.min_by_key(|row| row.usable_order())?;
        let why = match first.usable_at {
            Some(at) => format!(
                "no account is usable now; {} is the first to be, in {}, at {}",
                self.called(first),
                first.usable_in(),
                at.table_form()
            ),
            None => "no account is usable now, and nobody says when one will be".to_owned(),
        };
        Some(Step::new("codex-manager cooldown", why))
    }
}

/// The newest snapshot of `account`.
fn newest(evidence: &Evidence, account: &Account) -> Option<Snapshot> {
    let theirs = evidence.snapshots.iter();
    let theirs = theirs.filter(|one| one.sidecar.account().may_be(account));
    theirs.max_by_key(|one| one.sidecar.content_time()).cloned()
}

/// Where legacy files lie, if there is no inventory of any.
fn unread(ctx: &Ctx) -> Result<Option<PathBuf>> {
    if fsutil::exists(&ctx.inventory_path(None)?)? {
        return Ok(None);
    }
    let has_some = |dir: &PathBuf| {
        let listing = fs::read_dir(dir).into_iter().flatten().flatten();
        let mut names = listing.map(|entry| entry.file_name());
        names.any(|name| matches!(legacy::parse_name(&name.to_string_lossy()), Some(Ok(_))))
    };
    let places = [ctx.legacy_dir(None)?, ctx.paths.codex_home.clone()];
    Ok(places.into_iter().find(has_some))
}

/// When something was written last to Codex's history or to the sessions of the last day that has any. A session that is
/// resumed stands below an older day, and in the history.
fn worked(home: &Path) -> Option<i64> {
    let mut day = home.join("sessions");
    for _ in ["year", "month", "day"] {
        let listing = fs::read_dir(&day).into_iter().flatten().flatten();
        let Some(last) = listing.map(|entry| entry.file_name()).max() else {
            break;
        };
        day.push(last);
    }
    let sessions = fs::read_dir(&day).into_iter().flatten().flatten();
    let sessions = sessions.map(|entry| entry.path());
    let all = sessions.chain([home.join("history.jsonl")]);
    let times = all.filter_map(|path| {
        let found = fs::symlink_metadata(path).ok()?;
        let since = found
            .modified()
            .ok()?
            .duration_since(SystemTime::UNIX_EPOCH);
        found.is_file().then_some(since.ok()?.as_secs())
    });
    i64::try_from(times.max()?).ok()
}

/// An account's state in a few words.
fn about(row: &Row) -> String {
    match (row.status, row.quota_percent_left) {
        (Status::Cooldown, _) if row.usable_at.is_none() => {
            "cooldown, nobody says until when".to_owned()
        }
        (Status::Cooldown, _) => format!("cooldown for {}", row.usable_in()),
        (Status::Open, Some(left)) => format!("open, {left}% left"),
        (status, _) => status.word().to_owned(),
    }
}

#[derive(Serialize)]
struct Overview {
    active: Option<String>,
    accounts: usize,
    usable: usize,
    snapshots: usize,
    next: Step,
    also: Vec<Step>,
    #[serde(skip)]
    about_active: Option<String>,
    #[serde(skip)]
    home: String,
}

impl Report for Overview {
    fn text(&self, page: &Page) -> String {
        let nobody = || format!("nobody, in {}", self.home);
        let who = self.about_active.clone().unwrap_or_else(nobody);
        let mut text = String::new();
        let width = page.width;
        // A command is not broken: it is there to be copied.
        let mut line = |label: &str, words: &str, width: Option<usize>| {
            let words = wrapped(&printable(words), LABEL, LABEL, width);
            let whole = format!("{label:<LABEL$}{words}");
            text.push_str(whole.trim_end());
            text.push('\n');
        };
        line("signed in", &who, width);
        let usable = format!("{} known, {} usable now", self.accounts, self.usable);
        line("accounts", &usable, width);
        line("snapshots", &self.snapshots.to_string(), width);
        line("", "", None);
        for (place, step) in [&self.next].into_iter().chain(&self.also).enumerate() {
            let label = match place {
                0 => "next",
                1 => "also",
                _ => "",
            };
            line(label, &step.command, None);
            line("", &step.reason, width);
        }
        line("", "", None);
        line("help", "codex-manager --help", None);
        text
    }

    fn is_laid_out(&self) -> bool {
        true
    }
}

/// How wide the labels are.
const LABEL: usize = 11;

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn a_name_is_typed_so_that_a_shell_and_this_program_take_it() {
        for (name, typed) in [
            ("al@example.com", "al@example.com"),
            ("o'b x", "'o'\\''b x'"),
            ("-i@example.com", "-- -i@example.com"),
        ] {
            assert_eq!(word(name), typed);
        }
    }
}

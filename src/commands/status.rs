//! `status`: what is left of the account that is signed in, from Codex itself; or what the text of a `/status` panel
//! says; or, without asking anybody, what is known already, for a prompt in one line (status/line.rs, pattern.rs). Records
//! nothing of it; the login itself, which Codex may have renewed, is kept in its profile.

mod line;
mod pattern;

use std::path::PathBuf;

use serde::Serialize;

use crate::accounts;
use crate::cli::StatusArgs;
use crate::codex::auth::Login;
use crate::codex::status::LiveStatus;
use crate::context::Ctx;
use crate::error::{Outcome, Result};
use crate::evidence::{Evidence, Reach};
use crate::fsutil;
use crate::live::{self, Given};
use crate::metadata::{
    Account, BackupName, Limit, Sidecar, StatusSource, ValidationStatus, WindowState,
};
use crate::observation::{Availability, Observation, settle_start};
use crate::profiles;
use crate::snapshots::{Depth, make};
use crate::timeutil::{SessionStart, Stamp, remaining_words};
use crate::ui::table::printable;
use crate::ui::{Page, Report};
use pattern::Pattern;

/// Runs the command.
pub fn run(ctx: &Ctx, args: &StatusArgs) -> Result<Outcome> {
    let given = Given {
        file: args.input_file.as_deref(),
        command: args.status_command.as_deref(),
        reference_year: args.reference_year,
    };
    let form = Form::of(args)?;
    let is_line = args.short || args.format.is_some();
    let is_given = args.input_file.is_some() || args.status_command.is_some();
    let is_offline = args.offline || (is_line && !args.live && !is_given);
    live::check_flags(
        args.input_file.is_none() && !is_offline,
        &args.asking,
        if args.input_file.is_some() {
            "leave them out, or leave out `--input-file`"
        } else if args.offline {
            "leave them out, or leave out `--offline`"
        } else {
            "say `--live` too, or leave them out"
        },
    )?;
    let answer = if is_offline {
        remembered(ctx, &form)?
    } else {
        // A text stands for itself, whoever is signed in.
        match live::of_text(ctx, &args.asking, given)? {
            Some(text) => Answer::of(text, None, ctx),
            None => asked(ctx, args)?,
        }
    };
    ctx.ui.data(&Shown {
        answer: answer.judged(ctx),
        form,
    })?;
    Ok(Outcome::Done)
}

/// How an answer is shown.
enum Form {
    Whole,
    Short,
    Pattern(Pattern),
}

impl Form {
    /// As the flags say.
    fn of(args: &StatusArgs) -> Result<Self> {
        Ok(match &args.format {
            Some(text) => Self::Pattern(Pattern::read(text, line::NAMES)?),
            None if args.short => Self::Short,
            None => Self::Whole,
        })
    }
}

/// What is known already of the account that is signed in. Asks nobody and writes nothing, and is quick: a prompt waits.
fn remembered(ctx: &Ctx, form: &Form) -> Result<Answer> {
    let home = &ctx.paths.codex_home;
    let login = live::login(home)?;
    let latest = ctx.latest();
    let evidence = ctx.evidence_with(None, None, Reach::Newest { latest }, false, None)?;
    let seen = live::offline(ctx, home, &login, &evidence)?;
    let accounts = evidence.accounts();
    let alias = accounts::find(&accounts, &login.account).and_then(|known| known.alias.clone());
    // Its name depends on every other snapshot's.
    let names_archive = match form {
        Form::Whole => true,
        Form::Short => false,
        Form::Pattern(pattern) => pattern.names("archive"),
    };
    let archive_name = match seen.session_start_at.filter(|_| names_archive) {
        Some(start) => archive_name_at(ctx, start, &login, &self::evidence(ctx)?)?,
        None => None,
    };
    Ok(Answer {
        email: login.account.email,
        account_id: login.account.account_id,
        plan_type: seen.plan_type.clone().or(login.plan_type),
        reset_at: seen.reset_at.map(|at| at.in_zone(&ctx.zone)),
        session_start_at: seen.session_start_at,
        window_state: seen.state_at(ctx.now, &ctx.zone),
        quota_percent_left: seen.quota_percent_left,
        quota_text: seen.quota_text,
        limits: seen.limits,
        status_source: seen.source,
        archive_name,
        observed_at: seen.observed_at.in_zone(&ctx.zone),
        is_refused: seen.is_refused,
        alias,
        availability: None,
        now: ctx.now,
    })
}

/// What Codex says of the account that is signed in.
fn asked(ctx: &Ctx, args: &StatusArgs) -> Result<Answer> {
    let home = &ctx.paths.codex_home;
    ctx.mend_home(home)?;
    let login = live::login(home)?;
    let live = live::ask(ctx, &args.asking, Given::default(), home, &login)?;
    // Whoever signed in meanwhile is not who it spoke of.
    let login = live::login(home)?;
    live::check(ctx, &live, &login)?;
    keep_login(ctx, &login.account);
    let evidence = evidence(ctx)?;
    let archive_name = archive_name(ctx, &live, &login, &evidence)?;
    let accounts = evidence.accounts();
    let alias = accounts::find(&accounts, &login.account).and_then(|known| known.alias.clone());
    Ok(Answer {
        archive_name,
        alias,
        ..Answer::of(live, Some(&login), ctx)
    })
}

/// Keeps the login that is signed in, if nobody else works in the manager home: an answer is not held up for that, nor
/// refused.
fn keep_login(ctx: &Ctx, account: &Account) {
    let (lock, _in_hand) = match ctx.try_lock("status") {
        Ok(held) => held,
        Err(error) => {
            ctx.ui.detail(&format!(
                "the login is not kept in its profile now: {error}"
            ));
            return;
        }
    };
    let (_, broken) = profiles::load_all(&ctx.paths.profiles());
    for problem in &broken {
        ctx.ui.warn(problem);
    }
    let known = || {
        let evidence = evidence(ctx);
        evidence.map_or_else(|_| Vec::new(), |evidence| evidence.known())
    };
    let home = &ctx.paths.codex_home;
    live::keep_login(ctx, &lock, home, &known);
    // Whoever asks with the kept login must find the home that has it too; the usual one is looked at in any case.
    let is_usual = |usual: PathBuf| fsutil::real(&usual) == fsutil::real(home);
    if !ctx.usual_codex_home().is_some_and(is_usual) {
        live::note_signed_in(ctx, &lock, home, [(account.clone(), ctx.sighting())]);
    }
}

fn evidence(ctx: &Ctx) -> Result<Evidence> {
    let places = ctx.places(None, None)?;
    let reach = Reach::Every(Depth::Whole);
    let mut evidence = Evidence::load(&places, ctx.now, &ctx.zone, reach, false, None)?;
    evidence.latest = Some(ctx.latest());
    Ok(evidence)
}

/// What a backup would be called now: a window that is known keeps its name.
fn archive_name(
    ctx: &Ctx,
    live: &LiveStatus,
    login: &Login,
    evidence: &Evidence,
) -> Result<Option<String>> {
    let Some(reset) = live.reading.reset_at else {
        return Ok(None);
    };
    let state = live.reading.window_state(live.observed_at);
    let known = live::known(evidence, &login.account);
    let start = settle_start(reset, state, known.as_ref(), &ctx.zone);
    archive_name_at(ctx, start, login, evidence)
}

/// The same for a window that began then.
fn archive_name_at(
    ctx: &Ctx,
    start: SessionStart,
    login: &Login,
    evidence: &Evidence,
) -> Result<Option<String>> {
    let account = &login.account;
    let Some(email) = &account.email else {
        return Ok(None);
    };
    let dir = ctx.backup_dir(None)?;
    let sidecar = Sidecar {
        email: account.email.clone(),
        user_id: account.user_id.clone(),
        account_id: account.account_id.clone(),
        session_start_at: Some(start),
        ..Sidecar::default()
    };
    let name = make::name_for(&dir, start.0, email, &sidecar, &evidence.snapshots);
    Ok(Some(name.archive()))
}

#[derive(Serialize)]
struct Answer {
    email: Option<String>,
    account_id: Option<String>,
    plan_type: Option<String>,
    reset_at: Option<Stamp>,
    session_start_at: Option<SessionStart>,
    window_state: WindowState,
    quota_percent_left: Option<u8>,
    quota_text: Option<String>,
    limits: Vec<Limit>,
    status_source: StatusSource,
    archive_name: Option<String>,
    observed_at: Stamp,
    #[serde(skip)]
    is_refused: bool,
    #[serde(skip)]
    alias: Option<String>,
    #[serde(skip)]
    availability: Option<Availability>,
    #[serde(skip)]
    now: Stamp,
}

/// An answer in a form.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    answer: Answer,
    #[serde(skip)]
    form: Form,
}

impl Answer {
    /// The answer; what it does not say of the account, the login does.
    fn of(live: LiveStatus, login: Option<&Login>, ctx: &Ctx) -> Self {
        let mut reading = live.reading;
        if let Some(login) = login {
            let account = login.account.clone();
            reading.email = account.email.or(reading.email);
            reading.workspace_id = account.account_id.or(reading.workspace_id);
            reading.plan = if live.source == StatusSource::Panel {
                login.plan_type.clone().or(reading.plan)
            } else {
                reading.plan.or_else(|| login.plan_type.clone())
            };
        }
        let start = reading
            .reset_at
            .map(|reset| SessionStart::from_reset(reset, &ctx.zone));
        Self {
            archive_name: reading
                .email
                .as_deref()
                .zip(start)
                .map(|(email, start)| BackupName::new(start.0, email).archive()),
            window_state: reading.window_state(live.observed_at),
            email: reading.email,
            account_id: reading.workspace_id,
            // A panel writes it with a capital.
            plan_type: reading.plan.map(|plan| plan.to_lowercase()),
            reset_at: reading.reset_at,
            session_start_at: start,
            quota_percent_left: reading.quota_percent_left,
            quota_text: reading.quota_text,
            limits: reading.limits,
            status_source: live.source,
            observed_at: live.observed_at,
            is_refused: reading.is_refused,
            alias: None,
            availability: None,
            now: ctx.now,
        }
    }

    /// With what it means now.
    fn judged(self, ctx: &Ctx) -> Self {
        let seen = Observation {
            source: self.status_source,
            observed_at: self.observed_at,
            session_start_at: self.session_start_at,
            reset_at: self.reset_at,
            window_state: self.window_state,
            quota_percent_left: self.quota_percent_left,
            quota_text: None,
            limits: self.limits.clone(),
            quota_end_detected_at: None,
            is_guess: false,
            is_refused: self.is_refused,
            validation_status: ValidationStatus::Ok,
            plan_type: None,
            rest: serde_json::Map::new(),
        };
        Self {
            availability: Some(seen.judge(ctx.now, &ctx.zone)),
            ..self
        }
    }
}

impl Report for Shown {
    fn text(&self, _: &Page) -> String {
        match &self.form {
            Form::Whole => self.answer.text(),
            Form::Short => format!("{}\n", line::short(&self.answer)),
            Form::Pattern(pattern) => {
                let exact = |name: &str| line::exact(&self.answer, name);
                format!("{}\n", pattern.fill(exact))
            }
        }
    }
}

impl Answer {
    fn text(&self) -> String {
        let plan = self
            .plan_type
            .as_ref()
            .map(|plan| format!(" ({})", printable(plan)))
            .unwrap_or_default();
        let left = self
            .quota_percent_left
            .map_or("unknown".to_owned(), |left| format!("{left}%"));
        let state = match self.window_state {
            WindowState::Running => "running",
            WindowState::Over => "over",
            WindowState::Unstarted => "not started",
            WindowState::Unknown => "unknown",
        };
        let mut text = format!(
            "account  {}{plan}\n",
            printable(self.email.as_deref().unwrap_or("not named"))
        );
        match (self.session_start_at, self.reset_at) {
            (Some(start), Some(reset)) => text.push_str(&format!(
                "window   {} to {reset}, {state}\nleft     {left}\nresets   {reset} ({})\n",
                start.0,
                away(reset.since(self.now).num_seconds()),
            )),
            _ if self.window_state == WindowState::Unstarted => {
                text.push_str(&format!("window   not started\nleft     {left}\n"));
            }
            _ => text.push_str("window   no weekly window\n"),
        }
        let weekly = self.limits.iter().position(Limit::is_the_weekly);
        for (place, limit) in self.limits.iter().enumerate() {
            if Some(place) == weekly {
                continue;
            }
            let left = limit
                .percent_left
                .map_or("unknown".to_owned(), |left| format!("{left}% left"));
            let resets = limit.reset_at.map_or(String::new(), |reset| {
                let away = away(reset.since(self.now).num_seconds());
                format!(", resets {reset} ({away})")
            });
            text.push_str(&format!(
                "also     {}: {left}{resets}\n",
                printable(&limit.name)
            ));
        }
        let is_exhausted = self
            .limits
            .iter()
            .any(|limit| limit.percent_left == Some(0) && limit.is_of_account());
        if self.is_refused && !is_exhausted {
            text.push_str(
                "refused  ChatGPT says that the account may not be used now, and not why\n",
            );
        }
        if !self.status_source.is_live() {
            let age = match self.now.since(self.observed_at).num_seconds() {
                age @ 1.. => format!("{} ago", remaining_words(age)),
                _ => "now".to_owned(),
            };
            text.push_str(&format!("seen     {} ({age})\n", self.observed_at));
        }
        if let Some(name) = &self.archive_name {
            text.push_str(&format!("archive  {}\n", printable(name)));
        }
        text
    }
}

fn away(seconds: i64) -> String {
    if seconds > 0 {
        format!("in {}", remaining_words(seconds))
    } else {
        "it has passed".to_owned()
    }
}

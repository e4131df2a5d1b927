//! `status`: what the text of Codex's `/status` panel says of the weekly window. Reads; records nothing.

use std::time::Duration;

use serde::Serialize;

use crate::cli::StatusArgs;
use crate::codex::status::{self, Clock, LiveStatus};
use crate::context::Ctx;
use crate::error::{Error, Kind, Outcome, Result};
use crate::metadata::{BackupName, Limit, StatusSource, WindowState};
use crate::timeutil::{SessionStart, Stamp, remaining_words};
use crate::ui::{Page, Report};

/// Runs the command.
pub fn run(ctx: &Ctx, args: &StatusArgs) -> Result<Outcome> {
    let clock = Clock {
        now: ctx.now,
        zone: &ctx.zone,
        reference_year: args.reference_year,
        is_system_time: ctx.is_system_time,
    };
    let live = match (
        &args.input_file,
        ctx.status_command(args.status_command.as_deref()),
    ) {
        (Some(path), _) => status::of_file(path, clock)?,
        (None, Some(command)) => {
            let _in_hand = ctx.in_hand();
            let timeout = Duration::from_secs(ctx.status_timeout_seconds());
            status::of_command(&command, timeout, &|| ctx.stopped(), clock)?
        }
        (None, None) => {
            return Err(Error::new(
                Kind::NoStatus,
                "no live status: nothing says where its text comes from",
                "run `/status` in Codex and pass its text on with `--input-file FILE` (`-` for standard input), or name a command that prints it with `--status-command`",
            ));
        }
    };
    ctx.ui.data(&Answer::of(live, ctx))?;
    Ok(Outcome::Done)
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
    now: Stamp,
}

impl Answer {
    fn of(live: LiveStatus, ctx: &Ctx) -> Self {
        let reading = live.reading;
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
            plan_type: reading.plan,
            reset_at: reading.reset_at,
            session_start_at: start,
            quota_percent_left: reading.quota_percent_left,
            quota_text: reading.quota_text,
            limits: reading.limits,
            status_source: live.source,
            observed_at: live.observed_at,
            now: ctx.now,
        }
    }
}

impl Report for Answer {
    fn text(&self, _: &Page) -> String {
        let plan = self
            .plan_type
            .as_ref()
            .map(|plan| format!(" ({plan})"))
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
            self.email.as_deref().unwrap_or("not named")
        );
        match (self.session_start_at, self.reset_at) {
            (Some(start), Some(reset)) => text.push_str(&format!(
                "window   {} to {reset}, {state}\nleft     {left}\nresets   {reset} ({})\n",
                start.0,
                away(reset.since(self.now).num_seconds()),
            )),
            _ => text.push_str("window   no weekly window\n"),
        }
        if let Some(name) = &self.archive_name {
            text.push_str(&format!("archive  {name}\n"));
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

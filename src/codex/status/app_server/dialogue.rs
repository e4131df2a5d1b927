//! The conversation with Codex's app-server about one account: what to say to each line it sends, and what came of it.
//!
//! Pure. One JSON message a line; answers come in any order, among notifications and requests of its own, which are
//! passed over, as is whatever is no message. Source: Codex's `app-server-protocol`, versions 0.53 to 0.169.

use serde_json::{Value, json};

use super::refusals::{self, Failure};
use crate::codex::status::rate_limits::{RateLimits, field, text};
use crate::codex::status::reading::Reading;
use crate::codex::status::{Clock, Refusal};
use crate::error::{Error, Kind};

const INITIALIZE: u64 = 0;
const ACCOUNT: u64 = 1;
const LIMITS: u64 = 2;
const REFRESH: u64 = 3;
const LIMITS_AGAIN: u64 = 4;

/// An answer: its result, or its error.
type Answer = Result<Value, Failure>;

/// What has been said so far.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // each is a fact of its own
pub struct Dialogue {
    user_agent: Option<String>,
    refused: Option<Failure>,
    account: Option<Answer>,
    limits: Option<Answer>,
    is_refreshing: bool,
    has_refreshed: bool,
    has_missed: bool,
    is_greeting: bool,
}

impl Dialogue {
    /// One that ends with the answer to the first message.
    pub fn greeting() -> Self {
        Self {
            is_greeting: true,
            ..Self::default()
        }
    }

    /// The first message.
    pub fn opening() -> String {
        message(&json!({
            "id": INITIALIZE,
            "method": "initialize",
            "params": { "clientInfo": {
                "name": "codex_manager",
                "title": "codex-manager",
                "version": env!("CARGO_PKG_VERSION"),
            } },
        }))
    }

    /// Takes one line in; what to send next, perhaps nothing.
    pub fn hear(&mut self, line: &[u8]) -> String {
        // Garbage, and lines that are no message, are somebody else's noise on the stream.
        let Ok(Value::Object(heard)) = serde_json::from_slice::<Value>(line) else {
            self.has_missed |= line.first() == Some(&b'{');
            return String::new();
        };
        let id = heard.get("id").and_then(Value::as_u64);
        let (Some(id), false) = (id, heard.contains_key("method")) else {
            return String::new();
        };
        let answer = match (heard.get("result"), heard.get("error")) {
            (_, Some(error)) if !error.is_null() => Err(Failure::of(error)),
            (Some(result), _) => Ok(result.clone()),
            _ => return String::new(),
        };
        match id {
            INITIALIZE if self.user_agent.is_none() => self.opened(answer),
            ACCOUNT if self.account.is_none() => {
                self.account = Some(answer);
                String::new()
            }
            LIMITS if self.limits.is_none() => self.limited(answer),
            REFRESH if self.is_refreshing => self.refreshed(answer),
            LIMITS_AGAIN if self.has_refreshed => {
                self.limits = Some(answer);
                String::new()
            }
            _ => String::new(),
        }
    }

    fn opened(&mut self, answer: Answer) -> String {
        match answer {
            Ok(result) => {
                self.user_agent = Some(text(&result, "user_agent").unwrap_or_default());
                if self.is_greeting {
                    return String::new();
                }
                [
                    message(&json!({ "method": "initialized" })),
                    message(&json!({ "id": ACCOUNT, "method": "account/read", "params": { "refreshToken": false } })),
                    message(&json!({ "id": LIMITS, "method": "account/rateLimits/read" })),
                ]
                .concat()
            }
            Err(failure) => {
                self.refused = Some(failure);
                String::new()
            }
        }
    }

    fn limited(&mut self, answer: Answer) -> String {
        // Codex renews an expired login by itself for every call but this one.
        if matches!(&answer, Err(failure) if failure.http_status() == Some(401)) {
            self.is_refreshing = true;
            self.limits = Some(answer);
            return message(
                &json!({ "id": REFRESH, "method": "account/read", "params": { "refreshToken": true } }),
            );
        }
        self.limits = Some(answer);
        String::new()
    }

    fn refreshed(&mut self, answer: Answer) -> String {
        self.is_refreshing = false;
        let is_signed_out = matches!(&answer, Ok(result) if field(result, "account").is_none());
        self.account = Some(answer);
        if is_signed_out {
            // What 401 said stands: the login could not be renewed.
            return String::new();
        }
        self.has_refreshed = true;
        self.limits = None;
        message(&json!({ "id": LIMITS_AGAIN, "method": "account/rateLimits/read" }))
    }

    /// Whether all that was asked has been answered.
    pub fn is_done(&self) -> bool {
        self.refused.is_some()
            || (self.is_greeting && self.user_agent.is_some())
            || (self.account.is_some() && self.limits.is_some() && !self.is_refreshing)
    }

    /// Whether what is there will do, should the rest not come.
    pub fn is_enough(&self) -> bool {
        matches!(self.limits, Some(Ok(_)))
    }

    /// Whether Codex may be renewing the login: its service may have taken the old one back already. Reading the
    /// account it does so by itself when the service answers 401.
    pub fn is_refreshing(&self) -> bool {
        !self.is_greeting
            && (self.is_refreshing || (self.user_agent.is_some() && self.account.is_none()))
    }

    /// What came of the first message; None as long as it is not answered.
    pub fn greeted(&self) -> Option<Result<(), Refusal>> {
        match &self.refused {
            Some(failure) => Some(Err(refusals::of_handshake(failure))),
            None => self.user_agent.as_ref().map(|_| Ok(())),
        }
    }

    /// Whether there was something that may have been an answer and could not be read.
    pub fn has_missed(&self) -> bool {
        self.has_missed
    }

    /// Codex's version, from its `codex_manager/0.169.0 (…)`.
    pub fn codex_version(&self) -> Option<String> {
        let agent = self.user_agent.as_deref()?;
        let version = agent.split_once('/')?.1.split_ascii_whitespace().next()?;
        let is_version =
            version.starts_with(|first: char| first.is_ascii_digit()) && version.len() < 40;
        is_version.then(|| version.to_owned())
    }

    /// What it came to; None as long as there is too little to tell.
    pub fn outcome(&self, clock: &Clock) -> Option<Result<Reading, Refusal>> {
        if let Some(failure) = &self.refused {
            return Some(Err(refusals::of_handshake(failure)));
        }
        let limits = match self.limits.as_ref()? {
            Ok(result) => result,
            // A renewal that was not answered says nothing of the login.
            Err(_) if self.is_refreshing => return None,
            Err(failure) => {
                return Some(Err(refusals::of_limits(failure, self.account.as_ref())));
            }
        };
        Some(self.reading(limits, clock))
    }

    fn reading(&self, result: &Value, clock: &Clock) -> Result<Reading, Refusal> {
        let read = |value: &Value| RateLimits::read(value, clock.now, clock.zone);
        let mut account = None;
        let mut others = Vec::new();
        let by_id = field(result, "rate_limits_by_limit_id").and_then(Value::as_object);
        for (id, value) in by_id.into_iter().flatten() {
            let Some(mut limits) = read(value) else {
                continue;
            };
            limits.limit_id.get_or_insert_with(|| id.clone());
            if id == "codex" {
                account = Some(limits);
            } else {
                others.push(limits);
            }
        }
        let account = account.or_else(|| {
            field(result, "rate_limits")
                .and_then(read)
                .filter(RateLimits::is_of_account)
        });
        let Some(account) = account else {
            return Err(Refusal::Failed(Error::new(
                Kind::NoStatus,
                "codex's app-server answered without rate limits",
                "update Codex, or take the status from its panel: `--status-source panel`",
            )));
        };
        let mut reading = account.reading(others);
        if let Some(weekly) = reading.weekly()
            && weekly.reset_at.is_none()
            && weekly.percent_left != Some(100)
        {
            return Err(Refusal::Failed(Error::new(
                Kind::NoStatus,
                "codex's app-server names no time at which the weekly window resets",
                "run the command again; if it stays so, take the status from a panel: `--status-source panel`",
            )));
        }
        reading
            .check_times(clock.now)
            .map_err(|reset| refusals::out_of_range(reset, clock))?;
        // Its own yes or no: neither percentages nor times say it for certain.
        reading.is_refused =
            field(result, "ordinary_usage_allowed").and_then(Value::as_bool) == Some(false);
        self.sign(&mut reading, result);
        Ok(reading)
    }

    /// Whose the answer is, as far as Codex says.
    fn sign(&self, reading: &mut Reading, limits: &Value) {
        reading.workspace_id = text(limits, "account_id");
        let Some(Ok(result)) = &self.account else {
            return;
        };
        reading.user_id = text(result, "user_id");
        if let Some(account) = field(result, "account") {
            reading.email = text(account, "email");
            let plan = text(account, "plan_type").filter(|plan| plan != "unknown");
            reading.plan = reading.plan.take().or(plan);
        }
        if let Some(routing) = field(result, "workspace_routing") {
            let workspace = text(routing, "chatgpt_account_id");
            reading.workspace_id = reading.workspace_id.take().or(workspace);
        }
    }
}

/// One message as it goes over the wire.
fn message(value: &Value) -> String {
    format!("{value}\n")
}

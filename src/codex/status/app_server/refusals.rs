//! Why the app-server gave no limits, in words for a person. Pure.
//!
//! What Codex and its service say is not passed on whole: a body may hold anything.

use serde_json::Value;

use crate::codex::redact;
use crate::codex::status::rate_limits::{field, text};
use crate::codex::status::{Clock, Refusal};
use crate::error::{Error, Kind};
use crate::timeutil::Stamp;

/// An error as the app-server answers it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    code: i64,
    message: String,
}

impl Failure {
    /// From `{"code","message"}`.
    pub fn of(error: &Value) -> Self {
        Self {
            code: error
                .get("code")
                .and_then(Value::as_i64)
                .unwrap_or_default(),
            message: text(error, "message").unwrap_or_default(),
        }
    }

    /// The status of the answer of Codex's service: `… failed: 401 Unauthorized; content-type=…; body=…`.
    pub fn http_status(&self) -> Option<u16> {
        // Not in the body, which may quote anything.
        let told = self.message.split("body=").next().unwrap_or_default();
        told.split("failed: ").skip(1).find_map(|rest| {
            let digits = rest.get(..3)?;
            let status: u16 = digits.parse().ok()?;
            let ends = !rest
                .get(3..)?
                .starts_with(|next: char| next.is_ascii_alphanumeric());
            (ends && (100..600).contains(&status)).then_some(status)
        })
    }

    /// Whether the app-server does not know what it was asked.
    fn is_unknown_request(&self) -> bool {
        let message = self.message.to_ascii_lowercase();
        self.code == -32601
            || (self.code == -32600
                && ["unknown variant", "invalid request", "method not found"]
                    .iter()
                    .any(|words| message.contains(words)))
    }

    fn says(&self, words: &str) -> bool {
        self.message.to_ascii_lowercase().contains(words)
    }

    /// What it says, as far as it may be passed on.
    fn words(&self) -> String {
        let told = self.message.split("body=").next().unwrap_or_default();
        let words = redact::first_line(told.trim_end_matches([';', ' ']));
        if words.is_empty() {
            format!("error {}", self.code)
        } else {
            words
        }
    }
}

fn failed(message: impl Into<String>, hint: &str) -> Refusal {
    Refusal::Failed(Error::new(Kind::NoStatus, message, hint))
}

/// It would not even be greeted.
pub fn of_handshake(failure: &Failure) -> Refusal {
    Refusal::TooOld(Error::new(
        Kind::NoStatus,
        format!(
            "codex's app-server does not take this program's greeting: {}",
            failure.words()
        ),
        "update Codex",
    ))
}

/// It has no account methods.
pub fn too_old() -> Refusal {
    Refusal::TooOld(Error::new(
        Kind::NoStatus,
        "this Codex is too old: its app-server cannot say what is left of an account",
        "update Codex",
    ))
}

/// The weekly window's reset cannot be.
pub fn out_of_range(reset: Stamp, clock: &Clock) -> Refusal {
    failed(
        format!(
            "codex's app-server says that the weekly window resets on {}, more than 8 days from {}",
            reset.table_form(),
            clock.now.in_zone(clock.zone).table_form()
        ),
        "check this machine's clock, and leave out `--now`; then run the command again",
    )
}

/// Why the limits could not be read. `account` is what it said of the account, after a renewal where one was tried.
pub fn of_limits(failure: &Failure, account: Option<&Result<Value, Failure>>) -> Refusal {
    if failure.says("chatgpt authentication required") {
        return failed(
            "the login is an API key, which has no weekly window",
            "sign in with a ChatGPT account: `codex login`",
        );
    }
    if failure.says("account authentication required") {
        return failed(
            "codex says that nobody is signed in",
            "sign in with `codex login`; if Codex keeps logins in the system's keyring, set `cli_auth_credentials_store = \"file\"` in its config.toml",
        );
    }
    if failure.is_unknown_request() {
        return too_old();
    }
    if failure.says("error sending request") {
        return failed(
            "codex cannot reach ChatGPT",
            "check the network and any proxy, and run the command again",
        );
    }
    match failure.http_status() {
        Some(401) => expired(account),
        Some(403) => failed(
            "ChatGPT refuses to tell the limits of this account: 403 Forbidden",
            "see in a browser whether the account and its workspace are in order; behind a VPN or proxy, try without",
        ),
        Some(429) => failed(
            "ChatGPT was asked too often: 429 Too Many Requests",
            "wait a few minutes and run the command again",
        ),
        Some(status @ 500..) => failed(
            format!("ChatGPT failed with {status}"),
            "run the command again later; the service's own status page may say more",
        ),
        Some(status) => failed(
            format!("ChatGPT answered {status}"),
            "run the command again; if it stays so, update Codex",
        ),
        None => failed(
            format!(
                "codex's app-server cannot read the limits: {}",
                failure.words()
            ),
            "run `codex` by hand to see whether it works, and the command again",
        ),
    }
}

/// The login was refused, and could not be renewed.
fn expired(account: Option<&Result<Value, Failure>>) -> Refusal {
    let is_signed_out = match account {
        Some(Ok(result)) => field(result, "account").is_none(),
        _ => false,
    };
    if is_signed_out {
        return failed(
            "the login has expired and cannot be renewed: its refresh token was used, revoked or has expired",
            "sign in again with `codex login`, or restore a newer snapshot of this account",
        );
    }
    if let Some(Err(failure)) = account {
        return failed(
            format!(
                "the login has expired and renewing it failed: {}",
                failure.words()
            ),
            "check the network and run the command again; if it stays so, sign in again with `codex login`",
        );
    }
    failed(
        "ChatGPT does not accept the login, though Codex has renewed it: 401 Unauthorized",
        "sign in again with `codex login`",
    )
}

//! An account's weekly window as Codex itself tells it.
//!
//! A source gives text or a refusal; the reading is the same for all. Sources that ask Codex directly plug in here.

pub mod app_server;
pub mod panel;
pub mod rate_limits;
pub mod reading;
pub mod rollout;
pub mod screen;
pub mod terminal;
mod workplace;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use crate::codex::process;
use crate::codex::program::{Home, Program};
use crate::error::{Error, Kind, Result};
use crate::metadata::{Account, StatusSource};
use crate::timeutil::{Stamp, Zone};

pub use reading::Reading;

/// The most text that is read of a file or a command; a panel has a few KiB.
const MOST_BYTES: u64 = 4 << 20;

/// What Codex said.
#[derive(Clone, Debug)]
pub struct LiveStatus {
    /// Who passed it on.
    pub source: StatusSource,
    /// What it said.
    pub reading: Reading,
    /// When.
    pub observed_at: Stamp,
    /// Which Codex was asked, as `0.169.0`; None where it does not say.
    pub codex_version: Option<String>,
    /// Whose login Codex was asked about; None for a text, which stands for itself.
    pub asked_of: Option<Account>,
}

/// How Codex is asked.
pub struct Asking<'a> {
    /// Codex.
    pub program: &'a Program,
    /// The Codex home it is asked about.
    pub home: Home<'a>,
    /// How long it may take.
    pub timeout: Duration,
    /// Whether Codex may renew the login as soon as it starts.
    pub may_renew: bool,
    /// Whether a signal came.
    pub stop: &'a dyn Fn() -> bool,
    /// Whether a second one came: then not even a renewal of the login is waited for.
    pub is_urgent: &'a dyn Fn() -> bool,
    /// Tells a person why it takes longer.
    pub tell: &'a dyn Fn(&str),
    /// The instant and zone of the answer.
    pub clock: Clock<'a>,
}

impl Asking<'_> {
    /// Tells somebody who wants to go why they have to wait.
    fn tell_renewal(&self) {
        if (self.stop)() && !(self.is_urgent)() {
            (self.tell)(
                "waiting until codex has renewed the login, which would be lost; Ctrl-C again ends it at once",
            );
        }
    }
}

/// Why a source has no answer.
#[derive(Debug)]
pub enum Refusal {
    /// This Codex does not know the way it was asked; another way may do.
    TooOld(Error),
    /// Anything else: no other source would know better.
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// How to read a panel's dates.
#[derive(Clone, Copy, Debug)]
pub struct Clock<'a> {
    /// When the text is taken to have been printed.
    pub now: Stamp,
    /// Whose wall clock it shows.
    pub zone: &'a Zone,
    /// The year of its dates; None for the nearest.
    pub reference_year: Option<i32>,
    /// Whether a file's mtime, which is of the system's clock, tells when its text was printed.
    pub is_system_time: bool,
}

/// From a file; `-` is standard input.
pub fn of_file(path: &Path, clock: Clock) -> Result<LiveStatus> {
    let read = |source: &mut dyn Read| -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        source.take(MOST_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = if path == Path::new("-") {
        read(&mut io::stdin().lock())
    } else {
        File::open(path).and_then(|mut file| read(&mut file))
    };
    let bytes = bytes.map_err(|error| Error::io("read the status text", path, error))?;
    if path == Path::new("-") {
        return of_text(&bytes, StatusSource::StatusFile, "standard input", clock);
    }
    // A time without a date means the day it was printed on, which an old file's mtime tells better than the clock.
    let written = std::fs::metadata(path)
        .and_then(|meta| meta.modified())
        .ok();
    let written = written.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let written = written
        .and_then(|since| Stamp::from_unix(i64::try_from(since.as_secs()).ok()?, clock.zone));
    let now = match written {
        Some(written) if clock.is_system_time => written.min(clock.now),
        _ => clock.now,
    };
    let place = format!("`{}`", path.display());
    of_text(
        &bytes,
        StatusSource::StatusFile,
        &place,
        Clock { now, ..clock },
    )
}

/// From what a command prints.
pub fn of_command(
    command: &str,
    timeout: Duration,
    stop: &dyn Fn() -> bool,
    clock: Clock,
) -> Result<LiveStatus> {
    let output = process::output_of_shell(command, timeout, MOST_BYTES, stop)?;
    of_text(
        &output,
        StatusSource::StatusCommand,
        "the status command's output",
        clock,
    )
}

/// From Codex itself: its app-server, and where that is too old to know accounts, its panel.
///
/// Where neither answers, every refusal is told.
pub fn of_codex(asking: &Asking) -> Result<LiveStatus> {
    let too_old = match app_server::of_app_server(asking) {
        Ok(live) => return Ok(live),
        Err(Refusal::Failed(error)) => return Err(error),
        Err(Refusal::TooOld(error)) => error,
    };
    of_panel(asking).map_err(|panel| {
        if panel.kind() != Kind::NoStatus {
            return panel;
        }
        Error::new(
            Kind::NoStatus,
            format!("no live status: app-server: {too_old}; panel: {panel}"),
            format!("{}; {}", too_old.hint(), panel.hint()),
        )
    })
}

/// From Codex's app-server alone.
pub fn of_app_server(asking: &Asking) -> Result<LiveStatus> {
    app_server::of_app_server(asking).map_err(|refusal| match refusal {
        Refusal::Failed(error) | Refusal::TooOld(error) => error,
    })
}

/// From Codex's panel alone.
pub fn of_panel(asking: &Asking) -> Result<LiveStatus> {
    terminal::of_terminal(asking).map_err(|refusal| match refusal {
        Refusal::Failed(error) | Refusal::TooOld(error) => error,
    })
}

fn of_text(bytes: &[u8], source: StatusSource, place: &str, clock: Clock) -> Result<LiveStatus> {
    let text = String::from_utf8_lossy(bytes);
    let reading =
        panel::read(&text, clock.now, clock.zone, clock.reference_year).map_err(|reason| {
            Error::new(
                Kind::NoStatus,
                format!("no live status in {place}: {reason}"),
                "run `/status` in Codex until it shows the weekly limit, and pass that text on",
            )
        })?;
    Ok(LiveStatus {
        source,
        reading,
        observed_at: clock.now,
        codex_version: None,
        asked_of: None,
    })
}

/// Checks that the status is of `account`. True if the status names the account; false when it names nobody.
pub fn check_account(reading: &Reading, account: &Account) -> Result<bool> {
    let mismatch = |what: &str, status: &str, login: &str| {
        Error::new(
            Kind::AccountMismatch,
            format!(
                "the status is of the {what} `{status}`, the login in auth.json is of `{login}`"
            ),
            "take the status again with the account that is signed in now",
        )
    };
    if let (Some(status), Some(login)) = (&reading.workspace_id, &account.account_id) {
        // A narrow panel may cut an id short; what it shows must be the beginning.
        if !login.starts_with(status.as_str()) {
            return Err(mismatch("workspace", status, login));
        }
    }
    if let (Some(status), Some(login)) = (&reading.user_id, &account.user_id)
        && status != login
    {
        return Err(mismatch("user", status, login));
    }
    match (&reading.email, &account.email) {
        (Some(status), Some(login)) if !status.eq_ignore_ascii_case(login) => {
            Err(mismatch("account", status, login))
        }
        (Some(_), Some(_)) => Ok(true),
        _ => Ok(
            (reading.workspace_id.is_some() && account.account_id.is_some())
                || (reading.user_id.is_some() && account.user_id.is_some()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(email: Option<&str>, workspace: Option<&str>) -> Reading {
        Reading {
            email: email.map(str::to_owned),
            workspace_id: workspace.map(str::to_owned),
            ..Reading::default()
        }
    }

    #[test]
    fn the_status_must_be_of_the_same_account() {
        let account = Account {
            email: Some("alice@example.com".to_owned()),
            user_id: Some("user-a".to_owned()),
            account_id: Some("1111-2222".to_owned()),
        };
        let check = |email, workspace| {
            check_account(&reading(email, workspace), &account).map_err(|error| error.kind())
        };
        assert_eq!(check(Some("Alice@example.com"), None), Ok(true));
        assert_eq!(check(None, None), Ok(false));
        assert_eq!(check(None, Some("1111-2222")), Ok(true));
        assert_eq!(
            check(Some("bob@example.com"), None),
            Err(Kind::AccountMismatch)
        );
        assert_eq!(
            check(Some("alice@example.com"), Some("3333")),
            Err(Kind::AccountMismatch)
        );
    }
}

//! Arguments that several commands take.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// How long other runs are waited for.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitArgs {
    /// How many seconds to wait for another codex-manager; 0 not at all [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub wait: Option<u64>,
}

/// What stands for that in the help of commands that wait longer where nothing is said.
pub(super) const PATIENT: &str =
    "How many seconds to wait for another codex-manager; 0 not at all [default: 600]";

/// How to read legacy files.
#[derive(Args, Clone, Debug)]
pub struct LegacyArgs {
    /// Directory of the legacy files [default: setting, else ./.codex_sample, else the Codex home]
    #[arg(long, value_name = "DIR")]
    pub source_dir: Option<PathBuf>,
    /// Assumed hours from a session's start to the end of its quota [default: 2]
    #[arg(long, value_name = "HOURS", value_parser = hours)]
    pub session_duration_hours: Option<f64>,
    /// Year of every day token [default: the nearest]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i32).range(1970..=9998))]
    pub reference_year: Option<i32>,
    /// The inventory file [default: inventory.json in the manager home]
    #[arg(long, value_name = "FILE")]
    pub inventory_path: Option<PathBuf>,
}

fn hours(text: &str) -> Result<f64, String> {
    let most = crate::settings::MOST_HOURS;
    let hours: f64 = text
        .parse()
        .map_err(|_| "it is no number of hours".to_owned())?;
    if (0.0..=most).contains(&hours) {
        Ok(hours)
    } else {
        Err(format!("it must be from 0 to {most} hours"))
    }
}

/// How Codex is asked.
#[derive(Args, Clone, Debug, Default)]
pub struct LiveArgs {
    /// Who says what is left: auto asks Codex itself [default: auto]
    #[arg(long, value_name = "SOURCE")]
    pub status_source: Option<Source>,
    /// How many seconds asking may take [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub status_timeout: Option<u64>,
    /// The Codex to ask: a path, a name on PATH or a command line [default: codex]
    #[arg(long, value_name = "COMMAND")]
    pub codex_command: Option<String>,
}

impl LiveArgs {
    /// Whether any of them was said.
    pub fn is_given(&self) -> bool {
        self.status_source.is_some()
            || self.status_timeout.is_some()
            || self.codex_command.is_some()
    }
}

/// Who says what is left of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// The app-server; the panel where this Codex's app-server knows no accounts.
    Auto,
    /// `codex app-server`.
    AppServer,
    /// Codex's /status panel, in a terminal of its own.
    Panel,
    /// Codex's session files, without asking anybody: a hint.
    Rollout,
}

//! The commands about accounts: which there are, when each is usable, which to use next.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{LegacyArgs, LiveArgs, WaitArgs};

/// Arguments of `normalize`.
#[derive(Args, Debug)]
pub struct NormalizeArgs {
    /// How to read the files.
    #[command(flatten)]
    pub legacy: LegacyArgs,
    /// Also make a restorable auth-only snapshot of each file
    #[arg(long)]
    pub write_metadata: bool,
    /// Where those snapshots go
    #[arg(long, value_name = "DIR")]
    pub backup_dir: Option<PathBuf>,
    /// Exit with 3 when a file was skipped
    #[arg(long)]
    pub strict: bool,
    /// Show what would be written, write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long other runs are waited for.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// Arguments of `use`.
#[derive(Args, Debug)]
pub struct UseArgs {
    /// Email, profile or alias, or an unambiguous beginning of one; - for whoever was signed in before [default: chosen from a
    /// list]
    #[arg(value_name = "ACCOUNT")]
    pub target: Option<String>,
    /// The same, as `restore` has it
    #[arg(long, value_name = "EMAIL", hide = true, conflicts_with = "target")]
    pub email: Option<String>,
    /// Where snapshots are kept
    #[arg(long, value_name = "DIR")]
    pub backup_dir: Option<PathBuf>,
    /// Also tell which open Codex must be started anew
    #[arg(long)]
    pub restart_hint: bool,
    /// Go on although a Codex is open on that home
    #[arg(long)]
    pub force: bool,
    /// Show what would be done, change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long other runs are waited for.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// Arguments of `cooldown`.
#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools)] // switches of a command line
pub struct CooldownArgs {
    /// Ask Codex about the active account first
    #[arg(long)]
    pub live: bool,
    /// With --live: about every account whose login is kept, one after another
    #[arg(long, requires = "live")]
    pub all: bool,
    /// How Codex is asked.
    #[command(flatten)]
    pub asking: LiveArgs,
    /// Normalize the legacy files first
    #[arg(long)]
    pub refresh: bool,
    /// How to read them.
    #[command(flatten)]
    pub legacy: LegacyArgs,
    /// Where snapshots are kept
    #[arg(long, value_name = "DIR")]
    pub backup_dir: Option<PathBuf>,
    /// At most this many accounts
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Show each account's week as a bar on one axis of time
    #[arg(long)]
    pub timeline: bool,
    /// Write that as a page for a browser (- for standard output), as a picture where FILE ends in .svg
    #[arg(long, value_name = "FILE", conflicts_with_all = ["timeline", "watch"])]
    pub html: Option<PathBuf>,
    /// Draw it over and over in place, until q or Ctrl-C; with --live Codex is asked every 5 minutes
    #[arg(long, conflicts_with_all = ["wait", "json"])]
    pub watch: bool,
    /// Wait until an account is usable, then show those that are
    #[arg(long)]
    pub wait: bool,
    /// With --live, --refresh or --html: write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `recommend`.
#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools)] // switches of a command line
pub struct RecommendArgs {
    /// Ask Codex about the active account first
    #[arg(long)]
    pub live: bool,
    /// With --live: about every account whose login is kept, one after another
    #[arg(long, requires = "live")]
    pub all: bool,
    /// How Codex is asked.
    #[command(flatten)]
    pub asking: LiveArgs,
    /// Normalize the legacy files first
    #[arg(long)]
    pub refresh: bool,
    /// How to read them.
    #[command(flatten)]
    pub legacy: LegacyArgs,
    /// Where snapshots are kept
    #[arg(long, value_name = "DIR")]
    pub backup_dir: Option<PathBuf>,
    /// lru: least recently used; drain: the open one that resets soonest [default: lru]
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<Policy>,
    /// Wait until an account is usable
    #[arg(long)]
    pub wait: bool,
    /// Sign it in to the Codex home, if it is usable now
    #[arg(long = "use", group = "deed")]
    pub use_it: bool,
    /// Restore its newest snapshot into the Codex home, if it is usable now
    #[arg(long, group = "deed")]
    pub restore: bool,
    /// With --use or --restore: go on although a Codex is open on that home
    #[arg(long, requires = "deed")]
    pub force: bool,
    /// With --restore: do not ask
    #[arg(long, requires = "restore")]
    pub yes: bool,
    /// With --use, --restore, --live or --refresh: write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// How the next account is chosen among those usable now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// The least recently used.
    Lru,
    /// The open one that resets soonest, then the least recently used.
    Drain,
}

/// Arguments of `status`.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// One line for a prompt, from what is known already: who, whether usable, what is left, until when
    #[arg(long, conflicts_with_all = ["json", "format"])]
    pub short: bool,
    /// The same by a pattern: text with {name}, {status}, {left}, {resets_in} … in it; {name:json} for within a JSON string
    #[arg(long, value_name = "PATTERN", conflicts_with = "json")]
    pub format: Option<String>,
    /// Ask nobody: what is known already, and what Codex noted in its session files since
    #[arg(long, conflicts_with_all = ["live", "input_file", "status_command"])]
    pub offline: bool,
    /// With --short or --format: ask Codex all the same
    #[arg(long, conflicts_with = "input_file")]
    pub live: bool,
    /// How Codex is asked.
    #[command(flatten)]
    pub asking: LiveArgs,
    /// Read the text of a /status panel instead, in a file (- for standard input)
    #[arg(long, visible_alias = "status-file", value_name = "FILE", conflicts_with_all = ["status_command", "status_source"])]
    pub input_file: Option<PathBuf>,
    /// Command that prints such a text
    #[arg(long, value_name = "COMMAND", conflicts_with = "status_source")]
    pub status_command: Option<String>,
    /// Year of the dates in it [default: the nearest]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i32).range(1970..=9998))]
    pub reference_year: Option<i32>,
    /// How long other runs are waited for.
    #[command(flatten)]
    pub wait: WaitArgs,
}

//! The whole command line: one struct a command, no I/O, so that help comes from this file alone.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::codex::parts::{Part, Parts};
use crate::retention::Span;
use crate::timeutil::Stamp;

/// Exit codes, as every command's long help shows them.
const EXIT_CODES: &str = "\
Exit codes:
  0 done                      1 other failure             2 usage
  3 done in part              4 no account is usable now  10 no such backup or account
  11 locked                   12 account mismatch         13 archive damaged or unsafe
  14 no live status           15 cannot decrypt           16 remote unreachable or refused
  130 interrupted

Environment:
  CODEX_MANAGER_HOME  manager home (CODEXMGR_HOME is the older name); default ~/.codex-manager
  CODEX_HOME          Codex home; default ~/.codex
  CODEX_MANAGER_NOW   answer as of this instant (RFC 3339)
  NO_COLOR            no colour";

/// Looks after your OpenAI Codex accounts: snapshots, safe restores, exact weekly quota windows.
#[derive(Debug, Parser)]
#[command(name = "codex-manager", version, after_long_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// Where inventory, registry, snapshots and settings live
    #[arg(long, global = true, value_name = "DIR")]
    pub manager_home: Option<PathBuf>,
    /// The Codex home [default: $CODEX_HOME, else ~/.codex]
    #[arg(long, global = true, value_name = "DIR")]
    pub codex_home: Option<PathBuf>,
    /// IANA zone of wall clocks and file names [default: the system's]
    #[arg(long, global = true, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// One JSON document on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Say only what matters
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// When to colour
    #[arg(long, global = true, value_name = "WHEN")]
    pub color: Option<When>,
    /// Answer as of this instant (RFC 3339)
    #[arg(long, global = true, value_name = "TIME")]
    pub now: Option<Stamp>,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal without `NO_COLOR`.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Turn hand-named login copies (21apr_EMAIL_auth.json) into an inventory
    #[command(after_long_help = EXIT_CODES)]
    Normalize(NormalizeArgs),
    /// Snapshot the Codex home of the active account
    #[command(after_long_help = EXIT_CODES)]
    Backup(BackupArgs),
    /// Put a snapshot back into the Codex home
    #[command(after_long_help = EXIT_CODES)]
    Restore(RestoreArgs),
    /// Sign another account in to the Codex home, with its freshest login
    #[command(after_long_help = EXIT_CODES)]
    Use(UseArgs),
    /// List snapshots
    #[command(after_long_help = EXIT_CODES)]
    ListBackups(ListBackupsArgs),
    /// Show when each account is available
    #[command(after_long_help = EXIT_CODES)]
    Cooldown(CooldownArgs),
    /// Say which account to use next
    #[command(after_long_help = EXIT_CODES)]
    Recommend(RecommendArgs),
    /// Ask Codex what is left of the active account
    #[command(after_long_help = EXIT_CODES)]
    Status(StatusArgs),
    /// Show and change what is kept of each account
    #[command(after_long_help = EXIT_CODES)]
    Profile(ProfileArgs),
    /// Remove snapshots that no rule keeps
    #[command(after_long_help = EXIT_CODES)]
    Prune(PruneArgs),
    /// Show and change settings
    #[command(after_long_help = EXIT_CODES)]
    Config(ConfigArgs),
}

impl Command {
    /// How long it waits for other runs; None for a command that cannot be told.
    pub fn wait(&self) -> Option<&WaitArgs> {
        match self {
            Self::Normalize(args) => Some(&args.wait),
            Self::Backup(args) => Some(&args.wait),
            Self::Restore(args) => Some(&args.wait),
            Self::Use(args) => Some(&args.wait),
            Self::Status(args) => Some(&args.wait),
            Self::Profile(args) => args.action.wait(),
            Self::Prune(args) => Some(&args.wait),
            Self::Config(args) => args.action.wait(),
            _ => None,
        }
    }
}

/// How long other runs are waited for.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitArgs {
    /// How many seconds to wait for another codex-manager; 0 not at all [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub wait: Option<u64>,
}

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

/// Arguments of `backup`.
#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools)] // switches of a command line
pub struct BackupArgs {
    /// The Codex home to capture
    #[arg(long, value_name = "DIR")]
    pub source_dir: Option<PathBuf>,
    /// Where snapshots are kept
    #[arg(long, value_name = "DIR")]
    pub backup_dir: Option<PathBuf>,
    /// How Codex is asked.
    #[command(flatten)]
    pub live: LiveArgs,
    /// Text of the /status panel, in a file (- for standard input)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["status_command", "status_source", "offline"])]
    pub status_file: Option<PathBuf>,
    /// Command that prints the text of the /status panel
    #[arg(long, value_name = "COMMAND", conflicts_with_all = ["status_source", "offline"])]
    pub status_command: Option<String>,
    /// Year of the dates in that text [default: the nearest]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i32).range(1970..=9998))]
    pub reference_year: Option<i32>,
    /// Take the last known window of the account instead of asking
    #[arg(long, conflicts_with = "status_source")]
    pub offline: bool,
    /// Capture the login alone
    #[arg(long)]
    pub auth_only: bool,
    /// Also capture tmp/ and .tmp/
    #[arg(long)]
    pub include_tmp: bool,
    /// Leave out what matches (repeatable); a restore leaves it in place
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// How hard to compress, 1 (fastest) to 12 (smallest) [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=12))]
    pub level: Option<u8>,
    /// How many threads compress [default: one a core]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Make a new snapshot even when nothing changed since the last, and read every file for it
    #[arg(long)]
    pub force: bool,
    /// Show what would be captured, write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long other runs are waited for.
    #[command(flatten)]
    pub wait: WaitArgs,
}

impl BackupArgs {
    /// Which parts of the home are captured.
    pub fn parts(&self) -> Parts {
        if self.auth_only {
            Parts::AUTH
        } else {
            Parts::ALL
        }
    }
}

/// Arguments of `restore`.
#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools)] // switches of a command line
pub struct RestoreArgs {
    /// Email, alias, archive name or path
    #[arg(value_name = "TARGET", conflicts_with_all = ["from_archive", "email", "undo"])]
    pub target: Option<String>,
    /// An archive, by name or path
    #[arg(long, value_name = "ARCHIVE", conflicts_with_all = ["email", "undo"])]
    pub from_archive: Option<String>,
    /// The account's newest snapshot
    #[arg(long, value_name = "EMAIL", conflicts_with = "undo")]
    pub email: Option<String>,
    /// Only snapshots of the window that opened then (RFC 3339, 2026-04-14-155500, or the start of it)
    #[arg(long, value_name = "TIME", conflicts_with = "undo")]
    pub session_start: Option<String>,
    /// Where snapshots are kept
    #[arg(long, value_name = "DIR")]
    pub backup_dir: Option<PathBuf>,
    /// The Codex home to restore into
    #[arg(long, value_name = "DIR")]
    pub dest_dir: Option<PathBuf>,
    /// Restore these parts alone (repeatable, or with commas between); the rest of the home stays
    #[arg(
        long,
        value_name = "PART",
        value_delimiter = ',',
        conflicts_with = "auth_only"
    )]
    pub only: Vec<Part>,
    /// Restore the login alone, as --only auth
    #[arg(long)]
    pub auth_only: bool,
    /// Do not keep what is replaced
    #[arg(long)]
    pub no_safety_backup: bool,
    /// Put back what the last restore replaced
    #[arg(long)]
    pub undo: bool,
    /// Restore the login as it was archived, even where a newer one of that account is known
    #[arg(long)]
    pub archived_auth: bool,
    /// Go on although a Codex is open on that home
    #[arg(long)]
    pub force: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Show what would be replaced, change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long other runs are waited for.
    #[command(flatten)]
    pub wait: WaitArgs,
}

impl RestoreArgs {
    /// The parts that were asked for; None for all there are.
    pub fn parts(&self) -> Option<Parts> {
        if self.auth_only {
            return Some(Parts::AUTH);
        }
        let asked: Parts = self.only.iter().copied().collect();
        Some(asked).filter(|asked| !asked.is_empty())
    }
}

/// Arguments of `use`.
#[derive(Args, Debug)]
pub struct UseArgs {
    /// Email, profile or alias; - for whoever was signed in before
    #[arg(value_name = "ACCOUNT")]
    pub target: String,
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

/// Arguments of `list-backups`.
#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools)] // switches of a command line
pub struct ListBackupsArgs {
    /// Where snapshots are kept
    #[arg(long, value_name = "DIR")]
    pub backup_dir: Option<PathBuf>,
    /// Only snapshots of this email or alias
    #[arg(long, value_name = "EMAIL")]
    pub email: Option<String>,
    /// Only the newest of each account
    #[arg(long)]
    pub latest_per_email: bool,
    /// Only those of accounts that are usable now
    #[arg(long)]
    pub ready: bool,
    /// Also earlier snapshots of a window, and what restores replaced
    #[arg(long)]
    pub all: bool,
    /// Order, largest or newest first
    #[arg(long, value_name = "FIELD", default_value = "created_at")]
    pub sort: SortBy,
    /// At most this many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Read and check every archive
    #[arg(long)]
    pub verify: bool,
}

/// What `list-backups` orders by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum SortBy {
    /// When the window resets.
    ResetAt,
    /// When the window opened.
    SessionStartAt,
    /// When the snapshot was made.
    CreatedAt,
    /// How large the archive is.
    Size,
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
    /// With --live or --refresh: write nothing
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
    /// Sign it in to the Codex home, if it is usable now
    #[arg(long = "use")]
    pub use_it: bool,
    /// With --use: go on although a Codex is open on that home
    #[arg(long, requires = "use_it")]
    pub force: bool,
    /// With --use, --live or --refresh: write nothing
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
    /// How Codex is asked.
    #[command(flatten)]
    pub live: LiveArgs,
    /// Read the text of a /status panel instead, in a file (- for standard input)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["status_command", "status_source"])]
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

/// Arguments of `profile`.
#[derive(Args, Debug)]
pub struct ProfileArgs {
    /// What to do with the profiles.
    #[command(subcommand)]
    pub action: ProfileAction,
}

/// What to do with the profiles.
#[derive(Debug, Subcommand)]
pub enum ProfileAction {
    /// Every profile, whose it is and whether its login still signs in
    #[command(after_long_help = EXIT_CODES)]
    List,
    /// One profile in full
    #[command(after_long_help = EXIT_CODES)]
    Show {
        /// Its name, alias or email
        name: String,
    },
    /// Change what a profile says, all or nothing
    #[command(after_long_help = EXIT_CODES)]
    Set {
        /// Its name, alias or email
        name: String,
        /// alias, paused, note or session_duration_hours; KEY= unsets it
        #[arg(required = true, value_name = "KEY=VALUE")]
        changes: Vec<String>,
        /// Show what would be written, write nothing
        #[arg(long)]
        dry_run: bool,
        /// How long other runs are waited for.
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Sign somebody in by Codex's own login, away from the Codex home, and keep that login
    #[command(after_long_help = EXIT_CODES)]
    Login(ProfileLogin),
    /// Give a profile another name
    #[command(after_long_help = EXIT_CODES)]
    Rename {
        /// Its name, alias or email
        name: String,
        /// Its new name
        new_name: String,
        /// Show what would be renamed, change nothing
        #[arg(long)]
        dry_run: bool,
        /// How long other runs are waited for.
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Remove a profile with the login in it
    #[command(after_long_help = EXIT_CODES)]
    Remove {
        /// Its name, alias or email
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Show what would be removed, change nothing
        #[arg(long)]
        dry_run: bool,
        /// How long other runs are waited for.
        #[command(flatten)]
        wait: WaitArgs,
    },
}

impl ProfileAction {
    fn wait(&self) -> Option<&WaitArgs> {
        match self {
            Self::List | Self::Show { .. } => None,
            Self::Login(args) => Some(&args.wait),
            Self::Set { wait, .. } | Self::Rename { wait, .. } | Self::Remove { wait, .. } => {
                Some(wait)
            }
        }
    }
}

/// Arguments of `profile login`.
#[derive(Args, Debug)]
pub struct ProfileLogin {
    /// The profile's name, alias or email; a new name makes a profile for whoever signs in
    pub name: String,
    /// The Codex to run: a path, a name on PATH or a command line [default: codex]
    #[arg(long, value_name = "COMMAND")]
    pub codex_command: Option<String>,
    /// Show whose profile it is, run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long other runs are waited for.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// What `codex login` is given: --device-auth, --with-api-key
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
}

/// Arguments of `prune`.
#[derive(Args, Debug)]
pub struct PruneArgs {
    /// Keep the newest N of each account
    #[arg(long, visible_alias = "keep", value_name = "N")]
    pub keep_last: Option<usize>,
    /// Keep the newest of each account: --keep-last 1
    #[arg(long)]
    pub keep_latest_per_email: bool,
    /// Keep what is no older than that before the account's newest (30d, 6m, 1y6m)
    #[arg(long, value_name = "SPAN")]
    pub keep_within: Option<Span>,
    /// Keep the newest of each of the last N days that have any
    #[arg(long, value_name = "N")]
    pub keep_daily: Option<usize>,
    /// The same of weeks
    #[arg(long, value_name = "N")]
    pub keep_weekly: Option<usize>,
    /// The same of months
    #[arg(long, value_name = "N")]
    pub keep_monthly: Option<usize>,
    /// Only snapshots of this email or alias
    #[arg(long, value_name = "EMAIL")]
    pub email: Option<String>,
    /// Where snapshots are kept
    #[arg(long, value_name = "DIR")]
    pub backup_dir: Option<PathBuf>,
    /// Also remove an account's newest sound snapshot, where no rule keeps it
    #[arg(long)]
    pub allow_empty: bool,
    /// How long other runs are waited for.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// Show what would go, remove nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `config`.
#[derive(Args, Debug)]
pub struct ConfigArgs {
    /// What to do with the settings.
    #[command(subcommand)]
    pub action: ConfigAction,
}

/// What to do with the settings.
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum ConfigAction {
    /// Every setting, its value and where that comes from
    #[command(after_long_help = EXIT_CODES)]
    List,
    /// One setting's value
    #[command(after_long_help = EXIT_CODES)]
    Get {
        /// Its name
        key: String,
    },
    /// Change one setting
    #[command(after_long_help = EXIT_CODES)]
    Set {
        /// Its name
        key: String,
        /// Its new value
        value: String,
        /// Show what would be written, write nothing
        #[arg(long)]
        dry_run: bool,
        /// How long other runs are waited for.
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Return one setting to its default
    #[command(after_long_help = EXIT_CODES)]
    Unset {
        /// Its name
        key: String,
        /// Show what would be written, write nothing
        #[arg(long)]
        dry_run: bool,
        /// How long other runs are waited for.
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Where the settings file is
    #[command(after_long_help = EXIT_CODES)]
    Path,
}

impl ConfigAction {
    fn wait(&self) -> Option<&WaitArgs> {
        match self {
            Self::Set { wait, .. } | Self::Unset { wait, .. } => Some(wait),
            Self::List | Self::Get { .. } | Self::Path => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

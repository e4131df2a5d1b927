//! The whole command line: one struct a command, no I/O, so that help comes from these files alone.

mod accounts;
mod config;
mod doctor;
mod profiles;
mod prune;
mod shared;
mod snapshots;
mod sync;

pub use accounts::{CooldownArgs, NormalizeArgs, Policy, RecommendArgs, StatusArgs, UseArgs};
pub use config::{ConfigAction, ConfigArgs};
pub use doctor::DoctorArgs;
pub use profiles::{ProfileAction, ProfileArgs, ProfileExport, ProfileImport, ProfileLogin};
pub use prune::PruneArgs;
pub use shared::{LegacyArgs, LiveArgs, Source, WaitArgs};
pub use snapshots::{BackupArgs, ListBackupsArgs, RestoreArgs, SortBy};
pub use sync::{SyncAction, SyncArgs, SyncInit, SyncPull, SyncPush, SyncStatus};

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Carry snapshots between machines, encrypted
    #[command(after_long_help = EXIT_CODES)]
    Sync(SyncArgs),
    /// Remove snapshots that no rule keeps
    #[command(after_long_help = EXIT_CODES)]
    Prune(PruneArgs),
    /// Check everything this program relies on, and say what to do
    #[command(after_long_help = EXIT_CODES)]
    Doctor(DoctorArgs),
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
            Self::Sync(args) => args.action.wait(),
            Self::Prune(args) => Some(&args.wait),
            Self::Doctor(args) => Some(&args.wait),
            Self::Config(args) => args.action.wait(),
            _ => None,
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

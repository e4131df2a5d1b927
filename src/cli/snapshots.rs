//! The commands that make, restore and list snapshots.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{LiveArgs, WaitArgs};
use crate::codex::parts::{Part, Parts};

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
    /// How hard to compress, 1 (fastest) to 12 (smallest) [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=12))]
    pub level: Option<u8>,
    /// How many threads compress [default: one a core]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Make a new snapshot even when nothing changed since the last, and read every file for it
    #[arg(long)]
    pub force: bool,
    /// Then carry to the remote what it does not have, as sync push does
    #[arg(long)]
    pub push: bool,
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
#[derive(Args, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // switches of a command line
pub struct RestoreArgs {
    /// Email, alias, profile, archive name or path, or an unambiguous beginning of one; - for the account before [default:
    /// chosen from a list]
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

//! The command that removes what is no longer needed.

use std::path::PathBuf;

use clap::Args;

use super::WaitArgs;
use crate::retention::Span;

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
    /// Snapshots on the remote instead [default: the setting sync.remote]
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    pub remote: Option<String>,
    /// How long other runs are waited for.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// Show what would go, remove nothing
    #[arg(long)]
    pub dry_run: bool,
}

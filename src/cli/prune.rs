//! The command that removes what is no longer needed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::WaitArgs;
use crate::codex::parts::Part;
use crate::retention::Span;

/// The parts of a Codex home that nobody makes anew, and that may go where they are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// `sessions/`, `archived_sessions/`, their index
    Sessions,
    /// `history.jsonl`
    History,
    /// `skills/`
    Skills,
    /// `prompts/`
    Prompts,
    /// `rules/`
    Rules,
    /// `memories/`
    Memories,
}

impl From<Work> for Part {
    fn from(work: Work) -> Self {
        match work {
            Work::Sessions => Self::Sessions,
            Work::History => Self::History,
            Work::Skills => Self::Skills,
            Work::Prompts => Self::Prompts,
            Work::Rules => Self::Rules,
            Work::Memories => Self::Memories,
        }
    }
}

/// What is said of snapshots alone, and so not with `--codex-state` and what goes with that: clap asks for what an argument
/// requires only where nothing is there that conflicts with that.
const OF_SNAPSHOTS: [&str; 10] = [
    "keep_last",
    "keep_latest_per_email",
    "keep_within",
    "keep_daily",
    "keep_weekly",
    "keep_monthly",
    "email",
    "backup_dir",
    "allow_empty",
    "remote",
];

/// Arguments of `prune`.
#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools)] // switches of a command line
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
    /// Clean the Codex home instead: caches, logs, temporary files and what else Codex makes anew
    #[arg(long, conflicts_with_all = OF_SNAPSHOTS)]
    pub codex_state: bool,
    /// With --codex-state: also remove this part (repeatable, or with commas between), after asking
    #[arg(
        long,
        value_name = "PART",
        value_delimiter = ',',
        requires = "codex_state",
        conflicts_with_all = OF_SNAPSHOTS
    )]
    pub include: Vec<Work>,
    /// With --codex-state: the Codex home to clean
    #[arg(long, value_name = "DIR", requires = "codex_state", conflicts_with_all = OF_SNAPSHOTS)]
    pub source_dir: Option<PathBuf>,
    /// With --include: do not ask
    #[arg(long, requires = "include", conflicts_with_all = OF_SNAPSHOTS)]
    pub yes: bool,
    /// How long other runs are waited for.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// Show what would go, remove nothing
    #[arg(long)]
    pub dry_run: bool,
}

//! The command that checks everything else.

use clap::Args;

use super::WaitArgs;

/// Arguments of `doctor`.
#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools)] // switches of a command line
pub struct DoctorArgs {
    /// Repair what is safe to repair, then check again
    #[arg(long)]
    pub fix: bool,
    /// With --fix: show what would be repaired, change nothing
    #[arg(long, requires = "fix")]
    pub dry_run: bool,
    /// Also ask Codex about the account that is signed in, and reach the remote
    #[arg(long)]
    pub live: bool,
    /// Also read and check every byte of every snapshot
    #[arg(long)]
    pub verify: bool,
    /// How long other runs are waited for.
    #[command(flatten)]
    pub wait: WaitArgs,
}

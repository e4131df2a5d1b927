//! `sync`: carrying snapshots between machines.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::shared::PATIENT;
use super::{WaitArgs, help};

/// Arguments of `sync`.
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub struct SyncArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: SyncAction,
}

/// What to do with a remote.
#[derive(Debug, Subcommand)]
pub enum SyncAction {
    /// Make the key, and remember the remote
    ///
    /// Makes an age key in the manager home, tries the remote, and notes it in the settings. Never overwrites a key.
    #[command(after_long_help = help::remotes::INIT)]
    Init(SyncInit),
    /// Carry to the remote what it does not have
    ///
    /// Sends what is missing there, encrypted, an archive before its sidecar, so that what is seen there is whole. Never
    /// replaces what is newer there.
    #[command(after_long_help = help::remotes::PUSH)]
    Push(SyncPush),
    /// Fetch from the remote what is not here
    ///
    /// Fetches what is missing here and checks it before it counts. Never replaces what is newer here, and with a key takes
    /// nothing that is not encrypted, unless --no-encrypt is said.
    #[command(after_long_help = help::remotes::PULL)]
    Pull(SyncPull),
    /// Show what is here, there and in both
    ///
    /// Compares the two and moves nothing.
    #[command(after_long_help = help::remotes::STATUS)]
    Status(SyncStatus),
}

/// Which remote, and how it is talked to.
#[derive(Args, Clone, Debug, Default)]
pub struct RemoteArgs {
    /// s3://, gs://, az://, http(s):// or file:///folder [default: the setting sync.remote]
    #[arg(long, value_name = "URL")]
    pub remote: Option<String>,
    /// How many transfers go on at once [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub concurrency: Option<u8>,
}

/// Arguments of `sync init`.
#[derive(Args, Debug)]
pub struct SyncInit {
    /// s3://, gs://, az://, http(s):// or file:///folder [default: the setting sync.remote]
    #[arg(long, value_name = "URL")]
    pub remote: Option<String>,
    /// Keep the key under a passphrase, and a copy of it on the remote
    #[arg(long)]
    pub passphrase: bool,
    /// Where an S3 store is that is not Amazon's
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// The region of an S3 store
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Show what would be done, write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long other runs are waited for.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// Arguments of `sync push`.
#[derive(Args, Debug)]
#[command(mut_arg("wait", |wait| wait.help(PATIENT)))]
#[allow(clippy::struct_excessive_bools)] // switches of a command line
pub struct SyncPush {
    /// Which remote.
    #[command(flatten)]
    pub remote: RemoteArgs,
    /// Where snapshots are kept
    #[arg(long, value_name = "DIR")]
    pub backup_dir: Option<PathBuf>,
    /// Also remove from the remote what is not here
    #[arg(long)]
    pub delete: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Send it as it is: whoever reads the remote can sign in as you
    #[arg(long)]
    pub no_encrypt: bool,
    /// Show what would be sent, send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long other runs are waited for.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// Arguments of `sync pull`.
#[derive(Args, Debug)]
#[command(mut_arg("wait", |wait| wait.help(PATIENT)))]
#[allow(clippy::struct_excessive_bools)] // switches of a command line
pub struct SyncPull {
    /// Which remote.
    #[command(flatten)]
    pub remote: RemoteArgs,
    /// Where snapshots are kept
    #[arg(long, value_name = "DIR")]
    pub backup_dir: Option<PathBuf>,
    /// Also remove here what is not on the remote
    #[arg(long)]
    pub delete: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Take also what is not encrypted: whoever can write to the remote may have put it there
    #[arg(long)]
    pub no_encrypt: bool,
    /// Show what would be fetched, write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long other runs are waited for.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// Arguments of `sync status`.
#[derive(Args, Debug)]
pub struct SyncStatus {
    /// Which remote.
    #[command(flatten)]
    pub remote: RemoteArgs,
    /// Where snapshots are kept
    #[arg(long, value_name = "DIR")]
    pub backup_dir: Option<PathBuf>,
}

impl SyncAction {
    /// How long it waits for other runs; None for what takes no lock.
    pub fn wait(&self) -> Option<&WaitArgs> {
        match self {
            Self::Init(args) => Some(&args.wait),
            Self::Push(args) => Some(&args.wait),
            Self::Pull(args) => Some(&args.wait),
            Self::Status(_) => None,
        }
    }
}

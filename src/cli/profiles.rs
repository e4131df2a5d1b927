//! The command about what is kept of each account.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{EXIT_CODES, WaitArgs};

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
    /// Write all that is known into one file, for another machine
    #[command(after_long_help = EXIT_CODES)]
    Export(ProfileExport),
    /// Take in what another machine exported, nothing newer is replaced
    #[command(after_long_help = EXIT_CODES)]
    Import(ProfileImport),
}

impl ProfileAction {
    pub(super) fn wait(&self) -> Option<&WaitArgs> {
        match self {
            Self::List | Self::Show { .. } => None,
            Self::Login(args) => Some(&args.wait),
            Self::Export(args) => Some(&args.wait),
            Self::Import(args) => Some(&args.wait),
            Self::Set { wait, .. } | Self::Rename { wait, .. } | Self::Remove { wait, .. } => {
                Some(wait)
            }
        }
    }
}

/// Arguments of `profile export`.
#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools)] // switches of a command line
pub struct ProfileExport {
    /// The file to write
    pub file: PathBuf,
    /// Take the snapshots along
    #[arg(long)]
    pub with_backups: bool,
    /// Encrypt by a passphrase that is asked for, not to the keys of `sync init`
    #[arg(long)]
    pub passphrase: bool,
    /// Write it as it is: without the logins
    #[arg(long, conflicts_with_all = ["passphrase", "with_backups"])]
    pub no_encrypt: bool,
    /// Replace the file if it exists
    #[arg(long)]
    pub force: bool,
    /// Show what would be in it, write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Where snapshots are kept
    #[arg(long, value_name = "DIR")]
    pub backup_dir: Option<PathBuf>,
    /// How long other runs are waited for.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// Arguments of `profile import`.
#[derive(Args, Debug)]
pub struct ProfileImport {
    /// The exported file; one of the Python codex-manager too
    pub file: PathBuf,
    /// Where snapshots are kept
    #[arg(long, value_name = "DIR")]
    pub backup_dir: Option<PathBuf>,
    /// Show what would be taken in, write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long other runs are waited for.
    #[command(flatten)]
    pub wait: WaitArgs,
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

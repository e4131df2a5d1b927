//! The command about what is kept of each account.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{WaitArgs, help};

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
    ///
    /// The service is not asked: valid, renewable and expired are read from the login. Shows no token, writes nothing.
    #[command(after_long_help = help::profiles::LIST)]
    List,
    /// One profile in full
    ///
    /// With the snapshot that a restore of the account would take, and where its files are. Shows no token, writes nothing.
    #[command(after_long_help = help::profiles::SHOW)]
    Show {
        /// Its name, alias or email
        name: String,
    },
    /// Change what a profile says, all or nothing
    ///
    /// Changes the value of each key and leaves every other byte of the file as it is. Never changes whose profile it is: that
    /// the login decides.
    #[command(after_long_help = help::profiles::SET)]
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
    ///
    /// Runs codex login on this terminal in a Codex home of its own, and keeps what comes of it in the profile. Who is signed in
    /// to the Codex home stays so.
    #[command(after_long_help = help::profiles::LOGIN)]
    Login(ProfileLogin),
    /// Give a profile another name
    ///
    /// Changes the profile's name and nothing in it. Never takes a name that another profile has.
    #[command(after_long_help = help::profiles::RENAME)]
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
    ///
    /// Tells where else a login of the account is, asks, and removes the profile. Never removes a snapshot, nor what is
    /// in the Codex home.
    #[command(after_long_help = help::profiles::REMOVE)]
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
    ///
    /// Settings, accounts, profiles and logins, and with --with-backups the snapshots, encrypted to the keys of sync init or
    /// by a passphrase. Logins are never written unencrypted.
    #[command(after_long_help = help::profiles::EXPORT)]
    Export(ProfileExport),
    /// Take in what another machine exported, nothing newer is replaced
    ///
    /// Adds what is not here. Never replaces what is newer or set here, and writes nothing where the file is not sound.
    #[command(after_long_help = help::profiles::IMPORT)]
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

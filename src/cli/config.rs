//! The command about settings.

use clap::{Args, Subcommand};

use super::{EXIT_CODES, WaitArgs};

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
    pub(super) fn wait(&self) -> Option<&WaitArgs> {
        match self {
            Self::Set { wait, .. } | Self::Unset { wait, .. } => Some(wait),
            Self::List | Self::Get { .. } | Self::Path => None,
        }
    }
}

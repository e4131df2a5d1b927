//! The command about settings.

use clap::{Args, Subcommand};

use super::{WaitArgs, help};

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
    ///
    /// Flag, environment, file or default: the one that counts is shown. Writes nothing.
    #[command(after_long_help = help::program::LIST)]
    List,
    /// One setting's value
    ///
    /// What is in force, wherever it comes from. Writes nothing.
    #[command(after_long_help = help::program::GET)]
    Get {
        /// Its name
        key: String,
    },
    /// Change one setting
    ///
    /// Writes it into config.toml and keeps every other line. A value that the key does not take is refused before.
    #[command(after_long_help = help::program::SET)]
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
    ///
    /// Takes its line out of config.toml and keeps every other one.
    #[command(after_long_help = help::program::UNSET)]
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
    ///
    /// Shows the path, also where the file is unusable. Never reads or makes it.
    #[command(after_long_help = help::program::PATH)]
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

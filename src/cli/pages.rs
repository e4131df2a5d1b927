//! The commands about this program itself: completions for shells, manual pages.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Arguments of `completions`.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell [default: the one that $SHELL names]
    #[arg(value_name = "SHELL")]
    pub shell: Option<Shell>,
    /// What the script asks with: the line as its shell tells it
    #[arg(last = true, hide = true)]
    pub line: Vec<OsString>,
}

/// A shell that completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shell {
    /// Bash 3.2 or newer
    Bash,
    /// Zsh
    Zsh,
    /// fish 3 or newer
    Fish,
    /// PowerShell 5.1 or newer
    #[value(alias = "pwsh")]
    Powershell,
    /// Elvish
    Elvish,
}

/// Arguments of `man`.
#[derive(Args, Debug)]
pub struct ManArgs {
    /// The command whose page it is, `profile set`; without it that of the program
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    pub command: Vec<String>,
    /// Write every page into this directory instead
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// With --dir: show what would be written, write nothing
    #[arg(long, requires = "dir")]
    pub dry_run: bool,
}

//! The whole command line: one struct a command, no I/O, so that help comes from these files alone.

mod accounts;
mod config;
mod doctor;
mod help;
mod pages;
mod profiles;
mod prune;
mod shared;
mod snapshots;
mod sync;

pub use accounts::{CooldownArgs, NormalizeArgs, Policy, RecommendArgs, StatusArgs, UseArgs};
pub use config::{ConfigAction, ConfigArgs};
pub use doctor::DoctorArgs;
pub use pages::{CompletionsArgs, ManArgs, Shell};
pub use profiles::{ProfileAction, ProfileArgs, ProfileExport, ProfileImport, ProfileLogin};
pub use prune::PruneArgs;
pub use shared::{LegacyArgs, LiveArgs, Source, WaitArgs};
pub use snapshots::{BackupArgs, ListBackupsArgs, RestoreArgs, SortBy};
pub use sync::{SyncAction, SyncArgs, SyncInit, SyncPull, SyncPush, SyncStatus};

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::timeutil::Stamp;

/// Looks after your OpenAI Codex accounts: snapshots, safe restores, exact weekly quota windows
///
/// Without a command it shows who is signed in, and what there is to do next. Codex itself tells what is left of an
/// account; nothing is guessed. But for sync, no network connection is opened, and no token is ever shown.
#[derive(Debug, Parser)]
#[command(name = "codex-manager", version, after_long_help = help::program::PROGRAM)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do; nothing for what there is to do next.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// Reads the arguments. What clap says of them has colour as they say, for it judges by the terminal alone.
    pub fn read(args: &[OsString]) -> Result<Self, clap::Error> {
        let command = Self::command().color(color_said(args));
        Self::from_arg_matches(&command.try_get_matches_from(args)?)
    }
}

fn color_said(args: &[OsString]) -> ColorChoice {
    let mut words = args.iter().map(|arg| arg.to_str().unwrap_or_default());
    let mut said = "";
    while let Some(word) = words.next().filter(|word| *word != "--") {
        if word == "--color" {
            said = words.next().unwrap_or_default();
        } else if let Some(when) = word.strip_prefix("--color=") {
            said = when;
        }
    }
    match said {
        "always" => ColorChoice::Always,
        "never" => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

/// What a command that has subcommands can be told, where it was told none of them.
pub fn subcommands_of(args: &[OsString]) -> Option<(String, Vec<String>)> {
    let command = Cli::command();
    let mut all = command.get_subcommands();
    let of = all.find(|of| of.has_subcommands() && args.iter().any(|arg| *arg == of.get_name()))?;
    let names = of
        .get_subcommands()
        .map(|below| below.get_name().to_owned());
    Some((of.get_name().to_owned(), names.collect()))
}

/// Options of every command.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// Where inventory, registry, snapshots and settings live
    #[arg(long, global = true, value_name = "DIR")]
    pub manager_home: Option<PathBuf>,
    /// The Codex home [default: $CODEX_HOME, else ~/.codex]
    #[arg(long, global = true, value_name = "DIR")]
    pub codex_home: Option<PathBuf>,
    /// IANA zone of wall clocks and file names [default: the system's]
    #[arg(long, global = true, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// One JSON document on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Say only what matters
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// When to colour
    #[arg(long, global = true, value_name = "WHEN")]
    pub color: Option<When>,
    /// Answer as of this instant (RFC 3339)
    #[arg(long, global = true, value_name = "TIME")]
    pub now: Option<Stamp>,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal without `NO_COLOR`.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Turn hand-named login copies (21apr_EMAIL_auth.json) into an inventory
    ///
    /// Reads the names and times of such files in one directory and works out each account's window; with
    /// --write-metadata each becomes a snapshot that can be restored. The files themselves are never changed, and running it
    /// again changes nothing.
    #[command(after_long_help = help::accounts::NORMALIZE)]
    Normalize(NormalizeArgs),
    /// Snapshot the Codex home of the active account
    ///
    /// Asks Codex what is left of the account that is signed in, and captures the Codex home in an archive that is named
    /// by the account's window and read back before it counts. Never changes the Codex home, never overwrites an earlier
    /// snapshot, and captures nothing where Codex tells of another account.
    #[command(after_long_help = help::snapshots::BACKUP)]
    Backup(BackupArgs),
    /// Put a snapshot back into the Codex home
    ///
    /// Checks every byte of the archive first, shows what would be replaced, asks, keeps that in a safety copy, and
    /// exchanges it in one transaction. Without a name the account's freshest login is installed, not the archive's. Never
    /// touches what snapshots do not hold, nor a home on which a Codex is open.
    #[command(after_long_help = help::snapshots::RESTORE)]
    Restore(RestoreArgs),
    /// Sign another account in to the Codex home, with its freshest login
    ///
    /// Keeps the login that is there in its owner's profile, then installs the freshest one known of the other account.
    /// Changes auth.json and nothing else; settings and sessions stay. Refuses while a Codex is open on that home.
    #[command(after_long_help = help::accounts::USE)]
    Use(UseArgs),
    /// List snapshots
    ///
    /// Shows each snapshot with its account, its window and whether that account is usable now. Never writes; with --verify
    /// every archive is read and checked.
    #[command(after_long_help = help::snapshots::LIST_BACKUPS)]
    ListBackups(ListBackupsArgs),
    /// Show when each account is available
    ///
    /// Shows every account that is known, the usable ones first, from what was last seen of it. Asks nobody unless --live
    /// is said, and never signs anybody in.
    #[command(after_long_help = help::accounts::COOLDOWN)]
    Cooldown(CooldownArgs),
    /// Say which account to use next
    ///
    /// Names one account and the reason: usable now, and by the policy the least recently used or the one that resets
    /// soonest. Signs it in only with --use, restores only with --restore, and neither where none is usable.
    #[command(after_long_help = help::accounts::RECOMMEND)]
    Recommend(RecommendArgs),
    /// Ask Codex what is left of the active account
    ///
    /// Shows the weekly window, what is left of it and when it resets, and keeps the login in its profile. Never makes up
    /// a time: without an answer there is no status, and exit code 14.
    #[command(after_long_help = help::accounts::STATUS)]
    Status(StatusArgs),
    /// Show and change what is kept of each account
    ///
    /// A profile is what is known of one account: a short name, a note, whether it is paused, and its freshest login.
    /// Every command that sees a newer login keeps it there; never is a newer one replaced by an older one, and no token is
    /// ever shown.
    #[command(after_long_help = help::profiles::PROFILE)]
    Profile(ProfileArgs),
    /// Carry snapshots between machines, encrypted
    ///
    /// Snapshots and what is known of accounts go to a bucket, a WebDAV server or a folder, encrypted before they leave, and
    /// come back on the next machine. Never replaces what is newer, and removes nothing unless --delete is said.
    #[command(after_long_help = help::remotes::SYNC)]
    Sync(SyncArgs),
    /// Remove snapshots that no rule keeps
    ///
    /// The rules say what stays, every other snapshot goes, and each with its reason. Never removes an account's newest
    /// sound snapshot unless --allow-empty is said. With --codex-state it cleans the Codex home instead, of nothing but what
    /// Codex makes anew.
    #[command(after_long_help = help::snapshots::PRUNE)]
    Prune(PruneArgs),
    /// Check everything this program relies on, and say what to do
    ///
    /// One line a check, and a hint under whatever is not in order. Asks nobody unless --live is said, and changes nothing
    /// unless --fix is: then what is safe to repair is repaired, and nothing is ever deleted that somebody may want.
    #[command(after_long_help = help::program::DOCTOR)]
    Doctor(DoctorArgs),
    /// Show and change settings
    ///
    /// The settings stand in config.toml in the manager home. An edit changes one value and keeps every other line and
    /// comment; a key that does not exist is never written.
    #[command(after_long_help = help::program::CONFIG)]
    Config(ConfigArgs),
    /// Print the script by which a shell completes
    ///
    /// Commands, options, accounts, archives and settings are completed as they are at that moment. While it is asked it
    /// never writes, locks or warns.
    #[command(after_long_help = help::program::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Print manual pages
    ///
    /// One page a command, made from its help. Never writes anything unless --dir is said.
    #[command(after_long_help = help::program::MAN)]
    Man(ManArgs),
}

impl Command {
    /// How long it waits for other runs; None for a command that cannot be told.
    pub fn wait(&self) -> Option<&WaitArgs> {
        match self {
            Self::Normalize(args) => Some(&args.wait),
            Self::Backup(args) => Some(&args.wait),
            Self::Restore(args) => Some(&args.wait),
            Self::Use(args) => Some(&args.wait),
            Self::Status(args) => Some(&args.wait),
            Self::Profile(args) => args.action.wait(),
            Self::Sync(args) => args.action.wait(),
            Self::Prune(args) => Some(&args.wait),
            Self::Doctor(args) => Some(&args.wait),
            Self::Config(args) => args.action.wait(),
            _ => None,
        }
    }

    /// The directories that were said of it, each with its flag.
    pub fn dirs(&self) -> Vec<(&'static str, &Path)> {
        let (dest, backups) = match self {
            Self::Restore(args) => (&args.dest_dir, &args.backup_dir),
            Self::Backup(args) => (&None, &args.backup_dir),
            Self::ListBackups(args) => (&None, &args.backup_dir),
            Self::Use(args) => (&None, &args.backup_dir),
            Self::Recommend(args) => (&None, &args.backup_dir),
            Self::Prune(args) => (&None, &args.backup_dir),
            _ => (&None, &None),
        };
        let said = [("--dest-dir", dest), ("--backup-dir", backups)];
        let said = said.into_iter();
        said.filter_map(|(flag, dir)| Some((flag, dir.as_deref()?)))
            .collect()
    }

    /// Whether it shows or reads wall clocks where a word on their zone is in place: not in a prompt's line, and `doctor`
    /// has its own.
    pub fn is_of_times(&self) -> bool {
        match self {
            Self::Status(args) => !args.short && args.format.is_none(),
            Self::Doctor(_) | Self::Config(_) | Self::Completions(_) | Self::Man(_) => false,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// What the long help of a command and of those within shows as command lines.
    fn examples(command: &clap::Command, found: &mut Vec<String>) {
        let help = command.get_after_long_help();
        let help = help.map(ToString::to_string).unwrap_or_default();
        let lines = help.lines().filter_map(|line| line.strip_prefix("  "));
        let own = lines.filter(|line| line.starts_with("codex-manager"));
        found.extend(own.map(str::to_owned));
        for below in command.get_subcommands() {
            examples(below, found);
        }
    }

    #[test]
    fn every_example_is_understood() {
        let mut found = Vec::new();
        examples(&Cli::command(), &mut found);
        assert!(found.len() > 80, "{} examples", found.len());
        for example in found {
            let typed = example.split(['|', '&']).next().unwrap_or_default();
            let words = shell_words::split(typed).expect("words");
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{example}: {error}");
            }
        }
    }
}

//! The pages of the commands about accounts.

use super::page;

/// `normalize`
pub const NORMALIZE: &str = page! {
    "codex-manager normalize --source-dir ~/logins" =>
        "Read the copies that lie there into the inventory",
    "codex-manager normalize --write-metadata" =>
        "The same, and make a snapshot of each that can be restored",
    "codex-manager normalize --session-duration-hours 1.5 --dry-run" =>
        "Show what shorter sessions would make of the windows, write nothing",
    ;
    "0   the inventory says what the files say, skipped ones aside",
    "1   a directory or file cannot be read or written",
    "2   the command line cannot be understood",
    "3   a file was skipped under --strict, or a snapshot could not be written",
    "11  another codex-manager holds the lock",
    "130 interrupted",
    ;
};

/// `use`
pub const USE: &str = page! {
    "codex-manager use" =>
        "Choose from a list, on a terminal",
    "codex-manager use bob@example.com" =>
        "Sign bob in; quit Codex before, and start it again after",
    "codex-manager use -" =>
        "Back to whoever was signed in before",
    "codex-manager use work --restart-hint" =>
        "By alias, and tell which open Codex must be started anew",
    "codex-manager use bob@example.com --dry-run" =>
        "Say which login would be installed, and from where",
    ;
    "0   the account is signed in",
    "1   the login cannot be read, kept or written",
    "2   the command line cannot be understood, or the name is of several",
    "10  no account of that name, or no login of it is known",
    "11  another codex-manager holds the lock, or a Codex is open on that home",
    "13  every login that is known of it is damaged",
    "130 interrupted, or nothing was chosen from the list",
    ;
    "CODEX_ACCESS_TOKEN, CODEX_API_KEY" =>
        "warned of where set: Codex signs in by them sooner than by its login",
};

/// `cooldown`
pub const COOLDOWN: &str = page! {
    "codex-manager cooldown" =>
        "Every account, those that can be used now first",
    "codex-manager cooldown --timeline" =>
        "Each account's week as a bar on one axis of time",
    "codex-manager cooldown --html weeks.html" =>
        "The same as a page for a browser",
    "codex-manager cooldown --live --all" =>
        "Ask Codex about each account whose login is kept, then show them",
    "codex-manager cooldown --watch" =>
        "Drawn over and over in place, until q",
    "codex-manager cooldown --wait && codex" =>
        "Begin to work as soon as an account is usable",
    ;
    "0   the accounts are shown",
    "1   a directory or file cannot be read, or the page not be written",
    "2   the command line cannot be understood",
    "3   with --all: some account could not be asked about; each is named",
    "10  no account is known",
    "11  with --live or --refresh: another codex-manager holds the lock",
    "12  with --live: Codex told of another account than is signed in",
    "14  with --live: Codex did not tell what is left",
    "130 interrupted",
    ;
    "PATH" =>
        "with --live: where Codex is found",
    "LC_ALL, LC_CTYPE, LANG" =>
        "with UTF-8 in it: --timeline draws with blocks",
    "TERM" =>
        "dumb: no colour",
};

/// `recommend`
pub const RECOMMEND: &str = page! {
    "codex-manager recommend" =>
        "The account to use next, and why",
    "codex-manager recommend --use" =>
        "The same, and sign it in",
    "codex-manager recommend --restore --dry-run" =>
        "What a restore of its newest snapshot would change",
    "codex-manager recommend --policy drain" =>
        "Use up first what resets soonest",
    "codex-manager recommend --wait --use" =>
        "The first to be usable, as soon as it is",
    "codex-manager recommend --live --all --json" =>
        "Ask Codex about every account before, and answer a script",
    ;
    "0   the account is usable now",
    "1   a directory or file cannot be read or written",
    "2   the command line cannot be understood",
    "3   an account could not be asked, or not all was put back; each is named",
    "4   no account is usable now: the one that is first is named",
    "10  no account is known, all are paused, or there is nothing to sign in with",
    "11  another codex-manager holds the lock, or a Codex is open on the home",
    "12  with --live: Codex told of another account than is signed in",
    "13  with --restore: the archive is damaged or unsafe",
    "14  with --live: Codex did not tell what is left",
    "130 interrupted",
    ;
    "PATH" =>
        "with --live: where Codex is found",
};

/// `status`
pub const STATUS: &str = page! {
    "codex-manager status" =>
        "What is left of the account that is signed in, from Codex itself",
    "codex-manager status --status-source panel" =>
        "Read it from Codex's /status panel",
    "codex-manager status --input-file panel.txt" =>
        "Read the text of such a panel; - for standard input",
    "codex-manager status --short" =>
        "One line for a prompt, from what is known already",
    "codex-manager status --format '{name} {left}'" =>
        "The same by a pattern",
    ;
    "0   the status is shown",
    "1   the login or a file cannot be read",
    "2   the command line cannot be understood",
    "11  the Codex home is locked",
    "12  Codex told of another account than is signed in",
    "14  there is no status: nobody is signed in, no Codex, no network, no limits",
    "130 interrupted",
    ;
    "PATH" =>
        "where Codex is found",
    "CODEX_ACCESS_TOKEN, CODEX_API_KEY, OPENAI_API_KEY" =>
        "kept from the Codex that is asked: they would beat the login",
};

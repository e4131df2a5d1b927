//! The pages of the commands that make, restore, list and remove snapshots.

use super::page;

/// `backup`
pub const BACKUP: &str = page! {
    "codex-manager backup" =>
        "Ask Codex what is left, then make a snapshot named by that window",
    "codex-manager backup --offline --quiet" =>
        "Ask nobody: take the last known window; from cron",
    "codex-manager backup --push" =>
        "The same as without, then carry it to the remote",
    "codex-manager backup --exclude '*.log' --dry-run" =>
        "Show what would be captured without the logs",
    "codex-manager backup --status-file panel.txt" =>
        "The window from a saved text of Codex's /status",
    ;
    "0   the snapshot is there, or nothing changed since the last one",
    "1   nobody is signed in, or a file cannot be read or written",
    "2   the command line cannot be understood",
    "3   the snapshot is there, but something was not captured or carried",
    "11  another codex-manager holds the lock",
    "12  Codex told of another account than is signed in; nothing is captured",
    "14  Codex did not tell what is left; nothing is captured",
    "15  with --push: there is no key to encrypt with",
    "16  with --push: the remote cannot be reached, or refuses",
    "130 interrupted; what was there before is as it was",
    ;
    "PATH" =>
        "where Codex is found",
    "CODEX_SQLITE_HOME" =>
        "where Codex keeps databases, if not in its home",
};

/// `restore`
pub const RESTORE: &str = page! {
    "codex-manager restore" =>
        "Choose from a list, on a terminal",
    "codex-manager restore alice@example.com" =>
        "Her newest snapshot, after showing what it replaces and asking",
    "codex-manager restore alice@example.com --dry-run" =>
        "What would become of each file",
    "codex-manager restore alice@example.com --only sessions,history" =>
        "These parts alone; the rest of the home stays",
    "codex-manager restore alice@example.com --session-start 2026-04-14" =>
        "The snapshot of the window that opened that day",
    "codex-manager restore --undo" =>
        "Put back what the last restore replaced",
    ;
    "0   the home is as the snapshot says",
    "1   a file cannot be read or written, or the answer was no; nothing changed",
    "2   the command line is not understood, is ambiguous, or nobody can be asked",
    "3   restored, but for what is told: databases outside of the home",
    "10  no such snapshot or account",
    "11  another codex-manager holds the lock, or a Codex is open on that home",
    "13  the archive or its sidecar is damaged or unsafe; nothing changed",
    "130 interrupted, or nothing was chosen; the home is wholly old or wholly new",
    ;
    "CODEX_SQLITE_HOME" =>
        "where Codex keeps databases, if not in its home",
    "CODEX_ACCESS_TOKEN, CODEX_API_KEY" =>
        "warned of where set: Codex signs in by them sooner than by its login",
};

/// `list-backups`
pub const LIST_BACKUPS: &str = page! {
    "codex-manager list-backups" =>
        "All snapshots, the newest first",
    "codex-manager list-backups --latest-per-email --ready" =>
        "The newest of each account that is usable now",
    "codex-manager list-backups --email alice@example.com --verify" =>
        "Read and check every archive of hers",
    "codex-manager list-backups --all --sort size --limit 10" =>
        "The ten largest, superseded ones and safety copies too",
    ;
    "0   the snapshots are shown, be there any or none",
    "1   the directory cannot be read",
    "2   the command line cannot be understood",
    "3   with --verify: an archive or sidecar is unsound; each is named",
    "10  no account of that name",
    "130 interrupted",
    ;
};

/// `prune`
pub const PRUNE: &str = page! {
    "codex-manager prune --keep-last 3 --keep-weekly 8 --dry-run" =>
        "What would go and what stays, each with its reason",
    "codex-manager prune --keep-within 30d --email alice@example.com" =>
        "Of hers, keep those of the 30 days before her newest",
    "codex-manager prune --remote --keep-last 5" =>
        "The same on the remote",
    "codex-manager prune --codex-state" =>
        "Clean the Codex home of what Codex makes anew",
    "codex-manager prune --codex-state --include sessions" =>
        "Sessions too, after asking",
    ;
    "0   what no rule keeps is gone",
    "1   a directory or file cannot be read, or the answer was no",
    "2   no rule is said, or the command line cannot be understood",
    "3   something could not be removed; each is named",
    "10  no account of that name",
    "11  another codex-manager holds the lock, or a Codex is open on that home",
    "15  with --remote: no key at hand opens what is there",
    "16  with --remote: the remote cannot be reached, or refuses",
    "130 interrupted",
    ;
    "AWS_*, GOOGLE_*, AZURE_*, NETRC" =>
        "with --remote: as for codex-manager sync push",
};

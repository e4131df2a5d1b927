//! The pages of `profile`.

use super::page;

/// `profile`
pub const PROFILE: &str = page! {
    "codex-manager profile list" =>
        "Every account that is kept, and whether its login still signs in",
    "codex-manager profile set alice alias=al note='the discount'" =>
        "A short name to type, and something to remember",
    "codex-manager profile login bob" =>
        "Sign one more account in, beside whoever is signed in",
    ;
    "0   done",
    "1   a directory or file cannot be read or written",
    "2   the command line cannot be understood, or a name is of several",
    "3   export: written, but something is not in it",
    "10  no profile of that name",
    "11  another codex-manager holds the lock",
    "12  login: another account signed in than the profile's",
    "13  import: the file is damaged or unsafe",
    "15  export and import: there is no key for it",
    "130 interrupted",
    ;
};

/// `profile list`
pub const LIST: &str = page! {
    "codex-manager profile list" =>
        "* marks the account that is signed in",
    "codex-manager profile list --json" =>
        "For a script; no token is in it",
    ;
    "0   the profiles are shown, be there any or none",
    "1   the directory cannot be read",
    "2   the command line cannot be understood",
    "130 interrupted",
    ;
};

/// `profile show`
pub const SHOW: &str = page! {
    "codex-manager profile show alice" =>
        "By name",
    "codex-manager profile show alice@example.com --json" =>
        "By email, for a script",
    ;
    "0   the profile is shown",
    "1   a directory or file cannot be read",
    "2   the command line cannot be understood, or the name is of several",
    "10  no profile of that name",
    "130 interrupted",
    ;
};

/// `profile set`
pub const SET: &str = page! {
    "codex-manager profile set alice alias=al note='the discount'" =>
        "A short name, and something to remember",
    "codex-manager profile set bob paused=true" =>
        "Keep him from being recommended",
    "codex-manager profile set alice alias= --dry-run" =>
        "Show what taking the short name back would write",
    ;
    "0   the profile says it, or did before",
    "1   the file cannot be read or written",
    "2   an unknown key, an unusable value, or the name is of several",
    "10  no profile of that name",
    "11  another codex-manager holds the lock",
    "130 interrupted",
    ;
};

/// `profile login`
pub const LOGIN: &str = page! {
    "codex-manager profile login bob" =>
        "A new account; its profile is called bob",
    "codex-manager profile login bob -- --device-auth" =>
        "On a machine without a browser",
    "codex-manager profile login alice@example.com" =>
        "Renew a login that no longer signs in",
    ;
    "0   the login is kept in the profile",
    "1   no Codex is found, it signed nobody in, or the login cannot be kept",
    "2   the command line cannot be understood, or the name is of several",
    "11  another codex-manager holds the lock",
    "12  another account signed in than the profile's; its login is kept apart",
    "130 interrupted; a login that was done is kept",
    ;
    "PATH" =>
        "where Codex is found",
};

/// `profile rename`
pub const RENAME: &str = page! {
    "codex-manager profile rename alice-2 work" =>
        "A name that says more",
    "codex-manager profile rename alice@example.com alice --dry-run" =>
        "Show what would be renamed",
    ;
    "0   the profile is called so",
    "1   it cannot be renamed on the disk",
    "2   the name is of several, is taken, or cannot be one",
    "10  no profile of that name",
    "11  another codex-manager holds the lock",
    "130 interrupted",
    ;
};

/// `profile remove`
pub const REMOVE: &str = page! {
    "codex-manager profile remove bob --dry-run" =>
        "Show what would go, and where his login still is",
    "codex-manager profile remove bob" =>
        "Remove the profile and its login, after asking",
    ;
    "0   the profile is gone",
    "1   it cannot be removed, or the answer was no",
    "2   the name is of several, or nobody is there to be asked",
    "10  no profile of that name",
    "11  another codex-manager holds the lock, or has the login in use",
    "130 interrupted",
    ;
};

/// `profile export`
pub const EXPORT: &str = page! {
    "codex-manager profile export codex-manager.age --with-backups --passphrase" =>
        "All of it into one file, which a passphrase opens",
    "codex-manager profile export codex-manager.age" =>
        "Without snapshots, to the key of sync init",
    "codex-manager profile export settings.tar --no-encrypt" =>
        "What is no secret: without the logins",
    ;
    "0   the file is written",
    "1   a file cannot be read or written",
    "2   the file is there already, or no passphrase can be asked for",
    "3   written, but something is not in it; each is named",
    "10  there is nothing to export",
    "11  another codex-manager holds the lock",
    "15  there is no key to encrypt with",
    "130 interrupted; no file is left",
    ;
    "CODEX_MANAGER_PASSPHRASE_FILE" =>
        "a file whose first line is the passphrase",
};

/// `profile import`
pub const IMPORT: &str = page! {
    "codex-manager profile import codex-manager.age --dry-run" =>
        "Show what would be taken in",
    "codex-manager profile import codex-manager.age" =>
        "Take in what is not here; nothing newer is replaced",
    ;
    "0   all of it is here",
    "1   a file cannot be read or written",
    "2   the command line cannot be understood, or no passphrase can be asked for",
    "11  another codex-manager holds the lock",
    "13  the file is damaged or unsafe; nothing is written",
    "15  no key at hand opens it",
    "130 interrupted",
    ;
    "CODEX_MANAGER_PASSPHRASE_FILE" =>
        "a file whose first line is the passphrase",
};

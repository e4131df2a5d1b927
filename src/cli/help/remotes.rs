//! The pages of `sync`.

use super::page;

/// `sync`
pub const SYNC: &str = page! {
    "codex-manager sync init --remote s3://my-bucket/codex" =>
        "Make the key, and remember where",
    "codex-manager sync push" =>
        "Carry there what it does not have",
    "codex-manager sync pull" =>
        "On the other machine, with the same key",
    ;
    "0   done",
    "1   a directory or file cannot be read or written",
    "2   no remote is set, or the command line cannot be understood",
    "3   something could not be carried or read; each is named",
    "11  another codex-manager holds the lock",
    "13  what is there is damaged",
    "15  no key at hand opens what is there",
    "16  the remote cannot be reached, or refuses",
    "130 interrupted",
    ;
    "CODEX_MANAGER_PASSPHRASE_FILE" =>
        "a file whose first line is the passphrase of the key",
    "AWS_*, GOOGLE_*, AZURE_*, NETRC" =>
        "what opens the store: codex-manager sync push --help",
};

/// `sync init`
pub const INIT: &str = page! {
    "codex-manager sync init --remote s3://my-bucket/codex" =>
        "Make the key, and remember where; says what to keep safe",
    "codex-manager sync init --remote file:///mnt/disk/codex --passphrase" =>
        "A key under a passphrase, with a copy of it there",
    "codex-manager sync init --remote s3://b/c --endpoint https://minio.example.com" =>
        "An S3 store that is not Amazon's",
    ;
    "0   the key and the remote are set",
    "1   a file cannot be read or written",
    "2   no remote is said, it cannot be one, or no passphrase can be asked for",
    "11  another codex-manager holds the lock",
    "15  the key that is there does not open what is on the remote",
    "16  the remote cannot be reached, or refuses",
    "130 interrupted",
    ;
    "CODEX_MANAGER_PASSPHRASE_FILE" =>
        "a file whose first line is the passphrase of the key",
    "AWS_*, GOOGLE_*, AZURE_*, NETRC" =>
        "what opens the store: codex-manager sync push --help",
};

/// `sync push`
pub const PUSH: &str = page! {
    "codex-manager sync push" =>
        "Carry to the remote what it does not have; asks for no passphrase",
    "codex-manager sync push --dry-run" =>
        "Show what would be sent",
    "codex-manager sync push --delete --yes" =>
        "Also remove there what is not here, without asking",
    ;
    "0   the remote has all of it",
    "1   a file cannot be read, or the answer was no",
    "2   no remote is set, or nobody is there to be asked",
    "3   something could not be carried; each is named",
    "11  another codex-manager holds the lock",
    "15  there is no key to encrypt with",
    "16  the remote cannot be reached, or refuses",
    "130 interrupted; what was carried stays",
    ;
    "AWS_*, STORAGE_EMULATOR_HOST, GOOGLE_*, CLOUDSDK_CONFIG, AZURE_*" =>
        "what opens a bucket, as the provider's own tools take it",
    "CODEX_MANAGER_WEBDAV_USER, CODEX_MANAGER_WEBDAV_PASSWORD, NETRC" =>
        "what opens a WebDAV server, else ~/.netrc",
    "HTTPS_PROXY, HTTP_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR" =>
        "the way there, and whom to trust",
};

/// `sync pull`
pub const PULL: &str = page! {
    "codex-manager sync pull" =>
        "Fetch what is not here, and what is known of accounts",
    "codex-manager sync pull --dry-run" =>
        "Show what would be fetched",
    "codex-manager sync pull --remote file:///mnt/disk/codex" =>
        "From there, this once",
    ;
    "0   all of it is here",
    "1   a file cannot be written, or the answer was no",
    "2   no remote is set, or nobody is there to be asked",
    "3   something could not be fetched or is in conflict; each is named",
    "11  another codex-manager holds the lock",
    "13  what is there is damaged",
    "15  no key at hand opens what is there",
    "16  the remote cannot be reached, or refuses",
    "130 interrupted; what was fetched stays",
    ;
    "CODEX_MANAGER_PASSPHRASE_FILE" =>
        "a file whose first line is the passphrase of the key",
    "AWS_*, GOOGLE_*, AZURE_*, NETRC" =>
        "what opens the store: codex-manager sync push --help",
};

/// `sync status`
pub const STATUS: &str = page! {
    "codex-manager sync status" =>
        "How many snapshots are here, there and in both",
    "codex-manager sync status --json" =>
        "For a script",
    ;
    "0   it is shown",
    "1   a directory or file cannot be read",
    "2   no remote is set",
    "3   something there cannot be read; each is named",
    "15  no key at hand opens what is there",
    "16  the remote cannot be reached, or refuses",
    "130 interrupted",
    ;
    "AWS_*, GOOGLE_*, AZURE_*, NETRC" =>
        "what opens the store: codex-manager sync push --help",
};

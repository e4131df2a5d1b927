//! The pages of the program itself, its settings, its completions and its manual.

use super::page;

/// The program. All exit codes there are, and all variables.
pub const PROGRAM: &str = "\
Examples:
  codex-manager
      Who is signed in, and what there is to do next
  codex-manager backup
      When a session ends: a snapshot, named by the window that Codex tells
  codex-manager cooldown
      When each account is available
  codex-manager recommend --use
      Sign the one in that is best to use now
  codex-manager restore --undo
      Put back what the last restore replaced

Exit codes:
  0   done
  1   other failure
  2   the command line is not understood, is ambiguous, or nobody can be asked
  3   done in part; each failed item is named
  4   no account is usable now
  10  no such backup or account
  11  another codex-manager holds the lock, or a Codex is open on that home
  12  account mismatch
  13  an archive or its sidecar is damaged or unsafe
  14  no live status
  15  cannot decrypt
  16  the remote cannot be reached, or refuses
  130 interrupted

Environment:
  CODEX_MANAGER_HOME, CODEXMGR_HOME
      the manager home (the latter is the older name); default ~/.codex-manager
  CODEX_HOME
      the Codex home; default ~/.codex
  CODEX_MANAGER_NOW
      answer as of this instant (RFC 3339)
  CODEX_MANAGER_PROGRESS_SECONDS
      how often it is told how far long work is; 0 for never
  CODEX_MANAGER_PASSPHRASE_FILE
      a file whose first line is the passphrase of the key
  CODEX_MANAGER_WEBDAV_USER, CODEX_MANAGER_WEBDAV_PASSWORD
      what opens a WebDAV server
  CODEX_SQLITE_HOME
      where Codex keeps databases, if not in its home
  CODEX_ACCESS_TOKEN, CODEX_API_KEY, OPENAI_API_KEY
      kept from a Codex that is asked; use and restore warn of the first two
  AWS_*, GOOGLE_*, CLOUDSDK_CONFIG, STORAGE_EMULATOR_HOST, AZURE_*, NETRC
      what opens a remote, as the provider's own tools take it
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR
      the way to a remote, and whom to trust
  NO_COLOR, TERM
      no colour where the one is set or the other is dumb
  LC_ALL, LC_CTYPE, LANG
      whether letters other than ASCII can be shown
  TZ
      the zone, where neither flag nor setting says
  PATH
      where Codex is found
  SHELL
      the shell of completions, where none is named
  HOME, USERPROFILE
      the person's home; the second on Windows
  TMPDIR, TMP, TEMP
      where temporary files go; the latter two on Windows
  COMPUTERNAME
      the machine's name, on Windows
  COLUMNS
      how wide help is, where no terminal says
";

/// `doctor`
pub const DOCTOR: &str = page! {
    "codex-manager doctor" =>
        "Every check, in a line each",
    "codex-manager doctor --live" =>
        "Ask Codex about the account that is signed in too, and reach the remote",
    "codex-manager doctor --fix --dry-run" =>
        "What would be repaired",
    "codex-manager doctor --quiet || codex-manager doctor --fix" =>
        "Only what is not in order; where something fails, repair it",
    ;
    "0   nothing fails; there may be warnings",
    "1   at least one check fails",
    "2   the command line cannot be understood",
    "11  with --fix: another codex-manager holds the lock",
    "130 interrupted",
    ;
    "PATH" =>
        "where Codex is found, and whether there is another one",
    "CODEX_ACCESS_TOKEN, CODEX_API_KEY, CODEX_SQLITE_HOME" =>
        "told of where set: they go before what Codex keeps",
};

/// `config`
pub const CONFIG: &str = page! {
    "codex-manager config list" =>
        "Every setting in force, and where it comes from",
    "codex-manager config set timezone Europe/Berlin" =>
        "Change one; comments in the file stay",
    ;
    "0   done",
    "1   the file cannot be read or written, or is unusable",
    "2   there is no such setting, or it does not take that value",
    "11  set and unset: another codex-manager holds the lock",
    "130 interrupted",
    ;
};

/// `config list`
pub const LIST: &str = page! {
    "codex-manager config list" =>
        "For a person",
    "codex-manager config list --json" =>
        "For a script: value and origin of each",
    ;
    "0   the settings are shown",
    "1   the file cannot be read, or is unusable",
    "2   the command line cannot be understood",
    "130 interrupted",
    ;
};

/// `config get`
pub const GET: &str = page! {
    "codex-manager config get backup.dir" =>
        "Where snapshots are kept",
    "codex-manager config get timezone --json" =>
        "With where that comes from",
    ;
    "0   the value is shown",
    "1   the file cannot be read, or is unusable",
    "2   there is no such setting",
    "130 interrupted",
    ;
};

/// `config set`
pub const SET: &str = page! {
    "codex-manager config set timezone Europe/Berlin" =>
        "Names and tables in that zone",
    "codex-manager config set recommend.policy drain" =>
        "Use up first what resets soonest",
    "codex-manager config set backup.exclude '[\"*.log\"]' --dry-run" =>
        "A list; say only whether it would be taken",
    ;
    "0   the file says it",
    "1   the file cannot be read or written",
    "2   there is no such setting, or it does not take that value",
    "11  another codex-manager holds the lock",
    "130 interrupted",
    ;
};

/// `config unset`
pub const UNSET: &str = page! {
    "codex-manager config unset timezone" =>
        "The system's again",
    "codex-manager config unset backup.dir --dry-run" =>
        "Say only what would be done",
    ;
    "0   the default holds",
    "1   the file cannot be read or written",
    "2   there is no such setting",
    "11  another codex-manager holds the lock",
    "130 interrupted",
    ;
};

/// `config path`
pub const PATH: &str = page! {
    "codex-manager config path" =>
        "Also where the file cannot be read, or is not there yet",
    "codex-manager config path --json" =>
        "For a script",
    ;
    "0   the path is shown",
    "2   the command line cannot be understood",
    ;
};

/// `completions`
pub const COMPLETIONS: &str = page! {
    "codex-manager completions bash" =>
        "In ~/.bashrc: eval \"$(codex-manager completions bash)\"",
    "codex-manager completions zsh" =>
        "In ~/.zshrc, after compinit: source <(codex-manager completions zsh)",
    "codex-manager completions fish" =>
        "In ~/.config/fish/config.fish: codex-manager completions fish | source",
    "codex-manager completions powershell" =>
        "In $PROFILE: codex-manager completions powershell | Out-String | iex",
    "codex-manager completions elvish" =>
        "In rc.elv of Elvish: eval (codex-manager completions elvish | slurp)",
    ;
    "0   the script is printed",
    "1   the settings cannot be read",
    "2   no shell is named, and SHELL names none that is known",
    ;
    "SHELL" =>
        "the shell, where none is named",
};

/// `man`
pub const MAN: &str = page! {
    "codex-manager man use | man -l -" =>
        "The page of one command, to read",
    "codex-manager man profile set" =>
        "That of a command of a command",
    "codex-manager man --dir ~/.local/share/man/man1" =>
        "Write them all, where man finds them",
    ;
    "0   the page is printed, or the pages are written",
    "1   a page cannot be written",
    "2   there is no such command",
    ;
};

//! Help, version and what cannot be understood: text, or JSON where JSON was asked for.

use std::fs;
use std::path::Path;

use crate::common::{Env, Person};
use crate::worlds::json_error;

const SUMMARY: &str = "\
Looks after your OpenAI Codex accounts: snapshots, safe restores, exact weekly quota windows

Usage: codex-manager [OPTIONS] [COMMAND]

Commands:
  normalize     Turn hand-named login copies (21apr_EMAIL_auth.json) into an inventory
  backup        Snapshot the Codex home of the active account
  restore       Put a snapshot back into the Codex home
  use           Sign another account in to the Codex home, with its freshest login
  list-backups  List snapshots
  cooldown      Show when each account is available
  recommend     Say which account to use next
  status        Ask Codex what is left of the active account
  profile       Show and change what is kept of each account
  sync          Carry snapshots between machines, encrypted
  prune         Remove snapshots that no rule keeps
  doctor        Check everything this program relies on, and say what to do
  config        Show and change settings
  completions   Print the script by which a shell completes
  man           Print manual pages
  help          Print this message or the help of the given subcommand(s)

Options:
  -h, --help     Print help (see more with '--help')
  -V, --version  Print version

Global options:
      --manager-home <DIR>  Where inventory, registry, snapshots and settings live
      --codex-home <DIR>    The Codex home [default: $CODEX_HOME, else ~/.codex]
      --timezone <ZONE>     IANA zone of wall clocks and file names [default: the system's]
      --json                One JSON document on stdout
  -q, --quiet               Say only what matters
  -v, --verbose             Say more
      --color <WHEN>        When to colour [possible values: auto, always, never]
      --now <TIME>          Answer as of this instant (RFC 3339)
";

/// Between the first line and the usage of the long help.
const ABOUT: &str = "\
Without a command it shows who is signed in, and what there is to do next. Codex itself tells what
is left of an account; nothing is guessed. But for sync, no network connection is opened, and no
token is ever shown.
";

const END: &str = "
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

/// Every command, with what `-h` says it is for and the options it must name.
const COMMANDS: &[(&str, &str, &[&str])] = &[
    (
        "normalize",
        "Turn hand-named login copies (21apr_EMAIL_auth.json) into an inventory",
        &[
            "--source-dir",
            "--session-duration-hours",
            "--reference-year",
            "--inventory-path",
            "--write-metadata",
            "--strict",
            "--dry-run",
            "--wait",
        ],
    ),
    (
        "backup",
        "Snapshot the Codex home of the active account",
        &[
            "--source-dir",
            "--backup-dir",
            "--status-source",
            "--status-timeout",
            "--codex-command",
            "--status-file",
            "--status-command",
            "--reference-year",
            "--offline",
            "--auth-only",
            "--include-tmp",
            "--exclude",
            "--force",
            "--dry-run",
            "--wait",
        ],
    ),
    (
        "restore",
        "Put a snapshot back into the Codex home",
        &[
            "--from-archive",
            "--email",
            "--session-start",
            "--backup-dir",
            "--dest-dir",
            "--only",
            "--auth-only",
            "--no-safety-backup",
            "--undo",
            "--force",
            "--yes",
            "--dry-run",
            "--wait",
        ],
    ),
    (
        "list-backups",
        "List snapshots",
        &[
            "--backup-dir",
            "--email",
            "--latest-per-email",
            "--ready",
            "--sort",
            "--limit",
            "--verify",
        ],
    ),
    (
        "cooldown",
        "Show when each account is available",
        &[
            "--live",
            "--status-source",
            "--refresh",
            "--source-dir",
            "--inventory-path",
            "--limit",
        ],
    ),
    (
        "recommend",
        "Say which account to use next",
        &[
            "--live",
            "--status-source",
            "--refresh",
            "--policy",
            "--use",
            "--force",
        ],
    ),
    (
        "use",
        "Sign another account in to the Codex home, with its freshest login",
        &["--backup-dir", "--restart-hint", "--force", "--dry-run"],
    ),
    (
        "status",
        "Ask Codex what is left of the active account",
        &[
            "--status-source",
            "--status-timeout",
            "--codex-command",
            "--input-file",
            "--status-command",
            "--reference-year",
            "--wait",
        ],
    ),
    (
        "profile",
        "Show and change what is kept of each account",
        &[],
    ),
    ("sync", "Carry snapshots between machines, encrypted", &[]),
    (
        "prune",
        "Remove snapshots that no rule keeps",
        &[
            "--remote",
            "--keep-last",
            "--keep-within",
            "--keep-weekly",
            "--email",
            "--allow-empty",
            "--codex-state",
            "--include",
            "--source-dir",
            "--yes",
            "--wait",
            "--dry-run",
        ],
    ),
    (
        "doctor",
        "Check everything this program relies on, and say what to do",
        &["--fix", "--dry-run", "--live", "--verify", "--wait"],
    ),
    ("config", "Show and change settings", &[]),
    (
        "completions",
        "Print the script by which a shell completes",
        &[],
    ),
    ("man", "Print manual pages", &["--dir", "--dry-run"]),
];

#[test]
fn the_summary_and_the_whole() {
    let env = Env::new();
    env.run(&["-h"]).code(0).stdout(SUMMARY).stderr("");
    for args in [&["--help"][..], &["help"]] {
        let ran = env.run(args).code(0).stderr("");
        let (about, rest) = SUMMARY.split_once("\n\n").expect("two parts");
        let (rest, _) = rest.split_once("\nOptions:").expect("two parts");
        let head = format!("{about}\n\n{ABOUT}\n{rest}");
        assert!(ran.stdout.starts_with(&head), "{}", ran.stdout);
        assert!(ran.stdout.ends_with(END), "{}", ran.stdout);
    }
    assert!(!env.path(".codex-manager").exists());
}

#[test]
fn every_command_tells_its_options() {
    let env = Env::new();
    for (command, about, options) in COMMANDS {
        let long = env.run(&[command, "--help"]).code(0).stderr("");
        env.run(&["help", command])
            .code(0)
            .stdout(&long.stdout)
            .stderr("");
        let short = env.run(&[command, "-h"]).code(0).stderr("");
        let usage = format!("\nUsage: codex-manager {command} ");
        for text in [&long.stdout, &short.stdout] {
            assert!(text.starts_with(&format!("{about}\n")), "{text}");
            assert!(text.contains(&usage), "{text}");
            for option in options
                .iter()
                .chain(&["--json", "--quiet", "--verbose", "--color", "--now"])
                .chain(&["--manager-home", "--codex-home", "--timezone"])
            {
                let named = |end| text.contains(&format!(" {option}{end}"));
                assert!(named(" ") || named("\n"), "{option} in\n{text}");
            }
        }
        assert!(!short.stdout.contains("Examples:"), "{}", short.stdout);
    }
}

/// The long help of every command, those within others too: its words, and what is shown.
fn pages(env: &Env) -> Vec<(Vec<String>, String)> {
    let mut open = vec![Vec::new()];
    let mut pages = Vec::new();
    while let Some(words) = open.pop() {
        let args: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let text = env.run(&args).code(0).stderr("").stdout;
        let commands = text
            .split_once("\nCommands:\n")
            .map_or("", |(_, rest)| rest);
        for line in commands.lines().take_while(|line| !line.is_empty()) {
            let name = line.split_whitespace().next().expect("a name");
            if name != "help" {
                open.push(words.iter().cloned().chain([name.to_owned()]).collect());
            }
        }
        pages.push((words, text));
    }
    assert!(pages.len() > 30, "{} pages", pages.len());
    pages
}

/// The lines of a section of a help text.
fn section<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let heading = format!("\n{name}:\n");
    let (_, rest) = text
        .split_once(&heading)
        .unwrap_or_else(|| panic!("no {name} in\n{text}"));
    rest.lines().take_while(|line| !line.is_empty()).collect()
}

#[test]
fn every_command_has_a_page() {
    let env = Env::new();
    let all = section(&env.run(&["--help"]).code(0).stdout, "Exit codes").join("\n");
    for (words, text) in pages(&env) {
        let name = words.join(" ");
        // What it does and never does, before the usage.
        let (head, _) = text.split_once("\nUsage: ").expect("a usage");
        let about = head.split_once("\n\n").map_or("", |(_, about)| about);
        assert!(about.len() > 20, "{name} is told by `{head}`");
        let told = section(&text, "Exit codes");
        let mut codes: Vec<u32> = Vec::new();
        for line in told {
            let code = line.split_whitespace().next().expect("a code");
            assert!(line.starts_with(&format!("  {code:<4}")), "{name}: {line}");
            assert!(all.contains(&format!("  {code:<4}")), "{name}: {line}");
            codes.push(code.parse().unwrap_or_else(|_| panic!("{name}: {line}")));
        }
        assert!(
            codes.starts_with(&[0]) && codes.is_sorted(),
            "{name}: {codes:?}"
        );
        let home = section(&text, "Environment");
        assert!(home.join("").contains("CODEX_MANAGER_HOME"), "{name}");
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{name}: {line}");
        }
    }
}

#[test]
fn every_page_is_as_wide_as_its_terminal_and_keeps_its_lines() {
    let env = Env::new();
    let told = |words: &[String], columns: &str| {
        let args: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let mut command = env.command(&args);
        command.env("COLUMNS", columns);
        env.ran(&mut command, &args).code(0).stderr("").stdout
    };
    for (words, wide) in pages(&env) {
        // What ends a page is laid out for 80 columns, and stays so on a wider one.
        let end = wide.find("\nExamples:\n").expect("examples");
        for columns in ["80", "200"] {
            let text = told(&words, columns);
            assert!(
                text.ends_with(&wide[end..]),
                "{words:?} at {columns}:\n{text}"
            );
        }
        for line in told(&words, "80").lines() {
            assert!(line.chars().count() <= 80, "{words:?}: {line}");
        }
        for line in told(&words, "40").lines() {
            // A word that is longer by itself is not cut, nor is the usage.
            let is_long = line.split_whitespace().any(|word| word.len() > 24);
            let is_usage = line.starts_with("Usage: ");
            assert!(
                is_usage || is_long || line.chars().count() <= 40,
                "{words:?}: {line}"
            );
        }
    }
}

/// The examples of a page, as they are typed.
fn examples(text: &str) -> Vec<String> {
    let lines = section(text, "Examples");
    let commands = lines.iter().filter_map(|line| line.strip_prefix("  "));
    let commands = commands.filter(|line| line.starts_with("codex-manager"));
    commands.map(str::to_owned).collect()
}

#[test]
fn every_page_has_examples_and_says_what_they_do() {
    let env = Env::new();
    let mut count = 0;
    for (words, text) in pages(&env) {
        let commands = examples(&text);
        assert!((2..=6).contains(&commands.len()), "{words:?}: {commands:?}");
        let lines = section(&text, "Examples");
        let whats = lines.iter().filter(|line| line.starts_with("      "));
        assert_eq!(whats.count(), commands.len(), "{words:?}");
        for command in &commands {
            let own = format!("codex-manager {}", words.join(" "));
            assert!(command.starts_with(own.trim_end()), "{words:?}: {command}");
        }
        count += commands.len();
    }
    assert!(count > 80, "{count} examples");
}

/// Each in a world with an account and a snapshot of it. What it ends with stands on its page.
#[cfg(unix)]
#[test]
fn every_example_does_something() {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("panel.txt", &alice.panel(66, "15:55 on 21 Apr"));
    env.write("secret", "made up for this test\n");
    private(&env.path("secret"));
    env.run(&["backup", "--status-file", "panel.txt"]).code(0);
    fs::create_dir(env.path("logins")).expect("makes");
    for (words, text) in pages(&env) {
        // These would talk to somebody, or write elsewhere.
        if words.first().is_some_and(|word| word == "sync") {
            continue;
        }
        let told = section(&text, "Exit codes");
        for command in examples(&text) {
            let typed = command.split(['|', '&']).next().unwrap_or_default();
            let args = shell_words::split(typed).expect("words");
            let args: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
            let mut run = env.command(&args);
            run.env("CODEX_MANAGER_PASSPHRASE_FILE", env.path("secret"));
            let ran = env.ran(&mut run, &args);
            let code = ran.code.expect("an end");
            let is_told = told
                .iter()
                .any(|line| line.starts_with(&format!("  {code:<4}")));
            assert!(is_told, "{command} ends with {code}: {}", ran.stderr);
            // What only a terminal or a remote makes whole.
            let lacks = [
                "nobody is there",
                "terminal",
                "no remote is set",
                "nothing says whom to sign in",
                "nothing says what to restore",
            ];
            assert!(
                code != 2 || lacks.iter().any(|word| ran.stderr.contains(word)),
                "{command}: {}",
                ran.stderr
            );
        }
    }
}

#[cfg(unix)]
fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("sets");
}

/// The variables that the text of a page names.
fn variables(lines: &[&str]) -> Vec<String> {
    let terms = lines.iter().filter(|line| !line.starts_with("      "));
    let names = terms.flat_map(|line| line.split([',', ' ']));
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_variable_that_is_read_is_told_and_every_one_told_is_read() {
    let env = Env::new();
    let all = env.run(&["--help"]).code(0).stdout;
    let told = variables(&section(&all, "Environment"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let source = |path: &str| fs::read_to_string(root.join(path)).expect("reads");
    let mut read: Vec<String> = Vec::new();
    for path in [
        "context.rs",
        "context/encryption.rs",
        "context/environment.rs",
        "context/settled.rs",
        "context/typed.rs",
        "context/zone.rs",
    ] {
        let text = source(path);
        for start in ["variable(\"", "env::var(\"", "environment::set(\""] {
            let names = text
                .split(start)
                .skip(1)
                .filter_map(|rest| rest.split('"').next());
            read.extend(names.map(str::to_owned));
        }
    }
    for (path, start) in [
        ("remote/access.rs", "VARIABLES: &[&str] = &["),
        ("codex/program.rs", "OTHER_LOGINS: [&str; 3] = ["),
    ] {
        let text = source(path);
        let (_, list) = text.split_once(start).expect("a list");
        let (list, _) = list.split_once(']').expect("its end");
        read.extend(list.split('"').skip(1).step_by(2).map(str::to_owned));
    }
    assert!(read.len() > 15, "{read:?}");
    for name in &read {
        assert!(told.contains(name), "{name} is read and not told");
    }
    // By crates: the home, temporary files, the width of help, the way to a server.
    let by_others = [
        "HOME",
        "TMPDIR",
        "TMP",
        "TEMP",
        "COLUMNS",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ];
    for name in &told {
        assert!(
            read.contains(name) || by_others.contains(&name.as_str()),
            "{name} is told and not read"
        );
    }
    for (words, text) in pages(&env) {
        for name in variables(&section(&text, "Environment")) {
            assert!(told.contains(&name), "{words:?}: {name}");
        }
    }
}

#[test]
fn the_version() {
    let env = Env::new();
    let version = format!("codex-manager {}\n", env!("CARGO_PKG_VERSION"));
    for args in [&["--version"][..], &["-V"]] {
        env.run(args).code(0).stdout(&version).stderr("");
    }
}

#[test]
fn what_cannot_be_understood_is_exit_code_2() {
    let env = Env::new();
    for (args, text) in [
        (
            &["frob"][..],
            "error: unrecognized subcommand 'frob'\n\nUsage: codex-manager [OPTIONS] [COMMAND]\n",
        ),
        (
            &["cooldwn"],
            "error: unrecognized subcommand 'cooldwn'\n\n  tip: a similar subcommand exists: 'cooldown'\n\nUsage: codex-manager [OPTIONS] [COMMAND]\n",
        ),
        (
            &["status", "extra"],
            "error: unexpected argument 'extra' found\n\nUsage: codex-manager status [OPTIONS]\n",
        ),
        (
            &["-q", "-v", "cooldown"],
            "error: the argument '--quiet' cannot be used with '--verbose'\n\nUsage: codex-manager --quiet\n",
        ),
        (
            &["cooldown", "--color", "pink"],
            "error: invalid value 'pink' for '--color <WHEN>'\n  [possible values: auto, always, never]\n",
        ),
        (
            &["cooldown", "--now", "2026-04-19"],
            "error: invalid value '2026-04-19' for '--now <TIME>': `2026-04-19` is no RFC 3339 time such as 2026-04-14T15:55:00+05:30\n",
        ),
    ] {
        env.run(args)
            .code(2)
            .stdout("")
            .stderr(&format!("{text}\nFor more information, try '--help'.\n"));
    }
    assert!(!env.path(".codex-manager").exists());
}

#[test]
fn it_is_json_where_json_was_asked_for() {
    let env = Env::new();
    for (args, message) in [
        (&["--json", "frob"][..], "unrecognized subcommand 'frob'"),
        (
            &["cooldown", "--frob", "--json"],
            "unexpected argument '--frob' found",
        ),
        (
            &["cooldown", "--json", "--limit", "x"],
            "invalid value 'x' for '--limit <N>': invalid digit found in string",
        ),
    ] {
        let ran = env.run(args).code(2).stdout("");
        assert_eq!(ran.stderr.lines().count(), 1);
        let (kind, told, hint) = json_error(&ran);
        assert_eq!((kind.as_str(), told.as_str()), ("usage", message));
        assert!(!hint.is_empty());
    }
}

#[test]
fn a_clock_or_zone_that_cannot_be_read_is_named() {
    let env = Env::at("soon");
    let message = "the environment variable CODEX_MANAGER_NOW is unusable: `soon` is no RFC 3339 time such as 2026-04-14T15:55:00+05:30";
    let hint = "set it to an RFC 3339 time, or unset it";
    env.run(&["cooldown"])
        .code(2)
        .stdout("")
        .stderr(&format!("error: {message}\nhint: {hint}\n"));
    let ran = env.run(&["cooldown", "--json"]).code(2).stdout("");
    assert_eq!(
        json_error(&ran),
        ("usage".to_owned(), message.to_owned(), hint.to_owned())
    );
    // A flag beats the variable, however that reads.
    env.run(&["list-backups", "--quiet", "--now", "2026-04-19T00:00:00Z"])
        .code(0);
    Env::new()
        .run(&["cooldown", "--timezone", "Mars/Olympus"])
        .code(2)
        .stdout("")
        .stderr(
            "error: there is no time zone `Mars/Olympus`\nhint: use an IANA name such as `Europe/Berlin` or `Asia/Kolkata`\n",
        );
}

#[cfg(unix)]
#[test]
fn bytes_that_are_no_text_are_a_usage_error_or_a_path() {
    use std::os::unix::ffi::OsStrExt;
    let env = Env::new();
    let odd = std::ffi::OsStr::from_bytes(b"bad\xff");
    let mut command = env.command(&["cooldown", "--limit"]);
    command.arg(odd);
    env.ran(&mut command, &["cooldown", "--limit", "(bytes)"])
        .code(2)
        .stdout("");
    let mut command = env.command(&["list-backups", "--quiet", "--backup-dir"]);
    command.arg(odd);
    env.ran(&mut command, &["list-backups", "--backup-dir", "(bytes)"])
        .code(0)
        .stdout("")
        .stderr("");
}

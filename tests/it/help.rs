//! Help, version and what cannot be understood: text, or JSON where JSON was asked for.

use crate::common::Env;
use crate::worlds::json_error;

const SUMMARY: &str = "\
Looks after your OpenAI Codex accounts: snapshots, safe restores, exact weekly quota windows

Usage: codex-manager [OPTIONS] <COMMAND>

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

const END: &str = "
Exit codes:
  0 done                      1 other failure             2 usage
  3 done in part              4 no account is usable now  10 no such backup or account
  11 locked                   12 account mismatch         13 archive damaged or unsafe
  14 no live status           15 cannot decrypt           16 remote unreachable or refused
  130 interrupted

Environment:
  CODEX_MANAGER_HOME  manager home (CODEXMGR_HOME is the older name); default ~/.codex-manager
  CODEX_HOME          Codex home; default ~/.codex
  CODEX_MANAGER_NOW   answer as of this instant (RFC 3339)
  NO_COLOR            no colour
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
];

#[test]
fn the_summary_and_the_whole() {
    let env = Env::new();
    env.run(&["-h"]).code(0).stdout(SUMMARY).stderr("");
    for args in [&["--help"][..], &["help"]] {
        let ran = env.run(args).code(0).stderr("");
        let head: Vec<_> = SUMMARY.split("\nOptions:").collect();
        assert!(ran.stdout.starts_with(head[0]), "{}", ran.stdout);
        assert!(ran.stdout.ends_with(END), "{}", ran.stdout);
    }
    // Nothing to do is a usage error: the same words, elsewhere.
    env.run(&[]).code(2).stdout("").stderr(SUMMARY);
    assert!(!env.path(".codex-manager").exists());
}

#[test]
fn every_command_tells_its_options_and_every_exit_code() {
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
        assert!(long.stdout.ends_with(END), "{}", long.stdout);
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
            "error: unrecognized subcommand 'frob'\n\nUsage: codex-manager [OPTIONS] <COMMAND>\n",
        ),
        (
            &["cooldwn"],
            "error: unrecognized subcommand 'cooldwn'\n\n  tip: a similar subcommand exists: 'cooldown'\n\nUsage: codex-manager [OPTIONS] <COMMAND>\n",
        ),
        (
            &["status", "extra"],
            "error: unexpected argument 'extra' found\n\nUsage: codex-manager status [OPTIONS]\n",
        ),
        (
            &["-q", "-v", "cooldown"],
            "error: the argument '--quiet' cannot be used with '--verbose'\n\nUsage: codex-manager --quiet <COMMAND>\n",
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
        (
            &["--json"][..],
            "'codex-manager' requires a subcommand but one was not provided",
        ),
        (&["--json", "frob"], "unrecognized subcommand 'frob'"),
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

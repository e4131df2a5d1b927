//! The words for what was left out, mistyped or is not there: each names what was asked for.

use std::fs;

use crate::common::{Env, Person};
use crate::worlds::json_error;

const LIST: &str = "hint: `codex-manager list-backups` shows every archive and account there\n";

/// A world with a snapshot of alice's home.
pub fn world() -> Env {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
    env
}

#[test]
fn a_restore_says_what_there_is_not() {
    let env = world();
    fs::create_dir(env.path("dir")).expect("makes");
    let unsaid = "error: nothing says what to restore\nhint: name an email, an alias or an archive; `codex-manager list-backups` shows them\n";
    for args in [&[""][..], &["--email", ""], &["--from-archive", ""], &[]] {
        let args = [&["restore"], args].concat();
        env.run(&args).code(2).stdout("").stderr(unsaid);
    }
    let backups = "in `~/.codex-manager/backups`";
    let no_archive =
        |name: &str| format!("error: there is no archive `{name}`, here or {backups}\n{LIST}");
    for (args, told) in [
        (
            &["--session-start", "2020"][..],
            format!("error: no backup of a window that began `2020` {backups}\n{LIST}"),
        ),
        (
            &["alice", "--session-start", "2020"],
            format!("error: no backup of `alice` and a window that began `2020` {backups}\n{LIST}"),
        ),
        (
            &["nobody"],
            format!("error: no backup of `nobody` {backups}\n{LIST}"),
        ),
        (&["./nofile.tar.gz"], no_archive("./nofile.tar.gz")),
        (
            &["nofile.tar.gz"],
            format!("error: no backup of `nofile.tar.gz` {backups}\n{LIST}"),
        ),
        (
            &["--from-archive", "./nofile.tar.gz"],
            no_archive("./nofile.tar.gz"),
        ),
        (
            &["./dir/"],
            "error: `./dir/` is a directory, not an archive\nhint: name the archive in it; `--backup-dir` names a directory of them\n"
                .to_owned(),
        ),
    ] {
        let args = [&["restore"], args].concat();
        env.run(&args).code(10).stdout("").stderr(&told);
    }
}

#[test]
fn a_use_of_nobody_is_told_as_a_restore_of_nothing_is() {
    let env = world();
    let told = "error: nothing says whom to sign in\nhint: name an email, a profile or an alias; `codex-manager cooldown` shows every \
                account\n";
    env.run(&["use"]).code(2).stdout("").stderr(told);
    let (kind, message, _) = json_error(&env.run(&["use", "--json"]).code(2).stdout(""));
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("usage", "nothing says whom to sign in")
    );
    // As it is typed by who comes from the Python tool.
    let ran = env.run(&["use", "--email", "alice@example.com"]).code(0);
    assert!(ran.stdout.contains("alice@example.com"), "{}", ran.stdout);
}

#[test]
fn an_account_that_nobody_knows_is_not_found_by_any_command() {
    let env = world();
    let told = "error: no account is called `nobody@example.com`\nhint: `codex-manager list-backups` shows every account that has \
                snapshots\n";
    for args in [
        &["list-backups", "--email", "nobody@example.com"][..],
        &["prune", "--keep-last", "3", "--email", "nobody@example.com"],
    ] {
        env.run(args).code(10).stdout("").stderr(told);
    }
    // One that is known by its login alone has no snapshots, which is an answer.
    env.write(".codex/auth.json", &Person::named("bob").auth_json());
    env.run(&["list-backups", "--email", "bob@example.com"])
        .code(0)
        .stdout("")
        .stderr("none of 1 backup in `~/.codex-manager/backups` is asked for\n");
}

#[test]
fn a_command_without_its_subcommand_is_told_in_a_line() {
    let env = Env::new();
    for (command, names) in [
        (
            "profile",
            "list, show, set, login, rename, remove, export, import",
        ),
        ("sync", "init, push, pull, status"),
        ("config", "list, get, set, unset, path"),
    ] {
        let (kind, message, hint) = json_error(&env.run(&["--json", command]).code(2).stdout(""));
        assert_eq!(kind, "usage");
        assert_eq!(
            message,
            format!("nothing says what `{command}` is to do: {names}")
        );
        assert_eq!(
            hint,
            format!("`codex-manager {command} --help` shows what each does")
        );
    }
}

#[test]
fn a_newcomer_s_backup_names_the_first_step() {
    let env = Env::new();
    env.run(&["backup"]).code(1).stdout("").stderr(
        "error: there is no Codex home at `~/.codex`\nhint: start Codex once and sign in, or say where its home is with `--source-dir` or \
         CODEX_HOME\n",
    );
}

#[test]
fn what_clap_says_has_colour_as_was_said() {
    let env = Env::new();
    for (flags, has_colour) in [
        (&["--color", "always"][..], true),
        (&["--color=always"], true),
        (&["--color", "never"], false),
        (&[], false),
    ] {
        let help = env.run(&[flags, &["--help"]].concat()).code(0).stdout;
        let wrong = env.run(&[flags, &["--wrong"]].concat()).code(2).stderr;
        assert_eq!(help.contains('\x1b'), has_colour, "{flags:?}");
        assert_eq!(wrong.contains('\x1b'), has_colour, "{flags:?}");
    }
}

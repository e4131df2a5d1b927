//! Small things that once went wrong, each held in place by a test of its own.

#[cfg(unix)]
use std::fs;

use crate::common::{Env, NOW, Person};
use crate::worlds::{json_error, legacy, six_accounts, snapshot};

const ALICE: &str = "21apr_alice@example.com_auth.json";
const SEEN: &str = "2026-04-14T17:55:00+05:30";

#[test]
fn a_lost_mtime_does_not_reach_the_snapshot() {
    let env = Env::new();
    legacy(&env, ALICE, &Person::named("alice").auth_json(), SEEN);
    let normalize = [
        "normalize",
        "--source-dir",
        "legacy",
        "--write-metadata",
        "--quiet",
    ];
    env.run(&normalize[..3]).code(0);
    env.touch(&format!("legacy/{ALICE}"), "2026-06-01T09:00:00+05:30");
    env.run(&normalize).code(0);
    assert_eq!(
        env.files(".codex-manager/backups")[1],
        "2026-04-14-155500-alice@example.com-codex.tar.gz"
    );
    let document = env.run(&["cooldown", "--json"]).code(0).json();
    assert_eq!(
        document["accounts"][0]["session_start_at"],
        "2026-04-14T15:55:00+05:30"
    );
}

#[test]
fn a_dry_run_counts_what_would_be_made() {
    let env = Env::new();
    legacy(&env, ALICE, &Person::named("alice").auth_json(), SEEN);
    let normalize = [
        "normalize",
        "--source-dir",
        "legacy",
        "--write-metadata",
        "--dry-run",
    ];
    env.run(&normalize[..4]).code(0);
    let ran = env.run(&normalize).code(0);
    assert!(
        ran.stderr.contains("; 0 snapshots would be made"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_broken_line_is_told_by_its_number() {
    let env = Env::new();
    env.write(".codex-manager/config.toml", "color = \"auto\"\n= 2\n");
    let ran = env.run(&["config", "list"]).code(1);
    assert!(ran.stderr.contains("line 2: "), "{}", ran.stderr);
}

#[test]
fn unset_keeps_the_comments_above() {
    let env = Env::new();
    env.write(
        ".codex-manager/config.toml",
        "# my settings\n\n# servers\ntimezone = \"UTC\"\ncolor = \"auto\"\n",
    );
    env.run(&["config", "unset", "timezone"]).code(0);
    assert_eq!(
        env.read(".codex-manager/config.toml"),
        "# my settings\n\n# servers\ncolor = \"auto\"\n"
    );
}

#[test]
fn set_and_unset_answer_with_a_document() {
    let env = Env::new();
    env.run(&["config", "set", "color", "never", "--json"])
        .code(0)
        .json();
}

#[cfg(unix)]
#[test]
fn a_linked_configuration_stays_a_link() {
    let env = Env::new();
    env.write("dotfiles/config.toml", "color = \"auto\"\n");
    fs::create_dir(env.path(".codex-manager")).expect("makes");
    std::os::unix::fs::symlink(
        "../dotfiles/config.toml",
        env.path(".codex-manager/config.toml"),
    )
    .expect("links");
    env.run(&["config", "set", "color", "never"]).code(0);
    assert_eq!(env.read("dotfiles/config.toml"), "color = \"never\"\n");
}

#[test]
fn what_is_missing_is_named_in_json() {
    let env = Env::new();
    let ran = env.run(&["config", "set", "color", "--json"]).code(2);
    assert!(json_error(&ran).1.contains("<VALUE>"), "{}", ran.stderr);
}

#[test]
fn a_near_miss_keeps_its_tip_in_json() {
    let env = Env::new();
    let ran = env.run(&["cooldwn", "--json"]).code(2);
    assert!(json_error(&ran).2.contains("cooldown"), "{}", ran.stderr);
}

#[test]
fn the_hint_of_status_names_no_flag_it_has_not() {
    let env = Env::new();
    let ran = env
        .run_with_input(&["status", "--input-file", "-"], "hello\n")
        .code(14);
    assert!(!ran.stderr.contains("--offline"), "{}", ran.stderr);
}

#[test]
fn a_window_that_is_over_does_not_reset_in_now() {
    let env = Env::new();
    let panel = Person::named("alice").panel(0, "15:27");
    let ran = env
        .run_with_input(&["status", "--input-file", "-"], &panel)
        .code(0);
    assert!(!ran.stdout.contains("(in now)"), "{}", ran.stdout);
}

#[test]
fn verify_with_a_sidecar_that_cannot_be_read_is_done_in_part() {
    let env = six_accounts();
    env.write(
        ".codex-manager/backups/2026-04-14-155500-alice@example.com-codex.metadata.json",
        "{",
    );
    env.run(&["list-backups", "--verify"]).code(3);
}

#[test]
fn a_filter_that_leaves_none_does_not_say_there_are_none() {
    let env = six_accounts();
    let ran = env.run(&["list-backups", "--email", "nobody@example.com"]);
    assert!(!ran.stderr.contains("makes one"), "{}", ran.stderr);
}

#[test]
fn every_commands_help_has_the_exit_codes() {
    let env = Env::new();
    for action in ["list", "get", "set", "unset", "path"] {
        let ran = env.run(&["config", action, "--help"]).code(0);
        assert!(ran.stdout.contains("Exit codes:"), "{action}");
    }
}

#[test]
fn an_account_whose_window_has_not_begun_was_not_just_used() {
    let mut env = Env::new();
    let (alice, dora) = (Person::named("alice"), Person::named("dora"));
    snapshot(
        &mut env,
        &alice,
        &alice.panel(30, "15:55 on 21 Apr"),
        "2026-04-19T10:00:00+05:30",
    );
    snapshot(
        &mut env,
        &dora,
        &dora.panel(100, "14:00 on 26 Apr"),
        "2026-04-19T14:00:00+05:30",
    );
    env.write(".codex/auth.json", &Person::named("zoe").auth_json());
    env.write(
        ".codex-manager/profiles/zoe/profile.toml",
        "email = \"zoe@example.com\"\npaused = true\n",
    );
    env.set_now(NOW);
    let document = env.run(&["recommend", "--json"]).code(0).json();
    assert_eq!(document["account"]["email"], "dora@example.com");
}

/// One alias over two workspaces is as ambiguous as the email.
#[test]
fn an_alias_of_two_accounts_is_refused_and_pauses_both() {
    let env = Env::new();
    let alice = Person::named("alice");
    for workspace in ["w1", "w2"] {
        let alice = alice.clone().in_workspace(workspace);
        env.codex_home(&alice);
        env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
        env.run(&["backup", "--status-file", "status.txt"]).code(0);
    }
    env.write(
        ".codex-manager/profiles/a/profile.toml",
        "email = \"alice@example.com\"\nalias = \"al\"\npaused = true\n",
    );
    let ran = env.run(&["restore", "al", "--yes"]).code(2);
    assert!(
        ran.stderr
            .starts_with("error: `al` is more than one account: "),
        "{}",
        ran.stderr
    );
    let accounts = env.run(&["cooldown", "--json"]).code(0).json()["accounts"].clone();
    assert_eq!(accounts.as_array().map(Vec::len), Some(2));
    env.run(&["recommend"]).code(10);
}

/// A quota that changed is news, though no file did.
#[test]
fn a_changed_quota_is_not_unchanged() {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    for (percent, mode) in [(50, "created"), (50, "unchanged"), (0, "created")] {
        env.write("status.txt", &alice.panel(percent, "15:55 on 21 Apr"));
        let made = env
            .run(&["backup", "--status-file", "status.txt", "--json"])
            .code(0)
            .json();
        assert_eq!(
            (&made["mode"], &made["snapshot"]["quota_percent_left"]),
            (&mode.into(), &percent.into())
        );
    }
}

/// The wall clock of another zone makes no second snapshot of one window.
#[test]
fn a_window_keeps_its_name_in_another_zone() {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
    let made = env
        .run(&[
            "backup",
            "--offline",
            "--force",
            "--timezone",
            "Asia/Tokyo",
            "--json",
        ])
        .code(0)
        .json();
    assert_eq!(
        made["snapshot"]["archive_name"],
        "2026-04-14-155500-alice@example.com-codex.tar.gz"
    );
    assert_eq!(
        made["snapshot"]["session_start_at"],
        "2026-04-14T19:25:00+09:00"
    );
    let listed = env.run(&["list-backups", "--json"]).code(0).json();
    assert_eq!(listed["backups"].as_array().map(Vec::len), Some(1));
}

/// With the system's clock, a time without a date is of the day the file was written.
#[test]
fn an_old_status_file_tells_of_its_own_day() {
    let env = Env::new();
    env.write("status.txt", &Person::named("alice").panel(66, "14:40"));
    env.touch("status.txt", "2026-04-14T10:00:00+05:30");
    let args = ["status", "--input-file", "status.txt", "--json"];
    let read = |command: &mut std::process::Command| env.ran(command, &args).code(0).json();
    let document = read(env.command(&args).env_remove("CODEX_MANAGER_NOW"));
    assert_eq!(document["reset_at"], "2026-04-14T14:40:00+05:30");
    assert_eq!(document["observed_at"], "2026-04-14T10:00:00+05:30");
    // As of an instant that was asked for, the text is taken to be of then.
    assert_eq!(
        read(&mut env.command(&args))["reset_at"],
        "2026-04-20T14:40:00+05:30"
    );
}

/// A record keeps an earlier reading only for a lost mtime, not against a flag.
#[test]
fn another_duration_is_another_reading() {
    let env = Env::new();
    legacy(&env, ALICE, &Person::named("alice").auth_json(), SEEN);
    let normalize = ["normalize", "--source-dir", "legacy", "--json"];
    env.run(&normalize).code(0);
    let document = env
        .run(&[&normalize[..], &["--session-duration-hours", "20"]].concat())
        .code(0)
        .json();
    assert_eq!(
        document["records"][0]["inferred_session_duration_seconds"],
        72_000
    );
    assert_eq!(
        document["records"][0]["session_start_at"],
        "2026-04-13T21:55:00+05:30"
    );
}

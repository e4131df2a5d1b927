//! `cooldown`: when each account is available, from snapshots, inventory, registry, profiles and the live login.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::common::{Env, NOW, Person};
use crate::worlds::{has_keys, json_error, legacy, prints, six_accounts, snapshot};

/// The keys of one account, as `recommend` shows it too.
pub const ACCOUNT_KEYS: &[&str] = &[
    "email",
    "account_id",
    "alias",
    "plan_type",
    "status",
    "active",
    "session_start_at",
    "next_available_at",
    "usable_at",
    "remaining_seconds",
    "quota_end_detected_at",
    "quota_percent_left",
    "observed_at",
    "source",
    "validation_status",
    "limits",
    "archive_name",
];

const SIX: &str = "\
ACCOUNT              STATUS     USABLE  LEFT  AVAILABLE AT      SESSION START     QUOTA END         SEEN              PLAN  VALID
  alice@example.com  open          now   66%  2026-04-21 15:55  2026-04-14 15:55  -                 2026-04-19 10:00  plus  ok
  carol@example.com  ready         now   20%  2026-04-18 12:00  2026-04-11 12:00  -                 2026-04-15 10:00  plus  ok
  dora@example.com   ready         now  100%  -                 -                 -                 2026-04-19 14:00  plus  ok
* erin@example.com   cooldown   2h 10m   40%  2026-04-22 10:00  2026-04-15 10:00  -                 2026-04-19 14:30  plus  ok
  bob@example.com    cooldown  17h 30m    0%  2026-04-20 09:00  2026-04-13 09:00  2026-04-19 11:00  2026-04-19 11:00  plus  ok
  frank@example.com  cooldown    4d 0h     -  2026-04-23 15:55  2026-04-16 15:55  2026-04-16 17:55  2026-04-16 17:55  -     mismatch
";

const FIRST: &str = "\
ACCOUNT              STATUS  USABLE  LEFT  AVAILABLE AT      SESSION START     QUOTA END  SEEN              PLAN  VALID
  alice@example.com  open       now   66%  2026-04-21 15:55  2026-04-14 15:55  -          2026-04-19 10:00  plus  ok
";

fn accounts(env: &Env, args: &[&str]) -> Vec<Value> {
    let document = env
        .run(&[&["cooldown", "--json"], args].concat())
        .code(0)
        .json();
    document["accounts"].as_array().expect("accounts").clone()
}

#[test]
fn every_kind_of_account_in_the_order_a_reader_wants() {
    let env = six_accounts();
    let before = env.tree("");
    for flag in [&[][..], &["--quiet"], &["--verbose"]] {
        env.run(&[&["cooldown"], flag].concat())
            .code(0)
            .stdout(SIX)
            .stderr("");
    }
    assert_eq!(env.tree(""), before);
}

#[test]
fn the_document_has_the_keys_of_the_contract() {
    let env = six_accounts();
    let document = env.run(&["cooldown", "--json"]).code(0).stderr("").json();
    has_keys(&document, &["now", "accounts"], &[]);
    assert_eq!(document["now"], NOW);
    let accounts = document["accounts"].as_array().expect("accounts");
    for account in accounts {
        has_keys(account, ACCOUNT_KEYS, &[]);
    }
    assert_eq!(
        accounts[3],
        json!({
            "email": "erin@example.com",
            "account_id": "ws-erin",
            "alias": null,
            "plan_type": "plus",
            "status": "cooldown",
            "active": true,
            "session_start_at": "2026-04-15T10:00:00+05:30",
            "next_available_at": "2026-04-22T10:00:00+05:30",
            "usable_at": "2026-04-19T17:40:00+05:30",
            "remaining_seconds": 7800,
            "quota_end_detected_at": null,
            "quota_percent_left": 40,
            "observed_at": "2026-04-19T14:30:00+05:30",
            "source": "status-file",
            "validation_status": "ok",
            "limits": [
                {"name": "Weekly limit", "window_minutes": 10_080, "percent_left": 40, "reset_at": "2026-04-22T10:00:00+05:30"},
                {"name": "5h limit", "window_minutes": 300, "percent_left": 0, "reset_at": "2026-04-19T17:40:00+05:30"},
            ],
            "archive_name": "2026-04-15-100000-erin@example.com-codex.tar.gz",
        })
    );
    assert_eq!(
        accounts[5],
        json!({
            "email": "frank@example.com",
            "account_id": "ws-frank",
            "alias": null,
            "plan_type": null,
            "status": "cooldown",
            "active": false,
            "session_start_at": "2026-04-16T15:55:00+05:30",
            "next_available_at": "2026-04-23T15:55:00+05:30",
            "usable_at": "2026-04-23T15:55:00+05:30",
            "remaining_seconds": 347_100,
            "quota_end_detected_at": "2026-04-16T17:55:00+05:30",
            "quota_percent_left": null,
            "observed_at": "2026-04-16T17:55:00+05:30",
            "source": "legacy",
            "validation_status": "mismatch",
            "limits": [],
            "archive_name": null,
        })
    );
    let usable: Vec<_> = accounts
        .iter()
        .map(|account| (account["status"].as_str(), account["usable_at"].as_str()))
        .collect();
    assert_eq!(
        usable,
        [
            (Some("open"), Some("2026-04-14T15:55:00+05:30")),
            (Some("ready"), Some("2026-04-18T12:00:00+05:30")),
            (Some("ready"), Some("2026-04-19T14:00:00+05:30")),
            (Some("cooldown"), Some("2026-04-19T17:40:00+05:30")),
            (Some("cooldown"), Some("2026-04-20T09:00:00+05:30")),
            (Some("cooldown"), Some("2026-04-23T15:55:00+05:30")),
        ]
    );
}

#[test]
fn a_window_is_over_from_the_second_of_its_reset() {
    let env = six_accounts();
    let bob = |now: &str| {
        let accounts = accounts(&env, &["--now", now]);
        let bob = accounts
            .iter()
            .find(|account| account["email"] == "bob@example.com");
        let bob = bob.expect("known");
        (bob["status"].clone(), bob["remaining_seconds"].clone())
    };
    assert_eq!(
        bob("2026-04-20T08:59:59+05:30"),
        (json!("cooldown"), json!(1))
    );
    assert_eq!(bob("2026-04-20T09:00:00+05:30"), (json!("ready"), json!(0)));
}

#[test]
fn the_same_instants_in_another_zone() {
    let env = six_accounts();
    let table = env
        .run(&["cooldown", "--timezone", "America/New_York", "--limit", "1"])
        .code(0)
        .stdout;
    assert_eq!(
        table,
        "\
ACCOUNT              STATUS  USABLE  LEFT  AVAILABLE AT      SESSION START     QUOTA END  SEEN              PLAN  VALID
  alice@example.com  open       now   66%  2026-04-21 06:25  2026-04-14 06:25  -          2026-04-19 00:30  plus  ok
"
    );
}

#[test]
fn at_most_so_many() {
    let env = six_accounts();
    env.run(&["cooldown", "--limit", "1"])
        .code(0)
        .stdout(FIRST)
        .stderr("");
    assert_eq!(accounts(&env, &["--limit", "2"]).len(), 2);
    assert_eq!(accounts(&env, &["--limit", "0"]).len(), 0);
    assert_eq!(accounts(&env, &["--limit", "99"]).len(), 6);
    env.run(&["cooldown", "--limit", "x"]).code(2).stdout("").stderr(
        "error: invalid value 'x' for '--limit <N>': invalid digit found in string\n\nFor more information, try '--help'.\n",
    );
}

#[test]
fn the_newest_observation_counts_and_small_jitter_keeps_the_first_start() {
    let mut env = Env::new();
    let alice = Person::named("alice");
    snapshot(
        &mut env,
        &alice,
        &alice.panel(66, "15:55 on 21 Apr"),
        "2026-04-19T10:00:00+05:30",
    );
    snapshot(
        &mut env,
        &alice,
        &alice.panel(0, "16:03 on 21 Apr"),
        "2026-04-19T12:00:00+05:30",
    );
    env.set_now(NOW);
    let all = accounts(&env, &[]);
    assert_eq!(all.len(), 1);
    for (key, value) in [
        ("session_start_at", json!("2026-04-14T15:55:00+05:30")),
        ("next_available_at", json!("2026-04-21T15:55:00+05:30")),
        ("status", json!("cooldown")),
        ("quota_percent_left", json!(0)),
        ("observed_at", json!("2026-04-19T12:00:00+05:30")),
        ("quota_end_detected_at", json!("2026-04-19T12:00:00+05:30")),
    ] {
        assert_eq!(all[0][key], value, "{key}");
    }
}

#[test]
fn one_email_in_two_workspaces_is_two_accounts() {
    let mut env = Env::new();
    let alice = Person::named("alice");
    let team = alice.clone().in_workspace("ws-team");
    snapshot(
        &mut env,
        &alice,
        &alice.panel(66, "15:55 on 21 Apr"),
        "2026-04-19T10:00:00+05:30",
    );
    snapshot(
        &mut env,
        &team,
        &team.panel(0, "15:55 on 21 Apr"),
        "2026-04-19T11:00:00+05:30",
    );
    env.set_now(NOW);
    let shown: Vec<_> = accounts(&env, &[])
        .iter()
        .map(|account| {
            (
                account["account_id"].clone(),
                account["status"].clone(),
                account["active"].clone(),
                account["archive_name"].clone(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (
                json!("ws-alice"),
                json!("open"),
                json!(false),
                json!("2026-04-14-155500-alice@example.com-codex.tar.gz")
            ),
            (
                json!("ws-team"),
                json!("cooldown"),
                json!(true),
                json!("2026-04-14-155500-alice@example.com~ws-team-codex.tar.gz")
            ),
        ]
    );
}

#[test]
fn the_live_login_alone_is_an_account_and_so_is_a_key() {
    let env = Env::new();
    env.codex_home(&Person::named("alice"));
    env.run(&["cooldown"]).code(0).stderr("").stdout(
        "\
ACCOUNT              STATUS  USABLE  LEFT  AVAILABLE AT  SESSION START  QUOTA END  SEEN  PLAN  VALID
* alice@example.com  ready      now     -  -             -              -          -     plus  ok
",
    );
    env.write(
        ".codex/auth.json",
        "{\"OPENAI_API_KEY\":\"sk-made-up-secret\"}",
    );
    let all = accounts(&env, &[]);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["email"], json!(null));
    let ran = env.run(&["cooldown"]).code(0).stderr("");
    let name = ran
        .stdout
        .lines()
        .nth(1)
        .expect("a row")
        .split_whitespace()
        .nth(1);
    assert!(
        name.is_some_and(|name| name.starts_with("apikey-") && name.len() == 15),
        "{name:?}"
    );
}

#[test]
fn alias_and_pause_come_from_the_profile() {
    let env = six_accounts();
    env.write(
        ".codex-manager/profiles/job/profile.toml",
        "email = \"carol@example.com\"\nalias = \"work\"\npaused = true\n",
    );
    let ran = env.run(&["cooldown"]).code(0).stderr("");
    assert_eq!(
        ran.stdout.lines().nth(2),
        Some(
            "  carol@example.com (work)  ready, paused      now   20%  2026-04-18 12:00  2026-04-11 12:00  -                 2026-04-15 10:00  plus  ok"
        )
    );
    assert_eq!(accounts(&env, &[])[1]["alias"], "work");
    env.write(".codex-manager/profiles/odd/profile.toml", "pausd = true\n");
    env.run(&["cooldown", "--limit", "1"]).code(0).stderr(
        "warning: the profile `~/.codex-manager/profiles/odd/profile.toml` cannot be read: unknown field `pausd`, expected one of `email`, `user_id`, `account_id`, `plan_type`, `alias`, `paused`, `note`, `session_duration_hours`, `last_used_on`, `last_used_machine`, `last_used_at`\n",
    );
}

#[test]
fn refresh_normalizes_first() {
    let env = Env::new();
    legacy(
        &env,
        "21apr_alice@example.com_auth.json",
        &Person::named("alice").auth_json(),
        "2026-04-14T17:55:00+05:30",
    );
    legacy(
        &env,
        "31feb_x@example.com_auth.json",
        "{}",
        "2026-04-14T17:55:00+05:30",
    );
    let before = prints(&env.path("legacy"));
    env.run(&["cooldown", "--source-dir", "legacy"])
        .code(10)
        .stdout("");
    let table = "\
ACCOUNT              STATUS    USABLE  LEFT  AVAILABLE AT      SESSION START     QUOTA END         SEEN              PLAN  VALID
  alice@example.com  cooldown   2d 0h     -  2026-04-21 15:55  2026-04-14 15:55  2026-04-14 17:55  2026-04-14 17:55  -     ok
";
    env.run(&["cooldown", "--refresh", "--source-dir", "legacy"])
        .code(0)
        .stdout(table)
        .stderr("warning: skipped `31feb_x@example.com_auth.json`: `feb` has no day 31\n");
    env.run(&["cooldown"]).code(0).stdout(table).stderr("");
    env.run(&["cooldown", "--inventory-path", "other.json"])
        .code(10);
    assert_eq!(prints(&env.path("legacy")), before);
    env.run(&["cooldown", "--refresh", "--source-dir", "nowhere"])
        .code(1)
        .stdout("")
        .stderr("error: cannot list `~/nowhere`: no such file or directory\nhint: say where the legacy files lie with `--source-dir`\n");
}

#[test]
fn without_any_evidence_the_next_step_is_told() {
    let env = Env::new();
    let (message, hint) = (
        "no account is known yet: `~/.codex-manager` holds no evidence of any",
        "run `codex-manager backup`, or `codex-manager normalize` where hand-named login copies lie",
    );
    env.run(&["cooldown"])
        .code(10)
        .stdout("")
        .stderr(&format!("error: {message}\nhint: {hint}\n"));
    let ran = env.run(&["cooldown", "--json"]).code(10).stdout("");
    assert_eq!(
        json_error(&ran),
        ("not-found".to_owned(), message.to_owned(), hint.to_owned())
    );
    assert!(!env.path(".codex-manager").exists());
}

#[test]
fn a_broken_registry_is_set_aside_whole_and_never_emptied() {
    let env = six_accounts();
    let home = ".codex-manager";
    for (round, (text, why)) in [
        ("{\"accounts\":[\n", "it is damaged in line 2, column 0"),
        ("", "it is damaged in line 1, column 0"),
        ("[]\n", "it is damaged in line 1, column 0"),
        ("{\"accounts\":{}}", "its accounts are no list"),
    ]
    .into_iter()
    .enumerate()
    {
        env.write(&format!("{home}/cooldown.json"), text);
        let aside = match round {
            0 => "cooldown.json.broken-2026-04-19-153000".to_owned(),
            n => format!("cooldown.json.broken-2026-04-19-153000-{n}"),
        };
        let warning = format!(
            "the registry `~/{home}/cooldown.json` cannot be read: {why}; it was set aside as `~/{home}/{aside}`"
        );
        // A dry run leaves it where it is.
        env.run(&["backup", "--offline", "--dry-run", "--quiet"]).code(0).stderr(&format!(
            "warning: the registry `~/{home}/cooldown.json` cannot be read: {why}; its observations are left out\n"
        ));
        assert_eq!(env.read(&format!("{home}/cooldown.json")), text);
        if round % 2 == 0 {
            env.run(&["cooldown"])
                .code(0)
                .stdout(SIX)
                .stderr(&format!("warning: {warning}\n"));
        } else {
            let ran = env.run(&["cooldown", "--json"]).code(0);
            let told: Value = serde_json::from_str(&ran.stderr).expect("JSON");
            assert_eq!(told, json!({"warning": {"message": warning}}));
        }
        assert_eq!(env.read(&format!("{home}/{aside}")), text);
        assert!(!env.path(&format!("{home}/cooldown.json")).exists());
        env.run(&["cooldown"]).code(0).stdout(SIX).stderr("");
    }
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_shown() {
    let env = six_accounts();
    let backups = ".codex-manager/backups";
    env.write(".codex-manager/inventory.json", "{\n");
    env.write(".codex/auth.json", "x");
    env.write(
        &format!("{backups}/2026-04-11-120000-carol@example.com-codex.metadata.json"),
        "{",
    );
    env.run(&["cooldown", "--limit", "1"]).code(0).stdout(FIRST).stderr(&format!(
        "warning: the sidecar `~/{backups}/2026-04-11-120000-carol@example.com-codex.metadata.json` cannot be read: it is no sidecar (line 1, column 1)\n\
         warning: the inventory `~/.codex-manager/inventory.json` cannot be read: it is damaged in line 2, column 0; its records are left out\n\
         warning: cannot tell whose login `~/.codex/auth.json` is: it is no login of Codex (line 1, column 1)\n"
    ));
    // The registry still knows carol; only frank's one record is lost, and nobody is active.
    let all = accounts(&env, &[]);
    assert_eq!(all.len(), 5);
    assert!(all.iter().all(|account| account["active"] == json!(false)));
    assert_eq!(env.read(".codex-manager/inventory.json"), "{\n");
}

#[test]
fn old_sidecars_are_left_unread_unless_they_can_matter() {
    let mut env = Env::new();
    let alice = Person::named("alice");
    let team = alice.clone().in_workspace("ws-team");
    snapshot(
        &mut env,
        &alice,
        &alice.panel(0, "15:55 on 17 Mar"),
        "2026-03-15T10:00:00+05:30",
    );
    snapshot(
        &mut env,
        &alice,
        &alice.panel(66, "15:55 on 21 Apr"),
        "2026-04-19T10:00:00+05:30",
    );
    env.set_now(NOW);
    let told = |env: &Env, args: &[&str]| env.run(args).code(0).stderr;
    let old = ".codex-manager/backups/2026-03-10-155500-alice@example.com-codex.metadata.json";
    let sound = env.read(old);
    let healthy = env.run(&["cooldown"]).code(0).stderr("").stdout;
    env.write(old, "{");
    // Nothing in it could change the answer; a list of backups shows it, and says what is wrong.
    env.run(&["cooldown"]).code(0).stderr("").stdout(&healthy);
    assert!(told(&env, &["list-backups"]).contains("cannot be read"));
    // It may be of another account, once there is one.
    snapshot(
        &mut env,
        &team,
        &team.panel(66, "15:55 on 21 Apr"),
        "2026-04-19T11:00:00+05:30",
    );
    env.set_now(NOW);
    assert!(told(&env, &["cooldown"]).contains("cannot be read"));
    env.write(old, &sound.replace("ws-alice", "ws-third"));
    let spaces: Vec<_> = accounts(&env, &[])
        .iter()
        .map(|account| account["account_id"].clone())
        .collect();
    assert_eq!(spaces, ["ws-third", "ws-alice", "ws-team"]);
    // What names alone tell is told however old it is.
    env.write(old, &sound);
    let lonely = ".codex-manager/backups/2026-01-10-155500-bob@example.com-codex.metadata.json";
    env.write(lonely, &sound);
    fs::remove_file(env.path(old)).expect("removes");
    let told = told(&env, &["cooldown"]);
    assert!(told.contains("has no archive beside it"), "{told}");
    assert!(told.contains("has no sidecar"), "{told}");
}

#[test]
fn colour_only_where_it_is_wanted() {
    let env = six_accounts();
    let with = |variables: &[(&str, &str)], flags: &[&str]| {
        let args = [&["cooldown"], flags].concat();
        let mut command = env.command(&args);
        command.envs(variables.iter().copied());
        env.ran(&mut command, &args).code(0).stderr("").stdout
    };
    let mut coloured = String::new();
    for (place, line) in SIX.lines().enumerate() {
        let code = ["1", "32", "32", "32", "2", "2", "2"][place];
        coloured.push_str(&format!("\x1b[{code}m{line}\x1b[0m\n"));
    }
    let no_color = [("NO_COLOR", "1")];
    assert_eq!(with(&[], &["--color", "always"]), coloured);
    assert_eq!(with(&no_color, &["--color", "always"]), coloured);
    assert_eq!(with(&[], &["--color", "never"]), SIX);
    assert_eq!(with(&[], &["--color", "auto"]), SIX);
    assert_eq!(with(&no_color, &[]), SIX);
    env.write(".codex-manager/config.toml", "color = \"always\"\n");
    assert_eq!(with(&[], &[]), coloured);
    assert_eq!(with(&no_color, &[]), SIX);
    assert_eq!(with(&[], &["--color", "never"]), SIX);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let env = six_accounts();
    for args in [
        &["cooldown"][..],
        &["cooldown", "--json"],
        &["list-backups"],
        &["recommend"],
        &["config", "list"],
        &["normalize", "--source-dir", "legacy", "--quiet"],
        &["--help"],
        &["--version"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let child = env
            .command(args)
            .stdout(Stdio::from(writer))
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let output = child.wait_with_output().expect("ends");
        assert_eq!(
            (
                output.status.code(),
                String::from_utf8_lossy(&output.stderr).as_ref()
            ),
            (Some(0), ""),
            "{args:?}"
        );
    }
}

#[test]
fn a_manager_home_that_is_a_file_is_named() {
    let env = Env::new();
    fs::write(env.path(".codex-manager"), "x").expect("writes");
    let ran = env.run(&["cooldown"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("`~/.codex-manager/config.toml`"),
        "{}",
        ran.stderr
    );
}

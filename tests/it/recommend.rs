//! `recommend`: which account to use next, why, and the exit code for none.

use serde_json::json;

use crate::common::{Env, NOW, Person};
use crate::cooldown::ACCOUNT_KEYS;
use crate::worlds::{has_keys, json_error, legacy, six_accounts, snapshot};

fn paused(env: &Env, name: &str) {
    env.write(
        &format!(".codex-manager/profiles/{name}/profile.toml"),
        &format!("email = \"{name}@example.com\"\npaused = true\n"),
    );
}

/// Who is recommended, and why.
fn advice(env: &Env, args: &[&str]) -> (String, String) {
    let document = env.run(&[&["recommend", "--json"], args].concat()).json();
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    (
        text(&document["account"]["email"]),
        text(&document["reason"]),
    )
}

fn told(email: &str, reason: &str) -> (String, String) {
    (email.to_owned(), reason.to_owned())
}

#[test]
fn the_least_recently_used_is_the_default() {
    let env = six_accounts();
    let before = env.tree("");
    let dora = "\
account    dora@example.com
status     ready
usable     now
window     none is running
archive    2026-04-19-140000-dora@example.com-codex.tar.gz
reason     No window of it is running, and of 3 usable accounts it was used least recently.
";
    for flag in [&[][..], &["--policy", "lru"], &["--quiet"], &["--verbose"]] {
        env.run(&[&["recommend"], flag].concat())
            .code(0)
            .stdout(dora)
            .stderr("");
    }
    assert_eq!(env.tree(""), before);
}

#[test]
fn drain_takes_the_open_one_that_resets_soonest() {
    let mut env = six_accounts();
    let alice = "\
account    alice@example.com
status     open
usable     now
window     2026-04-14T15:55:00+05:30 to 2026-04-21T15:55:00+05:30
archive    2026-04-14-155500-alice@example.com-codex.tar.gz
reason     Its window is open with 66% left, and of 3 usable accounts it resets soonest.
";
    env.run(&["recommend", "--policy", "drain"])
        .code(0)
        .stdout(alice)
        .stderr("");
    env.write(
        ".codex-manager/config.toml",
        "[recommend]\npolicy = \"drain\"\n",
    );
    env.run(&["recommend"]).code(0).stdout(alice).stderr("");
    assert_eq!(advice(&env, &["--policy", "lru"]).0, "dora@example.com");
    let gina = Person::named("gina");
    snapshot(
        &mut env,
        &gina,
        &gina.panel(5, "18:00"),
        "2026-04-19T15:00:00+05:30",
    );
    env.set_now(NOW);
    assert_eq!(
        advice(&env, &[]),
        told(
            "gina@example.com",
            "Its window is open with 5% left, and of 4 usable accounts it resets soonest."
        )
    );
    // None open: as for lru.
    for name in ["alice", "gina"] {
        paused(&env, name);
    }
    assert_eq!(
        advice(&env, &[]),
        told(
            "dora@example.com",
            "No window of it is running, and of 2 usable accounts it was used least recently."
        )
    );
}

#[test]
fn the_document_has_the_keys_of_the_contract() {
    let env = six_accounts();
    let document = env.run(&["recommend", "--json"]).code(0).stderr("").json();
    has_keys(&document, &["account", "reason", "policy", "ready"], &[]);
    has_keys(&document["account"], ACCOUNT_KEYS, &[]);
    assert_eq!(
        document,
        json!({
            "account": {
                "email": "dora@example.com",
                "account_id": "ws-dora",
                "alias": null,
                "plan_type": "plus",
                "status": "ready",
                "active": false,
                "session_start_at": null,
                "next_available_at": null,
                "usable_at": "2026-04-19T14:00:00+05:30",
                "remaining_seconds": 0,
                "quota_end_detected_at": null,
                "quota_percent_left": 100,
                "observed_at": "2026-04-19T14:00:00+05:30",
                "source": "status-file",
                "validation_status": "ok",
                "limits": [
                    {"name": "Weekly limit", "window_minutes": 10_080, "percent_left": 100, "reset_at": "2026-04-26T14:00:00+05:30"},
                    {"name": "5h limit", "window_minutes": 300, "percent_left": 88, "reset_at": "2026-04-19T17:40:00+05:30"},
                ],
                "archive_name": "2026-04-19-140000-dora@example.com-codex.tar.gz",
            },
            "reason": "No window of it is running, and of 3 usable accounts it was used least recently.",
            "policy": "lru",
            "ready": true,
        })
    );
}

#[test]
fn paused_accounts_are_passed_over() {
    let env = six_accounts();
    paused(&env, "carol");
    paused(&env, "alice");
    assert_eq!(
        advice(&env, &[]),
        told(
            "dora@example.com",
            "No window of it is running, and it is the only account that is usable now."
        )
    );
    paused(&env, "dora");
    env.run(&["recommend"]).code(4).stderr("").stdout(
        "\
account    erin@example.com
status     cooldown
usable     2h 10m
window     2026-04-15T10:00:00+05:30 to 2026-04-22T10:00:00+05:30
archive    2026-04-15-100000-erin@example.com-codex.tar.gz
reason     No account is usable now; this one is the first to be, in 2h 10m, at 2026-04-19T17:40:00+05:30.
",
    );
    for name in ["erin", "bob", "frank"] {
        paused(&env, name);
    }
    env.run(&["recommend"]).code(10).stdout("").stderr(
        "error: every known account is paused\nhint: `codex-manager profile set NAME paused=false` has one recommended again\n",
    );
    let ran = env.run(&["recommend", "--json"]).code(10).stdout("");
    assert_eq!(json_error(&ran).0, "not-found");
}

#[test]
fn none_usable_is_the_earliest_and_exit_code_4() {
    let mut env = Env::new();
    for (name, resets) in [("alice", "15:55 on 21 Apr"), ("bob", "09:00 on 20 Apr")] {
        let person = Person::named(name);
        snapshot(
            &mut env,
            &person,
            &person.panel(0, resets),
            "2026-04-19T10:00:00+05:30",
        );
    }
    env.set_now(NOW);
    for policy in ["lru", "drain"] {
        let document = env
            .run(&["recommend", "--json", "--policy", policy])
            .code(4)
            .stderr("")
            .json();
        assert_eq!(document["account"]["email"], "bob@example.com");
        assert_eq!(document["account"]["remaining_seconds"], 63_000);
        assert_eq!(document["ready"], false);
        assert_eq!(document["policy"], policy);
        assert_eq!(
            document["reason"],
            "No account is usable now; this one is the first to be, in 17h 30m, at 2026-04-20T09:00:00+05:30."
        );
    }
    // Nothing is done then.
    let before = env.tree("");
    for deed in ["--use", "--restore"] {
        let document = env
            .run(&["recommend", deed, "--json"])
            .code(4)
            .stderr("")
            .json();
        assert_eq!(document["ready"], false);
    }
    assert_eq!(env.tree(""), before);
    env.run(&["recommend", "--now", "2026-04-20T09:00:00+05:30"])
        .code(0);
}

#[test]
fn the_active_account_counts_as_just_used() {
    let mut env = Env::new();
    for (name, seen) in [
        ("alice", "2026-04-15T10:00:00+05:30"),
        ("bob", "2026-04-16T10:00:00+05:30"),
    ] {
        let person = Person::named(name);
        snapshot(
            &mut env,
            &person,
            &person.panel(50, "12:00 on 18 Apr"),
            seen,
        );
    }
    env.set_now(NOW);
    // Equal windows: bob is signed in, so alice.
    assert_eq!(advice(&env, &[]).0, "alice@example.com");
    env.write(".codex/auth.json", &Person::named("alice").auth_json());
    assert_eq!(advice(&env, &[]).0, "bob@example.com");
}

#[test]
fn at_equal_use_a_verified_account_goes_before_a_mismatch() {
    let env = Env::new();
    for file in [
        "23apr_alice@example.com_auth.json",
        "21apr_bob@example.com_auth.json",
    ] {
        let name = if file.contains("alice") {
            "alice"
        } else {
            "bob"
        };
        let person = Person {
            last_refresh: "2026-01-01T00:00:00Z".to_owned(),
            ..Person::named(name)
        };
        legacy(&env, file, &person.auth_json(), "2026-04-14T17:55:00+05:30");
    }
    env.run(&["normalize", "--source-dir", "legacy"]).code(0);
    let later = ["--now", "2026-04-25T00:00:00+05:30"];
    assert_eq!(
        advice(&env, &later),
        told(
            "bob@example.com",
            "Its last window is over, and of 2 usable accounts it was used least recently; `use` knows no login of it yet."
        )
    );
    paused(&env, "bob");
    assert_eq!(
        advice(&env, &later),
        told(
            "alice@example.com",
            "Its last window is over, and it is the only account that is usable now, though the name of its legacy file contradicts the computed window; `use` knows no login of it yet."
        )
    );
}

#[test]
fn what_is_recommended_is_restored_where_that_is_asked_for() {
    let mut env = Env::new();
    crate::sync::snapshot(&mut env, "alice", 2, "hers");
    crate::sync::snapshot(&mut env, "bob", 9, "his");
    let told = "alice@example.com: Its last window is over, and of 2 usable accounts it was used least recently.\n";
    let before = env.tree("");
    let dry = env
        .run(&["recommend", "--restore", "--dry-run", "--json"])
        .code(0);
    assert_eq!(dry.json()["mode"], "dry-run");
    assert_eq!(env.tree(""), before);
    let ran = env.run(&["recommend", "--restore"]).code(2).stdout("");
    assert!(ran.stderr.starts_with(told), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("nobody is there to be asked"),
        "{}",
        ran.stderr
    );
    assert_eq!(env.read(".codex/config.toml"), "model = \"his\"\n");
    for args in [&["--restore", "--use"][..], &["--yes"], &["--force"]] {
        env.run(&[&["recommend"], args].concat()).code(2).stdout("");
    }
    let ran = env
        .run(&["recommend", "--restore", "--yes", "--json"])
        .code(0);
    let document = ran.json();
    assert_eq!(
        (&document["mode"], &document["email"]),
        (&json!("restored"), &json!("alice@example.com"))
    );
    assert_eq!(env.read(".codex/config.toml"), "model = \"hers\"\n");
    assert_eq!(
        env.read(".codex/auth.json"),
        Person::named("alice").auth_json()
    );
    // Whoever has no snapshot is passed over; a safety copy is none.
    for path in env.files(".codex-manager/backups") {
        if path.contains("bob") && !path.starts_with("safety/") {
            std::fs::remove_file(env.path(&format!(".codex-manager/backups/{path}")))
                .expect("removes");
        }
    }
    let ran = env.run(&["recommend", "--restore", "--yes"]).code(0);
    let passed =
        "warning: bob@example.com is passed over: there is no snapshot of it\nalice@example.com: ";
    assert!(ran.stderr.starts_with(passed), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("restored  "), "{}", ran.stdout);
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
    env.run(&["recommend", "--source-dir", "legacy"])
        .code(10)
        .stdout("");
    env.run(&["recommend", "--refresh", "--source-dir", "legacy"])
        .code(4)
        .stderr("")
        .stdout(
            "\
account    alice@example.com
status     cooldown
usable     2d 0h
window     2026-04-14T15:55:00+05:30 to 2026-04-21T15:55:00+05:30
archive    -
reason     No account is usable now; this one is the first to be, in 2d 0h, at 2026-04-21T15:55:00+05:30.
",
        );
    assert!(env.path(".codex-manager/inventory.json").is_file());
}

#[test]
fn without_any_account_the_next_step_is_told() {
    let env = Env::new();
    env.run(&["recommend"]).code(10).stdout("").stderr(
        "error: no account is known yet: `~/.codex-manager` holds no evidence of any\n\
         hint: run `codex-manager backup`, or `codex-manager normalize` where hand-named login copies lie\n",
    );
    assert!(!env.path(".codex-manager").exists());
}

#[test]
fn an_unknown_policy_is_a_usage_error() {
    let env = Env::new();
    env.run(&["recommend", "--policy", "best"]).code(2).stdout("").stderr(
        "error: invalid value 'best' for '--policy <POLICY>'\n  [possible values: lru, drain]\n\nFor more information, try '--help'.\n",
    );
}

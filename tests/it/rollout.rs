//! The hint from Codex's session files, and the record of who was signed in that says whose it is.

use serde_json::{Value, json};

use crate::common::{Env, Person};
use crate::worlds::json_error;

const REGISTRY: &str = ".codex-manager/cooldown.json";
const HINT: [&str; 4] = ["status", "--status-source", "rollout", "--json"];
const OFFLINE: [&str; 3] = ["backup", "--offline", "--json"];

/// When the backup of [`world`] noted that alice is signed in.
const NOTED: &str = "2026-04-15T10:00:00+05:30";

/// The end of alice's window as Codex counts: 2026-04-21T15:55:00+05:30.
const RESET: i64 = 1_776_767_100;

/// A world in which a backup of alice's home, by her panel, was made at [`NOTED`], a day before now.
fn world() -> (Env, Person) {
    let mut env = Env::at(NOTED);
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    backup_of_panel(&env);
    env.set_now("2026-04-16T10:00:00+05:30");
    (env, alice)
}

fn backup_of_panel(env: &Env) {
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
}

/// A session file: begun at, of a creator where one is named, and one line at, with so much of the week used.
fn session(env: &Env, name: &str, began: &str, creator: Option<&Person>, at: &str, used: u8) {
    let mut meta = json!({"id": name, "timestamp": began, "cwd": "/", "cli_version": "0.169.0"});
    if let Some(creator) = creator {
        meta["creator_user_id"] = json!(creator.user);
        meta["creator_account_id"] = json!(creator.workspace);
    }
    let limits = json!({"limit_id": "codex", "primary": {"used_percent": used, "window_minutes": 10080, "resets_at": RESET},
        "secondary": null, "plan_type": "plus"});
    let lines = [
        json!({"timestamp": began, "type": "session_meta", "payload": meta}),
        json!({"timestamp": at, "type": "event_msg", "payload": {"type": "token_count", "info": null, "rate_limits": limits}}),
    ];
    let place = format!(".codex/sessions/2026/04/15/rollout-{name}.jsonl");
    env.write(&place, &format!("{}\n{}\n", lines[0], lines[1]));
    env.touch(&place, at);
}

/// Who was signed in to the world's Codex home, since when and until when seen.
fn record(env: &Env) -> Vec<Value> {
    let registry: Value = serde_json::from_str(&env.read(REGISTRY)).expect("json");
    let home = env.path(".codex").canonicalize().expect("stands");
    let live = registry["live"].as_array().cloned().unwrap_or_default();
    live.into_iter()
        .inspect(|live| assert_eq!(live["codex_home"], json!(home.to_string_lossy())))
        .map(|live| json!([live["email"], live["since"], live["seen"]]))
        .collect()
}

/// Restores alice's or bob's snapshot of `name`.
fn restore(env: &Env, email: &str) {
    env.run(&["restore", email, "--yes", "--auth-only"]).code(0);
}

/// Why there is no hint.
fn refused(env: &Env) -> String {
    let ran = env.run(&HINT).code(14).stdout("");
    let (kind, message, hint) = json_error(&ran);
    assert_eq!(kind, "no-status");
    assert!(!hint.is_empty());
    message
}

#[test]
fn a_session_of_the_account_is_a_hint() {
    let (env, alice) = world();
    session(
        &env,
        "a",
        "2026-04-15T06:00:00Z",
        Some(&alice),
        "2026-04-16T04:00:00.5Z",
        60,
    );
    let status = env.run(&HINT).code(0).stderr("").json();
    assert_eq!(status["status_source"], "rollout");
    assert_eq!(status["observed_at"], "2026-04-16T09:30:00+05:30");
    assert_eq!(status["email"], "alice@example.com");
    assert_eq!(status["quota_percent_left"], 40);
    assert_eq!(status["reset_at"], "2026-04-21T15:55:00+05:30");
    assert_eq!(status["session_start_at"], "2026-04-14T15:55:00+05:30");
    let made = env
        .run(&["backup", "--status-source", "rollout", "--json"])
        .code(0)
        .stderr("")
        .json();
    assert_eq!(made["snapshot"]["status_source"], "rollout");
    assert_eq!(made["snapshot"]["quota_percent_left"], 40);
    assert_eq!(made["snapshot"]["observed_at"], "2026-04-16T09:30:00+05:30");
}

#[test]
fn offline_takes_the_newer_of_what_is_known_and_what_is_hinted() {
    let (env, _) = world();
    let taken = |env: &Env| {
        let snapshot = &env.run(&OFFLINE).code(0).stderr("").json()["snapshot"];
        json!([
            snapshot["status_source"],
            snapshot["quota_percent_left"],
            snapshot["observed_at"]
        ])
    };
    // Of the very second the panel was read: not newer.
    session(&env, "a", NOTED, None, NOTED, 50);
    assert_eq!(taken(&env), json!(["offline", 66, NOTED]));
    session(
        &env,
        "b",
        "2026-04-15T06:00:00Z",
        None,
        "2026-04-16T04:00:00Z",
        60,
    );
    assert_eq!(
        taken(&env),
        json!(["rollout", 40, "2026-04-16T09:30:00+05:30"])
    );
}

#[test]
fn offline_without_a_believable_hint_takes_what_is_known() {
    let (env, _) = world();
    let bob = Person::named("bob");
    session(
        &env,
        "a",
        "2026-04-15T06:00:00Z",
        Some(&bob),
        "2026-04-16T04:00:00Z",
        60,
    );
    let made = env.run(&OFFLINE).code(0).stderr("").json();
    assert_eq!(made["snapshot"]["status_source"], "offline");
    assert_eq!(made["snapshot"]["quota_percent_left"], 66);
    assert!(refused(&env).ends_with("the session was begun by another account"));
}

#[test]
fn a_session_begun_before_a_switch_speaks_for_the_old_account() {
    let (mut env, alice) = world();
    let bob = Person::named("bob");
    env.write(".codex/auth.json", &bob.auth_json());
    env.write("status.txt", &bob.panel(90, "15:55 on 21 Apr"));
    backup_of_panel(&env);
    env.set_now("2026-04-16T11:00:00+05:30");
    restore(&env, "alice@example.com");
    env.set_now("2026-04-16T12:00:00+05:30");
    // Bob's Codex was open all along, and named nobody.
    session(
        &env,
        "a",
        "2026-04-16T10:30:00+05:30",
        None,
        "2026-04-16T11:30:00+05:30",
        60,
    );
    assert_eq!(
        refused(&env),
        "the session files' last rate limits, of 2026-04-16 11:30, cannot be taken to be of alice@example.com: the \
         account was switched while the session went on"
    );
    // An older line of a session that is hers counts before a newer one that is not.
    session(
        &env,
        "b",
        "2026-04-16T11:05:00+05:30",
        Some(&alice),
        "2026-04-16T11:10:00+05:30",
        55,
    );
    let status = env.run(&HINT).code(0).stderr("").json();
    assert_eq!(status["quota_percent_left"], 45);
}

#[test]
fn without_a_record_no_hint_is_believed() {
    let env = Env::at("2026-04-16T10:00:00+05:30");
    let alice = Person::named("alice");
    env.codex_home(&alice);
    assert_eq!(
        refused(&env),
        "there are no rate limits in the session files of `~/.codex`"
    );
    session(
        &env,
        "a",
        "2026-04-15T06:00:00Z",
        Some(&alice),
        "2026-04-16T04:00:00Z",
        60,
    );
    assert_eq!(
        refused(&env),
        "the session files' last rate limits, of 2026-04-16 09:30, cannot be taken to be of alice@example.com: it is not \
         known who was signed in then: no backup or restore has noted yet who is signed in to this Codex home"
    );
    // Asking leaves nothing behind.
    assert!(!env.path(REGISTRY).exists());
}

#[test]
fn a_login_that_was_exchanged_by_hand_leaves_a_gap() {
    let (mut env, alice) = world();
    let bob = Person::named("bob");
    session(
        &env,
        "a",
        "2026-04-15T06:00:00Z",
        None,
        "2026-04-16T04:00:00Z",
        60,
    );
    env.write(".codex/auth.json", &bob.auth_json());
    assert!(
        refused(&env).ends_with("the account was switched since then, and nobody noted when"),
        "{}",
        refused(&env)
    );
    env.write("status.txt", &bob.panel(90, "15:55 on 21 Apr"));
    backup_of_panel(&env);
    env.set_now("2026-04-16T11:00:00+05:30");
    env.write(".codex/auth.json", &alice.auth_json());
    assert!(
        refused(&env).ends_with("the account was switched around that time, and nobody noted when"),
        "{}",
        refused(&env)
    );
}

#[test]
fn backup_notes_who_is_signed_in() {
    let (mut env, _) = world();
    assert_eq!(record(&env), [json!(["alice@example.com", NOTED, NOTED])]);
    let later = "2026-04-16T10:00:00+05:30";
    env.run(&["backup", "--offline", "--dry-run"]).code(0);
    assert_eq!(record(&env), [json!(["alice@example.com", NOTED, NOTED])]);
    env.run(&["backup", "--offline"]).code(0);
    assert_eq!(record(&env), [json!(["alice@example.com", NOTED, later])]);
    let bob = Person::named("bob");
    env.write(".codex/auth.json", &bob.auth_json());
    env.write("status.txt", &bob.panel(90, "15:55 on 21 Apr"));
    env.set_now("2026-04-17T10:00:00+05:30");
    backup_of_panel(&env);
    assert_eq!(
        record(&env),
        [
            json!(["alice@example.com", NOTED, later]),
            json!([
                "bob@example.com",
                "2026-04-17T10:00:00+05:30",
                "2026-04-17T10:00:00+05:30"
            ])
        ]
    );
}

#[test]
fn a_table_with_a_hint_notes_who_is_signed_in_and_keeps_no_hint() {
    let (env, _) = world();
    session(
        &env,
        "a",
        "2026-04-15T06:00:00Z",
        None,
        "2026-04-16T04:00:00Z",
        60,
    );
    let live = ["cooldown", "--live", "--status-source", "rollout", "--json"];
    let before = env.read(REGISTRY);
    env.run(&[&live[..], &["--dry-run"]].concat()).code(0);
    assert_eq!(env.read(REGISTRY), before);
    let shown = env.run(&live).code(0).stderr("").json();
    assert_eq!(shown["accounts"][0]["quota_percent_left"], 40);
    assert_eq!(
        record(&env),
        [json!([
            "alice@example.com",
            NOTED,
            "2026-04-16T10:00:00+05:30"
        ])]
    );
    let registry: Value = serde_json::from_str(&env.read(REGISTRY)).expect("json");
    let kept = &registry["accounts"][0]["observation"];
    assert_eq!(kept["source"], "status-file");
    assert_eq!(kept["quota_percent_left"], 66);
}

#[test]
fn restore_notes_who_was_signed_in_and_who_is() {
    let (mut env, _) = world();
    let bob = Person::named("bob");
    env.write(".codex/auth.json", &bob.auth_json());
    env.write("status.txt", &bob.panel(90, "15:55 on 21 Apr"));
    backup_of_panel(&env);
    let at = "2026-04-16T11:00:00+05:30";
    env.set_now(at);
    let before = env.read(REGISTRY);
    env.run(&["restore", "alice@example.com", "--dry-run"])
        .code(0);
    assert_eq!(env.read(REGISTRY), before);
    restore(&env, "alice@example.com");
    assert_eq!(
        record(&env),
        [
            json!(["alice@example.com", NOTED, NOTED]),
            json!(["bob@example.com", "2026-04-16T10:00:00+05:30", at]),
            json!(["alice@example.com", at, at])
        ]
    );
}

#[test]
fn a_window_that_moved_is_kept_with_its_cause() {
    let (mut env, alice) = world();
    env.write("status.txt", &alice.panel(99, "09:00 on 23 Apr"));
    backup_of_panel(&env);
    env.set_now("2026-04-24T10:00:00+05:30");
    env.write("status.txt", &alice.panel(97, "09:30 on 1 May"));
    backup_of_panel(&env);
    let registry: Value = serde_json::from_str(&env.read(REGISTRY)).expect("json");
    let changes = &registry["accounts"][0]["changes"];
    let told: Vec<Value> = changes
        .as_array()
        .expect("a list")
        .iter()
        .map(|change| {
            let start = |side: &str| change[side]["session_start_at"].clone();
            json!([
                change["at"],
                change["source"],
                change["cause"],
                start("before"),
                start("after")
            ])
        })
        .collect();
    assert_eq!(
        told,
        [
            json!([
                "2026-04-16T10:00:00+05:30",
                "status-file",
                "moved-early",
                "2026-04-14T15:55:00+05:30",
                "2026-04-16T09:00:00+05:30"
            ]),
            json!([
                "2026-04-24T10:00:00+05:30",
                "status-file",
                "expired",
                "2026-04-16T09:00:00+05:30",
                "2026-04-24T09:30:00+05:30"
            ]),
        ]
    );
}

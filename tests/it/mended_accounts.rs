//! What was once told wrongly of accounts, each held in place by a test of its own.

use serde_json::{Value, json};

use crate::common::{Env, NOW, Person};
use crate::worlds::{snapshot, squeezed};

/// Makes a snapshot with this panel as of `now`, which says 0 % of the same window in all tests here.
fn exhausted(env: &mut Env, name: &str, now: &str) {
    let person = Person::named(name);
    let panel = person.panel(0, "12:00 on 20 Apr");
    snapshot(env, &person, &panel, now);
}

/// A registry that knows of these accounts: a name, a workspace, and what was observed besides.
fn registry(env: &Env, accounts: &[(&str, &str, Value)]) {
    let entries: Vec<Value> = accounts
        .iter()
        .map(|(name, workspace, seen)| {
            let mut observation = json!({
                "source": "app-server", "observed_at": "2026-04-19T10:00:00+05:30", "session_start_at": null,
                "reset_at": null, "window_state": "unknown", "quota_percent_left": null, "quota_text": null,
                "limits": [], "quota_end_detected_at": null, "is_guess": false, "validation_status": "ok",
                "plan_type": null,
            });
            for (key, value) in seen.as_object().expect("an object") {
                observation[key] = value.clone();
            }
            json!({
                "email": format!("{name}@example.com"), "user_id": format!("user-{name}"),
                "account_id": workspace, "observation": observation,
            })
        })
        .collect();
    let document = json!({"schema_version": 1, "accounts": entries});
    env.write(".codex-manager/cooldown.json", &document.to_string());
}

/// An observation of a window that resets then, with this much left.
fn window(start: &str, reset: &str, left: u8) -> Value {
    json!({
        "session_start_at": start, "reset_at": reset, "window_state": "running", "quota_percent_left": left,
    })
}

#[test]
fn asked_about_again_an_exhausted_account_keeps_the_end_of_its_quota() {
    let mut env = Env::new();
    exhausted(&mut env, "ann", "2026-04-14T12:00:00+05:30");
    exhausted(&mut env, "bob", "2026-04-16T12:00:00+05:30");
    exhausted(&mut env, "ann", "2026-04-19T12:00:00+05:30");
    env.write(".codex/auth.json", &Person::named("zed").auth_json());
    env.set_now("2026-04-21T12:00:00+05:30");
    let document = env.run(&["cooldown", "--json"]).code(0).json();
    let mut accounts = document["accounts"].as_array().expect("a list").iter();
    let ann = accounts.find(|row| row["email"] == "ann@example.com");
    let ann = ann.expect("known");
    assert_eq!(ann["quota_end_detected_at"], "2026-04-14T12:00:00+05:30");
    assert_eq!(ann["observed_at"], "2026-04-19T12:00:00+05:30");
    let document = env.run(&["recommend", "--json"]).code(0).json();
    assert_eq!(document["account"]["email"], "ann@example.com");
}

#[test]
fn where_nobody_says_until_when_an_account_is_held_back_it_is_unknown() {
    let env = Env::new();
    let refused = json!({"is_refused": true});
    registry(&env, &[("ann", "ws-ann", refused.clone())]);
    let reason = "No account is usable now, and nobody says when one will be.";
    env.run(&["recommend"]).code(4).stderr("").stdout(&format!(
        "account    ann@example.com\nstatus     cooldown\nusable     -\nwindow     none is running\narchive    -\nreason     {reason}\n"
    ));
    env.write(".codex/auth.json", &Person::named("ann").auth_json());
    let ran = env.run(&[]).code(0);
    for told in [
        "signed in  ann@example.com (cooldown, nobody says until when)\n",
        "           no account is usable now, and nobody says when one will be\n",
    ] {
        assert!(ran.stdout.contains(told), "{}", ran.stdout);
    }
    std::fs::remove_file(env.path(".codex/auth.json")).expect("removes");
    registry(
        &env,
        &[
            ("ann", "ws-ann", refused),
            (
                "bob",
                "ws-bob",
                window("2026-04-14T12:00:00+05:30", "2026-04-21T12:00:00+05:30", 0),
            ),
        ],
    );
    let document = env.run(&["cooldown", "--json"]).code(0).json();
    let told: Vec<_> = document["accounts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| {
            let keys = ["email", "status", "usable_at", "remaining_seconds"];
            keys.map(|key| row[key].clone())
        })
        .collect();
    assert_eq!(
        told,
        [
            [
                json!("bob@example.com"),
                json!("cooldown"),
                json!("2026-04-21T12:00:00+05:30"),
                json!(160_200)
            ],
            [
                json!("ann@example.com"),
                json!("cooldown"),
                Value::Null,
                Value::Null
            ],
        ]
    );
    let ran = env.run(&["cooldown"]).code(0);
    let ann = ran.stdout.lines().nth(2).expect("a row");
    assert!(
        ann.starts_with("  ann@example.com  cooldown       -  "),
        "{ann}"
    );
    let ran = env.run(&["cooldown", "--timeline"]).code(0);
    assert!(
        ran.stdout
            .lines()
            .any(|line| line.starts_with("  ann@example.com  cooldown       -  ")),
        "{}",
        ran.stdout
    );
    let document = env.run(&["recommend", "--json"]).code(4).json();
    assert_eq!(document["account"]["email"], "bob@example.com");
    // Who is waited for is the one of whom it is known.
    let ran = env
        .run(&["recommend", "--wait", "--now", "2026-04-21T11:59:59+05:30"])
        .code(0);
    assert_eq!(
        ran.stderr,
        "waiting for bob@example.com, which is the first to be usable: in 1m, at 2026-04-21 12:00\n"
    );
}

#[test]
fn where_profiles_cannot_be_listed_nobody_is_recommended() {
    let mut env = Env::new();
    exhausted(&mut env, "ann", "2026-04-14T12:00:00+05:30");
    env.run(&["profile", "set", "ann", "paused=true"]).code(0);
    env.set_now("2026-04-21T12:00:00+05:30");
    let profiles = env.path(".codex-manager/profiles");
    std::fs::rename(&profiles, env.path("aside")).expect("moves");
    std::fs::write(&profiles, "").expect("writes");
    #[cfg(unix)]
    {
        let told = "cannot list `~/.codex-manager/profiles`: not a directory";
        let hint = "hint: mend its permissions, or move it away\n";
        env.run(&["recommend"])
            .code(1)
            .stdout("")
            .stderr(&format!("error: {told}\n{hint}"));
        let ran = env.run(&["cooldown"]).code(0);
        assert_eq!(
            ran.stderr,
            format!("warning: {told}; what the profiles say is left out\n")
        );
    }
    env.run(&["recommend", "--wait"]).code(1).stdout("");
    env.run(&["use", "ann"]).code(1).stdout("");
}

#[test]
fn a_key_that_nobody_knows_does_not_hide_that_a_profile_is_paused() {
    let mut env = Env::new();
    exhausted(&mut env, "ann", "2026-04-14T12:00:00+05:30");
    env.set_now("2026-04-21T12:00:00+05:30");
    let toml = ".codex-manager/profiles/ann/profile.toml";
    let text = env.read(toml);
    env.write(toml, &format!("{text}paused = true\ncolour = \"x\"\n"));
    let ran = env.run(&["recommend"]).code(10).stdout("");
    let (warning, rest) = ran.stderr.split_once('\n').expect("lines");
    assert_eq!(
        warning,
        "warning: the profile `~/.codex-manager/profiles/ann/profile.toml` cannot be read: unknown field `colour`, expected \
         one of `email`, `user_id`, `account_id`, `plan_type`, `alias`, `paused`, `note`, `session_duration_hours`, \
         `last_used_on`, `last_used_machine`, `last_used_at`; the rest of it counts"
    );
    assert!(
        rest.starts_with("error: every known account is paused\n"),
        "{rest}"
    );
}

#[test]
fn who_has_no_known_login_is_said_to_have_none() {
    let env = Env::new();
    // Alice was used more recently, and there is a login of hers.
    registry(
        &env,
        &[
            (
                "alice",
                "ws-alice",
                window("2026-04-11T12:00:00+05:30", "2026-04-18T12:00:00+05:30", 0),
            ),
            (
                "bob",
                "ws-bob",
                window("2026-04-10T12:00:00+05:30", "2026-04-17T12:00:00+05:30", 0),
            ),
        ],
    );
    let reason = |env: &Env| {
        let document = env.run(&["recommend", "--json"]).code(0).json();
        let email = document["account"]["email"].as_str().expect("a text");
        format!("{email}: {}", document["reason"].as_str().expect("a text"))
    };
    assert_eq!(
        reason(&env),
        "bob@example.com: Its last window is over, and of 2 usable accounts it was used least recently; `use` knows no login of it \
         yet."
    );
    env.write(
        ".codex-manager/profiles/alice/auth.json",
        &Person::named("alice").auth_json(),
    );
    // The policy decides; the overview names a command that can be run.
    assert!(reason(&env).starts_with("bob@example.com: "));
    let document = env.run(&["--json"]).code(0).json();
    assert_eq!(
        document["next"]["command"],
        "codex-manager use alice@example.com"
    );
}

#[test]
fn one_email_in_two_workspaces_is_told_apart() {
    let mut env = Env::new();
    let ann = Person::named("ann").in_workspace("ws-1");
    let here = Person::named("ann").in_workspace("ws-2");
    for (person, left) in [(&ann, 40), (&here, 0)] {
        let panel = person.panel(left, "12:00 on 20 Apr");
        snapshot(&mut env, person, &panel, "2026-04-19T12:00:00+05:30");
    }
    env.set_now(NOW);
    let document = env.run(&["--json"]).code(0).json();
    assert_eq!(
        document["next"],
        json!({
            "command": "codex-manager use ann",
            "reason": "ann@example.com [ws-2] is in cooldown for 20h 30m; ann@example.com [ws-1] is usable",
        })
    );
    let ran = env.run(&[]).code(0);
    assert_eq!(
        ran.stdout.lines().next(),
        Some("signed in  ann@example.com [ws-2] (cooldown for 20h 30m)")
    );
    env.run(&["use", "ann", "--dry-run"]).code(0);
    let ran = env.run(&["recommend"]).code(0);
    assert_eq!(
        ran.stdout.lines().next(),
        Some("account    ann@example.com [ws-1]")
    );
    let ran = env.run(&["list-backups"]).code(0);
    let table = squeezed(&ran.stdout);
    let cells: Vec<_> = table
        .lines()
        .skip(1)
        .map(|line| line.split("  ").nth(1).expect("a cell"))
        .collect();
    assert_eq!(cells, ["ann@example.com [ws-1]", "ann@example.com [ws-2]"]);
}

#[test]
fn an_api_key_goes_by_its_name_in_every_table() {
    let env = Env::new();
    env.write(
        ".codex/auth.json",
        &format!("{{\"OPENAI_API_KEY\": \"sk-{}\"}}", crate::common::SECRET),
    );
    let document = env.run(&["backup", "--json"]).code(0).json();
    let key = document["snapshot"]["user_id"].as_str().expect("a name");
    for name in [key, &key[..10]] {
        let ran = env.run(&["list-backups", "--email", name]).code(0);
        let row = ran.stdout.lines().nth(1).expect("a row");
        assert!(row.contains(&format!("  {key}  ")), "{row}");
    }
    let ran = env.run(&["prune", "--keep-last", "1", "--dry-run"]).code(0);
    assert!(ran.stdout.contains(&format!("  {key}  ")), "{}", ran.stdout);
    let ran = env.run(&["restore", key, "--dry-run"]).code(0);
    assert!(
        ran.stdout.contains(&format!("\naccount   {key}\n")),
        "{}",
        ran.stdout
    );
}

/// The Python 23.0.0 writes a newer window into the sidecar of an older archive.
#[test]
fn a_sidecar_that_was_patched_was_seen_when_it_was_patched() {
    let env = Env::new();
    let sidecar = json!({
        "product": "codex", "email": "ann@example.com", "session_start_at": "2026-04-14T12:00:00+05:30",
        "next_available_at": "2026-04-21T12:00:00+05:30", "reset_at": "2026-04-21T12:00:00+05:30",
        "quota_text": "0% left (resets 12:00 on 21 Apr)", "quota_percent_left": 0, "limits": null,
        "account_id": "unknown", "chatgpt_account_id": "ws-1",
        "created_at": "2026-04-01T12:00:00+05:30", "updated_at": "2026-04-18T12:00:00.123456+05:30",
    });
    let name = ".codex-manager/backups/2026-03-25-120000-ann@example.com-codex";
    env.write(&format!("{name}.metadata.json"), &sidecar.to_string());
    env.write(&format!("{name}.tar.gz"), "");
    let document = env.run(&["cooldown", "--json"]).code(0).stderr("").json();
    let ann = &document["accounts"][0];
    assert_eq!(ann["observed_at"], "2026-04-18T12:00:00+05:30");
    assert_eq!(ann["account_id"], "ws-1");
    assert_eq!(ann["status"], "cooldown");
}

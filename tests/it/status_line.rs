//! `status --offline`, `--short` and `--format`: what is known already, for a prompt. Nobody is asked and nothing is written.

use serde_json::json;

use crate::common::{Env, Person};
use crate::worlds::{json_error, legacy, six_accounts, snapshot};

/// Alice is signed in, and was seen with 66 % left; her 5 h window resets two hours later.
fn seen_at(seen: &str, left: u8) -> Env {
    let mut env = Env::new();
    let alice = Person::named("alice");
    snapshot(
        &mut env,
        &alice,
        &alice.panel(left, "15:55 on 21 Apr"),
        seen,
    );
    env.set_now("2026-04-19T15:30:00+05:30");
    env
}

/// What one line says of it; asked of a Codex there is none of, it would fail.
#[track_caller]
fn line(env: &Env, args: &[&str]) -> String {
    let before = env.tree("");
    let ran = env.run(&[&["status"], args].concat()).code(0).stderr("");
    assert_eq!(env.tree(""), before);
    ran.stdout
}

#[test]
fn a_prompt_says_who_and_how_things_stand() {
    let env = seen_at("2026-04-19T14:30:00+05:30", 66);
    assert_eq!(line(&env, &["--short"]), "alice open 66% 2d 0h\n");
    env.run(&["profile", "set", "alice@example.com", "alias=al"])
        .code(0);
    assert_eq!(line(&env, &["--short"]), "al open 66% 2d 0h\n");
    // What was seen more than an hour ago may have changed.
    let later = ["--short", "--now", "2026-04-19T15:30:01+05:30"];
    assert_eq!(line(&env, &later), "al open ~66% 2d 0h\n");
    let over = ["--short", "--now", "2026-04-21T15:55:00+05:30"];
    assert_eq!(line(&env, &over), "al ready\n");
    assert_eq!(line(&env, &["--short", "--quiet"]), "al open 66% 2d 0h\n");
}

#[test]
fn an_account_that_is_held_back_says_until_when() {
    let exhausted = seen_at("2026-04-19T15:30:00+05:30", 0);
    assert_eq!(line(&exhausted, &["--short"]), "alice cooldown 2d 0h\n");
    // Erin's week has quota left, her 5 hours have none.
    assert_eq!(
        line(&six_accounts(), &["--short"]),
        "erin cooldown 2h 10m\n"
    );
}

#[test]
fn a_pattern_names_what_it_wants() {
    let env = seen_at("2026-04-19T14:30:00+05:30", 66);
    let of = |pattern: &str| line(&env, &["--format", pattern]);
    assert_eq!(of(""), "\n");
    assert_eq!(
        of("{name} {email} {alias} {account_id} {plan} {status} {left}"),
        "alice@example.com alice@example.com - ws-alice plus open 66%\n"
    );
    assert_eq!(
        of("{starts}, {resets}, {resets_in}, {usable}, {usable_in}, {seen}, {age}"),
        "2026-04-14 15:55, 2026-04-21 15:55, 2d 0h, 2026-04-14 15:55, now, 2026-04-19 14:30, 1h 0m\n"
    );
    assert_eq!(
        of("{5h_left}/{5h_resets_in} {{{archive}}}"),
        "88%/2h 10m {2026-04-14-155500-alice@example.com-codex.tar.gz}\n"
    );
    env.run(&["status", "--format", "{lefts}"]).code(2).stdout("").stderr(
        "error: the pattern names `{lefts}`, which there is none of\nhint: there are name, email, alias, account_id, plan, \
         status, left, resets, resets_in, starts, usable, usable_in, 5h_left, 5h_resets_in, seen, age, archive\n",
    );
    env.run(&["status", "--format", "{left"]).code(2).stdout("").stderr(
        "error: a brace of the pattern `{left` has no fellow\nhint: write `{{` or `}}` for a brace itself\n",
    );
}

#[test]
fn offline_is_the_whole_answer_with_its_age() {
    let env = seen_at("2026-04-19T14:30:00+05:30", 66);
    assert_eq!(
        line(&env, &["--offline"]),
        "\
account  alice@example.com (plus)
window   2026-04-14T15:55:00+05:30 to 2026-04-21T15:55:00+05:30, running
left     66%
resets   2026-04-21T15:55:00+05:30 (in 2d 0h)
also     5h limit: 88% left, resets 2026-04-19T17:40:00+05:30 (in 2h 10m)
seen     2026-04-19T14:30:00+05:30 (1h 0m ago)
archive  2026-04-14-155500-alice@example.com-codex.tar.gz
"
    );
    let document = env
        .run(&["status", "--offline", "--json"])
        .code(0)
        .stderr("")
        .json();
    assert_eq!(
        [
            &document["status_source"],
            &document["observed_at"],
            &document["quota_percent_left"]
        ],
        [
            &json!("offline"),
            &json!("2026-04-19T14:30:00+05:30"),
            &json!(66)
        ]
    );
}

#[test]
fn a_guess_of_a_legacy_file_is_no_percentage() {
    let env = Env::new();
    let frank = Person::named("frank");
    env.codex_home(&frank);
    legacy(
        &env,
        "24apr_frank@example.com_auth.json",
        &frank.auth_json(),
        "2026-04-17T17:55:00+05:30",
    );
    env.run(&["normalize", "--source-dir", "legacy"]).code(0);
    assert_eq!(line(&env, &["--short"]), "frank cooldown 5d 0h\n");
    assert_eq!(line(&env, &["--format", "{left} {5h_left}"]), "- -\n");
}

#[test]
fn where_nothing_is_known_it_fails_as_ever() {
    let env = Env::new();
    for args in [&["--short"][..], &["--format", "{left}"], &["--offline"]] {
        let ran = env.run(&[&["status", "--quiet"], args].concat());
        assert!(
            ran.code(14)
                .stdout("")
                .stderr
                .starts_with("error: nobody is signed in: "),
        );
    }
    env.codex_home(&Person::named("alice"));
    let ran = env.run(&["status", "--short"]).code(14).stdout("");
    assert!(
        ran.stderr
            .starts_with("error: no window of alice@example.com is known yet; "),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_text_can_be_told_in_a_line_too() {
    let env = Env::new();
    let panel = Person::named("alice").panel(66, "15:55 on 21 Apr");
    let args = ["status", "--short", "--input-file", "-"];
    env.run_with_input(&args, &panel)
        .code(0)
        .stdout("alice open 66% 2d 0h\n")
        .stderr("");
    env.write("panel", &panel);
    env.run(&[
        "status",
        "--format",
        "{left}",
        "--status-command",
        "cat panel",
    ])
    .code(0)
    .stdout("66%\n")
    .stderr("");
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let env = seen_at("2026-04-19T14:30:00+05:30", 66);
    for args in [
        &["--short", "--json"][..],
        &["--format", "{left}", "--json"],
        &["--short", "--format", "{left}"],
        &["--offline", "--live"],
        &["--offline", "--input-file", "-"],
        &["--offline", "--status-command", "true"],
        &["--live", "--input-file", "-"],
    ] {
        env.run(&[&["status"], args].concat()).code(2).stdout("");
    }
    let ran = env.run(&["status", "--short", "--status-source", "panel", "--verbose"]);
    assert!(
        ran.code(2)
            .stderr
            .ends_with("hint: say `--live` too, or leave them out\n")
    );
    let ran = env.run(&["status", "--offline", "--codex-command", "codex", "--json"]);
    // Under --json the failure is a document, as ever.
    assert_eq!(json_error(&ran.code(2)).0, "usage");
}

#[test]
fn what_an_email_holds_breaks_no_line_and_has_no_colour() {
    let mut env = Env::new();
    let mut eve = Person::named("eve");
    let panel = eve.panel(66, "15:55 on 21 Apr");
    let panel: Vec<&str> = panel
        .lines()
        .filter(|line| !line.contains("Account"))
        .collect();
    eve.email = "q\nsigned in  bob\x1b[31m\",\"x\":\"@example.com".to_owned();
    snapshot(
        &mut env,
        &eve,
        &panel.join("\n"),
        "2026-04-19T15:30:00+05:30",
    );
    let shown = "q\u{fffd}signed in  bob\u{fffd}[31m\",\"x\":\"@example.com";
    let of = |args: &[&str]| line(&env, args);
    assert_eq!(
        of(&["--short"]),
        "q\u{fffd}signed in  bob\u{fffd}[31m\",\"x\":\" open 66% 2d 0h\n"
    );
    assert_eq!(of(&["--format", "{name}"]), format!("{shown}\n"));
    let document = of(&["--format", "{{\"name\":\"{name:json}\"}}"]);
    let document: serde_json::Value = serde_json::from_str(&document).expect("is JSON");
    assert_eq!(document, json!({ "name": eve.email }));
    let email = of(&["--offline", "--json"]);
    let email: serde_json::Value = serde_json::from_str(&email).expect("is JSON");
    assert_eq!(email["email"], eve.email);
    // Nor where there are colours.
    for args in [
        &["status", "--offline"][..],
        &[],
        &["profile", "show", &eve.email],
        &["recommend"],
        &["restore", "--dry-run", &eve.email],
        &["use", "--dry-run", &eve.email],
        &["backup", "--offline", "--dry-run"],
    ] {
        let ran = env.run(&[&["--color", "always"], args].concat());
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(all.contains(shown), "{args:?}: {all}");
        assert!(!all.contains("\x1b[31m"), "{args:?}: {all}");
        assert!(
            !all.lines().any(|line| line.starts_with("signed in  bob")),
            "{args:?}: {all}"
        );
    }
}

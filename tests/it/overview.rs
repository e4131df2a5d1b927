//! The program without a command: what there is to do next, in every state there can be.

use std::fs;

use serde_json::{Value, json};

use crate::common::{Env, NOW, Person};
use crate::worlds::{has_keys, legacy, prints, snapshot};

const LATER: &str = "2026-04-20T09:00:00Z";

/// The command to run next, why, and what else there is.
#[track_caller]
fn next(env: &Env) -> (String, String, Vec<String>) {
    let before = prints(&env.home());
    let answer = env.run(&["--json"]).code(0).stderr("").json();
    assert_eq!(prints(&env.home()), before);
    has_keys(
        &answer,
        &["active", "accounts", "usable", "snapshots", "next", "also"],
        &[],
    );
    has_keys(&answer["next"], &["command", "reason"], &[]);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let also = answer["also"].as_array().expect("a list");
    assert!(also.len() <= 3, "{also:?}");
    (
        text(&answer["next"]["command"]),
        text(&answer["next"]["reason"]),
        also.iter().map(|step| text(&step["command"])).collect(),
    )
}

#[track_caller]
fn is_next(env: &Env, command: &str, reason: &str) -> Vec<String> {
    let (said, why, also) = next(env);
    assert_eq!((said.as_str(), why.as_str()), (command, reason));
    also
}

/// Codex wrote its files then.
fn touched(env: &Env, time: &str) {
    for file in ["history.jsonl", "sessions/2026/04/14/rollout-1.jsonl"] {
        env.touch(&format!(".codex/{file}"), time);
    }
}

/// alice is signed in, and all of hers is in a snapshot.
fn kept() -> Env {
    let mut env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    touched(&env, "2026-04-19T09:00:00Z");
    snapshot(&mut env, &alice, &alice.panel(66, "15:55 on 21 Apr"), NOW);
    env
}

#[test]
fn nobody_and_nothing() {
    let env = Env::new();
    let text = "\
signed in  nobody, in ~/.codex
accounts   0 known, 0 usable now
snapshots  0

next       npm install --global @openai/codex
           Codex is not found; where it is installed, `codex-manager config set codex_command PATH` says where
also       codex login
           nobody is signed in to ~/.codex
           codex-manager profile login NAME
           signs one more account in, beside whoever is signed in

help       codex-manager --help
";
    for args in [&[][..], &["--quiet"], &["--verbose"]] {
        env.run(args).code(0).stdout(text).stderr("");
    }
    assert_eq!(env.files(""), [""; 0]);
    // Where it is installed.
    env.write("codex", "#!/bin/sh\n");
    env.write(".codex-manager/config.toml", "codex_command = \"sh\"\n");
    let mut command = env.command(&["--json"]);
    command.env("PATH", "/usr/bin:/bin");
    let answer = env.ran(&mut command, &["--json"]).code(0).json();
    assert_eq!(answer["next"]["command"], "codex login");
    assert_eq!(answer["active"], Value::Null);
}

#[test]
fn a_login_without_a_snapshot() {
    let env = Env::new();
    env.codex_home(&Person::named("alice"));
    let reason = "there is no snapshot of alice@example.com yet";
    let also = is_next(&env, "codex-manager backup", reason);
    assert_eq!(also, ["codex-manager profile login NAME"]);
    // Also where another account has one.
    let env = kept();
    env.write(".codex/auth.json", &Person::named("bob").auth_json());
    let reason = "there is no snapshot of bob@example.com yet";
    is_next(&env, "codex-manager backup", reason);
}

#[test]
fn all_is_kept() {
    let env = kept();
    let text = "\
signed in  alice@example.com (open, 66% left)
accounts   1 known, 1 usable now
snapshots  1

next       codex-manager cooldown
           all is kept; this shows when each account is available
also       codex-manager profile login NAME
           signs one more account in, beside whoever is signed in
           codex-manager list-backups
           lists the snapshots

help       codex-manager --help
";
    env.run(&[]).code(0).stdout(text).stderr("");
    let answer = env.run(&["--json"]).code(0).stderr("").json();
    assert_eq!(answer["active"], "alice@example.com");
    assert_eq!(
        [&answer["accounts"], &answer["usable"], &answer["snapshots"]],
        [1, 1, 1]
    );
    // Elsewhere nothing is known.
    let answer = env
        .run(&["--json", "--manager-home", "other", "--codex-home", "none"])
        .code(0)
        .json();
    assert_eq!(answer["accounts"], 0);
}

#[test]
fn work_that_is_in_no_snapshot() {
    let reason = "Codex was used since the newest snapshot of its home";
    for file in ["history.jsonl", "sessions/2026/04/14/rollout-1.jsonl"] {
        let mut env = kept();
        env.set_now(LATER);
        env.touch(&format!(".codex/{file}"), "2026-04-20T08:59:00Z");
        is_next(&env, "codex-manager backup", reason);
    }
    // Only the login is.
    let mut env = kept();
    let bob = Person::named("bob");
    env.codex_home(&bob);
    touched(&env, "2026-04-19T09:00:00Z");
    fs::remove_dir_all(env.path(".codex-manager/backups")).expect("removes");
    env.write("status.txt", &bob.panel(66, "15:55 on 21 Apr"));
    env.set_now(LATER);
    env.run(&["backup", "--auth-only", "--status-file", "status.txt"])
        .code(0);
    is_next(&env, "codex-manager backup", reason);
}

#[test]
fn a_snapshot_of_an_earlier_window() {
    let mut env = kept();
    let alice = Person::named("alice");
    // A newer window is known, and not in a snapshot.
    env.set_now("2026-04-22T15:30:00+05:30");
    env.write("status.txt", &alice.panel(90, "10:00 on 29 Apr"));
    let backups = env.path(".codex-manager/backups");
    let aside = env.beside_home("aside");
    fs::create_dir(&aside).expect("makes");
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
    for entry in fs::read_dir(&backups).expect("lists").flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("2026-04-22") {
            fs::rename(entry.path(), aside.join(name)).expect("moves");
        }
    }
    let reason = "the newest snapshot of alice@example.com is of an earlier window";
    is_next(&env, "codex-manager backup", reason);
}

#[test]
fn legacy_files_that_nobody_read() {
    let env = kept();
    let file = "21apr_bob@example.com_auth.json";
    let bob = Person::named("bob").auth_json();
    legacy(&env, file, &bob, "2026-04-14T12:25:00Z");
    // Nobody looks everywhere.
    is_next(
        &env,
        "codex-manager cooldown",
        "all is kept; this shows when each account is available",
    );
    let reason = "hand-named login copies lie there that were not read yet";
    fs::create_dir(env.path(".codex_sample")).expect("makes");
    fs::copy(
        env.path("legacy").join(file),
        env.path(".codex_sample").join(file),
    )
    .expect("copies");
    let normalize = "codex-manager normalize --source-dir ~/.codex_sample";
    is_next(&env, normalize, reason);
    fs::remove_dir_all(env.path(".codex_sample")).expect("removes");
    // In the Codex home, and where the settings say; a name with a blank is quoted.
    fs::rename(env.path("legacy"), env.path("my logins")).expect("moves");
    let place = env.path("my logins").display().to_string();
    env.run(&["config", "set", "normalize.source_dir", &place])
        .code(0);
    let normalize = "codex-manager normalize --source-dir '~/my logins'";
    is_next(&env, normalize, reason);
    env.run(&["config", "unset", "normalize.source_dir"])
        .code(0);
    fs::copy(
        env.path("my logins").join(file),
        env.path(".codex").join(file),
    )
    .expect("copies");
    let normalize = "codex-manager normalize --source-dir ~/.codex";
    is_next(&env, normalize, reason);
    // Once they are read they are no news.
    env.run(&["normalize", "--quiet"]).code(0);
    let (command, ..) = next(&env);
    assert_eq!(command, "codex-manager cooldown");
}

#[test]
fn the_account_is_exhausted() {
    let mut env = Env::new();
    let (alice, bob) = (Person::named("alice"), Person::named("bob"));
    env.codex_home(&bob);
    touched(&env, "2026-04-19T09:00:00Z");
    snapshot(&mut env, &bob, &bob.panel(66, "12:00 on 20 Apr"), NOW);
    snapshot(&mut env, &alice, &alice.panel(0, "15:55 on 21 Apr"), NOW);
    let reason = "alice@example.com is in cooldown for 2d 0h; bob@example.com is usable";
    let also = is_next(&env, "codex-manager use bob@example.com", reason);
    assert_eq!(
        also,
        ["codex-manager recommend", "codex-manager list-backups"]
    );
    // As `recommend` has it.
    let advice = env.run(&["recommend", "--json"]).code(0).json();
    assert_eq!(advice["account"]["email"], "bob@example.com");
    // One that is paused is nobody's next.
    env.run(&["profile", "set", "bob", "paused=true"]).code(0);
    let reason = "no account is usable now; alice@example.com is the first to be, in 2d 0h, at 2026-04-21 15:55";
    is_next(&env, "codex-manager cooldown", reason);
    env.run(&["profile", "set", "bob", "paused="]).code(0);
    // Nor is one of whom no login is known.
    fs::remove_dir_all(env.path(".codex-manager/profiles/bob")).expect("removes");
    for entry in fs::read_dir(env.path(".codex-manager/backups"))
        .expect("lists")
        .flatten()
    {
        if entry.file_name().to_string_lossy().contains("bob") {
            fs::remove_file(entry.path()).expect("removes");
        }
    }
    let (command, reason, _) = next(&env);
    assert_eq!(command, "codex-manager cooldown");
    assert!(reason.starts_with("no account is usable now; "), "{reason}");
}

#[test]
fn nobody_is_signed_in_any_more() {
    let env = kept();
    fs::remove_file(env.path(".codex/auth.json")).expect("removes");
    let reason = "nobody is signed in to ~/.codex; alice@example.com is usable";
    let also = is_next(&env, "codex-manager use alice@example.com", reason);
    assert_eq!(also[0], "npm install --global @openai/codex");
    // One that cannot be read is told as everywhere.
    env.write(".codex/auth.json", "{");
    let ran = env.run(&["--json"]).code(0);
    assert!(ran.stderr.starts_with("{\"warning\":"), "{}", ran.stderr);
    let answer: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(
        answer["next"],
        json!({
            "command": "codex-manager use alice@example.com",
            "reason": "the login in ~/.codex cannot be read; alice@example.com is usable",
        })
    );
    assert_eq!(answer["also"][1]["command"], "codex-manager doctor");
}

#[test]
fn a_restore_that_was_cut_short() {
    let env = kept();
    fs::create_dir(env.path(".codex/.codex-manager-restore")).expect("makes");
    let reason = "a restore into ~/.codex was cut short: this finishes or drops it first";
    is_next(&env, "codex-manager backup", reason);
    // It does.
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
    let (command, ..) = next(&env);
    assert_eq!(command, "codex-manager cooldown");
}

#[test]
fn what_is_wrong_is_an_error_as_everywhere() {
    let env = Env::new();
    env.write(".codex-manager/config.toml", "no_such = 1\n");
    let ran = env.run(&[]).code(1).stdout("");
    assert!(
        ran.stderr.contains("there is no setting `no_such`"),
        "{}",
        ran.stderr
    );
    env.run(&["--json", "--now", "soon"]).code(2).stdout("");
}

#[test]
fn on_a_narrow_terminal_words_are_wrapped_and_commands_stay_whole() {
    let env = Env::new();
    let shown = env.on_terminal(40, &[], &[]);
    let next = "\
next       npm install --global @openai/codex
           Codex is not found; where it
           is installed, `codex-manager
           config set codex_command
           PATH` says where
";
    assert!(shown.contains(next), "{shown}");
    // What is there to be read by a shell or by man is not broken either.
    for args in [&["completions", "zsh"][..], &["man", "use"]] {
        let whole = env.run(args).code(0).stdout;
        assert_eq!(env.on_terminal(40, &[], args).trim_end(), whole.trim_end());
    }
}

#[test]
fn the_steps_act_on_the_homes_that_were_looked_at() {
    let env = kept();
    let (codex, manager) = (env.path("my other"), env.path("manager"));
    let said = [
        "--codex-home",
        codex.to_str().expect("text"),
        "--manager-home",
        manager.to_str().expect("text"),
    ];
    let flags = "--codex-home '~/my other' --manager-home ~/manager";
    let commands = |answer: &Value| -> Vec<String> {
        let also = answer["also"].as_array().expect("a list");
        let all = std::iter::once(&answer["next"]).chain(also);
        all.filter_map(|step| step["command"].as_str().map(str::to_owned))
            .collect()
    };
    let with = |more: &[&'static str]| {
        let said = said.iter().copied();
        said.chain(more.iter().copied()).collect::<Vec<&str>>()
    };
    // A login there would take back the one in ~/.codex: Codex does not know the flag.
    let login = "CODEX_HOME='~/my other' codex login".to_owned();
    let answer = env.run(&with(&["--json"])).code(0).json();
    assert_eq!(
        commands(&answer)[1..],
        [
            login.clone(),
            format!("codex-manager {flags} profile login NAME")
        ]
    );
    let reason = answer["next"]["reason"].as_str().expect("a text");
    assert!(
        reason.contains(&format!("`codex-manager {flags} config set ")),
        "{reason}"
    );
    let error = env.run(&with(&["--json", "status", "--offline"])).code(14);
    assert!(
        error.stderr.contains(&format!("`{login}`")),
        "{}",
        error.stderr
    );
    let answer = env.run(&with(&["--json", "doctor"])).code(1).json();
    let checks = answer["checks"].as_array().expect("a list");
    let hint = checks
        .iter()
        .filter(|check| check["name"] == "login")
        .find_map(|check| check["hint"].as_str());
    assert_eq!(
        hint,
        Some(
            format!(
                "sign in with `{login}`, or with a kept login by `codex-manager {flags} use ACCOUNT`"
            )
            .as_str()
        )
    );
    // One that is signed in.
    env.write("my other/auth.json", &Person::named("bob").auth_json());
    let answer = env.run(&with(&["--json"])).code(0).json();
    assert_eq!(
        commands(&answer)[0],
        format!("codex-manager {flags} backup")
    );
    // Codex does not know the setting either, but the variable.
    let other = env.path("third");
    env.write(
        ".codex-manager/config.toml",
        &format!("codex_home = {other:?}\n"),
    );
    let login = "CODEX_HOME=~/third codex login".to_owned();
    let answer = env.run(&["--json"]).code(0).json();
    assert!(commands(&answer).contains(&login), "{answer}");
    let mut command = env.command(&["--json"]);
    command.env("CODEX_HOME", &other);
    let answer = env.ran(&mut command, &["--json"]).code(0).json();
    assert!(
        commands(&answer).contains(&"codex login".to_owned()),
        "{answer}"
    );
    // A backup of a home of its own.
    let ran = env
        .run(&["backup", "--offline", "--source-dir", "third"])
        .code(1);
    assert!(
        ran.stderr.contains("say where its home is"),
        "{}",
        ran.stderr
    );
    fs::create_dir(&other).expect("makes");
    let ran = env
        .run(&["backup", "--offline", "--source-dir", "third"])
        .code(1);
    assert!(ran.stderr.contains(&format!("`{login}`")), "{}", ran.stderr);
}

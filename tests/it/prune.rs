//! `prune`: what each rule keeps, that an account's newest sound snapshot stays, and what a failure leaves.

use std::fs;

use serde_json::{Value, json};

use crate::common::{Env, Person, Ran};
use crate::worlds::{has_keys, prints, squeezed};

const BACKUPS: &str = ".codex-manager/backups";
const BACKUP: [&str; 3] = ["backup", "--status-file", "status.txt"];

/// A snapshot of the person's home at noon of that day of April, whose window opened on its first day.
fn snapshot(env: &mut Env, person: &Person, day: u8) {
    env.set_now(&format!("2026-04-{day:02}T12:00:00+05:30"));
    env.codex_home(person);
    env.write(".codex/config.toml", &format!("model = \"{day}\"\n"));
    // Windows of a week each.
    let resets = 7 * (day / 7) + 8;
    env.write(
        "status.txt",
        &person.panel(66, &format!("10:00 on {resets} Apr")),
    );
    env.run(&BACKUP).code(0);
}

/// Alice's of the 1st, 2nd, 9th, 16th and 17th of April and bob's of the 3rd; the 2nd and the 17th took the place of the
/// ones of their window.
fn world() -> Env {
    let mut env = Env::new();
    let (alice, bob) = (Person::named("alice"), Person::named("bob"));
    for day in [1, 2, 9, 16, 17] {
        snapshot(&mut env, &alice, day);
    }
    snapshot(&mut env, &bob, 3);
    env.set_now("2026-04-19T15:30:00+05:30");
    env
}

/// Whose and of which day, by kind.
fn told(entries: &Value) -> Vec<String> {
    let entries = entries.as_array().expect("a list");
    let told = entries.iter().map(|entry| {
        has_keys(
            entry,
            &[
                "archive_name",
                "path",
                "kind",
                "email",
                "account_id",
                "created_at",
                "size_bytes",
                "reasons",
            ],
            &[],
        );
        let text = |key: &str| entry[key].as_str().expect("a text").to_owned();
        let name = text("email")
            .split('@')
            .next()
            .unwrap_or_default()
            .to_owned();
        let reasons: Vec<&str> = entry["reasons"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        format!(
            "{name} {} {} {}",
            &text("created_at")[8..10],
            text("kind"),
            reasons.join(", ")
        )
        .trim()
        .to_owned()
    });
    told.collect()
}

#[track_caller]
fn pruned(env: &Env, args: &[&str]) -> Value {
    let all = [&["prune", "--json"], args].concat();
    let answer = env.run(&all).code(0).stderr("").json();
    has_keys(&answer, &["mode", "deleted", "kept", "freed_bytes"], &[]);
    answer
}

fn archives(env: &Env) -> Vec<String> {
    let mut files = env.files(BACKUPS);
    files.retain(|path| path.ends_with(".tar.gz"));
    files
}

#[test]
fn what_no_rule_keeps_goes_and_each_other_says_why() {
    let env = world();
    let before = archives(&env);
    assert_eq!(before.len(), 6);
    let dry = pruned(&env, &["--keep-last", "2", "--dry-run"]);
    assert_eq!((archives(&env), &dry["mode"]), (before, &json!("dry-run")));
    let answer = pruned(&env, &["--keep-last", "2"]);
    assert_eq!(
        told(&answer["kept"]),
        [
            "alice 17 current last 1",
            "alice 16 superseded last 2",
            "bob 03 current last 1"
        ]
    );
    assert_eq!(
        told(&answer["deleted"]),
        [
            "alice 09 current",
            "alice 02 current",
            "alice 01 superseded"
        ]
    );
    for key in ["deleted", "kept", "freed_bytes"] {
        assert_eq!(answer[key], dry[key], "{key}");
    }
    let sizes = answer["deleted"].as_array().expect("a list").iter();
    let freed: u64 = sizes
        .map(|entry| entry["size_bytes"].as_u64().expect("a size"))
        .sum();
    assert!(freed > 0 && answer["freed_bytes"] == json!(freed));
    let mut left = env.files(BACKUPS);
    left.retain(|path| !path.contains("2026-04-1") && !path.contains("-bob@"));
    assert_eq!(left, [""; 0]);
    env.run(&["list-backups", "--all", "--verify"])
        .code(0)
        .stderr("");
    // Nothing to do, as every night from cron.
    for quiet in [&["--quiet"][..], &[]] {
        let prune = [&["prune", "--keep-last", "2"], quiet].concat();
        env.run(&prune).code(0).stdout("").stderr("");
    }
    assert_eq!(told(&pruned(&env, &["--keep", "2"])["deleted"]), [""; 0]);
}

#[test]
fn rules_add_to_each_other() {
    let env = world();
    let deleted = |args: &[&str]| {
        let all = [args, &["--dry-run"]].concat();
        told(&pruned(&env, &all)["deleted"])
    };
    assert_eq!(deleted(&["--keep-within", "30d"]), [""; 0]);
    assert_eq!(
        deleted(&["--keep-within", "1d"]),
        [
            "alice 09 current",
            "alice 02 current",
            "alice 01 superseded"
        ]
    );
    assert_eq!(
        deleted(&["--keep-daily", "3"]),
        ["alice 02 current", "alice 01 superseded"]
    );
    assert_eq!(
        deleted(&["--keep-weekly", "9"]),
        ["alice 16 superseded", "alice 01 superseded"]
    );
    assert_eq!(
        deleted(&["--keep-monthly", "1"]),
        [
            "alice 16 superseded",
            "alice 09 current",
            "alice 02 current",
            "alice 01 superseded"
        ]
    );
    assert_eq!(
        deleted(&["--keep-monthly", "1", "--keep-daily", "3"]),
        ["alice 02 current", "alice 01 superseded"]
    );
    assert_eq!(deleted(&["--keep-latest-per-email"]).len(), 4);
    assert_eq!(
        deleted(&["--keep-last", "1", "--email", "bob@example.com"]),
        [""; 0]
    );
    assert_eq!(
        deleted(&["--keep-last", "1", "--email", "ALICE@example.com"]).len(),
        4
    );
}

#[test]
fn an_accounts_newest_sound_one_stays() {
    let env = world();
    let answer = pruned(&env, &["--keep-last", "0", "--dry-run"]);
    assert_eq!(
        told(&answer["kept"]),
        [
            "alice 17 current newest sound one",
            "bob 03 current newest sound one"
        ]
    );
    let answer = pruned(&env, &["--keep-last", "0", "--allow-empty"]);
    assert_eq!(told(&answer["kept"]), [""; 0]);
    assert_eq!(archives(&env), [""; 0]);
    assert!(!env.path(&format!("{BACKUPS}/superseded")).exists());
}

#[test]
fn a_damaged_newest_one_does_not_cost_the_last_sound_one() {
    let env = world();
    let newest = archives(&env)
        .into_iter()
        .filter(|path| path.contains("alice") && !path.starts_with("superseded"))
        .max()
        .expect("one");
    let path = env.path(&format!("{BACKUPS}/{newest}"));
    let mut bytes = fs::read(&path).expect("reads");
    bytes.truncate(bytes.len() / 2);
    fs::write(&path, bytes).expect("writes");
    let ran = env.run(&["prune", "--keep-last", "1", "--json"]).code(0);
    assert!(
        ran.stderr.contains("is damaged or unsafe"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        told(&ran.json()["kept"]),
        [
            "alice 17 current last 1",
            "alice 16 superseded newest sound one",
            "bob 03 current last 1"
        ]
    );
}

#[test]
fn what_restores_replaced_is_counted_by_home() {
    let env = world();
    for _ in 0..3 {
        env.run(&["restore", "bob@example.com", "--yes"]).code(0);
    }
    env.run(&["restore", "bob@example.com", "--yes", "--dest-dir", "other"])
        .code(0);
    env.run(&["restore", "bob@example.com", "--yes", "--dest-dir", "other"])
        .code(0);
    let answer = pruned(
        &env,
        &["--keep-last", "1", "--keep-within", "90d", "--dry-run"],
    );
    assert_eq!(told(&answer["deleted"]), [""; 0]);
    let answer = pruned(&env, &["--keep-last", "1"]);
    let safety: Vec<String> = told(&answer["kept"])
        .into_iter()
        .filter(|told| told.contains("safety"))
        .collect();
    assert_eq!(safety, ["bob 19 safety last 1"; 2]);
    // The newest is what is put back.
    env.run(&["restore", "--undo", "--yes"]).code(0);
}

/// Safety copies, each a minute later than the one before.
fn replaced(env: &mut Env, by: &str, minutes: std::ops::Range<u8>) {
    for minute in minutes {
        env.write(".codex/config.toml", &format!("model = \"{minute}\"\n"));
        env.set_now(&format!("2026-04-19T15:{minute}:00+05:30"));
        env.run(&["restore", by, "--yes"]).code(0);
    }
}

#[test]
fn an_accounts_only_snapshot_stays_though_it_is_a_safety_copy() {
    let mut env = Env::new();
    snapshot(&mut env, &Person::named("alice"), 2);
    // Carol has none but what the first restore replaces.
    env.codex_home(&Person::named("carol"));
    replaced(&mut env, "alice@example.com", 31..36);
    let answer = pruned(&env, &["--keep-last", "2"]);
    assert_eq!(
        told(&answer["kept"]),
        [
            "alice 19 safety last 1",
            "alice 19 safety last 2",
            "carol 19 safety newest sound one",
            "alice 02 current last 1"
        ]
    );
    // Where there is one made since, the copy may go.
    snapshot(&mut env, &Person::named("carol"), 20);
    let answer = pruned(&env, &["--keep-last", "2"]);
    let kept = told(&answer["kept"]);
    assert!(
        kept.contains(&"carol 20 current last 1".to_owned()),
        "{kept:?}"
    );
    assert!(
        !kept.iter().any(|told| told.starts_with("carol 19")),
        "{kept:?}"
    );
    let answer = pruned(&env, &["--keep-last", "1", "--allow-empty"]);
    assert_eq!(answer["deleted"].as_array().map_or(0, Vec::len), 1);
}

#[test]
fn a_damaged_newest_safety_copy_does_not_cost_the_last_sound_one() {
    let mut env = Env::new();
    snapshot(&mut env, &Person::named("alice"), 2);
    replaced(&mut env, "alice@example.com", 31..34);
    let safety = archives(&env).into_iter();
    let newest = safety.filter(|path| path.starts_with("safety/")).max();
    let path = env.path(&format!("{BACKUPS}/{}", newest.expect("one")));
    let mut bytes = fs::read(&path).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).expect("writes");
    let ran = env.run(&["prune", "--keep-last", "1", "--json"]).code(0);
    assert!(
        ran.stderr.contains("is damaged or unsafe"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        told(&ran.json()["kept"]),
        [
            "alice 19 safety last 1",
            "alice 19 safety newest sound one",
            "alice 02 current last 1"
        ]
    );
}

#[test]
fn the_table_and_the_errors() {
    let env = world();
    let ran = env
        .run(&[
            "prune",
            "--keep-last",
            "1",
            "--email",
            "alice@example.com",
            "--dry-run",
        ])
        .code(0)
        .stderr("");
    let lines: Vec<String> = squeezed(&ran.stdout).lines().map(str::to_owned).collect();
    assert_eq!(lines[0], "ARCHIVE  ACCOUNT  MADE  SIZE  KEPT");
    let ends = ["last 1", "would go", "would go", "would go", "would go"];
    for (line, end) in lines[1..].iter().zip(ends) {
        assert!(line.trim_end().ends_with(end), "{line}");
    }
    assert!(
        lines[6].starts_with("dry-run  4 of 5 snapshots, "),
        "{lines:?}"
    );
    let before = prints(&env.path(BACKUPS));
    let refused = |args: &[&str], code: i32, message: &str| -> Ran {
        let ran = env.run(args).code(code).stdout("");
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
        assert!(prints(&env.path(BACKUPS)) == before);
        ran
    };
    refused(&["prune"], 2, "error: nothing says what to keep\nhint: ");
    refused(&["prune", "--allow-empty"], 2, "nothing says what to keep");
    refused(
        &["prune", "--keep-within", "soon"],
        2,
        "it is no span of time",
    );
    refused(&["prune", "--keep-last", "-1"], 2, "");
    refused(
        &["prune", "--keep-last", "1", "--email", "carol@example.com"],
        10,
        "error: no account is called `carol@example.com`\n",
    );
    let empty = Env::new();
    empty
        .run(&["prune", "--keep-last", "1"])
        .code(0)
        .stdout("")
        .stderr("");
}

#[cfg(unix)]
#[test]
fn one_that_cannot_be_removed_is_told_and_the_rest_goes_on() {
    use std::os::unix::fs::PermissionsExt;
    if rustix::process::geteuid().is_root() {
        // No right is refused to root.
        return;
    }
    let env = world();
    let dir = env.path(&format!("{BACKUPS}/superseded"));
    let inside = fs::read_dir(&dir)
        .expect("lists")
        .next()
        .expect("one")
        .expect("reads")
        .path();
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o500)).expect("sets");
    let ran = env.run(&["prune", "--keep-last", "1", "--json"]).code(3);
    assert!(ran.stderr.contains("cannot remove"), "{}", ran.stderr);
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o700)).expect("sets");
}

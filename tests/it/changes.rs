//! `restore --dry-run` tells file by file what the restore then does.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::common::{Env, Person};
use crate::tarball::Tarball;

const BACKUP: [&str; 3] = ["backup", "--status-file", "status.txt"];

/// Alice's home with files of each kind of change to come, and a snapshot of it.
fn world() -> Env {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    for name in ["same", "swapped", "longer", "gone", "was-file"] {
        env.write(&format!(".codex/skills/{name}"), name);
    }
    env.write(".codex/skills/was-dir/a/b", "deep");
    env.write(".codex/prompts/old.md", "old");
    env.run(&BACKUP).code(0).stderr("");
    env
}

/// Changes the home in every way.
fn change(env: &Env) {
    env.write(".codex/skills/swapped", "SWAPPED");
    env.write(".codex/skills/longer", "longer and longer");
    fs::remove_file(env.path(".codex/skills/gone")).expect("removes");
    env.write(".codex/skills/new", "new");
    fs::remove_file(env.path(".codex/skills/was-file")).expect("removes");
    env.write(".codex/skills/was-file/inside", "inside");
    fs::remove_dir_all(env.path(".codex/skills/was-dir")).expect("removes");
    env.write(".codex/skills/was-dir", "a file");
    env.write(".codex/prompts/a.md", "since");
    fs::remove_file(env.path(".codex/prompts/old.md")).expect("removes");
    // Neither a time nor a right is content.
    env.touch(".codex/skills/same", "2020-01-01T00:00:00Z");
}

/// Files by path.
fn files(env: &Env, home: &str) -> BTreeMap<String, String> {
    env.tree(home).into_iter().collect()
}

/// Runs it dry and then in earnest: what was told must be what happened. Gives what was told.
#[track_caller]
fn told_is_done(env: &Env, args: &[&str]) -> Value {
    let everything = env.tree("");
    let dry = [&["restore", "--dry-run", "--json"], args].concat();
    let told = env.run(&dry).code(0).json();
    assert_eq!(env.tree(""), everything, "a dry run changed something");
    let before = files(env, ".codex");
    let done = env
        .run(&[&["restore", "--yes", "--json"], args].concat())
        .code(0)
        .json();
    let after = files(env, ".codex");
    let mut changes = Vec::new();
    let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
    paths.sort();
    paths.dedup();
    for path in paths {
        let (old, new) = (before.get(path), after.get(path));
        let action = match (old, new) {
            (Some(old), Some(new)) if old == new => continue,
            (None, _) => "add",
            (_, None) => "remove",
            _ => "replace",
        };
        changes.push(json!({
            "path": path,
            "action": action,
            "bytes_before": old.map(String::len),
            "bytes_after": new.map(String::len),
        }));
    }
    assert_eq!(told["changes"], Value::from(changes.clone()));
    let put_in_place = changes.iter().filter(|change| change["action"] != "remove");
    let unchanged = done["files"].as_u64().expect("a number") - put_in_place.count() as u64;
    assert_eq!(told["unchanged"], unchanged);
    assert_eq!(told["files"], done["files"]);
    assert_eq!(told["auth_source"], done["auth_source"]);
    assert!(done.get("changes").is_none() && done.get("unchanged").is_none());
    told
}

#[test]
fn what_a_dry_run_tells_is_what_happens() {
    let env = world();
    // Nothing to do at all.
    let told = told_is_done(&env, &["alice@example.com"]);
    assert_eq!(
        (&told["changes"], &told["unchanged"]),
        (&json!([]), &json!(12))
    );
    change(&env);
    let told = told_is_done(&env, &["alice@example.com"]);
    assert_eq!(told["changes"].as_array().map(Vec::len), Some(10));
    told_is_done(&env, &["--undo"]);
    told_is_done(&env, &["--undo"]);
    change(&env);
    told_is_done(&env, &["alice@example.com", "--only", "prompts,history"]);
    told_is_done(&env, &["alice@example.com", "--only", "skills"]);
    told_is_done(&env, &["--undo"]);
    env.write(".codex/auth.json", &Person::named("bob").auth_json());
    told_is_done(&env, &["alice@example.com", "--auth-only"]);
    // Into a home that is not there.
    fs::remove_dir_all(env.path(".codex")).expect("removes");
    let told = told_is_done(&env, &["alice@example.com"]);
    assert_eq!(
        (&told["unchanged"], &told["files"]),
        (&json!(0), &json!(12))
    );
}

#[test]
fn the_changes_are_told_in_lines() {
    let env = world();
    change(&env);
    let ran = env.run(&[
        "restore",
        "alice@example.com",
        "--dry-run",
        "--only",
        "skills",
    ]);
    ran.code(0).stderr("").stdout(
        "dry-run   ~/.codex-manager/backups/2026-04-14-155500-alice@example.com-codex.tar.gz\n\
         into      ~/.codex\n\
         account   alice@example.com\n\
         window    2026-04-14T15:55:00+05:30 to 2026-04-21T15:55:00+05:30\n\
         files     6\n\
         parts     skills\n\
         add       skills/gone (4 B)\n\
         replace   skills/longer (6 B, was 17 B)\n\
         remove    skills/new (3 B)\n\
         replace   skills/swapped (7 B, was 7 B)\n\
         remove    skills/was-dir (6 B)\n\
         add       skills/was-dir/a/b (4 B)\n\
         add       skills/was-file (8 B)\n\
         remove    skills/was-file/inside (6 B)\n\
         in all    3 to add, 2 to replace, 3 to remove, 1 as they are\n",
    );
}

/// The login that would be installed is what is compared, not the archive's older one.
#[test]
fn the_login_is_told_as_it_would_be_installed() {
    let env = world();
    let newer = Person {
        last_refresh: "2026-04-18T12:25:00Z".to_owned(),
        ..Person::named("alice")
    };
    env.write(".codex/auth.json", &newer.auth_json());
    let told = told_is_done(&env, &["alice@example.com"]);
    assert_eq!(told["auth_source"], "live");
    assert_eq!(told["changes"], json!([]));
    // Kept in the profile by that restore, it is taken from there.
    env.write(".codex/auth.json", &Person::named("bob").auth_json());
    let told = told_is_done(&env, &["alice@example.com"]);
    assert_eq!(told["auth_source"], "profile");
    assert_eq!(told["changes"][0]["bytes_after"], newer.auth_json().len());
    told_is_done(&env, &["alice@example.com", "--archived-auth"]);
}

/// Archives of the Python tool have no hashes of their own.
#[test]
fn archives_without_hashes_are_compared_as_well() {
    let env = world();
    let python = |below: &str, mode: &str, tarball: Tarball| {
        let path = env.path(&format!("{below}.tar.gz"));
        fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
        tarball.write(&path);
        let sidecar = json!({
            "product": "codex", "email": "alice@example.com", "backup_mode": mode,
            "created_at": "2026-04-14T16:00:00+05:30",
        });
        env.write(&format!("{below}.metadata.json"), &sidecar.to_string());
        format!("{below}.tar.gz")
    };
    let auth = Person::named("alice").auth_json();
    let whole = Tarball::default()
        .file("auth.json", &auth)
        .file("history.jsonl", "{\"text\":\"hallo\"}\n")
        .file("installation_id", "3f6c\n")
        .file("skills/swapped", "SWAPPED")
        .file("skills/other", "");
    let whole = python("py/whole-codex", "full", whole);
    let told = told_is_done(&env, &[&whole]);
    assert_eq!(told["unchanged"], 2);
    assert_eq!(told["changes"][1]["path"], "history.jsonl");
    told_is_done(&env, &["--undo"]);
    let half = Tarball::default()
        .file("history.jsonl", "theirs\n")
        .file("skills/same", "same")
        .file("sessions/new.jsonl", "theirs\n");
    let half = python(
        "py/sessions/alice@example.com/backup-codex",
        "session-only",
        half,
    );
    let told = told_is_done(&env, &[&half]);
    assert_eq!(told["changes"].as_array().map(Vec::len), Some(2));
    assert_eq!(told["unchanged"], 1);
}

/// A database is looked at as the files it is: nothing is opened, so nothing comes to stand beside it.
#[test]
fn a_database_in_use_is_not_touched() {
    let env = world();
    let open = |text: &str| {
        let database =
            rusqlite::Connection::open(env.path(".codex/state_5.sqlite")).expect("opens");
        let sql = format!(
            "PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS t(text); INSERT INTO t VALUES ('{text}');"
        );
        database.execute_batch(&sql).expect("runs");
        database
    };
    drop(open("old"));
    env.run(&BACKUP).code(0).stderr("");
    // SQLite's copy need not be the file it was made of; what it is restored as is the same file next time.
    env.run(&["restore", "alice@example.com", "--yes"])
        .code(0)
        .stderr("");
    let dry = [
        "restore",
        "alice@example.com",
        "--dry-run",
        "--json",
        "--force",
    ];
    let told = env.run(&dry).code(0).stderr("").json();
    assert_eq!(told["changes"], json!([]));
    let database = open("new");
    let before = env.tree("");
    let told = env.run(&dry).code(0).json();
    assert_eq!(env.tree(""), before);
    let changes = told["changes"].as_array().expect("a list").iter();
    let changes: Vec<Value> = changes
        .map(|change| json!([change["action"], change["path"]]))
        .collect();
    assert_eq!(
        json!(changes),
        json!([
            ["replace", "state_5.sqlite"],
            ["remove", "state_5.sqlite-shm"],
            ["remove", "state_5.sqlite-wal"],
        ])
    );
    drop(database);
}

#[test]
fn what_an_earlier_restore_left_is_told() {
    let env = world();
    env.write(".codex/.codex-manager-restore/new/history.jsonl", "half\n");
    let before = env.tree("");
    env.run(&["restore", "alice@example.com", "--dry-run"])
        .code(0)
        .stderr(
            "warning: an earlier restore into `~/.codex` was cut short: it is dealt with first, and this one may come out \
             otherwise\n",
        );
    assert_eq!(env.tree(""), before);
}

//! Snapshots of a home whose databases somebody writes to.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::common::{Env, Person};

const BACKUP: [&str; 4] = ["backup", "--status-file", "status.txt", "--force"];
const DATABASE: &str = ".codex/state_5.sqlite";

fn world() -> Env {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    env
}

fn open(path: &Path) -> Connection {
    let database = Connection::open(path).expect("opens");
    database
        .execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;
             CREATE TABLE IF NOT EXISTS turns(id INTEGER PRIMARY KEY, text TEXT); CREATE INDEX IF NOT EXISTS by_text ON turns(text);
             CREATE TABLE IF NOT EXISTS sums(n INTEGER); INSERT INTO sums SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM sums);",
        )
        .expect("runs");
    database
}

/// Puts the snapshot back into another home, and looks whether its database is whole: how many rows it has.
fn restored_rows(env: &Env, archive: &str, dest: &str) -> i64 {
    env.run(&[
        "restore",
        "--from-archive",
        archive,
        "--dest-dir",
        dest,
        "--yes",
    ])
    .code(0);
    let dest = env.path(dest);
    for beside in ["-wal", "-shm"] {
        assert!(!dest.join(format!("state_5.sqlite{beside}")).exists());
    }
    let copy = Connection::open(dest.join("state_5.sqlite")).expect("opens");
    let ask = |what: &str| -> Value {
        copy.query_row(what, [], |row| row.get::<_, String>(0))
            .map_or_else(|error| panic!("{what}: {error}"), Value::from)
    };
    assert_eq!(ask("PRAGMA integrity_check"), json!("ok"));
    let number = |what: &str| -> i64 {
        copy.query_row(what, [], |row| row.get(0))
            .unwrap_or_else(|error| panic!("{what}: {error}"))
    };
    let rows = number("SELECT count(*) FROM turns");
    // Each row and the sum are written together, one row after the other.
    assert_eq!(number("SELECT n FROM sums"), rows);
    assert_eq!(number("SELECT coalesce(max(id), 0) FROM turns"), rows);
    rows
}

#[test]
fn while_somebody_writes_every_copy_is_whole() {
    let env = world();
    let path = env.path(DATABASE);
    drop(open(&path));
    let (stop, written) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicI64::new(0)),
    );
    let writer = std::thread::spawn({
        let (stop, written) = (stop.clone(), written.clone());
        move || {
            let mut database = open(&path);
            while !stop.load(Ordering::SeqCst) {
                let turn = database.transaction().expect("begins");
                turn.execute("INSERT INTO turns(text) VALUES (hex(randomblob(300)))", [])
                    .expect("inserts");
                turn.execute("UPDATE sums SET n = n + 1", [])
                    .expect("updates");
                turn.commit().expect("is not kept waiting");
                written.fetch_add(1, Ordering::SeqCst);
                // Busy, and not faster than a snapshot is made: it would never end.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let mut counted = Vec::new();
    for turn in 0..8 {
        let before = written.load(Ordering::SeqCst);
        let ran = env
            .run(&[&BACKUP[..], &["--json"]].concat())
            .code(0)
            .stderr("");
        let after = written.load(Ordering::SeqCst);
        let document = ran.json();
        let databases = &document["snapshot"]["databases"];
        assert_eq!(databases[0]["path"], "state_5.sqlite");
        assert_eq!(databases[0]["method"], "backup");
        assert_eq!(databases[0]["check"], "quick_check");
        let archive = document["archive"].as_str().expect("a path");
        let archive = archive.replace('~', &env.home().display().to_string());
        let rows = restored_rows(&env, &archive, &format!("restored-{turn}"));
        assert!(
            (before..=after + 1).contains(&rows),
            "{before} {rows} {after}"
        );
        counted.push(rows);
    }
    stop.store(true, Ordering::SeqCst);
    writer.join().expect("ends");
    assert!(
        counted.is_sorted() && counted[0] < counted[7],
        "{counted:?}"
    );
    let left = env.files(".codex-manager/backups");
    assert!(!left.iter().any(|name| name.contains("tmp")), "{left:?}");
}

#[test]
fn a_database_that_cannot_be_copied_is_told_and_captured_as_it_lies() {
    let env = world();
    env.write(DATABASE, "no database");
    env.write(".codex/state_5.sqlite-wal", "no log");
    drop(open(&env.path(".codex/goals_1.sqlite")));
    let told = "warning: state_5.sqlite: captured as its files lie: it is no database that this program knows\n";
    let ran = env.run(&[&BACKUP[..], &["--json"]].concat()).code(3);
    assert!(
        ran.stderr.contains("captured as its files lie"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        ran.json()["snapshot"]["databases"],
        json!([
            {"path": "goals_1.sqlite", "method": "copy", "check": "quick_check", "user_version": 0},
            {"path": "state_5.sqlite", "method": "raw", "check": null, "user_version": null},
        ])
    );
    env.run(&BACKUP).code(3).stderr(told);
    env.write(DATABASE, "changed");
    env.run(&["restore", "alice@example.com", "--yes"])
        .code(0)
        .stderr("warning: in the safety copy state_5.sqlite: captured as its files lie: it is no database that this program knows\n");
    assert_eq!(env.read(DATABASE), "no database");
    assert_eq!(env.read(".codex/state_5.sqlite-wal"), "no log");
}

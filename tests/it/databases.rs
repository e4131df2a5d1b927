//! Snapshots of a home whose databases somebody writes to.

mod long_run;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::common::{Env, Person, Ran};

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
    while written.load(Ordering::SeqCst) == 0 {
        assert!(!writer.is_finished(), "nobody writes");
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut counted = Vec::new();
    for turn in 0..3 {
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
        counted.is_sorted() && counted[0] < counted[2],
        "{counted:?}"
    );
    let left = env.files(".codex-manager/backups");
    assert!(!left.iter().any(|name| name.contains("tmp")), "{left:?}");
}

/// Its log is in the copy: what was expected before is not what an archive holds.
#[test]
fn an_archive_that_lost_its_sidecar_is_restored_where_a_database_had_a_log() {
    let env = world();
    let database = open(&env.path(DATABASE));
    database
        .execute_batch("INSERT INTO turns(text) VALUES ('one'); UPDATE sums SET n = 1")
        .expect("writes");
    assert!(env.path(&format!("{DATABASE}-wal")).exists());
    env.run(&BACKUP).code(0).stderr("");
    let base = ".codex-manager/backups/2026-04-14-155500-alice@example.com-codex";
    std::fs::remove_file(env.path(&format!("{base}.metadata.json"))).expect("removes");
    let archive = env.path(&format!("{base}.tar.gz"));
    let archive = archive.to_str().expect("UTF-8");
    assert_eq!(restored_rows(&env, archive, "other"), 1);
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

/// A database of a hundred rows in the older mode, whose journal holds what was before a transaction that is not done.
fn in_the_midst(path: &Path) -> Connection {
    let database = Connection::open(path).expect("opens");
    database
        .execute_batch(
            "PRAGMA cache_size=5; CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
             INSERT INTO t(v) SELECT hex(randomblob(500)) FROM n;
             BEGIN; UPDATE t SET v = 'lost'; INSERT INTO t(v) SELECT hex(randomblob(500)) FROM t;",
        )
        .expect("runs");
    let journal = std::fs::metadata(format!("{}-journal", path.display()));
    assert!(journal.expect("there").len() > 0, "nothing was spilled");
    database
}

/// The databases of the newest snapshot by path, with their method.
fn methods(document: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let databases = document["snapshot"]["databases"].as_array();
    let databases = databases.into_iter().flatten();
    databases
        .map(|one| (text(&one["path"]), text(&one["method"])))
        .collect()
}

/// What was warned of, where JSON was asked for.
fn warnings(ran: &Ran) -> Vec<String> {
    let lines = ran.stderr.lines();
    lines
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            line["warning"]["message"]
                .as_str()
                .expect("a warning")
                .to_owned()
        })
        .collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(path, method)| ((*path).to_owned(), (*method).to_owned()))
        .collect()
}

#[cfg(unix)]
#[test]
fn what_somebody_holds_for_himself_alone_is_waited_for_together_and_captured_as_it_lies() {
    let env = world();
    let held = |name: &str| {
        let path = env.path(&format!(".codex/{name}"));
        let database = Connection::open(path).expect("opens");
        database
            .execute_batch(
                "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;
                 CREATE TABLE t(v TEXT); INSERT INTO t VALUES ('x');",
            )
            .expect("runs");
        database
    };
    // Each holds a log without an index: only the lock tells.
    let alone: Vec<Connection> = ["goals_1.sqlite", "logs_2.sqlite", "queue_1.sqlite"]
        .map(held)
        .into();
    let in_the_midst = in_the_midst(&env.path(DATABASE));
    drop(open(&env.path(".codex/memories_1.sqlite")));
    // Names alone: whoever opens and closes a file lets go of the locks that he has on it.
    let listed = || -> BTreeSet<std::ffi::OsString> {
        let listing = std::fs::read_dir(env.path(".codex")).expect("lists");
        listing
            .map(|entry| entry.expect("reads").file_name())
            .collect()
    };
    let before = listed();
    let start = Instant::now();
    let ran = env.run(&[&BACKUP[..], &["--json"]].concat()).code(3);
    let took = start.elapsed();
    let names = [
        "goals_1.sqlite",
        "logs_2.sqlite",
        "queue_1.sqlite",
        "state_5.sqlite",
    ];
    let document = ran.json();
    assert_eq!(
        warnings(&ran),
        names.map(|name| format!(
            "{name}: captured as its files lie: somebody holds it for himself alone"
        ))
    );
    // Each for itself would be twenty seconds.
    assert!(
        (Duration::from_secs(5)..Duration::from_secs(12)).contains(&took),
        "{took:?}"
    );
    assert_eq!(
        methods(&document),
        owned(&[
            ("goals_1.sqlite", "raw"),
            ("logs_2.sqlite", "raw"),
            ("memories_1.sqlite", "copy"),
            ("queue_1.sqlite", "raw"),
            ("state_5.sqlite", "raw"),
        ])
    );
    assert_eq!(listed(), before);
    // With what stood beside them they are whole where they are put back.
    drop((alone, in_the_midst));
    let archive = document["archive"].as_str().expect("a path");
    let archive = archive.replace('~', &env.home().display().to_string());
    let dest = env.path("restored").display().to_string();
    let back = [
        "restore",
        "--from-archive",
        &archive,
        "--dest-dir",
        &dest,
        "--yes",
    ];
    env.run(&back).code(0);
    let count = |name: &str| -> i64 {
        let database = Connection::open(env.path(&format!("restored/{name}"))).expect("opens");
        let count = "SELECT count(*) FROM t WHERE v != 'lost'";
        database
            .query_row(count, [], |row| row.get(0))
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    assert_eq!(names.map(count), [1, 1, 1, 100]);
}

#[cfg(unix)]
#[test]
fn one_that_is_let_go_in_time_is_copied() {
    let env = world();
    let path = env.path(DATABASE);
    drop(open(&path));
    let holder = Connection::open(&path).expect("opens");
    holder
        .execute_batch("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE;")
        .expect("runs");
    let waiting = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(1500));
        drop(holder);
    });
    let ran = env.run(&[&BACKUP[..], &["--json"]].concat());
    waiting.join().expect("ends");
    let document = ran.code(0).stderr("").json();
    assert_ne!(methods(&document), owned(&[("state_5.sqlite", "raw")]));
}

#[test]
fn what_a_crash_left_half_done_is_taken_back_in_the_copy() {
    let env = world();
    let elsewhere = env.path("elsewhere.sqlite");
    let open = in_the_midst(&elsewhere);
    for suffix in ["", "-journal"] {
        let from = format!("{}{suffix}", elsewhere.display());
        std::fs::copy(from, env.path(&format!("{DATABASE}{suffix}"))).expect("copies");
    }
    drop(open);
    let before = env.files(".codex");
    let document = env
        .run(&[&BACKUP[..], &["--json"]].concat())
        .code(0)
        .stderr("")
        .json();
    assert_eq!(methods(&document), owned(&[("state_5.sqlite", "copy")]));
    assert_eq!(env.files(".codex"), before);
    env.run(&["restore", "alice@example.com", "--yes"]).code(0);
    assert!(!env.path(".codex/state_5.sqlite-journal").exists());
    let database = Connection::open(env.path(DATABASE)).expect("opens");
    let ask = "SELECT count(*) FROM t WHERE v != 'lost'";
    let count: i64 = database
        .query_row(ask, [], |row| row.get(0))
        .expect("counts");
    assert_eq!(count, 100);
}

/// A world whose databases stand outside of the home.
fn world_beside(settings: &str) -> Env {
    let env = world();
    env.write(".codex/config.toml", settings);
    env.write("fast/notes.txt", "none of Codex's");
    drop(open(&env.path("fast/goals_1.sqlite")));
    env
}

const BESIDE: &str = ".codex-manager-sqlite-home";

#[cfg(unix)]
#[test]
fn databases_that_stand_elsewhere_are_captured_and_left_there_by_a_restore() {
    let env = world_beside("sqlite_home = \"~/fast\"\n");
    let writer = open(&env.path("fast/state_5.sqlite"));
    writer
        .execute("INSERT INTO turns(text) VALUES ('first')", [])
        .expect("inserts");
    let before = env.files("fast");
    let document = env
        .run(&[&BACKUP[..], &["--json"]].concat())
        .code(0)
        .stderr("")
        .json();
    assert_eq!(
        methods(&document),
        owned(&[
            (&format!("{BESIDE}/goals_1.sqlite"), "copy"),
            (&format!("{BESIDE}/state_5.sqlite"), "backup"),
        ])
    );
    assert_eq!(document["snapshot"]["sqlite_home"], "~/fast");
    assert_eq!(
        document["snapshot"]["captured_files"][0],
        format!("{BESIDE}/")
    );
    assert_eq!(env.files("fast"), before);
    writer
        .execute("INSERT INTO turns(text) VALUES ('second')", [])
        .expect("inserts");
    drop(writer);
    let now = env.tree("fast");
    let archive = document["archive"].as_str().expect("a path");
    let command = format!("tar -xzf {archive} -C ~/fast --strip-components=1 {BESIDE}");
    let told = format!(
        "warning: databases that stood outside of the home are not put back: goals_1.sqlite, state_5.sqlite; to do so, \
         quit Codex, move the old ones and all that stands beside them out of `~/fast`, then run `{command}`\n"
    );
    let restore = ["restore", "alice@example.com"];
    env.run(&[&restore[..], &["--dry-run"]].concat())
        .code(3)
        .stderr(&told);
    env.run(&[&restore[..], &["--auth-only", "--yes"]].concat())
        .code(0)
        .stderr("");
    env.run(&[&restore[..], &["--yes"]].concat())
        .code(3)
        .stderr(&told);
    assert_eq!(env.tree("fast"), now);
    assert!(!env.path(&format!(".codex/{BESIDE}")).exists());
    // Nothing was replaced there, so there is nothing to undo.
    env.run(&["restore", "--undo", "--yes"]).code(0).stderr("");
    // And what is told works.
    for name in ["goals_1.sqlite", "state_5.sqlite"] {
        std::fs::rename(env.path("fast").join(name), env.path(name)).expect("moves");
    }
    let mut shell = std::process::Command::new("sh");
    env.surround(shell.args(["-c", &command]));
    assert!(shell.status().expect("runs").success());
    let database = Connection::open(env.path("fast/state_5.sqlite")).expect("opens");
    let text: String = database
        .query_row("SELECT group_concat(text) FROM turns", [], |row| row.get(0))
        .expect("reads");
    assert_eq!(text, "first");
}

#[test]
fn the_settings_say_where_before_the_environment_does() {
    let captured = |env: &Env, variable: Option<&str>| -> Vec<String> {
        let args = [&BACKUP[..], &["--json"]].concat();
        let mut command = env.command(&args);
        if let Some(value) = variable {
            command.env("CODEX_SQLITE_HOME", value);
        }
        let document = env.ran(&mut command, &args).code(0).stderr("").json();
        let paths = methods(&document).into_iter();
        paths.map(|(path, _)| path).collect()
    };
    let goals = format!("{BESIDE}/goals_1.sqlite");
    let env = world_beside("model = \"made-up\"\n");
    let fast = env.path("fast").display().to_string();
    assert!(captured(&env, None).is_empty());
    assert_eq!(captured(&env, Some(&fast)), [goals.as_str()]);
    // As Codex takes it: trimmed, from the working directory, without a tilde.
    assert_eq!(captured(&env, Some(" fast\n")), [goals.as_str()]);
    assert!(captured(&env, Some("~/fast")).is_empty());
    assert!(captured(&env, Some(" ")).is_empty());
    env.write(".codex/config.toml", "sqlite_home = \"../fast\"\n");
    assert_eq!(captured(&env, Some("nowhere")), [goals.as_str()]);
    env.write(".codex/config.toml", "sqlite_home = \"nowhere\"\n");
    assert!(captured(&env, Some(&fast)).is_empty());
    // Within the home they are met where they stand.
    env.write(".codex/config.toml", "sqlite_home = \"db\"\n");
    std::fs::create_dir(env.path(".codex/db")).expect("makes");
    drop(open(&env.path(".codex/db/state_5.sqlite")));
    assert_eq!(captured(&env, None), ["db/state_5.sqlite"]);
    env.write(".codex/config.toml", "sqlite_home = \"\"\n");
    assert_eq!(captured(&env, None), ["db/state_5.sqlite"]);
    // Unless nothing there is captured.
    env.write(".codex/config.toml", "sqlite_home = \"tmp\"\n");
    drop(open(&env.path(".codex/tmp/goals_1.sqlite")));
    let both = [goals.as_str(), "db/state_5.sqlite"];
    assert_eq!(captured(&env, None), both);
}

#[test]
fn patterns_hold_there_too_and_what_is_no_directory_is_told() {
    let env = world_beside("sqlite_home = \"../fast\"\n");
    drop(open(&env.path("fast/logs_2.sqlite")));
    env.write("fast/text.sqlite", "no database");
    env.write("fast/text.sqlite-wal", "no log");
    let exclude = ["--exclude", "logs_*", "--json"];
    let ran = env.run(&[&BACKUP[..], &exclude[..]].concat()).code(3);
    assert_eq!(
        methods(&ran.json()),
        owned(&[
            (&format!("{BESIDE}/goals_1.sqlite"), "copy"),
            (&format!("{BESIDE}/text.sqlite"), "raw"),
        ])
    );
    assert_eq!(
        warnings(&ran),
        [format!(
            "{BESIDE}/text.sqlite: captured as its files lie: it is no database that this program knows"
        )]
    );
    assert_eq!(
        archived(&env)
            .iter()
            .filter(|name| name.starts_with(BESIDE))
            .collect::<Vec<_>>(),
        [
            &format!("{BESIDE}/goals_1.sqlite"),
            &format!("{BESIDE}/text.sqlite"),
            &format!("{BESIDE}/text.sqlite-wal"),
        ]
    );
    env.write(
        ".codex/config.toml",
        "sqlite_home = \"../fast/notes.txt\"\n",
    );
    let ran = env.run(&BACKUP).code(3);
    ran.stderr(&format!(
        "warning: not captured: {BESIDE}: cannot list `~/fast/notes.txt`: not a directory\n"
    ));
}

#[test]
fn a_home_that_has_the_reserved_name_is_told() {
    let env = world_beside("sqlite_home = \"../fast\"\n");
    env.write(&format!(".codex/{BESIDE}/goals_1.sqlite"), "somebody's own");
    let ran = env.run(&[&BACKUP[..], &["--json"]].concat()).code(3);
    assert_eq!(
        methods(&ran.json()),
        owned(&[(&format!("{BESIDE}/goals_1.sqlite"), "copy")])
    );
    assert_eq!(
        warnings(&ran),
        [format!(
            "not captured: {BESIDE}: snapshots use that name themselves"
        )]
    );
    env.run(&["restore", "alice@example.com", "--yes"]).code(3);
    let kept = env.read(&format!(".codex/{BESIDE}/goals_1.sqlite"));
    assert_eq!(kept, "somebody's own");
}

/// The names in the only current archive.
fn archived(env: &Env) -> Vec<String> {
    let backups = env.path(".codex-manager/backups");
    let listing = std::fs::read_dir(backups).expect("lists");
    let archive = listing
        .map(|entry| entry.expect("reads").path())
        .find(|path| path.extension().is_some_and(|end| end == "gz"));
    let file = std::fs::File::open(archive.expect("an archive")).expect("opens");
    let mut tar = tar::Archive::new(flate2::read::MultiGzDecoder::new(file));
    let entries = tar.entries().expect("reads");
    entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            entry.path().expect("a path").to_string_lossy().into_owned()
        })
        .collect()
}

//! Tests of the copying of databases.

use rusqlite::Connection;

use super::*;
use crate::capture::Plan;

/// A home with one database of a hundred rows, of which the last are in the log alone.
struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a directory"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn open(&self, name: &str) -> Connection {
        let database = Connection::open(self.path(name)).expect("opens");
        database
            .execute_batch(
                "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; PRAGMA user_version=7;
                 CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX IF NOT EXISTS i ON t(v);",
            )
            .expect("runs");
        for _ in 0..100 {
            database
                .execute("INSERT INTO t(v) VALUES (hex(randomblob(40)))", [])
                .expect("inserts");
        }
        database
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.dir.path())
            .expect("lists")
            .map(|entry| {
                entry
                    .expect("reads")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    fn plan(&self) -> Plan {
        let wanted = crate::capture::Wanted {
            auth_json: None,
            email: None,
            parts: crate::codex::parts::Parts::ALL,
            include_tmp: false,
            exclude: &[],
            own_dirs: &[],
        };
        crate::capture::plan(self.dir.path(), &wanted).expect("plans")
    }
}

/// Copies the databases of a plan that holds nothing else.
fn settle(plan: &Plan, dir: &Path, stop: &dyn Fn() -> bool) -> Result<Settled> {
    let mut entries = plan.entries.clone();
    let begun = begin(&mut entries, dir, stop)?.expect("there are some");
    assert!(!entries.iter().any(Entry::is_file), "{entries:?}");
    let mut settled = begun.finish(stop)?;
    settled.entries.extend(entries);
    settled.entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(settled)
}

/// Settles the plan; the settled names, and the rows of the database.
fn settled(home: &Home, dir: &Path) -> (Settled, Vec<String>) {
    let settled = settle(&home.plan(), dir, &|| false).expect("settles");
    let names = settled.entries.iter();
    let names = names.map(|entry| entry.path.clone()).collect();
    (settled, names)
}

fn rows(settled: &Settled, path: &str) -> i64 {
    let entry = settled.entries.iter().find(|entry| entry.path == path);
    let Some(Content::Copy { source, size }) = entry.map(|entry| &entry.content) else {
        panic!("`{path}` is not planned")
    };
    assert_eq!(fs::metadata(source).expect("there").len(), *size);
    let copy = Connection::open(source).expect("opens");
    copy.query_row("SELECT count(*) FROM t", [], |row| row.get(0))
        .expect("counts")
}

#[test]
fn one_that_is_open_is_copied_with_what_is_in_its_log() {
    let (home, dir) = (Home::new(), tempfile::tempdir().expect("a directory"));
    let open = home.open("state_5.sqlite");
    let before = home.names();
    let (settled, names) = settled(&home, dir.path());
    assert_eq!(names, ["state_5.sqlite"]);
    assert_eq!(rows(&settled, "state_5.sqlite"), 100);
    assert_eq!(settled.databases[0].method, DatabaseMethod::Backup);
    assert_eq!(settled.databases[0].user_version, Some(7));
    assert!(settled.raw.is_empty());
    assert_eq!(home.names(), before);
    // The writer was not disturbed.
    open.execute("INSERT INTO t(v) VALUES ('x')", [])
        .expect("inserts");
    drop(settled);
    assert_eq!(fs::read_dir(dir.path()).expect("lists").count(), 0);
}

#[test]
fn one_at_rest_is_copied_without_a_trace() {
    let (home, dir) = (Home::new(), tempfile::tempdir().expect("a directory"));
    drop(home.open("closed.sqlite"));
    // As a Codex that was killed leaves it: the log is there, its index is not.
    let killed = Home::new();
    let open = killed.open("killed.sqlite");
    for name in ["killed.sqlite", "killed.sqlite-wal"] {
        fs::copy(killed.path(name), home.path(name)).expect("copies");
    }
    drop(open);
    fs::write(home.path("empty.sqlite"), "").expect("writes");
    let before = home.names();
    let (settled, names) = settled(&home, dir.path());
    assert_eq!(names, ["closed.sqlite", "empty.sqlite", "killed.sqlite"]);
    assert_eq!(rows(&settled, "closed.sqlite"), 100);
    assert_eq!(rows(&settled, "killed.sqlite"), 100);
    let methods: Vec<_> = settled.databases.iter().map(|one| one.method).collect();
    assert_eq!(methods, [DatabaseMethod::Copy, DatabaseMethod::Copy]);
    assert_eq!(home.names(), before);
}

#[test]
fn what_sqlite_cannot_copy_is_captured_as_it_lies_and_told() {
    let (home, dir) = (Home::new(), tempfile::tempdir().expect("a directory"));
    fs::write(home.path("text.sqlite"), "no database").expect("writes");
    fs::write(home.path("text.sqlite-wal"), "no log").expect("writes");
    drop(home.open("torn.sqlite"));
    let mut bytes = fs::read(home.path("torn.sqlite")).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xA5);
    fs::write(home.path("torn.sqlite"), bytes).expect("writes");
    let (settled, names) = settled(&home, dir.path());
    assert_eq!(names, ["text.sqlite", "text.sqlite-wal", "torn.sqlite"]);
    assert_eq!(
        settled.raw,
        [
            "text.sqlite: captured as its files lie: it is no database that this program knows",
            "torn.sqlite: captured as its files lie: it is damaged",
        ]
    );
    assert!(
        settled
            .databases
            .iter()
            .all(|one| one.method == DatabaseMethod::Raw)
    );
}

#[test]
fn equal_databases_give_equal_copies() {
    let (home, dir) = (Home::new(), tempfile::tempdir().expect("a directory"));
    let open = home.open("state_5.sqlite");
    let bytes = || {
        let (settled, _) = settled(&home, dir.path());
        match &settled.entries[0].content {
            Content::Copy { source, .. } => fs::read(source).expect("reads"),
            _ => Vec::new(),
        }
    };
    let first = bytes();
    assert_eq!(first, bytes());
    open.execute("INSERT INTO t(v) VALUES ('x')", [])
        .expect("inserts");
    assert_ne!(first, bytes());
}

/// Older ones spoil a log that two write to; Codex's own state has been lost so.
#[test]
fn sqlite_is_new_enough() {
    assert!(rusqlite::version_number() >= 3_051_003);
}

/// What became of the only database of a home.
fn became(home: &Home) -> (DatabaseMethod, Vec<String>, Vec<String>) {
    let dir = tempfile::tempdir().expect("a directory");
    let (settled, names) = settled(home, dir.path());
    (settled.databases[0].method, names, settled.raw)
}

/// Sets a byte of a database's head, and closes it before.
fn patched(home: &Home, name: &str, patches: &[(usize, u8)]) {
    let mut bytes = fs::read(home.path(name)).expect("reads");
    for (place, byte) in patches {
        bytes[*place] = *byte;
    }
    fs::write(home.path(name), bytes).expect("writes");
}

#[test]
fn one_of_a_newer_format_is_copied_where_it_can_be_read_and_checked() {
    const TOLD: &str =
        "new.sqlite: captured as its files lie: its format is newer than this program knows";
    for (patches, is_copied) in [
        // Older programs may read it, but not write to it.
        (&[(18, 3)][..], true),
        (&[(18, 3), (19, 1)][..], true),
        (&[(18, 3), (19, 3)][..], false),
        // The form of the schema.
        (&[(47, 9)][..], false),
        (&[(18, 1), (19, 1), (47, 9)][..], false),
    ] {
        let home = Home::new();
        drop(home.open("new.sqlite"));
        patched(&home, "new.sqlite", patches);
        let before = home.names();
        let (method, names, raw) = became(&home);
        assert_eq!(names, ["new.sqlite"], "{patches:?}");
        if is_copied {
            assert_eq!(
                (method, raw.len()),
                (DatabaseMethod::Copy, 0),
                "{patches:?} {raw:?}"
            );
        } else {
            assert_eq!(method, DatabaseMethod::Raw, "{patches:?}");
            assert_eq!(raw, [TOLD], "{patches:?}");
        }
        assert_eq!(home.names(), before);
    }
}

#[test]
fn one_of_a_newer_form_that_is_open_is_captured_with_its_log() {
    let home = Home::new();
    let open = home.open("new.sqlite");
    open.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t(v) VALUES ('x');")
        .expect("runs");
    patched(&home, "new.sqlite", &[(18, 3), (19, 3)]);
    let (method, names, raw) = became(&home);
    assert_eq!(method, DatabaseMethod::Raw);
    assert_eq!(names, ["new.sqlite", "new.sqlite-shm", "new.sqlite-wal"]);
    assert_eq!(
        raw,
        ["new.sqlite: captured as its files lie: its format is newer than this program knows"]
    );
}

#[test]
fn letters_of_either_case_and_directories_of_that_name() {
    let home = Home::new();
    drop(home.open("STATE.SQLITE"));
    fs::create_dir(home.path("dir.sqlite")).expect("makes");
    let open = home.open("dir.sqlite/inner.Sqlite");
    let (method, names, raw) = became(&home);
    assert_eq!((method, raw.len()), (DatabaseMethod::Copy, 0));
    assert_eq!(
        names,
        ["STATE.SQLITE", "dir.sqlite", "dir.sqlite/inner.Sqlite"]
    );
    drop(open);
}

#[test]
fn an_empty_one_stays_empty_whatever_is_written_to_it_meanwhile() {
    let (home, dir) = (Home::new(), tempfile::tempdir().expect("a directory"));
    fs::write(home.path("new.sqlite"), "").expect("writes");
    let (settled, names) = settled(&home, dir.path());
    fs::write(home.path("new.sqlite"), "half a page").expect("writes");
    assert_eq!(names, ["new.sqlite"]);
    let Content::Copy { source, size: 0 } = &settled.entries[0].content else {
        panic!("it is not planned as an empty file");
    };
    assert_eq!(fs::read(source).expect("reads"), b"");
    assert!(settled.databases.is_empty() && settled.raw.is_empty());
}

#[test]
fn one_that_is_gone_is_left_to_whoever_writes_the_archive() {
    let (home, dir) = (Home::new(), tempfile::tempdir().expect("a directory"));
    drop(home.open("gone.sqlite"));
    let plan = home.plan();
    fs::remove_file(home.path("gone.sqlite")).expect("removes");
    let settled = settle(&plan, dir.path(), &|| false).expect("settles");
    assert_eq!(settled.entries, plan.entries);
    assert!(settled.databases.is_empty() && settled.raw.is_empty());
}

#[cfg(unix)]
#[test]
fn behind_a_link_its_log_is_where_it_stands_itself() {
    let (home, elsewhere) = (Home::new(), Home::new());
    let open = elsewhere.open("kept.sqlite");
    let link = |name: &str| {
        std::os::unix::fs::symlink(elsewhere.path("kept.sqlite"), home.path(name)).expect("links");
    };
    link("state_5.sqlite");
    let dir = tempfile::tempdir().expect("a directory");
    let (copied, names) = settled(&home, dir.path());
    assert_eq!(names, ["state_5.sqlite"]);
    assert_eq!(copied.databases[0].method, DatabaseMethod::Backup);
    assert_eq!(rows(&copied, "state_5.sqlite"), 100);
    // And where it cannot be copied, it is captured from there.
    patched(&elsewhere, "kept.sqlite", &[(19, 3)]);
    let (method, names, _) = became(&home);
    assert_eq!(method, DatabaseMethod::Raw);
    let with = |suffix: &str| format!("state_5.sqlite{suffix}");
    assert_eq!(names, ["", "-shm", "-wal"].map(with));
    drop(open);
}

#[cfg(unix)]
#[test]
fn copies_are_private_whatever_the_original_is() {
    use std::os::unix::fs::PermissionsExt;
    for (mode, patch) in [(0o644, 0), (0o444, 0), (0o644, 3)] {
        let home = Home::new();
        drop(home.open("closed.sqlite"));
        patched(&home, "closed.sqlite", &[(60, 0), (19, patch.max(1))]);
        let open = home.open("open.sqlite");
        for name in ["closed.sqlite", "open.sqlite"] {
            fs::set_permissions(home.path(name), fs::Permissions::from_mode(mode)).expect("sets");
        }
        let dir = tempfile::tempdir().expect("a directory");
        let (settled, _) = settled(&home, dir.path());
        for entry in &settled.entries {
            let Content::Copy { source, .. } = &entry.content else {
                panic!("`{}` is no file", entry.path);
            };
            let mode = fs::metadata(source).expect("there").permissions().mode();
            assert!(
                source.starts_with(dir.path()),
                "{} is not a copy",
                entry.path
            );
            assert_eq!(mode & 0o777, 0o600, "{}", entry.path);
        }
        drop(open);
    }
}

#[test]
fn a_copy_is_of_the_moment_it_was_begun_whatever_is_written_between_its_steps() {
    let (home, dir) = (Home::new(), tempfile::tempdir().expect("a directory"));
    let open = home.open("state_5.sqlite");
    open.execute_batch(
        "PRAGMA synchronous=OFF;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 29900)
         INSERT INTO t(v) SELECT printf('%0300d', i) FROM n;",
    )
    .expect("fills");
    let asked = std::cell::Cell::new(0);
    // Asked between two steps: a backup that begins anew at each write never ends.
    let write = || {
        asked.set(asked.get() + 1);
        open.execute("UPDATE t SET v = 'x' || id WHERE id % 100 = 0", [])
            .expect("is not kept waiting");
        open.execute("INSERT INTO t(v) VALUES ('later')", [])
            .expect("is not kept waiting");
        asked.get() > 1000
    };
    let settled = settle(&home.plan(), dir.path(), &write).expect("ends");
    assert!(asked.get() > 1, "it was copied in one step");
    assert_eq!(settled.databases[0].method, DatabaseMethod::Backup);
    assert_eq!(rows(&settled, "state_5.sqlite"), 30_000);
}

/// How often `stop` was asked until it said yes at that turn; whether all was left as it was.
fn stopped_at(home: &Home, turn: u32) -> bool {
    let dir = tempfile::tempdir().expect("a directory");
    let asked = std::cell::Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() >= turn
    };
    let before = home.names();
    let was_stopped = match settle(&home.plan(), dir.path(), &stop) {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.kind(), crate::error::Kind::Interrupted);
            true
        }
    };
    assert_eq!(fs::read_dir(dir.path()).expect("lists").count(), 0);
    assert_eq!(home.names(), before);
    was_stopped
}

#[test]
fn a_signal_ends_a_copy_that_is_on_its_way() {
    // More pages than are copied in one step, and more to check than is checked between two looks.
    let fill = |database: &Connection| {
        database
            .execute_batch(
                "PRAGMA synchronous=OFF; PRAGMA page_size=512;
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
                 INSERT INTO t(v) SELECT printf('%0300d', i) FROM n;",
            )
            .expect("fills");
    };
    let home = Home::new();
    let open = home.open("state_5.sqlite");
    fill(&open);
    // In the midst of the backup, and at the first look of the check.
    assert!(stopped_at(&home, 1));
    assert!(stopped_at(&home, 2));
    drop(open);
    // In the copy of the file, and in the check.
    assert!(stopped_at(&home, 1));
    assert!(stopped_at(&home, 3));
}

#[test]
fn a_signal_ends_what_sqlite_is_in_the_midst_of() {
    let asked = std::cell::Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > 3
    };
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let work = |database: Connection| database.query_row(endless, [], |_| Ok(()));
    let database = Connection::open_in_memory().expect("opens");
    let error = copy::unless_stopped(database, Path::new("x"), work, &stop).expect_err("ends");
    assert_eq!(error.kind(), crate::error::Kind::Interrupted);
}

#[test]
fn whoever_writes_to_one_without_a_log_is_not_kept_waiting_while_others_are_copied() {
    let (home, dir) = (Home::new(), tempfile::tempdir().expect("a directory"));
    let open = home.open("old.sqlite");
    open.pragma_update(None, "journal_mode", "DELETE")
        .expect("takes the log in");
    open.busy_timeout(Duration::ZERO).expect("sets");
    // By this it is seen to be open: a lock of this very process is not.
    fs::write(home.path("old.sqlite-shm"), "").expect("writes");
    open.execute_batch("BEGIN IMMEDIATE; INSERT INTO t(v) VALUES ('later');")
        .expect("begins");
    let mut entries = home.plan().entries;
    entries.retain(|entry| home::is_database(&entry.path));
    let begun = begin(&mut entries, dir.path(), &|| false).expect("begins");
    open.execute_batch("COMMIT").expect("is not kept waiting");
    let settled = begun.expect("there is one").finish(&|| false);
    let settled = settled.expect("copies");
    assert_eq!(settled.databases[0].method, DatabaseMethod::Backup);
    assert_eq!(rows(&settled, "old.sqlite"), 100);
}

//! The long run: snapshots by the built program, one after the other, while two other processes write without a pause, a
//! database and a session file. Eight in the suite; as many as one likes with
//!
//! ```sh
//! CODEX_MANAGER_TEST_SNAPSHOTS=200 cargo test --test it databases::long_run -- --nocapture
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::{BACKUP, DATABASE, world};
use crate::common::Env;

/// How many snapshots are made.
const COUNT: &str = "CODEX_MANAGER_TEST_SNAPSHOTS";

/// Tells the writers which world is theirs.
const HOME: &str = "CODEX_MANAGER_TEST_WRITERS_HOME";

const LINES: &str = ".codex/sessions/2026/04/14/rollout-long.jsonl";

/// The id of the last row that is committed.
const COMMITTED: &str = "committed";

/// How many rows there are before the first transaction, so that copying takes a while.
const ROWS: i64 = 12_000;

/// Accounts among which money is moved: what all have together stays the same.
const ACCOUNTS: i64 = 50;
const MONEY: i64 = ACCOUNTS * 1000;

/// Between two transactions, and between two pieces of a line.
const PACE: Duration = Duration::from_micros(700);

/// One of the two processes, ended when it goes out of scope.
struct Writer(Child);

impl Writer {
    /// Starts this test binary anew, for the test called `name` alone.
    fn start(env: &Env, name: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("its own path"));
        command
            .args([name, "--exact", "--nocapture", "--test-threads=1"])
            .env(HOME, env.home())
            // It goes when nobody holds the other end any more, however this process ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        Self(command.spawn().expect("starts"))
    }

    /// Fails where it ended by itself: somebody was in its way.
    fn assert_runs(&mut self) {
        let ended = self.0.try_wait().expect("can be asked");
        assert!(ended.is_none(), "a writer ended: {ended:?}");
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The world of a writer's process, which ends with the process that started it; None in any other process.
fn home_of_writer() -> Option<std::path::PathBuf> {
    let home = std::env::var_os(HOME)?;
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    Some(home.into())
}

/// A number that looks like chance and is the same for every run.
fn scattered(seed: i64) -> i64 {
    (seed.wrapping_mul(6_364_136_223_846_793_005)).rotate_left(23) & i64::from(i32::MAX)
}

/// No test but the process that writes a database: in each transaction three rows more, three others changed, six moves
/// of money. Nobody may keep it waiting.
#[test]
fn database_writer() {
    let Some(home) = home_of_writer() else {
        return;
    };
    let mut database = Connection::open(home.join(DATABASE)).expect("opens");
    database.busy_timeout(Duration::ZERO).expect("sets");
    // Small pages, so that there are more of them than are copied in one step.
    database
        .execute_batch(
            "PRAGMA page_size=512; PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=50;
             CREATE TABLE turns(id INTEGER PRIMARY KEY, text TEXT); CREATE INDEX by_text ON turns(text);
             CREATE TABLE accounts(id INTEGER PRIMARY KEY, money INTEGER);",
        )
        .expect("makes");
    let text = |seed: i64| format!("{:030}", scattered(seed));
    let mut last = 0;
    let first = database.transaction().expect("begins");
    for id in 0..ACCOUNTS {
        first
            .execute(
                "INSERT INTO accounts VALUES (?, ?)",
                params![id, MONEY / ACCOUNTS],
            )
            .expect("inserts");
    }
    while last < ROWS {
        last += 1;
        first
            .execute("INSERT INTO turns VALUES (?, ?)", params![last, text(last)])
            .expect("inserts");
    }
    first.commit().expect("commits");
    for round in 1.. {
        let turn = database.transaction().expect("begins");
        for step in 0..3 {
            last += 1;
            let changed = scattered(round * 3 + step) % last + 1;
            turn.execute("INSERT INTO turns VALUES (?, ?)", params![last, text(last)])
                .expect("inserts");
            turn.execute(
                "UPDATE turns SET text = ? WHERE id = ?",
                params![text(last + round), changed],
            )
            .expect("updates");
        }
        for step in 0..6 {
            let amount = scattered(round + step) % 100;
            for (account, change) in [(round + step, amount), (round * 7 + step, -amount)] {
                turn.execute(
                    "UPDATE accounts SET money = money + ? WHERE id = ?",
                    params![change, account % ACCOUNTS],
                )
                .expect("moves");
            }
        }
        turn.commit().expect("is not kept waiting");
        // Renamed, so that whoever reads it reads all of it.
        fs::write(home.join("committed.new"), last.to_string()).expect("writes");
        fs::rename(home.join("committed.new"), home.join(COMMITTED)).expect("renames");
        std::thread::sleep(PACE);
    }
}

/// No test but the process that writes a session file: each line in three pieces, so that most of the time half a line is
/// the last.
#[test]
fn line_writer() {
    let Some(home) = home_of_writer() else {
        return;
    };
    let mut file = fs::File::create(home.join(LINES)).expect("makes");
    for number in 1_u64.. {
        let line = format!(
            "{{\"number\":{number},\"text\":\"{:060}\"}}\n",
            scattered(1 + i64::try_from(number).expect("fits"))
        );
        let (head, rest) = line.split_at(9);
        let (middle, end) = rest.split_at(40);
        for piece in [head, middle, end] {
            file.write_all(piece.as_bytes()).expect("writes");
            std::thread::sleep(PACE / 2);
        }
    }
}

/// The last id that is known to be committed; 0 before the first transaction is.
fn committed(env: &Env) -> i64 {
    let told = fs::read_to_string(env.path(COMMITTED));
    told.map_or(0, |told| told.parse().expect("a number"))
}

fn names(dir: &Path) -> BTreeSet<std::ffi::OsString> {
    let listing = fs::read_dir(dir).expect("lists");
    listing
        .map(|entry| entry.expect("reads").file_name())
        .collect()
}

/// Puts the database of an archive into `dir`, with what the archive has beside it. The session file, and the names of what
/// was beside the database.
fn unpacked(archive: &Path, dir: &Path) -> (Vec<u8>, Vec<String>) {
    let file = fs::File::open(archive).expect("opens");
    let mut tar = tar::Archive::new(flate2::read::MultiGzDecoder::new(file));
    let (mut lines, mut beside) = (Vec::new(), Vec::new());
    for entry in tar.entries().expect("reads") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").display().to_string();
        if let Some(suffix) = path.strip_prefix("state_5.sqlite") {
            let mut file = fs::File::create(dir.join(&path)).expect("makes");
            std::io::copy(&mut entry, &mut file).expect("writes");
            beside.extend((!suffix.is_empty()).then(|| suffix.to_owned()));
        } else if LINES.strip_prefix(".codex/") == Some(path.as_str()) {
            entry.read_to_end(&mut lines).expect("reads");
        }
    }
    (lines, beside)
}

/// What is wrong with a copy of the database, of which the rows up to `committed` are to be there at least, and those of
/// one transaction more than `after` at most.
fn damage(copy: &Path, committed: i64, after: i64) -> Option<String> {
    let look = || -> rusqlite::Result<Option<String>> {
        let copy = Connection::open(copy)?;
        let verdict: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Ok(Some(verdict));
        }
        let number = |what: &str| copy.query_row(what, [], |row| row.get::<_, i64>(0));
        let rows = number("SELECT count(*) FROM turns")?;
        let by_index = number("SELECT count(*) FROM turns INDEXED BY by_text WHERE text >= ''")?;
        let ids = (
            number("SELECT min(id) FROM turns")?,
            number("SELECT max(id) FROM turns")?,
        );
        let money = number("SELECT sum(money) FROM accounts")?;
        let is_prefix = ids == (1, rows) && by_index == rows && (rows - ROWS) % 3 == 0;
        // The last transaction may be committed and not yet noted.
        let is_of_then = (committed..=after + 3).contains(&rows);
        Ok((!is_prefix || !is_of_then || money != MONEY).then(|| {
            format!("{rows} rows, {by_index} by index, ids {ids:?}, {money}; {committed} to {after} were committed")
        }))
    };
    look().unwrap_or_else(|error| Some(error.to_string()))
}

/// What is wrong with a copy of the session file, of which `before` was there before the snapshot, and `now` is there.
fn lines_missed(copy: &[u8], before: &[u8], now: &[u8]) -> Option<&'static str> {
    let whole = before.iter().rposition(|byte| *byte == b'\n');
    if !now.starts_with(copy) {
        Some("it is no beginning of what was written")
    } else if whole.is_some_and(|last| copy.len() <= last) {
        Some("whole lines are missing")
    } else if copy.last().is_some_and(|last| *last != b'\n') {
        Some("its last line is torn")
    } else {
        None
    }
}

/// Makes `count` snapshots of a new world while both write. What is wrong with them, and with how many databases.
fn snapshots(count: u32) -> (Vec<String>, u32) {
    let env = world();
    fs::create_dir_all(env.path(LINES).parent().expect("a parent")).expect("makes");
    let mut writers = ["database_writer", "line_writer"]
        .map(|name| Writer::start(&env, &format!("databases::long_run::{name}")));
    let start = Instant::now();
    while committed(&env) == 0 || !env.path(LINES).exists() {
        assert!(start.elapsed() < Duration::from_mins(1), "nobody writes");
        writers.iter_mut().for_each(Writer::assert_runs);
        std::thread::sleep(Duration::from_millis(10));
    }
    let standing = names(&env.path(".codex"));
    let (mut wrong, mut damaged) = (Vec::new(), 0);
    for turn in 0..count {
        let lines = fs::read(env.path(LINES)).expect("reads");
        let before = committed(&env);
        let ran = env
            .run(&[&BACKUP[..], &["--json"]].concat())
            .code(0)
            .stderr("");
        let after = committed(&env);
        let document = ran.json();
        let archive = document["archive"].as_str().expect("a path");
        let archive = archive.replace('~', &env.home().display().to_string());
        let dir = tempfile::tempdir().expect("a directory");
        let (copied, beside) = unpacked(Path::new(&archive), dir.path());
        if !beside.is_empty() || document["snapshot"]["databases"][0]["method"] != "backup" {
            wrong.push(format!(
                "snapshot {turn}: no copy by SQLite; beside it {beside:?}"
            ));
        }
        if let Some(damage) = damage(&dir.path().join("state_5.sqlite"), before, after) {
            damaged += 1;
            wrong.push(format!("snapshot {turn}: the database: {damage}"));
        }
        let now = fs::read(env.path(LINES)).expect("reads");
        let missed = lines_missed(&copied, &lines, &now);
        wrong.extend(missed.map(|what| format!("snapshot {turn}: the session file: {what}")));
        writers.iter_mut().for_each(Writer::assert_runs);
        let _ = fs::remove_dir_all(env.path(".codex-manager/backups/superseded"));
    }
    assert_eq!(names(&env.path(".codex")), standing);
    let left = env.files(".codex-manager/backups");
    assert!(!left.iter().any(|name| name.contains("tmp")), "{left:?}");
    println!(
        "{count} snapshots, {damaged} databases damaged; {} rows and {} bytes of lines were written in {:?}",
        committed(&env),
        fs::metadata(env.path(LINES)).expect("stands").len(),
        start.elapsed(),
    );
    (wrong, damaged)
}

#[test]
fn snapshots_while_two_processes_write() {
    let mut count = std::env::var(COUNT).map_or(8, |count| count.parse().expect("a number"));
    let (mut wrong, mut damaged) = (Vec::new(), 0);
    // What is written grows, and with it the time that each takes: a new world now and then.
    while count > 0 {
        let turns = count.min(25);
        let (more, of_databases) = snapshots(turns);
        wrong.extend(more);
        damaged += of_databases;
        count -= turns;
    }
    assert!(wrong.is_empty(), "{damaged} databases damaged: {wrong:#?}");
}

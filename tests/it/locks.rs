//! Two runs at once: writers take turns, whoever waits too long is told of the other, readers never wait.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Env, Person};

const BACKUPS: &str = ".codex-manager/backups";
const FROM_FILE: [&str; 3] = ["backup", "--status-file", "status.txt"];

fn world() -> Env {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    env.run(&FROM_FILE).code(0).stderr("");
    env
}

/// What is said of [`hold`].
const HELD: &str = "`~/.codex-manager/lock` is held by process 4242 (`codex-manager restore`) since 2026-04-19T15:29:00+05:30";

const IN_HOME: &str = "another codex-manager works in `~/.codex`, or asks Codex about it";

const HINT: &str = "hint: wait until it is done, then run the command again; or say with `--wait` how many seconds to wait\n";

/// Takes the world's lock as another codex-manager would.
fn hold(env: &Env) -> File {
    let path = env.path(".codex-manager/lock");
    fs::write(&path, "4242 restore\n2026-04-19T15:29:00+05:30").expect("writes");
    let file = File::options()
        .read(true)
        .write(true)
        .open(path)
        .expect("opens");
    file.lock().expect("locks");
    file
}

#[test]
fn two_backups_at_once_both_succeed_one_after_the_other() {
    let env = world();
    for file in 0..50 {
        env.write(
            &format!(".codex/sessions/{file}.jsonl"),
            &"text ".repeat(50_000),
        );
    }
    let children = [1, 2, 3].map(|_| {
        env.command(&["backup", "--force", "--status-file", "status.txt"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts")
    });
    for child in children {
        let output = child.wait_with_output().expect("ends");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout.starts_with(b"created "));
    }
    // The first of the world, and two of the three.
    let kept = env.files(&format!("{BACKUPS}/superseded"));
    assert_eq!(kept.len(), 6, "{kept:?}");
    for name in kept.iter().filter(|name| name.ends_with(".tar.gz")) {
        let path = format!("{BACKUPS}/superseded/{name}");
        env.run(&["restore", &path, "--dry-run"]).code(0).stderr("");
    }
    env.run(&["list-backups", "--verify"]).code(0).stderr("");
}

#[test]
fn a_held_lock_is_waited_for_and_then_told_with_its_holder() {
    let env = world();
    env.write(".codex/history.jsonl", "changed\n");
    let held = hold(&env);
    let before = env.tree("");
    let started = Instant::now();
    // Readers and dry runs need no lock.
    for args in [
        vec!["list-backups", "--verify"],
        vec!["cooldown"],
        vec!["recommend"],
        vec!["backup", "--status-file", "status.txt", "--dry-run"],
        vec!["restore", "alice@example.com", "--dry-run"],
    ] {
        env.run(&args).code(0).stderr("");
    }
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "a reader waited"
    );
    // Side by side, since each waits its ten seconds.
    let started = Instant::now();
    std::thread::scope(|scope| {
        for args in [
            vec!["backup", "--status-file", "status.txt"],
            vec!["restore", "alice@example.com", "--yes"],
            vec!["normalize", "--source-dir", ".codex"],
        ] {
            let env = &env;
            scope.spawn(move || {
                let stderr = format!("{HELD}; waiting, at most 10 s\nerror: {HELD}\n{HINT}");
                env.run(&args).code(11).stdout("").stderr(&stderr);
            });
        }
    });
    let waited = started.elapsed();
    assert!(
        (Duration::from_secs(9)..Duration::from_secs(30)).contains(&waited),
        "{waited:?}"
    );
    assert_eq!(env.tree(""), before);
    drop(held);
    env.run(&FROM_FILE).code(0).stderr("");
}

#[test]
fn a_lock_that_is_let_go_is_taken() {
    let env = world();
    env.write(".codex/history.jsonl", "changed\n");
    let held = hold(&env);
    let child = env
        .command(&FROM_FILE)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    until_it_has_open(&child, &env.path(".codex-manager/lock"));
    assert!(!env.path(&format!("{BACKUPS}/superseded")).exists());
    drop(held);
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(env.path(&format!("{BACKUPS}/superseded")).exists());
}

/// Until a process has come to the lock, as far as the system says so.
fn until_it_has_open(child: &Child, file: &Path) {
    if cfg!(not(target_os = "linux")) {
        return std::thread::sleep(Duration::from_millis(400));
    }
    let file = file.canonicalize().expect("there");
    let open = format!("/proc/{}/fd", child.id());
    for _ in 0..3000 {
        let listing = std::fs::read_dir(&open).expect("runs").flatten();
        if listing
            .map(|entry| entry.path())
            .any(|fd| std::fs::read_link(fd).is_ok_and(|it| it == file))
        {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came to the lock");
}

/// Runs until it says that it waits: the process, its stderr from there on, and what it said.
fn until_it_waits(env: &Env, args: &[&str]) -> (Child, BufReader<impl Read + use<>>, String) {
    let mut child = env
        .command(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut said = String::new();
    stderr.read_line(&mut said).expect("reads");
    let home = env.home().display().to_string();
    (child, stderr, said.replace(&home, "~"))
}

/// Its exit code, and what else it said.
fn ended(mut child: Child, mut stderr: BufReader<impl Read>) -> (Option<i32>, String) {
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("reads");
    (child.wait().expect("ends").code(), rest)
}

#[test]
fn how_long_to_wait_can_be_said() {
    let env = world();
    env.write(".codex/history.jsonl", "changed\n");
    let held = hold(&env);
    let at_once = format!("error: {HELD}\n{HINT}");
    for command in [
        &["backup", "--status-file", "status.txt"][..],
        &["restore", "alice@example.com", "--yes"],
        &["normalize", "--source-dir", ".codex"],
        &["config", "set", "backup.level", "5"],
        &["config", "unset", "backup.level"],
    ] {
        let args = [command, &["--wait", "0"]].concat();
        env.run(&args).code(11).stdout("").stderr(&at_once);
    }
    // Only who waits longer than a moment says so, once, and not where nobody wants to hear it.
    let waits = ["normalize", "--source-dir", ".codex", "--wait", "2"];
    env.run(&waits)
        .code(11)
        .stderr(&format!("{HELD}; waiting, at most 2 s\n{at_once}"));
    env.run(&[&waits[..], &["--quiet"]].concat())
        .code(11)
        .stderr(&at_once);
    let ran = env.run(&[&waits[..], &["--json"]].concat()).code(11);
    let error: serde_json::Value = serde_json::from_str(&ran.stderr).expect("one document");
    assert_eq!(error["error"]["kind"], "locked");
    let (child, stderr, said) =
        until_it_waits(&env, &[&FROM_FILE[..], &["--wait", "600"]].concat());
    assert_eq!(said, format!("{HELD}; waiting, at most 600 s\n"));
    drop(held);
    assert_eq!(ended(child, stderr), (Some(0), String::new()));
    // What the last one left there is nobody's any more.
    fs::write(env.path(".codex-manager/lock"), "4242 restore").expect("writes");
    env.run(&[&FROM_FILE[..], &["--wait", "0"]].concat())
        .code(0)
        .stderr("");
    assert_eq!(env.read(".codex-manager/lock"), "");
}

#[cfg(unix)]
#[test]
fn the_codex_home_is_waited_for_as_long() {
    let env = world();
    env.write(".codex/history.jsonl", "changed\n");
    let held = File::open(env.path(".codex")).expect("opens");
    held.try_lock().expect("locks");
    let at_once = format!("error: {IN_HOME}\n{HINT}");
    for command in [
        &FROM_FILE[..],
        &["restore", "alice@example.com", "--yes"],
        &["status"],
    ] {
        let args = [command, &["--wait", "0"]].concat();
        env.run(&args).code(11).stdout("").stderr(&at_once);
    }
    let (child, stderr, said) =
        until_it_waits(&env, &[&FROM_FILE[..], &["--wait", "600"]].concat());
    assert_eq!(said, format!("{IN_HOME}; waiting, at most 600 s\n"));
    // Whoever waits for the one holds the other, and says since when.
    let ran = env
        .run(&["normalize", "--source-dir", ".codex", "--wait", "0"])
        .code(11);
    let start = format!(
        "error: `~/.codex-manager/lock` is held by process {} (`codex-manager backup`) since 20",
        child.id()
    );
    assert!(ran.stderr.starts_with(&start), "{}", ran.stderr);
    drop(held);
    assert_eq!(ended(child, stderr), (Some(0), String::new()));
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_waiting() {
    let env = world();
    let interrupted = (
        Some(130),
        "error: interrupted\nhint: what was finished stays, what was not is gone; run the command again when it suits\n".to_owned(),
    );
    let args = [&FROM_FILE[..], &["--wait", "600"]].concat();
    let end = |place: &str| {
        let held = File::options()
            .read(true)
            .open(env.path(place))
            .expect("opens");
        held.lock().expect("locks");
        let (child, stderr, _) = until_it_waits(&env, &args);
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("is sent");
        assert_eq!(ended(child, stderr), interrupted, "{place}");
    };
    end(".codex-manager/lock");
    end(".codex");
}

#[test]
fn what_is_no_time_to_wait_is_refused() {
    let env = world();
    for wrong in ["-1", "1.5", "soon", "86401", ""] {
        let ran = env.run(&["backup", &format!("--wait={wrong}")]).code(2);
        let start = format!("error: invalid value '{wrong}' for '--wait <SECONDS>'");
        assert!(ran.stderr.starts_with(&start), "{}", ran.stderr);
    }
}

#[test]
fn what_carries_waits_no_longer_than_was_said() {
    let env = world();
    env.run(&["sync", "init", "--remote", "~/remote"]).code(0);
    env.run(&["sync", "push"]).code(0);
    fs::rename(env.path(BACKUPS), env.path("before")).expect("moves");
    let held = hold(&env);
    for command in ["push", "pull"] {
        let ran = env.run(&["sync", command, "--wait", "0"]).code(11);
        let at_once = format!("error: {HELD}\n{HINT}");
        assert!(ran.stderr.ends_with(&at_once), "{command}: {}", ran.stderr);
    }
    assert!(env.files(BACKUPS).iter().all(|name| name.ends_with('/')));
    let (child, stderr, said) = until_it_waits(&env, &["sync", "push"]);
    assert_eq!(said, format!("{HELD}; waiting, at most 600 s\n"));
    drop(held);
    assert_eq!(ended(child, stderr).0, Some(0));
    env.run(&["sync", "pull", "--wait", "0"]).code(0);
    assert_eq!(env.tree(BACKUPS), env.tree("before"));
}

//! Two runs at once: writers take turns, whoever waits too long is told of the other, readers never wait.

use std::fs::{self, File};
use std::process::Stdio;
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

/// Takes the world's lock as another codex-manager would.
fn hold(env: &Env) -> File {
    let path = env.path(".codex-manager/lock");
    fs::write(&path, "4242 restore").expect("writes");
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
                env.run(&args).code(11).stdout("").stderr(
                    "error: `~/.codex-manager/lock` is held by process 4242 (`codex-manager restore`)\nhint: wait until it is done, then run the command again\n",
                );
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
    std::thread::sleep(Duration::from_millis(400));
    assert!(!env.path(&format!("{BACKUPS}/superseded")).exists());
    drop(held);
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(env.path(&format!("{BACKUPS}/superseded")).exists());
}

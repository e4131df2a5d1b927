//! Killed at any moment, `restore` leaves a home wholly old or wholly new, and `backup` a listing of sound snapshots.

#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Env, Person};

const BACKUPS: &str = ".codex-manager/backups";
const STAGE: &str = ".codex/.codex-manager-restore";
const FROM_FILE: [&str; 3] = ["backup", "--status-file", "status.txt"];
const CLEARED: &str = "warning: what an earlier restore into `~/.codex` left behind was removed\n";
const DROPPED: &str =
    "warning: a restore into `~/.codex` was cut short before it changed anything; it was dropped\n";
const KEPT: &str = "warning: what is in no safety copy was in the way of the restore: it was moved to `~/.codex/.codex-manager-kept/";
const FINISHED: &str = "warning: a restore into `~/.codex` that was cut short was finished first\n";

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

fn start(env: &Env, args: &[&str]) -> Child {
    env.command(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts")
}

/// Waits until `seen` or until the child has ended, for a while at most.
fn wait_for(child: &mut Child, seen: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !seen() && Instant::now() < end && child.try_wait().expect("asks").is_none() {
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// Kills it as `kill -9` does. Whether it had not ended by itself before.
fn kill(mut child: Child) -> bool {
    let was_running = child.try_wait().expect("asks").is_none();
    // The only process this ends is the child itself, which is not yet waited for.
    let _ = child.kill();
    child.wait().expect("ends");
    was_running
}

/// A home of over a hundred files in which both people have things of their own, and things that no snapshot captures.
fn live_in(env: &Env, person: &Person, own: &str) {
    let _ = fs::remove_dir_all(env.path(".codex"));
    env.codex_home(person);
    env.write(".codex/config.toml", own);
    for dir in 0..10 {
        for file in 0..6 {
            env.write(
                &format!(".codex/shared-{dir:02}/{file}"),
                &format!("{own} {dir} {file}"),
            );
            env.write(&format!(".codex/{own}-{dir:02}/{file}"), own);
        }
        env.write(
            &format!(".codex/file-{dir:02}.json"),
            &own.repeat(100 + dir),
        );
    }
    env.write(".codex/sessions/kept.lock", "stays");
    let panel = person.panel(66, "15:55 on 21 Apr");
    env.write("status.txt", &panel);
    env.run(&FROM_FILE).code(0).stderr("");
}

fn archive_of(name: &str) -> String {
    format!("2026-04-14-155500-{name}@example.com-codex")
}

#[test]
fn a_killed_restore_leaves_the_home_wholly_old_or_wholly_new() {
    let env = Env::new();
    let people = ["alice", "bob"];
    let trees = people.map(|name| {
        live_in(&env, &Person::named(name), name);
        env.tree(".codex")
    });
    let mut dice = Dice(0x5DEE_CE66_D001);
    let restore = |who: usize| {
        let archive = archive_of(people[who]);
        vec!["restore".to_owned(), archive, "--yes".to_owned()]
    };
    let run = |who: usize| {
        let args = restore(who);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        env.run(&args).code(0)
    };
    let mut whose = 1;
    let started = Instant::now();
    for _ in 0..2 {
        whose = 1 - whose;
        run(whose).stderr("");
    }
    let usual = started.elapsed() / 2;
    let (mut trials, mut killed, mut staged, mut finished) = (0, 0, 0, 0);
    let journal = env.path(STAGE).join("journal.json");
    let end = Instant::now() + Duration::from_secs(40);
    for trial in 0..60 {
        if Instant::now() > end {
            eprintln!("STOPPED after {trial} trials: this machine is too slow for all of them");
            break;
        }
        trials += 1;
        let target = 1 - whose;
        let args = restore(target);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut child = start(&env, &args);
        // Half of them anywhere, half of them around the swap, which is the short and dangerous part.
        if trial % 2 == 0 {
            let micros = u64::try_from(usual.as_micros()).expect("short");
            std::thread::sleep(Duration::from_micros(dice.roll(micros.max(1))));
        } else {
            wait_for(&mut child, || journal.exists());
            std::thread::sleep(Duration::from_micros(dice.roll(20_000)));
        }
        killed += usize::from(kill(child));
        staged += usize::from(env.path(STAGE).exists());
        let was_finished = |stderr: &str| {
            let known = [FINISHED, DROPPED, CLEARED, KEPT];
            assert!(
                stderr
                    .lines()
                    .all(|line| known.iter().any(|known| line.starts_with(known.trim_end()))),
                "{stderr}"
            );
            usize::from(stderr.contains(FINISHED))
        };
        let now = if trial % 4 < 2 {
            finished += was_finished(&env.run(&["backup", "--offline"]).code(0).stderr);
            without_kept(&env)
        } else {
            finished += was_finished(&run(target).stderr);
            assert_eq!(without_kept(&env), trees[target]);
            // What that restore replaced is what it found.
            env.run(&["restore", "--undo", "--yes"]).code(0);
            without_kept(&env)
        };
        whose = trees
            .iter()
            .position(|tree| *tree == now)
            .unwrap_or_else(|| {
                panic!(
                    "trial {trial}: neither old nor new: {}",
                    difference(&trees, &now)
                )
            });
        assert!(!env.path(STAGE).exists());
    }
    eprintln!(
        "killed {killed}, of these {staged} with a stage, of these {finished} with a journal"
    );
    assert!(
        killed * 4 >= trials && staged * 8 >= trials && finished >= 1,
        "the kills came too late"
    );
    let mut safeties = 0;
    for name in env.files(&format!("{BACKUPS}/safety")) {
        let Some(base) = name.strip_suffix(".metadata.json") else {
            continue;
        };
        let path = format!("{BACKUPS}/safety/{base}.tar.gz");
        env.run(&["restore", &path, "--dry-run"]).code(0).stderr("");
        safeties += 1;
    }
    assert!(safeties > 0);
    env.run(&["list-backups", "--verify"]).code(0).stderr("");
}

/// The home but for what was kept aside, which is taken away: here it is only what the other tree holds too.
fn without_kept(env: &Env) -> Vec<(String, String)> {
    let _ = fs::remove_dir_all(env.path(".codex/.codex-manager-kept"));
    env.tree(".codex")
}

fn difference(trees: &[Vec<(String, String)>], now: &[(String, String)]) -> String {
    let paths = |tree: &[(String, String)]| -> BTreeSet<String> {
        tree.iter()
            .map(|(path, content)| format!("{path}: {}", content.len()))
            .collect()
    };
    let now = paths(now);
    let against = trees.iter().map(|tree| {
        let tree = paths(tree);
        tree.symmetric_difference(&now).cloned().collect::<Vec<_>>()
    });
    format!("{:#?}", against.collect::<Vec<_>>())
}

/// The content of every archive below the backups, wherever it stands.
fn archives(env: &Env) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    for name in env.files(BACKUPS) {
        if name.ends_with(".tar.gz") {
            found.insert(fs::read(env.path(BACKUPS).join(name)).expect("reads"));
        }
    }
    found
}

fn count(dir: &Path) -> usize {
    fs::read_dir(dir).map_or(0, Iterator::count)
}

#[test]
fn a_killed_backup_loses_no_snapshot_and_lists_no_unsound_one() {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    for file in 0..100 {
        env.write(
            &format!(".codex/sessions/{file}.jsonl"),
            &(format!("{file}").repeat(5_000) + "\n"),
        );
    }
    let started = Instant::now();
    env.run(&FROM_FILE).code(0).stderr("");
    let usual = u64::try_from(started.elapsed().as_micros()).expect("short");
    let mut dice = Dice(0xB5AD_4ECE_DA1C_E2A9);
    let mut earlier = archives(&env);
    let superseded = env.path(BACKUPS).join("superseded");
    let mut killed = 0;
    let end = Instant::now() + Duration::from_mins(1);
    for trial in 0..40 {
        if Instant::now() > end {
            eprintln!("STOPPED after {trial} trials: this machine is too slow for all of them");
            break;
        }
        env.write(".codex/history.jsonl", &format!("{trial}\n"));
        let before = count(&superseded);
        let mut child = start(&env, &FROM_FILE);
        if trial % 2 == 0 {
            std::thread::sleep(Duration::from_micros(dice.roll(usual.max(1))));
        } else {
            // The earlier pair moves away and the new one comes: the short and dangerous part.
            wait_for(&mut child, || count(&superseded) > before);
            std::thread::sleep(Duration::from_micros(dice.roll(4_000)));
        }
        killed += usize::from(kill(child));
        let listed = env.run(&["list-backups", "--verify", "--json"]).code(0);
        for line in listed.stderr.lines() {
            assert!(
                line.contains("has no sidecar: it is unfinished")
                    || line.contains("has no archive beside it"),
                "{line}"
            );
        }
        let left = archives(&env);
        assert!(
            earlier.is_subset(&left),
            "trial {trial}: a snapshot is gone"
        );
        earlier = left;
        if trial % 5 == 4 {
            env.run(&["backup", "--offline", "--force"]).code(0);
            env.run(&["list-backups", "--verify"]).code(0).stderr("");
            let left = archives(&env);
            assert!(
                earlier.is_subset(&left),
                "trial {trial}: a snapshot is gone"
            );
            earlier = left;
        }
    }
    eprintln!("killed {killed}");
    assert!(killed >= 10, "the kills came too late");
    // What stands at the end can be restored.
    env.run(&["backup", "--offline", "--force"]).code(0);
    let tree = env.tree(".codex");
    env.write(".codex/history.jsonl", "lost\n");
    env.run(&["restore", "alice@example.com", "--yes"])
        .code(0)
        .stderr("");
    assert_eq!(env.tree(".codex"), tree);
}

/// Returns once the process handles an interrupt, or has ended: before, any signal ends it at once. On a busy machine that
/// takes longer than anybody would guess. Elsewhere than on Linux nothing tells.
fn wait_until_it_listens(pid: u32) {
    const INTERRUPT: u64 = 1 << (2 - 1);
    for _ in 0..2000 {
        let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else {
            return;
        };
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        if mask.is_none_or(|mask| mask & INTERRUPT != 0) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_signal_during_a_restore_changes_nothing_or_all() {
    use rustix::process::{Pid, Signal, kill_process};
    let env = Env::new();
    let trees = ["alice", "bob"].map(|name| {
        live_in(&env, &Person::named(name), name);
        env.tree(".codex")
    });
    let archive = archive_of("alice");
    let mut interrupted = 0;
    for (trial, signal) in [Signal::INT, Signal::TERM]
        .into_iter()
        .cycle()
        .take(12)
        .enumerate()
    {
        let child = env
            .command(&["restore", &archive, "--yes"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        wait_until_it_listens(child.id());
        std::thread::sleep(Duration::from_millis(10 * (trial as u64 + 1)));
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("sends");
        let output = child.wait_with_output().expect("ends");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() == Some(130) {
            interrupted += 1;
            assert_eq!(
                stderr,
                "error: interrupted\nhint: what was finished stays, what was not is gone; run the command again when it suits\n"
            );
            assert!(
                env.tree(".codex") == trees[1],
                "trial {trial}: not the old home"
            );
        } else {
            assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""));
            assert!(
                env.tree(".codex") == trees[0],
                "trial {trial}: not the new home"
            );
            env.run(&["restore", "--undo", "--yes"]).code(0).stderr("");
        }
        assert!(!env.path(STAGE).exists());
    }
    assert!(interrupted > 0, "the signals came too late");
    let unfinished: Vec<String> = env
        .files(BACKUPS)
        .into_iter()
        .filter(|name| name.contains(".codex-manager-tmp-"))
        .collect();
    assert_eq!(unfinished, Vec::<String>::new());
}

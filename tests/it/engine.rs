//! Archives as wholes: the same bytes whatever the threads and whatever stood before, and nothing but time lost where an
//! earlier one is damaged.

use std::fs;
use std::path::PathBuf;

use crate::common::{Env, Person};

const BACKUPS: &str = ".codex-manager/backups";
const FROM_FILE: [&str; 3] = ["backup", "--status-file", "status.txt"];
const RESET: &str = "15:55 on 21 Apr";

/// Session text that compresses as such text does, another one for each seed.
fn session(lines: usize, seed: u64) -> String {
    let mut state = seed;
    let line = |number| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        format!("{{\"line\":{number},\"text\":\"{:x}\"}}\n", state >> 20)
    };
    (0..lines).map(line).collect()
}

/// A home with a session of several blocks and many small ones.
fn world() -> (Env, Person) {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, RESET));
    env.write(
        ".codex/sessions/2026/04/15/large.jsonl",
        &session(60_000, 1),
    );
    for file in 0..40 {
        env.write(
            &format!(".codex/sessions/2026/04/16/{file}.jsonl"),
            &session(200, file),
        );
    }
    for file in [
        "auth.json",
        "config.toml",
        "history.jsonl",
        "installation_id",
    ] {
        env.touch(&format!(".codex/{file}"), "2026-04-16T10:00:00Z");
    }
    (env, alice)
}

fn archive(env: &Env, name: &str) -> PathBuf {
    env.path(&format!(
        "{BACKUPS}/2026-04-14-155500-{name}@example.com-codex.tar.gz"
    ))
}

/// Makes a snapshot; what it says of what it took over.
fn back_up(env: &Env, flags: &[&str]) -> (u32, u32) {
    let args: Vec<&str> = FROM_FILE
        .iter()
        .chain(flags)
        .chain(&["--verbose"])
        .copied()
        .collect();
    let ran = env.run(&args).code(0);
    let line = ran
        .stderr
        .lines()
        .find_map(|line| line.split_once("taken over from earlier snapshots: "));
    let words: Vec<&str> = line.expect("told").1.split(' ').collect();
    let number = |place: usize| words[place].parse::<u32>().expect("a number");
    (number(0), number(2))
}

fn forget(env: &Env) {
    fs::remove_dir_all(env.path(".codex-manager")).expect("removes");
}

#[test]
fn the_same_home_gives_the_same_bytes_whatever_the_threads_and_what_stood_before() {
    let (env, _) = world();
    let (taken_over, members) = back_up(&env, &["--threads", "1"]);
    assert_eq!(taken_over, 0);
    let first = fs::read(archive(&env, "alice")).expect("reads");
    for threads in ["2", "7", "64"] {
        forget(&env);
        back_up(&env, &["--threads", threads]);
        assert!(
            fs::read(archive(&env, "alice")).expect("reads") == first,
            "{threads}"
        );
    }
    let (taken_over, again) = back_up(&env, &["--force"]);
    assert_eq!(again, members);
    // All but the manifest's are found again: that of the description is the same too, in the same minute.
    assert!(taken_over >= members - 1, "{taken_over} of {members}");
    assert!(fs::read(archive(&env, "alice")).expect("reads") == first);
    let sizes = ["2", "12"].map(|level| {
        assert_eq!(
            back_up(&env, &["--force", "--level", level]).0,
            0,
            "{level}"
        );
        fs::metadata(archive(&env, "alice")).expect("stands").len()
    });
    assert!(sizes[1] < sizes[0], "{sizes:?}");
    for level in ["0", "13", "x"] {
        env.run(&["backup", "--level", level]).code(2);
    }
    env.run(&["list-backups", "--verify"]).code(0).stderr("");
}

#[test]
fn a_file_that_was_changed_behind_its_times_is_captured_as_it_is() {
    let (env, _) = world();
    let path = env.path(".codex/sessions/2026/04/15/large.jsonl");
    let set_back = || {
        env.touch(
            ".codex/sessions/2026/04/15/large.jsonl",
            "2026-04-15T10:00:00Z",
        );
    };
    set_back();
    // What was changed a moment ago is not noted.
    back_up(&env, &[]);
    let notes = env.path(".codex-manager/known-files.json");
    let stored = fs::read_to_string(&notes).unwrap_or_default();
    assert!(!stored.contains("large"), "{stored}");
    let mut content = fs::read(&path).expect("reads");
    content[700_000..700_004].copy_from_slice(b"####");
    for spoiled in [None, Some("{}"), Some("no notes")] {
        content[700_000] = content[700_000].wrapping_add(1);
        let open = fs::File::options().write(true).open(&path).expect("opens");
        std::os::unix::fs::FileExt::write_all_at(&open, &content, 0).expect("writes");
        drop(open);
        set_back();
        if let Some(spoiled) = spoiled {
            fs::write(&notes, spoiled).expect("writes");
        }
        back_up(&env, &[]);
        let into = env.path("again");
        let archive = archive(&env, "alice").display().to_string();
        env.run(&[
            "restore",
            "--from-archive",
            &archive,
            "--dest-dir",
            "again",
            "--yes",
        ])
        .code(0);
        assert!(fs::read(into.join("sessions/2026/04/15/large.jsonl")).expect("reads") == content);
    }
    env.run(&["list-backups", "--verify"]).code(0).stderr("");
}

#[test]
fn another_account_shares_what_both_have() {
    let (env, _) = world();
    back_up(&env, &[]);
    let bob = Person::named("bob");
    env.write(".codex/auth.json", &bob.auth_json());
    env.write("status.txt", &bob.panel(50, RESET));
    let (taken_over, members) = back_up(&env, &[]);
    assert!(taken_over * 2 > members, "{taken_over} of {members}");
    let made = fs::read(archive(&env, "bob")).expect("reads");
    forget(&env);
    assert_eq!(back_up(&env, &[]).0, 0);
    assert!(fs::read(archive(&env, "bob")).expect("reads") == made);
}

#[test]
fn a_damaged_earlier_archive_costs_only_time() {
    let (env, alice) = world();
    back_up(&env, &[]);
    let path = archive(&env, "alice");
    let sound = fs::read(&path).expect("reads");
    let cut = sound[..sound.len() / 2].to_vec();
    let mut damaged: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("cut", cut),
        ("garbage", session(5_000, 9).into_bytes()),
    ];
    // In the middle of the data, in a header, in the last bytes.
    for (name, place) in [
        ("flipped", sound.len() / 2),
        ("flipped early", 40),
        ("flipped late", sound.len() - 3),
    ] {
        let mut bytes = sound.clone();
        bytes[place] ^= 4;
        damaged.push((name, bytes));
    }
    let history = env.read(".codex/history.jsonl");
    env.write(
        ".codex/history.jsonl",
        &format!("{history}{{\"text\":\"more\"}}\n"),
    );
    env.touch(".codex/history.jsonl", "2026-04-17T10:00:00Z");
    forget(&env);
    back_up(&env, &[]);
    let wanted = fs::read(&path).expect("reads");
    for (name, bytes) in damaged {
        fs::write(&path, bytes).expect("writes");
        back_up(&env, &["--force"]);
        assert!(fs::read(&path).expect("reads") == wanted, "{name}");
        env.run(&["list-backups", "--verify"]).code(0).stderr("");
    }
    let tree = env.tree(".codex");
    env.write(".codex/config.toml", "");
    env.run(&["restore", &alice.email, "--yes"])
        .code(0)
        .stderr("");
    assert_eq!(env.tree(".codex"), tree);
}

//! `sync` where somebody else writes to the remote too, or where it is told to do what would harm: nothing is taken that
//! may be anybody's, and what only looks writes nothing.

use std::fs;

use serde_json::{Value, json};

use crate::common::Env;
use crate::sync::{Folder, give_key, machine, snapshot, snapshots};

const NOW: &str = "2026-04-19T15:30:00+05:30";
const CONFIG: &str = "model = \"desk\"\n";

fn document(text: &str) -> Value {
    serde_json::from_str(text).expect("a document")
}

#[test]
fn what_is_not_encrypted_is_not_taken_by_a_machine_that_has_a_key() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    let laptop = machine(&folder, Some(&desk));
    snapshot(&mut desk, "alice", 2, "desk");
    desk.run(&["sync", "push"]).code(0);
    // Whoever can write there, without any key, has a newer one of hers, and says when she was seen.
    let mut mallory = Env::at(NOW);
    snapshot(&mut mallory, "alice", 16, "evil");
    let push = ["sync", "push", "--no-encrypt", "--remote", &folder.url()];
    mallory.run(&push).code(0);

    let pulled = laptop.run(&["sync", "pull", "--json"]).code(3);
    let failed = document(&pulled.stdout)["failed"].clone();
    let failed = failed.as_array().expect("a list");
    assert_eq!(failed.len(), 2, "a snapshot and what a machine tells");
    for entry in failed {
        let why = entry["reason"].as_str().expect("a reason");
        assert!(why.contains("is not encrypted"), "{why}");
    }
    assert_eq!(snapshots(&laptop), snapshots(&desk));
    laptop
        .run(&["restore", "alice@example.com", "--yes"])
        .code(0);
    assert_eq!(laptop.read(".codex/config.toml"), CONFIG);
    let status = laptop.run(&["sync", "status"]).code(0);
    assert!(status.stdout.contains("0 to pull"), "{}", status.stdout);
    assert_eq!(
        status.stderr.matches("not encrypted: left alone").count(),
        2
    );
    // It does not push the true one out either.
    let prune = laptop.run(&["prune", "--remote", "--keep-last", "1", "--json"]);
    assert_eq!(document(&prune.code(0).stdout)["deleted"], json!([]));

    // Said, it is taken.
    let other = Env::at(NOW);
    give_key(&desk, &other);
    let pull = ["sync", "pull", "--no-encrypt", "--remote", &folder.url()];
    other.run(&pull).code(0);
    assert_eq!(snapshots(&other).len(), 4);
}

#[test]
fn what_was_pushed_as_it_is_is_sent_anew_once_there_is_a_key() {
    let folder = Folder::new();
    let mut desk = Env::at(NOW);
    snapshot(&mut desk, "alice", 2, "desk");
    let push = ["sync", "push", "--remote", &folder.url()];
    desk.run(&[&push[..], &["--no-encrypt"]].concat()).code(0);
    desk.run(&["sync", "init", "--remote", &folder.url()])
        .code(0);
    let pushed = desk.run(&["sync", "push", "--json"]).code(0);
    let moved = document(&pushed.stdout)["transferred"].clone();
    assert_eq!(moved.as_array().map(Vec::len), Some(1));
    let plain = || {
        let names = folder.objects().into_iter().map(|(name, _)| name);
        let is_plain = |name: &String| !name.ends_with(".age") && name.contains('/');
        names.filter(is_plain).count()
    };
    assert_eq!(plain(), 2);
    desk.run(&["sync", "push", "--delete", "--yes"]).code(0);
    assert_eq!(plain(), 0);
    let laptop = machine(&folder, Some(&desk));
    laptop.run(&["sync", "pull"]).code(0);
    assert_eq!(snapshots(&laptop), snapshots(&desk));
}

#[test]
fn a_remote_in_what_is_carried_is_refused() {
    let mut desk = Env::at(NOW);
    snapshot(&mut desk, "alice", 2, "desk");
    let before = desk.tree("");
    #[cfg(unix)]
    std::os::unix::fs::symlink(desk.path(".codex"), desk.beside_home("link")).expect("links");
    for (place, what) in [
        (".codex/remote", "Codex home `~/.codex`"),
        (".codex", "Codex home `~/.codex`"),
        (".codex-manager/remote", "manager home `~/.codex-manager`"),
        #[cfg(unix)]
        ("../link/remote", "Codex home `~/.codex`"),
    ] {
        let folder = match place.strip_prefix("../") {
            Some(beside) => desk.beside_home(beside),
            None => desk.path(place),
        };
        let remote = folder.display().to_string();
        for command in [
            &["sync", "init"][..],
            &["sync", "push", "--no-encrypt"],
            &["sync", "pull"],
            &["sync", "status"],
            &["prune", "--keep-last", "1"],
        ] {
            let ran = desk.run(&[command, &["--remote", &remote]].concat());
            let ran = ran.code(2).stdout("");
            assert!(ran.stderr.contains(what), "{}", ran.stderr);
        }
        assert_eq!(desk.tree(""), before);
    }
}

#[test]
fn what_only_looks_writes_nothing_here_or_there() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    snapshot(&mut desk, "alice", 2, "desk");
    snapshot(&mut desk, "alice", 9, "desk");
    desk.run(&["sync", "push"]).code(0);
    snapshot(&mut desk, "bob", 10, "desk");
    let bare = Env::at(NOW);
    let keyed = Env::at(NOW);
    give_key(&desk, &keyed);
    let nowhere = Folder::new();
    for env in [&desk, &bare, &keyed] {
        for url in [folder.url(), nowhere.url()] {
            for command in [
                &["sync", "init", "--dry-run"][..],
                &["sync", "push", "--dry-run"],
                &["sync", "push", "--dry-run", "--no-encrypt"],
                &["sync", "push", "--dry-run", "--delete"],
                &["sync", "pull", "--dry-run"],
                &["sync", "pull", "--dry-run", "--delete"],
                &["sync", "status"],
                &["prune", "--keep-last", "1", "--dry-run"],
            ] {
                let before = (env.tree(""), folder.objects());
                let ran = env.run(&[command, &["--remote", &url]].concat());
                assert!(
                    matches!(ran.code, Some(0 | 1 | 15)),
                    "{command:?}: {}",
                    ran.stderr
                );
                assert_eq!((env.tree(""), folder.objects()), before, "{command:?}");
                assert!(!nowhere.path().exists(), "{command:?}");
            }
        }
    }
}

#[test]
fn another_key_is_told_where_there_is_no_snapshot_to_tell_by() {
    let folder = Folder::new();
    let desk = machine(&folder, None);
    desk.run(&["sync", "push"]).code(0);
    let other = machine(&Folder::new(), None);
    for more in [&["--dry-run"][..], &[]] {
        let pull = ["sync", "pull", "--remote", &folder.url()];
        let ran = other.run(&[&pull[..], more].concat()).code(15);
        assert!(ran.stderr.contains("machines/"), "{}", ran.stderr);
    }
}

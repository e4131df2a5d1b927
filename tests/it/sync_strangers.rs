//! `sync` where somebody else writes to the remote too, or where it is told to do what would harm: nothing is taken that
//! may be anybody's, and what only looks writes nothing.

use std::fs;
use std::io::{Read, Write};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::{Env, Person};
use crate::sync::{Folder, give_key, machine, snapshot, snapshots};

const NOW: &str = "2026-04-19T15:30:00+05:30";
const BACKUPS: &str = ".codex-manager/backups";
const CONFIG: &str = "model = \"desk\"\n";

fn document(text: &str) -> Value {
    serde_json::from_str(text).expect("a document")
}

/// The archive as another file: the time in its head, which says nothing, is another.
pub fn repacked(archive: &[u8], time: u32) -> Vec<u8> {
    let mut raw = Vec::new();
    let mut unpacking = flate2::read::MultiGzDecoder::new(archive);
    unpacking.read_to_end(&mut raw).expect("unpacks");
    let mut packing = flate2::GzBuilder::new()
        .mtime(time)
        .write(Vec::new(), flate2::Compression::fast());
    packing.write_all(&raw).expect("packs");
    packing.finish().expect("packs")
}

pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
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
        let is_plain = |name: &String| !name.contains(".age") && name.contains('/');
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

/// Has `env`, whose key opens what is on the remote, push its only snapshot once for each of these sidecars, as somebody
/// would who knows the recipient: each archive another, and its hash as it is.
fn push_forged(env: &Env, forgeries: &[Value]) {
    let is_archive = |(name, _): &&(String, Vec<u8>)| name.ends_with(".tar.gz");
    let all = snapshots(env);
    let (name, archive) = all.iter().find(is_archive).expect("one");
    let sidecar_of = |name: &str| name.replace(".tar.gz", ".metadata.json");
    let sidecar = env.read(&format!("{BACKUPS}/{}", sidecar_of(name)));
    let sidecar: Value = serde_json::from_str(&sidecar).expect("a sidecar");
    for (number, forged) in forgeries.iter().enumerate() {
        let archive = repacked(archive, u32::try_from(number + 1).expect("few"));
        let mut sidecar = sidecar.clone();
        sidecar["archive_size_bytes"] = json!(archive.len());
        sidecar["archive_sha256"] = json!(hex(&Sha256::digest(&archive)));
        for (key, value) in forged.as_object().expect("fields") {
            sidecar[key] = value.clone();
        }
        let name = name.replace("-100000-", &format!("-1101{number:02}-"));
        fs::write(env.path(BACKUPS).join(&name), archive).expect("writes");
        let sidecar = sidecar.to_string();
        fs::write(env.path(BACKUPS).join(sidecar_of(&name)), sidecar).expect("writes");
    }
    env.run(&["sync", "push"]).code(0);
}

#[test]
fn a_sidecar_that_lies_leads_nowhere_and_the_rest_arrives() {
    let folder = Folder::new();
    let mut mallory = machine(&folder, None);
    let laptop = machine(&folder, Some(&mallory));
    snapshot(&mut mallory, "alice", 2, "desk");
    let long = format!("2026-04-01-100000-{}-codex.tar.gz", "a".repeat(300));
    let names = [
        "2026-04-01-100000-../../../../x@example.com-codex.tar.gz",
        "2026-04-01-100000-..\\..\\x@example.com-codex.tar.gz",
        "2026-04-01-100000-/../a:b@example.com-codex.tar.gz",
        "/2026-04-01-100000-x@example.com-codex.tar.gz",
        "../../x",
        &long,
        "",
    ];
    let mut forgeries: Vec<Value> = names
        .iter()
        .map(|name| json!({"archive_name": name}))
        .collect();
    // Another's, and one that would steer the terminal.
    forgeries.push(json!({"email": "bob@example.com"}));
    forgeries.push(json!({"email": "\u{1b}[2Jbob\nwarning: @example.com"}));
    forgeries.push(json!({"total_bytes": 1_u64 << 62}));
    push_forged(&mallory, &forgeries);
    // What each place holds but the backups: nothing comes or goes there.
    let around = |env: &Env| {
        let tree = env.tree("..").into_iter().map(|(path, _)| path);
        let is_around = |path: &String| !path.contains("/backups/") && !path.contains("tmp/");
        tree.filter(is_around).collect::<Vec<String>>()
    };
    laptop.run(&["sync", "pull", "--dry-run"]);
    let before = around(&laptop);
    let pulled = laptop.run(&["sync", "pull", "--json"]).code(3);
    let told = document(&pulled.stdout);
    assert_eq!(told["failed"].as_array().map(Vec::len), Some(3), "{told}");
    assert_eq!(told["transferred"].as_array().map(Vec::len), Some(8));
    for entry in told["transferred"].as_array().expect("a list") {
        let name = entry["archive_name"].as_str().unwrap_or_default();
        assert!(!name.contains(['/', '\\']), "{name}");
    }
    for entry in told["failed"].as_array().expect("a list") {
        let (why, key) = (&entry["reason"], &entry["key"]);
        let (why, key) = (why.as_str().expect("why"), key.as_str().expect("a key"));
        assert!(
            why.contains(key) && !why.contains(['\u{1b}', '\n']),
            "{why}"
        );
    }
    let new: Vec<String> = around(&laptop)
        .into_iter()
        .filter(|path| !before.contains(path))
        .collect();
    let is_known = |path: &String| path.contains("profiles") || path.contains(".json");
    assert!(new.iter().all(is_known), "{new:?}");
    for (path, _) in snapshots(&laptop) {
        assert!(
            path.ends_with("alice@example.com-codex.tar.gz")
                || path.ends_with("alice@example.com-codex.metadata.json"),
            "{path}"
        );
    }
}

#[test]
fn objects_that_were_swapped_cut_or_replaced_are_told_by_name_and_the_rest_arrives() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    let laptop = machine(&folder, Some(&desk));
    for (name, day) in [
        ("alice", 2),
        ("bob", 3),
        ("carol", 4),
        ("dave", 5),
        ("erin", 6),
    ] {
        snapshot(&mut desk, name, day, name);
    }
    desk.run(&["sync", "push"]).code(0);
    let names: Vec<String> = folder.objects().into_iter().map(|(name, _)| name).collect();
    let of = |day: u8, end: &str| {
        let stem = format!("snapshots/2026-04-0{day}T");
        let is_it = |name: &&String| name.starts_with(&stem) && name.ends_with(end);
        folder.path().join(names.iter().find(is_it).expect("there"))
    };
    let swap = |one: &std::path::Path, other: &std::path::Path| {
        let bytes = fs::read(one).expect("reads");
        fs::copy(other, one).expect("copies");
        fs::write(other, bytes).expect("writes");
    };
    // Alice's and Bob's archives change places, Carol's and Dave's sidecars.
    swap(&of(2, ".tar.gz.age"), &of(3, ".tar.gz.age"));
    swap(&of(4, ".metadata.json.age"), &of(5, ".metadata.json.age"));
    // What her machine tells is cut.
    let machine = names.iter().find(|name| name.starts_with("machines/"));
    let machine = folder.path().join(machine.expect("one"));
    let bytes = fs::read(&machine).expect("reads");
    fs::write(&machine, &bytes[..bytes.len() - 7]).expect("writes");

    let pulled = laptop.run(&["sync", "pull", "--json"]).code(3);
    let told = document(&pulled.stdout);
    assert_eq!(told["failed"].as_array().map(Vec::len), Some(5), "{told}");
    assert_eq!(told["transferred"][0]["email"], "erin@example.com");
    assert_eq!(snapshots(&laptop).len(), 2);
    for entry in told["failed"].as_array().expect("a list") {
        let key = entry["key"].as_str().expect("a key");
        assert!(
            entry["reason"]
                .as_str()
                .is_some_and(|why| why.contains(key)),
            "{entry}"
        );
    }
}

#[test]
fn no_new_key_is_made_where_the_marker_was_lost() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    snapshot(&mut desk, "alice", 2, "desk");
    desk.run(&["sync", "push"]).code(0);
    fs::remove_file(folder.path().join("codex-manager.json")).expect("removes");
    let other = Env::at(NOW);
    let before = folder.objects();
    let init = ["sync", "init", "--remote", &folder.url()];
    let ran = other.run(&init).code(15).stdout("");
    assert!(
        ran.stderr.contains("is encrypted already"),
        "{}",
        ran.stderr
    );
    assert!(!other.path(".codex-manager/identity.txt").exists());
    assert_eq!(folder.objects(), before);
    // Who has the key puts it back.
    desk.run(&["sync", "push"]).code(0);
    assert!(folder.path().join("codex-manager.json").exists());
}

#[test]
fn a_clock_that_is_a_year_ahead_loses_nothing_that_others_saw() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    let mut laptop = machine(&folder, Some(&desk));
    snapshot(&mut laptop, "alice", 9, "laptop");
    let seen = |env: &Env| {
        let document = env.run(&["cooldown", "--json"]).code(0).json();
        let account = &document["accounts"][0];
        [
            "status",
            "session_start_at",
            "next_available_at",
            "quota_percent_left",
        ]
        .map(|key| account[key].clone())
    };
    let before = seen(&laptop);
    assert_eq!(before[3], 66);
    let login = laptop.read(".codex-manager/profiles/alice/auth.json");
    // The same account, seen on the desk a year later than it can be.
    let alice = Person::named("alice");
    desk.codex_home(&alice);
    desk.set_now("2037-04-10T12:00:00+05:30");
    desk.write("status.txt", &alice.panel(3, "10:00 on 15 Apr"));
    desk.run(&["backup", "--status-file", "status.txt"]).code(0);
    desk.run(&["sync", "push"]).code(0);

    laptop.run(&["sync", "pull"]).code(0);
    assert_eq!(seen(&laptop), before);
    assert_eq!(
        laptop.read(".codex-manager/profiles/alice/auth.json"),
        login
    );
    assert_eq!(snapshots(&laptop).len(), 4, "both of them");
    laptop.run(&["sync", "push"]).code(0);
    desk.run(&["sync", "pull"]).code(0);
    assert_eq!(snapshots(&desk), snapshots(&laptop));
}

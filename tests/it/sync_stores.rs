//! `sync` with each kind of store as the remote: what two machines and a third end with, what stands there, how many
//! objects may, and what a store that refuses, or is busy, comes to.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::{Env, Ran};
use crate::servers::{BUCKET, Fault, KEY, Proxy, SECRET, Servers, servers};
use crate::sync::{give_key, snapshot, snapshots};
use crate::sync_strangers::{hex, repacked};

const NOW: &str = "2026-04-19T15:30:00+05:30";
const BACKUPS: &str = ".codex-manager/backups";

/// A place on a store.
struct Place {
    remote: String,
    /// Where the S3 store is, if it is one.
    endpoint: String,
}

impl Place {
    fn s3(server: &str, bucket: &str, prefix: &str) -> Self {
        Self {
            remote: format!("s3://{bucket}/{prefix}"),
            endpoint: format!("http://{server}"),
        }
    }

    fn dav(server: &str, prefix: &str) -> Self {
        Self {
            remote: format!("http://{server}/{prefix}"),
            endpoint: String::new(),
        }
    }

    /// One on each store, told apart by what they are called.
    fn all(servers: &Servers, name: &str) -> [Self; 4] {
        [
            Self::s3(&servers.s3, BUCKET, &format!("{name} ü%41")),
            Self::s3(&servers.loose_s3, BUCKET, name),
            Self::dav(&servers.dav, &format!("{name}%20%C3%BC%2541")),
            Self::dav(&servers.loose_dav, name),
        ]
    }

    fn command(&self, env: &Env, args: &[&str]) -> Command {
        let mut command = env.command(args);
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("CODEX_MANAGER_WEBDAV_USER", KEY)
            .env("CODEX_MANAGER_WEBDAV_PASSWORD", SECRET);
        command
    }

    fn run(&self, env: &Env, args: &[&str]) -> Ran {
        env.ran(&mut self.command(env, args), args)
    }

    /// A machine that has the key of `first`, or makes one.
    fn machine(&self, first: Option<&Env>) -> Env {
        let env = Env::at(NOW);
        if let Some(first) = first {
            give_key(first, &env);
        }
        self.run(&env, &["sync", "init", "--remote", &self.remote])
            .code(0);
        env
    }

    /// What another program reads there, as names and contents.
    fn objects(&self, servers: &Servers, env: &Env) -> Vec<(String, Vec<u8>)> {
        let into = env.beside_home("objects");
        let rest = |scheme: &str| self.remote.strip_prefix(scheme).map(str::to_owned);
        let mut rclone = servers.rclone(self.endpoint.trim_start_matches("http://"));
        let path = rest("s3://").map_or("dav:".to_owned(), |path| format!("store:{path}"));
        rclone
            .env("RCLONE_CONFIG_DAV_TYPE", "webdav")
            .env("RCLONE_CONFIG_DAV_URL", &self.remote)
            .args(["copy", &path]);
        let copied = rclone.arg(&into).output().expect("runs");
        assert!(copied.status.success(), "{copied:?}");
        let mut found = Vec::new();
        let mut open = vec![into];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).expect("reads").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let bytes = fs::read(&path).expect("reads");
                    found.push((path.display().to_string(), bytes));
                }
            }
        }
        found
    }
}

/// What must stand nowhere: the texts, and what they are in base64 at each of the three places a text may begin at.
fn secrets(env: &Env) -> Vec<Vec<u8>> {
    let auth: Value = serde_json::from_str(&env.read(".codex/auth.json")).expect("a login");
    let tokens = auth["tokens"].as_object().expect("tokens").values();
    let tokens = tokens.filter_map(Value::as_str);
    let key = env.read(".codex-manager/identity.txt");
    let key = key.lines().last().expect("a key").to_owned();
    let mut all: Vec<Vec<u8>> = Vec::new();
    for text in tokens.chain(["@example.com", "alice@", "bob@example", &key]) {
        all.push(text.as_bytes().to_vec());
        for shift in 0..3 {
            let shifted = [&b"\0\0\0"[..shift], text.as_bytes()].concat();
            let coded = STANDARD_NO_PAD.encode(shifted);
            // Its ends depend on what is beside it.
            let inner = coded.get(4..coded.len().saturating_sub(4)).unwrap_or("");
            if inner.len() >= 8 {
                all.push(inner.as_bytes().to_vec());
            }
        }
        all.push(STANDARD.encode(text).into_bytes());
    }
    all
}

#[test]
fn on_every_store_two_machines_end_the_same_and_a_third_restores_from_it_alone() {
    let Some(servers) = servers() else { return };
    for place in Place::all(servers, "same") {
        let mut desk = place.machine(None);
        let mut laptop = place.machine(Some(&desk));
        snapshot(&mut desk, "alice", 2, "desk");
        snapshot(&mut desk, "alice", 9, "desk");
        snapshot(&mut desk, "alice", 10, "desk again");
        snapshot(&mut laptop, "alice", 11, "laptop");
        snapshot(&mut laptop, "bob", 3, "laptop");
        for (env, direction) in [
            (&desk, "push"),
            (&laptop, "pull"),
            (&laptop, "push"),
            (&desk, "pull"),
        ] {
            place.run(env, &["sync", direction]).code(0);
        }
        // All of it, superseded ones and sidecars too.
        assert_eq!(desk.tree(BACKUPS), laptop.tree(BACKUPS), "{}", place.remote);
        assert_eq!(snapshots(&desk), snapshots(&laptop));
        assert_eq!(snapshots(&desk).len(), 10);

        let third = Env::at(NOW);
        give_key(&desk, &third);
        place
            .run(&third, &["sync", "pull", "--remote", &place.remote])
            .code(0);
        assert_eq!(third.tree(BACKUPS), desk.tree(BACKUPS), "{}", place.remote);
        third
            .run(&["restore", "alice@example.com", "--yes"])
            .code(0);
        assert_eq!(third.read(".codex/config.toml"), "model = \"laptop\"\n");

        if place.remote.contains(&servers.loose_dav) {
            continue;
        }
        let objects = place.objects(servers, &third);
        assert!(objects.len() >= 13, "{}", objects.len());
        let secrets = secrets(&desk);
        for (name, bytes) in objects {
            for secret in &secrets {
                let holds = |bytes: &[u8]| bytes.windows(secret.len()).any(|part| part == *secret);
                let shown = String::from_utf8_lossy(secret);
                assert!(!holds(&bytes) && !holds(name.as_bytes()), "{name}: {shown}");
            }
        }
    }
}

#[test]
fn two_machines_push_at_once_to_stores_without_conditions() {
    let Some(servers) = servers() else { return };
    for place in Place::all(servers, "loose") {
        let mut desk = place.machine(None);
        let mut laptop = place.machine(Some(&desk));
        snapshot(&mut desk, "alice", 2, "both");
        place.run(&desk, &["sync", "push"]).code(0);
        place.run(&laptop, &["sync", "pull"]).code(0);
        place
            .run(
                &desk,
                &["prune", "--remote", "--keep-last", "1", "--allow-empty"],
            )
            .code(0);
        snapshot(&mut desk, "alice", 9, "desk");
        snapshot(&mut laptop, "bob", 9, "laptop");
        // One of them they both send.
        std::thread::scope(|scope| {
            for env in [&desk, &laptop] {
                scope.spawn(|| place.run(env, &["sync", "push"]).code(0));
            }
        });
        let third = place.machine(Some(&desk));
        for env in [&desk, &laptop, &third] {
            place.run(env, &["sync", "pull"]).code(0);
        }
        assert_eq!(snapshots(&third).len(), 6, "{}", place.remote);
        assert_eq!(snapshots(&desk), snapshots(&third));
        assert_eq!(snapshots(&laptop), snapshots(&third));
    }
}

/// Makes many of the one snapshot that is there: the time in the archive's head, which says nothing, tells them apart.
fn multiply(env: &Env, number: u32) {
    let dir = env.path(BACKUPS);
    let all = snapshots(env);
    let is_archive = |(name, _): &&(String, Vec<u8>)| name.ends_with(".tar.gz");
    let (name, archive) = all.iter().find(is_archive).expect("one");
    let sidecar_of = |name: &str| name.replace(".tar.gz", ".metadata.json");
    let sidecar = env.read(&format!("{BACKUPS}/{}", sidecar_of(name)));
    let sidecar: Value = serde_json::from_str(&sidecar).expect("a sidecar");
    for one in 1..number {
        let archive = repacked(archive, one);
        let (hours, minutes, seconds) = (11 + one / 3600, one / 60 % 60, one % 60);
        let start = format!("2026-04-01-{hours:02}{minutes:02}{seconds:02}");
        let name = name.replace("2026-04-01-100000", &start);
        let mut sidecar = sidecar.clone();
        sidecar["archive_name"] = json!(name);
        sidecar["archive_size_bytes"] = json!(archive.len());
        sidecar["archive_sha256"] = json!(hex(&Sha256::digest(&archive)));
        fs::write(dir.join(&name), archive).expect("writes");
        let sidecar = serde_json::to_vec_pretty(&sidecar).expect("writes");
        fs::write(dir.join(sidecar_of(&name)), sidecar).expect("writes");
    }
}

#[test]
fn there_may_be_more_than_a_thousand_objects() {
    let Some(servers) = servers() else { return };
    let place = Place::s3(&servers.s3, BUCKET, "many");
    let mut desk = place.machine(None);
    snapshot(&mut desk, "alice", 2, "desk");
    multiply(&desk, 750);
    let push = ["sync", "push", "--concurrency", "16", "--json"];
    let pushed = place.run(&desk, &push).code(0).json();
    assert_eq!(pushed["transferred"].as_array().map(Vec::len), Some(750));
    let status = place
        .run(&desk, &["sync", "status", "--json"])
        .code(0)
        .json();
    assert_eq!(
        (&status["in_both"], &status["there"]),
        (&json!(750), &json!(750))
    );
    let third = place.machine(Some(&desk));
    place
        .run(&third, &["sync", "pull", "--concurrency", "16"])
        .code(0);
    assert_eq!(snapshots(&third).len(), 1500);
    assert!(
        snapshots(&third) == snapshots(&desk),
        "all of it, byte for byte"
    );
    let again = place
        .run(&third, &["sync", "push", "--json"])
        .code(0)
        .json();
    assert_eq!(again["transferred"], json!([]));
}

#[test]
fn a_store_that_throttles_is_waited_for() {
    let Some(servers) = servers() else { return };
    let proxy = Proxy::to(&servers.s3);
    let place = Place::s3(&proxy.address, BUCKET, "throttled");
    let mut desk = place.machine(None);
    snapshot(&mut desk, "alice", 2, "desk");
    for method in ["PUT", "GET", "HEAD"] {
        for status in [429, 500, 503] {
            proxy.spoil(1, Fault::Status(status), move |request| {
                request.starts_with(method)
            });
        }
    }
    place.run(&desk, &["sync", "push"]).code(0);
    let third = place.machine(Some(&desk));
    for status in [429, 502] {
        proxy.spoil(2, Fault::Status(status), |request| {
            request.starts_with("GET")
        });
    }
    place.run(&third, &["sync", "pull"]).code(0);
    assert_eq!(snapshots(&third), snapshots(&desk));
}

#[test]
fn wrong_credentials_end_every_command_and_change_nothing() {
    let Some(servers) = servers() else { return };
    let s3 = Place::s3(&servers.s3, BUCKET, "refused");
    let dav = Place::dav(&servers.loose_dav, "refused");
    for place in [s3, dav] {
        let mut desk = place.machine(None);
        snapshot(&mut desk, "alice", 2, "desk");
        place.run(&desk, &["sync", "push"]).code(0);
        snapshot(&mut desk, "alice", 3, "desk");
        desk.set_now("2026-04-04T12:00:00+05:30");
        desk.write(".codex/config.toml", "model = \"new\"\n");
        let before = desk.tree(".codex-manager");
        for args in [
            &["sync", "init"][..],
            &["sync", "push"],
            &["sync", "push", "--dry-run"],
            &["sync", "pull"],
            &["sync", "pull", "--delete", "--yes"],
            &["sync", "status"],
            &["prune", "--remote", "--keep-last", "1"],
        ] {
            let mut command = place.command(&desk, args);
            command
                .env("AWS_SECRET_ACCESS_KEY", "not-that-one")
                .env("CODEX_MANAGER_WEBDAV_PASSWORD", "not-that-one");
            let ran = desk.ran(&mut command, args).code(16).stdout("");
            assert!(ran.stderr.contains("the credentials are"), "{}", ran.stderr);
            assert!(ran.stderr.contains("\nhint: set "), "{}", ran.stderr);
            assert!(!ran.stderr.contains("not-that-one"), "{}", ran.stderr);
            assert_eq!(desk.tree(".codex-manager"), before, "{args:?}");
        }
        let backup = ["backup", "--status-file", "status.txt", "--push"];
        let mut command = place.command(&desk, &backup);
        command
            .env("AWS_SECRET_ACCESS_KEY", "not-that-one")
            .env("CODEX_MANAGER_WEBDAV_PASSWORD", "not-that-one");
        desk.ran(&mut command, &backup).code(16);
        assert_ne!(desk.tree(".codex-manager"), before, "the snapshot stands");
    }
}

#[test]
fn each_of_two_keys_opens_what_is_encrypted_to_both() {
    let Some(servers) = servers() else { return };
    let place = Place::s3(&servers.s3, BUCKET, "two-keys");
    let own = Place::s3(&servers.s3, BUCKET, "own-key");
    let mut desk = place.machine(None);
    let laptop = own.machine(None);
    let recipient = |env: &Env| {
        let key = env.read(".codex-manager/identity.txt");
        let line = key
            .lines()
            .find_map(|line| line.strip_prefix("# public key: "));
        line.expect("a recipient").to_owned()
    };
    let add = ["config", "set", "sync.recipients", &recipient(&laptop)];
    desk.run(&add).code(0);
    snapshot(&mut desk, "alice", 2, "desk");
    place.run(&desk, &["sync", "push"]).code(0);
    let pull = ["sync", "pull", "--remote", &place.remote];
    place.run(&laptop, &pull).code(0);
    assert_eq!(snapshots(&laptop), snapshots(&desk));
    let third = Env::at(NOW);
    give_key(&desk, &third);
    place.run(&third, &pull).code(0);
    assert_eq!(snapshots(&third), snapshots(&desk));
    // What goes after it was taken away is not the other's to read; what went before stays so.
    desk.run(&["config", "unset", "sync.recipients"]).code(0);
    snapshot(&mut desk, "bob", 3, "desk");
    place.run(&desk, &["sync", "push"]).code(0);
    let ran = place.run(&laptop, &pull).code(15).stdout("");
    assert!(
        ran.stderr.contains("snapshots/2026-04-03"),
        "{}",
        ran.stderr
    );
    assert_eq!(snapshots(&laptop).len(), 2);
}

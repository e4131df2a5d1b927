//! `sync` with a folder as the remote: two machines that end the same, a third that has the key alone, what a stranger
//! reads or writes there, conflicts, deletions, and what a failure leaves.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::{Env, Person, Ran};
use crate::worlds::{has_keys, squeezed};

const BACKUPS: &str = ".codex-manager/backups";
const BACKUP: [&str; 3] = ["backup", "--status-file", "status.txt"];
const KEY: &str = ".codex-manager/identity.txt";
const NOW: &str = "2026-04-19T15:30:00+05:30";

/// A folder that stands for a remote, gone with it.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub fn path(&self) -> PathBuf {
        self.0.path().join("remote")
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    /// Every file in it: its name below, and its bytes.
    pub fn objects(&self) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        let mut open = vec![self.path()];
        while let Some(dir) = open.pop() {
            let Ok(listing) = fs::read_dir(&dir) else {
                continue;
            };
            for entry in listing.flatten() {
                let path = entry.path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let name = path.strip_prefix(self.path()).expect("below");
                    let name = name.to_string_lossy().into_owned();
                    found.push((name, fs::read(&path).expect("reads")));
                }
            }
        }
        found.sort();
        found
    }

    fn names(&self) -> Vec<String> {
        self.objects().into_iter().map(|(name, _)| name).collect()
    }

    /// The keys of the snapshots' sidecars.
    fn sidecars(&self) -> Vec<String> {
        let names = self.names().into_iter();
        names
            .filter(|name| name.starts_with("snapshots/") && name.contains(".metadata.json"))
            .collect()
    }
}

/// A machine of that name that knows the remote and has the key of `first`, or makes one.
pub fn machine(folder: &Folder, first: Option<&Env>) -> Env {
    let env = Env::at(NOW);
    if let Some(first) = first {
        give_key(first, &env);
    }
    env.run(&["sync", "init", "--remote", &folder.url()])
        .code(0);
    env
}

/// Copies the key, as a person would.
pub fn give_key(from: &Env, to: &Env) {
    to.write(KEY, &from.read(KEY));
    private(&to.path(KEY));
    private(&to.path(".codex-manager"));
}

fn private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = if path.is_dir() { 0o700 } else { 0o600 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("sets");
    }
}

/// A snapshot of the person's home at noon of that day of April, whose window opened on its first day; `what` is in it.
pub fn snapshot(env: &mut Env, name: &str, day: u8, what: &str) {
    let person = Person::named(name);
    env.set_now(&format!("2026-04-{day:02}T12:00:00+05:30"));
    env.codex_home(&person);
    env.write(".codex/config.toml", &format!("model = \"{what}\"\n"));
    let resets = 7 * (day / 7) + 8;
    let panel = person.panel(66, &format!("10:00 on {resets} Apr"));
    env.write("status.txt", &panel);
    env.run(&BACKUP).code(0);
    env.set_now(NOW);
}

/// All snapshots of a machine: path below and bytes.
pub fn snapshots(env: &Env) -> Vec<(String, Vec<u8>)> {
    let paths = env.files(BACKUPS).into_iter();
    let is_kept = |path: &String| !path.starts_with("safety/") && !path.ends_with('/');
    paths
        .filter(is_kept)
        .map(|path| {
            let bytes = fs::read(env.path(BACKUPS).join(&path)).unwrap_or_default();
            (path, bytes)
        })
        .collect()
}

fn names(env: &Env) -> Vec<String> {
    snapshots(env).into_iter().map(|(name, _)| name).collect()
}

fn count_of(document: &Value, key: &str) -> usize {
    document[key].as_array().map_or(0, Vec::len)
}

fn done(ran: Ran) -> Value {
    let document = ran.code(0).json();
    has_keys(
        &document,
        &["direction", "transferred", "skipped", "conflicts", "failed"],
        &["mode", "remote", "deleted", "learned"],
    );
    document
}

#[test]
fn two_machines_end_the_same_and_a_third_has_the_key_alone() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    let mut laptop = machine(&folder, Some(&desk));
    snapshot(&mut desk, "alice", 2, "desk");
    snapshot(&mut desk, "alice", 9, "desk");
    snapshot(&mut desk, "alice", 10, "desk again");
    snapshot(&mut laptop, "bob", 3, "laptop");
    snapshot(&mut laptop, "alice", 16, "laptop");

    let pushed = done(desk.run(&["sync", "push", "--json"]));
    assert_eq!(count_of(&pushed, "transferred"), 3);
    let pulled = done(laptop.run(&["sync", "pull", "--json"]));
    assert_eq!(count_of(&pulled, "transferred"), 3);
    assert_eq!(count_of(&pulled, "conflicts"), 0);
    let pushed = done(laptop.run(&["sync", "push", "--json"]));
    assert_eq!(count_of(&pushed, "transferred"), 2);
    assert_eq!(count_of(&pushed, "skipped"), 3);
    let pulled = done(desk.run(&["sync", "pull", "--json"]));
    assert_eq!(count_of(&pulled, "transferred"), 2);
    assert_eq!(snapshots(&desk), snapshots(&laptop));
    assert_eq!(names(&desk).len(), 10);

    let third = Env::at(NOW);
    give_key(&desk, &third);
    third
        .run(&["sync", "pull", "--remote", &folder.url()])
        .code(0);
    assert_eq!(snapshots(&third), snapshots(&desk));
    third
        .run(&["restore", "alice@example.com", "--yes"])
        .code(0);
    assert_eq!(third.read(".codex/config.toml"), "model = \"laptop\"\n");
    let verified = third.run(&["list-backups", "--all", "--verify", "--json"]);
    let verified = verified.code(0).json();
    for backup in verified["backups"].as_array().expect("a list") {
        if backup["kind"] != "safety" {
            assert_eq!(backup["verified"], true, "{backup}");
        }
    }

    // Once more nothing is to be done.
    for machine in [&desk, &laptop] {
        let before = (folder.sidecars(), snapshots(machine));
        for direction in ["push", "pull"] {
            let again = done(machine.run(&["sync", direction, "--json"]));
            assert_eq!(count_of(&again, "transferred"), 0);
        }
        assert_eq!((folder.sidecars(), snapshots(machine)), before);
    }
}

#[test]
fn nobody_reads_anything_there_without_the_key() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    snapshot(&mut desk, "alice", 2, "desk");
    desk.run(&["sync", "push"]).code(0);
    let auth = desk.read(".codex/auth.json");
    let auth: Value = serde_json::from_str(&auth).expect("a login");
    let refresh = auth["tokens"]["refresh_token"].as_str().expect("a token");
    let access = auth["tokens"]["access_token"].as_str().expect("a token");
    let secret = desk.read(KEY);
    let secret = secret.lines().last().expect("a line");
    assert!(secret.starts_with("AGE-SECRET-KEY-1"));
    let holds = |bytes: &[u8], text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    let objects = folder.objects();
    assert!(objects.len() >= 4, "{:?}", folder.names());
    for (name, bytes) in objects {
        for text in [
            "alice",
            "example.com",
            refresh,
            access,
            secret,
            "config.toml",
        ] {
            assert!(
                !holds(&bytes, text) && !name.contains(text),
                "{name}: {text}"
            );
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).expect("reads").permissions().mode();
            let path = folder.path().join(&name);
            assert_eq!(mode(&path) & 0o777, 0o600, "{name}");
            assert_eq!(mode(path.parent().expect("one")) & 0o777, 0o700, "{name}");
        }
    }
}

#[test]
fn another_key_opens_nothing_and_writes_nothing() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    snapshot(&mut desk, "alice", 2, "desk");
    desk.run(&["sync", "push"]).code(0);
    let before = folder.objects();
    // One that made its own key somewhere else.
    let elsewhere = Folder::new();
    let mut other = machine(&elsewhere, None);
    snapshot(&mut other, "bob", 3, "other");
    let mine = snapshots(&other);
    for command in ["push", "pull"] {
        let ran = other.run(&["sync", command, "--remote", &folder.url()]);
        let ran = ran.code(15).stdout("");
        assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
    }
    other
        .run(&["sync", "init", "--remote", &folder.url()])
        .code(15)
        .stdout("");
    assert_eq!(folder.objects(), before);
    assert_eq!(snapshots(&other), mine);
    // And one without any.
    let bare = Env::at(NOW);
    for command in ["push", "pull"] {
        bare.run(&["sync", command, "--remote", &folder.url()])
            .code(15)
            .stdout("");
    }
    bare.run(&["sync", "init", "--remote", &folder.url()])
        .code(15)
        .stdout("");
    assert!(!bare.path(KEY).exists());
    assert_eq!(folder.objects(), before);
}

#[test]
fn of_two_snapshots_of_one_name_the_newer_is_current_everywhere() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    let mut laptop = machine(&folder, Some(&desk));
    snapshot(&mut desk, "alice", 9, "desk");
    snapshot(&mut laptop, "alice", 10, "laptop");
    desk.run(&["sync", "push"]).code(0);
    laptop.run(&["sync", "push"]).code(0);
    let name = "2026-04-08-100000-alice@example.com-codex.tar.gz";
    let other = format!("superseded/2026-04-09-120000/{name}");

    let ran = laptop.run(&["sync", "pull"]).code(0);
    assert_eq!(
        ran.stderr.lines().last().expect("a line"),
        format!(
            "warning: two snapshots are called `{name}`: the one that was here is newer; the one that was fetched is kept as `~/{BACKUPS}/{other}`"
        )
    );
    let document = done(desk.run(&["sync", "pull", "--json"]));
    assert_eq!(
        document["conflicts"],
        json!([{
            "archive_name": name,
            "current": "there",
            "superseded": format!("~/{BACKUPS}/{other}"),
        }])
    );
    assert_eq!(snapshots(&desk), snapshots(&laptop));
    assert!(names(&desk).contains(&other));
    desk.run(&["restore", "alice@example.com", "--yes"]).code(0);
    assert_eq!(desk.read(".codex/config.toml"), "model = \"laptop\"\n");
}

#[test]
fn of_several_of_one_second_the_last_made_is_current_everywhere() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    for what in ["one", "two", "three", "four"] {
        snapshot(&mut desk, "alice", 9, what);
    }
    desk.run(&["sync", "push"]).code(0);
    for _ in 0..3 {
        let laptop = machine(&folder, Some(&desk));
        laptop.run(&["sync", "pull", "--concurrency", "3"]).code(0);
        assert_eq!(snapshots(&laptop), snapshots(&desk));
        laptop
            .run(&["restore", "alice@example.com", "--yes"])
            .code(0);
        assert_eq!(laptop.read(".codex/config.toml"), "model = \"four\"\n");
    }
}

#[test]
fn deletions_are_carried_only_when_asked() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    let laptop = machine(&folder, Some(&desk));
    for day in [2, 9, 16] {
        snapshot(&mut desk, "alice", day, "desk");
    }
    desk.run(&["sync", "push"]).code(0);
    laptop.run(&["sync", "pull"]).code(0);
    desk.run(&["prune", "--keep-last", "1"]).code(0);

    desk.run(&["sync", "push"]).code(0);
    assert_eq!(folder.sidecars().len(), 3);
    let refused = desk.run(&["sync", "push", "--delete"]).code(2).stdout("");
    assert_eq!(
        refused.stderr,
        "error: this removes snapshots from the remote, and nobody is there to be asked\nhint: say `--yes` to go on, or `--dry-run` to see what would be done\n"
    );
    let dry = done(desk.run(&["sync", "push", "--delete", "--dry-run", "--json"]));
    assert_eq!(count_of(&dry, "deleted"), 2);
    assert_eq!(folder.sidecars().len(), 3);
    desk.run(&["sync", "push", "--delete", "--yes"]).code(0);
    assert_eq!(folder.sidecars().len(), 1);
    assert_eq!(
        folder
            .objects()
            .iter()
            .filter(|(name, _)| name.starts_with("snapshots/"))
            .count(),
        2
    );

    laptop.run(&["sync", "pull"]).code(0);
    assert_eq!(names(&laptop).len(), 6);
    laptop.run(&["sync", "pull", "--delete"]).code(2);
    laptop.run(&["sync", "pull", "--delete", "--yes"]).code(0);
    assert_eq!(snapshots(&laptop), snapshots(&desk));

    // An empty place here is no reason to empty the one there, nor the other way round.
    let bare = machine(&folder, Some(&desk));
    bare.run(&["sync", "push", "--delete", "--yes"]).code(1);
    assert_eq!(folder.sidecars().len(), 1);
    let empty = Folder::new();
    let pull = [
        "sync",
        "pull",
        "--delete",
        "--yes",
        "--remote",
        &empty.url(),
    ];
    laptop.run(&pull).code(1);
    assert_eq!(snapshots(&laptop), snapshots(&desk));
}

#[test]
fn what_is_half_there_is_no_snapshot_and_goes_after_a_day() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    let laptop = machine(&folder, Some(&desk));
    snapshot(&mut desk, "alice", 2, "desk");
    snapshot(&mut desk, "alice", 9, "desk");
    desk.run(&["sync", "push"]).code(0);
    let sidecar = folder.sidecars().remove(0);
    fs::remove_file(folder.path().join(&sidecar)).expect("removes");
    let archive = sidecar.replace(".metadata.json", ".tar.gz");

    let pulled = done(laptop.run(&["sync", "pull", "--json"]));
    assert_eq!(count_of(&pulled, "transferred"), 1);
    let status = laptop.run(&["sync", "status", "--json"]).code(0).json();
    assert_eq!(status["unfinished"], json!([archive]));
    // What is pushed again is whole.
    let pushed = done(desk.run(&["sync", "push", "--json"]));
    assert_eq!(count_of(&pushed, "transferred"), 1);
    assert_eq!(folder.sidecars().len(), 2);

    fs::remove_file(folder.path().join(&sidecar)).expect("removes");
    let prune = ["prune", "--remote", "--keep-last", "9"];
    laptop.run(&prune).code(0);
    assert!(folder.path().join(&archive).exists());
    let old = std::time::SystemTime::now() - std::time::Duration::from_hours(25);
    let file = fs::File::options()
        .write(true)
        .open(folder.path().join(&archive));
    file.and_then(|file| file.set_modified(old)).expect("sets");
    laptop.run(&prune).code(0);
    assert!(!folder.path().join(&archive).exists());
    assert_eq!(folder.sidecars().len(), 1);
}

#[test]
fn an_archive_that_is_damaged_here_does_not_go() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    snapshot(&mut desk, "alice", 2, "desk");
    snapshot(&mut desk, "alice", 9, "desk");
    let name = names(&desk).remove(1);
    assert!(name.ends_with(".tar.gz"), "{name}");
    let path = desk.path(BACKUPS).join(&name);
    let mut bytes = fs::read(&path).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).expect("writes");
    let pushed = desk.run(&["sync", "push", "--json"]).code(3);
    let document: Value = serde_json::from_str(&pushed.stdout).expect("a document");
    assert_eq!(document["failed"][0]["archive_name"], name);
    assert_eq!(count_of(&document, "transferred"), 1);
    let snapshots = |name: &&String| name.starts_with("snapshots/");
    assert_eq!(folder.names().iter().filter(snapshots).count(), 2);
}

#[test]
fn an_archive_that_was_cut_short_here_is_fetched_anew() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    snapshot(&mut desk, "alice", 2, "desk");
    desk.run(&["sync", "push"]).code(0);
    let before = snapshots(&desk);
    let (name, bytes) = &before[1];
    let path = desk.path(BACKUPS).join(name);
    fs::write(&path, &bytes[..bytes.len() / 2]).expect("writes");
    let told = format!("warning: `~/{BACKUPS}/{name}` is not as long as its sidecar tells\n");
    desk.run(&["sync", "push"]).code(0).stderr(&told);
    desk.run(&["sync", "push", "--delete", "--yes"]).code(1);
    assert_eq!(folder.sidecars().len(), 1);
    desk.run(&["sync", "pull"]).code(0);
    let current = |(name, _): &(String, Vec<u8>)| !name.starts_with("superseded/");
    let after: Vec<_> = snapshots(&desk).into_iter().filter(current).collect();
    assert_eq!(after, before);
}

#[test]
fn it_goes_as_it_is_only_where_that_is_said() {
    let folder = Folder::new();
    let mut desk = Env::at(NOW);
    snapshot(&mut desk, "alice", 2, "desk");
    let push = ["sync", "push", "--remote", &folder.url()];
    desk.run(&push).code(15);
    assert!(folder.names().is_empty());
    desk.run(&[&push[..], &["--no-encrypt"]].concat()).code(0);
    let (name, bytes) = folder
        .objects()
        .into_iter()
        .find(|(name, _)| name.ends_with(".tar.gz"))
        .expect("an archive");
    let local = names(&desk).remove(1);
    assert_eq!(
        bytes,
        fs::read(desk.path(BACKUPS).join(local)).expect("reads")
    );
    assert!(name.starts_with("snapshots/2026-04-02T063000Z-"), "{name}");
    // No login but those in snapshots.
    for (name, bytes) in folder.objects() {
        if name.starts_with("machines/") {
            assert!(!String::from_utf8_lossy(&bytes).contains("refresh"));
        }
    }
    // Without any key.
    let laptop = Env::at(NOW);
    laptop
        .run(&["sync", "pull", "--remote", &folder.url()])
        .code(0);
    assert_eq!(snapshots(&laptop), snapshots(&desk));

    let other = Folder::new();
    desk.run(&["config", "set", "sync.encrypt", "false"])
        .code(0);
    desk.run(&["sync", "push", "--remote", &other.url()])
        .code(0);
    assert_eq!(other.sidecars().len(), 1);
}

#[test]
fn what_strangers_put_there_never_leaves_its_place() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    let laptop = machine(&folder, Some(&desk));
    snapshot(&mut desk, "alice", 2, "desk");
    desk.run(&["sync", "push"]).code(0);
    let there = folder.path().join("snapshots");
    let sidecar = folder.sidecars().remove(0);
    let bytes = fs::read(folder.path().join(&sidecar)).expect("reads");
    for name in [
        "2026-04-02-100000-mallory@example.com-codex.tar.gz",
        "2026-04-02T063000Z-..%2f..%2f..%2fevil.metadata.json.age",
        "2026-13-02T063000Z-00000000000000000000000000000000.metadata.json.age",
        "2026-04-02T063000Z-0000000000000000000000000000000.tar.gz.age",
        "evil\n.metadata.json.age",
    ] {
        fs::write(there.join(name), &bytes).expect("writes");
    }
    // Of the right form, with what is in another one.
    let forged = "2026-04-02T063000Z-00000000000000000000000000000000";
    fs::write(there.join(format!("{forged}.metadata.json.age")), &bytes).expect("writes");
    let archive = folder
        .path()
        .join(sidecar.replace(".metadata.json", ".tar.gz"));
    fs::copy(&archive, there.join(format!("{forged}.tar.gz.age"))).expect("copies");
    // Not encrypted to us.
    let open = "2026-04-03T063000Z-11111111111111111111111111111111";
    fs::write(there.join(format!("{open}.metadata.json.age")), b"{}").expect("writes");
    fs::write(there.join(format!("{open}.tar.gz.age")), b"evil").expect("writes");

    let ran = laptop.run(&["sync", "pull", "--json"]).code(3);
    let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
    assert_eq!(count_of(&document, "transferred"), 1);
    assert_eq!(count_of(&document, "failed"), 2);
    let shown = ran.stderr.matches("is none of ours").count();
    assert_eq!(shown, 5, "{}", ran.stderr);
    assert_eq!(snapshots(&laptop), snapshots(&desk));
    // Nothing is left of what failed.
    assert_eq!(laptop.files(BACKUPS), desk.files(BACKUPS));
}

#[test]
fn what_it_says() {
    let folder = Folder::new();
    let mut desk = Env::at(NOW);
    let url = folder.url();
    let made = desk
        .run(&["sync", "init", "--remote", &url])
        .code(0)
        .stderr("");
    let recipient = desk.read(KEY);
    let recipient = recipient
        .lines()
        .find_map(|line| line.strip_prefix("# public key: "))
        .expect("a recipient");
    assert_eq!(
        squeezed(&made.stdout),
        format!(
            "remote  {url}\nkey  ~/{KEY}, made\nrecipient  {recipient}\nrecovery  copy the key `~/{KEY}` to your other machines and to a safe place: without it nothing on the remote can be read\n"
        )
        .as_str()
    );
    assert_eq!(
        desk.read(".codex-manager/config.toml"),
        format!("[sync]\nremote = \"{url}\"\n")
    );
    snapshot(&mut desk, "alice", 2, "desk");
    snapshot(&mut desk, "bob", 3, "desk");
    let table = |last: &str| {
        format!(
            "ARCHIVE  ACCOUNT  MADE  SIZE  WHAT\n\
             2026-04-01-100000-alice@example.com-codex.tar.gz  alice@example.com  2026-04-02 12:00  N  {last}\n\
             2026-04-01-100000-bob@example.com-codex.tar.gz  bob@example.com  2026-04-03 12:00  N  {last}\n"
        )
    };
    let dry = desk.run(&["sync", "push", "--dry-run"]).code(0).stderr("");
    assert_eq!(
        sizeless(&dry.stdout),
        format!("{}push  2 snapshots, N, to {url}\n", table("would go"))
    );
    let pushed = desk.run(&["sync", "push"]).code(0);
    assert_eq!(
        sizeless(&pushed.stdout),
        format!("{}pushed  2 snapshots, N, to {url}\n", table("sent"))
    );
    assert_eq!(
        sizeless(&pushed.stderr),
        format!("pushing 2 snapshots, N, to {url}\n")
    );
    let again = desk.run(&["sync", "push"]).code(0).stderr("");
    assert_eq!(
        again.stdout,
        format!("pushed   0 snapshots, 0 B, to {url}; 2 there already\n")
    );
    desk.run(&["sync", "push", "--quiet"])
        .code(0)
        .stderr("")
        .stdout("");
    let status = desk.run(&["sync", "status"]).code(0).stderr("");
    assert_eq!(
        status.stdout,
        format!(
            "remote  {url}, encrypted\nhere    2 snapshots, 0 to push\nthere   2 snapshots, 0 to pull\n"
        )
    );
    let nowhere = Env::at(NOW);
    nowhere
        .run(&["sync", "push"])
        .code(2)
        .stdout("")
        .stderr("error: no remote is set\nhint: say where with `codex-manager sync init --remote ADDRESS`, or for this run with `--remote ADDRESS`\n");
}

/// Spaces as one, and sizes as `N`.
fn sizeless(text: &str) -> String {
    let size = regex::Regex::new(r"\d+(\.\d)? k?B").expect("a pattern");
    size.replace_all(&squeezed(text), "N").into_owned()
}

#[test]
fn prune_thins_out_the_remote_and_keeps_the_newest_sound_one() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    for day in [2, 9, 16] {
        snapshot(&mut desk, "alice", day, "desk");
    }
    snapshot(&mut desk, "bob", 3, "desk");
    desk.run(&["sync", "push"]).code(0);
    // The newest there does not open any more.
    let newest = folder
        .names()
        .into_iter()
        .rfind(|name| name.starts_with("snapshots/2026-04-16") && name.ends_with(".tar.gz.age"))
        .expect("one");
    let mut bytes = fs::read(folder.path().join(&newest)).expect("reads");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(folder.path().join(&newest), bytes).expect("writes");
    let prune = ["prune", "--remote", "--keep-last", "1", "--json"];
    let dry = desk.run(&[&prune[..], &["--dry-run"]].concat()).code(0);
    let ran = desk.run(&prune).code(0);
    let dry: Value = serde_json::from_str(&dry.stdout).expect("a document");
    let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
    assert_eq!(dry["deleted"], document["deleted"]);
    assert_eq!(count_of(&document, "deleted"), 1);
    let reasons: Vec<&Value> = document["kept"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| &entry["reasons"][0])
        .collect();
    assert_eq!(reasons, ["last 1", "newest sound one", "last 1"]);
    assert_eq!(folder.sidecars().len(), 3);
    assert_eq!(names(&desk).len(), 8, "what is here stays");
}

/// A file with that passphrase, told by the environment.
fn passphrase(env: &Env, words: &str) -> PathBuf {
    let path = env.write("passphrase", &format!("{words}\n"));
    private(&path);
    path
}

fn run_with(env: &Env, passphrase: &Path, args: &[&str]) -> Ran {
    let mut command = env.command(args);
    command.env("CODEX_MANAGER_PASSPHRASE_FILE", passphrase);
    env.ran(&mut command, args)
}

#[test]
fn with_a_passphrase_the_remote_alone_is_enough() {
    let folder = Folder::new();
    let mut desk = Env::at(NOW);
    let right = passphrase(&desk, "correct horse battery staple");
    let init = ["sync", "init", "--remote", &folder.url()];
    let with_passphrase = [&init[..], &["--passphrase"]].concat();
    desk.run(&with_passphrase).code(2).stdout("");
    assert!(folder.names().is_empty() && !desk.path(KEY).exists());
    let made = run_with(&desk, &right, &with_passphrase).code(0);
    assert!(
        made.stdout.contains("remember the passphrase"),
        "{}",
        made.stdout
    );
    assert!(
        desk.read(KEY)
            .starts_with("-----BEGIN AGE ENCRYPTED FILE-----")
    );
    snapshot(&mut desk, "alice", 2, "desk");
    // To encrypt nobody is asked.
    desk.run(&["sync", "push"]).code(0);
    let status = desk.run(&["sync", "status"]).code(0).stderr("");
    assert!(status.stdout.contains("0 to push"), "{}", status.stdout);

    let laptop = Env::at(NOW);
    let before = folder.objects();
    let wrong = passphrase(&laptop, "wrong");
    run_with(&laptop, &wrong, &init).code(15).stdout("");
    assert!(!laptop.path(KEY).exists());
    assert_eq!(folder.objects(), before);
    let right = passphrase(&laptop, "correct horse battery staple");
    run_with(&laptop, &right, &init).code(0);
    assert_eq!(laptop.read(KEY), desk.read(KEY));
    let refused = laptop.run(&["sync", "pull"]).code(2).stdout("");
    assert!(
        refused.stderr.contains("sync.passphrase_command"),
        "{}",
        refused.stderr
    );
    laptop
        .run(&["config", "set", "sync.passphrase_command", "cat passphrase"])
        .code(0);
    laptop
        .run(&["config", "set", "sync.passphrase_file", "../passphrase"])
        .code(0);
    laptop.run(&["sync", "pull"]).code(0);
    assert_eq!(snapshots(&laptop), snapshots(&desk));
}

/// What was learned of what.
fn learned(document: &Value) -> Vec<String> {
    let items = document["learned"].as_array().expect("a list").iter();
    items
        .map(|item| format!("{} {}", item["what"], item["name"]).replace('"', ""))
        .collect()
}

#[test]
fn what_is_known_of_accounts_goes_with_it_and_nothing_newer_is_lost() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    let mut laptop = machine(&folder, Some(&desk));
    snapshot(&mut desk, "alice", 2, "desk");
    snapshot(&mut laptop, "bob", 3, "laptop");
    // Alice signed in anew here since: her login there is the older one.
    let mut alice = Person::named("alice");
    alice.last_refresh = "2026-04-18T00:00:00Z".to_owned();
    laptop.codex_home(&alice);
    let panel = alice.panel(50, "10:00 on 22 Apr");
    laptop.write("status.txt", &panel);
    laptop.run(&BACKUP).code(0);
    let newer = laptop.read(".codex-manager/profiles/alice/auth.json");

    desk.run(&["sync", "push"]).code(0);
    let pulled = done(laptop.run(&["sync", "pull", "--json"]));
    assert!(
        !learned(&pulled).contains(&"login alice@example.com (alice)".to_owned()),
        "{pulled}"
    );
    assert_eq!(
        laptop.read(".codex-manager/profiles/alice/auth.json"),
        newer
    );
    laptop.run(&["sync", "push"]).code(0);
    let dry = done(desk.run(&["sync", "pull", "--dry-run", "--json"]));
    assert!(!desk.path(".codex-manager/profiles/bob").exists());
    let pulled = done(desk.run(&["sync", "pull", "--json"]));
    assert_eq!(dry["learned"], pulled["learned"]);
    let learned = learned(&pulled);
    assert!(
        learned.contains(&"login alice@example.com (alice)".to_owned()),
        "{learned:?}"
    );
    assert_eq!(desk.read(".codex-manager/profiles/alice/auth.json"), newer);
    let cooldown = |env: &Env| {
        let mut document = env.run(&["cooldown", "--json"]).code(0).json();
        for account in document["accounts"].as_array_mut().expect("a list") {
            account["active"] = Value::Null;
        }
        document
    };
    assert_eq!(cooldown(&desk), cooldown(&laptop));
    desk.run(&["use", "bob@example.com"]).code(0);
    let bob = Person::named("bob").auth_json();
    assert_eq!(desk.read(".codex/auth.json"), bob);
}

#[test]
fn a_profile_that_was_removed_here_stays_away_until_its_login_is_renewed_elsewhere() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    let mut laptop = machine(&folder, Some(&desk));
    snapshot(&mut desk, "alice", 2, "desk");
    snapshot(&mut laptop, "bob", 3, "laptop");
    for (env, what) in [(&laptop, "push"), (&desk, "pull"), (&desk, "push")] {
        env.run(&["sync", what]).code(0);
    }
    let bob = ".codex-manager/profiles/bob";
    assert!(desk.path(bob).join("auth.json").exists());
    desk.run(&["profile", "remove", "bob", "--yes"]).code(0);
    let pulled = done(desk.run(&["sync", "pull", "--json"]));
    assert_eq!(learned(&pulled), [""; 0]);
    assert!(!desk.path(bob).exists());
    // It is this machine's alone to say so: the other goes on, and what it renews is news here.
    laptop.run(&["sync", "pull"]).code(0);
    assert!(laptop.path(bob).join("auth.json").exists());
    let mut renewed = Person::named("bob");
    renewed.last_refresh = "2026-04-19T10:30:00Z".to_owned();
    laptop.codex_home(&renewed);
    laptop.write("status.txt", &renewed.panel(50, "10:00 on 22 Apr"));
    laptop.set_now("2026-04-19T16:30:00+05:30");
    laptop.run(&BACKUP).code(0);
    laptop.run(&["sync", "push"]).code(0);
    desk.set_now("2026-04-19T16:40:00+05:30");
    let pulled = done(desk.run(&["sync", "pull", "--json"]));
    let learned = learned(&pulled);
    assert!(
        learned.contains(&"login bob@example.com (bob)".to_owned()),
        "{learned:?}"
    );
    assert_eq!(desk.read(&format!("{bob}/auth.json")), renewed.auth_json());
}

#[test]
fn what_a_person_imports_comes_though_it_was_removed() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    snapshot(&mut desk, "alice", 2, "desk");
    desk.run(&["profile", "export", "all.age"]).code(0);
    desk.run(&["profile", "remove", "alice", "--yes"]).code(0);
    desk.run(&["profile", "import", "all.age"]).code(0);
    let alice = ".codex-manager/profiles/alice/auth.json";
    assert_eq!(desk.read(alice), Person::named("alice").auth_json());
}

#[test]
fn backup_pushes_where_it_is_told_to() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    let alice = Person::named("alice");
    desk.codex_home(&alice);
    desk.write("status.txt", &alice.panel(66, "10:00 on 22 Apr"));
    let push = [&BACKUP[..], &["--push", "--json"]].concat();
    let document = desk.run(&push).code(0).json();
    assert_eq!(document["mode"], "created");
    assert_eq!(count_of(&document["push"], "transferred"), 1);
    assert_eq!(folder.sidecars().len(), 1);
    let document = desk.run(&push).code(0).json();
    assert_eq!(document["mode"], "unchanged");
    assert_eq!(count_of(&document["push"], "skipped"), 1);
    let text = desk.run(&push[..4]).code(0).stdout;
    assert!(text.ends_with("; 1 there already\n"), "{text}");

    // The snapshot stands though the remote does not.
    desk.set_now("2026-04-19T16:00:00+05:30");
    desk.write(".codex/config.toml", "model = \"new\"\n");
    fs::remove_dir_all(folder.path()).expect("removes");
    fs::write(folder.path(), "no folder").expect("writes");
    let ran = desk.run(&push).code(16);
    let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
    assert_eq!(document["mode"], "created");
    assert_eq!(document["push"], Value::Null);
    assert_eq!(names(&desk).len(), 4);
}

#[test]
fn a_file_is_no_remote() {
    let desk = Env::at(NOW);
    let file = desk.write("file", "mine");
    for url in [
        format!("file://{}", file.display()),
        format!("file://{}/below", file.display()),
    ] {
        for command in ["init", "push", "pull", "status"] {
            let mut args = vec!["sync", command, "--remote", &url];
            if command == "push" {
                args.push("--no-encrypt");
            }
            let ran = desk.run(&args).code(16).stdout("");
            assert!(ran.stderr.contains("is no folder"), "{}", ran.stderr);
        }
    }
    assert_eq!(desk.read("file"), "mine");
    assert!(!desk.path(KEY).exists());
}

#[test]
fn a_place_that_is_somebody_elses_is_left_alone() {
    let folder = Folder::new();
    let mut desk = Env::at(NOW);
    snapshot(&mut desk, "alice", 2, "desk");
    fs::create_dir_all(folder.path()).expect("makes");
    for (marker, words) in [
        ("no json", "cannot be read"),
        (
            "{\"product\":\"other\",\"format\":1}",
            "is of something else",
        ),
        (
            "{\"product\":\"codex-manager\",\"format\":2}",
            "is of a later form",
        ),
    ] {
        fs::write(folder.path().join("codex-manager.json"), marker).expect("writes");
        let url = folder.url();
        for args in [
            &["sync", "init", "--remote", &url][..],
            &["sync", "push", "--no-encrypt", "--remote", &url],
            &["sync", "pull", "--remote", &url],
            &["sync", "status", "--remote", &url],
        ] {
            let ran = desk.run(args).code(16).stdout("");
            assert!(ran.stderr.contains(words), "{}", ran.stderr);
        }
        assert_eq!(folder.names(), ["codex-manager.json"]);
    }
}

#[cfg(unix)]
#[test]
fn an_ssh_key_serves_as_the_key() {
    let folder = Folder::new();
    let mut desk = Env::at(NOW);
    let key = desk.write("my keys/id_ed25519", "");
    fs::remove_file(&key).expect("removes");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
        .arg(&key)
        .status();
    if !made.is_ok_and(|made| made.success()) {
        assert!(std::env::var_os("CI").is_none(), "there is no ssh-keygen");
        eprintln!("not asked of SSH keys: there is no ssh-keygen");
        return;
    }
    let path = key.display().to_string();
    desk.run(&["config", "set", "sync.identity", &path]).code(0);
    let made = desk
        .run(&["sync", "init", "--remote", &folder.url()])
        .code(0);
    assert!(made.stdout.contains("ssh-ed25519 "), "{}", made.stdout);
    assert!(!desk.path(KEY).exists());
    snapshot(&mut desk, "alice", 2, "desk");
    desk.run(&["sync", "push"]).code(0);
    let laptop = Env::at(NOW);
    let copy = laptop.write("id", &fs::read_to_string(&key).expect("reads"));
    private(&copy);
    laptop
        .run(&["config", "set", "sync.identity", "../id"])
        .code(0);
    let pull = ["sync", "pull", "--remote", &folder.url()];
    laptop.run(&pull).code(0);
    assert_eq!(snapshots(&laptop), snapshots(&desk));
    // A key that others can read is refused.
    fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("sets");
    laptop
        .run(&["prune", "--remote", &folder.url(), "--keep-last", "1"])
        .code(1)
        .stdout("");
}

#[test]
fn a_wrong_key_looks_at_keys_alone_and_removes_nothing() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    snapshot(&mut desk, "alice", 2, "desk");
    snapshot(&mut desk, "alice", 9, "desk");
    desk.run(&["sync", "push"]).code(0);
    let elsewhere = Folder::new();
    let other = machine(&elsewhere, None);
    let before = folder.objects();
    let url = folder.url();
    other
        .run(&["sync", "status", "--remote", &url])
        .code(15)
        .stdout("");
    other
        .run(&["prune", "--remote", &url, "--keep-last", "1"])
        .code(15)
        .stdout("");
    assert_eq!(folder.objects(), before);
}

/// What of a remote in the home itself are snapshots' sidecars.
#[cfg(unix)]
fn at_home(env: &Env) -> usize {
    let names = env.files("remote/snapshots").into_iter();
    names.filter(|name| name.contains(".metadata.json")).count()
}

#[cfg(unix)]
#[test]
fn what_cannot_be_looked_at_here_does_not_go_there() {
    use std::os::unix::fs::PermissionsExt;
    let mut env = Env::at(NOW);
    env.run(&["sync", "init", "--remote", "~/remote"]).code(0);
    snapshot(&mut env, "alice", 2, "earlier");
    snapshot(&mut env, "alice", 3, "later");
    env.run(&["sync", "push"]).code(0);
    assert_eq!(at_home(&env), 2);
    let args = ["sync", "push", "--delete", "--yes"];
    let mut command = env.command(&args);
    crate::unprivileged::run_as_nobody(&env, &mut command);
    let superseded = env.path(BACKUPS).join("superseded");
    // Its names can be read, and nothing else.
    let set = |mode| {
        fs::set_permissions(&superseded, fs::Permissions::from_mode(mode)).expect("sets");
    };
    set(0o600);
    let ran = env.ran(&mut command, &args).code(1).stdout("");
    set(0o700);
    assert!(
        ran.stderr
            .starts_with("error: cannot look at `~/.codex-manager/backups/superseded/"),
        "{}",
        ran.stderr
    );
    assert_eq!(at_home(&env), 2);
}

#[test]
fn an_archive_that_lost_its_sidecar_is_here_all_the_same() {
    let folder = Folder::new();
    let mut desk = machine(&folder, None);
    snapshot(&mut desk, "alice", 2, "desk");
    snapshot(&mut desk, "alice", 9, "desk");
    desk.run(&["sync", "push"]).code(0);
    let before = snapshots(&desk);
    let (sidecar, _) = &before[0];
    assert!(sidecar.ends_with(".metadata.json"), "{sidecar}");
    fs::remove_file(desk.path(BACKUPS).join(sidecar)).expect("removes");
    let pushed = done(desk.run(&["sync", "push", "--delete", "--yes", "--json"]));
    assert_eq!(count_of(&pushed, "deleted"), 0);
    assert_eq!(folder.sidecars().len(), 2);
    // It gets it back.
    desk.run(&["sync", "pull"]).code(0);
    assert_eq!(snapshots(&desk), before);
}

#[test]
fn what_lies_there_unencrypted_stays_here() {
    let folder = Folder::new();
    let mut desk = Env::at(NOW);
    snapshot(&mut desk, "alice", 2, "desk");
    let url = folder.url();
    desk.run(&["sync", "push", "--no-encrypt", "--remote", &url])
        .code(0);
    let mut laptop = machine(&folder, None);
    give_key(&laptop, &desk);
    desk.run(&["sync", "init", "--remote", &url]).code(0);
    snapshot(&mut laptop, "bob", 2, "laptop");
    laptop.run(&["sync", "push"]).code(0);
    let pulled = done(desk.run(&["sync", "pull", "--delete", "--yes", "--json"]));
    assert_eq!(count_of(&pulled, "deleted"), 0);
    assert_eq!(count_of(&pulled, "transferred"), 1);
    assert_eq!(names(&desk).len(), 4);
}

#[test]
fn no_more_of_an_archive_is_fetched_than_is_told_of_it() {
    let folder = Folder::new();
    let mut desk = Env::at(NOW);
    snapshot(&mut desk, "alice", 2, "desk");
    let url = folder.url();
    let push = ["sync", "push", "--no-encrypt", "--remote", &url];
    desk.run(&push).code(0);
    let is_archive = |name: &String| name.ends_with(".tar.gz");
    let key = folder.names().into_iter().find(is_archive).expect("one");
    let file = fs::File::options()
        .append(true)
        .open(folder.path().join(&key));
    file.and_then(|mut file| std::io::Write::write_all(&mut file, b"more"))
        .expect("writes");
    let laptop = Env::at(NOW);
    let pulled = laptop
        .run(&["sync", "pull", "--remote", &url, "--json"])
        .code(3);
    let document: Value = serde_json::from_str(&pulled.stdout).expect("a document");
    assert_eq!(
        document["failed"][0]["reason"],
        format!("`{key}` on {url} is longer than was told of it")
    );
    assert!(names(&laptop).is_empty());
}

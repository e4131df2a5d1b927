//! `profile export`: what is in the file, who can read it, and what is never written.

use std::fs;

use serde_json::{Value, json};

use crate::common::{Env, Person, SECRET, hostname};
use crate::worlds::{has_keys, json_error};

/// A world with a snapshot each of alice and bob, an earlier one of bob, settings and a key.
pub fn world() -> Env {
    let env = Env::new();
    let (alice, bob) = (Person::named("alice"), Person::named("bob"));
    env.codex_home(&alice);
    for person in [&alice, &bob, &bob] {
        env.write(".codex/auth.json", &person.auth_json());
        env.write(
            ".codex/history.jsonl",
            &format!("{}\n", env.files(".codex-manager").len()),
        );
        env.write("status.txt", &person.panel(66, "15:55 on 21 Apr"));
        env.run(&["backup", "--status-file", "status.txt"])
            .code(0)
            .stderr("");
    }
    env.run(&["config", "set", "color", "never"]).code(0);
    env.run(&["profile", "set", "alice", "alias=al"]).code(0);
    let store = format!("file://{}", env.beside_home("store").display());
    env.run(&["sync", "init", "--remote", &store]).code(0);
    env
}

/// The names in a tar archive, each with its content.
fn entries(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    use std::io::Read;
    let mut archive = tar::Archive::new(bytes);
    let entries = archive.entries().expect("an archive");
    let read = |entry: std::io::Result<tar::Entry<&[u8]>>| {
        let mut entry = entry.expect("whole");
        let name = entry.path().expect("a name").display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("reads");
        (name, bytes)
    };
    entries.map(read).collect()
}

/// What an age file holds, by the key of that world.
fn decrypted(env: &Env, file: &str) -> Vec<u8> {
    use std::io::Read;
    let identity = env.read(".codex-manager/identity.txt");
    let key = identity
        .lines()
        .find(|line| line.starts_with("AGE-SECRET-KEY-"));
    let key: age::x25519::Identity = key.expect("a key").parse().expect("a key");
    let file = fs::File::open(env.path(file)).expect("opens");
    let mut bytes = Vec::new();
    let decryptor = age::Decryptor::new(file).expect("an age file");
    let mut reader = decryptor
        .decrypt(std::iter::once(&key as &dyn age::Identity))
        .expect("opens");
    reader.read_to_end(&mut bytes).expect("whole");
    bytes
}

#[test]
fn all_of_it_is_in_a_tar_archive_encrypted_to_the_keys_of_this_machine() {
    let env = world();
    let before = env.tree(".codex-manager");
    let ran = env.run(&["profile", "export", "out.age", "--with-backups"]);
    let length = fs::metadata(env.path("out.age")).expect("stands").len();
    let ran = ran.code(0).stderr("reading and checking 3 snapshots\n");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(
        lines[0].starts_with("exported   out.age, "),
        "{}",
        ran.stdout
    );
    assert_eq!(
        lines[1..],
        [
            "secret     encrypted to the keys of this machine: the other one needs `identity.txt`",
            "accounts   2",
            "profiles   2, 2 of them with a login",
            "snapshots  3",
        ]
    );
    assert_eq!(env.tree(".codex-manager"), before);
    #[cfg(unix)]
    assert_eq!(crate::worlds::mode(&env.path("out.age")), 0o600);
    let raw = fs::read(env.path("out.age")).expect("reads");
    for word in [SECRET, "alice", "bundle.json"] {
        assert!(!raw.windows(word.len()).any(|part| part == word.as_bytes()));
    }
    let entries = entries(&decrypted(&env, "out.age"));
    let mut snapshots = env.tree(".codex-manager/backups");
    let time = "superseded/2026-04-19-153000/";
    snapshots.sort_by_key(|(name, _)| (name.starts_with(time), name.clone()));
    let names: Vec<String> = entries.iter().map(|(name, _)| name.clone()).collect();
    let wanted: Vec<String> = std::iter::once("bundle.json".to_owned())
        .chain(snapshots.iter().map(|(name, _)| format!("backups/{name}")))
        .collect();
    assert_eq!(names, wanted);
    for (name, bytes) in &entries[1..] {
        let standing = fs::read(env.path(&format!(".codex-manager/{name}"))).expect("reads");
        assert!(*bytes == standing, "{name}");
    }
    let bundle: Value = serde_json::from_slice(&entries[0].1).expect("JSON");
    has_keys(
        &bundle,
        &[
            "product",
            "format",
            "machine",
            "written_at",
            "registry",
            "profiles",
        ],
        &["manager_version", "settings", "inventory"],
    );
    assert_eq!(bundle["machine"]["hostname"], hostname());
    assert!(
        bundle["settings"]
            .as_str()
            .expect("a text")
            .contains("color = \"never\"")
    );
    assert_eq!(bundle["profiles"][0]["name"], "alice");
    // The same in JSON, over the file that stands there.
    let again = ["profile", "export", "out.age", "--with-backups", "--json"];
    let ran = env.run(&again).code(1).stdout("");
    let (kind, message, _) = json_error(&ran);
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("other", "`out.age` exists; nothing was written")
    );
    assert_eq!(fs::read(env.path("out.age")).expect("reads"), raw);
    let forced = [&again[..], &["--force"]].concat();
    let mut document = env.run(&forced).code(0).json();
    assert!(document["bytes"].as_u64().expect("a number") > 1000);
    document["bytes"] = length.into();
    assert_eq!(
        document,
        json!({"mode": "exported", "file": "out.age", "bytes": length, "encryption": "recipients", "accounts": 2,
            "profiles": 2, "logins": 2, "inventory_records": 0, "snapshots": 3, "left_out": []})
    );
    let dry = [
        "profile",
        "export",
        "dry.age",
        "--with-backups",
        "--dry-run",
    ];
    let before = env.tree("");
    let ran = env.run(&dry).code(0);
    assert_eq!(
        ran.stdout,
        format!("dry-run    dry.age\n{}\n", lines[1..].join("\n"))
    );
    assert_eq!(env.tree(""), before);
    assert!(env.files("").iter().all(|file| !file.contains("-tmp-")));
}

#[test]
fn without_encryption_no_login_and_no_snapshot_leaves() {
    let env = world();
    env.run(&["profile", "export", "out.tar", "--no-encrypt"])
        .code(0)
        .stderr("");
    let raw = fs::read(env.path("out.tar")).expect("reads");
    let entries = entries(&raw);
    assert_eq!(entries.len(), 1);
    let text = String::from_utf8(entries[0].1.clone()).expect("text");
    assert!(text.contains("alice@example.com") && !text.contains("auth_json"));
    assert!(!text.contains(SECRET));
    for flags in [
        ["--no-encrypt", "--with-backups"],
        ["--no-encrypt", "--passphrase"],
    ] {
        let args = [&["profile", "export", "other"][..], &flags].concat();
        let ran = env.run(&args).code(2).stdout("");
        assert!(ran.stderr.contains("cannot be used with"), "{}", ran.stderr);
    }
    assert!(!env.path("other").exists());
}

#[test]
fn what_cannot_be_written_is_told_and_leaves_nothing() {
    let env = world();
    env.write("held", "mine");
    fs::create_dir(env.path("dir")).expect("makes");
    let files = env.files("");
    for (file, code, told) in [
        ("-", 2, "`-` is no name of a file to write"),
        ("held", 1, "`held` exists; nothing was written"),
        ("dir", 1, "`dir` exists; nothing was written"),
        ("none/out.age", 1, "`none` is no directory"),
    ] {
        let ran = env.run(&["profile", "export", file]).code(code).stdout("");
        assert!(
            ran.stderr.starts_with(&format!("error: {told}\nhint: ")),
            "{}",
            ran.stderr
        );
    }
    // Where files mean something, also by way of a link, and the key wherever it lies.
    fs::rename(env.path(".codex-manager/identity.txt"), env.path("key.txt")).expect("moves");
    env.run(&["config", "set", "sync.identity", "~/key.txt"])
        .code(0);
    #[cfg(unix)]
    std::os::unix::fs::symlink(env.path(".codex-manager"), env.path("by")).expect("links");
    let before = env.tree("");
    for (file, told) in [
        (".codex-manager/lock", "lies in the manager home"),
        (".codex-manager/new.age", "lies in the manager home"),
        #[cfg(unix)]
        ("by/profiles/new.age", "lies in the manager home"),
        (".codex/auth.json", "lies in the Codex home"),
        ("key.txt", "is where the key is"),
    ] {
        let ran = env
            .run(&["profile", "export", file, "--force"])
            .code(1)
            .stdout("");
        let message = format!(
            "` {told}, where an exported file would be taken for something else; nothing was changed\n"
        );
        assert!(ran.stderr.contains(&message), "{}", ran.stderr);
    }
    let ran = env.run(&["profile", "export", "kept/x.age", "--backup-dir", "kept"]);
    assert!(
        ran.stderr.contains("`kept` is no directory"),
        "{}",
        ran.stderr
    );
    assert_eq!(env.tree(""), before);
    #[cfg(unix)]
    fs::remove_file(env.path("by")).expect("removes");
    env.run(&["config", "unset", "sync.identity"]).code(0);
    fs::rename(env.path("key.txt"), env.path(".codex-manager/identity.txt")).expect("moves");
    // No key, and nobody to ask for a passphrase.
    fs::rename(
        env.path(".codex-manager/identity.txt"),
        env.path("identity.txt"),
    )
    .expect("moves");
    let ran = env
        .run(&["profile", "export", "out.age"])
        .code(15)
        .stdout("");
    assert!(ran.stderr.contains("say `--passphrase`"), "{}", ran.stderr);
    env.run(&["profile", "export", "out.age", "--passphrase"])
        .code(2)
        .stdout("");
    fs::rename(
        env.path("identity.txt"),
        env.path(".codex-manager/identity.txt"),
    )
    .expect("moves");
    assert_eq!(env.files(""), files);
    let empty = Env::new();
    let ran = empty
        .run(&["profile", "export", "out.tar", "--no-encrypt"])
        .code(10);
    assert!(
        ran.stderr
            .starts_with("error: nothing is known yet: `~/.codex-manager` does not exist\n")
    );
    assert_eq!(empty.files(""), [""; 0]);
}

#[test]
fn a_snapshot_that_is_not_sound_is_left_out_and_told() {
    let env = world();
    let base = ".codex-manager/backups/2026-04-14-155500-alice@example.com-codex";
    let archive = env.path(&format!("{base}.tar.gz"));
    let mut bytes = fs::read(&archive).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&archive, bytes).expect("writes");
    fs::remove_file(
        env.path(&base.replace("alice", "bob"))
            .with_extension("com-codex.metadata.json"),
    )
    .expect("removes");
    let ran = env
        .run(&["profile", "export", "out.age", "--with-backups", "--json"])
        .code(3);
    let document = ran.json();
    assert_eq!(document["snapshots"], 1);
    let left = document["left_out"].as_array().expect("a list");
    assert_eq!(left.len(), 2, "{left:?}");
    assert_eq!(
        ran.stderr.matches("; it is left out").count(),
        2,
        "{}",
        ran.stderr
    );
}

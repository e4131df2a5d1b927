//! `profile import`: another machine ends with what the first knew, nothing newer goes, and a file that is damaged or made
//! to harm changes nothing at all.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tar::EntryType;

use crate::common::{Env, Person, SECRET};
use crate::export::world;
use crate::tarball::Tarball;
use crate::worlds::json_error;

const ALICE: &str = "2026-04-14-155500-alice@example.com-codex";

/// A second world with the first one's file, and its key.
fn other(env: &Env, file: &str) -> Env {
    let other = Env::new();
    fs::copy(env.path(file), other.path(file)).expect("copies");
    let key = env.read(".codex-manager/identity.txt");
    let key = other.write(".codex-manager/identity.txt", &key);
    private(&key);
    other
}

#[cfg(unix)]
fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("sets");
}

#[cfg(not(unix))]
fn private(_: &Path) {}

fn exported() -> Env {
    let env = world();
    env.run(&["profile", "export", "out.age", "--with-backups"])
        .code(0);
    env
}

/// Of everything that came: what, which and what became of it.
fn deeds(document: &Value) -> Vec<(String, String)> {
    let items = document["items"].as_array().expect("a list");
    let text = |item: &Value, key: &str| item[key].as_str().expect("a text").to_owned();
    items
        .iter()
        .map(|item| {
            (
                format!("{} {}", text(item, "what"), text(item, "name")),
                text(item, "deed"),
            )
        })
        .collect()
}

#[test]
fn another_machine_ends_with_all_of_it_and_a_second_time_nothing_changes() {
    let one = exported();
    let two = other(&one, "out.age");
    let before = two.tree("");
    let plan = two.run(&["profile", "import", "out.age", "--dry-run", "--json"]);
    let plan = plan.code(0).stderr("").json();
    assert_eq!(two.tree(""), before);
    let ran = two.run(&["profile", "import", "out.age", "--json"]);
    let done = ran.code(0).stderr("").json();
    assert_eq!(
        (&plan["mode"], &done["mode"]),
        (&json!("dry-run"), &json!("imported"))
    );
    assert_eq!(plan["items"], done["items"]);
    assert_eq!(
        done["machine"]["id"],
        one.read(".codex-manager/machine-id").trim_end()
    );
    let told = |what: &str, deed: &str| (what.to_owned(), deed.to_owned());
    let base = |name: &str| format!("snapshot {}.tar.gz", ALICE.replace("alice", name));
    let deeds = deeds(&done);
    for wanted in [
        told("account alice@example.com", "add"),
        told("login bob@example.com (bob)", "add"),
        told("setting color", "add"),
        told("setting sync.remote", "leave"),
        told(&base("alice"), "add"),
    ] {
        assert!(deeds.contains(&wanted), "{wanted:?} of {deeds:?}");
    }
    let bobs = deeds
        .iter()
        .filter(|(name, _)| *name == base("bob"))
        .count();
    assert_eq!(bobs, 2);
    for below in [".codex-manager/backups", ".codex-manager/profiles"] {
        let trees = [&one, &two].map(|env| env.tree(below));
        // The machine it was used on last is the first one there as well.
        assert_eq!(trees[0], trees[1]);
    }
    assert_eq!(
        two.read(".codex-manager/config.toml"),
        "color = \"never\"\n"
    );
    two.run(&["list-backups", "--all", "--verify"]).code(0);
    let ran = two.run(&["use", "al"]).code(0);
    assert!(ran.stderr.contains("no longer signs in"), "{}", ran.stderr);
    assert_eq!(
        two.read(".codex/auth.json"),
        Person::named("alice").auth_json()
    );
    let stands = two.tree("");
    let again = two
        .run(&["profile", "import", "out.age"])
        .code(0)
        .stderr("");
    assert!(
        again.stdout.starts_with("unchanged  out.age\nfrom       "),
        "{}",
        again.stdout
    );
    assert_eq!(two.tree(""), stands);
}

#[test]
fn nothing_newer_goes_and_a_login_that_is_signed_in_counts() {
    let one = exported();
    let two = other(&one, "out.age");
    let newer = Person {
        last_refresh: "2026-04-18T00:00:00Z".to_owned(),
        ..Person::named("alice")
    };
    two.codex_home(&newer);
    two.write(".codex-manager/config.toml", "color = \"always\" # mine\n");
    two.write(
        ".codex-manager/profiles/bob/profile.toml",
        "email = \"bob@example.com\"\nnote = \"mine\"\n",
    );
    let ran = two.run(&["profile", "import", "out.age", "--json"]).code(0);
    let deeds = deeds(&ran.json());
    let deed = |name: &str| {
        deeds
            .iter()
            .find(|(of, _)| of == name)
            .expect(name)
            .1
            .clone()
    };
    assert_eq!(deed("login alice@example.com (alice)"), "keep");
    assert_eq!(deed("setting color"), "keep");
    assert_eq!(deed("profile bob"), "update");
    assert_eq!(
        two.read(".codex-manager/profiles/alice/auth.json"),
        newer.auth_json()
    );
    assert_eq!(two.read(".codex/auth.json"), newer.auth_json());
    assert_eq!(
        two.read(".codex-manager/config.toml"),
        "color = \"always\" # mine\n"
    );
    let bob = two.read(".codex-manager/profiles/bob/profile.toml");
    assert!(
        bob.starts_with("email = \"bob@example.com\"\nnote = \"mine\"\n"),
        "{bob}"
    );
}

#[test]
fn without_the_key_nothing_is_read_and_by_a_passphrase_it_is() {
    let one = exported();
    let two = other(&one, "out.age");
    fs::remove_file(two.path(".codex-manager/identity.txt")).expect("removes");
    let before = two.tree("");
    let import = ["profile", "import", "out.age", "--json"];
    let ran = two.run(&import).code(15).stdout("");
    assert_eq!(json_error(&ran).0, "cannot-decrypt");
    two.run(&import[..3]).code(15).stderr(
        "error: `out.age` is encrypted to a key, and there is none here: `~/.codex-manager/identity.txt` does not exist\n\
         hint: copy the identity file of the machine that exported it to `~/.codex-manager/identity.txt`\n",
    );
    // Another machine's key.
    let store = format!("file://{}", two.beside_home("store").display());
    two.run(&["sync", "init", "--remote", &store]).code(0);
    let with_key = two.tree("");
    let ran = two.run(&import).code(15).stdout("");
    assert_eq!(
        json_error(&ran).1,
        "cannot decrypt `out.age`: no key at hand opens it"
    );
    assert_eq!(two.tree(""), with_key);
    assert!(before.len() < with_key.len());
    let word = one.beside_home("word");
    fs::write(&word, "made-up words\n").expect("writes");
    private(&word);
    let export = ["profile", "export", "by-word.age", "--passphrase"];
    let mut command = one.command(&export);
    command.env("CODEX_MANAGER_PASSPHRASE_FILE", &word);
    one.ran(&mut command, &export).code(0);
    let raw = fs::read(one.path("by-word.age")).expect("reads");
    assert!(raw.starts_with(b"age-encryption.org/v1\n-> scrypt "));
    let three = Env::new();
    fs::copy(one.path("by-word.age"), three.path("by-word.age")).expect("copies");
    let import = ["profile", "import", "by-word.age"];
    three.run(&import).code(2).stdout("");
    let mut command = three.command(&import);
    command.env("CODEX_MANAGER_PASSPHRASE_FILE", &word);
    three.ran(&mut command, &import).code(0).stderr("");
    three.run(&["use", "bob@example.com", "--dry-run"]).code(0);
}

#[test]
fn a_file_that_is_cut_or_changed_anywhere_changes_nothing() {
    let one = exported();
    let raw = fs::read(one.path("out.age")).expect("reads");
    let two = other(&one, "out.age");
    let before = two.tree("");
    let refused = |bytes: &[u8], what: &str| {
        fs::write(two.path("out.age"), bytes).expect("writes");
        let ran = two.run(&["profile", "import", "out.age"]);
        assert!(matches!(ran.code, Some(13 | 15)), "{what}: {ran:?}");
        assert_eq!(ran.stdout, "");
        fs::write(two.path("out.age"), &raw).expect("writes");
        assert_eq!(two.tree(""), before, "{what}");
    };
    let length = raw.len();
    for cut in [0, 1, 20, 150, length / 2, length - 20, length - 1] {
        refused(&raw[..cut], &format!("cut at {cut}"));
    }
    for place in [0, 30, 120, length / 2, length - 1] {
        let mut changed = raw.clone();
        changed[place] ^= 1;
        refused(&changed, &format!("changed at {place}"));
    }
    refused(&[&raw[..], b"more"].concat(), "longer");
    two.run(&["profile", "import", "out.age"]).code(0);
}

/// The parts of a sound file without encryption: what the manager knew, a sidecar and an archive.
fn parts(one: &Env) -> (String, String, Vec<u8>) {
    one.run(&["profile", "export", "plain.tar", "--no-encrypt", "--force"])
        .code(0);
    let plain = fs::read(one.path("plain.tar")).expect("reads");
    let size = std::str::from_utf8(&plain[124..135]).expect("octal");
    let size = usize::from_str_radix(size, 8).expect("octal");
    let bundle = String::from_utf8(plain[512..512 + size].to_vec()).expect("text");
    let sidecar = one.read(&format!(".codex-manager/backups/{ALICE}.metadata.json"));
    let archive = fs::read(one.path(&format!(".codex-manager/backups/{ALICE}.tar.gz")));
    (bundle, sidecar, archive.expect("reads"))
}

#[test]
#[allow(clippy::too_many_lines)] // one list
fn a_file_that_was_made_to_harm_changes_nothing() {
    let one = world();
    let (bundle, sidecar, archive) = parts(&one);
    let two = Env::new();
    two.write(
        ".codex-manager/profiles/alice/profile.toml",
        "note = \"mine\"\n",
    );
    let before = two.tree("");
    let import = |bytes: &[u8]| {
        let file = two.beside_home("made.tar");
        fs::write(&file, bytes).expect("writes");
        let file = file.display().to_string();
        two.run(&["profile", "import", &file, "--json"])
    };
    let refused = |tar: Vec<u8>, why: &str| {
        let ran = import(&tar).code(13).stdout("");
        let (kind, message, _) = json_error(&ran);
        assert_eq!(kind, "archive-damaged");
        assert!(message.contains(why), "{message} instead of {why}");
        assert!(
            !message.contains('\u{1b}') && !message.contains(SECRET),
            "{message}"
        );
        assert_eq!(two.tree(""), before, "{why}");
    };
    let start = || Tarball::default().file("bundle.json", &bundle);
    let (alice, sidecars) = (
        format!("backups/{ALICE}.tar.gz"),
        format!("backups/{ALICE}.metadata.json"),
    );
    let regular = EntryType::Regular;
    let whole = || {
        start()
            .file(&sidecars, &sidecar)
            .bytes(&alice, regular, "", &archive)
    };
    for name in [
        "../escaped",
        "/etc/escaped",
        "backups/../../escaped",
        "config.toml",
        "backups/safety/2026/x",
        "profiles/alice/auth.json",
        "backups/2026-04-14-155500-a\u{1b}[2J-codex.tar.gz",
        "./bundle.json",
    ] {
        refused(
            start().file(name, "x").ended(),
            "which no exported file has",
        );
    }
    for (name, kind) in [
        (alice.as_str(), EntryType::Symlink),
        (&alice, EntryType::Link),
        ("backups", EntryType::Directory),
        (&alice, EntryType::Fifo),
        (&alice, EntryType::Char),
        (&alice, EntryType::GNUSparse),
    ] {
        refused(
            start().link(name, kind, "/etc/passwd").ended(),
            "which no exported file has",
        );
    }
    refused(Tarball::default().ended(), "it is no exported file");
    refused(
        Tarball::default().file(&sidecars, &sidecar).ended(),
        "does not begin with",
    );
    refused(
        start().file("bundle.json", &bundle).ended(),
        "`bundle.json` is in it twice",
    );
    refused(
        whole().bytes(&alice, regular, "", &archive).ended(),
        "is in it twice",
    );
    refused(
        start().bytes(&alice, regular, "", &archive).ended(),
        "without a sidecar",
    );
    refused(
        start().file(&sidecars, &sidecar).ended(),
        "without an archive",
    );
    refused(
        start()
            .file(&sidecars, "{")
            .bytes(&alice, regular, "", &archive)
            .ended(),
        "is not sound",
    );
    let mut rotten = archive.clone();
    let middle = rotten.len() / 2;
    rotten[middle] ^= 1;
    refused(
        start()
            .file(&sidecars, &sidecar)
            .bytes(&alice, regular, "", &rotten)
            .ended(),
        "is not sound",
    );
    let bobs = sidecar.replace("alice", "bob");
    refused(
        start()
            .file(&sidecars, &bobs)
            .bytes(&alice, regular, "", &archive)
            .ended(),
        "is not sound",
    );
    refused(
        Tarball::default().file("bundle.json", "{}").ended(),
        "it is no document of codex-manager",
    );
    let newer = bundle.replacen("\"format\": 1", "\"format\": 9", 1);
    refused(
        Tarball::default().file("bundle.json", &newer).ended(),
        "it is of form 9",
    );
    let long = "a".repeat(5000);
    refused(
        start()
            .entry("././@LongLink", EntryType::GNULongName, "", &long)
            .ended(),
        "longer than 4096 bytes",
    );
    // Cut between two entries, where nothing else would tell; and with something behind the end.
    let ended = whole().ended();
    refused(ended[..ended.len() - 1024].to_vec(), "its end is missing");
    refused([&ended[..], b"more"].concat(), "something follows its end");
    refused(
        b"not a tar archive at all".to_vec(),
        "it is no exported file",
    );
    // Whole it is taken in.
    assert_eq!(import(&ended).code(0).json()["mode"], "imported");
    let name = format!(".codex-manager/backups/{ALICE}.metadata.json");
    assert_eq!(two.read(&name), sidecar);
}

#[test]
fn what_inflates_without_end_is_refused() {
    use std::io::Write;
    let two = Env::new();
    let file = fs::File::create(two.path("bomb.tar.gz")).expect("creates");
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::best());
    let mut header = tar::Header::new_gnu();
    header.set_path(".codexmgr/notes").expect("a name");
    header.set_size(100 << 20);
    header.set_mode(0o600);
    header.set_cksum();
    gzip.write_all(header.as_bytes()).expect("writes");
    for _ in 0..100 {
        gzip.write_all(&vec![0; 1 << 20]).expect("writes");
    }
    gzip.write_all(&[0; 1024]).expect("writes");
    gzip.finish().expect("writes");
    let before = two.tree("");
    let ran = two.run(&["profile", "import", "bomb.tar.gz"]).code(13);
    assert!(
        ran.stderr
            .contains("it holds more than 200 times its own length"),
        "{}",
        ran.stderr
    );
    assert_eq!(two.tree(""), before);
}

/// As the tool itself exported it, from the home of somebody with another name.
#[test]
fn the_python_tools_file_is_taken_in() {
    let env = Env::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/export/python-1.0.0.tar.gz");
    fs::copy(&file, env.path("old.tar.gz")).expect("copies");
    let text = "\
imported  old.tar.gz

WHAT       NAME                                              DEED  WHY
inventory  legacy logins                                     add   1 of 1 records
snapshot   2026-04-14-155500-alice@example.com-codex.tar.gz  add   there is none of its name
snapshot   2026-04-14-155500-bob@example.com-codex.tar.gz    add   there is none of its name
";
    env.run(&["profile", "import", "old.tar.gz"])
        .code(0)
        .stdout(text)
        .stderr("");
    assert_eq!(
        env.files(".codex-manager"),
        [
            "backups/2026-04-14-155500-alice@example.com-codex.metadata.json",
            "backups/2026-04-14-155500-alice@example.com-codex.tar.gz",
            "backups/2026-04-14-155500-bob@example.com-codex.metadata.json",
            "backups/2026-04-14-155500-bob@example.com-codex.tar.gz",
            "inventory.json",
            "lock",
        ]
    );
    let ran = env.run(&["use", "bob@example.com", "--json"]).code(0);
    assert_eq!(ran.json()["auth_source"], "archive");
    fs::remove_file(env.path(".codex/auth.json")).expect("removes");
    let stands = env.tree(".codex-manager");
    let ran = env.run(&["profile", "import", "old.tar.gz"]).code(0);
    assert_eq!(
        ran.stdout,
        "unchanged  old.tar.gz\nkept       3 things, as here\n"
    );
    assert_eq!(env.tree(".codex-manager"), stands);
    // What the tool cannot have packed.
    for (name, kind) in [
        ("../escaped", EntryType::Regular),
        (".codexmgr/../../escaped", EntryType::Regular),
        ("/etc/escaped", EntryType::Regular),
        ("elsewhere/inventory.json", EntryType::Regular),
        (".codexmgr/backups/x", EntryType::Symlink),
        (".codexmgr/x", EntryType::Link),
    ] {
        let tarball = Tarball::default()
            .file(".codexmgr/inventory.json", "{\"records\":[]}")
            .entry(name, kind, "/etc/passwd", "");
        tarball.write(&env.path("old.tar.gz"));
        let ran = env.run(&["profile", "import", "old.tar.gz"]).code(13);
        assert!(
            ran.stderr.contains("which no exported file has"),
            "{}",
            ran.stderr
        );
        assert_eq!(env.tree(".codex-manager"), stands);
    }
    // What else lay there is left, and told.
    let tarball = Tarball::default()
        .file(".codexmgr/config.json", "{}")
        .file(".codexmgr/inventory.json", "{\"records\":[]}")
        .file(&format!(".codexmgr/backups/{ALICE}.tar.gz"), "x");
    tarball.write(&env.path("old.tar.gz"));
    let ran = env.run(&["profile", "import", "old.tar.gz"]).code(0);
    assert_eq!(
        ran.stderr,
        format!(
            "warning: `old.tar.gz` also holds `.codexmgr/config.json`; it is left out\nwarning: `old.tar.gz` also holds the \
             archive `backups/{ALICE}.tar.gz` without a sidecar; it is left out\n"
        )
    );
}

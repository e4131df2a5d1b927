//! What a snapshot is of: texts as of one moment while others write, and whatever is no plain file, named and never
//! waited for.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, mkfifoat, open, openat};
use serde_json::{Value, json};

use crate::common::{Env, Person, Ran, SECRET};
use crate::unprivileged::run_as_nobody;

const BACKUPS: &str = ".codex-manager/backups";
const BASE: &str = "2026-04-14-155500-alice@example.com-codex";
const FROM_FILE: [&str; 3] = ["backup", "--status-file", "status.txt"];
const RESET: &str = "15:55 on 21 Apr";

/// When the files of a home were written, where it is told exactly.
const MTIME: u64 = 1_776_169_500;

/// A world with alice signed in and her status at hand.
fn world() -> (Env, Person) {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, RESET));
    (env, alice)
}

fn archive(env: &Env) -> PathBuf {
    env.path(&format!("{BACKUPS}/{BASE}.tar.gz"))
}

/// What an archive holds; directories are left out.
fn inside(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let file = fs::File::open(archive).expect("opens");
    let mut tar = tar::Archive::new(flate2::read::MultiGzDecoder::new(file));
    let mut files = BTreeMap::new();
    for entry in tar.entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a path").display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("reads");
        if !entry.header().entry_type().is_dir() {
            files.insert(name, content);
        }
    }
    files
}

fn manifest(env: &Env) -> String {
    let inside = inside(&archive(env));
    let manifest = &inside[&format!("{BASE}.manifest.metadata.json")];
    String::from_utf8(manifest.clone()).expect("text")
}

/// What the manifest says of a file.
fn listed(env: &Env, path: &str) -> Value {
    let manifest: Value = serde_json::from_str(&manifest(env)).expect("JSON");
    let files = manifest["files"].as_array().expect("a list");
    let found = files.iter().find(|file| file["path"] == path);
    found.unwrap_or(&Value::Null).clone()
}

fn fifo(path: &Path) {
    mkfifoat(CWD, path, Mode::from_raw_mode(0o600)).expect("makes");
}

/// Does `work` while `change` is done again and again.
fn while_doing<R>(change: impl Fn(u64) + Sync, work: impl FnOnce() -> R) -> R {
    let (is_begun, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let changing = scope.spawn(|| {
            for count in 0.. {
                change(count);
                is_begun.store(true, Ordering::SeqCst);
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        while !is_begun.load(Ordering::SeqCst) && !changing.is_finished() {
            std::thread::yield_now();
        }
        // Also where it fails: else the other one never ends.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        is_over.store(true, Ordering::SeqCst);
        changing.join().expect("ends");
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Runs the program. Where it waits for somebody to write to one of the pipes, it is given up on.
fn run_beside(pipes: &[PathBuf], run: impl FnOnce() -> Ran) -> Ran {
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let watch = scope.spawn(move || {
            let mut patience = Duration::from_secs(30);
            while is_done.recv_timeout(patience).is_err() {
                // Opened and closed for writing they end for who reads.
                for pipe in pipes {
                    drop(open(pipe, OFlags::RDWR | OFlags::NONBLOCK, Mode::empty()));
                }
                patience = Duration::from_millis(10);
            }
            patience > Duration::from_secs(1)
        });
        let ran = run();
        let _ = done.send(());
        assert!(watch.join().expect("ends"), "it waited for a pipe");
        ran
    })
}

#[test]
fn the_manifest_of_a_home_as_a_whole() {
    let (env, alice) = world();
    let program = env.write(".codex/skills/mine/run", "#!/bin/sh\n");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("sets");
    env.write(
        ".codex/history.jsonl",
        "{\"text\":\"hello\"}\n{\"text\":\"wor",
    );
    env.write(".codex/AGENTS.md", "");
    env.write(".codex/text.sqlite", "no database");
    let database = rusqlite::Connection::open(env.path(".codex/state_5.sqlite")).expect("opens");
    database
        .execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES (1);")
        .expect("runs");
    drop(database);
    symlink("/nowhere", env.path(".codex/memories")).expect("links");
    let mtime = SystemTime::UNIX_EPOCH + Duration::from_secs(MTIME);
    for below in [
        "AGENTS.md",
        "auth.json",
        "config.toml",
        "history.jsonl",
        "installation_id",
        "sessions",
        "sessions/2026",
        "sessions/2026/04",
        "sessions/2026/04/14",
        "skills",
        "skills/mine",
        "sessions/2026/04/14/rollout-1.jsonl",
        "skills/mine/run",
        "state_5.sqlite",
        "text.sqlite",
    ] {
        let path = env.path(&format!(".codex/{below}"));
        let file = fs::File::open(path).expect("opens");
        file.set_modified(mtime).expect("sets");
    }
    env.run(&FROM_FILE).code(3).stderr(
        "warning: text.sqlite: captured as its files lie: it is no database that this program knows\nwarning: not \
         captured: memories: it is a link, which is not followed\n",
    );
    let database = inside(&archive(&env))["state_5.sqlite"].clone();
    assert!(!database.is_empty());
    let file = |path: &str, kind: &str, mode: &str, content: &[u8]| {
        format!(
            "{{\"path\":\"{path}\",\"kind\":\"{kind}\",\"size\":{},\"mode\":\"{mode}\",\"mtime\":{MTIME},\"blake3\":\"{}\"}}",
            content.len(),
            blake3::hash(content).to_hex()
        )
    };
    let dir = |path: &str| {
        format!(
            "{{\"path\":\"{path}\",\"kind\":\"dir\",\"size\":0,\"mode\":\"0700\",\"mtime\":{MTIME}}}"
        )
    };
    let plain = |path: &str, content: &str| file(path, "plain", "0600", content.as_bytes());
    let files = [
        plain("AGENTS.md", ""),
        plain("auth.json", &alice.auth_json()),
        plain("config.toml", "model = \"made-up\"\n"),
        file(
            "history.jsonl",
            "jsonl-cut",
            "0600",
            b"{\"text\":\"hello\"}\n",
        ),
        plain("installation_id", "3f6c\n"),
        dir("sessions"),
        dir("sessions/2026"),
        dir("sessions/2026/04"),
        dir("sessions/2026/04/14"),
        plain(
            "sessions/2026/04/14/rollout-1.jsonl",
            "{\"type\":\"session_meta\"}\n",
        ),
        dir("skills"),
        dir("skills/mine"),
        file("skills/mine/run", "plain", "0700", b"#!/bin/sh\n"),
        file("state_5.sqlite", "sqlite-copy", "0600", &database),
        file("text.sqlite", "raw", "0600", b"no database"),
    ];
    let manifest = manifest(&env);
    assert_eq!(
        manifest,
        format!(
            "{{\"schema_version\":1,\n\"account\":{{\"email\":\"alice@example.com\",\"user_id\":\"user-alice\",\
             \"account_id\":\"ws-alice\"}},\n\"files\":[\n{}],\n\"not_captured\":[\n{{\"path\":\"memories\",\
             \"kind\":\"symlink\",\"cause\":\"kind\",\"reason\":\"it is a link, which is not followed\",\
             \"target\":\"/nowhere\"}}]}}\n",
            files.join(",\n")
        )
    );
    assert!(!manifest.contains(SECRET));
}

#[test]
fn odd_files_are_named_and_never_waited_for() {
    let (env, _) = world();
    let codex = env.path(".codex");
    // A setting kept elsewhere, and links of every other kind.
    env.write("dotfiles/AGENTS.md", "be brief\n");
    env.write("dotfiles/skill/SKILL.md", "x");
    symlink("../dotfiles/AGENTS.md", codex.join("AGENTS.md")).expect("links");
    symlink("../dotfiles", codex.join("to-dir")).expect("links");
    symlink("nowhere", codex.join("dangling")).expect("links");
    symlink("loop", codex.join("loop")).expect("links");
    symlink("/dev/zero", codex.join("to-device")).expect("links");
    symlink("pipe", codex.join("to-pipe")).expect("links");
    symlink("../../dotfiles/skill", codex.join("sessions/linked")).expect("links");
    let _sockets = ["ipc", "sessions/agent.sock"]
        .map(|name| UnixListener::bind(codex.join(name)).expect("binds"));
    // Also where whoever looks for a database or a hint would open one.
    let pipes = [
        "pipe",
        "x.sqlite",
        "x.jsonl",
        "sessions/2026/04/14/rollout-2026-04-14T10-00-00-x.jsonl",
    ]
    .map(|name| codex.join(name));
    for pipe in &pipes {
        fifo(pipe);
    }
    let link = |path: &str, target: &str| {
        json!({
            "path": path, "kind": "symlink", "cause": "kind", "reason": "it is a link, which is not followed",
            "target": target,
        })
    };
    let odd = |path: &str, kind: &str, reason: &str| json!({"path": path, "kind": kind, "cause": "kind", "reason": reason});
    let expected = [
        link("dangling", "nowhere"),
        odd("ipc", "socket", "it is a socket"),
        link("loop", "loop"),
        odd("pipe", "fifo", "it is a named pipe"),
        odd(
            "sessions/2026/04/14/rollout-2026-04-14T10-00-00-x.jsonl",
            "fifo",
            "it is a named pipe",
        ),
        odd("sessions/agent.sock", "socket", "it is a socket"),
        link("sessions/linked", "../../dotfiles/skill"),
        link("to-device", "/dev/zero"),
        link("to-dir", "../dotfiles"),
        link("to-pipe", "pipe"),
        odd("x.jsonl", "fifo", "it is a named pipe"),
        odd("x.sqlite", "fifo", "it is a named pipe"),
    ];
    let warnings = [
        "dangling",
        "loop",
        "sessions/linked",
        "to-device",
        "to-dir",
        "to-pipe",
    ]
    .map(|path| format!("warning: not captured: {path}: it is a link, which is not followed\n"))
    .concat();
    let absent = "absent    12: dangling, ipc, loop, pipe, sessions/2026/04/14/rollout-2026-04-14T10-00-00-x.jsonl, …\n";
    let ran = run_beside(&pipes, || env.run(&FROM_FILE)).code(0);
    assert!(ran.stdout.ends_with(absent), "{}", ran.stdout);
    ran.stderr(&warnings);
    let document: Value = serde_json::from_str(&manifest(&env)).expect("JSON");
    assert_eq!(document["not_captured"], json!(expected));
    assert_eq!(inside(&archive(&env))["AGENTS.md"], b"be brief\n");
    let lines: Vec<String> = expected
        .iter()
        .map(|one| {
            let (path, reason) = (one["path"].as_str(), one["reason"].as_str());
            format!("{}: {}", path.expect("text"), reason.expect("text"))
        })
        .collect();
    let sidecar: Value =
        serde_json::from_str(&env.read(&format!("{BACKUPS}/{BASE}.metadata.json"))).expect("JSON");
    assert_eq!(sidecar["not_captured"], json!(lines));
    // What has nothing in it is told to those who want to know all.
    let ran = run_beside(&pipes, || {
        env.run(&["-v", "backup", "--offline", "--dry-run"])
    })
    .code(0);
    assert!(ran.stderr.contains("\nnot captured: ipc: it is a socket\n"));
    assert!(
        ran.stderr
            .contains("\nnot captured: pipe: it is a named pipe\n")
    );
    let ran = run_beside(&pipes, || env.run(&["backup", "--offline", "--json"])).code(0);
    assert_eq!(ran.json()["snapshot"]["not_captured"], json!(lines));
    // A restore leaves all of them where they are.
    run_beside(&pipes, || env.run(&["restore", BASE, "--yes"])).code(0);
    for name in ["dangling", "loop", "to-device", "to-dir", "sessions/linked"] {
        assert!(codex.join(name).is_symlink(), "{name}");
    }
    for pipe in &pipes {
        assert!(fs::symlink_metadata(pipe).is_ok(), "{}", pipe.display());
    }
}

#[test]
fn a_login_that_is_a_pipe_is_refused_at_once() {
    let (env, _) = world();
    let pipe = env.path(".codex/auth.json");
    fs::remove_file(&pipe).expect("removes");
    fifo(&pipe);
    run_beside(&[pipe], || env.run(&FROM_FILE))
        .code(1)
        .stdout("")
        .stderr(
            "error: cannot read `~/.codex/auth.json`: it is no regular file\nhint: the system's own message says why; \
             mend it and run the command again\n",
        );
}

/// Path and content of all files below, and which of them are one file.
fn tree(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u64)> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let listing = fs::read_dir(path).expect("lists");
            open.extend(listing.map(|entry| entry.expect("an entry").path()));
        } else {
            let content = fs::read(&path).expect("reads");
            let inode = fs::metadata(&path).expect("stands").ino();
            let below = path.strip_prefix(dir).expect("below").to_owned();
            found.insert(below, (content, inode));
        }
    }
    found
}

#[test]
fn long_and_quoted_names_empty_sparse_and_linked_files_come_back() {
    let (env, _) = world();
    for below in ["tmp", "packages"] {
        fs::remove_dir_all(env.path(&format!(".codex/{below}"))).expect("removes");
    }
    fs::remove_file(env.path(".codex/auth.lock")).expect("removes");
    let part = |letter: &str, length: usize| letter.repeat(length);
    let deep = [part("d", 255).as_str(); 14].join("/");
    let names = [
        part("a", 99),
        part("b", 100),
        part("c", 101),
        part("e", 255),
        format!("{}/{}", part("f", 50), part("g", 49)),
        format!("{}/{}", part("f", 50), part("g", 50)),
        format!("{deep}/{}", part("h", 255)),
        "größe in 日本語".to_owned(),
        "it's \"quoted\" and spaced.md".to_owned(),
        "-rf *.md".to_owned(),
        "$(HOME)`x`".to_owned(),
    ];
    for name in &names {
        env.write(&format!(".codex/{name}"), name);
    }
    env.write(".codex/empty", "");
    env.write(".codex/empty.jsonl", "");
    env.write(".codex/one", "shared");
    fs::hard_link(env.path(".codex/one"), env.path(".codex/two")).expect("links");
    let sparse = fs::File::create(env.path(".codex/sparse")).expect("makes");
    sparse.set_len(24 << 20).expect("grows");
    sparse.write_all_at(b"end", (24 << 20) - 3).expect("writes");
    env.run(&FROM_FILE).code(0).stderr("");
    env.run(&["list-backups", "--verify"]).code(0).stderr("");
    env.run(&["restore", BASE, "--dest-dir", "new", "--yes"])
        .code(0)
        .stderr("");
    let (home, new) = (tree(&env.path(".codex")), tree(&env.path("new")));
    assert_eq!(home.len(), new.len());
    for (path, (content, _)) in &home {
        assert!(&new[path].0 == content, "{}", path.display());
    }
    let inode = |tree: &BTreeMap<PathBuf, (Vec<u8>, u64)>, name: &str| tree[Path::new(name)].1;
    assert_eq!(inode(&home, "one"), inode(&home, "two"));
    assert_ne!(inode(&new, "one"), inode(&new, "two"));
    assert_eq!(listed(&env, "sparse")["size"], 24 << 20);
    assert_eq!(listed(&env, "two")["blake3"], listed(&env, "one")["blake3"]);
    assert_eq!(listed(&env, "empty.jsonl")["kind"], "plain");
}

/// A path that no program can name as a whole, though each step of it can be taken.
#[test]
fn what_lies_too_deep_is_named() {
    let (env, _) = world();
    let mut dir = open(env.path(".codex"), OFlags::DIRECTORY, Mode::empty()).expect("opens");
    let mut names = vec!["d".repeat(255); 15];
    // With the home before it, it is longer than the 4096 bytes that an archive can hold.
    names.push("e".repeat(239));
    for name in &names {
        mkdirat(&dir, name, Mode::RWXU).expect("makes");
        dir = openat(&dir, name, OFlags::DIRECTORY, Mode::empty()).expect("opens");
    }
    let ran = env.run(&FROM_FILE).code(3);
    let deep = names.join("/");
    assert_eq!(
        ran.stderr,
        format!("warning: not captured: {deep}: file name too long\n")
    );
    let document: Value = serde_json::from_str(&manifest(&env)).expect("JSON");
    assert_eq!(
        document["not_captured"],
        json!([{"path": deep, "kind": "dir", "cause": "error", "reason": "file name too long"}])
    );
}

#[test]
fn what_cannot_be_named_or_read_is_told_and_stays_at_a_restore() {
    use std::os::unix::ffi::OsStrExt;
    let (env, _) = world();
    let codex = env.path(".codex");
    for name in [
        "a: b",
        "two\nlines",
        "tail.",
        "CONFIG.toml",
        "secret",
        "locked/x",
    ] {
        env.write(&format!(".codex/{name}"), name);
    }
    let bad = codex.join(std::ffi::OsStr::from_bytes(b"bad\xff: \\"));
    fs::write(&bad, "x").expect("writes");
    fs::set_permissions(codex.join("secret"), fs::Permissions::from_mode(0o000)).expect("sets");
    fs::set_permissions(codex.join("locked"), fs::Permissions::from_mode(0o000)).expect("sets");
    let mut command = env.command(&FROM_FILE);
    run_as_nobody(&env, &mut command);
    let ran = env.ran(&mut command, &FROM_FILE).code(3);
    let named = [
        (
            "a:\\u{20}b",
            "its name holds a colon, which names a drive or a stream on Windows",
        ),
        ("bad\\xff:\\u{20}\\\\", "its name is not UTF-8"),
        ("config.toml", "another name differs from it only by case"),
        ("locked", "permission denied"),
        ("secret", "permission denied"),
        (
            "tail.",
            "a part of its name ends in a dot or a space, which Windows drops",
        ),
        ("two\\nlines", "its name holds a control character"),
    ];
    let warnings = named.map(|(path, why)| format!("warning: not captured: {path}: {why}\n"));
    assert_eq!(ran.stderr, warnings.concat());
    let document: Value = serde_json::from_str(&manifest(&env)).expect("JSON");
    let absent = document["not_captured"].as_array().expect("a list").iter();
    let absent: Vec<(&str, &str)> = absent
        .map(|one| {
            (
                one["path"].as_str().expect("text"),
                one["cause"].as_str().expect("text"),
            )
        })
        .collect();
    assert_eq!(
        absent,
        [
            ("a: b", "name"),
            ("bad\\xff: \\\\", "name"),
            ("config.toml", "name"),
            ("locked", "error"),
            ("secret", "error"),
            ("tail.", "name"),
            ("two\\nlines", "name"),
        ]
    );
    // Readable by now, and more besides: what was there and not captured stays, what was not there goes.
    for name in ["secret", "locked"] {
        fs::set_permissions(codex.join(name), fs::Permissions::from_mode(0o700)).expect("sets");
    }
    for name in ["a", "two", "locked/y"] {
        env.write(&format!(".codex/{name}"), "new");
    }
    let mut command = env.command(&["restore", BASE, "--yes", "--no-safety-backup"]);
    run_as_nobody(&env, &mut command);
    env.ran(&mut command, &["restore"]).code(0).stderr("");
    for (name, stays) in [
        ("a", false),
        ("two", false),
        ("a: b", true),
        ("two\nlines", true),
        ("tail.", true),
        ("secret", true),
        ("locked/x", true),
        ("locked/y", true),
    ] {
        assert_eq!(codex.join(name).exists(), stays, "{name}");
    }
    assert!(bad.exists());
}

/// A line that says its number, so that a prefix is known by its last one.
fn line(number: u64) -> String {
    format!(
        "{{\"number\":{number},\"text\":\"{}\"}}\n",
        "word ".repeat(20)
    )
}

#[test]
fn a_text_that_is_appended_to_in_pieces_is_whole_lines_each_time() {
    let (env, _) = world();
    let path = ".codex/sessions/2026/04/15/rollout-2.jsonl";
    let name = path.strip_prefix(".codex/").expect("below");
    // Long enough to have members of its own.
    let old: String = (0..3000).map(line).collect();
    env.write(path, &old);
    let writer = fs::File::options()
        .append(true)
        .open(env.path(path))
        .expect("opens");
    let append = |count: u64| {
        for piece in line(3000 + count).as_bytes().chunks(50) {
            (&writer).write_all(piece).expect("writes");
            std::thread::sleep(Duration::from_micros(300));
        }
    };
    let mut cuts = 0;
    while_doing(append, || {
        for _ in 0..20 {
            let before = fs::read(env.path(path)).expect("reads");
            env.run(&[&FROM_FILE[..], &["--force"]].concat())
                .code(0)
                .stderr("");
            let copy = inside(&archive(&env)).remove(name).expect("captured");
            let now = fs::read(env.path(path)).expect("reads");
            assert!(
                now.starts_with(&copy),
                "it is no beginning of what was written"
            );
            assert_eq!(copy.last(), Some(&b'\n'));
            let whole = before
                .iter()
                .rposition(|byte| *byte == b'\n')
                .expect("a line");
            assert!(copy.len() > whole, "whole lines are missing");
            let said = listed(&env, name);
            assert_eq!(said["size"], copy.len());
            cuts += usize::from(said["kind"] == "jsonl-cut");
        }
    });
    assert!(cuts > 0, "no line was cut");
}

/// Between the two stand files of which each takes a while to be looked at.
#[test]
fn texts_are_of_one_moment() {
    let (env, _) = world();
    let first = env.write(".codex/a.jsonl", "");
    for number in 0..2000 {
        env.write(&format!(".codex/b/{number}.txt"), "x");
    }
    let last = env.write(".codex/z.jsonl", "");
    let files = [&first, &last].map(|path| {
        let options = fs::File::options().append(true).open(path);
        options.expect("opens")
    });
    let append = |count: u64| {
        for mut file in &files {
            file.write_all(line(count).as_bytes()).expect("writes");
        }
        std::thread::sleep(Duration::from_micros(100));
    };
    let apart = while_doing(append, || {
        let apart = |_| {
            env.run(&[&FROM_FILE[..], &["--force"]].concat())
                .code(0)
                .stderr("");
            let inside = inside(&archive(&env));
            let lines = |name: &str| memchr::memchr_iter(b'\n', &inside[name]).count();
            lines("a.jsonl").abs_diff(lines("z.jsonl"))
        };
        (0..6).map(apart).min()
    });
    assert!(apart <= Some(2), "{apart:?} lines lie between them");
}

#[test]
fn a_login_that_is_rewritten_all_the_time_is_whole_or_refused() {
    let (env, alice) = world();
    let path = env.path(".codex/auth.json");
    let logins = [
        "2026-04-14T12:25:00.431097103Z",
        "2026-04-15T12:25:00.431097103Z",
    ]
    .map(|when| {
        let person = Person {
            last_refresh: when.to_owned(),
            ..alice.clone()
        };
        person.auth_json()
    });
    // As Codex up to 0.166 does, only slower.
    let rewrite = |count: u64| {
        let login = &logins[usize::from(count % 2 == 1)];
        let file = fs::File::create(&path).expect("empties");
        for (place, piece) in login.as_bytes().chunks(400).enumerate() {
            std::thread::sleep(Duration::from_millis(2));
            file.write_all_at(piece, place as u64 * 400)
                .expect("writes");
        }
        std::thread::sleep(Duration::from_millis(7));
    };
    let (mut whole, mut refused) = (0, 0);
    while_doing(rewrite, || {
        for _ in 0..20 {
            let ran = env.run(&[&FROM_FILE[..], &["--force"]].concat());
            if ran.code == Some(0) {
                let login = inside(&archive(&env))
                    .remove("auth.json")
                    .expect("captured");
                assert!(
                    logins.iter().any(|one| one.as_bytes() == login),
                    "it is torn"
                );
                whole += 1;
                continue;
            }
            let ran = ran.code(1).stdout("");
            let is_clear = ran
                .stderr
                .starts_with("error: cannot tell whose login `~/.codex/auth.json` is: it ");
            assert!(is_clear, "{}", ran.stderr);
            refused += 1;
        }
    });
    assert!(whole > 0, "{refused} of 20 were refused");
}

#[test]
fn files_that_change_all_the_time_are_captured_as_read_last_and_told() {
    let (env, _) = world();
    // One of them has members of its own.
    let files = [("large.bin", 3 << 20), ("small.bin", 100 << 10)];
    let open = |(name, length): (&str, usize)| {
        let file = fs::File::create(env.path(&format!(".codex/{name}"))).expect("makes");
        file.set_len(length as u64).expect("grows");
        file
    };
    let writers = files.map(open);
    let rewrite = |count: u64| {
        for (writer, (_, length)) in writers.iter().zip(files) {
            for place in [0, length as u64 - 1] {
                writer
                    .write_all_at(&count.to_le_bytes()[..1], place)
                    .expect("writes");
            }
        }
    };
    let told = |name: &str| {
        format!("warning: `{name}` changed each time it was read: captured as it was read last\n")
    };
    let mut waited_for = vec!["large.bin", "small.bin"];
    while_doing(rewrite, || {
        // A writer that is kept from running for long cannot be told from one that is done.
        for _ in 0..60 {
            let ran = env.run(&[&FROM_FILE[..], &["--force"]].concat());
            let are_told = files.map(|(name, _)| ran.stderr.contains(&told(name)));
            assert_eq!(ran.code, Some(if are_told.contains(&true) { 3 } else { 0 }));
            let inside = inside(&archive(&env));
            for ((name, length), is_told) in files.into_iter().zip(are_told) {
                let content = &inside[name];
                let kind = if is_told { "raw" } else { "plain" };
                let said = listed(&env, name);
                assert_eq!(content.len(), length);
                assert_eq!(
                    (said["kind"].as_str(), said["blake3"].as_str()),
                    (Some(kind), Some(&*blake3::hash(content).to_hex()))
                );
                waited_for.retain(|waited| !is_told || *waited != name);
            }
            if waited_for.is_empty() {
                break;
            }
        }
    });
    assert!(waited_for.is_empty(), "never told: {waited_for:?}");
    env.run(&["list-backups", "--verify"]).code(0).stderr("");
}

//! Plans of small homes: what is captured, what is left out, what is named as absent.

use super::*;
use crate::error::Kind;

fn home(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for file in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
        fs::write(path, file).expect("writes");
    }
    dir
}

fn planned(dir: &Path, exclude: &[String]) -> Plan {
    let wanted = Wanted {
        auth_json: Some(b"{}"),
        email: Some("alice@example.com"),
        parts: crate::codex::parts::Parts::ALL,
        include_tmp: false,
        exclude,
        own_dirs: &[dir.join("my-backups")],
    };
    plan(dir, &wanted).expect("plans")
}

fn paths(plan: &Plan) -> Vec<&str> {
    plan.entries
        .iter()
        .map(|entry| entry.path.as_str())
        .collect()
}

#[test]
fn what_lasts_is_captured_by_path_and_what_passes_is_not() {
    let dir = home(&[
        "auth.json",
        "config.toml",
        "sessions/2026/a.jsonl",
        "tmp/x",
        "packages/big",
        "auth.lock",
        "21apr_alice@example.com_auth.json",
        "22apr_bob@example.com_auth.json",
        "skills/.system/s",
        "skills/mine/s",
        "my-backups/old.tar.gz",
    ]);
    let plan = planned(dir.path(), &[]);
    assert_eq!(
        paths(&plan),
        [
            "21apr_alice@example.com_auth.json",
            "auth.json",
            "config.toml",
            "sessions",
            "sessions/2026",
            "sessions/2026/a.jsonl",
            "skills",
            "skills/mine",
            "skills/mine/s"
        ]
    );
    assert_eq!(
        plan.top_level(),
        [
            "21apr_alice@example.com_auth.json",
            "auth.json",
            "config.toml",
            "sessions/",
            "skills/"
        ]
    );
    assert_eq!((plan.file_count(), plan.absent.len()), (5, 0));
}

#[test]
fn patterns_leave_out_and_bad_ones_are_refused() {
    let dir = home(&["auth.json", "sessions/2026/a.jsonl", "config.toml"]);
    assert_eq!(
        paths(&planned(dir.path(), &["sessions".to_owned()])),
        ["auth.json", "config.toml"]
    );
    let plan = planned(dir.path(), &["**/*.jsonl".to_owned()]);
    assert_eq!(
        paths(&plan),
        ["auth.json", "config.toml", "sessions", "sessions/2026"]
    );
    assert_eq!(
        patterns(&["[".to_owned()]).expect_err("refused").kind(),
        Kind::Usage
    );
}

#[cfg(unix)]
fn os(name: &[u8]) -> &OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(name)
}

/// Path, kind, cause, reason and target of all that is absent.
#[cfg(unix)]
fn absent(plan: &Plan) -> Vec<(&str, What, Cause, &str, Option<&str>)> {
    let absent = plan.absent.iter();
    absent
        .map(|one| {
            let target = one.target.as_deref();
            (&*one.path, one.kind, one.cause, &*one.reason, target)
        })
        .collect()
}

#[cfg(unix)]
#[test]
fn what_is_no_file_or_cannot_be_named_is_absent_by_name_and_reason() {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    let dir = home(&[
        "auth.json",
        "elsewhere.toml",
        "skills/mine/s",
        "Case",
        "case",
        "twin/a",
        "TWIN",
        "a: b",
        "con",
        "two\nlines",
        "x.metadata.json",
    ]);
    let at = |name: &str| dir.path().join(name);
    symlink("elsewhere.toml", at("config.toml")).expect("links");
    symlink("/etc", at("memories")).expect("links");
    symlink("nowhere", at("AGENTS.md")).expect("links");
    symlink("loop", at("loop")).expect("links");
    symlink("/dev/null", at("null")).expect("links");
    symlink("../../elsewhere.toml", at("skills/mine/linked")).expect("links");
    symlink(os(b"dir\xff"), at("to-bad")).expect("links");
    fs::write(dir.path().join(os(b"bad\xff")), "x").expect("writes");
    fs::create_dir(dir.path().join(os(b"dir\xff"))).expect("makes");
    fs::write(dir.path().join(os(b"dir\xff/inside")), "x").expect("writes");
    let _listeners =
        ["control", "skills/mine/x.sock"].map(|name| UnixListener::bind(at(name)).expect("binds"));
    rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), 0o600.into()).expect("makes");
    rustix::fs::mkfifoat(rustix::fs::CWD, at("x.sqlite"), 0o600.into()).expect("makes");
    let plan = planned(dir.path(), &[]);
    assert_eq!(
        paths(&plan),
        [
            "Case",
            "TWIN",
            "auth.json",
            "config.toml",
            "elsewhere.toml",
            "skills",
            "skills/mine",
            "skills/mine/s"
        ]
    );
    let not_utf8 = "its name is not UTF-8";
    let colon = "its name holds a colon, which names a drive or a stream on Windows";
    let device = "a part of its name is a device on Windows";
    let control = "its name holds a control character";
    let link = |path, target| (path, What::Symlink, Cause::Kind, IS_A_LINK, Some(target));
    let named = |path, what, reason| (path, what, Cause::Name, reason, None);
    let odd = |path, what, reason| (path, what, Cause::Kind, reason, None);
    assert_eq!(
        absent(&plan),
        [
            link("AGENTS.md", "nowhere"),
            named("a: b", What::File, colon),
            named("bad\\xff", What::File, not_utf8),
            named("case", What::File, IS_A_TWIN),
            named("con", What::File, device),
            odd("control", What::Socket, IS_A_SOCKET),
            named("dir\\xff", What::Dir, not_utf8),
            link("loop", "loop"),
            link("memories", "/etc"),
            link("null", "/dev/null"),
            odd("pipe", What::Fifo, IS_A_FIFO),
            link("skills/mine/linked", "../../elsewhere.toml"),
            odd("skills/mine/x.sock", What::Socket, IS_A_SOCKET),
            link("to-bad", "dir\\xff"),
            named("twin", What::Dir, IS_A_TWIN),
            named("two\\nlines", What::File, control),
            named("x.metadata.json", What::File, IS_OURS),
            odd("x.sqlite", What::Fifo, IS_A_FIFO),
        ]
    );
    assert_eq!((plan.left_out.len(), plan.unseen()), (0, None));
    let lines = plan.not_captured();
    assert_eq!(lines[1], format!("a:\\u{{20}}b: {colon}"));
    assert_eq!(lines[15], format!("two\\nlines: {control}"));
    // A pattern silences what cannot be named, too.
    let plan = planned(dir.path(), &["*d*".to_owned()]);
    assert!(!absent(&plan).iter().any(|one| one.0.contains('d')));
}

#[cfg(unix)]
#[test]
fn devices_are_told_from_files() {
    let kind = |path: &str| fs::metadata(path).expect("stands").file_type();
    assert_eq!(what_is(kind("/dev/null")), What::Device);
    assert_eq!(what_is(kind("/")), What::Dir);
}

#[test]
fn the_moment_is_when_lengths_are_looked_at_last() {
    let dir = home(&["auth.json", "history.jsonl", "config.toml", "gone.jsonl"]);
    let mut plan = planned(dir.path(), &[]);
    let before = plan.entries.clone();
    fs::write(dir.path().join("history.jsonl"), "longer than it was").expect("writes");
    fs::write(dir.path().join("config.toml"), "longer than it was").expect("writes");
    fs::write(dir.path().join("new.jsonl"), "x").expect("writes");
    fs::remove_file(dir.path().join("gone.jsonl")).expect("removes");
    at_this_moment(&mut plan.entries);
    let size = |plan: &[Entry], path: &str| {
        let entry = plan.iter().find(|entry| entry.path == path);
        entry.map(Entry::size)
    };
    assert_eq!(size(&before, "history.jsonl"), Some(13));
    assert_eq!(size(&plan.entries, "history.jsonl"), Some(18));
    assert_eq!(size(&plan.entries, "config.toml"), Some(11));
    assert_eq!(size(&plan.entries, "gone.jsonl"), Some(10));
    assert_eq!(size(&plan.entries, "new.jsonl"), None);
}

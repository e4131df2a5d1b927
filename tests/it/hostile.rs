//! Archives made to do harm, and damaged ones: each is refused by `restore` and named by `list-backups --verify`, and
//! nothing anywhere is written, moved or made.

mod damage;
mod left;
mod limits;
mod members;
mod raw;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::{Env, Person, Ran};
use crate::worlds::prints;
use raw::{Raw, gnu, gzip, ustar};

const BACKUPS: &str = ".codex-manager/backups";
const BASE: &str = "2026-04-14-155500-alice@example.com-codex";
const HINT: &str =
    "use another backup; `codex-manager list-backups --verify` tells which are whole";
const CHOOSE: &str =
    "choose another one: `codex-manager list-backups --verify` tells which are sound";

/// What stands beside an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    /// A sidecar of this program's, which vouches for the very bytes.
    Ours,
    /// A sidecar as the older tool writes it, which vouches for nothing.
    Foreign,
    /// Nothing: it is lost.
    Nothing,
}

/// Where bob is signed in, with his own things, and a secret lies beside.
fn world() -> Env {
    let env = Env::new();
    env.codex_home(&Person::named("bob"));
    env.write("outside/secret", "kept\n");
    fs::create_dir_all(env.path(BACKUPS)).expect("makes");
    env
}

fn alice() -> String {
    Person::named("alice").auth_json()
}

fn hash(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let digits: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

fn sidecar(archive: &[u8], changes: &Value) -> Value {
    let mut sidecar = json!({
        "product": "codex",
        "schema_version": 1,
        "email": "alice@example.com",
        "user_id": "user-alice",
        "account_id": "ws-alice",
        "created_at": "2026-04-14T15:55:00+05:30",
        "archive_size_bytes": archive.len(),
        "archive_sha256": hash(archive),
    });
    for (key, value) in changes.as_object().expect("an object") {
        sidecar[key] = value.clone();
    }
    sidecar
}

/// Puts the archive where snapshots are kept, and beside it what is asked for.
fn put(env: &Env, base: &str, archive: &[u8], beside: Beside) {
    fs::write(env.path(&format!("{BACKUPS}/{base}.tar.gz")), archive).expect("writes");
    let below = format!("{BACKUPS}/{base}.metadata.json");
    match beside {
        Beside::Ours => {
            env.write(&below, &sidecar(archive, &json!({})).to_string());
        }
        Beside::Foreign => {
            env.write(&below, r#"{"product":"codex","email":"alice@example.com"}"#);
        }
        Beside::Nothing => {
            let _ = fs::remove_file(env.path(&below));
        }
    }
}

/// Everything in the world, above and beside HOME too.
fn all(env: &Env) -> Vec<(String, Vec<u8>, std::time::SystemTime, u32)> {
    prints(&env.beside_home(""))
}

/// Both commands refuse what was [`put`], in one line and a hint, and leave everything as it was.
#[track_caller]
fn refused(env: &Env, what: &str) -> Ran {
    let before = all(env);
    let listed = env.run(&["list-backups", "--verify"]).code(3);
    assert!(
        listed.stdout.contains("damaged"),
        "{what}: {}",
        listed.stdout
    );
    let ran = env.run(&["restore", BASE, "--yes"]).stdout("");
    assert_eq!(ran.code, Some(13), "{what}: {}", ran.stderr);
    // That it has no sidecar is told before.
    let mut lines = ran.stderr.lines();
    let error = lines.find(|line| !line.starts_with("warning: "));
    let error = error.unwrap_or_default();
    assert_eq!(lines.count(), 1, "{what}: {}", ran.stderr);
    let warning = listed.stderr.lines().last().unwrap_or_default();
    assert_eq!(
        error.strip_prefix("error: "),
        warning.strip_prefix("warning: "),
        "{what}"
    );
    assert!(
        !ran.stderr.contains(['\u{1b}', '\u{7}', '\r']),
        "{what}: {:?}",
        ran.stderr
    );
    assert!(all(env) == before, "{what}: something changed");
    ran
}

/// [`refused`] for exactly this reason.
#[track_caller]
fn refused_as(env: &Env, what: &str, reason: &str) {
    refused(env, what).stderr(&format!(
        "error: `~/{BACKUPS}/{BASE}.tar.gz` is damaged or unsafe: {reason}\nhint: {HINT}\n"
    ));
}

/// The files that any reader finds in the archive, but for descriptions; None where it cannot be read.
fn content(archive: &[u8]) -> Option<BTreeMap<String, Vec<u8>>> {
    let mut tar = Vec::new();
    MultiGzDecoder::new(archive).read_to_end(&mut tar).ok()?;
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(tar.as_slice()).entries().ok()? {
        let mut entry = entry.ok()?;
        let path = entry.path().ok()?.to_str()?.to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).ok()?;
        if entry.header().entry_type().is_file() && !path.ends_with(".metadata.json") {
            files.insert(path, content);
        }
    }
    Some(files)
}

/// What was [`put`] is refused, or it is restored as any reader takes it.
#[track_caller]
fn refused_or_equal(env: &Env, what: &str, archive: &[u8]) -> bool {
    let before = all(env);
    let args = ["restore", BASE, "--yes", "--dest-dir", "fresh"];
    let ran = env.run(&args);
    if ran.code == Some(13) {
        assert!(all(env) == before, "{what}: something changed");
        return false;
    }
    assert_eq!(ran.code, Some(0), "{what}: {}", ran.stderr);
    let restored: BTreeMap<String, Vec<u8>> = files_below(&env.path("fresh"));
    assert_eq!(Some(restored), content(archive), "{what}");
    fs::remove_dir_all(env.path("fresh")).expect("removes");
    true
}

fn files_below(dir: &std::path::Path) -> BTreeMap<String, Vec<u8>> {
    let files = prints(dir).into_iter().filter_map(|(path, bytes, ..)| {
        let below = PathBuf::from(path);
        let name = below.strip_prefix(dir).expect("below").to_str()?.to_owned();
        below.is_file().then_some((name, bytes))
    });
    files.collect()
}

/// A home as any archive of these tests begins.
fn home() -> Raw {
    Raw::default()
        .file("auth.json", alice().as_bytes())
        .dir("sessions")
}

#[test]
fn what_is_sound_is_restored_so_that_refusals_mean_something() {
    let env = world();
    let mut locked = gnu(b'5', b"locked", 0);
    locked.set_mode(0);
    locked.set_uid(12_345);
    let archive = gzip(
        &Raw::default()
            .mode("auth.json", alice().as_bytes(), 0o666)
            .file("sessions/1.jsonl", b"{}\n")
            .mode("bin/run", b"#!/bin/sh\n", 0o6777)
            .raw(&locked, b"")
            .file("locked/x", b"x")
            .pax(&[
                ("SCHILY.xattr.user.x", "1"),
                ("uname", "somebody"),
                ("mtime", "-1.5"),
            ])
            .raw(&ustar(b'0', "marked", 1), b"x")
            .end(),
    );
    for beside in [Beside::Ours, Beside::Foreign] {
        put(&env, BASE, &archive, beside);
        assert!(refused_or_equal(&env, "sound", &archive));
        let listed = env.run(&["list-backups", "--verify", "--json"]).code(0);
        assert_eq!(listed.json()["backups"][0]["verified"], true);
    }
    #[cfg(unix)]
    {
        let args = ["restore", BASE, "--yes", "--dest-dir", "fresh"];
        env.run(&args).code(0);
        for (name, mode) in [
            ("auth.json", 0o600),
            ("bin", 0o700),
            ("bin/run", 0o700),
            ("locked", 0o700),
            ("marked", 0o600),
        ] {
            assert_eq!(crate::worlds::mode(&env.path("fresh").join(name)), mode);
        }
    }
}

#[test]
#[allow(clippy::too_many_lines)] // a table
fn unsafe_names_are_refused_wherever_they_stand() {
    let env = world();
    let outside = env.path("outside/pwned").display().to_string();
    let shown = "~/outside/pwned";
    let long = format!("../{}", "up/".repeat(60));
    let deep = "d/".repeat(5000) + "f";
    let wide = "w".repeat(4097);
    let part = "p".repeat(256);
    let leads_out = "its name leads out through `..`";
    let absolute = "its name is an absolute path";
    let mut prefixed = ustar(b'0', "x", 0);
    raw::write_at(&mut prefixed, 345, b"../..");
    let mut cases: Vec<(&str, Raw, String)> = Vec::new();
    let mut case = |name: &'static str, raw: Raw, shown: &str, reason: &str| {
        cases.push((name, raw, format!("entry `{shown}`: {reason}")));
    };
    for name in ["../pwned", "sessions/../../pwned", "..", "a/.."] {
        case("dotdot", home().file(name, b"p"), name, leads_out);
    }
    case("absolute", home().file(&outside, b"p"), shown, absolute);
    case("two slashes", home().file("//x", b"p"), "//x", absolute);
    case("root", home().file("/", b""), "/", absolute);
    case("prefix", home().raw(&prefixed, b""), "../../x", leads_out);
    case(
        "pax",
        home().pax(&[("path", &outside)]).file("innocent", b"p"),
        shown,
        absolute,
    );
    case(
        "pax and a NUL",
        home().pax(&[("path", "auth.json\0x")]).file("x", b"p"),
        "auth.json\\0x",
        "its name holds a NUL byte",
    );
    case(
        "long name",
        home().long(b'L', &long).file("innocent", b"p"),
        &shortened(&long),
        leads_out,
    );
    case(
        "backslash",
        home().file("..\\..\\x", b"p"),
        "..\\\\..\\\\x",
        "its name holds a backslash, which separates directories on Windows",
    );
    case(
        "drive",
        home().file("C:x", b"p"),
        "C:x",
        "its name holds a colon, which names a drive or a stream on Windows",
    );
    case(
        "terminal",
        home().file("a\n\u{1b}[2J\u{7}", b"p"),
        "a\\n\\u{1b}[2J\\u{7}",
        "its name holds a control character",
    );
    case(
        "no UTF-8",
        home().entry(b'0', b"sess-\xff\xfe", b"p"),
        "sess-\\xff\\xfe",
        "its name is not UTF-8",
    );
    case("empty", home().file("", b"p"), "", "its name is empty");
    case("dot", home().dir("./"), "./", "its name is empty");
    case(
        "device",
        home().file("sessions/NUL.txt", b"p"),
        "sessions/NUL.txt",
        "a part of its name is a device on Windows",
    );
    for name in ["name.", "name ", "a./b"] {
        case(
            "ending",
            home().file(name, b"p"),
            name,
            "a part of its name ends in a dot or a space, which Windows drops",
        );
    }
    case(
        "deep",
        home().long(b'L', &deep).file("x", b"p"),
        &shortened(&deep),
        "its name is longer than 4096 bytes",
    );
    case(
        "33 deep",
        home().file(&["d"; 33].join("/"), b"p"),
        &["d"; 33].join("/"),
        "it lies more than 32 directories deep",
    );
    case(
        "wide",
        home().pax(&[("path", &wide)]).file("x", b"p"),
        &shortened(&wide),
        "its name is longer than 4096 bytes",
    );
    case(
        "wide part",
        home().long(b'L', &part).file("x", b"p"),
        &shortened(&part),
        "a part of its name is longer than 255 bytes",
    );
    case(
        "a file named as a directory",
        home().file("x/", b""),
        "x/",
        "it is named as a directory and is none",
    );
    for (name, raw, reason) in cases {
        for beside in [Beside::Ours, Beside::Foreign] {
            put(&env, BASE, &gzip(&raw.clone().end()), beside);
            refused_as(&env, name, &reason);
        }
    }
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= 120 {
        return name.to_owned();
    }
    name.chars().take(120).collect::<String>() + "…"
}

#[test]
fn no_entry_reaches_the_place_of_another() {
    let env = world();
    let other = Person::named("mallory").auth_json();
    let other = other.as_bytes();
    let twin = "on macOS and Windows it has the name of another entry";
    let twice = "it is there twice";
    let both = "it is a directory for one entry and none for another";
    for (name, raw, shown, reason) in [
        ("again", home().file("auth.json", other), "auth.json", twice),
        ("dot", home().file("./auth.json", other), "auth.json", twice),
        ("case", home().file("AUTH.JSON", other), "AUTH.JSON", twin),
        (
            "long s",
            home().file("auth.j\u{17f}on", other),
            "auth.jſon",
            twin,
        ),
        (
            "a directory's case",
            home().file("Sessions/x", b""),
            "Sessions/x",
            twin,
        ),
        (
            "accents",
            home().file("caf\u{e9}", b"1").file("cafe\u{301}", b"2"),
            "cafe\\u{301}",
            twin,
        ),
        (
            "accents of two letters",
            home().file("\u{1e69}", b"1").file("s\u{307}\u{323}", b"2"),
            "s\\u{307}\\u{323}",
            twin,
        ),
        (
            "below a file",
            home().file("x", b"1").file("x/y", b"2"),
            "x/y",
            both,
        ),
        (
            "in a directory's place",
            home().file("sessions", b"1"),
            "sessions",
            both,
        ),
        (
            "below auth.json",
            home().file("auth.json/x", b"1"),
            "auth.json/x",
            both,
        ),
        ("directory twice", home().dir("sessions"), "sessions", twice),
    ] {
        for beside in [Beside::Ours, Beside::Foreign] {
            put(&env, BASE, &gzip(&raw.clone().end()), beside);
            refused_as(&env, name, &format!("entry `{shown}`: {reason}"));
        }
    }
}

#[test]
#[allow(clippy::too_many_lines)] // a table
fn links_and_special_files_are_refused() {
    let env = world();
    let out = env.path("outside").display().to_string();
    let secret = env.path("outside/secret").display().to_string();
    let ours = "it is a symbolic link, which our archives never hold";
    let hard = "it is a hard link";
    for (name, raw, shown, foreign) in [
        (
            "through",
            home().link(b'2', "x", &out).file("x/pwned", b"p"),
            "x",
            "entry `x/pwned`: it is a directory for one entry and none for another",
        ),
        (
            "over",
            home().link(b'2', "x", &secret).file("x", b"p"),
            "x",
            "entry `x`: it is there twice",
        ),
        (
            "only",
            home().link(b'2', "y", &out),
            "y",
            "entry `y`: it is a link to an absolute path",
        ),
        (
            "up",
            home().link(b'2', "y", "../outside"),
            "y",
            "entry `y`: it is a link that leads out",
        ),
        (
            "chain",
            home()
                .link(b'2', "a", "sessions")
                .link(b'2', "b", "a/../.."),
            "a",
            "entry `b`: it is a link that leads to another link",
        ),
        (
            "circle",
            home().link(b'2', "sessions/up", ".."),
            "sessions/up",
            "entry `sessions/up`: it is a link to a directory that it stands in",
        ),
        (
            "to itself",
            home().link(b'2', "x", "x"),
            "x",
            "entry `x`: it is a link that leads to another link",
        ),
        (
            "the login",
            Raw::default().link(b'2', "auth.json", &secret),
            "auth.json",
            "entry `auth.json`: it is no regular file",
        ),
        (
            "a directory exchanged",
            home().dir("z").link(b'2', "z", &out),
            "z",
            "entry `z`: it is a directory for one entry and none for another",
        ),
        (
            "long target",
            home().long(b'K', &secret).link(b'2', "y", "auth.json"),
            "y",
            "entry `y`: it is a link to an absolute path",
        ),
        (
            "pax target",
            home()
                .pax(&[("linkpath", &secret)])
                .link(b'2', "y", "auth.json"),
            "y",
            "entry `y`: it is a link to an absolute path",
        ),
    ] {
        put(&env, BASE, &gzip(&raw.clone().end()), Beside::Ours);
        refused_as(&env, name, &format!("entry `{shown}`: {ours}"));
        put(&env, BASE, &gzip(&raw.end()), Beside::Foreign);
        refused_as(&env, name, foreign);
    }
    for (name, raw, reason) in [
        ("out", home().link(b'1', "h", &secret), hard),
        ("inside", home().link(b'1', "h", "auth.json"), hard),
        (
            "the login",
            Raw::default().link(b'1', "auth.json", &secret),
            hard,
        ),
        ("char", home().entry(b'3', b"h", b""), "it is a device"),
        ("block", home().entry(b'4', b"h", b""), "it is a device"),
        ("fifo", home().entry(b'6', b"h", b""), "it is a named pipe"),
        (
            "sparse",
            home().sparse("h", 10 << 30),
            "it is a sparse file",
        ),
        (
            "contiguous",
            home().entry(b'7', b"h", b""),
            "it is of an unknown type",
        ),
        (
            "unknown",
            home().entry(b'Z', b"h", b"x"),
            "it is of an unknown type",
        ),
        (
            "old",
            home().entry(0, b"h", b"x"),
            "it is of an unknown type",
        ),
        (
            "a directory with content",
            home().entry(b'5', b"h", b"x"),
            "it has content although it is no file",
        ),
    ] {
        let shown = if name == "the login" {
            "auth.json"
        } else {
            "h"
        };
        for beside in [Beside::Ours, Beside::Foreign] {
            put(&env, BASE, &gzip(&raw.clone().end()), beside);
            refused_as(&env, name, &format!("entry `{shown}`: {reason}"));
        }
    }
}

#[test]
#[allow(clippy::too_many_lines)] // a table
fn tricks_of_headers_are_refused() {
    let env = world();
    let mut negative = gnu(b'0', b"n", 0);
    raw::write_at(&mut negative, 124, &[0xff; 12]);
    let mut overflowing = gnu(b'0', b"n", 0);
    raw::write_at(
        &mut overflowing,
        124,
        &[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    let mut wordy = gnu(b'0', b"n", 0);
    raw::write_at(&mut wordy, 124, b"size");
    let malformed = "a pax header is malformed";
    let pax =
        |records: &str| home().raw(&ustar(b'x', "h", records.len() as u64), records.as_bytes());
    let sizes = "a header tells no valid size";
    for (name, raw, reason) in [
        ("negative", home().raw(&negative, b""), sizes),
        ("over 64 bit", home().raw(&overflowing, b""), sizes),
        ("no number", home().raw(&wordy, b""), sizes),
        (
            "checksum",
            home().bad_checksum("config.toml"),
            "the checksum of a header is wrong",
        ),
        (
            "global pax",
            home().entry(b'g', b"h", b"13 path=../x\n").file("y", b""),
            "it holds a global pax header, which would bend every entry",
        ),
        (
            "pax size",
            home()
                .pax(&[("size", "18446744073709551615")])
                .file("lie", b"x"),
            "entry `lie`: its two sizes differ",
        ),
        (
            "pax size over 64 bit",
            home()
                .pax(&[("size", "18446744073709551616")])
                .file("lie", b"x"),
            "a pax header tells no valid size",
        ),
        (
            "pax size below nothing",
            home().pax(&[("size", "-1")]).file("lie", b"x"),
            "a pax header tells no valid size",
        ),
        (
            "pax sparse",
            home()
                .pax(&[("GNU.sparse.major", "1"), ("GNU.sparse.realsize", "9")])
                .file("s", b"x"),
            "it holds a sparse file",
        ),
        ("pax cut", pax("99 path=x\n"), malformed),
        ("pax without a key", pax("6 =xx\n"), malformed),
        ("pax without a line's end", pax("9 path=xx"), malformed),
        ("pax of length 0", pax("0 path=x\n"), malformed),
        ("pax of noise", pax("\u{1}\u{2}\u{3}"), malformed),
        (
            "pax twice",
            home()
                .pax(&[("path", "a")])
                .pax(&[("path", "b")])
                .file("x", b""),
            "an entry has two pax headers",
        ),
        (
            "one key twice",
            home().pax(&[("path", "a"), ("path", "b")]).file("x", b""),
            "an entry is described twice by the headers before it",
        ),
        (
            "long name twice",
            home().long(b'L', "a").long(b'L', "b").file("x", b""),
            "an entry is named twice by the headers before it",
        ),
        (
            "long name and pax",
            home().long(b'L', "a").pax(&[("path", "b")]).file("x", b""),
            "an entry is described twice by the headers before it",
        ),
        (
            "long name of nothing",
            home().long(b'L', "a"),
            "a header without its entry stands at the end",
        ),
        (
            "long name that claims 8 GiB",
            home().raw(&gnu(b'L', b"h", 8 << 30), b""),
            "a long name or pax header is larger than is allowed",
        ),
        (
            "pax that claims 8 GiB",
            home().raw(&gnu(b'x', b"h", 8 << 30), b""),
            "a long name or pax header is larger than is allowed",
        ),
        (
            "file that claims 10 GiB",
            home().raw(&gnu(b'0', b"h", 10 << 30), b""),
            "it ends in the middle of an entry",
        ),
        (
            "file that claims 2 TiB",
            home().raw(&gnu(b'0', b"h", 2 << 40), b""),
            "entry `h`: it claims more bytes than `archive.max_bytes` allows, 1099511627776",
        ),
        (
            "the oldest format",
            home().raw(&raw::old(b'0', "x"), b""),
            "a header is neither of GNU's nor of the ustar format",
        ),
    ] {
        for beside in [Beside::Ours, Beside::Foreign] {
            put(&env, BASE, &gzip(&raw.clone().end()), beside);
            refused_as(&env, name, reason);
        }
    }
}

#[test]
fn what_is_no_single_whole_archive_is_refused() {
    let env = world();
    let tar = home().file("sessions/1.jsonl", b"{}\n").end();
    let sound = gzip(&tar);
    let body = tar.len() - 1024;
    let hidden = gzip(&Raw::default().file("hidden", b"p").end());
    let empty = gzip(b"");
    let follows = "data follows its end mark";
    for (name, archive, reason) in [
        ("nothing", Vec::new(), None),
        ("zeros", vec![0; 4096], None),
        ("a tar without gzip", tar.clone(), None),
        ("gzip in gzip", gzip(&sound), None),
        (
            "gzip of nothing",
            empty.clone(),
            Some("it ends without its end mark"),
        ),
        ("an end mark alone", gzip(&[0; 1024]), Some("it is empty")),
        (
            "no end mark",
            gzip(&tar[..body]),
            Some("it ends without its end mark"),
        ),
        (
            "half an end mark",
            gzip(&tar[..body + 512]),
            Some("it ends without its end mark"),
        ),
        (
            "cut in an entry",
            gzip(&tar[..body - 512]),
            Some("it ends in the middle of an entry"),
        ),
        ("garbage behind", [&sound[..], b"GARBAGE"].concat(), None),
        ("zeros behind", [&sound[..], &[0; 512]].concat(), None),
        (
            "a second archive",
            [sound.clone(), hidden].concat(),
            Some(follows),
        ),
        ("itself again", sound.repeat(2), Some(follows)),
        (
            "entries behind the end",
            gzip(&[tar.clone(), tar.clone()].concat()),
            Some(follows),
        ),
        (
            "a member cut at its start",
            [&sound[..], &sound[..10]].concat(),
            None,
        ),
        (
            "half a block of zeros",
            gzip(&[&tar[..], &[0; 100]].concat()),
            Some("it ends in the middle of a block"),
        ),
    ] {
        for beside in [Beside::Ours, Beside::Foreign, Beside::Nothing] {
            put(&env, BASE, &archive, beside);
            match reason {
                Some(reason) if beside != Beside::Nothing => refused_as(&env, name, reason),
                _ => {
                    refused(&env, name);
                }
            }
        }
    }
    // A member of nothing says nothing.
    let harmless = [empty.clone(), sound.clone(), empty].concat();
    put(&env, BASE, &harmless, Beside::Ours);
    refused_or_equal(&env, "members of nothing", &harmless);
}

#[test]
fn the_login_must_be_one_and_the_right_one() {
    let env = world();
    let broken = |why: &str| format!("its auth.json is unusable: {why}");
    let bob = Person::named("bob").auth_json();
    let no_jwt = alice().replace(
        &alice()[alice().find("eyJ").expect("a token")..][..40],
        "not.a.jwt!",
    );
    for (name, login, why) in [
        ("empty", "", broken("it is empty")),
        (
            "no JSON",
            "{\"tokens\":{\"id_token\":\"a",
            broken("it is no login of Codex (line 1, column 24)"),
        ),
        (
            "another shape",
            "[]",
            broken("it is no login of Codex (line 1, column 2)"),
        ),
        (
            "no object",
            "null",
            broken("it is no login of Codex (line 1, column 4)"),
        ),
        ("nobody", "{}", broken("it holds no login")),
        ("no token", &no_jwt, String::new()),
        (
            "another's",
            &bob,
            "it holds the login of bob@example.com, its sidecar names alice@example.com".to_owned(),
        ),
    ] {
        for beside in [Beside::Ours, Beside::Foreign] {
            let archive = gzip(&Raw::default().file("auth.json", login.as_bytes()).end());
            put(&env, BASE, &archive, beside);
            let ran = refused(&env, name);
            if !why.is_empty() {
                ran.stderr(&format!(
                    "error: the archive `~/{BACKUPS}/{BASE}.tar.gz` cannot be trusted: {why}\nhint: {CHOOSE}\n"
                ));
            }
        }
    }
    for (name, raw, reason) in [
        (
            "directory",
            Raw::default().dir("auth.json"),
            "it is no regular file",
        ),
        (
            "huge",
            Raw::default().file("auth.json", &vec![b' '; (1 << 20) + 1]),
            "it is larger than 1 MiB",
        ),
    ] {
        put(&env, BASE, &gzip(&raw.end()), Beside::Ours);
        refused_as(&env, name, &format!("entry `auth.json`: {reason}"));
    }
    put(
        &env,
        BASE,
        &gzip(&Raw::default().file("config.toml", b"").end()),
        Beside::Ours,
    );
    let ran = refused(&env, "none");
    assert!(
        ran.stderr.contains("it holds no auth.json"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_sidecar_that_is_not_the_archives_refuses_it() {
    let env = world();
    let archive = gzip(&home().end());
    let below = format!("{BACKUPS}/{BASE}.metadata.json");
    for (changes, why) in [
        (
            json!({"email": "bob@example.com", "user_id": null}),
            "it holds the login of alice@example.com, its sidecar names bob@example.com",
        ),
        (
            json!({"email": null, "user_id": "user-bob"}),
            "it holds the login of alice@example.com, its sidecar names user-bob",
        ),
        (
            json!({"account_id": "ws-bob"}),
            "it holds the login of alice@example.com, its sidecar names alice@example.com",
        ),
        (
            json!({"archive_sha256": "0".repeat(64)}),
            "its content is not the one its sidecar has the hash of",
        ),
        (
            json!({"archive_size_bytes": 1}),
            "its length is not the one its sidecar has",
        ),
        (
            json!({"archive_format": 2}),
            "its sidecar tells of a manifest, and it has none",
        ),
        (
            json!({"archive_format": 3}),
            "it is of a later form than this program knows",
        ),
        (
            json!({"file_count": 7, "total_bytes": 1}),
            "it does not hold as much as its sidecar tells",
        ),
    ] {
        put(&env, BASE, &archive, Beside::Nothing);
        env.write(&below, &sidecar(&archive, &changes).to_string());
        let ran = refused(&env, why);
        assert!(ran.stderr.contains(why), "{why}: {}", ran.stderr);
    }
    // Those that cannot be read at all are not listed.
    for text in [
        "",
        "{",
        "[]",
        "null",
        "{\"product\":\"other\"}",
        "{\"product\":\"codex\",\"schema_version\":2}",
    ] {
        env.write(&below, text);
        let before = all(&env);
        env.run(&["restore", BASE, "--yes"]).code(13).stdout("");
        let listed = env.run(&["list-backups", "--verify", "--json"]).code(3);
        assert_eq!(listed.json()["backups"], json!([]));
        assert!(all(&env) == before, "{text}: something changed");
    }
}

/// What is beside an archive is lost: then it must say itself whose it is.
#[test]
fn what_nobody_vouches_for_is_refused() {
    let env = world();
    let silent = gzip(&home().end());
    let why = "it has no sidecar beside it and none inside: nothing says whose it is";
    put(&env, BASE, &silent, Beside::Nothing);
    let ran = refused(&env, "silent");
    assert!(ran.stderr.contains(why), "{}", ran.stderr);
    let says = |description: &str| {
        let tar = Raw::default().file(&format!("{BASE}.metadata.json"), description.as_bytes());
        gzip(&tar.file("auth.json", alice().as_bytes()).end())
    };
    for description in ["", "{", "{\"product\":\"other\"}"] {
        put(&env, BASE, &says(description), Beside::Nothing);
        let ran = refused(&env, description);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
    }
    put(
        &env,
        BASE,
        &says("{\"product\":\"codex\",\"email\":\"bob@example.com\"}"),
        Beside::Nothing,
    );
    let ran = refused(&env, "another's");
    assert!(
        ran.stderr.contains("its sidecar names bob@example.com"),
        "{}",
        ran.stderr
    );
    let archive = says("{\"product\":\"codex\",\"email\":\"alice@example.com\"}");
    put(&env, BASE, &archive, Beside::Nothing);
    assert!(refused_or_equal(&env, "its own", &archive));
}

/// A log that comes to lie beside a live database would be played into it.
#[test]
fn a_log_without_its_database_is_refused() {
    let env = world();
    for suffix in ["-wal", "-shm", "-journal"] {
        let name = format!("state_5.sqlite{suffix}");
        let alone = gzip(&home().file(&name, b"log").end());
        put(&env, BASE, &alone, Beside::Foreign);
        let ran = refused(&env, &name);
        assert!(
            ran.stderr
                .contains("is the log of a database that it does not hold"),
            "{}",
            ran.stderr
        );
        let both = gzip(
            &home()
                .file("state_5.sqlite", b"db")
                .file(&name, b"log")
                .end(),
        );
        put(&env, BASE, &both, Beside::Foreign);
        assert!(refused_or_equal(&env, &name, &both));
    }
}

/// A database that is left out on request takes its log with it: both stay as they are.
#[test]
fn a_database_that_is_left_out_keeps_its_log() {
    let env = Env::new();
    let person = Person::named("alice");
    env.codex_home(&person);
    env.write("status.txt", &person.panel(66, "15:55 on 21 Apr"));
    env.write(".codex/state_5.sqlite", "a database");
    env.write(".codex/state_5.sqlite-wal", "its log");
    let args = [
        "backup",
        "--status-file",
        "status.txt",
        "--exclude",
        "state_*.sqlite",
    ];
    env.run(&args).code(0);
    env.write(".codex/state_5.sqlite", "a later database");
    env.write(".codex/state_5.sqlite-wal", "its later log");
    env.run(&["restore", "alice@example.com", "--yes"]).code(0);
    assert_eq!(env.read(".codex/state_5.sqlite"), "a later database");
    assert_eq!(env.read(".codex/state_5.sqlite-wal"), "its later log");
}

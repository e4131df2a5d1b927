//! The gate against archives made by hand: good ones of both makers, and one for each refusal.

mod manifests;
mod members;
mod spreading;
mod surveying;

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};
use tempfile::TempDir;

use super::*;
use crate::fsutil;

/// A foreign archive all of which may be restored.
const FOREIGN: Maker = Maker::Foreign(|_| false);

const NEVER: &fn() -> bool = &(never as fn() -> bool);

fn never() -> bool {
    false
}
const ALL: &dyn Fn(&str) -> bool = &|_| true;

/// A tar made block by block, so that it can be wrong in any way.
#[derive(Clone, Default)]
struct Tar(Vec<u8>);

impl Tar {
    /// With an `auth.json`, as every snapshot.
    fn home() -> Self {
        Self::default().file("auth.json", b"{}")
    }

    fn file(self, name: &str, content: &[u8]) -> Self {
        self.entry(b'0', name.as_bytes(), content)
    }

    fn dir(self, name: &str) -> Self {
        self.entry(b'5', name.as_bytes(), b"")
    }

    fn link(self, name: &str, target: &str) -> Self {
        let mut header = gnu(b'2', name.as_bytes(), 0);
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        self.raw(header, b"")
    }

    fn entry(self, kind: u8, name: &[u8], content: &[u8]) -> Self {
        self.raw(gnu(kind, name, content.len() as u64), content)
    }

    /// The header with its checksum set, and the content filled up to a whole block.
    fn raw(mut self, mut header: Header, content: &[u8]) -> Self {
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn long(self, kind: u8, name: &str) -> Self {
        self.entry(kind, b"././@LongLink", format!("{name}\0").as_bytes())
    }

    fn pax(self, records: &[(&str, &str)]) -> Self {
        let records: String = records
            .iter()
            .map(|(key, value)| pax_record(key, value))
            .collect();
        self.raw(
            ustar(b'x', "PaxHeader/x", records.len() as u64),
            records.as_bytes(),
        )
    }

    fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

fn pax_record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let length = (1..rest + 9)
        .find(|length: &usize| rest + length.to_string().len() == *length)
        .expect("there is one");
    format!("{length} {key}={value}\n")
}

fn gnu(kind: u8, name: &[u8], size: u64) -> Header {
    filled(Header::new_gnu(), kind, name, size)
}

/// As Python's `tarfile` writes it under a pax header.
fn ustar(kind: u8, name: &str, size: u64) -> Header {
    filled(Header::new_ustar(), kind, name.as_bytes(), size)
}

fn filled(mut header: Header, kind: u8, name: &[u8], size: u64) -> Header {
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    // As it is: `EntryType` takes a NUL for a `0`.
    header.as_old_mut().linkflag = [kind];
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(1_700_000_000);
    header
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("compresses");
    encoder.finish().expect("compresses")
}

/// A directory with the archive in it, and room for a staging directory beside it.
struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new(archive: &[u8]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("a.tar.gz"), archive).expect("writes");
        Self { dir }
    }

    fn of(tar: Tar) -> Self {
        Self::new(&gzip(&tar.end()))
    }

    fn archive(&self) -> PathBuf {
        self.dir.path().join("a.tar.gz")
    }

    fn check(&self, maker: Maker) -> Result<Checked> {
        check(&self.archive(), maker, &Caps::default(), NEVER)
    }

    fn staging(&self) -> PathBuf {
        let staging = self.dir.path().join("staging");
        fsutil::create_private_dir(&staging).expect("makes it");
        staging
    }

    fn extract(&self, checked: &Checked) -> Result<PathBuf> {
        let staging = self.staging();
        extract(&self.archive(), checked, &staging, ALL, NEVER)?;
        Ok(staging)
    }

    /// Why it is refused; the refusal must be ours, name the archive and steer no terminal.
    fn refusal(&self, maker: Maker) -> String {
        let error = self.check(maker).expect_err("refuses");
        assert_eq!(error.kind(), Kind::ArchiveDamaged, "{error}");
        let text = error.to_string();
        assert!(text.contains("a.tar.gz"), "{text}");
        assert!(!text.chars().any(char::is_control), "{text:?}");
        text
    }
}

fn assert_refused(tar: Tar, maker: Maker, word: &str) {
    let text = Bench::of(tar).refusal(maker);
    assert!(text.contains(word), "{word:?} is not in: {text}");
}

fn paths(checked: &Checked) -> Vec<&str> {
    checked
        .entries
        .iter()
        .map(|entry| entry.path.as_str())
        .collect()
}

/// Every file below `dir` with what it holds, links with their target, directories with a slash.
fn tree(dir: &Path) -> Vec<(String, Vec<u8>)> {
    fn walk(root: &Path, dir: &Path, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in fs::read_dir(dir).expect("lists") {
            let place = entry.expect("lists").path();
            let name = place.strip_prefix(root).expect("below");
            let name = name.to_str().expect("UTF-8").to_owned();
            #[cfg(windows)]
            let name = name.replace('\\', "/");
            if place.is_symlink() {
                let target = fs::read_link(&place).expect("reads");
                let target = target.to_str().expect("UTF-8");
                found.push((name, format!("-> {target}").into_bytes()));
            } else if place.is_dir() {
                found.push((name + "/", Vec::new()));
                walk(root, &place, found);
            } else {
                found.push((name, fs::read(&place).expect("reads")));
            }
        }
    }
    let mut found = Vec::new();
    walk(dir, dir, &mut found);
    found.sort();
    found
}

fn mtime(place: &Path) -> u64 {
    let modified = fs::metadata(place).and_then(|meta| meta.modified());
    modified
        .expect("tells")
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("later")
        .as_secs()
}

#[test]
fn an_archive_of_ours_is_told_and_restored_byte_for_byte() {
    let mut builder = tar::Builder::new(Vec::new());
    let large: Vec<u8> = (0u32..300_000).flat_map(u32::to_le_bytes).collect();
    let mut add = |name: &str, kind: EntryType, mode: u32, content: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(1_600_000_000);
        header.set_size(content.len() as u64);
        builder
            .append_data(&mut header, name, content)
            .expect("appends");
    };
    add(
        "x-codex.metadata.json",
        EntryType::Regular,
        0o600,
        b"{\"a\":1}",
    );
    add("auth.json", EntryType::Regular, 0o600, b"{\"tokens\":{}}");
    add("sessions", EntryType::Directory, 0o700, b"");
    add("sessions/big.bin", EntryType::Regular, 0o600, &large);
    add("bin/run", EntryType::Regular, 0o4755, b"#!/bin/sh\n");
    let archive = gzip(&builder.into_inner().expect("ends"));
    let bench = Bench::new(&archive);
    let checked = bench.check(Maker::Ours).expect("passes");
    assert_eq!(checked.auth_json.as_deref(), Some(&b"{\"tokens\":{}}"[..]));
    assert_eq!(checked.metadata_json.as_deref(), Some(&b"{\"a\":1}"[..]));
    assert_eq!(checked.size_bytes, archive.len() as u64);
    let hash: Vec<String> = Sha256::digest(&archive)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(checked.sha256, Some(hash.concat()));
    assert_eq!(
        (checked.file_count, checked.total_bytes),
        (3, 13 + 1_200_000 + 10)
    );
    assert_eq!(checked.entries.len(), 5);
    assert!(checked.entries[0].is_metadata());
    let run = &checked.entries[4];
    assert!(run.executable && !run.is_metadata() && run.mtime == 1_600_000_000);
    assert!(!format!("{checked:?}").contains("tokens"));

    let staging = bench.extract(&checked).expect("extracts");
    assert_eq!(
        tree(&staging),
        [
            ("auth.json".to_owned(), b"{\"tokens\":{}}".to_vec()),
            ("bin/".to_owned(), Vec::new()),
            ("bin/run".to_owned(), b"#!/bin/sh\n".to_vec()),
            ("sessions/".to_owned(), Vec::new()),
            ("sessions/big.bin".to_owned(), large),
        ]
    );
    assert_eq!(mtime(&staging.join("sessions/big.bin")), 1_600_000_000);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |name: &str| {
            let meta = fs::metadata(staging.join(name)).expect("stands");
            meta.permissions().mode() & 0o7777
        };
        assert_eq!(mtime(&staging.join("sessions")), 1_600_000_000);
        assert_eq!(
            ["auth.json", "bin", "bin/run", "sessions"].map(mode),
            [0o600, 0o700, 0o700, 0o700]
        );
    }
}

#[test]
fn an_archive_of_the_python_tool_is_read() {
    let long = format!("sessions/{}/rollout.jsonl", "n".repeat(150));
    let tar = Tar::default()
        .pax(&[("mtime", "1700000001.75")])
        .raw(ustar(b'0', "auth.json", 2), b"{}")
        .pax(&[("mtime", "1700000002.5"), ("path", "sessions/")])
        .raw(ustar(b'5', "sess", 0), b"")
        .pax(&[
            ("mtime", "-1.5"),
            ("path", &long),
            ("size", "5"),
            ("uname", "größe\nx"),
            ("SCHILY.xattr.user.x", "1"),
        ])
        .raw(ustar(b'0', "sessions/cut", 0), b"lines")
        .raw(ustar(b'0', "x.metadata.json", 3), b"{ }");
    let mut bytes = tar.end();
    bytes.resize(10_240, 0);
    let bench = Bench::new(&gzip(&bytes));
    let checked = bench.check(FOREIGN).expect("passes");
    assert_eq!(
        paths(&checked),
        ["auth.json", "sessions", &long, "x.metadata.json"]
    );
    let mtimes: Vec<i64> = checked.entries.iter().map(|entry| entry.mtime).collect();
    assert_eq!(mtimes, [1_700_000_001, 1_700_000_002, 0, 1_700_000_000]);
    let staging = bench.extract(&checked).expect("extracts");
    assert_eq!(fs::read(staging.join(&long)).expect("reads"), b"lines");
    assert_eq!(mtime(&staging.join("auth.json")), 1_700_000_001);
}

#[test]
fn long_names_of_gnu_and_of_ustar_are_read() {
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(200));
    let target = "t".repeat(150);
    let mut split = ustar(b'0', "tail", 1);
    let prefix = &mut split.as_ustar_mut().expect("is one").prefix;
    prefix[..8].copy_from_slice(b"some/dir");
    let tar = Tar::default()
        .long(b'L', &long)
        .file("cut", b"1")
        .long(b'K', &target)
        .long(b'L', "link")
        .link("l", "cut")
        .raw(split, b"2");
    let bench = Bench::of(tar);
    let checked = bench.check(FOREIGN).expect("passes");
    assert_eq!(paths(&checked), [long.as_str(), "link", "some/dir/tail"]);
    assert_eq!(checked.entries[1].kind, EntryKind::Symlink(target));
    #[cfg(unix)] // elsewhere a link is refused when it is met
    bench.extract(&checked).expect("extracts");
}

#[test]
fn members_of_gzip_may_be_cut_anywhere() {
    let tar = Tar::home().file("a/b", &[b'x'; 2000]).end();
    for cut in [
        1,
        511,
        512,
        513,
        1536,
        1700,
        tar.len() - 1024,
        tar.len() - 1,
    ] {
        let archive = [gzip(&tar[..cut]), gzip(b""), gzip(&tar[cut..])].concat();
        let bench = Bench::new(&archive);
        let checked = bench.check(Maker::Ours).expect("passes");
        assert_eq!(paths(&checked), ["auth.json", "a/b"]);
        assert_eq!(checked.size_bytes, archive.len() as u64);
        let staging = bench.extract(&checked).expect("extracts");
        assert_eq!(fs::read(staging.join("a/b")).expect("reads"), [b'x'; 2000]);
    }
}

#[test]
fn unsafe_names_are_refused_in_every_place_a_name_can_stand() {
    let long = format!("../{}", "x/".repeat(100));
    for tar in [
        Tar::home().file("../x", b""),
        Tar::home().long(b'L', &long).file("x", b""),
        Tar::home().pax(&[("path", "a/../../x")]).file("x", b""),
    ] {
        assert_refused(tar, FOREIGN, "leads out through `..`");
    }
    for (name, word) in [
        ("/etc/x", "absolute"),
        ("", "empty"),
        ("./", "empty"),
        ("a\\b", "backslash"),
        ("C:x", "colon"),
        ("a\x1b[2J\n", "control"),
        ("nul.txt", "device"),
        ("a.", "dot or a space"),
    ] {
        assert_refused(Tar::home().file(name, b""), Maker::Ours, word);
    }
    assert_refused(Tar::home().entry(b'0', b"a\xff", b""), Maker::Ours, "UTF-8");
    assert_refused(
        Tar::home()
            .pax(&[("path", "auth.json\0.bak")])
            .file("x", b""),
        FOREIGN,
        "NUL",
    );
    assert_refused(
        Tar::home().file("f/", b""),
        Maker::Ours,
        "named as a directory",
    );
    let mut prefixed = ustar(b'0', "x", 0);
    prefixed.as_ustar_mut().expect("is one").prefix[..2].copy_from_slice(b"..");
    assert_refused(Tar::home().raw(prefixed, b""), FOREIGN, "`..`");
}

#[test]
fn no_place_is_taken_twice() {
    for (tar, word) in [
        (Tar::home().file("auth.json", b"x"), "twice"),
        (Tar::home().file("./auth.json", b"x"), "twice"),
        (Tar::home().dir("d").dir("d/"), "twice"),
        (Tar::home().file("a", b"").link("a", "b"), "twice"),
        (Tar::home().file("AUTH.JSON", b""), "another entry"),
        (Tar::home().dir("Dir").file("dir/x", b""), "another entry"),
        (
            Tar::home().file("Dir/a", b"").file("dir/b", b""),
            "another entry",
        ),
        (
            Tar::home().file("a", b"").file("a/b", b""),
            "directory for one",
        ),
        (
            Tar::home().file("a/b", b"").file("a", b""),
            "directory for one",
        ),
        (Tar::home().dir("a").file("a", b""), "directory for one"),
        (Tar::home().file("a", b"").dir("a"), "directory for one"),
        (
            Tar::home().link("a", "b").file("a/c", b""),
            "directory for one",
        ),
    ] {
        assert_refused(tar, FOREIGN, word);
    }
    let both = Tar::home().file("d/x", b"").dir("d").file("d/y", b"");
    Bench::of(both).check(Maker::Ours).expect("passes");
}

#[test]
fn only_files_and_directories_pass() {
    for (kind, word) in [
        (b'1', "hard link"),
        (b'3', "device"),
        (b'4', "device"),
        (b'6', "named pipe"),
        (b'S', "sparse"),
        (b'7', "unknown type"),
        (b'Z', "unknown type"),
        (0, "unknown type"),
        (b'g', "global pax"),
    ] {
        for maker in [Maker::Ours, FOREIGN] {
            assert_refused(Tar::home().entry(kind, b"x", b""), maker, word);
        }
    }
    for key in ["GNU.sparse.major", "GNU.sparse.name"] {
        let tar = Tar::home().pax(&[(key, "1")]).file("x", b"");
        assert_refused(tar, FOREIGN, "sparse");
    }
    assert_refused(Tar::home().entry(b'5', b"d", b"x"), Maker::Ours, "no file");
    let mut old = Header::new_old();
    old.as_old_mut().name[0] = b'x';
    old.set_entry_type(EntryType::Regular);
    old.set_size(0);
    old.set_mode(0);
    old.set_mtime(0);
    assert_refused(Tar::home().raw(old, b""), Maker::Ours, "neither of GNU's");
    // Also where it describes the entry after it: other readers pass over such a header.
    let mut pax = ustar(b'x', "PaxHeader/x", 9);
    pax.as_mut_bytes()[264] = b'4';
    let described = Tar::home().raw(pax, b"9 path=x\n").file("y", b"");
    assert_refused(described, FOREIGN, "neither of GNU's");
}

#[test]
fn a_link_passes_only_from_the_python_tool_and_only_when_it_stays_inside() {
    for (name, target) in [
        ("l", "auth.json"),
        ("a/l", "../auth.json"),
        ("a/b/l", "./../c//d/"),
        ("l", "missing/file"),
        ("ab/l", "../a"),
    ] {
        let tar = Tar::home().link(name, target);
        assert_refused(tar.clone(), Maker::Ours, "symbolic link");
        let bench = Bench::of(tar);
        let checked = bench.check(FOREIGN).expect(target);
        let extracted = bench.extract(&checked);
        #[cfg(unix)]
        assert_eq!(
            fs::read_link(extracted.expect("extracts").join(name)).expect("is one"),
            Path::new(target)
        );
        #[cfg(not(unix))]
        extracted.expect_err("no links on this system");
    }
    for (name, target, word) in [
        ("l", "", "without a target"),
        ("l", "/etc/passwd", "absolute"),
        ("l", "..", "leads out"),
        ("l", "../x", "leads out"),
        ("a/l", "../../home/x", "leads out"),
        ("a/l", "b/../../..", "leads out"),
        ("l", "C:/x", "forbidden"),
        ("l", "..\\x", "forbidden"),
        ("l", "a\nb", "forbidden"),
        ("l", ".", "stands in"),
        ("l", "l", "another link"),
        ("a/b/l", "..", "stands in"),
        ("a/b/l", ".", "stands in"),
        ("auth.json", "x", "no regular file"),
    ] {
        assert_refused(Tar::default().link(name, target), FOREIGN, word);
    }
    for target in ["a", "A", "a/x", "a/../x", "b/../a/../x"] {
        let tar = Tar::home()
            .link("z/l", &format!("../{target}"))
            .link("a", "d");
        assert_refused(tar, FOREIGN, "another link");
    }
    let bytes = Tar::home()
        .pax(&[("linkpath", "../out")])
        .link("l", "auth.json");
    assert_refused(bytes, FOREIGN, "leads out");
}

#[test]
fn auth_json_is_a_regular_file_of_at_most_one_mebibyte() {
    assert_refused(
        Tar::default().dir("auth.json"),
        Maker::Ours,
        "no regular file",
    );
    assert_refused(
        Tar::default().file("Auth.json", b"{}"),
        Maker::Ours,
        "same file",
    );
    let most = vec![b' '; 1024 * 1024];
    let tar = Tar::default().file("auth.json", &most);
    let checked = Bench::of(tar).check(Maker::Ours).expect("passes");
    assert_eq!(checked.auth_json, Some(most.clone()));
    for name in ["auth.json", "x.metadata.json"] {
        let tar = Tar::default().file(name, &[&most[..], b" "].concat());
        assert_refused(tar, Maker::Ours, "larger than 1 MiB");
    }
    let none = Tar::default().file("d/auth.json", b"{}");
    let checked = Bench::of(none).check(Maker::Ours).expect("passes");
    assert_eq!(checked.auth_json, None);
}

#[test]
fn only_a_file_at_the_top_is_a_description_and_the_first_is_given() {
    let tar = Tar::home()
        .file("a.metadata.json", b"1")
        .file("b.metadata.json", b"2")
        .file("d/c.metadata.json", b"3");
    let bench = Bench::of(tar);
    let checked = bench.check(Maker::Ours).expect("passes");
    assert_eq!(checked.metadata_json.as_deref(), Some(&b"1"[..]));
    assert_eq!((checked.file_count, checked.total_bytes), (2, 3));
    let staging = bench.extract(&checked).expect("extracts");
    let names: Vec<String> = tree(&staging).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["auth.json", "d/", "d/c.metadata.json"]);
}

#[test]
fn malformed_headers_are_refused() {
    let with = |change: &dyn Fn(&mut Header)| {
        let mut header = gnu(b'0', b"x", 0);
        change(&mut header);
        Tar::home().raw(header, b"")
    };
    for (tar, word) in [
        (
            with(&|header| header.as_old_mut().size = [0xff; 12]),
            "size",
        ),
        (
            with(&|header| header.as_old_mut().size = *b"-0000000001 "),
            "size",
        ),
        (
            with(&|header| header.as_old_mut().size = [b' '; 12]),
            "size",
        ),
        (
            with(&|header| header.as_old_mut().size = *b"00000000009\0"),
            "size",
        ),
        (
            with(&|header| header.as_old_mut().mode = *b"07x5555\0"),
            "mode",
        ),
        (
            with(&|header| {
                header.as_old_mut().size = [0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            }),
            "size",
        ),
        (
            with(&|header| {
                header.as_old_mut().size = [0x80, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255];
            }),
            "more bytes",
        ),
        (
            Tar::home()
                .pax(&[("size", "18446744073709551616")])
                .file("x", b""),
            "size",
        ),
        (
            Tar::home()
                .pax(&[("size", "18446744073709551615")])
                .file("x", b""),
            "more bytes",
        ),
        (Tar::home().pax(&[("size", "+1")]).file("x", b""), "size"),
        (Tar::home().pax(&[("size", "")]).file("x", b""), "size"),
        (
            Tar::home().pax(&[("size", "1")]).file("x", b"xx"),
            "sizes differ",
        ),
        (
            Tar::home().pax(&[("mtime", "now")]).file("x", b""),
            "malformed",
        ),
        (
            Tar::home()
                .pax(&[("path", "a"), ("path", "b")])
                .file("x", b""),
            "twice",
        ),
        (
            Tar::home().pax(&[]).pax(&[]).file("x", b""),
            "two pax headers",
        ),
        (
            Tar::home().long(b'L', "a").long(b'L', "b").file("x", b""),
            "twice",
        ),
        (
            Tar::home().long(b'K', "a").long(b'K', "b").link("x", "y"),
            "twice",
        ),
        (
            Tar::home()
                .long(b'L', "a")
                .pax(&[("path", "b")])
                .file("x", b""),
            "twice",
        ),
        (Tar::home().long(b'L', "a"), "without its entry"),
        (Tar::home().pax(&[("path", "a")]), "without its entry"),
    ] {
        assert_refused(tar, FOREIGN, word);
    }
    let mut bytes = Tar::home().file("x", b"").end();
    bytes[1024] ^= 1;
    let text = Bench::new(&gzip(&bytes)).refusal(Maker::Ours);
    assert!(text.contains("checksum"), "{text}");
}

#[test]
fn malformed_pax_records_are_refused() {
    for records in [
        &b"99 path=x\n"[..],
        b"11 pathxxx\n",
        b"7 =xxx\n",
        b"path=x\n",
        b"+9 path=x\n",
        b"99999999999999999999999 path=x\n",
        b"0 \n",
        b"9 path=xy",
    ] {
        let header = ustar(b'x', "x", records.len() as u64);
        let tar = Tar::home().raw(header, records).file("x", b"");
        assert_refused(tar, FOREIGN, "malformed");
    }
}

#[test]
fn the_end_must_be_whole_and_nothing_may_follow_it() {
    let tar = Tar::home().file("x", b"y").end();
    let body = tar.len() - 1024;
    for (bytes, word) in [
        (tar[..body].to_vec(), "end mark"),
        (tar[..body + 512].to_vec(), "end mark"),
        (tar[..body + 1023].to_vec(), "end mark"),
        (tar[..body - 1].to_vec(), "middle of an entry"),
        (tar[..body - 512].to_vec(), "middle of an entry"),
        (tar[..100].to_vec(), "end mark"),
        (Vec::new(), "end mark"),
        (vec![0; 1024], "empty"),
        ([&tar[..], &[0; 100]].concat(), "middle of a block"),
        ([&tar[..], &[1; 512]].concat(), "follows its end mark"),
        (
            [&tar[..], &[0; 9999], &[1]].concat(),
            "follows its end mark",
        ),
        ([&tar[..], &tar].concat(), "follows its end mark"),
        (
            [&tar[..body + 512], &tar[..]].concat(),
            "follows its end mark",
        ),
    ] {
        let text = Bench::new(&gzip(&bytes)).refusal(Maker::Ours);
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
    let sound = gzip(&tar);
    for tail in [&[0][..], &[0; 512], b"x", &[0x1f, 0x8b], &sound] {
        Bench::new(&[&sound[..], tail].concat()).refusal(Maker::Ours);
    }
    let padded = gzip(&[&tar[..], &[0; 9 * 512]].concat());
    Bench::new(&padded).check(Maker::Ours).expect("passes");
    Bench::new(&tar).refusal(Maker::Ours);
    Bench::new(b"").refusal(Maker::Ours);
    Bench::new(&gzip(&sound)).refusal(Maker::Ours);
}

#[test]
fn an_archive_cut_at_any_byte_is_refused() {
    let sound = gzip(&Tar::home().file("sessions/a", b"some lines").end());
    for length in 0..sound.len() {
        Bench::new(&sound[..length]).refusal(Maker::Ours);
    }
}

#[test]
fn any_flipped_bit_is_refused_or_changes_no_content() {
    let inflated = |bytes: &[u8]| {
        let mut content = Vec::new();
        MultiGzDecoder::new(bytes).read_to_end(&mut content).ok()?;
        Some(content)
    };
    let sound = gzip(&Tar::home().file("sessions/a", b"some lines").end());
    let content = inflated(&sound);
    let mut harmless = 0;
    for bit in 0..sound.len() * 8 {
        let mut flipped = sound.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let bench = Bench::new(&flipped);
        match bench.check(Maker::Ours) {
            Ok(_) => {
                assert_eq!(inflated(&flipped), content, "bit {bit}");
                harmless += 1;
            }
            Err(error) => assert_eq!(error.kind(), Kind::ArchiveDamaged, "bit {bit}"),
        }
    }
    // The six bytes of time, extra flags and system in gzip's header, some of its flags and the filling of its last
    // byte of deflate tell nothing of the content.
    assert!((48..64).contains(&harmless), "{harmless} bits");
}

#[test]
fn what_is_over_a_cap_is_refused() {
    let caps = Caps {
        entries: 3,
        total_bytes: 100_000,
        ratio: 20,
        ratio_from: RATIO_FROM,
        header_bytes: 300,
        name_bytes: 1000,
    };
    let judge = |archive: &[u8], caps: &Caps| {
        let bench = Bench::new(archive);
        match check(&bench.archive(), FOREIGN, caps, NEVER) {
            Ok(_) => String::new(),
            Err(error) => {
                assert_eq!(error.kind(), Kind::ArchiveDamaged);
                error.to_string()
            }
        }
    };
    let three = Tar::home().file("a", b"").file("b", b"");
    assert_eq!(judge(&gzip(&three.clone().end()), &caps), "");
    let four = gzip(&three.file("c", b"").end());
    assert!(judge(&four, &caps).contains("more entries"));

    let content = vec![7; 100_000 - 512 - 512 - 512 - 1024 - 512];
    let fits = Tar::home().file("x", &content);
    assert_eq!(judge(&gzip(&fits.clone().end()), &caps), "");
    let claim = Tar::home().raw(gnu(b'0', b"x", 1 << 33), b"");
    assert!(judge(&gzip(&claim.end()), &caps).contains("claims more bytes"));
    let padding = [fits.end(), vec![0; 2048]].concat();
    assert!(judge(&gzip(&padding), &caps).contains("more bytes than `archive.max_bytes` allows"));

    for kind in [b'L', b'K', b'x'] {
        let long = Tar::home().entry(kind, b"x", &[b'y'; 301]).file("y", b"");
        assert!(judge(&gzip(&long.end()), &caps).contains("header is larger"));
        // A claim alone must not be believed either.
        let claim = Tar::home().raw(gnu(kind, b"x", 1 << 33), b"");
        assert!(judge(&gzip(&claim.end()), &caps).contains("header is larger"));
    }

    let names = Caps {
        header_bytes: 2000,
        ..caps
    };
    let part = "n".repeat(200);
    let deep = [part.as_str(); 4].join("/");
    let deep = gzip(&Tar::home().long(b'L', &deep).file("x", b"").end());
    assert!(judge(&deep, &names).contains("all names together"));

    let wide = Caps {
        total_bytes: u64::MAX,
        ..caps
    };
    // A member of gzip for each MiB, so that the test need not compress them all.
    let mebibyte = gzip(&vec![0; 1 << 20]);
    let zeros = |mebibytes: usize| {
        let head = Tar::home().raw(gnu(b'0', b"z", (mebibytes as u64) << 20), b"");
        [
            gzip(&head.0),
            mebibyte.repeat(mebibytes),
            gzip(&Tar::default().end()),
        ]
        .concat()
    };
    assert_eq!(judge(&zeros(63), &wide), "");
    let bomb = zeros(65);
    assert!(judge(&bomb, &wide).contains("20 times its size, which `archive.max_ratio`"));
    assert_eq!(judge(&bomb, &Caps::default()), "");
}

#[test]
fn a_signal_ends_both_passes() {
    let bench = Bench::of(Tar::home().file("x", &vec![1; 3 << 20]));
    let checked = bench.check(Maker::Ours).expect("passes");
    for allowed in [0, 1, 5] {
        let asked = std::cell::Cell::new(0);
        let stop = || asked.replace(asked.get() + 1) >= allowed;
        let error = check(&bench.archive(), Maker::Ours, &Caps::default(), &stop);
        assert_eq!(error.expect_err("stops").kind(), Kind::Interrupted);
        asked.set(0);
        let staging = bench.staging();
        let error = extract(&bench.archive(), &checked, &staging, ALL, &stop);
        assert_eq!(error.expect_err("stops").kind(), Kind::Interrupted);
        fs::remove_dir_all(staging).expect("removes");
    }
}

#[test]
fn an_archive_that_changed_since_its_check_is_refused() {
    let tar = Tar::home().file("x", b"old");
    let bench = Bench::of(tar.clone());
    let checked = bench.check(Maker::Ours).expect("passes");
    let sound = gzip(&tar.clone().end());
    let mut stored = GzEncoder::new(Vec::new(), Compression::none());
    stored.write_all(&tar.clone().end()).expect("compresses");
    for other in [
        gzip(&Tar::home().file("x", b"new").end()),
        gzip(&Tar::home().file("y", b"old").end()),
        gzip(&Tar::home().end()),
        gzip(&tar.clone().file("z", b"").end()),
        gzip(&Tar::home().link("x", "/etc").end()),
        gzip(&[tar.end(), vec![0; 512]].concat()),
        stored.finish().expect("compresses"),
        sound[..sound.len() - 1].to_vec(),
    ] {
        fs::write(bench.archive(), other).expect("writes");
        let error = bench.extract(&checked).expect_err("refuses");
        assert_eq!(error.kind(), Kind::ArchiveDamaged, "{error}");
        for name in ["y", "z"] {
            assert!(!bench.staging().join(name).exists(), "{name} was written");
        }
        fs::remove_dir_all(bench.staging()).expect("removes");
    }
    fs::write(bench.archive(), sound).expect("writes");
    bench.extract(&checked).expect("extracts");
}

#[test]
fn the_second_pass_inflates_no_more_than_the_first() {
    let tar = Tar::home().end();
    let bench = Bench::new(&gzip(&tar));
    let checked = bench.check(Maker::Ours).expect("passes");
    fs::write(bench.archive(), gzip(&[tar, vec![0; 512]].concat())).expect("writes");
    let error = bench.extract(&checked).expect_err("refuses");
    assert!(
        error.to_string().contains("unpacks to more bytes"),
        "{error}"
    );
}

#[test]
fn only_what_is_wanted_is_written_with_its_parents() {
    let tar = Tar::home()
        .dir("a")
        .dir("b")
        .file("a/b/c", b"1")
        .file("a/d", b"2");
    let bench = Bench::of(tar);
    let checked = bench.check(Maker::Ours).expect("passes");
    let staging = bench.staging();
    let wanted = |path: &str| path == "a/b/c";
    extract(&bench.archive(), &checked, &staging, &wanted, NEVER).expect("extracts");
    let names: Vec<String> = tree(&staging).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a/", "a/b/", "a/b/c"]);
}

#[test]
fn nothing_that_stands_in_the_staging_directory_is_followed_or_replaced() {
    let bench = Bench::of(Tar::home().file("d/x", b"new"));
    let checked = bench.check(Maker::Ours).expect("passes");
    let outside = bench.dir.path().join("outside");
    fs::create_dir(&outside).expect("makes it");
    let staging = bench.staging();
    fs::write(staging.join("auth.json"), b"old").expect("writes");
    bench.extract(&checked).expect_err("refuses");
    assert_eq!(fs::read(staging.join("auth.json")).expect("reads"), b"old");
    #[cfg(unix)]
    {
        fs::remove_file(staging.join("auth.json")).expect("removes");
        std::os::unix::fs::symlink(&outside, staging.join("d")).expect("links");
        bench.extract(&checked).expect_err("refuses");
    }
    assert_eq!(tree(&outside), []);
}

#[cfg(unix)]
#[test]
fn a_staging_directory_that_others_may_enter_is_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let bench = Bench::of(Tar::home());
    let checked = bench.check(Maker::Ours).expect("passes");
    let staging = bench.staging();
    let link = bench.dir.path().join("link");
    symlink(&staging, &link).expect("links");
    extract(&bench.archive(), &checked, &link, ALL, NEVER).expect_err("refuses a link");
    for mode in [0o750, 0o701, 0o777] {
        fs::set_permissions(&staging, fs::Permissions::from_mode(mode)).expect("sets");
        let error = bench.extract(&checked).expect_err("refuses");
        assert!(error.to_string().contains("others may enter"), "{error}");
    }
    assert_eq!(tree(&staging), []);
}

#[test]
fn what_is_no_file_is_refused_and_what_is_missing_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let error = check(dir.path(), Maker::Ours, &Caps::default(), NEVER).expect_err("refuses");
    assert_eq!(error.kind(), Kind::ArchiveDamaged);
    let missing = dir.path().join("none.tar.gz");
    let error = check(&missing, Maker::Ours, &Caps::default(), NEVER).expect_err("refuses");
    assert_eq!(error.io_kind(), Some(std::io::ErrorKind::NotFound));
    assert!(error.to_string().contains("none.tar.gz"));
}

/// Checks the bytes and, if they pass, extracts them: both without panic, and nothing is written but below the
/// staging directory. Whatever passes can be extracted.
fn stays_inside(archive: &[u8]) {
    for maker in [Maker::Ours, FOREIGN] {
        let bench = Bench::new(archive);
        let before = tree(bench.dir.path());
        let checked = bench.check(maker);
        assert_eq!(tree(bench.dir.path()), before);
        let surveyed = survey(&bench.archive(), maker, &Caps::default(), NEVER);
        let Ok(checked) = checked else {
            if let Ok(surveyed) = surveyed {
                let error = bench.extract(&surveyed).expect_err("refused by either");
                assert_eq!(error.kind(), Kind::ArchiveDamaged, "{error}");
            }
            continue;
        };
        let surveyed = surveyed.expect("passes too");
        assert_eq!(members::content(&surveyed), members::content(&checked));
        let extracted = bench.extract(&checked);
        let is_link = |entry: &Entry| matches!(entry.kind, EntryKind::Symlink(_));
        if cfg!(not(unix)) && checked.entries.iter().any(is_link) {
            extracted.expect_err("no links on this system");
            continue;
        }
        let staging = extracted.expect("what passes is extracted");
        let restored = tree(&staging);
        for entry in &checked.entries {
            let place = staging.join(&entry.path);
            if entry.is_metadata() {
                assert!(!place.exists());
            } else if let EntryKind::Symlink(_) = entry.kind {
                // Whether it is followed or dangles, its end lies inside.
                if let Ok(end) = place.canonicalize() {
                    assert!(end.starts_with(staging.canonicalize().expect("stands")));
                }
            } else {
                assert!(place.exists(), "{entry:?} of {restored:?}");
            }
        }
        fs::remove_dir_all(&staging).expect("removes");
        assert_eq!(tree(bench.dir.path()), before);
    }
}

fn any_name() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a",
        "b",
        "A",
        "..",
        ".",
        "",
        "auth.json",
        "x.metadata.json",
        "é",
        "con",
        "c d",
    ]);
    prop::collection::vec(part, 1..5).prop_map(|parts| parts.join("/"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        stays_inside(&bytes);
        stays_inside(&gzip(&bytes));
        stays_inside(&members::in_members(&bytes, 600));
        stays_inside(&gzip(&Tar::home().raw(gnu(b'x', b"x", bytes.len() as u64), &bytes).file("y", b"").end()));
    }

    #[test]
    fn mutated_archives_do_no_harm(
        changes in prop::collection::vec((0usize..4096, any::<u8>()), 1..6),
        repair in any::<bool>(),
    ) {
        let tar = Tar::home()
            .pax(&[("path", "sessions/a"), ("mtime", "1.5")])
            .file("x", b"lines")
            .long(b'L', "d/e")
            .file("y", b"")
            .link("l", "d/e")
            .end();
        let mut mutated = tar.clone();
        for (at, byte) in &changes {
            let at = at % mutated.len();
            mutated[at] = *byte;
        }
        if repair {
            for block in mutated.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar") {
                let mut header = Header::from_byte_slice(block).clone();
                header.set_cksum();
                block.copy_from_slice(header.as_bytes());
            }
        }
        stays_inside(&gzip(&mutated));
        stays_inside(&members::in_members(&mutated, 600));
        for mut packed in [gzip(&tar), members::in_members(&tar, 600)] {
            for (at, byte) in &changes {
                let at = at % packed.len();
                packed[at] = *byte;
            }
            stays_inside(&packed);
        }
    }

    #[test]
    fn hostile_trees_do_no_harm(
        entries in prop::collection::vec(
            (prop::sample::select(b"00000552222LKx1".to_vec()), any_name(), any_name()),
            1..7,
        ),
    ) {
        let mut tar = Tar::default();
        for (kind, name, other) in entries {
            tar = match kind {
                b'2' => tar.link(&name, &other),
                b'L' | b'K' => tar.long(kind, &name),
                b'x' => tar.pax(&[("path", &name), ("linkpath", &other)]),
                b'0' => tar.file(&name, other.as_bytes()),
                _ => tar.entry(kind, name.as_bytes(), b""),
            };
        }
        let tar = tar.end();
        stays_inside(&gzip(&tar));
        stays_inside(&members::in_members(&tar, 600));
    }
}

#[test]
fn a_link_that_is_never_restored_need_not_be_safe() {
    let tar = Tar::home().link("control/socket", "/tmp/elsewhere");
    assert_refused(tar.clone(), FOREIGN, "absolute");
    let maker = Maker::Foreign(|path| path.starts_with("control/"));
    Bench::of(tar).check(maker).expect("passes");
}

//! Archives made of our own members: read by several threads as by one, and no byte of them may be another.

use super::super::description as description_of;
use super::*;
use crate::archive::manifest::{Absent, Cause, Nature, What};
use crate::archive::member::{BLOCK, HEAD, Head, Key, Packer};
use crate::archive::reuse::Reuse;
use crate::archive::write::{self, Content, Frame, How, Outcome};
use crate::metadata::{ARCHIVE_FORMAT, Account, Sidecar};

/// What the writer makes of `entries`.
pub(super) fn written(entries: &[write::Entry]) -> Vec<u8> {
    let account = alice();
    let description = description(&account);
    let absent = Absent {
        path: "control".to_owned(),
        kind: What::Socket,
        cause: Cause::Kind,
        reason: "it is a socket".to_owned(),
        target: None,
    };
    let frame = Frame {
        name: "x-codex.metadata.json",
        description: &description,
        manifest_name: "x-codex.manifest.metadata.json",
        account: &account,
        absent: &[absent],
        late: None,
    };
    let how = How {
        level: 6,
        threads: 2,
        reuse: &Reuse::default(),
        known: &crate::archive::known::Known::default(),
        told: None,
        progress: &crate::ui::progress::UNTOLD,
    };
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("x");
    let mut file = fs::File::create_new(&path).expect("makes");
    let outcome = write::write(&mut file, &path, &frame, entries, &how, NEVER).expect("writes");
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    fs::read(&path).expect("reads")
}

pub(super) fn alice() -> Account {
    Account::of_email("alice@example.com")
}

pub(super) fn description(account: &Account) -> Vec<u8> {
    let sidecar = Sidecar {
        email: account.email.clone(),
        user_id: account.user_id.clone(),
        account_id: account.account_id.clone(),
        archive_format: Some(ARCHIVE_FORMAT),
        ..Sidecar::default()
    };
    serde_json::to_vec(&sidecar).expect("writes")
}

pub(super) fn entry(path: &str, content: Content) -> write::Entry {
    write::Entry {
        path: path.to_owned(),
        content,
        nature: Nature::Plain,
        executable: path.starts_with("bin/"),
        mtime: 1_600_000_000,
        mtime_nanos: 0,
    }
}

pub(super) fn bytes(path: &str, content: &[u8]) -> write::Entry {
    entry(path, Content::Bytes(content.to_vec()))
}

pub(super) fn file(dir: &TempDir, name: &str, content: &[u8]) -> write::Entry {
    let source = dir.path().join(name.replace('/', "_"));
    fs::write(&source, content).expect("writes");
    let size = content.len() as u64;
    entry(name, Content::File { source, size })
}

/// A few small files.
pub(super) fn small() -> Vec<u8> {
    written(&[
        bytes("auth.json", b"{}"),
        entry("sessions", Content::Dir),
        bytes("sessions/a.jsonl", b"a line\n"),
        bytes("sessions/empty", b""),
    ])
}

/// Files around every border, some in blocks of their own.
pub(super) fn home(dir: &TempDir) -> Vec<write::Entry> {
    let noise = |length: usize| -> Vec<u8> {
        (0..length)
            .map(|place| u8::try_from(place * place / 7 % 251).expect("small"))
            .collect()
    };
    let mut entries = vec![
        bytes("auth.json", b"{}"),
        entry("bin", Content::Dir),
        bytes("bin/run", b"#!/bin/sh\n"),
        entry("sessions", Content::Dir),
    ];
    let lengths = [
        0,
        1,
        511,
        512,
        513,
        100_000,
        256 << 10,
        (256 << 10) + 1,
        BLOCK,
        BLOCK + 1,
        2 * BLOCK + 777,
    ];
    for length in lengths {
        entries.push(file(dir, &format!("sessions/{length}"), &noise(length)));
    }
    entries
}

/// The members of `archive`.
pub(super) fn members(archive: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = archive;
    let mut members = Vec::new();
    while !rest.is_empty() {
        let head = Head::parse(rest).expect("a header");
        let (member, behind) = rest.split_at(head.size as usize);
        members.push(member.to_vec());
        rest = behind;
    }
    members
}

pub(super) fn inflated(archive: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    MultiGzDecoder::new(archive)
        .read_to_end(&mut content)
        .expect("inflates");
    content
}

pub(super) fn member(plain: &[u8], level: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let head = Packer::new(level).pack(Key::of(plain, None, level), plain, &mut out);
    head.expect("packs");
    out
}

/// The tar in members of `length` plain bytes, wherever that cuts it.
pub(super) fn in_members(tar: &[u8], length: usize) -> Vec<u8> {
    tar.chunks(length)
        .flat_map(|plain| member(plain, 6))
        .collect()
}

fn checked_by(threads: usize, bench: &Bench) -> Result<Checked> {
    let caps = Caps::default();
    judge(
        Depth::All,
        threads,
        &bench.archive(),
        Maker::Ours,
        &caps,
        NEVER,
    )
}

/// All that does not depend on how the bytes are packed.
pub(super) fn content(checked: &Checked) -> impl PartialEq + std::fmt::Debug {
    (
        checked.entries.clone(),
        checked.auth_json.clone(),
        checked.metadata_json.clone(),
        checked.total_bytes,
        checked.file_count,
    )
}

#[test]
fn members_are_read_as_any_other_gzip_whatever_the_threads() {
    let dir = tempfile::tempdir().expect("a directory");
    let archive = written(&home(&dir));
    let serial = Bench::new(&gzip(&inflated(&archive)));
    let serial = serial.check(Maker::Ours).expect("passes");
    assert_eq!(serial.entries.len(), 17);
    let bench = Bench::new(&archive);
    let hash = fsutil::hex(&Sha256::digest(&archive));
    for threads in [1, 2, 8] {
        let checked = checked_by(threads, &bench).expect("passes");
        assert_eq!(content(&checked), content(&serial), "{threads} threads");
        assert_eq!(checked.sha256.as_ref(), Some(&hash));
        assert_eq!(checked.size_bytes, archive.len() as u64);
    }
}

#[test]
fn members_may_cut_a_tar_anywhere() {
    let tar = Tar::home()
        .file("a/b", &[b'x'; 2000])
        .dir("d")
        .file("d/e", b"1")
        .end();
    for length in [1, 7, 511, 512, 513, 1536, 100_000] {
        let bench = Bench::new(&in_members(&tar, length));
        let checked = bench.check(Maker::Ours).expect("passes");
        assert_eq!(paths(&checked), ["auth.json", "a/b", "d", "d/e"]);
    }
}

#[test]
fn the_tar_in_members_is_judged_as_any_other() {
    for (tar, word) in [
        (Tar::home().file("../x", b"").end(), "leads out"),
        (Tar::home().file("auth.json", b"x").end(), "twice"),
        (Tar::home().link("x", "y").end(), "symbolic link"),
        (Tar::home().0, "end mark"),
        (
            [Tar::home().end(), vec![1; 512]].concat(),
            "follows its end mark",
        ),
    ] {
        for length in [512, 700] {
            let text = Bench::new(&in_members(&tar, length)).refusal(Maker::Ours);
            assert!(text.contains(word), "{word:?} is not in: {text}");
        }
    }
    let caps = Caps {
        total_bytes: 5000,
        entries: 3,
        ..Caps::default()
    };
    let judge = |archive: &[u8]| {
        let bench = Bench::new(archive);
        let checked = check(&bench.archive(), Maker::Ours, &caps, NEVER);
        checked.map_or_else(|error| error.to_string(), |_| String::new())
    };
    let fits = Tar::home().file("x", &[7; 100]).end();
    assert_eq!(judge(&in_members(&fits, 512)), "");
    assert!(judge(&in_members(&fits, 100)).contains("more members"));
    let large = Tar::home().file("x", &[7; 3000]).end();
    assert!(judge(&in_members(&large, 1000)).contains("archive.max_bytes"));
    let bench = Bench::new(&in_members(&large, 1000));
    for allowed in [0, 1] {
        let asked = std::cell::Cell::new(0);
        let stop = || asked.replace(asked.get() + 1) >= allowed;
        let error = check(&bench.archive(), Maker::Ours, &Caps::default(), &stop);
        assert_eq!(error.expect_err("stops").kind(), Kind::Interrupted);
    }
}

#[test]
fn a_bit_flipped_anywhere_in_members_is_refused() {
    let sound = small();
    assert_eq!(members(&sound).len(), 3);
    Bench::new(&sound).check(Maker::Ours).expect("passes");
    let mut starts = vec![0];
    for member in members(&sound) {
        starts.push(starts[starts.len() - 1] + member.len());
    }
    for place in 0..sound.len() {
        let is_of_a_header = starts
            .iter()
            .any(|start| (*start..start + HEAD).contains(&place));
        for bit in 0..8 {
            if bit == place % 8 || is_of_a_header {
                let mut flipped = sound.clone();
                flipped[place] ^= 1 << bit;
                Bench::new(&flipped).refusal(Maker::Ours);
            }
        }
    }
}

#[test]
fn members_cut_at_any_byte_are_refused_and_so_is_what_follows_them() {
    let sound = small();
    for length in 0..sound.len() {
        let text = Bench::new(&sound[..length]).refusal(Maker::Ours);
        let is_told = text.contains("cut off") || text.contains("without its end mark");
        assert!(is_told || length == 0, "{length}: {text}");
    }
    let more = member(&[0; 512], 6);
    let other_level = member(&[0; 512], 5);
    Bench::new(&[&sound[..], &more].concat())
        .check(Maker::Ours)
        .expect("zeros may follow the end mark");
    for tail in [
        &[0][..],
        &[0; 512],
        b"x",
        &gzip(b""),
        &gzip(&[0; 512]),
        &other_level,
        &sound,
    ] {
        Bench::new(&[&sound[..], tail].concat()).refusal(Maker::Ours);
    }
    Bench::new(&[&gzip(b"")[..], &sound].concat()).refusal(Maker::Ours);
}

#[test]
fn a_description_that_comes_first_is_read_without_the_rest() {
    let told = |archive: &[u8]| description_of(&Bench::new(archive).archive());
    let text = description(&alice());
    let archive = small();
    assert_eq!(told(&archive), Some(text.clone()));
    assert_eq!(told(&gzip(&inflated(&archive))), Some(text.clone()));
    // Nothing behind the first member is looked at.
    let first = members(&archive)[0].clone();
    assert_eq!(told(&first), Some(text.clone()));
    assert_eq!(told(&[&first[..], b"rubbish"].concat()), Some(text.clone()));
    // As Python writes it.
    let python = Tar::default()
        .pax(&[("mtime", "1700000001.75")])
        .raw(ustar(b'0', "x.metadata.json", 2), b"{}");
    let noise: Vec<u8> = (0u32..300_000)
        .flat_map(|n| n.wrapping_mul(n).to_le_bytes())
        .collect();
    let long = gzip(&python.clone().file("x", &noise).end());
    assert_eq!(told(&long), Some(b"{}".to_vec()));
    assert_eq!(told(&long[..long.len() / 2]), Some(b"{}".to_vec()));

    let damaged = {
        let mut first = first.clone();
        let place = first.len() - 20;
        first[place] ^= 1;
        first
    };
    let last = Tar::home().file("x.metadata.json", b"{}").end();
    let below = Tar::default().file("d/x.metadata.json", b"{}").end();
    let manifest = Tar::default().file("x.manifest.metadata.json", b"{}").end();
    let large = Tar::default()
        .file("x.metadata.json", &vec![b' '; 1 << 21])
        .end();
    let outside = Tar::default().file("../x.metadata.json", b"{}").end();
    for archive in [
        damaged,
        first[..first.len() - 1].to_vec(),
        gzip(&last),
        gzip(&below),
        gzip(&manifest),
        gzip(&large),
        gzip(&outside),
        Vec::new(),
        b"rubbish".to_vec(),
    ] {
        assert_eq!(told(&archive), None);
    }
    let dir = tempfile::tempdir().expect("a directory");
    assert_eq!(description_of(dir.path()), None);
    assert_eq!(description_of(&dir.path().join("none")), None);
}

//! The reader of archives, of one member and of many, and members by themselves. Changes of the tar are packed again, so
//! that they get past the checksums.

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use tar::Header;
use tempfile::TempDir;

use super::mutate::Mutator;
use super::{run, seeds};
use crate::archive::entry_name;
use crate::archive::member::{BLOCK, HEAD, Head, Key, Packer, Unpacker, is_untouched};
use crate::archive::read::{self, Caps, Checked, EntryKind, Maker};
use crate::error::Kind;
use crate::fsutil;

const WORDS: [&str; 24] = [
    "../",
    "/etc/passwd",
    "./auth.json",
    "AUTH.JSON",
    "auth.json",
    "sessions/",
    "x.metadata.json",
    "x.manifest.metadata.json",
    "\0",
    "ustar\x0000",
    "ustar  \0",
    "20 path=../../x\n",
    "11 size=99\n",
    "9 mtime=1\n",
    "22 GNU.sparse.major=1\n",
    "\u{1b}[2J",
    "CON",
    "caf\u{e9}",
    "cafe\u{301}",
    "\\",
    ":",
    "0",
    "5",
    "2",
];

const FOREIGN: Maker = Maker::Foreign(|_| false);

/// Small, so that no input can ask for much.
const CAPS: Caps = Caps {
    entries: 500,
    total_bytes: 4 << 20,
    ratio: 1032,
    ratio_from: 4 << 20,
    header_bytes: 64 << 10,
    name_bytes: 1 << 20,
};

/// How often `stop` may be asked: once for each piece, of which there are few for inputs of that size.
const MOST_WORK: usize = 4000;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("compresses");
    encoder.finish().expect("compresses")
}

/// What any reader inflates it to; None where it is damaged, or too large for these tests.
fn inflated(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let most = CAPS.total_bytes + 1;
    MultiGzDecoder::new(bytes)
        .take(most)
        .read_to_end(&mut plain)
        .ok()?;
    (plain.len() as u64 <= CAPS.total_bytes).then_some(plain)
}

/// Checks the archive; whatever passes is safe, is what other readers find, and can be extracted.
fn judge(dir: &Path, archive: &[u8], is_extracted: bool) -> bool {
    let path = dir.join("a.tar.gz");
    fs::write(&path, archive).expect("writes");
    let mut passed = false;
    for maker in [Maker::Ours, FOREIGN] {
        let asked = Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            assert!(asked.get() < MOST_WORK, "it works without end");
            false
        };
        let surveyed = read::survey(&path, maker, &CAPS, &stop);
        match read::check(&path, maker, &CAPS, &stop) {
            Ok(checked) => {
                passed = true;
                assert_eq!(surveyed.expect("passes too").entries, checked.entries);
                is_safe(&checked, maker);
                is_what_others_find(&checked, archive);
                if is_extracted {
                    extracts(dir, &path, &checked);
                }
            }
            Err(error) => {
                assert_eq!(error.kind(), Kind::ArchiveDamaged, "{error}");
                assert!(!error.to_string().chars().any(char::is_control), "{error}");
                if let Ok(surveyed) = surveyed {
                    is_refused_late(dir, &path, &surveyed);
                }
            }
        }
    }
    let _ = read::description(&path);
    passed
}

fn is_safe(checked: &Checked, maker: Maker) {
    assert!(!checked.entries.is_empty());
    let mut keys = HashSet::new();
    let (mut files, mut bytes) = (0, 0);
    for entry in &checked.entries {
        assert_eq!(
            entry_name::check(entry.path.as_bytes()).as_ref(),
            Ok(&entry.path)
        );
        let key = entry_name::collision_key(&entry.path);
        assert!(key != "auth.json" || (entry.path == key && entry.kind == EntryKind::File));
        assert!(keys.insert(key), "{} is there twice", entry.path);
        assert!((0..=253_402_300_799).contains(&entry.mtime));
        match &entry.kind {
            EntryKind::File if !entry.is_metadata() => {
                files += 1;
                bytes += entry.size;
            }
            EntryKind::File => {}
            EntryKind::Dir => assert_eq!(entry.size, 0),
            EntryKind::Symlink(target) => {
                assert!(matches!(maker, Maker::Foreign(_)));
                let depth = entry.path.matches('/').count();
                let ups = target.split('/').filter(|part| *part == "..").count();
                assert!(!target.starts_with('/') && ups <= depth, "{entry:?}");
            }
        }
    }
    assert_eq!((files, bytes), (checked.file_count, checked.total_bytes));
    assert!(
        checked
            .auth_json
            .as_ref()
            .is_none_or(|login| login.len() <= 1 << 20)
    );
}

/// The files, as the `tar` crate finds them.
fn is_what_others_find(checked: &Checked, archive: &[u8]) {
    let plain = inflated(archive).expect("what passes is whole");
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(plain.as_slice())
        .entries()
        .expect("a tar")
    {
        let entry = entry.expect("an entry");
        if entry.header().entry_type().is_file() {
            let path = entry_name::check(&entry.path_bytes()).expect("a safe name");
            found.insert(path, entry.size());
        }
    }
    let files = checked
        .entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::File);
    let ours: BTreeMap<String, u64> = files
        .map(|entry| (entry.path.clone(), entry.size))
        .collect();
    assert_eq!(ours, found);
}

#[cfg(unix)]
fn extracts(dir: &Path, path: &Path, checked: &Checked) {
    let staging = dir.join("staging");
    fsutil::create_private_dir(&staging).expect("makes");
    read::extract(path, checked, &staging, &|_| true, &|| false).expect("what passes is extracted");
    let inside = staging.canonicalize().expect("stands");
    for entry in checked.entries.iter().filter(|entry| !entry.is_metadata()) {
        let place = staging.join(&entry.path);
        match &entry.kind {
            EntryKind::File => assert_eq!(fs::metadata(&place).expect("stands").len(), entry.size),
            EntryKind::Dir => assert!(place.is_dir()),
            EntryKind::Symlink(_) => {
                let end = place.canonicalize();
                assert!(end.is_err() || end.is_ok_and(|end| end.starts_with(&inside)));
            }
        }
    }
    fs::remove_dir_all(&staging).expect("removes");
    let names = fs::read_dir(dir).expect("lists").flatten().count();
    assert_eq!(names, 1, "something was written elsewhere");
}

/// What a survey left to the unpacking is refused by it.
fn is_refused_late(dir: &Path, path: &Path, surveyed: &Checked) {
    let staging = dir.join("staging");
    fsutil::create_private_dir(&staging).expect("makes");
    let error = read::extract(path, surveyed, &staging, &|_| true, &|| false).expect_err("refuses");
    assert_eq!(error.kind(), Kind::ArchiveDamaged, "{error}");
    fs::remove_dir_all(&staging).expect("removes");
}

#[cfg(not(unix))]
fn extracts(_: &Path, _: &Path, _: &Checked) {}

/// Every header's checksum made to fit.
fn repair(tar: &mut [u8]) {
    for block in tar
        .chunks_exact_mut(512)
        .filter(|block| &block[257..262] == b"ustar")
    {
        let mut header = Header::from_byte_slice(block).clone();
        header.set_cksum();
        block.copy_from_slice(header.as_bytes());
    }
}

/// The tar in members of some program: in one, in several, in some of ours, all of them mixed.
fn packed(mutator: &mut Mutator, tar: &[u8]) -> Vec<u8> {
    let kind = mutator.below(4);
    if kind == 0 {
        return gzip(tar);
    }
    let mut rest = tar;
    let mut archive = Vec::new();
    let mut packer = Packer::new(1);
    while !rest.is_empty() {
        let most = [1, 512, 1000, 4096, 40_000][mutator.below(5)];
        let (piece, behind) = rest.split_at(rest.len().min(1 + mutator.below(most)));
        // Not thousands of members of a few bytes.
        let (piece, behind) = if archive.len() > 20_000 {
            (rest, &[][..])
        } else {
            (piece, behind)
        };
        rest = behind;
        let is_ours = kind == 1 || (kind == 2 && mutator.one_of(2));
        if is_ours && piece.len() <= BLOCK {
            let part = mutator.one_of(8).then_some(0);
            let mut member = Vec::new();
            packer
                .pack(Key::of(piece, part, 1), piece, &mut member)
                .expect("a block");
            archive.extend_from_slice(&member);
        } else {
            archive.extend_from_slice(&gzip(piece));
        }
    }
    archive
}

fn tars() -> Vec<Vec<u8>> {
    let archives = seeds("fuzz/archives");
    archives
        .iter()
        .map(|archive| inflated(archive).expect("whole"))
        .collect()
}

#[test]
fn archives_as_they_lie() {
    let dir = TempDir::new().expect("a directory");
    run(
        "archives as they lie",
        &seeds("fuzz/archives"),
        Some(&WORDS),
        |_, bytes| judge(dir.path(), bytes, true),
    );
}

#[test]
fn archives_packed_again() {
    let dir = TempDir::new().expect("a directory");
    run(
        "archives packed again",
        &tars(),
        Some(&WORDS),
        |mutator, tar| {
            let mut tar = tar.to_vec();
            if !mutator.one_of(4) {
                repair(&mut tar);
            }
            if mutator.one_of(4) {
                tar.resize(tar.len().next_multiple_of(512) + 1024, 0);
            }
            let archive = packed(mutator, &tar);
            let is_extracted = mutator.one_of(8);
            judge(dir.path(), &archive, is_extracted)
        },
    );
}

/// The members of an archive of ours, each whole.
fn members_of(archive: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = archive;
    let mut members = Vec::new();
    while let Some(head) = Head::parse(rest) {
        let Some((member, behind)) = rest.split_at_checked(head.size as usize) else {
            break;
        };
        members.push(member.to_vec());
        rest = behind;
    }
    members
}

#[test]
fn archives_whose_members_were_exchanged() {
    let dir = TempDir::new().expect("a directory");
    let archives = seeds("fuzz/archives");
    let ours: Vec<Vec<u8>> = archives
        .into_iter()
        .filter(|archive| Head::parse(archive).is_some())
        .collect();
    let members: Vec<Vec<u8>> = ours
        .iter()
        .flat_map(|archive| members_of(archive))
        .collect();
    run(
        "archives of other members",
        &ours,
        None,
        |mutator, bytes| {
            let mut order = members_of(bytes);
            for _ in 0..=mutator.below(3) {
                let (at, from) = (mutator.below(order.len() + 1), mutator.below(members.len()));
                match mutator.below(6) {
                    0 => order.insert(at, members[from].clone()),
                    1 if at < order.len() => drop(order.remove(at)),
                    2 if at < order.len() => {
                        let other = mutator.below(order.len());
                        order.swap(at, other);
                    }
                    3 => order.insert(at, gzip(&[0; 512])),
                    4 => {
                        if let Some(member) = order.get_mut(at) {
                            resealed(mutator, member);
                        }
                    }
                    _ => {}
                }
            }
            judge(dir.path(), &order.concat(), false)
        },
    );
}

/// Changes a member and makes the hash of its body fit again.
fn resealed(mutator: &mut Mutator, member: &mut Vec<u8>) {
    mutator.mutate(member, &[], &[]);
    if let Some((head, body)) = member.split_at_mut_checked(HEAD) {
        head[64..].copy_from_slice(blake3::hash(body).as_bytes());
    }
}

#[test]
fn members() {
    run(
        "members",
        &seeds("fuzz/members"),
        Some(&[]),
        |mutator, bytes| {
            let mut member = bytes.to_vec();
            if mutator.one_of(2) {
                resealed(mutator, &mut member);
            }
            let Some(head) = Head::parse(&member) else {
                return false;
            };
            let mut out = Vec::new();
            let is_taken = Unpacker::new().unpack(&head, &member, &mut out).is_ok();
            assert!(out.capacity() <= 2 * BLOCK);
            if is_taken {
                assert!(is_untouched(&head, &member));
                let level = head.key.level;
                assert_eq!(Key::of(&out, head.key.part, level), head.key);
                assert_eq!(inflated(&member), Some(out));
            }
            is_taken
        },
    );
}

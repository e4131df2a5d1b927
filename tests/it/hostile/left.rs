//! What a restore judges only while it unpacks, the content of large files, refuses it as any other damage: nothing of the
//! live home was touched by then, and nothing stays of what was unpacked.

use std::fs;
use std::io::Write;
use std::time::SystemTime;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use super::members::{HASH, HEAD, PACKED, PART, SIZE, inflated, members_of, number, sealed, set};
use super::{BACKUPS, BASE, Beside, HINT, all, put, sidecar, world};
use crate::common::{Env, Person};

const DAMAGED: &str = "its compressed data is damaged, or bytes follow its end";

/// What cannot be compressed, other for each seed.
fn noise(length: usize, mut seed: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(seed ^ (seed >> 29)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A snapshot of a home with a file of one block and one of two, in its members, and what says of it whose it is.
fn large() -> (Vec<Vec<u8>>, serde_json::Value) {
    let env = Env::new();
    let person = Person::named("alice");
    env.codex_home(&person);
    env.write("status.txt", &person.panel(66, "15:55 on 21 Apr"));
    for (name, length) in [("one", 300_000), ("two", 1_400_000)] {
        let place = env.path(&format!(".codex/sessions/{name}.bin"));
        fs::create_dir_all(place.parent().expect("a directory")).expect("makes");
        fs::write(place, noise(length, length as u64)).expect("writes");
    }
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
    let archive = fs::read(env.path(&format!("{BACKUPS}/{BASE}.tar.gz"))).expect("reads");
    let sidecar = env.read(&format!("{BACKUPS}/{BASE}.metadata.json"));
    (
        members_of(&archive),
        serde_json::from_str(&sidecar).expect("JSON"),
    )
}

/// The member with `plain` in it, all of it fitting that, but for what its header says of the content.
fn holding(member: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut deflate = DeflateEncoder::new(member[..HEAD].to_vec(), Compression::none());
    deflate.write_all(plain).expect("compresses");
    let mut member = deflate.finish().expect("compresses");
    let mut crc = Crc::new();
    crc.update(plain);
    member.extend_from_slice(&crc.sum().to_le_bytes());
    let length = u32::try_from(plain.len()).expect("short");
    member.extend_from_slice(&length.to_le_bytes());
    let size = u32::try_from(member.len()).expect("short");
    set(&mut member, SIZE, size);
    sealed(member)
}

/// Everything in the world but the lock, which says who took it last; of directories no time: the home's was written into,
/// and is as it was.
fn state(env: &Env) -> Vec<(String, Vec<u8>, Option<SystemTime>, u32)> {
    let is_lock = |path: &str| path.ends_with(".codex-manager/lock");
    let entries = all(env).into_iter().filter(|(path, ..)| !is_lock(path));
    let untimed = |(path, bytes, time, mode): (String, Vec<u8>, SystemTime, u32)| {
        let is_file = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file());
        (path, bytes, Some(time).filter(|_| is_file), mode)
    };
    entries.map(untimed).collect()
}

/// Refused by both commands in the same words, into a home that stands and into one that does not, whole and for the
/// login alone; everything is as it was.
#[track_caller]
fn refused(env: &Env, what: &str, is_first: bool, reason: &str) {
    let told =
        format!("`~/{BACKUPS}/{BASE}.tar.gz` is damaged or unsafe: {reason}\nhint: {HINT}\n");
    let before = state(env);
    let listed = env.run(&["list-backups", "--verify"]).code(3);
    assert!(listed.stdout.contains("damaged"), "{what}");
    let ways = [
        &["--yes"][..],
        &["--yes", "--dest-dir", "not/there/yet"],
        &["--yes", "--auth-only"],
        &["--yes", "--no-safety-backup"],
        &["--dry-run"],
    ];
    // The first is enough for what is refused in the same place.
    let count = if is_first { ways.len() } else { 1 };
    for more in ways.into_iter().take(count) {
        let ran = env.run(&[&["restore", BASE], more].concat()).stdout("");
        assert_eq!(ran.code, Some(13), "{what} {more:?}: {}", ran.stderr);
        assert!(
            ran.stderr.ends_with(&format!("error: {told}")),
            "{what} {more:?}: {}",
            ran.stderr
        );
        let now = state(env);
        let differing = before.iter().chain(&now);
        let differing: Vec<&str> = differing
            .filter(|entry| !before.contains(entry) || !now.contains(entry))
            .map(|(path, ..)| path.as_str())
            .collect();
        assert!(differing.is_empty(), "{what} {more:?}: {differing:?}");
    }
}

#[test]
fn large_files_that_are_not_what_was_told_are_refused_and_nothing_changes() {
    let (members, described) = large();
    let env = world();
    let vouch = |archive: &[u8]| {
        put(&env, BASE, archive, Beside::Nothing);
        let mut beside = described.clone();
        let fitting = sidecar(archive, &serde_json::json!({}));
        for field in ["archive_size_bytes", "archive_sha256"] {
            beside[field] = fitting[field].clone();
        }
        env.write(
            &format!("{BACKUPS}/{BASE}.metadata.json"),
            &beside.to_string(),
        );
    };
    // What is sound is taken, so that refusals mean something; it leaves the locks behind that later runs take.
    let honest = |member: &Vec<u8>| holding(member, &inflated(member));
    let sound: Vec<Vec<u8>> = members.iter().map(honest).collect();
    vouch(&sound.concat());
    env.run(&["restore", BASE, "--yes", "--dest-dir", "fresh"])
        .code(0);
    let restored = fs::read(env.path("fresh/sessions/two.bin")).expect("reads");
    assert!(restored == noise(1_400_000, 1_400_000));
    let of_content: Vec<usize> = (0..members.len())
        .filter(|place| number(&members[*place], PART) > 0 || members[*place].len() > 250_000)
        .collect();
    assert_eq!(of_content.len(), 3);
    for place in of_content {
        let own = &members[place];
        let plain = inflated(own);
        let mut other = plain.clone();
        other[1000] ^= 1;
        let end = own.len() - 8;
        let altered = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut member = own.clone();
            change(&mut member);
            let size = u32::try_from(member.len()).expect("short");
            set(&mut member, SIZE, size);
            sealed(member)
        };
        let longer = [&plain[..], &[7; 600]].concat();
        for (what, lie) in [
            ("another content", holding(own, &other)),
            ("a shorter content", holding(own, &plain[..plain.len() - 1])),
            ("a longer content", holding(own, &longer)),
            (
                "no deflate",
                altered(&|member| member[HEAD..end].fill(0xff)),
            ),
            ("another CRC", altered(&|member| member[end] ^= 1)),
            (
                "hidden bytes",
                altered(&|member| drop(member.splice(end..end, [0; 12]))),
            ),
            ("a flipped bit", {
                let mut member = own.clone();
                member[end / 2] ^= 1;
                member
            }),
        ] {
            let mut members = members.clone();
            members[place] = lie;
            let archive = members.concat();
            vouch(&archive);
            let is_first = what == "another content";
            refused(&env, &format!("{what} in {place}"), is_first, DAMAGED);
        }
        // Everything in the member fits; only the manifest knows what the file was.
        let mut members = members.clone();
        let mut lie = holding(own, &other);
        let part = number(own, PART).checked_sub(1);
        lie[HASH..PACKED].copy_from_slice(&share(&other, part));
        members[place] = lie;
        vouch(&members.concat());
        let name = if part.is_some() { "two" } else { "one" };
        refused(
            &env,
            &format!("another file in {place}"),
            true,
            &format!(
                "entry `sessions/{name}.bin`: its content is not the one that the manifest has the hash of"
            ),
        );
    }
    // Sound, and not what the sidecar was written for.
    vouch(&members.concat());
    let below = format!("{BACKUPS}/{BASE}.metadata.json");
    put(&env, BASE, &sound.concat(), Beside::Nothing);
    let mut beside = described.clone();
    beside["archive_size_bytes"] = serde_json::json!(sound.concat().len());
    env.write(&below, &beside.to_string());
    let before = state(&env);
    for more in [&[][..], &["--dest-dir", "not/there/yet"]] {
        let ran = env.run(&[&["restore", BASE, "--yes"], more].concat());
        let ran = ran.code(13).stdout("");
        let reason = "its content is not the one its sidecar has the hash of\n";
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
        assert!(state(&env) == before, "something changed");
    }
}

/// A member's hash of its content: of a whole, or a part's share of the file's.
fn share(plain: &[u8], part: Option<u32>) -> [u8; 32] {
    use blake3::hazmat::HasherExt;
    let mut hasher = blake3::Hasher::new();
    let Some(part) = part else {
        return *hasher.update(plain).finalize().as_bytes();
    };
    hasher.set_input_offset(u64::from(part) << 20);
    hasher.update(plain).finalize_non_root()
}

//! What a survey leaves to the unpacking is judged there: both together refuse what a check refuses, and as it does.

use super::members::{content, entry, file, member, members, written};
use super::*;
use crate::archive::member::{BLOCK, HEAD, Head, Key, Packer};
use crate::archive::write::Content;

/// Where a member's header tells its own length, and the hash of what follows it.
const SIZE: usize = 24;
const PACKED: usize = 64;

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

/// A file of one block, one of three, and small ones before, between and behind.
fn archive() -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a directory");
    written(&[
        file(&dir, "auth.json", b"{}"),
        entry("sessions", Content::Dir),
        file(&dir, "sessions/1", b"small\n"),
        file(&dir, "sessions/2", &noise(300_000, 2)),
        file(&dir, "sessions/3", b"small too\n"),
        file(&dir, "sessions/4", &noise(2 * BLOCK + 777, 4)),
        file(&dir, "sessions/5", b""),
    ])
}

fn survey_of(bench: &Bench) -> Result<Checked> {
    survey(&bench.archive(), Maker::Ours, &Caps::default(), NEVER)
}

/// Those that hold nothing but a large file's content.
fn of_content(members: &[Vec<u8>]) -> Vec<usize> {
    let heads = members.iter().map(|member| Head::parse(member));
    let is_content = |head: &Head| head.key.part.is_some() || head.key.plain >= 256 << 10;
    let found: Vec<usize> = heads
        .enumerate()
        .filter(|(_, head)| head.as_ref().is_some_and(is_content))
        .map(|(place, _)| place)
        .collect();
    assert_eq!(found.len(), 4);
    found
}

/// The header made to fit the rest, but for what it says of the content.
fn sealed(mut member: Vec<u8>) -> Vec<u8> {
    let size = u32::try_from(member.len()).expect("short");
    member[SIZE..SIZE + 4].copy_from_slice(&size.to_le_bytes());
    let packed = *blake3::hash(&member[HEAD..]).as_bytes();
    member[PACKED..HEAD].copy_from_slice(&packed);
    member
}

/// The member with something changed behind its header, which fits that.
fn altered(member: &[u8], change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut member = member.to_vec();
    change(&mut member);
    sealed(member)
}

/// A member that tells of the content of `member` and holds `plain`.
fn holding(member: &[u8], plain: &[u8]) -> Vec<u8> {
    let key = Head::parse(member).expect("a header").key;
    let mut out = Vec::new();
    Packer::new(key.level)
        .pack(key, plain, &mut out)
        .expect("packs");
    out
}

/// Each way in which a member can be other than it says, whatever else of it fits.
fn lies(member: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let plain = super::members::inflated(member);
    let mut other = plain.clone();
    other[plain.len() / 2] ^= 1;
    let longer = [&plain[..], &[0]].concat();
    let end = member.len() - 8;
    let mut lies = vec![
        ("another content", holding(member, &other)),
        ("a shorter content", holding(member, &plain[1..])),
        (
            "no deflate",
            altered(member, |member| member[HEAD..end].fill(0xff)),
        ),
        (
            "a deflate that is cut",
            altered(member, |member| drop(member.drain(end - 1..end))),
        ),
        (
            "hidden bytes",
            altered(member, |member| drop(member.splice(end..end, [0; 12]))),
        ),
        ("another CRC", altered(member, |member| member[end] ^= 1)),
        (
            "another length",
            altered(member, |member| member[end + 4] ^= 1),
        ),
        ("another hash of itself", {
            let mut member = member.to_vec();
            member[PACKED] ^= 1;
            member
        }),
        ("a flipped bit", {
            let mut member = member.to_vec();
            member[end - 10] ^= 1;
            member
        }),
    ];
    if longer.len() <= BLOCK {
        lies.push(("a longer content", holding(member, &longer)));
    }
    lies
}

#[test]
fn a_survey_finds_what_a_check_finds_and_what_is_unpacked_is_the_same() {
    let archive = archive();
    let bench = Bench::new(&archive);
    let checked = bench.check(Maker::Ours).expect("passes");
    let mut surveyed = survey_of(&bench).expect("passes");
    assert_eq!(content(&surveyed), content(&checked));
    assert_eq!(surveyed.manifest_of, checked.manifest_of);
    assert_eq!(surveyed.size_bytes, checked.size_bytes);
    let hash = checked.sha256.clone().expect("all of it was read");
    assert_eq!(surveyed.sha256, None);
    let unpacked = |checked: &Checked| {
        let staging = bench.extract(checked).expect("extracts");
        let tree = tree(&staging);
        fs::remove_dir_all(&staging).expect("removes");
        tree
    };
    let whole = unpacked(&checked);
    assert_eq!(whole.len(), 7);
    assert_eq!(unpacked(&surveyed), whole);
    assert!(surveyed.has_sha256(&hash));
    assert_eq!(unpacked(&surveyed), whole);
    // Where nothing was left out, it was a check.
    let bench = Bench::new(&super::members::small());
    let mut surveyed = survey_of(&bench).expect("passes");
    assert_eq!(
        surveyed.sha256,
        bench.check(Maker::Ours).expect("passes").sha256
    );
    assert!(!surveyed.has_sha256(&hash));
}

#[test]
fn an_archive_of_another_hash_is_refused_at_its_end() {
    let bench = Bench::new(&archive());
    let mut checked = survey_of(&bench).expect("passes");
    assert!(checked.has_sha256(&"0".repeat(64)));
    let error = bench.extract(&checked).expect_err("refuses");
    assert_eq!(error.kind(), Kind::ArchiveDamaged);
    assert!(error.to_string().ends_with(NOT_THE_HASH), "{error}");
}

#[test]
fn content_that_is_not_what_was_told_is_refused_when_it_is_unpacked() {
    let sound = members(&archive());
    for place in of_content(&sound) {
        for (what, lie) in lies(&sound[place]) {
            let what = format!("{what} in {place}");
            let mut members = sound.clone();
            members[place] = lie;
            let bench = Bench::new(&members.concat());
            let told = bench.refusal(Maker::Ours);
            let surveyed = survey_of(&bench).expect(&what);
            let error = bench.extract(&surveyed).expect_err(&what);
            assert_eq!(error.kind(), Kind::ArchiveDamaged, "{what}");
            assert_eq!(error.to_string(), told, "{what}");
            fs::remove_dir_all(bench.staging()).expect("removes");
            // Whether it is wanted or not.
            let staging = bench.staging();
            let login = |path: &str| path == "auth.json";
            let error = extract(&bench.archive(), &surveyed, &staging, &login, NEVER);
            assert_eq!(error.expect_err(&what).to_string(), told, "{what}");
        }
    }
}

#[test]
fn a_header_that_lies_is_refused_by_either() {
    let sound = members(&archive());
    for place in of_content(&sound) {
        // One of each field.
        for at in [0, 3, 9, 10, 12, 14, 16, 17, 18, 20, 25, 29, 40, 90] {
            let mut members = sound.clone();
            members[place][at] ^= 4;
            let bench = Bench::new(&members.concat());
            bench.refusal(Maker::Ours);
            let outcome = survey_of(&bench).and_then(|surveyed| bench.extract(&surveyed).map(drop));
            let error = outcome.expect_err("refuses");
            assert_eq!(error.kind(), Kind::ArchiveDamaged, "{place} {at}: {error}");
        }
    }
}

/// The hash in a header is believed for the time being: the manifest must have the same.
#[test]
fn content_that_the_manifest_has_another_hash_of_is_refused_by_the_survey() {
    let sound = members(&archive());
    for place in of_content(&sound) {
        let head = Head::parse(&sound[place]).expect("a header");
        let plain = noise(head.key.plain as usize, 99);
        let key = Key::of(&plain, head.key.part, head.key.level);
        let mut other = Vec::new();
        Packer::new(key.level).pack(key, &plain, &mut other);
        let mut members = sound.clone();
        members[place] = other;
        let bench = Bench::new(&members.concat());
        let told = bench.refusal(Maker::Ours);
        assert!(told.contains("the manifest has the hash of"), "{told}");
        let error = survey_of(&bench).expect_err("refuses");
        assert_eq!(error.to_string(), told);
    }
}

#[test]
fn an_archive_that_changed_since_its_survey_is_refused() {
    let sound = members(&archive());
    let bench = Bench::new(&sound.concat());
    let surveyed = survey_of(&bench).expect("passes");
    let last = sound.len() - 1;
    for (place, plain) in [(0, &b"{}"[..]), (1, b"x"), (last, b"y")] {
        let mut members = sound.clone();
        members[place] = member(plain, 6);
        fs::write(bench.archive(), members.concat()).expect("writes");
        let error = bench.extract(&surveyed).expect_err("refuses");
        assert!(
            error.to_string().ends_with("after it was checked"),
            "{error}"
        );
        fs::remove_dir_all(bench.staging()).expect("removes");
    }
    for other in [
        sound[..last].concat(),
        [sound.concat(), member(&[0; 512], 6)].concat(),
        [sound.concat(), vec![0]].concat(),
    ] {
        fs::write(bench.archive(), other).expect("writes");
        let error = bench.extract(&surveyed).expect_err("refuses");
        assert!(
            error.to_string().ends_with("after it was checked"),
            "{error}"
        );
        fs::remove_dir_all(bench.staging()).expect("removes");
    }
}

/// What is denser than text is looked into, so that bombs are refused, and holes counted, before anything is written.
#[test]
fn zeros_are_looked_into_and_all_limits_hold() {
    let dir = tempfile::tempdir().expect("a directory");
    let zeros = written(&[
        file(&dir, "auth.json", b"{}"),
        file(&dir, "zeros", &vec![0; 3 * BLOCK]),
    ]);
    let bench = Bench::new(&zeros);
    let surveyed = survey_of(&bench).expect("passes");
    assert!(surveyed.is_whole());
    let solid = |checked: &Checked| {
        let places = checked.places.iter();
        places.map(|place| place.solid).sum::<u64>()
    };
    let checked = bench.check(Maker::Ours).expect("passes");
    assert_eq!(solid(&surveyed), solid(&checked));
    let bench = Bench::new(&archive());
    let judge = |caps: Caps| {
        let [told, again] = [check, survey]
            .map(|gate| gate(&bench.archive(), Maker::Ours, &caps, NEVER).expect_err("refuses"));
        assert_eq!(told.to_string(), again.to_string());
        told.to_string()
    };
    let few = Caps {
        total_bytes: 2 * BLOCK as u64,
        ..Caps::default()
    };
    assert!(judge(few).contains("archive.max_bytes"));
    let few = Caps {
        entries: 5,
        ..Caps::default()
    };
    assert!(judge(few).contains("archive.max_entries"));
    let none = Caps {
        ratio: 0,
        ratio_from: BLOCK as u64,
        ..Caps::default()
    };
    assert!(judge(none).contains("archive.max_ratio"));
}

/// Members that small files share may be as large as a large file's: which is which is guessed, and a wrong guess changes
/// nothing.
#[test]
fn whatever_is_guessed_of_members_the_same_is_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let lengths = [200_000, 200_000, 300_000, 100, 500_000, 250_000, 250_000];
    let mut entries = vec![file(&dir, "auth.json", b"{}")];
    for (number, length) in (0..40).zip(lengths.into_iter().cycle()) {
        let name = format!("file-{number:02}");
        entries.push(file(&dir, &name, &noise(length, number)));
    }
    let sound = written(&entries);
    let bench = Bench::new(&sound);
    let checked = bench.check(Maker::Ours).expect("passes");
    for threads in [1, 2, 8] {
        let (archive, caps) = (bench.archive(), Caps::default());
        let surveyed = judge(Depth::Outline, threads, &archive, Maker::Ours, &caps, NEVER);
        let surveyed = surveyed.expect("passes");
        assert!(!surveyed.is_whole());
        assert_eq!(content(&surveyed), content(&checked));
        let staging = bench.extract(&surveyed).expect("extracts");
        for number in 0..40 {
            let name = format!("file-{number:02}");
            let length = lengths[usize::try_from(number).expect("small") % lengths.len()];
            let found = fs::read(staging.join(name)).expect("reads");
            assert!(found == noise(length, number), "{number}");
        }
        fs::remove_dir_all(staging).expect("removes");
    }
    // A tar cut by no rule of ours: large members that begin anywhere.
    let plain = super::members::inflated(&sound);
    for length in [300_000, 1 << 20] {
        let bench = Bench::new(&super::members::in_members(&plain, length));
        let surveyed = survey_of(&bench).expect("passes");
        assert_eq!(content(&surveyed), content(&checked));
        bench.extract(&surveyed).expect("extracts");
    }
}

#[test]
fn a_signal_ends_a_survey_and_the_unpacking_after_it() {
    let bench = Bench::new(&archive());
    let surveyed = survey_of(&bench).expect("passes");
    for allowed in [0, 1, 3] {
        let asked = std::cell::Cell::new(0);
        let stop = || asked.replace(asked.get() + 1) >= allowed;
        let error = survey(&bench.archive(), Maker::Ours, &Caps::default(), &stop);
        assert_eq!(error.expect_err("stops").kind(), Kind::Interrupted);
        asked.set(0);
        let staging = bench.staging();
        let error = extract(&bench.archive(), &surveyed, &staging, ALL, &stop);
        assert_eq!(error.expect_err("stops").kind(), Kind::Interrupted);
        fs::remove_dir_all(staging).expect("removes");
    }
}

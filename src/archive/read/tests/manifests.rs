//! Archives whose manifest tells something else than they hold.

use super::members::{
    alice, bytes, content, description, file, home, in_members, inflated, members, small, written,
};
use super::*;
use crate::archive::manifest::{Listed, Manifest, Nature, SCHEMA_VERSION};

const NAME: &str = "x-codex.metadata.json";
const MANIFEST: &str = "x-codex.manifest.metadata.json";

/// A manifest of a login, an empty directory and a file one may run.
fn told() -> Manifest {
    let listed = |path: &str, kind, bytes: Option<&[u8]>, mode: &str| Listed {
        path: path.to_owned(),
        kind,
        size: bytes.map_or(0, <[u8]>::len) as u64,
        mode: mode.to_owned(),
        mtime: 1_700_000_000,
        blake3: bytes.map(|bytes| blake3::hash(bytes).to_hex().to_string()),
    };
    Manifest {
        schema_version: SCHEMA_VERSION,
        account: alice(),
        files: vec![
            listed("auth.json", Nature::Plain, Some(b"{}"), "0600"),
            listed("bin", Nature::Dir, None, "0700"),
            listed("bin/run", Nature::JsonlCut, Some(b"run"), "0700"),
        ],
        not_captured: Vec::new(),
    }
}

/// All but the description and the manifest.
fn body(tar: Tar) -> Tar {
    let mut header = gnu(b'0', b"bin/run", 3);
    header.set_mode(0o755);
    tar.file("auth.json", b"{}").dir("bin").raw(header, b"run")
}

fn begun() -> Tar {
    body(Tar::default().file(NAME, &description(&alice())))
}

fn ended(tar: Tar, manifest: &Manifest) -> Tar {
    tar.file(MANIFEST, &manifest.bytes().expect("writes"))
}

/// As one member of gzip and as several of ours.
fn both(tar: &[u8]) -> [Vec<u8>; 2] {
    [gzip(tar), in_members(tar, 700)]
}

fn assert_all_refused(tar: Tar, word: &str) {
    for archive in both(&tar.end()) {
        for maker in [Maker::Ours, FOREIGN] {
            let text = Bench::new(&archive).refusal(maker);
            assert!(text.contains(word), "{word:?} is not in: {text}");
        }
    }
}

#[test]
fn what_the_manifest_tells_is_found_and_whose_it_is_is_given() {
    for archive in both(&ended(begun(), &told()).end()) {
        for maker in [Maker::Ours, FOREIGN] {
            let checked = Bench::new(&archive).check(maker).expect("passes");
            assert_eq!(checked.manifest_of, Some(alice()));
            assert_eq!((checked.file_count, checked.total_bytes), (2, 5));
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    let archive = written(&home(&dir));
    let checked = Bench::new(&archive).check(Maker::Ours).expect("passes");
    assert_eq!(checked.manifest_of, Some(alice()));
    // However the same bytes are packed: hashes are taken where no member tells them.
    for length in [1000, 300_000, 1 << 20] {
        let again = in_members(&inflated(&archive), length);
        let again = Bench::new(&again).check(Maker::Ours).expect("passes");
        assert_eq!(content(&again), content(&checked));
    }
}

#[test]
fn a_manifest_that_tells_otherwise_in_any_field_is_refused() {
    let with = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = told();
        change(&mut manifest);
        ended(begun(), &manifest)
    };
    let file = |change: &dyn Fn(&mut Listed)| with(&|manifest| change(&mut manifest.files[2]));
    for (tar, word) in [
        (
            file(&|file| file.path = "bin/ran".to_owned()),
            "another one in its place",
        ),
        (file(&|file| file.kind = Nature::Dir), "another kind"),
        (
            with(&|manifest| manifest.files[1].kind = Nature::Plain),
            "another kind",
        ),
        (file(&|file| file.size = 4), "length"),
        (file(&|file| file.mode = "0600".to_owned()), "mode"),
        (file(&|file| file.mode = "0755".to_owned()), "mode"),
        (
            with(&|manifest| manifest.files[0].mode = "0700".to_owned()),
            "mode",
        ),
        (
            with(&|manifest| manifest.files[1].mode = "0600".to_owned()),
            "mode",
        ),
        (file(&|file| file.mtime += 1), "time"),
        (file(&|file| file.blake3 = None), "hash"),
        (file(&|file| file.blake3 = Some("0".repeat(64))), "hash"),
        (
            with(&|manifest| manifest.files[0].blake3 = Some("0".repeat(64))),
            "hash",
        ),
        (
            with(&|manifest| manifest.files[1].blake3 = Some("0".repeat(64))),
            "hash",
        ),
        (
            with(&|manifest| manifest.files.swap(0, 2)),
            "another one in its place",
        ),
        (
            with(&|manifest| manifest.files.truncate(2)),
            "its manifest lacks it",
        ),
        (
            with(&|manifest| manifest.files.clear()),
            "its manifest lacks it",
        ),
        (
            with(&|manifest| {
                let mut more = manifest.files[2].clone();
                more.path = "bin/sh".to_owned();
                manifest.files.push(more);
            }),
            "the archive does not",
        ),
        (
            with(&|manifest| manifest.account.email = Some("bob@example.com".to_owned())),
            "another account",
        ),
        (
            with(&|manifest| manifest.account.user_id = Some("user".to_owned())),
            "another account",
        ),
        (
            with(&|manifest| manifest.account.account_id = Some("space".to_owned())),
            "another account",
        ),
        (with(&|manifest| manifest.schema_version = 2), "of form 2"),
    ] {
        assert_all_refused(tar, word);
    }
    assert_all_refused(begun().file(MANIFEST, b"{"), "cannot be used");
}

#[test]
fn the_manifest_is_there_once_and_last_and_behind_a_description() {
    assert_all_refused(begun(), "tells of a manifest, and it has none");
    let sound = ended(begun(), &told());
    assert_all_refused(sound.clone().file("x", b""), "follows the manifest");
    assert_all_refused(sound.clone().dir("x"), "follows the manifest");
    let twice = sound.clone().file("y.manifest.metadata.json", b"{}");
    assert_all_refused(twice, "follows the manifest");
    let second = begun().file("y.metadata.json", b"{}");
    assert_all_refused(ended(second, &told()), "its manifest lacks it");
    let mut with_second = told();
    let mut listed = with_second.files[0].clone();
    listed.path = "y.metadata.json".to_owned();
    with_second.files.push(listed);
    let second = begun().file("y.metadata.json", b"{}");
    assert_all_refused(ended(second, &with_second), "another kind");

    let early = Tar::default().file(NAME, &description(&alice()));
    assert_all_refused(body(ended(early, &told())), "its manifest has it");
    let none = ended(body(Tar::default()), &told()).end();
    let unreadable = ended(body(Tar::default().file(NAME, b"[]")), &told()).end();
    for tar in [none, unreadable] {
        for archive in both(&tar) {
            let text = Bench::new(&archive).refusal(Maker::Ours);
            assert!(text.contains("no description"), "{text}");
        }
        // Of another program that says nothing of a manifest it is a file as any other.
        Bench::new(&gzip(&tar)).check(FOREIGN).expect("passes");
    }
}

#[test]
fn a_manifest_of_which_the_description_says_nothing_is_compared_in_archives_of_ours() {
    let mut lies = told();
    lies.files[2].mtime += 1;
    let plain = Tar::default().file(NAME, br#"{"email":"alice@example.com"}"#);
    let sound = ended(body(plain.clone()), &told()).end();
    let lying = ended(body(plain), &lies).end();
    for (sound, lying) in both(&sound).iter().zip(&both(&lying)) {
        Bench::new(sound).check(Maker::Ours).expect("passes");
        Bench::new(lying).refusal(Maker::Ours);
    }
    Bench::new(&gzip(&lying)).check(FOREIGN).expect("passes");
}

#[test]
fn members_swapped_doubled_or_dropped_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    // Two directories that have members of their own, blocks, and a file that is one member.
    let text = |seed: u8, length: usize| -> Vec<u8> {
        (0..length)
            .map(|place| seed.wrapping_add(u8::try_from(place / 97 % 251).expect("small")))
            .collect()
    };
    let mut entries = vec![bytes("auth.json", b"{}")];
    for (name, seed, length) in [
        ("a/1", 1, 70_000),
        ("b/1", 2, 70_000),
        ("c/1", 3, 300_000),
        ("d/1", 4, (1 << 20) + 300_000),
        ("e/1", 5, 10),
    ] {
        let (parent, _) = name.split_once('/').expect("a parent");
        entries.push(super::members::entry(
            parent,
            crate::archive::write::Content::Dir,
        ));
        entries.push(file(&dir, name, &text(seed, length)));
    }
    for sound in [written(&entries), small()] {
        let parts = members(&sound);
        assert_eq!(parts.concat(), sound);
        for (place, part) in parts.iter().enumerate() {
            let mut dropped = parts.clone();
            dropped.remove(place);
            Bench::new(&dropped.concat()).refusal(Maker::Ours);
            Bench::new(&dropped.concat()).refusal(FOREIGN);
            for other in 0..parts.len() {
                let mut doubled = parts.clone();
                doubled.insert(other, part.clone());
                Bench::new(&doubled.concat()).refusal(Maker::Ours);
                if other < place {
                    let mut swapped = parts.clone();
                    swapped.swap(place, other);
                    Bench::new(&swapped.concat()).refusal(FOREIGN);
                }
            }
        }
        Bench::new(&parts.concat())
            .check(Maker::Ours)
            .expect("passes");
    }
}

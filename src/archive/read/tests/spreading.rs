//! Archives of our members unpacked: by several threads as by one, and only what passed.

use super::members::{bytes, entry, file, home, in_members, inflated, member, members, written};
use super::*;
use crate::archive::member::{BLOCK, HEAD};
use crate::archive::write::Content;

/// What stands in a directory: contents, modes and times.
fn state(dir: &Path) -> Vec<(String, Vec<u8>, u32, u64)> {
    let with_meta = |(name, content): (String, Vec<u8>)| {
        let place = dir.join(&name);
        #[cfg(unix)]
        let mode =
            std::os::unix::fs::MetadataExt::mode(&fs::symlink_metadata(&place).expect("stands"));
        #[cfg(not(unix))]
        let mode = 0;
        let time = if name.ends_with('/') && cfg!(not(unix)) {
            0
        } else {
            mtime(&place)
        };
        (name, content, mode, time)
    };
    tree(dir).into_iter().map(with_meta).collect()
}

fn extracted_by(threads: usize, archive: &[u8]) -> Vec<(String, Vec<u8>, u32, u64)> {
    let bench = Bench::new(archive);
    let checked = bench.check(Maker::Ours).expect("passes");
    let staging = bench.staging();
    extract_by(threads, &bench.archive(), &checked, &staging, ALL, NEVER).expect("extracts");
    state(&staging)
}

#[test]
fn what_is_unpacked_is_the_same_whatever_the_threads_and_the_cuts() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut entries = home(&dir);
    let mut empty = bytes("sessions/zzz", b"");
    empty.executable = true;
    entries.push(empty);
    // So many that they are synced by one call.
    for number in 0..70 {
        entries.push(bytes(&format!("tmp{number:02}"), b"x"));
    }
    let archive = written(&entries);
    let serial = extracted_by(1, &gzip(&inflated(&archive)));
    assert_eq!(serial.len(), 86);
    for threads in [1, 2, 8] {
        assert!(extracted_by(threads, &archive) == serial, "{threads}");
    }
    for length in [5_000, 99_999, 700_000, BLOCK] {
        let cut = in_members(&inflated(&archive), length);
        assert!(extracted_by(2, &cut) == serial, "{length}");
    }
    #[cfg(unix)]
    {
        let of = |name: &str| serial.iter().find(|(path, ..)| path == name).expect(name);
        assert_eq!(of("bin/run").2 & 0o7777, 0o700);
        assert_eq!(of("sessions/").2 & 0o7777, 0o700);
        assert_eq!(of("sessions/511").2 & 0o7777, 0o600);
    }
    let tar = Tar::home()
        .dir("a")
        .file("a/b", &[b'x'; 2000])
        .file("a/c", b"")
        .dir("d")
        .end();
    let serial = extracted_by(1, &gzip(&tar));
    for length in [1, 7, 512, 513, 4000] {
        assert!(
            extracted_by(2, &in_members(&tar, length)) == serial,
            "{length}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn long_runs_of_zeros_are_left_out() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().expect("a directory");
    let mut entries = vec![bytes("auth.json", b"{}")];
    let mut contents = Vec::new();
    // Data at the begin, in the middle, at the end, nowhere.
    for (number, length) in [3 * BLOCK, 3 * BLOCK + 17, 256 << 10, 200_000]
        .into_iter()
        .enumerate()
    {
        for place in [Some(0), Some(length / 2), Some(length - 1), None] {
            let mut content = vec![0; length];
            if let Some(place) = place {
                content[place] = 1;
            }
            let name = format!("{number}-{}", place.unwrap_or(length));
            entries.push(file(&dir, &name, &content));
            contents.push((name, content));
        }
    }
    let bench = Bench::new(&written(&entries));
    let checked = bench.check(Maker::Ours).expect("passes");
    let staging = bench.extract(&checked).expect("extracts");
    for (name, content) in &contents {
        let place = staging.join(name);
        assert!(fs::read(&place).expect("reads") == *content, "{name}");
        let meta = fs::metadata(&place).expect("stands");
        assert_eq!(meta.len(), content.len() as u64);
        assert!(meta.blocks() * 512 <= 128 << 10, "{name}: {meta:?}");
    }
}

/// A login, a large file and a small one, each in members of its own.
fn three(dir: &TempDir) -> Vec<u8> {
    let text: Vec<u8> = (0..300_000)
        .map(|place| u8::try_from(place % 251).expect("small"))
        .collect();
    written(&[
        bytes("auth.json", b"{}"),
        file(dir, "large", &text),
        entry("d", Content::Dir),
        bytes("d/small", b"small"),
    ])
}

#[test]
fn members_that_changed_since_the_check_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let sound = three(&dir);
    let bench = Bench::new(&sound);
    let checked = bench.check(Maker::Ours).expect("passes");
    let parts = members(&sound);
    let mut others = vec![
        gzip(&inflated(&sound)),
        [&sound[..], &member(&[0; 512], 6)].concat(),
        [&sound[..], b"x"].concat(),
        parts[..parts.len() - 1].concat(),
        Vec::new(),
    ];
    let mut start = 0;
    // All but the description's and the manifest's, of which nothing is unpacked.
    for part in &parts[..parts.len() - 1] {
        for place in [0, 17, HEAD - 1, HEAD, part.len() - 1] {
            if place < HEAD || start > 0 {
                let mut flipped = sound.clone();
                flipped[start + place] ^= 1;
                others.push(flipped);
            }
        }
        start += part.len();
    }
    // The same content in another member, which would pass as well.
    let mut again = parts.clone();
    let small = again.len() - 2;
    again[small] = member(&inflated(&again[small]), 7);
    others.push(again.concat());
    for (number, other) in others.iter().enumerate() {
        fs::write(bench.archive(), other).expect("writes");
        let error = bench.extract(&checked).expect_err("refuses");
        assert_eq!(error.kind(), Kind::ArchiveDamaged, "{number}: {error}");
        assert!(error.to_string().contains("it changed after"), "{error}");
        fs::remove_dir_all(bench.staging()).expect("removes");
    }
    fs::remove_file(bench.archive()).expect("removes");
    let error = bench.extract(&checked).expect_err("refuses");
    assert_eq!(error.io_kind(), Some(std::io::ErrorKind::NotFound));
    fs::write(bench.archive(), sound).expect("writes");
    fs::remove_dir_all(bench.staging()).expect("removes");
    bench.extract(&checked).expect("extracts");
}

#[test]
fn only_members_of_which_something_is_wanted_are_unpacked() {
    let dir = tempfile::tempdir().expect("a directory");
    let sound = three(&dir);
    let bench = Bench::new(&sound);
    let checked = bench.check(Maker::Ours).expect("passes");
    let parts = members(&sound);
    assert_eq!(parts.len(), 5);
    // The body of the large file's member.
    let mut damaged = sound.clone();
    damaged[parts[0].len() + parts[1].len() + parts[2].len() - 1] ^= 1;
    fs::write(bench.archive(), damaged).expect("writes");
    let small = |path: &str| path != "large";
    let staging = bench.staging();
    extract(&bench.archive(), &checked, &staging, &small, NEVER).expect("extracts");
    let names: Vec<String> = tree(&staging).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["auth.json", "d/", "d/small"]);
    fs::remove_dir_all(&staging).expect("removes");
    bench
        .extract(&checked)
        .expect_err("refuses what is damaged");
}

#[test]
fn what_stands_in_the_way_is_neither_followed_nor_replaced() {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = Bench::new(&three(&dir));
    let checked = bench.check(Maker::Ours).expect("passes");
    for name in ["auth.json", "large", "d", "d/small"] {
        let staging = bench.staging();
        let place = staging.join(name);
        if name.contains('/') {
            fs::create_dir(staging.join("d")).expect("makes it");
        }
        fs::write(&place, b"old").expect("writes");
        bench.extract(&checked).expect_err("refuses");
        assert_eq!(fs::read(&place).expect("reads"), b"old");
        fs::remove_dir_all(staging).expect("removes");
        #[cfg(unix)]
        {
            let outside = bench.dir.path().join("outside");
            let staging = bench.staging();
            if name.contains('/') {
                fs::create_dir(staging.join("d")).expect("makes it");
            }
            std::os::unix::fs::symlink(&outside, staging.join(name)).expect("links");
            bench.extract(&checked).expect_err("refuses");
            assert!(!outside.exists());
            fs::remove_dir_all(staging).expect("removes");
        }
    }
}

#[test]
fn a_signal_ends_the_unpacking() {
    let tar = Tar::home().file("x", &vec![1; 1 << 20]).end();
    let bench = Bench::new(&in_members(&tar, 5_000));
    let checked = bench.check(Maker::Ours).expect("passes");
    for allowed in [0, 1, 50] {
        let asked = std::cell::Cell::new(0);
        let stop = || asked.replace(asked.get() + 1) >= allowed;
        let staging = bench.staging();
        let error = extract(&bench.archive(), &checked, &staging, ALL, &stop);
        assert_eq!(error.expect_err("stops").kind(), Kind::Interrupted);
        fs::remove_dir_all(staging).expect("removes");
    }
}

#[test]
fn what_does_not_fit_is_not_begun() {
    assert!(check_room(Path::new("d"), 5, None).is_ok());
    assert!(check_room(Path::new("d"), 5, Some(5)).is_ok());
    let error = check_room(Path::new("d"), (5 << 20) + 1, Some(5 << 20)).expect_err("refuses");
    assert_eq!(error.kind(), Kind::Other);
    let text = "cannot unpack into `d`: 6 MiB are needed, 5 MiB are free";
    assert_eq!(error.to_string(), text);

    let dir = tempfile::tempdir().expect("a directory");
    let zeros = file(&dir, "zeros", &vec![0; 3 * BLOCK]);
    let archive = written(&[bytes("auth.json", b"{}"), zeros]);
    for (archive, of_zeros) in [(gzip(&inflated(&archive)), 3 * BLOCK as u64), (archive, 0)] {
        let bench = Bench::new(&archive);
        let mut checked = bench.check(Maker::Ours).expect("passes");
        // Long zeros are not counted where they are left out.
        let needed: Vec<u64> = checked.places.iter().map(|place| place.solid).collect();
        assert_eq!(needed[1..3], [2, of_zeros]);
        if cfg!(unix) {
            checked.places[2].solid = u64::MAX;
            let error = bench.extract(&checked).expect_err("refuses");
            assert!(error.to_string().contains("MiB are needed"), "{error}");
            assert_eq!(tree(&bench.staging()), []);
            // Only what is wanted counts.
            let login = |path: &str| path == "auth.json";
            extract(&bench.archive(), &checked, &bench.staging(), &login, NEVER).expect("fits");
        }
    }
}

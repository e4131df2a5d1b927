//! Whatever the bytes are, reading them ends with an answer.

use proptest::prelude::*;

use super::*;
use crate::archive::limits::Limits;
use crate::timeutil::Stamp;
use std::fs;

/// A file of these bytes, opened and read.
fn taken(bytes: &[u8]) -> crate::error::Result<Parcel> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    fs::write(&file, bytes).expect("writes");
    let room = dir.path().join("room");
    fs::create_dir(&room).expect("makes");
    let nobody = |_| Err(crate::error::Error::other("no key", "none"));
    let opened = open(&file, "file", &nobody)?;
    let reading = Reading {
        what: "file",
        dir: &room,
        limits: &Limits::default(),
        now: Stamp::parse("2026-04-19T15:30:00Z").expect("a time"),
        stop: &|| false,
    };
    let outcome = read(opened, &reading);
    // Nothing is ever put anywhere else.
    assert_eq!(fs::read_dir(dir.path()).expect("lists").count(), 2);
    outcome
}

const PYTHON: &[u8] = include_bytes!("../../fixtures/export/python-1.0.0.tar.gz");

/// The same without its compression.
fn tar() -> Vec<u8> {
    use std::io::Read;
    let mut raw = Vec::new();
    let read = flate2::read::GzDecoder::new(PYTHON).read_to_end(&mut raw);
    read.expect("inflates");
    raw
}

fn packed(raw: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(raw).expect("packs");
    gzip.finish().expect("packs")
}

#[test]
fn a_sound_one_is_read() {
    let parcel = taken(PYTHON).expect("sound");
    assert_eq!(
        (parcel.snapshots.len(), parcel.bundle.inventory.len()),
        (2, 1)
    );
    taken(&packed(&tar())).expect("sound");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_changed_it_is_refused_or_of_the_same_form(
        place in 0_usize..1 << 20,
        value in any::<u8>(),
        is_packed in any::<bool>(),
        cut in prop::option::of(0_usize..1 << 20),
    ) {
        let mut raw = tar();
        let place = place % raw.len();
        raw[place] = value;
        if let Some(cut) = cut {
            raw.truncate(cut % (raw.len() + 1));
        }
        let bytes = if is_packed { packed(&raw) } else { raw };
        match taken(&bytes) {
            Ok(parcel) => prop_assert!(parcel.snapshots.len() <= 2),
            Err(error) => prop_assert!(!error.to_string().chars().any(char::is_control), "{error}"),
        }
    }
}

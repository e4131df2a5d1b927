//! Directories of snapshots listed, and single ones checked.

use super::*;
use std::collections::BTreeSet;

fn utc() -> Zone {
    Zone::named("UTC").expect("a zone")
}

fn put(dir: &Path, name: &str, content: &str) {
    fs::create_dir_all(dir.join(name).parent().expect("a parent")).expect("makes");
    fs::write(dir.join(name), content).expect("writes");
}

const SIDECAR: &str =
    r#"{"product":"codex","email":"a@example.com","created_at":"2026-04-15T00:00:00Z"}"#;

#[test]
fn every_layout_is_found_and_links_are_not_snapshots() {
    let dir = tempfile::tempdir().expect("a directory");
    for name in [
        "2026-04-14-155500-a@example.com-codex",
        "auth/a@example.com/latest",
        "sessions/a@example.com/backup-2026-04-14-155500-codex",
    ] {
        put(dir.path(), &format!("{name}.tar.gz"), "x");
        put(dir.path(), &format!("{name}.metadata.json"), SIDECAR);
    }
    put(dir.path(), "a@example.com-latest-codex.tar.gz", "x");
    put(dir.path(), "notes.txt", "x");
    let listing = list(dir.path(), &utc(), Depth::Whole).expect("lists");
    assert_eq!((listing.snapshots.len(), listing.problems), (3, Vec::new()));
}

/// The archive `name` in `dir` as the writer makes it of one file, which says of itself what `inside` says.
fn put_archive(dir: &Path, name: &str, inside: &Sidecar, account: &Account) -> PathBuf {
    use crate::archive::reuse::Reuse;
    use crate::archive::write::{self, Content, Entry, Frame, How, Outcome};
    let frame = Frame {
        name: "x-codex.metadata.json",
        description: &serde_json::to_vec(inside).expect("writes"),
        manifest_name: "x-codex.manifest.metadata.json",
        account,
        absent: &[],
        late: None,
    };
    let entry = Entry {
        path: "config.toml".to_owned(),
        content: Content::Bytes(b"{}".to_vec()),
        nature: crate::archive::manifest::Nature::Plain,
        executable: false,
        mtime: 0,
        mtime_nanos: 0,
    };
    let how = How {
        level: 1,
        threads: 1,
        reuse: &Reuse::default(),
        known: &crate::archive::known::Known::default(),
        told: None,
        progress: &crate::ui::progress::UNTOLD,
    };
    let path = dir.join(name);
    let mut file = fs::File::create_new(&path).expect("makes");
    let outcome = write::write(&mut file, &path, &frame, &[entry], &how, &|| false);
    assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    path
}

const ALICE: &str = "2026-04-14-155500-alice@example.com-codex.tar.gz";

fn sidecar_of(name: &str, format: Option<u32>) -> Sidecar {
    Sidecar {
        email: Some(format!("{name}@example.com")),
        schema_version: Some(1),
        archive_format: format,
        backup_mode: Some(BackupMode::SessionOnly),
        ..Sidecar::default()
    }
}

#[test]
fn an_archive_without_sidecar_says_of_itself_what_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let inside = Sidecar {
        backup_mode: Some(BackupMode::AuthOnly),
        quota_percent_left: Some(42),
        ..sidecar_of("bob", Some(ARCHIVE_FORMAT))
    };
    let archive = put_archive(dir.path(), ALICE, &inside, &inside.account());
    let listing = list(dir.path(), &utc(), Depth::Whole).expect("lists");
    let [snapshot] = listing.snapshots.as_slice() else {
        panic!("{listing:?}");
    };
    assert_eq!((&*snapshot.sidecar, snapshot.is_complete), (&inside, false));
    let problem = listing.problems.concat();
    assert!(
        problem.contains(
            "has no sidecar: it is unfinished or foreign, and what it says of itself is shown"
        ),
        "{problem}"
    );
    // What begins with no sound description is known by its name.
    let sound = fs::read(&archive).expect("reads");
    for damaged in [&sound[..100], &sound[1..], b""] {
        fs::write(&archive, damaged).expect("writes");
        let listing = list(dir.path(), &utc(), Depth::Whole).expect("lists");
        let sidecar = &listing.snapshots[0].sidecar;
        assert_eq!(sidecar.email.as_deref(), Some("alice@example.com"));
        assert!(
            listing
                .problems
                .concat()
                .contains("what its name says is shown")
        );
    }
}

#[test]
fn a_manifest_is_of_the_account_that_the_sidecar_names() {
    let dir = tempfile::tempdir().expect("a directory");
    let inside = sidecar_of("bob", Some(ARCHIVE_FORMAT));
    let archive = put_archive(dir.path(), ALICE, &inside, &inside.account());
    let why = |sidecar: Sidecar| {
        let snapshot = Snapshot {
            archive: archive.clone(),
            sidecar: Box::new(sidecar),
            depth: Depth::Whole,
            is_complete: true,
        };
        let checked = snapshot.check(&Limits::default(), &|| false);
        checked.map_or_else(
            |error| {
                assert_eq!(error.kind(), Kind::ArchiveDamaged);
                error.to_string()
            },
            |_| String::new(),
        )
    };
    let text = why(sidecar_of("alice", Some(ARCHIVE_FORMAT)));
    let wanted = "its manifest is of bob@example.com, its sidecar names alice@example.com";
    assert!(text.contains(wanted), "{text}");
    // One that knows less, or nothing, contradicts nothing.
    let nobody = Sidecar {
        email: None,
        ..inside.clone()
    };
    for sidecar in [inside.clone(), sidecar_of("BOB", None), nobody] {
        assert_eq!(why(sidecar), "");
    }
    let exact = Sidecar {
        user_id: Some("u".to_owned()),
        account_id: Some("w".to_owned()),
        ..inside
    };
    assert!(why(exact).contains("its manifest is of"));
}

#[test]
fn a_sidecar_that_tells_of_a_manifest_is_of_no_archive_without_one() {
    use std::io::Write;
    let dir = tempfile::tempdir().expect("a directory");
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(2);
    header.set_mode(0o600);
    let added = tar.append_data(&mut header, "auth.json", b"{}".as_slice());
    added.expect("appends");
    let gzip = flate2::Compression::default();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), gzip);
    let tar = tar.into_inner().expect("ends");
    gzip.write_all(&tar).expect("compresses");
    let archive = dir.path().join(ALICE);
    fs::write(&archive, gzip.finish().expect("compresses")).expect("writes");
    let mut snapshot = Snapshot {
        archive,
        sidecar: Box::new(Sidecar {
            archive_format: Some(ARCHIVE_FORMAT),
            ..Sidecar::default()
        }),
        depth: Depth::Whole,
        is_complete: true,
    };
    let error = snapshot.check(&Limits::default(), &|| false);
    let text = error.expect_err("refuses").to_string();
    assert!(
        text.contains("tells of a manifest, and it has none"),
        "{text}"
    );
    snapshot.sidecar.archive_format = None;
    let checked = snapshot.check(&Limits::default(), &|| false);
    checked.expect("archives of before have none");
}

#[test]
fn one_broken_sidecar_hides_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    put(
        dir.path(),
        "2026-04-14-155500-a@example.com-codex.tar.gz",
        "x",
    );
    put(
        dir.path(),
        "2026-04-14-155500-a@example.com-codex.metadata.json",
        "{",
    );
    put(
        dir.path(),
        "2026-04-14-155500-b@example.com-codex.tar.gz",
        "x",
    );
    put(
        dir.path(),
        "2026-04-14-155500-c@example.com-codex.metadata.json",
        SIDECAR,
    );
    let listing = list(dir.path(), &utc(), Depth::Whole).expect("lists");
    assert_eq!(listing.snapshots.len(), 1);
    assert_eq!(
        listing.snapshots[0].sidecar.email.as_deref(),
        Some("b@example.com")
    );
    assert!(!listing.snapshots[0].is_complete);
    assert_eq!(listing.problems.len(), 3);
}

/// Enough for several threads, with everything odd among them: the same as if each were read alone.
#[cfg(unix)]
#[test]
fn many_are_read_as_each_of_them_alone() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    put(dir.path(), "elsewhere/sidecar", SIDECAR);
    let (mut bases, mut orphans) = (BTreeSet::new(), BTreeSet::new());
    for number in 0..1200_u32 {
        // Not in the order of their names, and some that differ only behind their first bytes.
        let (minute, second) = (number * 7 % 60, number * 11 % 3);
        let base = format!("2026-04-14-15{minute:02}0{second}-{number}@example.com-codex");
        let archive = format!("{base}{ARCHIVE_SUFFIX}");
        let sidecar = format!("{base}{SIDECAR_SUFFIX}");
        match number % 40 {
            1 => {}
            2 => put(dir.path(), &sidecar, "{"),
            3 => put(dir.path(), &sidecar, &format!("{SIDECAR} and more")),
            4 => symlink(path("elsewhere/sidecar"), path(&sidecar)).expect("links"),
            5 => symlink(path("nowhere"), path(&sidecar)).expect("links"),
            6 => fs::create_dir(path(&sidecar)).expect("makes"),
            7 => put(dir.path(), &sidecar, &SIDECAR.replace("codex", "other")),
            8 => put(
                dir.path(),
                &sidecar,
                &" ".repeat(70_000).replacen(' ', SIDECAR, 1),
            ),
            _ => put(dir.path(), &sidecar, SIDECAR),
        }
        match number % 41 {
            1 => {
                if number % 40 != 1 {
                    orphans.insert(base);
                }
                continue;
            }
            2 => fs::create_dir(path(&archive)).expect("makes"),
            3 => symlink(path("elsewhere/sidecar"), path(&archive)).expect("links"),
            4 => symlink(path("nowhere"), path(&archive)).expect("links"),
            _ => put(dir.path(), &archive, "x"),
        }
        bases.insert(base);
    }
    let mut alone = Listing::default();
    for base in &bases {
        let archive = path(&format!("{base}{ARCHIVE_SUFFIX}"));
        let sidecar = fs::symlink_metadata(sidecar_path(&archive));
        match read_one(&archive, sidecar.is_ok(), &utc()) {
            Ok((snapshot, problem)) => {
                alone.snapshots.push(snapshot);
                alone.problems.extend(problem);
            }
            Err(problem) => {
                alone.problems.push(problem);
                alone.unreadable += 1;
            }
        }
    }
    for base in orphans {
        let sidecar = path(&format!("{base}{SIDECAR_SUFFIX}"));
        let sidecar = sidecar.display();
        alone
            .problems
            .push(format!("the sidecar `{sidecar}` has no archive beside it"));
    }
    assert!(alone.unreadable > 100 && alone.snapshots.len() > 900);
    let every =
        [Depth::Whole, Depth::Window].map(|depth| list(dir.path(), &utc(), depth).expect("lists"));
    // None is of whom its name tells: all of them are read.
    let latest = Stamp::parse("2026-06-01T00:00:00Z").expect("a time");
    let zone = utc();
    let newest = list_newest(dir.path(), &zone, latest).expect("lists");
    let newest = newest.beside(std::iter::empty());
    for listing in every.into_iter().chain([newest]) {
        assert_eq!(listing.problems, alone.problems);
        assert_eq!(listing.unreadable, alone.unreadable);
        let seen = |listing: &Listing| -> Vec<_> {
            let snapshots = listing.snapshots.iter();
            let of = |one: &Snapshot| {
                let sidecar = &one.sidecar;
                let said = (sidecar.email.clone(), sidecar.created_at);
                (one.archive.clone(), said, one.is_complete)
            };
            snapshots.map(of).collect()
        };
        assert_eq!(seen(&listing), seen(&alone));
        let mut lengths = Lengths::default();
        for snapshot in &listing.snapshots {
            let meta = fs::metadata(&snapshot.archive).expect("stands");
            assert_eq!(lengths.of(snapshot), Some(meta.len()));
        }
    }
}

#[test]
fn a_missing_directory_holds_nothing() {
    assert!(
        list(Path::new("/nonexistent/backups"), &utc(), Depth::Whole)
            .expect("lists")
            .snapshots
            .is_empty()
    );
}

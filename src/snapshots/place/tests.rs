//! What comes is placed the same on every machine, whatever comes first.

use super::*;
use crate::metadata::StatusSource;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

const ALICE: &str = "2026-04-14-155500-alice@example.com-codex";

fn utc() -> Zone {
    Zone::named("UTC").expect("a zone")
}

/// An archive of any bytes, and its sidecar.
#[derive(Clone, Debug)]
struct Given {
    content: Vec<u8>,
    sidecar: Sidecar,
}

impl Given {
    fn new(base: &str, made_at: &str, content: &str) -> Self {
        let email = BackupName::split(base).map(|(_, owner)| owner.to_owned());
        let sidecar = Sidecar {
            schema_version: Some(1),
            email,
            user_id: Some("user".to_owned()),
            account_id: Some("workspace-one".to_owned()),
            status_source: Some(StatusSource::AppServer),
            archive_name: Some(format!("{base}.tar.gz")),
            created_at: Stamp::parse(made_at),
            ..Sidecar::default()
        };
        let mut given = Self {
            content: content.into(),
            sidecar,
        };
        given.sidecar.archive_size_bytes = Some(content.len() as u64);
        given.sidecar.archive_sha256 = Some(given.sha256());
        given
    }

    fn in_workspace(mut self, workspace: &str) -> Self {
        self.sidecar.account_id = Some(workspace.to_owned());
        self
    }

    fn sha256(&self) -> String {
        fsutil::hex(&Sha256::digest(&self.content))
    }

    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.sidecar).expect("serializes")
    }

    fn come(&self, here: &mut Here) -> Result<Placed> {
        fsutil::create_private_dir(here.dir).expect("makes");
        let temporary = fsutil::TemporaryDir::make(here.dir).expect("makes");
        let archive = temporary.path().join("archive");
        fs::write(&archive, &self.content).expect("writes");
        here.place(&Incoming {
            archive: &archive,
            sha256: &self.sha256(),
            sidecar: &self.bytes(),
        })
    }
}

/// What is in `dir`: every path with its content.
fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).expect("lists").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).expect("below").display().to_string();
                found.insert(name.replace('\\', "/"), fs::read(path).expect("reads"));
            }
        }
    }
    found
}

fn names(dir: &Path) -> Vec<String> {
    tree(dir).into_keys().collect()
}

/// Both files of a snapshot, sorted.
fn pair(base: &str) -> [String; 2] {
    [format!("{base}.metadata.json"), format!("{base}.tar.gz")]
}

fn bases(dir: &Path) -> Vec<String> {
    let names = names(dir).into_iter();
    names
        .filter_map(|name| name.strip_suffix(".tar.gz").map(str::to_owned))
        .collect()
}

#[test]
fn one_that_is_new_takes_its_name_and_stands_there_the_next_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let given = Given::new(ALICE, "2026-04-14T16:00:00Z", "one");
    let zone = utc();
    let place = dir.path().join(format!("{ALICE}.tar.gz"));
    for attempt in 0..3 {
        // As it was read before, and as the next run reads it.
        let mut here = Here::read(dir.path(), &zone).expect("reads");
        let wanted = match attempt {
            0 => Placed::Current(place.clone()),
            _ => Placed::WasHere(place.clone()),
        };
        assert_eq!(given.come(&mut here).expect("places"), wanted);
        let again = given.come(&mut here).expect("places");
        assert_eq!(again, Placed::WasHere(place.clone()));
        assert_eq!(here.holds(&given.sha256()), Some(place.as_path()));
        let stands = tree(dir.path());
        assert_eq!(names(dir.path()), pair(ALICE));
        assert_eq!(stands[&pair(ALICE)[0]], given.bytes());
        assert_eq!(stands[&pair(ALICE)[1]], b"one");
    }
}

#[test]
fn all_at_once_end_as_one_after_another() {
    let bob = "2026-04-14-155500-bob@example.com-codex";
    let later = "2026-04-21-155500-alice@example.com-codex";
    let given = [
        Given::new(bob, "2026-04-14T16:00:00Z", "bob's"),
        Given::new(ALICE, "2026-04-14T16:00:00Z", "one"),
        // Named for the workspace, since the one before is another's.
        Given::new(later, "2026-04-21T16:00:00Z", "two").in_workspace("workspace-two"),
        Given::new(ALICE, "2026-04-14T17:00:00Z", "newer"),
        Given::new(bob, "2026-04-14T15:00:00Z", "older"),
        Given::new(bob, "2026-04-14T16:00:00Z", "bob's"),
        Given::new(later, "2026-04-21T16:00:00Z", "three"),
    ];
    let zone = utc();
    let (one, all) = (tempfile::tempdir(), tempfile::tempdir());
    let (one, all) = (one.expect("a directory"), all.expect("a directory"));
    let mut here = Here::read(one.path(), &zone).expect("reads");
    let relative =
        |dir: &Path, placed: Placed| format!("{placed:?}").replace(&dir.display().to_string(), "");
    let wanted: Vec<String> = given
        .iter()
        .map(|given| relative(one.path(), given.come(&mut here).expect("places")))
        .collect();
    let mut here = Here::read(all.path(), &zone).expect("reads");
    let parts: Vec<_> = (given.iter().enumerate())
        .map(|(number, given)| {
            let archive = all.path().join(format!("came-{number}"));
            fs::write(&archive, &given.content).expect("writes");
            (archive, given.sha256(), given.bytes())
        })
        .collect();
    let incoming = parts.iter().map(|(archive, sha256, sidecar)| Incoming {
        archive,
        sha256,
        sidecar,
    });
    let incoming: Vec<Incoming> = incoming.collect();
    assert_eq!(here.free(&incoming).len(), 2);
    let placed = here.place_all(&incoming).into_iter();
    let placed: Vec<String> = placed
        .map(|placed| relative(all.path(), placed.expect("places")))
        .collect();
    assert_eq!(placed, wanted);
    // The double is not needed.
    fs::remove_file(all.path().join("came-5")).expect("removes");
    assert_eq!(tree(all.path()), tree(one.path()));
}

#[test]
fn what_cannot_be_placed_with_others_is_told_by_itself_and_keeps_none_from_its_place() {
    let given = ["alice", "bob", "carol"].map(|name| {
        let base = format!("2026-04-14-155500-{name}@example.com-codex");
        Given::new(&base, "2026-04-14T16:00:00Z", name)
    });
    let dir = tempfile::tempdir().expect("a directory");
    let zone = utc();
    let mut here = Here::read(dir.path(), &zone).expect("reads");
    let parts = given.each_ref().map(|given| {
        let archive = dir.path().join(format!("came-{}", given.sha256()));
        fs::write(&archive, &given.content).expect("writes");
        (archive, given.sha256(), given.bytes())
    });
    fs::remove_file(&parts[2].0).expect("removes");
    let incoming = parts.each_ref().map(|(archive, sha256, sidecar)| Incoming {
        archive,
        sha256,
        sidecar,
    });
    assert_eq!(here.free(&incoming).len(), 3);
    let placed = here.place_all(&incoming);
    assert!(matches!(placed[0], Ok(Placed::Current(_))));
    assert!(matches!(placed[1], Ok(Placed::Current(_))));
    assert!(placed[2].is_err());
    let stands: Vec<String> = ["alice", "bob"]
        .iter()
        .flat_map(|name| pair(&format!("2026-04-14-155500-{name}@example.com-codex")))
        .collect();
    assert_eq!(names(dir.path()), stands);
    assert_eq!(here.held.len(), 2);
}

#[test]
fn the_newer_of_a_name_is_current_and_the_other_is_kept_by_when_it_was_made() {
    let older = Given::new(ALICE, "2026-04-14T16:00:00+02:00", "older");
    let newer = Given::new(ALICE, "2026-04-14T14:00:01Z", "newer");
    let kept = "superseded/2026-04-14-160000";
    let zone = utc();
    let mut trees = Vec::new();
    for order in [[&older, &newer], [&newer, &older]] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut here = Here::read(dir.path(), &zone).expect("reads");
        let mut seen = Vec::new();
        for given in order {
            seen.push(given.come(&mut here).expect("places"));
        }
        let (archive, earlier) = (
            dir.path().join(format!("{ALICE}.tar.gz")),
            dir.path().join(format!("{kept}/{ALICE}.tar.gz")),
        );
        let wanted = if std::ptr::eq(order[0], &raw const older) {
            let archive = archive.clone();
            Placed::Superseding { archive, earlier }
        } else {
            Placed::Superseded(earlier)
        };
        assert_eq!(seen, [Placed::Current(archive), wanted]);
        trees.push(tree(dir.path()));
    }
    assert_eq!(trees[0], trees[1]);
    let first = trees.first().expect("one");
    assert_eq!(first[&format!("{ALICE}.tar.gz")], b"newer");
    assert_eq!(first[&format!("{kept}/{ALICE}.tar.gz")], b"older");
    assert_eq!(
        first[&format!("{kept}/{ALICE}.metadata.json")],
        older.bytes()
    );
}

#[test]
fn another_account_under_a_name_is_told_apart_by_its_workspace() {
    let dir = tempfile::tempdir().expect("a directory");
    let zone = utc();
    let mut here = Here::read(dir.path(), &zone).expect("reads");
    let one = Given::new(ALICE, "2026-04-14T16:00:00Z", "one");
    let two = Given::new(ALICE, "2026-04-14T17:00:00Z", "two").in_workspace("workspace-two");
    // Of another window, and still a name of the first one's owner.
    let later = "2026-04-21-155500-alice@example.com-codex";
    let three = Given::new(later, "2026-04-21T17:00:00Z", "three").in_workspace("workspace-two");
    let four = Given::new(later, "2026-04-21T17:00:00Z", "four").in_workspace("workshop");
    for given in [one, two, three, four] {
        let placed = given.come(&mut here).expect("places");
        assert!(matches!(placed, Placed::Current(_)), "{placed:?}");
    }
    assert_eq!(
        bases(dir.path()),
        [
            ALICE,
            "2026-04-14-155500-alice@example.com~workspac-codex",
            "2026-04-21-155500-alice@example.com~workshop-codex",
            "2026-04-21-155500-alice@example.com~workspac-codex",
        ]
    );
}

#[test]
fn a_kill_before_the_last_step_is_made_good() {
    let dir = tempfile::tempdir().expect("a directory");
    let given = Given::new(ALICE, "2026-04-14T16:00:00Z", "one");
    let zone = utc();
    let archive = dir.path().join(format!("{ALICE}.tar.gz"));
    fs::write(&archive, b"one").expect("writes");
    let mut here = Here::read(dir.path(), &zone).expect("reads");
    assert_eq!(here.holds(&given.sha256()), None);
    assert_eq!(
        given.come(&mut here).expect("places"),
        Placed::Current(archive.clone())
    );
    assert_eq!(names(dir.path()), pair(ALICE));
    // One of other bytes is no half of it, nor is one that was cut.
    for content in [b"two".as_slice(), b"on"] {
        fs::write(&archive, content).expect("writes");
        let _ = fs::remove_file(super::super::sidecar_path(&archive));
        let mut here = Here::read(dir.path(), &zone).expect("reads");
        let placed = given.come(&mut here).expect("places");
        assert!(matches!(placed, Placed::Superseding { .. }), "{placed:?}");
        assert_eq!(fs::read(&archive).expect("reads"), b"one");
    }
    // Cut, with its sidecar beside it.
    fs::write(&archive, b"on").expect("writes");
    let mut here = Here::read(dir.path(), &zone).expect("reads");
    assert_eq!(here.holds(&given.sha256()), None);
    let placed = given.come(&mut here).expect("places");
    assert!(matches!(placed, Placed::Superseding { .. }), "{placed:?}");
    assert_eq!(fs::read(&archive).expect("reads"), b"one");
}

#[test]
fn no_name_of_a_sidecar_leads_elsewhere() {
    let dir = tempfile::tempdir().expect("a directory");
    let backups = dir.path().join("backups");
    let zone = utc();
    let mut here = Here::read(&backups, &zone).expect("reads");
    let long = "x".repeat(240);
    for owner in ["../../a", "a/b", "a\\b", "a:b", "a\0b", "\n", long.as_str()] {
        let mut given = Given::new(ALICE, "2026-04-14T16:00:00Z", owner);
        given.sidecar.archive_name = Some(format!("2026-04-14-155500-{owner}-codex.tar.gz"));
        // It is called after what it says of the account, or refused.
        let placed = given.come(&mut here).expect("places");
        let kept = matches!(
            placed,
            Placed::Current(_) | Placed::Superseding { .. } | Placed::Superseded(_)
        );
        assert!(kept, "{placed:?}");
        given.content.push(b'!');
        given.sidecar.email = None;
        given.sidecar.user_id = None;
        let error = given.come(&mut here).expect_err("refuses");
        assert_eq!(error.kind(), Kind::ArchiveDamaged);
    }
    for name in names(dir.path()) {
        assert!(name.starts_with("backups/"), "{name}");
        let file = name.rsplit('/').next().expect("a name");
        assert!(file.contains("alice@example.com"), "{name}");
    }
}

fn any_given() -> impl Strategy<Value = Given> {
    let base = prop_oneof![
        Just(ALICE),
        Just("2026-04-14-155500-bob@example.com-codex"),
        Just("2026-04-21-155500-alice@example.com-codex"),
    ];
    // No two of one second but of other bytes: their directories are told apart by who comes first.
    (base, 0..20_u32).prop_map(|(base, second)| {
        let time = format!("2026-04-22T10:00:{second:02}Z");
        Given::new(base, &time, &format!("{base} {second}"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn two_that_give_each_other_all_they_have_hold_the_same(
        one in proptest::collection::vec(any_given(), 0..8),
        two in proptest::collection::vec(any_given(), 0..8),
    ) {
        let zone = utc();
        let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
        let come = |dir: &Path, all: &[&Given]| {
            // The plan says what is done.
            let mut plan = Here::read(dir, &zone).expect("reads");
            let mut here = Here::read(dir, &zone).expect("reads");
            for given in all {
                let fate = plan.expect(&given.sidecar, &given.sha256()).expect("plans");
                let placed = given.come(&mut here).expect("places");
                let agree = matches!(
                    (&fate, &placed),
                    (Fate::WasHere(_), Placed::WasHere(_))
                        | (Fate::Free(_), Placed::Current(_))
                        | (Fate::Newer(_), Placed::Superseding { .. })
                        | (Fate::Older(_), Placed::Superseded(_))
                );
                assert!(agree, "{fate:?} {placed:?}");
            }
        };
        let all = |given: &'_ [Given]| given.to_vec();
        let (one, two) = (all(&one), all(&two));
        come(dirs[0].path(), &one.iter().collect::<Vec<_>>());
        come(dirs[1].path(), &two.iter().collect::<Vec<_>>());
        come(dirs[0].path(), &two.iter().collect::<Vec<_>>());
        come(dirs[1].path(), &one.iter().rev().collect::<Vec<_>>());
        let [first, second] = [&dirs[0], &dirs[1]].map(|dir| tree(dir.path()));
        prop_assert_eq!(&first, &second);
        let distinct: std::collections::BTreeSet<_> = one.iter().chain(&two).map(Given::sha256).collect();
        prop_assert_eq!(first.len(), 2 * distinct.len());
        // A tidy finds nothing to do.
        super::tidy::tidy(dirs[0].path());
        prop_assert_eq!(tree(dirs[0].path()), first);
    }
}

//! What every store must do, on a folder and, where `tests/it/remote.rs` has started servers and names them, on each.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use super::*;

/// The stores to try, one a line: `ADDRESS NAME=VALUE…`. Each test has a prefix of its own in each.
const STORES: &str = "CODEX_MANAGER_TEST_STORES";

fn here(path: &std::path::Path) -> Result<std::path::PathBuf> {
    Ok(path.to_owned())
}

/// A line of [`STORES`].
fn store_of(line: &str, test: &str) -> (Address, Access) {
    let mut words = line.split(' ');
    let address = format!("{}/{test}-{}", words.next().unwrap(), std::process::id());
    let mut access = Access::default();
    for word in words {
        let (name, value) = word.split_once('=').unwrap();
        access.variables.insert(name.to_owned(), value.to_owned());
    }
    (Address::parse(&address, &here).unwrap(), access)
}

/// Runs `test` on every store.
fn on_every_store(name: &str, test: impl Fn(&Remote)) {
    let dir = tempfile::tempdir().unwrap();
    let folder = Address::Folder(dir.path().join("a folder"));
    let stop = Stop::default();
    test(&Remote::open(&folder, &Access::default(), &stop).unwrap());
    let given = std::env::var(STORES).unwrap_or_default();
    for line in given.lines().filter(|line| !line.is_empty()) {
        let (address, access) = store_of(line, name);
        eprintln!("{name} on {address}");
        test(&Remote::open(&address, &access, &stop).unwrap());
    }
}

fn keys(remote: &Remote, dir: &str) -> BTreeSet<String> {
    let listed = remote.list(dir).unwrap();
    listed.into_iter().map(|object| object.key).collect()
}

fn set(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

#[test]
fn what_is_put_is_listed_and_read_back_until_it_is_removed() {
    on_every_store("put", |remote| {
        assert_eq!(remote.list("snapshots").unwrap(), []);
        assert_eq!(remote.get("marker.json", 10).unwrap(), None);
        assert!(!remote.remove("marker.json").unwrap());
        let stood = remote
            .put("marker.json", b"{}".to_vec(), How::Always)
            .unwrap();
        assert_eq!(stood, Stood::Written);
        for name in [
            "snapshots/a b+ü%41.age",
            "snapshots/b",
            "snapshots/deeper/c",
        ] {
            remote
                .put(name, name.as_bytes().to_vec(), How::IfAbsent)
                .unwrap();
        }
        assert_eq!(keys(remote, ""), set(&["marker.json"]));
        assert_eq!(
            keys(remote, "snapshots"),
            set(&["snapshots/a b+ü%41.age", "snapshots/b"])
        );
        assert_eq!(keys(remote, "snap"), set(&[]));
        let object = remote.list("").unwrap().remove(0);
        assert_eq!(object.size, 2);
        assert!(object.modified.is_some_and(|time| time > 1_600_000_000));
        let name = "snapshots/a b+ü%41.age";
        assert_eq!(remote.get(name, 100).unwrap().unwrap(), name.as_bytes());
        let error = remote.get(name, 5).unwrap_err();
        assert_eq!(error.kind(), Kind::Remote);
        assert!(
            error
                .to_string()
                .ends_with("is larger than 5 bytes, which no object of its kind is")
        );
        assert!(remote.remove(name).unwrap());
        assert!(!remote.remove(name).unwrap());
        assert_eq!(remote.get(name, 100).unwrap(), None);
        assert_eq!(keys(remote, "snapshots"), set(&["snapshots/b"]));
    });
}

#[test]
fn an_object_is_put_over_another_only_where_that_is_asked_for() {
    on_every_store("over", |remote| {
        let put = |bytes: &[u8], how| remote.put("dir/key", bytes.to_vec(), how).unwrap();
        assert_eq!(put(b"one", How::IfAbsent), Stood::Written);
        assert_eq!(put(b"two", How::IfAbsent), Stood::WasThere);
        assert_eq!(remote.get("dir/key", 10).unwrap().unwrap(), b"one");
        assert_eq!(put(b"three", How::Always), Stood::Written);
        assert_eq!(remote.get("dir/key", 10).unwrap().unwrap(), b"three");
        assert_eq!(put(b"", How::Always), Stood::Written);
        assert_eq!(remote.get("dir/key", 10).unwrap().unwrap(), b"");
    });
}

#[test]
fn a_long_object_appears_when_it_is_finished_and_not_before() {
    let bytes: Vec<u8> = (0..20_000_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    on_every_store("long", |remote| {
        for length in [0, 1, 8 << 20, (8 << 20) + 1, bytes.len()] {
            let key = format!("long/{length}");
            let mut writer = remote.writer(&key).unwrap();
            writer.write_all(&bytes[..length]).unwrap();
            assert_eq!(remote.get(&key, 1).unwrap(), None);
            assert_eq!(keys(remote, "long").contains(&key), false);
            writer.finish().unwrap();
            let mut reader = remote.reader(&key).unwrap().unwrap();
            assert_eq!(reader.size(), length as u64);
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            assert!(read == bytes[..length], "{length}");
        }
        let mut dropped = remote.writer("long/dropped").unwrap();
        dropped.write_all(&bytes).unwrap();
        drop(dropped);
        assert_eq!(remote.get("long/dropped", 1).unwrap(), None);
        assert!(!keys(remote, "long").contains("long/dropped"));
    });
}

#[test]
fn several_threads_write_at_once_and_one_of_those_for_the_same_key_wins() {
    on_every_store("threads", |remote| {
        let won: usize = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8)
                .map(|thread| {
                    scope.spawn(move || {
                        for number in 0..5 {
                            let key = format!("all/{thread}-{number}");
                            remote
                                .put(&key, key.clone().into_bytes(), How::IfAbsent)
                                .unwrap();
                        }
                        let mine = format!("{thread}").into_bytes();
                        remote.put("one/key", mine, How::IfAbsent).unwrap() == Stood::Written
                    })
                })
                .collect();
            writers
                .into_iter()
                .filter(|_| true)
                .map(|writer| usize::from(writer.join().unwrap()))
                .sum()
        });
        assert!(won >= 1);
        assert_eq!(keys(remote, "all").len(), 40);
        assert_eq!(remote.get("one/key", 1).unwrap().unwrap().len(), 1);
    });
}

#[test]
fn what_is_no_key_is_refused_before_any_store_is_asked() {
    on_every_store("hostile", |remote| {
        for key in [
            "",
            "/a",
            "a//b",
            "../a",
            "a/../../b",
            "a/.",
            "a\nb",
            "a\\b",
            "a/",
            "a\0",
        ] {
            let error = remote.get(key, 1).unwrap_err();
            assert_eq!(error.kind(), Kind::Remote, "{key:?}");
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("{key:?} is no name")),
                "{error}"
            );
            assert!(remote.put(key, Vec::new(), How::Always).is_err());
            assert!(remote.writer(key).is_err());
            assert!(remote.remove(key).is_err());
        }
    });
}

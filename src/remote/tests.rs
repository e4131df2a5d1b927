//! What every store must do, on a folder and on each of the servers of the tests; and what becomes of it when requests
//! and answers are lost on the way.

#[path = "../../tests/it/servers.rs"]
#[cfg(unix)]
mod servers;

#[cfg(unix)]
mod faults;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::*;

#[allow(clippy::unnecessary_wraps)] // as it is called
fn here(path: &Path) -> Result<PathBuf> {
    Ok(path.to_owned())
}

/// The store at an address, opened with these variables.
fn opened(address: &str, variables: &[(&str, &str)]) -> Remote {
    let mut access = Access::default();
    for (name, value) in variables {
        let (name, value) = ((*name).to_owned(), (*value).to_owned());
        access.variables.insert(name, value);
    }
    let address = Address::parse(address, &here).unwrap();
    Remote::open(&address, &access, &Stop::default()).unwrap()
}

/// The bucket of an S3 server.
#[cfg(unix)]
fn s3(server: &str, prefix: &str) -> Remote {
    let variables = [
        ("AWS_ENDPOINT_URL", &*format!("http://{server}")),
        ("AWS_ACCESS_KEY_ID", servers::KEY),
        ("AWS_SECRET_ACCESS_KEY", servers::SECRET),
    ];
    opened(&format!("s3://{}/{prefix}", servers::BUCKET), &variables)
}

/// A WebDAV server.
#[cfg(unix)]
fn dav(server: &str, prefix: &str) -> Remote {
    let variables = [
        ("CODEX_MANAGER_WEBDAV_USER", servers::KEY),
        ("CODEX_MANAGER_WEBDAV_PASSWORD", servers::SECRET),
    ];
    opened(&format!("http://{server}/{prefix}"), &variables)
}

/// Runs `test` on every store, each with nothing in it.
fn on_every_store(name: &str, test: impl Fn(&Remote)) {
    let dir = tempfile::tempdir().unwrap();
    test(&opened(dir.path().join("a folder").to_str().unwrap(), &[]));
    #[cfg(unix)]
    if let Some(servers) = servers::servers() {
        let name = format!("{name} 100%25 \u{fc}");
        test(&s3(&servers.s3, &name));
        test(&s3(&servers.loose_s3, &name));
        test(&dav(&servers.dav, &name));
        test(&dav(&servers.loose_dav, &name));
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
        .map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    on_every_store("long", |remote| {
        for length in [0, 1, 8 << 20, (8 << 20) + 1, bytes.len()] {
            let key = format!("long/{length}");
            let mut writer = remote.writer(&key).unwrap();
            writer.write_all(&bytes[..length]).unwrap();
            assert_eq!(remote.get(&key, 1).unwrap(), None);
            assert!(!keys(remote, "long").contains(&key));
            writer.finish().unwrap();
            let mut reader = remote.reader(&key).unwrap().unwrap();
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

#[test]
fn more_are_listed_than_a_store_tells_at_once() {
    on_every_store("many", |remote| {
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    for number in 0..140 {
                        let key = format!("many/{thread}-{number}");
                        remote.put(&key, vec![0; 3], How::Always).unwrap();
                    }
                });
            }
        });
        assert_eq!(keys(remote, "many").len(), 8 * 140);
    });
}

#[cfg(unix)]
#[test]
fn a_folder_is_private_and_what_a_link_leads_to_is_none_of_it() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("new/store");
    let remote = opened(&format!("file://{}", root.display()), &[]);
    assert_eq!(remote.list("").unwrap(), []);
    assert!(!root.exists());
    remote.put("a/key", b"x".to_vec(), How::IfAbsent).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (
            mode(&root),
            mode(&root.join("a")),
            mode(&root.join("a/key"))
        ),
        (0o700, 0o700, 0o600)
    );

    std::fs::write(dir.path().join("secret"), "s").unwrap();
    symlink(dir.path().join("secret"), root.join("a/link")).unwrap();
    symlink(dir.path(), root.join("out")).unwrap();
    std::os::unix::net::UnixListener::bind(root.join("a/socket")).unwrap();
    assert_eq!(keys(&remote, "a"), set(&["a/key"]));
    for key in ["a/link", "out/secret"] {
        let error = remote.get(key, 9).unwrap_err();
        assert_eq!(error.kind(), Kind::Remote);
        assert!(
            error
                .to_string()
                .ends_with("is a link, which may lead out of the store"),
            "{error}"
        );
    }
    assert!(remote.put("out/new", Vec::new(), How::Always).is_err());
    assert!(remote.list("out").is_err());
    assert!(remote.remove("a/link").is_err());
    assert!(!dir.path().join("new/new").exists());
    assert_eq!(std::fs::read(dir.path().join("secret")).unwrap(), b"s");

    // The store itself may be reached by a link.
    symlink(&root, dir.path().join("door")).unwrap();
    let door = opened(dir.path().join("door").to_str().unwrap(), &[]);
    assert_eq!(door.get("a/key", 9).unwrap().unwrap(), b"x");
}

#[cfg(unix)]
#[test]
fn what_a_killed_run_left_in_a_folder_goes_after_a_day() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let remote = opened(dir.path().to_str().unwrap(), &[]);
    let old = dir
        .path()
        .join("s")
        .join(crate::fsutil::temporary_name().unwrap());
    let young = dir
        .path()
        .join("s")
        .join(crate::fsutil::temporary_name().unwrap());
    std::fs::create_dir(dir.path().join("s")).unwrap();
    for path in [&old, &young] {
        std::fs::write(path, "half").unwrap();
    }
    let file = std::fs::File::options().write(true).open(&old).unwrap();
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    file.set_times(std::fs::FileTimes::new().set_modified(then))
        .unwrap();
    let odd = dir
        .path()
        .join("s")
        .join(std::ffi::OsStr::from_bytes(b"\xff\n"));
    std::fs::write(odd, "").unwrap();
    assert_eq!(keys(&remote, "s"), set(&["s/\u{fffd}\n"]));
    remote.put("s/key", Vec::new(), How::Always).unwrap();
    assert!(!old.exists() && young.exists());
}

#[cfg(unix)]
#[test]
fn a_listing_that_does_not_end_is_not_read_to_its_end() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = s3(&listener.local_addr().unwrap().to_string(), "any");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1 << 14]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            let spaces = vec![b' '; 1 << 20];
            let _ = (0..65).try_for_each(|_| stream.write_all(&spaces));
        }
    });
    let error = remote.list("dir").unwrap_err();
    let said = error.to_string();
    assert!(
        said.ends_with("its answer cannot be read: it is too long"),
        "{said}"
    );
}

//! What comes out of the writer, read with the tools that others have.

use super::*;
use crate::archive::known::Note;
use crate::archive::member::BLOCK;
use std::fs;
use tempfile::TempDir;

const NAME: &str = "x.metadata.json";
const MANIFEST: &str = "x.manifest.metadata.json";

/// An archive in a directory of its own.
struct Archived {
    dir: TempDir,
    outcome: Outcome,
}

impl Archived {
    fn path(&self) -> PathBuf {
        self.dir.path().join("x.tar.gz")
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).expect("reads")
    }

    fn written(&self) -> &Written {
        match &self.outcome {
            Outcome::Done(written) => written,
            other => panic!("{other:?}"),
        }
    }

    /// Paths and contents, as any reader of tar finds them.
    fn entries(&self) -> Vec<(String, Vec<u8>)> {
        let bytes = self.bytes();
        let gzip = flate2::read::MultiGzDecoder::new(bytes.as_slice());
        let mut found = Vec::new();
        for entry in tar::Archive::new(gzip).entries().expect("entries") {
            let mut entry = entry.expect("an entry");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("reads");
            let path = entry.path().expect("a path").display().to_string();
            assert_eq!(entry.size(), content.len() as u64, "{path}");
            found.push((path, content));
        }
        found
    }

    fn manifest(&self) -> Manifest {
        let (path, bytes) = self.entries().pop().expect("entries");
        assert_eq!(path, MANIFEST);
        Manifest::parse(&bytes).expect("a manifest")
    }

    fn verdict(&self, members: &[Placed]) -> Verdict {
        let file = File::open(self.path()).expect("opens");
        verify(&file, &self.path(), members.iter().copied(), 2, &|| false).expect("reads")
    }
}

/// At level 2, in two threads.
fn how<'a>(reuse: &'a Reuse, known: &'a Known) -> How<'a> {
    How {
        level: 2,
        threads: 2,
        reuse,
        known,
        told: None,
        progress: &crate::ui::progress::UNTOLD,
    }
}

fn archived_with(entries: &[Entry], threads: usize, level: u8, reuse: &Reuse) -> Archived {
    let known = Known::default();
    let how = How {
        level,
        threads,
        ..how(reuse, &known)
    };
    archived_by(entries, None, &how)
}

fn archived_by(entries: &[Entry], late: Option<&Late>, how: &How) -> Archived {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("x.tar.gz");
    let mut file = File::create_new(&path).expect("makes");
    let frame = Frame {
        name: NAME,
        description: b"{}",
        manifest_name: MANIFEST,
        account: &Account::of_email("alice@example.com"),
        absent: &[],
        late,
    };
    let outcome = write(&mut file, &path, &frame, entries, how, &|| false).expect("writes");
    Archived { dir, outcome }
}

fn archived(entries: &[Entry]) -> Archived {
    archived_with(entries, 2, 2, &Reuse::default())
}

fn entry(path: &str, content: Content) -> Entry {
    Entry {
        path: path.to_owned(),
        content,
        nature: Nature::Plain,
        executable: false,
        mtime: 5,
        mtime_nanos: 0,
    }
}

fn bytes(path: &str, content: &str) -> Entry {
    entry(path, Content::Bytes(content.into()))
}

/// Text of `length` bytes that compresses as session files do, another one for each `seed`.
fn text(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut text = Vec::with_capacity(length + 64);
    while text.len() < length {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.extend_from_slice(
            format!("{{\"line\":{},\"text\":\"word\"}}\n", state >> 40).as_bytes(),
        );
    }
    text.truncate(length);
    text
}

fn file(dir: &Path, name: &str, content: &[u8]) -> Entry {
    let name_of_source: String = name.replace('/', "_").chars().take(100).collect();
    let source = dir.join(name_of_source);
    fs::write(&source, content).expect("writes");
    let size = content.len() as u64;
    entry(name, Content::File { source, size })
}

/// A home with files around every border: of small and large, of blocks, of tar units.
fn home(dir: &Path) -> Vec<Entry> {
    let mut entries = vec![bytes("auth.json", "{}"), entry("sessions", Content::Dir)];
    for (place, length) in [
        0,
        1,
        511,
        512,
        513,
        (256 << 10) - 1,
        256 << 10,
        (256 << 10) + 1,
        BLOCK - 1,
        BLOCK,
        BLOCK + 1,
        2 * BLOCK,
        3 * BLOCK + 700,
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("sessions/{place:02}.txt");
        entries.push(file(dir, &name, &text(length, place as u64)));
    }
    let long = format!("sessions/{}/{}", "x".repeat(200), "y".repeat(100));
    entries.push(file(dir, &long, b"far down"));
    entries
}

#[test]
fn what_is_written_is_what_other_readers_find() {
    let dir = tempfile::tempdir().expect("a directory");
    let entries = home(dir.path());
    let archived = archived(&entries);
    let found = archived.entries();
    assert_eq!(found.len(), entries.len() + 2);
    assert_eq!(found[0], (NAME.to_owned(), b"{}".to_vec()));
    for (entry, (path, content)) in entries.iter().zip(&found[1..]) {
        let expected = entry
            .source()
            .map(|source| fs::read(source).expect("reads"));
        assert_eq!(&entry.path, path);
        match &entry.content {
            Content::Bytes(bytes) => assert_eq!(bytes, content),
            _ => assert_eq!(&expected.unwrap_or_default(), content, "{path}"),
        }
    }
    let written = archived.written();
    assert_eq!(written.file_count, entries.len() as u64 - 1);
    assert_eq!(
        written.total_bytes,
        entries.iter().map(Entry::size).sum::<u64>()
    );
    let verdict = archived.verdict(&written.members);
    let sha256 = fsutil::hex(&Sha256::digest(archived.bytes()));
    let size_bytes = archived.bytes().len() as u64;
    assert_eq!(verdict, Verdict::Sound { sha256, size_bytes });
}

#[test]
fn the_manifest_lists_every_file_with_the_hash_that_anybody_computes() {
    let dir = tempfile::tempdir().expect("a directory");
    let entries = home(dir.path());
    let manifest = archived(&entries).manifest();
    assert_eq!(manifest.account, Account::of_email("alice@example.com"));
    assert_eq!(manifest.files.len(), entries.len());
    for (entry, listed) in entries.iter().zip(&manifest.files) {
        assert_eq!(entry.path, listed.path);
        assert_eq!((entry.size(), entry.mtime), (listed.size, listed.mtime));
        let content = match &entry.content {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Dir => {
                assert_eq!((listed.kind, listed.blake3.as_ref()), (Nature::Dir, None));
                assert_eq!(listed.mode, "0700");
                continue;
            }
            _ => fs::read(entry.source().expect("a source")).expect("reads"),
        };
        let hash = blake3::hash(&content).to_hex().to_string();
        assert_eq!(
            (listed.kind, listed.blake3.as_deref()),
            (Nature::Plain, Some(hash.as_str()))
        );
        assert_eq!(listed.mode, "0600");
    }
}

#[test]
fn equal_entries_give_equal_bytes_whatever_the_threads_and_what_is_reused() {
    let dir = tempfile::tempdir().expect("a directory");
    let entries = home(dir.path());
    let first = archived(&entries);
    for threads in [1, 3, 8] {
        let again = archived_with(&entries, threads, 2, &Reuse::default());
        assert!(again.bytes() == first.bytes(), "{threads}");
        let reusing = archived_with(&entries, threads, 2, &Reuse::of(&[first.path()]));
        assert!(reusing.bytes() == first.bytes(), "{threads}");
        let members = &reusing.written().members;
        // All but the ends of both runs of shared members are found again; these are, too.
        assert!(members.iter().all(|member| !member.is_fresh));
    }
    let other = archived_with(&entries, 2, 9, &Reuse::of(&[first.path()]));
    assert!(other.written().members.iter().all(|member| member.is_fresh));
    assert!(other.bytes().len() < first.bytes().len());
}

#[test]
fn times_are_no_content() {
    let entries = [bytes("auth.json", "{}"), bytes("config.toml", "x = 1\n")];
    let hash = |entries: &[Entry]| archived(entries).written().content_sha256.clone();
    let first = hash(&entries);
    assert_eq!(content_of(&entries), first);
    let later = entries.clone().map(|entry| Entry { mtime: 9, ..entry });
    assert_eq!(hash(&later), first);
    assert_ne!(
        hash(&[bytes("auth.json", "{}"), bytes("config.toml", "x = 2\n")]),
        first
    );
    let program = entries.clone().map(|entry| Entry {
        executable: true,
        ..entry
    });
    assert_ne!(hash(&program), first);
}

#[test]
fn what_was_appended_to_leaves_the_blocks_before_as_they_are() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut content = text(3 * BLOCK + 700, 1);
    let before = [file(dir.path(), "a.jsonl", &content)];
    let first = archived(&before);
    content.extend(text(BLOCK, 2));
    let after = [file(dir.path(), "a.jsonl", &content)];
    let second = archived_with(&after, 2, 2, &Reuse::of(&[first.path()]));
    let reused = |archived: &Archived| -> Vec<bool> {
        let members = archived.written().members.iter();
        members.map(|member| !member.is_fresh).collect()
    };
    // The description, the header, three whole blocks, two changed ones, the padding (as long as before), the manifest.
    assert_eq!(
        reused(&second),
        [true, false, true, true, true, false, false, true, false]
    );
    assert_eq!(second.entries()[1].1, content);
    assert!(second.bytes() == archived(&after).bytes());
}

#[test]
fn entries_that_become_known_later_follow_the_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut entries = home(dir.path());
    let late = Late::new();
    let given = vec![file(dir.path(), "a.sqlite", &text(2 * BLOCK + 9, 77))];
    let (reuse, known) = (Reuse::default(), Known::default());
    let archived_later = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            late.set(given.clone()).expect("nobody else sets it");
        });
        archived_by(&entries, Some(&late), &how(&reuse, &known))
    });
    entries.extend(given);
    assert!(archived_later.bytes() == archived(&entries).bytes());
    let listed = archived_later.manifest().files.pop().expect("files");
    assert_eq!(listed.path, "a.sqlite");
}

/// The notes of an archive as they would be read again.
fn known_of(archived: &Archived) -> Known {
    let mut known = Known::after(std::time::Duration::from_secs(3));
    for noted in &archived.written().notes {
        known.add(Note {
            identity: noted.identity,
            taken: noted.taken,
            read_at: 1,
            blake3: noted.blake3.clone(),
        });
    }
    known
}

#[cfg(unix)]
#[test]
fn a_large_file_is_not_read_again_while_its_state_is_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    let (one, other) = (text(2 * BLOCK + 700, 1), text(2 * BLOCK + 700, 2));
    let entries = [
        file(dir.path(), "a.jsonl", &one),
        file(dir.path(), "b.jsonl", &other),
    ];
    let empty = || Known::after(std::time::Duration::from_secs(3));
    let with = |known: &Known, reuse: &Reuse| archived_by(&entries, None, &how(reuse, known));
    let plain = || with(&empty(), &Reuse::default());
    // Written a moment ago, it may be written once more without another time, whatever the one is that can be set.
    assert_eq!(plain().written().notes, []);
    let open = File::options().write(true).open(dir.path().join("a.jsonl"));
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let set = open.and_then(|open| open.set_modified(long_ago));
    set.expect("sets");
    assert_eq!(plain().written().notes, []);
    std::thread::sleep(std::time::Duration::from_millis(3100));
    // Through a mapping it may still be written to without another time.
    assert_eq!(archived(&entries).written().notes, []);
    let first = plain();
    let source = entries[0].source().expect("a file");
    if !fsutil::notes_changes(&File::open(source).expect("opens")) {
        assert_eq!(first.written().notes, []);
        return;
    }
    let [of_one, of_other] = first.written().notes.as_slice() else {
        panic!("{:?}", first.written().notes);
    };
    let reuse = Reuse::of(&[first.path()]);
    let again = with(&known_of(&first), &reuse);
    assert!(again.bytes() == first.bytes());
    let read_at = |archived: &Archived| -> Vec<Option<i64>> {
        let notes = archived.written().notes.iter();
        notes.map(|noted| noted.read_at).collect()
    };
    assert_eq!(read_at(&first), [None, None]);
    assert_eq!(read_at(&again), [Some(1), Some(1)]);
    // A wrong note shows that it is believed, and that without an earlier archive it is not.
    let mut wrong = known_of(&first);
    wrong.add(Note {
        identity: of_one.identity,
        taken: of_one.taken,
        read_at: 1,
        blake3: of_other.blake3.clone(),
    });
    assert!(with(&wrong, &reuse).entries()[1].1 == other);
    assert!(with(&wrong, &Reuse::default()).entries()[1].1 == one);
    // Other bytes of the same length at the same time.
    let open = File::options().write(true).open(source).expect("opens");
    let before = open.metadata().and_then(|meta| meta.modified());
    std::os::unix::fs::FileExt::write_all_at(&open, &other[..9], 5).expect("writes");
    open.set_modified(before.expect("a time")).expect("sets");
    for wait in [0, 3100] {
        std::thread::sleep(std::time::Duration::from_millis(wait));
        let changed = with(&known_of(&first), &reuse);
        assert!(changed.entries()[1].1 == fs::read(source).expect("reads"));
        assert!(changed.entries()[1].1 != one);
    }
}

#[test]
fn a_damaged_earlier_archive_is_found_before_anything_counts() {
    let dir = tempfile::tempdir().expect("a directory");
    let entries = home(dir.path());
    let first = archived(&entries);
    let mut damaged = first.bytes();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x10;
    fs::write(first.path(), &damaged).expect("writes");
    let reusing = archived_with(&entries, 2, 2, &Reuse::of(&[first.path()]));
    let verdict = reusing.verdict(&reusing.written().members);
    // Where the flip is in a header, what stands behind it is not found at all.
    let is_clean = reusing.bytes() == archived(&entries).bytes();
    assert!(verdict == Verdict::Rotten || is_clean, "{verdict:?}");
    // One that was cut after it was looked at.
    let whole = archived(&entries);
    let reuse = Reuse::of(&[whole.path()]);
    File::options()
        .write(true)
        .open(whole.path())
        .and_then(|file| file.set_len(1000))
        .expect("cuts");
    let outcome = archived_with(&entries, 2, 2, &reuse).outcome;
    assert!(matches!(outcome, Outcome::Rotten), "{outcome:?}");
}

#[test]
fn what_does_not_stand_in_the_file_as_it_was_meant_is_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let archived = archived(&home(dir.path()));
    let members = archived.written().members.clone();
    let good = archived.bytes();
    for place in [0, 20, 200, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[place] ^= 1;
        fs::write(archived.path(), &bad).expect("writes");
        assert_eq!(archived.verdict(&members), Verdict::Wrong, "{place}");
    }
    fs::write(archived.path(), &good[..good.len() - 1]).expect("writes");
    assert_eq!(archived.verdict(&members), Verdict::Wrong);
    fs::write(archived.path(), [good.as_slice(), b"x"].concat()).expect("writes");
    assert_eq!(archived.verdict(&members), Verdict::Wrong);
    fs::write(archived.path(), &good).expect("writes");
    assert!(matches!(archived.verdict(&members), Verdict::Sound { .. }));
}

#[test]
fn what_is_gone_is_told() {
    let gone = |name: &str| {
        let source = PathBuf::from("/nonexistent").join(name);
        entry(name, Content::File { source, size: 3 })
    };
    let archived = archived(&[gone("history.jsonl"), bytes("config.toml", "")]);
    assert_eq!(archived.written().vanished, ["history.jsonl"]);
    let paths: Vec<String> = archived
        .entries()
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    assert_eq!(paths, [NAME, "config.toml", MANIFEST]);
}

#[test]
fn lines_end_where_a_line_ends() {
    let dir = tempfile::tempdir().expect("a directory");
    let long_tail = [text(300 << 10, 1), b"\n".to_vec(), vec![b'x'; 200 << 10]].concat();
    let whole = (300 << 10) + 1;
    for (content, upto, expected, kind) in [
        (&b"{\"a\":1}\n{\"b\":2}\n"[..], 16, 16, Nature::Plain),
        (b"{\"a\":1}\n{\"b\":2}\n", 12, 8, Nature::JsonlCut),
        (b"{\"a\":1}\n{\"b\":", 13, 8, Nature::JsonlCut),
        (b"{\"a\":1}\n{\"b\":2}", 15, 15, Nature::Plain),
        (b"{\"a\":1", 6, 0, Nature::JsonlCut),
        (b"12", 2, 0, Nature::JsonlCut),
        (b"", 0, 0, Nature::Plain),
        // It was rewritten, and is shorter than it was.
        (b"{\"a\":1}\n", 500, 8, Nature::Plain),
        (&long_tail, long_tail.len(), whole, Nature::JsonlCut),
    ] {
        let Content::File { source, .. } = file(dir.path(), "s.jsonl", content).content else {
            unreachable!("a file")
        };
        let size = upto as u64;
        let archived = archived(&[entry(
            "s.jsonl",
            Content::Lines {
                source,
                size,
                inode: 0,
            },
        )]);
        let listed = archived.manifest().files.remove(0);
        assert_eq!(
            (listed.size, listed.kind),
            (expected as u64, kind),
            "{upto}"
        );
        assert_eq!(archived.entries()[1].1, content[..expected]);
    }
}

/// Lets the archive be made while `change` is done to the source again and again.
fn while_changing(source: &Path, entries: &[Entry], change: impl Fn(u32) + Sync) -> Archived {
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let changing = scope.spawn(|| {
            for count in 0.. {
                if is_over.load(std::sync::atomic::Ordering::SeqCst) {
                    break;
                }
                change(count);
            }
        });
        let archived = archived(entries);
        is_over.store(true, std::sync::atomic::Ordering::SeqCst);
        changing.join().expect("ends");
        assert!(source.exists());
        archived
    })
}

#[test]
fn a_large_file_that_changes_meanwhile_is_never_half_of_two() {
    let dir = tempfile::tempdir().expect("a directory");
    let name = "large.bin";
    let large = file(dir.path(), name, &vec![b'0'; 8 * BLOCK]);
    let source = dir.path().join(name);
    let entries = [large];
    let writer = std::sync::Mutex::new(File::options().write(true).open(&source).expect("opens"));
    let change = |count: u32| {
        let letter = b'0' + u8::try_from(count % 10).unwrap_or_default();
        let mut file = writer.lock().expect("locks");
        file.rewind().expect("rewinds");
        for _ in 0..8 {
            file.write_all(&vec![letter; BLOCK]).expect("writes");
        }
    };
    for _ in 0..5 {
        let archived = while_changing(&source, &entries, change);
        match &archived.outcome {
            Outcome::Changing(places) => assert_eq!(*places, [0]),
            Outcome::Done(_) => {
                let content = archived.entries().remove(1).1;
                assert!(content.iter().all(|byte| *byte == content[0]));
            }
            Outcome::Rotten => panic!("nothing was taken over"),
        }
    }
}

#[test]
fn what_others_append_to_is_taken_as_it_was_at_its_moment() {
    let dir = tempfile::tempdir().expect("a directory");
    let content = text(4 * BLOCK, 3);
    let Content::File { source, size } = file(dir.path(), "s.jsonl", &content).content else {
        unreachable!("a file")
    };
    let entries = [entry(
        "s.jsonl",
        Content::Lines {
            source: source.clone(),
            size,
            inode: 0,
        },
    )];
    let change = |count: u32| {
        let mut file = File::options().append(true).open(&source).expect("opens");
        writeln!(file, "{{\"more\":{count}}}").expect("writes");
    };
    let archived = while_changing(&source, &entries, change);
    assert!(archived.written().unsteady.is_empty());
    let end = content
        .iter()
        .rposition(|byte| *byte == b'\n')
        .expect("a line")
        + 1;
    assert!(archived.entries().remove(1).1 == content[..end]);
}

/// SQLite writes a log's index by a mapping.
#[cfg(target_os = "linux")]
#[test]
fn what_is_written_by_a_mapping_is_not_missed() {
    let dir = tempfile::tempdir().expect("a directory");
    let place = dir.path().join("x.sqlite");
    let database = rusqlite::Connection::open(&place).expect("opens");
    database
        .execute_batch(
            "PRAGMA page_size=512; PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;
             PRAGMA wal_autocheckpoint=0; CREATE TABLE t(v);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
             INSERT INTO t SELECT zeroblob(470) FROM n;",
        )
        .expect("fills");
    let source = dir.path().join("x.sqlite-shm");
    let size = fs::metadata(&source).expect("stands").len();
    assert!(size >= LARGE, "{size}");
    let entries = [entry(
        "x",
        Content::File {
            source: source.clone(),
            size,
        },
    )];
    std::thread::sleep(std::time::Duration::from_millis(3100));
    let empty = Known::after(std::time::Duration::from_secs(3));
    let with = |known: &Known, reuse: &Reuse| archived_by(&entries, None, &how(reuse, known));
    let first = with(&empty, &Reuse::default());
    let reuse = Reuse::of(&[first.path()]);
    database
        .execute_batch("INSERT INTO t VALUES (1);")
        .expect("writes");
    let again = with(&known_of(&first), &reuse);
    let is = fs::read(&source).expect("reads");
    assert!(first.entries()[1].1 != is);
    assert!(again.entries()[1].1 == is);
}

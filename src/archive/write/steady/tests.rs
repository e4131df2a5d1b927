//! Files that are written to, cut, replaced or removed while they are taken.

use super::*;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tempfile::TempDir;

/// A directory with one file in it.
struct Dir {
    dir: TempDir,
    source: PathBuf,
}

impl Dir {
    fn with(content: &[u8]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let source = dir.path().join("s.jsonl");
        let dir = Self { dir, source };
        dir.put(content);
        dir
    }

    /// As most programs write: emptied, then filled.
    fn put(&self, content: &[u8]) {
        fs::write(&self.source, content).expect("writes");
    }

    fn replace(&self, content: &[u8]) {
        let beside = self.dir.path().join("beside");
        fs::write(&beside, content).expect("writes");
        fs::rename(beside, &self.source).expect("renames");
    }

    fn remove(&self) {
        fs::remove_file(&self.source).expect("removes");
    }

    fn file(&self) -> Asked<'_> {
        let size = fs::metadata(&self.source).map_or(0, |meta| meta.len());
        Asked {
            source: &self.source,
            size,
            lines: None,
            is_ours: false,
            settled: None,
        }
    }

    /// As of now.
    fn lines(&self) -> Asked<'_> {
        let inode = fs::metadata(&self.source).map_or(0, |meta| fsutil::inode(&meta));
        Asked {
            lines: Some(inode),
            ..self.file()
        }
    }
}

/// Takes what was `asked` for while `change` is done again and again.
fn while_doing<R>(change: impl Fn(u64) + Sync, take: impl FnOnce() -> R) -> R {
    let (is_begun, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let changing = scope.spawn(|| {
            for count in 0.. {
                change(count);
                is_begun.store(true, Ordering::SeqCst);
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        while !is_begun.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        let taken = take();
        is_over.store(true, Ordering::SeqCst);
        changing.join().expect("ends");
        taken
    })
}

fn taken(asked: &Asked) -> Taken {
    take(asked, &mut Rests::default())
}

#[track_caller]
fn small(taken: Taken) -> (Vec<u8>, Found) {
    match taken {
        Taken::Small(bytes, found) => (bytes, found),
        Taken::Large(..) => panic!("it is large"),
        Taken::Vanished => panic!("it vanished"),
        Taken::Unreadable(why) => panic!("{why}"),
    }
}

const WHOLE: Found = Found {
    is_cut: false,
    is_shorter: false,
    is_moving: false,
};
const CUT: Found = Found {
    is_cut: true,
    ..WHOLE
};
const SHORTER: Found = Found {
    is_shorter: true,
    ..WHOLE
};

#[test]
fn a_text_is_as_long_as_at_its_moment() {
    let dir = Dir::with(b"{\"a\":1}\n{\"b\":2}\n");
    let asked = dir.lines();
    dir.put(b"{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n");
    assert_eq!(
        small(taken(&asked)),
        (b"{\"a\":1}\n{\"b\":2}\n".to_vec(), WHOLE)
    );
    let torn = Dir::with(b"{\"a\":1}\n{\"b\"");
    let asked = torn.lines();
    torn.put(b"{\"a\":1}\n{\"b\":2}\n");
    assert_eq!(small(taken(&asked)), (b"{\"a\":1}\n".to_vec(), CUT));
}

#[test]
fn which_last_lines_are_whole() {
    for (text, length) in [
        ("{\"a\":1}", 7),
        ("{}\n[1,2]", 8),
        ("{}\n\"text\"", 9),
        ("{}\n{\"a\":1} ", 11),
        ("{}\n[1,2", 3),
        ("{}\n\"te", 3),
        // It may go on.
        ("{}\n12", 3),
        ("{}\ntrue", 3),
        ("{}\nno JSON", 3),
        ("{}\n{}{}", 3),
        ("{}\n\0\0\0", 3),
        ("{}\n ", 3),
        ("{}\n\n", 4),
        ("no line", 0),
        ("", 0),
    ] {
        let dir = Dir::with(text.as_bytes());
        let (bytes, found) = small(taken(&dir.lines()));
        assert_eq!(bytes, text.as_bytes()[..length], "{text}");
        assert_eq!(found.is_cut, length < text.len(), "{text}");
        // And where it is not all in hand.
        let file = File::open(&dir.source).expect("opens");
        let end = end_of_lines(&file, text.len() as u64).expect("reads");
        assert_eq!(end, length as u64, "{text}");
    }
}

#[test]
fn a_text_that_was_made_shorter_is_waited_for_and_told() {
    let dir = Dir::with(b"{\"a\":1}\n{\"b\":2}\n");
    let asked = dir.lines();
    dir.put(b"{\"b\":2}\n");
    assert_eq!(small(taken(&asked)), (b"{\"b\":2}\n".to_vec(), SHORTER));
    // The one who trims it has emptied it, and is about to write what stays.
    dir.put(b"");
    let taken_later = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(REST * 2);
            dir.put(b"{\"b\":2}\n");
        });
        taken(&asked)
    });
    assert_eq!(small(taken_later), (b"{\"b\":2}\n".to_vec(), SHORTER));
    dir.put(b"");
    assert_eq!(small(taken(&asked)), (Vec::new(), SHORTER));
}

#[test]
fn a_file_that_is_being_written_anew_is_not_taken_empty() {
    let dir = Dir::with(b"model = \"made-up\"\n");
    let asked = dir.file();
    dir.put(b"");
    let taken_later = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(REST * 2);
            dir.put(b"model = \"x\"\n");
        });
        taken(&asked)
    });
    assert_eq!(small(taken_later), (b"model = \"x\"\n".to_vec(), WHOLE));
}

#[test]
fn a_file_that_is_written_in_pieces_is_waited_for() {
    let dir = Dir::with(b"old");
    let taken_later = thread::scope(|scope| {
        dir.put(b"half of ");
        let asked = dir.file();
        scope.spawn(|| {
            thread::sleep(REST);
            dir.put(b"half of it all");
        });
        taken(&asked)
    });
    assert_eq!(small(taken_later), (b"half of it all".to_vec(), WHOLE));
}

#[cfg(unix)]
#[test]
fn a_text_that_another_one_replaced_is_taken_whole() {
    let dir = Dir::with(b"{\"a\":1}\n{\"b\":2}\n");
    let asked = dir.lines();
    // Kept open, so that its number is not given to another one.
    let _old = File::open(&dir.source).expect("opens");
    let longer = b"{\"a\":\"one\"}\n{\"b\":\"two\"}\n";
    dir.replace(longer);
    assert_eq!(small(taken(&asked)), (longer.to_vec(), WHOLE));
    dir.replace(b"{\"c\":3}\n");
    let mut rests = Rests::default();
    let without_rest = small(take(&asked, &mut rests));
    assert_eq!(without_rest, (b"{\"c\":3}\n".to_vec(), SHORTER));
    assert_eq!(rests.left, MOST_RESTS);
}

/// Where a large text is cut depends on what stood there then.
#[test]
fn a_large_text_that_was_written_anew_is_not_cut_within_a_line() {
    let line = |letter: &str, length: usize| format!("{{\"{}\":1}}\n", letter.repeat(length - 7));
    let length = usize::try_from(LARGE).expect("small") + 100;
    let old = line("a", 50).repeat(length / 50);
    let new = line("b", 70).repeat(length / 70 + 10);
    let dir = Dir::with(old.as_bytes());
    let asked = dir.lines();
    let Taken::Large(open, WHOLE) = taken(&asked) else {
        panic!("it is not large")
    };
    let hash_now = || {
        hash_of(&open.file, open.length, &|| false)
            .expect("reads")
            .0
    };
    let before = hash_now();
    assert!(open.holds_still(&before, &|| false));
    dir.put(new.as_bytes());
    // All that is read is of the new one, and of one moment.
    assert!(!open.holds_still(&hash_now(), &|| false));
    assert!(!open.holds_still(&before, &|| false));
    let target = dir.dir.path().join("copy");
    let copied = copy(&asked, &target, &|| false).expect("copies");
    assert_eq!((copied.is_steady, copied.is_shorter), (true, false));
    let copy = fs::read_to_string(&target).expect("reads");
    assert_eq!((copied.length, copied.is_cut), (copy.len() as u64, true));
    assert!(new.starts_with(&copy) && copy.ends_with('\n'));
    assert!(new.len() - copy.len() > 70 && old.len() - copy.len() < 70);
}

#[test]
fn a_change_that_no_time_shows_is_seen() {
    let dir = Dir::with(&vec![b'a'; usize::try_from(LARGE).expect("small")]);
    let Taken::Large(mut open, _) = taken(&dir.file()) else {
        panic!("it is not large")
    };
    let hash = hash_of(&open.file, LARGE, &|| false).expect("reads").0;
    // Of the same length, and within the clock's grain: no time tells.
    let other = File::options()
        .write(true)
        .open(&dir.source)
        .expect("opens");
    (&other).write_all(b"b").expect("writes");
    open.seen = seen(&open.file).expect("stands");
    assert!(open.seen.is_fresh);
    assert!(!open.holds_still(&hash, &|| false));
    // A file that was not touched for long: only the time of its change tells.
    let old = SystemTime::now() - Duration::from_hours(1);
    other.set_modified(old).expect("sets");
    let Taken::Large(open, _) = taken(&dir.file()) else {
        panic!("it is not large")
    };
    assert!(!open.seen.is_fresh);
    let hash = hash_of(&open.file, LARGE, &|| false).expect("reads").0;
    assert!(open.holds_still(&hash, &|| false));
    #[cfg(unix)]
    {
        thread::sleep(Duration::from_millis(50));
        (&other).write_all(b"c").expect("writes");
        other.set_modified(old).expect("sets");
        assert!(!open.holds_still(&hash, &|| false));
    }
}

#[test]
fn a_file_that_never_holds_still_is_taken_as_it_was_read_last() {
    let length = usize::try_from(LARGE).expect("small") - 1;
    let dir = Dir::with(&vec![b'0'; length]);
    let writer = File::options()
        .write(true)
        .open(&dir.source)
        .expect("opens");
    let change = |count: u64| {
        let letters = vec![b'0' + u8::try_from(count % 10).unwrap_or_default(); length];
        io::Seek::rewind(&mut &writer).expect("rewinds");
        (&writer).write_all(&letters).expect("writes");
    };
    let mut moving = 0;
    for _ in 0..20 {
        let asked = dir.file();
        let (bytes, found) = small(while_doing(change, || taken(&asked)));
        assert_eq!(bytes.len(), length);
        moving += usize::from(found.is_moving);
        if moving > 0 {
            break;
        }
    }
    assert!(moving > 0, "it held still each time");
    assert_eq!(
        Found {
            is_moving: true,
            ..CUT
        }
        .over(Nature::Plain),
        Nature::Raw
    );
    assert_eq!(CUT.over(Nature::Raw), Nature::Raw);
    assert_eq!(CUT.over(Nature::Plain), Nature::JsonlCut);
}

#[test]
fn what_is_gone_is_looked_for_once_more() {
    let dir = Dir::with(b"x");
    let asked = dir.file();
    dir.remove();
    assert!(matches!(taken(&asked), Taken::Vanished));
    let found = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(REST / 4);
            dir.put(b"y");
        });
        taken(&asked)
    });
    assert_eq!(small(found).0, b"y");
    // A directory on the way that is a file by now.
    let below = dir.source.join("below");
    let asked = Asked {
        source: &below,
        ..dir.file()
    };
    assert!(matches!(taken(&asked), Taken::Vanished));
}

#[test]
fn ten_thousand_files_that_are_gone_cost_no_minute() {
    let dir = Dir::with(b"x");
    let asked = dir.file();
    dir.remove();
    let begun = Instant::now();
    let mut rests = Rests::default();
    for _ in 0..10_000 {
        assert!(matches!(take(&asked, &mut rests), Taken::Vanished));
    }
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
}

#[cfg(unix)]
#[test]
fn what_is_no_file_any_more_is_not_waited_for() {
    let dir = Dir::with(b"x");
    let asked = dir.file();
    dir.remove();
    rustix::fs::mkfifoat(rustix::fs::CWD, &dir.source, 0o600.into()).expect("makes");
    let mut rests = Rests::default();
    let Taken::Unreadable(why) = take(&asked, &mut rests) else {
        panic!("it was read")
    };
    assert_eq!(why, "it is no regular file");
    assert_eq!(rests.left, MOST_RESTS);
    dir.remove();
    fs::create_dir(&dir.source).expect("makes");
    assert!(matches!(taken(&asked), Taken::Unreadable(_)));
    let long = dir.dir.path().join("x".repeat(300));
    let asked = Asked {
        source: &long,
        ..dir.file()
    };
    let Taken::Unreadable(why) = taken(&asked) else {
        panic!("it was read")
    };
    assert_eq!(why, "file name too long");
}

#[test]
fn a_copy_of_a_file_that_changes_all_the_time_says_so_and_ends() {
    let length = 4 << 20;
    let dir = Dir::with(&vec![b'0'; length]);
    let target = dir.dir.path().join("copy");
    let writer = File::options()
        .write(true)
        .open(&dir.source)
        .expect("opens");
    let change = |count: u64| {
        let letters = vec![b'0' + u8::try_from(count % 10).unwrap_or_default(); length];
        io::Seek::rewind(&mut &writer).expect("rewinds");
        (&writer).write_all(&letters).expect("writes");
    };
    let asked = dir.file();
    let is_steady = (0..20).all(|_| {
        let copied = while_doing(change, || copy(&asked, &target, &|| false));
        assert_eq!(fs::read(&target).expect("reads").len(), length);
        copied.expect("copies").is_steady
    });
    assert!(!is_steady, "it held still each time");
    let stopped = copy(&asked, &target, &|| true).expect_err("stops");
    assert!(
        matches!(stopped, Uncopied::Failed(error) if error.kind() == crate::error::Kind::Interrupted)
    );
    let nowhere = dir.dir.path().join("none/copy");
    let unwritten = copy(&asked, &nowhere, &|| false).expect_err("cannot be written");
    assert!(matches!(unwritten, Uncopied::Failed(_)));
    dir.remove();
    let unread = copy(&asked, &target, &|| false).expect_err("cannot be read");
    assert!(matches!(unread, Uncopied::Source(error) if fsutil::is_gone(&error)));
}

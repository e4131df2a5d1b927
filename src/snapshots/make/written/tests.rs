//! Snapshots made of files that move.

use super::*;

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

#[test]
fn what_may_change_is_copied_once_and_cut_and_what_is_gone_is_dropped() {
    let dir = tempfile::tempdir().expect("a directory");
    let line = "{\"a\":1}\n";
    let text = line.repeat(40_000) + "{\"half";
    let whole = text.len() as u64 - 6;
    let put = |name: &str, text: &str| {
        let source = dir.path().join(name.replace('/', "_"));
        fs::write(&source, text).expect("writes");
        (source, text.len() as u64)
    };
    let lines = |name: &str, text: &str| {
        let (source, size) = put(name, text);
        let inode = 0;
        entry(
            name,
            Content::Lines {
                source,
                size,
                inode,
            },
        )
    };
    let file = |name: &str, text: &str| {
        let (source, size) = put(name, text);
        entry(name, Content::File { source, size })
    };
    let database = Entry {
        nature: Nature::SqliteCopy,
        ..file("d.sqlite", &text)
    };
    let mut entries = vec![
        entry("a", Content::Dir),
        file("a/large", &text),
        file("a/small", line),
        database,
        file("gone", &text),
        lines("z.jsonl", &text),
    ];
    let large = Copies::all_large(&entries);
    assert_eq!(large, [1, 4, 5]);
    fs::remove_file(dir.path().join("gone")).expect("removes");
    let mut copies = Copies::default();
    copies
        .take(&mut entries, &large, dir.path(), &|| false)
        .expect("copies");
    let paths: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(paths, ["a", "a/large", "a/small", "d.sqlite", "z.jsonl"]);
    assert_eq!(copies.vanished, ["gone"]);
    assert_eq!(Copies::all_large(&entries), Vec::<usize>::new());
    assert_eq!(entries[1].size(), text.len() as u64);
    let cut = &entries[4];
    assert_eq!((cut.size(), cut.nature), (whole, Nature::JsonlCut));
    let copy = fs::metadata(cut.source().expect("a copy")).expect("stands");
    assert_eq!(copy.len(), whole);
}

/// A text whose last line lacks its end and which is just being written: it is written from a copy, once.
#[test]
fn an_archive_is_done_whatever_its_texts_end_with() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = "{\"a\":1}\n".repeat(40_000) + "{\"whole\":1}";
    let source = dir.path().join("z.jsonl");
    fs::write(&source, &text).expect("writes");
    let size = text.len() as u64;
    let content = Content::Lines {
        source,
        size,
        inode: 0,
    };
    let making = Making {
        force: false,
        level: 1,
        threads: Some(2),
        earlier: &[],
        notes: None,
        progress: &crate::ui::progress::UNTOLD,
    };
    let frame = Frame {
        name: "x.metadata.json",
        description: b"{}",
        manifest_name: "x.manifest.metadata.json",
        account: &crate::metadata::Account::default(),
        absent: &[],
        late: None,
    };
    let archive = dir.path().join("x.tar.gz");
    let mut file = AtomicFile::create(&archive).expect("makes");
    let entries = vec![entry("z.jsonl", content)];
    let verified = write_verified(
        &mut file,
        &archive,
        &frame,
        entries,
        &making,
        &Known::default(),
        &|| false,
    );
    assert_eq!(verified.expect("writes").what.total_bytes, size);
}

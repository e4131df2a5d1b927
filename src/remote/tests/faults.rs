//! Stores on whose way requests and answers are lost, that are busy, that refuse, or that name what no object is named.

use super::servers::{BUCKET, Fault, KEY, Proxy, SECRET, Servers, servers};
use super::*;

/// Runs `test` on both kinds of servers behind a way of their own, which it is given.
fn behind(name: &str, test: impl Fn(&Remote, &Proxy, &Servers)) {
    let Some(servers) = servers() else { return };
    let proxy = Proxy::to(&servers.s3);
    test(&s3(&proxy.address, name), &proxy, servers);
    let proxy = Proxy::to(&servers.loose_dav);
    test(&dav(&proxy.address, name), &proxy, servers);
}

fn is_of(methods: &'static [&'static str]) -> impl Fn(&str) -> bool {
    move |request| methods.iter().any(|method| request.starts_with(method))
}

const WRITES: &[&str] = &["PUT", "POST", "MOVE", "MKCOL"];
const ALL: &[&str] = &[""];

#[test]
fn trouble_that_passes_is_waited_for() {
    for (number, fault) in [
        Fault::Status(503),
        Fault::Status(429),
        Fault::Status(500),
        Fault::CutRequest,
    ]
    .into_iter()
    .enumerate()
    {
        behind(&format!("trouble-{number}"), |remote, proxy, _| {
            for how in [How::Always, How::IfAbsent] {
                let key = format!("dir/{how:?}");
                proxy.spoil(2, fault.clone(), is_of(WRITES));
                let stood = remote.put(&key, b"bytes".to_vec(), how).unwrap();
                assert_eq!(stood, Stood::Written, "{fault:?}");
                proxy.spoil(1, fault.clone(), is_of(ALL));
                assert_eq!(remote.list("dir").unwrap().len(), 1, "{fault:?}");
                proxy.spoil(1, fault.clone(), is_of(ALL));
                assert_eq!(remote.get(&key, 9).unwrap().unwrap(), b"bytes", "{fault:?}");
                proxy.spoil(1, fault.clone(), is_of(ALL));
                assert!(remote.remove(&key).unwrap());
            }
        });
    }
}

#[test]
fn whose_answer_was_lost_is_written_once_and_by_us() {
    behind("lost", |remote, proxy, _| {
        for round in 0..2 {
            let key = format!("dir/{round}");
            proxy.spoil(1, Fault::LoseReply, is_of(&["PUT", "MOVE"]));
            let stood = remote.put(&key, b"mine".to_vec(), How::IfAbsent).unwrap();
            assert_eq!(stood, Stood::Written);
            proxy.spoil(1, Fault::LoseReply, is_of(&["MOVE"]));
            let again = remote.put(&key, b"other".to_vec(), How::IfAbsent).unwrap();
            assert_eq!(again, Stood::WasThere);
            assert_eq!(remote.get(&key, 9).unwrap().unwrap(), b"mine");
        }
        // Nothing is left on its way.
        let other = remote.list("dir").unwrap();
        assert_eq!(other.len(), 2);
    });
}

#[test]
fn a_long_object_survives_cuts_both_ways() {
    let bytes: Vec<u8> = (0..5_000_000_u32).flat_map(u32::to_le_bytes).collect();
    behind("cuts", |remote, proxy, _| {
        proxy.spoil(2, Fault::CutRequest, is_of(&["PUT"]));
        // The one that makes an object of its parts, or puts it in its place.
        let completes = |request: &str| {
            request.starts_with("MOVE")
                || request.starts_with("POST") && request.contains("uploadId")
        };
        proxy.spoil(1, Fault::LoseReply, completes);
        let mut writer = remote.writer("long").unwrap();
        writer.write_all(&bytes).unwrap();
        writer.finish().unwrap();

        proxy.spoil(1, Fault::CutReply(3_000_000), is_of(&["GET"]));
        proxy.spoil(1, Fault::CutReply(0), is_of(&["GET"]));
        let mut read = Vec::new();
        let mut reader = remote.reader("long").unwrap().unwrap();
        reader.read_to_end(&mut read).unwrap();
        assert!(read == bytes);
        let gets = proxy
            .seen()
            .iter()
            .filter(|seen| seen.starts_with("GET"))
            .count();
        assert!(gets >= 3, "{gets}");
    });
}

#[test]
fn an_object_that_is_replaced_while_it_is_read_is_not_mixed() {
    behind("replaced", |remote, proxy, _| {
        remote.put("key", vec![1; 4_000_000], How::Always).unwrap();
        proxy.spoil(1, Fault::CutReply(1_000_000), is_of(&["GET"]));
        let mut reader = remote.reader("key").unwrap().unwrap();
        let mut first = vec![0; 1000];
        reader.read_exact(&mut first).unwrap();
        remote.put("key", vec![2; 4_000_001], How::Always).unwrap();
        let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
        let error = of_io(error, |_| panic!("not ours"));
        assert_eq!(error.kind(), Kind::Remote);
        assert!(
            error
                .to_string()
                .ends_with("`key` was replaced while it was read"),
            "{error}"
        );
    });
}

#[test]
fn hostile_names_are_text_and_keep_no_other_from_being_seen() {
    let Some(servers) = servers() else { return };
    let proxy = Proxy::to(&servers.s3);
    let remote = s3(&proxy.address, "p");
    let names = [
        "../../etc/passwd",
        "good",
        "/abs",
        "a//b",
        "nul&#0;",
        "new&#10;line",
        "&lt;&amp;",
        "..",
        "%2E%2E/x",
        "c:\\x",
    ];
    let entry = |name: &&str| {
        [
            "<Contents><Key>p/s/",
            name,
            "</Key><LastModified>2026-04-14T15:55:00.000Z</LastModified><ETag>\"e\"</ETag><Size>1</Size></Contents>",
        ]
        .concat()
    };
    let contents: String = names.iter().map(entry).collect();
    let document = format!(
        "<?xml version=\"1.0\"?><ListBucketResult><Name>{BUCKET}</Name><Prefix>p/s/</Prefix><IsTruncated>false</IsTruncated>\
         {contents}<CommonPrefixes><Prefix>p/s/../</Prefix></CommonPrefixes></ListBucketResult>"
    );
    proxy.spoil(1, Fault::Answer(document), is_of(ALL));
    let listed = keys(&remote, "s");
    assert!(
        listed.contains("s/good") && listed.contains("s/<&"),
        "{listed:?}"
    );
    assert!(listed.contains("s/%2E%2E/%2E%2E/etc/passwd"), "{listed:?}");
    for key in &listed {
        // Whatever it is, asking for it does no harm.
        let _ = remote.get(key, 1);
    }

    for nonsense in ["", "<html>", "<ListBucketResult><Contents><Key>", "\u{0}"] {
        proxy.spoil(1, Fault::Answer(nonsense.to_owned()), is_of(ALL));
        let error = remote.list("s").unwrap_err();
        assert_eq!(error.kind(), Kind::Remote);
        assert!(
            error.to_string().contains("its answer cannot be read"),
            "{error}"
        );
    }
}

/// What a failure says in full.
fn said(error: &Error) -> String {
    assert_eq!(error.kind(), Kind::Remote);
    format!("{error}\n{}", error.hint())
}

#[test]
fn what_a_store_refuses_is_told_in_one_line_with_what_to_do() {
    let Some(servers) = servers() else { return };
    let endpoint = format!("http://{}", servers.s3);
    let with = |bucket: &str, secret: &str| {
        let variables = [
            ("AWS_ENDPOINT_URL_S3", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ];
        opened(&format!("s3://{bucket}/p"), &variables)
    };
    let keys = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them to ~/.aws/credentials (AWS_PROFILE chooses \
                among several)";
    let wrong = with(BUCKET, "another-secret");
    let why = "the store refuses: the credentials are wrong, or may not do this (403 SignatureDoesNotMatch)";
    assert_eq!(
        said(&wrong.list("").unwrap_err()),
        format!("cannot list `s3://bucket/p`: {why}\n{keys}")
    );
    assert_eq!(
        said(&wrong.put("key", Vec::new(), How::Always).unwrap_err()),
        format!("cannot write to `s3://bucket/p`: {why}\n{keys}")
    );
    let none = with("no-such-bucket", SECRET);
    let why = "there is no such bucket (404 NoSuchBucket)\nmake it with the provider's own tools, or mend the address";
    assert_eq!(
        said(&none.list("").unwrap_err()),
        format!("cannot list `s3://no-such-bucket/p`: {why}")
    );
    assert_eq!(
        said(&none.get("key", 1).unwrap_err()),
        format!("cannot read from `s3://no-such-bucket/p`: {why}")
    );

    let stranger = opened(&format!("http://{}/p", servers.loose_dav), &[]);
    assert_eq!(
        said(&stranger.list("").unwrap_err()),
        format!(
            "cannot list `http://{}/p`: the store refuses: the credentials are wrong, or may not do this (401)\nset \
             CODEX_MANAGER_WEBDAV_USER and CODEX_MANAGER_WEBDAV_PASSWORD, or write a line `machine HOST login USER password \
             PASSWORD` to ~/.netrc",
            servers.loose_dav
        )
    );
}

#[test]
fn nobody_waits_long_for_a_server_that_never_was_there() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nowhere = |remote: Remote| {
        let error = remote.list("").unwrap_err();
        let text = said(&error);
        assert!(
            text.contains(": the store cannot be reached: connection refused\n"),
            "{text}"
        );
    };
    nowhere(s3(&port.to_string(), "p"));
    nowhere(dav(&port.to_string(), "p"));
    let address = Address::parse("s3://bucket", &here).unwrap();
    let mut access = Access::default();
    access
        .variables
        .insert("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned());
    let error = Remote::open(&address, &access, &Stop::default()).unwrap_err();
    assert!(
        said(&error)
            .starts_with("cannot open `s3://bucket`: there are no credentials for it\nset AWS_")
    );
}

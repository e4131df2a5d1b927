//! What can be typed, and what is said of what cannot.

use super::*;

fn parsed(text: &str) -> Result<Address> {
    Address::parse(text, &|path: &Path| {
        let below = path
            .strip_prefix("~")
            .map(|rest| Path::new("/home/me").join(rest));
        Ok(below.unwrap_or_else(|_| path.to_owned()))
    })
}

fn refused(text: &str) -> String {
    let error = parsed(text).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage, "{text}");
    error.to_string()
}

#[test]
fn an_address_is_shown_as_it_can_be_typed_again() {
    for (typed, shown) in [
        ("s3://bucket", "s3://bucket"),
        (" S3://bucket/// ", "s3://bucket"),
        (
            "s3://my.bucket-1/a b/ü/100%41/",
            "s3://my.bucket-1/a b/ü/100%41",
        ),
        ("gs://bucket/p", "gs://bucket/p"),
        ("az://$root/p", "az://$root/p"),
        (
            "HTTPS://Host.example.com:443/dav/a%20b%2541/",
            "https://host.example.com/dav/a b%2541",
        ),
        ("http://127.0.0.1:80/ü", "http://127.0.0.1/ü"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ] {
        let address = parsed(typed).unwrap();
        assert_eq!(address.to_string(), shown);
        assert_eq!(parsed(shown).unwrap(), address);
    }
}

#[cfg(unix)]
#[test]
fn a_folder_is_a_path_or_an_address_of_one() {
    for (typed, path) in [
        ("/media/stick", "/media/stick"),
        ("/media//stick/./", "/media/stick"),
        ("/a b%41", "/a b%41"),
        ("~", "/home/me"),
        ("~/backups", "/home/me/backups"),
        ("file:///media/a%20b%25", "/media/a b%"),
        ("FILE://localhost/x y", "/x y"),
    ] {
        let address = parsed(typed).unwrap();
        assert_eq!(address, Address::Folder(PathBuf::from(path)), "{typed}");
        assert_eq!(parsed(&address.to_string()).unwrap(), address);
    }
}

#[test]
fn what_is_no_address_is_refused_with_the_reason() {
    for (typed, why) in [
        (
            "",
            "the remote `` cannot be used: it is neither a store's address nor a whole path",
        ),
        (
            "backups",
            "the remote `backups` cannot be used: it is neither a store's address nor a whole path",
        ),
        (
            "file:///",
            "the remote `file:///` cannot be used: it is the root of the file system",
        ),
        (
            "ftp://host/x",
            "the remote `ftp://host/x` cannot be used: no store is reached that way",
        ),
        (
            "s3://",
            "the remote `s3://` cannot be used: the bucket is missing",
        ),
        (
            "gs:///prefix",
            "the remote `gs:///prefix` cannot be used: the bucket is missing",
        ),
        (
            "s3://a b/x",
            "the remote `s3://a b/x` cannot be used: `a b` is no bucket's name",
        ),
        (
            "s3://../x",
            "the remote `s3://../x` cannot be used: `..` is no bucket's name",
        ),
        (
            "s3://b/a/../c",
            "the remote `s3://b/a/../c` cannot be used: a part of its path is `..`",
        ),
        (
            "s3://b/a//c",
            "the remote `s3://b/a//c` cannot be used: a part of its path is empty",
        ),
        (
            "s3://b/a?region=x",
            "the remote `s3://b/a?region=x` cannot be used: its path holds `?`",
        ),
        (
            "s3://b/a\u{1b}c",
            "the remote `s3://b/a?c` cannot be used: its path holds a control character",
        ),
        (
            "https://host/a/%2e%2E/b",
            "the remote `https://host/a/%2e%2E/b` cannot be used: a part of its path is `..`",
        ),
        (
            "https://host/../b",
            "the remote `https://host/../b` cannot be used: a part of its path is `..`",
        ),
        (
            "https://host/%ff",
            "the remote `https://host/%ff` cannot be used: its path is no text",
        ),
        (
            "https://host/?x",
            "the remote `https://host/?x` cannot be used: it goes on after the path",
        ),
        (
            "file://host/x",
            "the remote `file://host/x` cannot be used: it is no whole path",
        ),
        (
            "file://x",
            "the remote `file://x` cannot be used: it is no whole path",
        ),
    ] {
        assert_eq!(refused(typed), why);
    }
    assert!(refused("https://").starts_with("the remote `https://` cannot be used: "));
}

#[test]
fn a_password_in_an_address_is_refused_and_never_repeated() {
    for typed in [
        "s3://AKIA1:hunter2@bucket/x",
        "s3://hunter2@bucket",
        "https://ann:hunter2@host/x",
        "https://ann:hun/ter2@host/x",
        "ftp://ann:hunter2@host",
        "az://account:hunter2@container",
    ] {
        let error = parsed(typed).unwrap_err();
        let text = format!("{error} {} {error:?}", error.hint());
        assert!(
            !text.contains("hunter2") && !text.contains("ter2"),
            "{text}"
        );
    }
    let error = parsed("https://ann:hunter2@host/x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the remote `https://host/x` cannot be used: credentials do not belong in an address"
    );
    assert_eq!(error.hint(), DAV_CREDENTIALS);
}

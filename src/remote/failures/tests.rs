//! Failures in a person's words.

use super::*;

fn told(status: u16, code: Option<&str>) -> (String, String) {
    let address = Address::parse("s3://bucket/p", &|path| Ok(path.to_owned())).unwrap();
    let error = Cause::Refused(status, code.map(str::to_owned)).told(&address, "list");
    assert_eq!(error.kind(), Kind::Remote);
    (error.to_string(), error.hint().to_owned())
}

#[test]
fn each_refusal_has_its_reason_and_its_next_step() {
    for (status, code, reason) in [
        (
            403,
            None,
            "the store refuses: the credentials are wrong, or may not do this (403)",
        ),
        (
            403,
            Some("RequestTimeTooSkewed"),
            "this machine's clock is not the store's (403 RequestTimeTooSkewed)",
        ),
        (
            404,
            Some("NoSuchBucket"),
            "there is no such bucket (404 NoSuchBucket)",
        ),
        (
            301,
            None,
            "the store is elsewhere, or in another region (301)",
        ),
        (429, None, "the store is too busy (429)"),
        (
            503,
            Some("SlowDown"),
            "the store is too busy (503 SlowDown)",
        ),
        (503, None, "the store is in trouble (503)"),
        (
            507,
            None,
            "the store is full, or takes no file of that size (507)",
        ),
        (418, None, "the store refuses (418)"),
    ] {
        let (message, hint) = told(status, code);
        assert_eq!(message, format!("cannot list `s3://bucket/p`: {reason}"));
        assert!(!hint.is_empty() && !hint.ends_with('.'));
    }
}

#[test]
fn what_a_server_says_is_not_repeated_but_for_its_code() {
    let text = "Error performing PUT http://x in 1s - Server returned non-2xx status code: 403 Forbidden: <?xml?>\n<Error>\
                <Code>SignatureDoesNotMatch</Code><StringToSign>secret</StringToSign></Error>";
    assert_eq!(status_in(text), Some(403));
    assert_eq!(code_in(text).as_deref(), Some("SignatureDoesNotMatch"));
    assert_eq!(code_in("<Code>two words</Code>"), None);
    assert_eq!(code_in("<Code></Code>"), None);
    assert_eq!(code_in("<Code>"), None);
    assert_eq!(one_line("A long\n\tway\u{1b}[2J."), "a long way [2J");
    assert_eq!(one_line(&"x".repeat(1000)).len(), 160);
}

#[test]
fn a_wrapped_failure_comes_out_as_it_was() {
    let inner = Error::new(Kind::Remote, "gone", "wait");
    let error = of_io(io::Error::other(inner), |_| Error::interrupted());
    assert_eq!((error.kind(), error.hint()), (Kind::Remote, "wait"));
    let other = of_io(io::Error::from(io::ErrorKind::NotFound), |_| {
        Error::interrupted()
    });
    assert_eq!(other.kind(), Kind::Interrupted);
}

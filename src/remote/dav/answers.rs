//! What a WebDAV server says that a directory holds.
//!
//! Source: RFC 4918, sections 9.1 and 14.

use chrono::DateTime;
use percent_encoding::percent_decode_str;
use quick_xml::Reader;
use quick_xml::events::Event;

/// What the request asks for.
pub(super) const ASKED: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
     <D:propfind xmlns:D=\"DAV:\"><D:prop><D:resourcetype/><D:getcontentlength/><D:getlastmodified/></D:prop></D:propfind>";

/// One member of the directory, or the directory itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Member {
    /// As the server writes it: a whole address, or a path, escaped.
    pub href: String,
    pub is_dir: bool,
    pub size: Option<u64>,
    /// In seconds of Unix time.
    pub modified: Option<i64>,
}

impl Member {
    /// What it is called below the directory at `path`, which begins and ends with a slash and is not escaped; None for
    /// the directory itself. A name that leads elsewhere is returned as it is.
    pub fn name(&self, path: &str) -> Option<String> {
        let after_host = match self.href.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
            None => &self.href,
        };
        let plain = percent_decode_str(after_host).decode_utf8_lossy();
        if plain.trim_end_matches('/') == path.trim_end_matches('/') {
            return None;
        }
        let name = match plain.strip_prefix(path) {
            Some(below) => below,
            // A server behind another may know itself by another path.
            None => plain
                .trim_end_matches('/')
                .rsplit('/')
                .next()
                .unwrap_or_default(),
        };
        Some(name.trim_end_matches('/').to_owned()).filter(|name| !name.is_empty())
    }
}

/// The members that an answer lists; why it cannot be read.
pub(super) fn members(document: &[u8]) -> Result<Vec<Member>, String> {
    let text = String::from_utf8_lossy(document);
    let mut reader = Reader::from_str(&text);
    let mut found: Vec<Member> = Vec::new();
    let mut member: Option<Member> = None;
    // The element whose text comes, and the text so far.
    let mut element = Vec::new();
    let mut said = String::new();
    let mut is_answer = false;
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        match event {
            Event::Start(start) => {
                element = start.local_name().as_ref().to_vec();
                said.clear();
                match element.as_slice() {
                    b"multistatus" => is_answer = true,
                    b"response" => member = Some(Member::default()),
                    b"collection" => mark(&mut member),
                    _ => {}
                }
            }
            Event::Empty(start) if start.local_name().as_ref() == b"collection" => {
                mark(&mut member);
            }
            Event::Empty(start) if start.local_name().as_ref() == b"multistatus" => {
                is_answer = true;
            }
            Event::Text(text) => said.push_str(&text.decode().map_err(|error| error.to_string())?),
            Event::CData(text) => said.push_str(&text.decode().map_err(|error| error.to_string())?),
            Event::GeneralRef(name) => {
                let name = name.decode().map_err(|error| error.to_string())?;
                let whole = format!("&{name};");
                let plain =
                    quick_xml::escape::unescape(&whole).map_err(|error| error.to_string())?;
                said.push_str(&plain);
            }
            Event::End(end) => {
                let name = end.local_name();
                if name.as_ref() == b"response" {
                    found.extend(member.take());
                } else if name.as_ref() == element.as_slice()
                    && let Some(member) = &mut member
                {
                    take(member, &element, said.trim());
                }
                element.clear();
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if is_answer {
        Ok(found)
    } else {
        Err("it is no list of a WebDAV server".to_owned())
    }
}

fn mark(member: &mut Option<Member>) {
    if let Some(member) = member {
        member.is_dir = true;
    }
}

fn take(member: &mut Member, element: &[u8], said: &str) {
    match element {
        b"href" if member.href.is_empty() => said.clone_into(&mut member.href),
        b"getcontentlength" => member.size = said.parse().ok().or(member.size),
        b"getlastmodified" => member.modified = date(said).or(member.modified),
        _ => {}
    }
}

/// A date of HTTP, in seconds of Unix time.
pub(super) fn date(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc2822(text)
        .ok()
        .map(|date| date.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_whatever_the_names_of_the_space_and_however_their_properties_are_split() {
        let answer = br#"<?xml version="1.0"?><a:multistatus xmlns:a="DAV:">
            <a:response><a:href>/dav/s/</a:href><a:propstat><a:prop><a:resourcetype><a:collection/></a:resourcetype>
              </a:prop><a:status>HTTP/1.1 200 OK</a:status></a:propstat><a:propstat><a:prop><a:getcontentlength/></a:prop>
              <a:status>HTTP/1.1 404 Not Found</a:status></a:propstat></a:response>
            <a:response><a:href>https://one.example.com/dav/s/a%20b%2541&amp;.age</a:href><a:propstat><a:prop>
              <a:resourcetype/><a:getcontentlength>17</a:getcontentlength>
              <a:getlastmodified>Mon, 23 Nov 2026 06:00:02 GMT</a:getlastmodified></a:prop></a:propstat></a:response>
            <a:response><a:href>/dav/s/../../etc/passwd</a:href></a:response>
            <a:response><a:href>/other/s/c</a:href></a:response>
            </a:multistatus>"#;
        let found = members(answer).unwrap();
        let names: Vec<_> = found.iter().map(|member| member.name("/dav/s/")).collect();
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(
            names,
            [
                None,
                some("a b%41&.age"),
                some("../../etc/passwd"),
                some("c")
            ]
        );
        assert!(found[0].is_dir && found[0].size.is_none());
        assert_eq!(
            (found[1].size, found[1].modified),
            (Some(17), Some(1_795_413_602))
        );
    }

    #[test]
    fn what_is_no_answer_is_refused_and_nothing_panics() {
        assert_eq!(members(b"<D:multistatus/>"), Ok(Vec::new()));
        for broken in [
            &b""[..],
            b"<html><body>hello</body></html>",
            b"<a><b></a>",
            b"<multistatus><response><href>&nope;</href></response></multistatus>",
            b"\xff\xfe<",
        ] {
            assert!(members(broken).is_err(), "{broken:?}");
        }
        let odd = members(b"<multistatus><response><href>%ff%00//</href></response></multistatus>");
        assert_eq!(odd.unwrap()[0].name("/"), Some("\u{fffd}\0".to_owned()));
        let empty = members(b"<multistatus><response/><response></response></multistatus>");
        assert_eq!(empty.unwrap()[0].name("/s/"), None);
    }
}

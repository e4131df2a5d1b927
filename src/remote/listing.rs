//! What a store's listing names, put so that the library reads all of it: one name that no path can have, such as
//! `snapshots/../x`, would otherwise keep every other from being seen.

use std::borrow::Cow;

use super::address::is_no_name;

/// The elements whose text is an object's name, or the beginning of some.
const NAMES: &[&str] = &["Key", "Prefix", "Name"];

/// Whether a request with that query asks for a listing.
pub(super) fn is_asked_for(query: &str) -> bool {
    query
        .split('&')
        .any(|part| part == "list-type=2" || part == "comp=list")
}

/// The listing with each name that is none written so that it is one, which no object has.
pub(super) fn harmless(document: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(document);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some((before, element, name, after)) = next_name(rest) {
        out.push_str(before);
        out.push_str(&format!("<{element}>{}</{element}>", mended(name)));
        rest = after;
    }
    out.push_str(rest);
    out.into_bytes()
}

/// The next element of [`NAMES`]: what is before it, which it is, its text, and what is after it.
fn next_name(text: &str) -> Option<(&str, &'static str, &str, &str)> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find('<')?;
        let inside = &text[at + 1..];
        let found = NAMES.iter().find_map(|element| {
            // To the next tag and no further: an element without an end is not looked for through all the rest.
            let (name, after) = inside
                .strip_prefix(element)?
                .strip_prefix('>')?
                .split_once('<')?;
            let after = after.strip_prefix('/')?;
            let after = after.strip_prefix(element)?.strip_prefix('>')?;
            Some((&text[..at], *element, name, after))
        });
        if found.is_some() {
            return found;
        }
        from = at + 1;
    }
}

/// A name as the document writes it, with the parts that no path has spelled out.
fn mended(name: &str) -> Cow<'_, str> {
    let Ok(plain) = quick_xml::escape::unescape(name) else {
        // What no document may hold is shown as it stands there.
        return Cow::Owned(escaped(&parts_of(name)));
    };
    let plain = plain.as_ref();
    // One slash at either end the library takes away.
    let body = plain.strip_prefix('/').unwrap_or(plain);
    let body = body.strip_suffix('/').unwrap_or(body);
    let is_harmless = body.is_empty()
        || body.split('/').all(|part| {
            !is_no_name(part) && !part.contains(|letter: char| letter.is_ascii_control())
        });
    if is_harmless {
        return Cow::Borrowed(name);
    }
    let slash = if plain.ends_with('/') { "/" } else { "" };
    Cow::Owned(escaped(&(parts_of(body) + slash)))
}

fn parts_of(name: &str) -> String {
    let parts: Vec<String> = name.split('/').map(spelled).collect();
    parts.join("/")
}

fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

fn spelled(part: &str) -> String {
    match part {
        "" => "%2F".to_owned(),
        "." | ".." => part.replace('.', "%2E"),
        _ => part
            .chars()
            .map(|letter| {
                if letter.is_ascii_control() {
                    format!("%{:02X}", u32::from(letter))
                } else {
                    letter.to_string()
                }
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(names: &str) -> String {
        String::from_utf8(harmless(names.as_bytes())).unwrap()
    }

    #[test]
    fn names_that_are_none_are_spelled_out_and_others_stay_as_they_are() {
        for same in [
            "<Contents><Key>snapshots/a &amp; b.tar</Key></Contents>",
            "<Prefix>a/</Prefix><Key>/a</Key><Key>ü</Key>",
            "<Name>bucket</Name><Prefix></Prefix>",
            "<Key>no end",
            "<Key><Key>",
            &"<Key>".repeat(1 << 20),
            &("<Key>".repeat(1 << 20) + "</none>"),
            "",
        ] {
            assert_eq!(listed(same), same);
        }
        assert_eq!(
            listed("<a><Key>s/../../etc</Key></a><Key>s//x</Key><Prefix>s/./</Prefix>"),
            "<a><Key>s/%2E%2E/%2E%2E/etc</Key></a><Key>s/%2F/x</Key><Prefix>s/%2E/</Prefix>"
        );
        assert_eq!(
            listed("<Key>s/&#x1;&#10;&lt;b&gt;</Key>"),
            "<Key>s/%01%0A&lt;b&gt;</Key>"
        );
        assert_eq!(
            listed("<Key>s/&#0;&nope;</Key>"),
            "<Key>s/&amp;#0;&amp;nope;</Key>"
        );
    }

    #[test]
    fn what_asks_for_a_listing_is_known_by_its_query() {
        assert!(is_asked_for("delimiter=%2F&list-type=2&prefix=a"));
        assert!(is_asked_for("restype=container&comp=list"));
        assert!(!is_asked_for("uploads"));
    }
}

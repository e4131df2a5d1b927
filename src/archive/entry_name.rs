//! The one rule for names inside archives. Pure.
//!
//! Reader and writer ask the same [`check`], so that nothing is archived that could not be restored on another
//! system. The rule is the narrowest of Linux, macOS and Windows: a snapshot may move between them.

use unicode_normalization::UnicodeNormalization as _;

use crate::metadata::MANIFEST_SUFFIX;

/// The longest name, in bytes: PATH_MAX of Linux, the largest of the three systems.
const LONGEST: usize = 4096;

/// The longest part of a name, in bytes: NAME_MAX of Linux and macOS.
const LONGEST_PART: usize = 255;

/// The most parts of a name. Codex's own trees are 6 deep.
const DEEPEST: usize = 32;

/// What a snapshot's own description inside its archive ends with.
const METADATA_SUFFIX: &str = ".metadata.json";

/// The name as a relative path with `/` between its parts and none at its end, or why it is refused.
///
/// A part `.` says nothing and is dropped, so that `./auth.json` is the same entry as `auth.json` and both together
/// are a duplicate.
pub fn check(name: &[u8]) -> Result<String, &'static str> {
    if name.is_empty() {
        return Err("its name is empty");
    }
    if name.len() > LONGEST {
        return Err("its name is longer than 4096 bytes");
    }
    let name = std::str::from_utf8(name).map_err(|_| "its name is not UTF-8")?;
    if let Some(reason) = name.chars().find_map(forbidden) {
        return Err(reason);
    }
    if name.starts_with('/') {
        return Err("its name is an absolute path");
    }
    let name = name.strip_suffix('/').unwrap_or(name);
    let mut path = String::with_capacity(name.len());
    let mut depth = 0;
    for part in name.split('/') {
        if part == "." {
            continue;
        }
        check_part(part)?;
        depth += 1;
        if depth > DEEPEST {
            return Err("it lies more than 32 directories deep");
        }
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(part);
    }
    if path.is_empty() {
        return Err("its name is empty");
    }
    Ok(path)
}

/// Why a character may stand neither in a name nor in the target of a link; None where it may.
pub fn forbidden(letter: char) -> Option<&'static str> {
    match letter {
        '\0' => Some("its name holds a NUL byte"),
        '\\' => Some("its name holds a backslash, which separates directories on Windows"),
        ':' => Some("its name holds a colon, which names a drive or a stream on Windows"),
        _ if letter.is_control() => Some("its name holds a control character"),
        _ => None,
    }
}

fn check_part(part: &str) -> Result<(), &'static str> {
    if part.is_empty() {
        Err("a part of its name is empty")
    } else if part == ".." {
        Err("its name leads out through `..`")
    } else if part.len() > LONGEST_PART {
        Err("a part of its name is longer than 255 bytes")
    } else if part.ends_with(['.', ' ']) {
        Err("a part of its name ends in a dot or a space, which Windows drops")
    } else if is_reserved(part) {
        Err("a part of its name is a device on Windows")
    } else {
        Ok(())
    }
}

/// Whether Windows takes the part for a device; it does so whatever extension follows.
///
/// Source: Microsoft, "Naming Files, Paths, and Namespaces".
fn is_reserved(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part).trim_end();
    let stem = stem.to_ascii_uppercase();
    if matches!(
        stem.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"
    ) {
        return true;
    }
    let number = stem
        .strip_prefix("COM")
        .or_else(|| stem.strip_prefix("LPT"));
    let mut letters = number.unwrap_or_default().chars();
    let first = letters.next();
    first.is_some_and(|first| first.is_ascii_digit() || "¹²³".contains(first))
        && letters.next().is_none()
}

/// What two names share when macOS or Windows take them for one: the name without its case, accents as letters of
/// their own.
///
/// Source: the Unicode standard, 3.13, canonical caseless matching.
pub fn collision_key(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    // Upper case first: `ſ` and `s` differ in lower case only.
    let caseless = name.nfd().flat_map(|letter| {
        let mut upper = letter.to_uppercase();
        match (upper.next(), upper.next()) {
            (Some(upper), None) => upper.to_lowercase(),
            _ => letter.to_lowercase(),
        }
    });
    // Again, since a letter may have been exchanged for one that is composed.
    caseless.nfd().collect()
}

/// Whether a file of this path is the snapshot's own description, which is never restored.
pub fn is_metadata(path: &str) -> bool {
    !path.contains('/') && path.ends_with(METADATA_SUFFIX)
}

/// Whether a file of this path may be an archive's manifest, which is a description by its name as well.
pub fn is_manifest(path: &str) -> bool {
    !path.contains('/') && path.ends_with(MANIFEST_SUFFIX)
}

/// A name from an archive as it may be shown: nothing in it can steer a terminal, and it has an end.
pub fn shown(name: &[u8]) -> String {
    const MOST: usize = 120;
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '"' | '\'' => text.push(letter),
                '`' => text.push('\''),
                _ => text.extend(letter.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            text.extend(std::ascii::escape_default(*byte).map(char::from));
        }
        if text.len() > 4 * MOST {
            break;
        }
    }
    if text.chars().count() > MOST {
        text = text.chars().take(MOST).collect();
        text.push('…');
    }
    text
}

/// A name of any bytes as text that no other name is written as: what is no UTF-8, control characters and backslashes
/// are escaped. A name that passes [`check`] is written as it is.
pub fn escaped(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_control() || letter == '\\' {
                text.extend(letter.escape_default());
            } else {
                text.push(letter);
            }
        }
        for byte in chunk.invalid() {
            text.extend(std::ascii::escape_default(*byte).map(char::from));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_codex_pass_unchanged() {
        for name in [
            "auth.json",
            "sessions/2026/11/22/rollout-2026-11-22T10-11-12-x.jsonl",
            "skills/.system/größe.md",
            "a b/..c/d..e",
            "console/com10/auxiliary.md",
        ] {
            assert_eq!(check(name.as_bytes()).as_deref(), Ok(name));
        }
        assert_eq!(check(b"sessions/").as_deref(), Ok("sessions"));
        assert_eq!(check(b"./a/./b/.").as_deref(), Ok("a/b"));
    }

    #[test]
    fn every_dangerous_name_is_refused_with_its_reason() {
        let long_part = "x".repeat(256);
        let long = ["y".repeat(200).as_str(); 21].join("/");
        let deep = ["d"; 33].join("/");
        for (name, word) in [
            ("", "empty"),
            (".", "empty"),
            ("./", "empty"),
            ("/", "absolute"),
            ("/etc/passwd", "absolute"),
            ("//x", "absolute"),
            ("a//b", "empty"),
            ("a//", "empty"),
            ("..", "`..`"),
            ("../x", "`..`"),
            ("a/../../x", "`..`"),
            ("a/..", "`..`"),
            ("a\\..\\b", "backslash"),
            ("C:/x", "colon"),
            ("a:stream", "colon"),
            ("a\0b", "NUL"),
            ("a\nb", "control"),
            ("a\x1b[2Jb", "control"),
            ("a\u{9b}b", "control"),
            ("a\x7f", "control"),
            ("dot./x", "dot or a space"),
            ("space ", "dot or a space"),
            ("...", "dot or a space"),
            ("con", "device"),
            ("a/NUL.txt/b", "device"),
            ("Com1", "device"),
            ("lpt9.log", "device"),
            ("com¹", "device"),
            ("CONIN$", "device"),
            (&long_part, "255"),
            (&long, "4096"),
            (&deep, "32"),
        ] {
            let reason = check(name.as_bytes()).expect_err(name);
            assert!(reason.contains(word), "{name:?}: {reason}");
        }
        assert!(check(b"a\xff").expect_err("refuses").contains("UTF-8"));
        assert!(check(["d"; 32].join("/").as_bytes()).is_ok());
        assert!(check("x".repeat(255).as_bytes()).is_ok());
    }

    #[test]
    fn names_that_differ_in_case_only_share_their_key() {
        for (one, other) in [
            ("AUTH.json", "auth.JSON"),
            ("auth.jſon", "auth.json"),
            ("GRÖSSE", "grösse"),
            ("\u{212a}", "k"),
            ("caf\u{e9}", "cafe\u{301}"),
            ("CAF\u{c9}", "cafe\u{301}"),
            ("\u{1e69}", "s\u{307}\u{323}"),
        ] {
            assert_eq!(collision_key(one), collision_key(other));
        }
        assert_ne!(collision_key("straße"), collision_key("strasse"));
    }

    #[test]
    fn a_shown_name_cannot_steer_a_terminal() {
        let shown_name = shown("a\x1b[31m\u{202e}`\n'".as_bytes());
        assert_eq!(shown_name, "a\\u{1b}[31m\\u{202e}'\\n'");
        assert_eq!(shown(b"\xff\x00"), "\\xff\\0");
        assert!(shown(&[b'x'; 5000]).chars().count() <= 121);
    }

    #[test]
    fn an_escaped_name_is_readable() {
        for (name, text) in [
            (&b"gr\xc3\xb6\xc3\x9fe's \"x\".md"[..], "größe's \"x\".md"),
            (b"bad\xff", "bad\\xff"),
            (b"bad\\xff", "bad\\\\xff"),
            (b"two\nlines\x1b", "two\\nlines\\u{1b}"),
        ] {
            assert_eq!(escaped(name), text);
        }
    }

    proptest! {
        #[test]
        fn no_two_names_are_escaped_alike(names in proptest::collection::vec("[\\\\xfn0-9a\u{80}]{0,6}", 2)) {
            // As bytes, so that some of them are no UTF-8.
            let bytes: Vec<Vec<u8>> = names
                .iter()
                .map(|name| name.chars().map(|letter| if letter == '\u{80}' { 0xff } else { letter as u8 }).collect())
                .collect();
            prop_assert_eq!(bytes[0] == bytes[1], escaped(&bytes[0]) == escaped(&bytes[1]));
        }

        #[test]
        fn what_passes_stays_below_and_passes_again(name in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(path) = check(&name) {
                prop_assert_eq!(check(path.as_bytes()), Ok(path.clone()));
                let plain = std::path::Path::new(&path)
                    .components()
                    .all(|part| matches!(part, std::path::Component::Normal(_)));
                prop_assert!(plain);
                prop_assert_eq!(escaped(path.as_bytes()), path);
            }
            prop_assert!(!shown(&name).chars().any(char::is_control));
        }
    }
}

//! The pattern of `status --format`: text with names in braces, `{name:json}` for within a string of JSON, `{{` and `}}` for
//! braces themselves. Pure.

use crate::error::{Error, Kind, Result};
use crate::ui::table::printable;

/// A pattern as it was typed, known to be sound.
#[derive(Debug)]
pub struct Pattern(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(&'static str),
    /// The same as it stands between the quotes of a string of JSON.
    Json(&'static str),
}

impl Pattern {
    /// Reads it. Fails as usage where a brace has no fellow, or `names` has no such name.
    pub fn read(text: &str, names: &[&'static str]) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(place) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(place);
            plain.push_str(before);
            if brace.starts_with("{{") || brace.starts_with("}}") {
                plain.push_str(&brace[..1]);
                rest = &brace[2..];
                continue;
            }
            let inside = brace
                .strip_prefix('{')
                .and_then(|rest| rest.split_once('}'));
            let Some((name, after)) = inside else {
                return Err(Error::new(
                    Kind::Usage,
                    format!("a brace of the pattern `{text}` has no fellow"),
                    "write `{{` or `}}` for a brace itself",
                ));
            };
            let (name, is_json) = match name.strip_suffix(":json") {
                Some(name) => (name, true),
                None => (name, false),
            };
            let Some(known) = names.iter().find(|known| **known == name) else {
                return Err(Error::new(
                    Kind::Usage,
                    format!("the pattern names `{{{name}}}`, which there is none of"),
                    format!("there are {}", names.join(", ")),
                ));
            };
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
            pieces.push(if is_json {
                Piece::Json(known)
            } else {
                Piece::Name(known)
            });
            rest = after;
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        Ok(Self(pieces))
    }

    /// Whether it has that name.
    pub fn names(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|piece| matches!(piece, Piece::Name(named) | Piece::Json(named) if *named == name))
    }

    /// The text, with what `value_of` says of each name.
    pub fn fill(&self, value_of: impl Fn(&str) -> String) -> String {
        let shown = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Name(name) => printable(&value_of(name)).into_owned(),
            Piece::Json(name) => {
                let quoted = serde_json::Value::from(value_of(name)).to_string();
                quoted
                    .strip_prefix('"')
                    .and_then(|text| text.strip_suffix('"'))
                    .unwrap_or_default()
                    .to_owned()
            }
        };
        self.0.iter().map(shown).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        Pattern::read(text, &["left", "email"])
            .expect(text)
            .fill(str::to_uppercase)
    }

    #[test]
    fn names_are_filled_in_and_braces_can_be_had() {
        assert_eq!(filled(""), "");
        assert_eq!(filled("{email}: {left}"), "EMAIL: LEFT");
        assert_eq!(filled("{{{left}}} ü}}{{"), "{LEFT} ü}{");
        let odd = |pattern: &str| {
            let pattern = Pattern::read(pattern, &["left"]).expect(pattern);
            assert!(pattern.names("left"));
            pattern.fill(|_| "q\",\n\x1b[31m\\".to_owned())
        };
        assert_eq!(odd("{left}"), "q\",\u{fffd}\u{fffd}[31m\\");
        assert_eq!(odd("\"{left:json}\""), r#""q\",\n\u001b[31m\\""#);
    }

    #[test]
    fn what_makes_no_sense_is_usage() {
        for (text, message) in [
            (
                "{x:json}",
                "the pattern names `{x}`, which there is none of",
            ),
            ("{left", "a brace of the pattern `{left` has no fellow"),
            ("left}", "a brace of the pattern `left}` has no fellow"),
            ("{}", "the pattern names `{}`, which there is none of"),
            (
                "{lefts}",
                "the pattern names `{lefts}`, which there is none of",
            ),
        ] {
            let error = Pattern::read(text, &["left", "email"]).expect_err(text);
            assert_eq!(
                (error.kind(), error.to_string()),
                (Kind::Usage, message.to_owned())
            );
        }
        let error = Pattern::read("{x}", &["left", "email"]).expect_err("none");
        assert_eq!(error.hint(), "there are left, email");
    }
}

//! `profile.toml` edited: one key of it, every other byte as it is.

use std::fmt::Write as _;

use toml_edit::{Document, Value};

use super::Profile;
use crate::settings::without_line_of;

/// `text` with `key` set to `value`, or without it. What stands behind the value on its line stays. The error says why it
/// cannot be done, in words.
pub fn with(text: &str, key: &str, value: Option<&Value>) -> Result<String, String> {
    let document = Document::parse(text).map_err(|error| error.message().to_owned())?;
    let standing = document.get(key).map(toml_edit::Item::span);
    let edited = match (standing, value) {
        (None, None) => text.to_owned(),
        (None, Some(value)) => {
            let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
            let mut text = text.to_owned();
            if !text.is_empty() && !text.ends_with('\n') {
                text.push_str(end);
            }
            let _ = write!(text, "{key} = {value}{end}");
            text
        }
        (Some(_), None) => without_line_of(text, key).ok_or("its line cannot be taken out")?,
        (Some(span), Some(value)) => {
            let parts =
                span.and_then(|span| Some((text.get(..span.start)?, text.get(span.end..)?)));
            let (before, behind) = parts.ok_or("its line cannot be found")?;
            format!("{before}{value}{behind}")
        }
    };
    toml::from_str::<Profile>(&edited).map_err(|error| error.message().to_owned())?;
    Ok(edited)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\u{feff}# mine\r\nalias = 'al'   # short\r\n\n'paused'=true#!\n  note = \"\"\"\na\nb\"\"\" # two lines\nemail=\"alice@example.com\"";

    #[test]
    fn one_value_changes_and_every_other_byte_stays() {
        let set = |key: &str, value: Value| with(TEXT, key, Some(&value)).expect("edits");
        for (key, value, old, new) in [
            ("alias", Value::from("b\"o"), "'al'", "'b\"o'"),
            ("paused", Value::from(false), "true", "false"),
            ("note", Value::from("c"), "\"\"\"\na\nb\"\"\"", "\"c\""),
            (
                "email",
                Value::from("b@example.com"),
                "\"alice@example.com\"",
                "\"b@example.com\"",
            ),
        ] {
            let parts: Vec<&str> = TEXT.split(old).collect();
            assert_eq!(set(key, value), parts.join(new), "{key}");
        }
        assert_eq!(
            set("session_duration_hours", Value::from(1.5)),
            format!("{TEXT}\r\nsession_duration_hours = 1.5\r\n")
        );
    }

    #[test]
    fn a_key_goes_with_its_line_and_leaves_its_comment() {
        let without = |key: &str| with(TEXT, key, None).expect("edits");
        for (key, line, left) in [
            ("alias", "alias = 'al'   # short\r\n", "# short\r\n"),
            ("paused", "'paused'=true#!\n", "#!\n"),
            (
                "note",
                "  note = \"\"\"\na\nb\"\"\" # two lines\n",
                "# two lines\n",
            ),
            ("email", "email=\"alice@example.com\"", ""),
            ("plan_type", "", ""),
        ] {
            assert_eq!(without(key), TEXT.replacen(line, left, 1), "{key}");
        }
    }

    #[test]
    fn what_would_be_no_profile_is_refused() {
        let text = Value::from("x");
        for (before, key) in [
            ("alias = ", "note"),
            ("paused = 3", "note"),
            ("", "paused"),
            ("", "other"),
        ] {
            assert!(with(before, key, Some(&text)).is_err(), "{before} {key}");
        }
        assert_eq!(
            with("", "note", Some(&text)).as_deref(),
            Ok("note = \"x\"\n")
        );
    }
}

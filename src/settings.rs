//! `config.toml`: strict keys, one table of them, comments kept on every edit.
//!
//! Only the file; which of flag, environment, file and default wins is decided in `context`.

mod faults;
mod foreign;

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use toml_edit::{DocumentMut, Item, Value};

use crate::error::{Error, Kind, Result};
use crate::fsutil;
use crate::timeutil::Zone;

pub use faults::faults;
pub use foreign::patterns;

/// The largest configuration that is read.
const MOST_BYTES: u64 = 1 << 20;

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A path; `~/` is the person's home, a relative one starts at the manager home.
    Path,
    /// An IANA time zone.
    Zone,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A number of hours of 0 or more, fractions allowed.
    Hours,
    /// A whole number between two others.
    Whole(i64, i64),
    /// `true` or `false`.
    Bool,
    /// A list of glob patterns.
    Patterns,
    /// A list of those to whom is encrypted.
    Recipients,
    /// The address of a store.
    Remote,
    /// The address of an S3 store's server.
    Endpoint,
    /// Any text.
    Text,
}

/// One key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// Its name, dots between tables.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// The environment variable that beats it, where there is one.
    pub environment: Option<&'static str>,
    /// What it is for.
    pub about: &'static str,
}

/// A key that no variable beats.
pub const fn key(name: &'static str, takes: Takes, about: &'static str) -> Key {
    Key {
        name,
        takes,
        environment: None,
        about,
    }
}

/// Every key there is, in the order `config list` shows them.
pub const KEYS: &[Key] = &[
    Key {
        name: "codex_home",
        takes: Takes::Path,
        environment: Some("CODEX_HOME"),
        about: "the Codex home that is captured and restored",
    },
    key(
        "codex_command",
        Takes::Text,
        "the Codex that is asked: a path, a name on PATH or a command line",
    ),
    key(
        "timezone",
        Takes::Zone,
        "IANA zone of wall clocks and file names",
    ),
    key(
        "color",
        Takes::Word(&["auto", "always", "never"]),
        "when to colour",
    ),
    key("backup.dir", Takes::Path, "where snapshots are kept"),
    key(
        "backup.exclude",
        Takes::Patterns,
        "glob patterns that backups leave out",
    ),
    key(
        "backup.include_tmp",
        Takes::Bool,
        "also capture tmp/ and .tmp/",
    ),
    key(
        "backup.level",
        Takes::Whole(1, 12),
        "how hard to compress: 1 is fastest, 12 smallest",
    ),
    key(
        "archive.max_entries",
        Takes::Whole(1, 100_000_000),
        "the most files and directories an archive may hold",
    ),
    key(
        "archive.max_bytes",
        Takes::Whole(1, 1 << 50),
        "the most bytes an archive may unpack to",
    ),
    key(
        "archive.max_ratio",
        Takes::Whole(1, 1032), // where deflate itself ends
        "how many times its own length an archive may unpack to",
    ),
    key(
        "normalize.source_dir",
        Takes::Path,
        "where legacy login copies lie",
    ),
    key(
        "normalize.session_duration_hours",
        Takes::Hours,
        "assumed hours from a session's start to its quota's end",
    ),
    key(
        "normalize.inventory_path",
        Takes::Path,
        "the inventory file",
    ),
    key(
        "recommend.policy",
        Takes::Word(&["lru", "drain"]),
        "how the next account is chosen",
    ),
    key(
        "status.source",
        Takes::Word(&["auto", "app-server", "panel", "rollout"]),
        "who says what is left of an account",
    ),
    key(
        "status.command",
        Takes::Text,
        "command that prints Codex's /status panel",
    ),
    key(
        "status.timeout_seconds",
        Takes::Whole(1, 86_400),
        "how many seconds asking may take",
    ),
    key(
        "sync.remote",
        Takes::Remote,
        "where snapshots are carried: s3://, gs://, az://, http(s):// or file:///",
    ),
    key(
        "sync.endpoint",
        Takes::Endpoint,
        "the address of an S3 store that is not Amazon's",
    ),
    key("sync.region", Takes::Text, "the region of an S3 store"),
    key(
        "sync.path_style",
        Takes::Bool,
        "the bucket stands in the path of an S3 store's addresses",
    ),
    key(
        "sync.encrypt",
        Takes::Bool,
        "encrypt what is carried to the remote",
    ),
    key(
        "sync.identity",
        Takes::Path,
        "the age identity, or the SSH key, that opens what is on the remote",
    ),
    key(
        "sync.recipients",
        Takes::Recipients,
        "whom it is encrypted to besides: age1…, ssh-ed25519 …",
    ),
    key(
        "sync.passphrase_file",
        Takes::Path,
        "a file whose first line is the identity's passphrase",
    ),
    key(
        "sync.passphrase_command",
        Takes::Text,
        "a command that prints the identity's passphrase",
    ),
    key(
        "sync.concurrency",
        Takes::Whole(1, 64),
        "how many transfers go on at once",
    ),
];

/// The key of that name, or the failure that names the nearest one.
pub fn find_key(name: &str) -> Result<&'static Key> {
    KEYS.iter().find(|key| key.name == name).ok_or_else(|| {
        let names = || {
            KEYS.iter()
                .map(|key| key.name)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let hint = match nearest(name) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are: {}", names()),
        };
        Error::new(Kind::Usage, format!("there is no setting `{name}`"), hint)
    })
}

fn nearest(name: &str) -> Option<&'static str> {
    let scored = KEYS.iter().map(|key| {
        // A bare last part, `policy`, is as good as the whole name.
        let last = key.name.rsplit('.').next().unwrap_or(key.name);
        (
            strsim::jaro_winkler(name, key.name).max(strsim::jaro_winkler(name, last)),
            key.name,
        )
    });
    scored
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// The configuration file, checked.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    document: DocumentMut,
    /// Whether its lines end as on Windows.
    crlf: bool,
}

impl Settings {
    /// Reads the file; a missing one is empty. Fails on a key that does not exist or a value it does not take.
    pub fn load(path: &Path) -> Result<Self> {
        let Some(bytes) = fsutil::read_if_present(path, MOST_BYTES)? else {
            return Ok(Self::default());
        };
        let broken = |why: &str, hint: String| {
            Error::other(
                format!(
                    "the configuration `{}` cannot be used: {why}",
                    path.display()
                ),
                hint,
            )
        };
        let mend = || "mend that line, or move the file away to start from the defaults".to_owned();
        let text = String::from_utf8(bytes).map_err(|_| broken("it is no text", mend()))?;
        let document = DocumentMut::from_str(&text).map_err(|error| {
            let before = error
                .span()
                .and_then(|span| text.get(..span.start))
                .unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            broken(
                &format!("line {line}: {}", error.message().replace('\n', ", ")),
                mend(),
            )
        })?;
        let crlf = text.contains("\r\n");
        let settings = Self { document, crlf };
        settings
            .check()
            .map_err(|error| broken(&error.to_string(), error.hint().to_owned()))?;
        Ok(settings)
    }

    /// What can be used of a file that [`load`](Self::load) refuses: every key that it takes by itself.
    pub fn sound_part(path: &Path) -> Self {
        let bytes = fsutil::read_if_present(path, MOST_BYTES).ok().flatten();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let document = text.and_then(|text| DocumentMut::from_str(&text).ok());
        let mut document = document.unwrap_or_default();
        let wrong = faults::items(&document).into_iter();
        let wrong = wrong.filter(|(name, _, item)| check_item(name, item).is_err());
        let wrong: Vec<String> = wrong.map(|(name, ..)| name).collect();
        for name in wrong {
            let inner = name.split_once('.').and_then(|(table, inner)| {
                let table = document.get_mut(table)?.as_table_like_mut()?;
                table.remove(inner)
            });
            if inner.is_none() {
                document.remove(&name);
            }
        }
        Self::of_document(document)
    }

    /// What a document of anybody says, whatever that is.
    pub fn of_document(document: DocumentMut) -> Self {
        Self {
            document,
            crlf: false,
        }
    }

    fn check(&self) -> Result<()> {
        for (name, _, item) in faults::items(&self.document) {
            check_item(&name, item)?;
        }
        Ok(())
    }

    fn item(&self, name: &str) -> Option<&Item> {
        match name.split_once('.') {
            Some((table, inner)) => self.document.get(table)?.as_table_like()?.get(inner),
            None => self.document.get(name),
        }
    }

    /// A key's value as text; None when the file does not have it.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.item(name)?.as_str()
    }

    /// A path, `~/` expanded; relative ones start at `manager_home`.
    pub fn path(&self, name: &str, manager_home: &Path, home: Option<&Path>) -> Option<PathBuf> {
        Some(expand(self.text(name)?, manager_home, home))
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<f64> {
        let item = self.item(name)?;
        #[allow(clippy::cast_precision_loss)] // hours and seconds are far below 2^52
        item.as_float()
            .or_else(|| item.as_integer().map(|number| number as f64))
    }

    /// A whole number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.item(name)?.as_integer()
    }

    /// Yes or no.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.item(name)?.as_bool()
    }

    /// A list of texts.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        let texts = self
            .item(name)?
            .as_array()?
            .iter()
            .filter_map(Value::as_str);
        Some(texts.map(str::to_owned).collect())
    }

    /// A key's value as JSON; None when the file does not have it.
    pub fn json(&self, name: &str) -> Option<serde_json::Value> {
        self.list(name)
            .map(Into::into)
            .or_else(|| self.flag(name).map(Into::into))
            .or_else(|| self.integer(name).map(Into::into))
            .or_else(|| self.number(name).map(Into::into))
            .or_else(|| self.text(name).map(Into::into))
    }

    /// A key's value as somebody would type it for [`Settings::set`]; None when the file does not have it.
    pub fn typed(&self, key: &Key) -> Option<String> {
        let mut value = self.item(key.name)?.as_value()?.clone();
        value.decor_mut().clear();
        Some(
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned),
        )
    }

    /// Sets a key, leaving every other line as it is.
    pub fn set(&mut self, key: &Key, text: &str) -> Result<()> {
        let value = parse_value(key, text)?;
        let slot = match key.name.split_once('.') {
            Some((table, inner)) => {
                let table = self.document.entry(table).or_insert_with(toml_edit::table);
                match table.as_table_like_mut() {
                    Some(table) => table.entry(inner).or_insert(Item::None),
                    None => return Err(find_key(key.name).err().unwrap_or_else(|| wrong(key))),
                }
            }
            None => self.document.entry(key.name).or_insert(Item::None),
        };
        // The comment at the end of the line belongs to the old value's decor.
        let decor = slot.as_value().map(|old| old.decor().clone());
        let mut value = value;
        if let Some(decor) = decor {
            *value.decor_mut() = decor;
        }
        *slot = Item::Value(value);
        Ok(())
    }

    /// Takes a key out, leaving every other line and every comment as it is. True if it was there.
    pub fn unset(&mut self, key: &Key) -> bool {
        let text = self.document.to_string();
        if let Some(without) =
            without_line_of(&text, key.name).and_then(|text| DocumentMut::from_str(&text).ok())
        {
            self.document = without;
            return true;
        }
        // Not on lines of its own, as in `backup = { dir = "/big" }`.
        match key.name.split_once('.') {
            Some((table, inner)) => {
                let table = self
                    .document
                    .get_mut(table)
                    .and_then(Item::as_table_like_mut);
                table.and_then(|table| table.remove(inner)).is_some()
            }
            None => self.document.remove(key.name).is_some(),
        }
    }

    /// The file's text, to see whether an edit changed it.
    pub fn text_of_file(&self) -> String {
        let text = self.document.to_string().replace("\r\n", "\n");
        if self.crlf {
            text.replace('\n', "\r\n")
        } else {
            text
        }
    }

    /// Writes the file; where it is a link, the file it leads to.
    pub fn save(&self, path: &Path) -> Result<()> {
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        fsutil::write_atomically(&target, self.text_of_file().as_bytes())
    }
}

/// The file without the lines of one key; a comment behind its value stays, on a line of its own. None where the key is not
/// there, or not on lines of its own.
pub fn without_line_of(text: &str, name: &str) -> Option<String> {
    let document = toml_edit::Document::parse(text).ok()?;
    let (table, inner) = match name.split_once('.') {
        Some((table, inner)) => (document.get(table)?.as_table()?, inner),
        None => (document.as_table(), name),
    };
    let (key, item) = table.get_key_value(inner)?;
    let (start, end) = (key.span()?.start, item.span()?.end);
    let line_start = text
        .get(..start)?
        .rfind('\n')
        .map_or(0, |newline| newline + 1);
    let line_end = text
        .get(end..)?
        .find('\n')
        .map_or(text.len(), |newline| end + newline + 1);
    let before = text.get(line_start..start)?;
    if !before.trim().is_empty() {
        return None;
    }
    let behind = text.get(end..line_end)?;
    let comment = behind
        .find('#')
        .and_then(|hash| behind.get(hash..))
        .unwrap_or_default();
    Some(format!(
        "{}{comment}{}",
        text.get(..line_start)?,
        text.get(line_end..)?
    ))
}

/// `text` as a path: `~/` is `home`, a relative one starts at `base`.
pub fn expand(text: &str, base: &Path, home: Option<&Path>) -> PathBuf {
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ if text == "~" => home.unwrap_or(base).to_owned(),
        _ => base.join(text),
    }
}

fn check_item(name: &str, item: &Item) -> Result<()> {
    check_value(find_key(name)?, item)
}

fn check_value(key: &Key, item: &Item) -> Result<()> {
    let fits = match key.takes {
        Takes::Path | Takes::Text | Takes::Remote | Takes::Endpoint => {
            item.as_str().is_some_and(|text| !text.is_empty())
        }
        Takes::Zone => item
            .as_str()
            .is_some_and(|text| Zone::named(text).is_some()),
        Takes::Word(words) => item.as_str().is_some_and(|text| words.contains(&text)),
        Takes::Hours => {
            let number = item.as_float().or_else(|| {
                item.as_integer()
                    .map(|hours| f64::from(i32::try_from(hours).unwrap_or(-1)))
            });
            number.is_some_and(|hours| (0.0..=MOST_HOURS).contains(&hours))
        }
        Takes::Whole(least, most) => item
            .as_integer()
            .is_some_and(|number| (least..=most).contains(&number)),
        Takes::Bool => item.as_bool().is_some(),
        Takes::Patterns | Takes::Recipients => item
            .as_array()
            .is_some_and(|list| list.iter().all(Value::is_str)),
    };
    if !fits {
        return Err(wrong(key));
    }
    let text = item.as_str().unwrap_or_default();
    let texts = || {
        let texts = item.as_array().into_iter().flatten();
        let texts = texts.filter_map(Value::as_str);
        texts.map(str::to_owned).collect::<Vec<String>>()
    };
    let checked = match key.takes {
        Takes::Remote => foreign::remote(text),
        Takes::Endpoint => foreign::endpoint(text),
        Takes::Patterns => patterns(&texts()).map(drop),
        Takes::Recipients => foreign::recipients(&texts()),
        _ => Ok(()),
    };
    checked.map_err(|error| {
        let message = format!("`{}`: {error}", key.name);
        Error::new(error.kind(), message, error.hint())
    })
}

/// No session lasts longer than a year; more is a slip of the hand, and would leave the calendar.
pub const MOST_HOURS: f64 = 8784.0;

fn wrong(key: &Key) -> Error {
    let takes = match key.takes {
        Takes::Path => "a path".to_owned(),
        Takes::Text | Takes::Remote | Takes::Endpoint => "a text".to_owned(),
        Takes::Zone => "an IANA time zone such as `Europe/Berlin`".to_owned(),
        Takes::Word(words) => format!("one of {}", words.join(", ")),
        Takes::Hours => "a number of hours from 0 to 8784".to_owned(),
        Takes::Whole(least, most) => format!("a whole number from {least} to {most}"),
        Takes::Bool => "true or false".to_owned(),
        Takes::Patterns => "a list of texts, such as [\"*.log\"]".to_owned(),
        Takes::Recipients => "a list of texts, such as [\"age1…\"]".to_owned(),
    };
    Error::new(
        Kind::Usage,
        format!("`{}` takes {takes}", key.name),
        format!("it is for: {}", key.about),
    )
}

/// What a person typed for a key as a value, or the failure that says what the key takes.
pub fn parse_value(key: &Key, text: &str) -> Result<Value> {
    let number = || text.trim().parse::<i64>().map(Value::from).ok();
    let value = match key.takes {
        Takes::Path
        | Takes::Text
        | Takes::Remote
        | Takes::Endpoint
        | Takes::Zone
        | Takes::Word(_) => Some(Value::from(text)),
        Takes::Hours => number().or_else(|| text.trim().parse::<f64>().map(Value::from).ok()),
        Takes::Whole(..) => number(),
        Takes::Bool => text.trim().parse::<bool>().map(Value::from).ok(),
        // A TOML list, or texts with commas between.
        Takes::Patterns | Takes::Recipients => match text.trim().parse::<Value>() {
            Ok(list) if list.is_array() => Some(list),
            _ => Some(
                text.split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .collect::<Value>(),
            ),
        },
    };
    let value = value.ok_or_else(|| wrong(key))?;
    check_value(key, &Item::Value(value.clone()))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(before: &str, edit: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings {
            document: before.parse().expect("toml"),
            crlf: false,
        };
        settings.check().expect("valid");
        edit(&mut settings);
        settings.document.to_string()
    }

    fn refused(text: &str) -> String {
        let settings = Settings {
            document: text.parse().expect("toml"),
            crlf: false,
        };
        let error = settings.check().expect_err("refused");
        format!("{error}; {}", error.hint())
    }

    #[test]
    fn edits_keep_comments_and_every_other_line() {
        let before =
            "# mine\ntimezone = \"UTC\" # servers\n\n[backup]\n# big disk\ndir = \"/big\"\n";
        let after = edited(before, |settings| {
            settings
                .set(find_key("timezone").expect("a key"), "Europe/Berlin")
                .expect("sets");
            settings
                .set(find_key("backup.include_tmp").expect("a key"), "true")
                .expect("sets");
            settings
                .set(find_key("recommend.policy").expect("a key"), "drain")
                .expect("sets");
        });
        assert_eq!(
            after,
            "# mine\ntimezone = \"Europe/Berlin\" # servers\n\n[backup]\n# big disk\ndir = \"/big\"\ninclude_tmp = true\n\n[recommend]\npolicy = \"drain\"\n"
        );
        let after = edited(&after, |settings| {
            assert!(settings.unset(find_key("backup.include_tmp").expect("a key")));
            assert!(!settings.unset(find_key("color").expect("a key")));
        });
        assert!(after.contains("# big disk\ndir = \"/big\"\n") && !after.contains("include_tmp"));
    }

    #[test]
    fn unset_keeps_every_comment() {
        let color = || find_key("color").expect("a key");
        for (before, after) in [
            (
                "# mine\n\n# eyes\ncolor = \"auto\" # why\ntimezone = \"UTC\"\n",
                "# mine\n\n# eyes\n# why\ntimezone = \"UTC\"\n",
            ),
            (
                "timezone = \"UTC\"\ncolor = \"auto\"",
                "timezone = \"UTC\"\n",
            ),
            ("timezone = \"UTC\"\n", "timezone = \"UTC\"\n"),
        ] {
            assert_eq!(
                edited(before, |settings| _ = settings.unset(color())),
                after
            );
        }
        let dir = find_key("backup.dir").expect("a key");
        let after = edited(
            "backup = { dir = \"/x\", include_tmp = true }\n",
            |settings| assert!(settings.unset(dir)),
        );
        assert_eq!(after, "backup = { include_tmp = true }\n");
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_told_with_the_nearest() {
        assert_eq!(
            refused("timezon = \"UTC\""),
            "there is no setting `timezon`; did you mean `timezone`?"
        );
        assert!(refused("[backup]\ndirr = \"/x\"").contains("did you mean `backup.dir`?"));
        assert!(refused("policy = \"lru\"").contains("did you mean `recommend.policy`?"));
        assert_eq!(
            refused("timezone = \"Mars/Base\"").split(';').next(),
            Some("`timezone` takes an IANA time zone such as `Europe/Berlin`")
        );
        assert!(
            refused("[normalize]\nsession_duration_hours = -1").contains("takes a number of hours")
        );
        assert!(refused("[backup]\nexclude = [1]").contains("takes a list"));
        assert!(refused("backup = 3").contains("no setting `backup`"));
    }

    #[test]
    fn the_sound_part_is_what_is_left_without_what_is_wrong() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("config.toml");
        let part = |text: &str| {
            std::fs::write(&path, text).expect("writes");
            assert!(Settings::load(&path).is_err(), "{text}");
            let part = Settings::sound_part(&path);
            part.check().expect("sound");
            part.document.to_string()
        };
        assert_eq!(
            part(
                "a = 1\ntimezone = \"Mars\"\ncolor = \"never\"\n[backup]\ndir = \"/x\"\nlevel = 99\n[odd]\nb = 1\n"
            ),
            "color = \"never\"\n[backup]\ndir = \"/x\"\n"
        );
        assert_eq!(
            part("backup = { dir = \"/x\", level = 99 }\n"),
            "backup = { dir = \"/x\"}\n"
        );
        assert_eq!(part("\"backup.level\" = 99\n"), "");
        assert_eq!(part("a = [\n"), "");
    }

    #[test]
    fn paths_expand() {
        let (base, home) = (Path::new("/m"), Some(Path::new("/home/a")));
        assert_eq!(expand("~/x", base, home), Path::new("/home/a/x"));
        assert_eq!(expand("x", base, home), Path::new("/m/x"));
        assert_eq!(expand("/x", base, home), Path::new("/x"));
        assert_eq!(expand("~", base, home), Path::new("/home/a"));
    }
}

//! Everything that is wrong with `config.toml`, each with its line: a command stops at the first.

use std::path::Path;

use toml_edit::{Document, Item, Table};

use super::{KEYS, MOST_BYTES, check_item};
use crate::error::Result;
use crate::fsutil;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line; None for the file as a whole.
    pub line: Option<usize>,
    /// What it is.
    pub why: String,
    /// What to do.
    pub hint: String,
}

/// What is wrong with the file at `path`; None where there is none. Fails where it cannot be read.
pub fn faults(path: &Path) -> Result<Option<Vec<Fault>>> {
    let bytes = fsutil::read_if_present(path, MOST_BYTES)?;
    Ok(bytes.map(|bytes| faults_of(&bytes)))
}

fn faults_of(bytes: &[u8]) -> Vec<Fault> {
    let mend = "mend that line, or move the file away to start from the defaults";
    let whole = |line, why: &str| {
        vec![Fault {
            line,
            why: why.to_owned(),
            hint: mend.to_owned(),
        }]
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return whole(None, "it is no text");
    };
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            return whole(Some(line), &error.message().replace('\n', ", "));
        }
    };
    let fault = |(name, start, item): (String, Option<usize>, &Item)| {
        let error = check_item(&name, item).err()?;
        Some(Fault {
            line: start.map(|start| line_of(text, start)),
            why: error.to_string(),
            hint: error.hint().to_owned(),
        })
    };
    items(document.as_table())
        .into_iter()
        .filter_map(fault)
        .collect()
}

fn line_of(text: &str, place: usize) -> usize {
    let before = text.get(..place).unwrap_or_default();
    before.matches('\n').count() + 1
}

/// What is set: the name of each key, where it begins where that is known, and its value.
pub(super) fn items(document: &Table) -> Vec<(String, Option<usize>, &Item)> {
    let mut found = Vec::new();
    let start = |key: Option<&toml_edit::Key>| key.and_then(|key| Some(key.span()?.start));
    for (name, item) in document {
        let has_keys = || {
            KEYS.iter()
                .any(|key| key.name.starts_with(&format!("{name}.")))
        };
        match item.as_table_like().filter(|_| has_keys()) {
            Some(table) => found.extend(table.iter().map(|(inner, item)| {
                let key = table.get_key_value(inner).map(|(key, _)| key);
                (format!("{name}.{inner}"), start(key), item)
            })),
            None => found.push((name.to_owned(), start(document.key(name)), item)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(Option<usize>, String)> {
        let faults = faults_of(text.as_bytes()).into_iter();
        faults.map(|fault| (fault.line, fault.why)).collect()
    }

    #[test]
    fn each_is_told_with_its_line() {
        let fault = |line: usize, why: &str| (Some(line), why.to_owned());
        assert_eq!(lines("timezone = \"UTC\"\n# all is well\n"), []);
        assert_eq!(
            lines(
                "# mine\ntimezon = \"UTC\"\n[backup]\nlevel = 99\nbackup.dirr = 1\n[sync]\nencrypt = 1\n"
            ),
            [
                fault(2, "there is no setting `timezon`"),
                fault(4, "`backup.level` takes a whole number from 1 to 12"),
                fault(5, "there is no setting `backup.backup`"),
                fault(7, "`sync.encrypt` takes true or false"),
            ]
        );
        assert_eq!(
            lines("backup = { dir = 3 }"),
            [fault(1, "`backup.dir` takes a path")]
        );
        let broken = lines("a = 1\nb = [\n");
        assert!(broken.len() == 1 && broken[0].0 >= Some(2), "{broken:?}");
        assert_eq!(
            faults_of(b"\xff"),
            [Fault {
                line: None,
                why: "it is no text".to_owned(),
                hint: "mend that line, or move the file away to start from the defaults".to_owned()
            }]
        );
    }
}

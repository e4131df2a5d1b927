//! Another machine's settings: what is set here stays, what is not is taken over, where it means the same on any machine.
//!
//! Paths are that machine's own. What is run, and whom what leaves this machine is shown to, nobody else says: a file that
//! comes from elsewhere could name a program, or a reader.

use std::path::PathBuf;
use std::str::FromStr as _;

use toml_edit::DocumentMut;

use super::{Deed, Item};
use crate::evidence::Places;
use crate::settings::{KEYS, Key, Settings, Takes};

/// What is run, and where what leaves the machine goes.
const OWN: [&str; 8] = [
    "codex_command",
    "status.command",
    "sync.passphrase_command",
    "sync.remote",
    "sync.endpoint",
    "sync.region",
    "sync.encrypt",
    "sync.recipients",
];

/// Where the settings are.
pub(super) fn path(places: &Places) -> PathBuf {
    places.manager_home.join("config.toml")
}

/// The settings here with what is taken over of `text`, where that changes them, and what becomes of each key.
pub(super) fn merge(mut here: Settings, text: &str) -> (Option<Settings>, Vec<Item>) {
    let item = |name: &str, deed, why: &str| Item {
        what: "setting",
        name: name.to_owned(),
        deed,
        why: why.to_owned(),
    };
    let Ok(document) = DocumentMut::from_str(text) else {
        let why = "they are damaged there";
        return (None, vec![item("config.toml", Deed::Leave, why)]);
    };
    let theirs = Settings::of_document(document);
    let mut items = Vec::new();
    let mut is_changed = false;
    for key in KEYS {
        let Some(value) = theirs.typed(key) else {
            continue;
        };
        let (deed, why) = match here.typed(key) {
            Some(own) if own == value => (Deed::Keep, "the same is set here"),
            Some(_) => (Deed::Keep, "another value is set here"),
            None => match refusal(key) {
                Some(why) => (Deed::Leave, why),
                None if here.set(key, &value).is_ok() => {
                    is_changed = true;
                    (Deed::Add, "nothing was set here")
                }
                None => (Deed::Leave, "its value is none that it takes"),
            },
        };
        items.push(item(key.name, deed, why));
    }
    (is_changed.then_some(here), items)
}

fn refusal(key: &Key) -> Option<&'static str> {
    if key.takes == Takes::Path {
        Some("a path of the other machine: set it here if you want it")
    } else if OWN.contains(&key.name) {
        Some(
            "it says what is run, or where what leaves this machine goes: set it here if you want it",
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(here: &str, theirs: &str) -> (Option<String>, Vec<(String, Deed)>) {
        let here = Settings::of_document(here.parse().expect("toml"));
        let (settings, items) = merge(here, theirs);
        let items = items
            .into_iter()
            .map(|item| (item.name, item.deed))
            .collect();
        (settings.map(|settings| settings.text_of_file()), items)
    }

    fn item(name: &str, deed: Deed) -> (String, Deed) {
        (name.to_owned(), deed)
    }

    #[test]
    fn what_is_set_here_stays_and_the_rest_is_taken_over() {
        let theirs = "timezone = \"Europe/Berlin\" # home\ncolor = \"never\"\n[backup]\nexclude = [\"*.log\", \"a,b\"]\nlevel = 3\n[normalize]\nsession_duration_hours = 1.5\n";
        let here = "# mine\ncolor = \"auto\"\n";
        let (text, items) = merged(here, theirs);
        assert_eq!(
            text.as_deref(),
            Some(
                "# mine\ncolor = \"auto\"\ntimezone = \"Europe/Berlin\"\n\n[backup]\nexclude = [\"*.log\", \"a,b\"]\nlevel = 3\n\n[normalize]\nsession_duration_hours = 1.5\n"
            )
        );
        assert_eq!(
            items,
            [
                item("timezone", Deed::Add),
                item("color", Deed::Keep),
                item("backup.exclude", Deed::Add),
                item("backup.level", Deed::Add),
                item("normalize.session_duration_hours", Deed::Add),
            ]
        );
        assert_eq!(merged(&text.expect("set"), theirs).0, None);
    }

    #[test]
    fn paths_programs_readers_and_what_no_key_takes_are_left() {
        let theirs = "codex_home = \"~/.codex\"\ncodex_command = \"rm\"\ntimezone = \"Mars/Base\"\ncolour = 1\n[backup]\ndir = \"/big\"\n\
            [sync]\nremote = \"s3://theirs\"\nrecipients = [\"age1theirs\"]\nencrypt = false\nidentity = \"/k\"\npassphrase_command = \"cat\"\n\
            [status]\ncommand = \"curl\"\n[archive]\nmax_ratio = \"many\"\n";
        let (text, items) = merged("", theirs);
        assert_eq!(text, None);
        let left = items.iter().all(|(_, deed)| *deed == Deed::Leave);
        assert!(left && items.len() == 11, "{items:?}");
        assert_eq!(merged("", "=").1, [item("config.toml", Deed::Leave)]);
    }
}

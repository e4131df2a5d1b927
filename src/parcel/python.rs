//! The Python codex-manager's exported file: its manager home under whatever name that had. Pure.

use tar::EntryType;

use super::name::Entry;
use crate::bundle::{Bundle, Machine};
use crate::inventory::Inventory;
use crate::registry::Registry;
use crate::timeutil::Stamp;

/// What the links are called that it makes to the newest snapshots.
const LATEST: &str = "-latest-codex.";

/// What was found of that home.
#[derive(Debug, Default)]
pub(super) struct Home {
    /// What it was called.
    name: Option<String>,
    inventory: Option<Vec<u8>>,
    registry: Option<Vec<u8>>,
}

/// What is known of accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// `inventory.json`.
    Inventory,
    /// `cooldown.json`.
    Registry,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A file of a snapshot.
    Entry(Entry),
    /// What is known of accounts.
    Knowledge(Knowledge),
    /// A directory, or a link that the tool makes of its own.
    Nothing,
    /// Something else that lay there.
    Left,
    /// What the tool cannot have packed.
    Hostile,
}

impl Home {
    /// What the entry of that name and kind is.
    pub(super) fn judge(&mut self, name: &str, kind: EntryType) -> Verdict {
        let path = name.strip_suffix('/').unwrap_or(name);
        let parts: Vec<&str> = path.split('/').collect();
        let is_plain = |part: &&str| {
            !part.is_empty() && *part != "." && *part != ".." && !part.contains(['\0', '\\'])
        };
        let (Some(first), true) = (parts.first(), parts.iter().all(is_plain)) else {
            return Verdict::Hostile;
        };
        if self.name.get_or_insert_with(|| (*first).to_owned()) != first {
            return Verdict::Hostile;
        }
        let below = parts.get(1..).unwrap_or_default();
        match kind {
            EntryType::Directory => Verdict::Nothing,
            EntryType::Symlink if matches!(below, ["backups", file] if file.contains(LATEST)) => {
                Verdict::Nothing
            }
            EntryType::Regular => match below {
                ["inventory.json"] => Verdict::Knowledge(Knowledge::Inventory),
                ["cooldown.json"] => Verdict::Knowledge(Knowledge::Registry),
                ["backups", file] => {
                    Entry::of_file(None, file).map_or(Verdict::Left, Verdict::Entry)
                }
                _ => Verdict::Left,
            },
            _ => Verdict::Hostile,
        }
    }

    /// Keeps one.
    pub(super) fn note(&mut self, of: Knowledge, bytes: Vec<u8>) {
        match of {
            Knowledge::Inventory => self.inventory = Some(bytes),
            Knowledge::Registry => self.registry = Some(bytes),
        }
    }

    /// What it knew. `left` gets what of that cannot be.
    pub(super) fn known(self, now: Stamp, left: &mut Vec<String>) -> Result<Bundle, String> {
        if self.name.is_none() {
            return Err("it holds nothing".to_owned());
        }
        let inventory = self.inventory.map(|bytes| Inventory::parse(&bytes));
        let inventory = inventory.transpose();
        let inventory = inventory.map_err(|why| format!("its `inventory.json` {why}"))?;
        let registry = self.registry.map(|bytes| Registry::parse(&bytes));
        let registry = registry.transpose();
        let registry = registry
            .map_err(|why| format!("its `cooldown.json` cannot be read: {}", why.reason))?;
        let mut bundle = Bundle {
            machine: Machine {
                // Of no machine: the tool knew none.
                id: "0".repeat(16),
                hostname: None,
            },
            written_at: now,
            settings: None,
            accounts: registry.unwrap_or_default().entries,
            inventory: inventory.unwrap_or_default().records,
            profiles: Vec::new(),
        };
        let dropped = bundle.drop_what_cannot_be();
        if dropped > 0 {
            left.push(format!("{dropped} records that cannot be read"));
        }
        Ok(bundle)
    }
}

//! Whether an archive's manifest tells what was found in the archive. Pure.
//!
//! The hashes of all contents are gathered while the archive is read; the manifest, the last entry, is compared as soon
//! as it is there.

use super::{Entry, EntryKind};
use crate::archive::file_hash::Hash;
use crate::archive::manifest::{Listed, Manifest, Nature};
use crate::fsutil;
use crate::metadata::{ARCHIVE_FORMAT, Account, Sidecar};

/// What is found, to be compared with what is told.
pub(super) struct Listing {
    /// Whether hashes are gathered, and a manifest is taken for one.
    is_on: bool,
    /// Whose snapshot the first entry says it is; None where it is no description.
    account: Option<Account>,
    /// Whether the description tells of a manifest.
    is_announced: bool,
    /// Of the files that are no descriptions, in order.
    hashes: Vec<Hash>,
    /// Whose snapshot the manifest says it is, once it was found and tells what was found before.
    told: Option<Account>,
}

/// What is wrong, and with which entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub path: Option<String>,
    pub reason: String,
}

impl Complaint {
    fn of(path: Option<&str>, reason: impl Into<String>) -> Self {
        Self {
            path: path.map(str::to_owned),
            reason: reason.into(),
        }
    }
}

impl Listing {
    /// Of an archive of ours, or of one whose description will say whether it has a manifest.
    pub fn new(is_ours: bool) -> Self {
        Self {
            is_on: is_ours,
            account: None,
            is_announced: false,
            hashes: Vec::new(),
            told: None,
        }
    }

    /// Whether [`Self::file`] is to be told the hash of each file from now on, and a manifest goes to
    /// [`Self::manifest`].
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether the manifest was there: nothing may follow it.
    pub fn is_over(&self) -> bool {
        self.told.is_some()
    }

    /// The archive's first entry is this description.
    pub fn description(&mut self, bytes: &[u8]) {
        let Ok(description) = Sidecar::parse(bytes) else {
            return;
        };
        self.is_announced = description.archive_format >= Some(ARCHIVE_FORMAT);
        self.is_on |= self.is_announced;
        self.account = Some(description.account());
    }

    /// The next file has this hash.
    pub fn file(&mut self, hash: Hash) {
        self.hashes.push(hash);
    }

    /// The manifest follows `entries`, which begin with the description.
    pub fn manifest(&mut self, bytes: &[u8], entries: &[Entry]) -> Result<(), Complaint> {
        let whole = |reason: String| Complaint::of(None, reason);
        // Somewhat more than there are, so that what is missing can be named.
        let most = 2 * entries.len() + 1000;
        let manifest = Manifest::parse_of(bytes, most)
            .map_err(|why| whole(format!("its manifest cannot be used: {why}")))?;
        let description = entries.split_first();
        let Some((Some(account), (_, rest))) =
            description.map(|described| (self.account.as_ref(), described))
        else {
            return Err(whole("it has a manifest and no description".to_owned()));
        };
        if manifest.account != *account {
            let reason = "its manifest is of another account than its description";
            return Err(whole(reason.to_owned()));
        }
        let mut hashes = self.hashes.iter();
        let mut listed = manifest.files.iter();
        for entry in rest {
            let hash = match entry.kind {
                EntryKind::File if !entry.is_metadata() => hashes.next(),
                _ => None,
            };
            let Some(listed) = listed.next() else {
                return Err(Complaint::of(Some(&entry.path), "its manifest lacks it"));
            };
            if let Some(reason) = difference(entry, hash, listed) {
                return Err(Complaint::of(Some(&entry.path), reason));
            }
        }
        if let Some(listed) = listed.next() {
            let reason = "its manifest has it, the archive does not";
            return Err(Complaint::of(Some(&listed.path), reason));
        }
        self.told = Some(manifest.account);
        Ok(())
    }

    /// The archive is at its end. Gives whose snapshot the manifest says it is; None where there is none.
    pub fn end(&mut self) -> Result<Option<Account>, Complaint> {
        if self.is_announced && self.told.is_none() {
            let reason = "its description tells of a manifest, and it has none";
            return Err(Complaint::of(None, reason));
        }
        Ok(self.told.take())
    }
}

/// What the manifest has otherwise; None where it tells what was found.
fn difference(entry: &Entry, hash: Option<&Hash>, listed: &Listed) -> Option<&'static str> {
    let is_dir = entry.kind == EntryKind::Dir;
    let mode = if is_dir || entry.executable {
        "0700"
    } else {
        "0600"
    };
    let is_kind = match entry.kind {
        EntryKind::Dir => listed.kind == Nature::Dir,
        EntryKind::File => listed.kind != Nature::Dir && !entry.is_metadata(),
        EntryKind::Symlink(_) => false,
    };
    [
        (
            entry.path == listed.path,
            "its manifest has another one in its place",
        ),
        (is_kind, "its manifest has it as of another kind"),
        (
            entry.size == listed.size,
            "its length is not the one in the manifest",
        ),
        (
            listed.mode == mode,
            "its mode is not the one in the manifest",
        ),
        (
            u64::try_from(entry.mtime) == Ok(listed.mtime),
            "its time is not the one in the manifest",
        ),
        (
            hash.map(|hash| fsutil::hex(hash)) == listed.blake3,
            "its content is not the one that the manifest has the hash of",
        ),
    ]
    .into_iter()
    .find_map(|(is_same, reason)| (!is_same).then_some(reason))
}

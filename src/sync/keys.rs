//! What objects on the remote are called, and what a listing of it means. Pure.
//!
//! ```text
//! codex-manager.json                                      the marker
//! identity.age                                            the identity, under a passphrase
//! snapshots/2026-04-14T155500Z-<32 hex>.tar.gz.age        an archive
//! snapshots/2026-04-14T155500Z-<32 hex>.metadata.json.age its sidecar, written last
//! machines/<16 hex>.json.age                              what a machine knows of accounts
//! ```
//!
//! The time is when the snapshot was made, the hex digits begin the SHA-256 of its archive. So two machines that carry
//! the same snapshot mean the same object, and no object is ever overwritten by another one. Without encryption the last
//! `.age` is missing. A name that is not of this form is nobody's of ours and never becomes a path.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;

use crate::metadata::{ARCHIVE_SUFFIX, SIDECAR_SUFFIX};
use crate::remote::Object;
use crate::timeutil::Stamp;

/// The marker.
pub const MARKER: &str = "codex-manager.json";

/// The identity under a passphrase.
pub const IDENTITY: &str = "identity.age";

/// Where snapshots are.
pub const SNAPSHOTS: &str = "snapshots";

/// Where machines tell what they know.
pub const MACHINES: &str = "machines";

/// What ends the names of encrypted objects.
const ENCRYPTED: &str = ".age";

/// How many hex digits of an archive's hash stand in its name.
const DIGITS: usize = 32;

/// What tells one snapshot from another: the first digits of its archive's SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(String);

impl Id {
    /// Of an archive with that SHA-256 in hex; None where that is none.
    pub fn of(sha256: &str) -> Option<Self> {
        let is_hash = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digits = sha256.get(..DIGITS).filter(|_| is_hash)?;
        Some(Self(digits.to_ascii_lowercase()))
    }

    /// The digits.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// Whether an archive of that SHA-256 is it.
    pub fn is_of(&self, sha256: &str) -> bool {
        Self::of(sha256).as_ref() == Some(self)
    }
}

/// What both objects of a snapshot begin with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stem {
    /// `2026-04-14T155500Z`, or `unknown`.
    time: String,
    /// Which snapshot.
    pub id: Id,
}

impl Stem {
    /// Of a snapshot that was made then.
    pub fn new(made: Option<Stamp>, id: Id) -> Self {
        let utc = |made: Stamp| chrono::DateTime::from_timestamp(made.unix(), 0);
        let time = made.and_then(utc).map_or_else(
            || UNKNOWN.to_owned(),
            |utc| utc.format(TIME_FORM).to_string(),
        );
        Self { time, id }
    }

    fn parse(text: &str) -> Option<Self> {
        let (time, digits) = text.rsplit_once('-')?;
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_time = time == UNKNOWN
            || NaiveDateTime::parse_from_str(time, TIME_FORM)
                .is_ok_and(|read| read.format(TIME_FORM).to_string() == time);
        (is_time && digits.len() == DIGITS && digits.bytes().all(is_hex)).then(|| Self {
            time: time.to_owned(),
            id: Id(digits.to_owned()),
        })
    }

    /// The key of one of its objects.
    pub fn key(&self, kind: Kind, is_encrypted: bool) -> String {
        let (Self { time, id: Id(id) }, suffix) = (self, kind.suffix());
        let last = if is_encrypted { ENCRYPTED } else { "" };
        format!("{SNAPSHOTS}/{time}-{id}{suffix}{last}")
    }
}

const UNKNOWN: &str = "unknown";
const TIME_FORM: &str = "%Y-%m-%dT%H%M%SZ";

/// Which of a snapshot's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The archive.
    Archive,
    /// The sidecar.
    Sidecar,
}

impl Kind {
    fn suffix(self) -> &'static str {
        match self {
            Self::Archive => ARCHIVE_SUFFIX,
            Self::Sidecar => SIDECAR_SUFFIX,
        }
    }
}

/// The key of what a machine knows.
pub fn of_machine(id: &str, is_encrypted: bool) -> String {
    let last = if is_encrypted { ENCRYPTED } else { "" };
    format!("{MACHINES}/{id}.json{last}")
}

/// Which machine's a key is.
pub fn machine_of(key: &str) -> Option<&str> {
    let name = key.strip_prefix(MACHINES)?.strip_prefix('/')?;
    let id = plain_name(name).strip_suffix(".json")?;
    let is_id = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then_some(id)
}

/// Whether what stands under a key is encrypted.
pub fn is_encrypted(key: &str) -> bool {
    key.ends_with(ENCRYPTED)
}

fn plain_name(name: &str) -> &str {
    name.strip_suffix(ENCRYPTED).unwrap_or(name)
}

/// An object as it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its key.
    pub key: String,
    /// Its length, bytes.
    pub size: u64,
    /// When it was written, seconds since 1970 by the store's clock.
    pub modified: Option<i64>,
}

/// A snapshot on the remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// What its objects are called.
    pub stem: Stem,
    /// Its archive.
    pub archive: Placed,
    /// Its sidecar.
    pub sidecar: Placed,
}

/// What stands below [`SNAPSHOTS`].
#[derive(Debug, Default)]
pub struct Listing {
    /// Whole snapshots.
    pub whole: BTreeMap<Id, Carried>,
    /// Archives without a sidecar: of a run that was cut short, or goes on still.
    pub halves: Vec<Placed>,
    /// Sidecars without an archive: somebody is removing it, or took it away.
    pub empty: Vec<Placed>,
    /// Keys that are none of ours.
    pub foreign: Vec<String>,
}

impl Listing {
    /// Sorts what was listed.
    pub fn of(objects: Vec<Object>) -> Self {
        let mut listing = Self::default();
        let mut archives: BTreeMap<Stem, Vec<Placed>> = BTreeMap::new();
        let mut sidecars: BTreeMap<Stem, Vec<Placed>> = BTreeMap::new();
        for object in objects {
            let name = object
                .key
                .strip_prefix(SNAPSHOTS)
                .and_then(|rest| rest.strip_prefix('/'))
                .map(plain_name);
            let of = |kind: Kind| Stem::parse(name?.strip_suffix(kind.suffix())?);
            let (into, stem) = match (of(Kind::Archive), of(Kind::Sidecar)) {
                (Some(stem), _) => (&mut archives, stem),
                (_, Some(stem)) => (&mut sidecars, stem),
                _ => {
                    listing.foreign.push(object.key);
                    continue;
                }
            };
            into.entry(stem).or_default().push(Placed {
                key: object.key,
                size: object.size,
                modified: object.modified,
            });
        }
        for (stem, sidecars) in sidecars {
            let mut own = archives.remove(&stem).unwrap_or_default();
            for sidecar in sidecars {
                // Once encrypted and once not is two snapshots that mean the same.
                let fits =
                    |archive: &Placed| is_encrypted(&archive.key) == is_encrypted(&sidecar.key);
                let Some(place) = own.iter().position(fits) else {
                    listing.empty.push(sidecar);
                    continue;
                };
                let carried = Carried {
                    stem: stem.clone(),
                    archive: own.remove(place),
                    sidecar,
                };
                listing.whole.entry(stem.id.clone()).or_insert(carried);
            }
            listing.halves.extend(own);
        }
        listing.halves.extend(archives.into_values().flatten());
        listing
    }
}

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

use crate::bundle::machine;
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
    machine::is_id(id).then_some(id)
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
    /// Whole ones that are not encrypted, where such are not taken.
    pub plain: Vec<Carried>,
    /// Archives without a sidecar: of a run that was cut short, or goes on still.
    pub halves: Vec<Placed>,
    /// Sidecars without an archive: somebody is removing it, or took it away.
    pub empty: Vec<Placed>,
    /// Keys that are none of ours.
    pub foreign: Vec<String>,
}

impl Listing {
    /// Sorts what was listed. Unless it `takes_plain`, what is not encrypted counts for nothing.
    pub fn of(objects: Vec<Object>, takes_plain: bool) -> Self {
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
                if !takes_plain && !is_encrypted(&carried.sidecar.key) {
                    listing.plain.push(carried);
                    continue;
                }
                listing.whole.entry(stem.id.clone()).or_insert(carried);
            }
            listing.halves.extend(own);
        }
        listing.halves.extend(archives.into_values().flatten());
        listing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HASH: &str = "23dbcc985a33162ce72f473b85ef65b1aabbccddeeff00112233445566778899";

    fn stem() -> Stem {
        let made = Stamp::parse("2026-04-02T12:00:00+05:30");
        Stem::new(made, Id::of(HASH).expect("a hash"))
    }

    fn objects(keys: &[String]) -> Vec<Object> {
        let object = |key: &String| Object {
            key: key.clone(),
            size: 7,
            modified: None,
        };
        keys.iter().map(object).collect()
    }

    #[test]
    fn keys_tell_when_and_which_and_no_more() {
        assert_eq!(
            stem().key(Kind::Archive, true),
            "snapshots/2026-04-02T063000Z-23dbcc985a33162ce72f473b85ef65b1.tar.gz.age"
        );
        let unknown = Stem::new(None, Id::of(&HASH.to_uppercase()).expect("a hash"));
        assert_eq!(
            unknown.key(Kind::Sidecar, false),
            "snapshots/unknown-23dbcc985a33162ce72f473b85ef65b1.metadata.json"
        );
        assert!(stem().id.is_of(HASH) && !stem().id.is_of(&HASH.replace('2', "3")));
        for wrong in [
            "",
            "23db",
            &HASH[1..],
            &HASH.replace('2', "g"),
            &format!("{HASH}0"),
        ] {
            assert_eq!(Id::of(wrong), None, "{wrong}");
        }
        let machine = of_machine("0123456789abcdef", true);
        assert_eq!(machine, "machines/0123456789abcdef.json.age");
        assert_eq!(machine_of(&machine), Some("0123456789abcdef"));
        for wrong in [
            "machines/../evil.json",
            "machines/0123456789abcdef",
            "machines/0123456789abcdeg.json",
            "snapshots/0123456789abcdef.json",
        ] {
            assert_eq!(machine_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_both_halves_of_one_kind_are_a_snapshot() {
        let key = |kind, is_encrypted| stem().key(kind, is_encrypted);
        let all = [
            key(Kind::Archive, true),
            key(Kind::Sidecar, false),
            "snapshots/evil.tar.gz".to_owned(),
            "codex-manager.json".to_owned(),
        ];
        let listing = Listing::of(objects(&all), true);
        assert!(listing.whole.is_empty());
        assert_eq!(listing.halves[0].key, all[0]);
        assert_eq!(listing.empty[0].key, all[1]);
        assert_eq!(listing.foreign, all[2..]);
        let both = [
            key(Kind::Sidecar, true),
            key(Kind::Archive, false),
            key(Kind::Archive, true),
            key(Kind::Sidecar, false),
        ];
        let listing = Listing::of(objects(&both), true);
        assert_eq!(listing.whole.len(), 1);
        let carried = &listing.whole[&stem().id];
        assert_eq!(
            is_encrypted(&carried.archive.key),
            is_encrypted(&carried.sidecar.key)
        );
        assert!(listing.halves.is_empty() && listing.empty.is_empty());
    }

    proptest! {
        /// Whatever a store lists: what is taken for ours is spelled just as this program spells it.
        #[test]
        fn nothing_else_is_ours(
            name in "[0-9TZ:.-]{0,20}-?[0-9a-fA-F./\\\\]{0,34}(\\.tar\\.gz|\\.metadata\\.json)?(\\.age)?|.{0,60}",
        ) {
            let key = format!("{SNAPSHOTS}/{name}");
            let listing = Listing::of(objects(std::slice::from_ref(&key)), true);
            if listing.foreign.is_empty() {
                let kind = if key.contains(ARCHIVE_SUFFIX) { Kind::Archive } else { Kind::Sidecar };
                let plain = plain_name(&name).strip_suffix(kind.suffix()).expect("its suffix");
                let stem = Stem::parse(plain).expect("of the form");
                prop_assert_eq!(stem.key(kind, is_encrypted(&key)), key);
                prop_assert!(!name.contains(['/', '\\']) && !name.contains(".."));
            }
        }
    }
}

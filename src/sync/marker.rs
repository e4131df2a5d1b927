//! The marker at the top of a remote: which form it has, and which keys open what is on it.

use serde::{Deserialize, Serialize};

use super::keys::MARKER;
use crate::error::{Error, Kind, Result};
use crate::remote::{How, Remote};

/// The form this program writes.
const FORMAT: u32 = 1;

/// The largest marker that is read.
const MOST_BYTES: u64 = 1 << 20;

/// What the marker says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    product: String,
    format: u32,
    /// What tells the keys it was encrypted to from others, and no more of them.
    #[serde(default)]
    key_ids: Vec<String>,
}

impl Marker {
    fn new(key_ids: Vec<String>) -> Self {
        Self {
            product: "codex-manager".to_owned(),
            format: FORMAT,
            key_ids,
        }
    }

    /// Reads it; None where there is none.
    pub fn read(remote: &Remote) -> Result<Option<Self>> {
        let Some(bytes) = remote.get(MARKER, MOST_BYTES)? else {
            return Ok(None);
        };
        let not_ours = |why: &str| {
            Error::new(
                Kind::Remote,
                format!("{remote} is no place of codex-manager's: its `{MARKER}` {why}"),
                "name another folder or prefix, one that is empty",
            )
        };
        let marker: Self =
            serde_json::from_slice(&bytes).map_err(|_| not_ours("cannot be read"))?;
        if marker.product != "codex-manager" {
            return Err(not_ours("is of something else"));
        }
        if marker.format > FORMAT {
            return Err(not_ours("is of a later form than this program knows")
                .with_hint("use a newer codex-manager"));
        }
        Ok(Some(marker))
    }

    /// Whether anything on it is encrypted.
    pub fn is_encrypted(&self) -> bool {
        !self.key_ids.is_empty()
    }

    /// What tells the keys it was encrypted to.
    pub fn ids(&self) -> Vec<String> {
        self.key_ids.clone()
    }

    /// Fails where what is there was encrypted, and to none of these keys.
    pub fn check(&self, key_ids: &[String], remote: &Remote) -> Result<()> {
        if !self.is_encrypted() || key_ids.iter().any(|id| self.key_ids.contains(id)) {
            return Ok(());
        }
        Err(Error::new(
            Kind::Undecryptable,
            format!("what is on {remote} is encrypted to another key than this machine's"),
            "copy `identity.txt` here from the manager home of a machine that has the key, or have that machine add this one's recipient to its `sync.recipients`",
        ))
    }

    /// Has the marker stand, with these keys among those it names. `standing` is what was read of it before; it is read again
    /// right before it is replaced, so that what another machine wrote since stays in it.
    pub fn ensure(standing: Option<&Self>, key_ids: &[String], remote: &Remote) -> Result<()> {
        if standing.is_some_and(|standing| standing.lacking(key_ids).is_empty()) {
            return Ok(());
        }
        let marker = Self::new(key_ids.to_vec());
        remote.put(MARKER, marker.bytes()?, How::IfAbsent)?;
        // Another machine may have been sooner, or, on a store without conditions, later.
        let Some(theirs) = Self::read(remote)? else {
            return Ok(());
        };
        if !key_ids.is_empty() {
            theirs.check(key_ids, remote)?;
        }
        theirs.with(key_ids, remote)
    }

    /// Those of these keys that it does not name.
    fn lacking(&self, key_ids: &[String]) -> Vec<String> {
        let missing = key_ids.iter().filter(|id| !self.key_ids.contains(id));
        missing.cloned().collect()
    }

    fn with(&self, key_ids: &[String], remote: &Remote) -> Result<()> {
        let more = self.lacking(key_ids);
        if more.is_empty() {
            return Ok(());
        }
        let all = self.key_ids.iter().cloned().chain(more).collect();
        remote.put(MARKER, Self::new(all).bytes()?, How::Always)?;
        Ok(())
    }

    fn bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(anyhow::Error::from)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::{Access, Address};
    use crate::stop::Stop;

    #[test]
    fn what_another_machine_wrote_since_it_was_read_stays() {
        let dir = tempfile::tempdir().unwrap();
        let here = |path: &std::path::Path| Ok(path.to_owned());
        let address = Address::parse(dir.path().to_str().unwrap(), &here).unwrap();
        let remote = Remote::open(&address, &Access::default(), &Stop::default()).unwrap();
        let ids = |ids: &[&str]| -> Vec<String> { ids.iter().map(|id| (*id).to_owned()).collect() };
        Marker::ensure(None, &ids(&["a"]), &remote).unwrap();
        let seen = Marker::read(&remote).unwrap();
        Marker::ensure(seen.as_ref(), &ids(&["a", "b"]), &remote).unwrap();
        Marker::ensure(seen.as_ref(), &ids(&["a", "c"]), &remote).unwrap();
        let now = Marker::read(&remote).unwrap().unwrap();
        assert_eq!(now.ids(), ["a", "b", "c"]);
    }
}

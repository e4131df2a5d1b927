//! The sidecars of snapshots on a remote.

use super::crew;
use super::keys::{Carried, is_encrypted};
use crate::encryption::Identities;
use crate::error::{Error, Kind, Result};
use crate::metadata::Sidecar;
use crate::remote::Remote;
use crate::snapshots;

/// How much longer than its plain text an encrypted one may be, with many recipients.
const ROOM: u64 = 1 << 20;

/// A snapshot on the remote whose sidecar was read.
#[derive(Debug)]
pub struct Told<'a> {
    /// Its objects.
    pub carried: &'a Carried,
    /// The sidecar, byte for byte.
    pub bytes: Vec<u8>,
    /// What it says.
    pub sidecar: Sidecar,
}

/// One whose sidecar cannot be used, and why.
pub type Unusable<'a> = (&'a Carried, Error);

/// Reads the sidecars of `wanted`, `size` of them at once. With them come those that cannot be used, each with the reason.
/// One that is gone meanwhile is left out. Fails where the remote does, and where none of several can be decrypted.
pub fn read<'a>(
    remote: &Remote,
    identities: Option<&Identities>,
    wanted: Vec<&'a Carried>,
    size: usize,
) -> Result<(Vec<Told<'a>>, Vec<Unusable<'a>>)> {
    let (mut told, mut unusable) = (Vec::new(), Vec::new());
    let get = |carried: &'a Carried| (carried, get(remote, identities, carried));
    let take = |(carried, got): (&'a Carried, _)| match got {
        Ok(Some((bytes, sidecar))) => {
            told.push(Told {
                carried,
                bytes,
                sidecar,
            });
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(error) if super::is_of_all(&error) => Err(error),
        Err(error) => {
            unusable.push((carried, error));
            Ok(())
        }
    };
    crew::each(wanted, size, get, take, || {})?;
    let is_locked = |(_, error): &(_, Error)| error.kind() == Kind::Undecryptable;
    if told.is_empty()
        && unusable.iter().all(is_locked)
        && let Some((_, error)) = unusable.pop()
    {
        return Err(error);
    }
    told.sort_by(|a, b| a.carried.stem.cmp(&b.carried.stem));
    Ok((told, unusable))
}

fn get(
    remote: &Remote,
    identities: Option<&Identities>,
    carried: &Carried,
) -> Result<Option<(Vec<u8>, Sidecar)>> {
    let key = &carried.sidecar.key;
    let what = format!("`{key}` on {remote}");
    let Some(bytes) = remote.get(key, snapshots::MOST_BYTES + ROOM)? else {
        return Ok(None);
    };
    let bytes = match identities {
        Some(identities) if is_encrypted(key) => {
            // No login is in it.
            identities
                .open(&format!("{key} on {remote}"), &bytes, snapshots::MOST_BYTES)?
                .to_vec()
        }
        _ => bytes,
    };
    let sidecar = Sidecar::parse(&bytes).map_err(|why| {
        Error::new(
            Kind::ArchiveDamaged,
            format!("{what} is no sidecar: {why}"),
            "remove that object there by hand, and push that snapshot again from the machine that has it",
        )
    })?;
    Ok(Some((bytes, sidecar)))
}

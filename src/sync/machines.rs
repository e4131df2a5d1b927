//! What machines tell each other of accounts.

use super::How;
use super::keys::{MACHINES, machine_of};
use crate::context::Ctx;
use crate::encryption::{Identities, Recipients};
use crate::error::Result;
use crate::remote::Remote;

/// The keys of what other machines tell.
pub fn others(_ctx: &Ctx, remote: &Remote) -> Result<Vec<String>> {
    let objects = remote.list(MACHINES)?.into_iter();
    Ok(objects
        .map(|object| object.key)
        .filter(|key| machine_of(key).is_some())
        .collect())
}

/// Tells what this machine knows.
pub fn tell(
    _ctx: &Ctx,
    _how: &How,
    _remote: &Remote,
    _recipients: Option<&Recipients>,
) -> Result<()> {
    Ok(())
}

/// Takes in what others tell.
pub fn learn(
    _ctx: &Ctx,
    _remote: &Remote,
    _identities: Option<&Identities>,
    _machines: &[String],
) -> Result<Vec<String>> {
    Ok(Vec::new())
}

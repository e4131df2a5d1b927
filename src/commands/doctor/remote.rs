//! What leaves the machine: the key, and where it goes to.

use super::check::Check;
use super::facts::Facts;
use crate::encryption::{IdentityFile, Protection};
use crate::error::{Kind, Result};
use crate::sync::marker::Marker;

const ENCRYPTION: &str = "encryption";
const REMOTE: &str = "remote";

/// Whether a remote is set, whatever it is worth.
fn is_set(facts: &Facts) -> bool {
    facts.ctx.settings().text("sync.remote").is_some()
}

/// The key to what is on the remote.
pub fn encryption(facts: &Facts) -> Vec<Check> {
    let ctx = facts.ctx;
    let path = ctx.identity_path();
    let short = facts.short(&path);
    let file = match IdentityFile::read(&path) {
        Ok(Some(file)) => file,
        Ok(None) if is_set(facts) && ctx.encrypts() => {
            return vec![Check::fail(
                ENCRYPTION,
                format!("there is no key to the remote: `{short}` does not exist"),
                format!(
                    "make one with `codex-manager sync init`, or copy the identity file of the first machine to `{short}`"
                ),
            )];
        }
        Ok(None) => {
            return vec![Check::ok(
                ENCRYPTION,
                if is_set(facts) {
                    "off, as `sync.encrypt` says"
                } else {
                    "no key, and no remote that needs one"
                },
            )];
        }
        Err(error) => return vec![Check::of_error(ENCRYPTION, &error)],
    };
    let mut found = Vec::new();
    if let Err(error) = ctx.recipients() {
        found.push(Check::of_error(ENCRYPTION, &error));
    }
    if is_set(facts) && !ctx.encrypts() {
        found.push(Check::warn(
            ENCRYPTION,
            "there is a key, and `sync.encrypt` is false: what goes to the remote can be read there",
            "`codex-manager config unset sync.encrypt`",
        ));
    }
    if found.is_empty() {
        let how = match file.protection() {
            Protection::Plain => "",
            Protection::Passphrase => ", under a passphrase",
            Protection::Ssh => ", an SSH key",
            Protection::SshPassphrase => ", an SSH key under a passphrase",
        };
        found.push(Check::ok(ENCRYPTION, format!("{short}{how}")));
    }
    found
}

/// The remote; reached only where that is wanted. Fails on a signal.
pub fn remote(facts: &Facts, live: bool) -> Result<Vec<Check>> {
    if !is_set(facts) {
        return Ok(vec![Check::ok(REMOTE, "none is set")]);
    }
    let ctx = facts.ctx;
    let address = match ctx.remote(None) {
        Ok(address) => address,
        Err(error) => return Ok(vec![Check::of_error(REMOTE, &error)]),
    };
    if !live {
        let told = format!("{address}, not asked; `--live` does");
        return Ok(vec![Check::ok(REMOTE, told)]);
    }
    let _in_hand = ctx.in_hand();
    let reached = ctx.open_remote(&address, &ctx.access());
    let reached = reached.and_then(|remote| Ok((Marker::read(&remote)?, remote)));
    let (marker, remote) = match reached {
        Ok(reached) => reached,
        Err(error) if error.kind() == Kind::Interrupted => return Err(error),
        Err(error) => return Ok(vec![Check::of_error(REMOTE, &error)]),
    };
    let Some(marker) = marker else {
        return Ok(vec![Check::warn(
            REMOTE,
            format!("{address} was reached, and nothing of ours is there yet"),
            "`codex-manager sync init`, then `codex-manager sync push`",
        )]);
    };
    // Whether this machine has any key is told above.
    let ids = ctx.recipients().map(|recipients| recipients.key_ids());
    if let Ok(ids) = ids
        && let Err(error) = marker.check(&ids, &remote)
    {
        return Ok(vec![Check::of_error(REMOTE, &error)]);
    }
    Ok(vec![Check::ok(REMOTE, format!("{address}, reached"))])
}

//! What machines tell each other of accounts: each writes one object of its own, and reads those of the others.

use super::How;
use super::keys::{MACHINES, Placed, is_encrypted, machine_of, of_machine};
use super::report::{Answer, Entry};
use crate::bundle::{self, Bundle, Deed, Include, machine};
use crate::context::Ctx;
use crate::encryption::{Identities, Recipients};
use crate::error::{Error, Kind, Result};
use crate::remote::{How as Put, Remote};

/// How much longer than its plain text an encrypted one may be, with many recipients.
const ROOM: u64 = 16 << 20;

/// What other machines tell, as it is listed; with it what is not encrypted, unless it `takes_plain`.
pub fn others(ctx: &Ctx, remote: &Remote, takes_plain: bool) -> Result<(Vec<Placed>, Vec<Placed>)> {
    let own = machine::known(&ctx.paths.manager_home);
    let objects = remote.list(MACHINES)?.into_iter();
    let is_anothers = |key: &str| machine_of(key).is_some_and(|id| Some(id) != own.as_deref());
    let placed = objects.map(|object| Placed {
        key: object.key,
        size: object.size,
        modified: object.modified,
    });
    let is_taken = |placed: &Placed| takes_plain || is_encrypted(&placed.key);
    Ok(placed
        .filter(|placed| is_anothers(&placed.key))
        .partition(is_taken))
}

/// Tells what this machine knows; the logins only under encryption.
pub fn tell(ctx: &Ctx, how: &How, remote: &Remote, recipients: Option<&Recipients>) -> Result<()> {
    let own = {
        let (lock, _in_hand) = ctx.lock_patiently_unless_said("sync push")?;
        ctx.machine(&lock)?
    };
    let include = Include {
        credentials: recipients.is_some(),
        settings: false,
    };
    let mut warnings = Vec::new();
    let places = ctx.places(how.backup_dir, None)?;
    let told = bundle::gather(&places, &own, ctx.now, include, &mut warnings)?;
    for warning in &warnings {
        ctx.ui.warn(warning);
    }
    let bytes = told.bytes()?;
    let (bytes, is_sealed) = match recipients {
        Some(recipients) => (recipients.seal(&bytes)?, true),
        None => (bytes, false),
    };
    remote.put(&of_machine(&own.id, is_sealed), bytes, Put::Always)?;
    // What was told before in the other way is old, and may tell more than is wanted now.
    remote.remove(&of_machine(&own.id, !is_sealed))?;
    Ok(())
}

/// Takes in what others tell; in a dry run only finds out what would be. Fails as `Undecryptable` where none of it can be
/// decrypted, and nothing else was.
pub fn learn(
    ctx: &Ctx,
    how: &How,
    remote: &Remote,
    identities: Option<&Identities>,
    (others, fits, answer): (&[Placed], bool, &mut Answer),
) -> Result<()> {
    let mut fits = fits;
    let mut locked = None;
    for placed in others {
        ctx.check_stop()?;
        match learn_one(ctx, how, remote, identities, placed, answer) {
            Ok(()) => fits = true,
            Err(error) if super::is_of_all(&error) => return Err(error),
            Err(error) if !fits && error.kind() == Kind::Undecryptable => {
                if let Some(earlier) = locked.replace((error, placed)) {
                    note(answer, earlier);
                }
            }
            Err(error) => note(answer, (error, placed)),
        }
    }
    match locked {
        Some((error, _)) if !fits => Err(error),
        Some(locked) => {
            note(answer, locked);
            Ok(())
        }
        None => Ok(()),
    }
}

fn note(answer: &mut Answer, (error, placed): (Error, &Placed)) {
    let entry = Entry::of_object(placed);
    answer.failed.push(entry.because(error.to_string()));
}

fn learn_one(
    ctx: &Ctx,
    how: &How,
    remote: &Remote,
    identities: Option<&Identities>,
    placed: &Placed,
    answer: &mut Answer,
) -> Result<()> {
    let key = &placed.key;
    let what = format!("`{key}` on {remote}");
    let Some(bytes) = remote.get(key, bundle::MOST_BYTES + ROOM)? else {
        return Ok(());
    };
    let bundle = match identities {
        Some(identities) if is_encrypted(key) => {
            let bytes =
                identities.open(&format!("{key} on {remote}"), &bytes, bundle::MOST_BYTES)?;
            Bundle::parse(&what, &bytes)?
        }
        _ => Bundle::parse(&what, &bytes)?,
    };
    let here = ctx.places(how.backup_dir, None)?;
    let home = ctx.bundle_home(&here, true);
    let mut warnings = Vec::new();
    let plan = if how.dry_run {
        bundle::plan(&home, &bundle, &mut warnings)?
    } else {
        let (lock, _in_hand) = ctx.lock_patiently_unless_said("sync pull")?;
        ctx.keeping(&lock, |keeper| {
            bundle::perform(&home, keeper, &bundle, &mut warnings)
        })?
    };
    for warning in &warnings {
        ctx.ui.warn(warning);
    }
    let is_news = |item: &bundle::Item| matches!(item.deed, Deed::Add | Deed::Update);
    answer
        .learned
        .extend(plan.items.into_iter().filter(is_news));
    Ok(())
}

//! How much of a home a restore is about: what was asked for, as far as the snapshot can say anything of it.

use std::path::Path;

use crate::archive::read::Checked;
use crate::cli::RestoreArgs;
use crate::codex::home;
use crate::codex::parts::{Part, Parts};
use crate::context::Ctx;
use crate::error::{Error, Kind, Result};
use crate::install::Scope;
use crate::metadata::{BackupMode, Sidecar};
use crate::snapshots::{Snapshot, Sound};

/// What is restored of `sound`: the parts that were asked for, else all that it is of. A part of which it holds nothing is
/// not emptied on request: it may never have been captured.
pub(super) fn scope(args: &RestoreArgs, snapshot: &Snapshot, sound: &Sound) -> Result<Scope> {
    let (checked, sidecar) = (&sound.checked, &sound.sidecar);
    let mode = sidecar.mode();
    let covered = Scope {
        parts: parts_of(snapshot, sidecar)?,
        is_session_half: mode == BackupMode::SessionOnly,
    };
    let Some(asked) = args.parts() else {
        return Ok(covered);
    };
    let held = held(checked, covered);
    let missing = asked.without(held);
    if missing.is_empty() {
        return Ok(Scope {
            parts: asked,
            ..covered
        });
    }
    let archive = snapshot.archive.display();
    if covered.is_session_half && asked == Parts::AUTH {
        return Err(Error::new(
            Kind::Usage,
            format!("`{archive}` is the session half of a snapshot: it holds no login"),
            "restore its login from `auth/<email>/latest.tar.gz` beside it",
        ));
    }
    let holds = match held.words().as_slice() {
        [] => "nothing at all".to_owned(),
        _ => format!("only {held}"),
    };
    Err(Error::new(
        Kind::Usage,
        format!("`{archive}` holds nothing of {missing}; it holds {holds}"),
        "name what it holds, or a snapshot that holds more: `codex-manager list-backups`",
    ))
}

/// What a snapshot is of, by its sidecar.
fn parts_of(snapshot: &Snapshot, sidecar: &Sidecar) -> Result<Parts> {
    if sidecar.mode() == BackupMode::AuthOnly {
        return Ok(Parts::AUTH);
    }
    if sidecar.parts.is_empty() {
        return Ok(Parts::ALL);
    }
    Parts::named(&sidecar.parts).ok_or_else(|| {
        let parts = sidecar.parts.join(", ");
        Error::new(
            Kind::ArchiveDamaged,
            format!(
                "`{}` is of the parts {parts}, which this program does not all know; nothing was changed",
                snapshot.archive.display()
            ),
            "use the codex-manager that made it, or a later one",
        )
    })
}

/// The parts of which `checked` has anything that a restore puts into a home.
fn held(checked: &Checked, scope: Scope) -> Parts {
    let entries = checked.entries.iter();
    let paths = entries.filter(|entry| {
        let path = entry.path.as_str();
        !entry.is_metadata() && !home::is_passing(path, true) && scope.holds(path)
    });
    paths.map(|entry| Part::of(&entry.path)).collect()
}

/// Codex keeps an index of its sessions in a database: one without the other may not fit what stands there.
pub(super) fn warn_of_index(
    ctx: &Ctx,
    args: &RestoreArgs,
    scope: Scope,
    checked: &Checked,
    dest: &Path,
) {
    let parts = scope.parts;
    let (left, told) = match (parts.has(Part::Sessions), parts.has(Part::Databases)) {
        (true, false) => (
            Part::Databases,
            "sessions are restored without the databases",
        ),
        (false, true) => (
            Part::Sessions,
            "databases are restored without the sessions",
        ),
        _ => return,
    };
    let is_held = checked
        .entries
        .iter()
        .any(|entry| Part::of(&entry.path) == left);
    let stands = || {
        let names = std::fs::read_dir(dest).into_iter().flatten().flatten();
        let mut names = names.filter_map(|entry| entry.file_name().into_string().ok());
        names.any(|name| Part::of(&name) == left)
    };
    // What is put back had stood beside what stays.
    if !args.undo && (is_held || stands()) {
        ctx.ui.warn(&format!(
            "{told}: Codex's index of its threads may not match them"
        ));
    }
}

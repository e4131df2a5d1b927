//! Snapshots and what is noted beside them: whether they are whole, how old, and whether there is room for the next one.

use std::path::Path;

use super::check::Check;
use super::facts::Facts;
use super::repair::Repair;
use crate::accounts;
use crate::error::{Kind, Result};
use crate::fsutil;
use crate::metadata::{BackupMode, BackupName, Sidecar};
use crate::snapshots::{Lengths, Listing, Snapshot};
use crate::ui::table::{count, size_words};

const SNAPSHOTS: &str = "snapshots";
const RECORDS: &str = "records";
const SPACE: &str = "space";

/// The snapshots themselves; `unsound` is what reading them all found, where they were read.
pub fn snapshots(facts: &Facts, unsound: Option<&[Check]>) -> Vec<Check> {
    let (listing, kept) = match (&facts.listing, &facts.kept) {
        (Ok(listing), Ok(kept)) => (listing, kept),
        (Err(error), _) | (_, Err(error)) => return vec![Check::of_error(SNAPSHOTS, error)],
    };
    let mut found = Vec::new();
    let dir = &facts.places.backup_dir;
    if dir.is_dir() && !fsutil::is_writable(dir) {
        found.push(Check::fail(
            SNAPSHOTS,
            format!("nothing may be written in `{}`", facts.short(dir)),
            format!("see who may use it: `ls -ld {}`", facts.typed(dir)),
        ));
    }
    for (part, is_current) in [(listing, true), (&kept.0, false), (&kept.1, false)] {
        found.extend(problems(facts, part, is_current));
    }
    found.extend(unsound.unwrap_or_default().iter().cloned());
    found.extend(age(facts, listing));
    if found.is_empty() {
        found.push(Check::ok(
            SNAPSHOTS,
            in_words(listing, kept, unsound.is_some()),
        ));
    }
    found
}

/// The first of `all`, and how many more there are.
fn first_of<T>(all: &[T], name: impl Fn(&T) -> String) -> Option<String> {
    let first = all.first()?;
    Some(match all.len() {
        1 => format!("`{}`", name(first)),
        many => format!("`{}` and {} more", name(first), many - 1),
    })
}

/// What is wrong with any of them, without reading an archive.
fn problems(facts: &Facts, listing: &Listing, is_current: bool) -> Vec<Check> {
    let short = |path: &Path| facts.short(path);
    let mut found: Vec<Check> = listing
        .broken
        .iter()
        .map(|problem| {
            Check::fail(
                SNAPSHOTS,
                problem.clone(),
                "move that file away: an archive is listed and restored by what it says of itself",
            )
        })
        .collect();
    if let Some(orphans) = first_of(&listing.orphans, |path| short(path)) {
        let check = Check::warn(
            SNAPSHOTS,
            format!("no archive is beside the sidecar {orphans}"),
            "put the archive back, or have `codex-manager doctor --fix` set the sidecar aside",
        );
        found.push(check.repaired_by(Repair::SetAside(listing.orphans.clone())));
    }
    let mut lengths = Lengths::default();
    let (mut alone, mut shorter, mut renamed) = (Vec::new(), Vec::new(), Vec::new());
    for snapshot in &listing.snapshots {
        let told = &snapshot.sidecar;
        if !snapshot.is_complete {
            alone.push(snapshot);
        } else if told.archive_size_bytes.is_some()
            && told.archive_size_bytes != lengths.of(snapshot)
        {
            shorter.push(snapshot);
        } else if is_current && is_renamed(snapshot) {
            renamed.push(snapshot);
        }
    }
    let name = |snapshot: &&Snapshot| short(&snapshot.archive);
    if let Some(alone) = first_of(&alone, name) {
        found.push(Check::warn(
            SNAPSHOTS,
            format!("no sidecar is beside {alone}: unfinished or foreign"),
            "`codex-manager list-backups --verify` says whether it is sound; it is restored by its path",
        ));
    }
    if let Some(shorter) = first_of(&shorter, name) {
        found.push(Check::fail(
            SNAPSHOTS,
            format!("{shorter} has not the length that its sidecar tells: damaged"),
            "take it from another machine or the remote, `codex-manager sync pull`, or make a new one",
        ));
    }
    if let Some(renamed) = first_of(&renamed, name) {
        found.push(Check::warn(
            SNAPSHOTS,
            format!("{renamed} is called otherwise in its sidecar"),
            "give archive and sidecar their name back",
        ));
    }
    found
}

/// Whether the archive has another name than its sidecar says. In the split layout of the Python tool names say nothing.
fn is_renamed(snapshot: &Snapshot) -> bool {
    let name = snapshot.archive_name();
    let told = snapshot.sidecar.archive_name.as_ref();
    BackupName::of_file(&name).is_some() && told.is_some_and(|told| *told != name)
}

/// Reads every byte of them: those that do not pass every check of a restore. Fails on a signal.
pub fn unsound(facts: &Facts) -> Result<Vec<Check>> {
    let ctx = facts.ctx;
    let mut found = Vec::new();
    let listing = facts.listing.as_ref().ok();
    for snapshot in listing.into_iter().flat_map(|listing| &listing.snapshots) {
        ctx.check_stop()?;
        match snapshot.check(&ctx.limits(), &|| ctx.stopped()) {
            Ok(_) => {}
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => found.push(Check::of_error(SNAPSHOTS, &error)),
        }
    }
    Ok(found)
}

/// Whether whoever is signed in has a snapshot of this window.
fn age(facts: &Facts, listing: &Listing) -> Option<Check> {
    let login = facts.signed_in().filter(|login| !login.is_api_key())?;
    let who = &login.account;
    let theirs = listing.snapshots.iter();
    let theirs = theirs.filter(|one| one.sidecar.account().may_be(who));
    let newest = theirs.filter_map(|one| one.sidecar.content_time()).max();
    let hint = "`codex-manager backup`";
    let Some(newest) = newest else {
        return Some(Check::warn(
            SNAPSHOTS,
            format!("there is none of {who}, who is signed in"),
            hint,
        ));
    };
    let known = facts.accounts();
    let observed = accounts::find(&known, who)?.observation.as_ref()?;
    let start = observed.session_start_at?.0;
    (start <= facts.ctx.now && newest < start).then(|| {
        Check::warn(
            SNAPSHOTS,
            format!(
                "the newest of {who} is of {}, before the window that began {}",
                newest.table_form(),
                start.table_form()
            ),
            hint,
        )
    })
}

fn in_words(listing: &Listing, kept: &(Listing, Listing), verify: bool) -> String {
    let bytes = |listing: &Listing| {
        let mut lengths = Lengths::default();
        let all = listing.snapshots.iter();
        all.filter_map(|one| lengths.of(one)).sum::<u64>()
    };
    let current = &listing.snapshots;
    if current.is_empty() {
        return "none yet".to_owned();
    }
    let mut said = format!("{}, {}", current.len(), size_words(bytes(listing)));
    if verify {
        said.push_str(", each read and sound");
    }
    let unhashed = current
        .iter()
        .filter(|one| one.sidecar.archive_sha256.is_none());
    let unhashed = unhashed.count();
    if unhashed > 0 {
        said.push_str(&format!(", {unhashed} without a checksum"));
    }
    for (what, listing) in [("superseded", &kept.0), ("safety copies", &kept.1)] {
        if !listing.snapshots.is_empty() {
            let number = listing.snapshots.len();
            said.push_str(&format!(
                "; {what} {number}, {}",
                size_words(bytes(listing))
            ));
        }
    }
    said
}

/// What is known of accounts beside snapshots.
pub fn records(facts: &Facts) -> Vec<Check> {
    let mut found = Vec::new();
    let inventory = match &facts.inventory {
        Ok(inventory) => inventory.records.len(),
        Err(error) => {
            found.push(Check::of_error(RECORDS, error));
            0
        }
    };
    let registry = match &facts.registry {
        Ok(registry) => registry.entries.len(),
        Err(broken) => {
            let path = facts.short(&facts.places.registry);
            let told = format!("the registry `{path}` cannot be read: {}", broken.reason);
            found.push(if broken.is_damaged {
                let hint = "`codex-manager doctor --fix` sets it aside, as the next command that reads it does";
                Check::fail(RECORDS, told, hint).repaired_by(Repair::Registry)
            } else {
                let hint = "make it readable for you, or use the codex-manager that wrote it: it is left alone";
                Check::fail(RECORDS, told, hint)
            });
            0
        }
    };
    if found.is_empty() {
        found.push(Check::ok(
            RECORDS,
            format!(
                "{} in the inventory, {} in the registry",
                count(inventory, "legacy file"),
                count(registry, "account")
            ),
        ));
    }
    found
}

/// Room for the next snapshot where snapshots are kept, and for a restore in the Codex home.
pub fn space(facts: &Facts) -> Vec<Check> {
    let listing = facts.listing.as_ref().ok();
    let all = listing.into_iter().flat_map(|listing| &listing.snapshots);
    let whole = all.filter(|one| one.sidecar.mode() == BackupMode::Full);
    let newest = whole.max_by_key(|one| one.sidecar.content_time());
    let sidecar = newest.map(|one| &*one.sidecar);
    let told = |of: fn(&Sidecar) -> Option<u64>| sidecar.and_then(of).unwrap_or_default();
    let (archive, content) = (
        told(|sidecar| sidecar.archive_size_bytes),
        told(|sidecar| sidecar.total_bytes),
    );
    let mut found = Vec::new();
    let mut free_words = Vec::new();
    for (what, dir, need) in [
        ("snapshots", &facts.places.backup_dir, archive),
        ("the Codex home", &facts.home, content),
    ] {
        // Where it does not stand yet it would be made.
        let place = dir.ancestors().find(|place| place.is_dir());
        let Some(free) = place.and_then(fsutil::free_bytes) else {
            continue;
        };
        free_words.push(format!("{} free for {what}", size_words(free)));
        found.extend(judge_space(&facts.short(dir), free, need));
    }
    if found.is_empty() {
        found.push(Check::ok(
            SPACE,
            if free_words.is_empty() {
                "the system does not tell".to_owned()
            } else {
                free_words.join(", ")
            },
        ));
    }
    found
}

/// Whether `free` bytes will do where the next snapshot, or a restore of the newest, takes about `need`.
fn judge_space(dir: &str, free: u64, need: u64) -> Option<Check> {
    /// What databases, journals and the like take beside.
    const ROOM: u64 = 64 << 20;
    let need = need.saturating_add(ROOM);
    let (hint, told) = (
        "free some space there; `codex-manager prune --keep-last 3` removes old snapshots, \
         `codex-manager prune --codex-state` what Codex makes anew",
        format!(
            "{} free on the disk of `{dir}`, where about {} will be needed",
            size_words(free),
            size_words(need)
        ),
    );
    if free < need {
        Some(Check::fail(SPACE, told, hint))
    } else if free < need.saturating_mul(3) {
        Some(Check::warn(SPACE, told, hint))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[test]
    fn room_is_judged_by_what_the_next_one_takes() {
        let judged =
            |free: u64, need: u64| judge_space("~/x", free, need).map(|check| check.status);
        let mb = 1 << 20;
        assert_eq!(judged(63 * mb, 0), Some(Status::Fail));
        assert_eq!(judged(64 * mb, 0), Some(Status::Warn));
        assert_eq!(judged(192 * mb, 0), None);
        assert_eq!(judged(1000 * mb, 1000 * mb), Some(Status::Fail));
        assert_eq!(judged(3000 * mb, 1000 * mb), Some(Status::Warn));
        let told = judge_space("~/x", mb, 0).expect("told").finding;
        assert_eq!(
            told,
            "1.0 MB free on the disk of `~/x`, where about 67.1 MB will be needed"
        );
    }
}

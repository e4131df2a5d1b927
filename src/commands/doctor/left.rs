//! What runs hold, and what runs that were killed left.

use std::path::PathBuf;

use chrono::TimeDelta;

use super::check::Check;
use super::facts::Facts;
use super::repair::Repair;
use crate::codex::{auth_file, home};
use crate::fsutil;
use crate::install;
use crate::lock::{self, HomeLock, Seen};
use crate::profiles::private_home;
use crate::snapshots;
use crate::ui::table::count;

const RESTORE: &str = "restore";
const LEFTOVERS: &str = "leftovers";
const LOCKS: &str = "locks";

/// How long a run may hold the lock before it is told to be odd. A first push of many snapshots takes that long.
const LONG: TimeDelta = TimeDelta::hours(6);

/// A restore that was cut short.
pub fn restore(facts: &Facts) -> Vec<Check> {
    let short = facts.short(&facts.home);
    vec![match install::is_cut_short(&facts.home) {
        Ok(false) => Check::ok(RESTORE, "none was cut short"),
        // One may be going on.
        Ok(true) if HomeLock::is_held(&facts.home) => {
            Check::ok(RESTORE, format!("one into {short} is going on"))
        }
        Ok(true) => Check::fail(
            RESTORE,
            format!("one into `{short}` was cut short"),
            "`codex-manager doctor --fix` finishes or drops it, as the next `backup` or `restore` does",
        )
        .repaired_by(Repair::Mend(facts.home.clone())),
        Err(error) => Check::of_error(RESTORE, &error),
    }]
}

/// What killed runs left, and what was moved out of a restore's way.
pub fn leftovers(facts: &Facts) -> Vec<Check> {
    let mut found = Vec::new();
    let homes = private_home::left_in(&facts.ctx.paths.tmp());
    let (homes, empty): (Vec<_>, Vec<_>) = homes
        .into_iter()
        .partition(|home| private_home::has_login(home));
    if let Some(first) = homes.first() {
        found.push(
            Check::warn(
                LEFTOVERS,
                format!(
                    "a killed run left {} in `{}`: it may be the newest of its account",
                    if homes.len() == 1 { "a login" } else { "logins" },
                    facts.short(first)
                ),
                "`codex-manager doctor --fix` keeps it in its profile, as the next command that writes does",
            )
            .repaired_by(Repair::TakeIn),
        );
    }
    // In these the lock itself sweeps.
    let of_lock = [facts.places.manager_home.clone()].into_iter();
    let mut of_lock = left_in(of_lock.chain(below(&facts.places.profiles)));
    of_lock.extend(empty);
    let login = auth_file::place(&home::auth_path(&facts.home)).ok();
    let login = login.map(|place| fsutil::parent_of(&place).to_owned());
    let backups = snapshots::dirs_of(&facts.places.backup_dir);
    let of_home = left_in(backups.into_iter().chain(login));
    let all = of_lock.len() + of_home.len();
    if let Some(first) = of_lock.first().or(of_home.first()) {
        let told = match all {
            1 => format!("a killed run left `{}`", facts.short(first)),
            all => format!(
                "killed runs left {}, `{}` first",
                count(all, "temporary file"),
                facts.short(first)
            ),
        };
        let hint = "`codex-manager doctor --fix` removes it, as the next `backup` does";
        let repair = Repair::Tidy(of_lock.into_iter().chain(of_home).collect());
        found.push(Check::warn(LEFTOVERS, told, hint).repaired_by(repair));
    }
    let kept = facts.home.join(home::KEPT_DIR);
    if kept.exists() {
        let kept = facts.short(&kept);
        found.push(Check::warn(
            LEFTOVERS,
            format!("`{kept}` holds what was in the way of a restore, and is in no snapshot"),
            if home::set_aside(&facts.home).is_empty() {
                "look through it, and remove it"
            } else {
                "the next `codex-manager backup` keeps the login that is there; then look through it, and remove it"
            },
        ));
    }
    if found.is_empty() {
        found.push(Check::ok(LEFTOVERS, "none"));
    }
    found
}

fn below(dir: &std::path::Path) -> Vec<PathBuf> {
    let listing = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut below: Vec<_> = listing.map(|entry| entry.path()).collect();
    below.push(dir.to_owned());
    below
}

fn left_in(dirs: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut left: Vec<_> = dirs.flat_map(|dir| fsutil::left_in(&dir)).collect();
    left.sort();
    left.dedup();
    left
}

/// Who holds the locks.
pub fn locks(facts: &Facts) -> Vec<Check> {
    let ctx = facts.ctx;
    let mut found = Vec::new();
    match lock::look(&facts.places.manager_home) {
        Seen::Free => {}
        Seen::Unusable(error) => {
            let hint = "whoever writes takes it: see what it is and whose, and move it away";
            found.push(Check::fail(LOCKS, error.to_string(), hint));
        }
        Seen::Held(None) => found.push(Check::ok(LOCKS, "held by another process")),
        Seen::Held(Some(who)) => {
            let since = who.since.map(|since| ctx.clock.since(since));
            found.push(if since.is_some_and(|since| since > LONG) {
                Check::warn(
                    LOCKS,
                    format!("held by {who}"),
                    "see whether it still works, and end it where it does not",
                )
            } else {
                Check::ok(LOCKS, format!("held by {who}"))
            });
        }
        Seen::Left(who) => found.push(
            Check::warn(
                LOCKS,
                format!("{who} was ended while it worked"),
                "`codex-manager doctor --fix` tidies up after it, as the next command that writes does",
            )
            .repaired_by(Repair::Unlock),
        ),
    }
    if HomeLock::is_held(&facts.home) {
        let home = facts.short(&facts.home);
        found.push(Check::ok(
            LOCKS,
            format!("another codex-manager works in {home}"),
        ));
    }
    if found.is_empty() {
        found.push(Check::ok(LOCKS, "free"));
    }
    found
}

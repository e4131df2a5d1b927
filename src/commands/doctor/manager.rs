//! The manager home, its settings; the zone and the clock that answers go by.

use std::fs;
use std::path::Path;

use super::check::Check;
use super::codex_home::of_place;
use super::facts::Facts;
use super::repair::Repair;
use crate::context::{Ctx, ZoneOf, zone};
use crate::fsutil;
use crate::settings;
use crate::timeutil::Stamp;

const HOME: &str = "manager-home";
const OLDER: &str = "older-home";
const CONFIG: &str = "config";
const ZONE: &str = "time-zone";
const CLOCK: &str = "clock";

/// What to do where the manager home is not for itself.
const OWN_PLACE: &str = "name a directory of its own with `--manager-home` or CODEX_MANAGER_HOME";

/// The manager home itself.
pub fn home(facts: &Facts) -> Vec<Check> {
    let home = &facts.places.manager_home;
    let (short, typed) = (facts.short(home), facts.typed(home));
    let meta = match fs::metadata(home) {
        Ok(meta) => meta,
        Err(error) if fsutil::is_gone(&error) && fs::symlink_metadata(home).is_err() => {
            return vec![missing(facts, &short)];
        }
        Err(error) => {
            let why = crate::error::describe(&error);
            return vec![Check::fail(
                HOME,
                format!("`{short}` cannot be looked at: {why}"),
                format!("see what it is, and who may use it: `ls -ld {typed}`"),
            )];
        }
    };
    if !meta.is_dir() {
        return vec![Check::fail(
            HOME,
            format!("`{short}` is no directory"),
            "move it away, or name another place with `--manager-home` or CODEX_MANAGER_HOME",
        )];
    }
    let mut found = Vec::new();
    if !fsutil::is_mine(&meta) {
        found.push(Check::fail(
            HOME,
            format!("`{short}` belongs to another user, who can read every login in it"),
            "name a place of your own with `--manager-home` or CODEX_MANAGER_HOME",
        ));
    }
    if fs::read_dir(home).is_err() || !fsutil::is_writable(home) {
        found.push(Check::fail(
            HOME,
            format!("`{short}` may not be read and written"),
            format!("see who may use it: `ls -ld {typed}`"),
        ));
    }
    let tmp = facts.ctx.paths.tmp();
    if fs::symlink_metadata(&tmp).is_ok() && !tmp.is_dir() {
        let (tmp, typed) = (facts.short(&tmp), facts.typed(&tmp));
        found.push(Check::fail(
            HOME,
            format!("`{tmp}` is no directory: Codex cannot be asked with a kept login"),
            format!("see what it is, and move it away: `ls -ld {typed}`"),
        ));
    }
    let (real, codex) = (fsutil::real(home), fsutil::real(&facts.home));
    found.extend(entangled(facts, &real, &codex));
    if Ctx::is_temporary(home) {
        found.push(Check::warn(
            HOME,
            format!("`{short}` lies where temporary files do"),
            "name a place that lasts with `--manager-home` or CODEX_MANAGER_HOME",
        ));
    } else {
        found.extend(of_place(HOME, &short, fsutil::elsewhere(home)));
    }
    if found.is_empty() {
        let leads = (real != *home).then(|| format!(", which is {}", real.display()));
        let leads =
            leads.filter(|_| fs::symlink_metadata(home).is_ok_and(|meta| meta.is_symlink()));
        found.push(Check::ok(
            HOME,
            format!("{short}{}", leads.unwrap_or_default()),
        ));
    }
    found
}

/// One that does not stand yet.
fn missing(facts: &Facts, short: &str) -> Check {
    let home = &facts.places.manager_home;
    let mut standing = home.ancestors();
    let standing = standing.find(|dir| fs::symlink_metadata(dir).is_ok());
    if let Some(file) = standing.filter(|standing| !standing.is_dir()) {
        return Check::fail(
            HOME,
            format!(
                "`{short}` cannot be made: `{}` is no directory",
                facts.short(file)
            ),
            "name another place with `--manager-home` or CODEX_MANAGER_HOME",
        );
    }
    let missing = Check::warn(
        HOME,
        format!("`{short}` is not there yet"),
        "`codex-manager backup` makes it, as does `codex-manager doctor --fix`",
    );
    missing.repaired_by(Repair::Make(home.clone()))
}

/// One that is not for itself, or that goes with the Codex home.
fn entangled(facts: &Facts, real: &Path, codex: &Path) -> Option<Check> {
    let short = facts.short(&facts.places.manager_home);
    if facts.is_persons_home() {
        Some(Check::warn(
            HOME,
            format!(
                "`{short}` is your home directory: what else is in it is not told from what is kept there"
            ),
            OWN_PLACE,
        ))
    } else if real == codex {
        None
    } else if codex.starts_with(real) {
        Some(Check::warn(
            HOME,
            format!("the Codex home lies in `{short}`"),
            OWN_PLACE,
        ))
    } else if real.starts_with(codex) {
        Some(Check::warn(
            HOME,
            format!("`{short}` lies in the Codex home"),
            "move it out: what removes the Codex home removes its snapshots too",
        ))
    } else {
        None
    }
}

/// A manager home under the older name beside it.
pub fn older_home(facts: &Facts) -> Vec<Check> {
    let older = facts.ctx.older_home().filter(|older| older.is_dir());
    let used = facts.short(&facts.places.manager_home);
    let Some(older) = older else {
        let is_used = facts.ctx.older_home().is_none();
        return vec![Check::ok(
            OLDER,
            if is_used {
                "it is the one that is used"
            } else {
                "there is none"
            },
        )];
    };
    let (older, typed) = (facts.short(&older), facts.typed(&older));
    vec![Check::warn(
        OLDER,
        format!("`{older}` is there too, and is not used: `{used}` is"),
        format!(
            "see what is in it with `codex-manager --manager-home {typed} list-backups`; then move it away"
        ),
    )]
}

/// The settings.
pub fn config(facts: &Facts) -> Vec<Check> {
    let ctx = facts.ctx;
    let path = ctx.paths.config();
    let short = facts.short(&path);
    let faults = match settings::faults(&path) {
        Ok(faults) => faults,
        // The manager home is told of by itself.
        Err(error) if error.io_kind() == Some(std::io::ErrorKind::NotADirectory) => None,
        Err(error) => return vec![Check::of_error(CONFIG, &error)],
    };
    let is_there = faults.is_some();
    let faults = faults.unwrap_or_default().into_iter();
    let mut found: Vec<Check> = faults
        .map(|fault| {
            let line = fault.line;
            let line = line.map_or_else(String::new, |line| format!(", line {line}"));
            Check::fail(
                CONFIG,
                format!("`{short}`{line}: {}", fault.why),
                fault.hint,
            )
        })
        .collect();
    // Changed since it was read.
    if let (true, Some(error)) = (found.is_empty(), &ctx.unusable.settings)
        && error.io_kind() != Some(std::io::ErrorKind::NotADirectory)
    {
        found.push(Check::of_error(CONFIG, error));
    }
    for key in ["backup.dir", "normalize.source_dir", "sync.passphrase_file"] {
        if let Some(place) = ctx.place_of(key).filter(|place| !place.exists()) {
            found.push(Check::warn(
                CONFIG,
                format!("`{key}` is `{}`, which is not there", facts.short(&place)),
                format!("mount it or make it, or change it: `codex-manager config set {key} PATH`"),
            ));
        }
    }
    if found.is_empty() {
        found.push(Check::ok(
            CONFIG,
            if is_there {
                short
            } else {
                "none; every setting has its default".to_owned()
            },
        ));
    }
    found
}

/// The zone of wall clocks.
pub fn zone(facts: &Facts) -> Vec<Check> {
    let ctx = facts.ctx;
    let name = ctx.zone.name();
    vec![match &ctx.zone_of {
        ZoneOf::Said(from) => Check::ok(ZONE, format!("{name}, {from}")),
        ZoneOf::Name => Check::ok(ZONE, format!("{name}, TZ")),
        ZoneOf::Rule(tz) => Check::ok(ZONE, format!("the rule `{tz}`, TZ")),
        ZoneOf::Nothing(tz) => Check::warn(
            ZONE,
            zone::nothing(tz),
            "set it to an IANA name such as `Europe/Berlin`, or unset it",
        ),
        ZoneOf::System => Check::ok(ZONE, format!("{name}, the system's")),
        ZoneOf::Unnamed => Check::warn(
            ZONE,
            "the system does not say which it is",
            "`codex-manager config set timezone Europe/Berlin`, or whichever is yours",
        ),
    }]
}

/// What time it is taken to be, and whether anything speaks against that.
pub fn clock(facts: &Facts) -> Vec<Check> {
    let ctx = facts.ctx;
    let mut found = Vec::new();
    found.extend(
        ctx.unusable
            .now
            .as_ref()
            .map(|error| Check::of_error(CLOCK, error)),
    );
    let by = ctx.time_by();
    if by == Some("CODEX_MANAGER_NOW") {
        found.push(Check::warn(
            CLOCK,
            format!(
                "CODEX_MANAGER_NOW is set: every answer is as of {}",
                ctx.now
            ),
            "`unset CODEX_MANAGER_NOW`",
        ));
    }
    if let Some((what, at)) = newest(facts).filter(|(_, at)| *at > ctx.latest()) {
        found.push(Check::warn(
            CLOCK,
            format!("{what} is of {at}, which is still to come"),
            "see that the system's clock is right; what a wrong clock noted is passed over as soon as there is newer evidence",
        ));
    }
    if found.is_empty() {
        let by = by.map_or_else(String::new, |by| format!(", {by}"));
        found.push(Check::ok(CLOCK, format!("{}{by}", ctx.now)));
    }
    found
}

/// The newest evidence there is, and when it was noted.
fn newest(facts: &Facts) -> Option<(String, Stamp)> {
    let listing = facts.listing.as_ref().ok();
    let snapshots = listing.into_iter().flat_map(|listing| &listing.snapshots);
    let snapshots = snapshots.filter_map(|one| {
        Some((
            format!("the snapshot {}", one.archive_name()),
            one.sidecar.created_at.filter(|_| one.is_complete)?,
        ))
    });
    let registry = facts.registry.as_ref().ok();
    let registry = registry.into_iter().flat_map(|registry| &registry.entries);
    let registry = registry.map(|entry| {
        let what = format!("the last observation of {}", entry.account);
        (what, entry.observation.observed_at)
    });
    let login = facts.signed_in().and_then(|login| {
        let what = format!("the login of {}", login.account);
        Some((what, login.last_refresh?))
    });
    let all = snapshots.chain(registry).chain(login);
    all.max_by_key(|(_, at)| *at)
}

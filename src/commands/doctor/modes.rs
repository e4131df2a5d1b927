//! Whether anybody else may read or write what this program keeps. Only what it makes itself is looked at, by its names: what
//! else lies beside it is another's, and stays as it is.

use std::fs;
use std::path::{Path, PathBuf};

use super::check::Check;
use super::facts::Facts;
use super::repair::{ORPHANED, Repair};
use crate::codex::home::AUTH_JSON;
use crate::fsutil;
use crate::metadata::{ARCHIVE_SUFFIX, BackupName, SIDECAR_SUFFIX};
use crate::profiles::{PROFILE_TOML, private_home};
use crate::snapshots::{SAFETY, SUPERSEDED};

const MODES: &str = "modes";

/// The files right in a manager home.
const FILES: [&str; 7] = [
    "config.toml",
    "cooldown.json",
    "identity.txt",
    "inventory.json",
    "known-files.json",
    "lock",
    "machine-id",
];

/// What a registry that was set aside is called.
const SET_ASIDE: &str = "cooldown.json.broken-";

/// Whether what is kept is open to others.
pub fn modes(facts: &Facts) -> Vec<Check> {
    // As the program itself does it looks behind a link at the root.
    let home = fsutil::behind_links(&facts.places.manager_home);
    let behind = |path: &Path| {
        let below = path.strip_prefix(&facts.places.manager_home);
        fsutil::behind_links(&below.map_or_else(|_| path.to_owned(), |below| home.join(below)))
    };
    let backups = behind(&facts.places.backup_dir);
    let is_own = facts.is_own();
    let is_inside = is_own && fsutil::real(&backups).starts_with(fsutil::real(&home));
    let mut kept = Kept::default();
    if is_own {
        kept.look(&home);
        kept.look_in(&home, &|name| {
            FILES.contains(&name) || name.starts_with(SET_ASIDE)
        });
    }
    kept.look_at_profiles(&behind(&facts.places.profiles), is_own);
    kept.look_at_tmp(&behind(&facts.ctx.paths.tmp()), is_own);
    kept.look_at_backups(&backups, is_inside);
    let mut found = Vec::new();
    found.extend(kept.told(facts, &home));
    if !is_inside && fs::metadata(&backups).is_ok() && fsutil::open_bits(&backups) & 0o022 != 0 {
        let (short, typed) = (facts.short(&backups), facts.typed(&backups));
        found.push(Check::warn(
            MODES,
            format!("others may write in `{short}`, and so put snapshots there"),
            format!("`chmod go-w {typed}`, or keep them elsewhere: `codex-manager config set backup.dir PATH`"),
        ));
    }
    if found.is_empty() {
        found.push(Check::ok(MODES, "yours alone"));
    }
    found
}

/// What is open to others of what this program keeps.
#[derive(Default)]
struct Kept {
    open: Vec<PathBuf>,
}

impl Kept {
    fn look(&mut self, path: &Path) {
        if fsutil::open_bits(path) != 0 {
            self.open.push(path.to_owned());
        }
    }

    /// What is in `dir` of a name that `is_ours`, and what is on its way there.
    fn look_in(&mut self, dir: &Path, is_ours: &dyn Fn(&str) -> bool) {
        for (path, name) in listing(dir) {
            if fsutil::is_temporary(&name) {
                self.open.extend(fsutil::open_to_others(&path));
            } else if is_ours(&name) && path.is_file() {
                self.look(&path);
            }
        }
    }

    fn look_at_profiles(&mut self, profiles: &Path, is_own: bool) {
        let is_ours = |name: &str| [AUTH_JSON, PROFILE_TOML].contains(&name);
        let mut is_any = false;
        for (dir, name) in listing(profiles) {
            let has = |name: &str| fs::symlink_metadata(dir.join(name)).is_ok();
            if fsutil::is_temporary(&name) {
                self.open.extend(fsutil::open_to_others(&dir));
            } else if [AUTH_JSON, PROFILE_TOML].into_iter().any(has) {
                self.look(&dir);
                self.look_in(&dir, &is_ours);
                is_any = true;
            }
        }
        if is_own && is_any {
            self.look(profiles);
        }
    }

    fn look_at_tmp(&mut self, tmp: &Path, is_own: bool) {
        let homes = private_home::all_in(tmp);
        if is_own && !homes.is_empty() {
            self.look(tmp);
        }
        for home in homes {
            self.open.extend(fsutil::open_to_others(&home));
        }
    }

    fn look_at_backups(&mut self, backups: &Path, is_inside: bool) {
        let is_ours = |name: &str| BackupName::of_file(name).is_some();
        let is_kept = |name: &str| name.ends_with(ARCHIVE_SUFFIX) || name.ends_with(SIDECAR_SUFFIX);
        if is_inside {
            self.look(backups);
            self.look_in(backups, &is_kept);
        } else {
            self.look_in(backups, &is_ours);
        }
        for part in [SUPERSEDED, SAFETY, ORPHANED] {
            let part = backups.join(part);
            let is_link = fs::symlink_metadata(&part).is_ok_and(|meta| meta.is_symlink());
            let below: Vec<_> = listing(&part).into_iter().filter(|_| !is_link).collect();
            // What others put there under such a name has no snapshots two levels down.
            let is_snapshot = |dir: &Path| listing(dir).iter().any(|(_, name)| is_kept(name));
            let dirs = below.iter().map(|(dir, _)| dir);
            let dirs: Vec<_> = dirs
                .filter(|dir| !dir.is_symlink() && is_snapshot(dir))
                .collect();
            if !dirs.is_empty() {
                self.look(&part);
            }
            for dir in dirs {
                self.look(dir);
                self.look_in(dir, &is_kept);
            }
        }
    }

    /// All of it, as one finding.
    fn told(mut self, facts: &Facts, home: &Path) -> Option<Check> {
        self.open.sort();
        self.open.dedup();
        let first = facts.short(self.open.first()?);
        let told = match self.open.len() {
            1 => format!("`{first}` is open to other users"),
            all => format!("{all} files and directories are open to other users, `{first}` first"),
        };
        // Behind a closed door it matters less, as it does where only names can be read.
        let door = fsutil::open_bits(home);
        let is_reached = |path: &PathBuf| door != 0 || !path.starts_with(home);
        let is_bare = |path: &PathBuf| path.is_file() || fsutil::open_bits(path) & 0o022 != 0;
        let is_bad = self
            .open
            .iter()
            .any(|path| is_reached(path) && is_bare(path));
        let hint = "there are logins in it: `codex-manager doctor --fix` closes them";
        let check = if is_bad {
            Check::fail(MODES, told, hint)
        } else {
            Check::warn(MODES, told, hint)
        };
        Some(check.repaired_by(Repair::Close(self.open)))
    }
}

/// What stands in `dir`, with its name.
fn listing(dir: &Path) -> Vec<(PathBuf, String)> {
    let listing = fs::read_dir(dir).into_iter().flatten().flatten();
    let named = listing.map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (entry.path(), name)
    });
    named.collect()
}

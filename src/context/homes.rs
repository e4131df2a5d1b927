//! A Codex home that is about to be worked in: locked, and what was cut short there dealt with first.

use std::path::Path;

use super::Ctx;
use crate::codex::{auth_file, home};
use crate::error::{Error, Kind, Result};
use crate::fsutil;
use crate::install::{self, Installed, Recovered};
use crate::lock::HomeLock;
use crate::snapshots;

impl Ctx {
    /// [`enter_home`](Self::enter_home) for whoever holds the lock of the manager home: what killed runs left among the
    /// snapshots goes too.
    pub fn enter(&self, home_dir: &Path, backup_dir: &Path) -> Result<HomeLock> {
        let lock = self.enter_home(home_dir)?;
        snapshots::tidy(backup_dir);
        Ok(lock)
    }

    /// Takes the lock of a Codex home, and finishes or drops a restore into it that was cut short, which is told.
    pub fn enter_home(&self, home_dir: &Path) -> Result<HomeLock> {
        if let Some(why) = self.why_no_home(home_dir, &self.backup_dir(None)?) {
            return Err(Error::new(
                Kind::Usage,
                format!(
                    "`{}` {why}: it cannot be the Codex home too",
                    home_dir.display()
                ),
                "say which is which with `--codex-home` and `--manager-home`",
            ));
        }
        let lock = self.waiting(&self.waiting.left, |waiting| {
            HomeLock::acquire(home_dir, waiting)
        })?;
        // Half a login that was on its way.
        if let Ok(place) = auth_file::place(&home::auth_path(home_dir)) {
            fsutil::sweep(fsutil::parent_of(&place));
        }
        let home = self.paths.short(home_dir);
        match install::recover(home_dir)? {
            None => {}
            Some(Recovered::Cleared(installed)) => {
                self.ui.warn(&format!(
                    "what an earlier restore into `{home}` left behind was removed"
                ));
                self.warn_of(&installed);
            }
            Some(Recovered::Dropped(installed)) => {
                self.ui.warn(&format!("a restore into `{home}` was cut short before it changed anything; it was dropped"));
                self.warn_of(&installed);
            }
            Some(Recovered::Finished(installed)) => {
                self.ui.warn(&format!(
                    "a restore into `{home}` that was cut short was finished first"
                ));
                self.warn_of(&installed);
            }
        }
        Ok(lock)
    }

    /// Why `dir` is no place for a Codex home: what stands there is this program's own.
    pub fn why_no_home(&self, dir: &Path, backup_dir: &Path) -> Option<&'static str> {
        let (dir, manager_home) = (
            fsutil::real_as_far(dir),
            fsutil::real_as_far(&self.paths.manager_home),
        );
        let lies_in = |place: &Path| dir.starts_with(fsutil::real_as_far(place));
        if dir == manager_home {
            Some("is the manager home")
        } else if lies_in(backup_dir) {
            Some("is where snapshots are kept")
        } else if lies_in(&self.paths.profiles()) {
            Some("is where profiles are kept")
        } else {
            None
        }
    }

    /// Fails where a file that is to be written lies among those of a home, which mean something there. `what` is that file,
    /// with its article.
    pub fn keep_out_of_homes(&self, file: &Path, what: &str, backup_dir: &Path) -> Result<()> {
        // A link is replaced, or what it leads to is written: neither may be there.
        for place in [file, &fsutil::behind_links(file)] {
            let name = place.file_name().unwrap_or_default();
            let real = fsutil::real_as_far(fsutil::parent_of(place)).join(name);
            let whose = [
                (
                    self.paths.manager_home.as_path(),
                    "lies in the manager home",
                ),
                (&self.paths.codex_home, "lies in the Codex home"),
                (backup_dir, "lies where snapshots are kept"),
                (&self.identity_path(), "is where the key is"),
            ];
            let found = whose
                .into_iter()
                .find(|(home, _)| real.starts_with(fsutil::real_as_far(home)));
            if let Some((_, why)) = found {
                return Err(Error::other(
                    format!(
                        "`{}` {why}, where {what} would be taken for something else; nothing was changed",
                        self.paths.short(file)
                    ),
                    "name a file elsewhere",
                ));
            }
        }
        Ok(())
    }

    /// Finishes or drops a restore into a Codex home that was cut short, before anything in it is believed.
    pub fn mend_home(&self, home_dir: &Path) -> Result<()> {
        if install::is_cut_short(home_dir)? {
            self.enter_home(home_dir)?;
        }
        Ok(())
    }

    /// Says what a restore moved aside and could not tidy up.
    pub fn warn_of(&self, installed: &Installed) {
        for path in &installed.kept {
            let place = self.paths.short(path);
            self.ui.warn(&format!(
                "what is in no safety copy was in the way of the restore: it was moved to `{place}`"
            ));
        }
        if let Some(why) = &installed.untidy {
            self.ui.warn(&format!(
                "the restore is done, but not all of its leavings could be removed: {why}"
            ));
        }
    }
}

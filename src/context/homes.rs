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
        if home_dir.canonicalize().ok() == self.paths.manager_home.canonicalize().ok()
            && home_dir.exists()
        {
            return Err(Error::new(
                Kind::Usage,
                format!(
                    "`{}` is the manager home: it cannot be the Codex home too",
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

//! What of the person's environment is looked at only to be judged.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Ctx, variable};

impl Ctx {
    /// A variable of the environment that is set, and not to nothing.
    pub fn variable(name: &str) -> Option<OsString> {
        variable(name)
    }

    /// What says that it is another time than the clock's: a flag or a variable.
    pub fn time_by(&self) -> Option<&'static str> {
        match (self.is_system_time, self.globals.is_now_said) {
            (true, _) => None,
            (false, true) => Some("--now"),
            (false, false) => Some("CODEX_MANAGER_NOW"),
        }
    }

    /// The person's home directory.
    pub fn persons_home(&self) -> Option<&Path> {
        self.paths.home.as_deref()
    }

    /// The manager home under its older name, where it is another one than is used.
    pub fn older_home(&self) -> Option<PathBuf> {
        let older = self.paths.home.as_deref()?.join(".codexmgr");
        (older != self.paths.manager_home).then_some(older)
    }

    /// Where a path in the settings leads to; None where it is not set.
    pub fn place_of(&self, key: &str) -> Option<PathBuf> {
        self.configured_path(key)
    }

    /// Whether `path` lies where temporary files do.
    pub fn is_temporary(path: &Path) -> bool {
        crate::fsutil::real(path).starts_with(crate::fsutil::real(&super::temporary_dir()))
    }
}

//! The store that snapshots are carried to, as flags, settings and environment say.

use std::path::Path;

use super::{Ctx, absolute, variables};
use crate::error::{Error, Kind, Result};
use crate::remote::{Access, Address, Remote};

impl Ctx {
    /// The store's address, given the flag. Fails as `Usage` where nobody said any.
    pub fn remote(&self, flag: Option<&str>) -> Result<Address> {
        let absolute = |path: &Path| absolute(path);
        match flag.or_else(|| self.settings.text("sync.remote")) {
            Some(text) => Address::parse(text, &absolute),
            None => Err(Error::new(
                Kind::Usage,
                "no remote is set",
                "say where with `codex-manager sync init --remote ADDRESS`, or for this run with `--remote ADDRESS`",
            )),
        }
    }

    /// What opens stores here.
    pub fn access(&self) -> Access {
        let text = |key| self.settings.text(key).map(str::to_owned);
        Access {
            variables: variables(Access::wants),
            home: self.paths.home.clone(),
            endpoint: text("sync.endpoint"),
            region: text("sync.region"),
            path_style: self.settings.flag("sync.path_style"),
        }
    }

    /// Opens the store.
    pub fn open_remote(&self, address: &Address, access: &Access) -> Result<Remote> {
        Remote::open(address, access, &self.stop)
    }
}

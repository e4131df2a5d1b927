//! The store that snapshots are carried to, as flags, settings and environment say.

use std::path::Path;

use super::{Ctx, absolute, variables};
use crate::error::{Error, Kind, Result};
use crate::fsutil;
use crate::remote::{Access, Address, Remote};

impl Ctx {
    /// The store's address, given the flag. Fails as `Usage` where nobody said any.
    pub fn remote(&self, flag: Option<&str>) -> Result<Address> {
        let absolute = |path: &Path| absolute(path);
        match flag.or_else(|| self.settings.text("sync.remote")) {
            Some(text) => {
                let address = Address::parse(text, &absolute)?;
                self.check_apart(&address)?;
                Ok(address)
            }
            None => Err(Error::new(
                Kind::Usage,
                "no remote is set",
                "say where with `codex-manager sync init --remote ADDRESS`, or for this run with `--remote ADDRESS`",
            )),
        }
    }

    /// The same for a command without the flag.
    pub fn remote_set(&self) -> Result<Address> {
        self.remote(None).map_err(|error| {
            if self.settings.text("sync.remote").is_some() {
                return error;
            }
            error.with_hint("say where with `codex-manager sync init --remote ADDRESS`")
        })
    }

    /// Fails where the remote is a folder in what is carried there: each snapshot would hold those before it.
    fn check_apart(&self, address: &Address) -> Result<()> {
        let Address::Folder(folder) = address else {
            return Ok(());
        };
        let folder = fsutil::real_as_far(folder);
        for (what, place) in [
            ("Codex home", self.paths.codex_home.clone()),
            ("manager home", self.paths.manager_home.clone()),
            ("backup directory", self.backup_dir(None)?),
        ] {
            if folder.starts_with(fsutil::real_as_far(&place)) {
                return Err(Error::new(
                    Kind::Usage,
                    format!(
                        "the remote `{address}` cannot be used: it lies in the {what} `{}`",
                        place.display()
                    ),
                    "name a folder outside of it, best on another disk",
                ));
            }
        }
        Ok(())
    }

    /// Whether what is not encrypted is taken from a remote: where that was said, by the setting too, or where this machine
    /// has no key. One that has encrypts all it sends; so what comes as it is may be anybody's who can write there.
    pub fn takes_plain(&self, is_said: bool) -> bool {
        let has_no_key = || matches!(fsutil::exists(&self.identity_path()), Ok(false));
        is_said || !self.encrypts() || has_no_key()
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

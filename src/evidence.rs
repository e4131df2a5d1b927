//! Loads all evidence of accounts from the disk: snapshots, inventory, registry, profiles, the live login. What cannot
//! be read is told and the rest goes on.

use std::path::{Path, PathBuf};

use crate::accounts::{self, Known, Sources};
use crate::codex::auth::Login;
use crate::codex::home;
use crate::error::Result;
use crate::inventory::{Inventory, Record};
use crate::lock::Lock;
use crate::metadata::Account;
use crate::profiles::{self, Profile};
use crate::registry::{self, Registry};
use crate::snapshots::{self, Depth, Listing, Newest, Snapshot};
use crate::timeutil::{Stamp, Zone};
use crate::ui::table::count;

/// Where evidence lies.
#[derive(Clone, Debug)]
pub struct Places {
    /// The manager home.
    pub manager_home: PathBuf,
    /// The snapshots.
    pub backup_dir: PathBuf,
    /// The inventory.
    pub inventory: PathBuf,
    /// `cooldown.json`.
    pub registry: PathBuf,
    /// The profiles.
    pub profiles: PathBuf,
    /// The Codex home whose login is live.
    pub codex_home: PathBuf,
}

/// Which snapshots to read, and how much of each.
#[derive(Clone, Copy, Debug)]
pub enum Reach {
    /// Every one.
    Every(Depth),
    /// Those that can matter to what is known of each account, see [`snapshots::list_newest`]. `latest` is the latest
    /// instant that can be by now.
    Newest { latest: Stamp },
}

/// All of it.
#[derive(Debug, Default)]
pub struct Evidence {
    /// The current snapshots, as far as they were to be read.
    pub snapshots: Vec<Snapshot>,
    /// The inventory's records.
    pub records: Vec<Record>,
    /// The registry.
    pub registry: Registry,
    /// The profiles.
    pub profiles: Vec<Profile>,
    /// The live login.
    pub active: Option<Login>,
    /// The latest instant that can be by now; None for any.
    pub latest: Option<Stamp>,
    /// How many snapshots could not be read.
    pub unreadable_snapshots: usize,
    /// What could not be read.
    pub warnings: Vec<String>,
}

/// The snapshots read already, or as far as they tell themselves what more to read.
enum Either<'a> {
    Whole(Listing),
    Begun(Box<Newest<'a>>),
}

impl Evidence {
    /// Reads everything, of the snapshots what `reach` says. A broken registry is set aside when nobody else is writing
    /// and `may_write`.
    pub fn load(
        places: &Places,
        now: Stamp,
        zone: &Zone,
        reach: Reach,
        may_write: bool,
        held: Option<&Lock>,
    ) -> Result<Self> {
        let backup_dir = &places.backup_dir;
        let listing = match reach {
            Reach::Every(depth) => Either::Whole(snapshots::list(backup_dir, zone, depth)?),
            Reach::Newest { latest } => {
                let newest = snapshots::list_newest(backup_dir, zone, latest)?;
                Either::Begun(Box::new(newest))
            }
        };
        let mut warnings = Vec::new();
        let records = match Inventory::load(&places.inventory) {
            Ok(inventory) => inventory.records,
            Err(error) => {
                warnings.push(format!("{error}; its records are left out"));
                Vec::new()
            }
        };
        let (profiles, broken) = profiles::load_all_as_far(&places.profiles);
        warnings.extend(broken);
        let registry = load_registry(places, now, may_write, held, &mut warnings);
        let active = match home::read_login(&places.codex_home) {
            Ok(login) => login.map(|(_, login)| login),
            Err(error) => {
                warnings.push(error.to_string());
                None
            }
        };
        let listing = match listing {
            Either::Whole(listing) => listing,
            Either::Begun(newest) => {
                let active = active.as_ref().map(|login| &login.account);
                newest.beside(accounts::named(&registry, &records, active))
            }
        };
        // Of the snapshots first.
        warnings.splice(0..0, listing.problems);
        Ok(Self {
            snapshots: listing.snapshots,
            records,
            registry,
            profiles,
            active,
            latest: None,
            unreadable_snapshots: listing.unreadable,
            warnings,
        })
    }

    /// The accounts they are evidence of.
    pub fn accounts(&self) -> Vec<Known> {
        accounts::gather(&self.sources())
    }

    /// Who they are.
    pub fn known(&self) -> Vec<Account> {
        let known = self.accounts().into_iter();
        known.map(|known| known.account).collect()
    }

    /// The same as [`Evidence::accounts`], and for each of the snapshots the place of its account.
    pub fn accounts_placed(&self) -> (Vec<Known>, Vec<Option<usize>>) {
        accounts::gather_placed(&self.sources())
    }

    fn sources(&self) -> Sources<'_> {
        let active = self
            .active
            .as_ref()
            .map(|login| (&login.account, login.plan_type.as_deref()));
        Sources {
            snapshots: &self.snapshots,
            records: &self.records,
            registry: Some(&self.registry),
            profiles: &self.profiles,
            active,
            latest: self.latest,
        }
    }
}

/// The registry; a broken one is an empty one with a warning, and is moved aside under the lock where it is damaged. Else
/// it may be read yet: what is given in its place is never saved. `held` is the lock where the caller has it.
pub fn load_registry(
    places: &Places,
    now: Stamp,
    may_write: bool,
    held: Option<&Lock>,
    warnings: &mut Vec<String>,
) -> Registry {
    let path = places.registry.as_path();
    let (told, is_damaged) = match read(path, warnings) {
        Ok(registry) => return registry,
        Err(broken) => broken,
    };
    let lock = if held.is_none() && may_write && is_damaged {
        Lock::try_acquire(
            &places.manager_home,
            "setting a broken registry aside",
            None,
        )
        .ok()
    } else {
        None
    };
    if !is_damaged || !may_write || (held.is_none() && lock.is_none()) {
        warnings.push(format!("{told}; its observations are left out"));
        return Registry::beside_one_that_stays();
    }
    // Whoever held the lock before may have mended it.
    let (told, is_damaged) = match read(path, warnings) {
        Ok(registry) => return registry,
        Err(broken) => broken,
    };
    let aside = is_damaged.then(|| registry::set_aside(path, now));
    match aside {
        Some(Ok(aside)) => {
            warnings.push(format!("{told}; it was set aside as `{}`", aside.display()));
            return Registry::default();
        }
        Some(Err(error)) => warnings.push(format!("{told}; {error}")),
        None => warnings.push(format!("{told}; its observations are left out")),
    }
    Registry::beside_one_that_stays()
}

/// Reads the registry, what of it cannot be read told; else what is wrong with it, and whether it is damaged.
fn read(path: &Path, warnings: &mut Vec<String>) -> Result<Registry, (String, bool)> {
    let name = path.display();
    match Registry::load(path) {
        Ok(registry) => {
            let unread = registry.unread();
            if unread > 0 {
                warnings.push(format!(
                    "{} in the registry `{name}` cannot be read: left out, and kept as it stands",
                    count(unread, "item")
                ));
            }
            Ok(registry)
        }
        Err(broken) => {
            let told = format!("the registry `{name}` cannot be read: {}", broken.reason);
            Err((told, broken.is_damaged))
        }
    }
}

#[cfg(test)]
mod tests;

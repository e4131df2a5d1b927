//! What is read once and judged by several checks. What cannot be read is kept as its error: that is what is asked for.

use std::path::PathBuf;

use crate::accounts::{self, Known, Sources};
use crate::codex::auth::Login;
use crate::codex::home;
use crate::context::Ctx;
use crate::error::Result;
use crate::evidence::Places;
use crate::fsutil;
use crate::inventory::Inventory;
use crate::profiles::{self, Found, Profile};
use crate::registry::{Broken, Registry};
use crate::snapshots::{self, Depth, Listing, SAFETY, SUPERSEDED};

/// All of it.
pub struct Facts<'a> {
    /// Where things are.
    pub ctx: &'a Ctx,
    /// The Codex home.
    pub home: PathBuf,
    /// Where evidence lies.
    pub places: Places,
    /// The login of the Codex home.
    pub login: Result<Option<(Vec<u8>, Login)>>,
    /// The profiles.
    pub profiles: Result<Vec<Found>>,
    /// The snapshots.
    pub listing: Result<Listing>,
    /// Those that were superseded, and safety copies.
    pub kept: Result<(Listing, Listing)>,
    /// The inventory.
    pub inventory: Result<Inventory>,
    /// The registry.
    pub registry: Result<Registry, Broken>,
}

impl<'a> Facts<'a> {
    /// Reads everything. Fails only where nobody can say where it lies.
    pub fn gather(ctx: &'a Ctx) -> Result<Self> {
        let places = ctx.places(None, None)?;
        let kept = |part| snapshots::list_kept(&places.backup_dir, part, &ctx.zone);
        Ok(Self {
            home: places.codex_home.clone(),
            login: home::read_login(&places.codex_home),
            profiles: profiles::look(&places.profiles),
            listing: snapshots::list(&places.backup_dir, &ctx.zone, Depth::Whole),
            kept: kept(SUPERSEDED).and_then(|superseded| Ok((superseded, kept(SAFETY)?))),
            inventory: Inventory::load(&places.inventory),
            registry: Registry::load(&places.registry),
            ctx,
            places,
        })
    }

    /// Whose login is in the Codex home.
    pub fn signed_in(&self) -> Option<&Login> {
        let login = self.login.as_ref().ok()?.as_ref();
        login.map(|(_, login)| login)
    }

    /// The accounts that all of it is evidence of.
    pub fn accounts(&self) -> Vec<Known> {
        let profiles = self.profiles.as_deref().unwrap_or_default();
        let profiles: Vec<Profile> = profiles.iter().map(|one| one.profile.clone()).collect();
        let listing = self.listing.as_ref().ok();
        let inventory = self.inventory.as_ref().ok();
        accounts::gather(&Sources {
            snapshots: listing.map_or(&[], |listing| &listing.snapshots),
            records: inventory.map_or(&[], |inventory| &inventory.records),
            registry: self.registry.as_ref().ok(),
            profiles: &profiles,
            active: self
                .signed_in()
                .map(|login| (&login.account, login.plan_type.as_deref())),
            latest: Some(self.ctx.latest()),
        })
    }

    /// Whether the manager home is the person's home directory.
    pub fn is_persons_home(&self) -> bool {
        let home = self.ctx.persons_home().map(fsutil::real);
        home == Some(fsutil::real(&self.places.manager_home))
    }

    /// Whether the manager home is for nothing else: it is no person's home directory, and no Codex home lies in it.
    pub fn is_own(&self) -> bool {
        let real = fsutil::real(&self.places.manager_home);
        !self.is_persons_home() && !fsutil::real(&self.home).starts_with(real)
    }

    /// A path in a command that is typed into a shell.
    pub fn typed(&self, path: &std::path::Path) -> String {
        let short = self.short(path);
        short.strip_prefix("~/").map_or_else(
            || shell_words::quote(&short).into_owned(),
            |below| format!("~/{}", shell_words::quote(below)),
        )
    }

    /// A path for a person.
    pub fn short(&self, path: &std::path::Path) -> String {
        self.ctx.paths.short(path)
    }
}

//! What the manager knows, as one document that leaves the machine, and taking in another machine's: the observations of the
//! registry, the inventory, the profiles with their logins, and for whoever moves house the settings.
//!
//! What comes never takes the place of what is newer here: of observations and logins the newest stays, of settings and of
//! what a person said of a profile what is set here. So it makes no difference which machine takes in the other's first, nor
//! how often. Snapshots are files of their own: see [`crate::snapshots::place`].
//!
//! What another machine wrote is judged as a whole before anything of it counts: see [`Bundle::parse`].

mod document;
mod gather;
pub mod machine;
mod merge;
mod settings;

use serde::Serialize;

use crate::codex::auth::Login;
use crate::error::Result;
use crate::evidence::{self, Places};
use crate::inventory::{Inventory, Record};
use crate::profiles::last_use::LastUse;
use crate::profiles::private_home::Keeper;
use crate::registry::{Entry, Registry};
use crate::settings::Settings;
use crate::timeutil::Stamp;

pub use gather::{Include, gather};
pub use machine::Machine;

/// The form of document this program writes, and the latest it reads.
pub const FORMAT: u32 = 1;

/// The largest document that is read.
pub const MOST_BYTES: u64 = 256 << 20;

/// What one machine knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// Which machine.
    pub machine: Machine,
    /// When it was written.
    pub written_at: Stamp,
    /// The text of its `config.toml`.
    pub settings: Option<String>,
    /// Its registry's entries.
    pub accounts: Vec<Entry>,
    /// Its inventory's records.
    pub inventory: Vec<Record>,
    /// Its profiles, by name.
    pub profiles: Vec<Told>,
}

/// One profile as another machine has it.
#[derive(Clone, PartialEq)]
pub struct Told {
    /// What it is called there.
    pub name: String,
    /// The text of its `profile.toml`.
    pub text: Option<String>,
    /// Its login, byte for byte, and what that says; None where it holds none, or none was to leave the machine.
    pub login: Option<(Vec<u8>, Login)>,
    /// Which machine it was used on last.
    pub last_use: Option<LastUse>,
}

impl std::fmt::Debug for Told {
    /// Without the login.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Told")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What becomes of one thing that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// It is not here yet.
    Add,
    /// It takes the place of an older one, or completes what is here.
    Update,
    /// What is here stays.
    Keep,
    /// It was for this machine to decide, and is left out.
    Leave,
}

impl Deed {
    /// The word in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Update => "update",
            Self::Keep => "keep",
            Self::Leave => "leave",
        }
    }
}

/// One thing that came, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// `account`, `inventory`, `login`, `profile`, `setting` or `snapshot`.
    pub what: &'static str,
    /// Which.
    pub name: String,
    /// What becomes of it.
    pub deed: Deed,
    /// Why, in words.
    pub why: String,
}

/// What becomes of everything in a document.
#[derive(Debug, Default)]
pub struct Plan {
    /// Item by item.
    pub items: Vec<Item>,
    registry: Option<Registry>,
    inventory: Option<(Inventory, Inventory)>,
    settings: Option<Settings>,
    profiles: Vec<merge::Step>,
}

/// Where it is merged into.
#[derive(Clone, Copy, Debug)]
pub struct Home<'a> {
    /// Where everything lies.
    pub places: &'a Places,
    /// When.
    pub now: Stamp,
    /// The latest instant that can be by now.
    pub latest: Stamp,
    /// Whether profiles that were removed here stay away: not where a person says what is to be taken in.
    pub heeds_removals: bool,
}

/// What would become of `bundle`, by what is here. Writes nothing; `warnings` gets what here cannot be read.
pub fn plan(home: &Home, bundle: &Bundle, warnings: &mut Vec<String>) -> Result<Plan> {
    let registry = evidence::load_registry(home.places, home.now, false, None, warnings);
    let here = merge::Here::read(home.places, registry)?;
    Ok(merge::merge(here, bundle, home))
}

/// Takes in `bundle`: what became of it, item by item, as far as it went. The caller holds the manager home's lock.
/// `warnings` gets what could not be kept.
pub fn perform(
    home: &Home,
    keeper: &Keeper,
    bundle: &Bundle,
    warnings: &mut Vec<String>,
) -> Result<Plan> {
    let places = home.places;
    let registry = evidence::load_registry(places, home.now, true, Some(keeper.lock), warnings);
    let here = merge::Here::read(places, registry)?;
    let mut plan = merge::merge(here, bundle, home);
    if let Some(registry) = plan.registry.take() {
        registry.save(&places.registry)?;
    }
    if let Some((before, after)) = plan.inventory.take() {
        after.save(&places.inventory, &before, home.now)?;
    }
    for step in std::mem::take(&mut plan.profiles) {
        step.take(home, keeper, warnings)?;
    }
    if let Some(settings) = plan.settings.take() {
        settings.save(&settings::path(places))?;
    }
    Ok(plan)
}

#[cfg(test)]
mod tests;

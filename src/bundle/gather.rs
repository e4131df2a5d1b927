//! Writing down what is here.

use super::{Bundle, Machine, Told, document};
use crate::codex::auth;
use crate::codex::home::AUTH_JSON;
use crate::error::Result;
use crate::evidence::{self, Places};
use crate::fsutil;
use crate::inventory::Inventory;
use crate::metadata::Account;
use crate::profiles::last_use::LastUse;
use crate::profiles::{self, Found, MOST_BYTES, PROFILE_TOML, names};
use crate::registry::{Live, Registry, same_login};
use crate::settings::Settings;
use crate::timeutil::Stamp;

/// What goes into a document besides what always does.
#[derive(Clone, Copy, Debug)]
pub struct Include {
    /// The logins of the profiles: only where the document will be encrypted.
    pub credentials: bool,
    /// The settings: for whoever moves house.
    pub settings: bool,
}

/// Writes down what is here. `warnings` gets what cannot be read, which is left out.
pub fn gather(
    places: &Places,
    machine: &Machine,
    now: Stamp,
    include: Include,
    warnings: &mut Vec<String>,
) -> Result<Bundle> {
    let registry = evidence::load_registry(places, now, false, None, warnings);
    let inventory = Inventory::load(&places.inventory)?;
    let settings = if include.settings {
        settings(places)?
    } else {
        None
    };
    let mut told: Vec<Told> = Vec::new();
    for found in profiles::look(&places.profiles)? {
        warnings.extend(
            found
                .problems()
                .map(|problem| format!("{problem}; it is left out")),
        );
        let taken: Vec<String> = told.iter().map(|told| told.name.clone()).collect();
        let wanted = name_of(&found);
        let name = names::free(&wanted, &taken);
        let one = profile(places, machine, &registry, include, &found, name)?;
        // Whoever reads it refuses all of it for one thing that cannot be.
        match one.map(|one| document::check(&one).map(|()| one)) {
            None => {}
            Some(Ok(one)) => told.push(one),
            Some(Err(why)) => warnings.push(format!("{why}; it is left out")),
        }
    }
    told.sort_by(|one, two| one.name.cmp(&two.name));
    let mut bundle = Bundle {
        machine: machine.clone(),
        written_at: now,
        settings,
        accounts: registry.entries,
        inventory: inventory.records,
        profiles: told,
    };
    bundle.drop_what_cannot_be();
    Ok(bundle)
}

/// The text of `config.toml`, which must be one.
fn settings(places: &Places) -> Result<Option<String>> {
    let path = super::settings::path(places);
    Ok(fsutil::exists(&path)?.then_some(Settings::load(&path)?.text_of_file()))
}

/// What a profile is called in the document: a person may have called its directory anything.
fn name_of(found: &Found) -> String {
    const ROOM: usize = 48; // for a number
    let names = [
        found.profile.name.clone(),
        names::wanted(&found.account()).chars().take(ROOM).collect(),
    ];
    let mut names = names
        .into_iter()
        .filter(|name| names::not_a_name(name).is_none());
    names.next().unwrap_or_else(|| "account".to_owned())
}

/// One profile; None where nothing of it can be read.
fn profile(
    places: &Places,
    machine: &Machine,
    registry: &Registry,
    include: Include,
    found: &Found,
    name: String,
) -> Result<Option<Told>> {
    let place = places.profiles.join(&found.profile.name);
    let text = if found.is_told && found.broken.is_none() {
        let bytes = fsutil::read_if_present(&place.join(PROFILE_TOML), MOST_BYTES)?;
        bytes.and_then(|bytes| String::from_utf8(bytes).ok())
    } else {
        None
    };
    let has_login = include.credentials && matches!(found.login, Ok(Some(_)));
    let bytes = if has_login {
        fsutil::read_if_present(&place.join(AUTH_JSON), auth::MOST_BYTES)?
    } else {
        None
    };
    let login = bytes.and_then(|bytes| {
        let login = auth::parse(&bytes).ok()?;
        Some((bytes, login))
    });
    if text.is_none() && login.is_none() {
        return Ok(None);
    }
    Ok(Some(Told {
        last_use: last_use(machine, registry, found),
        name,
        text,
        login,
    }))
}

/// When and where it was used last: as the profile says, or here, where it was signed in since.
fn last_use(machine: &Machine, registry: &Registry, found: &Found) -> Option<LastUse> {
    let told = LastUse::of(&found.profile).filter(|told| super::machine::is_id(&told.machine));
    let here = seen_here(registry, &found.account()).map(|at| LastUse {
        machine: machine.id.clone(),
        hostname: machine.hostname.clone(),
        at,
    });
    match (told, here) {
        (Some(told), Some(here)) if told.at >= here.at => Some(told),
        (told, here) => here.or(told),
    }
}

/// When the account was seen last to be signed in on the registry's own machine.
pub(super) fn seen_here(registry: &Registry, account: &Account) -> Option<Stamp> {
    let theirs = |live: &&Live| same_login(&live.account, account);
    registry
        .live
        .iter()
        .filter(theirs)
        .map(|live| live.seen)
        .max()
}

//! What becomes of everything in a document, by what is here. Pure but for [`Here::read`] and [`Step::take`].

use std::collections::BTreeMap;
use std::fs;

use toml_edit::Value;

use super::{Bundle, Deed, Home, Item, Plan, Told, gather};
use crate::codex::auth;
use crate::codex::home::AUTH_JSON;
use crate::error::Result;
use crate::evidence::Places;
use crate::fsutil;
use crate::inventory::Inventory;
use crate::metadata::Account;
use crate::profiles::credentials::{self, Incoming, Kept};
use crate::profiles::last_use::{self, LastUse};
use crate::profiles::private_home::Keeper;
use crate::profiles::{self, Found, MOST_BYTES, PROFILE_TOML, Profile, edit, names};
use crate::registry::{Outcome, Registry};
use crate::settings::Settings;
use crate::timeutil::Stamp;

/// What a person says of a profile, and what a login says of it: added where it is not said here.
const KEYS: [&str; 8] = [
    "email",
    "account_id",
    "user_id",
    "plan_type",
    "alias",
    "paused",
    "note",
    "session_duration_hours",
];

/// What is here.
pub(super) struct Here {
    registry: Registry,
    inventory: Inventory,
    settings: Settings,
    profiles: Vec<Standing>,
}

/// One profile that is here.
struct Standing {
    found: Found,
    /// The text of its `profile.toml`, where that can be read.
    text: Option<String>,
    login: Option<Vec<u8>>,
}

impl Here {
    /// Reads what is here but the registry.
    pub(super) fn read(places: &Places, registry: Registry) -> Result<Self> {
        let mut standing = Vec::new();
        for found in profiles::look(&places.profiles)? {
            let place = places.profiles.join(&found.profile.name);
            let text = match (&found.broken, found.is_told) {
                (Some(_), _) => None,
                (None, false) => Some(String::new()),
                (None, true) => {
                    let bytes = fsutil::read_if_present(&place.join(PROFILE_TOML), MOST_BYTES)?;
                    String::from_utf8(bytes.unwrap_or_default()).ok()
                }
            };
            let login = match &found.login {
                Ok(Some(_)) => fsutil::read_if_present(&place.join(AUTH_JSON), auth::MOST_BYTES)?,
                _ => None,
            };
            standing.push(Standing { found, text, login });
        }
        Ok(Self {
            registry,
            inventory: Inventory::load(&places.inventory)?,
            settings: Settings::load(&super::settings::path(places))?,
            profiles: standing,
        })
    }
}

/// What is to be written of one profile.
#[derive(Debug)]
pub(super) struct Step {
    /// The name of the profile here.
    name: String,
    /// The text of its `profile.toml`, where that is to be another.
    text: Option<String>,
    /// The login that came, where it is newer.
    told: Option<Told>,
}

impl Step {
    /// Writes it. The caller holds the manager home's lock.
    pub(super) fn take(
        self,
        home: &Home,
        keeper: &Keeper,
        warnings: &mut Vec<String>,
    ) -> Result<()> {
        let dir = &home.places.profiles;
        if let Some(text) = &self.text {
            let place = dir.join(&self.name);
            let path = fsutil::real(&place.join(PROFILE_TOML));
            fsutil::write_atomically(&path, text.as_bytes()).inspect_err(|_| {
                // Where it was made in vain.
                let _ = fs::remove_dir(&place);
            })?;
            fsutil::sync_dir(dir)?;
        }
        let Some((bytes, login)) = self.told.and_then(|told| told.login) else {
            return Ok(());
        };
        let incoming = Incoming {
            bytes: &bytes,
            login: &login,
            name: Some(&self.name),
            replaces: &[],
        };
        let kept =
            credentials::keep_incoming(dir, keeper.lock, &incoming, keeper.known, keeper.latest)?;
        if let Kept::Refused(why) = kept {
            warnings.push(why);
        }
        Ok(())
    }
}

pub(super) fn merge(here: Here, bundle: &Bundle, home: &Home) -> Plan {
    let latest = home.latest;
    let mut plan = Plan::default();
    let mut names = Names::of(&here.profiles);
    let mut profiles = Plan::default();
    for told in &bundle.profiles {
        if let Some(item) = removed(&here, told, home) {
            profiles.items.push(item);
            continue;
        }
        profile(&mut profiles, &here, &mut names, bundle, told, latest);
    }
    accounts(&mut plan, here.registry, bundle, latest);
    inventory(&mut plan, here.inventory, bundle);
    plan.items.append(&mut profiles.items);
    plan.profiles = profiles.profiles;
    if let Some(text) = &bundle.settings {
        let (settings, items) = super::settings::merge(here.settings, text);
        plan.items.extend(items);
        plan.settings = settings;
    }
    plan
}

fn accounts(plan: &mut Plan, mut registry: Registry, bundle: &Bundle, latest: Stamp) {
    let before = registry.clone();
    for merged in registry.merge(&bundle.accounts, latest) {
        let (deed, why) = match merged.outcome {
            Outcome::New => (Deed::Add, "nothing was observed of it here"),
            Outcome::Newer => (Deed::Update, "observed later than here"),
            Outcome::Changes => (Deed::Update, "more is known of its earlier windows"),
            Outcome::Nothing => (Deed::Keep, "observed here as late, or later"),
        };
        plan.items.push(Item {
            what: "account",
            name: merged.account.to_string(),
            deed,
            why: why.to_owned(),
        });
    }
    plan.registry = (registry != before).then_some(registry);
}

fn inventory(plan: &mut Plan, before: Inventory, bundle: &Bundle) {
    if bundle.inventory.is_empty() {
        return;
    }
    let mut after = before.clone();
    let taken = after.take_in(&bundle.inventory);
    let all = bundle.inventory.len();
    let (deed, why) = match taken {
        0 => (Deed::Keep, "every record of it is here".to_owned()),
        taken if before.records.is_empty() => (Deed::Add, format!("{taken} of {all} records")),
        taken => (
            Deed::Update,
            format!("{taken} of {all} records are not here"),
        ),
    };
    plan.items.push(Item {
        what: "inventory",
        name: "legacy logins".to_owned(),
        deed,
        why,
    });
    plan.inventory = (taken > 0).then_some((before, after));
}

/// What profiles are called already, here and by what was planned.
struct Names {
    taken: Vec<String>,
    /// Names and aliases as profiles, for [`names::check_alias`].
    profiles: Vec<Profile>,
}

impl Names {
    fn of(standing: &[Standing]) -> Self {
        let profiles: Vec<Profile> = standing
            .iter()
            .map(|standing| standing.found.profile.clone())
            .collect();
        let aliases = profiles.iter().filter_map(|profile| profile.alias.clone());
        let names = profiles.iter().map(|profile| profile.name.clone());
        Self {
            taken: names.chain(aliases).collect(),
            profiles,
        }
    }

    fn take(&mut self, profile: Profile) {
        self.taken.push(profile.name.clone());
        self.taken.extend(profile.alias.clone());
        self.profiles.retain(|other| other.name != profile.name);
        self.profiles.push(profile);
    }
}

/// What is said of a profile whose account has none here because a person removed it, and whose login nobody has renewed
/// since.
fn removed(here: &Here, told: &Told, home: &Home) -> Option<Item> {
    let account = account_of(told, &profile_of(told));
    let removed_at = here.registry.removed_at(&account, home.latest)?;
    let is_renewed = told
        .login
        .as_ref()
        .is_some_and(|(_, login)| login.freshness(home.latest).is_after(removed_at.unix()));
    let stays_away = home.heeds_removals
        && !is_renewed
        && theirs(&here.profiles, &account, &told.name).is_none();
    let why = format!("removed here on {}", removed_at.table_form());
    stays_away.then(|| item_of(told, Deed::Leave, &why))
}

fn profile_of(told: &Told) -> Profile {
    let profile = told.text.as_deref();
    let profile = profile.and_then(|text| toml::from_str::<Profile>(text).ok());
    profile.unwrap_or_default()
}

fn profile(
    plan: &mut Plan,
    here: &Here,
    names: &mut Names,
    bundle: &Bundle,
    told: &Told,
    latest: Stamp,
) {
    let profile = profile_of(told);
    let account = account_of(told, &profile);
    let theirs = theirs(&here.profiles, &account, &told.name);
    let seen_here = gather::seen_here(&here.registry, &account);
    let name = theirs.map_or_else(
        || names::free(&told.name, &names.taken),
        |theirs| theirs.found.profile.name.clone(),
    );
    let old = theirs.map_or(Some(""), |theirs| theirs.text.as_deref());
    let written = old.map(|old| {
        let before = theirs.map(|theirs| &theirs.found.profile);
        let mut new = complete(old, told, &profile, before, (names, &name));
        let last = before.and_then(LastUse::of);
        let is_news = |used: &&LastUse| {
            last.as_ref().is_none_or(|last| used.is_after(last, latest))
                && seen_here.is_none_or(|seen| seen < used.at)
        };
        if let Some(used) = told.last_use.as_ref().filter(is_news) {
            new.0 = last_use::set(new.0.clone(), used).unwrap_or(new.0);
        }
        new
    });
    let (text, mut item) = match written {
        None => (
            None,
            item_of(told, Deed::Keep, "the one here cannot be read"),
        ),
        Some((text, left)) => {
            let is_same = old == Some(text.as_str()) && theirs.is_some();
            let (deed, why) = match theirs {
                None if name == told.name => (Deed::Add, "there is none of its account".to_owned()),
                None => (Deed::Add, format!("as `{name}`: its name is taken here")),
                Some(_) if is_same => (Deed::Keep, "all it says is said here".to_owned()),
                Some(_) => (Deed::Update, "what was not said here".to_owned()),
            };
            let why = left.map_or_else(|| why.clone(), |left| format!("{why}; {left}"));
            ((!is_same).then_some(text), item_of(told, deed, &why))
        }
    };
    if theirs.is_some() && name != told.name {
        item.why = format!("`{name}` here: {}", item.why);
    }
    plan.items.push(item);
    if let Some(after) = text.as_deref().and_then(|text| toml::from_str(text).ok()) {
        names.take(Profile {
            name: name.clone(),
            ..after
        });
    }
    let is_newer = login(plan, bundle, theirs, told, &name, latest);
    if text.is_some() || is_newer {
        plan.profiles.push(Step {
            name,
            text,
            told: is_newer.then(|| told.clone()),
        });
    }
}

fn item_of(told: &Told, deed: Deed, why: &str) -> Item {
    Item {
        what: "profile",
        name: told.name.clone(),
        deed,
        why: why.to_owned(),
    }
}

/// Whose profile came; where it does not say that exactly, as the login in it does.
fn account_of(told: &Told, profile: &Profile) -> Account {
    let account = profile.account();
    match &told.login {
        Some((_, login)) if !account.is_exact() => login.account.clone(),
        _ => account,
    }
}

/// The profile of that account that is here; of one that is not exactly known, the only one that it may be, or the one that
/// is called so.
fn theirs<'a>(standing: &'a [Standing], account: &Account, name: &str) -> Option<&'a Standing> {
    if *account == Account::default() {
        // Nobody's: a person made it by hand.
        return standing.iter().find(|one| {
            names::is_same(&one.found.profile.name, name)
                && one.found.account() == Account::default()
        });
    }
    let same = standing
        .iter()
        .find(|one| one.found.account().is_same_as(account));
    same.or_else(|| {
        let mut may_be = standing.iter().filter(|one| {
            let theirs = one.found.account();
            (!theirs.is_exact() || !account.is_exact()) && theirs.may_be(account)
        });
        match (may_be.next(), may_be.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    })
}

/// `text` with what came and is not said in it, and why something is left out.
fn complete(
    text: &str,
    told: &Told,
    profile: &Profile,
    before: Option<&Profile>,
    (names, name): (&Names, &str),
) -> (String, Option<String>) {
    let theirs = told.text.as_deref().unwrap_or_default();
    // A new one is what it was there, comments and all.
    let mut new = if before.is_some() { text } else { theirs }.to_owned();
    let mut left = None;
    let alias = profile.alias.as_deref();
    let of = Profile {
        name: name.to_owned(),
        ..Profile::default()
    };
    let is_free = |alias: &str| names::check_alias(&names.profiles, &of, alias).is_ok();
    let is_taken = alias.is_some_and(|alias| !is_free(alias));
    let said = values(text);
    for (key, value) in values(theirs) {
        if key == "alias" && is_taken {
            if before.is_none() {
                new = edit::with(&new, key, None).unwrap_or(new);
            }
            if before.is_none_or(|before| before.alias.is_none()) {
                left = Some("its alias is taken here".to_owned());
            }
        } else if before.is_some() && !said.contains_key(key) {
            new = edit::with(&new, key, Some(&value)).unwrap_or(new);
        }
    }
    (new, left)
}

/// What a `profile.toml` says, without its comments.
fn values(text: &str) -> BTreeMap<&'static str, Value> {
    let Ok(document) = toml_edit::Document::parse(text) else {
        return BTreeMap::new();
    };
    let value = |key: &&'static str| {
        let mut value = document.get(key)?.as_value()?.clone();
        value.decor_mut().clear();
        Some((*key, value))
    };
    KEYS.iter().filter_map(value).collect()
}

/// Whether the login that came is to be kept.
fn login(
    plan: &mut Plan,
    bundle: &Bundle,
    theirs: Option<&Standing>,
    told: &Told,
    name: &str,
    latest: Stamp,
) -> bool {
    let Some((bytes, login)) = &told.login else {
        return false;
    };
    let from = bundle.machine.hostname.as_deref().unwrap_or("elsewhere");
    let (deed, why) = match theirs.map(|theirs| (&theirs.found.login, &theirs.login)) {
        None | Some((Ok(None), _)) => (Deed::Add, format!("none was kept here; it is of {from}")),
        Some((Err(_), _)) => (Deed::Keep, "the one here cannot be judged".to_owned()),
        Some((Ok(Some(_)), Some(kept))) if kept == bytes => (Deed::Keep, "it is here".to_owned()),
        Some((Ok(Some(kept)), _)) if kept.freshness(latest) < login.freshness(latest) => (
            Deed::Update,
            format!("renewed later than the one here, on {from}"),
        ),
        Some((Ok(Some(_)), _)) => (Deed::Keep, "the one here is as new, or newer".to_owned()),
    };
    plan.items.push(Item {
        what: "login",
        name: format!("{} ({name})", login.account),
        deed,
        why,
    });
    deed != Deed::Keep
}

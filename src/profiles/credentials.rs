//! `profiles/<name>/auth.json`: the freshest login known of each account, byte for byte as Codex wrote it.
//!
//! Codex's refresh tokens work once: of an account's logins only the newest is sure to sign in, so an older one never
//! takes the place of a newer. What cannot be read is told and stays.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{PROFILE_TOML, Profile, edit, load_all, names};
use crate::codex::auth::{self, Login};
use crate::codex::home::AUTH_JSON;
use crate::error::Result;
use crate::fsutil;
use crate::lock::Lock;
use crate::metadata::Account;
use crate::timeutil::Stamp;

/// What became of a login that was to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is kept, in the profile of that name.
    Written(String),
    /// That very login, or a newer one, was kept already.
    Already(String),
    /// It is not kept: what stands in its place cannot be judged, for the reason given.
    Refused(String),
}

/// A login that is to be kept.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// The file.
    pub bytes: &'a [u8],
    /// What it says.
    pub login: &'a Login,
    /// What a profile that is made for it is to be called, where the person said so; one of that name that names nobody is
    /// taken for it.
    pub name: Option<&'a str>,
    /// The SHA-256 of the login that it is a renewal of, or of those that were kept before it was made, which it replaces
    /// whatever the clocks say.
    pub replaces: &'a [&'a str],
}

/// A login that is kept.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The name of its profile.
    pub profile: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// What it says.
    pub login: Login,
}

/// Which profile is an account's.
#[derive(Debug, PartialEq, Eq)]
enum Owner {
    /// The one of that name.
    Known(String),
    /// The one of that name, whose `profile.toml` is to be left alone: it cannot be read, or there is none.
    Untold(String),
    /// A new one.
    New,
}

/// Keeps a login in its owner's profile below `dir`, which is made where there is none, if it is newer than the one that
/// is kept. `known` tells the accounts there are: a profile that names an email alone is its owner's only where no other
/// account has that email. `latest` is the latest instant that can be by now.
///
/// Fails where the system does; the caller holds the manager home's lock.
pub fn keep(
    dir: &Path,
    lock: &Lock,
    (bytes, login): (&[u8], &Login),
    known: &dyn Fn() -> Vec<Account>,
    latest: Stamp,
) -> Result<Kept> {
    let incoming = Incoming {
        bytes,
        login,
        name: None,
        replaces: &[],
    };
    keep_incoming(dir, lock, &incoming, known, latest)
}

/// The same for one of which more is known than what it says.
pub fn keep_incoming(
    dir: &Path,
    _lock: &Lock,
    incoming: &Incoming,
    known: &dyn Fn() -> Vec<Account>,
    latest: Stamp,
) -> Result<Kept> {
    let account = &incoming.login.account;
    let names = names_in(dir)?;
    for name in &names {
        // What a killed run left behind may hold tokens; `status` has swept nothing yet.
        fsutil::sweep(&dir.join(name));
    }
    let (mut profiles, _) = load_all(dir);
    profiles.retain(|profile| names.contains(&profile.name));
    let (name, is_told) = match owner(dir, &names, &profiles, account, known) {
        Owner::Known(name) => (name, true),
        Owner::Untold(name) => (name, false),
        Owner::New => (new_name(dir, &names, &profiles, incoming), true),
    };
    let place = dir.join(&name);
    let kept = keep_in(&place, &name, is_told, &profiles, incoming, latest);
    if !matches!(kept, Ok(Kept::Written(_))) {
        // Where it was made in vain.
        let _ = fs::remove_dir(&place);
    }
    if let Ok(Kept::Written(_)) = kept {
        // A directory that was made for it.
        fsutil::sync_dir(dir)?;
        fsutil::sync_dir(fsutil::parent_of(dir))?;
    }
    kept
}

/// The same in the profile `name` at `place`, whose `profile.toml` is completed where that `is_told`.
fn keep_in(
    place: &Path,
    name: &str,
    mut is_told: bool,
    profiles: &[Profile],
    incoming: &Incoming,
    latest: Stamp,
) -> Result<Kept> {
    let Incoming { bytes, login, .. } = *incoming;
    let auth_json = place.join(AUTH_JSON);
    let standing = match read(&auth_json, &login.account) {
        Ok(standing) => standing,
        Err(reason) => return Ok(Kept::Refused(reason)),
    };
    let is_newer = standing.as_ref().is_none_or(|(kept, of)| {
        let is_replaced = || incoming.replaces.contains(&&*sha256(kept));
        kept != bytes && (is_replaced() || of.freshness(latest) < login.freshness(latest))
    });
    let is_kept = is_newer || standing.is_some_and(|(kept, _)| kept == bytes);
    is_told |= !fsutil::exists(&place.join(PROFILE_TOML))?;
    if is_told {
        let profile = profiles.iter().find(|profile| profile.name == name);
        if let Err(reason) = complete(&place.join(PROFILE_TOML), profile, login, is_kept)? {
            return Ok(Kept::Refused(reason));
        }
    }
    if !is_newer {
        return Ok(Kept::Already(name.to_owned()));
    }
    fsutil::write_atomically(&auth_json, bytes)?;
    Ok(Kept::Written(name.to_owned()))
}

/// The freshest login of `account` that is kept below `dir`, and what is wrong with others of it.
pub fn find(dir: &Path, account: &Account, latest: Stamp) -> (Option<Credential>, Vec<String>) {
    let mut problems = Vec::new();
    let mut freshest: Option<Credential> = None;
    let (profiles, _) = load_all(dir);
    let names = names_in(dir).unwrap_or_else(|error| {
        problems.push(error.to_string());
        Vec::new()
    });
    for name in names {
        let profile = profiles.iter().find(|profile| profile.name == name);
        let of = profile.map(Profile::account);
        if of.as_ref().is_some_and(|of| of.contradicts(account)) {
            continue;
        }
        match read(&dir.join(&name).join(AUTH_JSON), account) {
            Ok(Some((bytes, login))) => {
                let than = freshest.as_ref().map(|kept| kept.login.freshness(latest));
                if than.is_none_or(|than| than < login.freshness(latest)) {
                    freshest = Some(Credential {
                        profile: name,
                        bytes,
                        login,
                    });
                }
            }
            Err(reason) if of.is_some_and(|of| of.is_same_as(account)) => problems.push(reason),
            Ok(None) | Err(_) => {}
        }
    }
    (freshest, problems)
}

/// What [`Incoming::replaces`] tells a login by.
pub fn sha256(bytes: &[u8]) -> String {
    fsutil::hex(&Sha256::digest(bytes))
}

/// The same of every login that is kept below `dir`.
pub fn sha256_of_all(dir: &Path) -> Vec<String> {
    let names = names_in(dir).unwrap_or_default().into_iter();
    let read = |name| fsutil::read_if_present(&dir.join(name).join(AUTH_JSON), auth::MOST_BYTES);
    names
        .filter_map(|name| Some(sha256(&read(name).ok()??)))
        .collect()
}

/// The names of the profiles below `dir` that hold a login of `account`, sorted.
pub fn names_of(dir: &Path, account: &Account) -> Vec<String> {
    let mut names = names_in(dir).unwrap_or_default();
    names.retain(|name| matches!(read(&dir.join(name).join(AUTH_JSON), account), Ok(Some(_))));
    names
}

/// The login at `path`, which must be of `account`; None where there is no file.
fn read(path: &Path, account: &Account) -> Result<Option<(Vec<u8>, Login)>, String> {
    let told = |why: &str| {
        format!(
            "the kept login `{}` cannot be used: {why}; it stays as it is until you move it away",
            path.display()
        )
    };
    let bytes = fsutil::read_if_present(path, auth::MOST_BYTES)
        .map_err(|error| told(&error.to_string()))?;
    let Some(bytes) = bytes else {
        return Ok(None);
    };
    let login = auth::parse(&bytes).map_err(|why| told(&why))?;
    if !login.account.is_same_as(account) {
        return Err(told(&format!("it is of another account than {account}")));
    }
    Ok(Some((bytes, login)))
}

/// Everything in `dir` that a new directory could meet, sorted; a name that is no text is no profile's.
fn names_in(dir: &Path) -> Result<Vec<String>> {
    let names = super::list(dir)?.into_iter();
    let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    names.sort();
    Ok(names)
}

fn owner(
    dir: &Path,
    names: &[String],
    profiles: &[Profile],
    account: &Account,
    known: &dyn Fn() -> Vec<Account>,
) -> Owner {
    let holds_theirs = |name: &str| read(&dir.join(name).join(AUTH_JSON), account);
    let same = profiles
        .iter()
        .find(|profile| profile.account().is_same_as(account));
    if let Some(profile) = same {
        return Owner::Known(profile.name.clone());
    }
    // A profile that cannot be read, or was never written, is known by the login in it.
    let untold = |name: &&String| {
        profiles.iter().all(|profile| profile.name != **name)
            && matches!(holds_theirs(name), Ok(Some(_)))
    };
    if let Some(name) = names.iter().find(untold) {
        return Owner::Untold(name.clone());
    }
    if let Some(profile) = by_email(profiles, account, known)
        && holds_theirs(&profile.name).is_ok()
    {
        return Owner::Known(profile.name.clone());
    }
    Owner::New
}

/// The one profile that names no more than the email of `account`, where nobody else may be meant by it.
fn by_email<'a>(
    profiles: &'a [Profile],
    account: &Account,
    known: &dyn Fn() -> Vec<Account>,
) -> Option<&'a Profile> {
    let email = account.email.as_deref().filter(|_| account.is_exact())?;
    let mut meant = profiles.iter().filter(|profile| {
        let named = profile.email.as_deref();
        named.is_some_and(|named| named.eq_ignore_ascii_case(email))
            && profile.user_id.is_none()
            && profile.account_id.is_none()
    });
    let (Some(profile), None) = (meant.next(), meant.next()) else {
        return None;
    };
    let named = profile.account();
    let mut others = profiles.iter().map(Profile::account).chain(known());
    let is_other =
        |other: &Account| *other != named && other.may_be(&named) && other.contradicts(account);
    (!others.any(|other| is_other(&other))).then_some(profile)
}

/// Adds to `profile.toml` what it does not say yet of the account, every other byte as it is. The plan that it names is
/// that of the login that `is_kept`. The inner error says why it was left alone.
fn complete(
    path: &Path,
    profile: Option<&Profile>,
    login: &Login,
    is_kept: bool,
) -> Result<std::result::Result<(), String>> {
    let target = fsutil::real(path);
    let old = fsutil::read_if_present(&target, super::MOST_BYTES)?.unwrap_or_default();
    let new = String::from_utf8(old.clone()).map_err(|_| "it is no text".to_owned());
    let new = new.and_then(|text| completed(text, profile, login, is_kept));
    match new {
        Ok(new) if new.as_bytes() == old => Ok(Ok(())),
        Ok(new) => fsutil::write_atomically(&target, new.as_bytes()).map(Ok),
        Err(why) => Ok(Err(format!(
            "the profile `{}` cannot be completed: {why}",
            path.display()
        ))),
    }
}

/// The text of a `profile.toml` with what it does not say yet of whose `login` is.
pub fn completed(
    mut text: String,
    profile: Option<&Profile>,
    login: &Login,
    is_kept: bool,
) -> std::result::Result<String, String> {
    let said = profile.cloned().unwrap_or_default();
    let account = &login.account;
    let lines = [
        ("email", &said.email, &account.email),
        ("account_id", &said.account_id, &account.account_id),
        ("user_id", &said.user_id, &account.user_id),
        ("plan_type", &said.plan_type, &login.plan_type),
    ];
    for (key, said, value) in lines {
        let is_wanted = said.is_none() || (key == "plan_type" && is_kept && said != value);
        if let Some(value) = value.as_deref().filter(|_| is_wanted) {
            text = edit::with(&text, key, Some(&value.into()))?;
        }
    }
    Ok(text)
}

/// What a profile that is made for a login is called: as the person said, where that is free or names nobody yet.
fn new_name(dir: &Path, names: &[String], profiles: &[Profile], incoming: &Incoming) -> String {
    // What another one is called by alias would no longer mean it.
    let aliases = profiles.iter().filter_map(|profile| profile.alias.clone());
    // What a killed run made and did not fill is nobody's.
    let is_taken = |name: &&String| fs::remove_dir(dir.join(name)).is_err();
    let names = names.iter().filter(is_taken).cloned();
    let taken: Vec<String> = names.chain(aliases).collect();
    let account = &incoming.login.account;
    if let Some(wanted) = incoming.name {
        let profile = profiles.iter().find(|profile| profile.name == wanted);
        let is_theirs = |profile: &Profile| {
            let whose = profile.account();
            let has_login = fsutil::exists(&dir.join(wanted).join(AUTH_JSON)).unwrap_or(true);
            !has_login && (whose == Account::default() || whose.may_be(account))
        };
        if profile.is_some_and(is_theirs) || names::free(wanted, &taken) == wanted {
            return wanted.to_owned();
        }
    }
    names::free(&names::wanted(account), &taken)
}

#[cfg(test)]
mod tests;

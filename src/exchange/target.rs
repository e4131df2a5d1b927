//! Whom a person means by a name: an account by its email, or a profile by its name or alias.

use std::path::Path;

use crate::accounts::Known;
use crate::context::Ctx;
use crate::error::{Error, Kind, Result};
use crate::evidence::Evidence;
use crate::fsutil;
use crate::metadata::Account;
use crate::profiles::{self, Found, Profile, names};

/// The account that is called `name`, as far as all evidence knows it: an email of one account, else a profile's name or
/// alias; else the one of which one of these begins so.
///
/// Fails as `Usage` where several are, which are listed, and as `NotFound` where none is.
pub fn account(ctx: &Ctx, known: &[Known], name: &str) -> Result<Account> {
    let found = profiles::look(&ctx.paths.profiles())?;
    let called: Vec<&Known> = known.iter().filter(|known| known.is_called(name)).collect();
    match called.as_slice() {
        [only] => Ok(only.account.clone()),
        [] => {
            let profiles: Vec<Profile> = found.iter().map(|found| found.profile.clone()).collect();
            let meant = match profiles::meant(&profiles, name) {
                Err(error) if error.kind() == Kind::NotFound => {
                    let begun = begun(known, &found, name);
                    return match begun.as_slice() {
                        [] => Err(nobody(name)),
                        [only] => Ok(only.clone()),
                        several => Err(begins_several(name, several)),
                    };
                }
                meant => meant?,
            };
            let found_meant = found.iter().find(|one| one.profile.name == meant.name);
            let account = found_meant.map_or_else(|| meant.account(), Found::account);
            whole(&account, known).map_err(|several| ambiguous(name, &several, &found))
        }
        several => Err(ambiguous(name, several, &found)),
    }
}

/// The accounts of which an email, or a profile's name or alias, begins with `typed`.
pub fn begun(known: &[Known], found: &[Found], typed: &str) -> Vec<Account> {
    let by_name = known
        .iter()
        .filter(|known| known.names().any(|name| names::begins(name, typed)));
    let mut accounts: Vec<Account> = by_name.map(|known| known.account.clone()).collect();
    let is_begun = |found: &&Found| {
        let mut names = names::names_of(&found.profile);
        names.any(|name| names::begins(name, typed))
    };
    for found in found.iter().filter(is_begun) {
        match whole(&found.account(), known) {
            Ok(account) => accounts.push(account),
            Err(several) => accounts.extend(several.iter().map(|known| known.account.clone())),
        }
    }
    accounts.sort();
    accounts.dedup_by(|a, b| a.is_same_as(b));
    accounts
}

/// What tells an account from others of its email.
fn told(account: &Account) -> String {
    let workspace = account.account_id.as_deref();
    workspace.map_or_else(
        || account.to_string(),
        |workspace| format!("{account} ({workspace})"),
    )
}

/// Whether no more letters of it would tell them apart.
pub fn are_of_one_email(accounts: &[Account]) -> bool {
    let emails = || accounts.iter().map(|account| &account.email);
    accounts.len() > 1
        && emails()
            .zip(emails().skip(1))
            .all(|(one, next)| one == next)
}

/// What is begun so is not one account alone.
pub fn begins_several(typed: &str, several: &[Account]) -> Error {
    let all: Vec<String> = several.iter().map(told).collect();
    Error::new(
        Kind::Usage,
        format!("`{typed}` begins more than one account: {}", all.join(", ")),
        if are_of_one_email(several) {
            "they share the email: say which by its profile, `codex-manager profile list` shows these"
        } else {
            "type more of the name; `codex-manager cooldown` shows all accounts"
        },
    )
}

/// The same account as the login in its profile names it, where nothing else tells it exactly: a person may have written no
/// more than an email.
pub fn exact(ctx: &Ctx, account: &Account) -> Result<Account> {
    if account.is_exact() {
        return Ok(account.clone());
    }
    let found = profiles::look(&ctx.paths.profiles())?;
    let mut logins = found
        .iter()
        .filter(|found| found.profile.account().may_be(account))
        .filter_map(|found| Some(&found.login.as_ref().ok()?.as_ref()?.account))
        .filter(|login| login.may_be(account));
    Ok(match (logins.next(), logins.next()) {
        (Some(only), None) => only.clone(),
        _ => account.clone(),
    })
}

/// The account that was signed in to `home` before `now`, None being nobody.
pub fn before(evidence: &Evidence, home: &Path, now: Option<&Account>) -> Result<Account> {
    let before = evidence.registry.live_before(&fsutil::real(home), now);
    before.cloned().ok_or_else(|| {
        Error::new(
            Kind::NotFound,
            format!(
                "it is not known who was signed in to `{}` before",
                home.display()
            ),
            "name the account; `codex-manager cooldown` shows all of them",
        )
    })
}

/// The account with what else is known of it; the error is those that it may be, where these are several.
fn whole<'a>(
    account: &Account,
    known: &'a [Known],
) -> std::result::Result<Account, Vec<&'a Known>> {
    if let Some(same) = known.iter().find(|one| one.account.is_same_as(account)) {
        return Ok(same.account.clone());
    }
    let may_be = known.iter().filter(|one| one.account.may_be(account));
    let may_be: Vec<&Known> = may_be.collect();
    match may_be.as_slice() {
        [] => Ok(account.clone()),
        [only] => Ok(only.account.clone()),
        _ => Err(may_be),
    }
}

/// Nobody of that name is known to whoever looks at snapshots.
pub fn unknown(name: &str) -> Error {
    Error::new(
        Kind::NotFound,
        format!("no account is called `{name}`"),
        "`codex-manager list-backups` shows every account that has snapshots",
    )
}

fn nobody(name: &str) -> Error {
    Error::new(
        Kind::NotFound,
        format!("no account or profile is called `{name}`"),
        "`codex-manager cooldown` shows all accounts; `codex-manager profile login NAME` signs another one in",
    )
}

fn ambiguous(name: &str, several: &[&Known], found: &[Found]) -> Error {
    let mut has_name = false;
    let mut told: Vec<String> = several
        .iter()
        .map(|known| {
            let account = &known.account;
            let workspace = account.account_id.as_deref().unwrap_or("workspace unknown");
            let mut profiles = found.iter().map(|found| &found.profile);
            let Some(profile) = profiles.find(|profile| profile.account().is_same_as(account))
            else {
                return format!("{account} ({workspace}), of no profile");
            };
            has_name = true;
            format!("{account} ({workspace}), profile `{}`", profile.name)
        })
        .collect();
    told.sort();
    Error::new(
        Kind::Usage,
        format!("`{name}` is more than one account: {}", told.join("; ")),
        if has_name {
            "name the profile instead"
        } else {
            "restore the login of one of its snapshots: `codex-manager restore ARCHIVE --auth-only`"
        },
    )
}

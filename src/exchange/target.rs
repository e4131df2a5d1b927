//! Whom a person means by a name: an account by its email, or a profile by its name or alias.

use std::path::Path;

use crate::accounts::Known;
use crate::error::{Error, Kind, Result};
use crate::evidence::Evidence;
use crate::fsutil;
use crate::metadata::Account;
use crate::profiles::{self, Profile};

/// The account that is called `name`, as far as all evidence knows it.
///
/// Fails as `Usage` where several are, which are listed, and as `NotFound` where none is.
pub fn account(evidence: &Evidence, known: &[Known], name: &str) -> Result<Account> {
    let called: Vec<&Known> = known.iter().filter(|known| known.is_called(name)).collect();
    match called.as_slice() {
        [only] => return Ok(only.account.clone()),
        [] => {}
        several => return Err(ambiguous(name, several, &evidence.profiles)),
    }
    let profile = profiles::meant(&evidence.profiles, name).map_err(|error| match error.kind() {
        Kind::NotFound => Error::new(
            Kind::NotFound,
            format!("no account or profile is called `{name}`"),
            "`codex-manager cooldown` shows all accounts; `codex-manager profile login NAME` signs another one in",
        ),
        _ => error,
    })?;
    Ok(whole(profile, known))
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

/// The account of a profile, with what else is known of it.
fn whole(profile: &Profile, known: &[Known]) -> Account {
    let account = profile.account();
    let mut others = known.iter().map(|known| &known.account);
    let same = others.clone().find(|known| known.is_same_as(&account));
    let same = same.or_else(|| others.find(|known| known.may_be(&account)));
    same.cloned().unwrap_or(account)
}

fn ambiguous(name: &str, several: &[&Known], profiles: &[Profile]) -> Error {
    let mut has_name = false;
    let mut told: Vec<String> = several
        .iter()
        .map(|known| {
            let account = &known.account;
            let workspace = account.account_id.as_deref().unwrap_or("workspace unknown");
            let profile = profiles
                .iter()
                .find(|profile| profile.account().is_same_as(account));
            let Some(profile) = profile else {
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

//! Logins: the one that is signed in, those that profiles keep, and where else each is.

use std::io::ErrorKind;

use chrono::TimeDelta;

use super::check::Check;
use super::facts::Facts;
use crate::codex::auth::{self, Login, Validity};
use crate::codex::home;
use crate::fsutil;
use crate::profiles::Found;
use crate::profiles::last_use::LastUse;
use crate::profiles::names::{login_word, word};
use crate::timeutil::{Stamp, Zone};
use crate::ui::table::count;

const LOGIN: &str = "login";
const PROFILES: &str = "profiles";
const MACHINES: &str = "machines";
const ACCOUNTS: &str = "accounts";

/// How long after its last renewal a login is doubted. An access token lasts some ten days; how long it can be renewed
/// after that Codex's service does not say.
const DOUBTED: TimeDelta = TimeDelta::days(60);

/// How a login stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Good,
    /// It was not renewed for so long that it may not be any more.
    Doubtful,
    /// It has ended, and there is nothing to renew it with.
    Dead,
}

fn standing(login: &Login, now: Stamp, zone: &Zone) -> Standing {
    let is_old = || {
        let renewed = login.refreshed_at(zone);
        renewed.is_some_and(|renewed| now.since(renewed) > DOUBTED)
    };
    match login.validity(now) {
        Validity::Expired => Standing::Dead,
        Validity::Renewable if is_old() => Standing::Doubtful,
        Validity::Renewable | Validity::Valid => Standing::Good,
    }
}

/// The login of the Codex home.
pub fn signed_in(facts: &Facts) -> Vec<Check> {
    let ctx = facts.ctx;
    let login = match &facts.login {
        Ok(Some((_, login))) => login,
        Ok(None) => {
            return vec![Check::warn(
                LOGIN,
                "nobody is signed in",
                "sign in with `codex login`, or with a kept login by `codex-manager use ACCOUNT`",
            )];
        }
        Err(error) => return vec![Check::of_error(LOGIN, error)],
    };
    let plan = login.plan_type.as_ref();
    let plan = plan.map_or_else(String::new, |plan| format!(" ({plan})"));
    let who = format!("{}{plan}", login.account);
    if login.is_api_key() {
        return vec![Check::ok(
            LOGIN,
            format!("{who}, {}, which has no weekly window", kind_of_key(login)),
        )];
    }
    let mut said = who;
    if let Some(renewed) = login.refreshed_at(&ctx.zone) {
        said.push_str(&format!(", renewed {}", renewed.table_form()));
    }
    if let Some(end) = login.access_ends_at(&ctx.zone) {
        let end = end.table_form();
        said.push_str(&match login.validity(ctx.now) {
            Validity::Valid => format!(", good until {end}"),
            Validity::Renewable => format!(", ended {end}; Codex renews it"),
            Validity::Expired => format!(", ended {end}"),
        });
    }
    vec![match standing(login, ctx.now, &ctx.zone) {
        Standing::Good => Check::ok(LOGIN, said),
        Standing::Doubtful => Check::warn(
            LOGIN,
            format!("{said}; it may no longer sign in"),
            "`codex-manager status` asks Codex with it",
        ),
        Standing::Dead => Check::fail(
            LOGIN,
            format!("{said}; there is nothing to renew it with"),
            "sign in again with `codex login`",
        ),
    }]
}

fn kind_of_key(login: &Login) -> &'static str {
    if login.auth_mode == "personalAccessToken" {
        "a personal access token"
    } else {
        "an API key"
    }
}

/// The logins that are kept.
pub fn profiles(facts: &Facts) -> Vec<Check> {
    let ctx = facts.ctx;
    let all = match &facts.profiles {
        Ok(all) => all,
        Err(error) => return vec![Check::of_error(PROFILES, error)],
    };
    let mut found = Vec::new();
    for one in all {
        let name = &one.profile.name;
        let email = one.account().email;
        found.extend(one.problems().map(|problem| {
            Check::fail(
                PROFILES,
                problem.clone(),
                format!(
                    "mend it, or move it away and sign in anew: `codex-manager profile login {}`",
                    login_word(name, email.as_deref())
                ),
            )
        }));
        let login = one.login.as_ref().ok().and_then(Option::as_ref);
        found.extend(login.and_then(|login| of_kept(name, login, ctx.now, &ctx.zone)));
    }
    found.extend(doubles(all));
    found.extend(elsewhere(facts));
    if found.is_empty() {
        let kept = all.iter().filter(|one| matches!(one.login, Ok(Some(_))));
        found.push(Check::ok(
            PROFILES,
            match kept.count() {
                0 => "no login is kept yet".to_owned(),
                kept => format!("{} kept", count(kept, "login")),
            },
        ));
    }
    found
}

fn of_kept(name: &str, login: &Login, now: Stamp, zone: &Zone) -> Option<Check> {
    let who = &login.account;
    match standing(login, now, zone) {
        Standing::Good => None,
        Standing::Doubtful => {
            let renewed = login.refreshed_at(zone)?.date();
            Some(Check::warn(
                PROFILES,
                format!(
                    "the login of {who} in `{name}` was renewed {renewed} last: it may no longer sign in"
                ),
                "`codex-manager cooldown --live --all` asks with each",
            ))
        }
        Standing::Dead => Some(Check::warn(
            PROFILES,
            format!(
                "the login of {who} in `{name}` has ended, and there is nothing to renew it with"
            ),
            format!(
                "sign in anew: `codex-manager profile login {}`",
                login_word(name, who.email.as_deref())
            ),
        )),
    }
}

/// Profiles of one and the same account.
fn doubles(all: &[Found]) -> Vec<Check> {
    let mut found = Vec::new();
    for (place, one) in all.iter().enumerate() {
        let account = one.account();
        let earlier = all.get(..place).unwrap_or_default();
        let Some(other) = earlier
            .iter()
            .find(|other| account.is_exact() && other.account().is_same_as(&account))
        else {
            continue;
        };
        let (one, other) = (&one.profile.name, &other.profile.name);
        found.push(Check::warn(
            PROFILES,
            format!("`{other}` and `{one}` are both of {account}"),
            format!(
                "remove the one that you do not use: `codex-manager profile remove {}`",
                word(one)
            ),
        ));
    }
    found
}

/// Other Codex homes that have the very login of this one.
fn elsewhere(facts: &Facts) -> Vec<Check> {
    let (Ok(Some((bytes, login))), Ok(registry)) = (&facts.login, &facts.registry) else {
        return Vec::new();
    };
    let this = fsutil::real(&facts.home);
    let usual = facts.ctx.usual_codex_home().map(|home| fsutil::real(&home));
    let mut homes = registry.homes_of(&login.account, &this);
    homes.extend(usual.filter(|usual| *usual != this && !homes.contains(usual)));
    let has_it = |home: &std::path::Path| {
        let theirs = home::read_login(home).ok().flatten();
        theirs.is_some_and(|(theirs, _)| auth::have_one_renewal(bytes, &theirs))
    };
    let there = homes.iter().filter(|home| has_it(home));
    let tell = |home: &std::path::PathBuf| {
        Check::warn(
            PROFILES,
            format!(
                "the very login of {} is in `{}` too: as soon as Codex renews it in one of them, the other's no longer signs in",
                login.account,
                facts.short(home)
            ),
            "sign somebody else in to one of them",
        )
    };
    there.map(tell).collect()
}

/// On which machine each account was used last.
pub fn machines(facts: &Facts) -> Vec<Check> {
    let this = facts.ctx.machine_id();
    let all = facts.profiles.as_deref().unwrap_or_default();
    let fault = facts.ctx.fault_of_machine_id();
    // The manager home is told of by itself.
    let fault = fault.filter(|error| error.io_kind() != Some(ErrorKind::NotADirectory));
    let mut found: Vec<_> = fault
        .iter()
        .map(|error| Check::of_error(MACHINES, error))
        .collect();
    // Without an id a machine has its name alone.
    let host = facts.ctx.hostname().filter(|_| this.is_none());
    let mut others = Vec::new();
    for one in all {
        let Some(used) = LastUse::of(&one.profile) else {
            continue;
        };
        if this.as_ref() == Some(&used.machine) || (host.is_some() && used.hostname == host) {
            continue;
        }
        let account = one.account();
        let (place, day) = (used.place().to_owned(), used.at.in_zone(&facts.ctx.zone));
        let told = format!("{account} was used on `{place}` last, {}", day.table_form());
        if facts
            .signed_in()
            .is_some_and(|login| login.account.is_same_as(&account))
        {
            found.push(Check::warn(
                MACHINES,
                format!("{told}, and is signed in here"),
                "a login works on one machine at a time: where it no longer signs in here, run `codex-manager sync pull`, \
                 or sign in again",
            ));
        } else {
            others.push(told);
        }
    }
    if !others.is_empty() {
        found.push(Check::ok(MACHINES, others.join("; ")));
    }
    if found.is_empty() {
        found.push(Check::ok(MACHINES, "no account was used elsewhere last"));
    }
    found
}

/// Who is known, and by what they can be told apart.
pub fn accounts(facts: &Facts) -> Vec<Check> {
    let known = facts.accounts();
    if known.is_empty() {
        return vec![Check::ok(ACCOUNTS, "none is known yet")];
    }
    let mut emails: Vec<String> = known
        .iter()
        .filter_map(|one| one.account.email.as_deref())
        .map(str::to_ascii_lowercase)
        .collect();
    emails.sort();
    let twins = emails.chunk_by(|one, other| one == other);
    let twins: Vec<String> = twins
        .filter(|same| same.len() > 1)
        .filter_map(|same| Some(format!("{} are called {}", same.len(), same.first()?)))
        .collect();
    let mut said = format!("{} known", count(known.len(), "account"));
    for twin in twins {
        said.push_str(&format!("; {twin}, so say a profile or an alias"));
    }
    vec![Check::ok(ACCOUNTS, said)]
}

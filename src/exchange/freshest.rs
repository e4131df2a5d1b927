//! The freshest login of an account, wherever it is: in the Codex home, in its profile, in a snapshot.

use std::path::{Path, PathBuf};

use super::login::Chosen;
use crate::accounts::{self, Finder, Known};
use crate::archive::read;
use crate::codex::auth::{self, Freshness, Login};
use crate::context::Ctx;
use crate::error::{Error, Kind, Result};
use crate::metadata::Account;
use crate::profiles::credentials;
use crate::snapshots::{self, Snapshot};

/// Where to look.
pub struct Places<'a> {
    /// The login of the Codex home.
    pub live: Option<&'a (Vec<u8>, Login)>,
    /// The account's snapshot that is read for its login, where one may hold a fresher one: see [`newest_snapshot`].
    pub snapshot: Option<&'a Snapshot>,
}

/// A login to install.
pub struct Found {
    /// What to install, and where it is from.
    pub chosen: Chosen,
    /// What it says.
    pub login: Login,
    /// The archive it is from.
    pub archive: Option<PathBuf>,
}

/// The freshest login of `account`; of equally fresh ones the live one, then the profile's. None where there is none.
///
/// A snapshot is read only where it may hold a fresher login than any other place, and as a whole before its login counts.
/// `problems` gets what cannot be used; it fails only where nothing else is left.
pub fn find(
    ctx: &Ctx,
    account: &Account,
    places: &Places,
    problems: &mut Vec<String>,
) -> Result<Option<Found>> {
    let latest = ctx.latest();
    let live = places
        .live
        .filter(|(_, login)| login.account.is_same_as(account));
    let mut best = live.map(|(bytes, login)| Found {
        chosen: Chosen {
            source: "live",
            bytes: Some(bytes.clone()),
            words: Some("the one that is signed in already".to_owned()),
        },
        login: login.clone(),
        archive: None,
    });
    let is_better = |best: &Option<Found>, login: &Login| {
        let than = best.as_ref().map(|found| found.login.freshness(latest));
        than.is_none_or(|than| than < login.freshness(latest))
    };
    let (kept, unusable) = credentials::find(&ctx.paths.profiles(), account, latest);
    problems.extend(unusable);
    if let Some(kept) = kept.filter(|kept| is_better(&best, &kept.login)) {
        best = Some(Found {
            chosen: Chosen {
                source: "profile",
                words: Some(format!("that of the profile `{}`", kept.profile)),
                bytes: Some(kept.bytes),
            },
            login: kept.login,
            archive: None,
        });
    }
    let than = best.as_ref().map(|found| found.login.freshness(latest));
    let snapshot = places.snapshot;
    let Some(snapshot) =
        snapshot.filter(|snapshot| may_be_fresher(ctx, snapshot, best.as_ref(), than))
    else {
        return Ok(best);
    };
    match whole(ctx, snapshot) {
        Ok((bytes, login)) => {
            let is_theirs = login.account.is_same_as(account) || !account.is_exact();
            if is_theirs && is_better(&best, &login) {
                best = Some(Found {
                    chosen: Chosen {
                        source: "archive",
                        words: Some(format!("that of the snapshot {}", snapshot.archive_name())),
                        bytes: Some(bytes),
                    },
                    login,
                    archive: Some(snapshot.archive.clone()),
                });
            }
        }
        Err(error) if best.is_none() => return Err(error),
        Err(error) => problems.push(format!("{error}; an older login is taken")),
    }
    match &best {
        // What is in the snapshot tells who it is, and so what else there is of it.
        Some(found) if !account.is_exact() && found.login.account.is_exact() => {
            let account = found.login.account.clone();
            find(ctx, &account, places, problems)
        }
        _ => Ok(best),
    }
}

/// The account's snapshot that was made last, of those that hold a login.
pub fn newest_snapshot<'a>(
    known: &[Known],
    snapshots: &'a [Snapshot],
    account: &Account,
) -> Option<&'a Snapshot> {
    let of = accounts::find(known, account)?;
    let finder = Finder::new(known);
    let theirs = snapshots.iter().filter(|snapshot| {
        let place = finder.of_snapshot(snapshot);
        place
            .and_then(|place| known.get(place))
            .is_some_and(|one| std::ptr::eq(one, of))
    });
    snapshots::newest(theirs, true)
}

/// Whether the snapshot may hold a login that is fresher than `than`, by its sidecar, else by its begin.
fn may_be_fresher(
    ctx: &Ctx,
    snapshot: &Snapshot,
    best: Option<&Found>,
    than: Option<Freshness>,
) -> bool {
    let (Some(best), Some(than)) = (best, than) else {
        return true;
    };
    let sidecar = &snapshot.sidecar;
    // One that a wrong clock noted says nothing.
    let known = best.login.refreshed_at(&ctx.zone);
    let known = known.filter(|known| *known <= ctx.latest());
    let told = sidecar.login_refreshed_at.or(
        // Nothing in it is newer than itself.
        sidecar
            .created_at
            .filter(|made| known.is_some_and(|known| *made < known)),
    );
    if let (Some(told), Some(known)) = (told, known) {
        return known < told;
    }
    let inside = read::login(&snapshot.archive).and_then(|bytes| auth::parse(&bytes).ok());
    inside.is_some_and(|login| {
        login.account.is_same_as(&best.login.account) && than < login.freshness(ctx.latest())
    })
}

/// The login of a snapshot that is sound.
fn whole(ctx: &Ctx, snapshot: &Snapshot) -> Result<(Vec<u8>, Login)> {
    let sound = snapshot.check(&ctx.limits(), &|| ctx.stopped())?;
    let login = sound.checked.auth_json.and_then(|bytes| {
        let login = auth::parse(&bytes).ok()?;
        Some((bytes, login))
    });
    login.ok_or_else(|| {
        Error::new(
            Kind::NotFound,
            format!("`{}` holds no login", snapshot.archive.display()),
            "choose another one: `codex-manager list-backups`",
        )
    })
}

/// What is told where no login of an account is known.
pub fn nowhere(account: &Account, home: &Path) -> Error {
    Error::new(
        Kind::NotFound,
        format!(
            "no login of {account} is known: it is in no profile, in no snapshot and not in `{}`",
            home.display()
        ),
        "sign in to it once: `codex-manager profile login NAME`",
    )
}

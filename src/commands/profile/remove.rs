//! `profile remove`: removes a profile with the login in it, after saying what else holds one of the account.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::archive::read;
use crate::codex::auth;
use crate::codex::home::{self, AUTH_JSON};
use crate::context::Ctx;
use crate::error::{Error, Result};
use crate::evidence::{Evidence, Reach};
use crate::exchange::freshest;
use crate::fsutil;
use crate::live;
use crate::metadata::Account;
use crate::profiles::view::View;
use crate::profiles::{self, Found, PROFILE_TOML};
use crate::snapshots::Depth;
use crate::timeutil::Stamp;
use crate::ui::table::lines;
use crate::ui::{Page, Report};

pub(super) fn run(ctx: &Ctx, name: &str, yes: bool, dry_run: bool) -> Result<()> {
    let all = ctx.all_profiles()?;
    let found = all.meant(name)?;
    let view = all.view(found, ctx.now, &ctx.zone);
    let place = all.dir.join(&view.name);
    let content = Content::of(&place)?;
    let logins_elsewhere = elsewhere(ctx, found)?;
    let others: Vec<&str> = content.others().collect();
    for problem in found.problems() {
        ctx.ui.warn(problem);
    }
    tell(ctx, &view, found, &logins_elsewhere);
    if !dry_run {
        let too = if others.is_empty() {
            String::new()
        } else {
            format!(" and what else lies there: `{}`", others.join("`, `"))
        };
        let question = format!(
            "remove the profile `{}` of {} with all that is in it: what it says, its login{too}?",
            view.name,
            view.called().unwrap_or("nobody that is named")
        );
        ctx.ui.confirm_what("removes a profile", &question, yes)?;
        // Nobody chooses or renews the login that goes.
        let login = found.login.as_ref().ok().and_then(Option::as_ref);
        let _login = login
            .map(|login| live::hold_login(ctx, &login.account))
            .transpose()?;
        let (lock, _in_hand) = ctx.lock("profile remove")?;
        // What was confirmed is what goes.
        if Content::of(&place)? != content {
            return Err(Error::other(
                format!(
                    "`{}` changed meanwhile; nothing was removed",
                    place.display()
                ),
                "run the command again",
            ));
        }
        // First: what is noted of a profile that stands counts for nothing.
        let (account, at) = (found.account(), ctx.sighting());
        if account != Account::default() {
            let noted = live::update(ctx, &lock, |registry| registry.note_removed(&account, at));
            // A login that is to go does not stay for that.
            if let Err(error) = noted {
                ctx.ui.warn(&format!(
                    "that the profile was removed is not noted, so a `sync pull` may bring it back: {error}"
                ));
            }
        }
        profiles::remove(&all.dir, &view.name)?;
    }
    ctx.ui.done(&Answer {
        mode: if dry_run { "dry-run" } else { "removed" },
        shown: ctx.paths.short(&place),
        files: content.names(),
        path: place,
        profile: view,
        logins_elsewhere,
    })
}

/// What stands in a profile's directory, and what its own two files say.
#[derive(PartialEq, Eq)]
struct Content {
    names: Vec<String>,
    own: [Option<Vec<u8>>; 2],
}

impl Content {
    fn of(place: &Path) -> Result<Self> {
        let failed = |error| Error::io("list", place, error);
        let mut names = Vec::new();
        for entry in fs::read_dir(place).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            names.push(name.to_string_lossy().into_owned());
        }
        names.retain(|name| !fsutil::is_temporary(name));
        names.sort();
        // What cannot be read is the same as long as it cannot be.
        let own = [PROFILE_TOML, AUTH_JSON].map(|name| {
            let read = fsutil::read_if_present(&place.join(name), auth::MOST_BYTES);
            read.ok().flatten()
        });
        Ok(Self { names, own })
    }

    /// What a person put there.
    fn others(&self) -> impl Iterator<Item = &str> {
        let names = self.names.iter().map(String::as_str);
        names.filter(|name| ![PROFILE_TOML, AUTH_JSON].contains(name))
    }

    fn names(self) -> Vec<String> {
        self.names
    }
}

/// Another place that holds a login of the account.
#[derive(Serialize)]
struct Elsewhere {
    path: PathBuf,
    /// When that login was renewed last.
    at: Option<Stamp>,
    /// Whether it is no older than the one that goes.
    as_fresh: bool,
}

fn elsewhere(ctx: &Ctx, found: &Found) -> Result<Vec<Elsewhere>> {
    let account = found.account();
    let latest = ctx.latest();
    let kept = found.login.as_ref().ok().and_then(Option::as_ref);
    let live = home::read_login(&ctx.paths.codex_home).ok().flatten();
    let live = live.map(|(_, login)| (home::auth_path(&ctx.paths.codex_home), login));
    let places = ctx.places(None, None)?;
    let reach = Reach::Every(Depth::Whole);
    let mut evidence = Evidence::load(&places, ctx.now, &ctx.zone, reach, false, None)?;
    evidence.latest = Some(latest);
    let newest = freshest::newest_snapshot(&evidence.accounts(), &evidence.snapshots, &account)
        .and_then(|snapshot| {
            let login = auth::parse(&read::login(&snapshot.archive)?).ok()?;
            Some((snapshot.archive.clone(), login))
        });
    let logins = live.into_iter().chain(newest);
    let theirs = logins.filter(|(_, login)| login.account.may_be(&account));
    let told = theirs.map(|(path, login)| Elsewhere {
        path,
        at: login.refreshed_at(&ctx.zone),
        as_fresh: kept.is_none_or(|kept| kept.freshness(latest) <= login.freshness(latest)),
    });
    Ok(told.collect())
}

/// Says what is lost, and what is not.
fn tell(ctx: &Ctx, view: &View, found: &Found, logins_elsewhere: &[Elsewhere]) {
    let who = view.called().unwrap_or("its account");
    let has_login = !matches!(found.login, Ok(None));
    if has_login && logins_elsewhere.is_empty() {
        ctx.ui.warn(&format!(
            "nothing else is known to hold a login of {who}: to use it again somebody must sign in"
        ));
    }
    let is_lost = !logins_elsewhere.iter().any(|other| other.as_fresh);
    for other in logins_elsewhere {
        let place = ctx.paths.short(&other.path);
        let at = other
            .at
            .map_or(String::new(), |at| format!(", renewed {}", at.table_form()));
        if other.as_fresh {
            ctx.ui.note(&format!(
                "`{place}` holds a login of {who} that is as fresh"
            ));
            continue;
        }
        let told =
            format!("`{place}` holds an older login of {who}{at}, which may no longer sign in");
        if is_lost {
            ctx.ui.warn(&told);
        } else {
            ctx.ui.note(&told);
        }
    }
}

#[derive(Serialize)]
struct Answer {
    mode: &'static str,
    path: PathBuf,
    files: Vec<String>,
    profile: View,
    logins_elsewhere: Vec<Elsewhere>,
    /// The path as a person reads it.
    #[serde(skip)]
    shown: String,
}

impl Report for Answer {
    fn text(&self, _: &Page) -> String {
        let files = self.files.join(", ");
        lines(&[
            (self.mode, self.profile.name.clone()),
            ("account", self.profile.called().unwrap_or("-").to_owned()),
            ("from", self.shown.clone()),
            ("files", files),
        ])
    }
}

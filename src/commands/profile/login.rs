//! `profile login`: Codex's own login in a Codex home of our own, kept as a profile. The person's Codex home has no part in
//! it.

use serde::Serialize;

use crate::cli::{LiveArgs, ProfileLogin};
use crate::codex::family::Ending;
use crate::codex::login;
use crate::codex::program::Home;
use crate::context::Ctx;
use crate::error::{Error, Kind, Result};
use crate::metadata::Account;
use crate::profiles::credentials;
use crate::profiles::private_home::{self, PrivateHome, Purpose, Taken};
use crate::profiles::view::{All, View};
use crate::profiles::{Found, Profile, names};
use crate::ui::table::lines;
use crate::ui::{Page, Report};

const COMMAND: &str = "profile login";

pub(super) fn run(ctx: &Ctx, args: &ProfileLogin) -> Result<()> {
    let all = ctx.all_profiles()?;
    let wanted = Wanted::of(&all, &args.name)?;
    let how = LiveArgs {
        codex_command: args.codex_command.clone(),
        ..LiveArgs::default()
    };
    let program = ctx
        .codex(&how)
        .map_err(|error| Error::other(error.to_string(), error.hint()))?;
    let settings = private_home::settings(&ctx.paths.codex_home)?;
    if args.dry_run {
        let standing = wanted.existing.as_ref().and(all.meant(&wanted.name).ok());
        let profile = standing.map(|found| all.view(found, ctx.now, &ctx.zone));
        return ctx.ui.done(&Answer {
            mode: "dry-run",
            use_it: String::new(),
            name: wanted.name,
            profile,
        });
    }
    // Until what stands there then is kept.
    let _in_hand = ctx.in_hand();
    let home = {
        let (lock, _held) = ctx.lock(COMMAND)?;
        let of = (Purpose::Login, wanted.name.as_str());
        // Whoever signs in has the newest login, also where the clock went back.
        let replaced = credentials::sha256_of_all(&ctx.paths.profiles());
        PrivateHome::make(&ctx.paths.tmp(), &lock, of, &settings, (&replaced, None))?
    };
    ctx.ui.note(&format!(
        "`codex login` runs for the profile `{}`; `{}` stays as it is",
        wanted.name,
        ctx.paths.short(&ctx.paths.codex_home)
    ));
    let place = Home::private(home.path());
    let ended = login::run(&program, place, &args.args, ctx.ui.json, &|| ctx.stopped());
    let kept = keep(ctx, home);
    let kept = kept?;
    ctx.check_stop()?;
    let Some(name) = kept else {
        return Err(nothing(ended?));
    };
    if !matches!(ended, Ok(Some(Ending::Code(0)))) {
        ctx.ui
            .warn("codex login did not end well, but somebody is signed in");
    }
    let all = ctx.all_profiles()?;
    let found = all.meant(&name)?;
    let profile = all.view(found, ctx.now, &ctx.zone);
    let is_theirs = |of: &Account| of.may_be(&found.account());
    let is_existing = wanted.existing.is_some();
    if let Some((existing, _)) = wanted
        .existing
        .filter(|(_, of)| name != wanted.name && !is_theirs(of))
    {
        return Err(Error::new(
            Kind::AccountMismatch,
            format!(
                "the profile `{}` is of {}, and {} signed in; that login is kept in the profile `{name}`",
                wanted.name,
                existing.called().unwrap_or("nobody that is named"),
                profile.called().unwrap_or("somebody else")
            ),
            format!(
                "`codex-manager use {}` takes it; for the other account run the command again",
                names::word(&name)
            ),
        ));
    }
    if name != wanted.name {
        let other = if is_existing {
            format!("the profile `{}` stays as it is", wanted.name)
        } else {
            format!("there is no profile `{}`", wanted.name)
        };
        ctx.ui.warn(&format!(
            "{} has the profile `{name}` already: the login is kept there, and {other}",
            profile.called().unwrap_or("the account")
        ));
    }
    ctx.ui.done(&Answer {
        mode: "signed-in",
        use_it: ctx.typed(&format!("codex-manager use {}", names::word(&name))),
        name,
        profile: Some(profile),
    })
}

/// The profile that was asked for.
struct Wanted {
    /// What it is called, or is to be called.
    name: String,
    /// What it says, where it exists, and whose it is.
    existing: Option<(Profile, Account)>,
}

impl Wanted {
    /// The one that is meant by `name`; a new one of that name where none is.
    fn of(all: &All, name: &str) -> Result<Self> {
        match all.meant(name) {
            // Nothing could be kept in its place.
            Ok(Found {
                login: Err(problem),
                ..
            }) => Err(Error::other(
                problem,
                "move that file away, and run the command again",
            )),
            Ok(found) => Ok(Self {
                name: found.profile.name.clone(),
                existing: Some((found.profile.clone(), found.account())),
            }),
            Err(error) if error.kind() == Kind::NotFound => {
                names::check_name(&all.profiles, &Profile::default(), name)?;
                Ok(Self {
                    name: name.to_owned(),
                    existing: None,
                })
            }
            Err(error) => Err(error),
        }
    }
}

/// Keeps who signed in, and says in which profile; None where nobody did.
fn keep(ctx: &Ctx, home: PrivateHome) -> Result<Option<String>> {
    let path = ctx.paths.short(home.path());
    let (lock, _held) = ctx.lock_patiently(COMMAND).map_err(|error| {
        error.with_hint(format!(
            "whoever signed in, their login waits in `{path}`: the next command keeps it"
        ))
    })?;
    match ctx.keeping(&lock, |keeper| home.take_in(keeper)) {
        Taken::Nothing => Ok(None),
        Taken::Stays(why) => Err(Error::other(
            why,
            "do what it says, and run the command again",
        )),
        Taken::Kept { login, profile, .. } => {
            if ctx.stopped() {
                ctx.ui.warn(&format!(
                    "{} was signed in by then: the login is kept in the profile `{profile}`",
                    login.account
                ));
            }
            Ok(Some(profile))
        }
    }
}

/// Nobody signed in.
fn nothing(ending: Option<Ending>) -> Error {
    match ending {
        Some(Ending::Code(0)) => Error::other(
            "codex login ended, and nobody is signed in; nothing was changed",
            "what stands after `--` is for `codex login`, and must sign somebody in; a policy of this machine may keep \
             logins in the system's keyring",
        ),
        ending => Error::other(
            format!(
                "codex login {}; nothing was changed",
                ending.map_or("had to be ended".to_owned(), |how| format!(
                    "ended with {how}"
                ))
            ),
            "its own words say why; run the command again",
        ),
    }
}

#[derive(Serialize)]
struct Answer {
    mode: &'static str,
    name: String,
    profile: Option<View>,
    /// The command that does.
    #[serde(skip)]
    use_it: String,
}

impl Report for Answer {
    fn text(&self, _: &Page) -> String {
        let called = self.profile.as_ref().and_then(View::called);
        let mut pairs = vec![(self.mode, called.unwrap_or("a new profile").to_owned())];
        pairs.push(("profile", self.name.clone()));
        if self.mode != "dry-run" {
            pairs.push(("use it", format!("`{}`", self.use_it)));
        }
        lines(&pairs)
    }
}

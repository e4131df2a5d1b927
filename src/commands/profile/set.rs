//! `profile set`: changes what a profile says, all that was asked for or nothing. Comments and every other byte stay.

use serde::Serialize;
use toml_edit::Value;

use crate::context::Ctx;
use crate::error::{Error, Kind, Result};
use crate::fsutil;
use crate::profiles::view::{All, View};
use crate::profiles::{self, Found, MOST_BYTES, PROFILE_TOML, credentials, edit, names};
use crate::settings::{self, Key, Takes, key};
use crate::ui::table::lines;
use crate::ui::{Page, Report};

/// What can be set.
const KEYS: [Key; 4] = [
    key(
        "alias",
        Takes::Text,
        "a short name to type instead of the email",
    ),
    key("paused", Takes::Bool, "whether `recommend` passes it over"),
    key("note", Takes::Text, "anything worth remembering"),
    key(
        "session_duration_hours",
        Takes::Hours,
        "assumed hours of a session of its legacy files",
    ),
];

/// What the login decides.
const OF_THE_LOGIN: [&str; 4] = ["email", "account_id", "user_id", "plan_type"];

const MEND: &str = "mend the file, or move it away: `codex-manager backup` makes it anew";

/// One key and what it is to be; None to unset it.
struct Change {
    key: &'static Key,
    value: Option<Value>,
}

pub(super) fn run(ctx: &Ctx, name: &str, changes: &[String], dry_run: bool) -> Result<()> {
    let changes = parse(changes)?;
    // Refused before the home is made: a slip of the hand leaves nothing behind.
    let all = ctx.all_profiles()?;
    let planned = plan(&all, all.begun(name)?, &changes)?;
    if dry_run {
        let is_same = planned.old == planned.new;
        return answer(
            ctx,
            &all,
            planned,
            &changes,
            if is_same { "unchanged" } else { "dry-run" },
        );
    }
    let _held = ctx.lock("profile set")?;
    let all = ctx.all_profiles()?;
    let planned = plan(&all, all.begun(name)?, &changes)?;
    let mode = if planned.old == planned.new {
        "unchanged"
    } else {
        let path = all.dir.join(&planned.profile).join(PROFILE_TOML);
        fsutil::write_atomically(&fsutil::real(&path), planned.new.as_bytes())?;
        "set"
    };
    answer(ctx, &ctx.all_profiles()?, planned, &changes, mode)
}

/// What was typed, checked but for what other profiles say.
fn parse(texts: &[String]) -> Result<Vec<Change>> {
    let mut changes: Vec<Change> = Vec::new();
    for text in texts {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            Error::new(
                Kind::Usage,
                format!("`{text}` does not say what to set"),
                "write KEY=VALUE, or KEY= to unset it",
            )
        })?;
        let key = find_key(name)?;
        if changes.iter().any(|change| change.key.name == name) {
            return Err(Error::new(
                Kind::Usage,
                format!("`{name}` is set twice"),
                "say each key once",
            ));
        }
        let value = match value {
            "" => None,
            value => Some(settings::parse_value(key, value)?),
        };
        changes.push(Change { key, value });
    }
    Ok(changes)
}

fn find_key(name: &str) -> Result<&'static Key> {
    if let Some(key) = KEYS.iter().find(|key| key.name == name) {
        return Ok(key);
    }
    let names = KEYS.map(|key| key.name).join(", ");
    let why = if OF_THE_LOGIN.contains(&name) {
        format!("`{name}` is what the account's login says; it cannot be set")
    } else {
        format!("a profile has no `{name}`")
    };
    let hint = format!("what can be set: {names}");
    Err(Error::new(Kind::Usage, why, hint))
}

/// The file of a profile before and after.
struct Planned {
    profile: String,
    old: String,
    new: String,
    /// The same, read.
    after: profiles::Profile,
}

fn plan(all: &All, found: &Found, changes: &[Change]) -> Result<Planned> {
    let profile = &found.profile;
    let path = all.dir.join(&profile.name).join(PROFILE_TOML);
    let failed = |why: &str| {
        Error::other(
            format!("the profile `{}` cannot be changed: {why}", path.display()),
            MEND,
        )
    };
    let unknown = found.login.as_ref().err().filter(|_| !found.is_told);
    if let Some(reason) = found.broken.as_ref().or(unknown) {
        return Err(Error::other(reason, MEND));
    }
    for change in changes {
        let alias = change.value.as_ref().and_then(Value::as_str);
        if let Some(alias) = alias.filter(|_| change.key.name == "alias") {
            names::check_alias(&all.profiles, profile, alias)?;
        }
    }
    let old = fsutil::read_if_present(&path, MOST_BYTES)?.unwrap_or_default();
    let old = String::from_utf8(old).map_err(|_| failed("it is no text"))?;
    let mut new = old.clone();
    if let (false, Ok(Some(login))) = (found.is_told, &found.login) {
        new = credentials::completed(new, None, login, true).map_err(|why| failed(&why))?;
    }
    for Change { key, value } in changes {
        new = edit::with(&new, key.name, value.as_ref()).map_err(|why| failed(&why))?;
    }
    if new.len() as u64 > MOST_BYTES {
        return Err(failed("it would be too large"));
    }
    let after = toml::from_str(&new).map_err(|error| failed(error.message()))?;
    let name = profile.name.clone();
    Ok(Planned {
        after: profiles::Profile {
            name: name.clone(),
            ..after
        },
        profile: name,
        old,
        new,
    })
}

/// Tells what is so now, or would be.
fn answer(
    ctx: &Ctx,
    all: &All,
    planned: Planned,
    changes: &[Change],
    mode: &'static str,
) -> Result<()> {
    let standing = all.meant(&planned.profile)?;
    let found = Found {
        profile: planned.after,
        is_told: true,
        broken: None,
        login: standing.login.clone(),
    };
    let view = all.view(&found, ctx.now, &ctx.zone);
    let names: Vec<&str> = changes.iter().map(|change| change.key.name).collect();
    if names.contains(&"session_duration_hours") && view.session_duration_hours.is_some() {
        warn_of_twins(ctx, all, &view);
    }
    ctx.ui.done(&Answer {
        mode,
        profile: view,
        names,
    })
}

/// Legacy files name an email and no workspace.
fn warn_of_twins(ctx: &Ctx, all: &All, view: &View) {
    let Some(email) = view.email.as_deref() else {
        ctx.ui
            .warn("the hours do not count: legacy files name an email, and this profile has none");
        return;
    };
    let others = all.profiles.iter().filter(|other| {
        other.name != view.name
            && other
                .email
                .as_deref()
                .is_some_and(|of| of.eq_ignore_ascii_case(email))
    });
    let others: Vec<&str> = others.map(|other| other.name.as_str()).collect();
    if !others.is_empty() {
        ctx.ui.warn(&format!(
            "the hours do not count: legacy files name no more than {email}, which is the email of {} too",
            others.join(", ")
        ));
    }
}

#[derive(Serialize)]
struct Answer {
    mode: &'static str,
    profile: View,
    /// Of the keys that were named.
    #[serde(skip)]
    names: Vec<&'static str>,
}

impl Report for Answer {
    fn text(&self, _: &Page) -> String {
        let mut pairs = vec![(self.mode, self.profile.name.clone())];
        let settings = self.profile.settings().into_iter();
        pairs.extend(settings.filter(|(key, _)| self.names.contains(key)));
        lines(&pairs)
    }
}

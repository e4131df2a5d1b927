//! The profiles as they stand, and each as it is shown: whose it is, what is set, whether its login still signs in. No
//! token is in it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Found, Profile};
use crate::codex::auth::{Login, Validity};
use crate::codex::home;
use crate::error::{Error, Result};
use crate::metadata::Account;
use crate::timeutil::{Stamp, Zone};

/// The profiles as they stand.
#[derive(Debug)]
pub struct All {
    /// Where they lie.
    pub dir: PathBuf,
    /// Each, by name.
    pub found: Vec<Found>,
    /// What each says.
    pub profiles: Vec<Profile>,
    /// Whose login is live.
    active: Option<Account>,
}

impl All {
    /// Looks at those below `dir`, and at the login of `codex_home`.
    pub fn load(dir: &Path, codex_home: &Path) -> Result<Self> {
        let found = super::look(dir)?;
        let active = home::read_login(codex_home).ok().flatten();
        Ok(Self {
            dir: dir.to_owned(),
            profiles: found.iter().map(|found| found.profile.clone()).collect(),
            found,
            active: active.map(|(_, login)| login.account),
        })
    }

    /// The one that is meant by `name`, see [`super::meant`].
    pub fn meant(&self, name: &str) -> Result<&Found> {
        self.found(super::meant(&self.profiles, name)?)
    }

    /// The same, by an unambiguous beginning too, see [`super::names::begun`].
    pub fn begun(&self, name: &str) -> Result<&Found> {
        self.found(super::names::begun(&self.profiles, name)?)
    }

    fn found(&self, profile: &Profile) -> Result<&Found> {
        let mut found = self.found.iter();
        let found = found.find(|found| found.profile.name == profile.name);
        // There is one of each.
        found.ok_or_else(|| Error::other("the profile is gone", "run the command again"))
    }

    /// One of them as it is shown at `now`.
    pub fn view(&self, found: &Found, now: Stamp, zone: &Zone) -> View {
        let profile = found.profile.clone();
        let login = found.login.as_ref().ok().and_then(Option::as_ref);
        let account = found.account();
        let active = self.active.as_ref();
        View {
            active: active.is_some_and(|active| account.may_be(active)),
            name: profile.name,
            email: profile.email,
            account_id: profile.account_id,
            user_id: profile.user_id,
            plan_type: login
                .and_then(|login| login.plan_type.clone())
                .or(profile.plan_type),
            alias: profile.alias,
            paused: profile.paused,
            note: profile.note,
            session_duration_hours: profile.session_duration_hours,
            credential_refreshed_at: login.and_then(|login| login.refreshed_at(zone)),
            credential_state: State::of(&found.login, now),
        }
    }
}

/// One profile as it is shown.
#[derive(Debug, Serialize)]
pub struct View {
    /// The directory's name.
    pub name: String,
    /// The account's email.
    pub email: Option<String>,
    /// Its workspace.
    pub account_id: Option<String>,
    /// Its user.
    pub user_id: Option<String>,
    /// Its plan, as the login names it.
    pub plan_type: Option<String>,
    /// Its short name.
    pub alias: Option<String>,
    /// Whether the account is signed in.
    pub active: bool,
    /// Not to be recommended.
    pub paused: bool,
    /// Anything worth remembering.
    pub note: Option<String>,
    /// Assumed hours of its legacy sessions.
    pub session_duration_hours: Option<f64>,
    /// When the login was renewed last.
    pub credential_refreshed_at: Option<Stamp>,
    /// Whether the login still signs in.
    pub credential_state: State,
}

impl View {
    /// What its account is called.
    pub fn called(&self) -> Option<&str> {
        self.email.as_deref().or(self.user_id.as_deref())
    }

    /// What can be set, under the names by which it is.
    pub fn settings(&self) -> [(&'static str, String); 4] {
        let hours = self.session_duration_hours.map(|hours| hours.to_string());
        [
            ("alias", or_dash(self.alias.clone())),
            ("paused", self.paused.to_string()),
            ("note", or_dash(self.note.clone())),
            ("session_duration_hours", or_dash(hours)),
        ]
    }
}

/// A text in one line; `-` for what is not known.
pub fn or_dash(text: Option<String>) -> String {
    text.map_or("-".to_owned(), |text| text.replace(['\n', '\r'], " "))
}

/// What is known of the login in a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// See [`Validity::Valid`].
    Valid,
    /// See [`Validity::Renewable`].
    Renewable,
    /// See [`Validity::Expired`].
    Expired,
    /// There is none.
    Missing,
    /// It cannot be used.
    Unreadable,
}

impl State {
    fn of(login: &Result<Option<Login>, String>, now: Stamp) -> Self {
        match login {
            Err(_) => Self::Unreadable,
            Ok(None) => Self::Missing,
            Ok(Some(login)) => match login.validity(now) {
                Validity::Valid => Self::Valid,
                Validity::Renewable => Self::Renewable,
                Validity::Expired => Self::Expired,
            },
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Renewable => "renewable",
            Self::Expired => "expired",
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
        }
    }
}

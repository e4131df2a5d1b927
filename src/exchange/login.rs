//! Which login a restore installs: of the archive's, the profile's and the one in the home the freshest, since of one
//! account's logins only the newest is sure to sign in.

use std::path::Path;

use crate::codex::auth::{self, Login};
use crate::codex::home;
use crate::context::Ctx;
use crate::error::Result;
use crate::live;
use crate::profiles::credentials;
use crate::profiles::in_use::LoginLock;

/// Has the logins of the account that the archive's `auth_json` is of to itself: what is chosen must still be its newest
/// when it is installed.
pub fn hold(ctx: &Ctx, auth_json: Option<&[u8]>) -> Result<Option<LoginLock>> {
    let archived = auth_json.and_then(|bytes| auth::parse(bytes).ok());
    archived
        .map(|login| live::hold_login(ctx, &login.account))
        .transpose()
}

/// Warns where the account that the archive's `auth_json` is of was used on another machine last.
pub fn warn_of_other_machine(ctx: &Ctx, auth_json: Option<&[u8]>) {
    if let Some(archived) = auth_json.and_then(|bytes| auth::parse(bytes).ok()) {
        live::warn_of_other_machine(ctx, &archived.account);
    }
}

/// The login to install.
pub struct Chosen {
    /// `archive`, `profile` or `live`.
    pub source: &'static str,
    /// The file, where it is not the archive's.
    pub bytes: Option<Vec<u8>>,
    /// For a person: where it is from, where it is not the archive's.
    pub words: Option<String>,
}

impl Chosen {
    /// The archive's.
    fn archived() -> Self {
        Self {
            source: "archive",
            bytes: None,
            words: None,
        }
    }

    /// The freshest login of the very account that the archive's `auth_json` is of, None being the archive's whatever it
    /// is. An account that is not exactly known, or a login of another kind, has no other. `problems` gets what cannot be
    /// used.
    pub fn freshest(
        ctx: &Ctx,
        auth_json: Option<&[u8]>,
        dest: &Path,
        problems: &mut Vec<String>,
    ) -> Self {
        let archived = auth_json.and_then(|bytes| auth::parse(bytes).ok());
        let Some(archived) = archived.filter(|login| login.account.is_exact()) else {
            return Self::archived();
        };
        let latest = ctx.latest();
        let is_newer = |login: &Login, than: &Login| {
            login.account.is_same_as(&archived.account)
                && login.auth_mode == archived.auth_mode
                && than.freshness(latest) < login.freshness(latest)
        };
        let live = home::read_login(dest).ok().flatten();
        let live = live.filter(|(_, live)| is_newer(live, &archived));
        let (kept, unusable) = credentials::find(&ctx.paths.profiles(), &archived.account, latest);
        problems.extend(unusable);
        let newest = live.as_ref().map_or(&archived, |(_, live)| live);
        if let Some(kept) = kept.filter(|kept| is_newer(&kept.login, newest)) {
            return Self {
                source: "profile",
                words: Some(format!("that of the profile `{}`", kept.profile)),
                bytes: Some(kept.bytes),
            };
        }
        let Some((bytes, _)) = live else {
            return Self::archived();
        };
        Self {
            source: "live",
            bytes: Some(bytes),
            words: Some("the one that is signed in".to_owned()),
        }
    }
}

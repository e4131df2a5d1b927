//! `profile show`: one profile in full, and where it lies; never a token.

use std::path::PathBuf;

use serde::Serialize;

use crate::accounts;
use crate::codex::home::AUTH_JSON;
use crate::context::Ctx;
use crate::error::Result;
use crate::evidence::{Evidence, Reach};
use crate::metadata::Account;
use crate::profiles::PROFILE_TOML;
use crate::profiles::last_use::LastUse;
use crate::profiles::view::{View, or_dash};
use crate::ui::table::lines;
use crate::ui::{Page, Report};

pub(super) fn run(ctx: &Ctx, name: &str) -> Result<()> {
    let all = ctx.all_profiles()?;
    let found = all.begun(name)?;
    let view = all.view(found, ctx.now, &ctx.zone);
    let place = all.dir.join(&view.name);
    let (profile_toml, auth_json) = (place.join(PROFILE_TOML), place.join(AUTH_JSON));
    let has_login = !matches!(found.login, Ok(None));
    for problem in found.problems() {
        ctx.ui.warn(problem);
    }
    let answer = Answer {
        archive_name: archive_of(ctx, &found.profile.account())?,
        places: [&profile_toml, &auth_json].map(|path| ctx.paths.short(path)),
        last_used: LastUse::of(&found.profile),
        profile_toml: found.is_told.then_some(profile_toml),
        auth_json: has_login.then_some(auth_json),
        profile: view,
    };
    ctx.ui.data(&answer)
}

/// The snapshot that a restore of the account would take; none where it could be several accounts.
fn archive_of(ctx: &Ctx, account: &Account) -> Result<Option<String>> {
    let places = ctx.places(None, None)?;
    let latest = ctx.latest();
    // What is wrong with other evidence is told by the commands that go by it.
    let reach = Reach::Newest { latest };
    let mut evidence = Evidence::load(&places, ctx.now, &ctx.zone, reach, false, None)?;
    evidence.latest = Some(latest);
    let known = evidence.accounts();
    Ok(accounts::only(&known, account).and_then(|theirs| theirs.archive_name.clone()))
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    profile: View,
    archive_name: Option<String>,
    last_used: Option<LastUse>,
    profile_toml: Option<PathBuf>,
    auth_json: Option<PathBuf>,
    /// Both as a person reads them.
    #[serde(skip)]
    places: [String; 2],
}

impl Report for Answer {
    fn text(&self, _: &Page) -> String {
        let profile = &self.profile;
        let plan = profile.plan_type.as_ref();
        let plan = plan.map_or(String::new(), |plan| format!(" ({plan})"));
        let active = if profile.active { ", signed in" } else { "" };
        let renewed = profile.credential_refreshed_at;
        let renewed = renewed.map_or(String::new(), |at| format!(", renewed {at}"));
        let state = profile.credential_state.word();
        let used = self.last_used.as_ref();
        let used = used.map(|used| format!("on {}, {}", used.place(), used.at));
        let mut pairs = vec![
            ("profile", profile.name.clone()),
            (
                "account",
                format!("{}{plan}{active}", profile.called().unwrap_or("-")),
            ),
            ("workspace", or_dash(profile.account_id.clone())),
            ("user", or_dash(profile.user_id.clone())),
        ];
        pairs.extend(profile.settings());
        let [profile_toml, auth_json] = self.places.clone();
        pairs.extend([
            ("login", format!("{state}{renewed}")),
            ("last used", or_dash(used)),
            ("snapshot", or_dash(self.archive_name.clone())),
            (
                PROFILE_TOML,
                or_dash(self.profile_toml.is_some().then_some(profile_toml)),
            ),
            (
                AUTH_JSON,
                or_dash(self.auth_json.is_some().then_some(auth_json)),
            ),
        ]);
        lines(&pairs)
    }
}

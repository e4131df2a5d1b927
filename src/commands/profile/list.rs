//! `profile list`: every profile, whose it is and whether its login still signs in.

use std::collections::HashMap;

use serde::Serialize;

use crate::codex::home;
use crate::context::Ctx;
use crate::error::Result;
use crate::profiles::Found;
use crate::profiles::view::{State, View, or_dash};
use crate::timeutil::Stamp;
use crate::ui::table::{Table, Tone, ago, column, long, passing};
use crate::ui::{Page, Report};

pub(super) fn run(ctx: &Ctx) -> Result<()> {
    let all = ctx.all_profiles()?;
    for problem in all.found.iter().flat_map(Found::problems) {
        ctx.ui.warn(problem);
    }
    if let Err(error) = home::read_login(&ctx.paths.codex_home) {
        ctx.ui.warn(&error.to_string());
    }
    if all.found.is_empty() {
        ctx.ui.note(&format!(
            "no profile in `{}` yet: `{}` makes one for the account that is signed in",
            ctx.paths.short(&all.dir),
            ctx.typed("codex-manager backup")
        ));
    }
    let profiles = all
        .found
        .iter()
        .map(|found| all.view(found, ctx.now, &ctx.zone));
    ctx.ui.data(&Answer {
        profiles: profiles.collect(),
    })
}

#[derive(Serialize)]
struct Answer {
    profiles: Vec<View>,
}

impl Report for Answer {
    fn text(&self, page: &Page) -> String {
        if self.profiles.is_empty() {
            return String::new();
        }
        let columns = [
            long("PROFILE", 0),
            column("ACCOUNT", 2),
            column("LOGIN", 0),
            column("RENEWED", 3),
            passing("AGE", 6),
            column("PLAN", 4),
            column("NOTE", 5),
        ];
        let mut table = Table::new(&columns);
        let mut count_of: HashMap<Option<&str>, usize> = HashMap::new();
        for profile in &self.profiles {
            *count_of.entry(profile.called()).or_default() += 1;
        }
        for profile in &self.profiles {
            let tone = match profile.credential_state {
                _ if profile.paused => Tone::Dim,
                State::Valid | State::Renewable => Tone::Good,
                _ => Tone::Plain,
            };
            let mark = if profile.active { "*" } else { " " };
            let alias = profile.alias.as_ref();
            let alias = alias.map_or(String::new(), |alias| format!(" ({alias})"));
            let paused = if profile.paused { ", paused" } else { "" };
            // One email in several workspaces: what tells the rows apart.
            let has_twins = count_of
                .get(&profile.called())
                .is_some_and(|count| *count > 1);
            let workspace = profile.account_id.as_ref().filter(|_| has_twins);
            let workspace = workspace.map_or(String::new(), |id| format!(" [{id}]"));
            let renewed = profile.credential_refreshed_at.map(Stamp::table_form);
            table.row(
                tone,
                [
                    format!("{mark} {}{alias}{paused}", profile.name),
                    format!("{}{workspace}", profile.called().unwrap_or("-")),
                    profile.credential_state.word().to_owned(),
                    or_dash(renewed),
                    ago(profile.credential_refreshed_at, page).into_owned(),
                    or_dash(profile.plan_type.clone()),
                    or_dash(profile.note.clone()),
                ],
            );
        }
        table.render(page)
    }
}

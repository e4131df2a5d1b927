//! `profile rename`: gives a profile's directory another name. Nothing else goes by it.

use std::fs;

use serde::Serialize;

use crate::context::Ctx;
use crate::error::{Error, Kind, Result};
use crate::fsutil;
use crate::profiles::names;
use crate::profiles::view::{All, View};
use crate::ui::table::lines;
use crate::ui::{Page, Report};

pub(super) fn run(ctx: &Ctx, name: &str, new_name: &str, dry_run: bool) -> Result<()> {
    // Refused before the home is made: a slip of the hand leaves nothing behind.
    let all = ctx.all_profiles()?;
    let old = check(&all, name, new_name)?;
    if old == new_name {
        return answer(ctx, &all, old, new_name, "unchanged");
    }
    if dry_run {
        return answer(ctx, &all, old, new_name, "dry-run");
    }
    let _held = ctx.lock("profile rename")?;
    let all = ctx.all_profiles()?;
    let old = check(&all, name, new_name)?;
    fsutil::rename_or_stay(&all.dir.join(&old), &all.dir.join(new_name))?;
    answer(ctx, &all, old, new_name, "renamed")
}

/// The name of the profile that is meant, which may be called `new_name`.
fn check(all: &All, name: &str, new_name: &str) -> Result<String> {
    let found = all.begun(name)?;
    let old = found.profile.name.clone();
    if old == new_name {
        return Ok(old);
    }
    names::check_name(&all.profiles, &found.profile, new_name)?;
    // Also what is no profile is in the way.
    let failed = |error| Error::io("list", &all.dir, error);
    for entry in fs::read_dir(&all.dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let standing = entry.file_name();
        let standing = standing.to_string_lossy();
        if *standing != *old && names::is_same(&standing, new_name) {
            return Err(Error::new(
                Kind::Usage,
                format!("`{}` stands in the way", entry.path().display()),
                "move it away, or take another name",
            ));
        }
    }
    Ok(old)
}

fn answer(ctx: &Ctx, all: &All, from: String, new_name: &str, mode: &'static str) -> Result<()> {
    let mut view = all.view(all.meant(&from)?, ctx.now, &ctx.zone);
    new_name.clone_into(&mut view.name);
    ctx.ui.done(&Answer {
        mode,
        from,
        profile: view,
    })
}

#[derive(Serialize)]
struct Answer {
    mode: &'static str,
    /// What it was called.
    from: String,
    profile: View,
}

impl Report for Answer {
    fn text(&self, _: &Page) -> String {
        let to = self.profile.name.clone();
        lines(&[(self.mode, self.from.clone()), ("to", to)])
    }
}

//! Looking at all accounts again and again: what is known is read anew each time, for it changes while somebody waits, and with
//! `--live` Codex is asked anew now and then.

use std::time::Duration;

use super::table::{self, Asked, Asking, Whom};
use crate::accounts::Row;
use crate::cli::LegacyArgs;
use crate::context::Ctx;
use crate::error::{Error, Kind, Outcome, Result};
use crate::fsutil;
use crate::metadata::Account;
use crate::observation::Observation;
use crate::timeutil::Stamp;

/// How often what is known is read anew. Others may have asked Codex, or a window was reset before its end.
const READ_EVERY: i64 = 5;
/// How often Codex is asked anew, in seconds.
const ASK_EVERY: i64 = 300;

/// How to look.
pub struct Looking<'a> {
    asking: Asking<'a>,
    legacy: &'a LegacyArgs,
    refreshes: bool,
    seen: Vec<(Account, Observation)>,
    asked_at: Stamp,
    /// Whether all were asked, the last time.
    pub outcome: Outcome,
}

impl<'a> Looking<'a> {
    /// Asks for the first time, where anybody is to be asked.
    pub fn begin(
        ctx: &Ctx,
        asking: Asking<'a>,
        legacy: &'a LegacyArgs,
        refreshes: bool,
    ) -> Result<Self> {
        warn_of_missing(ctx, &asking, legacy, refreshes)?;
        let Asked { seen, outcome } = table::ask(ctx, &asking)?;
        Ok(Self {
            asking,
            legacy,
            refreshes,
            seen,
            asked_at: ctx.now,
            outcome,
        })
    }

    /// Every account as of now, the usable ones first; to be looked at once more.
    pub fn rows(&mut self, ctx: &Ctx) -> Result<Vec<Row>> {
        self.look(ctx, false)
    }

    /// The same where nobody looks again.
    pub fn rows_at_last(&mut self, ctx: &Ctx) -> Result<Vec<Row>> {
        self.look(ctx, true)
    }

    fn look(&mut self, ctx: &Ctx, is_last: bool) -> Result<Vec<Row>> {
        let dry_run = self.asking.dry_run;
        let refresh = self.refreshes;
        // Written, it need not be done again.
        self.refreshes &= dry_run;
        ctx.rows(
            self.legacy,
            refresh,
            dry_run,
            self.asking.backup_dir,
            self.seen.clone(),
            is_last,
        )
    }

    /// Whether anybody is asked, and the last answer is old.
    pub fn is_answer_old(&self, ctx: &Ctx) -> bool {
        self.asking.whom != Whom::Nobody && since(self.asked_at, ctx.now) >= ASK_EVERY
    }

    /// Asks once more. A failure is told: what was known is known still.
    pub fn ask_again(&mut self, ctx: &Ctx) -> Result<()> {
        self.asked_at = ctx.now;
        match table::ask(ctx, &self.asking) {
            Ok(Asked { seen, outcome }) => {
                self.seen = seen;
                self.outcome = outcome;
            }
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => ctx.ui.warn(&format!(
                "codex was asked again, and did not answer: {error}"
            )),
        }
        Ok(())
    }

    /// Waits until an account is usable that is not paused; then every account as of then. Asked of Codex where
    /// anybody is asked, and not only reckoned.
    pub fn until_usable(&mut self, ctx: &mut Ctx) -> Result<Vec<Row>> {
        let mut told = None;
        let mut is_confirmed = true;
        loop {
            let rows = self.rows(ctx)?;
            let Some(next) = next_usable(&rows) else {
                return Err(all_paused());
            };
            if next.is_usable() && (is_confirmed || self.asking.whom == Whom::Nobody) {
                return Ok(rows);
            }
            if next.is_usable() || self.is_answer_old(ctx) {
                self.ask_again(ctx)?;
                is_confirmed = true;
                continue;
            }
            // Whom it is waited for changes with what others do.
            let awaited = Some((next.account(), next.usable_at));
            if told != awaited {
                told = awaited;
                ctx.ui.note(&waiting(next, &rows));
            }
            is_confirmed = false;
            let left = next.usable_at.map_or(READ_EVERY, |at| since(ctx.now, at));
            ctx.sleep(seconds(left.clamp(1, READ_EVERY)))?;
            ctx.catch_up();
        }
    }
}

/// Tells which places somebody said that are not there: nothing is known from them.
fn warn_of_missing(ctx: &Ctx, asking: &Asking, legacy: &LegacyArgs, refreshes: bool) -> Result<()> {
    let said = [
        (
            "--backup-dir",
            asking.backup_dir.map(|dir| ctx.backup_dir(Some(dir))),
        ),
        (
            "--inventory-path",
            legacy
                .inventory_path
                .as_deref()
                .map(|file| ctx.inventory_path(Some(file))),
        ),
        (
            "--source-dir",
            legacy
                .source_dir
                .as_deref()
                // To read it and not to find it is an error.
                .filter(|_| !refreshes)
                .map(|dir| ctx.legacy_dir(Some(dir))),
        ),
    ];
    for (flag, path) in said {
        let Some(path) = path.transpose()? else {
            continue;
        };
        if !fsutil::exists_behind(&path)? {
            let path = ctx.paths.short(&path);
            ctx.ui
                .warn(&format!("`{path}`, which `{flag}` names, does not exist"));
        }
    }
    Ok(())
}

/// Of those that are not paused the first that is usable.
fn next_usable(rows: &[Row]) -> Option<&Row> {
    rows.iter()
        .filter(|row| !row.paused)
        .min_by_key(|row| row.usable_order())
}

/// Nobody is left to be recommended, or waited for.
pub fn all_paused() -> Error {
    Error::new(
        Kind::NotFound,
        "every known account is paused",
        "`codex-manager profile set NAME paused=false` has one recommended again",
    )
}

fn waiting(next: &Row, rows: &[Row]) -> String {
    match next.usable_at {
        Some(at) => format!(
            "waiting for {}, which is the first to be usable: in {}, at {}",
            next.name_among(rows),
            next.usable_in(),
            at.table_form()
        ),
        None => "waiting for any account to be usable: nobody says when one will be".to_owned(),
    }
}

fn since(earlier: Stamp, later: Stamp) -> i64 {
    later.since(earlier).num_seconds()
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(count.unsigned_abs())
}

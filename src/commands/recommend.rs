//! `recommend`: which account to use next, and why. Reads; with `--live` it asks Codex first, with `--refresh` it normalizes the legacy
//! files first; with `--use` it signs the account in, with `--restore` it says which snapshot is to be restored.

use serde::Serialize;

use crate::accounts::{Finder, Row};
use crate::advice::{choose, rank, reason};
use crate::cli::{Policy, RecommendArgs, RestoreArgs};
use crate::context::Ctx;
use crate::error::{Error, Kind, Outcome, Result};
use crate::evidence::{Evidence, Reach};
use crate::exchange::switch::{self, How, Used};
use crate::live::looking::{self, Looking};
use crate::live::table::{Asking, Whom};
use crate::snapshots::{self, Depth};
use crate::ui::table::printable;
use crate::ui::{Page, Report};

/// What comes of it.
pub enum Next {
    /// All is done.
    Done(Outcome),
    /// A snapshot is to be restored; and what came of what was done before.
    Restore(Box<RestoreArgs>, Outcome),
}

/// Runs the command.
pub fn run(ctx: &mut Ctx, args: &RecommendArgs) -> Result<Next> {
    // Where profiles cannot be listed it is not known who is paused: then nobody is waited for either.
    ctx.note_kept_logins(&mut [])?;
    let backup_dir = args.backup_dir.as_deref();
    let asking = Asking {
        whom: Whom::of(args.live, args.all),
        how: &args.asking,
        command: "recommend",
        backup_dir,
        dry_run: args.dry_run,
    };
    let mut looking = Looking::begin(ctx, asking, &args.legacy, args.refresh)?;
    let mut rows = if args.wait {
        looking.until_usable(ctx)?
    } else {
        looking.rows_at_last(ctx)?
    };
    ctx.note_kept_logins(&mut rows)?;
    let policy = ctx.policy(args.policy);
    let Some(account) = choose(&rows, policy) else {
        return Err(looking::all_paused());
    };
    if args.restore && account.is_usable() {
        let restore = restoring(ctx, args, &rows, policy)?;
        return Ok(Next::Restore(Box::new(restore), looking.outcome));
    }
    let (account, used) = if args.use_it && account.is_usable() {
        let (account, used) = sign_in(ctx, args, &rows, policy)?;
        (account, Some(used))
    } else {
        (account, None)
    };
    let ready = account.is_usable();
    let reason = reason(account, &rows, policy);
    ctx.ui.data(&Advice {
        account: account.clone(),
        called: account.name_among(&rows),
        reason,
        policy,
        ready,
        used,
    })?;
    Ok(Next::Done(if ready {
        looking.outcome
    } else {
        Outcome::NoneUsable
    }))
}

/// The restore of the newest snapshot of the account to use next, which is told with the reason. One that is usable and has
/// none is passed over, and told.
fn restoring(ctx: &Ctx, args: &RecommendArgs, rows: &[Row], policy: Policy) -> Result<RestoreArgs> {
    let places = ctx.places(args.backup_dir.as_deref(), None)?;
    let reach = Reach::Every(Depth::Whole);
    let evidence = Evidence::load(&places, ctx.now, &ctx.zone, reach, false, None)?;
    let known = evidence.accounts();
    let finder = Finder::new(&known);
    for row in by_rank(rows, policy) {
        let account = row.account();
        let theirs = evidence.snapshots.iter().filter(|snapshot| {
            let of = finder.of_snapshot(snapshot).and_then(|of| known.get(of));
            of.is_some_and(|of| of.account.may_be(&account))
        });
        let Some(snapshot) = snapshots::newest(theirs, false) else {
            let name = row.name_among(rows);
            ctx.ui.warn(&format!(
                "{name} is passed over: there is no snapshot of it"
            ));
            continue;
        };
        ctx.ui.note(&format!(
            "{}: {}",
            row.name_among(rows),
            reason(row, rows, policy)
        ));
        return Ok(RestoreArgs {
            from_archive: Some(snapshot.archive_name()),
            backup_dir: args.backup_dir.clone(),
            force: args.force,
            yes: args.yes,
            dry_run: args.dry_run,
            ..RestoreArgs::default()
        });
    }
    Err(Error::new(
        Kind::NotFound,
        "there is no snapshot of any account that is usable now",
        "`codex-manager recommend --use` signs in one whose login is known",
    ))
}

/// The accounts that are usable now, the one to use next first.
fn by_rank(rows: &[Row], policy: Policy) -> Vec<&Row> {
    let mut usable: Vec<&Row> = rows
        .iter()
        .filter(|row| !row.paused && row.is_usable())
        .collect();
    usable.sort_by(|a, b| rank(a, policy).cmp(&rank(b, policy)));
    usable
}

/// Signs in the account to use next. One that is usable and of which no sound login is known is passed over, and told.
fn sign_in<'a>(
    ctx: &Ctx,
    args: &RecommendArgs,
    rows: &'a [Row],
    policy: Policy,
) -> Result<(&'a Row, Used)> {
    let how = How {
        backup_dir: args.backup_dir.as_deref(),
        restart_hint: false,
        force: args.force,
        dry_run: args.dry_run,
    };
    let evidence = switch::evidence(ctx, how)?;
    let known = evidence.accounts();
    for row in by_rank(rows, policy) {
        match switch::switch(ctx, how, &evidence, &known, &row.account()) {
            Ok(used) => return Ok((row, used)),
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::ArchiveDamaged) => {
                ctx.ui
                    .warn(&format!("{} is passed over: {error}", row.name_among(rows)));
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(
        Kind::NotFound,
        "no login is known of any account that is usable now",
        "sign in to one of them once: `codex-manager profile login NAME`",
    ))
}

#[derive(Serialize)]
struct Advice {
    account: Row,
    #[serde(skip)]
    called: String,
    reason: String,
    policy: Policy,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<Used>,
}

impl Report for Advice {
    fn text(&self, _: &Page) -> String {
        let row = &self.account;
        let window = match (row.session_start_at, row.next_available_at) {
            (Some(start), Some(next)) => format!("{} to {next}", start.0),
            _ => "none is running".to_owned(),
        };
        let mut text = format!(
            "account    {}\nstatus     {}\nusable     {}\nwindow     {}\narchive    {}\nreason     {}\n",
            printable(&self.called),
            row.status.word(),
            row.usable_in(),
            window,
            printable(row.archive_name.as_deref().unwrap_or("-")),
            printable(&self.reason),
        );
        if let Some(used) = &self.used {
            text.push_str(&format!(
                "{:<10} in {}: {}\n",
                used.mode,
                printable(&used.places.0),
                printable(&used.login)
            ));
        }
        text
    }
}

//! `recommend`: which account to use next, and why. Reads; with `--live` it asks Codex first, with `--refresh` it normalizes the legacy
//! files first; with `--use` it signs the account in.

use serde::Serialize;

use crate::accounts::Row;
use crate::advice::{choose, rank, reason};
use crate::cli::{Policy, RecommendArgs};
use crate::context::Ctx;
use crate::error::{Error, Kind, Outcome, Result};
use crate::exchange::switch::{self, How, Used};
use crate::live::looking::{self, Looking};
use crate::live::table::{Asking, Whom};
use crate::ui::table::printable;
use crate::ui::{Page, Report};

/// Runs the command.
pub fn run(ctx: &mut Ctx, args: &RecommendArgs) -> Result<Outcome> {
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
    Ok(if ready {
        looking.outcome
    } else {
        Outcome::NoneUsable
    })
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
    let mut usable: Vec<&Row> = rows
        .iter()
        .filter(|row| !row.paused && row.is_usable())
        .collect();
    usable.sort_by(|a, b| rank(a, policy).cmp(&rank(b, policy)));
    for row in usable {
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

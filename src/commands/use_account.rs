//! `use`: signs another account in to the Codex home, with the freshest login that is known of it.

mod list;

use crate::accounts::{self, Known};
use crate::cli::UseArgs;
use crate::context::Ctx;
use crate::error::{Error, Kind, Outcome, Result};
use crate::exchange::switch::{self, How, Used};
use crate::exchange::target;
use crate::metadata::Account;
use crate::ui::table::printable;
use crate::ui::{Page, Report};

/// What `-` means: whoever was signed in before.
const BEFORE: &str = "-";

/// Runs the command.
pub fn run(ctx: &Ctx, args: &UseArgs) -> Result<Outcome> {
    let how = How {
        backup_dir: args.backup_dir.as_deref(),
        restart_hint: args.restart_hint,
        force: args.force,
        dry_run: args.dry_run,
    };
    let target = args.target.as_ref().or(args.email.as_ref());
    if target.is_none() && !ctx.ui.can_choose {
        return Err(Error::new(
            Kind::Usage,
            "nothing says whom to sign in",
            "name an email, a profile or an alias; `codex-manager cooldown` shows every account",
        ));
    }
    let evidence = switch::evidence(ctx, how)?;
    let known = evidence.accounts();
    let account = match target.map(String::as_str) {
        None => chosen(ctx, &known)?,
        Some(BEFORE) => {
            let now = evidence.active.as_ref().map(|login| &login.account);
            target::before(&evidence, &ctx.paths.codex_home, now)?
        }
        Some(name) => target::account(ctx, &known, name)?,
    };
    let used = switch::switch(ctx, how, &evidence, &known, &account)?;
    if args.dry_run {
        ctx.ui.data(&used)?;
    } else {
        ctx.ui.done(&used)?;
    }
    Ok(Outcome::Done)
}

/// The account that a person chooses from a list.
fn chosen(ctx: &Ctx, known: &[Known]) -> Result<Account> {
    let mut rows = accounts::rows(known, ctx.now, &ctx.zone);
    ctx.note_kept_logins(&mut rows)?;
    let rows = list::ordered(rows, ctx.policy(None));
    if rows.is_empty() {
        return Err(ctx.no_accounts());
    }
    // The terminal is set back before a signal ends the process.
    let _in_hand = ctx.in_hand();
    let chosen = ctx.ui.choose(list::of(&rows, ctx.now), &|| ctx.stopped())?;
    let account = rows.get(chosen).map(accounts::Row::account);
    account.ok_or_else(|| ctx.no_accounts())
}

impl Report for Used {
    fn text(&self, _: &Page) -> String {
        let (home, copy) = &self.places;
        let mut text = format!(
            "{:<9} {}\ninto      {home}\nlogin     {}\n",
            self.mode,
            printable(&self.who),
            printable(&self.login)
        );
        if let Some(before) = &self.before {
            text.push_str(&format!("before    {}\n", printable(before)));
        }
        if let Some(copy) = copy {
            text.push_str(&format!(
                "replaced  {} (`{}` puts it back)\n",
                printable(copy),
                printable(&self.undo)
            ));
        }
        match self.restart.as_deref() {
            None => {}
            Some([]) => text.push_str("restart   nothing: no Codex is open on this home\n"),
            Some(open) => text.push_str(&format!(
                "restart   {}: the login that was there is used until then\n",
                printable(&open.join(", "))
            )),
        }
        text
    }
}

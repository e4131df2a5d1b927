//! `doctor`: everything that the other commands rely on, looked at one after another and judged by the rules that they go by.
//! Asks nobody but a Codex that reaches nobody, unless `--live` is said, and changes nothing, unless `--fix` is.

mod check;
mod codex;
mod codex_home;
mod facts;
mod left;
mod login;
mod manager;
mod modes;
mod remote;
mod repair;
mod snapshots;

use crate::cli::DoctorArgs;
use crate::context::Ctx;
use crate::error::{Kind, Outcome, Result};
use check::{Answer, Check};
use facts::Facts;

/// Runs the command.
pub fn run(ctx: &Ctx, args: &DoctorArgs) -> Result<Outcome> {
    let facts = Facts::gather(ctx)?;
    // What takes long is asked once, whatever is repaired.
    let asked = Asked::of(&facts, args)?;
    let mut checks = all(&facts, &asked);
    if args.fix && args.dry_run {
        for check in &mut checks {
            let repair = check.repair.as_ref();
            check.would_fix = repair.map(|repair| repair.words(ctx));
        }
    } else if args.fix && checks.iter().any(|check| check.repair.is_some()) {
        let fixed = fix(ctx, &checks)?;
        checks = all(&Facts::gather(ctx)?, &asked);
        tell(&mut checks, fixed);
    }
    for hint in checks.iter_mut().filter_map(|check| check.hint.as_mut()) {
        // No flag says here which Codex is asked.
        let said = hint.replace("`--codex-command` or ", "");
        *hint = ctx.with_typed(&said, &ctx.paths.codex_home);
    }
    let answer = Answer::of(checks, ctx.ui.quiet);
    ctx.ui.data(&answer)?;
    Ok(if answer.failed > 0 {
        Outcome::Unwell
    } else {
        Outcome::Done
    })
}

/// What others said, and what takes long to read.
struct Asked {
    codex: Vec<Check>,
    service: Check,
    remote: Vec<Check>,
    /// None where the snapshots were not read.
    unsound: Option<Vec<Check>>,
}

impl Asked {
    fn of(facts: &Facts, args: &DoctorArgs) -> Result<Self> {
        Ok(Self {
            codex: codex::checks(facts.ctx)?,
            service: if args.live {
                codex::service(facts, args.dry_run)?
            } else {
                codex::unasked()
            },
            remote: remote::remote(facts, args.live)?,
            unsound: args.verify.then(|| snapshots::unsound(facts)).transpose()?,
        })
    }
}

/// Every check, in the order in which they matter to somebody new.
fn all(facts: &Facts, asked: &Asked) -> Vec<Check> {
    let service = vec![asked.service.clone()];
    [
        asked.codex.clone(),
        codex_home::home(facts),
        codex_home::settings(facts),
        codex_home::store(facts),
        codex_home::environment(facts),
        login::signed_in(facts),
        service,
        codex_home::running(facts),
        manager::home(facts),
        modes::modes(facts),
        manager::older_home(facts),
        manager::config(facts),
        manager::zone(facts),
        manager::clock(facts),
        login::profiles(facts),
        login::machines(facts),
        login::accounts(facts),
        snapshots::snapshots(facts, asked.unsound.as_deref()),
        snapshots::records(facts),
        snapshots::space(facts),
        left::restore(facts),
        left::leftovers(facts),
        left::locks(facts),
        remote::encryption(facts),
        asked.remote.clone(),
    ]
    .concat()
}

/// Repairs what can be; what was done, by the name of the check. What cannot be is told, as is a lock that nobody can take:
/// then nothing is repaired.
fn fix(ctx: &Ctx, checks: &[Check]) -> Result<Vec<(&'static str, String)>> {
    let mut fixed = Vec::new();
    let (lock, _in_hand) = match ctx.lock("doctor") {
        Ok(held) => held,
        Err(error) if matches!(error.kind(), Kind::Locked | Kind::Interrupted) => {
            return Err(error);
        }
        Err(error) => {
            ctx.ui
                .warn(&format!("nothing was repaired: {error}; {}", error.hint()));
            return Ok(fixed);
        }
    };
    for check in checks {
        let Some(repair) = &check.repair else {
            continue;
        };
        ctx.check_stop()?;
        match repair.carry_out(ctx, &lock) {
            Ok(done) => fixed.push((check.name, done)),
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => {
                let hint = ctx.with_typed(error.hint(), &ctx.paths.codex_home);
                ctx.ui.warn(&format!("{error}; {hint}"));
            }
        }
    }
    Ok(fixed)
}

/// Says what was repaired beside the first check of that name.
fn tell(checks: &mut [Check], fixed: Vec<(&'static str, String)>) {
    for (name, done) in fixed {
        if let Some(check) = checks.iter_mut().find(|check| check.name == name) {
            check.fixed.push(done);
        }
    }
}

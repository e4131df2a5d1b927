//! The Codex that is there: which, which version, whether it answers.

use std::time::Duration;

use super::check::Check;
use super::facts::Facts;
use crate::cli::LiveArgs;
use crate::codex::presence::{self, Alone};
use crate::codex::program::Program;
use crate::codex::status::app_server;
use crate::codex::status::{Asking, Clock, Refusal};
use crate::context::Ctx;
use crate::error::{Error, Kind, Result};
use crate::install;
use crate::live::table::{self, Whom};

const CODEX: &str = "codex";
const APP_SERVER: &str = "app-server";
const ACCOUNT: &str = "service";

/// How long the app-server may take to say who it is.
const TO_GREET: Duration = Duration::from_secs(20);

/// Runs Codex, which reaches nobody. Fails on a signal.
pub fn checks(ctx: &Ctx) -> Result<Vec<Check>> {
    let program = match ctx.codex(&LiveArgs::default()) {
        Ok(program) => program,
        Err(error) => {
            return Ok(vec![
                Check::of_error(CODEX, &error),
                Check::warn(
                    APP_SERVER,
                    "not asked: there is no Codex",
                    "see `codex` above",
                ),
            ]);
        }
    };
    let _in_hand = ctx.in_hand();
    let alone = match Alone::make() {
        Ok(alone) => alone,
        Err(error) => {
            return Ok(vec![
                Check::of_error(CODEX, &error),
                Check::warn(
                    APP_SERVER,
                    "not asked: Codex was not run",
                    "see `codex` above",
                ),
            ]);
        }
    };
    let (version, greeting) = (version(ctx, &program, &alone), greet(ctx, &program, &alone));
    ctx.check_stop()?;
    Ok(vec![
        of_version(ctx, &program, version),
        of_app_server(greeting),
    ])
}

fn version(ctx: &Ctx, program: &Program, alone: &Alone) -> Result<String> {
    presence::version(program, alone, &ctx.stop())
}

fn greet(ctx: &Ctx, program: &Program, alone: &Alone) -> Result<Option<String>, Refusal> {
    app_server::greet(&Asking {
        program,
        home: alone.home(),
        timeout: TO_GREET,
        may_renew: false,
        stop: &ctx.stop(),
        is_urgent: &|| ctx.is_urgent(),
        tell: &|_| (),
        clock: Clock {
            now: ctx.now,
            zone: &ctx.zone,
            reference_year: None,
            is_system_time: ctx.is_system_time,
        },
    })
}

fn of_version(ctx: &Ctx, program: &Program, version: Result<String>) -> Check {
    let words = [ctx.paths.short(&program.path)].into_iter();
    let words: Vec<String> = words.chain(program.args.clone()).collect();
    let line = words.join(" ");
    let version = match version {
        Ok(version) => version,
        Err(error) => return Check::of_error(CODEX, &error),
    };
    let is_said = ctx.settings().text("codex_command").is_some();
    let others = if is_said {
        Vec::new()
    } else {
        presence::others(program, Program::all_on(Ctx::variable("PATH")))
    };
    if others.is_empty() {
        return Check::ok(CODEX, format!("{version}, {line}"));
    }
    let others: Vec<String> = others.iter().map(|path| ctx.paths.short(path)).collect();
    Check::warn(
        CODEX,
        format!(
            "{version}, {line}; PATH has another one: {}",
            others.join(", ")
        ),
        "remove the one that you do not use, or say which is asked: `codex-manager config set codex_command PATH`",
    )
}

fn of_app_server(greeting: Result<Option<String>, Refusal>) -> Check {
    match greeting {
        Ok(Some(version)) => Check::ok(APP_SERVER, format!("answers, {version}")),
        Ok(None) => Check::ok(APP_SERVER, "answers"),
        Err(Refusal::TooOld(error)) => Check::warn(
            APP_SERVER,
            format!("{error}; its panel is asked instead, which takes longer"),
            "update Codex",
        ),
        Err(Refusal::Failed(error)) => Check::of_error(APP_SERVER, &error),
    }
}

/// Asks Codex, and so its service, about whoever is signed in, as `cooldown --live` does: a login that is renewed is kept.
/// Fails on a signal.
pub fn service(facts: &Facts, dry_run: bool) -> Result<Check> {
    let ctx = facts.ctx;
    if install::is_cut_short(&facts.home).unwrap_or(true) {
        return Ok(Check::warn(
            ACCOUNT,
            "not asked: a restore into the Codex home was cut short",
            "see `restore` below",
        ));
    }
    match facts.signed_in() {
        Some(login) if !login.is_api_key() => {}
        Some(_) => {
            return Ok(Check::ok(
                ACCOUNT,
                "not asked: a key has no window to ask about",
            ));
        }
        None => {
            return Ok(Check::warn(
                ACCOUNT,
                "not asked: nobody is signed in that could be asked about",
                "see `login` below",
            ));
        }
    }
    let asked = table::ask(
        ctx,
        &table::Asking {
            whom: Whom::Active,
            how: &LiveArgs::default(),
            command: "doctor",
            backup_dir: None,
            dry_run,
        },
    );
    let seen = match asked {
        Ok(asked) => asked.seen,
        Err(error) if error.kind() == Kind::Interrupted => return Err(error),
        Err(error) => return Ok(of_failure(&error)),
    };
    let said = seen.into_iter().map(|(account, observation)| {
        let left = observation.quota_percent_left;
        let left = left.map_or("its window is not known".to_owned(), |left| {
            format!("{left}% of its window left")
        });
        format!("knows {account}, {left}")
    });
    let said: Vec<String> = said.collect();
    Ok(Check::ok(ACCOUNT, said.join("; ")))
}

fn of_failure(error: &Error) -> Check {
    if error.kind() == Kind::Locked {
        return Check::warn(ACCOUNT, format!("not asked: {error}"), error.hint());
    }
    Check::of_error(ACCOUNT, error)
}

/// What stands in its place where nobody is asked.
pub fn unasked() -> Check {
    Check::ok(ACCOUNT, "not asked; `--live` does")
}

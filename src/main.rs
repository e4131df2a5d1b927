//! codex-manager: looks after a person's OpenAI Codex accounts on their machine.
//!
//! A table of contents: parse, resolve, dispatch, map the result to an exit code.

mod accounts;
mod advice;
mod archive;
mod bundle;
mod capture;
mod cli;
mod codex;
mod commands;
mod context;
mod databases;
mod encryption;
mod error;
mod evidence;
mod exchange;
mod fsutil;
#[cfg(test)]
mod fuzz;
mod hint;
mod install;
mod inventory;
mod legacy;
mod live;
mod lock;
mod metadata;
mod observation;
mod parcel;
mod profiles;
mod registry;
mod remote;
mod retention;
mod settings;
mod snapshots;
mod stop;
mod sync;
mod threads;
mod timeline;
mod timeutil;
mod ui;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;

use cli::{Cli, Command, ConfigAction};
use commands::recommend::Next;
use context::{Ctx, Demand};
use error::{Error, Kind, Outcome, Result};
use stop::Stop;

fn main() -> ExitCode {
    // Whatever is made without a mode of its own is private too.
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let args: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::read(&args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &args),
    };
    if let Some(Command::Completions(args)) = &cli.command
        && let Some(shell) = args.shell
        && !args.line.is_empty()
    {
        commands::completions::answer(shell, &args.line);
        return Outcome::Done.into();
    }
    let stop = Stop::default();
    let (told, json) = (stop.clone(), cli.globals.json);
    stop.listen(move || {
        // Not on the line of a question.
        if !json && std::io::IsTerminal::is_terminal(&std::io::stderr()) {
            eprintln!();
        }
        ui::Ui::plain(json).error(&Error::interrupted());
        std::process::exit(i32::from(Kind::Interrupted.exit_code()));
    });
    let demand = match &cli.command {
        // Where the settings are must be told even when they cannot be read.
        Some(Command::Config(args)) if args.action == ConfigAction::Path => Demand::NoSettings,
        // What is wrong with them is what it is asked for.
        Some(Command::Doctor(_)) => Demand::Any,
        _ => Demand::Sound,
    };
    let mut ctx = match Ctx::resolve(&cli.globals, cli.command.as_ref(), stop, demand) {
        Ok(ctx) => ctx,
        Err(error) => return failed(&ui::Ui::plain(cli.globals.json), &error),
    };
    if cli.command.as_ref().is_none_or(Command::is_of_times) {
        ctx.warn_of_zone();
    }
    match run(&mut ctx, cli.command.as_ref()) {
        Ok(outcome) => outcome.into(),
        // The handler is at it, and ends the process.
        Err(error) if error.kind() == Kind::Interrupted && !told.is_first_to_tell() => loop {
            std::thread::park();
        },
        Err(error) => {
            let hint = ctx.with_typed(error.hint(), &ctx.paths.codex_home);
            failed(&ctx.ui, &error.with_hint(hint))
        }
    }
}

fn run(ctx: &mut Ctx, command: Option<&Command>) -> Result<Outcome> {
    let Some(command) = command else {
        return commands::overview::run(ctx);
    };
    match command {
        Command::Normalize(args) => commands::normalize::run(ctx, args),
        Command::Backup(args) => commands::backup::run(ctx, args),
        Command::Restore(args) => commands::restore::run(ctx, args),
        Command::Use(args) => commands::use_account::run(ctx, args),
        Command::ListBackups(args) => commands::list_backups::run(ctx, args),
        Command::Cooldown(args) => commands::cooldown::run(ctx, args),
        Command::Recommend(args) => match commands::recommend::run(ctx, args)? {
            Next::Done(outcome) => Ok(outcome),
            Next::Restore(args, so_far) => Ok(commands::restore::run(ctx, &args)?.after(so_far)),
        },
        Command::Status(args) => commands::status::run(ctx, args),
        Command::Prune(args) => commands::prune::run(ctx, args),
        Command::Profile(args) => commands::profile::run(ctx, args),
        Command::Sync(args) => commands::sync::run(ctx, args),
        Command::Doctor(args) => commands::doctor::run(ctx, args),
        Command::Config(args) => commands::config::run(ctx, args),
        Command::Completions(args) => commands::completions::run(ctx, args),
        Command::Man(args) => commands::man::run(ctx, args),
    }
}

fn failed(ui: &ui::Ui, error: &Error) -> ExitCode {
    ui.error(error);
    ExitCode::from(error.kind().exit_code())
}

/// Help and version are answers; anything else clap says is a usage error, as JSON where JSON was asked for.
fn usage(error: &clap::Error, args: &[OsString]) -> ExitCode {
    let is_answer = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if !is_answer && args.iter().any(|arg| arg == "--json") {
        let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        let missing = is_help.then(|| cli::subcommands_of(args)).flatten();
        let (message, hint) = match missing {
            Some((command, names)) => (
                format!(
                    "nothing says what `{command}` is to do: {}",
                    names.join(", ")
                ),
                format!("`codex-manager {command} --help` shows what each does"),
            ),
            None => words_of(&error.render().to_string()),
        };
        return failed(
            &ui::Ui::plain(true),
            &Error::new(Kind::Usage, message, hint),
        );
    }
    let _ = error.print();
    ExitCode::from(if is_answer {
        Outcome::Done.exit_code()
    } else {
        Kind::Usage.exit_code()
    })
}

/// What clap says, without the usage it repeats: the failure in one line, and its tip where it has one.
fn words_of(text: &str) -> (String, String) {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let said: Vec<&str> = lines
        .filter(|line| {
            !["Usage:", "For more information", "[subcommands:"]
                .iter()
                .any(|start| line.starts_with(start))
        })
        .collect();
    let (tips, said): (Vec<&str>, Vec<&str>) =
        said.into_iter().partition(|line| line.starts_with("tip: "));
    let message = said.join(" ").trim_start_matches("error: ").to_owned();
    let hint = match tips.first() {
        Some(tip) => tip.trim_start_matches("tip: ").to_owned(),
        None => "`codex-manager --help` and `codex-manager COMMAND --help` show what can be said"
            .to_owned(),
    };
    (message, hint)
}

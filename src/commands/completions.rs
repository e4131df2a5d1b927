//! `completions`: the script by which a shell completes command lines of this program, and what that script asks.
//!
//! The script hands the line over, `completions SHELL -- WORDS…`, and is told what can stand at its end. Who asks is at a
//! prompt: nothing is warned of, written or locked, and where anything is wrong nothing is offered.

mod bash;
mod line;
mod values;

use std::ffi::OsString;
use std::path::Path;

use clap::CommandFactory as _;
use clap::ValueEnum as _;
use serde::Serialize;

use crate::cli::{Cli, CompletionsArgs, Shell};
use crate::context::Ctx;
use crate::error::{Error, Kind, Outcome, Result};
use crate::ui::table::steers;
use crate::ui::{Page, Report, Ui};
use line::{Line, Place};
use values::{Candidate, Offer};

/// Prints the script.
pub fn run(ctx: &Ctx, args: &CompletionsArgs) -> Result<Outcome> {
    let shell = match args.shell {
        Some(shell) => shell,
        None => usual(ctx.shell().as_deref())?,
    };
    ctx.ui.data(&Script {
        shell,
        script: script(shell),
    })?;
    Ok(Outcome::Done)
}

#[derive(Serialize)]
struct Script {
    shell: Shell,
    script: &'static str,
}

impl Report for Script {
    fn text(&self, _: &Page) -> String {
        self.script.to_owned()
    }

    fn is_laid_out(&self) -> bool {
        true
    }
}

fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => include_str!("completions/scripts/bash.sh"),
        Shell::Zsh => include_str!("completions/scripts/zsh.zsh"),
        Shell::Fish => include_str!("completions/scripts/fish.fish"),
        Shell::Powershell => include_str!("completions/scripts/powershell.ps1"),
        Shell::Elvish => include_str!("completions/scripts/elvish.elv"),
    }
}

/// The shell that `path` is.
fn usual(path: Option<&Path>) -> Result<Shell> {
    let all: Vec<_> = Shell::value_variants()
        .iter()
        .filter_map(|shell| Some(shell.to_possible_value()?.get_name().to_owned()))
        .collect();
    let hint = format!("say for which: {}", all.join(", "));
    let Some(path) = path else {
        let message = "no shell is named, and SHELL is not set";
        return Err(Error::new(Kind::Usage, message, hint));
    };
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Shell::from_str(&name, true).map_err(|_| {
        let message = format!("no shell is named, and of `{name}`, as SHELL says, none is known");
        Error::new(Kind::Usage, message, hint)
    })
}

/// Tells a script what can stand at the end of `words`. Never fails.
pub fn answer(shell: Shell, words: &[OsString]) {
    let words: Vec<String> = words
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let told = match shell {
        Shell::Bash => bash::answer(&words),
        _ => plain(shell, words),
    };
    // Nobody is there to be told.
    let _ = Ui::plain(false).verbatim(&told);
}

/// A line for each word, `WORD<tab>ABOUT<tab>-` where the line goes on within the word; or one for paths,
/// `:dirs<tab>BEFORE<tab>BEGUN`.
fn plain(shell: Shell, mut words: Vec<String>) -> String {
    let word = words.pop().unwrap_or_default();
    let word = match shell {
        // There an empty word would not arrive.
        Shell::Powershell => word.strip_prefix('=').unwrap_or(&word),
        _ => &word,
    };
    let word = word.strip_prefix(['\'', '"']).unwrap_or(word);
    // These choose among what is offered by rules of their own.
    let chooses = matches!(shell, Shell::Zsh | Shell::Fish | Shell::Elvish);
    let (before, offer) = offered(&words, word, chooses);
    match offer {
        Offer::Paths { begun, dirs } => {
            let kind = if dirs { "dirs" } else { "files" };
            format!(":{kind}\t{before}\t{begun}\n")
        }
        Offer::Words(words) => {
            let line = |word: &Candidate| {
                let goes_on = if word.goes_on { "\t-" } else { "" };
                format!("{before}{}\t{}{goes_on}\n", word.value, word.about)
            };
            words.iter().map(line).collect()
        }
    }
}

/// What can stand in place of `word` behind `words`, the first of which is the program: what of `word` stays, and what may
/// follow that. With `chooses` words are offered that do not begin as `word` does.
fn offered(words: &[String], word: &str, chooses: bool) -> (String, Offer) {
    let mut root = Cli::command();
    root.build();
    let line = Line::read(&root, words.get(1..).unwrap_or_default());
    let (before, begun, offer) = match line.place(word) {
        Place::Value { arg, before, begun } => {
            let mut offer = values::of(&line, arg, &before, begun);
            if before.is_empty() {
                offer.without_dashes();
            }
            (before, begun, offer)
        }
        Place::Word(positional) => {
            let mut all = line.commands();
            let mut paths = None;
            let mut offer = positional.map(|arg| values::of(&line, arg, "", word));
            if let Some(offer) = offer.as_mut().filter(|_| !line.is_escaped) {
                offer.without_dashes();
            }
            match offer {
                Some(Offer::Words(words)) => all.extend(words),
                Some(offer) => paths = Some(offer),
                None => {}
            }
            match paths {
                Some(paths) if !word.starts_with('-') => (String::new(), word, paths),
                _ => {
                    if word.starts_with('-') || all.is_empty() {
                        all.extend(line.options());
                    }
                    (String::new(), word, Offer::Words(all))
                }
            }
        }
    };
    let offer = match offer {
        Offer::Words(mut words) => {
            words.retain(|one| chooses || one.value.starts_with(begun));
            let mut seen = std::collections::HashSet::new();
            // What is no text for a terminal cannot be typed either.
            words.retain(|one| {
                !one.value.is_empty()
                    && !one.value.contains(steers)
                    && seen.insert(one.value.clone())
            });
            Offer::Words(words)
        }
        paths @ Offer::Paths { .. } => paths,
    };
    (before, offer)
}

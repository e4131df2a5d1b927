//! `man`: the manual pages, made from the command line and its help as they stand.

use std::path::{Path, PathBuf};

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory as _};
use roff::{Roff, bold, italic, roman};
use serde::Serialize;

use crate::cli::{Cli, ManArgs};
use crate::context::Ctx;
use crate::error::{Error, Kind, Outcome, Result};
use crate::fsutil;
use crate::ui::{Page as Screen, Report};

/// Where things are, as each page tells.
const FILES: &[(&str, &str)] = &[
    ("~/.codex/", "the Codex home"),
    ("~/.codex-manager/config.toml", "the settings"),
    ("~/.codex-manager/backups/", "the snapshots"),
    (
        "~/.codex-manager/profiles/",
        "the accounts, each with its freshest login",
    ),
    (
        "~/.codex-manager/inventory.json",
        "what hand-named login copies said",
    ),
    (
        "~/.codex-manager/cooldown.json",
        "what was last seen of each account's window",
    ),
];

/// Runs the command.
pub fn run(ctx: &Ctx, args: &ManArgs) -> Result<Outcome> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    match &args.dir {
        Some(dir) => {
            let mut pages = Vec::new();
            all(&root, None, &mut pages);
            let written = write(ctx, dir, &pages, args.dry_run)?;
            ctx.ui.done(&written)?;
        }
        None => ctx.ui.data(&one(&root, &args.command)?)?,
    }
    Ok(Outcome::Done)
}

/// One page.
#[derive(Serialize)]
struct Page {
    /// What it is called, `codex-manager-use`.
    name: String,
    roff: String,
}

impl Report for Page {
    fn text(&self, _: &Screen) -> String {
        self.roff.clone()
    }

    fn is_laid_out(&self) -> bool {
        true
    }
}

/// What was written, or would be.
#[derive(Serialize)]
struct Written {
    mode: &'static str,
    dir: PathBuf,
    files: Vec<String>,
    #[serde(skip)]
    place: String,
}

impl Report for Written {
    fn text(&self, _: &Screen) -> String {
        let count = self.files.len();
        format!("{:<10}{count} pages in {}\n", self.mode, self.place)
    }
}

/// The page of the command that `words` name.
fn one(root: &Command, words: &[String]) -> Result<Page> {
    let (mut command, mut above) = (root, None);
    for word in words {
        let below = command.find_subcommand(word);
        let Some(below) = below else {
            let names: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
            let hint = match names.as_slice() {
                [] => "it has no commands below it".to_owned(),
                names => format!("there are: {}", names.join(", ")),
            };
            // Only those below the root have one.
            let name = command.get_bin_name().unwrap_or(command.get_name());
            let message = format!("`{name}` has no command `{word}`");
            return Err(Error::new(Kind::Usage, message, hint));
        };
        (command, above) = (below, Some(command));
    }
    Ok(page(command, above))
}

fn all(command: &Command, above: Option<&Command>, pages: &mut Vec<Page>) {
    pages.push(page(command, above));
    for below in command.get_subcommands() {
        all(below, Some(command), pages);
    }
}

fn called(command: &Command) -> &str {
    command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
}

fn page(command: &Command, above: Option<&Command>) -> Page {
    let name = called(command);
    let mut roff = Roff::default();
    roff.control("SH", ["NAME"]);
    roff.text([roman(format!(
        "{name} - {}",
        first_line(command.get_about())
    ))]);
    roff.control("SH", ["SYNOPSIS"]);
    synopsis(&mut roff, command);
    let about = text(command.get_long_about());
    // The first is what the name is followed by.
    for (place, part) in about.split("\n\n").enumerate().skip(1) {
        if place == 1 {
            roff.control("SH", ["DESCRIPTION"]);
        } else {
            roff.control("PP", []);
        }
        roff.text([roman(part.replace('\n', " "))]);
    }
    let below: Vec<_> = command.get_subcommands().collect();
    if !below.is_empty() {
        roff.control("SH", ["COMMANDS"]);
    }
    for one in below {
        tagged(
            &mut roff,
            &format!("{}(1)", called(one)),
            &first_line(one.get_about()),
        );
    }
    arguments(&mut roff, command);
    after(&mut roff, command, above);
    // No day, so that the same program makes the same page.
    let title = name.to_uppercase();
    let version = env!("CARGO_PKG_VERSION");
    Page {
        name: name.to_owned(),
        roff: format!(
            ".TH \"{title}\" \"1\" \"\" \"codex-manager {version}\" \"codex-manager\"\n{}",
            ascii(&roff.render())
        ),
    }
}

/// `text` with what old readers do not know by its name.
fn ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() {
            plain.push(letter);
        } else {
            plain.push_str(&format!("\\[u{:04X}]", u32::from(letter)));
        }
    }
    plain
}

fn synopsis(roff: &mut Roff, command: &Command) {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let words = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let rest = usage.strip_prefix(words).unwrap_or_default();
    roff.text([bold(words), roman(rest)]);
}

/// Positionals and options, those of every command last, as in the help.
fn arguments(roff: &mut Roff, command: &Command) {
    let all = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let all: Vec<&Arg> = all.collect();
    let mut headings: Vec<&str> = Vec::new();
    for arg in &all {
        let heading = heading(arg);
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for one in headings {
        roff.control("SH", [one.to_uppercase().as_str()]);
        for arg in all.iter().filter(|arg| heading(arg) == one) {
            argument(roff, arg);
        }
    }
}

fn heading(arg: &Arg) -> &str {
    let own = if arg.is_positional() {
        "Arguments"
    } else {
        "Options"
    };
    arg.get_help_heading().unwrap_or(own)
}

fn argument(roff: &mut Roff, arg: &Arg) {
    let mut term = Vec::new();
    let short = arg.get_short().map(|short| format!("-{short}"));
    let longs = arg.get_long_and_visible_aliases().unwrap_or_default();
    let longs = longs.into_iter().map(|long| format!("--{long}"));
    for name in short.into_iter().chain(longs) {
        if !term.is_empty() {
            term.push(roman(", "));
        }
        term.push(bold(name));
    }
    let takes_value = arg.is_positional() || arg.get_action().takes_values();
    if let Some(names) = arg.get_value_names().filter(|_| takes_value) {
        let between = if term.is_empty() { "" } else { " " };
        let names = names.iter().map(clap::builder::Str::as_str);
        term.push(roman(between));
        term.push(italic(names.collect::<Vec<_>>().join(" ")));
    }
    roff.control("TP", []);
    roff.text(term);
    roff.text([roman(first_line(arg.get_help()))]);
    let words = if takes_value {
        arg.get_possible_values()
    } else {
        Vec::new()
    };
    if !words.is_empty() {
        roff.control("RS", []);
    }
    for word in words.iter().filter(|word| !word.is_hide_set()) {
        tagged(roff, word.get_name(), &first_line(word.get_help()));
    }
    if !words.is_empty() {
        roff.control("RE", []);
    }
}

fn text(text: Option<&StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

fn first_line(styled: Option<&StyledStr>) -> String {
    let text = text(styled);
    text.lines().next().unwrap_or_default().to_owned()
}

/// The sections that the long help ends with, and those that are the same on each page.
fn after(roff: &mut Roff, command: &Command, above: Option<&Command>) {
    for line in text(command.get_after_long_help()).lines() {
        let words = line.trim_start();
        match (line.len() - words.len(), words) {
            (_, "") => {}
            (0, heading) => {
                let heading = heading.trim_end_matches(':');
                let heading = if heading == "Exit codes" {
                    "Exit status"
                } else {
                    heading
                };
                roff.control("SH", [heading.to_uppercase().as_str()]);
            }
            (2, words) => {
                let (code, meaning) = words.split_once(' ').unwrap_or((words, ""));
                // An exit code stands before its meaning, any other term above it.
                if code.bytes().all(|byte| byte.is_ascii_digit()) {
                    tagged(roff, code, meaning);
                } else {
                    roff.control("TP", []);
                    roff.text([bold(words)]);
                }
            }
            (_, words) => roff_line(roff, words),
        }
    }
    roff.control("SH", ["FILES"]);
    for (path, what) in FILES {
        tagged(roff, path, what);
    }
    let root = above.map(|_| "codex-manager");
    let above = above.map(called).filter(|above| Some(*above) != root);
    let below = command.get_subcommands().map(called);
    let names: Vec<&str> = root.into_iter().chain(above).chain(below).collect();
    roff.control("SH", ["SEE ALSO"]);
    let last = names.len().saturating_sub(1);
    for (place, name) in names.iter().enumerate() {
        let end = if place == last { "(1)" } else { "(1)," };
        roff.control("BR", [*name, end]);
    }
}

fn tagged(roff: &mut Roff, term: &str, what: &str) {
    roff.control("TP", []);
    roff.text([bold(term)]);
    roff_line(roff, what.trim_start());
}

fn roff_line(roff: &mut Roff, words: &str) {
    roff.text([roman(words)]);
}

/// Writes the pages, for all to read.
fn write(ctx: &Ctx, dir: &Path, pages: &[Page], dry_run: bool) -> Result<Written> {
    let dir = ctx.codex_home(Some(dir))?;
    let file = |page: &Page| format!("{}.1", page.name);
    if !dry_run {
        for page in pages {
            fsutil::write_for_all(&dir.join(file(page)), page.roff.as_bytes())?;
        }
    }
    Ok(Written {
        mode: if dry_run { "dry-run" } else { "written" },
        place: ctx.paths.short(&dir),
        files: pages.iter().map(file).collect(),
        dir,
    })
}

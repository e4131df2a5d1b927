//! What the value of an argument can be: accounts, archives and the like, read from where the line says they lie.

use std::path::PathBuf;

use clap::{Arg, Command};

use super::line::{Line, first_line};
use crate::accounts::Row;
use crate::cli::Globals;
use crate::context::{Ctx, Demand};
use crate::metadata::{ARCHIVE_SUFFIX, BackupName};
use crate::observation::Status;
use crate::profiles;
use crate::settings::{self, KEYS, Takes};
use crate::snapshots;
use crate::stop::Stop;
use crate::timeutil::{Stamp, Zone};
use crate::ui::table::steers;

/// A word that can be typed.
pub struct Candidate {
    /// The word.
    pub value: String,
    /// What it is, in a few words.
    pub about: String,
    /// Whether something is to follow in the same word.
    pub goes_on: bool,
}

impl Candidate {
    /// A whole word.
    pub fn new(value: impl Into<String>, about: &str) -> Self {
        Self {
            value: value.into(),
            about: about.split(steers).collect::<Vec<_>>().join(" "),
            goes_on: false,
        }
    }

    fn beginning(value: impl Into<String>, about: &str) -> Self {
        Self {
            goes_on: true,
            ..Self::new(value, about)
        }
    }
}

/// What can be typed.
pub enum Offer {
    /// One of these, the likeliest first.
    Words(Vec<Candidate>),
    /// A path that begins like this; the shell knows best how.
    Paths { begun: String, dirs: bool },
}

impl Offer {
    /// Leaves out what would be taken for an option.
    pub fn without_dashes(&mut self) {
        if let Self::Words(words) = self {
            words.retain(|one| one.value.len() < 2 || !one.value.starts_with('-'));
        }
    }
}

/// What the value of `arg` can be, that begins with `begun` behind `before`.
pub fn of(line: &Line, arg: &Arg, before: &str, begun: &str) -> Offer {
    let paths = |dirs| Offer::Paths {
        begun: begun.to_owned(),
        dirs,
    };
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        // Of several in one word, with commas between.
        let taken: Vec<&str> = match before.strip_suffix(',') {
            Some(before) => before.split([',', '=']).collect(),
            None => Vec::new(),
        };
        let free = possible.iter().filter(|one| {
            let name = one.get_name();
            !one.is_hide_set() && !taken.contains(&name)
        });
        let words = free.map(|one| Candidate::new(one.get_name(), &first_line(one.get_help())));
        return Offer::Words(words.collect());
    }
    let name = arg.get_value_names().and_then(|names| names.first());
    let words = match name.map_or("", |name| name.as_str()) {
        "DIR" => return paths(true),
        "COMMAND" if arg.get_id() == "command" => pages(line),
        "FILE" | "COMMAND" => return paths(false),
        "ACCOUNT" => with_profiles(line, true),
        "NAME" => with_profiles(line, false),
        "EMAIL" => accounts(line),
        "TARGET" => {
            let mut words = accounts(line);
            // A person's accounts are few, their archives may be thousands.
            if !begun.is_empty() {
                let archives = archives(line).into_iter();
                words.extend(archives.filter(|one| one.value.starts_with(begun)));
            }
            if words.iter().all(|one| !one.value.starts_with(begun)) {
                return paths(false);
            }
            words
        }
        "ARCHIVE" => {
            let words = archives(line);
            if words.iter().all(|one| !one.value.starts_with(begun)) {
                return paths(false);
            }
            words
        }
        "TIME" if arg.get_id() == "session_start" => windows(line),
        "ZONE" => zones(),
        "URL" => ["s3://", "gs://", "az://", "https://", "file:///"]
            .map(|start| Candidate::beginning(start, ""))
            .into(),
        "KEY" => {
            let keys = KEYS.iter();
            keys.map(|key| Candidate::new(key.name, key.about))
                .collect()
        }
        "VALUE" => {
            let key = line
                .said_of("key")
                .and_then(|key| settings::find_key(key).ok());
            match key.map(|key| key.takes) {
                Some(Takes::Path) => return paths(false),
                Some(Takes::Zone) => zones(),
                Some(Takes::Word(words)) => plain(words),
                Some(Takes::Bool) => plain(&["true", "false"]),
                _ => Vec::new(),
            }
        }
        "KEY=VALUE" => match begun.split_once('=') {
            Some(("paused", _)) => plain(&["paused=true", "paused=false"]),
            Some(_) => Vec::new(),
            None => [
                ("alias=", "a short name to type"),
                ("paused=", "whether it is not recommended"),
                ("note=", "anything worth remembering"),
                (
                    "session_duration_hours=",
                    "assumed hours of its legacy sessions",
                ),
            ]
            .map(|(key, about)| Candidate::beginning(key, about))
            .into(),
        },
        "ARGS" => plain(&["--device-auth", "--with-api-key"]),
        _ => Vec::new(),
    };
    Offer::Words(words)
}

fn plain(words: &[&str]) -> Vec<Candidate> {
    words.iter().map(|word| Candidate::new(*word, "")).collect()
}

fn zones() -> Vec<Candidate> {
    Zone::names().map(|name| Candidate::new(name, "")).collect()
}

/// The commands that have a page, behind those that were said.
fn pages(line: &Line) -> Vec<Candidate> {
    let mut root = <crate::cli::Cli as clap::CommandFactory>::command();
    root.build();
    let said = line.said.iter();
    let mut said = said.filter(|(arg, _)| arg.get_id() == "command");
    let found = said.try_fold(&root, |at: &Command, (_, word)| at.find_subcommand(word));
    let below = found.into_iter().flat_map(Command::get_subcommands);
    let below = below.filter(|one| one.get_name() != "help");
    below
        .map(|one| Candidate::new(one.get_name(), &first_line(one.get_about())))
        .collect()
}

/// What is known where the line says it lies; None where nothing can be.
fn world(line: &Line) -> Option<Ctx> {
    let path = |id| line.said_of(id).map(PathBuf::from);
    let globals = Globals {
        manager_home: path("manager_home"),
        codex_home: path("codex_home"),
        timezone: line.said_of("timezone").map(str::to_owned),
        now: line.said_of("now").and_then(Stamp::parse),
        ..Globals::default()
    };
    Ctx::resolve(&globals, None, Stop::default(), Demand::Any).ok()
}

fn backup_dir(line: &Line) -> Option<PathBuf> {
    line.said_of("backup_dir").map(PathBuf::from)
}

fn rows(line: &Line, ctx: &Ctx) -> Vec<Row> {
    ctx.rows_in_silence(backup_dir(line).as_deref())
}

/// Emails and aliases, the usable first.
fn accounts(line: &Line) -> Vec<Candidate> {
    let rows = world(line).map(|ctx| rows(line, &ctx)).unwrap_or_default();
    let emails = rows
        .iter()
        .map(|row| Candidate::new(row.name(), &state(row)));
    let aliases = rows.iter().filter_map(|row| {
        let about = format!("{}, {}", row.name(), state(row));
        Some(Candidate::new(row.alias.as_deref()?, &about))
    });
    emails.chain(aliases).collect()
}

/// The same and the profiles' names; before all of it `-` with `and_before`. Else only who has a profile.
fn with_profiles(line: &Line, and_before: bool) -> Vec<Candidate> {
    let Some(ctx) = world(line) else {
        return Vec::new();
    };
    let rows = rows(line, &ctx);
    let found = profiles::look(&ctx.paths.profiles()).unwrap_or_default();
    let mut words = Vec::new();
    let mut emails = Vec::new();
    for row in rows.iter().filter(|_| and_before) {
        emails.push(Candidate::new(row.name(), &state(row)));
    }
    for found in &found {
        let account = found.account();
        let row = rows.iter().find(|row| row.account().is_same_as(&account));
        let row = row.or_else(|| rows.iter().find(|row| row.account().may_be(&account)));
        let state = row.map(state).unwrap_or_default();
        let called = found.profile.called().unwrap_or_default();
        let about = match state.as_str() {
            "" => called.to_owned(),
            state => format!("{called}, {state}"),
        };
        words.push(Candidate::new(&found.profile.name, &about));
        if let Some(alias) = &found.profile.alias {
            words.push(Candidate::new(alias, &about));
        }
        emails.push(Candidate::new(called, &state));
    }
    if !and_before {
        words.extend(emails);
        return words;
    }
    emails.extend(words);
    emails.push(Candidate::new("-", "whoever was signed in before"));
    emails
}

/// An account's state in a few words.
fn state(row: &Row) -> String {
    let mut text = row.status.word().to_owned();
    match (row.status, row.quota_percent_left) {
        (Status::Cooldown, _) => {
            text.push(' ');
            text.push_str(&row.usable_in());
        }
        (Status::Open, Some(left)) => text.push_str(&format!(", {left}% left")),
        _ => {}
    }
    if row.active {
        text.push_str(", signed in");
    }
    if row.paused {
        text.push_str(", paused");
    }
    text
}

/// The names of the archives, the newest window first.
fn archives(line: &Line) -> Vec<Candidate> {
    let Some(ctx) = world(line) else {
        return Vec::new();
    };
    let Ok(dir) = ctx.backup_dir(backup_dir(line).as_deref()) else {
        return Vec::new();
    };
    let names = snapshots::archive_names(&dir).into_iter().rev();
    names.map(|name| Candidate::new(name, "")).collect()
}

/// When the windows opened that there are snapshots of, the newest first.
fn windows(line: &Line) -> Vec<Candidate> {
    let names = archives(line).into_iter();
    let mut windows: Vec<Candidate> = Vec::new();
    for name in names {
        let base = name.value.trim_end_matches(ARCHIVE_SUFFIX);
        let Some((_, owner)) = BackupName::split(base) else {
            continue;
        };
        let Some(time) = base.get(.."2026-04-14-155500".len()) else {
            continue;
        };
        match windows.last_mut().filter(|last| last.value == time) {
            Some(last) => last.about = format!("{}, {owner}", last.about),
            None => windows.push(Candidate::new(time, owner)),
        }
    }
    windows
}

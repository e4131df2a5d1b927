//! Codex's runtime state, removed from a Codex home on which no Codex is open; what a person made only where it is named.
//!
//! Whatever goes is moved into a directory of our own first, so that it is there wholly or not at all, and is removed in
//! there: what a killed run leaves of that goes with the next run that enters the home.

mod plan;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::PruneArgs;
use crate::codex::home;
use crate::codex::parts::Parts;
use crate::context::Ctx;
use crate::error::{self, Error, Kind, Outcome, Result};
use crate::exchange::in_use;
use crate::fsutil::{self, TemporaryDir};
use crate::ui::table::{Table, Tone, column, count, long, number, size_words};
use crate::ui::{Page, Report};

use plan::Item;

/// What is refused while a Codex is open.
const COMMAND: &str = "prune --codex-state";

pub(super) fn run(ctx: &Ctx, args: &PruneArgs) -> Result<Outcome> {
    let home = ctx.codex_home(args.source_dir.as_deref())?;
    check_home(&home)?;
    let parts: Parts = args.include.iter().map(|work| (*work).into()).collect();
    in_use::refuse(ctx, COMMAND, &home, args.dry_run)?;
    let items = plan::of(&home, parts)?;
    let mut answer = Answer::new(args.dry_run);
    if args.dry_run {
        for item in items {
            answer.take(&home, item);
        }
        ctx.ui.data(&answer)?;
        return Ok(Outcome::Done);
    }
    let asked = asked_for(&items);
    if !asked.is_empty() {
        let question = format!(
            "remove {} from `{}` for good?",
            asked.join(", "),
            ctx.paths.short(&home)
        );
        ctx.ui
            .confirm_what("removes a person's work", &question, args.yes)?;
    }
    let _in_hand = ctx.in_hand();
    let _home = ctx.enter_home(&home)?;
    // What a killed run was about to remove.
    fsutil::sweep(&home);
    in_use::refuse(ctx, COMMAND, &home, false)?;
    let items = plan::of(&home, parts)?;
    // What was confirmed is what goes.
    if !args.yes && asked_for(&items) != asked {
        return Err(Error::other(
            format!(
                "`{}` changed meanwhile; nothing was removed",
                ctx.paths.short(&home)
            ),
            "run the command again",
        ));
    }
    let mut outcome = Outcome::Done;
    let mut trash = Trash::default();
    for mut item in items {
        if item.goes {
            ctx.check_stop()?;
            if let Err(why) = trash.take(ctx, &home, &item) {
                let place = ctx.paths.short(&home.join(&item.name));
                ctx.ui.warn(&format!("cannot remove `{place}`: {why}"));
                item.stay(&format!("it could not be removed: {why}"));
                outcome = Outcome::Partial;
            }
        }
        answer.take(&home, item);
    }
    if trash.empty() {
        // What is told to be gone does not come back with a power cut.
        fsutil::sync_dir(&home)?;
    }
    ctx.ui.done(&answer)?;
    Ok(outcome)
}

/// Fails where `home` is none: other directories have a `tmp` and a `log` too.
fn check_home(home: &Path) -> Result<()> {
    if !home.is_dir() {
        return Err(Error::other(
            format!("there is no Codex home at `{}`", home.display()),
            "say where it is with `--source-dir` or CODEX_HOME",
        ));
    }
    if home::is_like_one(home)? {
        return Ok(());
    }
    Err(Error::new(
        Kind::Usage,
        format!(
            "`{}` looks like no Codex home; nothing was changed",
            home.display()
        ),
        "name a Codex home with `--source-dir`",
    ))
}

/// What goes for having been asked for, in words.
fn asked_for(items: &[Item]) -> Vec<String> {
    let asked = items.iter().filter(|item| item.is_asked_for);
    asked
        .map(|item| format!("`{}` ({})", item.name, size_words(item.size)))
        .collect()
}

/// Where things are moved to be removed.
#[derive(Default)]
struct Trash {
    dir: Option<TemporaryDir>,
    /// How many were moved there.
    moved: usize,
}

impl Trash {
    /// Removes it; whether there was any.
    fn empty(self) -> bool {
        self.dir.is_some()
    }

    /// Removes all that is of `item`, or nothing but what a directory has lost already; why not.
    fn take(&mut self, ctx: &Ctx, home: &Path, item: &Item) -> Result<(), String> {
        // One may have been started since.
        let open = in_use::open_on(ctx, home);
        if !open.is_empty() {
            return Err(format!("codex was opened meanwhile: {}", open.join(", ")));
        }
        if self.dir.is_none() {
            self.dir = Some(TemporaryDir::make(home).map_err(|error| error.to_string())?);
        }
        let mut moved: Vec<(PathBuf, PathBuf)> = Vec::new();
        for file in &item.files {
            let from = home.join(file);
            let to = self.place();
            if let Err(why) = fs::rename(&from, &to) {
                // A database goes with its log, or both stay.
                for (from, to) in moved.iter().rev() {
                    let _ = fs::rename(to, from);
                }
                return Err(error::describe(&why));
            }
            moved.push((from, to));
        }
        for (from, to) in &moved {
            let is_dir = fs::symlink_metadata(to).is_ok_and(|meta| meta.is_dir());
            let removed = if is_dir {
                // A part of it may not be removed, which the next run is to tell again.
                fs::remove_dir_all(to).inspect_err(|_| drop(fs::rename(to, from)))
            } else {
                // Where that fails it is gone from its place, and goes with the directory.
                fs::remove_file(to)
            };
            removed.map_err(|why| error::describe(&why))?;
        }
        Ok(())
    }

    /// A name of its own for what comes next.
    fn place(&mut self) -> PathBuf {
        self.moved += 1;
        let dir = self.dir.as_ref().map_or(Path::new(""), TemporaryDir::path);
        dir.join(self.moved.to_string())
    }
}

/// What goes or stays, as it is told.
#[derive(Serialize)]
struct Entry {
    path: PathBuf,
    part: &'static str,
    size_bytes: u64,
    reasons: Vec<String>,
    #[serde(skip)]
    name: String,
}

#[derive(Serialize)]
struct Answer {
    mode: &'static str,
    deleted: Vec<Entry>,
    kept: Vec<Entry>,
    freed_bytes: u64,
}

impl Answer {
    fn new(dry_run: bool) -> Self {
        Self {
            mode: if dry_run { "dry-run" } else { "pruned" },
            deleted: Vec::new(),
            kept: Vec::new(),
            freed_bytes: 0,
        }
    }

    fn take(&mut self, home: &Path, item: Item) {
        let goes = item.goes;
        let entry = Entry {
            path: home.join(&item.name),
            part: item.part.word(),
            size_bytes: item.size,
            reasons: vec![item.why],
            name: item.name,
        };
        if goes {
            self.freed_bytes += entry.size_bytes;
            self.deleted.push(entry);
        } else {
            self.kept.push(entry);
        }
    }
}

impl Report for Answer {
    fn text(&self, page: &Page) -> String {
        let is_dry = self.mode == "dry-run";
        // Whoever runs it by the clock is not told each time that there was nothing to do.
        if page.width.is_none() && self.deleted.is_empty() && !is_dry {
            return String::new();
        }
        let columns = [
            column("WHAT", 0),
            long("PATH", 0),
            number("SIZE", 1),
            column("WHY", 2),
        ];
        let mut table = Table::new(&columns);
        let goes = if is_dry { "would go" } else { "gone" };
        for (entries, tone, fate) in [
            (&self.kept, Tone::Plain, "kept"),
            (&self.deleted, Tone::Dim, goes),
        ] {
            for entry in entries {
                table.row(
                    tone,
                    [
                        fate.to_owned(),
                        entry.name.clone(),
                        size_words(entry.size_bytes),
                        entry.reasons.join(", "),
                    ],
                );
            }
        }
        let mut text = table.render(page);
        text.push_str(&format!(
            "{:<8} {} of {}, {}\n",
            self.mode,
            self.deleted.len(),
            count(self.deleted.len() + self.kept.len(), "path"),
            size_words(self.freed_bytes),
        ));
        text
    }
}

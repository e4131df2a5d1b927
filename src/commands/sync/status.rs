//! `sync status`: what is here, what is on the remote, and what either lacks.

use serde::Serialize;

use crate::cli::SyncStatus;
use crate::context::Ctx;
use crate::error::{Outcome, Result};
use crate::sync::keys::{Carried, Kind, is_encrypted};
use crate::sync::local::Locals;
use crate::sync::marker::Marker;
use crate::sync::plan::Difference;
use crate::sync::report::Entry;
use crate::sync::{Store, machines, sidecars};
use crate::timeutil::Stamp;
use crate::ui::table::{Table, Tone, ago, column, count, lines, long, number, passing, size_words};
use crate::ui::{Page, Report};

/// Runs the command.
pub fn run(ctx: &Ctx, args: &SyncStatus) -> Result<Outcome> {
    let backup_dir = ctx.backup_dir(args.backup_dir.as_deref())?;
    let takes_plain = ctx.takes_plain(false);
    let address = ctx.remote(args.remote.remote.as_deref())?;
    let store = Store::open(ctx, &address, takes_plain)?;
    let (machines, plain) = machines::others(ctx, &store.remote, takes_plain)?;
    store.tell_plain(ctx, plain.len());
    let locals = Locals::load(&backup_dir, &ctx.zone, &ctx.stop(), &|text| {
        ctx.ui.warn(text);
    })?;
    let difference = Difference::of(&locals.all, &store.listing);
    let mut answer = Answer {
        direction: "status",
        remote: store.remote.to_string(),
        encrypted: store.marker.as_ref().map(Marker::is_encrypted),
        here: locals.all.len(),
        there: store.listing.whole.len(),
        in_both: difference.both.len(),
        machines: machines.len(),
        unfinished: Vec::new(),
        sweep: ctx.typed(&match &args.remote.remote {
            Some(url) => format!("codex-manager prune --remote {}", shell_words::quote(url)),
            None => "codex-manager prune --remote".to_owned(),
        }),
        to_push: Vec::new(),
        to_pull: Vec::new(),
        transferred: [(); 0],
        skipped: Vec::new(),
        conflicts: [(); 0],
        failed: Vec::new(),
    };
    let halves = store.listing.halves.iter().chain(&store.listing.empty);
    answer.unfinished = halves.map(|half| half.key.clone()).collect();
    for local in difference.here {
        let key = local.stem.key(Kind::Archive, ctx.encrypts());
        answer.to_push.push(Entry::of_local(local, key, &ctx.zone));
    }
    for (archive, reason) in &locals.left {
        let (path, reason) = (archive.display().to_string(), reason.clone());
        answer.skipped.push(Left { path, reason });
    }
    tell_there(ctx, args, &store, difference.there, &mut answer)?;
    let outcome = if answer.failed.is_empty() {
        Outcome::Done
    } else {
        Outcome::Partial
    };
    ctx.ui.data(&answer)?;
    Ok(outcome)
}

/// What is there alone: by its sidecars, where these can be read, else by its keys.
fn tell_there(
    ctx: &Ctx,
    args: &SyncStatus,
    store: &Store,
    there: Vec<&Carried>,
    answer: &mut Answer,
) -> Result<()> {
    let is_locked = |carried: &&Carried| is_encrypted(&carried.sidecar.key);
    let identities = if there.iter().any(is_locked) {
        match ctx.identities() {
            Ok(identities) => Some(identities),
            Err(error) => {
                ctx.ui
                    .warn(&format!("what is there is told by its keys alone: {error}"));
                answer.to_pull = there.into_iter().map(Entry::of_key).collect();
                return Ok(());
            }
        }
    } else {
        None
    };
    let size = ctx.concurrency(args.remote.concurrency);
    let (told, unusable) = sidecars::read(&store.remote, identities.as_ref(), there, size)?;
    for one in told {
        let entry = Entry::of_carried(one.carried, &one.sidecar, &ctx.zone);
        answer.to_pull.push(entry);
    }
    for (carried, error) in unusable {
        ctx.ui.warn(&error.to_string());
        let entry = Entry::of_key(carried).because(error.to_string());
        answer.failed.push(entry);
    }
    Ok(())
}

#[derive(Serialize)]
struct Left {
    path: String,
    reason: String,
}

#[derive(Serialize)]
struct Answer {
    direction: &'static str,
    remote: String,
    /// None where nothing was carried there yet.
    encrypted: Option<bool>,
    here: usize,
    there: usize,
    in_both: usize,
    /// How many other machines tell there what they know.
    machines: usize,
    to_push: Vec<Entry>,
    to_pull: Vec<Entry>,
    /// Keys of what a run left that was cut short, or goes on still.
    unfinished: Vec<String>,
    /// The command that removes these.
    #[serde(skip)]
    sweep: String,
    transferred: [(); 0],
    skipped: Vec<Left>,
    conflicts: [(); 0],
    failed: Vec<Entry>,
}

impl Report for Answer {
    fn text(&self, page: &Page) -> String {
        let columns = [
            column("ARCHIVE", 1),
            long("ACCOUNT", 0),
            column("MADE", 0),
            passing("AGE", 3),
            number("SIZE", 2),
            column("WHERE", 0),
        ];
        let mut table = Table::new(&columns);
        for (entries, place) in [(&self.to_push, "here"), (&self.to_pull, "there")] {
            for entry in entries {
                table.row(
                    Tone::Plain,
                    [
                        entry.called(),
                        entry.email.clone().unwrap_or_else(|| "-".to_owned()),
                        entry.created_at.map_or("-".to_owned(), Stamp::table_form),
                        ago(entry.created_at, page).into_owned(),
                        size_words(entry.size_bytes),
                        format!("{place} alone"),
                    ],
                );
            }
        }
        let mut text = String::new();
        if !self.to_push.is_empty() || !self.to_pull.is_empty() {
            text = table.render(page);
        }
        let encrypted = match self.encrypted {
            None => "nothing was pushed there yet",
            Some(true) => "encrypted",
            Some(false) => "not encrypted",
        };
        let side = |all, lacking: &[Entry], verb| {
            let all = count(all, "snapshot");
            format!("{all}, {} to {verb}", lacking.len())
        };
        let mut pairs = vec![
            ("remote", format!("{}, {encrypted}", self.remote)),
            ("here", side(self.here, &self.to_push, "push")),
            ("there", side(self.there, &self.to_pull, "pull")),
        ];
        if self.machines > 0 {
            pairs.push(("others", count(self.machines, "machine")));
        }
        if !self.unfinished.is_empty() {
            let halves = count(self.unfinished.len(), "object");
            let words = format!("{halves}; `{}` removes what is a day old", self.sweep);
            pairs.push(("halves", words));
        }
        text.push_str(&lines(&pairs));
        text
    }
}

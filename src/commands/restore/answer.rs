//! What a restore answers: what it did, or would do.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::codex::parts::Parts;
use crate::context::Ctx;
use crate::exchange::login::Chosen;
use crate::install::{Action, Change, Changes, Plan, Scope};
use crate::snapshots::{Snapshot, Sound};
use crate::ui::table::{printable, size_words};
use crate::ui::{Page, Report};

/// What is restored, and into which home.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub snapshot: &'a Snapshot,
    pub sound: &'a Sound,
    pub scope: Scope,
    pub plan: &'a Plan,
    pub dest: &'a Path,
}

#[derive(Serialize)]
pub(super) struct Answer {
    mode: &'static str,
    archive: String,
    destination: String,
    email: Option<String>,
    /// Whose, in words.
    #[serde(skip)]
    called: String,
    auth_source: Option<&'static str>,
    safety_backup: Option<String>,
    files: u64,
    /// Which parts of the home, where not all.
    parts: Option<Vec<&'static str>>,
    /// Of a dry run: what would become of which file.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<Change>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unchanged: Option<u64>,
    #[serde(skip)]
    login: Option<String>,
    #[serde(skip)]
    places: [String; 2],
    #[serde(skip)]
    kept: Option<String>,
    /// The command that puts it back.
    #[serde(skip)]
    undo: String,
    #[serde(skip)]
    window: String,
}

impl Answer {
    pub fn of(
        ctx: &Ctx,
        mode: &'static str,
        subject: Subject,
        login: Option<Chosen>,
        safety: Option<PathBuf>,
    ) -> Self {
        let Subject { snapshot, dest, .. } = subject;
        let sidecar = &subject.sound.sidecar;
        let parts = subject.scope.parts;
        Self {
            mode,
            places: [ctx.paths.short(&snapshot.archive), ctx.paths.short(dest)],
            undo: ctx.typed("codex-manager restore --undo"),
            kept: safety.as_ref().map(|path| ctx.paths.short(path)),
            archive: snapshot.archive.display().to_string(),
            destination: dest.display().to_string(),
            email: sidecar.email.clone(),
            called: {
                let named = sidecar.email.as_ref().or(sidecar.user_id.as_ref());
                named.cloned().unwrap_or_else(|| "not named".to_owned())
            },
            auth_source: login.as_ref().map(|login| login.source),
            login: login.and_then(|login| login.words),
            safety_backup: safety.map(|path| path.display().to_string()),
            files: subject.plan.file_count(&subject.sound.checked),
            parts: (parts != Parts::ALL).then(|| parts.words()),
            changes: None,
            unchanged: None,
            window: match (sidecar.session_start_at, sidecar.next_available_at) {
                (Some(start), Some(next)) => {
                    format!(
                        "{} to {}",
                        start.0.in_zone(&ctx.zone),
                        next.in_zone(&ctx.zone)
                    )
                }
                _ => "not known".to_owned(),
            },
        }
    }

    /// The answer of a dry run.
    pub fn with(mut self, changes: Changes) -> Self {
        self.changes = Some(changes.list);
        self.unchanged = Some(changes.unchanged);
        self
    }
}

impl Report for Answer {
    fn text(&self, _: &Page) -> String {
        let mut text = format!(
            "{:<9} {}\ninto      {}\naccount   {}\nwindow    {}\nfiles     {}\n",
            self.mode,
            printable(&self.places[0]),
            printable(&self.places[1]),
            printable(&self.called),
            self.window,
            self.files,
        );
        if let Some(parts) = self.parts.as_ref().filter(|parts| **parts != ["auth"]) {
            text.push_str(&format!("parts     {}\n", parts.join(", ")));
        }
        if let Some(login) = &self.login {
            text.push_str(&format!("login     {}: it is newer\n", printable(login)));
        }
        if let Some(kept) = &self.kept {
            text.push_str(&format!(
                "replaced  {} (`{}` puts it back)\n",
                printable(kept),
                printable(&self.undo)
            ));
        }
        if let (Some(changes), Some(unchanged)) = (&self.changes, self.unchanged) {
            let mut counts = [0, 0, 0];
            for change in changes {
                let kind = match change.action {
                    Action::Add => 0,
                    Action::Replace => 1,
                    Action::Remove => 2,
                };
                counts[kind] += 1;
                text.push_str(&line(change));
            }
            let [added, replaced, removed] = counts;
            text.push_str(&format!(
                "in all    {added} to add, {replaced} to replace, {removed} to remove, {unchanged} as they are\n"
            ));
        }
        text
    }
}

fn line(change: &Change) -> String {
    let word = change.action.word();
    let sizes = match (change.bytes_before, change.bytes_after) {
        (Some(before), Some(after)) => {
            format!("{}, was {}", size_words(after), size_words(before))
        }
        (Some(size), None) | (None, Some(size)) => size_words(size),
        (None, None) => String::new(),
    };
    format!("{word:<9} {} ({sizes})\n", printable(&change.path))
}

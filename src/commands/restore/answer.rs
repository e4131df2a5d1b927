//! What a restore answers: what it did, or would do.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Prepared;
use crate::codex::parts::Parts;
use crate::context::Ctx;
use crate::exchange::login::Chosen;
use crate::snapshots::Snapshot;
use crate::ui::{Page, Report};

#[derive(Serialize)]
pub(super) struct Answer {
    mode: &'static str,
    archive: String,
    destination: String,
    email: Option<String>,
    auth_source: Option<&'static str>,
    safety_backup: Option<String>,
    files: u64,
    /// Which parts of the home, where not all.
    parts: Option<Vec<&'static str>>,
    #[serde(skip)]
    login: Option<String>,
    #[serde(skip)]
    places: [String; 2],
    #[serde(skip)]
    kept: Option<String>,
    #[serde(skip)]
    window: String,
    #[serde(skip)]
    units: Vec<String>,
}

impl Answer {
    pub fn of(
        ctx: &Ctx,
        mode: &'static str,
        snapshot: &Snapshot,
        prepared: &Prepared,
        dest: &Path,
        login: Option<Chosen>,
        safety: Option<PathBuf>,
    ) -> Self {
        let sidecar = &prepared.sound.sidecar;
        let units = prepared
            .plan
            .units
            .iter()
            .map(|unit| format!("{:<9} {}", unit.action.word(), unit.path));
        Self {
            mode,
            places: [ctx.paths.short(&snapshot.archive), ctx.paths.short(dest)],
            kept: safety.as_ref().map(|path| ctx.paths.short(path)),
            archive: snapshot.archive.display().to_string(),
            destination: dest.display().to_string(),
            email: sidecar.email.clone(),
            auth_source: login.as_ref().map(|login| login.source),
            login: login.and_then(|login| login.words),
            safety_backup: safety.map(|path| path.display().to_string()),
            files: prepared.plan.file_count(&prepared.sound.checked),
            parts: (prepared.scope.parts != Parts::ALL).then(|| prepared.scope.parts.words()),
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
            units: if mode == "dry-run" {
                units.collect()
            } else {
                Vec::new()
            },
        }
    }
}

impl Report for Answer {
    fn text(&self, _: &Page) -> String {
        let mut text = format!(
            "{:<9} {}\ninto      {}\naccount   {}\nwindow    {}\nfiles     {}\n",
            self.mode,
            self.places[0],
            self.places[1],
            self.email.as_deref().unwrap_or("not named"),
            self.window,
            self.files,
        );
        if let Some(parts) = self.parts.as_ref().filter(|parts| **parts != ["auth"]) {
            text.push_str(&format!("parts     {}\n", parts.join(", ")));
        }
        if let Some(login) = &self.login {
            text.push_str(&format!("login     {login}: it is newer\n"));
        }
        if let Some(kept) = &self.kept {
            text.push_str(&format!(
                "replaced  {kept} (`codex-manager restore --undo` puts it back)\n"
            ));
        }
        for unit in &self.units {
            text.push_str(&format!("{unit}\n"));
        }
        text
    }
}

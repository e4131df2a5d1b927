//! `config`: shows and changes settings. Comments and every other line of the file stay.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::cli::{ConfigAction, ConfigArgs};
use crate::context::Ctx;
use crate::error::{Outcome, Result};
use crate::settings::{self, Key, Settings};
use crate::ui::table::{Table, Tone, column, long};
use crate::ui::{Page, Report};

/// Runs the command.
pub fn run(ctx: &Ctx, args: &ConfigArgs) -> Result<Outcome> {
    match &args.action {
        ConfigAction::List => {
            let rows = ctx.resolved_settings()?.into_iter();
            let rows = rows
                .map(|(key, setting)| (key.name, setting.value, setting.from, key.about))
                .collect();
            ctx.ui.data(&List { rows })?;
        }
        ConfigAction::Get { key } => {
            let key = settings::find_key(key)?;
            let setting = ctx.resolved(key)?;
            ctx.ui.data(&One {
                mode: None,
                key: key.name,
                value: setting.value,
                from: setting.from,
            })?;
        }
        ConfigAction::Set {
            key,
            value,
            dry_run,
            ..
        } => {
            let key = settings::find_key(key)?;
            let settings = edit(ctx, *dry_run, "config set", |settings| {
                settings.set(key, value)
            })?;
            let done = format!("{} = {value}", key.name);
            answer(ctx, key, *dry_run, &settings, &done)?;
        }
        ConfigAction::Unset { key, dry_run, .. } => {
            let key = settings::find_key(key)?;
            let mut was_set = false;
            let settings = edit(ctx, *dry_run, "config unset", |settings| {
                was_set = settings.unset(key);
                Ok(())
            })?;
            let done = if was_set {
                "returned to its default"
            } else {
                "was not set"
            };
            let done = format!("{} {done}", key.name);
            answer(ctx, key, *dry_run, &settings, &done)?;
        }
        ConfigAction::Path => ctx.ui.data(&Place {
            path: ctx.paths.config().display().to_string(),
        })?,
    }
    Ok(Outcome::Done)
}

/// A script gets the key as the file has it now, or would have it; a person is told what was done.
fn answer(
    ctx: &Ctx,
    key: &'static Key,
    dry_run: bool,
    settings: &Settings,
    done: &str,
) -> Result<()> {
    if !ctx.ui.json {
        let would = if dry_run { "dry run: " } else { "" };
        ctx.ui.note(&format!("{would}{done}"));
        return Ok(());
    }
    let value = settings.json(key.name);
    let from = if value.is_some() {
        "config.toml"
    } else {
        "default"
    };
    let value = value.unwrap_or_default();
    ctx.ui.data(&One {
        mode: dry_run.then_some("dry-run"),
        key: key.name,
        value,
        from: from.to_owned(),
    })
}

/// Changes the file as it stands under the lock, so that two edits at once both count. What it says then, or would.
fn edit(
    ctx: &Ctx,
    dry_run: bool,
    command: &str,
    change: impl FnOnce(&mut Settings) -> Result<()>,
) -> Result<Settings> {
    if dry_run {
        let mut settings = ctx.settings().clone();
        change(&mut settings)?;
        return Ok(settings);
    }
    // Refused before the home is made: a slip of the hand leaves nothing behind.
    let path = ctx.paths.config();
    let _lock = ctx.lock(command)?;
    let mut settings = Settings::load(&path)?;
    let before = settings.text_of_file();
    change(&mut settings)?;
    if settings.text_of_file() != before {
        settings.save(&path)?;
    }
    Ok(settings)
}

struct List {
    rows: Vec<(&'static str, Value, String, &'static str)>,
}

impl Serialize for List {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        let settings: Map<String, Value> = self
            .rows
            .iter()
            .map(|(key, value, from, _)| {
                (
                    (*key).to_owned(),
                    serde_json::json!({ "value": value, "from": from }),
                )
            })
            .collect();
        serde_json::json!({ "settings": settings }).serialize(serializer)
    }
}

impl Report for List {
    fn text(&self, page: &Page) -> String {
        let columns = [
            column("SETTING", 0),
            long("VALUE", 0),
            column("FROM", 1),
            column("WHAT IT IS", 2),
        ];
        let mut table = Table::new(&columns);
        for (key, value, from, about) in &self.rows {
            table.row(
                Tone::Plain,
                [
                    (*key).to_owned(),
                    shown(value),
                    from.clone(),
                    (*about).to_owned(),
                ],
            );
        }
        table.render(page)
    }
}

#[derive(Serialize)]
struct One {
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    key: &'static str,
    value: Value,
    from: String,
}

impl Report for One {
    fn text(&self, _: &Page) -> String {
        format!("{}\n", shown(&self.value))
    }
}

#[derive(Serialize)]
struct Place {
    path: String,
}

impl Report for Place {
    fn text(&self, _: &Page) -> String {
        format!("{}\n", self.path)
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "-".to_owned(),
        Value::Array(list) => list.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

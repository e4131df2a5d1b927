//! The settings in force: flag, environment, file and default are weighed here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum as _;
use serde_json::Value;

use super::Ctx;
use super::environment::{absolute, variable, working_dir};
use crate::archive::limits::{self, Limits};
use crate::cli::{LegacyArgs, LiveArgs, Policy, Source};
use crate::codex::program::{Program, Search};
use crate::error::Result;
use crate::legacy::Rules;
use crate::profiles::{self, Profile};
use crate::settings::{self, KEYS, Key, Settings};
use crate::snapshots::make;

/// How many transfers go on at once.
const DEFAULT_CONCURRENCY: u64 = 8;

/// Seconds that asking for a status may take.
const DEFAULT_STATUS_TIMEOUT: u64 = 30;

/// Where a setting's value comes from.
pub struct Setting {
    /// As JSON.
    pub value: Value,
    /// `flag`, `environment (NAME)`, `config.toml`, `default`.
    pub from: String,
}

impl Ctx {
    /// The Codex home where nothing is said: the setting's, else `~/.codex`.
    pub fn usual_codex_home(&self) -> Option<PathBuf> {
        let person = self.paths.home.as_deref();
        self.configured_path("codex_home")
            .or_else(|| Some(person?.join(".codex")))
    }

    /// Where snapshots are kept, given the flag.
    pub fn backup_dir(&self, flag: Option<&Path>) -> Result<PathBuf> {
        self.path_setting(flag, "backup.dir", || {
            Ok(self.paths.manager_home.join("backups"))
        })
    }

    /// The inventory, given the flag.
    pub fn inventory_path(&self, flag: Option<&Path>) -> Result<PathBuf> {
        self.path_setting(flag, "normalize.inventory_path", || {
            Ok(self.paths.manager_home.join("inventory.json"))
        })
    }

    /// Where legacy files lie, given the flag.
    pub fn legacy_dir(&self, flag: Option<&Path>) -> Result<PathBuf> {
        self.path_setting(flag, "normalize.source_dir", || {
            let sample = absolute(Path::new(".codex_sample"))?;
            Ok(if sample.is_dir() {
                sample
            } else {
                self.paths.codex_home.clone()
            })
        })
    }

    fn path_setting(
        &self,
        flag: Option<&Path>,
        key: &str,
        default: impl Fn() -> Result<PathBuf>,
    ) -> Result<PathBuf> {
        match flag {
            Some(path) => absolute(path),
            None => self.configured_path(key).map_or_else(default, Ok),
        }
    }

    pub(super) fn configured_path(&self, key: &str) -> Option<PathBuf> {
        self.settings
            .path(key, &self.paths.manager_home, self.paths.home.as_deref())
    }

    /// Assumed hours of a legacy session, given the flag.
    pub fn session_duration_hours(&self, flag: Option<f64>) -> f64 {
        flag.or_else(|| self.settings.number("normalize.session_duration_hours"))
            .unwrap_or(2.0)
    }

    /// How the legacy files of an email are read, given the flags: the flag goes before what the one profile of that email
    /// says.
    pub(super) fn legacy_rules(
        &self,
        args: &LegacyArgs,
        profiles: &[Profile],
        email: &str,
    ) -> Rules {
        let hours = args.session_duration_hours;
        let hours = hours.or_else(|| profiles::hours_of(profiles, email));
        Rules {
            session_duration_seconds: self.session_duration_hours(hours) * 3600.0,
            reference_year: args.reference_year,
        }
    }

    /// How the next account is chosen, given the flag.
    pub fn policy(&self, flag: Option<Policy>) -> Policy {
        let setting = || {
            self.settings
                .text("recommend.policy")
                .and_then(|word| Policy::from_str(word, true).ok())
        };
        flag.or_else(setting).unwrap_or(Policy::Lru)
    }

    /// Patterns that backups leave out: the settings' and the flag's.
    pub fn exclude(&self, flag: &[String]) -> Vec<String> {
        let mut patterns = self.settings.list("backup.exclude").unwrap_or_default();
        patterns.extend(flag.iter().cloned());
        patterns
    }

    /// Whether scratch directories are captured, given the flag.
    pub fn include_tmp(&self, flag: bool) -> bool {
        flag || self.settings.flag("backup.include_tmp").unwrap_or(false)
    }

    /// How much an archive may hold.
    pub fn limits(&self) -> Limits {
        let setting = |name| {
            let number = self.settings.integer(name)?;
            u64::try_from(number).ok()
        };
        Limits {
            entries: setting("archive.max_entries"),
            bytes: setting("archive.max_bytes"),
            ratio: setting("archive.max_ratio"),
        }
    }

    /// How hard to compress, given the flag.
    pub fn level(&self, flag: Option<u8>) -> u8 {
        let setting = || self.settings.integer("backup.level");
        let setting = || setting().and_then(|level| u8::try_from(level).ok());
        flag.or_else(setting).unwrap_or(make::LEVEL)
    }

    /// How many transfers go on at once, given the flag.
    pub fn concurrency(&self, flag: Option<u8>) -> usize {
        let setting = || self.settings.integer("sync.concurrency");
        let setting = || setting().and_then(|number| u64::try_from(number).ok());
        let number = flag.map(u64::from).or_else(setting);
        usize::try_from(number.unwrap_or(DEFAULT_CONCURRENCY)).unwrap_or(1)
    }

    /// Whether what goes to the remote is encrypted where nothing else is said.
    pub fn encrypts(&self) -> bool {
        self.settings.flag("sync.encrypt").unwrap_or(true)
    }

    /// The command that prints Codex's status panel, given the flags; a source that was asked for goes before the setting.
    pub fn status_command(&self, flag: Option<&str>, live: &LiveArgs) -> Option<String> {
        let setting = || {
            self.settings
                .text("status.command")
                .filter(|_| live.status_source.is_none())
        };
        flag.or_else(setting).map(str::to_owned)
    }

    /// Who says what is left of an account, given the flag.
    pub fn status_source(&self, live: &LiveArgs) -> Source {
        let setting = || {
            self.settings
                .text("status.source")
                .and_then(|word| Source::from_str(word, true).ok())
        };
        live.status_source.or_else(setting).unwrap_or(Source::Auto)
    }

    /// How long asking may take, given the flag.
    pub fn status_timeout(&self, live: &LiveArgs) -> Duration {
        let setting = || {
            let seconds = self.settings.integer("status.timeout_seconds")?;
            u64::try_from(seconds).ok()
        };
        let seconds = live.status_timeout.or_else(setting);
        Duration::from_secs(seconds.unwrap_or(DEFAULT_STATUS_TIMEOUT))
    }

    /// The Codex to ask, given the flag. Fails as `NoStatus` where there is none.
    pub fn codex(&self, live: &LiveArgs) -> Result<Program> {
        // As any path in the settings, a relative one starts at the manager home.
        let (command, dir) = match (&live.codex_command, self.settings.text("codex_command")) {
            (None, Some(setting)) => (Some(setting), self.paths.manager_home.clone()),
            (flag, _) => {
                let here = working_dir().unwrap_or_else(|| self.paths.codex_home.clone());
                (flag.as_deref(), here)
            }
        };
        Program::find(&Search {
            command,
            path: variable("PATH"),
            dir: &dir,
            home: self.paths.home.as_deref(),
        })
    }

    /// The settings file as it stands.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Every setting in force and where it comes from, in the order of [`KEYS`].
    pub fn resolved_settings(&self) -> Result<Vec<(&'static Key, Setting)>> {
        KEYS.iter()
            .map(|key| Ok((key, self.resolved(key)?)))
            .collect()
    }

    /// One setting in force and where it comes from.
    pub fn resolved(&self, key: &'static Key) -> Result<Setting> {
        let path = |path: PathBuf| Value::from(path.display().to_string());
        let flag = match key.name {
            "codex_home" => self
                .globals
                .codex_home
                .as_deref()
                .map(|given| absolute(given).map(path))
                .transpose()?,
            "timezone" => self.globals.timezone.clone().map(Value::from),
            "color" => self
                .globals
                .color
                .map(|when| format!("{when:?}").to_lowercase().into()),
            _ => None,
        };
        if let Some(value) = flag {
            return Ok(Setting {
                value,
                from: "flag".to_owned(),
            });
        }
        if let Some(name) = key.environment.filter(|name| variable(name).is_some()) {
            return Ok(Setting {
                value: path(self.paths.codex_home.clone()),
                from: format!("environment ({name})"),
            });
        }
        if key.name == "color" && variable("NO_COLOR").is_some() {
            return Ok(Setting {
                value: "never".into(),
                from: "environment (NO_COLOR)".to_owned(),
            });
        }
        if let Some(value) = self.settings.json(key.name) {
            let value = self
                .configured_path(key.name)
                .filter(|_| key.takes == settings::Takes::Path)
                .map_or(value, path);
            return Ok(Setting {
                value,
                from: "config.toml".to_owned(),
            });
        }
        let value = match key.name {
            "codex_home" => path(self.paths.codex_home.clone()),
            "timezone" => self.zone.name().into(),
            "color" | "status.source" => "auto".into(),
            "backup.dir" => path(self.backup_dir(None)?),
            "backup.exclude" | "sync.recipients" => Value::Array(Vec::new()),
            "backup.include_tmp" | "sync.path_style" => false.into(),
            "backup.level" => make::LEVEL.into(),
            "archive.max_entries" => limits::MAX_ENTRIES.into(),
            "archive.max_bytes" => limits::MAX_BYTES.into(),
            "archive.max_ratio" => limits::MAX_RATIO.into(),
            "normalize.source_dir" => path(self.legacy_dir(None)?),
            "normalize.session_duration_hours" => self.session_duration_hours(None).into(),
            "normalize.inventory_path" => path(self.inventory_path(None)?),
            "recommend.policy" => "lru".into(),
            "codex_command" => "codex".into(),
            "status.timeout_seconds" => DEFAULT_STATUS_TIMEOUT.into(),
            "sync.encrypt" => true.into(),
            "sync.identity" => path(self.paths.manager_home.join("identity.txt")),
            "sync.concurrency" => DEFAULT_CONCURRENCY.into(),
            _ => Value::Null,
        };
        Ok(Setting {
            value,
            from: "default".to_owned(),
        })
    }
}

//! What a command works with: paths, settings, zone, `now`, streams. Flag, environment, file and default are weighed
//! here and nowhere else, and this is the only place that reads the clock or the environment.

mod bundle;
mod encryption;
mod evidence;
mod homes;
mod locks;
mod remote;
mod surroundings;
mod typed;

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;

use clap::ValueEnum as _;

use crate::archive::limits::{self, Limits};
use crate::cli::{Globals, LegacyArgs, LiveArgs, Policy, Source, WaitArgs, When};
use crate::codex::home;
use crate::codex::program::{self, Program, Search};
use crate::error::{Error, Kind, Result};
use crate::legacy::Rules;
use crate::profiles::{self, Profile};
use crate::settings::{self, KEYS, Key, Settings};
use crate::snapshots::make;
use crate::stop::{InHand, Stop};
use crate::timeutil::{Stamp, Zone};
use crate::ui::progress::Pace;
use crate::ui::{Page, Ui};
use locks::Patience;

pub use surroundings::ZoneOf;

/// What every command is given.
pub struct Ctx {
    /// The instant this run answers for.
    pub now: Stamp,
    /// Whether that is the system's clock, and not an instant that was asked for.
    pub is_system_time: bool,
    /// What the system's clock says, whatever instant was asked for.
    pub clock: Stamp,
    /// The zone of wall clocks.
    pub zone: Zone,
    /// Where things are.
    pub paths: Paths,
    /// The streams.
    pub ui: Ui,
    /// What was asked for and cannot be used, where that is passed over: see [`Demand::Any`].
    pub unusable: Unusable,
    settings: Settings,
    globals: Resolved,
    stop: Stop,
    waiting: Patience,
    /// `now` and the system's clock as the command began.
    began: (Stamp, Stamp),
}

/// What is asked of the settings and the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// What cannot be used is a failure.
    Sound,
    /// The settings file is not read.
    NoSettings,
    /// What cannot be used is as if it were not there.
    Any,
}

/// What cannot be used and was passed over, and why.
#[derive(Debug, Default)]
pub struct Unusable {
    /// Of the settings file.
    pub settings: Option<Error>,
    /// Of the variable that says what time it is.
    pub now: Option<Error>,
    /// Of the variable that says how often it is told how far long work is.
    pub pace: Option<Error>,
}

/// Where things are.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The manager home.
    pub manager_home: PathBuf,
    /// The Codex home, before a command's own flag.
    pub codex_home: PathBuf,
    /// The person's home, where the system knows one.
    home: Option<PathBuf>,
}

impl Paths {
    /// `config.toml`.
    pub fn config(&self) -> PathBuf {
        self.manager_home.join("config.toml")
    }

    /// `known-files.json`.
    pub fn known_files(&self) -> PathBuf {
        self.manager_home.join("known-files.json")
    }

    /// `cooldown.json`.
    pub fn registry(&self) -> PathBuf {
        self.manager_home.join("cooldown.json")
    }

    /// `tmp/`: Codex homes of our own.
    pub fn tmp(&self) -> PathBuf {
        self.manager_home.join("tmp")
    }

    /// `profiles/`.
    pub fn profiles(&self) -> PathBuf {
        self.manager_home.join("profiles")
    }

    /// A path for a person: their home as `~`.
    pub fn short(&self, path: &Path) -> String {
        match self
            .home
            .as_ref()
            .and_then(|home| path.strip_prefix(home).ok())
        {
            Some(rest) if !rest.as_os_str().is_empty() => format!("~/{}", rest.display()),
            _ => path.display().to_string(),
        }
    }
}

/// What the flags said of settings that also stand in the file.
struct Resolved {
    codex_home: Option<PathBuf>,
    /// Whether the Codex home was said, and the manager home.
    homes_said: (bool, bool),
    timezone: Option<String>,
    color: Option<When>,
    is_now_said: bool,
}

/// Where a setting's value comes from.
pub struct Setting {
    /// As JSON.
    pub value: Value,
    /// `flag`, `environment (NAME)`, `config.toml`, `default`.
    pub from: String,
}

/// Whether the terminal cannot move its cursor.
fn is_dumb() -> bool {
    variable("TERM").is_some_and(|term| term == "dumb")
}

/// Whether somebody is there to choose from a list, and can be shown one.
pub fn can_choose(json: bool) -> bool {
    let is_terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    cfg!(unix) && is_terminal && !json && !is_dumb()
}

impl Ctx {
    /// Resolves what was typed. `wait` is there for commands that can be told how long to wait.
    pub fn resolve(
        globals: &Globals,
        wait: Option<&WaitArgs>,
        stop: Stop,
        demand: Demand,
    ) -> Result<Self> {
        let home = home_dir();
        let manager_home = manager_home(globals.manager_home.as_deref(), home.as_deref())?;
        let mut unusable = Unusable::default();
        let settings = match demand {
            Demand::NoSettings => Settings::default(),
            Demand::Sound => Settings::load(&manager_home.join("config.toml"))?,
            Demand::Any => {
                let settings = Settings::load(&manager_home.join("config.toml"));
                settings.unwrap_or_else(|error| {
                    unusable.settings = Some(error);
                    Settings::sound_part(&manager_home.join("config.toml"))
                })
            }
        };
        let codex_home = match &globals.codex_home {
            Some(path) => absolute(path)?,
            None => match variable("CODEX_HOME") {
                Some(path) => absolute(Path::new(&path))?,
                None => match settings.path("codex_home", &manager_home, home.as_deref()) {
                    Some(path) => path,
                    None => home.as_deref().ok_or_else(no_home)?.join(".codex"),
                },
            },
        };
        let zone = zone(globals, &settings)?;
        let asked = globals
            .now
            .map_or_else(now_of_environment, |now| Ok(Some(now)));
        let asked = match asked {
            Err(error) if demand == Demand::Any => {
                unusable.now = Some(error);
                None
            }
            asked => asked?,
        };
        let clock = Stamp::from_unix(chrono::Utc::now().timestamp(), &zone);
        let now = asked
            .map(|now| now.in_zone(&zone))
            .or(clock)
            .ok_or_else(|| {
                Error::other(
                    "the system's clock is outside the years 1000 to 9998",
                    "set the clock, or say `--now`",
                )
            })?;
        let mut ui = Self::streams(globals, &settings, now);
        ui.pace = match pace(ui.can_draw) {
            Err(error) if demand == Demand::Any => {
                unusable.pace = Some(error);
                None
            }
            pace => pace?,
        };
        Ok(Self {
            now,
            clock: clock.unwrap_or(now),
            is_system_time: asked.is_none(),
            zone,
            paths: Paths {
                manager_home,
                codex_home,
                home,
            },
            ui,
            unusable,
            settings,
            globals: Resolved {
                codex_home: globals.codex_home.clone(),
                homes_said: (globals.codex_home.is_some(), globals.manager_home.is_some()),
                timezone: globals.timezone.clone(),
                color: globals.color,
                is_now_said: globals.now.is_some(),
            },
            stop,
            waiting: Patience::new(wait),
            began: (now, clock.unwrap_or(now)),
        })
    }

    fn streams(globals: &Globals, settings: &Settings, now: Stamp) -> Ui {
        let when = globals.color.or_else(|| match variable("NO_COLOR") {
            Some(_) => Some(When::Never),
            None => settings
                .text("color")
                .and_then(|word| When::from_str(word, true).ok()),
        });
        let terminal = io::stdout().is_terminal();
        let color = match when.unwrap_or(When::Auto) {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && variable("TERM").is_none_or(|term| term != "dumb"),
        };
        let width = terminal
            .then(|| {
                terminal_size::terminal_size()
                    .map(|(terminal_size::Width(width), _)| usize::from(width))
            })
            .flatten();
        let mut ui = Ui::new(
            Box::new(io::stdout()),
            Box::new(io::stderr()),
            Page {
                width,
                color,
                unicode: is_unicode(),
                now: Some(now),
            },
        );
        ui.json = globals.json;
        ui.quiet = globals.quiet;
        ui.verbose = globals.verbose;
        ui.interactive = io::stdin().is_terminal() && io::stderr().is_terminal();
        ui.can_choose = can_choose(globals.json);
        ui.can_draw = io::stderr().is_terminal() && !is_dumb();
        ui
    }

    /// The latest instant that can be by now, with some room for clocks that differ.
    pub fn latest(&self) -> Stamp {
        let now = self.now.max(self.clock);
        now.plus(TimeDelta::minutes(10), &self.zone)
    }

    /// What the system's clock says at this moment.
    fn clock_now(&self) -> Stamp {
        Stamp::from_unix(chrono::Utc::now().timestamp(), &self.zone).unwrap_or(self.clock)
    }

    /// Goes on to this very moment: `now` is later by as long as the command has been at it, an instant that was asked for
    /// too.
    pub fn catch_up(&mut self) {
        self.clock = self.clock_now();
        self.waiting.renew();
        let (now, clock) = self.began;
        self.now = if self.is_system_time {
            self.clock
        } else {
            now.plus(self.clock.since(clock), &self.zone)
        };
    }

    /// What ends this run, for a screen that a key may end too.
    pub fn ending(&self) -> &Stop {
        &self.stop
    }

    /// Waits that long, or until a signal comes: then it fails with exit code 130.
    pub fn sleep(&self, time: Duration) -> Result<()> {
        self.stop.wait(time);
        self.check_stop()
    }

    /// The same without the lock, for a child process that must not be left behind.
    pub fn in_hand(&self) -> InHand {
        self.stop.in_hand()
    }

    /// Fails with exit code 130 once a signal came.
    pub fn check_stop(&self) -> Result<()> {
        if self.stopped() {
            return Err(Error::interrupted());
        }
        Ok(())
    }

    /// Whether a signal came.
    pub fn stopped(&self) -> bool {
        self.stop.is_requested()
    }

    /// What tells whether a signal came, for other threads too.
    pub fn stop(&self) -> impl Fn() -> bool + Sync {
        let stop = &self.stop;
        || stop.is_requested()
    }

    /// Whether a second one came.
    pub fn is_urgent(&self) -> bool {
        self.stop.is_urgent()
    }

    /// The Codex home, given a command's own flag for it.
    pub fn codex_home(&self, flag: Option<&Path>) -> Result<PathBuf> {
        flag.map_or_else(|| Ok(self.paths.codex_home.clone()), absolute)
    }

    /// The Codex home where nothing is said: the setting's, else `~/.codex`.
    pub fn usual_codex_home(&self) -> Option<PathBuf> {
        let person = self.paths.home.as_deref();
        self.configured_path("codex_home")
            .or_else(|| Some(person?.join(".codex")))
    }

    /// Where Codex keeps the databases of a home: as its settings say, or CODEX_SQLITE_HOME; None where that is the home
    /// itself.
    pub fn sqlite_home(&self, codex_home: &Path) -> Option<PathBuf> {
        let named = home::sqlite_home(codex_home, self.paths.home.as_deref());
        named.or_else(|| {
            // Without a tilde, and from the working directory: as Codex takes it.
            let value = env::var("CODEX_SQLITE_HOME").ok()?;
            let value = Some(value.trim()).filter(|value| !value.is_empty())?;
            std::path::absolute(value).ok()
        })
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

    fn configured_path(&self, key: &str) -> Option<PathBuf> {
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
    fn legacy_rules(&self, args: &LegacyArgs, profiles: &[Profile], email: &str) -> Rules {
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

    /// This very moment, later than `now` by as long as the command has waited; the same where the time was given.
    pub fn moment(&self) -> Stamp {
        let moment = Stamp::from_unix(chrono::Utc::now().timestamp(), &self.zone);
        moment.filter(|_| self.is_system_time).unwrap_or(self.now)
    }

    /// When something is seen that later runs go by: never later than the clock, whatever instant was asked for.
    pub fn sighting(&self) -> Stamp {
        self.moment().min(self.clock_now())
    }

    /// The variables of this environment by which a Codex signs in sooner than by its login.
    pub fn overriding_variables() -> impl Iterator<Item = &'static str> {
        let beats = |name: &&str| variable(name).is_some();
        program::OTHER_LOGINS
            .into_iter()
            .filter(|name| *name != "OPENAI_API_KEY")
            .filter(beats)
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
                let here = env::current_dir();
                let here = here.unwrap_or_else(|_| self.paths.codex_home.clone());
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

    /// The machine's name.
    #[allow(clippy::unused_self)] // asked of the context, since it is the environment's to say
    pub fn hostname(&self) -> Option<String> {
        #[cfg(unix)]
        let name = Some(
            rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
        );
        #[cfg(not(unix))]
        let name = env::var("COMPUTERNAME").ok();
        name.filter(|name| !name.is_empty())
    }

    /// The shell that the person uses, as the system has it.
    #[allow(clippy::unused_self)] // as above
    pub fn shell(&self) -> Option<PathBuf> {
        variable("SHELL").map(PathBuf::from)
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

/// How many transfers go on at once.
pub const DEFAULT_CONCURRENCY: u64 = 8;

/// Seconds that asking for a status may take.
pub const DEFAULT_STATUS_TIMEOUT: u64 = 30;

fn temporary_dir() -> PathBuf {
    env::temp_dir()
}

fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether the locale says that letters are UTF-8. Where nothing says so they are taken for ASCII, but on Windows, whose
/// terminals are told each letter as it is.
fn is_unicode() -> bool {
    let locale = variable("LC_ALL")
        .or_else(|| variable("LC_CTYPE"))
        .or_else(|| variable("LANG"));
    locale.map_or(cfg!(windows), |locale| {
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// All those variables that are text, not empty and wanted.
fn variables(is_wanted: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, value)| is_wanted(name) && !value.is_empty())
        .collect()
}

/// When it is told how far long work is, on a line that is drawn over or not; None for never.
fn pace(is_drawn: bool) -> Result<Option<Pace>> {
    let Some(text) = variable("CODEX_MANAGER_PROGRESS_SECONDS") else {
        return Ok(Some(if is_drawn { Pace::DRAWN } else { Pace::WRITTEN }));
    };
    let seconds = text.to_str().and_then(|text| text.parse::<f64>().ok());
    let every = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let every = every.ok_or_else(|| {
        Error::new(
            Kind::Usage,
            format!(
                "the environment variable CODEX_MANAGER_PROGRESS_SECONDS is unusable: `{}` is no number of seconds",
                text.display()
            ),
            "set it to such as 10, or to 0 for nothing to be told, or unset it",
        )
    })?;
    Ok(Some(Pace::of(every)).filter(|_| !every.is_zero()))
}

fn now_of_environment() -> Result<Option<Stamp>> {
    let Some(text) = variable("CODEX_MANAGER_NOW") else {
        return Ok(None);
    };
    text.to_string_lossy().parse().map(Some).map_err(|why| {
        let hint = "set it to an RFC 3339 time, or unset it";
        Error::new(
            Kind::Usage,
            format!("the environment variable CODEX_MANAGER_NOW is unusable: {why}"),
            hint,
        )
    })
}

fn home_dir() -> Option<PathBuf> {
    // Windows' own answer passes over the variable that a person may have set.
    let set = if cfg!(windows) {
        variable("USERPROFILE")
    } else {
        None
    };
    set.map(PathBuf::from)
        .or_else(|| directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned()))
}

fn no_home() -> Error {
    Error::new(
        Kind::Usage,
        "the system does not say where your home is",
        "set HOME, or say `--manager-home` and `--codex-home`",
    )
}

fn absolute(path: &Path) -> Result<PathBuf> {
    let home = home_dir();
    // A path from a cron line or a quoted alias may still hold its `~`.
    let path = match (path.strip_prefix("~"), &home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    };
    std::path::absolute(&path).map_err(|error| Error::io("find", &path, error))
}

fn manager_home(flag: Option<&Path>, home: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = flag {
        return absolute(path);
    }
    if let Some(path) = variable("CODEX_MANAGER_HOME").or_else(|| variable("CODEXMGR_HOME")) {
        return absolute(Path::new(&path));
    }
    let home = home.ok_or_else(no_home)?;
    let (current, older) = (home.join(".codex-manager"), home.join(".codexmgr"));
    Ok(if !current.exists() && older.is_dir() {
        older
    } else {
        current
    })
}

fn zone(globals: &Globals, settings: &Settings) -> Result<Zone> {
    let unknown = |name: &str, hint: &str| {
        Error::new(Kind::Usage, format!("there is no time zone `{name}`"), hint)
    };
    let hint = "use an IANA name such as `Europe/Berlin` or `Asia/Kolkata`";
    if let Some(name) = &globals.timezone {
        return Zone::named(name).ok_or_else(|| unknown(name, hint));
    }
    if let Some(name) = settings.text("timezone") {
        return Zone::named(name).ok_or_else(|| unknown(name, hint));
    }
    Ok(system_zone())
}

/// Whether TZ names the very file that the system has its zone in.
fn is_systems_zone(tz: &str) -> bool {
    ["/etc/localtime", "localtime"].contains(&tz.trim_start_matches(':'))
}

/// The system's zone: by its IANA name where it has one, else by the system's own rules.
fn system_zone() -> Zone {
    let name = match env::var("TZ") {
        // An empty TZ is UTC; a leading colon is allowed; a path may end in the name, or be the system's own.
        Ok(tz) => match tz.trim_start_matches(':') {
            "" => Some("UTC".to_owned()),
            tz if is_systems_zone(tz) => iana_time_zone::get_timezone().ok(),
            tz => {
                let name = tz.split_once("/zoneinfo/").map_or(tz, |(_, name)| name);
                // A second copy of all of them.
                Some(name.trim_start_matches("posix/").to_owned())
            }
        },
        Err(_) => iana_time_zone::get_timezone().ok(),
    };
    name.as_deref().and_then(Zone::named).unwrap_or_else(|| {
        Zone::unnamed(name.as_deref().unwrap_or("local"), Arc::new(chrono::Local))
    })
}

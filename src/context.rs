//! What a command works with: paths, settings, zone, `now`, streams. Flag, environment, file and default are weighed
//! here and below and nowhere else, and nothing else reads the clock or the environment, which is for `environment` to read.

mod bundle;
mod encryption;
mod environment;
mod evidence;
mod homes;
mod locks;
mod remote;
mod settled;
mod surroundings;
mod typed;
pub mod zone;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use clap::ValueEnum as _;

use crate::cli::{Command, Globals, When};
use crate::codex::{home, program};
use crate::error::{Error, Result};
use crate::settings::Settings;
use crate::stop::{InHand, Stop};
use crate::timeutil::{Stamp, Zone};
use crate::ui::{Page, Ui};
use environment::{
    absolute, can_choose, home_dir, is_dumb, is_unicode, manager_home, no_home, now_of_environment,
    pace, temporary_dir, variable, variables,
};
use locks::Patience;

pub use zone::ZoneOf;

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
    /// Where it is from.
    pub zone_of: ZoneOf,
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
    /// The directories that were said of the command, each with its flag.
    dirs_said: Vec<(&'static str, PathBuf)>,
    timezone: Option<String>,
    color: Option<When>,
    is_now_said: bool,
}

impl Ctx {
    /// Resolves what was typed.
    pub fn resolve(
        globals: &Globals,
        command: Option<&Command>,
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
        let (zone, zone_of) = zone::zone(globals, &settings)?;
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
        let dirs_said = command.map(Command::dirs).unwrap_or_default().into_iter();
        let dirs_said = dirs_said.map(|(flag, dir)| Ok((flag, absolute(dir)?)));
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
            zone_of,
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
                dirs_said: dirs_said.collect::<Result<_>>()?,
                timezone: globals.timezone.clone(),
                color: globals.color,
                is_now_said: globals.now.is_some(),
            },
            stop,
            waiting: Patience::new(command.and_then(Command::wait)),
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

    /// Where Codex keeps the databases of a home: as its settings say, or CODEX_SQLITE_HOME; None where that is the home
    /// itself.
    pub fn sqlite_home(&self, codex_home: &Path) -> Option<PathBuf> {
        let named = home::sqlite_home(codex_home, self.paths.home.as_deref());
        named.or_else(|| {
            // Without a tilde, and from the working directory: as Codex takes it.
            let value = variable("CODEX_SQLITE_HOME")?.into_string().ok()?;
            let value = Some(value.trim()).filter(|value| !value.is_empty())?;
            std::path::absolute(value).ok()
        })
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
        let name = variable("COMPUTERNAME").and_then(|name| name.into_string().ok());
        name.filter(|name| !name.is_empty())
    }

    /// The shell that the person uses, as the system has it.
    #[allow(clippy::unused_self)] // as above
    pub fn shell(&self) -> Option<PathBuf> {
        variable("SHELL").map(PathBuf::from)
    }
}

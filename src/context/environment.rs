//! What the environment and the terminal say.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Kind, Result};
use crate::timeutil::Stamp;
use crate::ui::progress::Pace;

/// Whether the terminal cannot move its cursor.
pub(super) fn is_dumb() -> bool {
    variable("TERM").is_some_and(|term| term == "dumb")
}

/// Whether somebody is there to choose from a list, and can be shown one.
pub(super) fn can_choose(json: bool) -> bool {
    let is_terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    cfg!(unix) && is_terminal && !json && !is_dumb()
}

/// A variable that is set, and not to nothing.
pub(super) fn variable(name: &str) -> Option<OsString> {
    set(name).filter(|value| !value.is_empty())
}

/// A variable that is set, perhaps to nothing.
pub(super) fn set(name: &str) -> Option<OsString> {
    env::var_os(name)
}

/// Where relative paths begin; None where that is gone.
pub(super) fn working_dir() -> Option<PathBuf> {
    env::current_dir().ok()
}

/// All those variables that are text, not empty and wanted.
pub(super) fn variables(is_wanted: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, value)| is_wanted(name) && !value.is_empty())
        .collect()
}

/// Whether the locale says that letters are UTF-8. Where nothing says so they are taken for ASCII, but on Windows, whose
/// terminals are told each letter as it is.
pub(super) fn is_unicode() -> bool {
    let locale = variable("LC_ALL")
        .or_else(|| variable("LC_CTYPE"))
        .or_else(|| variable("LANG"));
    locale.map_or(cfg!(windows), |locale| {
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// When it is told how far long work is, on a line that is drawn over or not; None for never.
pub(super) fn pace(is_drawn: bool) -> Result<Option<Pace>> {
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

pub(super) fn now_of_environment() -> Result<Option<Stamp>> {
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

pub(super) fn home_dir() -> Option<PathBuf> {
    // Windows' own answer passes over the variable that a person may have set.
    let set = if cfg!(windows) {
        variable("USERPROFILE")
    } else {
        None
    };
    set.map(PathBuf::from)
        .or_else(|| directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned()))
}

pub(super) fn no_home() -> Error {
    Error::new(
        Kind::Usage,
        "the system does not say where your home is",
        "set HOME, or say `--manager-home` and `--codex-home`",
    )
}

pub(super) fn absolute(path: &Path) -> Result<PathBuf> {
    let home = home_dir();
    // A path from a cron line or a quoted alias may still hold its `~`.
    let path = match (path.strip_prefix("~"), &home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    };
    std::path::absolute(&path).map_err(|error| Error::io("find", &path, error))
}

pub(super) fn manager_home(flag: Option<&Path>, home: Option<&Path>) -> Result<PathBuf> {
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

pub(super) fn temporary_dir() -> PathBuf {
    env::temp_dir()
}

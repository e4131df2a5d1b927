//! Whether the Codex that is there runs at all: its version, and whether its app-server answers. It is asked in an empty
//! home of its own, without any login, and with nobody in reach.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::family::Ending;
use super::process::{self, Ran};
use super::program::{self, Home, Program};
use super::{home, private};
use crate::error::{Error, Kind, Result};
use crate::fsutil::{self, TemporaryDir};

/// How long it may take to say its version.
const TO_SAY: Duration = Duration::from_secs(10);

/// The most that is kept of what it says.
const MOST_SAID: u64 = 4 << 10;

/// What the system's shell ends with where a program is not found.
const NOT_FOUND: i32 = 127;

/// An empty home that goes when it is dropped.
#[derive(Debug)]
pub struct Alone(TemporaryDir);

impl Alone {
    /// Makes one.
    pub fn make() -> Result<Self> {
        let dir = program::scratch()?;
        let settings = private::settings(None).unwrap_or_default();
        fsutil::write_unsynced(&dir.path().join(home::CONFIG_TOML), settings.as_bytes())?;
        Ok(Self(dir))
    }

    /// As a Codex is started on it.
    pub fn home(&self) -> Home<'_> {
        Home::alone(self.0.path())
    }
}

/// The version of the Codex, as `0.169.0`.
pub fn version(program: &Program, alone: &Alone, stop: &dyn Fn() -> bool) -> Result<String> {
    let scratch = program::scratch()?;
    let mut command = Command::new(&program.path);
    command
        .args(&program.args)
        .arg("--version")
        .current_dir(alone.home().path);
    for (name, value) in Program::environment(alone.home(), scratch.path()) {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let shown = program.path.display();
    let failed = |why: String, hint: &str| {
        let message = format!("`{shown} --version` {why}");
        Err(Error::new(Kind::NoStatus, message, hint))
    };
    let by_hand = "run it by hand to see why, or install Codex anew";
    match process::run(&mut command, TO_SAY, MOST_SAID, stop)? {
        Ran::Ended(Ending::Code(0), said) => match version_in(&String::from_utf8_lossy(&said)) {
            Some(version) => Ok(version),
            None => failed("names no version".to_owned(), "see that it is Codex"),
        },
        Ran::Ended(Ending::Code(NOT_FOUND), _) if is_of_node(&program.path) => failed(
            "finds no `node`, which it is run by".to_owned(),
            "install Node.js; or where PATH is short, as under cron, name it too: `codex-manager config set codex_command \
             \"$(command -v node) $(command -v codex)\"`",
        ),
        Ran::Ended(ending, _) => failed(format!("ended with {ending}"), by_hand),
        Ran::TookTooLong => failed(
            format!("took longer than {} s and was ended", TO_SAY.as_secs()),
            by_hand,
        ),
        Ran::Unstartable(error) => Err(program::unstartable(&program.path, &error)),
    }
}

/// The version in what `codex --version` says: `codex-cli 0.169.0`.
fn version_in(said: &str) -> Option<String> {
    let word = said.lines().next()?.split_ascii_whitespace().last()?;
    let is_version = word.starts_with(|first: char| first.is_ascii_digit()) && word.len() < 40;
    is_version.then(|| word.to_owned())
}

/// Whether the file is a script that `node` runs, as npm's launcher.
fn is_of_node(path: &Path) -> bool {
    const MOST: u64 = 1 << 20;
    let bytes = fsutil::read_limited(path, MOST).unwrap_or_default();
    let first = bytes.split(|byte| *byte == b'\n').next();
    let first = String::from_utf8_lossy(first.unwrap_or_default());
    first.starts_with("#!") && first.contains("node")
}

/// Every other file of that name on the PATH, each once, whatever links lead there.
pub fn others(program: &Program, all: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut seen = vec![fsutil::real(&program.path)];
    let mut others = Vec::new();
    for path in all {
        let real = fsutil::real(&path);
        if !seen.contains(&real) {
            seen.push(real);
            others.push(path);
        }
    }
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_number_at_the_end_of_the_first_line() {
        for (said, version) in [
            ("codex-cli 0.169.0\n", Some("0.169.0")),
            ("codex-cli 0.53.0", Some("0.53.0")),
            ("0.1\nmore", Some("0.1")),
            ("codex", None),
            ("", None),
            ("\n", None),
        ] {
            assert_eq!(version_in(said).as_deref(), version, "{said}");
        }
    }
}

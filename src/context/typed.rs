//! The commands that a person is told to run next, spelled so that they act on the very homes that this run looks at.

use std::path::Path;

use super::{Ctx, variable};
use crate::error::Error;
use crate::fsutil;

impl Ctx {
    /// A command of this program, with the homes that were said for this run. Any other is as it is.
    pub fn typed(&self, command: &str) -> String {
        match command.strip_prefix("codex-manager ") {
            Some(words) => format!("codex-manager {}{words}", self.homes_said()),
            None => command.to_owned(),
        }
    }

    /// A text with such commands in backquotes; `codex login` among them is of `home`.
    pub fn with_typed(&self, text: &str, home: &Path) -> String {
        let ours = format!("`codex-manager {}", self.homes_said());
        text.replace("`codex-manager ", &ours)
            .replace("`codex login`", &format!("`{}`", self.codex_login(home)))
    }

    /// A failure that speaks of `home`, where another one may be in force.
    pub fn of_home(&self, home: &Path, error: Error) -> Error {
        let login = format!("`{}`", self.codex_login(home));
        let hint = error.hint().replace("`codex login`", &login);
        error.with_hint(hint)
    }

    /// How to sign in to `home`. Codex knows neither our flag nor our setting; in another home it would take back the login
    /// that stands there.
    pub fn codex_login(&self, home: &Path) -> String {
        let of_codex = match variable("CODEX_HOME") {
            Some(path) => std::path::absolute(path).ok(),
            None => self.paths.home.as_ref().map(|person| person.join(".codex")),
        };
        if of_codex.is_some_and(|path| fsutil::real(&path) == fsutil::real(home)) {
            return "codex login".to_owned();
        }
        let home = quoted(home);
        if cfg!(windows) {
            format!("$env:CODEX_HOME={home}; codex login")
        } else {
            format!("CODEX_HOME={home} codex login")
        }
    }

    /// The flags for homes that were said, as they are typed before a command.
    fn homes_said(&self) -> String {
        let (codex, manager) = self.globals.homes_said;
        let said = [
            (codex, "--codex-home", &self.paths.codex_home),
            (manager, "--manager-home", &self.paths.manager_home),
        ];
        let said = said.into_iter().filter(|(is_said, ..)| *is_said);
        let words = said.map(|(_, flag, path)| format!("{flag} {} ", quoted(path)));
        words.collect::<Vec<_>>().concat()
    }
}

fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let quoted = shell_words::quote(&path);
    // A PowerShell has no word before a `;` but in quotes.
    if cfg!(windows) && !quoted.starts_with('\'') {
        return format!("'{path}'");
    }
    quoted.into_owned()
}

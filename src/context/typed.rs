//! The commands that a person is told to run next, spelled so that they act on the very homes that this run looks at.

use std::path::Path;

use super::{Ctx, variable};
use crate::error::Error;
use crate::fsutil;

impl Ctx {
    /// A command of this program, with the homes that were said for this run. Any other is as it is.
    pub fn typed(&self, command: &str) -> String {
        match command.strip_prefix("codex-manager ") {
            Some(words) => self.with_places(words),
            None => command.to_owned(),
        }
    }

    /// A text with such commands in backquotes; `codex login` among them is of `home`.
    pub fn with_typed(&self, text: &str, home: &Path) -> String {
        const OURS: &str = "`codex-manager ";
        let (mut typed, mut rest) = (String::new(), text);
        while let Some((before, words)) = rest.split_once(OURS) {
            let command = words.split('`').next().unwrap_or_default();
            typed.extend([before, "`", &self.with_places(command)]);
            rest = words.get(command.len()..).unwrap_or_default();
        }
        typed.push_str(rest);
        typed.replace("`codex login`", &format!("`{}`", self.codex_login(home)))
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

    /// The words of a command of ours, with the homes and the directories that were said.
    fn with_places(&self, words: &str) -> String {
        let (name, rest) = match words.find(' ') {
            Some(end) => words.split_at(end),
            None => (words, ""),
        };
        let homes = self.homes_said(words);
        format!(
            "codex-manager {homes}{name}{}{rest}",
            self.dirs_said(name, rest)
        )
    }

    /// The flags for directories that were said, as they are typed behind the name of a command that has them.
    fn dirs_said(&self, name: &str, rest: &str) -> String {
        let is_of = |flag: &str| match flag {
            "--dest-dir" => name == "restore",
            _ => matches!(
                name,
                "backup" | "list-backups" | "restore" | "prune" | "use"
            ),
        };
        let mut words = String::new();
        for (flag, path) in &self.globals.dirs_said {
            if is_of(flag) && !rest.contains(flag) {
                words.extend([" ", flag, " ", &quoted(path)]);
            }
        }
        words
    }

    /// The flags for homes that were said, as they are typed before a command; none that it has.
    fn homes_said(&self, command: &str) -> String {
        let (codex, manager) = self.globals.homes_said;
        let said = [
            (codex, "--codex-home", &self.paths.codex_home),
            (manager, "--manager-home", &self.paths.manager_home),
        ];
        let mut words = String::new();
        let missing = |(is_said, flag, _): &(bool, &str, &_)| *is_said && !command.contains(flag);
        for (_, flag, path) in said.into_iter().filter(missing) {
            words.extend([flag, " ", &quoted(path), " "]);
        }
        words
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

//! One check: what was found, how bad it is, what to do; and all of them as they are told.

use serde::Serialize;

use super::repair::Repair;
use crate::error::Error;
use crate::ui::table::{count, printable};
use crate::ui::wrap::wrapped;
use crate::ui::{Page, Report};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, and something should be done.
    Warn,
    /// Something does not work, or is not safe.
    Fail,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Ok => "32",
            Self::Warn => "33",
            Self::Fail => "31",
        }
    }
}

/// What came of one check; a check that finds several things is there for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// How bad it is.
    pub status: Status,
    /// What was found.
    pub finding: String,
    /// What to do; None where nothing is.
    pub hint: Option<String>,
    /// What was repaired.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<String>,
    /// What would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_fix: Option<String>,
    /// How it can be repaired.
    #[serde(skip)]
    pub repair: Option<Repair>,
}

impl Check {
    fn new(
        name: &'static str,
        status: Status,
        finding: impl Into<String>,
        hint: Option<String>,
    ) -> Self {
        Self {
            name,
            status,
            finding: finding.into(),
            hint,
            fixed: Vec::new(),
            would_fix: None,
            repair: None,
        }
    }

    /// As it should be.
    pub fn ok(name: &'static str, finding: impl Into<String>) -> Self {
        Self::new(name, Status::Ok, finding, None)
    }

    /// It works, and something should be done.
    pub fn warn(name: &'static str, finding: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(name, Status::Warn, finding, Some(hint.into()))
    }

    /// Something does not work, or is not safe.
    pub fn fail(name: &'static str, finding: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(name, Status::Fail, finding, Some(hint.into()))
    }

    /// What a command would fail with.
    pub fn of_error(name: &'static str, error: &Error) -> Self {
        Self::fail(name, error.to_string(), error.hint())
    }

    /// The same, which can be repaired.
    #[must_use]
    pub fn repaired_by(self, repair: Repair) -> Self {
        Self {
            repair: Some(repair),
            ..self
        }
    }

    fn text(&self, page: &Page) -> String {
        /// `ok` and `warn` take as much, with the blanks behind.
        const STATUS: usize = 6;
        /// The longest name, with the blanks behind.
        const NAME: usize = 14;
        /// Below that many columns there is no room for prose beside the name.
        const WIDE: usize = 60;
        let beside = STATUS + NAME;
        let indent = match page.width {
            Some(width) if width < WIDE => STATUS,
            _ => beside,
        };
        let word = format!("{:<STATUS$}", self.status.word());
        let word = if page.color {
            format!("\x1b[{}m{word}\x1b[0m", self.status.colour())
        } else {
            word
        };
        // Names of files may hold anything, and this is one line.
        let finding = wrapped(&printable(&self.finding), beside, indent, page.width);
        let mut text = if finding.starts_with('\n') {
            format!("{word}{}{finding}\n", self.name)
        } else {
            format!("{word}{:<NAME$}{finding}\n", self.name)
        };
        let more = self.hint.iter().map(|hint| ("hint", hint));
        let more = more.chain(self.fixed.iter().map(|fixed| ("fixed", fixed)));
        let more = more.chain(self.would_fix.iter().map(|would| ("would fix", would)));
        for (what, words) in more {
            let words = format!("{what}: {}", printable(words));
            let words = wrapped(&words, STATUS, STATUS + 2, page.width);
            text.push_str(&format!("{:STATUS$}{words}\n", ""));
        }
        text
    }
}

/// All of them.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// In the order in which they matter to somebody new.
    pub checks: Vec<Check>,
    /// How many failed.
    pub failed: usize,
    /// Whether only what is not as it should be is told.
    #[serde(skip)]
    pub is_quiet: bool,
}

impl Answer {
    /// What is to be told of `checks`.
    pub fn of(checks: Vec<Check>, is_quiet: bool) -> Self {
        Self {
            failed: number(&checks, Status::Fail),
            checks,
            is_quiet,
        }
    }
}

fn number(checks: &[Check], status: Status) -> usize {
    checks.iter().filter(|check| check.status == status).count()
}

impl Report for Answer {
    fn text(&self, page: &Page) -> String {
        let is_told =
            |check: &&Check| !self.is_quiet || check.status > Status::Ok || !check.fixed.is_empty();
        let told = self.checks.iter().filter(is_told);
        let mut text: String = told.map(|check| check.text(page)).collect();
        if !self.is_quiet {
            text.push_str(&format!(
                "{}: {} ok, {} warn, {} fail\n",
                count(self.checks.len(), "check"),
                number(&self.checks, Status::Ok),
                number(&self.checks, Status::Warn),
                number(&self.checks, Status::Fail)
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Answer {
        let mut fixed = Check::ok("modes", "closed");
        fixed.fixed = vec!["2 files".to_owned()];
        let checks = vec![
            Check::ok("codex", "0.169.0, ~/bin/codex"),
            Check::warn(
                "login",
                "nobody is signed in to ~/.codex",
                "run `codex login`",
            ),
            Check::fail(
                "manager-home",
                "`~/.codex-\u{1b}[2Jmanager\n` is a file",
                "move it away",
            ),
            fixed,
        ];
        Answer::of(checks, false)
    }

    fn page(width: Option<usize>, color: bool) -> Page {
        Page {
            width,
            color,
            unicode: true,
            now: None,
        }
    }

    #[test]
    fn a_line_a_check_and_the_hint_below() {
        assert_eq!(
            sample().text(&page(None, false)),
            "ok    codex         0.169.0, ~/bin/codex\n\
             warn  login         nobody is signed in to ~/.codex\n      hint: run `codex login`\n\
             fail  manager-home  `~/.codex-\u{fffd}[2Jmanager\u{fffd}` is a file\n      hint: move it away\n\
             ok    modes         closed\n      fixed: 2 files\n\
             4 checks: 2 ok, 1 warn, 1 fail\n"
        );
    }

    #[test]
    fn narrow_ones_go_on_below_the_name() {
        let text = sample().text(&page(Some(40), false));
        assert!(
            text.lines().all(|line| line.chars().count() <= 40),
            "{text}"
        );
        assert!(
            text.contains("warn  login         nobody is signed in\n      to ~/.codex\n"),
            "{text}"
        );
        let wide = sample().text(&page(Some(60), false));
        assert!(wide.contains("warn  login         nobody is signed in to ~/.codex\n"));
    }

    #[test]
    fn quiet_ones_tell_what_is_not_as_it_should_be() {
        let answer = Answer {
            is_quiet: true,
            ..sample()
        };
        let text = answer.text(&page(None, true));
        assert_eq!(
            text,
            "\x1b[33mwarn  \x1b[0mlogin         nobody is signed in to ~/.codex\n      hint: run `codex login`\n\
             \x1b[31mfail  \x1b[0mmanager-home  `~/.codex-\u{fffd}[2Jmanager\u{fffd}` is a file\n      hint: move it away\n\
             \x1b[32mok    \x1b[0mmodes         closed\n      fixed: 2 files\n"
        );
    }
}

//! The parts of a Codex home that can be restored by themselves. What stands at the top of the home decides, so that every
//! path belongs to exactly one and a directory to the same as all below it. Pure.

use std::fmt;

use clap::ValueEnum;

use super::home;

/// One part. The list is in CODEX_MANAGER_SPEC.md, "Parts".
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// `auth.json`
    Auth,
    /// `config.toml` and other `*.config.toml`, hooks, `AGENTS.md`, themes
    Config,
    /// `sessions/`, `archived_sessions/`, their index
    Sessions,
    /// `history.jsonl`
    History,
    /// `*.sqlite` at the top of the home
    Databases,
    /// `skills/`
    Skills,
    /// `prompts/`
    Prompts,
    /// `rules/`
    Rules,
    /// `memories/`
    Memories,
    /// Credentials of MCP servers and gateways
    Mcp,
    /// Everything else
    Other,
}

impl Part {
    /// The part that `path`, relative and with `/` between its parts, belongs to.
    pub fn of(path: &str) -> Self {
        let top = path.split('/').next().unwrap_or_default();
        match top {
            home::AUTH_JSON => Self::Auth,
            "config.toml" | "hooks.json" | "hooks" | "AGENTS.md" | "AGENTS.override.md"
            | "themes" | "pets" => Self::Config,
            "sessions" | "archived_sessions" | "session_index.jsonl" => Self::Sessions,
            "history.jsonl" => Self::History,
            "skills" => Self::Skills,
            "prompts" => Self::Prompts,
            "rules" => Self::Rules,
            "memories" => Self::Memories,
            ".credentials.json" | "gateway_oauth.json" | "secrets" => Self::Mcp,
            _ if home::is_database(home::database_beside(top).unwrap_or(top)) => Self::Databases,
            // The databases that stood outside of the home.
            _ if home::is_sqlite_home(top) => Self::Databases,
            _ if top.ends_with(".config.toml") => Self::Config,
            _ => Self::Other,
        }
    }

    /// Its name on the command line and in a sidecar.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Config => "config",
            Self::Sessions => "sessions",
            Self::History => "history",
            Self::Databases => "databases",
            Self::Skills => "skills",
            Self::Prompts => "prompts",
            Self::Rules => "rules",
            Self::Memories => "memories",
            Self::Mcp => "mcp",
            Self::Other => "other",
        }
    }
}

/// Some parts of a home, or all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts(u16);

impl Parts {
    /// All of the home.
    pub const ALL: Self = Self((1 << (Part::Other as u16 + 1)) - 1);

    /// The login alone.
    pub const AUTH: Self = Self::one(Part::Auth);

    const fn one(part: Part) -> Self {
        Self(1 << part as u16)
    }

    /// Whether `part` is one of them.
    pub fn has(self, part: Part) -> bool {
        self.0 & Self::one(part).0 != 0
    }

    /// Whether `path` belongs to one of them.
    pub fn hold(self, path: &str) -> bool {
        self == Self::ALL || self.has(Part::of(path))
    }

    /// Those of them that are not among `others`.
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Their names, in the order of [`Part`].
    pub fn words(self) -> Vec<&'static str> {
        let all = Part::value_variants().iter();
        let own = all.filter(|part| self.has(**part));
        own.map(|part| part.word()).collect()
    }

    /// The parts of these names; None where one is no part's.
    pub fn named(words: &[String]) -> Option<Self> {
        let part = |word: &String| {
            let mut all = Part::value_variants().iter();
            all.find(|part| part.word() == word).copied()
        };
        words.iter().map(part).collect()
    }
}

impl FromIterator<Part> for Parts {
    fn from_iter<I: IntoIterator<Item = Part>>(parts: I) -> Self {
        let parts = parts.into_iter();
        Self(parts.fold(0, |bits, part| bits | Self::one(part).0))
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.words().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_of_one_part() {
        for (path, part) in [
            ("auth.json", Part::Auth),
            ("config.toml", Part::Config),
            ("work.config.toml", Part::Config),
            ("hooks.json", Part::Config),
            ("AGENTS.md", Part::Config),
            ("sessions/2026/04/14/rollout-1.jsonl", Part::Sessions),
            ("archived_sessions", Part::Sessions),
            ("session_index.jsonl", Part::Sessions),
            ("history.jsonl", Part::History),
            ("state_5.sqlite", Part::Databases),
            ("state_5.sqlite-wal", Part::Databases),
            ("memories_1.sqlite-shm", Part::Databases),
            ("Logs_2.SQLITE-journal", Part::Databases),
            (".codex-manager-sqlite-home/a.sqlite", Part::Databases),
            ("skills/mine/SKILL.md", Part::Skills),
            ("skills/mine/x.sqlite", Part::Skills),
            ("prompts/a.md", Part::Prompts),
            ("rules/default.rules", Part::Rules),
            ("memories/a", Part::Memories),
            (".credentials.json", Part::Mcp),
            ("secrets/a.age", Part::Mcp),
            ("21apr_bob@example.com_auth.json", Part::Other),
            ("installation_id", Part::Other),
            ("plugins/auth.json", Part::Other),
            ("notes-wal", Part::Other),
            ("sessions2", Part::Other),
            ("", Part::Other),
        ] {
            assert_eq!(Part::of(path), part, "{path}");
            assert!(Parts::ALL.hold(path));
        }
    }

    #[test]
    fn sets_of_parts() {
        let some: Parts = [Part::Other, Part::Auth, Part::Auth].into_iter().collect();
        assert_eq!(some.to_string(), "auth, other");
        assert_eq!(some.without(Parts::AUTH).words(), ["other"]);
        assert!(some.without(Parts::ALL).is_empty());
        assert!(some.hold("auth.json") && !some.hold("config.toml"));
        assert_eq!(
            Part::value_variants().iter().copied().collect::<Parts>(),
            Parts::ALL
        );
        let words =
            |words: &[&str]| Parts::named(&words.iter().map(|&w| w.into()).collect::<Vec<_>>());
        assert_eq!(words(&Parts::ALL.words()), Some(Parts::ALL));
        assert_eq!(words(&["auth", "later"]), None);
    }
}

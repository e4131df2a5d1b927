//! What of a Codex home is runtime state: Codex makes it anew by itself, and nobody misses it. Pure.
//!
//! It is less than what no snapshot captures. Locks, sockets and notes of processes hold next to nothing and guard what
//! runs; markers of migrations that are missing have Codex change settings again; `packages/` is the program that the daemon
//! or the person runs, and a daemon whose notes are there does not start without it. Source: openai/codex,
//! app-server-daemon/src/prepare_install.rs.

use super::home;
use super::parts::Part;

/// What Codex calls its database of logs, but for the version of its schema and the ending.
const LOGS: &str = "logs_";

/// Directories that go as they are.
const DIRS: &[(&str, &str)] = &[
    ("log", "logs"),
    ("shell_snapshots", "made anew"),
    ("tui-thread-reference-capabilities", "made anew"),
];

/// Directories of which all goes that is not of plugins: Codex keeps the market places that a person added in one of them.
/// Source: openai/codex, core-plugins/src/installed_marketplaces.rs.
const EMPTIED: &[(&str, &str)] = &[
    ("tmp", "temporary"),
    (".tmp", "temporary"),
    ("cache", "a cache"),
];

/// Files that go.
const FILES: &[(&str, &str)] = &[
    ("models_cache.json", "a cache"),
    ("version.json", "a cache"),
];

/// The directory of the daemon, of which its logs go.
const DAEMON: &str = "app-server-daemon";

/// What their names end in.
const LOG: &str = ".log";

/// What something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Dir,
    /// A regular file.
    File,
    /// A link, wherever it leads.
    Link,
    /// Anything else.
    Other,
}

/// What becomes of a path, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes.
    Goes(&'static str),
    /// It stays.
    Stays(&'static str),
    /// What is in this directory is asked for, one by one.
    Within,
}

/// What becomes of `path`, which is at the top of a Codex home, or in a directory of it that is [`Fate::Within`].
pub fn fate(path: &str, kind: Kind) -> Fate {
    let of = |list: &[(&'static str, &'static str)], name: &str| {
        let found = list.iter().find(|(known, _)| *known == name);
        found.map(|(_, why)| *why)
    };
    let is_file = matches!(kind, Kind::File | Kind::Link);
    if let Some((dir, name)) = path.split_once('/') {
        return match of(EMPTIED, dir) {
            _ if ["plugin", "marketplace"].iter().any(|of| name.contains(of)) => {
                Fate::Stays("of plugins")
            }
            Some(why) => Fate::Goes(why),
            None if is_file && name.strip_suffix(LOG).is_some() => Fate::Goes("logs"),
            None => Fate::Stays("of the daemon"),
        };
    }
    if kind == Kind::Dir && (path == DAEMON || of(EMPTIED, path).is_some()) {
        return Fate::Within;
    }
    let why = match kind {
        Kind::Dir => of(DIRS, path),
        Kind::File => of(FILES, path),
        Kind::Link => [DIRS, EMPTIED, FILES]
            .iter()
            .find_map(|list| of(list, path)),
        Kind::Other => None,
    };
    if let Some(why) = why {
        return Fate::Goes(why);
    }
    let database = home::database_beside(path).unwrap_or(path);
    if is_file && database.starts_with(LOGS) && home::is_database(database) {
        return Fate::Goes("logs");
    }
    Fate::Stays(match Part::of(path) {
        Part::Auth | Part::Mcp => "a login",
        Part::Config => "settings",
        Part::Databases => "a database",
        Part::Other if home::is_passing(path, false) => "of Codex as it runs",
        Part::Other => "not known to be made anew",
        Part::Sessions
        | Part::History
        | Part::Skills
        | Part::Prompts
        | Part::Rules
        | Part::Memories => "a person's work",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_codex_makes_anew_goes_and_nothing_else() {
        let fates = |paths: &[(&str, Kind)]| -> Vec<Fate> {
            paths.iter().map(|(path, kind)| fate(path, *kind)).collect()
        };
        let goes = fates(&[
            ("log", Kind::Dir),
            ("log", Kind::Link),
            ("shell_snapshots", Kind::Dir),
            ("tui-thread-reference-capabilities", Kind::Dir),
            ("tmp", Kind::Link),
            ("tmp/arg0-linux", Kind::Dir),
            ("tmp/pipe", Kind::Other),
            (".tmp/x", Kind::File),
            ("cache/codex_apps_tools", Kind::Dir),
            ("models_cache.json", Kind::File),
            ("version.json", Kind::File),
            ("logs_2.sqlite", Kind::File),
            ("logs_1.sqlite-wal", Kind::File),
            ("logs_2.sqlite-journal", Kind::File),
            ("app-server-daemon/daemon.stderr.log", Kind::File),
        ]);
        for (place, fate) in goes.iter().enumerate() {
            assert!(matches!(fate, Fate::Goes(_)), "{place}");
        }
        let within = fates(&[
            ("tmp", Kind::Dir),
            (".tmp", Kind::Dir),
            ("cache", Kind::Dir),
            (DAEMON, Kind::Dir),
        ]);
        assert_eq!(within, [Fate::Within; 4]);
        for (path, kind, why) in [
            ("auth.json", Kind::File, "a login"),
            (".credentials.json", Kind::File, "a login"),
            ("secrets", Kind::Dir, "a login"),
            ("config.toml", Kind::File, "settings"),
            ("sessions", Kind::Dir, "a person's work"),
            ("archived_sessions", Kind::Dir, "a person's work"),
            ("history.jsonl", Kind::File, "a person's work"),
            ("skills", Kind::Dir, "a person's work"),
            ("memories", Kind::Dir, "a person's work"),
            ("state_5.sqlite", Kind::File, "a database"),
            ("memories_1.sqlite-wal", Kind::File, "a database"),
            ("logs_2.sqlite", Kind::Dir, "a database"),
            ("plugins", Kind::Dir, "not known to be made anew"),
            ("installation_id", Kind::File, "not known to be made anew"),
            ("logs", Kind::Dir, "not known to be made anew"),
            ("tmp", Kind::File, "of Codex as it runs"),
            ("log", Kind::File, "of Codex as it runs"),
            ("version.json", Kind::Dir, "of Codex as it runs"),
            ("packages", Kind::Dir, "of Codex as it runs"),
            (".sandbox_migration", Kind::File, "of Codex as it runs"),
            ("auth.lock", Kind::File, "of Codex as it runs"),
            ("thread-writer-locks", Kind::Dir, "of Codex as it runs"),
            (".tmp/marketplaces", Kind::Dir, "of plugins"),
            (".tmp/plugins", Kind::Dir, "of plugins"),
            (
                ".tmp/app-server-remote-plugin-sync-v1",
                Kind::File,
                "of plugins",
            ),
            (
                "app-server-daemon/settings.json",
                Kind::File,
                "of the daemon",
            ),
            ("app-server-daemon/daemon.pid", Kind::File, "of the daemon"),
        ] {
            assert_eq!(fate(path, kind), Fate::Stays(why), "{path}");
        }
    }
}

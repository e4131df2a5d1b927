//! The Codex home: what of it is captured, what never is, and reading its login.
//!
//! Source: the listing of a Codex home in CODEX_MANAGER_SPEC.md, "What gets backed up". Whatever is not known to be
//! passing is captured: a file that a newer Codex adds is more likely to matter than not.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::auth::{self, Login};
use crate::error::{Error, Result};
use crate::fsutil;
use crate::legacy;

/// The login's file name.
pub const AUTH_JSON: &str = "auth.json";

/// Codex's settings.
pub const CONFIG_TOML: &str = "config.toml";

/// Where Codex looks for the settings of the whole machine; on Windows that is another place, which is not looked at.
const MACHINE_SETTINGS: &str = "/etc/codex";

/// The store of logins that is `auth.json`.
const FILE_STORE: &str = "file";

/// Directories that hold what Codex makes anew: never captured, never removed by a restore.
const PASSING_DIRS: &[&str] = &[
    "packages",
    "app-server-control",
    "app-server-daemon",
    "thread-writer-locks",
    "mcp-oauth-locks",
    "tui-thread-reference-capabilities",
    "shell_snapshots",
    "skills/.system",
    "log",
];

/// Directories of Codex's own files, in which a lock is one of its own. Elsewhere it may be a person's `Cargo.lock`.
const LOCKED_DIRS: &[&str] = &["sessions", "archived_sessions"];

/// Scratch directories: captured only on request.
const SCRATCH_DIRS: &[&str] = &["tmp", ".tmp"];

/// Files that hold what Codex makes anew.
const PASSING_FILES: &[&str] = &[
    "version.json",
    ".sandbox_migration",
    ".personality_migration",
];

/// What the Python 23.0.0 keeps in the login half of its split layout; its session half leaves these alone.
const PYTHON_LOGIN_SET: &[&str] = &[
    "auth.json",
    "config.toml",
    "installation_id",
    "version.json",
    ".personality_migration",
    "rules",
];

/// Where this program stages a restore inside the home.
pub const STAGE_DIR: &str = ".codex-manager-restore";

/// Where a restore keeps what came to stand in its way.
pub const KEPT_DIR: &str = ".codex-manager-kept";

/// Where archives hold the databases that Codex keeps outside of its home: no path of a home is captured as one below it,
/// and no restore puts anything there.
pub const SQLITE_HOME_DIR: &str = ".codex-manager-sqlite-home";

/// The largest settings of Codex's that are read.
const MOST_SETTINGS: u64 = 4 << 20;

/// Whether `path` (relative, `/` between parts) is never captured and so never touched by a restore.
///
/// `include_tmp` says whether scratch directories count as captured.
pub fn is_passing(path: &str, include_tmp: bool) -> bool {
    let under = |dir: &&str| {
        path == *dir
            || path
                .strip_prefix(*dir)
                .is_some_and(|rest| rest.starts_with('/'))
    };
    PASSING_DIRS.iter().any(&under)
        || (!include_tmp && SCRATCH_DIRS.iter().any(&under))
        || PASSING_FILES.contains(&path)
        || is_ours(path)
        || (Path::new(path).extension().is_some_and(|it| it == "lock")
            && (!path.contains('/') || LOCKED_DIRS.iter().any(&under)))
}

/// Whether `path` is what a restore works with, in any case of letters: on some systems they are one.
fn is_ours(path: &str) -> bool {
    let top = path.split('/').next().unwrap_or_default();
    [STAGE_DIR, KEPT_DIR, SQLITE_HOME_DIR]
        .iter()
        .any(|dir| top.eq_ignore_ascii_case(dir))
}

/// Whether a file of that name, or path, is one of Codex's databases. What stands before the ending carries the version of
/// its schema.
pub fn is_database(name: &str) -> bool {
    const SUFFIX: &str = ".sqlite";
    let start = name.len().checked_sub(SUFFIX.len());
    let suffix = start.and_then(|start| name.get(start..));
    suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case(SUFFIX))
}

/// Whether `path` is where archives hold what stands outside of the home, in any case of letters.
pub fn is_sqlite_home(path: &str) -> bool {
    let top = path.split('/').next().unwrap_or_default();
    top.eq_ignore_ascii_case(SQLITE_HOME_DIR)
}

/// Whether the top-level entry `name` belongs to the login half of the Python 23.0.0's layout.
pub fn is_python_login_entry(path: &str) -> bool {
    path.split('/')
        .next()
        .is_some_and(|top| PYTHON_LOGIN_SET.contains(&top))
}

/// Whether the top-level file `name` is somebody else's hand-made login copy, as `owner` sees it.
pub fn is_anothers_legacy_login(name: &str, owner: Option<&str>) -> bool {
    legacy::email_of(name)
        .is_some_and(|email| !owner.is_some_and(|owner| owner.eq_ignore_ascii_case(email)))
}

/// The database that `path` stands beside, as SQLite's log, its index or its journal; None for any other file.
pub fn database_beside(path: &str) -> Option<&str> {
    let database = ["-wal", "-shm", "-journal"]
        .iter()
        .find_map(|suffix| path.strip_suffix(suffix));
    database.filter(|database| is_database(database))
}

/// Whether `dir` looks like a Codex home. A restore that was cut short may have moved every other sign away.
pub fn is_like_one(dir: &Path) -> Result<bool> {
    for sure in [AUTH_JSON, STAGE_DIR] {
        if fsutil::exists(&dir.join(sure))? {
            return Ok(true);
        }
    }
    let mut signs = 0;
    for sign in [CONFIG_TOML, "sessions", "history.jsonl", "installation_id"] {
        signs += usize::from(fsutil::exists(&dir.join(sign))?);
    }
    // Many a project has a config.toml.
    Ok(signs > 1)
}

/// Where the login of `home` stands.
pub fn auth_path(home: &Path) -> PathBuf {
    home.join(AUTH_JSON)
}

/// Where Codex keeps the login of `home` where that is not `auth.json`: `keyring`, `auto` or `ephemeral`, as
/// `cli_auth_credentials_store` has it; and the settings file that says so. None too where a file cannot be read, as Codex
/// does not start with it either.
///
/// Source: Codex 0.169 with each of these files: what the machine demands goes before what the home says, and that before
/// what the machine suggests.
pub fn other_store(home: &Path) -> Option<(PathBuf, String)> {
    let of_machine = |name: &str| Path::new(MACHINE_SETTINGS).join(name);
    let files = [
        of_machine("requirements.toml"),
        of_machine("managed_config.toml"),
        home.join(CONFIG_TOML),
        of_machine(CONFIG_TOML),
    ];
    let said = files.into_iter().find_map(|path| {
        let store = store_in(&path)?;
        Some((path, store))
    });
    said.filter(|(_, store)| store != FILE_STORE)
}

fn store_in(path: &Path) -> Option<String> {
    let settings = settings_in(path)?;
    let store = settings.get("cli_auth_credentials_store")?.as_str()?;
    Some(store.to_owned())
}

fn settings(home: &Path) -> Option<toml::Table> {
    settings_in(&home.join(CONFIG_TOML))
}

fn settings_in(path: &Path) -> Option<toml::Table> {
    let settings = fsutil::read_if_present(path, MOST_SETTINGS);
    let settings = String::from_utf8(settings.ok()??).ok()?;
    settings.parse().ok()
}

/// What is wrong with the settings of `home`, and in which line; None where nothing is. The error is the system's.
pub fn fault_of_settings(home: &Path) -> Result<Option<String>> {
    let Some(bytes) = fsutil::read_if_present(&home.join(CONFIG_TOML), MOST_SETTINGS)? else {
        return Ok(None);
    };
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Ok(Some("it is no text".to_owned()));
    };
    // Not a word of the file: it may hold keys.
    Ok(text.parse::<toml::Table>().err().map(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.unwrap_or_default().matches('\n').count() + 1;
        let what = error.message().split('\n').next().unwrap_or_default();
        format!("line {line}: {what}")
    }))
}

/// The settings beside those of `home`, which Codex takes with `-p NAME`, that have it keep its login elsewhere: the name of
/// each file, and where.
pub fn other_stores_of_layers(home: &Path) -> Vec<(String, String)> {
    const ENDING: &str = ".config.toml";
    let listing = std::fs::read_dir(home).into_iter().flatten().flatten();
    let names = listing.filter_map(|entry| entry.file_name().into_string().ok());
    let mut found: Vec<_> = names
        .filter(|name| name.strip_suffix(ENDING).is_some_and(|own| !own.is_empty()))
        .filter_map(|name| Some((name.clone(), store_in(&home.join(name))?)))
        .filter(|(_, store)| store != FILE_STORE)
        .collect();
    found.sort();
    found
}

/// The directory of the databases that `sqlite_home` in the settings of `home` names; None where they name none, or cannot
/// be read, as Codex does not start with them either.
///
/// A relative one starts at the home, and `~` is the home of the `person`. Source: openai/codex, config_toml.rs and
/// utils/absolute-path of 0.145.
pub fn sqlite_home(home: &Path, person: Option<&Path>) -> Option<PathBuf> {
    let settings = settings(home)?;
    let named = settings.get("sqlite_home")?.as_str()?;
    let below = named
        .strip_prefix('~')
        .filter(|rest| rest.is_empty() || rest.starts_with(std::path::is_separator));
    Some(match (below, person) {
        (Some(rest), Some(person)) => person.join(rest.trim_start_matches(std::path::is_separator)),
        _ => home.join(named),
    })
}

/// The directories in which a restore set aside what was in its way, as far as a login is among that.
pub fn set_aside(home: &Path) -> Vec<PathBuf> {
    let Ok(listing) = fs::read_dir(home.join(KEPT_DIR)) else {
        return Vec::new();
    };
    let places = listing.flatten().map(|entry| entry.path());
    let mut places: Vec<PathBuf> = places
        .filter(|place| place.join(AUTH_JSON).exists())
        .collect();
    places.sort();
    places
}

/// The login as bytes and as what it says. None where there is no auth.json.
///
/// Codex up to 0.166 rewrites the file in place: one that cannot be read is read again for half a second.
pub fn read_login(home: &Path) -> Result<Option<(Vec<u8>, Login)>> {
    let path = auth_path(home);
    let mut read = || fsutil::read_if_present(&path, auth::MOST_BYTES);
    let rest = || std::thread::sleep(Duration::from_millis(50));
    match settled_login(&mut read, &rest)? {
        None => Ok(None),
        Some((bytes, Ok(login))) => Ok(Some((bytes, login))),
        Some((_, Err(reason))) => Err(unreadable(&path, &reason)),
    }
}

/// What a login says, or why it says nothing.
type Said = std::result::Result<Login, String>;

/// A login that was read twice as the same: of one longer than a page, one reading may have the beginning of the old one
/// and the end of the new one.
fn settled_login(
    read: &mut dyn FnMut() -> Result<Option<Vec<u8>>>,
    rest: &dyn Fn(),
) -> Result<Option<(Vec<u8>, Said)>> {
    const TRIES: u32 = 10;
    let mut last = None;
    for attempt in 1..=TRIES {
        if attempt > 1 {
            rest();
        }
        let Some(bytes) = read()? else {
            return Ok(None);
        };
        let said = auth::parse(&bytes);
        let is_torn = match &said {
            Ok(_) => read()?.as_ref() != Some(&bytes),
            Err(_) => serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_err(),
        };
        if !is_torn {
            return Ok(Some((bytes, said)));
        }
        let said = said.and(Err("it changed each time it was read".to_owned()));
        last = Some((bytes, said));
    }
    Ok(last)
}

/// A login that cannot be told whose it is.
pub fn unreadable(path: &Path, reason: &str) -> Error {
    Error::other(
        format!("cannot tell whose login `{}` is: {reason}", path.display()),
        "sign in with Codex, or restore a snapshot",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_codex_makes_anew_is_passing_and_the_rest_is_not() {
        for path in [
            "packages",
            "packages/a/b",
            "tmp",
            ".tmp/x",
            "auth.lock",
            "auth.json.lock",
            "session_index.jsonl.lock",
            "sessions/2026/a.lock",
            "app-server-control/app-server-control.sock",
            "skills/.system/x",
            "log/codex-login.log",
            "version.json",
            ".codex-manager-restore/new",
            ".Codex-Manager-Restore/journal.json",
            ".codex-manager-kept/1/auth.json",
            ".codex-manager-sqlite-home/state_5.sqlite",
        ] {
            assert!(is_passing(path, false), "{path}");
        }
        for path in [
            "auth.json",
            "config.toml",
            "history.jsonl",
            "sessions/2026/04/14/rollout-1.jsonl",
            "state_5.sqlite-wal",
            "logs_2.sqlite",
            "models_cache.json",
            "installation_id",
            "skills/mine/SKILL.md",
            "skills/mine/uv.lock",
            "skills/mine/x.sock",
            "sessions-of-mine/Cargo.lock",
            "logs",
            "tmpfile",
            "memories/a",
            ".credentials.json",
            "secrets/codex_auth.age",
        ] {
            assert!(!is_passing(path, false), "{path}");
        }
        assert!(!is_passing("tmp/x", true));
    }

    #[test]
    fn sqlite_home_is_read_as_codex_reads_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let person = Path::new("/home/alice");
        let named = |settings: &str| {
            std::fs::write(dir.path().join("config.toml"), settings).expect("writes");
            sqlite_home(dir.path(), Some(person))
        };
        for (settings, expected) in [
            (
                "sqlite_home = \"/fast/db\"",
                Some(PathBuf::from("/fast/db")),
            ),
            ("sqlite_home = 'db'", Some(dir.path().join("db"))),
            ("sqlite_home = '../db'", Some(dir.path().join("../db"))),
            ("sqlite_home = '~/db'", Some(person.join("db"))),
            ("sqlite_home = '~//db'", Some(person.join("db"))),
            ("sqlite_home = '~'", Some(person.to_owned())),
            ("sqlite_home = '~db'", Some(dir.path().join("~db"))),
            ("[profiles.work]\nsqlite_home = '/fast'", None),
            ("sqlite_home = 7", None),
            ("sqlite_home = [", None),
            ("", None),
        ] {
            assert_eq!(named(settings), expected, "{settings}");
        }
        std::fs::remove_file(dir.path().join("config.toml")).expect("removes");
        assert_eq!(sqlite_home(dir.path(), Some(person)), None);
    }

    #[test]
    fn other_peoples_login_copies_are_told() {
        let alice = Some("alice@example.com");
        assert!(is_anothers_legacy_login(
            "21apr_bob@example.com_auth.json",
            alice
        ));
        assert!(!is_anothers_legacy_login(
            "21apr_Alice@Example.com_auth.json",
            alice
        ));
        assert!(is_anothers_legacy_login(
            "21apr_alice@example.com_auth.json",
            None
        ));
        assert!(!is_anothers_legacy_login("auth.json", alice));
    }

    #[test]
    fn a_login_is_taken_once_it_reads_the_same_twice() {
        let key = |key: &str| format!(r#"{{"OPENAI_API_KEY":"sk-{key}"}}"#).into_bytes();
        let settled = |reads: &[&[u8]]| {
            let mut reads = reads.iter();
            let mut read = || Ok(reads.next().map(|bytes| bytes.to_vec()));
            let login = settled_login(&mut read, &|| ()).expect("reads");
            login.map(|(bytes, said)| (bytes, said.is_ok()))
        };
        let (old, new, both) = (key("old"), key("new"), key("oew"));
        assert_eq!(settled(&[&old, &old]), Some((old.clone(), true)));
        assert_eq!(
            settled(&[&both, &new, &new, &new]),
            Some((new.clone(), true))
        );
        assert_eq!(
            settled(&[b"", &old[..9], &new, &new]),
            Some((new.clone(), true))
        );
        assert_eq!(settled(&[b"[]", &new]), Some((b"[]".to_vec(), false)));
        let restless: Vec<&[u8]> = [&*old, &*new].repeat(10);
        assert_eq!(settled(&restless), Some((old.clone(), false)));
        assert_eq!(settled(&[&both]), None);
    }

    #[test]
    fn a_torn_login_is_read_again() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(auth_path(dir.path()), b"{\"OPENAI").expect("writes");
        let path = auth_path(dir.path());
        let writer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(120));
            std::fs::write(path, br#"{"OPENAI_API_KEY":"sk-made-up"}"#).expect("writes");
        });
        assert!(read_login(dir.path()).expect("reads").is_some());
        writer.join().expect("ends");
    }
}

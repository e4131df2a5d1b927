//! Finding Codex on the machine, and starting it on one Codex home.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::fsutil::{self, TemporaryDir};

/// What it is called.
const NAME: &str = "codex";

/// Logins in the environment that beat auth.json: the answer would be another account's.
pub const OTHER_LOGINS: [&str; 3] = ["CODEX_ACCESS_TOKEN", "CODEX_API_KEY", "OPENAI_API_KEY"];

/// Where the person's databases are, where that is not the Codex home.
const DATABASES: &str = "CODEX_SQLITE_HOME";

/// What would lead to other machines, and where nobody is: what asks a proxy there is refused at once.
const WAYS_OUT: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
];
const NOWHERE: &str = "http://127.0.0.1:9";

/// What is reached without a proxy.
const WAYS_ROUND: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Where temporary files go.
#[cfg(unix)]
const TEMPORARY: [&str; 1] = ["TMPDIR"];
#[cfg(not(unix))]
const TEMPORARY: [&str; 2] = ["TEMP", "TMP"];

/// What directories for what it leaves are called.
const SCRATCH: &str = "codex-manager-status-";

/// Codex as it is started here: the native binary, or a launcher such as npm's.
#[derive(Clone, Debug)]
pub struct Program {
    /// The file that is run.
    pub path: PathBuf,
    /// What goes before Codex's own arguments: `npx @openai/codex` has one.
    pub args: Vec<String>,
}

/// Where it is looked for.
#[derive(Clone, Debug)]
pub struct Search<'a> {
    /// A command that was asked for: a path, a name, or a line as for a shell.
    pub command: Option<&'a str>,
    /// The PATH.
    pub path: Option<OsString>,
    /// Where relative paths start.
    pub dir: &'a Path,
    /// What `~` stands for, where the system knows.
    pub home: Option<&'a Path>,
}

impl Program {
    /// Finds it. Fails as `NoStatus` where there is none.
    pub fn find(search: &Search) -> Result<Self> {
        let lookup = |name: &OsStr| {
            let name = match (Path::new(name).strip_prefix("~"), search.home) {
                (Ok(rest), Some(home)) => home.join(rest).into_os_string(),
                _ => name.to_owned(),
            };
            which::which_in(name, search.path.as_ref(), search.dir).ok()
        };
        let Some(command) = search.command else {
            let path = lookup(OsStr::new(NAME)).ok_or_else(|| {
                Error::new(
                    Kind::NoStatus,
                    "codex is not installed: there is no `codex` on PATH",
                    "install Codex, or say where it is with `--codex-command` or `codex-manager config set codex_command PATH`",
                )
            })?;
            return Ok(Self {
                path,
                args: Vec::new(),
            });
        };
        let unusable = |why: &str| {
            Error::new(
                Kind::NoStatus,
                format!("codex cannot be started by `{command}`: {why}"),
                "check `--codex-command` or the setting `codex_command`: a path, a name on PATH, or a command line",
            )
        };
        // A path may have spaces in it; only what is no program as a whole is taken apart.
        if let Some(path) = lookup(OsStr::new(command.trim())) {
            return Ok(Self {
                path,
                args: Vec::new(),
            });
        }
        let words = shell_words::split(command).map_err(|_| unusable("a quote is not closed"))?;
        let Some((name, args)) = words.split_first() else {
            return Err(unusable("it is empty"));
        };
        let path = lookup(OsStr::new(name)).ok_or_else(|| {
            let is_file = search.dir.join(name).is_file();
            unusable(if is_file {
                "that file is no program that may be run"
            } else {
                "there is no such program"
            })
        })?;
        Ok(Self {
            path,
            args: args.to_vec(),
        })
    }

    /// How a person starts it on `home`, with `words` behind it, to see what it says.
    pub fn by_hand(&self, home: Home, words: &[&str]) -> String {
        let path = self.path.display().to_string();
        let all = std::iter::once(path.as_str())
            .chain(self.args.iter().map(String::as_str))
            .chain(words.iter().copied());
        let command = shell_words::join(all);
        // One of our own is gone by then.
        if home.is_private || cfg!(windows) {
            return command;
        }
        let home = home.path.display().to_string();
        format!("CODEX_HOME={} {command}", shell_words::quote(&home))
    }

    /// Every `codex` on `path`, in its order.
    pub fn all_on(path: Option<OsString>) -> Vec<PathBuf> {
        let all = which::which_in_all(NAME, path, Path::new("/"));
        all.map(Iterator::collect).unwrap_or_default()
    }

    /// Variables that are set and taken away for it, so that it speaks of the login in `home` and of no other, and leaves
    /// its temporary files in `scratch`, to be removed with it.
    pub fn environment<'a>(
        home: Home<'a>,
        scratch: &'a Path,
    ) -> impl Iterator<Item = (&'static str, Option<&'a OsStr>)> {
        let places = TEMPORARY
            .into_iter()
            .map(|name| (name, Some(scratch.as_os_str())));
        home.environment().chain(places)
    }
}

/// The Codex home it is started on.
#[derive(Clone, Copy, Debug)]
pub struct Home<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// Whether it is one of our own, which has nothing to do with what the environment says of the person's.
    pub is_private: bool,
    /// Whether whoever is started on it is to reach nobody.
    is_alone: bool,
}

impl<'a> Home<'a> {
    /// The person's.
    pub fn of_person(path: &'a Path) -> Self {
        Self {
            path,
            is_private: false,
            is_alone: false,
        }
    }

    /// One of our own.
    pub fn private(path: &'a Path) -> Self {
        Self {
            path,
            is_private: true,
            is_alone: false,
        }
    }

    /// One of our own that holds no login, from where nobody is reached.
    pub fn alone(path: &'a Path) -> Self {
        Self {
            is_alone: true,
            ..Self::private(path)
        }
    }

    /// Variables that are set and taken away so that the login in it is the one that counts.
    pub fn environment(self) -> impl Iterator<Item = (&'static str, Option<&'a OsStr>)> {
        let elsewhere = self.is_private.then_some((DATABASES, None));
        let others = OTHER_LOGINS.into_iter().map(|name| (name, None));
        let out = WAYS_OUT.into_iter();
        let out = out.map(|name| (name, Some(OsStr::new(NOWHERE))));
        let round = WAYS_ROUND.into_iter().map(|name| (name, None));
        others
            .chain(elsewhere)
            .chain(out.chain(round).filter(move |_| self.is_alone))
            .chain([("CODEX_HOME", Some(self.path.as_os_str()))])
    }
}

/// Why it could not be started.
pub fn unstartable(path: &Path, error: &std::io::Error) -> Error {
    let is_there = path.is_file();
    let why = if is_there && error.kind() == std::io::ErrorKind::NotFound {
        "what its first line starts does not exist".to_owned()
    } else {
        crate::error::describe(error)
    };
    Error::new(
        Kind::NoStatus,
        format!("codex cannot be started, `{}`: {why}", path.display()),
        "run it by hand; another one can be named with `--codex-command` or the setting `codex_command`",
    )
}

/// A directory for what Codex leaves while it is asked.
pub fn scratch() -> Result<TemporaryDir> {
    let made = TemporaryDir::of(&|| tempfile::Builder::new().prefix(SCRATCH).tempdir());
    let made = made.map_err(|error| {
        let why = crate::error::describe(&error);
        Error::new(
            Kind::NoStatus,
            format!("cannot make a directory for temporary files: {why}"),
            "check what TMPDIR names, and its file system",
        )
    })?;
    if let Some(place) = made.path().parent() {
        fsutil::sweep_dirs(place, SCRATCH);
    }
    Ok(made)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn program(dir: &Path, name: &str) -> PathBuf {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
        fs::write(&path, "#!/bin/sh\n").expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("sets");
        path
    }

    #[test]
    fn it_is_found_by_path_by_name_and_by_command_line() {
        let dir = tempfile::tempdir().expect("a directory");
        let on_path = program(dir.path(), "bin/codex");
        let spaced = program(dir.path(), "my tools/codex 2");
        let find = |command: Option<&str>| {
            Program::find(&Search {
                command,
                path: Some(dir.path().join("bin").into_os_string()),
                dir: dir.path(),
                home: Some(dir.path()),
            })
        };
        assert_eq!(find(None).expect("found").path, on_path);
        assert_eq!(find(Some("codex")).expect("found").path, on_path);
        assert_eq!(
            find(Some("./bin/codex"))
                .expect("found")
                .path
                .canonicalize()
                .ok(),
            on_path.canonicalize().ok()
        );
        let whole = spaced.display().to_string();
        assert_eq!(find(Some(&whole)).expect("found").path, spaced);
        let line = find(Some("codex --profile 'a b'")).expect("found");
        assert_eq!(
            (line.path, line.args),
            (
                on_path.clone(),
                vec!["--profile".to_owned(), "a b".to_owned()]
            )
        );
        assert_eq!(find(Some("~/bin/codex")).expect("found").path, on_path);
        fs::write(dir.path().join("text"), "no program").expect("writes");
        for (command, why) in [
            ("", "it is empty"),
            ("text", "that file is no program that may be run"),
            ("codex 'a", "a quote is not closed"),
            ("nothing here", "there is no such program"),
        ] {
            let error = find(Some(command)).expect_err("not found");
            assert_eq!(
                error.to_string(),
                format!("codex cannot be started by `{command}`: {why}")
            );
        }
    }

    #[test]
    fn where_there_is_none_it_is_said() {
        let dir = tempfile::tempdir().expect("a directory");
        for path in [
            None,
            Some(OsString::new()),
            Some(dir.path().as_os_str().to_owned()),
        ] {
            let search = Search {
                command: None,
                path,
                dir: dir.path(),
                home: None,
            };
            let error = Program::find(&search).expect_err("not found");
            assert_eq!(error.kind(), Kind::NoStatus);
            assert_eq!(
                error.to_string(),
                "codex is not installed: there is no `codex` on PATH"
            );
        }
    }
}

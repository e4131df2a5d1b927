//! Where Codex's terminal interface is started when it is only asked: an empty directory, and the options that keep it
//! from asking a person about that. A session file of the asking itself is removed again.
//! Whether the login was renewed meanwhile is told here too.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;

use crate::codex::program;
use crate::error::{Error, Result};
use crate::fsutil::{self, TemporaryDir};

/// The most that is read of a settings file.
const MOST_SETTINGS: u64 = 4 << 20;

/// How much of a session file is read for the directory it was begun in; its first line names it.
const MOST_HEAD: u64 = 256 << 10;

/// What every start of Codex is told. A key that a version does not know is passed over by it.
const OVERRIDES: [&str; 11] = [
    "check_for_update_on_startup=false",
    "disable_paste_burst=true",
    "tui.animations=false",
    "tui.notifications=false",
    "tui.show_tooltips=false",
    "tui.vim_mode_default=false",
    // Neither a person's hooks nor anything that is fetched for a session to come.
    "features.apps=false",
    "features.daemon_auto_start=false",
    "features.hooks=false",
    "features.plugins=false",
    "features.shell_snapshot=false",
];

/// Where Codex keeps the login.
const LOGIN: &str = "auth.json";

/// A private, empty directory to start Codex in.
pub struct Workplace {
    /// Removed with what is in it.
    dir: TemporaryDir,
    /// Where it is started, below the other: nothing else goes there.
    path: PathBuf,
    /// When it was made.
    began: Option<SystemTime>,
    home: PathBuf,
    /// The login as it was.
    login: Option<Vec<u8>>,
}

impl Workplace {
    /// Makes one for a Codex with the home `home`.
    pub fn new(home: &Path) -> Result<Self> {
        let dir = program::scratch()?;
        let path = dir.path().canonicalize();
        let path = path.unwrap_or_else(|_| dir.path().to_owned()).join("work");
        fs::create_dir(&path).map_err(|error| Error::io("create", &path, error))?;
        let began = fs::metadata(&path).and_then(|meta| meta.modified()).ok();
        let login = fsutil::read_if_present(&home.join(LOGIN), MOST_SETTINGS)?;
        Ok(Self {
            login,
            path,
            dir,
            began,
            home: home.to_owned(),
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where Codex's temporary files go.
    pub fn scratch(&self) -> &Path {
        self.dir.path()
    }

    /// The options Codex is started with.
    pub fn options(&self) -> Vec<String> {
        let trust = toml::Value::String(self.path.to_string_lossy().into_owned());
        let trust = format!("projects={{{trust}={{trust_level=\"trusted\"}}}}");
        let idle = self
            .servers()
            .into_iter()
            .map(|name| format!("mcp_servers.{name}.enabled=false"));
        OVERRIDES
            .into_iter()
            .map(str::to_owned)
            .chain([trust])
            .chain(idle)
            .flat_map(|setting| ["-c".to_owned(), setting])
            .collect()
    }

    /// Whether the login is the one it was. A Codex that renews it, and is ended before that, loses it: the old refresh
    /// token is used up, and the new one not yet written.
    pub fn has_old_login(&self) -> bool {
        self.login.as_ref().is_some_and(|before| {
            match fsutil::read_limited(&self.home.join(LOGIN), MOST_SETTINGS) {
                // Some versions write it in place: half of it is not all of it.
                Ok(now) => now == *before || serde_json::from_slice::<Value>(&now).is_err(),
                Err(_) => false,
            }
        })
    }

    /// The tool servers in the settings: none is needed. Names that an option cannot spell are left.
    fn servers(&self) -> Vec<String> {
        let settings = fsutil::read_if_present(&self.home.join("config.toml"), MOST_SETTINGS);
        let settings = settings.ok().flatten().and_then(|bytes| table(&bytes));
        let servers = settings.as_ref().and_then(|table| table.get("mcp_servers"));
        let servers = servers.and_then(toml::Value::as_table);
        let is_plain = |name: &&String| {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            !name.is_empty() && name.chars().all(plain)
        };
        servers.map_or_else(Vec::new, |servers| {
            servers.keys().filter(is_plain).cloned().collect()
        })
    }

    /// Removes the session files that were begun in the directory: 0.53 writes one at every start.
    fn remove_sessions(&self) -> Option<()> {
        let began = self.began?;
        let begun_here = serde_json::to_string(&self.path.to_string_lossy()).ok()?;
        let begun_here = format!("\"cwd\":{begun_here}");
        remove_sessions_in(&self.home.join("sessions"), DATED, began, &begun_here);
        Some(())
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        let _ = self.remove_sessions();
    }
}

/// Session files lie below a directory each for year, month and day.
const DATED: usize = 3;

/// Removes files that were written since `began` and name the directory `begun_here`, and directories that gets empty.
fn remove_sessions_in(dir: &Path, below: usize, began: SystemTime, begun_here: &str) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() && below > 0 {
            remove_sessions_in(&entry.path(), below - 1, began, begun_here);
        } else if kind.is_file() && below == 0 {
            let written = entry.metadata().and_then(|meta| meta.modified());
            if written.is_ok_and(|written| written >= began)
                && head_of(&entry.path()).is_some_and(|head| head.contains(begun_here))
                && fs::remove_file(entry.path()).is_ok()
            {
                // Its day, month and year go with it where nothing else is in them.
                let parents = entry.path();
                for parent in parents.ancestors().skip(1).take(DATED) {
                    if fs::remove_dir(parent).is_err() {
                        break;
                    }
                }
            }
        }
    }
}

/// The beginning of a file.
fn head_of(path: &Path) -> Option<String> {
    let mut head = Vec::new();
    let file = fsutil::open_regular(path).ok()?;
    file.take(MOST_HEAD).read_to_end(&mut head).ok()?;
    Some(String::from_utf8_lossy(&head).into_owned())
}

fn table(bytes: &[u8]) -> Option<toml::Table> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_session_files_that_were_begun_here_go() {
        let home = tempfile::tempdir().expect("a directory");
        let place = |below: &str| home.path().join("sessions").join(below);
        let write = |below: &str, cwd: &Path| {
            let meta = serde_json::json!({"payload": {"cwd": cwd}});
            fs::create_dir_all(place(below).parent().expect("a parent")).expect("makes");
            fs::write(place(below), format!("{meta}\n{{}}\n")).expect("writes");
        };
        write("2026/11/21/rollout-other.jsonl", Path::new("/work"));
        let workplace = Workplace::new(home.path()).expect("is made");
        let path = workplace.path().to_owned();
        assert!(path.is_dir() && workplace.scratch().is_dir());
        write("2026/11/22/rollout-ours.jsonl", &path);
        write("2026/11/21/rollout-ours.jsonl", &path);
        write("2026/11/21/rollout-meanwhile.jsonl", Path::new("/work"));
        write("rollout-elsewhere.jsonl", &path);
        drop(workplace);
        let left: Vec<bool> = [
            "2026/11/21/rollout-other.jsonl",
            "2026/11/21/rollout-meanwhile.jsonl",
            "rollout-elsewhere.jsonl",
            "2026/11/21/rollout-ours.jsonl",
            "2026/11/22",
        ]
        .map(|below| place(below).exists())
        .to_vec();
        assert_eq!(left, [true, true, true, false, false]);
        assert!(!path.exists());
    }

    #[test]
    fn the_options_name_the_directory_and_the_tool_servers() {
        let home = tempfile::tempdir().expect("a directory");
        let settings =
            "[mcp_servers.a-tool]\ncommand = \"x\"\n[mcp_servers.\"b.c\"]\ncommand = \"x\"\n";
        fs::write(home.path().join("config.toml"), settings).expect("writes");
        let workplace = Workplace::new(home.path()).expect("is made");
        let options = workplace.options();
        let (marks, said): (Vec<_>, Vec<_>) = options.iter().partition(|option| *option == "-c");
        assert_eq!(marks.len(), said.len());
        let servers: Vec<_> = said
            .iter()
            .filter(|said| said.contains("mcp_servers"))
            .collect();
        assert_eq!(servers, [&"mcp_servers.a-tool.enabled=false"]);
        // Codex reads each as a line of its settings.
        for said in said {
            assert!(said.parse::<toml::Table>().is_ok(), "{said}");
        }
        let trusted: toml::Table = options
            .iter()
            .find(|said| said.starts_with("projects"))
            .and_then(|said| said.parse().ok())
            .expect("a table");
        let trusted = trusted["projects"].as_table().expect("a table");
        let dirs: Vec<_> = trusted.keys().map(Path::new).collect();
        assert_eq!(dirs, [workplace.path()]);
    }

    #[test]
    fn a_renewal_is_over_when_the_login_is_another() {
        let home = tempfile::tempdir().expect("a directory");
        let login = home.path().join(LOGIN);
        fs::write(&login, "{\"a\": 1}").expect("writes");
        let workplace = Workplace::new(home.path()).expect("is made");
        assert!(workplace.has_old_login());
        fs::write(&login, "{\"a\":").expect("writes");
        assert!(workplace.has_old_login());
        fs::write(&login, "{\"a\": 2}").expect("writes");
        assert!(!workplace.has_old_login());
        fs::remove_file(&login).expect("removes");
        assert!(!workplace.has_old_login());
    }
}

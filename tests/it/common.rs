//! A world for one test: an empty environment, its own HOME, a fixed clock and zone, and the built program.
//!
//! Every run says exactly what it expects of exit code, stdout and stderr:
//!
//! ```ignore
//! let env = Env::new();
//! env.run(&["config", "path"]).code(0).stdout("~/.codex-manager/config.toml\n").stderr("");
//! ```
//!
//! In what is compared the world's HOME is written `~`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use base64::Engine;
use serde_json::{Value, json};

/// The instant every test runs at, unless it says otherwise.
pub const NOW: &str = "2026-04-19T15:30:00+05:30";

/// The zone every test runs in, unless it says otherwise.
pub const ZONE: &str = "Asia/Kolkata";

/// One world.
pub struct Env {
    dir: tempfile::TempDir,
    now: String,
    zone: String,
}

impl Env {
    /// A world at [`NOW`] in [`ZONE`].
    pub fn new() -> Self {
        Self::at(NOW)
    }

    /// A world at another instant.
    pub fn at(now: &str) -> Self {
        Self::within(tempfile::tempdir().expect("a directory"), now)
    }

    /// A world at an instant, in this directory.
    pub fn within(dir: tempfile::TempDir, now: &str) -> Self {
        for below in ["home", "tmp"] {
            fs::create_dir(dir.path().join(below)).expect("makes");
        }
        Self {
            dir,
            now: now.to_owned(),
            zone: ZONE.to_owned(),
        }
    }

    /// The same world in another zone.
    pub fn in_zone(mut self, zone: &str) -> Self {
        zone.clone_into(&mut self.zone);
        self
    }

    /// The same world at another instant.
    pub fn set_now(&mut self, now: &str) {
        now.clone_into(&mut self.now);
    }

    /// The world's HOME.
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// A path in the world and outside HOME.
    pub fn beside_home(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A path below HOME.
    pub fn path(&self, below: &str) -> PathBuf {
        self.home().join(below)
    }

    /// Writes a file below HOME, with the directories above it.
    pub fn write(&self, below: &str, content: &str) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
        fs::write(&path, content).expect("writes");
        path
    }

    /// Reads a file below HOME.
    pub fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap_or_else(|error| panic!("{below}: {error}"))
    }

    /// Sets a file's mtime.
    pub fn touch(&self, below: &str, time: &str) {
        let time = chrono::DateTime::parse_from_rfc3339(time).expect("a time");
        let since = Duration::from_secs(u64::try_from(time.timestamp()).expect("after 1970"));
        let file = fs::File::options()
            .write(true)
            .open(self.path(below))
            .expect("opens");
        file.set_modified(SystemTime::UNIX_EPOCH + since)
            .expect("sets");
    }

    /// A Codex home at `~/.codex` with this person signed in and a few files of every kind.
    pub fn codex_home(&self, person: &Person) {
        self.write(".codex/auth.json", &person.auth_json());
        self.write(".codex/config.toml", "model = \"made-up\"\n");
        self.write(".codex/history.jsonl", "{\"text\":\"hello\"}\n");
        self.write(
            ".codex/sessions/2026/04/14/rollout-1.jsonl",
            "{\"type\":\"session_meta\"}\n",
        );
        self.write(".codex/installation_id", "3f6c\n");
        self.write(".codex/tmp/scratch", "x");
        self.write(".codex/packages/big", "x");
        self.write(".codex/auth.lock", "");
    }

    /// The program, with `args`, not yet run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("codex-manager"));
        command
            .args(args)
            .env_clear()
            .stdin(Stdio::null())
            .env("CODEX_MANAGER_NOW", &self.now);
        self.surround(&mut command);
        command
    }

    /// Has `command` run in this world: its HOME, its zone, its place for temporary files.
    pub fn surround(&self, command: &mut Command) {
        command
            .current_dir(self.home())
            .env("HOME", self.home())
            .env("TZ", &self.zone)
            .env("TMPDIR", self.beside_home("tmp"));
        #[cfg(windows)]
        command
            .env("COMPUTERNAME", "machine")
            .env("USERPROFILE", self.home())
            .env(
                "SystemRoot",
                std::env::var("SystemRoot").unwrap_or_default(),
            );
    }

    /// Runs the program.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.ran(&mut self.command(args), args)
    }

    /// Runs the program with this on standard input.
    pub fn run_with_input(&self, args: &[&str], input: &str) -> Ran {
        let mut command = self.command(args);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut stdin = child.stdin.take().expect("piped");
        // A program that does not read is no fault of the writer.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        self.judged(child.wait_with_output().expect("ends"), args)
    }

    /// Runs a command made by [`Env::command`] and changed since.
    pub fn ran(&self, command: &mut Command, args: &[&str]) -> Ran {
        for _ in 0..200 {
            match command.output() {
                // A copy of the program that another test's child still holds open for writing, for a moment.
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                output => return self.judged(output.expect("runs"), args),
            }
        }
        panic!("the program stays busy")
    }

    fn judged(&self, output: Output, args: &[&str]) -> Ran {
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).expect("UTF-8");
            assert!(
                !text.contains(SECRET),
                "a token was printed by {args:?}:\n{text}"
            );
            let home = self.home().display().to_string();
            let text = text.replace(&home, "~");
            #[cfg(windows)]
            let text = with_slashes(&text.replace(&home.replace('\\', "\\\\"), "~"));
            text
        };
        Ran {
            args: args.join(" "),
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Every file below `below` with its content, links as `-> target`, sorted by path.
    pub fn tree(&self, below: &str) -> Vec<(String, String)> {
        let mut tree = Vec::new();
        walk(&self.path(below), "", &mut tree);
        tree.sort();
        tree
    }

    /// What a profile says of an account that was seen to be signed in here at `at`.
    pub fn used_here(&self, at: &str) -> String {
        let id = self.read(".codex-manager/machine-id");
        format!(
            "last_used_on = \"{}\"\nlast_used_machine = \"{}\"\nlast_used_at = \"{at}\"\n",
            hostname(),
            id.trim_end()
        )
    }

    /// The paths of [`Env::tree`].
    pub fn files(&self, below: &str) -> Vec<String> {
        self.tree(below).into_iter().map(|(path, _)| path).collect()
    }
}

/// Paths below `~` as they are written elsewhere; in JSON each separator is escaped.
#[cfg(windows)]
fn with_slashes(text: &str) -> String {
    let mut pieces = text.split('~');
    let mut done = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece
            .find(|letter: char| letter.is_whitespace() || "\"`,".contains(letter))
            .unwrap_or(piece.len());
        let (path, rest) = piece.split_at(end);
        done = done + "~" + &path.replace("\\\\", "/").replace('\\', "/") + rest;
    }
    done
}

/// What this machine is called.
pub fn hostname() -> String {
    #[cfg(unix)]
    return rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    #[cfg(not(unix))]
    std::env::var("COMPUTERNAME").expect("set")
}

fn walk(dir: &Path, under: &str, tree: &mut Vec<(String, String)>) {
    let Ok(listing) = fs::read_dir(dir) else {
        return;
    };
    for entry in listing.flatten() {
        let name = format!("{under}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().expect("a type");
        if kind.is_dir() {
            walk(&entry.path(), &format!("{name}/"), tree);
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path()).expect("a link");
            tree.push((name, format!("-> {}", target.display())));
        } else {
            tree.push((
                name,
                String::from_utf8_lossy(&fs::read(entry.path()).expect("reads")).into_owned(),
            ));
        }
    }
}

/// What a run did.
#[derive(Debug)]
pub struct Ran {
    args: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The exit code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "{}\n{}{}",
            self.args,
            self.stdout,
            self.stderr
        );
        self
    }

    /// All of stdout.
    #[track_caller]
    pub fn stdout(self, text: &str) -> Self {
        assert_eq!(
            self.stdout, text,
            "stdout of {}\n{}",
            self.args, self.stderr
        );
        self
    }

    /// All of stderr.
    #[track_caller]
    pub fn stderr(self, text: &str) -> Self {
        assert_eq!(self.stderr, text, "stderr of {}", self.args);
        self
    }

    /// Stdout as the one JSON document it must be.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("{}: {error}\n{}{}", self.args, self.stdout, self.stderr)
        })
    }
}

/// What stands in every made-up token: it must never be printed.
pub const SECRET: &str = "made-up-secret";

/// A made-up account.
#[derive(Clone, Debug)]
pub struct Person {
    pub email: String,
    pub user: String,
    pub workspace: String,
    pub plan: String,
    pub last_refresh: String,
}

impl Person {
    /// `name@example.com` in a workspace of their own.
    pub fn named(name: &str) -> Self {
        Self {
            email: format!("{name}@example.com"),
            user: format!("user-{name}"),
            workspace: format!("ws-{name}"),
            plan: "plus".to_owned(),
            last_refresh: "2026-04-14T12:25:00.431097103Z".to_owned(),
        }
    }

    /// The same person in another workspace.
    pub fn in_workspace(self, workspace: &str) -> Self {
        Self {
            workspace: workspace.to_owned(),
            ..self
        }
    }

    /// Their login as Codex writes it, with made-up tokens.
    pub fn auth_json(&self) -> String {
        let encode = |value: &Value| {
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
        };
        let claims = json!({
            "email": self.email,
            "iat": 1_776_169_500,
            "https://api.openai.com/auth": {
                "chatgpt_user_id": self.user,
                "chatgpt_account_id": self.workspace,
                "chatgpt_plan_type": self.plan,
            },
        });
        let token = format!(
            "{}.{}.{SECRET}",
            encode(&json!({"alg": "none"})),
            encode(&claims)
        );
        let auth = json!({
            "auth_mode": "chatgpt",
            "OPENAI_API_KEY": null,
            "tokens": {
                "id_token": token,
                "access_token": format!("access-{SECRET}-{}", self.user),
                "refresh_token": format!("rt-{SECRET}-{}", self.user),
                "account_id": self.workspace,
            },
            "last_refresh": self.last_refresh,
        });
        serde_json::to_string_pretty(&auth).expect("serializes")
    }

    /// Codex's status panel for them: weekly quota left in percent, and its reset as Codex prints it.
    pub fn panel(&self, percent_left: u8, resets: &str) -> String {
        format!(
            "  >_ OpenAI Codex (v0.169.0)\n\n  Account:             {} (Plus)\n  5h limit:            \
             [██████████████████░░] 88% left (resets 17:40)\n  Weekly limit:        [█████████████░░░░░░░] \
             {percent_left}% left (resets {resets})\n",
            self.email
        )
    }
}

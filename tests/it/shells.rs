//! Real shells, mandoc and age: those that the machine has, else Debian's, unpacked below `target/shells` by the first test that
//! needs them. And a terminal to type into them.

use std::fs;
use std::io::{self, Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use crate::common::Env;

const PACKAGES: [&str; 8] = [
    "zsh",
    "zsh-common",
    "fish",
    "fish-common",
    "elvish",
    "mandoc",
    "age",
    "libpcre2-32-0",
];

/// How often it is looked for what a shell is to show, 20 times a second.
const LOOKS: usize = 600;

/// A program that is there.
pub struct Found {
    pub path: PathBuf,
    /// Where Debian's packages were unpacked, where it is of these.
    pub root: Option<PathBuf>,
}

/// Where Debian's packages were unpacked.
static UNPACKED: OnceLock<Result<PathBuf, String>> = OnceLock::new();

/// The program `name`; None, said on stderr, where the machine cannot have it; a gate must not pass that way.
pub fn found(name: &str) -> Option<Found> {
    if let Ok(path) = which::which(name) {
        return Some(Found { path, root: None });
    }
    let root = UNPACKED.get_or_init(unpack);
    match root {
        Ok(root) => {
            let places = ["usr/bin", "bin"].map(|dir| root.join(dir).join(name));
            let path = places.into_iter().find(|path| path.is_file());
            Some(Found {
                path: path.unwrap_or_else(|| panic!("no {name} below {}", root.display())),
                root: Some(root.clone()),
            })
        }
        Err(why) if std::env::var_os("CI").is_some() && cfg!(target_os = "linux") => {
            panic!("{why}")
        }
        Err(why) => {
            eprintln!("not asked of {name}: {why}");
            None
        }
    }
}

impl Found {
    /// A directory below `/usr` of its package.
    pub fn usr(&self, below: &str) -> PathBuf {
        let root = self.root.clone().unwrap_or_else(|| PathBuf::from("/"));
        root.join("usr").join(below)
    }

    /// Has `command` find the libraries that came with it.
    pub fn surround(&self, command: &mut Command) {
        if let Some(root) = &self.root {
            let lib = root.join("usr/lib");
            let listing = fs::read_dir(&lib).expect("lists").flatten();
            let mut dirs: Vec<PathBuf> = listing.map(|entry| entry.path()).collect();
            dirs.push(lib);
            command.env(
                "LD_LIBRARY_PATH",
                std::env::join_paths(dirs).expect("paths"),
            );
        }
    }
}

fn unpack() -> Result<PathBuf, String> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/shells");
    let broken = |error: io::Error| error.to_string();
    fs::create_dir_all(&home).map_err(broken)?;
    // One at a time among processes, too.
    let lock = fs::File::create(home.join("lock")).map_err(broken)?;
    lock.lock().map_err(broken)?;
    let place = home.join("unpacked");
    if place.exists() {
        return Ok(place);
    }
    // Renamed when whole: a broken install is never taken for one.
    let coming = tempfile::tempdir_in(&home).map_err(broken)?;
    let root = coming.path().join("root");
    for dir in ["lists/partial", "cache/archives/partial", "root"] {
        fs::create_dir_all(coming.path().join(dir)).map_err(broken)?;
    }
    // A state of its own: neither root is needed nor the lists that the machine may have.
    let apt = |args: &[&str]| {
        let mut apt = Command::new("apt-get");
        let at = |name: &str| coming.path().join(name).display().to_string();
        fs::write(coming.path().join("status"), "").map_err(broken)?;
        for option in [
            format!("Dir::State::lists={}", at("lists")),
            format!("Dir::State::status={}", at("status")),
            format!("Dir::Cache={}", at("cache")),
            "Debug::NoLocking=1".to_owned(),
            "APT::Sandbox::User=".to_owned(),
        ] {
            apt.args(["-o", &option]);
        }
        ended(apt.args(args).current_dir(coming.path()))
    };
    apt(&["-qq", "update"])?;
    apt(&[&["-qq", "download"][..], &PACKAGES].concat())?;
    for entry in fs::read_dir(coming.path()).map_err(broken)?.flatten() {
        if entry.path().extension().is_some_and(|end| end == "deb") {
            let mut dpkg = Command::new("dpkg-deb");
            ended(dpkg.arg("-x").arg(entry.path()).arg(&root))?;
        }
    }
    fs::rename(&root, &place).map_err(broken)?;
    Ok(place)
}

fn ended(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().display().to_string();
    let output = command
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{name}: {}",
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// A shell in a terminal, ended when it goes out of scope.
pub struct Terminal {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
    _held: Box<dyn portable_pty::MasterPty + Send>,
}

impl Terminal {
    /// Starts `command` in the world of `env`, with `bin/` of its home on PATH.
    pub fn open(env: &Env, mut command: Command) -> Self {
        let size = PtySize {
            rows: 50,
            cols: 150,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        enter(env, &mut command);
        let mut built = CommandBuilder::new(command.get_program());
        built.args(command.get_args());
        built.env_clear();
        for (name, value) in command.get_envs() {
            built.env(name, value.unwrap_or_default());
        }
        built.env("TERM", "xterm");
        built.cwd(env.home());
        let child = pair.slave.spawn_command(built).expect("starts");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("reads");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(
            NonZero::new(size.rows).expect("rows"),
            NonZero::new(size.cols).expect("columns"),
            0,
        )));
        let of_reader = Arc::clone(&screen);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let mut screen = of_reader.lock().unwrap_or_else(PoisonError::into_inner);
                screen.process(&buffer[..count]);
            }
        });
        let keys = pair.master.take_writer().expect("writes");
        Self {
            child,
            keys,
            screen,
            _held: pair.master,
        }
    }

    pub fn send(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("writes");
        self.keys.flush().expect("writes");
    }

    fn rows(&self) -> (Vec<String>, usize) {
        let screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = screen.screen().rows(0, 150).collect();
        (rows, usize::from(screen.screen().cursor_position().0))
    }

    /// Waits until `is_so` of the rows of the screen and that of the cursor.
    #[track_caller]
    pub fn wait(&self, what: &str, is_so: impl Fn(&[String], &str) -> bool) {
        for _ in 0..LOOKS {
            let (rows, place) = self.rows();
            if is_so(&rows, rows.get(place).map_or("", |row| row.trim_end())) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!(
            "{what} is not shown:\n{}",
            self.rows().0.join("\n").trim_end()
        );
    }

    /// What was typed becomes `whole` by one key.
    #[track_caller]
    pub fn completes(&mut self, typed: &str, whole: &str) {
        self.send(typed);
        self.wait(typed, |_, line| line.contains(typed.trim_end()));
        self.send("\t");
        self.wait(whole, |_, line| {
            line.split_once("> ").is_some_and(|(_, line)| line == whole)
        });
        self.again();
    }

    /// Of what was typed all of these are shown, by these keys. Leaves it so.
    #[track_caller]
    pub fn offers(&mut self, typed: &str, keys: &str, all: &[&str]) {
        self.send(typed);
        self.wait(typed, |_, line| line.contains(typed.trim_end()));
        self.send(keys);
        for one in all {
            self.wait(one, |rows, _| rows.iter().any(|row| row.contains(one)));
        }
    }

    /// Empties the line.
    #[track_caller]
    fn again(&mut self) {
        self.send("\x15");
        self.wait("a prompt", |_, line| line == ">");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has `command` run in the world of `env` with nothing of our own environment, and with `bin/` of its home on PATH.
pub fn enter(env: &Env, command: &mut Command) {
    let library = command
        .get_envs()
        .find(|(name, _)| *name == "LD_LIBRARY_PATH");
    let library = library.and_then(|(_, value)| value.map(ToOwned::to_owned));
    command.env_clear();
    if let Some(library) = library {
        command.env("LD_LIBRARY_PATH", library);
    }
    env.surround(command);
    command
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin", env.path("bin").display()),
        )
        .env("CODEX_MANAGER_NOW", crate::common::NOW)
        .env("LC_ALL", "C.UTF-8");
}

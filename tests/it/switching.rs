//! `use` while the real Codex is open: in a terminal, as a server, as a daemon, on this home or on another.

use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::json;

use crate::chatgpt::Login;
use crate::common::{Person, Ran};
use crate::live::{World, with};
use crate::loopback::test_name;
use crate::real_codex::{NEWEST, codex};
#[cfg(target_os = "linux")]
use crate::running::{Daemon, SYSTEM};
use crate::running::{Server, named, until};

const LIVE: &str = ".codex/auth.json";

fn run(world: &World, args: &[&str]) -> Ran {
    world.env.ran(&mut world.command(args), args)
}

/// Bob's login is known, and alice is signed in.
fn prepare(world: &World) -> Person {
    let bob = Person::named("bob");
    world.chatgpt.sign_in(&world.env, &bob, Login::Valid);
    run(world, &["status", "--status-source", "rollout"]);
    world.env.write("status.txt", &bob.panel(66, "15:55"));
    run(world, &["backup", "--status-file", "status.txt"]).code(0);
    world
        .chatgpt
        .sign_in(&world.env, &world.alice, Login::Valid);
    bob
}

fn is_signed_in(world: &World, person: &Person) -> bool {
    let login: serde_json::Value = serde_json::from_str(&world.env.read(LIVE)).expect("a login");
    login["tokens"]["account_id"] == json!(person.workspace)
}

/// Refused for this process; the login stays.
#[track_caller]
fn refused(world: &World, who: &str) {
    let before = world.env.read(LIVE);
    run(world, &["use", "bob@example.com"])
        .code(11)
        .stdout("")
        .stderr(&format!(
            "error: codex is open on `~/.codex`: {who}; nothing was changed\nhint: quit it, a daemon by `codex app-server \
             daemon stop`, then run the command again; or say `--force`: it keeps the login it has until it is started anew\n"
        ));
    assert_eq!(world.env.read(LIVE), before);
}

/// A Codex in a terminal, ended when it goes out of scope.
struct Tui {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    shown: Arc<Mutex<Vec<u8>>>,
    _terminal: Box<dyn portable_pty::MasterPty + Send>,
}

impl Tui {
    /// Opens it on that home, and waits until it has its databases open.
    fn open(world: &World, home: &Path) -> Self {
        let size = PtySize {
            rows: 40,
            cols: 120,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let mut std = std::process::Command::new(codex(NEWEST).expect("installed").native);
        world.env.surround(&mut std);
        world.chatgpt.reach(&mut std);
        let mut command = CommandBuilder::new(std.get_program());
        command.env_clear();
        for (name, value) in std.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.env("TERM", "xterm-256color");
        command.env("CODEX_HOME", home);
        command.cwd(world.env.home());
        command.arg("--no-daemon");
        let child = pair.slave.spawn_command(command).expect("starts");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("reads");
        let shown = Arc::new(Mutex::new(Vec::new()));
        let of_reader = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                of_reader.lock().expect("whole").extend(&buffer[..count]);
            }
        });
        let mut tui = Self {
            child,
            shown,
            _terminal: pair.master,
        };
        until("codex has its database open", || {
            let ended = tui.child.try_wait().expect("asks");
            assert!(ended.is_none(), "{ended:?}: {}", tui.text());
            let names = std::fs::read_dir(home).expect("lists").flatten();
            let mut databases = names.filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name.starts_with("state_") && name.ends_with(".sqlite-wal")
            });
            databases.next().is_some()
        });
        tui
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("whole")).into_owned()
    }

    fn id(&self) -> u32 {
        self.child.process_id().expect("an id")
    }
}

impl Drop for Tui {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_codex_in_a_terminal_is_refused_and_one_on_another_home_is_nobodys_business() {
    with(test_name!(), NEWEST, |world| {
        let bob = prepare(world);
        let env = &world.env;
        for file in ["auth.json", "config.toml"] {
            env.write(
                &format!("other/{file}"),
                &env.read(&format!(".codex/{file}")),
            );
        }
        let config = format!(
            "{}\n[projects.{:?}]\ntrust_level = \"trusted\"\n",
            env.read(".codex/config.toml"),
            env.home().display().to_string()
        );
        env.write(".codex/config.toml", &config);
        env.write("other/config.toml", &config);
        let elsewhere = Tui::open(world, &env.path("other"));
        run(world, &["use", "bob@example.com"]).code(0).stderr("");
        assert!(is_signed_in(world, &bob));
        run(world, &["use", "-"]).code(0).stderr("");
        assert!(is_signed_in(world, &world.alice));
        drop(elsewhere);
        let here = Tui::open(world, &env.path(".codex"));
        let who = if cfg!(target_os = "linux") {
            format!("process {} (tui)", here.id())
        } else {
            format!("process {}", here.id())
        };
        refused(world, &who);
        // Whom it is about already is no change.
        run(world, &["use", "alice@example.com"]).code(0).stderr("");
        drop(here);
        run(world, &["use", "bob@example.com"]).code(0).stderr("");
        assert!(is_signed_in(world, &bob));
    });
}

#[test]
fn by_force_an_open_codex_keeps_its_account_and_the_new_login_stands() {
    with(test_name!(), NEWEST, |world| {
        let bob = prepare(world);
        let env = &world.env;
        let server = Server::start(world, &env.path(".codex"));
        let who = named(server.id());
        refused(world, &who);
        let args = ["use", "bob@example.com", "--force", "--restart-hint"];
        let ran = run(world, &args).code(0);
        assert_eq!(
            ran.stderr,
            format!(
                "warning: codex is open on `~/.codex`: {who}; it keeps the login it has until it is started anew\n"
            )
        );
        assert!(
            ran.stdout.ends_with(&format!(
                "\nrestart   {who}: the login that was there is used until then\n"
            )),
            "{}",
            ran.stdout
        );
        assert!(is_signed_in(world, &bob));
        let login = env.read(LIVE);
        // Told to renew, it renews nothing of bob's, and writes nothing over it.
        let mut server = server;
        let answer = server.ask("account/read", &json!({"refreshToken": true}));
        let email = &answer["result"]["account"]["email"];
        assert!(*email != json!(bob.email), "{answer}");
        server.end();
        assert_eq!(env.read(LIVE), login);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn an_idle_daemon_is_stopped_first() {
    with(test_name!(), NEWEST, |world| {
        let bob = prepare(world);
        let daemon = Daemon::start(world);
        let id = daemon.id().expect("runs");
        let dry = run(world, &["use", "bob@example.com", "--dry-run"]).code(0);
        assert_eq!(
            dry.stderr,
            format!(
                "warning: codex is open on `~/.codex`: process {id} (daemon); `use` stops it first\n"
            )
        );
        let path = format!("{}:{SYSTEM}", world.env.beside_home("bin").display());
        let args = ["use", "bob@example.com"];
        let mut command = world.command(&args);
        let ran = world.env.ran(command.env("PATH", path), &args);
        ran.code(0).stderr("");
        assert!(is_signed_in(world, &bob));
        assert_eq!(daemon.id(), None);
    });
}

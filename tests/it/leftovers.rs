//! The check that a run left nothing behind: no process of its world, no temporary file.

use std::fs;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use serde_json::Value;

use crate::common::Env;
#[cfg(target_os = "linux")]
use crate::scripted::{Do, Script};

/// A process that was told to end takes a moment.
const GRACE: Duration = Duration::from_secs(5);

const POLL: Duration = Duration::from_millis(10);

/// Fails where a process of this world still runs, or a file stands in its place for temporary ones.
#[track_caller]
pub fn none(env: &Env) {
    let end = Instant::now() + GRACE;
    loop {
        let left = found(env);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "left behind: {left:#?}");
        std::thread::sleep(POLL);
    }
}

/// What is left of this world now.
fn found(env: &Env) -> Vec<String> {
    let files = fs::read_dir(env.beside_home("tmp")).expect("lists");
    let mut left: Vec<String> = files
        .flatten()
        .map(|entry| entry.path().display().to_string())
        .collect();
    left.extend(processes(env).into_iter().map(|(_, command)| command));
    left
}

/// The processes whose environment names the world, with their command lines. Zombies have neither.
#[cfg(target_os = "linux")]
pub fn processes(env: &Env) -> Vec<(i32, String)> {
    let world = env.beside_home("");
    let world = world.to_str().expect("a name").as_bytes();
    let all = fs::read_dir("/proc").expect("lists").flatten();
    all.filter_map(|process| {
        let id = process.file_name().to_str()?.parse().ok()?;
        // Others' processes cannot be read, and are none of ours.
        let environ = fs::read(process.path().join("environ")).ok()?;
        let is_ours = environ.windows(world.len()).any(|part| part == world);
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        is_ours.then(|| (id, format!("process {id}: {command}")))
    })
    .collect()
}

/// Nobody tells the environment of a process here.
#[cfg(not(target_os = "linux"))]
pub fn processes(_: &Env) -> Vec<(i32, String)> {
    Vec::new()
}

#[test]
fn a_file_is_noticed() {
    let env = Env::new();
    assert_eq!(found(&env), [""; 0]);
    let file = env.beside_home("tmp").join("draft");
    fs::write(&file, "").expect("writes");
    assert_eq!(found(&env), [file.display().to_string()]);
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_codex_left_behind_is_noticed() {
    let env = Env::new();
    let astray = Do::Shell("setsid sleep 60 </dev/null >/dev/null 2>&1 &");
    let codex = Script::new(Value::Null, Value::Null).first([astray]);
    let codex = codex.install(&env);
    let mut command = std::process::Command::new(codex.path().join("codex"));
    env.surround(&mut command);
    command.stdin(std::process::Stdio::null());
    assert!(command.status().expect("runs").success());
    // It is gone; what it left becomes `sleep` in its own time.
    let end = Instant::now() + GRACE;
    let left = loop {
        let left = processes(&env);
        if left
            .iter()
            .any(|(_, command)| command.ends_with(": sleep 60 "))
        {
            break left;
        }
        assert!(Instant::now() < end, "not noticed: {left:?}");
        std::thread::sleep(POLL);
    };
    assert_eq!(left.len(), 1, "{left:?}");
    let id = rustix::process::Pid::from_raw(left[0].0).expect("an id");
    rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("ends");
    none(&env);
}

//! Running a command with a time limit: what it started ends with it, on every path.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::family::{Child as _, Ending, Family};
use crate::error::{Error, Kind, Result};

/// How long the output may stay open once the command itself has ended: a daemon it left behind may hold it.
const LINGER: Duration = Duration::from_secs(1);

const POLL: Duration = Duration::from_millis(20);

/// What `command` prints on standard output, run by the system's shell.
///
/// Fails as `NoStatus` when it cannot be run, fails, or takes longer than `timeout`.
pub fn output_of_shell(
    command: &str,
    timeout: Duration,
    most: u64,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<u8>> {
    match run(&mut shell(command), timeout, most, stop)? {
        Ran::Ended(Ending::Code(0), output) => Ok(output),
        // Not a word of what it said: it may have printed a login.
        Ran::Ended(ending, _) => {
            let message = format!("the status command ended with {ending}");
            Err(refused(message, "run it by hand to see why"))
        }
        Ran::TookTooLong => Err(refused(
            format!(
                "the status command took longer than {} s and was ended",
                timeout.as_secs()
            ),
            "run it by hand to see why, or raise the setting `status.timeout_seconds`",
        )),
        Ran::Unstartable(error) => {
            let why = crate::error::describe(&error);
            Err(refused(
                format!("the status command cannot be started: {why}"),
                "check `--status-command`",
            ))
        }
    }
}

/// What became of a command.
#[derive(Debug)]
pub enum Ran {
    /// It ended by itself; the beginning of what it printed on standard output.
    Ended(Ending, Vec<u8>),
    /// It took longer than it may, and was ended.
    TookTooLong,
    /// The system does not start it.
    Unstartable(std::io::Error),
}

/// Runs `command` without input, and keeps the first `most` bytes of its output. Fails on a signal.
pub fn run(
    command: &mut Command,
    timeout: Duration,
    most: u64,
    stop: &dyn Fn() -> bool,
) -> Result<Ran> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    // A group of its own, so that all of it can be ended.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ok(Ran::Unstartable(error)),
    };
    let mut running = Family::of_group(child);
    let out = collect(running.leader.stdout.take(), most)?;
    let end = Instant::now() + timeout;
    let ending = loop {
        if stop() {
            return Err(Error::interrupted());
        }
        if let Some(ending) = running.leader.ended() {
            break ending;
        }
        if Instant::now() >= end {
            return Ok(Ran::TookTooLong);
        }
        std::thread::sleep(POLL);
    };
    Ok(Ran::Ended(ending, received(&out)))
}

fn refused(message: impl Into<String>, hint: &str) -> Error {
    Error::new(Kind::NoStatus, message, hint)
}

#[cfg(unix)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command);
    shell
}

#[cfg(windows)]
fn shell(command: &str) -> Command {
    use std::os::windows::process::CommandExt;
    let mut shell = Command::new("cmd");
    // As typed: `cmd` does not understand the escapes that an argument's quotes would get. With /S it takes off the
    // outer pair of quotes and no other.
    shell
        .args(["/D", "/S", "/C"])
        .raw_arg(format!("\"{command}\""));
    shell
}

type Chunks = mpsc::Receiver<Vec<u8>>;

/// Reads a stream on a thread of its own, so that a full pipe never stops the command; keeps the first `most` bytes.
fn collect(stream: Option<impl Read + Send + 'static>, most: u64) -> Result<Chunks> {
    let (sender, receiver) = mpsc::channel();
    in_background(move || {
        let Some(mut stream) = stream else { return };
        let mut buffer = vec![0; 64 * 1024];
        let mut kept = 0;
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            if kept < most
                && sender
                    .send(buffer.get(..count).unwrap_or_default().to_vec())
                    .is_err()
            {
                return;
            }
            kept += count as u64;
        }
    })?;
    Ok(receiver)
}

/// Runs `work` on a thread of its own, where the system has one more.
pub fn in_background(work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().spawn(work);
    thread.map(|_| ()).map_err(|error| {
        Error::other(
            format!(
                "the system gives no further thread: {}",
                crate::error::describe(&error)
            ),
            "see what limits there are, `ulimit -a`, and run the command again",
        )
    })
}

fn received(chunks: &Chunks) -> Vec<u8> {
    let end = Instant::now() + LINGER;
    let mut bytes = Vec::new();
    loop {
        match chunks.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(chunk) => bytes.extend(chunk),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return bytes,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn run(command: &str, timeout: Duration) -> Result<Vec<u8>> {
        output_of_shell(command, timeout, 1 << 20, &|| false)
    }

    #[test]
    fn output_is_read_and_failures_are_told() {
        let long = Duration::from_secs(30);
        assert_eq!(run("printf 'a\\nb'", long).expect("runs"), b"a\nb");
        let error = run("echo one >&2; echo broken >&2; exit 7", long).expect_err("fails");
        assert_eq!(
            error.to_string(),
            "the status command ended with exit code 7"
        );
        assert_eq!(error.kind(), Kind::NoStatus);
    }

    #[test]
    fn what_takes_too_long_is_ended_with_all_it_started() {
        let dir = tempfile::tempdir().expect("a directory");
        let pid_file = dir.path().join("pid");
        let command = format!("sleep 600 & echo $! > {}; wait", pid_file.display());
        let error = run(&command, Duration::from_millis(300)).expect_err("ended");
        assert!(error.to_string().contains("took longer"));
        let pid: i32 = std::fs::read_to_string(pid_file)
            .expect("started")
            .trim()
            .parse()
            .expect("a pid");
        let gone = || {
            let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
            rustix::process::test_kill_process(pid).is_err()
                || is_zombie(pid.as_raw_nonzero().get())
        };
        for _ in 0..200 {
            if gone() {
                return;
            }
            std::thread::sleep(POLL);
        }
        assert!(gone());
    }

    /// Where no init reaps orphans, an ended one stays as a zombie.
    fn is_zombie(pid: i32) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
    }

    #[test]
    fn noise_is_cut_and_a_daemon_that_holds_the_pipe_is_not_waited_for() {
        let output = run("head -c 5000000 /dev/zero", Duration::from_secs(30)).expect("runs");
        assert!(output.len() >= 1 << 20 && output.len() < 2 << 20);
        let started = Instant::now();
        assert_eq!(
            run("echo hi; sleep 600 &", Duration::from_secs(30)).expect("runs"),
            b"hi\n"
        );
        assert!(started.elapsed() < Duration::from_secs(25));
    }
}

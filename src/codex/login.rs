//! `codex login` as a person runs it: on their terminal, in a Codex home of our own. A login over another one takes that
//! back, even where it is then cancelled; in an empty home there is none.

use std::io;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::family::Ending;
use super::program::{self, Home, Program};
use crate::error::{Error, Result};

/// How often it is looked whether it has ended.
const PAUSE: Duration = Duration::from_millis(50);

/// How many pauses it has to end by itself after a signal, which the terminal sends it too.
const TO_END: u32 = 40;

/// How many when it was told to.
#[cfg(unix)]
const TO_TERMINATE: u32 = 40;

/// Runs it with these arguments and waits, as long as a person takes. `keeps_stdout` leaves standard output to this program:
/// then what Codex says goes to standard error.
///
/// On a signal it ends too. None where it had to be made to.
pub fn run(
    program: &Program,
    home: Home,
    args: &[String],
    keeps_stdout: bool,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Ending>> {
    let mut command = Command::new(&program.path);
    command
        .args(&program.args)
        .arg("login")
        .args(args)
        .current_dir(home.path);
    // Not a place of our own for temporary files: a browser that it opens stays.
    for (name, value) in home.environment() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if keeps_stdout {
        command.stdout(Stdio::from(io::stderr()));
    }
    let started = command.spawn();
    let mut child = started.map_err(|error| {
        let error = program::unstartable(&program.path, &error);
        Error::other(error.to_string(), error.hint())
    })?;
    loop {
        if let Some(ending) = wait(&mut child, 1)? {
            return Ok(Some(ending));
        }
        if stop() {
            return end(&mut child);
        }
    }
}

/// How it ended, if it does within so many pauses.
fn wait(child: &mut Child, pauses: u32) -> Result<Option<Ending>> {
    for _ in 0..pauses {
        let status = child.try_wait().map_err(|error| {
            Error::other(
                format!(
                    "codex cannot be waited for: {}",
                    crate::error::describe(&error)
                ),
                "run the command again",
            )
        })?;
        if let Some(status) = status {
            return Ok(Some(Ending::of_code(status.code())));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(None)
}

fn end(child: &mut Child) -> Result<Option<Ending>> {
    if let Some(ending) = wait(child, TO_END)? {
        return Ok(Some(ending));
    }
    // npm's script passes this on to Codex, and would leave it behind if it were killed.
    #[cfg(unix)]
    if let Some(id) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        if let Some(ending) = wait(child, TO_TERMINATE)? {
            return Ok(Some(ending));
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    Ok(None)
}

//! Asking at the terminal without showing what is typed, which is shown again however that ends.

#[cfg(unix)]
use std::fs::File;
use std::io;
#[cfg(unix)]
use std::io::Write;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use age::secrecy::SecretString;

use crate::error::{Error, Kind, Result, describe};

/// How often it is looked whether a signal came.
const POLL: Duration = Duration::from_millis(50);

/// Asks by `prompt` at the terminal, whatever standard input is. Ends on a signal, whose handler must not end the process
/// meanwhile: the terminal would stay as it is while a passphrase is typed.
pub fn ask(prompt: &str, is_stopped: &dyn Fn() -> bool) -> Result<SecretString> {
    let shown = Shown::now();
    let (sender, receiver) = mpsc::channel();
    let prompt = prompt.to_owned();
    let asking = std::thread::Builder::new()
        .spawn(move || sender.send(rpassword::prompt_password(prompt).map(SecretString::from)));
    asking.map_err(|error| unasked(&error))?;
    let answer = loop {
        match receiver.recv_timeout(POLL) {
            Ok(answer) => break answer,
            Err(RecvTimeoutError::Timeout) if is_stopped() => {
                shown.again();
                return Err(Error::interrupted());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break Err(io::ErrorKind::UnexpectedEof.into()),
        }
    };
    answer.map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => Error::interrupted(),
        io::ErrorKind::UnexpectedEof => Error::new(
            Kind::Usage,
            "no passphrase was given",
            "run the command again, and type one",
        ),
        _ => unasked(&error),
    })
}

fn unasked(error: &io::Error) -> Error {
    Error::other(
        format!("cannot ask for the passphrase: {}", describe(error)),
        "set `sync.passphrase_file` or `sync.passphrase_command`, and run the command again",
    )
}

/// The terminal as it was before it was asked.
struct Shown {
    #[cfg(unix)]
    before: Option<(File, rustix::termios::Termios)>,
}

impl Shown {
    fn now() -> Self {
        #[cfg(unix)]
        let before = File::options()
            .read(true)
            .write(true)
            .open("/dev/tty")
            .ok()
            .and_then(|terminal| {
                let before = rustix::termios::tcgetattr(&terminal).ok()?;
                Some((terminal, before))
            });
        Self {
            #[cfg(unix)]
            before,
        }
    }

    /// Sets it back, while somebody else still waits for a key.
    fn again(self) {
        #[cfg(unix)]
        if let Some((mut terminal, before)) = self.before {
            let _ = rustix::termios::tcsetattr(
                &terminal,
                rustix::termios::OptionalActions::Now,
                &before,
            );
            // Not on the line of the question.
            let _ = terminal.write_all(b"\n");
        }
    }
}

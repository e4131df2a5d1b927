//! Where a passphrase comes from: a file, a command, or whoever sits at the terminal. Never from an argument, which
//! every user of the machine could read.

mod terminal;

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use age::secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::secret_file;
use crate::error::{Error, Kind, Result, describe};

pub use terminal::ask;

/// How often a command is looked at.
const POLL: Duration = Duration::from_millis(20);

/// How long its output may stay open once it has ended: a daemon it left behind may hold it.
const LINGER: Duration = Duration::from_secs(1);

/// The most of what it prints that is read.
const MOST: u64 = 1 << 16;

/// What a passphrase is for.
#[derive(Clone, Copy, Debug)]
pub enum Purpose<'a> {
    /// To open this.
    Open(&'a str),
    /// To protect this, which is new.
    Make(&'a str),
}

/// Asks a person by the text it is given.
pub type Prompt<'a> = &'a dyn Fn(&str) -> Result<SecretString>;

/// Where it may come from; the first that is there gives it.
pub struct Sources<'a> {
    /// The file that the environment names.
    pub file_of_environment: Option<&'a Path>,
    /// The file that the settings name.
    pub file: Option<&'a Path>,
    /// The command that the settings name.
    pub command: Option<&'a str>,
    /// Asks a person, where one is there.
    pub prompt: Option<Prompt<'a>>,
    /// Whether a signal came.
    pub is_stopped: &'a dyn Fn() -> bool,
}

impl Sources<'_> {
    /// The passphrase, never an empty one. Fails as `Usage` where nobody can tell it.
    pub fn passphrase(&self, purpose: Purpose) -> Result<SecretString> {
        if let Some(path) = self.file_of_environment.or(self.file) {
            return of_file(path);
        }
        if let Some(command) = self.command {
            return of_command(command, self.is_stopped);
        }
        let what = match purpose {
            Purpose::Open(what) | Purpose::Make(what) => what,
        };
        let Some(prompt) = self.prompt else {
            return Err(Error::new(
                Kind::Usage,
                format!("`{what}` needs a passphrase, and nobody is there to be asked"),
                "run it on a terminal, set CODEX_MANAGER_PASSPHRASE_FILE or the setting `sync.passphrase_file` to a file whose \
                 first line it is, or `sync.passphrase_command` to a command that prints it",
            ));
        };
        match purpose {
            Purpose::Open(_) => given(prompt(&format!("Passphrase of {what}: "))?),
            Purpose::Make(_) => {
                let first = given(prompt(&format!("New passphrase of {what}: "))?)?;
                let again = prompt("The same again: ")?;
                if first.expose_secret() != again.expose_secret() {
                    let hint = "run the command again, and type the same twice";
                    return Err(Error::new(Kind::Usage, "the two passphrases differ", hint));
                }
                Ok(first)
            }
        }
    }
}

fn given(passphrase: SecretString) -> Result<SecretString> {
    if passphrase.expose_secret().is_empty() {
        let hint = "run the command again, and type one";
        return Err(Error::new(Kind::Usage, "no passphrase was given", hint));
    }
    Ok(passphrase)
}

fn of_file(path: &Path) -> Result<SecretString> {
    let bytes = secret_file::read(path, "the file with the passphrase")?
        .ok_or_else(|| Error::io("read", path, io::ErrorKind::NotFound.into()))?;
    first_line(&bytes).map_err(|why| {
        let message = format!("there is no passphrase in `{}`: {why}", path.display());
        Error::other(
            message,
            "write the passphrase in the first line of that file",
        )
    })
}

/// The first line without its end; the error says why it is no passphrase.
fn first_line(bytes: &[u8]) -> Result<SecretString, &'static str> {
    let line = bytes.split(|byte| *byte == b'\n').next();
    let line = line.unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok("") => Err("its first line is empty"),
        Ok(line) => Ok(SecretString::from(line)),
        Err(_) => Err("its first line is no UTF-8 text"),
    }
}

/// The first line that the command prints. It may ask at the terminal by itself, as long as it likes.
fn of_command(command: &str, is_stopped: &dyn Fn() -> bool) -> Result<SecretString> {
    const HINT: &str =
        "run the command of the setting `sync.passphrase_command` by hand to see why";
    // Not a word of what it printed: it may have been the passphrase.
    let refused = |why: String| Error::other(format!("the passphrase command {why}"), HINT);
    let words = shell_words::split(command).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else {
        return Err(refused(
            "cannot be understood: a quote is not closed, or it is empty".to_owned(),
        ));
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| refused(format!("cannot be started: {}", describe(&error))))?;
    let output = printed(&mut child);
    let ended = loop {
        if is_stopped() {
            end(&mut child);
            return Err(Error::interrupted());
        }
        match child.try_wait() {
            Ok(None) => std::thread::sleep(POLL),
            Ok(Some(status)) => break status,
            Err(error) => {
                return Err(refused(format!(
                    "cannot be waited for: {}",
                    describe(&error)
                )));
            }
        }
    };
    if !ended.success() {
        // A signal may reach it as it reaches this process.
        if is_stopped() {
            return Err(Error::interrupted());
        }
        let ending = ended
            .code()
            .map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
        return Err(refused(format!("ended with {ending}")));
    }
    first_line(&output()?).map_err(|why| refused(format!("gave none: {why}")))
}

fn end(child: &mut Child) {
    if child.kill().is_ok() {
        let _ = child.wait();
    }
}

/// Reads what the child prints on a thread of its own, so that a full pipe never stops it; what it printed, once it has
/// ended.
fn printed(child: &mut Child) -> impl FnOnce() -> Result<Zeroizing<Vec<u8>>> + use<> {
    let (sender, receiver) = mpsc::channel();
    let stream = child.stdout.take();
    let reading = std::thread::Builder::new().spawn(move || {
        let Some(mut stream) = stream else { return };
        let mut kept = 0;
        loop {
            let mut chunk = Zeroizing::new(vec![0; 4096]);
            let Ok(count @ 1..) = stream.read(&mut chunk) else {
                return;
            };
            chunk.truncate(count);
            kept += count as u64;
            if kept <= MOST && sender.send(chunk).is_err() {
                return;
            }
        }
    });
    move || {
        reading.map_err(|error| {
            let message = format!("the system gives no further thread: {}", describe(&error));
            Error::other(
                message,
                "see what limits there are, `ulimit -a`, and run the command again",
            )
        })?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(
            usize::try_from(MOST).unwrap_or_default(),
        ));
        loop {
            match receiver.recv_timeout(LINGER) {
                Ok(chunk) => bytes.extend_from_slice(&chunk),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Ok(bytes);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! Asking `codex app-server`: a Codex of our own, on its standard streams, ended again on every path.
//!
//! Asked by EOF it ends by itself, and first finishes a renewal of the login that is under way; killed in the middle of
//! one it would lose the login, since the service has already taken the old refresh token back. So EOF comes first
//! always, force last.

pub mod dialogue;
mod refusals;
#[cfg(test)]
mod tests;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use self::dialogue::Dialogue;
use super::{Asking, LiveStatus, Refusal};
use crate::codex::family::{Ending, Family};
use crate::codex::process;
use crate::codex::program::{self, Program};
use crate::codex::redact;
use crate::error::{Error, Kind, Result};
use crate::fsutil::TemporaryDir;
use crate::metadata::StatusSource;

/// The longest line that is kept; answers have a few KiB.
const LONGEST_LINE: usize = 4 << 20;

/// How much of the end of stderr is kept.
const STDERR_KEPT: usize = 4 << 10;

/// How often a signal is looked for.
const POLL: Duration = Duration::from_millis(50);

/// How long the account's own answer is waited for once its limits are there.
const FOR_ACCOUNT: Duration = Duration::from_secs(5);

/// How long it may take to end after EOF.
const TO_END: Duration = Duration::from_secs(3);

/// The same while it renews the login, or may.
const TO_RENEW: Duration = Duration::from_secs(20);

/// How long it may take to end when it is told to.
const TO_TERMINATE: Duration = Duration::from_secs(1);

/// Asks it. `Refusal::TooOld` where this Codex has no app-server that knows accounts.
pub fn of_app_server(asking: &Asking) -> Result<LiveStatus, Refusal> {
    let mut server = Server::start(asking)?;
    let heard = server.talk(asking);
    let is_interrupted = (asking.stop)();
    let ended = server.end(asking);
    if is_interrupted {
        return Err(Error::interrupted().into());
    }
    let dialogue = &server.dialogue;
    if let Some(outcome) = dialogue.outcome(&asking.clock) {
        return outcome.map(|reading| LiveStatus {
            source: StatusSource::AppServer,
            reading,
            observed_at: asking.clock.now,
            codex_version: dialogue.codex_version(),
            asked_of: None,
        });
    }
    Err(match heard {
        Heard::Closed => ended_early(asking, ended, &server.errors.join()),
        Heard::All | Heard::Silence => silence(asking, dialogue),
    })
}

/// Has it say who it is and nothing more; its version, where it tells. `Refusal::TooOld` where this Codex has no app-server.
pub fn greet(asking: &Asking) -> Result<Option<String>, Refusal> {
    let mut server = Server::start(asking)?;
    server.dialogue = Dialogue::greeting();
    let heard = server.talk(asking);
    let is_interrupted = (asking.stop)();
    let ended = server.end(asking);
    if is_interrupted {
        return Err(Error::interrupted().into());
    }
    match (server.dialogue.greeted(), heard) {
        (Some(Ok(())), _) => Ok(server.dialogue.codex_version()),
        (Some(Err(refusal)), _) => Err(refusal),
        (None, Heard::Closed) => Err(ended_early(asking, ended, &server.errors.join())),
        (None, Heard::All | Heard::Silence) => Err(silence(asking, &server.dialogue)),
    }
}

/// What it means that nothing came.
fn silence(asking: &Asking, dialogue: &Dialogue) -> Refusal {
    Refusal::Failed(Error::new(
        Kind::NoStatus,
        format!(
            "codex's app-server did not answer within {} s and was ended{}",
            asking.timeout.as_secs(),
            if dialogue.has_missed() {
                "; some of what it said could not be read"
            } else {
                ""
            }
        ),
        "run the command again; where Codex is just slow, raise `--status-timeout` or the setting `status.timeout_seconds`",
    ))
}

/// How listening ended.
enum Heard {
    /// With every answer.
    All,
    /// With the end of its output.
    Closed,
    /// With the end of the time, or a signal.
    Silence,
}

struct Server {
    family: Family<std::process::Child>,
    lines: Receiver<Vec<u8>>,
    errors: Tail,
    dialogue: Dialogue,
    /// Goes last: until then Codex may still write there.
    _scratch: TemporaryDir,
}

impl Server {
    fn start(asking: &Asking) -> Result<Self, Refusal> {
        let Program { path, args } = asking.program;
        let mut command = Command::new(path);
        // In the Codex home: what lies in the directory this was typed in is none of its business.
        command
            .args(args)
            .arg("app-server")
            .current_dir(asking.home.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let scratch = program::scratch()?;
        for (name, value) in Program::environment(asking.home, scratch.path()) {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        // A group of its own: Ctrl-C is this program's to pass on, and all of it can be ended.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut family = Family::of(scratch.path().as_os_str(), || command.spawn())
            .map_err(|error| program::unstartable(path, &error))?;
        let (sender, lines) = mpsc::sync_channel(16);
        if let Some(stdout) = family.leader.stdout.take() {
            process::in_background(move || pass_lines(stdout, &sender))?;
        }
        let errors = Tail::of(family.leader.stderr.take())?;
        Ok(Self {
            family,
            lines,
            errors,
            dialogue: Dialogue::default(),
            _scratch: scratch,
        })
    }

    /// Asks and listens until everything is answered, or will not be.
    fn talk(&mut self, asking: &Asking) -> Heard {
        let mut end = Instant::now() + asking.timeout;
        let mut is_enough = false;
        let mut gone = None;
        self.say(&Dialogue::opening());
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || (asking.stop)() {
                return Heard::Silence;
            }
            match self.lines.recv_timeout(left.min(POLL)) {
                Ok(line) => {
                    let reply = self.dialogue.hear(&line);
                    self.say(&reply);
                }
                Err(RecvTimeoutError::Timeout) => {
                    // What it left behind may hold its output open; that does not answer.
                    if self.family.wait(Instant::now()).is_some() {
                        let since = *gone.get_or_insert_with(Instant::now);
                        if since.elapsed() >= TO_TERMINATE {
                            return Heard::Closed;
                        }
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Heard::Closed,
            }
            if self.dialogue.is_done() {
                return Heard::All;
            }
            if self.dialogue.is_enough() && !is_enough {
                is_enough = true;
                end = end.min(Instant::now() + FOR_ACCOUNT);
            }
        }
    }

    fn say(&mut self, text: &str) {
        // One that has gone cannot be written to; its silence is told.
        if let Some(stdin) = self.family.leader.stdin.as_mut() {
            let _ = stdin
                .write_all(text.as_bytes())
                .and_then(|()| stdin.flush());
        }
    }

    /// Ends it: by EOF, by a signal, by force. None where force was needed.
    fn end(&mut self, asking: &Asking) -> Option<Ending> {
        drop(self.family.leader.stdin.take());
        let is_renewing = |dialogue: &Dialogue| {
            dialogue.is_refreshing() || (asking.may_renew && !dialogue.is_done())
        };
        let begun = Instant::now();
        let mut until = begun + TO_END;
        if is_renewing(&self.dialogue) {
            until = begun + TO_RENEW;
            asking.tell_renewal();
        }
        // What it still says is taken, so that a full pipe does not keep it from ending; it may be the answer to a renewal.
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || (asking.is_urgent)() {
                until = until.min(Instant::now());
                break;
            }
            match self.lines.recv_timeout(left.min(POLL)) {
                Ok(line) => {
                    self.dialogue.hear(&line);
                    if !is_renewing(&self.dialogue) {
                        until = until.min(Instant::now() + TO_END);
                    }
                }
                // What it left behind may hold its output open.
                Err(RecvTimeoutError::Timeout) if self.family.wait(begun).is_none() => {}
                Err(_) => break,
            }
        }
        let ending = self.family.wait(until);
        if ending.is_none() {
            self.family.terminate();
            self.family.wait(Instant::now() + TO_TERMINATE);
        }
        ending
    }
}

/// What an end before any answer means.
fn ended_early(asking: &Asking, ending: Option<Ending>, stderr: &str) -> Refusal {
    let lower = stderr.to_ascii_lowercase();
    // Where there is no such subcommand, its name is taken for a prompt, which needs a terminal.
    let names_it = ["unrecognized subcommand", "unexpected argument"]
        .iter()
        .any(|words| lower.contains(&format!("{words} 'app-server'")));
    let is_unknown = names_it || lower.contains("stdin is not a terminal");
    if is_unknown {
        return refusals::too_old();
    }
    let said = redact::last_line(stderr);
    let said = if said.is_empty() {
        said
    } else {
        format!(": {said}")
    };
    let hint = match ending {
        Some(Ending::Code(126 | 127)) => {
            "what starts Codex was not found: under cron, PATH is short; name the program itself with `--codex-command` or the setting `codex_command`".to_owned()
        }
        _ => format!(
            "run `{}` by hand to see why",
            asking.program.by_hand(asking.home, &["app-server"])
        ),
    };
    Refusal::Failed(Error::new(
        Kind::NoStatus,
        format!(
            "codex's app-server {} before it answered{said}",
            ending.map_or("closed its output".to_owned(), |how| format!(
                "ended with {how}"
            ))
        ),
        hint,
    ))
}

/// Passes on line after line; one that is too long is left out, whatever it is.
fn pass_lines(stream: impl Read, lines: &SyncSender<Vec<u8>>) {
    let mut stream = BufReader::with_capacity(64 << 10, stream);
    let mut line = Vec::new();
    let mut is_too_long = false;
    loop {
        let chunk = match stream.fill_buf() {
            Ok(chunk) if !chunk.is_empty() => chunk,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Ok(_) | Err(_) => break,
        };
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(chunk.len(), |end| end + 1);
        let part = chunk.get(..end.unwrap_or(taken)).unwrap_or_default();
        if line.len() + part.len() > LONGEST_LINE {
            is_too_long = true;
            line.clear();
        }
        if !is_too_long {
            line.extend_from_slice(part);
        }
        stream.consume(taken);
        if end.is_some() {
            let whole = std::mem::take(&mut line);
            if !std::mem::take(&mut is_too_long) && lines.send(whole).is_err() {
                return;
            }
        }
    }
    // The last line may have no end.
    if !line.is_empty() && !is_too_long {
        let _ = lines.send(line);
    }
}

/// The end of a stream, read on a thread of its own so that a full pipe never stops the child.
struct Tail(Receiver<Vec<u8>>);

impl Tail {
    fn of(stream: Option<impl Read + Send + 'static>) -> Result<Self> {
        let (sender, receiver) = mpsc::sync_channel(1);
        process::in_background(move || {
            let mut kept = Vec::new();
            let mut buffer = vec![0; 16 << 10];
            if let Some(mut stream) = stream {
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    kept.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    let excess = kept.len().saturating_sub(STDERR_KEPT);
                    kept.drain(..excess);
                }
            }
            let _ = sender.send(kept);
        })?;
        Ok(Self(receiver))
    }

    /// What there was, once the stream is closed; a daemon that holds it open is not waited for.
    fn join(&self) -> String {
        let kept = self.0.recv_timeout(TO_TERMINATE).unwrap_or_default();
        String::from_utf8_lossy(&kept).into_owned()
    }
}

//! Asking Codex's terminal interface: `/status` typed into a Codex of our own, in a pseudo-terminal of its own.
//!
//! Whatever is typed at the wrong moment is taken for a prompt, which costs quota, or for an answer to a question. So
//! nothing is typed before an empty prompt stands still, Enter only where the prompt holds `/status` alone and Codex
//! offers to run it, and no question is ever answered.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::screen::{Decision, STATUS, Screen, Terminal, Waits};
use super::workplace::Workplace;
use super::{Asking, LiveStatus, Reading, Refusal, panel};
#[cfg(unix)]
use crate::codex::family;
use crate::codex::family::{Child, Ending, Family};
use crate::codex::process;
use crate::codex::program::Program;
use crate::error::{Error, Kind};
use crate::metadata::StatusSource;
use crate::timeutil::Zone;

/// Wide enough for every row of the panel, and high enough for some panels.
const SIZE: (u16, u16) = (100, 140);

/// Without it Codex from 0.157 on starts a daemon that outlives it; before, it is not known.
const NO_DAEMON: &str = "--no-daemon";

/// The zone Codex is told to be in, for which it needs no data of the system's.
const UTC: (&str, &str) = ("UTC0", "UTC");

/// What would tell of the terminal this was started in.
const OTHER_TERMINAL: [&str; 11] = [
    "COLORTERM",
    "KITTY_WINDOW_ID",
    "STY",
    "TERM_PROGRAM",
    "TERM_PROGRAM_VERSION",
    "TMUX",
    "TMUX_PANE",
    "VTE_VERSION",
    "WEZTERM_PANE",
    "WT_SESSION",
    "ZELLIJ",
];

/// How much output is kept and taken in at a time, in reads: a program that never ends talking must be ended too.
const CHUNKS: usize = 16;

/// How long what Codex said at its end is waited for.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// How often a signal is looked for.
const POLL: Duration = Duration::from_millis(10);

/// How long the prompt must stand still before anything is typed: where Codex says that it waits for input…
const STILL: Duration = Duration::from_millis(100);

/// …and where it does not.
const STILL_UNTOLD: Duration = Duration::from_millis(400);

/// How long a question must stand still to be one: a page may be on its way.
const STILL_QUESTION: Duration = Duration::from_millis(200);

/// How long what is wrong may stand before it is final.
const STILL_WRONG: Duration = Duration::from_secs(1);

/// How often Codex is asked anew while it still fetches the limits.
const BETWEEN: Duration = Duration::from_secs(3);

/// How often it is asked while it says that it has nothing to show: some versions have not before their first message.
const MOST_ASKED: u32 = 3;

/// How long after its start a renewal of the login may take that is not to be cut off.
const TO_RENEW: Duration = Duration::from_secs(20);

/// How often a panel is asked for that is not from before the session was loaded, and how soon anew.
const TIMES_FOR_SESSION: u32 = 3;
const FOR_SESSION: Duration = Duration::from_millis(300);

/// How long it may take to quit when it is asked to at its prompt.
const TO_QUIT: Duration = Duration::from_secs(2);

/// How long it may take to end when it is told to.
const TO_TERMINATE: Duration = Duration::from_secs(2);

/// What quits Codex at an empty prompt, and does nothing elsewhere: Ctrl-D.
const QUIT: &[u8] = b"\x04";

/// Asks it. The weekly row's own text stays as it was printed, in UTC.
pub fn of_terminal(asking: &Asking) -> Result<LiveStatus, Refusal> {
    let began = Instant::now();
    let until = began + asking.timeout;
    let workplace = Workplace::new(asking.home.path)?;
    let mut session = Session::start(asking, &workplace, &[NO_DAEMON], until)?;
    let mut told = session.talk();
    if told.is_err() && session.screen.refuses_option(NO_DAEMON) {
        // It must be gone first: it takes with it whatever came after it.
        drop(session);
        session = Session::start(asking, &workplace, &[], until)?;
        told = session.talk();
    }
    let is_done = told.is_ok() || session.screen.waits() == Waits::Decision(Decision::SignIn);
    if !is_done {
        session.await_renewal(&workplace, began + TO_RENEW);
    }
    session.end();
    // It must be gone before what it left is taken back.
    let version = session.screen.version();
    drop(session);
    drop(workplace);
    told.map(|reading| LiveStatus {
        source: StatusSource::Panel,
        reading,
        observed_at: asking.clock.now,
        codex_version: version,
        asked_of: None,
    })
}

/// A running Codex and its terminal. The order matters: a writer that is dropped types a line end, so Codex must be gone.
struct Session<'a> {
    family: Family<Leader>,
    output: Receiver<Vec<u8>>,
    writer: Box<dyn Write + Send>,
    _master: Box<dyn MasterPty + Send>,
    terminal: Terminal,
    screen: Screen,
    /// When the screen last changed.
    changed: Instant,
    until: Instant,
    /// Why there is no reading so far.
    missing: Option<String>,
    /// Whether it was given up before it was ready.
    is_cut_short: bool,
    asking: &'a Asking<'a>,
}

impl<'a> Session<'a> {
    fn start(
        asking: &'a Asking,
        workplace: &Workplace,
        options: &[&str],
        until: Instant,
    ) -> Result<Self, Refusal> {
        let Program { path, args } = asking.program;
        let mut command = CommandBuilder::new(path);
        command.args(args);
        command.args(options);
        command.args(workplace.options());
        command.cwd(workplace.path());
        for name in OTHER_TERMINAL {
            command.env_remove(name);
        }
        // The C locale has a clock of 24 hours in every version.
        for (name, value) in [
            ("TERM", "xterm-256color"),
            ("LC_ALL", "C.UTF-8"),
            ("TZ", UTC.0),
        ] {
            command.env(name, value);
        }
        for (name, value) in Program::environment(asking.home, workplace.scratch()) {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            }
        }
        let (rows, columns) = SIZE;
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let opened = native_pty_system().openpty(size).and_then(|pair| {
            let reader = pair.master.try_clone_reader()?;
            let writer = pair.master.take_writer()?;
            Ok((pair, reader, writer))
        });
        let (pair, reader, writer) = opened.map_err(|error| {
            failed(
                format!("cannot open a terminal for codex: {}", in_one_line(&error)),
                "the app-server needs none: take `--status-source app-server`",
            )
        })?;
        let family = Family::of(workplace.scratch().as_os_str(), || {
            pair.slave.spawn_command(command).map(Leader)
        });
        let family = family.map_err(|error| {
            failed(
                format!("codex cannot be started, `{}`: {}", path.display(), in_one_line(&error)),
                "run it by hand; another one can be named with `--codex-command` or the setting `codex_command`",
            )
        })?;
        // The end of its output is seen only once nobody here holds the other side.
        drop(pair.slave);
        let (sender, output) = mpsc::sync_channel(CHUNKS);
        process::in_background(move || pass_on(reader, &sender))?;
        let terminal = Terminal::new(
            NonZeroU16::new(rows).unwrap_or(NonZeroU16::MAX),
            NonZeroU16::new(columns).unwrap_or(NonZeroU16::MAX),
        );
        Ok(Self {
            family,
            output,
            writer,
            _master: pair.master,
            screen: terminal.screen(),
            terminal,
            changed: Instant::now(),
            until,
            missing: None,
            is_cut_short: false,
            asking,
        })
    }

    /// Asks until the weekly window is told.
    fn talk(&mut self) -> Result<Reading, Refusal> {
        let mut asked = 0;
        loop {
            self.await_prompt()?;
            self.type_command()?;
            asked += 1;
            if let Some(reading) = self.await_panel(asked >= TIMES_FOR_SESSION)? {
                return Ok(reading);
            }
            let reason = self.missing.as_deref().unwrap_or_default();
            if asked >= MOST_ASKED && reason.contains("data not available yet") {
                return Err(failed(
                    format!("codex was asked {asked} times and has no limits to show: {reason}"),
                    "update Codex; an old one shows limits only once a message was sent, and any while ChatGPT tells them",
                ));
            }
        }
    }

    /// Waits until there is an empty prompt and nothing changes any more.
    fn await_prompt(&mut self) -> Result<(), Refusal> {
        loop {
            self.step()?;
            let still = if self.terminal.is_idle() {
                STILL
            } else {
                STILL_UNTOLD
            };
            match self.screen.waits() {
                Waits::Prompt(typed) if typed.is_empty() => {
                    if !self.screen.is_loading() && self.is_still(still) {
                        return Ok(());
                    }
                }
                waits => self.check(&waits, "")?,
            }
        }
    }

    /// Types the command and runs it.
    fn type_command(&mut self) -> Result<(), Refusal> {
        self.write(STATUS.as_bytes());
        loop {
            self.step()?;
            if self.screen.offers_status() && !self.terminal.is_drawing() {
                self.write(b"\r");
                return Ok(());
            }
            let waits = self.screen.waits();
            self.check(&waits, STATUS)?;
        }
    }

    /// Reads the panel; None where Codex is to be asked anew: it still fetches the limits, or has printed it before
    /// the session was loaded, without the account's name, and it may not `be_early`.
    fn await_panel(&mut self, may_be_early: bool) -> Result<Option<Reading>, Refusal> {
        let asked = Instant::now();
        let zone = Zone::named(UTC.1);
        let own = &self.asking.clock;
        let zone = zone.as_ref().unwrap_or(own.zone);
        loop {
            self.step()?;
            let waits = self.screen.waits();
            if waits != Waits::Prompt(String::new()) {
                self.check(&waits, STATUS)?;
                continue;
            }
            if self.terminal.is_drawing() {
                continue;
            }
            let reason = match panel::read(&self.screen.text(), own.now, zone, None) {
                Ok(reading)
                    if may_be_early || reading.email.is_some() || self.screen.names_session() =>
                {
                    return Ok(Some(in_zone(reading, own.zone)));
                }
                Ok(_) if asked.elapsed() >= FOR_SESSION => return Ok(None),
                Ok(_) => continue,
                Err(reason) => reason,
            };
            let is_fetched = [
                "refresh requested",
                "data not available yet",
                "no status panel",
            ];
            let is_final = !is_fetched.iter().any(|words| reason.contains(words));
            if is_final && self.is_still(STILL_WRONG) {
                return Err(no_window(&reason));
            }
            self.missing = Some(reason);
            if asked.elapsed() >= BETWEEN {
                return Ok(None);
            }
        }
    }

    /// Takes in what Codex has shown since. Fails where it has ended, or has to.
    fn step(&mut self) -> Result<(), Refusal> {
        if (self.asking.stop)() {
            self.is_cut_short = true;
            return Err(Error::interrupted().into());
        }
        if Instant::now() >= self.until {
            self.is_cut_short = true;
            return Err(self.too_late());
        }
        match self.output.recv_timeout(POLL) {
            Ok(bytes) => self.show(&bytes),
            Err(RecvTimeoutError::Timeout) => {}
            // The child may be some way behind its output's end.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(POLL),
        }
        if let Some(ending) = self.family.leader.ended() {
            let until = Instant::now() + LAST_WORDS;
            while let Ok(bytes) = self
                .output
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                self.show(&bytes);
                if Instant::now() >= until {
                    break;
                }
            }
            return Err(ended_early(self.asking, ending, &self.screen));
        }
        Ok(())
    }

    fn show(&mut self, bytes: &[u8]) {
        let mut answers = self.terminal.feed(bytes);
        for bytes in self.output.try_iter().take(CHUNKS) {
            answers.extend(self.terminal.feed(&bytes));
        }
        self.write(&answers);
        let screen = self.terminal.screen();
        if screen != self.screen {
            self.screen = screen;
            self.changed = Instant::now();
        }
    }

    /// A Codex that has gone takes nothing any more; that is seen by its end.
    fn write(&mut self, bytes: &[u8]) {
        let _ = self
            .writer
            .write_all(bytes)
            .and_then(|()| self.writer.flush());
    }

    fn is_still(&self, since: Duration) -> bool {
        !self.terminal.is_drawing() && self.changed.elapsed() >= since
    }

    /// Fails where a person is asked something, or the prompt holds what was not typed here; `typed` was.
    fn check(&self, waits: &Waits, typed: &str) -> Result<(), Refusal> {
        match waits {
            Waits::Decision(decision) if self.is_still(STILL_QUESTION) => Err(decides(*decision)),
            Waits::Prompt(holds)
                if !typed.starts_with(holds.as_str()) && self.is_still(STILL_WRONG) =>
            {
                Err(failed(
                    "codex's prompt holds something that codex-manager did not type; nothing was sent",
                    "look at it in Codex, or take `--status-source app-server`",
                ))
            }
            _ => Ok(()),
        }
    }

    fn too_late(&self) -> Refusal {
        let missing = self.missing.as_ref();
        let seconds = self.asking.timeout.as_secs();
        failed(
            missing.map_or_else(
                || format!("codex did not show its status within {seconds} s and was ended"),
                |reason| format!("codex did not show the weekly limit within {seconds} s and was ended: {reason}"),
            ),
            "run the command again; where Codex is just slow, raise `--status-timeout` or the setting `status.timeout_seconds`",
        )
    }

    /// Lets it finish a renewal of the login, which begins soon after its start.
    fn await_renewal(&mut self, workplace: &Workplace, until: Instant) {
        if self.may_renew() && workplace.has_old_login() {
            self.asking.tell_renewal();
        }
        while self.may_renew()
            && workplace.has_old_login()
            && self.family.leader.ended().is_none()
            && !(self.asking.is_urgent)()
            && Instant::now() < until
        {
            self.drain(Instant::now() + POLL);
        }
    }

    /// Whether it may be renewing the login: one that is about to end, or, until its session is loaded, one that the
    /// service took back.
    fn may_renew(&self) -> bool {
        let is_asking = matches!(self.screen.waits(), Waits::Decision(_));
        let is_ready = is_asking || self.screen.names_session();
        self.asking.may_renew || (self.is_cut_short && !is_ready)
    }

    /// Ends it: as a person would where that is possible, so that it tidies up behind itself.
    fn end(&mut self) {
        let until = Instant::now() + TO_QUIT;
        if self.screen.waits() == Waits::Prompt(String::new()) {
            self.write(QUIT);
            self.drain(until);
        }
        if self.family.leader.ended().is_none() {
            self.family.terminate();
            self.drain(Instant::now() + TO_TERMINATE);
        }
    }

    /// Waits until it has ended; what it still says must not stop it.
    fn drain(&mut self, until: Instant) {
        while self.family.leader.ended().is_none() && Instant::now() < until {
            match self.output.recv_timeout(POLL) {
                Ok(bytes) => self.show(&bytes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(POLL),
            }
        }
    }
}

/// The Codex that leads the family; a session of its own makes it lead a group too.
struct Leader(Box<dyn portable_pty::Child + Send + Sync>);

impl Child for Leader {
    fn id(&self) -> Option<u32> {
        self.0.process_id()
    }

    #[cfg(unix)]
    fn ended(&mut self) -> Option<Ending> {
        self.0
            .process_id()
            .map_or(Some(Ending::Signal), family::look)
    }

    #[cfg(not(unix))]
    fn ended(&mut self) -> Option<Ending> {
        // What somebody else has reaped is gone too.
        let Some(status) = self.0.try_wait().transpose()?.ok() else {
            return Some(Ending::Signal);
        };
        let code = i32::try_from(status.exit_code()).ok();
        Some(Ending::of_code(code.filter(|_| status.signal().is_none())))
    }

    fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Passes on what is read until there is no more.
fn pass_on(mut reader: Box<dyn Read + Send>, output: &SyncSender<Vec<u8>>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(count @ 1..) => {
                let read = buffer.get(..count).unwrap_or_default();
                if output.send(read.to_vec()).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => return,
        }
    }
}

fn in_zone(mut reading: Reading, zone: &Zone) -> Reading {
    reading.reset_at = reading.reset_at.map(|at| at.in_zone(zone));
    for limit in &mut reading.limits {
        limit.reset_at = limit.reset_at.map(|at| at.in_zone(zone));
    }
    reading
}

fn failed(message: impl Into<String>, hint: &str) -> Refusal {
    Refusal::Failed(Error::new(Kind::NoStatus, message, hint))
}

fn no_window(reason: &str) -> Refusal {
    failed(
        format!("no live status in codex's status panel: {reason}"),
        "run `/status` in Codex to see the panel",
    )
}

fn decides(decision: Decision) -> Refusal {
    match decision {
        Decision::SignIn => failed(
            "codex asks to sign in: nobody is logged in, or the login is no longer valid",
            "sign in with `codex login`",
        ),
        Decision::Trust => failed(
            "codex asks whether a directory is trusted, which only a person may answer",
            "take `--status-source app-server`, or update Codex",
        ),
        Decision::Update => failed(
            "codex offers an update, which only a person may take or skip",
            "start `codex` once and answer it, then run the command again",
        ),
        Decision::Model => failed(
            "codex asks which model to go on with, which only a person may answer",
            "start `codex` once and answer it, then run the command again",
        ),
        Decision::Other => failed(
            "codex asks something at its start, which only a person may answer",
            "start `codex` once and answer it, then run the command again",
        ),
    }
}

fn ended_early(asking: &Asking, ending: Ending, screen: &Screen) -> Refusal {
    let said = screen.last_error();
    let said = said.map_or_else(String::new, |said| format!(": {said}"));
    let hint = match ending {
        Ending::Code(126 | 127) => {
            "what starts Codex was not found: under cron, PATH is short; name the program itself with `--codex-command` or the setting `codex_command`".to_owned()
        }
        _ if said.contains("routing discovery failed")
            || said.contains("error sending request") =>
        {
            "check the network, then run the command again".to_owned()
        }
        _ => format!(
            "run `{}` by hand to see why",
            asking.program.by_hand(asking.home, &[])
        ),
    };
    failed(
        format!("codex ended with {ending} before it showed its status{said}"),
        &hint,
    )
}

fn in_one_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    crate::codex::redact::first_line(&text)
}

//! The program on a terminal of the tests: what is typed, and the screen that a person sees.

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, SlavePty, native_pty_system};

use crate::common::{Env, SECRET};

/// How long a screen may take to come. The machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program on a terminal, ended when it goes out of scope.
pub struct Tty {
    child: Box<dyn Child + Send + Sync>,
    screen: Arc<Mutex<vt100::Parser>>,
    sent: Arc<Mutex<Vec<u8>>>,
    keyboard: Box<dyn Write + Send>,
    terminal: Box<dyn MasterPty + Send>,
    /// Held, so that the terminal outlives the program.
    _slave: Box<dyn SlavePty + Send>,
    home: String,
    before: String,
}

fn some(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("a terminal has some")
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        ..Default::default()
    }
}

impl Tty {
    /// Starts it with `args` in this world, on so many columns and rows.
    pub fn open(env: &Env, args: &[&str], (cols, rows): (u16, u16)) -> Self {
        Self::with(env, args, (cols, rows), &[])
    }

    /// The same with these variables too.
    pub fn with(
        env: &Env,
        args: &[&str],
        (cols, rows): (u16, u16),
        variables: &[(&str, &str)],
    ) -> Self {
        let pair = native_pty_system()
            .openpty(size(cols, rows))
            .expect("a terminal");
        let plain = env.command(args);
        let mut command = CommandBuilder::new(plain.get_program());
        command.args(plain.get_args());
        command.env_clear();
        for (name, value) in plain.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        for (name, value) in [("NO_COLOR", "1"), ("TERM", "xterm")]
            .iter()
            .chain(variables)
        {
            command.env(name, value);
        }
        command.cwd(env.home());
        let before = format!("{:?}", pair.master.get_termios());
        let mut reader = pair.master.try_clone_reader().expect("reads");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(some(rows), some(cols), 0)));
        let sent = Arc::new(Mutex::new(Vec::new()));
        let of_reader = (Arc::clone(&screen), Arc::clone(&sent));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let (screen, sent) = &of_reader;
                sent.lock().expect("whole").extend(&buffer[..count]);
                screen.lock().expect("whole").process(&buffer[..count]);
            }
        });
        Self {
            child: pair.slave.spawn_command(command).expect("starts"),
            screen,
            sent,
            keyboard: pair.master.take_writer().expect("types"),
            terminal: pair.master,
            _slave: pair.slave,
            home: env.home().display().to_string(),
            before,
        }
    }

    /// What is to be seen, without blanks behind it.
    pub fn screen(&self) -> String {
        let screen = self.screen.lock().expect("whole").screen().contents();
        assert!(!screen.contains(SECRET), "{screen}");
        let lines = screen.lines().map(str::trim_end);
        let screen = lines.collect::<Vec<_>>().join("\n");
        screen.trim_end().replace(&self.home, "~")
    }

    /// All that was sent to the terminal.
    pub fn sent(&self) -> String {
        let sent = self.sent.lock().expect("whole");
        String::from_utf8_lossy(&sent).into_owned()
    }

    /// Column and row of the cursor.
    pub fn cursor(&self) -> (u16, u16) {
        let screen = self.screen.lock().expect("whole");
        let (row, column) = screen.screen().cursor_position();
        (column, row)
    }

    /// Waits until all that is to be seen is this.
    #[track_caller]
    pub fn sees(&self, expected: &str) {
        self.sees_like(|screen| screen == expected, expected);
    }

    /// Waits until what is to be seen is such.
    #[track_caller]
    pub fn sees_like(&self, is_such: impl Fn(&str) -> bool, expected: &str) {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if is_such(&screen) {
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "seen:\n{screen}\n\nexpected:\n{expected}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The same, and gives it.
    #[track_caller]
    pub fn until(&self, is_such: impl Fn(&str) -> bool) -> String {
        self.sees_like(&is_such, "what is waited for");
        self.screen()
    }

    /// Whether it shows a screen of the program's own, without a cursor.
    pub fn is_taken(&self) -> bool {
        let screen = self.screen.lock().expect("whole");
        screen.screen().alternate_screen() && screen.screen().hide_cursor()
    }

    /// Types this.
    pub fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("types");
        self.keyboard.flush().expect("types");
    }

    /// The window has another size from now on.
    pub fn resize(&mut self, cols: u16, rows: u16) {
        let mut screen = self.screen.lock().expect("whole");
        screen.screen_mut().set_size(some(rows), some(cols));
        self.terminal.resize(size(cols, rows)).expect("resizes");
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = self.child.process_id().expect("an id");
        let id = i32::try_from(id).expect("an id");
        let id = rustix::process::Pid::from_raw(id).expect("an id");
        rustix::process::kill_process(id, signal).expect("is told");
    }

    /// Waits for its end, and gives its exit code.
    pub fn code(&mut self) -> u32 {
        self.child.wait().expect("ends").exit_code()
    }

    /// Waits for its end: its exit code, and what is to be seen then. The terminal is as it was. Gives all that was sent to it.
    #[track_caller]
    pub fn ends(mut self, code: u32, expected: &str) -> String {
        let ended = self.child.wait().expect("ends").exit_code();
        self.sees(expected);
        assert_eq!(ended, code, "{}", self.screen());
        let after = format!("{:?}", self.terminal.get_termios());
        assert_eq!(after, self.before);
        let screen = self.screen.lock().expect("whole");
        assert!(!screen.screen().hide_cursor());
        assert!(!screen.screen().bracketed_paste());
        drop(screen);
        self.sent()
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

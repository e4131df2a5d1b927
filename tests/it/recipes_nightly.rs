//! The README's recipes for what runs every night: lines of cron, and units of systemd.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::common::{Env, NOW, Person, Ran};
use crate::loopback::test_name;
use crate::recipes::{blocks, executable, on_path, sh, world};

/// Ten more snapshots of alice, a week apart.
fn ten_weeks(env: &mut Env) {
    let alice = Person::named("alice");
    let login = env.read(".codex/auth.json");
    for (now, resets) in [
        ("2026-01-01", "5 Jan"),
        ("2026-01-08", "12 Jan"),
        ("2026-01-15", "19 Jan"),
        ("2026-01-22", "26 Jan"),
        ("2026-01-29", "2 Feb"),
        ("2026-02-05", "9 Feb"),
        ("2026-02-12", "16 Feb"),
        ("2026-02-19", "23 Feb"),
        ("2026-02-26", "2 Mar"),
        ("2026-03-05", "9 Mar"),
    ] {
        env.set_now(&format!("{now}T12:00:00+05:30"));
        let panel = alice.panel(50, &format!("12:00 on {resets}"));
        env.write("status.txt", &panel);
        env.run(&["backup", "--status-file", "status.txt"]).code(0);
    }
    env.set_now(NOW);
    env.write(".codex/auth.json", &login);
}

/// How many snapshots of alice there are.
fn of_alice(env: &Env) -> usize {
    let files = env.files(".codex-manager/backups");
    let is_one = |file: &&String| file.contains("alice") && file.ends_with(".tar.gz");
    files.iter().filter(is_one).count()
}

/// One line of a crontab: that its five fields are such, and its command.
fn scheduled(line: &str) -> &str {
    let mut rest = line;
    for (name, range) in [
        ("minute", 0..=59),
        ("hour", 0..=23),
        ("day of the month", 1..=31),
        ("month", 1..=12),
        ("day of the week", 0..=7),
    ] {
        let (field, others) = rest.split_once(' ').expect("six fields");
        let is_so = field == "*" || field.parse().is_ok_and(|at: u32| range.contains(&at));
        assert!(is_so, "{field} is no {name}: {line}");
        rest = others;
    }
    // cron takes it for the end of a line.
    assert!(!rest.contains('%'), "{line}");
    rest
}

/// Runs a command as cron does.
fn cron(env: &Env, command: &str) -> Ran {
    cron_with(env, command, "/usr/bin:/bin")
}

fn cron_with(env: &Env, command: &str, path: &str) -> Ran {
    let mut child = Command::new("/bin/sh");
    child.args(["-c", command]);
    nightly(env, &mut child, path);
    env.ran(&mut child, &[command])
}

/// Has nothing in the environment but what cron or systemd puts there.
fn nightly(env: &Env, command: &mut Command, path: &str) {
    command
        .env_clear()
        .current_dir(env.home())
        .env("HOME", env.home())
        .env("LOGNAME", "alice")
        .env("SHELL", "/bin/sh")
        .env("PATH", path);
}

#[test]
fn cron_is_silent_while_it_goes_well() {
    let [lines, where_it_is] = blocks(test_name!());
    let mut env = world();
    ten_weeks(&mut env);
    let commands: Vec<&str> = lines.lines().map(scheduled).collect();
    let [backup, prune, cleaning] = commands[..] else {
        panic!("{lines}");
    };
    // Codex is not on cron's PATH: that is told.
    let ran = cron(&env, backup).code(14).stdout("");
    assert!(ran.stderr.starts_with("error: "), "{ran:?}");
    // Whatever else the shell calls so.
    sh(&env, &format!("codex() {{ :; }}\n{where_it_is}")).code(0);
    assert_eq!(of_alice(&env), 11);
    cron(&env, backup).code(0).stdout("").stderr("");
    assert!(
        env.files(".codex-manager/backups")
            .contains(&"2026-04-14-155500-alice@example.com-codex.tar.gz".to_owned())
    );
    let all = of_alice(&env);
    cron(&env, prune).code(0).stdout("").stderr("");
    let left = of_alice(&env);
    assert!(left < all && left >= 8, "{left} of {all}");
    env.write(".codex/tmp/arg0/scratch", "x");
    cron(&env, cleaning).code(0).stdout("").stderr("");
    assert_eq!(env.files(".codex/tmp"), [""; 0]);
    assert!(env.path(".codex/auth.json").exists());
}

#[test]
fn cron_with_a_remote() {
    let [lines] = blocks(test_name!());
    let mut env = world();
    ten_weeks(&mut env);
    let remote = env.beside_home("remote");
    fs::create_dir(&remote).expect("makes");
    let url = format!("file://{}", remote.display());
    let set = format!(
        "config set codex_command {}",
        env.path("bin/codex").display()
    );
    let init = format!("sync init --remote {url}");
    for command in [set, init] {
        sh(&env, &format!("codex-manager {command}")).code(0);
    }
    let [backup, prune] = lines.lines().map(scheduled).collect::<Vec<_>>()[..] else {
        panic!("{lines}");
    };
    let there = || {
        let mut command = Command::new("find");
        command.arg(&remote).args(["-name", "*.tar.gz.age"]);
        let found = command.output().expect("runs").stdout;
        String::from_utf8(found).expect("names").lines().count()
    };
    cron(&env, backup).code(0).stdout("").stderr("");
    let all = there();
    assert!(all > 10, "{all}");
    cron(&env, prune).code(0).stdout("").stderr("");
    assert!(there() < all, "{} of {all}", there());
}

#[test]
fn a_codex_that_is_a_script_of_node() {
    let [block] = blocks(test_name!());
    let Some(node) = on_path("node") else { return };
    let env = world();
    fs::rename(env.path("bin/codex"), env.path("bin/native")).expect("moves");
    executable(
        &env,
        "bin/codex",
        "#!/usr/bin/env node\nconst { spawnSync } = require('child_process');\n\
         spawnSync(__dirname + '/native', process.argv.slice(2), { stdio: 'inherit' });\n",
    );
    symlink(node, env.path("bin/node")).expect("links");
    sh(&env, &block).code(0);
    // Wherever node is, it is not here.
    cron_with(
        &env,
        "$HOME/.cargo/bin/codex-manager backup --quiet",
        "/nowhere",
    )
    .code(0)
    .stdout("")
    .stderr("");
}

#[test]
fn systemd_takes_the_units() {
    let [service, timer, commands] = blocks(test_name!());
    let env = world();
    let set = format!(
        "config set codex_command {}",
        env.path("bin/codex").display()
    );
    sh(&env, &format!("codex-manager {set}")).code(0);
    let units = ".config/systemd/user";
    let paths = [("service", &service), ("timer", &timer)]
        .map(|(kind, text)| env.write(&format!("{units}/codex-manager.{kind}"), text));
    // As the service's manager starts them.
    let starts: Vec<_> = service
        .lines()
        .filter_map(|line| line.strip_prefix("ExecStart="))
        .collect();
    assert_eq!(starts.len(), 2);
    for start in starts {
        let line = start.replace("%h", &env.home().display().to_string());
        let words: Vec<_> = line.split(' ').collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        nightly(&env, &mut command, "/usr/local/bin:/usr/bin:/bin");
        env.ran(&mut command, &words).code(0).stdout("").stderr("");
    }
    assert_eq!(of_alice(&env), 2);
    let Some(analyze) = on_path("systemd-analyze") else {
        return;
    };
    let systemd = |program: &Path, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args);
        nightly(&env, &mut command, "/usr/bin:/bin");
        command
            .env("XDG_RUNTIME_DIR", env.beside_home("tmp"))
            .env("SYSTEMD_OFFLINE", "1");
        env.ran(&mut command, args)
    };
    let paths = paths.map(|path| path.display().to_string());
    systemd(&analyze, &["verify", "--user", &paths[0], &paths[1]])
        .code(0)
        .stdout("")
        .stderr("");
    let when = timer
        .lines()
        .find_map(|line| line.strip_prefix("OnCalendar="));
    systemd(&analyze, &["calendar", when.expect("a time")]).code(0);
    // The manager of a person's units does not run here: nothing is started, what is enabled is linked all the same.
    executable(
        &env,
        "bin/systemctl",
        "#!/bin/sh\n[ \"$*\" = '--user enable --now codex-manager.timer' ] || exit 2\n\
         SYSTEMD_OFFLINE=1 exec /usr/bin/systemctl --user enable codex-manager.timer\n",
    );
    for other in ["journalctl", "loginctl"] {
        executable(&env, &format!("bin/{other}"), "#!/bin/sh\necho \"$0 $*\"\n");
    }
    sh(&env, &commands).code(0).stdout(
        "~/bin/journalctl --user --unit codex-manager.service\n~/bin/loginctl enable-linger\n",
    );
    let enabled = format!("{units}/timers.target.wants/codex-manager.timer");
    assert_eq!(env.read(&enabled), timer);
}

//! Every block of the README is run by a test, as it stands there: which test that is, the blocks that any shell runs, and
//! those of cron and systemd.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Env, NOW, Person, Ran, ZONE};
use crate::loopback::test_name;
use crate::readme::demo;

/// Every block: its heading, its language and the test that runs it, in the order of the README.
const BLOCKS: &[(&str, &str, &str)] = &[
    (
        "codex-manager",
        "sh",
        "recipes::the_demo_is_run_by_the_gate",
    ),
    (
        "codex-manager",
        "console",
        "readme::the_transcripts_are_what_comes_out",
    ),
    (
        "Install",
        "sh",
        "newcomer::from_the_first_command_to_the_last",
    ),
    (
        "First steps",
        "sh",
        "newcomer::from_the_first_command_to_the_last",
    ),
    (
        "First steps",
        "sh",
        "newcomer::from_the_first_command_to_the_last",
    ),
    (
        "The loop, step by step",
        "console",
        "readme::the_transcripts_are_what_comes_out",
    ),
    (
        "The loop, step by step",
        "console",
        "readme::the_transcripts_are_what_comes_out",
    ),
    (
        "The loop, step by step",
        "console",
        "readme::the_transcripts_are_what_comes_out",
    ),
    (
        "Between machines",
        "sh",
        "recipes::from_one_machine_to_another",
    ),
    (
        "Between machines",
        "sh",
        "recipes::from_one_machine_to_another",
    ),
    ("Moving house", "sh", "recipes::moving_house"),
    (
        "Every night, with cron",
        "cron",
        "recipes::cron_is_silent_while_it_goes_well",
    ),
    (
        "Every night, with cron",
        "cron",
        "recipes::cron_with_a_remote",
    ),
    (
        "Every night, with cron",
        "sh",
        "recipes::cron_is_silent_while_it_goes_well",
    ),
    (
        "Every night, with cron",
        "sh",
        "recipes::a_codex_that_is_a_script_of_node",
    ),
    (
        "Every night, with systemd",
        "ini",
        "recipes::systemd_takes_the_units",
    ),
    (
        "Every night, with systemd",
        "ini",
        "recipes::systemd_takes_the_units",
    ),
    (
        "Every night, with systemd",
        "sh",
        "recipes::systemd_takes_the_units",
    ),
    (
        "After every session",
        "bash",
        "recipes_shells::a_snapshot_after_every_session",
    ),
    (
        "After every session",
        "fish",
        "recipes_shells::a_snapshot_after_every_session_in_fish",
    ),
    (
        "From Codex itself",
        "toml",
        "recipes_codex::codex_itself_calls_it",
    ),
    (
        "From Codex itself",
        "toml",
        "recipes_codex::codex_itself_calls_it",
    ),
    ("In the prompt", "toml", "recipes_shells::starship_shows_it"),
    (
        "In the prompt",
        "bash",
        "recipes_shells::the_prompt_of_bash",
    ),
    ("In the prompt", "zsh", "recipes_shells::the_prompt_of_zsh"),
    (
        "In the prompt",
        "fish",
        "recipes_shells::the_prompt_of_fish",
    ),
    ("In the prompt", "tmux", "recipes_shells::tmux_shows_it"),
    (
        "When an account is usable again",
        "sh",
        "recipes::a_notice_when_an_account_is_usable",
    ),
    ("Short names", "sh", "recipes::aliases"),
    ("Short names", "sh", "recipes::names_and_scripts"),
    ("Short names", "sh", "recipes::names_and_scripts"),
];

/// The README's blocks: heading, language, text.
fn in_the_readme() -> Vec<(String, String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(path).expect("reads");
    let (mut found, mut heading) = (Vec::new(), String::new());
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text = lines.by_ref().take_while(|line| *line != "```");
            let text = text.flat_map(|line| [line, "\n"]).collect();
            found.push((heading.clone(), language.to_owned(), text));
        } else if line.starts_with('#') {
            line.trim_start_matches(['#', ' ']).clone_into(&mut heading);
        }
    }
    found
}

/// The blocks that this test is to run, see [`test_name`].
pub fn blocks<const COUNT: usize>(test: &str) -> [String; COUNT] {
    let all = in_the_readme().into_iter().zip(BLOCKS);
    let its: Vec<String> = all
        .filter(|(_, block)| block.2 == test)
        .map(|((_, _, text), _)| text)
        .collect();
    its.try_into()
        .unwrap_or_else(|its| panic!("{test} has these blocks of the README: {its:#?}"))
}

#[test]
fn every_block_of_the_readme_is_run_by_a_test() {
    let blocks = in_the_readme();
    let found: Vec<_> = blocks
        .iter()
        .map(|(heading, language, _)| (heading.as_str(), language.as_str()))
        .collect();
    let known: Vec<_> = BLOCKS
        .iter()
        .map(|(heading, language, _)| (*heading, *language))
        .collect();
    assert_eq!(
        found, known,
        "the README's blocks, and those that are tested"
    );
    for (_, _, test) in BLOCKS {
        let (module, function) = test.split_once("::").expect("a module");
        let path = format!("{}/tests/it/{module}.rs", env!("CARGO_MANIFEST_DIR"));
        let source = fs::read_to_string(path).expect("reads");
        let (_, body) = source
            .split_once(&format!("#[test]\nfn {function}() {{\n"))
            .unwrap_or_else(|| panic!("there is no test {test}"));
        let body = body.split_once("\n}\n").map_or(body, |(body, _)| body);
        let is_run = body.contains("blocks(test_name!())") || body.contains("shown(");
        assert!(is_run, "{test} does not read its blocks");
    }
}

/// The world of `fixtures/demo` with the program in `~/bin` and where cargo puts it, its clock standing still.
pub fn world() -> Env {
    let env = demo();
    let program = assert_cmd::cargo::cargo_bin!("codex-manager").display();
    executable(
        &env,
        "bin/codex-manager",
        &format!("#!/bin/sh\nexec '{program}' --now {NOW} --timezone {ZONE} \"$@\"\n"),
    );
    fs::create_dir_all(env.path(".cargo/bin")).expect("makes");
    symlink(
        "../../bin/codex-manager",
        env.path(".cargo/bin/codex-manager"),
    )
    .expect("links");
    env
}

/// Writes a script.
pub fn executable(env: &Env, below: &str, text: &str) {
    let path = env.write(below, text);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("sets");
}

/// Runs `program` with these arguments in this world, `~/bin` before the system's PATH, and nothing else of ours.
pub fn run(env: &Env, program: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(program);
    command.args(args).env_clear();
    env.surround(&mut command);
    let path = format!("{}:/usr/bin:/bin", env.path("bin").display());
    env.ran(command.env("PATH", path), args)
}

/// Runs this text in a shell that stops at the first failure.
fn sh(env: &Env, text: &str) -> Ran {
    run(env, Path::new("/bin/sh"), &["-e", "-c", text])
}

/// The program, or None, said on stderr; a gate must not pass that way.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let found = which::which(name).ok();
    if found.is_none() {
        let is_gate = std::env::var_os("CI").is_some() && cfg!(target_os = "linux");
        assert!(!is_gate, "no {name} on PATH");
        eprintln!("not asked of {name}, which is not on PATH");
    }
    found
}

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
fn the_demo_is_run_by_the_gate() {
    let [demo] = blocks(test_name!());
    assert_eq!(demo, "sh fixtures/demo\n");
    let gate = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run");
    // It is no part of what is published.
    if let Ok(gate) = fs::read_to_string(gate) {
        assert!(
            gate.contains("step 'the main job' sh fixtures/demo\n"),
            "{gate}"
        );
    }
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

#[test]
fn from_one_machine_to_another() {
    let [here, there] = blocks(test_name!());
    let (one, other) = (world(), world());
    let remote = one.beside_home("remote");
    fs::create_dir(&remote).expect("makes");
    let url = format!("file://{}", remote.display());
    let with_remote = |block: &str| {
        assert!(block.contains("s3://my-bucket/codex"), "{block}");
        block.replace("s3://my-bucket/codex", &url)
    };
    sh(&one, &with_remote(&here)).code(0);
    fs::remove_dir_all(other.path(".codex-manager")).expect("removes");
    fs::create_dir(other.path(".codex-manager")).expect("makes");
    let key = ".codex-manager/identity.txt";
    fs::copy(one.path(key), other.path(key)).expect("copies");
    let bob = Person::named("bob");
    other.write(".codex/auth.json", &bob.auth_json());
    sh(&other, &with_remote(&there)).code(0);
    assert_eq!(other.read(".codex/auth.json"), one.read(".codex/auth.json"));
}

#[test]
fn moving_house() {
    let [block] = blocks(test_name!());
    let (one, other) = (world(), world());
    fs::remove_dir_all(other.path(".codex-manager")).expect("removes");
    let [export, import] = block.lines().collect::<Vec<_>>()[..] else {
        panic!("{block}");
    };
    let passphrase =
        "export CODEX_MANAGER_PASSPHRASE_FILE=passphrase; umask 077; echo made up > passphrase; ";
    sh(&one, &format!("{passphrase}{export}")).code(0);
    fs::copy(
        one.path("codex-manager.age"),
        other.path("codex-manager.age"),
    )
    .expect("copies");
    sh(&other, &format!("{passphrase}{import}")).code(0);
    let archives = |env: &Env| {
        let mut files = env.files(".codex-manager/backups");
        files.retain(|file| file.ends_with(".tar.gz"));
        files
    };
    assert_eq!(archives(&other), archives(&one));
    assert!(archives(&one).len() > 3);
}

#[test]
fn a_notice_when_an_account_is_usable() {
    let [block] = blocks(test_name!());
    let env = world();
    executable(
        &env,
        "bin/notify-send",
        "#!/bin/sh\nprintf '%s\\n' \"$@\" > notice\n",
    );
    let types = || run(&env, Path::new("/bin/sh"), &["-c", &block]);
    types().code(0).stdout("").stderr("");
    let advice = sh(&env, "codex-manager recommend").code(0).stdout;
    assert_eq!(
        env.read("notice"),
        format!("Codex is usable again\n{advice}")
    );
    // Nothing is said of nobody.
    fs::remove_file(env.path("notice")).expect("removes");
    fs::remove_dir_all(env.path(".codex-manager")).expect("removes");
    fs::remove_dir_all(env.path(".codex")).expect("removes");
    types().code(10);
    assert!(!env.path("notice").exists());
}

#[test]
fn aliases() {
    let [block] = blocks(test_name!());
    let env = world();
    let says = |alias: &str, command: &str| {
        let said = sh(&env, &format!("{block}\n{alias}")).code(0);
        let same = sh(&env, &format!("codex-manager {command}")).code(0);
        assert_eq!((said.stdout, said.stderr), (same.stdout, same.stderr));
    };
    says("cxc", "cooldown");
    says("cxr", "recommend");
    let first = |alias: &str| {
        let said = sh(&env, &format!("{block}\n{alias}")).code(0).stdout;
        said.lines().next().unwrap_or_default().to_owned()
    };
    assert!(first("cxb").starts_with("created "));
    assert!(first("cxs bob@example.com").starts_with("used      bob@example.com"));
    assert!(first("cxs -").starts_with("used      alice@example.com"));
    let advised = first("cxr");
    let advised = advised.trim_start_matches("account").trim();
    first("cxn");
    let signed_in = sh(&env, "codex-manager status --format '{email}'").code(0);
    assert_eq!(signed_in.stdout.trim(), advised);
}

#[test]
fn names_and_scripts() {
    let [names, script] = blocks(test_name!());
    let env = world();
    // Both were signed in here.
    for command in ["backup", "use bob@example.com", "use -"] {
        sh(&env, &format!("codex-manager {command}")).code(0);
    }
    sh(&env, &names).code(0);
    let alice = sh(&env, "codex-manager profile show al").code(0).stdout;
    assert!(alice.contains("the one with the discount"), "{alice}");
    if on_path("jq").is_none() {
        return;
    }
    let email = |env: &Env| sh(env, &format!("{script}echo \"$email\"")).stdout;
    // Bob would be the one, were he not paused.
    assert_eq!(email(&env), "alice@example.com\n");
    sh(
        &env,
        "codex-manager profile set bob@example.com paused=false",
    )
    .code(0);
    assert_eq!(email(&env), "bob@example.com\n");
}

//! Every block of the README is run by a test, as it stands there: which test that is, and the blocks that any shell runs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Env, NOW, Person, Ran, ZONE};
use crate::loopback::test_name;
use crate::readme::demo;
use crate::shells::{Terminal, found};

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
    (
        "Between machines",
        "sh",
        "recipes::from_one_machine_to_another",
    ),
    ("Moving house", "sh", "recipes::moving_house"),
    ("Moving house", "sh", "recipes::moving_house"),
    (
        "Every night, with cron",
        "cron",
        "recipes_nightly::cron_is_silent_while_it_goes_well",
    ),
    (
        "Every night, with cron",
        "cron",
        "recipes_nightly::cron_with_a_remote",
    ),
    (
        "Every night, with cron",
        "sh",
        "recipes_nightly::cron_is_silent_while_it_goes_well",
    ),
    (
        "Every night, with cron",
        "sh",
        "recipes_nightly::a_codex_that_is_a_script_of_node",
    ),
    (
        "Every night, with systemd",
        "ini",
        "recipes_nightly::systemd_takes_the_units",
    ),
    (
        "Every night, with systemd",
        "ini",
        "recipes_nightly::systemd_takes_the_units",
    ),
    (
        "Every night, with systemd",
        "sh",
        "recipes_nightly::systemd_takes_the_units",
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

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    fs::read_to_string(path).expect("reads")
}

/// The README's blocks: heading, language, text.
fn in_the_readme() -> Vec<(String, String, String)> {
    let readme = readme();
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
pub fn sh(env: &Env, text: &str) -> Ran {
    run(env, Path::new("/bin/sh"), &["-e", "-c", text])
}

/// age itself, as `age` in this world; None where the machine cannot have it.
fn age(env: &Env) -> Option<()> {
    symlink(found("age")?.path, env.path("bin/age")).expect("links");
    Some(())
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

#[test]
fn the_demo_is_run_by_the_gate() {
    let [demo] = blocks(test_name!());
    assert_eq!(demo, "sh fixtures/demo\ncargo test\n");
    let gate = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run");
    // It is no part of what is published.
    if let Ok(gate) = fs::read_to_string(gate) {
        assert!(
            gate.contains("step 'the main job' sh fixtures/demo\n")
                && gate.ends_with("\nexec cargo test\n"),
            "{gate}"
        );
    }
}

#[test]
fn the_lines_for_completions_are_typed_into_the_shells() {
    let (readme, typed) = (readme(), include_str!("completions.rs"));
    let (_, table) = readme
        .split_once("| shell | line | where |\n|---|---|---|\n")
        .expect("the table");
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let mut shells = Vec::new();
    for row in rows {
        let cells: Vec<_> = row.split(" | ").collect();
        let [shell, line, _] = cells[..] else {
            panic!("{row}");
        };
        let shell = shell.trim_start_matches("| ");
        let line = line.trim_matches('`').replace("\\|", "|");
        // There is none of it for a test to have.
        if shell != "PowerShell" {
            assert!(typed.contains(&line.replace('"', "\\\"")), "{line}");
        }
        shells.push(shell);
    }
    assert_eq!(shells, ["bash", "zsh", "fish", "PowerShell", "Elvish"]);
}

#[test]
fn from_one_machine_to_another() {
    let [here, there, without_it] = blocks(test_name!());
    let (one, other) = (world(), world());
    let remote = one.beside_home("remote");
    fs::create_dir(&remote).expect("makes");
    let url = format!("file://{}", remote.display());
    let age = age(&one);
    let with_remote = |block: &str| {
        assert!(block.contains("s3://my-bucket/codex"), "{block}");
        block.replace("s3://my-bucket/codex", &url)
    };
    sh(&one, &with_remote(&here)).code(0);
    if age.is_some() {
        let mut find = Command::new("find");
        let found = find.arg(&remote).args(["-name", "*.tar.gz.age"]).output();
        let found = String::from_utf8(found.expect("runs").stdout).expect("a name");
        let object = found.lines().next().expect("an object");
        let listed = sh(&one, &without_it.replace("OBJECT.tar.gz.age", object)).code(0);
        assert!(listed.stdout.contains("auth.json\n"), "{listed:?}");
    }
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
    let [block, without_it] = blocks(test_name!());
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
    if age(&other).is_none() {
        return;
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", &without_it]);
    // It asks in the terminal.
    let mut terminal = Terminal::open(&other, shell);
    let shows = |terminal: &Terminal, text: &str| {
        terminal.wait(text, |rows, _| rows.iter().any(|row| row.contains(text)));
    };
    shows(&terminal, "Enter passphrase");
    terminal.send("made up\r");
    shows(&terminal, "-alice@example.com-codex.tar.gz");
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

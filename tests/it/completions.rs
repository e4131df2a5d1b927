//! `completions`: command lines completed in real shells, and what those are told.

use std::fs;
use std::process::Command;

use crate::common::{Env, Person};
use crate::shells::{Terminal, enter, found};

const ALICE: &str = "2026-04-14-155500-alice@example.com-codex.tar.gz";

/// A world with two accounts, alice signed in, and a snapshot of each; the program in `bin/`.
fn world() -> Env {
    let env = Env::new();
    for name in ["o'neil", "alice"] {
        let person = Person::named(name);
        env.codex_home(&person);
        env.write("status.txt", &person.panel(66, "15:55 on 21 Apr"));
        env.run(&["backup", "--status-file", "status.txt"]).code(0);
    }
    env.run(&["profile", "set", "alice", "alias=work"]).code(0);
    for dir in ["bin", "exports", "empty"] {
        fs::create_dir(env.path(dir)).expect("makes");
    }
    env.write("exports/codex-manager.age", "");
    let program = assert_cmd::cargo::cargo_bin!("codex-manager");
    std::os::unix::fs::symlink(program, env.path("bin/codex-manager")).expect("links");
    env
}

/// What a shell is told of `words`.
fn told(env: &Env, shell: &str, words: &[&str]) -> String {
    let args = [&["completions", shell, "--"][..], words].concat();
    env.run(&args).code(0).stderr("").stdout
}

/// The words of it alone.
fn words(env: &Env, words: &[&str]) -> Vec<String> {
    let told = told(env, "powershell", &[&["codex-manager"][..], words].concat());
    let words = told
        .lines()
        .map(|line| line.split('\t').next().unwrap_or_default());
    words.map(str::to_owned).collect()
}

#[test]
fn bash_completes() {
    let env = world();
    let bash = found("bash").expect("bash");
    let version = Command::new(&bash.path)
        .args(["-c", "echo ${BASH_VERSINFO[0]}"])
        .output();
    if version.expect("runs").stdout <= b"3\n".to_vec() {
        eprintln!("not asked of this bash, which is too old for what is typed here");
        return;
    }
    let mut command = Command::new(&bash.path);
    command.args(["--norc", "--noprofile", "-i"]);
    let mut bash = Terminal::open(&env, command);
    bash.send("PS1='> '; bind 'set bell-style none'; bind 'set enable-bracketed-paste off'\r");
    bash.send(
        "bind 'set page-completions off'; eval \"$(codex-manager completions bash)\"; clear\r",
    );
    bash.wait("a prompt", |_, line| line == ">");
    for (typed, whole) in [
        ("codex-manager us", "codex-manager use"),
        (
            "codex-manager list-backups --latest",
            "codex-manager list-backups --latest-per-email",
        ),
        ("codex-manager use ali", "codex-manager use alice"),
        (
            "codex-manager use alice@exa",
            "codex-manager use alice@example.com",
        ),
        (
            "codex-manager use 'alice@",
            "codex-manager use 'alice@example.com'",
        ),
        (
            "codex-manager use \"alice@",
            "codex-manager use \"alice@example.com\"",
        ),
        (
            "codex-manager use o\\'neil@",
            "codex-manager use o\\'neil@example.com",
        ),
        (
            "codex-manager use \"o'neil@",
            "codex-manager use \"o'neil@example.com\"",
        ),
        (
            "codex-manager list-backups --email=al",
            "codex-manager list-backups --email=alice@example.com",
        ),
        ("codex-manager use wo", "codex-manager use work"),
        (
            "codex-manager restore --from-archive 2026-04-14-155500-a",
            &format!("codex-manager restore --from-archive {ALICE}"),
        ),
        (
            "codex-manager restore 2026-04-14-155500-alice@",
            &format!("codex-manager restore {ALICE}"),
        ),
        (
            "codex-manager restore --only auth,co",
            "codex-manager restore --only auth,config",
        ),
        (
            "codex-manager --timezone Europe/Berl",
            "codex-manager --timezone Europe/Berlin",
        ),
        (
            "codex-manager profile import exp",
            "codex-manager profile import exports/",
        ),
        (
            "codex-manager profile import exports/",
            "codex-manager profile import exports/codex-manager.age",
        ),
        (
            "codex-manager list-backups --backup-dir=exports",
            "codex-manager list-backups --backup-dir=exports/",
        ),
        (
            "codex-manager profile set alice pau",
            "codex-manager profile set alice paused=",
        ),
        (
            "~/bin/codex-manager config get sync.rem",
            "~/bin/codex-manager config get sync.remote",
        ),
        (
            "NO_COLOR=1 codex-manager use alice@",
            "NO_COLOR=1 codex-manager use alice@example.com",
        ),
    ] {
        bash.completes(typed, whole);
    }
    bash.offers(
        "codex-manager profile ",
        "\t\t",
        &["rename", "export", "import"],
    );
}

#[test]
fn zsh_completes() {
    let env = world();
    let Some(zsh) = found("zsh") else {
        return;
    };
    let mut command = Command::new(&zsh.path);
    command.args(["-f", "-i"]);
    zsh.surround(&mut command);
    let mut shell = Terminal::open(&env, command);
    if zsh.root.is_some() {
        let modules = zsh.usr("lib");
        let functions = zsh.usr("share/zsh/functions");
        shell.send(&format!(
            "module_path=({}/*/zsh/*(/)); fpath=({functions}/**/*(/) {functions})\r",
            modules.display(),
            functions = functions.display()
        ));
    }
    shell.send("PS1='> '; unsetopt beep; autoload -Uz compinit; compinit -u -D\r");
    shell.send("LISTMAX=999; source <(codex-manager completions zsh); clear\r");
    shell.wait("a prompt", |_, line| line == ">");
    for (typed, whole) in [
        ("codex-manager us", "codex-manager use"),
        (
            "codex-manager use --rest",
            "codex-manager use --restart-hint",
        ),
        (
            "codex-manager use alice@exa",
            "codex-manager use alice@example.com",
        ),
        (
            "codex-manager use 'alice@",
            "codex-manager use 'alice@example.com'",
        ),
        (
            "codex-manager use o\\'neil@",
            "codex-manager use o\\'neil@example.com",
        ),
        (
            "codex-manager list-backups --email=al",
            "codex-manager list-backups --email=alice@example.com",
        ),
        (
            "codex-manager restore --from-archive 2026-04-14-155500-a",
            &format!("codex-manager restore --from-archive {ALICE}"),
        ),
        (
            "codex-manager restore --only auth,co",
            "codex-manager restore --only auth,config",
        ),
        (
            "codex-manager profile import exp",
            "codex-manager profile import exports/",
        ),
        (
            "codex-manager list-backups --backup-dir=exp",
            "codex-manager list-backups --backup-dir=exports/",
        ),
        (
            "codex-manager profile set alice pau",
            "codex-manager profile set alice paused=",
        ),
    ] {
        shell.completes(typed, whole);
    }
    shell.offers(
        "codex-manager use ",
        "\t",
        &[
            "alice@example.com",
            "-- open, 66% left, signed in",
            "whoever was signed in before",
        ],
    );
}

#[test]
fn zsh_loads_it_from_a_directory_too() {
    let env = world();
    let Some(zsh) = found("zsh") else {
        return;
    };
    fs::create_dir(env.path("functions")).expect("makes");
    let script = env.run(&["completions", "zsh"]).code(0).stdout;
    env.write("functions/_codex-manager", &script);
    let mut command = Command::new(&zsh.path);
    command.args(["-f", "-i"]);
    zsh.surround(&mut command);
    let mut shell = Terminal::open(&env, command);
    let functions = zsh.usr("share/zsh/functions");
    let modules = zsh.usr("lib");
    if zsh.root.is_some() {
        shell.send(&format!(
            "module_path=({}/*/zsh/*(/)); fpath=({functions}/**/*(/) {functions})\r",
            modules.display(),
            functions = functions.display()
        ));
    }
    shell.send("PS1='> '; unsetopt beep; fpath=(~/functions $fpath); autoload -Uz compinit; compinit -u -D; clear\r");
    shell.wait("a prompt", |_, line| line == ">");
    // The first time it is loaded, too.
    shell.completes(
        "codex-manager use alice@exa",
        "codex-manager use alice@example.com",
    );
    shell.completes("codex-manager us", "codex-manager use");
}

#[test]
fn fish_completes() {
    let env = world();
    let Some(fish) = found("fish") else {
        return;
    };
    let functions = fish.usr("share/fish/functions");
    let ask = |line: &str| {
        let mut command = Command::new(&fish.path);
        fish.surround(&mut command);
        enter(&env, &mut command);
        let quoted = line.replace('\\', "\\\\").replace('\'', "\\'");
        command.args(["--no-config", "-c"]).arg(format!(
            "set fish_function_path {}; codex-manager completions fish | source; complete -C '{quoted}'",
            functions.display()
        ));
        env.ran(&mut command, &["fish", line])
            .code(0)
            .stderr("")
            .stdout
    };
    let alice = "alice@example.com\topen, 66% left, signed in\n";
    for (line, offered) in [
        (
            "codex-manager us",
            "use\tSign another account in to the Codex home, with its freshest login\n",
        ),
        ("codex-manager use alice@", alice),
        ("codex-manager use 'alice@", alice),
        (
            "codex-manager use o\\'n",
            "o'neil@example.com\topen, 66% left\n",
        ),
        (
            "codex-manager use wo",
            "work\talice@example.com, open, 66% left, signed in\n",
        ),
        ("~/bin/codex-manager use alice@", alice),
        (
            "codex-manager use --rest",
            "--restart-hint\tAlso tell which open Codex must be started anew\n",
        ),
        (
            "codex-manager list-backups --email=al",
            "--email=alice@example.com\topen, 66% left, signed in\n",
        ),
        (
            "codex-manager restore --from-archive 2026-04-14-155500-a",
            &format!("{ALICE}\n"),
        ),
        (
            "codex-manager restore --only auth,hi",
            "auth,history\t`history.jsonl`\n",
        ),
        ("codex-manager profile import exp", "exports/\n"),
        (
            "codex-manager list-backups --backup-dir=ex",
            "--backup-dir=exports/\n",
        ),
        ("codex-manager list-backups --backup-dir exports/", ""),
        (
            "codex-manager profile import exports/",
            "exports/codex-manager.age\n",
        ),
        (
            "codex-manager profile set alice pau",
            "paused=\twhether it is not recommended\n",
        ),
        (
            "codex-manager config set timezone Europe/Berl",
            "Europe/Berlin\n",
        ),
    ] {
        assert_eq!(ask(line), offered, "{line}");
    }
}

#[test]
fn elvish_completes() {
    let env = world();
    let Some(elvish) = found("elvish") else {
        return;
    };
    let mut command = Command::new(&elvish.path);
    command.arg("-norc");
    elvish.surround(&mut command);
    let mut shell = Terminal::open(&env, command);
    shell.wait("a prompt", |_, line| line.contains('~'));
    shell.send(
        "set edit:rprompt = { }; set edit:prompt = { put '> ' }; set edit:before-readline = []\r",
    );
    shell.wait("a prompt", |_, line| line.starts_with('>'));
    shell.send("eval (codex-manager completions elvish | slurp); clear\r");
    shell.wait("a prompt", |rows, line| {
        rows[0].starts_with('>') && line == ">"
    });
    for (typed, whole) in [
        ("codex-manager backu", "codex-manager backup"),
        (
            "codex-manager use alice@exa",
            "codex-manager use alice@example.com",
        ),
        (
            "codex-manager use \"o'n",
            "codex-manager use \"o'neil@example.com\"",
        ),
        (
            "codex-manager list-backups --email al",
            "codex-manager list-backups --email alice@example.com",
        ),
        (
            "codex-manager restore --from-archive 2026-04-14-155500-a",
            &format!("codex-manager restore --from-archive {ALICE}"),
        ),
        (
            "codex-manager profile import exp",
            "codex-manager profile import exports/",
        ),
    ] {
        shell.completes(typed, whole);
    }
    shell.offers(
        "codex-manager use ",
        "\t",
        &["alice@example.com  (open, 66% left, signed in)"],
    );
}

/// Where there is a PowerShell it is asked; what its script asks is asked in any case.
#[test]
fn powershell_completes() {
    let env = world();
    let ask = |typed: &str| words(&env, &typed.split(' ').collect::<Vec<_>>());
    assert_eq!(ask("=us"), ["use"]);
    assert_eq!(ask("use =alice@"), ["alice@example.com"]);
    assert_eq!(ask("use ='alice@"), ["alice@example.com"]);
    assert_eq!(ask("restore --from-archive =2026-04-14-155500-a"), [ALICE]);
    assert_eq!(ask("profile import =exp"), [":files"]);
    let Ok(pwsh) = which::which("pwsh") else {
        eprintln!("not asked of PowerShell: there is none");
        return;
    };
    for (typed, whole) in [
        ("codex-manager us", "use"),
        ("codex-manager use alice@", "alice@example.com"),
        ("codex-manager use o", "'o''neil@example.com'"),
        (
            "codex-manager list-backups --email=al",
            "--email=alice@example.com",
        ),
        (
            "codex-manager restore --from-archive 2026-04-14-155500-a",
            ALICE,
        ),
    ] {
        let mut command = Command::new(&pwsh);
        enter(&env, &mut command);
        let length = typed.len();
        command.args(["-NoProfile", "-NonInteractive", "-Command"]).arg(format!(
            "codex-manager completions powershell | Out-String | Invoke-Expression; \
             (TabExpansion2 -inputScript '{typed}' -cursorColumn {length}).CompletionMatches | ForEach-Object CompletionText"
        ));
        let ran = env.ran(&mut command, &["pwsh", typed]).code(0).stderr("");
        assert_eq!(ran.stdout.trim_end(), whole, "{typed}");
    }
}

#[test]
fn what_is_said_already_is_heeded() {
    let env = world();
    let none: [&str; 0] = [];
    // Elsewhere there is nobody.
    assert_eq!(
        words(
            &env,
            &[
                "use",
                "--manager-home",
                "empty",
                "--codex-home",
                "empty",
                "="
            ]
        ),
        ["-"]
    );
    assert_eq!(
        words(
            &env,
            &[
                "restore",
                "--backup-dir=empty",
                "--from-archive",
                "=2026-04-14-155500-a"
            ]
        ),
        [":files"]
    );
    let mut command = env.command(&[
        "completions",
        "fish",
        "--",
        "codex-manager",
        "--codex-home",
        "empty",
        "use",
        "a",
    ]);
    command.env("CODEX_MANAGER_HOME", env.path("empty"));
    env.ran(&mut command, &["elsewhere"])
        .code(0)
        .stdout("-\twhoever was signed in before\n");
    // What was said is not offered again, nor what goes with none of that.
    let options = words(&env, &["restore", "--undo", "--yes", "=--"]);
    for gone in ["--undo", "--yes", "--email", "--from-archive"] {
        assert!(!options.contains(&gone.to_owned()), "{gone} in {options:?}");
    }
    for there in ["--dest-dir", "--dry-run", "--json", "--help"] {
        assert!(
            options.contains(&there.to_owned()),
            "{there} in {options:?}"
        );
    }
    assert!(words(&env, &["backup", "--exclude", "a", "=--exc"]) == ["--exclude"]);
    assert_eq!(words(&env, &["restore", "--only", "=auth,a"]), none);
    // Behind `--` there are no options of ours.
    assert_eq!(
        words(&env, &["profile", "login", "bob", "--", "="]),
        ["--device-auth", "--with-api-key"]
    );
    assert_eq!(
        words(&env, &["config", "set", "recommend.policy", "="]),
        ["lru", "drain"]
    );
    assert_eq!(
        words(&env, &["config", "set", "backup.dir", "="]),
        [":files"]
    );
    assert_eq!(
        words(&env, &["config", "set", "sync.encrypt", "=t"]),
        ["true"]
    );
    assert_eq!(
        words(&env, &["restore", "--session-start", "="]),
        ["2026-04-14-155500"]
    );
    assert_eq!(
        words(&env, &["man", "profile", "=re"]),
        ["rename", "remove"]
    );
    assert_eq!(
        words(&env, &["help", "profile", "=re"]),
        ["rename", "remove"]
    );
    assert_eq!(
        words(&env, &["profile", "show", "="])[..2],
        ["alice", "work"]
    );
    assert_eq!(words(&env, &["completions", "=po"]), ["powershell"]);
    assert_eq!(words(&env, &["prune", "--remote", "=s"]), ["s3://"]);
    // Nothing can come.
    assert_eq!(words(&env, &["cooldown", "--limit", "="]), none);
    assert_eq!(words(&env, &["frob", "=x"]), none);
}

#[test]
fn nothing_is_told_written_or_locked_whatever_is_broken() {
    let env = world();
    env.write(".codex-manager/config.toml", "no such key = 1\n");
    env.write(".codex-manager/cooldown.json", "{");
    env.write(".codex-manager/inventory.json", "[");
    env.write(
        ".codex-manager/profiles/bad\tname/profile.toml",
        "alias = 3\n",
    );
    env.write(".codex/auth.json", "{");
    let before = (env.tree(".codex-manager"), env.tree(".codex"));
    assert_eq!(
        told(&env, "fish", &["codex-manager", "use", "ali"])
            .lines()
            .next(),
        Some("alice@example.com\topen, 66% left")
    );
    let mut command = env.command(&["completions", "zsh", "--", "codex-manager", "use", "al"]);
    command.env("CODEX_MANAGER_NOW", "soon").env_remove("HOME");
    env.ran(&mut command, &["without a clock"])
        .code(0)
        .stderr("");
    assert_eq!((env.tree(".codex-manager"), env.tree(".codex")), before);
    // Nor where there is nothing at all.
    let env = Env::new();
    assert_eq!(told(&env, "bash", &["", "codex-manager use "]), "- \n");
    assert_eq!(told(&env, "bash", &["us"]), "");
    assert_eq!(
        told(&env, "zsh", &[""]),
        told(&env, "zsh", &["codex-manager", ""])
    );
    assert_eq!(env.files(""), [""; 0]);
}

#[test]
fn the_script_is_that_of_the_shell_one_has() {
    let env = Env::new();
    for (shell, path) in [
        ("bash", "/bin/bash"),
        ("zsh", "/usr/local/bin/zsh"),
        ("fish", "fish"),
        ("powershell", "/opt/pwsh"),
        ("elvish", "/usr/bin/elvish"),
    ] {
        let named = env.run(&["completions", shell]).code(0).stderr("").stdout;
        assert!(
            named.contains(&format!("codex-manager completions {shell}")),
            "{named}"
        );
        let mut command = env.command(&["completions"]);
        command.env("SHELL", path);
        env.ran(&mut command, &["completions", path])
            .code(0)
            .stdout(&named)
            .stderr("");
        let json = env.run(&["completions", shell, "--json"]).code(0).json();
        assert_eq!(json, serde_json::json!({"shell": shell, "script": named}));
    }
    let hint = "hint: say for which: bash, zsh, fish, powershell, elvish\n";
    env.run(&["completions"])
        .code(2)
        .stdout("")
        .stderr(&format!(
            "error: no shell is named, and SHELL is not set\n{hint}"
        ));
    let mut command = env.command(&["completions"]);
    command.env("SHELL", "/bin/csh");
    env.ran(&mut command, &["completions"])
        .code(2)
        .stdout("")
        .stderr(&format!(
            "error: no shell is named, and of `csh`, as SHELL says, none is known\n{hint}"
        ));
    assert_eq!(env.files(""), [""; 0]);
}

#[test]
fn what_steers_is_not_offered_and_what_looks_like_an_option_is_behind_dashes() {
    let env = world();
    let mut odd = Person::named("-i");
    env.codex_home(&odd);
    env.write("status.txt", &odd.panel(66, "15:55 on 21 Apr"));
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
    odd = Person::named("alice\u{202e}");
    env.codex_home(&odd);
    let offered = words(&env, &["use", ""]);
    assert!(
        offered.contains(&"o'neil@example.com".to_owned()),
        "{offered:?}"
    );
    let bad = |one: &String| one.contains('\u{202e}') || one.starts_with("-i");
    assert!(!offered.iter().any(bad), "{offered:?}");
    let offered = words(&env, &["list-backups", "--email", ""]);
    assert!(!offered.iter().any(bad), "{offered:?}");
    assert_eq!(words(&env, &["use", "--", "-i"]), ["-i@example.com"]);
    let offered = words(&env, &["list-backups", "--email=-i"]);
    assert_eq!(offered, ["--email=-i@example.com"]);
    env.run(&["use", "--dry-run", "--", "-i@example.com"])
        .code(0);
}

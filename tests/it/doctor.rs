//! `doctor`: each thing it can find, provoked once. What `--fix` makes of it: `doctor_fix`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::{Env, NOW, Person, Ran};
use crate::unprivileged::run_as_nobody;
use crate::worlds::{has_keys, json_error, prints, snapshot};

/// What `space` says, which is the machine's.
const SPACE: &str = "ok    space         (free)\n";

/// A world on a disk, in which alice is signed in, has a snapshot of her window, and Codex is on PATH.
pub fn healthy() -> Env {
    let mut env = empty();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    private(&env, ".codex/auth.json");
    snapshot(
        &mut env,
        &alice,
        &alice.panel(66, "15:55 on 21 Apr"),
        "2026-04-19T10:00:00+05:30",
    );
    private(&env, ".codex/auth.json");
    env.set_now(NOW);
    env
}

/// A world on a disk with nothing in it but a Codex on PATH.
pub fn empty() -> Env {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let env = Env::within(dir, NOW);
    let codex = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/codex");
    fs::create_dir(env.path("bin")).expect("makes");
    fs::copy(codex, env.path("bin/codex")).expect("copies");
    env
}

pub fn private(env: &Env, below: &str) {
    set_mode(env, below, 0o600);
}

pub fn set_mode(env: &Env, below: &str, mode: u32) {
    let permissions = fs::Permissions::from_mode(mode);
    fs::set_permissions(env.path(below), permissions).expect("sets");
}

/// Where snapshots are.
pub const BACKUPS: &str = ".codex-manager/backups";

/// Alice's snapshot.
pub const BASE: &str = "2026-04-14-155500-alice@example.com-codex";

pub fn command(env: &Env, args: &[&str]) -> Command {
    let args = [&["doctor", "--now", NOW], args].concat();
    let mut command = env.command(&args);
    command
        .env_remove("CODEX_MANAGER_NOW")
        .env("PATH", env.path("bin"));
    command
}

pub fn doctor(env: &Env, args: &[&str]) -> Ran {
    ran(env, &mut command(env, args))
}

fn ran(env: &Env, command: &mut Command) -> Ran {
    let mut ran = env.ran(command, &["doctor"]);
    let lines = ran.stdout.lines().map(|line| {
        if line.starts_with("ok    space         ") {
            SPACE.to_owned()
        } else {
            format!("{line}\n")
        }
    });
    ran.stdout = lines.collect();
    ran
}

/// What is told under that name.
pub fn told(ran: &Ran, name: &str) -> String {
    let mut is_told = false;
    let lines = ran.stdout.lines().filter(|line| {
        if !line.starts_with("      ") {
            is_told = line.get(6..).and_then(|rest| rest.split(' ').next()) == Some(name);
        }
        is_told
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Checks what one check says, and that nothing else is found.
#[track_caller]
pub fn finds(env: &Env, name: &str, text: &str) {
    finds_by(env, &mut command(env, &[]), name, text);
}

#[track_caller]
fn finds_by(env: &Env, command: &mut Command, name: &str, text: &str) {
    let ran = ran(env, command);
    assert_eq!(told(&ran, name), text, "{}", ran.stdout);
    let others: Vec<&str> = ran
        .stdout
        .lines()
        .filter(|line| line.starts_with("warn") || line.starts_with("fail"))
        .filter(|line| line.get(6..).and_then(|rest| rest.split(' ').next()) != Some(name))
        .collect();
    assert_eq!(others, [""; 0]);
    let code = i32::from(text.contains("fail  "));
    ran.code(code).stderr("");
}

const HEALTHY: &str = "\
ok    codex         0.169.0, ~/bin/codex
ok    app-server    answers, 0.169.0
ok    codex-home    ~/.codex
ok    codex-config  ~/.codex/config.toml
ok    login-store   auth.json
ok    environment   nothing in it beats auth.json
ok    login         alice@example.com (plus), renewed 2026-04-14 17:55
ok    service       not asked; `--live` does
ok    running       no Codex is open here
ok    manager-home  ~/.codex-manager
ok    modes         yours alone
ok    older-home    there is none
ok    config        none; every setting has its default
ok    time-zone     Asia/Kolkata, TZ
ok    clock         2026-04-19T15:30:00+05:30, --now
ok    profiles      1 login kept
ok    machines      no account was used elsewhere last
ok    accounts      1 account known
ok    snapshots     (sizes)
ok    records       0 legacy files in the inventory, 1 account in the registry
ok    space         (free)
ok    restore       none was cut short
ok    leftovers     none
ok    locks         free
ok    encryption    no key, and no remote that needs one
ok    remote        none is set
26 checks: 26 ok, 0 warn, 0 fail
";

#[test]
fn all_is_well() {
    let env = healthy();
    let before = prints(&env.home());
    let size = fs::metadata(env.path(&format!("{BACKUPS}/{BASE}.tar.gz")))
        .expect("stands")
        .len();
    let (kilo, tenths) = (size / 1000, (size % 1000 + 50) / 100);
    let sizes = format!("1, {kilo}.{tenths} kB");
    let text = HEALTHY.replace("(sizes)", &sizes);
    doctor(&env, &[]).code(0).stdout(&text).stderr("");
    doctor(&env, &["--quiet"]).code(0).stdout("").stderr("");
    // Nothing to repair: nothing is locked, nothing changes.
    doctor(&env, &["--fix"]).code(0).stdout(&text).stderr("");
    let verified = text.replace(&sizes, &format!("{sizes}, each read and sound"));
    doctor(&env, &["--verify"]).code(0).stdout(&verified);
    assert!(prints(&env.home()) == before, "something was changed");
    crate::leftovers::none(&env);
}

#[test]
fn a_newcomer_is_told_what_to_do() {
    let env = empty();
    fs::remove_file(env.path("bin/codex")).expect("removes");
    let ran = doctor(&env, &["--quiet"]);
    ran.code(1).stderr("").stdout(
        "fail  codex         codex is not installed: there is no `codex` on PATH\n      hint: install Codex, or say where it is \
         with `codex-manager config set codex_command PATH`\n\
         warn  app-server    not asked: there is no Codex\n      hint: see `codex` above\n\
         warn  codex-home    `~/.codex` does not exist\n      hint: start Codex once, which makes it, or say where it is with \
         `--codex-home` or CODEX_HOME\n\
         warn  login         nobody is signed in\n      hint: sign in with `codex login`, or with a kept login by \
         `codex-manager use ACCOUNT`\n\
         warn  manager-home  `~/.codex-manager` is not there yet\n      hint: `codex-manager backup` makes it, as does \
         `codex-manager doctor --fix`\n",
    );
    assert!(!env.path(".codex-manager").exists() && !env.path(".codex").exists());
}

#[test]
fn json_has_the_contracts_keys() {
    let env = healthy();
    set_mode(&env, ".codex/auth.json", 0o644);
    let ran = doctor(&env, &["--json", "--quiet"]).code(1).stderr("");
    let answer = ran.json();
    has_keys(&answer, &["checks", "failed"], &[]);
    assert_eq!(answer["failed"], 1);
    let checks = answer["checks"].as_array().expect("a list");
    assert_eq!(checks.len(), 26);
    for check in checks {
        has_keys(check, &["name", "status", "finding", "hint"], &[]);
    }
    let status = |status: &str| {
        checks
            .iter()
            .filter(|check| check["status"] == status)
            .count()
    };
    assert_eq!((status("ok"), status("warn"), status("fail")), (25, 0, 1));
    assert_eq!(
        checks[2],
        json!({
            "name": "codex-home",
            "status": "fail",
            "finding": "`~/.codex/auth.json` is open to other users: whoever reads it is signed in",
            "hint": "`chmod 600 ~/.codex/auth.json`, or `codex-manager doctor --fix`",
        })
    );
    assert_eq!(checks[0]["hint"], Value::Null);
    let would = doctor(&env, &["--json", "--fix", "--dry-run"])
        .code(1)
        .json();
    assert_eq!(
        would["checks"][2]["would_fix"],
        "close `~/.codex/auth.json` to others"
    );
    let fixed = doctor(&env, &["--json", "--fix"]).code(0).json();
    assert_eq!(
        fixed["checks"][2],
        json!({
            "name": "codex-home",
            "status": "ok",
            "finding": "~/.codex",
            "hint": null,
            "fixed": ["`~/.codex/auth.json` was closed to others"],
        })
    );
}

#[test]
fn what_is_wrong_with_codex() {
    let env = healthy();
    // Another one further back, and a second name of the first.
    for dir in ["more", "again"] {
        fs::create_dir(env.path(dir)).expect("makes");
    }
    symlink(env.path("bin/codex"), env.path("again/codex")).expect("links");
    let mut path = command(&env, &[]);
    let dirs = ["bin", "again", "more"].map(|dir| env.path(dir).display().to_string());
    path.env("PATH", dirs.join(":"));
    finds_by(
        &env,
        &mut path,
        "codex",
        "ok    codex         0.169.0, ~/bin/codex\n",
    );
    fs::copy(env.path("bin/codex"), env.path("more/codex")).expect("copies");
    finds_by(
        &env,
        &mut path,
        "codex",
        "warn  codex         0.169.0, ~/bin/codex; PATH has another one: ~/more/codex\n      hint: remove the one that you do \
         not use, or say which is asked: `codex-manager config set codex_command PATH`\n",
    );
    let script = |text: &str| fs::write(env.path("bin/codex"), text).expect("writes");
    script("#!/bin/sh\n[ \"$*\" = --version ] && echo codex-cli 0.1.0 && exit\nexit 3\n");
    finds(
        &env,
        "app-server",
        "fail  app-server    codex's app-server ended with exit code 3 before it answered\n      hint: run `~/bin/codex \
         app-server` by hand to see why\n",
    );
    script(
        "#!/bin/sh\n[ \"$*\" = --version ] && echo codex-cli 0.1.0 && exit\necho \"error: unrecognized subcommand 'app-server'\" >&2\nexit 2\n",
    );
    let ran = doctor(&env, &[]).code(0);
    assert!(
        told(&ran, "app-server").starts_with("warn  app-server    "),
        "{}",
        ran.stdout
    );
    script("#!/usr/bin/env node\n");
    let node = "fail  codex         `~/bin/codex --version` finds no `node`, which it is run by\n      hint: install Node.js; or \
                where PATH is short, as under cron, name it too: `codex-manager config set codex_command \"$(command -v node) \
                $(command -v codex)\"`\n";
    assert_eq!(told(&doctor(&env, &[]).code(1), "codex"), node);
    script("#!/bin/sh\nexit 9\n");
    assert_eq!(
        told(&doctor(&env, &[]).code(1), "codex"),
        "fail  codex         `~/bin/codex --version` ended with exit code 9\n      hint: run it by hand to see why, or install \
         Codex anew\n"
    );
}

#[test]
fn what_is_wrong_with_the_codex_home() {
    let env = healthy();
    set_mode(&env, ".codex", 0o777);
    finds(
        &env,
        "codex-home",
        "warn  codex-home    others may write in `~/.codex`, and so exchange the login\n      hint: `chmod go-w ~/.codex`\n",
    );
    set_mode(&env, ".codex", 0o755);
    fs::hard_link(env.path(".codex/auth.json"), env.path("twin")).expect("links");
    finds(
        &env,
        "codex-home",
        "fail  codex-home    `~/.codex/auth.json` has 2 names (hard links): Codex does not write such a file, and loses the \
         login as soon as it renews it\n      hint: `cp -p ~/.codex/auth.json ~/.codex/auth.json.new && mv \
         ~/.codex/auth.json.new ~/.codex/auth.json`\n",
    );
    fs::remove_file(env.path("twin")).expect("removes");
    let mut temporary = command(&env, &[]);
    finds_by(
        &env,
        temporary.env("TMPDIR", env.path(".codex")),
        "codex-home",
        "warn  codex-home    `~/.codex` lies where temporary files do\n      hint: move it, and set CODEX_HOME: what is \
         temporary is removed, and Codex does not start its helpers there\n",
    );
    env.write("file", "x");
    let mut file = command(&env, &[]);
    let ran = ran(&env, file.env("CODEX_HOME", env.path("file"))).code(1);
    assert_eq!(
        told(&ran, "codex-home"),
        "fail  codex-home    `~/file` is no directory\n      hint: name a Codex home with `--codex-home` or CODEX_HOME\n"
    );
    let same = doctor(&env, &["--codex-home", "~/.codex-manager"]).code(1);
    assert!(
        told(&same, "codex-home")
            .starts_with("fail  codex-home    `~/.codex-manager` is the manager home too\n")
    );
}

#[test]
fn what_is_wrong_with_the_settings_of_codex() {
    let env = healthy();
    env.write(".codex/config.toml", "model = \"made-up\"\nx = [\n");
    let ran = doctor(&env, &[]).code(1);
    let text = told(&ran, "codex-config");
    assert!(
        text.starts_with("fail  codex-config  `~/.codex/config.toml` cannot be read: line ")
            && text.ends_with("      hint: mend that line: Codex does not start with it\n"),
        "{text}"
    );
    for (store, what) in [
        ("keyring", "in the system's keyring"),
        ("auto", "in the system's keyring where there is one"),
        ("ephemeral", "nowhere: it is gone when Codex ends"),
        (
            "cloud",
            "in a store that it does not know, and does not start",
        ),
    ] {
        let setting = format!("cli_auth_credentials_store = \"{store}\"");
        env.write(".codex/config.toml", &setting);
        finds(
            &env,
            "login-store",
            &format!(
                "fail  login-store   `~/.codex/config.toml` says `{setting}`: Codex keeps the login {what}\n      hint: set it to \
                 \"file\" there, and sign in again\n"
            ),
        );
    }
    env.write(
        ".codex/config.toml",
        "sqlite_home = \"~/gone\"\ncli_auth_credentials_store = \"file\"\n",
    );
    finds(
        &env,
        "codex-config",
        "warn  codex-config  Codex is to keep its databases in `~/gone`, which is not there\n      hint: mount it or make it; it \
         is named by `sqlite_home` in Codex's config.toml, or by CODEX_SQLITE_HOME\n",
    );
    fs::create_dir(env.path("gone")).expect("makes");
    finds(
        &env,
        "codex-config",
        "ok    codex-config  Codex keeps its databases in ~/gone\n",
    );
    env.write(".codex/config.toml", "");
    env.write(
        ".codex/work.config.toml",
        "cli_auth_credentials_store = \"keyring\"",
    );
    finds(
        &env,
        "login-store",
        "warn  login-store   `~/.codex/work.config.toml` says `cli_auth_credentials_store = \"keyring\"`: with it Codex has \
         another login\n      hint: set it to \"file\" there, and sign in again\n",
    );
}

#[test]
fn what_is_wrong_with_the_environment() {
    let env = healthy();
    for name in ["CODEX_ACCESS_TOKEN", "CODEX_API_KEY"] {
        finds_by(
            &env,
            command(&env, &[]).env(name, crate::common::SECRET),
            "environment",
            &format!(
                "warn  environment   {name} is set: a Codex that is started here signs in by it, whoever is in auth.json\n      \
                 hint: `unset {name}`, and take it out of your shell's start file\n"
            ),
        );
    }
    finds_by(
        &env,
        command(&env, &[])
            .env("CODEX_MANAGER_HOME", env.path(".codex-manager"))
            .env("CODEXMGR_HOME", env.path("other")),
        "environment",
        "warn  environment   CODEX_MANAGER_HOME and CODEXMGR_HOME name two places: the first one counts\n      hint: `unset \
         CODEXMGR_HOME`, which is the older name\n",
    );
    env.run(&["config", "set", "codex_home", "~/.codex-work"])
        .code(0);
    let mut two = command(&env, &[]);
    finds_by(
        &env,
        two.env("CODEX_HOME", env.path(".codex")),
        "environment",
        "warn  environment   CODEX_HOME beats the setting `codex_home`, which is `~/.codex-work`\n      hint: unset the one that \
         you do not mean: `unset CODEX_HOME`, or `codex-manager config unset codex_home`\n",
    );
    let ran = ran(&env, &mut two).code(0);
    assert_eq!(
        told(&ran, "codex-home"),
        "ok    codex-home    ~/.codex, as CODEX_HOME says\n"
    );
}

#[test]
fn what_is_wrong_with_the_login() {
    let env = healthy();
    let login = |text: &str| {
        env.write(".codex/auth.json", text);
        private(&env, ".codex/auth.json");
    };
    let told_of = |text: &str, code: i32| {
        login(text);
        told(&doctor(&env, &[]).code(code), "login")
    };
    assert_eq!(
        told_of("{}", 1),
        "fail  login         cannot tell whose login `~/.codex/auth.json` is: it holds no login\n      hint: sign in with Codex, or \
         restore a snapshot\n"
    );
    let key = format!(
        "{{\"auth_mode\":\"apikey\",\"OPENAI_API_KEY\":\"{}\"}}",
        crate::common::SECRET
    );
    let text = told_of(&key, 0);
    assert!(
        text.starts_with("ok    login         ")
            && text.ends_with(", an API key, which has no weekly window\n"),
        "{text}"
    );
    let alice = Person::named("alice");
    let old = Person {
        last_refresh: "2026-01-10T12:00:00Z".to_owned(),
        ..alice.clone()
    };
    assert_eq!(
        told_of(&old.auth_json(), 0),
        "warn  login         alice@example.com (plus), renewed 2026-01-10 17:30; it may no longer sign in\n      hint: \
         `codex-manager status` asks Codex with it\n"
    );
    let mut dead: Value = serde_json::from_str(&alice.auth_json()).expect("JSON");
    dead["tokens"]["refresh_token"] = json!("");
    assert_eq!(
        told_of(&dead.to_string(), 1),
        "fail  login         alice@example.com (plus), renewed 2026-04-14 17:55; there is nothing to renew it with\n      hint: \
         sign in again with `codex login`\n"
    );
    fs::remove_file(env.path(".codex/auth.json")).expect("removes");
    finds(
        &env,
        "login",
        "warn  login         nobody is signed in\n      hint: sign in with `codex login`, or with a kept login by `codex-manager \
         use ACCOUNT`\n",
    );
}

#[test]
fn what_is_wrong_with_profiles() {
    let env = healthy();
    let keep = |name: &str, toml: &str, login: &str| {
        for (file, text) in [("profile.toml", toml), ("auth.json", login)] {
            env.write(&format!(".codex-manager/profiles/{name}/{file}"), text);
            private(&env, &format!(".codex-manager/profiles/{name}/{file}"));
        }
        set_mode(&env, &format!(".codex-manager/profiles/{name}"), 0o700);
    };
    let gone = |name: &str| {
        fs::remove_dir_all(env.path(&format!(".codex-manager/profiles/{name}"))).expect("removes");
    };
    let bob = Person::named("bob");
    keep("bob", "emial = \"x\"\n", &bob.auth_json());
    let ran = doctor(&env, &[]).code(1);
    let text = told(&ran, "profiles");
    assert!(
        text.starts_with(
            "fail  profiles      the profile `~/.codex-manager/profiles/bob/profile.toml` cannot be read: unknown field `emial`"
        ) && text.ends_with("\n      hint: mend it, or move it away and sign in anew: `codex-manager profile login bob`\n"),
        "{text}"
    );
    let old = Person {
        last_refresh: "2026-01-10T12:00:00Z".to_owned(),
        ..bob.clone()
    };
    keep("bob", "", &old.auth_json());
    finds(
        &env,
        "profiles",
        "warn  profiles      the login of bob@example.com in `bob` was renewed 2026-01-10 last: it may no longer sign in\n      \
         hint: `codex-manager cooldown --live --all` asks with each\n",
    );
    let mut dead: Value = serde_json::from_str(&bob.auth_json()).expect("JSON");
    dead["tokens"]["refresh_token"] = Value::Null;
    keep("bob", "", &dead.to_string());
    finds(
        &env,
        "profiles",
        "warn  profiles      the login of bob@example.com in `bob` has ended, and there is nothing to renew it with\n      hint: \
         sign in anew: `codex-manager profile login bob`\n",
    );
    gone("bob");
    let alice = Person::named("alice");
    keep("zed", "", &alice.auth_json());
    finds(
        &env,
        "profiles",
        "warn  profiles      `alice` and `zed` are both of alice@example.com\n      hint: remove the one that you do not use: \
         `codex-manager profile remove zed`\n",
    );
    gone("zed");
    // The very login in another home, which is the usual one.
    env.write(".codex-work/auth.json", &alice.auth_json());
    private(&env, ".codex-work/auth.json");
    let mut work = command(&env, &["--codex-home", "~/.codex-work"]);
    finds_by(
        &env,
        &mut work,
        "profiles",
        "warn  profiles      the very login of alice@example.com is in `~/.codex` too: as soon as Codex renews it in one of them, the \
         other's no longer signs in\n      hint: sign somebody else in to one of them\n",
    );
}

#[test]
fn where_accounts_were_used_and_what_they_are_called() {
    let env = healthy();
    let toml = ".codex-manager/profiles/alice/profile.toml";
    let elsewhere = "last_used_on = \"tower\"\nlast_used_machine = \"00112233aabbccdd\"\nlast_used_at = \"2026-04-18T12:00:00Z\"\n";
    let here = env.read(toml);
    let (named, _) = here.split_once("last_used_on").expect("noted");
    env.write(toml, &format!("{named}{elsewhere}"));
    finds(
        &env,
        "machines",
        "warn  machines      alice@example.com was used on `tower` last, 2026-04-18 17:30, and is signed in here\n      hint: a login \
         works on one machine at a time: where it no longer signs in here, run `codex-manager sync pull`, or sign in again\n",
    );
    env.write(toml, &here);
    env.write(
        ".codex-manager/profiles/team/profile.toml",
        &format!("email = \"alice@example.com\"\nuser_id = \"user-alice\"\naccount_id = \"ws-team\"\n{elsewhere}"),
    );
    set_mode(&env, ".codex-manager/profiles/team", 0o700);
    private(&env, ".codex-manager/profiles/team/profile.toml");
    let ran = doctor(&env, &[]).code(0);
    assert_eq!(
        told(&ran, "machines"),
        "ok    machines      alice@example.com was used on `tower` last, 2026-04-18 17:30\n"
    );
    assert_eq!(
        told(&ran, "accounts"),
        "ok    accounts      2 accounts known; 2 are called alice@example.com, so say a profile or an alias\n"
    );
}

#[test]
fn what_is_wrong_with_the_manager_home() {
    let env = healthy();
    let inside = env.path(".codex/manager");
    let mut command = command(&env, &[]);
    fs::create_dir(&inside).expect("makes");
    set_mode(&env, ".codex/manager", 0o700);
    let ran = ran(&env, command.env("CODEX_MANAGER_HOME", &inside)).code(0);
    assert_eq!(
        told(&ran, "manager-home"),
        "warn  manager-home  `~/.codex/manager` lies in the Codex home\n      hint: move it out: what removes the Codex home \
         removes its snapshots too\n"
    );
    env.write("file", "x");
    let ran = doctor(&env, &["--manager-home", "~/file"]).code(1);
    assert_eq!(
        told(&ran, "manager-home"),
        "fail  manager-home  `~/file` is no directory\n      hint: move it away, or name another place with `--manager-home` or \
         CODEX_MANAGER_HOME\n"
    );
    fs::create_dir(env.path(".codexmgr")).expect("makes");
    finds(
        &env,
        "older-home",
        "warn  older-home    `~/.codexmgr` is there too, and is not used: `~/.codex-manager` is\n      hint: see what is in it with \
         `codex-manager --manager-home ~/.codexmgr list-backups`; then move it away\n",
    );
    // The home of this run is no home of that command.
    let ran = doctor(&env, &["--manager-home", "~/.codex-manager"]).code(0);
    assert!(
        told(&ran, "older-home")
            .contains("`codex-manager --manager-home ~/.codexmgr list-backups`"),
        "{}",
        ran.stdout
    );
    fs::remove_dir(env.path(".codexmgr")).expect("removes");
    fs::rename(env.path(".codex-manager"), env.path(".codexmgr")).expect("moves");
    finds(
        &env,
        "older-home",
        "ok    older-home    it is the one that is used\n",
    );
}

#[test]
fn broken_settings_are_told_line_by_line_and_the_rest_goes_on() {
    let env = healthy();
    env.write(
        ".codex-manager/config.toml",
        "# mine\ntimezon = \"UTC\"\n[backup]\nlevel = 99\ndir = \"~/disk\"\n",
    );
    private(&env, ".codex-manager/config.toml");
    // What is sound of it counts.
    fs::rename(env.path(BACKUPS), env.path("disk")).expect("moves");
    finds(
        &env,
        "config",
        "fail  config        `~/.codex-manager/config.toml`, line 2: there is no setting `timezon`\n      hint: did you mean \
         `timezone`?\n\
         fail  config        `~/.codex-manager/config.toml`, line 4: `backup.level` takes a whole number from 1 to 12\n      hint: \
         it is for: how hard to compress: 1 is fastest, 12 smallest\n",
    );
    env.write(".codex-manager/config.toml", "[backup]\ndir = \"~/disk\"\n");
    fs::rename(env.path("disk"), env.path(BACKUPS)).expect("moves");
    let ran = doctor(&env, &[]).code(0);
    assert_eq!(
        told(&ran, "config"),
        "warn  config        `backup.dir` is `~/disk`, which is not there\n      hint: mount it or make it, or change it: \
         `codex-manager config set backup.dir PATH`\n"
    );
    env.write(".codex-manager/config.toml", "a = [\n");
    let text = told(&doctor(&env, &[]).code(1), "config");
    assert!(
        text.starts_with("fail  config        `~/.codex-manager/config.toml`, line "),
        "{text}"
    );
    // No other command goes on.
    json_error(&env.run(&["cooldown", "--json"]).code(1));
}

#[test]
fn what_is_wrong_with_zone_and_clock() {
    let env = healthy();
    let zone = |tz: Option<&str>| {
        let mut command = command(&env, &[]);
        match tz {
            Some(tz) => command.env("TZ", tz),
            None => command.env_remove("TZ"),
        };
        told(&ran(&env, &mut command).code(0), "time-zone")
    };
    assert_eq!(
        zone(Some("Mars/Base")),
        "warn  time-zone     TZ is `Mars/Base`, which is no time zone: times are in UTC\n      hint: set it \
         to an IANA name such as `Europe/Berlin`, or unset it\n"
    );
    assert_eq!(
        zone(Some("CET-1CEST,M3.5.0,M10.5.0/3")),
        "ok    time-zone     the rule `CET-1CEST,M3.5.0,M10.5.0/3`, TZ\n"
    );
    assert_eq!(
        told(
            &doctor(&env, &["--timezone", "Europe/Berlin"]).code(0),
            "time-zone"
        ),
        "ok    time-zone     Europe/Berlin, flag\n"
    );
    let clock = |now: &str, code: i32| {
        let mut command = env.command(&["doctor"]);
        command
            .env("CODEX_MANAGER_NOW", now)
            .env("PATH", env.path("bin"));
        let ran = ran(&env, &mut command);
        let text = told(&ran, "clock");
        ran.code(code);
        text
    };
    assert_eq!(
        clock(NOW, 0),
        "warn  clock         CODEX_MANAGER_NOW is set: every answer is as of 2026-04-19T15:30:00+05:30\n      hint: `unset \
         CODEX_MANAGER_NOW`\n"
    );
    let text = clock("yesterday", 1);
    assert!(
        text.starts_with(
            "fail  clock         the environment variable CODEX_MANAGER_NOW is unusable: "
        ) && text.ends_with("      hint: set it to an RFC 3339 time, or unset it\n"),
        "{text}"
    );
    let mut command = command(&env, &[]);
    command.env("CODEX_MANAGER_PROGRESS_SECONDS", "often");
    assert_eq!(
        told(&ran(&env, &mut command).code(1), "environment"),
        "fail  environment   the environment variable CODEX_MANAGER_PROGRESS_SECONDS is unusable: `often` is no number of \
         seconds\n      hint: set it to such as 10, or to 0 for nothing to be told, or unset it\n"
    );
    // By a clock that was ahead.
    let sidecar = format!("{BACKUPS}/{BASE}.metadata.json");
    let mut told_of: Value = serde_json::from_str(&env.read(&sidecar)).expect("JSON");
    told_of["created_at"] = json!("2999-01-01T00:00:00Z");
    env.write(&sidecar, &told_of.to_string());
    finds(
        &env,
        "clock",
        &format!(
            "warn  clock         the snapshot {BASE}.tar.gz is of 2999-01-01T00:00:00+00:00, which is still to come\n      hint: see \
             that the system's clock is right; what a wrong clock noted is passed over as soon as there is newer evidence\n"
        ),
    );
}

#[test]
fn what_is_wrong_with_snapshots() {
    let env = healthy();
    let archive = format!("{BACKUPS}/{BASE}.tar.gz");
    let sidecar = format!("{BACKUPS}/{BASE}.metadata.json");
    let whole = fs::read(env.path(&archive)).expect("reads");
    let mut damaged = whole.clone();
    let place = damaged.len() / 2;
    damaged[place] ^= 1;
    fs::write(env.path(&archive), &damaged).expect("writes");
    // Of the same length: only reading tells.
    let unread = told(&doctor(&env, &[]), "snapshots");
    assert!(unread.starts_with("ok    snapshots     1, "), "{unread}");
    finds(&env, "snapshots", &unread);
    let ran = doctor(&env, &["--verify"]).code(1);
    assert!(
        told(&ran, "snapshots").starts_with(&format!("fail  snapshots     `~/{archive}` ")),
        "{}",
        ran.stdout
    );
    fs::write(env.path(&archive), &whole[..place]).expect("writes");
    finds(
        &env,
        "snapshots",
        &format!(
            "fail  snapshots     `~/{archive}` has not the length that its sidecar tells: damaged\n      hint: take it from another \
             machine or the remote, `codex-manager sync pull`, or make a new one\n"
        ),
    );
    fs::write(env.path(&archive), &whole).expect("writes");
    let told_by = env.read(&sidecar);
    env.write(&sidecar, "{");
    let ran = doctor(&env, &[]).code(1);
    let text = told(&ran, "snapshots");
    assert!(
        text.starts_with(&format!(
            "fail  snapshots     the sidecar `~/{sidecar}` cannot be read: "
        )),
        "{text}"
    );
    env.write(&sidecar, &told_by);
    let renamed = BASE.replace("155500", "155501");
    for end in ["tar.gz", "metadata.json"] {
        fs::rename(
            env.path(&format!("{BACKUPS}/{BASE}.{end}")),
            env.path(&format!("{BACKUPS}/{renamed}.{end}")),
        )
        .expect("moves");
    }
    finds(
        &env,
        "snapshots",
        &format!(
            "warn  snapshots     `~/{BACKUPS}/{renamed}.tar.gz` is called otherwise in its sidecar\n      hint: give archive and \
             sidecar their name back\n"
        ),
    );
    fs::remove_file(env.path(&format!("{BACKUPS}/{renamed}.metadata.json"))).expect("removes");
    finds(
        &env,
        "snapshots",
        &format!(
            "warn  snapshots     no sidecar is beside `~/{BACKUPS}/{renamed}.tar.gz`: unfinished or foreign\n      hint: \
             `codex-manager list-backups --verify` says whether it is sound; it is restored by its path\n"
        ),
    );
}

#[test]
fn a_snapshot_of_an_earlier_window_is_told() {
    let mut env = healthy();
    let alice = Person::named("alice");
    env.write("status.txt", &alice.panel(90, "15:55 on 28 Apr"));
    env.set_now("2026-04-22T10:00:00+05:30");
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
    let dir = env.path(BACKUPS);
    for entry in fs::read_dir(&dir).expect("lists").flatten() {
        if !entry.file_name().to_string_lossy().starts_with(BASE) && entry.path().is_file() {
            fs::remove_file(entry.path()).expect("removes");
        }
    }
    let mut command = env.command(&["doctor", "--now", "2026-04-22T12:00:00+05:30"]);
    command
        .env_remove("CODEX_MANAGER_NOW")
        .env("PATH", env.path("bin"));
    finds_by(
        &env,
        &mut command,
        "snapshots",
        "warn  snapshots     the newest of alice@example.com is of 2026-04-19 10:00, before the window that began 2026-04-21 \
         15:55\n      hint: `codex-manager backup`\n",
    );
}

#[test]
fn what_is_wrong_with_key_and_remote() {
    let env = healthy();
    env.run(&["config", "set", "sync.remote", "~/far"]).code(0);
    let key = "there is no key to the remote: `~/.codex-manager/identity.txt` does not exist";
    finds(
        &env,
        "encryption",
        &format!(
            "fail  encryption    {key}\n      hint: make one with `codex-manager sync init`, or copy the identity file of the first \
             machine to `~/.codex-manager/identity.txt`\n"
        ),
    );
    let ran = doctor(&env, &[]).code(1);
    let remote = told(&ran, "remote");
    assert!(
        remote.starts_with("ok    remote        ")
            && remote.ends_with("/far, not asked; `--live` does\n"),
        "{remote}"
    );
    env.run(&["sync", "init", "--remote", "~/far"]).code(0);
    finds(
        &env,
        "encryption",
        "ok    encryption    ~/.codex-manager/identity.txt\n",
    );
    let live = doctor(&env, &["--live"]);
    let remote = told(&live, "remote");
    assert!(
        remote.starts_with("ok    remote        ") && remote.ends_with("/far, reached\n"),
        "{remote}"
    );
    set_mode(&env, ".codex-manager/identity.txt", 0o644);
    let ran = doctor(&env, &[]).code(1);
    assert_eq!(
        told(&ran, "encryption"),
        "fail  encryption    `~/.codex-manager/identity.txt` is open to other users: the key that opens what is on the remote must be \
         yours alone\n      hint: close it: `chmod 600 ~/.codex-manager/identity.txt`\n"
    );
    let ran = doctor(&env, &["--fix"]).code(0);
    assert_eq!(
        told(&ran, "encryption"),
        "ok    encryption    ~/.codex-manager/identity.txt\n"
    );
    env.run(&["config", "set", "sync.encrypt", "false"]).code(0);
    finds(
        &env,
        "encryption",
        "warn  encryption    there is a key, and `sync.encrypt` is false: what goes to the remote can be read there\n      hint: \
         `codex-manager config unset sync.encrypt`\n",
    );
    env.run(&["config", "unset", "sync.encrypt"]).code(0);
    // A place where nothing of ours is, one that is no place, and one whose key is another's.
    env.run(&["config", "set", "sync.remote", "~/empty"])
        .code(0);
    fs::create_dir(env.path("empty")).expect("makes");
    let text = told(&doctor(&env, &["--live"]), "remote");
    assert!(
        text.contains("/empty was reached, and nothing of ours is there yet\n      hint: `codex-manager sync init`, then"),
        "{text}"
    );
    assert_eq!(env.files("empty"), [""; 0]);
    env.run(&["config", "set", "sync.remote", "~/.codex/far"])
        .code(0);
    let text = told(&doctor(&env, &[]).code(1), "remote");
    assert!(text.starts_with("fail  remote        "), "{text}");
    env.run(&["config", "set", "sync.remote", "~/far"]).code(0);
    fs::remove_file(env.path(".codex-manager/identity.txt")).expect("removes");
    env.run(&["sync", "init", "--remote", "~/elsewhere"])
        .code(0);
    env.run(&["config", "set", "sync.remote", "~/far"]).code(0);
    let text = told(&doctor(&env, &["--live"]).code(1), "remote");
    assert!(
        text.starts_with("fail  remote        what is on ")
            && text.contains("is encrypted to another key"),
        "{text}"
    );
}

#[test]
fn the_spec_tells_of_every_check() {
    let env = empty();
    let answer = doctor(&env, &["--json"]).json();
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("CODEX_MANAGER_SPEC.md");
    let spec = fs::read_to_string(spec).expect("reads");
    let (_, spec) = spec.split_once("\n## Doctor\n").expect("a section");
    let (spec, _) = spec.split_once("\n## ").expect("more");
    let rows = spec.lines().filter_map(|line| line.strip_prefix("| `"));
    let told: Vec<&str> = rows
        .filter_map(|row| Some(row.split_once('`')?.0))
        .collect();
    let checks = answer["checks"].as_array().expect("a list").iter();
    let made: Vec<&str> = checks.filter_map(|check| check["name"].as_str()).collect();
    assert_eq!(told, made);
}

#[test]
fn codex_is_run_alone() {
    let env = healthy();
    let codex = env.read("bin/codex");
    let note = "echo \"$HTTPS_PROXY $https_proxy $ALL_PROXY|$NO_PROXY|$CODEX_API_KEY\" >> \"$HOME/asked\"\n\
                case $CODEX_HOME in \"$HOME\"/.codex*) echo theirs >> \"$HOME/asked\";; esac\n\
                [ -e \"$CODEX_HOME/auth.json\" ] && echo a login >> \"$HOME/asked\"\n";
    env.write("bin/codex", &codex.replacen('\n', &format!("\n{note}"), 1));
    let mut command = command(&env, &[]);
    command
        .env("HTTPS_PROXY", "http://proxy.example.com")
        .env("NO_PROXY", "example.com")
        .env("CODEX_API_KEY", crate::common::SECRET);
    ran(&env, &mut command).code(0);
    let nowhere = "http://127.0.0.1:9";
    let alone = format!("{nowhere} {nowhere} {nowhere}||\n");
    assert_eq!(env.read("asked"), alone.repeat(2));
}

#[test]
fn what_may_not_be_written_is_told() {
    let may_not = "may not be read and written";
    for (below, name, why) in [
        (BACKUPS, "snapshots", "nothing may be written in"),
        (".codex", "codex-home", may_not),
        (".codex-manager", "manager-home", may_not),
    ] {
        let env = healthy();
        set_mode(&env, below, 0o500);
        let told = if why == may_not {
            format!("`~/{below}` {why}")
        } else {
            format!("{why} `~/{below}`")
        };
        let mut command = command(&env, &[]);
        run_as_nobody(&env, &mut command);
        let text = format!(
            "fail  {name:<12}  {told}\n      hint: see who may use it: `ls -ld ~/{below}`\n"
        );
        finds_by(&env, &mut command, name, &text);
        set_mode(&env, below, 0o700);
    }
}

#[test]
fn what_nobody_can_write_is_told() {
    let env = healthy();
    env.write(".codex-manager/tmp", "x");
    private(&env, ".codex-manager/tmp");
    finds(
        &env,
        "manager-home",
        "fail  manager-home  `~/.codex-manager/tmp` is no directory: Codex cannot be asked with a kept login\n      hint: see what \
         it is, and move it away: `ls -ld ~/.codex-manager/tmp`\n",
    );
    fs::remove_file(env.path(".codex-manager/tmp")).expect("removes");
    // Whoever lost its id is not another one.
    let id = ".codex-manager/machine-id";
    env.write(id, "odd");
    private(&env, id);
    let profile = env.path(".codex-manager/profiles/alice/profile.toml");
    let text = fs::read_to_string(&profile).expect("reads");
    let text = text.lines().filter(|line| !line.starts_with("last_used_"));
    let text = text.collect::<Vec<_>>().join("\n");
    let host = crate::common::hostname();
    let used = format!(
        "{text}\nlast_used_on = \"{host}\"\nlast_used_machine = \"00112233aabbccdd\"\nlast_used_at = \"2026-04-18T12:00:00Z\"\n"
    );
    fs::write(&profile, used).expect("writes");
    finds(
        &env,
        "machines",
        "ok    machines      no account was used elsewhere last\n",
    );
    fs::remove_file(env.path(id)).expect("removes");
    fs::create_dir(env.path(id)).expect("makes");
    finds(
        &env,
        "machines",
        "fail  machines      cannot read `~/.codex-manager/machine-id`: is a directory\n      hint: name a file, not a \
         directory\n",
    );
    let mut null = command(&env, &[]);
    let ran = ran(&env, null.env("CODEX_MANAGER_HOME", "/dev/null/x")).code(1);
    assert_eq!(
        told(&ran, "manager-home"),
        "fail  manager-home  `/dev/null/x` cannot be made: `/dev/null` is no directory\n      hint: name another place with \
         `--manager-home` or CODEX_MANAGER_HOME\n"
    );
}

#[test]
fn a_login_that_is_a_link_or_no_file_is_told_as_such() {
    let env = healthy();
    let auth = ".codex/auth.json";
    fs::rename(env.path(auth), env.path("login.json")).expect("moves");
    symlink(env.path("login.json"), env.path(auth)).expect("links");
    set_mode(&env, "login.json", 0o644);
    finds(
        &env,
        "codex-home",
        "fail  codex-home    `~/.codex/auth.json` is open to other users: whoever reads it is signed in\n      hint: `chmod 600 \
         ~/.codex/auth.json`\n",
    );
    fs::remove_file(env.path(auth)).expect("removes");
    fs::create_dir(env.path(auth)).expect("makes");
    let ran = doctor(&env, &[]).code(1);
    assert_eq!(told(&ran, "codex-home"), "ok    codex-home    ~/.codex\n");
    assert!(told(&ran, "login").starts_with("fail  login         "));
}

#[test]
fn a_zone_may_be_named_by_its_file() {
    let env = healthy();
    for tz in [
        "posix/Europe/Berlin",
        ":/usr/share/zoneinfo/posix/Europe/Berlin",
    ] {
        let mut command = command(&env, &[]);
        finds_by(
            &env,
            command.env("TZ", tz),
            "time-zone",
            "ok    time-zone     Europe/Berlin, TZ\n",
        );
    }
}

#[test]
fn a_path_with_blanks_can_be_typed() {
    let env = healthy();
    fs::rename(env.path(".codex"), env.path("my codex")).expect("moves");
    set_mode(&env, "my codex/auth.json", 0o644);
    let ran = doctor(&env, &["--codex-home", "~/my codex"]).code(1);
    assert_eq!(
        told(&ran, "codex-home"),
        "fail  codex-home    `~/my codex/auth.json` is open to other users: whoever reads it is signed in\n      hint: `chmod 600 \
         ~/'my codex/auth.json'`, or `codex-manager --codex-home '~/my codex' doctor --fix`\n"
    );
}

//! `doctor` beside the real Codex: what it says of it, that nobody is asked unless that is said, and what it says of Codex's
//! ways that only Codex can confirm.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::chatgpt::Login;
use crate::common::Ran;
use crate::live::{World, with, with_codex};
use crate::loopback::test_name;
use crate::real_codex::{Codex, NEWEST, OLDEST};

/// What is found under that name: status and finding.
fn found(ran: &Ran, name: &str) -> (String, String) {
    let answer = ran.json();
    let checks = answer["checks"].as_array().expect("a list");
    let check = checks
        .iter()
        .find(|check| check["name"] == name)
        .expect("checked");
    let text = |key: &str| check[key].as_str().expect("a text").to_owned();
    (text("status"), text("finding"))
}

fn private(world: &World) {
    let path = world.env.path(".codex/auth.json");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("sets");
}

fn ok(finding: &str) -> (String, String) {
    ("ok".to_owned(), finding.to_owned())
}

#[test]
fn the_real_codex_is_found_and_asks_nobody() {
    with(test_name!(), NEWEST, |world| {
        private(world);
        let files = world.env.files(".codex");
        let ran = world.run(&["doctor", "--json"]).stderr("");
        let (status, said) = found(&ran, "codex");
        assert_eq!(status, "ok");
        assert!(said.starts_with("0.169.0, "), "{said}");
        assert_eq!(found(&ran, "app-server"), ok("answers, 0.169.0"));
        assert_eq!(found(&ran, "service"), ok("not asked; `--live` does"));
        assert!(world.chatgpt.log().is_empty(), "somebody was asked");
        assert_eq!(world.chatgpt.externals(), [""; 0]);
        assert_eq!(world.env.files(".codex"), files);
    });
}

#[test]
fn npms_launcher_and_an_old_codex() {
    with_codex(test_name!(), OLDEST, Codex::launcher_path, |world| {
        let ran = world.run(&["doctor", "--json"]).stderr("");
        assert!(found(&ran, "codex").1.starts_with("0.53.0, "));
        assert_eq!(found(&ran, "app-server"), ok("answers, 0.53.0"));
        assert!(world.chatgpt.log().is_empty(), "somebody was asked");
    });
}

#[test]
fn live_asks_about_whoever_is_signed_in() {
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        let ran = world.run(&["doctor", "--live", "--json"]).stderr("");
        assert_eq!(
            found(&ran, "service"),
            ok("knows alice@example.com, 66% of its window left")
        );
    });
}

/// A login that Codex renews meanwhile is kept; one that is dead is told.
#[test]
fn live_keeps_a_login_that_was_renewed_and_tells_one_that_is_dead() {
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        world
            .chatgpt
            .sign_in(&world.env, &world.alice, Login::Expired);
        let before = world.login();
        let ran = world.run_renewing(&["doctor", "--live", "--json"]);
        assert_eq!(found(&ran, "service").0, "ok");
        assert!(world.login() != before, "it was not renewed");
        assert_eq!(
            world.login(),
            Some(world.env.read(".codex-manager/profiles/alice/auth.json"))
        );
        world.chatgpt.sign_in(&world.env, &world.alice, Login::Dead);
        let ran = world.run(&["doctor", "--live", "--json"]).code(1);
        assert_eq!(found(&ran, "service").0, "fail");
    });
}

/// What is told of a login with two names: Codex has the service renew it, and does not write it down.
#[test]
fn codex_loses_a_login_of_two_names() {
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        world
            .chatgpt
            .sign_in(&world.env, &world.alice, Login::Expired);
        private(world);
        let auth = world.env.path(".codex/auth.json");
        fs::hard_link(&auth, world.env.path("twin")).expect("links");
        let before = world.login();
        let ran = world.run(&["doctor", "--json"]).code(1);
        let (status, said) = found(&ran, "codex-home");
        assert_eq!(status, "fail");
        assert!(said.contains("has 2 names (hard links)"), "{said}");
        world.run(&["status"]);
        assert!(world.login() == before);
        // It works once: who would use it again is refused, whatever names the file has.
        fs::remove_file(world.env.path("twin")).expect("removes");
        world.run(&["status"]).code(14);
    });
}

/// What is told of stores other than the file: Codex does not look into auth.json.
#[test]
fn codex_has_no_login_where_it_keeps_it_elsewhere() {
    with(test_name!(), NEWEST, |world| {
        let settings = world.env.read(".codex/config.toml");
        for (store, judged) in [
            ("file", "ok"),
            ("ephemeral", "fail"),
            ("keyring", "fail"),
            ("cloud", "fail"),
        ] {
            let other = settings.replace("\"file\"", &format!("\"{store}\""));
            world.env.write(".codex/config.toml", &other);
            let ran = world.run(&["doctor", "--json"]);
            assert_eq!(found(&ran, "login-store").0, judged);
            let ours = world.command(&["doctor"]);
            let mut status = Command::new("codex");
            status.args(["login", "status"]).env_clear();
            for (name, value) in ours.get_envs() {
                if let Some(value) = value {
                    status.env(name, value);
                }
            }
            let said = status.output().expect("runs");
            let said = String::from_utf8_lossy(&said.stderr).into_owned();
            let is_signed_in = said.contains("Logged in using ChatGPT");
            assert_eq!(is_signed_in, store == "file", "{store}: {said}");
        }
    });
}

#[test]
fn live_asks_nobody_about_a_key() {
    with(test_name!(), NEWEST, |world| {
        world.chatgpt.sign_in_with_key(&world.env);
        let ran = world.run(&["doctor", "--live", "--json"]);
        assert_eq!(
            found(&ran, "service"),
            ok("not asked: a key has no window to ask about")
        );
        assert!(world.chatgpt.log().is_empty(), "somebody was asked");
    });
}

/// What is set for the whole machine: what it demands beats the home's own settings, what it suggests does not.
#[cfg(target_os = "linux")]
#[test]
fn settings_of_the_whole_machine_are_judged_as_codex_does() {
    /// With an `/etc` that nobody else sees, with this one file in it.
    const ALONE: &str = "mount -t tmpfs tmpfs /etc && mkdir /etc/codex && printf '%s' \"$1\" > \"/etc/codex/$0\" && shift && \
                         exec \"$@\"";
    let unshared = || {
        let mut command = Command::new("unshare");
        command.args(["-r", "-m", "sh", "-c", ALONE]);
        command
    };
    let works = unshared().args(["config.toml", "", "true"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        eprintln!("not asked: no `/etc` can be mounted here");
        return;
    }
    with(test_name!(), NEWEST, |world| {
        let settings = world.env.read(".codex/config.toml");
        let store = |store: &str| format!("cli_auth_credentials_store = \"{store}\"\n");
        let none = settings.replace(&store("file"), "");
        for (file, of_machine, home, is_file) in [
            ("requirements.toml", "ephemeral", &settings, false),
            ("managed_config.toml", "ephemeral", &settings, false),
            ("config.toml", "ephemeral", &settings, true),
            ("config.toml", "ephemeral", &none, false),
            (
                "managed_config.toml",
                "file",
                &settings.replace("\"file\"", "\"ephemeral\""),
                true,
            ),
        ] {
            world.env.write(".codex/config.toml", home);
            let ask = |program: &str, args: &[&str]| {
                let mut command = unshared();
                command.args([file, &store(of_machine), program]).args(args);
                command.env_clear().current_dir(world.env.home());
                for (name, value) in world.command(&["doctor"]).get_envs() {
                    if let Some(value) = value {
                        command.env(name, value);
                    }
                }
                // The tools that set it up.
                let path = world.command(&["doctor"]);
                let path = path.get_envs().find(|(name, _)| *name == "PATH");
                let path = path.and_then(|(_, value)| value).expect("set");
                let path = format!("{}:/usr/bin:/bin", path.display());
                let output = command.env("PATH", path).output().expect("runs");
                [output.stdout, output.stderr]
                    .map(|said| String::from_utf8_lossy(&said).into_owned())
            };
            let codex = ask("codex", &["login", "status"]).concat();
            assert_eq!(
                codex.contains("Logged in using ChatGPT"),
                is_file,
                "{file}: {codex}"
            );
            let program = world.command(&[]).get_program().to_owned();
            let program = program.to_str().expect("a path");
            let [told, _] = ask(program, &["doctor"]);
            let line = told.lines().find(|line| line.contains("  login-store  "));
            let line = line.expect("checked");
            let expected = if is_file { "ok " } else { "fail " };
            assert!(line.starts_with(expected), "{file}: {line}");
            let [_, told] = ask(program, &["use", "alice@example.com"]);
            let refused = told
                .contains("says `cli_auth_credentials_store = \"ephemeral\"`; nothing was changed");
            assert_eq!(refused, !is_file, "{file}: {told}");
        }
    });
}

//! Which machine an account was used on last: noted where it is seen to be signed in, told where it is used elsewhere.

use serde_json::json;

use crate::common::{Env, NOW, Person, hostname};

const PROFILES: &str = ".codex-manager/profiles";

fn world() -> (Env, Person, Person) {
    let env = Env::new();
    let (alice, bob) = (Person::named("alice"), Person::named("bob"));
    env.codex_home(&alice);
    for person in [&alice, &bob] {
        env.write(".codex/auth.json", &person.auth_json());
        env.write("status.txt", &person.panel(66, "15:55 on 21 Apr"));
        env.run(&["backup", "--status-file", "status.txt"])
            .code(0)
            .stderr("");
    }
    (env, alice, bob)
}

/// Has the profile say that it was used on another machine.
fn used_elsewhere(env: &Env, name: &str) {
    let path = format!("{PROFILES}/{name}/profile.toml");
    let here = env.used_here(NOW);
    let there = "last_used_on = \"laptop\"\nlast_used_machine = \"00112233aabbccdd\"\nlast_used_at = \"2026-04-18T09:05:00Z\"\n";
    let text = env.read(&path);
    assert!(text.contains(&here), "{text}");
    env.write(&path, &text.replace(&here, there));
}

const WARNING: &str = "warning: alice@example.com was used on `laptop` last, on 2026-04-18 14:35: as soon as Codex renews the \
                       login here, the one there no longer signs in\n";

#[test]
fn who_uses_an_account_of_another_machine_is_warned_once() {
    for args in [
        &["use", "alice"][..],
        &["recommend", "--use"],
        &["restore", "alice@example.com", "--yes", "--force"],
    ] {
        let (env, ..) = world();
        used_elsewhere(&env, "alice");
        let before = env.tree(".codex-manager");
        if args[0] == "recommend" {
            // Else the one that is signed in is the better one.
            env.run(&["profile", "set", "bob", "paused=true"]).code(0);
        } else {
            let dry = [args, &["--dry-run"]].concat();
            let ran = env.run(&dry).code(0);
            assert!(ran.stderr.starts_with(WARNING), "{}", ran.stderr);
            assert_eq!(env.tree(".codex-manager"), before);
        }
        let ran = env.run(args).code(0);
        assert!(ran.stderr.contains(WARNING), "{args:?}: {}", ran.stderr);
        let text = env.read(&format!("{PROFILES}/alice/profile.toml"));
        assert!(text.ends_with(&env.used_here(NOW)), "{args:?}: {text}");
        let ran = env.run(&["use", "alice", "--dry-run"]).code(0);
        assert!(!ran.stderr.contains("laptop"), "{}", ran.stderr);
    }
}

#[test]
fn it_is_shown_and_not_written_every_time() {
    let (mut env, ..) = world();
    let path = format!("{PROFILES}/bob/profile.toml");
    let noted = env.read(&path);
    let id = env.read(".codex-manager/machine-id");
    let show = |env: &Env| {
        env.run(&["profile", "show", "bob", "--json"])
            .code(0)
            .json()
    };
    let machine = id.trim_end();
    assert_eq!(
        show(&env)["last_used"],
        json!({"machine": machine, "hostname": hostname(), "at": NOW})
    );
    let again = ["backup", "--offline"];
    env.set_now("2026-04-19T23:00:00+05:30");
    env.run(&again).code(0).stderr("");
    assert_eq!(env.read(&path), noted);
    env.set_now("2026-04-20T00:10:00+05:30");
    env.run(&again).code(0).stderr("");
    assert_eq!(show(&env)["last_used"]["at"], "2026-04-20T00:10:00+05:30");
    assert_eq!(env.read(".codex-manager/machine-id"), id);
    used_elsewhere_now(&env);
    env.run(&["profile", "show", "bob"]).code(0);
}

/// Whatever the other machine is called, nothing of it is written anew by looking.
fn used_elsewhere_now(env: &Env) {
    let before = env.tree(".codex-manager");
    env.run(&["profile", "list"]).code(0).stderr("");
    assert_eq!(env.tree(".codex-manager"), before);
}

#[cfg(target_os = "linux")]
#[test]
fn it_is_noted_also_where_the_answer_cannot_be_written() {
    let (env, ..) = world();
    used_elsewhere(&env, "alice");
    let mut command = env.command(&["restore", "alice@example.com", "--yes", "--force"]);
    let full = std::fs::File::options().write(true).open("/dev/full");
    command.stdout(full.expect("opens"));
    let output = command.output().expect("runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = env.read(&format!("{PROFILES}/alice/profile.toml"));
    assert!(text.ends_with(&env.used_here(NOW)), "{text}");
}

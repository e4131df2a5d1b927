//! The daily loop once through, as the README tells it.

use crate::common::{Env, Person};

#[test]
fn the_daily_loop() {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    let archive = "~/.codex-manager/backups/2026-04-14-155500-alice@example.com-codex.tar.gz";
    let made = env
        .run(&["backup", "--status-file", "status.txt"])
        .code(0)
        .stderr("");
    assert!(
        made.stdout.starts_with(&format!("created   {archive}\n")),
        "{}",
        made.stdout
    );
    env.write(".codex/config.toml", "changed\n");
    env.run(&["restore", "alice@example.com", "--yes"])
        .code(0)
        .stderr("");
    assert_eq!(env.read(".codex/config.toml"), "model = \"made-up\"\n");
    env.run(&["restore", "--undo", "--yes"]).code(0).stderr("");
    assert_eq!(env.read(".codex/config.toml"), "changed\n");
}

#[test]
fn it_starts_without_any_environment() {
    let mut program = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("codex-manager"));
    let version = predicates::str::starts_with("codex-manager ");
    program
        .env_clear()
        .arg("--version")
        .assert()
        .success()
        .stdout(version)
        .stderr("");
}

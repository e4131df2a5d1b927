//! What happens around a restore that was killed, and names that must not hide each other.
use crate::common::{Env, Person};
use std::fs;

/// A login made by Codex after a restore was killed mid-swap is overwritten by the recovery and kept nowhere.
#[test]
fn a_login_made_after_a_killed_restore_is_not_lost() {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    let stage = ".codex/.codex-manager-restore";
    // As kill -9 leaves it: the old login has left, the new one has not arrived.
    env.write(&format!("{stage}/old/auth.json"), &alice.auth_json());
    env.write(&format!("{stage}/new/auth.json"), &alice.auth_json());
    env.write(
        &format!("{stage}/journal.json"),
        r#"[{"path":"auth.json","action":"replace"}]"#,
    );
    fs::remove_file(env.path(".codex/auth.json")).expect("removes");
    // Codex says "not logged in", the person signs in again; then the next cron backup runs.
    let fresh = Person {
        last_refresh: "2026-04-19T10:00:00Z".to_owned(),
        ..alice
    };
    env.write(".codex/auth.json", &fresh.auth_json());
    env.run(&["backup", "--status-file", "status.txt"]);
    let everywhere = env.tree("");
    assert!(
        everywhere
            .iter()
            .any(|(_, content)| *content == fresh.auth_json()),
        "the fresh login is nowhere"
    );
}

/// The same for any file of a unit: here sessions that Codex wrote after the kill.
#[test]
fn sessions_made_after_a_killed_restore_do_not_block_or_vanish() {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    let stage = ".codex/.codex-manager-restore";
    env.write(&format!("{stage}/old/sessions/a.jsonl"), "old\n");
    env.write(&format!("{stage}/new/sessions/a.jsonl"), "new\n");
    env.write(
        &format!("{stage}/journal.json"),
        r#"[{"path":"sessions","action":"replace"}]"#,
    );
    fs::remove_dir_all(env.path(".codex/sessions")).expect("removes");
    env.write(".codex/sessions/fresh.jsonl", "fresh\n");
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
    assert!(
        env.tree("").iter().any(|(_, content)| content == "fresh\n"),
        "the fresh session is nowhere"
    );
}

/// Two more workspaces of one email whose ids share eight letters take one name: the second hides the first.
#[test]
fn three_workspaces_of_one_email_do_not_hide_each_other() {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    for workspace in ["ws-alice", "workspace-1", "workspace-2"] {
        env.write(
            ".codex/auth.json",
            &alice.clone().in_workspace(workspace).auth_json(),
        );
        env.run(&["backup", "--status-file", "status.txt"]).code(0);
    }
    let listed = env.run(&["list-backups", "--json"]).code(0).json();
    assert_eq!(listed["backups"].as_array().map(Vec::len), Some(3));
}

/// What a killed restore left in its safety directory is never swept.
#[test]
fn debris_of_a_killed_restore_is_swept() {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
    let debris = ".codex-manager/backups/safety/2026-04-18-100000/.codex-manager-tmp-x";
    env.write(debris, "half an archive with a login in it");
    env.touch(debris, "2026-04-18T10:00:00+05:30");
    env.run(&["restore", "alice@example.com", "--yes"]).code(0);
    env.run(&["backup", "--offline", "--force"]).code(0);
    assert!(!env.path(debris).exists());
}

//! What cannot be read, what another version wrote and what a dry run only looks at stays as it is.

use std::fs;

use serde_json::{Value, json};

use crate::common::{Env, Person};
use crate::worlds::{legacy, six_accounts};

const REGISTRY: &str = ".codex-manager/cooldown.json";
const INVENTORY: &str = ".codex-manager/inventory.json";
const FROM_FILE: [&str; 4] = ["backup", "--status-file", "status.txt", "--force"];
const STANDS: &str = "the snapshot stands, and its window was not noted";

/// Alice is signed in, and has a snapshot.
fn alice() -> Env {
    let env = Env::new();
    let person = Person::named("alice");
    env.codex_home(&person);
    env.write("status.txt", &person.panel(66, "15:55 on 21 Apr"));
    env.run(&FROM_FILE).code(0);
    env
}

fn registry(env: &Env) -> Value {
    serde_json::from_str(&env.read(REGISTRY)).expect("json")
}

#[cfg(unix)]
#[test]
fn a_registry_that_cannot_be_opened_is_left_alone() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let told = "warning: the registry `~/.codex-manager/cooldown.json` cannot be read: cannot read `~/.codex-manager/cooldown.json`: permission denied; its observations are left out\n";
    let run = |args: &[&str]| {
        let env = alice();
        let text = env.read(REGISTRY);
        let path = env.path(REGISTRY);
        let mut command = env.command(args);
        crate::unprivileged::run_as_nobody(&env, &mut command);
        if fs::metadata(env.home()).expect("stands").uid() == 65534 {
            chown(&path, Some(0), Some(0)).expect("owns");
        } else {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("sets");
        }
        let ran = env.ran(&mut command, args);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("sets");
        assert_eq!(env.read(REGISTRY), text);
        let names = env.files(".codex-manager");
        assert!(
            !names.iter().any(|name| name.contains("broken")),
            "{names:?}"
        );
        ran
    };
    run(&["cooldown"]).code(0).stderr(told);
    let ran = run(&FROM_FILE).code(3);
    assert!(ran.stdout.starts_with("created"), "{}", ran.stdout);
    assert_eq!(
        ran.stderr,
        format!(
            "{told}warning: {STANDS}: the registry `~/.codex-manager/cooldown.json` cannot be read, and is not written over; `codex-manager doctor` says what is wrong with it\n"
        )
    );
    let ran = run(&["doctor"]).code(1);
    assert!(
        ran.stdout
            .contains("permission denied\n      hint: make it readable for you"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_registry_of_a_newer_form_is_neither_read_nor_written() {
    let env = alice();
    for text in [
        "{\"schema_version\":2}",
        "{\"schema_version\":2,\"accounts\":[]}",
    ] {
        env.write(REGISTRY, text);
        env.run(&["cooldown", "--quiet"]).code(0).stderr(
            "warning: the registry `~/.codex-manager/cooldown.json` cannot be read: it has form 2, which only a newer codex-manager reads; its observations are left out\n",
        );
        env.run(&FROM_FILE).code(3);
        env.run(&["doctor", "--fix", "--quiet"]).code(1);
        assert_eq!(env.read(REGISTRY), text);
    }
    // A login that is to go does not stay for that.
    let ran = env.run(&["profile", "remove", "alice", "--yes"]).code(0);
    let told = "warning: that the profile was removed is not noted, so a `sync pull` may bring it back: the registry ";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    assert!(!env.path(".codex-manager/profiles/alice").exists());
}

#[test]
fn what_of_a_registry_cannot_be_read_costs_itself_alone_and_is_kept() {
    let env = alice();
    let mut document = registry(&env);
    let mut newer = document["accounts"][0].clone();
    newer["email"] = "zoe@example.com".into();
    newer["account_id"] = "ws-zoe".into();
    newer["user_id"] = "user-zoe".into();
    let mut untouched = newer.clone();
    untouched["observation"]["mood"] = "fine".into();
    newer["observation"]["source"] = "web-socket".into();
    document["accounts"] = json!([newer, document["accounts"][0], untouched]);
    env.write(REGISTRY, &document.to_string());
    let told = "warning: 1 item in the registry `~/.codex-manager/cooldown.json` cannot be read: left out, and kept as it stands\n";
    let accounts = env.run(&["cooldown", "--json"]).code(0).json();
    assert_eq!(accounts["accounts"].as_array().map(Vec::len), Some(2));
    env.run(&FROM_FILE).code(0).stderr(told);
    let after = registry(&env);
    assert_eq!(after["accounts"][1], untouched);
    assert_eq!(after["accounts"][2], newer);
}

#[test]
fn an_inventory_of_a_newer_form_or_another_product_is_refused() {
    let env = Env::new();
    legacy(
        &env,
        "21apr_alice@example.com_auth.json",
        "{}",
        "2026-04-14T17:55:00+05:30",
    );
    for (text, why) in [
        (
            "{\"schema_version\":9,\"records\":[]}",
            "has form 9, which only a newer codex-manager reads",
        ),
        (
            "{\"product\":\"other\",\"records\":[]}",
            "is of another product",
        ),
    ] {
        env.write(INVENTORY, text);
        let ran = env.run(&["normalize", "--source-dir", "legacy"]).code(1);
        assert!(
            ran.stderr.starts_with(&format!(
                "error: the inventory `~/.codex-manager/inventory.json` cannot be read: it {why}\n"
            )),
            "{}",
            ran.stderr
        );
        assert_eq!(env.read(INVENTORY), text);
    }
}

#[test]
fn a_dry_run_sets_no_registry_aside_and_makes_nothing() {
    let env = alice();
    env.write(REGISTRY, "nonsense");
    fs::remove_file(env.path(".codex-manager/lock")).expect("removes");
    let before = env.tree("");
    for args in [
        &["cooldown", "--dry-run"][..],
        &["recommend", "--dry-run"],
        &["recommend", "--use", "--dry-run"],
        &["cooldown", "--html", "page.html", "--dry-run"],
    ] {
        let ran = env.run(args);
        assert!(
            ran.stderr.contains("its observations are left out"),
            "{}",
            ran.stderr
        );
        assert_eq!(env.tree(""), before, "{args:?}");
    }
    let nobody = Env::new();
    nobody
        .run(&["cooldown", "--live", "--all", "--dry-run"])
        .code(14);
    assert!(!nobody.path(".codex-manager").exists());
}

#[cfg(unix)]
#[test]
fn a_pipe_in_a_profile_is_not_waited_for() {
    let env = alice();
    env.write(
        ".codex-manager/profiles/odd/profile.toml",
        "note = \"mine\"\n",
    );
    let pipe = env.path(".codex-manager/profiles/odd/auth.json");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, 0o600.into()).expect("makes");
    env.run(&["profile", "remove", "odd", "--yes", "--dry-run"])
        .code(0);
    env.run(&["profile", "remove", "odd", "--yes"]).code(0);
    assert!(!pipe.exists());
}

#[test]
fn a_lock_of_a_persons_own_is_captured_and_put_back() {
    let env = alice();
    env.write(".codex/skills/mine/uv.lock", "version = 1\n");
    env.write(".codex/sessions/its.lock", "");
    env.run(&FROM_FILE).code(0);
    fs::remove_dir_all(env.path(".codex/skills/mine")).expect("removes");
    fs::remove_file(env.path(".codex/sessions/its.lock")).expect("removes");
    env.run(&["restore", "alice@example.com", "--yes"]).code(0);
    assert_eq!(env.read(".codex/skills/mine/uv.lock"), "version = 1\n");
    assert!(!env.path(".codex/sessions/its.lock").exists());
}

#[test]
fn to_push_to_no_remote_is_refused_before_a_snapshot_is_made() {
    let env = alice();
    let before = env.tree(".codex-manager/backups");
    env.write(".codex/history.jsonl", "more\n");
    for args in [
        &["backup", "--offline", "--push"][..],
        &["backup", "--offline", "--push", "--dry-run"],
    ] {
        env.run(args).code(2).stdout("").stderr(
            "error: no remote is set\nhint: say where with `codex-manager sync init --remote ADDRESS`\n",
        );
    }
    assert_eq!(env.tree(".codex-manager/backups"), before);
}

#[test]
fn status_takes_the_flag_of_backup() {
    let env = alice();
    let one = env.run(&["status", "--status-file", "status.txt"]).code(0);
    env.run(&["status", "--input-file", "status.txt"])
        .code(0)
        .stdout(&one.stdout);
    assert!(one.stdout.contains("(plus)"), "{}", one.stdout);
}

#[cfg(target_os = "linux")]
#[test]
fn a_legacy_file_whose_name_is_no_text_is_told() {
    use std::os::unix::ffi::OsStrExt;
    let env = Env::new();
    fs::create_dir(env.path("legacy")).expect("makes");
    let name = std::ffi::OsStr::from_bytes(b"21apr_\xe9@example.com_auth.json");
    fs::write(env.path("legacy").join(name), "{}").expect("writes");
    let ran = env
        .run(&["normalize", "--source-dir", "legacy", "--strict", "--json"])
        .code(3);
    assert_eq!(
        ran.json()["skipped"],
        json!([{"file": "21apr_\u{fffd}@example.com_auth.json", "reason": "its name is not UTF-8"}])
    );
}

#[test]
fn config_answers_in_a_dry_run_what_would_be() {
    let env = Env::new();
    let ran = env
        .run(&["config", "set", "timezone", "UTC", "--dry-run", "--json"])
        .code(0);
    assert_eq!(
        ran.json(),
        json!({"mode": "dry-run", "key": "timezone", "value": "UTC", "from": "config.toml"})
    );
    assert!(!env.path(".codex-manager").exists());
}

#[test]
fn a_place_that_was_said_and_is_not_there_is_told() {
    let env = six_accounts();
    for (flag, name) in [
        ("--inventory-path", "nofile"),
        ("--source-dir", "nodir"),
        ("--backup-dir", "nodir"),
    ] {
        let ran = env.run(&["recommend", flag, name]);
        assert_eq!(
            ran.stderr,
            format!("warning: `~/{name}`, which `{flag}` names, does not exist\n")
        );
    }
    let ran = env.run(&[
        "cooldown",
        "--backup-dir",
        "nodir",
        "--inventory-path",
        "nofile",
        "--json",
    ]);
    let first: Value =
        serde_json::from_str(ran.stderr.lines().next().expect("a line")).expect("json");
    assert_eq!(
        first["warning"]["message"],
        "`~/nodir`, which `--backup-dir` names, does not exist"
    );
}

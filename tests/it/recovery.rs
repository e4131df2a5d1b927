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

fn with_backup() -> (Env, Person) {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    env.run(&["backup", "--status-file", "status.txt"])
        .code(0)
        .stderr("");
    (env, alice)
}

/// A restore killed before its first move has changed nothing: what is done after it is the person's work.
#[test]
fn work_done_after_a_kill_stays_where_it_is() {
    let (env, _) = with_backup();
    let stage = ".codex/.codex-manager-restore";
    env.write(&format!("{stage}/new/history.jsonl"), "archived\n");
    fs::create_dir_all(env.path(&format!("{stage}/old"))).expect("makes");
    env.write(
        &format!("{stage}/journal.json"),
        r#"[{"path":"history.jsonl","action":"replace"}]"#,
    );
    env.write(".codex/history.jsonl", "a week of work\n");
    env.run(&["backup", "--offline"]).code(0).stderr(
        "warning: a restore into `~/.codex` was cut short before it changed anything; it was dropped\n",
    );
    assert_eq!(env.read(".codex/history.jsonl"), "a week of work\n");
    assert!(!env.path(stage).exists());
}

/// Killed in the middle, what had not left yet may have been worked on since: it is kept, and told.
#[test]
fn work_done_after_a_kill_in_the_middle_is_kept() {
    let (env, _) = with_backup();
    let stage = ".codex/.codex-manager-restore";
    env.write(&format!("{stage}/old/config.toml"), "old\n");
    env.write(&format!("{stage}/new/config.toml"), "archived\n");
    env.write(&format!("{stage}/new/history.jsonl"), "archived\n");
    env.write(
        &format!("{stage}/journal.json"),
        r#"[{"path":"config.toml","action":"replace"},{"path":"history.jsonl","action":"replace"}]"#,
    );
    fs::remove_file(env.path(".codex/config.toml")).expect("removes");
    env.write(".codex/history.jsonl", "a week of work\n");
    env.run(&["backup", "--offline"]).code(0).stderr(
        "warning: a restore into `~/.codex` that was cut short was finished first\n\
         warning: what is in no safety copy was in the way of the restore: it was moved to \
         `~/.codex/.codex-manager-kept/1/history.jsonl`\n",
    );
    assert_eq!(env.read(".codex/history.jsonl"), "archived\n");
    assert_eq!(env.read(".codex/config.toml"), "archived\n");
    assert_eq!(
        env.read(".codex/.codex-manager-kept/1/history.jsonl"),
        "a week of work\n"
    );
}

/// As kill -9 leaves it between the two halves of the swap: nobody seems to be signed in.
fn cut_short(env: &Env, person: &Person) {
    let stage = ".codex/.codex-manager-restore";
    env.write(&format!("{stage}/old/auth.json"), &person.auth_json());
    env.write(&format!("{stage}/new/auth.json"), &person.auth_json());
    env.write(
        &format!("{stage}/journal.json"),
        r#"[{"path":"auth.json","action":"replace"}]"#,
    );
    fs::remove_file(env.path(".codex/auth.json")).expect("removes");
}

/// Somebody may sign in meanwhile: that login is in the way, and must not be lost.
#[test]
fn a_login_made_after_a_kill_is_kept_with_its_owner() {
    let (env, alice) = with_backup();
    cut_short(&env, &alice);
    env.run(&["status", "--short"]).code(14).stderr(
        "error: a restore into `~/.codex` was cut short: who is signed in there is not known\n\
         hint: `codex-manager status` finishes it first, as `backup`, `restore` and `use` do\n",
    );
    let carol = Person::named("carol");
    env.write(".codex/auth.json", &carol.auth_json());
    let ran = env.run(&["use", "alice@example.com"]).code(0);
    let told = "\nthe login of carol@example.com that was in a restore's way is kept in the profile `carol`\n";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    assert_eq!(env.read(".codex/auth.json"), alice.auth_json());
    env.run(&["use", "carol@example.com"]).code(0);
    assert_eq!(env.read(".codex/auth.json"), carol.auth_json());
}

/// Whoever asks Codex, or signs somebody else in, first has the home whole.
#[test]
fn whoever_asks_or_switches_finishes_it_first() {
    const FINISHED: &str =
        "warning: a restore into `~/.codex` that was cut short was finished first\n";
    let (env, alice) = with_backup();
    let stage = env.path(".codex/.codex-manager-restore");
    for args in [
        &["use", "alice@example.com"][..],
        &["use", "alice@example.com", "--dry-run"],
        &["recommend", "--use"],
        &["status", "--codex-command", "/nowhere/codex"],
        &["cooldown", "--live", "--codex-command", "/nowhere/codex"],
        &["recommend", "--live", "--codex-command", "/nowhere/codex"],
        &[
            "cooldown",
            "--live",
            "--all",
            "--codex-command",
            "/nowhere/codex",
        ],
        &["cooldown", "--live", "--all", "--dry-run"],
    ] {
        cut_short(&env, &alice);
        let ran = env.run(args);
        if args.contains(&"--dry-run") {
            assert!(stage.exists(), "{args:?}");
            env.run(&["use", "alice@example.com"]).code(0);
            continue;
        }
        assert!(ran.stderr.starts_with(FINISHED), "{args:?}: {}", ran.stderr);
        assert_eq!(
            ran.code,
            Some(if args.contains(&"/nowhere/codex") {
                14
            } else {
                0
            })
        );
        assert!(!stage.exists(), "{args:?}");
        assert_eq!(env.read(".codex/auth.json"), alice.auth_json());
    }
}

/// A destination that is no Codex home is never swept.
#[test]
fn a_destination_that_is_no_codex_home_is_refused_untouched() {
    let (env, _) = with_backup();
    env.write("documents/letter.txt", "mine\n");
    #[cfg(unix)]
    std::os::unix::fs::symlink(env.home(), env.path("by")).expect("links");
    let before = env.tree("");
    for (dest, why) in [
        #[cfg(unix)]
        (
            "by/.codex-manager/backups/new",
            "is where snapshots are kept",
        ),
        (".codex-manager/profiles/new", "is where profiles are kept"),
        (".codex-manager", "is the manager home"),
        (".codex-manager/backups", "is where snapshots are kept"),
        (".codex-manager/backups/new", "is where snapshots are kept"),
        ("documents", "holds files and looks like no Codex home"),
        ("", "holds files and looks like no Codex home"),
    ] {
        let place = env.path(dest);
        let place = place.to_str().expect("UTF-8");
        let ran = env
            .run(&["restore", "alice@example.com", "--yes", "--dest-dir", place])
            .code(2);
        assert!(ran.stderr.contains(why), "{dest}: {}", ran.stderr);
        assert_eq!(env.tree(""), before, "{dest}");
    }
}

/// A pipe in place of a file would be waited for, by cron for ever.
#[cfg(unix)]
#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let (env, _) = with_backup();
    let pipe = |below: &str| {
        let _ = fs::remove_file(env.path(below));
        let made = std::process::Command::new("mkfifo")
            .arg(env.path(below))
            .status()
            .expect("runs");
        assert!(made.success());
    };
    pipe(".codex/auth.json");
    env.run(&["backup", "--offline"]).code(1).stdout("").stderr(
        "error: cannot read `~/.codex/auth.json`: it is no regular file\n\
         hint: the system's own message says why; mend it and run the command again\n",
    );
    env.run(&["cooldown"]).code(0);
    pipe(".codex-manager/cooldown.json");
    env.run(&["cooldown", "--quiet"]).code(0);
}

/// Two codex-managers of different manager homes work on one Codex home one after the other.
#[cfg(unix)]
#[test]
fn a_codex_home_that_another_works_in_is_locked() {
    let (env, _) = with_backup();
    let home = fs::File::open(env.path(".codex")).expect("opens");
    home.try_lock().expect("locks");
    let other = env.path("other-manager");
    let args = [
        "backup",
        "--status-file",
        "status.txt",
        "--manager-home",
        other.to_str().expect("UTF-8"),
    ];
    env.run(&args).code(11).stdout("").stderr(
        "another codex-manager works in `~/.codex`, or asks Codex about it; waiting, at most 10 s\n\
         error: another codex-manager works in `~/.codex`, or asks Codex about it\n\
         hint: wait until it is done, then run the command again; or say with `--wait` how many seconds to wait\n",
    );
}

/// A backup that cannot put its snapshot in place leaves the one that stands.
#[cfg(unix)]
#[test]
fn a_backup_that_fails_keeps_the_snapshot_that_stands() {
    let (env, _) = with_backup();
    let before = env.tree(".codex-manager/backups");
    env.write(".codex/history.jsonl", "more\n");
    // Nothing can be linked or copied to where the earlier snapshot should go.
    env.write(".codex-manager/backups/superseded", "a file");
    env.run(&["backup", "--offline"]).code(1);
    fs::remove_file(env.path(".codex-manager/backups/superseded")).expect("removes");
    assert_eq!(env.tree(".codex-manager/backups"), before);
    env.run(&["list-backups", "--verify"]).code(0).stderr("");
}

/// A restore is the next command after a crash as well as a backup is.
#[test]
fn a_restore_recovers_a_home_without_a_sign() {
    let (env, alice) = with_backup();
    let stage = ".codex/.codex-manager-restore";
    for file in [
        "auth.json",
        "config.toml",
        "history.jsonl",
        "installation_id",
        "sessions",
    ] {
        fs::create_dir_all(env.path(&format!("{stage}/old"))).expect("makes");
        fs::rename(
            env.path(&format!(".codex/{file}")),
            env.path(&format!("{stage}/old/{file}")),
        )
        .expect("moves");
    }
    env.write(&format!("{stage}/new/auth.json"), &alice.auth_json());
    let units: Vec<String> = [
        "auth.json",
        "config.toml",
        "history.jsonl",
        "installation_id",
        "sessions",
    ]
    .iter()
    .map(|path| {
        let action = if *path == "auth.json" {
            "replace"
        } else {
            "remove"
        };
        format!(r#"{{"path":"{path}","action":"{action}"}}"#)
    })
    .collect();
    env.write(
        &format!("{stage}/journal.json"),
        &format!("[{}]", units.join(",")),
    );
    env.run(&["restore", "alice@example.com", "--yes"])
        .code(0)
        .stderr("warning: a restore into `~/.codex` that was cut short was finished first\n");
    assert_eq!(env.read(".codex/config.toml"), "model = \"made-up\"\n");
}

/// Whoever is asked for a status keeps nobody else from working.
#[cfg(unix)]
#[test]
fn a_status_is_waited_for_without_the_lock_and_a_signal_ends_the_wait() {
    use std::io::Read;
    let (env, _) = with_backup();
    let mut child = env
        .command(&["backup", "--status-file", "-"])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    // Waiting for it would close its input, which it reads.
    let input = child.stdin.take();
    std::thread::sleep(std::time::Duration::from_millis(500));
    env.run(&["config", "set", "color", "never"]).code(0);
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("signals");
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    drop(input);
    let mut said = String::new();
    child
        .stderr
        .take()
        .expect("piped")
        .read_to_string(&mut said)
        .expect("reads");
    assert!(said.starts_with("error: interrupted\n"), "{said}");
}

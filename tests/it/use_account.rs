//! `use`: which login is put in place, that nothing else changes, and that what stood there is nowhere lost.

use std::fs;

use serde_json::{Value, json};

use crate::common::{Env, Person, Ran};
use crate::worlds::{has_keys, json_error};
#[cfg(unix)]
use crate::worlds::{mode, prints};

const LIVE: &str = ".codex/auth.json";
const PROFILES: &str = ".codex-manager/profiles";
const BACKUPS: &str = ".codex-manager/backups";
const BACKUP: [&str; 3] = ["backup", "--status-file", "status.txt"];

/// The same person after Codex has renewed the login on that day of April.
fn renewed(person: &Person, day: u8) -> String {
    let person = Person {
        last_refresh: format!("2026-04-{day:02}T01:02:03.456789Z"),
        ..person.clone()
    };
    person.auth_json()
}

/// Signs the person in, and makes a snapshot of the home.
#[track_caller]
fn backed_up(env: &Env, person: &Person) {
    env.write(LIVE, &person.auth_json());
    env.write("status.txt", &person.panel(66, "15:55 on 21 Apr"));
    env.run(&BACKUP).code(0).stderr("");
}

/// A world with snapshots of alice and of bob, who is signed in.
fn world() -> (Env, Person, Person) {
    let env = Env::new();
    let (alice, bob) = (Person::named("alice"), Person::named("bob"));
    env.codex_home(&alice);
    backed_up(&env, &alice);
    backed_up(&env, &bob);
    (env, alice, bob)
}

#[track_caller]
fn used(env: &Env, args: &[&str]) -> Value {
    let all = [&["use", "--json"], args].concat();
    env.run(&all).code(0).stderr("").json()
}

/// All of the home but the login and Codex's locks on it.
fn rest(env: &Env) -> Vec<(String, String)> {
    let mut tree = env.tree(".codex");
    tree.retain(|(path, _)| !path.starts_with("auth."));
    tree
}

/// Fails, and neither the Codex home nor anything of the manager's changes.
#[track_caller]
fn refused(env: &Env, args: &[&str], code: i32) -> Ran {
    let tree = || (env.tree(".codex"), env.tree(".codex-manager"));
    let before = tree();
    let ran = env.run(args).code(code).stdout("");
    assert_eq!(tree(), before);
    ran
}

#[test]
fn there_and_back_and_only_the_login_changes() {
    let (env, alice, bob) = world();
    let before = rest(&env);
    env.run(&["use", "alice@example.com"]).code(0).stderr("").stdout(
        "used      alice@example.com (plus)\ninto      ~/.codex\nlogin     that of the profile `alice`\nbefore    bob@example.com\n",
    );
    assert_eq!(env.read(LIVE), alice.auth_json());
    // What Codex renewed meanwhile is what comes back.
    env.write(LIVE, &renewed(&alice, 15));
    env.run(&["use", "-"]).code(0).stderr("").stdout(
        "used      bob@example.com (plus)\ninto      ~/.codex\nlogin     that of the profile `bob`\nbefore    alice@example.com\n",
    );
    assert_eq!(env.read(LIVE), bob.auth_json());
    let answer = used(&env, &["-"]);
    assert_eq!(
        answer,
        json!({
            "mode": "used",
            "archive": null,
            "destination": "~/.codex",
            "email": "alice@example.com",
            "auth_source": "profile",
            "safety_backup": null,
            "files": 1,
        })
    );
    has_keys(
        &answer,
        &[
            "mode",
            "archive",
            "destination",
            "email",
            "auth_source",
            "safety_backup",
            "files",
        ],
        &[],
    );
    assert_eq!(env.read(LIVE), renewed(&alice, 15));
    assert_eq!(rest(&env), before);
    assert!(!env.path(&format!("{BACKUPS}/safety")).exists());
    let live = serde_json::from_str::<Value>(&env.read(".codex-manager/cooldown.json"));
    let live = live.expect("JSON")["live"].clone();
    let seen: Vec<_> = live
        .as_array()
        .expect("a list")
        .iter()
        .map(|live| live["email"].as_str().expect("an email").to_owned())
        .collect();
    let expected =
        ["alice", "bob", "alice", "bob", "alice"].map(|name| format!("{name}@example.com"));
    assert_eq!(seen, expected);
}

#[test]
fn whoever_is_signed_in_already_stays_and_a_newer_login_of_theirs_is_installed() {
    let (env, _, bob) = world();
    let before = env.tree(".codex");
    env.run(&["use", "bob"]).code(0).stderr("").stdout(
        "used      bob@example.com (plus)\ninto      ~/.codex\nlogin     the one that is signed in already\n",
    );
    assert_eq!(env.tree(".codex").len(), before.len() + 1, "but for a lock");
    assert_eq!(env.read(LIVE), bob.auth_json());
    env.write(&format!("{PROFILES}/bob/auth.json"), &renewed(&bob, 16));
    let answer = used(&env, &["bob"]);
    assert_eq!(
        (&answer["auth_source"], &answer["files"]),
        (&json!("profile"), &json!(1))
    );
    assert_eq!(env.read(LIVE), renewed(&bob, 16));
    // The older one, which no profile has, is in a snapshot of its own.
    let copy = answer["safety_backup"].as_str().expect("a path");
    assert!(
        env.path(copy.strip_prefix("~/").expect("at home"))
            .is_file()
    );
    env.run(&["restore", "--undo", "--yes", "--archived-auth"])
        .code(0);
    assert_eq!(env.read(LIVE), bob.auth_json());
}

#[test]
fn every_way_to_name_an_account() {
    let (env, alice, bob) = world();
    env.write(
        &format!("{PROFILES}/alice/profile.toml"),
        "email = \"alice@example.com\"\naccount_id = \"ws-alice\"\nuser_id = \"user-alice\"\nalias = \"work\"\n",
    );
    for name in ["ALICE@example.com", "alice", "Alice", "work"] {
        used(&env, &["bob"]);
        used(&env, &[name]);
        assert_eq!(env.read(LIVE), alice.auth_json(), "{name}");
    }
    used(&env, &["bob@example.com"]);
    assert_eq!(env.read(LIVE), bob.auth_json());
    refused(&env, &["use", "carol"], 10).stderr(
        "error: no account or profile is called `carol`\nhint: `codex-manager cooldown` shows all accounts; `codex-manager \
         profile login NAME` signs another one in\n",
    );
    refused(&env, &["use"], 2);
}

#[test]
fn two_workspaces_of_one_email_are_told_apart() {
    let (env, alice, _) = world();
    let team = alice.clone().in_workspace("ws-team");
    backed_up(&env, &team);
    let ran = refused(&env, &["use", "alice@example.com"], 2);
    assert_eq!(
        ran.stderr,
        "error: `alice@example.com` is more than one account: alice@example.com (ws-alice), profile `alice`; \
         alice@example.com (ws-team), profile `alice-2`\nhint: name the profile instead\n"
    );
    used(&env, &["alice"]);
    assert_eq!(env.read(LIVE), alice.auth_json());
    used(&env, &["alice-2"]);
    assert_eq!(env.read(LIVE), team.auth_json());
    used(&env, &["-"]);
    assert_eq!(env.read(LIVE), alice.auth_json());
}

#[test]
fn two_members_of_one_team_are_two_accounts() {
    let env = Env::new();
    let alice = Person::named("alice").in_workspace("ws-team");
    let bob = Person::named("bob").in_workspace("ws-team");
    env.codex_home(&alice);
    backed_up(&env, &alice);
    backed_up(&env, &bob);
    env.write(LIVE, &renewed(&bob, 16));
    used(&env, &["alice"]);
    assert_eq!(env.read(LIVE), alice.auth_json());
    used(&env, &["-"]);
    assert_eq!(env.read(LIVE), renewed(&bob, 16));
}

#[test]
fn who_was_before_must_be_known() {
    let env = Env::new();
    env.codex_home(&Person::named("alice"));
    refused(&env, &["use", "-"], 10).stderr(
        "error: it is not known who was signed in to `~/.codex` before\nhint: name the account; `codex-manager cooldown` \
         shows all of them\n",
    );
}

#[test]
fn a_login_that_only_a_snapshot_has_is_taken_from_it() {
    let (env, alice, bob) = world();
    fs::remove_dir_all(env.path(&format!("{PROFILES}/alice"))).expect("removes");
    let answer = used(&env, &["alice@example.com"]);
    assert_eq!(answer["auth_source"], "archive");
    let archive = answer["archive"].as_str().expect("a path");
    assert!(
        archive.ends_with("-alice@example.com-codex.tar.gz"),
        "{archive}"
    );
    let archive = &env.path(archive.strip_prefix("~/").expect("at home"));
    assert_eq!(env.read(LIVE), alice.auth_json());
    // One that is damaged is none.
    used(&env, &["bob"]);
    fs::remove_dir_all(env.path(&format!("{PROFILES}/alice"))).expect("removes");
    let mut bytes = fs::read(archive).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(archive, bytes).expect("writes");
    refused(&env, &["use", "alice@example.com"], 13);
    assert_eq!(env.read(LIVE), bob.auth_json());
}

#[test]
fn a_snapshots_login_counts_where_it_is_newer() {
    let (env, alice, _) = world();
    // As a snapshot of another machine has it: no profile of this one saw that login.
    env.write(LIVE, &renewed(&alice, 18));
    env.write("status.txt", &alice.panel(50, "15:55 on 21 Apr"));
    env.run(&BACKUP).code(0).stderr("");
    env.write(&format!("{PROFILES}/alice/auth.json"), &alice.auth_json());
    used(&env, &["bob"]);
    env.write(&format!("{PROFILES}/alice/auth.json"), &alice.auth_json());
    let answer = used(&env, &["alice@example.com"]);
    assert_eq!(answer["auth_source"], "archive");
    assert_eq!(env.read(LIVE), renewed(&alice, 18));
    // An older program's sidecar does not tell: then the snapshot does.
    used(&env, &["bob"]);
    env.write(&format!("{PROFILES}/alice/auth.json"), &alice.auth_json());
    for path in env.files(BACKUPS) {
        if path.ends_with(".metadata.json") {
            let path = format!("{BACKUPS}/{path}");
            let mut sidecar: Value = serde_json::from_str(&env.read(&path)).expect("JSON");
            sidecar
                .as_object_mut()
                .expect("an object")
                .remove("login_refreshed_at")
                .expect("there");
            env.write(&path, &sidecar.to_string());
        }
    }
    assert_eq!(used(&env, &["alice@example.com"])["auth_source"], "archive");
    assert_eq!(env.read(LIVE), renewed(&alice, 18));
    // Not installed where a newer one is known.
    used(&env, &["bob"]);
    assert_eq!(used(&env, &["alice@example.com"])["auth_source"], "profile");
}

#[test]
fn a_profile_of_which_little_is_said_is_known_by_its_login() {
    let (env, alice, _) = world();
    fs::remove_dir_all(env.path(BACKUPS)).expect("removes");
    fs::remove_file(env.path(".codex-manager/cooldown.json")).expect("removes");
    for said in [None, Some("email = \"alice@example.com\"\n")] {
        let path = format!("{PROFILES}/alice/profile.toml");
        match said {
            None => fs::remove_file(env.path(&path)).expect("removes"),
            Some(said) => {
                env.write(&path, said);
            }
        }
        for name in ["alice", "alice@example.com"] {
            used(&env, &[name]);
            assert_eq!(env.read(LIVE), alice.auth_json(), "{said:?}");
            let answer = used(&env, &["bob"]);
            assert_eq!(answer["auth_source"], "profile");
            // What was kept has told all there is to tell.
            if said.is_none() {
                let _ = fs::remove_file(env.path(&path));
            } else {
                env.write(&path, said.unwrap_or_default());
            }
        }
    }
}

#[test]
fn a_profile_by_email_alone_never_means_the_other_workspace() {
    let (env, alice, _) = world();
    let team = alice.clone().in_workspace("ws-team");
    backed_up(&env, &team);
    let path = format!("{PROFILES}/alice-2/profile.toml");
    env.write(&path, "email = \"alice@example.com\"\n");
    used(&env, &["alice"]);
    used(&env, &["alice-2"]);
    assert_eq!(env.read(LIVE), team.auth_json());
    // Without a login it may mean either.
    used(&env, &["bob"]);
    env.write(&path, "email = \"alice@example.com\"\n");
    fs::remove_file(env.path(&format!("{PROFILES}/alice-2/auth.json"))).expect("removes");
    refused(&env, &["use", "alice-2"], 2).stderr(
        "error: `alice-2` is more than one account: alice@example.com (ws-alice), profile `alice`; alice@example.com \
         (ws-team), profile `alice-3`\nhint: name the profile instead\n",
    );
}

#[test]
fn a_kept_login_that_a_wrong_clock_dated_does_not_hide_a_newer_one_of_a_snapshot() {
    let (env, alice, _) = world();
    env.write(LIVE, &renewed(&alice, 18));
    env.write("status.txt", &alice.panel(50, "15:55 on 21 Apr"));
    env.run(&BACKUP).code(0).stderr("");
    used(&env, &["bob"]);
    let mut ahead = alice.clone();
    "2100-01-01T00:00:00Z".clone_into(&mut ahead.last_refresh);
    env.write(&format!("{PROFILES}/alice/auth.json"), &ahead.auth_json());
    assert_eq!(used(&env, &["alice"])["auth_source"], "archive");
    assert_eq!(env.read(LIVE), renewed(&alice, 18));
}

#[test]
fn an_account_that_another_home_has_too_is_warned_of_and_its_login_there_counts() {
    let (env, alice, bob) = world();
    let other = env.path("other").display().to_string();
    let in_other = ["use", "alice", "--codex-home", &other];
    env.run(&in_other).code(0).stderr("");
    // Codex has renewed it there.
    env.write("other/auth.json", &renewed(&alice, 17));
    let warning = "warning: alice@example.com is signed in to `~/other` too: as soon as Codex renews the login in one of them, \
                   the other's no longer signs in\n";
    let dry = ["use", "alice", "--dry-run"];
    env.run(&dry).code(0).stderr(warning);
    env.run(&["use", "alice"]).code(0).stderr(warning);
    assert_eq!(env.read(LIVE), renewed(&alice, 17));
    // Signed out there, or another one in: nothing to tell.
    env.write("other/auth.json", &bob.auth_json());
    used(&env, &["-"]);
    used(&env, &["-"]);
}

#[test]
fn the_usual_home_counts_where_nobody_noted_who_is_signed_in_there() {
    let (env, alice, _) = world();
    fs::remove_file(env.path(".codex-manager/cooldown.json")).expect("removes");
    env.write(LIVE, &renewed(&alice, 17));
    let other = env.path("other").display().to_string();
    env.run(&["use", "alice", "--codex-home", &other])
        .code(0)
        .stderr(
            "warning: alice@example.com is signed in to `~/.codex` too: as soon as Codex renews the login in one of them, the \
             other's no longer signs in\n",
        );
    assert_eq!(env.read("other/auth.json"), renewed(&alice, 17));
}

#[cfg(unix)]
#[test]
fn a_login_that_a_killed_run_left_is_found() {
    let (env, _, _) = world();
    let carol = Person::named("carol");
    let left = ".codex-manager/tmp/login-work-AbCdEf";
    env.write(&format!("{left}/auth.json"), &carol.auth_json());
    env.run(&["use", "work"]).code(0).stderr(
        "warning: a run that was cut short left a login of carol@example.com: it is kept in the profile `work` now\n",
    );
    assert_eq!(env.read(LIVE), carol.auth_json());
    assert!(!env.path(left).exists());
}

#[test]
fn an_account_without_a_login_is_told() {
    let (env, _, _) = world();
    env.write(
        &format!("{PROFILES}/carol/profile.toml"),
        "email = \"carol@example.com\"\n",
    );
    refused(&env, &["use", "carol"], 10).stderr(
        "error: no login of carol@example.com is known: it is in no profile, in no snapshot and not in `~/.codex`\n\
         hint: sign in to it once: `codex-manager profile login NAME`\n",
    );
}

#[test]
fn what_cannot_be_kept_in_a_profile_is_kept_in_a_snapshot() {
    let (env, alice, _) = world();
    for (garbage, why) in [
        (
            "{\"tokens\":",
            "it is no login of Codex (line 1, column 10)",
        ),
        ("", "it is empty"),
    ] {
        env.write(LIVE, garbage);
        let ran = env.run(&["use", "alice", "--json"]).code(0);
        let warning = json!({"warning": {"message": format!("cannot tell whose login `~/.codex/auth.json` is: {why}")}});
        assert_eq!(ran.stderr, format!("{warning}\n"));
        let answer = ran.json();
        assert_eq!(env.read(LIVE), alice.auth_json());
        assert!(answer["safety_backup"].is_string());
        env.run(&["restore", "--undo", "--yes"]).code(0);
        assert_eq!(env.read(LIVE), garbage);
    }
}

#[test]
fn nobody_signed_in_and_no_home_at_all() {
    let (env, alice, bob) = world();
    fs::remove_file(env.path(LIVE)).expect("removes");
    used(&env, &["-"]);
    assert_eq!(env.read(LIVE), bob.auth_json());
    fs::remove_dir_all(env.path(".codex")).expect("removes");
    used(&env, &["alice"]);
    assert_eq!(env.read(LIVE), alice.auth_json());
    #[cfg(unix)]
    assert_eq!(
        (mode(&env.path(".codex")), mode(&env.path(LIVE))),
        (0o700, 0o600)
    );
}

#[test]
fn a_dry_run_changes_nothing() {
    let (env, _, _) = world();
    let tree = || (env.tree(".codex"), env.tree(".codex-manager"));
    let before = tree();
    env.run(&["use", "alice", "--dry-run", "--restart-hint"]).code(0).stderr("").stdout(
        "dry-run   alice@example.com (plus)\ninto      ~/.codex\nlogin     that of the profile `alice`\nbefore    bob@example.com\n\
         restart   nothing: no Codex is open on this home\n",
    );
    let answer = used(&env, &["alice", "--dry-run", "--restart-hint"]);
    assert_eq!(
        (&answer["mode"], &answer["restart"]),
        (&json!("dry-run"), &json!([]))
    );
    assert_eq!(tree(), before);
}

#[test]
fn a_codex_that_keeps_its_login_elsewhere_is_refused() {
    let (env, _, _) = world();
    for store in ["keyring", "auto", "ephemeral"] {
        env.write(
            ".codex/config.toml",
            &format!("cli_auth_credentials_store = \"{store}\"\n"),
        );
        refused(&env, &["use", "alice"], 1).stderr(&format!(
            "error: codex keeps its login elsewhere than in `~/.codex/auth.json`: its config.toml says \
             `cli_auth_credentials_store = \"{store}\"`; nothing was changed\nhint: set it to \"file\" there, and sign in again\n"
        ));
    }
    env.write(
        ".codex/config.toml",
        "cli_auth_credentials_store = \"file\"\n",
    );
    used(&env, &["alice"]);
}

#[test]
fn a_variable_that_beats_the_login_is_warned_of() {
    let (env, _, _) = world();
    let args = ["use", "alice"];
    let mut command = env.command(&args);
    command
        .env("CODEX_API_KEY", "sk-made-up")
        .env("OPENAI_API_KEY", "sk-made-up");
    env.ran(&mut command, &args).code(0).stderr(
        "warning: the environment variable CODEX_API_KEY is set here: a Codex that is started with it signs in by that, not \
         by the login\n",
    );
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_and_kept_and_a_second_name_keeps_what_it_had() {
    use std::os::unix::fs::symlink;
    let (env, alice, bob) = world();
    fs::create_dir(env.path("kept")).expect("makes");
    fs::rename(env.path(LIVE), env.path("kept/login.json")).expect("moves");
    fs::hard_link(env.path("kept/login.json"), env.path("kept/twin.json")).expect("links");
    symlink("../kept/login.json", env.path(LIVE)).expect("links");
    // What a killed run left beside the file goes.
    env.write("kept/.codex-manager-tmp-abcdef", "half");
    used(&env, &["alice"]);
    assert!(
        fs::symlink_metadata(env.path(LIVE))
            .expect("looks")
            .is_symlink()
    );
    assert_eq!(env.read("kept/login.json"), alice.auth_json());
    assert_eq!(env.read("kept/twin.json"), bob.auth_json());
    assert_eq!(
        env.files("kept"),
        ["login.json", "login.json.lock", "twin.json"]
    );
    assert_eq!(mode(&env.path("kept/login.json")), 0o600);
    // One that leads nowhere is not guessed at.
    fs::remove_dir_all(env.path("kept")).expect("removes");
    let ran = refused(&env, &["use", "bob"], 1);
    assert!(
        ran.stderr.starts_with(
            "error: `~/.codex/auth.json` is a link to where no directory is; nothing was changed\n"
        ),
        "{}",
        ran.stderr
    );
}

#[cfg(unix)]
#[test]
fn a_home_that_cannot_be_written_keeps_its_login() {
    use std::os::unix::fs::PermissionsExt;
    if rustix::process::geteuid().is_root() {
        // No right is refused to root: see `unprivileged` and the faults that are made there.
        return;
    }
    let (env, _, _) = world();
    let home = env.path(".codex");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o500)).expect("sets");
    let before = prints(&home);
    env.run(&["use", "alice"]).code(1);
    assert_eq!(prints(&home), before);
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).expect("sets");
}

/// Codex holds this lock while it renews a login: what it writes meanwhile is what is kept.
#[cfg(unix)]
#[test]
fn a_renewal_under_codexs_lock_is_waited_for_and_kept() {
    let (env, alice, bob) = world();
    for lock in ["auth.lock", "auth.json.lock"] {
        used(&env, &["bob"]);
        let held = fs::File::create(env.path(&format!(".codex/{lock}"))).expect("opens");
        held.lock().expect("locks");
        let mut child = env
            .command(&["use", "alice"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("starts");
        // It is in the wait for the lock once it has the one of the manager home.
        let manager = env.path(".codex-manager/lock");
        let is_waiting = || {
            let lock = fs::File::open(&manager).expect("opens");
            lock.try_lock().is_err()
        };
        while !is_waiting() {
            assert!(child.try_wait().expect("asks").is_none(), "it did not wait");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(env.read(LIVE), current(&env, "bob"));
        let day = if lock == "auth.lock" { 16 } else { 17 };
        env.write(LIVE, &renewed(&bob, day));
        drop(held);
        assert!(child.wait().expect("ends").success());
        assert_eq!(env.read(LIVE), alice.auth_json());
        assert_eq!(current(&env, "bob"), renewed(&bob, day));
    }
}

#[cfg(unix)]
fn current(env: &Env, profile: &str) -> String {
    env.read(&format!("{PROFILES}/{profile}/auth.json"))
}

#[test]
fn recommend_signs_in_whom_it_names() {
    let (env, alice, _) = world();
    let before = rest(&env);
    env.run(&["recommend", "--use", "--dry-run"])
        .code(0)
        .stderr("");
    let ran = env.run(&["recommend", "--use"]).code(0).stderr("");
    assert!(
        ran.stdout.starts_with("account    alice@example.com\n")
            && ran
                .stdout
                .ends_with("\nused       in ~/.codex: that of the profile `alice`\n"),
        "{}",
        ran.stdout
    );
    assert_eq!(env.read(LIVE), alice.auth_json());
    assert_eq!(rest(&env), before);
    let answer = env
        .run(&["recommend", "--use", "--json"])
        .code(0)
        .stderr("")
        .json();
    has_keys(
        &answer,
        &["account", "reason", "policy", "ready"],
        &["used"],
    );
    assert_eq!(answer["used"]["email"], answer["account"]["email"]);
    assert_eq!(answer["used"]["auth_source"], "profile");
    let ran = env.run(&["recommend", "--force"]).code(2);
    assert!(ran.stderr.contains("--use"), "{}", ran.stderr);
}

#[test]
fn recommend_passes_over_an_account_without_a_login_and_signs_nobody_in_who_must_wait() {
    let (env, alice, bob) = world();
    fs::remove_dir_all(env.path(BACKUPS)).expect("removes");
    fs::remove_dir_all(env.path(&format!("{PROFILES}/alice"))).expect("removes");
    let ran = env.run(&["recommend", "--use"]).code(0);
    assert_eq!(
        ran.stderr,
        "warning: alice@example.com is passed over: no login of alice@example.com is known: it is in no profile, in no \
         snapshot and not in `~/.codex`\n"
    );
    assert!(
        ran.stdout.starts_with("account    bob@example.com\n"),
        "{}",
        ran.stdout
    );
    assert_eq!(env.read(LIVE), bob.auth_json());
    for person in [&alice, &bob] {
        env.write(LIVE, &person.auth_json());
        env.write("status.txt", &person.panel(0, "15:55 on 21 Apr"));
        env.run(&BACKUP).code(0).stderr("");
    }
    let before = (env.tree(".codex"), env.tree(".codex-manager"));
    let ran = env.run(&["recommend", "--use"]).code(4).stderr("");
    assert!(!ran.stdout.contains("used"), "{}", ran.stdout);
    assert_eq!((env.tree(".codex"), env.tree(".codex-manager")), before);
}

#[test]
fn recommend_passes_over_an_account_whose_only_login_is_in_a_damaged_snapshot() {
    let (env, _, bob) = world();
    fs::remove_dir_all(env.path(&format!("{PROFILES}/alice"))).expect("removes");
    let mut archives = env.files(BACKUPS);
    archives.retain(|path| path.ends_with("-alice@example.com-codex.tar.gz"));
    let archive = env.path(&format!("{BACKUPS}/{}", archives[0]));
    let mut bytes = fs::read(&archive).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&archive, bytes).expect("writes");
    let ran = env.run(&["recommend", "--use"]).code(0);
    let start = "warning: alice@example.com is passed over: `~/.codex-manager/backups/";
    assert!(
        ran.stderr.starts_with(start) && ran.stderr.lines().count() == 1,
        "{}",
        ran.stderr
    );
    assert_eq!(env.read(LIVE), bob.auth_json());
}

#[test]
fn a_login_that_has_ended_for_good_is_warned_of() {
    let (env, alice, _) = world();
    let mut login: Value = serde_json::from_str(&alice.auth_json()).expect("JSON");
    // Its claims have no end: then it is the refresh token that counts.
    login["tokens"]
        .as_object_mut()
        .expect("tokens")
        .remove("refresh_token");
    let login = serde_json::to_string_pretty(&login).expect("JSON");
    env.write(&format!("{PROFILES}/alice/auth.json"), &login);
    env.run(&["use", "alice"]).code(0).stderr(
        "warning: the login of alice@example.com has ended, and nothing is there to renew it with: sign in anew by \
         `codex-manager profile login NAME`\n",
    );
    assert_eq!(env.read(LIVE), login);
}

#[test]
fn errors_are_json_where_that_was_asked_for() {
    let (env, _, _) = world();
    let ran = refused(&env, &["use", "carol", "--json"], 10);
    let (kind, message, _) = json_error(&ran);
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("not-found", "no account or profile is called `carol`")
    );
}

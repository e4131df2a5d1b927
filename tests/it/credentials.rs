//! The login each profile keeps: which runs save it, which login a restore installs, and what is never overwritten.

use std::fs;
#[cfg(unix)]
use std::fs::File;

use serde_json::Value;

use crate::common::{Env, NOW, Person};
use crate::worlds::prints;
#[cfg(unix)]
use crate::{
    misbehaving::{World, usual},
    worlds::mode,
};

const PROFILES: &str = ".codex-manager/profiles";
const LIVE: &str = ".codex/auth.json";
const BACKUP: [&str; 3] = ["backup", "--status-file", "status.txt"];
const API_KEY: &str = "{\"OPENAI_API_KEY\": \"sk-made-up-secret\"}\n";

/// The same person after Codex has renewed the login on that day of April.
fn renewed(person: &Person, day: u8) -> String {
    let person = Person {
        last_refresh: format!("2026-04-{day:02}T01:02:03.456789Z"),
        ..person.clone()
    };
    person.auth_json()
}

fn status(env: &Env, person: &Person) {
    env.write("status.txt", &person.panel(66, "15:55 on 21 Apr"));
}

/// Signs the person in, and makes a snapshot of the home.
#[track_caller]
fn backed_up(env: &Env, person: &Person, config: &str) {
    env.write(LIVE, &person.auth_json());
    env.write(".codex/config.toml", config);
    status(env, person);
    env.run(&BACKUP).code(0).stderr("");
}

/// A world with snapshots of alice and of bob, who is signed in.
fn world() -> (Env, Person, Person) {
    let env = Env::new();
    let (alice, bob) = (Person::named("alice"), Person::named("bob"));
    env.codex_home(&alice);
    backed_up(&env, &alice, "model = \"alices\"\n");
    backed_up(&env, &bob, "model = \"bobs\"\n");
    (env, alice, bob)
}

#[track_caller]
fn restored(env: &Env, args: &[&str]) -> Value {
    let all = [&["restore", "--json", "--yes"], args].concat();
    env.run(&all).code(0).stderr("").json()
}

fn kept(env: &Env, profile: &str) -> String {
    env.read(&format!("{PROFILES}/{profile}/auth.json"))
}

#[test]
fn there_and_back_ends_with_the_newest_login_and_the_home_as_archived() {
    let (env, alice, bob) = world();
    assert_eq!(
        env.files(PROFILES),
        [
            "alice/auth.json",
            "alice/profile.toml",
            "bob/auth.json",
            "bob/profile.toml"
        ]
    );
    assert_eq!(
        env.read(&format!("{PROFILES}/alice/profile.toml")),
        format!(
            "email = \"alice@example.com\"\naccount_id = \"ws-alice\"\nuser_id = \"user-alice\"\nplan_type = \"plus\"\n{}",
            env.used_here(NOW)
        )
    );
    assert_eq!(
        restored(&env, &["alice@example.com"])["auth_source"],
        "archive"
    );
    assert_eq!(env.read(LIVE), alice.auth_json());
    env.write(LIVE, &renewed(&alice, 15));
    assert_eq!(
        restored(&env, &["bob@example.com"])["auth_source"],
        "archive"
    );
    env.write(LIVE, &renewed(&bob, 16));
    env.write(".codex/config.toml", "model = \"changed\"\n");
    // What will be is what the dry run says.
    let args = ["restore", "alice@example.com", "--dry-run", "--json"];
    assert_eq!(env.run(&args).code(0).json()["auth_source"], "profile");
    let ran = env
        .run(&["restore", "alice@example.com", "--yes"])
        .code(0)
        .stderr("");
    assert!(
        ran.stdout
            .contains("\nlogin     that of the profile `alice`: it is newer\n"),
        "{}",
        ran.stdout
    );
    assert_eq!(env.read(LIVE), renewed(&alice, 15));
    assert_eq!(env.read(".codex/config.toml"), "model = \"alices\"\n");
    let answer = restored(&env, &["bob@example.com", "--auth-only"]);
    assert_eq!(answer["auth_source"], "profile");
    assert_eq!(env.read(LIVE), renewed(&bob, 16));
    assert_eq!(
        (kept(&env, "alice"), kept(&env, "bob")),
        (renewed(&alice, 15), renewed(&bob, 16))
    );
}

#[test]
fn a_newer_live_login_stays_and_the_archives_is_to_be_had() {
    let (env, _, bob) = world();
    env.write(LIVE, &renewed(&bob, 16));
    let ran = env
        .run(&["restore", "bob@example.com", "--yes"])
        .code(0)
        .stderr("");
    assert!(
        ran.stdout
            .contains("\nlogin     the one that is signed in: it is newer\n"),
        "{}",
        ran.stdout
    );
    assert_eq!(restored(&env, &["bob@example.com"])["auth_source"], "live");
    assert_eq!(env.read(LIVE), renewed(&bob, 16));
    for scope in [
        &["--archived-auth"][..],
        &["--archived-auth", "--auth-only"],
    ] {
        let answer = restored(&env, &[&["bob@example.com"], scope].concat());
        assert_eq!(answer["auth_source"], "archive");
        assert_eq!(env.read(LIVE), bob.auth_json());
        // The old one does not take the newer one's place.
        assert_eq!(kept(&env, "bob"), renewed(&bob, 16));
    }
    assert_eq!(
        restored(&env, &["bob@example.com"])["auth_source"],
        "profile"
    );
}

#[test]
fn undo_brings_no_login_back_that_was_renewed_since() {
    let (env, alice, bob) = world();
    env.write(".codex/config.toml", "model = \"bobs own\"\n");
    restored(&env, &["alice@example.com"]);
    // Nothing newer is known of bob: exactly what was there.
    assert_eq!(restored(&env, &["--undo"])["auth_source"], "archive");
    assert_eq!(env.read(LIVE), bob.auth_json());
    restored(&env, &["alice@example.com"]);
    // Bob was signed in elsewhere meanwhile, and saved.
    env.write("other/auth.json", &renewed(&bob, 17));
    status(&env, &bob);
    let args = [
        &BACKUP[..],
        &["--source-dir", "other", "--backup-dir", "elsewhere"],
    ]
    .concat();
    env.run(&args).code(0).stderr("");
    assert_eq!(kept(&env, "bob"), renewed(&bob, 17));
    assert_eq!(restored(&env, &["--undo"])["auth_source"], "profile");
    assert_eq!(env.read(LIVE), renewed(&bob, 17));
    assert_eq!(env.read(".codex/config.toml"), "model = \"bobs own\"\n");
    assert_eq!(kept(&env, "alice"), alice.auth_json());
}

#[test]
fn workspaces_of_one_email_and_members_of_one_team_are_never_mixed() {
    let env = Env::new();
    let alice = Person::named("alice");
    let of_team = alice.clone().in_workspace("team");
    let bob = Person::named("bob").in_workspace("team");
    env.codex_home(&alice);
    let people = [(&alice, "alice"), (&of_team, "alice-2"), (&bob, "bob")];
    for (person, _) in people {
        backed_up(&env, person, "");
    }
    for ((person, profile), day) in people.into_iter().zip(15..) {
        env.write(LIVE, &renewed(person, day));
        status(&env, person);
        env.run(&BACKUP).code(0).stderr("");
        assert_eq!(kept(&env, profile), renewed(person, day));
    }
    assert_eq!(env.files(PROFILES).len(), 6);
    let archives = env.files(".codex-manager/backups/superseded");
    for ((_, profile), (who, day)) in people.into_iter().zip([
        ("-alice@example.com-codex.tar.gz", 15),
        ("-alice@example.com~team-codex.tar.gz", 16),
        ("-bob@example.com-codex.tar.gz", 17),
    ]) {
        let old = archives.iter().find(|name| name.ends_with(who));
        let path = format!(
            ".codex-manager/backups/superseded/{}",
            old.expect("superseded")
        );
        env.write(LIVE, API_KEY);
        assert_eq!(
            restored(&env, &[&path, "--auth-only"])["auth_source"],
            "profile"
        );
        assert_eq!(env.read(LIVE), kept(&env, profile));
        assert_eq!(
            env.read(LIVE),
            renewed(people[usize::from(day) - 15].0, day)
        );
    }
}

#[test]
fn what_cannot_be_read_as_a_login_is_not_replaced_where_nothing_else_holds_it() {
    let (env, alice, _) = world();
    let args = [
        "restore",
        "alice@example.com",
        "--yes",
        "--no-safety-backup",
    ];
    let cut = alice.auth_json();
    for junk in [&cut[..cut.len() / 2], "{\"tokens\":{}}", "\u{feff}{}"] {
        env.write(LIVE, junk);
        let before = env.tree(".codex");
        let ran = env.run(&args).code(1).stdout("");
        let why = "cannot be kept, and there is to be no safety copy of it; nothing was changed";
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
        assert_eq!(env.tree(".codex"), before);
    }
    // With a copy it is, and so is what holds nothing.
    env.run(&args[..3]).code(0);
    assert_eq!(env.read(LIVE), alice.auth_json());
    env.write(LIVE, "");
    env.run(&args).code(0);
    assert_eq!(env.read(LIVE), alice.auth_json());
}

#[test]
fn a_login_nobody_knows_is_kept_before_it_is_replaced() {
    let (env, alice, _) = world();
    let carol = Person::named("carol");
    env.write(LIVE, &carol.auth_json());
    let args = [
        "restore",
        "alice@example.com",
        "--yes",
        "--no-safety-backup",
        "--verbose",
    ];
    let ran = env.run(&args).code(0);
    assert!(
        ran.stderr
            .contains("the login of carol@example.com is kept in the profile `carol`\n"),
        "{}",
        ran.stderr
    );
    assert_eq!(kept(&env, "carol"), carol.auth_json());
    assert_eq!(env.read(LIVE), alice.auth_json());
    env.write(LIVE, API_KEY);
    restored(&env, &["alice@example.com"]);
    let key = env
        .files(PROFILES)
        .into_iter()
        .find(|name| name.starts_with("apikey-"));
    assert_eq!(
        env.read(&format!("{PROFILES}/{}", key.expect("kept"))),
        API_KEY
    );
    // Where there is no login, there is nothing to keep.
    let before = env.tree(PROFILES);
    fs::remove_file(env.path(LIVE)).expect("removes");
    restored(&env, &["alice@example.com"]);
    assert_eq!(env.tree(PROFILES), before);
}

#[cfg(unix)]
#[test]
fn a_profile_is_private() {
    let (env, _, _) = world();
    for (path, expected) in [
        ("", 0o700),
        ("/alice", 0o700),
        ("/alice/auth.json", 0o600),
        ("/alice/profile.toml", 0o600),
    ] {
        assert_eq!(
            mode(&env.path(&format!("{PROFILES}{path}"))) & 0o777,
            expected,
            "{path}"
        );
    }
}

#[test]
fn what_was_kept_is_not_written_again_and_a_dry_run_writes_nothing() {
    let (env, alice, bob) = world();
    let before = prints(&env.path(PROFILES));
    env.run(&BACKUP).code(0).stderr("");
    restored(&env, &["bob@example.com"]);
    restored(&env, &["alice@example.com"]);
    assert_eq!(prints(&env.path(PROFILES)), before);
    env.write(LIVE, &renewed(&bob, 18));
    let before = env.tree("");
    for args in [
        &["backup", "--offline", "--dry-run"][..],
        &["restore", "alice@example.com", "--dry-run"],
        &["list-backups"],
        &["cooldown"],
        &["recommend"],
    ] {
        env.run(args).code(0);
    }
    assert_eq!(env.tree(""), before);
    assert_eq!(kept(&env, "alice"), alice.auth_json());
}

#[test]
fn broken_files_are_told_and_stay() {
    let (env, alice, bob) = world();
    let auth = format!("{PROFILES}/alice/auth.json");
    let told = format!(
        "warning: the kept login `~/{auth}` cannot be used: it is empty; it stays as it is until you move it away\n"
    );
    env.write(&auth, "");
    env.write(LIVE, &renewed(&alice, 16));
    status(&env, &alice);
    env.run(&BACKUP).code(0).stderr(&told);
    assert_eq!(env.read(&auth), "");
    // Once, though both the one that is replaced and the one that is installed are hers.
    env.run(&["restore", "alice@example.com", "--yes", "--quiet"])
        .code(0)
        .stderr(&told);
    // Where nothing else would hold it, it is not replaced.
    let before = env.tree(".codex");
    let ran = env
        .run(&[
            "restore",
            "alice@example.com",
            "--yes",
            "--no-safety-backup",
        ])
        .code(1);
    assert!(
        ran.stderr
            .contains("cannot be kept, and there is to be no safety copy of it"),
        "{}",
        ran.stderr
    );
    assert_eq!(env.tree(".codex"), before);
    env.write(LIVE, &bob.auth_json());
    let ran = env
        .run(&["restore", "alice@example.com", "--yes", "--json"])
        .code(0);
    assert_eq!(ran.json()["auth_source"], "archive");
    assert!(
        ran.stderr.contains("cannot be used: it is empty"),
        "{}",
        ran.stderr
    );
    assert_eq!(env.read(LIVE), renewed(&alice, 16));
    // A profile that cannot be read still holds whose login lies in it.
    let toml = format!("{PROFILES}/bob/profile.toml");
    env.write(&toml, "pausd = true\n");
    env.write(LIVE, &renewed(&bob, 16));
    status(&env, &bob);
    let ran = env.run(&BACKUP).code(0);
    assert!(
        ran.stderr.contains("unknown field `pausd`"),
        "{}",
        ran.stderr
    );
    assert_eq!(env.read(&toml), "pausd = true\n");
    assert_eq!(kept(&env, "bob"), renewed(&bob, 16));
    assert_eq!(env.files(PROFILES).len(), 4);
}

#[test]
fn a_profile_written_by_hand_is_completed_or_left_to_whom_it_means() {
    let hand_made = "# mine\nemail = \"alice@example.com\"\nalias = \"al\"\n";
    let profile = format!("{PROFILES}/job/profile.toml");
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write(&profile, hand_made);
    backed_up(&env, &alice, "");
    assert_eq!(
        env.read(&profile),
        format!(
            "{hand_made}account_id = \"ws-alice\"\nuser_id = \"user-alice\"\nplan_type = \"plus\"\n{}",
            env.used_here(NOW)
        )
    );
    assert_eq!(kept(&env, "job"), alice.auth_json());
    // Another workspace of that email is another account.
    backed_up(&env, &alice.clone().in_workspace("team"), "");
    assert_eq!(
        env.files(PROFILES),
        [
            "alice/auth.json",
            "alice/profile.toml",
            "job/auth.json",
            "job/profile.toml"
        ]
    );
    // Two are known: the profile may mean either.
    fs::remove_dir_all(env.path(PROFILES)).expect("removes");
    env.write(&profile, hand_made);
    backed_up(&env, &alice, "");
    assert_eq!(env.read(&profile), hand_made);
    assert_eq!(kept(&env, "alice"), alice.auth_json());
}

#[cfg(unix)]
#[test]
fn status_and_the_live_tables_keep_it_and_a_held_lock_is_no_failure_of_status() {
    let world = World::of(&usual());
    let env = &world.env;
    let auth = format!("{PROFILES}/alice/auth.json");
    world.run(&["status", "--json"]).code(0).stderr("");
    assert_eq!(env.read(&auth), env.read(LIVE));
    for (command, day) in [("cooldown", 15), ("recommend", 16), ("status", 17)] {
        env.write(&auth, &renewed(&Person::named("alice"), day));
        if command != "status" {
            world
                .run(&[command, "--live", "--dry-run"])
                .code(0)
                .stderr("");
            assert_ne!(env.read(&auth), env.read(LIVE), "{command}");
            world.run(&[command, "--live"]).code(0).stderr("");
            assert_eq!(env.read(&auth), env.read(LIVE), "{command}");
        }
    }
    let before = env.tree(".codex-manager");
    let lock = File::options()
        .write(true)
        .open(env.path(".codex-manager/lock"))
        .expect("opens");
    lock.lock().expect("locks");
    world.run(&["status", "--json"]).code(0).stderr("");
    let ran = world.run(&["status", "--verbose"]).code(0);
    assert!(
        ran.stderr.contains(
            "the login is not kept in its profile now: `~/.codex-manager/lock` is held by "
        ),
        "{}",
        ran.stderr
    );
    assert_eq!(env.tree(".codex-manager"), before);
    drop(lock);
    world.run(&["status"]).code(0).stderr("");
    assert_eq!(env.read(&auth), env.read(LIVE));
    assert_eq!(
        env.files(PROFILES),
        ["alice/auth.json", "alice/profile.toml"]
    );
}

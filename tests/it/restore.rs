//! `restore`: how a snapshot is named, what is replaced and what stays, `--undo`, and what is refused untouched.

use std::fs;

use serde_json::{Value, json};
use tar::EntryType;

use crate::common::{Env, Person, Ran};
use crate::tarball::Tarball;

const BACKUPS: &str = ".codex-manager/backups";
const BASE: &str = "2026-04-14-155500-alice@example.com-codex";
const ARCHIVE: &str = ".codex-manager/backups/2026-04-14-155500-alice@example.com-codex.tar.gz";
const SIDECAR: &str =
    ".codex-manager/backups/2026-04-14-155500-alice@example.com-codex.metadata.json";
const SAFETY: &str = ".codex-manager/backups/safety/2026-04-19-153000";
const BACKUP: [&str; 3] = ["backup", "--status-file", "status.txt"];
const BY_EMAIL: [&str; 3] = ["restore", "alice@example.com", "--yes"];

/// What a snapshot of the world's home holds, by [`Env::codex_home`].
const CAPTURED: [&str; 5] = [
    "auth.json",
    "config.toml",
    "history.jsonl",
    "installation_id",
    "sessions/2026/04/14/rollout-1.jsonl",
];

type Tree = Vec<(String, String)>;

/// A world with a snapshot of alice's home.
fn world() -> (Env, Person) {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    env.run(&BACKUP).code(0).stderr("");
    (env, alice)
}

/// The same, with bob signed in since and his own things about. What stood when alice's snapshot was made, and now.
fn changed_world() -> (Env, Tree, Tree) {
    let (env, _) = world();
    let old = home(&env);
    env.write(".codex/auth.json", &Person::named("bob").auth_json());
    env.write(".codex/config.toml", "model = \"bobs\"\n");
    env.write(".codex/sessions/2026/04/18/rollout-2.jsonl", "bob\n");
    env.write(".codex/prompts/mine.md", "bob\n");
    fs::remove_file(env.path(".codex/history.jsonl")).expect("removes");
    let new = home(&env);
    (env, old, new)
}

fn home(env: &Env) -> Tree {
    env.tree(".codex")
}

#[track_caller]
fn restored(env: &Env, target: &str) {
    env.run(&["restore", target, "--yes"]).code(0).stderr("");
}

/// The archive that a dry run with these arguments would restore.
#[track_caller]
fn chosen(env: &Env, args: &[&str]) -> String {
    let all: Vec<&str> = ["restore", "--json", "--dry-run"]
        .iter()
        .chain(args)
        .copied()
        .collect();
    let answer = env.run(&all).code(0).stderr("").json();
    assert_eq!(answer["mode"], "dry-run");
    answer["archive"].as_str().expect("a path").to_owned()
}

/// Runs and expects that nothing at all changed below HOME.
#[track_caller]
fn refused(env: &Env, args: &[&str], code: i32) -> Ran {
    let before = env.tree("");
    let ran = env.run(args).code(code).stdout("");
    assert_eq!(env.tree(""), before, "{}", ran.stderr);
    ran
}

#[test]
fn the_whole_home_comes_back_and_is_told() {
    let (env, old, new) = changed_world();
    env.run(&BY_EMAIL).code(0).stderr("").stdout(&format!(
        "restored  ~/{ARCHIVE}\ninto      ~/.codex\naccount   alice@example.com\nwindow    \
         2026-04-14T15:55:00+05:30 to 2026-04-21T15:55:00+05:30\nfiles     5\nreplaced  \
         ~/{SAFETY}/2026-04-19-153000-bob@example.com-codex.tar.gz (`codex-manager restore --undo` puts it back)\n"
    ));
    assert_eq!(home(&env), old);
    env.run(&["--json", "restore", "--undo", "--yes"])
        .code(0)
        .stderr("");
    assert_eq!(home(&env), new);
    let answer = env
        .run(&["--json", "restore", "alice@example.com", "--yes"])
        .code(0)
        .stderr("")
        .json();
    assert_eq!(
        answer,
        json!({
            "mode": "restored",
            "archive": format!("~/{ARCHIVE}"),
            "destination": "~/.codex",
            "email": "alice@example.com",
            "auth_source": "archive",
            "safety_backup": format!("~/{SAFETY}-003/2026-04-19-153000-bob@example.com-codex.tar.gz"),
            "files": 5,
            "parts": null,
        })
    );
}

#[test]
fn a_dry_run_shows_the_plan_and_changes_nothing() {
    let (env, _, _) = changed_world();
    let before = env.tree("");
    env.run(&["restore", "alice@example.com", "--dry-run"])
        .code(0)
        .stderr("")
        .stdout(&format!(
            "dry-run   ~/{ARCHIVE}\ninto      ~/.codex\naccount   alice@example.com\nwindow    \
             2026-04-14T15:55:00+05:30 to 2026-04-21T15:55:00+05:30\nfiles     5\nreplace   auth.json (542 B, was 528 B)\nreplace   \
             config.toml (18 B, was 15 B)\nadd       history.jsonl (17 B)\nremove    prompts/mine.md (4 B)\nremove    \
             sessions/2026/04/18/rollout-2.jsonl (4 B)\nin all    1 to add, 2 to replace, 2 to remove, 2 as they are\n"
        ));
    assert_eq!(env.tree(""), before);
}

#[test]
fn every_way_to_name_a_snapshot() {
    let (env, _) = world();
    env.write(
        ".codex-manager/profiles/job/profile.toml",
        "email = \"alice@example.com\"\nalias = \"al\"\n",
    );
    fs::create_dir(env.path("elsewhere")).expect("makes");
    for (from, to) in [
        (ARCHIVE, "elsewhere/a.tar.gz"),
        (SIDECAR, "elsewhere/a.metadata.json"),
    ] {
        fs::copy(env.path(from), env.path(to)).expect("copies");
    }
    let absolute = env.path(ARCHIVE).display().to_string();
    let with_suffix = format!("{BASE}.tar.gz");
    for args in [
        vec!["alice@example.com"],
        vec!["ALICE@Example.com"],
        vec!["al"],
        vec![BASE],
        vec![&with_suffix],
        vec![&absolute],
        vec![ARCHIVE],
        vec!["--email", "alice@example.com"],
        vec!["--from-archive", BASE],
        vec!["--from-archive", &with_suffix],
        vec!["--from-archive", &absolute],
        vec!["--session-start", "2026-04-14T15:55:00+05:30"],
        vec!["--session-start", "2026-04-14T10:25:00Z"],
        vec!["--session-start", "2026-04-14-155500"],
        vec!["--session-start", "2026-04-14 15:55"],
        vec!["--session-start", "2026-04-14T15:55:00"],
        vec!["--session-start", "2026-04-14"],
        vec!["--session-start", "20260414155500"],
        vec!["--session-start", "2026"],
        vec!["alice@example.com", "--session-start", "2026-04-14"],
        vec![
            "--email",
            "alice@example.com",
            "--session-start",
            "2026-04-14",
        ],
    ] {
        assert_eq!(chosen(&env, &args), format!("~/{ARCHIVE}"), "{args:?}");
    }
    for args in [
        vec!["elsewhere/a.tar.gz"],
        vec!["--from-archive", "elsewhere/a.tar.gz"],
        vec!["./elsewhere/a.tar.gz"],
    ] {
        let path = chosen(&env, &args);
        assert!(
            path.starts_with("~/") && path.ends_with("elsewhere/a.tar.gz"),
            "{path}"
        );
    }
    assert_eq!(
        chosen(&env, &["--backup-dir", "elsewhere", "a"]),
        "~/elsewhere/a.tar.gz"
    );
}

#[test]
fn the_newest_whole_home_is_taken_and_a_window_chooses_among_more() {
    let (mut env, alice) = world();
    env.set_now("2026-04-22T10:00:00+05:30");
    env.write(".codex/history.jsonl", "later\n");
    env.write("status.txt", &alice.panel(90, "9:00 on 29 Apr"));
    env.run(&BACKUP).code(0).stderr("");
    let later = format!("~/{BACKUPS}/2026-04-22-090000-alice@example.com-codex.tar.gz");
    assert_eq!(chosen(&env, &["alice@example.com"]), later);
    assert_eq!(
        chosen(
            &env,
            &["alice@example.com", "--session-start", "2026-04-14"]
        ),
        format!("~/{ARCHIVE}")
    );
    assert_eq!(chosen(&env, &["--session-start", "2026-04-22"]), later);
    assert_eq!(chosen(&env, &["--session-start", "2026-04"]), later);
    // A newer login alone does not stand for the home, and is not kept silent either.
    env.set_now("2026-04-30T10:00:00+05:30");
    env.write("status.txt", &alice.panel(90, "9:00 on 7 May"));
    env.run(&["backup", "--status-file", "status.txt", "--auth-only"])
        .code(0);
    let login = "2026-04-30-090000-alice@example.com-codex.tar.gz";
    let ran = env
        .run(&["restore", "--json", "--dry-run", "alice@example.com"])
        .code(0)
        .stderr(&format!(
            "{{\"warning\":{{\"message\":\"a newer login of this account is in `{login}`; this restores the newest whole home\"}}}}\n"
        ));
    assert_eq!(ran.json()["archive"], later);
    assert_eq!(
        chosen(&env, &["alice@example.com", "--auth-only"]),
        format!("~/{BACKUPS}/{login}")
    );
}

#[test]
fn what_names_nothing_or_too_much_is_refused() {
    let (env, alice) = world();
    for target in [
        "nobody@example.com",
        "lice@example.com",
        "none.tar.gz",
        "2026-04-15",
    ] {
        refused(&env, &["restore", target, "--yes"], 10).stderr(&format!(
            "error: no backup of `{target}` in `~/{BACKUPS}`\nhint: `codex-manager list-backups` shows every archive and account there\n"
        ));
    }
    for args in [&["no/such/path"][..], &["--from-archive", "no/such/path"]] {
        let args = [&["restore", "--yes"], args].concat();
        refused(&env, &args, 10).stderr(&format!(
            "error: there is no archive `no/such/path`, here or in `~/{BACKUPS}`\nhint: `codex-manager list-backups` shows every archive and account there\n"
        ));
    }
    refused(
        &env,
        &["restore", "--from-archive", "alice@example.com", "--yes"],
        10,
    );
    refused(&env, &["restore", "--session-start", "2026-04-15", "--yes"], 10).stderr(&format!(
        "error: no backup of a window that began `2026-04-15` in `~/{BACKUPS}`\nhint: `codex-manager list-backups` shows every archive and account there\n"
    ));
    refused(&env, &["restore", "--session-start", "yesterday", "--yes"], 2).stderr(
        "error: `yesterday` is no time a window could have opened\nhint: write it as in the archive's name, 2026-04-14-155500, or the beginning of it\n",
    );
    refused(&env, &["restore", "--yes"], 2).stderr(
        "error: nothing says what to restore\nhint: name an email, an alias or an archive; `codex-manager list-backups` shows them\n",
    );
    refused(&env, &["restore", "alice@example.com"], 2).stderr(
        "error: this replaces files, and nobody is there to be asked\nhint: say `--yes` to go on, or `--dry-run` to see what would be done\n",
    );
    refused(&env, &["restore", "--undo", "--yes"], 10).stderr(&format!(
        "error: no restore into `~/.codex` kept what it replaced below `~/{BACKUPS}/safety`\nhint: `codex-manager list-backups` shows the snapshots that can be restored\n"
    ));
    for conflict in [
        ["alice@example.com", "--undo"],
        ["alice@example.com", "--email=x"],
        ["--from-archive=x", "--email=x"],
    ] {
        refused(&env, &["restore", "--yes", conflict[0], conflict[1]], 2);
    }
    // Two workspaces of one email.
    env.write(
        ".codex/auth.json",
        &alice.clone().in_workspace("team").auth_json(),
    );
    env.run(&BACKUP).code(0);
    let before = env.tree("");
    for args in [
        ["restore", "alice@example.com", "--yes"],
        ["restore", "--email=alice@example.com", "--yes"],
    ] {
        env.run(&args).code(2).stdout("").stderr(
            "error: `alice@example.com` is more than one account: alice@example.com (team): 2026-04-14-155500-alice@example.com~team-codex.tar.gz, alice@example.com (ws-alice): 2026-04-14-155500-alice@example.com-codex.tar.gz\nhint: name the archive instead: `codex-manager list-backups` shows them all\n",
        );
    }
    env.run(&["restore", "--session-start", "2026-04-14", "--yes"])
        .code(2)
        .stdout("")
        .stderr(
            "error: `2026-04-14` is more than one account: alice@example.com (team): 2026-04-14-155500-alice@example.com~team-codex.tar.gz, alice@example.com (ws-alice): 2026-04-14-155500-alice@example.com-codex.tar.gz\nhint: name the archive instead: `codex-manager list-backups` shows them all\n",
        );
    assert_eq!(env.tree(""), before);
    env.write(
        ".codex-manager/profiles/job/profile.toml",
        "email = \"alice@example.com\"\nuser_id = \"user-alice\"\naccount_id = \"ws-alice\"\nalias = \"al\"\n",
    );
    assert_eq!(chosen(&env, &["al"]), format!("~/{ARCHIVE}"));
}

#[test]
fn undo_and_undo_of_undo() {
    let (env, old, new) = changed_world();
    env.run(&BY_EMAIL).code(0).stderr("");
    for expected in [&new, &old, &new] {
        let ran = env.run(&["restore", "--undo", "--yes"]).code(0).stderr("");
        assert!(ran.stdout.starts_with("undone    ~/"), "{}", ran.stdout);
        assert_eq!(&home(&env), expected);
    }
    // The safety snapshots themselves are sound and private to the home they are of.
    assert_eq!(
        fs::read_dir(env.path(".codex-manager/backups/safety"))
            .expect("lists")
            .count(),
        4
    );
    env.run(&["restore", "--undo", "--yes", "--dest-dir", "other"])
        .code(10);
    assert!(!env.path("other").exists());
}

/// A damaged number is no reason to fail, nor to begin anew below it.
#[test]
fn a_safety_copy_with_the_highest_number_is_followed_by_others() {
    let (env, _, _) = changed_world();
    env.run(&BY_EMAIL).code(0).stderr("");
    let files = env.files(SAFETY);
    let name = files.iter().find(|name| name.ends_with(".metadata.json"));
    let path = format!("{SAFETY}/{}", name.expect("a sidecar"));
    let mut sidecar: Value = serde_json::from_str(&env.read(&path)).expect("JSON");
    sidecar["safety_sequence"] = json!(u64::MAX);
    env.write(&path, &sidecar.to_string());
    env.write(".codex/config.toml", "since\n");
    env.run(&BY_EMAIL).code(0).stderr("");
    env.run(&["restore", "--undo", "--yes"]).code(0).stderr("");
    assert_eq!(env.read(".codex/config.toml"), "since\n");
}

#[test]
fn without_a_safety_backup_nothing_is_kept() {
    let (env, old, _) = changed_world();
    let ran = env
        .run(&[
            "restore",
            "alice@example.com",
            "--yes",
            "--no-safety-backup",
        ])
        .code(0)
        .stderr("");
    assert!(!ran.stdout.contains("replaced"), "{}", ran.stdout);
    assert_eq!(home(&env), old);
    assert!(!env.path(".codex-manager/backups/safety").exists());
    env.run(&["restore", "--undo", "--yes"]).code(10);
}

#[test]
fn the_login_alone() {
    let (env, old, new) = changed_world();
    let auth = |tree: &Tree| -> Tree {
        tree.iter()
            .filter(|(path, _)| path == "auth.json")
            .cloned()
            .collect()
    };
    let rest = |tree: &Tree| -> Tree {
        tree.iter()
            .filter(|(path, _)| path != "auth.json")
            .cloned()
            .collect()
    };
    let ran = env
        .run(&["restore", "alice@example.com", "--auth-only", "--yes"])
        .code(0)
        .stderr("");
    assert!(ran.stdout.contains("\nfiles     1\n"), "{}", ran.stdout);
    assert_eq!(
        (auth(&home(&env)), rest(&home(&env))),
        (auth(&old), rest(&new))
    );
    env.write(".codex/config.toml", "since\n");
    env.run(&["restore", "--undo", "--yes"]).code(0).stderr("");
    assert_eq!(auth(&home(&env)), auth(&new));
    assert_eq!(env.read(".codex/config.toml"), "since\n");
}

#[test]
fn a_login_snapshot_goes_into_a_full_home() {
    let (env, alice) = world();
    env.run(&[
        "backup",
        "--auth-only",
        "--status-file",
        "status.txt",
        "--backup-dir",
        "logins",
    ])
    .code(0);
    env.write(".codex/auth.json", &Person::named("bob").auth_json());
    env.write(".codex/new", "stays\n");
    let before = home(&env);
    env.run(&["restore", &format!("logins/{BASE}.tar.gz"), "--yes"])
        .code(0)
        .stderr("");
    let mut expected = before.clone();
    expected[0].1 = alice.auth_json();
    assert_eq!(expected[0].0, "auth.json");
    assert_eq!(home(&env), expected);
    env.run(&["restore", "--undo", "--yes"]).code(0);
    assert_eq!(home(&env), before);
}

#[test]
fn the_session_half_leaves_the_login_and_removes_nothing() {
    let (env, alice) = world();
    fs::create_dir_all(env.path("py/sessions/alice@example.com")).expect("makes");
    let half = "py/sessions/alice@example.com/backup-2026-04-14-155500-codex";
    Tarball::default()
        .file("history.jsonl", "theirs\n")
        .file("sessions/new.jsonl", "theirs\n")
        .write(&env.path(&format!("{half}.tar.gz")));
    env.write(
        &format!("{half}.metadata.json"),
        "{\"product\":\"codex\",\"email\":\"alice@example.com\",\"backup_mode\":\"session-only\",\"created_at\":\"2026-04-14T16:00:00+05:30\"}",
    );
    env.write(".codex/prompts/mine.md", "mine\n");
    let before = home(&env);
    let path = format!("{half}.tar.gz");
    refused(&env, &["restore", &path, "--auth-only", "--yes"], 2).stderr(&format!(
        "error: `~/{half}.tar.gz` is the session half of a snapshot: it holds no login\nhint: restore its login from `auth/<email>/latest.tar.gz` beside it\n"
    ));
    restored(&env, &path);
    assert_eq!(env.read(".codex/auth.json"), alice.auth_json());
    assert_eq!(env.read(".codex/config.toml"), "model = \"made-up\"\n");
    assert_eq!(env.read(".codex/history.jsonl"), "theirs\n");
    assert_eq!(env.read(".codex/sessions/new.jsonl"), "theirs\n");
    assert_eq!(env.read(".codex/prompts/mine.md"), "mine\n");
    assert!(
        env.path(".codex/sessions/2026/04/14/rollout-1.jsonl")
            .exists()
    );
    env.run(&["restore", "--undo", "--yes"]).code(0).stderr("");
    assert_eq!(home(&env), before);
}

#[test]
fn into_a_home_that_is_not_there_yet() {
    let (env, _) = world();
    let ran = env
        .run(&["restore", BASE, "--yes", "--dest-dir", "new/home"])
        .code(0)
        .stderr("");
    assert!(
        ran.stdout.contains("\ninto      ~/new/home\n"),
        "{}",
        ran.stdout
    );
    let mut expected = home(&env);
    expected.retain(|(path, _)| CAPTURED.contains(&path.as_str()));
    assert_eq!(env.tree("new/home"), expected);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for (path, mode) in [("new/home", 0o700), ("new/home/auth.json", 0o600)] {
            let meta = fs::metadata(env.path(path)).expect("stands");
            assert_eq!(meta.permissions().mode() & 0o777, mode, "{path}");
        }
    }
    env.run(&["restore", "--undo", "--yes", "--dest-dir", "new/home"])
        .code(0)
        .stderr("");
    assert_eq!(env.files("new/home"), Vec::<String>::new());
}

#[cfg(unix)]
#[test]
fn what_no_snapshot_captures_stays() {
    use std::os::unix::fs::symlink;
    let (env, old, _) = changed_world();
    let stays = [
        ("packages/codex/bin", "x"),
        ("tmp/mine", "x"),
        (".tmp/mine", "x"),
        ("skills/.system/s", "x"),
        ("log/codex.log", "x"),
        ("app-server-control/x", "x"),
        ("auth.json.lock", ""),
        ("22apr_carol@example.com_auth.json", "{\"not\":\"mine\"}"),
    ];
    for (name, content) in stays {
        env.write(&format!(".codex/{name}"), content);
    }
    env.write(".codex/skills/bobs/s", "x");
    env.write("memories/m", "kept");
    symlink(env.path("memories"), env.path(".codex/memories")).expect("links");
    symlink("nowhere", env.path(".codex/sessions/dangling")).expect("links");
    let _socket = std::os::unix::net::UnixListener::bind(env.path(".codex/ipc")).expect("binds");
    env.run(&BY_EMAIL).code(0);
    for (name, content) in stays {
        assert_eq!(env.read(&format!(".codex/{name}")), content, "{name}");
    }
    assert_eq!(env.read(".codex/memories/m"), "kept");
    assert!(env.path(".codex/memories").is_symlink());
    assert!(env.path(".codex/sessions/dangling").is_symlink());
    assert!(env.path(".codex/ipc").exists());
    assert!(!env.path(".codex/skills/bobs").exists());
    fs::remove_file(env.path(".codex/ipc")).expect("removes");
    // Beside them the home is the snapshot's.
    let stayed: Vec<&str> = stays
        .iter()
        .map(|(name, _)| *name)
        .chain(["memories", "sessions/dangling"])
        .collect();
    let mut now = home(&env);
    now.retain(|(path, _)| !stayed.contains(&path.as_str()));
    assert_eq!(now, old);
    env.run(&["restore", "--undo", "--yes"]).code(0);
    assert_eq!(env.read(".codex/skills/bobs/s"), "x");
    assert!(!env.path(".codex/.codex-manager-restore").exists());
}

#[test]
fn a_log_of_another_database_does_not_stay_beside_the_restored_one() {
    let (env, _) = world();
    env.write(".codex/state_5.sqlite", "old database");
    env.run(&BACKUP).code(3);
    env.write(".codex/state_5.sqlite", "new database");
    env.write(".codex/state_5.sqlite-wal", "new log");
    env.write(".codex/state_5.sqlite-shm", "new index");
    let before = home(&env);
    env.run(&BY_EMAIL).code(0).stderr(
        "warning: in the safety copy state_5.sqlite: captured as its files lie: it is no database that this program knows\n",
    );
    assert_eq!(env.read(".codex/state_5.sqlite"), "old database");
    assert!(!env.path(".codex/state_5.sqlite-wal").exists());
    assert!(!env.path(".codex/state_5.sqlite-shm").exists());
    env.run(&["restore", "--undo", "--yes"]).code(0);
    assert_eq!(home(&env), before);
}

#[test]
fn what_a_snapshot_left_out_on_request_stays_in_place() {
    let (env, _) = world();
    env.run(&[
        "backup",
        "--status-file",
        "status.txt",
        "--exclude",
        "sessions",
    ])
    .code(0);
    env.write(".codex/sessions/since.jsonl", "since\n");
    env.write(".codex/config.toml", "since\n");
    env.run(&BY_EMAIL).code(0).stderr("");
    assert_eq!(env.read(".codex/sessions/since.jsonl"), "since\n");
    assert_eq!(env.read(".codex/config.toml"), "model = \"made-up\"\n");
}

#[test]
fn a_pattern_for_logs_alone_keeps_none_beside_a_restored_database() {
    let (env, _) = world();
    env.write(".codex/state_5.sqlite", "old database");
    env.run(&[&BACKUP[..], &["--exclude", "*-wal"]].concat())
        .code(3);
    env.write(".codex/state_5.sqlite", "new database");
    env.write(".codex/state_5.sqlite-wal", "new log");
    let before = home(&env);
    env.run(&BY_EMAIL).code(0);
    assert_eq!(env.read(".codex/state_5.sqlite"), "old database");
    assert!(!env.path(".codex/state_5.sqlite-wal").exists());
    env.run(&["restore", "--undo", "--yes"]).code(0);
    assert_eq!(home(&env), before);
}

#[cfg(unix)]
#[test]
fn a_database_and_its_log_stay_together_where_one_of_them_was_not_captured() {
    const DATABASE: &str = ".codex/state_5.sqlite";
    const LOG: &str = ".codex/state_5.sqlite-wal";
    let taken_with_a_link_for = |link: &str, other: &str| {
        let (env, _) = world();
        env.write(other, "old");
        std::os::unix::fs::symlink("nowhere", env.path(link)).expect("links");
        env.ran(&mut env.command(&BACKUP), &BACKUP);
        fs::remove_file(env.path(link)).expect("removes");
        env
    };
    // Its own log goes, since it goes itself.
    let env = taken_with_a_link_for(LOG, DATABASE);
    env.write(DATABASE, "new");
    env.write(LOG, "new log");
    env.run(&BY_EMAIL).code(0);
    assert_eq!(env.read(DATABASE), "old");
    assert!(!env.path(LOG).exists());
    // And one that stays gets no other's, whether or not it has one.
    for log in [Some("new log"), None] {
        let env = taken_with_a_link_for(DATABASE, LOG);
        fs::remove_file(env.path(LOG)).expect("removes");
        env.write(DATABASE, "new");
        if let Some(log) = log {
            env.write(LOG, log);
        }
        let before = home(&env);
        env.run(&BY_EMAIL).code(0).stderr(
            "warning: `state_5.sqlite-wal` stays as it is: it is nothing that snapshots replace\nwarning: in the safety \
             copy state_5.sqlite: captured as its files lie: it is no database that this program knows\n",
        );
        assert_eq!(home(&env), before);
    }
}

/// Archives of other tools need not name directories: one that is there for what nobody unpacks alone is not there.
#[test]
fn a_directory_of_nothing_but_what_codex_makes_anew_is_none() {
    for has_one in [false, true] {
        let (env, alice) = world();
        Tarball::default()
            .file("auth.json", &alice.auth_json())
            .file("skills/.system/x", "theirs\n")
            .write(&env.path("theirs.tar.gz"));
        env.write(
            "theirs.metadata.json",
            "{\"product\":\"codex\",\"email\":\"alice@example.com\"}",
        );
        if has_one {
            env.write(".codex/skills/mine", "mine\n");
        }
        let before = home(&env);
        let dry = env.run(&["restore", "./theirs.tar.gz", "--dry-run", "--json"]);
        let changes = dry.code(0).json()["changes"].clone();
        let is_told = |change: &Value| change["path"] == "skills/mine";
        let told = changes.as_array().expect("a list").iter().any(is_told);
        assert_eq!(told, has_one);
        restored(&env, "./theirs.tar.gz");
        assert!(!env.path(".codex/skills").exists());
        env.run(&["restore", "--undo", "--yes"]).code(0).stderr("");
        assert_eq!(home(&env), before);
    }
}

fn edit_sidecar(env: &Env, edit: impl Fn(&mut Value)) {
    let mut sidecar: Value = serde_json::from_str(&env.read(SIDECAR)).expect("JSON");
    edit(&mut sidecar);
    env.write(SIDECAR, &sidecar.to_string());
}

fn edit_archive(env: &Env, edit: impl Fn(&mut Vec<u8>)) {
    let mut bytes = fs::read(env.path(ARCHIVE)).expect("reads");
    edit(&mut bytes);
    fs::write(env.path(ARCHIVE), bytes).expect("writes");
}

#[test]
fn a_damaged_snapshot_is_refused_and_nothing_changes() {
    type Damage = Box<dyn Fn(&Env)>;
    let bob = Person::named("bob");
    let cases: Vec<(&str, Damage)> = vec![
        (
            "its content is not the one its sidecar has the hash of",
            Box::new(|env| edit_sidecar(env, |s| s["archive_sha256"] = "0".repeat(64).into())),
        ),
        (
            "its length is not the one its sidecar has",
            Box::new(|env| edit_sidecar(env, |s| s["archive_size_bytes"] = 1.into())),
        ),
        (
            "it holds the login of alice@example.com, its sidecar names bob@example.com",
            Box::new(|env| {
                edit_sidecar(env, |s| {
                    s["email"] = "bob@example.com".into();
                    s["user_id"] = "user-bob".into();
                    s["account_id"] = "ws-bob".into();
                });
            }),
        ),
        (
            "it holds the login of bob@example.com, its sidecar names alice@example.com",
            Box::new(move |env| {
                Tarball::default()
                    .file("auth.json", &bob.auth_json())
                    .write(&env.path(ARCHIVE));
                edit_sidecar(env, forget_archive);
            }),
        ),
        (
            "it holds no auth.json",
            Box::new(|env| {
                Tarball::default()
                    .file("config.toml", "")
                    .write(&env.path(ARCHIVE));
                edit_sidecar(env, forget_archive);
            }),
        ),
        (
            "its auth.json is unusable: it is empty",
            Box::new(|env| {
                Tarball::default()
                    .file("auth.json", "")
                    .write(&env.path(ARCHIVE));
                edit_sidecar(env, forget_archive);
            }),
        ),
        (
            "",
            Box::new(|env| edit_archive(env, |bytes| bytes.truncate(bytes.len() / 2))),
        ),
        (
            "",
            Box::new(|env| edit_archive(env, |bytes| bytes.truncate(bytes.len() - 1))),
        ),
        ("", Box::new(|env| edit_archive(env, Vec::clear))),
        ("", Box::new(|env| edit_archive(env, |bytes| bytes.push(0)))),
        (
            "no JSON object",
            Box::new(|env| drop(env.write(SIDECAR, ""))),
        ),
        (
            "it is no sidecar",
            Box::new(|env| drop(env.write(SIDECAR, "{\"product\":"))),
        ),
        (
            "it is of another product, `gemini`",
            Box::new(|env| edit_sidecar(env, |s| s["product"] = "gemini".into())),
        ),
    ];
    for (reason, damage) in cases {
        let (env, _, _) = changed_world();
        damage(&env);
        let ran = refused(&env, &["restore", BASE, "--yes"], 13);
        assert!(
            ran.stderr.contains("error: ")
                && ran.stderr.contains(BASE)
                && ran.stderr.contains(reason)
                && ran.stderr.contains("\nhint: "),
            "{reason}: {}",
            ran.stderr
        );
    }
}

/// As sidecars of other tools are: without the archive's length and hash.
fn forget_archive(sidecar: &mut Value) {
    for field in ["archive_size_bytes", "archive_sha256", "schema_version"] {
        sidecar[field] = Value::Null;
    }
}

#[test]
fn every_flipped_byte_is_noticed() {
    let (env, _, _) = changed_world();
    let whole = fs::read(env.path(ARCHIVE)).expect("reads");
    let before = home(&env);
    for place in (0..whole.len()).step_by(37) {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (place % 8);
        fs::write(env.path(ARCHIVE), &bytes).expect("writes");
        env.run(&["restore", BASE, "--yes"]).code(13).stdout("");
    }
    assert_eq!(home(&env), before);
}

#[test]
fn a_lost_sidecar_is_made_up_by_the_copy_inside() {
    let (env, old, _) = changed_world();
    fs::remove_file(env.path(SIDECAR)).expect("removes");
    fs::rename(env.path(ARCHIVE), env.path("renamed.tar.gz")).expect("moves");
    let ran = env.run(&["restore", "./renamed.tar.gz", "--yes"]).code(0);
    assert!(
        ran.stdout
            .contains("\naccount   alice@example.com\nwindow    2026-04-14T15:55:00+05:30 to "),
        "{}",
        ran.stdout
    );
    assert_eq!(home(&env), old);
}

#[test]
fn an_unsafe_archive_is_refused_and_nothing_changes() {
    let alice = Person::named("alice").auth_json();
    let with = |name: &str, kind, target: &str, content: &str| {
        Tarball::default()
            .file("auth.json", &alice)
            .entry(name, kind, target, content)
    };
    let file = |name: &str| with(name, EntryType::Regular, "", "evil\n");
    let cases = [
        ("its name leads out through `..`", file("../evil")),
        (
            "its name leads out through `..`",
            file("sessions/../../evil"),
        ),
        ("its name is an absolute path", file("/tmp/evil")),
        ("its name holds a backslash", file("..\\evil")),
        ("its name holds a control character", file("evil\u{1b}[2J")),
        ("it is there twice", file("./auth.json")),
        ("", file("AUTH.JSON")),
        (
            "it is a link to an absolute path",
            with("memories", EntryType::Symlink, "/etc", ""),
        ),
        (
            "it is a link that leads out",
            with("memories", EntryType::Symlink, "../..", ""),
        ),
        (
            "",
            with("memories", EntryType::Symlink, "sessions", "").file("memories/evil", "evil\n"),
        ),
        (
            "it is a hard link",
            with("evil", EntryType::Link, "auth.json", ""),
        ),
        ("it is a device", with("evil", EntryType::Char, "", "")),
        ("it is a device", with("evil", EntryType::Block, "", "")),
        ("it is a named pipe", with("evil", EntryType::Fifo, "", "")),
        (
            "",
            Tarball::default().link("auth.json", EntryType::Symlink, "/etc/passwd"),
        ),
    ];
    let (env, _, _) = changed_world();
    for (reason, tarball) in cases {
        tarball.write(&env.path("evil.tar.gz"));
        let ran = refused(&env, &["restore", "./evil.tar.gz", "--yes"], 13);
        assert!(
            ran.stderr.contains("evil.tar.gz")
                && ran.stderr.contains(reason)
                && !ran.stderr.contains('\u{1b}'),
            "{reason}: {}",
            ran.stderr
        );
        // With a sidecar that vouches for it, too.
        env.write(
            "evil.metadata.json",
            "{\"product\":\"codex\",\"email\":\"alice@example.com\"}",
        );
        refused(&env, &["restore", "./evil.tar.gz", "--yes"], 13);
        fs::remove_file(env.path("evil.metadata.json")).expect("removes");
    }
    assert!(!env.path("evil").exists() && !env.home().with_file_name("evil").exists());
}

#[cfg(unix)]
#[test]
fn a_login_that_is_a_link_is_refused_untouched() {
    use std::os::unix::fs::symlink;
    let (env, _, _) = changed_world();
    fs::rename(env.path(".codex/auth.json"), env.path("login.json")).expect("moves");
    symlink(env.path("login.json"), env.path(".codex/auth.json")).expect("links");
    for auth_only in [&["--yes"][..], &["--yes", "--auth-only"]] {
        let args: Vec<&str> = ["restore", BASE].iter().chain(auth_only).copied().collect();
        refused(&env, &args, 1).stderr(
            "error: `~/.codex/auth.json` is a link, which a restore would cut; nothing was changed\nhint: put the file itself there, or restore into the directory it links to with `--dest-dir`\n",
        );
    }
}

#[cfg(unix)]
#[test]
fn a_home_that_is_a_link_stays_one() {
    use std::os::unix::fs::symlink;
    let (env, old, new) = changed_world();
    fs::rename(env.path(".codex"), env.path("real")).expect("moves");
    symlink(env.path("real"), env.path(".codex")).expect("links");
    env.run(&BY_EMAIL).code(0).stderr("");
    assert!(env.path(".codex").is_symlink());
    assert_eq!(env.tree("real"), old);
    env.run(&["restore", "--undo", "--yes"]).code(0).stderr("");
    assert_eq!(env.tree("real"), new);
}

#[test]
fn a_destination_that_is_no_directory_is_refused() {
    let (env, _) = world();
    env.write("file", "mine");
    let ran = refused(&env, &["restore", BASE, "--yes", "--dest-dir", "file"], 1);
    assert!(ran.stderr.contains("`~/file`"), "{}", ran.stderr);
}

#[cfg(unix)]
#[test]
fn a_home_that_cannot_be_written_stays_whole() {
    use std::os::unix::fs::PermissionsExt;
    for locked in [".codex", ".codex/sessions"] {
        let (env, _, new) = changed_world();
        // A link in it keeps the directory itself where it is, so that its children have to move.
        std::os::unix::fs::symlink("nowhere", env.path(".codex/sessions/dangling")).expect("links");
        let new = [
            new,
            vec![("sessions/dangling".to_owned(), "-> nowhere".to_owned())],
        ]
        .concat();
        let mut command = env.command(&BY_EMAIL);
        crate::unprivileged::run_as_nobody(&env, &mut command);
        let set = |mode| {
            fs::set_permissions(env.path(locked), fs::Permissions::from_mode(mode)).expect("sets");
        };
        set(0o500);
        let ran = env.ran(&mut command, &BY_EMAIL).code(1).stdout("");
        set(0o700);
        assert!(
            ran.stderr.starts_with("error: cannot ") && ran.stderr.contains("permission denied"),
            "{}",
            ran.stderr
        );
        let mut now = home(&env);
        let mut new = new;
        now.sort();
        new.sort();
        assert_eq!(now, new, "{locked}");
        assert!(!env.path(".codex/.codex-manager-restore").exists());
    }
}

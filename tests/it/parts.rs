//! `restore --only`: parts of a snapshot come back by themselves, `--undo` puts back exactly those, all else stays.

use rusqlite::Connection;
use serde_json::json;

use crate::common::{Env, Person, Ran};

const ARCHIVE: &str = "~/.codex-manager/backups/2026-04-14-155500-alice@example.com-codex.tar.gz";
const SAFETY: &str = "~/.codex-manager/backups/safety/2026-04-19-153000";

/// Each part with its paths in the world; the first stands in the snapshot and is changed since, the second is only in the
/// snapshot, the third only came since.
const PARTS: &[(&str, &[&str])] = &[
    ("auth", &["auth.json"]),
    (
        "config",
        &["config.toml", "work.config.toml", "AGENTS.override.md"],
    ),
    (
        "sessions",
        &[
            "sessions/2026/04/14/rollout-1.jsonl",
            "session_index.jsonl",
            "archived_sessions/rollout-0.jsonl",
        ],
    ),
    ("history", &["history.jsonl"]),
    ("skills", &["skills/mine/SKILL.md", "skills/a", "skills/b"]),
    ("prompts", &["prompts/a.md", "prompts/b.md", "prompts/c.md"]),
    ("rules", &["rules/default.rules"]),
    ("memories", &["memories/a", "memories/b/c"]),
    (
        "mcp",
        &[".credentials.json", "secrets/a.age", "gateway_oauth.json"],
    ),
    ("other", &["installation_id", "plugins/x", "worktrees/y"]),
];

type Tree = Vec<(String, String)>;

const BACKUP: [&str; 3] = ["backup", "--status-file", "status.txt"];

/// A home with something of every part but databases.
fn home() -> Env {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    for (_, paths) in &PARTS[1..] {
        for path in paths.iter().take(2) {
            env.write(&format!(".codex/{path}"), &format!("old {path}\n"));
        }
    }
    env
}

/// The same with a snapshot of it, and everything changed since. What stood then, and what stands now.
fn world() -> (Env, Tree, Tree) {
    let env = home();
    env.run(&BACKUP).code(0).stderr("");
    let old = env.tree(".codex");
    env.write(".codex/auth.json", &Person::named("bob").auth_json());
    for (_, paths) in &PARTS[1..] {
        env.write(&format!(".codex/{}", paths[0]), "new\n");
        if let Some(path) = paths.get(1) {
            std::fs::remove_file(env.path(&format!(".codex/{path}"))).expect("removes");
        }
        if let Some(path) = paths.get(2) {
            env.write(&format!(".codex/{path}"), "new\n");
        }
    }
    let new = env.tree(".codex");
    (env, old, new)
}

/// `new` with what belongs to `parts` as it is in `old`.
fn mixed(old: &Tree, new: &Tree, parts: &[&str]) -> Tree {
    let is_of = |path: &str| {
        let mut named = PARTS.iter().filter(|(part, _)| parts.contains(part));
        named.any(|(_, paths)| paths.contains(&path))
    };
    let theirs = new.iter().filter(|(path, _)| !is_of(path));
    let ours = old.iter().filter(|(path, _)| is_of(path));
    let mut tree: Tree = theirs.chain(ours).cloned().collect();
    tree.sort();
    tree
}

fn only(env: &Env, parts: &[&str]) -> Ran {
    env.run(&[&["restore", "alice@example.com", "--yes"], parts].concat())
}

#[test]
fn each_part_comes_back_alone_and_is_undone_alone() {
    let (env, old, new) = world();
    for (part, _) in PARTS {
        only(&env, &["--only", part]).code(0).stderr("");
        assert_eq!(env.tree(".codex"), mixed(&old, &new, &[part]), "{part}");
        // What is done elsewhere in the home meanwhile is nothing to the way back.
        let elsewhere = if *part == "other" {
            "prompts/since"
        } else {
            "other-since"
        };
        let elsewhere = env.write(&format!(".codex/{elsewhere}"), "since\n");
        let since = env
            .tree(".codex")
            .into_iter()
            .find(|(path, _)| path.ends_with("since"));
        env.run(&["restore", "--undo", "--yes"]).code(0).stderr("");
        let mut expected = new.clone();
        expected.extend(since);
        expected.sort();
        assert_eq!(env.tree(".codex"), expected, "undo of {part}");
        // And the way back is a restore as well.
        env.run(&["restore", "--undo", "--yes"]).code(0).stderr("");
        std::fs::remove_file(elsewhere).expect("removes");
        assert_eq!(env.tree(".codex"), mixed(&old, &new, &[part]), "{part}");
        env.run(&["restore", "--undo", "--yes"]).code(0).stderr("");
        assert_eq!(env.tree(".codex"), new, "{part}");
    }
}

#[test]
fn several_parts_come_back_together_and_are_told() {
    let (env, old, new) = world();
    let ran = only(&env, &["--only", "sessions,history", "--only", "config"]);
    ran.code(0).stderr("").stdout(&format!(
        "restored  {ARCHIVE}\ninto      ~/.codex\naccount   alice@example.com\nwindow    2026-04-14T15:55:00+05:30 to \
         2026-04-21T15:55:00+05:30\nfiles     5\nparts     config, sessions, history\nreplaced  \
         {SAFETY}/2026-04-19-153000-unknown-codex.tar.gz (`codex-manager restore --undo` puts it back)\n"
    ));
    let expected = mixed(&old, &new, &["config", "sessions", "history"]);
    assert_eq!(env.tree(".codex"), expected);
    let sidecar = env.read(&format!(
        "{}/2026-04-19-153000-unknown-codex.metadata.json",
        &SAFETY[2..]
    ));
    let sidecar: serde_json::Value = serde_json::from_str(&sidecar).expect("JSON");
    assert_eq!(sidecar["parts"], json!(["config", "sessions", "history"]));
    assert_eq!(
        sidecar["captured_files"],
        json!([
            "AGENTS.override.md",
            "archived_sessions/",
            "config.toml",
            "history.jsonl",
            "sessions/"
        ])
    );
    let listed = env.run(&["list-backups", "--all", "--json"]).code(0).json();
    let mut listed = listed["backups"].as_array().expect("a list").clone();
    listed.retain(|one| one["kind"] == "safety");
    assert_eq!(listed[0]["parts"], json!(["config", "sessions", "history"]));
    let text = env.run(&["list-backups", "--all"]).code(0).stdout;
    let modes = text
        .lines()
        .filter(|line| line.contains("  config,sessions,history  "));
    assert_eq!((modes.count(), text.lines().count()), (1, 3), "{text}");
    // The login is none of its business: it is neither chosen nor kept.
    assert!(!env.path(".codex-manager/profiles/bob").exists());
    let answer = env
        .run(&["restore", "--undo", "--yes", "--json"])
        .code(0)
        .stderr("")
        .json();
    assert_eq!(
        answer,
        json!({
            "mode": "undone",
            "archive": format!("{SAFETY}/2026-04-19-153000-unknown-codex.tar.gz"),
            "destination": "~/.codex",
            "email": null,
            "auth_source": null,
            "safety_backup": format!("{SAFETY}-002/2026-04-19-153000-unknown-codex.tar.gz"),
            "files": 5,
            "parts": ["config", "sessions", "history"],
        })
    );
    assert_eq!(env.tree(".codex"), new);
}

#[test]
fn the_login_alone_is_a_part() {
    let (env, ..) = world();
    let args = ["restore", "alice@example.com", "--dry-run", "--json"];
    let by_flag = env.run(&[&args[..], &["--auth-only"]].concat()).code(0);
    let by_part = env.run(&[&args[..], &["--only", "auth"]].concat()).code(0);
    assert_eq!(by_flag.stdout, by_part.stdout);
    assert_eq!(by_part.json()["parts"], json!(["auth"]));
    assert_eq!(by_part.json()["auth_source"], "archive");
    env.run(&[&args[..], &["--auth-only", "--only", "auth"]].concat())
        .code(2);
}

#[test]
fn a_part_that_the_snapshot_does_not_hold_is_not_emptied() {
    let (env, _, new) = world();
    let before = env.tree("");
    let refused = |args: &[&str], of: &str, holds: &str| {
        env.run(&[&["restore", "--yes"], args].concat())
            .code(2)
            .stdout("")
            .stderr(&format!(
                "error: `{of}` holds nothing of {holds}\nhint: name what it holds, or a snapshot that holds more: \
                 `codex-manager list-backups`\n"
            ));
    };
    let all = "auth, config, sessions, history, skills, prompts, rules, memories, mcp, other";
    refused(
        &["alice@example.com", "--only", "databases"],
        ARCHIVE,
        &format!("databases; it holds only {all}"),
    );
    assert_eq!(env.tree(""), before);
    // A login alone, and a copy of some parts.
    only(&env, &["--only", "auth"]).code(0);
    refused(
        &["--undo", "--only", "auth,rules"],
        &format!("{SAFETY}/2026-04-19-153000-bob@example.com-codex.tar.gz"),
        "rules; it holds only auth",
    );
    env.run(&["restore", "--undo", "--yes"]).code(0);
    only(&env, &["--only", "rules,memories"]).code(0);
    refused(
        &["--undo", "--only", "sessions,memories,auth"],
        &format!("{SAFETY}-003/2026-04-19-153000-unknown-codex.tar.gz"),
        "auth, sessions; it holds only rules, memories",
    );
    // Some of what a copy is of may be put back by itself.
    env.run(&["restore", "--undo", "--only", "rules", "--yes"])
        .code(0)
        .stderr("");
    env.run(&["restore", "--undo", "--yes"]).code(0).stderr("");
    let undone = &format!(
        "{}-003/2026-04-19-153000-unknown-codex.tar.gz",
        &SAFETY[2..]
    );
    env.run(&["restore", undone, "--yes"]).code(0).stderr("");
    assert_eq!(env.tree(".codex"), new);
    for wrong in ["", "login", "auth,", "auth;config", "AUTH"] {
        let ran = env.run(&[
            "restore",
            "alice@example.com",
            "--yes",
            &format!("--only={wrong}"),
        ]);
        assert!(
            ran.code(2).stderr.contains(" for '--only <PART>'"),
            "{wrong}"
        );
    }
}

#[test]
fn parts_of_a_later_version_are_not_guessed() {
    let (env, ..) = world();
    only(&env, &["--only", "rules,memories"]).code(0);
    let sidecar = format!(
        "{}/2026-04-19-153000-unknown-codex.metadata.json",
        &SAFETY[2..]
    );
    let later = env.read(&sidecar).replace("\"memories\"", "\"dreams\"");
    env.write(&sidecar, &later);
    let before = env.tree("");
    env.run(&["restore", "--undo", "--yes"]).code(13).stdout("").stderr(&format!(
        "error: `{SAFETY}/2026-04-19-153000-unknown-codex.tar.gz` is of the parts rules, dreams, which this program does not \
         all know; nothing was changed\nhint: use the codex-manager that made it, or a later one\n"
    ));
    assert_eq!(env.tree(""), before);
}

#[test]
fn what_the_snapshot_left_out_of_a_part_stays() {
    let env = home();
    let args = [&BACKUP[..], &["--exclude", "skills/a*"]].concat();
    env.run(&args).code(0);
    env.write(".codex/skills/a", "since\n");
    env.write(".codex/skills/b", "since\n");
    only(&env, &["--only", "skills"]).code(0).stderr("");
    let files = env.files(".codex/skills");
    assert_eq!(files, ["a", "mine/SKILL.md"]);
    assert_eq!(env.read(".codex/skills/a"), "since\n");
    env.run(&["restore", "--undo", "--yes"]).code(0).stderr("");
    assert_eq!(env.files(".codex/skills"), ["a", "b", "mine/SKILL.md"]);
}

#[test]
fn a_directory_that_is_no_codex_home_keeps_its_parts() {
    let (env, ..) = world();
    env.write("project/prompts/mine.md", "mine\n");
    env.write("project/main.rs", "mine\n");
    let before = env.tree("");
    let args = [
        "restore",
        "alice@example.com",
        "--yes",
        "--dest-dir",
        "project",
    ];
    env.run(&[&args[..], &["--only", "prompts"]].concat())
        .code(2)
        .stderr(
            "error: `~/project` holds files and looks like no Codex home; nothing was changed\nhint: name a Codex home \
             with `--dest-dir`\n",
        );
    assert_eq!(env.tree(""), before);
}

fn database(env: &Env, path: &str, text: &str) -> Connection {
    let database = Connection::open(env.path(path)).expect("opens");
    let sql = format!(
        "PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS t(text); DELETE FROM t; INSERT INTO t VALUES ('{text}');"
    );
    database.execute_batch(&sql).expect("runs");
    database
}

fn text_of(env: &Env, path: &str) -> String {
    let database = Connection::open(env.path(path)).expect("opens");
    let text = database.query_row("SELECT text FROM t", [], |row| row.get(0));
    text.expect("one row")
}

#[test]
fn databases_come_back_without_the_log_of_others() {
    const STATE: &str = ".codex/state_5.sqlite";
    const INDEX: &str = "warning: databases are restored without the sessions: Codex's index of its threads may not \
                         match them\n";
    let env = home();
    drop(database(&env, STATE, "old"));
    env.run(&BACKUP).code(0);
    // Left as by a Codex that was killed: the last of it stands in the log alone.
    let open = database(&env, "beside.sqlite", "new");
    for end in ["", "-wal", "-shm"] {
        let (from, to) = (format!("beside.sqlite{end}"), format!("{STATE}{end}"));
        std::fs::copy(env.path(&from), env.path(&to)).expect("copies");
    }
    drop(open);
    drop(database(&env, ".codex/logs_2.sqlite", "new"));
    let before: Tree = env.tree(".codex");
    let others = |tree: Tree| -> Tree {
        let is_other = |path: &str| !path.contains(".sqlite");
        tree.into_iter()
            .filter(|(path, _)| is_other(path))
            .collect()
    };
    only(&env, &["--only", "databases"]).code(0).stderr(INDEX);
    assert_eq!(text_of(&env, STATE), "old");
    let files = env.files(".codex");
    let databases: Vec<&String> = files
        .iter()
        .filter(|path| path.contains(".sqlite"))
        .collect();
    assert_eq!(databases, ["state_5.sqlite"]);
    assert_eq!(others(env.tree(".codex")), others(before.clone()));
    env.run(&["restore", "--undo", "--yes"]).code(0).stderr("");
    assert_eq!(text_of(&env, STATE), "new");
    assert_eq!(text_of(&env, ".codex/logs_2.sqlite"), "new");
    assert_eq!(others(env.tree(".codex")), others(before));
    // Both together fit; the sessions alone may not.
    only(&env, &["--only", "databases,sessions", "--dry-run"])
        .code(0)
        .stderr("");
    only(&env, &["--only", "sessions"]).code(0).stderr(
        "warning: sessions are restored without the databases: Codex's index of its threads may not match them\n",
    );
    env.run(&["restore", "--undo", "--yes"]).code(0).stderr("");
}

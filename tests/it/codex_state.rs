//! `prune --codex-state`: what Codex makes anew goes, nothing else does, and the real Codex then works as before.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::{Env, Person};
use crate::live::with;
use crate::loopback::test_name;
use crate::mounts::mounting;
use crate::profile::on_terminal;
use crate::real_codex::NEWEST;
use crate::running::{Server, named};
use crate::unprivileged::run_as_nobody;
use crate::worlds::{has_keys, json_error, prints, squeezed};

const CLEAN: [&str; 2] = ["prune", "--codex-state"];

/// What a cleaning removes of [`world`], by name.
const GOES: &[(&str, u64)] = &[
    (".tmp/clone", 3),
    ("app-server-daemon/daemon.stderr.log", 1),
    ("cache/tools", 4),
    ("log", 5),
    ("logs_2.sqlite", 42),
    ("models_cache.json", 7),
    ("shell_snapshots", 8),
    ("tmp/scratch", 1),
    ("version.json", 2),
];

/// A home of every kind of file.
fn world() -> Env {
    let env = Env::new();
    env.codex_home(&Person::named("alice"));
    for (path, length) in [
        (".tmp/clone/file", 3),
        (".tmp/marketplaces/own/plugin.json", 3),
        (".tmp/plugins/a/plugin.json", 3),
        (".sandbox_migration", 2),
        ("app-server-daemon/daemon.stderr.log", 1),
        ("app-server-daemon/settings.json", 2),
        ("cache/tools/a", 4),
        ("log/codex-login.log", 5),
        ("logs_2.sqlite", 10),
        ("logs_2.sqlite-wal", 30),
        ("logs_2.sqlite-shm", 2),
        ("memories/a.md", 9),
        ("models_cache.json", 7),
        ("packages/standalone/current/codex", 9),
        ("plugins/cache/a/plugin.json", 9),
        ("shell_snapshots/a.sh", 8),
        ("skills/own/SKILL.md", 9),
        ("state_5.sqlite", 0),
        ("unheard/of", 9),
        ("version.json", 2),
    ] {
        env.write(&format!(".codex/{path}"), &"x".repeat(length));
    }
    env
}

/// Name and length of each entry.
fn told(entries: &Value) -> Vec<(String, u64)> {
    let entries = entries.as_array().expect("a list");
    let told = entries.iter().map(|entry| {
        has_keys(entry, &["path", "part", "size_bytes", "reasons"], &[]);
        let path = entry["path"].as_str().expect("a path");
        let name = path.strip_prefix("~/.codex/").expect("in the home");
        (
            name.to_owned(),
            entry["size_bytes"].as_u64().expect("a size"),
        )
    });
    told.collect()
}

fn owned(names: &[(&str, u64)]) -> Vec<(String, u64)> {
    let names = names.iter();
    names
        .map(|(name, size)| ((*name).to_owned(), *size))
        .collect()
}

#[test]
fn what_codex_makes_anew_goes_and_nothing_else() {
    let env = world();
    let before = prints(&env.path(".codex"));
    let dry = [&CLEAN[..], &["--dry-run", "--json"]].concat();
    let dry = env.run(&dry).code(0).stderr("").json();
    has_keys(&dry, &["mode", "deleted", "kept", "freed_bytes"], &[]);
    assert_eq!(
        (&dry["mode"], &dry["freed_bytes"]),
        (&json!("dry-run"), &json!(73))
    );
    assert_eq!(told(&dry["deleted"]), owned(GOES));
    assert_eq!(prints(&env.path(".codex")), before);

    let done = [&CLEAN[..], &["--json"]].concat();
    let done = env.run(&done).code(0).stderr("").json();
    for key in ["deleted", "kept", "freed_bytes"] {
        assert_eq!(done[key], dry[key], "{key}");
    }
    assert_eq!(done["mode"], "pruned");
    let reason = |name: &str| {
        let path = format!("~/.codex/{name}");
        let kept = done["kept"].as_array().expect("a list");
        let entry = kept.iter().find(|entry| entry["path"] == json!(path));
        let entry = entry.unwrap_or_else(|| panic!("{name} is not kept"));
        entry["reasons"][0].as_str().expect("words").to_owned()
    };
    for (name, why) in [
        ("auth.json", "a login"),
        ("config.toml", "settings"),
        ("history.jsonl", "a person's work"),
        ("sessions", "a person's work"),
        ("skills", "a person's work"),
        ("memories", "a person's work"),
        ("state_5.sqlite", "a database"),
        (".tmp", "of plugins"),
        ("app-server-daemon", "of the daemon"),
        ("packages", "of Codex as it runs"),
        ("auth.lock", "of Codex as it runs"),
        (".sandbox_migration", "of Codex as it runs"),
        ("plugins", "not known to be made anew"),
        ("installation_id", "not known to be made anew"),
        ("unheard", "not known to be made anew"),
    ] {
        assert_eq!(reason(name), why, "{name}");
    }
    let home = env.path(".codex");
    let gone = |path: &Path| {
        let below = path.strip_prefix(&home).expect("below");
        let is_of_log = below.to_string_lossy().starts_with("logs_2.sqlite");
        is_of_log || GOES.iter().any(|(name, _)| below.starts_with(name))
    };
    let content = |prints: Vec<(String, Vec<u8>, std::time::SystemTime, u32)>| {
        let all = prints.into_iter();
        let all = all.map(|(path, bytes, _, mode)| (path, bytes, mode));
        all.filter(|(path, _, _)| !gone(path.as_ref()))
            .collect::<Vec<_>>()
    };
    assert_eq!(content(prints(&home)), content(before));
    for (name, _) in GOES {
        assert!(!home.join(name).exists(), "{name}");
    }

    // Whoever runs it by the clock hears nothing more of it.
    env.run(&CLEAN).code(0).stdout("").stderr("");
}

#[test]
fn it_is_shown_as_a_table() {
    let env = Env::new();
    env.write(".codex/auth.json", "{}");
    env.write(".codex/version.json", "{}");
    let table = |mode: &str, goes: &str| {
        let width = goes.len();
        format!(
            "{:width$}  PATH          SIZE  WHY\n\
             {:width$}  auth.json      2 B  a login\n\
             {goes}  version.json   2 B  a cache\n\
             {mode:<8} 1 of 2 paths, 2 B\n",
            "WHAT", "kept"
        )
    };
    env.run(&["prune", "--codex-state", "--dry-run"])
        .code(0)
        .stdout(&table("dry-run", "would go"));
    env.run(&CLEAN).code(0).stdout(&table("pruned", "gone"));
}

#[test]
fn a_persons_work_goes_only_by_name_and_with_a_word() {
    let env = world();
    let before = prints(&env.path(".codex"));
    let include = [&CLEAN[..], &["--include", "sessions,memories"]].concat();
    env.run(&include).code(2).stdout("").stderr(
        "error: this removes a person's work, and nobody is there to be asked\n\
         hint: say `--yes` to go on, or `--dry-run` to see what would be done\n",
    );
    assert_eq!(prints(&env.path(".codex")), before);
    env.run(&[&include[..], &["--yes", "--quiet"]].concat())
        .code(0)
        .stdout("")
        .stderr("");
    for gone in ["sessions", "memories", "log"] {
        assert!(!env.path(".codex").join(gone).exists(), "{gone}");
    }
    for stays in ["skills/own/SKILL.md", "history.jsonl", "auth.json"] {
        assert!(env.path(".codex").join(stays).exists(), "{stays}");
    }
    for never in ["auth", "config", "mcp", "other", "databases"] {
        let ran = env.run(&["prune", "--codex-state", "--include", never, "--yes"]);
        let said = ran.code(2).stderr;
        assert!(
            said.contains("[possible values: sessions, history, skills, prompts, rules, memories]"),
            "{said}"
        );
    }
}

#[test]
fn on_a_terminal_it_is_asked_for() {
    let env = world();
    let before = env.tree(".codex");
    let args = [&CLEAN[..], &["--include", "memories"]].concat();
    let clean = |answer: &dyn Fn() -> &'static str| on_terminal(&env, &args, 80, answer);
    let (shown, code) = clean(&|| "n\n");
    let question = "remove `memories` (9 B) from `~/.codex` for good? [y/N] ";
    assert!(shown.starts_with(question), "{shown}");
    assert!(shown.contains("error: not confirmed; nothing was changed\n"));
    assert_eq!((code, env.tree(".codex")), (1, before));
    // What was not confirmed does not go.
    let (shown, code) = clean(&|| {
        env.write(".codex/memories/b.md", "since");
        "y\n"
    });
    let changed = "y\nerror: `~/.codex` changed meanwhile; nothing was removed\nhint: run the command again\n";
    assert!(shown.ends_with(changed), "{shown}");
    assert!(env.path(".codex/log").exists() && env.path(".codex/memories/a.md").exists());
    assert_eq!(code, 1);
    let (shown, code) = clean(&|| "y\n");
    assert!(
        shown.contains("\ngone  memories                              14 B  asked for\n"),
        "{shown}"
    );
    assert_eq!((code, env.path(".codex/memories").exists()), (0, false));
    // Now there is nothing to ask about, and nothing to do: on a terminal that is told.
    let (shown, code) = clean(&|| "");
    assert!(
        shown.ends_with("\npruned   0 of 14 paths, 0 B\n"),
        "{shown}"
    );
    assert_eq!(code, 0);
}

#[test]
fn it_goes_with_no_rule_and_nothing_else_goes_with_it() {
    let env = world();
    for args in [
        &["--codex-state", "--keep-last", "1"][..],
        &["--codex-state", "--keep-weekly", "1"],
        &["--codex-state", "--email", "alice@example.com"],
        &["--codex-state", "--allow-empty"],
        &["--codex-state", "--remote", "file:///nowhere"],
        &["--codex-state", "--yes"],
        &["--include", "sessions", "--keep-last", "1"],
        &["--source-dir", ".codex", "--keep-last", "1"],
    ] {
        env.run(&[&["prune"], args].concat()).code(2).stdout("");
    }
    assert_eq!(env.files(".codex/log"), ["codex-login.log"]);
}

#[test]
fn what_is_no_codex_home_is_left_alone() {
    let env = Env::new();
    env.write("other/tmp/mine", "x");
    env.write("other/config.toml", "");
    env.run(&["prune", "--codex-state", "--source-dir", "other"])
        .code(2)
        .stdout("")
        .stderr(
            "error: `~/other` looks like no Codex home; nothing was changed\n\
             hint: name a Codex home with `--source-dir`\n",
        );
    let ran = env.run(&["prune", "--codex-state", "--codex-home", "none", "--json"]);
    let (kind, message, _) = json_error(&ran.code(1));
    assert_eq!(kind, "other");
    assert!(message.starts_with("there is no Codex home at "));
    assert_eq!(env.read("other/tmp/mine"), "x");
}

#[cfg(unix)]
#[test]
fn a_link_goes_as_a_link() {
    use std::os::unix::fs::symlink;
    let env = world();
    let home = env.path(".codex");
    env.write("away/log/mine", "x");
    env.write("away/tmp/mine", "x");
    env.write("away/daemon/daemon.stderr.log", "x");
    for dir in ["log", "tmp", "app-server-daemon", "logs_2.sqlite"] {
        let _ = fs::remove_dir_all(home.join(dir));
        let _ = fs::remove_file(home.join(dir));
    }
    symlink(env.path("away/log"), home.join("log")).expect("links");
    symlink("../away/tmp", home.join("tmp")).expect("links");
    symlink("../away/daemon", home.join("app-server-daemon")).expect("links");
    symlink("../away/log/mine", home.join("logs_2.sqlite")).expect("links");
    symlink("/nowhere", home.join(".tmp/link")).expect("links");
    fs::create_dir_all(home.join("cache/deep")).expect("makes");
    symlink(env.path("away"), home.join("cache/deep/link")).expect("links");
    env.run(&CLEAN).code(0).stderr("");
    assert_eq!(
        env.files("away"),
        ["daemon/daemon.stderr.log", "log/mine", "tmp/mine"]
    );
    for gone in ["log", "tmp", ".tmp/link", "cache/deep", "logs_2.sqlite"] {
        assert!(fs::symlink_metadata(home.join(gone)).is_err(), "{gone}");
    }
    // A home that is a link itself is one still.
    assert!(fs::symlink_metadata(home.join("app-server-daemon")).is_ok());
    fs::rename(&home, env.path("real")).expect("moves");
    symlink("real", &home).expect("links");
    env.write("real/version.json", "{}");
    env.run(&CLEAN).code(0).stderr("");
    assert!(!env.path("real/version.json").exists());
    assert!(fs::symlink_metadata(&home).expect("stands").is_symlink());
}

#[test]
fn what_is_mounted_stays() {
    let env = world();
    let script = r#"
        mount -t tmpfs none .codex/log
        echo x > .codex/log/mine
        mkdir .codex/cache/tools/deep
        mount -t tmpfs none .codex/cache/tools/deep
        echo x > .codex/cache/tools/deep/mine
        mount -t tmpfs none .codex/tmp
        echo x > .codex/tmp/mine
        "$MGR" prune --codex-state
        cat .codex/log/mine .codex/cache/tools/deep/mine .codex/tmp/mine
        ls -A .codex/cache/tools
    "#;
    let Some(ran) = mounting(&env, script) else {
        return;
    };
    let said = ran.code(0).stdout;
    let told = squeezed(&said);
    for path in ["cache/tools", "log", "tmp/mine"] {
        let mut lines = told.lines();
        let is_told = |line: &str| {
            line.starts_with(&format!("kept  {path}  "))
                && line.ends_with("  something is mounted there")
        };
        assert!(lines.any(is_told), "{path}: {said}");
    }
    assert!(said.ends_with("x\nx\nx\na\ndeep\n"), "{said}");
    assert!(!env.path(".codex/shell_snapshots").exists());
}

#[cfg(unix)]
#[test]
fn what_cannot_be_removed_is_named_and_the_rest_goes() {
    use std::os::unix::fs::PermissionsExt;
    let env = world();
    let held = env.path(".codex/log");
    let mode = |mode| fs::set_permissions(&held, fs::Permissions::from_mode(mode)).expect("sets");
    mode(0o500);
    let mut command = env.command(&CLEAN);
    run_as_nobody(&env, &mut command);
    let ran = env.ran(&mut command, &CLEAN);
    mode(0o700);
    let why = "permission denied";
    let said = ran.code(3).stderr;
    assert!(
        said.starts_with(&format!("warning: cannot remove `~/.codex/log`: {why}")),
        "{said}"
    );
    assert_eq!(env.files(".codex/log"), ["codex-login.log"]);
    assert!(!env.path(".codex/shell_snapshots").exists());
    assert_eq!(env.files(".codex/tmp"), [""; 0]);
}

#[test]
fn a_database_that_somebody_reads_stays_whole() {
    let env = world();
    let path = env.path(".codex/logs_2.sqlite");
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(env.path(&format!(".codex/logs_2.sqlite{end}")));
    }
    let database = rusqlite::Connection::open(&path).expect("opens");
    database
        .execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t(n INTEGER);")
        .expect("runs");
    // By name alone: to close a file that was read would end the locks of this process on it.
    let files = || {
        let listing = fs::read_dir(env.path(".codex")).expect("lists");
        let names = listing.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
        names.retain(|name| name.starts_with("logs_2"));
        names.sort();
        names
    };
    let before = files();
    assert_eq!(before.len(), 3);
    let done = [&CLEAN[..], &["--json"]].concat();
    let done = env.run(&done).code(0).stderr("").json();
    let kept = done["kept"].as_array().expect("a list");
    let is_log = |entry: &&Value| entry["path"] == json!("~/.codex/logs_2.sqlite");
    let kept = kept.iter().find(is_log);
    let kept = kept.unwrap_or_else(|| panic!("{done:#}"));
    assert_eq!(kept["reasons"], json!(["somebody has it open"]));
    assert_eq!(files(), before);
    drop(database);
    env.run(&CLEAN).code(0).stderr("");
    assert_eq!(files(), [""; 0]);
}

/// A session that Codex lists.
fn session(env: &Env) {
    const ID: &str = "01a2b3c4-0000-7000-8000-000000000001";
    const AT: &str = "2026-04-14T10:25:04.113Z";
    let meta = json!({"id": ID, "timestamp": AT, "cwd": "/", "originator": "codex_cli_rs", "cli_version": "0.169.0",
        "source": "cli", "model_provider": "openai"});
    let said = json!([{"type": "input_text", "text": "explain what build.sh does"}]);
    let lines = [
        ("session_meta", meta),
        (
            "response_item",
            json!({"type": "message", "role": "user", "content": said}),
        ),
        (
            "event_msg",
            json!({"type": "user_message", "message": "explain what build.sh does", "kind": "plain"}),
        ),
    ];
    let lines = lines.map(|(kind, payload)| {
        json!({"timestamp": AT, "type": kind, "payload": payload}).to_string()
    });
    let place = format!(".codex/sessions/2026/04/14/rollout-2026-04-14T15-55-04-{ID}.jsonl");
    env.write(&place, &(lines.join("\n") + "\n"));
}

/// The log of a database of logs that was removed: as a kill may leave it.
fn leave_a_log(env: &Env) {
    let dir = tempfile::tempdir().expect("a directory");
    let made = dir.path().join("logs_2.sqlite");
    let database = rusqlite::Connection::open(&made).expect("opens");
    database
        .execute_batch(
            "PRAGMA journal_mode=WAL; CREATE TABLE logs(n INTEGER); INSERT INTO logs VALUES (1);",
        )
        .expect("runs");
    let log = fs::read(dir.path().join("logs_2.sqlite-wal")).expect("reads");
    assert!(log.len() > 4096);
    fs::write(env.path(".codex/logs_2.sqlite-wal"), log).expect("writes");
}

#[test]
fn a_codex_goes_on_in_a_home_that_was_cleaned() {
    with(test_name!(), NEWEST, |world| {
        let env = &world.env;
        session(env);
        world.set(|_| ());
        let home = env.path(".codex");
        let threads = |server: &mut Server| {
            let mut answer = server.ask("thread/list", &json!({}))["result"]["data"].clone();
            for thread in answer.as_array_mut().expect("a list") {
                thread.as_object_mut().expect("a thread").remove("status");
            }
            answer
        };
        let mut server = Server::start(world, &home);
        let listed = threads(&mut server);
        assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
        server.end();
        // The terminal interface leaves more.
        let panel = ["status", "--status-source", "panel", "--json"];
        let status = world.run(&panel).code(0).json();
        for (below, text) in [
            ("log/codex-login.log", "x"),
            ("version.json", "{}"),
            (".tmp/x", "x"),
        ] {
            env.write(&format!(".codex/{below}"), text);
        }
        let made = env.files(".codex");
        for made_by_codex in ["logs_2.sqlite", "models_cache.json"] {
            assert!(made.contains(&made_by_codex.to_owned()), "{made:?}");
        }

        let server = Server::start(world, &home);
        let before = prints(&home).len();
        let ran = env.ran(&mut world.command(&CLEAN), &CLEAN);
        ran.code(11).stdout("").stderr(&format!(
            "error: codex is open on `~/.codex`: {}; nothing was changed\n\
             hint: quit it, a daemon by `codex app-server daemon stop`, then run the command again\n",
            named(server.id())
        ));
        assert_eq!(prints(&home).len(), before);
        let dry = ["prune", "--codex-state", "--dry-run"];
        let ran = env.ran(&mut world.command(&dry), &dry).code(0);
        assert_eq!(
            ran.stderr,
            format!(
                "warning: codex is open on `~/.codex`: {}; `prune --codex-state` is refused as long as it is\n",
                named(server.id())
            )
        );
        server.end();

        let login = world.login();
        let ran = env.ran(&mut world.command(&CLEAN), &CLEAN);
        ran.code(0).stderr("");
        let left = env.files(".codex");
        for gone in ["logs_2", "models_cache", "log/", "version", "tmp/", ".tmp/"] {
            let is_left = left.iter().any(|path| path.starts_with(gone));
            assert!(!is_left, "{gone}: {left:?}");
        }
        assert_eq!(world.login(), login);
        leave_a_log(env);
        let mut server = Server::start(world, &home);
        assert_eq!(threads(&mut server), listed);
        server.end();
        assert_eq!(world.run(&panel).code(0).json(), status);
        let made = env.files(".codex");
        assert!(made.contains(&"logs_2.sqlite".to_owned()), "{made:?}");
    });
}

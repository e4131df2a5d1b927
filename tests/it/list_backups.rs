//! `list-backups`: filters, order, `--verify`, and what cannot be read.

use std::fs;

use serde_json::{Value, json};

use crate::common::{Env, NOW, Person, Ran};
use crate::worlds::{has_keys, prints, six_accounts, snapshot, squeezed};

const BACKUPS: &str = ".codex-manager/backups";
const ALICE: &str = "2026-04-14-155500-alice@example.com-codex";
const BOB: &str = "2026-04-13-090000-bob@example.com-codex";

/// The table with blanks squeezed and sizes as `SIZE`: an archive holds the machine's name and the home's path.
fn table(ran: &Ran) -> String {
    let mut text = String::new();
    for line in squeezed(&ran.stdout).lines() {
        let cells: Vec<&str> = line
            .split("  ")
            .map(|cell| {
                let unit = cell.split_once(' ').map(|(_, unit)| unit);
                if matches!(unit, Some("B" | "kB")) {
                    "SIZE"
                } else {
                    cell
                }
            })
            .collect();
        text.push_str(&format!("{}\n", cells.join("  ")));
    }
    text
}

const HEAD: &str = "ARCHIVE  ACCOUNT  STATUS  LEFT  RESETS  MADE  MODE  SIZE\n";

fn row(name: &str) -> &'static str {
    match name {
        "alice" => {
            "2026-04-14-155500-alice@example.com-codex.tar.gz  alice@example.com  open  66%  2026-04-21 15:55  2026-04-19 10:00  full  SIZE\n"
        }
        "bob" => {
            "2026-04-13-090000-bob@example.com-codex.tar.gz  bob@example.com  cooldown  0%  2026-04-20 09:00  2026-04-19 11:00  full  SIZE\n"
        }
        "carol" => {
            "2026-04-11-120000-carol@example.com-codex.tar.gz  carol@example.com  ready  20%  2026-04-18 12:00  2026-04-15 10:00  full  SIZE\n"
        }
        "dora" => {
            "2026-04-19-140000-dora@example.com-codex.tar.gz  dora@example.com  ready  100%  2026-04-26 14:00  2026-04-19 14:00  full  SIZE\n"
        }
        _ => {
            "2026-04-15-100000-erin@example.com-codex.tar.gz  erin@example.com  cooldown  40%  2026-04-22 10:00  2026-04-19 14:30  full  SIZE\n"
        }
    }
}

fn rows(names: &[&str]) -> String {
    let rows: String = names.iter().map(|name| row(name)).collect();
    format!("{HEAD}{rows}")
}

/// The same table under `--verify`.
fn verified(names: &[&str], damaged: &str) -> String {
    let mut table = format!("{}  VERIFIED\n", HEAD.trim_end());
    for name in names {
        let word = if *name == damaged { "damaged" } else { "sound" };
        table.push_str(&format!("{}  {word}\n", row(name).trim_end()));
    }
    table
}

/// The emails in the order of `--json`, without their ends.
fn order(env: &Env, args: &[&str]) -> Vec<String> {
    let document = env
        .run(&[&["list-backups", "--json"], args].concat())
        .code(0)
        .json();
    let backups = document["backups"].as_array().expect("backups");
    backups
        .iter()
        .map(|backup| {
            let email = backup["email"].as_str().expect("an email");
            email.split('@').next().unwrap_or(email).to_owned()
        })
        .collect()
}

#[test]
fn every_snapshot_the_newest_first() {
    let env = six_accounts();
    let before = prints(&env.home());
    for flag in [
        &[][..],
        &["--sort", "created_at"],
        &["--quiet"],
        &["--verbose"],
    ] {
        let ran = env
            .run(&[&["list-backups"], flag].concat())
            .code(0)
            .stderr("");
        assert_eq!(
            table(&ran),
            rows(&["erin", "dora", "bob", "alice", "carol"])
        );
    }
    assert_eq!(prints(&env.home()), before);
}

#[test]
fn the_document_has_the_keys_of_the_contract() {
    let env = six_accounts();
    let document = env
        .run(&["list-backups", "--json"])
        .code(0)
        .stderr("")
        .json();
    has_keys(&document, &["backups"], &[]);
    let backups = document["backups"].as_array().expect("backups");
    for backup in backups {
        has_keys(
            backup,
            &[
                "archive_name",
                "path",
                "email",
                "account_id",
                "alias",
                "session_start_at",
                "reset_at",
                "next_available_at",
                "created_at",
                "quota_percent_left",
                "backup_mode",
                "size_bytes",
                "status",
                "usable_at",
                "verified",
            ],
            &[],
        );
    }
    let size = fs::metadata(env.path(&format!("{BACKUPS}/{ALICE}.tar.gz")))
        .expect("stands")
        .len();
    assert_eq!(
        backups[3],
        json!({
            "archive_name": format!("{ALICE}.tar.gz"),
            "path": format!("~/{BACKUPS}/{ALICE}.tar.gz"),
            "email": "alice@example.com",
            "account_id": "ws-alice",
            "alias": null,
            "session_start_at": "2026-04-14T15:55:00+05:30",
            "reset_at": "2026-04-21T15:55:00+05:30",
            "next_available_at": "2026-04-21T15:55:00+05:30",
            "created_at": "2026-04-19T10:00:00+05:30",
            "quota_percent_left": 66,
            "backup_mode": "full",
            "size_bytes": size,
            "status": "open",
            "usable_at": "2026-04-14T15:55:00+05:30",
            "verified": null,
        })
    );
}

#[test]
fn orders_and_limit() {
    let mut env = six_accounts();
    assert_eq!(
        order(&env, &["--sort", "reset_at"]),
        ["dora", "erin", "alice", "bob", "carol"]
    );
    assert_eq!(
        order(&env, &["--sort", "session_start_at"]),
        ["dora", "erin", "alice", "bob", "carol"]
    );
    assert_eq!(
        order(&env, &["--sort", "created_at", "--limit", "2"]),
        ["erin", "dora"]
    );
    assert_eq!(order(&env, &["--limit", "0"]), [""; 0]);
    assert_eq!(order(&env, &["--limit", "99"]).len(), 5);
    let mut state = 1_u32;
    let noise: String = (0..40_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + u8::try_from((state >> 24) % 26).expect("a letter"))
        })
        .collect();
    env.write(".codex/history.jsonl", &noise);
    let gina = Person::named("gina");
    snapshot(
        &mut env,
        &gina,
        &gina.panel(5, "18:00"),
        "2026-04-10T15:00:00+05:30",
    );
    env.set_now(NOW);
    assert_eq!(order(&env, &["--sort", "size"])[0], "gina");
    assert_eq!(order(&env, &["--sort", "created_at"])[5], "gina");
}

#[test]
fn filters() {
    let env = six_accounts();
    let ran = env.run(&["list-backups", "--ready"]).code(0).stderr("");
    assert_eq!(table(&ran), rows(&["dora", "alice", "carol"]));
    let ran = env
        .run(&["list-backups", "--email", "ALICE@example.com"])
        .code(0)
        .stderr("");
    assert_eq!(table(&ran), rows(&["alice"]));
    env.write(
        ".codex-manager/profiles/job/profile.toml",
        "email = \"carol@example.com\"\nalias = \"work\"\n",
    );
    let document = env
        .run(&["list-backups", "--email", "Work", "--json"])
        .code(0)
        .json();
    assert_eq!(document["backups"][0]["email"], "carol@example.com");
    assert_eq!(document["backups"][0]["alias"], "work");
    assert_eq!(document["backups"].as_array().map(Vec::len), Some(1));
    env.run(&["list-backups", "--email", "nobody@example.com", "--quiet"])
        .code(10)
        .stdout("")
        .stderr("error: no account is called `nobody@example.com`\nhint: `codex-manager list-backups` shows every account that has snapshots\n");
    assert_eq!(
        order(&env, &["--email", "alice@example.com", "--ready"]),
        ["alice"]
    );
    assert_eq!(
        order(&env, &["--email", "bob@example.com", "--ready"]),
        [""; 0]
    );
}

#[test]
fn only_the_newest_of_each_account() {
    let mut env = six_accounts();
    let alice = Person::named("alice");
    let team = alice.clone().in_workspace("ws-team");
    snapshot(
        &mut env,
        &alice,
        &alice.panel(80, "15:55 on 14 Apr"),
        "2026-04-10T10:00:00+05:30",
    );
    snapshot(
        &mut env,
        &team,
        &team.panel(80, "15:55 on 14 Apr"),
        "2026-04-10T11:00:00+05:30",
    );
    env.set_now(NOW);
    let latest = |args: &[&str]| {
        let args = [
            &[
                "list-backups",
                "--json",
                "--latest-per-email",
                "--email",
                "alice@example.com",
            ],
            args,
        ]
        .concat();
        let document = env.run(&args).code(0).json();
        document["backups"]
            .as_array()
            .expect("backups")
            .iter()
            .map(|backup| (backup["account_id"].clone(), backup["created_at"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        latest(&[]),
        [
            (json!("ws-alice"), json!("2026-04-19T10:00:00+05:30")),
            (json!("ws-team"), json!("2026-04-10T11:00:00+05:30")),
        ]
    );
    assert_eq!(order(&env, &["--email", "alice@example.com"]).len(), 3);
}

#[test]
fn verify_reads_every_archive() {
    let env = six_accounts();
    let before = prints(&env.home());
    let ran = env.run(&["list-backups", "--verify"]).code(0).stderr("");
    let expected = verified(&["erin", "dora", "bob", "alice", "carol"], "nobody");
    assert_eq!(table(&ran), expected);
    let document = env
        .run(&["list-backups", "--verify", "--json"])
        .code(0)
        .stderr("")
        .json();
    for backup in document["backups"].as_array().expect("backups") {
        assert_eq!(backup["verified"], true);
    }
    assert_eq!(prints(&env.home()), before);
}

#[test]
fn a_damaged_archive_is_named_and_the_others_shown() {
    let env = six_accounts();
    let archive = env.path(&format!("{BACKUPS}/{ALICE}.tar.gz"));
    let whole = fs::read(&archive).expect("reads");
    let half = whole.len() / 2;
    let flipped: Vec<u8> = whole
        .iter()
        .enumerate()
        .map(|(place, byte)| if place == half { byte ^ 0x40 } else { *byte })
        .collect();
    let another = fs::read(env.path(&format!("{BACKUPS}/{BOB}.tar.gz"))).expect("reads");
    for (bytes, why) in [
        (
            &whole[..half],
            Some("is damaged or unsafe: its compressed data is cut off"),
        ),
        (&[][..], None),
        (b"no archive at all", None),
        (&flipped, None),
        (
            &another,
            // By chance of equal length it is the hash that tells.
            Some("cannot be trusted: its "),
        ),
    ] {
        fs::write(&archive, bytes).expect("writes");
        let ran = env.run(&["list-backups", "--verify"]).code(3);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        let named = ran.stderr.starts_with("warning: ")
            && ran
                .stderr
                .contains(&format!("`~/{BACKUPS}/{ALICE}.tar.gz`"));
        assert!(named, "{}", ran.stderr);
        if let Some(why) = why {
            assert!(ran.stderr.contains(why), "{}", ran.stderr);
        }
        let expected = verified(&["erin", "dora", "bob", "alice", "carol"], "alice");
        assert_eq!(table(&ran), expected);
        // Unread, it is only listed; read among others, only what is shown is read.
        env.run(&["list-backups"]).code(0).stderr("");
        env.run(&["list-backups", "--verify", "--email", "bob@example.com"])
            .code(0)
            .stderr("");
        let ran = env.run(&["list-backups", "--verify", "--json"]).code(3);
        let warning: Value = serde_json::from_str(&ran.stderr).expect("JSON");
        has_keys(&warning["warning"], &["message"], &[]);
        let verified: Vec<_> = ran.json()["backups"]
            .as_array()
            .expect("backups")
            .iter()
            .map(|backup| backup["verified"] == json!(true))
            .collect();
        assert_eq!(verified, [true, true, true, false, true]);
    }
}

#[test]
fn a_sidecar_that_names_another_person_makes_the_archive_unsound() {
    let env = six_accounts();
    let path = format!("{BACKUPS}/{ALICE}.metadata.json");
    let mut sidecar: Value = serde_json::from_str(&env.read(&path)).expect("JSON");
    for (key, value) in [
        ("email", "bob@example.com"),
        ("user_id", "user-bob"),
        ("account_id", "ws-bob"),
    ] {
        sidecar[key] = json!(value);
    }
    env.write(&path, &sidecar.to_string());
    let ran = env.run(&["list-backups", "--verify"]).code(3);
    assert!(
        ran.stderr.starts_with(&format!(
            "warning: the archive `~/{BACKUPS}/{ALICE}.tar.gz` cannot be trusted: it holds the login of alice@example.com, its sidecar names bob@example.com"
        )),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_broken_sidecar_is_named_and_the_rest_shown() {
    let env = six_accounts();
    let path = format!("{BACKUPS}/{ALICE}.metadata.json");
    for (text, why) in [
        ("{", "it is no sidecar (line 1, column 1)"),
        ("", "it is no JSON object"),
        ("[]", "it is no JSON object"),
        (
            "{\"product\":\"other\"}",
            "it is of another product, `other`",
        ),
    ] {
        env.write(&path, text);
        let ran = env.run(&["list-backups"]).code(0).stderr(&format!(
            "warning: the sidecar `~/{path}` cannot be read: {why}\n"
        ));
        assert_eq!(table(&ran), rows(&["erin", "dora", "bob", "carol"]));
        let ran = env.run(&["list-backups", "--json"]).code(0);
        assert_eq!(ran.json()["backups"].as_array().map(Vec::len), Some(4));
        assert_eq!(
            serde_json::from_str::<Value>(&ran.stderr).expect("JSON"),
            json!({"warning": {"message": format!("the sidecar `~/{path}` cannot be read: {why}")}})
        );
        assert_eq!(env.read(&path), text);
    }
}

#[test]
fn halves_of_a_snapshot_are_named() {
    let env = six_accounts();
    fs::remove_file(env.path(&format!("{BACKUPS}/{ALICE}.metadata.json"))).expect("removes");
    fs::remove_file(env.path(&format!("{BACKUPS}/{BOB}.tar.gz"))).expect("removes");
    let ran = env.run(&["list-backups", "--sort", "reset_at"]).code(0).stderr(&format!(
        "warning: the archive `~/{BACKUPS}/{ALICE}.tar.gz` has no sidecar: it is unfinished or foreign, and what it says of itself is shown\n\
         warning: the sidecar `~/{BACKUPS}/{BOB}.metadata.json` has no archive beside it\n"
    ));
    let shown = table(&ran);
    assert!(
        shown.contains("2026-04-14-155500-alice@example.com-codex.tar.gz  alice@example.com  open  66%  2026-04-21 15:55  2026-04-19 10:00  full  SIZE\n"),
        "{shown}"
    );
    assert!(!shown.contains("bob@example.com"), "{shown}");
}

#[test]
fn what_is_no_snapshot_is_passed_over() {
    let env = six_accounts();
    env.write(&format!("{BACKUPS}/notes.txt"), "x");
    env.write(&format!("{BACKUPS}/other.tar.gz"), "x");
    env.write(
        &format!("{BACKUPS}/2026-02-31-155500-x@example.com-codex.tar.gz"),
        "x",
    );
    fs::create_dir(env.path(&format!(
        "{BACKUPS}/2026-04-14-155501-dir@example.com-codex.tar.gz"
    )))
    .expect("makes");
    let ran = env.run(&["list-backups"]).code(0).stderr(&format!(
        "warning: `~/{BACKUPS}/2026-04-14-155501-dir@example.com-codex.tar.gz` is no regular file\n"
    ));
    assert_eq!(
        table(&ran),
        rows(&["erin", "dora", "bob", "alice", "carol"])
    );
}

#[test]
fn superseded_snapshots_are_not_listed() {
    let mut env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    snapshot(
        &mut env,
        &alice,
        &alice.panel(66, "15:55 on 21 Apr"),
        "2026-04-19T10:00:00+05:30",
    );
    env.write(".codex/config.toml", "changed\n");
    snapshot(
        &mut env,
        &alice,
        &alice.panel(60, "15:55 on 21 Apr"),
        "2026-04-19T11:00:00+05:30",
    );
    env.set_now(NOW);
    assert!(
        env.path(&format!(
            "{BACKUPS}/superseded/2026-04-19-100000/{ALICE}.tar.gz"
        ))
        .is_file()
    );
    let document = env
        .run(&["list-backups", "--json"])
        .code(0)
        .stderr("")
        .json();
    assert_eq!(document["backups"].as_array().map(Vec::len), Some(1));
    assert_eq!(document["backups"][0]["quota_percent_left"], 60);
}

#[test]
fn without_a_directory_there_are_none_and_nothing_is_made() {
    let env = Env::new();
    env.run(&["list-backups"])
        .code(0)
        .stdout("")
        .stderr("no backups in `~/.codex-manager/backups`; `codex-manager backup` makes one\n");
    env.run(&["list-backups", "--quiet"])
        .code(0)
        .stdout("")
        .stderr("");
    for flag in [
        &[][..],
        &["--verify"],
        &["--ready"],
        &["--latest-per-email"],
    ] {
        let args = [&["list-backups", "--json", "--backup-dir", "nowhere"], flag].concat();
        env.run(&args)
            .code(0)
            .stdout("{\n  \"backups\": []\n}\n")
            .stderr("");
    }
    assert!(!env.path(".codex-manager").exists());
    #[cfg(unix)]
    {
        env.write("file", "x");
        env.run(&["list-backups", "--backup-dir", "file"]).code(1).stdout("").stderr(
            "error: cannot list `~/file`: not a directory\nhint: a part of that path is a file; name a directory\n",
        );
    }
}

#[test]
fn the_directory_is_the_flag_else_the_setting_else_the_default() {
    let env = six_accounts();
    let empty = "no backups in `~/kept`; `codex-manager backup` makes one\n";
    env.run(&["list-backups", "--backup-dir", "kept"])
        .code(0)
        .stderr(&empty.replace("backup`", "backup --backup-dir ~/kept`"));
    env.write(".codex-manager/config.toml", "[backup]\ndir = \"~/kept\"\n");
    env.run(&["list-backups"]).code(0).stderr(empty);
    let args = ["list-backups", "--backup-dir", BACKUPS];
    let ran = env.run(&args).code(0).stderr("");
    assert_eq!(
        table(&ran),
        rows(&["erin", "dora", "bob", "alice", "carol"])
    );
}

#[test]
fn wrong_orders_and_limits_are_usage_errors() {
    let env = Env::new();
    env.run(&["list-backups", "--sort", "age"]).code(2).stdout("").stderr(
        "error: invalid value 'age' for '--sort <FIELD>'\n  [possible values: reset_at, session_start_at, created_at, size]\n\nFor more information, try '--help'.\n",
    );
    env.run(&["list-backups", "--limit=-1"]).code(2).stdout("").stderr(
        "error: invalid value '-1' for '--limit <N>': invalid digit found in string\n\nFor more information, try '--help'.\n",
    );
}

#[test]
fn all_are_those_that_were_superseded_and_what_restores_replaced_too() {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    let backup = ["backup", "--status-file", "status.txt"];
    env.run(&backup).code(0);
    env.write(".codex/config.toml", "model = \"another\"\n");
    env.run(&backup).code(0);
    env.write(".codex/config.toml", "model = \"a third\"\n");
    env.run(&["restore", "alice@example.com", "--yes"]).code(0);
    let names = |args: &[&str]| -> Vec<(String, Value)> {
        let all = [&["list-backups", "--json", "--sort", "size"], args].concat();
        let answer = env.run(&all).code(0).stderr("").json();
        let backups = answer["backups"].as_array().expect("a list").clone();
        let mut names: Vec<_> = backups
            .iter()
            .map(|entry| {
                let path = entry["path"].as_str().expect("a path");
                let below = path
                    .strip_prefix("~/.codex-manager/backups/")
                    .expect("below");
                assert_eq!(
                    entry["verified"],
                    json!(args.contains(&"--verify").then_some(true))
                );
                (below.to_owned(), entry["kind"].clone())
            })
            .collect();
        names.sort_by(|a, b| a.0.cmp(&b.0));
        names
    };
    let current = "2026-04-14-155500-alice@example.com-codex.tar.gz".to_owned();
    let superseded = format!("superseded/2026-04-19-153000/{current}");
    let safety = "safety/2026-04-19-153000/2026-04-19-153000-alice@example.com-codex.tar.gz";
    assert_eq!(names(&[]), [(current.clone(), Value::Null)]);
    for args in [&["--all"][..], &["--all", "--verify"]] {
        assert_eq!(
            names(args),
            [
                (current.clone(), json!("current")),
                (safety.to_owned(), json!("safety")),
                (superseded.clone(), json!("superseded")),
            ]
        );
    }
    let text = env
        .run(&["list-backups", "--all", "--verify"])
        .code(0)
        .stderr("")
        .stdout;
    let heads: Vec<&str> = text
        .lines()
        .next()
        .expect("a line")
        .split_whitespace()
        .collect();
    assert_eq!(heads[7..], ["SIZE", "KIND", "VERIFIED"]);
    for name in [&superseded, safety] {
        let line = text
            .lines()
            .find(|line| line.starts_with(name))
            .expect("a line");
        assert!(line.trim_end().ends_with("sound"), "{line}");
        // What it shows is what a restore takes.
        env.run(&["restore", name, "--dry-run"]).code(0);
    }
    // Of an account only the newest, whatever it is; of another email none.
    env.write(".codex/auth.json", &Person::named("bob").auth_json());
    assert_eq!(names(&["--all", "--email", "bob@example.com"]), []);
    assert_eq!(names(&["--all", "--latest-per-email"]).len(), 1);
}

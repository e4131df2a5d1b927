//! Every table on terminals of 40, 80 and 200 columns, with and without colour: long emails, wide letters, accents and
//! emoji fit, and no line is wider than its terminal.
//!
//! What must come out stands in `fixtures/terminal`, its colours as `{32}`; where CODEX_MANAGER_TEST_ACCEPT is set, what
//! comes out is written there instead, to be looked at.

use std::fs;
use std::path::Path;

use unicode_width::UnicodeWidthStr;

use crate::common::{Env, NOW, Person};
use crate::pty::UTF8;
use crate::worlds::{legacy, six_accounts, snapshot};

const LONG: &str = "a.person.with.quite.a.long.name.of.the.outer.department@mail.example.com";
const WIDE: &str = "山田太郎の仕事用アカウント@example.com";

fn named(email: &str, id: &str) -> Person {
    Person {
        email: email.to_owned(),
        ..Person::named(id)
    }
}

/// Accounts with names of every kind; whoever has the long one is signed in.
pub fn world() -> Env {
    let mut env = Env::new();
    let panel = |person: &Person, left, resets: &str| {
        let panel = person.panel(left, resets);
        panel.replace("88% left", if left == 40 { "0% left" } else { "88% left" })
    };
    for (email, id, left, resets, seen) in [
        (
            WIDE,
            "yamada",
            0,
            "09:00 on 21 Apr",
            "2026-04-18T10:00:00+05:30",
        ),
        (
            "zoe\u{301}@example.com",
            "zoe",
            100,
            "14:00 on 26 Apr",
            "2026-04-19T14:00:00+05:30",
        ),
        (
            "bob@example.com",
            "bob",
            40,
            "10:00 on 22 Apr",
            "2026-04-19T14:30:00+05:30",
        ),
        (
            LONG,
            "long",
            66,
            "15:55 on 21 Apr",
            "2026-04-19T15:00:00+05:30",
        ),
    ] {
        let person = named(email, id);
        snapshot(&mut env, &person, &panel(&person, left, resets), seen);
    }
    env.set_now(NOW);
    env.write(
        ".codex-manager/profiles/wide/profile.toml",
        &format!(
            "email = \"{WIDE}\"\nalias = \"👩‍💻 仕事\"\npaused = true\nnote = \"しばらく使わない\"\n"
        ),
    );
    for dir in ["tmp", "cache", "log"] {
        env.write(
            &format!(".codex/{dir}/a-file-with-quite-a-long-name-of-forty-letters.log"),
            "x",
        );
    }
    env
}

/// As [`UnicodeWidthStr`] has it, without colours.
fn width(line: &str) -> usize {
    plain(line).width()
}

fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, code)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = code.split_once('m').expect("a colour").1;
    }
    plain + rest
}

/// Compares what stands on terminals of all widths with what must.
#[track_caller]
pub fn same_on_terminals(env: &Env, name: &str, args: &[&str], part: fn(&str) -> String) {
    // How well an archive packs hangs on where it was made.
    let sizes = regex::Regex::new(r"[0-9]\.[0-9] kB").expect("a pattern");
    let mut shown = String::new();
    for columns in [40, 80, 200] {
        let colored = env.on_terminal(columns, &[UTF8], args);
        let bare = env.on_terminal(columns, &[UTF8, ("TERM", "dumb")], args);
        assert_eq!(plain(&colored), bare, "colour adds nothing: {args:?}");
        for line in part(&bare).lines() {
            let is_whole = |line: &str| {
                !line
                    .trim_end()
                    .rsplit("  ")
                    .next()
                    .is_some_and(|said| said.contains(' '))
            };
            assert!(
                width(line) <= usize::from(columns) || is_whole(line),
                "{args:?} at {columns}: {line}"
            );
        }
        let marked = sizes
            .replace_all(&part(&colored), "#.# kB")
            .replace("\u{1b}[", "{")
            .replace("{0m", "{0}");
        let marked = ["1", "2", "32", "33"].iter().fold(marked, |text, code| {
            text.replace(&format!("{{{code}m"), &format!("{{{code}}}"))
        });
        shown.push_str(&format!("== {columns} columns\n{marked}"));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/terminal")
        .join(name);
    if std::env::var_os("CODEX_MANAGER_TEST_ACCEPT").is_some() {
        fs::write(&path, shown).expect("writes");
        return;
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(shown, wanted, "{}", path.display());
}

fn all(text: &str) -> String {
    text.to_owned()
}

#[test]
fn accounts_fit() {
    let env = world();
    same_on_terminals(&env, "cooldown.txt", &["cooldown"], all);
    same_on_terminals(&env, "timeline.txt", &["cooldown", "--timeline"], all);
    same_on_terminals(&env, "recommend.txt", &["recommend"], all);
    env.write(
        "panel.txt",
        &named(LONG, "long").panel(66, "15:55 on 21 Apr"),
    );
    let status = ["status", "--input-file", "panel.txt"];
    same_on_terminals(&env, "status.txt", &status, all);
    same_on_terminals(&env, "profile-list.txt", &["profile", "list"], all);
    let show = ["profile", "show", "👩‍💻 仕事"];
    same_on_terminals(&env, "profile-show.txt", &show, all);
    same_on_terminals(
        &six_accounts(),
        "timeline-kinds.txt",
        &["cooldown", "--timeline"],
        all,
    );
}

#[test]
fn snapshots_fit() {
    let env = world();
    same_on_terminals(&env, "list-backups.txt", &["list-backups", "--verify"], all);
    let prune = ["prune", "--keep-last", "1", "--dry-run"];
    same_on_terminals(&env, "prune.txt", &prune, all);
    let state = ["prune", "--codex-state", "--dry-run"];
    same_on_terminals(&env, "prune-codex-state.txt", &state, all);
    let restore = ["restore", "bob@example.com", "--dry-run"];
    same_on_terminals(&env, "restore.txt", &restore, all);
    let remote = format!("file://{}", env.beside_home("remote").display());
    env.run(&["sync", "init", "--remote", &remote]).code(0);
    // Below the table stands where the remote is.
    let table = |text: &str| {
        let lines = text.lines().take_while(|line| !line.starts_with("remote"));
        lines.flat_map(|line| [line, "\n"]).collect()
    };
    same_on_terminals(&env, "sync-status.txt", &["sync", "status"], table);
    let push = ["sync", "push", "--dry-run"];
    let table = |text: &str| {
        let lines = text.lines().take_while(|line| !line.starts_with("push "));
        lines.flat_map(|line| [line, "\n"]).collect()
    };
    same_on_terminals(&env, "sync-push.txt", &push, table);
}

#[test]
fn settings_and_legacy_files_fit() {
    let env = Env::new();
    let places = [
        "--manager-home",
        "/made/up/manager/home",
        "--codex-home",
        "/made/up/codex/home",
    ];
    same_on_terminals(
        &env,
        "config-list.txt",
        &[&places[..], &["config", "list"]].concat(),
        all,
    );
    for (email, day) in [(LONG, "21apr"), (WIDE, "22apr")] {
        let file = format!("{day}_{email}_auth.json");
        legacy(
            &env,
            &file,
            &named(email, day).auth_json(),
            "2026-04-14T17:55:00+05:30",
        );
    }
    let normalize = [
        "normalize",
        "--source-dir",
        "legacy",
        "--dry-run",
        "--quiet",
    ];
    same_on_terminals(&env, "normalize.txt", &normalize, all);
}

/// The columns that a table's source names, by rank: those of 0, and the others.
fn ranked(path: &str) -> [String; 2] {
    let source =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("reads");
    let column = r#"(?:column|number|long|passing)\("([A-Z ]+)", ([0-9]+)\)"#;
    let column = regex::Regex::new(column).expect("a pattern");
    let mut columns: Vec<(u8, &str)> = column
        .captures_iter(&source)
        .map(|found| {
            let [title, rank] = found.extract().1;
            (rank.parse().expect("a rank"), title)
        })
        .collect();
    columns.sort_by_key(|(rank, _)| *rank);
    let titles = |is_first: bool| {
        let titles = columns.iter().filter(|(rank, _)| (*rank == 0) == is_first);
        titles
            .map(|(_, title)| *title)
            .collect::<Vec<_>>()
            .join(", ")
    };
    [titles(true), titles(false)]
}

#[test]
fn the_specification_tells_in_which_order_columns_go() {
    let specification = Path::new(env!("CARGO_MANIFEST_DIR")).join("CODEX_MANAGER_SPEC.md");
    let specification = fs::read_to_string(specification).expect("reads");
    for (name, path) in [
        ("`cooldown`", "src/commands/cooldown.rs"),
        ("`cooldown --timeline`", "src/commands/cooldown/timeline.rs"),
        ("`list-backups`", "src/commands/list_backups.rs"),
        ("`normalize`", "src/commands/normalize.rs"),
        ("`profile list`", "src/commands/profile/list.rs"),
        ("`profile import`", "src/commands/profile/import.rs"),
        ("`prune`", "src/commands/prune/answer.rs"),
        ("`prune --codex-state`", "src/commands/prune/codex_state.rs"),
        ("`sync push`, `sync pull`", "src/sync/report.rs"),
        ("`sync status`", "src/commands/sync/status.rs"),
        ("`config list`", "src/commands/config.rs"),
    ] {
        let [always, then] = ranked(path);
        let row = format!("| {name} | {always} | {then} |\n");
        assert!(specification.contains(&row), "{row}");
    }
}

//! What the README shows is what comes out, on the accounts of `fixtures/` and the Codex that stands there.

use std::fs;
use std::path::Path;

use crate::common::Env;

/// The world of `fixtures/demo` after its first two commands.
pub fn demo() -> Env {
    let env = Env::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    copy(&fixtures.join("codex-home"), &env.path(".codex"));
    copy(&fixtures.join("legacy"), &env.path("legacy"));
    fs::create_dir(env.path("bin")).expect("makes");
    fs::copy(fixtures.join("codex"), env.path("bin/codex")).expect("copies");
    for (name, mtime) in [
        ("21apr_alice", "2026-04-14T12:25:00Z"),
        ("18apr_bob", "2026-04-11T06:50:00Z"),
        ("23apr_carol", "2026-04-15T14:30:00Z"),
        ("20apr_dave", "2026-04-13T09:10:00Z"),
        ("24apr_frank", "2026-04-18T03:30:00Z"),
    ] {
        env.touch(&format!("legacy/{name}@example.com_auth.json"), mtime);
    }
    env.run(&[
        "normalize",
        "--source-dir",
        "legacy",
        "--write-metadata",
        "--quiet",
    ])
    .code(0);
    env
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("makes");
    for entry in fs::read_dir(from).expect("lists") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copies");
        }
    }
}

/// The README's lines after `$ codex-manager` and these words, up to the next command or the end of the block.
fn shown(command: &str) -> String {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("reads");
    let start = format!("$ codex-manager {command}\n");
    let (_, rest) = readme
        .split_once(&start)
        .unwrap_or_else(|| panic!("the README does not show `{command}`"));
    let lines = rest
        .lines()
        .take_while(|line| !line.starts_with("$ ") && !line.starts_with("```"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn the_transcripts_are_what_comes_out() {
    let env = demo();
    let ask = |args: &[&str]| {
        let mut command = env.command(args);
        command.env("PATH", env.path("bin"));
        env.ran(&mut command, args).code(0).stderr("").stdout
    };
    let line = |text: &str, which: &dyn Fn(&&str) -> bool| -> String {
        text.lines()
            .find(which)
            .map(|line| format!("{line}\n"))
            .unwrap_or_default()
    };
    let first: &dyn Fn(&&str) -> bool = &|_| true;
    assert_eq!(ask(&["status"]), shown("status"));
    assert_eq!(line(&ask(&["backup"]), first), shown("backup | head -1"));
    let table = env.run(&["cooldown"]).code(0).stdout;
    assert_eq!(table, shown("cooldown"));
    let mut command = env.command(&["cooldown", "--timeline"]);
    command.env("LC_ALL", "C.UTF-8");
    let timeline = env.ran(&mut command, &["cooldown", "--timeline"]).code(0);
    assert_eq!(timeline.stdout, shown("cooldown --timeline"));
    let advice = env.run(&["recommend"]).code(0).stdout;
    assert_eq!(line(&advice, first), shown("recommend | head -1"));
    let used = env.run(&["use", "bob@example.com"]).code(0).stdout;
    assert_eq!(line(&used, first), shown("use bob@example.com | head -1"));
}

//! `man`: every command has its page, which tells each option and is drawn without complaint.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::common::Env;
use crate::shells::found;

/// The pages of [`Env`], written to `~/man/man1`: names and texts.
fn pages(env: &Env) -> Vec<(String, String)> {
    env.run(&["man", "--dir", "man/man1"]).code(0).stderr("");
    env.tree("man/man1")
}

/// A page as it is read on a terminal.
fn drawn(page: &Path) -> Option<String> {
    let groff = which::which("groff").ok()?;
    let output = Command::new(groff)
        .args([
            "-man",
            "-ww",
            "-Tutf8",
            "-P-c",
            "-P-b",
            "-P-o",
            "-P-u",
            "-rLL=200n",
        ])
        .arg(page)
        .stdin(Stdio::null())
        .output()
        .expect("runs");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "",
        "{}",
        page.display()
    );
    Some(String::from_utf8(output.stdout).expect("UTF-8"))
}

#[test]
fn every_command_has_a_page_that_tells_all_of_it() {
    let env = Env::new();
    let pages = pages(&env);
    let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
    for name in [
        "codex-manager.1",
        "codex-manager-use.1",
        "codex-manager-profile-set.1",
        "codex-manager-man.1",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(pages.len() > 30, "{names:?}");
    assert!(!names.iter().any(|name| name.contains("help")), "{names:?}");
    let mut count = 0;
    for (name, roff) in &pages {
        let path = env.path("man/man1").join(name);
        // For all to read, in directories that were made for them.
        for (path, mode) in [
            (path.as_path(), 0o644),
            (&env.path("man/man1"), 0o755),
            (&env.path("man"), 0o755),
        ] {
            let found = fs::metadata(path).expect("stands").permissions().mode();
            assert_eq!(found & 0o777, mode, "{}", path.display());
        }
        let base = name.trim_end_matches(".1");
        // `codex-manager-list-backups`: the words are those of the usage.
        let told = roff
            .split("\n.SH ")
            .find(|part| part.starts_with("SYNOPSIS"));
        let told = told
            .expect("a synopsis")
            .replace("\\-", "-")
            .replace("\\fB", "");
        let words = told.lines().nth(1).expect("a line").split("\\fR").next();
        let words = words.expect("a name").trim_start_matches("codex-manager");
        let words: Vec<&str> = words.split_whitespace().collect();
        let joined = [&["codex-manager"][..], &words].concat().join("-");
        assert_eq!(joined, base);
        let args = [&words[..], &["--help"]].concat();
        let help = env.run(&args).code(0).stdout;
        let plain = roff
            .replace("\\-", "-")
            .replace("\\fB", "")
            .replace("\\fR", "")
            .replace("\\*(Aq", "'");
        for line in help.lines().map(str::trim_start) {
            if let Some(option) = line
                .split([' ', ','])
                .find(|word| word.starts_with("--") && line.starts_with('-'))
            {
                assert!(plain.contains(option), "{name}: {option}");
                count += 1;
            }
            if line.starts_with("codex-manager ") {
                assert!(plain.contains(line), "{name}: {line}\n{plain}");
            }
        }
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "GLOBAL OPTIONS",
            "EXAMPLES",
            "EXIT STATUS",
            "ENVIRONMENT",
            "FILES",
            "SEE ALSO",
        ] {
            assert!(
                plain.contains(&format!("\n.SH {section}\n"))
                    || plain.contains(&format!("\n.SH \"{section}\"\n")),
                "{name}: {section}"
            );
        }
        // One by one it is the same.
        let args = [&["man"][..], &words].concat();
        env.run(&args).code(0).stdout(roff).stderr("");
    }
    assert!(count > 300, "{count} options");
}

#[test]
fn each_is_drawn_without_complaint() {
    let env = Env::new();
    let pages = pages(&env);
    for (name, _) in &pages {
        let Some(text) = drawn(&env.path("man/man1").join(name)) else {
            eprintln!("not asked of groff: there is none");
            break;
        };
        assert!(text.contains("EXIT STATUS"), "{text}");
    }
    let Some(mandoc) = found("mandoc") else {
        return;
    };
    let mut command = Command::new(&mandoc.path);
    mandoc.surround(&mut command);
    let paths = pages
        .iter()
        .map(|(name, _)| env.path("man/man1").join(name));
    let output = command
        .arg("-Tlint")
        .arg("-Wwarning")
        .args(paths)
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // The same program makes the same page on any day.
    let said: Vec<&str> = said
        .lines()
        .filter(|line| !line.contains("missing date"))
        .collect();
    assert_eq!(said, [""; 0]);
}

#[test]
fn a_page_as_it_is_read() {
    let env = Env::new();
    pages(&env);
    let Some(text) = drawn(&env.path("man/man1/codex-manager-profile-show.1")) else {
        return;
    };
    let text: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let text = text.join("\n");
    // What is shown as a command line can be copied.
    let backup = drawn(&env.path("man/man1/codex-manager-backup.1")).expect("drawn");
    assert!(
        backup.contains("codex-manager backup --exclude '*.log' --dry-run"),
        "{backup}"
    );
    for part in [
        "NAME\ncodex-manager-profile-show - One profile in full\nSYNOPSIS\ncodex-manager profile show [OPTIONS] <NAME>\n",
        "EXAMPLES\ncodex-manager profile show alice\nBy name\n",
        "\n10     no profile of that name\n",
        "SEE ALSO\ncodex-manager(1), codex-manager-profile(1)\n",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[test]
fn nothing_is_written_where_nothing_is_to_be() {
    let env = Env::new();
    let count = pages(&Env::new()).len();
    env.run(&["man", "--dir", "man", "--dry-run"])
        .code(0)
        .stdout(&format!("dry-run   {count} pages in ~/man\n"))
        .stderr("");
    env.run(&["man", "use", "--json"]).code(0);
    assert_eq!(env.files(""), [""; 0]);
    let page = env.run(&["man", "use"]).code(0).stdout;
    let document = env.run(&["man", "use", "--json"]).code(0).json();
    assert_eq!(document, json!({"name": "codex-manager-use", "roff": page}));
    let document = env.run(&["man", "--dir", "x", "--json"]).code(0).json();
    assert_eq!(document["mode"], "written");
    assert_eq!(document["dir"], "~/x");
    assert_eq!(document["files"].as_array().map(Vec::len), Some(count));
    // Once more is the same.
    let before = env.tree("x");
    env.run(&["man", "--dir", "x", "--quiet"])
        .code(0)
        .stdout("")
        .stderr("");
    assert_eq!(env.tree("x"), before);
    let ran = env.run(&["man", "frob"]).code(2).stdout("");
    let start =
        "error: `codex-manager` has no command `frob`\nhint: there are: normalize, backup, ";
    assert!(ran.stderr.starts_with(start), "{}", ran.stderr);
    env.run(&["man", "profile", "frob"]).code(2).stdout("").stderr(
        "error: `codex-manager profile` has no command `frob`\nhint: there are: list, show, set, login, rename, remove, \
         export, import\n",
    );
    env.run(&["man", "use", "x"]).code(2).stdout("").stderr(
        "error: `codex-manager use` has no command `x`\nhint: it has no commands below it\n",
    );
    env.run(&["man", "--dry-run"]).code(2).stdout("");
    env.run(&["man", "use", "--dir", "x"]).code(2).stdout("");
    env.write("file", "");
    let ran = env.run(&["man", "--dir", "file"]).code(1).stdout("");
    assert!(ran.stderr.contains("~/file"), "{}", ran.stderr);
}

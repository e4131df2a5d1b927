//! What several modules set up or check: legacy files, snapshots of several people, keys of a document, modes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use crate::common::{Env, Person, Ran};

/// Writes a legacy login copy into `~/legacy` with this mtime.
pub fn legacy(env: &Env, file: &str, content: &str, mtime: &str) {
    let below = format!("legacy/{file}");
    env.write(&below, content);
    env.touch(&below, mtime);
}

/// Signs `person` in and makes a snapshot with this panel as of `now`.
pub fn snapshot(env: &mut Env, person: &Person, panel: &str, now: &str) {
    env.write(".codex/auth.json", &person.auth_json());
    env.write("status.txt", panel);
    env.set_now(now);
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
}

/// Checks that `object` has exactly these keys.
#[track_caller]
pub fn has_keys(object: &Value, contract: &[&str], extra: &[&str]) {
    let found: BTreeSet<&str> = object
        .as_object()
        .unwrap_or_else(|| panic!("no object: {object}"))
        .keys()
        .map(String::as_str)
        .collect();
    let wanted: BTreeSet<&str> = contract.iter().chain(extra).copied().collect();
    assert_eq!(found, wanted);
}

/// The failure on stderr, behind any warnings, as the JSON it must be, with exactly its keys: kind, message, hint.
#[track_caller]
pub fn json_error(ran: &Ran) -> (String, String, String) {
    let is_warning = |line: &&str| line.starts_with("{\"warning\":");
    let failure: String = ran.stderr.lines().skip_while(is_warning).collect();
    let document: Value =
        serde_json::from_str(&failure).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    has_keys(&document, &["error"], &[]);
    has_keys(&document["error"], &["kind", "message", "hint"], &[]);
    let text = |key: &str| document["error"][key].as_str().expect("a text").to_owned();
    (text("kind"), text("message"), text("hint"))
}

/// Every file and directory below `dir` with its bytes, mtime and mode.
pub fn prints(dir: &Path) -> Vec<(String, Vec<u8>, SystemTime, u32)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).expect("lists").flatten() {
            let path = entry.path();
            let meta = fs::symlink_metadata(&path).expect("stands");
            if meta.is_dir() {
                open.push(path.clone());
            }
            let bytes = if meta.is_file() {
                fs::read(&path).expect("reads")
            } else {
                Vec::new()
            };
            let mtime = meta.modified().expect("an mtime");
            found.push((path.display().to_string(), bytes, mtime, mode(&path)));
        }
    }
    found.sort();
    found
}

/// The permission bits of `path`, a link's own; 0 where the system has none.
pub fn mode(path: &Path) -> u32 {
    let meta = fs::symlink_metadata(path).expect("stands");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        meta.permissions().mode() & 0o7777
    }
    #[cfg(not(unix))]
    {
        let _ = meta;
        0
    }
}

/// `text` with every run of blanks as two: tables whose width depends on where HOME is.
pub fn squeezed(text: &str) -> String {
    let mut squeezed = String::new();
    for line in text.lines() {
        let cells: Vec<&str> = line
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .collect();
        squeezed.push_str(&cells.join("  "));
        squeezed.push('\n');
    }
    squeezed
}

/// Accounts of every kind, seen before [`crate::common::NOW`]: alice's window is open, bob's exhausted, carol's over, dora's not begun,
/// erin's shorter one exhausted; frank has only a legacy file that contradicts its window. Erin is signed in.
pub fn six_accounts() -> Env {
    let mut env = Env::new();
    for (name, left, resets, seen) in [
        ("alice", 66, "15:55 on 21 Apr", "2026-04-19T10:00:00+05:30"),
        ("bob", 0, "09:00 on 20 Apr", "2026-04-19T11:00:00+05:30"),
        ("carol", 20, "12:00 on 18 Apr", "2026-04-15T10:00:00+05:30"),
        ("dora", 100, "14:00 on 26 Apr", "2026-04-19T14:00:00+05:30"),
        ("erin", 40, "10:00 on 22 Apr", "2026-04-19T14:30:00+05:30"),
    ] {
        let person = Person::named(name);
        let mut panel = person.panel(left, resets);
        if name == "erin" {
            panel = panel.replace("88% left", "0% left");
        }
        snapshot(&mut env, &person, &panel, seen);
    }
    env.set_now(crate::common::NOW);
    let frank = Person {
        last_refresh: "2026-01-01T00:00:00Z".to_owned(),
        ..Person::named("frank")
    };
    legacy(
        &env,
        "21apr_frank@example.com_auth.json",
        &frank.auth_json(),
        "2026-04-16T17:55:00+05:30",
    );
    env.run(&["normalize", "--source-dir", "legacy"]).code(0);
    env
}

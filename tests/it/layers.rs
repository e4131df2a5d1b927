//! The shape of the source: every file says what it is for, dependencies point down, pure modules ask nobody.
//!
//! Reads `src/` as text; comments and strings are taken out first, so that only code counts.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules at the root, low to high: each may use only those before it.
const LAYERS: &[&[&str]] = &[
    &["error", "stop", "threads", "fsutil", "timeutil"],
    &[
        "lock",
        "encryption",
        "remote",
        "settings",
        "ui",
        "metadata",
        "legacy",
    ],
    &["observation", "codex", "profiles", "retention"],
    &["archive", "registry", "inventory"],
    &[
        "capture",
        "databases",
        "snapshots",
        "accounts",
        "timeline",
        "install",
        "hint",
    ],
    &["evidence"],
    &["bundle", "parcel"],
    &["cli"],
    &["advice"],
    &["context"],
    &["live"],
    &["exchange"],
    &["sync"],
    &["commands"],
    // Tests of all of them.
    &["fuzz"],
];

/// Modules that take all they know as arguments.
const PURE: &[&str] = &[
    "timeutil.rs",
    "metadata.rs",
    "metadata/",
    "legacy.rs",
    "observation.rs",
    "accounts.rs",
    "advice.rs",
    "commands/completions/line.rs",
    "timeline.rs",
    "bundle/document.rs",
    "bundle/settings.rs",
    "parcel/name.rs",
    "parcel/python.rs",
    "profiles/names.rs",
    "archive/entry_name.rs",
    "archive/known.rs",
    "archive/limits.rs",
    "commands/status/line.rs",
    "commands/status/pattern.rs",
    "codex/parts.rs",
    "codex/redact.rs",
    "codex/state.rs",
    "codex/running/",
    "codex/status/app_server/",
    "codex/status/panel.rs",
    "codex/status/panel/",
    "codex/status/rate_limits.rs",
    "codex/status/reading.rs",
    "registry/",
    "retention.rs",
    "sync/keys.rs",
    "sync/plan.rs",
    "ui/choice.rs",
    "commands/use_account/",
    "commands/restore/list.rs",
    "codex/status/screen.rs",
];

/// What asks the machine: files, environment, clock.
const ASKS: &[&str] = &[
    "std::env",
    "env::",
    "std::fs",
    "fs::",
    "std::process",
    "stdin(",
    "Utc::now",
    "Local::now",
    "SystemTime::now",
    "Instant::now",
];

/// Those of them that only the context may use, and `main.rs` for the arguments.
const OF_THE_CONTEXT: &[&str] = &[
    "std::env",
    "env::",
    "Utc::now",
    "Local::now",
    "SystemTime::now",
];

/// Where waiting is measured, how fast work goes, and how long ago a file was written, by the clock that dates files: never a
/// time of day that anybody is told.
const MAY_WAIT: &[&str] = &[
    "archive/write/steady.rs",
    "stop.rs",
    "lock.rs",
    "fsutil.rs",
    "codex/auth_file.rs",
    "codex/family.rs",
    "codex/process.rs",
    "codex/status/app_server.rs",
    "codex/status/terminal.rs",
    "ui/progress.rs",
];

/// One source file: its path below `src/`, its text, and its code outside of tests.
struct Source {
    path: String,
    text: String,
    /// All of the code.
    code: String,
    /// The part that is built into the program.
    built: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open: Vec<PathBuf> = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                fs::read_dir(&path)
                    .expect("lists")
                    .map(|entry| entry.expect("reads").path()),
            );
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path)
                .expect("reads")
                .replace("\r\n", "\n");
            let below = path.strip_prefix(&root).expect("below");
            let path = below.to_string_lossy().replace('\\', "/");
            found.push(Source::of(path, text));
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 30, "the sources were not found");
    found
}

impl Source {
    fn of(path: String, text: String) -> Self {
        let code = bare(&text);
        let built = if path.ends_with("/tests.rs") || path.starts_with("fuzz") {
            String::new()
        } else {
            without_tests(&code)
        };
        Self {
            path,
            text,
            code,
            built,
        }
    }

    /// The module at the root it is or belongs to.
    fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or(&self.path);
        first.strip_suffix(".rs").unwrap_or(first)
    }

    fn says(&self, words: &[&'static str]) -> Vec<&'static str> {
        let mut said: Vec<_> = words
            .iter()
            .copied()
            .filter(|word| has_word(&self.built, word))
            .collect();
        said.dedup();
        said
    }
}

/// The code without comments and without what stands in strings.
fn bare(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let at = |place: usize| letters.get(place).copied().unwrap_or('\0');
    let mut code = String::with_capacity(text.len());
    let mut place = 0;
    while place < letters.len() {
        let (this, next) = (at(place), at(place + 1));
        if this == '/' && next == '/' {
            while place < letters.len() && at(place) != '\n' {
                place += 1;
            }
        } else if this == '/' && next == '*' {
            let mut depth = 0;
            loop {
                match (at(place), at(place + 1)) {
                    ('/', '*') => (depth, place) = (depth + 1, place + 2),
                    ('*', '/') => (depth, place) = (depth - 1, place + 2),
                    _ => place += 1,
                }
                if depth == 0 || place >= letters.len() {
                    break;
                }
            }
        } else if let Some(end) = end_of_raw(&letters, place) {
            code.push_str("\"\"");
            place = end;
        } else if this == '"' {
            code.push_str("\"\"");
            place += 1;
            while place < letters.len() && at(place) != '"' {
                place += if at(place) == '\\' { 2 } else { 1 };
            }
            place += 1;
        } else if this == '\'' && next == '\\' {
            // A letter such as '\'' or '\u{1b}'; lifetimes have no closing quote.
            place += 3;
            while place < letters.len() && at(place) != '\'' {
                place += 1;
            }
            place += 1;
        } else if this == '\'' && at(place + 2) == '\'' {
            place += 3;
        } else {
            code.push(this);
            place += 1;
        }
    }
    code
}

/// Where the raw string that begins at `start` ends; None where none begins.
fn end_of_raw(letters: &[char], start: usize) -> Option<usize> {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let before = start.checked_sub(1).map(|place| letters[place]);
    if letters[start] != 'r' || before.is_some_and(|letter| is_name(letter) && letter != 'b') {
        return None;
    }
    let hashes = letters[start + 1..]
        .iter()
        .take_while(|letter| **letter == '#')
        .count();
    let mut place = start + 1 + hashes;
    if letters.get(place) != Some(&'"') {
        return None;
    }
    place += 1;
    while place < letters.len() {
        let closing = letters[place] == '"'
            && letters[place + 1..]
                .iter()
                .take(hashes)
                .filter(|letter| **letter == '#')
                .count()
                == hashes;
        place += 1;
        if closing {
            return Some(place + hashes);
        }
    }
    Some(place)
}

/// The code without what `#[cfg(test)]` stands before.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut built = String::new();
    let mut rest = code;
    while let Some((before, after)) = rest.split_once(MARK) {
        built.push_str(before);
        // An item ends with its block, or with a semicolon before any block.
        let (mut depth, mut end) = (0_usize, after.len());
        for (place, letter) in after.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth <= 1 => {
                    end = place + 1;
                    break;
                }
                '}' => depth -= 1,
                ';' if depth == 0 => {
                    end = place + 1;
                    break;
                }
                _ => {}
            }
        }
        rest = &after[end..];
    }
    built.push_str(rest);
    built
}

/// Whether `word` stands in `code` as the beginning of a path or a name of its own.
fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(place, _)| {
        let before = code[..place].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    })
}

/// The root modules that `crate::` paths name, those in braces too.
fn crate_paths(code: &str) -> Vec<String> {
    const START: &str = "crate::";
    let mut found = Vec::new();
    for (place, _) in code.match_indices(START) {
        let after = code[place + START.len()..].trim_start();
        if let Some(group) = after.strip_prefix('{') {
            let mut depth = 0_usize;
            let mut part = String::new();
            for letter in group.chars() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.push(first_name(&std::mem::take(&mut part))),
                    _ => {}
                }
                if depth == 0 && letter != ',' && letter != '}' {
                    part.push(letter);
                }
            }
            found.push(first_name(&part));
        } else {
            found.push(first_name(after));
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

fn first_name(path: &str) -> String {
    path.trim_start()
        .chars()
        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
        .collect()
}

/// The longest `super::super::…` in `code`.
fn most_supers(code: &str) -> usize {
    let longest = (1..8)
        .rev()
        .find(|count| has_word(code, &"super::".repeat(*count)));
    longest.unwrap_or(0)
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn complaint(source: &Source, used: &str) -> Option<String> {
    let here = layer(source.module())?;
    match layer(used) {
        // Within a layer too, only one direction: the order in which it is written.
        Some(there) if there < here => None,
        Some(there) if there == here => {
            let place = |module: &str| LAYERS[here].iter().position(|name| *name == module);
            (place(used) > place(source.module())).then(|| {
                format!(
                    "{} uses {used}, which comes after it in its layer",
                    source.path
                )
            })
        }
        Some(_) => Some(format!("{} uses {used}, which is above it", source.path)),
        None => Some(format!("{} uses {used}, which is in no layer", source.path)),
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for source in sources() {
        let first = source.text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("//! ") && first.len() > 20,
            "{} begins with `{first}`",
            source.path
        );
    }
}

#[test]
fn every_module_has_its_layer() {
    for source in sources() {
        assert!(
            source.path == "main.rs" || layer(source.module()).is_some(),
            "{} is in no layer of tests/it/layers.rs",
            source.path
        );
    }
    for module in LAYERS.iter().copied().flatten() {
        assert!(
            sources().iter().any(|source| source.module() == *module),
            "there is no module {module}"
        );
    }
}

#[test]
fn dependencies_point_down() {
    let mut complaints = Vec::new();
    for source in sources() {
        if source.path == "main.rs" {
            continue;
        }
        for used in crate_paths(&source.code) {
            if used != source.module() {
                complaints.extend(complaint(&source, &used));
            }
        }
        // `super` must not reach the root, where it would go round the rule above.
        let depth = source.path.trim_end_matches("/mod.rs").split('/').count();
        if most_supers(&source.built) >= depth {
            complaints.push(format!("{} reaches the root by `super`", source.path));
        }
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn commands_never_use_each_other() {
    for source in sources() {
        if source.path.starts_with("commands/") {
            // The parts of one command may use one another: that many steps up they are still in it.
            let within = source.path.split('/').count().saturating_sub(2);
            let leaves = most_supers(&source.built) > within;
            let uses = source.code.contains("crate::commands") || leaves;
            assert!(!uses, "{} uses another command", source.path);
        } else if source.path != "main.rs" {
            assert!(!source.code.contains("crate::commands"), "{}", source.path);
        }
    }
}

#[test]
fn within_codex_the_login_and_the_panel_know_nothing_of_the_rest() {
    for source in sources() {
        let others: &[&str] = match source.path.as_str() {
            "codex/auth.rs" => &["process", "status", "home"],
            "codex/process.rs" => &["auth", "status", "home"],
            path if path.starts_with("codex/status/panel") => &["auth", "process", "home"],
            path if path.starts_with("codex/status/") => &["auth", "home"],
            _ => continue,
        };
        for other in others {
            let uses = has_word(&source.built, &format!("codex::{other}"))
                || has_word(&source.built, &format!("super::{other}"));
            assert!(!uses, "{} uses codex::{other}", source.path);
        }
    }
}

#[test]
fn pure_modules_ask_nobody() {
    let pure: Vec<_> = sources()
        .into_iter()
        .filter(|source| {
            PURE.iter().any(|pure| {
                source.path == *pure || (pure.ends_with('/') && source.path.starts_with(pure))
            })
        })
        .collect();
    assert!(pure.len() >= 10, "pure modules were not found");
    for source in pure {
        assert_eq!(source.says(ASKS), [""; 0], "{}", source.path);
    }
}

#[test]
fn only_the_context_reads_the_environment_and_the_clock() {
    for source in sources() {
        let may: &[&str] = match source.path.as_str() {
            "context.rs" => &["Utc::now"],
            "context/environment.rs" | "main.rs" => &["std::env", "env::"],
            _ => &[],
        };
        let said: Vec<_> = source
            .says(OF_THE_CONTEXT)
            .into_iter()
            .filter(|word| !may.contains(word))
            .collect();
        assert_eq!(said, [""; 0], "{}", source.path);
        if !MAY_WAIT.contains(&source.path.as_str()) {
            let measures = source.says(&["Instant::now", ".elapsed("]);
            assert_eq!(measures, [""; 0], "{}", source.path);
        }
    }
}

/// The rules above are only as good as what they read.
#[test]
fn the_reader_sees_what_stands_there() {
    let source = |path: &str, text: &str| Source::of(path.to_owned(), text.to_owned());
    let used = |text: &str| crate_paths(&bare(text));
    assert_eq!(used("use crate::error::Result;"), ["error"]);
    assert_eq!(
        used("use crate::{cli::{A, b::C}, context::Ctx, ui};"),
        ["cli", "context", "ui"]
    );
    assert_eq!(used("fn f() { crate::evidence::g() }"), ["evidence"]);
    assert_eq!(
        used("// crate::a\n/* crate::b /* crate::c */ */ \"crate::d\" r#\"\"crate::e\"#"),
        [""; 0]
    );
    assert_eq!(
        used("let quote = '\"'; crate::f::g(); let other = '\\''; crate::h()"),
        ["f", "h"]
    );
    assert_eq!(used("fn f<'a>(x: &'a str) { crate::i(x) }"), ["i"]);

    let upward = source("settings.rs", "use crate::context::Ctx;");
    assert!(complaint(&upward, "context").is_some());
    assert!(complaint(&upward, "error").is_none());
    assert!(complaint(&source("error.rs", ""), "fsutil").is_some());
    assert!(complaint(&source("error.rs", ""), "newcomer").is_some());

    let tested = source(
        "legacy.rs",
        "fn f() {}\n#[cfg(test)]\nmod tests { fn g() { std::fs::read(\"}\"); } }\nfn h() { std::env::var(\"A\"); }",
    );
    assert_eq!(tested.says(ASKS), ["std::env", "env::"]);
    assert!(has_word("fs::read(x)", "fs::") && !has_word("crate::myfs::read(x)", "fs::"));
    assert_eq!(most_supers("use super::super::error;"), 2);
}

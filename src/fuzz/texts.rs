//! Readers of text: sidecars, manifests, what Codex prints and writes, names, settings, our own files.

use std::fs;
use std::num::NonZeroU16;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::{run, seeds};
use crate::archive::entry_name;
use crate::archive::manifest::Manifest;
use crate::codex::auth;
use crate::codex::status::app_server::dialogue::Dialogue;
use crate::codex::status::rate_limits::RateLimits;
use crate::codex::status::reading::Reading;
use crate::codex::status::screen::Terminal;
use crate::codex::status::{panel, rollout};
use crate::inventory::Inventory;
use crate::legacy::{self, Mtime, Rules};
use crate::metadata::{BackupName, Limit, Sidecar};
use crate::registry::Registry;
use crate::settings::{KEYS, Settings};
use crate::timeutil::{Stamp, Zone};

const JSON: [&str; 20] = [
    "null",
    "true",
    "\"\"",
    "{}",
    "[]",
    ",",
    "\"unknown\"",
    "\\u0000",
    "\\ud800",
    "-0",
    "1e308",
    "[[[[[[[[",
    "\"email\":",
    "\"schema_version\":",
    "\"2026-04-14T15:55:00+05:30\"",
    "\"0000-01-01T00:00:00Z\"",
    "\"9999-12-31T23:59:60+23:59\"",
    "\"product\":\"codex\"",
    "\"quota_percent_left\":",
    "\"limits\":",
];

fn zone() -> Zone {
    Zone::named("Asia/Kolkata").expect("a zone")
}

fn now() -> Stamp {
    Stamp::parse("2026-04-19T15:30:00+05:30").expect("a time")
}

fn check_limits(limits: &[Limit]) {
    for limit in limits {
        assert!(
            limit.percent_left.is_none_or(|left| left <= 100),
            "{limit:?}"
        );
        let text = serde_json::to_string(limit).expect("serialises");
        assert_eq!(
            &serde_json::from_str::<Limit>(&text).expect("parses"),
            limit
        );
    }
}

fn check_reading(reading: &Reading) {
    assert!(
        reading.quota_percent_left.is_none_or(|left| left <= 100),
        "{reading:?}"
    );
    check_limits(&reading.limits);
    let _ = reading.window_state(now());
    let mut again = reading.clone();
    let _ = again.check_times(now());
}

#[test]
fn sidecars() {
    run(
        "sidecars",
        &seeds("fuzz/sidecars"),
        Some(&JSON),
        |_, bytes| {
            let Ok(sidecar) = Sidecar::parse(bytes) else {
                return false;
            };
            let again = serde_json::to_vec(&sidecar).expect("serialises");
            assert_eq!(Sidecar::parse(&again).as_ref(), Ok(&sidecar));
            assert!(sidecar.quota_percent_left.is_none_or(|left| left <= 100));
            let _ = (sidecar.account(), sidecar.content_time(), sidecar.mode());
            true
        },
    );
}

#[test]
fn manifests() {
    run(
        "manifests",
        &seeds("fuzz/manifests"),
        Some(&JSON),
        |_, bytes| {
            let Ok(manifest) = Manifest::parse(bytes) else {
                return false;
            };
            let again = manifest.bytes().expect("serialises");
            assert_eq!(Manifest::parse(&again), Ok(manifest));
            true
        },
    );
}

#[test]
fn panels() {
    let words = [
        "Weekly limit:",
        "5h limit:",
        "│",
        "╭",
        "╰",
        "█",
        "░",
        "% left",
        "(resets 15:55 on 21 Apr)",
        "resets",
        "29 Feb",
        "24:00",
        "Account:",
        ">_ OpenAI Codex",
        "\u{1b}[2K",
        "\u{202e}",
        "100% left",
        "999999999999% left",
    ];
    let inputs = [seeds("status"), seeds("fuzz/status")].concat();
    run("panels", &inputs, Some(&words), |mutator, bytes| {
        let text = String::from_utf8_lossy(bytes);
        let year = mutator
            .one_of(4)
            .then(|| [i32::MIN, -1, 0, 2024, 9999, i32::MAX][mutator.below(6)]);
        let Ok(reading) = panel::read(&text, now(), &zone(), year) else {
            return false;
        };
        check_reading(&reading);
        true
    });
}

#[test]
fn rate_limits() {
    let words = [
        "\"resets_at\":",
        "\"resets_in_seconds\":",
        "\"used_percent\":",
        "\"window_minutes\":",
        "\"primary\":",
        "\"secondary\":",
        "\"rateLimits\":",
        "\"credits\":",
        "null",
        "-1",
        "1e308",
        "0.5",
        "100.0000001",
    ];
    run(
        "rate limits",
        &seeds("fuzz/rate-limits"),
        Some(&words),
        |_, bytes| {
            let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
                return false;
            };
            let Some(limits) = RateLimits::read(&value, now(), &zone()) else {
                return false;
            };
            check_limits(&limits.windows);
            check_reading(&limits.reading(Vec::new()));
            true
        },
    );
}

#[test]
fn session_files() {
    let words = [
        "\"token_count\"",
        "\"session_meta\"",
        "\"timestamp\":",
        "\"payload\":",
        "\"rate_limits\":",
        "\n",
        "\n\n",
        "{}",
        "\"forked_from_id\":",
        "\"2026-04-19T10:00:00.000Z\"",
        "\u{2028}",
    ];
    let dir = TempDir::new().expect("a directory");
    let below = dir.path().join("sessions/2026/04/19");
    fs::create_dir_all(&below).expect("makes");
    let file = below.join("rollout-2026-04-19T10-00-00-x.jsonl");
    let late = Stamp::parse("2030-01-01T00:00:00Z").expect("a time");
    run(
        "session files",
        &seeds("rollouts"),
        Some(&words),
        |_, bytes| {
            fs::write(&file, bytes).expect("writes");
            let found = rollout::newest(dir.path(), late, &zone(), &mut |_| true);
            let Some(hint) = found.hint else {
                return false;
            };
            check_limits(&hint.limits.windows);
            assert!(!hint.limits.windows.is_empty());
            true
        },
    );
}

#[test]
fn app_servers() {
    let words = [
        "\"id\":",
        "\"result\":",
        "\"error\":",
        "\"method\":",
        "\"rateLimits\":",
        "\"account\":",
        "0",
        "1",
        "2",
        "3",
        "4",
        "-1",
        "null",
        "\n{",
        "\"userAgent\":",
        "\"codex_cli_rs/0.169.0\"",
        "\"code\":-32601",
    ];
    run(
        "app-servers",
        &seeds("fuzz/app-server"),
        Some(&words),
        |_, bytes| {
            let zone = zone();
            let clock = crate::codex::status::Clock {
                now: now(),
                zone: &zone,
                reference_year: None,
                is_system_time: true,
            };
            let mut dialogue = Dialogue::default();
            for line in bytes.split(|byte| *byte == b'\n') {
                let _ = dialogue.hear(line);
                let _ = (
                    dialogue.is_done(),
                    dialogue.is_enough(),
                    dialogue.codex_version(),
                );
            }
            match dialogue.outcome(&clock) {
                Some(Ok(reading)) => {
                    check_reading(&reading);
                    true
                }
                _ => false,
            }
        },
    );
}

#[test]
fn screens() {
    let words = [
        "\u{1b}[",
        "\u{1b}[999999999H",
        "\u{1b}[2J",
        "\u{1b}[65535;65535r",
        "\u{1b}]0;",
        "\u{7}",
        "\u{1b}[?2026h",
        "\u{1b}[?2026l",
        "\u{1b}[6n",
        "\u{1b}[c",
        "\u{1b}[S",
        "\u{1b}[99999T",
        "\u{1b}[L",
        "\u{1b}[M",
        "\u{1b}M",
        "\u{301}",
        "全",
        "\u{1b}[?1049h",
        "\u{1b}[P",
        "\u{1b}[@",
        "\u{1b}[X",
        "/status",
        "\u{200d}",
    ];
    let inputs = [seeds("status/screens"), seeds("status")].concat();
    run("screens", &inputs, Some(&words), |mutator, bytes| {
        let size = |number| NonZeroU16::new([1, 2, 24, 60, 200][number]).expect("above 0");
        let (rows, columns) = (size(mutator.below(5)), size(mutator.below(5)));
        let mut terminal = Terminal::new(rows, columns);
        for piece in bytes.chunks(1 + mutator.below(500)) {
            let _ = terminal.feed(piece);
        }
        let screen = terminal.screen();
        let _ = (
            screen.waits(),
            screen.is_loading(),
            screen.offers_status(),
            screen.version(),
        );
        let _ = (
            screen.names_session(),
            screen.last_error(),
            screen.refuses_option("-c"),
        );
        !screen.text().is_empty()
    });
}

#[test]
fn legacy_names() {
    let lines = seeds("fuzz/legacy-names").concat();
    let names: Vec<Vec<u8>> = lines
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    let words = [
        "_auth.json",
        "_AUTH.JSON",
        "21apr",
        "29feb",
        "@",
        "_",
        "\u{17f}",
        "é",
        "0",
        "99",
        "/",
    ];
    run("legacy names", &names, Some(&words), |mutator, bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Some(name) = BackupName::of_file(&text) {
            assert!(name.archive() == *text || name.sidecar() == *text);
            let _ = (name.session_start_at(&zone()), name.email());
        }
        let Some(parsed) = legacy::parse_name(&text) else {
            return false;
        };
        assert!(legacy::email_of(&text).is_some());
        let Ok(name) = parsed else {
            return true;
        };
        assert_eq!(legacy::email_of(&text), Some(name.email.as_str()));
        let again = format!("{}_{}_auth.json", name.token, name.email);
        assert_eq!(legacy::parse_name(&again), Some(Ok(name.clone())));
        let safe = BackupName::new(now(), &name.email).archive();
        assert!(
            safe.len() <= 255 && entry_name::check(safe.as_bytes()).is_ok(),
            "{safe}"
        );
        let hours = [0.0, 2.0, 8784.0, 1e-9][mutator.below(4)];
        let rules = Rules {
            session_duration_seconds: hours * 3600.0,
            reference_year: mutator
                .one_of(2)
                .then(|| [i32::MIN, 0, 2026, i32::MAX][mutator.below(4)]),
        };
        let seconds = [i64::MIN, -1, 0, 1_776_169_500, 253_402_300_799, i64::MAX][mutator.below(6)];
        let mtime = Mtime {
            seconds,
            nanos: 999_999_999,
        };
        let _ = legacy::infer(&name, mtime, Some(now()), rules, &zone());
        true
    });
}

#[test]
fn logins() {
    let words = [
        "\"tokens\":",
        "\"id_token\":\"a.b.c\"",
        "\"OPENAI_API_KEY\":",
        "\"auth_mode\":",
        "null",
        "e30",
        ".",
        "{}",
    ];
    run(
        "logins",
        &seeds("fuzz/logins"),
        Some(&words),
        |_, bytes| match auth::parse(bytes) {
            Ok(login) => {
                assert!(login.account.email.is_some() || login.account.user_id.is_some());
                let _ = login.is_due_for_renewal(now());
                true
            }
            Err(reason) => {
                assert!(!reason.contains("made-up-secret"), "{reason}");
                false
            }
        },
    );
}

/// A file of this content, and its path.
fn file(dir: &Path, bytes: &[u8]) -> std::path::PathBuf {
    let path = dir.join("file");
    fs::write(&path, bytes).expect("writes");
    path
}

#[test]
fn registries() {
    let dir = TempDir::new().expect("a directory");
    run(
        "registries",
        &seeds("fuzz/registries"),
        Some(&JSON),
        |_, bytes| {
            let path = file(dir.path(), bytes);
            let Ok(mut registry) = Registry::load(&path) else {
                return false;
            };
            registry.save(&path).expect("saves");
            let mut again = Registry::load(&path).expect("loads");
            assert_eq!(again.entries, registry.entries);
            assert_eq!(again.live, registry.live);
            let entries: Vec<_> = registry
                .entries
                .iter()
                .map(|entry| (entry.account.clone(), entry.observation.clone()))
                .collect();
            for (account, observation) in entries {
                let _ = observation.judge(now(), &zone());
                let _ = again.live_at(Path::new("/home"), Some(&account), now(), now());
                registry.record(&account, observation, Some(now()));
                again.saw_live(Path::new("/home"), &account, now());
            }
            for left in fs::read_dir(dir.path()).expect("lists").flatten() {
                fs::remove_file(left.path()).expect("removes");
            }
            true
        },
    );
}

#[test]
fn inventories() {
    let dir = TempDir::new().expect("a directory");
    run(
        "inventories",
        &seeds("fuzz/inventories"),
        Some(&JSON),
        |_, bytes| {
            let path = file(dir.path(), bytes);
            let Ok(inventory) = Inventory::load(&path) else {
                return false;
            };
            let again = serde_json::to_vec(&inventory).expect("serialises");
            let again = Inventory::load(&file(dir.path(), &again)).expect("loads");
            assert_eq!(again, inventory);
            true
        },
    );
}

#[test]
fn settings() {
    let words = [
        "[backup]\n",
        "[archive]\n",
        "[[backup]]\n",
        "backup = {",
        "max_entries = ",
        "exclude = [",
        "\"\"\"",
        "'",
        "# x\n",
        "\r\n",
        "nan",
        "inf",
        "0x7fffffffffffffff",
        "1_000",
        "timezone",
        "=",
        "1979-05-27",
        "\u{feff}",
    ];
    let dir = TempDir::new().expect("a directory");
    run(
        "settings",
        &seeds("fuzz/settings"),
        Some(&words),
        |mutator, bytes| {
            let path = file(dir.path(), bytes);
            let Ok(mut settings) = Settings::load(&path) else {
                return false;
            };
            let again = Settings::load(&file(dir.path(), settings.text_of_file().as_bytes()))
                .expect("loads");
            let key = &KEYS[mutator.below(KEYS.len())];
            for key in KEYS {
                assert_eq!(
                    again.json(key.name),
                    settings.json(key.name),
                    "{}",
                    key.name
                );
            }
            let value = [
                "7", "2.5", "true", "lru", "UTC", "never", "auto", "[\"a\"]", "x # y",
            ][mutator.below(9)];
            if settings.set(key, value).is_ok() {
                let set = Settings::load(&file(dir.path(), settings.text_of_file().as_bytes()))
                    .expect("loads what was set");
                assert!(set.json(key.name).is_some(), "{}", key.name);
            }
            settings.unset(key);
            let unset = Settings::load(&file(dir.path(), settings.text_of_file().as_bytes()))
                .expect("loads what was unset");
            assert_eq!(unset.json(key.name), None, "{}", key.name);
            true
        },
    );
}

#[test]
fn names() {
    let words = [
        "/",
        "..",
        ".",
        "\\",
        "\0",
        "auth.json",
        "CON",
        "\u{301}",
        "\u{212a}",
        "ß",
        "İ",
        "ﬁ",
        "\u{1e9e}",
        "~",
    ];
    let names = ["sessions/2026/04/19/rollout.jsonl", "./a b/é", "AUTH.json"]
        .map(|name| name.as_bytes().to_vec());
    run("names", &names, Some(&words), |_, bytes| {
        assert!(!entry_name::shown(bytes).chars().any(char::is_control));
        let Ok(path) = entry_name::check(bytes) else {
            return false;
        };
        assert_eq!(entry_name::check(path.as_bytes()).as_ref(), Ok(&path));
        let key = entry_name::collision_key(&path);
        assert_eq!(entry_name::collision_key(&key), key);
        assert_eq!(
            entry_name::collision_key(&path.to_lowercase()),
            key,
            "{path:?}"
        );
        true
    });
}

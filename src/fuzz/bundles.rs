//! Readers of what another machine knows: the document, and merging it in.

use std::path::Path;

use tempfile::TempDir;

use super::{run, seeds};
use crate::bundle::{self, Bundle, Home};
use crate::evidence::Places;
use crate::timeutil::Stamp;

#[test]
fn bundles() {
    let dir = TempDir::new().expect("a directory");
    let home = |name: &str| dir.path().join(name);
    let places = Places {
        manager_home: home("manager"),
        backup_dir: home("backups"),
        inventory: home("inventory.json"),
        registry: home("cooldown.json"),
        profiles: home("profiles"),
        codex_home: home("codex"),
    };
    let now = Stamp::parse("2026-04-19T15:30:00+05:30").expect("a time");
    let words = [
        "\"format\":",
        "\"auth_json\":",
        "\"profile_toml\":",
        "\\u001b",
        "../",
        "null",
        "\"\"",
        "[]",
        "{}",
        ",",
        "=",
        "\\n",
        "alias",
        "-1",
        "1e9",
    ];
    run(
        "bundles",
        &seeds("fuzz/bundles"),
        Some(&words),
        |_, bytes| match Bundle::parse("it", bytes) {
            Ok(bundle) => {
                let again = bundle.bytes().expect("writes");
                assert_eq!(Bundle::parse("it", &again).expect("reads"), bundle);
                let home = Home {
                    places: &places,
                    now,
                    latest: now,
                    heeds_removals: true,
                };
                let plan = bundle::plan(&home, &bundle, &mut Vec::new()).expect("plans");
                for item in &plan.items {
                    let told = format!("{} {}", item.name, item.why);
                    assert!(!told.chars().any(char::is_control), "{told:?}");
                }
                assert!(!Path::new(&places.profiles).exists());
                true
            }
            Err(error) => {
                assert!(!error.to_string().contains("made-up-secret"), "{error}");
                false
            }
        },
    );
}

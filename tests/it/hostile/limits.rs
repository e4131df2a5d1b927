//! Bombs of entries, of bytes and of ratio, and the settings that say where they begin.

use std::fs;

use serde_json::json;

use super::raw::{Raw, gnu, gzip};
use super::{
    BACKUPS, BASE, Beside, home, put, refused, refused_as, refused_or_equal, sidecar, world,
};
use crate::common::{Env, Person};

/// An archive with a file of that many MiB of zeros: a member of gzip for each, so that they need not be compressed.
fn zeros(mebibytes: usize) -> Vec<u8> {
    let mebibyte = gzip(&vec![0; 1 << 20]);
    let head = home().raw(&gnu(b'0', b"bomb", (mebibytes as u64) << 20), b"");
    [
        gzip(&head.bytes()),
        mebibyte.repeat(mebibytes),
        gzip(&Raw::default().end()),
    ]
    .concat()
}

#[test]
fn bombs_that_nobody_vouches_for_end_at_the_defaults() {
    let env = world();
    put(&env, BASE, &zeros(66), Beside::Ours);
    let ratio = "it unpacks to more than 200 times its size, which `archive.max_ratio` allows";
    refused_as(&env, "ratio", ratio);
    // Whose bytes nobody counts: behind the end mark, in a long name.
    let padding = [gzip(&home().end()), gzip(&vec![0; 1 << 20]).repeat(66)].concat();
    put(&env, BASE, &padding, Beside::Foreign);
    refused_as(&env, "zeros behind the end", ratio);

    let mut many = home();
    for number in 0..100_000 {
        many = many.file(&format!("e{number}"), b"");
    }
    put(&env, BASE, &gzip(&many.end()), Beside::Foreign);
    refused_as(
        &env,
        "entries",
        "it holds more entries than `archive.max_entries` allows, 100000",
    );

    let long = [
        gzip(&home().raw(&gnu(b'L', b"x", 512 << 20), b"").bytes()),
        gzip(&vec![0; 1 << 20]).repeat(66),
    ]
    .concat();
    put(&env, BASE, &long, Beside::Foreign);
    refused_as(
        &env,
        "a long name",
        "a long name or pax header is larger than is allowed",
    );
}

#[test]
fn a_sidecar_vouches_for_zeros_and_must_tell_the_truth() {
    let env = world();
    let bomb = zeros(66);
    let below = format!("{BACKUPS}/{BASE}.metadata.json");
    let login = super::alice().len();
    let tell = |bytes: usize| {
        let told = json!({"file_count": 2, "total_bytes": bytes});
        put(&env, BASE, &bomb, Beside::Nothing);
        env.write(&below, &sidecar(&bomb, &told).to_string());
    };
    tell((66 << 20) + login);
    assert!(refused_or_equal(&env, "told", &bomb));
    tell((66 << 20) + login - 1);
    let ran = refused(&env, "told wrong");
    assert!(
        ran.stderr
            .contains("it does not hold as much as its sidecar tells"),
        "{}",
        ran.stderr
    );
}

#[test]
fn limits_that_were_set_hold_for_our_own_snapshots_and_name_their_setting() {
    let env = Env::new();
    let person = Person::named("alice");
    env.codex_home(&person);
    env.write("status.txt", &person.panel(66, "15:55 on 21 Apr"));
    fs::write(env.path(".codex/zeros"), vec![0; 3 << 20]).expect("writes");
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
    for (key, value, reason) in [
        (
            "archive.max_entries",
            "3",
            "it holds more entries than `archive.max_entries` allows, 3",
        ),
        (
            "archive.max_bytes",
            "2097152",
            "`archive.max_bytes` allows, 2097152",
        ),
        (
            "archive.max_ratio",
            "20",
            "it unpacks to more than 20 times its size, which `archive.max_ratio` allows",
        ),
    ] {
        env.run(&["config", "set", key, value]).code(0);
        let ran = refused(&env, key);
        assert!(ran.stderr.contains(reason), "{key}: {}", ran.stderr);
        env.run(&["config", "unset", key]).code(0);
    }
    env.run(&["list-backups", "--verify"]).code(0).stderr("");
    env.run(&["restore", BASE, "--yes"]).code(0).stderr("");
}

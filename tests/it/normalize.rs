//! `normalize`: legacy login copies into the inventory, and with `--write-metadata` into snapshots.

use std::fs;

use serde_json::json;

use crate::common::{Env, Person};
use crate::worlds::{has_keys, json_error, legacy, mode, prints};

const ALICE: &str = "21apr_alice@example.com_auth.json";
const SEEN: &str = "2026-04-14T17:55:00+05:30";

const TABLE_OF_ALICE: &str = "\
ACCOUNT            FILE                               VALID  SESSION START     AVAILABLE AT      QUOTA END         LOGIN    SOURCE
alice@example.com  21apr_alice@example.com_auth.json  ok     2026-04-14 15:55  2026-04-21 15:55  2026-04-14 17:55  its own  present
";

const NORMALIZE: &[&str] = &["normalize", "--source-dir", "legacy"];

fn with_alice() -> Env {
    let env = Env::new();
    legacy(&env, ALICE, &Person::named("alice").auth_json(), SEEN);
    env
}

fn and<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [NORMALIZE, more].concat()
}

/// The one record of `--json`.
fn only_record(env: &Env, more: &[&str]) -> serde_json::Value {
    let document = env.run(&and(&[more, &["--json"]].concat())).code(0).json();
    let records = document["records"].as_array().expect("records");
    assert_eq!(records.len(), 1, "{document}");
    records[0].clone()
}

#[test]
fn a_second_run_changes_neither_byte_nor_mtime() {
    let mut env = with_alice();
    env.run(NORMALIZE).code(0).stdout(TABLE_OF_ALICE).stderr(
        "1 legacy file in `~/legacy`; the inventory was written: `~/.codex-manager/inventory.json`\n",
    );
    env.touch(".codex-manager/inventory.json", "2026-04-01T00:00:00Z");
    let before = prints(&env.path(".codex-manager"));
    let inventory = |prints: &[(String, Vec<u8>, std::time::SystemTime, u32)]| {
        let mut prints = prints.to_vec();
        prints.retain(|(path, ..)| path.ends_with("inventory.json"));
        assert_eq!(prints.len(), 1);
        prints
    };
    env.set_now("2026-05-20T00:00:00Z");
    env.run(NORMALIZE).code(0).stdout(TABLE_OF_ALICE).stderr(
        "1 legacy file in `~/legacy`; the inventory says the same already: `~/.codex-manager/inventory.json`\n",
    );
    let document = env.run(&and(&["--json"])).code(0).stderr("").json();
    assert_eq!(document["written"], false);
    assert_eq!(
        inventory(&prints(&env.path(".codex-manager"))),
        inventory(&before)
    );
    assert_eq!(env.files(".codex-manager"), ["inventory.json", "lock"]);
}

#[test]
fn the_document_has_the_keys_of_the_contract() {
    let env = with_alice();
    let document = env.run(&and(&["--json"])).code(0).stderr("").json();
    has_keys(
        &document,
        &["records", "skipped", "inventory_path", "written"],
        &[],
    );
    assert_eq!(document["written"], true);
    assert_eq!(
        document["inventory_path"],
        "~/.codex-manager/inventory.json"
    );
    let record = &document["records"][0];
    has_keys(
        record,
        &[
            "email",
            "legacy_auth_filename",
            "legacy_quota_day_token",
            "quota_end_detected_at",
            "session_start_at",
            "next_available_at",
            "inferred_session_duration_seconds",
            "inference_basis",
            "proposed_archive_name",
            "validation_status",
            "validation_details",
            "source_path",
            "reference_year",
            "auth_email",
            "account_id",
            "identity_status",
        ],
        &["user_id", "source_sha256", "source_state"],
    );
    let mut record = record.clone();
    let hash = record["source_sha256"].take();
    assert!(
        hash.as_str()
            .is_some_and(|hash| hash.len() == 64 && hash.chars().all(|c| c.is_ascii_hexdigit())),
        "{hash}"
    );
    assert_eq!(
        record,
        json!({
            "email": "alice@example.com",
            "legacy_auth_filename": ALICE,
            "legacy_quota_day_token": "21apr",
            "quota_end_detected_at": "2026-04-14T17:55:00+05:30",
            "session_start_at": "2026-04-14T15:55:00+05:30",
            "next_available_at": "2026-04-21T15:55:00+05:30",
            "inferred_session_duration_seconds": 7200,
            "inference_basis": "legacy filename day-month plus auth file mtime minus configured session duration",
            "proposed_archive_name": "2026-04-14-155500-alice@example.com-codex.tar.gz",
            "validation_status": "ok",
            "validation_details": "Legacy quota-day token matches computed next availability date.",
            "source_path": format!("~/legacy/{ALICE}"),
            "reference_year": 2026,
            "auth_email": "alice@example.com",
            "account_id": "ws-alice",
            "user_id": "user-alice",
            "identity_status": "match",
            "source_sha256": null,
            "source_state": "present",
        })
    );
    let written: serde_json::Value =
        serde_json::from_str(&env.read(".codex-manager/inventory.json")).expect("JSON");
    has_keys(
        &written,
        &["records"],
        &["schema_version", "product", "generated_at", "record_count"],
    );
    assert_eq!(written["generated_at"], "2026-04-19T15:30:00+05:30");
    assert_eq!(written["record_count"], 1);
}

fn with_impossible_names() -> Env {
    let env = with_alice();
    for token in ["31feb", "99apr", "12foo"] {
        legacy(
            &env,
            &format!("{token}_x@example.com_auth.json"),
            "{}",
            SEEN,
        );
    }
    fs::create_dir(env.path("legacy/01may_dir@example.com_auth.json")).expect("makes");
    // Not of the form: no word about them.
    for name in ["auth.json", "notes.txt", "apr_a@example.com_auth.json"] {
        legacy(&env, name, "{}", SEEN);
    }
    env
}

const SKIPPED: &str = "\
warning: skipped `01may_dir@example.com_auth.json`: it is no regular file
warning: skipped `12foo_x@example.com_auth.json`: `foo` is no month
warning: skipped `31feb_x@example.com_auth.json`: `feb` has no day 31
warning: skipped `99apr_x@example.com_auth.json`: `apr` has no day 99
";

#[test]
fn names_of_no_day_are_told_and_the_rest_goes_on() {
    let env = with_impossible_names();
    let written = "1 legacy file in `~/legacy`; the inventory was written: `~/.codex-manager/inventory.json`\n";
    env.run(NORMALIZE)
        .code(0)
        .stdout(TABLE_OF_ALICE)
        .stderr(&format!("{SKIPPED}{written}"));
    env.run(&and(&["--strict", "--quiet"]))
        .code(3)
        .stdout("")
        .stderr(SKIPPED);
    let ran = env.run(&and(&["--strict", "--json"])).code(3);
    assert_eq!(
        ran.json()["skipped"],
        json!([
            {"file": "01may_dir@example.com_auth.json", "reason": "it is no regular file"},
            {"file": "12foo_x@example.com_auth.json", "reason": "`foo` is no month"},
            {"file": "31feb_x@example.com_auth.json", "reason": "`feb` has no day 31"},
            {"file": "99apr_x@example.com_auth.json", "reason": "`apr` has no day 99"},
        ])
    );
    for line in ran.stderr.lines() {
        let warning: serde_json::Value = serde_json::from_str(line).expect("JSON");
        has_keys(&warning["warning"], &["message"], &[]);
    }
}

#[test]
fn strict_without_anything_skipped_is_done() {
    with_alice().run(&and(&["--strict"])).code(0);
}

#[cfg(unix)]
#[test]
fn a_link_to_nowhere_is_skipped_and_a_link_to_a_file_is_read() {
    let env = with_alice();
    let link = |name: &str, target: &str| {
        std::os::unix::fs::symlink(target, env.path("legacy").join(name)).expect("links");
    };
    link("02may_gone@example.com_auth.json", "nowhere");
    link("21APR_also@example.com_auth.json", ALICE);
    let document = env.run(&and(&["--json"])).code(0).json();
    assert_eq!(
        document["skipped"],
        json!([{"file": "02may_gone@example.com_auth.json", "reason": "no such file or directory"}])
    );
    assert_eq!(document["records"][0]["email"], "also@example.com");
    assert_eq!(document["records"][0]["quota_end_detected_at"], SEEN);
    assert_eq!(document["records"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_dry_run_writes_nothing_at_all() {
    let env = with_impossible_names();
    let before = prints(&env.home());
    env.run(&and(&["--dry-run"])).code(0).stdout(TABLE_OF_ALICE).stderr(&format!(
        "{SKIPPED}1 legacy file in `~/legacy`; dry run: nothing was written: `~/.codex-manager/inventory.json`\n"
    ));
    env.run(&and(&["--dry-run", "--write-metadata"])).code(0).stdout(TABLE_OF_ALICE).stderr(&format!(
        "{SKIPPED}1 legacy file in `~/legacy`; dry run: nothing was written: `~/.codex-manager/inventory.json`; 1 snapshot would be made\n"
    ));
    let document = env.run(&and(&["--dry-run", "--json"])).code(0).json();
    assert_eq!(document["written"], false);
    assert_eq!(prints(&env.home()), before);
    assert!(!env.path(".codex-manager").exists());
}

#[test]
fn snapshots_of_legacy_files_restore_and_anothers_login_is_skipped() {
    let env = Env::new();
    let (alice, mallory) = (Person::named("alice"), Person::named("mallory"));
    legacy(&env, ALICE, &alice.auth_json(), SEEN);
    legacy(
        &env,
        "22apr_bob@example.com_auth.json",
        &mallory.auth_json(),
        "2026-04-15T10:00:00+05:30",
    );
    legacy(
        &env,
        "23apr_eve@example.com_auth.json",
        "nonsense",
        "2026-04-16T10:00:00+05:30",
    );
    let before = prints(&env.path("legacy"));
    let table = "\
ACCOUNT            FILE                               VALID  SESSION START     AVAILABLE AT      QUOTA END         LOGIN                   SOURCE
alice@example.com  21apr_alice@example.com_auth.json  ok     2026-04-14 15:55  2026-04-21 15:55  2026-04-14 17:55  its own                 present
bob@example.com    22apr_bob@example.com_auth.json    ok     2026-04-15 08:00  2026-04-22 08:00  2026-04-15 10:00  of mallory@example.com  present
eve@example.com    23apr_eve@example.com_auth.json    ok     2026-04-16 08:00  2026-04-23 08:00  2026-04-16 10:00  unreadable              present
";
    let skipped = "\
warning: `22apr_bob@example.com_auth.json` holds the login of mallory@example.com
warning: skipped `22apr_bob@example.com_auth.json`: no snapshot of it: it holds the login of mallory@example.com
warning: skipped `23apr_eve@example.com_auth.json`: no snapshot of it: it is no login of Codex (line 1, column 2)
";
    env.run(&and(&["--write-metadata"])).code(0).stdout(table).stderr(&format!(
        "{skipped}3 legacy files in `~/legacy`; the inventory was written: `~/.codex-manager/inventory.json`; 1 snapshot made\n"
    ));
    let base = ".codex-manager/backups/2026-04-14-155500-alice@example.com-codex";
    assert_eq!(
        env.files(".codex-manager"),
        [
            &format!("{}.metadata.json", base.replace(".codex-manager/", "")),
            &format!("{}.tar.gz", base.replace(".codex-manager/", "")),
            "inventory.json",
            "lock",
        ]
    );
    let sidecar: serde_json::Value =
        serde_json::from_str(&env.read(&format!("{base}.metadata.json"))).expect("JSON");
    for (key, value) in [
        ("status_source", json!("legacy")),
        ("backup_mode", json!("auth-only")),
        ("email", json!("alice@example.com")),
        ("account_id", json!("ws-alice")),
        ("legacy_auth_filename", json!(ALICE)),
        ("legacy_quota_day_token", json!("21apr")),
        ("inferred_session_duration_seconds", json!(7200)),
        ("session_start_at", json!("2026-04-14T15:55:00+05:30")),
        ("next_available_at", json!("2026-04-21T15:55:00+05:30")),
        ("quota_end_detected_at", json!(SEEN)),
        ("validation_status", json!("ok")),
        ("captured_files", json!(["auth.json"])),
        ("file_count", json!(1)),
    ] {
        assert_eq!(sidecar[key], value, "{key}");
    }
    // Again: the same, and nothing made twice.
    let made = prints(&env.path(".codex-manager/backups"));
    env.run(&and(&["--write-metadata", "--strict"])).code(3).stdout(table).stderr(&format!(
        "{skipped}3 legacy files in `~/legacy`; the inventory says the same already: `~/.codex-manager/inventory.json`; 0 snapshots made\n"
    ));
    assert_eq!(prints(&env.path(".codex-manager/backups")), made);
    assert_eq!(prints(&env.path("legacy")), before);

    env.codex_home(&mallory);
    env.run(&["restore", "alice@example.com", "--yes", "--quiet"])
        .code(0);
    assert_eq!(env.read(".codex/auth.json"), alice.auth_json());
    assert_eq!(env.read(".codex/config.toml"), "model = \"made-up\"\n");
}

#[test]
fn what_codex_reported_is_not_replaced_by_a_guess() {
    let env = with_alice();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    env.run(&["backup", "--status-file", "status.txt", "--quiet"])
        .code(0);
    let before = env.tree(".codex-manager/backups");
    env.run(&and(&["--write-metadata", "--strict", "--quiet"]))
        .code(0)
        .stdout("")
        .stderr("");
    assert_eq!(env.tree(".codex-manager/backups"), before);
}

#[test]
fn a_mismatch_is_kept_and_a_lost_mtime_is_told() {
    let env = Env::new();
    let old = Person {
        last_refresh: "2026-01-01T00:00:00Z".to_owned(),
        ..Person::named("carol")
    };
    legacy(
        &env,
        "22apr_carol@example.com_auth.json",
        &old.auth_json(),
        "2026-04-16T10:00:00+05:30",
    );
    legacy(
        &env,
        "21apr_dan@example.com_auth.json",
        &Person::named("dan").auth_json(),
        "2026-06-01T10:00:00+05:30",
    );
    let document = env.run(&and(&["--json"])).code(0).stderr("").json();
    let shown: Vec<_> = document["records"]
        .as_array()
        .expect("records")
        .iter()
        .map(|record| {
            (
                record["session_start_at"].as_str().expect("a time"),
                record["validation_status"].as_str().expect("a word"),
                record["validation_details"].as_str().expect("words"),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (
                "2026-06-01T08:00:00+05:30",
                "mismatch",
                "Legacy quota-day token does not match computed next availability date: expected 2026-04-21, got 2026-06-08. The credential's last_refresh, 2026-04-14T17:55:00+05:30, would match the token: the file's mtime was probably lost in a copy.",
            ),
            (
                "2026-04-16T08:00:00+05:30",
                "mismatch",
                "Legacy quota-day token does not match computed next availability date: expected 2026-04-22, got 2026-04-23.",
            ),
        ]
    );
}

#[test]
fn evidence_that_validated_outlives_a_lost_mtime() {
    let env = with_alice();
    env.run(NORMALIZE).code(0);
    env.touch(&format!("legacy/{ALICE}"), "2026-06-01T09:00:00+05:30");
    let record = only_record(&env, &[]);
    assert_eq!(record["session_start_at"], "2026-04-14T15:55:00+05:30");
    assert_eq!(record["validation_status"], "ok");
    assert_eq!(
        record["validation_details"],
        "Legacy quota-day token matches computed next availability date. The file's mtime is now 2026-06-01T09:00:00+05:30, which does not: the earlier reading is kept."
    );
}

#[test]
fn the_year_is_the_nearest_unless_one_is_said() {
    let env = Env::new();
    let eve = Person::named("eve").auth_json();
    legacy(
        &env,
        "03jan_eve@example.com_auth.json",
        &eve,
        "2026-12-27T12:00:00+05:30",
    );
    let told = |record: serde_json::Value| {
        (
            record["validation_status"]
                .as_str()
                .expect("a word")
                .to_owned(),
            record["reference_year"].as_i64(),
        )
    };
    assert_eq!(
        told(only_record(&env, &["--dry-run"])),
        ("ok".to_owned(), Some(2027))
    );
    assert_eq!(
        told(only_record(
            &env,
            &["--dry-run", "--reference-year", "2027"]
        )),
        ("ok".to_owned(), Some(2027))
    );
    let record = only_record(&env, &["--dry-run", "--reference-year", "2026"]);
    assert_eq!(
        record["validation_details"],
        "Legacy quota-day token does not match computed next availability date: expected 2026-01-03, got 2027-01-03."
    );
    assert_eq!(told(record), ("mismatch".to_owned(), Some(2026)));

    let env = Env::new();
    legacy(
        &env,
        "28dec_eve@example.com_auth.json",
        &eve,
        "2027-01-02T12:00:00+05:30",
    );
    let record = only_record(&env, &["--dry-run"]);
    assert_eq!(
        told(record),
        ("mismatch".to_owned(), Some(2026)),
        "the nearest 28 December is the one before, though it is another day"
    );

    let env = Env::new();
    legacy(
        &env,
        "29feb_eve@example.com_auth.json",
        &eve,
        "2028-02-22T12:00:00+05:30",
    );
    assert_eq!(
        told(only_record(&env, &["--dry-run"])),
        ("ok".to_owned(), Some(2028))
    );
    let document = env
        .run(&and(&["--json", "--dry-run", "--reference-year", "2027"]))
        .code(0)
        .json();
    assert_eq!(
        document["skipped"],
        json!([{"file": "29feb_eve@example.com_auth.json", "reason": "`29feb` is no day of 2027"}])
    );
}

#[test]
fn wall_clocks_are_the_zones() {
    for (zone, start, next, archive, valid) in [
        (
            "Asia/Kolkata",
            "2026-03-05T00:30:00+05:30",
            "2026-03-12T00:30:00+05:30",
            "2026-03-05-003000-alice@example.com-codex.tar.gz",
            "mismatch",
        ),
        (
            "UTC",
            "2026-03-04T19:00:00+00:00",
            "2026-03-11T19:00:00+00:00",
            "2026-03-04-190000-alice@example.com-codex.tar.gz",
            "ok",
        ),
        // Summer time begins within the window: a week of elapsed time is an hour later on the wall.
        (
            "America/New_York",
            "2026-03-04T14:00:00-05:00",
            "2026-03-11T15:00:00-04:00",
            "2026-03-04-140000-alice@example.com-codex.tar.gz",
            "ok",
        ),
    ] {
        let file = "11mar_alice@example.com_auth.json";
        let alice = Person {
            last_refresh: "2026-01-01T00:00:00Z".to_owned(),
            ..Person::named("alice")
        };
        let check = |env: &Env, more: &[&str]| {
            legacy(env, file, &alice.auth_json(), "2026-03-04T21:00:00Z");
            let record = only_record(env, more);
            for (key, value) in [
                ("session_start_at", start),
                ("next_available_at", next),
                ("proposed_archive_name", archive),
                ("validation_status", valid),
            ] {
                assert_eq!(record[key], value, "{key} in {zone}");
            }
        };
        check(&Env::new().in_zone(zone), &[]);
        check(&Env::new(), &["--timezone", zone]);
    }
    Env::new()
        .run(&and(&["--timezone", "Mars/Olympus"]))
        .code(2)
        .stdout("")
        .stderr("error: there is no time zone `Mars/Olympus`\nhint: use an IANA name such as `Europe/Berlin` or `Asia/Kolkata`\n");
}

#[test]
fn the_originals_are_never_touched() {
    let env = with_impossible_names();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let set = |mode| {
            fs::set_permissions(
                env.path("legacy").join(ALICE),
                fs::Permissions::from_mode(mode),
            )
        };
        set(0o644).expect("sets");
        assert_eq!(mode(&env.path("legacy").join(ALICE)), 0o644);
    }
    let before = prints(&env.path("legacy"));
    for more in [
        &[][..],
        &["--write-metadata"],
        &["--write-metadata"],
        &["--strict"],
    ] {
        env.run(&and(more));
        assert_eq!(prints(&env.path("legacy")), before, "{more:?}");
    }
}

#[test]
fn files_that_are_gone_stay_marked() {
    let env = with_alice();
    env.run(NORMALIZE).code(0);
    fs::rename(env.path("legacy").join(ALICE), env.path("kept")).expect("moves");
    env.run(NORMALIZE)
        .code(0)
        .stdout(&TABLE_OF_ALICE.replace("present", "gone"))
        .stderr("0 legacy files in `~/legacy`; the inventory was written: `~/.codex-manager/inventory.json`\n");
    assert_eq!(only_record(&env, &[])["source_state"], "gone");
    fs::rename(env.path("kept"), env.path("legacy").join(ALICE)).expect("moves");
    env.run(NORMALIZE).code(0).stdout(TABLE_OF_ALICE);

    // Another content under the name is another record; the first is gone.
    let other = Person {
        last_refresh: "2026-05-01T00:00:00Z".to_owned(),
        ..Person::named("alice")
    };
    legacy(&env, ALICE, &other.auth_json(), "2026-04-14T18:00:00+05:30");
    let document = env.run(&and(&["--json"])).code(0).json();
    let states: Vec<_> = document["records"]
        .as_array()
        .expect("records")
        .iter()
        .map(|record| (&record["source_state"], &record["quota_end_detected_at"]))
        .collect();
    assert_eq!(
        states,
        [
            (&json!("gone"), &json!(SEEN)),
            (&json!("present"), &json!("2026-04-14T18:00:00+05:30"))
        ]
    );
}

#[test]
fn a_scan_of_another_directory_leaves_the_records_of_the_first() {
    let env = with_alice();
    env.run(NORMALIZE).code(0);
    fs::create_dir(env.path("empty")).expect("makes");
    env.run(&["normalize", "--source-dir", "empty"])
        .code(0)
        .stdout(TABLE_OF_ALICE)
        .stderr("0 legacy files in `~/empty`; the inventory says the same already: `~/.codex-manager/inventory.json`\n");
}

#[test]
fn a_directory_that_cannot_be_read_is_named() {
    let env = with_alice();
    let before = env.tree("");
    env.run(&["normalize", "--source-dir", "nowhere"])
        .code(1)
        .stdout("")
        .stderr("error: cannot list `~/nowhere`: no such file or directory\nhint: say where the legacy files lie with `--source-dir`\n");
    let ran = env
        .run(&["normalize", "--source-dir", "nowhere", "--json"])
        .code(1)
        .stdout("");
    assert_eq!(
        json_error(&ran),
        (
            "other".to_owned(),
            "cannot list `~/nowhere`: no such file or directory".to_owned(),
            "say where the legacy files lie with `--source-dir`".to_owned()
        )
    );
    #[cfg(unix)]
    env.run(&["normalize", "--source-dir", &format!("legacy/{ALICE}")])
        .code(1)
        .stdout("")
        .stderr(&format!(
            "error: cannot list `~/legacy/{ALICE}`: not a directory\nhint: a part of that path is a file; name a directory\n"
        ));
    assert_eq!(env.tree(""), before);
    assert!(!env.path(".codex-manager").exists());
}

#[cfg(unix)]
#[test]
fn a_directory_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let env = with_alice();
    let allow = |mode| {
        fs::set_permissions(env.path("legacy"), fs::Permissions::from_mode(mode)).expect("sets");
    };
    allow(0o000);
    // The superuser may read whatever the mode says.
    if fs::read_dir(env.path("legacy")).is_err() {
        env.run(NORMALIZE)
            .code(1)
            .stdout("")
            .stderr("error: cannot list `~/legacy`: permission denied\nhint: see who may use it: `ls -ld ~/legacy`\n");
    }
    allow(0o700);
    env.run(NORMALIZE).code(0).stdout(TABLE_OF_ALICE);
}

#[test]
fn a_broken_inventory_is_named_and_left_as_it_is() {
    let env = with_alice();
    for (text, why) in [
        ("{\"records\":[", "it is damaged in line 1, column 12"),
        ("", "it is damaged in line 1, column 0"),
        ("{\"records\":[{}]}", "it is damaged in line 1, column 14"),
    ] {
        env.write(".codex-manager/inventory.json", text);
        env.run(NORMALIZE).code(1).stdout("").stderr(&format!(
            "error: the inventory `~/.codex-manager/inventory.json` cannot be read: {why}\n\
             hint: move it away and run `codex-manager normalize`, which makes it anew from the legacy files\n"
        ));
        env.run(&and(&["--dry-run"])).code(1).stdout("");
        assert_eq!(env.read(".codex-manager/inventory.json"), text);
    }
}

#[test]
fn what_a_newer_version_wrote_is_kept() {
    let env = with_alice();
    env.run(NORMALIZE).code(0);
    let mut document: serde_json::Value =
        serde_json::from_str(&env.read(".codex-manager/inventory.json")).expect("JSON");
    document["colour"] = json!("green");
    document["records"][0]["mood"] = json!("fine");
    env.write(".codex-manager/inventory.json", &document.to_string());
    legacy(
        &env,
        "22apr_bob@example.com_auth.json",
        &Person::named("bob").auth_json(),
        "2026-04-15T10:00:00+05:30",
    );
    env.run(NORMALIZE).code(0);
    let document: serde_json::Value =
        serde_json::from_str(&env.read(".codex-manager/inventory.json")).expect("JSON");
    assert_eq!(document["colour"], "green");
    assert_eq!(document["records"][0]["mood"], "fine");
    assert_eq!(document["record_count"], 2);
}

#[cfg(unix)]
#[test]
fn whatever_is_made_is_private_under_any_umask() {
    let env = with_alice();
    let args = and(&["--write-metadata", "--quiet"]);
    let program = env.command(&args);
    let mut command = std::process::Command::new("/bin/sh");
    command
        .args(["-c", "umask 000; exec \"$0\" \"$@\""])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear()
        .envs(
            program
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        )
        .current_dir(env.home());
    env.ran(&mut command, &args).code(0).stderr("");
    assert_eq!(mode(&env.path(".codex-manager")), 0o700);
    let made = prints(&env.path(".codex-manager"));
    assert_eq!(made.len(), 5, "{made:?}");
    for (path, _, _, mode) in made {
        let wanted = if fs::metadata(&path).expect("stands").is_dir() {
            0o700
        } else {
            0o600
        };
        assert_eq!(mode, wanted, "{path}");
    }
}

#[test]
fn quiet_says_nothing_and_an_empty_directory_only_the_note() {
    let env = with_alice();
    env.run(&and(&["--quiet"])).code(0).stdout("").stderr("");
    let env = Env::new();
    fs::create_dir(env.path("legacy")).expect("makes");
    env.run(NORMALIZE).code(0).stdout("").stderr(
        "0 legacy files in `~/legacy`; the inventory was written: `~/.codex-manager/inventory.json`\n",
    );
    let document = env.run(&and(&["--json"])).code(0).json();
    assert_eq!(
        document,
        json!({
            "records": [],
            "skipped": [],
            "inventory_path": "~/.codex-manager/inventory.json",
            "written": false,
        })
    );
}

#[test]
fn the_source_is_the_flag_else_the_setting_else_the_sample_else_the_codex_home() {
    let env = Env::new();
    let from = |args: &[&str]| {
        let ran = env
            .run(&[&["normalize", "--dry-run"], args].concat())
            .code(0);
        let note = ran.stderr.lines().last().expect("a note").to_owned();
        note.split('`').nth(1).expect("a path").to_owned()
    };
    for dir in [".codex", ".codex_sample", "set", "flag"] {
        fs::create_dir(env.path(dir)).expect("makes");
        match dir {
            "set" => {
                env.write(
                    ".codex-manager/config.toml",
                    "[normalize]\nsource_dir = \"~/set\"\n",
                );
                assert_eq!(from(&[]), "~/set");
            }
            "flag" => assert_eq!(from(&["--source-dir", "flag"]), "~/flag"),
            _ => assert_eq!(from(&[]), format!("~/{dir}")),
        }
    }
}

#[test]
fn the_inventory_goes_where_it_is_told() {
    let env = with_alice();
    env.run(&and(&["--inventory-path", "own/list.json"]))
        .code(0)
        .stdout(TABLE_OF_ALICE)
        .stderr("1 legacy file in `~/legacy`; the inventory was written: `~/own/list.json`\n");
    assert_eq!(env.files(".codex-manager"), ["lock"]);
    assert!(env.read("own/list.json").contains(ALICE));
    assert_eq!(mode(&env.path("own/list.json")) & 0o077, 0);
}

#[test]
fn the_assumed_duration_may_be_a_fraction() {
    let env = with_alice();
    let record = only_record(&env, &["--session-duration-hours", "1.5", "--dry-run"]);
    assert_eq!(record["session_start_at"], "2026-04-14T16:25:00+05:30");
    assert_eq!(record["inferred_session_duration_seconds"], 5400);
    for (value, why) in [
        ("-1", "it must be from 0 to 8784 hours"),
        ("8785", "it must be from 0 to 8784 hours"),
        ("NaN", "it must be from 0 to 8784 hours"),
        ("two", "it is no number of hours"),
    ] {
        let flag = format!("--session-duration-hours={value}");
        env.run(&and(&[&flag])).code(2).stdout("").stderr(&format!(
            "error: invalid value '{value}' for '--session-duration-hours <HOURS>': {why}\n\nFor more information, try '--help'.\n"
        ));
    }
}

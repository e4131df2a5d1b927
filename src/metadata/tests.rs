//! Sidecars of every maker read whole and in brief, and names taken apart.

use super::*;

fn account(email: &str, user: &str, workspace: &str) -> Account {
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Account {
        email: known(email),
        user_id: known(user),
        account_id: known(workspace),
    }
}

#[test]
fn accounts_are_told_apart_by_user_and_workspace() {
    let personal = account("a@example.com", "user-a", "ws-1");
    let team = account("a@example.com", "user-a", "ws-2");
    let colleague = account("b@example.com", "user-b", "ws-2");
    let renamed = account("new@example.com", "user-a", "ws-1");
    let by_email = account("A@Example.com", "", "");
    assert!(!personal.may_be(&team) && !team.may_be(&colleague));
    assert!(personal.may_be(&renamed) && personal.may_be(&by_email) && team.may_be(&by_email));
    assert!(!colleague.may_be(&by_email));
    assert!(!Account::default().may_be(&personal));
}

#[test]
fn names_carry_start_email_and_product_only() {
    let start = Stamp::parse("2026-04-14T15:55:00+05:30").expect("a time");
    let name = BackupName::new(start, "alice@example.com");
    assert_eq!(
        name.archive(),
        "2026-04-14-155500-alice@example.com-codex.tar.gz"
    );
    assert_eq!(BackupName::of_file(&name.sidecar()), Some(name.clone()));
    assert_eq!(name.email(), "alice@example.com");
    let kolkata = Zone::named("Asia/Kolkata").expect("a zone");
    assert_eq!(name.session_start_at(&kolkata), Some(SessionStart(start)));
}

#[test]
fn a_hostile_email_stays_one_part_of_a_path() {
    let start = Stamp::parse("2026-04-14T15:55:00+05:30").expect("a time");
    let name = BackupName::new(start, "../../x/é\0@example.com");
    assert_eq!(
        name.archive(),
        "2026-04-14-155500-..%2F..%2Fx%2Fé%00@example.com-codex.tar.gz"
    );
    assert!(BackupName::new(start, &"x".repeat(4000)).archive().len() < 255);
}

#[test]
fn other_names_are_not_snapshots() {
    for name in [
        "alice@example.com-latest-codex.tar.gz",
        "latest.tar.gz",
        "2026-04-14-155500--codex.tar.gz",
        "é",
    ] {
        assert_eq!(BackupName::of_file(name), None, "{name}");
    }
}

#[test]
fn a_python_sidecar_is_read() {
    let text = br#"{"product":"codex","email":"alice@example.com","session_start_at":"2026-04-14T15:55:00+05:30",
        "next_available_at":"2026-04-21T15:55:00+05:30","reset_at":"unknown","quota_text":"unknown",
        "quota_percent_left":null,"status_source":"live_codex_status","backup_mode":"session-only",
        "plan_type":"unknown","chatgpt_account_id":"ws-1","chatgpt_user_id":"user-a","organizations":[]}"#;
    let sidecar = Sidecar::parse(text).expect("reads");
    assert_eq!(
        sidecar.account(),
        account("alice@example.com", "user-a", "ws-1")
    );
    assert_eq!((sidecar.reset_at, sidecar.plan_type.clone()), (None, None));
    assert_eq!(
        (sidecar.mode(), sidecar.status_source),
        (BackupMode::SessionOnly, Some(StatusSource::Panel))
    );
}

/// What of a whole sidecar [`Sidecar::parse_window`] promises to keep.
fn window_of(whole: &Sidecar) -> Sidecar {
    let whole = whole.clone();
    Sidecar {
        quota_text: whole
            .quota_text
            .filter(|text| whole.schema_version.is_none() && !is_python_report(Some(text))),
        auth_mode: None,
        inferred_session_duration_seconds: None,
        legacy_auth_filename: None,
        legacy_quota_day_token: None,
        archive_name: None,
        archive_size_bytes: None,
        archive_sha256: None,
        content_sha256: None,
        plan_sha256: None,
        file_count: None,
        total_bytes: None,
        captured_files: Vec::new(),
        databases: Vec::new(),
        excluded_patterns: Vec::new(),
        not_captured: Vec::new(),
        source_codex_home: None,
        hostname: None,
        codex_version: None,
        safety_sequence: None,
        generation: None,
        manager_version: None,
        ..whole
    }
}

/// Every field there is, each with a value.
fn full() -> serde_json::Map<String, serde_json::Value> {
    let stamp = Stamp::parse("2026-04-14T15:55:00+05:30");
    let limit = Limit {
        name: "Weekly limit".to_owned(),
        window_minutes: Some(10_080),
        percent_left: Some(7),
        reset_at: stamp,
    };
    let database = Database {
        path: "state.sqlite".to_owned(),
        method: DatabaseMethod::Copy,
        check: Some("quick_check".to_owned()),
        user_version: Some(3),
    };
    let sidecar = Sidecar {
        usage_refused: true,
        safety_sequence: Some(4),
        generation: Some(2),
        limits: vec![limit],
        databases: vec![database],
        session_start_at: stamp.map(SessionStart),
        quota_percent_left: Some(7),
        schema_version: Some(1),
        window_state: Some(WindowState::Running),
        status_source: Some(StatusSource::AppServer),
        validation_status: Some(ValidationStatus::Ok),
        backup_mode: Some(BackupMode::AuthOnly),
        ..Sidecar::default()
    };
    let value = serde_json::to_value(sidecar).expect("serializes");
    let mut full = value.as_object().expect("an object").clone();
    for (key, value) in &mut full {
        let is_time = key.ends_with("_at");
        if value.is_null() {
            *value = if is_time {
                "2026-04-15T01:02:03Z".into()
            } else if ["bytes", "count", "seconds"]
                .iter()
                .any(|end| key.ends_with(end))
            {
                9.into()
            } else {
                format!("a {key}").into()
            };
        } else if value.as_array().is_some_and(Vec::is_empty) {
            *value = serde_json::json!(["one", "two"]);
        }
    }
    full
}

#[track_caller]
fn reads_alike(document: &serde_json::Map<String, serde_json::Value>) -> bool {
    is_read_alike(&serde_json::to_string(document).expect("serializes"))
}

#[track_caller]
fn is_read_alike(text: &str) -> bool {
    let whole = Sidecar::parse(text.as_bytes()).ok();
    let window = Sidecar::parse_window(text.as_bytes());
    assert_eq!(window, whole.as_ref().map(window_of), "{text}");
    whole.is_some()
}

/// Any field with any kind of value, present or not: a snapshot that one reading takes, the other takes too.
#[test]
fn the_window_of_a_sidecar_is_read_as_the_whole_of_it() {
    use serde_json::json;
    assert!(reads_alike(&full()));
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(101),
        json!(1.5),
        json!(u64::MAX),
        json!(""),
        json!("unknown"),
        json!("a \"quoted\" \n text"),
        json!("codex"),
        json!("full"),
        json!("2026-04-14T15:55:00+05:30"),
        json!([]),
        json!(["a"]),
        json!([1]),
        json!([{}]),
        json!([{"name": 1}]),
        json!({}),
    ];
    let (mut read, mut refused) = (0, 0);
    let mut keys: Vec<String> = full().keys().cloned().collect();
    keys.extend(["chatgpt_user_id", "chatgpt_account_id", "organizations"].map(str::to_owned));
    for key in keys {
        let mut without = full();
        without.shift_remove(&key);
        reads_alike(&without);
        for value in &values {
            let mut with = without.clone();
            with.insert(key.clone(), value.clone());
            if reads_alike(&with) {
                read += 1;
            } else {
                refused += 1;
            }
        }
    }
    assert!(
        read > 200 && refused > 200,
        "{read} read, {refused} refused"
    );
}

#[test]
fn a_status_row_is_read_as_it_stands_or_in_full() {
    for (row, is_text) in [
        (r#""[\u2588\u2591] 0% left (resets 04:04 on 02 May)""#, true),
        (r#""[\u2588] 5% left (unknown)""#, true),
        (r#""\resets 9""#, true),
        (r#""resets \u0039""#, true),
        (r#""\u0072esets 9""#, true),
        (r#""\ud83d\ude00 resets 9""#, true),
        (r#""\ud83d resets 9""#, false),
        (r#""\u258 resets 9""#, false),
        (r#""\\u2588 resets 9""#, true),
        ("\"resets\t9\"", false),
        (r#""unknown""#, true),
        (r#""""#, true),
        ("null", true),
        ("9", false),
        (r#"["resets 9"]"#, false),
    ] {
        for rest in ["", r#", "schema_version": 1"#] {
            let text = format!(r#"{{"email": "a@example.com", "quota_text": {row}{rest}}}"#);
            assert_eq!(is_read_alike(&text), is_text, "{text}");
        }
    }
}

#[test]
fn a_row_with_a_reset_in_it_was_reported() {
    let is_report = |text| is_python_report(Some(text));
    assert!(is_python_report(None));
    assert!(is_report("[██░░] 7% left (resets 12:00 on 21 Apr)") && is_report("RESETS 3:00"));
    assert!(is_report("é resets soon, resets 9:00"));
    for text in [
        "",
        "resets ",
        "resets",
        "resets soon",
        "7% left",
        "resets  3",
        "resets é",
    ] {
        assert!(!is_report(text), "{text}");
    }
}

#[test]
fn what_is_no_sidecar_is_refused() {
    for text in [
        "",
        "{",
        "[]",
        r#"{"product":"gemini"}"#,
        r#"{"session_start_at":"yesterday"}"#,
        r#"{"product":"codex","schema_version":2}"#,
    ] {
        assert!(Sidecar::parse(text.as_bytes()).is_err(), "{text}");
        assert_eq!(Sidecar::parse_window(text.as_bytes()), None, "{text}");
    }
}

//! The conversation, message by message, as every version holds it.

use serde_json::{Value, json};

use super::dialogue::Dialogue;
use crate::codex::status::{Clock, Reading, Refusal};
use crate::timeutil::{Stamp, Zone};

const RESET: i64 = 1_776_772_800;

fn with_clock<T>(then: impl FnOnce(&Clock) -> T) -> T {
    let zone = Zone::named("UTC").expect("a zone");
    then(&Clock {
        now: Stamp::parse("2026-04-14T12:00:00Z").expect("a time"),
        zone: &zone,
        reference_year: None,
        is_system_time: false,
    })
}

/// A conversation that was opened.
fn opened() -> Dialogue {
    let mut dialogue = Dialogue::default();
    let sent = hear(
        &mut dialogue,
        &json!({"id": 0, "result": {"userAgent": "codex_manager/0.169.0 (Debian; x86_64) dumb"}}),
    );
    let methods: Vec<_> = sent
        .iter()
        .map(|message| message["method"].clone())
        .collect();
    assert_eq!(
        methods,
        ["initialized", "account/read", "account/rateLimits/read"]
    );
    dialogue
}

/// What it sends to one message.
fn hear(dialogue: &mut Dialogue, message: &Value) -> Vec<Value> {
    let sent = dialogue.hear(message.to_string().as_bytes());
    let messages = sent.lines().map(serde_json::from_str);
    messages.collect::<Result<_, _>>().expect("JSON lines")
}

fn account() -> Value {
    json!({"id": 1, "result": {"account": {"type": "chatgpt", "email": "alice@example.com", "planType": "plus"},
        "userId": "user-alice", "requiresOpenaiAuth": true, "workspaceRouting": {"chatgptAccountId": "ws-alice"}}})
}

fn limits() -> Value {
    let codex = json!({"limitId": "codex", "planType": "pro",
        "primary": {"usedPercent": 12, "windowDurationMins": 300, "resetsAt": RESET - 600_000},
        "secondary": {"usedPercent": 34, "windowDurationMins": 10080, "resetsAt": RESET}});
    json!({"id": 2, "result": {"rateLimits": {"limitId": "codex_spark", "primary": {"usedPercent": 99, "windowDurationMins": 10080, "resetsAt": 1}},
        "rateLimitsByLimitId": {"codex_spark": {"limitId": "codex_spark", "limitName": "Spark",
            "primary": {"usedPercent": 3, "windowDurationMins": 10080, "resetsAt": RESET + 9}}, "codex": codex}, "accountId": "ws-alice"}})
}

fn outcome(dialogue: &Dialogue) -> Result<Reading, Refusal> {
    with_clock(|clock| dialogue.outcome(clock)).expect("an outcome")
}

fn refusal(dialogue: &Dialogue) -> String {
    match outcome(dialogue).expect_err("a refusal") {
        Refusal::TooOld(error) => format!("too old: {error}"),
        Refusal::Failed(error) => error.to_string(),
    }
}

#[test]
fn answers_come_in_any_order_among_other_messages() {
    let noise = [
        json!({"method": "account/updated", "params": {"authMode": "chatgpt"}}),
        json!({"id": 2, "method": "server/asks", "params": {}}),
        json!({"id": 77, "result": {}}),
        json!({"id": "2", "result": {}}),
        json!([1, 2]),
    ];
    for order in [[account(), limits()], [limits(), account()]] {
        let mut dialogue = opened();
        for answer in order {
            for message in &noise {
                assert!(hear(&mut dialogue, message).is_empty());
            }
            assert_eq!(dialogue.hear(b"{\"id\":2,\"resu"), "");
            assert_eq!(dialogue.hear(b"\xff\xfe garbage"), "");
            assert!(!dialogue.is_done());
            assert!(hear(&mut dialogue, &answer).is_empty());
        }
        assert!(dialogue.is_done());
        let reading = outcome(&dialogue).expect("a reading");
        assert_eq!(reading.email.as_deref(), Some("alice@example.com"));
        assert_eq!(reading.user_id.as_deref(), Some("user-alice"));
        assert_eq!(reading.workspace_id.as_deref(), Some("ws-alice"));
        assert_eq!(reading.plan.as_deref(), Some("pro"));
        assert_eq!(reading.reset_at.map(Stamp::unix), Some(RESET));
        assert_eq!(reading.quota_percent_left, Some(66));
        let names: Vec<_> = reading
            .limits
            .iter()
            .map(|limit| limit.name.as_str())
            .collect();
        assert_eq!(names, ["Weekly limit", "5h limit", "Spark Weekly limit"]);
        assert_eq!(dialogue.codex_version().as_deref(), Some("0.169.0"));
    }
}

#[test]
fn one_without_account_methods_still_tells_limits() {
    let mut dialogue = opened();
    hear(
        &mut dialogue,
        &json!({"id": 1, "error": {"code": -32600, "message": "Invalid request: unknown variant `account/read`"}}),
    );
    hear(
        &mut dialogue,
        &json!({"id": 2, "result": {"rateLimits": {"primary": {"used_percent": 81.0, "window_minutes": 10080, "resets_at": RESET}, "secondary": null}}}),
    );
    let reading = outcome(&dialogue).expect("a reading");
    assert_eq!(
        (reading.email, reading.quota_percent_left),
        (None, Some(19))
    );
}

fn unauthorized(id: u64) -> Value {
    json!({"id": id, "error": {"code": -32603, "message":
        "failed to fetch codex rate limits: GET http://127.0.0.1/wham/usage failed: 401 Unauthorized; content-type=application/json; body={\"error\":{\"code\":\"token_expired\"}}"}})
}

#[test]
fn an_expired_login_is_renewed_once() {
    for account_first in [true, false] {
        let mut dialogue = opened();
        if account_first {
            hear(&mut dialogue, &account());
        }
        let sent = hear(&mut dialogue, &unauthorized(2));
        assert_eq!(
            sent,
            [json!({"id": 3, "method": "account/read", "params": {"refreshToken": true}})]
        );
        assert!(dialogue.is_refreshing());
        if !account_first {
            hear(&mut dialogue, &account());
        }
        assert!(!dialogue.is_done());
        let mut renewed = account();
        renewed["id"] = 3.into();
        let sent = hear(&mut dialogue, &renewed);
        assert_eq!(
            sent,
            [json!({"id": 4, "method": "account/rateLimits/read"})]
        );
        assert!(!dialogue.is_refreshing() && !dialogue.is_done());
        let mut again = limits();
        again["id"] = 4.into();
        assert!(hear(&mut dialogue, &again).is_empty());
        assert!(dialogue.is_done());
        assert_eq!(
            outcome(&dialogue).expect("a reading").quota_percent_left,
            Some(66)
        );
    }
}

#[test]
fn a_login_that_cannot_be_renewed_is_told() {
    let said = |answer: Value, again: Option<Value>| {
        let mut dialogue = opened();
        hear(&mut dialogue, &account());
        hear(&mut dialogue, &unauthorized(2));
        hear(&mut dialogue, &answer);
        if let Some(again) = again {
            assert!(!dialogue.is_done());
            assert!(hear(&mut dialogue, &again).is_empty(), "asked a third time");
        }
        assert!(dialogue.is_done());
        refusal(&dialogue)
    };
    assert_eq!(
        said(
            json!({"id": 3, "result": {"account": null, "requiresOpenaiAuth": true}}),
            None
        ),
        "the login has expired and cannot be renewed: its refresh token was used, revoked or has expired"
    );
    let mut renewed = account();
    renewed["id"] = 3.into();
    assert_eq!(
        said(renewed, Some(unauthorized(4))),
        "ChatGPT does not accept the login, though Codex has renewed it: 401 Unauthorized"
    );
    assert_eq!(
        said(
            json!({"id": 3, "error": {"code": -32603, "message": "workspace routing discovery failed"}}),
            Some(unauthorized(4))
        ),
        "the login has expired and renewing it failed: workspace routing discovery failed"
    );
}

#[test]
fn every_refusal_has_its_words() {
    for (code, message, expected) in [
        (
            -32600,
            "codex account authentication required to read rate limits",
            "codex says that nobody is signed in",
        ),
        (
            -32600,
            "chatgpt authentication required to read rate limits",
            "the login is an API key, which has no weekly window",
        ),
        (
            -32600,
            "Invalid request: unknown variant `account/rateLimits/read`",
            "too old: this Codex is too old: its app-server cannot say what is left of an account",
        ),
        (
            -32601,
            "Method not found",
            "too old: this Codex is too old: its app-server cannot say what is left of an account",
        ),
        (
            -32603,
            "failed to fetch codex rate limits: error sending request for url (http://127.0.0.1:1/wham/usage)",
            "codex cannot reach ChatGPT",
        ),
        (
            -32603,
            "failed to fetch codex rate limits: GET x failed: 403 Forbidden; body=secret",
            "ChatGPT refuses to tell the limits of this account: 403 Forbidden",
        ),
        (
            -32603,
            "failed to fetch codex rate limits: GET x failed: 429 Too Many Requests; body={}",
            "ChatGPT was asked too often: 429 Too Many Requests",
        ),
        (
            -32603,
            "failed to fetch codex rate limits: GET x failed: 500 Internal Server Error; body=failed: 401",
            "ChatGPT failed with 500",
        ),
        (
            -32603,
            "GET x failed: 404 Not Found",
            "ChatGPT answered 404",
        ),
        (
            -32603,
            "something else; body=secret",
            "codex's app-server cannot read the limits: something else",
        ),
        (
            -1,
            "",
            "codex's app-server cannot read the limits: error -1",
        ),
    ] {
        let mut dialogue = opened();
        hear(&mut dialogue, &account());
        hear(
            &mut dialogue,
            &json!({"id": 2, "error": {"code": code, "message": message}}),
        );
        assert!(dialogue.is_done(), "{message}");
        assert_eq!(refusal(&dialogue), expected);
    }
    let mut dialogue = Dialogue::default();
    hear(
        &mut dialogue,
        &json!({"id": 0, "error": {"code": -32600, "message": "no"}}),
    );
    assert!(dialogue.is_done());
    assert_eq!(
        refusal(&dialogue),
        "too old: codex's app-server does not take this program's greeting: no"
    );
}

#[test]
fn an_answer_without_a_time_is_no_answer() {
    let said = |result: Value| {
        let mut dialogue = opened();
        hear(&mut dialogue, &account());
        hear(&mut dialogue, &json!({"id": 2, "result": result}));
        outcome(&dialogue)
            .map(|reading| reading.reset_at)
            .map_err(|_| refusal(&dialogue))
    };
    let weekly = |used: u8| json!({"rateLimits": {"primary": {"usedPercent": used, "windowDurationMins": 10080, "resetsAt": null}}});
    assert_eq!(said(weekly(0)), Ok(None));
    assert_eq!(
        said(weekly(1)),
        Err("codex's app-server names no time at which the weekly window resets".to_owned())
    );
    assert_eq!(
        said(json!({})),
        Err("codex's app-server answered without rate limits".to_owned())
    );
    assert_eq!(
        said(json!({"rateLimits": {"primary": null, "secondary": null}})),
        Ok(None)
    );
}

//! `cooldown --live` and `recommend --live`: what Codex says just now, what of it is kept, and what became of windows.

use serde_json::{Value, json};

use crate::common::{Env, Person};
use crate::leftovers;
use crate::live::{at, limit, window, with};
use crate::loopback::test_name;
use crate::real_codex::NEWEST;
use crate::scripted::{Do, Script};
use crate::worlds::json_error;

const REGISTRY: &str = ".codex-manager/cooldown.json";
const WEEK: i64 = 604_800;

#[test]
fn the_real_one_is_asked_and_the_answer_is_kept() {
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        let weekly = world.weekly();
        let live = ["cooldown", "--live", "--json"];
        // A dry run reckons with the answer and keeps nothing.
        let dry = [&live[..], &["--dry-run"]].concat();
        let table = world.run(&dry).code(0).stderr("").json();
        assert!(!world.env.path(REGISTRY).exists());
        let row = json!({
            "email": "alice@example.com",
            "account_id": "ws-alice",
            "alias": null,
            "plan_type": "plus",
            "status": "open",
            "active": true,
            "session_start_at": at(weekly.resets_at - WEEK),
            "next_available_at": at(weekly.resets_at),
            "usable_at": at(weekly.resets_at - WEEK),
            "remaining_seconds": 0,
            "quota_end_detected_at": null,
            "quota_percent_left": 66,
            "observed_at": at(world.now),
            "source": "app-server",
            "validation_status": "ok",
            "limits": [limit("Weekly limit", weekly), limit("5h limit", world.five_hours())],
            "archive_name": null,
        });
        assert_eq!(table["accounts"], json!([row]));
        assert_eq!(world.run(&live).code(0).stderr("").json(), table);
        let kept: Value = serde_json::from_str(&world.env.read(REGISTRY)).expect("JSON");
        let observation = &kept["accounts"][0]["observation"];
        assert_eq!(observation["source"], "app-server");
        assert_eq!(
            observation["limits"],
            json!([
                limit("Weekly limit", weekly),
                limit("5h limit", world.five_hours())
            ])
        );
        // Now without asking.
        let table_after = world.env.run(&["cooldown", "--json"]).code(0).json();
        assert_eq!(table_after, table);

        world.set(|alice| alice.secondary = Some(window(10_080, 100, weekly.resets_at)));
        let advice = world.run(&["recommend", "--live", "--json"]).code(4).json();
        assert_eq!(advice["ready"], false);
        assert_eq!(advice["account"]["usable_at"], at(weekly.resets_at));
        assert_eq!(advice["account"]["quota_end_detected_at"], at(world.now));

        // Without an answer there is no table, and what is known stays.
        let before = world.env.read(REGISTRY);
        world.set(|alice| alice.usage_status = 500);
        for args in [&live[..], &["recommend", "--live", "--json"]] {
            let ran = world.run(args).code(14).stdout("");
            assert_eq!(json_error(&ran).1, "ChatGPT failed with 500");
        }
        assert_eq!(world.env.read(REGISTRY), before);
    });
}

#[test]
fn flags_on_how_to_ask_need_somebody_to_be_asked() {
    let env = Env::new();
    env.codex_home(&Person::named("alice"));
    for args in [
        &["cooldown", "--codex-command", "codex"][..],
        &["recommend", "--status-timeout", "3"],
        &["cooldown", "--status-source", "panel"],
        &["backup", "--offline", "--codex-command", "codex"],
        &["backup", "--status-file", "x", "--status-timeout", "3"],
        &["status", "--input-file", "x", "--codex-command", "codex"],
        &["backup", "--offline", "--status-source", "panel"],
        &[
            "status",
            "--status-command",
            "x",
            "--status-source",
            "panel",
        ],
        &["status", "--status-timeout", "0"],
        &["status", "--status-source", "moon"],
    ] {
        let ran = env.run(args).code(2).stdout("");
        assert!(
            ran.stderr.starts_with("error: "),
            "{args:?}: {}",
            ran.stderr
        );
    }
}

/// A world in which a Codex tells alice's window, as it is told.
struct Told {
    env: Env,
}

impl Told {
    fn new() -> Self {
        let env = Env::new();
        env.codex_home(&Person {
            last_refresh: chrono::Utc::now().to_rfc3339(),
            ..Person::named("alice")
        });
        Self { env }
    }

    /// At `now` Codex says that so much is used of a window that resets then; what the registry has of changes.
    fn told(&mut self, now: &str, used: u32, reset: &str) -> Vec<Value> {
        self.env.set_now(now);
        let seconds = |time: &str| {
            let time = chrono::DateTime::parse_from_rfc3339(time).expect("a time");
            time.timestamp()
        };
        let account = json!({"account": {"type": "chatgpt", "email": "alice@example.com"}, "userId": "user-alice"});
        let weekly =
            json!({"usedPercent": used, "windowDurationMins": 10_080, "resetsAt": seconds(reset)});
        let codex = Script::new(account, json!({"rateLimits": {"primary": weekly}}))
            .last([Do::Exit(0)])
            .install(&self.env);
        let mut command = self.env.command(&["cooldown", "--live"]);
        command.env("PATH", codex.path());
        self.env
            .ran(&mut command, &["cooldown", "--live"])
            .code(0)
            .stderr("");
        leftovers::none(&self.env);
        let registry: Value = serde_json::from_str(&self.env.read(REGISTRY)).expect("JSON");
        registry["accounts"][0]["changes"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    }
}

#[test]
fn the_registry_keeps_what_became_of_each_window() {
    let mut world = Told::new();
    let seen = "2026-04-15T12:00:00+05:30";
    assert!(world.told(seen, 10, "2026-04-21T15:55:00+05:30").is_empty());
    // Ten minutes are the same window, in either direction; more is another.
    assert!(
        world
            .told("2026-04-15T13:00:00+05:30", 20, "2026-04-21T16:05:00+05:30")
            .is_empty()
    );
    assert!(
        world
            .told("2026-04-15T14:00:00+05:30", 30, "2026-04-21T15:45:00+05:30")
            .is_empty()
    );
    let early = world.told("2026-04-16T12:00:00+05:30", 0, "2026-04-21T15:40:00+05:30");
    assert_eq!(early.len(), 1);
    assert_eq!(early[0]["cause"], "moved-early");
    assert_eq!(early[0]["source"], "app-server");
    assert_eq!(early[0]["at"], "2026-04-16T12:00:00+05:30");
    assert_eq!(
        early[0]["before"]["session_start_at"],
        "2026-04-14T15:55:00+05:30"
    );
    assert_eq!(early[0]["after"]["reset_at"], "2026-04-21T15:40:00+05:30");
    let later = world.told("2026-04-17T12:00:00+05:30", 5, "2026-04-23T12:00:00+05:30");
    assert_eq!(
        (later.len(), &later[1]["cause"]),
        (2, &json!("moved-early"))
    );
    // It ends; nothing begins for two days; then something does.
    let ended = world.told("2026-04-24T09:00:00+05:30", 0, "2026-05-01T09:00:00+05:30");
    assert_eq!((ended.len(), &ended[2]["cause"]), (3, &json!("expired")));
    assert_eq!(ended[2]["after"]["window_state"], "unstarted");
    let table = world.env.run(&["cooldown", "--json"]).code(0).json();
    assert_eq!(table["accounts"][0]["status"], "ready");
    let idle = world.told("2026-04-25T09:00:00+05:30", 0, "2026-05-02T09:00:00+05:30");
    assert_eq!(idle.len(), 3);
    let begun = world.told("2026-04-26T09:00:00+05:30", 1, "2026-05-03T08:57:00+05:30");
    assert_eq!((begun.len(), &begun[3]["cause"]), (4, &json!("unstarted")));
    assert_eq!(
        begun[3]["after"]["session_start_at"],
        "2026-04-26T08:57:00+05:30"
    );
}

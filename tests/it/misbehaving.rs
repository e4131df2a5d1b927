//! `status` and `backup` asking a Codex that does what a real one does not do on demand, and every shape that older
//! releases answer in.

use std::process::Command;

use serde_json::{Value, json};

use crate::common::{Env, Person, Ran, SECRET};
use crate::leftovers;
use crate::scripted::{Do, Script, Scripted};
use crate::worlds::json_error;

const STATUS: [&str; 4] = ["status", "--json", "--status-source", "app-server"];
const ACCOUNT: &str = "account/read";
const LIMITS: &str = "account/rateLimits/read";

/// 2026-04-21T15:55:00+05:30, in the week after the tests' instant.
const RESET: i64 = 1_776_767_100;

/// Two hours after the tests' instant.
const SOON: i64 = 1_776_600_000;

/// What the newest says of alice.
fn account() -> Value {
    json!({
        "account": {"type": "chatgpt", "email": "alice@example.com", "planType": "plus", "workspaceName": null},
        "userId": "user-alice",
        "requiresOpenaiAuth": true,
        "workspaceRouting": {
            "chatgptAccountId": "ws-alice",
            "backendOrigin": "https://127.0.0.1:1",
            "accountRoutingOverride": "NO_CONSTRAINT",
        },
    })
}

/// What it says of her limits.
fn limits() -> Value {
    let codex = json!({
        "limitId": "codex",
        "limitName": null,
        "normalModelSlug": null,
        "primary": {"usedPercent": 12, "windowDurationMins": 300, "resetsAt": SOON},
        "secondary": {"usedPercent": 34, "windowDurationMins": 10_080, "resetsAt": RESET},
        "credits": null,
        "individualLimit": null,
        "spendControlReached": null,
        "planType": "plus",
        "rateLimitReachedType": null,
    });
    json!({
        "ordinaryUsageAllowed": true,
        "rateLimits": codex,
        "rateLimitsByLimitId": {"codex": codex},
        "rateLimitResetCredits": {"availableCount": 0, "credits": []},
        "accountId": "ws-alice",
        "rateLimitUpsell": null,
    })
}

pub fn usual() -> Script {
    Script::new(account(), limits())
}

/// What is shown for it.
fn answer() -> Value {
    json!({
        "email": "alice@example.com",
        "account_id": "ws-alice",
        "plan_type": "plus",
        "reset_at": "2026-04-21T15:55:00+05:30",
        "session_start_at": "2026-04-14T15:55:00+05:30",
        "window_state": "running",
        "quota_percent_left": 66,
        "quota_text": null,
        "limits": [
            {
                "name": "Weekly limit",
                "window_minutes": 10_080,
                "percent_left": 66,
                "reset_at": "2026-04-21T15:55:00+05:30",
            },
            {
                "name": "5h limit",
                "window_minutes": 300,
                "percent_left": 88,
                "reset_at": "2026-04-19T17:30:00+05:30",
            },
        ],
        "status_source": "app-server",
        "archive_name": "2026-04-14-155500-alice@example.com-codex.tar.gz",
        "observed_at": "2026-04-19T15:30:00+05:30",
    })
}

/// A world in which alice is signed in, with this as `codex` on PATH.
pub struct World {
    pub env: Env,
    codex: Scripted,
}

impl World {
    pub fn of(script: &Script) -> Self {
        let env = Env::new();
        // Renewed just now: no Codex would renew it by itself.
        env.codex_home(&Person {
            last_refresh: chrono::Utc::now().to_rfc3339(),
            ..Person::named("alice")
        });
        let codex = script.install(&env);
        Self { env, codex }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.env.command(args);
        command.env("PATH", self.codex.path());
        command
    }

    /// Runs the program, which neither leaves anything nor touches Codex's home.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Ran {
        let home = self.env.tree(".codex");
        let ran = self.env.ran(&mut self.command(args), args);
        leftovers::none(&self.env);
        assert_eq!(self.env.tree(".codex"), home);
        ran
    }
}

/// Checks that the answer is understood all the same.
#[track_caller]
fn understood(script: &Script) -> World {
    let world = World::of(script);
    let ran = world.run(&STATUS).code(0).stderr("");
    assert_eq!(ran.json(), answer());
    world
}

/// Checks that there is no status within this many seconds, and why.
#[track_caller]
fn refused(script: &Script, seconds: &str, message: &str) -> World {
    let world = World::of(script);
    let args = [&STATUS[..], &["--status-timeout", seconds]].concat();
    let ran = world.run(&args).code(14).stdout("");
    let (kind, told, hint) = json_error(&ran);
    assert_eq!((kind.as_str(), told.as_str()), ("no-status", message));
    assert!(!hint.is_empty());
    world
}

#[test]
fn what_is_asked_and_how() {
    let world = understood(&usual());
    assert_eq!(world.codex.runs(), ["app-server"]);
    let asked = world.codex.asked();
    assert_eq!(
        world.codex.methods(),
        ["initialize", "initialized", ACCOUNT, LIMITS]
    );
    assert_eq!(asked[0]["params"]["clientInfo"]["name"], "codex_manager");
    assert_eq!(asked[2]["params"], json!({"refreshToken": false}));
    let home = world.env.path(".codex").display().to_string();
    assert_eq!(world.codex.variable("CODEX_HOME"), Some(home));
}

#[test]
fn no_login_of_the_environment_reaches_codex() {
    let world = World::of(&usual());
    let mut command = world.command(&STATUS);
    let others = ["CODEX_ACCESS_TOKEN", "CODEX_API_KEY", "OPENAI_API_KEY"];
    for name in others {
        command.env(name, format!("sk-{SECRET}"));
    }
    command.env("HTTPS_PROXY", "http://127.0.0.1:1");
    world.env.ran(&mut command, &STATUS).code(0);
    assert_eq!(
        others.map(|name| world.codex.variable(name)),
        [None, None, None]
    );
    let proxy = world.codex.variable("HTTPS_PROXY");
    assert_eq!(proxy.as_deref(), Some("http://127.0.0.1:1"));
}

#[test]
fn noise_among_the_answers_is_passed_over() {
    let noise = || {
        [
            "starting up...",
            "",
            "{\"id\":1,\"result\"",
            "[]",
            "null",
            "{\"id\":99,\"result\":{\"rateLimits\":null}}",
            "{\"id\":null,\"error\":{\"code\":-32700,\"message\":\"made up\"}}",
            "{\"method\":\"configWarning\",\"params\":{\"summary\":\"made up\"}}",
            "{\"method\":\"account/updated\",\"params\":{\"authMode\":\"apikey\",\"planType\":\"free\"}}",
            "{\"method\":\"account/rateLimits/updated\",\"params\":{\"rateLimits\":{\"primary\":{\"usedPercent\":99}}}}",
            "\u{feff}\u{1b}[31mred\u{1b}[0m",
        ]
        .into_iter()
        .chain(["{\"id\":2,\"method\":\"account/chatgptAuthTokens/refresh\",\"params\":{}}"])
        .map(|line| Do::Say(line.to_owned()))
    };
    let with = |answer: Value| noise().chain([Do::Answer(answer)]).chain(noise());
    understood(
        &usual()
            .first(noise().chain([Do::Shell("printf '\\377\\376\\000\\n'")]))
            .on(ACCOUNT, with(account()))
            .on(LIMITS, with(limits())),
    );
}

#[test]
fn answers_come_in_halves_and_in_any_order() {
    understood(
        &usual()
            .on(ACCOUNT, [Do::Halves(account(), 0.2)])
            .on(LIMITS, [Do::Halves(limits(), 0.2)]),
    );
    understood(&usual().on(ACCOUNT, [Do::Later(account(), 0.4)]));
}

#[test]
fn an_answer_that_never_comes() {
    let late = "codex's app-server did not answer within 1 s and was ended";
    refused(&usual().on("initialize", []), "1", late);
    refused(&usual().on(LIMITS, []), "1", late);
}

/// What it says of the limits names the workspace; the login says whose that is.
#[test]
fn limits_alone_are_enough() {
    let world = World::of(&usual().on(ACCOUNT, []));
    let args = [&STATUS[..], &["--status-timeout", "1"]].concat();
    let ran = world.run(&args).code(0).stderr("");
    assert_eq!(ran.json(), answer());
}

#[test]
fn it_ends_early() {
    let token = format!("eyJhbGciOiJub25lIn0.e30.{SECRET}");
    let opaque = format!("{SECRET}-0123456789abcdef0123456789abcdef");
    let complaint = format!("Error: cannot start with rt_{SECRET}_1, {token} and {opaque} today");
    refused(
        &usual().first([Do::Complain(complaint.clone()), Do::Exit(3)]),
        "20",
        "codex's app-server ended with exit code 3 before it answered: Error: cannot start with [hidden], [hidden] and [hidden] today",
    );
    refused(
        &usual().on(LIMITS, [Do::Complain(complaint), Do::Exit(101)]),
        "20",
        "codex's app-server ended with exit code 101 before it answered: Error: cannot start with [hidden], [hidden] and [hidden] today",
    );
    refused(
        &usual().first([Do::Exit(0)]),
        "20",
        "codex's app-server ended with exit code 0 before it answered",
    );
    refused(
        &usual().first([Do::Shell("kill -KILL $$")]),
        "20",
        "codex's app-server ended with a signal before it answered",
    );
}

#[test]
fn an_app_server_that_is_not_known() {
    refused(
        &usual().first([
            Do::Complain(
                "error: unrecognized subcommand 'app-server'\n\nUsage: codex [OPTIONS] [PROMPT]"
                    .to_owned(),
            ),
            Do::Exit(2),
        ]),
        "20",
        "this Codex is too old: its app-server cannot say what is left of an account",
    );
}

/// Checks that the answer is understood, in less memory than the noise around it has bytes.
#[track_caller]
fn understood_in_little_memory(script: &Script) {
    let world = World::of(script);
    let program = world.command(&STATUS);
    let mut shell = Command::new("/bin/sh");
    // KiB of address space; where no such limit can be set, none is.
    shell
        .args(["-c", "ulimit -v 115000 2>/dev/null; exec \"$0\" \"$@\""])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear()
        .current_dir(world.env.home())
        .stdin(std::process::Stdio::null())
        .envs(
            program
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        );
    let ran = world.env.ran(&mut shell, &STATUS).code(0).stderr("");
    leftovers::none(&world.env);
    assert_eq!(ran.json(), answer());
}

#[test]
fn a_flood_of_messages_is_passed_over() {
    understood_in_little_memory(&usual().on(LIMITS, [Do::Flood, Do::Answer(limits())]));
}

#[test]
fn a_flood_of_complaints_is_passed_over() {
    understood_in_little_memory(&usual().first([Do::FloodOfComplaints]));
}

#[test]
fn a_long_line_is_passed_over() {
    understood_in_little_memory(&usual().on(LIMITS, [Do::LongLine, Do::Answer(limits())]));
}

/// It cares neither for the end of its input nor for being asked to end.
fn deaf() -> Script {
    usual()
        .first([Do::Shell("trap '' TERM HUP INT")])
        .last([Do::Wait(60.0)])
}

#[test]
fn it_will_not_end() {
    understood(&deaf());
}

#[test]
fn it_will_neither_answer_nor_end() {
    refused(
        &deaf().on(LIMITS, []),
        "1",
        "codex's app-server did not answer within 1 s and was ended",
    );
}

#[test]
fn what_it_started_ends_with_it() {
    understood(&usual().on(LIMITS, [Do::Shell("sleep 60 &"), Do::Answer(limits())]));
    understood(&usual().on(
        LIMITS,
        [
            Do::Shell("sleep 60 & exec 3>&-"),
            Do::Answer(limits()),
            Do::Exit(0),
        ],
    ));
}

/// As a daemon does. Elsewhere than on Linux nobody finds what left its group.
#[cfg(target_os = "linux")]
#[test]
fn what_left_its_group_ends_too() {
    let astray = "setsid sleep 60 </dev/null >/dev/null 2>&1 &";
    understood(&usual().on(LIMITS, [Do::Shell(astray), Do::Answer(limits())]));
    // It holds the streams that are read.
    understood(&usual().on(
        LIMITS,
        [Do::Shell("setsid sleep 60 &"), Do::Answer(limits())],
    ));
    let twice = "setsid sh -c 'trap \"\" TERM; setsid sleep 60 & sleep 60' &";
    understood(&usual().on(LIMITS, [Do::Shell(twice), Do::Answer(limits())]));
}

/// What releases answered in, oldest first.
#[test]
fn every_shape_since_the_first() {
    let without = |mut value: Value, keys: &[&str]| {
        for key in keys {
            value.as_object_mut().expect("an object").remove(*key);
        }
        value
    };
    let refusing = |limits: Value| {
        Script::new(Value::Null, limits)
            .on(ACCOUNT, [Do::Refuse(-32600, "Invalid request".to_owned())])
    };
    let no_plan = |mut answer: Value| {
        // The login's, as nobody else names one.
        answer["plan_type"] = json!("plus");
        answer
    };
    // 0.53
    let snake = json!({"rateLimits": {
        "primary": {"used_percent": 12.0, "window_minutes": 300, "resets_at": SOON},
        "secondary": {"used_percent": 34.0, "window_minutes": 10_080, "resets_at": RESET},
    }});
    let world = World::of(&refusing(snake));
    let ran = world.run(&STATUS).code(0).stderr("");
    assert_eq!(ran.json(), no_plan(answer()));

    let offline = without(account(), &["userId", "workspaceRouting"]);
    let mut codex = limits()["rateLimits"].clone();
    let mut of = |keys: &[&str]| {
        codex = without(codex.clone(), keys);
        codex.clone()
    };
    // 0.145 and 0.132
    let codex = of(&["normalModelSlug"]);
    let latest = json!({"rateLimits": codex, "rateLimitsByLimitId": {"codex": codex}, "rateLimitResetCredits": null});
    understood(&Script::new(offline.clone(), latest));
    // 0.118
    let codex = of(&[
        "individualLimit",
        "spendControlReached",
        "rateLimitReachedType",
    ]);
    let by_id = json!({"rateLimits": codex, "rateLimitsByLimitId": {"codex": codex}});
    understood(&Script::new(offline.clone(), by_id));
    // 0.77 to 0.98
    let codex = of(&["limitId", "limitName"]);
    understood(&Script::new(offline, json!({"rateLimits": codex})));
}

#[test]
fn another_bucket_first_is_not_the_accounts() {
    let mut limits = limits();
    let codex = limits["rateLimitsByLimitId"]["codex"].clone();
    let mut spark = codex.clone();
    spark["limitId"] = json!("codex_spark");
    spark["limitName"] = json!("Spark");
    spark["primary"] = Value::Null;
    spark["secondary"]["usedPercent"] = json!(100);
    limits["rateLimits"] = spark.clone();
    limits["rateLimitsByLimitId"] = json!({"codex_spark": spark, "codex": codex});
    let world = World::of(&Script::new(account(), limits));
    let mut wanted = answer();
    wanted["limits"]
        .as_array_mut()
        .expect("limits")
        .push(json!({
            "name": "Spark Weekly limit",
            "window_minutes": 10_080,
            "percent_left": 0,
            "reset_at": "2026-04-21T15:55:00+05:30",
        }));
    let ran = world.run(&STATUS).code(0).stderr("");
    assert_eq!(ran.json(), wanted);
}

#[test]
fn a_weekly_window_without_a_reset() {
    let with_used = |used: i32| {
        let mut limits = limits();
        let weekly = json!({"usedPercent": used, "windowDurationMins": 10_080, "resetsAt": null});
        limits["rateLimitsByLimitId"]["codex"]["secondary"] = weekly;
        Script::new(account(), limits)
    };
    let mut wanted = answer();
    for key in ["reset_at", "session_start_at", "archive_name"] {
        wanted[key] = Value::Null;
    }
    wanted["window_state"] = json!("unstarted");
    wanted["quota_percent_left"] = json!(100);
    wanted["limits"][0]["percent_left"] = json!(100);
    wanted["limits"][0]["reset_at"] = Value::Null;
    let world = World::of(&with_used(0));
    let ran = world.run(&STATUS).code(0).stderr("");
    assert_eq!(ran.json(), wanted);
    refused(
        &with_used(1),
        "20",
        "codex's app-server names no time at which the weekly window resets",
    );
}

#[test]
fn why_there_are_no_limits() {
    let failed = |status: &str| {
        format!(
            "failed to fetch codex rate limits: GET http://127.0.0.1:1/backend-api/wham/usage failed: {status}; \
             content-type=application/json; body={{\"detail\":\"rt_{SECRET}_1 failed: 418\"}}"
        )
    };
    let nobody = json!({"account": null, "requiresOpenaiAuth": true});
    let key = json!({"account": {"type": "apiKey"}, "requiresOpenaiAuth": true});
    for (account, code, said, told) in [
        (
            nobody.clone(),
            -32600,
            "codex account authentication required to read rate limits".to_owned(),
            "codex says that nobody is signed in",
        ),
        (
            key,
            -32600,
            "chatgpt authentication required to read rate limits".to_owned(),
            "the login is an API key, which has no weekly window",
        ),
        (
            account(),
            -32603,
            "failed to fetch codex rate limits: error sending request for url (https://127.0.0.1:1/)"
                .to_owned(),
            "codex cannot reach ChatGPT",
        ),
        (
            account(),
            -32603,
            failed("500 Internal Server Error"),
            "ChatGPT failed with 500",
        ),
        (
            account(),
            -32603,
            failed("403 Forbidden"),
            "ChatGPT refuses to tell the limits of this account: 403 Forbidden",
        ),
        (
            account(),
            -32603,
            failed("429 Too Many Requests"),
            "ChatGPT was asked too often: 429 Too Many Requests",
        ),
        (
            account(),
            -32600,
            "Invalid request: unknown variant `account/rateLimits/read`, expected one of `initialize`".to_owned(),
            "this Codex is too old: its app-server cannot say what is left of an account",
        ),
        (
            account(),
            -32603,
            format!("made up, sk-{SECRET}"),
            "codex's app-server cannot read the limits: made up, [hidden]",
        ),
    ] {
        let script = usual()
            .on(ACCOUNT, [Do::Answer(account)])
            .on(LIMITS, [Do::Refuse(code, said)]);
        let world = refused(&script, "20", told);
        assert_eq!(world.codex.methods().len(), 4);
    }
    refused(
        &usual().on("initialize", [Do::Refuse(-32600, "made up".to_owned())]),
        "20",
        "codex's app-server does not take this program's greeting: made up",
    );
    refused(
        &usual().on(LIMITS, [Do::Answer(json!({}))]),
        "20",
        "codex's app-server answered without rate limits",
    );
}

#[test]
fn a_refused_login_is_renewed_once() {
    let unauthorized = || {
        Do::Refuse(
            -32603,
            "failed to fetch codex rate limits: GET http://127.0.0.1:1/wham/usage failed: 401 Unauthorized; \
             content-type=application/json; body={}"
                .to_owned(),
        )
    };
    let script = usual().on(LIMITS, [unauthorized()]);
    let asked = [
        "initialize",
        "initialized",
        ACCOUNT,
        LIMITS,
        ACCOUNT,
        LIMITS,
    ];
    let world = understood(&script.clone().then(LIMITS, [Do::Answer(limits())]));
    assert_eq!(world.codex.methods(), asked);
    assert_eq!(
        world.codex.asked()[4]["params"],
        json!({"refreshToken": true})
    );
    let world = refused(
        &script,
        "20",
        "ChatGPT does not accept the login, though Codex has renewed it: 401 Unauthorized",
    );
    assert_eq!(world.codex.methods(), asked);
    let nobody = json!({"account": null, "requiresOpenaiAuth": true});
    let world = refused(
        &script.then(ACCOUNT, [Do::Answer(nobody)]),
        "20",
        "the login has expired and cannot be renewed: its refresh token was used, revoked or has expired",
    );
    assert_eq!(world.codex.methods(), asked[..5]);
}

#[test]
fn the_answer_is_of_another_account() {
    let of = |at: &str, text: &str| {
        let mut account = account();
        *account.pointer_mut(at).expect("there") = json!(text);
        usual().on(ACCOUNT, [Do::Answer(account)])
    };
    let mut elsewhere = limits();
    elsewhere["accountId"] = json!("ws-bob");
    for (script, message) in [
        (
            of("/account/email", "bob@example.com"),
            "the status is of the account `bob@example.com`, the login in auth.json is of `alice@example.com`",
        ),
        (
            of("/userId", "user-bob"),
            "the status is of the user `user-bob`, the login in auth.json is of `user-alice`",
        ),
        (
            usual().on(LIMITS, [Do::Answer(elsewhere)]),
            "the status is of the workspace `ws-bob`, the login in auth.json is of `ws-alice`",
        ),
    ] {
        for args in [&STATUS[..], &["backup", "--json"]] {
            let world = World::of(&script);
            let ran = world.run(args).code(12).stdout("");
            let (kind, told, _) = json_error(&ran);
            assert_eq!(
                (kind.as_str(), told.as_str()),
                ("account-mismatch", message)
            );
            assert!(!world.env.path(".codex-manager/backups").exists());
        }
    }
}

#[test]
fn a_backup_by_it() {
    let world = World::of(&usual());
    world.run(&["backup"]).code(0).stderr("");
    let mut names = world.env.files(".codex-manager/backups");
    names.retain(|name| name.ends_with(".tar.gz"));
    assert_eq!(names, ["2026-04-14-155500-alice@example.com-codex.tar.gz"]);
    assert_eq!(world.codex.runs(), ["app-server"]);
}

#[test]
fn no_codex_at_all() {
    let world = World::of(&usual());
    for args in [&STATUS[..], &["status", "--json"], &["backup", "--json"]] {
        let ran = world.env.run(args).code(14).stdout("");
        let (kind, told, _) = json_error(&ran);
        assert_eq!(
            (kind.as_str(), told.as_str()),
            (
                "no-status",
                "codex is not installed: there is no `codex` on PATH"
            )
        );
    }
}

#[test]
fn a_signal_while_it_is_silent() {
    let world = World::of(&usual().on(LIMITS, []));
    let mut command = world.command(&STATUS);
    let mut child = command.spawn().expect("starts");
    while world.codex.methods().len() < 4 {
        assert!(child.try_wait().expect("waits").is_none(), "did not ask");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let id = i32::try_from(child.id()).expect("an id");
    let id = rustix::process::Pid::from_raw(id).expect("an id");
    rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("sends");
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    leftovers::none(&world.env);
}

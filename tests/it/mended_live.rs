//! Faults of asking Codex that were found and mended: what must not go wrong, whoever does what in the meantime.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::chatgpt::{Account, ChatGpt, FIVE_HOURS, Login, WEEK, Window, unix_now};
use crate::common::{Env, Person, Ran};
use crate::leftovers;
use crate::loopback::{loopback, test_name};
use crate::real_codex::{NEWEST, codex};
use crate::scripted::{Do, Script, Scripted};
use crate::worlds::json_error;

const ACCOUNT: &str = "account/read";
const LIMITS: &str = "account/rateLimits/read";

/// 2026-04-21T15:55:00+05:30, in the week after the tests' instant.
const RESET: i64 = 1_776_767_100;

/// The tests' instant.
const NOW: i64 = 1_776_592_800;

fn account(person: &Person) -> Value {
    json!({
        "account": {"type": "chatgpt", "email": person.email, "planType": "plus"},
        "userId": person.user,
        "requiresOpenaiAuth": true,
        "workspaceRouting": {"chatgptAccountId": person.workspace},
    })
}

fn weekly(used: u32, resets_at: impl Into<Value>) -> Value {
    json!({"usedPercent": used, "windowDurationMins": 10_080, "resetsAt": resets_at.into()})
}

fn limits(weekly: &Value) -> Value {
    json!({"rateLimits": {"limitId": "codex", "primary": weekly, "secondary": null, "planType": "plus"}})
}

struct World {
    env: Env,
    codex: Scripted,
}

impl World {
    /// Alice is signed in, with a login that no Codex renews by itself.
    fn of(script: &Script) -> Self {
        Self::at(Env::new(), script)
    }

    fn at(env: Env, script: &Script) -> Self {
        env.codex_home(&alice());
        let codex = script.install(&env);
        Self { env, codex }
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.env.command(args);
        command.env("PATH", self.codex.path());
        command
    }

    #[track_caller]
    fn run(&self, args: &[&str]) -> Ran {
        let ran = self.env.ran(&mut self.command(args), args);
        leftovers::none(&self.env);
        ran
    }

    fn says(&self, weekly: &Value) {
        usual(weekly).install(&self.env);
    }
}

fn alice() -> Person {
    Person {
        last_refresh: chrono::Utc::now().to_rfc3339(),
        ..Person::named("alice")
    }
}

fn usual(weekly: &Value) -> Script {
    Script::new(account(&alice()), limits(weekly))
}

fn until_there(path: &Path) {
    let end = Instant::now() + Duration::from_secs(20);
    while !path.exists() {
        assert!(Instant::now() < end, "`{}` never came", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// While Codex is asked it may be renewing the login: nobody exchanges it then.
#[test]
fn a_restore_waits_for_a_status() {
    let world = World::of(&usual(&weekly(34, RESET)));
    world.run(&["backup"]).code(0).stderr("");
    let bob = Person::named("bob");
    world.env.write(".codex/auth.json", &bob.auth_json());
    let before = world.env.read(".codex/auth.json");
    Script::new(account(&bob), limits(&weekly(34, RESET)))
        .on(
            LIMITS,
            [
                Do::Shell("echo >\"$dir/asking\""),
                Do::Wait(3.0),
                Do::Shell("cp \"$CODEX_HOME/auth.json\" \"$dir/login\""),
                Do::Answer(limits(&weekly(34, RESET))),
            ],
        )
        .install(&world.env);
    for args in [&["status"][..], &["cooldown", "--live"], &["backup"]] {
        world.env.write(".codex/auth.json", &before);
        let asking = world.codex.path().join("asking");
        let _ = fs::remove_file(&asking);
        let asked = world
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        until_there(&asking);
        let restore = ["restore", "alice@example.com", "--yes"];
        world
            .env
            .ran(&mut world.command(&restore), &restore)
            .code(0);
        let login = fs::read_to_string(world.codex.path().join("login"));
        assert_eq!(
            login.expect("the restore waited for the answer"),
            before,
            "{args:?}: the login was exchanged while Codex was asked"
        );
        let _ = fs::remove_file(world.codex.path().join("login"));
        let output = asked.wait_with_output().expect("ends");
        // A restore that came between the asking and what follows it makes another account of it: 12.
        assert!(matches!(output.status.code(), Some(0 | 12)), "{output:?}");
        leftovers::none(&world.env);
    }
}

/// A Codex renews the login by itself when `account/read` meets a 401, however long the login would be good by its dates.
#[test]
fn an_account_that_is_still_waited_for_may_be_a_renewal() {
    let renewing = usual(&weekly(34, RESET))
        .on(
            ACCOUNT,
            [Do::Shell("( sleep 11; echo >\"$dir/renewed\" ) &")],
        )
        .last([Do::Shell("wait")]);
    let world = World::of(&renewing);
    world.run(&["status"]).code(0);
    assert!(
        world.codex.path().join("renewed").exists(),
        "codex was ended in the middle of a renewal"
    );
}

/// The same with the real one: the service took the access token back, its answer to the renewal is slow.
#[test]
fn a_renewal_that_codex_began_by_itself_is_waited_for() {
    let Some(codex) = codex(NEWEST) else { return };
    loopback(test_name!(), || {
        let now = unix_now();
        let env = Env::at(
            &chrono::DateTime::from_timestamp(now, 0)
                .expect("a time")
                .to_rfc3339(),
        );
        let chatgpt = ChatGpt::start();
        let alice = Person::named("alice");
        chatgpt.sign_in(&env, &alice, Login::Valid);
        chatgpt.set(Account {
            primary: Some(Window {
                minutes: FIVE_HOURS,
                used: 1,
                resets_at: now + 600,
            }),
            secondary: Some(Window {
                minutes: WEEK,
                used: 1,
                resets_at: now + 6000,
            }),
            refresh_delay: Duration::from_secs(8),
            ..Account::of(&alice)
        });
        let path = codex.native_path(&env);
        for source in ["app-server", "panel"] {
            chatgpt.sign_in(&env, &alice, Login::Valid);
            chatgpt.revoke(&alice);
            let before = env.read(".codex/auth.json");
            let asked = chatgpt.count("/oauth/token");
            let args = ["status", "--status-source", source, "--status-timeout", "2"];
            let mut command = env.command(&args);
            command.env("PATH", &path);
            chatgpt.reach(&mut command);
            let ran = env.ran(&mut command, &args);
            if chatgpt.count("/oauth/token") > asked {
                assert!(
                    env.read(".codex/auth.json") != before,
                    "{source}: the login was lost\n{}{}",
                    ran.stdout,
                    ran.stderr
                );
            }
            leftovers::none(&env);
        }
        assert!(chatgpt.count("/oauth/token") > 0, "nothing was renewed");
    });
}

/// Who is signed in is exchanged while Codex is asked, by `codex login` in another window, and this Codex names nobody.
#[test]
fn an_exchange_while_codex_is_asked_is_another_account() {
    let world = World::of(&usual(&weekly(34, RESET)));
    let bob = Person::named("bob").auth_json();
    fs::write(world.codex.path().join("bob.json"), &bob).expect("writes");
    usual(&weekly(34, RESET))
        .on(
            ACCOUNT,
            [Do::Refuse(
                -32603,
                "workspace routing discovery failed".to_owned(),
            )],
        )
        .on(
            LIMITS,
            [
                Do::Shell("cp \"$dir/bob.json\" \"$CODEX_HOME/auth.json\""),
                Do::Answer(limits(&weekly(34, RESET))),
            ],
        )
        .install(&world.env);
    for args in [
        &["status", "--json"][..],
        &["backup", "--json"],
        &["cooldown", "--live", "--json"],
        &["recommend", "--live", "--json"],
    ] {
        world.env.write(".codex/auth.json", &alice().auth_json());
        let ran = world.run(args).code(12).stdout("");
        assert_eq!(json_error(&ran).0, "account-mismatch");
    }
    assert!(!world.env.path(".codex-manager/backups").exists());
}

/// What Codex says counts, whatever an evening with a wrong clock, or a `--now`, has left in the registry.
#[test]
fn an_observation_of_the_future_does_not_beat_what_codex_says_now() {
    let in_2030 = 1_893_456_000;
    let world = World::of(&usual(&weekly(34, in_2030 + 86_400)));
    let live = ["cooldown", "--live", "--json"];
    let later = [&live[..], &["--now", "2030-01-01T00:00:00Z"]].concat();
    world.run(&later).code(0);
    world.says(&weekly(100, RESET));
    let row = |ran: &Ran| ran.json()["accounts"][0]["status"].clone();
    assert_eq!(row(&world.run(&live).code(0)), json!("cooldown"));
    world.run(&["recommend", "--live"]).code(4);
    world.run(&["backup"]).code(0);
    assert_eq!(
        row(&world.run(&["cooldown", "--json"]).code(0)),
        json!("cooldown")
    );
}

/// As a panel's reset is refused that lies before now or more than a week and a day ahead.
#[test]
fn a_reset_that_cannot_be_is_no_reset() {
    for resets_at in [
        0,
        -5,
        NOW - 40 * 86_400,
        NOW + 30 * 86_400,
        NOW + 400 * 86_400,
    ] {
        let world = World::of(&usual(&weekly(34, resets_at)));
        let ran = world.run(&["status", "--json"]);
        assert_eq!(ran.code, Some(14), "{resets_at}: {}", ran.stdout);
    }
}

#[test]
fn an_unstarted_window_without_a_reset_is_told_and_keeps_its_name() {
    let week = 604_800;
    let mut world = World::of(&usual(&weekly(0, NOW + week)));
    let first = world.run(&["backup", "--json"]).code(0).json();
    world.env.set_now("2026-04-20T15:30:00+05:30");
    world.says(&weekly(0, Value::Null));
    let told = world.run(&["status"]).code(0).stdout;
    assert!(
        told.contains("not started") && told.contains("100%"),
        "{told}"
    );
    let second = world.run(&["backup", "--json"]).code(0).json();
    assert_eq!(second["archive"], first["archive"]);
}

/// What `status` names is what `backup` makes.
#[test]
fn status_names_the_archive_that_backup_makes() {
    let mut world = World::of(&usual(&weekly(34, RESET)));
    world.run(&["backup"]).code(0);
    world.env.set_now("2026-04-19T16:30:00+05:30");
    world.says(&weekly(35, RESET + 7));
    let named = world.run(&["status", "--json"]).code(0).json();
    let made = world.run(&["backup", "--json"]).code(0).json();
    assert_eq!(made["snapshot"]["archive_name"], named["archive_name"]);
}

/// The one limit of an enterprise account.
#[test]
fn a_monthly_credit_limit_that_is_used_up_holds_the_account_back() {
    let mut limits = limits(&Value::Null);
    limits["rateLimits"]["individualLimit"] =
        json!({"limit": "25000", "used": "25000", "remainingPercent": 0, "resetsAt": RESET});
    let world = World::of(&Script::new(account(&alice()), limits));
    world.run(&["recommend", "--live"]).code(4);
}

/// As the other paths of the settings.
#[test]
fn the_home_in_a_codex_command_is_the_persons() {
    let world = World::of(&usual(&weekly(34, RESET)));
    let name = "~/../scripted/codex";
    world
        .env
        .run(&["config", "set", "codex_command", name])
        .code(0);
    world.env.run(&["status"]).code(0);
}

#[test]
fn a_slow_renewal_is_no_reason_to_sign_in_again() {
    let unauthorized = || {
        Do::Refuse(
            -32603,
            "failed to fetch codex rate limits: GET /usage failed: 401 Unauthorized; body={}"
                .to_owned(),
        )
    };
    let script = usual(&weekly(34, RESET))
        .on(LIMITS, [unauthorized()])
        .on(ACCOUNT, [Do::Answer(account(&alice()))])
        .then(ACCOUNT, [Do::Later(account(&alice()), 4.0)])
        .last([Do::Shell("wait")]);
    let world = World::of(&script);
    let ran = world
        .run(&["status", "--status-timeout", "2", "--json"])
        .code(14);
    let (_, message, hint) = json_error(&ran);
    assert!(
        !message.contains("does not accept") && !hint.contains("codex login"),
        "{message}: {hint}"
    );
}

/// A login that is due is renewed by whichever Codex starts; two at once would use one refresh token twice.
#[test]
fn a_login_that_is_due_is_asked_about_one_after_another() {
    let busy = "mkdir \"$dir/busy\" || : >\"$dir/overlap\"; sleep 0.4; rmdir \"$dir/busy\"";
    let script = usual(&weekly(34, RESET)).first([Do::Shell(busy)]);
    let ask = |last_refresh: String| {
        let world = World::of(&script);
        let alice = Person {
            last_refresh,
            ..alice()
        };
        world.env.codex_home(&alice);
        let mut all: Vec<_> = (0..3)
            .map(|_| {
                let mut command = world.command(&["status"]);
                command.stdout(Stdio::null()).stderr(Stdio::null());
                command.spawn().expect("starts")
            })
            .collect();
        for child in &mut all {
            assert_eq!(child.wait().expect("ends").code(), Some(0));
        }
        leftovers::none(&world.env);
        world.codex.path().join("overlap").exists()
    };
    assert!(!ask("2026-01-01T00:00:00Z".to_owned()), "two asked at once");
    // One that is not due needs no such patience.
    assert!(ask(chrono::Utc::now().to_rfc3339()));
}

/// Whoever was there before is no business of ours, though orphans come to us.
#[cfg(target_os = "linux")]
#[test]
fn what_somebody_else_left_running_lives() {
    let world = World::of(&usual(&weekly(34, RESET)).first([Do::Wait(0.8)]));
    let program = world.command(&["status"]);
    let lived = world.env.path("lived");
    // A job of the shell's that starts a daemon of its own while Codex is asked, and ends before it.
    let line = format!(
        "( sleep 0.3; setsid sh -c 'sleep 1.5; : >\"{}\"' & ) & exec \"$0\" \"$@\"",
        lived.display()
    );
    let mut shell = std::process::Command::new("/bin/sh");
    shell
        .args(["-c", &line])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear()
        .current_dir(world.env.home());
    for (name, value) in program.get_envs() {
        let value = value.expect("set").to_owned();
        let is_path = name == "PATH";
        shell.env(
            name,
            if is_path {
                format!("{}:/usr/bin:/bin", value.display()).into()
            } else {
                value
            },
        );
    }
    let ran = shell.stdout(Stdio::null()).status().expect("runs");
    assert_eq!(ran.code(), Some(0));
    until_there(&lived);
}

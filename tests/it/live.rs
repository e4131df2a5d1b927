//! `status` and `backup` asking the real Codex, which asks a ChatGPT of the tests: what it is told is what is shown.
//! What no real Codex does on demand: `misbehaving`.

use std::process::{Command, Stdio};
use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use serde_json::{Value, json};

use crate::chatgpt::{Account, Bucket, ChatGpt, FIVE_HOURS, Login, MONTH, WEEK, Window, unix_now};
use crate::common::{Env, Person, Ran, SECRET};
use crate::leftovers;
use crate::loopback::{loopback, test_name};
use crate::real_codex::{Codex, NEWEST, OLDER, OLDEST, codex};
use crate::worlds::json_error;

/// What is said when Codex has renewed the login.
pub const RENEWED: &str = "{\"warning\":{\"message\":\"the login was renewed: snapshots of it that were made before may no longer sign in, a new one does\"}}\n";

const STATUS: [&str; 2] = ["status", "--json"];
const WEEK_SECONDS: i64 = 604_800;

/// A world in which alice is signed in to a Codex that asks our ChatGPT.
pub struct World {
    pub env: Env,
    pub chatgpt: ChatGpt,
    pub alice: Person,
    pub now: i64,
    path: String,
}

/// The local wall clock of the tests' zone at this second, which has no summer time.
fn local(seconds: i64) -> DateTime<FixedOffset> {
    let zone = FixedOffset::east_opt(19_800).expect("a zone");
    let then = DateTime::from_timestamp(seconds, 0).expect("in range");
    then.with_timezone(&zone)
}

/// As JSON shows a time.
pub fn at(seconds: i64) -> String {
    local(seconds).to_rfc3339()
}

/// The name of a snapshot whose window ends then.
fn name_of(reset: i64, person: &Person) -> String {
    let start = local(reset - WEEK_SECONDS).format("%Y-%m-%d-%H%M%S");
    format!("{start}-{}-codex.tar.gz", person.email)
}

pub fn window(minutes: i64, used: i32, resets_at: i64) -> Window {
    Window {
        minutes,
        used,
        resets_at,
    }
}

/// The same window in an answer.
pub fn limit(name: &str, window: Window) -> Value {
    json!({
        "name": name,
        "window_minutes": window.minutes,
        "percent_left": 100 - window.used,
        "reset_at": at(window.resets_at),
    })
}

/// Runs the whole of a test with this release as `codex` on PATH.
pub fn with(name: &str, version: &str, body: impl FnOnce(&World)) {
    with_codex(name, version, Codex::native_path, body);
}

pub fn with_codex(
    name: &str,
    version: &str,
    path: impl FnOnce(&Codex, &Env) -> String,
    body: impl FnOnce(&World),
) {
    let Some(codex) = codex(version) else { return };
    loopback(name, || {
        // Codex has the machine's clock; so that both mean the same instant, the program's stands still at it.
        let now = unix_now();
        let env = Env::at(&at(now));
        let path = path(&codex, &env);
        let world = World {
            chatgpt: ChatGpt::start(),
            alice: Person::named("alice"),
            env,
            now,
            path,
        };
        world
            .chatgpt
            .sign_in(&world.env, &world.alice, Login::Valid);
        body(&world);
        // Releases before the newest look for a newer one even so; the terminal interface looks for news to show.
        let mut externals = world.chatgpt.externals();
        externals.retain(|host| version == NEWEST || host != "api.github.com:443");
        externals.retain(|host| host != "raw.githubusercontent.com:443");
        assert_eq!(externals, [""; 0]);
        // The terminal interface opens a line for turns at its start, which is refused here; a turn would be more.
        let log = world.chatgpt.log();
        let mut turns = log
            .iter()
            .filter(|asked| asked.path.ends_with("/responses"));
        assert!(turns.all(|asked| asked.status == 426), "a turn was begun");
    });
}

impl World {
    pub fn weekly(&self) -> Window {
        window(WEEK, 34, self.now + 300_000)
    }

    pub fn five_hours(&self) -> Window {
        window(FIVE_HOURS, 12, self.now + 7200)
    }

    /// What ChatGPT knows of alice.
    pub fn set(&self, change: impl FnOnce(&mut Account)) {
        let mut account = Account::of(&self.alice);
        account.primary = Some(self.five_hours());
        account.secondary = Some(self.weekly());
        change(&mut account);
        self.chatgpt.set(account);
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.env.command(args);
        command.env("PATH", &self.path);
        self.chatgpt.reach(&mut command);
        command
    }

    /// Runs the program; neither it nor Codex leaves anything, nor touches the login.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Ran {
        let signed_in = self.login();
        let ran = self.run_renewing(args);
        assert!(self.login() == signed_in, "the login was touched");
        ran
    }

    /// Runs the program; Codex may renew the login.
    #[track_caller]
    pub fn run_renewing(&self, args: &[&str]) -> Ran {
        let config = self.settings();
        let ran = self.env.ran(&mut self.command(args), args);
        leftovers::none(&self.env);
        assert_eq!(self.settings(), config);
        ran
    }

    /// Codex's settings, without what it notes there at the first start of its panel.
    fn settings(&self) -> String {
        let settings = self.env.read(".codex/config.toml");
        settings
            .replace("\n[tui]\nscreen_reader_detection_done = true\n", "")
            .replace("screen_reader_detection_done = true\n", "")
    }

    pub fn login(&self) -> Option<String> {
        let path = self.env.path(".codex/auth.json");
        path.exists().then(|| self.env.read(".codex/auth.json"))
    }

    /// The answer for alice when this is her weekly window.
    pub fn answer(&self, weekly: Window, state: &str, limits: &[Value]) -> Value {
        json!({
            "email": "alice@example.com",
            "account_id": "ws-alice",
            "plan_type": "plus",
            "reset_at": at(weekly.resets_at),
            "session_start_at": at(weekly.resets_at - WEEK_SECONDS),
            "window_state": state,
            "quota_percent_left": 100 - weekly.used,
            "quota_text": null,
            "limits": limits,
            "status_source": "app-server",
            "archive_name": name_of(weekly.resets_at, &self.alice),
            "observed_at": at(self.now),
        })
    }

    /// The answer for alice with the windows of [`World::set`].
    pub fn usual(&self) -> Value {
        let limits = [
            limit("Weekly limit", self.weekly()),
            limit("5h limit", self.five_hours()),
        ];
        self.answer(self.weekly(), "running", &limits)
    }

    #[track_caller]
    fn shows(&self, answer: &Value) {
        assert_eq!(self.run(&STATUS).code(0).stderr("").json(), *answer);
    }

    /// Checks that there is no status, and why.
    #[track_caller]
    pub fn refuses(&self, message: &str) {
        let ran = self.run(&STATUS).code(14).stdout("");
        let (kind, told, hint) = json_error(&ran);
        assert_eq!((kind.as_str(), told.as_str()), ("no-status", message));
        assert!(!hint.is_empty());
    }
}

#[test]
fn weekly_as_secondary() {
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        world.shows(&world.usual());
        for source in ["auto", "app-server"] {
            let args = [&STATUS[..], &["--status-source", source]].concat();
            assert_eq!(world.run(&args).code(0).stderr("").json(), world.usual());
        }
        assert_eq!(
            world.env.files(".codex-manager"),
            [
                "lock",
                "machine-id",
                "profiles/alice/auth.json",
                "profiles/alice/profile.toml"
            ]
        );
    });
}

#[test]
fn a_line_for_a_prompt_asks_only_where_it_is_told_to() {
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        let short = ["status", "--short"];
        world.run(&short).code(14).stdout("");
        world
            .run(&[&short[..], &["--live"]].concat())
            .code(0)
            .stdout("alice open 66% 3d 11h\n")
            .stderr("");
        let pattern = ["status", "--format", "{5h_left} {age}", "--live"];
        world.run(&pattern).code(0).stdout("88% now\n").stderr("");
        world.run(&["cooldown", "--live"]).code(0);
        world
            .run(&short)
            .code(0)
            .stdout("alice open 66% 3d 11h\n")
            .stderr("");
    });
}

#[test]
fn weekly_as_primary() {
    with(test_name!(), NEWEST, |world| {
        world.set(|alice| {
            alice.primary = Some(world.weekly());
            alice.secondary = Some(world.five_hours());
        });
        world.shows(&world.usual());
    });
}

#[test]
fn weekly_alone_as_text() {
    with(test_name!(), NEWEST, |world| {
        world.set(|alice| {
            alice.primary = Some(world.weekly());
            alice.secondary = None;
            alice.usage_plan = Some("pro");
        });
        let mut answer = world.answer(
            world.weekly(),
            "running",
            &[limit("Weekly limit", world.weekly())],
        );
        // What usage says is newer than the login.
        answer["plan_type"] = json!("pro");
        world.shows(&answer);
        let reset = world.weekly().resets_at;
        world.run(&["status"]).code(0).stderr("").stdout(&format!(
            "account  alice@example.com (pro)\nwindow   {} to {}, running\nleft     66%\nresets   {} (in 3d 11h)\n\
             archive  {}\n",
            at(reset - WEEK_SECONDS),
            at(reset),
            at(reset),
            name_of(reset, &world.alice)
        ));
    });
}

#[test]
fn a_monthly_window_alone_is_no_weekly_one() {
    with(test_name!(), NEWEST, |world| {
        let monthly = window(MONTH, 40, world.now + 900_000);
        world.set(|alice| {
            alice.primary = Some(monthly);
            alice.secondary = None;
        });
        let mut answer = world.answer(monthly, "unknown", &[limit("Monthly limit", monthly)]);
        for key in [
            "reset_at",
            "session_start_at",
            "quota_percent_left",
            "archive_name",
        ] {
            answer[key] = Value::Null;
        }
        world.shows(&answer);
    });
}

#[test]
fn without_any_window() {
    with(test_name!(), NEWEST, |world| {
        world.set(|alice| {
            alice.primary = None;
            alice.secondary = None;
        });
        let mut answer = world.answer(world.weekly(), "unknown", &[]);
        for key in [
            "reset_at",
            "session_start_at",
            "quota_percent_left",
            "archive_name",
        ] {
            answer[key] = Value::Null;
        }
        world.shows(&answer);
    });
}

#[test]
fn the_limits_of_models_stand_behind() {
    with(test_name!(), NEWEST, |world| {
        let of_model = window(WEEK, 97, world.now + 60_000);
        let short = window(FIVE_HOURS, 50, world.now + 600);
        world.set(|alice| {
            alice.additional = vec![Bucket {
                id: "codex_spark",
                name: "Spark",
                primary: Some(short),
                secondary: Some(of_model),
            }];
        });
        let limits = [
            limit("Weekly limit", world.weekly()),
            limit("5h limit", world.five_hours()),
            limit("Spark 5h limit", short),
            limit("Spark Weekly limit", of_model),
        ];
        world.shows(&world.answer(world.weekly(), "running", &limits));
    });
}

#[test]
fn exhausted_and_not_yet_begun() {
    with(test_name!(), NEWEST, |world| {
        for (used, away, state) in [
            (100, 60, "running"),
            (0, WEEK_SECONDS, "unstarted"),
            (0, WEEK_SECONDS - 3600, "running"),
        ] {
            let weekly = window(WEEK, used, world.now + away);
            world.set(|alice| alice.secondary = Some(weekly));
            let limits = [
                limit("Weekly limit", weekly),
                limit("5h limit", world.five_hours()),
            ];
            world.shows(&world.answer(weekly, state, &limits));
        }
    });
}

#[test]
fn credits_do_not_matter() {
    with(test_name!(), NEWEST, |world| {
        world.set(|alice| {
            alice.credits = json!({"has_credits": true, "unlimited": false, "balance": "42"});
        });
        world.shows(&world.usual());
    });
}

#[test]
fn a_login_that_was_taken_back_is_renewed() {
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        let before = world.login();
        world.chatgpt.revoke(&world.alice);
        let ran = world.run_renewing(&STATUS).code(0).stderr(RENEWED);
        assert_eq!(ran.json(), world.usual());
        assert_ne!(world.login(), before);
        // Codex may renew it by itself as well, for the account's own answer.
        let renewals = world.chatgpt.count("/oauth/token");
        assert!((1..=2).contains(&renewals), "renewed {renewals} times");
        world.shows(&world.usual());
        assert_eq!(world.chatgpt.count("/oauth/token"), renewals);
    });
}

#[test]
fn the_older_one_renews_a_login_that_was_taken_back() {
    with(test_name!(), OLDER, |world| {
        world.set(|_| {});
        let before = world.login();
        world.chatgpt.revoke(&world.alice);
        let ran = world.run_renewing(&STATUS).code(0).stderr(RENEWED);
        assert_eq!(ran.json(), world.usual());
        assert_ne!(world.login(), before);
    });
}

#[test]
fn an_account_that_chatgpt_does_not_confirm() {
    with(test_name!(), NEWEST, |world| {
        world.set(|alice| alice.check_status = 503);
        world.shows(&world.usual());
    });
}

#[test]
fn chatgpt_cannot_be_reached() {
    with(test_name!(), NEWEST, |world| {
        let config = world.env.read(".codex/config.toml");
        let (_, rest) = config.split_once('\n').expect("lines");
        let config = format!("chatgpt_base_url = \"http://127.0.0.1:1/backend-api\"\n{rest}");
        world.env.write(".codex/config.toml", &config);
        world.refuses("codex cannot reach ChatGPT");
    });
}

#[test]
fn an_expired_login_is_renewed() {
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        world
            .chatgpt
            .sign_in(&world.env, &world.alice, Login::Expired);
        let before = world.login();
        let ran = world.run_renewing(&STATUS).code(0).stderr(RENEWED);
        assert_eq!(ran.json(), world.usual());
        assert_ne!(world.login(), before);
        world.shows(&world.usual());
    });
}

#[test]
fn a_used_refresh_token_matters_when_the_login_has_expired() {
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        world
            .chatgpt
            .sign_in(&world.env, &world.alice, Login::RefreshUsed);
        world.shows(&world.usual());
        world.chatgpt.sign_in(&world.env, &world.alice, Login::Dead);
        world.refuses(
            "the login has expired and cannot be renewed: its refresh token was used, revoked or has expired",
        );
        let refused = world.chatgpt.log();
        assert!(
            refused
                .iter()
                .any(|asked| asked.refused == Some("refresh_token_reused"))
        );
    });
}

#[test]
fn what_chatgpt_refuses_is_told_without_its_words() {
    with(test_name!(), NEWEST, |world| {
        for (status, message) in [
            (500, "ChatGPT failed with 500"),
            (503, "ChatGPT failed with 503"),
            (
                403,
                "ChatGPT refuses to tell the limits of this account: 403 Forbidden",
            ),
            (429, "ChatGPT was asked too often: 429 Too Many Requests"),
        ] {
            world.set(|alice| {
                alice.usage_status = status;
                // An answer may quote the login it was given.
                alice.usage_body = json!({"detail": format!("made up, rt_{SECRET}_1")});
            });
            world.refuses(message);
        }
        world.set(|_| {});
        world.shows(&world.usual());
    });
}

#[test]
fn slow_is_waited_for_until_the_limit() {
    with(test_name!(), NEWEST, |world| {
        world.set(|alice| alice.usage_delay = Duration::from_millis(700));
        world.shows(&world.usual());
        world.set(|alice| alice.usage_delay = Duration::from_mins(1));
        let args = [&STATUS[..], &["--status-timeout", "1"]].concat();
        let ran = world.run(&args).code(14).stdout("");
        assert_eq!(json_error(&ran).0, "no-status");
    });
}

/// The service takes the old refresh token back when it is asked for a new one; whoever ends Codex before the answer
/// has lost the login.
fn a_renewal_is_waited_for(name: &str, prepare: impl FnOnce(&World)) {
    with(name, NEWEST, |world| {
        world.set(|alice| alice.refresh_delay = Duration::from_secs(6));
        prepare(world);
        let before = world.login();
        let args = [&STATUS[..], &["--status-timeout", "1"]].concat();
        // A busy machine may take the whole second for less than that.
        while world.chatgpt.count("/oauth/token") == 0 {
            world.run_renewing(&args);
        }
        assert!(world.login() != before, "the login was lost");
        world.set(|_| {});
        world.shows(&world.usual());
    });
}

#[test]
fn a_slow_renewal_of_an_expired_login_is_waited_for() {
    a_renewal_is_waited_for(test_name!(), |world| {
        world
            .chatgpt
            .sign_in(&world.env, &world.alice, Login::Expired);
    });
}

#[test]
fn a_slow_renewal_of_a_login_taken_back_is_waited_for() {
    a_renewal_is_waited_for(test_name!(), |world| {
        world.chatgpt.revoke(&world.alice);
    });
}

/// What Codex does about a 401 while it reads the account, nobody sees from outside.
#[test]
fn a_slow_renewal_that_nobody_asked_for_is_waited_for() {
    a_renewal_is_waited_for(test_name!(), |world| {
        world.set(|alice| {
            alice.refresh_delay = Duration::from_secs(6);
            alice.usage_delay = Duration::from_secs(7);
        });
        world.chatgpt.revoke(&world.alice);
    });
}

#[test]
fn a_signal_ends_codex_too() {
    with(test_name!(), NEWEST, |world| {
        world.set(|alice| alice.usage_delay = Duration::from_mins(1));
        let mut command = world.command(&STATUS);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        // Once Codex has asked.
        while world.chatgpt.count("/usage") == 0 {
            assert!(child.try_wait().expect("waits").is_none(), "did not ask");
            std::thread::sleep(Duration::from_millis(10));
        }
        let id = i32::try_from(child.id()).expect("an id");
        let id = rustix::process::Pid::from_raw(id).expect("an id");
        rustix::process::kill_process(id, rustix::process::Signal::INT).expect("sends");
        let output = child.wait_with_output().expect("ends");
        assert_eq!((output.status.code(), output.stdout), (Some(130), vec![]));
        leftovers::none(&world.env);
    });
}

#[test]
fn an_api_key_has_no_window() {
    with(test_name!(), NEWEST, |world| {
        world.chatgpt.sign_in_with_key(&world.env);
        world.refuses("the login is an API key, which has no weekly window");
        assert_eq!(world.chatgpt.count("/usage"), 0);
    });
}

#[test]
fn nobody_is_signed_in() {
    with(test_name!(), NEWEST, |world| {
        std::fs::remove_file(world.env.path(".codex/auth.json")).expect("removes");
        world.refuses("nobody is signed in: `~/.codex/auth.json` does not exist");
        assert_eq!(world.chatgpt.count("/usage"), 0);
    });
}

#[test]
fn another_login_in_the_environment_is_not_asked() {
    with(test_name!(), NEWEST, |world| {
        let bob = Person::named("bob");
        world.set(|_| {});
        world.chatgpt.set(Account {
            primary: Some(window(WEEK, 99, world.now + 1000)),
            ..Account::of(&bob)
        });
        let token = world.chatgpt.access_token(&bob);
        for name in ["CODEX_ACCESS_TOKEN", "CODEX_API_KEY", "OPENAI_API_KEY"] {
            let mut command = world.command(&STATUS);
            command.env(name, &token);
            let ran = world.env.ran(&mut command, &STATUS).code(0).stderr("");
            assert_eq!(ran.json(), world.usual(), "{name}");
            leftovers::none(&world.env);
        }
    });
}

#[test]
fn a_codex_home_elsewhere() {
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        let elsewhere = world.env.path("my codex");
        std::fs::rename(world.env.path(".codex"), &elsewhere).expect("moves");
        let mut command = world.command(&STATUS);
        command.env("CODEX_HOME", &elsewhere);
        let ran = world.env.ran(&mut command, &STATUS).code(0).stderr("");
        assert_eq!(ran.json(), world.usual());
        assert!(!world.env.path(".codex").exists());
        leftovers::none(&world.env);
    });
}

#[test]
fn by_way_of_npm() {
    with_codex(test_name!(), NEWEST, Codex::launcher_path, |world| {
        world.set(|_| {});
        world.shows(&world.usual());
        world.set(|alice| alice.usage_delay = Duration::from_mins(1));
        let args = [&STATUS[..], &["--status-timeout", "1"]].concat();
        world.run(&args).code(14).stdout("");
    });
}

#[test]
fn a_codex_that_is_named() {
    let nothing = |_: &Codex, _: &Env| "/nowhere".to_owned();
    with_codex(test_name!(), NEWEST, nothing, |world| {
        world.set(|_| {});
        world.refuses("codex is not installed: there is no `codex` on PATH");
        let codex = codex(NEWEST).expect("installed");
        let native = codex.native.to_str().expect("a name");
        let args = [&STATUS[..], &["--codex-command", native]].concat();
        assert_eq!(world.run(&args).code(0).stderr("").json(), world.usual());
        let node = codex.node.join("node");
        let line = format!("{} {}", node.display(), codex.launcher.display());
        let args = [&STATUS[..], &["--codex-command", &line]].concat();
        assert_eq!(world.run(&args).code(0).stderr("").json(), world.usual());
    });
}

/// What releases before the newest can tell is the same; not all name the account.
fn an_older_one(name: &str, version: &str) {
    with(name, version, |world| {
        world.set(|_| {});
        world.shows(&world.usual());
        world.set(|alice| {
            alice.primary = Some(world.weekly());
            alice.secondary = None;
        });
        let limits = [limit("Weekly limit", world.weekly())];
        world.shows(&world.answer(world.weekly(), "running", &limits));
        world.set(|alice| alice.usage_status = 500);
        world.refuses("ChatGPT failed with 500");
        world.set(|_| {});
        let ran = world.run(&["backup", "--json"]).code(0).stderr("");
        let snapshot = &ran.json()["snapshot"];
        assert_eq!(snapshot["email"], "alice@example.com");
        assert_eq!(snapshot["codex_version"], version);
        assert_eq!(
            snapshot["archive_name"],
            name_of(world.weekly().resets_at, &world.alice)
        );
    });
}

#[test]
fn the_older_one() {
    an_older_one(test_name!(), OLDER);
}

#[test]
fn the_oldest_one() {
    an_older_one(test_name!(), OLDEST);
}

#[test]
fn a_backup_needs_no_flags() {
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        let reset = world.weekly().resets_at;
        let named = name_of(reset, &world.alice);
        world.run(&["backup"]).code(0).stderr("");
        let backups = || {
            let mut all = world.env.files(".codex-manager/backups");
            all.retain(|file| file.ends_with(".tar.gz"));
            all
        };
        assert_eq!(backups(), [named.as_str()]);
        let sidecar = named.replace(".tar.gz", ".metadata.json");
        let sidecar = world.env.read(&format!(".codex-manager/backups/{sidecar}"));
        let sidecar: Value = serde_json::from_str(&sidecar).expect("JSON");
        let keys = [
            "email",
            "status_source",
            "session_start_at",
            "reset_at",
            "quota_percent_left",
            "quota_text",
            "observed_at",
        ];
        assert_eq!(
            json!(keys.map(|key| &sidecar[key])),
            json!([
                "alice@example.com",
                "app-server",
                at(reset - WEEK_SECONDS),
                at(reset),
                66,
                null,
                at(world.now)
            ])
        );

        // Somebody else signs in.
        let bob = Person::named("bob");
        let weekly = window(WEEK, 5, world.now + 500_000);
        world.chatgpt.set(Account {
            primary: Some(weekly),
            ..Account::of(&bob)
        });
        world.chatgpt.sign_in(&world.env, &bob, Login::Valid);
        world.run(&["backup"]).code(0).stderr("");
        let mut both = [named, name_of(weekly.resets_at, &bob)];
        both.sort();
        assert_eq!(backups(), both);
    });
}

#[test]
fn a_backup_after_a_renewal_holds_the_new_login() {
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        world
            .chatgpt
            .sign_in(&world.env, &world.alice, Login::Expired);
        let before = world.login();
        let ran = world.run_renewing(&["backup"]).code(0);
        assert!(ran.stderr.starts_with("warning: the login was renewed: "));
        let renewed = world.login();
        assert_ne!(renewed, before);
        world.env.write(".codex/auth.json", "{}");
        world
            .run_renewing(&["restore", "alice@example.com", "--yes"])
            .code(0);
        assert_eq!(world.login(), renewed);
    });
}

#[test]
fn no_news_is_not_the_end_of_a_window() {
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        world.run(&["backup"]).code(0);
        let kept = || {
            let registry = world.env.read(".codex-manager/cooldown.json");
            (world.env.files(".codex-manager/backups"), registry)
        };
        let before = kept();
        world.set(|alice| {
            alice.primary = None;
            alice.secondary = None;
        });
        let ran = world.run(&["backup", "--json"]).code(14).stdout("");
        assert_eq!(json_error(&ran).0, "no-status");
        assert_eq!(kept(), before);
    });
}

#[test]
fn without_a_status_nothing_is_backed_up() {
    with(test_name!(), NEWEST, |world| {
        world.set(|alice| alice.usage_status = 500);
        let ran = world.run(&["backup", "--json"]).code(14).stdout("");
        assert_eq!(json_error(&ran).1, "ChatGPT failed with 500");
        assert!(!world.env.path(".codex-manager/backups").exists());
        world.set(|alice| {
            alice.primary = Some(window(MONTH, 40, world.now + 900_000));
            alice.secondary = None;
        });
        // An account without a weekly window is one too.
        let ran = world.run(&["backup", "--json"]).code(0).stderr("");
        let snapshot = &ran.json()["snapshot"];
        assert_eq!(snapshot["session_start_at"], Value::Null);
        assert_eq!(snapshot["window_state"], "unknown");
        let made = local(world.now).format("%Y-%m-%d-%H%M%S");
        assert_eq!(
            snapshot["archive_name"],
            format!("{made}-alice@example.com-codex.tar.gz")
        );
    });
}

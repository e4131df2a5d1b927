//! `status --status-source panel`: the real Codex's status panel in a terminal of the program's own, and Codexes that
//! show what a real one shows at the wrong moment.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::chatgpt::Login;
use crate::common::{Env, Person, Ran};
use crate::leftovers;
use crate::live::{RENEWED, World, limit, window, with, with_codex};
use crate::loopback::test_name;
use crate::real_codex::{Codex, NEWEST, OLDER, OLDEST, codex};
use crate::worlds::json_error;

const PANEL: [&str; 4] = ["status", "--json", "--status-source", "panel"];

/// A model that 0.118 knows: it asks about others.
const KNOWN_TO_OLDER: &str = "model = \"gpt-5.4\"\n";

/// The panel shows minutes.
fn to_the_minute(seconds: i64) -> i64 {
    seconds.div_euclid(60) * 60
}

/// The answer for alice with the windows of [`World::set`], as a panel has it.
fn usual(world: &World) -> Value {
    let weekly = world.weekly();
    let weekly = window(weekly.minutes, weekly.used, to_the_minute(weekly.resets_at));
    let five_hours = world.five_hours();
    let five_hours = window(
        five_hours.minutes,
        five_hours.used,
        to_the_minute(five_hours.resets_at),
    );
    let limits = [limit("Weekly limit", weekly), limit("5h limit", five_hours)];
    let mut answer = world.answer(weekly, "running", &limits);
    answer["status_source"] = json!("panel");
    answer
}

/// Its JSON; the row's own text must say the same.
#[track_caller]
fn shown(ran: Ran) -> Value {
    told(ran.stderr(""))
}

/// Its JSON, whatever was warned of.
#[track_caller]
fn told(ran: Ran) -> Value {
    let mut answer = ran.code(0).json();
    let row = answer["quota_text"].take();
    let is_whole = |row: &str| {
        // The clock of the C locale.
        row.contains("66% left (resets ") && !row.contains("AM") && !row.contains("PM")
    };
    assert!(row.as_str().is_some_and(is_whole), "{row}");
    answer
}

#[track_caller]
fn refused(ran: &Ran) -> String {
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(14), ""),
        "{}",
        ran.stderr
    );
    let (kind, told, hint) = json_error(ran);
    assert_eq!(kind, "no-status");
    assert!(!hint.is_empty());
    told
}

/// Puts this before the rest of Codex's settings.
fn configure(world: &World, first: &str) {
    let config = world.env.read(".codex/config.toml");
    world
        .env
        .write(".codex/config.toml", &format!("{first}{config}"));
}

/// Codex's session files.
fn sessions(world: &World) -> Vec<String> {
    let mut files = world.env.files(".codex");
    files.retain(|path| path.contains("rollout-"));
    files
}

#[test]
fn the_newest_shows_it() {
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        assert_eq!(shown(world.run(&PANEL)), usual(world));
        assert_eq!(shown(world.run(&PANEL)), usual(world));
        assert_eq!(sessions(world), [""; 0]);
        // It was left as a person leaves it: what marks a running one is gone.
        let mut locks = world.env.files(".codex/thread-writer-locks");
        locks.retain(|path| !path.ends_with(".coordination.lock"));
        assert_eq!(locks, [""; 0]);
    });
}

#[test]
fn the_older_shows_it() {
    with(test_name!(), OLDER, |world| {
        world.set(|_| {});
        configure(world, KNOWN_TO_OLDER);
        assert_eq!(shown(world.run(&PANEL)), usual(world));
        assert_eq!(sessions(world), [""; 0]);
    });
}

#[test]
fn npms_launcher_shows_it() {
    with_codex(test_name!(), NEWEST, Codex::launcher_path, |world| {
        world.set(|_| {});
        assert_eq!(shown(world.run(&PANEL)), usual(world));
    });
}

#[test]
fn the_oldest_shows_none_before_its_first_message() {
    with(test_name!(), OLDEST, |world| {
        world.set(|_| {});
        let args = [&PANEL[..], &["--status-timeout", "2"]].concat();
        assert_eq!(
            refused(&world.run(&args)),
            "codex did not show the weekly limit within 2 s and was ended: codex says \"data not available yet\""
        );
        assert_eq!(
            refused(&world.run(&PANEL)),
            "codex was asked 3 times and has no limits to show: codex says \"data not available yet\""
        );
        assert_eq!(sessions(world), [""; 0]);
    });
}

#[test]
fn tool_servers_are_not_started() {
    with(test_name!(), OLDER, |world| {
        world.set(|_| {});
        configure(world, KNOWN_TO_OLDER);
        let started = world.env.path("started");
        let config = format!(
            "{}\n[mcp_servers.a-tool]\ncommand = \"/bin/sh\"\nargs = [\"-c\", \": > '{}'\"]\n",
            world.env.read(".codex/config.toml"),
            started.display()
        );
        world.env.write(".codex/config.toml", &config);
        assert_eq!(shown(world.run(&PANEL)), usual(world));
        assert!(!started.exists());
    });
}

#[test]
fn settings_of_the_terminal_interface_do_not_matter() {
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        let config = world.env.read(".codex/config.toml");
        let tui =
            "\n[tui]\nvim_mode_default = true\nfullscreen_transcript = false\nstatus_line = []\n";
        world
            .env
            .write(".codex/config.toml", &format!("{config}{tui}"));
        assert_eq!(shown(world.run(&PANEL)), usual(world));
    });
}

#[test]
fn a_login_in_the_environment_is_another_one() {
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        let mut command = world.command(&PANEL);
        let bob = world.chatgpt.access_token(&Person::named("bob"));
        command.env("CODEX_ACCESS_TOKEN", bob);
        assert_eq!(shown(world.env.ran(&mut command, &PANEL)), usual(world));
    });
}

#[test]
fn a_slow_start_is_waited_for() {
    with(test_name!(), NEWEST, |world| {
        world.set(|alice| alice.refresh_delay = Duration::from_secs(2));
        world
            .chatgpt
            .sign_in(&world.env, &world.alice, Login::Expired);
        let ran = world.run_renewing(&PANEL).stderr(RENEWED);
        assert_eq!(told(ran), usual(world));
    });
}

#[test]
fn no_limits_are_told() {
    with(test_name!(), NEWEST, |world| {
        world.set(|alice| (alice.primary, alice.secondary) = (None, None));
        assert_eq!(
            refused(&world.run(&PANEL)),
            "no live status in codex's status panel: codex says \"not available for this account\""
        );
    });
}

#[test]
fn limits_that_come_late_are_asked_for_anew() {
    with(test_name!(), NEWEST, |world| {
        world.set(|alice| alice.usage_delay = Duration::from_secs(2));
        assert_eq!(shown(world.run(&PANEL)), usual(world));
    });
}

#[test]
fn a_dead_login_is_told_and_nothing_is_chosen() {
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        world.chatgpt.sign_in(&world.env, &world.alice, Login::Dead);
        assert_eq!(
            refused(&world.run(&PANEL)),
            "codex asks to sign in: nobody is logged in, or the login is no longer valid"
        );
    });
}

#[test]
fn a_question_about_the_model_is_not_answered() {
    with(test_name!(), OLDER, |world| {
        world.set(|_| {});
        configure(world, "model = \"gpt-5.1-codex\"\n");
        assert_eq!(
            refused(&world.run(&PANEL)),
            "codex asks which model to go on with, which only a person may answer"
        );
    });
}

#[test]
fn a_renewal_of_the_login_is_never_cut_off() {
    for (name, version) in [("newest", NEWEST), ("older", OLDER)] {
        with(test_name!(), version, |world| {
            world.set(|alice| alice.refresh_delay = Duration::from_secs(3));
            configure(world, KNOWN_TO_OLDER);
            world
                .chatgpt
                .sign_in(&world.env, &world.alice, Login::Expired);
            let before = world.login();
            let args = [&PANEL[..], &["--status-timeout", "1"]].concat();
            refused(&world.run_renewing(&args));
            assert_ne!(world.login(), before, "{name}");
            // What was kept is good.
            world.set(|_| {});
            configure(world, KNOWN_TO_OLDER);
            if version == OLDER {
                assert_eq!(shown(world.run(&PANEL)), usual(world), "{name}");
            }
        });
    }
}

#[test]
fn offline_is_told() {
    with(test_name!(), NEWEST, |world| {
        world.set(|alice| alice.check_status = 500);
        let told = refused(&world.run(&PANEL));
        assert!(
            told.starts_with(
                "codex ended with exit code 1 before it showed its status: account/read failed"
            ),
            "{told}"
        );
    });
}

#[test]
fn a_signal_ends_it_all() {
    with(test_name!(), NEWEST, |world| {
        world.set(|alice| alice.usage_delay = Duration::from_mins(1));
        let mut command = world.command(&PANEL);
        let mut child = command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("starts");
        std::thread::sleep(Duration::from_millis(700));
        let id = i32::try_from(child.id()).expect("an id");
        let id = rustix::process::Pid::from_raw(id).expect("an id");
        // For all that is seen it may be renewing the login; who asks twice does not wait for that.
        for _ in 0..2 {
            rustix::process::kill_process(id, rustix::process::Signal::INT).expect("is told");
            // Two at once are one.
            std::thread::sleep(Duration::from_millis(1200));
        }
        assert_eq!(child.wait().expect("ends").code(), Some(130));
        leftovers::none(&world.env);
    });
}

/// A Codex without an app-server in front of a real one: anything else is passed on as `then` says.
fn without_app_server(world: &World, then: &str) -> String {
    let bin = world.env.path("old");
    let script = world.env.write(
        "old/codex",
        &format!(
            "#!/bin/sh\nif [ \"$1\" = app-server ]; then\n  echo \"error: unrecognized subcommand 'app-server'\" >&2\n  exit 2\nfi\n{then}\n"
        ),
    );
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("sets");
    bin.display().to_string()
}

#[test]
fn the_panel_is_asked_where_there_is_no_app_server() {
    let native = codex(NEWEST).map(|codex| codex.native.display().to_string());
    with(test_name!(), NEWEST, |world| {
        world.set(|_| {});
        let native = native.expect("installed");
        let old = without_app_server(world, &format!("exec '{native}' \"$@\""));
        let auto = ["status", "--json"];
        let mut command = world.command(&auto);
        command.env("PATH", &old);
        assert_eq!(shown(world.env.ran(&mut command, &auto)), usual(world));
        let alone = ["status", "--json", "--status-source", "app-server"];
        let mut command = world.command(&alone);
        command.env("PATH", &old);
        assert_eq!(
            refused(&world.env.ran(&mut command, &alone)),
            "this Codex is too old: its app-server cannot say what is left of an account"
        );
        // Where neither answers, both reasons are told.
        let old = without_app_server(world, "echo 'Error: made up' >&2; exit 3");
        let mut command = world.command(&auto);
        command.env("PATH", &old);
        assert_eq!(
            refused(&world.env.ran(&mut command, &auto)),
            "no live status: app-server: this Codex is too old: its app-server cannot say what is left of an account; \
             panel: codex ended with exit code 3 before it showed its status: made up"
        );
        leftovers::none(&world.env);
    });
}

/// Screens of real ones.
const TRUST: &str = include_str!("../../fixtures/status/screens/0.118-trust.txt");
const UPDATE: &str = include_str!("../../fixtures/status/screens/0.169-update.txt");
const SIGN_IN: &str = include_str!("../../fixtures/status/screens/0.169-sign-in.txt");
const PROMPT: &str = "  >_ OpenAI Codex (v0.169.0)\n\n› ▮\n";

/// A Codex in shell script: it shows screens, each after so many bytes were typed; all that is typed is kept.
struct Staged {
    env: Env,
}

impl Staged {
    /// It shows `first`, and `then` as soon as something is typed.
    fn of(first: &str, then: &str) -> Self {
        Self::showing(&[(0, first), (1, then)])
    }

    fn showing(screens: &[(usize, &str)]) -> Self {
        let env = Env::new();
        env.codex_home(&Person {
            last_refresh: chrono::Utc::now().to_rfc3339(),
            ..Person::named("alice")
        });
        let bin = env.beside_home("bin");
        fs::create_dir_all(&bin).expect("makes");
        let home = env.home().display().to_string();
        // The login is renewed already: nobody has to wait for that.
        let renewed = "echo >> .codex/auth.json";
        let mut script = format!("#!/bin/sh\ncd '{home}'\nstty raw -echo\n{renewed}\n");
        for (place, (typed, screen)) in screens.iter().enumerate() {
            env.write(&format!("screen-{place}"), &on_screen(screen));
            script.push_str(&format!(
                "dd bs=1 count={typed} 2>/dev/null >> typed\ncat screen-{place}\n"
            ));
        }
        script.push_str("exec cat >> typed\n");
        let codex = bin.join("codex");
        fs::write(&codex, script).expect("writes");
        fs::set_permissions(&codex, fs::Permissions::from_mode(0o755)).expect("sets");
        Self { env }
    }

    /// Runs the program; what it says, and what it typed.
    #[track_caller]
    fn asked(&self) -> (String, String) {
        let (ran, typed) = self.ran("3");
        (refused(&ran), typed)
    }

    #[track_caller]
    fn ran(&self, seconds: &str) -> (Ran, String) {
        let args = [&PANEL[..], &["--status-timeout", seconds]].concat();
        let mut command = self.env.command(&args);
        let bin = self.env.beside_home("bin").display().to_string();
        command.env("PATH", format!("{bin}:/usr/bin:/bin"));
        let ran = self.env.ran(&mut command, &args);
        leftovers::none(&self.env);
        let typed = self.env.path("typed");
        (ran, fs::read_to_string(typed).unwrap_or_default())
    }
}

/// What a program sends so that a terminal shows this, with the cursor at `▮` or hidden.
fn on_screen(text: &str) -> String {
    let mut sent = String::from("\u{1b}[2J\u{1b}[H\u{1b}[?25l");
    let mut cursor = String::new();
    for (row, line) in text.lines().enumerate() {
        if let Some((before, _)) = line.split_once('▮') {
            let column = before.chars().count() + 1;
            cursor = format!("\u{1b}[{};{column}H\u{1b}[?25h", row + 1);
        }
        sent.push_str(&line.replace('▮', ""));
        sent.push_str("\r\n");
    }
    sent + &cursor
}

#[test]
fn questions_are_never_answered() {
    for (screen, told) in [
        (
            TRUST,
            "codex asks whether a directory is trusted, which only a person may answer",
        ),
        (
            UPDATE,
            "codex offers an update, which only a person may take or skip",
        ),
        (
            SIGN_IN,
            "codex asks to sign in: nobody is logged in, or the login is no longer valid",
        ),
        (
            "  News\n\n› 1. Yes\n  2. No\n",
            "codex asks something at its start, which only a person may answer",
        ),
    ] {
        let staged = Staged::of(screen, "");
        assert_eq!(staged.asked(), (told.to_owned(), String::new()));
        // The same when it comes up under what is typed: Enter would choose.
        let staged = Staged::of(PROMPT, screen);
        assert_eq!(staged.asked(), (told.to_owned(), "/status".to_owned()));
    }
}

#[test]
fn enter_is_pressed_only_where_codex_offers_the_command() {
    let late = "codex did not show its status within 3 s and was ended";
    let other = "codex's prompt holds something that codex-manager did not type; nothing was sent";
    for (screen, told) in [
        ("› /status▮\n", late),
        (
            "› /status▮\n\n  /statusline  configure\n  /status  show\n",
            late,
        ),
        ("› /status of things▮\n\n  /status  show\n", other),
        ("› say /status▮\n", other),
    ] {
        let (said, typed) = Staged::of(PROMPT, screen).asked();
        assert_eq!(
            (said.as_str(), typed.as_str()),
            (told, "/status"),
            "{screen}"
        );
    }
    // A prompt with a draft in it is left alone, and so is one that still loads.
    let draft = Staged::of("› a draft▮\n", "").asked();
    assert_eq!(draft, (other.to_owned(), String::new()));
    let loading = Staged::of("     loading\n› ▮\n", "").asked();
    // Ctrl-D is no answer to anything, and not a prompt.
    assert_eq!(loading, (late.to_owned(), "\u{4}".to_owned()));
    // Offered, it is run; then the prompt must be empty again.
    let offered = Staged::of(PROMPT, "› /status▮\n\n  /status  show\n").asked();
    assert_eq!(offered, (late.to_owned(), "/status\r".to_owned()));
}

#[test]
fn a_panel_from_before_the_session_is_asked_for_anew() {
    const OFFERED: &str = "› /status▮\n\n  /status  show\n";
    const EARLY: &str = include_str!("../../fixtures/status/screens/0.169-early-panel.txt");
    let alice = Person::named("alice");
    let panel = format!("/status\n\n{}\n\n› ▮\n", alice.panel(66, "10:25 on 21 Apr"));
    let screens = [
        (0, PROMPT),
        (1, OFFERED),
        (7, EARLY),
        (1, OFFERED),
        (7, &panel),
    ];
    let (ran, typed) = Staged::showing(&screens).ran("20");
    assert_eq!(shown(ran)["email"], "alice@example.com");
    assert_eq!(typed, "/status\r/status\r\u{4}");
    // One that never has it is taken in the end.
    let screens = [
        (0, PROMPT),
        (1, OFFERED),
        (7, EARLY),
        (1, OFFERED),
        (7, EARLY),
        (1, OFFERED),
        (7, EARLY),
    ];
    let (ran, typed) = Staged::showing(&screens).ran("20");
    assert_eq!(ran.code(0).json()["quota_percent_left"], 66);
    assert_eq!(typed, format!("{}\u{4}", "/status\r".repeat(3)));
}

#[test]
fn what_codex_still_fetches_is_asked_for_anew() {
    const OFFERED: &str = "› /status▮\n\n  /status  show\n";
    const FETCHED: &str = "/status\n\n  >_ OpenAI Codex (v0.169.0)\n\n  Account:  alice@example.com (Plus)\n  \
                           Limits:   refresh requested; run /status again shortly.\n\n› ▮\n";
    let alice = Person::named("alice");
    let panel = format!("/status\n\n{}\n\n› ▮\n", alice.panel(66, "10:25 on 21 Apr"));
    let staged = Staged::showing(&[
        (0, PROMPT),
        (1, OFFERED),
        (7, FETCHED),
        (1, OFFERED),
        (7, &panel),
    ]);
    let began = Instant::now();
    let (ran, typed) = staged.ran("20");
    // Printed in UTC, shown in the zone of the person.
    assert_eq!(shown(ran)["reset_at"], "2026-04-21T15:55:00+05:30");
    assert_eq!(typed, "/status\r/status\r\u{4}");
    assert!(began.elapsed() >= Duration::from_secs(3));

    // Not before the time is up, and no further.
    let staged = Staged::showing(&[(0, PROMPT), (1, OFFERED), (7, FETCHED)]);
    let (told, typed) = staged.asked();
    assert_eq!(
        told,
        "codex did not show the weekly limit within 3 s and was ended: codex says \"refresh requested; run /status again \
         shortly.\""
    );
    assert_eq!(typed, "/status\r\u{4}");
}

#[test]
fn an_end_is_told_without_a_login() {
    let staged = Staged::of("", "");
    let codex = staged.env.beside_home("bin/codex");
    let token = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln";
    for (script, told) in [
        (
            "echo 'Error: broken'; exit 3",
            "codex ended with exit code 3 before it showed its status: broken",
        ),
        (
            "kill -9 $$",
            "codex ended with a signal before it showed its status",
        ),
    ] {
        fs::write(&codex, format!("#!/bin/sh\n{script}\n")).expect("writes");
        assert_eq!(staged.asked().0, told);
    }
    fs::write(
        &codex,
        format!("#!/bin/sh\necho {token}; echo 'Error: {token} is bad'; exit 1\n"),
    )
    .expect("writes");
    let told = staged.asked().0;
    assert!(told.ends_with(": [hidden] is bad"), "{told}");
}

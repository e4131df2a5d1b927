//! `--live --all`: the real Codex asked about every account whose login is kept, against the ChatGPT of the tests, where a
//! refresh token works once. No login is lost, whatever ends when.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::chatgpt::{Account, Login, WEEK};
use crate::common::{Person, Ran, SECRET};
use crate::leftovers;
use crate::live::{RENEWED, World, at, window, with};
use crate::loopback::test_name;
use crate::real_codex::NEWEST;

const ALL: [&str; 4] = ["cooldown", "--live", "--all", "--json"];
/// A command that takes the lock, and says nothing.
const SET: [&str; 5] = ["config", "set", "color", "never", "--quiet"];
const POLL: Duration = Duration::from_millis(10);

fn auth_of(name: &str) -> String {
    format!(".codex-manager/profiles/{name}/auth.json")
}

impl World {
    /// This person has an account with that much used of their week.
    fn knows(&self, person: &Person, used: i32) {
        self.knows_with(person, used, |_| {});
    }

    fn knows_with(&self, person: &Person, used: i32, change: impl FnOnce(&mut Account)) {
        let mut account = Account {
            primary: Some(window(WEEK, used, self.now + 300_000)),
            ..Account::of(person)
        };
        change(&mut account);
        self.chatgpt.set(account);
    }

    /// A profile of that name keeps their login, and nobody else has it.
    fn keeps(&self, name: &str, person: &Person, login: Login) {
        let signed_in = self.login();
        self.chatgpt.sign_in(&self.env, person, login);
        let theirs = self.env.read(".codex/auth.json");
        self.put(&auth_of(name), &theirs);
        match signed_in {
            Some(text) => self.put(".codex/auth.json", &text),
            None => fs::remove_file(self.env.path(".codex/auth.json")).expect("removes"),
        }
        let profile = format!(
            "email = \"{}\"\naccount_id = \"{}\"\nuser_id = \"{}\"\nplan_type = \"plus\"\n",
            person.email, person.workspace, person.user
        );
        let path = format!(".codex-manager/profiles/{name}/profile.toml");
        self.env.write(&path, &profile);
    }

    fn put(&self, below: &str, text: &str) {
        let path = self.env.write(below, text);
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("sets");
    }

    /// Homes of our own that are there.
    fn homes(&self) -> Vec<String> {
        let homes = fs::read_dir(self.env.path(".codex-manager/tmp"));
        let homes = homes.into_iter().flatten().flatten();
        homes
            .map(|home| home.file_name().into_string().expect("a name"))
            .collect()
    }

    /// Runs the program; nothing is left of it but what it keeps, and the Codex home is as it was.
    #[track_caller]
    fn asks(&self, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(self.homes(), [""; 0]);
        ran
    }

    /// Starts it.
    fn starts(&self, args: &[&str]) -> Child {
        let mut command: Command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("starts")
    }

    /// Waits until something is so, while that one runs.
    #[track_caller]
    fn until(&self, child: &mut Child, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            assert!(child.try_wait().expect("waits").is_none(), "it has ended");
            std::thread::sleep(POLL);
        }
    }

    /// How often a refresh token was refused.
    fn refused(&self) -> usize {
        let log = self.chatgpt.log();
        log.iter().filter(|asked| asked.refused.is_some()).count()
    }

    /// Checks that what the profile keeps signs in, also once its access token is no good any more.
    #[track_caller]
    fn signs_in(&self, name: &str, person: &Person, used: i32) {
        let theirs = self.env.read(&auth_of(name));
        self.put(".codex/auth.json", &theirs);
        self.chatgpt.revoke(person);
        let ran = self.run_renewing(&["status", "--json"]).code(0);
        assert_eq!(ran.stderr, RENEWED);
        let said = ran.json();
        assert_eq!(
            json!([said["email"], said["quota_percent_left"]]),
            json!([person.email, 100 - used])
        );
    }

    /// Waits until the Codex of a killed run has ended, which it does by itself since nobody asks any more, and removes what
    /// it left for a later run to sweep.
    fn until_codex_ends(&self) {
        while !leftovers::processes(&self.env).is_empty() {
            std::thread::sleep(POLL);
        }
        // A process that ends has no environment any more before it has let go of its files.
        for home in self.homes() {
            let lock = format!(".codex-manager/tmp/{home}/.codex-manager-lock");
            let lock = fs::File::open(self.env.path(&lock)).expect("opens");
            lock.lock().expect("locks");
        }
        fs::remove_dir_all(self.env.beside_home("tmp")).expect("removes");
        fs::create_dir(self.env.beside_home("tmp")).expect("makes");
    }
}

fn send(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id()).expect("an id");
    kill_process(Pid::from_raw(id).expect("an id"), signal).expect("sends");
}

fn people() -> [Person; 2] {
    [Person::named("bob"), Person::named("carol")]
}

/// Of each account in the answer, by email: what was left, when it was seen, and who said so.
fn seen(ran: &Ran) -> Value {
    let answer = ran.json();
    let mut rows: Vec<Value> = answer["accounts"]
        .as_array()
        .expect("accounts")
        .iter()
        .map(|row| {
            json!([
                row["email"],
                row["quota_percent_left"],
                row["observed_at"],
                row["source"]
            ])
        })
        .collect();
    rows.sort_by_key(ToString::to_string);
    Value::Array(rows)
}

fn row(world: &World, person: &Person, used: i32) -> Value {
    json!([person.email, 100 - used, at(world.now), "app-server"])
}

#[test]
fn every_account_is_asked_about_and_what_was_renewed_is_kept() {
    with(test_name!(), NEWEST, |world| {
        let [bob, carol] = people();
        let valid = Person::named("dave");
        for (person, used) in [(&world.alice, 10), (&bob, 20), (&carol, 30), (&valid, 40)] {
            world.knows(person, used);
        }
        world.keeps("bob", &bob, Login::Expired);
        world.keeps("work", &carol, Login::Expired);
        world.keeps("dave", &valid, Login::Valid);
        let before = ["bob", "work", "dave"].map(|name| world.env.read(&auth_of(name)));
        let elsewhere = world.env.path("databases");
        fs::create_dir(&elsewhere).expect("makes");

        let mut command = world.command(&ALL);
        command.env("CODEX_SQLITE_HOME", &elsewhere);
        // Alice is asked about where she is signed in, with the databases where they are.
        let ran = world.env.ran(&mut command, &ALL).code(0).stderr("");
        let all = json!([
            row(world, &world.alice, 10),
            row(world, &bob, 20),
            row(world, &carol, 30),
            row(world, &valid, 40)
        ]);
        assert_eq!(seen(&ran), all);
        assert_eq!(world.homes(), [""; 0]);
        let after = ["bob", "work", "dave"].map(|name| world.env.read(&auth_of(name)));
        assert_eq!(
            [0, 1, 2].map(|place| after[place] == before[place]),
            [false, false, true]
        );
        for name in ["bob", "work", "dave", "alice"] {
            let meta = fs::metadata(world.env.path(&auth_of(name))).expect("stands");
            assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        }
        let renewals = world.chatgpt.count("/oauth/token");
        assert_eq!((renewals, world.refused()), (2, 0));

        // What was kept works, and needs no renewal.
        assert_eq!(seen(&world.asks(&ALL).code(0).stderr("")), all);
        assert_eq!(world.chatgpt.count("/oauth/token"), renewals);
        // A login that the service takes back is renewed too, and told where more is to be told.
        world.chatgpt.revoke(&bob);
        let args = ["recommend", "--live", "--all", "--verbose"];
        let ran = world.asks(&args).code(0);
        assert_eq!(
            ran.stderr,
            "asking about alice@example.com\nasking about bob@example.com\n\
             the login of bob@example.com was renewed, and is kept in the profile `bob`\n\
             asking about dave@example.com\nasking about carol@example.com\n"
        );
        world.signs_in("bob", &bob, 20);
        world.signs_in("work", &carol, 30);
        assert_eq!(world.refused(), 0);
    });
}

#[test]
fn a_home_of_our_own_has_nothing_of_the_persons() {
    with(test_name!(), NEWEST, |world| {
        let [bob, _] = people();
        world.knows_with(&bob, 20, |bob| bob.usage_delay = Duration::from_mins(1));
        fs::remove_file(world.env.path(".codex/auth.json")).expect("removes");
        world.keeps("bob", &bob, Login::Valid);
        let persons =
            "model = \"made-up\"\nforced_login_method = \"api\"\nnotify = [\"/nowhere\"]\n";
        let settings = world.env.read(".codex/config.toml");
        world.put(".codex/config.toml", &format!("{persons}{settings}"));
        let before = world.env.tree(".codex");
        let elsewhere = world.env.path("databases");
        fs::create_dir(&elsewhere).expect("makes");
        let mut command = world.command(&ALL);
        command
            .env("CODEX_SQLITE_HOME", &elsewhere)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        world.until(&mut child, |world| world.chatgpt.count("/usage") > 0);
        let [home] = world.homes().try_into().expect("one home");
        assert!(home.starts_with("probe-bob-"), "{home}");
        let home = format!(".codex-manager/tmp/{home}");
        let mode = |below: &str| {
            let path = world.env.path(&format!("{home}{below}"));
            fs::metadata(path).expect("stands").permissions().mode() & 0o777
        };
        assert_eq!(
            [mode(""), mode("/auth.json"), mode("/config.toml")],
            [0o700, 0o600, 0o600]
        );
        assert_eq!(
            world.env.read(&format!("{home}/auth.json")),
            world.env.read(&auth_of("bob"))
        );
        let settings = world.env.read(&format!("{home}/config.toml"));
        let settings: toml::Table = settings.parse().expect("TOML");
        let keys: Vec<&str> = settings.keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "analytics",
                "chatgpt_base_url",
                "check_for_update_on_startup",
                "cli_auth_credentials_store",
                "features",
                "feedback",
                "openai_base_url"
            ]
        );
        send(&child, Signal::INT);
        assert_eq!(child.wait().expect("ends").code(), Some(130));
        assert_eq!(world.homes(), [""; 0]);
        assert_eq!(fs::read_dir(&elsewhere).expect("lists").count(), 0);
        assert_eq!(world.env.tree(".codex"), before);
        leftovers::none(&world.env);
    });
}

#[test]
fn one_that_fails_does_not_stop_the_rest() {
    with(test_name!(), NEWEST, |world| {
        let [bob, carol] = people();
        for (person, used) in [(&world.alice, 10), (&bob, 20), (&carol, 30)] {
            world.knows(person, used);
        }
        world.keeps("rob", &bob, Login::Dead);
        world.keeps("carol", &carol, Login::Expired);
        world.env.write(&auth_of("odd"), "{}");
        let before = world.env.read(&auth_of("rob"));
        let text = ["cooldown", "--live", "--all", "--limit", "1"];
        let odd = "the kept login `~/.codex-manager/profiles/odd/auth.json` cannot be used: it holds no login";
        let dead = "bob@example.com was not asked about: the login has expired and cannot be renewed: its refresh token \
                    was used, revoked or has expired; sign in again: `codex-manager profile login rob`";
        let ran = world.asks(&text).code(3);
        assert_eq!(ran.stderr, format!("warning: {odd}\nwarning: {dead}\n"));
        assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
        assert_eq!(world.env.read(&auth_of("rob")), before);
        let ran = world.asks(&ALL).code(3);
        let warning = |text: &str| format!("{}\n", json!({"warning": {"message": text}}));
        assert_eq!(ran.stderr, warning(odd) + &warning(dead));
        assert_eq!(
            seen(&ran),
            json!([
                row(world, &world.alice, 10),
                ["bob@example.com", null, null, null],
                row(world, &carol, 30)
            ])
        );
        // Whom to use next is known all the same.
        let ran = world.asks(&["recommend", "--live", "--all"]).code(3);
        assert!(ran.stdout.starts_with("account    "), "{}", ran.stdout);

        // Nobody is left to ask about.
        for name in ["carol", "odd", "alice"] {
            let profile = world.env.path(&format!(".codex-manager/profiles/{name}"));
            fs::remove_dir_all(profile).expect("removes");
        }
        fs::remove_file(world.env.path(".codex/auth.json")).expect("removes");
        let ran = world.asks(&text).code(14).stdout("");
        assert_eq!(
            ran.stderr,
            format!(
                "warning: {dead}\nerror: no account could be asked about\nhint: the warnings say why of each\n"
            )
        );
        fs::remove_dir_all(world.env.path(".codex-manager/profiles")).expect("removes");
        world.asks(&text).code(14).stdout("").stderr(
            "error: there is no account to ask about: no ChatGPT login is kept in a profile, and none is signed in\n\
             hint: sign in with `codex-manager profile login NAME`\n",
        );
    });
}

#[test]
fn keys_and_empty_profiles_are_passed_over() {
    with(test_name!(), NEWEST, |world| {
        world.knows(&world.alice, 10);
        let key = json!({"auth_mode": "apikey", "OPENAI_API_KEY": format!("sk-{SECRET}")});
        world.put(&auth_of("key"), &key.to_string());
        let path = ".codex-manager/profiles/nobody/profile.toml";
        world.env.write(path, "email = \"nobody@example.com\"\n");
        world.asks(&ALL).code(0).stderr("");
        let ran = world
            .asks(&["cooldown", "--live", "--all", "--verbose"])
            .code(0);
        let lines: Vec<&str> = ran.stderr.lines().collect();
        assert_eq!(lines[0], "the profile `nobody` keeps no login");
        assert!(
            lines[1].starts_with("apikey-")
                && lines[1].ends_with(" is no ChatGPT account: it has no weekly window"),
            "{lines:?}"
        );
        assert_eq!(lines[2..], ["asking about alice@example.com"]);
    });
}

#[test]
fn a_dry_run_keeps_a_renewed_login_and_nothing_else() {
    with(test_name!(), NEWEST, |world| {
        let [bob, _] = people();
        world.knows(&world.alice, 10);
        world.knows(&bob, 20);
        world.keeps("bob", &bob, Login::Expired);
        let before = world.env.read(&auth_of("bob"));
        let args = [&ALL[..], &["--dry-run"]].concat();
        let ran = world.asks(&args).code(0).stderr("");
        assert_eq!(
            seen(&ran),
            json!([row(world, &world.alice, 10), row(world, &bob, 20)])
        );
        assert_ne!(world.env.read(&auth_of("bob")), before);
        assert_eq!(
            world.env.files(".codex-manager"),
            [
                "lock",
                "profiles/bob/auth.json",
                "profiles/bob/profile.toml"
            ]
        );
        world.signs_in("bob", &bob, 20);
    });
}

/// Bob is signed in to `~/other`, which one run of `seen_by` saw.
fn in_another_home(name: &str, seen_by: &[&str]) {
    with(name, NEWEST, |world| {
        let [bob, _] = people();
        world.knows(&world.alice, 10);
        world.knows(&bob, 20);
        let mine = world.login().expect("signed in");
        world.chatgpt.sign_in(&world.env, &bob, Login::Valid);
        fs::create_dir(world.env.path("other")).expect("makes");
        for file in ["auth.json", "config.toml"] {
            let text = world.env.read(&format!(".codex/{file}"));
            world.put(&format!("other/{file}"), &text);
        }
        world.put(".codex/auth.json", &mine);
        let args = [seen_by, &["--codex-home", "other"]].concat();
        world.run(&args).code(0);
        let kept = world.env.read(&auth_of("bob"));
        assert_eq!(world.env.read("other/auth.json"), kept);
        world.chatgpt.revoke(&bob);
        let ran = world.asks(&ALL).code(0).stderr(RENEWED);
        assert_eq!(
            seen(&ran),
            json!([row(world, &world.alice, 10), row(world, &bob, 20)])
        );
        let renewed = world.env.read("other/auth.json");
        assert_ne!(renewed, kept);
        assert_eq!(world.env.read(&auth_of("bob")), renewed);

        // From there the usual home is another one.
        let before = world.login();
        world.chatgpt.revoke(&world.alice);
        let args = [&ALL[..], &["--codex-home", "other"]].concat();
        let ran = world.run_renewing(&args).code(0).stderr(RENEWED);
        assert_eq!(
            seen(&ran),
            json!([row(world, &world.alice, 10), row(world, &bob, 20)])
        );
        assert_ne!(world.login(), before);
        assert_eq!(Some(world.env.read(&auth_of("alice"))), world.login());
        assert_eq!((world.refused(), world.homes().len()), (0, 0));
    });
}

#[test]
fn an_account_that_is_signed_in_elsewhere_is_asked_about_there() {
    in_another_home(test_name!(), &["cooldown", "--live"]);
}

#[test]
fn a_home_that_only_status_saw_is_one_too() {
    in_another_home(test_name!(), &["status"]);
}

#[test]
fn two_at_once_never_use_one_login_at_the_same_time() {
    with(test_name!(), NEWEST, |world| {
        let [bob, carol] = people();
        world.knows(&world.alice, 10);
        for (person, used) in [(&bob, 20), (&carol, 30)] {
            world.knows_with(person, used, |account| {
                account.refresh_delay = Duration::from_millis(1500);
            });
        }
        world.keeps("bob", &bob, Login::Expired);
        world.keeps("carol", &carol, Login::Expired);
        let children = [0, 1, 2].map(|_| world.starts(&ALL));
        for child in children {
            let output = child.wait_with_output().expect("ends");
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
            assert_eq!(output.status.code(), Some(0));
        }
        assert_eq!(
            (world.chatgpt.count("/oauth/token"), world.refused()),
            (2, 0)
        );
        assert_eq!(world.homes(), [""; 0]);
        world.signs_in("bob", &bob, 20);
        world.signs_in("carol", &carol, 30);
    });
}

#[test]
fn a_signal_ends_codex_and_keeps_what_was_learned() {
    with(test_name!(), NEWEST, |world| {
        let [bob, carol] = people();
        world.knows(&world.alice, 10);
        world.knows_with(&bob, 20, |bob| bob.usage_delay = Duration::from_mins(1));
        world.knows(&carol, 30);
        world.keeps("bob", &bob, Login::Expired);
        world.keeps("carol", &carol, Login::Expired);
        let before = [auth_of("bob"), auth_of("carol")].map(|path| world.env.read(&path));
        let mut child = world.starts(&ALL);
        world.until(&mut child, |world| {
            let log = world.chatgpt.log();
            log.iter().any(|asked| {
                asked.path.ends_with("/usage") && asked.user.as_deref() == Some("user-bob")
            })
        });
        send(&child, Signal::INT);
        let output = child.wait_with_output().expect("ends");
        assert_eq!((output.status.code(), output.stdout), (Some(130), vec![]));
        let after = [auth_of("bob"), auth_of("carol")].map(|path| world.env.read(&path));
        assert_eq!(
            (after[0] == before[0], after[1] == before[1]),
            (false, true)
        );
        let registry = world.env.read(".codex-manager/cooldown.json");
        let registry: Value = serde_json::from_str(&registry).expect("JSON");
        let known = registry["accounts"].as_array().expect("accounts");
        let known: Vec<&Value> = known.iter().map(|entry| &entry["email"]).collect();
        assert_eq!(known, ["alice@example.com"]);
        assert_eq!(world.homes(), [""; 0]);
        leftovers::none(&world.env);
        world.knows(&bob, 20);
        world.signs_in("bob", &bob, 20);
    });
}

#[test]
fn whoever_installs_a_login_that_is_asked_with_waits_for_the_new_one() {
    with(test_name!(), NEWEST, |world| {
        let [bob, _] = people();
        world.knows(&world.alice, 10);
        world.knows_with(&bob, 20, |bob| bob.refresh_delay = Duration::from_secs(2));
        world.keeps("bob", &bob, Login::Expired);
        let before = world.env.read(&auth_of("bob"));
        let mut child = world.starts(&ALL);
        world.until(&mut child, |world| world.chatgpt.count("/oauth/token") > 0);
        let ran = world.env.ran(&mut world.command(&["use", "bob"]), &[]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(child.wait().expect("ends").code(), Some(0));
        let kept = world.env.read(&auth_of("bob"));
        assert_ne!(kept, before);
        assert_eq!(world.login(), Some(kept));
        world.run(&["status"]).code(0).stderr("");
        assert_eq!(world.refused(), 0);
    });
}

#[test]
fn the_panel_and_session_files_are_other_ways_to_ask() {
    with(test_name!(), NEWEST, |world| {
        let [bob, _] = people();
        world.knows(&world.alice, 10);
        world.knows(&bob, 20);
        world.keeps("bob", &bob, Login::Valid);
        let args = [&ALL[..], &["--status-source", "panel"]].concat();
        let ran = world.asks(&args).code(0).stderr("");
        let rows = seen(&ran);
        let told: Vec<Value> = (0..2)
            .map(|row| json!([rows[row][1], rows[row][3]]))
            .collect();
        assert_eq!(told, [json!([90, "panel"]), json!([80, "panel"])]);
        let args = [&ALL[..], &["--status-source", "rollout"]].concat();
        let ran = world.asks(&args).code(14).stdout("");
        assert_eq!(ran.stderr.lines().count(), 3, "{}", ran.stderr);
    });
}

/// The path of the one home of our own, once its login is another than the kept one.
fn renewed_home(world: &World, name: &str) -> Option<PathBuf> {
    let [home] = world.homes().try_into().ok()?;
    let home = world.env.path(&format!(".codex-manager/tmp/{home}"));
    let there = fs::read_to_string(home.join("auth.json")).ok()?;
    (there != world.env.read(&auth_of(name))).then_some(home)
}

#[test]
fn what_a_killed_run_left_is_kept_by_the_next() {
    with(test_name!(), NEWEST, |world| {
        let [bob, _] = people();
        world.knows_with(&bob, 20, |bob| bob.usage_delay = Duration::from_mins(1));
        world.knows(&world.alice, 10);
        world.keeps("bob", &bob, Login::Expired);
        let before = world.env.read(&auth_of("bob"));
        let mut child = world.starts(&ALL);
        world.until(&mut child, |world| renewed_home(world, "bob").is_some());
        send(&child, Signal::KILL);
        child.wait().expect("ends");
        assert_eq!(world.env.read(&auth_of("bob")), before);
        let home = renewed_home(world, "bob").expect("it stays");
        let renewed = fs::read_to_string(home.join("auth.json")).expect("reads");
        world.until_codex_ends();
        world
            .asks(&SET)
            .code(0)
            .stderr("warning: a run that was cut short left a login of bob@example.com: it is kept in the profile `bob` now\n");
        assert_eq!(world.env.read(&auth_of("bob")), renewed);
        world.knows(&bob, 20);
        world.signs_in("bob", &bob, 20);
        assert_eq!(world.refused(), 0);
    });
}

#[test]
fn a_codex_that_outlives_a_killed_run_is_waited_for() {
    with(test_name!(), NEWEST, |world| {
        let [bob, _] = people();
        world.knows(&world.alice, 10);
        world.knows_with(&bob, 20, |bob| bob.refresh_delay = Duration::from_secs(4));
        world.keeps("bob", &bob, Login::Expired);
        let before = world.env.read(&auth_of("bob"));
        let mut child = world.starts(&ALL);
        world.until(&mut child, |world| world.chatgpt.count("/oauth/token") > 0);
        send(&child, Signal::KILL);
        child.wait().expect("ends");
        // The old token is used, the new one is on its way to a Codex that nobody waits for.
        let ran = world.env.ran(&mut world.command(&SET), &SET);
        ran.code(0).stderr("");
        assert_eq!(world.homes().len(), 1);
        assert_eq!(world.env.read(&auth_of("bob")), before);
        let ran = world.env.ran(&mut world.command(&ALL), &ALL).code(0);
        world.until_codex_ends();
        assert_eq!(
            ran.stderr,
            format!(
                "{}\n",
                json!({"warning": {"message": "a run that was cut short left a login of bob@example.com: it is kept in the profile `bob` now"}})
            )
        );
        assert_eq!(
            seen(&ran),
            json!([row(world, &world.alice, 10), row(world, &bob, 20)])
        );
        assert_eq!(world.homes(), [""; 0]);
        assert_eq!(
            (world.chatgpt.count("/oauth/token"), world.refused()),
            (1, 0)
        );
        world.signs_in("bob", &bob, 20);
    });
}

#[test]
fn all_goes_with_live() {
    let env = crate::common::Env::new();
    for command in ["cooldown", "recommend"] {
        let ran = env.run(&[command, "--all"]).code(2).stdout("");
        assert!(ran.stderr.contains("--live"), "{}", ran.stderr);
    }
}

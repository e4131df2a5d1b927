//! `profile login`: Codex's own login away from the Codex home, by a script that signs in whom a test says, and by the real
//! Codex where that needs no browser.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::common::{Env, Person, Ran, SECRET};
use crate::leftovers;
use crate::live::with;
use crate::loopback::test_name;
use crate::real_codex::NEWEST;

const POLL: Duration = Duration::from_millis(10);

/// A world with alice signed in and a `codex` that does as `script` says, once it noted what it was given.
fn world(script: &str) -> (Env, Person) {
    let env = Env::new();
    let alice = Person::named("alice");
    env.codex_home(&alice);
    does(&env, script);
    (env, alice)
}

fn does(env: &Env, script: &str) {
    let path = env.beside_home("bin").join("codex");
    fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
    let noted = env.beside_home("noted");
    let text = format!(
        "#!/bin/sh\n{{ echo \"$*\"; echo \"$CODEX_HOME\"; pwd; echo \"$OPENAI_API_KEY$CODEX_SQLITE_HOME\"; }} > '{}'\n\
         cat \"$CODEX_HOME/config.toml\" > '{}'\n{script}\n",
        noted.display(),
        env.beside_home("settings").display()
    );
    fs::write(&path, text).expect("writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("sets");
}

/// What the script does to sign this person in.
fn signs_in(env: &Env, person: &Person) -> String {
    let path = env.beside_home(&format!("{}.json", person.user));
    fs::write(&path, person.auth_json()).expect("writes");
    format!("cp '{}' \"$CODEX_HOME/auth.json\"", path.display())
}

fn command(env: &Env, args: &[&str]) -> Command {
    let mut command = env.command(args);
    let path = format!("{}:/usr/bin:/bin", env.beside_home("bin").display());
    command
        .env("PATH", path)
        .env("OPENAI_API_KEY", format!("sk-{SECRET}"))
        .env("CODEX_SQLITE_HOME", "/nowhere");
    command
}

/// Runs the program; the Codex home stays as it is, and no home of our own is left.
#[track_caller]
fn run(env: &Env, args: &[&str]) -> Ran {
    let before = env.tree(".codex");
    let ran = env.ran(&mut command(env, args), args);
    assert_eq!(env.tree(".codex"), before);
    assert_eq!(homes(env), [""; 0]);
    ran
}

fn homes(env: &Env) -> Vec<String> {
    let homes = fs::read_dir(env.path(".codex-manager/tmp"));
    let homes = homes.into_iter().flatten().flatten();
    homes
        .map(|home| home.file_name().into_string().expect("a name"))
        .collect()
}

fn auth_of(env: &Env, name: &str) -> String {
    env.read(&format!(".codex-manager/profiles/{name}/auth.json"))
}

fn profiles(env: &Env) -> Vec<String> {
    let mut files = env.files(".codex-manager/profiles");
    files.retain(|file| file.ends_with("/auth.json"));
    files
}

const NOTE: &str = "`codex login` runs for the profile `work`; `~/.codex` stays as it is\n";

#[test]
fn whoever_signs_in_gets_the_profile() {
    let (env, _) = world("");
    let bob = Person::named("bob");
    let script = signs_in(&env, &bob);
    does(&env, &format!("echo 'to standard output'; {script}"));
    env.write(
        ".codex/config.toml",
        "chatgpt_base_url = \"http://127.0.0.1:1\"\nmodel = \"made-up\"\n",
    );
    run(
        &env,
        &["profile", "login", "work", "--", "--device-auth", "-c", "a=1"],
    )
    .code(0)
    .stdout(
        "to standard output\nsigned-in  bob@example.com\nprofile    work\nuse it     `codex-manager use work`\n",
    )
    .stderr(NOTE);
    assert_eq!(auth_of(&env, "work"), bob.auth_json());
    assert_eq!(profiles(&env), ["work/auth.json"]);
    let mode = |below: &str| {
        let path = env.path(&format!(".codex-manager/{below}"));
        fs::metadata(path).expect("stands").permissions().mode() & 0o777
    };
    assert_eq!(
        [
            mode("tmp"),
            mode("profiles/work"),
            mode("profiles/work/auth.json")
        ],
        [0o700, 0o700, 0o600]
    );
    let noted = fs::read_to_string(env.beside_home("noted")).expect("it ran");
    let noted: Vec<&str> = noted.lines().collect();
    let tmp = env.path(".codex-manager/tmp").display().to_string();
    assert_eq!(noted[0], "login --device-auth -c a=1");
    assert!(
        noted[1].starts_with(&format!("{tmp}/login-work-")),
        "{noted:?}"
    );
    assert_eq!((noted[1], noted[3]), (noted[2], ""));
    let settings = fs::read_to_string(env.beside_home("settings")).expect("it ran");
    assert!(
        settings.starts_with(
            "chatgpt_base_url = \"http://127.0.0.1:1\"\ncli_auth_credentials_store = \"file\"\n"
        ) && !settings.contains("model"),
        "{settings}"
    );
    // By any name of the profile, the next login of that account takes the place of the first.
    let mut again = bob.clone();
    "2026-04-15T00:00:00Z".clone_into(&mut again.last_refresh);
    does(&env, &signs_in(&env, &again));
    run(&env, &["profile", "login", "BOB@example.com", "--quiet"])
        .code(0)
        .stdout("")
        .stderr("");
    assert_eq!(auth_of(&env, "work"), again.auth_json());
    assert_eq!(profiles(&env), ["work/auth.json"]);
}

#[test]
fn under_json_there_is_one_document_on_stdout() {
    let (env, _) = world("");
    let bob = Person::named("bob");
    let script = signs_in(&env, &bob);
    does(
        &env,
        &format!("echo 'to standard output'; echo 'to standard error' >&2; {script}"),
    );
    let ran = run(&env, &["profile", "login", "work", "--json"]).code(0);
    assert_eq!(ran.stderr, "to standard output\nto standard error\n");
    let answer = ran.json();
    assert_eq!(
        json!([
            answer["mode"],
            answer["name"],
            answer["profile"]["email"],
            answer["profile"]["name"]
        ]),
        json!(["signed-in", "work", "bob@example.com", "work"])
    );
}

#[test]
fn another_account_than_the_profiles_is_kept_as_its_own() {
    let (env, _) = world("");
    let [bob, carol] = ["bob", "carol"].map(Person::named);
    does(&env, &signs_in(&env, &bob));
    run(&env, &["profile", "login", "work"]).code(0);
    does(&env, &signs_in(&env, &carol));
    run(&env, &["profile", "login", "work"])
        .code(12)
        .stdout("")
        .stderr(&format!(
            "{NOTE}error: the profile `work` is of bob@example.com, and carol@example.com signed in; that login is kept in \
             the profile `carol`\nhint: `codex-manager use carol` takes it; for the other account run the command again\n"
        ));
    assert_eq!(profiles(&env), ["carol/auth.json", "work/auth.json"]);
    assert_eq!(auth_of(&env, "work"), bob.auth_json());
    assert_eq!(auth_of(&env, "carol"), carol.auth_json());
    // One profile an account.
    run(&env, &["profile", "login", "new"])
        .code(0)
        .stdout("signed-in  carol@example.com\nprofile    carol\nuse it     `codex-manager use carol`\n")
        .stderr(
            "`codex login` runs for the profile `new`; `~/.codex` stays as it is\n\
             warning: carol@example.com has the profile `carol` already: the login is kept there, and there is no profile `new`\n",
        );
    assert_eq!(profiles(&env), ["carol/auth.json", "work/auth.json"]);
    // A profile that a person made for somebody, and that has no login yet.
    env.write(
        ".codex-manager/profiles/dave/profile.toml",
        "email = \"dave@example.com\"\nalias = \"d\"\n",
    );
    let dave = Person::named("dave");
    does(&env, &signs_in(&env, &dave));
    run(&env, &["profile", "login", "d"]).code(0);
    assert_eq!(auth_of(&env, "dave"), dave.auth_json());
}

#[test]
fn who_signs_in_after_the_clock_went_back_has_the_newest_login() {
    let (mut env, _) = world("");
    let mut bob = Person::named("bob");
    does(&env, &signs_in(&env, &bob));
    run(&env, &["profile", "login", "work"]).code(0);
    env.set_now("2026-04-01T12:00:00Z");
    "2026-04-01T11:59:00Z".clone_into(&mut bob.last_refresh);
    does(&env, &signs_in(&env, &bob));
    for name in ["work", "another"] {
        run(&env, &["profile", "login", name, "--quiet"]).code(0);
        assert_eq!(auth_of(&env, "work"), bob.auth_json());
        "2026-04-01T11:58:00Z".clone_into(&mut bob.last_refresh);
        does(&env, &signs_in(&env, &bob));
    }
}

#[test]
fn a_login_that_could_not_be_kept_is_not_begun() {
    let (env, _) = world("touch ran");
    let path = ".codex-manager/profiles/work/auth.json";
    env.write(path, "{");
    let before = env.tree("");
    run(&env, &["profile", "login", "work"]).code(1).stdout("").stderr(
        "error: the kept login `~/.codex-manager/profiles/work/auth.json` cannot be used: it is no login of Codex (line 1, \
         column 1)\nhint: move that file away, and run the command again\n",
    );
    assert_eq!(env.tree(""), before);
    assert!(!env.beside_home("noted").exists());
}

#[test]
fn of_two_profiles_of_one_account_one_keeps_the_login_and_nobody_else_signed_in() {
    let (env, _) = world("");
    let mut bob = Person::named("bob");
    does(&env, &signs_in(&env, &bob));
    run(&env, &["profile", "login", "a"]).code(0);
    let by_email = "email = \"bob@example.com\"\n";
    env.write(".codex-manager/profiles/work/profile.toml", by_email);
    "2026-04-15T00:00:00Z".clone_into(&mut bob.last_refresh);
    does(&env, &signs_in(&env, &bob));
    run(&env, &["profile", "login", "work"])
        .code(0)
        .stdout("signed-in  bob@example.com\nprofile    a\nuse it     `codex-manager use a`\n")
        .stderr(&format!(
            "{NOTE}warning: bob@example.com has the profile `a` already: the login is kept there, and the profile `work` \
             stays as it is\n"
        ));
    assert_eq!(auth_of(&env, "a"), bob.auth_json());
    // By its login it is of one workspace, whatever it says.
    let team = bob.clone().in_workspace("ws-team");
    env.write(".codex-manager/profiles/work/auth.json", &team.auth_json());
    run(&env, &["profile", "login", "work"]).code(12);
}

#[test]
fn where_nobody_signs_in_nothing_changes() {
    let (env, _) = world("echo 'no, thank you' >&2; exit 7");
    let before = env.tree("");
    run(&env, &["profile", "login", "work"])
        .code(1)
        .stdout("")
        .stderr(&format!(
            "{NOTE}no, thank you\nerror: codex login ended with exit code 7; nothing was changed\nhint: its own words say why; run the command again\n"
        ));
    does(&env, "");
    let ran = run(&env, &["profile", "login", "work"]).code(1).stdout("");
    assert!(
        ran.stderr
            .contains("error: codex login ended, and nobody is signed in; nothing was changed\n"),
        "{}",
        ran.stderr
    );
    // A login that cannot be used is nobody's to throw away.
    does(&env, "echo '{' > \"$CODEX_HOME/auth.json\"");
    let ran = env.ran(&mut command(&env, &["profile", "login", "work"]), &[]);
    let ran = ran.code(1).stdout("");
    assert!(
        ran.stderr.contains("it stays there until you move it away"),
        "{}",
        ran.stderr
    );
    assert_eq!(homes(&env).len(), 1);
    fs::remove_dir_all(env.path(".codex-manager")).expect("removes");
    assert_eq!(env.tree(""), before);
}

#[test]
fn what_cannot_be_done_is_told_before_anybody_signs_in() {
    let (env, _) = world("");
    let before = env.tree("");
    for (name, why) in [
        ("", "it is no name for a directory on every system"),
        ("a/b", "it is no name for a directory on every system"),
        (
            "new@example.com",
            "it is no name for a directory on every system",
        ),
        (".a", "it begins or ends with `.` or `-`"),
    ] {
        let ran = run(&env, &["profile", "login", name]).code(2).stdout("");
        let told = format!("error: a profile cannot be called `{name}`: {why}\n");
        assert!(ran.stderr.starts_with(&told), "{}", ran.stderr);
    }
    let args = ["profile", "login", "work", "--codex-command", "/nowhere"];
    let ran = run(&env, &args).code(1).stdout("");
    assert!(
        ran.stderr.starts_with(
            "error: codex cannot be started by `/nowhere`: there is no such program\n"
        ),
        "{}",
        ran.stderr
    );
    run(&env, &["profile", "login", "work", "--dry-run"])
        .code(0)
        .stdout("dry-run  a new profile\nprofile  work\n")
        .stderr("");
    run(&env, &["profile", "login", "work", "--device-auth"]).code(2);
    assert!(!env.beside_home("noted").exists());
    assert_eq!(env.tree(""), before);
    env.write(".codex/config.toml", "a = ");
    let ran = run(&env, &["profile", "login", "work"]).code(1).stdout("");
    assert_eq!(
        ran.stderr,
        "error: `~/.codex/config.toml` cannot be read: it is no TOML\nhint: mend it: it may say how to reach ChatGPT\n"
    );
}

/// Starts a login and waits until Codex has begun.
fn begun(env: &Env) -> std::process::Child {
    let mut command = command(env, &["profile", "login", "work"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    while !env.beside_home("settings").exists() {
        assert!(child.try_wait().expect("waits").is_none(), "it has ended");
        std::thread::sleep(POLL);
    }
    child
}

fn send(child: &std::process::Child, signal: Signal) {
    let id = i32::try_from(child.id()).expect("an id");
    kill_process(Pid::from_raw(id).expect("an id"), signal).expect("sends");
}

#[test]
fn a_signal_ends_the_login() {
    let (env, _) = world("exec sleep 60");
    let before = env.tree(".codex");
    let child = begun(&env);
    send(&child, Signal::TERM);
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(
        said.starts_with(&format!("{NOTE}error: interrupted\n")),
        "{said}"
    );
    assert_eq!(homes(&env), [""; 0]);
    assert_eq!(env.tree(".codex"), before);
    assert_eq!(profiles(&env), [""; 0]);
    leftovers::none(&env);
}

#[test]
fn a_login_that_ends_after_a_kill_is_kept_by_the_next_command() {
    let (env, _) = world("");
    let bob = Person::named("bob");
    let script = signs_in(&env, &bob);
    let go = env.beside_home("go");
    does(
        &env,
        &format!(
            "while ! [ -e '{}' ]; do sleep 0.05; done\n{script}",
            go.display()
        ),
    );
    let mut child = begun(&env);
    send(&child, Signal::KILL);
    child.wait().expect("ends");
    let set = ["config", "set", "color", "never", "--quiet"];
    // Nobody has signed in yet, and may be about to.
    let ran = env.ran(&mut command(&env, &set), &set);
    ran.code(0).stderr("");
    assert_eq!(homes(&env).len(), 1);
    fs::write(go, "").expect("writes");
    while !leftovers::processes(&env).is_empty() {
        std::thread::sleep(POLL);
    }
    run(&env, &set).code(0).stderr(
        "warning: a run that was cut short left a login of bob@example.com: it is kept in the profile `work` now\n",
    );
    assert_eq!(auth_of(&env, "work"), bob.auth_json());
    let profile = env.read(".codex-manager/profiles/work/profile.toml");
    assert!(profile.contains("email = \"bob@example.com\""), "{profile}");
}

#[test]
fn the_real_codex_signs_in_with_a_key() {
    with(test_name!(), NEWEST, |world| {
        let before = world.env.tree(".codex");
        let args = ["profile", "login", "key", "--", "--with-api-key"];
        let mut child = world
            .command(&args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut stdin = child.stdin.take().expect("piped");
        writeln!(stdin, "sk-{SECRET}-1234567890").expect("writes");
        drop(stdin);
        let output = child.wait_with_output().expect("ends");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        let out = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(output.status.code(), Some(0), "{out}{said}");
        assert!(!said.contains(SECRET) && !out.contains(SECRET));
        assert!(
            out.starts_with("signed-in  apikey-")
                && out.ends_with("\nprofile    key\nuse it     `codex-manager use key`\n"),
            "{out}"
        );
        let kept = auth_of(&world.env, "key");
        let kept: serde_json::Value = serde_json::from_str(&kept).expect("JSON");
        assert_eq!(kept["auth_mode"], "apikey");
        assert_eq!(world.env.tree(".codex"), before);
        assert_eq!(world.chatgpt.count("/oauth/revoke"), 0);
        assert!(world.chatgpt.log().is_empty());
        assert_eq!(homes(&world.env), [""; 0]);
        leftovers::none(&world.env);
    });
}

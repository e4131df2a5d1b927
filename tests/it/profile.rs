//! `profile`: what is kept of each account, shown, changed, renamed and removed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use base64::Engine;
use serde_json::{Value, json};

use crate::common::{Env, NOW, Person, SECRET, hostname};
use crate::worlds::{has_keys, json_error, legacy, prints, snapshot};

const PROFILES: &str = ".codex-manager/profiles";
const CONTRACT: [&str; 9] = [
    "name",
    "email",
    "account_id",
    "user_id",
    "plan_type",
    "active",
    "paused",
    "credential_refreshed_at",
    "credential_state",
];
const ALSO: [&str; 3] = ["alias", "note", "session_duration_hours"];
const ALLOWED: &str = "what can be set: alias, paused, note, session_duration_hours";

fn toml(name: &str) -> String {
    format!("{PROFILES}/{name}/profile.toml")
}

/// What `profile.toml` says of them when it is made.
fn told(person: &Person) -> String {
    format!(
        "email = \"{}\"\naccount_id = \"{}\"\nuser_id = \"{}\"\nplan_type = \"{}\"\n",
        person.email, person.workspace, person.user, person.plan
    )
}

/// A profile of theirs, with a login.
fn put(env: &Env, name: &str, person: &Person, more: &str) {
    env.write(&toml(name), &(told(person) + more));
    env.write(&format!("{PROFILES}/{name}/auth.json"), &person.auth_json());
}

/// Their login with an access token that ends then; without a refresh token it cannot be renewed.
fn ending(person: &Person, at: i64, refreshes: bool) -> String {
    let claims =
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json!({"exp": at}).to_string());
    let mut auth: Value = serde_json::from_str(&person.auth_json()).expect("JSON");
    auth["tokens"]["access_token"] = format!("e30.{claims}.{SECRET}").into();
    if !refreshes {
        auth["tokens"]["refresh_token"] = Value::Null;
    }
    auth.to_string()
}

/// Alice is signed in, of two workspaces; bob is paused.
fn world() -> (Env, Person, Person) {
    let env = Env::new();
    let (alice, bob) = (Person::named("alice"), Person::named("bob"));
    env.codex_home(&alice);
    put(&env, "alice", &alice, "alias = \"al\"\n");
    put(&env, "alice-2", &alice.clone().in_workspace("team"), "");
    put(
        &env,
        "bob",
        &bob,
        "paused = true\nnote = \"of the\\nfamily\"\n",
    );
    (env, alice, bob)
}

#[test]
fn every_profile_is_listed_whatever_is_wrong_with_it() {
    let (env, ..) = world();
    let now = chrono::DateTime::parse_from_rfc3339(crate::common::NOW)
        .expect("a time")
        .timestamp();
    for (name, ends, refreshes) in [("dora", 1, false), ("erin", 0, true), ("frank", 0, false)] {
        let person = Person::named(name);
        put(&env, name, &person, "");
        let login = ending(&person, now + ends, refreshes);
        env.write(&format!("{PROFILES}/{name}/auth.json"), &login);
    }
    // No profile.toml, a broken one, no login, a broken one, another's; and what is no profile.
    env.write(
        &format!("{PROFILES}/key/auth.json"),
        &format!("{{\"OPENAI_API_KEY\": \"sk-{SECRET}\"}}"),
    );
    env.write(
        &format!("{PROFILES}/odd/auth.json"),
        &Person::named("odile").auth_json(),
    );
    env.write(&toml("odd"), "pausd = true\n");
    env.write(&toml("none"), "email = \"none@example.com\"\n");
    env.write(&toml("torn"), "email = \"torn@example.com\"\n");
    env.write(&format!("{PROFILES}/torn/auth.json"), "{");
    env.write(&toml("wrong"), "email = \"wrong@example.com\"\n");
    env.write(
        &format!("{PROFILES}/wrong/auth.json"),
        &Person::named("bob").auth_json(),
    );
    env.write(&format!("{PROFILES}/empty/notes.txt"), "");
    env.write(&format!("{PROFILES}/file"), "");
    let ran = env.run(&["profile", "list"]).code(0);
    let key = ran.stdout.lines().find_map(|line| {
        line.split_whitespace()
            .find(|word| word.starts_with("apikey-"))
    });
    let key = key.expect("an id").to_owned();
    let stderr = "\
warning: the profile `~/.codex-manager/profiles/odd/profile.toml` cannot be read: unknown field `pausd`, expected one of \
`email`, `user_id`, `account_id`, `plan_type`, `alias`, `paused`, `note`, `session_duration_hours`, `last_used_on`, `last_used_machine`, `last_used_at`
warning: the kept login `~/.codex-manager/profiles/torn/auth.json` cannot be used: it is no login of Codex (line 1, column 1)
warning: the kept login `~/.codex-manager/profiles/wrong/auth.json` cannot be used: it is of another account than wrong@example.com
";
    ran.stderr(stderr).stdout(&format!(
        "\
PROFILE        ACCOUNT                       LOGIN       RENEWED           PLAN  NOTE
* alice (al)   alice@example.com [ws-alice]  renewable   2026-04-14 17:55  plus  -
  alice-2      alice@example.com [team]      renewable   2026-04-14 17:55  plus  -
  bob, paused  bob@example.com               renewable   2026-04-14 17:55  plus  of the family
  dora         dora@example.com              valid       2026-04-14 17:55  plus  -
  erin         erin@example.com              renewable   2026-04-14 17:55  plus  -
  frank        frank@example.com             expired     2026-04-14 17:55  plus  -
  key          {key}               valid       -                 -     -
  none         none@example.com              missing     -                 -     -
  odd          odile@example.com             renewable   2026-04-14 17:55  plus  -
  torn         torn@example.com              unreadable  -                 -     -
  wrong        wrong@example.com             unreadable  -                 -     -
"
    ));
    let document = env.run(&["profile", "list", "--json"]).code(0).json();
    has_keys(&document, &["profiles"], &[]);
    let profiles = document["profiles"].as_array().expect("a list");
    for profile in profiles {
        has_keys(profile, &CONTRACT, &ALSO);
    }
    assert_eq!(profiles.len(), 11);
    assert_eq!(
        profiles[2],
        json!({"name": "bob", "email": "bob@example.com", "account_id": "ws-bob", "user_id": "user-bob",
            "plan_type": "plus", "alias": null, "active": false, "paused": true, "note": "of the\nfamily",
            "session_duration_hours": null, "credential_refreshed_at": "2026-04-14T17:55:00+05:30",
            "credential_state": "renewable"})
    );
    assert_eq!(profiles[0]["active"], true);
    assert_eq!(profiles[6]["email"], Value::Null);
    // As of another instant.
    let later = [
        "--now",
        "2026-04-19T15:30:01+05:30",
        "profile",
        "show",
        "dora",
        "--json",
    ];
    assert_eq!(
        env.run(&later).code(0).json()["credential_state"],
        "expired"
    );
}

#[test]
fn without_profiles_the_list_is_empty_and_says_how_one_is_made() {
    let env = Env::new();
    let hint = "no profile in `~/.codex-manager/profiles` yet: `codex-manager backup` makes one for the account that is signed in\n";
    env.run(&["profile", "list"])
        .code(0)
        .stdout("")
        .stderr(hint);
    let document = env
        .run(&["profile", "list", "--json"])
        .code(0)
        .stderr("")
        .json();
    assert_eq!(document, json!({"profiles": []}));
    env.run(&["profile", "show", "alice"]).code(10).stdout("").stderr(
        "error: there is no profile `alice`\nhint: there is none at all: `codex-manager backup` makes one for the account that is signed in\n",
    );
    for args in [
        &["set", "alice", "alias=x"][..],
        &["rename", "a", "b"],
        &["remove", "a", "--yes"],
    ] {
        env.run(&[&["profile"], args].concat()).code(10).stdout("");
    }
    assert!(!env.path(".codex-manager").exists());
}

#[test]
fn one_is_shown_in_full_by_name_alias_or_email() {
    let (mut env, alice, bob) = world();
    snapshot(
        &mut env,
        &alice,
        &alice.panel(66, "15:55 on 21 Apr"),
        "2026-04-19T10:00:00+05:30",
    );
    env.set_now(crate::common::NOW);
    let host = hostname();
    let text = format!(
        "\
profile                 alice
account                 alice@example.com (plus), signed in
workspace               ws-alice
user                    user-alice
alias                   al
paused                  false
note                    -
session_duration_hours  -
login                   renewable, renewed 2026-04-14T17:55:00+05:30
last used               on {host}, 2026-04-19T10:00:00+05:30
snapshot                2026-04-14-155500-alice@example.com-codex.tar.gz
profile.toml            ~/.codex-manager/profiles/alice/profile.toml
auth.json               ~/.codex-manager/profiles/alice/auth.json
"
    );
    for name in ["alice", "ALICE", "al", "Al"] {
        env.run(&["profile", "show", name])
            .code(0)
            .stdout(&text)
            .stderr("");
    }
    // Elsewhere an alias is taken in any case too.
    let dry = env.run(&["restore", "AL", "--dry-run", "--json"]).code(0);
    assert_eq!(dry.json()["email"], "alice@example.com");
    let document = env
        .run(&["profile", "show", &bob.email, "--json"])
        .code(0)
        .stderr("")
        .json();
    has_keys(
        &document,
        &CONTRACT,
        &[
            &ALSO[..],
            &["archive_name", "last_used", "profile_toml", "auth_json"],
        ]
        .concat(),
    );
    assert_eq!(document["last_used"], Value::Null);
    assert_eq!(document["name"], "bob");
    assert_eq!(document["archive_name"], Value::Null);
    assert_eq!(document["auth_json"], format!("~/{PROFILES}/bob/auth.json"));
    assert_eq!(
        document["profile_toml"],
        format!("~/{PROFILES}/bob/profile.toml")
    );
    let ran = env
        .run(&["profile", "show", &alice.email, "--json"])
        .code(2)
        .stdout("");
    assert_eq!(
        json_error(&ran),
        (
            "usage".to_owned(),
            "`alice@example.com` is more than one profile: alice: alice@example.com (ws-alice), alice-2: alice@example.com (team)".to_owned(),
            "say which by the name before the colon".to_owned()
        )
    );
    env.run(&["profile", "show", "carol"])
        .code(10)
        .stdout("")
        .stderr("error: there is no profile `carol`\nhint: `codex-manager profile list` shows them all\n");
    // What is broken is shown as far as it goes.
    env.write(&toml("bob"), "alias = 3\n");
    fs::remove_file(env.path(&toml("alice-2"))).expect("removes");
    let ran = env.run(&["profile", "show", "bob"]).code(0).stderr(
        "warning: the profile `~/.codex-manager/profiles/bob/profile.toml` cannot be read: invalid type: integer `3`, expected a string\n",
    );
    assert!(
        ran.stdout.contains("\nuser                    user-bob\n"),
        "{}",
        ran.stdout
    );
    let ran = env.run(&["profile", "show", "alice-2"]).code(0).stderr("");
    assert!(
        ran.stdout.contains("\nprofile.toml            -\n"),
        "{}",
        ran.stdout
    );
}

#[test]
fn what_is_set_changes_one_line_each_and_nothing_else() {
    let (env, alice, _) = world();
    let hand_made = "# mine\r\nemail = 'alice@example.com'\r\nalias = \"al\" # short\r\nuser_id=\"user-alice\"\r\n\r\n# why\r\n\
        paused = true  # holiday\r\naccount_id = \"ws-alice\"";
    env.write(&toml("alice"), hand_made);
    fs::remove_dir_all(env.path(PROFILES).join("alice-2")).expect("removes");
    let set = |args: &[&str]| env.run(&[&["profile", "set"], args].concat());
    set(&[
        "al",
        "alias=work",
        "paused=",
        "note=the \"first\"",
        "session_duration_hours=1.5",
    ])
    .code(0)
    .stdout(
        "\
set                     alice
alias                   work
paused                  false
note                    the \"first\"
session_duration_hours  1.5
",
    )
    .stderr("");
    let changed = "# mine\r\nemail = 'alice@example.com'\r\nalias = \"work\" # short\r\nuser_id=\"user-alice\"\r\n\r\n# why\r\n\
        # holiday\r\naccount_id = \"ws-alice\"\r\nnote = 'the \"first\"'\r\nsession_duration_hours = 1.5\r\n";
    assert_eq!(env.read(&toml("alice")), changed);
    // The same again, and what is not there unset, write nothing.
    let before = prints(&env.path(".codex-manager"));
    set(&["work", "alias=work"])
        .code(0)
        .stdout("unchanged  alice\nalias      work\n")
        .stderr("");
    set(&["bob", "alias="])
        .code(0)
        .stdout("unchanged  bob\nalias      -\n")
        .stderr("");
    let dry = set(&["work", "note=", "alias=job", "--dry-run"])
        .code(0)
        .stderr("");
    assert_eq!(dry.stdout, "dry-run  alice\nalias    job\nnote     -\n");
    let document = set(&["work", "alias=JOB", "--dry-run", "--json"])
        .code(0)
        .stderr("")
        .json();
    has_keys(&document, &["mode", "profile"], &[]);
    has_keys(&document["profile"], &CONTRACT, &ALSO);
    assert_eq!(
        (&document["mode"], &document["profile"]["alias"]),
        (&json!("dry-run"), &json!("JOB"))
    );
    // The lock is taken for a change that turns out to be none; all else is as it was.
    let files = |prints: Vec<(String, Vec<u8>, std::time::SystemTime, u32)>| {
        prints
            .into_iter()
            .filter(|(path, ..)| path.contains("profiles"))
            .collect::<Vec<_>>()
    };
    assert_eq!(files(prints(&env.path(".codex-manager"))), files(before));
    env.run(&["-q", "profile", "set", "work", "alias="])
        .code(0)
        .stdout("")
        .stderr("");
    // A link is followed.
    #[cfg(unix)]
    {
        env.write("elsewhere.toml", &told(&alice));
        fs::remove_file(env.path(&toml("alice"))).expect("removes");
        std::os::unix::fs::symlink(env.path("elsewhere.toml"), env.path(&toml("alice")))
            .expect("links");
        set(&["alice", "note=x"]).code(0);
        assert_eq!(env.read("elsewhere.toml"), told(&alice) + "note = \"x\"\n");
    }
}

#[test]
fn all_of_it_is_set_or_nothing() {
    let (env, ..) = world();
    env.write(&toml("odd"), "alias = \n");
    env.write(&format!("{PROFILES}/torn/auth.json"), "{");
    let before = prints(&env.path(".codex-manager"));
    let is_alias = "an alias is 1 to 64 letters, digits and `._+-`, begins with a letter or digit, and is of no other profile";
    for (changes, message, hint) in [
        (
            &["note=x", "alias=bob"][..],
            "`bob` cannot be an alias: it is the name of the profile `bob`",
            is_alias,
        ),
        (
            &["alias=AL"],
            "`AL` cannot be an alias: it is the alias of the profile `alice`",
            is_alias,
        ),
        (
            &["alias=me@home"],
            "`me@home` cannot be an alias: it looks like an email",
            is_alias,
        ),
        (
            &["alias=a.tar.gz"],
            "`a.tar.gz` cannot be an alias: it looks like an archive",
            is_alias,
        ),
        (
            &["alias=a b"],
            "`a b` cannot be an alias: it is nothing that is typed easily",
            is_alias,
        ),
        (
            &["note=x", "paused=yes"],
            "`paused` takes true or false",
            "it is for: whether `recommend` passes it over",
        ),
        (
            &["session_duration_hours=8785"],
            "`session_duration_hours` takes a number of hours from 0 to 8784",
            "it is for: assumed hours of a session of its legacy files",
        ),
        (
            &["note=x", "color=red"],
            "a profile has no `color`",
            ALLOWED,
        ),
        (
            &["email=x"],
            "`email` is what the account's login says; it cannot be set",
            ALLOWED,
        ),
        (
            &["plan_type="],
            "`plan_type` is what the account's login says; it cannot be set",
            ALLOWED,
        ),
        (
            &["note=x", "alias"],
            "`alias` does not say what to set",
            "write KEY=VALUE, or KEY= to unset it",
        ),
        (
            &["note=x", "note="],
            "`note` is set twice",
            "say each key once",
        ),
    ] {
        for dry in [&[][..], &["--dry-run"]] {
            env.run(&[&["profile", "set", "alice-2"], changes, dry].concat())
                .code(2)
                .stdout("")
                .stderr(&format!("error: {message}\nhint: {hint}\n"));
        }
    }
    for (name, why) in [
        (
            "odd",
            "the profile `~/.codex-manager/profiles/odd/profile.toml` cannot be read: string values must be quoted, expected literal string",
        ),
        (
            "torn",
            "the kept login `~/.codex-manager/profiles/torn/auth.json` cannot be used: it is no login of Codex (line 1, column 1)",
        ),
    ] {
        env.run(&["profile", "set", name, "note=x"]).code(1).stdout("").stderr(&format!(
            "error: {why}\nhint: mend the file, or move it away: `codex-manager backup` makes it anew\n"
        ));
    }
    let mut after = prints(&env.path(".codex-manager"));
    after.retain(|(path, ..)| !path.ends_with("lock"));
    assert_eq!(after, before);
}

#[test]
fn a_profile_that_was_never_written_is_when_something_is_set() {
    let (env, alice, _) = world();
    fs::remove_file(env.path(&toml("alice"))).expect("removes");
    env.run(&["profile", "set", "alice", "alias=al"])
        .code(0)
        .stderr("");
    assert_eq!(env.read(&toml("alice")), told(&alice) + "alias = \"al\"\n");
}

#[test]
fn two_changes_at_once_both_count_and_who_waits_is_told_of_the_other() {
    let (env, ..) = world();
    let changes = [
        "alias=one",
        "paused=true",
        "note=three",
        "session_duration_hours=4",
    ];
    let children = changes.map(|change| {
        let mut command = env.command(&["profile", "set", "alice-2", change, "--json"]);
        command.stdout(Stdio::piped()).spawn().expect("starts")
    });
    for child in children {
        assert!(child.wait_with_output().expect("ends").status.success());
    }
    let ran = env.run(&["profile", "show", "alice-2"]).code(0);
    assert!(
        ran.stdout.contains("alias                   one\npaused                  true\nnote                    three\nsession_duration_hours  4\n"),
        "{}",
        ran.stdout
    );
    let path = env.write(".codex-manager/lock", "4242 restore");
    let held = File::options().read(true).write(true).open(path);
    let held = held.expect("opens");
    held.lock().expect("locks");
    // Readers need none, nor do dry runs.
    env.run(&["profile", "list"]).code(0);
    env.run(&["profile", "show", "bob"]).code(0);
    env.run(&["profile", "remove", "bob", "--dry-run"]).code(0);
    let told = "`~/.codex-manager/lock` is held by process 4242 (`codex-manager restore`); waiting, at most 10 s\n";
    assert_eq!(
        waits_for(&env, &["profile", "rename", "bob", "rob"], held),
        told
    );
    assert!(env.path(PROFILES).join("rob").exists());
}

/// What a run says that waits for whoever holds `held`, which is let go then. The run must succeed.
fn waits_for(env: &Env, args: &[&str], held: File) -> String {
    let mut command = env.command(args);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let mut told = String::new();
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    while !told.ends_with(" s\n") && stderr.read_line(&mut told).expect("reads") > 0 {}
    drop(held);
    assert!(child.wait().expect("ends").success(), "{told}");
    told.replace(&env.home().display().to_string(), "~")
}

/// Whoever chooses an account's login, or has Codex ask with it, is waited for.
#[cfg(unix)]
#[test]
fn a_login_that_is_in_use_is_not_removed() {
    let (env, ..) = world();
    let held = File::open(env.path(PROFILES).join("bob")).expect("opens");
    held.lock().expect("locks");
    let told = waits_for(&env, &["profile", "remove", "bob", "--yes"], held);
    let last = told.lines().last().unwrap_or_default();
    assert_eq!(
        last,
        "another codex-manager works in `~/.codex-manager/profiles/bob`, or asks Codex about it; waiting, at most 55 s"
    );
    assert!(!env.path(PROFILES).join("bob").exists());
}

#[test]
fn a_profile_gets_another_name_and_all_of_it_goes_along() {
    let (env, alice, _) = world();
    let before = env.tree(&format!("{PROFILES}/alice"));
    let rename = |args: &[&str]| env.run(&[&["profile", "rename"], args].concat());
    rename(&["al", "work", "--dry-run"])
        .code(0)
        .stdout("dry-run  alice\nto       work\n")
        .stderr("");
    assert!(env.path(&format!("{PROFILES}/alice")).exists());
    rename(&["al", "work"])
        .code(0)
        .stdout("renamed  alice\nto       work\n")
        .stderr("");
    assert_eq!(env.tree(&format!("{PROFILES}/work")), before);
    // A change of its letters' case alone, and none at all.
    let document = rename(&["work", "Work", "--json"])
        .code(0)
        .stderr("")
        .json();
    has_keys(&document, &["mode", "from", "profile"], &[]);
    assert_eq!(
        (&document["mode"], &document["from"]),
        (&json!("renamed"), &json!("work"))
    );
    assert_eq!(document["profile"]["name"], "Work");
    rename(&["WORK", "Work"])
        .code(0)
        .stdout("unchanged  Work\nto         Work\n")
        .stderr("");
    let names: Vec<_> = fs::read_dir(env.path(PROFILES))
        .expect("lists")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert!(
        names.contains(&"Work".into()) && names.len() == 3,
        "{names:?}"
    );
    // Its own alias may become its name; what others are called may not.
    rename(&["Work", "AL"]).code(0);
    rename(&["bob", "work"]).code(0);
    env.write(&format!("{PROFILES}/stray"), "");
    for (name, why) in [
        (
            "alice-2",
            "a profile cannot be called `alice-2`: it is the name of the profile `alice-2`",
        ),
        (
            "al",
            "a profile cannot be called `al`: it is the name of the profile `AL`",
        ),
        (
            "a/b",
            "a profile cannot be called `a/b`: it is no name for a directory on every system",
        ),
        (
            "..",
            "a profile cannot be called `..`: it begins or ends with `.` or `-`",
        ),
        (
            "nul",
            "a profile cannot be called `nul`: Windows keeps that name for a device",
        ),
        (
            "Stray",
            "`~/.codex-manager/profiles/stray` stands in the way",
        ),
    ] {
        let ran = rename(&["work", name]).code(2).stdout("");
        assert!(
            ran.stderr.starts_with(&format!("error: {why}\nhint: ")),
            "{}",
            ran.stderr
        );
    }
    // The login that is signed in finds its profile under the new name.
    env.write("status.txt", &alice.panel(66, "15:55 on 21 Apr"));
    env.run(&["backup", "--status-file", "status.txt"])
        .code(0)
        .stderr("");
    assert_eq!(env.files(PROFILES).len(), 7);
}

#[test]
fn a_profile_goes_only_when_somebody_says_so_and_is_told_what_is_lost() {
    let (mut env, alice, _) = world();
    env.write(&format!("{PROFILES}/bob/notes/a.txt"), "mine");
    let before = prints(&env.path(".codex-manager"));
    let lost = "warning: nothing else is known to hold a login of bob@example.com: to use it again somebody must sign in\n";
    env.run(&["profile", "remove", "bob"]).code(2).stdout("").stderr(&format!(
        "{lost}error: this removes a profile, and nobody is there to be asked\nhint: say `--yes` to go on, or `--dry-run` to see what would be done\n"
    ));
    let text = "account  bob@example.com\nfrom     ~/.codex-manager/profiles/bob\nfiles    auth.json, notes, profile.toml\n";
    env.run(&["profile", "remove", "Bob@example.com", "--dry-run"])
        .code(0)
        .stdout(&format!("dry-run  bob\n{text}"))
        .stderr(lost);
    assert_eq!(prints(&env.path(".codex-manager")), before);
    env.run(&["profile", "remove", "bob", "--yes"])
        .code(0)
        .stdout(&format!("removed  bob\n{text}"))
        .stderr(lost);
    assert!(!env.path(&format!("{PROFILES}/bob")).exists());
    assert_eq!(env.files(PROFILES).len(), 4);
    env.run(&["profile", "remove", "bob", "--yes"]).code(10);

    // Of alice there is a snapshot, and she is signed in; of her team nothing else.
    snapshot(
        &mut env,
        &alice,
        &alice.panel(66, "15:55 on 21 Apr"),
        "2026-04-19T10:00:00+05:30",
    );
    let archive = "2026-04-14-155500-alice@example.com-codex.tar.gz";
    let holds = |place: &str, which: &str| format!("`~/{place}` holds {which}\n");
    let snapshot = format!(".codex-manager/backups/{archive}");
    let fresh = "a login of alice@example.com that is as fresh";
    env.run(&["profile", "remove", "alice", "--dry-run"])
        .code(0)
        .stderr(&(holds(".codex/auth.json", fresh) + &holds(&snapshot, fresh)));
    let newer = Person {
        last_refresh: "2026-04-18T01:00:00Z".to_owned(),
        ..alice.clone()
    };
    env.write(&format!("{PROFILES}/alice/auth.json"), &newer.auth_json());
    let args = ["profile", "remove", "al", "--dry-run"];
    let older = "an older login of alice@example.com, renewed 2026-04-14 17:55, which may no longer sign in";
    env.run(&args).code(0).stderr(&format!(
        "warning: {}warning: {}",
        holds(".codex/auth.json", older),
        holds(&snapshot, older)
    ));
    let ran = env.run(&[&args[..], &["--json"]].concat()).code(0);
    assert_eq!(
        ran.stderr.matches("{\"warning\":").count(),
        2,
        "{}",
        ran.stderr
    );
    let keys = ["mode", "path", "files", "profile", "logins_elsewhere"];
    has_keys(&ran.json(), &keys, &[]);
    let elsewhere = |place: &str, at: &str, as_fresh: bool| json!({"path": format!("~/{place}"), "at": at, "as_fresh": as_fresh});
    let at = "2026-04-14T17:55:00+05:30";
    let both = [
        elsewhere(".codex/auth.json", at, false),
        elsewhere(&snapshot, at, false),
    ];
    assert_eq!(ran.json()["logins_elsewhere"], json!(both));
    env.write(".codex/auth.json", &newer.auth_json());
    let text = holds(".codex/auth.json", fresh) + &holds(&snapshot, older);
    env.run(&args).code(0).stderr(&text);
    let team = env
        .run(&["profile", "remove", "alice-2", "--yes", "--quiet"])
        .code(0)
        .stdout("");
    assert_eq!(team.stderr, lost.replace("bob@", "alice@"));
}

#[test]
fn another_workspace_of_the_email_is_not_the_account_of_a_profile_by_email_alone() {
    let (env, alice, _) = world();
    // Alice is signed in; the login of her team lies here alone.
    env.write(&toml("alice-2"), "email = \"alice@example.com\"\n");
    env.run(&["profile", "remove", "alice-2", "--dry-run", "--quiet"])
        .code(0)
        .stderr(
            "warning: nothing else is known to hold a login of alice@example.com: to use it again somebody must sign in\n",
        );
    let shown = |name: &str| env.run(&["profile", "show", name, "--json"]).code(0).json();
    assert_eq!(shown("alice-2")["active"], false);
    let team = env.read(&format!("{PROFILES}/alice-2/auth.json"));
    env.write(".codex/auth.json", &team);
    assert_eq!(shown("alice-2")["active"], true);
    assert_eq!(shown("alice")["active"], false);
    let told = env
        .run(&["profile", "remove", "alice-2", "--dry-run"])
        .code(0);
    assert_eq!(
        told.stderr,
        "`~/.codex/auth.json` holds a login of alice@example.com that is as fresh\n"
    );
    assert_ne!(team, alice.auth_json());
}

#[test]
fn what_cannot_be_read_is_removed_by_the_name_of_its_directory() {
    let (env, ..) = world();
    env.write(&toml("odd"), "pausd = true\n");
    env.write(&format!("{PROFILES}/torn/auth.json"), "{");
    env.run(&["profile", "remove", "odd", "--yes", "--json"])
        .code(0);
    let ran = env.run(&["profile", "remove", "torn", "--yes"]).code(0);
    assert_eq!(
        ran.stderr,
        "warning: the kept login `~/.codex-manager/profiles/torn/auth.json` cannot be used: it is no login of Codex (line 1, column 1)\nwarning: nothing else is known to hold a login of its account: to use it again somebody must sign in\n"
    );
    assert_eq!(env.files(PROFILES).len(), 6);
    // A link goes, what it leads to stays.
    #[cfg(unix)]
    {
        env.write("other/profile.toml", "email = \"carol@example.com\"\n");
        std::os::unix::fs::symlink(env.path("other"), env.path(PROFILES).join("carol"))
            .expect("links");
        env.run(&["profile", "remove", "carol", "--yes"])
            .code(0)
            .stderr("");
        assert!(env.path("other/profile.toml").exists());
        assert_eq!(env.files(PROFILES).len(), 6);
    }
}

#[test]
fn what_a_killed_removal_left_is_no_profile_and_the_next_run_sweeps_it() {
    let (env, _, bob) = world();
    let left = format!("{PROFILES}/.codex-manager-tmp-removed-bob");
    fs::rename(env.path(&format!("{PROFILES}/bob")), env.path(&left)).expect("moves");
    let document = env
        .run(&["profile", "list", "--json"])
        .code(0)
        .stderr("")
        .json();
    assert_eq!(document["profiles"].as_array().map(Vec::len), Some(2));
    let ran = env.run(&["cooldown", "--json"]).code(0).stderr("");
    assert!(!ran.stdout.contains("bob@"), "{}", ran.stdout);
    assert!(env.path(&left).exists());
    // Whoever writes next, be it of something else.
    env.write(".codex/auth.json", &bob.auth_json());
    env.write("status.txt", &bob.panel(66, "15:55 on 21 Apr"));
    env.run(&["backup", "--status-file", "status.txt"])
        .code(0)
        .stderr("");
    assert!(!env.path(&left).exists());
    assert_eq!(
        env.read(&toml("bob")),
        format!("{}{}", told(&bob), env.used_here(NOW))
    );
}

#[test]
fn a_new_profile_takes_no_name_that_is_an_alias() {
    let (env, ..) = world();
    let carol = Person::named("carol");
    env.run(&["profile", "set", "bob", "alias=Carol"]).code(0);
    env.write(".codex/auth.json", &carol.auth_json());
    env.write("status.txt", &carol.panel(66, "15:55 on 21 Apr"));
    env.run(&["backup", "--status-file", "status.txt"]).code(0);
    assert_eq!(
        env.read(&toml("carol-2")),
        format!("{}{}", told(&carol), env.used_here(NOW))
    );
}

#[test]
fn the_plan_is_that_of_the_login_that_is_kept() {
    let (env, alice, _) = world();
    let hand_made = "# mine\nplan_type = \"plus\" # sometimes pro\n";
    let rest = told(&alice).replace("plan_type = \"plus\"\n", "");
    env.write(&toml("alice"), &format!("{hand_made}{rest}"));
    let backup = |person: &Person| {
        env.write(".codex/auth.json", &person.auth_json());
        env.write("status.txt", &person.panel(66, "15:55 on 21 Apr"));
        env.run(&["backup", "--status-file", "status.txt"])
            .code(0)
            .stderr("");
        env.read(&toml("alice"))
    };
    let pro = Person {
        plan: "pro".to_owned(),
        last_refresh: "2026-04-18T01:00:00Z".to_owned(),
        ..alice.clone()
    };
    let of_pro = format!("{}{rest}", hand_made.replace("\"plus\"", "\"pro\""));
    let standing = backup(&pro);
    let of_pro = of_pro + &env.used_here(NOW);
    assert_eq!(standing, of_pro);
    // An older login is not kept, and its plan is not believed.
    assert_eq!(backup(&alice), of_pro);
}

#[test]
fn the_hours_of_a_profile_count_for_the_legacy_files_of_its_email_alone() {
    let env = Env::new();
    let (alice, bob) = (Person::named("alice"), Person::named("bob"));
    for person in [&alice, &bob] {
        let file = format!("21apr_{}_auth.json", person.email);
        legacy(
            &env,
            &file,
            &person.auth_json(),
            "2026-04-14T17:55:00+05:30",
        );
    }
    put(&env, "alice", &alice, "session_duration_hours = 3\n");
    let starts = |args: &[&str], expected: [&str; 2]| {
        let all = [&["normalize", "--source-dir", "legacy", "--json"], args].concat();
        let ran = env.run(&all).code(0).stderr("");
        let records = ran.json()["records"].clone();
        let found = [0, 1].map(|index| {
            records[index]["session_start_at"]
                .as_str()
                .map(|time| time[11..16].to_owned())
        });
        assert_eq!(found.map(Option::unwrap_or_default), expected);
        ran.json()["written"].clone()
    };
    assert_eq!(starts(&[], ["14:55", "15:55"]), true);
    assert_eq!(starts(&[], ["14:55", "15:55"]), false);
    starts(
        &["--session-duration-hours", "1", "--dry-run"],
        ["16:55", "16:55"],
    );
    env.write(
        ".codex-manager/config.toml",
        "normalize.session_duration_hours = 0.5\n",
    );
    starts(&[], ["14:55", "17:25"]);
    env.run(&["profile", "set", "alice", "session_duration_hours=0"])
        .code(0)
        .stderr("");
    let ran = env
        .run(&["cooldown", "--refresh", "--source-dir", "legacy", "--json"])
        .code(0)
        .stderr("");
    assert!(
        ran.stdout.contains("2026-04-14T17:55:00+05:30"),
        "{}",
        ran.stdout
    );
    // Of two profiles with the email neither counts, which is told where it is set.
    put(&env, "alice-2", &alice.in_workspace("team"), "");
    starts(&[], ["17:25", "17:25"]);
    let ran = env
        .run(&["profile", "set", "alice-2", "session_duration_hours=1"])
        .code(0);
    assert_eq!(
        ran.stderr,
        "warning: the hours do not count: legacy files name no more than alice@example.com, which is the email of alice too\n"
    );
    // What is out of range is no profile.
    env.write(&toml("alice-2"), "session_duration_hours = -1\n");
    let broken = "the profile `~/.codex-manager/profiles/alice-2/profile.toml` cannot be read: `session_duration_hours` takes a number of hours from 0 to 8784";
    for args in [&["normalize"][..], &["cooldown", "--refresh"]] {
        let ran = env
            .run(&[args, &["--source-dir", "legacy", "--quiet"]].concat())
            .code(0);
        assert_eq!(ran.stderr, format!("warning: {broken}\n"));
    }
    assert_eq!(starts_of(&env), ["17:55", "17:25"]);
}

/// When the sessions of the inventory's records began.
fn starts_of(env: &Env) -> Vec<String> {
    let inventory: Value =
        serde_json::from_str(&env.read(".codex-manager/inventory.json")).expect("JSON");
    let records = inventory["records"].as_array().expect("records");
    let start = |record: &Value| {
        record["session_start_at"]
            .as_str()
            .map(|time| time[11..16].to_owned())
    };
    records.iter().filter_map(start).collect()
}

#[test]
fn every_subcommand_tells_its_options_and_every_exit_code() {
    let env = Env::new();
    for (command, usage) in [
        ("list", "list [OPTIONS]"),
        ("show", "show [OPTIONS] <NAME>"),
        ("set", "set [OPTIONS] <NAME> <KEY=VALUE>..."),
        ("rename", "rename [OPTIONS] <NAME> <NEW_NAME>"),
        ("remove", "remove [OPTIONS] <NAME>"),
    ] {
        let help = env
            .run(&["profile", command, "--help"])
            .code(0)
            .stderr("")
            .stdout;
        assert!(
            help.contains(&format!("\nUsage: codex-manager profile {usage}\n")),
            "{help}"
        );
        assert!(help.contains("\nExit codes:\n"), "{help}");
        assert_eq!(
            help.contains("--dry-run"),
            !["list", "show"].contains(&command),
            "{help}"
        );
    }
    env.run(&["profile"]).code(2).stdout("");
}

/// What a terminal of that many columns shows of a run whose question is answered so, and its exit code.
#[cfg(unix)]
pub fn on_terminal(
    env: &Env,
    args: &[&str],
    cols: u16,
    answer: &dyn Fn() -> &'static str,
) -> (String, u32) {
    use std::io::{Read, Write};
    let size = portable_pty::PtySize {
        rows: 24,
        cols,
        ..Default::default()
    };
    let pair = portable_pty::native_pty_system()
        .openpty(size)
        .expect("opens");
    let plain = env.command(args);
    let mut command = portable_pty::CommandBuilder::new(plain.get_program());
    command.args(plain.get_args());
    command.env_clear();
    for (name, value) in plain.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.env("NO_COLOR", "1");
    command.cwd(env.home());
    let mut child = pair.slave.spawn_command(command).expect("starts");
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().expect("reads");
    let mut writer = pair.master.take_writer().expect("writes");
    let mut shown = Vec::new();
    // It ends with an error once nobody has the terminal open.
    let mut chunk = [0; 1024];
    while let Ok(count @ 1..) = reader.read(&mut chunk) {
        shown.extend_from_slice(&chunk[..count]);
        if shown.ends_with(b"[y/N] ") {
            writer.write_all(answer().as_bytes()).expect("types");
        }
    }
    let code = child.wait().expect("ends").exit_code();
    let shown = String::from_utf8_lossy(&shown).replace("\r\n", "\n");
    assert!(!shown.contains(SECRET), "{shown}");
    (shown.replace(&env.home().display().to_string(), "~"), code)
}

#[cfg(unix)]
#[test]
fn on_a_terminal_the_list_fits_and_a_removal_is_asked_for() {
    let (env, ..) = world();
    let list = |cols| on_terminal(&env, &["profile", "list"], cols, &|| "").0;
    assert_eq!(
        list(40),
        "PROFILE        LOGIN      PLAN\n* alice (al)   renewable  plus\n  alice-2      renewable  plus\n  bob, paused  renewable  plus\n"
    );
    assert_eq!(
        list(80),
        "\
PROFILE        ACCOUNT                       LOGIN      RENEWED           PLAN
* alice (al)   alice@example.com [ws-alice]  renewable  2026-04-14 17:55  plus
  alice-2      alice@example.com [team]      renewable  2026-04-14 17:55  plus
  bob, paused  bob@example.com               renewable  2026-04-14 17:55  plus
"
    );
    assert!(list(200).contains("  NOTE\n"));
    env.write(&format!("{PROFILES}/bob/notes.txt"), "mine");
    let before = prints(&env.path(".codex-manager"));
    let remove = |answer: &dyn Fn() -> &'static str| {
        on_terminal(&env, &["profile", "remove", "bob"], 200, answer)
    };
    let question = "warning: nothing else is known to hold a login of bob@example.com: to use it again somebody must sign in\n\
        remove the profile `bob` of bob@example.com with all that is in it: what it says, its login and what else lies \
        there: `notes.txt`? [y/N] ";
    let (shown, code) = remove(&|| "n\n");
    assert!(shown.contains(question), "{shown}");
    assert!(
        shown.ends_with(
            "error: not confirmed; nothing was changed\nhint: answer `y`, or say `--yes`\n"
        ),
        "{shown}"
    );
    assert_eq!((code, prints(&env.path(".codex-manager"))), (1, before));
    // What was not confirmed does not go.
    let changing = || {
        env.write(&format!("{PROFILES}/bob/more.txt"), "mine too");
        "y\n"
    };
    let (shown, code) = remove(&changing);
    let changed = "y\nerror: `~/.codex-manager/profiles/bob` changed meanwhile; nothing was removed\nhint: run the command again\n";
    assert!(shown.ends_with(changed), "{shown}");
    assert_eq!(
        (code, env.path(PROFILES).join("bob/auth.json").exists()),
        (1, true)
    );
    let (shown, code) = remove(&|| "y\n");
    assert!(shown.contains("removed  bob\n"), "{shown}");
    assert_eq!((code, env.path(PROFILES).join("bob").exists()), (0, false));
}

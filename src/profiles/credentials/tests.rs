//! Which profile is whose, what it is called, and which login stays in it.

use base64::Engine;
use proptest::prelude::*;
use serde_json::json;

use std::path::PathBuf;

use super::*;

struct World {
    home: tempfile::TempDir,
    lock: Lock,
}

impl World {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let lock = Lock::try_acquire(home.path(), "test", None).expect("free");
        Self { home, lock }
    }

    fn dir(&self) -> PathBuf {
        self.home.path().join("profiles")
    }

    fn write(&self, below: &str, text: &str) {
        let path = self.dir().join(below);
        fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
        fs::write(path, text).expect("writes");
    }

    fn text(&self, below: &str) -> String {
        fs::read_to_string(self.dir().join(below)).expect("reads")
    }

    fn keep_among(&self, text: &str, known: &[Account]) -> Kept {
        let login = auth::parse(text.as_bytes()).expect("a login");
        let parts = (text.as_bytes(), &login);
        keep(&self.dir(), &self.lock, parts, &|| known.to_vec(), latest()).expect("keeps")
    }

    fn keep(&self, text: &str) -> Kept {
        self.keep_among(text, &[])
    }

    fn names(&self) -> Vec<String> {
        names_in(&self.dir()).expect("lists")
    }
}

fn latest() -> Stamp {
    Stamp::parse("2026-04-19T12:00:00Z").expect("a time")
}

/// A login of `email` that was renewed on that day of April.
fn login(email: &str, user: &str, workspace: &str, day: u8) -> String {
    let claims = json!({"email": email, "https://api.openai.com/auth":
        {"chatgpt_user_id": user, "chatgpt_account_id": workspace, "chatgpt_plan_type": "plus"}});
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims.to_string());
    json!({"tokens": {"id_token": format!("e30.{claims}.x"), "access_token": "x", "refresh_token": format!("rt-{day}")},
        "last_refresh": format!("2026-04-{day:02}T00:00:00Z")})
    .to_string()
}

fn alice(day: u8) -> String {
    login("alice@example.com", "user-a", "ws-1", day)
}

fn account(text: &str) -> Account {
    auth::parse(text.as_bytes()).expect("a login").account
}

fn written(name: &str) -> Kept {
    Kept::Written(name.to_owned())
}

fn already(name: &str) -> Kept {
    Kept::Already(name.to_owned())
}

#[test]
fn the_newer_login_stays_whatever_comes_after_it() {
    let world = World::new();
    assert_eq!(world.keep(&alice(3)), written("alice"));
    assert_eq!(
        world.text("alice/profile.toml"),
        "email = \"alice@example.com\"\naccount_id = \"ws-1\"\nuser_id = \"user-a\"\nplan_type = \"plus\"\n"
    );
    assert_eq!(world.keep(&alice(3)), already("alice"));
    assert_eq!(world.keep(&alice(2)), already("alice"));
    assert_eq!(world.text("alice/auth.json"), alice(3));
    assert_eq!(world.keep(&alice(4)), written("alice"));
    assert_eq!(world.text("alice/auth.json"), alice(4));
    let (found, problems) = find(&world.dir(), &account(&alice(1)), latest());
    let found = found.expect("kept");
    assert_eq!(
        (found.profile.as_str(), found.bytes, problems),
        ("alice", alice(4).into_bytes(), vec![])
    );
}

#[test]
fn workspaces_of_one_email_members_of_one_team_and_keys_stay_apart() {
    let world = World::new();
    let key = r#"{"OPENAI_API_KEY":"sk-made-up"}"#;
    let of_key = account(key).user_id.expect("an id");
    for (text, name) in [
        (alice(3), "alice"),
        (login("alice@example.com", "user-a", "team", 2), "alice-2"),
        (login("bob@example.com", "user-b", "team", 1), "bob"),
        (
            login("Alice@other.example.com", "user-c", "ws-3", 5),
            "alice-3",
        ),
        (key.to_owned(), of_key.as_str()),
    ] {
        assert_eq!(world.keep(&text), written(name));
        assert_eq!(world.keep(&text), already(name));
        assert_eq!(world.text(&format!("{name}/auth.json")), text);
        let (found, _) = find(&world.dir(), &account(&text), latest());
        assert_eq!(found.map(|found| found.profile).as_deref(), Some(name));
    }
    // Who changed their email is who they were.
    let renamed = login("alicia@example.com", "user-a", "ws-1", 9);
    assert_eq!(world.keep(&renamed), written("alice"));
    assert_eq!(world.names().len(), 5);
}

#[test]
fn a_profile_by_email_is_completed_where_nobody_else_is_meant() {
    let hand_made =
        "# mine\r\nalias = \"al\"\r\nemail = \"Alice@Example.com\" # work\r\npaused = true";
    let other = account(&login("alice@example.com", "user-a", "team", 1));
    let same = account(&alice(1));
    for (known, name) in [
        (vec![], "job"),
        (
            vec![same.clone(), Account::of_email("alice@example.com")],
            "job",
        ),
        (vec![same, other], "alice"),
    ] {
        let world = World::new();
        world.write("job/profile.toml", hand_made);
        assert_eq!(
            world.keep_among(&alice(3), &known),
            written(name),
            "{known:?}"
        );
        let text = world.text("job/profile.toml");
        if name == "job" {
            let added =
                "\r\naccount_id = \"ws-1\"\r\nuser_id = \"user-a\"\r\nplan_type = \"plus\"\r\n";
            assert_eq!(text, format!("{hand_made}{added}"));
        } else {
            assert_eq!(text, hand_made);
        }
        assert_eq!(world.keep_among(&alice(3), &known), already(name));
    }
    // Two of them: either may be another account's.
    let world = World::new();
    world.write("a/profile.toml", "email = \"alice@example.com\"\n");
    world.write("b/profile.toml", "email = \"alice@example.com\"\n");
    assert_eq!(world.keep(&alice(3)), written("alice"));
    // One whose login is of somebody else.
    let world = World::new();
    world.write("alice/profile.toml", "email = \"alice@example.com\"\n");
    world.write(
        "alice/auth.json",
        &login("alice@example.com", "user-a", "team", 1),
    );
    assert_eq!(world.keep(&alice(3)), written("alice-2"));
    assert_eq!(
        world.text("alice/profile.toml"),
        "email = \"alice@example.com\"\n"
    );
}

/// A run may be killed when it has made the directory, and before anything is in it.
#[test]
fn a_directory_without_anything_in_it_is_nobodys() {
    let world = World::new();
    fs::create_dir_all(world.dir().join("alice")).expect("makes");
    assert_eq!(world.keep(&alice(14)), written("alice"));
    assert_eq!(world.names(), ["alice"]);
}

#[test]
fn what_is_broken_is_told_and_stays() {
    let world = World::new();
    world.keep(&alice(3));
    for (text, why) in [
        ("", "it is empty"),
        ("{\"tok", "it is no login of Codex (line 1, column 5)"),
        (
            login("alice@example.com", "user-a", "team", 1).as_str(),
            "it is of another account than alice@example.com",
        ),
    ] {
        world.write("alice/auth.json", text);
        let path = world.dir().join("alice/auth.json").display().to_string();
        let reason = format!(
            "the kept login `{path}` cannot be used: {why}; it stays as it is until you move it away"
        );
        assert_eq!(world.keep(&alice(9)), Kept::Refused(reason.clone()));
        assert_eq!(world.text("alice/auth.json"), text);
        let (found, problems) = find(&world.dir(), &account(&alice(1)), latest());
        assert!(found.is_none());
        assert_eq!(problems, [reason]);
    }
    // A profile that cannot be read is known by its login, and one without by nothing.
    let world = World::new();
    world.write("mine/profile.toml", "email = ");
    world.write("mine/auth.json", &alice(3));
    assert_eq!(world.keep(&alice(4)), written("mine"));
    assert_eq!(world.text("mine/profile.toml"), "email = ");
    assert_eq!(world.text("mine/auth.json"), alice(4));
    fs::remove_file(world.dir().join("mine/profile.toml")).expect("removes");
    assert_eq!(world.keep(&alice(4)), already("mine"));
    assert!(world.text("mine/profile.toml").contains("user-a"));
    world.write("alice/profile.toml", "pausd = true");
    world.write("alice/auth.json", "{}");
    assert_eq!(
        world.keep(&login("alice@example.com", "user-a", "team", 1)),
        written("alice-2")
    );
    assert_eq!(world.text("alice/auth.json"), "{}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// In whatever order the logins of two accounts come, each profile ends with the newest of its own.
    #[test]
    fn the_newest_of_each_account_stays(days in proptest::collection::vec((any::<bool>(), 1_u8..19), 1..12)) {
        let world = World::new();
        let of = |is_team: bool, day| login("alice@example.com", "user-a", if is_team { "team" } else { "ws-1" }, day);
        for (is_team, day) in &days {
            world.keep(&of(*is_team, *day));
        }
        for is_team in [true, false] {
            let newest = days.iter().filter(|(team, _)| *team == is_team).map(|(_, day)| *day).max();
            let (found, _) = find(&world.dir(), &account(&of(is_team, 1)), latest());
            let expected = newest.map(|day| of(is_team, day).into_bytes());
            prop_assert_eq!(found.map(|found| found.bytes), expected);
        }
    }
}

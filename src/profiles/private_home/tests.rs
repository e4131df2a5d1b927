//! What is kept of a home of our own, by whom, and when it goes.

use base64::Engine;
use serde_json::json;

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

    fn tmp(&self) -> PathBuf {
        self.home.path().join("tmp")
    }

    fn kept(&self, profile: &str) -> Option<String> {
        let path = self.home.path().join("profiles").join(profile);
        fs::read_to_string(path.join(AUTH_JSON)).ok()
    }

    fn keeping<T>(&self, work: impl FnOnce(&Keeper) -> T) -> T {
        work(&Keeper {
            profiles: &self.home.path().join("profiles"),
            lock: &self.lock,
            known: &Vec::new,
            latest: Stamp::parse("2026-04-29T12:00:00Z").expect("a time"),
        })
    }

    fn keep(&self, text: &str) {
        let login = crate::codex::auth::parse(text.as_bytes()).expect("a login");
        self.keeping(|keeper| {
            let parts = (text.as_bytes(), &login);
            let known = keeper.known;
            credentials::keep(keeper.profiles, keeper.lock, parts, known, keeper.latest)
        })
        .expect("keeps");
    }

    fn make(&self, purpose: Purpose, profile: &str, auth_json: Option<&str>) -> PrivateHome {
        let auth_json = auth_json.map(str::as_bytes);
        let replaced: Vec<String> = auth_json.iter().map(|it| credentials::sha256(it)).collect();
        let (of, login) = ((purpose, profile), (&*replaced, auth_json));
        PrivateHome::make(&self.tmp(), &self.lock, of, "a = 1\n", login).expect("makes")
    }

    fn take_in_all(&self) -> Vec<Taken> {
        self.keeping(|keeper| take_in_all(&self.tmp(), keeper))
    }

    fn homes(&self) -> usize {
        fs::read_dir(self.tmp()).expect("lists").count()
    }
}

/// Alice's login as it was renewed on that day of April.
fn alice(day: u8) -> String {
    let claims = json!({"email": "alice@example.com", "https://api.openai.com/auth":
        {"chatgpt_user_id": "user-a", "chatgpt_account_id": "ws-1"}});
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims.to_string());
    json!({"tokens": {"id_token": format!("e30.{claims}.x"), "access_token": "x", "refresh_token": format!("rt-{day}")},
        "last_refresh": format!("2026-04-{day:02}T00:00:00Z")})
    .to_string()
}

fn written(taken: &Taken) -> Option<&str> {
    match taken {
        Taken::Kept {
            profile,
            is_new: true,
            ..
        } => Some(profile),
        _ => None,
    }
}

#[test]
fn a_renewed_login_is_kept_and_the_home_goes() {
    let world = World::new();
    world.keep(&alice(10));
    let home = world.make(Purpose::Probe, "alice", Some(&alice(10)));
    let there = |name: &str| fs::read_to_string(home.path().join(name)).expect("reads");
    assert_eq!(
        (there(AUTH_JSON), there(CONFIG_TOML)),
        (alice(10), "a = 1\n".to_owned())
    );
    fs::write(home.path().join(AUTH_JSON), alice(11)).expect("writes");
    let taken = world.keeping(|keeper| home.take_in(keeper));
    assert_eq!(written(&taken), Some("alice"));
    assert_eq!(world.kept("alice"), Some(alice(11)));
    assert_eq!(world.homes(), 0);
}

#[test]
fn a_login_that_came_of_the_kept_one_is_newer_whatever_the_clocks_say() {
    let world = World::new();
    world.keep(&alice(10));
    let home = world.make(Purpose::Probe, "alice", Some(&alice(10)));
    fs::write(home.path().join(AUTH_JSON), alice(9)).expect("writes");
    let taken = world.keeping(|keeper| home.take_in(keeper));
    assert_eq!(written(&taken), Some("alice"));
    assert_eq!(world.kept("alice"), Some(alice(9)));
    // Not where another one was kept meanwhile.
    let home = world.make(Purpose::Probe, "alice", Some(&alice(9)));
    world.keep(&alice(12));
    fs::write(home.path().join(AUTH_JSON), alice(8)).expect("writes");
    let taken = world.keeping(|keeper| home.take_in(keeper));
    assert_eq!(written(&taken), None);
    assert_eq!(world.kept("alice"), Some(alice(12)));
    assert_eq!(world.homes(), 0);
}

#[test]
fn only_what_nobody_works_in_is_taken_for_left() {
    let world = World::new();
    world.keep(&alice(10));
    let home = world.make(Purpose::Probe, "alice", Some(&alice(10)));
    fs::write(home.path().join(AUTH_JSON), alice(11)).expect("writes");
    fs::create_dir(world.tmp().join("something-else")).expect("makes");
    fs::write(world.tmp().join("probe-a-123456"), "no directory").expect("writes");
    assert!(world.take_in_all().is_empty());
    assert_eq!(world.homes(), 3);
    // As when a run is killed.
    drop(home);
    let taken = world.take_in_all();
    assert_eq!(
        taken.iter().filter_map(written).collect::<Vec<_>>(),
        ["alice"]
    );
    assert_eq!(world.kept("alice"), Some(alice(11)));
    assert_eq!(world.homes(), 2);
}

#[test]
fn what_cannot_be_kept_stays() {
    let world = World::new();
    let home = world.make(Purpose::Probe, "alice", Some("{}"));
    let path = home.path().to_owned();
    drop(home);
    for _ in 0..2 {
        let taken = world.take_in_all();
        let [Taken::Stays(why)] = taken.as_slice() else {
            panic!("{taken:?}");
        };
        let place = path.display().to_string();
        assert!(
            why.starts_with(&format!(
                "the login in `{place}` is not kept in a profile: "
            )) && why.ends_with("; it stays there until you move it away"),
            "{why}"
        );
    }
    assert!(path.join(AUTH_JSON).exists());
}

#[test]
fn somebody_who_signs_in_is_waited_for_and_gets_the_name_they_asked_for() {
    let world = World::new();
    let path = world
        .make(Purpose::Login, "my-work", None)
        .path()
        .to_owned();
    assert!(world.take_in_all().is_empty());
    assert!(path.exists());
    fs::write(path.join(AUTH_JSON), alice(11)).expect("writes");
    let taken = world.take_in_all();
    assert_eq!(written(&taken[0]), Some("my-work"));
    assert_eq!(world.kept("my-work"), Some(alice(11)));
    assert_eq!(world.homes(), 0);
    // The account has its profile now.
    let path = world.make(Purpose::Login, "other", None).path().to_owned();
    fs::write(path.join(AUTH_JSON), alice(12)).expect("writes");
    assert_eq!(written(&world.take_in_all()[0]), Some("my-work"));
}

#[test]
fn names_say_what_a_home_is_for() {
    assert_eq!(parts_of("probe-a-b-x1Y2z3"), Some((Purpose::Probe, "a-b")));
    assert_eq!(parts_of("login-a-x1Y2z3"), Some((Purpose::Login, "a")));
    for other in [
        "probe-x1Y2z3",
        "probe--x1Y2z3",
        "login-a-x1",
        "lock",
        "backup-a-x1Y2z3",
    ] {
        assert_eq!(parts_of(other), None, "{other}");
    }
}

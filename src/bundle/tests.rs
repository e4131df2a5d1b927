//! Two machines that take in what the other knows end with the same; what comes never takes the place of what is newer; what
//! cannot be is refused as a whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::codex::auth;
use crate::error::Kind;
use crate::lock::Lock;
use crate::metadata::{Account, StatusSource, ValidationStatus, WindowState};
use crate::observation::Observation;
use crate::profiles::credentials;
use crate::timeutil::{SessionStart, Zone};

const BASE: i64 = 1_776_000_000;

fn stamp(hours: i64) -> Stamp {
    let utc = Zone::named("UTC").expect("a zone");
    Stamp::from_unix(BASE + hours * 3600, &utc).expect("in range")
}

fn latest() -> Stamp {
    stamp(1000)
}

fn person(name: &str) -> Account {
    Account {
        email: Some(format!("{name}@example.com")),
        user_id: Some(format!("user-{name}")),
        account_id: Some("ws-1".to_owned()),
    }
}

/// A login that was renewed in that hour.
fn login(name: &str, hour: i64) -> String {
    let claims = json!({"email": format!("{name}@example.com"), "https://api.openai.com/auth":
        {"chatgpt_user_id": format!("user-{name}"), "chatgpt_account_id": "ws-1", "chatgpt_plan_type": "plus"}});
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims.to_string());
    json!({"tokens": {"id_token": format!("e30.{claims}.x"), "access_token": "x", "refresh_token": format!("rt-{hour}")},
        "last_refresh": stamp(hour).to_string()})
    .to_string()
}

fn seen(hour: i64, window: i64) -> Observation {
    Observation {
        source: StatusSource::AppServer,
        observed_at: stamp(hour),
        session_start_at: Some(SessionStart(stamp(window * 168))),
        reset_at: None,
        window_state: WindowState::Running,
        quota_percent_left: Some(50),
        quota_text: None,
        limits: Vec::new(),
        quota_end_detected_at: None,
        is_guess: false,
        is_refused: false,
        validation_status: ValidationStatus::Ok,
        plan_type: None,
        rest: serde_json::Map::new(),
    }
}

struct World {
    _dir: tempfile::TempDir,
    places: Places,
    lock: Lock,
    machine: Machine,
}

impl World {
    fn new(hostname: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let home = dir.path().join("manager");
        let lock = Lock::try_acquire(&home, "test", None).expect("free");
        let places = Places {
            backup_dir: home.join("backups"),
            inventory: home.join("inventory.json"),
            registry: home.join("cooldown.json"),
            profiles: home.join("profiles"),
            codex_home: dir.path().join("codex"),
            manager_home: home,
        };
        let machine = Machine {
            id: machine::id(&places.manager_home, &lock).expect("makes"),
            hostname: Some(hostname.to_owned()),
        };
        Self {
            _dir: dir,
            places,
            lock,
            machine,
        }
    }

    fn keep(&self, text: &str) {
        let login = auth::parse(text.as_bytes()).expect("a login");
        let login = (text.as_bytes(), &login);
        let dir = &self.places.profiles;
        credentials::keep(dir, &self.lock, login, &|| Vec::new(), latest()).expect("keeps");
    }

    fn observe(&self, sightings: &[(&str, i64, i64)]) {
        let mut registry = Registry::load(&self.places.registry).expect("whole");
        for (who, hour, window) in sightings {
            registry.record(&person(who), seen(*hour, *window), Some(latest()));
        }
        registry.save(&self.places.registry).expect("saves");
    }

    fn write(&self, below: &str, text: &str) {
        let path = self.places.manager_home.join(below);
        fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
        fs::write(path, text).expect("writes");
    }

    fn text(&self, below: &str) -> String {
        fs::read_to_string(self.places.manager_home.join(below)).expect("reads")
    }

    fn gather_with(&self, credentials: bool, warnings: &mut Vec<String>) -> Bundle {
        let include = Include {
            credentials,
            settings: true,
        };
        let bundle = gather(&self.places, &self.machine, stamp(500), include, warnings);
        let bundle = bundle.expect("gathers");
        let bytes = bundle.bytes().expect("writes");
        assert_eq!(Bundle::parse("it", &bytes).expect("reads"), bundle);
        bundle
    }

    fn gather(&self) -> Bundle {
        let mut warnings = Vec::new();
        let bundle = self.gather_with(true, &mut warnings);
        assert_eq!(warnings, [""; 0]);
        bundle
    }

    fn home(&self) -> Home<'_> {
        Home {
            places: &self.places,
            now: stamp(500),
            latest: latest(),
            heeds_removals: true,
        }
    }

    /// What became of it, as the plan says too.
    fn take(&self, bundle: &Bundle) -> Vec<(String, Deed, String)> {
        let mut warnings = Vec::new();
        let before = tree(&self.places.manager_home);
        let planned = plan(&self.home(), bundle, &mut warnings).expect("plans");
        assert_eq!(tree(&self.places.manager_home), before);
        let keeper = Keeper {
            profiles: &self.places.profiles,
            lock: &self.lock,
            known: &Vec::new,
            latest: latest(),
        };
        let done = perform(&self.home(), &keeper, bundle, &mut warnings).expect("performs");
        assert_eq!(warnings, [""; 0]);
        assert_eq!(done.items, planned.items);
        let told = |item: Item| (format!("{} {}", item.what, item.name), item.deed, item.why);
        done.items.into_iter().map(told).collect()
    }

    /// The logins by account, and the observations.
    fn state(&self) -> (BTreeMap<Account, Vec<u8>>, Vec<Entry>) {
        let registry = Registry::load(&self.places.registry).expect("whole");
        let bundle = self.gather();
        let logins = bundle.profiles.into_iter().filter_map(|told| told.login);
        let logins = logins
            .map(|(bytes, login)| (login.account, bytes))
            .collect();
        (logins, registry.entries)
    }
}

fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).expect("lists").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.display().to_string();
                found.insert(name, fs::read(path).expect("reads"));
            }
        }
    }
    found
}

fn deeds(told: &[(String, Deed, String)]) -> Vec<(&str, Deed)> {
    told.iter()
        .map(|(name, deed, _)| (name.as_str(), *deed))
        .collect()
}

#[test]
fn an_empty_machine_gets_everything_and_a_second_time_nothing() {
    let (one, two) = (World::new("one"), World::new("two"));
    one.keep(&login("alice", 5));
    one.observe(&[("alice", 5, 0), ("bob", 7, 0)]);
    one.write("config.toml", "color = \"never\"\n");
    let bobs = "# Bob's\nemail = \"bob@example.com\" # not signed in yet\nalias = \"b\"\n";
    one.write("profiles/bob/profile.toml", bobs);
    let told = two.take(&one.gather());
    assert_eq!(
        deeds(&told),
        [
            ("account alice@example.com", Deed::Add),
            ("account bob@example.com", Deed::Add),
            ("profile alice", Deed::Add),
            ("login alice@example.com (alice)", Deed::Add),
            ("profile bob", Deed::Add),
            ("setting color", Deed::Add),
        ]
    );
    assert_eq!(two.state(), one.state());
    assert_eq!(two.text("profiles/bob/profile.toml"), bobs);
    assert_eq!(two.text("config.toml"), "color = \"never\"\n");
    let stands = tree(&two.places.manager_home);
    let again = two.take(&one.gather());
    assert!(
        again.iter().all(|(_, deed, _)| *deed == Deed::Keep),
        "{again:?}"
    );
    assert_eq!(tree(&two.places.manager_home), stands);
    // Its own is nothing new either.
    let own = two.take(&two.gather());
    assert!(
        own.iter().all(|(_, deed, _)| *deed == Deed::Keep),
        "{own:?}"
    );
    assert_eq!(tree(&two.places.manager_home), stands);
}

#[test]
fn a_newer_login_stays_and_an_older_one_goes() {
    let (one, two) = (World::new("one"), World::new("two"));
    one.keep(&login("alice", 5));
    one.keep(&login("bob", 9));
    two.keep(&login("alice", 9));
    two.keep(&login("bob", 5));
    let told = two.take(&one.gather());
    let told: Vec<_> = told
        .iter()
        .filter(|(name, ..)| name.starts_with("login"))
        .collect();
    let said = |name: &str, deed, why: &str| (format!("login {name}"), deed, why.to_owned());
    let expected = [
        said(
            "alice@example.com (alice)",
            Deed::Keep,
            "the one here is as new, or newer",
        ),
        said(
            "bob@example.com (bob)",
            Deed::Update,
            "renewed later than the one here, on one",
        ),
    ];
    assert_eq!(told, expected.iter().collect::<Vec<_>>());
    assert_eq!(two.text("profiles/alice/auth.json"), login("alice", 9));
    assert_eq!(two.text("profiles/bob/auth.json"), login("bob", 9));
}

#[test]
fn what_a_person_said_here_stays_and_what_they_did_not_say_is_added() {
    let (one, two) = (World::new("one"), World::new("two"));
    for world in [&one, &two] {
        world.keep(&login("alice", 5));
    }
    let said = |world: &World, more: &str| {
        let text = world.text("profiles/alice/profile.toml");
        world.write("profiles/alice/profile.toml", &format!("{text}{more}"));
    };
    said(
        &one,
        "alias = \"work\" # mine\nnote = \"there\"\npaused = true\n",
    );
    said(&two, "note = 'here' # stays\n");
    let before = two.text("profiles/alice/profile.toml");
    two.take(&one.gather());
    let after = two.text("profiles/alice/profile.toml");
    assert_eq!(after, format!("{before}alias = \"work\"\npaused = true\n"));
    // An alias that means another profile here.
    two.write(
        "profiles/work/profile.toml",
        "email = \"bob@example.com\"\n",
    );
    two.write("profiles/alice/profile.toml", &before);
    let told = two.take(&one.gather());
    let (name, deed, why) = &told[0];
    assert_eq!((name.as_str(), *deed), ("profile alice", Deed::Update));
    assert_eq!(why, "what was not said here; its alias is taken here");
    let after = two.text("profiles/alice/profile.toml");
    assert_eq!(after, format!("{before}paused = true\n"));
}

#[test]
fn a_name_that_is_another_accounts_here_is_given_a_number() {
    let (one, two) = (World::new("one"), World::new("two"));
    one.write(
        "profiles/work/profile.toml",
        "email = \"alice@example.com\"\nalias = \"job\"\n",
    );
    one.write("profiles/other/profile.toml", "note = \"nobody's\"\n");
    two.write(
        "profiles/Work/profile.toml",
        "email = \"bob@example.com\"\nalias = \"JOB\"\n",
    );
    let told = two.take(&one.gather());
    assert_eq!(
        told.iter()
            .map(|(_, _, why)| why.as_str())
            .collect::<Vec<_>>(),
        [
            "there is none of its account",
            "as `work-2`: its name is taken here; its alias is taken here"
        ]
    );
    assert_eq!(
        two.text("profiles/work-2/profile.toml"),
        "email = \"alice@example.com\"\n"
    );
    let again = two.take(&one.gather());
    assert!(
        again.iter().all(|(_, deed, _)| *deed == Deed::Keep),
        "{again:?}"
    );
}

#[test]
fn which_machine_used_an_account_last_is_the_later_ones() {
    let (one, two) = (World::new("one"), World::new("two"));
    for (world, hour) in [(&one, 40), (&two, 60)] {
        world.keep(&login("alice", 5));
        let mut registry = Registry::load(&world.places.registry).expect("whole");
        registry.saw_live(Path::new("/home/a/.codex"), &person("alice"), stamp(hour));
        registry.save(&world.places.registry).expect("saves");
    }
    let (first, second) = (one.gather(), two.gather());
    one.take(&second);
    two.take(&first);
    let uses = [&one, &two].map(|world| {
        let told = world.gather().profiles.remove(0);
        told.last_use.expect("known")
    });
    assert_eq!(uses[0], uses[1]);
    assert_eq!((uses[0].place(), uses[0].at), ("two", stamp(60)));
    // Whoever has it from elsewhere says so, and nothing of its own record.
    assert!(
        one.text("profiles/alice/profile.toml")
            .contains("last_used_on = \"two\"\n")
    );
    assert!(
        !two.text("profiles/alice/profile.toml")
            .contains("last_used")
    );
}

#[test]
fn without_encryption_no_login_leaves_and_what_is_broken_is_told() {
    let one = World::new("one");
    one.keep(&login("alice", 5));
    one.write("profiles/odd/profile.toml", "pausd = true\n");
    one.write("profiles/steering/profile.toml", "note = \"a\\u001b[2J\"\n");
    one.write("profiles/two words/profile.toml", "note = \"n\"\n");
    let mut warnings = Vec::new();
    let bundle = one.gather_with(false, &mut warnings);
    let names: Vec<_> = bundle
        .profiles
        .iter()
        .map(|told| told.name.as_str())
        .collect();
    assert_eq!(names, ["account", "alice"]);
    assert!(bundle.profiles.iter().all(|told| told.login.is_none()));
    assert!(
        !String::from_utf8(bundle.bytes().expect("writes"))
            .expect("text")
            .contains("auth_json")
    );
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings[0].contains("unknown field `pausd`") && warnings[0].ends_with("; it is left out")
    );
    assert!(warnings[1].contains("its note holds control letters; it is left out"));
}

fn document() -> Value {
    let one = World::new("one");
    one.keep(&login("alice", 5));
    one.observe(&[("alice", 5, 0)]);
    serde_json::from_slice(&one.gather().bytes().expect("writes")).expect("json")
}

#[test]
#[allow(clippy::too_many_lines)] // one list
fn what_no_machine_wrote_is_refused_as_a_whole() {
    let refused = |document: &str| {
        let error = Bundle::parse("the file", document.as_bytes()).expect_err(document);
        assert_eq!(error.kind(), Kind::ArchiveDamaged);
        let text = error.to_string();
        assert!(!text.contains("rt-5") && !text.contains('\u{1b}'), "{text}");
        let why = text
            .strip_prefix("the file cannot be used: ")
            .expect("named");
        why.strip_suffix("; nothing was changed")
            .expect("told")
            .to_owned()
    };
    for (text, why) in [
        ("", "it is damaged in line 1, column 0"),
        ("{}", "it is no document of codex-manager"),
        (
            "{\"product\":\"codex\",\"format\":1}",
            "it is no document of codex-manager",
        ),
        (
            "{\"product\":\"codex-manager\"}",
            "it does not say of which form it is",
        ),
        (
            "{\"product\":\"codex-manager\",\"format\":2,\"new\":[]}",
            "it is of form 2, this program knows 1",
        ),
        (
            "{\"product\":\"codex-manager\",\"format\":1}",
            "it is damaged in line 1, column 38",
        ),
    ] {
        assert_eq!(refused(text), why);
    }
    let sound = document();
    Bundle::parse("it", sound.to_string().as_bytes()).expect("sound");
    let with = |pointer: &str, value: Value| {
        let mut document = sound.clone();
        *document.pointer_mut(pointer).expect(pointer) = value;
        refused(&document.to_string())
    };
    let bobs = base64::engine::general_purpose::STANDARD.encode(login("bob", 5));
    for (pointer, value, why) in [
        (
            "/machine/id",
            json!("../../../../etc"),
            "the machine's id is none",
        ),
        (
            "/machine/hostname",
            json!("a\u{1b}[2J"),
            "the machine's name in it holds control letters",
        ),
        (
            "/registry/accounts/0/email",
            json!("a\nb"),
            "an account in it holds control letters",
        ),
        (
            "/registry/accounts/0/email",
            json!("a".repeat(600)),
            "an account in it is too long",
        ),
        (
            "/profiles/0/name",
            json!("../x"),
            "a profile has a name that cannot be one: it is no name for a directory on every system",
        ),
        (
            "/profiles/0/name",
            json!(".."),
            "a profile has a name that cannot be one: it begins or ends with `.` or `-`",
        ),
        (
            "/profiles/0/auth_json",
            json!("%"),
            "the profile `alice` in it cannot be read: its login is no base64",
        ),
        (
            "/profiles/0/auth_json",
            json!("e30="),
            "the profile `alice` in it cannot be read: its login: it holds no login",
        ),
        (
            "/profiles/0/auth_json",
            json!(bobs),
            "the profile `alice` in it cannot be read: its login is of another account",
        ),
        (
            "/profiles/0/profile_toml",
            json!("alias = \"a\\u001b\""),
            "the profile `alice` in it cannot be read: the alias in it holds control letters",
        ),
    ] {
        assert_eq!(with(pointer, value), why);
    }
    let mut twice = sound.clone();
    let again = twice["profiles"][0].clone();
    twice["profiles"]
        .as_array_mut()
        .expect("a list")
        .push(again);
    assert_eq!(
        refused(&twice.to_string()),
        "two of its profiles are called `alice`"
    );
    let record = json!([{"email": "a@example.com", "legacy_auth_filename": "../x", "legacy_quota_day_token": "21apr",
        "quota_end_detected_at": "2026-04-21T00:00:00Z", "session_start_at": "2026-04-21T00:00:00Z",
        "next_available_at": "2026-04-28T00:00:00Z", "inferred_session_duration_seconds": 1, "proposed_archive_name": "x",
        "validation_status": "ok", "validation_details": "", "source_path": "/x"}]);
    let mut document = sound.clone();
    document["inventory"] = record;
    assert_eq!(
        refused(&document.to_string()),
        "a record of its inventory is of no legacy file"
    );
}

const NAMES: [&str; 3] = ["alice", "bob", "carol"];

/// Who renewed a login when; who was seen when in which window.
type Past = (Vec<(usize, i64)>, Vec<(usize, i64, i64)>);

/// Logins and sightings of one machine, each later than the one before.
fn any_machine() -> impl Strategy<Value = Past> {
    let logins = prop::collection::vec((0..3_usize, 1..4_i64), 0..4);
    let sightings = prop::collection::vec((0..3_usize, 1..4_i64, 0..3_i64), 0..5);
    (logins, sightings).prop_map(|(logins, sightings)| {
        let mut clock = 0;
        let mut later = |by: i64| {
            clock += by;
            clock
        };
        let logins = logins
            .into_iter()
            .map(|(who, by)| (who, later(by)))
            .collect();
        let sightings = sightings
            .into_iter()
            .map(|(who, by, window)| (who, later(by), window));
        (logins, sightings.collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn either_way_round_both_end_with_the_same(one in any_machine(), two in any_machine()) {
        let worlds = [("one", one), ("two", two)].map(|(name, (logins, sightings))| {
            let world = World::new(name);
            for (who, hour) in logins {
                world.keep(&login(NAMES[who], hour));
            }
            let sightings: Vec<_> = sightings.iter().map(|(who, hour, window)| (NAMES[*who], *hour, *window)).collect();
            world.observe(&sightings);
            world
        });
        let [one, two] = &worlds;
        let (first, second) = (one.gather(), two.gather());
        one.take(&second);
        two.take(&first);
        let state = one.state();
        prop_assert_eq!(&state, &two.state());
        // Once more, of whichever: nothing.
        for bundle in [&first, &second, &two.gather()] {
            let again = one.take(bundle);
            prop_assert!(again.iter().all(|(_, deed, _)| *deed == Deed::Keep), "{:?}", again);
        }
        prop_assert_eq!(one.state(), state);
    }
}

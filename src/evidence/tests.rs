//! That to read only the snapshots that can matter gives what to read every one of them gives.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::accounts::{Row, rows};
use crate::metadata::{Account, BackupMode, BackupName, Sidecar, StatusSource, WindowState};
use crate::observation::Observation;
use crate::timeutil::SessionStart;

fn utc() -> Zone {
    Zone::named("UTC").expect("a zone")
}

fn now() -> Stamp {
    Stamp::parse("2026-06-01T12:00:00Z").expect("a time")
}

/// One snapshot of an account, after the one before.
#[derive(Clone, Debug)]
struct Step {
    /// Hours from the start of the window before to that of this.
    later: i64,
    /// Hours from its start until it was seen, and until its snapshot was made.
    seen: i64,
    made: i64,
    /// The zone its name is in, in hours.
    zone: i32,
    left: u8,
    what: What,
    has_plan: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Home,
    Login,
    /// Made with the window that was known last, and named by that, or by now where none was.
    Offline,
    /// Of an account without a weekly window.
    Windowless,
    /// By a clock five years ahead.
    WrongClock,
    Broken,
    WithoutSidecar,
    WithoutArchive,
    /// Where a directory stands instead of the archive.
    NoFile,
    /// Known by its email alone.
    ByEmail,
}

/// The snapshots of one account.
#[derive(Clone, Debug)]
struct Chain {
    /// Hours from the beginning of all to the first window.
    begins: i64,
    steps: Vec<Step>,
    /// How many of them are of the Python codex-manager.
    of_python: usize,
    /// How many go by an email it had before.
    renamed: usize,
    is_in_registry: bool,
}

/// One directory.
#[derive(Clone, Debug)]
struct World {
    /// Of each email, its accounts.
    emails: Vec<Vec<Chain>>,
    /// Whether two accounts of an email may share a name, as where two directories were thrown together: the registry
    /// tells of them then.
    is_shared: bool,
    /// Whether a person named them.
    is_hand_named: bool,
    active: Option<usize>,
}

fn step() -> impl Strategy<Value = Step> {
    let what = prop_oneof![
        8 => Just(What::Home),
        2 => Just(What::Login),
        1 => Just(What::Offline),
        1 => Just(What::Windowless),
        1 => Just(What::WrongClock),
        1 => Just(What::Broken),
        1 => Just(What::WithoutSidecar),
        1 => Just(What::WithoutArchive),
        1 => Just(What::NoFile),
        1 => Just(What::ByEmail),
    ];
    let later = prop_oneof![1_i64..24, 100_i64..200, 340_i64..400, 1000_i64..2000];
    let hours = (later, 0_i64..168, 0_i64..168, -11_i32..13);
    (hours, 0_u8..3, what, prop::bool::weighted(0.9)).prop_map(
        |((later, seen, made, zone), left, what, has_plan)| Step {
            later,
            seen,
            made: made.max(seen),
            zone,
            left: left * 50,
            what,
            has_plan,
        },
    )
}

fn chain() -> impl Strategy<Value = Chain> {
    let steps = prop::collection::vec(step(), 0..14);
    let few = prop_oneof![3 => Just(0_usize), 1 => 1_usize..10];
    (0_i64..4000, steps, few.clone(), few, any::<bool>()).prop_map(
        |(begins, steps, of_python, renamed, is_in_registry)| Chain {
            begins,
            steps,
            of_python,
            renamed,
            is_in_registry,
        },
    )
}

fn world() -> impl Strategy<Value = World> {
    let accounts = prop_oneof![
        3 => prop::collection::vec(chain(), 1..2),
        1 => prop::collection::vec(chain(), 2..3),
    ];
    let flag = || prop::bool::weighted(0.2);
    (
        prop::collection::vec(accounts, 1..4),
        flag(),
        flag(),
        prop::option::of(0_usize..4),
    )
        .prop_map(|(mut emails, is_shared, is_hand_named, active)| {
            // Of who goes by an email alone the registry cannot tell how many they are.
            let shared = emails
                .iter_mut()
                .filter(|chains| is_shared && chains.len() > 1);
            for chain in shared.flatten() {
                (chain.of_python, chain.renamed) = (0, 0);
            }
            World {
                emails,
                is_shared,
                is_hand_named,
                active,
            }
        })
}

fn hours(count: i64) -> TimeDelta {
    TimeDelta::hours(count)
}

/// What the snapshots of `chain` say of it, each with the clock of its name.
fn sidecars(chain: &Chain, account: &Account) -> Vec<(Stamp, Sidecar, What)> {
    let zone = utc();
    let mut start = Stamp::parse("2025-01-01T00:00:00Z")
        .expect("a time")
        .plus(hours(chain.begins), &zone);
    let mut known: Option<Sidecar> = None;
    let mut made: Vec<(Stamp, Sidecar, What)> = Vec::new();
    for (place, step) in chain.steps.iter().enumerate() {
        start = start.plus(hours(step.later), &zone);
        let shift = if step.what == What::WrongClock {
            hours(5 * 366 * 24)
        } else {
            hours(0)
        };
        let start = start.plus(shift, &zone);
        let seen_at = start.plus(hours(step.seen), &zone);
        // Made before the next window opens, since it would be named by that.
        let made_after = if step.what == What::Offline {
            0
        } else {
            step.made
        };
        let made_at = start.plus(hours(made_after), &zone);
        let has_window = step.what != What::Windowless;
        let is_of_python = place < chain.of_python;
        let mut sidecar = Sidecar {
            schema_version: (!is_of_python).then_some(1),
            email: account.email.clone(),
            user_id: account.user_id.clone(),
            account_id: account.account_id.clone(),
            plan_type: (step.has_plan && !is_of_python).then(|| format!("plan-{place}")),
            session_start_at: has_window.then_some(SessionStart(start)),
            quota_percent_left: Some(step.left),
            status_source: Some(StatusSource::AppServer),
            window_state: has_window.then_some(WindowState::Running),
            observed_at: (!is_of_python).then_some(seen_at),
            created_at: Some(made_at),
            backup_mode: Some(BackupMode::Full),
            ..Sidecar::default()
        };
        if place < chain.renamed {
            sidecar.email = account.email.as_ref().map(|email| format!("old-{email}"));
        }
        if is_of_python || step.what == What::ByEmail {
            (sidecar.user_id, sidecar.account_id) = (None, None);
        }
        if step.what == What::Login {
            sidecar.backup_mode = Some(BackupMode::AuthOnly);
        }
        let mut named = start;
        if !has_window {
            named = made_at;
        }
        if let (What::Offline, Some(known)) = (step.what, &known) {
            sidecar.session_start_at = known.session_start_at;
            sidecar.window_state = known.window_state;
            sidecar.observed_at = known.observed_at.or(known.created_at);
            sidecar.quota_percent_left = known.quota_percent_left;
            sidecar.status_source = Some(StatusSource::Offline);
            named = known.session_start_at.map_or(made_at, |start| start.0);
        }
        let offset = hours(i64::from(step.zone));
        let named = named.plus(offset, &zone);
        let is_readable = !matches!(
            step.what,
            What::Broken | What::WithoutSidecar | What::WithoutArchive | What::NoFile
        );
        if is_readable && step.what != What::WrongClock {
            known = Some(sidecar.clone());
        }
        // The same window keeps its name, and the new snapshot takes its place.
        let standing = made.iter_mut().find(|(_, other, _)| {
            sidecar.session_start_at.is_some()
                && other.session_start_at == sidecar.session_start_at
                && other.email == sidecar.email
        });
        match standing {
            Some(standing) => (standing.1, standing.2) = (sidecar, step.what),
            None => made.push((named, sidecar, step.what)),
        }
    }
    made
}

/// Writes `world` below `home`.
fn build(world: &World, home: &Path) -> Places {
    let places = Places {
        manager_home: home.to_owned(),
        backup_dir: home.join("backups"),
        inventory: home.join("inventory.json"),
        registry: home.join("cooldown.json"),
        profiles: home.join("profiles"),
        codex_home: home.join("codex"),
    };
    fs::create_dir_all(&places.backup_dir).expect("makes");
    let mut registry = Registry::default();
    let mut owners: HashMap<String, Account> = HashMap::new();
    for (who, chains) in world.emails.iter().enumerate() {
        for (place, chain) in chains.iter().enumerate() {
            let account = Account {
                email: Some(format!("user{who}@example.com")),
                user_id: Some(format!("user-{who}")),
                account_id: Some(format!("ws-{who}-{place}")),
            };
            if chain.is_in_registry || (world.is_shared && chains.len() > 1) {
                let observation = Observation {
                    source: StatusSource::Panel,
                    observed_at: now().plus(hours(-chain.begins), &utc()),
                    session_start_at: None,
                    reset_at: None,
                    window_state: WindowState::Unknown,
                    quota_percent_left: None,
                    quota_text: None,
                    limits: Vec::new(),
                    quota_end_detected_at: None,
                    is_guess: false,
                    is_refused: false,
                    validation_status: crate::metadata::ValidationStatus::Ok,
                    plan_type: None,
                    rest: serde_json::Map::new(),
                };
                registry.record(&account, observation, None);
            }
            for (named, sidecar, what) in sidecars(chain, &account) {
                let email = sidecar.email.clone().unwrap_or_default();
                let mut owner = email.clone();
                let taken = owners.entry(owner.clone()).or_insert(account.clone());
                if *taken != account && !world.is_shared {
                    owner = format!("{email}~{place}");
                }
                if world.is_hand_named {
                    owner = "mine".to_owned();
                }
                let base = BackupName::new(named, &owner);
                let archive = places.backup_dir.join(base.archive());
                let beside = places.backup_dir.join(base.sidecar());
                if archive.exists() || beside.exists() {
                    continue;
                }
                match what {
                    What::WithoutArchive => {}
                    What::NoFile => fs::create_dir(archive).expect("makes"),
                    _ => fs::write(archive, "").expect("writes"),
                }
                let text = serde_json::to_string(&sidecar).expect("writes");
                match what {
                    What::WithoutSidecar => {}
                    What::Broken => fs::write(beside, "{").expect("writes"),
                    _ => fs::write(beside, text).expect("writes"),
                }
            }
            if world.active == Some(who) {
                let user = account.user_id.as_deref().unwrap_or_default();
                let auth = format!(
                    r#"{{"tokens":{{"id_token":"{}","access_token":"a","refresh_token":"r","account_id":"ws-{who}-{place}"}}}}"#,
                    id_token(
                        &format!("user{who}@example.com"),
                        user,
                        &format!("ws-{who}-{place}")
                    ),
                );
                fs::create_dir_all(&places.codex_home).expect("makes");
                fs::write(places.codex_home.join("auth.json"), auth).expect("writes");
            }
        }
    }
    registry.save(&places.registry).expect("writes");
    places
}

fn id_token(email: &str, user: &str, workspace: &str) -> String {
    use base64::Engine;
    let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let claims = format!(
        r#"{{"email":"{email}","https://api.openai.com/auth":{{"chatgpt_user_id":"{user}","chatgpt_account_id":"{workspace}"}}}}"#
    );
    format!("{}.{}.s", part(r#"{"alg":"none"}"#), part(&claims))
}

fn load(places: &Places, reach: Reach) -> (Evidence, Vec<Row>) {
    let zone = utc();
    let mut evidence = Evidence::load(places, now(), &zone, reach, false, None).expect("loads");
    evidence.latest = Some(now());
    let rows = rows(&evidence.accounts(), now(), &zone);
    (evidence, rows)
}

proptest! {
    #[test]
    fn what_can_matter_gives_what_everything_gives(world in world()) {
        let home = tempfile::tempdir().expect("a directory");
        let places = build(&world, home.path());
        let (every, of_every) = load(&places, Reach::Every(Depth::Window));
        let (newest, of_newest) = load(&places, Reach::Newest { latest: now() });
        prop_assert_eq!(of_newest, of_every);
        // What names alone tell is told; what was not read is not.
        let told: BTreeSet<&String> = every.warnings.iter().collect();
        let left: Vec<&&String> = told.iter().filter(|one| !newest.warnings.contains(one)).collect();
        prop_assert!(left.iter().all(|one| one.contains("cannot be read: it is no sidecar")), "{:?}", left);
        prop_assert!(newest.warnings.iter().all(|one| told.contains(one)));
    }
}

/// One snapshot a day, for a year.
#[test]
fn of_a_year_of_snapshots_two_weeks_are_read() {
    let daily = |of_python| Chain {
        begins: 0,
        steps: vec![
            Step {
                later: 24,
                seen: 1,
                made: 1,
                zone: 0,
                left: 50,
                what: What::Home,
                has_plan: true,
            };
            365
        ],
        of_python,
        renamed: 0,
        is_in_registry: false,
    };
    for of_python in [0, 365] {
        let world = World {
            emails: vec![vec![daily(of_python)]],
            is_shared: false,
            is_hand_named: false,
            active: None,
        };
        let home = tempfile::tempdir().expect("a directory");
        let places = build(&world, home.path());
        let (newest, rows) = load(&places, Reach::Newest { latest: now() });
        assert_eq!((newest.snapshots.len(), rows.len()), (15, 1));
        let (every, _) = load(&places, Reach::Every(Depth::Window));
        assert_eq!(every.snapshots.len(), 365);
    }
}

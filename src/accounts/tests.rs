//! Accounts gathered from made-up evidence, and what becomes of them at an instant.

use super::*;
use proptest::prelude::*;

fn snapshot(email: &str, ids: Option<(&str, &str)>, created_at: &str, percent: u8) -> Snapshot {
    let stamp = Stamp::parse(created_at).expect("a time");
    let sidecar = Sidecar {
        email: Some(email.to_owned()),
        user_id: ids.map(|ids| ids.0.to_owned()),
        account_id: ids.map(|ids| ids.1.to_owned()),
        session_start_at: Some(SessionStart(
            Stamp::parse("2026-04-14T12:00:00Z").expect("a time"),
        )),
        quota_percent_left: Some(percent),
        status_source: Some(StatusSource::StatusFile),
        created_at: Some(stamp),
        observed_at: Some(stamp),
        ..Sidecar::default()
    };
    Snapshot {
        archive: format!("/b/{created_at}.tar.gz").into(),
        sidecar: Box::new(sidecar),
        depth: snapshots::Depth::Whole,
        is_complete: true,
    }
}

#[test]
fn evidence_by_email_joins_the_one_account_it_can_be() {
    let snapshots = [
        snapshot("a@example.com", None, "2026-04-16T00:00:00Z", 7),
        snapshot(
            "A@example.com",
            Some(("user-a", "ws-1")),
            "2026-04-15T00:00:00Z",
            50,
        ),
    ];
    let known = gather(&Sources {
        snapshots: &snapshots,
        ..Sources::default()
    });
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].account.account_id.as_deref(), Some("ws-1"));
    assert_eq!(
        known[0]
            .observation
            .as_ref()
            .and_then(|seen| seen.quota_percent_left),
        Some(7)
    );
    assert_eq!(
        known[0].archive_name.as_deref(),
        Some("2026-04-16T00:00:00Z.tar.gz")
    );
}

#[test]
fn two_workspaces_of_one_email_stay_apart_and_the_email_alone_is_a_third() {
    let snapshots = [
        snapshot(
            "a@example.com",
            Some(("user-a", "ws-1")),
            "2026-04-15T00:00:00Z",
            50,
        ),
        snapshot(
            "a@example.com",
            Some(("user-a", "ws-2")),
            "2026-04-15T00:00:00Z",
            0,
        ),
        snapshot("a@example.com", None, "2026-04-16T00:00:00Z", 7),
    ];
    let known = gather(&Sources {
        snapshots: &snapshots,
        ..Sources::default()
    });
    let left: Vec<_> = known
        .iter()
        .map(|k| {
            k.observation
                .as_ref()
                .and_then(|seen| seen.quota_percent_left)
        })
        .collect();
    assert_eq!(left, [Some(50), Some(0), Some(7)]);
}

#[test]
fn a_former_email_still_means_the_account() {
    let snapshots = [
        snapshot(
            "old@example.com",
            Some(("user-a", "ws-1")),
            "2026-04-15T00:00:00Z",
            50,
        ),
        snapshot(
            "new@example.com",
            Some(("user-a", "ws-1")),
            "2026-04-16T00:00:00Z",
            40,
        ),
    ];
    for email in ["old@example.com", "new@example.com"] {
        let profile = Profile {
            email: Some(email.to_owned()),
            paused: true,
            ..Profile::default()
        };
        let known = gather(&Sources {
            snapshots: &snapshots,
            profiles: &[profile],
            ..Sources::default()
        });
        assert_eq!((known.len(), known[0].paused), (1, true), "{email}");
        assert!(known[0].is_called(email));
    }
}

#[test]
fn a_profile_that_knows_more_still_means_the_account_known_by_email() {
    let snapshots = [
        snapshot("a@example.com", None, "2026-04-15T00:00:00Z", 50),
        snapshot(
            "b@example.com",
            Some(("user-b", "ws-1")),
            "2026-04-15T00:00:00Z",
            40,
        ),
    ];
    let profile = Profile {
        email: Some("a@example.com".to_owned()),
        user_id: Some("user-a".to_owned()),
        paused: true,
        ..Profile::default()
    };
    let known = gather(&Sources {
        snapshots: &snapshots,
        profiles: &[profile],
        ..Sources::default()
    });
    let paused: Vec<_> = known.iter().map(|known| known.paused).collect();
    assert_eq!(paused, [false, true]);
}

#[test]
fn the_case_of_an_email_makes_no_account() {
    let snapshots = [
        snapshot(
            "a@example.com",
            Some(("user-a", "ws-1")),
            "2026-04-15T00:00:00Z",
            50,
        ),
        snapshot(
            "a@example.com",
            Some(("user-a", "ws-2")),
            "2026-04-15T00:00:00Z",
            0,
        ),
        snapshot("a@example.com", None, "2026-04-16T00:00:00Z", 7),
        snapshot("A@Example.com", None, "2026-04-17T00:00:00Z", 8),
    ];
    let known = gather(&Sources {
        snapshots: &snapshots,
        ..Sources::default()
    });
    assert_eq!(known.len(), 3);
}

fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    let email = prop::sample::select(vec![None, Some("a"), Some("A"), Some("b"), Some("c")]);
    let user = prop::sample::select(vec![None, None, Some("user-a"), Some("user-b")]);
    let workspace = prop::sample::select(vec![None, Some("ws-1"), Some("ws-2")]);
    let source = prop::sample::select(vec![
        None,
        Some(StatusSource::Panel),
        Some(StatusSource::Offline),
        Some(StatusSource::Legacy),
    ]);
    let times = (0..4_u8, 0..4_u8, any::<bool>());
    let rest = (source, times, any::<bool>(), prop::option::of("[ab]"));
    let whole = (email, user, workspace, rest, any::<u32>());
    whole.prop_map(|(email, user_id, account_id, rest, number)| {
        let (status_source, (seen, made, has_window), is_guess, plan_type) = rest;
        let day = |day: u8| match day {
            0 => None,
            day => Stamp::parse(&format!("2026-04-1{day}T00:00:00Z")),
        };
        let owned = |text: &str| text.to_owned();
        let sidecar = Sidecar {
            email: email.map(|name| format!("{name}@example.com")),
            user_id: user_id.map(owned),
            account_id: account_id.map(owned),
            plan_type,
            status_source,
            observed_at: day(seen),
            created_at: day(made),
            session_start_at: day(3).filter(|_| has_window).map(SessionStart),
            inference_basis: is_guess.then(|| "a guess".to_owned()),
            quota_text: Some(number.to_string()),
            schema_version: Some(1),
            ..Sidecar::default()
        };
        Snapshot {
            archive: format!("/b/{number}.tar.gz").into(),
            sidecar: Box::new(sidecar),
            depth: snapshots::Depth::Whole,
            is_complete: true,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Evidence is weighed before it is copied: the same counts as when one after the other is asked.
    #[test]
    fn weighed_evidence_is_the_evidence_that_outranks(
        snapshots in prop::collection::vec(any_snapshot(), 0..24),
        latest in 0..4_u8,
    ) {
        let latest = Stamp::parse(&format!("2026-04-1{latest}T00:00:00Z"));
        let sources = Sources { snapshots: &snapshots, latest, ..Sources::default() };
        let (known, placed) = gather_placed(&sources);
        let finder = Finder::new(&known);
        let mut expected = vec![(None::<Observation>, None::<Observation>, None::<Observation>); known.len()];
        for (snapshot, placed) in snapshots.iter().zip(placed) {
            let place = finder.of_snapshot(snapshot);
            prop_assert_eq!(placed, place);
            let found = find(&known, &snapshot.sidecar.account());
            let found = found.and_then(|found| known.iter().position(|k| std::ptr::eq(k, found)));
            prop_assert_eq!(place, found);
            let (Some(place), Some(seen)) = (place, Observation::of_sidecar(&snapshot.sidecar)) else {
                continue;
            };
            let (newest, reported, planned) = &mut expected[place];
            let outranks = |old: &Option<Observation>| {
                old.as_ref().is_none_or(|old| seen.outranks(old, latest))
            };
            if !seen.is_guess && outranks(reported) {
                *reported = Some(seen.clone());
            }
            if seen.plan_type.is_some() && outranks(planned) {
                *planned = Some(seen.clone());
            }
            if outranks(newest) {
                *newest = Some(seen);
            }
        }
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(newest, reported, planned)| {
                (newest, reported, planned.and_then(|seen| seen.plan_type))
            })
            .collect();
        let gathered: Vec<_> = known
            .into_iter()
            .map(|known| (known.observation, known.reported, known.plan_type))
            .collect();
        prop_assert_eq!(gathered, expected);
    }

    /// Whoever is asked for, be it somebody of whom there is no evidence.
    #[test]
    fn many_are_found_where_one_is(
        snapshots in prop::collection::vec(any_snapshot(), 0..16),
        others in prop::collection::vec(any_snapshot(), 1..8),
    ) {
        let known = gather(&Sources { snapshots: &snapshots, ..Sources::default() });
        let finder = Finder::new(&known);
        for other in &others {
            let found = find(&known, &other.sidecar.account());
            let found = found.and_then(|found| known.iter().position(|k| std::ptr::eq(k, found)));
            prop_assert_eq!(finder.of_snapshot(other), found);
        }
    }
}

#[test]
fn usable_accounts_come_first_and_the_active_one_is_marked() {
    let zone = Zone::named("UTC").expect("a zone");
    let snapshots = [
        snapshot(
            "a@example.com",
            Some(("user-a", "ws-1")),
            "2026-04-15T00:00:00Z",
            0,
        ),
        snapshot(
            "b@example.com",
            Some(("user-b", "ws-2")),
            "2026-04-15T00:00:00Z",
            9,
        ),
    ];
    let active = snapshots[0].sidecar.account();
    let known = gather(&Sources {
        snapshots: &snapshots,
        active: Some((&active, Some("pro"))),
        ..Sources::default()
    });
    let rows = rows(
        &known,
        Stamp::parse("2026-04-16T12:00:00Z").expect("a time"),
        &zone,
    );
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (row.name(), row.status, row.active, row.remaining_seconds))
        .collect();
    assert_eq!(
        shown,
        [
            ("b@example.com", Status::Open, false, Some(0)),
            ("a@example.com", Status::Cooldown, true, Some(432_000))
        ]
    );
    assert_eq!(rows[1].plan_type.as_deref(), Some("pro"));
}

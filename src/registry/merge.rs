//! What another machine observed, taken in: of each account the newest observation, whoever made it, and what both know of
//! earlier windows. Pure; which of the two takes in the other makes no difference.

use std::cmp::Ordering;

use super::{Change, Entry, Registry};
use crate::metadata::Account;
use crate::timeutil::Stamp;

/// What became of one account's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// Whose.
    pub account: Account,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an entry that was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was known of the account.
    New,
    /// What came is newer.
    Newer,
    /// The observation stays, and windows are known that were not.
    Changes,
    /// All of it was known, or older.
    Nothing,
}

impl Registry {
    /// Takes in what another registry knows of each account; see the head of this file for the rule. What is from after
    /// `latest` is of a clock that was wrong.
    pub fn merge(&mut self, others: &[Entry], latest: Stamp) -> Vec<Merged> {
        let merged = others
            .iter()
            .map(|other| {
                let place = self.position(&other.account);
                let outcome = if let Some(entry) = place.and_then(|at| self.entries.get_mut(at)) {
                    entry.merge(other, latest)
                } else {
                    self.entries.push(other.clone());
                    Outcome::New
                };
                Merged {
                    account: other.account.clone(),
                    outcome,
                }
            })
            .collect();
        self.entries.sort_by(|a, b| a.account.cmp(&b.account));
        merged
    }
}

impl Entry {
    fn merge(&mut self, other: &Self, latest: Stamp) -> Outcome {
        let is_newer = self.compare(other, latest) == Ordering::Less;
        let (older, newer) = if is_newer {
            (&*self, other)
        } else {
            (other, &*self)
        };
        let changes = Change::of_both(
            [&older.observation, &newer.observation],
            older.changes.iter().chain(&newer.changes),
        );
        // A person may change the email of an account: the newer one has it.
        if other.account.is_exact() && (is_newer || !self.account.is_exact()) {
            self.account = other.account.clone();
        }
        for (key, value) in &other.rest {
            self.rest.entry(key).or_insert_with(|| value.clone());
        }
        let has_changes = changes != self.changes;
        self.changes = changes;
        if is_newer {
            self.observation = other.observation.clone();
            Outcome::Newer
        } else if has_changes {
            Outcome::Changes
        } else {
            Outcome::Nothing
        }
    }

    /// By what counts; where both count the same, by what they say, so that every machine takes the same one.
    fn compare(&self, other: &Self, latest: Stamp) -> Ordering {
        let [one, two] = [&self.observation, &other.observation];
        let words = |entry: &Self| {
            let words = serde_json::to_string(&entry.observation).unwrap_or_default();
            (words, entry.account.clone())
        };
        one.rank(Some(latest))
            .cmp(&two.rank(Some(latest)))
            .then_with(|| words(self).cmp(&words(other)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Map;

    use super::*;
    use crate::metadata::{StatusSource, ValidationStatus, WindowState};
    use crate::observation::Observation;
    use crate::timeutil::{SessionStart, Zone};

    const BASE: i64 = 1_776_000_000;

    fn stamp(hours: i64) -> Stamp {
        let utc = Zone::named("UTC").expect("a zone");
        Stamp::from_unix(BASE + hours * 3600, &utc).expect("in range")
    }

    fn seen(hour: i64, window: i64, is_live: bool) -> Observation {
        Observation {
            source: if is_live {
                StatusSource::AppServer
            } else {
                StatusSource::Offline
            },
            observed_at: stamp(hour),
            session_start_at: Some(SessionStart(stamp(window * 168))),
            reset_at: None,
            window_state: WindowState::Running,
            quota_percent_left: u8::try_from(hour.rem_euclid(100)).ok(),
            quota_text: None,
            limits: Vec::new(),
            quota_end_detected_at: None,
            is_guess: false,
            is_refused: false,
            validation_status: ValidationStatus::Ok,
            plan_type: None,
            rest: Map::new(),
        }
    }

    fn person(number: usize) -> Account {
        Account {
            email: Some(format!("{number}@example.com")),
            user_id: Some(format!("user-{number}")),
            account_id: Some("ws".to_owned()),
        }
    }

    fn observed(sightings: &[(usize, i64, i64, bool)]) -> Registry {
        let mut registry = Registry::default();
        for (who, hour, window, is_live) in sightings {
            let observation = seen(*hour, *window, *is_live);
            registry.record(&person(*who), observation, Some(stamp(1000)));
        }
        registry
    }

    fn merged(mut into: Registry, from: &Registry) -> Registry {
        into.merge(&from.entries, stamp(1000));
        into
    }

    #[test]
    fn what_became_of_each_account_is_told() {
        let mut here = observed(&[(1, 5, 0, true), (2, 5, 0, true)]);
        let there = observed(&[(1, 3, -1, true), (2, 9, 1, true), (3, 1, 0, true)]);
        let told = |registry: &mut Registry| -> Vec<Outcome> {
            let merged = registry.merge(&there.entries, stamp(1000));
            merged.into_iter().map(|merged| merged.outcome).collect()
        };
        let wanted = [Outcome::Changes, Outcome::Newer, Outcome::New];
        assert_eq!(told(&mut here), wanted);
        assert_eq!(told(&mut here), [Outcome::Nothing; 3]);
        let changes: Vec<usize> = here
            .entries
            .iter()
            .map(|entry| entry.changes.len())
            .collect();
        assert_eq!(changes, [1, 1, 0]);
    }

    #[test]
    fn a_clock_that_was_wrong_wins_nothing_and_what_is_not_known_is_kept() {
        let mut here = observed(&[(1, 5, 0, true)]);
        let mut there = observed(&[(1, 2000, 3, true)]);
        there.entries[0].rest.insert("mood".into(), "fine".into());
        here.merge(&there.entries, stamp(1000));
        assert_eq!(here.entries[0].observation, seen(5, 0, true));
        assert_eq!(here.entries[0].rest["mood"], "fine");
        assert_eq!(here.rest, Map::new());
    }

    #[test]
    fn an_email_that_changed_is_the_newer_ones() {
        let mut here = observed(&[(1, 5, 0, true)]);
        let mut there = observed(&[(1, 9, 0, true)]);
        there.entries[0].account.email = Some("new@example.com".to_owned());
        let both = merged(there.clone(), &here);
        here.merge(&there.entries, stamp(1000));
        assert_eq!(here, both);
        let email = here.entries[0].account.email.as_deref();
        assert_eq!(email, Some("new@example.com"));
    }

    /// Nobody sees two windows in one second.
    fn sightings() -> impl Strategy<Value = Vec<(usize, i64, i64, bool)>> {
        let step = (0..3_usize, 1..4_i64, 0..3_i64, any::<bool>());
        prop::collection::vec(step, 0..12).prop_map(|steps| {
            let mut clock = 0;
            let timed = steps.into_iter().map(|(who, later, window, is_live)| {
                clock += later;
                (who, clock, window, is_live)
            });
            timed.collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn either_way_round_and_again_is_the_same(one in sightings(), two in sightings()) {
            let (one, two) = (observed(&one), observed(&two));
            let [left, right] = [merged(one.clone(), &two), merged(two.clone(), &one)];
            prop_assert_eq!(&left, &right);
            for again in [&one, &two, &right] {
                prop_assert_eq!(&merged(left.clone(), again), &left);
            }
        }
    }
}

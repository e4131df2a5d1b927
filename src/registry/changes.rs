//! What became of an account's weekly window, observation by observation. Pure.
//!
//! Resets at most [`JITTER`] from that of a window's first start are of that window; further apart, in either direction, they are
//! of two. A window that has not begun moves its reset along with the clock: that is no change, however far it moved.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::metadata::{StatusSource, WindowState};
use crate::observation::Observation;
use crate::timeutil::{JITTER, SessionStart, Stamp, WEEK};

/// One window that took another's place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When the new window was observed; the change itself lies before.
    pub at: Stamp,
    /// Who reported it.
    pub source: StatusSource,
    /// Why the window changed, where that can be told.
    pub cause: Option<Cause>,
    /// The window that was known.
    pub before: Window,
    /// The one that was observed.
    pub after: Window,
    /// What this version does not know, kept.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Why a window changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The old one had ended.
    Expired,
    /// The old one had not begun.
    Unstarted,
    /// The old one was running still: the service reset it, or moved its reset.
    MovedEarly,
}

/// A window as one observation had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_field_names)] // as an observation has them
pub struct Window {
    /// When it opened.
    pub session_start_at: Option<SessionStart>,
    /// Its reset as reported.
    pub reset_at: Option<Stamp>,
    /// What it was doing when it was observed.
    pub window_state: WindowState,
}

impl Window {
    fn of(observation: &Observation) -> Self {
        Self {
            session_start_at: observation.session_start_at,
            reset_at: observation.reset_at,
            window_state: observation.window_state,
        }
    }

    fn is_unstarted(&self) -> bool {
        self.window_state == WindowState::Unstarted
    }

    fn differs_from(&self, other: &Self) -> bool {
        if self.is_unstarted() || other.is_unstarted() {
            return self.is_unstarted() != other.is_unstarted();
        }
        match (self.session_start_at, other.session_start_at) {
            (Some(one), Some(two)) => one.0.since(two.0).abs() > JITTER,
            (one, two) => one != two,
        }
    }

    fn has_begun(&self) -> bool {
        self.session_start_at.is_some() && !self.is_unstarted()
    }

    fn is_over_at(&self, at: Stamp) -> bool {
        let ended = |start: SessionStart| at.since(start.0) >= WEEK;
        self.window_state == WindowState::Over || self.session_start_at.is_some_and(ended)
    }
}

impl Change {
    /// The change from one observation to the next. None where both are of one window, or where either is a guess.
    pub fn between(before: &Observation, after: &Observation) -> Option<Self> {
        if before.is_guess || after.is_guess {
            return None;
        }
        let (at, source) = (after.observed_at, after.source);
        let (before, after) = (Window::of(before), Window::of(after));
        before.differs_from(&after).then(|| Self {
            at,
            source,
            cause: cause(&before, &after, at),
            before,
            after,
            rest: Map::new(),
        })
    }

    /// What two machines together know to have changed, given the last that each observed, the older one first, and what
    /// each knows. A window that both saw come is one change, as the first of them saw it.
    pub fn of_both<'a>(
        [older, newer]: [&Observation; 2],
        known: impl Iterator<Item = &'a Self>,
    ) -> Vec<Self> {
        let mut all: Vec<Self> = known.cloned().collect();
        // Else somebody saw already what came in between.
        if all.iter().all(|change| change.at <= older.observed_at) {
            all.extend(Self::between(older, newer).filter(|change| change.at > older.observed_at));
        }
        all.sort_by_cached_key(|change| {
            let words = serde_json::to_string(change).unwrap_or_default();
            (change.at, words)
        });
        all.dedup_by(|later, earlier| !later.after.differs_from(&earlier.after));
        all
    }
}

fn cause(before: &Window, after: &Window, at: Stamp) -> Option<Cause> {
    if before.is_unstarted() {
        Some(Cause::Unstarted)
    } else if before.is_over_at(at) {
        Some(Cause::Expired)
    } else if before.has_begun() && (after.has_begun() || after.is_unstarted()) {
        Some(Cause::MovedEarly)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(text: &str) -> Stamp {
        Stamp::parse(text).expect(text)
    }

    /// Observed at `at`, with this start and state.
    fn seen(at: &str, start: Option<&str>, window_state: WindowState) -> Observation {
        let start = start.map(|start| SessionStart(stamp(start)));
        Observation {
            source: StatusSource::AppServer,
            observed_at: stamp(at),
            session_start_at: start,
            reset_at: start.map(|start| {
                start
                    .0
                    .plus(WEEK, &crate::timeutil::Zone::named("UTC").expect("a zone"))
            }),
            window_state,
            quota_percent_left: Some(50),
            quota_text: None,
            limits: Vec::new(),
            quota_end_detected_at: None,
            is_guess: false,
            is_refused: false,
            validation_status: crate::metadata::ValidationStatus::Ok,
            plan_type: None,
            rest: serde_json::Map::new(),
        }
    }

    fn running(at: &str, start: &str) -> Observation {
        seen(at, Some(start), WindowState::Running)
    }

    fn unstarted(at: &str) -> Observation {
        seen(at, Some(at), WindowState::Unstarted)
    }

    /// The cause of a change; the outer None where there is none.
    #[allow(clippy::option_option)] // a change without a known cause is a change
    fn changed(before: &Observation, after: &Observation) -> Option<Option<Cause>> {
        Change::between(before, after).map(|change| change.cause)
    }

    const START: &str = "2026-04-14T12:00:00Z";

    #[test]
    fn more_than_ten_minutes_in_either_direction_is_a_new_window() {
        let before = running("2026-04-15T00:00:00Z", START);
        let after = |start| running("2026-04-16T00:00:00Z", start);
        for same in ["2026-04-14T12:10:00Z", "2026-04-14T11:50:00Z", START] {
            assert_eq!(changed(&before, &after(same)), None, "{same}");
        }
        for other in ["2026-04-14T12:10:01Z", "2026-04-14T11:49:59Z"] {
            assert_eq!(
                changed(&before, &after(other)),
                Some(Some(Cause::MovedEarly)),
                "{other}"
            );
        }
    }

    #[test]
    fn a_change_names_its_cause() {
        let before = running("2026-04-15T00:00:00Z", START);
        let next = |at| running(at, "2026-04-21T13:00:00Z");
        assert_eq!(
            changed(&before, &next("2026-04-21T12:00:00Z")),
            Some(Some(Cause::Expired))
        );
        assert_eq!(
            changed(&before, &next("2026-04-21T11:59:59Z")),
            Some(Some(Cause::MovedEarly))
        );
        let waiting = unstarted("2026-04-20T00:00:00Z");
        assert_eq!(changed(&before, &waiting), Some(Some(Cause::MovedEarly)));
        let long_waiting = unstarted("2026-04-22T00:00:00Z");
        assert_eq!(changed(&before, &long_waiting), Some(Some(Cause::Expired)));
        // However long ago it was seen: what has not begun has no end.
        let begun = running("2026-05-30T00:00:00Z", "2026-05-29T00:00:00Z");
        assert_eq!(changed(&waiting, &begun), Some(Some(Cause::Unstarted)));
        let over = seen("2026-04-22T00:00:00Z", Some(START), WindowState::Over);
        assert_eq!(
            changed(
                &over,
                &running("2026-04-22T01:00:00Z", "2026-04-22T00:30:00Z")
            ),
            Some(Some(Cause::Expired))
        );
    }

    #[test]
    fn an_unstarted_window_drifts_without_changing() {
        let before = unstarted("2026-04-15T00:00:00Z");
        assert_eq!(changed(&before, &unstarted("2026-05-15T00:00:00Z")), None);
        let without_reset = seen("2026-05-15T00:00:00Z", None, WindowState::Unstarted);
        assert_eq!(changed(&before, &without_reset), None);
    }

    #[test]
    fn a_window_that_appears_or_vanishes_has_no_known_cause() {
        let none = seen("2026-04-15T00:00:00Z", None, WindowState::Unknown);
        let some = running("2026-04-16T00:00:00Z", START);
        let gone = seen("2026-04-17T00:00:00Z", None, WindowState::Unknown);
        assert_eq!(changed(&none, &some), Some(None));
        assert_eq!(changed(&some, &gone), Some(None));
        assert_eq!(changed(&none, &gone), None);
    }

    #[test]
    fn a_guess_changes_nothing() {
        let before = running("2026-04-15T00:00:00Z", START);
        let after = running("2026-04-16T00:00:00Z", "2026-04-15T12:00:00Z");
        let guess = |observation: &Observation| Observation {
            is_guess: true,
            ..observation.clone()
        };
        assert!(changed(&before, &after).is_some());
        assert_eq!(changed(&guess(&before), &after), None);
        assert_eq!(changed(&before, &guess(&after)), None);
    }
}

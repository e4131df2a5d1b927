//! One piece of evidence about an account's window, and what it means at a given instant.
//!
//! Pure. Source: CODEX_MANAGER_SPEC.md, "Availability".

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::metadata::{
    Limit, Sidecar, StatusSource, ValidationStatus, WindowState, is_python_report,
};
use crate::timeutil::{JITTER, SessionStart, Stamp, WEEK, Zone};

/// What one source said of one account's window at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Who said it.
    pub source: StatusSource,
    /// When it was true.
    pub observed_at: Stamp,
    /// When the weekly window opened; None for an account without one.
    pub session_start_at: Option<SessionStart>,
    /// The reset as reported.
    pub reset_at: Option<Stamp>,
    /// What the window was doing then.
    pub window_state: WindowState,
    /// Weekly quota left, 0 to 100.
    pub quota_percent_left: Option<u8>,
    /// The weekly row as Codex printed it.
    #[serde(default)]
    pub quota_text: Option<String>,
    /// Every window reported.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// When the quota was seen to be exhausted.
    pub quota_end_detected_at: Option<Stamp>,
    /// Whether the start was inferred from a legacy file, not reported.
    #[serde(default)]
    pub is_guess: bool,
    /// Whether Codex's service said that the account may not be used just then, whatever its windows showed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_refused: bool,
    /// Whether a legacy file's name agrees.
    pub validation_status: ValidationStatus,
    /// Plan, where the source names it.
    pub plan_type: Option<String>,
    /// What this version does not know, kept as long as the observation is.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Whether an account can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The window is over or has not begun.
    Ready,
    /// The window runs and had quota left when last seen.
    Open,
    /// A window runs that is exhausted, or whose quota is not known.
    Cooldown,
}

impl Status {
    /// The word in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Open => "open",
            Self::Cooldown => "cooldown",
        }
    }
}

/// What an observation means at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Availability {
    /// Whether the account can be used.
    pub status: Status,
    /// Since or from when no known window is exhausted; None when no window is known.
    pub usable_at: Option<Stamp>,
}

/// How much an observation counts against others of its account; the greater counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    is_possible: bool,
    observed_at: Stamp,
    is_live: bool,
}

impl Rank {
    /// Of what `source` said at `observed_at`: the newer; at equal age, what Codex itself said. One from after `latest`
    /// is of a clock that was wrong, and counts only where there is nothing else.
    pub fn new(observed_at: Stamp, source: StatusSource, latest: Option<Stamp>) -> Self {
        Self {
            is_possible: latest.is_none_or(|latest| observed_at <= latest),
            observed_at,
            is_live: source.is_live(),
        }
    }
}

impl Observation {
    /// When and by whom the window was observed that a snapshot's sidecar tells of. None when it says nothing of a time.
    pub fn seen_in_sidecar(sidecar: &Sidecar) -> Option<(Stamp, StatusSource)> {
        if sidecar.status_source.is_none() && sidecar.session_start_at.is_none() {
            return None;
        }
        if sidecar.schema_version.is_none() && !is_python_report(sidecar.quota_text.as_deref()) {
            return None;
        }
        let written_at = || sidecar.content_time().max(sidecar.updated_at);
        let observed_at = sidecar.observed_at.or_else(written_at)?;
        let source = sidecar.status_source.unwrap_or(StatusSource::Offline);
        Some((observed_at, source))
    }

    /// Whether the window that a snapshot's sidecar tells of was inferred, not reported.
    pub fn is_guess_of_sidecar(sidecar: &Sidecar) -> bool {
        sidecar.inference_basis.is_some()
    }

    /// What a snapshot's sidecar says. None when it says nothing of a time.
    pub fn of_sidecar(sidecar: &Sidecar) -> Option<Self> {
        let (observed_at, source) = Self::seen_in_sidecar(sidecar)?;
        Some(Self {
            source,
            observed_at,
            session_start_at: sidecar.session_start_at,
            reset_at: sidecar.reset_at.or(sidecar.next_available_at),
            window_state: sidecar
                .window_state
                .unwrap_or(match sidecar.session_start_at {
                    Some(_) => WindowState::Running,
                    None => WindowState::Unknown,
                }),
            quota_percent_left: sidecar.quota_percent_left,
            quota_text: sidecar.quota_text.clone(),
            limits: sidecar.limits.clone(),
            quota_end_detected_at: sidecar.quota_end_detected_at,
            is_guess: Self::is_guess_of_sidecar(sidecar),
            is_refused: sidecar.usage_refused,
            validation_status: sidecar.validation_status.unwrap_or(ValidationStatus::Ok),
            plan_type: sidecar.plan_type.clone(),
            rest: Map::new(),
        })
    }

    /// How much it counts.
    pub fn rank(&self, latest: Option<Stamp>) -> Rank {
        Rank::new(self.observed_at, self.source, latest)
    }

    /// Whether this one counts rather than `other`.
    pub fn outranks(&self, other: &Self, latest: Option<Stamp>) -> bool {
        self.rank(latest) > other.rank(latest)
    }

    /// When the account is available again.
    pub fn next_available_at(&self, zone: &Zone) -> Option<Stamp> {
        self.session_start_at
            .map(|start| start.next_available_at(zone))
    }

    /// What the weekly window is doing at `now`.
    pub fn state_at(&self, now: Stamp, zone: &Zone) -> WindowState {
        match (self.window_state, self.next_available_at(zone)) {
            (WindowState::Unstarted, _) => WindowState::Unstarted,
            (_, None) => WindowState::Unknown,
            (_, Some(next)) if next <= now => WindowState::Over,
            _ => WindowState::Running,
        }
    }

    /// What this means at `now`.
    pub fn judge(&self, now: Stamp, zone: &Zone) -> Availability {
        let state = self.state_at(now, zone);
        let next = self.next_available_at(zone);
        let (status, weekly) = match state {
            WindowState::Unknown => (Status::Ready, None),
            WindowState::Unstarted => (Status::Ready, Some(self.observed_at)),
            WindowState::Over => (Status::Ready, next),
            WindowState::Running if self.quota_percent_left.is_some_and(|left| left > 0) => {
                (Status::Open, self.session_start_at.map(|start| start.0))
            }
            WindowState::Running => (Status::Cooldown, next),
        };
        let weekly_at = self.limits.iter().position(Limit::is_the_weekly);
        let is_credit_alone = !self.limits.iter().any(Limit::is_of_account);
        let held = self
            .limits
            .iter()
            .enumerate()
            .filter(|(place, limit)| {
                let counts = limit.is_of_account() || (is_credit_alone && limit.is_of_credits());
                Some(*place) != weekly_at && counts
            })
            .filter_map(|(_, limit)| self.exhausted_until(limit, zone))
            .max();
        // The week that is over told why.
        let was_exhausted = state == WindowState::Over && self.quota_percent_left == Some(0);
        match held {
            Some(held) if held > now => {
                let usable_at = weekly
                    .filter(|_| status == Status::Cooldown)
                    .map_or(held, |weekly| weekly.max(held));
                Availability {
                    status: Status::Cooldown,
                    usable_at: Some(usable_at),
                }
            }
            // No window tells why, nor until when: the last of them to end is the latest.
            None if self.is_refused && status != Status::Cooldown && !was_exhausted => {
                let ends = self.limits.iter().filter(|limit| limit.is_of_account());
                let last = ends.filter_map(|limit| limit.reset_at).chain(next).max();
                match last {
                    Some(last) if last <= now => Availability {
                        status,
                        usable_at: weekly,
                    },
                    usable_at => Availability {
                        status: Status::Cooldown,
                        usable_at,
                    },
                }
            }
            // A shorter window that has ended is when the account came back.
            Some(held) if status == Status::Open => Availability {
                status,
                usable_at: weekly.map(|at| at.max(held)),
            },
            _ => Availability {
                status,
                usable_at: weekly,
            },
        }
    }

    /// Until when a window that is exhausted holds the account back; None where it is not.
    fn exhausted_until(&self, limit: &Limit, zone: &Zone) -> Option<Stamp> {
        if limit.percent_left != Some(0) {
            return None;
        }
        let length = limit
            .window_minutes
            .map(|minutes| chrono::TimeDelta::minutes(i64::from(minutes)));
        limit
            .reset_at
            .or_else(|| length.map(|length| self.observed_at.plus(length, zone)))
    }
}

impl Limit {
    /// Whether it is the weekly window: 10 080 minutes, give or take 5 %, as Codex itself classifies it.
    pub fn is_weekly(&self) -> bool {
        self.window_minutes
            .is_some_and(|minutes| (9_576..=10_584).contains(&minutes))
    }

    /// Whether it is the account's own weekly window. Of several only the first is the one that is followed.
    pub fn is_the_weekly(&self) -> bool {
        self.is_weekly() && self.is_of_account()
    }

    /// Whether it is the credits of a business account; where there is nothing else, they limit it.
    pub fn is_of_credits(&self) -> bool {
        self.name == "Monthly credit limit"
    }

    /// Whether it limits the account as a whole, not an extra bucket such as one model's.
    ///
    /// Extra buckets carry their name before the window's: `GPT-5.3-Codex-Spark Weekly limit`.
    pub fn is_of_account(&self) -> bool {
        const OF_ACCOUNT: [&str; 7] = [
            "5h limit",
            "Daily limit",
            "Weekly limit",
            "Monthly limit",
            "Annual limit",
            "Usage limit",
            "Secondary usage limit",
        ];
        OF_ACCOUNT.contains(&self.name.as_str())
    }
}

/// The start of the window that resets at `reset_at`, given what is known so far: resets at most ten minutes from that of
/// the first start are one window, which keeps it, so that names do not drift.
///
/// A window that has not begun has no start of its own; its reset moves with the clock. As long as it stays so it keeps
/// the first one it was seen with, and what begins then is a window of its own.
pub fn settle_start(
    reset_at: Stamp,
    state: WindowState,
    known: Option<&Observation>,
    zone: &Zone,
) -> SessionStart {
    let fresh = SessionStart::from_reset(reset_at, zone);
    let Some((known, start)) = known.and_then(|known| Some((known, known.session_start_at?)))
    else {
        return fresh;
    };
    let unstarted = [known.window_state, state].map(|state| state == WindowState::Unstarted);
    match unstarted {
        [true, true] => start,
        [false, false] if fresh.0.since(start.0).abs() <= JITTER => start,
        _ => fresh,
    }
}

/// The state of a window observed at `observed_at`: unstarted when nothing is used and the reset is a full week away
/// (two minutes of leeway: the panel shows no seconds).
pub fn window_state(reset_at: Stamp, percent_left: Option<u8>, observed_at: Stamp) -> WindowState {
    let away = reset_at.since(observed_at);
    if away <= chrono::TimeDelta::zero() {
        WindowState::Over
    } else if percent_left == Some(100) && away >= WEEK - chrono::TimeDelta::minutes(2) {
        WindowState::Unstarted
    } else {
        WindowState::Running
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(text: &str) -> Stamp {
        Stamp::parse(text).expect(text)
    }

    fn utc() -> Zone {
        Zone::named("UTC").expect("a zone")
    }

    fn seen(percent: Option<u8>) -> Observation {
        Observation {
            source: StatusSource::StatusFile,
            observed_at: stamp("2026-04-15T00:00:00Z"),
            session_start_at: Some(SessionStart(stamp("2026-04-14T12:00:00Z"))),
            reset_at: Some(stamp("2026-04-21T12:00:00Z")),
            window_state: WindowState::Running,
            quota_percent_left: percent,
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

    fn limit(name: &str, minutes: u32, percent: u8, reset_at: Option<&str>) -> Limit {
        Limit {
            name: name.to_owned(),
            window_minutes: Some(minutes),
            percent_left: Some(percent),
            reset_at: reset_at.map(stamp),
        }
    }

    fn judged(observation: &Observation, now: &str) -> (Status, String) {
        let availability = observation.judge(stamp(now), &utc());
        (
            availability.status,
            availability
                .usable_at
                .map(|at| at.to_string())
                .unwrap_or_default(),
        )
    }

    #[test]
    fn a_window_is_over_from_the_second_of_its_reset() {
        let exhausted = seen(Some(0));
        let end = "2026-04-21T12:00:00+00:00".to_owned();
        assert_eq!(
            judged(&exhausted, "2026-04-21T11:59:59Z"),
            (Status::Cooldown, end.clone())
        );
        assert_eq!(
            judged(&exhausted, "2026-04-21T12:00:00Z"),
            (Status::Ready, end)
        );
    }

    #[test]
    fn quota_left_is_open_and_quota_unknown_is_cooldown() {
        let now = "2026-04-16T00:00:00Z";
        assert_eq!(judged(&seen(Some(1)), now).0, Status::Open);
        assert_eq!(judged(&seen(None), now).0, Status::Cooldown);
    }

    #[test]
    fn an_unstarted_window_is_ready_and_no_window_is_ready() {
        let unstarted = Observation {
            window_state: WindowState::Unstarted,
            ..seen(Some(100))
        };
        assert_eq!(judged(&unstarted, "2026-04-16T00:00:00Z").0, Status::Ready);
        let none = Observation {
            session_start_at: None,
            window_state: WindowState::Unknown,
            ..seen(None)
        };
        assert_eq!(
            judged(&none, "2026-04-16T00:00:00Z"),
            (Status::Ready, String::new())
        );
    }

    #[test]
    fn an_exhausted_shorter_window_holds_the_account_back() {
        let now = "2026-04-15T01:00:00Z";
        let mut observation = seen(Some(40));
        observation.limits = vec![limit("5h limit", 300, 0, Some("2026-04-15T03:00:00Z"))];
        assert_eq!(
            judged(&observation, now),
            (Status::Cooldown, "2026-04-15T03:00:00+00:00".to_owned())
        );
        assert_eq!(judged(&observation, "2026-04-15T03:00:00Z").0, Status::Open);
        observation.limits[0].reset_at = None;
        assert_eq!(judged(&observation, now).1, "2026-04-15T05:00:00+00:00");
        observation.limits[0].name = "GPT-5.3-Codex-Spark 5h limit".to_owned();
        assert_eq!(judged(&observation, now).0, Status::Open);
        // With the week exhausted as well, the later of the two counts.
        observation.quota_percent_left = Some(0);
        observation.limits[0] = limit("5h limit", 300, 0, Some("2026-04-15T03:00:00Z"));
        assert_eq!(judged(&observation, now).1, "2026-04-21T12:00:00+00:00");
    }

    #[test]
    fn what_is_refused_waits_for_the_last_window_to_end() {
        let mut refused = Observation {
            is_refused: true,
            ..seen(Some(40))
        };
        refused.limits = vec![limit("5h limit", 300, 60, Some("2026-04-15T03:00:00Z"))];
        let end = "2026-04-21T12:00:00+00:00".to_owned();
        assert_eq!(
            judged(&refused, "2026-04-15T01:00:00Z"),
            (Status::Cooldown, end.clone())
        );
        assert_eq!(
            judged(&refused, "2026-04-21T12:00:00Z"),
            (Status::Ready, end)
        );
        // The week that was exhausted is over, and the shorter window that runs on had nothing to do with it.
        let of_the_week = Observation {
            limits: vec![limit("5h limit", 300, 60, Some("2026-04-21T16:00:00Z"))],
            ..Observation {
                is_refused: true,
                ..seen(Some(0))
            }
        };
        assert_eq!(
            judged(&of_the_week, "2026-04-21T12:00:00Z"),
            (Status::Ready, "2026-04-21T12:00:00+00:00".to_owned())
        );
        // An exhausted window says it better.
        refused.limits[0].percent_left = Some(0);
        assert_eq!(
            judged(&refused, "2026-04-15T01:00:00Z"),
            (Status::Cooldown, "2026-04-15T03:00:00+00:00".to_owned())
        );
        let nothing_known = Observation {
            session_start_at: None,
            window_state: WindowState::Unknown,
            limits: Vec::new(),
            ..refused
        };
        assert_eq!(
            judged(&nothing_known, "2026-04-15T01:00:00Z"),
            (Status::Cooldown, String::new())
        );
    }

    #[test]
    fn the_newer_counts_and_at_equal_age_what_codex_said() {
        let live = seen(Some(1));
        let older = Observation {
            observed_at: stamp("2026-04-14T00:00:00Z"),
            ..live.clone()
        };
        let legacy = Observation {
            source: StatusSource::Legacy,
            ..live.clone()
        };
        let outranks = |one: &Observation, two| one.outranks(two, None);
        assert!(outranks(&live, &older) && outranks(&live, &legacy));
        assert!(!outranks(&older, &live) && !outranks(&legacy, &live) && !outranks(&live, &live));
        // A clock that was ahead does not count for ever.
        let latest = Some(stamp("2026-04-14T12:00:00Z"));
        assert!(older.outranks(&live, latest) && !live.outranks(&older, latest));
    }

    #[test]
    fn resets_ten_minutes_apart_are_one_window() {
        let known = seen(Some(40));
        let settle = |reset| settle_start(stamp(reset), WindowState::Running, Some(&known), &utc());
        assert_eq!(Some(settle("2026-04-21T12:10:00Z")), known.session_start_at);
        assert_eq!(Some(settle("2026-04-21T11:50:00Z")), known.session_start_at);
        assert_eq!(
            settle("2026-04-21T12:10:01Z").0,
            stamp("2026-04-14T12:10:01Z")
        );
        let first = settle_start(
            stamp("2026-04-21T12:00:00Z"),
            WindowState::Running,
            None,
            &utc(),
        );
        assert_eq!(Some(first), known.session_start_at);
    }

    #[test]
    fn what_has_not_begun_keeps_the_start_it_was_first_seen_with() {
        let unstarted = Observation {
            window_state: WindowState::Unstarted,
            ..seen(Some(100))
        };
        let settle = |reset, state| settle_start(stamp(reset), state, Some(&unstarted), &utc());
        assert_eq!(
            Some(settle("2026-04-25T12:00:00Z", WindowState::Unstarted)),
            unstarted.session_start_at
        );
        // It began five minutes after it was seen: that is its start, to the second.
        assert_eq!(
            settle("2026-04-21T12:05:00Z", WindowState::Running).0,
            stamp("2026-04-14T12:05:00Z")
        );
        let running = seen(Some(3));
        let fresh = settle_start(
            stamp("2026-04-21T12:05:00Z"),
            WindowState::Unstarted,
            Some(&running),
            &utc(),
        );
        assert_eq!(fresh.0, stamp("2026-04-14T12:05:00Z"));
    }

    #[test]
    fn nothing_used_and_a_full_week_to_go_is_unstarted() {
        let now = stamp("2026-04-14T12:00:00Z");
        assert_eq!(
            window_state(stamp("2026-04-21T11:58:00Z"), Some(100), now),
            WindowState::Unstarted
        );
        assert_eq!(
            window_state(stamp("2026-04-21T11:57:59Z"), Some(100), now),
            WindowState::Running
        );
        assert_eq!(
            window_state(stamp("2026-04-21T12:00:00Z"), Some(99), now),
            WindowState::Running
        );
        assert_eq!(window_state(now, Some(0), now), WindowState::Over);
    }
}

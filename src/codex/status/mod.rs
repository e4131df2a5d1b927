//! An account's weekly window as Codex itself tells it.

pub mod panel;

use chrono::TimeDelta;

use crate::metadata::WindowState;
use crate::timeutil::{Stamp, WEEK};

/// How far short of a whole week an unstarted window's reset may be: the panel prints whole minutes, and reading takes time.
const UNSTARTED_SLACK: TimeDelta = TimeDelta::minutes(2);

/// What a weekly window that resets at `reset_at`, with `percent_left` (0 to 100) of it left, was doing at `observed_at`.
///
/// Nothing used and a whole week to go means that no window has begun: Codex then reports the reset one would have if it
/// began at that moment.
pub fn window_state(reset_at: Stamp, percent_left: Option<u8>, observed_at: Stamp) -> WindowState {
    let ahead = reset_at.since(observed_at);
    if ahead <= TimeDelta::zero() {
        WindowState::Over
    } else if percent_left == Some(100) && ahead >= WEEK - UNSTARTED_SLACK {
        WindowState::Unstarted
    } else {
        WindowState::Running
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_window_at_its_edges() {
        let at = |text| Stamp::parse(text).expect(text);
        let now = at("2026-11-22T14:00:00+01:00");
        for (reset_at, percent_left, state) in [
            ("2026-11-22T13:59:59+01:00", Some(5), WindowState::Over),
            ("2026-11-22T14:00:00+01:00", Some(100), WindowState::Over),
            ("2026-11-22T14:00:01+01:00", Some(0), WindowState::Running),
            ("2026-11-29T13:57:59+01:00", Some(100), WindowState::Running),
            (
                "2026-11-29T13:58:00+01:00",
                Some(100),
                WindowState::Unstarted,
            ),
            ("2026-11-29T14:00:00+01:00", Some(99), WindowState::Running),
            ("2026-11-29T14:00:00+01:00", None, WindowState::Running),
        ] {
            assert_eq!(
                window_state(at(reset_at), percent_left, now),
                state,
                "{reset_at} {percent_left:?}"
            );
        }
    }
}

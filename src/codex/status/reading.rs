//! What a status source says of an account and its windows; the same for all of them. Pure.

use chrono::TimeDelta;

use crate::metadata::{Limit, WindowState};
use crate::observation::window_state;
use crate::timeutil::Stamp;

/// What a source says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The account's email. None where the source does not name it: the panels of 0.157 to 0.160, session files.
    pub email: Option<String>,
    /// The account's user (`chatgpt_user_id`), where the source names it.
    pub user_id: Option<String>,
    /// The account's workspace; a narrow panel may cut it short.
    pub workspace_id: Option<String>,
    /// The plan, in the source's words: a panel's label `Plus`, the app-server's `plus`.
    pub plan: Option<String>,
    /// When the weekly window starts anew. None for an account without a weekly window.
    pub reset_at: Option<Stamp>,
    /// How much of the weekly window is left, 0 to 100; 0 is exhausted.
    pub quota_percent_left: Option<u8>,
    /// The weekly row as a panel prints it; no other source has one.
    pub quota_text: Option<String>,
    /// Whether Codex's service says that the account may not be used now, whatever its windows show.
    pub is_refused: bool,
    /// Every limit the source shows, the account's weekly one first; those of an extra bucket as `<bucket> Weekly limit`.
    pub limits: Vec<Limit>,
}

/// How far from the moment it was told the weekly window's reset may lie: a week, and a day for a clock that is off.
const WEEKLY_AWAY: TimeDelta = TimeDelta::days(8);

/// The same for a window of unknown length: the longest is a year.
const OTHER_AWAY: TimeDelta = TimeDelta::days(400);

/// How far a reset may lie away beyond the length of its window: a twentieth of it, as Codex's own labels, and an hour
/// for clocks that differ.
pub fn away_of(window_minutes: Option<u32>) -> TimeDelta {
    window_minutes.map_or(OTHER_AWAY, |minutes| {
        let minutes = i64::from(minutes);
        TimeDelta::minutes(minutes + minutes / 20 + 60)
    })
}

impl Reading {
    /// Looks whether the resets can be, told at `at`. The weekly one that cannot is the error; others are taken out.
    pub fn check_times(&mut self, at: Stamp) -> Result<(), Stamp> {
        let is_within = |reset: Stamp, away: TimeDelta| reset.since(at).abs() <= away;
        if let Some(reset) = self
            .reset_at
            .filter(|reset| !is_within(*reset, WEEKLY_AWAY))
        {
            return Err(reset);
        }
        for limit in &mut self.limits {
            let away = away_of(limit.window_minutes);
            limit.reset_at = limit.reset_at.filter(|reset| is_within(*reset, away));
        }
        Ok(())
    }

    /// The account's weekly limit.
    pub fn weekly(&self) -> Option<&Limit> {
        self.limits.iter().find(|limit| limit.is_the_weekly())
    }

    /// What the weekly window was doing at `observed_at`.
    pub fn window_state(&self, observed_at: Stamp) -> WindowState {
        match self.reset_at {
            Some(reset) => window_state(reset, self.quota_percent_left, observed_at),
            // A window that is there, untouched and without a reset has not begun.
            None if self.weekly().is_some() && self.quota_percent_left == Some(100) => {
                WindowState::Unstarted
            }
            None => WindowState::Unknown,
        }
    }
}

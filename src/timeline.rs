//! Each account's week on one axis of time: what `cooldown --timeline` and `cooldown --html` draw. Nothing here knows how
//! wide a page is, or what it is drawn with.
//!
//! Pure. The axis goes from midnight to midnight of the zone in force, so that a day is 23 or 25 hours long where summer
//! time begins or ends. It spans the windows that run and now, and never more than [`REACH`] from now either way: what goes
//! on beyond is cut there, and marked.

use chrono::{NaiveDate, NaiveTime, TimeDelta};

use crate::accounts::Row;
use crate::metadata::{Limit, WindowState};
use crate::observation::Status;
use crate::timeutil::{Stamp, Zone};

/// A week, and a day for what the clocks of two machines and summer time may add.
const REACH: TimeDelta = TimeDelta::days(8);

/// How much of what was is shown where no window runs.
const PAST: TimeDelta = TimeDelta::hours(36);

/// How much of what comes is shown at least.
const AHEAD: TimeDelta = TimeDelta::hours(24);

/// The accounts' weeks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// The instant it is drawn for.
    pub now: Stamp,
    /// What all lanes share.
    pub axis: Axis,
    /// One an account, in the order of the rows.
    pub lanes: Vec<Lane>,
}

/// The axis of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Where each day begins, the first at the axis' own beginning.
    pub days: Vec<(Stamp, NaiveDate)>,
    from: i64,
    to: i64,
}

/// What a stretch of time is for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of the window, and gone by.
    Past,
    /// Of the window, with quota left.
    Open,
    /// The account cannot be used.
    Held,
    /// No window runs, and nothing is known that holds the account back.
    Free,
}

/// One stretch of a lane, on the axis as far as it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it is.
    pub kind: Kind,
    /// From when, Unix seconds.
    pub from: i64,
    /// Until when.
    pub to: i64,
}

/// A window of five hours within the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// From when, Unix seconds.
    pub from: i64,
    /// Until when.
    pub to: i64,
    /// Whether its quota is used up.
    pub is_exhausted: bool,
}

/// One account's week.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// Stretches in the order of time, none over another.
    pub spans: Vec<Span>,
    /// When the window began, where that is on the axis.
    pub start: Option<i64>,
    /// When the window is over, where that is on the axis.
    pub next: Option<i64>,
    /// The known windows of five hours that are on the axis.
    pub blocks: Vec<Block>,
    /// Whether it began before the axis does.
    pub is_cut_before: bool,
    /// Whether it goes on behind the axis.
    pub is_cut_after: bool,
    /// What there is to say of an account without a window.
    pub without: Option<&'static str>,
}

impl Axis {
    /// Of the days from one instant's to another's, in `zone`.
    fn new(from: Stamp, to: Stamp, zone: &Zone) -> Self {
        let midnight = |date: NaiveDate| zone.resolve(date.and_time(NaiveTime::MIN));
        let (first, last) = (from.in_zone(zone).date(), to.in_zone(zone).date());
        let days = first.iter_days().take_while(|date| *date <= last);
        let days: Vec<(Stamp, NaiveDate)> = days
            .filter_map(|date| Some((midnight(date)?, date)))
            .collect();
        let begins = days.first().map_or(from, |(begins, _)| *begins);
        let ends = last.succ_opt().and_then(midnight).unwrap_or(to);
        Self {
            days,
            from: begins.unix(),
            // Never empty: places are shares of it.
            to: ends.unix().max(begins.unix() + 1),
        }
    }

    /// Where it begins, Unix seconds.
    pub fn from(&self) -> i64 {
        self.from
    }

    /// Where it ends.
    pub fn to(&self) -> i64 {
        self.to
    }

    /// The place of an instant on an axis that is `length` long; none where it is not on it.
    pub fn place(&self, at: i64, length: u32) -> Option<f64> {
        (self.from..=self.to)
            .contains(&at)
            .then(|| self.share(at) * f64::from(length))
    }

    #[allow(clippy::cast_precision_loss)] // seconds of some days
    fn share(&self, at: i64) -> f64 {
        (at - self.from) as f64 / (self.to - self.from) as f64
    }

    /// The part of a stretch that is on the axis; none where nothing of it is.
    fn clip(&self, kind: Kind, from: i64, to: i64) -> Option<Span> {
        let (from, to) = (from.max(self.from), to.min(self.to));
        (from < to).then_some(Span { kind, from, to })
    }
}

impl Timeline {
    /// The weeks of these accounts as of `now`.
    pub fn of(rows: &[Row], now: Stamp, zone: &Zone) -> Self {
        let axis = axis(rows, now, zone);
        let lanes = rows.iter().map(|row| lane(row, now, &axis)).collect();
        Self { now, axis, lanes }
    }
}

/// The window of an account, where it has one that began.
fn window(row: &Row) -> Option<(Stamp, Stamp)> {
    Some((row.session_start_at?.0, row.next_available_at?))
}

/// Until when an account is held back that cannot be used.
fn held_until(row: &Row) -> Option<Stamp> {
    row.usable_at.filter(|_| row.status == Status::Cooldown)
}

fn axis(rows: &[Row], now: Stamp, zone: &Zone) -> Axis {
    let (earliest, latest) = (now.plus(-REACH, zone), now.plus(REACH, zone));
    let is_near = |at: &Stamp| (earliest..=latest).contains(at);
    let running = rows
        .iter()
        .filter_map(window)
        .filter(|(_, next)| *next > now);
    let starts = running.clone().map(|(start, _)| start);
    let first = starts.chain([now.plus(-PAST, zone)]).filter(is_near).min();
    let ends = running.map(|(_, next)| next);
    let ends = ends.chain(rows.iter().filter_map(held_until));
    let last = ends.chain([now.plus(AHEAD, zone)]).filter(is_near).max();
    Axis::new(first.unwrap_or(earliest), last.unwrap_or(latest), zone)
}

fn lane(row: &Row, now: Stamp, axis: &Axis) -> Lane {
    let now = now.unix();
    let window = window(row).map(|(start, next)| (start.unix(), next.unix()));
    let is_held = row.status == Status::Cooldown;
    let mut lane = Lane::default();
    let mut put = |kind, from, to| lane.spans.extend(axis.clip(kind, from, to));
    if let Some((start, next)) = window {
        put(Kind::Past, start, next.min(now));
    }
    // Where nobody can say until when, it goes on.
    let until = held_until(row).map_or(i64::MAX, Stamp::unix);
    if is_held {
        put(Kind::Held, now, until);
    }
    let usable = if is_held { until } else { now };
    if let Some((start, next)) = window {
        put(Kind::Open, usable.max(start), next);
    }
    let free = match (window, row.usable_at) {
        (Some((_, next)), _) => Some(next.max(if is_held { until } else { i64::MIN })),
        // Not begun: since it was seen so. Where no window is known, from when it is usable is not either.
        (None, Some(at)) => Some(at.unix()),
        (None, None) => None,
    };
    if let Some(free) = free {
        put(Kind::Free, free, i64::MAX);
    }
    let is_on_axis = |at: &i64| (axis.from..=axis.to).contains(at);
    lane.start = window.map(|(start, _)| start).filter(is_on_axis);
    lane.next = window.map(|(_, next)| next).filter(is_on_axis);
    let ends = [window.map(|(_, next)| next), is_held.then_some(until)];
    lane.is_cut_before = window.is_some_and(|(start, _)| start < axis.from);
    lane.is_cut_after = ends.into_iter().flatten().any(|end| end > axis.to);
    let blocks = row.limits.iter().filter_map(block);
    lane.blocks = blocks
        .filter(|block| is_on_axis(&block.from) && is_on_axis(&block.to))
        .collect();
    lane.without = match (window, row.window_state) {
        (Some(_), _) => None,
        (None, WindowState::Unstarted) => Some("no window has begun"),
        (None, _) => Some("no window is known"),
    };
    lane
}

/// The window of five hours that a limit of the account is of.
fn block(limit: &Limit) -> Option<Block> {
    let minutes = limit.window_minutes.filter(|_| limit.is_of_account())?;
    // As Codex classifies windows: give or take 5 %.
    if !(285..=315).contains(&minutes) {
        return None;
    }
    let to = limit.reset_at?.unix();
    Some(Block {
        from: to - i64::from(minutes) * 60,
        to,
        is_exhausted: limit.percent_left == Some(0),
    })
}

#[cfg(test)]
mod tests;

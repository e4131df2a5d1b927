//! The reset time a limit row prints: what is printed, and which instant that is.
//!
//! Codex prints `13:46` (or `1:46 PM`) for the local day of printing, else `13:46 on 25 Nov`: never a year. The instant is
//! the earliest that matches what is printed, is not before `now - 5 minutes` (a panel is read a little after it was
//! printed) and not later than the window allows. A time alone is today's, else tomorrow's. A date is of the year that
//! puts it in that range; where none does, the text is stale and there is no instant. A reference year is taken as it is,
//! without the range. A wall clock that happens twice is the first pass, unless that one is already out of range.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use crate::timeutil::{Stamp, Zone, month_of};

/// How long before `now` a panel may have been printed.
const LATE: TimeDelta = TimeDelta::minutes(5);

/// Years that may be printed or given.
const YEARS: std::ops::RangeInclusive<i32> = 1000..=9998;

/// A reset time as printed: a wall clock, and the date unless it is that day's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Printed {
    time: NaiveTime,
    date: Option<PrintedDate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PrintedDate {
    day: u32,
    month: u32,
    year: Option<i32>,
}

/// Why a row has no reset time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unprinted {
    /// It names none.
    None,
    /// It ends in the middle of one.
    CutOff,
    /// What stands there is no time.
    Unreadable(String),
}

/// Why a printed reset time is no instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unplaced {
    /// No year has such a date, or the reference year has not.
    NoSuchDate,
    /// No year puts it in range.
    OutOfRange,
}

/// The reset time in a row's value, which may be broken anywhere by spaces: narrow panels break inside words.
pub(super) fn printed(value: &str) -> Result<Printed, Unprinted> {
    let squeezed: String = value
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let Some((before, after)) = squeezed.split_once("resets") else {
        // `(res` of a row that ends too early.
        return Err(if squeezed.contains('(') && !squeezed.contains(')') {
            Unprinted::CutOff
        } else {
            Unprinted::None
        });
    };
    let inside = if before.ends_with('(') {
        // Without its end it may be half a time: `resets 10:02` of `resets 10:02 on 24 Nov`.
        after.split_once(')').ok_or(Unprinted::CutOff)?.0
    } else {
        after
    };
    read(inside).ok_or_else(|| Unprinted::Unreadable(as_printed(value)))
}

/// The words of the reset time, for a message.
pub(super) fn as_printed(value: &str) -> String {
    const START: &str = "resets";
    let words = value
        .to_ascii_lowercase()
        .find(START)
        .and_then(|at| value.get(at + START.len()..))
        .unwrap_or(value);
    let words = words.split(')').next().unwrap_or(words);
    words.trim().chars().take(60).collect()
}

fn read(inside: &str) -> Option<Printed> {
    let mut rest = inside;
    let hour = number(&mut rest, 1..=2)?;
    rest = rest.strip_prefix(':')?;
    let minute = number(&mut rest, 2..=2)?;
    let half = rest
        .strip_prefix("am")
        .map(|rest| (0, rest))
        .or_else(|| rest.strip_prefix("pm").map(|rest| (12, rest)));
    let hour = match half {
        Some((noon, after)) => {
            rest = after;
            if !(1..=12).contains(&hour) {
                return None;
            }
            hour % 12 + noon
        }
        None => hour,
    };
    let time = NaiveTime::from_hms_opt(hour, minute, 0)?;
    if rest.is_empty() {
        return Some(Printed { time, date: None });
    }
    rest = rest.strip_prefix("on")?;
    let day = number(&mut rest, 1..=2)?;
    let month = month_of(rest.get(..3)?)?;
    rest = rest.get(3..)?;
    let year = if rest.is_empty() {
        None
    } else {
        Some(i32::try_from(number(&mut rest, 4..=4)?).ok()?)
    };
    rest.is_empty().then_some(Printed {
        time,
        date: Some(PrintedDate { day, month, year }),
    })
}

/// The number at the head of `rest`, of as many digits, no more and no less; moves `rest` past it.
fn number(rest: &mut &str, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let length = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    if !digits.contains(&length) {
        return None;
    }
    let (number, after) = rest.split_at_checked(length)?;
    *rest = after;
    number.parse().ok()
}

impl Printed {
    /// The instant, by the rule at the head of this file; `ahead` is how far after `now` it may lie.
    pub(super) fn instant(
        self,
        now: Stamp,
        zone: &Zone,
        reference_year: Option<i32>,
        ahead: TimeDelta,
    ) -> Result<Stamp, Unplaced> {
        let now = now.in_zone(zone);
        let in_range = |stamp: &Stamp| {
            let away = stamp.since(now);
            -LATE <= away && away <= ahead
        };
        let Some(date) = self.date else {
            let today = now.date();
            return [Some(today), today.succ_opt()]
                .into_iter()
                .flatten()
                .flat_map(|day| passes(day.and_time(self.time), zone))
                .find(in_range)
                .ok_or(Unplaced::OutOfRange);
        };
        if let Some(year) = reference_year {
            return date
                .of_year(date.year.unwrap_or(year))
                .and_then(|day| zone.resolve(day.and_time(self.time)))
                .ok_or(Unplaced::NoSuchDate);
        }
        let this_year = now.date().year();
        let years = date
            .year
            .map_or(this_year - 1..=this_year + 1, |year| year..=year);
        if let Some(stamp) = years
            .filter_map(|year| date.of_year(year))
            .flat_map(|day| passes(day.and_time(self.time), zone))
            .find(in_range)
        {
            return Ok(stamp);
        }
        // 2000 is a leap year: a date it has not is in no year.
        Err(match date.of_year(date.year.unwrap_or(2000)) {
            Some(_) => Unplaced::OutOfRange,
            None => Unplaced::NoSuchDate,
        })
    }
}

impl PrintedDate {
    fn of_year(self, year: i32) -> Option<NaiveDate> {
        YEARS
            .contains(&year)
            .then(|| NaiveDate::from_ymd_opt(year, self.month, self.day))?
    }
}

/// The instants of a wall clock, the earlier first: one, or two where an hour is repeated.
fn passes(wall_clock: NaiveDateTime, zone: &Zone) -> impl Iterator<Item = Stamp> {
    let first = zone.resolve(wall_clock);
    let second = first.and_then(|first| {
        // A repeated hour's second pass runs under the offset that is in force from then on.
        let day_later = first.plus(TimeDelta::days(1), zone);
        let offset = day_later.wall_clock().and_utc().timestamp() - day_later.unix();
        let second = Stamp::from_unix(wall_clock.and_utc().timestamp() - offset, zone)?;
        (second > first && second.wall_clock() == wall_clock).then_some(second)
    });
    first.into_iter().chain(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEKLY: TimeDelta = TimeDelta::days(8);

    fn instant(value: &str, now: &str, zone: &str) -> Result<String, Unplaced> {
        let zone = Zone::named(zone).expect(zone);
        let now = Stamp::parse(now).expect(now);
        printed(value)
            .expect(value)
            .instant(now, &zone, None, WEEKLY)
            .map(|stamp| stamp.to_string())
    }

    #[test]
    fn what_is_printed_is_the_earliest_instant_in_range() {
        for (zone, now, value, expected) in [
            // Today, tomorrow, and a little late.
            (
                "Europe/Berlin",
                "2026-11-22T14:00:00+01:00",
                "(resets 22:10)",
                "2026-11-22T22:10:00+01:00",
            ),
            (
                "Europe/Berlin",
                "2026-11-22T23:50:00+01:00",
                "(resets 00:10)",
                "2026-11-23T00:10:00+01:00",
            ),
            (
                "Europe/Berlin",
                "2026-11-22T14:00:00+01:00",
                "(resets 13:55)",
                "2026-11-22T13:55:00+01:00",
            ),
            (
                "Europe/Berlin",
                "2026-11-22T14:00:01+01:00",
                "(resets 13:55)",
                "2026-11-23T13:55:00+01:00",
            ),
            // `now` in another offset than the zone's: its day is the zone's.
            (
                "Asia/Kolkata",
                "2026-11-22T20:00:00Z",
                "(resets 10:00)",
                "2026-11-23T10:00:00+05:30",
            ),
            // Twelve hours.
            (
                "UTC",
                "2026-11-22T00:00:00Z",
                "(resets 12:05 AM)",
                "2026-11-22T00:05:00+00:00",
            ),
            (
                "UTC",
                "2026-11-22T00:00:00Z",
                "(resets 12:05 PM)",
                "2026-11-22T12:05:00+00:00",
            ),
            (
                "UTC",
                "2026-11-22T00:00:00Z",
                "(resets 1:58 PM on 25 Nov)",
                "2026-11-25T13:58:00+00:00",
            ),
            (
                "UTC",
                "2026-11-22T00:00:00Z",
                "(resets 1:58 pm on 25 NOV)",
                "2026-11-25T13:58:00+00:00",
            ),
            // New Year from either side, and a leap day.
            (
                "UTC",
                "2026-12-30T12:00:00Z",
                "(resets 09:00 on 2 Jan)",
                "2027-01-02T09:00:00+00:00",
            ),
            (
                "UTC",
                "2027-01-01T00:02:00Z",
                "(resets 23:58 on 31 Dec)",
                "2026-12-31T23:58:00+00:00",
            ),
            (
                "UTC",
                "2028-02-25T12:00:00Z",
                "(resets 09:00 on 29 Feb)",
                "2028-02-29T09:00:00+00:00",
            ),
            (
                "UTC",
                "2026-11-22T12:00:00Z",
                "(resets 12:00 on 30 Nov)",
                "2026-11-30T12:00:00+00:00",
            ),
            (
                "UTC",
                "2026-11-22T12:00:00Z",
                "(resets 12:00 on 25 Nov 2026)",
                "2026-11-25T12:00:00+00:00",
            ),
        ] {
            assert_eq!(
                instant(value, now, zone).as_deref(),
                Ok(expected),
                "{value} at {now} in {zone}"
            );
        }
    }

    #[test]
    fn summer_time_begins_and_ends() {
        for (zone, now, value, expected) in [
            // Within the window.
            (
                "Europe/Berlin",
                "2026-03-26T12:00:00+01:00",
                "(resets 12:00 on 30 Mar)",
                "2026-03-30T12:00:00+02:00",
            ),
            (
                "Europe/Berlin",
                "2026-10-22T12:00:00+02:00",
                "(resets 12:00 on 29 Oct)",
                "2026-10-29T12:00:00+01:00",
            ),
            (
                "America/New_York",
                "2026-03-05T12:00:00-05:00",
                "(resets 13:00 on 12 Mar)",
                "2026-03-12T13:00:00-04:00",
            ),
            (
                "America/New_York",
                "2026-10-28T12:00:00-04:00",
                "(resets 11:00 on 4 Nov)",
                "2026-11-04T11:00:00-05:00",
            ),
            // An hour that is left out, and one that is repeated: its first pass, unless that is over.
            (
                "Europe/Berlin",
                "2026-03-28T12:00:00+01:00",
                "(resets 02:30 on 29 Mar)",
                "2026-03-29T03:30:00+02:00",
            ),
            (
                "Europe/Berlin",
                "2026-10-24T12:00:00+02:00",
                "(resets 02:30 on 25 Oct)",
                "2026-10-25T02:30:00+02:00",
            ),
            (
                "Europe/Berlin",
                "2026-10-25T02:40:00+01:00",
                "(resets 02:50)",
                "2026-10-25T02:50:00+01:00",
            ),
            (
                "America/New_York",
                "2026-11-01T01:20:00-05:00",
                "(resets 01:30)",
                "2026-11-01T01:30:00-05:00",
            ),
            (
                "Australia/Lord_Howe",
                "2026-04-05T01:40:00+10:30",
                "(resets 01:45)",
                "2026-04-05T01:45:00+10:30",
            ),
        ] {
            assert_eq!(
                instant(value, now, zone).as_deref(),
                Ok(expected),
                "{value} at {now} in {zone}"
            );
        }
    }

    #[test]
    fn no_instant_is_made_up() {
        for (now, value, expected) in [
            (
                "2026-11-27T12:00:00Z",
                "(resets 13:46 on 25 Nov)",
                Unplaced::OutOfRange,
            ),
            (
                "2026-11-22T12:00:00Z",
                "(resets 12:01 on 30 Nov)",
                Unplaced::OutOfRange,
            ),
            (
                "2026-11-22T12:00:00Z",
                "(resets 12:00 on 25 Nov 2025)",
                Unplaced::OutOfRange,
            ),
            (
                "2026-02-25T12:00:00Z",
                "(resets 09:00 on 29 Feb)",
                Unplaced::OutOfRange,
            ),
            (
                "2026-02-25T12:00:00Z",
                "(resets 09:00 on 31 Feb)",
                Unplaced::NoSuchDate,
            ),
            (
                "2026-02-25T12:00:00Z",
                "(resets 09:00 on 0 Mar)",
                Unplaced::NoSuchDate,
            ),
        ] {
            assert_eq!(instant(value, now, "UTC"), Err(expected), "{value}");
        }
    }

    #[test]
    fn a_reference_year_is_taken_as_it_is() {
        let zone = Zone::named("Europe/Berlin").expect("a zone");
        let now = Stamp::parse("2030-06-01T12:00:00Z").expect("a stamp");
        let of_year = |value, year| {
            printed(value)
                .expect(value)
                .instant(now, &zone, Some(year), WEEKLY)
                .map(|stamp| stamp.to_string())
        };
        assert_eq!(
            of_year("(resets 13:46 on 25 Nov)", 2026).as_deref(),
            Ok("2026-11-25T13:46:00+01:00")
        );
        assert_eq!(
            of_year("(resets 13:46 on 29 Feb)", 2026),
            Err(Unplaced::NoSuchDate)
        );
        for year in [i32::MIN, -1, 0, 999, 9999, i32::MAX] {
            assert_eq!(
                of_year("(resets 13:46 on 25 Nov)", year),
                Err(Unplaced::NoSuchDate)
            );
        }
        // A time alone has no year to take.
        assert_eq!(
            of_year("(resets 15:00)", 2026).as_deref(),
            Ok("2030-06-01T15:00:00+02:00")
        );
    }

    #[test]
    fn breaks_within_words_do_not_matter() {
        let whole = printed("66% left (resets 13:46 on 25 Nov)");
        for value in [
            "66% left (resets 13:4 6 on 25 Nov)",
            "66% left (resets 13:46 on 2 5 N ov)",
            "66% left ( res ets 13:46 on 25 Nov )",
            "66% left resets 13:46 on 25 Nov",
        ] {
            assert_eq!(printed(value), whole, "{value}");
        }
    }

    #[test]
    fn what_is_no_whole_time_is_refused() {
        for (value, expected) in [
            ("66% left", Unprinted::None),
            ("66% left (res", Unprinted::CutOff),
            ("66% left (resets 10:02", Unprinted::CutOff),
            ("66% left (resets 10:02 on 25", Unprinted::CutOff),
            ("(resets 25:10)", Unprinted::Unreadable("25:10".to_owned())),
            ("(resets 24:00)", Unprinted::Unreadable("24:00".to_owned())),
            ("(resets 10:60)", Unprinted::Unreadable("10:60".to_owned())),
            ("(resets 10:2)", Unprinted::Unreadable("10:2".to_owned())),
            (
                "(resets 0:10 AM)",
                Unprinted::Unreadable("0:10 AM".to_owned()),
            ),
            (
                "(resets 13:10 PM)",
                Unprinted::Unreadable("13:10 PM".to_owned()),
            ),
            (
                "(resets 10:00 on 5 Foo)",
                Unprinted::Unreadable("10:00 on 5 Foo".to_owned()),
            ),
            ("(resets soon)", Unprinted::Unreadable("soon".to_owned())),
            (
                "(resets 10:00 on 5 é€)",
                Unprinted::Unreadable("10:00 on 5 é€".to_owned()),
            ),
        ] {
            assert_eq!(printed(value), Err(expected), "{value}");
        }
    }
}

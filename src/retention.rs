//! Which snapshots are kept, and why each: rules that are combined as restic combines them. Pure.
//!
//! Each rule keeps what it keeps, whatever the others say; what none keeps goes.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Months, NaiveDate, TimeDelta};

use crate::timeutil::{Stamp, Zone};

/// What to keep of each group of snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The newest so many.
    pub last: Option<usize>,
    /// Whatever is no older than that before the newest.
    pub within: Option<Span>,
    /// The newest of each of the newest so many days that have any.
    pub daily: Option<usize>,
    /// The same of weeks, which begin on Mondays.
    pub weekly: Option<usize>,
    /// The same of months.
    pub monthly: Option<usize>,
}

impl Rules {
    /// Whether any keeps anything.
    pub fn is_any(&self) -> bool {
        let counts = [self.last, self.daily, self.weekly, self.monthly];
        self.within.is_some() || counts.iter().any(Option::is_some)
    }
}

/// Why a snapshot is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is the n-th newest.
    Last(usize),
    /// It lies within the span.
    Within,
    /// It is the newest of the n-th newest day.
    Daily(usize),
    /// Of the n-th newest week.
    Weekly(usize),
    /// Of the n-th newest month.
    Monthly(usize),
    /// When it was made is not known.
    Timeless,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last(count) => write!(f, "last {count}"),
            Self::Within => f.write_str("within"),
            Self::Daily(count) => write!(f, "day {count}"),
            Self::Weekly(count) => write!(f, "week {count}"),
            Self::Monthly(count) => write!(f, "month {count}"),
            Self::Timeless => f.write_str("of an unknown time"),
        }
    }
}

/// How long back, as `1y2m3w4d5h`: years, months, weeks, days and hours, each at most once and in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Years count as twelve.
    months: u32,
    hours: u32,
}

impl Span {
    /// That long before `time`, by the wall clock of `zone` as far as it is months; None where that is before any year.
    fn before(self, time: Stamp, zone: &Zone) -> Option<Stamp> {
        let clock = time.in_zone(zone).wall_clock();
        let then = clock.checked_sub_months(Months::new(self.months))?;
        let then = if self.months == 0 {
            time
        } else {
            zone.resolve(then)?
        };
        Stamp::from_unix(
            then.unix() - TimeDelta::hours(i64::from(self.hours)).num_seconds(),
            zone,
        )
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        /// Each unit with what it counts: months, or hours.
        const UNITS: [(char, u32, u32); 5] = [
            ('y', 12, 0),
            ('m', 1, 0),
            ('w', 0, 7 * 24),
            ('d', 0, 24),
            ('h', 0, 1),
        ];
        const MOST: u32 = 100_000;
        let wrong = || "it is no span of time such as 30d, 6m or 1y6m".to_owned();
        let mut span = Self::default();
        let mut rest = text;
        let mut units = UNITS.iter();
        while !rest.is_empty() {
            let end = rest
                .find(|letter: char| !letter.is_ascii_digit())
                .ok_or_else(wrong)?;
            let (digits, after) = rest.split_at(end);
            let number: u32 = digits.parse().map_err(|_| wrong())?;
            let unit = after.chars().next().ok_or_else(wrong)?;
            let (_, months, hours) = units
                .find(|(letter, ..)| *letter == unit)
                .ok_or_else(wrong)?;
            if number > MOST {
                return Err("it is longer than there is any time".to_owned());
            }
            span.months += number * months;
            span.hours += number * hours;
            rest = &after[unit.len_utf8()..];
        }
        if span == Self::default() {
            return Err(wrong());
        }
        Ok(span)
    }
}

/// How many of a period are kept, the day it begins on, and what that is called.
type Period<'a> = (
    Option<usize>,
    &'a dyn Fn(Stamp) -> NaiveDate,
    fn(usize) -> Reason,
);

/// Why each of one group is kept, in the order of `times`; none is for what goes. Of equal times the later in the list is
/// the newer.
pub fn decide(times: &[Option<Stamp>], rules: &Rules, zone: &Zone) -> Vec<Vec<Reason>> {
    let mut reasons: Vec<Vec<Reason>> = vec![Vec::new(); times.len()];
    let mut newest_first: Vec<(Stamp, usize)> = Vec::new();
    for (place, time) in times.iter().enumerate() {
        match time {
            Some(time) => newest_first.push((*time, place)),
            None => reasons[place].push(Reason::Timeless),
        }
    }
    newest_first.sort_by(|a, b| b.cmp(a));
    let since = newest_first
        .first()
        .and_then(|(newest, _)| Some((*newest, rules.within?)))
        .map(|(newest, span)| span.before(newest, zone));
    for (rank, (time, place)) in newest_first.iter().enumerate() {
        let own = &mut reasons[*place];
        if rules.last.is_some_and(|last| rank < last) {
            own.push(Reason::Last(rank + 1));
        }
        // A span that reaches back before all years holds everything.
        if since.is_some_and(|since| since.is_none_or(|since| *time >= since)) {
            own.push(Reason::Within);
        }
    }
    let date = |time: Stamp| time.in_zone(zone).date();
    let monday = |date: NaiveDate| {
        let back = u64::from(date.weekday().num_days_from_monday());
        date.checked_sub_days(chrono::Days::new(back))
            .unwrap_or(date)
    };
    let first = |date: NaiveDate| date.with_day(1).unwrap_or(date);
    let periods: [Period; 3] = [
        (rules.daily, &date, Reason::Daily),
        (rules.weekly, &|time| monday(date(time)), Reason::Weekly),
        (rules.monthly, &|time| first(date(time)), Reason::Monthly),
    ];
    for (count, period_of, reason) in periods {
        let mut last = None;
        let mut found = 0;
        for (time, place) in &newest_first {
            let period = Some(period_of(*time));
            if period == last || found >= count.unwrap_or_default() {
                continue;
            }
            last = period;
            found += 1;
            reasons[*place].push(reason(found));
        }
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn zone() -> Zone {
        Zone::named("Europe/Berlin").expect("a zone")
    }

    fn at(text: &str) -> Stamp {
        Stamp::parse(text).expect("a time")
    }

    /// As restic's words, one group, newest last.
    fn kept(times: &[&str], rules: &Rules) -> Vec<String> {
        let times: Vec<_> = times.iter().map(|time| Some(at(time))).collect();
        decide(&times, rules, &zone())
            .into_iter()
            .map(|reasons| {
                let words: Vec<String> = reasons.iter().map(ToString::to_string).collect();
                words.join(", ")
            })
            .collect()
    }

    #[test]
    fn the_newest_of_each_period_is_kept() {
        let times = [
            "2026-03-31T23:30:00+02:00",
            "2026-04-01T00:30:00+02:00",
            "2026-04-05T10:00:00+02:00",
            "2026-04-06T10:00:00+02:00",
            "2026-04-06T11:00:00+02:00",
        ];
        let rules = |change: &dyn Fn(&mut Rules)| {
            let mut rules = Rules::default();
            change(&mut rules);
            rules
        };
        assert_eq!(
            kept(&times, &rules(&|rules| rules.last = Some(2))),
            ["", "", "", "last 2", "last 1"]
        );
        assert_eq!(
            kept(&times, &rules(&|rules| rules.daily = Some(3))),
            ["", "day 3", "day 2", "", "day 1"]
        );
        // The fifth is a Sunday.
        assert_eq!(
            kept(&times, &rules(&|rules| rules.weekly = Some(9))),
            ["", "", "week 2", "", "week 1"]
        );
        assert_eq!(
            kept(&times, &rules(&|rules| rules.monthly = Some(2))),
            ["month 2", "", "", "", "month 1"]
        );
        let both = rules(&|rules| {
            rules.last = Some(1);
            rules.monthly = Some(1);
            rules.within = Some("1d2h".parse().expect("a span"));
        });
        assert_eq!(
            kept(&times, &both),
            ["", "", "within", "within", "last 1, within, month 1"]
        );
        assert_eq!(kept(&times, &Rules::default()), [""; 5]);
        assert!(!Rules::default().is_any() && both.is_any());
    }

    #[test]
    fn spans_are_by_the_wall_clock_and_count_from_the_newest() {
        let span = |text: &str| text.parse::<Span>();
        let before = |text: &str, time: &str| {
            let span = span(text).expect("a span");
            let then = span.before(at(time), &zone());
            then.map(|then| then.to_string())
        };
        // Over the beginning of summer time: a month is one of the calendar, a day is 24 hours.
        assert_eq!(
            before("1m", "2026-04-15T12:00:00+02:00").as_deref(),
            Some("2026-03-15T12:00:00+01:00")
        );
        assert_eq!(
            before("30d", "2026-04-15T12:00:00+02:00").as_deref(),
            Some("2026-03-16T11:00:00+01:00")
        );
        assert_eq!(
            before("1y1m1w1d1h", "2026-03-31T12:00:00+02:00").as_deref(),
            Some("2025-02-20T11:00:00+01:00")
        );
        assert_eq!(before("100000y", "2026-03-31T12:00:00+02:00"), None);
        for wrong in [
            "",
            "0d",
            "d",
            "5",
            "1d1m",
            "1d1d",
            "-1d",
            "1.5d",
            "1 d",
            "1ü",
            "100001h",
            "99999999999d",
        ] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
        // Farther back than there are years: all of it.
        let rules = Rules {
            within: Some(span("9999y").expect("a span")),
            ..Rules::default()
        };
        assert_eq!(
            kept(&["1970-01-01T00:00:00Z", "2026-04-15T12:00:00Z"], &rules),
            ["within", "within"]
        );
    }

    #[test]
    fn what_has_no_time_stays() {
        let rules = Rules {
            last: Some(1),
            ..Rules::default()
        };
        let times = [
            None,
            Some(at("2026-04-15T12:00:00Z")),
            Some(at("2026-04-14T12:00:00Z")),
        ];
        assert_eq!(
            decide(&times, &rules, &zone()),
            [vec![Reason::Timeless], vec![Reason::Last(1)], vec![]]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// More to keep never means less kept; any rule keeps the newest; the order of the list is no matter.
        #[test]
        fn rules_only_add(
            seconds in prop::collection::vec(1_700_000_000_i64..1_800_000_000, 1..40),
            counts in prop::array::uniform4(prop::option::of(0_usize..6)),
            more in 0_usize..4,
        ) {
            let zone = zone();
            let mut seconds = seconds;
            seconds.sort_unstable();
            seconds.dedup();
            let rules = |counts: [Option<usize>; 4]| Rules {
                last: counts[0],
                daily: counts[1],
                weekly: counts[2],
                monthly: counts[3],
                within: None,
            };
            let keeps = |seconds: &[i64], counts| -> Vec<bool> {
                let times: Vec<_> = seconds.iter().map(|second| Stamp::from_unix(*second, &zone)).collect();
                decide(&times, &rules(counts), &zone).iter().map(|reasons| !reasons.is_empty()).collect()
            };
            let kept = keeps(&seconds, counts);
            let mut larger = counts;
            larger[more] = Some(larger[more].unwrap_or_default() + 1);
            let kept_more = keeps(&seconds, larger);
            prop_assert!(kept.iter().zip(&kept_more).all(|(less, more)| !less || *more));
            prop_assert_eq!(kept_more.last(), Some(&true));
            let limit: usize = counts.iter().flatten().sum();
            prop_assert!(kept.iter().filter(|kept| **kept).count() <= limit);
            let mut backwards: Vec<i64> = seconds.iter().rev().copied().collect();
            let mut of_backwards = keeps(&backwards, counts);
            of_backwards.reverse();
            backwards.reverse();
            prop_assert_eq!(kept, of_backwards);
        }
    }
}

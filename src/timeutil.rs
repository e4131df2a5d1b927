//! Time as the weekly quota model needs it: instants with an offset, the seven-day window, local wall clock.
//!
//! Pure: `now` and the zone are parameters; nothing here reads a clock, the environment or a file.
//!
//! The rule for local times that daylight saving makes odd: one that happens twice is the **first** of the two;
//! one that never happens is read with the offset in force **before** the change, so it moves on by the gap.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{
    DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone,
    Timelike, Utc,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Codex's weekly quota window: 604 800 elapsed seconds, so a change to or from summer time does not move it.
///
/// Source: CODEX_MANAGER_SPEC.md, "Weekly quota model"; Codex's app-server calls it `windowDurationMins: 10080`.
pub const WEEK: TimeDelta = TimeDelta::days(7);

/// Two reset times at most this far apart belong to one window: the service's clock jitters.
pub const JITTER: TimeDelta = TimeDelta::minutes(10);

/// The form a local wall clock takes in archive names.
const FILE_NAME_FORM: &str = "%Y-%m-%d-%H%M%S";

/// Years a stamp may have: four digits with room for a week either way, so that names always sort.
const YEARS: std::ops::RangeInclusive<i32> = 1000..=9998;

/// An instant with the offset it is shown in, to the second. Compares and orders as an instant.
///
/// RFC 3339 in JSON, always with an offset of whole minutes (older local mean times are rounded; the instant is not).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(DateTime<FixedOffset>);

impl Stamp {
    /// Reads RFC 3339 (also with a space for the `T`, as Python may write it). Fractions of a second are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(stamp) = Self::parse_plain(text.as_bytes()) {
            return Some(stamp);
        }
        let text = text.trim();
        let parsed = DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z"))
            .ok()?;
        Self::checked(parsed.timestamp(), *parsed.offset())
    }

    /// The form in which this program and Python write it, as thousands of times stand in a long list.
    fn parse_plain(text: &[u8]) -> Option<Self> {
        let at = |place: usize| text.get(place).copied();
        let punctuation = [
            (4, b'-'),
            (7, b'-'),
            (10, b'T'),
            (13, b':'),
            (16, b':'),
            (22, b':'),
        ];
        let is_punctuated = punctuation
            .iter()
            .all(|(place, mark)| at(*place) == Some(*mark));
        if text.len() != "2026-04-14T15:55:00+05:30".len() || !is_punctuated {
            return None;
        }
        let number = |from, to| number_in(text, from, to);
        let year = i32::try_from(number(0, 4)?).ok()?;
        let date = NaiveDate::from_ymd_opt(year, number(5, 7)?, number(8, 10)?)?;
        let clock = date.and_hms_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?)?;
        let (hours, minutes) = (number(20, 22)?, number(23, 25)?);
        if hours > 23 || minutes > 59 || !YEARS.contains(&year) {
            return None;
        }
        let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
        let offset = match at(19)? {
            b'+' => FixedOffset::east_opt(seconds)?,
            b'-' => FixedOffset::west_opt(seconds)?,
            _ => return None,
        };
        let utc = clock.checked_sub_offset(offset)?;
        Some(Self(DateTime::from_naive_utc_and_offset(utc, offset)))
    }

    /// The instant `seconds` after the Unix epoch, shown in `zone`. None outside the years 1000 to 9998.
    pub fn from_unix(seconds: i64, zone: &Zone) -> Option<Self> {
        let utc = DateTime::<Utc>::from_timestamp(seconds, 0)?;
        Self::checked(seconds, zone.offset_at(utc.naive_utc()))
    }

    fn checked(seconds: i64, offset: FixedOffset) -> Option<Self> {
        let minutes = offset.local_minus_utc() - offset.local_minus_utc() % 60;
        let shown = DateTime::<Utc>::from_timestamp(seconds, 0)?
            .with_timezone(&FixedOffset::east_opt(minutes)?);
        YEARS.contains(&shown.year()).then_some(Self(shown))
    }

    /// Seconds since the Unix epoch.
    pub fn unix(self) -> i64 {
        self.0.timestamp()
    }

    /// The same instant, shown in `zone`.
    #[must_use]
    pub fn in_zone(self, zone: &Zone) -> Self {
        Self::from_unix(self.unix(), zone).unwrap_or(self)
    }

    /// The instant `delta` later, in the offset that `zone` has then.
    #[must_use]
    pub fn plus(self, delta: TimeDelta, zone: &Zone) -> Self {
        Self::from_unix(self.unix() + delta.num_seconds(), zone).unwrap_or(self)
    }

    /// Elapsed time since `earlier`; negative when `earlier` is later.
    pub fn since(self, earlier: Self) -> TimeDelta {
        self.0 - earlier.0
    }

    /// The calendar day of the offset it is shown in.
    pub fn date(self) -> NaiveDate {
        self.0.date_naive()
    }

    /// The wall clock of the offset it is shown in.
    pub fn wall_clock(self) -> NaiveDateTime {
        self.0.naive_local()
    }

    /// `2026-04-14-155500`: local wall clock as archive names carry it.
    pub fn file_name_form(self) -> String {
        self.0.format(FILE_NAME_FORM).to_string()
    }

    /// `2026-04-14 15:55`: for tables.
    pub fn table_form(self) -> String {
        let mut text = String::with_capacity("2026-04-14 15:55".len());
        self.push_date(&mut text);
        text.push(' ');
        self.push_minute(&mut text);
        text
    }

    /// `2026-04-14 15:55:00`: for a clock.
    pub fn clock_form(self) -> String {
        let mut text = self.table_form();
        text.push(':');
        push_two(&mut text, self.wall_clock().second());
        text
    }

    /// `2026-04-14`: chrono's own formatting reads a pattern each time, which a long list would wait for.
    fn push_date(self, text: &mut String) {
        let date = self.date();
        let year = date.year().unsigned_abs(); // four digits, see YEARS
        push_two(text, year / 100);
        push_two(text, year % 100);
        text.push('-');
        push_two(text, date.month());
        text.push('-');
        push_two(text, date.day());
    }

    /// `15:55`.
    fn push_minute(self, text: &mut String) {
        let clock = self.wall_clock();
        push_two(text, clock.hour());
        text.push(':');
        push_two(text, clock.minute());
    }

    /// `2026-04-14T15:55:00+05:30`.
    fn rfc3339(self) -> String {
        let mut text = String::with_capacity("2026-04-14T15:55:00+05:30".len());
        self.push_date(&mut text);
        text.push('T');
        self.push_minute(&mut text);
        text.push(':');
        push_two(&mut text, self.wall_clock().second());
        let offset = self.0.offset().local_minus_utc();
        text.push(if offset < 0 { '-' } else { '+' });
        let minutes = offset.unsigned_abs() / 60;
        push_two(&mut text, minutes / 60);
        text.push(':');
        push_two(&mut text, minutes % 60);
        text
    }
}

/// A number below 100 in two digits.
fn push_two(text: &mut String, number: u32) {
    for digit in [number / 10 % 10, number % 10] {
        text.push(char::from_digit(digit, 10).unwrap_or('?'));
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Stamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| {
            format!("`{text}` is no RFC 3339 time such as 2026-04-14T15:55:00+05:30")
        })
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(InText)
    }
}

/// Reads a [`Stamp`] where it stands, without a copy of the text.
struct InText;

impl serde::de::Visitor<'_> for InText {
    type Value = Stamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Stamp, E> {
        text.parse().map_err(E::custom)
    }
}

/// The rules of a zone that has no IANA name; the system's own, where it will not say which it is.
pub trait Rules: Send + Sync {
    /// The offset in force at an instant given in UTC.
    fn offset_at(&self, utc: NaiveDateTime) -> FixedOffset;
    /// The offsets under which this wall clock happens: none, one, or two with the earlier instant first.
    fn offsets_of(&self, wall_clock: NaiveDateTime) -> Vec<FixedOffset>;
}

impl<T: TimeZone + Send + Sync> Rules for T {
    fn offset_at(&self, utc: NaiveDateTime) -> FixedOffset {
        self.offset_from_utc_datetime(&utc).fix()
    }

    fn offsets_of(&self, wall_clock: NaiveDateTime) -> Vec<FixedOffset> {
        match self.offset_from_local_datetime(&wall_clock) {
            chrono::LocalResult::None => Vec::new(),
            chrono::LocalResult::Single(offset) => vec![offset.fix()],
            chrono::LocalResult::Ambiguous(one, two) => {
                let (one, two) = (one.fix(), two.fix());
                // The larger offset is the earlier instant.
                if one.local_minus_utc() >= two.local_minus_utc() {
                    vec![one, two]
                } else {
                    vec![two, one]
                }
            }
        }
    }
}

/// The zone wall clocks are read and shown in.
#[derive(Clone)]
pub struct Zone {
    name: Arc<str>,
    rules: Arc<dyn Rules>,
}

impl Zone {
    /// The zone of that IANA name, in any case of letters.
    pub fn named(name: &str) -> Option<Self> {
        let zone = chrono_tz::Tz::from_str_insensitive(name).ok()?;
        Some(Self {
            name: zone.name().into(),
            rules: Arc::new(zone),
        })
    }

    /// The IANA names there are.
    pub fn names() -> impl Iterator<Item = &'static str> {
        chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
    }

    /// A zone by its rules alone.
    pub fn unnamed(name: &str, rules: Arc<dyn Rules>) -> Self {
        Self {
            name: name.into(),
            rules,
        }
    }

    /// Its IANA name, or what it is called where it has none.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn offset_at(&self, utc: NaiveDateTime) -> FixedOffset {
        self.rules.offset_at(utc)
    }

    /// The instant of a local wall clock, by the rule at the head of this file. None outside the years 1000 to 9998.
    pub fn resolve(&self, wall_clock: NaiveDateTime) -> Option<Stamp> {
        let offset = self
            .rules
            .offsets_of(wall_clock)
            .first()
            .copied()
            .unwrap_or_else(|| {
                // In a gap: the offset of the day before is the one in force before the change.
                self.offset_at(wall_clock - TimeDelta::days(1))
            });
        let utc = wall_clock.checked_sub_offset(offset)?;
        Stamp::from_unix(utc.and_utc().timestamp(), self)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

/// When an account's weekly window opened. The one stored anchor: everything else follows from it.
///
/// Exact from a live reset time, a guess from a legacy file's mtime; the field beside it says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionStart(pub Stamp);

impl SessionStart {
    /// From the reset time Codex reports.
    pub fn from_reset(reset_at: Stamp, zone: &Zone) -> Self {
        Self(reset_at.plus(-WEEK, zone))
    }

    /// When the account is available again: exactly a week of elapsed time later.
    pub fn next_available_at(self, zone: &Zone) -> Stamp {
        self.0.plus(WEEK, zone)
    }
}

/// The local wall clock in an archive name: `2026-04-14-155500`.
pub fn parse_file_name_form(text: &str) -> Option<NaiveDateTime> {
    parse_plain_form(text).or_else(|| NaiveDateTime::parse_from_str(text, FILE_NAME_FORM).ok())
}

/// The same for a clock of digits only, which nearly all are: chrono reads its pattern anew for each name.
fn parse_plain_form(text: &str) -> Option<NaiveDateTime> {
    let digits = |from, to| number_in(text.as_bytes(), from, to);
    let dash = |at: usize| text.as_bytes().get(at) == Some(&b'-');
    if text.len() != "2026-04-14-155500".len() || !(dash(4) && dash(7) && dash(10)) {
        return None;
    }
    let year = i32::try_from(digits(0, 4)?).ok()?;
    NaiveDate::from_ymd_opt(year, digits(5, 7)?, digits(8, 10)?)?.and_hms_opt(
        digits(11, 13)?,
        digits(13, 15)?,
        digits(15, 17)?,
    )
}

/// The number of the digits from one place to another; None where not all are digits.
fn number_in(text: &[u8], from: usize, to: usize) -> Option<u32> {
    text.get(from..to)?.iter().try_fold(0, |number, digit| {
        let is_digit = digit.is_ascii_digit();
        is_digit.then(|| number * 10 + u32::from(digit - b'0'))
    })
}

/// The month of an English three-letter name in any case: `apr` is 4.
pub fn month_of(token: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let index = MONTHS
        .iter()
        .position(|month| token.eq_ignore_ascii_case(month))?;
    u32::try_from(index + 1).ok()
}

/// The date `day`/`month` in the year that puts it nearest to `target`; a tie goes to the later one.
/// None when no year has such a day.
pub fn nearest_year(day: u32, month: u32, target: NaiveDate) -> Option<NaiveDate> {
    // Eight years either way reach a 29 February even across 1900 and 2100.
    (-8..=8)
        .filter_map(|away| NaiveDate::from_ymd_opt(target.year() + away, month, day))
        .min_by_key(|date| ((*date - target).num_days().abs(), std::cmp::Reverse(*date)))
}

/// `6d 4h`, `4h 12m`, `12m`, `now`: two units at most, rounded up to a minute so that it is never "0m" too early.
pub fn remaining_words(seconds: i64) -> String {
    if seconds <= 0 {
        return "now".to_owned();
    }
    let minutes = (seconds + 59) / 60;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours, minutes) {
        (0, 0, m) => format!("{m}m"),
        (0, h, m) => format!("{h}h {m}m"),
        (d, h, _) => format!("{d}d {h}h"),
    }
}

/// `6d ago`, `4h ago`, `12m ago`, `now`: one unit, rounded down.
pub fn ago_words(seconds: i64) -> String {
    let minutes = seconds / 60;
    match (minutes / 1440, minutes / 60, minutes) {
        (..=0, ..=0, ..=0) => "now".to_owned(),
        (..=0, ..=0, m) => format!("{m}m ago"),
        (..=0, h, _) => format!("{h}h ago"),
        (d, ..) => format!("{d}d ago"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamp(text: &str) -> Stamp {
        Stamp::parse(text).expect(text)
    }

    fn zone(name: &str) -> Zone {
        Zone::named(name).expect(name)
    }

    fn wall(text: &str) -> NaiveDateTime {
        parse_file_name_form(text).expect(text)
    }

    #[test]
    fn the_window_of_the_specification() {
        let kolkata = zone("Asia/Kolkata");
        let start = SessionStart(stamp("2026-04-14T15:55:00+05:30"));
        assert_eq!(
            start.next_available_at(&kolkata).to_string(),
            "2026-04-21T15:55:00+05:30"
        );
        assert_eq!(start.0.file_name_form(), "2026-04-14-155500");
        assert_eq!(
            SessionStart::from_reset(stamp("2026-04-21T15:55:00+05:30"), &kolkata),
            start
        );
    }

    #[test]
    fn a_week_is_elapsed_time_on_both_sides_of_summer_time() {
        let new_york = zone("America/New_York");
        // 2026: clocks go forward on 8 March and back on 1 November.
        for (start, next) in [
            ("2026-03-05T12:00:00-05:00", "2026-03-12T13:00:00-04:00"),
            ("2026-10-28T12:00:00-04:00", "2026-11-04T11:00:00-05:00"),
        ] {
            let next_available_at = SessionStart(stamp(start)).next_available_at(&new_york);
            assert_eq!(next_available_at.to_string(), next);
            assert_eq!(next_available_at.unix() - stamp(start).unix(), 604_800);
        }
    }

    #[test]
    fn a_wall_clock_that_happens_twice_is_the_first() {
        let berlin = zone("Europe/Berlin");
        assert_eq!(
            berlin.resolve(wall("2026-10-25-023000")),
            Some(stamp("2026-10-25T02:30:00+02:00"))
        );
    }

    #[test]
    fn a_wall_clock_that_never_happens_moves_on_by_the_gap() {
        let berlin = zone("Europe/Berlin");
        assert_eq!(
            berlin.resolve(wall("2026-03-29-023000")),
            Some(stamp("2026-03-29T03:30:00+02:00"))
        );
        // Apia skipped the whole of 30 December 2011.
        let apia = zone("Pacific/Apia");
        assert_eq!(
            apia.resolve(wall("2011-12-30-120000")),
            Some(stamp("2011-12-31T12:00:00+14:00"))
        );
    }

    #[test]
    fn leap_days_and_new_year_keep_the_week() {
        let utc = zone("UTC");
        for (start, next) in [
            ("2028-02-25T10:00:00+00:00", "2028-03-03T10:00:00+00:00"),
            ("2026-02-25T10:00:00+00:00", "2026-03-04T10:00:00+00:00"),
            ("2026-12-29T23:59:59+00:00", "2027-01-05T23:59:59+00:00"),
        ] {
            assert_eq!(
                SessionStart(stamp(start))
                    .next_available_at(&utc)
                    .to_string(),
                next
            );
        }
    }

    #[test]
    fn the_nearest_year_crosses_new_year_and_reaches_leap_days() {
        let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).expect("a date");
        assert_eq!(nearest_year(2, 1, day(2026, 12, 30)), Some(day(2027, 1, 2)));
        assert_eq!(
            nearest_year(30, 12, day(2027, 1, 2)),
            Some(day(2026, 12, 30))
        );
        assert_eq!(
            nearest_year(21, 4, day(2019, 4, 22)),
            Some(day(2019, 4, 21))
        );
        assert_eq!(nearest_year(29, 2, day(2026, 3, 1)), Some(day(2028, 2, 29)));
        assert_eq!(nearest_year(29, 2, day(2101, 3, 1)), Some(day(2104, 2, 29)));
        assert_eq!(nearest_year(31, 2, day(2026, 3, 1)), None);
    }

    #[test]
    fn offsets_are_whole_minutes_and_the_instant_is_kept() {
        // Monrovia ran 44 minutes and 30 seconds behind until 1972.
        let shown = Stamp::from_unix(0, &zone("Africa/Monrovia")).expect("in range");
        assert_eq!(shown.to_string(), "1969-12-31T23:16:00-00:44");
        assert_eq!(shown.unix(), 0);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "unknown",
            "2026-04-14",
            "2026-04-14T15:55:00",
            "2026-13-14T15:55:00Z",
            "+10000-01-01T00:00:00Z",
        ] {
            assert_eq!(Stamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn remaining_time_in_words() {
        for (seconds, words) in [
            (-5, "now"),
            (0, "now"),
            (1, "1m"),
            (60, "1m"),
            (61, "2m"),
            (3600, "1h 0m"),
            (90_061, "1d 1h"),
        ] {
            assert_eq!(remaining_words(seconds), words, "{seconds}");
        }
    }

    fn any_zone() -> impl Strategy<Value = chrono_tz::Tz> {
        prop::sample::select(chrono_tz::TZ_VARIANTS.to_vec())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// Instants from 1973 (every offset is whole minutes by then) to 2090, every zone.
        #[test]
        fn names_round_trip_in_every_zone(seconds in 94_694_400_i64..3_786_912_000, tz in any_zone()) {
            let zone = zone(tz.name());
            let start = Stamp::from_unix(seconds, &zone).expect("in range");
            let read = zone.resolve(wall(&start.file_name_form())).expect("in range");
            // The second pass of a repeated hour reads as the first: one offset change earlier, same wall clock.
            prop_assert_eq!(read.wall_clock(), start.wall_clock());
            prop_assert!(read <= start);
            let twice = zone.rules.offsets_of(start.wall_clock()).len() == 2;
            prop_assert!(read == start || twice);
        }

        #[test]
        fn every_wall_clock_resolves_to_itself_or_past_its_gap(seconds in 94_694_400_i64..3_786_912_000, tz in any_zone()) {
            let zone = zone(tz.name());
            let clock = DateTime::<Utc>::from_timestamp(seconds, 0).expect("in range").naive_utc();
            let read = zone.resolve(clock).expect("in range");
            if zone.rules.offsets_of(clock).is_empty() {
                prop_assert!(read.wall_clock() > clock);
            } else {
                prop_assert_eq!(read.wall_clock(), clock);
            }
        }

        #[test]
        fn a_window_is_604800_seconds_in_every_zone(seconds in 0_i64..4_000_000_000, tz in any_zone()) {
            let zone = zone(tz.name());
            let start = SessionStart(Stamp::from_unix(seconds, &zone).expect("in range"));
            let next = start.next_available_at(&zone);
            prop_assert_eq!(next.unix() - start.0.unix(), 604_800);
            prop_assert_eq!(SessionStart::from_reset(next, &zone), start);
        }

        /// What is written and read by hand is what chrono's patterns say.
        #[test]
        fn forms_are_those_of_their_patterns(seconds in -30_000_000_000_i64..253_000_000_000, tz in any_zone()) {
            let stamp = Stamp::from_unix(seconds, &zone(tz.name())).expect("in range");
            prop_assert_eq!(stamp.table_form(), stamp.0.format("%Y-%m-%d %H:%M").to_string());
            prop_assert_eq!(stamp.to_string(), stamp.0.format("%Y-%m-%dT%H:%M:%S%:z").to_string());
            let name = stamp.file_name_form();
            prop_assert_eq!(parse_plain_form(&name), Some(stamp.wall_clock()));
        }

        #[test]
        fn the_plain_form_is_read_as_chrono_reads_it(text in "[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9][+-][0-2][0-9]:[0-6][0-9]") {
            let parsed = DateTime::parse_from_rfc3339(&text).ok();
            let slow = parsed.and_then(|at| Stamp::checked(at.timestamp(), *at.offset()));
            // Both as they are shown: a stamp compares by its instant alone.
            if let Some(plain) = Stamp::parse_plain(text.as_bytes()) {
                prop_assert_eq!(Some(plain.to_string()), slow.map(|stamp| stamp.to_string()));
                prop_assert_eq!(Some(plain), slow);
            } else if text.as_bytes()[10] == b'T' && !text[17..].starts_with("60") {
                prop_assert_eq!(slow, None);
            }
        }

        #[test]
        fn clocks_in_names_are_read_as_their_pattern_says(text in "[0-9+ -]{4}[-0][0-9 ]{2}-[0-9+]{2}[- ][0-2][0-9 ][0-6][0-9][0-6][0-9-]?") {
            let by_pattern = NaiveDateTime::parse_from_str(&text, FILE_NAME_FORM).ok();
            prop_assert_eq!(parse_file_name_form(&text), by_pattern);
        }

        #[test]
        fn json_round_trips(seconds in -9_000_000_000_i64..100_000_000_000, tz in any_zone()) {
            let stamp = Stamp::from_unix(seconds, &zone(tz.name())).expect("in range");
            let text = serde_json::to_string(&stamp).expect("serializes");
            let read: Stamp = serde_json::from_str(&text).expect("parses");
            prop_assert_eq!(read.to_string(), stamp.to_string());
            prop_assert_eq!(read, stamp);
        }
    }
}

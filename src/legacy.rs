//! Hand-named login copies, `21apr_<email>_auth.json`: what the name and the mtime say of the window.
//!
//! Pure: name, mtime and login in, evidence out. The day in the name is when the quota was to be back; it validates
//! the window and never replaces the computed time.

use std::sync::LazyLock;

use chrono::{Datelike, NaiveDate};
use regex::Regex;

use crate::metadata::ValidationStatus;
use crate::timeutil::{self, SessionStart, Stamp, Zone};

/// How `session_start_at` of a legacy file comes about, in the specification's words.
pub const BASIS: &str =
    "legacy filename day-month plus auth file mtime minus configured session duration";

/// Source: CODEX_MANAGER_SPEC.md, "Regex contracts". Any case of letters, spelled out: folding case would need tables
/// that the tests' build has and the program's has not.
#[allow(clippy::expect_used)] // a constant: whether it is a pattern does not depend on anything outside
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?<day>[0-9]{1,2})(?<month>[A-Za-z]{3})_(?<email>.+)_[Aa][Uu][Tt][Hh]\.[Jj][Ss][Oo][Nn]$")
        .expect("a pattern")
});

/// A legacy file's name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyName {
    day: u32,
    month: u32,
    /// `21apr`: two digits, lower case.
    pub token: String,
    /// The email as the name has it.
    pub email: String,
}

/// The email in a name of the legacy form, whatever its day.
pub fn email_of(file_name: &str) -> Option<&str> {
    // Most files of a Codex home end otherwise: answered without the pattern.
    let end = file_name.len().checked_sub("_auth.json".len())?;
    if !file_name.get(end..)?.eq_ignore_ascii_case("_auth.json") {
        return None;
    }
    NAME.captures(file_name)?
        .name("email")
        .map(|email| email.as_str())
}

/// Takes a name apart. None: not of the form. Some(Err): of the form, but no day of any year, and why.
pub fn parse_name(file_name: &str) -> Option<Result<LegacyName, String>> {
    let parts = NAME.captures(file_name)?;
    let (day, month, email) = (
        &parts["day"],
        parts["month"].to_ascii_lowercase(),
        &parts["email"],
    );
    let Some(number) = timeutil::month_of(&month) else {
        return Some(Err(format!("`{month}` is no month")));
    };
    let day: u32 = day.parse().unwrap_or(0);
    // 2028 is a leap year: what it lacks no year has.
    if NaiveDate::from_ymd_opt(2028, number, day).is_none() {
        return Some(Err(format!("`{month}` has no day {day}")));
    }
    Some(Ok(LegacyName {
        day,
        month: number,
        token: format!("{day:02}{month}"),
        email: email.to_owned(),
    }))
}

/// The moment a file was last written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mtime {
    /// Whole seconds since the Unix epoch.
    pub seconds: i64,
    /// And nanoseconds on top.
    pub nanos: u32,
}

/// How to read legacy files.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Assumed time from the start of a session to the end of its quota, in seconds.
    pub session_duration_seconds: f64,
    /// The year of every day token; None takes the nearest.
    pub reference_year: Option<i32>,
}

/// What a legacy file says of its account's window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The file's mtime.
    pub quota_end_detected_at: Stamp,
    /// The mtime less the assumed duration.
    pub session_start_at: SessionStart,
    /// A week later.
    pub next_available_at: Stamp,
    /// The year the day token was read in.
    pub reference_year: i32,
    /// Whether the token's day is that of `next_available_at`.
    pub validation_status: ValidationStatus,
    /// The same in words.
    pub validation_details: String,
}

/// Reads the evidence. `last_refresh` is the credential's own; it never changes the result, only what is said of a
/// mismatch. The error is why the name has no day in the year asked for.
pub fn infer(
    name: &LegacyName,
    mtime: Mtime,
    last_refresh: Option<Stamp>,
    rules: Rules,
    zone: &Zone,
) -> Result<Evidence, String> {
    let out_of_range = || "its mtime is outside the years 1000 to 9998".to_owned();
    let quota_end_detected_at = Stamp::from_unix(mtime.seconds, zone).ok_or_else(out_of_range)?;
    let session_start_at =
        start_before(mtime, rules.session_duration_seconds, zone).ok_or_else(out_of_range)?;
    let next_available_at = session_start_at.next_available_at(zone);
    let computed = next_available_at.date();
    let expected = day_named(name, rules.reference_year, computed)?;
    let validation_status = if expected == computed {
        ValidationStatus::Ok
    } else {
        ValidationStatus::Mismatch
    };
    // These two sentences are the Python codex-manager 1.0.0's, so that inventories of both compare equal.
    let mut validation_details = match validation_status {
        ValidationStatus::Ok => {
            "Legacy quota-day token matches computed next availability date.".to_owned()
        }
        ValidationStatus::Mismatch => format!(
            "Legacy quota-day token does not match computed next availability date: expected {expected}, got {computed}."
        ),
    };
    if let (ValidationStatus::Mismatch, Some(refreshed)) = (validation_status, last_refresh) {
        let refreshed = refreshed.in_zone(zone);
        let moment = Mtime {
            seconds: refreshed.unix(),
            nanos: 0,
        };
        let would_be = start_before(moment, rules.session_duration_seconds, zone)
            .map(|start| start.next_available_at(zone).date());
        if would_be.is_some_and(|date| day_named(name, rules.reference_year, date) == Ok(date)) {
            validation_details.push_str(&format!(
                " The credential's last_refresh, {refreshed}, would match the token: the file's mtime was probably lost in a copy."
            ));
        }
    }
    Ok(Evidence {
        quota_end_detected_at,
        session_start_at,
        next_available_at,
        reference_year: expected.year(),
        validation_status,
        validation_details,
    })
}

/// The start of the session that ended at `moment`, to the second below.
fn start_before(moment: Mtime, duration_seconds: f64, zone: &Zone) -> Option<SessionStart> {
    let ended = i128::from(moment.seconds) * 1_000_000 + i128::from(moment.nanos / 1000);
    #[allow(clippy::cast_possible_truncation)] // `as` saturates; what does is refused below
    let lasted = i128::from((duration_seconds * 1e6).round() as i64);
    let started = i64::try_from((ended - lasted).div_euclid(1_000_000)).ok()?;
    Stamp::from_unix(started, zone).map(SessionStart)
}

/// The day the name means: in the year asked for, else in the one that puts it nearest to `near`.
fn day_named(name: &LegacyName, year: Option<i32>, near: NaiveDate) -> Result<NaiveDate, String> {
    let day = match year {
        Some(year) => NaiveDate::from_ymd_opt(year, name.month, name.day),
        None => timeutil::nearest_year(name.day, name.month, near),
    };
    day.ok_or_else(|| {
        format!(
            "`{}` is no day of {}",
            name.token,
            year.map_or("any year".to_owned(), |y| y.to_string())
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kolkata() -> Zone {
        Zone::named("Asia/Kolkata").expect("a zone")
    }

    fn name(text: &str) -> LegacyName {
        parse_name(text).expect("of the form").expect("a day")
    }

    fn at(text: &str) -> Mtime {
        Mtime {
            seconds: Stamp::parse(text).expect("a time").unix(),
            nanos: 0,
        }
    }

    const TWO_HOURS: Rules = Rules {
        session_duration_seconds: 7200.0,
        reference_year: None,
    };

    #[test]
    fn the_example_of_the_specification() {
        let evidence = infer(
            &name("21apr_alice@example.com_auth.json"),
            at("2026-04-14T17:55:00+05:30"),
            None,
            TWO_HOURS,
            &kolkata(),
        )
        .expect("reads");
        assert_eq!(
            evidence.session_start_at.0.to_string(),
            "2026-04-14T15:55:00+05:30"
        );
        assert_eq!(
            evidence.next_available_at.to_string(),
            "2026-04-21T15:55:00+05:30"
        );
        assert_eq!(
            (evidence.validation_status, evidence.reference_year),
            (ValidationStatus::Ok, 2026)
        );
    }

    #[test]
    fn names_of_the_form_and_others() {
        assert_eq!(name("5APR_Alice@example.com_AUTH.JSON").token, "05apr");
        for other in [
            "auth.json",
            "apr_a@example.com_auth.json",
            "121apr_a@example.com_auth.json",
            "21apr__auth.json",
        ] {
            assert_eq!(parse_name(other), None, "{other}");
            assert_eq!(email_of(other), None, "{other}");
        }
        for (impossible, reason) in [
            ("31feb_a@example.com_auth.json", "`feb` has no day 31"),
            ("99apr_a@example.com_auth.json", "`apr` has no day 99"),
            ("0jan_a@example.com_auth.json", "`jan` has no day 0"),
            ("12foo_a@example.com_auth.json", "`foo` is no month"),
        ] {
            assert_eq!(parse_name(impossible), Some(Err(reason.to_owned())));
            assert_eq!(email_of(impossible), Some("a@example.com"));
        }
    }

    #[test]
    fn the_year_is_the_nearest_one_or_the_one_asked_for() {
        let zone = kolkata();
        let file = name("03jan_a@example.com_auth.json");
        let mtime = at("2026-12-27T12:00:00+05:30");
        let evidence = infer(&file, mtime, None, TWO_HOURS, &zone).expect("reads");
        assert_eq!(
            (evidence.validation_status, evidence.reference_year),
            (ValidationStatus::Ok, 2027)
        );
        let fixed = Rules {
            reference_year: Some(2026),
            ..TWO_HOURS
        };
        let evidence = infer(&file, mtime, None, fixed, &zone).expect("reads");
        assert_eq!(
            (evidence.validation_status, evidence.reference_year),
            (ValidationStatus::Mismatch, 2026)
        );
        let leap = name("29feb_a@example.com_auth.json");
        assert_eq!(
            infer(&leap, mtime, None, fixed, &zone),
            Err("`29feb` is no day of 2026".to_owned())
        );
    }

    #[test]
    fn a_lost_mtime_is_said_and_changes_nothing() {
        let file = name("21apr_a@example.com_auth.json");
        let copied = at("2026-06-01T09:00:00+05:30");
        let refreshed = Stamp::parse("2026-04-14T12:25:00.431097103Z");
        let evidence = infer(&file, copied, refreshed, TWO_HOURS, &kolkata()).expect("reads");
        assert_eq!(evidence.validation_status, ValidationStatus::Mismatch);
        assert_eq!(
            evidence.session_start_at.0.to_string(),
            "2026-06-01T07:00:00+05:30"
        );
        assert!(
            evidence.validation_details.ends_with(
                "The credential's last_refresh, 2026-04-14T17:55:00+05:30, would match the token: the file's mtime was probably lost in a copy."
            ),
            "{}",
            evidence.validation_details
        );
        let other = Stamp::parse("2026-03-14T12:25:00Z");
        let evidence = infer(&file, copied, other, TWO_HOURS, &kolkata()).expect("reads");
        assert!(!evidence.validation_details.contains("last_refresh"));
    }

    #[test]
    fn fractions_of_an_hour_and_of_a_second_are_kept_until_the_end() {
        let mtime = Mtime {
            seconds: 1_776_169_500,
            nanos: 400_000_000,
        };
        let rules = Rules {
            session_duration_seconds: 0.5,
            reference_year: None,
        };
        let evidence = infer(
            &name("21apr_a@example.com_auth.json"),
            mtime,
            None,
            rules,
            &kolkata(),
        )
        .expect("reads");
        assert_eq!(
            evidence.quota_end_detected_at.unix() - evidence.session_start_at.0.unix(),
            1
        );
    }

    proptest! {
        #[test]
        fn any_name_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = parse_name(&text);
            let _ = email_of(&text);
        }

        #[test]
        fn a_file_named_by_its_own_window_validates(
            seconds in 0_i64..4_000_000_000, tz in prop::sample::select(chrono_tz::TZ_VARIANTS.to_vec()), hours in 0.0..48.0_f64,
        ) {
            let zone = Zone::named(tz.name()).expect("a zone");
            let rules = Rules { session_duration_seconds: hours * 3600.0, reference_year: None };
            let mtime = Mtime { seconds, nanos: 0 };
            let next = start_before(mtime, rules.session_duration_seconds, &zone).expect("in range").next_available_at(&zone);
            let file = format!("{}_a@example.com_auth.json", next.date().format("%d%b"));
            let evidence = infer(&name(&file), mtime, None, rules, &zone).expect("reads");
            prop_assert_eq!(evidence.validation_status, ValidationStatus::Ok);
            prop_assert_eq!(evidence.reference_year, next.date().year());
        }
    }
}

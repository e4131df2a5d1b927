//! Rate limits as Codex writes them in JSON, to the app-server's clients and to its session files, 0.40 to 0.169. Pure.
//!
//! Names are camelCase in the app-server's answers since 0.56 and snake_case everywhere else; every field is optional.
//! The weekly window is told by its length, wherever it stands. Source: Codex's `RateLimitSnapshot`.

use serde_json::Value;

use super::reading::Reading;
use crate::metadata::Limit;
use crate::timeutil::{Stamp, Zone};

/// The limits of one bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Which bucket, since 0.100; `codex` is the account itself, as is none.
    pub limit_id: Option<String>,
    /// What Codex calls an extra bucket: `GPT-5.3-Codex-Spark`.
    pub limit_name: Option<String>,
    /// The plan as the back end names it; `unknown` is None.
    pub plan: Option<String>,
    /// The windows, named as Codex's panel names them, without the bucket.
    pub windows: Vec<Limit>,
}

impl RateLimits {
    /// Reads one bucket. `at` is when it was said, for resets that are counted from then (0.41 to 0.47). None where it
    /// is no object.
    pub fn read(value: &Value, at: Stamp, zone: &Zone) -> Option<Self> {
        value.is_object().then(|| {
            let mut windows: Vec<Limit> = ["primary", "secondary"]
                .into_iter()
                .filter_map(|slot| window(value, slot, at, zone))
                .collect();
            windows.extend(credit_limit(value, zone));
            Self {
                limit_id: text(value, "limit_id"),
                limit_name: text(value, "limit_name"),
                plan: text(value, "plan_type").filter(|plan| plan != "unknown"),
                windows,
            }
        })
    }

    /// Whether these are the account's own limits, not those of an extra bucket such as one model's.
    pub fn is_of_account(&self) -> bool {
        self.limit_id.as_deref().is_none_or(|id| id == "codex")
    }

    /// What it says of the account, with what the other buckets hold.
    pub fn reading(self, others: Vec<Self>) -> Reading {
        let (mut limits, rest): (Vec<Limit>, Vec<Limit>) =
            self.windows.into_iter().partition(Limit::is_weekly);
        let weekly = limits.first().cloned();
        limits.extend(rest);
        for other in others {
            let bucket = other.limit_name.or(other.limit_id).unwrap_or_default();
            limits.extend(other.windows.into_iter().map(|limit| Limit {
                name: format!("{bucket} {}", limit.name),
                ..limit
            }));
        }
        Reading {
            plan: self.plan,
            reset_at: weekly.as_ref().and_then(|weekly| weekly.reset_at),
            quota_percent_left: weekly.and_then(|weekly| weekly.percent_left),
            limits,
            ..Reading::default()
        }
    }
}

/// A field by its snake_case name, or as camelCase; null is none.
pub fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let found = value.get(name).or_else(|| value.get(camel(name)));
    found.filter(|value| !value.is_null())
}

fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

/// A text that is there and not empty, without control characters.
pub fn text(value: &Value, name: &str) -> Option<String> {
    let text = field(value, name)?.as_str()?;
    // It is shown to people: no line of its own, no escapes.
    let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
    (!text.is_empty()).then_some(text)
}

fn number(value: &Value, name: &str) -> Option<f64> {
    let value = field(value, name)?;
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
    number.filter(|number| number.is_finite())
}

/// Whole seconds since 1970, rounded down.
fn seconds(value: &Value, name: &str) -> Option<i64> {
    let value = field(value, name)?;
    #[allow(clippy::cast_possible_truncation)]
    // far outside the years that a stamp takes it saturates
    value
        .as_i64()
        .or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64))
        .or_else(|| value.as_str()?.parse().ok())
}

/// One window: an object of its own, or, in 0.40, fields beside those of the other.
fn window(value: &Value, slot: &str, at: Stamp, zone: &Zone) -> Option<Limit> {
    let nested = field(value, slot).filter(|window| window.is_object());
    let (value, prefix) = match nested {
        Some(window) => (window, String::new()),
        None => (value, format!("{slot}_")),
    };
    let name = |field: &str| format!("{prefix}{field}");
    let used = number(value, &name("used_percent"));
    let minutes = ["window_minutes", "window_duration_mins"]
        .iter()
        .find_map(|field| number(value, &name(field)));
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // checked to be in range
    let minutes = minutes
        .filter(|minutes| (1.0..=f64::from(u32::MAX)).contains(minutes))
        .map(|minutes| minutes.round() as u32);
    let reset_at = seconds(value, &name("resets_at")).or_else(|| {
        let away = seconds(value, &name("resets_in_seconds"))?;
        at.unix().checked_add(away)
    });
    if used.is_none() && minutes.is_none() && reset_at.is_none() {
        return None;
    }
    Some(Limit {
        name: label(minutes, slot).to_owned(),
        window_minutes: minutes,
        percent_left: used.map(percent_left),
        reset_at: reset_at.and_then(|seconds| Stamp::from_unix(seconds, zone)),
    })
}

/// The monthly credits of a business account.
fn credit_limit(value: &Value, zone: &Zone) -> Option<Limit> {
    let limit = field(value, "individual_limit").filter(|limit| limit.is_object())?;
    Some(Limit {
        name: "Monthly credit limit".to_owned(),
        window_minutes: None,
        percent_left: number(limit, "remaining_percent").map(|left| percent_left(100.0 - left)),
        reset_at: seconds(limit, "resets_at").and_then(|seconds| Stamp::from_unix(seconds, zone)),
    })
}

/// The share left when `used` percent are used. A part of a percent is something, on either side.
fn percent_left(used: f64) -> u8 {
    let left = 100.0 - used.clamp(0.0, 100.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 100
    match left {
        left if left <= 0.0 => 0,
        left if left >= 100.0 => 100,
        left => (left.floor() as u8).max(1),
    }
}

/// What Codex's panel calls a window of that length, give or take 5 %.
fn label(minutes: Option<u32>, slot: &str) -> &'static str {
    const LABELS: [(u32, &str); 5] = [
        (300, "5h limit"),
        (1440, "Daily limit"),
        (10_080, "Weekly limit"),
        (43_200, "Monthly limit"),
        (525_600, "Annual limit"),
    ];
    let named = LABELS.iter().find(|(length, _)| {
        minutes.is_some_and(|minutes| minutes.abs_diff(*length) <= length / 20)
    });
    match (named, slot) {
        (Some((_, label)), _) => label,
        (None, "secondary") => "Secondary usage limit",
        (None, _) => "Usage limit",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Reading {
        let at = Stamp::parse("2026-04-14T12:00:00Z").expect("a time");
        let zone = Zone::named("UTC").expect("a zone");
        let limits = RateLimits::read(value, at, &zone).expect("an object");
        limits.reading(Vec::new())
    }

    fn shown(reading: &Reading) -> Vec<String> {
        let show = |limit: &Limit| {
            let reset = limit.reset_at.map_or("-".to_owned(), |at| at.to_string());
            let left = limit.percent_left.map_or(-1, i16::from);
            format!("{} {left} {reset}", limit.name)
        };
        reading.limits.iter().map(show).collect()
    }

    const RESET: i64 = 1_776_772_800; // 2026-04-21T12:00:00Z

    #[test]
    fn every_version_writes_the_same_windows() {
        let five_hours_later = RESET - 6 * 86_400;
        let expected = [
            "Weekly limit 66 2026-04-21T12:00:00+00:00",
            "5h limit 88 2026-04-15T12:00:00+00:00",
        ];
        let flat = json!({"primary_used_percent": 12.0, "primary_window_minutes": 300, "primary_resets_in_seconds": 86400,
            "secondary_used_percent": 34.0, "secondary_window_minutes": 10080, "secondary_resets_in_seconds": 604_800,
            "primary_to_secondary_ratio_percent": 40.0});
        let relative = json!({"primary": {"used_percent": 12.0, "window_minutes": 299, "resets_in_seconds": 86400},
            "secondary": {"used_percent": 34.0, "window_minutes": 10079, "resets_in_seconds": 604_800}});
        let snake = json!({"primary": {"used_percent": 12.0, "window_minutes": 300, "resets_at": five_hours_later},
            "secondary": {"used_percent": 34.0, "window_minutes": 10080, "resets_at": RESET}, "credits": null});
        let camel = json!({"limitId": "codex", "limitName": null, "planType": "plus",
            "primary": {"usedPercent": 12, "windowDurationMins": 300, "resetsAt": five_hours_later},
            "secondary": {"usedPercent": 34, "windowDurationMins": 10080, "resetsAt": RESET}});
        for value in [flat, relative, snake, camel] {
            assert_eq!(shown(&read(&value)), expected, "{value}");
            assert_eq!(read(&value).quota_percent_left, Some(66));
        }
    }

    #[test]
    fn the_weekly_window_is_told_by_its_length() {
        for minutes in [9_576, 10_080, 10_584] {
            let value = json!({"primary": {"usedPercent": 1, "windowDurationMins": minutes, "resetsAt": RESET}, "secondary": null});
            assert_eq!(read(&value).reset_at.map(Stamp::unix), Some(RESET));
        }
        for minutes in [9_575, 10_585, 43_200, 300] {
            let value = json!({"secondary": {"usedPercent": 1, "windowDurationMins": minutes, "resetsAt": RESET}});
            assert_eq!(read(&value).reset_at, None, "{minutes}");
            assert_eq!(read(&value).limits.len(), 1);
        }
    }

    #[test]
    fn no_windows_are_none_and_unknown_ones_keep_their_slots_names() {
        let none = json!({"primary": null, "secondary": null, "planType": "unknown"});
        assert_eq!(read(&none), Reading::default());
        let odd = json!({"primary": {"usedPercent": 0}, "secondary": {"usedPercent": 100, "windowDurationMins": 20160}});
        assert_eq!(
            shown(&read(&odd)),
            ["Usage limit 100 -", "Secondary usage limit 0 -"]
        );
    }

    #[test]
    fn a_part_of_a_percent_is_something() {
        let left = [0.0, 0.4, 50.0, 50.5, 99.6, 100.0, 250.0, -3.0].map(percent_left);
        assert_eq!(left, [100, 99, 50, 49, 1, 0, 0, 100]);
    }

    #[test]
    fn other_buckets_stand_behind_under_their_own_names() {
        let at = Stamp::parse("2026-04-14T12:00:00Z").expect("a time");
        let zone = Zone::named("UTC").expect("a zone");
        let of = |value: Value| RateLimits::read(&value, at, &zone).expect("an object");
        let account = of(
            json!({"limitId": "codex", "primary": {"usedPercent": 3, "windowDurationMins": 10080, "resetsAt": RESET},
            "individualLimit": {"limit": "25000", "used": "8000", "remainingPercent": 68, "resetsAt": RESET}}),
        );
        let spark = of(
            json!({"limitId": "codex_spark", "limitName": "Spark", "primary": {"usedPercent": 9, "windowDurationMins": 10080}}),
        );
        assert!(account.is_of_account() && !spark.is_of_account());
        assert_eq!(
            shown(&account.reading(vec![spark])),
            [
                "Weekly limit 97 2026-04-21T12:00:00+00:00",
                "Monthly credit limit 68 2026-04-21T12:00:00+00:00",
                "Spark Weekly limit 91 -"
            ]
        );
    }
}

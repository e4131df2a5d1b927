//! The zone of wall clocks, and where it is from.

use std::path::Path;
use std::sync::Arc;

use super::{Ctx, environment};
use crate::cli::Globals;
use crate::error::{Error, Kind, Result};
use crate::settings::Settings;
use crate::timeutil::Zone;

/// Where zones lie that TZ may name, as C libraries have them.
const SYSTEM_ZONES: &str = "/usr/share/zoneinfo";

/// Where the zone of wall clocks is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneOf {
    /// `flag` or `config.toml`.
    Said(&'static str),
    /// The variable TZ, by an IANA name.
    Name,
    /// The variable TZ, of this content: a rule, or a file of rules.
    Rule(String),
    /// The variable TZ, of this content, which is nothing of that. UTC stands in for it, as with every other program.
    Nothing(String),
    /// The system, by an IANA name.
    System,
    /// The system, which does not say which it is.
    Unnamed,
}

impl Ctx {
    /// Says that TZ is not what it should be, where that decides in which zone times are.
    pub fn warn_of_zone(&self) {
        if let ZoneOf::Nothing(tz) = &self.zone_of {
            self.ui.warn(&nothing(tz));
        }
    }
}

/// What is said of a TZ that is nothing.
pub fn nothing(tz: &str) -> String {
    format!("TZ is `{tz}`, which is no time zone: times are in UTC")
}

/// The zone in force: the flag's, else the setting's, else the one of TZ, else the system's.
pub(super) fn zone(globals: &Globals, settings: &Settings) -> Result<(Zone, ZoneOf)> {
    let named = |name: &str| {
        Zone::named(name).ok_or_else(|| {
            Error::new(
                Kind::Usage,
                format!("there is no time zone `{name}`"),
                "use an IANA name such as `Europe/Berlin` or `Asia/Kolkata`",
            )
        })
    };
    if let Some(name) = &globals.timezone {
        return Ok((named(name)?, ZoneOf::Said("flag")));
    }
    if let Some(name) = settings.text("timezone") {
        return Ok((named(name)?, ZoneOf::Said("config.toml")));
    }
    Ok(match environment::set("TZ") {
        Some(tz) => of_variable(&tz.to_string_lossy()),
        None => of_system(),
    })
}

/// The zone of TZ. An empty one is UTC; a leading colon is allowed; a path may end in a name, or be the system's own.
fn of_variable(tz: &str) -> (Zone, ZoneOf) {
    let content = tz.trim_start_matches(':');
    if ["/etc/localtime", "localtime"].contains(&content) {
        return of_system();
    }
    let name = content
        .split_once("/zoneinfo/")
        .map_or(content, |(_, name)| name);
    // A second copy of all of them.
    let name = name.trim_start_matches("posix/");
    let name = if content.is_empty() { "UTC" } else { name };
    if let Some(zone) = Zone::named(name) {
        return (zone, ZoneOf::Name);
    }
    // One that is not absolute lies there, as `join` has it.
    let is_file = Path::new(SYSTEM_ZONES).join(content).is_file();
    if is_file || is_rule(content) {
        let zone = Zone::unnamed(name, Arc::new(chrono::Local));
        return (zone, ZoneOf::Rule(tz.to_owned()));
    }
    let zone = Zone::named("UTC").unwrap_or_else(|| Zone::unnamed("UTC", Arc::new(chrono::Utc)));
    (zone, ZoneOf::Nothing(tz.to_owned()))
}

/// The system's zone: by its IANA name where it has one, else by the system's own rules.
fn of_system() -> (Zone, ZoneOf) {
    let name = iana_time_zone::get_timezone().ok();
    if let Some(zone) = name.as_deref().and_then(Zone::named) {
        return (zone, ZoneOf::System);
    }
    let name = name.as_deref().unwrap_or("local");
    let zone = Zone::unnamed(name, Arc::new(chrono::Local));
    (zone, ZoneOf::Unnamed)
}

/// Whether `tz` is a rule by itself, as POSIX has them: `CET-1CEST,M3.5.0,M10.5.0/3`. One that names summer time says when
/// that is. Of what is refused here the library that works by it would make the system's zone.
fn is_rule(tz: &str) -> bool {
    let Some(rest) = after_name(tz).and_then(|rest| after_time(rest, 23)) else {
        return false;
    };
    if rest.is_empty() {
        return true;
    }
    let Some(rest) = after_name(rest) else {
        return false;
    };
    let rest = if rest.starts_with(',') {
        Some(rest)
    } else {
        after_time(rest, 23)
    };
    let days: Vec<&str> = rest.unwrap_or_default().split(',').collect();
    matches!(days.as_slice(), ["", start, end] if is_day(start) && is_day(end))
}

/// What follows the name of a time.
fn after_name(text: &str) -> Option<&str> {
    if let Some(quoted) = text.strip_prefix('<') {
        let (name, rest) = quoted.split_once('>')?;
        return (name.len() >= 3).then_some(rest);
    }
    let end = text.find(|letter: char| !letter.is_ascii_alphabetic());
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    (name.len() >= 3).then_some(rest)
}

/// What follows a time of at most so many hours: `[+-]hh[:mm[:ss]]`.
fn after_time(text: &str, most: u16) -> Option<&str> {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut rest = after_number(text, 0, most)?;
    for _ in 0..2 {
        if let Some(more) = rest.strip_prefix(':') {
            rest = after_number(more, 0, 59)?;
        }
    }
    Some(rest)
}

/// What follows a number from `least` to `most`.
fn after_number(text: &str, least: u16, most: u16) -> Option<&str> {
    let end = text.find(|letter: char| !letter.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    let number: u16 = digits.parse().ok()?;
    (least..=most).contains(&number).then_some(rest)
}

/// Whether it says when summer time begins or ends: the day, and perhaps the hour.
fn is_day(text: &str) -> bool {
    let rest = if let Some(month) = text.strip_prefix('M') {
        let week = after_number(month, 1, 12).and_then(|rest| rest.strip_prefix('.'));
        let day = week.and_then(|week| after_number(week, 1, 5)?.strip_prefix('.'));
        day.and_then(|day| after_number(day, 0, 6))
    } else if let Some(day) = text.strip_prefix('J') {
        after_number(day, 1, 365)
    } else {
        after_number(text, 0, 365)
    };
    let time = rest.map(|rest| match rest.strip_prefix('/') {
        None => Some(rest),
        Some(time) if time.starts_with(['+', '-']) => None,
        Some(time) => after_time(time, 24),
    });
    time.flatten() == Some("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeutil::Stamp;

    fn found(tz: &str) -> (String, ZoneOf) {
        let (zone, from) = of_variable(tz);
        (zone.name().to_owned(), from)
    }

    #[test]
    fn the_variable_names_a_zone_or_is_a_rule_or_is_nothing() {
        for (tz, name) in [
            ("", "UTC"),
            (":", "UTC"),
            ("UTC", "UTC"),
            ("asia/kolkata", "Asia/Kolkata"),
            (":Europe/Berlin", "Europe/Berlin"),
            ("/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo"),
            ("posix/Asia/Tokyo", "Asia/Tokyo"),
        ] {
            assert_eq!(found(tz), (name.to_owned(), ZoneOf::Name), "{tz}");
        }
        for tz in [
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "UTC0",
            "<+0330>-3:30",
            "EST5EDT4,J60,300/2:30:00",
        ] {
            assert_eq!(found(tz), (tz.to_owned(), ZoneOf::Rule(tz.to_owned())));
        }
        for tz in [
            "Europe/Berln",
            "ABC",
            "Mars",
            "/nowhere/at/all",
            "\u{e9}t\u{e9}",
            "<x",
            "5",
            "XY3",
        ] {
            assert_eq!(
                found(tz),
                ("UTC".to_owned(), ZoneOf::Nothing(tz.to_owned()))
            );
            let (zone, _) = of_variable(tz);
            let stamp = Stamp::from_unix(1_776_182_100, &zone).map(|stamp| stamp.to_string());
            assert_eq!(stamp.as_deref(), Some("2026-04-14T15:55:00+00:00"));
        }
    }
}

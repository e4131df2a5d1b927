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

/// Whether `tz` is a rule by itself, as POSIX has them: `CET-1CEST,M3.5.0,M10.5.0/3`.
fn is_rule(tz: &str) -> bool {
    let name = match tz.strip_prefix('<') {
        Some(quoted) => quoted.find('>').map(|end| end + 2),
        None => tz.find(|letter: char| !letter.is_ascii_alphabetic()),
    };
    let rest = name
        .filter(|name| *name >= 3)
        .and_then(|name| tz.get(name..));
    let rest = rest.map(|rest| rest.trim_start_matches(['+', '-']));
    rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
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
        for tz in ["CET-1CEST,M3.5.0,M10.5.0/3", "UTC0", "<+0330>-3:30"] {
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

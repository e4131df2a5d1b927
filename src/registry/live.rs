//! Who was signed in to a Codex home, and when, as far as this program saw it. Pure.
//!
//! Each stretch of one account runs from where it was first seen to where it was last seen; a switch that nobody saw
//! lies in the gap between two of them. A login exchanged and put back between two sightings is not noticed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::metadata::Account;
use crate::timeutil::Stamp;

/// How many stretches are kept for one Codex home: of a daily switch, more than half a year.
const MOST: usize = 200;

/// One account's stretch in one Codex home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// The Codex home, as one spelling of its path.
    pub codex_home: String,
    /// Who was signed in.
    #[serde(flatten)]
    pub account: Account,
    /// When that was first seen.
    pub since: Stamp,
    /// When it was last seen.
    pub seen: Stamp,
    /// What this version does not know, kept.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Who was signed in at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribution {
    /// This account, in the stretch of its that began at `since`.
    Account {
        /// Who.
        account: Account,
        /// Which stretch: no other of the same home and account begins then.
        since: Stamp,
    },
    /// That is not known; the words say why, to follow "it is not known who was signed in at …: ".
    Unknown(Unknown),
}

/// Why it is not known who was signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Nothing is known of this home.
    NoRecord,
    /// It lies before the first sighting.
    TooEarly,
    /// It lies between two accounts: the switch was not seen.
    InAGap,
    /// It lies after the last sighting, and somebody else is signed in now.
    SwitchedSince,
    /// It lies in the very second of a switch.
    AtASwitch,
    /// It lies after now, or the record does: the clock was changed.
    ClockChanged,
}

impl Unknown {
    /// In words, to follow a colon.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoRecord => {
                "no backup or restore has noted yet who is signed in to this Codex home"
            }
            Self::TooEarly => {
                "that was before codex-manager first noted who is signed in to this Codex home"
            }
            Self::InAGap => "the account was switched around that time, and nobody noted when",
            Self::SwitchedSince => "the account was switched since then, and nobody noted when",
            Self::AtASwitch => "the account was switched in that very second",
            Self::ClockChanged => "the clock was changed since it was noted",
        }
    }
}

/// Whether both are one login: by their ids, else by all that is known.
pub fn same_login(one: &Account, two: &Account) -> bool {
    one.is_same_as(two)
}

fn name_of(home: &Path) -> String {
    home.display().to_string()
}

/// Notes in `record` that `account` is signed in to `home` at `at`. A time before the last sighting is none: the clock
/// went back, or two runs ended in another order than they began.
pub fn note(record: &mut Vec<Live>, home: &Path, account: &Account, at: Stamp) {
    let codex_home = name_of(home);
    let newest = record
        .iter_mut()
        .rfind(|live| live.codex_home == codex_home);
    if let Some(newest) = newest {
        if at < newest.seen {
            return;
        }
        if same_login(&newest.account, account) {
            newest.account = account.clone();
            newest.seen = at;
            return;
        }
    }
    record.push(Live {
        codex_home: codex_home.clone(),
        account: account.clone(),
        since: at,
        seen: at,
        rest: Map::new(),
    });
    let mut surplus = record
        .iter()
        .filter(|live| live.codex_home == codex_home)
        .count()
        .saturating_sub(MOST);
    record.retain(|live| {
        let drop = surplus > 0 && live.codex_home == codex_home;
        surplus -= usize::from(drop);
        !drop
    });
}

/// Who was signed in to `home` last before `account_now`, None being nobody.
pub fn before<'a>(
    record: &'a [Live],
    home: &Path,
    account_now: Option<&Account>,
) -> Option<&'a Account> {
    let codex_home = name_of(home);
    let of_home = record
        .iter()
        .rev()
        .filter(|live| live.codex_home == codex_home);
    let mut others = of_home
        .map(|live| &live.account)
        .filter(|account| account_now.is_none_or(|now| !same_login(account, now)));
    others.next()
}

/// The homes other than `but` that `account` was signed in to when they were last seen.
pub fn homes_of(record: &[Live], account: &Account, but: &Path) -> Vec<PathBuf> {
    let but = name_of(but);
    let mut last: BTreeMap<&str, &Live> = BTreeMap::new();
    for live in record.iter().filter(|live| live.codex_home != but) {
        last.insert(&live.codex_home, live);
    }
    let of_account = last
        .into_iter()
        .filter(|(_, live)| same_login(&live.account, account));
    of_account.map(|(home, _)| PathBuf::from(home)).collect()
}

/// Who was signed in to `home` at `at`, by `record` and by who is signed in at `now` (None for nobody).
pub fn at(
    record: &[Live],
    home: &Path,
    account_now: Option<&Account>,
    now: Stamp,
    at: Stamp,
) -> Attribution {
    let codex_home = name_of(home);
    let stretches: Vec<&Live> = record
        .iter()
        .filter(|live| live.codex_home == codex_home)
        .collect();
    let (Some(first), Some(newest)) = (stretches.first(), stretches.last()) else {
        return Attribution::Unknown(Unknown::NoRecord);
    };
    // `note` keeps them in order; a file that somebody edited may not be.
    let in_order = stretches.iter().all(|live| live.since <= live.seen)
        && stretches.is_sorted_by(|one, two| one.seen <= two.since);
    if at > now || newest.seen > now || !in_order {
        return Attribution::Unknown(Unknown::ClockChanged);
    }
    if at < first.since {
        return Attribution::Unknown(Unknown::TooEarly);
    }
    let mut around = stretches
        .iter()
        .filter(|live| live.since <= at && at <= live.seen);
    if let Some(found) = around.next() {
        if around.next().is_some() {
            return Attribution::Unknown(Unknown::AtASwitch);
        }
        return found.attribution();
    }
    if at < newest.since {
        return Attribution::Unknown(Unknown::InAGap);
    }
    if account_now.is_some_and(|account| same_login(account, &newest.account)) {
        newest.attribution()
    } else {
        Attribution::Unknown(Unknown::SwitchedSince)
    }
}

impl Live {
    fn attribution(&self) -> Attribution {
        Attribution::Account {
            account: self.account.clone(),
            since: self.since,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::timeutil::Zone;

    const BASE: i64 = 1_776_000_000;

    fn time(minutes: i64) -> Stamp {
        let utc = Zone::named("UTC").expect("a zone");
        Stamp::from_unix(BASE + minutes * 60, &utc).expect("in range")
    }

    fn person(name: &str) -> Account {
        Account {
            email: Some(format!("{name}@example.com")),
            user_id: Some(format!("user-{name}")),
            account_id: Some("ws-team".to_owned()),
        }
    }

    fn home() -> &'static Path {
        Path::new("/home/someone/.codex")
    }

    /// Who, as the name; or why not.
    fn who(
        record: &[Live],
        account_now: Option<&str>,
        now: i64,
        asked: i64,
    ) -> Result<String, Unknown> {
        let account_now = account_now.map(person);
        match at(record, home(), account_now.as_ref(), time(now), time(asked)) {
            Attribution::Account { account, .. } => Ok(account
                .email
                .and_then(|email| email.split('@').next().map(str::to_owned))
                .unwrap_or_default()),
            Attribution::Unknown(why) => Err(why),
        }
    }

    fn record(sightings: &[(i64, &str)]) -> Vec<Live> {
        let mut record = Vec::new();
        for (at, name) in sightings {
            note(&mut record, home(), &person(name), time(*at));
        }
        record
    }

    #[test]
    fn a_stretch_grows_and_a_switch_begins_another() {
        let record = record(&[(0, "alice"), (10, "alice"), (20, "bob"), (30, "alice")]);
        let spans: Vec<_> = record
            .iter()
            .map(|live| (live.account.email.as_deref(), live.since, live.seen))
            .collect();
        assert_eq!(
            spans,
            [
                (Some("alice@example.com"), time(0), time(10)),
                (Some("bob@example.com"), time(20), time(20)),
                (Some("alice@example.com"), time(30), time(30)),
            ]
        );
    }

    #[test]
    fn only_what_was_seen_is_known() {
        let record = record(&[(0, "alice"), (10, "alice"), (20, "bob")]);
        let bob = Some("bob");
        assert_eq!(who(&record, bob, 40, -1), Err(Unknown::TooEarly));
        assert_eq!(who(&record, bob, 40, 0), Ok("alice".to_owned()));
        assert_eq!(who(&record, bob, 40, 10), Ok("alice".to_owned()));
        assert_eq!(who(&record, bob, 40, 11), Err(Unknown::InAGap));
        assert_eq!(who(&record, bob, 40, 20), Ok("bob".to_owned()));
        assert_eq!(who(&record, bob, 40, 40), Ok("bob".to_owned()));
        assert_eq!(who(&record, bob, 40, 41), Err(Unknown::ClockChanged));
        assert_eq!(
            who(&record, Some("alice"), 40, 30),
            Err(Unknown::SwitchedSince)
        );
        assert_eq!(who(&record, None, 40, 30), Err(Unknown::SwitchedSince));
        assert_eq!(who(&[], bob, 40, 30), Err(Unknown::NoRecord));
        // The clock went back behind the record.
        assert_eq!(who(&record, bob, 15, 5), Err(Unknown::ClockChanged));
    }

    #[test]
    fn the_second_of_a_switch_is_nobodys() {
        let record = record(&[(0, "alice"), (10, "alice"), (10, "bob")]);
        assert_eq!(who(&record, Some("bob"), 20, 10), Err(Unknown::AtASwitch));
        assert_eq!(who(&record, Some("bob"), 20, 11), Ok("bob".to_owned()));
    }

    #[test]
    fn who_was_before_is_the_last_one_who_is_another() {
        let record = record(&[(0, "alice"), (10, "bob"), (20, "carol"), (30, "carol")]);
        let before = |now: Option<&str>| {
            let now = now.map(person);
            before(&record, home(), now.as_ref()).and_then(|account| account.email.clone())
        };
        let bob = Some("bob@example.com".to_owned());
        let carol = Some("carol@example.com".to_owned());
        assert_eq!(before(Some("carol")), bob);
        // Whoever signed in since then, and nobody.
        assert_eq!(before(Some("dave")), carol);
        assert_eq!(before(Some("bob")), carol);
        assert_eq!(before(None), carol);
        let elsewhere = Path::new("/home/someone/.codex-work");
        assert_eq!(super::before(&record, elsewhere, None), None);
        assert_eq!(
            super::before(&record[..1], home(), Some(&person("alice"))),
            None
        );
    }

    #[test]
    fn an_accounts_other_homes_are_those_it_was_seen_in_last() {
        let at = |name: &str| PathBuf::from(format!("/home/someone/.codex-{name}"));
        let mut record = record(&[(0, "alice"), (10, "bob")]);
        for (home, who) in [
            ("a", "alice"),
            ("b", "bob"),
            ("c", "alice"),
            ("c", "carol"),
            ("d", "alice"),
        ] {
            note(&mut record, &at(home), &person(who), time(20));
        }
        let homes = |name: &str, but: &Path| homes_of(&record, &person(name), but);
        assert_eq!(homes("alice", home()), [at("a"), at("d")]);
        assert_eq!(homes("alice", &at("a")), [at("d")]);
        assert_eq!(homes("bob", home()), [at("b")]);
        assert_eq!(homes("dave", home()), [""; 0].map(PathBuf::from));
    }

    #[test]
    fn a_time_before_the_last_sighting_is_none() {
        let record = record(&[(0, "alice"), (10, "alice"), (5, "bob"), (9, "alice")]);
        assert_eq!(record.len(), 1);
        assert_eq!(record[0].seen, time(10));
    }

    #[test]
    fn members_of_one_workspace_are_two_and_a_renamed_account_is_one() {
        let mut record = record(&[(0, "alice")]);
        let renamed = Account {
            email: Some("alice.new@example.com".to_owned()),
            ..person("alice")
        };
        note(&mut record, home(), &renamed, time(1));
        assert_eq!(record.len(), 1);
        assert_eq!(record[0].account, renamed);
        note(&mut record, home(), &person("bob"), time(2));
        assert_eq!(record.len(), 2);
    }

    #[test]
    fn each_home_has_its_own_record_and_its_own_limit() {
        let other = Path::new("/home/someone/.codex-work");
        let mut record = Vec::new();
        note(&mut record, other, &person("carol"), time(0));
        for minute in 0..300 {
            let name = if minute % 2 == 0 { "alice" } else { "bob" };
            note(&mut record, home(), &person(name), time(minute));
        }
        assert_eq!(record.len(), MOST + 1);
        assert_eq!(record[0].account, person("carol"));
        assert_eq!(record[1].since, time(100));
        assert_eq!(who(&record, None, 300, 99), Err(Unknown::TooEarly));
    }

    #[test]
    fn a_record_out_of_order_is_not_believed() {
        let mut record = record(&[(0, "alice"), (10, "alice"), (20, "bob")]);
        record.swap(0, 1);
        assert_eq!(who(&record, Some("bob"), 40, 5), Err(Unknown::ClockChanged));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Known is only who was seen last before, next after, and whenever it was that very minute.
        #[test]
        fn known_is_who_was_seen_on_both_sides(
            steps in prop::collection::vec((0_i64..5, 0_usize..3), 0..30),
            until_now in 0_i64..10,
            signed_in in 0_usize..4,
            asked in -3_i64..150,
        ) {
            const NAMES: [&str; 3] = ["alice", "bob", "carol"];
            let mut clock = 0;
            let mut sightings: Vec<(i64, &str)> = Vec::new();
            for (later, name) in steps {
                clock += later;
                sightings.push((clock, NAMES[name]));
            }
            let now = clock + until_now;
            let account_now = NAMES.get(signed_in).copied();
            let record = record(&sightings);
            let before = sightings.iter().rfind(|(at, _)| *at <= asked);
            let after = sightings.iter().find(|(at, _)| *at >= asked).map(|(_, name)| *name);
            // Who is signed in now counts where nothing was noted since.
            let after = after.or(account_now);
            let expected = before.map(|(_, name)| *name).filter(|name| {
                let all_agree = sightings.iter().all(|(at, other)| *at != asked || other == name);
                asked <= now && after == Some(*name) && all_agree
            });
            let answer = who(&record, account_now, now, asked).ok();
            prop_assert_eq!(answer.as_deref(), expected);
        }
    }
}

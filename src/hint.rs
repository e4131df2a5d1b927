//! A hint from Codex's session files, joined with the record of who was signed in.
//!
//! Session files do not say whose rate limits they hold, and a running Codex keeps its login in memory when auth.json is
//! exchanged. So a hint counts only where its session began, and its line was written, in one stretch of one account,
//! and where whoever the file names as the session's creator is no other. What is left unseen: a Codex before 0.157,
//! which names no creator, that ran through a switch and began another session after it.

use std::path::Path;

use crate::codex::status::LiveStatus;
use crate::codex::status::rollout::{self, Hint};
use crate::error::{Error, Kind, Result};
use crate::fsutil;
use crate::metadata::{Account, StatusSource};
use crate::registry::{Attribution, Registry, same_login};
use crate::timeutil::{Stamp, Zone};

/// The newest rate limits in the session files of `home` that are surely of `account`, which is signed in there now.
///
/// Fails as `NoStatus` where there are none, with what speaks against the newest there are. `warnings` are of files that
/// could not be read.
pub fn of_rollouts(
    home: &Path,
    account: &Account,
    registry: &Registry,
    now: Stamp,
    zone: &Zone,
    warnings: &mut Vec<String>,
) -> Result<LiveStatus> {
    let home = fsutil::real(home);
    let mut newest_refused: Option<(Stamp, String)> = None;
    let found = rollout::newest(&home, now, zone, &mut |hint| {
        let Err(why) = attribute(hint, &home, account, registry, now) else {
            return true;
        };
        if newest_refused
            .as_ref()
            .is_none_or(|(newest, _)| *newest < hint.observed_at)
        {
            newest_refused = Some((hint.observed_at, why));
        }
        false
    });
    warnings.extend(found.warnings);
    match (found.hint, newest_refused) {
        (Some(hint), _) => {
            let mut live = status_of(hint, account);
            let at = live.observed_at;
            live.reading.check_times(at).map_err(|reset| {
                Error::new(
                    Kind::NoStatus,
                    format!(
                        "the session files' last rate limits, of {}, reset on {}, more than 8 days away",
                        at.in_zone(zone).table_form(),
                        reset.table_form()
                    ),
                    "ask Codex itself",
                )
            })?;
            Ok(live)
        }
        (None, Some((at, why))) => Err(Error::new(
            Kind::NoStatus,
            format!(
                "the session files' last rate limits, of {}, cannot be taken to be of {account}: {why}",
                at.in_zone(zone).table_form()
            ),
            "ask Codex itself; every backup and restore notes who is signed in, so that later sessions can be told apart",
        )),
        (None, None) => Err(Error::new(
            Kind::NoStatus,
            format!(
                "there are no rate limits in the session files of `{}`",
                home.display()
            ),
            "ask Codex itself, or use it once: it notes them with each answer",
        )),
    }
}

fn status_of(hint: Hint, account: &Account) -> LiveStatus {
    let mut reading = hint.limits.reading(Vec::new());
    reading.email.clone_from(&account.email);
    reading.user_id.clone_from(&account.user_id);
    reading.workspace_id.clone_from(&account.account_id);
    LiveStatus {
        source: StatusSource::Rollout,
        reading,
        observed_at: hint.observed_at,
        codex_version: None,
        asked_of: None,
    }
}

/// Why a hint is not surely of `account`, in words.
fn attribute(
    hint: &Hint,
    home: &Path,
    account: &Account,
    registry: &Registry,
    now: Stamp,
) -> Result<(), String> {
    let creator = &hint.creator;
    let contradicts = |named: &Option<String>, known: &Option<String>| {
        named.is_some() && known.is_some() && named != known
    };
    if contradicts(&creator.user_id, &account.user_id)
        || contradicts(&creator.account_id, &account.account_id)
    {
        return Err("the session was begun by another account".to_owned());
    }
    let Some(started_at) = hint.session_started_at else {
        return Err(
            "the file does not tell when the session, or the one it came from, began".to_owned(),
        );
    };
    let at = |at: Stamp| registry.live_at(home, Some(account), now, at);
    let (written_by, written_in) = match at(hint.observed_at) {
        Attribution::Account { account, since } => (account, since),
        Attribution::Unknown(why) => {
            return Err(format!(
                "it is not known who was signed in then: {}",
                why.words()
            ));
        }
    };
    if !same_login(&written_by, account) {
        return Err(format!("{written_by} was signed in then"));
    }
    match at(started_at) {
        Attribution::Account { account, since }
            if since == written_in && same_login(&account, &written_by) =>
        {
            Ok(())
        }
        Attribution::Account { .. } => {
            Err("the account was switched while the session went on".to_owned())
        }
        Attribution::Unknown(why) => Err(format!(
            "it is not known who was signed in when the session began: {}",
            why.words()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codex::status::rate_limits::RateLimits;
    use crate::codex::status::rollout::Creator;

    fn time(clock: &str) -> Stamp {
        Stamp::parse(&format!("2026-04-14T{clock}:00Z")).expect(clock)
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

    fn record(sightings: &[(&str, &str)]) -> Registry {
        let mut registry = Registry::default();
        for (clock, name) in sightings {
            registry.saw_live(home(), &person(name), time(clock));
        }
        registry
    }

    fn hint(began: Option<&str>, written: &str, creator: Option<&str>) -> Hint {
        Hint {
            limits: RateLimits::default(),
            observed_at: time(written),
            session_started_at: began.map(time),
            creator: creator.map_or_else(Creator::default, |name| Creator {
                user_id: person(name).user_id,
                account_id: person(name).account_id,
            }),
            path: "/home/someone/.codex/sessions/rollout-x.jsonl".into(),
        }
    }

    fn judged(hint: &Hint, registry: &Registry, now: &str) -> Result<(), String> {
        attribute(hint, home(), &person("bob"), registry, time(now))
    }

    #[test]
    fn a_session_within_one_stretch_is_of_its_account() {
        let registry = record(&[("08:00", "alice"), ("09:00", "alice"), ("10:00", "bob")]);
        for creator in [None, Some("bob")] {
            let own = hint(Some("10:00"), "11:00", creator);
            assert_eq!(judged(&own, &registry, "12:00"), Ok(()));
        }
    }

    #[test]
    fn a_session_begun_before_the_switch_speaks_for_the_old_account() {
        let registry = record(&[("08:00", "alice"), ("09:00", "alice"), ("10:00", "bob")]);
        let words = |hint: &Hint| judged(hint, &registry, "12:00").expect_err("refuses");
        let older = hint(Some("08:30"), "11:00", None);
        assert_eq!(
            words(&older),
            "the account was switched while the session went on"
        );
        let in_the_gap = hint(Some("09:30"), "11:00", None);
        assert_eq!(
            words(&in_the_gap),
            "it is not known who was signed in when the session began: the account was switched around that time, and \
             nobody noted when"
        );
        let of_alice = hint(Some("08:30"), "08:40", None);
        assert_eq!(words(&of_alice), "alice@example.com was signed in then");
        let untold = hint(None, "11:00", None);
        assert!(words(&untold).contains("does not tell when"), "{untold:?}");
    }

    #[test]
    fn the_same_account_in_two_stretches_is_not_one() {
        let registry = record(&[("08:00", "bob"), ("09:00", "alice"), ("10:00", "bob")]);
        let across = hint(Some("08:00"), "10:30", Some("bob"));
        assert_eq!(
            judged(&across, &registry, "12:00"),
            Err("the account was switched while the session went on".to_owned())
        );
    }

    #[test]
    fn a_creator_that_is_named_must_be_the_account() {
        let registry = record(&[("08:00", "alice"), ("10:00", "bob")]);
        // Of one workspace: the user tells them apart.
        let foreign = hint(Some("10:10"), "11:00", Some("alice"));
        assert_eq!(
            judged(&foreign, &registry, "12:00"),
            Err("the session was begun by another account".to_owned())
        );
    }

    #[test]
    fn without_a_record_nothing_is_known() {
        let own = hint(Some("10:10"), "11:00", Some("bob"));
        let words = judged(&own, &Registry::default(), "12:00").expect_err("refuses");
        assert!(words.contains("no backup or restore has noted"), "{words}");
    }
}

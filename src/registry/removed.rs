//! Whose profile a person removed here, and when: what other machines still tell of it is not taken in again. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Registry;
use crate::metadata::Account;
use crate::timeutil::Stamp;

/// An account whose profile was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Removed {
    #[serde(flatten)]
    account: Account,
    /// When.
    #[serde(rename = "removed_at")]
    at: Stamp,
    /// What this version does not know, kept.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Registry {
    /// Notes that the profile of exactly this account was removed.
    pub fn note_removed(&mut self, account: &Account, at: Stamp) {
        let known = self.removed.iter_mut().find(|it| it.account == *account);
        if let Some(known) = known {
            known.at = at;
        } else {
            self.removed.push(Removed {
                account: account.clone(),
                at,
                rest: Map::new(),
            });
            self.removed.sort_by(|a, b| a.account.cmp(&b.account));
        }
    }

    /// When the profile of exactly this account was removed last. A time after `latest` is of a clock that was wrong.
    pub fn removed_at(&self, account: &Account, latest: Stamp) -> Option<Stamp> {
        let is_theirs = |it: &&Removed| it.account == *account || it.account.is_same_as(account);
        let removed = self.removed.iter().filter(is_theirs);
        let times = removed.map(|it| it.at);
        times.filter(|at| *at <= latest).max()
    }
}

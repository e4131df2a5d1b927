//! One run at a time has an account's login to do with: to choose and install it, or to have Codex ask with it, which may
//! renew it. Of two that renew one login only the first gets a new one, and what was installed meanwhile is dead.

use std::path::Path;

use super::credentials;
use crate::error::Result;
use crate::lock::{HomeLock, Waiting};
use crate::metadata::Account;

/// Held until dropped. To be taken before the lock of the manager home and never under it: whoever has Codex ask takes
/// that one for a moment, to keep what was renewed.
#[derive(Debug)]
pub struct LoginLock {
    held: Vec<HomeLock>,
}

impl LoginLock {
    /// Takes the logins of `account` that are kept below `dir`, waiting for whoever has them. There is nothing to take where
    /// none is kept.
    pub fn acquire(dir: &Path, account: &Account, waiting: &Waiting) -> Result<Self> {
        let names = credentials::names_of(dir, account);
        let held = names
            .iter()
            .map(|name| HomeLock::acquire(&dir.join(name), waiting));
        Ok(Self {
            held: held.collect::<Result<_>>()?,
        })
    }

    /// As [`HomeLock::pass_on`]: whoever asks with the login may renew it as long as it runs.
    pub fn pass_on(&self) {
        self.held.iter().for_each(HomeLock::pass_on);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::fsutil;

    #[cfg(unix)]
    #[test]
    fn an_accounts_login_is_had_by_one_at_a_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = |name: &str| dir.path().join(name).join("auth.json");
        let key = |key: &str| format!("{{\"auth_mode\":\"apikey\",\"OPENAI_API_KEY\":\"{key}\"}}");
        let account = |text: &str| {
            let login = crate::codex::auth::parse(text.as_bytes());
            login.expect("a login").account
        };
        let (one, other) = (key("one"), key("other"));
        fsutil::write_atomically(&place("a"), one.as_bytes()).expect("writes");
        fsutil::write_atomically(&place("b"), other.as_bytes()).expect("writes");
        let take = |text: &str| {
            let take = |waiting: &Waiting| LoginLock::acquire(dir.path(), &account(text), waiting);
            Waiting::at_once(take).map_err(|error| error.kind())
        };
        let held = take(&one).expect("free");
        assert_eq!(take(&one).err(), Some(Kind::Locked));
        take(&other).expect("free");
        take(&key("unknown")).expect("nothing to take");
        drop(held);
        take(&one).expect("free again");
    }
}

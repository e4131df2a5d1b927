//! Which machine this is: an id of its own, made once, since names of machines are neither unique nor lasting.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::fsutil;
use crate::lock::Lock;

/// The file in the manager home that holds the id.
const FILE: &str = "machine-id";

/// How many bytes of chance are in an id.
const BYTES: usize = 8;

/// One machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// 16 hex digits.
    pub id: String,
    /// What it is called.
    pub hostname: Option<String>,
}

/// The id of the machine of that manager home; None where none was made yet, or can be read.
pub fn known(manager_home: &Path) -> Option<String> {
    look(manager_home).ok()?
}

/// The same. Fails where what stands there cannot be read; one that is damaged is made anew.
pub fn look(manager_home: &Path) -> Result<Option<String>> {
    let bytes = fsutil::read_if_present(&manager_home.join(FILE), 1 << 10)?;
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let id = text.map(|text| text.trim().to_owned());
    Ok(id.filter(|id| is_id(id)))
}

/// The same, made where there is none. Whoever copies a manager home has two machines of one id: remove the file on one.
pub fn id(manager_home: &Path, _lock: &Lock) -> Result<String> {
    if let Some(id) = known(manager_home) {
        return Ok(id);
    }
    let mut chance = [0; BYTES];
    getrandom::fill(&mut chance).map_err(|error| {
        Error::other(
            format!("the system gives no random bytes: {error}"),
            "run the command again",
        )
    })?;
    let id = fsutil::hex(&chance);
    fsutil::write_atomically(&manager_home.join(FILE), format!("{id}\n").as_bytes())?;
    Ok(id)
}

/// Whether `text` is an id: it becomes part of a name.
pub fn is_id(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == 2 * BYTES && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn it_is_made_once_and_anew_where_it_is_damaged() {
        let home = tempfile::tempdir().expect("a directory");
        let lock = Lock::try_acquire(home.path(), "test", None).expect("free");
        assert_eq!(known(home.path()), None);
        let made = id(home.path(), &lock).expect("makes");
        assert!(is_id(&made));
        assert_eq!(id(home.path(), &lock).expect("reads"), made);
        assert_eq!(known(home.path()).as_ref(), Some(&made));
        for odd in ["", "../../../etc", "0123456789ABCDEF", "0123456789abcde"] {
            fs::write(home.path().join(FILE), odd).expect("writes");
            assert_eq!(known(home.path()), None, "{odd}");
        }
        assert_ne!(id(home.path(), &lock).expect("makes"), made);
    }
}

//! What opens a store: the providers' variables of the environment and files of the person's home, and our own settings
//! for a server. Nothing is read but what was handed in.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::fsutil;

/// The variables that are looked at, by name or, with a `*`, by how they begin.
pub const VARIABLES: &[&str] = &[
    "AWS_*",
    "GOOGLE_*",
    "CLOUDSDK_CONFIG",
    "STORAGE_EMULATOR_HOST",
    "AZURE_*",
    "CODEX_MANAGER_WEBDAV_USER",
    "CODEX_MANAGER_WEBDAV_PASSWORD",
    "NETRC",
];

/// No file of credentials is larger.
const MOST_BYTES: u64 = 1 << 20;

/// What opens a store. Never shown: much of it is secret.
#[derive(Clone, Default)]
pub struct Access {
    /// Those of [`VARIABLES`] that are set and not empty.
    pub variables: BTreeMap<String, String>,
    /// The person's home.
    pub home: Option<PathBuf>,
    /// The setting `sync.endpoint`.
    pub endpoint: Option<String>,
    /// The setting `sync.region`.
    pub region: Option<String>,
    /// The setting `sync.path_style`.
    pub path_style: Option<bool>,
}

impl Access {
    /// Whether a variable is one of [`VARIABLES`].
    pub fn wants(name: &str) -> bool {
        VARIABLES
            .iter()
            .any(|wanted| match wanted.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == *wanted,
            })
    }

    /// The first of `names` that is set.
    pub(super) fn variable(&self, names: &[&str]) -> Option<&str> {
        names
            .iter()
            .find_map(|name| self.variables.get(*name))
            .map(String::as_str)
    }

    /// Whether a variable says yes.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.variable(&[name])
            .is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }

    /// The file that a variable names, or the usual one below the home.
    pub(super) fn file(&self, variable: &str, usual: &str) -> Option<PathBuf> {
        let home = self.home.as_deref();
        match self.variable(&[variable]) {
            Some(named) => Some(at_home(Path::new(named), home)),
            None => Some(home?.join(usual)),
        }
    }
}

fn at_home(path: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// The text of a file of credentials; None where there is none.
pub(super) fn text_of(path: &Path) -> Result<Option<String>> {
    let bytes = fsutil::read_if_present(path, MOST_BYTES)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

impl fmt::Debug for Access {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Access")
    }
}

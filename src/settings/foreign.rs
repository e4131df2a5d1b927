//! Values whose form others have set: read as they are where they are used, and kept nowhere where they cannot be used.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::encryption::Recipients;
use crate::error::{Error, Kind, Result};
use crate::remote::{self, Address};

/// Patterns as one matcher. A pattern that is none is a usage error.
pub fn patterns(globs: &[String]) -> Result<GlobSet> {
    let unusable = |glob: &str, why: String| {
        Error::new(
            Kind::Usage,
            format!("the pattern `{glob}` cannot be used: {why}"),
            "write it as in `--exclude 'sessions/**'`",
        )
    };
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(Glob::new(glob).map_err(|error| unusable(glob, error.kind().to_string()))?);
    }
    set.build()
        .map_err(|error| unusable(&globs.join(" "), error.to_string()))
}

/// Fails where that is no address of a store, and repeats no password in it.
pub(super) fn remote(text: &str) -> Result<()> {
    // Where a `~` leads to is for later.
    Address::parse(text, &|path| Ok(path.to_owned())).map(drop)
}

/// Fails where that is no address of a server.
pub(super) fn endpoint(text: &str) -> Result<()> {
    remote::parse_endpoint(text).map(drop)
}

/// Fails where nothing can be encrypted to one of them, and repeats no private key. None is as if it were not set.
pub(super) fn recipients(texts: &[String]) -> Result<()> {
    if texts.is_empty() {
        return Ok(());
    }
    Recipients::parse(texts).map(drop)
}

//! Reading a file with a secret in it: only where nobody else can.

use std::fs::Metadata;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::fsutil;

/// The largest of them.
const MOST: u64 = 1 << 18;

/// What the file at `path` holds, which is `what`; None where there is none. Refused where others may read it.
pub(super) fn read(path: &Path, what: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let failed = |error| Error::io("read", path, error);
    let file = match fsutil::open_regular(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let found = file.metadata().map_err(failed)?;
    refuse_shared(path, &found, what)?;
    let room = found.len().min(MOST) + 1;
    // Room for all of it: what grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(room).unwrap_or_default(),
    ));
    let read = file.take(MOST + 1).read_to_end(&mut bytes);
    read.map_err(failed)?;
    if bytes.len() as u64 > MOST {
        let message = format!(
            "`{}` is larger than {MOST} bytes, which {what} never is",
            path.display()
        );
        return Err(Error::other(
            message,
            "check that the path names the right file",
        ));
    }
    Ok(Some(bytes))
}

/// Looked at through the open file: another one may stand at its path a moment later.
#[cfg(unix)]
fn refuse_shared(path: &Path, found: &Metadata, what: &str) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let shown = path.display();
    let typed = path.display().to_string();
    let typed = shell_words::quote(&typed);
    if found.uid() != rustix::process::geteuid().as_raw() {
        let message = format!("`{shown}` belongs to another user: {what} must be your own");
        let hint = format!("copy it to a place of yours, and see who owns it: `ls -l {typed}`");
        return Err(Error::other(message, hint));
    }
    if found.mode() & 0o077 != 0 {
        let message = format!("`{shown}` is open to other users: {what} must be yours alone");
        return Err(Error::other(
            message,
            format!("close it: `chmod 600 {typed}`"),
        ));
    }
    Ok(())
}

/// What a person keeps in their own home is theirs there.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)] // it fails only where it does something
fn refuse_shared(_: &Path, _: &Metadata, _: &str) -> Result<()> {
    Ok(())
}

//! Where snapshots are kept besides this machine: one interface, which waits, over folders, the stores of the providers
//! and WebDAV servers. It may be used from several threads at once, and ends with a signal.
//!
//! A failed request is sent again for about half a minute. Memory is bounded: three parts of 8 MiB for each upload
//! at work, less for a download. Keys are text; that those which a store lists are ours is for the caller to see.

mod access;
mod address;
mod aws_files;
mod dav;
mod engine;
mod failures;
mod folder;
mod link;
mod listing;
mod netrc;
mod objects;
mod open;
mod reader;
mod upload;

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

pub use access::Access;
pub use address::Address;
pub use failures::of_io;
pub use open::parse_endpoint;
pub use reader::Reader;
pub use upload::Upload;

use crate::error::{Error, Kind, Result};
use crate::stop::Stop;
use dav::Dav;
use folder::Folder;
use objects::Objects;

/// One object of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name, relative to the prefix in the address.
    pub key: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written, by the store's clock, in seconds of Unix time.
    pub modified: Option<i64>,
}

/// How an object is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Whatever stands there.
    Always,
    /// Only where nothing does. A store that has no such condition is looked at first.
    IfAbsent,
}

/// What came of putting an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stood {
    /// These bytes stand there, and are ours.
    Written,
    /// Something else stood there, and still does.
    WasThere,
}

/// A store; shown as its address.
#[derive(Debug)]
pub struct Remote {
    address: Address,
    store: Store,
}

#[derive(Debug)]
enum Store {
    Folder(Folder),
    Objects(Arc<Objects>),
    Dav(Arc<Dav>),
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl Remote {
    /// The store at `address`. A server is not asked anything yet; a folder need not be there. `stop` ends all waiting.
    pub fn open(address: &Address, access: &Access, stop: &Stop) -> Result<Self> {
        Ok(Self {
            address: address.clone(),
            store: open::store(address, access, stop)?,
        })
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// All objects right below `dir`, in no order; none where there is no such directory. `""` is the top.
    pub fn list(&self, dir: &str) -> Result<Vec<Object>> {
        if !dir.is_empty() {
            self.check(dir)?;
        }
        match &self.store {
            Store::Folder(folder) => folder.list(dir),
            Store::Objects(objects) => objects.list(dir),
            Store::Dav(dav) => dav.list(dir),
        }
    }

    /// The bytes of an object; None where there is none. One larger than `most` is a failure.
    pub fn get(&self, key: &str, most: u64) -> Result<Option<Vec<u8>>> {
        let Some(reader) = self.reader(key)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let mut limited = io::Read::take(reader, most.saturating_add(1));
        io::Read::read_to_end(&mut limited, &mut bytes)
            .map_err(|error| self.io("read from", error))?;
        if bytes.len() as u64 > most {
            let why =
                format!("`{key}` is larger than {most} bytes, which no object of its kind is");
            let hint = "check that the address names the right store";
            return Err(failures::failure(&self.address, "read from", &why, hint));
        }
        Ok(Some(bytes))
    }

    /// Reads an object from its beginning to its end; None where there is none. A connection that is cut goes on where it
    /// was, and fails where the object has been replaced. Failures are wrapped as [`of_io`] unwraps them.
    pub fn reader(&self, key: &str) -> Result<Option<Reader>> {
        self.check(key)?;
        match &self.store {
            Store::Folder(folder) => Ok(folder.open(key)?.map(Reader::of_file)),
            Store::Objects(objects) => Reader::of_object(objects.clone(), key),
            Store::Dav(dav) => Reader::of_object(dav.clone(), key),
        }
    }

    /// Puts an object in one step.
    pub fn put(&self, key: &str, bytes: Vec<u8>, how: How) -> Result<Stood> {
        self.check(key)?;
        match (&self.store, how) {
            (Store::Folder(folder), _) => folder.put(key, &bytes, how == How::Always),
            (Store::Objects(objects), How::Always) => {
                objects.put(key, &Bytes::from(bytes))?;
                Ok(Stood::Written)
            }
            (Store::Objects(objects), How::IfAbsent) => objects.put_new(key, &Bytes::from(bytes)),
            (Store::Dav(dav), _) => dav.put(key, &Bytes::from(bytes), how == How::Always),
        }
    }

    /// Writes an object of any length, which appears once [`Upload::finish`] has returned, over what stood there.
    /// Failures are wrapped as [`of_io`] unwraps them.
    pub fn writer(&self, key: &str) -> Result<Upload> {
        self.check(key)?;
        match &self.store {
            Store::Folder(folder) => Ok(Upload::to_file(folder.create(key)?)),
            Store::Objects(objects) => Ok(Upload::to_object(Arc::clone(objects), key)),
            Store::Dav(dav) => Ok(Upload::to_server(Arc::clone(dav), key)),
        }
    }

    /// Removes an object; false where there was none.
    pub fn remove(&self, key: &str) -> Result<bool> {
        self.check(key)?;
        match &self.store {
            Store::Folder(folder) => folder.remove(key),
            Store::Objects(objects) => objects.remove(key),
            Store::Dav(dav) => dav.remove(key),
        }
    }

    /// Refuses what is no key: the store's own listing may have named it.
    fn check(&self, key: &str) -> Result<()> {
        let is_part = |part: &str| {
            !address::is_no_name(part)
                && !part.contains(|letter: char| letter.is_control() || letter == '\\')
        };
        if key.split('/').all(is_part) {
            return Ok(());
        }
        Err(no_key(&self.address, key))
    }

    fn io(&self, doing: &str, error: io::Error) -> Error {
        of_io(error, |error| {
            let why = crate::error::describe(&error);
            let hint = "the system's own message says why; mend it and run the command again";
            failures::failure(&self.address, doing, &why, hint)
        })
    }
}

/// What is no key is shown so that a terminal does nothing with it.
fn no_key(address: &Address, key: &str) -> Error {
    let message = format!("{key:?} is no name of an object of `{address}`");
    let hint = "it is none of ours; remove it with the store's own tools";
    Error::new(Kind::Remote, message, hint)
}

/// `name` below `dir`, either of which may be empty.
fn joined(dir: &str, name: &str) -> String {
    match (dir, name) {
        ("", name) => name.to_owned(),
        (dir, "") => dir.to_owned(),
        (dir, name) => format!("{dir}/{name}"),
    }
}

/// The last part of a key.
fn name_of(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

#[cfg(test)]
mod tests;

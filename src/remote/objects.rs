//! A bucket as a store, whatever its protocol.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Error as StoreError, GetOptions, GetRange, GetResult, MultipartUpload, ObjectStore,
    ObjectStoreExt, PutMode, PutOptions, PutPayload,
};

use super::address::Address;
use super::engine::Engine;
use super::failures::{Cause, contested, failure};
use super::reader::{Opened, Ranges};
use super::{Object, Stood};
use crate::error::{Error, Result};
use crate::fsutil;

/// How often what may go well next time is begun anew, beyond what the library does by itself.
const TRIES: u32 = 3;

/// How long to wait before.
const PAUSE: Duration = Duration::from_millis(500);

/// A store in a bucket.
#[derive(Debug)]
pub(super) struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    address: Address,
    engine: Arc<Engine>,
    /// Whether the store heeds conditions: one of the three below.
    conditions: AtomicU8,
}

/// Nobody knows yet.
const UNKNOWN: u8 = 0;
/// A second "only if nothing stands there" was refused.
const HEEDED: u8 = 1;
/// It was not, or the store says that it has no conditions.
const IGNORED: u8 = 2;

impl Objects {
    /// The store at `address`, whose objects begin with `prefix`.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        prefix: String,
        address: Address,
        engine: Arc<Engine>,
    ) -> Self {
        Self {
            store,
            prefix,
            address,
            engine,
            conditions: AtomicU8::new(UNKNOWN),
        }
    }

    fn path(&self, key: &str) -> Result<Path> {
        Path::parse(super::joined(&self.prefix, key)).map_err(|_| super::no_key(&self.address, key))
    }

    /// The objects right below `dir`, by name.
    pub fn list(&self, dir: &str) -> Result<Vec<Object>> {
        let path = self.path(dir)?;
        let listed = self.engine.wait(async {
            // An empty prefix is the bucket's.
            let prefix = (!path.is_root()).then_some(&path);
            self.store.list_with_delimiter(prefix).await
        })?;
        let listed = listed.map_err(|error| self.failed("list", &error))?;
        let own = listed.objects.into_iter().filter_map(|object| {
            let name = match path.as_ref() {
                "" => object.location.as_ref(),
                dir => object
                    .location
                    .as_ref()
                    .strip_prefix(dir)?
                    .strip_prefix('/')?,
            };
            Some(Object {
                key: super::joined(dir, name),
                size: object.size,
                modified: Some(object.last_modified.timestamp()),
            })
        });
        Ok(own
            .filter(|object| !fsutil::is_temporary(super::name_of(&object.key)))
            .collect())
    }

    /// What begins at `offset` of the object, which must still be that of `etag` where one is named. None where there is no
    /// object.
    fn get(&self, key: &str, offset: u64, etag: Option<String>) -> Result<Option<GetResult>> {
        let options = GetOptions {
            range: (offset > 0).then_some(GetRange::Offset(offset)),
            if_match: etag,
            ..GetOptions::default()
        };
        let path = self.path(key)?;
        let got = self.engine.wait(self.store.get_opts(&path, options))?;
        match got {
            Ok(got) => Ok(Some(got)),
            Err(error @ StoreError::NotFound { .. }) => match Cause::of(&error) {
                Cause::Refused(_, Some(code))
                    if code == "NoSuchBucket" || code == "ContainerNotFound" =>
                {
                    Err(self.failed("read from", &error))
                }
                _ => Ok(None),
            },
            Err(StoreError::Precondition { .. }) => {
                Err(self.lost(&format!("`{key}` was replaced while it was read")))
            }
            Err(error) => Err(self.failed("read from", &error)),
        }
    }

    /// How long the object is, if it is there.
    pub fn size(&self, key: &str) -> Result<Option<u64>> {
        let path = self.path(key)?;
        match self.engine.wait(self.store.head(&path))? {
            Ok(meta) => Ok(Some(meta.size)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("look at", &error)),
        }
    }

    fn has(&self, key: &str) -> Result<bool> {
        Ok(self.size(key)?.is_some())
    }

    /// Writes the object, whatever stands there.
    pub fn put(&self, key: &str, bytes: &Bytes) -> Result<()> {
        let done = self.put_as(key, bytes, &PutMode::Overwrite)?;
        done.map_err(|error| self.failed("write to", &error))
    }

    fn put_as(&self, key: &str, bytes: &Bytes, mode: &PutMode) -> Result<Result<(), StoreError>> {
        let path = self.path(key)?;
        let mut tries = 1;
        loop {
            let payload = PutPayload::from_bytes(bytes.clone());
            let options = PutOptions::from(mode.clone());
            match self
                .engine
                .wait(self.store.put_opts(&path, payload, options))?
            {
                Ok(_) => return Ok(Ok(())),
                // A condition is not sent again by the library: nobody but us can tell whose object then stands there.
                Err(error)
                    if *mode == PutMode::Create && tries < TRIES && is_cut(&Cause::of(&error)) =>
                {
                    tries += 1;
                    self.engine.pause(PAUSE * tries)?;
                }
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// Writes the object where none stands. A store that heeds no condition is looked at first: then two that write at
    /// once may both think they were the first.
    pub fn put_new(&self, key: &str, bytes: &Bytes) -> Result<Stood> {
        let known = self.conditions.load(Ordering::Relaxed);
        if known != HEEDED && self.has(key)? {
            return Ok(Stood::WasThere);
        }
        if known == IGNORED {
            self.put(key, bytes)?;
            return Ok(Stood::Written);
        }
        for _ in 0..TRIES {
            match self.put_as(key, bytes, &PutMode::Create)? {
                Ok(()) => {
                    if known == UNKNOWN {
                        self.learn(key, bytes)?;
                    }
                    return Ok(Stood::Written);
                }
                Err(StoreError::AlreadyExists { .. }) => {}
                Err(error) if has_no_conditions(&error) => {
                    self.conditions.store(IGNORED, Ordering::Relaxed);
                    self.put(key, bytes)?;
                    return Ok(Stood::Written);
                }
                Err(error) => return Err(self.failed("write to", &error)),
            }
            // It may be ours: the answer to a first try may have been lost.
            match self.bytes(key, bytes.len() as u64)? {
                Read::Same(there) if there == *bytes => return Ok(Stood::Written),
                Read::Same(_) | Read::Larger => return Ok(Stood::WasThere),
                // The other one gave up, or two were in each other's way.
                Read::Missing => self.engine.pause(PAUSE)?,
            }
        }
        Err(contested(&self.address, key))
    }

    /// Finds out whether conditions are heeded, by writing the same bytes once more where they must not be taken.
    fn learn(&self, key: &str, bytes: &Bytes) -> Result<()> {
        let answer = match self.put_as(key, bytes, &PutMode::Create)? {
            Ok(()) => IGNORED,
            Err(StoreError::AlreadyExists { .. }) => HEEDED,
            Err(_) => UNKNOWN,
        };
        self.conditions.store(answer, Ordering::Relaxed);
        Ok(())
    }

    fn bytes(&self, key: &str, most: u64) -> Result<Read> {
        let Some(got) = self.get(key, 0, None)? else {
            return Ok(Read::Missing);
        };
        if got.meta.size > most {
            return Ok(Read::Larger);
        }
        let bytes = self.engine.wait(got.bytes())?;
        let bytes = bytes.map_err(|error| self.failed("read from", &error))?;
        Ok(Read::Same(bytes))
    }

    /// Begins an object of several parts.
    pub fn begin(&self, key: &str) -> Result<Box<dyn MultipartUpload>> {
        let path = self.path(key)?;
        let begun = self.engine.wait(self.store.put_multipart(&path))?;
        begun.map_err(|error| self.failed("write to", &error))
    }

    /// Removes the object; false where there is none, as far as the store tells.
    pub fn remove(&self, key: &str) -> Result<bool> {
        // Most stores are silent about what was not there.
        if !self.has(key)? {
            return Ok(false);
        }
        let path = self.path(key)?;
        match self.engine.wait(self.store.delete(&path))? {
            Ok(()) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failed("remove from", &error)),
        }
    }

    /// What drives it.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// An error of the library as a failure of `doing`.
    pub fn failed(&self, doing: &str, error: &StoreError) -> Error {
        Cause::of(error).told(&self.address, doing)
    }
}

impl Ranges for Objects {
    fn open(&self, key: &str, offset: u64, etag: Option<&str>) -> Result<Option<Opened>> {
        let got = self.get(key, offset, etag.map(str::to_owned))?;
        Ok(got.map(|got| Opened {
            size: got.meta.size,
            etag: got.meta.e_tag.clone(),
            pieces: got.into_stream().map_err(|error| Cause::of(&error)).boxed(),
        }))
    }

    fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    fn told(&self, cause: &Cause) -> Error {
        cause.told(&self.address, "read from")
    }

    fn lost(&self, why: &str) -> Error {
        failure(&self.address, "read from", why, "run the command again")
    }
}

/// What stands at a key.
enum Read {
    Missing,
    Larger,
    Same(Bytes),
}

/// Whether the answer was lost, so that nobody knows what came of it.
fn is_cut(cause: &Cause) -> bool {
    matches!(cause, Cause::Broken | Cause::Silent)
}

/// Whether the store says that it has no conditions.
fn has_no_conditions(error: &StoreError) -> bool {
    matches!(error, StoreError::NotImplemented { .. })
        || matches!(Cause::of(error), Cause::Refused(405, _))
}

//! A WebDAV server as a store. What is written goes to a name of its own first and is moved into its place: an upload
//! that was cut is never seen.
//!
//! Source: RFC 4918. The library's own client can neither move nor send what does not fit in memory.

mod answers;
mod request;

use std::collections::HashSet;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt;
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, DATE, ETAG, HeaderName, HeaderValue, IF_MATCH, RANGE,
};
use http::{Method, StatusCode};
use url::Url;

use super::address::Address;
use super::engine::Engine;
use super::failures::{Cause, contested, failure};
use super::link::Link;
use super::reader::{Opened, Pieces, Ranges};
use super::{Object, Stood};
use crate::error::{Error, Result};
use crate::fsutil;
use answers::Member;
use request::{Answer, Load, Sender};

/// How old an upload on its way must be, by the server's clock, before it is taken for one that a killed run left.
const STALE: i64 = 24 * 60 * 60;

/// No list of a directory is longer.
const MOST_LISTED: u64 = 256 << 20;

/// How often two that are in each other's way try again.
const TRIES: u32 = 4;

/// How often what was sent is moved into its place.
const MOVES: u32 = 6;

/// How often it is sent anew where the server lost it on the way.
const ROUNDS: u32 = 3;

/// How long to wait before, the first time.
const PAUSE: Duration = Duration::from_millis(300);

/// A member of a directory with its name below it.
type Named = (String, Member);

/// A store on a WebDAV server.
#[derive(Debug)]
pub(super) struct Dav {
    sender: Sender,
    server: Url,
    prefix: String,
    address: Address,
    engine: Arc<Engine>,
    /// The directories this run writes to.
    prepared: Mutex<HashSet<String>>,
}

impl Dav {
    /// The store at `server`, below `prefix`.
    pub fn new(
        link: Link,
        login: Option<(String, String)>,
        (server, prefix): (&Url, &str),
        address: Address,
        engine: Arc<Engine>,
    ) -> Self {
        let login = login.and_then(|(user, password)| {
            let encoded = STANDARD.encode(format!("{user}:{password}"));
            let mut header = HeaderValue::from_str(&format!("Basic {encoded}")).ok()?;
            header.set_sensitive(true);
            Some(header)
        });
        Self {
            sender: Sender { link, login },
            server: server.clone(),
            prefix: prefix.to_owned(),
            address,
            engine,
            prepared: Mutex::default(),
        }
    }

    /// The address of what is at `path`, from the server's top.
    fn url(&self, path: &str, is_dir: bool) -> Url {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear();
            segments.extend(path.split('/').filter(|part| !part.is_empty()));
            if is_dir {
                segments.push("");
            }
        }
        url
    }

    fn key_url(&self, key: &str) -> Url {
        self.url(&super::joined(&self.prefix, key), false)
    }

    fn send(
        &self,
        method: &[u8],
        url: &Url,
        headers: &[(HeaderName, HeaderValue)],
        load: &Load,
        doing: &str,
    ) -> Result<Answer> {
        let method = self::method(method);
        let answer = self
            .engine
            .wait(self.sender.send(&method, url, headers, load))?;
        answer.map_err(|cause| cause.told(&self.address, doing))
    }

    fn refused(&self, answer: &Answer, doing: &str) -> Error {
        answer.refusal().told(&self.address, doing)
    }

    /// The objects right below `dir`.
    pub fn list(&self, dir: &str) -> Result<Vec<Object>> {
        let Some((members, _)) = self.members(dir)? else {
            return Ok(Vec::new());
        };
        let own = members
            .into_iter()
            .filter(|(name, member)| !member.is_dir && !fsutil::is_temporary(super::name_of(name)));
        Ok(own
            .map(|(name, member)| Object {
                key: super::joined(dir, &name),
                size: member.size.unwrap_or(0),
                modified: member.modified,
            })
            .collect())
    }

    /// All that is right below `dir`, by name, and what time it is for the server; None where there is no such directory.
    fn members(&self, dir: &str) -> Result<Option<(Vec<Named>, Option<i64>)>> {
        let path = super::joined(&self.prefix, dir);
        let headers = [
            (
                HeaderName::from_static("depth"),
                HeaderValue::from_static("1"),
            ),
            (
                CONTENT_TYPE,
                HeaderValue::from_static("application/xml; charset=utf-8"),
            ),
        ];
        let asked = Load::Bytes(Bytes::from_static(answers::ASKED.as_bytes()));
        let mut tries = 0;
        loop {
            tries += 1;
            let answer = self.send(
                b"PROPFIND",
                &self.url(&path, true),
                &headers,
                &asked,
                "list",
            )?;
            match answer.status {
                StatusCode::MULTI_STATUS => {}
                StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::CONFLICT => {
                    return Ok(None);
                }
                _ => return Err(self.refused(&answer, "list")),
            }
            let now = answer.header(&DATE).and_then(answers::date);
            let document = match self.engine.wait(all_of(answer))? {
                Ok(document) => document,
                Err(cause) if cause.may_pass() && tries < TRIES => {
                    self.engine.pause(PAUSE * tries)?;
                    continue;
                }
                Err(cause) => return Err(cause.told(&self.address, "list")),
            };
            let members = answers::members(&document)
                .map_err(|why| Cause::Unreadable(why).told(&self.address, "list"))?;
            let path = match path.as_str() {
                "" => "/".to_owned(),
                path => format!("/{path}/"),
            };
            let named = members
                .into_iter()
                .filter_map(|member| Some((member.name(&path)?, member)));
            return Ok(Some((named.collect(), now)));
        }
    }

    /// Writes what is in memory in one step.
    pub fn put(&self, key: &str, bytes: &Bytes, over: bool) -> Result<Stood> {
        let stood = self.carry(key, &Load::Bytes(bytes.clone()), bytes.len() as u64, over)?;
        if stood == Stood::WasThere && self.holds(key, bytes)? {
            // The answer to a first try was lost.
            return Ok(Stood::Written);
        }
        Ok(stood)
    }

    /// Writes all of a file in one step, over what stands there.
    pub fn put_file(&self, key: &str, file: File, length: u64) -> Result<()> {
        self.carry(key, &Load::File(Arc::new(file), length), length, true)
            .map(|_| ())
    }

    fn carry(&self, key: &str, load: &Load, length: u64, over: bool) -> Result<Stood> {
        let (dir, _) = key.rsplit_once('/').unwrap_or(("", key));
        self.prepare(dir)?;
        for _ in 0..ROUNDS {
            let temporary = self.key_url(&super::joined(dir, &fsutil::temporary_name()?));
            self.upload(dir, &temporary, load)?;
            let moved = self.place(key, &temporary, length, over);
            if !matches!(moved, Ok(Some(Stood::Written))) {
                // What could not be placed is of no use to anybody.
                let none = Load::none();
                let remove = self.sender.send(&Method::DELETE, &temporary, &[], &none);
                self.engine.take_back(remove);
            }
            if let Some(stood) = moved? {
                return Ok(stood);
            }
        }
        Err(contested(&self.address, key))
    }

    /// Sends it to a name of its own, in a directory that is made where it is missing.
    fn upload(&self, dir: &str, temporary: &Url, load: &Load) -> Result<()> {
        let headers = [(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        )];
        for tries in 1..=TRIES {
            let sent = self.send(b"PUT", temporary, &headers, load, "write to")?;
            if sent.status.is_success() {
                return Ok(());
            }
            // Servers say that the directory is missing in any of these ways.
            let is_missing = matches!(
                sent.status,
                StatusCode::NOT_FOUND
                    | StatusCode::CONFLICT
                    | StatusCode::FORBIDDEN
                    | StatusCode::METHOD_NOT_ALLOWED
            );
            if !is_missing || tries == TRIES {
                return Err(self.refused(&sent, "write to"));
            }
            self.engine.pause(PAUSE * (tries - 1))?;
            self.make_dirs(&super::joined(&self.prefix, dir))?;
        }
        Ok(())
    }

    /// Makes the directory at `path` and those it is in. Whether it is there then, the next request tells: servers refuse in
    /// many ways to make what is there.
    fn make_dirs(&self, path: &str) -> Result<()> {
        let ends = path.match_indices('/').map(|(end, _)| end);
        for end in ends.chain([path.len()]).filter(|end| *end > 0) {
            self.send(
                b"MKCOL",
                &self.url(&path[..end], true),
                &[],
                &Load::none(),
                "make a directory on",
            )?;
        }
        Ok(())
    }

    /// Moves what was sent into its place. None where the server has neither: it is to be sent again.
    fn place(&self, key: &str, temporary: &Url, length: u64, over: bool) -> Result<Option<Stood>> {
        let target = self.key_url(key);
        let unusable = |_| Cause::Unreadable("its name".to_owned()).told(&self.address, "write to");
        let destination = HeaderValue::from_str(target.as_str()).map_err(unusable)?;
        let headers = [
            (HeaderName::from_static("destination"), destination),
            (
                HeaderName::from_static("overwrite"),
                HeaderValue::from_static(if over { "T" } else { "F" }),
            ),
        ];
        let (verb, none) = (method(b"MOVE"), Load::none());
        let mut pause = PAUSE;
        for tries in 1..=MOVES {
            let moved = self.sender.once(&verb, temporary, &headers, &none);
            match self.engine.wait(moved)? {
                Ok(moved) if moved.status.is_success() => return Ok(Some(Stood::Written)),
                Ok(moved) if moved.status == StatusCode::PRECONDITION_FAILED && !over => {
                    return Ok(Some(Stood::WasThere));
                }
                // Another one is writing there, or it is busy.
                Ok(moved)
                    if tries < MOVES
                        && (moved.refusal().may_pass()
                            || matches!(
                                moved.status,
                                StatusCode::LOCKED | StatusCode::CONFLICT | StatusCode::FORBIDDEN
                            )) => {}
                Ok(moved) => return Err(self.refused(&moved, "write to")),
                Err(cause) if tries < MOVES && cause.is_of_the_way() => {}
                Err(cause) => return Err(cause.told(&self.address, "write to")),
            }
            self.engine.pause(pause)?;
            pause *= 2;
            // The answer to one that was heeded may have been lost. Sent again it would make some servers remove what it
            // put there.
            if self.size(temporary)?.is_none() {
                if self.size(&target)? == Some(length) {
                    return Ok(Some(Stood::Written));
                }
                // A server that is busy with the directory may not see what lies there for a moment.
                self.engine.pause(pause)?;
                if self.size(temporary)?.is_none() {
                    let is_there = self.size(&target)? == Some(length);
                    return Ok(is_there.then_some(Stood::Written));
                }
            }
        }
        Ok(None)
    }

    /// How long the object is, if it is there.
    fn size(&self, url: &Url) -> Result<Option<u64>> {
        let answer = self.send(b"HEAD", url, &[], &Load::none(), "look at")?;
        match answer.status {
            status if status.is_success() => Ok(length_of(&answer)),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            _ => Err(self.refused(&answer, "look at")),
        }
    }

    /// Whether the object is there with these bytes.
    fn holds(&self, key: &str, bytes: &Bytes) -> Result<bool> {
        if self.size(&self.key_url(key))? != Some(bytes.len() as u64) {
            return Ok(false);
        }
        let Some(mut opened) = self.open(key, 0, None)? else {
            return Ok(false);
        };
        let same = self.engine.wait(async {
            let mut rest = bytes.clone();
            while let Some(piece) = opened.pieces.next().await {
                let piece = piece?;
                if !rest.starts_with(&piece) {
                    return Ok(false);
                }
                rest = rest.slice(piece.len()..);
            }
            Ok(rest.is_empty())
        })?;
        same.map_err(|cause: Cause| self.told(&cause))
    }

    /// Removes the object; false where there is none.
    pub fn remove(&self, key: &str) -> Result<bool> {
        let answer = self.send(
            b"DELETE",
            &self.key_url(key),
            &[],
            &Load::none(),
            "remove from",
        )?;
        match answer.status {
            status if status.is_success() => Ok(true),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(answer.tries > 1),
            _ => Err(self.refused(&answer, "remove from")),
        }
    }

    /// Makes `dir` where it is missing, and removes what killed runs left in it long ago; once, before it is written to.
    /// A server that finds no place for what is sent may hang up before all of it has come.
    fn prepare(&self, dir: &str) -> Result<()> {
        // The others wait until it is done.
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if prepared.contains(dir) {
            return Ok(());
        }
        let found = self.members(dir)?;
        if found.is_none() {
            self.make_dirs(&super::joined(&self.prefix, dir))?;
        }
        prepared.insert(dir.to_owned());
        let Some((members, Some(now))) = found else {
            return Ok(());
        };
        for (name, member) in members {
            let is_left = fsutil::is_temporary(&name)
                && !name.contains('/')
                && !member.is_dir
                && member
                    .modified
                    .is_some_and(|modified| now - modified > STALE);
            if is_left {
                let url = self.key_url(&super::joined(dir, &name));
                // It can be left for the next time.
                self.send(b"DELETE", &url, &[], &Load::none(), "remove from")?;
            }
        }
        Ok(())
    }
}

impl Ranges for Dav {
    fn open(&self, key: &str, offset: u64, etag: Option<&str>) -> Result<Option<Opened>> {
        let mut headers = Vec::new();
        if offset > 0 {
            let from = HeaderValue::from_str(&format!("bytes={offset}-"));
            headers.extend(from.map(|from| (RANGE, from)));
        }
        if let Some(etag) = etag.filter(|etag| !etag.starts_with("W/")) {
            headers.extend(HeaderValue::from_str(etag).map(|etag| (IF_MATCH, etag)));
        }
        let answer = self.send(
            b"GET",
            &self.key_url(key),
            &headers,
            &Load::none(),
            "read from",
        )?;
        // Where the answer begins, and how long all is.
        let (start, size) = match answer.status {
            StatusCode::OK => (0, length_of(&answer)),
            StatusCode::PARTIAL_CONTENT => (offset, length_of(&answer).map(|rest| rest + offset)),
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::METHOD_NOT_ALLOWED => {
                return Ok(None);
            }
            StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE => {
                return Err(self.lost(&format!("`{key}` was replaced while it was read")));
            }
            _ => return Err(self.refused(&answer, "read from")),
        };
        let now = answer.header(&ETAG).map(str::to_owned);
        if etag.is_some() && etag != now.as_deref() {
            return Err(self.lost(&format!("`{key}` was replaced while it was read")));
        }
        let size = match size {
            Some(size) => size,
            None => self.size(&self.key_url(key))?.ok_or_else(|| {
                self.told(&Cause::Unreadable(
                    "it does not say how long the object is".to_owned(),
                ))
            })?,
        };
        let body = answer.response.into_body().bytes_stream();
        let pieces = body.map(|piece| piece.map_err(|error| Cause::of(&error)));
        Ok(Some(Opened {
            size,
            etag: now,
            pieces: without_first(pieces.boxed(), offset - start),
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

fn method(name: &[u8]) -> Method {
    Method::from_bytes(name).unwrap_or_default()
}

fn length_of(answer: &Answer) -> Option<u64> {
    answer.header(&CONTENT_LENGTH)?.parse().ok()
}

/// What a server that knows no ranges sends, without what was there already.
fn without_first(pieces: Pieces, mut skipped: u64) -> Pieces {
    let rest = pieces.map(move |piece| {
        let mut piece = piece?;
        let length = usize::try_from(skipped).map_or(piece.len(), |most| most.min(piece.len()));
        skipped -= length as u64;
        Ok(piece.split_off(length))
    });
    rest.boxed()
}

/// The whole body of an answer.
async fn all_of(answer: Answer) -> Result<Bytes, Cause> {
    let mut stream = answer.response.into_body().bytes_stream();
    let mut all = Vec::new();
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| Cause::of(&error))?;
        if (all.len() + piece.len()) as u64 > MOST_LISTED {
            return Err(Cause::Unreadable("it is too long".to_owned()));
        }
        all.extend_from_slice(&piece);
    }
    Ok(all.into())
}

//! The way to a server: every request goes through here, on which the wait for one that has fallen silent ends, however
//! slowly others move, and what listings name is put so that none of it can keep the rest from being read.

use std::error::Error as StdError;
use std::fmt;
use std::fs::File;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use http_body::{Body, Frame, SizeHint};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{BackoffConfig, ClientConfigKey, ClientOptions, RetryConfig};
use tokio::time::{Sleep, sleep, timeout};

use super::listing;
use crate::fsutil;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(7);

/// How long a server may neither take nor send anything.
const SILENCE: Duration = Duration::from_secs(15);

/// How often it is looked whether anything moved.
const TICK: Duration = Duration::from_secs(1);

/// After how long a request that keeps failing is not sent again. With [`SILENCE`] that is half a minute or so.
pub(super) const PATIENCE: Duration = Duration::from_secs(22);

/// How often a server that never was reached is tried: whoever mistyped its name will not wait for [`PATIENCE`].
const FIRST_TRIES: u64 = 4;

/// How much of a body is handed on at a time, so that it can be seen to move.
const CHUNK: usize = 64 * 1024;

/// How long a page of a listing may be, bytes. Stores name a few thousand objects in one, which is a few MiB.
const MOST_LISTED: usize = 64 << 20;

/// Where clouds tell the machines in them who they are. Elsewhere nobody answers.
const METADATA_HOSTS: &[&str] = &[
    "169.254.169.254",
    "169.254.170.2",
    "metadata.google.internal",
    "metadata",
];

/// When a failed request is sent again.
pub(super) fn retrying() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(4),
            base: 3.0,
        },
        // The time decides.
        max_retries: usize::MAX,
        retry_timeout: PATIENCE,
    }
}

/// Nobody handed in credentials, and no cloud told any.
#[derive(Debug, thiserror::Error)]
#[error("no credentials were found")]
pub(super) struct NoCredentials;

/// A page of a listing is longer than [`MOST_LISTED`].
#[derive(Debug, thiserror::Error)]
#[error("it is too long")]
struct TooLong;

/// Neither side has said anything for [`SILENCE`].
#[derive(Debug, thiserror::Error)]
#[error("the server has gone silent")]
pub(super) struct Silent;

/// What all ways to one server know of each other.
#[derive(Debug, Default)]
struct Reached {
    /// Whether the server ever answered.
    ever: AtomicBool,
    /// How often it could not be reached.
    failures: AtomicU64,
}

/// Makes links for the stores of the library.
#[derive(Clone, Debug, Default)]
pub(super) struct Links(Arc<Reached>);

impl HttpConnector for Links {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let is_on = |key| {
            options
                .get_config_value(&key)
                .is_some_and(|value| value == "true")
        };
        Ok(HttpClient::new(
            self.link(is_on(ClientConfigKey::AllowHttp))
                .map_err(|error| object_store::Error::Generic {
                    store: "HTTP",
                    source: Box::new(error),
                })?,
        ))
    }
}

impl Links {
    /// A way to servers, to those without encryption only where `may_be_plain`.
    pub fn link(&self, may_be_plain: bool) -> reqwest::Result<Link> {
        // The library leaves the choice to the program. It fails where that was done before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("codex-manager/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .https_only(!may_be_plain)
            // Nobody may send credentials on to where a server points.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Link {
            client,
            reached: Arc::clone(&self.0),
        })
    }
}

/// A way to servers.
#[derive(Clone, Debug)]
pub(super) struct Link {
    client: reqwest::Client,
    reached: Arc<Reached>,
}

#[async_trait]
impl HttpService for Link {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let what = request
            .uri()
            .query()
            .filter(|_| request.method() == http::Method::GET)
            .is_some_and(listing::is_asked_for);
        let is_metadata = request
            .uri()
            .host()
            .is_some_and(|host| METADATA_HOSTS.contains(&host));
        let (parts, body) = request.into_parts();
        let sent = self.send(parts, Outgoing::Library(body)).await;
        let response = match sent {
            Err(_) if is_metadata => {
                return Err(HttpError::new(HttpErrorKind::Unknown, NoCredentials));
            }
            sent => sent?,
        };
        if is_metadata && response.status().is_client_error() {
            return Err(HttpError::new(HttpErrorKind::Unknown, NoCredentials));
        }
        if !what || !response.status().is_success() {
            return Ok(response);
        }
        let (mut parts, body) = response.into_parts();
        parts.headers.remove(http::header::CONTENT_LENGTH);
        let body = listing::harmless(&all_of(body).await?);
        Ok(HttpResponse::from_parts(parts, body.into()))
    }
}

/// Reads a page of a listing.
async fn all_of(body: HttpResponseBody) -> Result<Vec<u8>, HttpError> {
    let mut stream = body.bytes_stream();
    let mut all = Vec::new();
    while let Some(piece) = stream.next().await {
        let piece = piece?;
        if all.len() + piece.len() > MOST_LISTED {
            return Err(HttpError::new(HttpErrorKind::Decode, TooLong));
        }
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

impl Link {
    /// Sends one request, once.
    pub async fn send(
        &self,
        parts: http::request::Parts,
        body: Outgoing,
    ) -> Result<HttpResponse, HttpError> {
        let is_metadata = parts
            .uri
            .host()
            .is_some_and(|host| METADATA_HOSTS.contains(&host));
        let moved = Arc::new(AtomicU64::new(0));
        let url = reqwest::Url::parse(&parts.uri.to_string())
            .map_err(|error| HttpError::new(HttpErrorKind::Decode, error))?;
        let mut sent = reqwest::Request::new(parts.method, url);
        *sent.headers_mut() = parts.headers;
        *sent.body_mut() = Some(reqwest::Body::wrap(Sent {
            body,
            chunk: Bytes::new(),
            moved: Arc::clone(&moved),
        }));
        let limit = if is_metadata { TICK } else { SILENCE };
        let answer = answered(self.client.execute(sent), &moved, limit).await;
        let response = match answer {
            Some(answer) => answer.map_err(|error| self.failure(error)),
            None => Err(HttpError::new(HttpErrorKind::Timeout, Silent)),
        }?;
        self.reached.ever.store(true, Ordering::Relaxed);
        let (mut parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
        // A server in trouble is asked again, one that never heard of what is asked of it need not be.
        if parts.status == http::StatusCode::NOT_IMPLEMENTED {
            parts.status = http::StatusCode::METHOD_NOT_ALLOWED;
        }
        let body = HttpResponseBody::new(Answer {
            body,
            silence: None,
        });
        Ok(HttpResponse::from_parts(parts, body))
    }

    fn failure(&self, error: reqwest::Error) -> HttpError {
        let mut kind = kind_of(&error);
        if kind == HttpErrorKind::Connect {
            let failures = self.reached.failures.fetch_add(1, Ordering::Relaxed) + 1;
            let is_hopeless = !self.reached.ever.load(Ordering::Relaxed)
                && (failures >= FIRST_TRIES || is_about_trust(&error));
            if is_hopeless {
                kind = HttpErrorKind::Unknown;
            }
        }
        // An address may hold what signs it.
        HttpError::new(kind, error.without_url())
    }
}

/// Waits as long as anything moves, and for `limit` when nothing does.
async fn answered<T>(
    work: impl Future<Output = T>,
    moved: &AtomicU64,
    limit: Duration,
) -> Option<T> {
    let mut work = pin!(work);
    let mut seen = moved.load(Ordering::Relaxed);
    let mut silent = Duration::ZERO;
    while silent < limit {
        if let Ok(done) = timeout(TICK, work.as_mut()).await {
            return Some(done);
        }
        let now = moved.load(Ordering::Relaxed);
        silent = if now == seen {
            silent + TICK
        } else {
            Duration::ZERO
        };
        seen = now;
    }
    None
}

/// Whether sending it again may help.
fn kind_of(error: &reqwest::Error) -> HttpErrorKind {
    if error.is_connect() {
        return HttpErrorKind::Connect;
    }
    if error.is_timeout() {
        return HttpErrorKind::Timeout;
    }
    if error.is_builder() || error.is_decode() {
        return HttpErrorKind::Decode;
    }
    // What is left is a connection that broke.
    HttpErrorKind::Interrupted
}

/// Whether it is the certificate that is not trusted: no second try changes that.
pub(super) fn is_about_trust(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        if cause.downcast_ref::<rustls::Error>().is_some() {
            return true;
        }
        let inner = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if inner.is_some_and(|inner| inner.downcast_ref::<rustls::Error>().is_some()) {
            return true;
        }
        next = cause.source();
    }
    false
}

/// The body of a request.
pub(super) enum Outgoing {
    /// One in memory.
    Library(HttpRequestBody),
    /// A file from this place on, and how much of it.
    File(Arc<File>, u64, u64),
}

impl Outgoing {
    /// The next of it.
    fn piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, HttpError>>> {
        match self {
            Self::Library(body) => {
                let frame = std::task::ready!(Pin::new(body).poll_frame(context));
                Poll::Ready(frame.map(|frame| Ok(frame?.into_data().unwrap_or_default())))
            }
            Self::File(_, _, 0) => Poll::Ready(None),
            Self::File(file, at, left) => {
                let length = usize::try_from(*left).map_or(CHUNK, |left| left.min(CHUNK));
                let mut piece = vec![0; length];
                let read = fsutil::read_exact_at(file, &mut piece, *at);
                *at += length as u64;
                *left -= length as u64;
                let failed = |error| HttpError::new(HttpErrorKind::Unknown, error);
                Poll::Ready(Some(read.map(|()| piece.into()).map_err(failed)))
            }
        }
    }

    /// How much is left.
    fn left(&self) -> u64 {
        match self {
            Self::Library(body) => body.size_hint().exact().unwrap_or_default(),
            Self::File(_, _, left) => *left,
        }
    }
}

/// What is sent, in pieces, each of which is seen to move.
struct Sent {
    body: Outgoing,
    chunk: Bytes,
    moved: Arc<AtomicU64>,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        while self.chunk.is_empty() {
            match std::task::ready!(self.body.piece(context)) {
                Some(Ok(piece)) => self.chunk = piece,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let length = self.chunk.len().min(CHUNK);
        self.moved.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(self.chunk.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.chunk.is_empty() && self.body.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.left() + self.chunk.len() as u64)
    }
}

/// What is received: a failure once nothing has come for [`SILENCE`].
struct Answer {
    body: reqwest::Body,
    silence: Option<Pin<Box<Sleep>>>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.silence = None;
            let broken =
                |error: reqwest::Error| HttpError::new(kind_of(&error), error.without_url());
            return Poll::Ready(frame.map(|frame| frame.map_err(broken)));
        }
        let silence = self.silence.get_or_insert_with(|| Box::pin(sleep(SILENCE)));
        match silence.as_mut().poll(context) {
            Poll::Ready(()) => {
                Poll::Ready(Some(Err(HttpError::new(HttpErrorKind::Timeout, Silent))))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Answer")
    }
}

//! One request to a WebDAV server, sent again for a while where that may help.

use std::fs::File;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use object_store::client::{HttpRequestBody, HttpResponse};
use tokio::time::sleep;
use url::Url;

use crate::remote::failures::Cause;
use crate::remote::link::{Link, Outgoing, PATIENCE};

/// How long to wait before the second try; twice as long before the next, and so on.
const PAUSE: Duration = Duration::from_millis(200);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(4);

/// What is sent with a request.
#[derive(Debug)]
pub(super) enum Load {
    /// What is in memory.
    Bytes(Bytes),
    /// A file of that length.
    File(Arc<File>, u64),
}

impl Load {
    pub fn none() -> Self {
        Self::Bytes(Bytes::new())
    }

    fn outgoing(&self) -> Outgoing {
        match self {
            Self::Bytes(bytes) => Outgoing::Library(HttpRequestBody::from(bytes.clone())),
            Self::File(file, length) => Outgoing::File(Arc::clone(file), 0, *length),
        }
    }
}

/// What came of a request.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub response: HttpResponse,
    /// How often it was sent. After more than once nobody knows whether an earlier one was heeded.
    pub tries: u32,
}

impl Answer {
    /// The cause of a failure that a status means.
    pub fn refusal(&self) -> Cause {
        Cause::Refused(self.status.as_u16(), None)
    }

    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }
}

/// Sends requests to one server.
#[derive(Debug)]
pub(super) struct Sender {
    pub link: Link,
    /// The login, as the server wants it. Never shown.
    pub login: Option<HeaderValue>,
}

impl Sender {
    /// Sends a request, and again while it is failing in a way that may pass. A status of any other kind is an answer.
    pub async fn send(
        &self,
        method: &Method,
        url: &Url,
        headers: &[(HeaderName, HeaderValue)],
        load: &Load,
    ) -> Result<Answer, Cause> {
        let mut patience = pin!(sleep(PATIENCE));
        let mut pause = PAUSE;
        let mut tries = 0;
        loop {
            tries += 1;
            let cause = match self.once(method, url, headers, load).await {
                Ok(mut answer) => {
                    answer.tries = tries;
                    // A full store does not empty itself.
                    let is_full = answer.status == StatusCode::INSUFFICIENT_STORAGE;
                    if !answer.refusal().may_pass() || is_full {
                        return Ok(answer);
                    }
                    answer.refusal()
                }
                Err(cause) if cause.is_of_the_way() => cause,
                Err(cause) => return Err(cause),
            };
            // Without a clock: the time is up when this one has ended.
            let is_over = futures_util::poll!(patience.as_mut()).is_ready();
            if is_over {
                return Err(cause);
            }
            sleep(jittered(pause)).await;
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// Sends a request that may do harm when it is sent again.
    pub async fn once(
        &self,
        method: &Method,
        url: &Url,
        headers: &[(HeaderName, HeaderValue)],
        load: &Load,
    ) -> Result<Answer, Cause> {
        let parts = self.parts(method, url, headers)?;
        let response = self.link.send(parts, load.outgoing()).await;
        let response = response.map_err(|error| Cause::of(&error))?;
        Ok(Answer {
            status: response.status(),
            response,
            tries: 1,
        })
    }

    fn parts(
        &self,
        method: &Method,
        url: &Url,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<Parts, Cause> {
        let unusable = |error: http::Error| Cause::Unreadable(error.to_string());
        let request = http::Request::builder()
            .method(method.clone())
            .uri(url.as_str());
        let (mut parts, ()) = request.body(()).map_err(unusable)?.into_parts();
        let mut all = HeaderMap::new();
        all.extend(headers.iter().cloned());
        all.extend(self.login.clone().map(|login| (AUTHORIZATION, login)));
        parts.headers = all;
        Ok(parts)
    }
}

/// A half to one and a half times as long, so that many do not come back at once.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without chance it is just as long.
    let part = getrandom::fill(&mut byte).map_or(128, |()| u32::from(byte[0]));
    pause / 2 + pause * part / 256
}

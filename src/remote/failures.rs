//! Why a store did not do what was asked of it, in one line, with what to do about it. What a server says is never shown
//! but for a code of its own: it may repeat what was sent.

use std::error::Error as StdError;
use std::io;

use object_store::client::{HttpError, HttpErrorKind};

use super::address::Address;
use super::link::{NoCredentials, Silent, is_about_trust};
use crate::error::{self, Error, Kind};

/// What went wrong, as far as it decides what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// There are no credentials.
    NoCredentials,
    /// The server could not be reached; why.
    Unreachable(String),
    /// The same for the moment.
    Away(String),
    /// It is not trusted to be the server it says it is.
    Untrusted,
    /// It said nothing for too long.
    Silent,
    /// The connection broke.
    Broken,
    /// It answered with a failure: its status, and its own word for it.
    Refused(u16, Option<String>),
    /// It answered what cannot be read; why.
    Unreadable(String),
}

impl Cause {
    /// Reads it off an error of the library.
    pub fn of(error: &(dyn StdError + 'static)) -> Self {
        let mut chain = Vec::new();
        let mut next = Some(error);
        while let Some(cause) = next {
            chain.push(cause);
            next = cause.source();
        }
        if chain.iter().any(|cause| cause.is::<NoCredentials>()) {
            return Self::NoCredentials;
        }
        if chain.iter().any(|cause| cause.is::<Silent>()) {
            return Self::Silent;
        }
        let text = error.to_string();
        if let Some(status) = status_in(&text) {
            return Self::Refused(status, code_in(&text));
        }
        if is_about_trust(error) {
            return Self::Untrusted;
        }
        let kind = chain
            .iter()
            .find_map(|cause| cause.downcast_ref::<HttpError>())
            .map(HttpError::kind);
        let system = chain
            .iter()
            .find_map(|cause| cause.downcast_ref::<io::Error>());
        let connects = chain
            .iter()
            .find_map(|cause| cause.downcast_ref::<reqwest::Error>())
            .is_some_and(reqwest::Error::is_connect);
        match kind {
            Some(HttpErrorKind::Connect) => Self::Away(system_words(system, &chain)),
            _ if connects => Self::Unreachable(system_words(system, &chain)),
            Some(HttpErrorKind::Timeout) => Self::Silent,
            Some(HttpErrorKind::Request | HttpErrorKind::Interrupted) => Self::Broken,
            _ if text.contains("redirect without LOCATION") => Self::Refused(301, None),
            _ => Self::Unreadable(one_line(&innermost(&chain))),
        }
    }

    /// Whether it went wrong on the way, where it may go better the next time.
    pub fn is_of_the_way(&self) -> bool {
        matches!(self, Self::Silent | Self::Broken | Self::Away(_))
    }

    /// Whether doing it again may help.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Silent | Self::Broken | Self::Away(_) => true,
            Self::Refused(status, _) => *status >= 500 || *status == 429 || *status == 408,
            _ => false,
        }
    }

    /// The failure of `doing` something at `address`.
    pub fn told(&self, address: &Address, doing: &str) -> Error {
        let credentials = address.credentials();
        let (why, hint) = match self {
            Self::NoCredentials => ("there are no credentials for it".to_owned(), credentials.to_owned()),
            Self::Unreachable(why) | Self::Away(why) => (
                format!("the store cannot be reached: {why}"),
                "check the network, the address and, for an S3 store that is not Amazon's, `sync.endpoint`; then run the \
                 command again"
                    .to_owned(),
            ),
            Self::Untrusted => (
                "the server's certificate is not trusted".to_owned(),
                "check the address; a certificate authority of your own belongs among the system's (or name its file with \
                 SSL_CERT_FILE)"
                    .to_owned(),
            ),
            Self::Silent => (
                "the store has gone silent".to_owned(),
                "what was finished stays; run the command again when the network is up".to_owned(),
            ),
            Self::Broken => (
                "the connection was cut again and again".to_owned(),
                "what was finished stays; run the command again when the network is up".to_owned(),
            ),
            Self::Refused(status, code) => return refused(*status, code.as_deref(), address, doing),
            Self::Unreadable(why) => (
                format!("its answer cannot be read: {why}"),
                "check that the address is that of such a store".to_owned(),
            ),
        };
        failure(address, doing, &why, hint)
    }
}

fn refused(status: u16, code: Option<&str>, address: &Address, doing: &str) -> Error {
    let says = match code {
        Some(code) => format!("{status} {code}"),
        None => status.to_string(),
    };
    let credentials = address.credentials();
    let (why, hint) = match (status, code) {
        (_, Some("NoSuchBucket" | "ContainerNotFound" | "InvalidBucketName")) => (
            format!("there is no such bucket ({says})"),
            "make it with the provider's own tools, or mend the address".to_owned(),
        ),
        (_, Some("RequestTimeTooSkewed")) => (
            format!("this machine's clock is not the store's ({says})"),
            "set the clock, then run the command again".to_owned(),
        ),
        (_, Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException"))
        | (300..=399, _) => (
            format!("the store is elsewhere, or in another region ({says})"),
            "mend the address, or say where it is with `codex-manager config set sync.region REGION` and `codex-manager config set sync.endpoint ADDRESS`".to_owned(),
        ),
        (_, Some("SlowDown" | "TooManyRequests" | "RequestLimitExceeded" | "ServerBusy")) | (429, _) => (
            format!("the store is too busy ({says})"),
            "wait a while and run the command again, or lower `sync.concurrency`".to_owned(),
        ),
        (401 | 403, _) => (
            format!("the store refuses: the credentials are wrong, or may not do this ({says})"),
            credentials.to_owned(),
        ),
        (404, _) => (
            format!("nothing is there ({says})"),
            "check the address for a typing mistake".to_owned(),
        ),
        (413 | 507, _) => (
            format!("the store is full, or takes no file of that size ({says})"),
            "free some space there, then run the command again".to_owned(),
        ),
        (500.., _) => (
            format!("the store is in trouble ({says})"),
            "what was finished stays; run the command again later".to_owned(),
        ),
        _ => (
            format!("the store refuses ({says})"),
            "check that the address is that of such a store".to_owned(),
        ),
    };
    failure(address, doing, &why, hint)
}

/// One failure of a store.
pub(super) fn failure(address: &Address, doing: &str, why: &str, hint: impl Into<String>) -> Error {
    Error::new(
        Kind::Remote,
        format!("cannot {doing} `{address}`: {why}"),
        hint,
    )
}

/// Others write what was to be written, again and again.
pub(super) fn contested(address: &Address, key: &str) -> Error {
    let why = format!("`{key}` is being written by others");
    failure(address, "write to", &why, "run the command again")
}

/// The system's words for why a server is not reached, or the library's.
fn system_words(system: Option<&io::Error>, chain: &[&(dyn StdError + 'static)]) -> String {
    match system {
        Some(error) => one_line(&error::describe(error)),
        None => one_line(&innermost(chain)),
    }
}

fn innermost(chain: &[&(dyn StdError + 'static)]) -> String {
    chain.last().map(ToString::to_string).unwrap_or_default()
}

/// Text of others as a part of a line, of a length that can be read.
fn one_line(text: &str) -> String {
    const MOST: usize = 160;
    let clean = |letter: char| if letter.is_control() { ' ' } else { letter };
    let text: String = text.chars().map(clean).collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(letters).take(MOST).collect()
}

/// The status that an error of the library tells.
fn status_in(text: &str) -> Option<u16> {
    let after = ["non-2xx status code: ", "Server returned error response: "]
        .iter()
        .find_map(|mark| text.split_once(mark))?
        .1;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    // An answer that went well but for what it says.
    Some(digits.parse().unwrap_or(503))
}

/// The store's own word in an answer of XML: `<Code>NoSuchBucket</Code>`.
fn code_in(text: &str) -> Option<String> {
    let (code, _) = text.split_once("<Code>")?.1.split_once("</Code>")?;
    let is_word =
        (1..=60).contains(&code.len()) && code.chars().all(|letter| letter.is_ascii_alphanumeric());
    is_word.then(|| code.to_owned())
}

/// The failure that a reader or a writer of this module wraps; any other is told as one of `otherwise`.
pub fn of_io(error: io::Error, otherwise: impl FnOnce(io::Error) -> Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => otherwise(error),
    }
}

#[cfg(test)]
mod tests;

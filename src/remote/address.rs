//! Where a store is: its kind, its bucket or host, and the prefix below which all of ours lies.

use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use url::Url;

use crate::error::{Error, Kind, Result};

/// The kinds of addresses, for whoever typed none of them.
const KINDS: &str = "name a folder (`/media/stick/codex`, `file:///media/stick/codex`), `s3://BUCKET/PREFIX`, \
     `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX`, or `https://HOST/PATH` for WebDAV";

/// The address of a store, checked. Shown, it is what can be typed again; it never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket of a store that speaks one of the providers' protocols.
    Bucket {
        /// Whose protocol.
        provider: Provider,
        /// The bucket, or container.
        bucket: String,
        /// Without a slash at either end; empty for the whole bucket.
        prefix: String,
    },
    /// A WebDAV server.
    Dav {
        /// The server, without any path.
        server: Url,
        /// As for a bucket, decoded.
        prefix: String,
    },
}

/// Whose protocol a bucket's store speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Amazon's, and that of many others.
    S3,
    /// Google's.
    Gcs,
    /// Microsoft's.
    Azure,
}

impl Provider {
    fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "az",
        }
    }

    /// Where its credentials belong.
    pub(super) fn credentials(self) -> &'static str {
        match self {
            Self::S3 => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them to ~/.aws/credentials \
                 (AWS_PROFILE chooses among several)"
            }
            Self::Gcs => {
                "set GOOGLE_APPLICATION_CREDENTIALS to a key file, or run `gcloud auth application-default login`"
            }
            Self::Azure => {
                "set AZURE_STORAGE_ACCOUNT_NAME, and AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN"
            }
        }
    }
}

/// Where the credentials of a WebDAV server belong.
pub(super) const DAV_CREDENTIALS: &str = "set CODEX_MANAGER_WEBDAV_USER and CODEX_MANAGER_WEBDAV_PASSWORD, or write a line \
     `machine HOST login USER password PASSWORD` to ~/.netrc";

impl Address {
    /// Reads what was typed; `absolute` makes a folder's path absolute. Fails as `Usage`.
    pub fn parse(text: &str, absolute: &dyn Fn(&Path) -> Result<PathBuf>) -> Result<Self> {
        let text = text.trim();
        if let Some((scheme, rest)) = text.split_once("://") {
            return match scheme.to_ascii_lowercase().as_str() {
                "s3" => bucket(Provider::S3, rest),
                "gs" => bucket(Provider::Gcs, rest),
                "az" => bucket(Provider::Azure, rest),
                "http" | "https" => dav(text),
                "file" => folder(rest, absolute),
                _ => Err(unusable(text, "no store is reached that way", KINDS)),
            };
        }
        let path = Path::new(text);
        if text == "~" || path.is_absolute() || path.starts_with("~") {
            return of_folder(text, tidy(&absolute(path)?));
        }
        Err(unusable(
            text,
            "it is neither a store's address nor a whole path",
            KINDS,
        ))
    }

    /// Where the credentials for it belong.
    pub(super) fn credentials(&self) -> &'static str {
        match self {
            Self::Folder(_) => "see who may use it with `ls -ld`",
            Self::Bucket { provider, .. } => provider.credentials(),
            Self::Dav { .. } => DAV_CREDENTIALS,
        }
    }
}

/// A folder; the root of a file system is nobody's to fill.
fn of_folder(text: &str, path: PathBuf) -> Result<Address> {
    if path.parent().is_none() {
        return Err(unusable(
            text,
            "it is the root of the file system",
            "name a folder of its own",
        ));
    }
    Ok(Address::Folder(path))
}

fn unusable(text: &str, why: &str, hint: &str) -> Error {
    let message = format!("the remote `{}` cannot be used: {why}", without_user(text));
    Error::new(Kind::Usage, message, hint)
}

/// What was typed without what may be a password in it, and without what a terminal would act on.
fn without_user(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|letter| if letter.is_control() { '?' } else { letter })
        .collect();
    let Some((scheme, rest)) = text.split_once("://") else {
        return text;
    };
    let (authority, path) = match rest.find('/') {
        Some(end) => rest.split_at(end),
        None => (rest, ""),
    };
    // A password may hold a slash that nobody escaped.
    let (authority, path) = match (authority.rsplit_once('@'), path.rsplit_once('@')) {
        (_, Some((_, after))) if authority.contains(':') => (after, ""),
        (Some((_, host)), _) => (host, path),
        (None, _) => (authority, path),
    };
    format!("{scheme}://{authority}{path}")
}

fn bucket(provider: Provider, rest: &str) -> Result<Address> {
    let text = format!("{}://{rest}", provider.scheme());
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.contains('@') || bucket.contains(':') {
        let why = "what stands before the first `/` is no bucket; credentials and servers do not belong in an address";
        let hint = match provider {
            Provider::S3 => format!(
                "{}; a server of its own goes to `codex-manager config set sync.endpoint ADDRESS`",
                provider.credentials()
            ),
            _ => provider.credentials().to_owned(),
        };
        return Err(unusable(&text, why, &hint));
    }
    if bucket.is_empty() {
        let hint = format!("write `{}://BUCKET/PREFIX`", provider.scheme());
        return Err(unusable(&text, "the bucket is missing", &hint));
    }
    // `$root` and `$web` are containers of Azure.
    let is_of_a_bucket = |letter: char| letter.is_ascii_alphanumeric() || "-_.$".contains(letter);
    if !bucket.chars().all(is_of_a_bucket) || bucket.trim_matches('.').is_empty() {
        let hint = "a bucket's name has letters, digits, `-`, `_` and `.` only";
        return Err(unusable(
            &text,
            &format!("`{}` is no bucket's name", without_user(bucket)),
            hint,
        ));
    }
    Ok(Address::Bucket {
        provider,
        bucket: bucket.to_owned(),
        prefix: checked_prefix(&text, prefix)?,
    })
}

/// The prefix without slashes at its ends. One that stores take in different ways is refused.
fn checked_prefix(text: &str, prefix: &str) -> Result<String> {
    let prefix = prefix.trim_matches('/');
    if prefix.is_empty() {
        return Ok(String::new());
    }
    if let Some(letter) = prefix.chars().find(|letter| "?#\\".contains(*letter)) {
        let why = format!("its path holds `{letter}`");
        return Err(unusable(text, &why, "leave it out of the prefix"));
    }
    if prefix.chars().any(char::is_control) {
        let hint = "leave it out of the prefix";
        return Err(unusable(text, "its path holds a control character", hint));
    }
    match prefix.split('/').find(|part| is_no_name(part)) {
        Some("") => Err(unusable(
            text,
            "a part of its path is empty",
            "write one `/` between two parts",
        )),
        Some(part) => {
            let why = format!("a part of its path is `{part}`");
            Err(unusable(text, &why, "write where it leads to"))
        }
        None => Ok(prefix.to_owned()),
    }
}

/// Whether no object's path may have such a part.
pub(super) fn is_no_name(part: &str) -> bool {
    part.is_empty() || part == "." || part == ".."
}

fn dav(text: &str) -> Result<Address> {
    let broken = |why: &str| unusable(text, why, "write `https://HOST/PATH`");
    let mut url = Url::parse(text).map_err(|error| broken(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        let why = "credentials do not belong in an address";
        return Err(unusable(text, why, DAV_CREDENTIALS));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(broken("the host is missing"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(broken("it goes on after the path"));
    }
    // The reader of addresses has resolved any `..` by now, which nobody means.
    let after = text.split_once("://").map_or("", |(_, after)| after);
    let typed = after.split_once('/').map_or("", |(_, path)| path);
    let typed = percent_decode_str(typed).decode_utf8();
    let prefix = typed.map_err(|_| broken("its path is no text"))?;
    let prefix = checked_prefix(text, &prefix)?;
    url.set_path("/");
    Ok(Address::Dav {
        server: url,
        prefix,
    })
}

fn folder(rest: &str, absolute: &dyn Fn(&Path) -> Result<PathBuf>) -> Result<Address> {
    let text = format!("file://{rest}");
    let hint = "write `file:///folder`, with three slashes";
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    if !rest.starts_with('/') {
        return Err(unusable(&text, "it is no whole path", hint));
    }
    let path = percent_decode_str(rest).decode_utf8();
    let path = path.map_err(|_| unusable(&text, "its path is no text", hint))?;
    if path.contains('\0') {
        return Err(unusable(&text, "its path holds a control character", hint));
    }
    #[cfg(windows)]
    let path = path.trim_start_matches('/');
    of_folder(&text, tidy(&absolute(Path::new(&*path))?))
}

/// The path without `.`, doubled slashes and the one at its end.
fn tidy(path: &Path) -> PathBuf {
    path.components().collect()
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => {
                let path = path.display().to_string().replace('\\', "/");
                let root = if path.starts_with('/') { "" } else { "/" };
                write!(out, "file://{root}{}", path.replace('%', "%25"))
            }
            Self::Bucket {
                provider,
                bucket,
                prefix,
            } => {
                write!(out, "{}://{bucket}", provider.scheme())?;
                if !prefix.is_empty() {
                    write!(out, "/{prefix}")?;
                }
                Ok(())
            }
            Self::Dav { server, prefix } => {
                let prefix = prefix.replace('%', "%25");
                write!(out, "{}", format!("{server}{prefix}").trim_end_matches('/'))
            }
        }
    }
}

#[cfg(test)]
mod tests;

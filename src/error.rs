//! Every failure a person can act on: what failed, on which path, what to do next, and the exit code.
//!
//! Rules, kept by all who make an [`Error`]: lower case, no full stop, paths and commands in backticks, never a
//! token. `message` says what failed; `hint` says what to do. A failure without a next step is a bug.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is: one exit code and one word under `--json` each.
///
/// Source: CODEX_MANAGER_SPEC.md, "Exit codes".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything without a code of its own: a disk error, a broken configuration.
    Other,
    /// The command line cannot be understood.
    Usage,
    /// No such backup or account.
    NotFound,
    /// Another codex-manager holds the lock, or Codex is open on the home.
    Locked,
    /// The status, the login or the archive belongs to another account.
    AccountMismatch,
    /// An archive or its sidecar is damaged or unsafe.
    ArchiveDamaged,
    /// No source could tell the account's weekly window.
    NoStatus,
    /// No key at hand opens it, or what is encrypted was changed.
    Undecryptable,
    /// The remote store cannot be reached, or refuses.
    Remote,
    /// Ended by Ctrl-C or a termination signal.
    Interrupted,
}

impl Kind {
    /// The process's exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Other => 1,
            Self::Usage => 2,
            Self::NotFound => 10,
            Self::Locked => 11,
            Self::AccountMismatch => 12,
            Self::ArchiveDamaged => 13,
            Self::NoStatus => 14,
            Self::Undecryptable => 15,
            Self::Remote => 16,
            Self::Interrupted => 130,
        }
    }

    /// The word in `{"error":{"kind":…}}`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Usage => "usage",
            Self::NotFound => "not-found",
            Self::Locked => "locked",
            Self::AccountMismatch => "account-mismatch",
            Self::ArchiveDamaged => "archive-damaged",
            Self::NoStatus => "no-status",
            Self::Undecryptable => "cannot-decrypt",
            Self::Remote => "remote",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One failure, with the cause a person needs and the next step.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: Kind,
    message: String,
    hint: String,
    #[source]
    cause: Option<io::Error>,
}

impl Error {
    /// A failure of `kind`; `hint` is the next step.
    pub fn new(kind: Kind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: hint.into(),
            cause: None,
        }
    }

    /// A failure without a code of its own.
    pub fn other(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Kind::Other, message, hint)
    }

    /// The system refused to `verb` (read, write, create…) `path`.
    pub fn io(verb: impl Display, path: &Path, cause: io::Error) -> Self {
        let hint = match cause.kind() {
            io::ErrorKind::PermissionDenied => {
                // What is not there itself is refused by what it would be in.
                let is_there = |path: &&Path| path.symlink_metadata().is_ok();
                let there = path.ancestors().find(is_there).unwrap_or(path);
                let path = there.display().to_string();
                format!("see who may use it: `ls -ld {}`", shell_words::quote(&path))
            }
            io::ErrorKind::NotFound => "check the path for a typing mistake".to_owned(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free some space on that file system and run the command again; nothing was changed"
                    .to_owned()
            }
            io::ErrorKind::ReadOnlyFilesystem => "choose a place that can be written".to_owned(),
            io::ErrorKind::CrossesDevices => {
                "what is of a container's image, or on another file system, cannot be moved: put a copy in its place \
                 (`cp -a`), and run the command again"
                    .to_owned()
            }
            io::ErrorKind::NotADirectory => {
                "a part of that path is a file; name a directory".to_owned()
            }
            io::ErrorKind::IsADirectory => "name a file, not a directory".to_owned(),
            _ => "the system's own message says why; mend it and run the command again".to_owned(),
        };
        Self {
            kind: Kind::Other,
            message: format!("cannot {verb} `{}`: {}", path.display(), describe(&cause)),
            hint,
            cause: Some(cause),
        }
    }

    /// What a reader or a writer failed with: a failure of ours that it carries, as it is; else the system's, who was to
    /// `verb` `path`.
    pub fn carried(verb: impl Display, path: &Path, error: io::Error) -> Self {
        error
            .downcast::<Self>()
            .unwrap_or_else(|error| Self::io(verb, path, error))
    }

    /// The same failure with a better next step.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: hint.into(),
            ..self
        }
    }

    /// Ended by a signal.
    pub fn interrupted() -> Self {
        let hint =
            "what was finished stays, what was not is gone; run the command again when it suits";
        Self::new(Kind::Interrupted, "interrupted", hint)
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What to do next.
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// The system's error, where one is the cause.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        self.cause.as_ref().map(io::Error::kind)
    }
}

impl From<anyhow::Error> for Error {
    /// Library failures that no user input causes; the chain is told in one line.
    fn from(error: anyhow::Error) -> Self {
        Self::other(
            format!("{error:#}"),
            "this should not happen; run again with `--verbose` and report it",
        )
    }
}

impl From<Error> for io::Error {
    /// For readers and writers; [`Error::carried`] takes it out again.
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

/// The system's message in lower case, without its number where the words say it all.
pub fn describe(cause: &io::Error) -> String {
    let text = cause.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    // Windows ends its messages as sentences.
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => "unknown error".to_owned(),
    }
}

/// How a command that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All was done.
    Done,
    /// Some items failed; each was named.
    Partial,
    /// No account is usable now.
    NoneUsable,
    /// A signal ended what goes on until it is ended.
    Left,
    /// Something that was looked at is not as it should be; each was named.
    Unwell,
}

impl Outcome {
    /// The same; where all was done, what came of what was done `before`.
    pub fn after(self, before: Self) -> Self {
        if self == Self::Done { before } else { self }
    }

    /// The process's exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Partial => 3,
            Self::NoneUsable => 4,
            Self::Left => Kind::Interrupted.exit_code(),
            Self::Unwell => 1,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.exit_code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_io_error_names_its_path_in_lower_case_with_a_next_step() {
        let error = Error::io("read", Path::new("/x/y"), io::Error::from_raw_os_error(2));
        #[cfg(unix)]
        assert_eq!(
            error.to_string(),
            "cannot read `/x/y`: no such file or directory"
        );
        #[cfg(windows)]
        assert!(
            error.to_string().starts_with("cannot read `/x/y`: ")
                && !error.to_string().ends_with('.')
        );
        assert_eq!(error.hint(), "check the path for a typing mistake");
    }

    #[test]
    fn every_kind_has_its_own_code_and_word() {
        let kinds = [
            Kind::Other,
            Kind::Usage,
            Kind::NotFound,
            Kind::Locked,
            Kind::AccountMismatch,
            Kind::ArchiveDamaged,
            Kind::NoStatus,
            Kind::Interrupted,
        ];
        let codes: std::collections::BTreeSet<u8> =
            kinds.iter().map(|kind| kind.exit_code()).collect();
        let words: std::collections::BTreeSet<&str> =
            kinds.iter().map(|kind| kind.word()).collect();
        assert_eq!((codes.len(), words.len()), (kinds.len(), kinds.len()));
    }
}

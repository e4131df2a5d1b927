//! The archive file itself: an ordinary `.tar.gz`. Knows entries, not Codex.

pub mod entry_name;
pub mod read;
pub mod write;

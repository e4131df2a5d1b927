//! The archive file itself: an ordinary `.tar.gz`. Knows entries, not Codex.

pub mod entry_name;
pub mod file_hash;
pub mod known;
pub mod limits;
pub mod manifest;
pub mod member;
pub mod ordered;
pub mod read;
pub mod reuse;
pub mod write;

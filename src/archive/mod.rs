//! The archive file itself: an ordinary `.tar.gz`. Knows entries, not Codex.

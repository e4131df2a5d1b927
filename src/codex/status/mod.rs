//! An account's weekly window as Codex itself tells it.

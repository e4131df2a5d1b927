//! The integration tests: one binary, one module a command, the built program run as a user runs it.

// A test that cannot set up its world should stop right there.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod backup;
mod common;
mod crash;
mod locks;
mod recovery;
mod restore;
mod smoke;
mod tarball;
#[cfg(unix)]
mod unprivileged;

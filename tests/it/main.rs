//! The integration tests: one binary, one module a command, the built program run as a user runs it.

mod common;
mod smoke;

//! The only place that knows Codex's files and what Codex prints.

pub mod auth;
pub mod auth_file;
pub mod family;
pub mod home;
pub mod login;
pub mod parts;
pub mod presence;
pub mod private;
pub mod process;
pub mod program;
pub mod redact;
pub mod running;
pub mod state;
pub mod status;

//! The integration tests: one binary, one module a command, the built program run as a user runs it.

// A test that cannot set up its world should stop right there.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[cfg(unix)]
mod as_printed;
mod at_once;
mod backup;
#[cfg(unix)]
mod browser;
#[cfg(unix)]
mod capture;
mod changes;
#[cfg(unix)]
mod chatgpt;
#[cfg(unix)]
mod codex_state;
mod common;
#[cfg(unix)]
mod compat;
#[cfg(unix)]
mod completions;
mod config;
#[cfg(unix)]
mod confirm;
mod cooldown;
mod crash;
mod credentials;
mod databases;
#[cfg(unix)]
mod doctor;
#[cfg(unix)]
mod doctor_fix;
#[cfg(unix)]
mod doctor_live;
mod engine;
mod export;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod faults;
mod help;
mod hostile;
mod import;
mod last_use;
mod layers;
mod left_alone;
#[cfg(unix)]
mod leftovers;
mod list_backups;
#[cfg(unix)]
mod live;
mod locks;
#[cfg(unix)]
mod loopback;
#[cfg(unix)]
mod man;
mod mended;
mod mended_accounts;
#[cfg(unix)]
mod mended_live;
#[cfg(unix)]
mod misbehaving;
#[cfg(unix)]
mod mounts;
#[cfg(unix)]
mod newcomer;
mod normalize;
#[cfg(unix)]
mod overview;
#[cfg(unix)]
mod page;
mod parts;
#[cfg(unix)]
mod picker;
mod prefixes;
#[cfg(unix)]
mod probe;
mod profile;
#[cfg(unix)]
mod profile_login;
mod progress;
mod prune;
#[cfg(unix)]
mod pty;
#[cfg(unix)]
mod readme;
#[cfg(unix)]
mod real_codex;
#[cfg(unix)]
mod recipes;
#[cfg(unix)]
mod recipes_codex;
#[cfg(unix)]
mod recipes_nightly;
#[cfg(target_os = "linux")]
mod recipes_shells;
mod recommend;
mod recovery;
#[cfg(unix)]
mod release;
#[cfg(unix)]
mod remote;
mod restore;
mod rollout;
#[cfg(unix)]
mod rotation;
#[cfg(unix)]
mod running;
#[cfg(unix)]
mod scripted;
#[cfg(unix)]
mod servers;
#[cfg(unix)]
mod shells;
mod smoke;
mod status;
mod status_line;
#[cfg(unix)]
mod switching;
mod sync;
mod sync_at_once;
#[cfg(unix)]
mod sync_full;
mod sync_stores;
mod sync_strangers;
#[cfg(unix)]
mod tables;
#[cfg(unix)]
mod tables_live;
mod tarball;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod timeline;
#[cfg(unix)]
mod tty;
#[cfg(unix)]
mod unprivileged;
mod use_account;
#[cfg(unix)]
mod waiting;
mod words;
mod worlds;

//! One module a command; none uses another.

pub mod backup;
pub mod completions;
pub mod config;
pub mod cooldown;
pub mod doctor;
pub mod list_backups;
pub mod man;
pub mod normalize;
pub mod overview;
pub mod profile;
pub mod prune;
pub mod recommend;
pub mod restore;
pub mod status;
pub mod sync;
pub mod use_account;

//! wip
mod archive;
mod codex;
mod error;
mod fsutil;
mod inventory;
mod legacy;
mod lock;
mod metadata;
mod observation;
mod profiles;
mod registry;
mod settings;
mod timeutil;
mod ui;
fn main() {}

//! wip
mod archive;
mod codex;
mod error;
mod fsutil;
mod inventory;
mod legacy;
mod metadata;
mod observation;
mod registry;
mod timeutil;
fn main() {}

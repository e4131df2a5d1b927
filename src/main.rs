//! wip
mod archive;
mod codex;
mod error;
mod fsutil;
mod metadata;
mod timeutil;
fn main() {}

//! What `restore` and `use` share: whether the Codex home may be changed now, which login is the one to install, and
//! keeping what is replaced; whom a name means.

pub mod freshest;
pub mod in_use;
pub mod login;
pub mod safety;
pub mod switch;
pub mod target;

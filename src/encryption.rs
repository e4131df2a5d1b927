//! What leaves the machine is encrypted in the age format, to keys or by a passphrase: the standard `age` program opens
//! it too.
//!
//! Knows nothing of snapshots or stores.

mod below;
mod identities;
mod identity_file;
pub mod passphrase;
mod recipients;
mod secret_file;
#[cfg(test)]
mod tests;

pub use age::secrecy::SecretString;
pub use identities::Identities;
pub use identity_file::{IdentityFile, Protection};
pub use recipients::Recipients;

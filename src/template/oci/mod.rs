//! Templates in OCI registries, the same that container images lie in: `push` and `pull`, by digest.
//!
//! ```text
//!   template --chunk--> blobs, zstd     \
//!   record of it -----> description      > manifest --signature--> artifact that refers to it
//!                                       /
//!   push: client --repository--> HEAD blob, POST and PUT what is missing, PUT manifest, tags last
//!   pull: GET manifest, signature, description; GET the chunks that are not here; prove; name
//! ```
//!
//! Nothing that a registry says is believed: every answer has a limit, every blob is held against its digest before and
//! after it is decompressed, names and texts are checked, and memory does not depend on what a manifest claims.
//! `docs/registry.md` has the format.

mod access;
mod auth_file;
mod chunk;
mod client;
mod contents;
mod document;
mod error;
mod host;
mod partial;
mod pull;
mod push;
mod reached;
mod reference;
mod repository;
mod signature;
mod token;
mod workers;

pub use access::{Access, Credentials};
pub use auth_file::{AuthFile, StoredCredentials};
pub use error::OciError;
pub use pull::{PullOrder, Pulled};
pub use push::{PushOrder, Pushed};
pub use reference::{Reference, ReferenceError};
pub use signature::{KeyTexts, PublicKey, SigningKey};
pub use ureq::Proxy as HttpProxy;

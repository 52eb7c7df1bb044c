//! The template store: the file systems that machines start from, found by name, imported and built.
//!
//! ```text
//!   store/                                   find("debian-12.ext3") = the newest version, or a bare file
//!     debian-12-V1.0.ext3    read-only
//!     debian-12-V1.1.ext3    read-only
//!     ubuntu-server.ext3     put there by hand: needs no entry
//!     templates.toml         what is known of them: digest, type, origin, message
//!     templates.lock         held by whoever changes the store
//!     grown/                 copies that have another length, which projects share
//!     hashes/                hashes of templates' bytes, for the next bake
//!     pulls/                 what is on its way from a registry, or was cut off
//! ```

mod apt;
mod build;
mod copy;
mod debian;
mod definition;
mod error;
mod grown;
mod hashes;
mod import;
mod import_tree;
mod name;
mod oci;
mod opened;
mod pack;
mod probe;
mod registry;
mod rootfs;
mod skeleton;
mod store;
mod times;
mod tools;

pub use build::BuildOrder;
pub use definition::{
    DebianDefinition, DebianVariant, Definition, DefinitionContent, PlacedFile, PlacedLink, definitions,
};
pub use error::TemplateError;
pub use grown::{GrownCopies, GrownCopy, NewCopy};
pub use import::{ImportOrder, default_name};
pub use import_tree::TreeOrder;
pub use name::{NameError, TemplateName, TemplateType, Version};
pub use oci::{
    Access, AuthFile, Credentials, HttpProxy, KeyTexts, OciError, PublicKey, PullOrder, Pulled, PushOrder,
    Pushed, Reference, ReferenceError, SigningKey, StoredCredentials,
};
pub use opened::Template;
pub use probe::FileSystem;
pub use registry::{Entry, Lineage, PulledFrom, Source};
pub use rootfs::{RootfsError, TreeSource};
pub use skeleton::SkeletonDefinition;
pub use store::{Listed, Removed, State, Store};
pub use tools::BuildHost;

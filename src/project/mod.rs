//! From the syntax tree to the project: what is meant, with every default filled in and every value checked.
//!
//! ```text
//!  file --include--> nodes, one by one --blocks--> blocks by name --variable, inherit--> what holds in each block
//!       --keywords, check--> faults          --hosts, host, accounts--> Project
//! ```
//!
//! A project may have tens of thousands of hosts. What is held of each is what its own block says, as bytes
//! (`host_blocks`); what holds in it, and what the model says of it, is made when it is asked for, and dropped.
//!
//! [`load()`] runs the stages; every fault is collected on the way, so that one run tells all of them. What each keyword
//! is stands in [`schema`], as data.

mod accounts;
mod blocks;
mod canonical;
mod check;
mod classes;
mod disks;
mod draft;
mod extension;
mod facts;
pub mod graph;
mod hooks;
mod host;
mod host_blocks;
mod hosts;
mod image_format;
mod include;
mod inherit;
mod interfaces;
mod keyword_table;
mod keywords;
mod load;
mod loader;
mod mac;
mod merge;
pub mod model;
mod model_guest;
mod model_network;
mod natural;
mod origins;
mod packed;
mod password;
mod path;
mod problem;
pub mod reference;
mod reservation;
pub mod schema;
mod section;
mod settings;
mod show;
mod unique;
mod use_of_variable;
mod users;
mod values;
mod variable;
mod wording;

pub use canonical::CanonicalText;
pub use disks::DiskUse;
pub use draft::{Draft, DraftError};
pub use extension::{Extension, ExtensionBlock, ExtensionKeyword};
pub use facts::Facts;
pub use hooks::{Hook, Moment};
pub use hosts::Hosts;
pub use image_format::ImageFormat;
pub use load::{LoadOptions, Loaded, load};
pub use loader::{FileLoader, LoadError, LoadedFile, Loader, TextLoader};
pub use mac::{MacError, MacTable};
pub use model::{
    Account, ExtraMount, Family, FileCopy, Group, Host, HostKeyKind, HostName, IdentityChoice, Interface,
    InterfaceAddress, InterfaceAddress6, Password, Platform, Project, Renderer, RootDevice, Route,
    SizeRequest, Sudo, Switch, Terminal, Vlan,
};
pub use natural::compare as compare_names;
pub use password::{PLAIN as PLAIN_PASSWORD, has_plain_password};
pub use path::Line;
pub use problem::Problem;
pub use reservation::{AddressBook, Named, Reservation, reservations};
pub use settings::{Settings, StatusQuery};
pub use show::{Shown, show, show_with_origins};
pub use unique::Unique;

//! From the syntax tree to the project: what is meant, with every default filled in and every value checked.

mod disks;
pub mod model;

pub use disks::DiskUse;
pub use model::{
    Account, ExtraMount, FileCopy, Group, Host, HostName, Interface, InterfaceAddress, Platform, Project,
    Renderer, RootDevice, SizeRequest, Switch, Terminal,
};

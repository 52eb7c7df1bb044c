//! From the syntax tree to the project: what is meant, with every default filled in and every value checked.

pub mod model;

pub use model::{
    Account, ExtraMount, FileCopy, Group, Host, HostName, Interface, InterfaceAddress, Platform, Project,
    RootDevice, SizeRequest, Switch, Terminal,
};

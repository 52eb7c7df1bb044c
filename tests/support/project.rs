//! Projects and hosts as values, with every part that a test does not speak of left out.

use mln_image::base::{ByteSize, Origin, Sourced};
use mln_image::project::{
    Account, Group, Host, HostName, IdentityChoice, Interface, InterfaceAddress, Password, Platform, Project,
    SizeRequest, Terminal,
};

/// A value from line `line` of `p.mln`.
pub(crate) fn at<T>(line: u32, text: &str, value: T) -> Sourced<T> {
    Sourced::new(value, Origin::new("p.mln".into(), line, text))
}

/// A value of no line in particular.
pub(crate) fn of<T>(value: T) -> Sourced<T> {
    Sourced::implied(value, "test")
}

/// A host with a name, and nothing to be done.
pub(crate) fn host(name: &str) -> Host {
    Host {
        name: HostName::new(name).unwrap(),
        origin: at(1, &format!("host {name}"), ()).origin,
        platform: of(Platform::Xen),
        template: of("debian-12.ext3".to_owned()),
        root_partition: None,
        size: of(SizeRequest::Total(ByteSize(1 << 30))),
        format: None,
        swap: None,
        memory: of(ByteSize(128 << 20)),
        vcpus: None,
        term: of(Terminal::Screen),
        service_host: None,
        boot_order: of(99),
        run_as: None,
        image_group: None,
        nice: None,
        kernel: None,
        ramdisk: None,
        nameservers: Vec::new(),
        search: Vec::new(),
        family: None,
        identity: of(IdentityChoice::Own),
        host_keys: None,
        root_password: None,
        users: Vec::new(),
        groups: Vec::new(),
        interfaces: Vec::new(),
        renderer: None,
        startup: Vec::new(),
        shutdown: Vec::new(),
        modules: None,
        files: Vec::new(),
        mounts: Vec::new(),
        xen_extra: Vec::new(),
    }
}

/// A project called `name`.
pub(crate) fn project(name: &str, hosts: impl IntoIterator<Item = Host>) -> Project {
    Project {
        name: name.to_owned(),
        hosts: hosts.into_iter().collect(),
        switches: Vec::new(),
        hooks: Vec::new(),
        persist: false,
        secret: None,
    }
}

/// An interface without an address.
pub(crate) fn interface(name: &str) -> Interface {
    Interface {
        name: name.to_owned(),
        origin: at(2, &format!("network {name}"), ()).origin,
        address: None,
        netmask: None,
        broadcast: None,
        gateway: None,
        address6: None,
        gateway6: None,
        addresses: Vec::new(),
        routes: Vec::new(),
        mtu: None,
        vlan: None,
        match_mac: false,
        switch: None,
        bridge: None,
        mac: None,
    }
}

/// An interface with a fixed address and a network mask of 24 bits.
pub(crate) fn static_interface(name: &str, address: &str) -> Interface {
    let address = InterfaceAddress::Static(address.parse().unwrap());
    Interface {
        address: Some(at(3, "address", address)),
        netmask: Some(of("255.255.255.0".parse().unwrap())),
        ..interface(name)
    }
}

/// An account with a name and, perhaps, a password hash.
pub(crate) fn account(name: &str, hash: Option<&str>) -> Sourced<Account> {
    at(
        4,
        name,
        Account {
            name: name.to_owned(),
            password: hash.map(|hash| Password::Hash(hash.to_owned())),
            ..Account::default()
        },
    )
}

/// A group and its members.
pub(crate) fn group(name: &str, members: &[&str]) -> Sourced<Group> {
    let members = members.iter().map(|member| at(6, member, (*member).to_owned()));
    at(
        5,
        name,
        Group {
            name: name.to_owned(),
            members: members.collect(),
        },
    )
}

//! Which program configures a guest's network, and the files of ifupdown as ifupdown itself understands them.

use std::fs;
use std::process::Command;

use mln_image::base::atomic::{self, Durability};
use mln_image::guest::GuestWarning;
use mln_image::project::{Host, Interface, InterfaceAddress, InterfaceAddress6, Renderer};

use crate::support::debian::{baked, configured, debian};
use crate::support::memory_guest::MemoryGuest;
use crate::support::project::{at, host, interface, of, project, static_interface};
use crate::support::xl::unpacked;

/// A host with these interfaces.
fn with(interfaces: Vec<Interface>) -> Host {
    Host {
        interfaces,
        ..host("a")
    }
}

/// The `ip` and `dhclient` commands of ifup for the guest's interfaces.
fn ifup_commands(guest: &MemoryGuest) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("interfaces");
    let text = guest.text("/etc/network/interfaces");
    atomic::write(&file, text.as_bytes(), Durability::NoSync).unwrap();
    fs::create_dir(directory.path().join("state")).unwrap();
    let output = Command::new(unpacked("sbin/ifup"))
        .args(["--no-act", "--force", "-a", "-i"])
        .arg(&file)
        .arg("--state-dir")
        .arg(directory.path().join("state"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let commands = said
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    commands
        .filter(|line| line.contains(" eth"))
        .map(|line| match line.split_once("dhclient") {
            Some(_) => "dhclient".to_owned(),
            None => line,
        })
        .collect()
}

#[test]
fn interfaces_are_written_as_a_whole_and_ifup_understands_them() {
    let dhcp = Interface {
        address: Some(of(InterfaceAddress::Dhcp)),
        ..interface("eth2")
    };
    let routed = Interface {
        broadcast: Some(of("128.39.73.255".parse().unwrap())),
        gateway: Some(of("128.39.73.1".parse().unwrap())),
        ..static_interface("eth1", "128.39.73.101")
    };
    let host = with(vec![
        static_interface("eth0", "10.0.0.1"),
        routed,
        dhcp,
        interface("eth3"),
    ]);
    let guest = baked(&project("p", []), &host, &debian());
    assert_eq!(
        guest.text("/etc/network/interfaces"),
        "# Written by mln-image from the project's description.\n\
         source /etc/network/interfaces.d/*\n\
         \n\
         auto lo\n\
         iface lo inet loopback\n\
         \n\
         auto eth0\n\
         iface eth0 inet static\n\
         \taddress 10.0.0.1\n\
         \tnetmask 255.255.255.0\n\
         \n\
         auto eth1\n\
         iface eth1 inet static\n\
         \taddress 128.39.73.101\n\
         \tnetmask 255.255.255.0\n\
         \tbroadcast 128.39.73.255\n\
         \tgateway 128.39.73.1\n\
         \n\
         auto eth2\n\
         iface eth2 inet dhcp\n\
         \n\
         auto eth3\n\
         iface eth3 inet manual\n"
    );
    assert_eq!(
        ifup_commands(&guest),
        [
            "ip addr add 10.0.0.1/255.255.255.0 broadcast 10.0.0.255 dev eth0 label eth0",
            "ip link set dev eth0 up",
            "ip addr add 128.39.73.101/255.255.255.0 broadcast 128.39.73.255 dev eth1 label eth1",
            "ip link set dev eth1 up",
            "ip route add default via 128.39.73.1 dev eth1 onlink",
            "dhclient",
            "ip link set dev eth3 up 2>/dev/null || true",
        ]
    );
}

/// An IPv6 address that stands only among the further ones, and a gateway beside what routers announce.
#[test]
fn nothing_of_ipv6_is_lost_beside_other_ways_to_an_address() {
    let gateway = || Some(of("fd00::fe".parse().unwrap()));
    let further = || vec![of("fd00::2/64".parse().unwrap())];
    let both = Interface {
        addresses: further(),
        gateway6: gateway(),
        ..static_interface("eth0", "10.0.0.1")
    };
    let announced = Interface {
        address6: Some(of(InterfaceAddress6::Auto)),
        addresses: further(),
        gateway6: gateway(),
        ..interface("eth1")
    };
    let guest = baked(&project("p", []), &with(vec![both, announced]), &debian());
    let text = guest.text("/etc/network/interfaces");
    let (_, ours) = text.split_once("auto eth0\n").unwrap();
    assert_eq!(
        ours,
        "iface eth0 inet static\n\
         \taddress 10.0.0.1\n\
         \tnetmask 255.255.255.0\n\
         \tup ip addr add fd00::2/64 dev eth0\n\
         \tup ip -6 route add default via fd00::fe dev eth0\n\
         \n\
         auto eth1\n\
         iface eth1 inet6 auto\n\
         \tup ip addr add fd00::2/64 dev eth1\n\
         \tup ip -6 route add default via fd00::fe dev eth1\n"
    );
    let commands = ifup_commands(&guest);
    for device in ["eth0", "eth1"] {
        let wanted = format!("ip -6 route add default via fd00::fe dev {device}");
        assert!(commands.contains(&wanted), "{commands:?}");
    }
}

#[test]
fn missing_netmask_and_interface_configured_twice_are_warnings() {
    let bare = Interface {
        netmask: None,
        ..static_interface("eth0", "10.0.0.1")
    };
    let mut guest = debian();
    guest.file(
        "/etc/network/interfaces.d/cloud",
        "auto eth0\niface eth0 inet dhcp\n",
    );
    let found = configured(&project("p", []), &with(vec![bare]), &guest).unwrap();
    let warnings: Vec<String> = found.warnings.iter().map(GuestWarning::to_string).collect();
    assert_eq!(
        warnings,
        [
            "interface `eth0` has no `netmask`, so that it reaches no other machine directly (p.mln:3: address)",
            "`/etc/network/interfaces.d/cloud` of the template configures `eth0` too",
        ]
    );
}

#[test]
fn host_without_interfaces_leaves_the_network_as_it_is() {
    for guest in [debian(), netplan(), both(), MemoryGuest::clone(&nothing())] {
        let after = baked(&project("p", []), &host("a"), &guest);
        assert!(!after.changes_since(&guest).contains("/etc/net"));
    }
}

#[test]
fn renderer_is_told_by_evidence() {
    let mut beside = debian();
    beside.file("/usr/sbin/NetworkManager", "").link(
        "/etc/systemd/system/dbus-org.freedesktop.network1.service",
        "/lib/systemd/system/systemd-networkd.service",
    );
    let mut old = nothing();
    old.file("/etc/network/interfaces", "");
    for (guest, reason) in [
        (debian(), "`/sbin/ifup` is installed"),
        (beside, "`/sbin/ifup` is installed"),
        (old, "`/etc/network/interfaces` is there"),
    ] {
        let found = configured(&project("p", []), &with(vec![interface("eth0")]), &guest).unwrap();
        let renderer = found.renderer.unwrap();
        assert_eq!(
            (renderer.value, renderer.reason.as_str()),
            (Renderer::Ifupdown, reason)
        );
    }
}

#[test]
fn each_renderer_is_told_with_the_evidence() {
    for (guest, renderer, reason) in [
        (
            netplan(),
            Renderer::Netplan,
            "`/etc/netplan/50-cloud.yaml` is there",
        ),
        (
            networkd(),
            Renderer::Networkd,
            "systemd-networkd is enabled and has `/etc/systemd/network/a.network`",
        ),
        (
            manager(),
            Renderer::NetworkManager,
            "`/usr/sbin/NetworkManager` is there",
        ),
    ] {
        let found = configured(&project("p", []), &with(vec![interface("eth0")]), &guest).unwrap();
        let found = found.renderer.unwrap();
        assert_eq!((found.value, found.reason.as_str()), (renderer, reason));
    }
}

#[test]
fn doubt_is_an_error_that_names_the_evidence() {
    for (guest, message) in [
        (
            nothing(),
            "the template has none of ifupdown, netplan, systemd-networkd, NetworkManager, network-scripts and wicked, \
             and `host a` has interfaces; install one in the template, or choose by the keyword `renderer`",
        ),
        (
            both(),
            "the template's network could be configured by `ifupdown`, for `/sbin/ifup` is installed, or by \
             `netplan`, for `/etc/netplan/50-cloud.yaml` is there; choose one by the keyword `renderer` \
             (p.mln:1: host a)",
        ),
    ] {
        let error = configured(&project("p", []), &with(vec![interface("eth0")]), &guest).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn keyword_renderer_decides() {
    let mut host = with(vec![interface("eth0")]);
    for (word, renderer) in [
        ("renderer ifupdown", Renderer::Ifupdown),
        ("renderer netplan", Renderer::Netplan),
    ] {
        host.renderer = Some(at(7, word, renderer));
        let found = configured(&project("p", []), &host, &both())
            .unwrap()
            .renderer
            .unwrap();
        assert_eq!(found.value, renderer);
        assert_eq!(found.reason, format!("the project says so (p.mln:7: {word})"));
    }
}

#[test]
fn interface_name_that_would_break_its_line_is_an_error() {
    for name in ["eth0 inet6", "", "sixteen-letters-", "eth*", "../x"] {
        let error = configured(&project("p", []), &with(vec![interface(name)]), &debian()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`{name}` cannot be the name of a network interface (p.mln:2: network {name})")
        );
    }
}

#[test]
fn resolver_lists_the_servers_in_order() {
    let mut host = host("a");
    let mut guest = debian();
    guest.file("/etc/resolv.conf", "search example.org\nnameserver 192.0.2.1\n");
    let after = baked(&project("p", []), &host, &guest);
    assert_eq!(after.text("/etc/resolv.conf"), guest.text("/etc/resolv.conf"));
    host.nameservers = ["128.39.89.10", "10.0.0.1"]
        .map(|server| of(server.parse().unwrap()))
        .into();
    let after = baked(&project("p", []), &host, &guest);
    assert_eq!(
        after.text("/etc/resolv.conf"),
        "nameserver 128.39.89.10\nnameserver 10.0.0.1\n"
    );
}

#[test]
fn resolver_replaces_a_link_to_what_is_made_at_start() {
    let mut host = host("a");
    host.nameservers = vec![at(8, "nameserver 10.0.0.1", "10.0.0.1".parse().unwrap())];
    let mut guest = debian();
    guest.link("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf");
    let edits = configured(&project("p", []), &host, &guest).unwrap().edits;
    let edit = edits
        .get(&mln_image::base::GuestPath::literal("/etc/resolv.conf"))
        .unwrap();
    let origins: Vec<String> = edit.origins.iter().map(ToString::to_string).collect();
    assert_eq!(
        origins,
        [
            "p.mln:8: nameserver 10.0.0.1",
            "instead of the link to `../run/systemd/resolve/stub-resolv.conf`, which is made anew at every start",
        ]
    );
    let after = baked(&project("p", []), &host, &guest);
    assert!(
        after
            .changes_since(&guest)
            .contains("~ -0644 0:0 /etc/resolv.conf\n")
    );

    let mut elsewhere = debian();
    elsewhere
        .link("/etc/resolv.conf", "resolv.static")
        .file("/etc/resolv.static", "");
    let after = baked(&project("p", []), &host, &elsewhere);
    assert!(
        after
            .changes_since(&elsewhere)
            .contains("~ -0644 0:0 /etc/resolv.static\n")
    );
}

/// A guest without any program for the network.
fn nothing() -> MemoryGuest {
    let mut guest = debian();
    guest.without("/usr/sbin/ifup").without("/etc/network");
    guest
}

/// Ubuntu's way: netplan by way of systemd-networkd, and a file that ifupdown left.
fn netplan() -> MemoryGuest {
    let mut guest = networkd();
    guest
        .file("/usr/sbin/netplan", "")
        .file("/etc/netplan/50-cloud.yaml", "")
        .file("/etc/network/interfaces", "");
    guest
}

fn both() -> MemoryGuest {
    let mut guest = netplan();
    guest.file("/usr/sbin/ifup", "");
    guest
}

fn networkd() -> MemoryGuest {
    let mut guest = nothing();
    guest
        .link(
            "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
            "/lib/systemd/system/systemd-networkd.service",
        )
        .file("/etc/systemd/network/a.network", "");
    guest
}

fn manager() -> MemoryGuest {
    let mut guest = nothing();
    guest.file("/usr/sbin/NetworkManager", "");
    guest
}

//! What may stand in a `network` block: one interface.

use super::super::schema::BlockContent as B;
use super::super::schema::Keyword;
use super::super::schema::Place::Network;
use super::super::schema::ValueKind as V;
use super::{carried, dead, here};

pub(super) const KEYWORDS: &[Keyword] = &[
    here(
        Network,
        "address",
        V::AddressOrDhcp,
        "the IPv4 address, with or without `/PREFIX`, or `dhcp`",
    )
    .example("address 10.0.0.1/24"),
    here(
        Network,
        "address6",
        V::Address6OrAuto,
        "the IPv6 address with `/PREFIX`, `auto` or `dhcp`",
    )
    .example("address6 2001:db8::1/64"),
    here(
        Network,
        "addresses",
        V::Prefixes,
        "further addresses, IPv4 and IPv6, each with `/PREFIX`",
    )
    .example("addresses 10.0.1.1/24 2001:db8:1::1/64"),
    here(Network, "netmask", V::Netmask, "the network mask").example("netmask 255.255.255.0"),
    here(Network, "broadcast", V::Address, "the broadcast address").or("left to the guest"),
    here(Network, "gateway", V::Address, "the default gateway").example("gateway 10.0.0.254"),
    here(Network, "gateway6", V::Address6, "the default gateway for IPv6"),
    here(
        Network,
        "routes",
        V::Block(B::Routes),
        "further routes: `network/prefix gateway [metric]`",
    )
    .example("routes {\n    10.9.0.0/16 10.0.0.253\n}"),
    here(
        Network,
        "mtu",
        V::Number(68, 65_535),
        "the largest packet, in bytes",
    )
    .or("left to the guest"),
    here(
        Network,
        "vlan",
        V::Number(1, 4094),
        "makes it a VLAN of this number on its `parent`",
    ),
    here(Network, "parent", V::Word, "the interface that carries the VLAN")
        .or("the interface's name up to the dot"),
    here(
        Network,
        "match",
        V::Choice(&["name", "mac"]),
        "by what the guest knows the interface",
    )
    .or("name"),
    here(
        Network,
        "switch",
        V::Text,
        "the project's switch to plug into, or the path of a socket",
    )
    .or("the server's local network")
    .example("switch lan"),
    here(
        Network,
        "bridge",
        V::Word,
        "the server's bridge to plug into; goes before `switch`",
    )
    .example("bridge br0"),
    here(Network, "mac", V::Mac, "the hardware address")
        .or("derived from the secret and the names of project, host and interface")
        .example("mac fe:fd:00:00:12:34"),
    carried(
        Network,
        "tun_iface",
        V::Word,
        "a point-to-point device of the server",
    ),
    carried(Network, "tun_address", V::Word, "the address of that device"),
    carried(Network, "slirp", V::Any, "user-mode network of UML"),
    carried(Network, "auto", V::Any, "whether the interface comes up at boot").or("on"),
    dead(Network, "net", "OpenStack", "a network of OpenStack"),
];

//! What may stand in a `switch` block. Nothing needs to.

use super::super::schema::Keyword;
use super::super::schema::Place::Switch;
use super::super::schema::ValueKind as V;
use super::{carried, dead, here};

pub(super) const KEYWORDS: &[Keyword] = &[
    here(
        Switch,
        "type",
        V::Choice(&["hub", "switch"]),
        "`hub` repeats every packet to every port",
    )
    .or("switch"),
    here(Switch, "hub", V::Flag, "the same as `type hub`").or("off"),
    here(
        Switch,
        "socket",
        V::Text,
        "the socket of a switch, to join projects; one that others made if its path has `external`",
    )
    .example("socket /run/lab/external.ctl"),
    here(Switch, "tap", V::Word, "attaches the server's tap device").example("tap tap0"),
    here(
        Switch,
        "bridge",
        V::Word,
        "the server's bridge that stands for it",
    )
    .or("`<switch>.<project>`, shortened to 15 characters")
    .example("bridge br0"),
    here(Switch, "service_host", V::Word, "the server that runs it").example("service_host mln1.example.org"),
    here(Switch, "xen", V::Flag, "says that Xen hosts use it").or("follows from the hosts"),
    here(
        Switch,
        "address",
        V::Prefixes,
        "the server's own address on it, with the length of the prefix",
    )
    .example("address 10.0.0.254/24"),
    here(
        Switch,
        "dhcp",
        V::Text,
        "hands out the addresses from the first to the last: `dhcp FIRST LAST`",
    )
    .example("dhcp 10.0.0.100 10.0.0.199"),
    here(
        Switch,
        "owner",
        V::Word,
        "the socket's owner, where root starts the project",
    )
    .or("who starts the project"),
    here(
        Switch,
        "group",
        V::Word,
        "the group whose members may plug in, where root starts the project",
    ),
    here(
        Switch,
        "sudo",
        V::Word,
        "the user as whom root runs the switch's process",
    )
    .or("who starts the project")
    .example("sudo lab"),
    carried(
        Switch,
        "hosts",
        V::Any,
        "which hosts are attached; follows from the hosts",
    ),
    carried(
        Switch,
        "switchType",
        V::Word,
        "the program that makes the switch, in a later dialect",
    ),
    carried(
        Switch,
        "tun_iface",
        V::Word,
        "a point-to-point device of the server, in a later dialect",
    ),
    carried(
        Switch,
        "tun_address",
        V::Word,
        "the address of that device, in a later dialect",
    ),
    dead(Switch, "vmware", "VMware", "a network of VMware"),
];

//! The project for Graphviz: servers as clusters, networks as ellipses, hosts as boxes.

use std::fmt::Write as _;

use super::super::model::{Host, Project};
use super::{LOCAL_NETWORK, address_of, network_of, servers};

/// Writes `project` in the DOT language.
pub fn dot(project: &Project) -> String {
    let mut out = format!(
        "graph {} {{\n  layout=neato; overlap=false; splines=true;\n",
        quoted(&project.name)
    );
    out.push_str("  node [shape=box, fontname=\"sans-serif\", fontsize=10];\n");
    let hosts: Vec<Host> = project.hosts.iter().collect();
    let servers = servers(&hosts);
    for (place, server) in servers.iter().enumerate() {
        let _infallible = writeln!(
            out,
            "  subgraph cluster_{place} {{\n    label={};",
            quoted(server.name)
        );
        for host in &server.hosts {
            let _infallible = writeln!(out, "    {};", quoted(&format!("host {}", host.name)));
        }
        out.push_str("  }\n");
    }
    for network in super::networks(project, &hosts) {
        let is_used = network != LOCAL_NETWORK
            || hosts
                .iter()
                .flat_map(|host| &host.interfaces)
                .any(|one| network_of(one) == network);
        if is_used {
            let (id, label) = (quoted(&format!("network {network}")), quoted(&network));
            let _infallible = writeln!(out, "  {id} [shape=ellipse, style=filled, label={label}];");
        }
    }
    for host in &hosts {
        let id = quoted(&format!("host {}", host.name));
        let _infallible = writeln!(out, "  {id} [label={}];", quoted(host.name.as_str()));
        for interface in &host.interfaces {
            let network = quoted(&format!("network {}", network_of(interface)));
            let label = quoted(&format!("{} {}", interface.name, address_of(interface)));
            let _infallible = writeln!(out, "  {id} -- {network} [label={label}, fontsize=8];");
        }
    }
    out.push_str("}\n");
    out
}

/// `text` as a string of DOT.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

//! The bundled plugin `autoenum`: names, servers, addresses, and what it refuses.

use crate::support::plugins::{faults, loaded, registry, values};
use mln_image::diag::{Colours, render_all};
use mln_image::project::show;

/// A project whose `autoenum` says `lines`.
fn project(lines: &str, rest: &str) -> String {
    format!(
        "global {{\n  project p\n  autoenum {{\n    superclass node\n{lines}\n  }}\n}}\nsuperclass node {{ template t }}\n{rest}"
    )
}

#[test]
fn hosts_are_named_and_numbered() {
    let names = |lines: &str| {
        let text = project(lines, "");
        values(&text, &[], "/host/")
            .into_iter()
            .filter_map(|line| {
                Some(
                    line.strip_suffix("/superclass = node")?
                        .strip_prefix("/host/")?
                        .to_owned(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(names("    numhosts 3"), ["node1", "node2", "node3"]);
    assert_eq!(names("    numhosts 2\n    hostprefix web"), ["web1", "web2"]);
    assert_eq!(names("    numhosts 2\n    padding 2"), ["node01", "node02"]);
}

#[test]
fn servers_are_filled_one_after_the_other() {
    let text = project(
        "    numhosts 7\n    service_hosts {\n      one 2\n      two   2\n      three\n      rest all\n    }",
        "",
    );
    let servers: Vec<String> = values(&text, &[], "/host/")
        .into_iter()
        .filter_map(|line| Some(line.split_once("/service_host = ")?.1.to_owned()))
        .collect();
    assert_eq!(servers, ["one", "one", "two", "two", "three", "rest", "rest"]);
}

#[test]
fn addresses_skip_the_gateway_and_what_hosts_have_already() {
    let text = project(
        "    numhosts 5\n    address auto\n    net 10.0.0.0/24\n    addresses_begin 1\n    autouser *",
        "host node3 { memory 64M; network eth0 { address 10.0.0.9; netmask 255.255.255.0 } }\nhost gate { template t; \
         network eth0 { address 10.0.0.2; netmask 255.255.255.0; gateway 10.0.0.4 } }\n",
    );
    let shown = values(&text, &[], "/host/");
    let address = |host: &str| {
        let start = format!("/host/{host}/network/eth0/address = ");
        shown.iter().find_map(|line| line.strip_prefix(&start)).unwrap()
    };
    let found = ["node1", "node2", "node3", "node4", "node5"].map(address);
    assert_eq!(
        found,
        ["10.0.0.1", "10.0.0.3", "10.0.0.9", "10.0.0.5", "10.0.0.6"]
    );
    for line in [
        "/host/node1/users/node1 = *",
        "/host/node3/memory = 64M",
        "/host/node3/superclass = node",
        "/host/node5/network/eth0/netmask = 255.255.255.0",
    ] {
        assert!(shown.iter().any(|known| known == line), "{line}");
    }
}

#[test]
fn numbered_blocks_make_hosts_of_several_kinds() {
    let text = "global {\n project p\n autoenum0 { superclass a; numhosts 2; hostprefix a; address auto; net \
                10.0.0.0/24; addresses_begin 1 }\n autoenum5 { superclass b; numhosts 2; hostprefix b; address auto; \
                net 10.0.0.0/24; addresses_begin 2; interface eth1 }\n}\nsuperclass a { template t }\nsuperclass b { \
                template t }\n";
    let shown = values(text, &[], "/host/");
    let addresses: Vec<&String> = shown.iter().filter(|line| line.contains("/address = ")).collect();
    assert_eq!(
        addresses,
        [
            "/host/a1/network/eth0/address = 10.0.0.1",
            "/host/a2/network/eth0/address = 10.0.0.2",
            "/host/b1/network/eth1/address = 10.0.0.3",
            "/host/b2/network/eth1/address = 10.0.0.4",
        ]
    );
}

#[test]
fn what_cannot_be_is_told_where_it_stands() {
    let texts = [
        project("    numhosts 3\n    service_hosts {\n      one 2\n    }", ""),
        project(
            "    numhosts 3\n    service_hosts {\n      one 1\n      ...\n    }",
            "",
        ),
        project(
            "    numhosts 3\n    address auto\n    net 10.0.0.0/24\n    addresses_begin 253",
            "",
        ),
        project("    numhots 3\n    address dynamic", ""),
        project("    numhosts 2\n", "").replace("superclass node\n", "superclass nod\n"),
    ];
    let shown: Vec<String> = texts.iter().map(|text| faults(text, &[])).collect();
    insta::assert_snapshot!(shown.join("=======\n"), @r#"
error[plugin]: autoenum: the servers have room for 2 of 3 hosts
 --> p.mln:6:5
  |
6 |     service_hosts {
  |     ^^^^^^^^^^^^^
  |
  = hint: add servers, or a number of hosts behind one: `HOST 2`, or `HOST all` for the rest

=======
error[plugin]: autoenum: `...` is no server: the list has to be whole
 --> p.mln:8:7
  |
8 |       ...
  |       ^^^

=======
error[plugin]: autoenum: host `node3` would get 10.0.0.255, and the network has 10.0.0.1 to 10.0.0.254
 --> p.mln:5:5
  |
5 |     numhosts 3
  |     ^^^^^^^^^^
  |
  = hint: begin lower, make fewer hosts, or take a larger network: `net 10.0.0.0/16`

=======
error[missing-keyword]: `autoenum` needs the keyword `numhosts`
 --> p.mln:3:3
  |
3 |   autoenum {
  |   ^^^^^^^^
  |
  = hint: `numhosts` is the number of hosts

warning[unknown-keyword]: `autoenum` has no keyword `numhots`
 --> p.mln:5:5
  |
5 |     numhots 3
  |     ^^^^^^^
  |
  = hint: did you mean `numhosts`?

=======
error[unknown-superclass]: superclass `nod` is not defined
 --> p.mln:3:3
  |
3 |   autoenum {
  |   ^^^^^^^^
  |
  = hint: did you mean `node`?
"#);
}

#[test]
fn values_know_the_lines_that_they_come_from() {
    let text = project("    numhosts 2\n    service_hosts {\n#include servers\n    }", "");
    let loaded = loaded(&text, &[("servers", "one\ntwo\n")], &registry(&[]).unwrap());
    assert_eq!(
        render_all(&loaded.diagnostics, &loaded.sources, Colours::Never),
        ""
    );
    assert!(!show(&loaded, None).is_empty());
    let hosts = loaded.project.unwrap().hosts;
    let origins: Vec<String> = hosts
        .iter()
        .map(|host| host.service_host.as_ref().unwrap().origin.to_string())
        .collect();
    assert_eq!(origins, ["servers:1: one", "servers:2: two"]);
    assert_eq!(hosts.at(0).origin.to_string(), "p.mln:3: autoenum {");
}

//! The article's cluster of 90 nodes as printed, and its other projects: every value that is expected is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::plugins::{loaded, registry};
use mln_image::project::{graph, show};

/// The project of the article, typed by hand; only the path of the include is another one.
const MYCLUSTER: &str = "\
global {
    project mycluster
    autoenum {             # <-- Note that autoenum is a plug-in
       superclass cluster_node
       numhosts 90
       address auto
       addresses_begin 150
       net 128.39.73.0
       service_hosts {
          #include servers.txt
       }
   
}
    $gateway_ip = 128.39.73.1
    cluster {              # <-- Note that Cluster is a plug-in
          head node1
       }
    }
}
superclass cluster_node {
    template ubuntu_mpi_tourque.ext3
    memory 312M
    free_space 1G
    network eth0 {
       gateway $gateway_ip
    }
}
";

#[test]
fn the_printed_cluster_has_its_ninety_nodes() {
    let servers =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/servers.txt")).unwrap();
    let loaded = loaded(MYCLUSTER, &[("servers.txt", &servers)], &registry(&[]).unwrap());
    assert_eq!(
        (
            loaded.diagnostics.error_count(),
            loaded.diagnostics.warning_count()
        ),
        (0, 2)
    );
    let shown: BTreeSet<String> = show(&loaded, None)
        .into_iter()
        .map(|(path, value)| format!("{path} = {value}"))
        .collect();
    for number in 1..=90_u32 {
        let host = format!("/host/node{number}");
        for line in [
            format!("{host}/superclass = cluster_node"),
            format!("{host}/template = ubuntu_mpi_tourque.ext3"),
            format!("{host}/memory = 312M"),
            format!("{host}/free_space = 1G"),
            format!("{host}/network/eth0/address = 128.39.73.{}", 149 + number),
            format!("{host}/network/eth0/gateway = 128.39.73.1"),
            format!("{host}/service_host = mln{}.vlab.iu.hio.no", number.div_ceil(2)),
        ] {
            assert!(shown.contains(&line), "{line}");
        }
    }
    assert!(shown.contains("/global/$gateway_ip = 128.39.73.1"));
    assert_eq!(loaded.project.unwrap().hosts.len(), 90);
}

#[test]
fn a_picture_has_every_host_once_and_is_well_formed() {
    let servers =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/servers.txt")).unwrap();
    let project = loaded(MYCLUSTER, &[("servers.txt", &servers)], &registry(&[]).unwrap())
        .project
        .unwrap();
    let svg = graph::svg(&project);
    for number in 1..=90_u32 {
        assert_eq!(svg.matches(&format!(">node{number}</text>")).count(), 1);
        assert_eq!(
            svg.matches(&format!(">eth0 128.39.73.{}</text>", 149 + number))
                .count(),
            1
        );
    }
    assert_eq!(svg.matches("class=\"server\"").count(), 45);
    assert_eq!(svg.matches("<g>").count(), svg.matches("</g>").count());
    let dot = graph::dot(&project);
    assert_eq!(dot.matches(" -- ").count(), 90);
    assert_eq!(dot.matches("subgraph cluster_").count(), 45);
}

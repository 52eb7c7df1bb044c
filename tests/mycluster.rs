//! The article's cluster of 90 nodes as printed, and its other projects: every value that is expected is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use mln_image::base::atomic::{self, Durability};

use crate::support::bakery::Bakery;
use crate::support::plugins::{loaded, registry};
use crate::support::{ExtKind, debugfs, e2fsck_clean};
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

#[test]
fn the_printed_cluster_bakes_to_ninety_images() {
    let bakery = Bakery::with_template(ExtKind::Ext3);
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    fs::copy(recipes.join("servers.txt"), bakery.path("servers.txt")).unwrap();
    let project = bakery.path("mycluster.mln");
    atomic::write(&project, MYCLUSTER.as_bytes(), Durability::NoSync).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mln-image"))
        .env_clear()
        .env("HOME", bakery.path(""))
        .arg("-P")
        .arg(bakery.path("projects"))
        .arg("-T")
        .arg(bakery.path("templates"))
        .arg("-F")
        .arg(bakery.path("files"))
        .args(["bake", "--no-sync", "--verify", "none"])
        .args(["--template", "ubuntu_mpi_tourque.ext3=small.ext3"])
        .arg(&project)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let manifest = fs::read(bakery.baked("mycluster", "manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let hosts = manifest["hosts"].as_array().unwrap();
    assert_eq!(hosts.len(), 90);
    for (place, host) in hosts.iter().enumerate() {
        assert_eq!(host["name"], format!("node{}", place + 1));
        assert_eq!(
            host["service_host"],
            format!("mln{}.vlab.iu.hio.no", place / 2 + 1)
        );
        e2fsck_clean(&bakery.baked("mycluster", &format!("node{}/root.img", place + 1)));
    }
    let cat = |node: u32, file: &str| {
        let image = bakery.baked("mycluster", &format!("node{node}/root.img"));
        debugfs(&image, &format!("cat {file}"))
    };
    assert_eq!(cat(1, "/var/spool/torque/server_priv/nodes").lines().count(), 90);
    assert!(cat(1, "/etc/exports").starts_with("/home node2(rw,root_squash) node3("));
    assert_eq!(cat(90, "/var/spool/torque/server_name"), "node1\n");
    assert_eq!(cat(90, "/etc/auto.home"), "* node1:/home/&\n");
    let interfaces = cat(90, "/etc/network/interfaces");
    assert!(
        interfaces.contains("128.39.73.239") && interfaces.contains("128.39.73.1\n"),
        "{interfaces}"
    );
    assert_eq!(cat(90, "/etc/hostname"), "node90\n");
}

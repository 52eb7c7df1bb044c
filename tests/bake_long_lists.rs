//! Projects of very many hosts, whose list of addresses is written once for all of them.

use std::path::Path;
use std::process::Command;

use mln_image::bake::Selection;
use mln_image::base::ByteSize;
use mln_image::base::report::Silent;
use mln_image::project::{ImageFormat, Project, SizeRequest};

use crate::support::bakery::Bakery;
use crate::support::project::{host, of, project, static_interface};
use crate::support::{ExtKind, debugfs, e2fsck_clean, sha256};

/// How many hosts have a list of more than 64 KiB.
const HOSTS: usize = 2500;

fn cluster(kind: ExtKind) -> Project {
    let hosts = (0..HOSTS).map(|number| {
        let mut host = host(&format!("node{number}"));
        let address = format!("10.0.{}.{}", number / 250, number % 250 + 1);
        host.template = of(format!("small.{}", kind.name()));
        host.size = of(SizeRequest::Total(ByteSize(64 << 20)));
        host.interfaces = vec![static_interface("eth0", &address)];
        host
    });
    project("cluster", hosts)
}

fn only(names: &[&str]) -> Selection {
    Selection::Hosts(names.iter().map(|name| (*name).to_owned()).collect())
}

/// The host's `/etc/hosts` is right, as debugfs reads it.
fn has_its_list(image: &Path, name: &str) {
    let text = debugfs(image, "cat /etc/hosts");
    let (before, block) = text.split_once("# BEGIN mln-image\n").unwrap();
    assert!(before.starts_with("127.0.0.1\tlocalhost\n"), "{before}");
    let lines: Vec<&str> = block.lines().collect();
    assert_eq!(lines.len(), HOSTS + 2);
    assert_eq!(lines[0], "10.0.0.1\tnode0 node0.cluster");
    assert_eq!(lines[HOSTS - 1], "10.0.9.250\tnode2499 node2499.cluster");
    assert_eq!(lines[HOSTS..], [&format!("127.0.1.1\t{name}"), "# END mln-image"]);
}

#[test]
fn each_host_has_the_list_and_its_own_line_whoever_else_is_baked() {
    for kind in [ExtKind::Ext3, ExtKind::Ext4] {
        let cluster = cluster(kind);
        let names = ["node7", "node12", "node2499"];
        let mut bakery = Bakery::with_template(kind);
        bakery.selection = only(&names);
        bakery.bake(&cluster).unwrap();
        // Alone, and without a plan that is held.
        bakery.held_bytes = 0;
        for name in names {
            let file = format!("{name}/root.img");
            let image = bakery.baked("cluster", &file);
            e2fsck_clean(&image);
            has_its_list(&image, name);
            bakery.selection = only(&[name]);
            let place = bakery.path(name);
            bakery.bake_to(&place, &cluster, &Silent).unwrap();
            let alone = place.join("cluster").join(file);
            assert_eq!(sha256(&alone), sha256(&image), "{kind:?} {name}");
        }
    }
}

#[test]
fn a_delta_of_such_a_host_is_the_same_image() {
    let cluster = cluster(ExtKind::Ext3);
    let mut bakery = Bakery::with_template(ExtKind::Ext3);
    bakery.selection = only(&["node6", "node7"]);
    bakery.bake(&cluster).unwrap();
    let raw = sha256(&bakery.baked("cluster", "node7/root.img"));
    for format in [ImageFormat::Qcow2, ImageFormat::UmlCow] {
        bakery.format = Some(format);
        let place = bakery.path(&format.to_string());
        bakery.bake_to(&place, &cluster, &Silent).unwrap();
        let image = place.join("cluster/node7").join(format.root_image());
        let flat = place.join("flat.img");
        let program = Command::new(env!("CARGO_BIN_EXE_mln-image"))
            .args(["image", "flatten"])
            .args([&image, &flat])
            .output();
        assert!(program.as_ref().unwrap().status.success(), "{program:?}");
        assert_eq!(sha256(&flat), raw, "{format}");
    }
}

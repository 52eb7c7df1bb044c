//! The recipes: each loads without a fault, is written canonically, and says what it is for.

use std::fs;
use std::path::{Path, PathBuf};

use mln_image::diag::{Colours, SourceMap, render_all};
use mln_image::lang::{format, parse};
use mln_image::project::{FileLoader, LoadOptions, Loaded, Platform, SizeRequest, load, schema, show};

fn recipe(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes").join(name)
}

fn loaded(name: &str) -> Loaded {
    let path = recipe(name).display().to_string();
    let options = LoadOptions {
        strict: true,
        ..LoadOptions::default()
    };
    let loaded = load(&FileLoader::default(), &path, &options);
    assert_eq!(
        render_all(&loaded.diagnostics, &loaded.sources, Colours::Never),
        ""
    );
    loaded
}

#[test]
fn every_recipe_is_without_fault_and_in_canonical_form() {
    let mut count = 0;
    for entry in fs::read_dir(recipe("")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "mln") {
            let name = path.file_name().unwrap().to_str().unwrap();
            let project = loaded(name).project.unwrap();
            assert_eq!(format!("{}.mln", project.name), name);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("# "), "{name} says what it is for");
            let mut sources = SourceMap::new();
            let id = sources.add(name, text.as_str(), None);
            assert_eq!(format(&parse(&sources, id, schema::holds_lines).0), text);
            count += 1;
        }
    }
    assert_eq!(count, 5);
}

#[test]
fn webfarm_has_two_web_servers_and_a_database() {
    let project = loaded("webfarm.mln").project.unwrap();
    let hosts: Vec<String> = project
        .hosts
        .iter()
        .map(|host| {
            let SizeRequest::Total(size) = host.size.value else {
                panic!("{}", host.name)
            };
            assert_eq!(host.platform.value, Platform::Xen);
            assert_eq!(host.users[0].value.name, "john");
            assert_eq!(host.groups[0].value.members[0].value, "john");
            let interfaces: Vec<&str> = host
                .interfaces
                .iter()
                .map(|interface| interface.name.as_str())
                .collect();
            format!("{} {size} {}", host.name, interfaces.join(","))
        })
        .collect();
    assert_eq!(hosts, ["db 3G eth0", "www1 2G eth0,eth1", "www2 2G eth0,eth1"]);
    let gateway = project.hosts.at(1).interfaces[1].gateway.clone().unwrap();
    assert!(
        gateway
            .origin
            .to_string()
            .ends_with("recipes/webfarm.mln:34: gateway 128.39.73.1"),
        "{}",
        gateway.origin
    );
}

#[test]
fn mycluster_has_its_servers_and_its_gateway() {
    let loaded = loaded("mycluster.mln");
    let shown = show(&loaded, None);
    let value = |path: &str| {
        shown
            .iter()
            .find(|(known, _)| known == path)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(
        value("/superclass/cluster_node/network/eth0/gateway"),
        Some("128.39.73.1")
    );
    assert_eq!(value("/global/cluster/head"), Some("node1"));
    assert_eq!(
        value("/global/autoenum/service_hosts/mln45.vlab.iu.hio.no"),
        Some("2")
    );
}

#[test]
fn golden_keeps_its_shell_lines() {
    let project = loaded("golden.mln").project.unwrap();
    let host = &project.hosts.at(0);
    let startup: Vec<&str> = host.startup.iter().map(|line| line.value.as_str()).collect();
    assert_eq!(
        startup,
        [
            "logger \"$hostname is up on $(uname -r)\"",
            "for directory in /srv/data /srv/log; do",
            "    mkdir -p \"$directory\"",
            "done",
            "awk '{print $1}' /proc/loadavg > /run/load-at-boot",
        ]
    );
    assert_eq!(host.users[0].value.name, "ops");
    assert!(recipe("files").join(&host.files[0].value.source).is_file());
}

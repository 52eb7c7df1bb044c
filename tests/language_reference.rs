//! `explain` and `docs/language.md`: every keyword of MLN is there, and the page is the one that the program writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use mln_image::base::atomic::{self, Durability};
use mln_image::diag::{Colours, SourceMap, render_all};
use mln_image::plugin::Registry;
use mln_image::project::reference::{explain, explain_all, markdown};
use mln_image::project::schema::{Effect, Place, keyword, keywords};
use mln_image::project::{Extension as _, Settings};

/// The keywords that MLN 0.7x to 1.0.8.8 and KMLN know, by place.
const MLN: [(Place, &str); 5] = [
    (
        Place::Global,
        "project beforeProjectStart beforeHostsStart afterHostsStart afterProjectStart beforeProjectStop \
         beforeHostsStop afterHostsStop afterProjectStop project_password autoenum autoenum0 autoenum1 autoenum2 \
         autoenum3 autoenum4 autoenum5 cluster openstack",
    ),
    (
        Place::Switch,
        "type hub socket tap owner group sudo bridge service_host vmware xen hosts switchType tun_iface tun_address",
    ),
    (
        Place::Host,
        "superclass template size free_space swap memory xen hvm vmware kvm ec2 openstack iscsi term color nameserver \
         root_password root_passwd boot_order kernel ramdisk modules_dir lvm lvm_vg lvm_snapshot filepath filesystem \
         cow_filesystem cow service_host location owner group sudo nice cpus vcpus vncdisplay vncpasswd vncpassword \
         vnckeymap devfs family locking lock_dir lock_timeout extra internalswap iscsi_target virTech vcpu qcow format \
         offset nbddev nbdpart boot_img vncport vncpass",
    ),
    (
        Place::Host,
        "network users groups startup shutdown modules files mount xen_extra roles vtun dyndns sshkey apache postfix \
         puppet winconfig vncplugin ec2 openstack",
    ),
    (
        Place::Network,
        "address netmask broadcast gateway switch bridge mac tun_iface tun_address slirp auto net",
    ),
];

fn page() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/language.md")
}

/// After a change that is meant, `MLN_ACCEPT=1 cargo test language_reference` writes the page anew.
#[test]
fn the_reference_page_is_the_one_that_the_program_writes() {
    if std::env::var_os("MLN_ACCEPT").is_some() {
        atomic::write(&page(), markdown().as_bytes(), Durability::NoSync).unwrap();
    }
    let written = fs::read_to_string(page()).unwrap();
    assert!(
        written == markdown(),
        "docs/language.md is old: run `mln-image explain --all --markdown > docs/language.md`"
    );
}

#[test]
fn the_reference_page_has_every_keyword_of_mln() {
    let page = fs::read_to_string(page()).unwrap();
    for (place, names) in MLN {
        for name in names.split_whitespace() {
            assert!(keyword(place, name).is_some(), "{name} in {}", place.shown());
            let row = format!("\n| `{name}` | ");
            assert!(page.contains(&row), "{name}");
        }
    }
}

#[test]
fn dead_platforms_are_known_and_not_supported() {
    let dead: BTreeSet<&str> = keywords()
        .filter(|keyword| matches!(keyword.effect, Effect::Unsupported(_)))
        .map(|keyword| keyword.name)
        .collect();
    for name in [
        "vmware",
        "ec2",
        "openstack",
        "iscsi",
        "iscsi_target",
        "devfs",
        "vtun",
        "dyndns",
        "net",
    ] {
        assert!(dead.contains(name), "{name}");
    }
}

#[test]
fn every_keyword_is_explained_with_an_example_of_itself() {
    for one in explain_all(&[]) {
        assert!(
            one.example.starts_with(one.keyword.trim_end_matches("name")),
            "{}: {}",
            one.keyword,
            one.example
        );
        assert!(explain(&one.keyword, &[]).contains(&one));
    }
}

#[test]
fn an_explanation_says_place_value_default_and_status() {
    let texts: Vec<String> = explain("bridge", &[]).iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(texts.join("\n"), @r#"
bridge: the server's bridge that stands for it
  place    a `switch` block
  value    one word
  default  `<switch>.<project>`, shortened to 15 characters
  status   supported

    bridge br0

bridge: the server's bridge to plug into; goes before `switch`
  place    a `network` block
  value    one word
  status   supported

    bridge br0
"#);
    insta::assert_snapshot!(explain("vmware", &[])[1].to_string(), @r#"
vmware: runs under VMware
  place    a `host` or `superclass` block
  value    whatever the one who reads it takes
  status   not supported: belongs to VMware, and is kept for plugins

    vmware ..
"#);
}

#[test]
fn plugins_explain_their_blocks_and_what_may_stand_in_them() {
    let plugins = Registry::bundled().unwrap();
    let texts: Vec<String> = ["cluster", "head", "internal_swap"]
        .iter()
        .flat_map(|name| explain(name, plugins.blocks()))
        .map(|one| one.to_string())
        .collect();
    insta::assert_snapshot!(texts.join("\n"));
    for one in explain_all(plugins.blocks()) {
        assert!(!one.help.is_empty(), "{} in {}", one.keyword, one.place);
    }
    // Each stands once, though the language's own table knows the bundled blocks too.
    assert_eq!(explain("autoenum", plugins.blocks()).len(), 1);
}

/// The keywords of mln.conf, each with a value that it takes.
const CONFIGURATION: &str = "templates /t; files /f; projects /p; uml /u; plugin_dir /a; plugins_dir /b; \
    default_kernel linux; default_modules /m; xen_kernel /boot/vmlinuz; xen_ramdisk /boot/initrd; xen_modules /x; \
    xen_bridge xenbr0; lvm_vg mln-images; san_path /san; lvm_execute_server /usr/bin/ssh srv; default_template t; \
    default_size 1G; default_memory 64M; default_term screen; default_color lightgrey; default_mac_base fe:fd:0:0; \
    default_family debian; default_vm xen; default_term_command xterm; screen_command screen; slirp /usr/bin/slirp; \
    batch_size 7; template_file_site http://example.org; template_file_mirror http://example.org; service_host srv; \
    daemon_allow 10.0.0.*; daemon_status_query srv group; max_memory 1500; daemon_max_memory 1500M; \
    daemon_listen_address 10.0.0.1; daemon_projects /d; template_key RWx; always_check_project_version 1; lock_dir /l; db_name n; \
    db_user u; db_password p; notification.ok.command true; notification.warning.command false";

#[test]
fn every_keyword_of_the_configuration_is_known() {
    for line in CONFIGURATION.split("; ").map(str::trim) {
        let mut sources = SourceMap::new();
        let id = sources.add("mln.conf", line, None);
        let found = Settings::default().read(&sources, id, &BTreeMap::new(), false);
        assert_eq!(render_all(&found, &sources, Colours::Never), "", "{line}");
    }
}

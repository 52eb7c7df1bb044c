//! Xen: the whole configuration of a domain, what `xl` reads from it, and the scripts.

use std::path::PathBuf;

use mln_image::base::{ByteSize, GuestPath};
use mln_image::launch::{DomainSpec, LaunchError, LaunchSettings, files, specify};
use mln_image::project::{ExtraMount, Host, Interface, Platform, Project, Switch, Terminal};
use serde_json::{Value, json};

use crate::support::project::{at, host, interface, of, project};
use crate::support::scripts::Bench;
use crate::support::xl::xl_reads;

fn settings() -> LaunchSettings {
    LaunchSettings::new(PathBuf::from("/srv/mln/webfarm/www1"))
}

fn switch(name: &str) -> Switch {
    Switch {
        name: name.to_owned(),
        origin: at(30, &format!("switch {name}"), ()).origin,
        hub: false,
        bridge: None,
        socket: None,
        tap: None,
        owner: None,
        group: None,
        run_as: None,
        service_host: None,
        address: None,
        dhcp: None,
    }
}

fn on_switch(name: &str, switch: &str) -> Interface {
    Interface {
        switch: Some(at(12, &format!("switch {switch}"), switch.to_owned())),
        ..interface(name)
    }
}

/// The article's first web server.
fn www1() -> Host {
    Host {
        interfaces: vec![on_switch("eth0", "lan"), interface("eth1")],
        ..host("www1")
    }
}

fn webfarm(hosts: impl IntoIterator<Item = Host>) -> Project {
    Project {
        switches: vec![switch("lan")],
        ..project("webfarm", hosts)
    }
}

fn defined(host: &Host) -> DomainSpec {
    specify(&webfarm([host.clone()]), host, &settings()).unwrap()
}

fn configuration(spec: &DomainSpec) -> String {
    files(spec)
        .into_iter()
        .find(|file| file.name == "xl.cfg")
        .unwrap()
        .content
}

#[test]
fn paravirtual_domain_is_written_as_xl_reads_it() {
    let text = configuration(&defined(&www1()));
    assert_eq!(
        text,
        "# Host `www1` of project `webfarm`. Written by mln-image.\n\
         name = \"www1.webfarm\"\n\
         type = \"pv\"\n\
         kernel = \"/vmlinuz\"\n\
         ramdisk = \"/initrd.img\"\n\
         extra = \"console=hvc0 root=/dev/xvda rw net.ifnames=0\"\n\
         memory = 128\n\
         disk = [\n    \
             \"format=raw,vdev=xvda,access=rw,target=/srv/mln/webfarm/www1/root.img\",\n\
         ]\n\
         vif = [\n    \
             \"mac=00:16:3e:48:50:fe,bridge=lan.webfarm\",\n    \
             \"mac=00:16:3e:92:ee:97,bridge=xenbr0\",\n\
         ]\n\
         on_poweroff = \"destroy\"\n\
         on_reboot = \"restart\"\n\
         on_crash = \"destroy\"\n"
    );
    let read = xl_reads(&text);
    assert_eq!(read["c_info"]["name"], "www1.webfarm");
    assert_eq!(read["c_info"]["type"], "pv");
    assert_eq!(read["b_info"]["kernel"], "/vmlinuz");
    assert_eq!(read["b_info"]["ramdisk"], "/initrd.img");
    assert_eq!(
        read["b_info"]["cmdline"],
        "console=hvc0 root=/dev/xvda rw net.ifnames=0"
    );
    assert_eq!(read["b_info"]["max_memkb"], 128 * 1024);
    assert_eq!(
        read["nics"],
        json!([
            {"devid": 0, "mac": "00:16:3e:48:50:fe", "bridge": "lan.webfarm"},
            {"devid": 1, "mac": "00:16:3e:92:ee:97", "bridge": "xenbr0"},
        ])
    );
}

#[test]
fn disks_follow_the_guests_order_and_odd_paths_survive() {
    let mount = |source: &str, file_system: &str| {
        of(ExtraMount {
            source: source.to_owned(),
            mount_point: GuestPath::literal("/m"),
            file_system: file_system.to_owned(),
            options: "defaults".to_owned(),
        })
    };
    let host = Host {
        swap: Some(of(ByteSize(64 << 20))),
        mounts: vec![
            mount("server:/home", "nfs"),
            mount("data \"1\", \\2.img", "ext4"),
            mount("/srv/cd.iso", "iso9660"),
        ],
        memory: of(ByteSize(1 << 30)),
        vcpus: Some(of(3)),
        kernel: Some(of("/boot/my kernel".to_owned())),
        xen_extra: vec![
            of("cpus = \"0-1\"".to_owned()),
            of("on_crash = 'preserve'".to_owned()),
        ],
        ..host("www1")
    };
    let read = xl_reads(&configuration(&defined(&host)));
    let disk = |path: &str, vdev: &str, access: u8| {
        let mut disk = json!({"pdev_path": path, "vdev": vdev, "format": "raw"});
        if access == 1 {
            disk["readwrite"] = json!(1);
        }
        disk
    };
    assert_eq!(
        read["disks"],
        json!([
            disk("/srv/mln/webfarm/www1/root.img", "xvda", 1),
            disk("/srv/mln/webfarm/www1/swap.img", "xvdb", 1),
            disk("/srv/mln/webfarm/www1/data \"1\", \\2.img", "xvdc", 1),
            disk("/srv/cd.iso", "xvdd", 0),
        ])
    );
    assert_eq!(read["b_info"]["kernel"], "/boot/my kernel");
    assert_eq!(read["b_info"]["ramdisk"], Value::Null);
    assert_eq!(read["b_info"]["max_vcpus"], 3);
    assert_eq!(read["b_info"]["max_memkb"], 1 << 20);
    assert_eq!(read["on_crash"], "preserve");
}

#[test]
fn fully_virtual_domain_starts_what_its_disk_holds() {
    let mut host = Host {
        platform: of(Platform::XenHvm),
        ..www1()
    };
    let text = configuration(&defined(&host));
    assert!(!text.contains("kernel"), "{text}");
    let read = xl_reads(&text);
    assert_eq!(read["c_info"]["type"], "hvm");
    assert_eq!(read["disks"][0]["vdev"], "xvda");
    host.kernel = Some(of("/boot/k".to_owned()));
    host.ramdisk = Some(of("/boot/r".to_owned()));
    let read = xl_reads(&configuration(&defined(&host)));
    assert_eq!(read["b_info"]["kernel"], "/boot/k");
    assert_eq!(read["b_info"]["ramdisk"], "/boot/r");
    assert_eq!(
        read["b_info"]["cmdline"],
        "console=ttyS0 root=/dev/xvda rw net.ifnames=0"
    );
}

#[test]
fn scripts_hand_the_configuration_to_xl() {
    for (terminal, console) in [
        (
            Terminal::Screen,
            "screen <-dmS> <www1.webfarm> <xl> <console> <www1.webfarm>\n",
        ),
        (
            Terminal::Tmux,
            "tmux <new-session> <-d> <-s> <www1_webfarm> <xl> <console> <www1.webfarm>\n",
        ),
        (Terminal::Pty, ""),
        (Terminal::None, ""),
    ] {
        let host = Host {
            term: of(terminal),
            ..www1()
        };
        let bench = Bench::new(&files(&defined(&host)), &["xl", "screen", "tmux"]);
        assert!(bench.run("start", &[]).status.success());
        assert_eq!(bench.calls(), format!("xl <create> <xl.cfg>\n{console}"));
        assert!(bench.run("stop", &[]).status.success());
        assert!(bench.run("stop", &["--hard"]).status.success());
        assert_eq!(
            bench.calls(),
            "xl <shutdown> <www1.webfarm>\nxl <destroy> <www1.webfarm>\n"
        );
        assert_eq!(bench.run("stop", &["now"]).status.code(), Some(2));
        assert_eq!(bench.calls(), "");
    }
}

#[test]
fn bridges_have_names_that_the_kernel_takes() {
    for (switch_name, project_name, own, bridge) in [
        ("lan", "webfarm", None, "lan.webfarm"),
        ("lan", "elevenchars", None, "lan.elevenchars"),
        ("lan", "twelve_chars", None, "lan.welve_chars"),
        ("lan", "a_very_long_project_1", None, "lan.g_project_1"),
        ("thirteen_char", "webfarm", None, "thirteen_char.m"),
        ("fourteen_chars", "webfarm", None, "mlne87b285dd065"),
        ("lan", "webfarm", Some("br0"), "br0"),
    ] {
        let mut lan = switch(switch_name);
        lan.bridge = own.map(|name: &str| of(name.to_owned()));
        let host = Host {
            interfaces: vec![on_switch("eth0", switch_name)],
            ..host("a")
        };
        let project = Project {
            switches: vec![lan],
            ..project(project_name, [host.clone()])
        };
        let spec = specify(&project, &host, &settings()).unwrap();
        assert!(bridge.len() <= 15);
        assert_eq!(xl_reads(&configuration(&spec))["nics"][0]["bridge"], bridge);
    }
}

#[test]
fn bridge_of_an_interface_goes_before_its_switch() {
    let mut host = www1();
    host.interfaces[0].bridge = Some(of("br-dmz".to_owned()));
    let read = xl_reads(&configuration(&defined(&host)));
    assert_eq!(read["nics"][0]["bridge"], "br-dmz");
}

#[test]
fn hardware_addresses_are_stable_unique_and_the_projects_own_first() {
    let mut first = www1();
    first.interfaces[1].mac = Some(at(13, "mac", "00:16:3e:00:00:01".to_owned()));
    let macs = |project: &Project, host: &Host| -> Vec<String> {
        let spec = specify(project, host, &settings()).unwrap();
        spec.vifs.into_iter().map(|vif| vif.mac).collect()
    };
    let alone = macs(&webfarm([first.clone()]), &first);
    assert_eq!(alone, ["00:16:3e:48:50:fe", "00:16:3e:00:00:01"]);
    // The address that the names of `www1 eth0` make is taken by another machine.
    let mut thief = Host {
        interfaces: vec![interface("eth0")],
        ..host("www0")
    };
    thief.interfaces[0].mac = Some(at(14, "mac", alone[0].clone()));
    let both = webfarm([thief.clone(), first.clone()]);
    assert_eq!(macs(&both, &thief), [alone[0].clone()]);
    let moved = macs(&both, &first);
    assert_ne!(moved[0], alone[0]);
    assert!(moved[0].starts_with("00:16:3e:"));

    thief.interfaces[0].mac = Some(at(14, "mac", "00:16:3e:00:00:01".to_owned()));
    let error = specify(&webfarm([thief, first.clone()]), &first, &settings()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`00:16:3e:00:00:01` is the hardware address of `www0 eth0` and of `www1 eth1` (p.mln:13: mac)"
    );
}

#[test]
fn definitions_that_cannot_be_are_errors_with_their_line() {
    let one = |interface: Interface| Host {
        interfaces: vec![interface],
        ..host("a")
    };
    let mut comma = interface("eth0");
    comma.bridge = Some(at(15, "bridge a,b", "a,b".to_owned()));
    let kernel = Host {
        kernel: Some(of("/a\nb".to_owned())),
        ..host("a")
    };
    for (host, message) in [
        (
            one(on_switch("eth0", "wan")),
            "the project has no switch `wan` (p.mln:12: switch wan)",
        ),
        (
            one(on_switch("eth0", "/tmp/sw.ctl")),
            "the socket `/tmp/sw.ctl` is for User-Mode Linux, and the host runs on xen \
             (p.mln:12: switch /tmp/sw.ctl)",
        ),
        (
            one(comma),
            "`a,b` cannot be the name of a bridge: 1 to 15 letters, digits and `.:_-` (p.mln:15: bridge a,b)",
        ),
        (
            one(interface("eth1")),
            "the guest will call `eth1` `eth0`: interfaces are eth0, eth1 and so on (p.mln:2: network eth1)",
        ),
        (
            one(interface("ens3")),
            "the guest will call `ens3` `eth0`: interfaces are eth0, eth1 and so on (p.mln:2: network ens3)",
        ),
        (
            kernel,
            "`/a\nb` has a comma or a control character, which xen cannot take (p.mln:1: host a)",
        ),
    ] {
        let error = specify(&webfarm([host.clone()]), &host, &settings()).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn interfaces_are_ordered_by_number() {
    let host = Host {
        interfaces: (0..12)
            .rev()
            .map(|number| interface(&format!("eth{number}")))
            .collect(),
        ..host("a")
    };
    let names: Vec<String> = defined(&host).vifs.into_iter().map(|vif| vif.name).collect();
    assert_eq!(
        names,
        (0..12).map(|number| format!("eth{number}")).collect::<Vec<_>>()
    );
}

#[test]
fn more_disks_than_letters_are_an_error() {
    let mount = of(ExtraMount {
        source: "d".to_owned(),
        mount_point: GuestPath::literal("/d"),
        file_system: "ext4".to_owned(),
        options: "defaults".to_owned(),
    });
    let host = Host {
        mounts: vec![mount; 26],
        ..host("a")
    };
    assert_eq!(
        specify(&webfarm([]), &host, &settings()),
        Err(LaunchError::TooManyDisks {
            count: 27,
            limit: 26,
            origin: host.origin.clone(),
        })
    );
}

//! Every family of distributions and every renderer: what is told from a template, every file that is written, and the
//! renderer's own program reading it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use mln_image::edit::{Change, Content, Effect, effective};
use mln_image::project::{
    Family, Host, Interface, InterfaceAddress, InterfaceAddress6, Project, Renderer, Route, Vlan,
};

use crate::support::debian::{baked, configured};
use crate::support::families::{all, debian_with_udev};
use crate::support::memory_guest::MemoryGuest;
use crate::support::project::{account, at, host, interface, of, project, static_interface};
use crate::support::tool;
use crate::support::xl::unpacked;

/// A host with everything that a network can be asked for.
fn full() -> Host {
    let dhcp = Interface {
        address: Some(of(InterfaceAddress::Dhcp)),
        address6: Some(of(InterfaceAddress6::Auto)),
        ..interface("eth0")
    };
    let route = |destination: &str, gateway: &str, metric| {
        of(Route {
            destination: destination.parse().unwrap(),
            gateway: gateway.parse().unwrap(),
            metric,
        })
    };
    let fixed = Interface {
        gateway: Some(of("10.0.0.254".parse().unwrap())),
        address6: Some(of(InterfaceAddress6::Static("fd00::1/64".parse().unwrap()))),
        gateway6: Some(of("fd00::fe".parse().unwrap())),
        addresses: vec![
            of("10.0.0.2/24".parse().unwrap()),
            of("fd00::2/64".parse().unwrap()),
        ],
        routes: vec![
            route("10.1.0.0/16", "10.0.0.253", Some(5)),
            route("fd01::/64", "fd00::fd", None),
        ],
        mtu: Some(of(1400)),
        ..static_interface("eth1", "10.0.0.1")
    };
    let vlan = Interface {
        vlan: Some(of(Vlan {
            id: 10,
            parent: "eth1".to_owned(),
        })),
        ..static_interface("eth1.10", "10.10.0.1")
    };
    Host {
        interfaces: vec![dhcp, fixed, vlan, interface("eth2")],
        nameservers: vec![of("10.0.0.53".parse().unwrap()), of("fd00::53".parse().unwrap())],
        search: vec![of("example.org".to_owned()), of("lab".to_owned())],
        startup: vec![at(8, "touch /started", "touch /started".to_owned())],
        shutdown: vec![at(9, "sync", "sync".to_owned())],
        modules: Some(of(vec!["loop".to_owned()])),
        users: vec![account("ada", None)],
        ..host("www1")
    }
}

fn farm() -> Project {
    project("farm", [full()])
}

/// What was told, and every file that changes with its content; private keys without theirs.
fn shown(guest: &MemoryGuest) -> String {
    let found = configured(&farm(), &full(), guest).unwrap();
    let mut text = format!("family {}: {}\n", found.family.value.name(), found.family.reason);
    if let Some(renderer) = &found.renderer {
        writeln!(text, "network by {}: {}", renderer.value, renderer.reason).unwrap();
    }
    if let Some(init) = &found.init {
        writeln!(text, "started by {}: {}", init.value.name(), init.reason).unwrap();
    }
    for warning in &found.warnings {
        writeln!(text, "warning: {warning}").unwrap();
    }
    for (edit, effect) in effective(guest, &found.edits).unwrap() {
        let path = edit.path.to_string();
        if effect == Effect::None {
            continue;
        }
        writeln!(text, "=== {} {path}", effect.name()).unwrap();
        match &edit.change {
            Change::File { .. } if path.ends_with("_key") => text.push_str("a private key\n"),
            Change::File { content, attributes } => {
                if let Some(mode) = attributes.mode {
                    writeln!(text, "mode {mode:04o}").unwrap();
                }
                text.push_str(&text_of(content));
            }
            Change::Symlink { target, .. } => {
                writeln!(text, "-> {}", String::from_utf8_lossy(target)).unwrap();
            }
            _ => {}
        }
    }
    text
}

fn text_of(content: &Content) -> String {
    let bytes = match content {
        Content::Bytes(bytes) => bytes.to_vec(),
        Content::Joined(pieces) => pieces.concat(),
        Content::HostFile { path, .. } => panic!("nothing is copied here, and `{}` is", path.display()),
    };
    String::from_utf8(bytes).unwrap()
}

#[test]
fn every_family_gets_the_files_that_its_programs_read() {
    for (name, guest) in all() {
        insta::assert_snapshot!(name, shown(&guest));
    }
}

#[test]
fn a_second_bake_changes_nothing_in_any_family() {
    for (_, guest) in all() {
        // `baked` holds it.
        drop(baked(&farm(), &full(), &guest));
    }
}

/// The guest called `name`, baked.
fn baked_guest(name: &str) -> MemoryGuest {
    let (_, guest) = all().into_iter().find(|(known, _)| *known == name).unwrap();
    baked(&farm(), &full(), &guest)
}

#[track_caller]
fn said(output: &Output) -> String {
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{said}");
    said
}

/// A program that was unpacked, with its libraries.
fn unpacked_tool(path: &str) -> Command {
    let mut command = Command::new(unpacked(path));
    let libraries =
        ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].map(|path| unpacked(path).display().to_string());
    command
        .env("LC_ALL", "C")
        .env("LD_LIBRARY_PATH", libraries.join(":"));
    command
}

#[test]
fn busybox_understands_the_interfaces_of_alpine_and_busybox() {
    for name in ["alpine_openrc", "busybox_inittab"] {
        let directory = tempfile::tempdir().unwrap();
        baked_guest(name).write_below(directory.path());
        let output = tool("busybox", "busybox")
            .args(["ifup", "-n", "-f", "-a", "-i"])
            .arg(directory.path().join("etc/network/interfaces"))
            .output()
            .unwrap();
        insta::assert_snapshot!("busybox_ifup", said(&output));
    }
}

#[test]
fn ifup_understands_everything_that_a_network_can_be_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    baked_guest("debian_ifupdown").write_below(directory.path());
    fs::create_dir(directory.path().join("state")).unwrap();
    let output = Command::new(unpacked("sbin/ifup"))
        .args(["--no-act", "--force", "-a", "-i"])
        .arg(directory.path().join("etc/network/interfaces"))
        .arg("--state-dir")
        .arg(directory.path().join("state"))
        .output()
        .unwrap();
    let said = said(&output);
    let commands: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("ip "))
        .collect();
    insta::assert_snapshot!("ifup", commands.join("\n"));
}

#[test]
fn netplan_generates_from_its_file() {
    let directory = tempfile::tempdir().unwrap();
    baked_guest("ubuntu_netplan").write_below(directory.path());
    let output = unpacked_tool("usr/libexec/netplan/generate")
        .arg("--root-dir")
        .arg(directory.path())
        .output()
        .unwrap();
    assert_eq!(said(&output), "");
    let made = directory.path().join("run/systemd/network");
    let mut names: Vec<_> = fs::read_dir(&made)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    let text: Vec<String> = names
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            format!("=== {name}\n{}", fs::read_to_string(path).unwrap())
        })
        .collect();
    insta::assert_snapshot!("netplan_generate", text.join(""));
}

#[test]
fn network_manager_reads_its_profiles() {
    let directory = tempfile::tempdir().unwrap();
    baked_guest("fedora_network_manager").write_below(directory.path());
    let profiles = directory.path().join("etc/NetworkManager/system-connections");
    let mut text = String::new();
    for name in ["eth0", "eth1", "eth1.10", "eth2"] {
        let profile = profiles.join(format!("mln-{name}.nmconnection"));
        let output = unpacked_tool("usr/bin/nmcli")
            .args([
                "--offline",
                "connection",
                "modify",
                "connection.autoconnect",
                "yes",
            ])
            .stdin(fs::File::open(profile).unwrap())
            .output()
            .unwrap();
        write!(text, "=== {name}\n{}", said(&output)).unwrap();
    }
    insta::assert_snapshot!("nmcli_offline", text);
}

/// What systemd-networkd complains about in the files of `directory`, which it reads in a network of its own.
fn networkd_complaints(directory: &Path) -> Vec<String> {
    let script = "mount --bind \"$1\" /etc/systemd/network && mount -t tmpfs none /run && mkdir /run/systemd \
                  && exec timeout --preserve-status 3 /lib/systemd/systemd-networkd";
    let output = tool("unshare", "util-linux")
        .args(["-m", "-n", "sh", "-c", script, "sh"])
        .arg(directory)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // That it came so far shows that it has read them.
    assert!(
        said.contains("Enumeration completed") || said.contains("netlink"),
        "{said}"
    );
    said.lines()
        .filter(|line| line.contains("mln-") || line.contains("Unknown"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn networkd_finds_nothing_wrong_with_its_files() {
    for name in ["debian_networkd", "arch_networkd"] {
        let directory = tempfile::tempdir().unwrap();
        baked_guest(name).write_below(directory.path());
        let files = directory.path().join("etc/systemd/network");
        assert_eq!(networkd_complaints(&files), Vec::<String>::new());
        // The judge does judge.
        let wrong = files.join("20-mln-eth0.network");
        let text = fs::read_to_string(&wrong).unwrap().replace("DHCP=", "Dhcp4=");
        std::io::Write::write_all(&mut fs::File::create(&wrong).unwrap(), text.as_bytes()).unwrap();
        assert_eq!(networkd_complaints(&files).len(), 1);
    }
}

#[test]
fn shells_read_the_files_of_network_scripts_and_wicked() {
    for (name, directory, variables, expected) in [
        (
            "redhat_5_network_scripts",
            "etc/sysconfig/network-scripts",
            "$DEVICE $ONBOOT $BOOTPROTO $IPADDR/$PREFIX $GATEWAY $MTU $IPV6ADDR $IPV6ADDR_SECONDARIES",
            "eth1 yes none 10.0.0.1/24 10.0.0.254 1400 fd00::1/64 fd00::2/64\n",
        ),
        (
            "suse_wicked",
            "etc/sysconfig/network",
            "$STARTMODE $BOOTPROTO $IPADDR $IPADDR_1 $IPADDR_2 $IPADDR_3 $MTU",
            "auto static 10.0.0.1/24 fd00::1/64 10.0.0.2/24 fd00::2/64 1400\n",
        ),
    ] {
        let root = tempfile::tempdir().unwrap();
        baked_guest(name).write_below(root.path());
        let output = tool("dash", "dash")
            .args(["-euc", &format!(". \"$1\"; echo {variables}"), "dash"])
            .arg(root.path().join(directory).join("ifcfg-eth1"))
            .output()
            .unwrap();
        assert_eq!(said(&output), expected);
    }
}

#[test]
fn an_interface_known_by_its_hardware_address_gets_its_name_by_it() {
    let mut by_mac = static_interface("eth0", "10.0.0.1");
    by_mac.match_mac = true;
    by_mac.mac = Some(of("00:16:3e:00:00:07".to_owned()));
    let host = Host {
        interfaces: vec![by_mac],
        ..host("a")
    };
    let guest = baked(&project("p", [host.clone()]), &host, &debian_with_udev());
    assert_eq!(
        guest.text("/etc/systemd/network/10-mln-eth0.link"),
        "# Written by mln-image from the project's description.\n\
         [Match]\nMACAddress=00:16:3e:00:00:07\nType=ether\n\n[Link]\nName=eth0\n"
    );
    let (_, busybox) = all().pop().unwrap();
    let error = configured(&project("p", [host.clone()]), &host, &busybox).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`match mac` of `eth0` cannot be written for `ifupdown` in this template (p.mln:2: network eth0)"
    );
}

#[test]
fn a_vlan_needs_the_interface_that_carries_it() {
    let mut host = full();
    host.interfaces.remove(1);
    let error = configured(&farm(), &host, &debian_with_udev()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`eth1.10` is a VLAN on `eth1`, and the host has no such interface (test)"
    );
}

#[test]
fn a_doubtful_family_is_an_error_until_the_project_says_it() {
    let mut guest = debian_with_udev();
    guest
        .without("/etc/os-release")
        .file("/etc/redhat-release", "x\n");
    let mut host = full();
    let error = configured(&farm(), &host, &guest).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the template could be `debian`, for the template has `/etc/debian_version`, or `redhat`, for the template \
         has `/etc/redhat-release`; choose one by the keyword `family`"
    );
    host.family = Some(at(4, "family debian", Family::Debian));
    let found = configured(&farm(), &host, &guest).unwrap();
    assert_eq!(
        found.family.reason,
        "the project says so (p.mln:4: family debian)"
    );
    assert_eq!(found.renderer.unwrap().value, Renderer::Ifupdown);
    guest
        .without("/etc/debian_version")
        .without("/etc/redhat-release");
    host.family = None;
    let error = configured(&farm(), &host, &guest).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the template has no `/etc/os-release` nor anything else by which a distribution is known; choose its family \
         by the keyword `family`"
    );
}

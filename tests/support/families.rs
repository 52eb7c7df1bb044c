//! Small guests of every family, each with the files by which its family, its renderer and its init are known.

use super::debian::debian;
use super::memory_guest::MemoryGuest;

/// Every guest, by name.
pub(crate) fn all() -> Vec<(&'static str, MemoryGuest)> {
    vec![
        ("debian_ifupdown", debian_with_udev()),
        ("debian_networkd", debian_networkd()),
        ("debian_network_manager", debian_network_manager()),
        ("ubuntu_netplan", ubuntu()),
        ("redhat_5_network_scripts", redhat_5()),
        ("fedora_network_manager", fedora()),
        ("suse_wicked", suse()),
        ("arch_networkd", arch()),
        ("alpine_openrc", alpine()),
        ("busybox_inittab", busybox()),
    ]
}

/// Debian as its template really is: with udev, an ssh server and a machine-id.
pub(crate) fn debian_with_udev() -> MemoryGuest {
    let mut guest = debian();
    guest
        .directory("/etc/dhcp/dhclient-enter-hooks.d")
        .file("/usr/lib/systemd/network/99-default.link", "")
        .file(
            "/etc/ssh/sshd_config",
            "PermitRootLogin no\n#HostKey /etc/ssh/ssh_host_rsa_key\n",
        )
        .file("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        .own("/etc/machine-id", 0o444, 0, 0)
        .file(
            "/etc/sudoers",
            "root ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n",
        )
        .own("/etc/sudoers", 0o440, 0, 0)
        .directory("/etc/sudoers.d");
    guest
}

fn debian_networkd() -> MemoryGuest {
    let mut guest = debian_with_udev();
    guest
        .without("/usr/sbin/ifup")
        .without("/etc/network")
        .file("/usr/lib/systemd/system/systemd-networkd.service", "")
        .link(
            "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
            "/usr/lib/systemd/system/systemd-networkd.service",
        )
        .file(
            "/etc/systemd/network/80-dhcp.network",
            "[Match]\nName=*\n\n[Network]\nDHCP=yes\n",
        )
        .link("/etc/systemd/network/73-usb-net-by-mac.link", "/dev/null")
        .link("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf");
    guest
}

fn debian_network_manager() -> MemoryGuest {
    let mut guest = debian_with_udev();
    guest
        .without("/usr/sbin/ifup")
        .without("/etc/network")
        .file("/usr/sbin/NetworkManager", "")
        .file("/usr/lib/systemd/system/NetworkManager.service", "")
        .file(
            "/etc/NetworkManager/system-connections/Wired connection 1.nmconnection",
            "[connection]\nid=Wired connection 1\n",
        );
    guest
}

fn ubuntu() -> MemoryGuest {
    let mut guest = debian_networkd();
    guest
        .file("/etc/os-release", "ID=ubuntu\nID_LIKE=debian\n")
        .file("/usr/sbin/netplan", "")
        .directory("/etc/cloud/cloud.cfg.d")
        .without("/etc/systemd/network/80-dhcp.network")
        .file(
            "/etc/netplan/50-cloud-init.yaml",
            "network:\n  version: 2\n  renderer: networkd\n  ethernets:\n    ens3: {dhcp4: true}\n",
        );
    guest
}

/// What every guest that is no Debian begins with.
fn plain(os_release: &str) -> MemoryGuest {
    let mut guest = MemoryGuest::new();
    guest
        .file("/etc/hosts", "127.0.0.1 localhost localhost.localdomain\n")
        .file("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        .file("/etc/shadow", "root:*:19000:0:99999:7:::\n")
        .own("/etc/shadow", 0o600, 0, 0)
        .file("/etc/group", "root:x:0:\nwheel:x:10:\nusers:x:100:\n")
        .file("/etc/fstab", "")
        .file("/etc/ssh/sshd_config", "UsePAM yes\n")
        .directory("/etc/skel")
        .directory("/home")
        .directory("/root");
    if !os_release.is_empty() {
        guest.file("/etc/os-release", os_release);
    }
    guest
}

fn redhat_5() -> MemoryGuest {
    let mut guest = plain("");
    guest
        .file("/etc/redhat-release", "CentOS release 5.11 (Final)\n")
        .file(
            "/etc/sysconfig/network",
            "NETWORKING=no\nHOSTNAME=localhost.localdomain\n",
        )
        .file("/etc/sysconfig/network-scripts/ifup", "")
        .file("/etc/sysconfig/network-scripts/ifcfg-lo", "DEVICE=lo\n")
        .file(
            "/etc/sysconfig/network-scripts/ifcfg-eth0",
            "DEVICE=eth0\nHWADDR=00:0C:29:AA:BB:CC\n",
        )
        .file("/etc/udev/rules.d/70-persistent-net.rules", "NAME=\"eth7\"\n")
        .file("/sbin/init", "")
        .directory("/etc/rc.d/init.d")
        .link("/etc/init.d", "rc.d/init.d")
        .file("/bin/bash", "");
    for level in 0..=6 {
        guest
            .directory(&format!("/etc/rc.d/rc{level}.d"))
            .link(&format!("/etc/rc{level}.d"), &format!("rc.d/rc{level}.d"));
    }
    guest
}

fn fedora() -> MemoryGuest {
    let mut guest = plain("ID=fedora\nVERSION_ID=40\n");
    guest
        .file("/usr/sbin/NetworkManager", "")
        .file("/usr/lib/systemd/system/NetworkManager.service", "")
        .link(
            "/etc/systemd/system/multi-user.target.wants/NetworkManager.service",
            "/usr/lib/systemd/system/NetworkManager.service",
        )
        .file("/usr/lib/systemd/systemd", "")
        .file("/usr/lib/systemd/network/99-default.link", "")
        .link("/sbin", "usr/sbin")
        .link("/usr/sbin/init", "../lib/systemd/systemd")
        .file("/etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=targeted\n")
        .file("/etc/machine-id", "uninitialized\n");
    guest
}

fn suse() -> MemoryGuest {
    let mut guest = plain("ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n");
    guest
        .file("/etc/login.defs", "USERGROUPS_ENAB no\n")
        .file("/usr/sbin/wicked", "")
        .link("/etc/systemd/system/network.service", "/usr/lib/systemd/system/wicked.service")
        .file(
            "/etc/sysconfig/network/config",
            "NETCONFIG_DNS_POLICY=\"auto\"\nNETCONFIG_DNS_STATIC_SERVERS=\"\"\nNETCONFIG_DNS_STATIC_SEARCHLIST=\"\"\n",
        )
        .file("/etc/sysconfig/network/ifcfg-lo", "IPADDR=127.0.0.1/8\n")
        .file("/etc/sysconfig/network/ifcfg-ens3", "BOOTPROTO=dhcp\n")
        .file("/usr/lib/systemd/systemd", "")
        .file("/usr/lib/systemd/network/99-default.link", "");
    guest
}

fn arch() -> MemoryGuest {
    let mut guest = plain("ID=arch\n");
    guest
        .file("/usr/lib/systemd/systemd", "")
        .file("/usr/lib/systemd/systemd-networkd", "")
        .file("/usr/lib/systemd/network/99-default.link", "")
        .file("/usr/lib/systemd/system/systemd-networkd.service", "")
        .file("/usr/bin/bash", "")
        .link("/bin", "usr/bin");
    guest
}

fn alpine() -> MemoryGuest {
    let mut guest = plain("ID=alpine\n");
    guest
        .file("/etc/alpine-release", "3.20.0\n")
        .file("/sbin/openrc", "")
        .link("/sbin/init", "/bin/busybox")
        .file("/bin/busybox", "")
        .link("/sbin/ifup", "/bin/busybox")
        .file("/etc/init.d/networking", "")
        .file("/etc/init.d/local", "")
        .file("/etc/network/interfaces", "auto lo\niface lo inet loopback\n");
    guest
}

fn busybox() -> MemoryGuest {
    let mut guest = plain("");
    guest
        .without("/etc/shadow")
        .without("/etc/ssh")
        .file("/etc/passwd", "root::0:0:root:/root:/bin/sh\n")
        .link("/sbin/init", "/bin/busybox")
        .file("/bin/busybox", "")
        .link("/sbin/ifup", "/bin/busybox")
        .file("/etc/dropbear/dropbear_ed25519_host_key", "template's\n")
        .file(
            "/etc/inittab",
            "::sysinit:/etc/init.d/rcS\n::respawn:/bin/sh\n::shutdown:/bin/umount -a -r\n",
        )
        .file("/etc/init.d/rcS", "#!/bin/sh\nmount -a\nifup -a\n")
        .file("/etc/network/interfaces", "");
    guest
}

//! What may stand in a `host` or `superclass` block and is acted on, by this program or a bundled plugin.

use super::super::image_format::IMAGE_FORMATS;
use super::super::model::{Family, IdentityChoice, Renderer, Terminal};
use super::super::schema::BlockContent as B;
use super::super::schema::Keyword;
use super::super::schema::Place::Host;
use super::super::schema::ValueKind as V;
use super::{here, plugin};

pub(super) const KEYWORDS: &[Keyword] = &[
    here(
        Host,
        "superclass",
        V::Word,
        "inherits everything from a superclass",
    )
    .example("superclass common"),
    here(
        Host,
        "template",
        V::Word,
        "the file system to start from: a name, with or without version",
    )
    .or("`default_template` of mln.conf")
    .example("template debian-12.ext3"),
    here(
        Host,
        "size",
        V::Size,
        "the file system's size; less than the template's shrinks it, as far as its files allow",
    )
    .or("250M"),
    here(
        Host,
        "free_space",
        V::Size,
        "the template's size and this much more; 0M makes the smallest image; goes before `size`",
    )
    .example("free_space 1G"),
    here(
        Host,
        "root_partition",
        V::Word,
        "the root of a template that is a whole disk: number, label or PARTUUID",
    )
    .or("the one whose type says so, else the only one with an ext file system")
    .example("root_partition 2"),
    here(Host, "swap", V::Size, "makes a swap image of this size")
        .or("no swap")
        .example("swap 256M"),
    here(Host, "memory", V::Memory, "the machine's memory")
        .or("128M")
        .example("memory 512M"),
    here(Host, "vcpus", V::Number(1, 512), "the number of processors")
        .or("1")
        .example("vcpus 2"),
    here(Host, "xen", V::Flag, "runs under Xen, paravirtual")
        .or("off: User-Mode Linux, or `default_vm` of mln.conf"),
    here(Host, "hvm", V::Flag, "runs under Xen, fully virtual").or("off"),
    here(Host, "qemu", V::Flag, "runs under QEMU").or("off"),
    here(Host, "kvm", V::Any, "runs under QEMU with KVM").or("off"),
    here(
        Host,
        "term",
        V::Choice(&Terminal::NAMES),
        "where the console goes",
    )
    .or("xterm"),
    here(
        Host,
        "nameserver",
        V::Addresses,
        "the name servers, one or several on a line",
    )
    .or("those of the template")
    .example("nameserver 128.39.89.10"),
    here(
        Host,
        "search",
        V::Text,
        "the domains in which short names are looked up",
    )
    .example("search example.org"),
    here(Host, "root_password", V::Hash, "root's password hash").or("the template's"),
    here(Host, "root_passwd", V::Hash, "the same as `root_password`"),
    here(
        Host,
        "boot_order",
        V::Number(0, 99),
        "start order, lower first; stops in reverse",
    )
    .or("99"),
    here(
        Host,
        "sudo",
        V::Word,
        "the user as whom root runs the machine, and who gets its images",
    )
    .or("who starts the project")
    .example("sudo lab"),
    here(Host, "owner", V::Word, "the same as `sudo`, which goes before it"),
    here(
        Host,
        "group",
        V::Word,
        "the group that gets the machine's images, and may write them, when it is started",
    )
    .or("that of who bakes it")
    .example("group lab"),
    here(
        Host,
        "nice",
        V::Integer(-20, 19),
        "how far the machine's process stands back for others; not under Xen",
    )
    .or("0")
    .example("nice 10"),
    here(Host, "kernel", V::Text, "the kernel file on the server")
        .or("`default_kernel` or `xen_kernel` of mln.conf"),
    here(Host, "ramdisk", V::Text, "the initial ramdisk file on the server").or("`xen_ramdisk` of mln.conf"),
    here(Host, "service_host", V::Word, "the server that runs it")
        .or("this one")
        .example("service_host mln1.example.org"),
    here(Host, "location", V::Word, "the same as `service_host`"),
    here(Host, "network", V::Block(B::Interfaces), "an interface")
        .example("network eth0 {\n    switch lan\n    address 10.0.0.1\n    netmask 255.255.255.0\n}"),
    here(
        Host,
        "users",
        V::Block(B::Users),
        "accounts: `name hash [home [uid]]`, or a block for each",
    )
    .example("users {\n    john $6$salt$hash /home/john 1001\n}"),
    here(
        Host,
        "groups",
        V::Block(B::Groups),
        "groups: `name { member .. }`; an existing one gets the members",
    )
    .example("groups {\n    admin {\n        john\n    }\n}"),
    here(Host, "startup", V::Lines, "shell lines run at every start")
        .example("startup {\n    echo \"$hostname is up\" >> /var/log/starts\n}"),
    here(Host, "shutdown", V::Lines, "shell lines run at every shutdown"),
    here(
        Host,
        "modules",
        V::Block(B::Modules),
        "kernel modules to load at start",
    )
    .example("modules {\n    loop\n}"),
    here(
        Host,
        "files",
        V::Block(B::Files),
        "files and trees to copy in: `source destination [mode]`",
    )
    .example("files {\n    web/index.html /var/www/html/ 644\n}"),
    here(
        Host,
        "mount",
        V::Block(B::Mounts),
        "further disks: `source mountpoint type [options]`",
    )
    .example("mount {\n    /srv/data.img /data ext4 noatime\n}"),
    here(Host, "xen_extra", V::Lines, "lines for the Xen configuration"),
    here(
        Host,
        "renderer",
        V::Choice(&Renderer::NAMES),
        "what configures the network in the guest",
    )
    .or("detected from the template"),
    here(
        Host,
        "family",
        V::Choice(&Family::NAMES),
        "the guest's family of distributions",
    )
    .or("detected from the template"),
    here(
        Host,
        "identity",
        V::Choice(&IdentityChoice::NAMES),
        "where machine-id and ssh host keys come from",
    )
    .or("own"),
    here(
        Host,
        "host_keys",
        V::Text,
        "the kinds of ssh host key: `ed25519`, `ecdsa`, `rsa`",
    )
    .or("those that the template's server reads")
    .example("host_keys ed25519 rsa"),
    here(
        Host,
        "format",
        V::Choice(IMAGE_FORMATS),
        "the format of the root image; `gpt` puts a bare file system into a disk with a partition table; a type of file \
         system, as in a later dialect, is taken from the template",
    )
    .or("raw")
    .example("format qcow2"),
    here(
        Host,
        "cow_filesystem",
        V::Word,
        "a copy-on-write image for User-Mode Linux; hosts that name the same have one size and one template",
    )
    .example("cow_filesystem base"),
    here(Host, "cow", V::Word, "the same as `cow_filesystem`"),
    plugin(Host, "ssh_key", "public keys for accounts: `user key`")
        .example("ssh_key {\n    root ssh-ed25519 AAAAC3Nz.. ann@example.org\n}"),
    plugin(Host, "sshkey", "the same as `ssh_key`"),
    plugin(Host, "internal_swap", "a swap file of this size inside the image").example("internal_swap 64M"),
    plugin(Host, "internalswap", "the same as `internal_swap`"),
    plugin(Host, "hosts_file", "adds the hosts of a switch to /etc/hosts")
        .example("hosts_file {\n    switch lan\n}"),
    plugin(Host, "hostsFile", "the same as `hosts_file`"),
    plugin(Host, "apache", "the Apache web server").example("apache {\n    DocumentRoot /srv/www\n}"),
    plugin(Host, "postfix", "the Postfix mail server")
        .example("postfix {\n    relayhost mail.example.org\n}"),
    plugin(Host, "puppet", "the Puppet agent")
        .example("puppet {\n    nodename web\n    include {\n        apache\n    }\n}"),
];

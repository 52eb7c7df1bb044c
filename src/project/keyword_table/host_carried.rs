//! What may stand in a `host` or `superclass` block and is known, but changes nothing by itself.

use super::super::schema::Keyword;
use super::super::schema::Place::Host;
use super::super::schema::ValueKind as V;
use super::{carried, dead};

pub(super) const KEYWORDS: &[Keyword] = &[
    carried(Host, "color", V::Word, "the colour of an xterm console").or("lightgrey"),
    carried(
        Host,
        "modules_dir",
        V::Text,
        "where the kernel's modules are copied from",
    ),
    carried(Host, "lvm", V::Any, "puts the image into a logical volume").or("off"),
    carried(Host, "lvm_vg", V::Word, "the volume group"),
    carried(
        Host,
        "lvm_snapshot",
        V::Flag,
        "makes the image a snapshot of a logical volume",
    ),
    carried(Host, "filepath", V::Text, "the directory that holds the image"),
    carried(Host, "filesystem", V::Text, "uses an existing image or device"),
    carried(Host, "cpus", V::Text, "the processors that Xen may use"),
    carried(Host, "vncdisplay", V::Any, "the VNC display"),
    carried(Host, "vncpasswd", V::Any, "the VNC password"),
    carried(Host, "vncpassword", V::Any, "the same as `vncpasswd`"),
    carried(Host, "vnckeymap", V::Any, "the VNC keyboard"),
    carried(Host, "locking", V::Any, "guards against a double start"),
    carried(Host, "lock_dir", V::Text, "where lock files lie"),
    carried(Host, "lock_timeout", V::Any, "when a lock file is stale").or("60 seconds"),
    carried(
        Host,
        "extra",
        V::Any,
        "kernel arguments, for a plugin of that name",
    ),
    carried(
        Host,
        "vncplugin",
        V::Any,
        "a VNC console, for a plugin of that name",
    ),
    carried(
        Host,
        "winconfig",
        V::Any,
        "a Windows guest, for a plugin of that name",
    ),
    carried(
        Host,
        "fedora",
        V::Any,
        "accounts of a Fedora guest, for a plugin of that name",
    ),
    carried(Host, "roles", V::Any, "roles, in the first versions of MLN"),
    carried(
        Host,
        "virTech",
        V::Any,
        "the platform, in a later dialect: `xen`, `kvm` and others",
    ),
    carried(
        Host,
        "vcpu",
        V::Any,
        "the number of processors, in a later dialect: `vcpus`",
    ),
    carried(
        Host,
        "qcow",
        V::Any,
        "a qcow2 image, in a later dialect: `format qcow2`",
    ),
    carried(
        Host,
        "offset",
        V::Any,
        "where a partition begins, in a later dialect",
    ),
    carried(
        Host,
        "nbddev",
        V::Any,
        "a network block device, in a later dialect",
    ),
    carried(Host, "nbdpart", V::Any, "a partition, in a later dialect"),
    carried(Host, "boot_img", V::Any, "a boot image, in a later dialect"),
    carried(Host, "vncport", V::Any, "the VNC port, in a later dialect"),
    carried(Host, "vncpass", V::Any, "the VNC password, in a later dialect"),
    dead(Host, "vmware", "VMware", "runs under VMware"),
    dead(
        Host,
        "ec2",
        "the EC2 of 2009",
        "runs in Amazon EC2: type, region, zone, image and so on",
    ),
    dead(
        Host,
        "openstack",
        "OpenStack",
        "runs in OpenStack: image, flavor, keypair and so on",
    ),
    dead(Host, "iscsi", "iSCSI", "puts the image onto an iSCSI server"),
    dead(Host, "iscsi_target", "iSCSI", "the iSCSI target"),
    dead(Host, "devfs", "devfs", "the device file system of Linux 2.4"),
    dead(Host, "vtun", "vtun", "tunnels between switches"),
    dead(Host, "dyndns", "dynamic DNS", "registers the host's name"),
];

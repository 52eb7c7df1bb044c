//! What a partition is for, as its table says.

use std::fmt;

use uuid::{Uuid, uuid};

/// The type that a table gives a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionKind {
    /// The type GUID of a GPT.
    Gpt(Uuid),
    /// The type byte of an MBR.
    Mbr(u8),
}

/// A Linux root of x86-64.
pub(super) const ROOT_X86_64: Uuid = uuid!("4f68bce3-e8cd-4db1-96e7-fbcaf984b709");

const ESP: Uuid = uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
const BIOS_BOOT: Uuid = uuid!("21686148-6449-6e6f-744e-656564454649");
/// A file system of Linux.
pub(super) const LINUX: Uuid = uuid!("0fc63daf-8483-4772-8e79-3d69d8477de4");

/// The types of Linux roots, one for each architecture that the specification knows and guests are likely to have.
const ROOTS: [(Uuid, &str); 8] = [
    (ROOT_X86_64, "Linux root (x86-64)"),
    (uuid!("44479540-f297-41b2-9af7-d131d5f0458a"), "Linux root (x86)"),
    (
        uuid!("b921b045-1df0-41c3-af44-4c6f280d3fae"),
        "Linux root (ARM64)",
    ),
    (uuid!("69dad710-2ce4-4e3c-b16c-21a1d49abed3"), "Linux root (ARM)"),
    (
        uuid!("72ec70a6-cf74-40e6-bd49-4bda08e8f224"),
        "Linux root (RISC-V 64)",
    ),
    (
        uuid!("c31c45e6-3f39-412e-80fb-4809c4980599"),
        "Linux root (PPC64 LE)",
    ),
    (
        uuid!("5eead9a9-fe09-4a1e-a1d7-520d00531306"),
        "Linux root (s390x)",
    ),
    (
        uuid!("77055800-792c-4f94-b39a-98c91b762bb6"),
        "Linux root (LoongArch64)",
    ),
];

const OTHERS: [(Uuid, &str); 8] = [
    (ESP, "EFI system"),
    (LINUX, "Linux"),
    (BIOS_BOOT, "BIOS boot"),
    (
        uuid!("bc13c2ff-59e6-4262-a352-b275fd6f7172"),
        "Linux extended boot",
    ),
    (uuid!("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"), "Linux swap"),
    (uuid!("933ac7e1-2eb4-4f13-b844-0e14e2aef915"), "Linux home"),
    (uuid!("e6d6d379-f507-44c2-a23c-238f2a3df928"), "Linux LVM"),
    (
        uuid!("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"),
        "Microsoft basic data",
    ),
];

impl PartitionKind {
    /// Whether the table says that it is the root of a Linux system.
    pub fn is_root(self) -> bool {
        matches!(self, Self::Gpt(guid) if ROOTS.iter().any(|(root, _)| *root == guid))
    }

    /// Whether the table says no more than that Linux uses it.
    pub fn is_plain_linux(self) -> bool {
        matches!(self, Self::Gpt(LINUX) | Self::Mbr(0x83))
    }

    /// Whether it holds the boot loader that the BIOS of a PC starts.
    pub fn is_bios_boot(self) -> bool {
        self == Self::Gpt(BIOS_BOOT)
    }

    /// Whether it is an EFI system partition.
    pub fn is_esp(self) -> bool {
        matches!(self, Self::Gpt(ESP) | Self::Mbr(0xEF))
    }
}

impl fmt::Display for PartitionKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gpt(guid) => match ROOTS.iter().chain(&OTHERS).find(|(known, _)| known == guid) {
                Some((_, name)) => formatter.write_str(name),
                None => fmt::Display::fmt(guid, formatter),
            },
            Self::Mbr(0x83) => formatter.write_str("Linux"),
            Self::Mbr(0x82) => formatter.write_str("Linux swap"),
            Self::Mbr(0xEF) => formatter.write_str("EFI system"),
            Self::Mbr(0x05 | 0x0F | 0x85) => formatter.write_str("extended"),
            Self::Mbr(code) => write!(formatter, "type {code:02x}"),
        }
    }
}

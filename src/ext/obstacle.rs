//! Inodes whose content or names the engine cannot know: encrypted, casefolded, verified or compressed ones. Whatever
//! does not touch them works; touching them is refused with the inode and the feature
//! (<https://docs.kernel.org/filesystems/ext4/inodes.html>, `i_flags`).

use super::error::{Access, ExtError};
use super::feature::{self, Feature, Features};
use super::fs::Fs;
use super::inode::Node;

/// What is wanted of an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touch {
    /// The bytes of a file, or the text of a link.
    ReadContent,
    /// Other bytes.
    WriteContent,
    /// Names into or out of a directory.
    ChangeNames,
}

/// A flag of an inode, the feature that it belongs to, and what it stands against.
struct Obstacle {
    flag: u32,
    feature: Feature,
    against: &'static [Touch],
}

const OBSTACLES: &[Obstacle] = &[
    Obstacle {
        flag: 0x800,
        feature: feature::ENCRYPT,
        against: &[Touch::ReadContent, Touch::WriteContent, Touch::ChangeNames],
    },
    Obstacle {
        flag: 0x4000_0000,
        feature: feature::CASEFOLD,
        against: &[Touch::ChangeNames],
    },
    Obstacle {
        flag: 0x10_0000,
        feature: feature::VERITY,
        against: &[Touch::WriteContent],
    },
    // The inode holds compressed clusters; the flag that only asks for compression stands in nobody's way.
    Obstacle {
        flag: 0x200,
        feature: feature::COMPRESSION,
        against: &[Touch::ReadContent, Touch::WriteContent],
    },
];

impl Fs {
    /// Refuses, by inode and feature, what cannot be done to `node`.
    pub(crate) fn check_touch(&self, node: &Node, touch: Touch) -> Result<(), ExtError> {
        check(self.superblock.features(), node, touch)
    }
}

/// Refuses, by inode and feature, what cannot be done to `node`.
///
/// A flag counts even where the file system lacks its feature, since the kernel trusts such an inode no more than we
/// do; but the flag for compressed clusters is an old one that others have used since.
fn check(features: Features, node: &Node, touch: Touch) -> Result<(), ExtError> {
    let stands_against = |obstacle: &&Obstacle| {
        let is_old = obstacle.feature.name() == feature::COMPRESSION.name();
        node.has_flag(obstacle.flag)
            && obstacle.against.contains(&touch)
            && (!is_old || features.has(obstacle.feature))
    };
    match OBSTACLES.iter().find(stands_against) {
        None => Ok(()),
        Some(obstacle) => Err(ExtError::UnsupportedInode {
            inode: node.number(),
            access: match touch {
                Touch::ReadContent => Access::Read,
                Touch::WriteContent | Touch::ChangeNames => Access::Edit,
            },
            feature: obstacle.feature.name(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ext::types::InodeNo;

    fn refusal(flag: u32, incompat: u32, touch: Touch) -> Option<String> {
        let mut node = Node::new(InodeNo::new(12).unwrap(), vec![0; 256]);
        node.set_flag(flag, true);
        let features = Features {
            compat: 0,
            incompat,
            ro_compat: 0,
        };
        check(features, &node, touch).err().map(|error| error.to_string())
    }

    #[test]
    fn a_refusal_names_inode_and_feature() {
        assert_eq!(
            refusal(0x800, 0, Touch::ReadContent).as_deref(),
            Some("inode 12 cannot be read: encrypt")
        );
        assert_eq!(
            refusal(0x4000_0000, 0, Touch::ChangeNames).as_deref(),
            Some("inode 12 cannot be edited: casefold")
        );
        assert_eq!(
            refusal(0x10_0000, 0, Touch::WriteContent).as_deref(),
            Some("inode 12 cannot be edited: verity")
        );
        assert_eq!(
            refusal(0x200, 1, Touch::WriteContent).as_deref(),
            Some("inode 12 cannot be edited: compression")
        );
    }

    #[test]
    fn what_can_be_done_is_not_refused() {
        assert_eq!(refusal(0x4000_0000, 0, Touch::ReadContent), None);
        assert_eq!(refusal(0x10_0000, 0, Touch::ReadContent), None);
        assert_eq!(refusal(0x200, 0, Touch::ReadContent), None);
        assert_eq!(refusal(0x8_0000, 0, Touch::WriteContent), None);
    }
}

//! The superblock and the descriptor of a new file system of one group.

use zerocopy::FromZeros as _;
use zerocopy::little_endian::U32;

use super::inodes::BlockMap;
use super::layout::Layout;
use super::options::{ExtKind, FormatOptions};
use crate::ext::group::{GroupDescriptor, INODE_ZEROED};
use crate::ext::raw::RawSuperblock;
use crate::ext::types::{FsBlock, split32, split64};

/// Inodes 1 to 10 are reserved; the first file, `lost+found`, is 11.
pub(super) const USED_INODES: u32 = 11;
/// How many bytes of fields an inode has after its first 128, if it has room for any.
pub(super) const EXTRA_LEN: u16 = 32;

const MAGIC: u16 = 0xEF53;
const STATE_CLEAN: u16 = 1;
const ON_ERROR_CONTINUE: u16 = 1;
const FIRST_INODE: u32 = 11;
const JOURNAL_INODE: u32 = 8;
const HASH_HALF_MD4: u8 = 1;
const SIGNED_HASH: u32 = 1;
const MOUNT_USER_XATTR_AND_ACL: u32 = 0xC;
const JOURNAL_BACKUP_BLOCKS: u8 = 1;
const CHECKSUM_CRC32C: u8 = 1;
const LOG_GROUPS_PER_FLEX: u8 = 4;

// Features: https://docs.kernel.org/filesystems/ext4/super.html
const COMPAT: u32 = 0x8 | 0x10 | 0x20; // ext_attr, resize_inode, dir_index
const COMPAT_HAS_JOURNAL: u32 = 0x4;
const INCOMPAT: u32 = 0x2; // filetype
const INCOMPAT_EXT4: u32 = 0x40 | 0x80 | 0x200; // extents, 64bit, flex_bg
const RO_COMPAT: u32 = 0x1 | 0x2; // sparse_super, large_file
const RO_COMPAT_EXT4: u32 = 0x8 | 0x20 | 0x40 | 0x400; // huge_file, dir_nlink, extra_isize, metadata_csum

/// The superblock; its checksum is still to come.
pub(super) fn superblock(
    layout: &Layout,
    options: &FormatOptions,
    journal: Option<&BlockMap>,
) -> RawSuperblock {
    let mut raw = RawSuperblock::new_zeroed();
    fill_counts(&mut raw, layout, options);
    fill_features(&mut raw, options);
    fill_identity(&mut raw, options);
    if options.inode_len_bytes > 128 {
        raw.s_min_extra_isize = EXTRA_LEN.into();
        raw.s_want_extra_isize = EXTRA_LEN.into();
    }
    if let Some(map) = journal {
        raw.s_journal_inum = JOURNAL_INODE.into();
        raw.s_jnl_backup_type = JOURNAL_BACKUP_BLOCKS;
        let bytes = map.i_block.as_chunks::<4>().0;
        for (slot, bytes) in raw.s_jnl_blocks.iter_mut().zip(bytes) {
            *slot = U32::from_bytes(*bytes);
        }
        let (low, high) = split64(journal_len_bytes(layout));
        let [.., last_but_one, last] = &mut raw.s_jnl_blocks;
        *last_but_one = high.into();
        *last = low.into();
    }
    raw
}

/// The journal's length in bytes.
pub(super) fn journal_len_bytes(layout: &Layout) -> u64 {
    u64::from(layout.journal.count).saturating_mul(u64::from(layout.block_size.bytes()))
}

fn fill_counts(raw: &mut RawSuperblock, layout: &Layout, options: &FormatOptions) {
    let reserved =
        u64::from(layout.blocks_count).saturating_mul(u64::from(options.reserved_percent.min(50))) / 100;
    raw.s_inodes_count = layout.inodes_per_group.into();
    raw.s_blocks_count_lo = layout.blocks_count.into();
    raw.s_r_blocks_count_lo = split64(reserved).0.into();
    raw.s_free_blocks_count_lo = layout.free_blocks_count().into();
    raw.s_free_inodes_count = layout.inodes_per_group.saturating_sub(USED_INODES).into();
    raw.s_first_data_block = layout.first_data_block.into();
    let log = layout.block_size.bytes().trailing_zeros().saturating_sub(10);
    raw.s_log_block_size = log.into();
    raw.s_log_cluster_size = log.into();
    raw.s_blocks_per_group = layout.blocks_per_group.into();
    raw.s_clusters_per_group = layout.blocks_per_group.into();
    raw.s_inodes_per_group = layout.inodes_per_group.into();
    raw.s_reserved_gdt_blocks = split32(layout.reserved_descriptor_blocks).0.into();
    let overhead = layout.root_directory.saturating_add(layout.journal.count);
    raw.s_overhead_clusters = overhead.into();
}

fn fill_features(raw: &mut RawSuperblock, options: &FormatOptions) {
    raw.s_feature_compat = COMPAT.into();
    raw.s_feature_incompat = INCOMPAT.into();
    raw.s_feature_ro_compat = RO_COMPAT.into();
    if options.kind != ExtKind::Ext2 {
        raw.s_feature_compat = (COMPAT | COMPAT_HAS_JOURNAL).into();
    }
    if options.kind == ExtKind::Ext4 {
        raw.s_feature_incompat = (INCOMPAT | INCOMPAT_EXT4).into();
        raw.s_feature_ro_compat = (RO_COMPAT | RO_COMPAT_EXT4).into();
        raw.s_desc_size = 64.into();
        raw.s_checksum_type = CHECKSUM_CRC32C;
        raw.s_log_groups_per_flex = LOG_GROUPS_PER_FLEX;
    }
}

fn fill_identity(raw: &mut RawSuperblock, options: &FormatOptions) {
    let (seconds, high) = split64(options.now.seconds.cast_unsigned());
    let high = high.to_le_bytes()[0];
    raw.s_wtime = seconds.into();
    raw.s_wtime_hi = high;
    raw.s_mkfs_time = seconds.into();
    raw.s_mkfs_time_hi = high;
    raw.s_lastcheck = seconds.into();
    raw.s_lastcheck_hi = high;
    raw.s_max_mnt_count = u16::MAX.into();
    raw.s_magic = MAGIC.into();
    raw.s_state = STATE_CLEAN.into();
    raw.s_errors = ON_ERROR_CONTINUE.into();
    raw.s_rev_level = 1.into();
    raw.s_first_ino = FIRST_INODE.into();
    raw.s_inode_size = options.inode_len_bytes.into();
    raw.s_uuid = options.uuid;
    raw.s_volume_name
        .iter_mut()
        .zip(options.label.bytes())
        .for_each(|(place, byte)| *place = byte);
    let seed = options.hash_seed.as_chunks::<4>().0;
    raw.s_hash_seed
        .iter_mut()
        .zip(seed)
        .for_each(|(place, bytes)| *place = U32::from_bytes(*bytes));
    raw.s_def_hash_version = HASH_HALF_MD4;
    raw.s_flags = SIGNED_HASH.into();
    raw.s_default_mount_opts = MOUNT_USER_XATTR_AND_ACL.into();
}

/// Fills group 0's descriptor, all but the checksums.
pub(super) fn describe(descriptor: &mut GroupDescriptor, layout: &Layout, kind: ExtKind) {
    let free_inodes = layout.inodes_per_group.saturating_sub(USED_INODES);
    descriptor.block_bitmap = FsBlock(layout.block_bitmap.into());
    descriptor.inode_bitmap = FsBlock(layout.inode_bitmap.into());
    descriptor.inode_table = FsBlock(layout.inode_table.first.into());
    descriptor.free_blocks_count = layout.free_blocks_count();
    descriptor.free_inodes_count = free_inodes;
    descriptor.used_dirs_count = 2;
    if kind == ExtKind::Ext4 {
        descriptor.flags = INODE_ZEROED;
        descriptor.itable_unused = free_inodes;
    }
}

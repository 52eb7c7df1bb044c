//! The structures at fixed places: superblock, group descriptors, bitmaps, the journal's superblock.

use std::ops::Range;

use super::Record;
use crate::ext::error::ExtError;
use crate::ext::fs::Fs;
use crate::ext::types::{GroupNo, InodeNo};

/// Adds fields of a raw structure by their own names.
macro_rules! add {
    ($record:expr, $raw:expr; $($field:ident),* $(,)?) => {
        $( $record.add(stringify!($field), $raw.$field); )*
    };
}

pub(super) fn superblock(fs: &Fs) -> Record {
    let raw = fs.superblock.raw();
    let mut record = Record::new("superblock");
    add!(record, raw;
        s_inodes_count, s_blocks_count_lo, s_blocks_count_hi, s_r_blocks_count_lo, s_r_blocks_count_hi,
        s_free_blocks_count_lo, s_free_blocks_count_hi, s_free_inodes_count, s_first_data_block, s_log_block_size,
        s_log_cluster_size, s_blocks_per_group, s_clusters_per_group, s_inodes_per_group, s_mtime, s_wtime,
        s_mnt_count, s_max_mnt_count, s_state, s_errors, s_minor_rev_level, s_lastcheck, s_checkinterval,
        s_creator_os, s_rev_level, s_def_resuid, s_def_resgid, s_first_ino, s_inode_size,
    );
    let features = fs.superblock.features();
    record.add("features", features.names().collect::<Vec<_>>().join(" "));
    record.add("s_uuid", hex(&raw.s_uuid));
    record.add("s_volume_name", text(&raw.s_volume_name));
    record.add("s_last_mounted", text(&raw.s_last_mounted));
    add!(record, raw;
        s_reserved_gdt_blocks, s_journal_inum, s_journal_dev, s_last_orphan, s_def_hash_version, s_desc_size,
        s_default_mount_opts, s_first_meta_bg, s_mkfs_time, s_min_extra_isize, s_want_extra_isize, s_flags,
        s_raid_stride, s_mmp_interval, s_mmp_block, s_raid_stripe_width, s_log_groups_per_flex, s_checksum_type,
        s_kbytes_written, s_error_count, s_usr_quota_inum, s_grp_quota_inum, s_prj_quota_inum, s_overhead_clusters,
        s_checksum_seed, s_orphan_file_inum,
    );
    let [first, second] = &raw.s_backup_bgs;
    record.add("s_backup_bgs", format_args!("{first} {second}"));
    record.add(
        "s_hash_seed",
        raw.s_hash_seed.map(|word| format!("{:08x}", word.get())).concat(),
    );
    record.add("s_checksum", format_args!("{:#x}", raw.s_checksum.get()));
    record
}

pub(super) fn group(fs: &Fs, group: GroupNo) -> Result<Record, ExtError> {
    let mut record = Record::new(format_args!("group {group}"));
    let Some(descriptor) = record.absorb(fs.groups.get(group))? else {
        return Ok(record);
    };
    record.add("bg_block_bitmap", descriptor.block_bitmap);
    record.add("bg_inode_bitmap", descriptor.inode_bitmap);
    record.add("bg_inode_table", descriptor.inode_table);
    record.add("bg_free_blocks_count", descriptor.free_blocks_count);
    record.add("bg_free_inodes_count", descriptor.free_inodes_count);
    record.add("bg_used_dirs_count", descriptor.used_dirs_count);
    record.add("bg_flags", format_args!("{:#x}", descriptor.flags));
    record.add("bg_itable_unused", descriptor.itable_unused);
    record.add(
        "bg_block_bitmap_csum",
        format_args!("{:#x}", descriptor.block_bitmap_checksum),
    );
    record.add(
        "bg_inode_bitmap_csum",
        format_args!("{:#x}", descriptor.inode_bitmap_checksum),
    );
    if let Some(bitmap) = record.absorb(fs.load_block_bitmap(group))? {
        let start = fs.superblock.geometry().group_start(group).0;
        record.add("used blocks", ranges(&bitmap.set_runs(), start));
    }
    if let Some(bitmap) = record.absorb(fs.load_inode_bitmap(group))? {
        let per_group = u64::from(fs.superblock.geometry().inodes_per_group);
        let first = u64::from(group.0).saturating_mul(per_group).saturating_add(1);
        record.add("used inodes", ranges(&bitmap.set_runs(), first));
    }
    Ok(record)
}

pub(super) fn journal(fs: &Fs, inode: InodeNo) -> Result<Record, ExtError> {
    let mut record = Record::new(format_args!("journal in inode {inode}"));
    if let Some(state) = record.absorb(fs.journal_state(inode))? {
        record.add("s_first", state.first());
        record.add("s_maxlen", state.end());
        record.add("s_start", state.start().unwrap_or(0));
        record.add("s_sequence", state.sequence());
        record.add("s_errno", state.errno());
        if let Some(start) = state.fast_commit_start() {
            record.add("fast commits from", start);
        }
    }
    Ok(record)
}

/// `1-5 9`, counted from `first`.
fn ranges(runs: &[Range<u32>], first: u64) -> String {
    let shown = runs.iter().map(|run| {
        let start = first.saturating_add(run.start.into());
        let last = first.saturating_add(run.end.into()).saturating_sub(1);
        if start == last {
            start.to_string()
        } else {
            format!("{start}-{last}")
        }
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.concat()
}

/// A field of text up to its first NUL, quoted.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    format!("\"{}\"", bytes.get(..end).unwrap_or(bytes).escape_ascii())
}

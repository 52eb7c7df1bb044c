//! One inode: its checksum, mode, times of deletion, size, map and attributes
//! (<https://docs.kernel.org/filesystems/ext4/inodes.html>).

use super::attributes;
use super::census::{Census, Directory, Known, is_hidden};
use super::claims::Claims;
use super::finding::Report;
use super::indirect::indirect_blocks;
use super::mapped::{MapWalk, Mapped};
use crate::base::FileKind;
use crate::ext::error::{ExtError, Place};
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::inode::{
    FLAG_EA_INODE, FLAG_EXTENTS, FLAG_HUGE_FILE, FLAG_INDEX, FLAG_INLINE_DATA, Node, OLD_LEN,
};
use crate::ext::types::{FsBlock, InodeNo, wide};
use crate::ext::xattr::value_users;

const BAD_BLOCKS: u32 = 1;
/// A symbolic link shorter than this lies in the inode itself.
const SHORT_LINK: u64 = 60;

/// Judges `node`, claims its blocks and, if it is in use, adds it to the census.
pub(super) fn judge(
    fs: &Fs,
    node: &Node,
    census: &mut Census,
    claims: &mut Claims,
    report: &mut Report,
) -> Result<(), ExtError> {
    let inode = node.number();
    let place = Place::Inode(inode);
    report.absorb(node.verify(fs.superblock.checksums()))?;
    let raw = node.raw();
    if inode.get() == BAD_BLOCKS {
        let mapped = walk(fs, node, claims, report)?;
        census.note_readers(inode, &mapped.nodes);
        return Ok(());
    }
    if node.links_count() == 0 {
        if raw.i_mode.get() != 0 && raw.i_dtime.get() == 0 && !is_hidden(fs, inode) {
            report.add(place, "deletion time of an unused inode", "a time", 0);
        }
        return Ok(());
    }
    census.inodes.insert(
        inode,
        Known {
            kind: node.kind(),
            links_count: node.links_count(),
            names_count: 0,
            is_hidden: is_hidden(fs, inode) || node.has_flag(FLAG_EA_INODE),
            value_users: node.has_flag(FLAG_EA_INODE).then(|| value_users(node)),
        },
    );
    if raw.i_dtime.get() != 0 {
        report.add(place, "deletion time of an inode in use", 0, raw.i_dtime.get());
    }
    let Some(kind) = node.kind() else {
        let found = format_args!("{:#o}", raw.i_mode.get()).to_string();
        report.add(place, "mode", "a kind of file", found);
        return Ok(());
    };
    judge_flags(fs, node, kind, report);
    judge_extra(node, report);
    if inode == InodeNo::RESIZE && fs.superblock.features().has(feature::RESIZE_INODE) {
        return super::reserved::judge(fs, node, census, claims, report);
    }
    let mut mapped = walk(fs, node, claims, report)?;
    attributes::judge_inode(fs, node, census, claims, &mut mapped, report);
    judge_space(fs, node, &mapped, report);
    judge_size(fs, node, kind, &mapped, report)?;
    census.note_readers(inode, &mapped.nodes);
    match kind {
        FileKind::Directory | FileKind::Symlink => census.note_readers(inode, mapped.places.values()),
        _ => census.note_readers(inode, mapped.places.get(&0)),
    }
    match kind {
        FileKind::Directory if !is_hidden(fs, inode) => {
            let directory = directory(fs, node, mapped)?;
            census.directories.insert(inode, directory);
        }
        FileKind::Regular if fs.superblock.journal_inode() == Some(inode) => {
            census.journal = mapped.places.get(&0).copied();
        }
        _ => {}
    }
    Ok(())
}

fn directory(fs: &Fs, node: &Node, mapped: Mapped) -> Result<Directory, ExtError> {
    let is_inline = node.has_flag(FLAG_INLINE_DATA);
    Ok(Directory {
        inline: if is_inline { Some(node.inline()?) } else { None },
        places: mapped.places,
        blocks_count: if is_inline {
            0
        } else {
            fs.block_size().blocks_for(node.size_in_bytes())
        },
        has_index: node.has_flag(FLAG_INDEX) && fs.superblock.features().has(feature::DIR_INDEX),
        seed: fs
            .superblock
            .checksums()
            .inode_seed(node.number(), node.generation()),
        parent: None,
        named_in: None,
    })
}

/// The blocks of numbers to which `node` itself leads.
pub(super) fn blocks_of_map(node: &Node) -> Vec<FsBlock> {
    if has_map(node, node.kind()) && !node.has_flag(FLAG_EXTENTS) {
        indirect_blocks(&node.raw().i_block).collect()
    } else {
        Vec::new()
    }
}

/// Whether the inode's `i_block` holds block numbers or extents.
fn has_map(node: &Node, kind: Option<FileKind>) -> bool {
    match kind {
        _ if node.has_flag(FLAG_INLINE_DATA) => false,
        Some(FileKind::Regular | FileKind::Directory) | None => true,
        Some(FileKind::Symlink) => node.size_in_bytes() >= SHORT_LINK || node.has_flag(FLAG_EXTENTS),
        Some(_) => false,
    }
}

fn walk(fs: &Fs, node: &Node, claims: &mut Claims, report: &mut Report) -> Result<Mapped, ExtError> {
    let inode = node.number();
    let mut walk = MapWalk {
        fs,
        claims,
        report,
        inode,
        seed: fs.superblock.checksums().inode_seed(inode, node.generation()),
        keeps_places: node.is_directory()
            || node.kind() == Some(FileKind::Symlink)
            || fs.superblock.journal_inode() == Some(inode),
        mapped: Mapped::default(),
    };
    if !has_map(node, node.kind()) {
    } else if node.has_flag(FLAG_EXTENTS) {
        walk.extent_tree(&node.raw().i_block)?;
    } else {
        walk.block_map(&node.raw().i_block)?;
    }
    Ok(walk.mapped)
}

fn judge_flags(fs: &Fs, node: &Node, kind: FileKind, report: &mut Report) {
    let features = fs.superblock.features();
    let place = Place::Inode(node.number());
    for (flag, name, is_possible) in [
        (FLAG_EXTENTS, "extents", features.has(feature::EXTENT)),
        (FLAG_HUGE_FILE, "huge_file", features.has(feature::HUGE_FILE)),
        (
            FLAG_INLINE_DATA,
            "inline_data",
            features.has(feature::INLINE_DATA),
        ),
        (FLAG_EA_INODE, "ea_inode", features.has(feature::EA_INODE)),
        (
            FLAG_INDEX,
            "index",
            features.has(feature::DIR_INDEX) && kind == FileKind::Directory,
        ),
    ] {
        if node.has_flag(flag) && !is_possible {
            report.add(place, "flags", "none that this inode cannot have", name);
        }
    }
}

/// The length of the fields after the first 128 bytes.
fn judge_extra(node: &Node, report: &mut Report) {
    let Some(stored) = node
        .bytes()
        .get(OLD_LEN..)
        .and_then(|rest| rest.first_chunk::<2>())
    else {
        return;
    };
    let found = usize::from(u16::from_le_bytes(*stored));
    let most = node.bytes().len().saturating_sub(OLD_LEN);
    if found != 0 && (found < 4 || found > most || !found.is_multiple_of(4)) {
        let place = Place::Inode(node.number());
        report.add(
            place,
            "i_extra_isize",
            format_args!("a multiple of 4 up to {most}"),
            found,
        );
    }
}

/// The space that the inode says it takes.
fn judge_space(fs: &Fs, node: &Node, mapped: &Mapped, report: &mut Report) {
    let in_blocks = node.has_flag(FLAG_HUGE_FILE) && fs.superblock.features().has(feature::HUGE_FILE);
    let unit = if in_blocks {
        1
    } else {
        u64::from(fs.block_size().bytes() / 512)
    };
    let expected = mapped.blocks_count.saturating_mul(unit);
    report.compare(
        Place::Inode(node.number()),
        "i_blocks",
        expected,
        node.blocks_field(),
    );
}

fn judge_size(
    fs: &Fs,
    node: &Node,
    kind: FileKind,
    mapped: &Mapped,
    report: &mut Report,
) -> Result<(), ExtError> {
    let place = Place::Inode(node.number());
    let len_bytes = node.size_in_bytes();
    let block_bytes = u64::from(fs.block_size().bytes());
    let reached = mapped.last.map_or(0, |last| last.saturating_add(1));
    if node.has_flag(FLAG_INLINE_DATA) {
        let Some(content) = report.absorb(node.inline())? else {
            return Ok(());
        };
        let most = content.len_bytes();
        if len_bytes > most || (kind == FileKind::Directory && len_bytes != most) {
            report.add(place, "length of content in the inode", most, len_bytes);
        }
        return Ok(());
    }
    match kind {
        FileKind::Directory => {
            report.compare(
                place,
                "length in bytes",
                reached.saturating_mul(block_bytes),
                len_bytes,
            );
        }
        FileKind::Regular if fs.block_size().blocks_for(len_bytes) < reached => {
            let least = reached.saturating_sub(1).saturating_mul(block_bytes);
            report.add(
                place,
                "length in bytes",
                format_args!("more than {least}"),
                len_bytes,
            );
        }
        FileKind::Regular => {
            if let Err(ExtError::TooLarge { limit_bytes, .. }) = fs.check_size(node, len_bytes) {
                report.add(
                    place,
                    "length in bytes",
                    format_args!("at most {limit_bytes}"),
                    len_bytes,
                );
            }
        }
        FileKind::Symlink => {
            let bytes = match mapped.places.get(&0) {
                Some(block) if fs.check_block(node.number(), *block).is_ok() => {
                    fs.read_block(*block)?.to_vec()
                }
                _ => node.raw().i_block.to_vec(),
            };
            let text = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            if len_bytes == 0 || wide(text) != len_bytes || len_bytes >= block_bytes {
                report.add(place, "length of a symbolic link", text, len_bytes);
            }
        }
        _ => {}
    }
    Ok(())
}

//! Everything that a file system's structures say, as stable text: the same bytes, the same text.
//!
//! ```text
//!   superblock        one record
//!   group N           descriptor, and the used ranges of both bitmaps
//!   journal           its superblock
//!   inode N           fields, runs of blocks, extended attributes, directory entries
//! ```
//!
//! What is damaged is told where it is found, and the dump goes on.

mod fixed;

use std::fmt;

use super::error::ExtError;
use super::fs::Fs;
use super::inode::{Node, TimeField};
use super::types::{GroupNo, InodeNo};
use crate::base::{FileKind, Timestamp};

/// What one structure says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which structure it is, such as `inode 12`.
    pub what: String,
    /// Its fields by the names that the kernel's documentation has for them, in a fixed order. A name may come more
    /// than once.
    pub fields: Vec<(&'static str, String)>,
}

impl Record {
    fn new(what: impl fmt::Display) -> Self {
        Self {
            what: what.to_string(),
            fields: Vec::new(),
        }
    }

    fn add(&mut self, name: &'static str, value: impl fmt::Display) {
        self.fields.push((name, value.to_string()));
    }

    /// Adds what is wrong, if the look at it failed; an error of the device ends the dump.
    fn absorb<T>(&mut self, result: Result<T, ExtError>) -> Result<Option<T>, ExtError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error @ ExtError::Device(_)) => Err(error),
            Err(error) => {
                self.add("damaged", error);
                Ok(None)
            }
        }
    }
}

/// One field a line, indented below the structure's name.
impl fmt::Display for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.what)?;
        for (name, value) in &self.fields {
            writeln!(formatter, "  {name}: {value}")?;
        }
        Ok(())
    }
}

impl Fs {
    /// Shows `visit` every structure in a fixed order; an error of `visit` ends the dump.
    ///
    /// # Errors
    /// What `visit` answers; [`ExtError::Device`] as `visit`'s error type takes it.
    pub fn dump<E: From<ExtError>>(&self, mut visit: impl FnMut(Record) -> Result<(), E>) -> Result<(), E> {
        visit(fixed::superblock(self))?;
        for group in self.superblock.geometry().groups() {
            visit(fixed::group(self, group)?)?;
        }
        if let Some(inode) = self.superblock.journal_inode() {
            visit(fixed::journal(self, inode)?)?;
        }
        for group in self.superblock.geometry().groups() {
            for inode in self.inodes_of(group) {
                visit(self.dump_inode(inode)?)?;
            }
        }
        Ok(())
    }

    /// The inodes of `group` that its bitmap has as used; none if the bitmap is damaged.
    fn inodes_of(&self, group: GroupNo) -> Vec<InodeNo> {
        let per_group = self.superblock.geometry().inodes_per_group;
        let first = group.0.saturating_mul(per_group);
        let runs = self.load_inode_bitmap(group).map(|bitmap| bitmap.set_runs());
        let bits = runs.unwrap_or_default().into_iter().flatten();
        bits.filter_map(|bit| InodeNo::new(first.saturating_add(bit).saturating_add(1)))
            .collect()
    }

    fn dump_inode(&self, inode: InodeNo) -> Result<Record, ExtError> {
        let mut record = Record::new(format_args!("inode {inode}"));
        let Some(node) = record.absorb(self.node(inode))? else {
            return Ok(record);
        };
        add_fields(&mut record, &node);
        if node.kind().is_none() || node.links_count() == 0 {
            return Ok(record);
        }
        if self.has_content_blocks(&node) {
            let map = record.absorb(self.file_map(&node))?;
            for run in map.iter().flat_map(super::map::FileMap::runs) {
                let unwritten = if run.is_unwritten { " unwritten" } else { "" };
                let (file_block, start, count) = (run.file_block, run.start, run.count);
                record.add("run", format_args!("{file_block} -> {start} +{count}{unwritten}"));
            }
        }
        if let Some(xattrs) = record.absorb(self.xattrs(inode))? {
            for xattr in xattrs {
                let (name, value) = (xattr.name.escape_ascii(), xattr.value.escape_ascii());
                record.add("xattr", format_args!("{name} = \"{value}\""));
            }
        }
        match node.kind() {
            Some(FileKind::Symlink) => {
                if let Some(text) = record.absorb(self.read_link(inode))? {
                    record.add("link", format_args!("\"{}\"", text.escape_ascii()));
                }
            }
            Some(FileKind::Directory) => {
                for entry in record.absorb(self.read_dir(inode))?.unwrap_or_default() {
                    let name = entry.name.escape_ascii();
                    record.add(
                        "entry",
                        format_args!("{} {} \"{name}\"", entry.inode, entry.kind.letter()),
                    );
                }
            }
            _ => {}
        }
        Ok(record)
    }
}

fn add_fields(record: &mut Record, node: &Node) {
    let raw = node.raw();
    record.add("i_mode", format_args!("{:#o}", raw.i_mode.get()));
    if let Some(kind) = node.kind() {
        record.add("kind", kind.words());
    }
    let (uid_low, uid_high) = (u32::from(raw.i_uid.get()), u32::from(raw.l_i_uid_high.get()));
    let (gid_low, gid_high) = (u32::from(raw.i_gid.get()), u32::from(raw.l_i_gid_high.get()));
    record.add("i_uid", uid_low | uid_high.wrapping_shl(16));
    record.add("i_gid", gid_low | gid_high.wrapping_shl(16));
    record.add("i_size", node.size_in_bytes());
    record.add("i_links_count", node.links_count());
    record.add("i_blocks", node.blocks_field());
    record.add("i_flags", format_args!("{:#x}", node.flags()));
    record.add("i_generation", node.generation());
    if let Some(block) = node.file_acl() {
        record.add("i_file_acl", block);
    }
    for (name, field) in [
        ("i_atime", TimeField::Access),
        ("i_ctime", TimeField::Change),
        ("i_mtime", TimeField::Modification),
        ("i_crtime", TimeField::Creation),
    ] {
        if let Some(Timestamp { seconds, nanoseconds }) = node.time(field) {
            record.add(name, format_args!("{seconds}.{nanoseconds:09}"));
        }
    }
    if raw.i_dtime.get() != 0 {
        record.add("i_dtime", raw.i_dtime.get());
    }
    record.add("i_extra_isize", node.extra_len());
}

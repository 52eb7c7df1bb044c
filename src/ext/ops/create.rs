//! Making files, directories, links and special files.

use super::{NewNode, SpecialFile};
use crate::base::FileKind;
use crate::ext::dir::{check_name, put_empty_directory};
use crate::ext::error::ExtError;
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::inode::{FLAG_EXTENTS, FLAG_INLINE_DATA, Node, OLD_LEN, TimeField};
use crate::ext::map::{self, FileMap, Run};
use crate::ext::read::FAST_LINK_LEN;
use crate::ext::types::{InodeNo, wide};

/// The bytes of fields behind the first 128 that a new inode has, unless the superblock wishes for more.
const EXTRA_LEN: u16 = 32;

/// New nodes belong to the project of this directory.
const FLAG_PROJINHERIT: u32 = 0x2000_0000;
/// The flags that a node takes over from its directory, as the kernel has it: secure and undeletable, compressed or
/// not, synchronous, without dump, access time or tail, journalled, DAX, and those of directories alone.
const FLAGS_INHERITED: u32 =
    0x1 | 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x400 | 0x4000 | 0x8000 | 0x200_0000 | FLAGS_OF_DIRECTORIES;
/// Those that only a directory has: synchronous names, and the project's.
const FLAGS_OF_DIRECTORIES: u32 = 0x1_0000 | FLAG_PROJINHERIT;
/// Those that even a link or a device has: no dump, no access time.
const FLAGS_OF_ALL: u32 = 0x40 | 0x80;

impl Fs {
    /// Makes an empty regular file in `directory`.
    ///
    /// # Errors
    /// [`ExtError::Exists`], [`ExtError::InvalidName`], [`ExtError::NoInodes`], [`ExtError::NoSpace`].
    pub fn create_file(
        &mut self,
        directory: InodeNo,
        name: &[u8],
        new: NewNode,
    ) -> Result<InodeNo, ExtError> {
        self.edit(|fs| {
            let node = fs.new_node(directory, name, FileKind::Regular, new)?;
            fs.enter(directory, name, node, FileKind::Regular)
        })
    }

    /// Makes an empty directory in `directory`.
    ///
    /// # Errors
    /// As [`Fs::create_file`]; [`ExtError::TooManyLinks`].
    pub fn mkdir(&mut self, directory: InodeNo, name: &[u8], new: NewNode) -> Result<InodeNo, ExtError> {
        self.edit(|fs| {
            fs.check_new_name(directory, name)?;
            fs.add_parent_link(directory)?;
            let mut node = fs.new_node(directory, name, FileKind::Directory, new)?;
            node.raw_mut().i_links_count.set(2);
            if node.has_flag(FLAG_INLINE_DATA) {
                put_empty_directory(&mut node, directory)?;
                return fs.enter(directory, name, node, FileKind::Directory);
            }
            let block = fs.allocate_block(fs.inode_goal(&node))?;
            let run = Run {
                file_block: 0,
                count: 1,
                start: block,
                is_unwritten: false,
            };
            fs.store_map(&mut node, FileMap::default(), vec![run])?;
            node.set_size_in_bytes(fs.block_size().bytes().into());
            let bytes = fs.first_directory_block(&node, directory);
            fs.put_block(block, bytes);
            fs.enter(directory, name, node, FileKind::Directory)
        })
    }

    /// Makes a symbolic link to `target` in `directory`. A link has mode 0777, whatever `new` says.
    ///
    /// # Errors
    /// As [`Fs::create_file`]; [`ExtError::InvalidName`] for a target that is empty, longer than a block or 4095
    /// bytes, or holds a NUL byte.
    pub fn symlink(
        &mut self,
        directory: InodeNo,
        name: &[u8],
        target: &[u8],
        new: NewNode,
    ) -> Result<InodeNo, ExtError> {
        self.edit(|fs| {
            let most = fs.block_size().buffer_len().min(4096);
            if target.is_empty() || target.len() >= most || target.contains(&0) {
                return Err(ExtError::InvalidName {
                    name: String::from_utf8_lossy(target).into_owned(),
                });
            }
            let mut node = fs.new_node(directory, name, FileKind::Symlink, NewNode { mode: 0o777, ..new })?;
            if wide(target.len()) < FAST_LINK_LEN {
                for (to, from) in node.raw_mut().i_block.iter_mut().zip(target) {
                    *to = *from;
                }
            } else {
                fs.set_extents(&mut node);
                fs.write_node(&mut node, 0, wide(target.len()), &mut &*target)?;
            }
            node.set_size_in_bytes(wide(target.len()));
            fs.enter(directory, name, node, FileKind::Symlink)
        })
    }

    /// Makes a device node, a named pipe or a socket in `directory`.
    ///
    /// # Errors
    /// As [`Fs::create_file`].
    pub fn mknod(
        &mut self,
        directory: InodeNo,
        name: &[u8],
        special: SpecialFile,
        new: NewNode,
    ) -> Result<InodeNo, ExtError> {
        self.edit(|fs| {
            let (kind, device) = match special {
                SpecialFile::CharDevice(major, minor) => (FileKind::CharDevice, Some((major, minor))),
                SpecialFile::BlockDevice(major, minor) => (FileKind::BlockDevice, Some((major, minor))),
                SpecialFile::Fifo => (FileKind::Fifo, None),
                SpecialFile::Socket => (FileKind::Socket, None),
            };
            let mut node = fs.new_node(directory, name, kind, new)?;
            if let Some((major, minor)) = device {
                node.set_device(major, minor);
            }
            fs.enter(directory, name, node, kind)
        })
    }

    /// Makes `name` in `directory` a further name of the file `inode`.
    ///
    /// # Errors
    /// [`ExtError::WrongKind`] for a directory; [`ExtError::Exists`], [`ExtError::TooManyLinks`].
    pub fn link(&mut self, inode: InodeNo, directory: InodeNo, name: &[u8]) -> Result<(), ExtError> {
        self.edit(|fs| {
            fs.check_new_name(directory, name)?;
            let kind = fs.inode(inode)?.kind;
            if kind == FileKind::Directory {
                return Err(ExtError::WrongKind {
                    inode,
                    expected: "a file",
                });
            }
            let mut node = fs.node(inode)?;
            fs.add_link(&mut node)?;
            node.set_time(TimeField::Change, fs.edit_time()?);
            fs.store_node(node)?;
            fs.add_entry(directory, name, inode, kind)
        })
    }

    /// Refuses a name that is not one, or that `directory` has already.
    pub(super) fn check_new_name(&mut self, directory: InodeNo, name: &[u8]) -> Result<(), ExtError> {
        check_name(name)?;
        self.check_names(directory)?;
        if self.find_target(directory, name)?.is_some() {
            return Err(ExtError::Exists {
                directory,
                name: String::from_utf8_lossy(name).into_owned(),
            });
        }
        Ok(())
    }

    /// A new inode with one link, not stored yet.
    fn new_node(
        &mut self,
        directory: InodeNo,
        name: &[u8],
        kind: FileKind,
        new: NewNode,
    ) -> Result<Node, ExtError> {
        self.check_new_name(directory, name)?;
        let parent = self.node(directory)?;
        let now = self.edit_time()?;
        let number = self.allocate_inode(directory, name, kind == FileKind::Directory)?;
        let mut node = self.blank_node(number);
        self.inherit(&mut node, &parent, kind);
        node.set_mode(kind, new.mode);
        node.set_owner(new.uid, new.gid);
        node.raw_mut().i_links_count.set(1);
        for field in [
            TimeField::Access,
            TimeField::Change,
            TimeField::Modification,
            TimeField::Creation,
        ] {
            node.set_time(field, now);
        }
        let has_content = matches!(kind, FileKind::Regular | FileKind::Directory);
        if has_content && !self.begin_inline(&mut node)? {
            self.set_extents(&mut node);
        }
        Ok(node)
    }

    /// Gives a new node the flags that it has from its directory, and the project.
    fn inherit(&self, node: &mut Node, parent: &Node, kind: FileKind) {
        let kept = match kind {
            FileKind::Directory => FLAGS_INHERITED,
            FileKind::Regular => FLAGS_INHERITED & !FLAGS_OF_DIRECTORIES,
            _ => FLAGS_OF_ALL,
        };
        node.set_flag(parent.flags() & kept, true);
        let project = parent.project().filter(|_| parent.has_flag(FLAG_PROJINHERIT));
        if let Some(project) = project.filter(|_| self.superblock.features().has(feature::PROJECT)) {
            node.set_project(project);
        }
    }

    /// An inode of zeros, but for the length of the fields behind the first 128 bytes.
    pub(crate) fn blank_node(&self, number: InodeNo) -> Node {
        let len = self.superblock.geometry().inode_len();
        let mut node = Node::new(number, vec![0; len]);
        if len > OLD_LEN {
            let wanted = self.superblock.raw().s_want_extra_isize.get().max(EXTRA_LEN);
            let room = u16::try_from(len.saturating_sub(OLD_LEN)).unwrap_or(EXTRA_LEN);
            if let Some(extra) = node.extra_mut() {
                extra.i_extra_isize.set(wanted.min(room) & !3);
            }
        }
        node
    }

    /// Lets a new inode map its content by extents, where the file system has them.
    pub(crate) fn set_extents(&self, node: &mut Node) {
        if self.superblock.features().has(feature::EXTENT) {
            node.set_flag(FLAG_EXTENTS, true);
            node.raw_mut().i_block = map::empty_root();
        }
    }

    /// Stores a new inode and gives it its name.
    fn enter(
        &mut self,
        directory: InodeNo,
        name: &[u8],
        node: Node,
        kind: FileKind,
    ) -> Result<InodeNo, ExtError> {
        let number = node.number();
        self.store_node(node)?;
        self.add_entry(directory, name, number, kind)?;
        Ok(number)
    }
}

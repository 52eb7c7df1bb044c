//! A place of this machine, to be copied to. What an ordinary user cannot keep is counted, and said at the end.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, lsetxattr, makedev, mknodat, utimensat,
};
use rustix::io::Errno;

use super::super::super::super::error::CommandError;
use super::super::super::super::ui::Ui;
use super::acl;
use super::node::{Content, Node, Sink};
use crate::base::atomic::Durability;
use crate::base::{AtomicFile, FileKind, PathError, Timestamp};

/// A place of this machine.
pub(in super::super) struct HostSink<'a> {
    top: PathBuf,
    preserve: bool,
    is_root: bool,
    ui: &'a Ui,
    twins: HashMap<(u64, u64), PathBuf>,
    /// Directories whose mode and times are set at the end.
    late: Vec<(PathBuf, Node)>,
    /// What could not be kept, and of how many files.
    lost: BTreeMap<String, u64>,
    /// Files that could not be made.
    left_out: u64,
}

impl<'a> HostSink<'a> {
    /// Copies go to `top`. Owner, times and extended attributes come along if `preserve` says so.
    pub(in super::super) fn new(top: PathBuf, preserve: bool, is_root: bool, ui: &'a Ui) -> Self {
        Self {
            top,
            preserve,
            is_root,
            ui,
            twins: HashMap::new(),
            late: Vec::new(),
            lost: BTreeMap::new(),
            left_out: 0,
        }
    }

    fn lose(&mut self, what: impl Into<String>) {
        *self.lost.entry(what.into()).or_default() += 1;
    }

    fn place(&self, node: &Node) -> PathBuf {
        if node.path.is_empty() {
            self.top.clone()
        } else {
            self.top.join(OsStr::from_bytes(&node.path))
        }
    }

    fn put_directory(&mut self, node: &Node, place: PathBuf) -> Result<(), CommandError> {
        // A link in its place is not followed.
        let is_there = fs::symlink_metadata(&place).is_ok_and(|metadata| metadata.is_dir());
        if !is_there {
            fs::create_dir(&place).map_err(PathError::on("create the directory", &place))?;
        }
        if !is_there || self.preserve {
            self.late.push((place, node.clone()));
        }
        Ok(())
    }

    fn put_file(&mut self, node: &Node, place: &Path, content: &mut dyn Content) -> Result<(), CommandError> {
        let unfinished = AtomicFile::create(place)?;
        let mut file = unfinished.file();
        let failed = || PathError::on("write", place);
        for range in content.ranges()? {
            let end = range.end.min(node.len_bytes);
            let piece = range.start..end;
            file.seek(SeekFrom::Start(piece.start)).map_err(failed())?;
            let mut reader = io::Read::take(content.reader(&piece)?, end.saturating_sub(piece.start));
            io::copy(&mut reader, &mut io::BufWriter::with_capacity(1 << 20, file)).map_err(failed())?;
        }
        file.set_len(node.len_bytes).map_err(failed())?;
        let temporary = unfinished.temporary_path().to_path_buf();
        self.set_attributes(node, &temporary)?;
        Ok(unfinished.persist(Durability::NoSync)?)
    }

    /// Makes a link or a special file; answers whether it could be made.
    fn put_other(&mut self, node: &Node, place: &Path) -> Result<bool, CommandError> {
        Self::clear(place)?;
        let kind = match node.kind {
            FileKind::Symlink => {
                symlink(OsStr::from_bytes(&node.link), place).map_err(PathError::on("create", place))?;
                return Ok(true);
            }
            FileKind::CharDevice => FileType::CharacterDevice,
            FileKind::BlockDevice => FileType::BlockDevice,
            FileKind::Socket => FileType::Socket,
            _ => FileType::Fifo,
        };
        let (major, minor) = node.device.unwrap_or_default();
        match mknodat(CWD, place, kind, Mode::RUSR | Mode::WUSR, makedev(major, minor)) {
            Ok(()) => Ok(true),
            Err(Errno::PERM) if node.device.is_some() => {
                let text = format!("`{}` is a device, which only root can make", place.display());
                self.ui.warning(&text);
                self.left_out += 1;
                Ok(false)
            }
            Err(errno) => Err(PathError::on("create", place)(errno.into()).into()),
        }
    }

    /// Removes what is in the place of a new link or special file.
    fn clear(place: &Path) -> Result<(), CommandError> {
        match fs::symlink_metadata(place) {
            Ok(metadata) if !metadata.is_dir() => {
                Ok(fs::remove_file(place).map_err(PathError::on("replace", place))?)
            }
            _ => Ok(()),
        }
    }

    /// Gives the file at `place`, which was just made, the mode of the original, and the rest if it is to be kept.
    fn set_attributes(&mut self, node: &Node, place: &Path) -> Result<(), CommandError> {
        let mut is_owned = true;
        if self.preserve {
            is_owned = lchown(place, Some(node.meta.uid), Some(node.meta.gid)).is_ok();
            if !is_owned {
                self.lose("the owner");
            }
        }
        if node.kind != FileKind::Symlink {
            // A set-user-id of a foreign file is worth something to its own owner only.
            let keeps_all = self.preserve && is_owned;
            let mask = if keeps_all { 0o7777 } else { 0o777 };
            let mode = u32::from(node.meta.mode & mask);
            if self.preserve && u32::from(node.meta.mode) != mode {
                self.lose("the set-user-id or sticky bit");
            }
            fs::set_permissions(place, Permissions::from_mode(mode))
                .map_err(PathError::on("set the mode of", place))?;
        }
        if self.preserve {
            self.set_xattrs(node, place);
            Self::set_times(node, place)?;
        }
        Ok(())
    }

    fn set_xattrs(&mut self, node: &Node, place: &Path) {
        for xattr in &node.xattrs {
            let value = if acl::is_acl(&xattr.name) {
                acl::to_call(&xattr.value)
            } else {
                Some(xattr.value.clone())
            };
            let set = value.is_some_and(|value| {
                lsetxattr(place, xattr.name.as_slice(), &value, XattrFlags::empty()).is_ok()
            });
            if !set {
                self.lose(format!("attribute {}", xattr.name.escape_ascii()));
            }
        }
    }

    fn set_times(node: &Node, place: &Path) -> Result<(), CommandError> {
        let spec = |time: Timestamp| Timespec {
            tv_sec: time.seconds,
            tv_nsec: time.nanoseconds.into(),
        };
        let times = Timestamps {
            last_access: spec(node.atime),
            last_modification: spec(node.meta.mtime),
        };
        utimensat(CWD, place, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| PathError::on("set the times of", place)(errno.into()).into())
    }
}

impl Sink for HostSink<'_> {
    fn put(&mut self, node: &Node, content: &mut dyn Content) -> Result<(), CommandError> {
        let place = self.place(node);
        if node.kind == FileKind::Directory {
            return self.put_directory(node, place);
        }
        let twin = node.twin.filter(|_| self.preserve);
        if let Some(first) = twin.and_then(|twin| self.twins.get(&twin)) {
            let first = first.clone();
            Self::clear(&place)?;
            return Ok(fs::hard_link(&first, &place).map_err(PathError::on("link", &place))?);
        }
        if node.kind == FileKind::Regular {
            self.put_file(node, &place, content)?;
        } else if self.put_other(node, &place)? {
            self.set_attributes(node, &place)?;
        } else {
            return Ok(());
        }
        if let Some(twin) = twin {
            self.twins.insert(twin, place);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), CommandError> {
        for (place, node) in std::mem::take(&mut self.late).into_iter().rev() {
            self.set_attributes(&node, &place)?;
        }
        for (what, count) in std::mem::take(&mut self.lost) {
            let files = if count == 1 {
                "1 file"
            } else {
                &format!("{count} files")
            };
            self.ui.warning(&format!("{what} of {files} could not be kept"));
        }
        if self.left_out > 0 {
            let error = CommandError::work(format!("{} files were left out", self.left_out));
            return Err(if self.is_root {
                error
            } else {
                error.hint("run it as root, or as the root of a user namespace that may make them")
            });
        }
        Ok(())
    }
}

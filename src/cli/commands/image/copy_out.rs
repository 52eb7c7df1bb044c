//! Files of an image to this machine. Names and links of an image are foreign data: nothing is written outside the
//! place that the user named, and no link that was copied is ever followed.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::super::super::error::CommandError;
use super::super::Context;
use super::target::{PartitionArgs, Target, failed, find, open, printable};
use crate::base::atomic::Durability;
use crate::base::{AtomicFile, FileKind, PathError};
use crate::ext::{ExtError, Follow, Fs, Inode};

/// How many bytes are copied at once.
const PIECE_BYTES: usize = 4 << 20;

/// Copies `from` to `to`.
pub(crate) fn run(
    from: &Target,
    to: &str,
    is_recursive: bool,
    partition: &PartitionArgs,
    context: &Context<'_>,
) -> Result<(), CommandError> {
    let fs = open(&from.image, partition)?;
    let inode = find(&fs, from, Follow::All)?;
    if inode.kind == FileKind::Directory && !is_recursive {
        let text = format!("`{}` in `{}` is a directory", from.path, from.image.display());
        return Err(CommandError::work(text).hint("give -r to copy it with everything in it"));
    }
    let copier = Copier {
        fs: &fs,
        image: &from.image,
    };
    if to == "-" {
        return copier.pieces(&inode, |bytes| context.ui.answer_bytes(bytes));
    }
    let to = Path::new(to);
    let place = match from.path.file_name() {
        Some(name) if to.is_dir() => to.join(OsStr::from_bytes(name)),
        _ => to.to_path_buf(),
    };
    copier.tree(inode, place)
}

struct Copier<'a> {
    fs: &'a Fs,
    image: &'a Path,
}

impl Copier<'_> {
    /// Copies what is at `top` and below it to `place`.
    fn tree(&self, top: Inode, place: PathBuf) -> Result<(), CommandError> {
        let mut seen = HashSet::new();
        let mut waiting = vec![(top, place)];
        while let Some((inode, place)) = waiting.pop() {
            match inode.kind {
                FileKind::Directory => {
                    if !seen.insert(inode.number) {
                        let text = format!("a directory of `{}` is in two places", self.image.display());
                        return Err(CommandError::work(text));
                    }
                    make_directory(&place, &inode)?;
                    for entry in self.fs.read_dir(inode.number).map_err(self.failed())? {
                        let child = self.fs.inode(entry.inode).map_err(self.failed())?;
                        waiting.push((child, place.join(plain_name(&entry.name)?)));
                    }
                }
                FileKind::Regular => self.file(&inode, &place)?,
                FileKind::Symlink => {
                    let target = self.fs.read_link(inode.number).map_err(self.failed())?;
                    symlink(OsStr::from_bytes(&target), &place).map_err(PathError::on("create", &place))?;
                }
                _ => {
                    let text = format!(
                        "`{}` is a device, a pipe or a socket, which is not copied",
                        place.display()
                    );
                    return Err(CommandError::work(text));
                }
            }
        }
        Ok(())
    }

    fn file(&self, inode: &Inode, place: &Path) -> Result<(), CommandError> {
        let unfinished = AtomicFile::create(place)?;
        let mut file = unfinished.file();
        self.pieces(inode, |bytes| {
            Ok(file.write_all(bytes).map_err(PathError::on("write", place))?)
        })?;
        file.set_permissions(mode_of(inode))
            .map_err(PathError::on("set the mode of", place))?;
        Ok(unfinished.persist(Durability::NoSync)?)
    }

    /// Shows `take` the content of a file, piece by piece.
    fn pieces(
        &self,
        inode: &Inode,
        mut take: impl FnMut(&[u8]) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let mut buffer = vec![0; PIECE_BYTES];
        let mut offset = 0;
        loop {
            let len = self
                .fs
                .read_at(inode.number, offset, &mut buffer)
                .map_err(self.failed())?;
            if len == 0 {
                return Ok(());
            }
            take(&buffer[..len])?;
            offset += u64::try_from(len).expect("a buffer's length fits 64 bits");
        }
    }

    fn failed(&self) -> impl FnOnce(ExtError) -> CommandError {
        let image = self.image.to_path_buf();
        move |error| failed(&image, error)
    }
}

/// Makes a directory, or takes one that is there; a link in its place is not followed.
fn make_directory(place: &Path, inode: &Inode) -> Result<(), CommandError> {
    let is_there = fs::symlink_metadata(place).is_ok_and(|metadata| metadata.is_dir());
    if !is_there {
        fs::create_dir(place).map_err(PathError::on("create the directory", place))?;
        fs::set_permissions(place, mode_of(inode)).map_err(PathError::on("set the mode of", place))?;
    }
    Ok(())
}

/// The permission bits that a copy gets: no set-user-id of a foreign file reaches this machine.
fn mode_of(inode: &Inode) -> fs::Permissions {
    fs::Permissions::from_mode(u32::from(inode.mode & 0o777) | 0o200)
}

/// A name that stays in its directory.
fn plain_name(name: &[u8]) -> Result<&OsStr, CommandError> {
    if name.contains(&b'/') || name == b".." || name == b"." {
        return Err(CommandError::work(format!(
            "`{}` is no file name",
            printable(name)
        )));
    }
    Ok(OsStr::from_bytes(name))
}

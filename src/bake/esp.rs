//! The EFI system partition of a whole disk: a FAT file system that the guest mounts over a directory of its root. What a
//! project wants below that directory is written there, where the guest will find it, and not to the root, where it would
//! lie hidden.

use super::content;
use super::error::HostError;
use super::guest_view::ExtView;
use super::template::Source;
use crate::base::digest::Sha256Digest;
use crate::base::{FileKind, GuestPath, Origin};
use crate::block::{BlockDevice, Slice};
use crate::disk::{Esp, EspError, EspNode, Partition, Root, Table};
use crate::edit::{Attributes, Change, Edit, EditList, GuestView, NodeInfo, ViewError};

/// What everything on a FAT file system has when it is mounted as usual.
const MODE: u16 = 0o755;

/// The longest file that is read whole, in bytes.
const LIMIT_BYTES: u64 = 64 << 20;

/// Where the EFI system partition lies, in the disk and in the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EspPlace {
    mount_point: GuestPath,
    start_bytes: u64,
    len_bytes: u64,
}

/// The files of a guest with those of its EFI system partition.
pub(super) struct FullView<'a> {
    root: ExtView<'a>,
    esp: Option<(&'a EspPlace, &'a dyn BlockDevice)>,
}

/// What the guest mounts of file systems of the kind FAT.
#[derive(Debug, Default)]
struct Mounts {
    /// Where it mounts the disk's EFI system partition.
    esp: Option<GuestPath>,
    /// Where it mounts others, or what cannot be told.
    others: Vec<GuestPath>,
}

impl EspPlace {
    /// The place of the partition of the template of `source`, if it has one that the guest mounts, with `edits` told apart:
    /// what lies there is named by its path without links, and has no attributes of its own.
    pub(super) fn of(source: &Source, edits: &mut EditList) -> Result<Option<Self>, HostError> {
        let Some(partition) = source.root().table().and_then(Table::esp) else {
            return Ok(None);
        };
        let view = source.view();
        let fstab = view.read(&GuestPath::literal("/etc/fstab"))?.unwrap_or_default();
        let mounts = mounts(&fstab, partition, source.device());
        let place = mounts.esp.map(|mount_point| Self {
            mount_point,
            start_bytes: partition.start_bytes,
            len_bytes: partition.len_bytes,
        });
        let mut placed = EditList::new();
        for edit in std::mem::take(edits) {
            let path = view.resolve(&edit.path)?;
            let below = |point: &&GuestPath| path.starts_with(point) && path != **point;
            if let Some(mount_point) = mounts.others.iter().find(below) {
                return Err(HostError::OnFat {
                    path: edit.path,
                    mount_point: mount_point.clone(),
                });
            }
            match &place {
                Some(place) if place.has(&path) => placed.push(plain(edit, path)?),
                _ => placed.push(edit),
            }
        }
        *edits = placed;
        Ok(place)
    }

    /// Whether `path`, which has no links on the way, lies on the partition.
    pub(super) fn has(&self, path: &GuestPath) -> bool {
        self.inside(path).is_some_and(|inside| !inside.is_root())
    }

    /// The path from the partition's root on.
    fn inside(&self, path: &GuestPath) -> Option<GuestPath> {
        let depth = self.mount_point.components().count();
        let mut names = path.components().skip(depth);
        path.starts_with(&self.mount_point)
            .then(|| names.try_fold(GuestPath::root(), |inside, name| inside.join(name).ok()))
            .flatten()
    }

    fn open<T>(
        &self,
        disk: &dyn BlockDevice,
        work: impl FnOnce(&Esp<'_>) -> Result<T, EspError>,
    ) -> Result<T, EspError> {
        let window = Slice::new(disk, self.start_bytes, self.len_bytes)?;
        let esp = Esp::open(&window)?;
        let value = work(&esp)?;
        esp.close()?;
        Ok(value)
    }

    /// Carries out those of `edits` that lie on the partition of `disk`.
    pub(super) fn apply(&self, disk: &dyn BlockDevice, edits: &EditList) -> Result<(), HostError> {
        let own: Vec<(&Edit, GuestPath)> = edits
            .iter()
            .filter(|edit| self.has(&edit.path))
            .filter_map(|edit| Some((edit, self.inside(&edit.path)?)))
            .collect();
        if own.is_empty() {
            return Ok(());
        }
        let mut failure = None;
        self.open(disk, |esp| {
            for (edit, inside) in &own {
                match &edit.change {
                    Change::File { content, .. } => {
                        let mut reader = match content::reader(content) {
                            Ok(reader) => reader,
                            Err(error) => {
                                failure = Some(error);
                                break;
                            }
                        };
                        esp.put_file(inside, &mut reader)?;
                    }
                    Change::Directory { .. } => esp.put_directory(inside)?,
                    Change::Absent => esp.remove(inside)?,
                    Change::Symlink { .. } => {}
                }
            }
            Ok(())
        })?;
        failure.map_or(Ok(()), Err)
    }

    /// The digest of the file at `path` on the partition of `disk`.
    pub(super) fn digest(
        &self,
        disk: &dyn BlockDevice,
        path: &GuestPath,
    ) -> Result<Option<Sha256Digest>, HostError> {
        let Some(inside) = self.inside(path) else {
            return Ok(None);
        };
        let content = self.open(disk, |esp| match esp.node(&inside)? {
            Some(EspNode::File(_)) => esp.read(&inside, u64::from(u32::MAX)).map(Some),
            _ => Ok(None),
        })?;
        Ok(content.map(|content| Sha256Digest::of(&content)))
    }
}

impl EspPlace {
    /// Refuses `edits` of the partition where a machine's disk, whose root is `root`, has it elsewhere by now.
    pub(super) fn ensure_is_still_in(&self, root: &Root, edits: &EditList) -> Result<(), HostError> {
        let found = root.table().and_then(Table::esp);
        let is_same = found
            .is_some_and(|found| (found.start_bytes, found.len_bytes) == (self.start_bytes, self.len_bytes));
        match edits.iter().find(|edit| self.has(&edit.path)) {
            Some(edit) if !is_same => Err(HostError::EspMoved {
                path: edit.path.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// The edit that gives `path` of the partition of `disk` back what the template of `source` has there, if it still has
    /// the content `wished` that the project wanted.
    pub(super) fn given_up(
        &self,
        disk: &dyn BlockDevice,
        source: &Source,
        path: GuestPath,
        wished: Option<Sha256Digest>,
    ) -> Result<Option<Edit>, HostError> {
        if wished.is_none() || self.digest(disk, &path)? != wished {
            return Ok(None);
        }
        let origin = Origin::implied("the project asks for it no more");
        let attributes = Attributes::owned(MODE, 0, 0);
        Ok(Some(match FullView::new(source, Some(self)).read(&path)? {
            Some(content) => Edit::file(path, content, attributes, origin),
            None => Edit::absent(path, origin),
        }))
    }
}

impl<'a> FullView<'a> {
    /// The files of the template of `source`, whose EFI system partition lies at `esp`.
    pub(super) fn new(source: &'a Source, esp: Option<&'a EspPlace>) -> Self {
        Self {
            root: source.view(),
            esp: esp.map(|esp| (esp, source.device() as &dyn BlockDevice)),
        }
    }

    /// What `look` finds on the partition at `path`, if that lies there.
    fn on_esp<T>(
        &self,
        path: &GuestPath,
        look: impl FnOnce(&Esp<'_>, &GuestPath) -> Result<T, EspError>,
    ) -> Result<Option<T>, ViewError> {
        let Some((place, disk)) = self.esp else {
            return Ok(None);
        };
        let Some(inside) = place.inside(path) else {
            return Ok(None);
        };
        // Nothing is written, and closing would be that.
        let found = place.look(disk, |esp| look(esp, &inside));
        found.map(Some).map_err(|source| ViewError::Read {
            path: path.clone(),
            source: Box::new(source),
        })
    }

    /// The path, with links in its way resolved, if there is a partition that it could lead to.
    fn place(&self, path: &GuestPath) -> Result<GuestPath, ViewError> {
        match (self.esp, path.parent(), path.file_name()) {
            (Some(_), Some(parent), Some(name)) => {
                let parent = self.root.resolve(&parent)?;
                Ok(parent.join(name).unwrap_or(parent))
            }
            _ => Ok(path.clone()),
        }
    }
}

impl EspPlace {
    fn look<T>(
        &self,
        disk: &dyn BlockDevice,
        look: impl FnOnce(&Esp<'_>) -> Result<T, EspError>,
    ) -> Result<T, EspError> {
        let window = Slice::new(disk, self.start_bytes, self.len_bytes)?;
        look(&Esp::open(&window)?)
    }
}

impl GuestView for FullView<'_> {
    fn read(&self, path: &GuestPath) -> Result<Option<Vec<u8>>, ViewError> {
        let found = self.on_esp(&self.place(path)?, |esp, inside| match esp.node(inside)? {
            Some(EspNode::File(_)) => esp.read(inside, LIMIT_BYTES).map(Some),
            _ => Ok(None),
        })?;
        found.map_or_else(|| self.root.read(path), Ok)
    }

    fn info(&self, path: &GuestPath) -> Result<Option<NodeInfo>, ViewError> {
        let place = self.place(path)?;
        if self.esp.is_some_and(|(esp, _)| esp.mount_point == place) {
            return self.root.info(path);
        }
        let info = |node| {
            let (kind, len_bytes) = match node {
                EspNode::Directory => (FileKind::Directory, 0),
                EspNode::File(len_bytes) => (FileKind::Regular, len_bytes),
            };
            NodeInfo {
                kind,
                mode: MODE,
                uid: 0,
                gid: 0,
                len_bytes,
            }
        };
        let found = self.on_esp(&place, |esp, inside| Ok(esp.node(inside)?.map(info)))?;
        found.map_or_else(|| self.root.info(path), Ok)
    }

    fn read_link(&self, path: &GuestPath) -> Result<Option<Vec<u8>>, ViewError> {
        self.root.read_link(path)
    }

    fn list(&self, path: &GuestPath) -> Result<Option<Vec<Vec<u8>>>, ViewError> {
        let found = self.on_esp(&self.place(path)?, |esp, inside| match esp.node(inside)? {
            Some(EspNode::Directory) => esp.list(inside).map(Some),
            _ => Ok(None),
        })?;
        let bytes = |names: Vec<String>| names.into_iter().map(String::into_bytes).collect();
        found.map_or_else(|| self.root.list(path), |names| Ok(names.map(bytes)))
    }

    fn resolve(&self, path: &GuestPath) -> Result<GuestPath, ViewError> {
        self.root.resolve(path)
    }

    fn is_labelled(&self) -> Result<bool, ViewError> {
        self.root.is_labelled()
    }
}

/// `edit` of `path` on a FAT file system, which has neither owners and modes nor links.
fn plain(mut edit: Edit, path: GuestPath) -> Result<Edit, HostError> {
    match &mut edit.change {
        Change::File { attributes, .. } | Change::Directory { attributes } => {
            *attributes = Attributes::mode(MODE);
        }
        Change::Symlink { .. } => return Err(HostError::LinkOnEsp { path: edit.path }),
        Change::Absent => {}
    }
    Ok(Edit { path, ..edit })
}

/// Where the table of file systems, in the form of fstab(5), mounts FAT file systems, on a disk whose EFI system partition
/// is `partition`.
fn mounts(fstab: &[u8], partition: &Partition, disk: &dyn BlockDevice) -> Mounts {
    let mut all = Mounts::default();
    let mut own = Vec::new();
    for (device, point) in fat_lines(fstab) {
        if is_partition(&device, partition, disk) {
            own.push(point);
        } else {
            all.others.push(point);
        }
    }
    match own.pop() {
        Some(point) if own.iter().all(|other| *other == point) => all.esp = Some(point),
        Some(point) => all.others.extend(own.into_iter().chain([point])),
        None => {}
    }
    all
}

/// Whether `device`, as fstab(5) calls it, can be `partition` of `disk`.
fn is_partition(device: &str, partition: &Partition, disk: &dyn BlockDevice) -> bool {
    let Some((kind, name)) = device.split_once('=') else {
        return true;
    };
    let name = name.trim_matches('"');
    match kind {
        "UUID" => Slice::new(disk, partition.start_bytes, partition.len_bytes)
            .map_err(EspError::from)
            .and_then(|window| Ok(Esp::open(&window)?.uuid()))
            .is_ok_and(|uuid| uuid.eq_ignore_ascii_case(name)),
        "PARTUUID" => partition.partuuid.eq_ignore_ascii_case(name),
        "PARTLABEL" => partition.label == name,
        _ => true,
    }
}

/// The device and the mount point of each line about a FAT file system.
fn fat_lines(fstab: &[u8]) -> impl Iterator<Item = (String, GuestPath)> {
    let lines = fstab.split(|byte| *byte == b'\n');
    lines.filter_map(|line| {
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        let (device, point, kind) = (words.next()?, words.next()?, words.next()?);
        let is_fat = !device.starts_with(b"#") && kind == b"vfat";
        let point = GuestPath::new(point).ok().filter(|_| is_fat)?;
        Some((String::from_utf8_lossy(device).into_owned(), point))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fat_file_systems_are_found_in_any_layout() {
        let text = b"# /dev/sda1 /old vfat\n\tLABEL=EFI\t /boot/efi   vfat defaults\nUUID=1 / ext4\n\n/dev/sdb1 none swap\nx y vfat\n";
        let found: Vec<_> = fat_lines(text).collect();
        assert_eq!(found, [("LABEL=EFI".to_owned(), GuestPath::literal("/boot/efi"))]);
    }

    #[test]
    fn a_path_on_the_partition_begins_at_its_root() {
        let place = EspPlace {
            mount_point: GuestPath::literal("/boot/efi"),
            start_bytes: 0,
            len_bytes: 0,
        };
        let inside = |path| place.inside(&GuestPath::literal(path));
        assert_eq!(inside("/boot/efi/EFI/x"), Some(GuestPath::literal("/EFI/x")));
        assert_eq!(inside("/boot/efi"), Some(GuestPath::root()));
        assert_eq!(inside("/boot/efifile"), None);
        assert!(!place.has(&GuestPath::literal("/boot/efi")));
    }
}

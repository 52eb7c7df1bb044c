//! The EFI system partition of a whole disk: a FAT file system that the guest mounts over a directory of its root. What a
//! project wants below that directory would lie hidden under it, so that it is refused.

use super::error::HostError;
use super::guest_view::ExtView;
use super::template::Source;
use crate::base::GuestPath;
use crate::disk::Table;
use crate::edit::{EditList, GuestView as _};

/// Refuses `edits` of what lies on the EFI system partition of the template of `source`, if it has one.
pub(super) fn refuse(source: &Source, view: &ExtView<'_>, edits: &EditList) -> Result<(), HostError> {
    if source.root().table().and_then(Table::esp).is_none() {
        return Ok(());
    }
    let fstab = view.read(&GuestPath::literal("/etc/fstab"))?.unwrap_or_default();
    let mount_points = mount_points(&fstab);
    if mount_points.is_empty() {
        return Ok(());
    }
    for edit in edits.iter() {
        let place = view.resolve(&edit.path)?;
        let below = |point: &&GuestPath| place.starts_with(point) && place != **point;
        if let Some(mount_point) = mount_points.iter().find(below) {
            return Err(HostError::OnEsp {
                path: edit.path.clone(),
                mount_point: mount_point.clone(),
            });
        }
    }
    Ok(())
}

/// Where the table of file systems, in the form of fstab(5), mounts FAT file systems.
fn mount_points(fstab: &[u8]) -> Vec<GuestPath> {
    let lines = fstab.split(|byte| *byte == b'\n');
    let fields = |line: &[u8]| {
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        let (device, point, kind) = (words.next()?, words.next()?, words.next()?);
        let is_fat = !device.starts_with(b"#") && kind == b"vfat";
        is_fat.then(|| GuestPath::new(point).ok()).flatten()
    };
    lines.filter_map(fields).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fat_file_systems_are_found_in_any_layout() {
        let text = b"# /dev/sda1 /old vfat\n\tLABEL=EFI\t /boot/efi   vfat defaults\nUUID=1 / ext4\n\n/dev/sdb1 none swap\nx y vfat\n";
        assert_eq!(mount_points(text), [GuestPath::literal("/boot/efi")]);
    }
}

//! What the quick check may call clean.

use super::*;
use crate::block::{BlockDevice as _, FileDevice, Overlay};
use crate::ext::NewNode;
use crate::ext::testing::{KINDS, NOW, TestImage, pattern};
use std::sync::Arc;

const NEW: NewNode = NewNode {
    mode: 0o755,
    uid: 0,
    gid: 0,
};

/// What a host's configuration does, and more: edits of every kind that moves inodes, names or blocks.
fn edit(fs: &mut Fs) -> Result<(), ExtError> {
    let find = |fs: &Fs, name: &[u8]| Ok::<_, ExtError>(fs.find_entry(InodeNo::ROOT, name)?.unwrap());
    let home = fs.mkdir(InodeNo::ROOT, b"home", NEW)?;
    for number in 0..60_usize {
        let file = fs.create_file(home, format!("file {number}").as_bytes(), NEW)?;
        fs.append(file, &vec![7; number * 700])?;
    }
    fs.rename((home, b"file 9"), (InodeNo::ROOT, b"moved"))?;
    let (etc, middle, many) = (find(fs, b"etc")?, find(fs, b"middle")?, find(fs, b"many")?);
    fs.link(middle, home, b"again")?;
    fs.symlink(home, b"long", &[b'x'; 300], NEW)?;
    fs.rename((InodeNo::ROOT, b"empty"), (etc, b"empty"))?;
    fs.unlink(many, b"file-with-a-rather-long-name-7")?;
    fs.create_file(many, b"new", NEW)?;
    fs.remove_tree(InodeNo::ROOT, b"sparse")?;
    fs.truncate(find(fs, b"large")?, 300_000)?;
    fs.set_mode(etc, 0o700)?;
    // A new value in an inode of 128 bytes needs a block of attributes.
    fs.set_xattr(etc, b"user.note", b"value")?;
    fs.set_xattr(middle, b"user.note", b"value")?;
    fs.commit()
}

fn overlay_over(image: &TestImage) -> Overlay {
    Overlay::new(Arc::new(FileDevice::open(&image.path()).unwrap()))
}

#[test]
fn edits_are_found_clean_without_the_full_check() {
    for options in KINDS {
        let image = TestImage::new(options, "24M");
        let ground = overlay_over(&image);
        let checked = image.open().into_checked().unwrap().unwrap();
        let overlay = Arc::new(ground.fork());
        let mut fs = Fs::open_for_edit(overlay.clone(), NOW).unwrap();
        edit(&mut fs).unwrap();
        let changed = blocks_of(&fs, &overlay.differing(&ground));
        assert!(checked.is_like(&fs), "{options}");
        assert!(checked.is_clean(&fs, &changed).unwrap(), "{options}");
        assert_eq!(fs.check().unwrap(), [], "{options}");
    }
}

#[test]
fn what_the_full_check_finds_is_not_called_clean() {
    let (mut damaged, mut clean) = (0, 0);
    for options in KINDS {
        let image = TestImage::new(options, "24M");
        let ground = overlay_over(&image);
        let checked = image.open().into_checked().unwrap().unwrap();
        let edited = Arc::new(ground.fork());
        edit(&mut Fs::open_for_edit(edited.clone(), NOW).unwrap()).unwrap();
        let size = checked.fs.block_size();
        let group = checked.fs.group(GroupNo(0)).unwrap();
        let tables = [
            group.block_bitmap,
            group.inode_bitmap,
            group.inode_table,
            group.inode_table.plus(1),
        ];
        let blocks = checked.readers.keys().copied().chain(tables.repeat(5));
        let starts: Vec<u64> = blocks.map(|block| block.byte_offset(size)).collect();
        for place in pattern(280, 5).chunks(4) {
            let start = starts[usize::from(u16::from_le_bytes([place[0], place[1]])) % starts.len()];
            let overlay = Arc::new(edited.fork());
            let offset = start + u64::from(place[2]);
            let mut byte = [0];
            overlay.read_at(offset, &mut byte).unwrap();
            overlay.write_at(offset, &[byte[0] ^ place[3]]).unwrap();
            let Ok(fs) = Fs::open(overlay.clone()) else {
                continue;
            };
            let changed = blocks_of(&fs, &overlay.differing(&ground));
            let Ok(findings) = fs.check() else {
                continue;
            };
            let is_clean = checked.is_like(&fs) && checked.is_clean(&fs, &changed).unwrap();
            assert!(
                !is_clean || findings.is_empty(),
                "{options}: byte {offset}: {findings:?}"
            );
            damaged += i32::from(!findings.is_empty());
            clean += i32::from(is_clean);
        }
    }
    assert!(damaged > 200 && clean > 100, "{damaged} damaged, {clean} clean");
}

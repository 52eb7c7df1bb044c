//! File systems made longer and shorter: e2fsck and the engine's own check find nothing, every file is as it was, and
//! the lengths reached stand beside resize2fs's.
//!
//! `MLN_IMAGE_RESIZE_MATRIX=full` runs every step on every layout; else each layout takes the steps that differ most.
//! `--nocapture` shows the table.

mod faults;
mod images;
mod matrix;

use std::fs;
use std::ops::Range;

use mln_image::ext::{ExtError, Fs, GroupNo, InodeNo, NewNode};

use self::images::{Image, MIB, layouts};
use crate::support::{Mounted, debugfs, debugfs_write, e2fsck_clean, sha256};

#[test]
fn too_short_a_length_is_refused_with_the_least_and_nothing_changes() {
    let image = Image::new("-t ext4 -b 4096", 64 * MIB);
    let before = sha256(&image.path());
    let minimum = image.open().minimum_blocks().unwrap();
    let error = image.resize(minimum / 2).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the file system cannot shrink to {} bytes: what it holds needs at least {} bytes",
            minimum / 2 * 4096,
            minimum * 4096
        )
    );
    for blocks in [0, 1, 100, minimum - 1] {
        assert!(
            matches!(image.resize(blocks), Err(ExtError::BelowMinimum { .. })),
            "{blocks}"
        );
    }
    assert_eq!(sha256(&image.path()), before);
    let report = image.resize(minimum).unwrap();
    assert_eq!(report.new_blocks, minimum);
    image.judge("shrunk to the minimum");
}

#[test]
fn a_blank_group_that_gets_a_file_in_place_of_a_descriptor_is_no_longer_blank() {
    let image = Image::bare(
        "-t ext4 -b 1024 -g 512 -J size=1 -O ^flex_bg,^resize_inode",
        24 * MIB,
    );
    let node = NewNode {
        mode: 0o755,
        uid: 0,
        gid: 0,
    };
    // The groups of directories in the root follow from their names: one beyond the new end is wanted.
    let name = (0..1000).map(|number| format!("{number}")).find(|name| {
        let mut fs = image.open();
        let inode = fs.mkdir(InodeNo::ROOT, name.as_bytes(), node).unwrap();
        let per_group = fs.superblock().geometry().inodes_per_group;
        (inode.get() - 1) / per_group > 40
    });
    let mut fs = image.open();
    let directory = fs.mkdir(InodeNo::ROOT, name.unwrap().as_bytes(), node).unwrap();
    // They move to the first free blocks: the descriptors' that the first group no longer needs, then the next one's.
    for name in [b"one", b"two"] {
        let file = fs.create_file(directory, name, node).unwrap();
        fs.append(file, &[1; 1024]).unwrap();
    }
    let file = fs.create_file(InodeNo::ROOT, b"full", node).unwrap();
    while fs.group(GroupNo(0)).unwrap().free_blocks_count > 0 {
        fs.append(file, &[7; 1024]).unwrap();
    }
    fs.commit().unwrap();
    drop(fs);
    image.judge("a full first group");
    image.resize(30 * 512 + 1).unwrap();
    image.judge("fewer blocks of descriptors");
    let owner = debugfs(&image.path(), "icheck 516");
    assert!(!owner.contains("<block not found>"), "{owner}");
}

#[test]
fn what_lies_behind_the_new_end_is_moved_and_counted() {
    for options in ["-t ext4 -b 1024", "-t ext3 -b 1024", "-t ext4 -b 4096"] {
        let image = Image::with_extents(options, 500);
        let tree = image.tree();
        let fs = image.open();
        let minimum = fs.minimum_blocks().unwrap();
        let end_bytes = minimum * u64::from(fs.block_size().bytes());
        let behind = |used: &Range<u64>| used.end.max(end_bytes) - used.start.max(end_bytes);
        let lost_bytes: u64 = fs.used_ranges().unwrap().iter().map(behind).sum();
        assert!(lost_bytes > 0, "{options}: all lies before the new end already");
        drop(fs);
        let report = image.resize(minimum).unwrap();
        // Copies of descriptors are not moved but made anew.
        assert!(
            report.moved_blocks > 0,
            "{options}: {lost_bytes} bytes lay behind"
        );
        image.judge(options);
        assert!(image.tree() == tree, "{options}");
    }
}

#[test]
fn a_sparse_file_of_8000_extents_survives_shrinking() {
    for options in ["-t ext4 -b 1024", "-t ext3 -b 1024", "-t ext4 -b 4096"] {
        let image = Image::with_extents(options, 8000);
        let tree = image.tree();
        let minimum = image.open().minimum_blocks().unwrap();
        image.resize(minimum + minimum / 50).unwrap();
        image.judge(options);
        image.resize(image.open().minimum_blocks().unwrap()).unwrap();
        image.judge(options);
        assert!(image.tree() == tree, "{options}");
    }
}

#[test]
fn inodes_beyond_the_new_end_get_other_numbers() {
    for features in [
        "^flex_bg",
        "^metadata_csum",
        "metadata_csum_seed,orphan_file,dir_index",
    ] {
        let options = format!("-t ext4 -b 1024 -g 2048 -N 16000 -O {features}");
        let image = Image::new(&options, 64 * MIB);
        image.scatter_directories();
        let tree = image.tree();
        let report = image.resize(image.open().minimum_blocks().unwrap()).unwrap();
        assert!(report.renumbered_inodes > 50, "{options}: {report:?}");
        image.judge(&options);
        assert!(image.tree() == tree, "{options}");
    }
}

#[test]
fn features_and_bytes_do_not_depend_on_the_way() {
    let names = |fs: &Fs| fs.superblock().features().names().collect::<Vec<_>>();
    for (name, options) in layouts() {
        let image = Image::new(&format!("{options} -b 2048"), 32 * MIB);
        let twin = image.copy();
        let before = names(&image.open());
        for image in [&image, &twin] {
            image.resize(300 * MIB / 2048).unwrap();
            image.resize(image.open().minimum_blocks().unwrap()).unwrap();
        }
        assert_eq!(names(&image.open()), before, "{name}");
        assert_eq!(sha256(&image.path()), sha256(&twin.path()), "{name}");
    }
}

#[test]
fn kernel_works_on_with_what_was_shrunk_and_grown_again() {
    for options in ["-t ext4 -b 1024", "-t ext3 -b 4096"] {
        let image = Image::new(options, 96 * MIB);
        let block_bytes = u64::from(image.open().block_size().bytes());
        image.resize(image.open().minimum_blocks().unwrap()).unwrap();
        image.resize(200 * MIB / block_bytes).unwrap();
        let mounted = Mounted::new(&image.path(), &options[3..7]);
        let content = fs::read(mounted.path().join("large")).unwrap();
        fs::copy(mounted.path().join("large"), mounted.path().join("copy")).unwrap();
        assert_eq!(fs::read(mounted.path().join("copy")).unwrap(), content);
        drop(mounted);
        image.judge(options);
        image.resize(image.open().minimum_blocks().unwrap()).unwrap();
        image.judge(options);
    }
}

#[test]
fn an_attribute_block_that_files_share_moves_once() {
    let image = Image::new("-t ext4 -b 1024 -I 128", 40 * MIB);
    let list = fs::File::create(image.path().with_extension("value")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&list, &[b'v'; 500], 0).unwrap();
    let value = image.path().with_extension("value");
    debugfs_write(
        &image.path(),
        &[&format!("ea_set -f {} /many/file7 user.value", value.display())],
    );
    e2fsck_clean(&image.path());
    image.resize(image.open().minimum_blocks().unwrap()).unwrap();
    image.judge("attributes");
    let fs = image.open();
    let path = mln_image::base::GuestPath::literal("/many/file7");
    let inode = fs.lookup(&path, mln_image::ext::Follow::All).unwrap().unwrap();
    assert_eq!(fs.xattrs(inode).unwrap()[0].value, [b'v'; 500]);
}

#[test]
fn clusters_and_bad_blocks_are_refused_by_name() {
    let image = Image::new("-t ext4 -b 4096 -O bigalloc -C 16384", 64 * MIB);
    let error = image.try_open().map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the file system has features that cannot be edited: bigalloc"
    );
    let image = Image::new("-t ext2 -b 1024", 32 * MIB);
    let list = image.path().with_extension("bad");
    let file = fs::File::create(&list).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"30000\n30001\n", 0).unwrap();
    image.add_bad_blocks(&list);
    let error = image.resize(20_000).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the file system has features that cannot be resized: bad blocks"
    );
}

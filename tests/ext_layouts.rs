//! Every layout in the hands of the engine, then of the kernel, then of the engine again: clean throughout, and both
//! see the same files.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;

use mln_image::base::{GuestPath, Timestamp};
use mln_image::block::FileDevice;
use mln_image::ext::{self, Follow, Fs, InodeNo, NewNode, SpecialFile};
use tempfile::TempDir;

use crate::support::layouts::{LAYOUTS, Layout};
use crate::support::snapshot::Snapshot;
use crate::support::{Mounted, debugfs, e2fsck_clean};

const LEN_BYTES: u64 = 24 << 20;
const DIRECTORY: NewNode = NewNode {
    mode: 0o755,
    uid: 0,
    gid: 0,
};
/// `cap_chown` permitted and effective, in the second revision of the attribute.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const FILE: NewNode = NewNode {
    mode: 0o640,
    uid: 100_000,
    gid: 100_001,
};

/// The files that mke2fs puts into the image: short ones and long ones, links, attributes.
fn make_source(source: &Path) {
    fs::create_dir_all(source.join("etc/deep")).unwrap();
    for (name, len) in [
        ("empty", 0),
        ("short", 12),
        ("middle", 140),
        ("page", 4096),
        ("long", 300_000),
    ] {
        write(&source.join("etc").join(name), &vec![b'a'; len]);
    }
    fs::set_permissions(source.join("etc/short"), fs::Permissions::from_mode(0o600)).unwrap();
    symlink("short", source.join("etc/link")).unwrap();
    symlink("far/".repeat(30), source.join("etc/long-link")).unwrap();
    let flags = rustix::fs::XattrFlags::empty();
    for (name, len) in [("user.short", 5), ("user.middle", 200), ("user.long", 600)] {
        rustix::fs::setxattr(source.join("etc/middle"), name, &vec![b'v'; len], flags).unwrap();
    }
    // Half a gigabyte's place with a few blocks in it.
    let sparse = File::create(source.join("sparse")).unwrap();
    for number in 0..40_u64 {
        sparse.write_all_at(b"island", number * 300_000).unwrap();
    }
}

fn write(path: &Path, bytes: &[u8]) {
    File::create(path).unwrap().write_all(bytes).unwrap();
}

fn edited(image: &Path, change: impl FnOnce(&mut Fs)) {
    let device = Arc::new(FileDevice::open_writable(image).unwrap());
    let (mut fs, _) = Fs::recover(device, Timestamp::from_seconds(1_750_000_000)).unwrap();
    change(&mut fs);
    fs.commit().unwrap();
}

fn find(fs: &Fs, path: &str) -> InodeNo {
    let found = fs.lookup(&GuestPath::literal(path), Follow::NotLast).unwrap();
    found.unwrap_or_else(|| panic!("no {path}"))
}

/// Something of everything that the engine can do.
fn engine_edits(fs: &mut Fs) {
    let etc = find(fs, "/etc");
    let made = fs.mkdir(etc, b"made", DIRECTORY).unwrap();
    for number in 0..60_usize {
        let file = fs
            .create_file(made, format!("file {number}").as_bytes(), FILE)
            .unwrap();
        fs.replace_content(file, &vec![b'n'; number * number * 2])
            .unwrap();
    }
    let (short, middle, long) = (
        find(fs, "/etc/short"),
        find(fs, "/etc/middle"),
        find(fs, "/etc/long"),
    );
    fs.write_at(short, 6, b"in place").unwrap();
    fs.append(middle, &[b'b'; 500]).unwrap();
    fs.write_at(long, 150_000, b"in the middle").unwrap();
    fs.truncate(long, 200_001).unwrap();
    fs.truncate(find(fs, "/etc/page"), 7).unwrap();
    fs.write_at(find(fs, "/sparse"), 1_000_000, &vec![b'c'; 70_000])
        .unwrap();
    fs.symlink(made, b"link", b"file 1", FILE).unwrap();
    fs.symlink(made, b"long-link", &b"far/".repeat(40), FILE).unwrap();
    fs.mknod(made, b"null", SpecialFile::CharDevice(1, 3), FILE)
        .unwrap();
    fs.mknod(made, b"disk", SpecialFile::BlockDevice(259, 70_000), FILE)
        .unwrap();
    fs.mknod(made, b"pipe", SpecialFile::Fifo, FILE).unwrap();
    fs.mknod(made, b"socket", SpecialFile::Socket, FILE).unwrap();
    fs.link(short, made, b"hard").unwrap();
    fs.rename((etc, b"deep"), (made, b"moved")).unwrap();
    fs.rename((etc, b"empty"), (made, b"file 2")).unwrap();
    fs.unlink(made, b"file 50").unwrap();
    fs.set_xattr(short, b"user.one", b"value").unwrap();
    fs.set_xattr(short, b"security.capability", &CAPABILITY).unwrap();
    fs.set_xattr(middle, b"user.middle", &[b'w'; 30]).unwrap();
    fs.remove_xattr(middle, b"user.short").unwrap();
    fs.set_mode(long, 0o4711).unwrap();
    fs.set_owner(long, 7, 70_000).unwrap();
    fs.set_times(
        long,
        Timestamp::from_seconds(1_000),
        Timestamp::from_seconds(2_000),
    )
    .unwrap();
}

/// Something of everything that the kernel can do, on what the engine left.
fn kernel_edits(root: &Path) {
    let etc = root.join("etc");
    let mut append = File::options().append(true).open(etc.join("short")).unwrap();
    append.write_all(&[b'k'; 90]).unwrap();
    let middle = File::options().write(true).open(etc.join("middle")).unwrap();
    middle.set_len(20).unwrap();
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(etc.join("made/file 3"), "user.kernel", &[b'k'; 300], flags).unwrap();
    // The kernel lets files with the same attributes share one block of them.
    for number in 30..36 {
        let path = etc.join(format!("made/file {number}"));
        rustix::fs::setxattr(path, "user.shared", &vec![b's'; 500], flags).unwrap();
    }
    fs::create_dir(etc.join("kernel")).unwrap();
    for number in 0..80 {
        let path = etc.join(format!("kernel/a rather long name, number {number}"));
        write(&path, &vec![b'k'; number * 40]);
    }
    fs::rename(etc.join("made/moved"), etc.join("kernel/deep")).unwrap();
    fs::rename(etc.join("made/file 4"), etc.join("kernel/file 4")).unwrap();
    for number in 5..30 {
        fs::remove_file(etc.join(format!("made/file {number}"))).unwrap();
    }
    let sparse = File::options().write(true).open(root.join("sparse")).unwrap();
    for number in 0..40_u64 {
        sparse.write_all_at(b"more", 100_000 + number * 250_000).unwrap();
    }
}

/// And again, on what the kernel left.
fn engine_edits_again(fs: &mut Fs) {
    let kernel = find(fs, "/etc/kernel");
    for number in (0..80).step_by(3) {
        let name = format!("a rather long name, number {number}");
        fs.unlink(kernel, name.as_bytes()).unwrap();
    }
    for number in 0..40 {
        let name = format!("another rather long name, number {number}");
        let file = fs.create_file(kernel, name.as_bytes(), FILE).unwrap();
        fs.append(file, &[b'e'; 50]).unwrap();
    }
    fs.append(find(fs, "/etc/short"), &[b'e'; 40]).unwrap();
    fs.append(find(fs, "/etc/middle"), &[b'e'; 40]).unwrap();
    fs.set_xattr(find(fs, "/etc/made/file 3"), b"user.kernel", &[b'e'; 100])
        .unwrap();
    fs.write_at(find(fs, "/sparse"), 3_000_000, &vec![b'e'; 500_000])
        .unwrap();
    fs.set_xattr(find(fs, "/etc/made/file 30"), b"user.more", b"alone")
        .unwrap();
    fs.remove_xattr(find(fs, "/etc/made/file 31"), b"user.shared")
        .unwrap();
    let (etc, made) = (find(fs, "/etc"), find(fs, "/etc/made"));
    for number in 30..33 {
        let name = format!("file {number}");
        fs.rename((made, name.as_bytes()), (etc, name.as_bytes()))
            .unwrap();
    }
    fs.remove_tree(etc, b"made").unwrap();
}

/// Every judge is content, and the kernel sees what the engine sees.
#[track_caller]
fn judge(image: &Path, layout: &Layout, what: &str) {
    e2fsck_clean(image);
    let device = Arc::new(FileDevice::open(image).unwrap());
    let found: Vec<String> = ext::check(device.clone())
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(found.is_empty(), "{}, {what}: {found:#?}", layout.name);
    let by_engine = Snapshot::by_engine(&Fs::open(device).unwrap());
    if layout.is_for_kernel() {
        let mounted = Mounted::read_only(image, layout.driver());
        by_engine.assert_is(
            &Snapshot::by_kernel(mounted.path()),
            &format!("{}, {what}", layout.name),
        );
    }
}

/// What debugfs reads is what the engine wrote.
#[track_caller]
fn judge_content(image: &Path) {
    assert!(debugfs(image, "cat /etc/short").starts_with("aaaaaain place"));
    assert_eq!(
        debugfs(image, "cat /etc/middle"),
        "a".repeat(140) + &"b".repeat(500)
    );
    assert_eq!(debugfs(image, "cat \"/etc/made/file 40\""), "n".repeat(3200));
    assert!(debugfs(image, "ea_list /etc/short").contains("user.one (5) = \"value\""));
}

/// Takes one image from hand to hand.
fn hand_to_hand(layout: &Layout, source: &Path, image: &Path) {
    layout.mkfs(LEN_BYTES).make(image, Some(source));
    judge(image, layout, "new");
    edited(image, engine_edits);
    judge(image, layout, "edited by the engine");
    judge_content(image);
    if layout.is_for_kernel() {
        let mounted = Mounted::new(image, layout.driver());
        kernel_edits(mounted.path());
        drop(mounted);
        judge(image, layout, "edited by the kernel");
    } else {
        edited(image, |fs| {
            for number in 30..33 {
                let file = find(fs, &format!("/etc/made/file {number}"));
                fs.set_xattr(file, b"user.shared", &vec![b's'; 500]).unwrap();
            }
            fs.mkdir(find(fs, "/etc"), b"kernel", DIRECTORY).unwrap();
            for number in (0..80).step_by(3) {
                let name = format!("a rather long name, number {number}");
                fs.create_file(find(fs, "/etc/kernel"), name.as_bytes(), FILE)
                    .unwrap();
            }
        });
    }
    edited(image, engine_edits_again);
    judge(image, layout, "edited by the engine again");
}

#[test]
fn every_layout_goes_from_hand_to_hand_between_engine_and_kernel() {
    let directory = TempDir::new().unwrap();
    let source = directory.path().join("source");
    make_source(&source);
    for layout in LAYOUTS {
        hand_to_hand(layout, &source, &directory.path().join("image"));
    }
}

#[test]
fn what_somebody_uses_is_not_edited() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("image");
    let layout = LAYOUTS.iter().find(|layout| layout.has("mmp")).unwrap();
    layout.mkfs(LEN_BYTES).make(&image, None);
    let open = || Fs::open_for_edit(Arc::new(FileDevice::open(&image).unwrap()), Timestamp::default());
    open().unwrap();
    let block = debugfs(&image, "stats");
    let place = block
        .lines()
        .find_map(|line| line.strip_prefix("MMP block number:"));
    let offset = place.unwrap().trim().parse::<u64>().unwrap() * 4096;
    let file = File::options().write(true).read(true).open(&image).unwrap();
    let mut bytes = [0; 1024];
    file.read_exact_at(&mut bytes, offset).unwrap();
    // The sequence of somebody who has it mounted, and the name of the machine.
    bytes[4..8].copy_from_slice(&7_u32.to_le_bytes());
    bytes[16..20].copy_from_slice(b"box\0");
    bytes[80..88].copy_from_slice(b"/dev/sdx");
    bytes[88] = 0;
    let seed = crc32c(!0, &uuid(&image));
    let sum = crc32c(seed, &bytes[..1020]);
    bytes[1020..].copy_from_slice(&sum.to_le_bytes());
    file.write_all_at(&bytes, offset).unwrap();
    assert_eq!(
        open().unwrap_err().to_string(),
        "the file system is in use on `box`, device `/dev/sdx`"
    );
}

fn uuid(image: &Path) -> [u8; 16] {
    let mut uuid = [0; 16];
    File::open(image)
        .unwrap()
        .read_exact_at(&mut uuid, 1024 + 0x68)
        .unwrap();
    uuid
}

/// The register without its final inversion.
fn crc32c(register: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!register, bytes)
}

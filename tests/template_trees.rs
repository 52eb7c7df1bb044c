//! Templates from trees of files: archives, container images and directories, the kernel's driver being the judge.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mln_image::base::atomic::{self, Durability};
use mln_image::base::digest::Sha256Digest;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, lgetxattr, llistxattr, lsetxattr,
    makedev, mknodat, utimensat,
};
use tempfile::TempDir;

use crate::support::{Mounted, debugfs, e2fsck_clean, tool};

/// A directory to work in, with a store of templates.
struct Lab(TempDir);

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        atomic::write(&path, bytes, Durability::NoSync).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mln-image"));
        command
            .arg("-T")
            .arg(self.path("store"))
            .arg("template")
            .args(arguments);
        command.current_dir(self.0.path());
        command
    }

    /// Imports `source` as `name` and gives the image.
    #[track_caller]
    fn import(&self, source: &Path, name: &str, more: &[&str]) -> PathBuf {
        let arguments = [&["import", source.to_str().unwrap(), "--name", name], more].concat();
        let output = self.command(&arguments).output().unwrap();
        self.imported(&output)
    }

    #[track_caller]
    fn imported(&self, output: &Output) -> PathBuf {
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let image = self
            .path("store")
            .join(String::from_utf8_lossy(&output.stdout).trim());
        e2fsck_clean(&image);
        image
    }

    /// What is said instead of importing `bytes`.
    #[track_caller]
    fn refusal(&self, bytes: &[u8]) -> String {
        let archive = self.put("hostile.tar", bytes);
        let output = self
            .command(&["import", archive.to_str().unwrap()])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let left: Vec<_> = fs::read_dir(self.path("store"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert!(left.iter().all(|name| name == "templates.lock"), "{left:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

/// A tree with everything that a file system can hold.
fn make_tree(top: &Path) {
    fs::create_dir_all(top.join("usr/lib")).unwrap();
    fs::create_dir_all(top.join("var/empty")).unwrap();
    fs::create_dir(top.join("many")).unwrap();
    symlink("usr/lib", top.join("lib")).unwrap();
    symlink("x".repeat(200), top.join("usr/long")).unwrap();
    let file = |name: &str, bytes: &[u8]| File::create(top.join(name)).unwrap().write_all(bytes).unwrap();
    file(
        "usr/lib/big",
        &(0..3_000_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>(),
    );
    file("usr/ping", b"program");
    file("usr/empty", b"");
    file(&format!("usr/{}", "n".repeat(255)), b"long name");
    for number in 0..1500 {
        file(
            &format!("many/file-{number:04}"),
            format!("{number}\n").as_bytes(),
        );
    }
    fs::hard_link(top.join("usr/ping"), top.join("usr/ping6")).unwrap();
    let sparse = File::create(top.join("var/sparse")).unwrap();
    sparse.set_len(1 << 30).unwrap();
    sparse.write_all_at(b"in the middle", (500 << 20) + 777).unwrap();
    sparse.write_all_at(b"end", (1 << 30) - 3).unwrap();
    for (name, kind, device) in [
        ("null", FileType::CharacterDevice, makedev(1, 3)),
        ("disk", FileType::BlockDevice, makedev(259, 70_000)),
        ("pipe", FileType::Fifo, 0),
    ] {
        mknodat(
            CWD,
            top.join("var").join(name),
            kind,
            Mode::from_raw_mode(0o640),
            device,
        )
        .unwrap();
    }
    set_attributes(top);
    set_times(top);
}

/// Owners, modes and extended attributes of the tree.
fn set_attributes(top: &Path) {
    lchown(top.join("lib"), Some(7), Some(70_000)).unwrap();
    lchown(top.join("usr/ping"), Some(1000), Some(100_000)).unwrap();
    fs::set_permissions(top.join("usr/ping"), fs::Permissions::from_mode(0o4751)).unwrap();
    fs::set_permissions(top.join("var"), fs::Permissions::from_mode(0o1777)).unwrap();
    // A value with line ends and zeros, as capabilities may have them.
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    lsetxattr(
        top.join("usr/ping"),
        "security.capability",
        &capability,
        XattrFlags::empty(),
    )
    .unwrap();
    lsetxattr(
        top.join("usr/lib"),
        "user.note",
        b"a\n=b\n\0",
        XattrFlags::empty(),
    )
    .unwrap();
    lsetxattr(
        top.join("usr/empty"),
        "user.large",
        &[b'v'; 2000],
        XattrFlags::empty(),
    )
    .unwrap();
}

/// Times of the tree, to the nanosecond.
fn set_times(top: &Path) {
    let names = "usr/ping lib var/null many/file-0007 usr/lib var many usr .";
    for (tv_sec, name) in (1_000_000_000..).zip(names.split(' ')) {
        let time = Timespec {
            tv_sec,
            tv_nsec: 123_456_789,
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        utimensat(CWD, top.join(name), &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }
}

/// Everything that the kernel tells of a tree, by path.
fn facts(top: &Path) -> BTreeMap<String, String> {
    let mut numbers: BTreeMap<u64, usize> = BTreeMap::new();
    let mut facts = BTreeMap::new();
    for entry in walkdir::WalkDir::new(top).sort_by_file_name() {
        let entry = entry.unwrap();
        let path = entry.path();
        let name = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
        if name.starts_with("lost+found") {
            continue;
        }
        let metadata = fs::symlink_metadata(path).unwrap();
        let is_file = metadata.is_file();
        let content = if is_file {
            Sha256Digest::of_reader(File::open(path).unwrap())
                .unwrap()
                .to_string()
        } else {
            fs::read_link(path).map_or(String::new(), |target| target.display().to_string())
        };
        let mut names = vec![0; 4096];
        let len = llistxattr(path, &mut names[..]).unwrap();
        let mut xattrs = Vec::new();
        for attribute in names[..len]
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
        {
            let mut value = vec![0; 4096];
            let len = lgetxattr(path, attribute, &mut value[..]).unwrap();
            xattrs.push((
                String::from_utf8_lossy(attribute).into_owned(),
                value[..len].to_vec(),
            ));
        }
        xattrs.sort();
        let count = numbers.len();
        let node = *numbers.entry(metadata.ino()).or_insert(count);
        let is_dir = metadata.is_dir();
        let fact = format!(
            "{:o} {}:{} {}.{} size {} links {} node {} device {} {content} {xattrs:?}",
            metadata.mode(),
            metadata.uid(),
            metadata.gid(),
            metadata.mtime(),
            metadata.mtime_nsec(),
            if is_dir { 0 } else { metadata.size() },
            // The root of a file system has `lost+found` besides.
            if is_dir { 0 } else { metadata.nlink() },
            if is_dir { 0 } else { node },
            metadata.rdev(),
        );
        facts.insert(name, fact);
    }
    // Nodes are numbered in the order of the paths, which is that of both trees.
    facts
}

#[track_caller]
fn same_tree(image: &Path, kind: &str, source: &Path) {
    let mounted = Mounted::new(image, kind);
    let (found, expected) = (facts(mounted.path()), facts(source));
    for (path, fact) in &expected {
        assert_eq!(found.get(path), Some(fact), "{path}");
    }
    assert_eq!(found.len(), expected.len());
}

/// Archives `directory` as GNU tar does.
fn tar(directory: &Path, archive: &Path, more: &[&str]) {
    let output = tool("tar", "tar")
        .args(["--numeric-owner", "--sort=name"])
        .args(if more.contains(&"--format=gnu") {
            &[][..]
        } else {
            &["--xattrs", "--xattrs-include=*"]
        })
        .args(more)
        .arg("-cf")
        .arg(archive)
        .arg("-C")
        .arg(directory)
        .arg(".")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn an_archive_becomes_the_tree_that_it_was_made_of() {
    let lab = Lab::new();
    let tree = lab.path("tree");
    make_tree(&tree);
    let archive = lab.path("root.tar");
    tar(&tree, &archive, &["--format=posix", "--sparse"]);
    for kind in ["ext3", "ext4"] {
        let image = lab.import(&archive, &format!("lab.{kind}"), &[]);
        same_tree(&image, kind, &tree);
        // A gigabyte of holes takes no room.
        assert!(fs::metadata(&image).unwrap().len() < 256 << 20);
        assert!(debugfs(&image, "show_super_stats -h").contains("Filesystem state:         clean"));
    }
}

#[test]
fn every_way_of_packing_gives_the_same_bytes() {
    let lab = Lab::new();
    let tree = lab.path("tree");
    make_tree(&tree);
    let archive = lab.path("root.tar");
    tar(&tree, &archive, &["--format=posix", "--sparse"]);
    let first = digest(&lab.import(&archive, "lab.ext4", &[]));
    let bytes = fs::read(&archive).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bytes).unwrap();
    let gzip = lab.put("root.tar.gz", &gzip.finish().unwrap());
    let zstd = lab.put("root.tar.zst", &zstd::encode_all(&bytes[..], 1).unwrap());
    for packed in [&archive, &gzip, &zstd] {
        assert_eq!(
            digest(&lab.import(packed, "lab.ext4", &[])),
            first,
            "{}",
            packed.display()
        );
        let output = lab
            .command(&["import", "-", "--name", "lab.ext4"])
            .stdin(Stdio::from(File::open(packed).unwrap()))
            .output()
            .unwrap();
        assert_eq!(digest(&lab.imported(&output)), first, "{}", packed.display());
    }
    // The forms of sparse files differ in the archive alone.
    for (name, more) in [
        ("gnu", &["--format=gnu", "--sparse"][..]),
        ("0.1", &["--format=posix", "--sparse", "--sparse-version=0.1"]),
    ] {
        let other = lab.path(&format!("{name}.tar"));
        tar(&tree, &other, more);
        let image = lab.import(
            &other,
            &format!("sparse-{name}.ext4")
                .replace('.', "-")
                .replace("-ext4", ".ext4"),
            &[],
        );
        let content = debugfs(&image, "stat /var/sparse");
        assert!(content.contains("Size: 1073741824"), "{content}");
    }
}

#[test]
fn a_directory_becomes_a_template_as_it_is() {
    let lab = Lab::new();
    let tree = lab.path("tree");
    make_tree(&tree);
    let images = [0, 1].map(|_| lab.import(&tree, "lab.ext4", &["--size", "256M"]));
    assert_eq!(digest(&images[0]), digest(&images[1]));
    assert_eq!(fs::metadata(&images[0]).unwrap().len(), 256 << 20);
    same_tree(&images[0], "ext4", &tree);
    let output = lab
        .command(&[
            "import",
            tree.to_str().unwrap(),
            "--name",
            "small.ext4",
            "--size",
            "24M",
        ])
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        message.contains("24M are too few: the file system was full at"),
        "{message}"
    );
}

/// An image layout that is being made, layer after layer.
struct Layout {
    directory: PathBuf,
    layers: Vec<String>,
}

impl Layout {
    fn new(directory: PathBuf) -> Self {
        fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
        let layout = Self {
            directory,
            layers: Vec::new(),
        };
        layout.write("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        layout
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        atomic::write(&self.directory.join(name), bytes, Durability::NoSync).unwrap();
    }

    fn blob(&self, kind: &str, bytes: &[u8], more: &str) -> String {
        let digest = Sha256Digest::of(bytes);
        self.write(&format!("blobs/sha256/{digest}"), bytes);
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.{kind}","digest":"sha256:{digest}","size":{}{more}}}"#,
            bytes.len()
        )
    }

    fn layer(&mut self, kind: &str, bytes: &[u8]) {
        let layer = self.blob(kind, bytes, "");
        self.layers.push(layer);
    }

    /// The descriptor of the manifest.
    fn manifest(&self, more: &str) -> String {
        let config = self.blob("config.v1+json", b"{}", "");
        let layers = self.layers.join(",");
        let manifest = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layers}]}}"#);
        self.blob("manifest.v1+json", manifest.as_bytes(), more)
    }

    fn index(&self, manifests: &[String]) {
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, manifests.join(","));
        self.write("index.json", index.as_bytes());
    }
}

/// A layer with files, a content for each path; a path with a slash at its end is a directory.
fn layer(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = ::tar::Header::new_gnu();
        let is_directory = path.ends_with('/');
        header.set_entry_type(if is_directory {
            ::tar::EntryType::Directory
        } else {
            ::tar::EntryType::Regular
        });
        header.set_mode(if is_directory { 0o755 } else { 0o644 });
        header.set_mtime(1_700_000_000);
        header.set_size(content.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        builder
            .append_data(&mut header, path.trim_end_matches('/'), content.as_bytes())
            .unwrap();
    }
    builder.into_inner().unwrap()
}

fn two_layers(directory: PathBuf) -> Layout {
    let mut layout = Layout::new(directory);
    let lower = layer(&[
        ("etc/", ""),
        ("etc/keep", "lower"),
        ("etc/gone", "x"),
        ("etc/changed", "old"),
        ("srv/", ""),
        ("srv/tree/", ""),
        ("srv/tree/below", "x"),
        ("opt/", ""),
        ("opt/old", "x"),
        ("opt/sub/", ""),
        ("opt/sub/old", "x"),
        ("kind/", ""),
        ("kind/inside", "x"),
    ]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&lower).unwrap();
    layout.layer("layer.v1.tar+gzip", &gzip.finish().unwrap());
    let upper = layer(&[
        ("etc/.wh.gone", ""),
        ("etc/changed", "new"),
        ("srv/.wh.tree", ""),
        ("opt/", ""),
        ("opt/sub/", ""),
        ("opt/sub/new", "n"),
        ("opt/new", "n"),
        ("opt/.wh..wh..opq", ""),
        ("kind", "a file now"),
    ]);
    layout.layer("layer.v1.tar+zstd", &zstd::encode_all(&upper[..], 3).unwrap());
    layout
}

#[test]
fn layers_of_a_container_image_lie_over_one_another() {
    let lab = Lab::new();
    let layout = two_layers(lab.path("image"));
    layout.index(&[layout.manifest("")]);
    let archive = lab.path("image.oci.tar");
    tar(&lab.path("image"), &archive, &[]);
    let from_directory = lab.import(&lab.path("image"), "web.ext4", &[]);
    let from_archive = lab.import(&archive, "web.ext4", &[]);
    let output = lab
        .command(&["import", "-", "--name", "web.ext4"])
        .stdin(Stdio::from(File::open(&archive).unwrap()))
        .output()
        .unwrap();
    let from_stream = lab.imported(&output);
    assert_eq!(digest(&from_directory), digest(&from_archive));
    assert_eq!(digest(&from_directory), digest(&from_stream));
    let mounted = Mounted::new(&from_directory, "ext4");
    let found: Vec<String> = facts(mounted.path()).into_keys().collect();
    let expected = "|etc|etc/changed|etc/keep|kind|opt|opt/new|opt/sub|opt/sub/new|srv";
    assert_eq!(found.join("|"), expected);
    let mut changed = String::new();
    File::open(mounted.path().join("etc/changed"))
        .unwrap()
        .read_to_string(&mut changed)
        .unwrap();
    assert_eq!(changed, "new");
}

#[test]
fn damaged_and_unclear_container_images_are_refused() {
    let lab = Lab::new();
    let image = lab.path("image");
    let layout = two_layers(image.clone());
    let refusal = |more: &[&str]| {
        let arguments = [&["import", "image"][..], more].concat();
        let output = lab.command(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let platform = |name: &str| format!(r#","platform":{{"os":"linux","architecture":"{name}"}}"#);
    layout.index(&[
        layout.manifest(&platform("arm64")),
        layout.manifest(&platform("s390x")),
    ]);
    let message = refusal(&[]);
    assert!(
        message.contains("no image for linux/amd64; there are linux/arm64, linux/s390x"),
        "{message}"
    );
    lab.import(&image, "arm.ext4", &["--platform", "linux/arm64"]);
    let manifest = layout.manifest("");
    layout.index(std::slice::from_ref(&manifest));
    let digest = layout.layers[1].split("sha256:").nth(1).unwrap()[..64].to_owned();
    let blob = image.join("blobs/sha256").join(&digest);
    let good = fs::read(&blob).unwrap();
    let other = layer(&[("etc/evil", "x")]);
    layout.write(&format!("blobs/sha256/{digest}"), &other);
    let message = refusal(&[]);
    assert!(
        message.contains(&format!("blob sha256:{digest} of the image layout is damaged")),
        "{message}"
    );
    fs::remove_file(&blob).unwrap();
    assert!(refusal(&[]).contains("the image layout has no `blobs/sha256/"));
    layout.write(&format!("blobs/sha256/{digest}"), &good);
    lab.import(&image, "whole.ext4", &[]);
    layout.write("index.json", b"{");
    assert!(refusal(&[]).contains("cannot understand index.json of the image layout"));
}

/// An archive of one entry, made without any check of its name.
fn entry(path: &str, kind: ::tar::EntryType, link: &str, size: u64, content: &[u8]) -> Vec<u8> {
    let mut header = ::tar::Header::new_ustar();
    header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_link_name_literal(link).unwrap();
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1);
    header.set_size(size);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[test]
fn hostile_archives_are_refused_and_leave_nothing() {
    use ::tar::EntryType as T;
    let lab = Lab::new();
    let file = |path: &str| entry(path, T::Regular, "", 0, b"");
    let join = |parts: &[Vec<u8>]| parts.concat();
    let cases = [
        (file("a/../../etc/passwd"), "has a `..` component"),
        (
            entry("big", T::Regular, "", 1 << 40, b"few"),
            "cannot read the archive",
        ),
        (
            entry("link", T::Link, "nowhere", 0, b""),
            "`/link` is a hard link to `nowhere`, which is not there",
        ),
        (
            entry("link", T::Link, "../../etc/passwd", 0, b""),
            "has a `..` component",
        ),
        (
            join(&[file("file"), file("file/below")]),
            "`/file/below` lies below `/file`, which is no directory",
        ),
        (
            join(&[entry("out", T::Symlink, "out", 0, b""), file("out/x")]),
            "too many levels of symbolic links",
        ),
        (
            join(&[entry("x", T::XHeader, "", 9, b"8 path=x\n"), file("x")]),
            "an extended header that is none",
        ),
        (
            entry("x", T::XHeader, "", 1 << 33, b""),
            "an extension that is too long",
        ),
        (vec![b'x'; 1024], "is not an ext2, ext3 or ext4 file system"),
        (file("ok")[..300].to_vec(), "cannot"),
    ];
    fs::create_dir_all(lab.path("store")).unwrap();
    for (bytes, expected) in cases {
        let message = lab.refusal(&bytes);
        assert!(message.contains(expected), "{expected}: {message}");
    }
    let mut damaged = file("fine");
    damaged[0] = b'F';
    assert!(
        lab.refusal(&damaged)
            .contains("damaged at byte 0: a wrong checksum")
    );
}

#[test]
fn a_tree_of_more_files_than_a_group_has_inodes_fits() {
    let lab = Lab::new();
    let names: Vec<String> = (0..17_000)
        .map(|number| format!("{}/{number}", number % 50))
        .collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let image = lab.import(&lab.put("many.tar", &layer(&files)), "many.ext4", &[]);
    assert!(debugfs(&image, "stat /49/16999").contains("Type: regular"));
}

#[test]
fn links_lead_inside_the_tree_and_the_last_of_two_wins() {
    use ::tar::EntryType as T;
    let lab = Lab::new();
    let archive = [
        entry("usr/lib/", T::Directory, "", 0, b""),
        entry("lib", T::Symlink, "/usr/lib", 0, b""),
        entry("lib/inside", T::Regular, "", 3, b"one"),
        entry("twice", T::Regular, "", 5, b"first"),
        entry("twice", T::Regular, "", 6, b"second"),
        entry("/absolute/file", T::Regular, "", 1, b"a"),
        entry("self", T::Regular, "", 1, b"s"),
        entry("self", T::Link, "self", 0, b""),
        entry("other", T::Link, "lib/inside", 0, b""),
        vec![0; 1024],
    ]
    .concat();
    let image = lab.import(&lab.put("links.tar", &archive), "links.ext4", &[]);
    assert_eq!(debugfs(&image, "cat /usr/lib/inside"), "one");
    assert_eq!(debugfs(&image, "cat /twice"), "second");
    assert_eq!(debugfs(&image, "cat /absolute/file"), "a");
    assert_eq!(debugfs(&image, "cat /other"), "one");
}

fn digest(image: &Path) -> Sha256Digest {
    Sha256Digest::of_reader(File::open(image).unwrap()).unwrap()
}

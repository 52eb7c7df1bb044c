//! An image in a delta format to which an outside tool has written as a machine would.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::lab::EPOCH;
use super::recovery::put;
use super::{BlockSize, ExtKind, Mkfs, e2fsck_clean, sha256, tool};

/// Where the file systems of these tests end; what lies behind it is the tests' own.
pub(crate) const FS_BYTES: u64 = 48 << 20;

/// A place in the disk that no file system uses, into which an outside tool writes.
pub(crate) const OUTSIDE: u64 = 60 << 20;

/// How long the file `/data` of the template is; the machine has written to the second unit of it.
pub(crate) const DATA_BYTES: usize = 40_960;

/// A template, longer than its file system, and an image over it as an outside tool makes it.
pub(crate) struct DeltaLab {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) name: &'static str,
}

impl DeltaLab {
    /// A qcow2 image that `qemu-img` made, to which `qemu-io` has written; `cluster` is the size of its clusters.
    pub(crate) fn qcow2(cluster: &str) -> Self {
        let lab = Self::with_template("guest.qcow2");
        let options = format!("cluster_size={cluster}");
        let mut create = tool("qemu-img", "qemu-utils");
        create.args([
            "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "base.img", "-o", &options,
        ]);
        lab.does(create.arg("guest.qcow2"));
        let in_file = format!("write -q -P 0x33 {} 4k", lab.data_place() + 4096);
        for write in [
            "write -q -P 0xa5 60M 20k",
            "write -q -P 0x5a 61954k 3k",
            "write -q -z 62M 64k",
            &in_file,
        ] {
            let mut io = tool("qemu-io", "qemu-utils");
            lab.does(io.args(["-f", "qcow2", "-c", write, "guest.qcow2"]));
        }
        lab
    }

    /// A COW file that `uml_mkcow` made, with sectors set as User-Mode Linux sets them: some, here and there.
    pub(crate) fn uml_cow() -> Self {
        let lab = Self::with_template("guest.cow");
        let base = lab.path("base.img");
        lab.does(tool("uml_mkcow", "uml-utilities").arg("guest.cow").arg(&base));
        let cow = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(lab.image())
            .unwrap();
        let data = 8192 + (fs::metadata(&base).unwrap().len() / 4096).next_multiple_of(4096);
        let write = |start: u64, len: u64, byte: u8| {
            for sector in start / 512..(start + len) / 512 {
                let mut bits = [0];
                cow.read_exact_at(&mut bits, 8192 + sector / 8).unwrap();
                bits[0] |= 1 << (sector % 8);
                cow.write_all_at(&bits, 8192 + sector / 8).unwrap();
                cow.write_all_at(&[byte; 512], data + sector * 512).unwrap();
            }
        };
        write(OUTSIDE, 20 << 10, 0xa5);
        write(61_954 << 10, 3 << 10, 0x5a);
        write(62 << 20, 64 << 10, 0);
        write(lab.data_place() + 4096, 4096, 0x33);
        lab
    }

    fn with_template(name: &'static str) -> Self {
        let lab = Self {
            directory: tempfile::tempdir().unwrap(),
            name,
        };
        let base = lab.path("base.img");
        fs::create_dir(lab.path("tree")).unwrap();
        put(&lab.path("tree/data"), &vec![0x11; DATA_BYTES]);
        Mkfs::new(ExtKind::Ext4, BlockSize(4096), FS_BYTES).make(&base, Some(&lab.path("tree")));
        fs::remove_dir_all(lab.path("tree")).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&base).unwrap();
        file.set_len(64 << 20).unwrap();
        // What a template has in places that it does not use.
        file.write_all_at(&vec![0xee; 1 << 20], OUTSIDE).unwrap();
        file.write_all_at(&vec![0xee; 1 << 20], 62 << 20).unwrap();
        drop(file);
        put(&lab.path("file"), &vec![7; 100_000]);
        lab
    }

    /// Where in the template the file `/data` begins; its blocks follow each other.
    fn data_place(&self) -> u64 {
        let mut debugfs = tool("debugfs", "e2fsprogs");
        let output = debugfs
            .args(["-R", "blocks /data"])
            .arg(self.path("base.img"))
            .output();
        let blocks = String::from_utf8(output.unwrap().stdout).unwrap();
        blocks.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 4096
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn image(&self) -> PathBuf {
        self.path(self.name)
    }

    #[track_caller]
    pub(crate) fn does(&self, command: &mut Command) {
        let output = command.current_dir(self.directory.path()).output().unwrap();
        assert!(output.status.success(), "{command:?}: {output:?}");
    }

    pub(crate) fn settled(&self, mut command: Command, arguments: &[&str]) -> Command {
        command
            .arg("image")
            .args(
                arguments
                    .iter()
                    .map(|argument| argument.replace("IMG", self.name)),
            )
            .current_dir(self.directory.path())
            .env("HOME", self.directory.path())
            .env("SOURCE_DATE_EPOCH", EPOCH);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.settled(Command::new(env!("CARGO_BIN_EXE_mln-image")), arguments)
            .output()
            .unwrap()
    }

    #[track_caller]
    pub(crate) fn answer(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {complaint}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn complaint(&self, arguments: &[&str]) -> String {
        let before = sha256(&self.image());
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(sha256(&self.image()), before);
        String::from_utf8(output.stderr).unwrap()
    }

    /// The whole disk as an outside tool sees it.
    pub(crate) fn merged(&self) -> PathBuf {
        let merged = self.path("merged.img");
        if self.name.ends_with("cow2") {
            let mut check = tool("qemu-img", "qemu-utils");
            self.does(check.args(["check", "-q", "-f", "qcow2", self.name]));
            let mut convert = tool("qemu-img", "qemu-utils");
            self.does(
                convert
                    .args(["convert", "-f", "qcow2", "-O", "raw", self.name])
                    .arg(&merged),
            );
        } else {
            let _may_be_missing = fs::remove_file(&merged);
            self.does(tool("uml_moo", "uml-utilities").arg(self.name).arg(&merged));
        }
        merged
    }

    /// Holds what the outside tool wrote into the file `/data` against the merged disk, which has to be sound.
    #[track_caller]
    pub(crate) fn data_is_there(&self) -> PathBuf {
        let merged = self.merged();
        e2fsck_clean(&merged);
        let mut expected = vec![0x11; DATA_BYTES];
        expected[4096..8192].fill(0x33);
        let mut cat = Command::new(env!("CARGO_BIN_EXE_mln-image"));
        let data = format!("{}:/data", merged.display());
        let found = cat.args(["image", "cat", &data]).output().unwrap().stdout;
        assert!(found == expected, "what was written to /data is lost");
        merged
    }

    /// Holds what the outside tool wrote, and what it left of the template, against the merged disk.
    #[track_caller]
    pub(crate) fn outside_is_there(&self) -> PathBuf {
        let merged = self.data_is_there();
        let file = fs::File::open(&merged).unwrap();
        let is = |start: u64, len: usize, byte: u8| {
            let mut bytes = vec![0; len];
            file.read_exact_at(&mut bytes, start).unwrap();
            assert!(bytes.iter().all(|found| *found == byte), "{start}");
        };
        is(OUTSIDE, 20 << 10, 0xa5);
        is(OUTSIDE + (20 << 10), 494 << 10, 0xee);
        is(61_954 << 10, 3 << 10, 0x5a);
        is(62 << 20, 64 << 10, 0);
        is((62 << 20) + (64 << 10), (1 << 20) - (64 << 10), 0xee);
        merged
    }
}

//! Random operations. They name files by a number that is looked up among those that exist when their turn comes, so
//! that most of them have something to do.

use proptest::prelude::*;

use super::model::Time;

/// A number that picks one of what there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pick(u16);

impl Pick {
    /// The picked one of `many`.
    pub(super) fn of<T: Clone>(self, many: &[T]) -> Option<T> {
        many.get(usize::from(self.0) % many.len().max(1)).cloned()
    }
}

/// A name out of a small stock, so that names meet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name(u8);

impl Name {
    pub(super) fn bytes(self) -> Vec<u8> {
        match self.0 {
            0 => vec![b'x'; 255],
            1 => "sm\u{f8}rbr\u{f8}d".as_bytes().to_vec(),
            2 => b" ~^".to_vec(),
            number => format!("name{number}").into_bytes(),
        }
    }
}

/// One step of a sequence.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    /// A new file, with `len` bytes if there is to be any content.
    Create {
        parent: Pick,
        name: Name,
        len: usize,
        mode: u16,
    },
    /// Bytes from `offset` on, in a file, beyond its end too.
    Write {
        file: Pick,
        offset: usize,
        len: usize,
    },
    /// Bytes at a file's end.
    Append {
        file: Pick,
        len: usize,
    },
    /// A shorter or longer file.
    Truncate {
        file: Pick,
        len: usize,
    },
    /// A new directory.
    Mkdir {
        parent: Pick,
        name: Name,
        mode: u16,
    },
    /// Hundreds of empty files in one directory.
    Crowd {
        parent: Pick,
        count: usize,
    },
    /// Every `stride`-th name of one directory removed, as far as they are files.
    Thin {
        parent: Pick,
        stride: usize,
    },
    /// A new symbolic link.
    Symlink {
        parent: Pick,
        name: Name,
        len: usize,
    },
    /// A further name for a file or a symbolic link.
    Link {
        file: Pick,
        parent: Pick,
        name: Name,
    },
    /// A file of any kind under another name, perhaps in place of another.
    Rename {
        from: Pick,
        parent: Pick,
        name: Name,
    },
    /// A file's name removed.
    Unlink {
        from: Pick,
    },
    /// A directory removed, if it is empty.
    Rmdir {
        directory: Pick,
    },
    Chmod {
        path: Pick,
        mode: u16,
    },
    Chown {
        path: Pick,
        uid: u32,
        gid: u32,
    },
    Utimes {
        path: Pick,
        mtime: Time,
    },
    /// A device, a pipe or a socket.
    Mknod {
        parent: Pick,
        name: Name,
        kind: u8,
    },
    /// An attribute set, or removed if there is no length.
    Xattr {
        path: Pick,
        name: u8,
        len: Option<usize>,
    },
    /// A longer file system.
    Grow {
        more_bytes: u64,
    },
    /// A file system as short as its files allow, and this share of what is free.
    Shrink {
        percent: u8,
    },
    /// Everything written out, and the file system opened anew.
    Reopen,
}

impl Operation {
    /// A file of a few bytes in the root directory.
    pub(super) fn small_file(number: u8) -> Self {
        Self::Create {
            parent: Pick(0),
            name: Name(10 + number),
            len: 10,
            mode: 0o644,
        }
    }
}

/// The bytes that a step writes: no two steps write the same.
pub(super) fn content(step: usize, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    for (row, piece) in bytes.chunks_mut(PERIOD.len()).enumerate() {
        piece.copy_from_slice(&PERIOD[..piece.len()]);
        let stamp = [step, row].map(|number| u8::try_from(number % 255 + 1).unwrap());
        let stamped = piece.len().min(stamp.len());
        piece[..stamped].copy_from_slice(&stamp[..stamped]);
    }
    bytes
}

/// What every piece of content consists of, but for its beginning.
const PERIOD: &[u8; 60] = b"the quick brown fox jumps over the lazy dog 0123456789 +-*/!";

fn pick() -> impl Strategy<Value = Pick> {
    any::<u16>().prop_map(Pick)
}

fn name() -> impl Strategy<Value = Name> {
    (0_u8..24).prop_map(Name)
}

fn mode() -> impl Strategy<Value = u16> {
    0_u16..0o10_000
}

/// At least one byte; mostly short, sometimes long enough for indirect blocks of the second order at 1 KiB blocks.
fn len() -> impl Strategy<Value = usize> {
    prop_oneof![5 => 1_usize..200, 4 => 1_usize..20_000, 1 => 100_000_usize..500_000]
}

/// Near the beginning, or far out, so that a hole stays before it and larger blocks reach the second order too.
fn offset() -> impl Strategy<Value = usize> {
    prop_oneof![6 => 0_usize..30_000, 1 => 0_usize..1_000_000, 1 => 4_200_000_usize..6_000_000]
}

/// Enough names for a hash tree; sometimes, at 1 KiB blocks, for a second level of it.
fn count() -> impl Strategy<Value = usize> {
    prop_oneof![9 => 20_usize..200, 1 => 800_usize..1_200]
}

/// Short values lie in the inode, longer ones in a block, the longest nowhere or in inodes of their own.
fn xattr_len() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![
        2 => Just(None),
        4 => (0_usize..80).prop_map(Some),
        3 => (80_usize..900).prop_map(Some),
        1 => (900_usize..9_000).prop_map(Some),
    ]
}

fn mtime() -> impl Strategy<Value = Time> {
    (0_i64..i64::from(i32::MAX), 0_u32..1_000_000_000)
}

/// One operation.
pub(super) fn operation() -> impl Strategy<Value = Operation> {
    let files = prop_oneof![
        6 => (pick(), name(), prop_oneof![1 => Just(0), 9 => len()], mode())
            .prop_map(|(parent, name, len, mode)| Operation::Create { parent, name, len, mode }),
        3 => (pick(), offset(), len()).prop_map(|(file, offset, len)| Operation::Write { file, offset, len }),
        3 => (pick(), len()).prop_map(|(file, len)| Operation::Append { file, len }),
        3 => (pick(), prop_oneof![len(), offset()]).prop_map(|(file, len)| Operation::Truncate { file, len }),
        2 => (pick(), name(), 1_usize..400)
            .prop_map(|(parent, name, len)| Operation::Symlink { parent, name, len }),
        2 => (pick(), pick(), name()).prop_map(|(file, parent, name)| Operation::Link { file, parent, name }),
        3 => pick().prop_map(|from| Operation::Unlink { from }),
        1 => (pick(), name(), 0_u8..4).prop_map(|(parent, name, kind)| Operation::Mknod { parent, name, kind }),
    ];
    let directories = prop_oneof![
        5 => (pick(), name(), mode()).prop_map(|(parent, name, mode)| Operation::Mkdir { parent, name, mode }),
        1 => (pick(), count()).prop_map(|(parent, count)| Operation::Crowd { parent, count }),
        1 => (pick(), 1_usize..4).prop_map(|(parent, stride)| Operation::Thin { parent, stride }),
        6 => (pick(), pick(), name()).prop_map(|(from, parent, name)| Operation::Rename { from, parent, name }),
        2 => pick().prop_map(|directory| Operation::Rmdir { directory }),
    ];
    let attributes = prop_oneof![
        (pick(), mode()).prop_map(|(path, mode)| Operation::Chmod { path, mode }),
        (pick(), any::<u32>(), any::<u32>()).prop_map(|(path, uid, gid)| Operation::Chown { path, uid, gid }),
        (pick(), mtime()).prop_map(|(path, mtime)| Operation::Utimes { path, mtime }),
        (pick(), 0_u8..5, xattr_len()).prop_map(|(path, name, len)| Operation::Xattr { path, name, len }),
        (pick(), 0_u8..5, xattr_len()).prop_map(|(path, name, len)| Operation::Xattr { path, name, len }),
    ];
    let whole = prop_oneof![
        (0_u64..24 << 20).prop_map(|more_bytes| Operation::Grow { more_bytes }),
        (50_u8..100).prop_map(|percent| Operation::Shrink { percent }),
        Just(Operation::Reopen),
    ];
    prop_oneof![11 => files, 8 => directories, 3 => attributes, 1 => whole]
}

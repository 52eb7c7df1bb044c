//! Random operations against a model: after every sequence e2fsck and the engine's own check find nothing, and a
//! second reader sees exactly the model's tree.
//!
//! The sequences are the same in every run, unless the environment wants others: see `support/random.rs`.

mod apply;
mod model;
mod operation;
mod template;

use std::path::Path;
use std::sync::Arc;

use mln_image::block::{BlockDevice, FileDevice, Overlay};
use mln_image::ext;
use proptest::prelude::*;
use tempfile::TempDir;

use self::apply::Subject;
use self::model::Model;
use self::operation::{Operation, operation};
use self::template::Template;
use crate::support::{BlockSize, ExtKind, Mkfs, Tree, e2fsck_clean, runner};

/// Sequences for each kind of image; there are twelve kinds.
const CASES: u32 = 45;
/// Operations in a sequence.
const LONGEST: usize = 24;
const LEN_BYTES: u64 = 64 << 20;

/// Runs random sequences on copies of the image that `mkfs` makes.
fn run(mkfs: &Mkfs) {
    let directory = TempDir::new().unwrap();
    let template = Template::new(mkfs, directory.path());
    let image = directory.path().join("image");
    let sequences = prop::collection::vec(operation(), 1..LONGEST);
    let outcome = runner(CASES).run(&sequences, |operations| sequence(&template, &operations, &image));
    if let Err(failure) = outcome {
        panic!("{mkfs:?}: {failure}");
    }
}

/// Applies one sequence to the engine and to the model, and has the outcome judged.
fn sequence(template: &Template, operations: &[Operation], image: &Path) -> Result<(), TestCaseError> {
    let overlay = Arc::new(Overlay::new(template.device()));
    let mut subject = Subject::new(overlay, Model::new(&template.tree));
    for (step, operation) in operations.iter().enumerate() {
        subject.apply(step, operation)?;
    }
    let (overlay, model) = subject.finish();
    template.write(&overlay.finish().unwrap(), image);
    judge(image, &model.tree(template.has_nanoseconds))
}

/// Holds an image against its judges and against the tree that it should have.
fn judge(image: &Path, expected: &Tree) -> Result<(), TestCaseError> {
    e2fsck_clean(image);
    let device: Arc<dyn BlockDevice> = Arc::new(FileDevice::open(image).unwrap());
    let findings: Vec<String> = ext::check(device)
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    prop_assert!(findings.is_empty(), "findings: {findings:#?}");
    let found = Tree::read(image);
    prop_assert_eq!(&found, expected);
    Ok(())
}

macro_rules! random_sequences {
    ($($name:ident: $kind:ident $block_size:literal $inode_len:literal $features:literal;)*) => {
        $(
            #[test]
            fn $name() {
                let mkfs = Mkfs::new(ExtKind::$kind, BlockSize($block_size), LEN_BYTES);
                run(&mkfs.inode_len_bytes($inode_len).features($features));
            }
        )*
    };
}

random_sequences! {
    ext2_with_1k_blocks_is_like_the_model: Ext2 1024 256 "filetype";
    ext2_with_2k_blocks_is_like_the_model: Ext2 2048 128 "filetype";
    ext2_with_4k_blocks_is_like_the_model: Ext2 4096 256 "filetype";
    ext3_with_1k_blocks_is_like_the_model: Ext3 1024 256 "filetype";
    ext3_with_2k_blocks_is_like_the_model: Ext3 2048 256 "filetype";
    ext3_with_4k_blocks_is_like_the_model: Ext3 4096 256 "filetype";
    ext3_with_small_inodes_and_1k_blocks_is_like_the_model: Ext3 1024 128 "filetype";
    ext3_with_small_inodes_and_4k_blocks_is_like_the_model: Ext3 4096 128 "filetype";
    ext4_with_1k_blocks_is_like_the_model: Ext4 1024 256 "filetype";
    ext4_with_2k_blocks_is_like_the_model: Ext4 2048 256 "metadata_csum_seed,orphan_file";
    ext4_with_4k_blocks_is_like_the_model: Ext4 4096 256 "filetype";
    ext4_with_older_features_is_like_the_model: Ext4 1024 256 "^metadata_csum,uninit_bg,^64bit,^flex_bg";
}

#[test]
fn a_forgotten_operation_is_noticed() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("image");
    let template = Template::new(
        &Mkfs::new(ExtKind::Ext4, BlockSize(1024), LEN_BYTES),
        directory.path(),
    );
    let overlay = Arc::new(Overlay::new(template.device()));
    let mut subject = Subject::new(overlay, Model::new(&template.tree));
    subject.apply(0, &Operation::small_file(0)).unwrap();
    let remembered = subject.model().tree(true);
    subject.apply(1, &Operation::small_file(1)).unwrap();
    let (overlay, model) = subject.finish();
    template.write(&overlay.finish().unwrap(), &image);
    assert!(judge(&image, &remembered).is_err());
    judge(&image, &model.tree(true)).unwrap();
}

//! Random operations against a model: after every sequence e2fsck and the engine's own check find nothing, and the
//! kernel sees exactly the model's tree, attributes and times included; so does a second reader, where it can read the
//! layout.
//!
//! The sequences are the same in every run, unless the environment wants others or more: see `support/random.rs`.

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
use crate::support::layouts::{LAYOUTS, Layout};
use crate::support::snapshot::Snapshot;
use crate::support::{Mounted, Tree, e2fsck_clean, runner};

/// Sequences for each layout: 3024 in all, since the kernel mounts 27 layouts.
const CASES: u32 = 112;
/// Operations in a sequence.
const SHORTEST: usize = 20;
const LONGEST: usize = 26;
const LEN_BYTES: u64 = 24 << 20;

/// Runs random sequences on copies of the image that mke2fs makes of `layout`.
fn run(layout: &Layout) {
    let directory = TempDir::new().unwrap();
    let template = Template::new(layout, directory.path());
    let image = directory.path().join("image");
    let sequences = prop::collection::vec(operation(), SHORTEST..LONGEST);
    let outcome = runner(CASES).run(&sequences, |operations| {
        sequence(&template, layout, &operations, &image)
    });
    if let Err(failure) = outcome {
        panic!("{}: {failure}", layout.name);
    }
}

/// Applies one sequence to the engine and to the model, and has the outcome judged.
fn sequence(
    template: &Template,
    layout: &Layout,
    operations: &[Operation],
    image: &Path,
) -> Result<(), TestCaseError> {
    let overlay = Arc::new(Overlay::new(template.device()));
    let mut subject = Subject::new(overlay, Model::new(&template.tree), layout);
    for (step, operation) in operations.iter().enumerate() {
        subject.apply(step, operation)?;
    }
    let (overlay, model) = subject.finish();
    template.write(&overlay.finish().unwrap(), image);
    judge(image, layout, &model)
}

/// Holds an image against its judges and against the model.
fn judge(image: &Path, layout: &Layout, model: &Model) -> Result<(), TestCaseError> {
    e2fsck_clean(image);
    let device: Arc<dyn BlockDevice> = Arc::new(FileDevice::open(image).unwrap());
    let findings: Vec<String> = ext::check(device)
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    prop_assert!(findings.is_empty(), "findings: {findings:#?}");
    let expected = model.snapshot(layout.has_nanoseconds());
    let found = {
        let mounted = Mounted::read_only(image, layout.driver());
        Snapshot::by_kernel(mounted.path())
    };
    let differences = found.differences(&expected);
    prop_assert!(
        differences.is_empty(),
        "the kernel sees {}",
        differences.join("\n")
    );
    if layout.is_for_second_reader() {
        prop_assert_eq!(&Tree::read(image), &model.tree(layout.has_nanoseconds()));
    }
    Ok(())
}

/// Runs every fourth of the layouts that the kernel mounts, the first of them being number `start`.
fn run_quarter(start: usize) {
    let layouts: Vec<&Layout> = LAYOUTS.iter().filter(|layout| layout.is_for_kernel()).collect();
    assert!(layouts.len() >= 16, "{} layouts", layouts.len());
    layouts.into_iter().skip(start).step_by(4).for_each(run);
}

#[test]
fn every_layout_is_like_the_model_first_quarter() {
    run_quarter(0);
}

#[test]
fn every_layout_is_like_the_model_second_quarter() {
    run_quarter(1);
}

#[test]
fn every_layout_is_like_the_model_third_quarter() {
    run_quarter(2);
}

#[test]
fn every_layout_is_like_the_model_fourth_quarter() {
    run_quarter(3);
}

#[test]
fn a_forgotten_operation_is_noticed() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("image");
    let layout = LAYOUTS.iter().find(|layout| layout.name == "ext4 1k").unwrap();
    let template = Template::new(layout, directory.path());
    let overlay = Arc::new(Overlay::new(template.device()));
    let mut subject = Subject::new(overlay, Model::new(&template.tree), layout);
    subject.apply(0, &Operation::small_file(0)).unwrap();
    let remembered = subject.model().clone();
    subject.apply(1, &Operation::small_file(1)).unwrap();
    let (overlay, model) = subject.finish();
    template.write(&overlay.finish().unwrap(), &image);
    assert!(judge(&image, layout, &remembered).is_err());
    judge(&image, layout, &model).unwrap();
}

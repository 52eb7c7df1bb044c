//! Every layout through every step, beside resize2fs.

use std::env;
use std::fs::File;
use std::path::Path;

use super::images::{Image, MIB, layouts};
use crate::support::tool;

/// What is done to an image, all of it starting from the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// To so many percent of the length.
    Percent(u64),
    /// A little longer.
    Little,
    /// As short as it can be, then back.
    Minimum,
    /// A tenth longer than that.
    AboveMinimum,
    /// As short as it can be, after free space was left in pieces.
    Fragmented,
    /// Far longer, then as short as it can be.
    ThereAndBack,
}

/// The steps, and whether a short run takes them too.
const STEPS: [(Step, bool); 9] = [
    (Step::Little, false),
    (Step::Percent(200), false),
    (Step::Percent(10_000), false),
    (Step::Percent(40_000), false),
    (Step::Minimum, true),
    (Step::AboveMinimum, false),
    (Step::Fragmented, true),
    (Step::ThereAndBack, true),
    (Step::Percent(60), false),
];

fn run(block_bytes: u64) {
    let is_full = env::var_os("MLN_IMAGE_RESIZE_MATRIX").is_some_and(|value| value == "full");
    for (name, options) in layouts() {
        let len_bytes = if block_bytes == 4096 { 160 * MIB } else { 40 * MIB };
        let base = Image::new(&format!("{options} -b {block_bytes}"), len_bytes);
        for (step, _) in STEPS.iter().filter(|(_, is_short)| is_full || *is_short) {
            let image = base.copy();
            let what = format!("{name}, {block_bytes} bytes a block, {step:?}");
            take(&image, *step, len_bytes / block_bytes, &what);
        }
    }
}

/// Takes one step and has it judged.
#[allow(
    clippy::print_stdout,
    reason = "the table beside resize2fs is shown to whoever asks for it"
)]
fn take(image: &Image, step: Step, blocks: u64, what: &str) {
    if step == Step::Fragmented {
        image.fragment();
    }
    let tree = image.tree();
    let minimum = || image.open().minimum_blocks().unwrap();
    match step {
        Step::Percent(percent) => grow_like_resize2fs(image, blocks * percent / 100, what),
        Step::Little => grow_like_resize2fs(image, blocks + 1500, what),
        Step::AboveMinimum => shrink(image, minimum() * 11 / 10, what),
        Step::Minimum | Step::Fragmented => {
            let peer = resize2fs_minimum(image);
            let least = minimum();
            shrink(image, least, what);
            println!("{what}: {least} blocks, resize2fs {peer}");
            assert!(
                least * 100 <= peer * 105,
                "{what}: {least} blocks, resize2fs {peer}"
            );
            image.judge(what);
            assert!(image.tree() == tree, "{what}");
            image.resize(blocks).unwrap();
        }
        Step::ThereAndBack => {
            image.resize(blocks * 20).unwrap();
            image.judge(what);
            assert!(image.tree() == tree, "{what}");
            shrink(image, minimum(), what);
        }
    }
    image.judge(what);
    assert!(image.tree() == tree, "{what}");
}

fn shrink(image: &Image, blocks: u64, what: &str) {
    let report = image
        .resize(blocks)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(report.new_blocks <= blocks, "{what}: {report:?}");
}

/// Resizes to `blocks`; whatever resize2fs takes must go here too, with the same number of blocks.
fn grow_like_resize2fs(image: &Image, blocks: u64, what: &str) {
    let peer = image.copy();
    let block_bytes = u64::from(image.open().block_size().bytes());
    let file = File::options().write(true).open(peer.path()).unwrap();
    file.set_len(file.metadata().unwrap().len().max(blocks * block_bytes))
        .unwrap();
    let is_taken = resize2fs(&peer.path(), &blocks.to_string());
    match image.resize(blocks) {
        Ok(report) if is_taken => {
            assert_eq!(report.new_blocks, peer.open().usage().blocks, "{what}");
        }
        Err(error) if is_taken => panic!("{what}: {error}, but resize2fs takes it"),
        _ => {}
    }
}

/// The least that resize2fs says or reaches.
fn resize2fs_minimum(image: &Image) -> u64 {
    let peer = image.copy();
    let said = tool("resize2fs", "e2fsprogs")
        .arg("-P")
        .arg(peer.path())
        .output()
        .unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let said = said.rsplit(' ').next().and_then(|word| word.trim().parse().ok());
    let said: u64 = said.expect("resize2fs -P ends with a number");
    if resize2fs(&peer.path(), "-M") {
        return said.min(peer.open().usage().blocks);
    }
    said
}

fn resize2fs(image: &Path, argument: &str) -> bool {
    let mut command = tool("resize2fs", "e2fsprogs");
    if argument == "-M" {
        command.arg("-M").arg(image);
    } else {
        command.arg("-f").arg(image).arg(argument);
    }
    command.output().unwrap().status.success()
}

#[test]
fn layouts_with_1k_blocks_resize_clean() {
    run(1024);
}

#[test]
fn layouts_with_2k_blocks_resize_clean() {
    run(2048);
}

#[test]
fn layouts_with_4k_blocks_resize_clean() {
    run(4096);
}

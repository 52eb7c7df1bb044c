//! The program's commands for single images, run from nowhere in particular.

use std::process::{Command, Output};

/// Runs `image` with `arguments`.
pub(crate) fn run_image(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mln-image"))
        .arg("image")
        .args(arguments)
        .env_clear()
        .env("HOME", "/nonexistent")
        .output()
        .unwrap()
}

/// What `image` with `arguments` answers.
#[track_caller]
pub(crate) fn image_answer(arguments: &[&str]) -> String {
    let output = run_image(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

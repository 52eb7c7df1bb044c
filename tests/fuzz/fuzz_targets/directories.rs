//! Directory blocks and hash trees that lie: refused, or read without harm.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mln_image_fuzz::{edit_everything, patched, read_everything};

fuzz_target!(|input: &[u8]| {
    if let Some(device) = patched(input, |image| [image.content_of(b"crowd"), image.content_of(b"small")].concat()) {
        read_everything(device.clone());
        edit_everything(device);
    }
});

//! A whole session, reading, edits and growing, on an image that is damaged anywhere.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mln_image_fuzz::{edit_everything, patched, read_everything};

fuzz_target!(|input: &[u8]| {
    if let Some(device) = patched(input, |image| image.used()) {
        read_everything(device.clone());
        edit_everything(device);
    }
});

//! How long a host's root image becomes.

use crate::project::SizeRequest;

/// A host's image length, and what of the wish could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ImageLen {
    /// The length in bytes.
    pub(super) len_bytes: u64,
    /// Whether the project asked for less than the template has.
    pub(super) is_wish_smaller: bool,
}

/// The length that `request` gives over a template of `template_bytes`: whole blocks, and never less than the template.
pub(super) fn image_len(request: SizeRequest, template_bytes: u64, block_bytes: u64) -> ImageLen {
    let wished = match request {
        SizeRequest::Total(size) => size.0,
        SizeRequest::FreeSpace(size) => template_bytes.saturating_add(size.0),
    };
    let whole_blocks = wished - wished % block_bytes.max(1);
    ImageLen {
        len_bytes: whole_blocks.max(template_bytes),
        is_wish_smaller: wished < template_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ByteSize;

    #[test]
    fn sizes_are_whole_blocks_and_never_below_the_template() {
        for (request, len_bytes, is_wish_smaller) in [
            (SizeRequest::Total(ByteSize(10_000)), 8192, false),
            (SizeRequest::Total(ByteSize(8192)), 8192, false),
            (SizeRequest::Total(ByteSize(8191)), 8192, true),
            (SizeRequest::FreeSpace(ByteSize(0)), 8192, false),
            (SizeRequest::FreeSpace(ByteSize(5000)), 12_288, false),
            (SizeRequest::FreeSpace(ByteSize(u64::MAX)), u64::MAX - 4095, false),
        ] {
            let expected = ImageLen {
                len_bytes,
                is_wish_smaller,
            };
            assert_eq!(image_len(request, 8192, 4096), expected, "{request:?}");
        }
    }
}

//! Files and trees from one place to another, of this machine or of images.
//!
//! ```text
//!   HostSource  --\                                /--> HostSink
//!                   Node, Content, one file a time
//!   ImageSource --/                                \--> ImageSink
//! ```
//!
//! Names and links of an image are foreign data: nothing is written outside the place that the user named, and no link
//! that was copied is ever followed.

mod acl;
mod host_sink;
mod host_source;
mod image_sink;
mod image_source;
mod node;

pub(super) use host_sink::HostSink;
pub(super) use host_source::HostSource;
pub(super) use image_sink::{ImageSink, Wishes, make_way};
pub(super) use image_source::ImageSource;
pub(super) use node::{Sink, Source};

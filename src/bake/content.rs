//! The content of an edit's file as a stream.

use std::fs::File;
use std::io::{self, Read};

use super::error::HostError;
use crate::base::PathError;
use crate::edit::Content;

/// The bytes of `content` as they come. A file of the host has to be as long as it was when the plan was made.
pub(super) fn reader(content: &Content) -> Result<Box<dyn Read + '_>, HostError> {
    Ok(match content {
        Content::Bytes(bytes) => Box::new(&**bytes),
        Content::Joined(pieces) => {
            let mut joined: Box<dyn Read + '_> = Box::new(io::empty());
            for piece in pieces.iter() {
                joined = Box::new(joined.chain(&**piece));
            }
            joined
        }
        Content::HostFile { path, len_bytes } => {
            let file = File::open(path).map_err(PathError::on("open", path))?;
            let found = file.metadata().map_err(PathError::on("read", path))?.len();
            if found != *len_bytes {
                return Err(HostError::SourceChanged { path: path.clone() });
            }
            Box::new(file.take(*len_bytes))
        }
    })
}

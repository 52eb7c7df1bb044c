//! Paths of a tree as a foreign archive writes them.

use super::error::RootfsError;
use crate::base::GuestPath;

/// The longest path that the kernel takes.
const PATH_MAX: usize = 4096;

/// The place that an archive calls `text`: `./` and a leading `/` count for nothing, `..` is refused.
pub(super) fn place(text: &[u8]) -> Result<GuestPath, RootfsError> {
    if text.len() > PATH_MAX {
        return Err(RootfsError::LongPath { len: text.len() });
    }
    let plain = text
        .split(|byte| *byte == b'/')
        .filter(|component| !component.is_empty() && *component != b".");
    let mut path = Vec::with_capacity(text.len() + 1);
    for component in plain {
        path.push(b'/');
        path.extend(component);
    }
    if path.is_empty() {
        return Ok(GuestPath::root());
    }
    Ok(GuestPath::new(path)?)
}

/// A name for messages.
pub(super) fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stay_inside_the_tree() {
        for (text, expected) in [
            ("./etc/passwd", "/etc/passwd"),
            ("/etc//ssh/", "/etc/ssh"),
            ("./", "/"),
            ("a/./b", "/a/b"),
        ] {
            assert_eq!(
                place(text.as_bytes()).unwrap(),
                GuestPath::literal(expected),
                "{text}"
            );
        }
        assert!(matches!(place(b"a/../../etc/passwd"), Err(RootfsError::Path(_))));
        assert!(matches!(place(&[b'a'; 5000]), Err(RootfsError::LongPath { .. })));
    }
}

//! Paths inside a guest's file system: absolute, normal, bytes rather than text.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// An absolute path inside a guest, such as `/etc/hostname`.
///
/// Held without a trailing slash, without empty or `.` components, and never with a `..` component: what a `..` means
/// depends on symbolic links, so only the file system may resolve it. Names are bytes, as in ext.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GuestPath(Arc<[u8]>);

/// Says why some bytes are not a guest path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuestPathError {
    /// The path does not begin with a slash.
    #[error("`{0}` is not an absolute path")]
    NotAbsolute(String),
    /// The path has a `..` component.
    #[error("`{0}` has a `..` component")]
    ParentComponent(String),
    /// The path has a NUL byte, which no file name may hold.
    #[error("`{0}` has a NUL byte")]
    NulByte(String),
    /// A component is longer than the 255 bytes that a directory entry can hold.
    #[error("a component of `{0}` is longer than 255 bytes")]
    LongComponent(String),
}

impl GuestPath {
    /// The longest component, in bytes.
    pub const NAME_MAX: usize = 255;

    /// Makes a path from `bytes`, dropping doubled slashes, `.` components and a trailing slash.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, GuestPathError> {
        let bytes = bytes.as_ref();
        let shown = || String::from_utf8_lossy(bytes).into_owned();
        if bytes.first() != Some(&b'/') {
            return Err(GuestPathError::NotAbsolute(shown()));
        }
        if bytes.contains(&0) {
            return Err(GuestPathError::NulByte(shown()));
        }
        let mut path = Vec::with_capacity(bytes.len());
        for component in bytes.split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => return Err(GuestPathError::ParentComponent(shown())),
                name if name.len() > Self::NAME_MAX => return Err(GuestPathError::LongComponent(shown())),
                name => {
                    path.push(b'/');
                    path.extend_from_slice(name);
                }
            }
        }
        if path.is_empty() {
            path.push(b'/');
        }
        Ok(Self(path.into()))
    }

    /// Makes a path from text that the program itself wrote.
    ///
    /// # Panics
    /// If `text` is not a guest path; never call it with anything that came from outside.
    #[track_caller]
    pub fn literal(text: &str) -> Self {
        Self::new(text).expect("the path is written in this program, absolute and without `..`")
    }

    /// The root directory.
    pub fn root() -> Self {
        Self(Arc::from(*b"/"))
    }

    /// Whether this is the root directory.
    pub fn is_root(&self) -> bool {
        &*self.0 == b"/"
    }

    /// The path's bytes, with the leading slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The components from the root down; none for the root itself.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
    }

    /// The last component; `None` for the root.
    pub fn file_name(&self) -> Option<&[u8]> {
        self.components().next_back()
    }

    /// The directory that holds this path; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let cut = self.0.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Some(Self(Arc::from(&self.0[..cut.max(1)])))
    }

    /// The path and the directories above it, from the path up to the root, as bytes.
    pub fn and_above(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::successors(Some(self.as_bytes()), |path| {
            let cut = path.iter().rposition(|byte| *byte == b'/')?;
            (path.len() > 1).then(|| &path[..cut.max(1)])
        })
    }

    /// This path with `relative` appended; `relative` may hold several components, and may begin with a slash.
    pub fn join(&self, relative: impl AsRef<[u8]>) -> Result<Self, GuestPathError> {
        let mut bytes = self.0.to_vec();
        bytes.push(b'/');
        bytes.extend_from_slice(relative.as_ref());
        Self::new(bytes)
    }

    /// Whether `self` is `directory` or lies below it.
    pub fn starts_with(&self, directory: &Self) -> bool {
        directory.is_root()
            || self
                .0
                .strip_prefix(&*directory.0)
                .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }
}

// A path compares and hashes as its bytes do.
impl Borrow<[u8]> for GuestPath {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for GuestPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for GuestPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "GuestPath({self})")
    }
}

impl std::str::FromStr for GuestPath {
    type Err = GuestPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl serde::Serialize for GuestPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_up_ends_at_the_root() {
        let way = |text| {
            let path = GuestPath::literal(text);
            let above = path
                .and_above()
                .map(|path| String::from_utf8_lossy(path).into_owned());
            above.collect::<Vec<_>>()
        };
        assert_eq!(way("/etc/ssh/x"), ["/etc/ssh/x", "/etc/ssh", "/etc", "/"]);
        assert_eq!(way("/"), ["/"]);
    }

    #[test]
    fn normalises_slashes_and_dots() {
        for (text, normal) in [("/", "/"), ("//", "/"), ("/a//b/./c/", "/a/b/c"), ("/.", "/")] {
            assert_eq!(GuestPath::new(text).unwrap().to_string(), normal);
        }
    }

    #[test]
    fn refuses_what_only_the_file_system_can_resolve() {
        assert_eq!(
            GuestPath::new("/a/../b"),
            Err(GuestPathError::ParentComponent("/a/../b".into()))
        );
        assert_eq!(GuestPath::new("a"), Err(GuestPathError::NotAbsolute("a".into())));
        assert!(matches!(
            GuestPath::new(b"/a\0b"),
            Err(GuestPathError::NulByte(_))
        ));
        assert!(matches!(
            GuestPath::new("/".to_owned() + &"x".repeat(256)),
            Err(GuestPathError::LongComponent(_))
        ));
    }

    #[test]
    fn parent_and_name_split_the_path() {
        let path = GuestPath::literal("/etc/network/interfaces");
        assert_eq!(path.parent(), Some(GuestPath::literal("/etc/network")));
        assert_eq!(path.file_name(), Some(&b"interfaces"[..]));
        assert_eq!(GuestPath::literal("/etc").parent(), Some(GuestPath::root()));
        assert_eq!(GuestPath::root().parent(), None);
        assert_eq!(GuestPath::root().file_name(), None);
    }

    #[test]
    fn starts_with_compares_whole_components() {
        let directory = GuestPath::literal("/etc");
        assert!(GuestPath::literal("/etc/hosts").starts_with(&directory));
        assert!(directory.starts_with(&directory));
        assert!(!GuestPath::literal("/etcetera").starts_with(&directory));
        assert!(directory.starts_with(&GuestPath::root()));
    }
}

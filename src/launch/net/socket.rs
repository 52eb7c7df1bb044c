//! The places of sockets, and what is there already.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// What is where a socket shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Nothing.
    Free,
    /// A socket that nobody listens on.
    Stale,
    /// A socket that somebody listens on.
    Served,
    /// Something that is no socket, or cannot be looked at.
    Blocked,
}

pub(super) fn in_the_way(socket: &Path) -> Way {
    match fs::symlink_metadata(socket) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Way::Free
        }
        Ok(found) if found.file_type().is_socket() => match UnixStream::connect(socket) {
            Ok(_) => Way::Served,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Way::Stale,
            Err(_) => Way::Blocked,
        },
        _ => Way::Blocked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn what_is_where_a_socket_shall_be_is_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lan.ctl");
        assert_eq!(in_the_way(&path), Way::Free);
        assert_eq!(in_the_way(&path.join("below")), Way::Free);
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(in_the_way(&path), Way::Served);
        drop(listener);
        assert_eq!(in_the_way(&path), Way::Stale);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(in_the_way(&path), Way::Blocked);
    }
}

//! Where project files come from: the library reads them through a trait, so that tests and servers can bring their
//! own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::base::PathError;
use crate::diag::SourceMap;

/// Finds and reads files by the names that projects use.
pub trait Loader {
    /// Reads `path`; `from` is the file that includes it, `None` for the project file itself.
    fn load(&self, path: &str, from: Option<&str>) -> Result<LoadedFile, LoadError>;
}

/// A file as read.
#[derive(Debug, Clone)]
pub struct LoadedFile {
    /// What messages call it.
    pub name: String,
    /// What tells it from every other file, so that cycles are seen whatever way a path is written.
    pub identity: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Says why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The system refused, or no such file is in any of the places looked at.
    #[error("{0}: {source}", source = .0.source)]
    Io(PathError),
    /// It is a directory, a device or a pipe.
    #[error("`{}` is not a regular file", .0.display())]
    NotRegular(PathBuf),
    /// It is longer than any project text.
    #[error("`{}` is longer than {max} bytes", path.display(), max = SourceMap::TEXT_MAX)]
    TooLong {
        /// The file.
        path: PathBuf,
    },
}

/// Reads files of this machine: beside the including file, then in the directories given.
#[derive(Debug, Clone, Default)]
pub struct FileLoader {
    /// Where to look for files that do not lie beside the including one.
    pub directories: Vec<PathBuf>,
}

/// Holds its files itself.
#[derive(Debug, Clone, Default)]
pub struct TextLoader {
    /// The files by name.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl FileLoader {
    /// Makes a loader that looks into `directories` where a file is not beside the including one.
    pub fn new(directories: Vec<PathBuf>) -> Self {
        Self { directories }
    }

    /// The places where `path` may lie, the likeliest first.
    fn candidates(&self, path: &str, from: Option<&str>) -> Vec<PathBuf> {
        let Some(from) = from else {
            return vec![PathBuf::from(path)];
        };
        let beside = Path::new(from).parent().unwrap_or(Path::new(""));
        // `join` of an absolute path is that path.
        let mut candidates = vec![beside.join(path)];
        for directory in &self.directories {
            let candidate = directory.join(path);
            if !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        }
        candidates
    }
}

impl Loader for FileLoader {
    fn load(&self, path: &str, from: Option<&str>) -> Result<LoadedFile, LoadError> {
        let candidates = self.candidates(path, from);
        let found = candidates.iter().find(|candidate| candidate.exists());
        read(
            found
                .or(candidates.first())
                .map_or(Path::new(path), PathBuf::as_path),
        )
    }
}

impl Loader for TextLoader {
    fn load(&self, path: &str, _from: Option<&str>) -> Result<LoadedFile, LoadError> {
        let missing = || PathError::on("read", path)(std::io::ErrorKind::NotFound.into());
        let bytes = self.files.get(path).ok_or_else(|| LoadError::Io(missing()))?;
        if bytes.len() > SourceMap::TEXT_MAX {
            return Err(LoadError::TooLong { path: path.into() });
        }
        Ok(LoadedFile {
            name: path.to_owned(),
            identity: PathBuf::from(path),
            bytes: bytes.clone(),
        })
    }
}

impl<K: Into<String>, V: Into<Vec<u8>>> FromIterator<(K, V)> for TextLoader {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(files: I) -> Self {
        let files = files
            .into_iter()
            .map(|(name, text)| (name.into(), text.into()))
            .collect();
        Self { files }
    }
}

fn read(path: &Path) -> Result<LoadedFile, LoadError> {
    // Asked before opening, since opening a pipe would wait for its writer.
    let metadata = fs::metadata(path)
        .map_err(PathError::on("read", path))
        .map_err(LoadError::Io)?;
    if !metadata.is_file() {
        return Err(LoadError::NotRegular(path.to_path_buf()));
    }
    let mut bytes = Vec::new();
    let limit = SourceMap::TEXT_MAX as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(PathError::on("read", path))
        .map_err(LoadError::Io)?;
    if bytes.len() > SourceMap::TEXT_MAX {
        return Err(LoadError::TooLong {
            path: path.to_path_buf(),
        });
    }
    Ok(LoadedFile {
        name: path.display().to_string(),
        identity: fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()),
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::atomic::{self, Durability};

    #[test]
    fn files_are_found_beside_the_including_one_first() {
        let root = tempfile::tempdir().unwrap();
        let beside = root.path().join("beside");
        let shared = root.path().join("shared");
        for (directory, names) in [(&beside, &["a", "both"][..]), (&shared, &["both", "c"][..])] {
            fs::create_dir(directory).unwrap();
            for name in names {
                let path = directory.join(name);
                atomic::write(&path, path.display().to_string().as_bytes(), Durability::NoSync).unwrap();
            }
        }
        let loader = FileLoader::new(vec![shared.clone()]);
        let from = beside.join("project.mln").display().to_string();
        for (name, directory) in [("a", &beside), ("both", &beside), ("c", &shared)] {
            let file = loader.load(name, Some(&from)).unwrap();
            assert_eq!(file.name, directory.join(name).display().to_string());
        }
        let absolute = shared.join("c").display().to_string();
        assert_eq!(loader.load(&absolute, Some(&from)).unwrap().name, absolute);
        assert!(matches!(loader.load("none", Some(&from)), Err(LoadError::Io(_))));
        assert!(matches!(
            loader.load("../shared", Some(&from)),
            Err(LoadError::NotRegular(_))
        ));
    }

    #[test]
    fn a_file_beyond_the_limit_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a");
        File::create(&path)
            .unwrap()
            .set_len(SourceMap::TEXT_MAX as u64 + 1)
            .unwrap();
        let result = FileLoader::default().load(&path.display().to_string(), None);
        assert!(matches!(result, Err(LoadError::TooLong { .. })));
    }
}

//! Unpacking a project: into a directory beside its place first, which gets its name when all is there and right.

use std::fs::{self, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, BufReader, Read, Seek as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tar::{Archive, Entry, EntryType};

use super::error::ArchiveError;
use super::index::{FORMAT, Index, IndexFile, LIMIT_BYTES, NAME};
use super::settle::settle;
use crate::base::PathError;
use crate::base::atomic::Durability;
use crate::base::read::fill;
use crate::block::{UNIT_BYTES, is_zero};
use crate::image::data_digest;
use crate::store::{Incoming, Projects};

/// What a file in the zstd format begins with (RFC 8878, section 3.1.1).
const ZSTD: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();

/// How many bytes are read at once: whole units.
const BUFFER_BYTES: usize = 256 * UNIT_BYTES;

/// An unpacked project.
#[derive(Debug)]
pub struct Unpacked {
    /// The project's name.
    pub project: String,
    /// Where it lies now.
    pub directory: PathBuf,
    /// How many files were in the archive.
    pub files: usize,
    /// What this server will run of it beside machines: its hooks, in words.
    pub hooks: Vec<String>,
}

/// Unpacks the archive at `path` among `projects`.
///
/// # Errors
/// [`ArchiveError`]; nothing of it is there then.
pub fn unpack(path: &Path, projects: &Projects, durability: Durability) -> Result<Unpacked, ArchiveError> {
    let mut archive = Archive::new(open(path)?);
    let refused = |reason: String| ArchiveError::NoArchive {
        path: path.to_path_buf(),
        reason,
    };
    let torn = |error: io::Error| refused(error.to_string());
    let mut entries = archive.entries().map_err(torn)?;
    let first = entries.next().transpose().map_err(torn)?;
    let index = read_index(first, path)?;
    let places = projects.project(&index.project)?;
    let incoming = Incoming::begin(places)?;
    let mut wanted = index.files.iter();
    for entry in entries {
        let mut entry = entry.map_err(torn)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let file = wanted.next().filter(|file| file.path == name);
        let Some(file) = file.filter(|_| is_regular(&entry)) else {
            return Err(refused(format!("`{}` is not in its list", name.escape_debug())));
        };
        put(&mut entry, file, &incoming.directory(), path)?;
    }
    if let Some(missing) = wanted.next() {
        return Err(refused(format!("it ends before `{}`", missing.path)));
    }
    let hooks = settle(&incoming, &index)?;
    let directory = incoming.finish(durability)?;
    Ok(Unpacked {
        project: index.project,
        directory,
        files: index.files.len(),
        hooks,
    })
}

/// The archive with its compression taken off.
fn open(path: &Path) -> Result<Box<dyn Read>, ArchiveError> {
    let mut file = File::open(path).map_err(PathError::on("open", path))?;
    let failed = || PathError::on("read", path);
    let mut magic = Vec::new();
    (&mut file).take(4).read_to_end(&mut magic).map_err(failed())?;
    file.rewind().map_err(failed())?;
    if magic == ZSTD {
        return Ok(Box::new(zstd::Decoder::new(file).map_err(failed())?));
    }
    Ok(Box::new(BufReader::new(file)))
}

/// Whether the entry is a regular file; archives with anything else in them are not ours.
fn is_regular<R: Read>(entry: &Entry<'_, R>) -> bool {
    matches!(
        entry.header().entry_type(),
        EntryType::Regular | EntryType::GNUSparse
    )
}

/// Reads the list, and refuses one that leads elsewhere.
fn read_index<R: Read>(first: Option<Entry<'_, R>>, path: &Path) -> Result<Index, ArchiveError> {
    let refused = |reason: String| ArchiveError::NoArchive {
        path: path.to_path_buf(),
        reason,
    };
    let first = first.filter(|entry| is_regular(entry) && &*entry.path_bytes() == NAME.as_bytes());
    let Some(first) = first else {
        return Err(refused(format!("it does not begin with `{NAME}`")));
    };
    let mut text = Vec::new();
    let read = first.take(LIMIT_BYTES).read_to_end(&mut text);
    read.map_err(|error| refused(error.to_string()))?;
    let index: Index =
        serde_json::from_slice(&text).map_err(|error| refused(format!("`{NAME}`: {error}")))?;
    if index.format != FORMAT {
        return Err(ArchiveError::Form {
            path: path.to_path_buf(),
            found: index.format,
            known: FORMAT,
        });
    }
    match index.fault() {
        Some(fault) => Err(refused(fault)),
        None => Ok(index),
    }
}

/// Writes one file below `directory`, zeros as holes, and proves it.
fn put(
    entry: &mut dyn Read,
    wanted: &IndexFile,
    directory: &Path,
    archive: &Path,
) -> Result<(), ArchiveError> {
    let differs = |reason: String| ArchiveError::Member {
        path: archive.to_path_buf(),
        member: wanted.path.clone(),
        reason,
    };
    let path = directory.join(&wanted.path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(PathError::on("create the directory", parent))?;
    }
    let failed = || PathError::on("write", &path);
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path);
    let file = file.map_err(PathError::on("create", &path))?;
    file.set_len(wanted.len_bytes).map_err(failed())?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut offset_bytes = 0;
    loop {
        let len = fill(entry, &mut buffer).map_err(|error| differs(error.to_string()))?;
        if len == 0 {
            break;
        }
        for piece in buffer[..len].chunks(UNIT_BYTES) {
            if offset_bytes + piece.len() as u64 > wanted.len_bytes {
                return Err(differs("it is too long".to_owned()));
            }
            if !is_zero(piece) {
                file.write_all_at(piece, offset_bytes).map_err(failed())?;
            }
            offset_bytes += piece.len() as u64;
        }
    }
    if offset_bytes != wanted.len_bytes {
        return Err(differs("it is too short".to_owned()));
    }
    let digest = data_digest(&file).map_err(PathError::on("read back", &path))?;
    if digest != wanted.blake3_of_data {
        let expected = wanted.blake3_of_data;
        return Err(differs(format!("its digest is {digest}, and was {expected}")));
    }
    // Never more than the owner, where it was the owner's alone; never for others to write.
    let mode = Permissions::from_mode(wanted.mode & 0o755);
    let times = FileTimes::new().set_modified(time(wanted.modified));
    file.set_permissions(mode)
        .and_then(|()| file.set_times(times))
        .map_err(failed())?;
    Ok(())
}

/// A time in seconds and nanoseconds; what cannot be one is 1970.
fn time((seconds, nanoseconds): (i64, i64)) -> SystemTime {
    let since = u64::try_from(seconds).ok().zip(u32::try_from(nanoseconds).ok());
    let since = since.filter(|(_, nanoseconds)| *nanoseconds < 1_000_000_000);
    let since = since.map(|(seconds, nanoseconds)| Duration::new(seconds, nanoseconds));
    since
        .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

//! Packing a project.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tar::{Builder, Header, HeaderMode};
use zstd::Encoder;

use super::super::manifest::to_text;
use super::super::offline::{OfflineError, OpenImage, open_image};
use super::error::ArchiveError;
use super::index::{FORMAT, Index, IndexFile, NAME};
use crate::base::{AtomicFile, PathError};
use crate::image::{self, Blake3Digest, data_digest};
use crate::project::{HostName, ImageFormat};
use crate::store::{Existing, ProjectPlaces, Workspace};

/// How hard the data is compressed: zstd's own usual level.
const LEVEL: i32 = 3;

/// The files right in a project's directory that are packed where they are there, beside those that the manifest names.
const OWN: [&str; 2] = ["identity.key", "launch.json"];

/// A packed project.
#[derive(Debug)]
pub struct Packed {
    /// The archive, not yet under its name.
    pub file: AtomicFile,
    /// How many files are in it.
    pub files: usize,
}

/// A file to pack.
struct Member {
    path: String,
    /// Where its content lies.
    source: PathBuf,
    /// Removed with the last use of it.
    _temporary: Option<AtomicFile>,
    /// Held so that nothing writes to the image meanwhile.
    _image: Option<OpenImage>,
}

/// Packs the project in `places` for `destination`.
pub fn pack(places: &ProjectPlaces, destination: &Path) -> Result<Packed, ArchiveError> {
    let _workspace = Workspace::open(places.clone(), Existing::Replace)?;
    let mut manifest: Value = read_json(&places.manifest())?;
    let mut launch: Value = read_json(&places.launch())?;
    let directory = places.directory();
    let mut members = Vec::new();
    for host in manifest["hosts"].as_array_mut().into_iter().flatten() {
        members.extend(host_members(places, host, &mut launch, destination)?);
    }
    for (name, value) in [("manifest.json", &manifest), ("launch.json", &launch)] {
        let text = to_text(value).map_err(damaged(&directory.join(name)))?;
        let temporary = AtomicFile::private(&destination.with_extension(name), &text)?;
        members.push(Member {
            path: name.to_owned(),
            source: temporary.temporary_path().to_path_buf(),
            _temporary: Some(temporary),
            _image: None,
        });
    }
    let beside = manifest["files"].as_array().into_iter().flatten();
    let beside = beside.filter_map(|file| file["file"].as_str().map(str::to_owned));
    let text = format!("{}.mln", places.name());
    for name in beside.chain(OWN.map(str::to_owned)).chain([text]) {
        if directory.join(&name).is_file() && !members.iter().any(|member| member.path == name) {
            members.push(plain(&directory, name));
        }
    }
    write(places, &members, destination)
}

/// The files of the host that `record` speaks of; what speaks of an image over another is changed to a whole one.
fn host_members(
    places: &ProjectPlaces,
    record: &mut Value,
    launch: &mut Value,
    destination: &Path,
) -> Result<Vec<Member>, ArchiveError> {
    let directory = places.directory();
    let name = record["name"].as_str().unwrap_or_default().to_owned();
    let image = record["image"]["file"].as_str().unwrap_or_default().to_owned();
    let path = directory.join(&image);
    let opened = locked(&path)?;
    let mut members = Vec::new();
    let format = serde_json::from_value(record["image"]["format"].clone());
    let format: ImageFormat = format.map_err(damaged(&places.manifest()))?;
    if format.is_delta() {
        members.push(whole(&name, &path, record, launch, destination)?);
    } else {
        members.push(Member {
            _image: opened,
            ..plain(&directory, image)
        });
        let memory = format!("{name}/.baked");
        let is_there = HostName::new(&name).is_some_and(|host| places.host(&host).memory().is_file());
        members.extend(is_there.then(|| plain(&directory, memory)));
    }
    let others = [&record["swap"]["file"]].into_iter();
    let others = others.chain(
        record["launch"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|file| &file["file"]),
    );
    for file in others.filter_map(Value::as_str) {
        members.push(plain(&directory, file.to_owned()));
    }
    Ok(members)
}

/// The image at `path`, held so that nobody writes to it; an edit that was cut off is completed first. A disk of which it
/// is not clear where its root lies is packed as it is.
fn locked(path: &Path) -> Result<Option<OpenImage>, ArchiveError> {
    match open_image(path, None) {
        Ok(image) => Ok(Some(image)),
        Err(OfflineError::Disk { .. } | OfflineError::FileSystem { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The image at `path`, which lies over another, as one that stands alone.
fn whole(
    host: &str,
    path: &Path,
    record: &mut Value,
    launch: &mut Value,
    destination: &Path,
) -> Result<Member, ArchiveError> {
    let failed = |source| ArchiveError::Flatten {
        host: host.to_owned(),
        source: Box::new(source),
    };
    let opened = image::open(path).map_err(OfflineError::from)?;
    let temporary = image::flatten(&opened, &destination.with_extension(host)).map_err(failed)?;
    let source = temporary.temporary_path().to_path_buf();
    let file = File::open(&source).map_err(PathError::on("open", &source))?;
    let digest = Blake3Digest::of_reader(file).map_err(PathError::on("read", &source))?;
    let name = ImageFormat::Raw.root_image();
    let member = format!("{host}/{name}");
    record["image"] = json!({
        "file": member,
        "format": ImageFormat::Raw,
        "len_bytes": record["image"]["len_bytes"],
        "blake3": digest,
    });
    let specs = launch["hosts"].as_array_mut().into_iter().flatten();
    for spec in specs.filter(|spec| spec["host"] == host) {
        spec["disks"][0]["image"] = name.into();
        spec["disks"][0]["format"] = json!(ImageFormat::Raw);
    }
    Ok(Member {
        path: member,
        source,
        _temporary: Some(temporary),
        _image: None,
    })
}

fn plain(directory: &Path, path: String) -> Member {
    Member {
        source: directory.join(&path),
        path,
        _temporary: None,
        _image: None,
    }
}

/// Writes the list, then the files.
fn write(places: &ProjectPlaces, members: &[Member], destination: &Path) -> Result<Packed, ArchiveError> {
    let index = Index {
        format: FORMAT,
        project: places.name().to_owned(),
        directory: places.directory().display().to_string(),
        files: members.iter().map(listed).collect::<Result<_, _>>()?,
    };
    let text = to_text(&index).map_err(damaged(destination))?;
    // It holds host keys and password hashes.
    let file = AtomicFile::create_private(destination)?;
    let failed = || PathError::on("write", destination);
    let encoder = Encoder::new(BufWriter::new(file.file()), LEVEL).map_err(failed())?;
    let mut builder = Builder::new(encoder);
    builder.mode(HeaderMode::Deterministic);
    let mut header = Header::new_gnu();
    header.set_size(text.len().try_into().unwrap_or(u64::MAX));
    header.set_mode(0o600);
    builder.append_data(&mut header, NAME, &*text).map_err(failed())?;
    for member in members {
        let mut source = File::open(&member.source).map_err(PathError::on("open", &member.source))?;
        builder.append_file(&member.path, &mut source).map_err(failed())?;
    }
    let encoder = builder.into_inner().map_err(failed())?;
    encoder
        .finish()
        .and_then(|mut out| out.flush())
        .map_err(failed())?;
    Ok(Packed {
        file,
        files: members.len(),
    })
}

/// What the list says of a file.
fn listed(member: &Member) -> Result<IndexFile, ArchiveError> {
    let path = &member.source;
    let file = File::open(path).map_err(PathError::on("open", path))?;
    let found = file.metadata().map_err(PathError::on("read", path))?;
    Ok(IndexFile {
        path: member.path.clone(),
        len_bytes: found.len(),
        mode: found.permissions().mode() & 0o777,
        modified: (found.mtime(), found.mtime_nsec()),
        blake3_of_data: data_digest(&file).map_err(PathError::on("read", path))?,
    })
}

/// The file at `path`, which a bake has written.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ArchiveError> {
    let text = fs::read(path).map_err(PathError::on("read", path))?;
    serde_json::from_slice(&text).map_err(damaged(path))
}

/// The error of a file that is not what a bake writes.
pub(super) fn damaged(path: &Path) -> impl FnOnce(serde_json::Error) -> ArchiveError {
    let path = path.to_path_buf();
    move |source| ArchiveError::Damaged { path, source }
}

//! A place to bake in: templates, files to copy, and projects, all in one directory that goes with the test.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mln_image::bake::{
    self, BakeError, Baked, Execution, Identity, IdentitySource, Request, Selection, Verify, Written,
};
use mln_image::base::atomic::Durability;
use mln_image::base::report::{Reporter, Silent};
use mln_image::base::{IdentityKey, Timestamp};
use mln_image::launch::LaunchSettings;
use mln_image::project::{ImageFormat, LoadOptions, Project, TextLoader, load};
use mln_image::store::{Existing, Projects};
use mln_image::template::Store;
use tempfile::TempDir;

use super::debian::debian;
use super::{BlockSize, ExtKind, Mkfs};

/// A place to bake in, and how.
pub(crate) struct Bakery {
    directory: TempDir,
    pub(crate) jobs: usize,
    pub(crate) existing: Existing,
    /// Whether hosts of which nothing has changed are kept.
    pub(crate) keep: bool,
    /// What becomes of images that were written to.
    pub(crate) written: Written<'static>,
    pub(crate) selection: Selection,
    pub(crate) format: Option<ImageFormat>,
    pub(crate) verify: Verify,
    pub(crate) now: Option<Timestamp>,
    /// How much memory held plans may take.
    pub(crate) held_bytes: usize,
    pub(crate) substitutions: BTreeMap<String, String>,
}

impl Bakery {
    /// An empty place.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["templates", "files", "projects"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        Self {
            directory,
            jobs: 2,
            existing: Existing::Refuse,
            keep: false,
            written: Written::Refuse,
            selection: Selection::All,
            format: None,
            verify: Verify::Full,
            now: None,
            held_bytes: bake::HELD_BYTES,
            substitutions: BTreeMap::new(),
        }
    }

    /// A place with one small template of `kind`, called `small.ext3` or so, that looks like Debian.
    pub(crate) fn with_template(kind: ExtKind) -> Self {
        let bakery = Self::new();
        bakery.make_template(kind, BlockSize(4096), 48 << 20);
        bakery
    }

    /// Makes the template `small.KIND`, which looks like Debian.
    pub(crate) fn make_template(&self, kind: ExtKind, block_size: BlockSize, len_bytes: u64) -> PathBuf {
        let tree = self.path("tree");
        if !tree.exists() {
            fs::create_dir(&tree).unwrap();
            debian().write_below(&tree);
        }
        let template = self.template(kind);
        Mkfs::new(kind, block_size, len_bytes).make(&template, Some(&tree));
        template
    }

    /// Where the template of `kind` lies.
    pub(crate) fn template(&self, kind: ExtKind) -> PathBuf {
        self.path("templates").join(format!("small.{}", kind.name()))
    }

    /// Something in the place.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file of a baked project.
    pub(crate) fn baked(&self, project: &str, file: &str) -> PathBuf {
        self.path("projects").join(project).join(file)
    }

    /// The text of the manifest of `project`.
    pub(crate) fn manifest(&self, project: &str) -> Vec<u8> {
        fs::read(self.baked(project, "manifest.json")).unwrap()
    }

    /// Plans and bakes `project`.
    pub(crate) fn bake(&self, project: &Project) -> Result<Baked, BakeError> {
        self.bake_to(&self.path("projects"), project, &Silent)
    }

    /// The same below `place`, telling `reporter`.
    pub(crate) fn bake_to(
        &self,
        place: &Path,
        project: &Project,
        reporter: &dyn Reporter,
    ) -> Result<Baked, BakeError> {
        let projects = Projects::at(place);
        let templates = Store::open(self.path("templates"));
        let execution = Execution {
            projects: &projects,
            existing: self.existing,
            keep: self.keep,
            written: self.written,
            verify: self.verify,
            durability: Durability::NoSync,
            reporter,
        };
        let identity = Identity {
            key: IdentityKey::from_secret(b"the secret of the tests"),
            source: IdentitySource::Secret,
        };
        let launch = LaunchSettings::new(PathBuf::new());
        let text: TextLoader = [("p.mln", "global {\n  project p\n}\n")].into_iter().collect();
        let request = Request {
            plugins: None,
            project,
            project_text: &load(&text, "p.mln", &LoadOptions::default()).text,
            templates: &templates,
            files: &self.path("files"),
            substitutions: &self.substitutions,
            projects: &projects,
            launch: &launch,
            identity: &identity,
            selection: &self.selection,
            format: self.format,
            now: self.now,
            held_bytes: self.held_bytes,
        };
        bake::threads(self.jobs)?.install(|| bake::bake(&bake::plan(&request)?, &execution))
    }
}

/// Every file below `directory` by its path, sorted.
pub(crate) fn files_below(directory: &Path) -> Vec<String> {
    walkdir::WalkDir::new(directory)
        .sort_by_file_name()
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| !entry.file_type().is_dir())
        .map(|entry| {
            entry
                .path()
                .strip_prefix(directory)
                .unwrap()
                .display()
                .to_string()
        })
        .collect()
}

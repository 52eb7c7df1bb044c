//! The format of a root image, and what in a project asks for it.

use super::host::{Builder, choices_of};
use super::problem::Problem;
use super::section::Section;
use super::values::Values;
use crate::base::Sourced;

/// The words of the keyword `format`: image formats, and what a later dialect of the language meant by it.
pub(super) const IMAGE_FORMATS: &[&str] = &["raw", "gpt", "qcow2", "uml-cow", "ext2", "ext3", "ext4"];

/// The format of a root image.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum ImageFormat {
    /// The disk, byte for byte, with holes.
    #[default]
    Raw,
    /// The same, a bare file system being put into a disk with a GPT.
    Gpt,
    /// QEMU's format, over the template.
    Qcow2,
    /// User-Mode Linux's copy-on-write format, over the template or a longer copy of it.
    UmlCow,
}

impl ImageFormat {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Raw, Self::Gpt, Self::Qcow2, Self::UmlCow];

    /// What projects and manifests call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Gpt => "gpt",
            Self::Qcow2 => "qcow2",
            Self::UmlCow => "uml-cow",
        }
    }

    /// The format that is called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The name of a root image of this format in its host's directory.
    pub fn root_image(self) -> &'static str {
        match self {
            Self::Raw | Self::Gpt => "root.img",
            Self::Qcow2 => "root.qcow2",
            Self::UmlCow => "root.cow",
        }
    }

    /// Whether an image is only what differs from its template.
    pub fn is_delta(self) -> bool {
        matches!(self, Self::Qcow2 | Self::UmlCow)
    }

    /// What kind of file it is for the program that starts a machine from it.
    #[must_use]
    pub fn of_file(self) -> Self {
        match self {
            Self::Gpt => Self::Raw,
            other => other,
        }
    }
}

impl std::fmt::Display for ImageFormat {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Builder<'_, '_> {
    /// The format that the host, a shared file system, or `global` asks for.
    pub(super) fn image_format(&mut self, section: &Section) -> Option<Sourced<ImageFormat>> {
        let chosen = self.chosen_format(section);
        let shared = self
            .values
            .either(section, "cow_filesystem", "cow", Values::one_word)
            .map(|name| name.map(|_| ImageFormat::UmlCow));
        if let (Some(format), Some(_), Some(entry)) = (&chosen, &shared, section.setting("format"))
            && format.value != ImageFormat::UmlCow
        {
            let format = format.value.name();
            self.values
                .report(Problem::CowFormat { format }, entry.value_span());
        }
        let global = self.global;
        shared.or(chosen).or_else(|| self.chosen_format(global))
    }

    /// What `format` in `section` says; a file system's type says nothing.
    fn chosen_format(&mut self, section: &Section) -> Option<Sourced<ImageFormat>> {
        self.values.setting(section, "format", |values, entry| {
            ImageFormat::from_name(values.choice(entry, choices_of("format"))?)
        })
    }
}

//! How template files are named: `NAME-V<major>.<minor>.<ext2|ext3|ext4|img>`, or `NAME.<type>` without a version.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// What the end of a template's file name says about its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TemplateType {
    /// An ext2 file system.
    Ext2,
    /// An ext3 file system.
    Ext3,
    /// An ext4 file system.
    Ext4,
    /// A file system of any type.
    Img,
}

/// A template's version, compared number by number: 1.10 is newer than 1.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The number before the dot.
    pub major: u32,
    /// The number after the dot.
    pub minor: u32,
}

/// The name of a template, with or without a version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TemplateName {
    stem: String,
    version: Option<Version>,
    file_type: TemplateType,
}

/// Says why a text is not the name of a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name does not end in a type.
    #[error("`{0}` does not end in .ext2, .ext3, .ext4 or .img")]
    NoType(String),
    /// There is no such type.
    #[error("`{0}` is not ext2, ext3, ext4 or img")]
    UnknownType(String),
    /// Nothing, a leading dot or a character that file names should not have.
    #[error(
        "`{0}` has something before its type that is no name: letters, digits, `.`, `_`, `+` and `-` make one"
    )]
    BadStem(String),
    /// A version is not two numbers.
    #[error("`{0}` is not a version like 1.2")]
    BadVersion(String),
}

impl TemplateType {
    /// Every type, in the order of their names.
    pub const ALL: [Self; 4] = [Self::Ext2, Self::Ext3, Self::Ext4, Self::Img];

    /// The type's name, which is also how the file's name ends.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ext2 => "ext2",
            Self::Ext3 => "ext3",
            Self::Ext4 => "ext4",
            Self::Img => "img",
        }
    }
}

impl Version {
    /// What a template gets that has none before it.
    pub const FIRST: Self = Self { major: 1, minor: 0 };

    /// The version after this one: the minor number grows.
    #[must_use]
    pub fn next(self) -> Self {
        Self {
            minor: self.minor.saturating_add(1),
            ..self
        }
    }
}

impl TemplateName {
    /// The name of `stem` as a file of `file_type`, without a version.
    pub fn new(stem: &str, file_type: TemplateType) -> Result<Self, NameError> {
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || "._+-".contains(letter);
        if stem.is_empty() || stem.starts_with(['.', '-']) || !stem.chars().all(is_name) {
            return Err(NameError::BadStem(stem.to_owned()));
        }
        Ok(Self {
            stem: stem.to_owned(),
            version: None,
            file_type,
        })
    }

    /// The part before version and type.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// The version, where the name has one.
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// The type that the name ends in.
    pub fn file_type(&self) -> TemplateType {
        self.file_type
    }

    /// The same name without a version: what projects call it.
    #[must_use]
    pub fn without_version(&self) -> Self {
        Self {
            version: None,
            ..self.clone()
        }
    }

    /// The same name with `version`.
    #[must_use]
    pub fn with_version(&self, version: Version) -> Self {
        Self {
            version: Some(version),
            ..self.clone()
        }
    }
}

impl FromStr for TemplateType {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::ALL
            .into_iter()
            .find(|file_type| file_type.as_str() == text)
            .ok_or_else(|| NameError::UnknownType(text.to_owned()))
    }
}

impl FromStr for Version {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        // `parse` alone would take a sign.
        let is_number = |digits: &&str| digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = |digits: &str| Some(digits).filter(is_number)?.parse().ok();
        text.split_once('.')
            .and_then(|(major, minor)| {
                Some(Self {
                    major: number(major)?,
                    minor: number(minor)?,
                })
            })
            .ok_or_else(|| NameError::BadVersion(text.to_owned()))
    }
}

impl FromStr for TemplateName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (rest, ending) = text.rsplit_once('.').unwrap_or((text, ""));
        let file_type = ending.parse().map_err(|_| NameError::NoType(text.to_owned()))?;
        let versioned = rest
            .rsplit_once("-V")
            .and_then(|(stem, version)| Some((stem, version.parse().ok()?)));
        let (stem, version) = match versioned {
            Some((stem, version)) => (stem, Some(version)),
            None => (rest, None),
        };
        let name = Self::new(stem, file_type).map_err(|_| NameError::BadStem(text.to_owned()))?;
        Ok(Self { version, ..name })
    }
}

impl fmt::Display for TemplateType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

impl fmt::Display for TemplateName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.stem)?;
        if let Some(version) = self.version {
            write!(formatter, "-V{version}")?;
        }
        write!(formatter, ".{}", self.file_type)
    }
}

/// By stem, type and version, so that the newest of a name comes last; a bare file before any version.
impl Ord for TemplateName {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.stem, self.file_type, self.version).cmp(&(&other.stem, other.file_type, other.version))
    }
}

impl PartialOrd for TemplateName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Gives a type that is written and read as text its serde face.
macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

serde_as_text!(TemplateType, Version, TemplateName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_put_together() {
        for (text, stem, version, file_type) in [
            ("ubuntu-server.ext3", "ubuntu-server", None, TemplateType::Ext3),
            (
                "ubuntu-server-V1.2.ext3",
                "ubuntu-server",
                Some((1, 2)),
                TemplateType::Ext3,
            ),
            (
                "Debian-3.0r0-V10.20.img",
                "Debian-3.0r0",
                Some((10, 20)),
                TemplateType::Img,
            ),
            ("Debian-4.0.ext3", "Debian-4.0", None, TemplateType::Ext3),
            ("a-V1.ext2", "a-V1", None, TemplateType::Ext2),
            ("a-V1.x.ext4", "a-V1.x", None, TemplateType::Ext4),
            ("a-V1.+2.ext4", "a-V1.+2", None, TemplateType::Ext4),
            (
                "ubuntu_mpi_tourque.ext3",
                "ubuntu_mpi_tourque",
                None,
                TemplateType::Ext3,
            ),
        ] {
            let name: TemplateName = text.parse().unwrap();
            let version = version.map(|(major, minor)| Version { major, minor });
            assert_eq!(
                (name.stem(), name.version(), name.file_type()),
                (stem, version, file_type)
            );
            assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_name_says_why() {
        for text in ["debian", "debian.dir", "", "debian.ext3/"] {
            assert_eq!(
                text.parse::<TemplateName>(),
                Err(NameError::NoType(text.to_owned()))
            );
        }
        for text in [
            ".ext3",
            "../a.ext3",
            "a b.ext4",
            ".hidden.img",
            "-V1.0.img",
            "/etc/a.ext2",
        ] {
            assert_eq!(
                text.parse::<TemplateName>(),
                Err(NameError::BadStem(text.to_owned()))
            );
        }
    }

    #[test]
    fn versions_compare_as_numbers() {
        let mut names: Vec<TemplateName> = ["a-V1.10.ext3", "a-V1.9.ext3", "a.ext3", "a-V0.99.ext3"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        names.sort();
        let sorted: Vec<String> = names.iter().map(ToString::to_string).collect();
        assert_eq!(sorted, ["a.ext3", "a-V0.99.ext3", "a-V1.9.ext3", "a-V1.10.ext3"]);
    }
}

//! What a bake changes in one guest file, for a person to read: the cause, the attributes, and a unified diff.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::sync::Arc;

use similar::TextDiff;

use crate::base::{FileKind, GuestPath, Origin};
use crate::edit::{Change, Edit, EditList, EditedView, Effect, GuestView, NodeInfo, ViewError, effective};

/// Texts longer than this are told by their lengths: a diff of them helps nobody and may take for ever.
const LONGEST_DIFF_BYTES: u64 = 256 << 10;

/// Files whose second field holds password hashes.
const PASSWORD_FILES: [&[u8]; 6] = [
    b"/etc/passwd",
    b"/etc/passwd-",
    b"/etc/shadow",
    b"/etc/shadow-",
    b"/etc/gshadow",
    b"/etc/gshadow-",
];

/// What becomes of one path of a guest.
#[derive(Debug, Clone, serde::Serialize)]
pub struct FileDiff {
    /// The path.
    pub path: GuestPath,
    /// What happens to it.
    pub effect: Effect,
    /// The project lines that asked for it.
    #[serde(serialize_with = "as_places")]
    pub origins: Vec<Origin>,
    /// Kind, mode, owner and link text where they change, one a line, such as `mode 0644 -> 0600`.
    pub attributes: Vec<String>,
    /// The unified diff of the content, password hashes hidden; empty where the content stays.
    pub content: String,
}

/// Tells what `edits` change in the guest that `view` shows, path by path; what stays is left out. Where the identity
/// of the guest is not known before the bake, a mark stands for it.
pub fn diff(
    view: &dyn GuestView,
    edits: &EditList,
    is_identity_known: bool,
) -> Result<Vec<FileDiff>, ViewError> {
    let after = EditedView::new(view, edits);
    let secrets = secrets(&after)?;
    let mut files = Vec::new();
    for (edit, effect) in effective(view, edits)? {
        if effect != Effect::None {
            let mut file = file_diff(view, &after, edit, effect)?;
            hide_identity(&mut file, is_identity_known);
            for origin in &mut file.origins {
                hide(origin, &secrets);
            }
            files.push(file);
        }
    }
    Ok(files)
}

/// Puts marks in the place of private keys, and of an identity that the bake will draw anew.
fn hide_identity(file: &mut FileDiff, is_known: bool) {
    let path = file.path.as_bytes();
    let is_key = path.starts_with(b"/etc/ssh/ssh_host_");
    let mark = if is_key && !path.ends_with(b".pub") {
        "content: a private key, which is not shown\n"
    } else if !is_known && (is_key || path == b"/etc/machine-id") {
        "content: drawn at the first bake\n"
    } else {
        return;
    };
    if !file.content.is_empty() && file.effect != Effect::Remove {
        mark.clone_into(&mut file.content);
    } else if is_key && file.effect == Effect::Remove {
        file.content.clear();
    }
}

/// Every password hash that the guest will have.
fn secrets(after: &dyn GuestView) -> Result<BTreeSet<String>, ViewError> {
    let mut secrets = BTreeSet::new();
    for path in PASSWORD_FILES {
        let path = GuestPath::new(path).expect("the paths are written in this file");
        let bytes = after.read(&path)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let hashes = text.lines().filter_map(password_of).map(|(_, password)| password);
        secrets.extend(hashes.filter(|password| is_hash(password)).map(str::to_owned));
    }
    Ok(secrets)
}

/// Puts a mark in the place of every hash that a project line spells out.
fn hide(origin: &mut Origin, secrets: &BTreeSet<String>) {
    if let Some(secret) = secrets
        .iter()
        .find(|secret| origin.text.contains(secret.as_str()))
    {
        let text = origin.text.replace(secret.as_str(), "<hash>");
        *origin = Origin::new(Arc::clone(&origin.file), origin.line, &text);
    }
}

fn file_diff(
    before: &dyn GuestView,
    after: &dyn GuestView,
    edit: &Edit,
    effect: Effect,
) -> Result<FileDiff, ViewError> {
    let (old, new) = (before.info(&edit.path)?, after.info(&edit.path)?);
    let mut attributes = changed_attributes(old, new);
    let links = (before.read_link(&edit.path)?, after.read_link(&edit.path)?);
    if let (old, Some(new)) = &links
        && old.as_ref() != Some(new)
    {
        attributes.push(format!("leads to {}", String::from_utf8_lossy(new)));
    }
    let is_text_file = matches!(edit.change, Change::File { .. } | Change::Absent);
    let content = if is_text_file && effect != Effect::Attributes {
        content_diff(before, after, &edit.path, (old, new))?
    } else {
        String::new()
    };
    Ok(FileDiff {
        path: edit.path.clone(),
        effect,
        origins: edit.origins.clone(),
        attributes,
        content,
    })
}

/// The attributes that differ, one a line; all of them for what comes into being.
fn changed_attributes(old: Option<NodeInfo>, new: Option<NodeInfo>) -> Vec<String> {
    let Some(new) = new else {
        return Vec::new();
    };
    let line = |name: &str, old: Option<String>, new: String| match old {
        Some(old) if old == new => None,
        Some(old) => Some(format!("{name} {old} -> {new}")),
        None => Some(format!("{name} {new}")),
    };
    let mode = |info: NodeInfo| format!("{:04o}", info.mode);
    let owner = |info: NodeInfo| format!("{}:{}", info.uid, info.gid);
    let kind = |info: NodeInfo| kind_name(info.kind).to_owned();
    let has_mode = new.kind != FileKind::Symlink;
    [
        line("kind", old.map(kind), kind(new)),
        has_mode.then(|| line("mode", old.map(mode), mode(new))).flatten(),
        line("owner", old.map(owner), owner(new)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn kind_name(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Regular => "file",
        FileKind::Directory => "directory",
        FileKind::Symlink => "symbolic link",
        FileKind::CharDevice => "character device",
        FileKind::BlockDevice => "block device",
        FileKind::Fifo => "named pipe",
        FileKind::Socket => "socket",
    }
}

/// The unified diff of the regular file at `path`, or its lengths where a diff would not help.
fn content_diff(
    before: &dyn GuestView,
    after: &dyn GuestView,
    path: &GuestPath,
    (old, new): (Option<NodeInfo>, Option<NodeInfo>),
) -> Result<String, ViewError> {
    let len = |info: Option<NodeInfo>| {
        info.filter(|info| info.kind == FileKind::Regular)
            .map(|info| info.len_bytes)
    };
    let (old_len, new_len) = (len(old), len(new));
    if old_len.is_none() && new_len.is_none() {
        return Ok(String::new());
    }
    let is_short = old_len.max(new_len).is_some_and(|len| len <= LONGEST_DIFF_BYTES);
    let texts = if is_short {
        let old = text_of(before, path, old_len)?;
        old.zip(text_of(after, path, new_len)?)
    } else {
        None
    };
    let Some((old_text, new_text)) = texts else {
        let shown = |len: Option<u64>| len.map_or_else(|| "nothing".to_owned(), |len| format!("{len} bytes"));
        return Ok(format!("content: {} -> {}\n", shown(old_len), shown(new_len)));
    };
    let (old_text, new_text) = hide_passwords(path, old_text, new_text);
    let name = |len: Option<u64>, side: &str| match len {
        Some(_) => format!("{side}{path}"),
        None => "/dev/null".to_owned(),
    };
    Ok(TextDiff::from_lines(&old_text, &new_text)
        .unified_diff()
        .header(&name(old_len, "a"), &name(new_len, "b"))
        .to_string())
}

/// The text of the file at `path`; empty where there is none, `None` where it is no text.
fn text_of(view: &dyn GuestView, path: &GuestPath, len: Option<u64>) -> Result<Option<String>, ViewError> {
    if len.is_none() {
        return Ok(Some(String::new()));
    }
    let bytes = view.read(path)?.unwrap_or_default();
    Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
}

/// Puts marks in the place of password hashes, so that a diff shows which ones change and no more.
fn hide_passwords(path: &GuestPath, old: String, new: String) -> (String, String) {
    if !PASSWORD_FILES.contains(&path.as_bytes()) {
        return (old, new);
    }
    let hidden = |text: &str, other: &str, mark: &str| {
        let others: BTreeMap<&str, &str> = other.lines().filter_map(password_of).collect();
        text.split_inclusive('\n')
            .map(|line| match password_of(line) {
                Some((name, password)) if is_hash(password) => {
                    let mark = if others.get(name) == Some(&password) {
                        "<hash>"
                    } else {
                        mark
                    };
                    let rest = &line[name.len() + 1 + password.len()..];
                    format!("{name}:{mark}{rest}")
                }
                _ => line.to_owned(),
            })
            .collect::<Vec<_>>()
            .concat()
    };
    (hidden(&old, &new, "<old hash>"), hidden(&new, &old, "<new hash>"))
}

/// The name and the password field of a line.
fn password_of(line: &str) -> Option<(&str, &str)> {
    let mut fields = line.trim_end_matches('\n').split(':');
    fields.next().zip(fields.next())
}

/// Whether a password field holds more than a mark that there is no password here.
fn is_hash(password: &str) -> bool {
    !matches!(password, "" | "x" | "*" | "!" | "!!" | "!*")
}

/// Writes origins as places; the lines themselves may hold password hashes, which no manifest needs.
pub(super) fn as_places<S: serde::Serializer>(origins: &[Origin], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(origins.iter().map(|origin| match origin.line {
        0 => origin.text.to_string(),
        line => format!("{}:{line}", origin.file),
    }))
}

impl fmt::Display for FileDiff {
    /// Writes the path with what happens to it, the causes, the attributes and the diff.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{} {}", self.effect.name(), self.path)?;
        for origin in &self.origins {
            writeln!(formatter, "  because of {origin}")?;
        }
        for line in &self.attributes {
            writeln!(formatter, "  {line}")?;
        }
        formatter.write_str(&self.content)?;
        if !self.content.is_empty() && !self.content.ends_with('\n') {
            formatter.write_char('\n')?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_hidden_but_tell_whether_they_change() {
        let path = GuestPath::literal("/etc/shadow");
        let old = "root:*:1::::::\nada:$6$old:1:0:::::\nbob:$6$same:1::::::\n";
        let new = "root:*:1::::::\nada:$6$new:1:0:::::\nbob:$6$same:1::::::\neve:!$6$x:2::::::\n";
        let (old, new) = hide_passwords(&path, old.to_owned(), new.to_owned());
        assert_eq!(
            old,
            "root:*:1::::::\nada:<old hash>:1:0:::::\nbob:<hash>:1::::::\n"
        );
        assert_eq!(
            new,
            "root:*:1::::::\nada:<new hash>:1:0:::::\nbob:<hash>:1::::::\neve:<new hash>:2::::::\n"
        );
    }

    #[test]
    fn other_files_are_shown_as_they_are() {
        let path = GuestPath::literal("/etc/hosts");
        let (old, new) = hide_passwords(&path, "a:$6$x:\n".to_owned(), String::new());
        assert_eq!((old.as_str(), new.as_str()), ("a:$6$x:\n", ""));
    }
}

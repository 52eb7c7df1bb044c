//! Which label a policy of `SELinux` gives to a new file, selinux(8), `file_contexts(5)`.
//!
//! ```text
//!   /var/www(/.*)?      --  system_u:object_r:httpd_sys_content_t:s0
//!   expression of the   kind, if only   label, or <<none>>
//!   whole path          one is meant
//! ```
//!
//! Of several lines that match, one without an expression's special characters wins, else the last. Expressions are
//! matched in time linear in the path; lines that cannot be read so are passed over.

use regex::bytes::{Regex, RegexBuilder};

use super::text::lines;
use crate::base::{FileKind, GuestPath};
use crate::edit::{GuestView, ViewError};

/// The kind of policy that is in force unless the configuration says otherwise.
const DEFAULT_POLICY: &[u8] = b"targeted";
/// The longest file of a policy that is read, in bytes.
const LIMIT_BYTES: u64 = 16 << 20;
/// How much memory one compiled expression may take, in bytes.
const EXPRESSION_LIMIT_BYTES: usize = 1 << 20;
/// The characters that make a path an expression.
const SPECIAL: &[u8] = b".^$?*+|[({";
/// Those that let what stands before them be absent.
const OPTIONAL: &[u8] = b"?*{";
/// What stands for no label.
const NO_LABEL: &[u8] = b"<<none>>";

/// The labels of a policy by path.
#[derive(Debug, Default)]
pub(crate) struct FileContexts {
    rules: Vec<Rule>,
    /// Directories that count as others: the administrator's, then the distribution's.
    aliases: [Vec<(Vec<u8>, Vec<u8>)>; 2],
}

/// One line.
#[derive(Debug)]
struct Rule {
    expression: Vec<u8>,
    /// How every path that matches begins; the whole path where nothing is special.
    beginning: Vec<u8>,
    is_exact: bool,
    kind: Option<FileKind>,
    label: Vec<u8>,
}

impl FileContexts {
    /// Reads the policy that the guest's configuration names; `None` where the guest has none.
    pub(crate) fn read(view: &dyn GuestView) -> Result<Option<Self>, ViewError> {
        let configuration = read(view, b"/etc/selinux/config")?.unwrap_or_default();
        let policy = lines(&configuration)
            .into_iter()
            .filter_map(|line| line.trim_ascii().strip_prefix(b"SELINUXTYPE="))
            .map(<[u8]>::trim_ascii)
            .next_back()
            .filter(|name| !name.is_empty() && !name.contains(&b'/') && !name.starts_with(b"."))
            .unwrap_or(DEFAULT_POLICY);
        let file = |ending: &[u8]| {
            let parts: [&[u8]; 4] = [b"/etc/selinux/", policy, b"/contexts/files/file_contexts", ending];
            read(view, &parts.concat())
        };
        let Some(text) = file(b"")? else {
            return Ok(None);
        };
        let mut contexts = Self::default();
        contexts.add(&text);
        for ending in [&b".homedirs"[..], b".local"] {
            contexts.add(&file(ending)?.unwrap_or_default());
        }
        contexts.aliases = [
            aliases(&file(b".subs")?.unwrap_or_default()),
            aliases(&file(b".subs_dist")?.unwrap_or_default()),
        ];
        Ok(Some(contexts))
    }

    /// The label for a new file of `kind` at `path`, whose directories are no links; `None` where the policy has none.
    pub(crate) fn label(&self, path: &GuestPath, kind: FileKind) -> Option<&[u8]> {
        let path = self.counted_as(path.as_bytes());
        let fits = |rule: &&Rule| rule.kind.is_none_or(|wanted| wanted == kind);
        let exact = self
            .rules
            .iter()
            .rev()
            .filter(fits)
            .find(|rule| rule.is_exact && rule.beginning == path);
        let rule = exact.or_else(|| {
            let mut rules = self.rules.iter().rev().filter(fits);
            rules.find(|rule| !rule.is_exact && rule.matches(&path))
        })?;
        (rule.label != NO_LABEL).then_some(&rule.label)
    }

    fn add(&mut self, text: &[u8]) {
        self.rules.extend(lines(text).into_iter().filter_map(Rule::parse));
    }

    /// `path` with a directory that counts as another replaced.
    fn counted_as(&self, path: &[u8]) -> Vec<u8> {
        let mut path = path.to_vec();
        for aliases in &self.aliases {
            let found = aliases.iter().find_map(|(from, to)| {
                let rest = path.strip_prefix(&from[..])?;
                let is_below = rest.is_empty() || rest.starts_with(b"/");
                is_below.then(|| [&to[..], rest].concat())
            });
            path = found.unwrap_or(path);
        }
        path
    }
}

impl Rule {
    fn parse(line: &[u8]) -> Option<Self> {
        let words: Vec<&[u8]> = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .collect();
        let (expression, kind, label) = match words[..] {
            [first, ..] if first.starts_with(b"#") => return None,
            [expression, label] => (expression, None, label),
            [expression, kind, label] => (expression, Some(kind_of(kind)?), label),
            _ => return None,
        };
        let (beginning, is_exact) = beginning(expression);
        Some(Self {
            expression: expression.to_vec(),
            beginning,
            is_exact,
            kind,
            label: label.to_vec(),
        })
    }

    fn matches(&self, path: &[u8]) -> bool {
        path.starts_with(&self.beginning)
            && self
                .compiled()
                .is_some_and(|expression| expression.is_match(path))
    }

    fn compiled(&self) -> Option<Regex> {
        let text = std::str::from_utf8(&self.expression).ok()?;
        RegexBuilder::new(&format!("^(?:{text})$"))
            .unicode(false)
            .dot_matches_new_line(true)
            .size_limit(EXPRESSION_LIMIT_BYTES)
            .build()
            .ok()
    }
}

/// How every path begins that `expression` matches, and whether that is the whole path.
fn beginning(expression: &[u8]) -> (Vec<u8>, bool) {
    if expression.contains(&b'|') {
        // Either side may begin otherwise, unless the bar stands in a group, where the beginning ends anyway.
        let group = expression.iter().position(|byte| *byte == b'(');
        let bar = expression.iter().position(|byte| *byte == b'|');
        if group.is_none_or(|group| bar < Some(group)) || has_outer_bar(expression) {
            return (Vec::new(), false);
        }
    }
    let mut found = Vec::new();
    let mut rest = expression;
    while let [byte, after @ ..] = rest {
        rest = after;
        match (*byte, after) {
            (b'\\', [escaped, after @ ..]) if escaped.is_ascii_punctuation() => {
                found.push(*escaped);
                rest = after;
            }
            (b'\\', _) => return (found, false),
            (byte, _) if SPECIAL.contains(&byte) => {
                if OPTIONAL.contains(&byte) {
                    found.pop();
                }
                return (found, false);
            }
            (byte, _) => found.push(byte),
        }
    }
    (found, true)
}

/// Whether a bar stands outside all groups.
fn has_outer_bar(expression: &[u8]) -> bool {
    let mut depth = 0_u32;
    let mut is_escaped = false;
    expression.iter().any(|byte| {
        let was_escaped = is_escaped;
        is_escaped = *byte == b'\\' && !was_escaped;
        match byte {
            b'(' if !was_escaped => depth = depth.saturating_add(1),
            b')' if !was_escaped => depth = depth.saturating_sub(1),
            _ => {}
        }
        *byte == b'|' && !was_escaped && depth == 0
    })
}

fn kind_of(word: &[u8]) -> Option<FileKind> {
    Some(match word {
        b"--" => FileKind::Regular,
        b"-d" => FileKind::Directory,
        b"-l" => FileKind::Symlink,
        b"-c" => FileKind::CharDevice,
        b"-b" => FileKind::BlockDevice,
        b"-p" => FileKind::Fifo,
        b"-s" => FileKind::Socket,
        _ => return None,
    })
}

/// The lines `DIRECTORY OTHER` of a file of aliases.
fn aliases(text: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let pairs = lines(text).into_iter().filter_map(|line| {
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        match (words.next(), words.next(), words.next()) {
            (Some(from), Some(to), None) if from.starts_with(b"/") && from.len() > 1 => {
                Some((from.to_vec(), to.to_vec()))
            }
            _ => None,
        }
    });
    pairs.collect()
}

/// The content of a file of the policy; `None` where there is none, or more than a policy has.
fn read(view: &dyn GuestView, path: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
    let Ok(path) = GuestPath::new(path) else {
        return Ok(None);
    };
    let path = view.resolve(&path)?;
    match view.info(&path)? {
        Some(info) if info.kind == FileKind::Regular && info.len_bytes <= LIMIT_BYTES => view.read(&path),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contexts(text: &str) -> FileContexts {
        let mut contexts = FileContexts::default();
        contexts.add(text.as_bytes());
        contexts
    }

    #[track_caller]
    fn check(contexts: &FileContexts, path: &str, kind: FileKind, expected: Option<&str>) {
        let label = contexts.label(&GuestPath::literal(path), kind);
        assert_eq!(
            label.map(|label| String::from_utf8_lossy(label).into_owned()),
            expected.map(str::to_owned),
            "{path}"
        );
    }

    #[test]
    fn the_last_line_that_matches_wins_unless_one_is_exact() {
        let contexts = contexts(
            "# a comment\n\
             /.*\t\tu:r:default\n\
             /etc/exact\t--\tu:r:exact\n\
             /etc(/.*)?\t\tu:r:etc\n\
             /etc/e.*\t--\tu:r:late\n\
             /etc/.*\\.secret\t\t<<none>>\n\
             not a line of a policy\n",
        );
        check(&contexts, "/srv/x", FileKind::Regular, Some("u:r:default"));
        check(&contexts, "/etc", FileKind::Directory, Some("u:r:etc"));
        check(&contexts, "/etc/exact", FileKind::Regular, Some("u:r:exact"));
        check(&contexts, "/etc/exact", FileKind::Directory, Some("u:r:etc"));
        check(&contexts, "/etc/else", FileKind::Regular, Some("u:r:late"));
        check(&contexts, "/etc/a.secret", FileKind::Regular, None);
        check(&contexts, "/etcetera", FileKind::Regular, Some("u:r:default"));
    }

    #[test]
    fn bars_and_optional_characters_do_not_hide_a_match() {
        let contexts = contexts(
            "/opt/a|/srv/b\tu:r:either\n/usr/(lib|share)/x\tu:r:group\n/var/logs?\tu:r:log\n/x(a)|y\tu:r:outer\n",
        );
        check(&contexts, "/srv/b", FileKind::Regular, Some("u:r:either"));
        check(&contexts, "/usr/share/x", FileKind::Regular, Some("u:r:group"));
        check(&contexts, "/var/log", FileKind::Directory, Some("u:r:log"));
        check(&contexts, "/xa", FileKind::Directory, Some("u:r:outer"));
    }

    #[test]
    fn expressions_that_would_take_too_much_are_passed_over() {
        let contexts = contexts("/.*\tu:r:all\n/(((a{1,999}){1,999}){1,999})\tu:r:huge\n/((\tu:r:broken\n");
        check(&contexts, "/aaaa", FileKind::Regular, Some("u:r:all"));
    }

    #[test]
    fn directories_that_count_as_others_are_looked_up_as_those() {
        let mut contexts = contexts("/.*\tu:r:all\n/usr/lib/.*\tu:r:lib\n");
        contexts.aliases[1] = aliases(b"/usr/lib64 /usr/lib\n# note\n/lib /usr/lib\n");
        check(&contexts, "/usr/lib64/x", FileKind::Regular, Some("u:r:lib"));
        check(&contexts, "/usr/lib641/x", FileKind::Regular, Some("u:r:all"));
    }
}

//! The configuration `mln.conf`: `keyword value` lines, read once or twice, the later file going before.
//!
//! Keywords are told apart by equality. All that MLN knows are kept, also those that only its later parts use.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::model::{Platform, Terminal};
use super::problem::Problem;
use super::section::{Content, Entry};
use super::values::Values;
use super::wording::Problems;
use crate::base::ByteSize;
use crate::diag::{Diagnostics, SourceId, SourceMap, Span, nearest};
use crate::lang::Word;

/// What the configuration says; `None` and empty lists where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Where templates lie.
    pub templates: Option<PathBuf>,
    /// Where files to copy in lie.
    pub files: Option<PathBuf>,
    /// Where projects lie.
    pub projects: Option<PathBuf>,
    /// Where the UML programs lie.
    pub uml: Option<PathBuf>,
    /// Further directories of plugins, in order.
    pub plugin_dirs: Vec<PathBuf>,
    /// The public keys that pulled templates have to be signed by, or the files with them.
    pub template_keys: Vec<String>,
    /// The template of hosts that name none.
    pub default_template: Option<String>,
    /// The size of hosts that give none.
    pub default_size: Option<ByteSize>,
    /// The memory of hosts that give none.
    pub default_memory: Option<ByteSize>,
    /// The console of hosts that give none.
    pub default_term: Option<Terminal>,
    /// What runs hosts that choose no platform.
    pub default_vm: Option<Platform>,
    /// The first half of generated hardware addresses.
    pub default_mac_base: Option<String>,
    /// The UML kernel.
    pub default_kernel: Option<PathBuf>,
    /// The UML kernel's modules.
    pub default_modules: Option<PathBuf>,
    /// The Xen guests' kernel.
    pub xen_kernel: Option<PathBuf>,
    /// The Xen guests' initial ramdisk.
    pub xen_ramdisk: Option<PathBuf>,
    /// The Xen kernel's modules.
    pub xen_modules: Option<PathBuf>,
    /// The bridge to the local network.
    pub xen_bridge: Option<String>,
    /// This server's name in projects.
    pub service_host: Option<String>,
    /// Who may connect to the daemon, in order.
    pub daemon_allow: Vec<String>,
    /// The servers to ask for their status, with their groups.
    pub daemon_status_query: Vec<StatusQuery>,
    /// The memory that this server has for guests.
    pub max_memory: Option<ByteSize>,
    /// The address that the daemon listens on.
    pub daemon_listen_address: Option<String>,
    /// Where the daemon keeps its projects.
    pub daemon_projects: Option<PathBuf>,
    /// Every other known keyword with its values, in order.
    pub further: BTreeMap<String, Vec<String>>,
}

/// A server whose status is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusQuery {
    /// The server.
    pub host: String,
    /// The groups it belongs to.
    pub groups: Vec<String>,
}

/// The keywords that are kept as text.
const FURTHER: [&str; 19] = [
    "always_check_project_version",
    "batch_size",
    "db_name",
    "db_password",
    "db_user",
    "default_color",
    "default_family",
    "default_term_command",
    "lock_dir",
    "lock_timeout",
    "lvm_execute_server",
    "lvm_vg",
    "notification.ok.command",
    "notification.warning.command",
    "san_path",
    "screen_command",
    "slirp",
    "template_file_mirror",
    "template_file_site",
];

/// The keywords that have a field of their own.
const TYPED: [&str; 26] = [
    "templates",
    "files",
    "projects",
    "uml",
    "plugin_dir",
    "plugins_dir",
    "default_template",
    "default_size",
    "default_memory",
    "default_term",
    "default_vm",
    "default_mac_base",
    "default_kernel",
    "default_modules",
    "xen_kernel",
    "xen_ramdisk",
    "xen_modules",
    "xen_bridge",
    "service_host",
    "daemon_allow",
    "daemon_status_query",
    "max_memory",
    "daemon_max_memory",
    "daemon_listen_address",
    "daemon_projects",
    "template_key",
];

impl Settings {
    /// Takes the lines of the configuration `source` over those read before; `environment` is what `$NAME` and
    /// `${NAME}` stand for.
    pub fn read(
        &mut self,
        sources: &SourceMap,
        source: SourceId,
        environment: &BTreeMap<String, String>,
        strict: bool,
    ) -> Diagnostics {
        let mut problems = Problems::new(strict);
        let mut values = Values::checking(&mut problems);
        let text = Arc::clone(sources.get(source).text());
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let entry = entry_of(line, Span::new(source, start, start), environment);
            if let Some(entry) = entry {
                self.set(&entry, &mut values);
            }
            start += line.len();
        }
        problems.diagnostics
    }

    fn set(&mut self, entry: &Entry, values: &mut Values<'_>) {
        let path = |values: &mut Values<'_>| values.text(entry).map(PathBuf::from);
        match &*entry.key.text {
            "templates" => replace(&mut self.templates, path(values)),
            "files" => replace(&mut self.files, path(values)),
            "projects" => replace(&mut self.projects, path(values)),
            "uml" => replace(&mut self.uml, path(values)),
            "plugin_dir" | "plugins_dir" => self.plugin_dirs.extend(path(values)),
            "template_key" => self.template_keys.extend(values.text(entry)),
            "default_template" => replace(&mut self.default_template, values.text(entry)),
            "default_size" => replace(&mut self.default_size, values.size(entry)),
            "default_memory" => replace(&mut self.default_memory, values.memory(entry)),
            "default_term" => {
                let term = values
                    .choice(entry, &Terminal::NAMES)
                    .and_then(Terminal::from_name);
                replace(&mut self.default_term, term);
            }
            "default_vm" => {
                let platform = values.choice(entry, &["uml", "xen", "hvm", "qemu", "kvm"]);
                replace(&mut self.default_vm, platform.map(platform_called));
            }
            "default_mac_base" => replace(&mut self.default_mac_base, values.text(entry)),
            "default_kernel" => replace(&mut self.default_kernel, path(values)),
            "default_modules" => replace(&mut self.default_modules, path(values)),
            "xen_kernel" => replace(&mut self.xen_kernel, path(values)),
            "xen_ramdisk" => replace(&mut self.xen_ramdisk, path(values)),
            "xen_modules" => replace(&mut self.xen_modules, path(values)),
            "xen_bridge" => replace(&mut self.xen_bridge, values.text(entry)),
            "service_host" => replace(&mut self.service_host, values.text(entry)),
            "daemon_allow" => self.daemon_allow.extend(values.text(entry)),
            "daemon_status_query" => self.daemon_status_query.extend(status_query(entry, values)),
            "max_memory" | "daemon_max_memory" => replace(&mut self.max_memory, values.memory(entry)),
            "daemon_listen_address" => replace(&mut self.daemon_listen_address, values.text(entry)),
            "daemon_projects" => replace(&mut self.daemon_projects, path(values)),
            name if FURTHER.contains(&name) => {
                let text = entry.value_text();
                self.further.entry(name.to_owned()).or_default().push(text);
            }
            name => {
                let near = nearest(name, TYPED.into_iter().chain(FURTHER)).map(str::to_owned);
                let keyword = name.to_owned();
                values.report(Problem::UnknownSetting { keyword, near }, entry.key.span);
            }
        }
    }
}

/// A later line goes before an earlier one, unless it says nothing.
fn replace<T>(field: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *field = value;
    }
}

/// The keyword and value of `line`, whose first byte is where `start` is; `None` if it is empty or a comment.
fn entry_of(line: &str, start: Span, environment: &BTreeMap<String, String>) -> Option<Entry> {
    let mut words = Vec::new();
    let mut rest = 0;
    for piece in line.split_inclusive(char::is_whitespace) {
        let text = piece.trim();
        // A `#` inside a word, as in a colour or a password, is a character like any other.
        if text.starts_with('#') {
            break;
        }
        if !text.is_empty() {
            let begin = start.start as usize + rest;
            words.push(Word {
                text: Arc::from(with_environment(text, environment)),
                span: Span::new(start.source, begin, begin + text.len()),
            });
        }
        rest += piece.len();
    }
    let mut words = words.into_iter();
    let key = words.next()?;
    Some(Entry::new(key, Content::Value(words.collect())))
}

/// `text` with every `$NAME` and `${NAME}` that the environment has replaced.
fn with_environment(text: &str, environment: &BTreeMap<String, String>) -> String {
    let mut pieces = text.split('$');
    let mut whole = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (body, has_braces) = match piece.strip_prefix('{') {
            Some(body) => (body, true),
            None => (piece, false),
        };
        let length = body
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            .count();
        let (name, rest) = body.split_at(length);
        let rest = if has_braces {
            rest.strip_prefix('}')
        } else {
            Some(rest)
        };
        match (environment.get(name), rest) {
            (Some(value), Some(rest)) => whole.extend([value, rest]),
            _ => whole.extend(["$", piece]),
        }
    }
    whole
}

fn status_query(entry: &Entry, values: &mut Values<'_>) -> Option<StatusQuery> {
    let words = entry.value()?;
    let Some((host, groups)) = words.split_first() else {
        values.missing(entry);
        return None;
    };
    let groups = groups.iter().flat_map(|word| word.text.split(','));
    Some(StatusQuery {
        host: host.text.to_string(),
        groups: groups
            .filter(|group| !group.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

fn platform_called(name: &str) -> Platform {
    match name {
        "xen" => Platform::Xen,
        "hvm" => Platform::XenHvm,
        "qemu" | "kvm" => Platform::Qemu,
        _ => Platform::Uml,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Colours, render_all};

    fn read(texts: &[&str]) -> (Settings, String) {
        let environment = BTreeMap::from([("USER".to_owned(), "ann".to_owned())]);
        let (mut sources, mut settings, mut shown) = (SourceMap::new(), Settings::default(), String::new());
        for text in texts {
            let id = sources.add("mln.conf", *text, None);
            let found = settings.read(&sources, id, &environment, false);
            shown.push_str(&render_all(&found, &sources, Colours::Never));
        }
        (settings, shown)
    }

    #[test]
    fn typed_keywords_get_their_fields_and_later_files_win() {
        let (settings, found) = read(&[
            "# head\nservice_host one # comment\ndaemon_status_query a production,test\ndaemon_allow 10.0.0.1\n\
             max_memory 1500\nlvm_vg vg0\nprojects /home/$USER/${USER}x/$HOMELESS\n",
            "service_host two\ndaemon_allow 10.0.0.*\nxen_kernel /boot/a b\ndaemon_max_memory 2G",
        ]);
        assert_eq!(found, "");
        assert_eq!(settings.service_host.as_deref(), Some("two"));
        assert_eq!(settings.daemon_allow, ["10.0.0.1", "10.0.0.*"]);
        let query = StatusQuery {
            host: "a".into(),
            groups: vec!["production".into(), "test".into()],
        };
        assert_eq!(settings.daemon_status_query, [query]);
        assert_eq!(settings.max_memory, Some(ByteSize(2 << 30)));
        assert_eq!(settings.projects, Some(PathBuf::from("/home/ann/annx/$HOMELESS")));
        assert_eq!(settings.xen_kernel, Some(PathBuf::from("/boot/a b")));
        assert_eq!(settings.further["lvm_vg"], ["vg0"]);
    }

    #[test]
    fn keywords_are_told_apart_by_equality() {
        let (settings, found) = read(&["my_files /x\ndefault_term xtrem\nmax_memory 1.5G\n"]);
        assert_eq!(settings, Settings::default());
        insta::assert_snapshot!(found, @r#"
warning[unknown-setting]: unknown keyword `my_files` in the configuration
 --> mln.conf:1:1
  |
1 | my_files /x
  | ^^^^^^^^
  |
  = hint: did you mean `files`?

error[bad-value]: `xtrem` is not one of `xterm`, `screen`, `tmux`, `pty`, `log`, `none`
 --> mln.conf:2:14
  |
2 | default_term xtrem
  |              ^^^^^
  |
  = hint: did you mean `xterm`?

error[bad-size]: `.5G` is not a unit of size
 --> mln.conf:3:12
  |
3 | max_memory 1.5G
  |            ^^^^
  |
  = hint: write a whole number and a unit, such as `512M` or `2G`
"#);
    }
}

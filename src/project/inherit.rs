//! Inheritance: what holds in each superclass and host once all that it inherits is put together.
//!
//! Sub-blocks are merged by name, at every depth. Within a block the parent's lines come first, then the own lines
//! that the parent does not have word for word. So the last line of a keyword is the one that counts, and lists
//! are appended to. `!clear` and `!remove` in a block take away from what it inherits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::problem::Problem;
use super::schema;
use super::section::{Content, Entry, Removal, Section};
use super::variable::{Frame, Variables};
use super::wording::Problems;
use crate::diag::nearest;
use crate::lang::Word;

/// How many superclasses may stand above each other.
const DEPTH_MAX: usize = 64;
/// How many entries all hosts and superclasses may have together once inheritance is resolved.
const ENTRIES_MAX: usize = 20_000_000;

/// A project whose variables are replaced and whose inheritance is resolved.
#[derive(Debug)]
pub(super) struct Effective {
    /// The content of `global`.
    pub(super) global: Arc<Section>,
    /// The superclasses: name, their own content, and all that holds in them.
    pub(super) superclasses: Vec<Member>,
    /// The hosts, in the order of the text.
    pub(super) hosts: Vec<Member>,
    /// The switches.
    pub(super) switches: Vec<(Word, Arc<Section>)>,
    /// Statements and blocks of the top level beyond the known ones.
    pub(super) others: Vec<Entry>,
    /// The place among `hosts` of each name.
    places: BTreeMap<Arc<str>, usize>,
}

impl Effective {
    /// The host `name`.
    pub(super) fn host(&self, name: &str) -> Option<&Member> {
        self.hosts.get(*self.places.get(name)?)
    }
}

/// A superclass or host.
#[derive(Debug)]
pub(super) struct Member {
    /// Its name, variables replaced.
    pub(super) name: Word,
    /// What its own block says, variables replaced.
    pub(super) own: Arc<Section>,
    /// All that holds in it.
    pub(super) whole: Arc<Section>,
    /// Whether a superclass above it is not there, so that much may be missing.
    pub(super) is_cut_off: bool,
    /// How many superclasses stand above it.
    depth: usize,
}

/// Replaces variables and resolves inheritance, of `only` one host if its name is given.
pub(super) fn resolve(root: &Section, only: Option<&str>, problems: &mut Problems) -> Effective {
    let empty = Arc::new(Section::new(root.header, false));
    let rest = Arc::new(without_known_blocks(root));
    let container = |name: &str| root.section(name).unwrap_or(&empty);
    let global = container("global");
    let mut resolver = Resolver {
        rest: &rest,
        global,
        classes: container("superclass")
            .sections()
            .map(|(name, own)| (&*name.text, (name, own)))
            .collect(),
        done: BTreeMap::new(),
        open: Vec::new(),
        entries_left: ENTRIES_MAX,
        variables: Variables::new(problems),
    };
    resolver.variables.project = resolver.project_name();
    for (name, _) in container("superclass").sections() {
        resolver.superclass(&name.text);
    }
    let hosts: Vec<Member> = match only {
        Some(only) => container("host").section_named(only).into_iter().collect(),
        None => container("host").sections().collect::<Vec<_>>(),
    }
    .into_iter()
    .map(|(name, own)| resolver.host(name, own))
    .collect();
    let global_resolved = resolver.plain(global, 1);
    let switches = container("switch")
        .sections()
        .map(|(name, own)| (name.clone(), resolver.plain(own, 2)))
        .collect();
    let others = resolver.plain(&rest, 0).entries.clone();
    let mut done = resolver.done;
    let names = container("superclass").sections();
    let superclasses = names
        .filter_map(|(name, _)| done.remove(&*name.text).flatten())
        .collect();
    let places = hosts.iter().enumerate();
    let places = places.map(|(place, host)| (Arc::clone(&host.name.text), place));
    Effective {
        places: places.collect(),
        global: global_resolved,
        superclasses,
        hosts,
        switches,
        others,
    }
}

struct Resolver<'a, 'p> {
    /// What stands at the top level beside the known blocks: variables, for one.
    rest: &'a Arc<Section>,
    global: &'a Arc<Section>,
    classes: BTreeMap<&'a str, (&'a Word, &'a Arc<Section>)>,
    /// The superclasses resolved so far; `None` for one that cannot be.
    done: BTreeMap<&'a str, Option<Member>>,
    /// The superclasses being resolved, the lowest first.
    open: Vec<&'a str>,
    entries_left: usize,
    variables: Variables<'p>,
}

impl<'a> Resolver<'a, '_> {
    /// The project's name as `$project` gives it; checked elsewhere.
    fn project_name(&mut self) -> Option<String> {
        let entry = self.global.setting("project")?;
        let mut words = Vec::new();
        let frames = [Frame::new(self.rest, None), Frame::new(self.global, None)];
        for word in entry.value()? {
            self.variables.words(word, &frames, &mut words).ok()?;
        }
        words.first().map(|word| word.text.to_string())
    }

    /// Resolves a block of the top level that inherits nothing; `depth` frames of root and global are around it.
    fn plain(&mut self, own: &'a Arc<Section>, depth: usize) -> Arc<Section> {
        let mut frames = self.frames();
        frames.truncate(depth);
        self.variables.resolve(own, None, &mut frames)
    }

    fn frames(&self) -> Vec<Frame<'a>> {
        vec![Frame::new(self.rest, None), Frame::new(self.global, None)]
    }

    /// Resolves the superclass `name`, if that was not done before.
    fn superclass(&mut self, name: &'a str) {
        if self.done.contains_key(name) {
            return;
        }
        let Some((word, own)) = self.classes.get(name).copied() else {
            return;
        };
        // One more than is allowed, so that a chain is refused by the same rule in whatever order it is written.
        if self.open.len() > DEPTH_MAX {
            let problem = Problem::DeepInheritance { max: DEPTH_MAX };
            return self.variables.problems.add(problem, Some(word.span));
        }
        self.open.push(name);
        let member = self.member(word.clone(), own);
        self.open.pop();
        self.done.insert(name, Some(member));
    }

    fn host(&mut self, name: &Word, own: &'a Arc<Section>) -> Member {
        let mut words = Vec::new();
        let frames = self.frames();
        let result = self.variables.words(name, &frames, &mut words);
        let name = match (result, <[Word; 1]>::try_from(words)) {
            (Ok(_), Ok([name])) => name,
            _ => name.clone(),
        };
        self.variables.hostname = Some(Arc::clone(&name.text));
        let mut member = self.member(name, own);
        member.whole = self.variables.fill_hostname(&member.whole);
        self.variables.hostname = None;
        member
    }

    fn member(&mut self, name: Word, own: &'a Arc<Section>) -> Member {
        let names_parent = own.setting("superclass").is_some();
        let parent = self.parent(own);
        let parent = parent.and_then(|parent| self.done.get(parent)?.as_ref());
        let inherited = parent.map(|parent| Arc::clone(&parent.whole));
        let depth = parent.map_or(0, |parent| parent.depth + 1);
        let is_cut_off = parent.map_or(names_parent, |parent| parent.is_cut_off);
        if depth > DEPTH_MAX {
            let problem = Problem::DeepInheritance { max: DEPTH_MAX };
            self.variables.problems.add(problem, Some(name.span));
        }
        let own = self
            .variables
            .resolve(own, inherited.as_deref(), &mut self.frames());
        let whole = match &inherited {
            Some(inherited) => Arc::new(self.merge(inherited, &own)),
            None => own.without_removals(),
        };
        Member {
            name,
            own: own.without_removals(),
            whole,
            is_cut_off,
            depth,
        }
    }

    /// The superclass that the block `own` names, resolved; `None` if it names none that can be.
    fn parent(&mut self, own: &'a Section) -> Option<&'a str> {
        let entry = own.setting("superclass")?;
        let mut frames = self.frames();
        frames.push(Frame::new(own, None));
        let mut words = Vec::new();
        for word in entry.value()? {
            self.variables.words(word, &frames, &mut words).ok()?;
        }
        let name = words.first()?;
        let Some((known, _)) = self.classes.get_key_value(&*name.text) else {
            self.unknown_superclass(name);
            return None;
        };
        let known = *known;
        if let Some(start) = self.open.iter().position(|open| *open == known) {
            let chain = self.open[start..]
                .iter()
                .chain([&known])
                .map(|name| (*name).to_owned())
                .collect();
            self.variables
                .problems
                .add(Problem::SuperclassCycle { chain }, Some(name.span));
            return None;
        }
        self.superclass(known);
        Some(known)
    }

    fn unknown_superclass(&mut self, name: &Word) {
        let near = if self.variables.problems.is_flooded() {
            None
        } else {
            nearest(&name.text, self.classes.keys().copied()).map(str::to_owned)
        };
        let problem = Problem::UnknownSuperclass {
            name: name.text.to_string(),
            near,
        };
        self.variables.problems.add(problem, Some(name.span));
    }

    /// The entries of `parent`, then those of `own` that it does not have.
    fn merge(&mut self, parent: &Section, own: &Section) -> Section {
        let mut merged = Section::new(own.header, parent.holds_lines || own.holds_lines);
        let size = parent.entries.len() + own.entries.len();
        if self.entries_left < size {
            let problem = Problem::TooMuchInherited { max: ENTRIES_MAX };
            self.variables.problems.add(problem, Some(own.header));
            return merged;
        }
        self.entries_left -= size;
        merged.reserve(size);
        let mut last = BTreeMap::new();
        let removals = self.removals(parent, own);
        for entry in parent.entries.iter().filter(|entry| !removals.take(entry)) {
            if !matches!(entry.content, Content::Section(_)) {
                last.insert(&*entry.key.text, entry);
            }
            merged.push(entry.clone());
        }
        let keeps_all = own.holds_lines && own.entries.iter().any(|entry| is_compound(&entry.key.text));
        for entry in own.entries.iter().filter(|entry| entry.removal().is_none()) {
            let above = merged.section(&entry.key.text).cloned();
            if let (Content::Section(inner), Some(above)) = (&entry.content, above) {
                let content = Content::Section(Arc::new(self.merge(&above, inner)));
                merged.push(Entry {
                    content,
                    ..entry.clone()
                });
            } else if let Content::Section(inner) = &entry.content {
                let content = Content::Section(inner.without_removals());
                merged.push(Entry {
                    content,
                    ..entry.clone()
                });
            } else if keeps_all
                || !last
                    .get(&*entry.key.text)
                    .is_some_and(|above| is_same(above, entry))
            {
                merged.push(entry.clone());
            }
        }
        merged.shrink();
        merged
    }
}

impl Resolver<'_, '_> {
    /// What `own` takes away from what it inherits; a name that nothing inherited has is reported.
    fn removals<'s>(&mut self, parent: &Section, own: &'s Section) -> Removals<'s> {
        let mut removals = Removals::default();
        if !own.has_removals() {
            return removals;
        }
        for entry in &own.entries {
            match entry.removal() {
                None => {}
                Some(Removal::All) => removals.all = true,
                Some(Removal::Named(names)) => {
                    for name in names {
                        removals.names.insert(&*name.text);
                        self.check_removal(parent, name);
                    }
                }
            }
        }
        removals
    }

    fn check_removal(&mut self, parent: &Section, name: &Word) {
        let mut known = parent.entries.iter().map(|entry| &*entry.key.text);
        if self.variables.problems.is_flooded() || known.any(|known| known == &*name.text) {
            return;
        }
        let known = parent.entries.iter().map(|entry| &*entry.key.text);
        let near = nearest(&name.text, known).map(str::to_owned);
        let name_text = name.text.to_string();
        let problem = Problem::NothingRemoved {
            name: name_text,
            near,
        };
        self.variables.problems.add(problem, Some(name.span));
    }
}

/// What a block takes away from what it inherits.
#[derive(Default)]
struct Removals<'s> {
    all: bool,
    names: BTreeSet<&'s str>,
}

impl Removals<'_> {
    fn take(&self, entry: &Entry) -> bool {
        self.all || self.names.contains(&*entry.key.text)
    }
}

/// What stands at the top level beside the known blocks.
fn without_known_blocks(root: &Section) -> Section {
    let mut rest = Section::new(root.header, false);
    for entry in &root.entries {
        let is_block = matches!(entry.content, Content::Section(_));
        if !is_block || !schema::TOP_LEVEL.contains(&&*entry.key.text) {
            rest.push(entry.clone());
        }
    }
    rest
}

/// Whether two entries of one keyword say the same, word for word.
fn is_same(above: &Entry, own: &Entry) -> bool {
    match (above.value(), own.value()) {
        (Some(above), Some(own)) => above
            .iter()
            .map(|word| &word.text)
            .eq(own.iter().map(|word| &word.text)),
        (None, None) => !matches!(own.content, Content::Section(_)),
        _ => false,
    }
}

/// Whether a shell line belongs to a construct of several lines, of which none may go missing.
fn is_compound(line: &str) -> bool {
    const WORDS: [&str; 14] = [
        "for", "while", "until", "if", "case", "select", "do", "then", "else", "elif", "fi", "done", "esac",
        "}",
    ];
    let line = line.trim();
    let first = line
        .split(|letter: char| letter.is_whitespace() || letter == ';')
        .next();
    first.is_some_and(|first| WORDS.contains(&first))
        || ['{', '(', '\\'].iter().any(|end| line.ends_with(*end))
        || line.contains("<<")
}

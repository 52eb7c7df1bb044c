//! Inheritance: what holds in each superclass and host once all that it inherits is put together.
//!
//! Superclasses are resolved once and for all, hosts when they are asked for, since a project may have very many of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::blocks::Root;
use super::classes::Classes;
use super::host_blocks::HostBlocks;
use super::problem::Problem;
use super::schema;
use super::section::{Content, Entry, Section};
use super::variable::{Budget, Frame, Variables};
use super::wording::Problems;
use crate::diag::{Span, nearest};
use crate::lang::Word;

/// How many superclasses may stand above each other.
pub(super) const DEPTH_MAX: usize = 64;

/// A project whose variables are replaced and whose inheritance is resolved.
#[derive(Debug)]
pub(super) struct Effective {
    /// The content of `global`.
    pub(super) global: Arc<Section>,
    /// The superclasses: name, their own content, and all that holds in them.
    pub(super) superclasses: Vec<Member>,
    /// The switches.
    pub(super) switches: Vec<(Word, Arc<Section>)>,
    /// Statements and blocks of the top level beyond the known ones.
    pub(super) others: Vec<Entry>,
    /// The place among `superclasses` of each name of one; `None` for one that cannot be resolved.
    classes: BTreeMap<Arc<str>, Option<usize>>,
    around: Surroundings,
    /// By how much hosts may grow.
    budget: Budget,
    /// The hosts as the text has them.
    blocks: Arc<HostBlocks>,
    /// The place of each host by its name, where variables in names make a difference.
    places: OnceLock<BTreeMap<Arc<str>, usize>>,
    /// The host that was asked for last.
    last: Mutex<Option<(usize, Arc<Section>)>>,
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

/// What stands around the blocks of superclasses, hosts and switches.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// What stands at the top level beside the known blocks: variables, for one.
    rest: Arc<Section>,
    global: Arc<Section>,
    /// The project's name as `$project` gives it; checked elsewhere.
    pub(super) project: Option<String>,
}

/// Replaces the variables of `root` and resolves its inheritance.
pub(super) fn resolve(root: &Root, problems: &mut Problems) -> Effective {
    let empty = Arc::new(Section::new(root.section.header, false));
    let container = |name: &str| root.section.section(name).unwrap_or(&empty);
    let mut budget = Budget::default();
    let around = Surroundings::of(&root.section, container("global"), problems);
    let mut variables = around.variables(&mut budget, problems);
    let (superclasses, classes) = Classes::resolve(container("superclass"), &around, &mut variables);
    let mut plain = |own: &Arc<Section>, depth| {
        let mut frames = around.frames();
        frames.truncate(depth);
        variables.resolve(own, None, &mut frames)
    };
    let switches = container("switch").sections();
    Effective {
        global: plain(&around.global, 1),
        switches: switches
            .map(|(name, own)| (name.clone(), plain(own, 2)))
            .collect(),
        others: plain(&around.rest, 0).entries.clone(),
        superclasses,
        classes,
        budget,
        blocks: Arc::clone(&root.hosts),
        places: OnceLock::new(),
        last: Mutex::default(),
        around,
    }
}

impl Effective {
    /// How many hosts there are.
    pub(super) fn host_count(&self) -> usize {
        self.blocks.len()
    }

    /// By how much all hosts together may grow.
    pub(super) fn budget(&self) -> Budget {
        self.budget
    }

    /// What holds in the host at `place` in the order of the text.
    pub(super) fn host(&self, place: usize, budget: &mut Budget, problems: &mut Problems) -> Member {
        let own = Arc::new(self.blocks.section(place));
        let mut variables = self.around.variables(budget, problems);
        let name = self.name_by(place, &mut variables);
        variables.hostname = Some(Arc::clone(&name.text));
        let parent = self.parent(&own, &mut variables);
        let mut member = self.around.member(name, &own, parent, &mut variables);
        member.whole = variables.fill_hostname(&member.whole);
        member
    }

    /// The same for a host whose faults have been told.
    pub(super) fn known_host(&self, place: usize) -> Member {
        self.host(place, &mut self.budget(), &mut Problems::new(false))
    }

    /// All hosts whose faults have been told, in the order of the text, each made when it is asked for.
    pub(super) fn known_hosts(&self) -> impl Iterator<Item = Member> {
        let (mut budget, mut unheard) = (self.budget(), Problems::new(false));
        (0..self.host_count()).map(move |place| self.host(place, &mut budget, &mut unheard))
    }

    /// The name of the host at `place`.
    pub(super) fn host_name(&self, place: usize) -> Word {
        let (mut budget, mut unheard) = (self.budget(), Problems::new(false));
        self.name_by(place, &mut self.around.variables(&mut budget, &mut unheard))
    }

    /// The names of all hosts, in the order of the text.
    pub(super) fn host_names(&self) -> impl Iterator<Item = Arc<str>> {
        (0..self.host_count()).map(|place| self.host_name(place).text)
    }

    /// The place of the whole text.
    pub(super) fn header(&self) -> Span {
        self.around.rest.header
    }

    /// All that holds in the host `name`.
    pub(super) fn find_host(&self, name: &str) -> Option<Arc<Section>> {
        let place = self.place(name)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, whole)) = &*last
            && *known == place
        {
            return Some(Arc::clone(whole));
        }
        let whole = self.known_host(place).whole;
        *last = Some((place, Arc::clone(&whole)));
        Some(whole)
    }

    /// Whether any host may have `keyword`; a host that has it is among those.
    pub(super) fn may_have(&self, keyword: &str) -> bool {
        let has = |class: &Member| {
            class
                .whole
                .entries
                .iter()
                .any(|entry| *entry.key.text == *keyword)
        };
        self.blocks.may_say(keyword) || self.superclasses.iter().any(has)
    }

    /// The place of the host `name`.
    fn place(&self, name: &str) -> Option<usize> {
        if !self.blocks.has_variable_names() {
            return self.blocks.place(name);
        }
        let places = self.places.get_or_init(|| {
            let places = 0..self.host_count();
            places.map(|place| (self.host_name(place).text, place)).collect()
        });
        places.get(name).copied()
    }

    fn name_by(&self, place: usize, variables: &mut Variables<'_>) -> Word {
        let name = self.blocks.name(place);
        if !name.text.contains('$') {
            return name.clone();
        }
        let mut words = Vec::new();
        let result = variables.words(name, &self.around.frames(), &mut words);
        match (result, <[Word; 1]>::try_from(words)) {
            (Ok(_), Ok([name])) => name,
            _ => name.clone(),
        }
    }

    /// The superclass that the host's block `own` names; `None` if it names none that can be.
    fn parent(&self, own: &Arc<Section>, variables: &mut Variables<'_>) -> Option<&Member> {
        let name = self.around.superclass(own, variables)?;
        let Some(place) = self.classes.get(&*name.text) else {
            let names = self.classes.keys().map(|known| &**known);
            report_unknown(&name, names, variables.problems);
            return None;
        };
        self.superclasses.get((*place)?)
    }
}

impl Surroundings {
    fn of(root: &Section, global: &Arc<Section>, problems: &mut Problems) -> Self {
        let mut around = Self {
            rest: Arc::new(without_known_blocks(root)),
            global: Arc::clone(global),
            project: None,
        };
        around.project = around.project_name(problems);
        around
    }

    fn project_name(&self, problems: &mut Problems) -> Option<String> {
        let entry = self.global.setting("project")?;
        let mut budget = Budget::default();
        let mut variables = Variables::new(None, &mut budget, problems);
        let mut words = Vec::new();
        for word in entry.value()? {
            variables.words(word, &self.frames(), &mut words).ok()?;
        }
        words.first().map(|word| word.text.to_string())
    }

    fn variables<'v>(&'v self, budget: &'v mut Budget, problems: &'v mut Problems) -> Variables<'v> {
        Variables::new(self.project.as_deref(), budget, problems)
    }

    fn frames(&self) -> Vec<Frame<'_>> {
        vec![Frame::new(&self.rest, None), Frame::new(&self.global, None)]
    }

    /// The name of the superclass of the block `own`; `None` if it has none, or one that cannot be read.
    pub(super) fn superclass(&self, own: &Arc<Section>, variables: &mut Variables<'_>) -> Option<Word> {
        let value = own.setting("superclass")?.value()?;
        let mut frames = Vec::new();
        if value.iter().any(|word| word.text.contains('$')) {
            frames = self.frames();
            frames.push(Frame::new(own, None));
        }
        let mut words = Vec::new();
        for word in value {
            variables.words(word, &frames, &mut words).ok()?;
        }
        words.into_iter().next()
    }

    /// The superclass or host `name`, whose block is `own` and whose superclass is `parent`.
    pub(super) fn member(
        &self,
        name: Word,
        own: &Arc<Section>,
        parent: Option<&Member>,
        variables: &mut Variables<'_>,
    ) -> Member {
        let names_parent = own.setting("superclass").is_some();
        let depth = parent.map_or(0, |parent| parent.depth + 1);
        let is_cut_off = parent.map_or(names_parent, |parent| parent.is_cut_off);
        if depth > DEPTH_MAX {
            let problem = Problem::DeepInheritance { max: DEPTH_MAX };
            variables.problems.add(problem, Some(name.span));
        }
        let inherited = parent.map(|parent| &*parent.whole);
        let own = if own.has_variables() {
            variables.resolve(own, inherited, &mut self.frames())
        } else {
            Arc::clone(own)
        };
        let whole = match inherited {
            Some(inherited) => Arc::new(variables.merge(inherited, &own)),
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
}

/// Reports that none of the superclasses `known` is called `name`.
pub(super) fn report_unknown<'n>(name: &Word, known: impl Iterator<Item = &'n str>, problems: &mut Problems) {
    let near = if problems.is_flooded() {
        None
    } else {
        nearest(&name.text, known).map(str::to_owned)
    };
    let text = name.text.to_string();
    problems.add(Problem::UnknownSuperclass { name: text, near }, Some(name.span));
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

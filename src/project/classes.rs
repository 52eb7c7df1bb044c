//! The superclasses of a project, each resolved after the one above it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::inherit::{DEPTH_MAX, Member, Surroundings, report_unknown};
use super::problem::Problem;
use super::section::Section;
use super::variable::Variables;
use crate::lang::Word;

/// The superclasses while they are being resolved.
pub(super) struct Classes<'a, 'v, 'p> {
    around: &'a Surroundings,
    variables: &'v mut Variables<'p>,
    /// The blocks by name.
    blocks: BTreeMap<&'a str, (&'a Word, &'a Arc<Section>)>,
    /// Those resolved so far.
    done: BTreeMap<&'a str, Member>,
    /// Those being resolved, the lowest first.
    open: Vec<&'a str>,
}

/// Superclasses in the order of the text, and the place among them of each name; `None` for one that cannot be resolved.
type Resolved = (Vec<Member>, BTreeMap<Arc<str>, Option<usize>>);

impl<'a, 'v, 'p> Classes<'a, 'v, 'p> {
    /// Resolves the superclasses whose blocks are those of `container`.
    pub(super) fn resolve(
        container: &'a Section,
        around: &'a Surroundings,
        variables: &'v mut Variables<'p>,
    ) -> Resolved {
        let blocks = container.sections();
        let mut classes = Self {
            around,
            variables,
            blocks: blocks.map(|(name, own)| (&*name.text, (name, own))).collect(),
            done: BTreeMap::new(),
            open: Vec::new(),
        };
        for (name, _) in container.sections() {
            classes.superclass(&name.text);
        }
        let (mut members, mut places) = (Vec::new(), BTreeMap::new());
        for (name, _) in container.sections() {
            let place = classes.done.remove(&*name.text).map(|member| {
                members.push(member);
                members.len() - 1
            });
            places.insert(Arc::clone(&name.text), place);
        }
        (members, places)
    }

    /// Resolves the superclass `name`, if that was not done before.
    fn superclass(&mut self, name: &'a str) {
        if self.done.contains_key(name) {
            return;
        }
        let Some((word, own)) = self.blocks.get(name).copied() else {
            return;
        };
        // One more than is allowed, so that a chain is refused by the same rule in whatever order it is written.
        if self.open.len() > DEPTH_MAX {
            let problem = Problem::DeepInheritance { max: DEPTH_MAX };
            return self.variables.problems.add(problem, Some(word.span));
        }
        self.open.push(name);
        let parent = self.parent(own).and_then(|parent| self.done.get(parent));
        let member = self.around.member(word.clone(), own, parent, self.variables);
        self.open.pop();
        self.done.insert(name, member);
    }

    /// The superclass that the block `own` names, resolved; `None` if it names none that can be.
    fn parent(&mut self, own: &'a Arc<Section>) -> Option<&'a str> {
        let name = self.around.superclass(own, self.variables)?;
        let Some((known, _)) = self.blocks.get_key_value(&*name.text) else {
            report_unknown(&name, self.blocks.keys().copied(), self.variables.problems);
            return None;
        };
        let known = *known;
        if let Some(start) = self.open.iter().position(|open| *open == known) {
            let chain = self.open[start..].iter().chain([&known]);
            let chain = chain.map(|name| (*name).to_owned()).collect();
            let problem = Problem::SuperclassCycle { chain };
            self.variables.problems.add(problem, Some(name.span));
            return None;
        }
        self.superclass(known);
        Some(known)
    }
}

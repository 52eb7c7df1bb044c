//! From the nodes of a text to blocks by name, whichever of the two ways they were written in.

use std::sync::Arc;

use super::host_blocks::HostBlocks;
use super::problem::Problem;
use super::schema;
use super::section::{Content, Entry, Section};
use super::wording::Problems;
use crate::diag::{SourceId, Span};
use crate::lang::{Block, Node, Word};

/// The keyword of the blocks that are hosts.
pub(super) const HOST: &str = "host";

/// A project as its text has it.
#[derive(Debug)]
pub(super) struct Root {
    /// All but the hosts.
    pub(super) section: Section,
    /// The hosts, which may be many.
    pub(super) hosts: Arc<HostBlocks>,
}

/// What blocks are put into.
trait Holder {
    /// Has `fill` add to the block `name`, which is made if it is not there yet.
    fn extend<T>(&mut self, name: &Word, header: Span, fill: impl FnOnce(&mut Section) -> T) -> T;

    /// Adds the block `name`, and says so if it replaces one.
    fn put(&mut self, name: Word, section: Section, problems: &mut Problems);
}

impl Root {
    /// Adds a node of the top level.
    pub(super) fn push(&mut self, node: Node, problems: &mut Problems) {
        match node {
            Node::Block(block) if block.header.first().is_some_and(|first| *first.text == *HOST) => {
                self.push_hosts(block, problems);
            }
            node => push(&mut self.section, node, problems),
        }
    }

    /// Adds the host of a block `host NAME { .. }`, or those of a block `host { NAME { .. } }`.
    fn push_hosts(&mut self, mut block: Block, problems: &mut Problems) {
        let hosts = Arc::make_mut(&mut self.hosts);
        let header = block.header_span();
        match (block.header.pop(), block.header.len()) {
            (Some(name), 1) => {
                let section = section_of(header, block.holds_lines, block.nodes, problems);
                hosts.put(name, section, problems);
            }
            (Some(_), 0) => {
                for node in block.nodes {
                    if let Node::Block(inner) = node {
                        push_block(hosts, inner, problems);
                    }
                }
            }
            _ => problems.add(Problem::LongHeader, Some(header)),
        }
    }

    /// Has `change` change the block at the path `blocks` from the top level, which is made where it is not there.
    pub(super) fn change<T>(
        &mut self,
        blocks: &[Word],
        header: Span,
        change: impl FnOnce(&mut Section) -> T,
    ) -> T {
        let within = |mut section: &mut Section, blocks: &[Word]| {
            for name in blocks {
                section = section.container(name, header);
            }
            change(section)
        };
        match blocks {
            [kind, name, inner @ ..] if *kind.text == *HOST => {
                Arc::make_mut(&mut self.hosts).extend(name, header, |host| within(host, inner))
            }
            blocks => within(&mut self.section, blocks),
        }
    }
}

impl Default for Root {
    fn default() -> Self {
        let nowhere = Span::new(SourceId::from_number(0), 0, 0);
        Self {
            section: Section::new(nowhere, false),
            hosts: Arc::default(),
        }
    }
}

impl Holder for Section {
    fn extend<T>(&mut self, name: &Word, header: Span, fill: impl FnOnce(&mut Self) -> T) -> T {
        fill(self.container(name, header))
    }

    fn put(&mut self, name: Word, section: Section, problems: &mut Problems) {
        let (text, span) = (name.text.to_string(), name.span);
        let replaced = self.push(Entry::new(name, Content::Section(Arc::new(section))));
        if let Some(replaced) = replaced {
            let (name, first) = (text, replaced.key.span);
            problems.add(Problem::ReplacedBlock { name, first }, Some(span));
        }
    }
}

impl Holder for HostBlocks {
    fn extend<T>(&mut self, name: &Word, header: Span, fill: impl FnOnce(&mut Section) -> T) -> T {
        self.change(name, header, fill)
    }

    fn put(&mut self, name: Word, section: Section, problems: &mut Problems) {
        let (text, span) = (name.text.to_string(), name.span);
        if let Some(first) = self.set(name, &section) {
            let name = text;
            problems.add(Problem::DuplicateHost { name, first }, Some(span));
        }
    }
}

fn section_of(header: Span, holds_lines: bool, nodes: Vec<Node>, problems: &mut Problems) -> Section {
    let mut section = Section::new(header, holds_lines);
    fill(&mut section, nodes, problems);
    section
}

fn fill(section: &mut Section, nodes: Vec<Node>, problems: &mut Problems) {
    let is_entry = |node: &&Node| !matches!(node, Node::Include(_) | Node::Comment(_) | Node::BlankLine);
    section.reserve(nodes.iter().filter(is_entry).count());
    for node in nodes {
        push(section, node, problems);
    }
}

fn push(section: &mut Section, node: Node, problems: &mut Problems) {
    match node {
        Node::Item(item) => {
            let mut words = item.words.into_iter();
            if let Some(key) = words.next() {
                let entry = Entry::new(key, Content::Value(words.collect()));
                section.push(Entry {
                    owner: Some(section.header),
                    ..entry
                });
            }
        }
        Node::Definition(definition) => {
            let value = definition.words.into();
            let entry = Entry::new(definition.name, Content::Value(value));
            section.push(Entry {
                is_definition: true,
                ..entry
            });
        }
        Node::Line(line) => {
            let (text, span) = (line.text, line.span);
            section.push(Entry::new(Word { text, span }, Content::Line));
        }
        Node::Block(block) => push_block(section, block, problems),
        // Directives were replaced before; comments mean nothing.
        Node::Include(_) | Node::Comment(_) | Node::BlankLine => {}
    }
}

fn push_block(holder: &mut impl Holder, block: Block, problems: &mut Problems) {
    let span = block.header_span();
    let mut header = block.header.into_iter();
    let (Some(first), second, None) = (header.next(), header.next(), header.next()) else {
        // A block without any name was an error of the text already.
        if span != block.open {
            problems.add(Problem::LongHeader, Some(span));
        }
        return;
    };
    // Both `host a { .. }` and `host { a { .. } }` add to what `host` holds so far.
    if let Some(name) = second {
        let named = section_of(span, block.holds_lines, block.nodes, problems);
        holder.extend(&first, span, |kind| kind.put(name, named, problems));
    } else if schema::NAMED_BLOCKS.contains(&&*first.text) {
        holder.extend(&first, span, |kind| fill(kind, block.nodes, problems));
    } else {
        let section = section_of(span, block.holds_lines, block.nodes, problems);
        holder.put(first, section, problems);
    }
}

impl Section {
    /// The sub-section `name`, made if it is not there yet.
    fn container(&mut self, name: &Word, header: Span) -> &mut Self {
        let place = self.place_of(&name.text).unwrap_or_else(|| {
            let mut section = Self::new(header, false);
            // Most hosts have one interface.
            section.reserve(1);
            self.push(Entry::new(name.clone(), Content::Section(Arc::new(section))));
            self.entries.len() - 1
        });
        match &mut self.entries[place].content {
            Content::Section(section) => Arc::make_mut(section),
            _ => unreachable!("only the places of sub-sections are noted"),
        }
    }
}

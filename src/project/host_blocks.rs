//! The blocks of all hosts as the text has them: many, and each small, so that they are held as bytes, and read where they
//! are needed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::packed;
use super::section::Section;
use crate::diag::Span;
use crate::lang::Word;

/// The blocks of all hosts, by their names as the text has them.
#[derive(Debug, Clone, Default)]
pub(super) struct HostBlocks {
    blocks: Vec<HostBlock>,
    /// The place of each name.
    places: HashMap<Arc<str>, u32>,
    /// The block that was changed last, which is likely to be changed again.
    open: Option<(usize, Section)>,
    /// Every keyword that some block has, or has had.
    keywords: BTreeSet<Arc<str>>,
    /// Whether variables stand in names, so that hosts are called otherwise in the end.
    has_variable_names: bool,
    /// Whether variables stand in place of keywords.
    has_variable_keywords: bool,
}

#[derive(Debug, Clone)]
struct HostBlock {
    name: Word,
    /// What it says; out of date while it is open.
    packed: Box<[u8]>,
}

impl HostBlocks {
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// The name of the block at `place` in the order of the text, variables and all.
    pub(super) fn name(&self, place: usize) -> &Word {
        &self.blocks[place].name
    }

    /// The names in the order of the text.
    pub(super) fn names(&self) -> impl Iterator<Item = &Word> {
        self.blocks.iter().map(|block| &block.name)
    }

    /// Whether variables stand in names.
    pub(super) fn has_variable_names(&self) -> bool {
        self.has_variable_names
    }

    /// Whether any block may say `keyword`; one that does is among those.
    pub(super) fn may_say(&self, keyword: &str) -> bool {
        let open = self.open.iter().flat_map(|(_, section)| &section.entries);
        self.has_variable_keywords
            || self.keywords.contains(keyword)
            || open.into_iter().any(|entry| *entry.key.text == *keyword)
    }

    /// What the block at `place` says.
    pub(super) fn section(&self, place: usize) -> Section {
        match &self.open {
            Some((open, section)) if *open == place => section.clone(),
            _ => packed::unpack(&self.blocks[place].packed),
        }
    }

    /// The place of the block called `name` in the text.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).map(|place| *place as usize)
    }

    /// Makes `section` the block `name`; the place of the name of the one that it replaces.
    pub(super) fn set(&mut self, name: Word, section: &Section) -> Option<Span> {
        self.close();
        let packed = self.pack(section);
        if let Some(place) = self.place(&name.text) {
            let replaced = std::mem::replace(&mut self.blocks[place], HostBlock { name, packed });
            return Some(replaced.name.span);
        }
        self.add(HostBlock { name, packed });
        None
    }

    /// Has `change` change the block `name`, which is made with `header` if it is not there.
    pub(super) fn change<T>(
        &mut self,
        name: &Word,
        header: Span,
        change: impl FnOnce(&mut Section) -> T,
    ) -> T {
        let place = self.place(&name.text).unwrap_or_else(|| {
            let (name, packed) = (name.clone(), packed::pack(&Section::new(header, false)));
            self.add(HostBlock { name, packed })
        });
        if self.open.as_ref().is_none_or(|(open, _)| *open != place) {
            self.close();
        }
        let packed = &self.blocks[place].packed;
        let (_, section) = self.open.get_or_insert_with(|| (place, packed::unpack(packed)));
        change(section)
    }

    /// Takes over what was changed.
    fn close(&mut self) {
        if let Some((place, section)) = self.open.take() {
            self.blocks[place].packed = self.pack(&section);
        }
    }

    /// Ends the writing: takes over what was changed last, and gives back the room of blocks that never came.
    pub(super) fn finish(&mut self) {
        self.close();
        self.blocks.shrink_to_fit();
        self.places.shrink_to_fit();
    }

    fn pack(&mut self, section: &Section) -> Box<[u8]> {
        for entry in section.entries.iter().filter(|entry| !entry.is_definition) {
            self.has_variable_keywords |= entry.key.text.contains('$');
            if !self.keywords.contains(&entry.key.text) {
                self.keywords.insert(Arc::clone(&entry.key.text));
            }
        }
        packed::pack(section)
    }

    fn add(&mut self, block: HostBlock) -> usize {
        let place = self.blocks.len();
        let number =
            u32::try_from(place).expect("a text has fewer blocks than bytes, which are counted in 32 bits");
        self.has_variable_names |= block.name.text.contains('$');
        self.places.insert(Arc::clone(&block.name.text), number);
        self.blocks.push(block);
        place
    }
}

//! A block as bytes: a twentieth of what it takes as a [`Section`].
//!
//! ```text
//! section = header-span holds-lines count entry*
//! entry   = kind key-word [owner-span] ( value: count word* | line: nothing | section )
//! word    = length bytes span
//! span    = distance of the start from that of the last span, length; before them a mark and a number where the text is
//!           another one
//! ```
//!
//! Numbers are in LEB128, the least significant seven bits first.

use std::sync::Arc;

use super::section::{Content, Entry, Section};
use crate::diag::{SourceId, Span};
use crate::lang::Word;

/// What a kind is made of: what the entry holds, and who says it.
const VALUE: u64 = 0;
const LINE: u64 = 1;
const SECTION: u64 = 2;
const CONTENTS: u64 = 3;
/// Whether the entry defines a variable.
const DEFINITION: u64 = 4;
/// Whether the block that says it is the one that it stands in.
const OWNED: u64 = 8;
/// Whether another block says it, whose header follows.
const FOREIGN: u64 = 16;
/// Whether it waits for the name of a host.
const PER_HOST: u64 = 32;

/// `section` as bytes.
pub(super) fn pack(section: &Section) -> Box<[u8]> {
    let mut packer = Packer {
        bytes: Vec::with_capacity(128),
        last: Span::new(SourceId::from_number(0), 0, 0),
    };
    packer.section(section);
    packer.bytes.into_boxed_slice()
}

/// The section of which `bytes` were made.
pub(super) fn unpack(bytes: &[u8]) -> Section {
    let mut unpacker = Unpacker {
        bytes,
        last: Span::new(SourceId::from_number(0), 0, 0),
    };
    unpacker.section()
}

struct Packer {
    bytes: Vec<u8>,
    last: Span,
}

impl Packer {
    fn section(&mut self, section: &Section) {
        self.span(section.header);
        self.number(section.holds_lines.into());
        self.number(wide(section.entries.len()));
        for entry in &section.entries {
            self.entry(entry, section.header);
        }
    }

    fn entry(&mut self, entry: &Entry, header: Span) {
        let mut kind = match &entry.content {
            Content::Value(_) => VALUE,
            Content::Line => LINE,
            Content::Section(_) => SECTION,
        };
        let is_owned = entry.owner == Some(header);
        let foreign = entry.owner.filter(|_| !is_owned);
        for (holds, mark) in [
            (entry.is_definition, DEFINITION),
            (is_owned, OWNED),
            (foreign.is_some(), FOREIGN),
            (entry.per_host, PER_HOST),
        ] {
            kind |= if holds { mark } else { 0 };
        }
        self.number(kind);
        self.word(&entry.key);
        if let Some(owner) = foreign {
            self.span(owner);
        }
        match &entry.content {
            Content::Value(words) => {
                self.number(wide(words.len()));
                words.iter().for_each(|word| self.word(word));
            }
            Content::Line => {}
            Content::Section(section) => self.section(section),
        }
    }

    fn word(&mut self, word: &Word) {
        self.number(wide(word.text.len()));
        self.bytes.extend_from_slice(word.text.as_bytes());
        self.span(word.span);
    }

    /// Twice the distance, one more where it goes back, and that again twice, with one more where the text changes.
    fn span(&mut self, span: Span) {
        let distance = span.start.abs_diff(self.last.start);
        let goes_back = span.start < self.last.start;
        let changes = span.source != self.last.source;
        self.number(u64::from(distance) << 2 | u64::from(goes_back) << 1 | u64::from(changes));
        if changes {
            self.number(span.source.number().into());
        }
        self.number(span.end.saturating_sub(span.start).into());
        self.last = span;
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.bytes.push(number.to_le_bytes()[0]);
    }
}

struct Unpacker<'b> {
    bytes: &'b [u8],
    last: Span,
}

impl Unpacker<'_> {
    fn section(&mut self) -> Section {
        let mut section = Section::new(self.span(), self.number() != 0);
        let count = self.count();
        section.reserve(count);
        for _ in 0..count {
            let entry = self.entry(section.header);
            section.push(entry);
        }
        section
    }

    fn entry(&mut self, header: Span) -> Entry {
        let kind = self.number();
        let key = self.word();
        let owner = match kind & (OWNED | FOREIGN) {
            OWNED => Some(header),
            FOREIGN => Some(self.span()),
            _ => None,
        };
        let content = match kind & CONTENTS {
            VALUE => Content::Value((0..self.count()).map(|_| self.word()).collect()),
            LINE => Content::Line,
            _ => Content::Section(Arc::new(self.section())),
        };
        Entry {
            is_definition: kind & DEFINITION != 0,
            per_host: kind & PER_HOST != 0,
            owner,
            ..Entry::new(key, content)
        }
    }

    fn word(&mut self) -> Word {
        let len = self.count();
        let (text, rest) = self.bytes.split_at(len);
        self.bytes = rest;
        let text = str::from_utf8(text).expect("a text was packed");
        Word {
            text: Arc::from(text),
            span: self.span(),
        }
    }

    fn span(&mut self) -> Span {
        let start = self.number();
        let source = if start & 1 == 0 {
            self.last.source
        } else {
            SourceId::from_number(narrow(self.number()))
        };
        let distance = narrow(start >> 2);
        let start = if start & 2 == 0 {
            self.last.start + distance
        } else {
            self.last.start - distance
        };
        let end = start + narrow(self.number());
        self.last = Span { source, start, end };
        self.last
    }

    fn count(&mut self) -> usize {
        usize::try_from(self.number()).expect("what was packed fits into memory")
    }

    fn number(&mut self) -> u64 {
        let mut number = 0;
        let mut shift = 0;
        loop {
            let (byte, rest) = self.bytes.split_first().expect("all that was packed is there");
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return number;
            }
        }
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).expect("a count fits into 64 bits")
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).expect("a place in a text was packed")
}

#[cfg(test)]
mod tests {
    use super::super::blocks::Root;
    use super::super::wording::Problems;
    use super::*;
    use crate::diag::SourceMap;
    use crate::lang::parse;

    #[test]
    fn a_block_comes_back_as_it_was() {
        let text = "superclass a {\n superclass b\n $x = \"\"\"ø 1\"\"\" 2\n xen\n !remove memory\n network { eth0 { address \
                    10.0.0.1 } }\n startup {\n  echo $x\n }\n users { ann { password x; groups a b } }\n empty { }\n}\n";
        let mut sources = SourceMap::new();
        let id = sources.add("p.mln", text, None);
        let (tree, errors) = parse(&sources, id, |path| path.last() == Some(&"startup"));
        assert_eq!(errors, []);
        let (mut root, mut problems) = (Root::default(), Problems::new(false));
        tree.nodes
            .into_iter()
            .for_each(|node| root.push(node, &mut problems));
        let classes = root.section.section("superclass").unwrap();
        let mut block = Section::clone(classes.section("a").unwrap());
        let span = |number, start, end| Span::new(SourceId::from_number(number), start, end);
        // What plugins write, and what was put in place of a variable, comes from elsewhere.
        for (place, owner) in [(300, Some(span(2, 5, 9))), (7, None)] {
            let key = Word {
                text: "kernel".into(),
                span: span(1, place, place + 4),
            };
            block.push(Entry {
                owner,
                per_host: true,
                ..Entry::new(key, Content::Value([].into()))
            });
        }
        let packed = pack(&block);
        assert_eq!(format!("{:?}", unpack(&packed)), format!("{block:?}"));
        assert!(packed.len() < 2 * text.len(), "{} bytes", packed.len());
    }
}

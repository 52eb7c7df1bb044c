//! The texts that a run has read, and places in them.

use std::borrow::Cow;
use std::sync::Arc;

use crate::base::Origin;

/// One text of a [`SourceMap`]; the number is its place in reading order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// A range of bytes in one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// The first byte, from 0.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A line and a column, both from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineColumn {
    /// The line, from 1.
    pub line: u32,
    /// The character in the line, from 1.
    pub column: u32,
}

/// One text with its name.
#[derive(Debug)]
pub struct Source {
    name: Arc<str>,
    text: Arc<str>,
    line_starts: Vec<u32>,
    included_at: Option<Span>,
}

/// Every text read in a run, in reading order.
#[derive(Debug, Default)]
pub struct SourceMap {
    sources: Vec<Arc<Source>>,
    /// What a secret begins with.
    secret_mark: Option<&'static str>,
}

impl SourceMap {
    /// The longest text that is taken, in bytes; spans count in 32 bits.
    pub const TEXT_MAX: usize = 16 << 20;

    /// Makes a map without texts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text called `name`; `included_at` is the directive that asked for it.
    ///
    /// # Panics
    /// If the text is longer than [`Self::TEXT_MAX`]; loaders refuse such files.
    pub fn add(
        &mut self,
        name: impl Into<Arc<str>>,
        text: impl Into<Arc<str>>,
        included_at: Option<Span>,
    ) -> SourceId {
        let text = text.into();
        assert!(text.len() <= Self::TEXT_MAX, "the loader limits a text's length");
        let mut line_starts: Vec<u32> = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(place, _)| position(place + 1)))
            .collect();
        line_starts.shrink_to_fit();
        self.sources.push(Arc::new(Source {
            name: name.into(),
            text,
            line_starts,
            included_at,
        }));
        SourceId(position(self.sources.len() - 1))
    }

    /// The text `id`.
    pub fn get(&self, id: SourceId) -> &Arc<Source> {
        &self.sources[id.0 as usize]
    }

    /// The texts that directives asked for, each with its directive.
    pub(crate) fn included(&self) -> impl Iterator<Item = (Span, SourceId)> {
        let numbered = (0..).map(SourceId).zip(&self.sources);
        numbered.filter_map(|(id, source)| Some((source.included_at?, id)))
    }

    /// The whole of the first text; `None` if none was read.
    pub fn whole(&self) -> Option<Span> {
        let first = self.sources.first()?;
        Some(Span::new(SourceId(0), 0, first.text.len()))
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether no text was read.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// From now on nothing is shown of a line from where a word begins with `mark`.
    pub fn hide_after(&mut self, mark: &'static str) {
        self.secret_mark = Some(mark);
    }

    /// The text of `line`, from 1, of `source`, as it may be shown.
    pub fn shown_line(&self, source: SourceId, line: u32) -> Cow<'_, str> {
        let text = self.get(source).line_text(line);
        match self.secret_mark.and_then(|mark| without_secret(text, mark)) {
            Some(shown) => Cow::Owned(shown),
            None => Cow::Borrowed(text),
        }
    }

    /// The characters of `span`.
    pub fn text(&self, span: Span) -> &str {
        self.get(span.source).slice(span)
    }

    /// The line and column where `span` begins.
    pub fn line_column(&self, span: Span) -> LineColumn {
        self.get(span.source).line_column(span.start)
    }

    /// The place of `span` as file, line and the line's text.
    pub fn origin(&self, span: Span) -> Origin {
        let source = self.get(span.source);
        let line = source.line_of(span.start);
        Origin::new(
            Arc::clone(&source.name),
            line,
            self.shown_line(span.source, line).trim(),
        )
    }

    /// Where the text of `span` was included, outermost last.
    pub fn include_chain(&self, span: Span) -> impl Iterator<Item = Span> + '_ {
        std::iter::successors(self.get(span.source).included_at, |place| {
            self.get(place.source).included_at
        })
    }
}

impl SourceId {
    /// The text that was read as number `number`, from 0.
    pub(crate) fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// Its place in reading order, from 0.
    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

impl Source {
    /// The file as the user named it.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The characters of `span`, which is one of this text.
    pub fn slice(&self, span: Span) -> &str {
        let range = span.start as usize..span.end as usize;
        self.text.get(range).unwrap_or_default()
    }

    /// The line, from 1, that holds byte `offset`.
    pub fn line_of(&self, offset: u32) -> u32 {
        position(self.line_starts.partition_point(|start| *start <= offset))
    }

    /// The text of `line`, from 1, without its end.
    pub fn line_text(&self, line: u32) -> &str {
        let start = self.line_start(line) as usize;
        let rest = self.text.get(start..).unwrap_or_default();
        rest.split('\n').next().unwrap_or_default().trim_end_matches('\r')
    }

    /// The first byte of the line that holds byte `offset`.
    pub fn line_start_of(&self, offset: u32) -> u32 {
        self.line_start(self.line_of(offset))
    }

    /// The first byte of `line`, from 1.
    pub(super) fn line_start(&self, line: u32) -> u32 {
        let index = line.saturating_sub(1) as usize;
        self.line_starts
            .get(index)
            .copied()
            .unwrap_or(position(self.text.len()))
    }

    /// The line and column of byte `offset`.
    pub fn line_column(&self, offset: u32) -> LineColumn {
        let line = self.line_of(offset);
        let before = self.text.get(self.line_start(line) as usize..offset as usize);
        LineColumn {
            line,
            column: position(before.unwrap_or_default().chars().count() + 1),
        }
    }
}

impl Span {
    /// Makes the span of bytes `start` to `end` of `source`.
    ///
    /// # Panics
    /// If an offset is beyond any text that a [`SourceMap`] takes.
    pub fn new(source: SourceId, start: usize, end: usize) -> Self {
        Self {
            source,
            start: position(start),
            end: position(end),
        }
    }

    /// The span from the start of this one to the end of `other`, which lies in the same text.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self {
            end: self.end.max(other.end),
            ..self
        }
    }
}

/// `text` without what follows `mark` at the beginning of a word; `None` where nothing does.
pub fn without_secret(text: &str, mark: &str) -> Option<String> {
    let begins_word = |place: &usize| {
        let before = text.get(..*place).and_then(|before| before.chars().next_back());
        before.is_none_or(|character| !character.is_alphanumeric())
    };
    let mut places = text.match_indices(mark).map(|(place, _)| place);
    let place = places.find(begins_word)?;
    Some(format!("{}{mark}<password>", text.get(..place)?))
}

/// An offset in a text, or a count of texts or lines, which `TEXT_MAX` keeps far below 2^32.
fn position(place: usize) -> u32 {
    u32::try_from(place).expect("a text is at most 16 MiB long")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let mut map = SourceMap::new();
        let id = map.add("a.mln", "ab\nø x\r\n", None);
        let place = |offset| map.line_column(Span::new(id, offset, offset));
        assert_eq!(place(0), LineColumn { line: 1, column: 1 });
        assert_eq!(place(2), LineColumn { line: 1, column: 3 });
        assert_eq!(place(6), LineColumn { line: 2, column: 3 });
        assert_eq!(place(9), LineColumn { line: 3, column: 1 });
        assert_eq!(map.get(id).line_text(2), "ø x");
        assert_eq!(map.origin(Span::new(id, 6, 7)).to_string(), "a.mln:2: ø x");
    }

    #[test]
    fn nothing_is_shown_after_the_mark_of_a_secret() {
        let mut map = SourceMap::new();
        let id = map.add(
            "a.mln",
            "root_password plain:a b # c\nexplain:x\nada \"plain:ø\"",
            None,
        );
        map.hide_after("plain:");
        let shown: Vec<_> = (1..=3).map(|line| map.shown_line(id, line)).collect();
        assert_eq!(
            shown,
            [
                "root_password plain:<password>",
                "explain:x",
                "ada \"plain:<password>"
            ]
        );
        assert_eq!(
            &*map.origin(Span::new(id, 20, 21)).text,
            "root_password plain:<password>"
        );
    }

    #[test]
    fn include_chain_leads_to_the_outermost_file() {
        let mut map = SourceMap::new();
        let outer = map.add("outer", "#include a", None);
        let middle = map.add("middle", "#include b", Some(Span::new(outer, 0, 10)));
        let inner = map.add("inner", "x", Some(Span::new(middle, 0, 10)));
        let chain: Vec<SourceId> = map
            .include_chain(Span::new(inner, 0, 1))
            .map(|span| span.source)
            .collect();
        assert_eq!(chain, [middle, outer]);
    }
}

//! Tokens to tree, with recovery: a fault is noted and the rest of the text is read all the same.

use std::sync::Arc;

use super::error::{ErrorList, Suspect, SyntaxError, SyntaxErrorKind};
use super::frame::{Frame, shown, without_indentation};
use super::lexer::Lexer;
use super::token::{Token, TokenKind};
use super::tree::{Block, Comment, Definition, Include, Item, Node, ShellLine, Tree, Word};
use crate::diag::{Source, SourceId, SourceMap, Span};

/// How deep blocks may lie in blocks.
pub const NESTING_MAX: usize = 32;

/// Says whether the block at a path of headers, outermost first, holds lines.
pub type LineBlocks = fn(path: &[&str]) -> bool;

/// Reads the text `source` as a file of its own.
pub fn parse(sources: &SourceMap, source: SourceId, line_blocks: LineBlocks) -> (Tree, Vec<SyntaxError>) {
    let mut nodes = Vec::new();
    let errors = parse_each(sources.get(source), source, line_blocks, &[], &mut |node| {
        nodes.push(node);
    });
    (Tree { nodes }, errors)
}

/// Reads `source`, the text `id`, as if it stood inside the blocks with the headers `path`, and hands each of its nodes
/// to `sink` as soon as nothing behind it can change it, so that the whole tree need never be held.
pub fn parse_each(
    source: &Source,
    id: SourceId,
    line_blocks: LineBlocks,
    path: &[String],
    sink: &mut dyn FnMut(Node),
) -> Vec<SyntaxError> {
    let mut parser = Parser {
        source,
        sink,
        lexer: Lexer::new(id, source.text()),
        line_blocks,
        path: path.to_vec(),
        frames: Vec::new(),
        words: Vec::new(),
        line_is_empty: false,
        suspect: None,
        errors: ErrorList::default(),
    };
    let root_holds_lines = !path.is_empty() && parser.holds_lines();
    parser
        .frames
        .push(Frame::new(Vec::new(), Span::new(id, 0, 0), root_holds_lines));
    parser.run();
    parser.finish()
}

struct Parser<'a> {
    source: &'a Source,
    sink: &'a mut dyn FnMut(Node),
    lexer: Lexer<'a>,
    line_blocks: LineBlocks,
    /// The headers of the open blocks.
    path: Vec<String>,
    frames: Vec<Frame>,
    /// The words of the statement at hand.
    words: Vec<Word>,
    /// Whether nothing was read since the last newline.
    line_is_empty: bool,
    suspect: Option<Suspect>,
    errors: ErrorList,
}

impl Parser<'_> {
    fn run(&mut self) {
        loop {
            let token = if self.top().holds_lines {
                self.lexer.next_line()
            } else {
                self.lexer.next_token()
            };
            let was_empty = std::mem::replace(&mut self.line_is_empty, token.kind == TokenKind::Newline);
            match token.kind {
                TokenKind::End => return,
                TokenKind::Word(text) | TokenKind::Quoted(text) => self.word(text, token.span),
                TokenKind::Verbatim(lines) => self.verbatim(&lines, token.span),
                TokenKind::Semicolon => self.end_statement(),
                TokenKind::Newline => {
                    self.end_statement();
                    if was_empty && !matches!(self.top().nodes.last(), None | Some(Node::BlankLine)) {
                        self.push(Node::BlankLine);
                    }
                }
                TokenKind::Comment => self.comment(token.span),
                TokenKind::Include(path) => self.include(path),
                TokenKind::Line { indentation } => self.line(token.span, indentation),
                TokenKind::Open => {
                    if !self.open(&token) {
                        return;
                    }
                }
                TokenKind::Close => self.close(&token),
            }
        }
    }

    fn word(&mut self, text: Arc<str>, span: Span) {
        self.words.push(Word { text, span });
    }

    /// Takes the lines between quotes: as a block where the words before them name one that holds lines, else as one
    /// more word.
    fn verbatim(&mut self, lines: &[Span], span: Span) {
        let texts = without_indentation(self.source, lines);
        self.path.push(shown(&self.words));
        let is_block = !self.words.is_empty() && self.holds_lines();
        self.path.pop();
        if !is_block {
            let text: String = texts.iter().flat_map(|line| [line, "\n"]).collect();
            return self.word(Arc::from(text), span);
        }
        let line = |(text, span): (&&str, &Span)| {
            let (text, span) = (Arc::from(*text), *span);
            Node::Line(ShellLine { text, span })
        };
        let nodes = texts.iter().zip(lines).map(line).collect();
        let header = std::mem::take(&mut self.words);
        let open = Span {
            end: span.start + 3,
            ..span
        };
        self.push(Node::Block(Block {
            header,
            open,
            holds_lines: true,
            is_verbatim: true,
            nodes,
        }));
    }

    /// Ends the text: what is still open was never closed.
    fn finish(mut self) -> Vec<SyntaxError> {
        self.end_statement();
        while self.frames.len() > 1 {
            let frame = self.frames.pop().expect("the loop's condition");
            let (span, header) = (frame.header_span(), frame.shown_header());
            let suspect = self.suspect.take();
            self.error(SyntaxErrorKind::UnclosedBlock { header, suspect }, span);
            self.push(Node::Block(frame.into_block(self.source)));
        }
        let root = self.frames.pop().expect("it is popped here only");
        root.into_block(self.source).nodes.into_iter().for_each(self.sink);
        let mut errors = self.lexer.errors.into_vec();
        errors.extend(self.errors.into_vec());
        errors
    }

    fn end_statement(&mut self) {
        let words = std::mem::take(&mut self.words);
        let Some(first) = words.first() else { return };
        let Some(name) = first.text.strip_prefix('$') else {
            return self.push(Node::Item(Item { words }));
        };
        if words.get(1).is_none_or(|second| &*second.text != "=") {
            if let Some((name, value)) = name.split_once('=') {
                let value = std::iter::once(value).chain(words[1..].iter().map(|word| &*word.text));
                let meant = format!("${name} = {}", value.collect::<Vec<_>>().join(" "));
                let word = first.text.to_string();
                self.error(SyntaxErrorKind::GluedDefinition { word, meant }, first.span);
            }
            return self.push(Node::Item(Item { words }));
        }
        let (name, span) = (first.text.to_string(), first.span);
        if !is_variable_name(&name[1..]) {
            self.error(SyntaxErrorKind::VariableName { name }, span);
        } else if words.len() == 2 {
            self.error(SyntaxErrorKind::EmptyDefinition { name }, span);
        }
        let mut words = words.into_iter();
        let name = words.next().expect("the first word was looked at");
        let words = words.skip(1).collect();
        self.push(Node::Definition(Definition { name, words }));
    }

    fn comment(&mut self, span: Span) {
        self.end_statement();
        let trailing = !self.is_first_on_line(span);
        let text = Arc::from(self.source.slice(span));
        self.push(Node::Comment(Comment { text, trailing }));
    }

    fn include(&mut self, span: Span) {
        let text = Arc::from(self.source.slice(span));
        self.push(Node::Include(Include {
            path: Word { text, span },
        }));
    }

    fn line(&mut self, span: Span, indentation: Option<Span>) {
        self.push(Node::Line(ShellLine {
            text: Arc::from(self.source.slice(span)),
            span,
        }));
        self.top_mut().indentations.push(indentation);
    }

    /// Begins a block; `false` if blocks are nested too deep to go on.
    fn open(&mut self, token: &Token) -> bool {
        let mut comments = Vec::new();
        let mut header = std::mem::take(&mut self.words);
        if header.is_empty() {
            (header, comments) = self.adopt_statement();
        }
        if header.is_empty() {
            self.error(SyntaxErrorKind::UnnamedBlock, token.span);
        }
        if self.path.len() == NESTING_MAX {
            self.error(SyntaxErrorKind::TooDeep { max: NESTING_MAX }, token.span);
            self.suspect = None;
            self.frames.truncate(1);
            return false;
        }
        self.path.push(shown(&header));
        let holds_lines = self.holds_lines();
        if holds_lines {
            self.lexer.begin_lines();
        }
        let mut frame = Frame::new(header, token.span, holds_lines);
        frame.nodes = comments;
        self.frames.push(frame);
        true
    }

    /// For a brace without words before it: the statement on the line before, and comments between.
    fn adopt_statement(&mut self) -> (Vec<Word>, Vec<Node>) {
        let nodes = &mut self.top_mut().nodes;
        let comments = nodes
            .iter()
            .rev()
            .take_while(|node| matches!(node, Node::Comment(_)))
            .count();
        let place = nodes.len() - comments;
        if !matches!(nodes[..place].last(), Some(Node::Item(_))) {
            return (Vec::new(), Vec::new());
        }
        let comments = nodes.split_off(place);
        match nodes.pop() {
            Some(Node::Item(item)) => (item.words, comments),
            _ => (Vec::new(), comments),
        }
    }

    fn close(&mut self, token: &Token) {
        self.end_statement();
        if self.frames.len() == 1 {
            let suspect = self.suspect.take();
            return self.error(SyntaxErrorKind::SurplusBrace { suspect }, token.span);
        }
        let frame = self.frames.pop().expect("more than one frame");
        self.path.pop();
        if self.suspect.is_none()
            && self.is_first_on_line(token.span)
            && self.column(token.span) < self.indentation_of_line(frame.open)
        {
            self.suspect = Some(Suspect {
                header: frame.shown_header(),
                brace: token.span,
            });
        }
        self.push(Node::Block(frame.into_block(self.source)));
    }

    fn holds_lines(&self) -> bool {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        (self.line_blocks)(&path)
    }

    fn is_first_on_line(&self, span: Span) -> bool {
        let start = self.source.line_start_of(span.start);
        let before = &self.source.text()[start as usize..span.start as usize];
        before
            .chars()
            .all(|letter| letter.is_whitespace() || letter == '\u{feff}')
    }

    fn column(&self, span: Span) -> usize {
        self.source.line_column(span.start).column as usize - 1
    }

    fn indentation_of_line(&self, span: Span) -> usize {
        let text = self.source.line_text(self.source.line_of(span.start));
        text.chars().take_while(|letter| letter.is_whitespace()).count()
    }

    fn top(&self) -> &Frame {
        self.frames.last().expect("the text's own frame is always there")
    }

    fn top_mut(&mut self) -> &mut Frame {
        self.frames
            .last_mut()
            .expect("the text's own frame is always there")
    }

    fn push(&mut self, node: Node) {
        if let ([root], Node::Block(_)) = (&mut self.frames[..], &node)
            && !root.holds_lines
        {
            // A brace that follows looks for its words behind the last block at the furthest.
            root.nodes.drain(..).for_each(&mut *self.sink);
        }
        self.top_mut().nodes.push(node);
    }

    fn error(&mut self, kind: SyntaxErrorKind, span: Span) {
        self.errors.push(SyntaxError { kind, span });
    }
}

/// Whether `name`, without its dollar sign, may name a variable.
pub(crate) fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests;

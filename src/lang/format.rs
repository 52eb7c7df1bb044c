//! A tree as canonical text: one statement a line, four blanks a level, comments kept.

use super::lexer::{QUOTES, SPECIAL};
use super::tree::{Block, Comment, Node, Tree, Word};

/// Writes `tree` as canonical text, which reads as the same tree and formats to itself.
pub fn format(tree: &Tree) -> String {
    let mut formatter = Formatter::default();
    tree.nodes.iter().for_each(|node| formatter.push(node));
    formatter.finish()
}

/// Writes the nodes of a tree one after the other, as [`format()`] does those of a whole one.
#[derive(Debug, Default)]
pub struct Formatter {
    text: String,
    depth: usize,
}

impl Formatter {
    /// Writes the next node of the tree.
    pub fn push(&mut self, node: &Node) {
        match node {
            Node::Item(item) => self.line(&joined(&item.words)),
            Node::Definition(definition) => {
                let value = joined(&definition.words);
                self.line(format!("{} = {value}", definition.name.text).trim_end());
            }
            Node::Line(line) => self.line(&line.text),
            Node::Block(block) => self.block(block),
            Node::Include(include) => self.line(&format!("#include {}", include.path.text)),
            Node::Comment(comment) => self.comment(comment),
            Node::BlankLine => self.text.push('\n'),
        }
    }

    /// The canonical text.
    pub fn finish(mut self) -> String {
        self.text.shrink_to_fit();
        self.text
    }

    fn block(&mut self, block: &Block) {
        let header = joined(&block.header);
        if block.is_verbatim {
            return self.verbatim(&header, &block.nodes);
        }
        if block.nodes.is_empty() {
            return self.line(&format!("{header} {{ }}"));
        }
        self.line(&format!("{header} {{"));
        self.depth += 1;
        block.nodes.iter().for_each(|node| self.push(node));
        self.depth -= 1;
        self.line("}");
    }

    /// Writes the lines of a verbatim block between quotes.
    fn verbatim(&mut self, header: &str, nodes: &[Node]) {
        self.line(&format!("{header} {QUOTES}"));
        self.depth += 1;
        for node in nodes {
            match node {
                Node::Line(line) if line.text.is_empty() => self.text.push('\n'),
                Node::Line(line) => self.line(&line.text),
                _ => {}
            }
        }
        self.depth -= 1;
        self.line(QUOTES);
    }

    fn comment(&mut self, comment: &Comment) {
        if comment.trailing && !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.pop();
            if self.text.ends_with('\\') {
                // In shell text a backslash would protect the blank, and `#` would begin no comment.
                self.text.push(' ');
            }
            self.text.push(' ');
            self.text.push_str(&comment.text);
            self.text.push('\n');
            return;
        }
        // A comment that stood behind something since dropped must not become a directive.
        match comment.text.strip_prefix("#include") {
            Some(rest) if rest.starts_with(char::is_whitespace) => self.line(&format!("# include{rest}")),
            _ => self.line(&comment.text),
        }
    }

    fn line(&mut self, text: &str) {
        for _ in 0..self.depth {
            self.text.push_str("    ");
        }
        self.text.push_str(text);
        self.text.push('\n');
    }
}

/// The words with one blank between, special characters protected.
fn joined(words: &[Word]) -> String {
    let mut text = String::new();
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            text.push(' ');
        }
        if word.text.contains('\n') {
            // The lines need no indentation, which would only be taken away again.
            text.extend([QUOTES, "\n", &word.text, QUOTES]);
            continue;
        }
        if word.text.is_empty() || word.text.starts_with(QUOTES) || word.text.contains(char::is_whitespace) {
            text.extend([QUOTES, &word.text, QUOTES]);
            continue;
        }
        let mut letters = word.text.chars().peekable();
        while let Some(letter) = letters.next() {
            let next_is_protected = letters
                .peek()
                .is_some_and(|next| *next == '\\' || SPECIAL.contains(next));
            if SPECIAL.contains(&letter) || (letter == '\\' && next_is_protected) {
                text.push('\\');
            }
            text.push(letter);
        }
    }
    text
}

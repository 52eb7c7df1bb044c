//! A tree as stable text without places: what a text means, for comparing.

use std::fmt::Write as _;

use super::tree::{Node, Tree, Word};

/// Writes the meaning of `tree`, one node a line; comments and empty lines have none.
pub fn outline(tree: &Tree) -> String {
    let mut text = String::new();
    write_nodes(&mut text, &tree.nodes, 0);
    text
}

fn write_nodes(text: &mut String, nodes: &[Node], depth: usize) {
    for node in nodes {
        let (kind, content) = match node {
            Node::Item(item) => ("item", quoted(&item.words)),
            Node::Definition(definition) => (
                "define",
                format!("{:?} {}", definition.name.text, quoted(&definition.words)),
            ),
            Node::Line(line) => ("line", format!("{:?}", line.text)),
            Node::Block(block) if block.holds_lines => ("lines", quoted(&block.header)),
            Node::Block(block) => ("block", quoted(&block.header)),
            Node::Include(include) => ("include", format!("{:?}", include.path.text)),
            Node::Comment(_) | Node::BlankLine => continue,
        };
        let _infallible = writeln!(text, "{:1$}{kind} {content}", "", depth * 2);
        if let Node::Block(block) = node {
            write_nodes(text, &block.nodes, depth + 1);
        }
    }
}

fn quoted(words: &[Word]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("{:?}", word.text)).collect();
    words.join(" ")
}

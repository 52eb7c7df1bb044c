//! Reads the project file and every file that it includes, and puts their nodes where the directives stood.

use std::path::PathBuf;

use super::loader::Loader;
use super::problem::Problem;
use super::schema;
use super::wording::Problems;
use crate::diag::{SourceId, SourceMap, Span};
use crate::lang::{self, Include, Node, Tree};

/// How deep files may include files.
const DEPTH_MAX: usize = 32;
/// How many files a project may have.
const FILES_MAX: usize = 10_000;
/// How many bytes all files of a project may have.
const TOTAL_MAX: usize = 64 << 20;

/// Reads `path` with all that it includes; the tree has no [`Node::Include`] left.
pub(super) fn read_tree(
    loader: &dyn Loader,
    path: &str,
    sources: &mut SourceMap,
    problems: &mut Problems,
) -> Tree {
    let mut reader = Reader {
        loader,
        sources,
        problems,
        open: Vec::new(),
        total: 0,
    };
    reader.read(path, None, &[]).unwrap_or_default()
}

struct Reader<'a> {
    loader: &'a dyn Loader,
    sources: &'a mut SourceMap,
    problems: &'a mut Problems,
    /// The files being read, outermost first.
    open: Vec<(PathBuf, SourceId)>,
    total: usize,
}

impl Reader<'_> {
    fn read(&mut self, path: &str, directive: Option<Span>, context: &[String]) -> Option<Tree> {
        let from = directive.map(|span| self.sources.get(span.source).name().to_string());
        let file = match self.loader.load(path, from.as_deref()) {
            Ok(file) => file,
            Err(error) => {
                let (path, reason) = (path.to_owned(), error.to_string());
                return self.refuse(Problem::UnreadableFile { path, reason }, directive);
            }
        };
        if let Some(place) = self
            .open
            .iter()
            .position(|(identity, _)| *identity == file.identity)
        {
            let names = self.open[place..]
                .iter()
                .map(|(_, source)| self.sources.get(*source).name().to_string());
            let chain = names.chain([file.name]).collect();
            return self.refuse(Problem::IncludeCycle { chain }, directive);
        }
        self.total += file.bytes.len();
        let too_much =
            self.open.len() >= DEPTH_MAX || self.sources.len() >= FILES_MAX || self.total > TOTAL_MAX;
        if too_much {
            let (depth, files, bytes) = (DEPTH_MAX, FILES_MAX, TOTAL_MAX);
            return self.refuse(Problem::TooMuchIncluded { depth, files, bytes }, directive);
        }
        let (text, is_utf8) = match String::from_utf8(file.bytes) {
            Ok(text) => (text, true),
            Err(error) => (latin1(error.as_bytes()), false),
        };
        if text.len() > SourceMap::TEXT_MAX {
            let (path, reason) = (
                path.to_owned(),
                "it is too long once converted to UTF-8".to_owned(),
            );
            return self.refuse(Problem::UnreadableFile { path, reason }, directive);
        }
        let source = self.sources.add(file.name, text, directive);
        if !is_utf8 {
            self.problems.add(Problem::NotUtf8, Some(Span::new(source, 0, 0)));
        }
        let (tree, errors) = lang::parse_within(self.sources, source, schema::holds_lines, context);
        for error in errors {
            self.problems.push(error.into());
        }
        self.open.push((file.identity, source));
        let tree = Tree {
            nodes: self.splice(tree.nodes, &mut context.to_vec()),
        };
        self.open.pop();
        Some(tree)
    }

    /// Replaces every directive among `nodes`, which stand inside the blocks `context`, by what it names.
    fn splice(&mut self, nodes: Vec<Node>, context: &mut Vec<String>) -> Vec<Node> {
        let mut spliced = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node {
                Node::Include(Include { path }) => {
                    let tree = self.read(&path.text, Some(path.span), context);
                    spliced.extend(tree.unwrap_or_default().nodes);
                }
                Node::Block(mut block) => {
                    let header: Vec<&str> = block.header.iter().map(|word| &*word.text).collect();
                    context.push(header.join(" "));
                    block.nodes = self.splice(block.nodes, context);
                    context.pop();
                    spliced.push(Node::Block(block));
                }
                other => spliced.push(other),
            }
        }
        spliced
    }

    fn refuse(&mut self, problem: Problem, directive: Option<Span>) -> Option<Tree> {
        self.problems.add(problem, directive);
        None
    }
}

/// The text of `bytes` in ISO 8859-1, which the projects of 2007 are written in where not in ASCII.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

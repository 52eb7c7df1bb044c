//! Reads the project file and every file that it includes, and puts their nodes where the directives stood.

use std::path::PathBuf;
use std::sync::Arc;

use super::loader::{LoadedFile, Loader};
use super::problem::Problem;
use super::schema;
use super::wording::{Problems, Stage};
use crate::diag::{SourceId, SourceMap, Span};
use crate::lang::{self, Include, Node, SyntaxError};

/// How deep files may include files.
const DEPTH_MAX: usize = 32;
/// How many files a project may have.
const FILES_MAX: usize = 10_000;
/// How many bytes all files of a project may have.
const TOTAL_MAX: usize = 64 << 20;

/// Takes the nodes of a text one after the other.
pub(super) type Sink<'s> = &'s mut dyn FnMut(Node, &mut Problems);

/// Puts the nodes of a text where the directive stood that asked for it.
pub(super) trait Includer {
    /// Hands the nodes of the text `path`, which `directive` asks for inside the blocks `context`, to `sink`.
    fn include(&mut self, path: &str, directive: Span, context: &mut Vec<String>, sink: Sink<'_>);

    /// The texts that were read.
    fn sources(&self) -> &SourceMap;

    /// What is wrong so far.
    fn problems(&mut self) -> &mut Problems;

    /// Hands the nodes of the text `id`, which stands inside the blocks `context`, to `sink`; answers what is wrong with its
    /// syntax.
    fn parse(&mut self, id: SourceId, context: &mut Vec<String>, sink: Sink<'_>) -> Vec<SyntaxError> {
        let source = Arc::clone(self.sources().get(id));
        let around = context.clone();
        lang::parse_each(&source, id, schema::holds_lines, &around, &mut |node| {
            self.splice(node, context, sink);
        })
    }

    /// Hands `node`, which stands inside the blocks `context`, to `sink`, every directive in it replaced by what it names.
    fn splice(&mut self, node: Node, context: &mut Vec<String>, sink: Sink<'_>) {
        match node {
            Node::Include(Include { path }) => self.include(&path.text, path.span, context, sink),
            Node::Block(mut block) => {
                let header: Vec<&str> = block.header.iter().map(|word| &*word.text).collect();
                context.push(header.join(" "));
                let mut spliced = Vec::with_capacity(block.nodes.len());
                for inner in block.nodes {
                    self.splice(inner, context, &mut |node, _| spliced.push(node));
                }
                block.nodes = spliced;
                context.pop();
                sink(Node::Block(block), self.problems());
            }
            other => sink(other, self.problems()),
        }
    }
}

/// Reads `path` with all that it includes, and hands every node of the top level to `sink`; no [`Node::Include`] is
/// left.
pub(super) fn read_each(
    loader: &dyn Loader,
    path: &str,
    sources: &mut SourceMap,
    problems: &mut Problems,
    sink: Sink<'_>,
) {
    let mut reader = Reader {
        loader,
        sources,
        problems,
        open: Vec::new(),
        total: 0,
    };
    reader.read(path, None, &mut Vec::new(), sink);
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
    /// Reads the file `path`, which `directive` asks for inside the blocks `context`.
    fn read(&mut self, path: &str, directive: Option<Span>, context: &mut Vec<String>, sink: Sink<'_>) {
        let from = directive.map(|span| self.sources.get(span.source).name().to_string());
        let file = match self.loader.load(path, from.as_deref()) {
            Ok(file) => file,
            Err(error) => {
                let (path, reason) = (path.to_owned(), error.to_string());
                return self.refuse(Problem::UnreadableFile { path, reason }, directive);
            }
        };
        if let Some(problem) = self.refusal(&file) {
            return self.refuse(problem, directive);
        }
        let identity = file.identity.clone();
        let Some(id) = self.add(file, directive) else {
            return;
        };
        self.open.push((identity, id));
        let errors = self.parse(id, context, sink);
        self.open.pop();
        self.problems.begin(Stage::Syntax);
        for error in errors {
            self.problems.push(error.into());
        }
    }

    /// Why `file` cannot be one more file of the project.
    fn refusal(&mut self, file: &LoadedFile) -> Option<Problem> {
        let mut open = self.open.iter();
        if let Some(place) = open.position(|(identity, _)| *identity == file.identity) {
            let open = self.open[place..].iter();
            let names = open.map(|(_, source)| self.sources.get(*source).name().to_string());
            let chain = names.chain([file.name.clone()]).collect();
            return Some(Problem::IncludeCycle { chain });
        }
        self.total += file.bytes.len();
        let too_much =
            self.open.len() >= DEPTH_MAX || self.sources.len() >= FILES_MAX || self.total > TOTAL_MAX;
        too_much.then_some(Problem::TooMuchIncluded {
            depth: DEPTH_MAX,
            files: FILES_MAX,
            bytes: TOTAL_MAX,
        })
    }

    /// Adds the text of `file` to the texts read.
    fn add(&mut self, file: LoadedFile, directive: Option<Span>) -> Option<SourceId> {
        let (text, is_utf8) = match String::from_utf8(file.bytes) {
            Ok(text) => (text, true),
            Err(error) => (latin1(error.as_bytes()), false),
        };
        if text.len() > SourceMap::TEXT_MAX {
            let reason = format!("`{}` is too long once converted to UTF-8", file.name);
            let path = file.name;
            self.refuse(Problem::UnreadableFile { path, reason }, directive);
            return None;
        }
        let source = self.sources.add(file.name, text, directive);
        if !is_utf8 {
            self.problems.begin(Stage::Text);
            self.problems.add(Problem::NotUtf8, Some(Span::new(source, 0, 0)));
        }
        Some(source)
    }

    fn refuse(&mut self, problem: Problem, directive: Option<Span>) {
        self.problems.begin(Stage::Include);
        self.problems.add(problem, directive);
    }
}

impl Includer for Reader<'_> {
    fn include(&mut self, path: &str, directive: Span, context: &mut Vec<String>, sink: Sink<'_>) {
        self.read(path, Some(directive), context, sink);
    }

    fn sources(&self) -> &SourceMap {
        self.sources
    }

    fn problems(&mut self) -> &mut Problems {
        self.problems
    }
}

/// The text of `bytes` in ISO 8859-1, which the projects of 2007 are written in where not in ASCII.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

//! A diagnostic as text: the message, file, line and column, the line with carets, further places, hints.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet};

use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::source::{SourceMap, Span};

/// A line longer than this is named but not shown, in bytes.
const SHOWN_LINE_MAX: usize = 1000;

/// Whether the text carries terminal colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// Plain text, the same everywhere.
    Never,
    /// With escape sequences.
    Always,
}

/// Draws every diagnostic and a closing count; empty if there is none.
pub fn render_all(diagnostics: &Diagnostics, sources: &SourceMap, colours: Colours) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics.sorted() {
        text.push_str(&render(diagnostic, sources, colours));
        text.push('\n');
    }
    if diagnostics.dropped() > 0 {
        let _infallible = writeln!(text, "... and {} more", diagnostics.dropped());
    }
    text
}

/// Draws `diagnostic`; the last line ends with a newline.
pub fn render(diagnostic: &Diagnostic, sources: &SourceMap, colours: Colours) -> String {
    let renderer = match colours {
        Colours::Never => Renderer::plain(),
        Colours::Always => Renderer::styled(),
    };
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code)
        .elements(std::iter::empty::<Element<'_>>());
    if let Some(span) = diagnostic.primary {
        group = group.element(excerpt(sources, span, AnnotationKind::Primary, None));
    }
    for label in &diagnostic.secondary {
        let text = Some(label.text.as_str());
        group = group.element(excerpt(sources, label.span, AnnotationKind::Context, text));
    }
    for place in diagnostic
        .primary
        .into_iter()
        .flat_map(|span| sources.include_chain(span))
    {
        let name = sources.get(place.source).name();
        let line = sources.line_column(place).line;
        group = group.element(Level::NOTE.message(format!("included from {name}:{line}")));
    }
    for hint in &diagnostic.hints {
        group = group.element(Level::HELP.with_name("hint").message(hint.as_str()));
    }
    let mut text: String = renderer
        .render(&[group])
        .lines()
        .fold(String::new(), |text, line| text + line.trim_end() + "\n");
    if text.is_empty() {
        text.push('\n');
    }
    text
}

/// The lines of `span` with carets under it.
fn excerpt<'a>(
    sources: &'a SourceMap,
    span: Span,
    kind: AnnotationKind,
    label: Option<&'a str>,
) -> Element<'a> {
    let source = sources.get(span.source);
    let place = sources.line_column(span);
    let line = sources.shown_line(span.source, place.line);
    if line.len() > SHOWN_LINE_MAX {
        return Origin::path(source.name().as_ref())
            .line(place.line as usize)
            .char_column(place.column as usize)
            .into();
    }
    // A span over several lines is shown by its first; the end is what the reader finds by himself.
    let start = ((span.start - source.line_start(place.line)) as usize).min(line.len());
    let length = (span.end.saturating_sub(span.start)) as usize;
    let end = (start + length).min(line.len());
    Snippet::source(line)
        .line_start(place.line as usize)
        .path(source.name().as_ref())
        .annotation(kind.span(start..end).label(label))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_hints_and_includes_are_all_drawn() {
        let mut sources = SourceMap::new();
        let outer = sources.add("a.mln", "\n#include b\n", None);
        let text = "host www {\n\tsizee 2G\n}\n";
        let inner = sources.add("b", text, Some(Span::new(outer, 10, 11)));
        let diagnostic = Diagnostic::warning(
            "unknown-keyword",
            "`sizee` is nothing",
            Some(Span::new(inner, 12, 17)),
        )
        .label(Span::new(inner, 5, 8), "in this host")
        .hint("did you mean `size`?");
        let expected = "\
warning[unknown-keyword]: `sizee` is nothing
 --> b:2:2
  |
2 |     sizee 2G
  |     ^^^^^
  |
 ::: b:1:6
  |
1 | host www {
  |      --- in this host
  |
  = note: included from a.mln:2
  = hint: did you mean `size`?
";
        assert_eq!(render(&diagnostic, &sources, Colours::Never), expected);
        assert!(render(&diagnostic, &sources, Colours::Always).contains("\u{1b}["));
    }

    #[test]
    fn a_long_line_is_named_but_not_shown() {
        let mut sources = SourceMap::new();
        let id = sources.add("a", "x".repeat(5000), None);
        let diagnostic = Diagnostic::error("a", "b", Some(Span::new(id, 4000, 4001)));
        assert_eq!(
            render(&diagnostic, &sources, Colours::Never),
            "error[a]: b\n--> a:1:4001\n"
        );
    }

    #[test]
    fn spans_at_the_end_of_a_text_are_drawn() {
        for text in ["", "a", "a\n", "ø"] {
            let mut sources = SourceMap::new();
            let id = sources.add("a", text, None);
            let end = Span::new(id, text.len(), text.len());
            let drawn = render(&Diagnostic::error("a", "b", Some(end)), &sources, Colours::Never);
            assert!(drawn.starts_with("error[a]: b\n --> a:"), "{drawn}");
        }
    }
}

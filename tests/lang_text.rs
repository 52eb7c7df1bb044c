//! The language's surface: no text makes the reader panic or crawl, and canonical text keeps its meaning.

use std::time::{Duration, Instant};

use mln_image::diag::{Colours, Diagnostic, SourceMap, render_all};
use mln_image::lang::{Node, SyntaxError, SyntaxErrorKind, Tree, format, outline, parse};
use mln_image::project::{LoadOptions, TextLoader, load, show};
use proptest::prelude::*;

/// Which blocks hold lines, for these tests.
fn line_blocks(path: &[&str]) -> bool {
    path.last() == Some(&"startup")
}

fn read(text: &str) -> (Tree, Vec<SyntaxError>) {
    let mut sources = SourceMap::new();
    let id = sources.add("a.mln", text, None);
    parse(&sources, id, line_blocks)
}

fn has_error(errors: &[SyntaxError]) -> bool {
    errors
        .iter()
        .any(|error| Diagnostic::from(error.clone()).severity == mln_image::diag::Severity::Error)
}

fn comments(nodes: &[Node]) -> usize {
    nodes
        .iter()
        .map(|node| match node {
            Node::Comment(_) => 1,
            Node::Block(block) => comments(&block.nodes),
            _ => 0,
        })
        .sum()
}

/// Pieces that projects are made of, in any order.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just(" }\n".to_owned()),
        Just("startup {".to_owned()),
        Just("startup {\n".to_owned()),
        Just("host a {\n".to_owned()),
        Just("\n".to_owned()),
        Just("\n    ".to_owned()),
        Just("\n\t".to_owned()),
        Just(";".to_owned()),
        Just(" # a comment ; { '".to_owned()),
        Just("#include x".to_owned()),
        Just("global { project p\n".to_owned()),
        Just("superclass a {\n".to_owned()),
        Just(" superclass a\n".to_owned()),
        Just("network eth0 { address 10.0.0.1; gateway $name }\n".to_owned()),
        Just("users {\n".to_owned()),
        Just("$hostname".to_owned()),
        Just("\\".to_owned()),
        Just("\\;".to_owned()),
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just("$name = ".to_owned()),
        Just("$[name]".to_owned()),
        "[a-z]{1,4}",
        "[ \t]{1,3}",
        "[ -~]{0,8}",
    ]
}

/// Texts made of such pieces, with braces added until every block is closed.
fn project_like() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..40).prop_map(|pieces| {
        let mut text = pieces.concat();
        let is_unclosed = |error: &SyntaxError| matches!(error.kind, SyntaxErrorKind::UnclosedBlock { .. });
        while read(&text).1.iter().any(is_unclosed) {
            text.push_str("\n}");
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_read_without_panic(text in "\\PC*|(?s).{0,200}") {
        let (tree, _) = read(&text);
        prop_assert!(outline(&tree).len() <= 40 * (text.len() + 1) * 12);
    }

    #[test]
    fn any_project_is_loaded_and_shown_without_panic(text in project_like(), other in project_like()) {
        let loader: TextLoader = [("p.mln", text), ("x", other)].into_iter().collect();
        let loaded = load(&loader, "p.mln", &LoadOptions::default());
        let drawn = render_all(&loaded.diagnostics, &loaded.sources, Colours::Never);
        prop_assert_eq!(drawn.is_empty(), loaded.diagnostics.is_empty());
        prop_assert_eq!(loaded.project.is_none(), loaded.diagnostics.has_errors());
        drop(show(&loaded, None));
    }

    #[test]
    fn canonical_text_means_the_same_and_stays_as_it_is(text in project_like()) {
        let (tree, errors) = read(&text);
        prop_assume!(!has_error(&errors));
        let once = format(&tree);
        let (again, errors) = read(&once);
        prop_assert!(!has_error(&errors), "{once}");
        prop_assert_eq!(outline(&tree), outline(&again), "{}", once);
        prop_assert_eq!(&format(&again), &once);
        prop_assert!(comments(&again.nodes) <= comments(&tree.nodes));
    }
}

#[test]
fn hostile_texts_are_read_in_time() {
    let length = 1 << 20;
    for unit in [
        "{",
        "}",
        "a{}",
        "{}",
        ";",
        "#",
        "'",
        "\"",
        "\\",
        "a ",
        "a\n",
        "\n",
        " ",
        "$a = b\n",
        "startup {'\"\n",
        "startup { a }",
        "a#",
        "host\n{",
        "\u{1}",
    ] {
        let text = unit.repeat(length / unit.len());
        let begin = Instant::now();
        let (tree, errors) = read(&text);
        drop(format(&tree));
        assert!(errors.len() <= 2000);
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "{unit:?} took {:?}",
            begin.elapsed()
        );
    }
    let lines = format!("startup {{\n{}\n}}", "'\" {".repeat(length / 4));
    let begin = Instant::now();
    drop(read(&lines));
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[test]
fn canonical_text_has_every_included_file_in_its_place() {
    let files = [
        (
            "p.mln",
            "global { project p }\n#include hosts\nhost c {\n#include part\n}\n",
        ),
        (
            "hosts",
            "host a {\n  #include part\n}\n#include more\n#include part2\n",
        ),
        ("more", "host b { template t\n#include part2\n}\n"),
        ("part", "template t\nmemory 64M\n"),
        ("part2", "# nothing\n"),
    ];
    let loader: TextLoader = files.into_iter().collect();
    let loaded = load(&loader, "p.mln", &LoadOptions::default());
    assert!(loaded.project.is_some(), "{:?}", loaded.diagnostics);
    let text = loaded.text.make();
    assert_eq!(
        text,
        "global {\n    project p\n}\nhost a {\n    template t\n    memory 64M\n}\n\
         host b {\n    template t\n    # nothing\n}\n# nothing\nhost c {\n    template t\n    memory 64M\n}\n"
    );
    let alone: TextLoader = [("p.mln", text.as_str())].into_iter().collect();
    assert_eq!(load(&alone, "p.mln", &LoadOptions::default()).text.make(), text);
}

#[test]
fn canonical_text_leaves_out_what_could_not_be_read() {
    let files = [
        (
            "p.mln",
            "#include missing\n#include p.mln\nglobal { project p }\n#include part\n",
        ),
        ("part", "#include part\nhost a { template t }\n"),
    ];
    let loader: TextLoader = files.into_iter().collect();
    let loaded = load(&loader, "p.mln", &LoadOptions::default());
    assert!(loaded.project.is_none());
    assert_eq!(
        loaded.text.make(),
        "global {\n    project p\n}\nhost a {\n    template t\n}\n"
    );
}

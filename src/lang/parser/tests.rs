//! What the parser makes of texts, faults included.

use super::*;
use crate::lang::{format, outline};

fn line_blocks(path: &[&str]) -> bool {
    path.last() == Some(&"startup")
}

/// The outline of `text`, and its faults with their places.
fn read(text: &str) -> (String, String) {
    let mut sources = SourceMap::new();
    let id = sources.add("a", text, None);
    let (tree, errors) = parse(&sources, id, line_blocks);
    let shown = errors.iter().map(|error| {
        let place = sources.line_column(error.span);
        format!("{}:{} {}", place.line, place.column, error.kind)
    });
    (outline(&tree), shown.collect::<Vec<_>>().join("\n"))
}

#[test]
fn ways_to_write_a_block_mean_the_same() {
    let expected = "block \"host\" \"a\"\n  item \"memory\" \"1M\"\n  item \"xen\"\n";
    for text in [
        "host a {\n  memory 1M\n  xen\n}\n",
        "host a{memory   1M;xen}",
        "host a { memory 1M ; ; xen }",
        "host a\n{\nmemory 1M # x\nxen }",
        "host a # comment { ; }\n# another\n{ memory 1M\nxen\n}",
        "host a { memory 1M; xen } # the end }",
    ] {
        assert_eq!(read(text), (expected.to_owned(), String::new()), "{text}");
    }
}

#[test]
fn lines_keep_indentation_beyond_the_shared_one() {
    let text = "startup {\n    for i in 1; do\n      echo  $i\n\n    # c\n    done\n}\n";
    let lines = "lines \"startup\"\n  line \"for i in 1; do\"\n  line \"  echo  $i\"\n  line \"done\"\n";
    assert_eq!(read(text).0, lines);
}

#[test]
fn faults_are_found_and_the_rest_is_read() {
    for (text, faults, outline) in [
        (
            "a\n}\nb",
            "2:1 surplus `}` closes no block",
            "item \"a\"\nitem \"b\"\n",
        ),
        (
            "a { b",
            "1:1 block `a` is never closed",
            "block \"a\"\n  item \"b\"\n",
        ),
        ("{ b }", "1:1 block without a name", "block \n  item \"b\"\n"),
        (
            "a#b",
            "1:2 `#` begins a comment in the middle of a word",
            "item \"a\"\n",
        ),
        (
            "$w=11 2",
            "1:1 `$w=11` does not define a variable",
            "item \"$w=11\" \"2\"\n",
        ),
        (
            "$w-x = 1",
            "1:1 `$w-x` is not a variable's name",
            "define \"$w-x\" \"1\"\n",
        ),
        (
            "$w =\n",
            "1:1 variable `$w` is defined without a value",
            "define \"$w\" \n",
        ),
        ("a\u{1b}b", "1:2 control character U+001B", "item \"a\\u{1b}b\"\n"),
    ] {
        assert_eq!(read(text), (outline.to_owned(), faults.to_owned()), "{text}");
    }
    let deep = "a{".repeat(40);
    assert_eq!(read(&deep).1, "1:66 blocks are nested more than 32 deep");
}

#[test]
fn a_misplaced_brace_is_suspected() {
    let mut sources = SourceMap::new();
    let text = "host a {\n  users {\n    joe x\n}\nhost b {\n}\n";
    let id = sources.add("a", text, None);
    let (_, errors) = parse(&sources, id, line_blocks);
    let SyntaxErrorKind::UnclosedBlock {
        header,
        suspect: Some(suspect),
    } = &errors[0].kind
    else {
        panic!("{errors:?}");
    };
    assert_eq!((header.as_str(), suspect.header.as_str()), ("host a", "users"));
    assert_eq!(sources.line_column(suspect.brace).line, 4);
}

#[test]
fn canonical_text_keeps_comments_and_protects_characters() {
    let text = "# top\n\n\nhost  a{ # why\nmemory 1M;xen # both\n\n  # own line\n  x a\\;b \\\\\\# \\n\n}\n\
                switch lan { }\n} #include x\n#include  y # z\nstartup { for; do\n   x\n  done } # end\n";
    let expected = "# top\n\nhost a { # why\n    memory 1M\n    xen # both\n\n    # own line\n    \
                    x a\\;b \\\\\\# \\n\n}\nswitch lan { } #include x\n#include y # z\nstartup {\n    for; do\n     \
                    x\n    done\n} # end\n";
    let mut sources = SourceMap::new();
    let id = sources.add("a", text, None);
    assert_eq!(format(&parse(&sources, id, line_blocks).0), expected);
}

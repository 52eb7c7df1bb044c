//! `check`: what is said of wrong projects, word for word.
//!
//! `projects/wrong.txt` holds each project with the complete faults that it must give.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::support::project_table::{Case, compare};
use mln_image::diag::{Colours, render_all};
use mln_image::project::{LoadOptions, TextLoader, load};

/// The faults that `case` gives.
fn faults(case: &Case) -> String {
    let loader: TextLoader = case.files.iter().cloned().collect();
    let options = LoadOptions {
        strict: case.words == ["strict"],
        ..LoadOptions::default()
    };
    let loaded = load(&loader, "project.mln", &options);
    assert_eq!(
        loaded.project.is_none(),
        loaded.diagnostics.has_errors(),
        "{}",
        case.name
    );
    let drawn = render_all(&loaded.diagnostics, &loaded.sources, Colours::Never);
    format!("--- faults\n{drawn}")
}

#[test]
fn wrong_projects_are_told_in_full() {
    compare("wrong.txt", 40, faults);
}

#[test]
fn every_kind_of_fault_is_in_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects/wrong.txt");
    let table = fs::read_to_string(path).unwrap();
    for code in CODES {
        assert!(table.contains(&format!("[{code}]")), "no project shows `{code}`");
    }
}

/// The faults that a text can show; those that need a damaged file or a huge project are tested where they arise.
const CODES: [&str; 42] = [
    "unreadable-file",
    "include-cycle",
    "long-header",
    "duplicate-host",
    "replaced-block",
    "repeated-keyword",
    "outside-block",
    "unknown-block",
    "unknown-keyword",
    "misplaced-keyword",
    "no-effect",
    "block-expected",
    "value-expected",
    "missing-value",
    "surplus-words",
    "unknown-superclass",
    "superclass-cycle",
    "undefined-variable",
    "variable-cycle",
    "variable-inside-word",
    "long-expansion",
    "bad-value",
    "bad-size",
    "bad-guest-path",
    "missing-project",
    "bad-name",
    "missing-template",
    "duplicate-address",
    "duplicate-mac",
    "unrecognised-hash",
    "missing-netmask",
    "gateway-outside",
    "unknown-switch",
    "unknown-member",
    "size-ignored",
    "unclosed-block",
    "surplus-brace",
    "unnamed-block",
    "glued-comment",
    "glued-definition",
    "variable-name",
    "empty-definition",
];

/// The codes of the faults of a project of one file.
fn codes(text: String) -> Vec<&'static str> {
    let loader: TextLoader = [("p.mln", text)].into_iter().collect();
    let loaded = load(&loader, "p.mln", &LoadOptions::default());
    let faults = loaded.diagnostics.sorted();
    faults.into_iter().map(|fault| fault.code).collect()
}

#[test]
fn what_only_a_large_project_can_get_wrong_is_told_too() {
    for (count, expected) in [(64, false), (65, true), (100, true)] {
        let mut chain = vec!["superclass c0 { template t }".to_owned()];
        chain.extend(
            (1..count).map(|number| format!("superclass c{number} {{ superclass c{} }}", number - 1)),
        );
        for _ in ["as written", "the other way round"] {
            chain.reverse();
            let host = format!("host a {{ superclass c{}; template t }}", count - 1);
            let found = codes(format!("global {{ project p }}\n{}\n{host}\n", chain.join("\n")));
            assert_eq!(
                found.contains(&"deep-inheritance"),
                expected,
                "{count}: {found:?}"
            );
        }
    }
    let mut variables = "global {\nproject p\n$v0 = t\n".to_owned();
    for number in 1..100 {
        writeln!(variables, "$v{number} = $v{}", number - 1).unwrap();
    }
    assert!(codes(format!("{variables}}}\nhost a {{ template $v99 }}\n")).contains(&"deep-variables"));
    let mut disks = "global { project p }\nhost a {\ntemplate t\nswap 1M\nmount {\n".to_owned();
    for number in 0..25 {
        writeln!(disks, "data{number}.img /data{number} ext4").unwrap();
    }
    assert_eq!(codes(format!("{disks}}}\n}}\n")), ["too-many-disks"]);
}

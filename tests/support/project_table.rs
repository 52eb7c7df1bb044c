//! Tables of projects, each with all that it must give.
//!
//! `=== name [word ..]` begins a project, `--- file NAME` a file that it includes, and `--- shown` or `--- faults` what
//! it gives, up to the next project. After a change that is meant, a run with `MLN_ACCEPT=1` writes the table anew: read
//! the difference before committing it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use mln_image::base::atomic::{self, Durability};

/// One project of a table.
pub(crate) struct Case {
    pub(crate) name: String,
    /// What stands behind the name.
    pub(crate) words: Vec<String>,
    /// `project.mln`, then those that it includes.
    pub(crate) files: Vec<(String, String)>,
}

impl Case {
    /// The case as it stands in a table, up to what it gives.
    fn input(&self) -> String {
        let mut text = format!(
            "=== {}\n",
            [std::slice::from_ref(&self.name), &self.words[..]]
                .concat()
                .join(" ")
        );
        for (place, (name, content)) in self.files.iter().enumerate() {
            if place > 0 {
                writeln!(text, "--- file {name}").unwrap();
            }
            text.push_str(content);
        }
        text
    }
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut is_input = false;
    for line in text.split_inclusive('\n') {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["===", name, rest @ ..] = &words[..] {
            cases.push(Case {
                name: (*name).to_owned(),
                words: rest.iter().map(|word| (*word).to_owned()).collect(),
                files: vec![("project.mln".to_owned(), String::new())],
            });
            is_input = true;
        } else if let ["---", "file", name] = &words[..] {
            let files = &mut cases.last_mut().unwrap().files;
            files.push(((*name).to_owned(), String::new()));
        } else if let ["---", "shown" | "faults"] = &words[..] {
            is_input = false;
        } else if is_input {
            let files = &mut cases.last_mut().unwrap().files;
            files.last_mut().unwrap().1.push_str(line);
        }
    }
    cases
}

/// Holds that every project of the table `name`, of which there are at least `count`, gives what stands there.
pub(crate) fn compare(name: &str, count: usize, given: impl Fn(&Case) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/projects")
        .join(name);
    let expected = fs::read_to_string(&path).unwrap();
    let cases = cases(&expected);
    assert!(cases.len() >= count, "{name} has only {} projects", cases.len());
    let found: String = cases.iter().map(|case| case.input() + &given(case)).collect();
    if std::env::var_os("MLN_ACCEPT").is_some() {
        atomic::write(&path, found.as_bytes(), Durability::NoSync).unwrap();
        return;
    }
    for (expected, found) in expected.split("\n=== ").zip(found.split("\n=== ")) {
        assert_eq!(expected, found);
    }
    assert_eq!(expected, found);
}

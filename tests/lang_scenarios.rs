//! What small projects come to, one for each rule of the language as MLN has it, and the article's own projects.
//!
//! `projects/scenarios.txt` holds each project with every value of its hosts, switches and `global`, and every fault.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::support::plugins::registry;
use crate::support::project_table::{Case, compare};
use mln_image::diag::{Colours, render_all};
use mln_image::project::{Extension, LoadOptions, TextLoader, load, show};

/// The values and faults that `case` gives; the words behind its name are lines of mln.conf with `=` for the blank.
fn given(case: &Case) -> String {
    let loader: TextLoader = case.files.iter().cloned().collect();
    let mut options = LoadOptions {
        extension: Some(Arc::clone(&registry(&[]).unwrap()) as Arc<dyn Extension>),
        ..LoadOptions::default()
    };
    if let [word] = &case.words[..] {
        options.settings.default_template = word.strip_prefix("default_template=").map(str::to_owned);
    }
    let loaded = load(&loader, "project.mln", &options);
    let mut text = "--- shown\n".to_owned();
    for (path, value) in show(&loaded, None) {
        if !path.starts_with("/superclass/") {
            writeln!(text, "{path} = {value}").unwrap();
        }
    }
    text.push_str("--- faults\n");
    text + &render_all(&loaded.diagnostics, &loaded.sources, Colours::Never)
}

#[test]
fn small_projects_come_to_what_each_rule_says() {
    compare("scenarios.txt", 50, given);
}

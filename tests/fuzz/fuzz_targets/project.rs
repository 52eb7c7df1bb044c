//! Project texts of any kind: diagnosed or loaded, and what loads can be shown and formatted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mln_image::diag::{Colours, render_all};
use mln_image::project::{LoadOptions, TextLoader, load, show};

fuzz_target!(|text: &str| {
    let loader: TextLoader = [("p.mln", text), ("other.mln", "host b { template t }\n")].into_iter().collect();
    let loaded = load(&loader, "p.mln", &LoadOptions::default());
    let faults = render_all(&loaded.diagnostics, &loaded.sources, Colours::Never);
    assert!(loaded.project.is_some() || !faults.is_empty(), "refused without a word");
    show(&loaded, None);
    let _text = mln_image::lang::format(&loaded.tree);
});

//! Project texts of any kind: diagnosed or loaded with the bundled plugins, and what loads can be shown, drawn and
//! formatted. Canonical text stays as it is.

#![no_main]

use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use mln_image::diag::{Colours, render_all};
use mln_image::plugin::Registry;
use mln_image::project::{Extension, LoadOptions, TextLoader, graph, load, show};

static PLUGINS: OnceLock<Arc<Registry>> = OnceLock::new();

fuzz_target!(|text: &str| {
    let plugins = PLUGINS.get_or_init(|| Arc::new(Registry::bundled().expect("the bundled plugins load")));
    let options = LoadOptions {
        extension: Some(Arc::clone(plugins) as Arc<dyn Extension>),
        ..LoadOptions::default()
    };
    let read = |text: &str| {
        let loader: TextLoader = [("p.mln", text), ("other.mln", "host b { template t }\n")].into_iter().collect();
        load(&loader, "p.mln", &options)
    };
    let loaded = read(text);
    let faults = render_all(&loaded.diagnostics, &loaded.sources, Colours::Never);
    assert!(loaded.project.is_some() || !faults.is_empty(), "refused without a word");
    show(&loaded, None);
    if let Some(project) = &loaded.project {
        assert!(graph::svg(project).ends_with("</svg>\n"));
        let _dot = graph::dot(project);
        let canonical = loaded.text.make();
        let again = read(&canonical);
        assert_eq!(again.text.make(), canonical, "canonical text is not what it should be");
        assert_eq!(show(&again, None), show(&loaded, None), "canonical text means something else");
    }
});

//! Projects with plugins: loaded, and a guest configured in memory.

use std::fs;
use std::sync::Arc;

use mln_image::base::atomic::{self, Durability};
use mln_image::diag::{Colours, render_all};
use mln_image::edit::{EditList, EditedView, GuestView};
use mln_image::plugin::{Guests, PluginError, Registry};
use mln_image::project::{Extension, Facts, LoadOptions, Loaded, TextLoader, load, show};

/// The bundled plugins, and those given as name and text.
pub(crate) fn registry(plugins: &[(&str, &str)]) -> Result<Arc<Registry>, PluginError> {
    let directory = tempfile::tempdir().unwrap();
    // The name of the directory would be another one on every run.
    let short = directory.path().join("plugins");
    fs::create_dir(&short).unwrap();
    for (name, text) in plugins {
        let path = short.join(format!("{name}.lua"));
        atomic::write(&path, text.as_bytes(), Durability::NoSync).unwrap();
    }
    Registry::with_directories(&[short]).map(Arc::new)
}

/// `text` without the names of temporary directories.
pub(crate) fn without_directory(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some(end) = rest.find("/plugins/") {
        let start = rest[..end].rfind(|letter: char| letter.is_whitespace() || "`(".contains(letter));
        kept.push_str(&rest[..start.map_or(0, |start| start + 1)]);
        rest = &rest[end + "/plugins/".len()..];
    }
    kept + rest
}

/// The project `text`, with `files` to include, read with `registry`.
pub(crate) fn loaded(text: &str, files: &[(&str, &str)], registry: &Arc<Registry>) -> Loaded {
    let files = files.iter().map(|(name, text)| (*name, text.as_bytes().to_vec()));
    let loader: TextLoader = files.chain([("p.mln", text.as_bytes().to_vec())]).collect();
    let options = LoadOptions {
        extension: Some(Arc::clone(registry) as Arc<dyn Extension>),
        ..LoadOptions::default()
    };
    load(&loader, "p.mln", &options)
}

/// What is wrong with `text`, in full.
pub(crate) fn faults(text: &str, plugins: &[(&str, &str)]) -> String {
    let loaded = loaded(text, &[], &registry(plugins).unwrap());
    without_directory(&render_all(&loaded.diagnostics, &loaded.sources, Colours::Never))
}

/// The values of `text`, which has no faults, as `path = value` lines; those whose path begins with `start`.
pub(crate) fn values(text: &str, plugins: &[(&str, &str)], start: &str) -> Vec<String> {
    let loaded = loaded(text, &[], &registry(plugins).unwrap());
    assert_eq!(
        render_all(&loaded.diagnostics, &loaded.sources, Colours::Never),
        ""
    );
    let pairs = show(&loaded, None).into_iter();
    pairs
        .filter(|(path, _)| path.starts_with(start))
        .map(|(path, value)| format!("{path} = {value}"))
        .collect()
}

/// The edits that the plugins make in the guest `view` of host `a` of the project `text`.
pub(crate) fn edits(
    text: &str,
    plugins: &[(&str, &str)],
    host: &str,
    view: &dyn GuestView,
) -> Result<EditList, String> {
    let registry = registry(plugins).map_err(|error| without_directory(&error.to_string()))?;
    let loaded = loaded(text, &[], &registry);
    assert_eq!(
        render_all(&loaded.diagnostics, &loaded.sources, Colours::Never),
        ""
    );
    let guests = Guests::new(registry, Facts::new(loaded).unwrap());
    let mut edits = EditList::new();
    guests
        .configure(host, view, &mut edits)
        .map_err(|error| without_directory(&error.to_string()))?;
    // Baking twice changes nothing.
    let mut again = EditList::new();
    let after = EditedView::new(view, &edits);
    guests.configure(host, &after, &mut again).unwrap();
    for (edit, effect) in mln_image::edit::effective(&after, &again).unwrap() {
        assert_eq!(effect, mln_image::edit::Effect::None, "{}", edit.path);
    }
    Ok(edits)
}

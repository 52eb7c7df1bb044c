//! Which layer may name which: the table of the architecture, held by reading `crate::` paths in `src/`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each layer of `src/` with the layers that it may name.
const LAYERS: [(&str, &[&str]); 16] = [
    ("base", &[]),
    ("diag", &["base"]),
    ("lang", &["diag", "base"]),
    ("project", &["lang", "diag", "base"]),
    ("edit", &["base"]),
    ("guest", &["project", "edit", "base"]),
    ("plugin", &["project", "lang", "edit", "diag", "base"]),
    ("block", &["base"]),
    ("ext", &["block", "base"]),
    ("disk", &["block", "base"]),
    ("template", &["disk", "ext", "block", "base"]),
    ("image", &["block", "base"]),
    ("launch", &["project", "base"]),
    ("store", &["project", "base"]),
    (
        "bake",
        &[
            "store", "launch", "image", "template", "disk", "ext", "block", "plugin", "guest", "edit",
            "project", "lang", "diag", "base",
        ],
    ),
    (
        "cli",
        &[
            "bake", "store", "launch", "image", "template", "disk", "ext", "block", "plugin", "guest",
            "edit", "project", "lang", "diag", "base",
        ],
    ),
];

#[test]
fn layers_name_only_what_lies_below_them() {
    let mut wrong = Vec::new();
    for file in rust_files(&root().join("src")) {
        let relative = file.strip_prefix(root().join("src")).unwrap().to_path_buf();
        let Some(layer) = relative.iter().next().and_then(|name| name.to_str()) else {
            continue;
        };
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
            assert!(
                matches!(layer, "lib.rs" | "main.rs"),
                "src/{layer} is not in the table of layers"
            );
            continue;
        };
        for named in named_layers(&fs::read_to_string(&file).unwrap()) {
            if named != layer && !allowed.contains(&named.as_str()) {
                wrong.push(format!("{} names crate::{named}", relative.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "layers that may not know each other:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_test_file_is_named_in_main() {
    let main = fs::read_to_string(root().join("tests/main.rs")).unwrap();
    for entry in fs::read_dir(root().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_module =
            path.extension().is_some_and(|extension| extension == "rs") || path.join("mod.rs").exists();
        if is_module && name != "main" {
            assert!(
                main.contains(&format!("mod {name};")),
                "tests/main.rs does not name {name}"
            );
        }
    }
}

/// The layers named by `crate::` paths in `text`, the braces of `use crate::{a, b}` included.
fn named_layers(text: &str) -> BTreeSet<String> {
    let word = |text: &str| {
        text.chars()
            .take_while(|letter| letter.is_ascii_lowercase() || *letter == '_')
            .collect()
    };
    let mut found = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(group) => {
                let inside = group.split(';').next().unwrap_or_default();
                let mut depth = 0_u32;
                let mut start = true;
                for (place, letter) in inside.char_indices() {
                    if depth == 0 && start && letter.is_ascii_lowercase() {
                        found.insert(word(&inside[place..]));
                        start = false;
                    }
                    match letter {
                        '{' => depth += 1,
                        '}' => depth = depth.saturating_sub(1),
                        ',' if depth == 0 => start = true,
                        _ => {}
                    }
                }
            }
            None => {
                found.insert(word(rest));
            }
        }
    }
    found.remove("");
    found
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The engine could move out as a crate: it speaks of file systems, not of what this program does with them.
#[test]
fn the_ext_engine_has_no_words_of_mln() {
    const WORDS: [&str; 9] = [
        "mln",
        "uml",
        "xen",
        "superclass",
        "guest",
        "template",
        "plugin",
        "bake",
        "launch",
    ];
    let mut wrong = Vec::new();
    for file in rust_files(&root().join("src/ext")) {
        let text = fs::read_to_string(&file)
            .unwrap()
            .replace("mln_image::", "")
            .to_lowercase();
        for (number, line) in text.lines().enumerate() {
            let words: BTreeSet<&str> = line.split(|sign: char| !sign.is_alphabetic()).collect();
            for word in WORDS.iter().filter(|word| words.contains(**word)) {
                wrong.push(format!("{}:{}: {word}", file.display(), number + 1));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "words of the program in its engine:\n{}",
        wrong.join("\n")
    );
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

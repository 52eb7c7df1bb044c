//! `check` on files: where includes are looked for, and what is refused.

use std::fs;
use std::path::Path;

use mln_image::base::atomic::{self, Durability};
use mln_image::diag::{Colours, SourceMap, render_all};
use mln_image::project::{FileLoader, LoadOptions, Loaded, load};

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    atomic::write(path, content.as_ref(), Durability::NoSync).unwrap();
}

/// The project `p.mln` in `directory`, and its faults with the directory left out.
fn check(directory: &Path, shared: &[&str]) -> (Loaded, String) {
    let loader = FileLoader::new(shared.iter().map(|name| directory.join(name)).collect());
    let path = directory.join("p.mln").display().to_string();
    let loaded = load(&loader, &path, &LoadOptions::default());
    let faults = render_all(&loaded.diagnostics, &loaded.sources, Colours::Never);
    let prefix = format!("{}/", directory.display());
    (loaded, faults.replace(&prefix, ""))
}

#[test]
fn includes_are_looked_for_beside_the_including_file_then_in_the_directories_given() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(
        &root.join("p.mln"),
        "global { project p }\n#include lab/hosts.mln\n",
    );
    write(
        &root.join("lab/hosts.mln"),
        "#include common.mln\nhost a { superclass common }\n",
    );
    write(
        &root.join("shared/common.mln"),
        "superclass common {\n template t",
    );
    write(
        &root.join("lab/common.mln"),
        "superclass common {\n template beside\n}",
    );
    let (loaded, faults) = check(root, &["shared"]);
    assert_eq!(faults, "");
    assert_eq!(loaded.project.unwrap().hosts.at(0).template.value, "beside");
    fs::remove_file(root.join("lab/common.mln")).unwrap();
    write(
        &root.join("shared/common.mln"),
        "superclass common {\n template shared\n}",
    );
    let (loaded, faults) = check(root, &["shared"]);
    assert_eq!(faults, "");
    assert_eq!(loaded.project.unwrap().hosts.at(0).template.value, "shared");
}

#[test]
fn a_project_file_that_is_not_there_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let (loaded, faults) = check(directory.path(), &[]);
    assert!(loaded.project.is_none());
    assert_eq!(
        faults,
        "error[unreadable-file]: cannot read `p.mln`: No such file or directory (os error 2)\n\n"
    );
}

#[test]
fn directories_and_endless_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(
        &root.join("p.mln"),
        "global { project p }\n#include sub\n#include /dev/zero\n#include huge\n",
    );
    fs::create_dir(root.join("sub")).unwrap();
    fs::File::create(root.join("huge"))
        .unwrap()
        .set_len(SourceMap::TEXT_MAX as u64 + 1)
        .unwrap();
    let (_, faults) = check(root, &[]);
    insta::assert_snapshot!(faults, @r#"
error[unreadable-file]: `sub` is not a regular file
 --> p.mln:2:10
  |
2 | #include sub
  |          ^^^

error[unreadable-file]: `/dev/zero` is not a regular file
 --> p.mln:3:10
  |
3 | #include /dev/zero
  |          ^^^^^^^^^

error[unreadable-file]: `huge` is longer than 16777216 bytes
 --> p.mln:4:10
  |
4 | #include huge
  |          ^^^^
"#);
}

#[test]
fn a_cycle_is_seen_through_every_spelling_of_a_path() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(&root.join("p.mln"), "global { project p }\n#include lab/a\n");
    write(&root.join("lab/a"), "#include ../lab/./b\n");
    std::os::unix::fs::symlink("a", root.join("lab/b")).unwrap();
    let (_, faults) = check(root, &[]);
    insta::assert_snapshot!(faults, @r#"
error[include-cycle]: files include each other: `lab/a` -> `lab/../lab/./b`
 --> lab/a:1:10
  |
1 | #include ../lab/./b
  |          ^^^^^^^^^^
  |
  = note: included from p.mln:2
"#);
}

#[test]
fn files_that_multiply_are_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(&root.join("p.mln"), "global { project p }\n#include 0\n");
    for number in 0..20 {
        let next = format!("#include {0}\n#include {0}\n", number + 1);
        write(&root.join(number.to_string()), next);
    }
    write(&root.join("20"), "");
    let (loaded, faults) = check(root, &[]);
    assert!(loaded.sources.len() <= 10_000);
    assert!(faults.contains("a project may include files 32 deep, 10000 files and 67108864 bytes in all"));
}

#[test]
fn a_file_of_2007_in_latin_1_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(
        &root.join("p.mln"),
        b"global { project p }\n# bl\xe5b\xe6r\nhost a { template t }\n",
    );
    let (loaded, faults) = check(root, &[]);
    assert_eq!(loaded.project.unwrap().hosts.len(), 1);
    insta::assert_snapshot!(faults, @r#"
warning[not-utf-8]: the file is not UTF-8: read as ISO 8859-1
 --> p.mln:1:1
  |
1 | global { project p }
  | ^
  |
  = hint: convert it with `iconv -f latin1 -t utf-8`
"#);
}

#[test]
fn a_block_may_not_reach_over_the_end_of_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(
        &root.join("p.mln"),
        "global { project p }\nhost a {\n#include open\n}\n",
    );
    write(&root.join("open"), "template t\nusers {\n  ann *\n");
    let (_, faults) = check(root, &[]);
    insta::assert_snapshot!(faults, @r#"
error[unclosed-block]: block `users` is never closed
 --> open:2:1
  |
2 | users {
  | ^^^^^
  |
  = note: included from p.mln:3
  = hint: add `}` where the block ends
"#);
}

#[test]
fn shell_lines_may_be_included() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(
        &root.join("p.mln"),
        "global { project p }\nhost a {\n template t\n startup {\n  #include lines\n }\n}\n",
    );
    write(
        &root.join("lines"),
        "for i in 1; do\n  echo $i; done\nawk '{print}'",
    );
    let (loaded, faults) = check(root, &[]);
    assert_eq!(faults, "");
    let lines: Vec<String> = loaded
        .project
        .unwrap()
        .hosts
        .at(0)
        .startup
        .iter()
        .map(|line| line.value.clone())
        .collect();
    assert_eq!(lines, ["for i in 1; do", "  echo $i; done", "awk '{print}'"]);
}

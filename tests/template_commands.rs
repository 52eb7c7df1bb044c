//! `mln-image template ...` as typed: answers, JSON, complete errors and exit codes.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{BlockSize, ExtKind, Mkfs, sha256};

/// `mln-image template ARGUMENTS`, with a store below `home` and a PATH without programs.
fn template(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mln-image"))
        .env_clear()
        .env("PATH", "/nowhere")
        .env("HOME", home)
        .arg("-T")
        .arg(home.join("templates"))
        .arg("template")
        .args(arguments)
        .current_dir(home)
        .output()
        .unwrap()
}

#[track_caller]
fn ends(output: &Output, code: i32, stdout: &str, stderr: &str) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert_eq!(text(&output.stderr), stderr);
    assert_eq!(text(&output.stdout), stdout);
    assert_eq!(output.status.code(), Some(code));
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn an_image_is_imported_listed_shown_and_removed() {
    let home = tempfile::tempdir().unwrap();
    let image = home.path().join("lab.ext3");
    Mkfs::new(ExtKind::Ext3, BlockSize(4096), 16 << 20).make(&image, None);
    let digest = sha256(&image).to_string();

    ends(&template(home.path(), &["list"]), 0, "", "");
    let import = ["import", "lab.ext3", "--message", "for the lab"];
    ends(&template(home.path(), &import), 0, "lab-V1.0.ext3\n", "");
    let entry = json(&template(home.path(), &["import", "lab.ext3", "--json"]));
    assert_eq!(entry["file"], "lab-V1.1.ext3");
    assert_eq!(entry["sha256"], digest);
    fs::copy(&image, home.path().join("templates/by-hand.ext3")).unwrap();
    ends(
        &template(home.path(), &["list"]),
        0,
        "by-hand.ext3        16M  (put here by hand)\n\
         lab-V1.0.ext3       16M  for the lab\n\
         lab-V1.1.ext3       16M\n",
        "",
    );
    let listed = json(&template(home.path(), &["list", "--json"]));
    let newest: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["is_newest"])
        .collect();
    assert_eq!(newest, [true, false, true]);

    let info = json(&template(
        home.path(),
        &["info", "lab.ext3", "--verify", "--json"],
    ));
    assert_eq!((&info["type"], &info["sha256"]), (&"ext3".into(), &digest.into()));
    assert_eq!(info["blocks"], 4096);
    let source = fs::canonicalize(&image).unwrap();
    assert_eq!(info["source"], format!("imported from {}", source.display()));
    let by_hand = template(home.path(), &["info", "by-hand.ext3"]);
    let names: Vec<_> = by_hand
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b':').next())
        .collect();
    assert_eq!(names.last(), Some(&&b""[..]));
    assert_eq!(names[names.len() - 2], b"features", "{by_hand:?}");
    let output = template(home.path(), &["info", "lab-V1.0.ext3"]);
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(lines.ends_with("message: for the lab\n"), "{lines}");

    let remove = ["remove", "lab.ext3", "by-hand.ext3"];
    ends(
        &template(home.path(), &remove),
        0,
        "lab-V1.1.ext3\nby-hand.ext3\n",
        "",
    );
    ends(
        &template(home.path(), &["remove", "lab.ext3"]),
        0,
        "lab-V1.0.ext3\n",
        "",
    );
    ends(&template(home.path(), &["list"]), 0, "", "");
}

#[test]
fn wrong_command_lines_and_missing_templates_say_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let store = home.path().join("templates");
    ends(
        &template(home.path(), &["info", "ubuntu-server.ext3"]),
        1,
        "",
        &format!(
            "error: there is no template `ubuntu-server.ext3` in `{}`\n\
             hint: build one: `mln-image template build debian-12`\n\
             hint: take one that you have: `mln-image template import FILE --name ubuntu-server.ext3`\n\
             hint: use another in its place: `mln-image bake --template ubuntu-server.ext3=NAME`\n",
            store.display()
        ),
    );
    let unknown = template(home.path(), &["build", "debian-13"]);
    let stderr = String::from_utf8(unknown.stderr).unwrap();
    assert!(
        stderr.starts_with(
            "error: there is no definition of a template called `debian-13`; there are busybox, debian-12"
        ),
        "{stderr}"
    );
    assert_eq!(unknown.status.code(), Some(2));
    ends(
        &template(home.path(), &["build", "debian-12", "--type", "img"]),
        2,
        "",
        "debian-12: failed\nerror: a template is built as ext2, ext3 or ext4, not as img\n",
    );
    ends(
        &template(home.path(), &["import", "/nowhere/lab.ext3"]),
        1,
        "",
        "error: cannot open `/nowhere/lab.ext3`: No such file or directory (os error 2)\n",
    );
    assert!(!store.exists());
}

#[test]
fn building_without_the_programs_names_the_packages_that_bring_them() {
    let home = tempfile::tempdir().unwrap();
    let output = template(home.path(), &["build", "debian-12"]);
    ends(
        &output,
        1,
        "",
        "debian-12: failed\n\
         error: building needs mmdebstrap, apt-config, setpriv, unshare, tar: install the Debian packages apt \
         mmdebstrap tar util-linux\n",
    );
}

#[test]
fn the_skeleton_is_built_from_the_command_line_without_any_program() {
    let home = tempfile::tempdir().unwrap();
    let build = ["build", "skeleton", "--type", "ext2,ext4", "--size", "20M"];
    let files = "skeleton-V1.0.ext2\nskeleton-V1.0.ext4\n";
    let done = "skeleton: skeleton-V1.0.ext2 skeleton-V1.0.ext4\n";
    ends(&template(home.path(), &build), 0, files, done);
    let entries = json(&template(home.path(), &["build", "skeleton", "--json"]));
    let built: Vec<_> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["file"])
        .collect();
    assert_eq!(
        built,
        ["skeleton-V1.1.ext2", "skeleton-V1.0.ext3", "skeleton-V1.1.ext4"]
    );
    let definitions = template(home.path(), &["build", "--json"]);
    assert_eq!(
        json(&definitions),
        serde_json::json!(["busybox", "debian-12", "skeleton"])
    );
}

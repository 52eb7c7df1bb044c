//! The command line's frame: exit codes, answers, and silence where nobody listens.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program with an empty environment and its places below `home`.
fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mln-image"));
    command.env_clear().env("HOME", home).env("XDG_DATA_HOME", home);
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn ends(output: &Output, code: i32, stdout: &str, stderr: &str) {
    assert_eq!(text(&output.stderr), stderr);
    assert_eq!(text(&output.stdout), stdout);
    assert_eq!(output.status.code(), Some(code));
}

#[test]
fn list_names_whole_projects_only() {
    let home = tempfile::tempdir().unwrap();
    let projects = home.path().join("projects");
    let list = |json: bool| {
        let mut command = program(home.path());
        command.arg("list").arg("-P").arg(&projects);
        if json {
            command.arg("--json");
        }
        command.output().unwrap()
    };
    ends(&list(false), 0, "", "");
    for name in ["webfarm", "half", "lab"] {
        fs::create_dir_all(projects.join(name)).unwrap();
    }
    for name in ["webfarm", "lab"] {
        fs::File::create(projects.join(name).join("manifest.json")).unwrap();
    }
    ends(&list(false), 0, "lab\nwebfarm\n", "");
    ends(&list(true), 0, "[\n  \"lab\",\n  \"webfarm\"\n]\n", "");
}

#[test]
fn a_directory_that_is_none_is_an_error_with_its_path_and_exit_code_1() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::File::create(&file).unwrap();
    let output = program(home.path())
        .args(["list", "-P"])
        .arg(&file)
        .output()
        .unwrap();
    let expected = format!(
        "error: cannot read the directory `{}`: Not a directory (os error 20)\n",
        file.display()
    );
    ends(&output, 1, "", &expected);
}

#[test]
fn a_wrong_command_line_gives_exit_code_2() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [&["--no-such-option"][..], &["nonsense"], &[]] {
        let output = program(home.path()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains("Usage: mln-image"), "{arguments:?}");
    }
}

#[test]
fn config_prints_the_places_in_force() {
    let home = tempfile::tempdir().unwrap();
    let output = program(home.path())
        .args(["config", "-P/p", "-T/t", "-F/f"])
        .output()
        .unwrap();
    ends(&output, 0, "files = /f\nprojects = /p\ntemplates = /t\n", "");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = program(home.path())
        .arg("config")
        .stdout(Stdio::from(writer))
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    ends(&output, 0, "", "");
}

#[test]
fn a_project_without_hosts_is_neither_planned_nor_baked() {
    let home = tempfile::tempdir().unwrap();
    fs::File::create(home.path().join("empty.mln"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, b"global {\n    project empty\n}\n"))
        .unwrap();
    let complaint = "error: project `empty` has no hosts\n\
                     hint: write `host NAME { }`, or have `autoenum` make some\n";
    for command in ["plan", "bake"] {
        let output = program(home.path())
            .args([command, "empty.mln", "--template", "a=b"])
            .current_dir(home.path())
            .output()
            .unwrap();
        ends(&output, 2, "", complaint);
    }
    assert!(!home.path().join("mln").exists());
}

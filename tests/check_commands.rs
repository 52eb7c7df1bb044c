//! `check`, `show` and `fmt` as programs: what goes to which stream, and the exit codes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use mln_image::base::atomic::{self, Durability};

/// What a run gave: exit code, standard output, standard error.
type Outcome = (i32, String, String);

fn run(directory: &Path, arguments: &[&str]) -> Outcome {
    let output = Command::new(env!("CARGO_BIN_EXE_mln-image"))
        .env_clear()
        .env("HOME", directory)
        .current_dir(directory)
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        atomic::write(
            &directory.path().join(name),
            content.as_bytes(),
            Durability::NoSync,
        )
        .unwrap();
    }
    directory
}

const GOOD: &str = "global { project good }\nswitch lan { }\nhost a { template t }\n";
const BAD: &str = "global { project bad }\nhost a { memory lots }\nhost b { template t; tpye x }\n";
const BAD_FAULTS: &str = "\
error[missing-template]: host `a` has no template
 --> bad.mln:2:6
  |
2 | host a { memory lots }
  |      ^
  |
  = hint: write `template NAME` in the host or a superclass, or set `default_template` in mln.conf

error[bad-size]: `lots` does not begin with a number
 --> bad.mln:2:17
  |
2 | host a { memory lots }
  |                 ^^^^
  |
  = hint: write a whole number and a unit, such as `512M` or `2G`

warning[unknown-keyword]: unknown keyword `tpye` in a `host` block, kept for plugins
 --> bad.mln:3:22
  |
3 | host b { template t; tpye x }
  |                      ^^^^

";

#[test]
fn check_tells_every_fault_of_every_file() {
    let directory = directory(&[("good.mln", GOOD), ("bad.mln", BAD)]);
    let good = "good.mln: 1 host, 1 switch, no errors, no warnings\n";
    assert_eq!(
        run(directory.path(), &["check", "good.mln"]),
        (0, good.to_owned(), String::new())
    );
    assert_eq!(
        run(directory.path(), &["check", "-f", "good.mln"]),
        (0, good.to_owned(), String::new())
    );
    assert_eq!(
        run(directory.path(), &["check", "good.mln", "bad.mln"]),
        (
            2,
            format!("{good}bad.mln: 2 errors, 1 warning\n"),
            format!("{BAD_FAULTS}error: `bad.mln` cannot be used\n")
        )
    );
}

#[test]
fn check_counts_warnings_as_errors_if_strict() {
    let text = "global { project p }\n}\nhost a { template t }\n";
    let directory = directory(&[("p.mln", text)]);
    let (code, answer, _) = run(directory.path(), &["check", "p.mln"]);
    assert_eq!(
        (code, answer.as_str()),
        (0, "p.mln: 1 host, no switches, no errors, 1 warning\n")
    );
    let (code, answer, _) = run(directory.path(), &["check", "--strict", "p.mln"]);
    assert_eq!((code, answer.as_str()), (2, "p.mln: 1 error, no warnings\n"));
}

#[test]
fn check_answers_programs_in_json() {
    let directory = directory(&[(
        "p.mln",
        "global { project p }\nhost a { template t; memroy 64M }\n",
    )]);
    let (code, answer, errors) = run(directory.path(), &["check", "--json", "p.mln"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(
        answer,
        serde_json::json!([{
            "file": "p.mln",
            "errors": 0,
            "warnings": 1,
            "faults": [{
                "severity": "warning",
                "code": "unknown-keyword",
                "message": "unknown keyword `memroy` in a `host` block, kept for plugins",
                "place": { "file": "p.mln", "line": 2, "column": 22 },
                "hints": ["did you mean `memory`?"],
            }],
        }])
    );
}

#[test]
fn the_configuration_gives_defaults() {
    let text = "global { project p }\nhost a { memory 64M }\n";
    let directory = directory(&[("p.mln", text), (".mln", "default_template debian-12.ext3\n")]);
    let (code, answer, errors) = run(directory.path(), &["check", "p.mln"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert_eq!(answer, "p.mln: 1 host, no switches, no errors, no warnings\n");
}

#[test]
fn show_prints_a_project_or_one_host() {
    let text =
        "global { project p }\nhost a { template t; files { x /x; x /y } }\nhost node2 { template t }\n";
    let directory = directory(&[("p.mln", text), ("bad.mln", BAD)]);
    let of_a = "/host/a/files/x = /x\n/host/a/files/x = /y\n/host/a/template = t\n";
    let whole = format!("/global/project = p\n{of_a}/host/node2/template = t\n");
    assert_eq!(
        run(directory.path(), &["show", "p.mln"]),
        (0, whole, String::new())
    );
    assert_eq!(
        run(directory.path(), &["show", "p.mln", "a"]),
        (0, of_a.to_owned(), String::new())
    );
    let json =
        "{\n  \"/host/a/files/x\": [\n    \"/x\",\n    \"/y\"\n  ],\n  \"/host/a/template\": \"t\"\n}\n";
    assert_eq!(
        run(directory.path(), &["show", "--json", "p.mln", "a"]),
        (0, json.to_owned(), String::new())
    );
    let missing = "error: the project has no host `node3`\nhint: did you mean `node2`?\n";
    assert_eq!(
        run(directory.path(), &["show", "p.mln", "node3"]),
        (2, String::new(), missing.to_owned())
    );
    let refused = format!("{BAD_FAULTS}error: `bad.mln` cannot be shown: 2 errors\n");
    assert_eq!(
        run(directory.path(), &["show", "bad.mln"]),
        (2, String::new(), refused)
    );
}

#[test]
fn show_does_without_a_template() {
    let directory = directory(&[("p.mln", "global { project p }\nhost a { xen }\n")]);
    let (code, answer, errors) = run(directory.path(), &["show", "p.mln"]);
    assert_eq!(
        (code, answer.as_str()),
        (0, "/global/project = p\n/host/a/xen = 1\n")
    );
    assert!(
        errors.starts_with("error[missing-template]: host `a` has no template\n"),
        "{errors}"
    );
    let (code, _, _) = run(directory.path(), &["check", "p.mln"]);
    assert_eq!(code, 2);
}

#[test]
fn fmt_prints_replaces_or_compares() {
    let text = "# why\nglobal{project p}\nhost a{template t;xen # both\n}";
    let canonical = "# why\nglobal {\n    project p\n}\nhost a {\n    template t\n    xen # both\n}\n";
    let directory = directory(&[("p.mln", text), ("open.mln", "host a {\n")]);
    let file = directory.path().join("p.mln");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(
        run(directory.path(), &["fmt", "p.mln"]),
        (0, canonical.to_owned(), String::new())
    );
    assert_eq!(
        run(directory.path(), &["fmt", "--check", "p.mln"]),
        (
            1,
            "p.mln\n".to_owned(),
            "error: 1 file is not in canonical form\nhint: run `mln-image fmt --write`\n".to_owned()
        )
    );
    assert_eq!(
        run(directory.path(), &["fmt", "-w", "p.mln"]),
        (0, String::new(), String::new())
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), canonical);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(
        run(directory.path(), &["fmt", "--check", "p.mln"]),
        (0, String::new(), String::new())
    );
    let (code, answer, errors) = run(directory.path(), &["fmt", "-w", "open.mln"]);
    assert_eq!((code, answer.as_str()), (2, ""));
    assert!(
        errors.ends_with("error: `open.mln` cannot be written anew: 1 error\n"),
        "{errors}"
    );
    assert_eq!(
        fs::read_to_string(directory.path().join("open.mln")).unwrap(),
        "host a {\n"
    );
}

#[test]
fn explain_tells_a_keyword_and_the_nearest_one() {
    let directory = directory(&[]);
    let (code, out, _) = run(directory.path(), &["explain", "memory"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("memory: the machine's memory\n"));
    let (code, _, faults) = run(directory.path(), &["explain", "memroy"]);
    assert_eq!(code, 2);
    assert_eq!(
        faults,
        "error: the language has no keyword `memroy`\nhint: did you mean `memory`?\n"
    );
    let (_, out, _) = run(directory.path(), &["explain", "--json", "memory"]);
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer[0]["default"], "128M");
}

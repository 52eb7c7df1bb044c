//! `setup` looks at the server and writes the configuration; `persist` writes units that systemd takes.

use std::fs;

use crate::support::running::Lab;
use crate::support::tool;

const PROJECT: &str =
    "global { project lab; persist }\nhost a { template busybox.ext4; size 20M; term none }\n";

#[test]
fn setup_tells_what_is_there_and_writes_a_configuration_once() {
    let lab = Lab::with(PROJECT);
    let looked = lab.run(&["setup", "--look", "--json"]);
    assert_eq!(looked.code, Some(0), "{looked:?}");
    let answer: serde_json::Value = serde_json::from_str(&looked.stdout).unwrap();
    let provision = |name: &str| {
        let all = answer["provisions"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap().clone()
    };
    let found = provision("User-Mode Linux")["found"].as_str().unwrap().to_owned();
    assert!(found.contains("linux.uml, Linux 6"), "{found}");
    assert!(provision("uml_switch")["found"].is_string());
    // An ordinary user is no root, and is told what takes one.
    let rights = provision("rights");
    assert!(
        rights["found"].is_null() && rights["remedy"].is_string(),
        "{rights}"
    );
    assert_eq!(answer["templates"], 1);
    assert!(!lab.path("home/.mln").exists());

    let written = lab.run(&["setup", "-n"]);
    assert_eq!(
        (written.code, &*written.stderr),
        (Some(0), "note: wrote `LAB/home/.mln`\n")
    );
    assert!(
        written.stdout.contains("\nyes  uml_switch       /"),
        "{}",
        written.stdout
    );
    let text = fs::read_to_string(lab.path("home/.mln")).unwrap();
    let place = lab.path("").display().to_string();
    let place = place.trim_end_matches('/');
    let expected = format!(
        "# Written by `mln-image setup`. `mln-image config` shows what is in force.\n\
         projects {place}/home/projects\n\
         templates {place}/templates\n"
    );
    assert!(text.starts_with(&expected), "{text}");
    assert!(text.contains("\ndefault_term screen\n"), "{text}");
    // The program reads back what it wrote, and keeps it.
    let again = lab.run(&["setup", "-n"]);
    assert_eq!(
        (again.code, &*again.stderr),
        (Some(0), "note: kept `LAB/home/.mln` as it is\n")
    );
    let mut asked = lab.program(&["setup"]);
    let mut asked = asked
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let answers = b"y\n\n/elsewhere\n\npty\n\n\n\n\n\n\n";
    std::io::Write::write_all(&mut asked.stdin.take().unwrap(), answers).unwrap();
    assert!(asked.wait().unwrap().success());
    let text = fs::read_to_string(lab.path("home/.mln")).unwrap();
    assert!(
        text.contains("\ntemplates /elsewhere\n") && text.contains("\ndefault_term pty\n"),
        "{text}"
    );
}

#[test]
fn units_of_projects_that_are_kept_up_are_taken_by_systemd() {
    let lab = Lab::with(PROJECT);
    let units = lab.path("home/units").display().to_string();
    let written = lab.run(&["persist", "--units", &units]);
    assert_eq!(
        (written.code, &*written.stdout),
        (Some(0), "LAB/home/units/mln-lab.service\n"),
        "{written:?}"
    );
    assert!(
        written
            .stderr
            .contains("systemctl --user enable --now 'mln-lab.service'"),
        "{written:?}"
    );
    let unit = lab.path("home/units/mln-lab.service");
    let judged = tool("systemd-analyze", "systemd")
        .args(["verify", "--man=no"])
        .arg(&unit)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&judged.stderr).into_owned();
    let about: Vec<&str> = said.lines().filter(|line| line.contains("mln-lab")).collect();
    assert!(judged.status.success() && about.is_empty(), "{said}");
    let nothing = lab.run(&["persist", "nolab", "--units", &units]);
    assert_eq!(nothing.code, Some(2), "{nothing:?}");
    let removed = lab.run(&["set_persistent", "-S", "off", "-p", "lab", "--units", &units]);
    assert_eq!(removed.stdout, "removed LAB/home/units/mln-lab.service\n");
    assert!(!unit.exists());
}

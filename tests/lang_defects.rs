//! The known defects of the language's first reader, L1 to L10, each mended.

use mln_image::diag::{Colours, render_all};
use mln_image::project::{LoadOptions, Loaded, Project, TextLoader, load, show};

fn load_files(files: &[(&str, &str)]) -> Loaded {
    let loader: TextLoader = files.iter().copied().collect();
    load(&loader, "p.mln", &LoadOptions::default())
}

/// The faults of a project of one file, drawn.
fn faults(loaded: &Loaded) -> String {
    render_all(&loaded.diagnostics, &loaded.sources, Colours::Never)
}

/// A project that must be without any fault.
fn project(text: &str) -> Project {
    let loaded = load_files(&[("p.mln", text)]);
    assert_eq!(faults(&loaded), "");
    loaded.project.unwrap()
}

fn startup(text: &str) -> Vec<String> {
    let project = project(text);
    project
        .hosts
        .at(0)
        .startup
        .iter()
        .map(|line| line.value.clone())
        .collect()
}

#[test]
fn l1_the_last_item_of_a_file_counts() {
    let main = "global {\n project p\n servers {\n #include servers.txt\n }\n}\nhost a { template t }";
    for servers in ["mln1\nmln2\nmln3", "mln1\nmln2\nmln3\n"] {
        let loaded = load_files(&[("p.mln", main), ("servers.txt", servers)]);
        let shown = show(&loaded, None);
        for server in ["mln1", "mln2", "mln3"] {
            assert!(
                shown.contains(&(format!("/global/servers/{server}"), "1".to_owned())),
                "{server}"
            );
        }
    }
    assert_eq!(
        project("global{project p}\nhost a{template t\nmemory 64M}")
            .hosts
            .at(0)
            .memory
            .value
            .0,
        64 << 20
    );
}

#[test]
fn l2_nothing_in_a_comment_counts() {
    let host = &project(
        "global { project p } # ; } {\nhost a { # { comment ; term screen\n  template t # ; term screen }\n}\n",
    )
    .hosts
    .at(0);
    assert_eq!(host.term.origin.line, 0, "the term is the default");
    assert_eq!(host.template.value, "t");
}

#[test]
fn l3_a_brace_may_be_glued_to_the_name() {
    let project =
        project("global{project p}\nswitch lan{}\nhost vm-nodejs{template t\nnetwork eth0{switch lan}}\n");
    assert_eq!(project.hosts.at(0).name.as_str(), "vm-nodejs");
    assert_eq!(project.switches[0].name, "lan");
    assert_eq!(project.hosts.at(0).interfaces[0].name, "eth0");
}

#[test]
fn l4_a_brace_may_stand_on_the_next_line() {
    let text = "global\n{\n project p\n}\nhost a\n{\n template t\n users\n {\n  ann *\n }\n startup\n {\n  x; y\n }\n}\n";
    let project = project(text);
    assert_eq!(project.hosts.at(0).users[0].value.name, "ann");
    assert_eq!(project.hosts.at(0).startup[0].value, "x; y");
}

#[test]
fn l5_braces_that_do_not_balance_are_told() {
    let surplus = load_files(&[("p.mln", "global { project p }\n}\nhost a { template t }\n")]);
    assert_eq!(
        (
            surplus.diagnostics.error_count(),
            surplus.diagnostics.warning_count()
        ),
        (0, 1)
    );
    assert_eq!(surplus.project.unwrap().hosts.len(), 1);
    let missing = load_files(&[("p.mln", "global { project p }\nhost a {\ntemplate t\n")]);
    assert!(faults(&missing).contains("block `host a` is never closed\n --> p.mln:2:1"));
}

#[test]
fn l6_a_value_of_zero_is_zero() {
    let text = "global { project p }\nsuperclass common { template t\nxen\nboot_order 5\nswap 1G }\n\
                host a { superclass common\nxen 0\nboot_order 0\nswap 0 }\n";
    let host = &project(text).hosts.at(0);
    assert_eq!(host.platform.value.name(), "uml");
    assert_eq!(host.boot_order.value, 0);
    assert_eq!(host.swap, None);
}

#[test]
fn l7_shell_text_survives() {
    let lines = startup(
        "global { project p }\nhost a {\n  template t\n  startup {\n    for i in 1 2; do echo  \"a   $i\"; done\n    \
         awk '{print $1}' /etc/passwd\n    # a comment }\n    find / -name '*.o' -exec rm {} \\;  # and one more {\n    \
         greet() {\n      echo \"${1#x}\"\n    }\n    if true; then\n      greet \"}\"\n    fi\n    echo $HOME $$ $#\n  }\n}\n",
    );
    assert_eq!(
        lines,
        [
            "for i in 1 2; do echo  \"a   $i\"; done",
            "awk '{print $1}' /etc/passwd",
            "find / -name '*.o' -exec rm {} \\;",
            "greet() {",
            "  echo \"${1#x}\"",
            "}",
            "if true; then",
            "  greet \"}\"",
            "fi",
            "echo $HOME $$ $#",
        ]
    );
    assert_eq!(
        startup("global{project p}\nhost a { template t; startup { echo a; echo b } }"),
        ["echo a; echo b"]
    );
}

#[test]
fn l8_an_include_is_the_first_text_of_its_line() {
    let text = "## note: #include y\n# #include y\nglobal { project p } #include y\n#includes y\nhost a { template t }\n";
    assert_eq!(project(text).hosts.len(), 1);
    let loaded = load_files(&[
        ("p.mln", "global { project p }\n \t#include  y  # what y says\n"),
        ("y", "host a { template t }"),
    ]);
    assert_eq!(faults(&loaded), "");
    assert_eq!(loaded.project.unwrap().hosts.len(), 1);
}

#[test]
fn l9_superclasses_that_are_missing_or_go_round_are_errors() {
    for (text, code) in [
        (
            "superclass a { superclass b }\nsuperclass b { superclass a }\n",
            "superclass-cycle",
        ),
        ("host h { template t; superclass a }\n", "unknown-superclass"),
    ] {
        let loaded = load_files(&[("p.mln", &format!("global {{ project p }}\n{text}"))]);
        assert_eq!(loaded.diagnostics.error_count(), 1, "{}", faults(&loaded));
        assert_eq!(loaded.diagnostics.sorted()[0].code, code);
    }
}

#[test]
fn l10_a_variable_is_found_from_any_block() {
    let text = "global { project p\n $gateway_ip = 10.0.0.254 }\nsuperclass cluster_node-2 { template t\nnetwork eth0 {\n\
                address 10.0.0.1\nnetmask 255.0.0.0\ngateway $gateway_ip }\n}\nhost a { superclass cluster_node-2 }\n";
    let gateway = project(text).hosts.at(0).interfaces[0].gateway.clone().unwrap();
    assert_eq!(gateway.value.to_string(), "10.0.0.254");
    assert_eq!(gateway.origin.to_string(), "p.mln:7: gateway $gateway_ip }");
}

//! What a child takes away from what it inherits, and texts between quotes; what projects of 2007 say stays as it was.

use std::fmt::Write as _;

use mln_image::diag::{Colours, SourceMap, render_all};
use mln_image::lang::{format, outline, parse};
use mln_image::project::{LoadOptions, Loaded, TextLoader, load, schema, show};

fn loaded(text: &str) -> Loaded {
    let loader: TextLoader = [("p.mln", text)].into_iter().collect();
    load(&loader, "p.mln", &LoadOptions::default())
}

fn faults(text: &str) -> String {
    let loaded = loaded(text);
    render_all(&loaded.diagnostics, &loaded.sources, Colours::Never)
}

/// The values of host `a` of a project without faults.
fn host(text: &str) -> String {
    assert_eq!(faults(text), "");
    let pairs = show(&loaded(text), Some("a")).into_iter();
    pairs.fold(String::new(), |mut text, (path, value)| {
        let path = path.strip_prefix("/host/a/").unwrap();
        writeln!(text, "{path} = {value}").unwrap();
        text
    })
}

const BASE: &str = "global { project p }\nswitch lan { }\nsuperclass base {\n  template t\n  xen\n  swap 64M\n  \
                    nameserver 10.0.0.9\n  boot_order 5\n  users { ann *; bob * }\n  groups { wheel { ann; bob } }\n  \
                    modules { loop; tun }\n  network eth0 { switch lan; address dhcp }\n  network eth1 { address \
                    dhcp }\n  startup {\n    echo base\n  }\n}\n";

#[test]
fn a_child_switches_flags_off_and_gives_zero() {
    let text = format!("{BASE}host a {{ superclass base; xen off; boot_order 0; swap 0 }}");
    let project = loaded(&text).project.unwrap();
    let host = &project.hosts.at(0);
    assert_eq!(host.platform.value, mln_image::project::Platform::Uml);
    assert_eq!((host.boot_order.value, host.swap.is_none()), (0, true));
}

#[test]
fn clear_takes_away_all_that_a_block_inherits() {
    let text = format!(
        "{BASE}host a {{ superclass base; users {{ !clear; eve * }}; groups {{ !clear }}; startup {{\n!clear\necho \
         own\n}} }}"
    );
    let shown = host(&text);
    for (line, is_there) in [
        ("users/eve = *", true),
        ("users/ann", false),
        ("groups/wheel", false),
        ("startup/1 = echo own", true),
        ("startup/2", false),
        ("modules/loop = 1", true),
    ] {
        assert_eq!(shown.contains(line), is_there, "{line} in\n{shown}");
    }
    let text = format!("{BASE}host a {{ superclass base; !clear; template u }}");
    assert_eq!(host(&text), "superclass = base\ntemplate = u\n");
}

#[test]
fn remove_takes_away_what_it_names() {
    let text = format!(
        "{BASE}superclass middle {{ superclass base; !remove nameserver startup; users {{ !remove bob }} }}\nhost a {{ \
         superclass middle; groups {{ wheel {{ !remove bob }} }}; modules {{ !remove loop; dummy }}; network {{ \
         !remove eth1 }} }}"
    );
    insta::assert_snapshot!(host(&text), @r#"
boot_order = 5
groups/wheel/ann = 1
modules/dummy = 1
modules/tun = 1
network/eth0/address = dhcp
network/eth0/switch = lan
superclass = middle
swap = 64M
template = t
users/ann = *
xen = 1
"#);
}

#[test]
fn a_removal_of_nothing_is_told() {
    let text = format!("{BASE}host a {{ superclass base; users {{ !remove bobb }} }}");
    insta::assert_snapshot!(faults(&text), @r#"
warning[nothing-removed]: nothing called `bobb` is inherited here
  --> p.mln:18:43
   |
18 | host a { superclass base; users { !remove bobb } }
   |                                           ^^^^
   |
   = hint: did you mean `bob`?
"#);
}

#[test]
fn an_unknown_superclass_is_the_only_fault_of_its_hosts() {
    insta::assert_snapshot!(faults("global { project p }\nsuperclass base { template t }\nsuperclass mid { superclass \
                                    basse }\nhost a { superclass mid }\nhost b { superclass bas }\n"), @r#"
error[unknown-superclass]: superclass `basse` is not defined
 --> p.mln:3:29
  |
3 | superclass mid { superclass basse }
  |                             ^^^^^
  |
  = hint: did you mean `base`?

error[unknown-superclass]: superclass `bas` is not defined
 --> p.mln:5:21
  |
5 | host b { superclass bas }
  |                     ^^^
  |
  = hint: did you mean `base`?
"#);
}

#[test]
fn quoted_text_may_hold_any_character() {
    let text = "global { project p; $x = \"\"\"a  {b}; # c\"\"\" }\nhost a { template t; kernel \"\"\"/boot/a b; \
                {c} # d\"\"\"; startup \"\"\"\n    # first\n    awk '{print $1' } \\\n      } ; echo } # last\n\n    \
                end\n  \"\"\"; ramdisk /x }\n";
    insta::assert_snapshot!(host(text), @r#"
kernel = /boot/a b; {c} # d
ramdisk = /x
startup/1 = # first
startup/2 = awk '{print $1' } \
startup/3 =   } ; echo } # last
startup/4 = 
startup/5 = end
template = t
"#);
    let project = loaded(text).project.unwrap();
    assert_eq!(project.hosts.at(0).startup[3].value, "");
    assert_eq!(
        project.hosts.at(0).kernel.as_ref().unwrap().value,
        "/boot/a b; {c} # d"
    );
}

#[test]
fn canonical_text_keeps_quotes() {
    let text = "host a {\nkernel \"\"\"a  b\"\"\"\nx \"\"\"a;b\"\"\" \"\"\"\"\"\"\nstartup \"\"\"\n  # c\n\n    d {\n\"\"\"\n\
                motd \"\"\"\n  one {\n    two\n\"\"\" z\n}\n";
    let expected = "host a {\n    kernel \"\"\"a  b\"\"\"\n    x a\\;b \"\"\"\"\"\"\n    startup \"\"\"\n        # c\n\n          \
                    d {\n    \"\"\"\n    motd \"\"\"\none {\n  two\n\"\"\" z\n}\n";
    let mut sources = SourceMap::new();
    let id = sources.add("a", text, None);
    let (tree, errors) = parse(&sources, id, schema::holds_lines);
    assert_eq!(errors, []);
    assert_eq!(format(&tree), expected);
    let again = sources.add("b", expected, None);
    let (second, _) = parse(&sources, again, schema::holds_lines);
    assert_eq!(
        (format(&second), outline(&second)),
        (expected.to_owned(), outline(&tree))
    );
}

#[test]
fn quotes_that_are_never_closed_are_told() {
    insta::assert_snapshot!(faults("global { project p }\nhost a { template \"\"\"t }\n}\n"), @r#"
error[unclosed-quotes]: the quotes `"""` are never closed
 --> p.mln:2:19
  |
2 | host a { template """t }
  |                   ^^^
  |
  = hint: close them on the same line, or begin a later line with `"""` if the text begins on the next line
"#);
}

/// Texts that projects of 2007 have, in which quotes and exclamation marks are characters like any other.
#[test]
fn old_texts_mean_what_they_meant() {
    for (text, expected) in [
        ("a \"b  c\"", "item \"a\" \"\\\"b\" \"c\\\"\"\n"),
        ("a \"\"", "item \"a\" \"\\\"\\\"\"\n"),
        ("a x\"\"\"y\"\"\"", "item \"a\" \"x\\\"\\\"\\\"y\\\"\\\"\\\"\"\n"),
        ("a !b", "item \"a\" \"!b\"\n"),
        (
            "host a { users { joe !$1$x } }",
            "block \"host\" \"a\"\n  block \"users\"\n    item \"joe\" \"!$1$x\"\n",
        ),
        (
            "host a { startup {\necho \"\"\"x\"\"\" !clear\n} }",
            "block \"host\" \"a\"\n  lines \"startup\"\n    line \"echo \\\"\\\"\\\"x\\\"\\\"\\\" !clear\"\n",
        ),
    ] {
        let mut sources = SourceMap::new();
        let id = sources.add("a", text, None);
        let (tree, errors) = parse(&sources, id, schema::holds_lines);
        assert_eq!(
            (outline(&tree), errors),
            (expected.to_owned(), Vec::new()),
            "{text}"
        );
    }
}

//! The guide `docs/plugins.md`: its plugin is run, and it names every bundled plugin and every hook.

use std::fs;
use std::path::Path;

use crate::support::debian::debian;
use crate::support::plugins::{edits, faults, registry};

fn guide() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/plugins.md")).unwrap()
}

/// The first program of the guide.
fn example() -> String {
    let guide = guide();
    let (_, rest) = guide.split_once("```lua\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_guides_plugin_works() {
    let project =
        |motto: &str| format!("global {{ project p }}\nhost a {{ template t; motto {{ {motto} }} }}\n");
    let plugin = [("motto", &*example())];
    let guest = debian();
    let after = guest.applied(&edits(&project("text Be kind"), &plugin, "a", &guest).unwrap());
    assert_eq!(after.text("/etc/motd"), "a: Be kind\n");
    assert!(
        faults(&project("text none"), &plugin).starts_with("warning[plugin]: motto: `none` is no motto\n")
    );
    assert!(faults(&project("txet none"), &plugin).contains("did you mean `text`?"));
}

#[test]
fn the_guide_names_every_bundled_plugin() {
    let guide = guide();
    for plugin in registry(&[]).unwrap().plugins() {
        assert!(guide.contains(&format!("| `{}`", plugin.name)), "{}", plugin.name);
        assert!(!plugin.help().is_empty());
    }
    for hook in [
        "describe()",
        "post_parse(project)",
        "check(project)",
        "configure(host, guest)",
    ] {
        assert!(guide.contains(hook), "{hook}");
    }
}

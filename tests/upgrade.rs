//! Upgrades of projects whose machines are down: what happens to each host, and that nothing is lost that was written.

use std::fs;

use crate::support::desk::{BEFORE, Desk};
use crate::support::recovery::put;
use crate::support::{ExtKind, e2fsck_clean, sha256};

#[test]
fn a_host_that_was_written_to_is_changed_where_it_lies() {
    let desk = Desk::used();
    desk.writes("www1", "/etc/banner");
    desk.describe(
        &BEFORE
            .replace("size 56M", "size 72M")
            .replace("users { john }", "users { john; jane }")
            .replace("    nameserver 10.0.0.53\n", "")
            .replace("    files { page.html /srv/page.html; banner /etc/banner }\n", "")
            .replace("    startup { echo first }\n", "    startup { echo second }\n")
            .replace("swap 4M", "swap 8M")
            .replace("host www2", "host www3"),
    );
    let complaint = desk.refused(&["upgrade", "farm.mln"]);
    assert!(
        complaint.ends_with(
            "error: www2: its image has been written to, and would go
error: the project cannot be upgraded so; nothing was done
hint: give --keep to lay its files aside, or --discard www2 to let them go
"
        ),
        "{complaint}"
    );
    let answer = desk.succeeds(&["upgrade", "--keep", "farm.mln"]);
    assert_eq!(answer, "upgraded farm: 1 changed in place, 1 new, 1 gone\n");
    for host in ["www1", "www3"] {
        e2fsck_clean(&desk.image(host));
        assert_eq!(fs::metadata(desk.image(host)).unwrap().len(), 72 << 20);
        assert!(desk.cat(host, "/etc/passwd").contains("\njane:x:1001:1001:"));
        assert!(desk.cat(host, "/etc/mln/startup").ends_with("echo second\n"));
        assert_eq!(
            fs::metadata(desk.bakery.baked("farm", &format!("{host}/swap.img")))
                .unwrap()
                .len(),
            8 << 20
        );
    }
    assert_eq!(desk.cat("www1", "/srv/precious"), "precious\n");
    // What is asked for no more goes, unless the machine has changed it.
    assert!(!desk.has("www1", "/srv/page.html"));
    assert_eq!(desk.cat("www1", "/etc/banner"), "precious\n");
    assert!(!desk.has("www1", "/etc/resolv.conf"));
    assert!(desk.bakery.baked("farm", ".removed/www2/root.img").is_file());
    // The manifest speaks of the images as they are now.
    assert!(
        desk.succeeds(&["verify", "farm"])
            .ends_with("files are as they were\n")
    );
    assert_eq!(
        desk.succeeds(&["upgrade", "farm.mln"]),
        "upgraded farm: 2 as before\n"
    );
    // What was carried over stays what cannot be made again, even where nobody has written to it since.
    desk.describe(&BEFORE.replace("host www2 { superclass common }\n", ""));
    let complaint = desk.refused(&["bake", "--replace", "farm.mln"]);
    assert!(complaint.contains("would lose that: `www1`"), "{complaint}");
}

#[test]
fn a_host_is_baked_anew_or_removed_only_when_asked() {
    let desk = Desk::used();
    desk.describe(
        &BEFORE
            .replace("host www2 { superclass common }\n", "")
            .replace("first", "other"),
    );
    let answer = desk.succeeds(&["upgrade", "--discard", "www2", "--fresh", "www1", "farm.mln"]);
    assert_eq!(answer, "upgraded farm: 1 baked anew, 1 gone\n");
    assert!(!desk.has("www1", "/srv/precious"));
    assert!(!desk.bakery.baked("farm", "www2").exists());
    desk.writes("www1", "/srv/precious");
    // A template that has changed is told, and no reason to lose anything.
    let template = desk.bakery.template(ExtKind::Ext4);
    let target = format!("{}:/etc/motd", template.display());
    desk.succeeds(&["image", "cp", "note", &target]);
    let plan = desk.succeeds(&["upgrade", "-n", "farm.mln"]);
    assert_eq!(
        plan,
        "keep        www1
            note: its template `small.ext4` has changed, but it stays with what it was made from: --fresh www1 \
         makes it anew, without what was written
"
    );
    let plan = desk.succeeds(&["upgrade", "-n", "--json", "--fresh", "www1", "farm.mln"]);
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(
        plan,
        serde_json::json!({"hosts": [{
            "host": "www1", "action": "rebake", "is_written": true, "is_up": false,
            "reasons": ["it is asked for by --fresh"],
        }]})
    );
}

#[test]
fn what_cannot_be_kept_is_refused_with_the_way_out() {
    let desk = Desk::used();
    let big = desk.bakery.path("big");
    put(&big, &vec![7; 30 << 20]);
    for host in ["www1", "www2"] {
        let target = format!("{}:/srv/big", desk.image(host).display());
        desk.succeeds(&["image", "cp", "big", &target]);
    }
    desk.describe(&BEFORE.replace("size 56M", "size 24M"));
    let complaint = desk.refused(&["upgrade", "farm.mln"]);
    let needed = complaint
        .split("www1: what its image holds needs ")
        .nth(1)
        .unwrap();
    let needed = needed.split(' ').next().unwrap();
    assert!(
        complaint.contains(&format!("hint: ask for `size {needed}` or more")),
        "{complaint}"
    );
    desk.describe(&BEFORE.replace("size 56M", "size 48M"));
    desk.succeeds(&["upgrade", "farm.mln"]);
    e2fsck_clean(&desk.image("www1"));
    assert_eq!(fs::metadata(desk.image("www1")).unwrap().len(), 48 << 20);
    assert_eq!(desk.cat("www1", "/srv/precious"), "precious\n");
    desk.describe(&BEFORE.replace("size 56M", "size 48M\n    format qcow2"));
    let complaint = desk.refused(&["upgrade", "farm.mln"]);
    assert!(
        complaint.contains("error: www1: its image has been written to, and keeps its format\n"),
        "{complaint}"
    );
    desk.describe(&BEFORE.replace("project farm", "project other"));
    let output = desk.run(&["upgrade", "farm.mln"]);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        complaint.starts_with("error: no project `other` has been baked in `"),
        "{complaint}"
    );
}

#[test]
fn a_host_that_cannot_be_changed_stays_as_it_was_and_the_project_too() {
    let desk = Desk::used();
    put(&desk.bakery.path("big"), &vec![7; 20 << 20]);
    put(&desk.bakery.path("files/big"), &vec![7; 36 << 20]);
    let target = format!("{}:/srv/own", desk.image("www1").display());
    desk.succeeds(&["image", "cp", "big", &target]);
    let before = sha256(&desk.image("www1"));
    desk.describe(&BEFORE.replace(
        "host www1 { superclass common }",
        "host www1 { superclass common\n    files { big /srv/big } }",
    ));
    let complaint = desk.refused(&["upgrade", "farm.mln"]);
    let expected = "error: www1: cannot write `/srv/big` in the guest: ";
    assert!(complaint.contains(expected), "{complaint}");
    assert!(complaint.ends_with("error: 1 of 2 hosts failed\n"), "{complaint}");
    assert_eq!(sha256(&desk.image("www1")), before);
    // If the other was changed meanwhile, the project has to be finished before it is started.
    desk.describe(&BEFORE.replace("first", "second").replace(
        "host www1 { superclass common }",
        "host www1 { superclass common\n    files { big /srv/big } }",
    ));
    assert_eq!(desk.run(&["upgrade", "farm.mln"]).status.code(), Some(1));
    let launched = desk.run(&["launch", "farm"]);
    assert_eq!(
        String::from_utf8(launched.stderr).unwrap(),
        "error: project `farm` is not finished: a bake or an upgrade of it has failed or was cut off\n\
         hint: do that again; what runs of it can be stopped\n"
    );
    assert_eq!(desk.succeeds(&["stop", "farm"]), "stopped farm: 0 hosts\n");
    desk.describe(&BEFORE.replace("first", "second"));
    desk.succeeds(&["upgrade", "farm.mln"]);
    for host in ["www1", "www2"] {
        assert!(desk.cat(host, "/etc/mln/startup").ends_with("echo second\n"));
        assert_eq!(desk.cat(host, "/srv/precious"), "precious\n");
    }
}

#[test]
fn an_upgrade_killed_at_its_calls_leaves_the_old_image_or_the_new_and_the_next_completes() {
    let desk = Desk::used();
    let mut killed = 0;
    for (round, (call, number)) in [
        ("rename", 1),
        ("rename", 2),
        ("rename", 4),
        ("unlink", 1),
        ("unlink", 3),
        ("pwrite64", 3),
        ("fsync", 1),
        ("fsync", 3),
    ]
    .into_iter()
    .enumerate()
    {
        let size = 57 + round;
        desk.describe(
            &BEFORE
                .replace("size 56M", &format!("size {size}M"))
                .replace("first", &format!("round {round}")),
        );
        killed += usize::from(desk.upgrade_is_killed_at(call, number));
        for host in ["www1", "www2"] {
            assert_eq!(desk.cat(host, "/srv/precious"), "precious\n", "{call} {number}");
            e2fsck_clean(&desk.image(host));
        }
        // A bake does not take what is there for its own either.
        let output = desk.run(&["bake", "--replace", "--fresh", "farm.mln"]);
        assert_eq!(output.status.code(), Some(1), "{call} {number}: {output:?}");
        desk.succeeds(&["upgrade", "farm.mln"]);
        for host in ["www1", "www2"] {
            assert_eq!(desk.cat(host, "/srv/precious"), "precious\n", "{call} {number}");
            assert!(
                desk.cat(host, "/etc/mln/startup")
                    .ends_with(&format!("echo round {round}\n"))
            );
            e2fsck_clean(&desk.image(host));
        }
        desk.succeeds(&["verify", "farm"]);
    }
    assert!(killed >= 6, "only {killed} were killed");
}

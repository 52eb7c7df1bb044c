//! An upgrade of a project of which a machine runs: what the machine has written is there afterwards.

use crate::support::running::{Lab, SECRET, Talk};
use crate::support::{e2fsck_clean, tool};

/// The project as it is baked first.
const BEFORE: &str = "global { project lab }
switch lan { }
superclass common {
    template busybox.ext4
    memory 48M
    size 20M
    term screen
    root_password SECRET
    users { john SECRET }
    network eth0 { switch lan; netmask 255.255.255.0 }
}
host a { superclass common; network eth0 { address 10.0.0.1 }
    startup { echo first >/root/trace } }
host b { superclass common; network eth0 { address 10.0.0.2 } }
";

fn blocks(talk: &mut Talk) -> u64 {
    talk.ask("df -k / | tail -n 1 | awk '{ print $2 }'")
        .parse()
        .unwrap()
}

#[test]
fn a_running_machine_is_changed_in_place_and_keeps_what_it_has_written() {
    let lab = Lab::with(&BEFORE.replace("SECRET", SECRET));
    let launched = lab.run(&["launch", "lab", "-h", "a"]);
    assert_eq!(launched.code, Some(0), "{launched:?}");
    let mut shell = lab.talk("a", "root");
    shell.ask("echo precious >/root/precious && echo local:x:1234:1234::/:/bin/sh >>/etc/passwd && sync");
    assert_eq!(shell.ask("cat /root/trace"), "first");
    let small = blocks(&mut shell);
    drop(shell);

    describes_and_plans(&lab);
    let upgraded = lab.run(&["upgrade", "-S", "new.mln"]);
    assert_eq!(
        (upgraded.code, &*upgraded.stdout),
        (
            Some(0),
            "launched lab: 2 hosts\nupgraded lab: 1 changed in place, 1 baked anew, 1 new\n"
        ),
        "{upgraded:?}"
    );
    let mut shell = lab.talk("a", "jane");
    assert_eq!(shell.ask("id -un"), "jane");
    drop(shell);
    assert_eq!(lab.run(&["stop", "lab", "-h", "a"]).code, Some(0));
    assert_eq!(lab.run(&["launch", "lab", "-h", "a"]).code, Some(0));
    let mut shell = lab.talk("a", "root");
    assert_eq!(shell.ask("cat /root/precious"), "precious");
    assert_eq!(shell.ask("cat /root/trace"), "second");
    assert_eq!(shell.ask("grep -c ^local:x:1234: /etc/passwd"), "1");
    assert!(blocks(&mut shell) > small + 12_000, "the file system has grown");
    shell.ask("ping -c 1 -W 5 10.0.0.3 >/dev/null");
    drop(shell);
    assert_eq!(lab.run(&["stop", "lab"]).code, Some(0));
    lab.assert_nothing_left();
    for host in ["a", "b", "c"] {
        e2fsck_clean(&lab.path(&format!("home/projects/lab/{host}/root.img")));
    }
    all_is_done(&lab);
}

#[test]
fn a_machine_on_a_cow_file_is_changed_and_keeps_what_it_has_written() {
    let before = BEFORE
        .replace("SECRET", SECRET)
        .replace("term screen", "term screen\n    format uml-cow");
    let lab = Lab::with(&before);
    let launched = lab.run(&["launch", "lab", "-h", "a"]);
    assert_eq!(launched.code, Some(0), "{launched:?}");
    let mut shell = lab.talk("a", "root");
    // Some of it all over the disk, so that the next boot reads pages from file and backing side by side.
    shell.ask("for i in 1 2 3 4 5 6 7 8 9; do head -c 70001 /dev/urandom >/root/data$i; done");
    let sums = shell.ask("cat /root/data* | md5sum");
    let small = blocks(&mut shell);
    shell.ask("sync");
    drop(shell);

    lab.write(
        "new.mln",
        &before
            .replace("size 20M", "size 36M")
            .replace("echo first", "echo second"),
    );
    let upgraded = lab.run(&["upgrade", "-S", "new.mln"]);
    assert_eq!(
        (upgraded.code, &*upgraded.stdout),
        (
            Some(0),
            "launched lab: 1 host\nupgraded lab: 1 changed in place, 1 baked anew\n"
        ),
        "{upgraded:?}"
    );
    let mut shell = lab.talk("a", "root");
    assert_eq!(shell.ask("cat /root/data* | md5sum"), sums);
    assert_eq!(shell.ask("cat /root/trace"), "second");
    assert!(blocks(&mut shell) > small + 12_000, "the file system has grown");
    shell.ask("echo more >/root/more && sync");
    drop(shell);
    assert_eq!(lab.run(&["stop", "lab"]).code, Some(0));
    lab.assert_nothing_left();
    let (image, merged) = (lab.path("home/projects/lab/a/root.cow"), lab.path("merged"));
    let mut merge = tool("uml_moo", "uml-utilities");
    assert!(merge.args([&image, &merged]).status().unwrap().success());
    e2fsck_clean(&merged);
}

/// All is as it is wanted now; but a bake would lose what the machines have written.
#[track_caller]
fn all_is_done(lab: &Lab) {
    let again = lab.run(&["upgrade", "new.mln"]);
    assert_eq!(
        (again.code, &*again.stdout),
        (Some(0), "upgraded lab: 3 as before\n"),
        "{again:?}"
    );
    let refused = lab.run(&["bake", "--replace", "new.mln"]);
    assert_eq!(
        (refused.code, &*refused.stderr),
        (
            Some(1),
            "error: images have been written to since the last bake, and would lose that: `a`, `c`
hint: `mln-image upgrade` brings them to the new description and keeps what was written
hint: give --discard-changes to bake them anew all the same
"
        )
    );
}

/// Describes the project anew, and holds that the plan says what will be done, and that nothing is done to a machine that
/// is up unless that is asked for.
#[track_caller]
fn describes_and_plans(lab: &Lab) {
    // Another user, a larger disk and another command for `a`, more memory for both, and `c`.
    let after = BEFORE
        .replace("users { john SECRET }", "users { john SECRET; jane SECRET }")
        .replace("memory 48M", "memory 56M")
        .replace("size 20M", "size 36M")
        .replace("echo first", "echo second")
        + "host c { superclass common; network eth0 { address 10.0.0.3 } }\n";
    lab.write("new.mln", &after.replace("SECRET", SECRET));
    let planned = lab.run(&["upgrade", "-n", "new.mln"]);
    let plan = "\
reconfigure a: it grows from 20M to 36M; its files change: `/etc/group`, `/etc/gshadow`, `/etc/hosts` and 4 more; \
its machine has another memory; what was written to its image stays; it is up
rebake      b: it grows from 20M to 36M; its files change: `/etc/group`, `/etc/gshadow`, `/etc/hosts` and 3 more; \
its machine has another memory
add         c
";
    assert_eq!((planned.code, &*planned.stdout), (Some(0), plan), "{planned:?}");
    let refused = lab.run(&["upgrade", "new.mln"]);
    let answer = "error: `a` would change, and is up; nothing was done
hint: give -S to stop what has to change, and to start it again
";
    assert_eq!(
        (refused.code, &*refused.stderr),
        (Some(1), &*format!("{plan}{answer}"))
    );
}

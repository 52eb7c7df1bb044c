//! Machines of busybox under User-Mode Linux, run by an ordinary user: started, logged in to, plugged together,
//! stopped, and gone.

use crate::support::running::{Answer, Lab, SECRET, Talk};

/// Three machines on a switch, each with its console elsewhere.
fn three_machines() -> Lab {
    Lab::with(
        &"global { project lab }
switch lan { }
superclass common {
    template busybox.ext4
    memory 96M
    size 20M
    root_password SECRET
    users { john SECRET }
    groups { admin { john } }
    network eth0 { switch lan; netmask 255.255.255.0 }
    startup { echo \"trace of $(hostname)\" >/root/trace }
}
host a { superclass common; term screen; network eth0 { address 10.0.0.1 } }
host b { superclass common; term screen; boot_order 5; network eth0 { address 10.0.0.2 } }
host c { superclass common; term log; network eth0 { address 10.0.0.3 } }
"
        .replace("SECRET", SECRET),
    )
}

fn answer(code: i32, stdout: &str, stderr: &str) -> Answer {
    Answer {
        code: Some(code),
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
    }
}

/// What the project wants, as `talk` with the machine `name` finds it.
#[track_caller]
fn is_as_configured(talk: &mut Talk, name: &str, address: &str) {
    assert_eq!(talk.ask("hostname"), name);
    assert_eq!(
        talk.ask("id john"),
        "uid=1000(john) gid=1000(john) groups=1000(john),1001(admin)"
    );
    let eth0 = talk.ask("ip -o -4 addr show eth0");
    assert!(eth0.contains(&format!("inet {address}/24")), "{eth0}");
    assert_eq!(talk.ask("cat /root/trace"), format!("trace of {name}"));
    for other in ["10.0.0.1", "10.0.0.2", "10.0.0.3"] {
        talk.ask(&format!("ping -c 1 -W 5 {other} >/dev/null"));
    }
}

/// Logs in over the consoles of `a` and `b`, which are in screen, as a person at a terminal would; `c` has a log.
#[track_caller]
fn talks_over_every_console(lab: &Lab) {
    for (name, address) in [("a", "10.0.0.1"), ("b", "10.0.0.2")] {
        let mut talk = lab.talk(name, "root");
        is_as_configured(&mut talk, name, address);
    }
    let log = std::fs::read_to_string(lab.path("home/projects/lab/c/console.log")).unwrap();
    assert!(log.contains("BOOT-OK c "), "{log}");
}

#[test]
fn machines_are_launched_used_and_stopped_without_root_and_nothing_is_left() {
    let lab = three_machines();
    let all_down = "lab host a down\nlab host b down\nlab host c down\nlab switch lan down\n";
    assert_eq!(lab.run(&["status", "lab"]), answer(1, all_down, ""));

    let launched = lab.run(&["launch", "lab"]);
    assert_eq!(
        (launched.code, &*launched.stdout),
        (Some(0), "launched lab: 3 hosts\n"),
        "{launched:?}"
    );
    assert!(
        launched.stderr.starts_with("b: up after "),
        "the boot order comes first: {launched:?}"
    );
    let all_up = "lab host a up\nlab host b up\nlab host c up\nlab switch lan up\n";
    assert_eq!(lab.run(&["status", "lab"]), answer(0, all_up, ""));
    let again = lab.run(&["launch", "-p", "lab"]);
    assert_eq!(
        again,
        answer(
            0,
            "launched lab: 3 hosts\n",
            "note: a is up already\nnote: b is up already\nnote: c is up already\n"
        )
    );

    talks_over_every_console(&lab);
    let refused = lab.run(&["remove", "-f", "lab"]);
    assert_eq!(
        refused,
        answer(
            1,
            "",
            "error: `a`, `b`, `c` of project `lab` is running\nhint: stop it first: mln-image stop lab\n"
        )
    );
    let stopped = lab.run(&["stop", "lab"]);
    assert_eq!(
        stopped,
        answer(0, "stopped lab: 3 hosts\n", "a: down\nc: down\nb: down\n")
    );
    lab.assert_nothing_left();
    assert_eq!(lab.run(&["status", "lab"]), answer(1, all_down, ""));
    let again = lab.run(&["stop", "lab"]);
    assert_eq!(
        again,
        answer(
            0,
            "stopped lab: 0 hosts\n",
            "note: a is down already\nnote: b is down already\nnote: c is down already\n"
        )
    );
    // A machine that shut down in good order has a clean disk.
    for host in ["a", "b", "c"] {
        crate::support::e2fsck_clean(&lab.path(&format!("home/projects/lab/{host}/root.img")));
    }
    assert_eq!(lab.run(&["remove", "-f", "lab"]), answer(0, "removed lab\n", ""));
    assert!(!lab.path("home/projects/lab").exists());
}

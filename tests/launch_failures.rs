//! What goes wrong with running machines: told in full, and nothing left over.

use std::env;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::running::{Lab, find};
use crate::support::tool;

/// Two machines on a switch.
fn two_machines() -> Lab {
    Lab::with(
        "global { project lab }
switch lan { }
superclass common { template busybox.ext4; memory 96M; size 20M; term screen; network eth0 { switch lan } }
host a { superclass common }
host b { superclass common }
",
    )
}

/// A launch that has started both machines, within `limit`, and waits for them.
fn launching(lab: &Lab, limit: Duration) -> Child {
    let mut launch = lab.program(&["launch", "lab"]);
    let launch = launch
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + limit;
    while !lab.runtime().join("b/console").exists() {
        assert!(Instant::now() < deadline, "nothing was started");
        sleep(Duration::from_millis(20));
    }
    launch
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// Overwrites the superblock of a machine's disk.
fn break_disk(lab: &Lab, host: &str) {
    let image = lab.path(&format!("home/projects/lab/{host}/root.img"));
    let mut file = fs::OpenOptions::new().write(true).open(image).unwrap();
    file.write_all(&[0; 8192]).unwrap();
}

#[test]
fn a_host_that_cannot_boot_is_named_with_its_last_words_and_the_others_go_on() {
    let lab = two_machines();
    break_disk(&lab, "b");
    let launched = lab.run(&["launch", "lab"]);
    assert_eq!(
        (launched.code, &*launched.stdout),
        (Some(1), "launched lab: 1 of 2 hosts\n"),
        "{launched:?}"
    );
    let told = "error: b: its kernel has panicked; the last lines of its console:\n    ";
    assert!(launched.stderr.contains(told), "{launched:?}");
    assert!(
        launched
            .stderr
            .contains("\n    Kernel panic - not syncing: VFS: Unable to mount root fs"),
        "{launched:?}"
    );
    assert!(
        launched.stderr.ends_with("\nerror: 1 host did not come up\n"),
        "{launched:?}"
    );
    assert!(
        !lab.processes().iter().any(|line| line.contains("umid=b")),
        "{:?}",
        lab.processes()
    );
    let status = lab.run(&["status", "lab"]);
    assert_eq!(
        (status.code, &*status.stdout),
        (
            Some(1),
            "lab host a up\nlab host b crashed (its kernel has panicked)\nlab switch lan up\n"
        )
    );
    assert_eq!(lab.run(&["status", "-p", "lab", "-h", "a", "-q"]).code, Some(0));
    assert_eq!(lab.run(&["status", "-p", "lab", "-h", "b", "-q"]).code, Some(1));
    let stopped = lab.run(&["stop", "lab", "-H"]);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    assert_eq!(stopped.stderr, "a: ended\nb: had crashed; cleaned up\n");
    lab.assert_nothing_left();
}

#[test]
fn the_last_words_of_a_machine_are_waited_for_when_its_terminal_is_behind() {
    let lab = two_machines();
    break_disk(&lab, "b");
    // A terminal that reads nothing until the kernel is gone for longer than a launch looks away; the kernel, whose
    // parent does not wait for it, stays as a process without arguments.
    let slow = format!(
        r#"#!/bin/sh
{real} "$@" || exit
terminal=$(pgrep -f '^[^ ]*SCREEN .*{directory}/console')
kill -STOP "$terminal"
(
    until [ -s {directory}/*/pid ]; do sleep 0.02; done
    kernel=$(cat {directory}/*/pid)
    while tr -d '\0' <"/proc/$kernel/cmdline" | grep -q .; do sleep 0.02; done
    sleep 1
    kill -CONT "$terminal"
) >/dev/null 2>&1 &
"#,
        real = tool("screen", "screen").get_program().to_string_lossy(),
        directory = lab.runtime().join("b").display(),
    );
    fs::create_dir(lab.path("bin")).unwrap();
    lab.write("bin/screen", &slow);
    fs::set_permissions(lab.path("bin/screen"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", lab.path("bin").display(), env::var("PATH").unwrap());
    let mut launch = lab.program(&["launch", "lab", "-h", "b"]);
    let launched = lab.answer(&launch.env("PATH", path).output().unwrap());
    assert_eq!(launched.code, Some(1), "{launched:?}");
    let told = "error: b: its kernel has panicked; the last lines of its console:\n    ";
    assert!(launched.stderr.contains(told), "{launched:?}");
    assert!(
        launched.stderr.contains("\n    Kernel panic - not syncing"),
        "{launched:?}"
    );
    assert_eq!(lab.run(&["stop", "lab", "-H"]).code, Some(0));
    lab.assert_nothing_left();
}

#[test]
fn what_is_missing_or_in_the_way_is_told_before_anything_starts() {
    let lab = two_machines();
    fs::remove_file(lab.path("home/projects/lab/b/root.img")).unwrap();
    let file = lab.path("home/projects/lab/launch.json");
    let text = fs::read_to_string(&file)
        .unwrap()
        .replacen("linux.uml", "/nowhere/linux", 1);
    lab.write("home/projects/lab/launch.json", &text);
    let launched = lab.run(&["launch", "lab"]);
    assert_eq!(launched.code, Some(1));
    assert_eq!(
        lines(&launched.stderr),
        [
            "error: a: its kernel `/nowhere/linux` is not there",
            "error: b: its file `LAB/home/projects/lab/b/root.img` is not there",
            "error: nothing was started: 2 things are in the way",
            "hint: install the Debian package user-mode-linux, or name a kernel: `kernel` in the project, \
             `default_kernel` or `xen_kernel` in mln.conf",
            "hint: bake the project again",
        ]
    );
    lab.assert_nothing_left();
    let dry = lab.run(&["launch", "lab", "--dry-run"]);
    assert_eq!(dry.code, Some(1));
    assert!(
        dry.stdout
            .starts_with("uml_switch -unix RUN/lan.ctl -daemon\ncd LAB/home/projects/lab/a && "),
        "{dry:?}"
    );
    lab.assert_nothing_left();
}

#[test]
fn a_socket_in_the_way_stops_a_launch_and_one_that_is_stale_does_not() {
    let lab = two_machines();
    let socket = lab.runtime().join("lan.ctl");
    let made = lab
        .command("mkdir")
        .args(["-m", "700", "-p"])
        .arg(lab.runtime())
        .status()
        .unwrap();
    assert!(made.success());
    let made = lab
        .command("chmod")
        .arg("700")
        .arg(lab.path("home/run"))
        .status()
        .unwrap();
    assert!(made.success());
    let listener = UnixListener::bind(&socket).unwrap();
    // Else it would be in the way for another reason: the user may not ask who listens.
    let given = tool("chown", "coreutils")
        .arg("mln-test")
        .arg(&socket)
        .status()
        .unwrap();
    assert!(given.success());
    let launched = lab.run(&["launch", "lab"]);
    assert_eq!(launched.code, Some(1));
    assert_eq!(
        lines(&launched.stderr),
        [
            "error: `RUN/lan.ctl` is in the way: another program's socket, or no socket",
            "error: nothing was started: one thing is in the way"
        ]
    );
    assert_eq!(lab.processes(), Vec::<String>::new());
    drop(listener);
    let launched = lab.run(&["launch", "lab", "-h", "a"]);
    assert_eq!(launched.code, Some(0), "{launched:?}");
    assert!(
        launched.stderr.starts_with(
            "note: switch `lan`: removed the socket `RUN/lan.ctl` that a crashed run has left\n"
        ),
        "{launched:?}"
    );
    assert_eq!(lab.run(&["stop", "lab", "-H"]).code, Some(0));
    lab.assert_nothing_left();
}

#[test]
fn a_killed_machine_has_crashed_and_starts_anew() {
    let lab = two_machines();
    assert_eq!(lab.run(&["launch", "lab"]).code, Some(0));
    let pid = fs::read_to_string(lab.runtime().join("a/a/pid")).unwrap();
    assert!(
        lab.command("kill")
            .args(["-9", pid.trim()])
            .status()
            .unwrap()
            .success()
    );
    sleep(Duration::from_millis(200));
    let status = lab.run(&["status", "lab"]);
    assert_eq!(
        status.stdout,
        "lab host a crashed\nlab host b up\nlab switch lan up\n"
    );
    let launched = lab.run(&["launch", "lab"]);
    assert_eq!(
        (launched.code, &*launched.stdout),
        (Some(0), "launched lab: 2 hosts\n"),
        "{launched:?}"
    );
    assert!(
        launched
            .stderr
            .starts_with("note: a: cleaned up after a crashed run\n"),
        "{launched:?}"
    );
    // Two at once: one of them works, the other is told so, whichever comes second.
    let spawn_stop = || {
        let mut stop = lab.program(&["stop", "lab"]);
        stop.stderr(Stdio::null()).spawn().unwrap()
    };
    let mut stop = spawn_stop();
    let deadline = Instant::now() + Duration::from_mins(1);
    let refused = loop {
        let launched = lab.run(&["launch", "lab"]);
        if launched.code != Some(0) || Instant::now() > deadline {
            break launched;
        }
        if stop.try_wait().unwrap().is_some() {
            stop = spawn_stop();
        }
    };
    assert_eq!(
        refused.stderr,
        "error: another process is starting or stopping project `lab`\n"
    );
    assert!(stop.wait_with_output().unwrap().status.success());
    lab.assert_nothing_left();
}

#[test]
fn a_launch_that_is_interrupted_takes_back_what_it_started() {
    let lab = two_machines();
    let mut launch = launching(&lab, Duration::from_secs(30));
    sleep(Duration::from_millis(300));
    let killed = lab
        .command("kill")
        .args(["-INT", &launch.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(launch.wait().unwrap().code(), Some(130));
    lab.assert_nothing_left();
    assert!(find(&lab.path("home/projects"), "launch.json").exists());
}

#[test]
fn a_second_launch_is_refused_and_one_that_was_killed_outright_is_taken_up_by_the_next() {
    let lab = two_machines();
    let mut launch = launching(&lab, Duration::from_mins(1));
    // The first still waits for its machines. Held still, so that it does so for as long as is needed here.
    let signal = |name: &str| {
        let killed = lab
            .command("kill")
            .args([name, &launch.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
    };
    signal("-STOP");
    let second = lab.run(&["launch", "lab"]);
    assert_eq!(
        (second.code, &*second.stdout, &*second.stderr),
        (
            Some(1),
            "",
            "error: another process is starting or stopping project `lab`\n"
        )
    );
    signal("-KILL");
    assert!(!launch.wait().unwrap().success());
    let launched = lab.run(&["launch", "lab"]);
    assert_eq!(
        (launched.code, &*launched.stdout),
        (Some(0), "launched lab: 2 hosts\n"),
        "{launched:?}"
    );
    assert_eq!(
        lab.run(&["status", "lab"]).stdout,
        "lab host a up\nlab host b up\nlab switch lan up\n"
    );
    assert_eq!(lab.run(&["stop", "lab"]).code, Some(0));
    lab.assert_nothing_left();
}

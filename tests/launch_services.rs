//! What a project gets where root starts it: its own commands run, this server's address on a switch, addresses handed
//! out there, machines that run as somebody else, and waiting for what answers over the network.
//!
//! All of it happens in a network namespace of the test's own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use crate::support::running::{Lab, SECRET, Talk};
use crate::support::tool;

const PROJECT: &str = r#"global {
    project lab
    beforeProjectStart { echo "before project $MLN_PROJECT" }
    beforeHostsStart { echo before hosts }
    afterHostsStart { echo after hosts }
    afterProjectStart { echo after project }
    beforeProjectStop { echo stopping }
    beforeHostsStop { echo stopping hosts }
    afterHostsStop { echo stopped hosts }
    afterProjectStop { echo stopped }
}
switch lan { address 10.9.0.1/24; dhcp 10.9.0.100 10.9.0.110 }
switch side { sudo mln-test }
superclass common {
    template busybox.ext4
    memory 96M
    size 20M
    root_password SECRET
    network eth0 { switch lan; netmask 255.255.255.0 }
}
host a { superclass common; term screen; sudo mln-test; nice 7; network eth0 { address dhcp } }
host b {
    superclass common
    term tmux
    group adm
    network eth0 { address 10.9.0.20 }
    network eth1 { switch side; address 10.8.0.2; netmask 255.255.255.0 }
}
host c {
    superclass common
    term log
    network eth0 { address 10.9.0.30 }
    network eth1 { switch side; address 10.8.0.3; netmask 255.255.255.0 }
    # Only who is answered over the switch of another user answers.
    startup { (ping -c 1 -w 30 10.8.0.2 && while :; do echo SSH-2.0-none | nc -l -p 22; done) & }
}
"#;

/// Runs every command in turn, and waits before it stops everything.
const SCRIPT: &str = r#"
mount -t sysfs sysfs /sys
ip link set lo up
# An ordinary user may open taps here, whatever holds outside.
mknod -m 666 "$MLN_RUNTIME_DIR.tun" c 10 200
mount --bind "$MLN_RUNTIME_DIR.tun" /dev/net/tun
$MLN launch lab -h a
$MLN launch lab -h b --until ping
$MLN launch lab -h c --until ssh
ps -eo user:20,ni,args | awk -v place="uml_dir=$MLN_RUNTIME_DIR/" \
    '$3 == "linux.uml" && index($0, place) { print $1, $2, $3, substr($4, 6) }' | sort -u
ps -eo user:20,args | awk -v place="$MLN_RUNTIME_DIR/" '$2 ~ "uml_switch$" && index($0, place) { print $1, "uml_switch" }'
stat -c '%U:%G %A' "$PROJECTS/lab/b/root.img"
cut -d' ' -f3,4 "$PROJECTS/lab/dnsmasq.lan.leases"
ip -o -4 address show dev lan.lab | grep -o 'inet [^ ]*'
echo READY
read go
$MLN stop lab -s 0.1
ip -o link | cut -d: -f2
"#;

fn script(lab: &Lab) -> std::process::Command {
    let projects = lab.path("home/projects").display().to_string();
    let program = format!(
        "{} -P {projects} -T {}",
        lab.path("mln-image").display(),
        lab.path("templates").display()
    );
    let mut command = tool("unshare", "util-linux");
    command
        .args(["--net", "--mount", "sh", "-euc", &format!("{{ {SCRIPT} }} 2>&1")])
        .env("MLN", program)
        .env("PROJECTS", projects)
        .env("MLN_RUNTIME_DIR", lab.path("run"))
        .env("SCREENDIR", lab.path("home/screen"))
        .env("TMUX_TMPDIR", lab.path("home"))
        .env_remove("DISPLAY");
    command
}

/// What shows the console of the machine `name` to root.
fn console(lab: &Lab, name: &str) -> Talk {
    let console = format!(
        "{} -P {} console {name}.lab",
        lab.path("mln-image").display(),
        lab.path("home/projects").display()
    );
    let mut script = tool("script", "bsdutils");
    script
        .args(["-qec", &console, "/dev/null"])
        .env("MLN_RUNTIME_DIR", lab.path("run"))
        .env("SCREENDIR", lab.path("home/screen"))
        .env("TMUX_TMPDIR", lab.path("home"))
        .env("TERM", "vt100");
    Talk::with(&mut script)
}

/// Talks with the machine whose address was handed out, in screen, and with one in tmux.
#[track_caller]
fn talks(lab: &Lab) {
    let mut screen = console(lab, "a");
    screen.log_in("root", "secret");
    assert_eq!(screen.ask("hostname"), "a");
    let address = screen.ask("ip -4 addr show eth0 | grep -o 'inet [^ ]*'");
    assert_eq!(address, "inet 10.9.0.100/24");
    // tmux draws its own way, so that only words are looked for.
    let mut tmux = console(lab, "b");
    tmux.say("\n");
    tmux.hear("login: ");
    tmux.say("root\n");
    tmux.hear("assword: ");
    tmux.say("secret\n");
    tmux.hear("built-in shell");
}

/// What is told of every start and stop, without how long things took.
const TOLD: &str = "note: beforeProjectStart: before project lab
note: beforeHostsStart: before hosts
a: up
note: afterHostsStart: after hosts
note: afterProjectStart: after project
launched lab: 1 host
note: beforeProjectStart: before project lab
note: beforeHostsStart: before hosts
b: up
note: afterHostsStart: after hosts
note: afterProjectStart: after project
launched lab: 1 host
note: beforeProjectStart: before project lab
note: beforeHostsStart: before hosts
c: up
note: afterHostsStart: after hosts
note: afterProjectStart: after project
launched lab: 1 host
mln-test 7 linux.uml a
root 0 linux.uml b
root 0 linux.uml c
mln-test uml_switch
mln-test:adm -rw-rw----
10.9.0.100 a
inet 10.9.0.1/24
note: beforeProjectStop: stopping
note: beforeHostsStop: stopping hosts
a: down
b: down
c: down
note: afterHostsStop: stopped hosts
note: afterProjectStop: stopped
stopped lab: 3 hosts
lo
";

#[test]
fn root_has_addresses_handed_out_machines_run_as_others_and_the_projects_commands_run() {
    let lab = Lab::with(&PROJECT.replace("SECRET", SECRET));
    let mut child = script(&lab)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if line == "READY" {
            talks(&lab);
            child.stdin.take().unwrap().write_all(b"\n").unwrap();
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let line = match &words[..] {
            [name, "up", "after", _, "s"] => format!("{name} up"),
            words => words.join(" "),
        };
        told.push_str(&(line + "\n"));
    }
    assert!(child.wait().unwrap().success(), "{told}");
    assert_eq!(told, TOLD);
    assert_eq!(lab.processes(), Vec::<String>::new());
    assert_eq!(std::fs::read_dir(lab.path("run")).unwrap().count(), 0);
}

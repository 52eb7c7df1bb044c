//! Machines of QEMU on a bridge of the server, started by root: each interface gets a tap device of its own.

use std::process::Command;

use crate::support::bakery::Bakery;
use crate::support::recovery::put;
use crate::support::{ExtKind, tool};

const PROJECT: &str = "\
global { project farm }
host www1 { template small.ext4
    size 56M
    qemu
    term log
    network eth0 { bridge mlnbr0; address 10.0.0.1; netmask 255.255.255.0 } }
";

/// What the shell in a network of its own runs: the bridge, the commands for the tap as they are shown, and QEMU with it.
const SCRIPT: &str = r#"
ip link add name mlnbr0 type bridge
eval "$1"
timeout 20 "$3" -nodefaults -display none -S -machine q35,accel=tcg -qmp stdio $2 <<END
{"execute":"qmp_capabilities"}
{"execute":"quit"}
END
bridge link show | grep -o 'master mlnbr0'
"#;

#[test]
fn root_gives_each_interface_of_qemu_a_tap_on_its_bridge() {
    let bakery = Bakery::with_template(ExtKind::Ext4);
    put(&bakery.path("farm.mln"), PROJECT.as_bytes());
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mln-image"));
        command.args(arguments).arg("-P").arg(bakery.path("projects"));
        command
            .arg("-T")
            .arg(bakery.path("templates"))
            .current_dir(bakery.path(""));
        command
            .env("HOME", bakery.path(""))
            .env("MLN_RUNTIME_DIR", bakery.path("run"));
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["bake", "farm.mln"]);
    let shown = run(&["launch", "-n", "farm"]);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 4, "{shown}");
    let tap = lines[0]
        .strip_prefix("ip tuntap add dev ")
        .and_then(|rest| rest.strip_suffix(" mode tap"))
        .unwrap();
    assert_eq!(lines[1], format!("ip link set {tap} master mlnbr0"));
    assert_eq!(lines[2], format!("ip link set {tap} up"));
    let netdev = format!(" -netdev tap,id=eth0,ifname={tap},script=no,downscript=no ");
    assert!(lines[3].contains(&netdev), "{shown}");
    // QEMU itself takes the tap that is made so.
    let device = lines[3]
        .split(" -device ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    let mut shell = tool("unshare", "util-linux");
    let output = shell
        .args(["-n", "--", "sh", "-euc", SCRIPT, "sh"])
        .arg(lines[..3].join("\n"))
        .arg(format!("{} -device {device}", netdev.trim()))
        .arg(tool("qemu-system-x86_64", "qemu-system-x86").get_program())
        .output()
        .unwrap();
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{answer}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(answer.ends_with("master mlnbr0\n"), "{answer}");
}

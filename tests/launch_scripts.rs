//! User-Mode Linux and QEMU: the whole scripts, and what they call when they are run from elsewhere.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use mln_image::base::{ByteSize, GuestPath};
use mln_image::launch::{DomainSpec, Firmware, LaunchFile, LaunchSettings, files, specify};
use mln_image::project::{ExtraMount, Host, InterfaceAddress, Platform, Project, Switch, Terminal};

use crate::support::project::{at, host, interface, of, project};
use crate::support::scripts::Bench;

/// The runtime directory of a project called `webfarm` in `/srv`.
const RUNTIME: &str = "webfarm-a3d9ac4f";

/// A host on a project switch, with a swap image.
fn www1(platform: Platform, terminal: Terminal) -> Host {
    let mut eth0 = interface("eth0");
    eth0.switch = Some(at(12, "switch lan", "lan".to_owned()));
    Host {
        platform: of(platform),
        term: of(terminal),
        swap: Some(of(ByteSize(64 << 20))),
        interfaces: vec![eth0],
        ..host("www1")
    }
}

fn defined(host: &Host) -> DomainSpec {
    let switch = Switch {
        name: "lan".to_owned(),
        origin: host.origin.clone(),
        hub: true,
        bridge: None,
        socket: None,
        tap: None,
        owner: None,
        group: None,
        run_as: None,
        service_host: None,
        address: None,
        dhcp: None,
    };
    let project = Project {
        switches: vec![switch],
        ..project("webfarm", [host.clone()])
    };
    specify(&project, host, &LaunchSettings::new(PathBuf::from("/srv/www1"))).unwrap()
}

fn script(files: &[LaunchFile], name: &str) -> String {
    let file = files.iter().find(|file| file.name == name).unwrap();
    assert_eq!(file.mode, 0o755);
    file.content.clone()
}

/// The stand-ins' calls, waited for, since a script may have left them in the background.
fn calls(bench: &Bench) -> String {
    for _ in 0..500 {
        let calls = bench.calls();
        if !calls.is_empty() {
            return calls;
        }
        sleep(Duration::from_millis(10));
    }
    String::new()
}

/// The whole `start` of a machine under User-Mode Linux.
const START: &str = r#"#!/bin/sh
# Starts the machine `www1.webfarm` on uml. Written by mln-image.
set -eu
unset CDPATH
cd -- "$(dirname -- "$0")"

if [ "$(id -u)" = 0 ]; then run=/run/mln; else run=/tmp/mln-$(id -u); fi
run=${MLN_RUNTIME_DIR:-$run}
(umask 077 && mkdir -p "$run")
[ -O "$run" ] || {
    echo "$run belongs to somebody else" >&2
    exit 1
}
run=$run/webfarm-a3d9ac4f
if [ -e "$run"/www1/www1/pid ] && kill -0 "$(cat "$run"/www1/www1/pid)" 2>/dev/null; then
    echo 'www1.webfarm is running already' >&2
    exit 1
fi
mkdir -p "$run"/www1
[ -S "$run"/lan.ctl ] || {
    echo 'eth0 needs its switch; start it by: uml_switch -unix '"$run"'/lan.ctl -hub -daemon' >&2
    exit 1
}
TMPDIR=/dev/shm
export TMPDIR
screen \
    -dmS \
    www1.webfarm \
    setarch \
    -R \
    linux.uml \
    umid=www1 \
    uml_dir="$run"/www1 \
    mem=128M \
    ubd0d=root.img \
    ubd1d=swap.img \
    eth0=daemon,fe:fd:48:50:fe:01,unix,"$run"/lan.ctl \
    con=none \
    ssl=none \
    ssl0=fd:0,fd:1 \
    console=ttyS0 \
    root=/dev/ubda \
    rw
"#;

/// The whole `stop`.
const STOP: &str = r#"#!/bin/sh
# Stops the machine `www1.webfarm` on uml. Written by mln-image.
set -eu
unset CDPATH
cd -- "$(dirname -- "$0")"

if [ "$(id -u)" = 0 ]; then run=/run/mln; else run=/tmp/mln-$(id -u); fi
run=${MLN_RUNTIME_DIR:-$run}
(umask 077 && mkdir -p "$run")
[ -O "$run" ] || {
    echo "$run belongs to somebody else" >&2
    exit 1
}
run=$run/webfarm-a3d9ac4f
[ -S "$run"/www1/www1/mconsole ] || {
    echo 'www1.webfarm is not running' >&2
    exit 1
}
case "${1-}" in
'') exec uml_mconsole "$run"/www1/www1/mconsole cad ;;
--hard) exec uml_mconsole "$run"/www1/www1/mconsole halt ;;
*)
    echo "usage: $0 [--hard]" >&2
    exit 2
    ;;
esac
"#;

#[test]
fn user_mode_linux_scripts_are_whole() {
    let files = files(&defined(&www1(Platform::Uml, Terminal::Screen)));
    assert_eq!(
        files.iter().map(|file| file.name).collect::<Vec<_>>(),
        ["start", "stop"]
    );
    assert_eq!(script(&files, "start"), START);
    assert_eq!(script(&files, "stop"), STOP);
}

#[test]
fn user_mode_linux_starts_in_each_terminal() {
    let machine = |runtime: &Path, console: &str| {
        let runtime = runtime.display();
        format!(
            "<umid=www1> <uml_dir={runtime}/www1> <mem=128M> <ubd0d=root.img> <ubd1d=swap.img> \
             <eth0=daemon,fe:fd:48:50:fe:01,unix,{runtime}/lan.ctl> <con=none> <ssl=none> <ssl0={console}> \
             <console=ttyS0> <root=/dev/ubda> <rw>\n"
        )
    };
    for (terminal, before, console) in [
        (
            Terminal::Screen,
            "screen TMPDIR=/dev/shm <-dmS> <www1.webfarm> <setarch> <-R> <linux.uml> ",
            "fd:0,fd:1",
        ),
        (
            Terminal::Tmux,
            "tmux TMPDIR=/dev/shm <new-session> <-d> <-s> <www1_webfarm> <setarch> <-R> <linux.uml> ",
            "fd:0,fd:1",
        ),
        (
            Terminal::Xterm,
            "xterm TMPDIR=/dev/shm <-T> <www1.webfarm> <-e> <setarch> <-R> <linux.uml> ",
            "fd:0,fd:1",
        ),
        (Terminal::Pty, "linux.uml TMPDIR=/dev/shm ", "pts"),
        (Terminal::Log, "linux.uml TMPDIR=/dev/shm ", "null,fd:1"),
        (Terminal::None, "linux.uml TMPDIR=/dev/shm ", "null,fd:1"),
    ] {
        let files = files(&defined(&www1(Platform::Uml, terminal)));
        let bench = Bench::new(&files, &["linux.uml", "screen", "tmux", "xterm", "uml_mconsole"]);
        let runtime = bench.runtime().join(RUNTIME);
        fs::create_dir_all(runtime.join("www1/www1")).unwrap();
        let _listeners =
            ["lan.ctl", "www1/www1/mconsole"].map(|name| UnixListener::bind(runtime.join(name)).unwrap());
        let output = bench.run("start", &[]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(calls(&bench), format!("{before}{}", machine(&runtime, console)));
        assert!(bench.run("stop", &[]).status.success());
        let mconsole = runtime.join("www1/www1/mconsole");
        assert_eq!(
            bench.calls(),
            format!("uml_mconsole <{}> <cad>\n", mconsole.display())
        );
        assert!(bench.run("stop", &["--hard"]).status.success());
        assert_eq!(
            bench.calls(),
            format!("uml_mconsole <{}> <halt>\n", mconsole.display())
        );
    }
}

#[test]
fn user_mode_linux_says_what_is_missing_or_running() {
    let bench = Bench::new(
        &files(&defined(&www1(Platform::Uml, Terminal::Screen))),
        &["screen"],
    );
    let output = bench.run("start", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!(
            "eth0 needs its switch; start it by: uml_switch -unix {}/lan.ctl -hub -daemon\n",
            bench.runtime().join(RUNTIME).display()
        )
    );
    let output = bench.run("stop", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "www1.webfarm is not running\n"
    );
    let running = bench.runtime().join(RUNTIME).join("www1/www1");
    fs::create_dir_all(&running).unwrap();
    let pid = std::process::id().to_string();
    mln_image::base::atomic::write(
        &running.join("pid"),
        pid.as_bytes(),
        mln_image::base::atomic::Durability::NoSync,
    )
    .unwrap();
    let output = bench.run("start", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "www1.webfarm is running already\n"
    );

    let mut lan = www1(Platform::Uml, Terminal::Screen);
    let mut eth3 = interface("eth3");
    eth3.address = Some(of(InterfaceAddress::Static([10, 0, 0, 1].into())));
    lan.interfaces = vec![eth3];
    let bench = Bench::new(&files(&defined(&lan)), &["screen"]);
    let output = bench.run("start", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "eth3 needs the tap device tape2307dffc267; as root: ip tuntap add dev tape2307dffc267 mode tap user USER && \
         ip link set tape2307dffc267 master xenbr0 up\n"
    );
    assert_eq!(bench.calls(), "");
}

#[test]
fn user_mode_linux_takes_odd_words_but_no_comma_in_a_path() {
    let mount = |source: &str| {
        of(ExtraMount {
            source: source.to_owned(),
            mount_point: GuestPath::literal("/cd"),
            file_system: "iso9660".to_owned(),
            options: "ro".to_owned(),
        })
    };
    let mut host = Host {
        platform: of(Platform::Uml),
        term: of(Terminal::None),
        kernel: Some(of("./my linux".to_owned())),
        ramdisk: Some(of("it's.gz".to_owned())),
        mounts: vec![mount("$HOME/cd rom.iso")],
        ..host("www1")
    };
    let bench = Bench::new(&files(&defined(&host)), &[]);
    fs::copy("/bin/true", bench.directory().join("my linux")).unwrap();
    assert!(bench.run("start", &[]).status.success());
    let start = fs::read_to_string(bench.directory().join("start")).unwrap();
    assert!(
        start.contains(
            "nohup \\\n    setarch \\\n    -R \\\n    './my linux' \\\n    umid=www1 \\\n    \
             uml_dir=\"$run\"/www1 \\\n    mem=128M \\\n    \
             'initrd=it'\\''s.gz' \\\n    ubd0d=root.img \\\n    'ubd1rd=$HOME/cd rom.iso' \\\n"
        ),
        "{start}"
    );
    host.mounts = vec![mount("a,b")];
    let error = specify(&project("p", []), &host, &LaunchSettings::new(PathBuf::new())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`a,b` has a comma or a control character, which uml cannot take (p.mln:1: host www1)"
    );
}

#[test]
fn qemu_starts_with_disks_switch_and_a_monitor_of_pipes() {
    let mut host = www1(Platform::Qemu, Terminal::Screen);
    host.vcpus = Some(of(2));
    let bench = Bench::new(&files(&defined(&host)), &["screen", "qemu-system-x86_64"]);
    assert!(bench.run("start", &[]).status.success());
    let switch = bench.runtime().join(RUNTIME).join("lan.vde");
    let expected = format!(
        "screen <-dmS> <www1.webfarm> <qemu-system-x86_64> <-nodefaults> <-display> <none> <-name> <www1.webfarm> \
         <-machine> <q35,accel=kvm:tcg> <-cpu> <max> <-m> <128M> <-smp> <2> <-kernel> </vmlinuz> <-initrd> \
         </initrd.img> <-append> <console=ttyS0 root=/dev/vda rw net.ifnames=0> \
         <-drive> <if=virtio,format=raw,file=root.img> <-drive> <if=virtio,format=raw,file=swap.img> \
         <-netdev> <vde,id=eth0,sock={}> <-device> <virtio-net-pci,netdev=eth0,mac=52:54:00:48:50:fe> \
         <-serial> <stdio> <-chardev> <pipe,id=monitor,path=monitor> <-mon> <chardev=monitor,mode=readline> \
         <-pidfile> <qemu.pid>\n",
        switch.display()
    );
    assert_eq!(bench.calls(), expected);
    assert!(bench.directory().join("monitor.in").exists());
    for arguments in [&[][..], &["--hard"]] {
        let output = bench.run("stop", arguments);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            "www1.webfarm is not running\n"
        );
    }
}

#[test]
fn qemu_leaves_a_disk_that_can_start_itself_to_its_firmware() {
    let start = |firmware, kernel: Option<&str>| {
        let mut host = www1(Platform::Qemu, Terminal::Log);
        host.interfaces.clear();
        host.kernel = kernel.map(|kernel| of(kernel.to_owned()));
        let settings = LaunchSettings {
            root_partition: Some(1),
            firmware,
            ..LaunchSettings::new(PathBuf::from("/srv/www1"))
        };
        let spec = specify(&project("webfarm", [host.clone()]), &host, &settings).unwrap();
        script(&files(&spec), "start").replace(" \\\n    ", " ")
    };
    let bios = start(Some(Firmware::Bios), None);
    assert!(!bios.contains("-kernel") && !bios.contains("-bios"), "{bios}");
    let uefi = start(Some(Firmware::Uefi), None);
    assert!(
        !uefi.contains("-kernel") && uefi.contains(" -bios /usr/share/ovmf/OVMF.fd "),
        "{uefi}"
    );
    // A kernel that the project names goes before; a disk of which nothing is known needs the server's.
    let own = start(Some(Firmware::Uefi), Some("/boot/own"));
    assert!(
        own.contains(" -kernel /boot/own ") && !own.contains("-bios"),
        "{own}"
    );
    assert!(own.contains("root=/dev/vda1"), "{own}");
    assert!(start(None, None).contains(" -kernel /vmlinuz "));
}

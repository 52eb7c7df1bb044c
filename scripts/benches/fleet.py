"""Ninety machines, raw and as deltas: against copies, against copies that are also grown and configured, against what the
original took, and against virt-customize."""

import os
import shutil
import subprocess
import sys

# What a project of 90 nodes took with MLN 1.0.8.8, to 90 plain copies of the same template on the same machine.
ORIGINAL_TO_COPIES = 71 / 19

RAW = "bake"
DELTA = "bake --format qcow2"
COLD = "bake --format qcow2, nothing in memory"
COPY = "cp --sparse=always"
DISK = "dd conv=sparse oflag=direct, which copies alone"
WHOLE = "cp, truncate, e2fsck, resize2fs, debugfs"
ORIGINAL = "the original's 71 s, scaled by cp"

PAIRS = [
    (RAW, COPY, 0.5),
    (RAW, DISK, None),
    (RAW, WHOLE, 0.4),
    (DELTA, WHOLE, 0.01),
    (COLD, WHOLE, None),
    (RAW, ORIGINAL, 0.15),
    (DELTA, ORIGINAL, 0.003),
    (COLD, ORIGINAL, None),
]


def contestants(bench):
    """Ours and the peers, for `bench.options.hosts` machines; nothing is synced on either side."""
    hosts = bench.options.hosts
    direct = 'dd status=none bs=1M conv=sparse oflag=direct if="$T" of="$P/$1.img"'
    copy = 'cp --sparse=always "$T" "$P/$1.img"'
    grown = '; truncate -s 2G "$P/$1.img"; e2fsck -fp "$P/$1.img"; resize2fs "$P/$1.img"; debugfs -w -f "$C" "$P/$1.img"'
    return {
        RAW: lambda: bench.bake(hosts, "--no-sync"),
        DELTA: lambda: bench.bake(hosts, "--no-sync", "--format", "qcow2"),
        COLD: lambda: bench.bake(hosts, "--no-sync", "--format", "qcow2", cold=True),
        DISK: lambda: bench.shell(direct),
        COPY: lambda: bench.shell(copy),
        WHOLE: lambda: bench.shell(copy + grown),
    }


def with_scaled(medians):
    """The medians, and what the original would have taken here."""
    return medians | {ORIGINAL: medians[COPY] * ORIGINAL_TO_COPIES}


def virt_customize(bench):
    """Seconds that libguestfs takes to configure one copy of the template, and by what; nothing where it is not installed."""
    if not shutil.which("virt-customize"):
        return None
    bench.clear()
    image = bench.peers / "one.img"
    shutil.copy(bench.template, image)
    words = ["virt-customize", "-q", "--no-network", "-a", image, "--hostname", "node1"]
    for name, target in [("hosts", "/etc/hosts"), ("interfaces", "/etc/network/interfaces")]:
        words += ["--upload", f"{bench.files / name}:{target}"]
    words += ["--run-command", "id john || useradd -m john; groupadd -f admin; usermod -aG admin john"]
    # A /dev/kvm that is there need not work. The first run builds libguestfs's own machine.
    for how, settings in [("KVM", {}), ("TCG, since KVM does not work", {"LIBGUESTFS_BACKEND_SETTINGS": "force_tcg"})]:
        environment = dict(os.environ, LIBGUESTFS_BACKEND="direct", **settings)
        if subprocess.run(words, env=environment, capture_output=True).returncode == 0:
            return bench.timed(words, clear=False, env=environment)[0], how
    sys.exit("bench: virt-customize failed: " + " ".join(map(str, words)))

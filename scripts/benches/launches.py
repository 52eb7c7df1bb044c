"""Machines of busybox under User-Mode Linux on one switch, started by `mln-image launch` and by a plain shell loop."""

import os
import pathlib
import shutil
import subprocess

from benches.shell import measured

PROJECT = """global {{ project bench }}
switch lan {{ }}
superclass common {{ template busybox.ext4; memory 40M; size 20M; term log; network eth0 {{ switch lan }} }}
{hosts}
"""

# The same kernel, memory, disk, network and console for each machine, and the same word that tells it is up.
LOOP = """
uml_switch -unix "$R/lan.ctl" -daemon
for number in $(seq "$N"); do
    host=node$number
    mkdir "$R/$host"
    (
        cd "$P/$host"
        TMPDIR=/dev/shm exec setsid setarch -R linux.uml "umid=$host" "uml_dir=$R/$host" mem=40M ubd0=root.img \
            "eth0=daemon,$(printf 'fe:fd:00:00:01:%02x' "$number"),unix,$R/lan.ctl" con=none ssl=none ssl0=null,fd:1 \
            console=ttyS0 root=/dev/ubda rw </dev/null >"$R/$host.console" 2>&1
    ) &
done
for number in $(seq "$N"); do
    until grep -q '^BOOT-OK' "$R/node$number.console"; do sleep 0.03; done
done
"""


class Launches:
    """The same machines started by ours and by the loop in turn, each from fresh images."""

    PAIRS = [("mln-image launch", "uml_switch, linux.uml &, grep", 1.1)]

    def __init__(self, program, place, count):
        self.program = str(program)
        self.place = pathlib.Path(place)
        self.count = count
        self.peak = 0
        # The paths of sockets have to be short.
        self.runtime = pathlib.Path(f"/tmp/mln-bench-{os.getpid()}")
        self.environment = dict(
            os.environ,
            PATH=os.environ["PATH"] + ":/sbin:/usr/sbin",
            MLN_RUNTIME_DIR=str(self.runtime / "ours"),
            R=str(self.runtime / "theirs"),
            P=str(self.place / "projects/bench"),
            N=str(count),
        )
        self.run("template", "build", "busybox", "--type", "ext4")
        hosts = "\n".join(f"host node{number} {{ superclass common }}" for number in range(1, count + 1))
        (self.place / "bench.mln").write_text(PROJECT.format(hosts=hosts))
        self.run("bake", str(self.place / "bench.mln"), "--no-sync")
        shutil.copytree(self.place / "projects", self.place / "fresh")

    def run(self, *words):
        places = ["-P", str(self.place / "projects"), "-T", str(self.place / "templates")]
        self.finish([self.program, *places, *words])

    def finish(self, words):
        """Runs a program to its end; gives seconds of wall-clock time."""
        seconds, usage = measured(words, env=self.environment)
        if "launch" in words:
            self.peak = max(self.peak, usage.ru_maxrss)
        return seconds

    def timed(self, start, stop):
        """Seconds from `start` until every machine is up; `stop` ends them."""
        shutil.rmtree(self.place / "projects")
        subprocess.run(
            ["cp", "-a", "--sparse=always", self.place / "fresh", self.place / "projects"], check=True
        )
        shutil.rmtree(self.runtime, ignore_errors=True)
        (self.runtime / "theirs").mkdir(parents=True)
        self.runtime.chmod(0o700)
        os.sync()
        try:
            return start()
        finally:
            stop()
            shutil.rmtree(self.runtime, ignore_errors=True)

    def end_loop(self):
        """Ends what the loop started, which is known by its directory."""
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if str(self.runtime).encode() in words:
                subprocess.run(["kill", "-9", process.name], capture_output=True)

    def contestants(self):
        def ours():
            return self.timed(lambda: self.finish(self.words("launch", "bench")), self.stop)

        def theirs():
            return self.timed(lambda: self.finish(["sh", "-euc", LOOP]), self.end_loop)

        return {"mln-image launch": lambda: (ours(),), "uml_switch, linux.uml &, grep": lambda: (theirs(),)}

    def words(self, *words):
        return [self.program, "-P", str(self.place / "projects"), *words]

    def stop(self):
        self.finish(self.words("stop", "-H", "bench"))

"""Delta images of many hosts: against qemu-img, and from ten hosts to ten thousand."""

import os
import pathlib
import statistics
import subprocess
import sys
import time

from benches.shell import into_memory, measured, run

# The peer neither configures nor checks anything, so that the check is left out; nothing is synced on either side.
FLAGS = ["--no-sync", "--verify", "none"]

PAIRS = [
    ("bake --format qcow2", "qemu-img create -b", 0.2),
    ("bake --format uml-cow", "qemu-img create -b", 0.2),
]


class Deltas:
    """Every run has a directory of its own that stays until the end, so that nothing is removed."""

    def __init__(self, program, place, template, lines):
        self.program = program
        self.place = pathlib.Path(place)
        self.template = template
        self.lines = lines
        self.runs = 0

    def fresh(self):
        self.runs += 1
        directory = self.place / f"deltas-{self.runs}"
        directory.mkdir()
        os.sync()
        return directory

    def free_memory(self):
        """Frees the memory of what was written, but not of what a bake starts from: where there is none left, making room
        takes the next run as much processor time as all else that the kernel does for it."""
        os.sync()
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("1")
        into_memory(self.template, self.program)

    def bake(self, hosts, form):
        """Wall-clock seconds, processor seconds, peak memory in bytes, and the directory with the images."""
        directory = self.fresh()
        project = directory / "bench.mln"
        # What this process has in memory counts for those that it starts: so that no project is held.
        with open(project, "w") as file:
            file.writelines(self.lines(hosts))
        places = ["-T", self.template.parent, "-P", directory]
        command = [self.program, *places, "bake", project, "--jobs", "2", "--format", form, *FLAGS]
        seconds, usage = measured(command)
        return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, directory

    def create(self, hosts):
        directory = self.fresh()
        script = f"seq {hosts} | xargs -P2 -I@ qemu-img create -q -f qcow2 -b '{self.template}' -F raw '{directory}/@.qcow2' 2G"
        start = time.monotonic()
        run(script)
        return (time.monotonic() - start,)

    def contestants(self, hosts):
        return {
            "bake --format qcow2": lambda: self.bake(hosts, "qcow2"),
            "bake --format uml-cow": lambda: self.bake(hosts, "uml-cow"),
            "qemu-img create -b": lambda: self.create(hosts),
        }

    def scale(self, most, rounds):
        """For 10, 100, ... hosts: seconds, processor time, peak memory and disk, each the median of the rounds.

        Every round has all numbers in turn, so that what changes on the machine changes for all of them.
        """
        numbers = [10**power for power in range(1, 10) if 10**power <= most]
        runs = {hosts: [] for hosts in numbers}
        for number in range(rounds):
            for hosts in numbers:
                runs[hosts].append(self.measured(hosts))
                print(f"  round {number + 1}: {hosts} hosts: {runs[hosts][-1][0]:.2f} s", file=sys.stderr)
        return [(hosts, *map(statistics.median, zip(*runs[hosts]))) for hosts in numbers]

    def measured(self, hosts):
        """Seconds, processor seconds, peak memory and disk in bytes of one bake, whose images stay."""
        self.free_memory()
        seconds, processor, memory, directory = self.bake(hosts, "qcow2")
        sectors = ["find", directory / "bench", "-name", "root.qcow2", "-printf", "%b\\n"]
        with subprocess.Popen(sectors, stdout=subprocess.PIPE) as found:
            disk = sum(int(line) * 512 for line in found.stdout)
        return seconds, processor, memory, disk


def scale_table(rows):
    """Prints what a host costs, against the run of 100 hosts; and what each host more costs than the run before, without
    what every run begins with."""
    base = next(row for row in rows if row[0] == 100)
    more = {rows[0][0]: None}
    for (fewer, _, before, _, _), (hosts, _, processor, _, _) in zip(rows, rows[1:]):
        more[hosts] = (processor - before) / (hosts - fewer)
    print("\n| hosts, qcow2 | processor time of a host, to that of 100 | of a host more, to that of 100 | peak memory, to that of 100 | KiB on disk a host |")
    print("| --- | --- | --- | --- | --- |")
    for hosts, _, processor, memory, disk in rows:
        share = processor / hosts / (base[2] / base[0])
        further = "" if more[hosts] is None else f"{more[hosts] / more[base[0]]:.2f}"
        print(f"| {hosts} | {share:.2f} | {further} | {memory / base[3]:.2f} ({memory / 2**20:.0f} MiB) | {disk / hosts / 1024:.0f} |")
    print("goals: at most 1.3, at most 1.5 for 10,000, at most 300")


def plot(rows, path):
    """Draws time and bytes against the number of hosts, both axes by powers of ten."""
    import math

    width, height, left, top = 640, 400, 70, 40
    most = math.log10(rows[-1][0])

    def curve(values, colour, name, place):
        high = math.ceil(math.log10(max(values)))
        low = math.floor(math.log10(min(values)))
        points = []
        for row, value in zip(rows, values):
            x = left + (math.log10(row[0]) - 1) / (most - 1) * width
            y = top + (high - math.log10(value)) / (high - low) * height
            points.append((x, y))
        line = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
        marks = "".join(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="{colour}"/>' for x, y in points)
        side = left - 8 if place == 0 else left + width + 8
        anchor = "end" if place == 0 else "start"
        labels = "".join(
            f'<text x="{side}" y="{top + (high - power) / (high - low) * height + 4:.0f}" text-anchor="{anchor}" '
            f'fill="{colour}">10<tspan dy="-5" font-size="9">{power}</tspan></text>'
            for power in range(low, high + 1)
        )
        title = f'<text x="{left if place == 0 else left + width}" y="20" text-anchor="{"start" if place == 0 else "end"}" fill="{colour}">{name}</text>'
        return f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>{marks}{labels}{title}'

    axis = "".join(
        f'<line x1="{left + (power - 1) / (most - 1) * width:.0f}" y1="{top}" x2="{left + (power - 1) / (most - 1) * width:.0f}" '
        f'y2="{top + height}" stroke="#ddd"/><text x="{left + (power - 1) / (most - 1) * width:.0f}" y="{top + height + 20}" '
        f'text-anchor="middle">{10**power:,}</text>'
        for power in range(1, int(most) + 1)
    )
    seconds = curve([row[1] / rows[0][1] for row in rows], "#1f5fa8", "time, to that of 10 hosts", 0)
    disk = curve([row[4] / 2**20 for row in rows], "#b04a1e", "MiB of all images", 1)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left * 2 + width} {top + height + 50}" '
        f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="white"/>{axis}{seconds}{disk}'
        f'<text x="{left + width / 2:.0f}" y="{top + height + 40}" text-anchor="middle">hosts, as qcow2 images over one '
        f"template</text></svg>\n"
    )

"""A root file system as a tar made a template, by ours; the same tree made an image, by mke2fs."""

import os
import pathlib
import random
import time

from benches.shell import run

PAIRS = [("template import of a tar", "mke2fs -d of its tree", 0.8)]


class Imports:
    """A tree of a gigabyte, mostly small files, as a directory and as a tar of it."""

    FILES = 20_000

    def __init__(self, program, place):
        self.program = program
        self.place = pathlib.Path(place)
        self.tree = self.place / "tree"
        self.tar = self.place / "tree.tar"
        self.runs = 0
        lengths = random.Random(1)
        block = os.urandom(2**20)
        for directory in range(self.FILES // 50):
            at = self.tree / f"usr/share/d{directory}"
            at.mkdir(parents=True)
            for number in range(50):
                length = min(int(lengths.lognormvariate(9.8, 1.5)), len(block))
                (at / f"file{number}").write_bytes(block[:length])
        (self.tree / "etc").mkdir()
        (self.tree / "etc/os-release").write_text("ID=debian\n")
        self.run(f'tar -C "{self.tree}" --numeric-owner -cf "{self.tar}" .')

    def run(self, script):
        run(script, P=str(self.program))

    def timed(self, script):
        self.runs += 1
        directory = self.place / f"run-{self.runs}"
        directory.mkdir()
        os.sync()
        start = time.monotonic()
        self.run(script.format(directory))
        seconds = time.monotonic() - start
        self.run(f'e2fsck -fn "$(ls "{directory}"/*.ext4)"; rm -rf "{directory}"')
        return (seconds,)

    def contestants(self):
        ours = f'"$P" -T {{0}} template import "{self.tar}" --name tree.ext4'
        theirs = f'truncate -s 1400M {{0}}/tree.ext4; mke2fs -q -F -t ext4 -d "{self.tree}" {{0}}/tree.ext4; sync {{0}}/tree.ext4'
        return {
            "template import of a tar": lambda: self.timed(ours),
            "mke2fs -d of its tree": lambda: self.timed(theirs),
        }

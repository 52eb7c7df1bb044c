"""Images made longer and shorter, by ours and by resize2fs."""

import os
import pathlib
import shutil
import time

from benches.shell import run


class Resizes:
    """One image made longer, and one half full made shorter, by ours and by resize2fs in turn."""

    def __init__(self, program, place):
        self.place = pathlib.Path(place)
        self.program = program
        tree = self.place / "tree"
        block = os.urandom(2**20)
        # The front half goes again, so that what stays lies in the back.
        for half, name in enumerate(["front", "back"]):
            for number in range(480):
                directory = tree / f"{half}-{name}" / str(number % 20)
                directory.mkdir(parents=True, exist_ok=True)
                for part, length in enumerate([2**20, 2**19, 2**18, 2**16, 2**12, 300]):
                    (directory / f"{number}-{part}").write_bytes(block[part:part + length])
        small = self.place / "small.base"
        self.run(f'truncate -s 600M "{small}"; mke2fs -q -F -t ext4 -d "{tree}/0-front/0" "{small}"')
        half = self.place / "half.base"
        self.run(f'truncate -s 2G "{half}"; mke2fs -q -F -t ext4 -d "{tree}" "{half}"; "$P" image rm -r "{half}:/0-front"')
        shutil.rmtree(tree)
        peer = self.place / "peer"
        self.run(f'cp --sparse=always "{half}" "{peer}"; resize2fs -M "{peer}"')
        self.reached = self.length(peer)
        self.run(f'cp --sparse=always "{half}" "{peer}"; "$P" image resize "{peer}" --minimum')
        self.least = self.length(peer)

    @staticmethod
    def length(image):
        """The bytes of the file system."""
        with open(image, "rb") as file:
            file.seek(1024)
            superblock = file.read(1024)
        return int.from_bytes(superblock[4:8], "little") * (1024 << int.from_bytes(superblock[24:28], "little"))

    def run(self, script):
        run(script, P=str(self.program))

    def timed(self, base, script):
        """Seconds of wall-clock time that `script` takes with a copy of an image."""
        image = self.place / "image"
        self.run(f'cp --sparse=always "{self.place}/{base}" "{image}"; sync')
        start = time.monotonic()
        self.run(script.format(f'"{image}"'))
        return time.monotonic() - start

    def contestants(self):
        scripts = {
            "image resize, 600 MiB to 2 GiB": ("small.base", '"$P" image resize {} 2G'),
            "truncate, resize2fs": ("small.base", "truncate -s 2G {0}; resize2fs -f {0}; sync {0}"),
            "image resize --minimum": ("half.base", '"$P" image resize {} --minimum'),
            "image resize to what resize2fs -M reaches": ("half.base", f'"$P" image resize {{}} {self.reached}'),
            "resize2fs -M": ("half.base", "resize2fs -M {0}; sync {0}"),
        }
        return {name: (lambda script=script: (self.timed(*script),)) for name, script in scripts.items()}

    PAIRS = [
        ("image resize, 600 MiB to 2 GiB", "truncate, resize2fs", 0.05),
        ("image resize to what resize2fs -M reaches", "resize2fs -M", 1.0),
        ("image resize --minimum", "resize2fs -M", 1.0),
    ]

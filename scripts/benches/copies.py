"""A tree of files into an image, by ours, by a loop mount and by debugfs."""

import os
import pathlib
import time

from benches.shell import run


class Copies:
    """One tree copied into fresh images by ours and by the peers in turn, all forced to the disk. Loop devices need root."""

    FILES = 10_000
    FILE_BYTES = 200 * 2**20 // FILES

    def __init__(self, program, place):
        self.place = pathlib.Path(place)
        self.program = program
        self.image = self.place / "image"
        self.mounted = self.place / "mounted"
        self.mounted.mkdir()
        self.tree = self.place / "tree"
        requests = ["mkdir tree"]
        for directory in range(100):
            (self.tree / f"d{directory}").mkdir(parents=True)
            requests.append(f"mkdir tree/d{directory}")
            for number in range(self.FILES // 100):
                name = f"d{directory}/file{number}"
                (self.tree / name).write_bytes(os.urandom(self.FILE_BYTES))
                requests.append(f"write {self.tree / name} tree/{name}")
        (self.place / "requests").write_text("\n".join(requests) + "\n")
        for count in (10_000, 40_000):
            crowd = self.place / f"crowd{count}"
            crowd.mkdir()
            for number in range(count):
                (crowd / f"entry number {number}").touch()

    def timed(self, script):
        """Seconds of wall-clock time that `script` takes with a fresh image."""
        self.image.unlink(missing_ok=True)
        with open(self.image, "wb") as image:
            image.truncate(600 * 2**20)
        variables = {"D": str(self.place), "P": str(self.program)}
        run('mke2fs -q -F -t ext4 -N 65536 "$D/image"', **variables)
        os.sync()
        start = time.monotonic()
        run(script, **variables)
        return time.monotonic() - start

    def contestants(self):
        ours = '"$P" image cp -r "$D/{}" "$D/image:/"'
        loop = 'mount -o loop "$D/image" "$D/mounted"; cp -a "$D/tree" "$D/mounted"; umount "$D/mounted"; sync "$D/image"'
        scripts = {
            "image cp -r, 10,000 files": ours.format("tree"),
            "mount -o loop, cp -a, umount": loop,
            "debugfs -w -f": 'debugfs -w -f "$D/requests" "$D/image"; sync "$D/image"',
            "image cp -r, 40,000 entries": ours.format("crowd40000"),
            "image cp -r, 10,000 entries": ours.format("crowd10000"),
        }
        return {name: (lambda script=script: (self.timed(script),)) for name, script in scripts.items()}

    PAIRS = [
        ("image cp -r, 10,000 files", "mount -o loop, cp -a, umount", 1.0),
        ("image cp -r, 10,000 files", "debugfs -w -f", 0.5),
        ("image cp -r, 40,000 entries", "image cp -r, 10,000 entries", 5),
    ]

"""What the trials share: a conversation over a console, and a place whose network nobody else is on."""

import gzip
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent.parent


class Failed(Exception):
    """Something was not as it has to be."""


class Console:
    """A program on a terminal of its own: what it prints is waited for, what it asks is answered."""

    def __init__(self, words, environment=None):
        self.heard = b""
        self.all = b""
        self.process, self.terminal = spawn(words, environment)

    def hear(self, pattern, seconds):
        """Waits for `pattern`; gives the match, and forgets everything up to its end."""
        pattern = re.compile(pattern.encode(), re.DOTALL)
        deadline = time.monotonic() + seconds
        while True:
            match = pattern.search(self.heard)
            if match:
                self.heard = self.heard[match.end():]
                return match
            left = deadline - time.monotonic()
            if left <= 0:
                raise Failed(f"{pattern.pattern} was not heard; the last was {self.all[-600:]!r}")
            if select.select([self.terminal], [], [], min(left, 1))[0]:
                try:
                    piece = os.read(self.terminal, 65536)
                except OSError:
                    piece = b""
                if not piece:
                    raise Failed(f"the console was closed; the last was {self.all[-600:]!r}")
                self.heard += piece
                self.all += piece

    def say(self, text):
        os.write(self.terminal, text.encode())

    def log_in(self, user, password, seconds=60):
        """Logs in by the login prompt, which a new line brings out again."""
        for _ in range(int(seconds / 3) + 1):
            self.say("\n")
            try:
                self.hear("login: $", 3)
                break
            except Failed:
                continue
        else:
            raise Failed(f"there is no login prompt; the last was {self.all[-600:]!r}")
        self.say(user + "\n")
        self.hear("assword: ", 30)
        self.say(password + "\n")
        self.settle()

    def become_root(self, password):
        """Goes on as root, whose password is `password`."""
        self.say("stty echo; exec su -\n")
        self.hear("assword: ", 30)
        self.say(password + "\n")
        self.settle()

    def settle(self):
        """Waits for a shell and gives it a prompt of ours, since each user's is another."""
        self.hear(r"[#$] ", 60)
        self.say("stty -echo cols 200; PS1=@@ PS2=; export PS1 PS2; exec sh\n")
        self.hear("exec sh.*@@", 30)
        self.ask("true")

    def ask(self, line, seconds=60):
        """Runs `line` in the guest's shell; gives what it prints and how it ends."""
        self.say(f'{line}; echo "<$?>"\n')
        match = self.hear(r"(.*?)<(\d+)>[\r\n]*.*?@@", seconds)
        text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]|\r", b"", match.group(1))
        # The kernel may say something meanwhile on the same console.
        text = re.sub(rb"(?m)^\[ *\d+\.\d+\] .*\n?", b"", text).decode(errors="replace")
        return text.strip(), int(match.group(2))

    def leave(self):
        """Closes the terminal; what is on it ends by that, or is ended."""
        os.close(self.terminal)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def spawn(words, environment=None):
    """Starts a program on a terminal of 200 columns."""
    main, side = pty.openpty()
    subprocess.run(["stty", "cols", "200", "rows", "50"], stdin=side, check=True)
    process = subprocess.Popen(
        words, stdin=side, stdout=side, stderr=side, start_new_session=True, env=environment
    )
    os.close(side)
    return process, main


def is_alone():
    """Whether this script runs in a network that nobody else is on."""
    return os.environ.get("MLN_TRIAL") == "alone"


def alone():
    """Runs this script again in a network that nobody else is on, where it may make bridges."""
    words = ["unshare", "--net", "--mount"]
    if os.geteuid() != 0:
        words.append("--map-root-user")
    os.environ["MLN_TRIAL"] = "alone"
    # What /sys tells of networks goes by who mounted it.
    words += ["sh", "-ec", 'mount -t sysfs sysfs /sys; exec "$@"', "sh"]
    os.execvp(words[0], words + [sys.executable, os.path.abspath(sys.argv[0])] + sys.argv[1:])


def program(given):
    """The program to try: the given one, else that of this checkout, built."""
    if given:
        return str(pathlib.Path(given).resolve())
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=HERE, check=True)
    return str(HERE / "target/release/mln-image")


def need(programs):
    """Ends the script if a program, or a file with a whole path, is missing."""
    missing = [
        f"{name} (Debian package {package})"
        for name, package in programs.items()
        if not (os.path.exists(name) if os.path.isabs(name) else shutil.which(name))
    ]
    if missing:
        sys.exit("missing: " + ", ".join(missing))


def run(words, **further):
    """Runs a program to the end and shows what it prints; gives that."""
    print("$ " + " ".join(map(str, words)), flush=True)
    done = subprocess.run(words, capture_output=True, text=True, **further)
    text = done.stdout + done.stderr
    print("".join("    " + line + "\n" for line in text.splitlines()), end="", flush=True)
    return done


def unpacked(package, tree):
    """Unpacks Debian's `package` into `tree`, unless it is there, without installing it."""
    if not tree.is_dir():
        subprocess.run(["apt-get", "download", "-qq", package], cwd=tree.parent, check=True)
        archive = next(tree.parent.glob(f"{package}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", archive, tree], check=True)
        archive.unlink()
    return tree


def kernel_package(name, place):
    """Unpacks the newest kernel that Debian's package `name` depends on below `place`."""
    shown = subprocess.run(["apt-cache", "depends", name], capture_output=True, text=True, check=True).stdout
    return unpacked(re.search(r"Depends: (linux-image-\S+)", shown).group(1), place / name)


def modules(tree, wanted):
    """The files of the modules `wanted` of the unpacked kernel `tree`, each after those that it needs."""
    version = next((tree / "lib/modules").iterdir()).name
    subprocess.run(["depmod", "-b", tree, version], check=True)
    root = tree / "lib/modules" / version
    needs = {}
    for line in (root / "modules.dep").read_text().splitlines():
        name, _, needed = line.partition(":")
        needs[name] = needed.split()
    called = {pathlib.Path(path).name.partition(".ko")[0].replace("-", "_"): path for path in needs}
    ordered = []
    for name in wanted:
        path = called.get(name.replace("-", "_"))
        # What is not there is built in.
        for file in [*reversed(needs[path]), path] if path else []:
            if file not in ordered:
                ordered.append(file)
    return [root / file for file in ordered]


INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sysfs /sys; $b mount -t devtmpfs dev /dev
root= init=/sbin/init
for word in $($b cat /proc/cmdline); do
    case $word in root=*) root=${word#root=} ;; init=*) init=${word#init=} ;; esac
done
while read -r module; do $b insmod /modules/$module; done </order
tries=0
until [ -b "$root" ] || [ $tries = 100 ]; do $b sleep 0.1; tries=$((tries + 1)); done
$b mount -o rw "$root" /root || exec $b sh
for place in proc sys dev; do $b mkdir -p /root/$place; done
$b mount --move /dev /root/dev; $b umount /sys; $b umount /proc
exec $b switch_root /root "$init"
"""


def initrd(tree, wanted, path):
    """Writes a ramdisk of busybox and modules that mounts `root=` and goes on there: cpio's newc form, by gzip."""
    entries = [(name, 0o40755, b"") for name in ("bin", "dev", "modules", "proc", "root", "sys")]
    entries.append(("bin/busybox", 0o100755, pathlib.Path(shutil.which("busybox")).read_bytes()))
    entries.append(("init", 0o100755, INIT.encode()))
    files = modules(tree, wanted)
    entries += [(f"modules/{file.name}", 0o100644, file.read_bytes()) for file in files]
    entries.append(("order", 0o100644, "".join(file.name + "\n" for file in files).encode()))
    with gzip.open(path, "wb", compresslevel=6) as archive:
        for number, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
            fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
            head = b"070701" + "".join(f"{field:08x}" for field in fields).encode() + name.encode() + b"\0"
            archive.write(head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4))
    return path


class Findings:
    """What was looked for, and whether it was so."""

    def __init__(self):
        self.wrong = 0

    def hold(self, what, seen, is_so):
        """Prints and remembers one finding."""
        self.wrong += not is_so
        print(f"{'ok  ' if is_so else 'BAD '} {what}: {seen}", flush=True)

    def close(self):
        """Ends the script: 0 if all was so."""
        print("all is as it should be" if not self.wrong else f"{self.wrong} things are not as they should be")
        sys.exit(1 if self.wrong else 0)

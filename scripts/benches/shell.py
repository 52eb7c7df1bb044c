"""Programs that have to succeed."""

import os
import subprocess
import sys
import tempfile
import time


def run(script, **variables):
    """Runs `script` with these variables in its environment; what fails ends the bench."""
    environment = dict(os.environ, PATH=os.environ["PATH"] + ":/sbin:/usr/sbin", **variables)
    process = subprocess.run(["sh", "-ec", script], env=environment, capture_output=True, check=False)
    if process.returncode:
        sys.exit(f"bench: {script} failed:\n{process.stderr.decode()}")


def measured(command, env=None):
    """Runs `command`; gives seconds of wall-clock time and what it used (getrusage(2)); what fails ends the bench."""
    # What stays behind must not hold a pipe of ours open; and what this process holds counts as memory of those it starts.
    with tempfile.TemporaryFile() as output:
        start = time.monotonic()
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(f"bench: {command[0]} failed:\n{output.read().decode()}")
    return seconds, usage


def into_memory(*paths):
    """Reads files, so that they lie in the page cache: little at a time, and nothing of them is held."""
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            while file.read(2**17):
                pass

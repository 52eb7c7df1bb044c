"""Shell scripts that have to succeed."""

import os
import subprocess
import sys


def run(script, **variables):
    """Runs `script` with these variables in its environment; what fails ends the bench."""
    environment = dict(os.environ, PATH=os.environ["PATH"] + ":/sbin:/usr/sbin", **variables)
    process = subprocess.run(["sh", "-ec", script], env=environment, capture_output=True, check=False)
    if process.returncode:
        sys.exit(f"bench: {script} failed:\n{process.stderr.decode()}")

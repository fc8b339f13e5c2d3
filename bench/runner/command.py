"""What the commands in Python under scripts/ share: arguments, and the functions of the shell ones."""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Parser(argparse.ArgumentParser):
    """One line for a wrong argument."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message} (--help explains)\n")


def shell(script, command_name="scripts/bench"):
    """Runs a line of bash with the functions of scripts/lib/common.sh; returns its stdout."""
    line = f"set -euo pipefail; source scripts/lib/common.sh; {script}"
    done = subprocess.run(
        ["bash", "-c", line, command_name],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(done.returncode)
    return done.stdout.strip()

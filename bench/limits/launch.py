"""Runs a program under an allocator and a limit on its address space, and says how it ended."""

import signal
import subprocess
from dataclasses import dataclass

from measure import ENVIRONMENT, end_group

MIB = 1 << 20

# A shell, as a user would: it is not preloaded, and has what it needs before the limit is set.
# $1: the limit in KiB, or `unlimited`; $2: S for a soft limit, HS for both; $3: a library, or none
SCRIPT = """\
ulimit -c 0 && ulimit -S -s 8192 || exit 125
if [ -n "$3" ]; then export LD_PRELOAD="$3"; fi
if [ "$1" != unlimited ]; then
  case $2 in S) ulimit -S -v "$1" ;; *) ulimit -v "$1" ;; esac || exit 125
fi
shift 3
exec "$@"
"""


class LaunchFailed(Exception):
    """The machine does not allow a run as it should be; the text says why."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended. status: the exit status, -signal, or None for a run that had to be ended."""

    status: int | None
    stdout: bytes
    stderr: bytes

    @property
    def ok(self):
        return self.status == 0

    def why(self):
        """One phrase on a run that did not end well."""
        if self.status is None:
            return "hangs"
        if self.status < 0:
            return signal.Signals(-self.status).name
        lines = self.stderr.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"status {self.status}"

    def short(self):
        """`why` in a word, for a cell of a table."""
        if self.status is None:
            return "hang"
        return "crash" if self.status < 0 else "fails"

    def figures(self):
        """The `name value` lines of a probe: a list of values for each name."""
        found = {}
        for line in self.stdout.decode(errors="replace").splitlines():
            name, _, value = line.partition(" ")
            found.setdefault(name, []).append(int(value))
        return found


class Launcher:
    """Starts programs in a scratch directory, in an environment that is always the same."""

    def __init__(self, scratch):
        self.scratch = scratch

    def run(self, command, allocator, limit=None, *, soft=False, timeout=60):
        """Runs `command`; `limit` is in bytes, None for none."""
        words = ["/bin/sh", "-c", SCRIPT, "launcher"]
        words += ["unlimited" if limit is None else str(limit // 1024), "S" if soft else "HS"]
        words += [str(allocator.library or ""), *map(str, command)]
        process = subprocess.Popen(
            words,
            cwd=self.scratch,
            env={**ENVIRONMENT, "HOME": str(self.scratch), "TMPDIR": str(self.scratch)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            return Outcome(None, b"", b"")
        finally:
            if process.poll() is None:
                end_group(process)
                process.stdout.close()
                process.stderr.close()
        if process.returncode == 125:
            raise LaunchFailed(stderr.decode(errors="replace").strip() or "ulimit failed")
        return Outcome(process.returncode, stdout, stderr)

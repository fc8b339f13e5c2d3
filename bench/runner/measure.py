"""Runs one command through measured_run, and says whether the run was disturbed."""

import hashlib
import json
import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import machine

# Variables that change what a program does are the same for every run.
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PERL_HASH_SEED": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
}


# The share of the memory at hand that the reference may take, and the most; a program that it
# would take more for is not measured with it.
REFERENCE_SHARE, REFERENCE_MIB = 0.4, 8192


class RunFailed(Exception):
    """The program under measurement did not end well; the text says how."""


@dataclass
class Cost:
    """What measured_run reports of a run."""

    wall: float
    user: float
    sys: float
    rss_kib: int
    faults: int
    machine_busy: float  # processor seconds that the whole machine spent meanwhile
    steal: float  # processor seconds that the host kept for others
    status: int

    @property
    def cpu(self):
        return self.user + self.sys

    def disturbance(self, other_known=0.0):
        """Why the run should be repeated, or an empty string.

        Others may use a processor that is idle; what counts is a machine with nothing left to give.
        other_known: processor seconds of helpers that belong to the measurement, such as a client.
        """
        if self.wall < 0.2:
            return ""  # too short for the kernel's counters, which tick every 10 ms
        processors = os.cpu_count() or 1
        others = self.machine_busy - self.cpu - other_known
        if self.steal > 0.03 * self.wall * processors:
            return f"the host took {self.steal:.1f} s of processor time"
        if self.machine_busy > 0.9 * processors * self.wall and others > 0.15 * self.wall:
            return f"other programs used {others:.1f} s of processor time, and none was left idle"
        return ""


@dataclass
class Measured:
    """What a row says of one run."""

    cost: Cost
    helper: float = 0.0  # processor seconds of helpers, such as a client
    output: str = ""  # the same on every allocator; empty where that is not so
    ns: float | None = None  # nanoseconds for each operation
    figures: dict = field(default_factory=dict)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def last_line(errors):
    lines = errors.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no message"


def end_group(process):
    """Ends a process that was started with start_new_session, and all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


class Runner:
    """Knows the measured_run program and a scratch directory."""

    def __init__(self, measured_run, scratch):
        self.measured_run = str(measured_run)
        self.scratch = Path(scratch)

    def arguments(self, command, allocator, warm_mib, *, stdin=None, stdout=None, preload=None):
        """The command line that measures `command` and leaves figures for take_cost."""
        # Never so much that the warming itself drives the machine into swapping or the page cache
        # out.
        warm = min(int(warm_mib), machine.available_mib() * 6 // 10)
        arguments = [self.measured_run, "--warm", str(warm), "--result", str(self.scratch / "cost")]
        library = allocator.library or preload
        if library:
            arguments += ["--preload", str(library)]
        if stdin:
            arguments += ["--stdin", str(stdin)]
        if stdout:
            arguments += ["--stdout", str(stdout)]
        return [*arguments, "--", *map(str, command)]

    def environment(self, extra=None):
        most = min(REFERENCE_MIB, int(machine.available_mib() * REFERENCE_SHARE))
        limit = {"PRAIRIE_BUMP_MIB": str(most)}  # for bench/bump_allocator.cc
        return {**ENVIRONMENT, **limit, "HOME": str(self.scratch), **(extra or {})}

    def take_cost(self):
        path = self.scratch / "cost"
        cost = Cost(**json.loads(path.read_text(encoding="utf-8")))
        path.unlink()
        return cost

    def run(
        self, command, allocator, warm_mib, *, cwd, env=None, stdin=None, stdout=None, timeout=300
    ):
        """Measures `command`; raises RunFailed unless it exits with 0."""
        process = subprocess.Popen(
            self.arguments(command, allocator, warm_mib, stdin=stdin, stdout=stdout or "/dev/null"),
            cwd=cwd,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            errors = process.communicate(timeout=timeout)[1]
        except subprocess.TimeoutExpired:
            raise RunFailed(f"no end within {timeout} s") from None
        finally:
            if process.poll() is None:
                end_group(process)
        if process.returncode != 0:
            raise RunFailed(f"exit status {process.returncode}: {last_line(errors)}")
        return self.take_cost()

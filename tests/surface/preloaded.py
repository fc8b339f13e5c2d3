"""Runs programs with libprairie.so preloaded, each bounded in time, and keeps a table's score."""

import argparse
import dataclasses
import os
import pathlib
import resource
import signal
import subprocess
import sys

MODES = {"reserved": "", "unreserved": "arena=unreserved"}


def unmet_need(mebibytes, why, own_limits=()):
    """The words with which a case skips that needs more than the limits of this process grant, or
    None: see tests/support/needs.h. `own_limits`: those that the case itself sets."""
    for name, which in (("address_space", resource.RLIMIT_AS), ("data", resource.RLIMIT_DATA)):
        limit = resource.getrlimit(which)[0]
        if which not in own_limits and limit != resource.RLIM_INFINITY and limit < mebibytes << 20:
            return f"needs_{name}={mebibytes}M: {why}"
    return None


@dataclasses.dataclass
class Outcome:
    """What became of a program. `status`: minus the signal that killed it; None after a timeout."""

    status: int | None
    stdout: str
    stderr: str

    def describe(self) -> str:
        ended = "timed out" if self.status is None else f"status {self.status}"
        return f"{ended}; stdout {self.stdout[-1500:]!r}; stderr {self.stderr[-1500:]!r}"


def run(
    command, library, *, options="", timeout=30, limits=None, environment=None, before_exec=None
):
    """Runs `command` under `library` (None: without a preload) and returns its Outcome.

    options: PRAIRIE_OPTIONS. limits: {resource.RLIMIT_x: soft limit}. environment: further
    variables; LD_PRELOAD in it is put behind the library, and what this process has in its own
    behind that: a cell of scripts/ulimit-suite preloads something everywhere. before_exec: called in the child. The
    whole process group is killed at the end.
    """
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", **(environment or {})}
    preloads = [str(library or ""), env.pop("LD_PRELOAD", ""), os.environ.get("LD_PRELOAD", "")]
    if any(preloads):
        env["LD_PRELOAD"] = " ".join(filter(None, preloads))
    if options:
        env["PRAIRIE_OPTIONS"] = options

    def prepare():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for which, soft in (limits or {}).items():
            resource.setrlimit(which, (soft, resource.getrlimit(which)[1]))
        if before_exec:
            before_exec()

    child = subprocess.Popen(
        [str(part) for part in command],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=prepare,
    )
    try:
        stdout, stderr = child.communicate(timeout=timeout)
        status = child.returncode
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        stdout, stderr = child.communicate()
        status = None
    try:
        os.killpg(child.pid, signal.SIGKILL)  # Children that the program left behind.
    except ProcessLookupError:
        pass
    return Outcome(status, stdout, stderr)


def has_32_bits(library):
    """Whether the library is for programs with 32-bit addresses."""
    with open(library, "rb") as file:
        return file.read(5) == b"\x7fELF\x01"


class Score:
    """Prints one PASS:, FAIL: or SKIPPED: line for each case and counts them."""

    def __init__(self):
        self.passed = self.failed = self.skipped = self.unmet_needs = 0

    def record(self, name, complaint):
        """`complaint` is None for a case that passed."""
        if complaint is None:
            self.passed += 1
            print(f"PASS: {name}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL: {name}: {complaint}", flush=True)

    def skip(self, name, why):
        self.skipped += 1
        self.unmet_needs += why.startswith("needs_")
        print(f"SKIPPED: {name}: {why}", flush=True)

    def finish(self):
        """Prints the sum and returns the exit status: a run of no cases at all is a failure too,
        unless each of them needs more than there is."""
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        return 0 if self.passed + self.unmet_needs > 0 and self.failed == 0 else 1


def parser(description, *, programs_near=None):
    """An argument parser with --library, and --programs when the caller has programs beside it."""
    result = argparse.ArgumentParser(description=description)
    here = pathlib.Path(programs_near or __file__).absolute().parent
    result.add_argument(
        "--library",
        type=pathlib.Path,
        default=here.parents[1] / "allocator" / "libprairie.so",
        help="the library to preload (default: %(default)s)",
    )
    if programs_near:
        result.add_argument(
            "--programs",
            type=pathlib.Path,
            default=here,
            help="the folder of the compiled programs (default: %(default)s)",
        )
    return result


def parse(arguments_parser):
    """Parses the command line; a library or folder that does not exist is one line and status 2."""
    arguments = arguments_parser.parse_args()
    for value in (arguments.library, getattr(arguments, "programs", None)):
        if value is not None and not value.exists():
            print(f"{arguments_parser.prog}: error: {value} does not exist", file=sys.stderr)
            sys.exit(2)
    arguments.library = arguments.library.absolute()
    if getattr(arguments, "programs", None):
        arguments.programs = arguments.programs.absolute()
    return arguments

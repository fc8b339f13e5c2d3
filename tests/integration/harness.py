"""Runs a real program twice, plainly and on Prairie, and compares what it did.

A case passes when exit status, stdout and the named output files are equal, and the run on Prairie
proves that Prairie was in force: `stats=1` makes each process print its summary, which opens with
`prairie: `, when it exits. Programs that close stderr themselves before that (tar, xz) are asked of
the dynamic linker instead: LD_DEBUG=bindings writes down where each process finds malloc.

The libprairie.so to test is the first argument, or what PRAIRIE_LIBRARY names.
Each case prints one line: `PASS: name`, `FAIL: name: why` or `SKIPPED: name: why`.
"""

import hashlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

# The variables that would make the plain run something else, or the output depend on the machine.
FIXED_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PERL_HASH_SEED": "0",
}
# The first line of a summary: the others are indented after the colon.
SUMMARY = re.compile(r"^prairie: (?!warning:)\S", re.MULTILINE)
REPORT = re.compile(
    r"^prairie: ((double|smashed) free|(interior|foreign|stack|wild) pointer).*",
    re.MULTILINE,
)


class Failure(Exception):
    """Why a case failed, in one line."""


class Skip(Exception):
    """Why a case could not run here, in one line."""


class Run:
    """What one run of a program left behind.

    files       the digests of its output files
    on_prairie  the number of processes that are known to have run on Prairie
    """

    def __init__(self, status, stdout, stderr, files, on_prairie):
        self.status, self.stdout, self.stderr, self.files = status, stdout, stderr, files
        self.on_prairie = on_prairie


class Suite:
    """The cases of one test program: `compare` or `case` for each of them, then `finish`."""

    def __init__(self):
        library = os.environ.get("PRAIRIE_LIBRARY") or (sys.argv[1] if len(sys.argv) > 1 else "")
        if not library:
            sys.exit(f"usage: {Path(sys.argv[0]).name} LIBPRAIRIE.SO (or set PRAIRIE_LIBRARY)")
        self.library = str(Path(library).resolve())
        if not Path(self.library).is_file():
            sys.exit(f"{Path(sys.argv[0]).name}: no such library: {self.library}")
        self.root = Path(tempfile.mkdtemp(prefix="prairie_", dir=os.environ.get("TEST_TMPDIR")))
        self.failed = 0
        symbols = Path(self.library).read_bytes()
        # What instrumented code calls; every build asks for __asan_init, to know whether it is there.
        names = {b"__asan_report_": "AddressSanitizer", b"__tsan_func_entry": "ThreadSanitizer"}
        self.sanitizer = next((name for symbol, name in names.items() if symbol in symbols), "")

    def environment(self, on_prairie, extra=None, proof="summary"):
        env = dict(FIXED_ENVIRONMENT, HOME=str(self.root))
        # What a cell of scripts/ulimit-suite preloads everywhere stays, behind Prairie.
        preloads = [self.library if on_prairie else "", os.environ.get("LD_PRELOAD", "")]
        if any(preloads):
            env.update(LD_PRELOAD=" ".join(filter(None, preloads)))
        if on_prairie:
            env.update(PRAIRIE_OPTIONS="stats=1")
            if proof == "bindings":
                env.update(LD_DEBUG="bindings", LD_DEBUG_OUTPUT=str(self.root / "bindings"))
        env.update(extra or {})
        return env

    def take_bindings(self):
        """The number of processes that bound malloc to the library, since the last call."""
        bound = f"to {self.library} [0]: normal symbol `malloc'"
        count = 0
        for path in self.root.glob("bindings.*"):
            count += bound in path.read_text(errors="replace")
            path.unlink()
        return count

    def case(self, name, check):
        """Runs `check()`, which raises Failure or Skip, and prints its line."""
        try:
            if self.sanitizer:
                raise Skip(f"the library is built with {self.sanitizer}, and cannot be preloaded")
            check()
            print(f"PASS: {name}", flush=True)
        except Skip as why:
            print(f"SKIPPED: {name}: {why}", flush=True)
        except Failure as why:
            self.failed += 1
            print(f"FAIL: {name}: {why}", flush=True)

    def compare(
        self,
        name,
        command,
        *,
        prepare=None,
        outputs=(),
        env=None,
        stdin=b"",
        timeout=60,
        processes=1,
        proof="summary",
        needs=None,
    ):
        """A case: `command` behaves the same on Prairie.

        prepare    is called with the fresh working directory before each of the two runs
        outputs    glob patterns of files, relative to it, whose bytes must be equal
        processes  the least number of processes that must show that they ran on Prairie
        proof      how they show it: "summary" or "bindings"
        needs      (MiB of address space, MiB of data, why): what the program takes without Prairie
        """

        def check():
            if needs:
                need_limits(*needs)
            plain = self.run(command, False, prepare, outputs, env, stdin, timeout, proof)
            if plain.status != 0:
                raise Failure(
                    f"the run without Prairie ended with {plain.status}: {last_lines(plain.stderr)}"
                )
            prairie = self.run(command, True, prepare, outputs, env, stdin, timeout, proof)
            compare_runs(plain, prairie, outputs)
            if prairie.on_prairie < processes:
                raise Failure(
                    f"{prairie.on_prairie} processes were on Prairie, expected {processes} or more"
                )

        self.case(name, check)

    def run(self, command, on_prairie, prepare, outputs, env, stdin, timeout, proof):
        """Runs `command` in an empty directory, of the same name each time; returns the Run."""
        need(command[0])
        directory = self.root / "work"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        if prepare:
            prepare(directory)
        # A session of its own, so that a hang can be ended with all that the program started.
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=self.environment(on_prairie, env, proof),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            stdout, stderr = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            mode = "on Prairie" if on_prairie else "without Prairie"
            raise Failure(f"no end within {timeout} s {mode}") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        found = sorted(
            path for pattern in outputs for path in directory.glob(pattern) if path.is_file()
        )
        files = {str(path.relative_to(directory)): digest(path.read_bytes()) for path in found}
        stderr = stderr.decode(errors="replace")
        shown = self.take_bindings() if proof == "bindings" else len(SUMMARY.findall(stderr))
        return Run(process.returncode, stdout, stderr, files, shown)

    def finish(self):
        shutil.rmtree(self.root, ignore_errors=True)
        sys.exit(1 if self.failed else 0)


def compare_runs(plain, prairie, outputs):
    """Raises Failure unless the run on Prairie did what the plain one did."""
    report = REPORT.search(prairie.stderr)
    if report:
        raise Failure(f"{report.group(0)} (status {prairie.status})")
    if prairie.status != plain.status:
        raise Failure(
            f"exit status {prairie.status}, expected {plain.status}: {last_lines(prairie.stderr)}"
        )
    if prairie.stdout != plain.stdout:
        raise Failure(f"stdout differs: {first_difference(plain.stdout, prairie.stdout)}")
    if prairie.files != plain.files:
        keys = sorted(set(plain.files) | set(prairie.files))
        different = [key for key in keys if plain.files.get(key) != prairie.files.get(key)]
        raise Failure(f"{len(different)} output files differ: {', '.join(different[:3])}")
    if outputs and not plain.files:
        raise Failure(f"the run without Prairie wrote none of {', '.join(outputs)}")


def workload(name):
    """The path of a file of bench/workloads, which the tests share with the benchmarks."""
    return str(Path(__file__).resolve().parents[2] / "bench" / "workloads" / name)


def need_limits(address_space, data, why):
    """Skips the case where a limit is lower, in the words of tests/support/needs.h."""
    which = {"address_space": resource.RLIMIT_AS, "data": resource.RLIMIT_DATA}
    for name, mebibytes in (("address_space", address_space), ("data", data)):
        limit = resource.getrlimit(which[name])[0]
        if limit != resource.RLIM_INFINITY and limit < mebibytes << 20:
            raise Skip(f"needs_{name}={mebibytes}M: {why}")


def need(program):
    """Skips the case, saying so, when a program is not installed."""
    if not shutil.which(program, path=FIXED_ENVIRONMENT["PATH"]):
        raise Skip(f"{program} is not installed")


def redis_server(directory):
    """The path of redis-server, which redis-tools installs too, under the name redis-check-rdb."""
    path = FIXED_ENVIRONMENT["PATH"]
    server = shutil.which("redis-server", path=path)
    if server:
        return server
    need("redis-check-rdb")
    link = Path(directory) / "redis-server"
    if not link.exists():
        link.symlink_to(shutil.which("redis-check-rdb", path=path))
    return str(link)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def last_lines(text, count=2):
    return " | ".join(text.strip().splitlines()[-count:])[-300:] or "nothing on stderr"


def first_difference(expected, actual):
    expected_lines, actual_lines = expected.splitlines(), actual.splitlines()
    for number, (left, right) in enumerate(zip(expected_lines, actual_lines), 1):
        if left != right:
            return f"line {number}: {right[:80]!r}, expected {left[:80]!r}"
    return f"{len(actual_lines)} lines, expected {len(expected_lines)}"

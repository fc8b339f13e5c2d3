#!/usr/bin/python3
"""The workloads of scripts/bench on Prairie: checksums, any number of threads, wrong arguments.

The first argument is the library, the others the programs.
"""

import os
import re
import sys

from harness import REPORT, Failure, Suite, last_lines

LAST_LINE = re.compile(r"ops/s (\d+\.\d) peak_rss_mib (\d+\.\d\d) checksum ([0-9a-f]{16})")
FIGURE = re.compile(r"figure \w+ \S+ (MiB|ns|s|times)")

# As little as each of them can do. What a round is differs.
SMALL = {"large_heap": ["--work", "5"], "service": ["--work", "2", "--settle", "0.01"]}
SMALL_FOR_ALL = ["--work", "3"]

# The checksum is that of the number of threads, too.
DEPENDS_ON_THREADS = {"large_heap"}

WRONG = (
    (["--threads", "0"], "wrong value for --threads: 0"),
    (["--threads", "257"], "wrong value for --threads: 257"),
    (["--threads", "two"], "wrong value for --threads: two"),
    (["--work", "-1"], "wrong value for --work: -1"),
    (["--work", "3x"], "wrong value for --work: 3x"),
    (["--seconds", "0"], "wrong value for --seconds: 0"),
    (["--seconds", "nan"], "wrong value for --seconds: nan"),
    (["--seed", ""], "wrong value for --seed: "),
    (["--seed"], "a value is missing after: --seed"),
    (["--rounds", "3"], "unknown argument: --rounds"),
    (["3"], "unknown argument: 3"),
)


class Workload:
    def __init__(self, suite, program):
        self.suite, self.program = suite, program
        self.name = os.path.basename(program)

    def run(self, arguments, on_prairie=False):
        return self.suite.run(
            [self.program, *arguments], on_prairie, None, (), None, b"", 60, "summary"
        )

    def checksum(self, arguments, on_prairie=False):
        """Runs it, checks what it prints, and returns the checksum."""
        run = self.run(arguments, on_prairie)
        where = "on" if on_prairie else "without"
        report = REPORT.search(run.stderr)
        if report:
            raise Failure(report.group(0))
        if run.status != 0:
            raise Failure(f"ended with {run.status} {where} Prairie: {last_lines(run.stderr)}")
        if on_prairie and run.on_prairie != 1:
            raise Failure("it did not run on Prairie")
        *figures, last = run.stdout.decode().splitlines()
        match = LAST_LINE.fullmatch(last)
        if not match or float(match[1]) <= 0 or float(match[2]) <= 0:
            raise Failure(f"the last line is {last!r}")
        for line in figures:
            if not FIGURE.fullmatch(line):
                raise Failure(f"no figure: {line!r}")
        return match[3]

    def check_checksums(self):
        small = SMALL.get(self.name, SMALL_FOR_ALL)
        for threads in ("1", "4"):
            arguments = [*small, "--threads", threads]
            expected = self.checksum(arguments)
            found = self.checksum(arguments, on_prairie=True)
            if found != expected:
                raise Failure(f"checksum {found} with {threads} threads, expected {expected}")
        if self.name not in DEPENDS_ON_THREADS and self.checksum(small) != expected:
            raise Failure("the checksum depends on the number of threads")
        if self.checksum([*small, "--threads", "4", "--seed", "2"]) == expected:
            raise Failure("the checksum does not depend on the seed")

    def check_seconds(self):
        self.checksum([*SMALL.get(self.name, []), "--seconds", "0.05", "--threads", "2"], True)

    def check_arguments(self):
        for arguments, expected in WRONG:
            run = self.run(arguments)
            if (run.status, run.stdout) != (2, b""):
                raise Failure(f"status {run.status} for {arguments}, expected 2 and no output")
            if run.stderr != f"{self.name}: {expected}\n":
                raise Failure(f"stderr {run.stderr!r} for {arguments}")
        text = self.run(["--help"])
        if text.status != 0 or not text.stdout.startswith(f"usage: {self.name} ".encode()):
            raise Failure("--help does not help")


def main():
    suite = Suite()
    programs = [os.path.abspath(path) for path in sys.argv[2:]]
    if not programs:
        sys.exit("workloads_test.py: no programs")
    for program in programs:
        workload = Workload(suite, program)
        suite.case(f"{workload.name} checksum", workload.check_checksums)
        suite.case(f"{workload.name} for a time", workload.check_seconds)
        suite.case(f"{workload.name} arguments", workload.check_arguments)
    suite.finish()


if __name__ == "__main__":
    main()

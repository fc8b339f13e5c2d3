"""scripts/ulimit-suite: the tests in every cell of the matrix of cells.py."""

import argparse
import contextlib
import os
import platform
import resource
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import cells  # noqa: E402
import overcommit  # noqa: E402
import run_cell  # noqa: E402
import table  # noqa: E402
import targets  # noqa: E402

COMMAND = "scripts/ulimit-suite"
DOCS = os.path.join(targets.ROOT, "docs", "limits.md")

DESCRIPTION = """\
Usage: scripts/ulimit-suite [--quick | --cell NAME...] [--docs] [--config=NAME] [--jobs N] [FILTER]

Builds the tests and the integration programs once, and runs all of them in each cell of a matrix: under `ulimit -v`, `-d`
and `-s`, without address randomization, linked without -pie, with the arena's addresses taken, under strict overcommit.

  --quick        a few cells, and only the quick tests: those of size small and those tagged quick_under_limits
  --cell NAME    only this cell; may be given several times
  --list         list the cells, and run none; with FILTER, the tests and their needs
  --docs         write the table into docs/limits.md; of all cells and all tests only
  --config=NAME  as for scripts/test: ci, clang or debug
  --jobs N       tests at a time (default: one for each processor)
  --sum FILE     add the passed, failed and skipped of FILE, one line `N passed, N failed, N skipped`, to the last line
  --help         print this text
  FILTER         part of a test's label: only those tests

A test that needs more than a cell has declares it (docs/testing.md), and is counted as such; everything else must pass.
vm.overcommit_memory is set only for the cells that say so, where the machine allows it, and restored at any end.

The last line is `N passed, N failed, N skipped`. Exit status: 0 all passed, 1 something failed, did not build, or nothing
ran, 2 wrong argument. Logs of failures stay in .cache/ulimit-suite/CELL/.
"""
CONFIGS = ("ci", "clang", "debug")


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        print(f"{COMMAND}: error: {message} (--help explains)", file=sys.stderr)
        sys.exit(2)


def _positive(text):
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of tests")
    return int(text)


def parse_arguments(arguments):
    parser = _Parser(prog=COMMAND, add_help=False, allow_abbrev=False)
    parser.add_argument("--help", "-h", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--cell", action="append", default=[])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--config", action="append", default=[])
    parser.add_argument("--jobs", type=_positive, default=os.cpu_count() or 1)
    parser.add_argument("--sum")
    parser.add_argument("filter", nargs="?")
    options = parser.parse_args(arguments)
    known = [cell.name for cell in cells.CELLS]
    for name in options.cell:
        if name not in known:
            parser.error(f"unknown cell '{name}', expected one of: {' '.join(known)}")
    for name in options.config:
        if name not in CONFIGS:
            parser.error(f"unknown configuration '{name}', expected one of: {' '.join(CONFIGS)}")
    if options.quick and options.cell:
        parser.error("--quick chooses the cells itself; not with --cell")
    if options.docs and (options.quick or options.cell or options.filter):
        parser.error("--docs is of all cells and all tests; not with --quick, --cell or FILTER")
    if options.filter == "":
        parser.error("FILTER is empty")
    if options.sum:
        try:
            options.sum = read_totals(options.sum)
        except (OSError, ValueError) as error:
            parser.error(f"--sum: {error}")
    return options


def read_totals(path):
    """(passed, failed, skipped) from the last line of a file."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    words = lines[-1].replace(",", "").split() if lines else []
    if len(words) != 6 or words[1::2] != ["passed", "failed", "skipped"] or not all(w.isdigit() for w in words[::2]):
        raise ValueError(f"{path} does not end with 'N passed, N failed, N skipped'")
    return tuple(int(word) for word in words[::2])


def install_packages():
    script = (
        'set -euo pipefail; source "$1"; install_packages "to build and test"'
        ' "${packages_build[@]}" "${packages_test_build[@]}" "${packages_test_programs[@]}"'
    )
    common = os.path.join(targets.ROOT, "scripts", "lib", "common.sh")
    # stdout is for results.
    if subprocess.run(["bash", "-c", script, "ulimit-suite", common], stdout=sys.stderr, check=False).returncode != 0:
        sys.exit(1)


def why_not_here(cell):
    """Why this process may not give the cell's limits; empty if it may."""
    names = {"address_space": resource.RLIMIT_AS, "data": resource.RLIMIT_DATA, "stack": resource.RLIMIT_STACK}
    for name, which in names.items():
        hard = resource.getrlimit(which)[1]
        wanted = getattr(cell, name)
        if hard != resource.RLIM_INFINITY and (wanted is None or wanted > hard):
            return f"the hard limit of {name.replace('_', ' ')} is {hard} bytes"
    return ""


class Suite:
    def __init__(self, options):
        self.options = options
        self.configs = [f"--config={name}" for name in options.config]
        self.built = {}  # configuration of a cell -> directory

    def tests(self):
        """The tests to run, and how many run nothing on Prairie."""
        found = targets.find(self.configs)
        if self.options.filter:
            found = [test for test in found if self.options.filter in test.label]
            if not found:
                print(f"{COMMAND}: error: no test matches '{self.options.filter}' (--help explains)", file=sys.stderr)
                sys.exit(2)
        chosen = [test for test in found if test.on_prairie and (test.quick or not self.options.quick)]
        return chosen, len(found) - sum(test.on_prairie for test in found)

    def cells(self):
        if self.options.cell:
            return [cell for cell in cells.CELLS if cell.name in self.options.cell]
        return [cell for cell in cells.CELLS if cell.quick or not self.options.quick]

    def build(self, cell, tests):
        """The directory of the cell's programs, and its library's path."""
        if cell.config not in self.built:
            configs = self.configs + ([f"--config={cell.config}"] if cell.config else [])
            labels = [test.label for test in tests] + [cells.HINT_TAKEN, cells.WINDOW_TAKEN]
            self.built[cell.config] = targets.build(labels, configs)
        directory = self.built[cell.config]
        return directory, os.path.join(directory, cell.taken.removeprefix("//").replace(":", "/"))

    def run_cell(self, cell, tests):
        result = run_cell.CellResult(cell, not_had=why_not_here(cell))
        if result.not_had:
            return result
        directory, library = self.build(cell, tests)
        logs = os.path.join(targets.ROOT, ".cache", "ulimit-suite", cell.name)
        try:
            with contextlib.ExitStack() as stack:
                if cell.overcommit is not None:
                    stack.enter_context(overcommit.setting(cell.overcommit))
                return run_cell.run_cell(cell, tests, directory, logs, library, self.options.jobs)
        except overcommit.Refused as why:
            result.not_had = str(why)
            return result


def write_docs(results):
    with open(DOCS, encoding="utf-8") as file:
        text = file.read()
    where = f"Linux {platform.release().partition('-')[0]}, {platform.machine()}, {os.cpu_count()} processors"
    text = table.put_between_markers(text, table.markdown(results, where))
    with open(DOCS, "w", encoding="utf-8") as file:
        file.write(text)


def print_list(options):
    if not options.filter:
        for cell in cells.CELLS:
            print(f"{cell.name:22} {cell.text}{' (quick)' if cell.quick else ''}")
        return 0
    tests, _ = Suite(options).tests()
    for test in tests:
        print(test.label + (" (quick)" if test.quick else ""))
        for need in test.needs:
            print(f"  {need}: {need.why}")
    return 0


def run(options):
    suite = Suite(options)
    tests, elsewhere = suite.tests()
    chosen = suite.cells()
    left_out = f"; {elsewhere} more run nothing on Prairie" if elsewhere else ""
    print(f"{len(tests)} tests in {len(chosen)} cells, {options.jobs} at a time{left_out}", flush=True)
    results = []
    for number, cell in enumerate(chosen, 1):
        print(f"[{number}/{len(chosen)}] {cell.name}: {cell.text}", flush=True)
        result = suite.run_cell(cell, tests)
        results.append(result)
        if result.not_had:
            print(f"  skipped: {result.not_had}", flush=True)
            continue
        counts = ", ".join(f"{result.count(outcome)} {outcome}" for outcome in ("passed", "failed", "skipped"))
        print(f"  {counts}; {len(result.beyond)} need more; {result.seconds:.0f} s", flush=True)
    print()
    for line in table.plain(results):
        print(line)
    if options.docs:
        write_docs(results)
    own = [sum(result.count(outcome) for result in results) for outcome in ("passed", "failed", "skipped")]
    if options.sum:
        print("\nunder limits: {} passed, {} failed, {} skipped; before: {} passed, {} failed, {} skipped".format(
            *own, *options.sum))
    passed, failed, skipped = (a + b for a, b in zip(own, options.sum or (0, 0, 0)))
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 0 if own[0] > 0 and failed == 0 else 1


def _interrupt(*_):
    raise KeyboardInterrupt


def main(arguments):
    options = parse_arguments(arguments)
    if options.help:
        print(DESCRIPTION, end="")
        return 0
    if options.list and not options.filter:
        return print_list(options)
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    install_packages()
    try:
        return print_list(options) if options.list else run(options)
    except (targets.BuildFailed, ValueError) as error:
        print(f"{COMMAND}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{COMMAND}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

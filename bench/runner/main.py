"""The command behind scripts/bench: compares allocators on synthetic and real programs."""

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import allocators
import fast_path
import machine
import micro
import programs
import report
import workloads
from command import ROOT, Parser, shell
from measure import RunFailed, Runner
from results import LOOKUP, Results
from session import Session

SETS = ("workloads", "programs", "micro", LOOKUP)
# The libraries that are built here, by the allocator's name.
BUILT = {
    allocators.OWN: Path("bazel-bin/allocator/libprairie.so"),
    allocators.REFERENCE: Path("bazel-bin/bench/libbump.so"),
}
EXAMPLES = """\
examples:
  scripts/bench                          everything, five rounds, an hour or more; rewrites docs/
  scripts/bench --quick                  one round of smaller jobs, in under five minutes
  scripts/bench --only perl,batch_lifo   some rows
  scripts/bench --peer mine=/path/libmine.so --allocators prairie,mine --rounds 7
  scripts/bench --fast-path-golden       rewrites bench/fast_path.golden

Rows and allocators are listed by --list. A run of everything writes bench/results/ and docs/; any
other one writes its CSV files to .cache/bench/ only. --docs and --no-docs say otherwise.
"""


def parse(arguments):
    parser = Parser(
        prog="scripts/bench",
        description="Compares Prairie with glibc, jemalloc, mimalloc, gperftools and oneTBB.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="one round of smaller jobs")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds (5; with --quick 1)")
    parser.add_argument(
        "--only", metavar="ROWS", help=f"rows or sets ({', '.join(SETS)}), by commas"
    )
    parser.add_argument("--allocators", metavar="NAMES", help="only these, by commas")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="one more allocator, or another library for a known name; may be repeated",
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="of the shuffling (default: a new one)"
    )
    parser.add_argument(
        "--docs",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="write docs/ and bench/results/, or do not",
    )
    parser.add_argument(
        "--fast-path",
        action="store_true",
        help="count the instructions of malloc, free and their like on the hit path, and stop",
    )
    parser.add_argument(
        "--fast-path-golden",
        action="store_true",
        help="the same, and write those of Prairie to bench/fast_path.golden",
    )
    parser.add_argument("--list", action="store_true", help="list rows and allocators, and stop")
    options = parser.parse_args(arguments)
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seed = (
        options.seed if options.seed is not None else int.from_bytes(os.urandom(2), "big")
    )
    try:
        peers = [allocators.parse_peer(text) for text in options.peer]
        wanted = options.allocators.split(",") if options.allocators is not None else None
        options.selected = allocators.select(peers, wanted, BUILT)
        choose_rows(options)
    except ValueError as error:
        parser.error(str(error))
    if options.fast_path_golden:
        options.fast_path = True
        if allocators.OWN not in [allocator.name for allocator in options.selected]:
            parser.error(f"--fast-path-golden needs the allocator {allocators.OWN}")
    if options.docs is None:
        options.docs = not (options.quick or options.only or options.allocators)
    return options


def choose_rows(options):
    """Sets options.workloads, .programs, .families, .lookup; ValueError for an unknown name.

    A workload is also known by its name without the number of threads.
    """
    every, synthetic = programs.all_programs(), workloads.all_workloads()
    known = {program.name for program in every} | set(micro.FAMILIES) | set(SETS)
    known |= {row.name for row in synthetic} | {row.program for row in synthetic}
    wanted = set(options.only.split(",")) if options.only is not None else set(SETS)
    unknown = sorted(wanted - known)
    if unknown:
        raise ValueError(f"--only: unknown row '{unknown[0]}' (--list lists them)")
    options.workloads = [
        row
        for row in synthetic
        if row.name in wanted or (row.default and wanted & {"workloads", row.program})
    ]
    options.programs = [program for program in every if wanted & {"programs", program.name}]
    options.families = [family for family in micro.FAMILIES if wanted & {"micro", family}]
    options.lookup = LOOKUP in wanted


def print_list(options):
    print("workloads (set: workloads)")
    for row in workloads.all_workloads():
        print(f"  {row.name}" + ("" if row.default else "  (only when it is named)"))
    print("programs (set: programs)")
    for program in programs.all_programs():
        missing = program.missing()
        print(f"  {program.name}" + (f"  (not installed: {missing})" if missing else ""))
    print("families of malloc_benchmark (set: micro)")
    for family, meaning in micro.FAMILIES.items():
        print(f"  {family:17} {meaning}")
    print(f"lookups of the page map (set: {LOOKUP})")
    print("allocators")
    for allocator in options.selected:
        print(f"  {allocator.name:17} {allocator.library or 'no preload'}")


def install():
    lists = ("build", "test_build", "test_programs", "bench")
    packages = " ".join(f'"${{packages_{name}[@]}}"' for name in lists)
    shell(f"install_packages 'to build and to compare' {packages}")


def build(options):
    """Builds what the run needs; returns the directory, and puts it into options.selected."""
    targets = ["//bench:malloc_benchmark", "//bench:span_lookup_benchmark", "//bench:measured_run"]
    if options.fast_path:
        targets = ["//bench:fast_path_count"]
    else:
        targets += sorted({row.target for row in options.workloads})
    used = {a.library for a in options.selected} & set(BUILT.values())
    targets += [f"//{path.parent.relative_to('bazel-bin')}:{path.name}" for path in sorted(used)]
    shell(f"bazel_quietly build {' '.join(targets)}")
    binaries = Path(shell("bazel_bin"))
    # A copy of each: a build by someone else must not change them in the middle of a run.
    directory = options.scratch / "bin"
    directory.mkdir()
    for target in targets:
        shutil.copy(binaries / target.removeprefix("//").replace(":", "/"), directory)
    options.selected = [
        allocators.Allocator(a.name, directory / a.library.name) if a.library in used else a
        for a in options.selected
    ]
    return directory


def drop_missing(options):
    """Leaves out, and says so, what is not installed."""
    for program in list(options.programs):
        if program.missing():
            print(
                f"bench: SKIPPED: {program.name}: {program.missing()} is not installed",
                file=sys.stderr,
            )
            options.programs.remove(program)
    for allocator in list(options.selected):
        why = allocators.why_unavailable(allocator)
        if why:
            print(f"bench: SKIPPED: allocator {allocator.name}: {why}", file=sys.stderr)
            options.selected.remove(allocator)
    if not options.selected:
        sys.exit("bench: no allocator is left to measure")


def shown_command(arguments):
    """The command line as it is published: of a peer's path only the file name."""
    shown = [re.sub(r"=\S*/", "=", argument) for argument in arguments]
    return shlex.join(["scripts/bench", *shown])


def measure_everything(options):
    """Builds, prepares and runs; returns the Session and the lookups, incomplete if interrupted."""
    with tempfile.TemporaryDirectory(prefix="prairie_bench_") as scratch:
        options.scratch = Path(scratch)
        binaries = build(options)
        drop_missing(options)
        runner = Runner(binaries / "measured_run", options.scratch)
        session = Session(runner, options.selected, options)
        lookups = {}
        try:
            rows = options.workloads + options.programs
            for row in rows:
                row.prepare(options.scratch / row.name, options.quick)
            session.run_all(rows, options.families, binaries / "malloc_benchmark")
            if options.lookup:
                session.progress.say("span lookups")
                plain = allocators.Allocator("glibc", None)
                lookup = binaries / "span_lookup_benchmark"
                lookups = micro.measure_lookups(runner, lookup, plain, options.quick)
        except RunFailed as why:
            session.failures[LOOKUP, "glibc"] = str(why)
        except KeyboardInterrupt:
            print("\nbench: interrupted; this is what was measured until then", file=sys.stderr)
            options.docs = False
            session.interrupted = True
    return session, lookups


def count_fast_path(options):
    with tempfile.TemporaryDirectory(prefix="prairie_bench_") as scratch:
        options.scratch = Path(scratch)
        program = build(options) / "fast_path_count"
        options.programs = []
        drop_missing(options)
        fast_path.run(program, options.selected, options.fast_path_golden)


def main():
    options = parse(sys.argv[1:])
    if options.list:
        print_list(options)
        return 0
    if options.docs:
        report.check_section(ROOT / "docs/benchmarks.md")
    command = shown_command(sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    install()
    if options.fast_path:
        count_fast_path(options)
        return 0
    session, lookups = measure_everything(options)
    rounds = "one round" if options.rounds == 1 else f"{options.rounds} rounds"
    heading = f"`{command}`, {rounds}, on {machine.describe()}."
    results = Results(options, session, lookups)
    text = results.text(heading)
    print(text)
    directory = results.write_csv(command)
    if options.docs:
        results.write_plots(ROOT / "docs")
        report.replace_section(ROOT / "docs/benchmarks.md", text)
    where = f"samples in {directory.relative_to(ROOT)}/"
    print(
        f"bench: {where}" + (", tables and plots in docs/" if options.docs else ""), file=sys.stderr
    )
    return 130 if session.interrupted else int(bool(session.failures))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        sys.exit(130)

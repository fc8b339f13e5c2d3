"""The command behind scripts/bench: compares allocators on synthetic and real programs."""

import argparse
import datetime
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
import machine
import micro
import programs
import report
from command import ROOT, Parser, shell
from measure import RunFailed, Runner
from samples import Table
from session import Session

LOOKUP = "span_lookup"
SETS = ("programs", "micro", LOOKUP)
EXAMPLES = """\
examples:
  scripts/bench                          everything, three rounds; rewrites the figures of docs/
  scripts/bench --quick                  one round of smaller jobs, in under three minutes
  scripts/bench --only perl,batch_lifo   some rows
  scripts/bench --peer mine=/path/libmine.so --allocators prairie,mine --rounds 5

Rows and allocators are listed by --list. A run of everything writes bench/results/ and docs/; any
other one writes its CSV files to .cache/bench/ only. --docs and --no-docs say otherwise.
"""


def parse(arguments):
    parser = Parser(
        prog="scripts/bench",
        description="Compares Prairie with glibc, jemalloc, mimalloc and gperftools.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="one round of smaller jobs")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds (3; with --quick 1)")
    parser.add_argument(
        "--only", metavar="ROWS", help="rows or sets (programs, micro, span_lookup), by commas"
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
    parser.add_argument("--list", action="store_true", help="list rows and allocators, and stop")
    options = parser.parse_args(arguments)
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seed = (
        options.seed if options.seed is not None else int.from_bytes(os.urandom(2), "big")
    )
    try:
        peers = [allocators.parse_peer(text) for text in options.peer]
        wanted = options.allocators.split(",") if options.allocators else None
        options.selected = allocators.select(
            peers, wanted, Path("bazel-bin/allocator/libprairie.so")
        )
        choose_rows(options)
    except ValueError as error:
        parser.error(str(error))
    if options.docs is None:
        options.docs = not (options.quick or options.only or options.allocators)
    return options


def choose_rows(options):
    """Sets options.programs, .families and .lookup; raises ValueError for an unknown name."""
    every = programs.all_programs()
    known = {program.name for program in every} | set(micro.FAMILIES) | set(SETS)
    wanted = set(options.only.split(",")) if options.only else set(SETS)
    unknown = sorted(wanted - known)
    if unknown:
        raise ValueError(f"--only: unknown row '{unknown[0]}' (--list lists them)")
    options.programs = [program for program in every if wanted & {"programs", program.name}]
    options.families = [family for family in micro.FAMILIES if wanted & {"micro", family}]
    options.lookup = LOOKUP in wanted


def print_list(options):
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
    default = Path("bazel-bin/allocator/libprairie.so")
    uses_built = any(allocator.library == default for allocator in options.selected)
    if uses_built:
        targets.append("//allocator:libprairie.so")
    shell(f"bazel_quietly build {' '.join(targets)}")
    binaries = Path(shell("bazel_bin"))
    # A copy of each: a build by someone else must not change them in the middle of a run.
    directory = options.scratch / "bin"
    directory.mkdir()
    for target in targets:
        shutil.copy(binaries / target.removeprefix("//").replace(":", "/"), directory)
    options.selected = [
        allocators.Allocator(a.name, directory / "libprairie.so") if a.library == default else a
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
        if allocator.library and not allocator.library.is_file():
            print(f"bench: SKIPPED: {allocator.name}: no {allocator.library}", file=sys.stderr)
            options.selected.remove(allocator)
    if not options.selected:
        sys.exit("bench: no allocator is left to measure")


def program_table(options, session):
    order = [program.name for program in options.programs]
    return Table(session.program_samples), report.rows_of(session.program_samples, order)


def micro_table(session):
    return Table(session.micro_samples), report.rows_of(session.micro_samples, list(micro.FAMILIES))


def summary(options, session, lookups, heading):
    """The results as Markdown."""
    names = [allocator.name for allocator in options.selected]
    parts = [heading]
    means = []
    if session.program_samples:
        table, rows = program_table(options, session)
        parts += [
            "### Programs: time",
            report.ratio_table(table, "wall", rows, names, "s"),
            plot(options, "time"),
        ]
        parts += [
            "### Programs: peak memory",
            report.ratio_table(table, "rss_kib", rows, names, "MiB", 1024),
            plot(options, "memory"),
        ]
        for metric, title in (
            ("wall", "programs, time"),
            ("cpu", "programs, user + system time"),
            ("rss_kib", "programs, peak memory"),
            ("faults", "programs, page faults"),
        ):
            means += report.mean_rows(table, metric, [[row] for row in rows], names, title)
    if session.micro_samples:
        table, rows = micro_table(session)
        if options.only:
            parts += ["### Micro benchmarks", report.ratio_table(table, "ns", rows, names, "ns")]
        parts += [
            "### Micro benchmarks, by family",
            report.family_table(table, rows, names, micro.FAMILIES),
            plot(options, "micro"),
        ]
        groups = report.family_rows(rows, micro.FAMILIES).values()
        means += report.mean_rows(table, "ns", groups, names, "micro families, time")
    if means:
        parts += ["### Geometric means", report.table_text(["", *names], means)]
    if lookups:
        parts += [
            "### Finding the span of a pointer",
            report.lookup_table(lookups),
            plot(options, LOOKUP),
        ]
    notes = [program.note for program in options.programs if program.note]
    notes += [f"failed: {row} on {name}: {why}" for (row, name), why in session.failures.items()]
    notes += [f"runs that were disturbed, and so repeated once: {len(session.repeats)}"]
    notes += [f"repeated: {text}" for text in session.repeats[:8]] if not options.docs else []
    parts += ["\n".join(f"- {note}" for note in notes)]
    return "\n\n".join(part for part in parts if part)


def plot(options, name):
    return f"![{name}](bench_{name}.svg)" if options.docs else ""


def write_plots(options, session, lookups, directory):
    import plots  # here, since matplotlib is needed for nothing else

    names = [allocator.name for allocator in options.selected]
    if session.program_samples:
        table, rows = program_table(options, session)
        plots.plot_programs(
            directory / "bench_time.svg", table, "wall", "Programs, time", rows, names
        )
        plots.plot_programs(
            directory / "bench_memory.svg", table, "rss_kib", "Programs, peak memory", rows, names
        )
    if session.micro_samples:
        table, rows = micro_table(session)
        families = report.family_rows(rows, micro.FAMILIES)
        plots.plot_families(directory / "bench_micro.svg", table, families, names)
    if lookups:
        plots.plot_lookups(directory / f"bench_{LOOKUP}.svg", lookups)


def write_results(options, session, lookups, command):
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions().items())
    heading = (
        f"{command}; {datetime.date.today()}; {machine.describe()}; {versions}; seed {options.seed}"
    )
    directory = ROOT / ("bench/results" if options.docs else ".cache/bench")
    for name, samples in (("programs", session.program_samples), ("micro", session.micro_samples)):
        if samples:
            rows = report.sample_rows(samples)
            report.write_csv(directory / f"{name}.csv", heading, report.SAMPLE_COLUMNS, rows)
    if lookups:
        rows = ([*key, f"{value:.4g}"] for key, value in lookups.items())
        columns = ("structure", "pattern", "chain", "mib", "ns")
        report.write_csv(directory / f"{LOOKUP}.csv", heading, columns, rows)
    return directory


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
            for program in options.programs:
                program.prepare(options.scratch / program.name, options.quick)
            session.run_all(options.programs, options.families, binaries / "malloc_benchmark")
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
    session, lookups = measure_everything(options)
    rounds = "one round" if options.rounds == 1 else f"{options.rounds} rounds"
    heading = f"`{command}`, {rounds}, on {machine.describe()}."
    text = summary(options, session, lookups, heading)
    print(text)
    directory = write_results(options, session, lookups, command)
    if options.docs:
        write_plots(options, session, lookups, ROOT / "docs")
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

"""The command behind scripts/limits-matrix: allocators under limits, in tables with their goals."""

import argparse
import datetime
import shutil
import signal
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "runner"))

import machine  # noqa: E402
import measurements  # noqa: E402
import report  # noqa: E402
from allocators import DEBIAN_PEERS, LIBRARY_DIRECTORY, Allocator  # noqa: E402
from cells import MARK, PRAIRIE, summary  # noqa: E402
from command import Parser, shell  # noqa: E402
from launch import LaunchFailed, Launcher  # noqa: E402

NAME = "limits-matrix"
COMMAND = f"scripts/{NAME}"
PEERS = DEBIAN_PEERS
PROBES = (
    "fill_to_null",
    "full_heap",
    "moving_limit",
    "rounds_to_null",
    "starved",
    "startup",
    "threads",
)
EPILOG = """\
examples:
  scripts/limits-matrix --peers                       everything, in a quarter of an hour
  scripts/limits-matrix --quick                       Prairie and glibc, a part of each table
  scripts/limits-matrix --only payload,startup libmine.so
  scripts/limits-matrix --peers --markdown docs/limits.md

The exit status says whether it could be measured, not whether the goals were met.
"""


def library_name(path):
    """The name of an allocator in the tables: Debian's as everywhere, else lib<NAME>.so."""
    for name, file in PEERS.items():
        if path.name == file:
            return name
    return path.name.partition(".")[0].removeprefix("lib") or path.name


def parse(arguments):
    parser = Parser(
        prog=COMMAND,
        description="Measures Prairie, glibc and other allocators under limits on the address "
        f"space, and marks with `{MARK}` what falls short of Prairie's goals.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("library", nargs="*", metavar="ALLOC.so", help="one more allocator")
    parser.add_argument(
        "--peers", action="store_true", help=f"those of Debian's {', '.join(PEERS)} installed here"
    )
    parser.add_argument(
        "--only", metavar="TABLES", help=f"by commas, of: {', '.join(measurements.TABLES)}"
    )
    parser.add_argument("--quick", action="store_true", help="fewer cells, coarser, under a minute")
    parser.add_argument(
        "--prairie", metavar="FILE", help="this libprairie.so, instead of building one"
    )
    parser.add_argument(
        "--probes", metavar="DIR", help="the programs of bench/limits/, already built"
    )
    parser.add_argument(
        "--markdown", metavar="FILE", help=f"write the tables between its {NAME} markers too"
    )
    options = parser.parse_args(arguments)
    options.tables = (
        options.only.split(",") if options.only is not None else list(measurements.TABLES)
    )
    for table in options.tables:
        if table not in measurements.TABLES:
            names = ", ".join(measurements.TABLES)
            parser.error(f"--only: unknown table '{table}', expected one of: {names}")
    options.allocators = [Allocator("glibc", None)]
    if options.peers:
        options.allocators += installed_peers()
    for text in options.library:
        path = Path(text).resolve()
        if not path.is_file():
            parser.error(f"no such file: {text}")
        name = library_name(path)
        if name in (PRAIRIE, "glibc", *(a.name for a in options.allocators)):
            parser.error(f"a second allocator with the name {name}: {text}")
        options.allocators.append(Allocator(name, path))
    options.document = Path(options.markdown) if options.markdown else None
    try:
        if options.document:
            report.markers(options.document, NAME)
    except ValueError as error:
        parser.error(f"--markdown: {error}")
    if options.prairie and not Path(options.prairie).is_file():
        parser.error(f"--prairie: no such file: {options.prairie}")
    missing = [p for p in PROBES if options.probes and not Path(options.probes, p).is_file()]
    if missing:
        parser.error(f"--probes: no {missing[0]} in {options.probes}")
    return options


def installed_peers():
    found = []
    for name, file in PEERS.items():
        if (LIBRARY_DIRECTORY / file).is_file():
            found.append(Allocator(name, LIBRARY_DIRECTORY / file))
        else:
            print(f"{NAME}: SKIPPED: {name}: no {LIBRARY_DIRECTORY / file}", file=sys.stderr)
    return found


def build(options, scratch):
    """Builds what is not given; returns the directory of the probes, and Prairie's Allocator.

    Both are copies, which no build by someone else changes in the middle of a run.
    """
    targets = [] if options.probes else [f"//bench/limits:{probe}" for probe in PROBES]
    targets += [] if options.prairie else ["//allocator:libprairie.so"]
    built = None
    if targets:
        shell(f"bazel_quietly build {' '.join(targets)}", COMMAND)
        built = Path(shell("bazel_bin", COMMAND))
    directory = scratch / "bin"
    directory.mkdir()
    for probe in PROBES:
        shutil.copy(Path(options.probes or built / "bench/limits", probe), directory)
    library = directory / "libprairie.so"
    shutil.copy(options.prairie or built / "allocator/libprairie.so", library)
    return directory, Allocator(PRAIRIE, library)


def install(options):
    lists = ["limits"] + (["build"] if not (options.probes and options.prairie) else [])
    packages = " ".join(f'"${{packages_{name}[@]}}"' for name in lists)
    shell(f"install_packages 'to measure under limits' {packages}", COMMAND)


def measure(options, scratch):
    """The tables that were asked for."""
    binaries, prairie = build(options, scratch)
    plain = options.allocators[0]
    work = scratch / "work"
    work.mkdir()
    bench = measurements.Bench(
        Launcher(work), binaries, [*options.allocators, prairie], plain, options.quick
    )
    return [measurements.TABLES[table](bench) for table in options.tables]


def heading(options):
    known = machine.versions()
    names = [name for name in (a.name for a in options.allocators) if name in known]
    versions = ", ".join(f"{name} {known[name]}" for name in names)
    kind = f"`{COMMAND}`" + (", quick" if options.quick else "")
    return (
        f"{kind}, {datetime.date.today()}, on {machine.describe()}; {versions}. "
        f"`{MARK}`: falls short of the goal."
    )


def main():
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    install(options)
    with tempfile.TemporaryDirectory(prefix="prairie_limits_") as scratch:
        tables = measure(options, Path(scratch))
    last = summary(tables)
    text = "\n\n".join([heading(options), *(table.text() for table in tables), last])
    print(text)
    if options.document:
        report.replace_section(options.document, text, NAME)
        print(f"{NAME}: tables in {options.document}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print(f"{NAME}: interrupted", file=sys.stderr)
        sys.exit(130)
    except LaunchFailed as why:
        sys.exit(f"{NAME}: {why}")

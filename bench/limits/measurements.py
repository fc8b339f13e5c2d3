"""Measures each table. A function takes a Bench and returns a Table."""

import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

import goals
import smallest
import strace
from cells import PRAIRIE, Part, Table
from jobs import JOBS, Checker
from launch import MIB, Launcher

UNIT = MIB // 16  # the steps of the bisection
FIRST_LIMIT = 2 * MIB
MOST_LIMIT = 64 << 30
QUICK_JOBS = ("python3, print", "sqlite3", "4 threads", "64 threads, 64 KiB stacks")
STARVED_MIB = range(700, 1601, 100)
QUICK_STARVED_MIB = (700, 1100, 1600)
MAPPED_FILE_BYTES = 32 * MIB
STARTUP_LIMIT = 256 * MIB
ROUNDS_LIMIT = 256 * MIB
FULL_LIMIT = 128 * MIB


@dataclass
class Bench:
    """What is measured, and with what. plain: glibc, which the others are compared with."""

    launcher: Launcher
    binaries: Path
    allocators: list
    plain: object
    quick: bool

    def say(self, table, name, what):
        print(f"limits-matrix: {table}: {name}: {what}", file=sys.stderr, flush=True)


def is_prairie(allocator):
    return allocator.name == PRAIRIE


def mib(units):
    return units * UNIT / MIB


def shown_mib(value):
    return f"{value:.0f}" if abs(value) >= 200 else f"{value:.1f}"


def smallest_limits(bench):
    jobs = [job for job in JOBS if not bench.quick or job.name in QUICK_JOBS]
    table = Table(
        "smallest",
        "Smallest `ulimit -v` (MiB) at which a program works; glibc absolute, the others relative "
        "to it:",
        [job.name for job in jobs],
        [f"≤ {goals.SMALLEST[job.name]:+.0f}".replace("+0", "0") for job in jobs],
    )
    checker = Checker(bench.launcher, bench.binaries)
    order = [bench.plain, *(a for a in bench.allocators if a.name != bench.plain.name)]
    names = [a.name for a in bench.allocators]
    cells = {a.name: [] for a in order}
    for job in jobs:
        why = checker.prepare(job, bench.plain)
        if why:
            sys.exit(f"limits-matrix: {job.name} fails without a limit: {why}")
        base = None
        for allocator in order:
            found = smallest.find(
                lambda units, a=allocator, j=job: checker.works(j, a, units * UNIT),
                FIRST_LIMIT // UNIT,
                MOST_LIMIT // UNIT,
                fringe=4 if bench.quick else smallest.FRINGE,
                far_above=(1.5, 3.0) if bench.quick else smallest.FAR_ABOVE,
            )
            if allocator is bench.plain:
                base = found.limit
            cells[allocator.name].append(smallest_cell(job, allocator, bench, found, base))
            total = "none" if found.limit is None else f"{mib(found.limit):.2f} MiB"
            bench.say(table.key, allocator.name, f"{job.name}: {total}")
            if found.limit and found.lowest < found.limit:
                lowest = f"{mib(found.lowest):.1f}"
                table.notes.append(f"{allocator.name}, {job.name}: now and then from {lowest} MiB")
            if found.gaps:
                gaps = ", ".join(shown_mib(mib(gap)) for gap in found.gaps)
                table.notes.append(f"{allocator.name}, {job.name}: fails again at {gaps} MiB")
    table.rows = {name: cells[name] for name in names}
    return table


def smallest_cell(job, allocator, bench, found, base):
    if found.limit is None:
        return [Part("none", False if is_prairie(allocator) else None)]
    if allocator is bench.plain:
        return [Part(shown_mib(mib(found.limit)))]
    if base is None:
        return [Part(f"= {shown_mib(mib(found.limit))}")]
    more = mib(found.limit - base)
    text = f"{more:+.0f}" if abs(more) >= 200 else f"{more:+.1f}"
    met = goals.at_most(more, goals.SMALLEST[job.name], 1) and not found.gaps
    return [Part(text, met if is_prairie(allocator) else None)]


def triple(goal):
    return "≥ " + "/".join(map(str, goal))


def payload(bench):
    limits = [limit for limit in goals.PAYLOAD if not bench.quick or limit <= 128]
    table = Table(
        "payload",
        "Usable payload before NULL, in % of the limit, in blocks of 64 B / 1 KiB / 1 MiB; and the "
        "largest single block after freeing everything at "
        f"{goals.AFTER_FREE_LIMIT} MiB, in % of what was filled:",
        [f"{limit} MiB" if limit < 1024 else f"{limit // 1024} GiB" for limit in limits],
        [triple(goals.PAYLOAD[limit]) for limit in limits],
    )
    if goals.AFTER_FREE_LIMIT in limits:
        table.header.append("one block after free")
        table.goal.append(triple(goals.AFTER_FREE))
    for allocator in bench.allocators:
        after_free = []
        for limit in limits:
            cell = []
            for i, size in enumerate(goals.BLOCK_SIZES):
                filled, largest = fill(bench, table, allocator, limit, size)
                cell.append(percent_part(allocator, filled, goals.PAYLOAD[limit][i]))
                if limit == goals.AFTER_FREE_LIMIT:
                    after_free.append(percent_part(allocator, largest, goals.AFTER_FREE[i]))
            table.add(allocator.name, cell)
        if after_free:
            table.add(allocator.name, after_free)
    return table


def fill(bench, table, allocator, limit_mib, size):
    """Payload in % of the limit, largest block in % of the payload; or words on how it failed."""
    limit = limit_mib * MIB
    outcome = bench.launcher.run([bench.binaries / "fill_to_null", size, limit], allocator, limit)
    figures = outcome.figures()
    what = f"{limit_mib} MiB, blocks of {size} B"
    if "payload" not in figures:
        bench.say(table.key, allocator.name, f"{what}: {outcome.why()}")
        return outcome.short(), outcome.short()
    filled = figures["payload"][0]
    bench.say(table.key, allocator.name, f"{what}: {100 * filled / limit:.2f}%")
    if not outcome.ok:
        table.notes.append(f"{allocator.name}, {what}, after NULL: {outcome.why()}")
        return 100 * filled / limit, outcome.short()
    return 100 * filled / limit, 100 * figures["largest"][0] / max(filled, 1)


def percent_part(allocator, value, goal):
    """value: a percentage, or a word on what went wrong."""
    if isinstance(value, str):
        return Part(value, False if is_prairie(allocator) else None)
    met = goals.at_least(value, goal)
    return Part(f"{value:.0f}", met if is_prairie(allocator) else None)


def startup(bench):
    table = Table(
        "startup",
        "At start, without a limit / at `ulimit -v` of "
        f"{STARTUP_LIMIT // MIB} MiB: a program in C after its first malloc. Sizes in KiB, medians; "
        "mapping calls of the allocator, and those that the dynamic linker makes for its library:",
        ["VmSize", "RSS", "page tables", "mapping calls", "linker's calls"],
        ["", f"≤ {goals.STARTUP_RSS_KIB}", "", f"≤ {goals.STARTUP_MAPPING_CALLS}", ""],
    )
    for allocator in bench.allocators:
        cells = [start_parts(bench, allocator, limit) for limit in (None, STARTUP_LIMIT)]
        for parts in zip(*cells):
            table.add(allocator.name, list(parts))
        said = ", ".join(f"{rss} KiB, {calls} calls" for _, rss, _, calls, _ in cells)
        bench.say(table.key, allocator.name, said)
    return table


def start_parts(bench, allocator, limit):
    """The five figures of a start, as Parts."""
    runs = []
    for _ in range(3 if bench.quick else 9):
        outcome = bench.launcher.run([bench.binaries / "startup"], allocator, limit)
        if not outcome.ok:
            return [percent_part(allocator, outcome.short(), 0)] * 5
        runs.append(outcome.figures())
    size, rss, tables = (
        statistics.median(figures[name][0] for figures in runs)
        for name in ("VmSize", "VmRSS", "VmPTE")
    )
    linker, calls = start_calls(bench, allocator, limit)
    linker -= start_calls(bench, bench.plain, limit)[0]
    ours = is_prairie(allocator)
    return [
        Part(f"{size:.0f}"),
        Part(f"{rss:.0f}", rss <= goals.STARTUP_RSS_KIB if ours else None),
        Part(f"{tables:.0f}"),
        Part(str(calls), calls <= goals.STARTUP_MAPPING_CALLS if ours else None),
        Part(f"{linker:+d}"),
    ]


def start_calls(bench, allocator, limit):
    """The mapping calls of a start: (the dynamic linker's, those of others)."""
    log = bench.launcher.scratch / "strace.log"
    words = strace.command(allocator.library, bench.binaries / "startup", log)
    outcome = bench.launcher.run(words, bench.plain, limit)
    if not outcome.ok:
        sys.exit(f"limits-matrix: strace of startup on {allocator.name}: {outcome.why()}")
    figures = outcome.figures()
    text = log.read_text(encoding="utf-8", errors="replace")
    return strace.count(text, figures["linker_begin"][0], figures["linker_end"][0])


def starved(bench):
    limits = QUICK_STARVED_MIB if bench.quick else STARVED_MIB
    table = Table(
        "starved",
        "A heap of 64 MiB, 64 threads with stacks of 8 MiB and a mapped file of 32 MiB, at "
        "`ulimit -v` (MiB):",
        [str(limit) for limit in limits],
        ["works"] * len(limits),
    )
    mapped = bench.launcher.scratch / "mapped"
    with open(mapped, "wb") as file:
        file.truncate(MAPPED_FILE_BYTES)
    for allocator in bench.allocators:
        for limit in limits:
            command = [bench.binaries / "starved", mapped]
            outcome = bench.launcher.run(command, allocator, limit * MIB)
            bench.say(
                table.key, allocator.name, f"{limit}: {'works' if outcome.ok else outcome.why()}"
            )
            text = "works" if outcome.ok else outcome.short()
            table.add(allocator.name, Part(text, outcome.ok if is_prairie(allocator) else None))
    return table


# The cases of moving_limit: the limit to start under, and the words in the table.
MOVING_CASES = {
    "lower": (None, "none, 64 MiB filled, then 256 MiB"),
    "raise": (128 * MIB, "128 MiB, filled, then 512 MiB"),
    "below": (None, "none, 128 MiB filled, then 64 MiB, then 512 MiB"),
}


def moving(bench):
    table = Table(
        "moving",
        "Limits that move at run time: payload before NULL in % of the last one; then, with a "
        "quarter freed, whether a stack and a mapping of 8 MiB are to be had:",
        [words for _, words in MOVING_CASES.values()],
        [f"≥ {goals.MOVING[case]}/stack/mapping" for case in MOVING_CASES],
    )
    for allocator in bench.allocators:
        for case, (limit, _) in MOVING_CASES.items():
            command = [bench.binaries / "moving_limit", case]
            outcome = bench.launcher.run(command, allocator, limit, soft=True)
            figures = outcome.figures()
            complete = outcome.ok and "map" in figures
            bench.say(
                table.key, allocator.name, f"{case}: {'works' if complete else outcome.why()}"
            )
            if not complete:
                table.add(allocator.name, percent_part(allocator, outcome.short(), 0))
                continue
            filled = 100 * figures["payload"][0] / figures["limit"][0]
            cell = [percent_part(allocator, filled, goals.MOVING[case])]
            for name, word in (("stack", "stack"), ("map", "mapping")):
                had = bool(figures[name][0])
                met = had if is_prairie(allocator) else None
                cell.append(Part(word if had else f"no {word}", met))
            table.add(allocator.name, cell)
    return table


def rounds(bench):
    threads, count = 64, 3
    table = Table(
        "rounds",
        f"{threads} threads with stacks of 64 KiB fill the heap to NULL at "
        f"{ROUNDS_LIMIT // MIB} MiB and free everything, {count} rounds: payload of all, in % of "
        "the limit, medians:",
        ["first", "second", "third"],
        ["≥ glibc's", *[f"≥ the first − {goals.ROUNDS_LOSS}"] * (count - 1)],
    )
    command = [bench.binaries / "rounds_to_null", threads, count, ROUNDS_LIMIT]
    glibc = rounds_of(bench, table, command, bench.plain)
    for allocator in bench.allocators:
        got = glibc if allocator is bench.plain else rounds_of(bench, table, command, allocator)
        for i in range(count):
            if i >= len(got) or isinstance(got[i], str):
                text = got[i] if i < len(got) else "-"
                table.add(allocator.name, percent_part(allocator, text, 0))
                continue
            goal = glibc[0] if i == 0 else got[0] - goals.ROUNDS_LOSS
            goal = 0 if isinstance(goal, str) else round(goal)
            table.add(allocator.name, percent_part(allocator, got[i], goal))
    return table


def rounds_of(bench, table, command, allocator):
    """The payload of each round in % of the limit, the median of some runs.

    A word, at the end, says that something went wrong.
    """
    runs = []
    for _ in range(1 if bench.quick else 3):
        outcome = bench.launcher.run(command, allocator, ROUNDS_LIMIT)
        got = [100 * value / ROUNDS_LIMIT for value in outcome.figures().get("round", [])]
        said = "/".join(f"{value:.1f}" for value in got)
        bench.say(table.key, allocator.name, said + ("" if outcome.ok else f" {outcome.why()}"))
        if not outcome.ok:
            return [*got, outcome.short()]
        runs.append(got)
    return [statistics.median(values) for values in zip(*runs)]


def full(bench):
    table = Table(
        "full",
        f"With the heap full at {FULL_LIMIT // MIB} MiB: payload when operator new throws, the second "
        "time, in % of the limit; the first malloc of a thread; one block in ten freed, of these to "
        "be had again, in %:",
        ["operator new", "a thread's first malloc", "one in ten freed"],
        [f"≥ {goals.FULL_NEW}", "lives", f"≥ {goals.FULL_AGAIN}"],
    )
    for allocator in bench.allocators:
        for case in ("new", "thread", "tenth"):
            outcome = bench.launcher.run(
                [bench.binaries / "full_heap", case], allocator, FULL_LIMIT
            )
            bench.say(
                table.key, allocator.name, f"{case}: {'lives' if outcome.ok else outcome.why()}"
            )
            table.add(allocator.name, full_part(allocator, case, outcome))
    return table


def full_part(allocator, case, outcome):
    if not outcome.ok:
        return percent_part(allocator, outcome.short(), 0)
    figures = outcome.figures()
    if case == "new":
        return percent_part(allocator, 100 * figures["payload"][0] / FULL_LIMIT, goals.FULL_NEW)
    if case == "thread":
        return Part("lives", True if is_prairie(allocator) else None)
    return percent_part(
        allocator, 100 * figures["again"][0] / figures["freed"][0], goals.FULL_AGAIN
    )


TABLES = {
    "smallest": smallest_limits,
    "payload": payload,
    "startup": startup,
    "starved": starved,
    "moving": moving,
    "rounds": rounds,
    "full": full,
}

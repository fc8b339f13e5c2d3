"""How Prairie stands against its peers over all programs and workloads, in a few numbers."""

import re
from dataclasses import dataclass, field

from allocators import OWN, peers_of
from samples import geometric_mean
from report import shown, table_text

# The bars: the best single peer's time, a row's best peer's time, the leanest fast peer's memory.
TIME_GOAL, ROW_GOAL, MEMORY_GOAL, BEST_GOAL = 0.92, 1.05, 0.85, 0.5
# A peer is fast if its geometric mean is within 15% of the best peer's.
FAST = 1.15
# The figures of a workload that are latencies to be compared.
LATENCY = re.compile(r"_(p999|worst)$")
# Resident memory some seconds after the peak, relative to what lives, and its bar.
SETTLED, SETTLED_GOAL = ("settled_ratio", "times"), 1.2
SLOWER = f"rows slower than {ROW_GOAL} × their best peer"


@dataclass
class Verdict:
    """Ratios below 1 are in Prairie's favour; `missing` are the rows that it did not complete."""

    rows: int = 0
    missing: list = field(default_factory=list)
    times: dict = field(default_factory=dict)  # peer -> Prairie's time to it, geometric mean
    counts: dict = field(default_factory=dict)  # peer -> rows that both completed
    best_peer: str | None = None
    best: list = field(default_factory=list)  # rows where nobody is faster
    worse: list = field(default_factory=list)  # (row, ratio, the row's best peer), the worst first
    memory: dict = field(default_factory=dict)  # fast peer -> Prairie's peak memory to it
    leanest: str | None = None
    latencies: list = field(default_factory=list)  # (row, figure, ratio to the best peer, which)
    settled: list = field(default_factory=list)  # (row, resident to live memory after the peak)


def mean_to(table, metric, rows, peer):
    """The geometric mean of Prairie's ratio to a peer over the rows of both, and their number."""
    ratios = [table.ratio(metric, row, OWN, peer) for row in rows]
    return geometric_mean(ratios), sum(ratio is not None for ratio in ratios)


def best_peer_of(table, metric, row, peers):
    """The peer with the smallest value of a row, or None."""
    measured = [peer for peer in peers if table.value(metric, row, peer) is not None]
    return min(measured, key=lambda peer: table.value(metric, row, peer), default=None)


def judge(table, rows, names):
    """The Verdict over `rows`; None unless Prairie and a peer were measured."""
    peers = peers_of(names)
    if OWN not in names or not peers or not rows:
        return None
    verdict = Verdict(rows=len(rows))
    for peer in peers:
        mean, count = mean_to(table, "time", rows, peer)
        if mean is not None:
            verdict.times[peer], verdict.counts[peer] = mean, count
    if not verdict.times:
        return None
    # The faster a peer, the larger is Prairie's ratio to it.
    verdict.best_peer = max(verdict.times, key=verdict.times.get)
    for row in rows:
        judge_row(verdict, table, row, peers)
    verdict.worse.sort(key=lambda entry: -entry[1])
    for peer, time in verdict.times.items():
        if verdict.times[verdict.best_peer] / time <= FAST:
            mean = mean_to(table, "rss_kib", rows, peer)[0]
            if mean is not None:
                verdict.memory[peer] = mean
    verdict.leanest = max(verdict.memory, key=verdict.memory.get, default=None)
    for row in rows:
        for figure in table.figures(row):
            if LATENCY.search(figure[0]):
                judge_latency(verdict, table, row, figure, peers)
        ratio = table.value(SETTLED, row, OWN)
        if ratio is not None:
            verdict.settled.append((row, ratio))
    return verdict


def judge_row(verdict, table, row, peers):
    if table.value("time", row, OWN) is None:
        verdict.missing.append(row)
        return
    rival = best_peer_of(table, "time", row, peers)
    if rival is None:
        return
    ratio = table.ratio("time", row, OWN, rival)
    if ratio <= 1:
        verdict.best.append(row)
    elif ratio > ROW_GOAL:
        verdict.worse.append((row, ratio, rival))


def judge_latency(verdict, table, row, figure, peers):
    own = table.value(figure, row, OWN)
    rival = best_peer_of(table, figure, row, peers)
    if own is None or rival is None:
        return
    theirs = table.value(figure, row, rival)
    verdict.latencies.append((row, figure[0], own / theirs if theirs else None, rival))


def lines_of(verdict):
    """For each figure: which it is, of what, the figure, the goal, whether it is reached."""
    time, memory = verdict.times[verdict.best_peer], verdict.memory.get(verdict.leanest)
    yield (
        "time",
        f"time to the best single peer, {verdict.best_peer}, geometric mean",
        shown(time),
        f"≤ {TIME_GOAL}",
        time <= TIME_GOAL,
    )
    best = f"{len(verdict.best)} of {verdict.rows}"
    yield "best", "rows best of all", best, "half", len(verdict.best) / verdict.rows >= BEST_GOAL
    reached = not verdict.worse and not verdict.missing
    yield "worse", SLOWER, str(len(verdict.worse)), "0", reached
    if memory is not None:
        what = f"peak memory to the leanest fast peer, {verdict.leanest}, geometric mean"
        yield "memory", what, shown(memory), f"≤ {MEMORY_GOAL}", memory <= MEMORY_GOAL
    for row, figure, ratio, rival in verdict.latencies:
        what = f"{row}, {figure}, to the best peer, {rival}"
        yield (row, figure), what, shown(ratio), "≤ 1", ratio is not None and ratio <= 1
    for row, ratio in verdict.settled:
        what = f"{row}, resident memory to live data after the peak"
        yield row, what, shown(ratio), f"≤ {SETTLED_GOAL}", ratio <= SETTLED_GOAL


def slower_text(verdict):
    return ", ".join(f"{row} {shown(ratio)} ({peer})" for row, ratio, peer in verdict.worse)


def times_text(verdict):
    return ", ".join(f"{peer} {shown(ratio)}" for peer, ratio in verdict.times.items())


def text(verdict, least):
    """The Verdict as a table: what, the figure, that of `least`, the goal, whether it is reached.

    `least` is the Verdict over the least of each row's runs, which noise has disturbed least.
    """
    leasts = {which: figure for which, _, figure, _, _ in lines_of(least)}
    lines = [
        [what, figure, leasts.get(which, "-"), goal, "yes" if reached else "**no**"]
        for which, what, figure, goal, reached in lines_of(verdict)
    ]
    header = ["over all programs and workloads", "Prairie", "by the least", "goal", "reached"]
    notes = []
    if verdict.missing:
        notes.append(f"- not completed by Prairie: {', '.join(verdict.missing)}")
    if verdict.worse:
        notes.append(f"- {SLOWER}: {slower_text(verdict)}")
    if least.worse:
        notes.append(f"- {SLOWER}, by the least of each row's runs: {slower_text(least)}")
    fewer = [peer for peer, count in verdict.counts.items() if count < verdict.rows]
    if fewer:
        counts = ", ".join(f"{peer} {verdict.counts[peer]}" for peer in fewer)
        notes.append(f"- peers with less than {verdict.rows} rows in common with Prairie: {counts}")
    fast = ", ".join(f"{peer} {shown(ratio)}" for peer, ratio in verdict.memory.items())
    notes.append(f"- peak memory to each peer within 15% of the best time: {fast or 'none'}")
    notes.append(f"- time to each peer: {times_text(verdict)}")
    notes.append(f"- the same by the least of each row's runs: {times_text(least)}")
    return "\n\n".join([table_text(header, lines), "\n".join(notes)])

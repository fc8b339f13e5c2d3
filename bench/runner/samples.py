"""One measured run, and what is computed from many: medians, spreads, ratios, means."""

import math
import statistics
from collections import defaultdict
from dataclasses import dataclass, field

METRICS = ("time", "wall", "cpu", "rss_kib", "faults", "ns")


@dataclass
class Sample:
    """A run of one row on one allocator.

    A program has all but `ns`, a row of malloc_benchmark only that, a workload both.
    """

    row: str
    allocator: str
    turn: int  # of its row, from 1 on: in a round every row has one or more
    wall: float | None = None  # seconds
    cpu: float | None = None  # seconds, user + system
    rss_kib: int | None = None
    faults: int | None = None
    ns: float | None = None  # nanoseconds for each item or operation
    disturbed: str = ""  # why this sample was taken again and does not count
    figures: dict = field(default_factory=dict)  # (name, unit) -> value, what a workload prints

    @property
    def time(self):
        """What rows are compared by: a workload times itself, without its start and its pauses."""
        return self.wall if self.ns is None else self.ns


class Table:
    """Samples of several rows and allocators, in the order in which they first came.

    What stands for the runs of a row on an allocator is their median, or what `summary` says.
    """

    def __init__(self, samples, summary=statistics.median):
        self.summary = summary
        self.values = defaultdict(list)
        self.figures_of = defaultdict(list)
        for sample in samples:
            if sample.disturbed:
                continue
            for metric in METRICS:
                value = getattr(sample, metric)
                if value is not None:
                    self.values[metric, sample.row, sample.allocator].append(value)
            for figure, value in sample.figures.items():
                self.values[figure, sample.row, sample.allocator].append(value)
                if figure not in self.figures_of[sample.row]:
                    self.figures_of[sample.row].append(figure)

    def figures(self, row):
        """The figures (name, unit) that a workload prints; each is a metric too."""
        return self.figures_of.get(row, [])

    def value(self, metric, row, allocator):
        """What stands for the runs, or None when that allocator has no sample of the row."""
        values = self.values.get((metric, row, allocator))
        return self.summary(values) if values else None

    def spread(self, metric, row, allocator):
        """(max - min) / median, or None when there is nothing to compare."""
        values = self.values.get((metric, row, allocator), [])
        median = statistics.median(values) if len(values) > 1 else 0
        return (max(values) - min(values)) / median if median else None

    def ratio(self, metric, row, allocator, base):
        value, reference = self.value(metric, row, allocator), self.value(metric, row, base)
        return value / reference if value and reference else None

    def best(self, metric, row, allocators):
        """The smallest value of the row."""
        found = [self.value(metric, row, allocator) for allocator in allocators]
        return min((value for value in found if value is not None), default=None)

    def ratio_to_best(self, metric, row, allocator, allocators):
        value, best = self.value(metric, row, allocator), self.best(metric, row, allocators)
        return value / best if value and best else None


def base_of(names):
    """What the others are compared with: glibc, or the first one where glibc is not measured."""
    return "glibc" if "glibc" in names else names[0]


def geometric_mean(values):
    """Of those values that are not None; None when there are none."""
    logs = [math.log(value) for value in values if value]
    return math.exp(sum(logs) / len(logs)) if logs else None


def outliers(samples, metric, factor=1.5):
    """Those samples that exceed `factor` times the median of at least three of their kind."""
    groups = defaultdict(list)
    for sample in samples:
        if not sample.disturbed and getattr(sample, metric) is not None:
            groups[sample.row, sample.allocator].append(sample)
    found = []
    for group in groups.values():
        if len(group) >= 3:
            limit = factor * statistics.median(getattr(sample, metric) for sample in group)
            found += [sample for sample in group if getattr(sample, metric) > limit]
    return found

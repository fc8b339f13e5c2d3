"""One run of the whole benchmark: rounds in shuffled order, repeats, progress."""

import random
import sys
import time

import micro
from allocators import REFERENCE
from measure import RunFailed
from samples import Sample, outliers

FIRST_WARM_MIB = 256  # until the first run of a row has shown its peak
WARM_FACTOR = 1.3

# A row has as many turns in a round as fit into this on the fastest allocator, at least one: of
# single runs of a tenth of a second half may be disturbed.
LONG_ENOUGH = 0.9  # seconds
MOST_TURNS = 3


class Progress:
    """One line on stderr: rewritten in a terminal, else printed every few seconds."""

    def __init__(self, total):
        self.total, self.done, self.start, self.printed = total, 0, time.monotonic(), 0.0
        self.terminal = sys.stderr.isatty()

    def step(self, text):
        """Called before each run."""
        now = time.monotonic()
        left = (now - self.start) / self.done * (self.total - self.done) if self.done else 0
        line = f"bench: {self.done + 1}/{self.total} {text}" + (
            f", {left / 60:.1f} min left" if left else ""
        )
        self.done += 1
        if self.terminal:
            print(f"\r\033[K{line[:100]}", end="", file=sys.stderr, flush=True)
        elif now - self.printed > 10:
            self.printed = now
            print(line, file=sys.stderr, flush=True)

    def say(self, text):
        end = "\r\033[K" if self.terminal else ""
        print(f"{end}bench: {text}", file=sys.stderr, flush=True)


class Session:
    """Runs programs, workloads and families on all allocators, and keeps their samples."""

    def __init__(self, runner, allocators, options):
        self.runner, self.allocators, self.options = runner, allocators, options
        self.row_samples, self.micro_samples = [], []  # of programs and workloads; of families
        self.peak_kib = {}
        self.outputs = {}  # row -> the output of its first run, and on which allocator that was
        self.failures = {}  # (row, allocator) -> why
        self.unbounded = {}  # row -> why the reference has no figure there
        self.repeats = []  # what was repeated and why, in words
        self.progress = None
        self.interrupted = False

    def warm_mib(self, row, allocator):
        peak = self.peak_kib.get(self.peak_key(row, allocator))
        return WARM_FACTOR * peak / 1024 if peak else FIRST_WARM_MIB

    def note_peak(self, row, allocator, cost):
        key = self.peak_key(row, allocator)
        self.peak_kib[key] = max(self.peak_kib.get(key, 0), cost.rss_kib)

    @staticmethod
    def peak_key(row, allocator):
        """What the reference takes is no measure of what the others need."""
        return row, allocator.name == REFERENCE

    def run_all(self, rows, families, malloc_benchmark):
        """All rounds, each with its own order of turns, and each turn with its own of allocators.

        rows: programs and workloads. A sample says of which turn of its row it is.
        """
        jobs = [(self.run_row, row, row.name) for row in rows]
        jobs += [(self.run_family, (malloc_benchmark, family), family) for family in families]
        plain = next((a for a in self.allocators if a.library is None), self.allocators[0])
        # What never frees says nothing of loops that allocate as long as a clock runs.
        takers = {
            row: [a for a in self.allocators if row not in families or a.name != REFERENCE]
            for _, _, row in jobs
        }
        rounds = self.options.rounds
        self.progress = Progress(sum(1 + rounds * len(takers[row]) for _, _, row in jobs))
        shuffle = random.Random(self.options.seed)

        # A rehearsal on one allocator: it fills the page cache and shows how much to warm.
        for run, what, row in jobs:
            self.progress.step(f"rehearsal, {row}")
            self.attempt(run, what, row, plain, 0)
        turns = dict.fromkeys(takers, 0)

        def run_round(number, todo):
            for run, what, row in shuffle.sample(todo, len(todo)):
                turns[row] += 1
                for allocator in shuffle.sample(takers[row], len(takers[row])):
                    self.progress.step(f"round {number}, {row} on {allocator.name}")
                    self.attempt(run, what, row, allocator, turns[row])

        run_round(1, jobs)
        more = [job for job in jobs for _ in range(self.turns_in_a_round(job[2]) - 1)]
        self.progress.total += rounds * sum(len(takers[row]) for _, _, row in more)
        run_round(1, more)
        for number in range(2, rounds + 1):
            run_round(number, jobs + more)
        self.repeat_outliers(jobs)
        self.progress.say(f"measured; {len(self.repeats)} runs were repeated")

    def turns_in_a_round(self, row):
        """By what its first turn has shown; micro, which measures as long as it needs, has one."""
        walls = [s.wall for s in self.row_samples if s.row == row and s.allocator != REFERENCE]
        if self.options.quick or not walls:
            return 1
        return max(1, min(MOST_TURNS, int(LONG_ENOUGH / max(min(walls), 0.001))))

    def attempt(self, run, what, row, allocator, turn):
        """One run, and one more if it was disturbed. A failure ends the row for the allocator."""
        if (row, allocator.name) in self.failures:
            return
        if allocator.name == REFERENCE and row in self.unbounded:
            return
        try:
            why = run(what, row, allocator, turn)
            if why and turn:
                self.note_repeat(row, allocator.name, turn, why)
                again = run(what, row, allocator, turn)
                self.choose(row, allocator.name, turn, why)
                if again:
                    self.repeats[-1] += " (and again)"
        except (RunFailed, OSError) as why:
            self.fail(row, allocator.name, why)

    def fail(self, row, name, why):
        """What failed once has no figures. The reference may: many a row needs too much of it."""
        for samples in (self.row_samples, self.micro_samples):
            samples[:] = [s for s in samples if (s.row.split("/")[0], s.allocator) != (row, name)]
        if name == REFERENCE:
            self.unbounded[row] = str(why)
            return
        self.failures[row, name] = str(why)
        self.progress.say(f"FAILED: {row} on {name}: {why}")

    def compare_output(self, row, name, output):
        """Raises RunFailed unless it is what the row's first run put out, on whatever allocator."""
        expected, first = self.outputs.setdefault(row, (output, name))
        if output != expected:
            raise RunFailed(f"its output differs from that on {first}")

    def note_repeat(self, row, name, turn, why):
        self.repeats.append(f"{row} on {name}, turn {turn}: {why}")

    def choose(self, row, name, turn, why):
        """Of two samples of one run the slower one stops counting: disturbances only add time."""
        for samples, metric in ((self.row_samples, "time"), (self.micro_samples, "ns")):
            groups = {}
            for sample in samples:
                mine = sample.row == row or sample.row.startswith(row + "/")
                if (
                    mine
                    and (sample.allocator, sample.turn) == (name, turn)
                    and not sample.disturbed
                ):
                    groups.setdefault(sample.row, []).append(sample)
            for pair in groups.values():
                for slower in sorted(pair, key=lambda sample: getattr(sample, metric))[1:]:
                    slower.disturbed = why

    def run_row(self, what, row, allocator, turn):
        directory = self.runner.scratch / row
        measured = what.measure(
            self.runner, allocator, self.warm_mib(row, allocator), directory, self.options.quick
        )
        cost = measured.cost
        self.note_peak(row, allocator, cost)
        self.compare_output(row, allocator.name, measured.output)
        if turn:
            values = {
                "wall": cost.wall,
                "cpu": cost.cpu,
                "rss_kib": cost.rss_kib,
                "faults": cost.faults,
                "ns": measured.ns,
                "figures": measured.figures,
            }
            self.row_samples.append(Sample(row, allocator.name, turn, **values))
        return cost.disturbance(measured.helper)

    def run_family(self, what, row, allocator, turn):
        program, family = what
        cost, rows = micro.measure(
            self.runner,
            program,
            allocator,
            family,
            self.warm_mib(row, allocator),
            self.options.quick,
        )
        self.note_peak(row, allocator, cost)
        if turn:
            for name, nanoseconds in rows.items():
                self.micro_samples.append(Sample(name, allocator.name, turn, ns=nanoseconds))
        return cost.disturbance()

    def repeat_outliers(self, jobs):
        """Runs once more what took over 1.5 times the median of its kind (needs three rounds)."""
        by_row = {row: (run, what) for run, what, row in jobs}
        found = outliers(self.row_samples, "time") + outliers(self.micro_samples, "ns")
        libraries = {allocator.name: allocator for allocator in self.allocators}
        kinds = sorted({(s.row.split("/")[0], s.allocator, s.turn) for s in found})
        for row, name, turn in kinds:
            why = "over 1.5 times the median"
            run, what = by_row[row]
            self.progress.total += 1
            self.progress.step(f"repeating {row} on {name}")
            try:
                run(what, row, libraries[name], turn)
            except (RunFailed, OSError) as failure:
                self.fail(row, name, failure)
                continue
            self.note_repeat(row, name, turn, why)
            self.choose(row, name, turn, why)

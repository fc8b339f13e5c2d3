#!/usr/bin/env python3
"""Tests the parts of scripts/bench that need no allocator: what it reads, what it computes, what it says."""

import csv
import dataclasses
import os
import pathlib
import sys
import tempfile
import unittest
from types import SimpleNamespace

import unittest_cases

sys.path.append(os.path.join(unittest_cases.ROOT, "bench", "runner"))

import allocators  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402
import verdict  # noqa: E402
import workloads  # noqa: E402
from samples import Sample, Table, geometric_mean, outliers  # noqa: E402
from session import Session  # noqa: E402

COST = measure.Cost(1.0, 0.9, 0.1, 2048, 7, 1.0, 0.0, 0)
NAMES = ["prairie", "glibc", "quick", "lean", "bump"]


def sample(row, allocator, time, rss=100, **values):
    return Sample(row, allocator, values.pop("number", 1), wall=time, rss_kib=rss, **values)


def table_of(times, rss=None):
    """times: row -> the times on NAMES, None where there is no run; rss likewise."""
    samples = []
    for row, values in times.items():
        sizes = (rss or {}).get(row, [100] * len(NAMES))
        for name, time, size in zip(NAMES, values, sizes):
            if time is not None:
                samples.append(sample(row, name, time, size))
    return Table(samples)


class Statistics(unittest.TestCase):
    def test_geometric_mean(self):
        self.assertAlmostEqual(geometric_mean([2, 8]), 4)
        self.assertAlmostEqual(geometric_mean([3, None, 12]), 6)
        self.assertIsNone(geometric_mean([]))
        self.assertIsNone(geometric_mean([None]))

    def test_median_and_spread(self):
        table = Table([sample("r", "glibc", time) for time in (4, 1, 2)])
        self.assertEqual(table.value("time", "r", "glibc"), 2)
        self.assertEqual(table.spread("time", "r", "glibc"), 1.5)
        self.assertIsNone(table.value("time", "r", "quick"))
        self.assertIsNone(Table([sample("r", "glibc", 1)]).spread("time", "r", "glibc"))

    def test_disturbed_samples_do_not_count(self):
        table = Table([sample("r", "glibc", 1), sample("r", "glibc", 9, disturbed="noise")])
        self.assertEqual(table.value("time", "r", "glibc"), 1)

    def test_a_workload_is_compared_by_its_own_time(self):
        table = Table([sample("r", "glibc", 13.0, ns=25.0), sample("p", "glibc", 2.0)])
        self.assertEqual(table.value("time", "r", "glibc"), 25.0)
        self.assertEqual(table.value("wall", "r", "glibc"), 13.0)
        self.assertEqual(table.value("time", "p", "glibc"), 2.0)

    def test_outliers(self):
        samples = [sample("r", "glibc", time) for time in (1, 1.1, 1.2, 2)]
        self.assertEqual(outliers(samples, "time"), [samples[3]])
        self.assertEqual(outliers(samples[:1] + samples[3:], "time"), [])


class Peers(unittest.TestCase):
    def test_the_reference_and_prairie_are_none(self):
        self.assertEqual(allocators.peers_of(NAMES), ["glibc", "quick", "lean"])
        self.assertEqual(allocators.ranked(NAMES), ["prairie", "glibc", "quick", "lean"])

    def test_parse(self):
        with tempfile.NamedTemporaryFile() as file:
            peer = allocators.parse_peer(f"mine={file.name}")
            self.assertEqual((peer.name, str(peer.library)), ("mine", os.path.realpath(file.name)))
            for name in ("glibc", "bump", "a,b", ""):
                with self.assertRaises(ValueError, msg=name):
                    allocators.parse_peer(f"{name}={file.name}")
        for text in ("mine", "mine=", "mine=/no/such/file"):
            with self.assertRaises(ValueError, msg=text):
                allocators.parse_peer(text)

    def test_select(self):
        built = {"prairie": pathlib.Path("p.so"), "bump": pathlib.Path("b.so")}
        peers = [allocators.Allocator("mine", pathlib.Path("m.so"))]
        names = [a.name for a in allocators.select(peers, None, built)]
        self.assertEqual((names[0], names[-2:]), ("prairie", ["mine", "bump"]))
        chosen = allocators.select(peers, ["mine", "glibc"], built)
        self.assertEqual([a.name for a in chosen], ["glibc", "mine"])
        with self.assertRaises(ValueError):
            allocators.select([], ["mine"], built)

    def test_unavailable(self):
        def why(path):
            return allocators.why_unavailable(allocators.Allocator("x", path and pathlib.Path(path)))

        self.assertEqual(why(None), "")
        self.assertEqual(why("/no/such.so"), "no /no/such.so")
        # The dynamic linker says so and starts the program without it.
        self.assertIn("cannot be preloaded", why(os.path.join(unittest_cases.ROOT, "README.md")))


class Workloads(unittest.TestCase):
    TEXT = "figure free_p999 443.3 ns\nnoise\nops/s 2000000.0 peak_rss_mib 1.5 checksum beef\n"

    def test_read(self):
        measured = workloads.read(self.TEXT, COST)
        self.assertEqual((measured.ns, measured.output), (500.0, "beef"))
        self.assertEqual(measured.figures, {("free_p999", "ns"): 443.3})

    def test_what_cannot_be_read(self):
        for text in (
            "",
            "ops/s 1.0 checksum beef",
            "ops/s x peak_rss_mib 1.5 checksum beef",
            "ops/s 0 peak_rss_mib 1.5 checksum beef",
            "figure three words\nops/s 1 peak_rss_mib 1.5 checksum beef",
            self.TEXT + "more",
        ):
            with self.assertRaises(measure.RunFailed, msg=text):
                workloads.read(text, COST)

    def test_every_row_has_its_program_and_name(self):
        rows = workloads.all_workloads()
        self.assertEqual(len({row.name for row in rows}), len(rows))
        for row in rows:
            source = f"bench/workloads/{row.program}.cc"
            self.assertTrue(os.path.exists(os.path.join(unittest_cases.ROOT, source)), source)
            self.assertGreaterEqual(row.work[0], row.work[1], row.name)


class Row(SimpleNamespace):
    """A row that puts out what its table says, by allocator; an exception is raised."""

    cost = COST

    def measure(self, runner, allocator, warm_mib, directory, quick):
        output = self.outputs[allocator.name]
        if isinstance(output, Exception):
            raise output
        return measure.Measured(self.cost, output=output)


class Sessions(unittest.TestCase):
    def run_session(self, outputs, rounds=2):
        options = SimpleNamespace(rounds=rounds, seed=1, quick=True)
        found = [allocators.Allocator(n, n != "glibc" and pathlib.Path(n) or None) for n in NAMES]
        session = Session(SimpleNamespace(scratch=pathlib.Path("/")), found, options)
        session.run_all([Row(name="job", outputs=dict(zip(NAMES, outputs)))], [], None)
        return session

    def test_every_allocator_in_every_round(self):
        session = self.run_session(["same"] * 5)
        runs = {(s.allocator, s.turn) for s in session.row_samples}
        self.assertEqual(len(runs), 10)
        self.assertEqual((session.failures, session.unbounded), ({}, {}))

    def test_short_rows_have_more_turns_in_a_round(self):
        def turns(wall, quick=False):
            options = SimpleNamespace(rounds=2, seed=1, quick=quick)
            found = [allocators.Allocator(n, None) for n in NAMES]
            session = Session(SimpleNamespace(scratch=pathlib.Path("/")), found, options)
            cost = dataclasses.replace(COST, wall=wall)
            row = Row(name="job", outputs=dict.fromkeys(NAMES, "same"), cost=cost)
            session.run_all([row], [], None)
            self.assertEqual(session.progress.done, session.progress.total)
            return sorted(s.turn for s in session.row_samples if s.allocator == "prairie")

        self.assertEqual(turns(2.0), [1, 2])
        self.assertEqual(turns(0.4), [1, 2, 3, 4])
        self.assertEqual(turns(0.01), [1, 2, 3, 4, 5, 6])
        self.assertEqual(turns(0.01, quick=True), [1, 2])

    def test_another_output_is_an_error_that_names_row_and_allocator(self):
        session = self.run_session(["same", "same", "other", "same", "same"])
        self.assertEqual(
            session.failures, {("job", "quick"): "its output differs from that on glibc"}
        )
        self.assertNotIn("quick", {s.allocator for s in session.row_samples})

    def test_the_reference_may_fail(self):
        failure = measure.RunFailed("exit status 99: its limit of memory is reached")
        session = self.run_session(["same"] * 4 + [failure])
        self.assertEqual(session.failures, {})
        self.assertEqual(list(session.unbounded), ["job"])

    def test_others_may_not(self):
        session = self.run_session([measure.RunFailed("status 1")] + ["same"] * 4)
        self.assertEqual(session.failures, {("job", "prairie"): "status 1"})

    def test_what_the_reference_takes_warms_no_others(self):
        session = self.run_session(["same"] * 5)
        bump = allocators.Allocator("bump", None)
        session.note_peak("job", bump, measure.Cost(1, 1, 0, 1 << 23, 1, 1, 0, 0))
        self.assertEqual(session.warm_mib("job", session.allocators[0]), 1.3 * 2)
        self.assertEqual(session.warm_mib("job", bump), 1.3 * 8192)


class Verdicts(unittest.TestCase):
    #        prairie glibc quick lean bump
    TIMES = {
        "one": [1.0, 4.0, 1.0, 2.0, 0.5],
        "two": [2.0, 4.0, 2.5, 2.0, 0.5],
        "three": [3.0, 4.0, 2.0, 2.0, 0.5],
    }

    def judge(self, times=None, rss=None):
        times = times or self.TIMES
        return verdict.judge(table_of(times, rss), list(times), NAMES)

    def test_best_single_peer(self):
        found = self.judge()
        self.assertEqual(found.best_peer, "quick")
        self.assertAlmostEqual(found.times["quick"], (1 * 0.8 * 1.5) ** (1 / 3))
        self.assertNotIn("bump", found.times)

    def test_rows(self):
        found = self.judge()
        self.assertEqual(found.best, ["one", "two"])  # as fast is best too
        self.assertEqual([(row, peer) for row, _, peer in found.worse], [("three", "quick")])
        self.assertAlmostEqual(found.worse[0][1], 1.5)

    def test_a_row_within_five_percent_is_neither(self):
        found = self.judge({"one": [1.04, 2, 1.0, 2, 1]})
        self.assertEqual((found.best, found.worse), ([], []))

    def test_memory_is_compared_with_fast_peers_alone(self):
        rss = {row: [80, 10, 100, 50, 1] for row in self.TIMES}
        # lean takes 8/5 of quick's time in all: too slow to count.
        found = self.judge(rss=rss)
        self.assertEqual((found.leanest, list(found.memory)), ("quick", ["quick"]))
        self.assertAlmostEqual(found.memory["quick"], 0.8)
        near = {"one": [1, 4, 1, 1.1, 0.5]}
        found = self.judge(near, {"one": [80, 10, 100, 50, 1]})
        self.assertEqual(found.leanest, "lean")
        self.assertAlmostEqual(found.memory["lean"], 1.6)

    def test_a_row_that_prairie_does_not_complete(self):
        found = self.judge({**self.TIMES, "four": [None, 1, 1, 1, 1]})
        self.assertEqual((found.rows, found.missing), (4, ["four"]))
        self.assertIn("not completed by Prairie: four", verdict.text(found, found))
        self.assertRegex(
            verdict.text(found, found), r"1\.05 × their best peer +(\| +1 ){2}\| +0 \| +\*\*no\*\*"
        )

    def test_latency_and_settled_memory(self):
        key, worst = ("free_p999", "ns"), ("free_worst", "ns")
        settled = ("settled_ratio", "times")
        values = {"prairie": (30, 90, 1.1), "glibc": (60, 50, 3), "quick": (20, 70, 2), "bump": (1, 1, 9)}
        samples = [
            sample("service", name, 1, figures=dict(zip((key, worst, settled), figures)))
            for name, figures in values.items()
        ]
        found = verdict.judge(Table(samples), ["service"], NAMES)
        self.assertEqual(
            found.latencies,
            [("service", "free_p999", 1.5, "quick"), ("service", "free_worst", 1.8, "glibc")],
        )
        self.assertEqual(found.settled, [("service", 1.1)])
        self.assertIn("service, free_worst, to the best peer, glibc", verdict.text(found, found))

    def test_text_says_what_is_reached(self):
        fast = {"one": [0.5, 4, 1, 2, 1], "two": [0.6, 4, 1, 2, 1]}
        found = self.judge(fast, {row: [80, 100, 100, 100, 1] for row in fast})
        text = verdict.text(found, found)
        self.assertNotIn("**no**", text)
        self.assertIn("2 of 2", text)
        self.assertIn("**no**", verdict.text(self.judge(), self.judge()))

    def test_the_least_of_the_runs_stands_beside_the_median(self):
        runs = {"prairie": (1, 1.3, 1.4), "glibc": (2, 2, 2), "quick": (1.2, 1.2, 1.2)}
        samples = [sample("one", name, time) for name, times in runs.items() for time in times]
        judged = [verdict.judge(table, ["one"], NAMES) for table in (Table(samples), Table(samples, min))]
        text = verdict.text(*judged)
        self.assertRegex(text, r"rows best of all +\| +0 of 1 \| +1 of 1 \| +half \| +\*\*no\*\*")
        self.assertIn("- rows slower than 1.05 × their best peer: one 1.08 (quick)", text)
        self.assertNotIn("best peer, by the least", text)
        self.assertIn("- time to each peer: glibc 0.65, quick 1.08\n", text)
        self.assertIn("least of each row's runs: glibc 0.50, quick 0.83", text)

    def test_nothing_to_compare(self):
        table = table_of(self.TIMES)
        self.assertIsNone(verdict.judge(table, ["one"], ["glibc", "quick"]))
        self.assertIsNone(verdict.judge(table, ["one"], ["prairie", "bump"]))
        self.assertIsNone(verdict.judge(Table([]), [], NAMES))


class Tables(unittest.TestCase):
    def cells(self, text):
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]

    def test_ratios_are_to_the_best_peer(self):
        table = table_of({"one": [1.0, 4.0, 2.0, None, 0.5]})
        rows = self.cells(report.best_table(table, "time", ["one"], NAMES, "s"))
        self.assertEqual(rows[2][:7], ["one", "quick 2.00 s", "**0.50**", "2.00", "1.00", "–", "0.25"])
        self.assertEqual(rows[3][2:5], ["0.50", "2.00", "1.00"])

    def test_figures(self):
        figures = {("malloc_p50", "ns"): 10.0, ("rss_day_1_hour_1", "MiB"): 5.0}
        table = Table([sample("service", "glibc", 1, figures=figures)])
        rows = self.cells(report.figures_table(table, ["service"], ["prairie", "glibc"]))
        self.assertEqual(rows[2:], [["service: malloc_p50, ns", "-", "**10**"]])

    def test_csv(self):
        figures = {("malloc_p50", "ns"): 10.0}
        samples = [sample("service", "glibc", 1.5, ns=2.0, figures=figures)]
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "new", "file.csv")
            report.write_csv(path, "the command", report.SAMPLE_COLUMNS, report.sample_rows(samples))
            first, *rest = path.read_text(encoding="utf-8").splitlines()
        self.assertEqual(first, "# the command")
        row = next(csv.DictReader(rest))
        self.assertEqual((row["row"], row["wall"], row["ns"]), ("service", "1.5", "2"))
        self.assertEqual(
            list(report.figure_rows(samples)), [["service", "glibc", 1, "malloc_p50", "10", "ns", ""]]
        )

    def test_section(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "doc.md")
            path.write_text("a\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nz\n", encoding="utf-8")
            report.replace_section(path, "new")
            self.assertEqual(
                path.read_text(encoding="utf-8"),
                "a\n<!-- bench:begin -->\nnew\n<!-- bench:end -->\nz\n",
            )


class Disturbances(unittest.TestCase):
    def test_when(self):
        processors = os.cpu_count() or 1
        quiet = measure.Cost(1.0, 0.9, 0.0, 1, 1, 0.9, 0.0, 0)
        self.assertEqual(quiet.disturbance(), "")
        stolen = measure.Cost(1.0, 0.9, 0.0, 1, 1, 0.9, 0.1 * processors, 0)
        self.assertIn("the host took", stolen.disturbance())
        busy = measure.Cost(1.0, 0.5, 0.0, 1, 1, 1.0 * processors, 0.0, 0)
        self.assertIn("other programs", busy.disturbance())
        self.assertEqual(busy.disturbance(other_known=processors - 0.5), "")


if __name__ == "__main__":
    unittest_cases.main()

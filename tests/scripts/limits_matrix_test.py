#!/usr/bin/env python3
"""Tests the parts of scripts/limits-matrix that need no allocator: the search, the counts, the marks, the launcher."""

import os
import pathlib
import sys
import tempfile
import unittest

import unittest_cases

for directory in ("limits", "runner"):
    sys.path.append(os.path.join(unittest_cases.ROOT, "bench", directory))

import cells  # noqa: E402
import goals  # noqa: E402
import jobs  # noqa: E402
import launch  # noqa: E402
import matrix  # noqa: E402
import measurements  # noqa: E402
import report  # noqa: E402
import smallest  # noqa: E402
import strace  # noqa: E402
from allocators import Allocator  # noqa: E402

GLIBC = Allocator("glibc", None)


class Search(unittest.TestCase):
    """smallest.find over limits 1 to 10000, for all kinds of programs."""

    def find(self, works, **options):
        self.tried = []

        def counted(units):
            self.tried.append(units)
            return works(units)

        return smallest.find(counted, 1, 10000, **options)

    def test_finds_every_edge(self):
        for edge in [1, 2, 3, 7, 100, 101, 1023, 1024, 1025, 9999, 10000]:
            found = self.find(lambda units, e=edge: units >= e)
            self.assertEqual(found, smallest.Smallest(edge, edge, ()), edge)

    def test_never_beyond_the_most(self):
        self.assertEqual(self.find(lambda units: False), smallest.Smallest(None))
        self.assertEqual(max(self.tried), 10000)
        self.assertEqual(self.find(lambda units: units >= 10000).limit, 10000)
        self.assertEqual(max(self.tried), 10000)

    def test_few_runs(self):
        self.find(lambda units: units >= 5000)
        self.assertLess(len(self.tried), 90)

    def test_works_now_and_then_near_the_edge(self):
        """What works by luck at one limit and fails above it counts from where it goes on working."""
        found = self.find(lambda units: units >= 200 or units == 180)
        self.assertEqual(found.limit, 200)
        fringe = self.find(lambda units: units >= 100 and units not in (105, 120))
        self.assertEqual((fringe.lowest, fringe.limit), (100, 121))

    def test_no_end_of_the_fringe(self):
        self.assertIsNone(self.find(lambda units: units % 3 == 0).limit)

    def test_reports_a_gap_far_above(self):
        found = self.find(lambda units: 100 <= units < 190 or units >= 210)
        self.assertEqual((found.limit, found.lowest), (100, 100))
        self.assertEqual(found.gaps, (200,))

    def test_finds_a_range_below_a_gap(self):
        """A quarter wide is wide enough not to be stepped over."""
        found = self.find(lambda units: 700 <= units <= 1000 or units >= 1600)
        self.assertEqual(found.limit, 700)
        self.assertTrue(found.gaps)
        self.assertTrue(all(1000 < gap < 1600 for gap in found.gaps), found.gaps)

    def test_ladder(self):
        self.assertEqual(list(smallest.ladder(5, 5)), [5])
        rungs = list(smallest.ladder(1, 1000))
        self.assertEqual((rungs[0], rungs[-1]), (1, 1000))
        self.assertTrue(all(low < high <= max(low + 1, low * 1.25) for low, high in zip(rungs, rungs[1:-1])))

    def test_step(self):
        self.assertLessEqual(measurements.UNIT, 0.1 * launch.MIB)


class Strace(unittest.TestCase):
    LOG = """\
[00007f12b0e6a8c7] execve("./startup", ["./startup"], 0x7ffc /* 3 vars */) = 0
[0000000000001010] brk(NULL) = 0x1000
[0000000000001020] mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, 3, 0) = 0x7f
[0000000000001020] openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3
[0000000000002000] mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f
[0000000000009000] madvise(0x7f, 4096, MADV_HUGEPAGE) = 0
[0000000000009000] openat(AT_FDCWD, "/proc/self/status", O_RDONLY) = 3
[0000000000009000] munmap(0x7f, 4096) = 0
+++ exited with 0 +++
"""

    def test_counts_until_the_mark(self):
        self.assertEqual(strace.count(self.LOG, 0x1000, 0x2000), (2, 2))

    def test_without_the_mark(self):
        with self.assertRaises(ValueError):
            strace.count(self.LOG.replace("status", "maps"), 0x1000, 0x2000)


class Cells(unittest.TestCase):
    def table(self):
        table = cells.Table("payload", "Payload:", ["64 MiB"], ["≥ 93/95"])
        table.add("glibc", [cells.Part("77"), cells.Part("95")])
        table.add("prairie", [cells.Part("92", False), cells.Part("95", True)])
        return table

    def test_marks_what_falls_short(self):
        text = self.table().text()
        self.assertIn(" 92!/95 ", text)
        self.assertIn(" 77/95 ", text)
        self.assertIn("| **goal** |", text)
        self.assertEqual(text.count(cells.MARK), 1)

    def test_counts_what_falls_short(self):
        other = cells.Table("startup", "", ["RSS"], ["≤ 1500"])
        other.add("prairie", cells.Part("1400", True))
        self.assertEqual(
            cells.summary([self.table(), other]), "1 of 3 figures of Prairie fall short: payload 1.")
        self.assertEqual(cells.summary([other]), "0 of 1 figures of Prairie fall short.")

    def test_percentages(self):
        prairie = Allocator("prairie", None)
        self.assertEqual(str(measurements.percent_part(prairie, 92.4, 93)), "92!")
        self.assertEqual(str(measurements.percent_part(prairie, 92.6, 93)), "93")
        self.assertEqual(str(measurements.percent_part(prairie, "crash", 93)), "crash!")
        self.assertEqual(str(measurements.percent_part(GLIBC, 12.0, 93)), "12")

    def test_each_program_has_a_goal(self):
        self.assertEqual({job.name for job in jobs.JOBS}, set(goals.SMALLEST))
        self.assertTrue(set(measurements.QUICK_JOBS) <= set(goals.SMALLEST))

    def test_names_of_libraries(self):
        self.assertEqual(matrix.library_name(pathlib.Path("/x/libtcmalloc_minimal.so.4")), "gperftools")
        self.assertEqual(matrix.library_name(pathlib.Path("libmine.so.2.1")), "mine")

    def test_writes_between_its_own_markers(self):
        with tempfile.NamedTemporaryFile("w+", suffix=".md", dir=os.environ.get("TEST_TMPDIR")) as file:
            file.write("a\n<!-- limits-matrix:begin -->\nold\n<!-- limits-matrix:end -->\nb\n")
            file.flush()
            report.replace_section(pathlib.Path(file.name), "new", "limits-matrix")
            text = pathlib.Path(file.name).read_text(encoding="utf-8")
            self.assertEqual(text, "a\n<!-- limits-matrix:begin -->\nnew\n<!-- limits-matrix:end -->\nb\n")
            with self.assertRaises(ValueError):
                report.markers(pathlib.Path(file.name), "bench")


class Launching(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(directory.cleanup)
        self.scratch = pathlib.Path(directory.name)
        self.launcher = launch.Launcher(self.scratch)

    def shell(self, script, *arguments, **options):
        return self.launcher.run(["/bin/sh", "-c", script], GLIBC, *arguments, **options)

    def test_hard_limit(self):
        outcome = self.shell("ulimit -S -v; ulimit -H -v", 64 * launch.MIB)
        self.assertEqual((outcome.ok, outcome.stdout.split()), (True, [b"65536", b"65536"]))

    def test_soft_limit(self):
        outcome = self.shell("ulimit -S -v; ulimit -H -v", 64 * launch.MIB, soft=True)
        soft, hard = outcome.stdout.split()
        self.assertEqual(soft, b"65536")
        self.assertNotEqual(hard, b"65536")

    def test_how_a_run_ended(self):
        self.assertEqual(self.shell("exit 3").short(), "fails")
        self.assertEqual(self.shell("echo why >&2; exit 3").why(), "why")
        self.assertEqual(self.shell("kill -SEGV $$").short(), "crash")
        self.assertEqual(self.shell("kill -SEGV $$").why(), "SIGSEGV")
        self.assertEqual(self.shell("sleep 60", timeout=0.2).short(), "hang")

    def test_figures(self):
        self.assertEqual(self.shell("echo round 5; echo round 7; echo map 0").figures(),
                         {"round": [5, 7], "map": [0]})

    def test_a_job_works_only_when_everything_is_right(self):
        checker = jobs.Checker(self.launcher, pathlib.Path("/nowhere"))
        script = "ulimit -v; echo x >o; [ ! -e wrong ] || { cat wrong >o; exit $(cat wrong); }"
        job = jobs.Job("shell", ("/bin/sh", "-c", script), artifact="o")
        self.assertEqual(checker.prepare(job, GLIBC), "")
        self.assertTrue(checker.works(job, GLIBC, None))
        self.assertFalse(checker.works(job, GLIBC, 64 * launch.MIB))  # another output
        (self.scratch / "wrong").write_text("0", encoding="utf-8")
        self.assertFalse(checker.works(job, GLIBC, None))  # another file
        (self.scratch / "wrong").write_text("1", encoding="utf-8")
        self.assertFalse(checker.works(job, GLIBC, None))  # another status

    def test_a_job_that_writes_nothing_proves_nothing(self):
        checker = jobs.Checker(self.launcher, pathlib.Path("/nowhere"))
        self.assertEqual(checker.prepare(jobs.Job("true", ("true",)), GLIBC), "it writes nothing")
        self.assertNotEqual(checker.prepare(jobs.Job("false", ("false",)), GLIBC), "")


if __name__ == "__main__":
    unittest_cases.main()

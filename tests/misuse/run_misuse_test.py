#!/usr/bin/env python3
"""Tests of the driver itself: a right report passes, and each way of being wrong is noticed."""

import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from tests.misuse import run_misuse  # noqa: E402
from tests.misuse.cases import CASES, aborts, double, goes_on, interior  # noqa: E402
from tests.misuse.reports import Report, size_class  # noqa: E402
from tests.surface.preloaded import Outcome  # noqa: E402

STDOUT = "o 0xf800004080\np 0xf8000040a0\n"
ARENA = "(arena 0xf800000000 to 0x10800000000)"


def complaint(case, line, stdout=STDOUT, status=-signal.SIGABRT):
    return run_misuse.complaint(case, Outcome(status, stdout, f"prairie: {line}\n"))


class Reports(unittest.TestCase):
    def test_size_classes(self):
        small = ((0, 16), (1, 16), (17, 32), (128, 128))
        for size, rounded in small + ((129, 144), (256, 256), (257, 288), (500, 512)):
            self.assertEqual(size_class(size), rounded)
        self.assertEqual(size_class(32767), 32768)

    def test_double_free(self):
        case = aborts("x", double(32))
        text = (
            "double free: free(0xf8000040a0): object of size class {} in span {} ({}) "
            "is already free"
        )
        self.assertIsNone(complaint(case, text.format(32, "0xf800004000", "1 page")))
        for wrong in (
            text.format(48, "0xf800004000", "1 page"),  # Another class.
            text.format(32, "0xf800004001", "1 page"),  # A span inside a page.
            text.format(32, "0xf800006000", "1 page"),  # A span behind the object.
            text.format(32, "0xf800002000", "1 page"),  # A span that ends before the object.
            text.format(32, "0xf800004000", "0 pages"),
            text.format(32, "0xf800004000", "1 pages"),
            text.format(32, "0xf800004000", "2 page"),
            text.format(32, "0xf800004000", "1 page") + ".",
            text.format(32, "0xf800004000", "1 page") + "\nprairie: more",
            text.format(32, "0xf800004000", "1 page").replace("40a0", "40b0"),
            text.format(32, "0xf800004000", "1 page").replace("free(", "realloc("),
        ):
            self.assertIsNotNone(complaint(case, wrong), wrong)

    def test_interior(self):
        case = aborts("x", interior(64))
        text = (
            "interior pointer: free(0xf8000040a0): {} bytes into the object {} of size class 64 "
            "in span 0xf800004000 (1 page)"
        )
        self.assertIsNone(complaint(case, text.format(32, "0xf800004080")))
        self.assertIsNotNone(complaint(case, text.format(16, "0xf800004080")))
        self.assertIsNotNone(complaint(case, text.format(32, "0xf800004090")))

    def test_large(self):
        case = aborts("x", interior(200000))
        text = (
            "interior pointer: free(0xf8000040a0): 32 bytes into the large object 0xf800004080 "
            "in span {} ({} pages)"
        )
        self.assertIsNone(complaint(case, text.format("0xf800004000", 25)))
        self.assertIsNotNone(complaint(case, text.format("0xf800004000", 24)))

    def test_arena(self):
        text = "foreign pointer: free(0x401000): not from this heap {}"
        case, stdout = aborts("x", Report("foreign")), "p 0x401000\n"
        self.assertIsNone(complaint(case, text.format(ARENA), stdout))
        self.assertIsNotNone(complaint(case, text.format(ARENA), stdout.replace("0x4", "0x5")))
        for wrong in ("(arena 0xf800000000 to 0xf800000000)", "(arena 0x10000 to 0x800000)"):
            self.assertIsNotNone(complaint(case, text.format(wrong), stdout))

    def test_status_and_streams(self):
        text = "wild pointer: free(0xf8000040a0): inside the arena, in no live object"
        case = aborts("x", Report("wild"))
        self.assertIsNone(complaint(case, text))
        for status in (0, 134, -signal.SIGSEGV, None):
            self.assertIsNotNone(complaint(case, text, status=status))
        self.assertIsNotNone(complaint(case, text, stdout=STDOUT + "survived\n"))
        silent = goes_on("x")
        self.assertIsNone(run_misuse.complaint(silent, Outcome(0, "works\n", "")))
        self.assertIsNotNone(run_misuse.complaint(silent, Outcome(0, "", "")))
        self.assertIsNotNone(run_misuse.complaint(silent, Outcome(0, "works\n", "a word\n")))


class Table(unittest.TestCase):
    def test_each_program_has_one_row(self):
        here = pathlib.Path(__file__).absolute().parent
        programs = sorted(path.stem for path in here.iterdir() if path.suffix in (".c", ".cc"))
        self.assertEqual(sorted(case.program for case in CASES), programs)


if __name__ == "__main__":
    unittest.main()

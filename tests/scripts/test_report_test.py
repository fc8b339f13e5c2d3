#!/usr/bin/env python3
"""Tests scripts/lib/test_report.py: what googletest and plain tests leave behind becomes the right cases."""

import unittest

import unittest_cases
from test_report import Case, cases_of_test

GOOGLETEST = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="5" failures="1" name="AllTests">
  <testsuite name="Heap" tests="5">
    <testcase name="Grows" status="run" result="completed" classname="Heap" />
    <testcase name="Shrinks" status="run" result="completed" classname="Heap">
      <failure message="heap_test.cc:7&#x0A;Expected &lt; 3" type=""><![CDATA[heap_test.cc:7]]></failure>
    </testcase>
    <testcase name="Limits" status="run" result="skipped" classname="Heap">
      <skipped message="heap_test.cc:9&#x0A;needs overcommit_memory=2"><![CDATA[x]]></skipped>
    </testcase>
    <testcase name="Silent" status="run" result="skipped" classname="Heap"><skipped message="heap_test.cc:9"/></testcase>
    <testcase name="DISABLED_Later" status="notrun" result="suppressed" classname="Heap" />
  </testsuite>
</testsuites>"""

PASSING = """<testsuites name="AllTests"><testsuite name="A">
<testcase name="One" status="run" result="completed" classname="A"/></testsuite></testsuites>"""

BAZELS_OWN = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites><testsuite name="t/x_test" tests="1" failures="0" errors="1">
<testcase name="t/x_test" status="run"><error message="exited with error code 139"></error></testcase>
<system-out>...</system-out></testsuite></testsuites>"""


def outcomes(status, xml, log=""):
    return [(case.name, case.outcome) for case in cases_of_test("//t:x_test", status, xml, log)]


class Googletest(unittest.TestCase):
    def test_each_outcome(self):
        cases = cases_of_test("//t:x_test", "FAILED", GOOGLETEST, "")
        self.assertEqual([
            ("Heap.Grows", "passed"), ("Heap.Shrinks", "failed"), ("Heap.Limits", "skipped"),
            ("Heap.Silent", "skipped"), ("Heap.DISABLED_Later", "skipped"),
        ], [(case.name, case.outcome) for case in cases])
        self.assertEqual("heap_test.cc:7\nExpected < 3", cases[1].detail)
        self.assertEqual("needs overcommit_memory=2", cases[2].detail)
        self.assertIn("no reason given", cases[3].detail)
        self.assertIn("DISABLED_", cases[4].detail)

    def test_failure_after_the_last_case(self):
        self.assertEqual([("A.One", "passed"), ("//t:x_test", "failed")], outcomes("FAILED", PASSING))

    def test_lines_of_the_log_are_not_counted_twice(self):
        self.assertEqual([("A.One", "passed")], outcomes("PASSED", PASSING, "PASS: One\n"))

    def test_no_cases_is_no_success(self):
        self.assertEqual([], outcomes("PASSED", '<testsuites name="AllTests"/>'))


class Lines(unittest.TestCase):
    def test_each_kind(self):
        log = "noise\nPASS: one\n PASS: not at the start\nFAIL: two: 3 is not 4\nSKIPPED: three: no node here\n"
        self.assertEqual([
            Case("one", "passed"), Case("two", "failed", "3 is not 4"), Case("three", "skipped", "no node here"),
        ], cases_of_test("//t:x_test", "FAILED", BAZELS_OWN, log))

    def test_skip_without_reason(self):
        (case,) = cases_of_test("//t:x_test", "PASSED", "", "SKIPPED: three\n")
        self.assertEqual(("three", "skipped"), (case.name, case.outcome))
        self.assertIn("no reason given", case.detail)

    def test_googletest_inside_another_test(self):
        log = """[==========] Running 4 tests from 1 test suite.
[ RUN      ] Heap.Grows
[       OK ] Heap.Grows (5 ms)
[ RUN      ] Heap.Shrinks
heap_test.cc:7: Failure
Expected < 3
[  FAILED  ] Heap.Shrinks (0 ms)
[ RUN      ] Heap.Limits
heap_test.cc:9: Skipped
needs overcommit_memory=2
[  SKIPPED ] Heap.Limits (0 ms)
[ RUN      ] Sizes/Heap.Each/0
[  FAILED  ] Sizes/Heap.Each/0, where GetParam() = 16 (1 ms)
[  PASSED  ] 1 test.
[  SKIPPED ] 1 test, listed below:
[  SKIPPED ] Heap.Limits
[  FAILED  ] 2 tests, listed below:
[  FAILED  ] Heap.Shrinks
[  FAILED  ] Sizes/Heap.Each/0, where GetParam() = 16
PASS: the rest
"""
        self.assertEqual([
            Case("Heap.Grows", "passed"), Case("Heap.Shrinks", "failed", "heap_test.cc:7: Failure\nExpected < 3"),
            Case("Heap.Limits", "skipped", "needs overcommit_memory=2"), Case("Sizes/Heap.Each/0", "failed"),
            Case("the rest", "passed"),
        ], cases_of_test("//t:x_test", "FAILED", BAZELS_OWN, log))

    def test_no_lines(self):
        self.assertEqual([("//t:x_test", "passed")], outcomes("PASSED", "", "all well\n"))

    def test_crash(self):
        (case,) = cases_of_test("//t:x_test", "FAILED", BAZELS_OWN, "no lines\n")
        self.assertEqual("failed", case.outcome)
        self.assertIn("exited with error code 139", case.detail)

    def test_crash_after_passes(self):
        self.assertEqual([("one", "passed"), ("//t:x_test", "failed")], outcomes("FAILED", BAZELS_OWN, "PASS: one\n"))

    def test_time_out(self):
        (case,) = cases_of_test("//t:x_test", "TIMEOUT", BAZELS_OWN, "")
        self.assertEqual(("failed", "the test as a whole: TIMEOUT"), (case.outcome, case.detail))

    def test_failure_lines_fail_even_if_the_test_exits_0(self):
        self.assertEqual([("one", "failed")], outcomes("PASSED", "", "FAIL: one\n"))

    def test_broken_xml(self):
        self.assertEqual([("//t:x_test", "passed")], outcomes("PASSED", "<testsuites"))


if __name__ == "__main__":
    unittest_cases.main()

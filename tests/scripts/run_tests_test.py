#!/usr/bin/env python3
"""Tests scripts/lib/run_tests.py with a stand-in for Bazel: its events, its end and the exit status that follow."""

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import unittest

import unittest_cases

SCRIPT = os.path.join(unittest_cases.ROOT, "scripts", "lib", "run_tests.py")

# Writes the events of $EVENTS into the file that run_tests.py names, and ends with $STATUS.
STAND_IN = """#!/bin/sh
for argument; do
  case $argument in --build_event_json_file=*) cat "$EVENTS" >"${argument#*=}" ;; esac
done
echo "words of bazel" >&2
exit "$STATUS"
"""


def configured(label, is_test=True):
    return {"id": {"targetConfigured": {"label": label}}, "configured": {"testSize": "SMALL"} if is_test else {}}


def completed(label, success=True):
    return {"id": {"targetCompleted": {"label": label}}, "completed": {"success": True} if success else {}}


class RunTests(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        stand_in = os.path.join(self.directory, "bazel")
        with open(stand_in, "w", encoding="utf-8") as file:
            file.write(STAND_IN)
        os.chmod(stand_in, os.stat(stand_in).st_mode | stat.S_IXUSR)

    def result(self, label, log, status="PASSED", cached=False):
        """The event of a finished test that wrote `log`."""
        path = os.path.join(self.directory, "log of " + label.replace("/", "_"))
        with open(path, "w", encoding="utf-8") as file:
            file.write(log)
        uri = "file://" + path.replace(" ", "%20")
        return {"id": {"testResult": {"label": label}}, "testResult": {
            "status": status, "cachedLocally": cached, "testAttemptDurationMillis": "1500",
            "testActionOutput": [{"name": "test.log", "uri": uri}]}}

    def run_with(self, bazel_status, *events):
        """(exit status, stdout lines) of run_tests.py, when Bazel sends these events and ends so."""
        path = os.path.join(self.directory, "events")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(event) + "\n" for event in events)
        environment = {**os.environ, "EVENTS": path, "STATUS": str(bazel_status),
                       "PATH": self.directory + ":" + os.environ["PATH"]}
        run = subprocess.run([sys.executable, "-B", SCRIPT, "//..."], env=environment, text=True,
                             capture_output=True, check=False)
        return run.returncode, run.stdout.splitlines()

    def test_all_pass(self):
        status, lines = self.run_with(
            0, configured("//t:a"), completed("//t:a"), self.result("//t:a", "PASS: one\nPASS: two\n"),
            configured("//t:b"), completed("//t:b"), self.result("//t:b", "", cached=True))
        self.assertEqual((0, "3 passed, 0 failed, 0 skipped"), (status, lines[-1]))
        self.assertIn("ok     //t:a (2 passed, 1.5 s)", lines)
        self.assertIn("ok     //t:b (1 passed, not run again, unchanged)", lines)

    def test_failure_shows_the_log(self):
        status, lines = self.run_with(
            3, configured("//t:a"), completed("//t:a"),
            self.result("//t:a", "before\nFAIL: two: 3 is not 4\nafter\n", status="FAILED"))
        self.assertEqual((1, "0 passed, 1 failed, 0 skipped"), (status, lines[-1]))
        text = "\n".join(lines)
        self.assertIn("two\n      3 is not 4\n", text)
        self.assertIn(os.path.join(self.directory, "log of __t:a"), text)
        self.assertIn("    | after", lines)

    def test_skip_says_why(self):
        status, lines = self.run_with(
            0, configured("//t:a"), completed("//t:a"), self.result("//t:a", "PASS: x\nSKIPPED: y: no node\n"))
        self.assertEqual((0, "1 passed, 0 failed, 1 skipped"), (status, lines[-1]))
        self.assertIn("  //t:a y: no node", lines)

    def test_nothing_but_skips_is_no_success(self):
        status, lines = self.run_with(
            0, configured("//t:a"), completed("//t:a"), self.result("//t:a", "SKIPPED: y: no node\n"))
        self.assertEqual((1, "0 passed, 0 failed, 1 skipped"), (status, lines[-1]))

    def test_nothing_ran(self):
        self.assertEqual((1, "0 passed, 0 failed, 0 skipped"), (lambda r: (r[0], r[1][-1]))(self.run_with(0)))

    def test_target_does_not_build(self):
        status, lines = self.run_with(
            1, configured("//t:a"), completed("//t:a", success=False), configured("//t:b"), completed("//t:b"),
            self.result("//t:b", ""))
        self.assertEqual((1, "1 passed, 1 failed, 0 skipped"), (status, lines[-1]))
        self.assertIn("FAILED //t:a (did not build)", lines)

    def test_program_does_not_build(self):
        status, lines = self.run_with(1, configured("//t:a", is_test=False), completed("//t:a", success=False))
        self.assertEqual((1, "0 passed, 1 failed, 0 skipped"), (status, lines[-1]))

    def test_test_never_ran(self):
        status, lines = self.run_with(8, configured("//t:a"), completed("//t:a"))
        self.assertEqual((1, "0 passed, 1 failed, 0 skipped"), (status, lines[-1]))
        self.assertIn("FAILED //t:a (did not run)", lines)

    def test_ended_from_outside_it_ends_bazel(self):
        stand_in = os.path.join(self.directory, "bazel")
        with open(stand_in, "w", encoding="utf-8") as file:
            # Says when it runs, waits to be interrupted, and leaves a trace of it.
            file.write("#!/bin/bash\ntrap 'echo interrupted >>\"$EVENTS\"; exit 8' INT\n"
                       "echo ready >&2\nfor ((i = 0; i < 600; ++i)); do sleep 0.1; done\n")
        trace = os.path.join(self.directory, "trace")
        environment = {**os.environ, "EVENTS": trace, "PATH": self.directory + ":" + os.environ["PATH"]}
        with subprocess.Popen([sys.executable, "-B", SCRIPT, "//..."], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            self.assertEqual("ready\n", run.stderr.readline())
            run.send_signal(signal.SIGTERM)
            output, _ = run.communicate(timeout=50)
        self.assertEqual((1, "0 passed, 1 failed, 0 skipped"), (run.returncode, output.splitlines()[-1]))
        with open(trace, encoding="utf-8") as file:
            self.assertEqual("interrupted\n", file.read())

    def test_bazel_fails_for_another_reason(self):
        status, lines = self.run_with(
            37, configured("//t:a"), completed("//t:a"), self.result("//t:a", "PASS: one\n"))
        self.assertEqual((1, "1 passed, 1 failed, 0 skipped"), (status, lines[-1]))


if __name__ == "__main__":
    unittest_cases.main()

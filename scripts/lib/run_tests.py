"""Runs `bazel test`, shows each test as it finishes, and ends with `N passed, N failed, N skipped`.

Called by scripts/test with the arguments for Bazel: options and labels. It reads Bazel's build event protocol (one JSON
object a line), because that names exactly the tests of this run, where bazel-testlogs/ also keeps those of earlier ones.
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

import test_report

_TAIL_LINES = 25
_DETAIL_LINES = 6
_POLL_SECONDS = 0.2
_BAZEL_TESTS_FAILED = 3
_BAZEL_OPTIONS = [
    "--keep_going",
    "--curses=no",
    "--show_progress_rate_limit=10",
    "--noshow_loading_progress",
    "--show_result=0",
    "--ui_event_filters=-info,-debug,-stdout",
    "--test_output=summary",
    "--test_summary=none",
]


def _path_of(uri):
    """The path that a file:// URI names."""
    return urllib.parse.unquote(urllib.parse.urlparse(uri).path)


def _read(uri):
    """The text of a file:// URI, or empty."""
    try:
        with open(_path_of(uri), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


class Results:
    """Everything that is known about this run's tests."""

    def __init__(self):
        self.cases = []  # (label, Case)
        self.logs = {}  # label -> (path, text), of tests with failures
        self.expected = []  # the labels of the tests that Bazel means to run
        self.finished = set()

    def count(self, outcome):
        return sum(case.outcome == outcome for _, case in self.cases)

    def add_test(self, label, status, cached, seconds, outputs):
        """One test has finished: counts its cases and prints a line."""
        uris = {output["name"]: output.get("uri", "") for output in outputs}
        log = _read(uris.get("test.log", ""))
        cases = test_report.cases_of_test(label, status, _read(uris.get("test.xml", "")), log)
        self.finished.add(label)
        self.cases += [(label, case) for case in cases]
        failed = sum(case.outcome == "failed" for case in cases)
        skipped = sum(case.outcome == "skipped" for case in cases)
        if failed:
            self.logs[label] = (_path_of(uris.get("test.log", "")), log)
        word = "FAILED" if failed else "ok    "
        details = [f"{len(cases) - failed - skipped} passed"]
        details += [f"{failed} failed"] if failed else []
        details += [f"{skipped} skipped"] if skipped else []
        details += ["not run again, unchanged"] if cached else [f"{seconds:.1f} s"]
        print(f"{word} {label} ({', '.join(details)})", flush=True)

    def add_not_run(self, label, why):
        """A target that Bazel could not build, or a test that never ran: a failure, not a silence."""
        if label not in self.finished:
            self.finished.add(label)
            self.cases.append((label, test_report.Case(label, "failed", why)))
            print(f"FAILED {label} ({why})", flush=True)

    def handle_event(self, event):
        """Takes one event of the build event protocol."""
        name = next(iter(event["id"]))
        label = event["id"][name].get("label", "")
        if name == "targetConfigured" and "testSize" in event.get("configured", {}):
            self.expected.append(label)
        elif name == "targetCompleted" and not event.get("completed", {}).get("success"):
            self.add_not_run(label, "did not build")
        elif name == "testResult" and "testResult" in event:
            # Several runs, shards or attempts each send an event of their own; all of them count.
            result = event["testResult"]
            self.add_test(
                label,
                result.get("status", "NO_STATUS"),
                result.get("cachedLocally", False),
                int(result.get("testAttemptDurationMillis", 0)) / 1000,
                result.get("testActionOutput", []),
            )

    def finish(self, bazel_status):
        """Bazel has ended: whatever should have happened and did not is a failure."""
        for label in self.expected:
            self.add_not_run(label, "did not run")
        if bazel_status not in (0, _BAZEL_TESTS_FAILED) and self.count("failed") == 0:
            self.add_not_run("the build", f"bazel ended with status {bazel_status}; its messages are above")

    def totals(self):
        return ", ".join(f"{self.count(outcome)} {outcome}" for outcome in ("passed", "failed", "skipped"))

    def print_report(self):
        """Skips, failures, and the totals as the last line."""
        skips = [(label, case) for label, case in self.cases if case.outcome == "skipped"]
        if skips:
            print("\nSkipped:")
            for label, case in skips:
                print(f"  {label} {case.name}: {case.detail}")
        not_run = [case for label, case in self.cases if case.outcome == "failed" and label not in self.logs]
        if not_run:
            print("\nFailed:")
            for case in not_run:
                print(f"  {case.name}: {case.detail}")
        for label, (path, log) in self.logs.items():
            print(f"\nFailed: {label}")
            for case in (c for l, c in self.cases if l == label and c.outcome == "failed"):
                print(f"  {case.name}")
                for line in case.detail.strip().splitlines()[:_DETAIL_LINES]:
                    print(f"      {line}")
            print(f"  log: {path}, its end:")
            for line in log.rstrip("\n").split("\n")[-_TAIL_LINES:]:
                print(f"    | {line}")
        print(f"\n{self.totals()}", flush=True)


def _follow(path, process, results):
    """Handles the events that Bazel writes into the file at `path`, until Bazel ends."""
    rest = ""
    with open(path, encoding="utf-8") as events:
        while True:
            ended = process.poll() is not None
            text = events.read()
            rest += text
            *lines, rest = rest.split("\n")
            for line in lines:
                if line:
                    results.handle_event(json.loads(line))
            if ended and not text:
                return
            if not text:
                time.sleep(_POLL_SECONDS)


class Termination:
    """SIGTERM as KeyboardInterrupt; while Bazel is being started it waits, or Bazel would be left behind."""

    def __init__(self):
        self.held, self.came = True, False
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, _signal, _frame):
        self.came = True
        self._raise_if_due()

    def release(self):
        self.held = False
        self._raise_if_due()

    def _raise_if_due(self):
        if self.came and not self.held:
            self.came = False
            raise KeyboardInterrupt


def main(arguments):
    """`arguments`: for Bazel; a first one of --totals=FILE is for us: the last line goes into that file too."""
    totals = None
    if arguments and arguments[0].startswith("--totals="):
        totals = arguments.pop(0).partition("=")[2]
    # Whoever ends this program, as a CI's time limit does, ends the tests too.
    termination = Termination()
    results = Results()
    with tempfile.NamedTemporaryFile(prefix="prairie-test-events-") as events:
        command = ["bazel", "test", *_BAZEL_OPTIONS, f"--build_event_json_file={events.name}", *arguments]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            termination.release()
            _follow(events.name, process, results)
        except KeyboardInterrupt:
            # Bazel stops its tests for it. After Ctrl-C it has one already; a second does no harm.
            process.send_signal(signal.SIGINT)
            process.wait()
            print("\ninterrupted", file=sys.stderr)
        bazel_status = process.wait()
    results.finish(bazel_status)
    results.print_report()
    if totals:
        with open(totals, "w", encoding="utf-8") as file:
            file.write(results.totals() + "\n")
    if bazel_status == 0 and results.count("failed") == 0 and results.count("passed") > 0:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Runs tests in one cell of the matrix and counts their cases."""

import concurrent.futures
import dataclasses
import os
import re
import shutil
import signal
import subprocess
import time

import cells
import needs
import targets
import test_report

# Tests are meant to end well within Bazel's times on an idle machine; this is for one that is not.
PATIENCE = 2
_PROGRESS_SECONDS = 20


@dataclasses.dataclass
class TestResult:
    test: targets.Test
    cases: list  # of test_report.Case, without those in `beyond`
    beyond: list  # of (name of the case or "", Need): more than the cell has
    log: str = ""  # the path, if something failed
    seconds: float = 0

    def count(self, outcome):
        return sum(case.outcome == outcome for case in self.cases)


@dataclasses.dataclass
class CellResult:
    cell: cells.Cell
    tests: list = dataclasses.field(default_factory=list)
    not_had: str = ""  # why the cell cannot be had on this machine
    seconds: float = 0

    def count(self, outcome):
        """A cell that cannot be had counts as one skip."""
        skipped_whole = 1 if self.not_had and outcome == "skipped" else 0
        return sum(result.count(outcome) for result in self.tests) + skipped_whole

    @property
    def beyond(self):
        return [(result.test.label, name, need) for result in self.tests for name, need in result.beyond]


def sort_out_needs(cases, cell):
    """Splits `cases` into those that count in this cell and (name, Need) of those that say they need more.

    One that says so without cause has failed."""
    counted, beyond = [], []
    for case in cases:
        try:
            need = needs.parse(case.detail) if case.outcome == "skipped" else None
        except ValueError as error:
            counted.append(test_report.Case(case.name, "failed", str(error)))
            continue
        if need is None:
            counted.append(case)
        elif needs.exceeds(need, cell):
            beyond.append((case.name, need))
        else:
            counted.append(test_report.Case(case.name, "failed", f"skipped for {need}, which this cell has"))
    return counted, beyond


def _start_and_wait(command, directory, environment, log, timeout):
    """The exit status; None after a timeout. The process group is gone at the end."""
    child = subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return child.wait(timeout)
    except subprocess.TimeoutExpired:
        return None
    finally:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()


def run_test(test, cell, bin_directory, logs, taken_library):
    """Runs one test in the cell; its log stays in the directory `logs` if something failed."""
    too_much = [need for need in test.needs if needs.exceeds(need, cell)]
    if too_much:
        return TestResult(test, [], [("", need) for need in too_much])
    scratch = os.path.join(logs, re.sub(r"\W+", "_", test.label).strip("_"))
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch)
    directory = targets.runfiles_of(test, bin_directory)
    command = cells.command_prefix(cell, taken_library) + [os.path.join(directory, test.arguments[0]), *test.arguments[1:]]
    log_path = scratch + ".log"
    begin = time.monotonic()
    with open(log_path, "wb") as log:
        environment = targets.environment_of(test, bin_directory, scratch)
        status = _start_and_wait(command, directory, environment, log, PATIENCE * targets.TIMEOUTS[test.size])
    seconds = time.monotonic() - begin
    word = "TIMEOUT" if status is None else "PASSED" if status == 0 else f"ended with status {status}"
    with open(log_path, encoding="utf-8", errors="replace") as log:
        text = log.read()
    xml = ""
    if os.path.exists(os.path.join(scratch, "test.xml")):
        with open(os.path.join(scratch, "test.xml"), encoding="utf-8", errors="replace") as file:
            xml = file.read()
    cases, beyond = sort_out_needs(test_report.cases_of_test(test.label, word, xml, text), cell)
    result = TestResult(test, cases, beyond, seconds=seconds)
    shutil.rmtree(scratch, ignore_errors=True)
    if result.count("failed"):
        result.log = log_path
    else:
        os.unlink(log_path)
    return result


def _print_failures(result):
    print(f"  FAILED {result.test.label} ({result.count('passed')} passed, {result.count('failed')} failed)")
    for case in [case for case in result.cases if case.outcome == "failed"][:10]:
        first = case.detail.strip().partition("\n")[0]
        print(f"    {case.name}: {first[:400]}")
    print(f"    log: {result.log}", flush=True)


def run_cell(cell, tests, bin_directory, logs, taken_library, jobs):
    """Runs the tests in the cell, `jobs` at a time, and prints what fails and how far it is."""
    outcome = CellResult(cell)
    begin = last = time.monotonic()
    os.makedirs(logs, exist_ok=True)
    pool = concurrent.futures.ThreadPoolExecutor(jobs)
    # The long ones first, so that none runs alone at the end.
    longest_first = sorted(tests, key=lambda test: -targets.TIMEOUTS[test.size])
    futures = [pool.submit(run_test, test, cell, bin_directory, logs, taken_library) for test in longest_first]
    try:
        for future in concurrent.futures.as_completed(futures):
            result = future.result()
            outcome.tests.append(result)
            if result.count("failed"):
                _print_failures(result)
            if time.monotonic() - last > _PROGRESS_SECONDS:
                last = time.monotonic()
                print(f"  {len(outcome.tests)} of {len(tests)} tests", flush=True)
    finally:
        pool.shutdown(cancel_futures=True)
    outcome.seconds = time.monotonic() - begin
    return outcome

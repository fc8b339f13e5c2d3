"""Counts test cases from what a Bazel test leaves behind: its status, its test.xml and its log.

A googletest program writes one <testcase> per case into test.xml. Any other test may print lines
    PASS: name          FAIL: name: why          SKIPPED: name: why
each of which is one case, and so is each case of a googletest program that it starts and whose output it passes on.
A test that prints none of them is one case as a whole.
"""

import dataclasses
import re
import xml.etree.ElementTree as ElementTree

_LINE = re.compile(r"^(PASS|FAIL|SKIPPED): (.+?)\s*$")
# What googletest prints as it begins and ends a case; its closing list of failures has no time.
_BEGIN = re.compile(r"^\[ RUN      \] ")
_END = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] ([^,\s]+).* \(\d+ ms\)$")
# What Bazel writes into its own test.xml; 128 + N means signal N.
_EXIT_CODE = re.compile(r"exited with error code \d+")

_NO_REASON = "no reason given (GTEST_SKIP() << reason)"


@dataclasses.dataclass
class Case:
    """One test case: outcome is `passed`, `failed` or `skipped`; detail says why, if not passed."""

    name: str
    outcome: str
    detail: str = ""


def _cases_of_googletest(suites):
    for case in suites.iter("testcase"):
        name = f"{case.get('classname', '')}.{case.get('name', '')}".lstrip(".")
        failures = case.findall("failure") + case.findall("error")
        skipped = case.find("skipped")
        if failures:
            yield Case(name, "failed", "\n".join(f.get("message") or f.text or "" for f in failures))
        elif skipped is not None or case.get("result") == "skipped":
            message = "" if skipped is None else skipped.get("message") or skipped.text or ""
            # The first line is the source position, the rest is what GTEST_SKIP() was given.
            reason = " ".join(message.split("\n")[1:]).strip()
            yield Case(name, "skipped", reason or _NO_REASON)
        elif case.get("status") == "notrun":
            yield Case(name, "skipped", "disabled: its name begins with DISABLED_")
        else:
            yield Case(name, "passed")


def _case_of_line(kind, text):
    if kind == "PASS":
        return Case(text, "passed")
    name, _, why = text.partition(": ")
    if kind == "FAIL":
        return Case(name, "failed", why)
    return Case(name, "skipped", why or "no reason given (SKIPPED: name: why)")


def _cases_of_log(log):
    said = []  # since the last case of googletest began
    for line in log.splitlines():
        if match := _LINE.match(line):
            yield _case_of_line(*match.groups())
        elif _BEGIN.match(line):
            said = []
        elif match := _END.match(line):
            result, name = match.groups()
            if result == "OK":
                yield Case(name, "passed")
            elif result == "FAILED":
                yield Case(name, "failed", "\n".join(said))
            else:
                # The first line is the source position, as in test.xml.
                yield Case(name, "skipped", " ".join(said[1:]) or _NO_REASON)
        else:
            said.append(line)


def _googletest_suites(xml):
    """The parsed test.xml, or None if googletest did not write it."""
    try:
        suites = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return None
    # Bazel writes a test.xml of its own for a test that wrote none, without this name.
    return suites if suites.get("name") == "AllTests" else None


def cases_of_test(label, status, xml, log):
    """All cases of one finished test.

    label: Bazel's label. status: Bazel's status, e.g. PASSED, FAILED, TIMEOUT.
    xml, log: the text of test.xml and test.log, empty if there is none.
    """
    suites = _googletest_suites(xml)
    cases = list(_cases_of_googletest(suites) if suites is not None else _cases_of_log(log))
    if status in ("PASSED", "FLAKY"):
        if suites is None and not cases:
            cases.append(Case(label, "passed"))
    elif not any(case.outcome == "failed" for case in cases):
        # A crash or a time-out, or a failure after the last case: it must not pass for a success.
        exit_code = _EXIT_CODE.search(xml) if status == "FAILED" else None
        detail = exit_code.group(0) if exit_code else status
        cases.append(Case(label, "failed", f"the test as a whole: {detail}"))
    return cases

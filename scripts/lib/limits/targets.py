"""The tests as Bazel knows them: where each is, how it is started, and what it needs."""

import dataclasses
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import needs

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
WORKSPACE = "prairie"

# Seconds, as Bazel has them for each size.
TIMEOUTS = {"small": 60, "medium": 300, "large": 900, "enormous": 3600}
# Tags: a test that runs nothing on Prairie has no place in the matrix; one that is not small may be quick all the same.
NOT_ON_PRAIRIE = "not_on_prairie"
QUICK = "quick_under_limits"

_QUIET = ["--ui_event_filters=-info,-debug", "--noshow_progress"]


class BuildFailed(Exception):
    """Bazel has said why."""


@dataclasses.dataclass(frozen=True)
class Test:
    label: str
    arguments: tuple  # the program, relative to the runfiles, and its arguments
    environment: dict
    size: str
    tags: tuple
    needs: tuple

    @property
    def on_prairie(self):
        return NOT_ON_PRAIRIE not in self.tags

    @property
    def quick(self):
        return self.size == "small" or QUICK in self.tags


def bazel(*arguments):
    """The stdout of Bazel; raises BuildFailed if it fails."""
    run = subprocess.run(["bazel", *arguments], cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
    if run.returncode != 0:
        raise BuildFailed(f"bazel {arguments[0]} ended with status {run.returncode}; its messages are above")
    return run.stdout


def _command_lines(aquery):
    """label -> command line, of the actions in the JSON that `bazel aquery` prints."""
    found = json.loads(aquery)
    labels = {target["id"]: target["label"] for target in found.get("targets", [])}
    return {labels[action["targetId"]]: action["arguments"] for action in found.get("actions", [])}


def _strings(rule, name):
    found = rule.find(f"list[@name='{name}']")
    return tuple(item.get("value") for item in found) if found is not None else ()


def _environment(rule):
    pairs = rule.findall("dict[@name='env']/pair")
    return {pair[0].get("value"): pair[1].get("value") for pair in pairs}


def parse(query_xml, aquery_json):
    """The tests out of `bazel query --output=xml` and `bazel aquery --output=jsonproto`, sorted by label.

    Raises ValueError where a tag is a need that cannot be read."""
    commands = _command_lines(aquery_json)
    tests = []
    for rule in ElementTree.fromstring(query_xml).iter("rule"):
        label = rule.get("name")
        tags = _strings(rule, "tags")
        if "manual" in tags or label not in commands:
            continue
        try:
            declared = tuple(need for need in map(needs.parse, tags) if need)
        except ValueError as error:
            raise ValueError(f"{label}: tag {error}") from None
        size = rule.find("string[@name='size']")
        tests.append(
            Test(
                label=label,
                # Before the program stands Bazel's test-setup.sh, whose part run_test plays.
                arguments=tuple(commands[label][1:]),
                environment=_environment(rule),
                size=size.get("value") if size is not None else "medium",
                tags=tags,
                needs=declared,
            )
        )
    return sorted(tests, key=lambda test: test.label)


def find(configs):
    """All tests, without building them."""
    query = bazel("query", *_QUIET, "--output=xml", "tests(//...)")
    aquery = bazel("aquery", *_QUIET, *configs, "--output=jsonproto", 'mnemonic("TestRunner", //...)')
    return parse(query, aquery)


def build(labels, configs):
    """Builds `labels`; returns the directory of what was built."""
    command = ["build", "--keep_going", "--show_result=0", "--noshow_loading_progress", *configs]
    print(f"building {len(labels)} tests{' with ' + ' '.join(configs) if configs else ''}", flush=True)
    bazel(*command, "--ui_event_filters=-info,-debug", *([] if sys.stderr.isatty() else ["--noshow_progress"]), *labels)
    return bazel("info", *_QUIET, *configs, "bazel-bin").decode().strip()


def environment_of(test, bin_directory, scratch):
    """The variables with which Bazel would start it, as far as tests look at them."""
    runfiles = runfiles_of(test, bin_directory)
    return {
        "PATH": "/bin:/usr/bin:/usr/local/bin",
        "TZ": "UTC",
        "HOME": scratch,
        "TEST_TMPDIR": scratch,
        "TEST_TARGET": test.label,
        "TEST_SRCDIR": os.path.dirname(runfiles),
        "TEST_WORKSPACE": WORKSPACE,
        "RUNFILES_DIR": os.path.dirname(runfiles),
        "PYTHON_RUNFILES": os.path.dirname(runfiles),
        "PYTHONDONTWRITEBYTECODE": "1",
        # Unit tests link the core, and have the C library's malloc for themselves. It would give each thread an arena of
        # 64 MiB of address space.
        "MALLOC_ARENA_MAX": "1",
        "XML_OUTPUT_FILE": os.path.join(scratch, "test.xml"),
        **test.environment,
    }


def runfiles_of(test, bin_directory):
    """The working directory of the test."""
    package, _, name = test.label.removeprefix("//").partition(":")
    return os.path.join(bin_directory, package, name + ".runfiles", WORKSPACE)

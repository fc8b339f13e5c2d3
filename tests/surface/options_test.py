#!/usr/bin/env python3
"""PRAIRIE_OPTIONS: what is understood, what is warned of, and that nothing keeps a program from
running."""

import pathlib
import re
import sys
import tempfile
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from tests.surface import preloaded  # noqa: E402

KEYS = ("arena", "foreign", "help", "limit", "on_error", "stats", "thp", "verbose")
VALUES = ("abort", "report", "ignore", "auto", "unreserved", "always", "never", "SIZE")
WARNING = "prairie: warning: PRAIRIE_OPTIONS: "


def unknown(key):
    return f"{WARNING}unknown key '{key}' (help=1 lists them)\n"


def bad(key, value, expected):
    return f"{WARNING}bad value '{value}' for key '{key}' (expected {expected})\n"


# (PRAIRIE_OPTIONS, stderr to the letter)
EXACT = (
    ("", ""),
    ("on_error=abort", ""),
    ("on_error=report", ""),
    ("foreign=report", ""),
    ("foreign=ignore", ""),
    ("stats=0", ""),
    ("verbose=0", ""),
    ("thp=auto", ""),
    ("limit=0", ""),
    ("limit=256M", ""),
    ("thp=always", ""),
    ("thp=never", ""),
    ("arena=auto", ""),
    ("arena=unreserved", ""),
    ("on_error=report,foreign=ignore,thp=never,arena=unreserved", ""),
    ("colour=blue", unknown("colour")),
    ("colour=blue,on_error=report", unknown("colour")),
    ("on_error=report,colour=blue", unknown("colour")),
    ("on_erro=abort", unknown("on_erro")),
    ("on_errors=abort", unknown("on_errors")),
    ("On_Error=abort", unknown("On_Error")),
    ("a=1,b=2", unknown("a") + unknown("b")),
    ("on_error=explode", bad("on_error", "explode", "abort|report")),
    ("on_error=", bad("on_error", "", "abort|report")),
    ("on_error=aborted", bad("on_error", "aborted", "abort|report")),
    ("on_error=abor", bad("on_error", "abor", "abort|report")),
    ("foreign=maybe", bad("foreign", "maybe", "report|ignore")),
    ("stats=2", bad("stats", "2", "0|1")),
    ("verbose=yes", bad("verbose", "yes", "0|1")),
    ("thp=sometimes", bad("thp", "sometimes", "auto|always|never")),
    ("arena=none", bad("arena", "none", "auto|unreserved")),
    ("limit=much", bad("limit", "much", "SIZE: bytes, or a number with K, M or G")),
    ("help=0", ""),
    ("help=no", bad("help", "no", "0|1")),
    ("help=", bad("help", "", "0|1")),
    ("stats=\x1b[2J", bad("stats", "?[2J", "0|1")),
    ("stats=2,colour=blue,verbose=0", bad("stats", "2", "0|1") + unknown("colour")),
)

# Odd texts: the program must run, and what is said must be warnings, one a line.
ODD = (
    "on_error",
    ",",
    ",,,",
    "=",
    "=abort",
    "on_error==abort",
    " on_error=abort",
    "on_error=abort,",
    "x" * 5000,
    "a," * 2000,
    "\n",
    "k=\x01\x02",
    "ключ=значение",
    "on_error=" + "y" * 3000,
)


def check_run(outcome, status=0, stdout="hello\n"):
    if outcome.status != status or outcome.stdout != stdout:
        return outcome.describe()
    return None


def main():
    parser = preloaded.parser(__doc__, programs_near=__file__)
    arguments = preloaded.parse(parser)
    score = preloaded.Score()

    def run(options, program=(arguments.programs / "print_hello",)):
        return preloaded.run(program, arguments.library, options=options)

    for options, stderr in EXACT:
        outcome = run(options)
        wrong = check_run(outcome)
        if wrong is None and outcome.stderr != stderr:
            wrong = f"stderr is {outcome.stderr!r}, not {stderr!r}"
        score.record(f"options {options!r}", wrong)

    for options in ODD:
        outcome = run(options)
        wrong = check_run(outcome)
        strange = [line for line in outcome.stderr.splitlines() if not line.startswith(WARNING)]
        if wrong is None and strange:
            wrong = f"stderr has {strange[:3]!r}"
        score.record(f"odd options {options[:30]!r}", wrong)

    outcome = run("help=1")
    wrong = check_run(outcome)
    if wrong is None:
        missing = [key for key in KEYS if not re.search(rf"\b{key}\b", outcome.stderr)]
        wrong = f"help does not name {missing}: {outcome.stderr!r}" if missing else None
    score.record("help=1 lists every key and the program runs", wrong)
    values = [word for word in VALUES if word not in outcome.stderr]
    score.record("help=1 lists every value", f"missing {values}" if values else None)

    # Not of echo's: coreutils close stderr before a library's destructors run.
    outcome = run("stats=1", [arguments.programs / "print_malloc_info"])
    wrong = check_run(outcome, stdout=outcome.stdout)
    if wrong is None and len(outcome.stderr.splitlines()) < 2:
        wrong = f"no summary: {outcome.stderr!r}"
    score.record("stats=1 prints a summary at exit, on stderr", wrong)

    # What such a program opens is not where the summary goes; it does go to a stderr that is still
    # open.
    for first_closed, lines in ((3, True), (2, False)):
        with tempfile.NamedTemporaryFile() as file:
            program = [arguments.programs / "reuse_descriptors", str(first_closed), file.name]
            outcome = run("stats=1", program)
            wrong = check_run(outcome, stdout="")
            text = file.read()
            if text or bool(outcome.stderr) != lines:
                wrong = f"the program's file has {text!r}, stderr {outcome.stderr!r}"
        score.record(f"stats=1 in a program that closes descriptors from {first_closed} on", wrong)

    outcome = run("verbose=1")
    score.record("verbose=1 runs the program", check_run(outcome))

    for mode, options in preloaded.MODES.items():
        outcome = run(options, [arguments.programs / "print_malloc_info"])
        wrong = outcome.describe() if outcome.status != 0 or outcome.stderr else None
        if wrong is None:
            try:
                root = xml.etree.ElementTree.fromstring(outcome.stdout)
                if root.tag != "malloc" or "version" not in root.attrib or len(root) == 0:
                    wrong = "no <malloc version=…> with content"
            except xml.etree.ElementTree.ParseError as error:
                wrong = f"not well-formed: {error}"
        score.record(f"malloc_info writes well-formed XML ({mode})", wrong)
    return score.finish()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Runs the misuse programs under libprairie.so and compares what each leaves behind: how it died,
its stdout, and every character of its report."""

import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from tests.misuse.cases import CASES, NEEDS  # noqa: E402
from tests.surface import preloaded  # noqa: E402


def parse_stdout(stdout):
    """Splits a program's stdout into the addresses that it shows and its other lines."""
    shown, words = {}, []
    for line in stdout.splitlines():
        name, space, address = line.partition(" ")
        if space:
            shown[name] = int(address, 16)
        else:
            words.append(line)
    for name, address in list(shown.items()):
        for offset in (8, 16, 8192):
            shown[f"{name}+{offset}"] = address + offset
    return shown, tuple(words)


def report_complaint(choices, line, shown):
    """None when one of `choices` is what `line` says."""
    complaints = [choice.complaint(line, shown) for choice in choices]
    return None if None in complaints else " and ".join(complaints)


def complaint(case, outcome):
    """None when `outcome` is what `case` expects, else what differs first."""
    wanted_status = 0 if case.survives else -signal.SIGABRT
    if outcome.status != wanted_status:
        return f"not status {wanted_status}: {outcome.describe()}"
    shown, words = parse_stdout(outcome.stdout)
    if words != case.words:
        return f"stdout says {words}, not {case.words}"
    if outcome.stderr and not outcome.stderr.endswith("\n"):
        return f"stderr ends inside a line: {outcome.stderr!r}"
    lines = outcome.stderr.splitlines()
    if len(lines) != len(case.reports):
        return f"{len(lines)} lines on stderr, not {len(case.reports)}: {outcome.stderr[-999:]!r}"
    for choices, line in zip(case.reports, lines):
        if len(lines) > 1 and choices[0].pointer not in shown:  # Any of many blocks.
            shown[choices[0].pointer] = int(line.partition("(")[2].partition(")")[0], 16)
            found = report_complaint(choices, line, shown)
            del shown[choices[0].pointer]
        else:
            found = report_complaint(choices, line, shown)
        if found:
            return found
    return None


def main():
    parser = preloaded.parser(__doc__, programs_near=__file__)
    parser.add_argument("--mode", choices=preloaded.MODES, help="only this way of owning the arena")
    parser.add_argument("filter", nargs="?", default="", help="only programs that contain this")
    arguments = preloaded.parse(parser)
    modes = [arguments.mode] if arguments.mode else list(preloaded.MODES)
    score = preloaded.Score()
    for mode in modes:
        for case in CASES:
            if arguments.filter not in case.program:
                continue
            unmet = preloaded.unmet_need(*NEEDS.get(case.program, (0, "")))
            if unmet:
                score.skip(f"{case.program} ({mode})", unmet)
                continue
            options = ",".join(filter(None, [preloaded.MODES[mode], case.options]))
            program = arguments.programs / case.program
            outcome = preloaded.run([program], arguments.library, options=options)
            score.record(f"{case.program} ({mode})", complaint(case, outcome))
        # A process without a stderr must die all the same.
        if arguments.filter in "stderr_closed":
            outcome = preloaded.run(
                [arguments.programs / "double_free_small"],
                arguments.library,
                options=preloaded.MODES[mode],
                before_exec=lambda: os.close(2),
            )
            wrong = None if outcome.status == -signal.SIGABRT else outcome.describe()
            score.record(f"stderr_closed ({mode})", wrong)
    return score.finish()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Runs programs that are unkind to their malloc under libprairie.so, each in its surroundings."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from tests.hostile.cases import GROUPS  # noqa: E402
from tests.surface import preloaded  # noqa: E402

OVERCOMMIT = pathlib.Path("/proc/sys/vm/overcommit_memory")
SKIPPED = 77  # A program's status when its surroundings cannot be had; its stdout says why.


def complaint(case, outcome):
    """None when `outcome` is what `case` expects, else what is wrong."""
    if outcome.status != case.status:
        return f"not status {case.status}: {outcome.describe()}"
    if outcome.stdout != case.stdout:
        return f"stdout is not {case.stdout!r}: {outcome.describe()}"
    lines = outcome.stderr.splitlines()
    if len(lines) != len(case.stderr) or not all(map(str.startswith, lines, case.stderr)):
        return f"stderr is not lines of {case.stderr!r}: {outcome.describe()}"
    return None


def hint_is_taken():
    """Whether something that is preloaded into this very process sits in the first 64 MiB where the
    arena begins."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        starts = [int(line.partition("-")[0], 16) for line in maps]
    return any(0 <= start - 0xF800000000 < 64 << 20 for start in starts)


def unmet_need(case):
    """Why `case` cannot be in these surroundings, in the words of tests/support/needs.h, or None."""
    if case.needs_free_hint and hint_is_taken():
        return f"needs_free_hint: {case.needs_free_hint}"
    if case.needs_overcommit and OVERCOMMIT.read_text(encoding="ascii").strip() == "2":
        return f"needs_overcommit: {case.needs_overcommit}"
    return preloaded.unmet_need(*case.needs, case.limits)


def main():
    parser = preloaded.parser(__doc__, programs_near=__file__)
    parser.add_argument("--mode", choices=preloaded.MODES, help="only this way of owning the arena")
    parser.add_argument("--group", choices=GROUPS, help="only this group of cases")
    parser.add_argument("filter", nargs="?", default="", help="only cases whose name contains this")
    arguments = preloaded.parse(parser)
    names = {"library": arguments.library, "programs": arguments.programs}
    bits = 32 if preloaded.has_32_bits(arguments.library) else 64
    score = preloaded.Score()
    for mode in [arguments.mode] if arguments.mode else list(preloaded.MODES):
        for group in [arguments.group] if arguments.group else list(GROUPS):
            for case in GROUPS[group]:
                if arguments.filter not in case.name or case.bits not in (None, bits):
                    continue
                name = f"{case.name.format(library='libprairie.so', programs='.')} ({mode})"
                if unmet := unmet_need(case):
                    score.skip(name, unmet)
                    continue
                environment = dict(case.environment)
                if case.preload_too:
                    environment["LD_PRELOAD"] = case.preload_too.format(**names)
                words = [text.format(**names) for text in case.arguments]
                outcome = preloaded.run(
                    [arguments.programs / case.program] + words,
                    arguments.library if case.preload else None,
                    options=",".join(filter(None, (preloaded.MODES[mode], case.options))),
                    timeout=case.timeout,
                    limits=case.limits,
                    environment=environment,
                    before_exec=case.before_exec,
                )
                if outcome.status == SKIPPED:
                    score.skip(name, outcome.stdout.strip())
                else:
                    score.record(name, complaint(case, outcome))
    return score.finish()


if __name__ == "__main__":
    sys.exit(main())

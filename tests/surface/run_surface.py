#!/usr/bin/env python3
"""Runs a test program of this folder under libprairie.so; its output and verdict are passed on."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from tests.surface import preloaded  # noqa: E402


def main():
    parser = preloaded.parser(__doc__, programs_near=__file__)
    parser.add_argument("--mode", choices=preloaded.MODES, default="reserved")
    parser.add_argument("--timeout", type=float, default=50, help="in seconds (%(default)s)")
    parser.add_argument("program", help="a program in the folder of --programs")
    arguments = preloaded.parse(parser)
    outcome = preloaded.run(
        [arguments.programs / arguments.program],
        arguments.library,
        options=preloaded.MODES[arguments.mode],
        timeout=arguments.timeout,
        environment={"SURFACE_ALLOCATOR": "prairie"},
    )
    sys.stdout.write(outcome.stdout)
    sys.stderr.write(outcome.stderr)
    if outcome.status == 0:
        return 0
    ended = "timed out" if outcome.status is None else f"ended with status {outcome.status}"
    print(f"FAIL: {arguments.program} ({arguments.mode}): {ended}")
    return 1


if __name__ == "__main__":
    sys.exit(main())

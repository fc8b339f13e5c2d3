#!/usr/bin/env python3
"""Every example of docs/mapped_files.md and README.md stands in the program that compiles and runs it."""

import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).absolute().parents[2]


def main():
    document = "".join((ROOT / name).read_text() for name in ("docs/mapped_files.md", "README.md"))
    program = (ROOT / "tests/docs/mapped_files_examples_test.cc").read_text()
    # Lines of the program without their indentation, as one text: an example keeps its inner one.
    compared = "\n".join(line.strip() for line in program.splitlines())
    blocks = re.findall(r"```cpp\n(.*?)```", document, re.DOTALL)
    failed = not blocks
    for number, block in enumerate(blocks, 1):
        lines = [line.strip() for line in textwrap.dedent(block).strip().splitlines()]
        if "\n".join(lines) in compared:
            print(f"PASS: example {number}")
        else:
            print(f"FAIL: example {number}: not in tests/docs/mapped_files_examples_test.cc: {lines[0]}")
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

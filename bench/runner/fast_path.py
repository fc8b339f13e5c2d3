"""Instructions of the hit paths, counted by fast_path_count: printed, or kept as golden file."""

import subprocess
import sys

from allocators import OWN, REFERENCE
from command import ROOT

GOLDEN = ROOT / "bench/fast_path.golden"
NOT_PERMITTED = 3  # the exit status of fast_path_count where ptrace is not permitted


def count(program, library):
    """The table for a library; exits with a line that says why there is none."""
    done = subprocess.run(
        [program, library], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"bench: cannot count: {done.stderr.strip() or f'status {done.returncode}'}")
    return done.stdout


def run(program, allocators, update):
    """Prints the table of each allocator that has a library; `update`: and keeps Prairie's."""
    for allocator in allocators:
        if allocator.library is None or allocator.name == REFERENCE:
            continue  # fast_path_count needs a library whose code it can tell apart
        table = count(program, allocator.library)
        print(f"{allocator.name}\n{table}")
        if update and allocator.name == OWN:
            changed = not GOLDEN.is_file() or GOLDEN.read_text(encoding="utf-8") != table
            GOLDEN.write_text(table, encoding="utf-8")
            state = "rewritten" if changed else "unchanged"
            print(f"bench: {state}: {GOLDEN.relative_to(ROOT)}", file=sys.stderr)

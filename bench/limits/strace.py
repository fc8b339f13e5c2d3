"""Counts the mapping calls of a start, apart for the dynamic linker and for everybody else."""

import re

COUNTED = ("mmap", "munmap", "mprotect", "mremap", "brk", "madvise")
END = "/proc/self/status"
_LINE = re.compile(r"^\[([0-9a-f]+)\] (\w+)\((.*)")


def command(library, program, log):
    """The strace command that writes `log` while `program` runs under `library`."""
    preload = ["-E", f"LD_PRELOAD={library}"] if library else []
    return [
        "strace",
        "-i",
        "-o",
        str(log),
        "-e",
        f"trace={','.join(COUNTED)},openat",
        *preload,
        str(program),
    ]


def count(log, linker_begin, linker_end):
    """(calls of the linker, calls of others) until the program opens END."""
    linker = others = 0
    for line in log.splitlines():
        match = _LINE.match(line)
        if not match:
            continue
        address, call, rest = int(match[1], 16), match[2], match[3]
        if call == "openat":
            if END in rest:
                return linker, others
        elif call not in COUNTED:
            continue
        elif linker_begin <= address < linker_end:
            linker += 1
        else:
            others += 1
    raise ValueError(f"the program never opened {END}")

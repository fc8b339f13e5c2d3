"""Sets vm.overcommit_memory for a while. It is restored however this process ends, SIGKILL included: a guard waits at a
pipe for the end of it. Only if the guard itself is killed, or the machine stops, is it left."""

import contextlib
import os
import re
import subprocess

PATH = "/proc/sys/vm/overcommit_memory"
# What the rest of the machine may go on allocating while commitments are counted.
HEADROOM_MIB = 4096

# Waits until its stdin ends. It must outlive Ctrl-C and the end of the session.
_GUARD = 'trap "" HUP INT QUIT TERM; echo ready; read -r _; echo "$1" >"$2"'


class Refused(Exception):
    """Why the setting cannot be had, in one line."""


def _mebibytes(meminfo, field):
    return int(re.search(rf"^{field}: +(\d+) kB", meminfo, re.MULTILINE).group(1)) // 1024


def _check_headroom():
    with open("/proc/meminfo", encoding="ascii") as file:
        meminfo = file.read()
    room = _mebibytes(meminfo, "CommitLimit") - _mebibytes(meminfo, "Committed_AS")
    if room < HEADROOM_MIB:
        raise Refused(f"the machine could commit only {room} MiB more (CommitLimit less Committed_AS), under {HEADROOM_MIB}")


@contextlib.contextmanager
def setting(mode, path=PATH):
    """While the context lasts vm.overcommit_memory is `mode`. Raises Refused if it cannot be."""
    try:
        with open(path, encoding="ascii") as file:
            old = file.read().strip()
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None
    if old == str(mode):
        yield
        return
    if not os.access(path, os.W_OK):
        raise Refused(f"{path} cannot be written: this needs root, on a machine that allows it")
    if mode == 2:
        _check_headroom()
    guard = subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "sh", old, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        if guard.stdout.readline() != b"ready\n":
            raise Refused("the guard that would restore it did not start")
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(f"{mode}\n")
        except OSError as error:
            raise Refused(f"{path} cannot be set to {mode}: {error.strerror}") from None
        yield
    finally:
        guard.stdin.close()
        guard.wait()
        guard.stdout.close()

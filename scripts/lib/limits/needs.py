"""What a test needs of its surroundings, as it declares it, and whether a cell has it.

    needs_address_space=512M: why     RLIMIT_AS (ulimit -v) of that or more
    needs_data=512M: why              RLIMIT_DATA (ulimit -d)
    needs_stack=1M: why               RLIMIT_STACK (ulimit -s)
    needs_free_hint: why              nobody sits in the first 64 MiB where the arena likes to begin
    needs_overcommit: why             vm.overcommit_memory is not 2

A whole test says so by a tag in its BUILD file. A case of a test says so by skipping with this text as the reason, which
counts only where it is true: a case that skips so in a cell that has what it needs has failed.
"""

import dataclasses
import re

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
# The limits that can be needed, by the name of the need.
LIMITS = ("address_space", "data", "stack")

_SIZED = re.compile(r"^needs_(address_space|data|stack)=(\d+)([KMGT]): (\S.*)$", re.DOTALL)
_PLAIN = re.compile(r"^needs_(free_hint|overcommit): (\S.*)$", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Need:
    """`size` in bytes; None for a need that has no size."""

    what: str
    size: int | None
    why: str

    def __str__(self):
        return f"{self.what.replace('_', ' ')}" + ("" if self.size is None else f" {size_text(self.size)}")


def size_text(size):
    """64M for 67108864: in the largest unit that divides it."""
    for unit, factor in reversed(UNITS.items()):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def parse(text):
    """The Need that `text` declares; None if it declares none. ValueError if it means to and does not."""
    text = text.strip()
    if match := _SIZED.match(text):
        what, number, unit, why = match.groups()
        return Need(what, int(number) * UNITS[unit], why)
    if match := _PLAIN.match(text):
        return Need(match.group(1), None, match.group(2))
    if text.startswith("needs_"):
        raise ValueError(f"'{text}' is not of the form needs_address_space|data|stack=SIZE: why or needs_free_hint|overcommit: why")
    return None


def exceeds(need, cell):
    """Whether the cell has less than is needed."""
    if need.what == "free_hint":
        return cell.hint_taken
    if need.what == "overcommit":
        return cell.overcommit == 2
    limit = getattr(cell, need.what)
    return limit is not None and limit < need.size

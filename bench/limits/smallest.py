"""The smallest limit at which something works: a ladder, a bisection, a look at what is above."""

from dataclasses import dataclass

# From one rung of the ladder to the next. A wider step would miss a range that works below one that
# does not.
RUNG = 1.25
# Multiples of the smallest limit that are tried too: more memory should not break a program.
FAR_ABOVE = (1.15, 1.22, 1.3, 1.45, 1.6, 1.8, 2.0, 2.4, 3.0, 4.0, 5.0, 6.0)
# How many successive limits must work. Near its smallest limit a program may work by luck: where it
# does without what it could not have.
FRINGE = 24


@dataclass(frozen=True)
class Smallest:
    """limit: the smallest from which on it works, None if there is none up to the most.

    lowest: the smallest at which it worked once; below `limit` when a larger one failed.
    gaps: those well above `limit` that were tried and failed.
    """

    limit: int | None
    lowest: int | None = None
    gaps: tuple = ()


def ladder(start, most):
    """The limits to try first, in units: each RUNG times the one before, at least one more."""
    rung = start
    while rung < most:
        yield rung
        rung = max(rung + 1, int(rung * RUNG))
    yield most


def bisect(works, fails_at, works_at):
    """A unit that works, while the one below it fails, from one that fails to one that works."""
    while works_at - fails_at > 1:
        middle = (fails_at + works_at) // 2
        if works(middle):
            works_at = middle
        else:
            fails_at = middle
    return works_at


def first_of_fringe(works, found, most, fringe):
    """The first of `fringe` + 1 successive units that all work, `found` or higher; or None."""
    first, units = found, found
    while units - first < fringe and units < most:
        units += 1
        if not works(units):
            first = units + 1
    return first if first <= most else None


def find(works, start, most, *, fringe=FRINGE, far_above=FAR_ABOVE):
    """Finds the smallest number of units, from start to most, from which on works(units) is true."""
    fails_at = start - 1
    for rung in ladder(start, most):
        if works(rung):
            break
        fails_at = rung
    else:
        return Smallest(None)
    lowest = bisect(works, fails_at, rung)
    limit = first_of_fringe(works, lowest, most, fringe)
    if limit is None:
        return Smallest(None, lowest)
    far = sorted({int(limit * factor) for factor in far_above})
    gaps = [units for units in far if limit + fringe < units <= most and not works(units)]
    return Smallest(limit, lowest, tuple(gaps))

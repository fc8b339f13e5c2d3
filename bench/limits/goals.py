"""What Prairie is to reach: the figures, and whether a measured one does."""

# The smallest limit, in MiB more than glibc needs, for each program of jobs.py.
SMALLEST = {
    "python3, print": 1.0,
    "python3, 100 MB of bytes": 0.0,
    "sqlite3": 1.0,
    "perl": 1.0,
    "g++ -c": 0.0,
    "4 threads": 1.0,
    "64 threads, 64 KiB stacks": 0.0,
    "64 threads, 8 MiB stacks": -920.0,
}

# The sizes of blocks, in bytes, that the heap is filled with; a figure for each stands in a cell.
BLOCK_SIZES = (64, 1 << 10, 1 << 20)

# For each limit, in MiB: payload before NULL, in % of the limit.
PAYLOAD = {64: (93, 95, 95), 128: (96, 97, 97), 256: (98, 98, 98), 1024: (99, 99, 99)}

# The limit, in MiB, for the largest block after freeing everything; that block, in % of what was
# filled.
AFTER_FREE_LIMIT = 256
AFTER_FREE = (100, 100, 100)

# At start, with and without a limit.
STARTUP_RSS_KIB = 1500
STARTUP_MAPPING_CALLS = 12

# Payload in % of the limit after it moved, for each case of moving_limit. Others' mappings must fit
# too.
MOVING = {"lower": 95, "raise": 95, "below": 95}

# How much less than in the first round, in % of the limit, the threads may get in a later one. One
# run differs from the next by up to 2.
ROUNDS_LOSS = 2

# With the heap full at 128 MiB: payload by operator new in % of the limit, and of the blocks freed one
# in ten, those that are to be had again, in %.
FULL_NEW = 95
FULL_AGAIN = 95


def at_most(value, goal, digits=0):
    """Whether a value, as it is shown, is within its goal."""
    return round(value, digits) <= goal


def at_least(value, goal, digits=0):
    return round(value, digits) >= goal

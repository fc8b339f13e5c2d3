"""The matrix: each cell is one way in which a process can be confined or crowded."""

import dataclasses

K, M, G = 1 << 10, 1 << 20, 1 << 30
UNLIMITED = None

# The libraries that are preloaded into every process of a cell, and sit where the arena would like to.
HINT_TAKEN = "//tests/support:libhint_taken.so"
WINDOW_TAKEN = "//tests/support:libwindow_taken.so"


@dataclasses.dataclass(frozen=True)
class Cell:
    """Limits are soft ones, in bytes; None is unlimited. `stack` None is `ulimit -s unlimited`."""

    name: str
    text: str  # what a user would type or see
    address_space: int | None = UNLIMITED
    data: int | None = UNLIMITED
    stack: int | None = 8 * M
    randomize: bool = True
    taken: str = ""  # a library that takes addresses
    config: str = ""  # a configuration of .bazelrc
    overcommit: int | None = None  # vm.overcommit_memory
    quick: bool = False

    @property
    def hint_taken(self):
        return self.taken != ""


def _address_space(size, text, **more):
    return Cell(f"v-{text}", f"ulimit -v {size // K}", address_space=size, **more)


def _data(size, text, **more):
    return Cell(f"d-{text}", f"ulimit -d {size // K}", data=size, **more)


CELLS = (
    Cell("unlimited", "no limit"),
    _address_space(32 * M, "32M"),
    _address_space(64 * M, "64M", quick=True),
    _address_space(128 * M, "128M"),
    _address_space(256 * M, "256M", quick=True),
    _address_space(512 * M, "512M"),
    _address_space(1 * G, "1G"),
    _address_space(2 * G, "2G"),
    _address_space(4 * G, "4G"),
    _data(32 * M, "32M"),
    _data(128 * M, "128M", quick=True),
    _data(1 * G, "1G"),
    Cell("s-unlimited", "ulimit -s unlimited", stack=UNLIMITED, quick=True),
    Cell("s-unlimited-v-512M", "ulimit -s unlimited -v 524288", stack=UNLIMITED, address_space=512 * M),
    Cell("s-128K", "ulimit -s 128", stack=128 * K),
    Cell("s-256K-v-256M", "ulimit -s 256 -v 262144", stack=256 * K, address_space=256 * M),
    Cell("no-aslr", "setarch -R", randomize=False),
    Cell("no-aslr-v-256M", "setarch -R, ulimit -v 262144", randomize=False, address_space=256 * M),
    Cell("no-pie", "programs linked with -no-pie", config="nopie"),
    Cell("no-pie-v-256M", "-no-pie, ulimit -v 262144", config="nopie", address_space=256 * M),
    Cell("hint-taken", "0xf800000000 taken", taken=HINT_TAKEN, quick=True),
    Cell("hint-taken-v-256M", "0xf800000000 taken, ulimit -v 262144", taken=HINT_TAKEN, address_space=256 * M),
    Cell("window-taken", "the window taken in places", taken=WINDOW_TAKEN),
    Cell(
        "window-taken-v-256M",
        "the window taken in places, ulimit -v 262144",
        taken=WINDOW_TAKEN,
        address_space=256 * M,
        quick=True,
    ),
    Cell("overcommit-2", "vm.overcommit_memory=2", overcommit=2),
    Cell("overcommit-2-v-512M", "vm.overcommit_memory=2, ulimit -v 524288", overcommit=2, address_space=512 * M),
)


def command_prefix(cell, library):
    """What stands before a command so that it runs in the cell. `library`: the path of what cell.taken builds."""
    prefix = ["prlimit"]
    for option, limit in (("as", cell.address_space), ("data", cell.data), ("stack", cell.stack)):
        # Soft limits: a test that sets one of its own is then a cell of its own.
        prefix.append(f"--{option}={'unlimited' if limit is None else limit}:")
    if not cell.randomize:
        prefix += ["setarch", "--addr-no-randomize"]
    if cell.taken:
        prefix += ["env", f"LD_PRELOAD={library}"]
    return prefix

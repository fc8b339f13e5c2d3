"""The allocators that are compared, by name, and where their libraries are."""

from dataclasses import dataclass
from pathlib import Path

LIBRARY_DIRECTORY = Path("/usr/lib/x86_64-linux-gnu")

# Debian's libraries. glibc is the run without a preload.
DEBIAN_PEERS = {
    "jemalloc": "libjemalloc.so.2",
    "mimalloc": "libmimalloc.so.2",
    "gperftools": "libtcmalloc_minimal.so.4",
}
DEFAULT_NAMES = ["prairie", "glibc", *DEBIAN_PEERS]


@dataclass(frozen=True)
class Allocator:
    """An allocator under its short name; `library` is None for glibc, which needs no preload."""

    name: str
    library: Path | None


def parse_peer(text):
    """The Allocator of a --peer argument NAME=PATH; raises ValueError with the reason."""
    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise ValueError(f"--peer expects NAME=PATH, not '{text}'")
    if name == "glibc":
        raise ValueError("--peer cannot rename glibc: it is the run without a preload")
    library = Path(path).resolve()
    if not library.is_file():
        raise ValueError(f"--peer {name}: no such file: {path}")
    return Allocator(name, library)


def select(peers, wanted, built_prairie):
    """The allocators of a run: the default ones, then each peer; only the `wanted` if given.

    A peer named as a default allocator takes its place. Raises ValueError for an unknown name.
    """
    found = {"prairie": Allocator("prairie", built_prairie), "glibc": Allocator("glibc", None)}
    for name, file in DEBIAN_PEERS.items():
        found[name] = Allocator(name, LIBRARY_DIRECTORY / file)
    for peer in peers:
        found[peer.name] = peer
    unknown = [name for name in wanted or [] if name not in found]
    if unknown:
        raise ValueError(f"unknown allocator '{unknown[0]}', expected one of: {', '.join(found)}")
    return [allocator for name, allocator in found.items() if not wanted or name in wanted]

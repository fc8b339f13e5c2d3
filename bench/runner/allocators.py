"""The allocators that are compared, by name, and where their libraries are."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

LIBRARY_DIRECTORY = Path("/usr/lib/x86_64-linux-gnu")

OWN = "prairie"
# bench/bump_allocator.cc: what an allocator without any work would take. It is shown beside the
# others and never counted among them.
REFERENCE = "bump"

# Debian's libraries. glibc is the run without a preload.
DEBIAN_PEERS = {
    "jemalloc": "libjemalloc.so.2",
    "mimalloc": "libmimalloc.so.2",
    "gperftools": "libtcmalloc_minimal.so.4",
    "oneTBB": "libtbbmalloc_proxy.so.2",
}


@dataclass(frozen=True)
class Allocator:
    """An allocator under its short name; `library` is None for glibc, which needs no preload."""

    name: str
    library: Path | None


def ranked(names):
    """Those of the names that are compared: all but the reference."""
    return [name for name in names if name != REFERENCE]


def peers_of(names):
    """Those of the names that Prairie is compared with."""
    return [name for name in names if name not in (OWN, REFERENCE)]


def parse_peer(text):
    """The Allocator of a --peer argument NAME=PATH; raises ValueError with the reason."""
    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise ValueError(f"--peer expects NAME=PATH, not '{text}'")
    if "," in name:
        raise ValueError(f"--peer: a name has no comma: '{name}'")
    if name in ("glibc", REFERENCE):
        meaning = "the run without a preload" if name == "glibc" else "the reference"
        raise ValueError(f"--peer cannot rename {name}: it is {meaning}")
    library = Path(path).resolve()
    if not library.is_file():
        raise ValueError(f"--peer {name}: no such file: {path}")
    return Allocator(name, library)


def select(peers, wanted, built):
    """The allocators of a run: the default ones, then each peer; only the `wanted` if given.

    built: where the libraries of this source tree will be, by name. A peer named as a default
    allocator takes its place. Raises ValueError for an unknown name.
    """
    found = {OWN: Allocator(OWN, built[OWN]), "glibc": Allocator("glibc", None)}
    for name, file in DEBIAN_PEERS.items():
        found[name] = Allocator(name, LIBRARY_DIRECTORY / file)
    for peer in peers:
        found[peer.name] = peer
    found[REFERENCE] = Allocator(REFERENCE, built[REFERENCE])
    unknown = [name for name in wanted or () if name not in found]
    if unknown:
        raise ValueError(f"unknown allocator '{unknown[0]}', expected one of: {', '.join(found)}")
    return [allocator for name, allocator in found.items() if wanted is None or name in wanted]


def why_unavailable(allocator):
    """Why no program can be run on it, or an empty string.

    The dynamic linker only warns of a library that it cannot preload, and goes on with glibc.
    """
    if allocator.library is None:
        return ""
    if not allocator.library.is_file():
        return f"no {allocator.library}"
    environment = {"PATH": "/usr/bin:/bin", "LD_PRELOAD": str(allocator.library)}
    try:
        done = subprocess.run(
            ["/bin/true"], env=environment, capture_output=True, text=True, timeout=20, check=False
        )
    except subprocess.TimeoutExpired:
        return "a program that does nothing did not end within 20 s on it"
    if done.returncode != 0:
        return f"a program that does nothing ends with status {done.returncode} on it"
    warnings = [line for line in done.stderr.splitlines() if "cannot be preloaded" in line]
    return warnings[0] if warnings else ""

#!/usr/bin/env python3
"""What libprairie.so exports, needs, and costs in static TLS, read with binutils."""

import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parents[2]))

from tests.surface import preloaded  # noqa: E402

C_NAMES = """
malloc calloc realloc free reallocarray memalign aligned_alloc posix_memalign valloc pvalloc cfree
malloc_usable_size malloc_trim malloc_stats malloc_info mallinfo mallinfo2 mallopt free_sized
free_aligned_sized malloc_size malloc_good_size nallocx sdallocx __libc_malloc __libc_calloc
__libc_realloc __libc_free __libc_memalign __libc_valloc __libc_pvalloc __libc_mallopt
__libc_mallinfo __libc_cfree __posix_memalign
""".split()

ALIGN, NOTHROW = "St11align_val_t", "RKSt9nothrow_t"

# To see RLIMIT_AS change and give the reservation back; in 32 bits there is none.
LIMITS = ["setrlimit", "setrlimit64", "prlimit", "prlimit64"]


def cpp_names(size):
    """The forms of new and delete. `size`: the mangled size_t, m in 64 bits and j in 32."""
    new = [
        f"_Zn{kind}{size}{more}" for kind in "wa" for more in ("", NOTHROW, ALIGN, ALIGN + NOTHROW)
    ]
    delete = [
        f"_Zd{kind}Pv{more}"
        for kind in "la"
        for more in ("", size, NOTHROW, ALIGN, size + ALIGN, ALIGN + NOTHROW)
    ]
    assert (len(new), len(delete)) == (8, 12)
    return new + delete


ALLOWED = re.compile(r"prairie_\w+|_init|_fini|__bss_start|_edata|_end")  # C API; linker's own.
NEEDED = {"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux.so.2"}
STATIC_TLS_BYTES = 16  # A pointer and a byte: dlopen works even when little of the surplus is left.


def lines(*command):
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    return done.stdout.splitlines()


def main():
    arguments = preloaded.parse(preloaded.parser(__doc__))
    library = str(arguments.library)
    score = preloaded.Score()
    narrow = preloaded.has_32_bits(library)
    expected = C_NAMES + cpp_names("j" if narrow else "m") + ([] if narrow else LIMITS)

    kinds = {}
    for line in lines("nm", "-D", "--defined-only", library):
        _, kind, name = line.split()
        if not kind.islower() or kind == "i":  # A local one is for the dynamic linker alone.
            kinds[name.partition("@")[0]] = kind
    for name in expected:
        wrong = None
        if name not in kinds:
            wrong = "not exported"
        elif kinds[name] not in "TWi":
            wrong = f"exported, but as {kinds[name]!r} and no function"
        score.record(f"exports {name}", wrong)
    others = [name for name in kinds if name not in expected and not ALLOWED.fullmatch(name)]
    score.record("exports nothing else", f"also exports {others}" if others else None)
    for name in (
        "prairie_malloc",
        "prairie_free",
        "prairie_last_failure",
        "prairie_set_limit",
        "prairie_get_limit",
        "prairie_set_pressure_handler",
    ):
        score.record(f"exports {name}", None if name in kinds else "not exported")

    dynamic = lines("readelf", "--dynamic", "--wide", library)
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", "\n".join(dynamic)))
    wrong = None if needed and needed <= NEEDED else f"needs {sorted(needed)}"
    score.record("needs only the C library", wrong)
    text_relocations = any("TEXTREL" in line for line in dynamic)
    score.record("has no text relocations", "it has" if text_relocations else None)
    segments = lines("readelf", "--segments", "--wide", library)
    size = sum(int(line.split()[5], 16) for line in segments if " TLS " in line)
    wrong = None if size <= STATIC_TLS_BYTES else f"{size} bytes, not at most {STATIC_TLS_BYTES}"
    score.record("takes no more static TLS than a pointer and a byte", wrong)
    symbols = lines("nm", "-D", "--undefined-only", library)
    undefined = {line.split()[-1].partition("@")[0] for line in symbols}
    wrong = "it does" if undefined & {"__tls_get_addr", "___tls_get_addr"} else None
    score.record("calls no __tls_get_addr, which allocates", wrong)
    own = sorted(undefined & set(C_NAMES))
    wrong = f"imports {own}" if own else None
    score.record("imports none of the functions that it exports", wrong)
    return score.finish()


if __name__ == "__main__":
    sys.exit(main())

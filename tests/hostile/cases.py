"""The table of hostile situations: which program, in which surroundings, and how it must end."""

import ctypes
import dataclasses
import os
import resource

MEGABYTE = 1 << 20
ADDR_NO_RANDOMIZE = 0x0040000


@dataclasses.dataclass(frozen=True)
class Case:
    """`arguments` and `preload_too` may name {library} and {programs}. `preload_too` is preloaded
    behind the library; `preload` False starts the program without any. `before_exec` runs in the
    child. `options` are added to PRAIRIE_OPTIONS. `stderr` is what each of its lines begins with."""

    name: str
    program: str
    arguments: tuple = ()
    preload: bool = True
    preload_too: str = ""
    limits: dict = dataclasses.field(default_factory=dict)
    before_exec: object = None
    options: str = ""
    environment: dict = dataclasses.field(default_factory=dict)
    status: int = 0
    stdout: str = ""
    stderr: tuple = ()
    timeout: float = 40


def simple(program, *arguments, **more):
    name = " ".join((program,) + tuple(os.path.basename(argument) for argument in arguments))
    return Case(name, program, arguments, **more)


def no_randomization():
    ctypes.CDLL(None).personality(ADDR_NO_RANDOMIZE)


def close_standard_streams():
    for descriptor in (0, 1, 2):
        os.close(descriptor)


THREADS = (
    simple("key_destructors"),
    simple("thread_local_destructors"),
    simple("short_threads", "self"),
    simple("short_threads", "main"),
    simple("cross_thread_frees"),
    simple("thousand_threads"),
    simple(
        "pending_cancel",
        options="verbose=1",
        stderr=("prairie: arena at ", "prairie: out of memory: malloc(314572800): RLIMIT_DATA"),
    ),
)

PROCESSES = (
    simple("early_and_late", stdout="atexit\nlast destructor\n"),
    Case(
        "early_and_late with a library around it",
        "early_and_late",
        preload_too="{programs}/liblate.so",
        stdout="atexit\nlast destructor\nlate library\n",
    ),
    simple("fork_storm"),
    simple("fork_handlers"),
    Case(
        "fork_handlers with a library that was initialized before",
        "fork_handlers",
        preload_too="{programs}/liblate.so",
        stdout="late library\n",
    ),
    Case(
        "fork_lock with a library that takes a lock",
        "fork_lock",
        preload_too="{programs}/libatfork_lock.so",
    ),
    Case(
        "c_fork_lock with a library that takes a lock",
        "c_fork_lock",
        preload_too="{programs}/libatfork_lock.so",
    ),
    simple("spawn"),
    simple("static_program", stdout="static\n"),
)

LIBRARIES = (
    simple("dlopen_prairie", "{library}", preload=False),
    simple("dlopen_loop", "{programs}/libtls_plugin.so"),
    simple("c_host", "{programs}/libcpp_plugin.so", "throwing"),
    simple("c_host", "{programs}/libcpp_plugin.so", "nothrow"),
)

SIGNALS = (
    simple("crash_handler"),
    simple("signal_storm"),
) + tuple(
    simple("abort_handler", mistake, status=42, stderr=("prairie: ",))
    for mistake in (
        "double",
        "double_large",
        "interior",
        "interior_large",
        "foreign",
        "realloc",
        "smashed",
    )
)

SURROUNDINGS = (
    simple("neighbours"),
    simple("beyond_reservation"),
    simple("occupied_segment"),
    simple("locked_memory"),
    simple("workload"),
    simple("huge_pages", "none"),
    Case("huge_pages with thp=never", "huge_pages", ("nh",), options="thp=never"),
    Case(
        "workload while the arena's address is taken",
        "workload",
        ("elsewhere",),
        preload_too="{programs}/liboccupier.so",
        stdout="intact\n",
    ),
    Case(
        "workload with an unlimited stack",
        "workload",
        limits={resource.RLIMIT_STACK: resource.RLIM_INFINITY},
    ),
    Case("workload with a small stack", "workload", limits={resource.RLIMIT_STACK: 128 << 10}),
    Case("workload without address randomization", "workload", before_exec=no_randomization),
    Case("workload without standard streams", "workload", before_exec=close_standard_streams),
    Case("workload without descriptors to open", "workload", limits={resource.RLIMIT_NOFILE: 8}),
    Case(
        "workload with glibc's own variables",
        "workload",
        environment={
            "GLIBC_TUNABLES": "glibc.malloc.check=3",
            "MALLOC_ARENA_MAX": "1",
            "MALLOC_PERTURB_": "7",
        },
    ),
)


def limited(program, which, megabytes, *arguments):
    name = {resource.RLIMIT_AS: "RLIMIT_AS", resource.RLIMIT_DATA: "RLIMIT_DATA"}[which]
    size = megabytes * MEGABYTE
    return Case(
        " ".join((program,) + arguments) + f" under {name} of {megabytes} MiB",
        program,
        (str(size),) + arguments,
        limits={which: size},
    )


def fills(which):
    sizes = ((64, "24"), (64, "1000"), (64, "1000000"), (256, "64"), (256, "40000"))
    return tuple(limited("memory_limit", which, megabytes, size) for megabytes, size in sizes)


ADDRESS_LIMITS = fills(resource.RLIMIT_AS) + (
    limited("threads_at_the_limit", resource.RLIMIT_AS, 64),
    limited("threads_at_the_limit", resource.RLIMIT_AS, 300),
    Case(
        "workload under RLIMIT_AS of 400 MiB",
        "workload",
        limits={resource.RLIMIT_AS: 400 * MEGABYTE},
    ),
)

DATA_LIMITS = fills(resource.RLIMIT_DATA) + (
    limited("threads_at_the_limit", resource.RLIMIT_DATA, 64),
    Case(
        "workload under RLIMIT_DATA of 300 MiB",
        "workload",
        limits={resource.RLIMIT_DATA: 300 * MEGABYTE},
    ),
    simple("moving_limit"),
    simple("limit_after_start"),
)

def named(name, size="", *, said="", **more):
    """Runs into the limit `name` twice: silently, and with a line that says so."""
    arguments = (name,) + ((str(size),) if size else ())
    lines = ("prairie: arena at ", "prairie: out of memory: malloc(" + said)
    return (
        Case(f"named_limits {name}", "named_limits", arguments, **more),
        Case(
            f"named_limits {name} verbose",
            "named_limits",
            arguments,
            **{**more, "options": ",".join(filter(None, ("verbose=1", more.get("options"))))},
            stderr=lines,
        ),
    )


NAMED_LIMITS = (
    named(
        "RLIMIT_AS",
        150 * MEGABYTE,
        limits={resource.RLIMIT_AS: 150 * MEGABYTE},
        said="1000000): RLIMIT_AS (ulimit -v) is 150 MiB, 14",
    )
    + named(
        "RLIMIT_DATA",
        100 * MEGABYTE,
        limits={resource.RLIMIT_DATA: 100 * MEGABYTE},
        said="1000000): RLIMIT_DATA (ulimit -d) is 100 MiB, 9",
    )
    + named("vm.max_map_count", said="1048576): vm.max_map_count is ")
    + named(
        "limit",
        48 * MEGABYTE,
        options="limit=48M",
        said="1000000): the limit of the heap (limit=, prairie_set_limit) is 48 MiB, 4",
    )
    + named("window", said="1152921504606846976): the window of the arena is ")
)

OWN_LIMIT = (
    tuple(
        Case(
            f"memory_limit {size} under limit={megabytes}M",
            "memory_limit",
            (str(megabytes * MEGABYTE), size),
            options=f"limit={megabytes}M",
        )
        for megabytes, size in ((64, "24"), (64, "1000"), (64, "1000000"), (256, "40000"))
    )
    + tuple(
        Case(
            f"pressure under limit={megabytes}M",
            "pressure",
            (str(megabytes * MEGABYTE),),
            options=f"limit={megabytes}M",
        )
        for megabytes in (16, 100)
    )
    + (
        Case(
            "threads_at_the_limit under limit=64M",
            "threads_at_the_limit",
            (str(64 * MEGABYTE),),
            options="limit=64M",
        ),
        Case("workload under limit=300M", "workload", options="limit=300M"),
        Case("fork_storm under limit=200M", "fork_storm", options="limit=200M"),
    )
)

GROUPS = {
    "threads": THREADS,
    "processes": PROCESSES,
    "libraries": LIBRARIES,
    "signals": SIGNALS,
    "surroundings": SURROUNDINGS,
    "address_limits": ADDRESS_LIMITS,
    "data_limits": DATA_LIMITS,
    "named_limits": NAMED_LIMITS,
    "own_limit": OWN_LIMIT,
}

"""The table of hostile situations: which program, in which surroundings, and how it must end."""

import ctypes
import dataclasses
import os
import resource

MEGABYTE = 1 << 20
ADDR_NO_RANDOMIZE = 0x0040000
ADDR_LIMIT_3GB = 0x8000000


@dataclasses.dataclass(frozen=True)
class Case:
    """`arguments` and `preload_too` may name {library} and {programs}. `preload_too` is preloaded
    behind the library; `preload` False starts the program without any. `before_exec` runs in the
    child. `options` are added to PRAIRIE_OPTIONS. `stderr` is what each of its lines begins with.
    `needs`: the MiB of address space and data without which it cannot be, and why, unless `limits`
    sets its own; `needs_free_hint`: why nobody else may sit where the arena begins;
    `needs_overcommit`: why vm.overcommit_memory may not be 2; `bits`: the case is part of the table
    only where addresses have so many."""

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
    needs: tuple = (0, "")
    needs_free_hint: str = ""
    needs_overcommit: str = ""
    bits: int | None = None


def simple(program, *arguments, **more):
    name = " ".join((program,) + tuple(os.path.basename(argument) for argument in arguments))
    return Case(name, program, arguments, **more)


def no_randomization():
    ctypes.CDLL(None).personality(ADDR_NO_RANDOMIZE)


def three_gigabytes():
    ctypes.CDLL(None).personality(ADDR_LIMIT_3GB)


def close_standard_streams():
    for descriptor in (0, 1, 2):
        os.close(descriptor)


STACKS = "threads, each with a stack of 8 MiB"
# What it holds at once, with the stacks of its threads and the child that it forks.
WORKLOAD = (128, "four threads with 8 MiB of stack each, and blocks of many sizes")

THREADS = (
    simple("key_destructors", needs=(64, STACKS)),
    simple("thread_local_destructors", needs=(64, STACKS)),
    simple("short_threads", "self"),
    simple("short_threads", "main"),
    simple("late_frees", "own", needs=(64, "40 threads")),
    simple("late_frees", "cached", needs=(256, "40 threads, each with a stack of 2 MiB")),
    Case("joined_stacks with background=1", "joined_stacks", options="background=1", timeout=60),
    simple("cross_thread_frees", needs=(64, STACKS)),
    simple("stale_questions", needs=(192, "60 MiB of objects")),
    simple("thousand_threads", needs=(256, "a thousand threads")),
    simple(
        "pending_cancel",
        options="verbose=1",
        stderr=("prairie: arena at ", "prairie: out of memory: malloc(314572800): RLIMIT_DATA"),
        needs=(512, "threads, and a block of 300 MiB that its own limit refuses"),
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
    simple("fork_storm", needs=(256, STACKS)),
    simple("fork_in_handler"),
    simple("fork_and_streams", needs=(64, STACKS)),
    simple("fork_handlers", needs=(64, STACKS)),
    Case(
        "fork_handlers with a library that was initialized before",
        "fork_handlers",
        preload_too="{programs}/liblate.so",
        stdout="late library\n",
        needs=(64, STACKS),
    ),
    Case(
        "fork_lock with a library that takes a lock",
        "fork_lock",
        preload_too="{programs}/libatfork_lock.so",
        # The C library grants it to one library only.
        needs_free_hint="Prairie is to be initialized before all others, not who takes the address",
    ),
    Case(
        "c_fork_lock with a library that takes a lock",
        "c_fork_lock",
        preload_too="{programs}/libatfork_lock.so",
        # The C library grants it to one library only.
        needs_free_hint="Prairie is to be initialized before all others, not who takes the address",
    ),
    simple("spawn"),
    simple("static_program", stdout="static\n"),
)

LIBRARIES = (
    simple(
        "dlopen_prairie",
        "{library}",
        preload=False,
        needs=(256, "two threads that fill two heaps with 42 MB each"),
    ),
    simple("dlopen_loop", "{programs}/libtls_plugin.so", needs=(64, STACKS)),
    simple("c_host", "{programs}/libcpp_plugin.so", "throwing"),
    simple("c_host", "{programs}/libcpp_plugin.so", "nothrow"),
    simple("c_host", "{programs}/libcpp_plugin_alone.so", "throwing"),
    simple("c_host", "{programs}/libcpp_plugin_alone.so", "nothrow"),
)

SIGNALS = (
    simple("crash_handler", needs=(128, STACKS)),
    simple("signal_storm", timeout=120, needs=(128, STACKS)),
) + tuple(
    simple(
        "abort_handler",
        mistake,
        status=42,
        stderr=("prairie: ",),
        needs=(128, "blocks of 1 MiB"),
    )
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
    simple("neighbours", needs=(1024, "hundreds of mappings of its own between its blocks")),
    simple(
        "beyond_reservation",
        needs=(128 << 10, "96 GiB of blocks, hardly touched"),
        needs_overcommit="96 GiB of blocks, hardly touched",
    ),
    simple(
        "occupied_segment",
        needs=(256, "a segment of the program where the arena begins, and blocks around it"),
        needs_free_hint="a segment of the program is to be there",
    ),
    simple("locked_memory", needs=(256, "blocks of many sizes")),
    simple("workload", needs=WORKLOAD),
    Case(
        "main_thread_ends with background=1",
        "main_thread_ends",
        options="background=1",
        stdout="ended\n",
        needs=(256, "20 MiB of blocks, and a thread with a stack of 8 MiB"),
        timeout=60,
    ),
    Case(
        "main_thread_ends with background=1 and a lost cache",
        "main_thread_ends",
        ("lost",),
        options="background=1",
        stdout="ended\n",
        needs=(256, "20 MiB of blocks, and a thread with a stack of 8 MiB"),
        timeout=60,
    ),
    Case(
        "idle_process with background=1",
        "idle_process",
        options="background=1",
        needs=(256, "100 MiB of blocks"),
        timeout=150,
    ),
    Case(
        "idle_process with background=1, refused a thread",
        "idle_process",
        ("refused",),
        options="background=1",
        needs=(256, "100 MiB of blocks"),
        timeout=150,
    ),
    Case("steady_process", "steady_process", needs=(256, "80 MiB of blocks"), timeout=150),
    simple(
        "huge_pages",
        "none",
        needs=(1024, "a heap large enough for huge pages"),
        needs_free_hint="it looks at the mappings there",
    ),
    simple(
        "huge_pages",
        "early",
        needs=(16 << 10, "an arena that is reserved, as it is far from every limit"),
        needs_free_hint="it looks at the mappings there",
        bits=64,
    ),
    Case(
        "huge_pages with thp=never",
        "huge_pages",
        ("nh",),
        options="thp=never",
        needs=(1024, "a heap large enough for huge pages"),
        needs_free_hint="it looks at the mappings there",
    ),
    Case(
        "workload while the arena's address is taken",
        "workload",
        ("elsewhere",),
        preload_too="{programs}/liboccupier.so",
        stdout="intact\n",
        needs=(256, "64 MiB at the arena's address, beside the workload"),
        needs_free_hint="64 MiB of another library's are to be there",
    ),
    Case(
        "workload with an unlimited stack",
        "workload",
        limits={resource.RLIMIT_STACK: resource.RLIM_INFINITY},
        needs=WORKLOAD,
    ),
    Case(
        "workload with a small stack",
        "workload",
        limits={resource.RLIMIT_STACK: 128 << 10},
        needs=WORKLOAD,
    ),
    Case(
        "workload without address randomization",
        "workload",
        before_exec=no_randomization,
        needs=WORKLOAD,
    ),
    Case(
        "workload without standard streams",
        "workload",
        before_exec=close_standard_streams,
        needs=WORKLOAD,
    ),
    Case(
        "workload without descriptors to open",
        "workload",
        limits={resource.RLIMIT_NOFILE: 8},
        needs=WORKLOAD,
    ),
    Case(
        "workload with glibc's own variables",
        "workload",
        environment={
            "GLIBC_TUNABLES": "glibc.malloc.check=3",
            "MALLOC_ARENA_MAX": "1",
            "MALLOC_PERTURB_": "7",
        },
        needs=WORKLOAD,
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
        needs=(2 * megabytes, "room for the limit of its own"),
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
        needs=WORKLOAD,
    ),
)

WHOLE_ADDRESS_SPACE = tuple(
    Case(
        f"whole_address_space {size}{name}",
        "whole_address_space",
        (size,),
        limits={resource.RLIMIT_AS: 400 * MEGABYTE} if "RLIMIT" in name else {},
        before_exec=three_gigabytes if "3 GiB" in name else None,
        timeout=60,
        bits=bits,
        needs=(512, "a limit of 400 MiB that it fills"),
    )
    for size in ("100000", "1048576")
    for name, bits in ((" under RLIMIT_AS", None), ("", 32), (" of 3 GiB", 32))
)

DATA_LIMITS = fills(resource.RLIMIT_DATA) + (
    limited("threads_at_the_limit", resource.RLIMIT_DATA, 64),
    Case(
        "workload under RLIMIT_DATA of 300 MiB",
        "workload",
        limits={resource.RLIMIT_DATA: 300 * MEGABYTE},
        needs=WORKLOAD,
    ),
    simple("moving_limit", needs=(256, "56 MB of blocks, and others beside them")),
    simple("limit_after_start", needs=(512, "room for the limits that it sets")),
    simple("limit_of_vfork_child", needs=(1024, "room for the limit that its children set")),
)


def named(name, size="", *, said="", **more):
    """Runs into the limit `name` twice: silently, and with a line that says so."""
    arguments = (name,) + ((str(size),) if size else ())
    more = {"needs": (1024, "that no other limit is reached before its own"), **more}
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
    + named("window", said="1152921504606846976): the window of the arena is ", bits=64)
    + named("window", said="4293918720): the window of the arena is ", bits=32)
)

OWN_LIMIT = (
    tuple(
        Case(
            f"memory_limit {size} under limit={megabytes}M",
            "memory_limit",
            (str(megabytes * MEGABYTE), size),
            options=f"limit={megabytes}M",
            needs=(2 * megabytes, "room for the limit of its own"),
        )
        for megabytes, size in ((64, "24"), (64, "1000"), (64, "1000000"), (256, "40000"))
    )
    + tuple(
        Case(
            f"pressure under limit={megabytes}M",
            "pressure",
            (str(megabytes * MEGABYTE),),
            options=f"limit={megabytes}M",
            needs=(256, "room for the limit of its own"),
        )
        for megabytes in (16, 100)
    )
    + (
        Case(
            "threads_at_the_limit under limit=64M",
            "threads_at_the_limit",
            (str(64 * MEGABYTE),),
            options="limit=64M",
            needs=(256, "room for the limit of its own"),
        ),
        Case("workload under limit=300M", "workload", options="limit=300M", needs=WORKLOAD),
        Case(
            "fork_storm under limit=200M",
            "fork_storm",
            options="limit=200M",
            needs=(256, STACKS),
        ),
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
    "whole_address_space": WHOLE_ADDRESS_SPACE,
}

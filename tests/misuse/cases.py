"""The table of misuse programs: for each the report that it must end with."""

import dataclasses
import resource

from tests.misuse.reports import LARGEST_SMALL, Report

LARGE = LARGEST_SMALL + 1  # A size that says no more than "a large object".
HUGE = 64 << 20


@dataclasses.dataclass(frozen=True)
class Case:
    """`reports`: the lines on stderr, in order; a tuple in it is a choice. Without `survives` it
    dies of SIGABRT. `words`: the lines on stdout that are no addresses."""

    program: str
    reports: tuple = ()
    options: str = ""
    survives: bool = False
    words: tuple = ()


def aborts(program, *choices):
    return Case(program, (choices,))


def double(size, call="free", **names):
    return Report("double", call, size, **names)


def interior(size, call="free", **names):
    return Report("interior", call, size, **names)


WILD = Report("wild")

LIMITED = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY

# Program -> (MiB of address space and data, why), of those that need many.
NEEDS = {
    "double_free_huge": (128, "a block of 64 MiB"),
    "interior_huge_middle": (128, "a block of 64 MiB"),
}

# A block whose pages may have been used again is known as free or only as nothing: both are right.
GONE_LARGE = (double(LARGE), WILD)

DOUBLE_FREES = (
    aborts("double_free_small", double(64)),
    aborts("double_free_16", double(16)),
    aborts("double_free_without_memory", double(1024)),
    aborts("double_free_zero_size", double(0)),
    aborts("double_free_largest_small", double(32768)),
    aborts("double_free_smallest_large", double(32769)),
    aborts("double_free_large", double(200000)),
    aborts("double_free_huge", double(HUGE)),
    aborts("double_free_calloc", double(240)),
    aborts("double_free_memalign", double(None), double(LARGE)),
    aborts("double_free_aligned_small", double(64)),
    aborts("double_free_aligned_large", double(200000)),
    aborts("double_free_after_other_frees", double(64)),
    aborts("double_free_between", double(48)),
    aborts("double_free_large_neighbours_live", double(200000)),
    aborts("double_free_large_after_others", *GONE_LARGE),
    aborts("double_free_after_cache_flush", double(64)),
    aborts("double_free_after_span_freed", double(64, freed=True)),
    aborts("double_free_after_malloc_trim", double(256, freed=True)),
    aborts("double_free_of_first_in_freed_span", double(64, freed=True)),
    aborts("double_free_after_realloc_moved", double(64)),
    aborts("double_free_after_realloc_zero", double(64)),
    aborts("double_free_from_thread", double(64)),
    aborts("double_free_after_thread_exit", double(64)),
    aborts("double_free_large_from_thread", double(200000)),
    aborts("double_free_by_living_thread", double(64)),
    aborts("double_free_of_block_from_thread", double(96)),
    aborts("double_free_in_child", double(64)),
    aborts("double_free_at_exit", double(64)),
    aborts("double_free_then_realloc", double(64, "realloc")),
    aborts("realloc_of_freed_same_size", double(64, "realloc")),
    aborts("realloc_of_freed_large", double(200000, "realloc")),
    aborts("realloc_of_freed_large_shrink", double(200000, "realloc")),
    aborts("realloc_zero_of_freed", double(64, "realloc")),
    aborts("double_delete", double(8, "operator delete")),
    aborts("double_delete_array", double(500, "operator delete")),
    aborts("double_delete_large", double(200000, "operator delete")),
    aborts("free_then_delete", double(64, "operator delete")),
    aborts("delete_then_free", double(64)),
    aborts("double_delete_sized", double(80, "operator delete")),
    aborts("double_delete_aligned", double(128, "operator delete")),
    aborts("double_delete_nothrow", double(64, "operator delete")),
    aborts("double_delete_array_sized_aligned", double(512, "operator delete")),
)

INTERIOR = (
    aborts("interior_1", interior(64)),
    aborts("interior_8", interior(64)),
    aborts("interior_16", interior(64)),
    aborts("interior_16_of_class_48", interior(48)),
    aborts("interior_middle_3072", interior(3072)),
    aborts("interior_second_page", interior(24576)),
    aborts("interior_large_1", interior(200000)),
    aborts("interior_large_16", interior(200000)),
    aborts("interior_large_page", interior(200000)),
    aborts("interior_large_last_page", interior(200000)),
    aborts("interior_huge_middle", interior(HUGE)),
    aborts("interior_of_freed", interior(64)),
    aborts("interior_before_start", interior(1024)),
    aborts("realloc_of_interior", interior(64, "realloc")),
    aborts("realloc_of_interior_large", interior(200000, "realloc")),
    aborts("delete_interior", interior(256, "operator delete")),
    aborts("delete_array_interior", interior(4096, "operator delete")),
    aborts("delete_of_array_with_cookie", interior(104, "operator delete")),
    aborts("delete_second_base", interior(48, "operator delete")),
    # The slot behind may lie free in a cache or may never have been carved: nobody has it.
    aborts("end_of_small", double(1000), WILD),
    aborts("end_of_large", *GONE_LARGE, double(None)),
)

ALIENS = tuple(
    aborts(f"{verb}_of_{stem}", Report(kind, verb))
    for verb in ("free", "realloc")
    for stem, kind in (
        ("stack", "stack"),
        ("static", "foreign"),
        ("code", "foreign"),
        ("string_literal", "foreign"),
        ("thread_local", "foreign"),
        ("mmap", "foreign"),
        ("brk", "foreign"),
        ("small_integer", "foreign"),
        ("map_failed", "foreign"),
        ("non_canonical", "foreign"),
    )
) + (
    # Under a limit the heap begins small, and the address may be behind its end.
    aborts("free_of_wild_near", WILD, *([Report("foreign")] if LIMITED else [])),
    aborts(
        "realloc_of_wild_near",
        Report("wild", "realloc"),
        *([Report("foreign", "realloc")] if LIMITED else []),
    ),
    # The arena ends somewhere between the heap and the end of the window; the report says where.
    aborts("free_of_wild_far", WILD, Report("foreign")),
    aborts("realloc_of_wild_far", Report("wild", "realloc"), Report("foreign", "realloc")),
    aborts("free_of_thread_stack", Report("stack")),
    # The kernel put it above the first frame: of the stack's mapping, but nobody's frame.
    aborts("free_of_environ", Report("stack"), Report("foreign")),
    aborts("free_of_other_threads_stack", Report("foreign")),
    aborts("delete_static", Report("foreign", "operator delete")),
    aborts("delete_stack", Report("stack", "operator delete")),
)

SMASHED = tuple(
    aborts(program, Report("smashed", size=size))
    for program, size in (
        ("smashed_link", 64),
        ("smashed_link_16", 16),
        ("smashed_mark", 64),
        ("smashed_by_zeroing", 64),
        ("smashed_by_0xff", 64),
        ("smashed_by_text", 64),
        ("smashed_link_to_wild", 64),
        ("smashed_noticed_by_calloc", 64),
        ("smashed_noticed_by_realloc", 64),
        ("smashed_noticed_by_new", 64),
        ("smashed_middle_of_list", 128),
        ("smashed_after_cache_flush", 64),
    )
)


def goes_on(program, reports=(), options=""):
    choices = tuple((report,) for report in reports)
    return Case(program, choices, options, survives=True, words=("works",))


SURVIVORS = (
    goes_on("no_mistake"),
    goes_on("same_block_freed_and_reused"),
    goes_on("copies_of_marks"),
    goes_on("usable_size_of_bad"),
    goes_on("ignore_foreign", options="foreign=ignore"),
    goes_on(
        "report_goes_on",
        (
            interior(64, pointer="small+16", object="small"),
            interior(200000, pointer="large+8192", object="large"),
            Report("foreign", pointer="variable"),
            Report("stack", pointer="local"),
            interior(64, "realloc", pointer="small+8", object="small"),
            Report("foreign", "realloc", pointer="variable"),
            double(64, pointer="small"),
            double(64, "realloc", pointer="small"),
            double(200000, pointer="large"),
        ),
        options="on_error=report",
    ),
    goes_on("report_double_free_many", (double(64),) * 100, options="on_error=report"),
    goes_on("report_smashed", (Report("smashed", size=64),), options="on_error=report"),
)

CASES = DOUBLE_FREES + INTERIOR + ALIENS + SMASHED + SURVIVORS

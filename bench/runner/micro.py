"""The Google Benchmark programs: malloc_benchmark, and span_lookup_benchmark."""

import json

# The first part of each benchmark's name in malloc_benchmark.cc. Each family is a process of its
# own, so that allocators take turns often, and none starts from the heap that another family left
# behind.
FAMILIES = {
    "pair": "malloc and free of one object, 16 B to 1 MiB",
    "batch_lifo": "batches of 100 and 1000, freed last first",
    "batch_fifo": "batches of 100 and 1000, freed first first",
    "batch_shuffled": "batches of 100 and 1000, freed in random order",
    "random_sizes": "1000 or 10000 live objects, random ones replaced",
    "realloc_growth": "a block that grows by realloc",
    "calloc": "calloc and free of one object",
    "new_delete": "operator new and delete",
    "new_sized_delete": "operator new and sized delete",
    "threads": "batches in 2 and 4 threads",
    "cross_thread": "allocated in one thread, freed in another",
}


def measure(runner, program, allocator, family, warm_mib, quick):
    """Runs one family; returns the Cost of the process, and the nanoseconds of each row."""
    out = runner.scratch / "benchmark.json"
    command = [
        program,
        f"--benchmark_filter=^{family}/",
        f"--benchmark_min_time={0.01 if quick else 0.1}",
        f"--benchmark_out={out}",
        "--benchmark_out_format=json",
    ]
    cost = runner.run(command, allocator, warm_mib, cwd=runner.scratch)
    return cost, read_rows(out)


def read_rows(path):
    """Nanoseconds an item, from the items per second (of real time where threads are used)."""
    rows = {}
    for entry in json.loads(path.read_text(encoding="utf-8"))["benchmarks"]:
        name = entry["name"].replace("/real_time", "").replace("threads:", "")
        rows[name] = 1e9 / entry["items_per_second"]
    path.unlink()
    return rows


def measure_lookups(runner, program, allocator, quick):
    """Maps (structure, pattern, chain, MiB) of span_lookup_benchmark to nanoseconds."""
    out = runner.scratch / "lookup.json"
    command = [
        program,
        f"--benchmark_min_time={0.01 if quick else 0.1}",
        f"--benchmark_out={out}",
        "--benchmark_out_format=json",
    ]
    runner.run(command, allocator, 64, cwd=runner.scratch)
    rows = {}
    for name, nanoseconds in read_rows(out).items():
        structure, pattern, chain, mib = name.split("/")
        rows[structure, pattern, chain, int(mib)] = nanoseconds
    return rows
